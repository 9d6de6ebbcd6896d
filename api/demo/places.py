"""The communities of the demo district: how many visits each gets, and where in it people live and trade."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import msgspec
import shapely
from msgspec import Struct
from shapely.geometry.base import BaseGeometry

from api.demo.words import SOURCES, words, yard_name
from maps import coordinates
from maps.boundaries import Area

# The codes and names are real, every line is invented or coarsened.
BOUNDARIES = SOURCES / "erqi_demo_communities.geojson"

_CENTRE = (113.6573, 34.7500)  # the square with the tower
_CENTRE_REACH_M = 3_500.0
_BUSIEST = {"410103004004": 1.4}  # so that one community worker's desk is as full as desks are


@dataclass(frozen=True, slots=True)
class Place:
    """A community with what there is in it."""

    code: str
    name: str
    street: str
    geometry: BaseGeometry
    households: int
    weight: float  # its share of the visits, not normalised
    centrality: float  # 1 in the centre, 0 far out
    roads: Sequence[str]
    yards: Sequence[str]
    lanes: Sequence[tuple[float, float]]  # around which most doors lie


class _Properties(Struct):
    code: str
    street: str
    households: int


class _Feature(Struct):
    properties: _Properties


class _Collection(Struct):
    features: list[_Feature]


def places(areas: Sequence[Area], rng: Random) -> list[Place]:
    """The communities by ascending code, the same for the same state of the generator."""
    read = msgspec.json.decode(BOUNDARIES.read_bytes(), type=_Collection).features
    known = {feature.properties.code: feature.properties for feature in read}
    return [_place(area, known[area.code], rng) for area in areas]


def _place(area: Area, known: _Properties, rng: Random) -> Place:
    middle = area.geometry.representative_point()
    centrality = math.exp(-((_metres(middle.x, middle.y, *_CENTRE) / _CENTRE_REACH_M) ** 2))
    weight = known.households * (0.45 + 2.0 * centrality) * rng.lognormvariate(0, 0.35)
    roads = rng.sample(words().roads[known.street], 3)
    return Place(
        code=area.code,
        name=area.name,
        street=known.street,
        geometry=area.geometry,
        households=known.households,
        weight=weight * _BUSIEST.get(area.code, 1.0),
        centrality=centrality,
        roads=roads,
        yards=[yard_name(rng, roads) for _ in range(6)],
        lanes=[_anywhere(area.geometry, rng) for _ in range(rng.randrange(3, 7))],
    )


def door(place: Place, rng: Random) -> tuple[float, float]:
    """Where a door is, WGS-84: mostly along one of the community's lanes."""
    for _ in range(20):
        if rng.random() < 0.25:
            break
        lon, lat = moved(*rng.choice(place.lanes), rng.gauss(0, 90), rng.gauss(0, 90))
        if shapely.intersects_xy(place.geometry, lon, lat):
            return lon, lat
    return _anywhere(place.geometry, rng)


def beyond(place: Place, district: BaseGeometry, rng: Random) -> tuple[float, float]:
    """Somewhere outside the district, near the community if it lies at the edge."""
    lon, lat = door(place, rng)
    angle, distance = rng.uniform(0, 2 * math.pi), 200.0
    while shapely.intersects_xy(district, *moved(lon, lat, distance * math.cos(angle), distance * math.sin(angle))):
        distance += 150
    return moved(lon, lat, (distance + 60) * math.cos(angle), (distance + 60) * math.sin(angle))


def moved(lon: float, lat: float, east_m: float, north_m: float) -> tuple[float, float]:
    east, north = coordinates.metres_per_degree(lat)
    return lon + east_m / float(east), lat + north_m / float(north)


def _anywhere(geometry: BaseGeometry, rng: Random) -> tuple[float, float]:
    west, south, east, north = geometry.bounds
    while True:
        lon, lat = rng.uniform(west, east), rng.uniform(south, north)
        if shapely.intersects_xy(geometry, lon, lat):
            return lon, lat


def _metres(lon: float, lat: float, other_lon: float, other_lat: float) -> float:
    east, north = coordinates.metres_per_degree(lat)
    return math.hypot((lon - other_lon) * float(east), (lat - other_lat) * float(north))

"""Tiles of the issue map: the issues of a tile gathered as the map gathers them, with the areas of the communities; as
a Mapbox vector tile for any map library, or as JSON."""

import asyncio
import hashlib
from functools import lru_cache
from threading import Lock
from typing import Any

import asyncpg
import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath
from msgspec import Struct

from api.auth import Clock
from api.communities import has
from maps import tiles, vector_tiles
from maps.locator import Atlas, Locator
from maps.vector_tiles import DEEPEST, MEDIA_TYPE, Areas, Tile
from surveys.counting import issue_counts
from surveys.counting.issue_counts import Cluster
from surveys.counting.issue_query import Filters
from surveys.people.people import District, Reader
from surveys.refusals import InvalidFilter

JSON = "application/json"
ENDINGS = ("", "json", "mvt", "pbf")
LONGEST = 10  # digits
COUNTS = ("count", "reported", "in_hand", "overdue", "solved", "other")


class TileOfIssues(Struct, frozen=True, kw_only=True):
    """The placed issues of a tile, gathered. It tells no time, so that a tile in which nothing changed is the same."""

    z: int
    x: int
    y: int
    clusters: list[Cluster]


@get(
    "/maps/tiles/{z:str}/{x:str}/{y:str}",
    media_type=MEDIA_TYPE,
    responses={
        200: ResponseSpec(bytes, media_type=MEDIA_TYPE, description="A vector tile, or the same issues as JSON"),
    },
    summary="A tile of the issue map",
)
async def tile(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    filters: NamedDependency[Filters],
    atlas: NamedDependency[Atlas],
    z: FromPath[str],
    x: FromPath[str],
    y: FromPath[str],
) -> Response[bytes]:
    """The issues of a tile under the list's filters, gathered so that what lies within 128 of its 256 pixels is one,
    in the layer `issues`: `count` and how many of each map group; one alone has its `issue` and `number`. The layer
    `communities` has their areas, with `code`, `name` and `street`. In WGS-84's web mercator, as every map library
    asks for tiles. With `.json` behind the row, or to who accepts JSON alone, the clusters come as JSON."""
    row, _, ending = y.partition(".")
    asked = _tile(z, x, row)
    if ending not in ENDINGS:
        raise InvalidFilter("y", expected="5, 5.mvt, 5.json")
    now = clock()
    found = await issue_counts.clusters(
        conn, reader, filters, district.zone, now, tiles.shift_for(asked.z), asked.cells()
    )
    if ending == "json" or (not ending and _wants_json(request)):
        body = msgspec.json.encode(TileOfIssues(z=asked.z, x=asked.x, y=asked.y, clusters=found))
        return _answer(request, reader, body, JSON)
    layers = _issues(asked, found)
    locator = atlas.valid_at(reader.district, now)
    if locator is not None:
        layers += await asyncio.to_thread(_communities, locator, asked)
    return _answer(request, reader, layers, MEDIA_TYPE)


def _tile(z: str, x: str, y: str) -> Tile:
    """Raises InvalidFilter for one that there is not."""
    zoom = _number("z", z, DEEPEST)
    last = (1 << zoom) - 1
    return Tile(zoom, _number("x", x, last), _number("y", y, last))


def _number(field: str, given: str, most: int) -> int:
    if not (given.isascii() and given.isdigit() and len(given) <= LONGEST and int(given) <= most):
        raise InvalidFilter(field, expected=f"0–{most}")
    return int(given)


def _wants_json(request: Request[Reader, Any, Any]) -> bool:
    accepted = request.headers.get("accept", "")
    return JSON in accepted and MEDIA_TYPE not in accepted


def _issues(asked: Tile, found: list[Cluster]) -> bytes:
    places = [
        (
            one.lon,
            one.lat,
            {name: getattr(one, name) for name in COUNTS}
            | {"issue": str(one.issue) if one.issue else None, "number": one.number},
        )
        for one in found
    ]
    return vector_tiles.points("issues", asked, places)


@lru_cache(maxsize=32)
def _areas(locator: Locator) -> Areas:
    return Areas(locator.areas)


_making = Lock()  # of areas: the tiles of one view are asked for at the same time, and would each make them


def _communities(locator: Locator, asked: Tile) -> bytes:
    with _making:
        areas = _areas(locator)
    return areas.layer(asked)


def _answer(request: Request[Reader, Any, Any], reader: Reader, body: bytes, media_type: str) -> Response[bytes]:
    """The answer to whom it is for alone, which a browser asks for again each time and need not take twice."""
    digest = hashlib.sha256(msgspec.json.encode((reader.district, reader.member, reader.grants, media_type)) + body)
    tag = f'W/"{digest.hexdigest()[:32]}"'  # weak: it may travel compressed or not
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept, Authorization, Cookie"}
    if has(request, tag):
        return Response(b"", status_code=304, headers=headers, media_type=media_type)
    return Response(body, headers=headers, media_type=media_type)


ROUTES = [tile]

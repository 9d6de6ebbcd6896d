"""Boundaries of communities: read, checked and repaired, compared, and stored as versions."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias
from uuid import UUID, uuid5

import numpy as np
import numpy.typing as npt
import shapely
from asyncpg import Connection
from shapely.geometry.base import BaseGeometry

from maps import coordinates
from maps.boundary_files import BadRow, Features, UnusableBoundaries, read_features

__all__ = [
    "Area",
    "BadRow",
    "BoundaryVersion",
    "Overlap",
    "Reading",
    "Repair",
    "UnusableBoundaries",
    "area_m2",
    "latest_versions",
    "load",
    "read",
    "store",
]

Geometries: TypeAlias = npt.NDArray[np.object_]
Progress: TypeAlias = Callable[[str, int, int], None]  # the step, how much of it is done, and of how much

SMALLEST_M2 = 1.0  # what covers less, or overlaps by less, is the width of a drawn line

# Names of fields met in practice, the most telling first; a Shapefile cuts them to ten bytes.
_CODE_FIELDS = (
    *("code", "code12", "community_code", "sqdm", "社区代码", "社区编码", "社区代", "统计用区划代码", "区划代码"),
    *("代码", "编码", "id"),
)
_NAME_FIELDS = ("name", "community_name", "community", "sqmc", "社区名称", "社区名", "社区", "村居名称", "名称", "mc")
_STREET_NAME_FIELDS = ("street_name", "street", "jdmc", "街道名称", "街道名", "街道", "所属街道", "乡镇名称", "乡镇")
_STREET_FIELDS = ("street_code", "jddm", "街道代码", "街道编码", "街道代", "乡镇代码", *_STREET_NAME_FIELDS)

# What lists add to a community's name to name its committee.
_COMMITTEE = re.compile(r"(?<=.)(?:居民(?:管理)?委员会|拟?居委会|(?<=村)(?:村?民)?委员?会|管理委员会|委员会)$")

_NAMESPACE = UUID("8a3f6c1e-5d0b-5c55-9a56-0d6a3f2b7c41")  # of the ids of districts' boundaries in the history


@dataclass(frozen=True, slots=True)
class Area:
    """A community and the polygon it covers, in WGS-84 degrees; `street` is the street's code."""

    code: str
    name: str
    street: str | None
    geometry: BaseGeometry
    street_name: str | None = None


@dataclass(frozen=True, slots=True)
class Repair:
    """A polygon that was not valid as it came, and what was wrong with it."""

    row: int
    code: str
    fault: str


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two communities that claim the same ground."""

    one: str
    other: str
    area_m2: float


@dataclass(frozen=True, slots=True)
class FieldsUsed:
    """The fields read as code, name, street and street's name; None where the file has none."""

    code: str
    name: str
    street: str | None
    street_name: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file holds, by ascending code, and what had to be done to it."""

    areas: list[Area]
    repaired: list[Repair]
    overlaps: list[Overlap]
    fields: FieldsUsed
    system: str


@dataclass(frozen=True, slots=True)
class BoundaryVersion:
    """All boundaries of a district, valid from a moment until that of the version that comes after it in time."""

    version: int
    valid_from: datetime
    areas: list[Area]
    source: str = ""


def read(
    path: Path,
    *,
    code_field: str | None = None,
    name_field: str | None = None,
    street_field: str | None = None,
    system: str | None = None,
    layer: str | None = None,
    progress: Progress = lambda step, done, total: None,
) -> Reading:
    """Read communities from a file of polygons; fields that are not named are guessed.

    Raises UnusableBoundaries for a file that cannot be read or lacks a field, and for rows without code, name or
    area, with another row's code, or beyond the earth: its `rows` name every one of them.
    """
    progress("read", 0, 1)
    features = read_features(path, layer=layer, system=system)
    fields = _fields_used(features.fields, code_field, name_field, street_field)
    progress("read", 1, 1)
    codes, names = features.fields[fields.code], [displayed(name) for name in features.fields[fields.name]]
    polygons, faults, bad = _polygons(features.geometries, progress)
    bad = sorted([*_bad_texts(codes, names), *bad], key=lambda bad_row: bad_row.row)
    if bad or not codes:
        raise UnusableBoundaries("rows_unusable" if bad else "no_rows", {"file": path.name, "count": len(bad)}, bad)
    areas = sorted(_areas(features, fields, codes, names, polygons), key=lambda area: area.code)
    repaired = [Repair(at + 1, codes[at], fault) for at, fault in faults.items()]
    return Reading(areas, repaired, _overlaps(areas, progress), fields, features.system)


def displayed(name: str) -> str:
    """A community's name as people say it: 淮河社区居民委员会 is 淮河社区, and 尖岗村委会 is 尖岗村."""
    return _COMMITTEE.sub("", name)


def area_m2(geometry: BaseGeometry) -> float:
    """Return the area of a polygon in degrees, by the length of a degree at its middle: good for a district's size."""
    _, south, _, north = shapely.bounds(geometry)
    east_m, north_m = coordinates.metres_per_degree((south + north) / 2)
    return float(shapely.area(geometry) * east_m * north_m)


def _fields_used(fields: Mapping[str, list[str]], code: str | None, name: str | None, street: str | None) -> FieldsUsed:
    return FieldsUsed(
        code=_required("code", fields, code, _CODE_FIELDS),
        name=_required("name", fields, name, _NAME_FIELDS),
        street=_field(fields, street, _STREET_FIELDS),
        street_name=_field(fields, None, _STREET_NAME_FIELDS),
    )


def _required(what: str, fields: Mapping[str, list[str]], named: str | None, guesses: Sequence[str]) -> str:
    found = _field(fields, named, guesses)
    if found is None:
        raise UnusableBoundaries("field_not_found", {"wanted": what, "fields": list(fields)})
    return found


def _field(fields: Mapping[str, list[str]], named: str | None, guesses: Sequence[str]) -> str | None:
    """The field that was named, which must exist, or the first guess that does; capitals do not matter."""
    known = {field.casefold(): field for field in fields}
    if named is not None and named.casefold() not in known:
        raise UnusableBoundaries("unknown_field", {"field": named, "fields": list(fields)})
    wanted = guesses if named is None else [named]
    return next((known[field.casefold()] for field in wanted if field.casefold() in known), None)


def _bad_texts(codes: Sequence[str], names: Sequence[str]) -> list[BadRow]:
    times = Counter(codes)
    return [
        *(BadRow(at, "code_missing") for at, code in enumerate(codes, 1) if not code),
        *(BadRow(at, "code_repeated", code) for at, code in enumerate(codes, 1) if code and times[code] > 1),
        *(BadRow(at, "name_missing", codes[at - 1]) for at, name in enumerate(names, 1) if not name),
    ]


def _polygons(geometries: Geometries, progress: Progress) -> tuple[list[BaseGeometry], dict[int, str], list[BadRow]]:
    """Valid polygons, what was wrong with those that were not valid by their place, and rows beyond repair."""
    beyond = _beyond_the_earth(geometries)
    polygons, faults, bad = [], {}, []
    for at, geometry in enumerate(geometries):
        progress("repair", at + 1, len(geometries))
        polygon, fault, reason = (None, None, "out_of_range") if at in beyond else _polygon(geometry)
        polygons.append(polygon)
        if reason is not None:
            bad.append(BadRow(at + 1, reason))
        elif fault is not None:
            faults[at] = fault
    return polygons, faults, bad


def _beyond_the_earth(geometries: Geometries) -> set[int]:
    vertices, owners = shapely.get_coordinates(geometries, return_index=True)
    within = (np.abs(vertices[:, 0]) <= 180) & (np.abs(vertices[:, 1]) <= 90)  # false for what is not a number, too
    return set(owners[~within].tolist())


def _polygon(geometry: BaseGeometry | None) -> tuple[BaseGeometry | None, str | None, str | None]:
    """A valid polygon, what was wrong with it, and why it cannot be used: None where nothing is."""
    if geometry is None or geometry.is_empty:
        return None, None, "geometry_missing"
    if geometry.geom_type not in ("Polygon", "MultiPolygon", "GeometryCollection"):
        return None, None, "not_a_polygon"
    fault = None if geometry.is_valid else shapely.is_valid_reason(geometry)
    polygon = _polygonal(shapely.make_valid(geometry, method="structure", keep_collapsed=False) if fault else geometry)
    return polygon, fault, "no_area" if polygon.is_empty or area_m2(polygon) < SMALLEST_M2 else None


def _polygonal(geometry: BaseGeometry) -> BaseGeometry:
    if geometry.geom_type in ("Polygon", "MultiPolygon"):
        return geometry
    parts = shapely.get_parts(shapely.get_parts(geometry))
    return shapely.union_all(parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON])


def _areas(
    features: Features, fields: FieldsUsed, codes: list[str], names: list[str], polygons: list[BaseGeometry]
) -> list[Area]:
    nothing = [""] * len(codes)
    streets = features.fields[fields.street] if fields.street else nothing
    street_names = features.fields[fields.street_name] if fields.street_name else nothing
    return [
        Area(code, name, street or None, polygon, street_name or None)
        for code, name, street, polygon, street_name in zip(codes, names, streets, polygons, street_names, strict=True)
    ]


def _overlaps(areas: Sequence[Area], progress: Progress) -> list[Overlap]:
    """Every two areas that share ground; neighbours share a line and no ground."""
    polygons = np.array([area.geometry for area in areas], dtype=object)
    shapely.prepare(polygons)
    ones, others = shapely.STRtree(polygons).query(polygons)
    ones, others = ones[ones < others], others[ones < others]
    found = []
    for done, (one, other) in enumerate(zip(ones.tolist(), others.tolist(), strict=True), 1):
        progress("compare", done, len(ones))
        if shapely.relate_pattern(polygons[one], polygons[other], "T********"):
            shared = area_m2(shapely.intersection(polygons[one], polygons[other]))
            if shared >= SMALLEST_M2:
                found.append(Overlap(areas[one].code, areas[other].code, shared))
    return found


# Imports of one district come one after the other.
_LOCK_DISTRICT = "select from district where district = $1 for no key update"

_TAKEN = "select version from boundary_version where district = $1 and valid_from = $2"

_STORE_STREETS = """
insert into street (district, code, name)
select $1, code, coalesce(name, code) from unnest($2::text[], $3::text[]) as s(code, name)
on conflict (district, code) do update set name = excluded.name where excluded.name <> excluded.code
"""

_STORE_COMMUNITIES = """
insert into community (district, code, name, street)
select $1, code, name, street from unnest($2::text[], $3::text[], $4::text[]) as c(code, name, street)
on conflict (district, code) do update set name = excluded.name, street = coalesce(excluded.street, community.street)
"""

_STORE_VERSION = """
with next as (
  select coalesce(max(version), 0) + 1 as version from boundary_version where district = $1
), stored as (
  insert into boundary_version (district, version, valid_from, source, recorded_at)
  select $1, version, $2, $3, $4 from next returning version
), drawn as (
  insert into community_boundary (district, version, community, geometry)
  select $1, version, community, geometry from stored, unnest($5::text[], $6::bytea[]) as b(community, geometry)
)
select version from stored
"""

_STORE_HISTORY = """
insert into history
  (district, id, kind, thing, version, event, actor_kind, actor, happened_at, recorded_at, facts)
values ($1, $2, 'boundary_version', $3, $4, 'imported', 'import', 'communities', least($5::timestamptz, $6), $6, $7)
"""


async def store(
    conn: Connection, district: int, areas: Sequence[Area], *, valid_from: datetime | None, source: str, now: datetime
) -> int:
    """Store areas as the district's next boundary version, valid from now unless said, and return its number.

    Communities and streets that stand in it get its names; those that do not, stay. Raises UnusableBoundaries when
    there is no such district, or a version is already valid from that very moment.
    """
    moment = valid_from or now
    async with conn.transaction():
        if not await conn.fetch(_LOCK_DISTRICT, district):
            raise UnusableBoundaries("unknown_district", {"district": district})
        taken = await conn.fetchval(_TAKEN, district, moment)
        if taken is not None:
            raise UnusableBoundaries("valid_from_taken", {"valid_from": moment.isoformat(), "version": taken})
        streets = {area.street: area.street_name for area in areas if area.street}
        await conn.execute(_STORE_STREETS, district, list(streets.keys()), list(streets.values()))
        codes, shapes = [area.code for area in areas], [shapely.to_wkb(area.geometry) for area in areas]
        await conn.execute(
            _STORE_COMMUNITIES, district, codes, [area.name for area in areas], [area.street for area in areas]
        )
        version: int = await conn.fetchval(_STORE_VERSION, district, moment, source, now, codes, shapes)
        thing = uuid5(_NAMESPACE, str(district))
        facts = {
            "version": version,
            "valid_from": moment.isoformat(),
            "count": len(areas),
            "digest": _digest(codes, shapes),
        }
        await conn.execute(_STORE_HISTORY, district, uuid5(thing, str(version)), thing, version, moment, now, facts)
    return version


def _digest(codes: Sequence[str], shapes: Sequence[bytes]) -> str:
    digest = hashlib.sha256()
    for code, shape in sorted(zip(codes, shapes, strict=True)):
        digest.update(f"{code}:{len(shape)}:".encode() + shape)
    return digest.hexdigest()


_LOAD = """
select v.version, v.valid_from, v.source, c.code, c.name, c.street, s.name as street_name, b.geometry
from boundary_version v
join community_boundary b on (b.district, b.version) = (v.district, v.version)
join community c on (c.district, c.code) = (b.district, b.community)
left join street s on (s.district, s.code) = (c.district, c.street)
where v.district = $1 and v.version > $2
order by v.version, c.code
"""


async def load(conn: Connection, district: int, *, after: int = 0) -> list[BoundaryVersion]:
    """The district's boundary versions after one that is known already, by ascending number."""
    versions: dict[int, BoundaryVersion] = {}
    for row in await conn.fetch(_LOAD, district, after):
        empty = BoundaryVersion(row["version"], row["valid_from"], [], row["source"])
        version = versions.setdefault(empty.version, empty)
        geometry = shapely.from_wkb(row["geometry"])
        version.areas.append(Area(row["code"], row["name"], row["street"], geometry, row["street_name"]))
    return list(versions.values())


# The one question that spans districts: it is asked every second by every process and reads an index alone.
_LATEST = "select district, max(version) as version from boundary_version group by district"


async def latest_versions(conn: Connection) -> dict[int, int]:
    """The newest boundary version of every district that has one."""
    return {row["district"]: row["version"] for row in await conn.fetch(_LATEST)}

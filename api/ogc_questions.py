"""What is asked of OGC API Features in an address: where, when, how many, in which coordinates, as what.

Parameters are named and read as OGC 17-069r4 (part 1) and 18-058r1 (part 2, coordinate reference systems) have them."""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal

import numpy as np
import shapely
from litestar import Request
from msgspec import Struct
from shapely.geometry.base import BaseGeometry

from maps import coordinates
from surveys.counting.issue_query import YEARS, Box
from surveys.people.people import Reader
from surveys.refusals import Invalid, InvalidCursor, InvalidFilter, Refusal

Asked = Request[Reader, Any, Any]
Form = Literal["json", "html"]

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
USUAL, MOST = 100, 1_000  # features in one answer
WORLD: Box = (-180.0, -90.0, 180.0, 90.0)
BOX = "west,south,east,north"
TIME = "2026-11-23T09:30:00+08:00, or two of them, or .., with / between"


class NotAcceptable(Refusal):
    """Nothing is kept in the form that is asked for."""

    code: ClassVar[str] = "not_acceptable"


class UnknownCrs(Invalid):
    """Coordinates are not given in this system."""

    code: ClassVar[str] = "unknown_crs"


class Crs(Struct, frozen=True):
    """A system of coordinates: how to it from longitude and latitude of WGS-84, and back; in its order of axes."""

    uri: str
    of: Callable[[Any, Any], tuple[Any, Any]]
    back: Callable[[Any, Any], tuple[Any, Any]]

    def coordinates(self, lon: float, lat: float) -> tuple[float, float]:
        """One place in this system."""
        first, second = self.of(lon, lat)
        return float(first), float(second)

    def shape(self, geometry: BaseGeometry) -> BaseGeometry:
        """A geometry in this system."""
        if self.uri == CRS84:
            return geometry
        return shapely.transform(geometry, lambda points: np.column_stack(self.of(points[:, 0], points[:, 1])))


def _same(lon: Any, lat: Any) -> tuple[Any, Any]:
    return lon, lat


def _turned(one: Any, other: Any) -> tuple[Any, Any]:
    return other, one


# CGCS2000 differs from WGS-84 by centimetres and counts as the same, as everywhere here.
SYSTEMS: Mapping[str, Crs] = {
    crs.uri: crs
    for crs in (
        Crs(CRS84, _same, _same),
        Crs(f"{EPSG}4326", _turned, _turned),
        Crs(f"{EPSG}4490", _turned, _turned),
        Crs(f"{EPSG}3857", coordinates.to_web_mercator, coordinates.from_web_mercator),
    )
}


class Wanted(Struct, frozen=True, kw_only=True):
    """What of a collection is asked for: `boxes` are two for a view across the date line, and none for everywhere."""

    boxes: tuple[Box, ...]
    since: datetime | None
    until: datetime | None
    limit: int
    cursor: str | None
    crs: Crs


def refuse_unknown(request: Asked, known: frozenset[str]) -> None:
    """Raises InvalidFilter for a parameter that is not one, or is given twice."""
    for name in request.query_params:
        if name not in known:
            raise InvalidFilter(name, expected=" | ".join(sorted(known)))


def wanted(request: Asked) -> Wanted:
    """What a request for features asks for. Raises Invalid, naming the parameter."""
    since, until = interval(_one(request, "datetime"))
    return Wanted(
        boxes=boxes(_one(request, "bbox"), crs(request, "bbox-crs")),
        since=since,
        until=until,
        limit=limit(_one(request, "limit")),
        cursor=_one(request, "cursor"),
        crs=crs(request, "crs"),
    )


def _one(request: Asked, name: str) -> str | None:
    values = request.query_params.getall(name, [])
    if len(values) > 1:
        raise InvalidFilter(name, expected="1")
    return values[0] if values else None


def crs(request: Asked, name: str) -> Crs:
    """The system that a parameter names. Raises UnknownCrs."""
    asked = _one(request, name)
    if asked is None:
        return SYSTEMS[CRS84]
    if asked not in SYSTEMS:
        raise UnknownCrs(name, expected=" | ".join(SYSTEMS))
    return SYSTEMS[asked]


def limit(text: str | None) -> int:
    """How many features one answer holds: at most MOST, whatever is asked for. Raises InvalidFilter below one."""
    if text is None:
        return USUAL
    if not (text.isascii() and text.isdecimal()) or len(text) > 20 or int(text) < 1:
        raise InvalidFilter("limit", expected=f"1 … {MOST}")
    return min(int(text), MOST)


def boxes(text: str | None, system: Crs) -> tuple[Box, ...]:
    """A box of four numbers, or of six with heights, which are left out; one whose west lies east of its east spans
    the date line and is two. Raises InvalidFilter."""
    if text is None:
        return ()
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise InvalidFilter("bbox", expected=BOX) from None
    if len(numbers) == 6:
        numbers = [*numbers[:2], *numbers[3:5]]
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise InvalidFilter("bbox", expected=BOX)
    with np.errstate(over="ignore"):  # of metres that lie nowhere
        (west, south), (east, north) = system.back(*numbers[:2]), system.back(*numbers[2:])
    west, south, east, north = (float(number) for number in (west, south, east, north))
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise InvalidFilter("bbox", expected=f"{BOX}; -180 … 180, -90 … 90")
    if west <= east:
        return ((west, south, east, north),)
    return (west, south, 180.0, north), (-180.0, south, east, north)


def interval(text: str | None) -> tuple[datetime | None, datetime | None]:
    """From when to when: one moment is both; what is left open is None. Raises InvalidFilter."""
    if text is None:
        return None, None
    parts = text.split("/")
    if len(parts) > 2 or (len(parts) == 1 and parts[0] in ("", "..")):
        raise InvalidFilter("datetime", expected=TIME)
    since, until = (_moment(part) for part in (parts[0], parts[-1]))
    if len(parts) == 2 and since is None and until is None and not text.strip("./") == "":
        raise InvalidFilter("datetime", expected=TIME)
    if since and until and until < since:
        raise InvalidFilter("datetime", expected=TIME)
    return since, until


def _moment(text: str) -> datetime | None:
    if text in ("", ".."):
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # a plus that an address did not encode
    except ValueError:
        raise InvalidFilter("datetime", expected=TIME) from None
    if moment.tzinfo is None or moment.year not in YEARS:
        raise InvalidFilter("datetime", expected=TIME)
    return moment


def form(request: Asked) -> Form:
    """As what an answer is wanted: by `f`, else by what the other side accepts, first named first. Raises InvalidFilter
    and NotAcceptable."""
    asked = _one(request, "f")
    if asked is not None:
        if asked not in ("json", "html"):
            raise InvalidFilter("f", expected="json | html")
        return "html" if asked == "html" else "json"
    accepted = request.headers.get("accept", "*/*")
    for one in accepted.split(","):
        kind = one.partition(";")[0].strip().lower()
        if kind in ("text/html", "application/xhtml+xml"):
            return "html"
        if kind in ("*/*", "", "application/*") or kind.endswith("json"):
            return "json"
    raise NotAcceptable("Accept", expected="application/geo+json, application/json, text/html")


def page_number(cursor: str | None) -> int:
    """Where a page begins, in a collection that lies in memory whole. Raises InvalidCursor."""
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdecimal()) or len(cursor) > 9:
        raise InvalidCursor("cursor")
    return int(cursor)

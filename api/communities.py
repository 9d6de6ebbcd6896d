"""Communities over HTTP: their boundaries, and which of them a position falls in."""

import asyncio
import hashlib
from functools import lru_cache
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromQuery, QueryParameter
from msgspec import Struct

from api.auth import Clock
from api.documented_problems import REFUSES
from maps import coordinates, exports
from maps.coordinates import InvalidPosition, System
from maps.locator import Atlas, Certainty, Locator
from surveys.issues.placing import PositionUnusable
from surveys.people.people import Reader
from surveys.refusals import NotFound

LARGEST_TOLERANCE_M = 10_000
LARGEST_ACCURACY_M = 1_000_000

GEOJSON = "application/geo+json"


class Document(Struct, frozen=True):
    """A version's boundaries as they are sent, and the tag by which a browser knows that it has them."""

    body: bytes
    tag: str


class Place(Struct, frozen=True, kw_only=True):
    """Where a position falls: its community, or nulls outside all; how certain that is, how far the nearest line is,
    and which communities it may lie in for its accuracy."""

    code: str | None = None
    name: str | None = None
    street: str | None = None
    certainty: Certainty = "unplaced"
    distance_m: float | None = None
    candidates: list[str] = []
    version: int | None = None


@get(
    "/api/communities.geojson",
    media_type=GEOJSON,
    opt={REFUSES: (404,)},
    responses={200: ResponseSpec(dict[str, Any], media_type=GEOJSON, description="A FeatureCollection in WGS-84")},
    summary="Boundaries of the communities",
)
async def boundaries(
    request: Request[Reader, Any, Any],
    reader: NamedDependency[Reader],
    atlas: NamedDependency[Atlas],
    clock: NamedDependency[Clock],
    version: FromQuery[int | None] = None,
    tolerance_m: Annotated[float, QueryParameter(ge=0, le=LARGEST_TOLERANCE_M)] = 0,
) -> Response[bytes]:
    """The boundaries valid now, or those of a version; lines may be simplified within a tolerance."""
    if version is None:
        locator = atlas.valid_at(reader.district, clock())
    else:
        locator = next((one for one in atlas.locators(reader.district) if one.version == version), None)
    if locator is None:
        raise NotFound("version")
    document = await asyncio.to_thread(_document, locator, tolerance_m)
    headers = {"ETag": document.tag, "Cache-Control": "private, no-cache"}
    if has(request, document.tag):
        return Response(b"", status_code=304, headers=headers, media_type=GEOJSON)
    return Response(document.body, headers=headers, media_type=GEOJSON)


@lru_cache(maxsize=64)
def _document(locator: Locator, tolerance_m: float) -> Document:
    body = exports.geojson(locator.boundaries, tolerance_m)
    return Document(body, f'W/"{hashlib.sha256(body).hexdigest()[:32]}"')  # weak: it may travel compressed or not


def has(request: Request[Reader, Any, Any], tag: str) -> bool:
    """Whether the browser says that it has what bears this tag."""
    known = {one.strip() for one in request.headers.get("if-none-match", "").split(",")}
    return bool(known & {tag, tag.removeprefix("W/"), "*"})


@get("/api/communities/at", summary="The community at a position")
async def community_at(
    reader: NamedDependency[Reader],
    atlas: NamedDependency[Atlas],
    clock: NamedDependency[Clock],
    lon: FromQuery[float],
    lat: FromQuery[float],
    system: FromQuery[System] = "wgs84",
    accuracy_m: Annotated[float, QueryParameter(ge=0, le=LARGEST_ACCURACY_M)] = 0,
) -> Place:
    """The community that a position falls in by the boundaries valid now. Raises PositionUnusable for none on earth."""
    try:
        coordinates.check(lon, lat)
    except InvalidPosition as cause:
        raise PositionUnusable(str(cause.facts["field"]), cause) from None
    locator = atlas.valid_at(reader.district, clock())
    if locator is None:
        return Place()
    located = locator.at(*coordinates.to_wgs84(lon, lat, system), accuracy_m)
    return Place(
        code=located.code,
        name=located.name,
        street=located.street,
        certainty=located.certainty,
        distance_m=round(located.distance_m, 2),
        candidates=located.candidates,
        version=located.version,
    )


ROUTES = [boundaries, community_at]

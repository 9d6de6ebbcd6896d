"""OGC API Features: communities and issues for QGIS, GDAL and whatever else reads maps live, and pages for a person who
opens it. [ogc.md](ogc.md) tells how it is read."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from api import ogc_definition, ogc_documents, ogc_features, problem_details, shell
from api.auth import BASIC, Clock
from api.issues import BESIDE
from api.ogc_documents import COLLECTIONS, GEOJSON, JSON, OPENAPI, PREFIX, Address, Document, Extent
from api.ogc_questions import Asked, form, refuse_unknown, wanted
from api.pages import TEMPLATES, content_policy
from maps.locator import Atlas, Locator
from surveys.counting import issue_lists
from surveys.counting.issue_query import Filters
from surveys.desk import choices
from surveys.people.people import District, Reader
from surveys.refusals import NotFound

USUAL = frozenset({"f", "lang"})
OF_ONE = USUAL | {"crs"}
OF_ITEMS = OF_ONE | {"bbox", "bbox-crs", "datetime", "limit", "cursor"}
ASKED = {BASIC: True}
NOT_KEPT = {"Cache-Control": "private, no-store", "Vary": "Authorization, Cookie, Accept, Accept-Language"}


@get(PREFIX, opt=ASKED, include_in_schema=False)
async def landing(request: Asked, district: NamedDependency[District]) -> Response[bytes]:
    """Where everything else is found."""
    refuse_unknown(request, USUAL)
    return _answer(request, district, ogc_documents.landing(_at(request), district))


@get(f"{PREFIX}/conformance", opt=ASKED, include_in_schema=False)
async def conformance(request: Asked, district: NamedDependency[District]) -> Response[bytes]:
    """Which parts of the standard are met."""
    refuse_unknown(request, USUAL)
    return _answer(request, district, ogc_documents.conformance())


@get(f"{PREFIX}/api", opt=ASKED, include_in_schema=False)
async def definition(request: Asked, district: NamedDependency[District]) -> Response[bytes]:
    """The API's definition in OpenAPI 3.0, and as a page on which it can be tried."""
    refuse_unknown(request, USUAL)
    at = _at(request)
    if form(request) == "json":
        return _answer(request, district, ogc_definition.document(at), OPENAPI)
    page = TEMPLATES.engine_instance.get_template("api.html")
    text = page.render(title="OGC API Features", document=at.of("/api", f="json"), language=at.language)
    policy = content_policy(style_src="'unsafe-inline'")  # which the page's library writes
    headers = NOT_KEPT | {"Content-Security-Policy": policy}
    return Response(text.encode(), media_type="text/html; charset=utf-8", headers=headers)


@get(f"{PREFIX}/collections", opt=ASKED, include_in_schema=False)
async def collections(
    request: Asked,
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    atlas: NamedDependency[Atlas],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """What there is to read."""
    refuse_unknown(request, USUAL)
    extents = await _extents(conn, reader, district, atlas, clock)
    return _answer(request, district, ogc_documents.collections(_at(request), extents))


@get([f"{PREFIX}/collections/{one}" for one in COLLECTIONS], opt=ASKED, include_in_schema=False)
async def collection(
    request: Asked,
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    atlas: NamedDependency[Atlas],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """One collection: where and since when it has something, and how it is read."""
    refuse_unknown(request, USUAL)
    one = COLLECTIONS[request.url.path.rpartition("/")[2]]
    extents = await _extents(conn, reader, district, atlas, clock)
    return _answer(request, district, ogc_documents.collection(_at(request), one, extents[one.id]))


async def _extents(
    conn: asyncpg.Connection, reader: Reader, district: District, atlas: Atlas, clock: Clock
) -> Mapping[str, Extent]:
    now = clock()
    where = ogc_features.communities_extent(atlas.valid_at(district.district, now))
    first = await choices.first_report(conn, reader, district.zone, now)
    return {"communities": where, "issues": Extent(where.box, first)}


@get(f"{PREFIX}/collections/communities/items", opt=ASKED, include_in_schema=False)
async def communities(
    request: Asked,
    district: NamedDependency[District],
    atlas: NamedDependency[Atlas],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """The communities' boundaries as they are now."""
    refuse_unknown(request, OF_ITEMS.union(ogc_features.COMMUNITY_FILTERS))
    asked, now = wanted(request), clock()
    named = {
        name: request.query_params.getall(name)
        for name in ogc_features.COMMUNITY_FILTERS
        if name in request.query_params
    }
    found = ogc_features.communities(atlas.valid_at(district.district, now), asked, named)
    one = COLLECTIONS["communities"]
    document = ogc_documents.items(_at(request), request, one, found, now)
    return _answer(request, district, document, GEOJSON, one, asked.crs.uri)


@get(PREFIX + "/collections/communities/items/{community:str}", opt=ASKED, include_in_schema=False)
async def one_community(
    request: Asked,
    district: NamedDependency[District],
    atlas: NamedDependency[Atlas],
    clock: NamedDependency[Clock],
    community: FromPath[str],
) -> Response[bytes]:
    """One community with its boundary."""
    refuse_unknown(request, OF_ONE)
    crs = wanted(request).crs
    locator: Locator | None = atlas.valid_at(district.district, clock())
    area = next((one for one in locator.areas if one.code == community), None) if locator else None
    if area is None:
        raise NotFound
    one = COLLECTIONS["communities"]
    found = ogc_documents.feature(_at(request), one, ogc_features.community(area, crs))
    return _answer(request, district, found, GEOJSON, one, crs.uri)


@get(f"{PREFIX}/collections/issues/items", opt=ASKED | {BESIDE: OF_ITEMS}, include_in_schema=False)
async def issues(
    request: Asked,
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    filters: NamedDependency[Filters],
) -> Response[bytes]:
    """The issues that the reader may see, under the list's filters, newest first."""
    asked, now = wanted(request), clock()
    found = await ogc_features.issues(conn, reader, filters, asked, district.zone, now)
    one = COLLECTIONS["issues"]
    document = ogc_documents.items(_at(request), request, one, found, now)
    return _answer(request, district, document, GEOJSON, one, asked.crs.uri)


@get(PREFIX + "/collections/issues/items/{issue:uuid}", opt=ASKED, include_in_schema=False)
async def one_issue(
    request: Asked,
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    issue: FromPath[UUID],
) -> Response[bytes]:
    """One issue within the reader's reach."""
    refuse_unknown(request, OF_ONE)
    crs = wanted(request).crs
    items = await issue_lists.of_ids(conn, reader, [issue], district.zone, clock())
    if not items:
        raise NotFound
    one = COLLECTIONS["issues"]
    found = ogc_documents.feature(_at(request), one, ogc_features.issue(items[0], crs, district.zone))
    return _answer(request, district, found, GEOJSON, one, crs.uri)


def _at(request: Asked) -> Address:
    return ogc_documents.address(request, problem_details.language(request))


def _answer(
    request: Asked,
    district: District,
    document: Document,
    kind: str = JSON,
    of: ogc_documents.Collection | None = None,
    crs: str | None = None,
) -> Response[bytes]:
    """A document as it is wanted: as JSON, or as a page."""
    headers = NOT_KEPT | ({"Content-Crs": f"<{crs}>"} if crs else {})
    if form(request) == "json":
        return Response(msgspec.json.encode(document), media_type=kind, headers=headers)
    shown: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))
    around = shell.context(request, request.user, district, "map")
    page = TEMPLATES.engine_instance.get_template("ogc.html").render(**around, document=shown, of=of, at=_at(request))
    return Response(page.encode(), media_type="text/html; charset=utf-8", headers=headers)


ROUTES = [
    landing,
    conformance,
    definition,
    collections,
    collection,
    communities,
    one_community,
    issues,
    one_issue,
]

"""The page on which uncertain places are settled: the queue beside a map."""

from typing import Any, get_args
from urllib.parse import urlencode

import asyncpg
import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response import Template

from api import texts
from api.auth import Clock
from api.desk import blank_fields, ways
from api.desk.views import context as views_context
from api.issues import refuse_unfit
from api.pages import content_policy
from api.places import FILTERS
from api.settings import Settings
from api.sign_in import NOT_KEPT
from maps import base_maps
from maps.locator import Atlas
from surveys.counting.issue_query import NONE
from surveys.desk import choices, uncertain_places
from surveys.desk.uncertain_places import Kind, Place, PlaceFilters, Uncertain
from surveys.people.people import District, Reader

AT_ONCE = 50

KINDS: dict[Kind, str] = {
    "issue": texts.marked("Issues"),
    "visit": texts.marked("Visits"),
    "premises": texts.marked("Doors"),
}
CERTAINTIES = {
    "near_line": texts.marked("Near a line"),
    "outside": texts.marked("Outside the district"),
    "unplaced": texts.marked("Without a place"),
    "inside": texts.marked("Inside"),
}
OPENS = {"issue": "/desk/issues/", "visit": "/desk/visits/", "premises": "/premises/"}


@get("/desk/places", include_in_schema=False, before_request=blank_fields.left_out)
async def places_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    atlas: NamedDependency[Atlas],
    clock: NamedDependency[Clock],
    settings: NamedDependency[Settings],
    place_filters: NamedDependency[PlaceFilters],
) -> Template:
    """What lies near a line, outside or nowhere, in a list and on a map, to be settled one by one or together."""
    reader.require(*uncertain_places.SETTLING)
    refuse_unfit(request, FILTERS | {"cursor"})
    now, cursor = clock(), request.query_params.get("cursor")
    page = await uncertain_places.page(conn, atlas, reader, place_filters, now, limit=AT_ONCE, cursor=cursor)
    told = [(name, value) for name, value in request.query_params.multi_items() if name not in ("cursor", "lang")]
    base_map = base_maps.chosen(settings.base_map, settings.base_map_key)
    around = ways.context(request, reader, district, "places")
    shown = {
        "page": page,
        "first": cursor is None,
        "filters": place_filters,
        "query": urlencode([(name, value) for name, value in told if value]),
        "waiting": await uncertain_places.waiting(conn, reader, now),
        "kinds": KINDS,
        "certainties": CERTAINTIES,
        "uncertain": get_args(Uncertain),
        "opens": OPENS,
        "none": NONE,
        "communities": await choices.communities(conn, reader),
        "data": {
            "kind": place_filters.kind,
            "settled": place_filters.settled,
            "base": msgspec.to_builtins(base_map),
            "places": [_told(place) for place in page.items],
        },
    }
    policy = content_policy(img_src=" ".join(base_map.hosts()))
    headers = {**NOT_KEPT, "Content-Security-Policy": policy}
    views = await views_context(request, conn, reader)
    return Template("desk/places.html", context={**around, **shown, **views}, headers=headers)


def _told(place: Place) -> dict[str, object]:
    """What the map needs of a place; what it is called stands in the list."""
    return {
        "id": str(place.id),
        "version": place.version,
        "lon": place.position.lon if place.position else None,
        "lat": place.position.lat if place.position else None,
        "accuracy_m": place.accuracy_m,
        "community": place.community.code if place.community else None,
        "near": [one.code for one in place.near],
    }


ROUTES = [places_page]

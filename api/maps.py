"""The issue map: its page, and the numbers that the page asks for as one moves about."""

import secrets
from datetime import datetime
from typing import Annotated, Any

import asyncpg
from litestar import MediaType, Request, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, QueryParameter
from msgspec import Struct

from api import problem_details, shell
from api.auth import Clock
from api.documented_problems import REFUSES
from api.issues import BESIDE, BESIDE_FILTERS
from api.pages import asset, content_policy
from api.settings import Settings
from maps import base_maps, issue_map, tiles
from maps.drawings import Drawings, Present
from surveys.campaigns import campaigns
from surveys.counting import issue_counts, issue_query, map_layers, trust
from surveys.counting.issue_counts import Cluster, Count
from surveys.counting.issue_query import Filters
from surveys.counting.map_layers import Layer
from surveys.counting.trust import Trust
from surveys.desk import choices
from surveys.desk.choices import Choice
from surveys.people.people import District, Reader
from surveys.volunteering import service_marks
from surveys.volunteering.service_marks import ServiceMarks

DEMO = "demo"  # the source of boundaries that are invented
# How the page looks at the issues: what of its address is no filter.
LOOKS = frozenset({"layer", "by", "marks", "than", "shade", "campaign", "present", "services"})
FINER = 2  # zooms by which density is gathered finer than clusters are


async def drawings(state: State) -> Drawings:
    """The drawings that this process has made."""
    if "drawings" not in state:
        state["drawings"] = Drawings()
    kept: Drawings = state["drawings"]
    return kept


class Clusters(Struct, frozen=True):
    """The placed issues in view, gathered for one zoom, as of a moment."""

    at: datetime
    clusters: list[Cluster]


class Density(Struct, frozen=True):
    """The placed issues in view by small cells: longitude, latitude and number of each; as of a moment."""

    at: datetime
    cells: list[tuple[float, float, int]]


class Areas(Struct, frozen=True):
    """The issues by community, those in none among them under null, as of a moment."""

    at: datetime
    areas: list[Count]


@get(
    "/maps/issues",
    media_type=MediaType.HTML,
    include_in_schema=False,
    opt={BESIDE: BESIDE_FILTERS | LOOKS},
    dependencies={"drawings": Provide(drawings)},
)
async def page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    settings: NamedDependency[Settings],
    filters: NamedDependency[Filters],
    drawings: NamedDependency[Drawings],
) -> Response[str]:
    """The issue map; its address holds the same filters as the list's, and the page's script reads them from there."""
    now = clock()
    nonce = secrets.token_urlsafe(18)
    base_map = base_maps.chosen(settings.base_map, settings.base_map_key)
    present = await drawings.present(conn, district.district, now, base_map.system)
    language = problem_details.language(request)
    html = issue_map.page(
        present.drawing,
        title=f"{district.name} · Issue map" if language == "en" else f"{district.name} · 问题地图",
        language="en" if language == "en" else "zh-CN",
        base_map=base_map,
        assets=issue_map.Assets(
            leaflet=asset("leaflet.js"), script=asset("map.js"), styles=asset("map.css"), icon=asset("icon.svg")
        ),
        nonce=nonce,
        data=await _data(conn, reader, district, present, now)
        | {
            "language": language,
            "system": base_map.system,
            "ways": [(way.name, way.href, way.title, way.here) for way in shell.ways(reader, language, "map")],
        },
    )
    policy = content_policy(script_src=f"'nonce-{nonce}'", img_src=" ".join(base_map.hosts()))
    return Response(html, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})


async def _data(
    conn: asyncpg.Connection, reader: Reader, district: District, present: Present, now: datetime
) -> dict[str, object]:
    """What the page's script needs to know before it asks for anything."""
    first = await choices.first_report(conn, reader, district.zone, now)
    return {
        "district": {"code": district.code, "name": district.name, "zone": district.time_zone},
        "reader": reader.name,
        "demo": present.source == DEMO,
        "today": now.astimezone(district.zone).date().isoformat(),
        "first_day": (first or now).astimezone(district.zone).date().isoformat(),
        "categories": _plain(await choices.categories(conn, reader)),
        "departments": _plain(await choices.departments(conn, reader)),
        "answer_for": [
            (area.organisation, area.name, area.communities) for area in (await map_layers.places(conn, reader)).areas
        ],
        "campaigns": [(one.id, one.name) for one in (await campaigns.page(conn, reader, district.zone, now)).items],
        "fewest": map_layers.FEWEST,
    }


def _plain(values: list[Choice]) -> list[tuple[str, str, str | None]]:
    return [(choice.code, choice.name, choice.part_of) for choice in values]


@get("/maps/issues/clusters", summary="Issues on a map")
async def clusters(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    filters: NamedDependency[Filters],
    zoom: Annotated[int, QueryParameter(ge=0, le=24)],
) -> Clusters:
    """The issues in the box, gathered so that what lies within 128 pixels at this zoom is one."""
    now = clock()
    found = await issue_counts.clusters(conn, reader, filters, district.zone, now, tiles.shift_for(zoom))
    return Clusters(issue_query.moment(filters, district.zone, now).at, found)


@get("/maps/issues/areas", summary="Issues by community")
async def areas(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    filters: NamedDependency[Filters],
) -> Areas:
    """How many issues each community has, by map group; together they are all that the list counts."""
    now = clock()
    found = await issue_counts.by_community(conn, reader, filters, district.zone, now)
    return Areas(issue_query.moment(filters, district.zone, now).at, found)


@get("/maps/issues/density", summary="Density of issues on a map")
async def density(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    filters: NamedDependency[Filters],
    zoom: Annotated[int, QueryParameter(ge=0, le=24)],
) -> Density:
    """The issues in the box, gathered by cells of 32 pixels at this zoom, of which a page draws how dense they lie."""
    now = clock()
    shift = tiles.shift_for(zoom + FINER)
    found = await issue_counts.clusters(conn, reader, filters, district.zone, now, shift)
    cells = [(round(one.lon, 6), round(one.lat, 6), one.count) for one in found]
    return Density(issue_query.moment(filters, district.zone, now).at, cells)


@get("/maps/issues/satisfaction", summary="Satisfaction by place")
async def satisfaction(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    filters: NamedDependency[Filters],
) -> Layer:
    """Residents who gave four or five of five ÷ residents who answered: by community, by street and by the areas that
    organisations answer for. Where fewer than five answered, neither number is told, nor another from which they would
    follow."""
    return await map_layers.satisfaction(conn, reader, filters, district.zone, clock())


@get("/maps/issues/coverage", summary="Coverage by place", opt={REFUSES: (404,), BESIDE: BESIDE_FILTERS | {"campaign"}})
async def coverage(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    filters: NamedDependency[Filters],
    campaign: FromQuery[str],
) -> Layer:
    """Doors visited ÷ doors of a campaign in its present round, or that of the day asked for; of the filters only
    `community`, `street` and `as_of` narrow it. Of fewer than five doors nothing is told."""
    return await map_layers.coverage_of(conn, reader, campaign, filters, district.zone, clock())


@get("/maps/issues/visits", summary="Visits per day by place")
async def visits(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    filters: NamedDependency[Filters],
) -> Layer:
    """Visits begun ÷ days, from `reported_from` to `reported_to`, or in the last thirty days; of the other filters only
    `community`, `street` and `as_of` narrow it."""
    return await map_layers.visits_per_day(conn, reader, filters, district.zone, clock())


@get("/maps/issues/services", summary="Volunteers' services on a map")
async def services(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    filters: NamedDependency[Filters],
    zoom: Annotated[int, QueryParameter(ge=0, le=24)],
) -> ServiceMarks:
    """The services in the box that are to come, and those held from `reported_from` to `reported_to` or in the last
    thirty days, gathered as issues are; of the other filters only `community`, `street` and `as_of` narrow them. While
    a past day is looked at nothing is to come. All who read see them."""
    return await service_marks.on_map(conn, reader, filters, district.zone, clock(), tiles.shift_for(zoom))


@get("/maps/issues/trust", summary="How far the map's numbers can be trusted")
async def trusted(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    filters: NamedDependency[Filters],
) -> Trust:
    """How many of the issues have no certain place, and when the history was last verified."""
    return await trust.of(conn, reader, filters, district.zone, clock())


ROUTES = [page, clusters, areas, density, satisfaction, coverage, visits, services, trusted]

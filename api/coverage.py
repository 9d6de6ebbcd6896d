"""Coverage over HTTP: every figure with the list of the doors that it counts, and the layers of a map."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import quote, urlencode
from uuid import UUID

import asyncpg
import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, QueryParameter
from msgspec import Struct

from api import export_columns, problem_details
from api.auth import Clock
from api.communities import GEOJSON
from api.issues import refuse_unfit
from maps import exports
from maps.locator import Atlas, Locator
from surveys.counting import issue_query
from surveys.counting.issue_query import NONE
from surveys.coverage import coverage, coverage_doors, coverage_query
from surveys.coverage.coverage import By, Coverage, Row
from surveys.coverage.coverage_doors import DoorPage
from surveys.coverage.coverage_query import Asked, Filters
from surveys.coverage.coverage_terms import FIGURES, Figure
from surveys.people.people import District, Reader
from surveys.premises.door_states import DoorState, Every
from surveys.premises.premises import PremisesKind
from surveys.refusals import InvalidFilter

# What may stand beside the filters in the address of a list, a layer or the figures.
BESIDE_FILTERS = frozenset({"limit", "cursor", "total", "lang", "by"})
SHARES: tuple[Figure, ...] = ("visited", "met")
COUNTS_TOLD = [figure for figure in FIGURES if figure not in (*SHARES, "doors", "proposed")]
TOLERANCE_M = 15.0  # of a layer's lines


class Share(Struct, frozen=True, kw_only=True):
    """How many of how many, with the list of the one; that of the other is the row's. No rate of nothing."""

    numerator: int
    denominator: int
    rate: float | None
    href: str


class Count(Struct, frozen=True, kw_only=True):
    """How many doors, with the list of them."""

    count: int
    href: str


class CoverageRow(Struct, frozen=True, kw_only=True):
    """The figures of one part; `key` is `none` for what belongs to none."""

    key: str
    name: str | None
    part_of: str | None
    doors: int
    href: str
    visited: Share
    met: Share
    not_yet: Count
    not_home: Count
    declined: Count
    closed: Count
    twice: Count
    three_tries: Count
    unheld: Count
    unassigned: Count


class RoundTold(Struct, frozen=True, kw_only=True):
    """The round that is told about, of how many."""

    number: int
    of: int
    starts_at: datetime
    ends_at: datetime


class CoverageTable(Struct, frozen=True, kw_only=True):
    """The coverage of a campaign in a round, of the visits that had begun before `until`."""

    campaign: str
    name: str
    every: Every
    round: RoundTold
    until: datetime
    by: By
    rows: list[CoverageRow]
    total: CoverageRow
    proposed: Count


async def door_filters(
    request: Request[Reader, Any, Any],
    community: Annotated[
        list[str] | None, QueryParameter(description="codes of communities; `none` for what is in none")
    ] = None,
    street: Annotated[
        list[str] | None, QueryParameter(description="codes of streets; `none` for what is in none")
    ] = None,
    kind: FromQuery[list[PremisesKind] | None] = None,
    organisation: Annotated[
        list[str] | None, QueryParameter(description="to which it is assigned; `none` for what no organisation has")
    ] = None,
    member: Annotated[list[str] | None, QueryParameter(description="who holds it; `none` for nobody")] = None,
    state_: Annotated[list[DoorState] | None, QueryParameter(name="state")] = None,
    figure: Annotated[Figure, QueryParameter(description="what this figure counts")] = "doors",
    day: Annotated[
        date | None,
        QueryParameter(description="of the first visit; with `figure=met`, of the first that met somebody"),
    ] = None,
    bbox: FromQuery[str | None] = None,
    round_: Annotated[int | None, QueryParameter(name="round", description="from 1; else the present one")] = None,
    as_of: Annotated[date | None, QueryParameter(description="visits that had begun by the end of this day")] = None,
) -> Filters:
    """The filters of the doors of a campaign. Raises Invalid for one that does not fit, or that is not one."""
    refuse_unfit(request, BESIDE_FILTERS.union(Filters.__struct_fields__))
    return Filters(
        community=tuple(community or ()),
        street=tuple(street or ()),
        kind=tuple(kind or ()),
        organisation=_ids("organisation", organisation),
        member=_ids("member", member),
        state=tuple(state_ or ()),
        figure=figure,
        day=day,
        bbox=issue_query.box(bbox) if bbox is not None else None,
        round=round_,
        as_of=as_of,
    )


def _ids(name: str, given: list[str] | None) -> tuple[UUID | None, ...]:
    try:
        return tuple(None if one == NONE else UUID(one) for one in given or ())
    except ValueError:
        raise InvalidFilter(name, expected="UUID | none") from None


async def asked(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    campaign: FromPath[str],
    door_filters: NamedDependency[Filters],
) -> Asked:
    """What is asked about a campaign."""
    return await coverage_query.asked(conn, reader, campaign, door_filters, district.zone, clock())


ASKED = {"door_filters": Provide(door_filters), "asked": Provide(asked)}


@get("/api/campaigns/{campaign:str}/coverage", dependencies=ASKED, summary="Coverage of a campaign")
async def tell_coverage(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    asked: NamedDependency[Asked],
    by: FromQuery[By] = "community",
) -> CoverageTable:
    """How many of the register's doors were visited and met in a round, of those that the reader reaches, broken down;
    what nobody holds, what was visited twice, and where three tries found nobody. Each figure opens its doors."""
    return told(await coverage.by(conn, asked, by), by, problem_details.language(request))


def told(found: Coverage, by: By, language: str) -> CoverageTable:
    """A coverage as it is sent."""
    about = found.asked
    proposed = coverage_query.only(about.filters, figure="proposed")
    whole = address(about.campaign.id, about.filters)
    part = _addresses(about, by)
    return CoverageTable(
        campaign=about.campaign.id,
        name=about.campaign.name,
        every=about.campaign.every,
        round=_round(about),
        until=about.ends.astimezone(UTC),
        by=by,
        rows=[
            _row(row, _name(row, by, language), part(row.key), whole if by == "day" else part(row.key))
            for row in found.rows
        ],
        total=_row(found.total, None, whole, whole),
        proposed=Count(count=found.total.counts["proposed"], href=address(about.campaign.id, proposed)),
    )


def _round(about: Asked) -> RoundTold:
    return RoundTold(
        number=about.round.number,
        of=len(about.campaign.rounds(about.zone)),
        starts_at=about.round.starts_at.astimezone(UTC),
        ends_at=about.round.ends_at.astimezone(UTC),
    )


def _name(row: Row, by: By, language: str) -> str | None:
    if by == "kind" and row.key:
        return export_columns.WORDS["premises_kind"][row.key][language == "en"]
    return row.name


def _row(row: Row, name: str | None, here: str, doors: str) -> CoverageRow:
    """A row whose figures open what they count of the list at `here`; all its doors are at `doors`."""
    counts, with_figure = row.counts, f"{here}{'&' if '?' in here else '?'}figure="
    figures: dict[str, Any] = {figure: Count(count=counts[figure], href=with_figure + figure) for figure in COUNTS_TOLD}
    for figure in SHARES:
        figures[figure] = _share(counts[figure], counts["doors"], with_figure + figure)
    return CoverageRow(
        key=row.key or NONE, name=name, part_of=row.part_of, doors=counts["doors"], href=doors, **figures
    )


def _share(numerator: int, denominator: int, href: str) -> Share:
    rate = numerator / denominator if denominator else None
    return Share(numerator=numerator, denominator=denominator, rate=rate, href=href)


def _addresses(about: Asked, by: By) -> Callable[[str | None], str]:
    """Where the list of each part of a breakdown opens: there may be thousands."""
    others = coverage_query.only(about.filters, **{by: None if by == "day" else ()})
    whole = address(about.campaign.id, others)
    with_key = f"{whole}{'&' if '?' in whole else '?'}{by}="
    return lambda key: with_key + quote(key or NONE)


def address(campaign: str, filters: Filters) -> str:
    """Where the list of the doors under these filters opens."""
    given: list[tuple[str, str]] = []
    for name in Filters.__struct_fields__:
        value = getattr(filters, name)
        if name == "bbox" and value:
            given.append((name, ",".join(map(str, value))))
        elif isinstance(value, tuple):
            given += [(name, str(one or NONE)) for one in value]
        elif value is not None and (name, value) != ("figure", "doors"):
            given.append((name, str(value)))
    path = f"/api/campaigns/{quote(campaign, safe='')}/doors"
    return f"{path}?{urlencode(given)}" if given else path


@get("/api/campaigns/{campaign:str}/doors", dependencies=ASKED, summary="Doors of a campaign")
async def list_doors(
    conn: NamedDependency[asyncpg.Connection],
    asked: NamedDependency[Asked],
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    cursor: FromQuery[str | None] = None,
    total: FromQuery[bool] = True,
) -> DoorPage:
    """The doors that a figure of the coverage counts, each with its state in the round."""
    return await coverage_doors.page(conn, asked, limit=limit, cursor=cursor, total=total)


DOCUMENTED = {200: ResponseSpec(dict[str, Any], media_type=GEOJSON, description="A FeatureCollection in WGS-84")}


@get(
    "/api/campaigns/{campaign:str}/doors.geojson",
    dependencies=ASKED,
    media_type=GEOJSON,
    responses=DOCUMENTED,
    summary="Doors of a campaign on a map",
)
async def map_doors(conn: NamedDependency[asyncpg.Connection], asked: NamedDependency[Asked]) -> Response[bytes]:
    """The doors in a box with their states, up to 2,000; what they are called is not told. Raises InvalidFilter without
    a box."""
    if asked.filters.bbox is None:
        raise InvalidFilter("bbox", expected="west,south,east,north")
    found = await coverage_doors.in_view(conn, asked)
    features = [
        msgspec.Raw(
            exports.point_feature(
                str(one.id),
                one.lon,
                one.lat,
                {
                    "kind": one.kind,
                    "state": one.state,
                    "tries": one.tries,
                    "proposed": one.proposed,
                    "held": one.held,
                },
            )
        )
        for one in found.items
    ]
    body = msgspec.json.encode({"type": "FeatureCollection", "more": found.more, "features": features})
    return Response(body, media_type=GEOJSON, headers={"Cache-Control": "no-store"})


@get(
    "/api/campaigns/{campaign:str}/coverage.geojson",
    dependencies=ASKED,
    media_type=GEOJSON,
    responses=DOCUMENTED,
    summary="Coverage on a map",
)
async def map_coverage(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    asked: NamedDependency[Asked],
    atlas: NamedDependency[Atlas],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """The communities that have doors, with their figures."""
    found = await coverage.by(conn, asked, "community")
    locator = atlas.valid_at(asked.span.district, clock())
    shapes = await asyncio.to_thread(_shapes, locator) if locator else {}
    part = _addresses(found.asked, "community")
    features = [_feature(row, part(row.key), shapes.get(row.key or "")) for row in found.rows]
    body = msgspec.json.encode({"type": "FeatureCollection", "features": features})
    return Response(body, media_type=GEOJSON, headers={"Cache-Control": "no-store"})


def _feature(row: Row, href: str, shape: msgspec.Raw | None) -> dict[str, object]:
    doors = row.counts["doors"]
    rates: dict[str, float | None] = {f"{name}_rate": row.counts[name] / doors if doors else None for name in SHARES}
    return {
        "type": "Feature",
        "id": row.key,
        "geometry": shape,
        "properties": {
            "code": row.key,
            "name": row.name,
            "street": row.part_of,
            **msgspec.to_builtins(row.counts),
            **rates,
            "href": href,
        },
    }


class _Drawn(Struct, frozen=True):
    """A feature of the boundaries' document, of which only the shape is of use."""

    id: str
    geometry: msgspec.Raw


class _Drawing(Struct, frozen=True):
    features: list[_Drawn]


@lru_cache(maxsize=16)
def _shapes(locator: Locator) -> dict[str, msgspec.Raw]:
    """The shapes of the communities, with lines as fine as a screen shows."""
    drawing = msgspec.json.decode(exports.geojson(locator.boundaries, TOLERANCE_M), type=_Drawing)
    return {one.id: msgspec.Raw(bytes(one.geometry)) for one in drawing.features}


ROUTES = [tell_coverage, list_doors, map_doors, map_coverage]

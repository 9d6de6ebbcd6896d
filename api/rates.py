"""The rates over HTTP: every figure with its denominator, and with the lists of what it counts."""

from datetime import datetime
from typing import Annotated, Any

import asyncpg
from litestar import Request, get, put
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from api import export_columns, issues, problem_details
from api.auth import Clock
from api.json_bodies import JsonBody
from surveys.counting import rate_weights, rates
from surveys.counting.issue_query import NONE, Filters
from surveys.counting.rate_terms import Rate
from surveys.counting.rate_weights import Weights
from surveys.counting.rates import By, Rates, Row, Share
from surveys.people.people import READING, District, Reader


class Figure(Struct, frozen=True, kw_only=True):
    """A share, with the list of its denominator and that of its numerator; `rate` is null where there is nothing to
    take a share of."""

    numerator: int
    denominator: int
    rate: float | None
    href: str
    numerator_href: str


class HoursFigure(Struct, frozen=True, kw_only=True):
    """Hours by the clock on the wall from report to last resolution, of what is resolved, with the list of it."""

    median: float | None
    p90: float | None
    count: int
    href: str


class RateRow(Struct, frozen=True, kw_only=True):
    """The figures of one part; `key` is `none` for what belongs to none."""

    key: str
    name: str | None
    part_of: str | None
    response: Figure
    resolution: Figure
    satisfaction: Figure
    on_time: Figure
    bounce: Figure
    redo: Figure
    pause: Figure
    reopen: Figure
    own_word: Figure
    not_answered: Figure
    hours: HoursFigure | None
    index: float | None


class RateTable(Struct, frozen=True, kw_only=True):
    """The rates of what was asked about: as it was at `as_of`, as it was known at `known_at`."""

    by: By
    rows: list[RateRow]
    as_of: datetime
    known_at: datetime
    weights: Weights


@get("/api/rates", summary="The rates")
async def list_rates(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    filters: NamedDependency[Filters],
    by: FromQuery[By] = "district",
    hours: Annotated[
        bool, QueryParameter(description="whether to tell how many hours it took, which takes longer")
    ] = True,
) -> RateTable:
    """Response, resolution and satisfaction rates and what else tells how issues are handled, over what the reader may
    see, broken down; under the list's filters, of which `reported_from` and `reported_to` are the period. With `as_of`
    they are those of the end of that day; with the same `known_at` the same for ever."""
    found = await rates.by(conn, reader, filters, by, district.zone, clock(), hours=hours)
    return told(found, by, problem_details.language(request))


def told(found: Rates, by: By, language: str) -> RateTable:
    """Rates as they are sent."""
    return RateTable(
        by=by,
        rows=[_row(row, by, language) for row in found.rows],
        as_of=found.at,
        known_at=found.known_at,
        weights=found.weights,
    )


def _row(row: Row, by: By, language: str) -> RateRow:
    name = row.name
    if by == "channel" and row.key:
        name = export_columns.WORDS["channel"][row.key][language == "en"]
    figures: dict[str, Any] = {rate: _figure(rate, share, row.filters) for rate, share in row.shares.items()}
    return RateRow(key=row.key or NONE, name=name, part_of=row.part_of, hours=_hours(row), index=row.index, **figures)


def _figure(rate: Rate, share: Share, filters: Filters) -> Figure:
    return Figure(
        numerator=share.numerator,
        denominator=share.denominator,
        rate=share.rate,
        href=issues.address(filters, rate=rate),
        numerator_href=issues.address(filters, rate=rate, met=True),
    )


def _hours(row: Row) -> HoursFigure | None:
    if row.hours is None:
        return None
    href = issues.address(row.filters, rate="own_word")  # its denominator is what is resolved
    return HoursFigure(median=row.hours.median, p90=row.hours.p90, count=row.hours.count, href=href)


@get("/api/rates/weights", summary="The weights of the rates")
async def weights(
    conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader], clock: NamedDependency[Clock]
) -> Weights:
    """How much each of the three rates counts in the index made of them."""
    reader.require(*READING)
    return await rate_weights.in_force(conn, reader.district, clock())


@put(
    "/api/rates/weights",
    dto=JsonBody[Weights],
    return_dto=None,
    summary="Weigh the rates",
)
async def weigh(
    data: JSONBody[Weights],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> Weights:
    """Let other weights hold from now on; the index of a day before stays what it was."""
    await rate_weights.change(conn, reader, data, clock())
    return data


ROUTES = [list_rates, weights, weigh]

"""The dashboard over HTTP: every figure with the list of what it counts."""

from datetime import date, datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, QueryParameter
from msgspec import Struct

from api import coverage, issues
from api.auth import Clock
from api.issues import refuse_unfit
from api.rates import Figure
from surveys.counting.issue_query import NONE, Filters
from surveys.counting.rate_terms import Rate
from surveys.counting.rates import Row, Share
from surveys.coverage.coverage_query import only
from surveys.dashboards import dashboards
from surveys.dashboards.dashboard_periods import Name, Period, Than
from surveys.dashboards.dashboard_trust import Counted, Trust
from surveys.dashboards.dashboards import (
    LEVELS,
    THREE,
    Asked,
    Compared,
    Count,
    Covered,
    Dashboard,
    Department,
    Part,
    Standing,
)
from surveys.people.people import District, Reader
from surveys.visits.visit_query import VisitFilters

FIELDS = frozenset(
    {"street", "community", "organisation", "period", "reported_from", "reported_to", "than", "as_of", "known_at"}
)
BESIDE = frozenset({"lang", "present", "change"})  # what only a page reads


class CountTold(Struct, frozen=True):
    """How many, with the list of them."""

    count: int
    href: str


class CountCompared(Struct, frozen=True, kw_only=True):
    """How many in the period, and in the one that it is compared with."""

    now: CountTold
    before: CountTold


class FigureCompared(Struct, frozen=True, kw_only=True):
    """A share in the period and in the one that it is compared with; `change`, of one, is null where there is none of
    one of them."""

    now: Figure
    before: Figure
    change: float | None


class RatesTold(Struct, frozen=True, kw_only=True):
    """The three rates, and what stands beside them and not in them."""

    response: FigureCompared
    resolution: FigureCompared
    satisfaction: FigureCompared
    own_word: FigureCompared
    not_answered: FigureCompared
    on_time: FigureCompared


class MonthTold(Struct, frozen=True, kw_only=True):
    """The three rates of what was reported in a month."""

    month: str
    reported: CountTold
    response: Figure
    resolution: Figure
    satisfaction: Figure


class StandingTold(Struct, frozen=True, kw_only=True):
    """What is open at the moment; `return_visits` is null for a past day."""

    open: CountTold
    overdue: CountTold
    due_this_week: CountTold
    return_visits: CountTold | None


class CategoryTold(Struct, frozen=True, kw_only=True):
    """How many issues of a category were reported."""

    key: str
    name: str | None
    part_of: str | None
    reported: CountCompared


class DepartmentTold(Struct, frozen=True, kw_only=True):
    """Hours by the clock on the wall from report to last resolution, of what is resolved of the period; and what is
    open, whenever it was reported. `few` says that too little is resolved to compare by."""

    key: str
    name: str | None
    median_hours: float | None
    p90_hours: float | None
    resolved: CountTold
    on_time: Figure
    open: CountTold
    few: bool


class PlaceTold(Struct, frozen=True, kw_only=True):
    """The three rates of a street or a community; `few` names those that are not ranked, for fewer than five stand
    behind them in one of the periods."""

    key: str
    name: str | None
    part_of: str | None
    response: FigureCompared
    resolution: FigureCompared
    satisfaction: FigureCompared
    few: list[Rate]


class CampaignTold(Struct, frozen=True, kw_only=True):
    """How far a campaign has come in its present round."""

    id: str
    name: str
    doors: CountTold
    visited: coverage.Share
    met: coverage.Share


class DayTold(Struct, frozen=True, kw_only=True):
    """How many visits began on a day."""

    day: date
    count: int
    href: str


class SealTold(Struct, frozen=True, kw_only=True):
    """The last seal of the history."""

    number: int
    digest: str
    sealed_at: datetime


class VerifiedTold(Struct, frozen=True, kw_only=True):
    """When the history was last held to its seals and whether it held; the first seal is of `since`."""

    at: datetime
    holds: bool
    since: datetime | None


class TrustTold(Struct, frozen=True, kw_only=True):
    """Of what was reported in the period: what has no place, lies closer to a line than it was measured, lies in no
    community, and came out of a ledger. `provisional` is what is open and due at a time that may still change;
    `not_ranked` how many shares of places are left out of comparisons, for fewer than `fewest` stand behind them."""

    reported: CountTold
    unplaced: CountTold
    near_line: CountTold
    outside: CountTold
    imported: CountTold
    provisional: CountTold
    not_ranked: int
    fewest: int
    seal: SealTold | None
    verified: VerifiedTold | None


class DashboardTold(Struct, frozen=True, kw_only=True):
    """The dashboard as it was at `as_of`, as it was known at `known_at`."""

    as_of: datetime
    known_at: datetime
    name: Name
    period: Period
    before: Period
    trend_period: Period
    reported: CountCompared
    rates: RatesTold
    trend: list[MonthTold]
    standing: StandingTold
    categories: list[CategoryTold]
    departments: list[DepartmentTold]
    streets: list[PlaceTold]
    communities: list[PlaceTold]
    campaigns: list[CampaignTold]
    visits: list[DayTold]
    trust: TrustTold


async def asked(
    request: Request[Reader, Any, Any],
    street: Annotated[str | None, QueryParameter(description="code of a street")] = None,
    community: Annotated[str | None, QueryParameter(description="code of a community")] = None,
    organisation: Annotated[UUID | None, QueryParameter(description="the reporter's organisation on the day")] = None,
    period: Annotated[
        Name | None,
        QueryParameter(
            description="`own` is from `reported_from` to `reported_to`; else this month, in its first days the last"
        ),
    ] = None,
    reported_from: FromQuery[date | None] = None,
    reported_to: FromQuery[date | None] = None,
    than: Annotated[
        Than, QueryParameter(description="compared with the period before, or with the same a year earlier")
    ] = "before",
    as_of: FromQuery[date | None] = None,
    known_at: Annotated[
        datetime | None, QueryParameter(description="as it was known then; with its zone: 2026-11-23T18:00:00+08:00")
    ] = None,
) -> Asked:
    """What a dashboard is about. Raises Invalid for what does not fit, or is no filter of it."""
    refuse_unfit(request, FIELDS | BESIDE)
    own = reported_from is not None or reported_to is not None
    return Asked(
        street=street,
        community=community,
        organisation=organisation,
        period=period or ("own" if own else None),
        first=reported_from,
        last=reported_to,
        than=than,
        as_of=as_of,
        known_at=issues.zoned(known_at),
    )


ASKED = {"asked": Provide(asked)}


@get("/api/dashboard", dependencies=ASKED, summary="The dashboard")
async def tell_dashboard(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    asked: NamedDependency[Asked],
) -> DashboardTold:
    """What a leader asks in a meeting, of what the reader may see: the rates with their trend, what is open and late,
    categories, departments, places that got better or worse, coverage, visits, and how far all this can be trusted."""
    return told(await dashboards.gathered(conn, reader, asked, district.zone, clock()))


def told(found: Dashboard, *, places: bool = True) -> DashboardTold:
    """A dashboard as it is sent; a page has no room for all places, of which there may be hundreds."""
    streets, communities = ([place(part) for part in found.places[level]] if places else [] for level in LEVELS)
    not_ranked = sum(
        dashboards.few(part.shares[rate]) for level in LEVELS for part in found.places[level] for rate in THREE
    )
    rates = {
        rate: compared(found.rates[rate], rate, found.filters, found.filters_before)
        for rate in (*THREE, *dashboards.BESIDE)
    }
    return DashboardTold(
        as_of=found.at,
        known_at=found.known_at,
        name=found.name,
        period=found.period,
        before=found.before,
        trend_period=found.trend_period,
        reported=_reported(found.rates[dashboards.REPORTED], found.filters, found.filters_before),
        rates=RatesTold(**rates),
        trend=[_month(row) for row in found.trend],
        standing=_standing(found.standing, found.asked),
        categories=[_category(part) for part in found.categories],
        departments=[_department(one) for one in found.departments],
        streets=streets,
        communities=communities,
        campaigns=[_campaign(one) for one in found.campaigns],
        visits=[
            DayTold(day=day, count=count, href=_visits(found.visits.filters, day))
            for day, count in found.visits.days.items()
        ],
        trust=_trust(found.trust, not_ranked),
    )


def figure(share: Share, rate: Rate, filters: Filters) -> Figure:
    """A share with its lists."""
    return _figure_at(issues.address(filters), share, rate)


def _figure_at(here: str, share: Share, rate: Rate) -> Figure:
    """A share of what a list at an address shows: one address serves all rates of a place."""
    href = f"{here}{'' if here.endswith('?') else '&'}rate={rate}"
    return Figure(
        numerator=share.numerator,
        denominator=share.denominator,
        rate=share.rate,
        href=href,
        numerator_href=f"{href}&met=yes",
    )


def compared(one: Compared, rate: Rate, filters: Filters, filters_before: Filters) -> FigureCompared:
    """A share in both periods."""
    return FigureCompared(
        now=figure(one.now, rate, filters), before=figure(one.before, rate, filters_before), change=one.change
    )


def _reported(one: Compared, filters: Filters, filters_before: Filters) -> CountCompared:
    return CountCompared(now=_counted(one.now, filters), before=_counted(one.before, filters_before))


def _counted(share: Share, filters: Filters) -> CountTold:
    """All that was reported, twins once."""
    return CountTold(share.denominator, issues.address(filters, rate=dashboards.REPORTED))


def _month(row: Row) -> MonthTold:
    return MonthTold(
        month=row.key or "",
        reported=_counted(row.shares[dashboards.REPORTED], row.filters),
        **{rate: figure(row.shares[rate], rate, row.filters) for rate in THREE},
    )


def _count(one: Count | Counted) -> CountTold:
    return CountTold(one.count, issues.address(one.filters))


def _standing(standing: Standing, about: Asked) -> StandingTold:
    visits = standing.return_visits
    given = {name: value for name in ("street", "community", "organisation") if (value := getattr(about, name))}
    return StandingTold(
        open=_count(standing.open),
        overdue=_count(standing.overdue),
        due_this_week=_count(standing.due_this_week),
        return_visits=None if visits is None else CountTold(visits, f"/api/return-visits?{urlencode(given)}"),
    )


def _category(part: Part) -> CategoryTold:
    return CategoryTold(
        key=part.key or NONE,
        name=part.name,
        part_of=part.part_of,
        reported=_reported(part.shares[dashboards.REPORTED], part.filters, part.filters_before),
    )


def _department(one: Department) -> DepartmentTold:
    return DepartmentTold(
        key=one.key or NONE,
        name=one.name,
        median_hours=one.hours.median,
        p90_hours=one.hours.p90,
        resolved=CountTold(one.hours.count, issues.address(one.filters, rate="own_word")),  # whose denominator it is
        on_time=figure(one.on_time, "on_time", one.filters),
        open=_count(one.open),
        few=one.hours.count < dashboards.FEWEST,
    )


def place(part: Part) -> PlaceTold:
    """A street or a community, with its rates in both periods."""
    here, here_before = issues.address(part.filters), issues.address(part.filters_before)
    return PlaceTold(
        key=part.key or NONE,
        name=part.name,
        part_of=part.part_of,
        few=[rate for rate in THREE if dashboards.few(part.shares[rate])],
        **{
            rate: FigureCompared(
                now=_figure_at(here, one.now, rate), before=_figure_at(here_before, one.before, rate), change=one.change
            )
            for rate in THREE
            for one in (part.shares[rate],)
        },
    )


def _campaign(one: Covered) -> CampaignTold:
    def share(figure: Any, count: int) -> coverage.Share:
        return coverage.Share(
            numerator=count,
            denominator=one.doors,
            rate=count / one.doors if one.doors else None,
            href=coverage.address(one.id, only(one.filters, figure=figure)),
        )

    return CampaignTold(
        id=one.id,
        name=one.name,
        doors=CountTold(one.doors, coverage.address(one.id, one.filters)),
        visited=share("visited", one.visited),
        met=share("met", one.met),
    )


def _visits(filters: VisitFilters, day: date) -> str:
    given = [(name, str(value)) for name in ("street", "community", "organisation") for value in getattr(filters, name)]
    given += [("started_from", day.isoformat()), ("started_to", day.isoformat()), ("withdrawn", "no")]
    return f"/api/visits?{urlencode(given)}"


def _trust(trust: Trust, not_ranked: int) -> TrustTold:
    seal, verified = trust.seal, trust.verified
    names = ("reported", "unplaced", "near_line", "outside", "imported", "provisional")
    return TrustTold(
        **{name: _count(getattr(trust, name)) for name in names},
        not_ranked=not_ranked,
        fewest=dashboards.FEWEST,
        seal=SealTold(number=seal.number, digest=seal.digest, sealed_at=seal.sealed_at) if seal else None,
        verified=VerifiedTold(at=verified.at, holds=verified.holds, since=verified.since) if verified else None,
    )


ROUTES = [tell_dashboard]

"""What a leader asks in a meeting, in one answer: how many, how late, are people satisfied, where did it change, and
can these numbers be trusted. surveys/dashboards/dashboards.md says what each figure counts.

It counts nothing by itself: each figure is asked of the questions that lists, rates and coverage ask as well, under
filters that open the list of what it counts."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.campaigns import campaigns
from surveys.campaigns.campaigns import Campaign
from surveys.counting import issue_counts, issue_query, rates
from surveys.counting.issue_query import Filters
from surveys.counting.rate_terms import Rate
from surveys.counting.rates import By, Hours, Row, Share
from surveys.coverage import coverage, coverage_query
from surveys.coverage.coverage_query import Filters as DoorFilters
from surveys.dashboards import dashboard_periods, dashboard_trust, visit_days
from surveys.dashboards.dashboard_periods import Name, Period, Than
from surveys.dashboards.dashboard_trust import Trust
from surveys.desk import choices
from surveys.people.people import Reader
from surveys.return_visits import return_visits_due
from surveys.return_visits.return_visits_due import Asked as Invited
from surveys.visits.visit_query import VisitFilters

FEWEST = 5  # behind a share that is compared with others
MOST_CAMPAIGNS = 5
REPORTED: Rate = "bounce"  # its denominator is all that was reported, twins once

THREE: tuple[Rate, ...] = ("response", "resolution", "satisfaction")
BESIDE: tuple[Rate, ...] = ("own_word", "not_answered", "on_time")  # beside the three, and not in them
COMPARED: tuple[Rate, ...] = (*THREE, *BESIDE, REPORTED)

Level = Literal["street", "community"]
LEVELS: tuple[Level, ...] = ("street", "community")

OPEN = ("reported", "in_hand", "overdue")
RUNNING = ("reported", "accepted", "assigned", "in_progress")  # open, and their time does not stand still


class Asked(Struct, frozen=True, kw_only=True):
    """What a dashboard is about: a place, an organisation, a period by its name, and what it is compared with."""

    street: str | None = None
    community: str | None = None
    organisation: UUID | None = None
    period: Name | None = None  # the usual one of the day
    first: date | None = None  # of a period of one's own
    last: date | None = None
    than: Than = "before"
    as_of: date | None = None
    known_at: datetime | None = None


class Compared(Struct, frozen=True, kw_only=True):
    """A share in the period and in the one that it is compared with."""

    now: Share
    before: Share

    @property
    def change(self) -> float | None:
        """By how much it changed, of one; None where there is none of one of them."""
        now, before = self.now.rate, self.before.rate
        return None if now is None or before is None else now - before


class Count(Struct, frozen=True):
    """How many issues a list shows under these filters."""

    count: int
    filters: Filters


class Standing(Struct, frozen=True, kw_only=True):
    """What is open at the moment, whenever it was reported; `return_visits`, whom to ask still, is of the present."""

    open: Count
    overdue: Count
    due_this_week: Count
    return_visits: int | None


class Part(Struct, frozen=True, kw_only=True):
    """A part of what was asked about, in the period and in the one that it is compared with."""

    key: str | None
    name: str | None
    part_of: str | None
    filters: Filters  # of the period
    filters_before: Filters
    shares: Mapping[Rate, Compared]

    @property
    def reported(self) -> tuple[int, int]:
        """How many were reported, and how many before."""
        return self.shares[REPORTED].now.denominator, self.shares[REPORTED].before.denominator


class Ranking(Struct, frozen=True):
    """Parts by how much a rate of theirs changed, the greatest change first; `few` have fewer than FEWEST behind it in
    one of the periods, and are said and not ranked."""

    better: Sequence[Part]
    worse: Sequence[Part]
    few: Sequence[Part]


class Department(Struct, frozen=True, kw_only=True):
    """How long a department's issues of the period took, how many of them were on time, and what it has to do now."""

    key: str | None
    name: str | None
    filters: Filters
    hours: Hours
    on_time: Share
    open: Count


class Covered(Struct, frozen=True, kw_only=True):
    """How far a campaign has come in its present round."""

    id: str
    name: str
    filters: DoorFilters
    doors: int
    visited: int
    met: int


class Visits(Struct, frozen=True, kw_only=True):
    """How many visits began on each of the last days of the period."""

    filters: VisitFilters
    days: Mapping[date, int]


class Dashboard(Struct, frozen=True, kw_only=True):
    """All of it, as it was at a moment and as it was known at another."""

    asked: Asked
    at: datetime
    known_at: datetime
    name: Name
    period: Period
    before: Period
    filters: Filters  # of the period
    filters_before: Filters
    rates: Mapping[Rate, Compared]
    trend: Sequence[Row]  # month by month, of `trend_period`
    trend_period: Period
    standing: Standing
    categories: Sequence[Part]  # the most frequent first; no groups
    departments: Sequence[Department]  # the slowest first
    places: Mapping[Level, Sequence[Part]]
    campaigns: Sequence[Covered]
    visits: Visits
    trust: Trust


class _Question(Struct, frozen=True, kw_only=True):
    """What every figure is asked with."""

    conn: Connection
    reader: Reader
    zone: ZoneInfo
    now: datetime
    asked: Asked
    scope: Filters
    at: datetime
    today: date  # of the moment that is asked about

    def within(self, period: Period) -> Filters:
        return msgspec.structs.replace(self.scope, reported_from=period.first, reported_to=period.last)

    async def rates(self, filters: Filters, *ways: By, hours: Collection[By] = ()) -> list[Sequence[Row]]:
        found = await rates.by_each(self.conn, self.reader, filters, ways, self.zone, self.now, hours=hours)
        return [one.rows for one in found]

    async def count(self, filters: Filters) -> Count:
        return Count(await issue_counts.total(self.conn, self.reader, filters, self.zone, self.now), filters)


async def gathered(conn: Connection, reader: Reader, asked: Asked, zone: ZoneInfo, now: datetime) -> Dashboard:
    """The dashboard of what the reader sees. Raises InvalidFilter, and NotAllowed for whoever reads no issues."""
    scope = _scope(asked)
    about = issue_query.moment(scope, zone, now)
    today = about.at.astimezone(zone).date()
    name = asked.period or dashboard_periods.usual(today)
    period = dashboard_periods.period(name, today, asked.first, asked.last)
    before = dashboard_periods.compared(name, period, asked.than, today)
    trend = dashboard_periods.trend_of(period, today)
    question = _Question(
        conn=conn, reader=reader, zone=zone, now=now, asked=asked, scope=scope, at=about.at, today=today
    )
    filters, filters_before = question.within(period), question.within(before)
    by_community, by_category, by_department = await question.rates(
        filters, "community", "category", "department", hours=["department"]
    )
    before_by_community, before_by_category = await question.rates(filters_before, "community", "category")
    communities = _parts(filters, filters_before, "community", by_community, before_by_community)
    (months,) = await question.rates(question.within(trend), "month")
    return Dashboard(
        asked=asked,
        at=about.at,
        known_at=about.known_at or now,
        name=name,
        period=period,
        before=before,
        filters=filters,
        filters_before=filters_before,
        rates=_summed(communities),
        trend=months,
        trend_period=trend,
        standing=await _standing(question),
        categories=_leaves(_parts(filters, filters_before, "category", by_category, before_by_category)),
        departments=await _departments(question, filters, by_department),
        places={"street": await _streets(question, filters, filters_before, communities), "community": communities},
        campaigns=await _campaigns(question),
        visits=await _visits(question, period),
        trust=await dashboard_trust.of(conn, reader, filters, scope, zone, now),
    )


def _scope(asked: Asked) -> Filters:
    return Filters(
        street=(asked.street,) if asked.street else (),
        community=(asked.community,) if asked.community else (),
        organisation=(asked.organisation,) if asked.organisation else (),
        as_of=asked.as_of,
        known_at=asked.known_at,
    )


NOTHING = Share(0, 0)


def _summed(parts: Sequence[Part]) -> Mapping[Rate, Compared]:
    """The shares of parts together, of which each issue is in one."""
    return {
        rate: Compared(
            now=_sum(part.shares[rate].now for part in parts), before=_sum(part.shares[rate].before for part in parts)
        )
        for rate in COMPARED
    }


def _sum(shares: Iterable[Share]) -> Share:
    every = list(shares)
    return Share(sum(share.numerator for share in every), sum(share.denominator for share in every))


async def _streets(
    question: _Question, filters: Filters, filters_before: Filters, communities: Sequence[Part]
) -> list[Part]:
    """Streets are their communities together; what is in no community is in no street."""
    names = {street.code: street.name for street in await choices.streets(question.conn, question.reader)}
    parts: dict[str | None, list[Part]] = {}
    for part in communities:
        parts.setdefault(part.part_of, []).append(part)
    narrow = rates.BREAKDOWNS["street"].narrow
    return [
        Part(
            key=key,
            name=names.get(key or ""),
            part_of=None,
            filters=narrow(filters, key),
            filters_before=narrow(filters_before, key),
            shares=_summed(parts[key]),
        )
        for key in sorted(parts, key=lambda key: (key is None, key or ""))
    ]


def _parts(
    filters: Filters, filters_before: Filters, by: By, rows: Sequence[Row], rows_before: Sequence[Row]
) -> list[Part]:
    """The parts that there are in either of two periods, side by side."""
    now = {row.key: row for row in rows}
    before = {row.key: row for row in rows_before}
    narrow = rates.BREAKDOWNS[by].narrow
    return [
        Part(
            key=key,
            name=(now.get(key) or before[key]).name,
            part_of=(now.get(key) or before[key]).part_of,
            filters=narrow(filters, key),
            filters_before=narrow(filters_before, key),
            shares={
                rate: Compared(now=_share(now.get(key), rate), before=_share(before.get(key), rate))
                for rate in COMPARED
            },
        )
        for key in dict.fromkeys([*now, *before])
    ]


def _share(row: Row | None, rate: Rate) -> Share:
    return row.shares[rate] if row else NOTHING


def ranked(parts: Sequence[Part], rate: Rate) -> Ranking:
    """Parts by how a rate of theirs changed; those of no place are none."""
    told: list[Part] = []
    untold: list[Part] = []
    for part in parts:
        compared = part.shares[rate]
        if part.key is not None and compared.now.denominator + compared.before.denominator:
            (untold if few(compared) else told).append(part)
    changes = {id(part): part.shares[rate].change or 0.0 for part in told}
    told.sort(key=lambda part: (-abs(changes[id(part)]), part.key or ""))
    return Ranking(
        better=[part for part in told if changes[id(part)] > 0],
        worse=[part for part in told if changes[id(part)] < 0],
        few=untold,
    )


def few(compared: Compared) -> bool:
    """Whether too few stand behind a share in one of the periods to say that it changed, though there are some."""
    counts = compared.now.denominator, compared.before.denominator
    return any(counts) and min(counts) < FEWEST


async def _standing(question: _Question) -> Standing:
    scope, week = question.scope, dashboard_periods.this_week(question.today)
    replace = msgspec.structs.replace
    states = await issue_counts.by(question.conn, question.reader, scope, "state", question.zone, question.now)
    overdue = sum(one.overdue for one in states)
    return Standing(
        open=Count(overdue + sum(one.reported + one.in_hand for one in states), replace(scope, group=OPEN)),
        overdue=Count(overdue, replace(scope, group=("overdue",))),
        due_this_week=await question.count(
            replace(scope, state=RUNNING, overdue=False, due_from=week.first, due_to=week.last)
        ),
        return_visits=await _outstanding(question),
    )


async def _outstanding(question: _Question) -> int | None:
    """Whom to ask still: of the present alone."""
    asked = question.asked
    if asked.as_of is not None or asked.known_at is not None:
        return None
    invited = Invited(community=asked.community, street=asked.street, organisation=asked.organisation)
    return await return_visits_due.count(question.conn, question.reader, invited)


def _leaves(parts: Sequence[Part]) -> list[Part]:
    """Categories without the groups, which would count again what is in them."""
    groups = {part.part_of for part in parts}
    leaves = [part for part in parts if part.key not in groups]
    return sorted(leaves, key=lambda part: (-part.reported[0], -part.reported[1], part.key or ""))


async def _departments(question: _Question, filters: Filters, counted: Sequence[Row]) -> list[Department]:
    """The slowest first by the median; those that have resolved little last, for it says little."""
    rows = {row.key: row for row in counted}
    waiting = msgspec.structs.replace(question.scope, group=OPEN)
    (open_now,) = await question.rates(waiting, "department")
    load = {row.key: row for row in open_now}
    narrow = rates.BREAKDOWNS["department"].narrow
    found = [
        Department(
            key=key,
            name=(rows.get(key) or load[key]).name,
            filters=narrow(filters, key),
            hours=_hours(rows.get(key)),
            on_time=_share(rows.get(key), "on_time"),
            open=Count(_share(load.get(key), REPORTED).denominator, narrow(waiting, key)),
        )
        for key in dict.fromkeys([*rows, *load])
    ]
    return sorted(found, key=_slowness)


def _hours(row: Row | None) -> Hours:
    return row.hours if row and row.hours else Hours(median=None, p90=None, count=0)


def _slowness(one: Department) -> tuple[bool, bool, float, int, str]:
    few = one.hours.count < FEWEST
    return one.key is None, few, -(one.hours.median or 0.0), -one.open.count, one.key or ""


async def _campaigns(question: _Question) -> list[Covered]:
    """Those that run at the moment that is asked about, the latest first."""
    page = await campaigns.page(
        question.conn,
        question.reader,
        question.zone,
        question.at,
        states=("running",),
        limit=MOST_CAMPAIGNS,
        total=False,
    )
    return [await _covered(question, one) for one in page.items]


async def _covered(question: _Question, campaign: Campaign) -> Covered:
    asked = question.asked
    filters = DoorFilters(
        street=question.scope.street,
        community=question.scope.community,
        organisation=question.scope.organisation,
        as_of=asked.as_of,
    )
    about = await coverage_query.asked(
        question.conn, question.reader, campaign.id, filters, question.zone, question.now
    )
    counts = (await coverage.by(question.conn, about, "kind")).total.counts
    return Covered(
        id=campaign.id,
        name=campaign.name,
        filters=filters,
        doors=counts["doors"],
        visited=counts["visited"],
        met=counts["met"],
    )


async def _visits(question: _Question, period: Period) -> Visits:
    days = dashboard_periods.visit_days(period, question.today)
    asked = question.asked
    filters = VisitFilters(
        street=(asked.street,) if asked.street else (),
        community=(asked.community,) if asked.community else (),
        organisation=(asked.organisation,) if asked.organisation else (),
        started_from=days.first,
        started_to=days.last,
        withdrawn=False,
    )
    counts = await visit_days.by_day(question.conn, question.reader, filters, question.zone, question.now)
    every = (date.fromordinal(days.first.toordinal() + at) for at in range(days.days))
    return Visits(filters=filters, days={day: counts.get(day, 0) for day in every})

"""Items that are facts: what each member or organisation did in the period of a round, for all of them at once, through
the questions that the lists are read by. surveys/assessments/rounds.md says what each counts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.assessments.instruments import FACTS, FactCode, SubjectKind
from surveys.assessments.round_steps import Period
from surveys.counting import issue_query, rate_terms
from surveys.counting.issue_query import Moment
from surveys.counting.rate_terms import TERMS, Rate
from surveys.coverage import coverage, coverage_query
from surveys.people import scopes
from surveys.people.people import Reader, of_whole_district
from surveys.visits import visit_query
from surveys.visits.visit_query import VisitFilters
from surveys.volunteering import time_sums

RATES: Mapping[FactCode, Rate] = {"on_time_rate": "on_time", "satisfaction": "satisfaction"}

OF_ISSUES: Mapping[SubjectKind, str] = {"member": "owner", "organisation": "organisation"}

Pair = tuple[int | None, int | None]  # how many, and of how many where it is a share
NOTHING: Pair = (None, None)
Counts = Mapping[UUID, Pair]


class Taken(Struct, frozen=True, kw_only=True):
    """The facts of all who are rated, as they were at one moment and were known at another. `campaign` is the one whose
    doors the coverage counts."""

    taken_at: datetime
    known_at: datetime
    campaign: str | None
    counts: Mapping[FactCode, Counts]

    def row(self, subject: UUID) -> list[int | None]:
        """A subject's facts as they are kept: pairs, in the order of their codes."""
        return [part for code in FACTS for part in self._pair(code, subject)]

    def _pair(self, code: FactCode, subject: UUID) -> Pair:
        counted = self.counts.get(code)
        if counted is None:
            return NOTHING
        return counted.get(subject, (0, 0) if code in RATES or code == "coverage" else (0, None))


def values(row: list[int | None]) -> dict[FactCode, Fraction | int | None]:
    """What kept facts say: visits and hours as they are, the others in per cent; None where nothing counts."""
    found: dict[FactCode, Fraction | int | None] = {}
    for place, code in enumerate(FACTS):
        count, of = row[2 * place], row[2 * place + 1]
        if count is None:
            found[code] = None
        elif code == "hours_served":
            found[code] = Fraction(count, 60)
        elif code == "visits":
            found[code] = count
        else:
            found[code] = Fraction(100 * count, of) if of else None
    return found


def pair(row: list[int | None], code: FactCode) -> Pair:
    """How many a kept fact counted, and of how many."""
    place = 2 * FACTS.index(code)
    return row[place], row[place + 1]


async def taken(
    conn: Connection,
    district: int,
    kind: SubjectKind,
    period: Period,
    zone: ZoneInfo,
    taken_at: datetime,
    known_at: datetime,
    subjects: Sequence[UUID] = (),
) -> Taken:
    """The facts of all members or organisations of a district, or of these alone. A window has none: what is done is
    not written down by windows."""
    if kind == "window":
        return Taken(taken_at=taken_at, known_at=known_at, campaign=None, counts={})
    reader = of_whole_district(district)
    campaign = await campaign_of(conn, district, period, zone)
    whom = tuple(subjects)
    visits = msgspec.structs.replace(visit_filters(period), **{kind: whom})
    issues = msgspec.structs.replace(issue_filters(period, known_at), **{OF_ISSUES[kind]: whom})
    doors = msgspec.structs.replace(coverage_filters(period), **{kind: whom})
    counts: dict[FactCode, Counts] = {
        "visits": await _visits(conn, reader, kind, visits, zone, known_at),
        "hours_served": await _hours(conn, district, kind, period, zone, known_at),
        **await _rates(conn, reader, kind, issues, zone, known_at),
    }
    if campaign is not None:
        counts["coverage"] = await _coverage(conn, reader, kind, campaign, doors, zone, taken_at)
    return Taken(taken_at=taken_at, known_at=known_at, campaign=campaign, counts=counts)


# --- visits


def visit_filters(period: Period) -> VisitFilters:
    """The visits that count: begun in the period, and not taken back."""
    return VisitFilters(started_from=period.first, started_to=period.last, withdrawn=False)


VISITS = "select v.{column} as key, count(*) as count from visit v {where} group by 1"


async def _visits(
    conn: Connection, reader: Reader, kind: SubjectKind, filters: VisitFilters, zone: ZoneInfo, known_at: datetime
) -> Counts:
    where, parameter = visit_query.where(await scopes.reach(conn, reader), filters, zone, known_at)
    rows = await conn.fetch(VISITS.format(column=kind, where=where), *parameter.values)
    return {row["key"]: (row["count"], None) for row in rows}


# --- what became of issues


def issue_filters(period: Period, known_at: datetime) -> issue_query.Filters:
    """The issues that count: reported in the period, as they were known then."""
    return issue_query.Filters(reported_from=period.first, reported_to=period.last, known_at=known_at)


def _counted(rate: Rate) -> str:
    terms = TERMS[rate]
    of, met = rate_terms.packed(terms.denominator), rate_terms.packed(terms.numerator)
    return f"count(*) filter (where {of}) as {rate}_of, count(*) filter (where {met}) as {rate}"


# Of a member those that they answer for, of an organisation those that its members found.
ISSUES = f"""
select {{column}} as key, {", ".join(_counted(rate) for rate in RATES.values())}
from (select *, {rate_terms.OUTCOME} as outcome, {rate_terms.DUE_FROM} as due_from from seen) seen
where {{column}} is not null group by 1
"""


async def _rates(
    conn: Connection,
    reader: Reader,
    kind: SubjectKind,
    filters: issue_query.Filters,
    zone: ZoneInfo,
    known_at: datetime,
) -> dict[FactCode, Counts]:
    about = Moment(known_at, known_at)
    query = await issue_query.seen(conn, reader, filters, zone, about)
    column = OF_ISSUES[kind]
    rows = await conn.fetch(query.text + ISSUES.format(column=column), *query.parameters)
    return {
        code: {row["key"]: (row[rate], row[f"{rate}_of"]) for row in rows if row[f"{rate}_of"]}
        for code, rate in RATES.items()
    }


# --- the doors of a campaign

# The campaign that was under way at the end of the period; of several, the one that began last.
CAMPAIGN = """
select id from campaign
where district = $1 and starts_at < $3 and ends_at > $2 and (closed_at is null or closed_at > $2)
order by starts_at desc, id limit 1
"""


async def campaign_of(conn: Connection, district: int, period: Period, zone: ZoneInfo) -> str | None:
    """The campaign whose doors the coverage of a period counts, if there was one."""
    found: str | None = await conn.fetchval(CAMPAIGN, district, period.begins(zone), period.ends(zone))
    return found


def coverage_filters(period: Period) -> coverage_query.Filters:
    """The doors as they stood at the end of the period."""
    return coverage_query.Filters(as_of=period.last)


async def _coverage(
    conn: Connection,
    reader: Reader,
    kind: SubjectKind,
    campaign: str,
    filters: coverage_query.Filters,
    zone: ZoneInfo,
    now: datetime,
) -> Counts:
    asked = await coverage_query.asked(conn, reader, campaign, filters, zone, now)
    found = await coverage.by(conn, asked, "member" if kind == "member" else "organisation")
    return {
        UUID(row.key): (row.counts["visited"], row.counts["doors"])
        for row in found.rows
        if row.key is not None and row.counts["doors"]
    }


# --- time served


# Of whom each volunteer's minutes are.
SERVED_BY = """
select v.id, m.id as member, m.organisation from volunteer v
join member m on m.district = v.district and m.id = v.member where v.district = $1
"""


async def _hours(
    conn: Connection, district: int, kind: SubjectKind, period: Period, zone: ZoneInfo, known_at: datetime
) -> Counts:
    """Minutes by member, or by the organisation in which the member is now."""
    minutes = await time_sums.served_minutes(conn, district, period.begins(zone), period.ends(zone), known_at)
    counted: dict[UUID, int] = {}
    for row in await conn.fetch(SERVED_BY, district):
        key = row["member"] if kind == "member" else row["organisation"]
        counted[key] = counted.get(key, 0) + minutes.get(row["id"], 0)
    return {key: (count, None) for key, count in counted.items()}

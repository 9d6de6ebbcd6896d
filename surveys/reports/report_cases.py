"""Good cases: issues that were solved in the period, of which the resident said so and was satisfied, and quickly for
their category: in no more hours than half of it take. Which they are follows from rules, so that everybody finds the
same ones. What is solved on the spot is none: nobody had to do anything more for it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.counting import issue_query, rates
from surveys.counting.issue_query import Filters
from surveys.people.people import Reader
from surveys.refusals import Invalid
from surveys.reports import reports
from surveys.reports.report_periods import Period
from surveys.reports.reports import Case, IssueLine, Scope

USUAL = timedelta(days=90)  # before the end of the period, of which the usual time of a category is that


class NotAGoodCase(Invalid):
    """The issue is not one that was solved in the place by then, and found satisfactory by its resident."""

    code: ClassVar[str] = "not_a_good_case"


class Candidate(Struct, frozen=True):
    """An issue that may be shown, with where it lies."""

    community: str | None
    case: Case


# Solved in the period and found good, three of each community: quickest first beside the median of their category.
CANDIDATES = """
, found as (
  select s.id, s.number, s.text_version, s.community, s.category, s.department, s.took_s / 3600.0 as took,
         u.median as usual,
         row_number() over (partition by s.community
                            order by s.took_s / 3600.0 / nullif(u.median, 0) nulls last, s.number) as place
  from (select *, extract(epoch from resolved_at - reported_at)::bigint as took_s from seen) s
  left join unnest({categories}::text[], {medians}::float8[]) as u(code, median) on u.code = s.category
  where {wanted}
)
select f.id, f.number, f.text_version, f.community, f.took::float8 as took, f.usual,
  k.name as category, c.name as community_name, d.name as department
from found f
join category k on k.district = $1 and k.code = f.category
left join community c on c.district = $1 and c.code = f.community
left join department d on d.district = $1 and d.code = f.department
where f.place <= {most}
order by f.took / nullif(f.usual, 0) nulls last, f.number
"""
QUICK = "s.took_s / 3600.0 <= u.median and s.channel <> 'on_the_spot'"
GOOD = "answer = 'solved' and state in ('resolved', 'closed') and resolved_at is not null"


async def candidates(
    conn: Connection, reader: Reader, zone: ZoneInfo, within: Filters, period: Period, known_at: datetime
) -> list[Candidate]:
    """Those of each community, the quickest first."""
    wanted = f"{GOOD} and resolved_at >= {{since}} and {QUICK}"
    rows = await _asked(conn, reader, zone, within, period, known_at, wanted, since=period.begins(zone))
    return [Candidate(row["community"], _case(row)) for row in rows]


async def named(
    conn: Connection,
    reader: Reader,
    zone: ZoneInfo,
    within: Filters,
    period: Period,
    known_at: datetime,
    numbers: Sequence[int],
) -> list[Case]:
    """The cases that somebody names, in their order: solved and found good by the end, whenever it was. Raises
    NotAGoodCase."""
    wanted = f"{GOOD} and number = any({{numbers}}::bigint[])"
    rows = await _asked(conn, reader, zone, within, period, known_at, wanted, numbers=list(numbers))
    found = {row["number"]: _case(row, chosen=True) for row in rows}
    for number in numbers:
        if number not in found:
            raise NotAGoodCase("cases", number=str(number))
    return [found[number] for number in numbers]


async def _asked(
    conn: Connection,
    reader: Reader,
    zone: ZoneInfo,
    within: Filters,
    period: Period,
    known_at: datetime,
    wanted: str,
    **values: Any,
) -> list[Any]:
    usual = await _usual(conn, reader, zone, period, known_at)
    filters = msgspec.structs.replace(
        within, as_of=period.last, known_at=known_at, rate="satisfaction", met=True, group=("solved",)
    )
    query = await issue_query.seen(conn, reader, filters, zone, issue_query.moment(filters, zone, known_at))
    given = {"categories": list(usual), "medians": list(usual.values()), "most": reports.MOST_CASES, **values}
    places = {name: f"${len(query.parameters) + at}" for at, name in enumerate(given, start=1)}
    text = CANDIDATES.replace("{wanted}", wanted).format(**places)
    found: list[Any] = await conn.fetch(query.text + text, *query.parameters, *given.values())
    return found


async def _usual(
    conn: Connection, reader: Reader, zone: ZoneInfo, period: Period, known_at: datetime
) -> dict[str, float]:
    """The hours that half of each category take, in the whole district."""
    filters = Filters(as_of=period.last, known_at=known_at, reported_from=period.last - USUAL, reported_to=period.last)
    found = await rates.by(conn, reader, filters, "category", zone, known_at)
    return {row.key: row.hours.median for row in found.rows if row.key and row.hours and row.hours.median is not None}


def _case(row: Any, *, chosen: bool = False) -> Case:
    issue = IssueLine(
        id=row["id"],
        number=str(row["number"]),
        text_version=row["text_version"],
        category=row["category"],
        community=row["community_name"],
        department=row["department"],
    )
    usual = row["usual"]
    return Case(
        issue=issue,
        took_hours=round(row["took"], 1),
        median_hours=round(usual, 1) if usual is not None else None,
        chosen=chosen,
    )


def chosen(found: Sequence[Candidate], scope: Scope, members: Sequence[str | None]) -> list[Case]:
    """The cases of a place: the quickest beside what is usual for their category, each of another community where it
    has several; those of one community alone where it is one."""
    within = set(members)
    cases: list[Case] = []
    taken: set[str | None] = set()
    for one in found:
        if one.community not in within or (scope.kind != "community" and one.community in taken):
            continue
        taken.add(one.community)
        cases.append(one.case)
    return cases[: reports.MOST_CASES]


TITLES = """
select t.subject, t.version, t.body->>'title' as title, t.erased_at from unnest($2::uuid[], $3::int[]) as w(id, version)
join text_version t on t.district = $1 and t.subject = w.id and t.version = w.version
"""


async def titles(conn: Connection, district: int, lines: Sequence[IssueLine]) -> Mapping[UUID, str | None]:
    """The titles of issues as a brief named them; None for what was forgotten since."""
    rows = await conn.fetch(TITLES, district, [line.id for line in lines], [line.text_version for line in lines])
    return {row["subject"]: row["title"] for row in rows}

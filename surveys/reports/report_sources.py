"""What a brief is made of: each figure asked for once, by community, of the functions that lists, maps, rates and
coverage ask as well; and the brief of one place, put together from that.

A district's and all its communities' briefs come of the same few questions, so that two hundred of them do not read the
past two hundred times."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.clock import calendars, clock
from surveys.clock.clock import Calendar
from surveys.counting import issue_counts, issue_query, rates
from surveys.counting.issue_counts import Count as Standing
from surveys.counting.issue_query import Filters
from surveys.counting.rate_terms import Rate
from surveys.counting.rates import Row
from surveys.coverage import coverage, coverage_query
from surveys.people.people import District, Grant, Reader
from surveys.refusals import NotFound
from surveys.reports import report_cases, report_changes, reports
from surveys.reports.report_cases import Candidate
from surveys.reports.report_periods import Period
from surveys.reports.reports import (
    Coloured,
    Count,
    CountLine,
    CoverageLine,
    DepartmentLine,
    Figures,
    IssueLine,
    MapFigures,
    OverdueLine,
    PlaceLine,
    RateLine,
    Scope,
    ServiceCounts,
    Share,
)
from surveys.volunteering import service_figures
from surveys.volunteering.service_figures import Held

MOST_CAMPAIGNS = 5
NOBODY = UUID(int=0)
# A figure whose denominator is all that was reported: merged twins count once.
REPORTED: Rate = "bounce"


class Place(Struct, frozen=True):
    """A community, and its street."""

    code: str
    name: str
    street: str | None
    street_name: str | None


class Campaign(Struct, frozen=True):
    """The doors of a campaign that ran in the period, by community."""

    id: str
    name: str
    rows: Mapping[str | None, coverage.Row]


class Side(Struct, frozen=True, kw_only=True):
    """What was counted of one period as it ended, by community; None stands for what lies in none."""

    shares: Mapping[str | None, Row]  # of what was reported in it
    reported: Mapping[str | None, Standing]  # where that stood
    standing: Mapping[str | None, Standing]  # where all that there was stood
    resolved: Mapping[str | None, int]  # in it
    services: Mapping[str | None, Held]  # held in it


class Late(Struct, frozen=True):
    """What was past its limit at the end, the latest of each community, with where it lies."""

    community: str | None
    line: OverdueLine


class Sources(Struct, frozen=True, kw_only=True):
    """All that was asked once."""

    district: District
    period: Period
    at: datetime
    known_at: datetime
    within: Filters  # the place that was asked about
    places: Mapping[str, Place]
    now: Side
    before: Side
    late: Sequence[Late]
    cases: Sequence[Candidate]
    campaigns: Sequence[Campaign]
    boundary_version: int | None


def everything(district: int) -> Reader:
    """The program as a reader of a district: for whom a brief is made is asked where it is asked for."""
    grants = (Grant("leader", "district", str(district)),)
    return Reader(district=district, member=NOBODY, name="", organisation=NOBODY, grants=grants)


def of_scope(scope: Scope) -> Filters:
    """The filters under which a list shows what a brief of this place is about."""
    match scope.kind:
        case "street":
            return Filters(street=(scope.code,))
        case "community":
            return Filters(community=(scope.code,))
        case "district":
            return Filters()


PLACES = """
select c.code, c.name, c.street, s.name as street_name from community c
left join street s on s.district = c.district and s.code = c.street
where c.district = $1 order by c.code
"""
# The boundaries that hold at $2.
BOUNDARIES = """
select version from boundary_version where district = $1
order by valid_from <= $2 desc, case when valid_from <= $2 then valid_from end desc, valid_from limit 1
"""


async def gathered(
    conn: Connection, district: District, period: Period, known_at: datetime, scope: Scope | None = None
) -> Sources:
    """What briefs of a period are made of, of the whole district or of one place. It has to be over by then."""
    within = of_scope(scope) if scope else Filters()
    rows = await conn.fetch(PLACES, district.district)
    places = {row["code"]: Place(**row) for row in rows}
    at = issue_query.moment(_of(within, period, known_at), district.zone, known_at).at
    now = await _side(conn, district, within, period, known_at)
    return Sources(
        district=district,
        period=period,
        at=at,
        known_at=known_at,
        within=within,
        places=places,
        now=now,
        before=await _side(conn, district, within, period.before(), known_at),
        late=await _late(conn, district, _of(within, period, known_at), at),
        cases=await report_cases.candidates(
            conn, everything(district.district), district.zone, within, period, known_at
        ),
        campaigns=await _campaigns(conn, district, period, known_at),
        boundary_version=await conn.fetchval(BOUNDARIES, district.district, at),
    )


def _of(within: Filters, period: Period, known_at: datetime) -> Filters:
    """As it was at the end of a period."""
    return msgspec.structs.replace(within, as_of=period.last, known_at=known_at)


def _reported_in(filters: Filters, period: Period) -> Filters:
    return msgspec.structs.replace(filters, reported_from=period.first, reported_to=period.last)


async def _side(conn: Connection, district: District, within: Filters, period: Period, known_at: datetime) -> Side:
    reader, zone = everything(district.district), district.zone
    at_its_end = _of(within, period, known_at)
    reported = _reported_in(at_its_end, period)
    shares = await rates.by(conn, reader, reported, "community", zone, known_at, hours=False)
    stood = await issue_counts.by_community(conn, reader, reported, zone, known_at)
    standing = await issue_counts.by_community(conn, reader, at_its_end, zone, known_at)
    return Side(
        shares={row.key: row for row in shares.rows},
        reported={one.community: one for one in stood},
        standing={one.community: one for one in standing},
        resolved=await _resolved(conn, district, at_its_end, period, known_at),
        services=await service_figures.by_community(
            conn, district.district, period.begins(zone), period.ends(zone), known_at
        ),
    )


RESOLVED = """
select community, count(*) from seen where state in ('resolved', 'closed') and resolved_at >= ${} group by 1
"""


async def _resolved(
    conn: Connection, district: District, filters: Filters, period: Period, known_at: datetime
) -> dict[str | None, int]:
    """How many were resolved in the period, and still were at its end."""
    solved = msgspec.structs.replace(filters, group=("solved",))
    about = issue_query.moment(solved, district.zone, known_at)
    query = await issue_query.seen(conn, everything(district.district), solved, district.zone, about)
    text = query.text + RESOLVED.format(len(query.parameters) + 1)
    rows = await conn.fetch(text, *query.parameters, period.begins(district.zone))
    return {row["community"]: row["count"] for row in rows}


# The latest of each community, with what they are called by; PostgreSQL counts them, so that no more than are shown
# leave it.
LATEST = """
, ranked as (
  select s.*, row_number() over (partition by s.community order by s.due_at, s.number) as place from seen s
)
select r.id, r.number, r.text_version, r.community, r.due_at, r.paused_at, i.limit_unit,
  k.name as category, c.name as community_name, d.name as department
from ranked r
join issue i on i.district = $1 and i.id = r.id
join category k on k.district = $1 and k.code = r.category
left join community c on c.district = $1 and c.code = r.community
left join department d on d.district = $1 and d.code = r.department
where r.place <= ${} order by r.due_at, r.number
"""


async def _late(conn: Connection, district: District, filters: Filters, at: datetime) -> list[Late]:
    known_at = filters.known_at or at
    overdue = msgspec.structs.replace(filters, overdue=True)
    about = issue_query.moment(overdue, district.zone, known_at)
    query = await issue_query.seen(conn, everything(district.district), overdue, district.zone, about)
    text = query.text + LATEST.format(len(query.parameters) + 1)
    calendar = await calendars.in_force(conn, district.district, known_at)
    rows = await conn.fetch(text, *query.parameters, reports.MOST_OVERDUE)
    return [Late(row["community"], _overdue(row, calendar, at)) for row in rows]


def _overdue(row: Any, calendar: Calendar, at: datetime) -> OverdueLine:
    until = row["paused_at"] or at
    late = -clock.left(calendar, row["limit_unit"], until, row["due_at"])
    return OverdueLine(issue=issue_line(row), due_at=row["due_at"], late_s=max(0, round(late.total_seconds())))


def issue_line(row: Any) -> IssueLine:
    """An issue of a row with its names."""
    return IssueLine(
        id=row["id"],
        number=str(row["number"]),
        text_version=row["text_version"],
        category=row["category"],
        community=row["community_name"],
        department=row["department"],
    )


RAN = """
select id, name from campaign where district = $1 and starts_at < $3 and ends_at > $2
  and (closed_at is null or closed_at > $2)
order by starts_at desc, id limit $4
"""


async def _campaigns(conn: Connection, district: District, period: Period, known_at: datetime) -> list[Campaign]:
    """The coverage of what ran in the period, of the round of its end."""
    zone, reader = district.zone, everything(district.district)
    found = []
    for row in await conn.fetch(RAN, reader.district, period.begins(zone), period.ends(zone), MOST_CAMPAIGNS):
        filters = coverage_query.Filters(as_of=period.last)
        asked = await coverage_query.asked(conn, reader, row["id"], filters, zone, known_at)
        told = await coverage.by(conn, asked, "community")
        found.append(Campaign(row["id"], row["name"], {each.key: each for each in told.rows}))
    return found


# --- the brief of one place


def scope_of(sources_places: Mapping[str, Place], district: District, kind: reports.ScopeKind, code: str) -> Scope:
    """A place by its code, with its name. Raises NotFound."""
    if kind == "district" and code == str(district.district):
        return Scope(kind="district", code=code, name=district.name)
    if kind == "community" and code in sources_places:
        place = sources_places[code]
        return Scope(kind="community", code=code, name=place.name, part_of=place.street_name)
    name = next((place.street_name for place in sources_places.values() if place.street == code), None)
    if kind == "street" and name:
        return Scope(kind="street", code=code, name=name, part_of=district.name)
    raise NotFound("scope")


def scopes(district: District, places: Mapping[str, Place]) -> list[Scope]:
    """The district, its streets and its communities."""
    streets = sorted({place.street for place in places.values() if place.street and place.street_name})
    codes: list[tuple[reports.ScopeKind, str]] = [
        ("district", str(district.district)),
        *(("street", code) for code in streets),
        *(("community", code) for code in places),
    ]
    return [scope_of(places, district, kind, code) for kind, code in codes]


async def places_of(conn: Connection, district: int) -> dict[str, Place]:
    """The communities of a district by their codes."""
    return {row["code"]: Place(**row) for row in await conn.fetch(PLACES, district)}


NAMES = """
select 'district' as what, name from district where district = $1
union all select 'street ' || code, name from street where district = $1
union all select 'community ' || code, name from community where district = $1
union all select 'category ' || code, name from category where district = $1
union all select 'department ' || code, name from department where district = $1
union all select 'campaign ' || id, name from campaign where district = $1
"""


async def names(conn: Connection, district: int) -> dict[str, str]:
    """All names that may stand in a brief, by whose they are, for a font to be held against."""
    return {row["what"]: row["name"] or "" for row in await conn.fetch(NAMES, district)}


async def brief(conn: Connection, sources: Sources, scope: Scope, version: int) -> Figures:
    """The brief of a place that the sources hold."""
    members = _members(sources, scope)
    now, before = sources.now, sources.before
    places = _places(sources, scope, members)
    categories = await _categories(conn, sources, scope)
    rate_lines = [_rate(rate, now, before, members) for rate in reports.RATES]
    open_ = Count(_open(now, members), _open(before, members))
    overdue = Count(_standing(now.standing, members, "overdue"), _standing(before.standing, members, "overdue"))
    return Figures(
        district=sources.district.name,
        scope=scope,
        period=sources.period.name,
        kind=sources.period.kind,
        first=sources.period.first,
        last=sources.period.last,
        at=sources.at,
        known_at=sources.known_at,
        version=version,
        reported=Count(_reported(now, members), _reported(before, members)),
        solved=Count(_standing(now.reported, members, "solved"), _standing(before.reported, members, "solved")),
        resolved=Count(_sum(now.resolved, members), _sum(before.resolved, members)),
        open=open_,
        overdue=overdue,
        rates=rate_lines,
        categories=categories[: reports.MOST_CATEGORIES],
        places_kind={"district": "street", "street": "community"}.get(scope.kind),  # type: ignore[arg-type]
        places=places,
        departments=await _departments(conn, sources, scope),
        coverage=_coverage(sources, scope, members),
        overdue_list=[one.line for one in sources.late if one.community in members][: reports.MOST_OVERDUE],
        cases=report_cases.chosen(sources.cases, scope, members),
        changes=report_changes.found(rate_lines, open_, overdue, places, categories),
        map=_map(sources, scope, members),
        services=_services(now, before, members),
    )


def _members(sources: Sources, scope: Scope) -> Sequence[str | None]:
    """The communities of a place; all of the district, and what lies in none."""
    match scope.kind:
        case "community":
            return [scope.code]
        case "street":
            return [place.code for place in sources.places.values() if place.street == scope.code]
        case "district":
            return [*sources.places, None]


def _sum(counts: Mapping[str | None, int], members: Sequence[str | None]) -> int:
    return sum(counts.get(code, 0) for code in members)


def _services(now: Side, before: Side, members: Sequence[str | None]) -> ServiceCounts | None:
    held, earlier = ([side.services[code] for code in members if code in side.services] for side in (now, before))
    if not held and not earlier:
        return None
    return ServiceCounts(
        held=Count(sum(one.services for one in held), sum(one.services for one in earlier)),
        hours=Count(sum(one.minutes for one in held) // 60, sum(one.minutes for one in earlier) // 60),
        helped=Count(sum(one.helped for one in held), sum(one.helped for one in earlier)),
    )


def _standing(counts: Mapping[str | None, Standing], members: Sequence[str | None], group: str) -> int:
    return sum(getattr(counts[code], group) for code in members if code in counts)


def _open(side: Side, members: Sequence[str | None]) -> int:
    return sum(_standing(side.standing, members, group) for group in ("reported", "in_hand", "overdue"))


def _reported(side: Side, members: Sequence[str | None]) -> int:
    return sum(side.shares[code].shares[REPORTED].denominator for code in members if code in side.shares)


def _share(side: Side, members: Sequence[str | None], rate: Rate) -> Share:
    counted = [side.shares[code].shares[rate] for code in members if code in side.shares]
    return reports.share(rate, sum(one.numerator for one in counted), sum(one.denominator for one in counted))


def _rate(rate: Rate, now: Side, before: Side, members: Sequence[str | None]) -> RateLine:
    return RateLine(rate, _share(now, members, rate), _share(before, members, rate))


def _places(sources: Sources, scope: Scope, members: Sequence[str | None]) -> list[PlaceLine]:
    """The parts of a place beside one another, and what lies in none of them."""
    parts: dict[str | None, list[str | None]] = {}
    if scope.kind == "community":
        return []
    for code in members:
        place = sources.places[code] if code is not None else None
        key = code if scope.kind == "street" else place.street if place else None
        parts.setdefault(key, []).append(code)
    lines = [_place(sources, scope, key, part) for key, part in parts.items()]
    lines = [line for line in lines if line.code is not None or line.reported or line.open]
    ordered = sorted(lines, key=lambda line: (line.code is None, -line.overdue.now, -line.open, line.code or ""))
    return reports.complemented(ordered[: reports.MOST_PLACES])


def _place(sources: Sources, scope: Scope, key: str | None, part: Sequence[str | None]) -> PlaceLine:
    now, before = sources.now, sources.before
    first = sources.places[part[0]] if key is not None and part[0] is not None else None
    name = (first.name if scope.kind == "street" else first.street_name) if first else None
    return PlaceLine(
        code=key,
        name=name,
        reported=_reported(now, part),
        resolved=_sum(now.resolved, part),
        open=_open(now, part),
        overdue=Count(_standing(now.standing, part, "overdue"), _standing(before.standing, part, "overdue")),
        shares={rate: _share(now, part, rate) for rate in reports.RATES},
    )


async def _categories(conn: Connection, sources: Sources, scope: Scope) -> list[CountLine]:
    """How many were reported of each category, most first; no groups, which would count again what is in them."""
    now = await _broken_down(conn, sources, scope, sources.period, "category", hours=False)
    before = await _broken_down(conn, sources, scope, sources.period.before(), "category", hours=False)
    earlier = {row.key: row.shares[REPORTED].denominator for row in before}
    names = {row.key: row.name for row in [*before, *now]}
    groups = {row.part_of for row in [*before, *now]}
    counts = {row.key: row.shares[REPORTED].denominator for row in now}
    lines = [
        CountLine(key, names[key] or key, Count(counts.get(key, 0), earlier.get(key, 0)))
        for key in names
        if key is not None and key not in groups
    ]
    return sorted(lines, key=lambda line: (-line.count.now, -line.count.before, line.code))


async def _departments(conn: Connection, sources: Sources, scope: Scope) -> list[DepartmentLine]:
    """The departments whose issues took longest."""
    rows = await _broken_down(conn, sources, scope, sources.period, "department", hours=True)
    lines = [
        DepartmentLine(row.key, row.name or row.key, round(row.hours.median, 1), row.hours.count)
        for row in rows
        if row.key and row.hours and row.hours.median is not None and row.hours.count >= reports.LEAST_RESOLVED
    ]
    return sorted(lines, key=lambda line: (-line.median_hours, line.code))[: reports.MOST_DEPARTMENTS]


async def _broken_down(
    conn: Connection, sources: Sources, scope: Scope, period: Period, by: rates.By, *, hours: bool
) -> Sequence[Row]:
    filters = _reported_in(_of(of_scope(scope), period, sources.known_at), period)
    reader = everything(sources.district.district)
    found = await rates.by(conn, reader, filters, by, sources.district.zone, sources.known_at, hours=hours)
    return found.rows


def _coverage(sources: Sources, scope: Scope, members: Sequence[str | None]) -> list[CoverageLine]:
    lines = []
    for campaign in sources.campaigns:
        rows = [campaign.rows[code].counts for code in members if code in campaign.rows]
        doors, visited, met = (sum(row[name] for row in rows) for name in ("doors", "visited", "met"))
        if doors:
            lines.append(CoverageLine(campaign.id, campaign.name, doors, visited, met))
    return lines


def _map(sources: Sources, scope: Scope, members: Sequence[str | None]) -> MapFigures | None:
    """One community alone is no map."""
    if sources.boundary_version is None or scope.kind == "community":
        return None
    areas = [
        Coloured(code, _open(sources.now, [code]), _standing(sources.now.standing, [code], "overdue"))
        for code in members
        if code is not None
    ]
    return MapFigures(sources.boundary_version, areas)

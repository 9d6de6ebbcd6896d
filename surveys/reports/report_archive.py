"""Briefs that were made, as those read them who read the place that they are about."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys import cursors, history
from surveys.history import Actor, occurrence
from surveys.people import scopes
from surveys.people.people import District, Reader, Role
from surveys.refusals import NotFound
from surveys.reports import report_cases, report_makings, report_sources, reports
from surveys.reports.report_makings import Making
from surveys.reports.report_periods import named
from surveys.reports.report_sources import Place
from surveys.reports.reports import Figures, Scope, ScopeKind

SHOWN = timedelta(days=1)  # that a making is shown after it ended

# Whose work it is to know how a place stands. A member reads what is in their own organisation's area one by one.
READING: frozenset[Role] = frozenset({"leader", "dispatcher", "organiser", "community_worker", "administrator"})


class Within(Struct, frozen=True):
    """The places whose briefs somebody reads, from the largest to the smallest."""

    places: Mapping[str, Place]
    scopes: Sequence[Scope]

    def holds(self, kind: ScopeKind, code: str) -> bool:
        """Whether a place is among them."""
        return any((one.kind, one.code) == (kind, code) for one in self.scopes)


async def within(conn: Connection, reader: Reader, district: District) -> Within:
    """The places all of whose issues a reader sees by a role that looks after places; none for who has no such
    role. Raises NotAllowed for whoever reads no issues at all."""
    scopes.refuse_who_reads_nothing(reader)
    grants = tuple(grant for grant in reader.grants if grant.role in READING)
    places = await report_sources.places_of(conn, reader.district)
    if not grants:
        return Within(places, [])
    reach = await scopes.reach(conn, msgspec.structs.replace(reader, grants=grants))
    every = report_sources.scopes(district, places)
    if reach.district:
        return Within(places, every)
    reached = set(reach.communities)
    return Within(places, [scope for scope in every if _reached(scope, places, reached)])


def _reached(scope: Scope, places: Mapping[str, Place], reached: set[str]) -> bool:
    match scope.kind:
        case "district":
            return False
        case "street":
            return all(place.code in reached for place in places.values() if place.street == scope.code)
        case "community":
            return scope.code in reached


class Kept(Struct, frozen=True, kw_only=True):
    """A brief as a list shows it."""

    id: UUID
    period: str
    first_day: date
    scope_kind: ScopeKind
    scope: str
    name: str
    version: int
    versions: int
    at: datetime
    known_at: datetime
    made_at: datetime
    digest: str


class KeptPage(Struct, frozen=True, kw_only=True):
    """A part of the briefs, the newest periods first, each in its newest version."""

    items: list[Kept]
    next: str | None
    total: int | None = None


class _Cursor(Struct, frozen=True, array_like=True):
    first_day: date
    period: str
    rank: int
    scope: str


# The newest version of each, within reach: $2 and $3 are the places.
WANTED = """
with wanted as (
  select r.*,
    row_number() over (partition by r.period, r.scope_kind, r.scope order by r.version desc) as place,
    count(*) over (partition by r.period, r.scope_kind, r.scope)::int as versions
  from report r join unnest($2::text[], $3::text[]) as w(kind, code) on w.kind = r.scope_kind and w.code = r.scope
  where r.district = $1 and ($4::text is null or r.period = $4)
)
"""
# From the largest place to the smallest, within each period.
RANK = "array_position(array['district', 'street', 'community'], scope_kind)"
PAGE = f"""
{WANTED}
select id, period, first_day, scope_kind, scope, figures::json->'scope'->>'name' as name, version, versions, at,
  known_at, made_at, encode(digest, 'hex') as digest, rank
from (select *, {RANK} as rank from wanted
where place = 1 and ($5::date is null or (first_day, period) < ($5, $6)
  or (first_day, period) = ($5, $6) and ({RANK}, scope) > ($7::int, $8))
order by first_day desc, period desc, rank, scope limit $9) page
order by first_day desc, period desc, rank, scope
"""
TOTAL = f"{WANTED} select count(*) from wanted where place = 1"


async def page(
    conn: Connection,
    reader: Reader,
    district: District,
    *,
    period: str | None = None,
    scope: tuple[ScopeKind, str] | None = None,
    limit: int = 50,
    cursor: str | None = None,
    total: bool = True,
) -> KeptPage:
    """A part of the briefs within reach. Raises InvalidCursor, InvalidFilter and NotAllowed."""
    if period is not None:
        named(period)
    after = cursors.read(cursor, _Cursor) if cursor else None
    asked = [(one.kind, one.code) for one in (await within(conn, reader, district)).scopes]
    asked = [one for one in asked if scope is None or one == scope]
    about = (reader.district, [kind for kind, _ in asked], [code for _, code in asked], period)
    since = msgspec.structs.astuple(after) if after else (None,) * 4
    rows = await conn.fetch(PAGE, *about, *since, limit + 1)
    items = [Kept(**{name: row[name] for name in Kept.__struct_fields__}) for row in rows[:limit]]
    last = rows[limit - 1] if len(rows) > limit else None
    return KeptPage(
        items=items,
        next=cursors.write(_Cursor(*(last[name] for name in _Cursor.__struct_fields__))) if last else None,
        total=await conn.fetchval(TOTAL, *about) if total else None,
    )


ONE = "select scope_kind, scope, figures, digest from report where district = $1 and id = $2"
NEWEST = """
select id from report where district = $1 and period = $2 and scope_kind = $3 and scope = $4
order by version desc limit 1
"""


class Report(Struct, frozen=True, kw_only=True):
    """A brief with the titles of the issues that it names, by their ids; None for what was forgotten since."""

    id: UUID
    figures: Figures
    digest: str
    titles: dict[str, str | None]


async def one(conn: Connection, reader: Reader, district: District, report: UUID) -> Report:
    """A brief within reach. Raises NotFound."""
    scopes.refuse_who_reads_nothing(reader)
    row = await conn.fetchrow(ONE, district.district, report)
    if row is None or not (await within(conn, reader, district)).holds(row["scope_kind"], row["scope"]):
        raise NotFound
    return await _with_titles(conn, district.district, report, row)


async def newest(conn: Connection, district: int, period: str, scope: Scope) -> Report | None:
    """The newest brief of a place and period, for whoever may read it."""
    found = await conn.fetchval(NEWEST, district, period, scope.kind, scope.code)
    row = await conn.fetchrow(ONE, district, found) if found else None
    return await _with_titles(conn, district, found, row) if row else None


async def _with_titles(conn: Connection, district: int, report: UUID, row: Any) -> Report:
    figures = reports.read(row["figures"])
    titles = await report_cases.titles(conn, district, list(figures.issues()))
    said = {str(issue): title for issue, title in titles.items()}
    return Report(id=report, figures=figures, digest=row["digest"].hex(), titles=said)


async def choose_cases(
    conn: Connection, reader: Reader, district: District, report: UUID, numbers: Sequence[int], now: datetime
) -> UUID:
    """The same brief with other good cases, as its next version; its id. Raises NotFound and NotAGoodCase."""
    before = await one(conn, reader, district, report)
    figures = before.figures
    making = await conn.fetchval("select making from report where district = $1 and id = $2", district.district, report)
    cases = await report_cases.named(
        conn,
        report_sources.everything(district.district),
        district.zone,
        report_sources.of_scope(figures.scope),
        named(figures.period),
        figures.known_at,
        numbers,
    )
    version = await conn.fetchval(
        report_makings.VERSION, district.district, figures.period, figures.scope.kind, figures.scope.code
    )
    changed = msgspec.structs.replace(figures, cases=cases, version=version + 1, chosen_by_hand=True)
    by = Actor("member", str(reader.member))
    return await report_makings.keep(conn, district.district, changed, making, reader.member, by, now)


async def tell_fetched(conn: Connection, district: int, by: Actor, found: Report, format_: str, now: datetime) -> None:
    """Write into the history who took a brief as a file."""
    scope = found.figures.scope
    facts = {
        "what": f"report.{format_}",
        "report": str(found.id),
        "period": found.figures.period,
        "scope": f"{scope.kind}:{scope.code}",
        "version": found.figures.version,
    }
    event = occurrence(district=district, kind="export", event="exported", actor=by, now=now, facts=facts)
    await history.append(conn, [event], [])


# --- how far those are that are being made

MAKINGS = f"""
select {report_makings.COLUMNS} from report_making
where district = $1 and (state in ('waiting', 'making') or ended_at > $2)
order by asked_at desc, id limit 200
"""


async def makings(conn: Connection, reader: Reader, district: District, since: datetime) -> list[Making]:
    """What is being made of places within reach, and what ended since; of whole districts for who reads one."""
    rows = await conn.fetch(MAKINGS, district.district, since)
    found = [Making(**row) for row in rows]
    reached = await within(conn, reader, district)
    return [one for one in found if may_follow(one, reached, reader.district)]


def may_follow(making: Making, reached: Within, district: int) -> bool:
    """Whether somebody may see, and cancel, a making: they read all that it makes."""
    if making.scope_kind is None or making.scope is None:
        return reached.holds("district", str(district))
    return reached.holds(making.scope_kind, making.scope)


async def making(conn: Connection, reader: Reader, district: District, id_: UUID) -> Making:
    """One making within reach. Raises NotFound."""
    scopes.refuse_who_reads_nothing(reader)
    found = await report_makings.one(conn, district.district, id_)
    if not may_follow(found, await within(conn, reader, district), district.district):
        raise NotFound
    return found


async def place(conn: Connection, reader: Reader, district: District, kind: ScopeKind, code: str) -> Scope:
    """A place within reach. Raises NotFound, and NotAllowed for whoever looks after no places."""
    reader.require(*READING)
    reached = await within(conn, reader, district)
    scope = next((one for one in reached.scopes if (one.kind, one.code) == (kind, code)), None)
    if scope is None:
        raise NotFound("scope")
    return scope

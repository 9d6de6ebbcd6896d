"""Bookings that came to nothing: who had a place and did not come, and what was given up; for who looks after the team,
dispatchers, and who works in the service's community."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys import cursors
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.people.scopes import Parameters
from surveys.refusals import InvalidCursor
from surveys.volunteering import standing
from surveys.volunteering.bookings import Via

Outcome = Literal["missed", "cancelled"]


class OutcomeItem(Struct, frozen=True, kw_only=True):
    """A booking with its service; `door` is where the reader reaches it."""

    id: UUID
    number: int
    persons: int
    via: Via
    card: str | None
    door: str | None
    service: UUID
    title: str
    team: str
    starts_at: datetime


class OutcomePage(Struct, frozen=True, kw_only=True):
    """A part of the bookings, those of the latest services first; `total` counts all parts."""

    items: list[OutcomeItem]
    next: str | None
    total: int


class _Cursor(Struct, frozen=True, array_like=True):
    at: datetime
    id: UUID
    outcome: str


# Names and texts are looked up for no more than are shown.
PAGE = """
with part as (
  select b.*, s.starts_at, s.team, s.text_version {from_} {after} order by s.starts_at desc, b.id desc limit {limit}
)
select b.id, b.number, b.persons, b.via, b.card, b.service, b.starts_at, coalesce(t.body->>'title', '') as title,
       coalesce(n.body->>'name', '') as team,
       nullif(concat_ws(' · ', d.body->>'name', nullif(d.body->>'address', '')), '') as door
from part b
join volunteer_team v on v.district = $1 and v.id = b.team
left join text_version t on t.district = $1 and t.subject = b.service and t.version = b.text_version
left join text_version n on n.district = $1 and n.subject = v.id and n.version = v.text_version
left join premises p on p.district = $1 and p.id = b.premises and {reached}
left join text_version d on d.district = $1 and d.subject = p.id and d.version = p.text_version
order by b.starts_at desc, b.id desc
"""


async def page(
    conn: Connection,
    reader: Reader,
    outcome: Outcome,
    *,
    team: UUID | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> OutcomePage:
    """A part of the bookings that came to this. Raises NotAllowed for whoever holds no role that reads,
    InvalidCursor."""
    from_, parameter = await _of(conn, reader, outcome, team)
    counted: int = await conn.fetchval(f"select count(*) {from_}", *parameter.values)
    after = ""
    if cursor is not None:
        last = cursors.read(cursor, _Cursor)
        if last.outcome != outcome:
            raise InvalidCursor("cursor")
        after = f"and (s.starts_at, b.id) < ({parameter(last.at)}, {parameter(last.id)})"
    reached = (await scopes.reach(conn, reader)).condition(parameter, "premises", "p") or "true"
    query = PAGE.format(from_=from_, after=after, limit=parameter(limit + 1), reached=reached)
    items = [OutcomeItem(**row) for row in await conn.fetch(query, *parameter.values)]
    more = len(items) > limit
    end = _Cursor(items[limit - 1].starts_at, items[limit - 1].id, outcome) if more else None
    return OutcomePage(items=items[:limit], next=cursors.write(end) if end else None, total=counted)


async def count(conn: Connection, reader: Reader, outcome: Outcome, team: UUID) -> int:
    """How many the list of a team has. Raises NotAllowed."""
    from_, parameter = await _of(conn, reader, outcome, team)
    counted: int = await conn.fetchval(f"select count(*) {from_}", *parameter.values)
    return counted


async def _of(conn: Connection, reader: Reader, outcome: Outcome, team: UUID | None) -> tuple[str, Parameters]:
    scopes.refuse_who_reads_nothing(reader)
    parameter = Parameters(reader.district, outcome)
    conditions = ["b.district = $1", "b.state = $2"]
    if team is not None:
        conditions.append(f"s.team = {parameter(team)}::uuid")
    if not reader.roles() & {"administrator", "dispatcher"}:
        own = (await standing.of_reader(conn, reader)).condition(parameter, "v") or "true"
        conditions.append(f"({own} or s.community = any({parameter(reader.scopes('community'))}::text[]))")
    joined = (
        "from booking b join service s on s.district = b.district and s.id = b.service"
        " join volunteer_team v on v.district = s.district and v.id = s.team where "
    )
    return joined + " and ".join(conditions), parameter

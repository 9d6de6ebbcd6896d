"""The doors of a campaign as a list and on a map, each with its state."""

from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys import cursors
from surveys.coverage import coverage, coverage_query
from surveys.coverage.coverage_query import Asked
from surveys.issues.placing import CommunityName, Point
from surveys.people.people import Handler
from surveys.people.scopes import Parameters
from surveys.premises.door_states import DoorState
from surveys.premises.premises import PremisesKind
from surveys.selections import Selection

MOST_IN_VIEW = 2_000


class Organisation(Struct, frozen=True):
    """An organisation as people read it."""

    id: UUID
    name: str


class DoorItem(Struct, frozen=True, kw_only=True):
    """A door with its state: how often it was visited in the round, how often nobody was at home, and when last."""

    id: UUID
    kind: PremisesKind
    name: str | None
    address: str | None
    community: CommunityName | None
    position: Point | None
    proposed: bool
    organisation: Organisation | None
    member: Handler | None
    state: DoorState
    visits: int
    tries: int
    visited_at: datetime | None


class DoorPage(Struct, frozen=True, kw_only=True):
    """A part of the doors, community by community; `total` counts all parts."""

    items: list[DoorItem]
    next: str | None
    total: int | None = None


class DoorPoint(Struct, frozen=True, kw_only=True):
    """A door on a map, without a word of what it is called."""

    id: UUID
    kind: PremisesKind
    state: DoorState
    tries: int
    proposed: bool
    held: bool
    lon: float
    lat: float


class DoorPoints(Struct, frozen=True, kw_only=True):
    """The doors in a box; not all of them when there are `more`."""

    items: list[DoorPoint]
    more: bool


class _Cursor(Struct, frozen=True, array_like=True):
    """Where a page ended."""

    community: str | None
    id: UUID


NAMED = """
select door.*, t.body->>'name' as name, t.body->>'address' as address, c.name as community_name, c.street,
       o.name as organisation_name, m.name as member_name
from {door}
left join text_version t on t.district = $1 and t.subject = door.id and t.version = door.text_version
left join community c on c.district = $1 and c.code = door.community
left join organisation o on o.district = $1 and o.id = door.organisation
left join member m on m.district = $1 and m.id = door.member
"""
ORDER = "order by door.community, door.id"


async def page(
    conn: Connection, about: Asked, *, limit: int = 50, cursor: str | None = None, total: bool = True
) -> DoorPage:
    """A part of the doors that are asked for. Raises InvalidCursor and InvalidFilter."""
    await conn.execute(coverage.IN_MEMORY)
    after = cursors.read(cursor, _Cursor) if cursor else None
    parameter = coverage_query.begun(about.span)
    query = await coverage_query.doors(
        conn, about, parameter=parameter, besides=_after(after, parameter) if after else "true"
    )
    text = f"{NAMED.format(door=query.text)} {ORDER} limit {parameter(limit + 1)}"
    rows = await conn.fetch(text, *parameter.values)
    items = [_item(row) for row in rows[:limit]]
    last = rows[limit - 1] if len(rows) > limit else None
    return DoorPage(
        items=items,
        next=cursors.write(_Cursor(last["community"], last["id"])) if last else None,
        total=await coverage.total(conn, about) if total else None,
    )


def _after(after: _Cursor, parameter: Parameters) -> str:
    """The doors of no community come last."""
    id_ = f"{parameter(after.id)}::uuid"
    if after.community is None:
        return f"p.community is null and p.id > {id_}"
    return f"((p.community, p.id) > ({parameter(after.community)}::text, {id_}) or p.community is null)"


def _item(row: Any) -> DoorItem:
    return DoorItem(
        id=row["id"],
        kind=row["kind"],
        name=row["name"],
        address=row["address"],
        community=CommunityName(row["community"], row["community_name"]) if row["community"] else None,
        position=Point(row["lon"], row["lat"]) if row["lon"] is not None else None,
        proposed=row["register_state"] == "proposed",
        organisation=Organisation(row["organisation"], row["organisation_name"]) if row["organisation"] else None,
        member=Handler(row["member"], row["member_name"]) if row["member"] else None,
        state=row["state"],
        visits=row["visits"],
        tries=row["tries"],
        visited_at=row["visited_at"],
    )


# A door with its state in the round, and the codes and names of what it stands in.
ROWS = """
select p.code, door.kind as premises_kind, t.body->>'name' as premises_name, t.body->>'address' as premises_address,
       door.state as door_state, door.visits, door.tries, door.visited_at, o.name as organisation_name,
       m.number as member, m.name as member_name, door.community, c.name as community_name, c.street,
       s.name as street_name, door.lon, door.lat, door.id
from {door}
join premises p on p.district = $1 and p.id = door.id
left join text_version t on t.district = $1 and t.subject = door.id and t.version = door.text_version
left join community c on c.district = $1 and c.code = door.community
left join street s on s.district = $1 and s.code = c.street
left join organisation o on o.district = $1 and o.id = door.organisation
left join member m on m.district = $1 and m.id = door.member
"""


async def selection(conn: Connection, about: Asked) -> Selection:
    """All doors that are asked for, in the order of the list. Raises InvalidFilter."""
    query = await coverage_query.doors(conn, about)
    return Selection(f"{ROWS.format(door=query.text)} {ORDER}", tuple(query.parameter.values))


async def in_view(conn: Connection, about: Asked) -> DoorPoints:
    """The doors in the box that is asked for, as many as a map can show. Raises InvalidFilter."""
    query = await coverage_query.doors(conn, about, besides="p.cell is not null")
    text = f"select * from {query.text} order by id limit {query.parameter(MOST_IN_VIEW + 1)}"
    rows = await conn.fetch(text, *query.parameter.values)
    points = [
        DoorPoint(
            id=row["id"],
            kind=row["kind"],
            state=row["state"],
            tries=row["tries"],
            proposed=row["register_state"] == "proposed",
            held=row["member"] is not None,
            lon=row["lon"],
            lat=row["lat"],
        )
        for row in rows[:MOST_IN_VIEW]
    ]
    return DoorPoints(items=points, more=len(rows) > MOST_IN_VIEW)

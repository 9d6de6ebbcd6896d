"""Volunteer teams as everybody who reads finds them, with what each does, where, and how many are in it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record
from msgspec import Struct

from surveys import cursors
from surveys.people import organisations
from surveys.people.member_lists import OrganisationName
from surveys.people.people import Reader
from surveys.people.scopes import Parameters
from surveys.refusals import InvalidCursor, InvalidFilter, NotFound
from surveys.volunteering import standing, volunteers
from surveys.volunteering.teams import Kind

LONGEST_TEXT = 100


class Place(Struct, frozen=True, kw_only=True):
    """A street or community that a team serves."""

    kind: str
    code: str
    name: str


class Leader(Struct, frozen=True, kw_only=True):
    """Who leads a team: by name to who looks after it, and to others as in public."""

    id: UUID
    name: str


class TeamItem(Struct, frozen=True, kw_only=True):
    """A team as a list shows it; one without an area serves the whole district. `looked_after` says whether this reader
    does."""

    id: UUID
    version: int
    name: str
    about: str
    kind: Kind
    organisation: OrganisationName
    leader: Leader | None
    areas: list[Place]
    volunteers: int
    founded_at: datetime
    closed_at: datetime | None
    looked_after: bool


class TeamPage(Struct, frozen=True, kw_only=True):
    """A part of the teams, by name; `total` counts all parts."""

    items: list[TeamItem]
    next: str | None
    total: int | None = None


class TeamFilters(Struct, frozen=True, kw_only=True):
    """Which teams: of these kinds, that serve a community or street, in which somebody has a skill or is free on a
    weekday, of an organisation or one below it, with a part of their name; closed ones only when asked for."""

    kind: tuple[Kind, ...] = ()
    community: str | None = None
    street: str | None = None
    skill: UUID | None = None
    weekday: int | None = None
    organisation: UUID | None = None
    text: str | None = None
    closed: bool = False
    mine: bool = False  # that the reader looks after


class _Cursor(Struct, frozen=True, array_like=True):
    name: str
    id: UUID
    asked: str


_IN_IT = "team_volunteer m where m.district = t.district and m.team = t.id and m.left_at is null"
_ANYWHERE = "not exists (select from volunteer_team_area a where a.district = t.district and a.team = t.id)"
_AREA = "select from volunteer_team_area a where a.district = t.district and a.team = t.id"
# What each filter asks of a team; {} stands for its value.
CONDITIONS: Mapping[str, str] = {
    "kind": "t.kind = any({}::text[])",
    "community": f"""({_ANYWHERE} or exists ({_AREA} and ((a.kind = 'community' and a.code = {{0}}::text)
      or (a.kind = 'street' and a.code = (select c.street from community c where c.district = t.district
                                            and c.code = {{0}}::text)))))""",
    "street": f"""({_ANYWHERE} or exists ({_AREA} and ((a.kind = 'street' and a.code = {{0}}::text)
      or (a.kind = 'community' and (select c.street from community c where c.district = t.district
                                      and c.code = a.code) = {{0}}::text))))""",
    "skill": f"""exists (select from {_IN_IT} and exists (select from volunteer_skill s
      where s.district = m.district and s.volunteer = m.volunteer and s.skill = {{}}::uuid))""",
    "weekday": f"""exists (select from {_IN_IT} and exists (select from volunteer_hours h
      where h.district = m.district and h.volunteer = m.volunteer and h.weekday = {{}}::smallint))""",
    "organisation": "t.organisation = any({}::uuid[])",
    "text": "x.body->>'name' ilike {}::text",
}
SEEN = """
select t.id, t.version, x.body->>'name' as name, coalesce(x.body->>'about', '') as about, t.kind, t.organisation,
       t.leader, t.founded_at, t.closed_at, {looked_after} as looked_after
from volunteer_team t
join text_version x on x.district = t.district and x.subject = t.id and x.version = t.text_version
where t.district = $1 and {where}
"""
FURTHER = """
select t.id, (select count(*) from team_volunteer m
               where m.district = $1 and m.team = t.id and m.left_at is null) as volunteers,
       array(select (a.kind, a.code, coalesce(s.name, c.name, a.code)) from volunteer_team_area a
               left join street s on a.kind = 'street' and s.district = a.district and s.code = a.code
               left join community c on a.kind = 'community' and c.district = a.district and c.code = a.code
              where a.district = $1 and a.team = t.id order by a.kind desc, a.code) as areas
from volunteer_team t where t.district = $1 and t.id = any($2)
"""


async def page(
    conn: Connection,
    reader: Reader,
    filters: TeamFilters,
    *,
    limit: int = 50,
    cursor: str | None = None,
    total: bool = True,
) -> TeamPage:
    """A part of the teams. Raises NotAllowed, InvalidFilter and InvalidCursor."""
    parameter = Parameters(reader.district)
    seen = await _seen(conn, reader, filters, parameter)
    counted = tuple(parameter.values)
    asked = repr(filters)
    after = ""
    if cursor:
        read = cursors.read(cursor, _Cursor)
        if read.asked != asked or "\x00" in read.name:
            raise InvalidCursor("cursor")
        after = f"where (name, id) > ({parameter(read.name)}::text, {parameter(read.id)}::uuid)"
    rows = await conn.fetch(
        f"select * from ({seen}) s {after} order by name, id limit {parameter(limit + 1)}", *parameter.values
    )
    items = await _items(conn, reader.district, rows[:limit])
    return TeamPage(
        items=items,
        next=cursors.write(_Cursor(items[-1].name, items[-1].id, asked)) if len(rows) > limit else None,
        total=await conn.fetchval(f"select count(*) from ({seen}) s", *counted) if total else None,
    )


async def one(conn: Connection, reader: Reader, team: UUID) -> TeamItem:
    """A team, a closed one too. Raises NotAllowed and NotFound."""
    parameter = Parameters(reader.district)
    looked_after = (await standing.of_reader(conn, reader)).condition(parameter) or "true"
    question = SEEN.format(looked_after=looked_after, where=f"t.id = {parameter(team)}")
    rows = await conn.fetch(question, *parameter.values)
    if not rows:
        raise NotFound
    [item] = await _items(conn, reader.district, rows)
    return item


async def _seen(conn: Connection, reader: Reader, filters: TeamFilters, parameter: Parameters) -> str:
    stands = await standing.of_reader(conn, reader)
    looked_after = stands.condition(parameter) or "true"
    where = [f"t.closed_at is {'not ' if filters.closed else ''}null"]
    if filters.mine:
        where.append(looked_after)
    values: dict[str, Any] = {
        "kind": list(filters.kind) or None,
        "community": filters.community,
        "street": filters.street,
        "skill": filters.skill,
        "weekday": filters.weekday,
        "organisation": await _below(conn, reader.district, filters.organisation),
        "text": pattern(filters.text),
    }
    where += [CONDITIONS[name].format(parameter(value)) for name, value in values.items() if value is not None]
    return SEEN.format(looked_after=looked_after, where=" and ".join(where))


async def _below(conn: Connection, district: int, organisation: UUID | None) -> list[UUID] | None:
    return sorted(await organisations.below(conn, district, [organisation])) if organisation else None


def pattern(text: str | None) -> str | None:
    """A part of a name as LIKE looks for it. Raises InvalidFilter."""
    folded = " ".join((text or "").split())
    if len(folded) > LONGEST_TEXT or "\x00" in folded:
        raise InvalidFilter("text", expected=f"1–{LONGEST_TEXT} characters")
    escaped = folded.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%" if folded else None


async def _items(conn: Connection, district: int, rows: Sequence[Record]) -> list[TeamItem]:
    """Rows with what belongs to them, looked up once for all of them."""
    if not rows:
        return []
    further = {row["id"]: row for row in await conn.fetch(FURTHER, district, [row["id"] for row in rows])}
    paths = await organisations.paths(conn, district)
    names = {
        own: await volunteers.named(
            conn,
            district,
            [row["leader"] for row in rows if row["leader"] and row["looked_after"] == own],
            public=not own,
        )
        for own in (True, False)
    }
    return [
        TeamItem(
            **{name: row[name] for name in ("id", "version", "name", "about", "kind", "looked_after")},
            organisation=OrganisationName(row["organisation"], paths.get(row["organisation"], "")),
            leader=Leader(id=row["leader"], name=names[row["looked_after"]][row["leader"]]) if row["leader"] else None,
            areas=[Place(kind=kind, code=code, name=name) for kind, code, name in further[row["id"]]["areas"]],
            volunteers=further[row["id"]]["volunteers"],
            founded_at=row["founded_at"],
            closed_at=row["closed_at"],
        )
        for row in rows
    ]

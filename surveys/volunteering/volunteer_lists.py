"""Volunteers as who looks after them lists them: of a team, of a past day, who can do something and is free."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection, Record
from msgspec import Struct

from surveys import cursors
from surveys.people.people import Reader
from surveys.people.scopes import Parameters
from surveys.privacy.sealing import KeyRing
from surveys.refusals import InvalidCursor, NotAllowed, NotFound
from surveys.volunteering import standing, volunteer_phones
from surveys.volunteering.skills import clock
from surveys.volunteering.standing import Standing
from surveys.volunteering.team_lists import pattern


class Named(Struct, frozen=True, kw_only=True):
    """A community, skill or team by its code or id."""

    id: str
    name: str


class VolunteerItem(Struct, frozen=True, kw_only=True):
    """A volunteer as who looks after them sees them: the phone masked, `member` the number by which a member is known,
    `has_link` whether a personal link opens their page. `left_at` is when they left the team that was asked for."""

    id: UUID
    version: int
    number: str
    name: str
    member: str | None
    community: Named | None
    phone: str | None
    skills: list[Named]
    hours: list[str]
    teams: list[Named]
    name_public: bool
    has_link: bool
    joined_at: datetime
    ended_at: datetime | None


class VolunteerPage(Struct, frozen=True, kw_only=True):
    """A part of the volunteers, by number; `total` counts all parts."""

    items: list[VolunteerItem]
    next: str | None
    total: int | None = None


class VolunteerFilters(Struct, frozen=True, kw_only=True):
    """Which volunteers: of a team (at a moment, as was known at another), of a community, with a skill, free on a
    weekday or at a moment, with a part of their name or number."""

    team: UUID | None = None
    at: datetime | None = None
    known_at: datetime | None = None
    community: str | None = None
    skill: UUID | None = None
    weekday: int | None = None
    free_at: datetime | None = None
    text: str | None = None


class _Cursor(Struct, frozen=True, array_like=True):
    number: str
    asked: str


_IN_TEAM = "select from team_volunteer m where m.district = v.district and m.volunteer = v.id"
# What each filter asks of a volunteer; {} stands for its value.
CONDITIONS: Mapping[str, str] = {
    "community": "v.community = {}::text",
    "skill": """exists (select from volunteer_skill s
      where s.district = v.district and s.volunteer = v.id and s.skill = {}::uuid)""",
    "weekday": """exists (select from volunteer_hours h
      where h.district = v.district and h.volunteer = v.id and h.weekday = {}::smallint)""",
    "text": "(coalesce(n.name, x.body->>'name') ilike {0}::text or v.number ilike {0}::text)",
}
FREE_AT = """exists (select from volunteer_hours h where h.district = v.district and h.volunteer = v.id
  and h.weekday = {}::smallint and h.starts <= {}::smallint and h.ends > {}::smallint)"""
SEEN = """
select v.id, v.version, v.number, coalesce(n.name, x.body->>'name', v.number) as name, n.number as member, v.community,
       v.name_public_since is not null as name_public, v.joined_at, v.ended_at
from volunteer v
left join member n on n.district = v.district and n.id = v.member
left join text_version x on x.district = v.district and x.subject = v.id and x.version = v.text_version
where v.district = $1 and {where}
"""
FURTHER = """
select v.id, c.name as community,
  array(select (k.id::text, k.name) from volunteer_skill s join skill k on k.district = s.district and k.id = s.skill
         where s.district = $1 and s.volunteer = v.id order by k.name) as skills,
  array(select (h.weekday, h.starts, h.ends) from volunteer_hours h
         where h.district = $1 and h.volunteer = v.id order by h.weekday, h.starts) as hours,
  array(select (t.id::text, x.body->>'name') from team_volunteer m
          join volunteer_team t on t.district = m.district and t.id = m.team
          join text_version x on x.district = t.district and x.subject = t.id and x.version = t.text_version
         where m.district = $1 and m.volunteer = v.id and m.left_at is null order by x.body->>'name', t.id) as teams,
  exists (select from volunteer_pass p
           where p.district = $1 and p.volunteer = v.id and p.revoked_at is null) as has_link
from volunteer v left join community c on c.district = v.district and c.code = v.community
where v.district = $1 and v.id = any($2)
"""


def reached(stands: Standing, parameter: Parameters) -> str:
    """The condition on rows of `volunteer` under which a reader looks after them: in a team of theirs, or first of all
    in a community of theirs."""
    theirs = stands.condition(parameter)
    if theirs is None:
        return "true"
    of_theirs = f"select from volunteer_team t where t.district = m.district and t.id = m.team and {theirs}"
    ways = [f"exists ({_IN_TEAM} and m.left_at is null and exists ({of_theirs}))"]
    if stands.communities:
        ways.append(f"v.community = any({parameter(stands.communities)}::text[])")
    return f"({' or '.join(ways)})"


async def page(
    conn: Connection,
    ring: KeyRing,
    reader: Reader,
    filters: VolunteerFilters,
    zone: ZoneInfo,
    now: datetime,
    *,
    limit: int = 50,
    cursor: str | None = None,
    total: bool = True,
) -> VolunteerPage:
    """A part of the volunteers whom this reader looks after; of a team all who were in it then, and who has ended it is
    a number. Raises NotAllowed for who looks after nobody, or not after the team, InvalidFilter and InvalidCursor."""
    parameter = Parameters(reader.district)
    seen = await _seen(conn, reader, filters, zone, now, parameter)
    counted = tuple(parameter.values)
    asked, after = repr(filters), ""
    if cursor:
        read = cursors.read(cursor, _Cursor)
        if read.asked != asked or "\x00" in read.number:
            raise InvalidCursor("cursor")
        after = f"where number > {parameter(read.number)}::text"
    rows = await conn.fetch(
        f"select * from ({seen}) s {after} order by number limit {parameter(limit + 1)}", *parameter.values
    )
    items = await _items(conn, ring, reader.district, rows[:limit])
    return VolunteerPage(
        items=items,
        next=cursors.write(_Cursor(items[-1].number, asked)) if len(rows) > limit else None,
        total=await conn.fetchval(f"select count(*) from ({seen}) s", *counted) if total else None,
    )


async def _seen(
    conn: Connection, reader: Reader, filters: VolunteerFilters, zone: ZoneInfo, now: datetime, parameter: Parameters
) -> str:
    if filters.team is not None:
        await standing.refuse_who_does_not_look_after(conn, reader, filters.team)
        when, known = parameter(filters.at or now), parameter(filters.known_at or now)
        began = f"m.joined_at <= {when}::timestamptz and m.recorded_at <= {known}::timestamptz"
        not_over = f"(m.left_at is null or m.left_at > {when} or m.left_recorded_at > {known})"
        where = [f"exists ({_IN_TEAM} and m.team = {parameter(filters.team)}::uuid and {began} and {not_over})"]
    else:
        stands = await standing.of_reader(conn, reader)
        if not await looks_after_any(conn, stands):
            raise NotAllowed
        where = ["v.ended_at is null", reached(stands, parameter)]
    values: dict[str, Any] = {
        "community": filters.community,
        "skill": filters.skill,
        "weekday": filters.weekday,
        "text": pattern(filters.text),
    }
    where += [CONDITIONS[name].format(parameter(value)) for name, value in values.items() if value is not None]
    if filters.free_at is not None:
        local = filters.free_at.astimezone(zone)
        minute = parameter(local.hour * 60 + local.minute)
        where.append(FREE_AT.format(parameter(local.isoweekday()), minute, minute))
    return SEEN.format(where=" and ".join(where))


LEADS = "select exists (select from volunteer_team where district = $1 and leader = $2 and closed_at is null)"


async def looks_after_any(conn: Connection, stands: Standing) -> bool:
    """Whether a reader looks after any team, or could found one."""
    if stands.district or stands.organisations or stands.communities:
        return True
    found: bool = await conn.fetchval(LEADS, stands.reader.district, stands.volunteer)
    return found


async def one(conn: Connection, ring: KeyRing, reader: Reader, volunteer: UUID) -> VolunteerItem:
    """A volunteer whom this reader looks after. Raises NotAllowed, and NotFound for one whom others do."""
    await refuse_who_does_not_look_after(conn, reader, volunteer)
    rows = await conn.fetch(SEEN.format(where="v.id = $2"), reader.district, volunteer)
    [item] = await _items(conn, ring, reader.district, rows)
    return item


async def refuse_who_does_not_look_after(conn: Connection, reader: Reader, volunteer: UUID) -> None:
    """Raises NotAllowed for who looks after nobody, and NotFound for a volunteer whom others look after."""
    stands = await standing.of_reader(conn, reader)
    if not await looks_after_any(conn, stands):
        raise NotAllowed
    parameter = Parameters(reader.district, volunteer)
    question = f"select from volunteer v where v.district = $1 and v.id = $2 and {reached(stands, parameter)}"
    if not await conn.fetch(question, *parameter.values):
        raise NotFound


async def _items(conn: Connection, ring: KeyRing, district: int, rows: Sequence[Record]) -> list[VolunteerItem]:
    """Rows with what belongs to them, looked up once for all of them."""
    ids = [row["id"] for row in rows]
    if not ids:
        return []
    further = {row["id"]: row for row in await conn.fetch(FURTHER, district, ids)}
    phones = await volunteer_phones.masked(conn, ring, district, ids)
    return [_item(row, further[row["id"]], phones.get(row["id"])) for row in rows]


def _item(row: Record, further: Record, phone: str | None) -> VolunteerItem:
    return VolunteerItem(
        **{name: row[name] for name in ("id", "version", "number", "name", "member", "name_public")},
        **{name: row[name] for name in ("joined_at", "ended_at")},
        community=Named(id=row["community"], name=further["community"]) if row["community"] else None,
        phone=phone,
        skills=[Named(id=id_, name=name) for id_, name in further["skills"]],
        hours=[f"{weekday} {clock(starts)}-{clock(ends)}" for weekday, starts, ends in further["hours"]],
        teams=[Named(id=id_, name=name) for id_, name in further["teams"]],
        has_link=further["has_link"],
    )

"""For whom something is promised: named doors, communities, or everybody in the organisation's area as it is then."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys.people import scopes
from surveys.people.people import Reader
from surveys.people.scopes import Parameters
from surveys.refusals import Missing, UnknownArea, UnknownCommunity

Aim = Literal["doors", "communities", "area"]
Kind = Literal["premises", "community", "street", "district"]

Doors = Annotated[tuple[UUID, ...], Meta(max_length=200)]
Communities = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...], Meta(max_length=200)]


class ForWhom(Struct, frozen=True, kw_only=True):
    """For whom, as it is asked for; an organisation's area needs nothing beside it."""

    aim: Aim
    doors: tuple[UUID, ...] = ()
    communities: tuple[str, ...] = ()


class Part(Struct, frozen=True, order=True):
    """A door, community, street or the district as a whole, by its id or code."""

    kind: Kind
    code: str


async def resolved(conn: Connection, reader: Reader, organisation: UUID, whom: ForWhom) -> list[Part]:
    """Who is meant. Doors must be within the reader's reach.

    Raises Missing where none is named, UnknownArea for a door and UnknownCommunity."""
    if whom.aim == "doors":
        return await _doors(conn, reader, whom.doors)
    if whom.aim == "communities":
        return await _communities(conn, reader.district, whom.communities)
    return await _area(conn, reader.district, organisation)


DOORS = """
select p.id from premises p
where p.district = $1 and p.id = any($2) and p.state in ('proposed', 'confirmed') and {reached}
"""


async def _doors(conn: Connection, reader: Reader, doors: Sequence[UUID]) -> list[Part]:
    if not doors:
        raise Missing("doors")
    wanted = sorted(set(doors))
    parameter = Parameters(reader.district, wanted)
    reached = (await scopes.reach(conn, reader)).condition(parameter, "premises", "p") or "true"
    there = {row["id"] for row in await conn.fetch(DOORS.format(reached=reached), *parameter.values)}
    for door in wanted:
        if door not in there:
            raise UnknownArea("doors", given=str(door))
    return [Part("premises", str(door)) for door in wanted]


COMMUNITIES = "select code from community where district = $1 and code = any($2)"


async def _communities(conn: Connection, district: int, communities: Sequence[str]) -> list[Part]:
    if not communities:
        raise Missing("communities")
    wanted = sorted(set(communities))
    there = {row["code"] for row in await conn.fetch(COMMUNITIES, district, wanted)}
    for code in wanted:
        if code not in there:
            raise UnknownCommunity("communities", given=code)
    return [Part("community", code) for code in wanted]


# The areas of an organisation; of one without any, those of the nearest above it that has some.
AREA = """
with recursive above as (
  select o.id, o.parent, 0 as steps from organisation o where o.district = $1 and o.id = $2
  union all
  select o.id, o.parent, a.steps + 1 from above a join organisation o on o.district = $1 and o.id = a.parent
), area as (
  select a.kind, a.code, above.steps from above
  join organisation_area a on a.district = $1 and a.organisation = above.id
)
select distinct kind, code from area where steps = (select min(steps) from area) order by kind, code
"""


async def _area(conn: Connection, district: int, organisation: UUID) -> list[Part]:
    found = [Part(row["kind"], row["code"]) for row in await conn.fetch(AREA, district, organisation)]
    return found or [Part("district", "")]


FORGET = "delete from commitment_audience where district = $1 and commitment = $2"
WRITE = """
insert into commitment_audience (district, commitment, kind, code)
select $1, $2, kind, code from unnest($3::text[], $4::text[]) p(kind, code)
"""


async def write(conn: Connection, district: int, commitment: UUID, parts: Sequence[Part]) -> None:
    """Write down who is meant, in place of whoever was."""
    await conn.execute(FORGET, district, commitment)
    kinds, codes = [part.kind for part in parts], [part.code for part in parts]
    await conn.execute(WRITE, district, commitment, kinds, codes)


class Door(Struct, frozen=True):
    """A door that a member can name, as a form offers it."""

    id: UUID
    name: str


OFFERED = """
select distinct on (name, p.id) p.id, coalesce(t.body->>'name', '') || ' ' || coalesce(t.body->>'address', '') as name
from assignment a
join premises p on p.district = $1 and p.id = a.premises and p.state in ('proposed', 'confirmed')
left join text_version t on t.district = $1 and t.subject = p.id and t.version = p.text_version
where a.district = $1 and a.member = $2
order by name, p.id limit 200
"""


async def offered(conn: Connection, reader: Reader) -> list[Door]:
    """The doors that a member has in any campaign."""
    return [Door(row["id"], row["name"].strip()) for row in await conn.fetch(OFFERED, reader.district, reader.member)]

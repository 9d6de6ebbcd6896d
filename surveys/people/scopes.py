"""What a reader reaches: the one condition under which they see a visit or an issue.

Lists, maps, counts, exports, one thing by its id, moves and corrections all ask here, so that none of them shows, or
counts, what another hides. The condition goes by the roles held now, by today's tree of organisations and by today's
areas; for a past day it goes by where an issue was then, and who answered for it."""

from collections.abc import Callable
from typing import Any, Literal
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.people.people import READING, Reader
from surveys.refusals import NotAllowed

# The columns that say to whom an issue is something: it is theirs, or they found it, are asked to take it on, follow it
# or go to its door.
PERSONS = ("owner", "reporter", "offered_to", "leader", "agent")


# A door that somebody has in any campaign; as an array, which is made once and which an index can follow.
HELD = "{column}id = any(array(select a.premises from assignment a where a.district = {district} and a.{by} = {them}))"


class Parameters:
    """The values of a query, numbered as they come: a call with the next value returns what stands for it."""

    def __init__(self, *values: Any) -> None:
        self.values = list(values)

    def __call__(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


class Reach(Struct, frozen=True, kw_only=True):
    """Where a reader sees what is there, looked up for one request: beside all that they found themselves,
    and all that is something to them."""

    reader: Reader
    district: bool  # all of it; then the others are left empty
    communities: list[str] = []
    departments: list[str] = []
    organisations: list[UUID] = []
    premises: list[UUID] = []

    def condition(
        self, parameter: Callable[[Any], str], of: Literal["visit", "issue", "premises"], alias: str = ""
    ) -> str | None:
        """The condition on rows of `visit`, `issue` or `premises` under which the reader sees them; None for every
        row of the district. `parameter` adds a value to the query and returns what stands for it.

        Each way to reach a row is one that an index can follow, and is named only for those who have it."""
        if self.district:
            return None
        column = f"{alias}." if alias else ""
        me = f"{parameter(self.reader.member)}::uuid"
        district = f"{parameter(self.reader.district)}::int" if of == "premises" else ""
        if of == "issue":
            ways = [f"{column}{name} = {me}" for name in PERSONS]
        elif of == "premises":
            ways = [f"{column}found_by = {me}", HELD.format(column=column, by="member", them=me, district=district)]
        else:
            companions = f"{column}companions"
            ways = [f"{column}member = {me}", f"({companions} <> '{{}}' and {companions} @> array[{me}])"]
        if self.communities:
            ways.append(f"{column}community = any({parameter(self.communities)}::text[])")
        if self.departments and of == "issue":
            departments = f"{parameter(self.departments)}::text[]"
            ways += [f"{column}department = any({departments})", f"{column}consulted && {departments}"]
        if self.organisations:
            theirs = f"any({parameter(self.organisations)}::uuid[])"
            if of == "premises":
                ways.append(HELD.format(column=column, by="organisation", them=theirs, district=district))
            else:
                ways.append(f"{column}organisation = {theirs}")
        if self.premises:
            door = "id" if of == "premises" else "premises"
            ways.append(f"{column}{door} = any({parameter(self.premises)}::uuid[])")
        return f"({' or '.join(ways)})"


# The organisations that hang today below those in $2, themselves among them: one that was closed stays, for what was
# done in it stays; with the areas of all these and of those in $3, and the communities of the streets in $4. They are
# looked up before they are asked with: by their number PostgreSQL judges whether few rows are meant or most.
REACH = """
with recursive below as (
  select o.id from organisation o where o.district = $1 and o.id = any($2::uuid[])
  union
  select o.id from organisation o join below on o.parent = below.id where o.district = $1
), area as (
  select a.kind, a.code from organisation_area a
  where a.district = $1 and (a.organisation = any($3::uuid[]) or a.organisation in (select id from below))
), street as (
  select code from area where kind = 'street' union select unnest($4::text[])
)
select array(select id from below) as organisations,
       array(select code from area where kind = 'community' union
             select c.code from community c where c.district = $1 and c.street in (select code from street)
            ) as communities,
       array(select code::uuid from area where kind = 'premises') as premises
"""


def refuse_who_reads_nothing(reader: Reader) -> None:
    """Raises NotAllowed for whoever holds no role that reads visits and issues."""
    if not reader.roles() & READING:
        raise NotAllowed


async def reaches(conn: Connection, reader: Reader, issue: UUID) -> bool:
    """Whether an issue that there is lies within a reader's reach. Raises NotAllowed."""
    parameter = Parameters(reader.district, issue)
    condition = (await reach(conn, reader)).condition(parameter, "issue")
    if condition is None:
        return True
    question = f"select exists (select from issue where district = $1 and id = $2 and {condition})"
    found: bool = await conn.fetchval(question, *parameter.values)
    return found


async def reach(conn: Connection, reader: Reader) -> Reach:
    """What a reader reaches. Raises NotAllowed for whoever holds no role that reads visits and issues."""
    refuse_who_reads_nothing(reader)
    roles = reader.roles()
    if reader.reads_district():
        return Reach(reader=reader, district=True)
    communities, departments = reader.scopes("community"), reader.scopes("department")
    within = [reader.organisation] if "member" in roles else []
    roots, streets = reader.scopes("organisation"), reader.scopes("street")
    if not (within or roots or streets):
        return Reach(reader=reader, district=False, communities=communities, departments=departments)
    (found,) = await conn.fetch(REACH, reader.district, roots, within, streets)
    return Reach(
        reader=reader,
        district=False,
        communities=sorted({*communities, *found["communities"]}),
        departments=departments,
        organisations=found["organisations"],
        premises=found["premises"],
    )

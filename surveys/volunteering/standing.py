"""Who looks after which volunteer team: its leader, who organises its organisation, who works in its communities."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.people import organisations
from surveys.people.people import READING, Reader
from surveys.people.scopes import Parameters
from surveys.refusals import NotAllowed, NotFound


class Standing(Struct, frozen=True, kw_only=True):
    """What a reader is to the teams of the district, looked up for one request."""

    reader: Reader
    district: bool  # all teams; then the others are left empty
    volunteer: UUID | None = None  # the reader themselves, if they serve
    organisations: list[UUID] = []
    communities: list[str] = []

    def condition(self, parameter: Callable[[Any], str], alias: str = "t") -> str | None:
        """The condition on rows of `volunteer_team` under which the reader looks after them; None for every row of the
        district. `parameter` adds a value to the query and returns what stands for it."""
        if self.district:
            return None
        ways = ["false"]
        if self.volunteer is not None:
            ways.append(f"{alias}.leader = {parameter(self.volunteer)}::uuid")
        if self.organisations:
            ways.append(f"{alias}.organisation = any({parameter(self.organisations)}::uuid[])")
        if self.communities:
            ways.append(
                f"exists (select from volunteer_team_area a where a.district = {alias}.district"
                f" and a.team = {alias}.id and a.kind = 'community'"
                f" and a.code = any({parameter(self.communities)}::text[]))"
            )
        return f"({' or '.join(ways)})"


OWN = "select id from volunteer where district = $1 and member = $2 and ended_at is null"


async def volunteer_of(conn: Connection, reader: Reader) -> UUID | None:
    """The volunteer that this reader is; None for who does not serve, or has ended it."""
    found: UUID | None = await conn.fetchval(OWN, reader.district, reader.member)
    return found


async def of_reader(conn: Connection, reader: Reader) -> Standing:
    """What a reader is to the teams of the district. Raises NotAllowed for whoever holds no role that reads."""
    roles = reader.roles()
    if not roles & READING:
        raise NotAllowed
    if "administrator" in roles:
        return Standing(reader=reader, district=True)
    roots = [UUID(scope) for scope in reader.scopes("organisation")] if "organiser" in roles else []
    return Standing(
        reader=reader,
        district=False,
        volunteer=await volunteer_of(conn, reader),
        organisations=sorted(await organisations.below(conn, reader.district, roots)) if roots else [],
        communities=reader.scopes("community"),
    )


async def refuse_who_does_not_look_after(conn: Connection, reader: Reader, team: UUID) -> None:
    """Raises NotFound for a team that there is not, and NotAllowed for one that others look after: that there are
    teams is known to everybody."""
    standing = await of_reader(conn, reader)
    parameter = Parameters(reader.district, team)
    condition = standing.condition(parameter) or "true"
    question = f"select {condition} from volunteer_team t where t.district = $1 and t.id = $2"
    found: bool | None = await conn.fetchval(question, *parameter.values)
    if found is None:
        raise NotFound
    if not found:
        raise NotAllowed

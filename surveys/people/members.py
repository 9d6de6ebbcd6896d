"""Members: who belongs to which organisation, and who of them a reader looks after."""

from datetime import datetime
from uuid import UUID

from asyncpg import Connection, Record
from msgspec import Struct

from surveys.people import organisations, roles
from surveys.people.people import Grant, Reader
from surveys.refusals import NotAllowed, NotFound


class Member(Struct, frozen=True, kw_only=True):
    """A member with the organisation that they belong to now, named from the top down, and what they may do."""

    id: UUID
    number: str
    name: str
    organisation: UUID
    path: str
    version: int
    joined_at: datetime
    closed_at: datetime | None
    grants: tuple[Grant, ...]


COLUMNS = """
select m.id, m.number, m.name, m.organisation, t.path, m.version, m.joined_at, m.closed_at,
       array(select (r.role, r.scope_kind, r.scope) from member_role r
              where r.district = m.district and r.member = m.id order by r.role, r.scope_kind, r.scope) as grants
from member m join tree t on t.id = m.organisation
where m.district = $1
"""
ONE = f"{organisations.TREE} {COLUMNS} and m.id = $2"
OPEN_IN = f"""{organisations.TREE} {COLUMNS} and m.closed_at is null and ($2::uuid is null or $2 = any(t.line))
order by t.path, m.number"""


async def manageable(conn: Connection, reader: Reader, member: UUID) -> Member:
    """The member, if this reader looks after them: an administrator after everybody, an organiser after who belongs to
    their organisations and below.

    Raises NotFound, and NotAllowed for who looks after nobody, or for a member who holds more than this reader could
    give: who can let somebody in again could else take their place."""
    reach = await organisations.within(conn, reader)
    row = await conn.fetchrow(ONE, reader.district, member)
    if row is None or (reach is not None and row["organisation"] not in reach):
        raise NotFound
    found = _member(row)
    if not roles.may_give(reach, found.grants):
        raise NotAllowed
    return found


async def open_in(conn: Connection, district: int, organisation: UUID | None) -> list[Member]:
    """Who belongs to an organisation, or to one below it, and has not left; of the whole district for None."""
    return [_member(row) for row in await conn.fetch(OPEN_IN, district, organisation)]


def _member(row: Record) -> Member:
    return Member(**{**dict(row), "grants": tuple(Grant(*grant) for grant in row["grants"])})

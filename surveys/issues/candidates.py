"""Who could take on an issue, go to its door or follow it, for a page that lets one choose."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.people import scopes
from surveys.people.people import READING, Reader, Role
from surveys.refusals import InvalidFilter

MOST = 20
LONGEST_TEXT = 50

For = Literal["take_on", "follow"]


class Candidate(Struct, frozen=True):
    """A member, and the roles by which they are known."""

    id: UUID
    name: str
    number: str
    organisation: str
    roles: list[Role]


# Members with a role that fits: those whose scope is the place or department, or those of a name or number.
FOUND = """
select m.id, m.name, m.number, o.name as organisation, array_agg(distinct r.role order by r.role) as roles
from member_role r
join member m on m.district = r.district and m.id = r.member
join organisation o on o.district = m.district and o.id = m.organisation
where r.district = $1 and m.closed_at is null and r.role = any($2) and {which}
group by m.id, m.name, m.number, o.name
order by {order} m.number limit $3
"""
NEAR = "(r.scope_kind, r.scope) in (select unnest($4::text[]), unnest($5::text[]))"
NAMED = "(m.name ilike $4 or m.number ilike $4)"
NEAREST_FIRST = "min(array_position($4::text[], r.scope_kind)),"


async def near(
    conn: Connection, reader: Reader, community: str | None, street: str | None, what: For
) -> list[Candidate]:
    """Those who have a role where an issue lies: its community's workers first, then its street's and the district's
    dispatchers; or its leaders. Raises NotAllowed for who reads no issues."""
    scopes.refuse_who_reads_nothing(reader)
    places = {"community": community, "street": street, "district": str(reader.district)}
    named = {kind: code for kind, code in places.items() if code is not None}
    roles = ["leader"] if what == "follow" else ["community_worker", "dispatcher"]
    question = FOUND.format(which=NEAR, order=NEAREST_FIRST)
    rows = await conn.fetch(question, reader.district, roles, MOST, list(named), list(named.values()))
    return [Candidate(**row) for row in rows]


async def named(conn: Connection, reader: Reader, text: str, what: For) -> list[Candidate]:
    """Those who can do it by part of their name or number. Raises NotAllowed and InvalidFilter."""
    scopes.refuse_who_reads_nothing(reader)
    folded = " ".join(text.split())
    if not folded or len(folded) > LONGEST_TEXT or "\x00" in folded:
        raise InvalidFilter("text", expected=f"1–{LONGEST_TEXT} characters")
    escaped = folded.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    roles: Sequence[Role] = ["leader"] if what == "follow" else sorted(READING)
    question = FOUND.format(which=NAMED, order="")
    rows = await conn.fetch(question, reader.district, list(roles), MOST, f"%{escaped}%")
    return [Candidate(**row) for row in rows]

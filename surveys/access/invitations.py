"""Who is to be invited: members who have not been in yet, and hold no slip that would still let them in."""

from datetime import datetime
from uuid import UUID

from asyncpg import Connection

from surveys.people import members
from surveys.people.members import Member

# Whoever has a password, or a code that can still be used.
HAVE_A_WAY_IN = """
select member from member_password where district = $1
union
select member from one_time_code where district = $1 and used_at is null and revoked_at is null and expires_at > $2
"""


async def to_invite(
    conn: Connection, district: int, organisation: UUID | None, now: datetime, *, again: bool
) -> list[Member]:
    """The open members of an organisation and of those below it, or of the district, by organisation and number.

    Who has a password already, or a slip that is still good, is left out unless they are to be invited again: a new
    code ends the earlier one."""
    found = await members.open_in(conn, district, organisation)
    if again:
        return found
    inside = {row["member"] for row in await conn.fetch(HAVE_A_WAY_IN, district, now)}
    return [member for member in found if member.id not in inside]

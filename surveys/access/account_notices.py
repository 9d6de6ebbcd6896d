"""What was done to somebody's account, told to them when they next sign in."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

from asyncpg import Connection
from msgspec import Struct

NoticeKind = Literal[
    "code_issued",  # by somebody else, which ended all sessions
    "password_changed",
    "second_factor_added",
    "second_factor_removed",
    "device_added",
    "locked_out",  # too many wrong passwords, typed by whomever
]

ADD = """
insert into account_notice (district, id, member, notice, by_member, created_at)
select $1, n.id, n.member, $4, $5, $6 from unnest($2::uuid[], $3::uuid[]) n(id, member)
"""


async def add(
    conn: Connection, district: int, members: Sequence[UUID], notice: NoticeKind, by: UUID | None, now: datetime
) -> None:
    """Keep a notice for each member; `by` is the member who did it, where it was another."""
    await conn.execute(ADD, district, [uuid4() for _ in members], list(members), notice, by, now)


class Notice(Struct, frozen=True, kw_only=True):
    """One thing that was done to an account."""

    id: UUID
    notice: NoticeKind
    by: str | None  # the name of the member who did it, where it was another
    created_at: datetime
    seen: bool


OF_MEMBER = """
select n.id, n.notice, m.name as by, n.created_at, n.seen_at is not null as seen
from account_notice n left join member m on m.district = n.district and m.id = n.by_member
where n.district = $1 and n.member = $2
order by n.created_at desc, n.id limit $3
"""


async def of_member(conn: Connection, district: int, member: UUID, limit: int = 20) -> list[Notice]:
    """The newest notices of a member, newest first."""
    return [Notice(**row) for row in await conn.fetch(OF_MEMBER, district, member, limit)]


UNSEEN = "select exists (select from account_notice where district = $1 and member = $2 and seen_at is null)"


async def any_unseen(conn: Connection, district: int, member: UUID) -> bool:
    """Whether there is something that the member has not been told yet."""
    found: bool = await conn.fetchval(UNSEEN, district, member)
    return found


SEE = "update account_notice set seen_at = $3 where district = $1 and member = $2 and seen_at is null"


async def see(conn: Connection, district: int, member: UUID, now: datetime) -> None:
    """The member has read them."""
    await conn.execute(SEE, district, member, now)


FORGET = "delete from account_notice where district = $1 and created_at < $2"


async def forget(conn: Connection, district: int, before: datetime) -> int:
    """Remove notices made before this; how many there were."""
    return int((await conn.execute(FORGET, district, before)).split()[1])

"""One-time codes: the way in for who has no password yet, or none any more. 80 random bits that name their district,
kept as SHA-256 only, good for one use until a day."""

import hashlib
import secrets
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID, uuid4

from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.access import account_notices
from surveys.history import Actor, Row
from surveys.refusals import Invalid

Purpose = Literal["first_access", "lost_access"]

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no letter that is read as a digit
LENGTH = 16  # of 5 bits each
GROUP = 4
_READ_AS = str.maketrans("OIL", "011")
_LARGEST_DISTRICT = 2_147_483_647
_LONGEST = 100  # characters somebody may have typed, spaces and dashes among them


class CodeUnusable(Invalid):
    """A code that was mistyped, used, taken back or is too old; which of these is not said."""

    code: ClassVar[str] = "code_unusable"


class Presented(Struct, frozen=True):
    """What a code that somebody gives says of itself: its district and its digest."""

    district: int
    digest: bytes


def new(district: int) -> str:
    """A code like 410103-7K3M-Q9TD-XW2R-5HNB; it is shown once and never kept."""
    drawn = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return "-".join([str(district), *(drawn[at : at + GROUP] for at in range(0, LENGTH, GROUP))])


def read(text: str) -> Presented:
    """A code as it was typed or scanned: case, dashes and spaces do not matter, nor O for 0, or I and L for 1.

    Raises CodeUnusable when it cannot be one."""
    plain = unicodedata.normalize("NFKC", text[:_LONGEST]).upper().translate(_READ_AS)
    letters = "".join(one for one in plain if one.isascii() and one.isalnum())
    district, drawn = letters[:-LENGTH], letters[-LENGTH:]
    fits = len(text) <= _LONGEST and district.isdecimal() and len(district) <= 10 and set(drawn) <= set(ALPHABET)
    if not fits or not 0 < int(district) <= _LARGEST_DISTRICT:
        raise CodeUnusable("code")
    return Presented(int(district), hashlib.sha256(f"{int(district)}-{drawn}".encode()).digest())


# A new code takes the place of every earlier one of its member.
ISSUE = """
with earlier as (
  update one_time_code set revoked_at = $6
  where district = $1 and member = any($3::uuid[]) and used_at is null and revoked_at is null
)
insert into one_time_code (district, id, digest, member, purpose, issued_at, expires_at)
select $1, c.id, c.digest, c.member, $5, $6, $7 from unnest($2::uuid[], $3::uuid[], $4::bytea[]) c(id, member, digest)
"""


async def issue(
    conn: Connection,
    district: int,
    members: Sequence[UUID],
    issued_by: Actor,
    purpose: Purpose,
    expires_at: datetime,
    now: datetime,
    reason: str | None = None,
) -> dict[UUID, str]:
    """A code for each member, which ends those that they had; it can be read this once.

    Who lost their access is told of it when they next sign in."""
    codes = {member: new(district) for member in members}
    ids = {member: uuid4() for member in codes}
    digests = [read(code).digest for code in codes.values()]
    await conn.execute(ISSUE, district, list(ids.values()), list(codes), digests, purpose, now, expires_at)
    events: list[Row] = []
    texts: list[Row] = []
    for member, id_ in ids.items():
        facts: dict[str, object] = {"code": id_, "purpose": purpose, "expires_at": expires_at}
        event_id = uuid4()
        if reason:
            text, facts["reason_digest"] = history.text_row(district, event_id, 1, {"reason": reason}, now)
            texts.append(text)
        events.append(
            history.occurrence(
                district=district,
                kind="access",
                event="code_issued",
                actor=issued_by,
                now=now,
                about=member,
                facts=facts,
                id=event_id,
            )
        )
    await history.append(conn, events, texts)
    if purpose == "lost_access":
        by = UUID(issued_by.id) if issued_by.kind == "member" else None
        await account_notices.add(conn, district, list(codes), "code_issued", by, now)
    return codes


HOLDER = """
select c.member from one_time_code c join member m on m.district = c.district and m.id = c.member
where c.district = $1 and c.digest = $2 and c.used_at is null and c.revoked_at is null and c.expires_at > $3
  and m.closed_at is null
"""


async def holder(conn: Connection, presented: Presented, now: datetime) -> UUID:
    """The member for whom a code still holds. Raises CodeUnusable."""
    member: UUID | None = await conn.fetchval(HOLDER, presented.district, presented.digest, now)
    if member is None:
        raise CodeUnusable("code")
    return member


USE = """
update one_time_code c set used_at = $3
from member m
where c.district = $1 and c.digest = $2 and c.used_at is null and c.revoked_at is null and c.expires_at > $3
  and m.district = c.district and m.id = c.member and m.closed_at is null
returning c.id, c.member, c.purpose
"""


async def use(conn: Connection, presented: Presented, now: datetime) -> UUID:
    """Use a code, and say whose it was: of two who use it at once, one does. Raises CodeUnusable."""
    row = await conn.fetchrow(USE, presented.district, presented.digest, now)
    if row is None:
        raise CodeUnusable("code")
    member: UUID = row["member"]
    used = history.occurrence(
        district=presented.district,
        kind="access",
        event="code_used",
        actor=Actor("member", str(member)),
        now=now,
        about=member,
        facts={"code": row["id"], "purpose": row["purpose"]},
    )
    await history.append(conn, [used], [])
    return member


FORGET = "delete from one_time_code where district = $1 and expires_at < $2"


async def forget(conn: Connection, district: int, before: datetime) -> int:
    """Remove codes that ended before this; how many there were. What was done with them stays in the history."""
    return int((await conn.execute(FORGET, district, before)).split()[1])

"""The files that submissions name: waited for by name, promised when one has come and its hash is known."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.attachments.attachments import Of, Promise
from surveys.collect.submissions import Media


class Awaited(Struct, frozen=True, kw_only=True):
    """A file that a submission names, and what became of it."""

    name: str
    of: Of
    subject: UUID
    sha256: bytes | None
    refused: str | None

    @property
    def missing(self) -> bool:
        """Whether it is still to come."""
        return self.sha256 is None


AWAIT = """
insert into submitted_media (district, visit, name, subject_kind, subject, awaited_at)
select $1, $2, name, subject_kind, subject, $6
from unnest($3::text[], $4::text[], $5::uuid[]) as w(name, subject_kind, subject)
on conflict do nothing
"""
AWAITED = """
select name, subject_kind as of, subject, sha256, refused from submitted_media
where district = $1 and visit = $2 and name = any($3) order by name
"""


async def expect(
    conn: Connection, district: int, visit: UUID, media: Sequence[Media], now: datetime
) -> dict[str, Awaited]:
    """Wait for the files that a submission of this visit names; by name, what is known of each."""
    names = [one.name for one in media]
    columns = (names, [one.of for one in media], [one.subject for one in media])
    await conn.execute(AWAIT, district, visit, *columns, now)
    return {row["name"]: Awaited(**row) for row in await conn.fetch(AWAITED, district, visit, names)}


# Of a visit that was taken back nothing more is kept.
PROMISE = """
insert into {of}_photo (district, {of}, sha256, bytes)
select $1, $2, $3, $4 from visit where district = $1 and id = $5 and withdrawn_at is null
on conflict do nothing
"""
PROMISED = """
select received_at from {of}_photo where district = $1 and {of} = $2 and sha256 = $3 and erased_at is null
"""


async def promise(
    conn: Connection, district: int, visit: UUID, awaited: Awaited, sha256: bytes, size: int
) -> Promise | None:
    """Promise a file that has come, now that its hash is known; None for one that is not wanted any more."""
    subject = awaited.subject
    await conn.execute(PROMISE.format(of=awaited.of), district, subject, sha256, size, visit)
    row = await conn.fetchrow(PROMISED.format(of=awaited.of), district, subject, sha256)
    if row is None:
        return None
    return Promise(
        district=district,
        of=awaited.of,
        subject=subject,
        sha256=sha256.hex(),
        bytes=size,
        received_at=row["received_at"],
    )


CAME = """
update submitted_media set sha256 = $4, received_at = $5, refused = $6
where district = $1 and visit = $2 and name = $3 and sha256 is null
"""
GIVE_UP = """
update {of}_photo set erased_at = $4
where district = $1 and {of} = $2 and sha256 = $3 and received_at is null and erased_at is null
"""


async def came(
    conn: Connection, district: int, visit: UUID, name: str, sha256: bytes, now: datetime, refused: str | None = None
) -> None:
    """A file has come and is kept, or cannot be and never will; what comes later under its name changes nothing."""
    await conn.execute(CAME, district, visit, name, sha256, now, refused)


async def give_up(conn: Connection, district: int, awaited: Awaited, sha256: bytes, now: datetime) -> None:
    """What was promised cannot be kept: nobody waits for it any more."""
    await conn.execute(GIVE_UP.format(of=awaited.of), district, awaited.subject, sha256, now)

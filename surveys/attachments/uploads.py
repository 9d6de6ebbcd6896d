"""Photos on their way, in parts over a weak signal: who sends which, until when it is waited for."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from asyncpg import Connection
from msgspec import Struct

from surveys.attachments.attachments import Of, Promise
from surveys.history import Actor
from surveys.refusals import NotFound, Refusal

WAITED_FOR = timedelta(days=7)  # a phone's backlog has come by then
MOST_UNFINISHED = 200  # of one person
MOST_UNFINISHED_BYTES = 1_000_000_000


class TooManyUploads(Refusal):
    """More photos begun and not finished than one person can have; `facts` say how many."""

    code = "too_many_uploads"


class Upload(Struct, frozen=True, kw_only=True):
    """A photo on its way."""

    district: int
    id: UUID
    of: Of
    subject: UUID
    sha256: str
    bytes: int
    sender: Actor
    expires_at: datetime
    finished: bool

    @property
    def promise(self) -> Promise:
        return Promise(district=self.district, of=self.of, subject=self.subject, sha256=self.sha256, bytes=self.bytes)


COLUMNS = """
  district, id, subject_kind as of, subject, encode(sha256, 'hex') as sha256, bytes, sender_kind, sender, expires_at,
  finished_at is not null as finished
"""
UNFINISHED = """
select count(*) as count, coalesce(sum(bytes), 0) as bytes from upload
where district = $1 and sender_kind = $2 and sender = $3 and finished_at is null and expires_at > $4
  and not (subject = $5 and sha256 = decode($6, 'hex'))
"""
# The same photo of the same sender goes on where it was; one that had expired begins anew.
BEGIN = f"""
insert into upload (district, id, subject_kind, subject, sha256, bytes, sender_kind, sender, begun_at, expires_at,
                    finished_at)
values ($1, $2, $3, $4, decode($5, 'hex'), $6, $7, $8, $9, $10, $11)
on conflict (district, sender_kind, sender, subject, sha256) do update
set expires_at = excluded.expires_at, finished_at = excluded.finished_at
returning {COLUMNS}
"""


async def begin(conn: Connection, promise: Promise, sender: Actor, now: datetime) -> Upload:
    """Begin to take a promised photo, or go on with it; one that has come already is finished. Raises
    TooManyUploads."""
    others = (promise.district, sender.kind, sender.id, now, promise.subject, promise.sha256)
    (unfinished,) = await conn.fetch(UNFINISHED, *others)
    if unfinished["count"] >= MOST_UNFINISHED or unfinished["bytes"] + promise.bytes > MOST_UNFINISHED_BYTES:
        raise TooManyUploads(None, most=MOST_UNFINISHED, seconds=3_600)
    begun = (promise.district, uuid4(), promise.of, promise.subject, promise.sha256, promise.bytes)
    sent_by = (sender.kind, sender.id, now, now + WAITED_FOR, promise.received_at)
    return _upload(await conn.fetchrow(BEGIN, *begun, *sent_by))


FIND = f"""
select {COLUMNS} from upload
where district = $1 and id = $2 and sender_kind = $3 and sender = $4 and expires_at > $5
"""


async def find(conn: Connection, district: int, upload: UUID, sender: Actor, now: datetime) -> Upload:
    """An upload of this sender. Raises NotFound, for one that has expired as well."""
    row = await conn.fetchrow(FIND, district, upload, sender.kind, sender.id, now)
    if row is None:
        raise NotFound
    return _upload(row)


def _upload(row: Any) -> Upload:
    columns = dict(row)
    sender = Actor(columns.pop("sender_kind"), columns.pop("sender"))
    return Upload(sender=sender, **columns)


FINISH = "update upload set finished_at = $3 where district = $1 and id = $2 and finished_at is null"
GIVE_UP = "delete from upload where district = $1 and id = $2"
EXPIRED = "delete from upload where district = $1 and expires_at <= $2"
KNOWN = "select id from upload where district = $1 and finished_at is null"


async def finish(conn: Connection, upload: Upload, now: datetime) -> None:
    """All of it has come and is kept."""
    await conn.execute(FINISH, upload.district, upload.id, now)


async def give_up(conn: Connection, upload: Upload) -> None:
    """It is not wanted any more, or what came is not what was promised."""
    await conn.execute(GIVE_UP, upload.district, upload.id)


async def forget(conn: Connection, district: int, now: datetime) -> set[UUID]:
    """Forget what was waited for long enough; returns the uploads that are still under way."""
    await conn.execute(EXPIRED, district, now)
    return {row["id"] for row in await conn.fetch(KNOWN, district)}

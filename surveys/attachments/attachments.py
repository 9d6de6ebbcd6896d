"""Photos and files: promised by the hash that the phone will send, kept by the hash of what is stored, and forgotten.

A content is stored once for a district, however many things it belongs to, and removed when none is left."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.attachments.pictures import Hint
from surveys.history import Actor, occurrence
from surveys.refusals import Invalid, NotFound

Of = Literal["issue", "visit", "service", "commitment"]  # what a photo belongs to
Kind = Literal["photo", "document"]

MOST_PER_THING = 200  # photos of one issue, visit or service that are listed


class NotPromised(Invalid):
    """A photo of which nobody said that it would come, or one that was forgotten since."""

    code = "photo_not_promised"


class OtherContent(Invalid):
    """A content whose SHA-256 or length is not what was promised."""

    code = "photo_differs"


class Promise(Struct, frozen=True, kw_only=True):
    """A photo that is to come, or has come: what it belongs to, its hash in hexadecimal and its length."""

    district: int
    of: Of
    subject: UUID
    sha256: str
    bytes: int
    received_at: datetime | None = None


class Content(Struct, frozen=True, kw_only=True):
    """What is stored of a photo or file; a document has no size in pixels and no thumbnail."""

    sha256: bytes
    kind: Kind
    bytes: int
    width: int | None = None
    height: int | None = None
    thumbnail_bytes: int | None = None
    hint: Hint = Hint()


class Item(Struct, frozen=True, kw_only=True):
    """A photo or file as it is listed, by the hash that the phone sent."""

    sha256: str
    kind: Kind
    bytes: int
    width: int | None
    height: int | None
    received_at: datetime
    taken_at: datetime | None
    lon: float | None
    lat: float | None


class Stored(Struct, frozen=True, kw_only=True):
    """Where the content of a photo or file lies."""

    district: int
    sha256: str  # of what is stored
    kind: Kind
    bytes: int
    thumbnail_bytes: int | None


def _of(of: Of, text: str) -> str:
    """An SQL text about the photos of issues, of visits or of services."""
    return text.replace("{table}", f"{of}_photo").replace("{subject}", of)


PROMISE_OF_VISITS = """
insert into visit_photo (district, visit, sha256, bytes)
select district, visit, sha256, bytes from json_populate_recordset(null::visit_photo, $1)
on conflict do nothing
"""


async def promise_of_visits(conn: Connection, photos: Sequence[history.Row]) -> None:
    """Write down what photos of new visits are to come."""
    if photos:
        await conn.execute(PROMISE_OF_VISITS, photos)


PROMISED = """
select bytes, received_at from {table}
where district = $1 and {subject} = $2 and sha256 = decode($3, 'hex') and erased_at is null
"""


async def promised(conn: Connection, district: int, of: Of, subject: UUID, sha256: str) -> Promise:
    """The promise of a photo, for a caller who has made sure that the sender may send it. Raises NotPromised."""
    row = await conn.fetchrow(_of(of, PROMISED), district, subject, sha256)
    if row is None:
        raise NotPromised("sha256")
    return Promise(district=district, of=of, subject=subject, sha256=sha256, **dict(row))


# Whoever stores, forgets or removes a content holds this until the transaction ends: so that none is removed that
# has just been stored again.
LOCK = "select pg_advisory_xact_lock(hashtextextended('attachment ' || $1 || ' ' || $2, 0))"

PROMISE_FOR_UPDATE = f"{PROMISED} for update"
STORE = """
insert into attachment (district, sha256, kind, bytes, width, height, thumbnail_bytes, received_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (district, sha256) do nothing
"""
LINK = """
update {table} set received_at = $4, stored = $5, taken_at = $6, lon = $7, lat = $8
where district = $1 and {subject} = $2 and sha256 = decode($3, 'hex')
"""
ZONE = "select time_zone from district where district = $1"


async def keep(
    conn: Connection,
    promise: Promise,
    content: Content,
    store: Callable[[], Awaitable[None]],
    sender: Actor,
    now: datetime,
) -> bool:
    """Keep what was promised: `store` writes the content where it lies, before anything names it. Returns whether it
    was new; the same photo again changes nothing. A transaction must be open. Raises NotPromised when it was forgotten
    meanwhile."""
    row = await conn.fetchrow(_of(promise.of, PROMISE_FOR_UPDATE), promise.district, promise.subject, promise.sha256)
    if row is None:
        raise NotPromised("sha256")
    if row["received_at"] is not None:
        return False
    await conn.execute(LOCK, str(promise.district), content.sha256.hex())
    await store()
    columns = (content.kind, content.bytes, content.width, content.height, content.thumbnail_bytes)
    await conn.execute(STORE, promise.district, content.sha256, *columns, now)
    hint = content.hint
    taken_at = hint.taken_at
    if taken_at is not None and taken_at.tzinfo is None:
        taken_at = taken_at.replace(tzinfo=ZoneInfo(await conn.fetchval(ZONE, promise.district)))
    linked = (promise.district, promise.subject, promise.sha256, now, content.sha256, taken_at, hint.lon, hint.lat)
    await conn.execute(_of(promise.of, LINK), *linked)
    await history.append(conn, [_event(promise, content, sender, now)], [])
    return True


def _event(promise: Promise, content: Content, sender: Actor, now: datetime) -> history.Row:
    facts = {
        "of": promise.of,
        "sent": promise.sha256,
        "stored": content.sha256.hex(),
        "kind": content.kind,
        "bytes": content.bytes,
    }
    return occurrence(
        district=promise.district,
        kind="attachment",
        event="received",
        actor=sender,
        now=now,
        about=promise.subject,
        facts=facts,
    )


OF_THINGS = """
select p.{subject} as subject, encode(p.sha256, 'hex') as sha256, a.kind, a.bytes, a.width, a.height, p.received_at,
       p.taken_at, p.lon, p.lat
from {table} p join attachment a on a.district = p.district and a.sha256 = p.stored
where p.district = $1 and p.{subject} = any($2) and p.received_at <= $3
order by p.received_at, p.sha256 limit $4
"""


async def of_things(
    conn: Connection, district: int, of: Of, things: Sequence[UUID], at: datetime
) -> dict[UUID, list[Item]]:
    """The photos and files that had come by then, oldest first, for a caller who has made sure that the reader may see
    these issues or visits."""
    found: dict[UUID, list[Item]] = {thing: [] for thing in things}
    most = MOST_PER_THING * max(1, len(things))
    for row in await conn.fetch(_of(of, OF_THINGS), district, list(things), at, most):
        columns = dict(row)
        found[columns.pop("subject")].append(Item(**columns))
    return found


ONE = """
select p.district, encode(a.sha256, 'hex') as sha256, a.kind, a.bytes, a.thumbnail_bytes
from {table} p join attachment a on a.district = p.district and a.sha256 = p.stored
where p.district = $1 and p.{subject} = $2 and p.sha256 = decode($3, 'hex') and p.received_at <= $4
"""


async def one(conn: Connection, district: int, of: Of, subject: UUID, sha256: str, at: datetime) -> Stored:
    """Where a photo or file lies that had come by then, for a caller who has made sure that the reader may see it.
    Raises NotFound."""
    row = await conn.fetchrow(_of(of, ONE), district, subject, sha256, at)
    if row is None:
        raise NotFound
    return Stored(**dict(row))


# Forgetting

# Locked, so that none arrives meanwhile.
STORED = "select stored from {table} where district = $1 and {subject} = any($2) order by {subject}, sha256 for update"
FORGET = """
with forgotten as (
  update {table} set stored = null, taken_at = null, lon = null, lat = null, erased_at = $3
  where district = $1 and {subject} = any($2) and erased_at is null and coalesce(received_at, $3) <= $3
  returning received_at
) select count(received_at) from forgotten
"""
FORGET_UPLOADS = "delete from upload where district = $1 and subject = any($2)"
LET_GO = """
with gone as (
  delete from attachment a where a.district = $1 and a.sha256 = any($2)
    and not exists (select from issue_photo p where p.district = a.district and p.stored = a.sha256)
    and not exists (select from visit_photo p where p.district = a.district and p.stored = a.sha256)
    and not exists (select from service_photo p where p.district = a.district and p.stored = a.sha256)
    and not exists (select from commitment_photo p where p.district = a.district and p.stored = a.sha256)
  returning a.sha256
)
insert into attachment_removal (district, sha256, decided_at) select $1, sha256, $3 from gone
on conflict (district, sha256) do update set decided_at = excluded.decided_at
"""


async def forget(conn: Connection, district: int, things: Sequence[UUID], at: datetime) -> int:
    """Forget the photos and files of these issues and visits that had come by then, and what was promised or under way;
    returns how many there were. A content that nothing else names is removed by a job, soon after."""
    stored: set[bytes] = set()
    for of in OFS:
        stored |= {row["stored"] for row in await conn.fetch(_of(of, STORED), district, list(things))} - {None}
    for sha256 in sorted(stored):
        await conn.execute(LOCK, str(district), sha256.hex())
    count: int = sum([await conn.fetchval(_of(of, FORGET), district, list(things), at) for of in OFS])
    await conn.execute(FORGET_UPLOADS, district, list(things))
    if stored:
        await conn.execute(LET_GO, district, sorted(stored), at)
    return count


OFS: tuple[Of, ...] = get_args(Of)

MOST_REMOVALS = 500  # in one turn of the job
TO_REMOVE = "select sha256 from attachment_removal where district = $1 order by decided_at, sha256 limit $2"
STILL_NAMED = "select exists (select from attachment where district = $1 and sha256 = $2)"
REMOVED = "delete from attachment_removal where district = $1 and sha256 = $2"


async def remove(conn: Connection, district: int, delete: Callable[[str], Awaitable[None]]) -> int:
    """Remove contents that nothing names any more from where they lie; returns how many. One that came again meanwhile
    stays. A transaction must be open."""
    count = 0
    for row in await conn.fetch(TO_REMOVE, district, MOST_REMOVALS):
        sha256 = row["sha256"]
        await conn.execute(LOCK, str(district), sha256.hex())
        if not await conn.fetchval(STILL_NAMED, district, sha256):
            await delete(sha256.hex())
            count += 1
        await conn.execute(REMOVED, district, sha256)
    return count


def photo_rows(district: int, visit: UUID, photos: Sequence[Any]) -> list[history.Row]:
    """Promised photos of a visit, as rows of `visit_photo`."""
    return [
        {"district": district, "visit": visit, "sha256": "\\x" + photo.sha256, "bytes": photo.bytes} for photo in photos
    ]

"""Photos and files that prove that a commitment was kept: named by the report, sent afterwards, seen by members."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys.assessments import commitments
from surveys.attachments import attachments
from surveys.attachments.attachments import Item, Of, Promise, Stored
from surveys.counting import issue_query
from surveys.counting.issue_query import Filters
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.refusals import NotAllowed, NotFound

LARGEST = 20 * 1024 * 1024  # bytes of one


class Proof(Struct, frozen=True, forbid_unknown_fields=True):
    """A photo or file that is to come, by its SHA-256 in hexadecimal and its length."""

    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    bytes: Annotated[int, Meta(ge=1, le=LARGEST)]


PROMISE = """
insert into commitment_photo (district, commitment, sha256, bytes)
select $1, $2, decode(sha256, 'hex'), bytes from unnest($3::text[], $4::bigint[]) p(sha256, bytes)
on conflict do nothing
"""


async def expect(conn: Connection, district: int, commitment: UUID, photos: Sequence[Proof]) -> None:
    """Write down what is to come."""
    if photos:
        hashes, lengths = [one.sha256 for one in photos], [one.bytes for one in photos]
        await conn.execute(PROMISE, district, commitment, hashes, lengths)


DONE_BY = "select done_by from commitment where district = $1 and id = $2 and approved_at is not null"


async def promise(conn: Connection, reader: Reader, of: Of, commitment: UUID, sha256: str) -> Promise:
    """A photo that this reader named in their report. Raises NotFound, NotAllowed and NotPromised."""
    scopes.refuse_who_reads_nothing(reader)
    row = await conn.fetchrow(DONE_BY, reader.district, commitment)
    if row is None:
        raise NotFound
    if row["done_by"] != reader.member:
        raise NotAllowed
    return await attachments.promised(conn, reader.district, of, commitment, sha256)


MISSING = """
select encode(p.sha256, 'hex') as sha256 from commitment_photo p
join commitment c on c.district = p.district and c.id = p.commitment
where p.district = $1 and p.commitment = $2 and c.done_by = $3 and p.received_at is null and p.erased_at is null
order by p.sha256
"""


async def missing(conn: Connection, reader: Reader, commitment: UUID) -> list[str]:
    """The hashes of the photos that this reader named in their report and that have not come."""
    return [row["sha256"] for row in await conn.fetch(MISSING, reader.district, commitment, reader.member)]


async def listed(
    conn: Connection,
    reader: Reader,
    of: Of,
    commitment: UUID,
    zone: ZoneInfo,
    now: datetime,
    as_of: date | None = None,
) -> list[Item]:
    """The photos and files that have come, or had by the end of a day. Raises NotFound, NotAllowed, InvalidFilter."""
    at = await _seen_at(conn, reader, commitment, zone, now, as_of)
    return (await attachments.of_things(conn, reader.district, of, [commitment], at))[commitment]


async def one(
    conn: Connection,
    reader: Reader,
    of: Of,
    commitment: UUID,
    sha256: str,
    zone: ZoneInfo,
    now: datetime,
    as_of: date | None = None,
) -> Stored:
    """Where one of them lies. Raises NotFound, NotAllowed, InvalidFilter."""
    at = await _seen_at(conn, reader, commitment, zone, now, as_of)
    return await attachments.one(conn, reader.district, of, commitment, sha256, at)


async def _seen_at(
    conn: Connection, reader: Reader, commitment: UUID, zone: ZoneInfo, now: datetime, as_of: date | None
) -> datetime:
    await commitments.seen_by(conn, reader, commitment, now)
    return issue_query.moment(Filters(as_of=as_of), zone, now).at

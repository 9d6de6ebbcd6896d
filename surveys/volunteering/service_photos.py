"""Photos of a service's report: sent by who reports it, seen by who looks after it and by the desk, and by nobody else,
for there may be residents on them."""

from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection

from surveys.attachments import attachments
from surveys.attachments.attachments import Item, Of, Promise, Stored
from surveys.counting import issue_query
from surveys.counting.issue_query import Filters
from surveys.people.people import Reader
from surveys.refusals import NotAllowed, NotFound
from surveys.volunteering import service_lists


async def promise(conn: Connection, reader: Reader, of: Of, service: UUID, sha256: str) -> Promise:
    """A photo that this reader may send. Raises NotFound, NotAllowed and NotPromised."""
    if not (await service_lists.may(conn, reader, service)).report:
        raise NotAllowed
    return await attachments.promised(conn, reader.district, of, service, sha256)


async def listed(
    conn: Connection,
    reader: Reader,
    of: Of,
    service: UUID,
    zone: ZoneInfo,
    now: datetime,
    as_of: date | None = None,
) -> list[Item]:
    """The photos of a service, oldest first; as of a past day, those that had come by its end. Raises NotFound,
    NotAllowed, InvalidFilter."""
    at = await _seen_at(conn, reader, service, zone, now, as_of)
    return (await attachments.of_things(conn, reader.district, of, [service], at))[service]


async def one(
    conn: Connection,
    reader: Reader,
    of: Of,
    service: UUID,
    sha256: str,
    zone: ZoneInfo,
    now: datetime,
    as_of: date | None = None,
) -> Stored:
    """Where one of them lies. Raises NotFound, InvalidFilter."""
    at = await _seen_at(conn, reader, service, zone, now, as_of)
    return await attachments.one(conn, reader.district, of, service, sha256, at)


async def _seen_at(
    conn: Connection, reader: Reader, service: UUID, zone: ZoneInfo, now: datetime, as_of: date | None
) -> datetime:
    may = await service_lists.may(conn, reader, service)
    if not (may.report or may.desk):
        raise NotFound
    return issue_query.moment(Filters(as_of=as_of), zone, now).at

"""Errands: what is queued to be done once, as a message to be sent, and is tried again until it is done.

Each is taken on by one process at a time, which says every few seconds that it is still at it; what a killed process
had is taken over by another. So an errand may be run twice, and must see for itself that it works only once. One that
fails comes again after a while, then after a longer one; after its last try it is parked, shown, and waits until
somebody has looked.

The library's own runner is not used: it writes the words of every error into its tables, which may hold what we must
not keep, and it takes what is broken off at the end of the program for done with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import structlog
from msgspec import Struct

from api import database, job_queue
from api.job_queue import BEAT_S, TOGETHER, Place, Taken
from api.settings import Settings
from surveys.privacy.sealing import KeyRing

log = structlog.get_logger()


class NotDone(Exception):
    """An errand did not succeed; the code says why, in no words but our own."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Office(Struct, frozen=True, kw_only=True):
    """Where an errand is run: what it may need, looked up when it needs it."""

    dsn: str
    clock: Callable[[], datetime]
    ring: Callable[[], KeyRing]
    settings: Settings

    def connected(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """A connection of the errand's own, for as long as it needs one."""
        return database.connected(self.dsn)


class Errand(Struct, frozen=True, kw_only=True):
    """Something that is queued. `run` is told the district, the id of the thing, and whether this is the last try;
    `waits` are the times between tries. What takes minutes is `long`, and so kept from holding up messages."""

    name: str
    waits: Sequence[timedelta]
    run: Callable[[Office, int, UUID, bool], Awaitable[None]]
    long: bool = False


async def work_off(
    conn: asyncpg.Connection, office: Office, errands: Mapping[str, Errand], together: int = TOGETHER
) -> int:
    """Run all errands that are due now, so many at once; how many there were. Broken off, it leaves what it had to
    others."""
    place, count = Place(conn), 0
    while errands and (held := await place.take(list(errands), together)):
        async with _beating(place, held):
            await asyncio.gather(*[_run(place, office, errands[one.errand], one) for one in held])
        count += len(held)
    return count


async def _run(place: Place, office: Office, errand: Errand, one: Taken) -> None:
    last = one.attempts >= len(errand.waits)
    try:
        await errand.run(office, one.ticket.district, one.ticket.id, last)
    except Exception as error:
        facts = {"errand": errand.name, "district": one.ticket.district, "id": str(one.ticket.id)}
        code = error.code if isinstance(error, NotDone) else type(error).__name__
        if last:
            await place.park(one)
            log.error("errand_parked", **facts, error=code)
        else:
            await place.later(one, errand.waits[one.attempts])
            log.warning("errand_failed", **facts, error=code, attempts=one.attempts + 1)
    else:
        await place.done(one)


@asynccontextmanager
async def _beating(place: Place, held: Sequence[Taken]) -> AsyncIterator[None]:
    """Say every few seconds that these are being worked on, for as long as they are."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            await place.beat(held)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError, *database.UNAVAILABLE):
            await beating


class Parked(Struct, frozen=True, kw_only=True):
    """Something that failed too often: a queued errand by its number, or a job by its name."""

    id: str
    what: str
    thing: UUID | None
    tries: int
    since: datetime


async def parked(conn: asyncpg.Connection, district: int) -> list[Parked]:
    """The errands of a district that wait for somebody to look."""
    return [
        Parked(id=str(one.number), what=one.errand, thing=one.ticket.id, tries=one.attempts + 1, since=one.since)
        for one in await job_queue.parked(conn, district)
    ]

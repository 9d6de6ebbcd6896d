"""Visits that arrive together share a transaction: nobody waits for company, and nobody suffers for it."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import ClassVar

import asyncpg
import structlog

from api import database
from surveys.issues import issues
from surveys.issues.placing import Atlas
from surveys.refusals import IdTaken, Refusal, StaleVersion, of_constraint
from surveys.visits import visits
from surveys.visits.receipts import Receipt
from surveys.visits.visit_drafts import Filing

log = structlog.get_logger()

MOST_TOGETHER = 64  # more in one transaction gains little and makes the first of them wait
BLOCK = 256  # issue numbers reserved at a time


class Busy(Refusal):
    """More visits wait than the queue holds, or the server is stopping; the phone comes again."""

    code: ClassVar[str] = "busy"


class Numbers:
    """Issue numbers of each district, reserved in blocks."""

    def __init__(self) -> None:
        self._left: dict[int, deque[int]] = {}

    async def take(self, conn: asyncpg.Connection, district: int, count: int) -> Iterator[int]:
        """Numbers for this many issues. No transaction may be open: the reservation is a short one of its own, so
        that no filing waits for another's."""
        left = self._left.setdefault(district, deque())
        taken = [left.popleft() for _ in range(min(count, len(left)))]
        missing = count - len(taken)
        if missing:
            block = await issues.reserve_numbers(conn, district, max(BLOCK, missing))
            taken.extend(block[:missing])
            left.extend(block[missing:])
        return iter(taken)


async def file_set(
    conn: asyncpg.Connection, atlas: Atlas, numbers: Numbers, filings: Sequence[Filing], now: datetime
) -> list[Receipt | Refusal]:
    """File a set of one district; when one of them spoils it, file each half on its own.

    Raises what a single filing meets that no refusal stands for."""
    count = sum(len(filing.draft.issues) for filing in filings)
    reserved = await numbers.take(conn, filings[0].filer.district, count)
    try:
        return await visits.file(conn, atlas, reserved, filings, now)
    except (
        Refusal,
        asyncpg.IntegrityConstraintViolationError,
        asyncpg.DataError,
        asyncpg.DeadlockDetectedError,
    ) as error:
        if len(filings) == 1:
            return [_refusal(error)]
    middle = len(filings) // 2
    return [
        *await file_set(conn, atlas, numbers, filings[:middle], now),
        *await file_set(conn, atlas, numbers, filings[middle:], now),
    ]


def _refusal(error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    refusal = of_constraint(error) if isinstance(error, asyncpg.IntegrityConstraintViolationError) else None
    if refusal is None:
        raise error
    return IdTaken() if isinstance(refusal, StaleVersion) else refusal  # what is new has the id of something else


Waiting = tuple[Filing, asyncio.Future[Receipt | Refusal]]


class FilingQueue:
    """A bounded queue in front of connections of its own.

    Each connection takes whatever waits for one district, files it, and comes back: under load the sets grow, and
    without load a visit is filed at once. What was accepted is filed even if its client hangs up or the server
    stops."""

    def __init__(
        self, pool: asyncpg.Pool, atlas: Atlas, numbers: Numbers, clock: Callable[[], datetime], capacity: int
    ) -> None:
        self._pool = pool
        self._atlas = atlas
        self._numbers = numbers
        self._clock = clock
        self._capacity = capacity
        self._waiting: dict[int, deque[Waiting]] = {}
        self._count = 0
        self._arrived = asyncio.Event()
        self._closing = False
        self._flushers: list[asyncio.Task[None]] = []

    @property
    def waiting(self) -> int:
        """How many visits wait."""
        return self._count

    @property
    def capacity(self) -> int:
        """How many may wait."""
        return self._capacity

    def start(self, flushers: int) -> None:
        """Begin to file, on this many connections."""
        self._flushers = [asyncio.create_task(self._flush_until_closed()) for _ in range(flushers)]

    async def close(self) -> None:
        """Accept nothing more, and file what waits."""
        self._closing = True
        self._arrived.set()
        await asyncio.gather(*self._flushers)

    async def file(self, filing: Filing) -> Receipt | Refusal:
        """File one visit. Raises Busy when the queue is full, or what the database raises when it is away."""
        if self._closing or self._count >= self._capacity:
            raise Busy
        outcome: asyncio.Future[Receipt | Refusal] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(filing.filer.district, deque()).append((filing, outcome))
        self._count += 1
        self._arrived.set()
        return await outcome

    async def file_together(self, filings: Sequence[Filing]) -> list[Receipt | Refusal]:
        """File a backlog, at once and in one transaction, each visit on its own."""
        if not filings:
            return []
        async with database.acquired(self._pool) as conn:
            return await file_set(conn, self._atlas, self._numbers, filings, self._clock())

    async def _flush_until_closed(self) -> None:
        while self._waiting or not self._closing:
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            await self._flush(self._take())

    def _take(self) -> list[Waiting]:
        """The oldest of the district that has waited longest for its turn."""
        district = next(iter(self._waiting))
        queue = self._waiting.pop(district)
        taken = [queue.popleft() for _ in range(min(MOST_TOGETHER, len(queue)))]
        if queue:
            self._waiting[district] = queue  # at the end of the line
        self._count -= len(taken)
        return taken

    async def _flush(self, taken: Sequence[Waiting]) -> None:
        try:
            async with database.acquired(self._pool) as conn:
                filings = [filing for filing, _ in taken]
                outcomes = await file_set(conn, self._atlas, self._numbers, filings, self._clock())
        except Exception as error:
            for _, waiting in taken:
                if not waiting.done():
                    waiting.set_exception(error)
            return
        for (_, waiting), outcome in zip(taken, outcomes, strict=True):
            if not waiting.done():
                waiting.set_result(outcome)

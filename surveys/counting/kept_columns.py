"""The columns of districts that a process keeps in memory: loaded when somebody asks, as current as the transaction
that asks, and dropped when others need the room.

A connection that has columns beside it (`beside`) is one of the process that keeps them. Until they are loaded, for a
small district, for one that does not fit, and in a transaction that has written something itself, there are none: then
the tables themselves are asked."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from time import monotonic

from asyncpg import Connection

from surveys.counting import column_loading
from surveys.counting.column_loading import Changes
from surveys.counting.column_numbers import UnknownValues
from surveys.counting.issue_columns import Columns, TooManyValues

FEW = 2_000  # issues, of which tables are asked as fast
AGAIN_S = 60  # after which a district that was too small or too large is looked at again
ISSUE_BYTES, SPAN_BYTES = 165, 100  # in memory, with what lies behind and what is found by its key
MOST_UNSORTED = 0.05  # of all rows, after which they are loaded anew in their order
LEAST_UNSORTED = 20_000

Opened = Callable[[], AbstractAsyncContextManager[Connection]]
Tell = Callable[..., object]


def _tell_nobody(_event: str, **_facts: object) -> None:
    """What becomes of loading is nobody's business."""


class _District:
    """What is kept of one district, and what is under way."""

    def __init__(self) -> None:
        self.columns: Columns | None = None
        self.loading: asyncio.Task[None] | None = None
        self.wants_spans = False
        self.not_before = 0.0
        self.spans_not_before = 0.0


class KeptColumns:
    """The columns that a process keeps, in no more than so many megabytes. `opened` opens a connection to load on;
    `tell` writes to the log what became of that."""

    def __init__(self, opened: Opened, megabytes: int, *, few: int = FEW, tell: Tell = _tell_nobody) -> None:
        self._opened = opened
        self._tell = tell
        self._bytes = megabytes * 1_000_000
        self._few = few
        self._districts: OrderedDict[int, _District] = OrderedDict()

    async def of(self, conn: Connection, district: int, *, past: bool = False, provoke: bool = True) -> Columns | None:
        """The columns of a district as this transaction sees it, with their spans for a question about the past; None
        when the tables must be asked. What is not there is loaded, if that is to be provoked."""
        kept = self._districts.setdefault(district, _District())
        self._districts.move_to_end(district)
        columns = kept.columns
        missing = columns is None or (past and columns.spans is None)
        if missing and provoke:
            kept.wants_spans |= past
            self._begin(district, kept)
        if missing:
            return None
        if columns is None or not await self._follow(conn, columns):
            return None
        if self._is_ragged(columns):
            self._begin(district, kept)
        return columns

    async def loaded(self, district: int) -> None:
        """Wait until what is being loaded is there."""
        kept = self._districts.get(district)
        if kept is not None and kept.loading is not None:
            await asyncio.shield(kept.loading)

    async def close(self) -> None:
        """Break off what is being loaded."""
        for kept in self._districts.values():
            if kept.loading is not None:
                kept.loading.cancel()
                with suppress(asyncio.CancelledError):
                    await kept.loading
        self._districts.clear()

    async def _follow(self, conn: Connection, columns: Columns) -> bool:
        """Whether the columns are now as the transaction sees the tables."""
        since = columns.snapshot
        changes = await column_loading.changes(conn, columns)
        if changes.writes:
            return False
        if changes.too_many or changes.epoch != columns.epoch or not changes.snapshot.holds(since):
            self._drop(columns)
            return False
        if columns.snapshot.holds(changes.snapshot):
            return True  # somebody who asked at the same time was later
        if not changes.snapshot.holds(columns.snapshot):
            return False
        return await self._take_over(conn, columns, changes)

    async def _take_over(self, conn: Connection, columns: Columns, changes: Changes) -> bool:
        if changes.erased:
            columns.texts.clear()
        if not len(changes.issues):
            columns.snapshot = changes.snapshot
            return True
        try:
            columns.change(changes.issues, changes.spans, changes.snapshot)
        except UnknownValues:  # a community, a department that is new: the next question knows it
            await column_loading.learn(conn, columns.district, columns.numbers)
            return False
        except TooManyValues:
            self._drop(columns)
            return False
        return True

    def _drop(self, columns: Columns) -> None:
        kept = self._districts.get(columns.district)
        if kept is not None and kept.columns is columns:
            kept.columns = None

    def _is_ragged(self, columns: Columns) -> bool:
        return columns.tail > max(LEAST_UNSORTED, MOST_UNSORTED * columns.state().base)

    def _begin(self, district: int, kept: _District) -> None:
        if kept.loading is None and monotonic() >= kept.not_before:
            kept.loading = asyncio.create_task(self._load(district, kept))

    async def _load(self, district: int, kept: _District) -> None:
        started = monotonic()
        try:
            async with self._opened() as conn:
                spans = kept.wants_spans and monotonic() >= kept.spans_not_before
                size = await column_loading.size(conn, district, spans=spans)
                needed = size.issues * ISSUE_BYTES + size.spans * SPAN_BYTES
                if size.issues < self._few:
                    kept.columns, kept.not_before = None, monotonic() + AGAIN_S
                    return
                if spans and not self._make_room(district, needed):
                    spans, needed = False, size.issues * ISSUE_BYTES
                    kept.spans_not_before = monotonic() + AGAIN_S
                if not self._make_room(district, needed):
                    kept.columns, kept.not_before = None, monotonic() + AGAIN_S
                    self._tell("issues_do_not_fit", district=district, issues=size.issues, bytes=needed)
                    return
                kept.columns = await column_loading.load(conn, district, spans=spans)
            if kept.wants_spans and not spans:
                kept.not_before = kept.spans_not_before
            self._tell(
                "issues_loaded",
                district=district,
                issues=size.issues,
                spans=size.spans,
                seconds=round(monotonic() - started, 2),
            )
        except Exception:  # whoever asks is answered from the tables until it is tried again
            kept.not_before = monotonic() + AGAIN_S
            self._tell("issues_not_loaded", district=district, exc_info=True)
        finally:
            kept.loading = None

    def _make_room(self, district: int, needed: int) -> bool:
        """Whether so many bytes fit, if those are dropped that nobody asked for longest."""
        others = [one for one in self._districts if one != district and self._districts[one].columns is not None]
        if needed > self._bytes:
            return False
        for other in others:
            if self._taken(district) + needed <= self._bytes:
                break
            self._districts[other].columns = None
        return True

    def _taken(self, without: int) -> int:
        kept = (one.columns for district, one in self._districts.items() if district != without)
        return sum(columns.bytes_taken() for columns in kept if columns is not None)


def beside(conn: Connection) -> KeptColumns | None:
    """The columns kept by the process that a connection belongs to; a connection without them asks the tables."""
    found: KeptColumns | None = getattr(conn, "issue_columns", None)
    return found

"""Taking over a ledger: while PostgreSQL writes some chunks, the next one is read and placed."""

import asyncio
import csv
import gc
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

import asyncpg

from api.tables import Row, Table, UnusableTable
from maps.locator import Atlas
from surveys.ledgers import ledgers
from surveys.ledgers.ledger_mapping import LedgerMapping
from surveys.ledgers.ledger_rows import Reason, Rejected
from surveys.ledgers.ledgers import Chunk, Counts, Ledger
from surveys.privacy.sealing import KeyRing

FIRST_CHUNK = 200
CHUNK = 1_000
WRITERS = 3

Connect = Callable[[], Awaitable[asyncpg.Connection]]

# Why a row can be refused, in Chinese and English; the facts of the reason fill the braces.
REASONS: Mapping[str, tuple[str, str]] = {
    "id_missing": ("没有编号", "has no id"),
    "duplicate_row": ("编号与第 {row} 行重复", "duplicate of row {row}"),
    "too_many_cells": ("比表头多出单元格", "has more cells than the header"),
    "text_too_long": ("文字超过 {most} 个字", "is longer than {most} characters"),
    "text_unusable": ("含有不可用的字符", "has a character that no text has"),
    "date_missing": ("没有日期", "has no date"),
    "date_unreadable": ("日期无法识别：{given}", "is a date in none of the formats: {given}"),
    "time_in_future": ("时间在将来：{given}", "lies in the future: {given}"),
    "time_before_all": ("时间早于 2000 年：{given}", "is before the year 2000: {given}"),
    "times_reversed": ("时间早于“{other}”", "is before {other}"),
    "unknown_state": ("状态没有对应：{given}", "is a state that the mapping does not know: {given}"),
    "unknown_category": ("类别没有对应：{given}", "is a category that neither mapping nor district knows: {given}"),
    "category_without_limit": (
        "类别“{given}”没有 {urgency} 时限",
        "is category {given}, without a limit for {urgency}",
    ),
    "unknown_urgency": ("紧急程度没有对应：{given}", "is an urgency that the mapping does not know: {given}"),
    "unknown_department": ("没有这个职能部门：{given}", "is a department that nobody knows: {given}"),
    "unknown_community": ("本区没有这个社区：{given}", "is a community that the district does not have: {given}"),
    "position_incomplete": ("缺经度或纬度", "is missing although the other coordinate is there"),
    "not_a_number": ("不是数字", "is not a number"),
    "longitude_out_of_range": ("经度应在 -180 到 180 之间：{lon}", "is a longitude beyond ±180: {lon}"),
    "latitude_out_of_range": ("纬度应在 -90 到 90 之间：{lat}", "is a latitude beyond ±90: {lat}"),
    "longitude_latitude_swapped": (
        "经度和纬度写反了：{lon}, {lat}",
        "longitude and latitude are swapped: {lon}, {lat}",
    ),
    "accuracy_out_of_range": ("精度应在 0 到 1000000 米之间：{given}", "is no accuracy in metres: {given}"),
    "phone_unusable": ("电话号码应有 {least} 到 {most} 位数字", "is no phone number of {least} to {most} digits"),
    "unknown_system": ("坐标系不明：{given}", "is a coordinate system that we do not know: {given}"),
}


@dataclass
class Import:
    """An import that runs, and what became of its rows so far."""

    ledger: Ledger
    table: Table
    clock: Callable[[], datetime]
    reject: Callable[[Rejected], None]
    progress: Callable[[int], None] = lambda rows: None
    dry_run: bool = False
    counts: Counts = field(default_factory=Counts)
    _broken: UnusableTable | None = None

    async def run(self, connect: Connect, look_at_tables: Callable[[], Awaitable[None]]) -> None:
        """File the rows of the table chunk by chunk; whatever stops it, the chunks that were written stay.

        After the first, small one PostgreSQL is made to look at its tables: if it never has, it plans for a handful
        of rows, and reads all that a district has for every row that refers to another. Raises UnusableTable when the
        file breaks off, after what stands before that is written."""
        connections = [await connect() for _ in range(WRITERS + 1)]
        lists, *writers = connections
        try:
            with rarely_collecting():
                rows = iter(self.table)
                await self._write(lists, await self._next(lists, rows, FIRST_CHUNK))
                if not self.dry_run:
                    await look_at_tables()
                await self._write_side_by_side(rows, lists, writers)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            await asyncio.gather(*(conn.close(timeout=5) for conn in connections), return_exceptions=True)
        if self._broken is not None:
            raise self._broken

    async def _write_side_by_side(
        self, rows: Iterator[Row], lists: asyncpg.Connection, writers: Sequence[asyncpg.Connection]
    ) -> None:
        idle: asyncio.Queue[asyncpg.Connection] = asyncio.Queue()
        for writer in writers:
            idle.put_nowait(writer)

        async def write(conn: asyncpg.Connection, chunk: Chunk) -> None:
            await self._write(conn, chunk)
            idle.put_nowait(conn)

        stopped: asyncio.CancelledError | None = None
        async with asyncio.TaskGroup() as writing:
            try:
                while (chunk := await self._next(lists, rows, CHUNK)).rows:
                    writing.create_task(write(await idle.get(), chunk))
            except asyncio.CancelledError as cancelled:  # what is being written is finished, so that it is counted
                stopped = cancelled
        if stopped is not None:
            raise stopped

    async def _next(self, conn: asyncpg.Connection, rows: Iterator[Row], size: int) -> Chunk:
        """The next rows, read and placed in a thread, and the words that they bring put on the district's lists."""
        chunk = await asyncio.to_thread(self._prepare, rows, size)
        for rejected in chunk.rejected:
            self.reject(rejected)
        if not self.dry_run:
            await ledgers.add_words(conn, self.ledger, chunk, self.clock())
        return chunk

    def _prepare(self, rows: Iterator[Row], size: int) -> Chunk:
        taken: list[Row] = []
        try:
            taken.extend(islice(rows, size))
        except UnusableTable as error:
            self._broken = error
        return self.ledger.prepare(taken)

    async def _write(self, conn: asyncpg.Connection, chunk: Chunk) -> None:
        if self.dry_run:
            _, counts = await ledgers.compare(conn, self.ledger, chunk)
        else:
            counts = await ledgers.write(conn, self.ledger, chunk, self.clock())
        self.counts.add(counts)
        self.progress(self.counts.rows)


@contextmanager
def rarely_collecting() -> Iterator[None]:
    """Look for garbage in circles only now and then: a chunk is a hundred thousand objects without a circle among
    them, and going through them again and again takes a fifth of the import's time."""
    before = gc.get_threshold()
    gc.set_threshold(500_000)
    try:
        yield
    finally:
        gc.set_threshold(*before)


async def opened(
    conn: asyncpg.Connection, mapping: LedgerMapping, district: int, now: datetime, ring: KeyRing | None = None
) -> Ledger:
    """A ledger ready to be taken over into a district. Raises NotFound when there is no such district, and
    UnusableMapping when the mapping names codes that the district does not have."""
    atlas = Atlas(only=district)
    await atlas.refresh(conn)
    known = await ledgers.known(conn, district, now)
    ledgers.refuse_unknown_codes(mapping, known)
    return Ledger(mapping, known, atlas, now, ring)


# What a spreadsheet program takes for the beginning of a formula, in the widths of both alphabets.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def defused(cell: object) -> str:
    """A cell as text that no spreadsheet program runs: what looks like a formula, and is no number, is quoted."""
    text = str(cell)
    if not text.startswith(_FORMULA_STARTS):
        return text
    try:
        float(text)
    except ValueError:
        return "'" + text
    return text


class RejectedRowsUnwritable(Exception):
    """The file of refused rows cannot be written; the message says why."""


class RejectedRows:
    """The file of refused rows: each with its number, every reason in Chinese and English, and its cells as they came.

    It is made when the first row is refused; one that an earlier run left is overwritten, and taken away when no row
    is."""

    def __init__(self, path: Path, columns: Sequence[str], reasons: Mapping[str, tuple[str, str]] = REASONS) -> None:
        self.path = path
        self._reasons = reasons
        self._columns = [column for column in columns if column]
        self._file: TextIO | None = None
        self._added = False

    def __enter__(self) -> Self:
        if self.path.exists():
            self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        if not self._added and self.path.is_file():
            self.path.unlink()

    def add(self, rejected: Rejected) -> None:
        """Write a row. Raises RejectedRowsUnwritable."""
        file = self._file or self._open()
        self._added = True
        cells = [defused(rejected.cells.get(column, "")) for column in self._columns]
        told = [told_reason(reason, self._reasons) for reason in rejected.reasons]
        chinese, english = ("；".join(zh for zh, _ in told), "; ".join(en for _, en in told))
        self._write(file, [rejected.number, defused(chinese), defused(english), *cells])

    def _open(self) -> TextIO:
        try:
            # readable by its owner alone: it holds what people are called, and their numbers
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            self._file = os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="")
        except OSError as error:
            raise RejectedRowsUnwritable(f"{self.path} cannot be written 无法写入: {error.strerror}") from error
        self._write(self._file, ["行号 row", "原因", "reasons", *map(defused, self._columns)])
        return self._file

    def _write(self, file: TextIO, cells: Sequence[object]) -> None:
        try:
            csv.writer(file).writerow(cells)
        except OSError as error:
            raise RejectedRowsUnwritable(f"{self.path} cannot be written 无法写入: {error.strerror}") from error


def told_reason(reason: Reason, reasons: Mapping[str, tuple[str, str]] = REASONS) -> tuple[str, str]:
    """A reason in Chinese and English, with its column."""
    facts = {name: _short(value) for name, value in reason.facts.items()}
    chinese, english = (text.format_map(facts) for text in reasons[reason.code])
    return (f"{reason.column}：{chinese}", f"{reason.column} {english}") if reason.column else (chinese, english)


def _short(value: object) -> object:
    return value if not isinstance(value, str) or len(value) <= 100 else value[:99] + "…"

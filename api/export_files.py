"""A process of its own that makes one file, so that who files a visit meanwhile does not wait.

`python -m api.export_files` reads from its input one line of JSON, the order, asks the database by itself, and writes
the file. Its output is a line of JSON each time that it has something to tell: how many rows it has, and at the end
that it is done, or why not."""

import asyncio
import errno
import os
import sys
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

import asyncpg
import msgspec
from msgspec import Struct

from api import database, export_columns, export_sql
from api.answer_tables import Answers
from api.commitment_table import Commitments
from api.export_columns import Header
from api.export_tables import About, CoverageDoors, Issues, Premises, Read, Selected, Visits
from api.figure_tables import Coverage, Rates
from api.history_table import History
from api.round_tables import RoundResults
from api.time_statement_table import TimeStatement
from maps import exports
from maps.exports import Cell, Column, GeoPackage, Workbook
from surveys.selections import Selection

POLITE = 10  # of 19: whatever else the machine has to do goes first
TOGETHER = 5_000  # rows that are written at once
TELL_EVERY_S = 0.5
CUT = ("……（全文 {length} 字，超出单元格上限，请用 CSV）", "… (cut: {length} characters; take CSV for all of it)")

Extension = Literal["csv", "xlsx", "geojson", "gpkg"]
AnyTable: TypeAlias = (
    Issues
    | Visits
    | Premises
    | CoverageDoors
    | Answers
    | History
    | Rates
    | Coverage
    | TimeStatement
    | RoundResults
    | Commitments
)
Put: TypeAlias = Callable[[bytes], Awaitable[None]]


class Given(Struct, frozen=True):
    """A table whose rows are known; times are ISO 8601 without a zone, and shapes WKB in base64."""

    columns: list[Column]
    rows: list[list[Any]]


class Order(Struct, frozen=True, kw_only=True):
    """What to make, where, and for whom; the rows come from the database unless they are given."""

    dsn: str
    about: About
    table: AnyTable
    extension: Extension
    path: str
    seconds: int  # that it may take
    most: int | None  # rows that the file can hold
    given: Given | None = None


class Progress(Struct, frozen=True, omit_defaults=True):
    """What the process tells: how many rows it has; at the end that it is done, or by a code why it is not."""

    rows: int
    done: bool = False
    fault: Literal["too_many", "too_many_columns", "no_space"] | None = None


class TooMuch(Exception):
    """The file cannot hold so much."""

    def __init__(self, fault: Literal["too_many", "too_many_columns"]) -> None:
        super().__init__(fault)
        self.fault = fault


# --- read out by PostgreSQL itself


def crlf(chunk: bytes, inside: bool) -> tuple[bytes, int, bool]:
    """End each line of CSV as RFC 4180 says, wherever a chunk ends; line ends within quotes are a text's own. Returns
    the chunk, how many rows end in it, and whether it ends within quotes."""
    if b'"' not in chunk:
        return (chunk, 0, True) if inside else (chunk.replace(b"\n", b"\r\n"), chunk.count(b"\n"), False)
    parts = chunk.split(b'"')
    rows = 0
    for at in range(1 if inside else 0, len(parts), 2):
        rows += parts[at].count(b"\n")
        parts[at] = parts[at].replace(b"\n", b"\r\n")
    return b'"'.join(parts), rows, inside != (len(parts) % 2 == 0)


async def copy_csv(
    conn: asyncpg.Connection, selection: Selection, headers: Sequence[Header], language: str, put: Put
) -> int:
    """Put a table as CSV, with a byte order mark, by which spreadsheets know that it is UTF-8; how many rows."""
    rows, inside = 0, False

    async def pass_on(chunk: bytes) -> None:
        nonlocal rows, inside
        chunk, more, inside = crlf(chunk, inside)
        rows += more
        await put(chunk)

    titles = [[column.header for column in export_columns.columns(headers, language)]]
    await put(b"\xef\xbb\xbf" + exports.csv_lines(titles))
    asked = export_sql.csv(selection, headers, language)
    await conn.copy_from_query(asked.text, *asked.parameters, output=pass_on, format="csv")
    return rows


async def copy_features(conn: asyncpg.Connection, selection: Selection, headers: Sequence[Header], put: Put) -> int:
    """Put a table as a GeoJSON FeatureCollection; how many features. JSON has no control characters, so that COPY with
    two of them for its own signs leaves it as it is."""
    rows = 0

    async def pass_on(chunk: bytes) -> None:
        nonlocal rows
        await put(chunk if rows else chunk[1:])  # without the comma before the first
        rows += chunk.count(b"\n")

    await put(b'{"type":"FeatureCollection","features":[\n')
    asked = export_sql.features(selection, headers)
    await conn.copy_from_query(
        asked.text, *asked.parameters, output=pass_on, format="csv", quote="\x01", escape="\x01", delimiter="\x02"
    )
    await put(b"]}")
    return rows


_UNESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Lines:
    """Rows out of the text that COPY writes, wherever its chunks end."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._reading: list[Callable[[str], Cell]] = [_reader(column) for column in columns]
        self._rest: list[bytes] = []

    def rows(self, chunk: bytes) -> Iterator[list[Cell]]:
        """The rows that are whole by now."""
        end = chunk.rfind(b"\n")
        if end < 0:
            self._rest.append(chunk)
            return
        whole = b"".join([*self._rest, chunk[:end]])
        self._rest = [chunk[end + 1 :]]
        for line in whole.decode().split("\n"):
            cells = line.split("\t")
            yield [None if cell == "\\N" else read(cell) for read, cell in zip(self._reading, cells, strict=True)]


def _reader(column: Column) -> Callable[[str], Cell]:
    if column.kind in ("number", "share"):
        return float
    if column.kind == "count":
        return int
    if column.kind == "flag":
        return "t".__eq__
    return _serial_or_text if column.kind == "time" else _text


def _serial_or_text(cell: str) -> Cell:
    try:
        return float(cell)
    except ValueError:
        return cell


def _text(cell: str) -> str:
    if "\\" not in cell:
        return cell
    parts = cell.split("\\\\")
    return "\\".join(_unescaped(part) for part in parts)


def _unescaped(part: str) -> str:
    first, *others = part.split("\\")
    return first + "".join(_UNESCAPED[other[0]] + other[1:] for other in others)


# --- the process


class _Maker:
    """Makes the file that an order asks for."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._told = time.monotonic()
        self._rows = 0

    async def make(self) -> int:
        """Write the file; how many rows it has. Raises TooMuch, and OSError when the disk is full."""
        order = self._order
        if order.given is not None:
            with closing(self._opened(order.given.columns)) as opened:
                self._add(opened, _shaped(order.given))
        else:
            async with self._reading() as conn:
                if isinstance(order.table, Selected):
                    await self._selected(conn, order.table)
                elif isinstance(order.table, Read):
                    await self._read(conn, order.table)
        return self._rows

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[asyncpg.Connection]:
        order = self._order
        conn = await database.connect(order.dsn)
        try:
            await watch(conn)
            await conn.execute(export_sql.begin(order.about.zone, order.seconds))
            yield conn
        finally:
            conn.terminate()

    async def _selected(self, conn: asyncpg.Connection, table: Selected) -> None:
        order, headers = self._order, table.headers
        selection = await table.selection(conn, order.about)
        if order.extension in ("csv", "geojson"):
            with self._file() as file:

                async def put(chunk: bytes) -> None:
                    file.write(chunk)
                    self._count(chunk.count(b"\n"))

                if order.extension == "csv":
                    self._rows = await copy_csv(conn, selection, headers, order.about.language, put)
                else:
                    self._rows = await copy_features(conn, selection, headers, put)
            return
        if order.extension == "xlsx":
            columns = export_columns.columns(headers, order.about.language)
            asked = export_sql.sheet(selection, headers, order.about.language)
        else:
            columns = export_columns.for_programs(headers)
            asked = export_sql.codes(selection, headers)
        with closing(self._opened(columns)) as opened:
            await self._copy(conn, asked, columns, opened)

    async def _copy(self, conn: asyncpg.Connection, asked: Selection, columns: Sequence[Column], opened: Any) -> None:
        waiting: list[list[Cell]] = []
        lines = Lines(columns)

        async def pass_on(chunk: bytes) -> None:
            waiting.extend(lines.rows(chunk))
            if len(waiting) >= TOGETHER:
                self._add(opened, waiting)
                waiting.clear()

        await conn.copy_from_query(asked.text, *asked.parameters, output=pass_on, format="text")
        self._add(opened, waiting)

    async def _read(self, conn: asyncpg.Connection, table: Read) -> None:
        order, about = self._order, self._order.about
        headers = await table.columns(conn, about)
        if len(headers) > MOST_COLUMNS:
            raise TooMuch("too_many_columns")
        parts = _parts(table.rows(conn, about, headers))
        if order.extension == "csv":
            with self._file() as file:
                titles = [[column.header for column in export_columns.columns(headers, about.language)]]
                file.write(b"\xef\xbb\xbf" + exports.csv_lines(titles))
                async for part in parts:
                    file.write(
                        exports.csv_lines(
                            export_columns.in_words(row, headers, about.zone, about.language) for row in part
                        )
                    )
                    self._count(len(part))
            return
        columns = export_columns.columns(headers, about.language)
        with closing(self._opened(columns)) as opened:
            async for part in parts:
                self._add(
                    opened, [_plain(export_columns.in_words(row, headers, about.zone, about.language)) for row in part]
                )

    def _file(self) -> BinaryIO:
        return Path(self._order.path).open("wb")

    def _opened(self, columns: Sequence[Column]) -> Workbook | GeoPackage:
        order, english = self._order, self._order.about.language == "en"
        if order.extension == "xlsx":
            return Workbook(Path(order.path), order.table.words[english], columns, CUT[english])
        return GeoPackage(Path(order.path), order.table.name, columns)

    def _add(self, opened: Workbook | GeoPackage, rows: Sequence[Sequence[Cell]]) -> None:
        if self._order.most is not None and self._rows + len(rows) > self._order.most:
            raise TooMuch("too_many")
        if rows:
            opened.write(rows)
        self._count(len(rows))

    def _count(self, rows: int) -> None:
        self._rows += rows
        if time.monotonic() - self._told >= TELL_EVERY_S:
            tell(Progress(self._rows))
            self._told = time.monotonic()


MOST_COLUMNS = 16_000  # of a worksheet, a few less than it has


async def _parts(rows: AsyncIterator[Any]) -> AsyncIterator[list[Any]]:
    part = []
    async for row in rows:
        part.append(row)
        if len(part) == TOGETHER // 10:
            yield part
            part = []
    yield part


def _shaped(given: Given) -> list[list[Cell]]:
    """The rows with their shapes as bytes."""
    shapes = [column.kind == "shape" for column in given.columns]
    return [
        [b64decode(cell) if shape and cell is not None else cell for shape, cell in zip(shapes, row, strict=True)]
        for row in given.rows
    ]


def _plain(row: Sequence[Any]) -> list[Cell]:
    return [cell if isinstance(cell, str | int | float) or cell is None else str(cell) for cell in row]


WATCH_S = 0.5


async def watch(conn: asyncpg.Connection) -> None:
    """Have the server look whether we are still there while it works at something of ours; not all systems can."""
    with suppress(asyncpg.InvalidParameterValueError):
        await conn.execute(f"set client_connection_check_interval = '{int(WATCH_S * 1000)}ms'")


def tell(progress: Progress) -> None:
    """Say something to who asked for the file."""
    sys.stdout.buffer.write(msgspec.json.encode(progress) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Make the file that the first line of the input asks for."""
    os.nice(POLITE)
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    try:
        rows = asyncio.run(_Maker(order).make())
    except TooMuch as error:
        tell(Progress(0, fault=error.fault))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        tell(Progress(0, fault="no_space"))
    else:
        tell(Progress(rows, done=True))


if __name__ == "__main__":
    main()

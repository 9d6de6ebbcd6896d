"""What a list shows, as a file: CSV, XLSX, GeoJSON and GeoPackage, read through the list's own query.

An export has a connection of its own, and few run at a time; who reads too slowly, or hangs up, gives it back. Before
its first byte goes out the history says who took what."""

import asyncio
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import asyncpg
import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send
from msgspec import Struct

from api import database, export_columns, problem_details
from api.auth import Clock
from api.export_columns import Header
from api.export_files import Plan
from api.filing import Busy
from api.issues import refuse_unfit
from api.json_bodies import TooMany
from api.limits import TAKES_ITS_TIME
from api.settings import Settings
from maps import exports
from maps.exports import Cell
from surveys import history, issue_rows, people, premises_lists, visit_rows
from surveys.history import Actor
from surveys.issue_query import Filters
from surveys.people import District, Reader
from surveys.premises_lists import DoorFilters
from surveys.refusals import NotFound
from surveys.sealing import KeyRing
from surveys.visit_query import VisitFilters

WAIT_S = 10  # for another export to end
LONGEST_S = 600  # that an export may take, its way to the reader included
STALLED_S = 60  # that a reader may take for one chunk
CHUNK = 64 * 1024  # bytes
TOGETHER = 500  # rows that are written at once

SESSION = "set local statement_timeout = '5min'; set local jit = off; set local work_mem = '32MB'"


class ExportFailed(Exception):
    """The process that makes files came to a bad end."""


class Exports:
    """The exports that one process makes at a time."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._dsn = settings.database_url or ""
        self._free = asyncio.Semaphore(settings.exports)
        self.clock = clock

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the export's own. Raises Busy when no other export ends in time, or what asyncpg raises."""
        try:
            async with asyncio.timeout(WAIT_S):
                await self._free.acquire()
        except TimeoutError:
            raise Busy from None
        try:
            conn = await database.connect(self._dsn)
            try:
                yield conn
            finally:
                conn.terminate()
        finally:
            self._free.release()


class Told(Struct, frozen=True):
    """What the history keeps of an export: by which filters, and how many rows."""

    filters: Mapping[str, object]
    rows: int


class Table(ABC):
    """What is exported, as one reader sees it."""

    name: str
    words: tuple[str, str]  # what its file is called
    headers: tuple[Header, ...]  # known once it is told

    def __init__(self, reader: Reader, language: str) -> None:
        self.reader = reader
        self.language = language

    @abstractmethod
    async def told(self, conn: asyncpg.Connection, district: District, now: datetime) -> Told:
        """Raises InvalidFilter and NotAllowed."""

    @abstractmethod
    def rows(
        self, conn: asyncpg.Connection, district: District, now: datetime
    ) -> AsyncIterator[export_columns.Row]: ...


class Issues(Table):
    """Issues under the list's filters."""

    name = "issues"
    words = ("问题", "issues")
    headers = tuple(export_columns.ISSUES)

    def __init__(self, reader: Reader, language: str, filters: Filters, ring: KeyRing) -> None:
        super().__init__(reader, language)
        self._filters = filters
        self._ring = ring

    async def told(self, conn: asyncpg.Connection, district: District, now: datetime) -> Told:
        count = await issue_rows.count(conn, self.reader, self._filters, district.zone, now)
        filters = dict(await issue_rows.told(conn, district.district, self._filters))
        if self._filters.text is not None:
            filters["text_digest"] = self._ring.veil(self._filters.text).hex()
        return Told(filters, count)

    def rows(self, conn: asyncpg.Connection, district: District, now: datetime) -> AsyncIterator[export_columns.Row]:
        return issue_rows.rows(conn, self.reader, self._filters, district.zone, now)


class Visits(Table):
    """Visits under the list's filters."""

    name = "visits"
    words = ("走访", "visits")
    headers = tuple(export_columns.VISITS)

    def __init__(self, reader: Reader, language: str, filters: VisitFilters, ring: KeyRing) -> None:
        super().__init__(reader, language)
        self._filters = filters
        self._ring = ring

    async def told(self, conn: asyncpg.Connection, district: District, now: datetime) -> Told:
        count = await visit_rows.count(conn, self.reader, self._filters, district.zone, now)
        filters = {name: value for name, value in msgspec.to_builtins(self._filters).items() if name != "text"}
        if self._filters.text is not None:
            filters["text_digest"] = self._ring.veil(self._filters.text).hex()
        return Told(filters, count)

    def rows(self, conn: asyncpg.Connection, district: District, now: datetime) -> AsyncIterator[export_columns.Row]:
        return visit_rows.rows(conn, self.reader, self._filters, district.zone, now)


class Doors(Table):
    """Doors under the list's filters."""

    name = "premises"
    words = ("走访对象", "premises")
    headers = tuple(export_columns.PREMISES)

    def __init__(self, reader: Reader, language: str, filters: DoorFilters, ring: KeyRing) -> None:
        super().__init__(reader, language)
        self._filters = filters
        self._ring = ring

    async def told(self, conn: asyncpg.Connection, district: District, now: datetime) -> Told:
        count = await premises_lists.count(conn, self.reader, self._filters, now)
        filters = {name: value for name, value in msgspec.to_builtins(self._filters).items() if name != "text"}
        if self._filters.text is not None:
            filters["text_digest"] = self._ring.veil(self._filters.text).hex()
        return Told(filters, count)

    def rows(self, conn: asyncpg.Connection, district: District, now: datetime) -> AsyncIterator[export_columns.Row]:
        return premises_lists.rows(conn, self.reader, self._filters, now)


class Asked(Struct, frozen=True):
    """An export under way."""

    table: Table
    conn: asyncpg.Connection
    district: District
    now: datetime

    def rows(self) -> AsyncIterator[export_columns.Row]:
        return self.table.rows(self.conn, self.district, self.now)


async def _csv(asked: Asked) -> AsyncGenerator[bytes, None]:
    """With a byte order mark, by which spreadsheets know that it is UTF-8."""
    headers, language = asked.table.headers, asked.table.language
    titles = [[column.header for column in export_columns.columns(headers, language)]]
    waiting = bytearray(b"\xef\xbb\xbf" + exports.csv_lines(titles))
    part: list[list[Cell]] = []
    async for row in asked.rows():
        part.append(export_columns.in_words(row, headers, asked.district.zone, language))
        if len(part) == TOGETHER:
            waiting += exports.csv_lines(part)
            part.clear()
            if len(waiting) >= CHUNK:
                yield bytes(waiting)
                waiting.clear()
    yield bytes(waiting) + exports.csv_lines(part)


async def _geojson(asked: Asked) -> AsyncGenerator[bytes, None]:
    headers = [header for header in asked.table.headers if header.name not in ("id", "lon", "lat")]
    names = [header.name for header in headers]
    waiting = bytearray(b'{"type":"FeatureCollection","features":[')
    between = b""
    async for row in asked.rows():
        properties = dict(zip(names, export_columns.in_codes(row, headers, asked.district.zone), strict=True))
        waiting += between + exports.point_feature(str(row.id), row.lon, row.lat, properties)
        between = b",\n"
        if len(waiting) >= CHUNK:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting) + b"]}"


async def _xlsx(asked: Asked) -> AsyncGenerator[bytes, None]:
    headers, language = asked.table.headers, asked.table.language
    plan = Plan(export_columns.columns(headers, language), sheet=asked.table.words[language == "en"])
    async for chunk in _file(
        asked, plan, lambda row: export_columns.in_words(row, headers, asked.district.zone, language)
    ):
        yield chunk


async def _gpkg(asked: Asked) -> AsyncGenerator[bytes, None]:
    headers = asked.table.headers
    plan = Plan(export_columns.for_programs(headers))
    async for chunk in _file(asked, plan, lambda row: export_columns.in_codes(row, headers, asked.district.zone)):
        yield chunk


async def _file(asked: Asked, plan: Plan, cells: Callable[[export_columns.Row], list[Cell]]) -> AsyncIterator[bytes]:
    """A file that another process makes; it is whole before its first byte is sent."""
    with tempfile.TemporaryDirectory(prefix="zoufang-export-") as folder:
        path = Path(folder) / "file"
        async with _making(path) as writing:
            writing.write(msgspec.json.encode(plan) + b"\n")
            part: list[list[Cell]] = []
            async for row in asked.rows():
                part.append(cells(row))
                if len(part) == TOGETHER:
                    writing.write(msgspec.json.encode(part) + b"\n")
                    await writing.drain()
                    part.clear()
            writing.write(msgspec.json.encode(part) + b"\n")
            await writing.drain()
        with path.open("rb") as made:
            while chunk := await asyncio.to_thread(made.read, CHUNK):
                yield chunk


@asynccontextmanager
async def _making(path: Path) -> AsyncIterator[asyncio.StreamWriter]:
    """The input of the process that makes this file. Raises ExportFailed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api.export_files", str(path), stdin=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None  # noqa: S101 - it was asked for
    try:
        with suppress(BrokenPipeError, ConnectionResetError):  # its own end says more than that it no longer listens
            yield process.stdin
            process.stdin.close()
        if await process.wait():
            raise ExportFailed(f"exit code {process.returncode}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


class Format(Struct, frozen=True):
    """A kind of file, and what makes one."""

    extension: str
    media_type: str
    chunks: Callable[[Asked], AsyncGenerator[bytes, None]]
    most: int | None = None  # rows


CSV = Format("csv", "text/csv", _csv)
XLSX = Format(
    "xlsx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    _xlsx,
    most=exports.MOST_SHEET_ROWS - 1,
)
GEOJSON = Format("geojson", "application/geo+json", _geojson)
GPKG = Format("gpkg", "application/geopackage+sqlite3", _gpkg)


class Download(ASGIResponse):
    """The answer to who asks for an export. What goes wrong before its first byte is a problem as any other; what goes
    wrong later cuts the answer off, so that nobody takes a part for the whole."""

    def __init__(self, exports: Exports, table: Table, format: Format) -> None:  # noqa: A002 - the field's word
        super().__init__()
        self._exports = exports
        self._table = table
        self._format = format

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, until it is sent or nobody listens any more."""
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not sending.done():
                sending.cancel()
            await asyncio.wait({sending, leaving})
        if not sending.cancelled():
            sending.result()

    async def _send(self, send: Send) -> None:
        async with asyncio.timeout(LONGEST_S), self._exports.connection() as conn:
            asked = await self._ask(conn)
            async with conn.transaction(isolation="repeatable_read", readonly=True):
                await conn.execute(SESSION)
                async with aclosing(self._format.chunks(asked)) as chunks:
                    started = False
                    async for chunk in chunks:
                        if not started:
                            await send(self._start(asked))
                            started = True
                        async with asyncio.timeout(STALLED_S):
                            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _ask(self, conn: asyncpg.Connection) -> Asked:
        """Look at what is asked for, and write it into the history."""
        reader, now = self._table.reader, self._exports.clock()
        async with conn.transaction():
            await conn.execute(SESSION)
            district = await people.district(conn, reader.district)
            if district is None:
                raise NotFound
            told = await self._table.told(conn, district, now)
            if self._format.most is not None and told.rows > self._format.most:
                raise TooMany(None, most=self._format.most)
            event = history.occurrence(
                district=reader.district,
                kind="export",
                event="exported",
                actor=Actor("member", str(reader.member)),
                now=now,
                facts={
                    "what": f"{self._table.name}.{self._format.extension}",
                    "filters": told.filters,
                    "rows": told.rows,
                },
            )
            await history.append(conn, [event], [])
        return Asked(self._table, conn, district, now)

    def _start(self, asked: Asked) -> Any:
        media_type = self._format.media_type
        day = asked.now.astimezone(asked.district.zone).date().isoformat()
        plain = f"{self._table.name}-{day}.{self._format.extension}"
        called = (
            f"{asked.district.name}-{self._table.words[self._table.language == 'en']}-{day}.{self._format.extension}"
        )
        headers = {
            "content-type": f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type,
            "content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(called, safe='')}",
            "cache-control": "no-store",
        }
        return {
            "type": "http.response.start",
            "status": 200,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


Language = Annotated[
    str | None, QueryParameter(description="of headers and words: zh or en; else what Accept-Language says")
]


def document(format: Format) -> Mapping[int, ResponseSpec]:  # noqa: A002 - the field's word
    kind = dict[str, Any] if format is GEOJSON else bytes
    return {200: ResponseSpec(kind, generate_examples=False, description="The file", media_type=format.media_type)}


def _issues(format: Format) -> Any:  # noqa: A002 - the field's word
    @get(
        f"/api/issues.{format.extension}",
        responses=document(format),
        summary=f"Issues as {format.extension.upper()}",
        opt={TAKES_ITS_TIME: True},
        name=f"issues_{format.extension}",
        operation_id=f"ExportIssues{format.extension.title()}",
    )
    async def handler(
        request: Request[Reader, Any, Any],
        reader: NamedDependency[Reader],
        filters: NamedDependency[Filters],
        ring: NamedDependency[KeyRing],
        exports: NamedDependency[Exports],
        lang: Language = None,
    ) -> Download:
        """All issues that the list counts with the same filters, as a file."""
        refuse_unfit(request, {*Filters.__struct_fields__, "lang"})
        return Download(exports, Issues(reader, problem_details.language(request), filters, ring), format)

    return handler


def _visits(format: Format) -> Any:  # noqa: A002 - the field's word
    @get(
        f"/api/visits.{format.extension}",
        responses=document(format),
        summary=f"Visits as {format.extension.upper()}",
        opt={TAKES_ITS_TIME: True},
        name=f"visits_{format.extension}",
        operation_id=f"ExportVisits{format.extension.title()}",
    )
    async def handler(
        request: Request[Reader, Any, Any],
        reader: NamedDependency[Reader],
        visit_filters: NamedDependency[VisitFilters],
        ring: NamedDependency[KeyRing],
        exports: NamedDependency[Exports],
        lang: Language = None,
    ) -> Download:
        """All visits that the list counts with the same filters, as a file."""
        refuse_unfit(request, {*VisitFilters.__struct_fields__, "lang"})
        return Download(exports, Visits(reader, problem_details.language(request), visit_filters, ring), format)

    return handler


def _premises(format: Format) -> Any:  # noqa: A002 - the field's word
    @get(
        f"/api/premises.{format.extension}",
        responses=document(format),
        summary=f"Doors as {format.extension.upper()}",
        opt={TAKES_ITS_TIME: True},
        name=f"premises_{format.extension}",
        operation_id=f"ExportPremises{format.extension.title()}",
    )
    async def handler(
        request: Request[Reader, Any, Any],
        reader: NamedDependency[Reader],
        door_filters: NamedDependency[DoorFilters],
        ring: NamedDependency[KeyRing],
        exports: NamedDependency[Exports],
        lang: Language = None,
    ) -> Download:
        """All doors that the list counts with the same filters, as a file."""
        refuse_unfit(request, {*DoorFilters.__struct_fields__, "lang"})
        return Download(exports, Doors(reader, problem_details.language(request), door_filters, ring), format)

    return handler


ROUTES = [
    *[_issues(format_) for format_ in (CSV, XLSX, GEOJSON, GPKG)],
    *[_visits(format_) for format_ in (CSV, XLSX)],
    *[_premises(format_) for format_ in (CSV, XLSX)],
]

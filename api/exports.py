"""What a list shows, as a file: CSV, XLSX, GeoJSON and GeoPackage, read through the list's own query.

An export has a connection of its own, and few run at a time; who reads too slowly, or hangs up, gives it back, and the
question that it asks ends with it. Before its first byte goes out the history says who took what."""

import asyncio
import tempfile
import zlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send
from msgspec import Struct

from api import database, export_columns, export_files, export_making, export_sql, problem_details
from api.auth import Clock
from api.documented_problems import REFUSES
from api.export_files import AnyTable, Extension, Given, Order, Put
from api.export_tables import About, Few, Figures, Issues, Premises, Selected, Told, Visits
from api.filing import Busy
from api.issues import refuse_unfit
from api.limits import TAKES_ITS_TIME
from api.settings import Settings
from maps import exports
from maps.exports import Cell, Column
from maps.locator import Atlas, Locator
from surveys import history
from surveys.counting import issue_query
from surveys.history import Actor
from surveys.people import people
from surveys.people.people import Reader
from surveys.premises.premises_lists import DoorFilters
from surveys.privacy.sealing import KeyRing
from surveys.refusals import NotFound, TooMany
from surveys.visits.visit_query import VisitFilters

WAIT_S = 10  # for another export to end
LONGEST_S = 1_800  # that an export may take, its way to the reader included
STALLED_S = 60  # that a reader may take for one chunk
CHUNK = 64 * 1024  # bytes
AHEAD = 2  # chunks that are read while one is on its way
TOLERANCE_M = 15.0  # of the lines of areas
ITSELF_COMPRESSED = "itself_compressed"  # the route's opt by which nothing else compresses its answer
SQUEEZE = 1  # of 9: a quarter of the bytes for a third of the time


class Exports:
    """The exports that one process makes at a time."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.dsn = settings.database_url or ""
        self._free = asyncio.Semaphore(settings.exports)
        self.clock = clock

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One of the few places. Raises Busy when no other export ends in time."""
        try:
            async with asyncio.timeout(WAIT_S):
                await self._free.acquire()
        except TimeoutError:
            raise Busy from None
        try:
            yield
        finally:
            self._free.release()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the export's own; what it asks ends with it. Raises what asyncpg raises."""
        conn = await database.connect(self.dsn)
        try:
            await export_files.watch(conn)
            yield conn
        finally:
            conn.terminate()


class Format(Struct, frozen=True):
    """A kind of file, and how many rows it can hold."""

    extension: Extension
    media_type: str
    most: int | None = None

    @property
    def streamed(self) -> bool:
        """Whether it can leave before it is whole."""
        return self.extension in ("csv", "geojson")


CSV = Format("csv", "text/csv")
XLSX = Format(
    "xlsx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    most=exports.MOST_SHEET_ROWS - 1,
)
GEOJSON = Format("geojson", "application/geo+json")
GPKG = Format("gpkg", "application/geopackage+sqlite3")
FORMATS: Mapping[Extension, Format] = {format_.extension: format_ for format_ in (CSV, XLSX, GEOJSON, GPKG)}


async def look(
    conn: asyncpg.Connection, reader: Reader, language: str, table: AnyTable, ring: KeyRing, now: datetime
) -> tuple[About, Told]:
    """For whom a table is read out, and what the history keeps of it. Raises InvalidFilter, NotFound and NotAllowed."""
    district = await people.district(conn, reader.district)
    if district is None:
        raise NotFound
    about = About(reader=reader, district=district, language=language, now=now)
    return about, await table.told(conn, about, ring)


async def note(
    conn: asyncpg.Connection, about: About, event: str, what: str, facts: Mapping[str, object], now: datetime
) -> None:
    """Write into the history who took what."""
    row = history.occurrence(
        district=about.reader.district,
        kind="export",
        event=event,
        actor=Actor("member", str(about.reader.member)),
        now=now,
        facts={"what": what, **facts},
    )
    await history.append(conn, [row], [])


def given(few: Few, format: Format, about: About, locator: Locator | None) -> Given:  # noqa: A002
    """Figures as the process that makes files takes them; with the shapes of their areas where the file has any."""
    headers, rows = few.headers, few.rows
    if format is XLSX:
        cells = [_iso(export_columns.in_words(row, headers, about.zone, about.language)) for row in rows]
        return Given(export_columns.columns(headers, about.language), cells)
    shapes = _shapes(locator) if locator else {}
    coded = [export_columns.in_codes(row, headers, about.zone) for row in rows]
    columns = [*export_columns.for_programs(headers), Column("shape", "shape", "shape")]
    return Given(columns, [[*row, shapes.get(area or "")] for row, area in zip(coded, few.areas, strict=True)])


def _iso(row: Sequence[Cell]) -> list[Cell]:
    return [cell.isoformat() if isinstance(cell, datetime) else cell for cell in row]


def written(few: Few, format: Format, about: About, locator: Locator | None) -> bytes:  # noqa: A002
    """Figures as CSV or GeoJSON."""
    headers = few.headers
    if format is CSV:
        titles: list[Cell] = [column.header for column in export_columns.columns(headers, about.language)]
        told = [export_columns.in_words(row, headers, about.zone, about.language) for row in few.rows]
        return b"\xef\xbb\xbf" + exports.csv_lines([titles, *told])
    shapes, names = _shapes(locator) if locator else {}, [header.name for header in headers]
    features = [
        exports.area_feature(
            area,
            shapes.get(area or ""),
            dict(zip(names, export_columns.in_codes(row, headers, about.zone), strict=True)),
        )
        for row, area in zip(few.rows, few.areas, strict=True)
    ]
    return b'{"type":"FeatureCollection","features":[\n' + b",\n".join(features) + b"]}"


@lru_cache(maxsize=16)
def _shapes(locator: Locator) -> dict[str, bytes]:
    return exports.shapes(locator.boundaries, TOLERANCE_M)


class Asked(Struct, frozen=True, kw_only=True):
    """An export as somebody asks for it."""

    reader: Reader
    language: str
    table: AnyTable
    format: Format
    ring: KeyRing
    locator: Locator | None = None
    gzip: bool = False  # whether the reader takes it compressed


class Download(ASGIResponse):
    """The answer to who asks for an export. What goes wrong before its first byte is a problem as any other; what goes
    wrong later cuts the answer off, so that nobody takes a part for the whole."""

    def __init__(self, exports: Exports, asked: Asked) -> None:
        super().__init__()
        self._exports = exports
        self._asked = asked

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
        asked = self._asked
        async with asyncio.timeout(LONGEST_S), self._exports.place():
            async with self._exports.connected() as conn:
                about, told = await self._look(conn)
                sending = _Sending(send, self._start(about, told), gzip=asked.gzip and asked.format.streamed)
                if isinstance(asked.table, Selected) and asked.format.streamed:
                    await self._copied(conn, about, asked.table, sending)
                    return
                few = await self._figures(conn, about, told)
            if few is not None and asked.format.streamed:
                await sending.put(await asyncio.to_thread(written, few, asked.format, about, asked.locator))
                await sending.end()
            else:
                await self._made(about, told, few, sending)

    async def _look(self, conn: asyncpg.Connection) -> tuple[About, Told]:
        """Look at what is asked for, and write it into the history where it is known how much it is."""
        asked, now = self._asked, self._exports.clock()
        async with conn.transaction():
            about, told = await look(conn, asked.reader, asked.language, asked.table, asked.ring, now)
            if told.rows is not None:
                if asked.format.most is not None and told.rows > asked.format.most:
                    raise TooMany(None, most=asked.format.most)
                await self._note(conn, about, told, told.rows)
        return about, told

    async def _note(self, conn: asyncpg.Connection, about: About, told: Told, rows: int) -> None:
        what = f"{self._asked.table.name}.{self._asked.format.extension}"
        await note(conn, about, "exported", what, {"filters": told.filters, "rows": rows}, about.now)

    async def _copied(self, conn: asyncpg.Connection, about: About, table: Selected, sending: "_Sending") -> None:
        """Send what PostgreSQL writes as it comes."""
        await conn.execute(export_sql.begin(about.zone, LONGEST_S))
        selection = await table.selection(conn, about)
        async with sending.ahead() as put:
            if self._asked.format is CSV:
                await export_files.copy_csv(conn, selection, table.headers, about.language, put)
            else:
                await export_files.copy_features(conn, selection, table.headers, put)
        await sending.end()

    async def _figures(self, conn: asyncpg.Connection, about: About, told: Told) -> Few | None:
        table = self._asked.table
        if not isinstance(table, Figures):
            return None
        async with conn.transaction():
            few = await table.figures(conn, about)
            await self._note(conn, about, told, len(few.rows))
        return few

    async def _made(self, about: About, told: Told, few: Few | None, sending: "_Sending") -> None:
        """Have the file made, and send it when it is whole."""
        asked = self._asked
        with tempfile.TemporaryDirectory(prefix="zoufang-export-") as folder:
            path = Path(folder) / "file"
            export_making.refuse_without_space(path.parent, asked.format.extension, told.rows or 0)
            order = Order(
                dsn=self._exports.dsn,
                about=about,
                table=asked.table,
                extension=asked.format.extension,
                path=str(path),
                seconds=LONGEST_S,
                most=asked.format.most,
                given=given(few, asked.format, about, asked.locator) if few is not None else None,
            )
            rows = await export_making.make(order)
            if few is None and told.rows is None:
                async with self._exports.connected() as conn:
                    await self._note(conn, about, told, rows)
            with path.open("rb") as made:
                while chunk := await asyncio.to_thread(made.read, CHUNK):
                    await sending.put(chunk)
        await sending.end()

    def _start(self, about: About, told: Told) -> list[tuple[str, str]]:
        media_type = self._asked.format.media_type
        names = filenames(about, self._asked.table, told, self._asked.format)
        return [
            ("content-type", f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type),
            ("content-disposition", disposition(*names)),
            ("cache-control", "no-store"),
        ]


def filenames(about: About, table: AnyTable, told: Told, format: Format) -> tuple[str, str]:  # noqa: A002
    """What a file is called in plain letters, and for people."""
    day = about.now.astimezone(about.zone).date().isoformat()
    words = (told.words or table.words)[about.language == "en"]
    plain = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "_" for letter in table.name
    )
    return f"{plain}-{day}.{format.extension}", f"{about.district.name}-{words}-{day}.{format.extension}"


def disposition(plain: str, called: str) -> str:
    """The header by which a browser keeps a file under its name."""
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(called, safe='')}"


class _Sending:
    """An answer under way: it begins with its first chunk."""

    def __init__(self, send: Send, headers: list[tuple[str, str]], *, gzip: bool) -> None:
        self._send = send
        self._headers = headers
        self._begun = False
        self._squeezing = zlib.compressobj(SQUEEZE, wbits=31) if gzip else None
        if gzip:
            self._headers = [*headers, ("content-encoding", "gzip"), ("vary", "Accept-Encoding")]

    async def put(self, chunk: bytes) -> None:
        """Send a chunk. Raises TimeoutError for a reader who takes none."""
        if self._squeezing is not None:
            chunk = await asyncio.to_thread(self._squeezing.compress, chunk)
        if chunk:
            await self._put(chunk, more=True)

    async def end(self) -> None:
        """Say that this was all."""
        await self._put(self._squeezing.flush() if self._squeezing is not None else b"", more=False)

    async def _put(self, chunk: bytes, *, more: bool) -> None:
        if not self._begun:
            headers = [(name.encode(), value.encode()) for name, value in self._headers]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
            self._begun = True
        async with asyncio.timeout(STALLED_S):
            await self._send({"type": "http.response.body", "body": chunk, "more_body": more})

    @asynccontextmanager
    async def ahead(self) -> AsyncIterator[Put]:
        """Send while the next chunks are being read: who puts one waits only when some are waiting already."""
        waiting: asyncio.Queue[bytes] = asyncio.Queue(AHEAD)
        gathered = bytearray()

        async def send_all() -> None:
            while chunk := await waiting.get():
                await self.put(chunk)

        async def put(chunk: bytes) -> None:
            gathered.extend(chunk)
            if len(gathered) >= CHUNK:
                await waiting.put(bytes(gathered))
                gathered.clear()

        try:
            async with asyncio.TaskGroup() as together:
                together.create_task(send_all())
                yield put
                for chunk in (bytes(gathered), b""):
                    await waiting.put(chunk)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


# --- the routes

Language = Annotated[
    str | None, QueryParameter(description="of headers and words: zh or en; else what Accept-Language says")
]


def document(format: Format) -> Mapping[int, ResponseSpec]:  # noqa: A002 - the field's word
    """What a file's route says of its answer."""
    kind = dict[str, Any] if format is GEOJSON else bytes
    return {200: ResponseSpec(kind, generate_examples=False, description="The file", media_type=format.media_type)}


def file_route(
    path: str,
    format: Format,  # noqa: A002 - the field's word
    *,
    name: str,
    what: str,
    table: Callable[..., Any],
    known: Collection[str],
    refuses: Sequence[int] = (),
    dependencies: Mapping[str, Provide] | None = None,
) -> Any:
    """The route of a table in a form: `table` is what makes the table of what is asked for, and `known` what may be
    asked for."""

    @get(
        f"{path}.{format.extension}",
        responses=document(format),
        summary=f"{what} as {format.extension.upper()}",
        description=f"{what} that the list counts with the same filters, as a file.",
        opt={TAKES_ITS_TIME: True, ITSELF_COMPRESSED: True, REFUSES: tuple(refuses)},
        name=f"{name}_{format.extension}",
        operation_id=f"Export{name.title().replace('_', '')}{format.extension.title()}",
        dependencies={**(dependencies or {}), "table": Provide(table, sync_to_thread=False)},
    )
    async def handler(
        request: Request[Reader, Any, Any],
        reader: NamedDependency[Reader],
        ring: NamedDependency[KeyRing],
        atlas: NamedDependency[Atlas],
        exports: NamedDependency[Exports],
        table: NamedDependency[Any],
        lang: Language = None,
    ) -> Download:
        refuse_unfit(request, {*known, "lang"})
        asked = Asked(
            reader=reader,
            language=problem_details.language(request),
            table=table,
            format=format,
            ring=ring,
            locator=atlas.valid_at(reader.district, exports.clock()),
            gzip="gzip" in request.headers.get("accept-encoding", ""),
        )
        return Download(exports, asked)

    return handler


def _issues(filters: NamedDependency[issue_query.Filters]) -> Issues:
    return Issues(filters)


def _visits(visit_filters: NamedDependency[VisitFilters]) -> Visits:
    return Visits(visit_filters)


def _premises(door_filters: NamedDependency[DoorFilters]) -> Premises:
    return Premises(door_filters)


ALL_FORMATS = (CSV, XLSX, GEOJSON, GPKG)
ROUTES = [
    *[
        file_route(
            "/api/issues",
            format_,
            name="issues",
            what="Issues",
            table=_issues,
            known=issue_query.Filters.__struct_fields__,
        )
        for format_ in ALL_FORMATS
    ],
    *[
        file_route(
            "/api/visits", format_, name="visits", what="Visits", table=_visits, known=VisitFilters.__struct_fields__
        )
        for format_ in ALL_FORMATS
    ],
    *[
        file_route(
            "/api/premises",
            format_,
            name="premises",
            what="Doors",
            table=_premises,
            known=DoorFilters.__struct_fields__,
        )
        for format_ in ALL_FORMATS
    ],
]

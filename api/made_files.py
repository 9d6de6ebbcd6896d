"""Files that are made later: the errand that makes them, where they lie, and the routes by which they are asked for,
looked at, cancelled and fetched."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID, uuid4

import asyncpg
import msgspec
import structlog
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from litestar.response import Stream
from msgspec import Struct

from api import export_making, exports, job_queue, problem_details
from api.auth import Clock
from api.documented_problems import REFUSES
from api.errands import Errand, Office
from api.export_files import AnyTable, Extension, Order
from api.export_making import NoSpace
from api.export_requests import Value, table_of
from api.export_tables import About, Figures, Told
from api.exports import FORMATS, ITSELF_COMPRESSED
from api.issues import refuse_unfit
from api.job_queue import Ticket
from api.json_bodies import JsonBody
from api.limits import TAKES_ITS_TIME
from api.settings import Settings
from maps.locator import Atlas
from surveys import made_files
from surveys.made_files import Draft, Fault, MadeFile
from surveys.people import people
from surveys.people.people import Reader
from surveys.privacy.sealing import KeyRing
from surveys.refusals import Invalid, NotAllowed, NotFound, Refusal, TooMany

log = structlog.get_logger()

FOLDER = "exports"
LONGEST_S = 3 * 3_600  # that one may take
LOOK_EVERY_S = 0.5  # whether it is still wanted
LEFT_BEHIND_S = 3_600  # after which a file of no row is taken for what a crash left
CHUNK = 256 * 1024  # bytes
RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class NoLongerWanted(Exception):
    """It was cancelled, or another has taken it over."""


# --- where they lie


def path(settings: Settings, district: int, file: UUID) -> Path:
    """A file that is whole; for its owner's eyes."""
    folder = settings.data.absolute() / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"{district}-{file}"


def place_of(settings: Settings, district: int, file: UUID, attempt: UUID) -> Path:
    """The folder of what an attempt has of a file so far."""
    folder = path(settings, district, file).with_suffix(f".{attempt}")
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def sweep(settings: Settings, district: int, wanted: set[UUID], now: datetime) -> int:
    """Remove what is wanted no more, and what killed attempts left; how many files."""
    folder, count = settings.data / FOLDER, 0
    for lying in folder.glob(f"{district}-*") if folder.is_dir() else ():
        name, _, attempt = lying.name.removeprefix(f"{district}-").partition(".")
        old = now.timestamp() - lying.stat().st_mtime > LEFT_BEHIND_S
        if old and attempt:
            shutil.rmtree(lying, ignore_errors=True)
        elif old and name not in {str(one) for one in wanted}:
            lying.unlink(missing_ok=True)
        count += not lying.exists()
    return count


# --- the errand


async def make(office: Office, district: int, file: UUID, last: bool) -> None:
    """Make a file, unless it is wanted no more. What is wrong with it is written down; what is wrong with us is tried
    again."""
    attempt = uuid4()
    async with office.connected() as conn:
        order = await made_files.begin(conn, district, file, attempt, office.clock())
        if order is None:
            return
        work = _Work(office, conn, district, file, attempt)
        try:
            await work.make(order)
        except NoLongerWanted:
            return
        except Refusal as refusal:
            await made_files.fail(conn, district, file, attempt, _fault(refusal), office.clock())
        except Exception:
            if last:
                await made_files.fail(conn, district, file, attempt, "fault", office.clock())
            else:
                await made_files.put_back(conn, district, file, attempt)
            raise
        finally:
            work.clear()


ERRAND = Errand(name="make_file", waits=[timedelta(seconds=10), timedelta(minutes=1)], run=make, long=True)


def _fault(refusal: Refusal) -> Fault:
    if isinstance(refusal, TooMany):
        return "too_many"
    if isinstance(refusal, NoSpace):
        return "no_space"
    return "no_longer_allowed" if isinstance(refusal, NotAllowed) else "not_found"


class _Work:
    """One attempt at a file."""

    def __init__(self, office: Office, conn: asyncpg.Connection, district: int, file: UUID, attempt: UUID) -> None:
        self._office, self._conn = office, conn
        self._district, self._file, self._attempt = district, file, attempt
        self._rows = 0
        self._place = place_of(office.settings, district, file, attempt)
        self._part = self._place / "file"

    async def make(self, order: made_files.Order) -> None:
        """Make it, and put it where it is fetched from. Raises NoLongerWanted, Refusal, and what making raises."""
        table = msgspec.convert(order.asked, AnyTable)
        await made_files.allow(self._conn, order, self._file, self._attempt)
        now = self._office.clock()
        about, told = await exports.look(self._conn, order.reader, order.language, table, self._office.ring(), now)
        export_making.refuse_without_space(self._place, order.format, told.rows or 0)
        rows = await self._watched(await self._order(about, table, order.format))
        size = self._part.stat().st_size
        self._part.replace(path(self._office.settings, self._district, self._file))
        called = exports.filenames(about, table, told, FORMATS[order.format])[1]
        done = await made_files.finish(
            self._conn, self._district, self._file, self._attempt, rows, size, called, self._office.clock()
        )
        if not done:
            raise NoLongerWanted

    def clear(self) -> None:
        """Leave nothing of what is not whole."""
        shutil.rmtree(self._place, ignore_errors=True)

    async def _order(self, about: About, table: AnyTable, format: Extension) -> Order:  # noqa: A002
        given = None
        if isinstance(table, Figures):
            few = await table.figures(self._conn, about)
            locator = None
            if few.areas:
                atlas = Atlas(self._district)
                await atlas.refresh(self._conn)
                locator = atlas.valid_at(self._district, about.now)
            given = exports.given(few, FORMATS[format], about, locator)
        return Order(
            dsn=self._office.dsn,
            about=about,
            table=table,
            extension=format,
            path=str(self._part),
            seconds=LONGEST_S,
            most=FORMATS[format].most,
            given=given,
        )

    async def _watched(self, order: Order) -> int:
        """Have it made, and look meanwhile whether it is still wanted."""

        async def hear(rows: int) -> None:
            self._rows = rows

        making = asyncio.create_task(export_making.make(order, hear))
        try:
            while not (await asyncio.wait({making}, timeout=LOOK_EVERY_S))[0]:
                if not await made_files.progress(self._conn, self._district, self._file, self._attempt, self._rows):
                    raise NoLongerWanted
        finally:
            if not making.done():
                making.cancel()
                await asyncio.wait({making})
        return making.result()


async def forget(conn: asyncpg.Connection, settings: Settings, district: int, now: datetime) -> Mapping[str, object]:
    """Forget files whose time is over, and remove what is wanted no more."""
    expired = await made_files.forget(conn, district, now)
    return {"expired": expired, "files": sweep(settings, district, await made_files.wanted(conn, district), now)}


# --- the routes


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody wants to have made: a table, its form, and what would stand in the address of its list; with an
    id, by which a request that is sent twice makes one file."""

    table: str
    format: Extension
    filters: dict[str, Value | list[Value]] = {}
    id: UUID | None = None


class FileTold(Struct, frozen=True, kw_only=True):
    """A file that was asked for: how many rows it has by now of how many, and where it is fetched when it is ready."""

    id: UUID
    table: str
    format: Extension
    language: str
    state: made_files.State
    rows_done: int
    rows: int | None
    bytes: int | None
    fault: str | None
    name: str | None
    asked_at: datetime
    ended_at: datetime | None
    expires_at: datetime
    href: str
    file: str | None


class FilesTold(Struct, frozen=True):
    """What somebody asked for, the newest first."""

    items: list[FileTold]


def told(file: MadeFile) -> FileTold:
    """A file as it is sent."""
    href = f"/api/exports/{file.id}"
    return FileTold(
        id=file.id,
        table=file.what,
        format=file.format,
        language=file.language,
        state=file.state,
        rows_done=file.rows_done,
        rows=file.rows,
        bytes=file.bytes,
        fault=file.fault,
        name=file.called,
        asked_at=file.asked_at,
        ended_at=file.ended_at,
        expires_at=file.expires_at,
        href=href,
        file=f"{href}/file" if file.state == "ready" else None,
    )


async def ask(
    conn: asyncpg.Connection, reader: Reader, wanted: Wanted, language: str, settings: Settings, ring: KeyRing,
    now: datetime,
) -> MadeFile:  # fmt: skip
    """Write down that a file is to be made, and queue it. Raises what its list refuses, TooMany, NoSpace and
    TooManyFiles."""
    table = table_of(wanted.table, wanted.format, wanted.filters, reader)
    about, seen = await exports.look(conn, reader, language, table, ring, now)
    most = FORMATS[wanted.format].most
    if most is not None and seen.rows is not None and seen.rows > most:
        raise TooMany(None, most=most)
    file = wanted.id or uuid4()
    export_making.refuse_without_space(path(settings, reader.district, file).parent, wanted.format, seen.rows or 0)
    draft = Draft(
        id=file,
        what=wanted.table,
        format=wanted.format,
        language=language,
        asked=msgspec.to_builtins(table),
        rows=seen.rows,
    )
    made, new = await made_files.ask(conn, reader, draft, now, timedelta(hours=settings.export_hours))
    if new:
        what = f"{table.name}.{wanted.format}"
        await exports.note(conn, about, "asked", what, {"file": str(file), **_facts(seen)}, now)
        await job_queue.put(conn, ERRAND.name, [Ticket(reader.district, file)])
    return made


def _facts(seen: Told) -> dict[str, object]:
    return {"filters": seen.filters} | ({} if seen.rows is None else {"rows": seen.rows})


@post(
    "/api/exports",
    dto=JsonBody[Wanted],
    return_dto=None,
    status_code=202,
    summary="Have a file made",
    opt={REFUSES: (404, 409, 507)},
)
async def ask_for_file(
    request: Request[Reader, Any, Any],
    data: JSONBody[Wanted],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    settings: NamedDependency[Settings],
    ring: NamedDependency[KeyRing],
    clock: NamedDependency[Clock],
) -> Response[FileTold]:
    """Have a large file made by a job: `table` is issues, visits, premises, answers, rates, coverage or coverage_doors,
    and `filters` holds what would stand in the address of its list, as `{"group": ["overdue"]}`; for coverage its
    `campaign` as well, for answers their `questionnaire`."""
    refuse_unfit(request, ("lang",))
    made = await ask(conn, reader, data, problem_details.language(request), settings, ring, clock())
    return Response(told(made), status_code=202, headers={"Location": f"/api/exports/{made.id}"})


@get("/api/exports", summary="Files that one asked for")
async def list_files(
    conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader], clock: NamedDependency[Clock]
) -> FilesTold:
    """What the reader asked for and has not expired."""
    return FilesTold([told(file) for file in await made_files.newest(conn, reader, clock())])


@get("/api/exports/{file:uuid}", summary="A file that one asked for")
async def one_file(
    conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader], file: FromPath[UUID]
) -> FileTold:
    """How far it is."""
    return told(await made_files.one(conn, reader, file))


@post("/api/exports/{file:uuid}/cancel", status_code=200, summary="Let a file not be made", opt={REFUSES: (404, 409)})
async def cancel_file(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    file: FromPath[UUID],
) -> FileTold:
    """Whoever makes it leaves off within a second, and nothing of it stays."""
    return told(await made_files.cancel(conn, reader, file, clock()))


class NotThisRange(Invalid):
    """The file has no such bytes; `facts` say how many it has."""

    code: ClassVar[str] = "not_this_range"


@get(
    "/api/exports/{file:uuid}/file",
    responses={
        200: ResponseSpec(bytes, generate_examples=False, description="The file"),
        206: ResponseSpec(bytes, generate_examples=False, description="The bytes that `Range` asks for"),
    },
    summary="Fetch a file",
    opt={TAKES_ITS_TIME: True, ITSELF_COMPRESSED: True, REFUSES: (404, 409, 416)},
)
async def fetch_file(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    settings: NamedDependency[Settings],
    clock: NamedDependency[Clock],
    file: FromPath[UUID],
) -> Stream:
    """A file that is ready, for who asked for it, as long as they still reach all that it shows; or a part of it, so
    that a broken download goes on where it was."""
    found = await made_files.fetchable(conn, reader, file, clock())
    lying = path(settings, reader.district, file)
    if not await asyncio.to_thread(lying.is_file):
        raise NotFound
    size, tag = found.bytes or 0, f'"{found.id}"'
    begin, end, part = _range(request, size, tag)
    if begin == 0:
        await _note_fetched(conn, reader, found, clock())
    headers = {
        "Content-Disposition": exports.disposition(f"{found.what}.{found.format}", found.called or found.what),
        "Cache-Control": "private, no-store",
        "Accept-Ranges": "bytes",
        "ETag": tag,
        "Content-Length": str(end - begin),
    }
    if part:
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    media_type = FORMATS[found.format].media_type
    charset = "; charset=utf-8" if media_type.startswith("text/") else ""
    return Stream(
        _read(lying, begin, end), status_code=206 if part else 200, media_type=media_type + charset, headers=headers
    )


async def _note_fetched(conn: asyncpg.Connection, reader: Reader, found: MadeFile, now: datetime) -> None:
    district = await people.district(conn, reader.district)
    assert district is not None  # noqa: S101 - the reader is of it
    about = About(reader=reader, district=district, language=found.language, now=now)
    facts = {"file": str(found.id), "rows": found.rows}
    await exports.note(conn, about, "fetched", f"{found.what}.{found.format}", facts, now)


def _range(request: Request[Any, Any, Any], size: int, tag: str) -> tuple[int, int, bool]:
    """From which byte to before which, and whether that is a part. Raises NotThisRange."""
    asked = RANGE.fullmatch(request.headers.get("range", ""))
    if asked is None or request.headers.get("if-range", tag) != tag or not any(asked.groups()):
        return 0, size, False
    first, last = asked.groups()
    if not first:
        begin, end = max(0, size - int(last)), size
    else:
        begin, end = int(first), min(size, int(last) + 1) if last else size
    if begin >= end:
        raise NotThisRange("Range", size=size)
    return begin, end, True


async def _read(lying: Path, begin: int, end: int) -> AsyncIterator[bytes]:
    descriptor = await asyncio.to_thread(os.open, lying, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while begin < end:
            chunk = await asyncio.to_thread(os.pread, descriptor, min(CHUNK, end - begin), begin)
            if not chunk:
                raise OSError("the file ends early")
            begin += len(chunk)
            yield chunk
    finally:
        os.close(descriptor)


ROUTES = [ask_for_file, list_files, one_file, cancel_file, fetch_file]

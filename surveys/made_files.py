"""Files that are made later, because they are large: asked for, worked at, ready, fetched, and forgotten.

A file shows what its asker reached, and is given to nobody but them, for as long as they still reach all of that. Who
makes it holds an attempt, and is no longer heard once another has taken it over; so that what a killed process left is
begun anew, and no part of it is ever taken for the whole."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, get_args
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.people import scopes
from surveys.people.people import Reader
from surveys.refusals import Conflict, NotAllowed, NotFound

State = Literal["queued", "making", "ready", "failed", "cancelled"]
Format = Literal["csv", "xlsx", "geojson", "gpkg"]
Fault = Literal["too_many", "no_space", "no_longer_allowed", "not_found", "fault"]
FAULTS: tuple[Fault, ...] = get_args(Fault)

MOST_OF_PERSON = 3  # that are not yet ended
MOST_IN_DISTRICT = 100
MOST_LISTED = 100
LOCK = 6_301  # of the counting of what is not yet ended


class TooManyFiles(Conflict):
    """As many files as may be are already waiting to be made; `facts` say how many."""

    code: ClassVar[str] = "too_many_files"


class FileEnded(Conflict):
    """The file is made, or has failed, or was cancelled before."""

    code: ClassVar[str] = "file_ended"


class FileNotReady(Conflict):
    """The file is not made yet, or never will be; `facts` say its state."""

    code: ClassVar[str] = "file_not_ready"


class FileOutOfReach(NotAllowed):
    """The file shows more than its asker still reaches."""

    code: ClassVar[str] = "file_out_of_reach"


class MadeFile(Struct, frozen=True, kw_only=True):
    """A file as its asker sees it."""

    id: UUID
    what: str
    format: Format
    language: str
    asked: Mapping[str, Any]
    state: State
    rows_done: int
    rows: int | None
    bytes: int | None
    fault: str | None
    called: str | None
    asked_at: datetime
    ended_at: datetime | None
    expires_at: datetime

    @property
    def under_way(self) -> bool:
        """Whether it may still become ready."""
        return self.state in ("queued", "making")


class Draft(Struct, frozen=True, kw_only=True):
    """What somebody asks for."""

    id: UUID
    what: str
    format: Format
    language: str
    asked: Mapping[str, Any]
    rows: int | None


FILE = "id, what, format, language, asked, state, rows_done, rows, bytes, fault, called, asked_at, ended_at, expires_at"
UNFINISHED = """
select count(*) filter (where member = $2) as theirs, count(*) as all from made_file
where district = $1 and state in ('queued', 'making')
"""
INSERT = f"""
insert into made_file (district, id, member, what, format, language, asked, reader, state, rows, asked_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, 'queued', $9, $10, $11)
returning {FILE}
"""


async def ask(conn: Connection, reader: Reader, draft: Draft, now: datetime, kept: timedelta) -> tuple[MadeFile, bool]:
    """Write down that a file is to be made, and whether that is new; asked again under its id it is the same file.
    Raises TooManyFiles, and NotFound for an id that somebody else has."""
    await conn.execute("select pg_advisory_xact_lock($1, $2)", LOCK, reader.district)
    if (there := await _find(conn, reader.district, draft.id)) is not None:
        return await one(conn, reader, there), False
    (counted,) = await conn.fetch(UNFINISHED, reader.district, reader.member)
    for name, most in (("theirs", MOST_OF_PERSON), ("all", MOST_IN_DISTRICT)):
        if counted[name] >= most:
            raise TooManyFiles(most=most)
    rows = await conn.fetch(
        INSERT,
        reader.district,
        draft.id,
        reader.member,
        draft.what,
        draft.format,
        draft.language,
        msgspec.to_builtins(draft.asked),
        msgspec.to_builtins(reader),
        draft.rows,
        now,
        now + kept,
    )
    return MadeFile(**rows[0]), True


async def _find(conn: Connection, district: int, file: UUID) -> UUID | None:
    found: UUID | None = await conn.fetchval("select id from made_file where district = $1 and id = $2", district, file)
    return found


async def newest(conn: Connection, reader: Reader, now: datetime) -> list[MadeFile]:
    """What somebody asked for and has not expired, the newest first."""
    rows = await conn.fetch(
        f"select {FILE} from made_file where district = $1 and member = $2 and expires_at > $3"
        " order by asked_at desc, id desc limit $4",
        *(reader.district, reader.member, now, MOST_LISTED),
    )
    return [MadeFile(**row) for row in rows]


async def one(conn: Connection, reader: Reader, file: UUID) -> MadeFile:
    """One file that somebody asked for. Raises NotFound, for another's as well."""
    row = await conn.fetchrow(
        f"select {FILE} from made_file where district = $1 and member = $2 and id = $3",
        *(reader.district, reader.member, file),
    )
    if row is None:
        raise NotFound
    return MadeFile(**row)


# What was searched for may name somebody, and is kept no longer than it is needed.
WITHOUT_TEXT = "asked = asked #- '{filters,text}'"
CANCEL = f"""
update made_file set state = 'cancelled', ended_at = $4, attempt = null, {WITHOUT_TEXT}
where district = $1 and member = $2 and id = $3 and state in ('queued', 'making')
returning {FILE}
"""


async def cancel(conn: Connection, reader: Reader, file: UUID, now: datetime) -> MadeFile:
    """Let a file not be made after all. Raises NotFound, and FileEnded for one that is no longer under way."""
    row = await conn.fetchrow(CANCEL, reader.district, reader.member, file, now)
    if row is None:
        raise FileEnded(state=(await one(conn, reader, file)).state)
    return MadeFile(**row)


# --- who makes it


class Order(Struct, frozen=True, kw_only=True):
    """What is to be made, for whom as they were when they asked."""

    what: str
    format: Format
    language: str
    asked: Mapping[str, Any]
    reader: Reader
    rows: int | None


BEGIN = """
update made_file set state = 'making', attempt = $3, rows_done = 0
where district = $1 and id = $2 and state in ('queued', 'making') and expires_at > $4
returning what, format, language, asked, reader, rows
"""
REACHED = "update made_file set reach = $4 where district = $1 and id = $2 and attempt = $3"
PROGRESS = """
update made_file set rows_done = $4 where district = $1 and id = $2 and attempt = $3 and state = 'making' returning id
"""
FINISH = f"""
update made_file set state = 'ready', rows_done = $4, rows = $4, bytes = $5, called = $6, ended_at = $7,
  attempt = null, {WITHOUT_TEXT}
where district = $1 and id = $2 and attempt = $3 and state = 'making' returning id
"""
FAIL = f"""
update made_file set state = 'failed', fault = $4, ended_at = $5, attempt = null, {WITHOUT_TEXT}
where district = $1 and id = $2 and attempt = $3 and state = 'making'
"""
PUT_BACK = """
update made_file set state = 'queued', attempt = null
where district = $1 and id = $2 and attempt = $3 and state = 'making'
"""


async def begin(conn: Connection, district: int, file: UUID, attempt: UUID, now: datetime) -> Order | None:
    """Take a file on; None for one that is wanted no more."""
    row = await conn.fetchrow(BEGIN, district, file, attempt, now)
    return msgspec.convert(dict(row), Order) if row else None


async def allow(conn: Connection, order: Order, file: UUID, attempt: UUID) -> None:
    """Note what the asker reaches, by the grants that they held. Raises FileOutOfReach where they have left, or do not
    reach all of that any more."""
    then = await scopes.reach(conn, order.reader)
    present = await _present(conn, order.reader)
    if present is None or not covers(await _reach(conn, present), _bare(then)):
        raise FileOutOfReach
    await conn.execute(REACHED, order.reader.district, file, attempt, _bare(then))


async def progress(conn: Connection, district: int, file: UUID, attempt: UUID, rows: int) -> bool:
    """Say how many rows there are by now; whether the file is still wanted of this attempt."""
    return await conn.fetchval(PROGRESS, district, file, attempt, rows) is not None


async def finish(
    conn: Connection, district: int, file: UUID, attempt: UUID, rows: int, size: int, called: str, now: datetime
) -> bool:
    """Say that a file is whole; whether it is still wanted of this attempt."""
    return await conn.fetchval(FINISH, district, file, attempt, rows, size, called, now) is not None


async def fail(conn: Connection, district: int, file: UUID, attempt: UUID, fault: Fault, now: datetime) -> None:
    """Say why a file is not made."""
    await conn.execute(FAIL, district, file, attempt, fault, now)


async def put_back(conn: Connection, district: int, file: UUID, attempt: UUID) -> None:
    """Let another attempt take it on."""
    await conn.execute(PUT_BACK, district, file, attempt)


# --- who fetches it

Bare = Mapping[str, Any]  # a reach without its reader
PLACES = ("communities", "departments", "organisations", "premises")


async def fetchable(conn: Connection, reader: Reader, file: UUID, now: datetime) -> MadeFile:
    """A file that is ready for who asked for it. Raises NotFound for another's and for one that has expired,
    FileNotReady, and FileOutOfReach."""
    found = await one(conn, reader, file)
    if found.expires_at <= now:
        raise NotFound
    if found.state != "ready":
        raise FileNotReady(state=found.state)
    then = await conn.fetchval("select reach from made_file where district = $1 and id = $2", reader.district, file)
    if not covers(await _reach(conn, reader), then):
        raise FileOutOfReach
    return found


def covers(now: Bare | None, then: Bare) -> bool:
    """Whether all that was reached is reached still."""
    if now is None or now["district"]:
        return now is not None
    if then["district"]:
        return False
    return all(set(then[name]) <= set(now[name]) for name in PLACES)


async def _reach(conn: Connection, reader: Reader) -> Bare | None:
    try:
        return _bare(await scopes.reach(conn, reader))
    except NotAllowed:
        return None


def _bare(reach: scopes.Reach) -> Bare:
    told: dict[str, Any] = msgspec.to_builtins(reach)
    del told["reader"]
    return told


PRESENT = """
select m.district, m.id as member, m.name, m.organisation,
       array(select array[r.role, r.scope_kind, r.scope]::text[] from member_role r
             where r.district = m.district and r.member = m.id) as grants
from member m where m.district = $1 and m.id = $2 and m.closed_at is null
"""


async def _present(conn: Connection, asker: Reader) -> Reader | None:
    """Who asked, as they are now; None when they have left."""
    row = await conn.fetchrow(PRESENT, asker.district, asker.member)
    if row is None:
        return None
    names = ("role", "scope_kind", "scope")
    grants = [dict(zip(names, grant, strict=True)) for grant in row["grants"]]
    return msgspec.convert({**row, "grants": grants}, Reader)


# --- forgetting

FORGET = "delete from made_file where district = $1 and expires_at <= $2 returning id"
KNOWN = "select id from made_file where district = $1 and state in ('queued', 'making', 'ready')"


async def forget(conn: Connection, district: int, now: datetime) -> int:
    """Forget what has expired; how many that were."""
    return len(await conn.fetch(FORGET, district, now))


async def wanted(conn: Connection, district: int) -> set[UUID]:
    """The files that may lie on the disk."""
    return {row["id"] for row in await conn.fetch(KNOWN, district)}


def unfinished(files: Sequence[MadeFile]) -> bool:
    """Whether anything may still change by itself."""
    return any(file.under_way for file in files)

"""The history as the auditor reads it: who did what to whom or what, and when; nothing sealed, nothing of where it was,
and no text but the purpose for which a resident's data was shown or forgotten."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys import cursors, history_seals, job_runs
from surveys.history import ActorKind, Kind
from surveys.history_seals import Head
from surveys.people.people import Reader
from surveys.people.scopes import Parameters
from surveys.refusals import InvalidCursor, InvalidFilter, NotFound, UnknownMember

READ_AHEAD = 500  # rows that are fetched at a time
YEARS = range(1900, 3000)
PLACES = frozenset({"lon", "lat", "cell", "accuracy_m", "position"})  # and all that begins with the last


class Asked(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What to show; several kinds or events are alternatives, fields narrow one another. `from_` and `to` are days of
    the district, both whole."""

    person: str | None = None  # who did it or whom it is about: an id or a member's number
    thing: str | None = None  # what happened to it, or was about it: an id or an issue's number
    about: UUID | None = None
    kind: tuple[Kind, ...] = ()
    event: tuple[str, ...] = ()
    from_: date | None = None
    to: date | None = None


class Doer(Struct, frozen=True, kw_only=True):
    """Who did it: a member by id, number and name; or a job, an import or a program by its name."""

    kind: ActorKind
    id: str
    number: str | None = None
    name: str | None = None


class Subject(Struct, frozen=True, kw_only=True):
    """What it was done to: a member or an organisation by name, an issue by number, anything else by its id."""

    id: UUID
    number: str | None = None
    name: str | None = None


class Told(Struct, frozen=True, kw_only=True):
    """An event as the auditor reads it."""

    id: UUID
    recorded_at: datetime
    happened_at: datetime
    kind: Kind
    event: str
    actor: Doer
    subject: Subject | None
    version: int
    facts: dict[str, object]
    purpose: str | None  # that somebody gave for seeing or forgetting a resident's data; None once it is forgotten too


class Seals(Struct, frozen=True, kw_only=True):
    """How far the history is sealed, and what the last verification said; `broken` names what does not hold."""

    head: Head | None
    verified_at: datetime | None
    broken: dict[str, object] | None


class HistoryPage(Struct, frozen=True, kw_only=True):
    """A part of the history, newest first, and where the next part begins; `total` counts all parts."""

    items: list[Told]
    next: str | None
    total: int | None
    seals: Seals


class _Cursor(Struct, frozen=True, array_like=True):
    recorded_at: datetime
    id: UUID
    at: datetime
    asked: str


# The events of `part` with the names of whom they are about, which are looked up for no more than these; a forged id
# that is none must not keep anybody from reading the rest.
_ID = "'^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'"
TOLD = """
select h.id, h.recorded_at, h.happened_at, h.kind, h.event, h.actor_kind, h.actor, h.version, h.facts, h.subject,
       a.number as actor_number, a.name as actor_name, coalesce(m.number, i.number::text) as subject_number,
       coalesce(m.name, o.name) as subject_name, t.body->>'reason' as purpose
from (
  select p.*, case when p.thing <> p.id then p.thing
                   when p.facts->>'about' ~ {id} then (p.facts->>'about')::uuid end as subject
  from ({part}) p
) h
left join member a on a.district = $1
  and a.id = case when h.actor_kind = 'member' and h.actor ~ {id} then h.actor::uuid end
left join member m on m.district = $1 and m.id = h.subject
left join organisation o on o.district = $1 and o.id = h.subject
left join issue i on i.district = $1 and i.id = h.subject
left join text_version t on t.district = $1 and t.subject = h.id and t.version = 1 and h.kind in ('reveal', 'erasure')
order by h.recorded_at desc, h.id desc
"""
PART = "select * from history where {where} order by recorded_at desc, id desc"


async def page(
    conn: Connection,
    reader: Reader,
    asked: Asked,
    zone: ZoneInfo,
    now: datetime,
    *,
    limit: int = 50,
    cursor: str | None = None,
    total: bool = True,
) -> HistoryPage:
    """A part of the history for an auditor or an administrator; the first part pins the moment for those after it.

    Raises NotAllowed, InvalidFilter, InvalidCursor, UnknownMember, and NotFound for an issue that is not there."""
    allow(reader)
    after = _read_cursor(cursor, asked) if cursor else None
    at = after.at if after else now
    where, parameter = await _where(conn, reader, asked, zone, at)
    count = await conn.fetchval(f"select count(*) from history where {where}", *parameter.values) if total else None
    if after:
        where += f" and (recorded_at, id) < ({parameter(after.recorded_at)}, {parameter(after.id)})"
    part = f"{PART.format(where=where)} limit {parameter(limit + 1)}"
    rows = await conn.fetch(TOLD.format(part=part, id=_ID), *parameter.values)
    items = [_told(row) for row in rows[:limit]]
    last = items[-1] if len(rows) > limit else None
    next_ = cursors.write(_Cursor(last.recorded_at, last.id, at, _digest(asked))) if last else None
    return HistoryPage(items=items, next=next_, total=count, seals=await seals(conn, reader))


async def rows(conn: Connection, reader: Reader, asked: Asked, zone: ZoneInfo, now: datetime) -> AsyncIterator[Told]:
    """All events of the list, newest first, a few hundred of them in memory at a time. A transaction must be open.
    Raises what `page` raises."""
    allow(reader)
    where, parameter = await _where(conn, reader, asked, zone, now)
    async for row in conn.cursor(
        TOLD.format(part=PART.format(where=where), id=_ID), *parameter.values, prefetch=READ_AHEAD
    ):
        yield _told(row)


async def count(conn: Connection, reader: Reader, asked: Asked, zone: ZoneInfo, now: datetime) -> int:
    """How many rows there are. Raises what `page` raises."""
    allow(reader)
    where, parameter = await _where(conn, reader, asked, zone, now)
    counted: int = await conn.fetchval(f"select count(*) from history where {where}", *parameter.values)
    return counted


async def filters_told(conn: Connection, reader: Reader, asked: Asked) -> Mapping[str, object]:
    """The filters as facts of an export: ids, codes and days."""
    facts = msgspec.to_builtins(asked)
    if asked.person is not None:
        facts["person"] = str(await _person(conn, reader.district, asked.person))
    if asked.thing is not None:
        facts["thing"] = str(await _thing(conn, reader.district, asked.thing))
    return {name.rstrip("_"): value for name, value in facts.items()}


async def seals(conn: Connection, reader: Reader) -> Seals:
    """How far the reader's district is sealed and verified."""
    runs = await job_runs.newest(conn, reader.district, ["verify_history"], 5)
    verified = next((run for run in runs if run.outcome == "done"), None)
    broken = verified.facts.get("broken") if verified else None
    return Seals(
        head=await history_seals.head(conn, reader.district),
        verified_at=verified.ended_at if verified else None,
        broken=broken if isinstance(broken, dict) else None,
    )


def allow(reader: Reader) -> None:
    """Raises NotAllowed for whoever may not read the history."""
    reader.require("auditor", "administrator")


async def _where(
    conn: Connection, reader: Reader, asked: Asked, zone: ZoneInfo, at: datetime
) -> tuple[str, Parameters]:
    parameter = Parameters(reader.district)
    wheres = ["district = $1", f"recorded_at <= {parameter(at)}"]
    if asked.person is not None:
        person = parameter(str(await _person(conn, reader.district, asked.person)))
        wheres.append(
            f"(actor = {person} or facts->>'about' = {person} or (kind = 'member' and thing = {person}::text::uuid))"
        )
    if asked.thing is not None:
        thing = parameter(str(await _thing(conn, reader.district, asked.thing)))
        wheres.append(f"(thing = {thing}::text::uuid or facts->>'about' = {thing})")
    if asked.about is not None:
        wheres.append(f"facts->>'about' = {parameter(str(asked.about))}")
    for column, values in (("kind", asked.kind), ("event", asked.event)):
        if len(values) == 1:  # so that an index gives them in the list's order
            wheres.append(f"{column} = {parameter(values[0])}")
        elif values:
            wheres.append(f"{column} = any({parameter(list(values))}::text[])")
    if asked.from_ is not None:
        wheres.append(f"recorded_at >= {parameter(_midnight(asked.from_, zone, 'from'))}")
    if asked.to is not None:
        wheres.append(f"recorded_at < {parameter(_midnight(asked.to + timedelta(days=1), zone, 'to'))}")
    return " and ".join(wheres), parameter


def _midnight(day: date, zone: ZoneInfo, field: str) -> datetime:
    if day.year not in YEARS:
        raise InvalidFilter(field, expected=f"a year from {YEARS.start} to {YEARS.stop - 1}")
    return datetime.combine(day, time(), zone)


MEMBER = "select id from member where district = $1 and number = $2"
ISSUE = "select id from issue where district = $1 and number = $2"


async def _person(conn: Connection, district: int, text: str) -> UUID:
    """The member of an id, whether or not there is one, or of a number. Raises UnknownMember."""
    found: UUID | None = _uuid(text) or await conn.fetchval(MEMBER, district, text.strip())
    if found is None:
        raise UnknownMember("person")
    return found


async def _thing(conn: Connection, district: int, text: str) -> UUID:
    """The thing of an id, or the issue of a number. Raises InvalidFilter."""
    if found := _uuid(text):
        return found
    number = text.strip().removeprefix("#")
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        raise InvalidFilter("thing", expected="an id or an issue's number")
    issue: UUID | None = await conn.fetchval(ISSUE, district, int(number))
    if issue is None:
        raise NotFound("thing")
    return issue


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def _told(row: Any) -> Told:
    subject = row["subject"]
    return Told(
        id=row["id"],
        recorded_at=row["recorded_at"],
        happened_at=row["happened_at"],
        kind=row["kind"],
        event=row["event"],
        actor=Doer(kind=row["actor_kind"], id=row["actor"], number=row["actor_number"], name=row["actor_name"]),
        subject=Subject(id=subject, number=row["subject_number"], name=row["subject_name"]) if subject else None,
        version=row["version"],
        facts={name: value for name, value in row["facts"].items() if not _tells_place(name)},
        purpose=row["purpose"],
    )


def _tells_place(name: str) -> bool:
    return name in PLACES or name.startswith("position_")


def _digest(asked: Asked) -> str:
    return hashlib.sha256(msgspec.json.encode(asked)).hexdigest()[:16]


def _read_cursor(text: str, asked: Asked) -> _Cursor:
    cursor = cursors.read(text, _Cursor)
    if cursor.asked != _digest(asked):
        raise InvalidCursor("cursor")
    return cursor

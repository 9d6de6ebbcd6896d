"""Lists that come in through a page: members, volunteers, categories, holidays, looked at before they are taken over.

A list is read as the command reads it, with the same columns, reasons and writing; here its columns can be named
anew, its first rows are shown as they would become, and a dry run is a transaction that is undone. What is taken over
is the file that was looked at, which its digest tells."""

import asyncio
import csv
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import ClassVar, Literal, get_args
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from api import category_lists, holiday_lists, member_files, volunteer_files
from api.ledgers import defused, told_reason
from api.premises_files import ListUnusable
from api.tables import Table, UnusableTable, read_table
from surveys.clock import calendars, reckonings
from surveys.clock.calendars import PublishedAlready
from surveys.history import Actor
from surveys.issues import categories
from surveys.issues.categories import UnusableCategories
from surveys.ledgers.ledger_rows import Rejected
from surveys.people.member_imports import Counts, Import
from surveys.privacy.sealing import KeyRing
from surveys.refusals import Conflict, Invalid, Refusal, TooMany
from surveys.volunteering import volunteer_imports
from surveys.volunteering.volunteer_imports import Doing, Entry

Kind = Literal["members", "volunteers", "categories", "holidays"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# The columns of each list, with what they are called where nobody says otherwise, and those that it needs.
FIELDS: Mapping[Kind, Mapping[str, tuple[str, ...]]] = {
    "members": member_files.COLUMNS,
    "volunteers": volunteer_files.COLUMNS,
    "categories": category_lists.COLUMNS,
    "holidays": holiday_lists.COLUMNS,
}
NEEDED: Mapping[Kind, tuple[str, ...]] = {
    "members": member_files.NEEDED,
    "volunteers": volunteer_files.NEEDED,
    "categories": ("code", "name"),
    "holidays": ("date", "kind"),
}
MOST_ROWS = 30_000
SAMPLED = 8  # rows that are shown as they would become
MOST_LINES = 300  # of what is refused that are shown; all are in the report
MOST_TOLD = 300  # rows of which is shown what they do

# What a row of volunteers does, in Chinese and English.
DOES: Mapping[Doing, tuple[str, str]] = {
    "found_team": ("新建服务队", "founds the team"),
    "change_team": ("更新服务队", "changes the team"),
    "register": ("登记志愿者", "registers the volunteer"),
    "change": ("更新志愿者资料", "changes what is kept on the volunteer"),
    "join": ("加入服务队", "takes them into the team"),
    "lead": ("指定队长", "names the team's leader"),
}
NOTHING = ("没有变化", "changes nothing")


class UnknownColumn(Invalid):
    """A column that the list does not have, or a field that such a list cannot tell."""

    code: ClassVar[str] = "unknown_column"


class HolidaysOfAll(Refusal):
    """Holidays are the country's, and hold for every district of this installation: its operator brings them in."""

    code: ClassVar[str] = "holidays_of_all"


class ListChanged(Conflict):
    """The file is another than the one that was looked at."""

    code: ClassVar[str] = "list_changed"


class RowTold(Struct, frozen=True, kw_only=True):
    """What a row that is taken over does, and whom and which team it is about."""

    row: int
    about: str
    does: str


class Fault(Struct, frozen=True, kw_only=True):
    """Why a row is not taken over; row 0 stands for the list as a whole."""

    row: int
    reason: str
    cells: list[str] = []


class Looked(Struct, frozen=True, kw_only=True):
    """A list as it was looked at, or taken over: the SHA-256 of its file, its columns, which of them tells which field,
    its first rows by those fields, what the first of a list of volunteers do, how many rows came to what, and what was
    refused. Where rows are refused of a list that is taken over whole or not at all, `stored` says that nothing was."""

    kind: Kind
    digest: str
    dry_run: bool
    stored: bool
    columns: list[str]
    fields: dict[str, str | None]
    needed: list[str]
    sample: list[list[str]]
    rows: list[RowTold]
    counts: dict[str, int]
    faults: list[Fault]
    more: int
    report: str


class Asked(Struct, frozen=True, kw_only=True):
    """How a list is to be read: the headings that stand for fields, the sheet, the digest of the file that was looked
    at, and whether it is only looked at; by whom."""

    kind: Kind
    columns: Mapping[str, str] = {}  # heading by field; a blank one leaves the field out
    sheet: str | None = None
    digest: str | None = None
    dry_run: bool = True
    actor: Actor = volunteer_imports.ACTOR


DISTRICTS = "select count(*) from district"


class _OnlyLooked(Exception):
    """A dry run is over, and what it wrote is undone."""


class _Outcome(Struct, frozen=True, kw_only=True):
    counts: dict[str, int]
    faults: Sequence[Fault]
    stored: bool
    rows: list[RowTold] = []


async def look(
    conn: asyncpg.Connection, district: int, ring: KeyRing, file: Path, asked: Asked, now: datetime, language: str
) -> Looked:
    """Look at a list, or take it over, in a transaction that is open. Raises ListUnusable, ListChanged, UnknownColumn,
    TooMany, HolidaysOfAll, and what keeps the last administrator or the district's dispatcher."""
    digest = await asyncio.to_thread(_digest, file)
    if asked.digest is not None and asked.digest != digest:
        raise ListChanged("digest")
    if asked.kind == "holidays" and await conn.fetchval(DISTRICTS) > 1:
        raise HolidaysOfAll
    try:
        table = await asyncio.to_thread(read_table, file, asked.sheet)
        fields = _fields(asked, table.columns)
        read = await asyncio.to_thread(_rewritten, file, table, fields, FIELDS[asked.kind])
        if missing := [name for name in NEEDED[asked.kind] if fields[name] is None]:
            outcome = _Outcome(
                counts={}, faults=[Fault(row=0, reason=_lacking(missing, asked.kind, language))], stored=False
            )
        else:
            outcome = await _tried(conn, district, ring, file, asked, now, language)
    except UnusableTable as error:
        raise ListUnusable.of(error, language) from None
    return Looked(
        kind=asked.kind,
        digest=digest,
        dry_run=asked.dry_run,
        stored=outcome.stored and not asked.dry_run,
        columns=[column for column in table.columns if column],
        fields=fields,
        needed=list(NEEDED[asked.kind]),
        sample=read,
        rows=outcome.rows,
        counts=outcome.counts,
        faults=list(outcome.faults[:MOST_LINES]),
        more=max(len(outcome.faults) - MOST_LINES, 0),
        report=_report(outcome.faults, language) if outcome.faults else "",
    )


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _fields(asked: Asked, present: Sequence[str]) -> dict[str, str | None]:
    """The heading of each field: as it is asked for, or as it is usually called."""
    for field, heading in asked.columns.items():
        if field not in FIELDS[asked.kind] or (heading and heading not in present):
            raise UnknownColumn("map", given=f"{field}={heading}")
    folded = {column.casefold(): column for column in reversed(present) if column}
    taken = set(asked.columns.values())
    found: dict[str, str | None] = {}
    for field, spellings in FIELDS[asked.kind].items():
        if field in asked.columns:
            found[field] = asked.columns[field] or None
        else:
            usual = next((folded[one.casefold()] for one in spellings if one.casefold() in folded), None)
            found[field] = usual if usual not in taken else None
    return found


def _rewritten(
    file: Path, table: Table, fields: Mapping[str, str | None], usual: Mapping[str, tuple[str, ...]]
) -> list[list[str]]:
    """Write the list anew with the usual headings of its fields, each row at its number, and return its first rows by
    field. Raises TooMany."""
    told = [(field, heading) for field, heading in fields.items() if heading is not None]
    sample: list[list[str]] = []
    with (again := file.with_suffix(".again")).open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        for _ in range(table.header_row - 1):
            writer.writerow([])
        writer.writerow([usual[field][0] for field, _ in told])
        at = table.header_row + 1
        for count, row in enumerate(table, start=1):
            if count > MOST_ROWS:
                raise TooMany(None, most=MOST_ROWS)
            for _ in range(row.number - at):
                writer.writerow([])
            cells = [row.text(heading) for _, heading in told]
            writer.writerow([*cells, "…"] if row.fault else cells)
            at = row.number + 1
            if len(sample) < SAMPLED:
                sample.append([row.text(heading) if heading else "" for heading in fields.values()])
    again.replace(file)
    return sample


def _lacking(missing: Sequence[str], kind: Kind, language: str) -> str:
    chinese = [next(one for one in FIELDS[kind][name] if not one.isascii()) for name in missing]
    names = list(missing) if language == "en" else chinese
    return f"No column tells: {', '.join(names)}" if language == "en" else f"没有对应的列：{'、'.join(names)}"


async def _tried(
    conn: asyncpg.Connection, district: int, ring: KeyRing, file: Path, asked: Asked, now: datetime, language: str
) -> _Outcome:
    found: list[_Outcome] = []
    try:
        async with conn.transaction():
            if asked.kind == "members":
                found.append(await _members(conn, district, ring, file, now, language))
            elif asked.kind == "volunteers":
                found.append(await _volunteers(conn, district, ring, file, asked, now, language))
            elif asked.kind == "categories":
                found.append(await _categories(conn, district, file, now))
            else:
                found.append(await _holidays(conn, file, now))
            if asked.dry_run:
                raise _OnlyLooked
    except _OnlyLooked:
        pass
    return found[0]


async def _members(
    conn: asyncpg.Connection, district: int, ring: KeyRing, file: Path, now: datetime, language: str
) -> _Outcome:
    """Those who can be taken in are, whatever is wrong with the others."""
    read = await asyncio.to_thread(lambda: member_files.read(file, read_table(file)))
    rejected = list(read.rejected)
    under_way = Import(
        district=district,
        ring=ring,
        now=now,
        columns=read.columns,
        reject=rejected.append,
        numbers=read.numbers,
        counts=Counts(rejected=len(read.rejected)),
    )
    counts = await under_way.run(conn, read.entries)
    faults = _refused(rejected, member_files.REASONS, language)
    shown = {
        name: count for name, count in msgspec.structs.asdict(counts).items() if count or name in ("new", "changed")
    }
    return _Outcome(counts=shown, faults=faults, stored=True)


async def _volunteers(
    conn: asyncpg.Connection, district: int, ring: KeyRing, file: Path, asked: Asked, now: datetime, language: str
) -> _Outcome:
    """Rows that can be taken over are, whatever is wrong with the others; it is told what each of the first does."""
    read = await asyncio.to_thread(lambda: volunteer_files.read(file, read_table(file)))
    rejected, rows = list(read.rejected), list[RowTold]()

    def tell(entry: Entry, does: Sequence[Doing]) -> None:
        if len(rows) < MOST_TOLD:
            rows.append(_told(entry, does, language))

    under_way = volunteer_imports.Import(
        district=district,
        ring=ring,
        now=now,
        columns=read.columns,
        actor=asked.actor,
        reject=rejected.append,
        told=tell,
        counts=volunteer_imports.Counts(rejected=len(read.rejected)),
    )
    counts = msgspec.structs.asdict(await under_way.run(conn, read.entries))
    counts.pop("unchanged")  # of all volunteers of the district, whom the list need not name
    shown = {name: count for name, count in counts.items() if count or name in ("volunteers", "joined")}
    return _Outcome(counts=shown, faults=_refused(rejected, volunteer_files.REASONS, language), stored=True, rows=rows)


def _told(entry: Entry, does: Sequence[Doing], language: str) -> RowTold:
    words = [DOES[one] for one in does] or [NOTHING]
    told = ", ".join(en for _, en in words) if language == "en" else "、".join(zh for zh, _ in words)
    return RowTold(row=entry.row, about=f"{entry.team} · {entry.name or entry.number}", does=told)


def _refused(rejected: Sequence[Rejected], reasons: Mapping[str, tuple[str, str]], language: str) -> list[Fault]:
    faults = []
    for one in sorted(rejected, key=lambda one: one.number):
        told = [told_reason(reason, reasons) for reason in one.reasons]
        words = "; ".join(en for _, en in told) if language == "en" else "；".join(zh for zh, _ in told)
        faults.append(Fault(row=one.number, reason=words, cells=[str(cell) for cell in one.cells.values()]))
    return faults


async def _categories(conn: asyncpg.Connection, district: int, file: Path, now: datetime) -> _Outcome:
    """All of the list, or nothing."""
    try:
        drafts = await asyncio.to_thread(category_lists.read_drafts, file)
        async with conn.transaction():
            stored = await categories.store(conn, district, drafts, now)
    except UnusableCategories as refusal:
        told = [
            Fault(row=bad.row, reason=category_lists.REASONS[bad.reason].format(value=bad.value))
            for bad in sorted(refusal.rows, key=lambda bad: (bad.row, bad.reason))
        ]
        return _Outcome(counts={"rejected": len(told)}, faults=told, stored=False)
    counts = {name: len(codes) for name, codes in msgspec.structs.asdict(stored).items()}
    same = len(drafts) - counts["new"] - counts["changed"]
    return _Outcome(counts={"rows": len(drafts), **counts, "unchanged": same}, faults=[], stored=True)


async def _holidays(conn: asyncpg.Connection, file: Path, now: datetime) -> _Outcome:
    """All of the list, or nothing; due times that waited for it are counted anew."""
    try:
        days = await asyncio.to_thread(holiday_lists.read_days, file)
        known = await calendars.years(conn)
        found = holiday_lists.years(days, known, (), published=True)
        async with conn.transaction():
            changes = await calendars.store(conn, calendars.CHINA, found, "desk", holiday_lists.ACTOR, now)
    except holiday_lists.UnusableHolidays as refusal:
        told = [
            Fault(
                row=bad.row,
                reason=f"{bad.column} {holiday_lists.REASONS[bad.reason].format(value=bad.value)}".strip(),
            )
            for bad in sorted(refusal.rows, key=lambda bad: (bad.row, bad.column, bad.reason))
        ]
        return _Outcome(counts={"rejected": len(told)}, faults=told, stored=False)
    except PublishedAlready as refusal:
        raise Invalid("file", **refusal.facts) from None
    added, removed = (sum(len(getattr(one, name)) for one in changes) for name in ("added", "removed"))
    counts = {"rows": len(days), "years": len(changes), "new": added, "removed": removed}
    return _Outcome(counts=counts | {"reckoned": await _reckoned(conn, now)}, faults=[], stored=True)


async def _reckoned(conn: asyncpg.Connection, now: datetime) -> int:
    """How many due times were provisional and are counted anew."""
    changed = 0
    for district in await calendars.districts(conn, calendars.CHINA):
        last: UUID | None = reckonings.BEFORE_ALL
        while last is not None:
            reckoned = await reckonings.reckon(conn, district, holiday_lists.ACTOR, now, last)
            changed += reckoned.changed
            last = reckoned.last
    return changed


def _report(faults: Sequence[Fault], language: str) -> str:
    """What was refused as a CSV file, in which no spreadsheet program runs anything."""
    written = StringIO()
    writer = csv.writer(written)
    writer.writerow(["row", "reason", "cells"] if language == "en" else ["行号", "原因", "内容"])
    for fault in faults:
        writer.writerow([fault.row, defused(fault.reason), *map(defused, fault.cells)])
    return written.getvalue()

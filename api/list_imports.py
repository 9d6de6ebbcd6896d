"""Lists that come in through a page: members, categories and holidays, looked at before they are taken over.

A list is read as the command reads it, with the same columns, reasons and writing; here its columns can be named
anew, its first rows are shown as they would become, and a dry run is a transaction that is undone."""

import asyncio
import csv
from collections.abc import Mapping, Sequence
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import ClassVar, Literal, get_args
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from api import category_lists, holiday_lists, member_files
from api.json_bodies import TooMany
from api.ledgers import defused, told_reason
from api.premises_files import ListUnusable
from api.tables import Table, UnusableTable, read_table
from surveys import calendars, categories, reckonings
from surveys.calendars import PublishedAlready
from surveys.categories import UnusableCategories
from surveys.ledger_rows import Rejected
from surveys.member_imports import Counts, Import
from surveys.refusals import Invalid, Refusal
from surveys.sealing import KeyRing

Kind = Literal["members", "categories", "holidays"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# The columns of each list, with what they are called where nobody says otherwise, and those that it needs.
FIELDS: Mapping[Kind, Mapping[str, tuple[str, ...]]] = {
    "members": member_files.COLUMNS,
    "categories": category_lists.COLUMNS,
    "holidays": holiday_lists.COLUMNS,
}
NEEDED: Mapping[Kind, tuple[str, ...]] = {
    "members": member_files.NEEDED,
    "categories": ("code", "name"),
    "holidays": ("date", "kind"),
}
MOST_ROWS = 30_000
SAMPLED = 8  # rows that are shown as they would become
MOST_LINES = 300  # of what is refused that are shown; all are in the report


class UnknownColumn(Invalid):
    """A column that the list does not have, or a field that such a list cannot tell."""

    code: ClassVar[str] = "unknown_column"


class HolidaysOfAll(Refusal):
    """Holidays are the country's, and hold for every district of this installation: its operator brings them in."""

    code: ClassVar[str] = "holidays_of_all"


class Fault(Struct, frozen=True, kw_only=True):
    """Why a row is not taken over; row 0 stands for the list as a whole."""

    row: int
    reason: str
    cells: list[str] = []


class Looked(Struct, frozen=True, kw_only=True):
    """A list as it was looked at, or taken over: its columns, which of them tells which field, its first rows by those
    fields, how many rows came to what, and what was refused. Where rows are refused of a list that is taken over whole
    or not at all, `stored` says that nothing was."""

    kind: Kind
    dry_run: bool
    stored: bool
    columns: list[str]
    fields: dict[str, str | None]
    needed: list[str]
    sample: list[list[str]]
    counts: dict[str, int]
    faults: list[Fault]
    more: int
    report: str


class Asked(Struct, frozen=True, kw_only=True):
    """How a list is to be read: the headings that stand for fields, the sheet, and whether it is only looked at."""

    kind: Kind
    columns: Mapping[str, str] = {}  # heading by field; a blank one leaves the field out
    sheet: str | None = None
    dry_run: bool = True


DISTRICTS = "select count(*) from district"


class _OnlyLooked(Exception):
    """A dry run is over, and what it wrote is undone."""


class _Outcome(Struct, frozen=True, kw_only=True):
    counts: dict[str, int]
    faults: Sequence[Fault]
    stored: bool


async def look(
    conn: asyncpg.Connection, district: int, ring: KeyRing, file: Path, asked: Asked, now: datetime, language: str
) -> Looked:
    """Look at a list, or take it over, in a transaction that is open. Raises ListUnusable, UnknownColumn, TooMany,
    HolidaysOfAll, and what keeps the last administrator or the district's dispatcher."""
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
        dry_run=asked.dry_run,
        stored=outcome.stored and not asked.dry_run,
        columns=[column for column in table.columns if column],
        fields=fields,
        needed=list(NEEDED[asked.kind]),
        sample=read,
        counts=outcome.counts,
        faults=list(outcome.faults[:MOST_LINES]),
        more=max(len(outcome.faults) - MOST_LINES, 0),
        report=_report(outcome.faults, language) if outcome.faults else "",
    )


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
    faults = [_refused(one, language) for one in sorted(rejected, key=lambda one: one.number)]
    shown = {
        name: count for name, count in msgspec.structs.asdict(counts).items() if count or name in ("new", "changed")
    }
    return _Outcome(counts=shown, faults=faults, stored=True)


def _refused(rejected: Rejected, language: str) -> Fault:
    told = [told_reason(reason, member_files.REASONS) for reason in rejected.reasons]
    words = "; ".join(en for _, en in told) if language == "en" else "；".join(zh for zh, _ in told)
    return Fault(row=rejected.number, reason=words, cells=[str(cell) for cell in rejected.cells.values()])


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

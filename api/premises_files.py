"""Lists of doors as people send them, CSV, XLSX or GeoJSON: opened, read row by row, and put on the register."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import ClassVar

import asyncpg
from msgspec import Struct

from api.ledgers import REASONS as LEDGER_REASONS
from api.ledgers import rarely_collecting
from api.point_files import is_geojson, read_points
from api.tables import Row, Table, UnusableTable, read_table
from maps.locator import Atlas
from surveys.history import Actor
from surveys.ledgers.ledger_mapping import UnusableMapping
from surveys.ledgers.ledger_rows import Rejected
from surveys.premises import premises_imports, premises_mapping
from surveys.premises.premises_imports import Counts, Import, Note
from surveys.premises.premises_mapping import Columns, PremisesMapping
from surveys.premises.premises_rows import Entry, Interpreter
from surveys.refusals import Invalid, TooMany

TOGETHER = 5_000  # rows that are put on the register at once

# Why a file can be refused, in Chinese and English; the facts of the refusal fill the braces.
FAULTS: Mapping[str, tuple[str, str]] = {
    "file_unreadable": ("文件无法读取：{cause}", "The file cannot be read: {cause}"),
    "text_broken": ("第 {line} 行的文字编码有误，不是 {encoding}", "Line {line} is not {encoding}"),
    "row_unreadable": ("第 {row} 行无法读取：{cause}", "Row {row} cannot be read: {cause}"),
    "no_rows": ("文件中没有数据", "The file has no rows"),
    "sheet_not_found": ("没有工作表“{wanted}”", "There is no sheet {wanted}"),
    "header_not_found": ("第 {row} 行不是表头", "There is no header in row {row}"),
    "column_repeated": ("列名“{column}”出现两次", "There are two columns {column}"),
    "columns_missing": ("没有这一列：{missing}", "There is no column {missing}"),
    "field_not_mapped": ("没有找到“{field}”列", "There is no column for {field}"),
}
FIELD_WORDS: Mapping[str, str] = {"name": "名称", "kind": "类型", "lon": "经度", "lat": "纬度"}

# Why a row can be refused, in Chinese and English; the facts of the reason fill the braces.
REASONS: Mapping[str, tuple[str, str]] = {
    **{
        code: LEDGER_REASONS[code]
        for code in (
            "too_many_cells",
            "text_too_long",
            "text_unusable",
            "unknown_community",
            "position_incomplete",
            "not_a_number",
            "longitude_out_of_range",
            "latitude_out_of_range",
            "longitude_latitude_swapped",
            "accuracy_out_of_range",
            "unknown_system",
        )
    },
    "missing": ("为空", "is empty"),
    "kind_missing": ("没有类型", "has no kind"),
    "unknown_kind": ("不是商铺、企业或居民：{given}", "is neither shop, enterprise nor household: {given}"),
    "code_repeated": ("与第 {row} 行编号相同而内容不同", "is the code of row {row}, which is another door"),
    "geometry_unusable": ("图形无法识别", "has a geometry that cannot be read"),
}


class ListUnusable(Invalid):
    """A list that cannot be read, or that lacks a column; `reason` says why, in the reader's language."""

    code: ClassVar[str] = "list_unusable"

    @classmethod
    def of(cls, error: UnusableTable | UnusableMapping, language: str) -> "ListUnusable":
        """The refusal of a list by what is wrong with it."""
        facts = {name: str(value)[:200] for name, value in error.facts.items()}
        zh, en = FAULTS[error.code]
        reason = en.format_map(facts) if language == "en" else zh.format_map(facts | _in_chinese(facts))
        return cls(None, reason=reason)


def _in_chinese(facts: Mapping[str, str]) -> dict[str, str]:
    return {"field": FIELD_WORDS.get(facts["field"], facts["field"])} if "field" in facts else {}


class Opened(Struct, frozen=True):
    """A list that can be read: its table, and which column tells what."""

    file: Path
    table: Table
    mapping: PremisesMapping
    columns: Columns


def open_list(file: Path, mapping: PremisesMapping) -> Opened:
    """A list by its file. Raises UnusableTable, or UnusableMapping where its columns are not what is needed."""
    told = mapping.table
    table = read_points(file) if is_geojson(file) else read_table(file, told.sheet, told.header_row)
    return Opened(file, table, mapping, premises_mapping.columns(mapping, table.columns))


class Reports(Struct, frozen=True, kw_only=True):
    """Whom to tell of what becomes of a list."""

    reject: Callable[[Rejected], None] = lambda rejected: None
    note: Callable[[Note], None] = lambda note: None
    read: Callable[[int], None] = lambda rows: None
    compared: Callable[[int, int], None] = lambda communities, of: None


class Taken(Struct, frozen=True):
    """What became of a list, and what of it was left out because residents' names stand there."""

    counts: Counts
    left_out: tuple[str, ...]


async def take_over(
    conn: asyncpg.Connection,
    opened: Opened,
    district: int,
    atlas: Atlas,
    actor: Actor,
    now: datetime,
    told: Reports,
    *,
    together: int = TOGETHER,
    most: int | None = None,
) -> Taken:
    """Put a list on the register, in a transaction that is open; `together` is after how many rows others have their
    turn. Raises UnusableTable when the file breaks off, TooMany when it has more than `most` rows, and NotFound when
    there is no such district."""
    communities = await premises_imports.communities(conn, district)
    interpreter = Interpreter(opened.mapping, opened.columns, communities)
    under_way = Import(
        district=district,
        atlas=atlas,
        now=now,
        actor=actor,
        lat_column=opened.columns.of.get("lat"),
        reject=told.reject,
        note=told.note,
        compared=told.compared,
    )
    await under_way.begin(conn)
    with rarely_collecting():
        await _take(conn, opened, interpreter, under_way, told, together, most)
        digest = await asyncio.to_thread(_digest, opened.file)
        counts = await under_way.finish(conn, {"file_digest": digest})
    if not counts.rows:
        raise UnusableTable("no_rows", file=opened.file.name)
    return Taken(counts, opened.columns.residents)


async def _take(
    conn: asyncpg.Connection,
    opened: Opened,
    interpreter: Interpreter,
    under_way: Import,
    told: Reports,
    together: int,
    most: int | None,
) -> None:
    """Read some rows while those before them are written."""
    rows = iter(opened.table)
    entries, rejected = await asyncio.to_thread(_read, rows, interpreter, together)
    while entries or rejected:
        for one in rejected:
            told.reject(one)
        under_way.counts.rejected += len(rejected)
        under_way.counts.rows += len(rejected)
        reading = asyncio.ensure_future(asyncio.to_thread(_read, rows, interpreter, together))
        try:
            await under_way.take(conn, entries)
        finally:
            entries, rejected = await reading
        told.read(under_way.counts.rows)
        if most is not None and under_way.counts.rows > most:
            raise TooMany(None, most=most)


def _read(rows: Iterator[Row], interpreter: Interpreter, together: int) -> tuple[list[Entry], list[Rejected]]:
    read = [interpreter.read(row) for row in islice(rows, together)]
    return [one for one in read if isinstance(one, Entry)], [one for one in read if isinstance(one, Rejected)]


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()

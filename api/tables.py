"""Tables as people send them: CSV in UTF-8 or GB18030, and spreadsheets with titles, merged headers and empty rows."""

import codecs
import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import TypeAlias

import python_calamine as calamine

Cell: TypeAlias = str | int | float | bool | date | datetime | time | timedelta

_DELIMITERS = ",\t;|"
_BLOCK = 1 << 20
_LARGEST_CELL = 1 << 26  # characters; whether a cell is too long for what it tells is not this file's to judge
_LOOKED_THROUGH = 20  # rows among which the header is looked for
_FAR = "\u0800"  # characters from here on take three bytes in UTF-8, which other encodings hit on rarely
_SPREADSHEET_STARTS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # XLSX, and the older XLS

csv.field_size_limit(_LARGEST_CELL)


class UnusableTable(Exception):
    """A file that cannot be read as a table; `code` says why, and `facts` where."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code, facts)
        self.code = code
        self.facts: Mapping[str, object] = facts


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is not empty: its number as a spreadsheet shows it, and its cells by column; an empty cell is "".

    `fault` is "too_many_cells" when something stands beyond the last column: then the cells cannot be trusted."""

    number: int
    cells: Mapping[str, Cell]
    fault: str | None = None

    def text(self, column: str) -> str:
        """The cell as a person reads it, trimmed; a whole number without the point that spreadsheets give it."""
        value = self.cells.get(column, "")
        if isinstance(value, str):
            return value.strip()
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        return str(value).strip()


@dataclass(frozen=True)
class Table:
    """A table that is read as it is iterated over, once."""

    columns: Sequence[str]
    header_row: int
    about: int  # how many rows there are, a little more or less: for a progress bar
    source: str  # the text's encoding, or the sheet's name
    _rows: Iterator[Row] = field(repr=False)

    def __iter__(self) -> Iterator[Row]:
        return self._rows


def read_table(path: Path, sheet: str | None = None, header_row: int | None = None) -> Table:
    """Open a CSV or spreadsheet file. The header is found unless `header_row`, counted from 1, says where it is.

    Raises UnusableTable, also while it is iterated over."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as cause:
        raise UnusableTable("file_unreadable", file=path.name, cause=cause.strerror or str(cause)) from cause
    if start in _SPREADSHEET_STARTS:
        return _read_spreadsheet(path, sheet, header_row)
    return _read_text(path, header_row)


# --- text


def _read_text(path: Path, header_row: int | None) -> Table:
    encoding, lines = _examine(path)
    records = _records(path, encoding)
    columns, top, rest = _headed(records, header_row, {}, path)
    return Table(columns, top, max(lines - top, 0), encoding, _rows(rest, columns))


def _examine(path: Path) -> tuple[str, int]:
    """A text's encoding and about how many lines it has."""
    with path.open("rb") as file:
        start = file.read(4)
        if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16", path.stat().st_size // 100
    lines, line, far = _count_utf8(path)
    if line is None:
        return "utf-8-sig", lines
    if far >= 5:  # it was UTF-8 up to here: a broken file, and not one in another encoding
        raise UnusableTable("text_broken", file=path.name, line=line, encoding="UTF-8")
    return "gb18030", lines


def _count_utf8(path: Path) -> tuple[int, int | None, int]:
    """The number of lines, the line of the first byte that is not UTF-8, and how many far characters precede it."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = far = 0
    broken: int | None = None
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if broken is None:
                try:
                    far += _far(decoder.decode(block))
                except UnicodeDecodeError as error:
                    good = error.object[: error.start]
                    far += _far(good.decode())
                    broken = lines + good.count(b"\n") + 1
            lines += block.count(b"\n")
    if broken is None and decoder.getstate()[0]:
        broken = lines + 1
    return lines, broken, far


def _far(text: str) -> int:
    return 0 if text.isascii() else sum(character >= _FAR for character in text[:10_000])


def _records(path: Path, encoding: str) -> Iterator[tuple[int, Sequence[Cell]]]:
    """The records of a CSV, numbered from 1, empty ones included."""
    number = 0
    try:
        with path.open(encoding=encoding, newline="") as file:
            delimiter = _delimiter(list(islice(file, _LOOKED_THROUGH)))
            file.seek(0)
            for number, record in enumerate(csv.reader(file, delimiter=delimiter), start=1):
                yield number, record
    except UnicodeDecodeError as error:
        raise UnusableTable("text_broken", file=path.name, line=number + 1, encoding=encoding) from error
    except csv.Error as error:
        raise UnusableTable("row_unreadable", file=path.name, row=number + 1, cause=str(error)) from error


def _delimiter(lines: Sequence[str]) -> str:
    """The delimiter that parts the most lines into the same number of cells, and into the most."""

    def fitness(delimiter: str) -> tuple[int, int]:
        widths = Counter(len(record) for record in csv.reader(lines, delimiter=delimiter) if len(record) > 1)
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
        return count, width

    return max(_DELIMITERS, key=fitness)


# --- spreadsheets


def _read_spreadsheet(path: Path, sheet: str | None, header_row: int | None) -> Table:
    try:
        chosen = _sheet(calamine.CalamineWorkbook.from_path(path), sheet, path)
        left = chosen.start[1] if chosen.start else 0
        merged = _merged(chosen, left)
        columns, top, rest = _headed(_filled(chosen.iter_rows(), merged), header_row, merged, path)
    except calamine.CalamineError as error:
        raise UnusableTable("file_unreadable", file=path.name, cause=str(error)) from error
    return Table(columns, top, max(chosen.total_height - top, 0), chosen.name, _rows(rest, columns))


def _sheet(book: calamine.CalamineWorkbook, named: str | None, path: Path) -> calamine.CalamineSheet:
    """The sheet that is named, else the first one that is shown and holds anything."""
    if named is not None:
        if named not in book.sheet_names:
            raise UnusableTable("sheet_not_found", file=path.name, wanted=named, sheets=book.sheet_names)
        return book.get_sheet_by_name(named)
    for meta in book.sheets_metadata:
        if meta.visible == calamine.SheetVisibleEnum.Visible and meta.typ == calamine.SheetTypeEnum.WorkSheet:
            sheet = book.get_sheet_by_name(meta.name)
            if sheet.height:
                return sheet
    raise UnusableTable("no_rows", file=path.name)


# A merged area shows one cell: where each of its places is, by (row, column), and where the shown one is.
_Merged: TypeAlias = Mapping[tuple[int, int], tuple[int, int]]


def _merged(sheet: calamine.CalamineSheet, left: int) -> _Merged:
    """Rows count from 1, columns from 0 at the first one in use."""
    return {
        (row + 1, column - left): (first_row + 1, first_column - left)
        for (first_row, first_column), (last_row, last_column) in sheet.merged_cell_ranges or []
        for row in range(first_row, last_row + 1)
        for column in range(first_column, last_column + 1)
    }


def _filled(rows: Iterator[list[Cell]], merged: _Merged) -> Iterator[tuple[int, Sequence[Cell]]]:
    """Numbered rows in which each place of a merged area holds what the area shows."""
    if not merged:
        yield from enumerate(rows, start=1)
        return
    shown: dict[tuple[int, int], Cell] = {}
    places: dict[int, list[tuple[int, tuple[int, int]]]] = {}
    for (row, column), first in merged.items():
        places.setdefault(row, []).append((column, first))
    for number, cells in enumerate(rows, start=1):
        for column, first in places.get(number, ()):
            if (number, column) == first:
                shown[first] = cells[column] if column < len(cells) else ""
            elif column < len(cells):
                cells[column] = shown.get(first, "")
        yield number, cells


# --- what text and spreadsheets have in common

_Records: TypeAlias = Iterator[tuple[int, Sequence[Cell]]]


def _headed(records: _Records, header_row: int | None, merged: _Merged, path: Path) -> tuple[list[str], int, _Records]:
    """The columns' names ("" where a column has none), the row of the header, and the records below it."""
    looked = list(islice((record for record in records if _holds(record[1])), _LOOKED_THROUGH))
    if header_row is not None:
        while looked and looked[-1][0] < header_row and (more := next(records, None)):
            looked.append(more)
    if not looked:
        raise UnusableTable("no_rows", file=path.name)
    top = header_row if header_row is not None else _header_top(looked, merged)
    bottom = top if header_row is not None else _header_bottom(top, merged)
    levels = [cells for number, cells in looked if top <= number <= bottom]
    if header_row is not None and not levels:
        raise UnusableTable("header_not_found", file=path.name, row=header_row)
    columns = _names(levels)
    twice = [name for name, count in Counter(filter(None, columns)).items() if count > 1]
    if twice:
        raise UnusableTable("column_repeated", file=path.name, row=bottom, column=twice[0])
    return columns, bottom, chain((record for record in looked if record[0] > bottom), records)


def _header_top(looked: Sequence[tuple[int, Sequence[Cell]]], merged: _Merged) -> int:
    """The first row that names at least half as many columns as the fullest one; a title names one."""
    shown = [
        (number, sum(_given(cell) and merged.get((number, at), (number, at)) == (number, at)
                     for at, cell in enumerate(cells)))
        for number, cells in looked
    ]  # fmt: skip
    most = max(count for _, count in shown)
    return next(number for number, count in shown if 2 * count >= most)


def _header_bottom(top: int, merged: _Merged) -> int:
    """A cell merged downwards makes the header that deep; one merged sideways gathers the names below it."""
    bottom = top
    for (row, _), (first_row, first_column) in merged.items():
        if first_row == top:
            sideways = merged.get((top, first_column + 1)) == (first_row, first_column)
            downwards = (top + 1, first_column) in merged and merged[top + 1, first_column] == (first_row, first_column)
            bottom = max(bottom, row, top + 1 if sideways and not downwards else top)
    return bottom


def _names(levels: Sequence[Sequence[Cell]]) -> list[str]:
    """Each column's lowest name; where two columns share it, with the name that gathers it before: "grid/code"."""
    width = max(len(level) for level in levels)
    names = [_column(levels, at) for at in range(width)]
    repeated = {name for name, count in Counter(part[-1] for part in names if part).items() if count > 1}
    columns = ["" if not part else "/".join(part) if part[-1] in repeated else part[-1] for part in names]
    while columns and not columns[-1]:
        columns.pop()
    return columns


def _column(levels: Sequence[Sequence[Cell]], at: int) -> list[str]:
    """What stands above one another in a column's header, without repeats and gaps."""
    found: list[str] = []
    for level in levels:
        name = " ".join(str(level[at]).split()) if at < len(level) else ""
        if name and name not in found:
            found.append(name)
    return found


def _rows(records: _Records, columns: Sequence[str]) -> Iterator[Row]:
    width = len(columns)
    named = [(at, name) for at, name in enumerate(columns) if name]
    for number, cells in records:
        if not _holds(cells):
            continue
        surplus = len(cells) > width and _holds(cells[width:])
        values = {name: cells[at] if at < len(cells) else "" for at, name in named}
        yield Row(number, values, "too_many_cells" if surplus else None)


def _holds(cells: Sequence[Cell]) -> bool:
    return any(_given(cell) for cell in cells)


def _given(cell: Cell) -> bool:
    return bool(cell.strip()) if isinstance(cell, str) else True

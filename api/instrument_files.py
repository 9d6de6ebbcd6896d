"""Instruments as files: read from a workbook or CSV of somebody's, within bounds, or from a readable source of ours;
and written as a workbook.

`python -m api.instrument_files`, a process of its own, reads a file from its input within bounds of memory and time,
and writes the instrument, or all that is wrong with it, as JSON."""

import csv
import io
import os
import resource
import sys
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from api import xlsform_files
from api.xlsform_faults import FormUnusable
from api.xlsform_files import MOST_BYTES, MOST_MEGABYTES
from surveys.assessments import instrument_rows
from surveys.assessments.instrument_faults import Fault, InstrumentUnusable
from surveys.assessments.instrument_sheets import COLUMNS, SHEETS, Cells, Sheet, Sheets, sheets_of
from surveys.assessments.instruments import Instrument

ZIP = b"PK\x03\x04"
ENCODINGS = ("utf-8-sig", "gb18030")
POLITE = 5  # of 19
MOST_MEMORY = 1_500_000_000  # bytes
MOST_CPU_S = 20
MOST_LINES = 5_000  # of a CSV, read before its rows are counted


def read(content: bytes) -> Instrument:
    """The instrument in a workbook or CSV. Raises InstrumentUnusable with all that is wrong."""
    if len(content) > MOST_BYTES:
        raise InstrumentUnusable([Fault(reason="file_too_large", facts={"most": MOST_MEGABYTES})])
    pages = _of_workbook(content) if content.startswith(ZIP) else _of_text(_decoded(content))
    return instrument_rows.read(_sheets(pages))


def _of_workbook(content: bytes) -> Iterable[xlsform_files.Sheet]:
    try:
        return xlsform_files.read_workbook(content).values()
    except FormUnusable as refusal:
        raise InstrumentUnusable(
            [
                Fault(reason=one.reason, sheet=one.sheet, row=one.row, column=one.column, facts=one.facts)
                for one in refusal.faults
            ]
        ) from None


def _decoded(content: bytes) -> str:
    for encoding in ENCODINGS:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not any(character < " " and character not in "\t\n\r" for character in text):
            return text
    raise InstrumentUnusable([Fault(reason="not_a_spreadsheet")])


def _of_text(text: str) -> Iterable[xlsform_files.Sheet]:
    """The tables of a CSV, one below the other: a line with the sheet's name in its first cell, then its header and its
    rows, whose first cells are empty."""
    pages: list[xlsform_files.Sheet] = []
    name = ""
    rows: dict[int, dict[str, str]] | None = None
    for number, (first, *cells) in _records(text):
        if first:
            name, rows = first, None
        elif rows is None:
            rows = {}
            pages.append(xlsform_files.Sheet(name=name, headers=cells, rows=rows))
        else:
            headers = pages[-1].headers
            rows[number] = {column: cell for column, cell in zip(headers, cells, strict=False) if column and cell}
    if not pages:
        raise InstrumentUnusable([Fault(reason="not_a_spreadsheet")])
    return pages


def _records(text: str) -> Iterable[tuple[int, list[str]]]:
    """The lines of a CSV that are not empty, by number."""
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for number, cells in enumerate(reader, start=1):
            if number > MOST_LINES:
                raise InstrumentUnusable([Fault(reason="too_many_rows", facts={"count": number, "most": MOST_LINES})])
            if any(cell.strip() for cell in cells):
                yield number, [cell.strip() for cell in cells]
    except csv.Error:
        raise InstrumentUnusable([Fault(reason="not_a_spreadsheet")]) from None


def read_source(text: str) -> Instrument:
    """The instrument in a source of ours: tables of Markdown. Raises InstrumentUnusable."""
    return instrument_rows.read(_sheets(xlsform_files.read_source(text).values()))


def _sheets(pages: Iterable[xlsform_files.Sheet]) -> Sheets:
    """The sheets and columns by the names that the program has for them; others may stand beside them."""
    names = {called: name for name, chinese in SHEETS.items() for called in (name, chinese)}
    found: dict[str, Sheet] = {}
    faults = []
    for page in pages:
        name = names.get(page.name.strip().lower())
        if name is None:
            continue
        if name in found:
            faults.append(Fault(reason="sheet_repeated", sheet=name, facts={"value": page.name}))
        columns = _columns(name, page.headers)
        faults += [
            Fault(reason="column_repeated", sheet=name, row=1, column=column)
            for column in dict.fromkeys(columns.values())
            if list(columns.values()).count(column) > 1
        ]
        found[name] = Sheet(
            list(columns.values()), {number: _renamed(row, columns) for number, row in page.rows.items()}
        )
    if faults:
        raise InstrumentUnusable(faults)
    return found


def _columns(sheet: str, headers: Iterable[str]) -> Mapping[str, str]:
    """The program's name of each column that it knows, by its header as it stands."""
    names = {called: name for name, (chinese, _) in COLUMNS[sheet].items() for called in (name, chinese)}
    return {header: name for header in headers if (name := names.get(header.strip().lower()))}


def _renamed(row: Mapping[str, str], columns: Mapping[str, str]) -> Cells:
    return {columns[header]: cell for header, cell in row.items() if header in columns}


def write(instrument: Instrument) -> bytes:
    """The instrument as XLSX, to be changed and brought back under its next version."""
    pages = {
        name: xlsform_files.Sheet(
            name=name,
            headers=list(sheet.columns),
            rows={number: {column: cell for column, cell in row.items() if cell} for number, row in sheet.rows.items()},
        )
        for name, sheet in sheets_of(instrument).items()
    }
    return xlsform_files.write_workbook(pages)


class Answer(Struct, frozen=True, omit_defaults=True):
    """The instrument, or what is wrong with it."""

    instrument: Instrument | None = None
    faults: tuple[Fault, ...] = ()


def main() -> None:
    """Make the instrument that the input holds."""
    os.nice(POLITE)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S))
    try:
        answer = Answer(instrument=read(sys.stdin.buffer.read()))
    except InstrumentUnusable as refusal:
        answer = Answer(faults=tuple(refusal.faults))
    sys.stdout.buffer.write(msgspec.json.encode(answer))


if __name__ == "__main__":
    main()

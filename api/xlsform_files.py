"""The sheets of an XLSForm: read from a workbook of somebody's, within bounds, or from a readable source of ours; and
written as a workbook."""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time

import python_calamine as calamine
import xlsxwriter
from msgspec import Struct

from api.xlsform_faults import Fault, FormUnusable

MOST_MEGABYTES = 5
MOST_BYTES = MOST_MEGABYTES * 1_000_000
MOST_UNPACKED_MEGABYTES = 60
MOST_PARTS = 2_000  # files in the workbook's archive
LONGEST_CELL = 32_767  # characters, as Excel has it
BLOCK = 1 << 20
CELLS = re.compile(r"(?<!\\)\|")

Cells = dict[str, str]  # by the header of their column, as it was written


class Sheet(Struct, frozen=True, kw_only=True):
    """A sheet: its headers as they stand, and its rows by number; an empty row is not there."""

    name: str
    headers: Sequence[str]
    rows: Mapping[int, Cells]


Sheets = Mapping[str, Sheet]  # by lower-case name


def read_workbook(content: bytes) -> Sheets:
    """The sheets of a workbook. Raises FormUnusable for what is none, has macros, or would unpack to too much."""
    _refuse_unfit(content)
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        pages = {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}
    except calamine.CalamineError:
        raise FormUnusable([Fault(reason="file_broken")]) from None
    faults: list[Fault] = []
    sheets = {name.strip().lower(): _sheet(name.strip(), page, faults) for name, page in pages.items()}
    if faults:
        raise FormUnusable(faults)
    return sheets


def _refuse_unfit(content: bytes) -> None:
    """Look at the archive before anything in it is opened."""
    if len(content) > MOST_BYTES:
        raise FormUnusable([Fault(reason="file_too_large", facts={"most": MOST_MEGABYTES})])
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            if "xl/workbook.xml" not in names:
                raise FormUnusable([Fault(reason="not_xlsx")])
            if any(name.lower().endswith("vbaproject.bin") for name in names):
                raise FormUnusable([Fault(reason="has_macros")])
            _refuse_too_large(archive)
            if b"macroEnabled" in archive.read("[Content_Types].xml"):
                raise FormUnusable([Fault(reason="has_macros")])
    except zipfile.BadZipFile:
        raise FormUnusable([Fault(reason="file_broken" if content[:4] == b"PK\x03\x04" else "not_xlsx")]) from None
    except (KeyError, OSError, RuntimeError, NotImplementedError, EOFError, ValueError, zipfile.zlib.error):  # type: ignore[attr-defined]
        raise FormUnusable([Fault(reason="file_broken")]) from None


def _refuse_too_large(archive: zipfile.ZipFile) -> None:
    """What an archive says of its size is held to what comes out of it."""
    most = MOST_UNPACKED_MEGABYTES * 1_000_000
    parts = archive.infolist()
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > most:
        raise FormUnusable([Fault(reason="unpacked_too_large", facts={"most": MOST_UNPACKED_MEGABYTES})])
    for part in parts:
        with archive.open(part) as unpacking:
            while unpacking.read(BLOCK):
                pass


Value = str | int | float | bool | date | datetime | time | object


def _sheet(name: str, page: Sequence[Sequence[Value]], faults: list[Fault]) -> Sheet:
    """A sheet's cells as texts; what no text may hold, and what is too long, is added to the faults."""
    rows = [[_text(cell) for cell in row] for row in page]
    headers = [re.sub(" +", " ", cell) for cell in rows[0]] if rows else []
    while headers and not headers[-1]:
        headers.pop()
    found: dict[int, Cells] = {}
    for number, row in enumerate(rows, start=1):
        faults += _unfit_cells(name, number, headers, row)
        cells = {header: cell for header, cell in zip(headers, row, strict=False) if header and cell}
        if number > 1 and cells:
            found[number] = cells
    return Sheet(name=name, headers=headers, rows=found)


def _unfit_cells(sheet: str, number: int, headers: Sequence[str], row: Sequence[str]) -> Iterator[Fault]:
    for place, cell in enumerate(row):
        column = headers[place] if number > 1 and place < len(headers) and headers[place] else _letters(place)
        if len(cell) > LONGEST_CELL:
            facts = {"count": len(cell), "most": LONGEST_CELL}
            yield Fault(reason="cell_too_long", sheet=sheet, row=number, column=column, facts=facts)
        elif any(character < " " and character not in "\t\n\r" for character in cell):
            yield Fault(reason="text_unusable", sheet=sheet, row=number, column=column)


def _letters(place: int) -> str:
    """A column as a spreadsheet calls it."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _text(cell: Value) -> str:
    """A cell as pyxform reads it: without spaces around it, and a whole number without a point."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).replace("\u00a0", " ").strip()


def read_source(text: str) -> Sheets:
    """The sheets of a source of ours: tables of Markdown, each headed by a line with the sheet's name."""
    sheets: dict[str, Sheet] = {}
    name, headers, rows = "", list[str](), dict[int, Cells]()
    for line in text.splitlines():
        if not line.lstrip().startswith("|"):
            continue
        first, *cells = [cell.strip().replace("\\|", "|") for cell in CELLS.split(line.strip()[1:-1])]
        if first:
            name, headers, rows = first, [], {}
        elif not headers:
            headers = cells
            sheets[name] = Sheet(name=name, headers=headers, rows=rows)
        elif not all(set(cell) <= set("-: ") for cell in cells) or not any(cells):
            rows[len(rows) + 2] = {header: cell for header, cell in zip(headers, cells, strict=True) if cell}
    return sheets


WIDTHS: Mapping[str, int] = {
    "label": 36,
    "text": 60,
    "value": 36,
    "hint": 30,
    "relevant": 28,
    "constraint": 24,
    "type": 26,
}
MADE_AT = datetime(2026, 1, 1)  # noqa: DTZ001 - the same workbook each time, whenever it is made


def write_workbook(sheets: Sheets) -> bytes:
    """The sheets as XLSX: the same bytes for the same sheets."""
    file = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(file, options) as book:
        book.set_properties({"created": MADE_AT})
        head = book.add_format({"bold": True, "bottom": 1})
        for sheet in sheets.values():
            page = book.add_worksheet(sheet.name)
            page.freeze_panes(1, 0)
            for place, header in enumerate(sheet.headers):
                page.set_column(place, place, WIDTHS.get(header.split("::")[0], 16))
                page.write_string(0, place, header, head)
            for number, cells in sheet.rows.items():
                for place, header in enumerate(sheet.headers):
                    if header in cells:
                        page.write_string(number - 1, place, cells[header])
    return file.getvalue()

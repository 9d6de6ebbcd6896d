"""Tables as people send them: encodings, delimiters, titles above the header, merged cells, and what cannot be read."""

from datetime import date, datetime
from pathlib import Path

import pytest
import xlsxwriter

from api.tables import Row, UnusableTable, read_table

LEDGER = "编号,类别,地点\n1,暴露垃圾,淮河路\n2,道路破损,大学路\n"


def written(folder: Path, content: bytes, name: str = "ledger.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_csv_is_read_in_any_encoding_met(tmp_path: Path, encoding: str) -> None:
    table = read_table(written(tmp_path, LEDGER.encode(encoding)))
    assert list(table.columns) == ["编号", "类别", "地点"]
    assert list(table) == [
        Row(2, {"编号": "1", "类别": "暴露垃圾", "地点": "淮河路"}),
        Row(3, {"编号": "2", "类别": "道路破损", "地点": "大学路"}),
    ]


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    table = read_table(written(tmp_path, LEDGER.replace(",", delimiter).encode()))
    assert [row.text("类别") for row in table] == ["暴露垃圾", "道路破损"]


def test_broken_utf8_is_not_taken_for_another_encoding(tmp_path: Path) -> None:
    content = LEDGER.encode().replace("大学路".encode(), b"\xe5\xa4\xff")
    with pytest.raises(UnusableTable) as refused:
        read_table(written(tmp_path, content))
    assert (refused.value.code, refused.value.facts["line"]) == ("text_broken", 3)


def test_what_is_no_encoding_at_all_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UnusableTable) as refused:
        list(read_table(written(tmp_path, b"a,b\n1,2\n3,\xff\xff\n")))
    assert refused.value.code == "text_broken"


def test_rows_have_the_numbers_that_a_spreadsheet_shows(tmp_path: Path) -> None:
    content = '台账,,\n\n编号,类别,地点\n1,x,\n,,\n\n3,一个,"两行\n的地点"\n4,y,z\n'
    table = read_table(written(tmp_path, content.encode()))
    assert table.header_row == 3
    assert [(row.number, row.text("编号")) for row in table] == [(4, "1"), (7, "3"), (8, "4")]


def test_a_row_with_more_cells_than_columns_is_at_fault(tmp_path: Path) -> None:
    rows = list(read_table(written(tmp_path, b"a,b\n1,2,3\n1,2,\n")))
    assert [row.fault for row in rows] == ["too_many_cells", None]


def test_the_header_can_be_said(tmp_path: Path) -> None:
    path = written(tmp_path, b"a,b\nc,d\n1,2\n")
    assert read_table(path, header_row=2).columns == ["c", "d"]
    with pytest.raises(UnusableTable, match="header_not_found"):
        read_table(path, header_row=9)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "no_rows"),
        (b"\n\n,,\n", "no_rows"),
        (b"a,a\n1,2\n", "column_repeated"),
        (b"PK\x03\x04 and no more", "file_unreadable"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    with pytest.raises(UnusableTable) as refused:
        list(read_table(written(tmp_path, content)))
    assert refused.value.code == code


def test_a_file_that_is_not_there_is_refused_by_its_name_alone(tmp_path: Path) -> None:
    with pytest.raises(UnusableTable) as refused:
        read_table(tmp_path / "missing.csv")
    assert refused.value.facts["file"] == "missing.csv"


def spreadsheet(folder: Path) -> Path:
    """A ledger as offices keep it: a title, a header of two rows with merged cells, and an empty row."""
    path = folder / "ledger.xlsx"
    with xlsxwriter.Workbook(path) as book:
        dates = book.add_format({"num_format": "yyyy-mm-dd"})
        moments = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        book.add_worksheet("说明").hide()
        sheet = book.add_worksheet("台账")
        sheet.activate()
        sheet.set_first_sheet()
        sheet.merge_range("B2:G2", "问题台账")
        sheet.merge_range("B3:B4", "编号")
        sheet.merge_range("C3:D3", "位置")
        sheet.write_row("C4", ["经度", "纬度"])
        sheet.merge_range("E3:F3", "期限")
        sheet.write_row("E4", ["日期", "时间"])
        sheet.merge_range("G3:G4", "街道")
        sheet.write_row("B5", [1, 113.6, 34.7])
        sheet.write_datetime("E5", datetime(2026, 11, 2), dates)  # noqa: DTZ001 - a spreadsheet's dates have no zone
        sheet.write_datetime("F5", datetime(2026, 11, 2, 9, 30), moments)  # noqa: DTZ001
        sheet.merge_range("G5:G7", "淮河路街道")
        sheet.write_row("B7", [2.5, "无", ""])
        book.add_worksheet("其他").write_row("A1", ["甲", "乙"])
    return path


def test_a_spreadsheet_with_title_merged_header_and_empty_rows(tmp_path: Path) -> None:
    table = read_table(spreadsheet(tmp_path))
    assert (table.source, table.header_row) == ("台账", 4)
    assert list(table.columns) == ["编号", "经度", "纬度", "日期", "时间", "街道"]
    first, *_, last = list(table)
    assert (first.number, first.text("编号"), first.cells["经度"]) == (5, "1", 113.6)
    assert first.cells["日期"] == date(2026, 11, 2)
    assert first.cells["时间"] == datetime(2026, 11, 2, 9, 30)  # noqa: DTZ001 - a spreadsheet's dates have no zone
    assert (last.number, last.text("编号"), last.text("街道")) == (7, "2.5", "淮河路街道")


def test_a_sheet_is_chosen_by_its_name(tmp_path: Path) -> None:
    path = spreadsheet(tmp_path)
    assert read_table(path, sheet="其他").columns == ["甲", "乙"]
    with pytest.raises(UnusableTable) as refused:
        read_table(path, sheet="没有")
    assert refused.value.facts["sheets"] == ["说明", "台账", "其他"]


def test_names_that_two_groups_share_tell_their_group(tmp_path: Path) -> None:
    path = tmp_path / "groups.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.merge_range("A1:B1", "上报")
        sheet.merge_range("C1:D1", "办结")
        sheet.write_row("A2", ["日期", "人员", "日期", "结果"])
        sheet.write_row("A3", ["1", "2", "3", "4"])
    table = read_table(path)
    assert list(table.columns) == ["上报/日期", "人员", "办结/日期", "结果"]
    assert [row.text("办结/日期") for row in table] == ["3"]

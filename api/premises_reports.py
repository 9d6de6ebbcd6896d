"""What is told of a list that was taken over: each row that was refused, each double, each door to look at."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from api.ledgers import told_reason
from api.premises_files import REASONS
from maps import exports
from maps.exports import Cell, Column
from surveys.ledgers.ledger_rows import Rejected
from surveys.premises.premises_imports import Finding, Note

# In Chinese and English.
FINDINGS: Mapping[Finding, tuple[str, str]] = {
    "double_in_list": ("与本表前面一行重复，未导入", "the same door as an earlier row; left out"),
    "differs": (
        "台账中已有此编号，内容不同，未改动",
        "on the register with other words or another place; left as it is",
    ),
    "gone": ("台账中已注销，未恢复", "on the register as gone; left so"),
    "other_community": (
        "坐标不在所填社区，按坐标归属",
        "lies in another community than it names; placed where it lies",
    ),
    "near_double": ("疑似重复，请核对", "may be the same door as another; please look"),
}
REJECTED = ("未接受", "refused")
LEFT_OUT = ("此列像是居民姓名，未导入", "this column seems to hold residents' names; left out")

HEADINGS: Sequence[tuple[str, str, str]] = (
    ("row", "行号", "row"),
    ("finding", "情况", "finding"),
    ("name", "名称", "name"),
    ("address", "地址", "address"),
    ("other_row", "对应行号", "other row"),
    ("other_code", "对应编号", "other's code"),
    ("other_name", "对应名称", "other's name"),
    ("other_address", "对应地址", "other's address"),
    ("community", "所在社区", "community"),
    ("distance_m", "相距（米）", "metres apart"),
    ("score", "相似度", "likeness"),
    ("other", "对应标识", "other's id"),
)


class ReportLine(Struct, frozen=True, kw_only=True):
    """One thing to look at, as a page shows it."""

    row: int | None
    finding: str
    name: str | None = None
    address: str | None = None
    other_row: int | None = None
    other: str | None = None
    other_name: str | None = None
    other_address: str | None = None
    distance_m: int | None = None


class Line(Struct, frozen=True, kw_only=True):
    """One thing to look at, in both languages."""

    row: int | None
    finding: tuple[str, str]
    note: Note | None = None

    def cells(self, language: str | None) -> list[Cell]:
        """The line as a row of the report; in both languages where none is asked for."""
        told = {name: getattr(self.note, name) if self.note else None for name, _, _ in HEADINGS[2:]}
        found = " ".join(self.finding) if language is None else self.finding[language == "en"]
        values = {"row": self.row, "finding": found, **told}
        return [str(value) if name == "other" and value else value for name, value in values.items()]

    def told(self, language: str) -> ReportLine:
        """The line as a page shows it."""
        note = self.note
        return ReportLine(
            row=self.row,
            finding=self.finding[language == "en"],
            name=note.name if note else None,
            address=note.address if note else None,
            other_row=note.other_row if note else None,
            other=str(note.other) if note and note.other else None,
            other_name=note.other_name if note else None,
            other_address=note.other_address if note else None,
            distance_m=note.distance_m if note else None,
        )


class Report:
    """A report while it is gathered."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def reject(self, rejected: Rejected) -> None:
        """Tell of a row that was refused, with its reasons."""
        told = [told_reason(reason, REASONS) for reason in rejected.reasons]
        zh, en = "；".join(zh for zh, _ in told), "; ".join(en for _, en in told)
        self.lines.append(Line(row=rejected.number, finding=(f"{REJECTED[0]}：{zh}", f"{REJECTED[1]}: {en}")))

    def note(self, note: Note) -> None:
        """Tell of a double, or of a door to look at."""
        self.lines.append(Line(row=note.row, finding=FINDINGS[note.finding], note=note))

    def leave_out(self, columns: Sequence[str]) -> None:
        """Tell of columns that were left out because residents' names stand there."""
        self.lines[:0] = [
            Line(row=None, finding=(f"“{column}”：{LEFT_OUT[0]}", f"{column}: {LEFT_OUT[1]}")) for column in columns
        ]

    def csv(self, language: str) -> str:
        """The report as the text of a CSV file."""
        head: list[Cell] = [zh if language != "en" else en for _, zh, en in HEADINGS]
        return exports.csv_lines([head, *(line.cells(language) for line in self.lines)]).decode()

    def write(self, path: Path) -> bool:
        """Write the report as CSV or, by its name, as XLSX; where there is nothing to tell, take an earlier one away.
        Raises OSError."""
        if not self.lines:
            path.unlink(missing_ok=True)
            return False
        path.touch(mode=0o600)  # it holds what doors are called
        headers = [f"{zh} {en}" for _, zh, en in HEADINGS]
        rows = [line.cells(None) for line in self.lines]
        if path.suffix.lower() == ".xlsx":
            columns = [Column(name, header) for (name, _, _), header in zip(HEADINGS, headers, strict=True)]
            with closing(exports.Workbook(path, "报告 report", columns)) as book:
                book.write(rows)
        else:
            path.write_bytes(b"\xef\xbb\xbf" + exports.csv_lines([headers, *rows]))
        return True

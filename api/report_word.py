"""Briefs as Word files that can be edited: the template that comes with the program, made here, and a template filled
with the texts of a brief."""

import io
import re
import zipfile
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from docx import Document
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.opc.exceptions import PackageNotFoundError
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor
from docxtpl import DocxTemplate, InlineImage
from jinja2 import TemplateError
from lxml import etree

from api import report_sheets, report_template_rules
from api.report_sheets import Sheet
from api.report_template_rules import PICTURE, TemplateBroken
from surveys.refusals import Invalid

BODY, HEADING, LATIN = "宋体", "黑体", "Times New Roman"  # every office in China has them
TEA, SOFT = RGBColor(0x7A, 0x4A, 0x28), RGBColor(0x66, 0x5C, 0x52)
PALE = "F7F1E4"
MAP_WIDTH = Cm(16.5)
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP file can tell
# What XML cannot hold, as a text that somebody typed may.
UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff\x07]")


def filled(template: bytes, sheet: Sheet, picture: bytes | None, moment: datetime) -> bytes:
    """The Word file of a brief, the same bytes each time. Raises Invalid for a template that cannot be used."""
    report_template_rules.refuse_unfit_file(template)
    try:
        document = DocxTemplate(io.BytesIO(template))
        document.init_docx()
        context = _clean(msgspec.to_builtins(sheet))
        rows = {name: _rows(value) for name, value in context.items()}
        rows[PICTURE] = InlineImage(document, io.BytesIO(picture), width=MAP_WIDTH) if picture else ""
        document.render(rows, jinja_env=report_template_rules.Environment(), autoescape=True)
        _date(document, sheet, moment)
        made = io.BytesIO()
        document.save(made)
        Document(io.BytesIO(made.getvalue()))
    except Invalid:
        raise
    except (TemplateError, PackageNotFoundError, KeyError, ValueError, AttributeError, TypeError, etree.LxmlError):
        raise TemplateBroken("template") from None
    return _repacked(made.getvalue())


def _rows(value: Any) -> Any:
    return [_Row(one) if isinstance(one, dict) else one for one in value] if isinstance(value, list) else value


class _Row:
    """A row whose fields a template reads as attributes."""

    def __init__(self, fields: dict[str, str]) -> None:
        self.__dict__.update(fields)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return UNWRITABLE.sub("", value)
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, dict):
        return {name: _clean(one) for name, one in value.items()}
    return value


def _date(document: Any, sheet: Sheet, moment: datetime) -> None:
    about = document.core_properties
    about.title = _clean(sheet.title)
    about.created = about.modified = moment.replace(tzinfo=None, microsecond=0)


def _repacked(content: bytes) -> bytes:
    """The same parts in the same order, without the time at which they were written."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            info = zipfile.ZipInfo(entry.filename, LONG_AGO)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            new.writestr(info, old.read(entry.filename))
    return packed.getvalue()


# --- the template that comes with the program


def default(language: str) -> bytes:
    """The template that a secretary starts from, with every placeholder in its place."""
    return _Default(language).bytes()


class _Default:
    """A document in which Jinja's tags stand as text."""

    def __init__(self, language: str) -> None:
        self.headings = report_sheets.headings(language)
        self.document = Document()
        self.language = language
        self._page()
        self._styles()

    def bytes(self) -> bytes:
        self._head()
        self._part(self.headings["summary"])
        self._repeated("line in summary", "{{ line }}")
        self._only_if("not empty")
        names = self.headings
        of_counts = [(names["figure"], "name", 7.0), (names["now"], "now", 3.3), (names["before"], "before", 3.3),
                     (names["change"], "change", 3.4)]  # fmt: skip
        self._table_part(names["counts"], "counts", of_counts)
        self._table_part(
            names["rates"],
            "rates",
            [(names["figure"], "name", 4.6), (names["now"], "rate", 3.0), (names["of"], "of", 3.2),
             (names["before"], "before", 2.8), (names["change"], "change", 3.4)],
        )  # fmt: skip
        self._changes()
        of_categories = [(names["category"], *of_counts[0][1:]), *of_counts[1:]]
        self._table_part(names["categories"], "categories", of_categories)
        self._table_part(
            "{{ places_title }}",
            "places",
            [(names["place"], "name", 4.4), (names["reported"], "reported", 1.6), (names["resolved"], "resolved", 1.6),
             (names["open"], "open", 1.8), (names["late"], "overdue", 1.6), (names["response"], "response", 2.0),
             (names["resolution"], "resolution", 2.0), (names["satisfaction"], "satisfaction", 2.0)],
        )  # fmt: skip
        self._map()
        self._table_part(
            names["departments"],
            "departments",
            [(names["department"], "name", 8.0), (names["median"], "hours", 5.5), (names["resolved"], "resolved", 3.5)],
        )
        self._table_part(
            names["coverage"],
            "coverage",
            [(names["campaign"], "name", 5.0), (names["doors"], "doors", 2.8), (names["visited"], "visited", 2.3),
             (names["rate"], "visited_rate", 2.3), (names["met"], "met", 2.3), (names["rate"], "met_rate", 2.3)],
        )  # fmt: skip
        self._overdue()
        self._cases()
        self._end()
        self._part(self.headings["notes"])
        self._repeated("line in notes", "{{ line }}", size=9)
        self._line(f"{names['digest']} {{{{ digest }}}}", size=9, color=SOFT)
        content = io.BytesIO()
        self.document.save(content)
        return _repacked(content.getvalue())

    # --- its parts

    def _page(self) -> None:
        section = self.document.sections[0]
        section.page_width, section.page_height = Cm(21), Cm(29.7)
        section.left_margin = section.right_margin = Cm(2)
        section.top_margin = section.bottom_margin = Cm(2)
        paragraph = section.footer.paragraphs[0]
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        self._run(paragraph, "{{ title }} {{ subtitle }}  ", size=8, color=SOFT)
        self._number(paragraph, "PAGE")
        self._run(paragraph, " / ", size=8, color=SOFT)
        self._number(paragraph, "NUMPAGES")

    def _styles(self) -> None:
        style = self.document.styles["Normal"]
        style.font.name, style.font.size = LATIN, Pt(10.5)
        style.element.rPr.rFonts.set(qn("w:eastAsia"), BODY)
        spoken = OxmlElement("w:lang")
        for name, value in (("val", "en-GB"), ("eastAsia", "zh-CN")):
            spoken.set(qn(f"w:{name}"), value)
        style.element.rPr.append(spoken)
        style.paragraph_format.space_after = Pt(4)
        style.paragraph_format.line_spacing = 1.25

    def _head(self) -> None:
        for text, size, font in (("{{ title }}", 20, HEADING), ("{{ subtitle }}", 12, BODY)):
            paragraph = self.document.add_paragraph()
            paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
            self._run(paragraph, text, size=size, font=font, bold=font == HEADING)
        names = self.headings
        times = f"{names['data_until']} {{{{ data_until }}}}    {names['made']} {{{{ made }}}}"
        self._line(times, size=9, color=SOFT, center=True)
        self._only_if("version")
        self._line("{{ version }}", bold=True, center=True)
        self._end()

    def _part(self, title: str) -> None:
        paragraph = self.document.add_paragraph()
        paragraph.paragraph_format.space_before, paragraph.paragraph_format.keep_with_next = Pt(12), True
        self._run(paragraph, title, size=14, font=HEADING, bold=True, color=TEA)

    def _table_part(self, title: str, name: str, columns: Sequence[tuple[str, str, float]], texts: int = 1) -> None:
        self._only_if(name)
        self._part(title)
        self._table(name, columns, texts)
        self._end()

    def _table(self, name: str, columns: Sequence[tuple[str, str, float]], texts: int) -> None:
        table = self.document.add_table(rows=4, cols=len(columns))
        table.style, table.alignment, table.autofit = "Table Grid", WD_TABLE_ALIGNMENT.CENTER, False
        for column, (_, _, width) in zip(table.columns, columns, strict=True):
            column.width = Cm(width)
        head, begin, row, end = table.rows
        self._repeat_on_each_page(head)
        for at, (title, field, width) in enumerate(columns):
            for each in (head, begin, row, end):
                each.cells[at].width = Cm(width)
            right = at >= texts
            self._cell(head.cells[at], title, right=right, bold=True)
            self._shade(head.cells[at])
            self._cell(row.cells[at], f"{{{{ row.{field} }}}}", right=right)
        self._cell(begin.cells[0], f"{{%tr for row in {name} %}}")
        self._cell(end.cells[0], "{%tr endfor %}")

    def _changes(self) -> None:
        self._only_if("better or worse")
        self._part(self.headings["changes"])
        for name in ("better", "worse"):
            self._only_if(name)
            self._line(self.headings[name], bold=True)
            self._repeated(f"line in {name}", "· {{ line }}")
            self._end()
        self._end()

    def _map(self) -> None:
        self._only_if("map")
        self._part("{{ map_title }}")
        paragraph = self.document.add_paragraph()
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        self._run(paragraph, "{{ map }}")
        self._line("{{ map_note }}", size=9, color=SOFT)
        self._end()

    def _overdue(self) -> None:
        names = self.headings
        self._part(names["overdue"])
        self._only_if("overdue")
        columns = [
            (names["number"], "number", 1.7),
            (names["issue"], "title", 5.0),
            (names["category"], "category", 2.7),
            (names["place"], "place", 2.6),
            (names["department"], "department", 2.5),
            (names["late_by"], "late", 2.5),
        ]
        self._table("overdue", columns, texts=5)
        self._end()
        self._only_if("overdue_note")
        self._line("{{ overdue_note }}", color=SOFT)
        self._end()

    def _cases(self) -> None:
        self._part(self.headings["cases"])
        self._only("for row in cases")
        self._line("{{ row.number }}  {{ row.title }}", bold=True)
        self._line("{{ row.place }} · {{ row.category }} · {{ row.department }}", size=9, color=SOFT)
        self._line("{{ row.reason }}")
        self._only("endfor")
        self._only_if("cases_note")
        self._line("{{ cases_note }}", color=SOFT)
        self._end()

    # --- its smallest parts

    def _only(self, tag: str) -> None:
        self.document.add_paragraph(f"{{%p {tag} %}}")

    def _only_if(self, condition: str) -> None:
        self._only(f"if {condition}")

    def _end(self) -> None:
        self._only("endif")

    def _repeated(self, loop: str, text: str, size: float = 10.5) -> None:
        self._only(f"for {loop}")
        self._line(text, size=size)
        self.document.paragraphs[-1].paragraph_format.space_after = Pt(1)
        self._only("endfor")

    def _line(self, text: str, *, center: bool = False, **looks: Any) -> None:
        paragraph = self.document.add_paragraph()
        if center:
            paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        self._run(paragraph, text, **looks)

    def _cell(self, cell: Any, text: str, *, right: bool = False, bold: bool = False) -> None:
        paragraph = cell.paragraphs[0]
        about = paragraph.paragraph_format
        about.space_before = about.space_after = Pt(2)
        about.line_spacing = 1.0
        if right:
            paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
        self._run(paragraph, text, size=9, bold=bold, font=HEADING if bold else BODY)

    def _shade(self, cell: Any) -> None:
        shading = OxmlElement("w:shd")
        for name, value in (("val", "clear"), ("color", "auto"), ("fill", PALE)):
            shading.set(qn(f"w:{name}"), value)
        cell._tc.get_or_add_tcPr().append(shading)

    def _run(
        self,
        paragraph: Any,
        text: str,
        *,
        size: float = 10.5,
        font: str = BODY,
        bold: bool = False,
        color: RGBColor | None = None,
    ) -> None:
        run = paragraph.add_run(text)
        run.font.size, run.bold, run.font.name = Pt(size), bold, LATIN
        run._element.rPr.rFonts.set(qn("w:eastAsia"), font)
        if color is not None:
            run.font.color.rgb = color

    def _number(self, paragraph: Any, field: str) -> None:
        """A number that Word keeps itself: of this page, or of all."""
        run = paragraph.add_run()
        run.font.size, run.font.color.rgb, run.font.name = Pt(8), SOFT, LATIN
        for kind, text in (("begin", None), (None, field), ("end", None)):
            element = OxmlElement("w:fldChar" if kind else "w:instrText")
            if kind:
                element.set(qn("w:fldCharType"), kind)
            else:
                element.text = text
            run._element.append(element)

    def _repeat_on_each_page(self, row: Any) -> None:
        properties = row._tr.get_or_add_trPr()
        header = OxmlElement("w:tblHeader")
        header.set(qn("w:val"), "true")
        properties.append(header)

"""XLSForm to questionnaire: a workbook is read within bounds and checked, pyxform makes the XForm of it, and with the
visit form before it the one that Collect fills in."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, TypeAlias, cast

from pyxform.errors import PyXFormError
from pyxform.xls2xform import convert

from api import xlsform_checks, xlsform_columns
from api.xlsform_columns import EN, ZH, Line, Workbook, by_code
from api.xlsform_faults import Fault, FormUnusable
from api.xlsform_files import Sheets, read_workbook
from surveys.collect import visit_form
from surveys.premises.premises import PremisesKind
from surveys.questionnaires.questionnaire_fields import Choice, Field, FieldType, Labels
from surveys.questionnaires.questionnaires import Form

Cells: TypeAlias = dict[str, str]  # as pyxform takes a row

FORM = "xlsx"
VISIT = "visit-"  # leads the id of the form that Collect fills in
PLAIN = frozenset({"type", "name", "appearance", "default", "parameters", "trigger", *xlsform_columns.EXPRESSIONS})
_PLACE = re.compile(r"\[row : (\d+)\]\s*(?:On the '(\w+)' sheet, the '([^']+)' value is invalid\.\s*)?")


def make(content: bytes, name: str, day: date, kind: PremisesKind | None = None) -> Form:
    """The questionnaire that a workbook makes. A form without a version has one of the day and the file's digest.

    Raises FormUnusable with all that is wrong with it."""
    return of_sheets(read_workbook(content), content, name, day, kind)


def of_sheets(sheets: Sheets, content: bytes, name: str, day: date, kind: PremisesKind | None = None) -> Form:
    """The questionnaire that these sheets make, which came as this content. Raises FormUnusable."""
    faults: list[Fault] = []
    book = xlsform_columns.workbook(sheets, faults)
    if not faults:
        faults = xlsform_checks.check(book)
    if faults:
        raise FormUnusable(faults)
    digest = hashlib.sha256(content).digest()
    settings = book.settings
    version = settings["version"] or f"{day:%Y%m%d}-{digest.hex()[:8]}"
    title = by_code(settings.texts.get("form_title", {})) or {"": settings["form_id"]}
    xform, asked = _converted(_alone(book, version, title))
    visit_xform, _ = _converted(_whole(book, version, title))
    return Form(
        id=settings["form_id"],
        kind=kind or cast(PremisesKind, settings["premises_kind"]) or None,
        version=version,
        title=title,
        digest=digest,
        source=content,
        source_name=name,
        xform=xform,
        visit_xform=visit_xform,
        fields=tuple(_fields(asked["children"], book, ())),
    )


def _converted(workbook: Mapping[str, Sequence[Cells]]) -> tuple[str, Mapping[str, Any]]:
    """The XForm of a workbook, and its questions as pyxform understood them. Raises FormUnusable."""
    try:
        made = convert(dict(workbook), validate=False)
    except PyXFormError as error:
        raise FormUnusable([_fault(str(error))]) from None
    return made.xform, cast(Mapping[str, Any], made._pyxform)


def _fault(message: str) -> Fault:
    """What pyxform says, with the place that it names."""
    found = _PLACE.search(message)
    if found is None:
        return Fault(reason="unfit", facts={"value": message})
    rest = message[found.end() :].strip()
    return Fault(
        reason="unfit",
        sheet=found[2] or "survey",
        row=int(found[1]),
        column=found[3] or "",
        facts={"value": rest or message},
    )


def _alone(book: Workbook, version: str, title: Labels) -> dict[str, list[Cells]]:
    """The questionnaire by itself, as our own client fills it in."""
    settings = {
        "form_id": book.settings["form_id"],
        "form_title": _first(title),
        "version": version,
        "default_language": ZH if ZH in book.languages or not book.languages else book.languages[0],
    }
    return {
        "survey": _numbered(book.survey, _row),
        "choices": _numbered(book.choices, _row_of_choice),
        "settings": [settings],
    }


def _first(title: Labels) -> str:
    return title.get("zh") or next(iter(title.values()))


def _numbered(lines: Sequence[Line], row: Any) -> list[Cells]:
    """The rows where the file has them, so that pyxform counts as the file does."""
    rows: list[Cells] = [{} for _ in range(max((line.number for line in lines), default=1) - 1)]
    for line in lines:
        rows[line.number - 2] = row(line)
    return rows


def _row(line: Line) -> Cells:
    plain = {column: cell for column, cell in line.cells.items() if column in PLAIN}
    return plain | {f"{name}::{told}": text for name, texts in line.texts.items() for told, text in texts.items()}


def _row_of_choice(line: Line) -> Cells:
    return {**line.cells, **{f"label::{told}": text for told, text in line.texts.get("label", {}).items()}}


def _whole(book: Workbook, version: str, title: Labels) -> dict[str, list[Cells]]:
    """The visit form with the questionnaire behind it, asked where somebody was met; in Chinese and English, since the
    visit form is, with whichever text there is where one is missing."""
    told = _first(title)
    begin = {
        "type": "begin_group",
        "name": visit_form.ANSWERS,
        f"label::{ZH}": told,
        f"label::{EN}": title.get("en") or told,
        "relevant": "${visit_outcome} = 'met'",
    }
    own = [_row(_in_both(line)) for line in book.survey if line["type"]]
    choices = [_row_of_choice(_in_both(line)) for line in book.choices if line["name"]]
    settings = visit_form.settings(f"{VISIT}{book.settings['form_id']}", version, f"走访：{told}")
    return {
        "survey": [*map(dict, visit_form.SURVEY), begin, *own, {"type": "end_group", "name": ""}],
        "choices": [*map(dict, visit_form.CHOICES), *choices],
        "settings": [dict(settings)],
    }


def _in_both(line: Line) -> Line:
    texts = {}
    for name, told in line.texts.items():
        any_text = next(iter(told.values()))
        texts[name] = {ZH: told.get(ZH, any_text), EN: told.get(EN, any_text)}
    return Line(number=line.number, cells=line.cells, texts=texts, written=line.written)


_TYPES: Mapping[str, FieldType] = {
    "text": "text",
    "string": "text",
    "barcode": "text",
    "hidden": "text",
    "integer": "integer",
    "int": "integer",
    "decimal": "decimal",
    "select one": "select_one",
    "select all that apply": "select_multiple",
    "date": "date",
    "today": "date",
    "time": "time",
    "dateTime": "dateTime",
    "datetime": "dateTime",
    "start": "dateTime",
    "end": "dateTime",
    "geopoint": "geopoint",
    "photo": "file",
    "image": "file",
    "calculate": "calculate",
    "repeat": "repeat",
}


def _fields(children: Sequence[Mapping[str, Any]], book: Workbook, groups: tuple[Labels, ...]) -> Iterator[Field]:
    """The questions in the order of the form; a group only gathers them, and a note asks nothing."""
    for child in children:
        if child["type"] == "group":
            if child["name"] != "meta":
                label = _labels(child.get("label"))
                yield from _fields(child["children"], book, (*groups, label) if label else groups)
        elif child["type"] in _TYPES:
            yield Field(
                name=child["name"],
                type=_TYPES[child["type"]],
                label=_labels(child.get("label")),
                hint=_labels(child.get("hint")),
                groups=groups,
                choices=tuple(_choices(child)),
                fields=tuple(_fields(child.get("children", ()), book, ())),
                asked_if=child.get("bind", {}).get("relevant", ""),
                required=child.get("bind", {}).get("required", "").lower() in ("yes", "true", "true()"),
            )


def _choices(child: Mapping[str, Any]) -> Iterator[Choice]:
    for choice in child.get("choices") or ():
        yield Choice(choice["name"], _labels(choice.get("label")))


def _labels(label: str | Mapping[str, str] | None) -> dict[str, str]:
    if not label:
        return {}
    return {"": label} if isinstance(label, str) else by_code(label)

"""The columns of an XLSForm by one name each, whatever spelling and language they were given in."""

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from api.xlsform_faults import Fault
from api.xlsform_files import Sheet, Sheets
from surveys.questionnaires.questionnaire_fields import Labels

ZH, EN = "中文 (zh)", "English (en)"
CODES = {ZH: "zh", EN: "en"}

TEXTS = frozenset({"label", "hint", "guidance_hint", "constraint_message", "required_message"})
EXPRESSIONS = ("relevant", "constraint", "calculation", "choice_filter", "required", "readonly", "repeat_count")
FILES = frozenset({"image", "big-image", "audio", "video", "media", "save_to", "intent"})
SURVEY = frozenset({"type", "name", *TEXTS, *EXPRESSIONS, "appearance", "default", "parameters", "trigger", "disabled"})
SETTINGS = frozenset({"form_id", "form_title", "version", "default_language", "premises_kind"})
SPELLINGS: Mapping[str, str] = {
    "caption": "label",
    "relevance": "relevant",
    "calculate": "calculation",
    "command": "type",
    "tag": "name",
    "value": "name",
    "constraining_message": "constraint_message",
    "requiredmsg": "required_message",
    "read_only": "readonly",
    "count": "repeat_count",
    "jr:count": "repeat_count",
    "id_string": "form_id",
    "set_form_id": "form_id",
    "title": "form_title",
    "set_form_title": "form_title",
}
_IN_BRACKETS = re.compile(r"\(([A-Za-z]{2,3})(-[A-Za-z0-9-]+)?\)\s*$")


class Line(Struct, frozen=True, kw_only=True):
    """A row by the columns' own names; texts that people read are by language."""

    number: int
    cells: Mapping[str, str]
    texts: Mapping[str, Labels]  # label, hint and messages, by language as the form calls it
    written: Mapping[str, str]  # how the file calls each column

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    def column(self, name: str) -> str:
        """A column as the file calls it."""
        return self.written.get(name, name)


class Workbook(Struct, frozen=True, kw_only=True):
    """An XLSForm with its columns known: what is asked, what can be answered, and what the form is called."""

    survey: Sequence[Line]
    choices: Sequence[Line]
    settings: Line
    languages: Sequence[str]  # of its texts, as the form calls them


def workbook(sheets: Sheets, faults: list[Fault]) -> Workbook:
    """The sheets with their columns known; what is missing or not supported is added to the faults."""
    faults += _unsupported(sheets)
    default = _default_language(sheets)
    survey = _lines(sheets.get("survey"), SURVEY, default, faults)
    choices = _lines(sheets.get("choices"), None, default, faults)
    settings = _lines(sheets.get("settings"), None, default, faults)
    used = [language for line in (*survey, *choices) for labels in line.texts.values() for language in labels]
    first = settings[0] if settings else Line(number=2, cells={}, texts={}, written={})
    return Workbook(survey=survey, choices=choices, settings=first, languages=list(dict.fromkeys(used)))


def _unsupported(sheets: Sheets) -> Iterator[Fault]:
    names = "、".join(sheet.name for sheet in sheets.values())
    if "survey" not in sheets:
        yield Fault(reason="sheet_missing", facts={"value": "survey", "sheets": names})
    elif not sheets["survey"].rows:
        yield Fault(reason="sheet_empty", sheet="survey")
    if "settings" not in sheets or not sheets["settings"].rows:
        yield Fault(reason="sheet_missing", facts={"value": "settings", "sheets": names})
    for name in ("entities", "external_choices", "osm"):
        if name in sheets and sheets[name].rows:
            yield Fault(reason="sheet_unsupported", sheet=sheets[name].name)
    for name in ("survey", "choices"):
        if name in sheets and sheets[name].rows:
            known = {_split(header)[0] for header in sheets[name].headers}
            needed = ("type", "name") if name == "survey" else ("list_name", "name")
            for column in needed:
                if column not in known:
                    yield Fault(reason="column_missing", sheet=sheets[name].name, row=1, facts={"value": column})


def _default_language(sheets: Sheets) -> str:
    """The language of texts whose column names none."""
    if "settings" in sheets:
        for cells in sheets["settings"].rows.values():
            for header, cell in cells.items():
                if _split(header)[0] == "default_language":
                    return language(cell)
    return ZH


def _lines(sheet: Sheet | None, known: frozenset[str] | None, default: str, faults: list[Fault]) -> list[Line]:
    if sheet is None:
        return []
    columns = {header: _split(header) for header in sheet.headers if header}
    seen: dict[tuple[str, str], str] = {}
    for header, column in columns.items():
        if column in seen:
            faults.append(Fault(reason="column_repeated", sheet=sheet.name, row=1, column=header))
        seen[column] = header
    twice = [header for header in set(sheet.headers) if header and list(sheet.headers).count(header) > 1]
    faults += [Fault(reason="column_repeated", sheet=sheet.name, row=1, column=header) for header in sorted(twice)]
    lines = []
    for number, cells in sheet.rows.items():
        faults += [
            Fault(reason="column_unsupported", sheet=sheet.name, row=number, column=header)
            for header in cells
            if columns[header][0] in FILES
        ]
        lines.append(_line(number, {columns[header]: (header, cell) for header, cell in cells.items()}, known, default))
    return lines


def _line(
    number: int, cells: Mapping[tuple[str, str], tuple[str, str]], known: frozenset[str] | None, default: str
) -> Line:
    plain: dict[str, str] = {}
    texts: dict[str, dict[str, str]] = {}
    written: dict[str, str] = {}
    for (name, told), (header, cell) in sorted(cells.items(), key=lambda one: one[0][1]):
        written.setdefault(name, header)
        if name in TEXTS or name == "form_title":
            texts.setdefault(name, {})[told or default] = cell
        elif known is None or name in known:
            plain[name] = cell
    return Line(number=number, cells=plain, texts=texts, written=written)


def _split(header: str) -> tuple[str, str]:
    """A column's own name, and the language that it is in: "Label : English (en)" is label, in English."""
    first, _, rest = (part.strip() for part in re.sub(r"\s*::?\s*", "::", header, count=2).partition("::"))
    name = first.lower().replace(" ", "_")
    if name == "jr":
        name, rest = f"jr:{rest}".lower(), ""
    if name == "bind" and rest:
        name, rest = rest.rpartition("::")[2].lower(), ""
    name = SPELLINGS.get(name, name)
    return name, language(rest) if rest else ""


def language(text: str) -> str:
    """A language by one name, however a form calls it."""
    found = _IN_BRACKETS.search(text)
    code = found[1].lower() if found else text.strip().lower()
    if code in ("zh", "chinese", "中文", "汉语", "简体中文", "zh-cn", "zh_cn"):
        return ZH
    if code in ("en", "english", "英文", "英语"):
        return EN
    return text.strip()


def by_code(labels: Labels) -> dict[str, str]:
    """Texts by the code of their language."""
    return {CODES.get(name, name): text for name, text in labels.items()}

"""What is wrong with an XLSForm before pyxform is asked: pyxform stops at the first fault, in English, and lets some
pass that our client would stumble over at the door."""

import re
from collections.abc import Iterator, Mapping, Sequence

from api.xlsform_columns import EXPRESSIONS, Line, Workbook
from api.xlsform_expressions import Broken, references, tokens
from api.xlsform_faults import Fault
from surveys.collect import visit_form

MOST_QUESTIONS = 2_000
MOST_CHOICES = 20_000
LONGEST_CHOICE = 100
LONGEST_NAME = 64

TYPES = frozenset(
    {"text", "string", "integer", "int", "decimal", "date", "time", "datetime", "geopoint", "image", "photo", "barcode"}
    | {"note", "calculate", "hidden", "start", "end", "today"}
)
SELECTS = re.compile(r"(select_one|select_multiple|select one|select multiple|select1)(?:\s+(\S+))?(\s+or_other)?")
BEGIN = re.compile(r"begin[ _](group|repeat|loop)")
END = re.compile(r"end[ _](group|repeat|loop)")
KNOWN_ELSEWHERE = re.compile(
    r"(select\w*_from_file|select_one_external|rank|range|audio|video|file|geotrace|geoshape|acknowledge|trigger|audit|"
    r"csv-external|xml-external|background-\S+|start-geopoint|osm|email|phonenumber|username|deviceid|imei|simserial|"
    r"subscriberid|entity)\b.*"
)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
FORM_ID = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,59}")
VERSION = re.compile(r"[A-Za-z0-9_.-]{1,60}")
KINDS = ("shop", "enterprise", "household")
UNLABELLED = frozenset({"calculate", "hidden", "start", "end", "today"})

TAKEN = frozenset(
    {row["name"] for row in visit_form.SURVEY if row.get("name")} | {visit_form.ANSWERS, "meta", "instanceID", "data"}
)
TAKEN_LISTS = frozenset(row["list_name"] for row in visit_form.CHOICES)


def check(book: Workbook) -> list[Fault]:
    """All that is wrong with a form, in the order of its sheets and rows."""
    if len(book.survey) > MOST_QUESTIONS or len(book.choices) > MOST_CHOICES:
        return list(_too_many(book))
    faults = [*_questions(book), *_choices(book.choices), *_settings(book)]
    if not faults:
        faults = [*_expressions(book)]
    return faults


def _too_many(book: Workbook) -> Iterator[Fault]:
    for sheet, lines, most in (("survey", book.survey, MOST_QUESTIONS), ("choices", book.choices, MOST_CHOICES)):
        if len(lines) > most:
            yield Fault(reason="too_many_rows", sheet=sheet, facts={"count": len(lines), "most": most})


def _fault(line: Line, column: str, reason: str, sheet: str = "survey", **facts: object) -> Fault:
    return Fault(reason=reason, sheet=sheet, row=line.number, column=line.column(column), facts=facts)


def _questions(book: Workbook) -> Iterator[Fault]:
    lists = {line["list_name"] for line in book.choices}
    names: dict[str, int] = {}
    opened: list[tuple[str, Line]] = []
    asked = 0
    for line in book.survey:
        if not (line["type"] or line["name"] or line.texts):
            continue
        yield from _type(line, lists)
        if END.fullmatch(line["type"]):
            yield from _end(line, opened)
            continue
        yield from _name(line, names)
        if begun := BEGIN.fullmatch(line["type"]):
            yield from _begin(line, begun[1], opened)
        elif line["type"] not in UNLABELLED:
            asked += 1
            if not line.texts.get("label") and not line.texts.get("hint"):
                yield _fault(line, "label", "label_missing")
    yield from (_fault(line, "type", "group_unclosed", value=line["name"]) for _, line in opened)
    if not asked and book.survey:
        yield Fault(reason="no_questions", sheet="survey")


def _type(line: Line, lists: set[str]) -> Iterator[Fault]:
    given = line["type"]
    if not given:
        yield _fault(line, "type", "type_missing")
    elif select := SELECTS.fullmatch(given):
        if not select[2]:
            yield _fault(line, "type", "list_missing")
        elif select[2] not in lists:
            yield _fault(line, "type", "list_unknown", value=select[2])
    elif BEGIN.fullmatch(given) or END.fullmatch(given) or given.lower() in TYPES:
        return
    elif KNOWN_ELSEWHERE.fullmatch(given):
        yield _fault(line, "type", "type_unsupported", value=given)
    else:
        yield _fault(line, "type", "type_unknown", value=given)


def _name(line: Line, names: dict[str, int]) -> Iterator[Fault]:
    name = line["name"]
    if not name:
        if line["type"] != "note":
            yield _fault(line, "name", "name_missing")
    elif not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        yield _fault(line, "name", "name_unusable", value=name)
    elif name in TAKEN:
        yield _fault(line, "name", "name_reserved", value=name)
    elif name in names:
        yield _fault(line, "name", "name_repeated", value=name, other=names[name])
    names.setdefault(name, line.number)


def _begin(line: Line, kind: str, opened: list[tuple[str, Line]]) -> Iterator[Fault]:
    if kind == "loop":
        yield _fault(line, "type", "group_in_loop")
    if kind == "repeat" and any(outer == "repeat" for outer, _ in opened):
        yield _fault(line, "type", "repeat_too_deep")
    opened.append((kind, line))


def _end(line: Line, opened: list[tuple[str, Line]]) -> Iterator[Fault]:
    found = END.fullmatch(line["type"])
    if found and opened and opened[-1][0] == found[1]:
        opened.pop()
    else:
        yield _fault(line, "type", "group_unopened", value=line["name"] or line["type"])


def _choices(lines: Sequence[Line]) -> Iterator[Fault]:
    seen: dict[tuple[str, str], int] = {}
    for line in lines:
        listed, name = line["list_name"], line["name"]
        if not (listed or name or line.texts):
            continue
        if not listed:
            yield _fault(line, "list_name", "list_missing", "choices")
        elif listed in TAKEN_LISTS:
            yield _fault(line, "list_name", "name_reserved", "choices", value=listed)
        if not name:
            yield _fault(line, "name", "name_missing", "choices")
        elif any(character.isspace() for character in name) or len(name) > LONGEST_CHOICE:
            yield _fault(line, "name", "choice_unusable", "choices", value=name, most=LONGEST_CHOICE)
        elif (listed, name) in seen:
            yield _fault(line, "name", "choice_repeated", "choices", value=name, other=seen[listed, name])
        seen.setdefault((listed, name), line.number)
        if not line.texts.get("label"):
            yield _fault(line, "label", "label_missing", "choices")


def _settings(book: Workbook) -> Iterator[Fault]:
    settings = book.settings
    if not settings["form_id"]:
        yield _fault(settings, "form_id", "form_id_missing", "settings")
    elif not FORM_ID.fullmatch(settings["form_id"]):
        yield _fault(settings, "form_id", "form_id_unusable", "settings", value=settings["form_id"])
    if settings["version"] and not VERSION.fullmatch(settings["version"]):
        yield _fault(settings, "version", "version_unusable", "settings", value=settings["version"])
    if settings["premises_kind"] and settings["premises_kind"] not in KINDS:
        yield _fault(settings, "premises_kind", "kind_unknown", "settings")


YES_NO = frozenset({"yes", "no", "true", "false", "true()", "false()"})


def _expressions(book: Workbook) -> Iterator[Fault]:
    names = {line["name"] for line in book.survey if line["name"]}
    broken = False
    for line in book.survey:
        for column in EXPRESSIONS:
            text = line[column]
            if text and text.lower() not in YES_NO:
                for fault in _expression(line, column, text, names):
                    broken = True
                    yield fault
        for column, labels in line.texts.items():
            unknown = {name for text in labels.values() for name in references(text)} - names
            yield from (_fault(line, column, "reference_unknown", value=name) for name in sorted(unknown))
    if not broken:
        yield from _circles(book.survey)


def _expression(line: Line, column: str, text: str, names: set[str]) -> Iterator[Fault]:
    try:
        functions = tokens(text).functions
    except Broken:
        yield _fault(line, column, "expression_broken", value=text)
        return
    yield from (_fault(line, column, "function_unknown", value=name) for name in sorted(functions))
    for name in sorted(set(references(text)) - names):
        yield _fault(line, column, "reference_unknown", value=name)


def _circles(survey: Sequence[Line]) -> Iterator[Fault]:
    """Rows that wait for one another: whether one is asked, or what it comes to, depends on itself in the end."""
    rows = {line["name"]: line for line in survey if line["name"]}
    for circle in circles(_dependencies(survey)):
        lines = sorted((rows[name] for name in circle), key=lambda line: line.number)
        column = "calculation" if lines[0]["calculation"] and not lines[0]["relevant"] else "relevant"
        told = "、".join(f"{line.number} {line['name']}" for line in lines)
        yield _fault(lines[0], column, "cycle", rows=told)


def _dependencies(survey: Sequence[Line]) -> dict[str, set[str]]:
    """What each question waits for: what its own expressions name, and those of the groups that it stands in."""
    waits: dict[str, set[str]] = {}
    outer: list[set[str]] = [set()]
    for line in survey:
        if END.fullmatch(line["type"]):
            outer.pop()
            continue
        own = set(references(line["relevant"])) | set(references(line["repeat_count"]))
        if not line["trigger"]:
            own |= set(references(line["calculation"]))
        if line["relevant"] and "." in tokens(line["relevant"]).lone:
            own.add(line["name"])
        if line["name"]:
            waits[line["name"]] = own | outer[-1]
        if BEGIN.fullmatch(line["type"]):
            outer.append(own | outer[-1])
    return waits


def circles(waits: Mapping[str, set[str]]) -> list[list[str]]:
    """The parts of a graph in which each reaches each other (Tarjan, without recursion); one alone only when it
    reaches itself."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[list[str]] = []
    for root in waits:
        if root in index:
            continue
        work = [(root, iter(sorted(waits[root])))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            name, further = work[-1]
            ahead = next((one for one in further if one in waits), None)
            if ahead is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == index[name]:
                    part = stack[stack.index(name) :]
                    del stack[stack.index(name) :]
                    on_stack.difference_update(part)
                    if len(part) > 1 or name in waits[name]:
                        found.append(part)
            elif ahead not in index:
                index[ahead] = low[ahead] = len(index)
                stack.append(ahead)
                on_stack.add(ahead)
                work.append((ahead, iter(sorted(waits[ahead]))))
            elif ahead in on_stack:
                low[name] = min(low[name], index[ahead])
    return found

"""Answers as rows of a table: wide, with a column for each question, and long, with a row for each answer."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from api.export_columns import YES_NO, Header, Row
from maps.exports import Kind
from surveys.questionnaires.questionnaire_answers import Answered
from surveys.questionnaires.questionnaire_fields import Field, said

# What both tables tell of the visit.
VISIT: Sequence[Header] = (
    Header("started_at", "走访时间", "Visited at", "time"),
    Header("member", "党员编号", "Member's number"),
    Header("member_name", "党员", "Member"),
    Header("organisation_name", "党组织", "Organisation"),
    Header("premises_kind", "走访对象类型", "Kind of premises"),
    Header("premises_name", "走访对象", "Premises", width=24),
    Header("premises_address", "地址", "Address", width=32),
    Header("community", "社区代码", "Community code"),
    Header("community_name", "社区", "Community"),
    Header("campaign", "走访活动", "Campaign"),
    Header("version", "问卷版本", "Version"),
)
LAST: Sequence[Header] = (
    Header("unfit", "有不合题型的答案", "Some answers do not fit"),
    Header("id", "走访标识", "Visit's id", width=38),
)
ANSWER: Sequence[Header] = (
    Header("repeat", "重复组", "Repeat"),
    Header("entry", "第几条", "Entry", "number"),
    Header("question", "题目名称", "Question's name"),
    Header("question_label", "题目", "Question"),
    Header("answer", "答案", "Answer"),
    Header("answer_label", "答案文字", "Answer in words"),
    Header("number", "数值", "As a number", "number"),
)
LONG: Sequence[Header] = (*VISIT, *ANSWER, *LAST)
MOST_COLUMNS = 16_000  # of a worksheet, a few less than it has
NUMBERS = ("integer", "decimal")


def _of_visit(row: Answered, language: str) -> dict[str, Any]:
    told = {name: getattr(row, name) for name in Answered.__struct_fields__ if name not in ("values", "unfit")}
    return told | {"unfit": YES_NO[row.unfit][language == "en"]}


# --- wide


def entries(fields: Sequence[Field], values: Mapping[str, Any], most: dict[str, int]) -> None:
    """Note how often each repeat was filled in at most."""
    for field in fields:
        if field.type == "repeat" and isinstance(found := values.get(field.name), list):
            most[field.name] = max(most.get(field.name, 1), len(found))


def wide_headers(fields: Sequence[Field], most: Mapping[str, int]) -> tuple[Header, ...]:
    """A column for each question, and of a repeat as many as its longest list has entries."""
    named = list(_wide(fields, most))
    labels = [(said(field.label, "zh") or field.name, said(field.label, "en") or field.name) for _, field, _ in named]
    headers = []
    for (name, field, before), (zh, en) in zip(named, labels, strict=True):
        twice = labels.count((zh, en)) > 1 and not before[0]
        more = f" ({field.name})" if twice else ""
        kind: Kind = "number" if field.type in NUMBERS else "text"
        headers.append(Header(name, f"{before[0]}{zh}{more}", f"{before[1]}{en}{more}", kind))
    return (*VISIT, *headers, *LAST)


def _wide(fields: Sequence[Field], most: Mapping[str, int]) -> Iterator[tuple[str, Field, tuple[str, str]]]:
    for field in fields:
        if field.type == "repeat":
            for entry in range(1, most.get(field.name, 1) + 1):
                zh, en = (said(field.label, language) or field.name for language in ("zh", "en"))
                for inner in field.fields:
                    yield f"{field.name}/{entry}/{inner.name}", inner, (f"{zh} {entry} · ", f"{en} {entry} · ")
        else:
            yield f"{field.name}/", field, ("", "")


def wide(row: Answered, fields: Sequence[Field], headers: Sequence[Header], language: str) -> Row:
    """The answers of one visit in words, a column each."""
    cells = dict.fromkeys((header.name for header in headers), None) | _of_visit(row, language)
    for field in fields:
        value = row.values.get(field.name)
        if field.type == "repeat" and isinstance(value, list):
            for entry, inside in enumerate(value, start=1):
                if isinstance(inside, dict):
                    cells |= {
                        f"{field.name}/{entry}/{inner.name}": in_words(inner, inside.get(inner.name), language)
                        for inner in field.fields
                    }
        elif value is not None:
            name = f"{field.name}/1/{field.fields[0].name}" if field.fields else f"{field.name}/"
            cells[name] = in_words(field, value, language)
    return cells


# --- long


def long(row: Answered, fields: Sequence[Field], language: str) -> Iterator[Row]:
    """A row for each answer of one visit, and for each choice of several; what no question asked for is told too."""
    visit = _of_visit(row, language)
    for repeat, entry, field, value in _each(fields, row.values):
        for one in value if isinstance(value, list) and field.type == "select_multiple" else (value,):
            number = one if field.type in (*NUMBERS, "calculate") and _is_number(one) else None
            cells = {
                "repeat": repeat,
                "entry": entry,
                "question": field.name,
                "question_label": said(field.label, language) or field.name,
                "answer": _plain(one),
                "answer_label": str(in_words(field, one, language)),
                "number": number,
            }
            yield visit | cells


def _each(fields: Sequence[Field], values: Mapping[str, Any]) -> Iterator[tuple[str | None, int | None, Field, Any]]:
    known = {field.name: field for field in fields}
    for field in fields:
        value = values.get(field.name)
        if field.type == "repeat" and isinstance(value, list):
            for entry, inside in enumerate(value, start=1):
                if isinstance(inside, dict):
                    for _, _, inner, found in _each(field.fields, inside):
                        yield field.name, entry, inner, found
        elif value is not None:
            yield None, None, field, value
    for name in values.keys() - known.keys():
        yield None, None, Field(name=name, type="text"), values[name]


# --- both


def in_words(field: Field, value: Any, language: str) -> Any:
    """An answer as people read it: a choice by its label, a place as latitude and longitude, a photo by its hash."""
    if value is None or _is_number(value):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return (", " if language == "en" else "、").join(field.called(one, language) for one in value)
    return field.called(value, language) if isinstance(value, str) else _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, dict) and {"lon", "lat"} <= value.keys():
        return f"{value['lat']}, {value['lon']}"
    if isinstance(value, dict) and "sha256" in value:
        return str(value["sha256"])
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

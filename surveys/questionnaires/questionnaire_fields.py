"""The questions of a questionnaire's version, and answers held to them: what fits is brought into the type of its
question, and what does not is kept as it came."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, Literal

from msgspec import Struct

FieldType = Literal[
    "text",
    "integer",
    "decimal",
    "select_one",
    "select_multiple",
    "date",
    "time",
    "dateTime",
    "geopoint",
    "file",
    "calculate",
    "repeat",
]
Labels = Mapping[str, str]  # by language: zh, en, or as the form calls it; "" where it names none
Value = Any  # as JSON has it

LONGEST_TEXT = 10_000
MOST_ENTRIES = 200  # of one repeat
LARGEST_INTEGER = 2**53 - 1  # what every program of ours reads exactly
LONGEST_NUMBER = 16  # characters, of which such a number has fewer
SHA256 = re.compile("[0-9a-f]{64}")
NUMBER = re.compile(r"[+-]?[0-9]{1,20}([.][0-9]{1,20})?")


class Choice(Struct, frozen=True, omit_defaults=True):
    """One of the answers that a question offers."""

    name: str
    label: Labels = {}


class Field(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A question, with the groups that it stands in; a repeat has questions of its own. A question whose choices come
    with the form as a file, or from other answers, has none here, and takes any."""

    name: str
    type: FieldType
    label: Labels = {}
    hint: Labels = {}
    groups: tuple[Labels, ...] = ()
    choices: tuple[Choice, ...] = ()
    others: bool = False  # whether it takes what is not among its choices
    fields: tuple["Field", ...] = ()
    asked_if: str = ""  # what must be so that it is asked
    required: bool = False

    def called(self, value: object, language: str) -> str:
        """What people call an answer."""
        return next((said(one.label, language) or one.name for one in self.choices if one.name == value), str(value))


class Held(Struct, frozen=True):
    """Answers held to the questions: what they are now, and the names of those that do not fit."""

    values: dict[str, Value]
    unfit: tuple[str, ...]


class _Unfit(Exception):
    """An answer that is not of its question's type."""


def said(labels: Labels, language: str) -> str:
    """A text in a language, or else in the one that there is."""
    for wanted in (language, "", "zh", "en"):
        if labels.get(wanted):
            return labels[wanted]
    return next(iter(labels.values()), "")


def hold(fields: Sequence[Field], values: Mapping[str, Value]) -> Held:
    """Bring answers into the types of their questions. What does not fit stays as it came and is named, as is what
    was never asked; what is empty is left out."""
    by_name = {field.name: field for field in fields}
    held: dict[str, Value] = {}
    unfit: list[str] = []
    for name, value in values.items():
        if _empty(value):
            continue
        if name not in by_name:
            held[name] = value
            unfit.append(name)
            continue
        held[name], faults = _answer(by_name[name], value)
        unfit += faults
    return Held(held, tuple(unfit))


def _empty(value: Value) -> bool:
    return value is None or value == "" or value == []


def _answer(field: Field, value: Value) -> tuple[Value, list[str]]:
    if field.type == "repeat":
        return _entries(field, value)
    try:
        return _OF_TYPE[field.type](field, value), []
    except _Unfit:
        return value, [field.name]


def _entries(field: Field, value: Value) -> tuple[Value, list[str]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value) or len(value) > MOST_ENTRIES:
        return value, [field.name]
    entries = [hold(field.fields, entry) for entry in value]
    faults = [f"{field.name}[{at}].{name}" for at, entry in enumerate(entries, start=1) for name in entry.unfit]
    return [entry.values for entry in entries], faults


def _text(_field: Field, value: Value) -> Value:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or "\0" in value:
        raise _Unfit
    return value


def _integer(_field: Field, value: Value) -> Value:
    number = _number(value)
    if not float(number).is_integer() or abs(number) > LARGEST_INTEGER:
        raise _Unfit
    return int(number)


def _decimal(_field: Field, value: Value) -> Value:
    return _number(value)


def _number(value: Value) -> int | float:
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        text = value.strip()
        value = float(text) if "." in text else int(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unfit
    if (isinstance(value, int) and abs(value) > LARGEST_INTEGER) or not math.isfinite(value):
        raise _Unfit
    return value


def _choice(field: Field, value: Value) -> Value:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    known = not field.choices or field.others or any(choice.name == value for choice in field.choices)
    if not isinstance(value, str) or not known or len(value) > LONGEST_TEXT or "\0" in value:
        raise _Unfit
    return value


def _choices(field: Field, value: Value) -> Value:
    chosen = value.split() if isinstance(value, str) else value
    if not isinstance(chosen, list):
        raise _Unfit
    return list(dict.fromkeys(_choice(field, one) for one in chosen))


def _date(_field: Field, value: Value) -> Value:
    return _iso(date, value)


def _time(_field: Field, value: Value) -> Value:
    return _iso(time, value)


def _moment(_field: Field, value: Value) -> Value:
    return _iso(datetime, value)


def _iso(kind: type[date] | type[time], value: Value) -> Value:
    try:
        kind.fromisoformat(value)
    except (TypeError, ValueError):
        raise _Unfit from None
    return value


POINT = ("lon", "lat", "altitude_m", "accuracy_m")


def _point(_field: Field, value: Value) -> Value:
    """As our own client tells it, or as Collect writes it: latitude, longitude, altitude and accuracy."""
    if isinstance(value, str):
        lat, lon, *further = [*map(_number, value.split()), None, None]
        value = dict(zip(POINT, (lon, lat, *further), strict=False))
    if not isinstance(value, dict) or not {"lon", "lat"} <= value.keys() <= set(POINT):
        raise _Unfit
    point = {name: _number(one) for name, one in value.items() if one is not None}
    if not (abs(point.get("lon", 999)) <= 180 and abs(point.get("lat", 999)) <= 90):
        raise _Unfit
    return point


def _file(_field: Field, value: Value) -> Value:
    """A photo by its hash or, from ODK Collect, by the name under which it comes."""
    fits = (
        isinstance(value, dict)
        and value
        and value.keys() <= {"sha256", "name"}
        and all(isinstance(one, str) and len(one) <= 255 for one in value.values())
        and ("sha256" not in value or SHA256.fullmatch(value["sha256"]))
    )
    if not fits:
        raise _Unfit
    return value


def _calculated(field: Field, value: Value) -> Value:
    """Collect and our client tell what was calculated as text: what is written as a number is one, and 007 is not."""
    if isinstance(value, str):
        fits = NUMBER.fullmatch(value) and len(value) < LONGEST_NUMBER
        return _number(value) if fits and str(_number(value)) == value else _text(field, value)
    return _number(value)


_OF_TYPE = {
    "text": _text,
    "integer": _integer,
    "decimal": _decimal,
    "select_one": _choice,
    "select_multiple": _choices,
    "date": _date,
    "time": _time,
    "dateTime": _moment,
    "geopoint": _point,
    "file": _file,
    "calculate": _calculated,
}


def every(fields: Sequence[Field]) -> Iterator[Field]:
    """The questions, those in repeats among them."""
    for field in fields:
        yield field
        yield from every(field.fields)


def together(versions: Sequence[Sequence[Field]]) -> list[Field]:
    """The questions of several versions, newest first, as one list: a question is as its newest version asks it, with
    every choice that it ever offered, and one that was dropped comes after those that are still asked."""
    found: dict[str, Field] = {}
    for fields in versions:
        for field in fields:
            found[field.name] = _joined(found[field.name], field) if field.name in found else field
    return list(found.values())


def _joined(newer: Field, older: Field) -> Field:
    choices = {choice.name: choice for choice in (*older.choices, *newer.choices)}
    return Field(
        name=newer.name,
        type=newer.type,
        label=newer.label,
        hint=newer.hint,
        groups=newer.groups,
        choices=tuple(choices.values()),
        others=newer.others or older.others,
        fields=tuple(together([newer.fields, older.fields])),
        asked_if=newer.asked_if,
        required=newer.required,
    )

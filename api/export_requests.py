"""What somebody asks to have made, read from names and values as they stand in the address of a list."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from types import UnionType
from typing import Any, TypeAlias, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from api.answer_tables import Answers
from api.export_files import AnyTable, Extension
from api.export_tables import CoverageDoors, Issues, Premises, Visits
from api.figure_tables import Coverage, Rates
from api.issues import ME
from api.json_bodies import UnknownField
from surveys.counting import issue_query
from surveys.counting.issue_query import NONE
from surveys.coverage import coverage_query
from surveys.people.people import Reader
from surveys.premises.premises_lists import DoorFilters
from surveys.refusals import Invalid, InvalidFilter
from surveys.visits.visit_query import VisitFilters

Value: TypeAlias = str | bool | int | float
Given: TypeAlias = Mapping[str, Value | Sequence[Value]]

PERSONS = frozenset({"owner", "offered_to", "leader", "agent", "member", "holder"})
OR_NONE = frozenset({"organisation", "member"})  # ids for which `none` stands for none, where the filter knows none
WORDS = {"yes": True, "no": False, "true": True, "false": False}
AREAS: Collection[Extension] = ("geojson", "gpkg")


class UnknownTable(Invalid):
    """There is no such table, or it does not go into this form; `expected` says which do."""

    code = "unknown_table"


def table_of(what: str, format: Extension, given: Given, reader: Reader) -> AnyTable:  # noqa: A002
    """The table that is asked for. Raises UnknownTable, UnknownField and InvalidFilter."""
    if what not in TABLES:
        raise UnknownTable("table", expected=" | ".join(TABLES))
    make, formats = TABLES[what]
    if format not in formats:
        raise UnknownTable("format", expected=" | ".join(formats))
    return make(_Asked({name: value for name, value in given.items() if name != "lang"}, format, reader))


class _Asked:
    """What is given, taken away by who knows it."""

    def __init__(self, given: Given, format: Extension, reader: Reader) -> None:  # noqa: A002
        self._given = dict(given)
        self._reader = reader
        self.areas = format in AREAS

    def take(self, name: str, kind: Any, usual: Any = None) -> Any:
        """One value beside the filters. Raises InvalidFilter."""
        if name not in self._given:
            if usual is None:
                raise InvalidFilter(name, expected="–")
            return usual
        value = _single(name, self._given.pop(name))
        return _converted({name: WORDS.get(str(value), value) if kind is bool else value}, {name: kind})[name]

    def filters(self, kind: type[Any]) -> Any:
        """All that is left, as filters. Raises UnknownField and InvalidFilter."""
        hints = get_type_hints(kind)
        values = {}
        for name, value in self._given.items():
            if name not in hints:
                raise UnknownField(name)
            if "\x00" in str(value):
                raise InvalidFilter(name, expected="no U+0000")
            values[name] = self._value(name, value, hints[name])
        found = kind(**_converted(values, hints))
        known_at = getattr(found, "known_at", None)
        if known_at is not None and known_at.tzinfo is None:
            raise InvalidFilter("known_at", expected="2026-11-23T18:00:00+08:00")
        return found

    def _value(self, name: str, value: Value | Sequence[Value], hint: Any) -> Any:
        if name == "bbox":
            return issue_query.box(value if isinstance(value, str) else ",".join(map(str, _several(value))))
        if get_origin(hint) is tuple:
            return [self._one(name, one, hint) for one in _several(value)]
        single = self._one(name, _single(name, value), hint)
        return WORDS.get(str(single), single) if bool in _parts(hint) else single

    def _one(self, name: str, value: Value, hint: Any) -> Any:
        if name in PERSONS and value == ME:
            return self._reader.member
        if name in OR_NONE and value == NONE and type(None) in get_args(_parts(hint)[0]):
            return None
        return value


def _several(value: Value | Sequence[Value]) -> Sequence[Value]:
    return [value] if isinstance(value, str | bool | int | float) else value


def _single(name: str, value: Value | Sequence[Value]) -> Value:
    values = _several(value)
    if len(values) != 1:
        raise InvalidFilter(name, expected="1")
    return values[0]


def _parts(hint: Any) -> tuple[Any, ...]:
    """What a hint may be, or what its tuple may hold."""
    if isinstance(hint, UnionType) or get_origin(hint) is tuple:
        return get_args(hint)
    return (hint,)


def _converted(values: Mapping[str, Any], hints: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in values.items():
        try:
            found[name] = msgspec.convert(value, hints[name], strict=False)
        except msgspec.ValidationError as error:
            raise InvalidFilter(name, expected=_expected(hints[name], str(error))) from None
    return found


def _expected(hint: Any, said: str) -> str:
    """The words that are possible, or what the decoder would have liked."""
    words = [word for part in _parts(hint) for word in get_args(part) if isinstance(word, str)]
    return " | ".join(words) or re.sub(r" - at `.*", "", said)


def _rates(asked: _Asked) -> Rates:
    by = asked.take("by", rates_by, "community" if asked.areas else "district")
    hours = asked.take("hours", bool, True)
    _refuse_no_areas(asked, by)
    return Rates(filters=asked.filters(issue_query.Filters), by=by, hours=hours)


def _coverage(asked: _Asked) -> Coverage:
    campaign, by = asked.take("campaign", str), asked.take("by", coverage_by, "community")
    _refuse_no_areas(asked, by)
    return Coverage(campaign=campaign, filters=asked.filters(coverage_query.Filters), by=by)


def _refuse_no_areas(asked: _Asked, by: str) -> None:
    if asked.areas and by != "community":
        raise InvalidFilter("by", expected="community")


def _doors(asked: _Asked) -> CoverageDoors:
    return CoverageDoors(campaign=asked.take("campaign", str), filters=asked.filters(coverage_query.Filters))


class _Nothing(Struct):
    """No filter at all."""


def _answers(asked: _Asked) -> Answers:
    found = Answers(questionnaire=asked.take("questionnaire", str), shape=asked.take("shape", shapes, "wide"))
    asked.filters(_Nothing)
    return found


rates_by, coverage_by = get_type_hints(Rates)["by"], get_type_hints(Coverage)["by"]
shapes = get_type_hints(Answers)["shape"]
FLAT: Sequence[Extension] = ("csv", "xlsx")
PLACED: Sequence[Extension] = ("csv", "xlsx", "geojson", "gpkg")
TABLES: Mapping[str, tuple[Callable[[_Asked], AnyTable], Sequence[Extension]]] = {
    "issues": (lambda asked: Issues(asked.filters(issue_query.Filters)), PLACED),
    "visits": (lambda asked: Visits(asked.filters(VisitFilters)), PLACED),
    "premises": (lambda asked: Premises(asked.filters(DoorFilters)), PLACED),
    "rates": (_rates, PLACED),
    "coverage": (_coverage, PLACED),
    "coverage_doors": (_doors, PLACED),
    "answers": (_answers, FLAT),
}

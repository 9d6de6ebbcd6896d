"""Answers held to their questions: what fits takes its type, and what does not stays as it came and is named."""

from typing import Any

import pytest

from surveys.questionnaires.questionnaire_fields import Choice, Field, FieldType, Held, hold, together

CHOICES = (Choice("a", {"zh": "甲", "en": "A"}), Choice("b", {"zh": "乙"}))


def held(kind: FieldType, value: Any, **more: Any) -> Held:
    return hold([Field(name="q", type=kind, **more)], {"q": value})


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        ("text", "=cmd()", "=cmd()"),
        ("integer", 3, 3),
        ("integer", "3", 3),
        ("integer", 3.0, 3),
        ("decimal", "2.50", 2.5),
        ("decimal", -1, -1),
        ("select_one", "a", "a"),
        ("select_multiple", ["b", "a", "b"], ["b", "a"]),
        ("select_multiple", "a b", ["a", "b"]),
        ("date", "2026-11-25", "2026-11-25"),
        ("time", "09:30:00.000+08:00", "09:30:00.000+08:00"),
        ("dateTime", "2026-11-25T09:30:00+08:00", "2026-11-25T09:30:00+08:00"),
        ("geopoint", {"lon": 113.6, "lat": "34.7"}, {"lon": 113.6, "lat": 34.7}),
        ("geopoint", "34.7 113.6 0 12", {"lon": 113.6, "lat": 34.7, "altitude_m": 0, "accuracy_m": 12}),
        ("file", {"sha256": "a" * 64, "name": "a.jpg"}, {"sha256": "a" * 64, "name": "a.jpg"}),
        ("calculate", "12 人", "12 人"),
        ("calculate", 12, 12),
        ("calculate", "12", 12),
        ("calculate", "2.5", 2.5),
        ("calculate", "007", "007"),
        ("calculate", "99999999999999999999", "99999999999999999999"),
    ],
)
def test_what_fits_takes_the_type_of_its_question(kind: FieldType, given: Any, kept: Any) -> None:
    choices = CHOICES if kind.startswith("select") else ()
    answer = held(kind, given, choices=choices)
    assert answer == Held({"q": kept}, ())
    assert type(answer.values["q"]) is type(kept)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("text", 3),
        ("text", "a\0b"),
        ("text", "x" * 10_001),
        ("integer", 2.5),
        ("integer", "many"),
        ("integer", True),
        ("integer", 10**400),
        ("integer", float("nan")),
        ("decimal", float("inf")),
        ("decimal", "1e400"),
        ("select_one", "c"),
        ("select_one", ["a"]),
        ("select_multiple", ["a", "c"]),
        ("select_multiple", {"a": 1}),
        ("date", "25.11.2026"),
        ("date", 20261125),
        ("dateTime", "soon"),
        ("geopoint", "34.7"),
        ("geopoint", "   "),
        ("geopoint", {"lon": 500, "lat": 34}),
        ("geopoint", {"lon": 113.6}),
        ("file", "a.jpg"),
        ("file", {"sha256": "../../etc/passwd", "name": "x"}),
        ("calculate", [1]),
        ("repeat", "x"),
        ("repeat", [1]),
        ("repeat", [{}] * 201),
    ],
)
def test_what_does_not_fit_stays_as_it_came(kind: FieldType, given: Any) -> None:
    choices = CHOICES if kind.startswith("select") else ()
    assert held(kind, given, choices=choices) == Held({"q": given}, ("q",)) or given != given


def test_what_is_empty_is_left_out_and_what_nobody_asked_is_named() -> None:
    fields = [Field(name="q", type="integer")]
    assert hold(fields, {"q": None}) == hold(fields, {"q": ""}) == hold(fields, {"q": []}) == Held({}, ())
    assert hold(fields, {"z": "?"}) == Held({"z": "?"}, ("z",))


def test_a_repeat_is_held_entry_by_entry() -> None:
    field = Field(name="r", type="repeat", fields=(Field(name="n", type="integer"),))
    answer = hold([field], {"r": [{"n": "1"}, {"n": "x"}, {}]})
    assert answer == Held({"r": [{"n": 1}, {"n": "x"}, {}]}, ("r[2].n",))


def test_versions_are_read_together_by_the_newest_words() -> None:
    new = [Field(name="q", type="select_one", label={"zh": "新"}, choices=(Choice("a", {"zh": "甲新"}),))]
    old = [
        Field(name="q", type="select_one", label={"zh": "旧"}, choices=CHOICES),
        Field(name="gone", type="text", label={"zh": "不再问"}),
    ]
    first, second = together([new, old])
    assert first.label == {"zh": "新"}
    assert [first.called(name, "zh") for name in ("a", "b", "c")] == ["甲新", "乙", "c"]
    assert first.called("b", "en") == "乙"
    assert second.name == "gone"

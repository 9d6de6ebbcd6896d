"""Rules of points as the fields of a form: flat, by names like `rules.time.points`, as the page has them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from api import texts
from api.json_bodies import refuse
from surveys.volunteering.points_rules import KINDS, STARS, Rules

PREFIX = "rules."
LONGEST = 20  # characters of a field

WAYS: Mapping[str, str] = {
    "factor": texts.marked("a factor on all of it"),
    "bonus": texts.marked("a bonus of points"),
    "none": texts.marked("no difference"),
}
WHOLE = ("rules.time.per_minutes", "rules.effect.per_people", "rules.satisfaction.least_answers")  # numbers
STAR_FIELDS = [(f"rules.satisfaction.{star}", number) for number, star in enumerate(STARS, 1)]
KIND_FIELDS = [(f"rules.kinds.{kind}", kind) for kind in KINDS]

EMPTY: Mapping[str, str] = {
    "rules.time.points": "0",
    "rules.time.per_minutes": "60",
    "rules.time.day_cap": "",
    "rules.effect.points": "0",
    "rules.effect.per_people": "1",
    "rules.effect.cap": "",
    "rules.satisfaction.way": "none",
    "rules.satisfaction.least_answers": "3",
    **{field: "1" for field, _ in STAR_FIELDS},
    **{field: "" for field, _ in KIND_FIELDS},
    "rules.month_cap": "",
}


def flat(rules: Rules) -> dict[str, str]:
    """Rules as the fields of the form."""
    found = dict(EMPTY)
    for name, value in msgspec.to_builtins(rules).items():
        if isinstance(value, dict):
            found |= {f"{PREFIX}{name}.{part}": str(one) for part, one in value.items()}
        else:
            found[PREFIX + name] = str(value)
    return found


def said(query: Mapping[str, str]) -> dict[str, str]:
    """The fields that stand in an address."""
    return {name: query[name][:LONGEST] for name in EMPTY if name in query}


def rules(query: Mapping[str, str]) -> Rules:
    """The rules that the fields in an address mean; a blank one says nothing. Raises Invalid with the field."""
    nested: dict[str, Any] = {}
    for name, text in said(query).items():
        if not text.strip():
            continue
        *above, last = name.removeprefix(PREFIX).split(".")
        inner = nested
        for part in above:
            inner = inner.setdefault(part, {})
        inner[last] = text.strip()
    try:
        return msgspec.convert({"rules": nested}, _Sent, strict=False).rules
    except msgspec.ValidationError as error:
        refuse(str(error), _Sent)


class _Sent(msgspec.Struct, frozen=True):
    rules: Rules

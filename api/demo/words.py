"""The words from which invented people, doors and problems are put together, and how."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from surveys.issues.categories import Urgency

SOURCES = Path(__file__).parent / "sources"
SEED = "410103 demo 1"

Choice = TypeVar("Choice")


class PremisesWords(Struct, frozen=True, forbid_unknown_fields=True):
    yards: list[str]
    yard_words: list[str]
    shop_words: list[str]
    shop_trades: list[str]
    enterprise_words: list[str]
    enterprise_trades: list[str]


class Sentences(Struct, frozen=True, forbid_unknown_fields=True):
    """What is written in a visit's note, why an issue is moved, what residents say of it, and what people add when they
    report one."""

    notes_household: list[str]
    notes_business: list[str]
    notes_not_home: list[str]
    notes_declined: list[str]
    notes_closed: list[str]
    reject: list[str]
    reopen: list[str]
    not_solved: list[str]
    not_content: list[str]
    merge: list[str]
    pause: list[str]
    extend: list[str]
    give_back: list[str]
    refuse: list[str]
    decline: list[str]
    urge_public: list[str]
    urge_own: list[str]


class Words(Struct, frozen=True, forbid_unknown_fields=True):
    surnames: str
    given_first: str
    given_second: str
    roads: dict[str, list[str]]
    premises: PremisesWords
    texts: Sentences


class Problem(Struct, frozen=True, forbid_unknown_fields=True):
    """How often a problem is found, at which doors, and its cases: title, description, and how it was solved.

    `spot` is the share solved at the door."""

    weight: float
    cases: list[tuple[str, str, str]]
    kinds: str = "shop enterprise household"
    spot: float = 0.0
    urgency: Urgency = "normal"


@cache
def words() -> Words:
    read = msgspec.convert(tomllib.loads((SOURCES / "words.toml").read_text("utf-8")), Words)
    return msgspec.structs.replace(read, surnames=read.surnames.strip())


@cache
def problems() -> Mapping[str, Problem]:
    """The problems by their category's code."""
    return msgspec.convert(tomllib.loads((SOURCES / "problems.toml").read_text("utf-8")), dict[str, Problem])


def chances(part: str) -> Random:
    """The random choices of one part of the demo, the same each time and apart from those of the others."""
    return Random(f"{SEED} {part}")  # noqa: S311 - nothing here is a secret


def person_name(rng: Random) -> str:
    """An invented name."""
    chosen = words()
    given = rng.choice(chosen.given_second)
    if rng.random() < 0.8:
        given = rng.choice(chosen.given_first) + given
    return rng.choice(chosen.surnames) + given


def enterprise_name(rng: Random) -> str:
    chosen = words().premises
    return f"{rng.choice(chosen.enterprise_words)}{rng.choice(chosen.enterprise_trades)}有限公司"


def shop_name(rng: Random) -> str:
    chosen = words().premises
    first = f"{rng.choice(words().surnames)}记" if rng.random() < 0.3 else rng.choice(chosen.shop_words)
    return first + rng.choice(chosen.shop_trades)


def yard_name(rng: Random, roads: Sequence[str]) -> str:
    """A residential compound: by its number on a road, or by a name."""
    chosen = words().premises
    if rng.random() < 0.6:
        return f"{rng.choice(roads)}{rng.randrange(1, 199)}号院"
    return rng.choice(chosen.yard_words) + rng.choice(chosen.yards)


def new_id(rng: Random) -> UUID:
    """An id that is the same each time; it carries no time, which would make it another one every day."""
    return UUID(int=rng.getrandbits(128), version=4)


def weighted(rng: Random, choices: Mapping[Choice, float]) -> Choice:
    return rng.choices(list(choices), list(choices.values()))[0]

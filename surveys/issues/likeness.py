"""How alike two issues are, and why: near in space, of one category, in like words, at one door. `twins.md` tells how
the figures below were chosen."""

import math
import re
from collections.abc import Iterable
from operator import add
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from maps.tiles import METRES_PER_DEGREE

# What makes two issues alike; place, words and category are parts of 1, one door comes on top.
PLACE, WORDS, CATEGORY, DOOR = 0.40, 0.42, 0.18, 0.10
THRESHOLD = 0.70  # from which a twin is proposed

SAME_SPOT_M = 15.0  # no further apart than a phone may be wrong
NEAR_M = 100.0  # further apart nothing is a twin, unless at one door
UNPLACED = 0.25  # what two in one community are worth of which one has no position
UNTOLD = 0.45  # what words are worth that are gone, or that nobody wrote
SIBLING = 0.5  # a category of the same group
ALIKE = 0.5  # likeness of words from which they are taken for the same; two people seldom write more alike

LONGEST = 300  # characters that are compared
NO_LETTERS = re.compile(r"[\W_]+")


class Traits(Struct, frozen=True, kw_only=True):
    """What an issue, or a draft of one, is compared by."""

    lon: float | None = None
    lat: float | None = None
    community: str | None = None
    category: str
    group: str | None = None  # that the category is a part of
    premises: UUID | None = None
    card: str | None = None
    title: str | None = None
    description: str | None = None


class Why(Struct, frozen=True, kw_only=True):
    """What two issues have in common; a distance or a likeness of words that cannot be told is None."""

    distance_m: int | None
    category: Literal["same", "sibling"] | None
    words: float | None  # 0 to 1
    same_premises: bool
    same_card: bool

    @property
    def score(self) -> float:
        """From 0 to 1."""
        place = UNPLACED if self.distance_m is None else nearness(self.distance_m)
        words = UNTOLD if self.words is None else min(1.0, self.words / ALIKE)
        door = self.same_premises or self.same_card
        weighed = PLACE * place + WORDS * words + CATEGORY * _CATEGORIES[self.category] + DOOR * door
        return round(min(1.0, weighed), 3)


_CATEGORIES = {"same": 1.0, "sibling": SIBLING, None: 0.0}


def beside_words(one: Traits, other: Traits) -> Why:
    """What two issues have in common, as if both said the same: none is more alike than that."""
    same_premises = one.premises is not None and one.premises == other.premises
    same_group = one.group is not None and one.group == other.group
    return Why(
        distance_m=0 if same_premises else _distance(one, other),
        category="same" if one.category == other.category else "sibling" if same_group else None,
        words=1.0,
        same_premises=same_premises,
        same_card=one.card is not None and one.card == other.card,
    )


def compare(one: Traits, other: Traits) -> Why:
    """What two issues have in common."""
    return msgspec.structs.replace(beside_words(one, other), words=Words(one).alike(other))


def nearness(distance_m: float) -> float:
    """1 at the same spot, down to 0 where nothing is near any more."""
    return min(1.0, max(0.0, (NEAR_M - distance_m) / (NEAR_M - SAME_SPOT_M)))


def likeness(one: str, other: str) -> float | None:
    """The share, from 0 to 1, of characters, pairs and triples of characters that two titles have in common; None if
    one of them has no letters.

    Triples alone, as pg_trgm counts them, hardly know two short Chinese titles again: most words have two characters,
    and few titles as many as twelve."""
    return in_common(grams(one), grams(other))


def grams(text: str) -> set[str]:
    """The characters, pairs and triples of characters of a text, by which it is known again."""
    return _grams(_folded(text))


def in_common(ours: set[str], theirs: set[str]) -> float | None:
    """The share of grams that two texts have in common; None if one of them has none."""
    return round(2 * len(ours & theirs) / (len(ours) + len(theirs)), 3) if ours and theirs else None


class Words:
    """What somebody wrote of an issue, made ready to be compared with what many others wrote."""

    def __init__(self, traits: Traits) -> None:
        title, description = traits.title or "", traits.description or ""
        self._told = bool(description)
        self._title, self._grams = set(_pairs(_folded(title))), grams(title)
        self._whole = set(_pairs(_folded(title + description)))

    def titles_alike(self, other: Traits) -> float | None:
        """How alike the titles are; None if one of them says nothing."""
        return in_common(self._grams, grams(other.title or ""))

    def alike(self, other: Traits) -> float | None:
        """What is alike in titles, or is told in the other's description, if that is more."""
        titles = self.titles_alike(other)
        if titles is None or not (self._told or other.description):
            return titles
        return max(titles, self._retold(Words(other)))

    def _retold(self, other: "Words") -> float:
        """The share of the pairs of characters of each one's title that the other's title or description has, too.
        What many write under everything, as that it be seen to soon, does not count: it is in no title."""
        shares = [
            len(title & whole) / len(title)
            for title, whole in ((self._title, other._whole), (other._title, self._whole))
            if title
        ]
        return round(sum(shares) / 2, 3)


def _folded(text: str) -> str:
    return NO_LETTERS.sub("", text[:LONGEST].casefold())


def _grams(text: str) -> set[str]:
    pairs = list(_pairs(text))
    return {*text, *pairs, *map(add, pairs, text[2:])}


def _pairs(text: str) -> Iterable[str]:
    return map(add, text, text[1:])


def _distance(one: Traits, other: Traits) -> int | None:
    if one.lon is None or one.lat is None or other.lon is None or other.lat is None:
        return None
    across = (one.lon - other.lon) * math.cos(math.radians(one.lat))
    return round(METRES_PER_DEGREE * math.hypot(across, one.lat - other.lat))

"""Which doors may be the same one, written down twice: near each other, or in one community, with like names or
addresses.

What differs in its numbers is another door: 12 and 13 of a road, 501 and 502 of a stair."""

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from operator import add
from uuid import UUID

from msgspec import Struct

from maps.tiles import METRES_PER_DEGREE
from surveys.issues.likeness import grams, in_common, nearness
from surveys.premises.premises import PremisesKind

NAME, ADDRESS, PLACE = 0.50, 0.30, 0.20  # parts of 1
THRESHOLD = 0.65  # from which two are shown beside each other

UNPLACED = 0.5  # what two in one community are worth of which one has no position
UNTOLD = 0.5  # an address that nobody wrote
ROAD_ALONE = 0.5  # an address without a number, which many share

SIDE_M = 100.0  # of the squares in which like names are looked for
MANY = 40  # doors of one name or at one address, which then tells nothing
MOST = 3  # that are named for one door

_NUMBERS = re.compile(r"[0-9]+")
_LATIN = re.compile(r"[0-9]+|[a-z]+")
_BUSINESS: frozenset[PremisesKind] = frozenset({"shop", "enterprise"})


class Door(Struct, frozen=True, kw_only=True, dict=True):
    """A door as it is compared; `row` is where it stands in a list that is being taken over."""

    id: UUID
    kind: PremisesKind
    code: str | None
    name: str
    address: str
    lon: float | None
    lat: float | None
    row: int | None = None

    @cached_property
    def bare_name(self) -> str:
        return _bare(self.name)

    @cached_property
    def bare_address(self) -> str:
        return _bare(self.address)

    @cached_property
    def name_grams(self) -> set[str]:
        return grams(self.bare_name)

    @cached_property
    def address_grams(self) -> set[str]:
        return grams(self.bare_address)


class Near(Struct, frozen=True, kw_only=True):
    """How near two doors are to being one; a distance that cannot be told is None."""

    score: float
    distance_m: int | None


class Pair(Struct, frozen=True):
    """Two doors that may be one; the first is new."""

    one: Door
    other: Door
    near: Near


def compare(one: Door, other: Door) -> Near | None:
    """How near two doors are to being the same; None if they are not."""
    if one.kind != other.kind and not {one.kind, other.kind} <= _BUSINESS:
        return None
    distance_m = _distance(one, other)
    place = UNPLACED if distance_m is None else nearness(distance_m)
    score = round(NAME * _names(one, other) + ADDRESS * _addresses(one, other) + PLACE * place, 3)
    return Near(score=score, distance_m=distance_m) if score >= THRESHOLD else None


def beside(door: Door, others: Sequence[Door]) -> list[tuple[Door, Near]]:
    """Those of other doors that may be this one, the likeliest first."""
    found = [(other, near) for other in others if other.id != door.id and (near := compare(door, other))]
    return sorted(found, key=lambda pair: (-pair[1].score, pair[1].distance_m or 0, str(pair[0].id)))[:MOST]


def pairs(doors: Sequence[Door]) -> Iterator[Pair]:
    """The pairs of doors of one community that may be one, each once, of which one at least is new: has a row. The
    first is new, and where both are it is the one that comes later."""
    candidates = _Candidates(doors)
    told: set[frozenset[UUID]] = set()
    for door in doors:
        if door.row is None:
            continue
        for other, near in beside(door, candidates.of(door)):
            pair = frozenset((door.id, other.id))
            if pair not in told:
                told.add(pair)
                later = other.row is not None and other.row > door.row
                yield Pair(other, door, near) if later else Pair(door, other, near)


class _Candidates:
    """Doors by what they could be found alike by: their name, their address, and their square with a pair of characters
    of their name. To compare each with every other one would take a day."""

    def __init__(self, doors: Collection[Door]) -> None:
        self._by: defaultdict[object, list[Door]] = defaultdict(list)
        for door in doors:
            self._by[door.bare_name].append(door)
            if door.bare_address:
                self._by["@", door.bare_address].append(door)
            if (square := _square(door, 0.0, 0.0)) is not None:
                for pair in _pairs(door.bare_name):
                    self._by[square, pair].append(door)

    def of(self, door: Door) -> list[Door]:
        keys: list[object] = [door.bare_name, ("@", door.bare_address)]
        squares = {_square(door, across, up) for across in (-0.5, 0.5) for up in (-0.5, 0.5)} - {None}
        keys += [(square, pair) for square in squares for pair in _pairs(door.bare_name)]
        found: dict[UUID, Door] = {}
        for key in keys:
            group = self._by.get(key, ())
            if len(group) <= MANY:
                found.update((other.id, other) for other in group)
        return list(found.values())


def _square(door: Door, across: float, up: float) -> tuple[int, int] | None:
    """The square in which a door is, or would be if it were moved by so many sides."""
    if door.lon is None or door.lat is None:
        return None
    side = SIDE_M / METRES_PER_DEGREE
    row = math.floor(door.lat / side + up)
    return math.floor(door.lon * math.cos(math.radians(row * side)) / side + across), row


def _names(one: Door, other: Door) -> float:
    if one.bare_name == other.bare_name:
        return 1.0
    if _contradict(_NUMBERS, one.bare_name, other.bare_name):
        return 0.0
    if one.kind == other.kind == "household" and one.bare_address == other.bare_address != "":
        return 1.0  # a home is called by where it is, in short or in full
    return in_common(one.name_grams, other.name_grams) or 0.0


def _addresses(one: Door, other: Door) -> float:
    ours, theirs = one.bare_address, other.bare_address
    if not ours or not theirs:
        return UNTOLD
    if _contradict(_LATIN, ours, theirs):
        return 0.0
    alike = 1.0 if ours == theirs else in_common(one.address_grams, other.address_grams) or 0.0
    numbered = _NUMBERS.search(ours) and _NUMBERS.search(theirs)
    return alike if numbered else alike * ROAD_ALONE


def _contradict(pattern: re.Pattern[str], one: str, other: str) -> bool:
    """Whether two texts name different numbers; one that tells fewer may still mean the same: 3号楼501, and 501."""
    ours, theirs = pattern.findall(one), pattern.findall(other)
    fewer = min(len(ours), len(theirs))
    return fewer > 0 and ours[-fewer:] != theirs[-fewer:]


def _bare(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if character.isalnum())


def _pairs(text: str) -> set[str]:
    return set(map(add, text, text[1:]))


def _distance(one: Door, other: Door) -> int | None:
    if one.lon is None or one.lat is None or other.lon is None or other.lat is None:
        return None
    across = (one.lon - other.lon) * math.cos(math.radians(one.lat))
    return round(METRES_PER_DEGREE * math.hypot(across, one.lat - other.lat))

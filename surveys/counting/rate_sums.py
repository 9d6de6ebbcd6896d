"""The rates over a view: how many issues each counts, and how long they took, by whatever they are broken down."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from surveys.counting import issue_masks
from surveys.counting.issue_columns import NO_TIME
from surveys.counting.issue_views import Mask, View
from surveys.counting.rate_terms import FACTS, RATES, TERMS

MOST_CELLS = 20_000_000  # of a table of parts and patterns of facts
PASSING = ("response_over", "due")
FACT_BITS = {fact: 1 << at for at, fact in enumerate((*FACTS, *PASSING))}


class Parted(Struct, frozen=True):
    """How issues are parted: the column whose numbers say it (or moments, and the beginnings of the parts), and for
    each of its numbers the part that it is in; several times, where a number is in several. -1 is none. With `hours`
    it is asked as well how long they took."""

    column: str | None
    layers: Sequence[npt.NDArray[np.int32]]
    parts: int
    begins: Sequence[int] = ()
    hours: bool = False


class Sums(Struct, frozen=True):
    """What was counted of each part: how many issues there are, the denominator and numerator of each rate in turn, and
    of what is resolved how many and the seconds that half and nine tenths took at most."""

    issues: npt.NDArray[np.int64]
    shares: npt.NDArray[np.int64]
    took: npt.NDArray[np.int64] | None


def sums(view: View, keep: Mask | None, ways: Sequence[Parted]) -> list[Sums]:
    """The rates of what is kept, by part, for each way to part it."""
    chosen: Any = slice(None) if keep is None else np.flatnonzero(keep)
    facts = _facts(view, chosen)
    patterns, places = _patterns(facts)
    met = _met(patterns)
    return [_summed(view, chosen, parted, facts, places, met) for parted in ways]


def _summed(view: View, chosen: Any, parted: Parted, facts: Any, places: Any, met: npt.NDArray[np.int64]) -> Sums:
    codes = _codes(view, chosen, parted)
    issues, shares = np.zeros(parted.parts, np.int64), np.zeros((parted.parts, met.shape[1]), np.int64)
    for layer in parted.layers:
        counted = _counted(layer[codes], places, met, parted.parts)
        issues += counted[0]
        shares += counted[1]
    if not parted.hours:
        return Sums(issues, shares, None)
    parts = [layer[codes] for layer in parted.layers]
    return Sums(issues, shares, _took(view["took"][chosen], facts, parts, parted.parts))


def _codes(view: View, chosen: Any, parted: Parted) -> Any:
    if parted.column is None:
        return np.zeros(len(view["state"][chosen]), np.intp)
    if parted.begins:
        return np.searchsorted(np.asarray(parted.begins), view[parted.column][chosen], "right")
    return view[parted.column][chosen]


def _facts(view: View, chosen: Any) -> npt.NDArray[np.int32]:
    """The facts of each row, a bit for each, with those that depend on the moment."""
    facts: npt.NDArray[np.int32] = view["outcome"][chosen].astype(np.int32)
    for fact in PASSING:
        facts |= issue_masks.passing(view, fact)[chosen].astype(np.int32) * FACT_BITS[fact]
    return facts


def _patterns(facts: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """The patterns of facts that there are, and for each row which it has."""
    patterns = np.flatnonzero(np.bincount(facts, minlength=1))
    place = np.zeros(int(patterns[-1]) + 1 if len(patterns) else 1, np.int32)
    place[patterns] = np.arange(len(patterns), dtype=np.int32)
    return patterns, place[facts]


def _met(patterns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each pattern whether it is in the denominator of each rate, and in its numerator."""
    terms = [facts for rate in RATES for facts in (TERMS[rate].denominator, TERMS[rate].numerator)]
    bits = np.array([sum(FACT_BITS[fact] for fact in set(facts)) for facts in terms], np.int64)
    met: npt.NDArray[np.int64] = ((patterns[:, None] & bits) == bits).astype(np.int64)
    return met


def _counted(parts: Any, places: Any, met: npt.NDArray[np.int64], count: int) -> tuple[Any, Any]:
    if parts.min(initial=0) < 0:
        inside = parts >= 0
        parts, places = parts[inside], places[inside]
    patterns = len(met)
    if count * patterns > MOST_CELLS:
        shares = [np.bincount(parts[met[places, at] == 1], minlength=count) for at in range(met.shape[1])]
        return np.bincount(parts, minlength=count), np.stack(shares, axis=1)
    cells = parts.astype(np.int64) * patterns
    cells += places
    table = np.bincount(cells, minlength=count * patterns).reshape(count, patterns)
    return table.sum(axis=1), table @ met


def _took(took: Any, facts: Any, parts: Sequence[Any], count: int) -> npt.NDArray[np.int64]:
    """Of each part how many are resolved, the median and the ninth decile of their seconds, by the nearest rank."""
    resolved = np.flatnonzero((took != NO_TIME) & (facts & FACT_BITS["counted"] != 0))
    seconds = took[resolved].astype(np.int64) - NO_TIME
    keyed = np.concatenate([(part[resolved].astype(np.int64) << 32) + seconds for part in parts])
    keyed.sort()
    ends = np.searchsorted(keyed, np.arange(count + 1, dtype=np.int64) << 32)
    begin, number = ends[:-1], np.diff(ends)
    found = np.zeros((count, 3), np.int64)
    found[:, 0] = number
    some = np.flatnonzero(number)
    for column, tenths in ((1, 5), (2, 9)):
        rank = -(-number[some] * tenths // 10) - 1
        found[some, column] = (keyed[begin[some] + rank] & 0xFFFFFFFF) + NO_TIME
    return found

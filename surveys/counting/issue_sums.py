"""What is counted over a view: how many there are, gathered where they lie, and by the values of a column."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from maps.tiles import LEVELS, Range
from surveys.counting import issue_masks
from surveys.counting.issue_masks import GROUPS
from surveys.counting.issue_views import Indexes, Mask, View, microseconds, moment

EVERY = 64  # of the rows are looked at to know how far the first of them reach at most
WHOLE: Range = (0, 2 ** (2 * LEVELS) - 1)  # all cells that there are

Counts = npt.NDArray[np.int64]


def total(view: View, keep: Mask | None) -> int:
    """How many there are."""
    return len(view) if keep is None else int(np.count_nonzero(keep))


class Gathered(Struct, frozen=True):
    """Issues gathered by cells: how many, by map group, and where their middle lies; and one of each, by its row."""

    counts: Counts
    by_group: Counts  # as many columns as there are groups
    lon: npt.NDArray[np.float64]
    lat: npt.NDArray[np.float64]
    row: Indexes


class _Runs(Struct, frozen=True):
    """Neighbours that were added up, by their keys."""

    keys: Counts
    counts: Counts
    by_group: Counts
    lon: npt.NDArray[np.float64]
    lat: npt.NDArray[np.float64]
    row: Indexes


def gathered(view: View, keep: Mask | None, shift: int, within: Range | None = None) -> Gathered:
    """The placed ones gathered by cells of 2^shift Morton codes; within a range of cells, if it is named."""
    cell = view["cell"]
    outside = _outside(view, within or WHOLE)
    if outside is not None:
        keep = ~outside if keep is None else keep & ~outside
    chosen: Any = slice(None) if keep is None or keep.all() else np.flatnonzero(keep)
    groups = issue_masks.groups(view, chosen)
    keys, lon, lat = cell[chosen] >> shift, view["lon"][chosen], view["lat"][chosen]
    ends = np.cumsum([0, *view.lengths()])
    cuts = ends if isinstance(chosen, slice) else np.searchsorted(chosen, ends)
    runs = []
    for part, begin, end in zip(view.parts, cuts, cuts[1:], strict=False):
        here: Any = slice(begin, end)
        if not part.in_order:
            here = begin + np.argsort(keys[begin:end], kind="stable")
        if begin < end:
            runs.append(_added_up(view, chosen, here, keys[here], groups[here], lon[here], lat[here]))
    return _together(runs)


def _outside(view: View, cells: Range) -> Mask | None:
    """Which rows lie in none of these cells; None when all do, as those in order do when only they were looked at."""
    first, last = cells
    cell = view["cell"]
    at = np.cumsum([0, *view.lengths()])
    ends = [cell[[begin, end - 1]] for begin, end in pairwise(at) if begin < end]
    in_order = all(part.in_order for part in view.parts)
    if in_order and all(first <= low and high <= last for low, high in ends):
        return None
    outside: Mask = (cell < first) | (cell > last)
    return outside


def _added_up(view: View, chosen: Any, here: Any, keys: Any, groups: Any, lon: Any, lat: Any) -> _Runs:
    begins = np.concatenate([[0], np.flatnonzero(keys[1:] != keys[:-1]) + 1])
    at = here.start + begins if isinstance(here, slice) else here[begins]
    rows = view.rows_at(at if isinstance(chosen, slice) else chosen[at])
    counts = np.diff(np.append(begins, len(keys)))
    size = len(GROUPS)
    place = np.repeat(np.arange(len(begins), dtype=np.int64) * size, counts)
    place += groups
    by_group = np.bincount(place, minlength=len(begins) * size).reshape(-1, size)
    return _Runs(keys[begins], counts, by_group, np.add.reduceat(lon, begins), np.add.reduceat(lat, begins), rows)


def _together(runs: Sequence[_Runs]) -> Gathered:
    if not runs:
        none = np.zeros(0)
        whole = none.astype(np.int64)
        return Gathered(whole, np.zeros((0, len(GROUPS)), np.int64), none, none, whole)
    one = runs[0] if len(runs) == 1 else _joined(runs)
    return Gathered(one.counts, one.by_group, one.lon / one.counts, one.lat / one.counts, one.row)


def _joined(runs: Sequence[_Runs]) -> _Runs:
    keys, at = np.unique(np.concatenate([one.keys for one in runs]), return_inverse=True)
    row = np.zeros(len(keys), np.int64)
    row[at] = np.concatenate([one.row for one in runs])
    by_group = np.zeros((len(keys), len(GROUPS)), np.int64)
    np.add.at(by_group, at, np.concatenate([one.by_group for one in runs]))
    lon = np.bincount(at, np.concatenate([one.lon for one in runs]), len(keys)).astype(np.float64)
    lat = np.bincount(at, np.concatenate([one.lat for one in runs]), len(keys)).astype(np.float64)
    return _Runs(keys, by_group.sum(axis=1), by_group, lon, lat, row)


def by(view: View, keep: Mask | None, column: str, size: int) -> tuple[Counts, Counts]:
    """How many there are of each of a column's numbers, by map group; and how many of those have no place."""
    chosen: Any = slice(None) if keep is None else keep
    return _counted(view, chosen, view[column][chosen].astype(np.int64), size)


def by_day(view: View, keep: Mask | None, column: str, zone: ZoneInfo) -> tuple[list[date], Counts, Counts]:
    """The same by the days of a column of moments, which come first."""
    chosen: Any = slice(None) if keep is None else keep
    moments = view[column][chosen]
    if not len(moments):
        return [], np.zeros((0, len(GROUPS)), np.int64), np.zeros(0, np.int64)
    first, last = (moment(int(end)).astimezone(zone).date() for end in (moments.min(), moments.max()))
    days = [first + timedelta(days=at) for at in range((last - first).days + 1)]
    begins = [microseconds(datetime.combine(day, time(), zone)) for day in days]
    codes = np.searchsorted(begins, moments, "right") - 1
    return days, *_counted(view, chosen, codes.astype(np.int64), len(days))


def _counted(view: View, chosen: Any, codes: Counts, size: int) -> tuple[Counts, Counts]:
    groups = issue_masks.groups(view, chosen)
    unplaced = np.bincount(codes[view["cell"][chosen] < 0], minlength=size)
    codes *= len(GROUPS)
    codes += groups
    return np.bincount(codes, minlength=size * len(GROUPS)).reshape(-1, len(GROUPS)), unplaced


class Listed(Struct, frozen=True):
    """How many issues there are, and the rows of the first of them behind a place in their order."""

    total: int
    rows: Indexes


class Place(Struct, frozen=True):
    """A place in a list: the moment by which it is ordered, and the id of the issue there, in its halves."""

    at: int
    high: int
    low: int


def listed(view: View, keep: Mask | None, column: str, *, falling: bool, limit: int, after: Place | None) -> Listed:
    """The first so many by a column of moments and by id, both rising or both falling."""
    chosen = None if keep is None else np.flatnonzero(keep)
    count = len(view) if chosen is None else len(chosen)
    moments = view[column] if chosen is None else view[column][chosen]
    if after is not None:
        near = moments < after.at if falling else moments > after.at
        tied = np.flatnonzero(moments == after.at)
        near[tied] = _beyond(view, tied if chosen is None else chosen[tied], after, falling=falling)
        chosen = np.flatnonzero(near) if chosen is None else chosen[near]
        moments = moments[near]
    first = _first(moments, limit, falling=falling)
    chosen, moments = (first if chosen is None else chosen[first]), moments[first]
    high, low = (view[name][chosen] for name in ("high", "low"))
    order = np.lexsort((low, high, moments))
    return Listed(count, view.rows_at(chosen[order[::-1] if falling else order][:limit]))


def _first(moments: Any, limit: int, *, falling: bool) -> Indexes:
    """Where the first so many of these lie, and some more: as many as that are no further than the last of so many out
    of a part of them."""
    some = moments[::EVERY] if len(moments) > EVERY * limit else moments
    if len(some) <= limit:
        return np.arange(len(moments))
    if falling:
        return np.flatnonzero(moments >= np.partition(some, len(some) - limit)[len(some) - limit])
    return np.flatnonzero(moments <= np.partition(some, limit - 1)[limit - 1])


def _beyond(view: View, rows: Indexes, after: Place, *, falling: bool) -> Mask:
    """Which ids come behind that of a place, as PostgreSQL orders them."""
    high, low = view["high"][rows], view["low"][rows]
    first, last = np.uint64(after.high), np.uint64(after.low)
    if falling:
        lower: Mask = (high < first) | ((high == first) & (low < last))
        return lower
    higher: Mask = (high > first) | ((high == first) & (low > last))
    return higher

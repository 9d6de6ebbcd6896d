"""What is counted over a view: how many there are, gathered where they lie, and by the values of a column."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from maps.tiles import Range
from surveys import issue_masks
from surveys.issue_masks import GROUPS
from surveys.issue_views import Indexes, Mask, View, microseconds, moment

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
    first, last = within or (0, np.iinfo(np.int64).max)
    cell = view["cell"]
    placed = cell >= first
    if within is not None:
        placed &= cell <= last
    if keep is not None:
        placed &= keep
    chosen: Any = slice(None) if placed.all() else np.flatnonzero(placed)
    groups = issue_masks.groups(view, chosen)
    keys, lon, lat = cell[chosen] >> shift, view["lon"][chosen], view["lat"][chosen]
    rows = view.rows()[chosen]
    ends = np.cumsum([0, *view.lengths()])
    cuts = ends if isinstance(chosen, slice) else np.searchsorted(chosen, ends)
    runs = []
    for part, begin, end in zip(view.parts, cuts, cuts[1:], strict=False):
        here: Any = slice(begin, end)
        if not part.in_order:
            here = begin + np.argsort(keys[begin:end], kind="stable")
        if begin < end:
            runs.append(_added_up(keys[here], groups[here], lon[here], lat[here], rows[here]))
    return _together(runs)


def _added_up(keys: Any, groups: Any, lon: Any, lat: Any, rows: Any) -> _Runs:
    begins = np.concatenate([[0], np.flatnonzero(keys[1:] != keys[:-1]) + 1])
    counts = np.diff(np.append(begins, len(keys)))
    size = len(GROUPS)
    place = np.repeat(np.arange(len(begins), dtype=np.int64) * size, counts)
    place += groups
    by_group = np.bincount(place, minlength=len(begins) * size).reshape(-1, size)
    return _Runs(
        keys[begins], counts, by_group, np.add.reduceat(lon, begins), np.add.reduceat(lat, begins), rows[begins]
    )


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


def newest(view: View, keep: Mask | None, limit: int) -> Indexes:
    """The rows of the newest, and of those that were reported at the same time as the last of them."""
    chosen = np.arange(len(view)) if keep is None else np.flatnonzero(keep)
    if len(chosen) > limit:
        at = view["reported_at"][chosen]
        least = np.partition(at, len(at) - limit)[len(at) - limit]
        chosen = chosen[at >= least]
    return view.rows()[chosen]

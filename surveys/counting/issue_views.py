"""What a question looks at: the issues as they are now, or as they were at a moment, column by column; the whole
district, or what lies in some cells."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from maps.tiles import Range
from surveys.counting.issue_columns import STANDING, State
from surveys.counting.issue_query import Moment

Mask = npt.NDArray[np.bool_]
Indexes = npt.NDArray[np.int64]

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def microseconds(at: datetime) -> int:
    """A moment as columns have it."""
    return (at - EPOCH) // timedelta(microseconds=1)


def moment(at: int) -> datetime:
    """And back."""
    return EPOCH + timedelta(microseconds=at)


class Part(Struct, frozen=True):
    """Rows of issues that a view is made of; those in order lie one after another by their cells."""

    rows: slice | Indexes
    spans: slice | Indexes | None  # the span of each row, for the past
    in_order: bool


class View:
    """Rows of a district: `view["state"]` is a column of all of them."""

    def __init__(self, state: State, parts: Sequence[Part], at: int) -> None:
        self.state = state
        self.parts = parts
        self.at = at  # the moment that is asked about
        self._columns: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._columns:
            pieces = [self._piece(name, part) for part in self.parts]
            self._columns[name] = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        return self._columns[name]

    def __len__(self) -> int:
        return sum(self.lengths())

    def lengths(self) -> list[int]:
        """How many rows each part has."""
        return [
            part.rows.stop - part.rows.start if isinstance(part.rows, slice) else len(part.rows) for part in self.parts
        ]

    def rows(self) -> Indexes:
        """Where each row of the view lies in the columns."""
        pieces = [np.arange(p.rows.start, p.rows.stop) if isinstance(p.rows, slice) else p.rows for p in self.parts]
        return np.concatenate(pieces)

    def rows_at(self, places: Indexes) -> Indexes:
        """The same for some rows of the view."""
        begins = np.cumsum([0, *self.lengths()])
        found = np.zeros(len(places), np.int64)
        for part, begin, end in zip(self.parts, begins, begins[1:], strict=False):
            here = (begin <= places) & (places < end)
            inside = places[here] - begin
            found[here] = part.rows.start + inside if isinstance(part.rows, slice) else part.rows[inside]
        return found

    def _piece(self, name: str, part: Part) -> Any:
        if part.spans is not None and name in STANDING:
            return self.state.spans[name][part.spans]
        return self.state.issues[name][part.rows]

    def living(self) -> Mask | None:
        """Which rows are not replaced by others; None when all are."""
        if not self.state.deaths:
            return None
        died: Mask = self["died"] > self.state.turn
        return None if died.all() else died


def view(state: State, about: Moment, cells: Sequence[Range] | None = None) -> View:
    """The rows to look at for a moment, of which some may have been replaced; at least all in these cells, where only
    they are asked for."""
    whole = [slice(0, state.base)] if cells is None else slices(state, cells)
    tail = slice(state.base, state.count)
    at = microseconds(about.at)
    if about.known_at is None:
        parts = [Part(one, None, True) for one in whole]
        if tail.start < tail.stop:
            parts.append(Part(tail, None, False))
        return View(state, parts or [Part(slice(0, 0), None, True)], at)
    known_at = microseconds(about.known_at)
    parts = [_past(state, _spans_of(state, one), at, known_at, in_order=True) for one in whole]
    if state.span_base < state.span_count:
        behind = slice(state.span_base, state.span_count)
        parts.append(_past(state, behind, at, known_at, in_order=False))
    return View(state, parts or [_past(state, slice(0, 0), at, known_at, in_order=True)], at)


def slices(state: State, cells: Sequence[Range]) -> list[slice]:
    """Where the rows that are in order have these cells."""
    ordered = state.issues["cell"][: state.base]
    ends = [(np.searchsorted(ordered, low), np.searchsorted(ordered, high, "right")) for low, high in cells]
    return [slice(int(first), int(last)) for first, last in ends if first < last]


def _spans_of(state: State, rows: slice) -> slice:
    ends = np.array([rows.start, rows.stop], np.int32)  # of the column's own type, or all of it would be converted
    first, last = np.searchsorted(state.spans["row"][: state.span_base], ends)
    return slice(int(first), int(last))


def _past(state: State, spans: slice, at: int, known_at: int, *, in_order: bool) -> Part:
    """The spans that held at a moment, as it was known at another; as issue_query.PAST has it."""
    kept = state.spans
    held: Mask = kept["valid_from"][spans] <= at
    held &= kept["recorded_at"][spans] <= known_at
    held &= (kept["valid_to"][spans] > at) | (kept["end_recorded_at"][spans] > known_at)
    chosen = np.flatnonzero(held) + spans.start
    rows = kept["row"][chosen]
    reported = state.issues["reported_at"][rows] <= at
    if not reported.all():
        chosen, rows = chosen[reported], rows[reported]
    return Part(rows, chosen, in_order)

"""A district's issues as columns in memory: a summary of `issue` and `issue_spans` that is derived from them, holds
nothing of its own, and may be dropped at any time.

Rows lie in the order of their Morton cells, so that a tile is one slice. Nothing is changed where it lies: what changes
is written anew behind the rest, and the row that it replaces is marked with the turn at which it died. So who counts in
a thread sees what there was when they began, whatever comes in meanwhile."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from surveys.counting import column_rows
from surveys.counting.column_numbers import Numbers, uuid
from surveys.counting.column_rows import NEVER, Array
from surveys.counting.rate_terms import FACTS

Rows = npt.NDArray[np.void]
Arrays = dict[str, Any]

ALIVE = np.iinfo(np.int32).max
NO_TIME = np.iinfo(np.int32).min  # of what is not resolved

TEXTS = ("community", "department", "category", "consulted")
NUMBERED = {"owner": "person", "offered_to": "person", "leader": "person", "agent": "person", "reporter": "person"}
NUMBERED |= {"organisation": "organisation"} | {name: name for name in TEXTS}
STANDING = frozenset(one.name for one in column_rows.STANDING) - {"paused_at", "resolved_at"} | {
    "late_from",
    "outcome",
    "took",
}
SPANNED = ("valid_from", "valid_to", "recorded_at", "end_recorded_at")


class TooManyValues(Exception):
    """A column has more different values than are kept, or one out of all bounds."""


class Snapshot(Struct, frozen=True):
    """What a transaction sees: everything written by those before `until`, but for those in `running`."""

    first: int
    until: int
    running: frozenset[int]

    @classmethod
    def read(cls, text: str) -> "Snapshot":
        first, until, running = text.split(":")
        return cls(int(first), int(until), frozenset(int(one) for one in running.split(",") if one))

    def sees(self, transaction: int) -> bool:
        """Whether what a transaction wrote is seen."""
        return transaction < self.until and transaction not in self.running

    def holds(self, other: "Snapshot") -> bool:
        """Whether everything is seen here that is seen there."""
        return other.until <= self.until and not any(other.sees(one) for one in self.running)


class State(Struct, frozen=True):
    """The columns as they are at a turn: rows up to `count`, of which those up to `base` lie in the order of cells."""

    issues: Arrays
    count: int
    base: int
    spans: Arrays  # empty when they are not kept
    span_count: int
    span_base: int
    turn: int
    deaths: int


class Columns:
    """The issues of a district, as a snapshot sees them; with their spans, if they were loaded too."""

    def __init__(self, district: int, snapshot: Snapshot, epoch: int, numbers: dict[str, Numbers]) -> None:
        self.district = district
        self.snapshot = snapshot
        self.epoch = epoch
        self.numbers = numbers
        self.erasures = 0
        self.texts: dict[str, Any] = {}  # what was searched for, as surveys/counting/issue_texts.py keeps it
        self._tail: dict[int, int] = {}
        self._turn = self._deaths = 0
        self.issues: Arrays = {}
        self.spans: Arrays | None = None
        self._count = self._base = self._span_count = self._span_base = 0

    def fill(self, issues: Sequence[Arrays], spans: Sequence[Arrays] | None) -> None:
        """Take over what was read, in parts as `decoded` and `decoded_spans` give them; in a thread, for it sorts."""
        order = np.argsort(np.concatenate([part["cell"] for part in issues]), kind="stable")
        self.issues = {name: np.concatenate([part.pop(name) for part in issues])[order] for name in list(issues[0])}
        self._count = self._base = len(order)
        self.issues["died"] = np.full(self._count, ALIVE, np.int32)
        keys = column_rows.mixed(self.issues["high"], self.issues["low"])
        by_key = np.argsort(keys)
        self._keys, self._rows = keys[by_key], by_key.astype(np.int32)
        if len(keys) > 1 and bool((self._keys[1:] == self._keys[:-1]).any()):
            raise TooManyValues
        if spans is not None:
            self._fill_spans(spans)

    def _fill_spans(self, spans: Sequence[Arrays]) -> None:
        rows = self.rows_of(np.concatenate([part.pop("key") for part in spans]))
        order = np.argsort(rows, kind="stable")
        self.spans = {name: np.concatenate([part.pop(name) for part in spans])[order] for name in list(spans[0])}
        self.spans["row"] = rows[order]
        self._span_count = self._span_base = len(order)
        self.spans["took"] = _took(self.spans.pop("resolved_at"), self.issues["reported_at"][self.spans["row"]])

    def state(self) -> State:
        """What there is to count."""
        return State(
            issues=self.issues,
            count=self._count,
            base=self._base,
            spans=self.spans or {},
            span_count=self._span_count,
            span_base=self._span_base,
            turn=self._turn,
            deaths=self._deaths,
        )

    def rows_of(self, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int32]:
        """Where the issues with these keys lie among those that were loaded; -1 where none does."""
        if not len(self._keys):
            return np.full(len(keys), -1, np.int32)
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[at] == keys, self._rows[at], -1).astype(np.int32)

    def ids(self, rows: npt.NDArray[np.int64]) -> list[UUID]:
        """The ids of the issues in these rows."""
        high, low = self.issues["high"][rows], self.issues["low"][rows]
        return [uuid(*halves) for halves in zip(high.tolist(), low.tolist(), strict=True)]

    @property
    def tail(self) -> int:
        """How many rows lie behind those that are in order."""
        return self._count - self._base

    def bytes_taken(self) -> int:
        """The memory that the columns take."""
        arrays = [*self.issues.values(), *(self.spans or {}).values(), self._keys, self._rows]
        return sum(one.nbytes for one in arrays)

    def change(self, rows: Rows, span_rows: Rows | None, snapshot: Snapshot) -> None:
        """Take over issues as they are from a later snapshot on. Raises UnknownValues, and then nothing is changed."""
        new = decoded(rows, self.numbers)
        new_spans = None if span_rows is None else decoded_spans(span_rows, self.numbers)
        keys = column_rows.key(rows, "id")
        first, turn = self._count, self._turn + 1
        replaced = [self._tail.get(int(key), -1) for key in keys]
        loaded = self.rows_of(keys)
        before = np.where(np.array(replaced, np.int32) >= 0, replaced, loaded)
        new["died"] = np.full(len(keys), ALIVE, np.int32)
        self.issues = _with(self.issues, self._count, new)
        self.issues["died"][before[before >= 0]] = turn
        self._deaths += int((before >= 0).sum())
        self._count += len(keys)
        self._tail |= {int(key): first + at for at, key in enumerate(keys)}
        if new_spans is not None and self.spans is not None:
            new_rows = np.array([self._tail[int(key)] for key in new_spans.pop("key")], np.int32)
            new_spans["row"] = new_rows
            new_spans["took"] = _took(new_spans.pop("resolved_at"), self.issues["reported_at"][new_rows])
            self.spans = _with(self.spans, self._span_count, new_spans)
            self._span_count += len(new_rows)
        self._turn, self.snapshot = turn, snapshot


def _with(arrays: Arrays, count: int, new: Arrays) -> Arrays:
    """The arrays with new rows behind the first so many; in the same memory while there is room, which nobody who
    counts up to `count` looks at."""
    wanted = count + len(next(iter(new.values())))
    if wanted > len(next(iter(arrays.values()))):
        room = wanted + max(1_000, count // 50)
        arrays = {name: _stretched(one, count, room) for name, one in arrays.items()}
    for name, one in new.items():
        arrays[name][count:wanted] = one
    return arrays


def _stretched(one: Array, count: int, room: int) -> Array:
    stretched = np.empty(room, one.dtype)
    stretched[:count] = one[:count]
    return stretched


def decoded(rows: Rows, numbers: dict[str, Numbers]) -> Arrays:
    """Rows of issues as columns. Raises UnknownValues and TooManyValues."""
    columns = _standing(rows, numbers)
    resolved_at = columns.pop("resolved_at")
    columns["took"] = _took(resolved_at, rows["reported_at"].astype(np.int64))
    columns |= {"high": rows["id.high"].astype(np.uint64), "low": rows["id.low"].astype(np.uint64)}
    for name in ("number", "cell", "reported_at"):
        columns[name] = rows[name].astype(np.int64)
    for name in ("lon", "lat"):
        columns[name] = rows[name].astype(np.float64)
    for name in ("certainty", "source", "provisional"):
        columns[name] = rows[name].astype(np.uint8)
    columns["text_version"] = rows["text_version"].astype(np.int32)
    columns["premises"] = column_rows.key(rows, "premises")
    for name in ("reporter", "organisation"):
        columns[name] = _numbered(rows, name, numbers)
    return columns


def decoded_spans(rows: Rows, numbers: dict[str, Numbers]) -> Arrays:
    """Rows of spans as columns, with the key of the issue of each. Raises UnknownValues and TooManyValues."""
    columns = _standing(rows, numbers)
    columns |= {name: rows[name].astype(np.int64) for name in SPANNED}
    columns["key"] = column_rows.key(rows, "id")
    return columns


def _standing(rows: Rows, numbers: dict[str, Numbers]) -> Arrays:
    columns: Arrays = {name: _numbered(rows, name, numbers) for name in ("owner", "offered_to", "leader", "agent")}
    for name in TEXTS:
        codes = numbers[name].encode(rows[name].astype(np.int64).view(np.uint64))
        columns[name] = _fitting(codes, np.uint16)
    for name in ("state", "urgency", "channel", "asked"):
        columns[name] = rows[name].astype(np.uint8)
    for name in ("due_at", "response_due_at", "resolved_at"):
        columns[name] = rows[name].astype(np.int64)
    columns["late_from"] = _late_from(columns["due_at"], rows["paused_at"].astype(np.int64))
    columns["outcome"] = _fitting(rows["outcome"], np.int16 if len(FACTS) < 16 else np.int32)
    return columns


def _numbered(rows: Rows, name: str, numbers: dict[str, Numbers]) -> npt.NDArray[np.int32]:
    high, low = rows[f"{name}.high"], rows[f"{name}.low"]
    keys = column_rows.key(rows, name)
    return numbers[NUMBERED[name]].encode(keys, lambda row: uuid(high[row], low[row]))


def _late_from(due_at: npt.NDArray[np.int64], paused_at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """From when on an issue is late while it is open: while it is paused its time stands still."""
    stands = np.where(due_at < paused_at, np.iinfo(np.int64).min, NEVER)
    late: npt.NDArray[np.int64] = np.where(paused_at == NEVER, due_at, stands)
    return late


def _took(resolved_at: npt.NDArray[np.int64], reported_at: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Whole seconds from report to resolution, rounded as PostgreSQL rounds."""
    resolved = resolved_at != NEVER
    microseconds = np.where(resolved, resolved_at - np.where(resolved, reported_at, 0), 0)
    seconds = np.sign(microseconds) * ((np.abs(microseconds) + 500_000) // 1_000_000)
    took: npt.NDArray[np.int32] = _fitting(np.where(resolved, seconds, NO_TIME), np.int32)
    return took


def _fitting(values: Array, kind: type[Any]) -> Any:
    """The values in a narrower type. Raises TooManyValues."""
    bounds = np.iinfo(kind)
    if len(values) and not (bounds.min <= int(values.min()) and int(values.max()) <= bounds.max):
        raise TooManyValues
    return values.astype(kind)

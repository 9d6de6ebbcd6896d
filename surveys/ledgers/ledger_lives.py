"""The lives of issues that a ledger only knows the end of: which moves led there by our workflow, and when."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache

from surveys.issues.workflow import Move
from surveys.ledgers.ledger_mapping import Field, Reachable

DATE_OF: Mapping[Move, Field] = {
    "accept": "accepted_at",
    "assign": "assigned_at",
    "start": "started_at",
    "resolve": "resolved_at",
    "close": "closed_at",
    "reject": "rejected_at",
}

# The state that a date means in a ledger that has no column for states; the later ones count more.
MEANT: dict[Move, Reachable] = {
    "accept": "accepted",
    "assign": "assigned",
    "start": "in_progress",
    "resolve": "resolved",
    "close": "closed",
    "reject": "rejected",
}


def meant(dates: Mapping[Move, datetime]) -> Reachable:
    """The state of an issue of which only dates are told: what the latest kind of them leads to."""
    return next((state for move, state in reversed(MEANT.items()) if move in dates), "reported")


# The moves that can lie on the way to each state, in their order; of the first ones only those that are dated, or
# without which there is no way, are made.
_WAY: Mapping[Reachable, tuple[Move, ...]] = {
    "reported": (),
    "accepted": ("accept",),
    "assigned": ("accept", "assign"),
    "in_progress": ("accept", "assign", "start"),
    "resolved": ("accept", "assign", "start", "resolve"),
    "closed": ("accept", "assign", "start", "resolve", "close"),
    "rejected": ("accept", "reject"),
}


@cache  # a handful of states, and which of six dates are there
def life(state: Reachable, dated: frozenset[Move]) -> tuple[Move, ...]:
    """The moves from the report to a state, by the workflow's own rules."""
    way = _WAY[state]
    needed = {*way[-1:], *(("resolve",) if state == "closed" else ())}
    if state in ("in_progress", "resolved", "closed") and "assign" not in dated:
        needed.add("accept")  # somebody must have taken it on
    return tuple(move for move in way if move in needed or move in dated)


def timed(moves: Sequence[Move], dates: Mapping[Move, datetime], reported_at: datetime) -> list[tuple[Move, datetime]]:
    """Each move with its time. One that is not known is that of the next known one, by which it must have happened;
    after the last known one there is nothing better than that one."""
    last = max([reported_at, *(dates[move] for move in moves if move in dates)])
    found: list[tuple[Move, datetime]] = []
    for move in reversed(moves):
        last = dates.get(move, last)
        found.append((move, last))
    return found[::-1]

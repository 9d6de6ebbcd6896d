"""The life of an issue as one table: from which states a move leads where, who may make it, what it needs."""

from collections.abc import Mapping
from typing import Literal, get_args

from msgspec import Struct

State = Literal["reported", "accepted", "assigned", "in_progress", "paused", "resolved", "closed", "rejected", "merged"]
Group = Literal["reported", "in_hand", "overdue", "solved", "other"]
Move = Literal["accept", "assign", "start", "resolve", "close", "reject", "reopen", "correct", "merge", "unmerge"]
# What happens to an issue: by a move, or by itself.
Event = (
    Literal["report", "hand_on", "invite", "answer", "lapse", "reckon", "escalate", "absorb", "release"]
    | Literal["decline", "return", "pause", "resume", "extend", "approve", "refuse"]
    | Literal["change_channel", "follow", "appoint", "opine", "meet"]
    | Move
)
Standing = Literal["reporter", "owner", "handler", "community_worker", "dispatcher", "administrator"]
Need = Literal["to", "reason", "correction"]

STATES: tuple[State, ...] = get_args(State)
IN_HAND: frozenset[State] = frozenset({"accepted", "assigned", "in_progress", "paused"})
OPEN: frozenset[State] = IN_HAND | {"reported"}
SOLVED: frozenset[State] = frozenset({"resolved", "closed"})


class Rule(Struct, frozen=True, kw_only=True):
    """One move: where it starts, where it leads (None: the state stays), whose it is, and what must come with it."""

    starts: frozenset[State]
    leads: State | None
    who: frozenset[Standing]
    needs: frozenset[Need] = frozenset()


_DESK: frozenset[Standing] = frozenset({"owner", "community_worker", "dispatcher"})

# Who may say that two issues are the same thing, or are not; to merge them one must be it of both.
MATCHING: frozenset[Standing] = _DESK

MOVES: Mapping[Move, Rule] = {
    "accept": Rule(starts=frozenset({"reported"}), leads="accepted", who=_DESK),
    "assign": Rule(starts=OPEN, leads="assigned", who=_DESK | {"administrator"}, needs=frozenset({"to"})),
    "start": Rule(starts=frozenset({"accepted", "assigned"}), leads="in_progress", who=_DESK | {"handler"}),
    "resolve": Rule(
        starts=frozenset({"accepted", "assigned", "in_progress"}),
        leads="resolved",
        who=frozenset({"owner", "handler", "community_worker"}),
        needs=frozenset({"reason"}),
    ),
    "close": Rule(starts=frozenset({"resolved"}), leads="closed", who=_DESK | {"administrator"}),
    "reject": Rule(
        starts=frozenset({"reported", "accepted"}), leads="rejected", who=_DESK, needs=frozenset({"reason"})
    ),
    "reopen": Rule(
        starts=frozenset({"resolved", "closed", "rejected"}),
        leads="accepted",
        who=_DESK | {"reporter", "administrator"},
        needs=frozenset({"reason"}),
    ),
    "correct": Rule(
        starts=frozenset(STATES) - {"merged"},
        leads=None,
        who=_DESK | {"reporter", "administrator"},
        needs=frozenset({"reason", "correction"}),
    ),
    "merge": Rule(starts=OPEN, leads="merged", who=MATCHING, needs=frozenset({"to", "reason"})),
    # back to the state that it was in
    "unmerge": Rule(starts=frozenset({"merged"}), leads=None, who=MATCHING, needs=frozenset({"reason"})),
}

# Who may have a resident's name and phone shown, for a purpose: those who have something to ask them.
REVEALING: frozenset[Standing] = frozenset({"owner", "handler", "community_worker", "dispatcher", "administrator"})


def possible(state: State) -> list[Move]:
    """The moves that this state knows, whoever asks."""
    return [move for move, rule in MOVES.items() if state in rule.starts]


def allowed(state: State, standings: frozenset[Standing]) -> list[Move]:
    """The moves that somebody of these standings may make now."""
    return [move for move in possible(state) if MOVES[move].who & standings]


def after(state: State, move: Move) -> State:
    """The state that a possible move leads to."""
    return MOVES[move].leads or state


def group(state: State, *, overdue: bool) -> Group:
    """Where a map puts the issue: each is in exactly one group, so that the groups add up."""
    if state in SOLVED:
        return "solved"
    if state not in OPEN:
        return "other"
    if overdue:
        return "overdue"
    return "reported" if state == "reported" else "in_hand"

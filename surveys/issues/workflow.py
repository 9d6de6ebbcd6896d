"""The life of an issue as one table: from which states a move leads where, who may make it, what it needs.

[workflow.md](workflow.md) tells it to people."""

from collections.abc import Callable, Mapping
from typing import Literal, Protocol, get_args

from msgspec import Struct

State = Literal["reported", "accepted", "assigned", "in_progress", "paused", "resolved", "closed", "rejected", "merged"]
Group = Literal["reported", "in_hand", "overdue", "solved", "other"]
Move = Literal[
    "accept",
    "assign",
    "decline",
    "start",
    "resolve",
    "close",
    "reject",
    "reopen",
    "correct",
    "return",
    "pause",
    "resume",
    "extend",
    "approve",
    "refuse",
    "merge",
    "unmerge",
    "change_channel",
    "follow",
    "appoint",
    "opine",
    "meet",
]
# What happens to an issue: by a move, or by itself.
Event = Literal["report", "hand_on", "invite", "answer", "lapse", "reckon", "escalate", "absorb", "release"] | Move
Standing = Literal[
    "reporter",
    "owner",
    "offered",  # who is asked to take it on
    "handler",
    "consulted",  # handles a department that is asked for its opinion
    "agent",
    "leader",  # of its street or the district
    "asker",  # of what waits for a judgement
    "resolver",  # who said last that it is solved
    "community_worker",
    "dispatcher",
    "administrator",
]
# What can come with a move, beside reason and evidence, which may come with any.
Field = Literal["to", "correction", "amount", "until", "channel", "departments", "at", "opinion", "present", "despite"]
Need = Literal["reason", "evidence"] | Field

STATES: tuple[State, ...] = get_args(State)
FIELDS: tuple[Field, ...] = get_args(Field)
IN_HAND: frozenset[State] = frozenset({"accepted", "assigned", "in_progress", "paused"})
OPEN: frozenset[State] = IN_HAND | {"reported"}
SOLVED: frozenset[State] = frozenset({"resolved", "closed"})
WORKED_ON: frozenset[State] = IN_HAND - {"paused"}


class Situated(Protocol):
    """What of an issue says which moves it knows: a row, or what is shown of one."""

    @property
    def state(self) -> State: ...
    @property
    def channel(self) -> str: ...
    @property
    def offered_to(self) -> object | None: ...
    @property
    def asked(self) -> str | None: ...


class Rule(Struct, frozen=True, kw_only=True):
    """One move: where it starts, where it leads (None: the state stays, or the move itself says), whose it is, and
    what must and what may come with it.

    `only` narrows down whose it is in some states; whoever has a standing of `never` may not make it whatever else
    they are; `when` is what an issue must be beside being in a state."""

    starts: frozenset[State]
    leads: State | None
    who: frozenset[Standing]
    only: Mapping[State, frozenset[Standing]] = {}
    never: frozenset[Standing] = frozenset()
    needs: frozenset[Need] = frozenset()
    takes: frozenset[Field] = frozenset()
    when: Callable[[Situated], bool] = lambda issue: True


_DESK: frozenset[Standing] = frozenset({"owner", "community_worker", "dispatcher"})
_OFFERED: frozenset[Standing] = frozenset({"offered"})
_HOLDERS: frozenset[Standing] = frozenset({"owner", "handler"})


def _offered(issue: Situated) -> bool:
    return issue.offered_to is not None


def _fresh_or_offered(issue: Situated) -> bool:
    return issue.state == "reported" or issue.offered_to is not None


def _nothing_asked(issue: Situated) -> bool:
    return issue.asked is None


def _asked(issue: Situated) -> bool:
    return issue.asked is not None


def _taken_on_or_on_the_spot(issue: Situated) -> bool:
    return issue.state != "reported" or issue.channel == "on_the_spot"


# Who may say that two issues are the same thing, or are not; to merge them one must be it of both.
MATCHING: frozenset[Standing] = _DESK


def _on_joint_review(issue: Situated) -> bool:
    return issue.channel == "joint_review"


def _by_an_agent(issue: Situated) -> bool:
    return issue.channel == "agent"


MOVES: Mapping[Move, Rule] = {
    "accept": Rule(
        starts=OPEN,
        leads="accepted",
        who=_DESK | _OFFERED,
        only=dict.fromkeys(IN_HAND, _OFFERED),
        when=_fresh_or_offered,
    ),
    "assign": Rule(
        starts=OPEN - {"paused"},
        leads="assigned",
        who=_DESK | {"administrator"},
        needs=frozenset({"to"}),
        takes=frozenset({"departments"}),
    ),
    "decline": Rule(starts=OPEN, leads=None, who=_OFFERED, needs=frozenset({"reason"}), when=_offered),
    "start": Rule(starts=frozenset({"accepted", "assigned"}), leads="in_progress", who=_DESK | {"handler"}),
    "resolve": Rule(
        starts=OPEN - {"paused"},
        leads="resolved",
        who=frozenset({"owner", "handler", "agent", "community_worker"}),
        needs=frozenset({"reason"}),
        takes=frozenset({"despite"}),
        when=_taken_on_or_on_the_spot,
    ),
    "close": Rule(
        starts=frozenset({"resolved"}),
        leads="closed",
        who=frozenset({"community_worker", "dispatcher", "administrator"}),
        never=frozenset({"resolver"}),
        needs=frozenset({"reason"}),
    ),
    "reject": Rule(
        starts=frozenset({"reported", "accepted"}),
        leads="rejected",
        who=frozenset({"community_worker", "dispatcher"}),
        needs=frozenset({"reason"}),
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
    "return": Rule(
        starts=OPEN - {"paused"},
        leads=None,
        who=_HOLDERS,
        needs=frozenset({"reason", "evidence"}),
        when=_nothing_asked,
    ),
    "pause": Rule(
        starts=WORKED_ON,
        leads=None,
        who=_HOLDERS | {"dispatcher"},
        needs=frozenset({"reason"}),
        takes=frozenset({"until"}),
        when=_nothing_asked,
    ),
    "resume": Rule(starts=frozenset({"paused"}), leads=None, who=_HOLDERS | {"dispatcher"}),
    "extend": Rule(
        starts=WORKED_ON,
        leads=None,
        who=_HOLDERS | {"dispatcher"},
        needs=frozenset({"reason", "amount"}),
        when=_nothing_asked,
    ),
    "approve": Rule(starts=OPEN, leads=None, who=frozenset({"dispatcher"}), never=frozenset({"asker"}), when=_asked),
    "refuse": Rule(
        starts=OPEN,
        leads=None,
        who=frozenset({"dispatcher"}),
        never=frozenset({"asker"}),
        needs=frozenset({"reason"}),
        when=_asked,
    ),
    "merge": Rule(starts=OPEN, leads="merged", who=MATCHING, needs=frozenset({"to", "reason"})),
    # back to the state that it was in
    "unmerge": Rule(starts=frozenset({"merged"}), leads=None, who=MATCHING, needs=frozenset({"reason"})),
    "change_channel": Rule(
        starts=OPEN,
        leads=None,
        who=_DESK | {"administrator"},
        needs=frozenset({"channel", "reason"}),
        takes=frozenset({"to", "at", "departments"}),
    ),
    # a leader may follow, and nobody else in their name
    "follow": Rule(
        starts=OPEN, leads=None, who=frozenset({"dispatcher", "administrator", "leader"}), needs=frozenset({"to"})
    ),
    "appoint": Rule(starts=OPEN, leads=None, who=_DESK | {"handler"}, needs=frozenset({"to", "at"}), when=_by_an_agent),
    "opine": Rule(
        starts=OPEN,
        leads=None,
        who=frozenset({"consulted"}),
        needs=frozenset({"opinion"}),
        takes=frozenset({"to"}),
        when=_on_joint_review,
    ),
    "meet": Rule(
        starts=OPEN,
        leads=None,
        who=_DESK | {"handler"},
        needs=frozenset({"reason", "at"}),
        takes=frozenset({"present"}),
        when=_on_joint_review,
    ),
}

# Who may have a resident's name and phone shown, for a purpose: those who have something to ask them.
REVEALING: frozenset[Standing] = frozenset(
    {"owner", "handler", "agent", "community_worker", "dispatcher", "administrator"}
)


def possible(issue: Situated) -> list[Move]:
    """The moves that this issue knows as it stands, whoever asks."""
    return [move for move, rule in MOVES.items() if issue.state in rule.starts and rule.when(issue)]


def lets(state: State, move: Move, standings: frozenset[Standing]) -> bool:
    """Whether a move that is possible is one for somebody of these standings."""
    rule = MOVES[move]
    return bool(rule.only.get(state, rule.who) & standings) and not rule.never & standings


def allowed(issue: Situated, standings: frozenset[Standing]) -> list[Move]:
    """The moves that somebody of these standings may make now."""
    return [move for move in possible(issue) if lets(issue.state, move, standings)]


def after(state: State, move: Move) -> State:
    """The state that a possible move leads to, where the table says it."""
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

"""What is asked for when a commitment is made or moved, from which states a move goes on, and where to."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from msgspec import Meta, Struct

from surveys.assessments.commitment_audiences import Aim, Communities, Doors
from surveys.assessments.commitment_photos import Proof
from surveys.refusals import Conflict, Invalid, NotAllowed

State = Literal["proposed", "returned", "standing", "done", "withdrawn"]
Move = Literal["propose", "approve", "send_back", "report_done", "withdraw"]

LONGEST_AHEAD = timedelta(days=5 * 366)
MOST_PHOTOS = 9

Text = Annotated[str, Meta(min_length=1, max_length=500)]
Reason = Annotated[str, Meta(min_length=1, max_length=1_000)]
Photos = Annotated[tuple[Proof, ...], Meta(max_length=MOST_PHOTOS)]

# From which states a move goes on, and where to.
MOVES: Mapping[Move, tuple[frozenset[State], State]] = {
    "propose": (frozenset({"returned"}), "proposed"),
    "approve": (frozenset({"proposed"}), "standing"),
    "send_back": (frozenset({"proposed"}), "returned"),
    "report_done": (frozenset({"standing"}), "done"),
    "withdraw": (frozenset({"proposed", "returned", "standing"}), "withdrawn"),
}
# What each move needs, and may have, beside its id and version.
NEEDS: Mapping[Move, frozenset[str]] = {
    "propose": frozenset({"text", "due_on", "aim"}),
    "approve": frozenset(),
    "send_back": frozenset({"reason"}),
    "report_done": frozenset({"how"}),
    "withdraw": frozenset({"reason"}),
}
TAKES: Mapping[Move, frozenset[str]] = {
    "propose": frozenset({"doors", "communities"}),
    "approve": frozenset(),
    "send_back": frozenset(),
    "report_done": frozenset({"done_on", "photos"}),
    "withdraw": frozenset(),
}


class CommitmentMoveNotPossible(Conflict):
    """The commitment's present state does not know this move; `facts` hold the state and version."""

    code: ClassVar[str] = "commitment_move_not_possible"


class OwnCommitment(NotAllowed):
    """Nobody approves what they promised or wrote themselves."""

    code: ClassVar[str] = "own_commitment"


class DueTooFar(Invalid):
    """Nobody can hold somebody to what is so far away; `facts` say how many years there are."""

    code: ClassVar[str] = "due_too_far"


class CommitmentDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A commitment as it is made: by the reader for themselves, or for an organisation. It is due by the end of its
    day; doors are named by id, communities by code."""

    id: UUID
    text: Text
    due_on: date
    aim: Aim
    organisation: UUID | None = None
    doors: Doors = ()
    communities: Communities = ()


class CommitmentMove(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A move as it is asked for. To propose again what was sent back says anew what is promised; sending back and
    withdrawing need a reason; what is reported done says how, and since which day."""

    id: UUID
    expected_version: int
    move: Move
    reason: Reason | None = None
    text: Text | None = None
    due_on: date | None = None
    aim: Aim | None = None
    doors: Doors = ()
    communities: Communities = ()
    how: Reason | None = None
    done_on: date | None = None
    photos: Photos = ()


class Moved(Struct, frozen=True, kw_only=True):
    """What making or moving a commitment led to."""

    id: UUID
    version: int
    state: State

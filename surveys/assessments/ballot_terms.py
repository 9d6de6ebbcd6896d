"""What is asked for when a ballot is made, carried on or voted in, and every way it says no."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from msgspec import Meta, Struct

from surveys.refusals import Conflict, Invalid, NotAllowed

LEAST_VOTES = 5  # of a group; with fewer nothing is told of it
MOST_CANDIDATES = 50
MOST_SLIPS = 2_000  # of a group
MOST_VOTERS = 20_000  # of a group

Code = Literal["A", "B", "C", "D", "E", "F"]
Way = Literal["slips", "roll"]
State = Literal["coming", "open", "closed", "counted", "published", "cancelled"]
Move = Literal["close", "count", "publish", "cancel"]

Moment = Annotated[datetime, Meta(tz=True)]
Name = Annotated[str, Meta(min_length=1, max_length=60)]
Reason = Annotated[str, Meta(min_length=1, max_length=1_000)]


class WeightsDoNotSum(Invalid):
    """The weights of the groups are not 100 % together; `facts` say what they are."""

    code: ClassVar[str] = "weights_do_not_sum"


class PointsMissing(Invalid):
    """No option has points, so that nothing could be worked out."""

    code: ClassVar[str] = "points_missing"


class SlipUnknown(Invalid):
    """No slip's code; which of its letters is wrong is not known to anybody."""

    code: ClassVar[str] = "slip_unknown"


class SlipUsed(Conflict):
    """The slip has been used: its vote is in the box."""

    code: ClassVar[str] = "slip_used"


class SlipOfAnotherBallot(Conflict):
    """The slip belongs to another ballot than the one whose page is open."""

    code: ClassVar[str] = "slip_of_another_ballot"


class UnknownOption(Invalid):
    """An option that the ballot does not have; `field` says for which candidate."""

    code: ClassVar[str] = "unknown_option"


class ChoicesDoNotFit(Invalid):
    """Not one choice for each candidate; `facts` say how many are wanted and came."""

    code: ClassVar[str] = "choices_do_not_fit"


class BallotNotOpen(Conflict):
    code: ClassVar[str] = "ballot_not_open"


class BallotClosed(Conflict):
    code: ClassVar[str] = "ballot_closed"


class AlreadyVoted(Conflict):
    code: ClassVar[str] = "already_voted"


class NotOnRoll(NotAllowed):
    code: ClassVar[str] = "not_on_roll"


class AlreadyOnRoll(Conflict):
    """Somebody of them is on the ballot's roll; everybody votes in one group."""

    code: ClassVar[str] = "already_on_roll"


class WrongWayOfVoting(Invalid):
    """Slips for a group that votes by its roll, or a vote of the roll in a group that votes by slips."""

    code: ClassVar[str] = "wrong_way_of_voting"


class BallotMoveNotPossible(Conflict):
    """The ballot's present state does not know this move; `facts` hold the state and version."""

    code: ClassVar[str] = "ballot_move_not_possible"


class NotCounted(Conflict):
    code: ClassVar[str] = "not_counted"


class CandidateDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is judged: an organisation, a member by their number, or a matter in words; one of the three."""

    organisation: UUID | None = None
    member: Annotated[str, Meta(max_length=100)] | None = None
    matter: Annotated[str, Meta(max_length=200)] | None = None


class OptionDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What can be said; without points it is counted, and not in the mean."""

    name: Name
    points: Annotated[float, Meta(ge=0, le=100)] | None = None


class GroupDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A group of voters: what it is called, how much it weighs in per cent, and how it votes."""

    code: Code
    name: Name
    weight: Annotated[int, Meta(ge=1, le=100)]
    way: Way = "slips"


USUAL = (
    OptionDraft(name="优秀", points=100.0),
    OptionDraft(name="称职", points=80.0),
    OptionDraft(name="基本称职", points=60.0),
    OptionDraft(name="不称职", points=0.0),
)


class BallotDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A ballot as it is made. What it asks is fixed from then on; a mistake is cancelled and made anew."""

    id: UUID
    organisation: UUID
    title: Annotated[str, Meta(min_length=1, max_length=100)]
    opens_at: Moment
    closes_at: Moment
    candidates: Annotated[tuple[CandidateDraft, ...], Meta(min_length=1, max_length=MOST_CANDIDATES)]
    groups: Annotated[tuple[GroupDraft, ...], Meta(min_length=1, max_length=6)]
    options: Annotated[tuple[OptionDraft, ...], Meta(min_length=2, max_length=10)] = USUAL


class Enrolment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Members who vote in a group, or are to be handed its slips: by their numbers, or all open members of an
    organisation and of those below it."""

    id: UUID
    group: Code
    members: Annotated[tuple[Annotated[str, Meta(max_length=100)], ...], Meta(max_length=2_000)] = ()
    organisation: UUID | None = None


class Handing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member of the roll who was handed a slip."""

    member: UUID


class Printing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Slips to be printed for a group."""

    group: Code
    count: Annotated[int, Meta(ge=1, le=500)]


class BallotMove(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A move as it is asked for; closing early and cancelling need a reason."""

    id: UUID
    expected_version: int
    move: Move
    reason: Reason | None = None


Choices = Annotated[tuple[Annotated[int, Meta(ge=0, le=1_000)], ...], Meta(max_length=MOST_CANDIDATES)]


class Vote(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A vote of a member on the roll: for each candidate in order the place of an option, from 1."""

    choices: Choices


class SlipShown(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The code of a slip, as it was scanned or typed."""

    code: Annotated[str, Meta(max_length=100)]


class SlipVote(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A vote with a slip, in the ballot whose form was shown."""

    code: Annotated[str, Meta(max_length=100)]
    ballot: UUID
    choices: Choices

"""A move as it is asked for, as it is being made, and what it leads to; how each is made stands in the rooms beside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from surveys.issues.categories import Channel, Urgency
from surveys.issues.issue_changes import Change
from surveys.issues.issues import Description, IssueRow, Photo, Title
from surveys.issues.placing import Atlas, Position
from surveys.issues.workflow import FIELDS, MOVES, WORKED_ON, Move, Need, Standing, State
from surveys.people.people import Reader
from surveys.privacy.contacts import Contact
from surveys.refusals import Missing, NotForThisMove


class Correction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a correction changes; what is left out stays. A community named alone is a person's word, whatever the
    position says; `none` stands for no community. `place_settled` takes a place out of those that wait, or puts it
    back."""

    category: str | None = None
    urgency: Urgency | None = None
    title: Title | None = None
    description: Description | None = None
    position: Position | None = None
    community: str | None = None
    place_settled: bool | None = None
    contact: Contact | None = None  # a blank one takes away what was there


Opinion = Literal["agree", "object", "not_concerned"]


class MoveDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A move as it is asked for; `to` is the id of a member or of an issue, or the code of a department.

    `amount` counts in the unit of the issue's limit; `until` is when a pause shall end; `at` is when an agent goes, or
    when those who were `present` met; `departments` are asked for their opinions; `despite` says why an issue is
    resolved though one is missing."""

    id: UUID
    move: Move
    expected_version: int
    to: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    reason: Annotated[str, Meta(max_length=5_000)] | None = None
    evidence: tuple[Photo, ...] = ()
    correction: Correction | None = None
    amount: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    until: Annotated[datetime, Meta(tz=True)] | None = None
    channel: Channel | None = None
    departments: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...], Meta(max_length=50)] = ()
    at: Annotated[datetime, Meta(tz=True)] | None = None
    opinion: Opinion | None = None
    present: Annotated[tuple[UUID, ...], Meta(max_length=100)] = ()
    despite: Annotated[str, Meta(max_length=5_000)] | None = None

    def check(self) -> None:
        """Raises Missing for what the move needs and has not, NotForThisMove for what it has and cannot use."""
        rule = MOVES[self.move]
        for need in sorted(rule.needs):
            if not self._has(need):
                raise Missing(need, move=self.move)
        for field in FIELDS:
            if field not in rule.needs | rule.takes and self._has(field):
                raise NotForThisMove(field, move=self.move)

    def _has(self, need: Need) -> bool:
        given = getattr(self, need)
        return bool(given.strip() if isinstance(given, str) else given)


class Making(Struct, frozen=True, kw_only=True):
    """A move that may be made: of which issue in which street, by whom and as what, and when."""

    atlas: Atlas
    reader: Reader
    stands: frozenset[Standing]
    row: IssueRow
    street: str | None
    draft: MoveDraft
    now: datetime


class Outcome(Struct, frozen=True, kw_only=True):
    """What a move leads to: the row after it, its new texts if they change, what is told beside what changed, and what
    it changes of other issues."""

    row: IssueRow
    texts: Mapping[str, str | None] | None = None
    facts: Mapping[str, object] = {}
    also: Sequence[Change] = ()


class Moved(Struct, frozen=True, kw_only=True):
    """What a move led to."""

    id: UUID
    issue: UUID
    number: str
    version: int
    state: State
    owner: UUID
    department: str | None
    due_at: datetime


def settled(row: IssueRow) -> IssueRow:
    """A row of which nothing waits any more: neither an offer nor a judgement."""
    until = row.pause_until if row.paused_at else None
    return msgspec.structs.replace(answered(row), offered_to=None, pause_until=until)


def answered(row: IssueRow) -> IssueRow:
    """A row on which what was asked has been judged, or is asked no more."""
    return msgspec.structs.replace(row, asked=None, asked_by=None, asked_amount=None)


def worked_on_by(row: IssueRow, department: str) -> IssueRow:
    """A row on which this department works from now on: what another one asked for is void, and nobody is asked what
    they think of their own work."""
    if row.asked_by != row.owner and department != row.department:
        row = answered(row)
    consulted = [code for code in row.consulted or () if code != department]
    state: State = row.state if row.state == "paused" else "assigned"
    return msgspec.structs.replace(row, department=department, consulted=consulted or None, state=state)


def taken_over(row: IssueRow, owner: UUID) -> IssueRow:
    """A row that somebody else answers for from now on: offers and requests of who did before are void. What a
    department works on, and what is paused, goes on as it is."""
    if row.asked_by == row.owner:
        row = answered(row)
    starts_anew = row.state == "reported" or (row.state in WORKED_ON and row.department is None)
    state: State = "accepted" if starts_anew else row.state
    return msgspec.structs.replace(row, owner=owner, offered_to=None, state=state)

"""What a phone sends of a visit, and what must be right about it before it is filed."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from surveys.history import request_digest
from surveys.issues.categories import Urgency
from surveys.issues.issues import Description, Photo, Title
from surveys.issues.placing import Position
from surveys.people.people import Reader
from surveys.premises.premises import PremisesKind
from surveys.privacy import contacts
from surveys.privacy.contacts import Contact, Sealed
from surveys.privacy.sealing import KeyRing

Via = Literal["phone", "desk", "paper", "collect"]  # paper: typed in afterwards
Outcome = Literal["met", "not_home", "declined", "closed"]
Moment = Annotated[datetime, Meta(tz=True)]


class PremisesDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The door, as the member found it."""

    id: UUID | None = None
    kind: PremisesKind
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    address: Annotated[str, Meta(max_length=500)]


class SolvedOnSpot(Struct, frozen=True, forbid_unknown_fields=True):
    """How and when the member solved the issue at the door."""

    how: Annotated[str, Meta(min_length=1, max_length=5_000)]
    at: Moment


class Answers(Struct, frozen=True, forbid_unknown_fields=True):
    """Answers to a questionnaire, as its version asked."""

    questionnaire: Annotated[str, Meta(max_length=100)]
    version: Annotated[str, Meta(max_length=100)]
    values: dict[str, Any]


class IssueDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A problem found at the door."""

    id: UUID
    category: Annotated[str, Meta(min_length=1, max_length=20)]
    title: Title
    description: Description | None = None
    urgency: Urgency | None = None
    position: Position | None = None
    solved_on_spot: SolvedOnSpot | None = None
    contact: Contact | None = None
    photos: Annotated[tuple[Photo, ...], Meta(max_length=20)] | None = None

    @property
    def how_urgent(self) -> Urgency:
        """The urgency given, or the usual one."""
        return self.urgency or "normal"


class VisitDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A visit, as the phone sends it."""

    id: UUID
    campaign: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    premises: PremisesDraft
    companions: Annotated[tuple[UUID, ...], Meta(max_length=20)] | None = None
    started_at: Moment
    ended_at: Moment
    outcome: Outcome
    position: Position | None = None
    community: Annotated[str, Meta(min_length=1, max_length=20)] | None = None
    contact_card: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    note: Description | None = None
    answers: Answers | None = None
    photos: Annotated[tuple[Photo, ...], Meta(max_length=50)] | None = None  # of the door, and among the answers
    issues: Annotated[tuple[IssueDraft, ...], Meta(max_length=50)] = ()
    via: Via = "phone"
    visited_by: UUID | None = None  # on paper: whose visit somebody else types in


class Filing(Struct, frozen=True, kw_only=True):
    """A draft with who files it, what their phone took for the time, and the contacts of its issues, sealed."""

    draft: VisitDraft
    filer: Reader
    device_time: datetime | None = None
    digest: bytes
    sealed: tuple[Sealed, ...] = ()


def filing(draft: VisitDraft, filer: Reader, device_time: datetime | None, ring: KeyRing) -> Filing:
    """A draft made ready to be filed; its digest is what makes a retry known, and tells nothing of a contact."""
    told = [(issue.id, issue.contact) for issue in draft.issues if issue.contact is not None]
    sealed = [one for issue, contact in told for one in contacts.seal(ring, filer.district, issue, contact)]
    return Filing(
        draft=draft,
        filer=filer,
        device_time=device_time,
        digest=request_digest(_veiled(ring, draft) if told else draft),
        sealed=tuple(sealed),
    )


def _veiled(ring: KeyRing, draft: VisitDraft) -> VisitDraft:
    issues = tuple(
        msgspec.structs.replace(issue, contact=contacts.veiled(ring, issue.contact) if issue.contact else None)
        for issue in draft.issues
    )
    return msgspec.structs.replace(draft, issues=issues)

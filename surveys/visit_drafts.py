"""What a phone sends of a visit, and what must be right about it before it is filed."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from surveys import contacts, placing
from surveys.categories import Category, Urgency
from surveys.clock import Calendar
from surveys.contacts import Contact, Sealed
from surveys.history import request_digest
from surveys.issues import Description, Photo, Title
from surveys.people import Reader, Role
from surveys.placing import Position
from surveys.premises import PremisesKind, PremisesState
from surveys.refusals import (
    DuplicateId,
    Missing,
    PaperOnly,
    TextUnusable,
    TimeBeforeAll,
    TimeInFuture,
    TimesReversed,
    UnknownCampaign,
    UnknownCategory,
    UnknownCommunity,
    UnknownMember,
)
from surveys.sealing import KeyRing

Via = Literal["phone", "desk", "paper", "collect"]  # paper: typed in afterwards
Outcome = Literal["met", "not_home", "declined", "closed"]
Moment = Annotated[datetime, Meta(tz=True)]

AHEAD = timedelta(minutes=15)  # a phone's time further ahead than this, after correction, is refused
SKEW_HEEDED = timedelta(seconds=60)  # what is less is the network's delay, not a wrong clock
FIRST_DAY = datetime(2000, 1, 1, tzinfo=UTC)


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


class KnownCampaign(Struct, frozen=True):
    """When a campaign is, and what is visited in it."""

    starts_at: datetime
    ends_at: datetime
    kinds: frozenset[str]


class KnownDoor(Struct, frozen=True):
    """A door of the register, and who has it in the campaign that a draft names."""

    state: PremisesState
    holder: UUID | None


class Known(Struct, frozen=True):
    """What the district has, of all that a set of drafts names."""

    categories: Mapping[str, Category]
    calendar: Calendar  # by which their limits count; any, where no category is named
    campaigns: Mapping[str, KnownCampaign]
    communities: frozenset[str]
    members: Mapping[UUID, UUID]
    doors: Mapping[tuple[UUID, str | None], KnownDoor] = {}  # by premises and campaign
    questionnaires: frozenset[tuple[str, str]] = frozenset()  # with the version
    visitors: Mapping[UUID, str] = {}  # whose visits others type in, by name


class Times(Struct, frozen=True):
    """A visit's times after correction, and the phone's skew in seconds."""

    started_at: datetime
    ended_at: datetime
    skew: timedelta


def check(filing: Filing, known: Known, now: datetime) -> Times:
    """The corrected times of a filing that nothing speaks against. Raises Invalid, naming the field."""
    draft = filing.draft
    times = _corrected(draft, filing.device_time, now)
    placing.check(draft.position, "position")
    _check_texts(draft)
    if draft.campaign is not None and draft.campaign not in known.campaigns:
        raise UnknownCampaign("campaign", given=draft.campaign)
    if draft.community is not None and draft.community not in known.communities:
        raise UnknownCommunity("community", given=draft.community)
    _check_visitor(filing, known)
    for at, companion in enumerate(draft.companions or ()):
        if companion not in known.members:
            raise UnknownMember(f"companions[{at}]", given=str(companion))
    repeated = [id_ for id_, count in Counter([draft.id, *(issue.id for issue in draft.issues)]).items() if count > 1]
    if repeated:
        raise DuplicateId("issues", given=str(repeated[0]))
    for at, issue in enumerate(draft.issues):
        _check_issue(issue, f"issues[{at}]", known, times, now)
    return times


DESK: frozenset[Role] = frozenset({"community_worker", "organiser", "dispatcher", "administrator"})


def _check_visitor(filing: Filing, known: Known) -> None:
    """Who types in a paper record may name whose it is; nobody else files for others."""
    visitor = filing.draft.visited_by
    if visitor is None or visitor == filing.filer.member:
        return
    if filing.draft.via != "paper":
        raise PaperOnly("visited_by")
    filing.filer.require(*DESK)
    if visitor not in known.members:
        raise UnknownMember("visited_by", given=str(visitor))


def _check_texts(draft: VisitDraft) -> None:
    if not draft.premises.name.strip():
        raise TextUnusable("premises.name")
    for at, issue in enumerate(draft.issues):
        if not issue.title.strip():
            raise TextUnusable(f"issues[{at}].title")


def _check_issue(issue: IssueDraft, field: str, known: Known, times: Times, now: datetime) -> None:
    if issue.contact is not None:
        contacts.check(issue.contact, f"{field}.contact")
    if issue.category not in known.categories:
        raise UnknownCategory(f"{field}.category", given=issue.category)
    if issue.how_urgent not in known.categories[issue.category].limits:
        raise Missing(f"{field}.urgency", given=issue.how_urgent)
    placing.check(issue.position, f"{field}.position")
    if issue.solved_on_spot is not None:
        _refuse_unlikely(f"{field}.solved_on_spot.at", issue.solved_on_spot.at, now + times.skew)


def _corrected(draft: VisitDraft, device_time: datetime | None, now: datetime) -> Times:
    """A phone's clock that is wrong is wrong for all its times: what it says now tells by how much."""
    skew = device_time - now if device_time is not None else timedelta()
    if abs(skew) < SKEW_HEEDED:
        skew = timedelta()
    _refuse_unlikely("started_at", draft.started_at, now + skew)
    _refuse_unlikely("ended_at", draft.ended_at, now + skew)
    if draft.ended_at < draft.started_at:
        raise TimesReversed("ended_at", started_at=draft.started_at, given=draft.ended_at)
    _refuse_unlikely("started_at", draft.started_at - skew, now)
    return Times(draft.started_at - skew, draft.ended_at - skew, skew)


def _refuse_unlikely(field: str, given: datetime, device_now: datetime) -> None:
    if given > device_now + AHEAD:
        raise TimeInFuture(field, given=given)
    if given < FIRST_DAY:
        raise TimeBeforeAll(field, given=given)

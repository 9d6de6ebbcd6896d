"""Visits: what a member filed at a door, filed once and never lost; one visit, a phone's backlog and a batch are the
same function with more rows."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from asyncpg import Connection, UniqueViolationError
from msgspec import Struct

from maps.coordinates import System
from surveys import history
from surveys.attachments import attachments
from surveys.clock import deadlines
from surveys.contact_cards import card_numbers, contact_cards
from surveys.history import Actor, Row, bytea, event_row, text_row
from surveys.issues import issues, placing
from surveys.issues.issues import IssueRow, NewIssue, Step, event_id
from surveys.issues.placing import Atlas, Certainty, CommunityName, Placed, Position, Source, ToPlace
from surveys.people import people
from surveys.people.people import Duty, Handler
from surveys.premises import premises
from surveys.premises.premises import PremisesKind
from surveys.privacy import contacts
from surveys.refusals import (
    IdTaken,
    Refusal,
)
from surveys.visits import receipts, visit_rules
from surveys.visits.receipts import Filed, Flag, IssueReceipt, Receipt
from surveys.visits.visit_drafts import Answers, Filing, IssueDraft, Outcome, Via, VisitDraft
from surveys.visits.visit_rules import Known, Times, check


class VisitRow(Struct, frozen=True, kw_only=True):
    """A row of the table `visit`, column by column."""

    district: int
    id: UUID
    version: int = 1
    digest: str
    member: UUID
    organisation: UUID
    companions: tuple[UUID, ...]
    campaign: str | None
    premises: UUID | None
    premises_kind: PremisesKind
    outcome: Outcome
    contact_card: str | None
    started_at: datetime
    ended_at: datetime
    device_started_at: datetime
    device_ended_at: datetime
    clock_skew_s: float
    position_lon: float | None = None
    position_lat: float | None = None
    accuracy_m: float | None = None
    position_system: System | None = None
    position_source: Source | None = None
    lon: float | None = None
    lat: float | None = None
    community: str | None = None
    certainty: Certainty
    boundary_version: int | None = None
    place_settled_at: datetime | None = None  # since when a person has said where it counts
    text_version: int = 1
    recorded_at: datetime
    withdrawn_at: datetime | None = None
    via: Via = "phone"
    entered_by: UUID | None = None  # who typed in what somebody else wrote on paper
    questionnaire: str | None = None
    questionnaire_version: str | None = None


ROW = ", ".join(VisitRow.__struct_fields__)

# Visits with all that comes with them, whole or not at all. What was filed before is left alone, with what came with
# it; a card stays with the door at which it was first left, and a visit that finds it bound elsewhere is flagged.
FILE = f"""
with filed as (
  insert into visit ({ROW})
  select {ROW} from json_populate_recordset(null::visit, $5) order by id
  on conflict (district, id) do nothing
  returning id
), found as (
  insert into issue ({issues.ROW})
  select {issues.ROW} from json_populate_recordset(null::issue, $6)
  where visit in (select id from filed) order by id
  returning id
), doors as ({premises.INSERT_FOUND.format("$10")}
), things as (
  select id from filed union all select id from found union all select id from doors
), spans as ({issues.INSERT_SPANS} where issue in (select id from found)
), photos as ({issues.INSERT_PHOTOS} where issue in (select id from found)
), events as ({history.INSERT_EVENTS} where thing in (select id from things) returning id
), texts as ({history.INSERT_TEXTS} where subject in (select id from things union all select id from events)
), {contact_cards.BIND}, flags as (
  insert into visit_flag (district, visit, flag, recorded_at)
  select district, visit, flag, recorded_at from json_populate_recordset(null::visit_flag, $8)
  where visit in (select id from filed)
  union all {contact_cards.FLAGS}
  returning visit, flag
), sealed as ({contacts.INSERT.format("$9")} where subject in (select id from found))
select id, array(select flag from flags where visit = id order by flag) as flags from filed
"""


class _Visitor(Struct, frozen=True):
    """Whose visit it is: the filer's own, or of the member whose paper record they type in."""

    member: UUID
    organisation: UUID
    name: str


class _Placing(Struct, frozen=True):
    """A filing that may be filed, with its times and its places: the visit's first, then each issue's."""

    filing: Filing
    times: Times
    visitor: _Visitor
    places: list[Placed]


async def file(
    conn: Connection, atlas: Atlas, numbers: Iterator[int], filings: Sequence[Filing], now: datetime
) -> list[Receipt | Refusal]:
    """File each draft once, all of one district; a retry of the same draft gets its first receipt.

    `numbers` yields an issue number for every issue. Answers in the order of the filings; what is refused is left
    out of what is written. Raises IdTaken when an issue's id is taken, and what else PostgreSQL has against one of
    them: then nothing of the set is written, and each must be filed alone."""
    if not filings:
        return []
    district = filings[0].filer.district
    known = await visit_rules.known(conn, district, [filing.draft for filing in filings], now)
    outcomes = _checked(filings, known, now)
    ready = _place(atlas, district, known, [outcome for outcome in outcomes if isinstance(outcome, _Ready)])
    filed = await _write(conn, numbers, district, ready, known, now)
    others = {filing.draft.id for filing in filings} - filed.keys()
    first = filed | await receipts.of_visits(conn, district, list(others))
    new = set(filed)
    return [_answer(filing, outcome, new, first) for filing, outcome in zip(filings, outcomes, strict=True)]


class _Ready(Struct, frozen=True):
    """A filing that nothing speaks against."""

    filing: Filing
    times: Times


def _checked(filings: Sequence[Filing], known: Known, now: datetime) -> list[_Ready | Refusal]:
    """What may be filed; of an id that stands twice in the set the first one counts, and the rest are retries."""
    outcomes: list[_Ready | Refusal] = []
    for filing in filings:
        try:
            outcomes.append(_Ready(filing, check(filing, known, now)))
        except Refusal as refusal:
            outcomes.append(refusal)
    return outcomes


def _place(atlas: Atlas, district: int, known: Known, ready: Sequence[_Ready]) -> list[_Placing]:
    """Place all positions of the set at once; an issue without a position of its own is where the visit is."""
    wanted = [
        ToPlace(position, one.filing.draft.community, one.times.started_at)
        for one in ready
        for position in _positions(one.filing.draft)
    ]
    placed = iter(placing.place(atlas, district, wanted))
    return [
        _Placing(
            one.filing,
            one.times,
            _visitor(one.filing, known),
            [next(placed) for _ in _positions(one.filing.draft)],
        )
        for one in ready
    ]


def _visitor(filing: Filing, known: Known) -> _Visitor:
    filer, other = filing.filer, filing.draft.visited_by
    if other is None or other == filer.member:
        return _Visitor(filer.member, filer.organisation, filer.name)
    return _Visitor(other, known.members[other], known.visitors[other])


def _positions(draft: VisitDraft) -> list[Position | None]:
    return [draft.position, *(issue.position or draft.position for issue in draft.issues)]


async def _write(
    conn: Connection,
    numbers: Iterator[int],
    district: int,
    ready: Sequence[_Placing],
    known: Known,
    now: datetime,
) -> dict[UUID, Filed]:
    """Write what is new of a set, and return it as it would be read back."""
    firsts = {one.filing.draft.id: one for one in reversed(ready)}
    if not firsts:
        return {}
    duties = await people.on_duty(conn, district, [place.community for one in ready for place in one.places], now)
    found = {id_: list(_issues(one, numbers, known, duties, now)) for id_, one in firsts.items()}
    every = [issue for of_visit in found.values() for issue in of_visit]
    try:
        rows = await conn.fetch(FILE, *_columns(firsts.values(), every, known, now))
    except UniqueViolationError as error:
        raise IdTaken("issues") if error.constraint_name == "issue_pkey" else error from None
    await attachments.promise_of_visits(conn, [photo for row in rows for photo in _photos(firsts[row["id"]].filing)])
    return {row["id"]: _new(firsts[row["id"]], found[row["id"]], duties, row["flags"], now) for row in rows}


def _photos(filing: Filing) -> list[Row]:
    """The photos of the visit itself that are still to come."""
    return attachments.photo_rows(filing.filer.district, filing.draft.id, filing.draft.photos or ())


def _columns(
    filings: Collection[_Placing], found: Sequence[NewIssue], known: Known, now: datetime
) -> tuple[Sequence[object], ...]:
    """The parameters of FILE: events, texts, spans, photos, visits, issues, cards, flags, what is
    sealed, and doors."""
    life = issues.lives(found)
    doors = list(_found_doors(filings, known, now))
    events, texts = _told(filings, doors, known, now)
    visits = [_visit_row(one, now) for one in filings]
    cards = [
        {
            "district": visit.district,
            "card": visit.contact_card,
            "visit": visit.id,
            "premises": visit.premises,
            "bound_at": now,
        }
        for visit in visits
        if visit.contact_card is not None
    ]
    flags = [
        {"district": one.filing.filer.district, "visit": one.filing.draft.id, "flag": flag, "recorded_at": now}
        for one in filings
        for flag in visit_rules.flags(one.filing.draft, one.times, one.visitor.member, one.places, known)
    ]
    sealed = [field.row(now) for one in filings for field in one.filing.sealed]
    return (
        [*events, *life.events],
        [*texts, *life.texts],
        life.spans,
        life.photos,
        visits,
        [issue.row for issue in found],
        cards,
        flags,
        sealed,
        [door.row for door in doors],
    )


def _found_doors(filings: Collection[_Placing], known: Known, now: datetime) -> Iterator[premises.Found]:
    """The doors that these visits are the first to name."""
    named: set[UUID] = set()
    for one in filings:
        draft, door = one.filing.draft, one.filing.draft.premises
        if door.id is None or door.id in named or (door.id, draft.campaign) in known.doors:
            continue
        named.add(door.id)
        yield premises.found(
            district=one.filing.filer.district,
            id=door.id,
            kind=door.kind,
            name=door.name,
            address=door.address,
            place=one.places[0],
            visit=draft.id,
            member=one.visitor.member,
            actor=Actor("member", str(one.filing.filer.member)),
            at=min(one.times.ended_at, now),
            now=now,
        )


def _visit_row(one: _Placing, now: datetime) -> VisitRow:
    draft, place, filer = one.filing.draft, one.places[0], one.filing.filer.member
    return VisitRow(
        district=one.filing.filer.district,
        id=draft.id,
        digest=bytea(one.filing.digest),
        member=one.visitor.member,
        organisation=one.visitor.organisation,
        companions=draft.companions or (),
        campaign=draft.campaign,
        premises=draft.premises.id,
        premises_kind=draft.premises.kind,
        outcome=draft.outcome,
        contact_card=card_numbers.as_printed(draft.contact_card) if draft.contact_card else None,
        started_at=one.times.started_at,
        ended_at=one.times.ended_at,
        device_started_at=draft.started_at,
        device_ended_at=draft.ended_at,
        clock_skew_s=one.times.skew.total_seconds(),
        position_lon=place.position_lon,
        position_lat=place.position_lat,
        accuracy_m=place.accuracy_m,
        position_system=place.position_system,
        position_source=place.position_source,
        lon=place.lon,
        lat=place.lat,
        community=place.community,
        certainty=place.certainty,
        boundary_version=place.boundary_version,
        recorded_at=now,
        via=draft.via,
        entered_by=filer if filer != one.visitor.member else None,
        questionnaire=draft.answers.questionnaire if draft.answers else None,
        questionnaire_version=draft.answers.version if draft.answers else None,
    )


def _told(
    filings: Collection[_Placing], doors: Sequence[premises.Found], known: Known, now: datetime
) -> tuple[list[Row], list[Row]]:
    """The history and texts of new visits, and of the doors found on them."""
    events = [door.event for door in doors]
    texts = [door.text for door in doors]
    for one in filings:
        district, draft = one.filing.filer.district, one.filing.draft
        text, digest = text_row(district, draft.id, 1, _visit_texts(draft, known), now)
        texts.append(text)
        events.append(_filed(one, digest, now))
    return events, texts


def _visit_texts(draft: VisitDraft, known: Known) -> dict[str, str | None]:
    """All that somebody wrote; answers are theirs as well, and are forgotten with the rest."""
    return {
        "premises_name": draft.premises.name,
        "premises_address": draft.premises.address,
        "note": draft.note,
        "answers": _answers(draft.answers, known) if draft.answers else None,
    }


def _answers(given: Answers, known: Known) -> str:
    """Answers as they are kept: in the types of their questions where those are known, else as they came."""
    held = visit_rules.answers(given, known)
    kept = given if held is None else msgspec.structs.replace(given, values=held.values)
    return msgspec.json.encode(kept).decode()


def _filed(one: _Placing, text_digest: str, now: datetime) -> Row:
    row = _visit_row(one, now)
    facts = {name: value for name, value in msgspec.structs.asdict(row).items() if value is not None}
    del facts["district"], facts["id"], facts["recorded_at"]
    return event_row(
        district=row.district,
        id=event_id(row.id, "file"),
        kind="visit",
        thing=row.id,
        version=1,
        event="file",
        actor=Actor("member", str(one.filing.filer.member)),
        happened_at=min(row.ended_at, now),
        recorded_at=now,
        facts=facts | {"text_digest": text_digest},
    )


def _issues(
    one: _Placing,
    numbers: Iterator[int],
    known: Known,
    duties: Mapping[str | None, Duty],
    now: datetime,
) -> Iterator[NewIssue]:
    for draft, place in zip(one.filing.draft.issues, one.places[1:], strict=True):
        yield _issue(one, draft, place, known, duties[place.community].handler, next(numbers), now)


def _issue(
    one: _Placing,
    draft: IssueDraft,
    place: Placed,
    known: Known,
    handler: Handler,
    number: int,
    now: datetime,
) -> NewIssue:
    """A new issue: the clock starts when we learn of it, and who solved it at the door owns it."""
    filer, visitor, solved = one.filing.filer, one.visitor, draft.solved_on_spot
    category = known.categories[draft.category]
    owner = visitor.member if solved else handler.id
    reported_at = min(one.times.ended_at, now)
    limit = category.limits[draft.how_urgent]
    actor = Actor("member", str(filer.member))
    steps = [_step(event_id(draft.id, "report"), "report", actor, reported_at, "reported", owner, category.department)]
    if solved:
        at = min(max(solved.at - one.times.skew, reported_at), now)
        steps.append(
            _step(
                event_id(draft.id, "resolve"), "resolve", actor, at, "resolved", owner, category.department, solved.how
            )
        )
    row = IssueRow(
        district=filer.district,
        id=draft.id,
        number=number,
        version=len(steps),
        source="visit",
        visit=one.filing.draft.id,
        reporter=visitor.member,
        organisation=visitor.organisation,
        premises=one.filing.draft.premises.id,
        reported_at=reported_at,
        category=draft.category,
        urgency=draft.how_urgent,
        channel="on_the_spot" if solved else limit.channel or category.channel,
        state=steps[-1].state,
        owner=owner,
        department=category.department,
        **deadlines.of_new(known.calendar, limit, now),
        held_since=reported_at,
        text_version=1,
        recorded_at=now,
        **msgspec.structs.asdict(place),
    )
    photos = draft.photos or ()
    return issues.new(row=row, title=draft.title, description=draft.description, steps=tuple(steps), photos=photos)


def _step(
    id_: UUID,
    event: Literal["report", "resolve"],
    actor: Actor,
    at: datetime,
    state: Literal["reported", "resolved"],
    owner: UUID,
    department: str | None,
    reason: str | None = None,
) -> Step:
    return Step(
        id=id_, event=event, actor=actor, happened_at=at, state=state, owner=owner, department=department, reason=reason
    )


def _new(
    one: _Placing,
    found: Sequence[NewIssue],
    duties: Mapping[str | None, Duty],
    flags: Sequence[Flag],
    now: datetime,
) -> Filed:
    """What now stands in the database of a visit just written; `receipts` would read the same."""
    visitor, place = one.visitor, one.places[0]
    receipt = Receipt(
        id=one.filing.draft.id,
        status="already_filed",
        received_at=now,
        community=_named(place.community, duties),
        certainty=place.certainty,
        flags=list(flags),
        issues=[
            IssueReceipt(
                id=issue.row.id,
                number=str(issue.row.number),
                community=_named(issue.row.community, duties),
                certainty=issue.row.certainty,
                owner=Handler(visitor.member, visitor.name)
                if issue.row.owner == visitor.member
                else duties[issue.row.community].handler,
                due_at=issue.row.due_at,
            )
            for issue in found
        ],
    )
    promised = [*(one.filing.draft.photos or ()), *(photo for issue in found for photo in issue.photos)]
    missing = sorted({photo.sha256 for photo in promised})
    return Filed(receipt=receipt, member=one.filing.filer.member, digest=one.filing.digest, missing_photos=missing)


def _named(community: str | None, duties: Mapping[str | None, Duty]) -> CommunityName | None:
    name = duties[community].community
    return CommunityName(community, name) if community is not None and name is not None else None


def _answer(
    filing: Filing, outcome: _Ready | Refusal, filed: set[UUID], first: Mapping[UUID, Filed]
) -> Receipt | Refusal:
    """The receipt of a filing. A visit that was filed before is recognised even if a rule has changed since."""
    known = first.get(filing.draft.id)
    if known is None:
        return outcome if isinstance(outcome, Refusal) else IdTaken("id")
    if known.member != filing.filer.member or known.digest != filing.digest:
        return IdTaken("id")
    if filing.draft.id in filed:
        filed.discard(filing.draft.id)  # a second one of the same set is a retry
        return msgspec.structs.replace(known.receipt, status="filed")
    return known.receipt

"""What is kept about a resident, by their phone number and the cards that it leads to: found, handed out, and forgotten
on request."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.assessments import commitment_records
from surveys.assessments.commitment_records import RatingRecord
from surveys.attachments import attachments
from surveys.attachments.attachments import Item, Of
from surveys.history import Actor
from surveys.privacy import contacts, erasures, reveals
from surveys.privacy.contacts import Contact, Kept, Masked
from surveys.privacy.erasures import Erasure
from surveys.privacy.sealing import KeyRing
from surveys.refusals import NoContact, NotFound
from surveys.volunteering import card_records
from surveys.volunteering.card_records import BookingRecord


class ResidentIssue(Struct, frozen=True, kw_only=True):
    """An issue that a phone number was left with, as much of it as a list needs."""

    id: UUID
    number: str
    title: str | None
    category: str
    community: str | None
    state: str
    reported_at: datetime
    visit: UUID | None
    contact: Masked | None


class Resident(Struct, frozen=True, kw_only=True):
    """Everything that one phone number leads to, newest first."""

    issues: list[ResidentIssue]
    visits: list[UUID]
    bookings: list[UUID] = []  # of services, with the cards of these
    commitment_ratings: list[UUID] = []  # given through these cards


class Told(Struct, frozen=True, kw_only=True):
    """One step of an issue's way, with the words that came with it."""

    event: str
    happened_at: datetime
    by: str
    reason: str | None


class PhotoRecord(Struct, frozen=True, kw_only=True):
    """A photo or file, what it says of where and when it was taken, and the address at which it can be fetched."""

    address: str
    photo: Item


class IssueRecord(Struct, frozen=True, kw_only=True):
    """An issue with all that is kept about the resident in it."""

    id: UUID
    number: str
    reported_at: datetime
    category: str
    urgency: str
    state: str
    community: str | None
    title: str | None
    description: str | None
    contact: Contact
    lon: float | None
    lat: float | None
    history: list[Told]
    photos: list[PhotoRecord]


class VisitRecord(Struct, frozen=True, kw_only=True):
    """A visit on which the resident's issues were found, with what was written down of it."""

    id: UUID
    started_at: datetime
    ended_at: datetime
    outcome: str
    community: str | None
    premises_name: str | None
    premises_address: str | None
    note: str | None
    answers: str | None
    photos: list[PhotoRecord]


class Record(Struct, frozen=True, kw_only=True):
    """All that is kept about a resident in one district."""

    district: int
    made_at: datetime
    issues: list[IssueRecord]
    visits: list[VisitRecord]
    bookings: list[BookingRecord] = []
    commitment_ratings: list[RatingRecord] = []


class Receipt(Struct, frozen=True, kw_only=True):
    """What was forgotten, when; the same each time it is asked for."""

    id: UUID
    erased_at: datetime
    reason: erasures.Reason
    with_texts: bool
    issues: list[UUID]
    visits: list[UUID]
    sealed_fields: int
    texts: int
    photos: int = 0


ISSUES = """
select i.id, i.number, i.state, i.urgency, i.reported_at, i.visit, i.lon, i.lat, k.name as category,
       c.name as community, t.body->>'title' as title, t.body->>'description' as description
from issue i
join category k on k.district = i.district and k.code = i.category
left join community c on c.district = i.district and c.code = i.community
left join text_version t on t.district = i.district and t.subject = i.id and t.version = i.text_version
where i.district = $1 and i.id in (select subject from sealed_field where district = $1 and look_up = $2)
order by i.reported_at desc, i.id desc
"""

VISITS = """
select v.id, v.started_at, v.ended_at, v.outcome, c.name as community, t.body as texts
from visit v
left join community c on c.district = v.district and c.code = v.community
left join text_version t on t.district = v.district and t.subject = v.id and t.version = v.text_version
where v.district = $1 and v.id = any($2)
order by v.started_at desc, v.id desc
"""

HISTORY = """
select h.thing, h.event, h.happened_at, h.actor_kind,
  nullif(concat_ws(' ', t.body->>'reason', t.body->>'despite'), '') as reason
from history h
left join text_version t on t.district = h.district and t.subject = h.id and t.version = 1
where h.district = $1 and h.thing = any($2)
order by h.thing, h.version
"""

# The events of these things, and the purposes for which their contacts were shown: each may have a text.
EVENTS = """
select id from history where district = $1 and thing = any($2)
union all
select id from history where district = $1 and kind = 'reveal' and facts->>'about' = any($3)
"""


async def find(
    conn: Connection, ring: KeyRing, district: int, actor: Actor, phone: str, purpose: str, now: datetime
) -> Resident:
    """What a phone number leads to; the history keeps that it was looked for, and never the number.

    Raises PhoneUnusable, TextUnusable."""
    rows, kept = await _issues(conn, ring, district, phone, purpose)
    cards = await _cards(conn, district, rows)
    booked = await card_records.of_cards(conn, district, cards)
    rated = await commitment_records.of_cards(conn, district, cards)
    found = Resident(
        issues=[
            ResidentIssue(
                id=row["id"],
                number=str(row["number"]),
                title=row["title"],
                category=row["category"],
                community=row["community"],
                state=row["state"],
                reported_at=row["reported_at"],
                visit=row["visit"],
                contact=kept[row["id"]].masked(ring),
            )
            for row in rows
        ],
        visits=_visits_of(rows),
        bookings=[booking.id for booking in booked],
        commitment_ratings=[rating.id for rating in rated],
    )
    await reveals.tell(
        conn,
        district=district,
        kind="reveal",
        event="resident_found",
        actor=actor,
        purpose=purpose,
        now=now,
        facts={"issues": [row["id"] for row in rows]},
    )
    return found


async def export(
    conn: Connection, ring: KeyRing, district: int, actor: Actor, phone: str, purpose: str, now: datetime
) -> Record:
    """All that is kept about a resident, in plain text. Raises PhoneUnusable, TextUnusable, NoContact when the number
    leads to nothing, and what KeyRing.open raises."""
    rows, kept = await _issues(conn, ring, district, phone, purpose)
    if not rows:
        raise NoContact
    told: dict[UUID, list[Told]] = {row["id"]: [] for row in rows}
    for row in await conn.fetch(HISTORY, district, list(told)):
        step = Told(event=row["event"], happened_at=row["happened_at"], by=row["actor_kind"], reason=row["reason"])
        told[row["thing"]].append(step)
    visits, cards = _visits_of(rows), await _cards(conn, district, rows)
    of_issues = await _photos(conn, district, "issue", list(told), now)
    of_visits = await _photos(conn, district, "visit", visits, now)
    record = Record(
        district=district,
        made_at=now,
        issues=[_issue_record(row, kept[row["id"]].plain(ring), told[row["id"]], of_issues[row["id"]]) for row in rows],
        visits=[_visit_record(row, of_visits[row["id"]]) for row in await conn.fetch(VISITS, district, visits)],
        bookings=await card_records.of_cards(conn, district, cards),
        commitment_ratings=await commitment_records.of_cards(conn, district, cards),
    )
    await reveals.tell(
        conn,
        district=district,
        kind="export",
        event="resident",
        actor=actor,
        purpose=purpose,
        now=now,
        facts={"issues": [row["id"] for row in rows], "visits": visits},
    )
    return record


async def erase(
    conn: Connection,
    ring: KeyRing,
    district: int,
    actor: Actor,
    phone: str,
    purpose: str,
    now: datetime,
    *,
    with_texts: bool,
) -> tuple[Receipt, Erasure]:
    """Forget a resident: what is sealed of them, and when asked all texts and photos of their issues and of the visits
    on which these were found, with the reasons in what their cards said of services and of commitments. What happened
    stays and is counted as before. Returns the entry for the journal too, which must be written before this is
    committed. Raises PhoneUnusable, TextUnusable, NoContact."""
    rows, _ = await _issues(conn, ring, district, phone, purpose)
    if not rows:
        raise NoContact
    issues, visits = [row["id"] for row in rows], _visits_of(rows)
    texts: list[UUID] = []
    if with_texts:
        things = [*issues, *visits]
        events = await conn.fetch(EVENTS, district, things, [str(issue) for issue in issues])
        cards = await _cards(conn, district, rows)
        said = await card_records.answers_of(conn, district, cards)
        rated = await commitment_records.of_cards(conn, district, cards)
        texts = [*things, *(row["id"] for row in events), *said, *(rating.id for rating in rated)]
    erasure = erasures.planned(district, "request", now, sealed=issues, texts=texts)
    shown = {"with_texts": with_texts, "issues": issues, "visits": visits if with_texts else []}
    wiped = await erasures.carry_out(conn, erasure, actor, shown, purpose)
    receipt = Receipt(
        id=erasure.id,
        erased_at=now,
        reason="request",
        with_texts=with_texts,
        issues=issues,
        visits=visits if with_texts else [],
        sealed_fields=wiped.sealed_fields,
        texts=wiped.texts,
        photos=wiped.photos,
    )
    return receipt, erasure


RECEIPTS = """
select id, happened_at, facts from history
where district = $1 and kind = 'erasure' and event = 'erased' and facts->>'reason' = 'request'
order by recorded_at desc, id desc limit $2
"""
RECEIPT = """
select id, happened_at, facts from history
where district = $1 and id = $2 and kind = 'erasure' and event = 'erased' and facts->>'reason' = 'request'
"""
MOST_RECEIPTS = 200


async def receipt(conn: Connection, district: int, erasure: UUID) -> Receipt:
    """The receipt of an erasure that somebody asked for. Raises NotFound."""
    row = await conn.fetchrow(RECEIPT, district, erasure)
    if row is None:
        raise NotFound
    return _receipt(row)


async def receipts(conn: Connection, district: int) -> list[Receipt]:
    """The receipts of the last erasures that somebody asked for, newest first: one whose answer was lost is there."""
    return [_receipt(row) for row in await conn.fetch(RECEIPTS, district, MOST_RECEIPTS)]


def _receipt(row: Any) -> Receipt:
    facts = row["facts"]
    return Receipt(
        id=row["id"],
        erased_at=row["happened_at"],
        reason=facts["reason"],
        with_texts=facts["with_texts"],
        issues=[UUID(id_) for id_ in facts["issues"]],
        visits=[UUID(id_) for id_ in facts["visits"]],
        sealed_fields=facts["wiped"]["sealed_fields"],
        texts=facts["wiped"]["texts"],
        photos=facts["wiped"].get("photos", 0),
    )


async def _issues(
    conn: Connection, ring: KeyRing, district: int, phone: str, purpose: str
) -> tuple[Sequence[Any], dict[UUID, Kept]]:
    contacts.check_phone(phone, "phone")
    reveals.refuse_blank(purpose)
    rows = await conn.fetch(ISSUES, district, ring.look_up(phone))
    return rows, await contacts.of_issues(conn, district, [row["id"] for row in rows])


async def _cards(conn: Connection, district: int, rows: Sequence[Any]) -> list[str]:
    return await card_records.cards_of(conn, district, [row["id"] for row in rows], _visits_of(rows))


def _visits_of(rows: Sequence[Any]) -> list[UUID]:
    return list(dict.fromkeys(row["visit"] for row in rows if row["visit"]))


async def _photos(
    conn: Connection, district: int, of: Of, things: Sequence[UUID], now: datetime
) -> dict[UUID, list[PhotoRecord]]:
    return {
        thing: [PhotoRecord(address=f"/api/{of}s/{thing}/photos/{item.sha256}", photo=item) for item in items]
        for thing, items in (await attachments.of_things(conn, district, of, things, now)).items()
    }


def _issue_record(row: Any, contact: Contact, told: list[Told], photos: list[PhotoRecord]) -> IssueRecord:
    return IssueRecord(
        id=row["id"],
        number=str(row["number"]),
        reported_at=row["reported_at"],
        category=row["category"],
        urgency=row["urgency"],
        state=row["state"],
        community=row["community"],
        title=row["title"],
        description=row["description"],
        contact=contact,
        lon=row["lon"],
        lat=row["lat"],
        history=told,
        photos=photos,
    )


def _visit_record(row: Any, photos: list[PhotoRecord]) -> VisitRecord:
    texts = row["texts"] or {}
    return VisitRecord(
        id=row["id"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        outcome=row["outcome"],
        community=row["community"],
        premises_name=texts.get("premises_name"),
        premises_address=texts.get("premises_address"),
        note=texts.get("note"),
        answers=texts.get("answers"),
        photos=photos,
    )

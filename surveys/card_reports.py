"""What a resident reports through the card at their door: an issue like any other, that nobody had to come for."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import calendars, categories, contacts, deadlines, issues, people, placing
from surveys.card_doors import CardDoor
from surveys.contacts import Contact
from surveys.history import Actor, request_digest
from surveys.issues import IssueRow, NewIssue, Photo, Step, event_id
from surveys.people import Handler
from surveys.placing import Atlas, Placed, Position, ToPlace
from surveys.refusals import Conflict, IdTaken, Missing, TextUnusable, UnknownCategory
from surveys.sealing import KeyRing

TITLE = 40  # characters of what was written that stand for it in lists
MOST_PHOTOS = 6


class CardAtNoDoor(Conflict):
    """A card that was left nowhere, or is revoked, reports nothing."""

    code = "card_at_no_door"


class Report(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A problem as a resident writes it down; without a position it is at their door."""

    id: UUID
    category: Annotated[str, Meta(min_length=1, max_length=20)]
    text: Annotated[str, Meta(min_length=1, max_length=2_000)]
    urgent: bool = False
    position: Position | None = None
    contact: Contact | None = None
    photos: Annotated[tuple[Photo, ...], Meta(max_length=MOST_PHOTOS)] = ()


class Reported(Struct, frozen=True, kw_only=True):
    """What became of a report."""

    id: UUID
    number: str
    owner: str
    due_at: datetime


async def report(
    conn: Connection, atlas: Atlas, ring: KeyRing, numbers: Iterator[int], door: CardDoor, asked: Report, now: datetime
) -> Reported:
    """Make an issue of a report; the same report again gets its first answer.

    Raises CardAtNoDoor, IdTaken, or Invalid with the field."""
    if not door.usable:
        raise CardAtNoDoor
    digest = _digest(ring, asked)
    if before := await _reported_before(conn, door, asked.id, digest):
        return before
    _check(asked)
    place = _place(atlas, door, asked, now)
    handler = (await people.on_duty(conn, door.district, [place.community], now))[place.community].handler
    issue = await _issue(conn, door, asked, place, handler, next(numbers), digest, now)
    if not await issues.record(conn, [issue]):  # the same report was on its way twice
        before = await _reported_before(conn, door, asked.id, digest)
        if before is None:
            raise IdTaken("id")
        return before
    if asked.contact is not None:
        await contacts.add(conn, ring, door.district, {asked.id: asked.contact}, now)
    return Reported(id=asked.id, number=str(issue.row.number), owner=handler.name, due_at=issue.row.due_at)


def _check(asked: Report) -> None:
    if not asked.text.strip():
        raise TextUnusable("text")
    if asked.contact is not None:
        contacts.check(asked.contact, "contact")
    placing.check(asked.position, "position")


def _digest(ring: KeyRing, asked: Report) -> bytes:
    """By what a report is known again; it tells nothing of a contact."""
    contact = contacts.veiled(ring, asked.contact) if asked.contact else None
    return request_digest(msgspec.structs.replace(asked, contact=contact))


FIRST = """
select h.thing, h.actor, h.request, i.number::text, m.name as owner, s.due_at
from history h
left join issue i on i.district = h.district and i.id = h.thing
left join issue_spans s on s.district = h.district and s.issue = h.thing and s.version = 1
left join member m on m.district = h.district and m.id = s.owner
where h.district = $1 and h.thing = $2 and h.version = 1
"""


async def _reported_before(conn: Connection, door: CardDoor, id_: UUID, digest: bytes) -> Reported | None:
    row = await conn.fetchrow(FIRST, door.district, id_)
    if row is None:
        return None
    if (row["actor"], row["request"]) != (door.number, digest):
        raise IdTaken("id")
    return Reported(id=id_, number=row["number"], owner=row["owner"], due_at=row["due_at"])


def _place(atlas: Atlas, door: CardDoor, asked: Report, now: datetime) -> Placed:
    """Where the resident says it is, else at the door, which counts where no boundary contains the place."""
    wanted = ToPlace(asked.position or door.position, door.community, now)
    return placing.place(atlas, door.district, [wanted])[0]


async def _issue(
    conn: Connection,
    door: CardDoor,
    asked: Report,
    place: Placed,
    handler: Handler,
    number: int,
    digest: bytes,
    now: datetime,
) -> NewIssue:
    found = await categories.in_force(conn, door.district, now, [asked.category])
    category = found.get(asked.category)
    if category is None or category.retired:
        raise UnknownCategory("category", given=asked.category)
    urgency: categories.Urgency = "urgent" if asked.urgent else "normal"
    limit = category.limits.get(urgency)
    if limit is None:
        raise Missing("urgent", given=urgency)
    calendar = await calendars.in_force(conn, door.district, now)
    step = Step(
        id=event_id(asked.id, "report"),
        event="report",
        actor=Actor("resident", door.number),
        happened_at=now,
        state="reported",
        owner=handler.id,
        department=category.department,
        request=digest,
    )
    row = IssueRow(
        district=door.district,
        id=asked.id,
        number=number,
        version=1,
        source="card",
        card=door.number,
        organisation=door.organisation,
        premises=door.premises,
        reported_at=now,
        category=asked.category,
        urgency=urgency,
        channel=limit.channel or category.channel,
        state="reported",
        owner=handler.id,
        department=category.department,
        **deadlines.of_new(calendar, limit, now),
        held_since=now,
        text_version=1,
        recorded_at=now,
        **msgspec.structs.asdict(place),
    )
    title, description = _words(asked.text)
    return issues.new(row=row, title=title, description=description, steps=(step,), photos=asked.photos)


def _words(text: str) -> tuple[str, str | None]:
    """What was written as a title, and all of it where that is more."""
    written = text.strip()
    first = " ".join(written.splitlines()[0].split())
    title = first if len(first) <= TITLE else f"{first[: TITLE - 1]}…"
    return title, written if written != title else None


# What a resident can choose from: the categories in force, gathered under the groups that they belong to.
CHOICES = """
select c.code, c.name, g.name as of
from category c left join category g on g.district = c.district and g.code = c.parent
where c.district = $1 and (c.retired_at is null or c.retired_at > $2)
  and exists (select from category_limit l
              where l.district = $1 and l.category = c.code and l.urgency = 'normal' and l.valid_from <= $2)
order by g.code nulls last, c.code
"""


async def choices(conn: Connection, district: int, now: datetime) -> dict[str, list[tuple[str, str]]]:
    """The categories in which a resident can report, by code and name, under the names of their groups."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row in await conn.fetch(CHOICES, district, now):
        found.setdefault(row["of"] or "", []).append((row["code"], row["name"]))
    return found

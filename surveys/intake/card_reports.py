"""What a resident reports through the card at their door: an issue like any other, that nobody had to come for."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys.contact_cards.card_doors import CardAtNoDoor, CardDoor
from surveys.history import Actor
from surveys.intake import outside_reports
from surveys.intake.outside_reports import Reported, Sender
from surveys.issues import placing
from surveys.issues.issues import Photo
from surveys.issues.placing import Atlas, Placed, Position, ToPlace
from surveys.privacy import contacts
from surveys.privacy.contacts import Contact
from surveys.privacy.sealing import KeyRing
from surveys.refusals import TextUnusable

MOST_PHOTOS = 6


class Report(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A problem as a resident writes it down; without a position it is at their door."""

    id: UUID
    category: Annotated[str, Meta(min_length=1, max_length=20)]
    text: Annotated[str, Meta(min_length=1, max_length=2_000)]
    urgent: bool = False
    position: Position | None = None
    contact: Contact | None = None
    photos: Annotated[tuple[Photo, ...], Meta(max_length=MOST_PHOTOS)] = ()


async def report(
    conn: Connection, atlas: Atlas, ring: KeyRing, numbers: Iterator[int], door: CardDoor, asked: Report, now: datetime
) -> Reported:
    """Make an issue of a report; the same report again gets its first answer.

    Raises CardAtNoDoor, IdTaken, or Invalid with the field."""
    if not door.usable:
        raise CardAtNoDoor
    sender, digest = _sender(door), outside_reports.digest(ring, asked, asked.contact)
    if before := await outside_reports.filed_before(conn, sender, asked.id, digest):
        return before
    _check(asked)
    told = outside_reports.Report(
        id=asked.id,
        category=asked.category,
        text=asked.text,
        urgent=asked.urgent,
        contact=asked.contact,
        photos=asked.photos,
        digest=digest,
    )
    return await outside_reports.file(conn, ring, numbers, sender, told, _place(atlas, door, asked, now), now)


def _sender(door: CardDoor) -> Sender:
    columns = {"card": door.number, "organisation": door.organisation, "premises": door.premises}
    return Sender(district=door.district, source="card", actor=Actor("resident", door.number), columns=columns)


def _check(asked: Report) -> None:
    if not asked.text.strip():
        raise TextUnusable("text")
    if asked.contact is not None:
        contacts.check(asked.contact, "contact")
    placing.check(asked.position, "position")


def _place(atlas: Atlas, door: CardDoor, asked: Report, now: datetime) -> Placed:
    """Where the resident says it is, else at the door, which counts where no boundary contains the place."""
    wanted = ToPlace(asked.position or door.position, door.community, now)
    return placing.place(atlas, door.district, [wanted])[0]

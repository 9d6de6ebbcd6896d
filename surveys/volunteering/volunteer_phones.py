"""A volunteer's phone: sealed as a resident's is, shown masked, and in plain text for a purpose that is kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.history import Actor, Row, bytea
from surveys.people.people import Reader
from surveys.privacy import contacts, reveals
from surveys.privacy.sealing import KeyRing, NotGenuine, Place, UnknownKey, masked_phone
from surveys.refusals import NoContact

FIELD: Literal["volunteer_phone"] = "volunteer_phone"


class Phone(Struct, frozen=True, kw_only=True):
    """A volunteer's phone in plain text."""

    phone: str


def place(district: int, volunteer: UUID) -> Place:
    """What a volunteer's sealed phone belongs to."""
    return Place(district, volunteer, FIELD)


KEEP = f"""
{contacts.INSERT.format("$1")}
on conflict (district, subject, field) do update
set sealed = excluded.sealed, look_up = excluded.look_up, recorded_at = excluded.recorded_at, erased_at = null
"""
FORGET = """
update sealed_field set sealed = null, look_up = null, erased_at = $3
where district = $1 and subject = any($2) and field = 'volunteer_phone' and erased_at is null
"""


async def keep(conn: Connection, ring: KeyRing, district: int, phones: Mapping[UUID, str], now: datetime) -> None:
    """Seal the phones of these volunteers; a blank one is forgotten."""
    told = {volunteer: phone.strip() for volunteer, phone in phones.items()}
    rows = [_row(ring, district, volunteer, phone, now) for volunteer, phone in told.items() if phone]
    if rows:
        await conn.execute(KEEP, rows)
    if blank := [volunteer for volunteer, phone in told.items() if not phone]:
        await conn.execute(FORGET, district, blank, now)


def _row(ring: KeyRing, district: int, volunteer: UUID, phone: str, now: datetime) -> Row:
    return {
        "district": district,
        "subject": volunteer,
        "field": FIELD,
        "sealed": bytea(ring.seal(phone, place(district, volunteer))),
        "look_up": bytea(ring.look_up(phone)),
        "recorded_at": now,
    }


SEALED = """
select subject, sealed from sealed_field
where district = $1 and subject = any($2) and field = 'volunteer_phone' and sealed is not null
"""


async def masked(conn: Connection, ring: KeyRing, district: int, volunteers: Sequence[UUID]) -> dict[UUID, str]:
    """The phones of those of these volunteers who left one, as whoever looks after them sees them."""
    rows = await conn.fetch(SEALED, district, list(volunteers))
    return {row["subject"]: _masked(ring, place(district, row["subject"]), row["sealed"]) for row in rows}


def _masked(ring: KeyRing, where: Place, sealed: bytes) -> str:
    try:
        return masked_phone(ring.open(sealed, where))
    except (UnknownKey, NotGenuine):
        return contacts.UNREADABLE_PHONE


async def plain(conn: Connection, ring: KeyRing, district: int, volunteer: UUID) -> str | None:
    """A volunteer's phone for themselves. Raises what KeyRing.open raises."""
    row = await conn.fetchrow(SEALED, district, [volunteer])
    return ring.open(row["sealed"], place(district, volunteer)) if row else None


async def reveal(
    conn: Connection, ring: KeyRing, reader: Reader, volunteer: UUID, purpose: str, now: datetime
) -> Phone:
    """The phone of a volunteer whom the caller has made sure this reader looks after, for a purpose that the history
    keeps. Raises TextUnusable, NoContact, and what KeyRing.open raises."""
    reveals.refuse_blank(purpose)
    found = await plain(conn, ring, reader.district, volunteer)
    if found is None:
        raise NoContact
    await reveals.tell(
        conn,
        district=reader.district,
        kind="reveal",
        event="volunteer_shown",
        actor=Actor("member", str(reader.member)),
        about=volunteer,
        facts={"fields": [FIELD]},
        purpose=purpose,
        now=now,
    )
    return Phone(phone=found)

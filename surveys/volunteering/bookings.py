"""Bookings: who comes to a service, and who waits for a place, in order of arrival.

All that changes how many have a place happens under the service's lock, one after another: nobody is booked beyond its
places, and nobody passes anybody. Where there is room for some but not for the first who waits, it stays free until
there is enough for them. [services.md](services.md) tells the rules."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.contact_cards import card_doors
from surveys.contact_cards.card_doors import CardAtNoDoor, CardDoor
from surveys.history import Actor, event_row, request_digest
from surveys.issues.issues import event_id
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.people.scopes import Parameters
from surveys.refusals import AlreadyBooked, Conflict, Invalid, Missing, NotAllowed, NotFound, UnknownPremises
from surveys.volunteering import service_rows, standing
from surveys.volunteering.service_rows import ServiceRow

BookingState = Literal["booked", "waiting", "cancelled", "came", "missed"]
Via = Literal["card", "member", "desk"]

MOVING_UP = Actor("program", "waiting_list")

Persons = Annotated[int, Meta(ge=1, le=20)]


class NotBookable(Conflict):
    """The service has begun, was cancelled, or has been reported; `facts` hold its state."""

    code: ClassVar[str] = "service_not_bookable"


class WaitingListFull(Conflict):
    """All places are taken, and as many wait as may; `facts` say how many."""

    code: ClassVar[str] = "waiting_list_full"


class TooManyPersons(Invalid):
    """More than the service has places for in all; `facts` say how many."""

    code: ClassVar[str] = "too_many_persons"


class UnknownCard(Invalid):
    """No card that was left at a door, or one that was revoked."""

    code: ClassVar[str] = "unknown_card"


class BookingOver(Conflict):
    """The service has begun, or the booking came to its end; `facts` hold its state."""

    code: ClassVar[str] = "booking_over"


class BookingByCard(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """That so many persons of a card's door want to come."""

    id: UUID
    persons: Persons = 1


class BookingForDoor(BookingByCard, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The same, by a member for somebody at a door, or at the desk; a card stands for its door."""

    via: Literal["member", "desk"] = "member"
    card: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    premises: UUID | None = None


class Booked(Struct, frozen=True, kw_only=True):
    """Where a booking stands: `number` is what it is called at its service, `ahead` who waits before it."""

    id: UUID
    service: UUID
    number: int
    state: BookingState
    persons: int
    ahead: int | None
    starts_at: datetime


class _Booker(Struct, frozen=True, kw_only=True):
    """Who books, for which door, and how."""

    actor: Actor
    via: Via
    card: str | None
    premises: UUID | None
    member: UUID | None = None


# --- booking


async def book_by_card(conn: Connection, door: CardDoor, service: UUID, draft: BookingByCard, now: datetime) -> Booked:
    """Book through the card of a door; the same draft again gets its first answer, as it stands now. Raises
    CardAtNoDoor, NotFound, IdTaken, NotBookable, AlreadyBooked, WaitingListFull or TooManyPersons."""
    if not door.usable:
        raise CardAtNoDoor
    booker = _Booker(actor=Actor("resident", door.number), via="card", card=door.number, premises=door.premises)
    return await _book(conn, await service_rows.lock(conn, door.district, service), draft, booker, now)


async def book_for_door(
    conn: Connection, reader: Reader, service: UUID, draft: BookingForDoor, now: datetime
) -> Booked:
    """Book for somebody at a door, or for who came to the desk; the same draft again gets its first answer. Raises
    NotFound, NotAllowed, IdTaken, NotBookable, AlreadyBooked, WaitingListFull, or Invalid with the field."""
    scopes.refuse_who_reads_nothing(reader)
    row = await service_rows.lock(conn, reader.district, service)
    if draft.via == "desk" and not await at_desk(conn, reader, row):
        raise NotAllowed
    if draft.via == "member" and draft.card is None and draft.premises is None:
        raise Missing("premises")
    card, premises = await _door(conn, reader, draft)
    actor = Actor("member", str(reader.member))
    booker = _Booker(actor=actor, via=draft.via, card=card, premises=premises, member=reader.member)
    return await _book(conn, row, draft, booker, now)


async def _door(conn: Connection, reader: Reader, draft: BookingForDoor) -> tuple[str | None, UUID | None]:
    """The card and the door that a booking is for."""
    if draft.card is not None:
        door = await card_doors.of_number(conn, reader.district, draft.card.strip().upper())
        if door is None or not door.usable:
            raise UnknownCard("card")
        return door.number, draft.premises or door.premises
    if draft.premises is not None:
        parameter = Parameters(reader.district, draft.premises)
        reached = (await scopes.reach(conn, reader)).condition(parameter, "premises", "p") or "true"
        question = (
            "select true from premises p where p.district = $1 and p.id = $2"
            f" and p.state in ('proposed', 'confirmed') and {reached}"
        )
        if not await conn.fetchval(question, *parameter.values):
            raise UnknownPremises("premises", given=str(draft.premises))
    return None, draft.premises


async def at_desk(conn: Connection, reader: Reader, row: ServiceRow) -> bool:
    """Whether a reader sees who booked, and books for who comes to them: who looks after the team, dispatchers, and
    who works in the service's community."""
    if reader.roles() & {"administrator", "dispatcher"}:
        return True
    if row.community is not None and row.community in reader.scopes("community"):
        return True
    try:
        await standing.refuse_who_does_not_look_after(conn, reader, row.team)
    except NotAllowed:
        return False
    return True


STANDING = """
select id, state from booking
where district = $1 and service = $2 and state <> 'cancelled' and (card = $3 or premises = $4) limit 1
"""
INSERT = """
with counted as (
  update service set booked = booked + $10, waiting = waiting + $11, bookings = $4 where district = $1 and id = $3
)
insert into booking (district, id, version, service, number, state, persons, via, card, premises, member, booked_at,
                     placed_at, recorded_at)
values ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $12, $13, $14, $13)
"""


async def _book(conn: Connection, row: ServiceRow, draft: BookingByCard, booker: _Booker, now: datetime) -> Booked:
    request = request_digest(draft)
    if await service_rows.told_before(conn, row.district, draft.id, draft.id, booker.actor, request):
        return await _now(conn, row, draft.id)
    if row.state != "announced" or row.starts_at <= now:
        raise NotBookable(None, state=row.state, starts_at=row.starts_at)
    if draft.persons > row.places:
        raise TooManyPersons("persons", most=row.places)
    if there := await conn.fetchrow(STANDING, row.district, row.id, booker.card, booker.premises):
        raise AlreadyBooked(None, booking=str(there["id"]), state=there["state"])
    fits = not row.waiting and row.booked + draft.persons <= row.places
    if not fits and row.waiting + draft.persons > row.waiting_places:
        raise WaitingListFull(None, waiting=row.waiting)
    state: BookingState = "booked" if fits else "waiting"
    number = row.bookings + 1
    await conn.execute(
        INSERT,
        row.district,
        draft.id,
        row.id,
        number,
        state,
        draft.persons,
        booker.via,
        booker.card,
        booker.premises,
        draft.persons if fits else 0,
        0 if fits else draft.persons,
        booker.member,
        now,
        now if fits else None,
    )
    facts: history.Row = {"service": row.id, "number": number, "state": state, "persons": draft.persons}
    facts |= {"via": booker.via, "card": booker.card, "premises": booker.premises}
    told = {name: value for name, value in facts.items() if value is not None}
    event = event_row(
        district=row.district,
        id=draft.id,
        kind="service",
        thing=draft.id,
        version=1,
        event="book",
        actor=booker.actor,
        happened_at=now,
        recorded_at=now,
        facts=told,
        request=request,
    )
    await history.append(conn, [event], [])
    return await _now(conn, row, draft.id)


NOW = """
select b.id, b.service, b.number, b.state, b.persons,
  case when b.state = 'waiting' then (select count(*) from booking a where a.district = b.district
    and a.service = b.service and a.state = 'waiting' and a.number < b.number) end as ahead
from booking b where b.district = $1 and b.id = $2
"""


async def _now(conn: Connection, row: ServiceRow, booking: UUID) -> Booked:
    (found,) = await conn.fetch(NOW, row.district, booking)
    return Booked(**found, starts_at=row.starts_at)


# --- moving up

# The first who wait, as far as the free places reach: who stands behind them never passes them.
NEXT = """
select id, version, persons from (
  select id, version, persons, number, sum(persons) over (order by number) as up_to
  from booking where district = $1 and service = $2 and state = 'waiting'
) w where up_to <= $3 order by number
"""
PLACE = """
with counted as (
  update service set booked = booked + $5, waiting = waiting - $5 where district = $1 and id = $2
)
update booking set state = 'booked', placed_at = $4, version = version + 1, recorded_at = $4
where district = $1 and id = any($3)
"""


async def move_up(conn: Connection, row: ServiceRow, now: datetime) -> ServiceRow:
    """Let who waits for a locked service move up into its free places, in order; the service as it is then."""
    if not row.waiting or row.booked >= row.places:
        return row
    placed = await conn.fetch(NEXT, row.district, row.id, row.places - row.booked)
    if not placed:
        return row
    persons = sum(one["persons"] for one in placed)
    await conn.execute(PLACE, row.district, row.id, [one["id"] for one in placed], now, persons)
    facts = {"service": row.id, "state": "booked"}
    events = [_event(row, one["id"], one["version"] + 1, "move_up", MOVING_UP, facts, now) for one in placed]
    await history.append(conn, events, [])
    return msgspec.structs.replace(row, booked=row.booked + persons, waiting=row.waiting - persons)


def _event(
    row: ServiceRow, booking: UUID, version: int, event: str, actor: Actor, facts: history.Row, now: datetime
) -> history.Row:
    return event_row(
        district=row.district,
        id=event_id(booking, f"{event} {version}"),
        kind="service",
        thing=booking,
        version=version,
        event=event,
        actor=actor,
        happened_at=now,
        recorded_at=now,
        facts=facts,
    )


# --- cancelling

FIND = "select service, card, premises, member from booking where district = $1 and id = $2"
STATE = "select state, persons, version from booking where district = $1 and id = $2"
CANCEL = """
with counted as (
  update service set booked = booked - $5, waiting = waiting - $6 where district = $1 and id = $2
)
update booking set state = 'cancelled', cancelled_at = $4, version = version + 1, recorded_at = $4
where district = $1 and id = $3
"""


async def cancel_by_card(conn: Connection, door: CardDoor, booking: UUID, now: datetime) -> Booked:
    """Take back a booking of the card's door; who waits first moves up in the same transaction. One that was cancelled
    stays so. Raises NotFound or BookingOver."""
    found = await conn.fetchrow(FIND, door.district, booking)
    if found is None or not door.usable:
        raise NotFound
    if found["card"] != door.number and (door.premises is None or found["premises"] != door.premises):
        raise NotFound
    row = await service_rows.lock(conn, door.district, found["service"])
    return await _cancel(conn, row, booking, Actor("resident", door.number), now)


async def cancel_by_member(conn: Connection, reader: Reader, booking: UUID, now: datetime) -> Booked:
    """The same, by who made the booking for the door, or at the desk. Raises NotFound, NotAllowed or BookingOver."""
    scopes.refuse_who_reads_nothing(reader)
    found = await conn.fetchrow(FIND, reader.district, booking)
    if found is None:
        raise NotFound
    row = await service_rows.lock(conn, reader.district, found["service"])
    if found["member"] != reader.member and not await at_desk(conn, reader, row):
        raise NotFound
    return await _cancel(conn, row, booking, Actor("member", str(reader.member)), now)


async def _cancel(conn: Connection, row: ServiceRow, booking: UUID, actor: Actor, now: datetime) -> Booked:
    (now_is,) = await conn.fetch(STATE, row.district, booking)
    state, persons = now_is["state"], now_is["persons"]
    if state != "cancelled":
        if state not in ("booked", "waiting") or row.state != "announced" or row.starts_at <= now:
            raise BookingOver(None, state=state)
        left = persons if state == "booked" else 0
        waited = persons if state == "waiting" else 0
        await conn.execute(CANCEL, row.district, row.id, booking, now, left, waited)
        facts = {"service": row.id, "state": "cancelled"}
        event = _event(row, booking, now_is["version"] + 1, "cancel_booking", actor, facts, now)
        await history.append(conn, [event], [])
        row = msgspec.structs.replace(row, booked=row.booked - left, waiting=row.waiting - waited)
        await move_up(conn, row, now)
    return await _now(conn, row, booking)


# --- who came

TICK = """
update booking set state = $4, placed_at = coalesce(placed_at, $5), version = version + 1, recorded_at = $5
where district = $1 and service = $2 and id = any($3) and state <> 'cancelled' and state <> $4
returning id, version
"""


async def tick(
    conn: Connection,
    row: ServiceRow,
    ids: Sequence[UUID],
    state: Literal["came", "missed"],
    actor: Actor,
    now: datetime,
) -> None:
    """Write down who came to a locked service, or did not; who had waited and came all the same came."""
    ticked = await conn.fetch(TICK, row.district, row.id, list(ids), state, now)
    facts: history.Row = {"service": row.id, "state": state}
    events = [_event(row, one["id"], one["version"], state, actor, facts, now) for one in ticked]
    await history.append(conn, events, [])


HAD_A_PLACE = """
select id from booking where district = $1 and service = $2 and (state = 'booked' or (state = 'came' and $3))
  and id <> all($4)
"""


async def tick_others_as_missed(
    conn: Connection, row: ServiceRow, came: Sequence[UUID] | None, actor: Actor, now: datetime
) -> None:
    """Who had a place and is not among those who came did not come; None for those who were ticked before."""
    others = await conn.fetch(HAD_A_PLACE, row.district, row.id, came is not None, list(came or ()))
    await tick(conn, row, [one["id"] for one in others], "missed", actor, now)

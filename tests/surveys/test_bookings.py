"""Bookings under load, and in any order: never more than there are places, nobody lost, and nobody passes anybody."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import cast
from uuid import UUID, uuid4

import asyncpg
import hypothesis
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from api import database
from maps.locator import Atlas
from surveys.contact_cards import card_doors
from surveys.contact_cards.card_doors import CardDoor
from surveys.people import people
from surveys.people.people import Reader
from surveys.refusals import AlreadyBooked, IdTaken
from surveys.volunteering import bookings, services
from surveys.volunteering.bookings import Booked, BookingByCard, TooManyPersons, WaitingListFull
from surveys.volunteering.services import Alteration, Announcement, PlacesTaken
from tests import services_at_hand
from tests.conftest import DISTRICT, NOW, Server, founded

pytestmark = pytest.mark.anyio

PLACES, PEOPLE, CONNECTIONS = 50, 500, 16
LATER = NOW + timedelta(hours=1)


async def leader(conn: asyncpg.Connection) -> Reader:
    found = await people.reader(conn, DISTRICT, services_at_hand.LEADS.number)
    assert found is not None
    return found


async def announce(conn: asyncpg.Connection, **changes: object) -> UUID:
    draft = msgspec.convert(services_at_hand.announcement(**changes), Announcement)
    async with conn.transaction():
        return (await services.announce(conn, await database_atlas(conn), await leader(conn), draft, NOW)).id


async def database_atlas(conn: asyncpg.Connection) -> Atlas:
    atlas = Atlas()
    await atlas.refresh(conn)
    return atlas


async def doors(conn: asyncpg.Connection, count: int) -> list[CardDoor]:
    found = [await card_doors.of_number(conn, DISTRICT, number) for number in await services_at_hand.doors(conn, count)]
    return [door for door in found if door is not None]


async def book(conn: asyncpg.Connection, door: CardDoor, service: UUID, persons: int = 1) -> Booked:
    async with conn.transaction():
        draft = BookingByCard(id=uuid4(), persons=persons)
        return await bookings.book_by_card(conn, door, service, draft, LATER)


ON_THE_LIST = """
select state, count(*) as bookings, array_agg(number order by number) as numbers from booking
where district = $1 and service = $2 group by state
"""
COUNTED = "select booked, waiting, bookings from service where district = $1 and id = $2"


async def test_five_hundred_who_book_the_last_fifty_places_at_once(dsn: str, conn: asyncpg.Connection) -> None:
    await services_at_hand.found_team(conn)
    service, cards = await announce(conn, places=PLACES), await doors(conn, PEOPLE)
    pool = await database.open_pool(dsn, least=CONNECTIONS, most=CONNECTIONS)

    async def come(door: CardDoor) -> Booked:
        async with pool.acquire() as own:
            return await book(cast(asyncpg.Connection, own), door, service)

    async with pool:
        answers = await asyncio.gather(*(come(door) for door in cards))
    assert sorted(one.number for one in answers) == list(range(1, PEOPLE + 1))
    assert {one.number for one in answers if one.state == "booked"} == set(range(1, PLACES + 1))
    assert all(one.ahead == one.number - PLACES - 1 for one in answers if one.state == "waiting")
    (counted,) = await conn.fetch(COUNTED, DISTRICT, service)
    assert tuple(counted) == (PLACES, PEOPLE - PLACES, PEOPLE)
    states = {row["state"]: row["bookings"] for row in await conn.fetch(ON_THE_LIST, DISTRICT, service)}
    assert states == {"booked": PLACES, "waiting": PEOPLE - PLACES}


class World(Struct):
    conn: asyncpg.Connection
    cards: list[CardDoor]


@pytest.fixture(scope="module")
async def world(server: Server, template: str) -> AsyncIterator[World]:
    async with founded(server, template) as address:
        conn = await database.connect(address)
        await services_at_hand.found_team(conn)
        yield World(conn, await doors(conn, 12))
        await conn.close()


class Party(Struct):
    """What the plain model knows of a booking."""

    id: UUID
    card: int
    persons: int
    state: str


class Model(Struct):
    """The rule as a person would read it: a place for each in turn, and nobody passes anybody."""

    places: int
    waiting_places: int
    parties: list[Party] = []

    def persons(self, state: str) -> int:
        return sum(one.persons for one in self.parties if one.state == state)

    def expected(self, card: int, persons: int) -> str | type[Exception]:
        if persons > self.places:
            return TooManyPersons
        if any(one.card == card and one.state != "cancelled" for one in self.parties):
            return AlreadyBooked
        if not self.persons("waiting") and self.persons("booked") + persons <= self.places:
            return "booked"
        return WaitingListFull if self.persons("waiting") + persons > self.waiting_places else "waiting"

    def move_up(self) -> None:
        for one in self.parties:
            if one.state == "waiting":
                if self.persons("booked") + one.persons > self.places:
                    return
                one.state = "booked"


Deed = tuple[str, int, int]
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("book"), st.integers(0, 11), st.integers(1, 4)),
        st.tuples(st.just("cancel"), st.integers(0, 30), st.just(0)),
        st.tuples(st.just("places"), st.integers(1, 9), st.just(0)),
    ),
    max_size=30,
)


@hypothesis.settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.integers(0, 9), DEEDS)
async def test_whatever_is_booked_and_cancelled_the_list_is_what_the_rule_says(
    world: World, places: int, waiting_places: int, deeds: list[Deed]
) -> None:
    transaction = world.conn.transaction()
    await transaction.start()
    try:
        service = await announce(world.conn, places=places, waiting_places=waiting_places)
        model = Model(places, waiting_places, [])
        for deed, which, persons in deeds:
            await _do(world, service, model, deed, which, persons)
            await _compare(world.conn, service, model)
    finally:
        await transaction.rollback()


async def _do(world: World, service: UUID, model: Model, deed: str, which: int, persons: int) -> None:
    if deed == "book":
        expected = model.expected(which, persons)
        if isinstance(expected, str):
            told = await book(world.conn, world.cards[which], service, persons)
            assert told.state == expected
            model.parties.append(Party(told.id, which, persons, told.state))
        else:
            with pytest.raises(expected):
                await book(world.conn, world.cards[which], service, persons)
    elif deed == "cancel" and model.parties:
        party = model.parties[which % len(model.parties)]
        async with world.conn.transaction():
            await bookings.cancel_by_card(world.conn, world.cards[party.card], party.id, LATER)
        party.state = "cancelled"
        model.move_up()
    elif deed == "places" and which != model.places:
        await _offer(world.conn, service, model, which)


async def _offer(conn: asyncpg.Connection, service: UUID, model: Model, places: int) -> None:
    version = await conn.fetchval("select version from service where district = $1 and id = $2", DISTRICT, service)
    draft = Alteration(id=uuid4(), expected_version=version, places=places)
    changing = services.alter(conn, Atlas(), await leader(conn), service, draft, LATER)
    if places < model.persons("booked"):
        with pytest.raises(PlacesTaken):
            async with conn.transaction():
                await changing
        return
    async with conn.transaction():
        await changing
    model.places = places
    model.move_up()


async def _compare(conn: asyncpg.Connection, service: UUID, model: Model) -> None:
    rows = await conn.fetch("select id, state, number from booking where service = $1 order by number", service)
    assert [(row["id"], row["state"]) for row in rows] == [(one.id, one.state) for one in model.parties]
    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    (counted,) = await conn.fetch(COUNTED, DISTRICT, service)
    assert counted["booked"] == model.persons("booked") <= model.places
    assert counted["waiting"] == model.persons("waiting")


async def test_the_same_booking_again_gets_its_first_answer_and_its_id_books_nothing_else(world: World) -> None:
    conn, (card, other, *_) = world.conn, world.cards
    transaction = conn.transaction()
    await transaction.start()
    service, draft = await announce(conn, places=1), BookingByCard(id=uuid4())
    first = await bookings.book_by_card(conn, card, service, draft, LATER)
    assert await bookings.book_by_card(conn, card, service, draft, LATER) == first
    with pytest.raises(IdTaken):
        await bookings.book_by_card(conn, other, service, draft, LATER)
    with pytest.raises(IdTaken):
        await bookings.book_by_card(conn, card, service, msgspec.structs.replace(draft, persons=2), LATER)
    await transaction.rollback()

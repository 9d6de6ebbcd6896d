"""Five hundred people who book the last fifty places of a service at once, beside the same rows written by a bare loop
under the same lock."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median
from typing import cast
from uuid import UUID, uuid4

import asyncpg

from api import database, migrations
from api.embedded_postgres import Cluster
from surveys.contact_cards import card_doors
from surveys.contact_cards.card_doors import CardDoor
from surveys.volunteering import bookings
from surveys.volunteering.bookings import BookingByCard
from tests import services_at_hand
from tests.bench.figures import Figure
from tests.conftest import DISTRICT, NOW, found_district

NAME = "bench_bookings"
PLACES, PEOPLE, CONNECTIONS, ROUNDS = 50, 500, 16, 3
WANTED = 0.4

STATES = "select state, count(*) as n, min(number) as first from booking where service = $1 group by state"
LOCK = "select booked, waiting, bookings from service where district = $1 and id = $2 for no key update"
COUNT = "update service set bookings = bookings + 1 where district = $1 and id = $2"
BOOK = """
insert into booking (district, id, version, service, number, state, persons, via, card, booked_at, placed_at,
                     recorded_at)
values ($1, $2, 1, $3, $4, 'booked', 1, 'card', $5, $6, $6, $6)
"""
TELL = """
insert into history (district, id, kind, thing, version, event, actor_kind, actor, happened_at, recorded_at, facts)
values ($1, $2, 'service', $2, 1, 'book', 'resident', $3, $4, $4, $5)
"""


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Book by the program's own function and by the bare loop, in turns, from as many connections."""
    conn = await _district(cluster)
    numbers = await services_at_hand.doors(conn, PEOPLE)
    doors = [door for number in numbers if (door := await card_doors.of_number(conn, DISTRICT, number))]
    pool = await database.open_pool(cluster.dsn("zoufang_app", NAME), least=CONNECTIONS, most=CONNECTIONS)
    ours: list[float] = []
    bare: list[float] = []
    in_order = True
    async with pool:
        for _ in range(ROUNDS):
            service = await services_at_hand.announced(conn, PLACES)
            ours.append(await _all(pool, doors, service, _book))
            states = {row["state"]: (row["n"], row["first"]) for row in await conn.fetch(STATES, service)}
            in_order &= states == {"booked": (PLACES, 1), "waiting": (PEOPLE - PLACES, PLACES + 1)}
            bare.append(await _all(pool, doors, await services_at_hand.announced(conn, PLACES), _bare))
    await conn.close()
    rate, ceiling = PEOPLE / median(ours), PEOPLE / median(bare)
    return [
        Figure(
            what=f"{PEOPLE} book the last {PLACES} places at once, {CONNECTIONS} connections",
            figure=f"{rate:,.0f} bookings/s, {PLACES} booked and the others on the list in order: {in_order}",
            ceiling=f"{ceiling:,.0f}/s, the same rows by a bare loop",
            ratio=rate / ceiling,
            wanted=f"≥ {WANTED}, none lost",
            met=in_order and rate / ceiling >= WANTED,
        )
    ]


async def _district(cluster: Cluster) -> asyncpg.Connection:
    admin = await asyncpg.connect(cluster.dsn())
    await admin.execute(f"create database {NAME}")
    await admin.close()
    owner = await asyncpg.connect(cluster.dsn("zoufang_owner", NAME))
    await migrations.migrate(owner)
    await owner.close()
    conn = await database.connect(cluster.dsn("zoufang_app", NAME))
    await found_district(conn)
    await services_at_hand.found_team(conn)
    return conn


Booking = Callable[[asyncpg.Connection, CardDoor, UUID], Awaitable[object]]


async def _all(pool: asyncpg.Pool, doors: Sequence[CardDoor], service: UUID, book: Booking) -> float:
    """How long it takes until all of them have an answer, in seconds."""

    async def one(door: CardDoor) -> None:
        async with pool.acquire() as own, own.transaction():
            await book(cast(asyncpg.Connection, own), door, service)

    began = time.perf_counter()
    await asyncio.gather(*(one(door) for door in doors))
    return time.perf_counter() - began


async def _book(conn: asyncpg.Connection, door: CardDoor, service: UUID) -> object:
    return await bookings.book_by_card(conn, door, service, BookingByCard(id=uuid4()), NOW)


async def _bare(conn: asyncpg.Connection, door: CardDoor, service: UUID) -> object:
    (row,) = await conn.fetch(LOCK, DISTRICT, service)
    id_, number = uuid4(), row["bookings"] + 1
    await conn.execute(COUNT, DISTRICT, service)
    await conn.execute(BOOK, DISTRICT, id_, service, number, door.number, NOW)
    return await conn.execute(TELL, DISTRICT, id_, door.number, NOW, {"service": str(service), "number": number})

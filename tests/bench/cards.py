"""The resident's page on one core, beside a hundred thousand issues: the pages of 200 doors, each with six issues."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from statistics import median
from uuid import uuid4

import asyncpg
import httpx

from api import resident_page
from api.embedded_postgres import Cluster
from surveys.contact_cards import card_doors, contact_cards
from surveys.contact_cards.contact_cards import Giver, NewCard
from surveys.history import Actor
from tests.bench import coverage, district, load, many_issues, server
from tests.bench.district import DISTRICT
from tests.bench.figures import Figure

CARDS = 200
ISSUES = 6  # at each door
BESIDE = 100_000  # other issues
ROUNDS = 3
SECONDS = 8
WANTED = 500  # pages a second
HEAVIEST = 100 * 1024

UNLIMITED = {
    "ZOUFANG_CARD_BURST": "10000000",
    "ZOUFANG_CARD_PER_MINUTE": "10000000",
    "ZOUFANG_PAGE_BURST": "1000000",
    "ZOUFANG_PAGE_PER_MINUTE": "1000000",
    "ZOUFANG_JOBS": "off",
}


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Open pages from 32 kept connections, and put the questions of a page by a bare loop, in turns."""
    base = await server.copy(cluster, "bench_cards")
    await many_issues.write(base.owner, BESIDE)
    cards = await make_cards(base)
    pages: list[load.Run] = []
    bare: list[float] = []
    with server.serving(base, folder / "cards.log", core="0", **UNLIMITED) as address:
        await leave_at_doors(address, cards)
        await server.analyze(base)
        cookies = await scan(address, cards)
        weight = await weigh(address, cookies[0])
        load.open_cards(address, folder, cookies, connections=32, seconds=3)  # warms up
        for _ in range(ROUNDS):
            pages.append(
                await asyncio.to_thread(load.open_cards, address, folder, cookies, connections=32, seconds=SECONDS)
            )
            bare.append(await ask(base, cards))
    rate = median(page.rate for page in pages)
    return [
        Figure(
            what="the resident's page, one process on one core, 32 kept connections",
            figure=f"{rate:,.0f} pages/s, p50 {median(page.p50_ms for page in pages):.0f},"
            f" p99 {median(page.p99_ms for page in pages):.0f} ms",
            ceiling=f"{median(bare):,.0f} pages/s, its question by a bare loop",
            ratio=rate / median(bare),
            wanted=f"≥ {WANTED}/s",
            met=rate >= WANTED,
        ),
        Figure(
            what="— with script, style and picture, before compression",
            figure=f"{weight / 1024:.0f} KB",
            wanted="< 100 KB",
            met=weight < HEAVIEST,
        ),
    ]


async def make_cards(base: server.Database) -> Sequence[NewCard]:
    """The cards of an organisation."""
    conn = await base.connect()
    organisation = await conn.fetchval("select id from organisation where district = $1 limit 1", DISTRICT)
    giver = Giver(organisation=organisation, service_name="第一支部")
    by = Actor("program", "bench")
    async with conn.transaction():
        made = await contact_cards.make(conn, DISTRICT, [giver] * CARDS, "EQ", by, datetime.now(UTC))
    await conn.close()
    return made


async def leave_at_doors(address: str, cards: Sequence[NewCard]) -> None:
    """File a visit for each card, with the issues of its door."""
    at = datetime.now(UTC) - timedelta(hours=2)
    position = {"lon": (coverage.WEST + coverage.EAST) / 2, "lat": (coverage.SOUTH + coverage.NORTH) / 2}
    categories = cycle(district.CATEGORIES)
    visits = [
        {
            "id": str(uuid4()),
            "premises": {"id": str(uuid4()), "kind": "shop", "name": "便民商店", "address": "和平路"},
            "started_at": at.isoformat(),
            "ended_at": at.isoformat(),
            "outcome": "met",
            "position": position,
            "contact_card": card.number,
            "issues": [
                {"id": str(uuid4()), "category": next(categories), "title": f"门口垃圾堆放无人清理，第{one}处"}
                for one in range(ISSUES)
            ],
        }
        for card in cards
    ]
    headers = {"Authorization": f"Bearer {district.token(1)}"}
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        answer = await client.post("/api/visits/batch", json=visits, headers=headers)
        if any(result.get("receipt", {}).get("flags") != [] for result in answer.json()["results"]):
            raise RuntimeError(f"the cards were not left: {answer.text[:500]}")


async def scan(address: str, cards: Sequence[NewCard]) -> list[str]:
    """The cookie of each card."""
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        answers = [await client.post("/card/session", json={"token": f"{DISTRICT}.{card.token}"}) for card in cards]
    return [answer.cookies["zoufang_card"] for answer in answers]


async def weigh(address: str, cookie: str) -> int:
    """The bytes of a page and of all that it asks for."""
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        page = (await client.get("/card", headers={"Cookie": f"zoufang_card={cookie}"})).text
        named = {part.split('"', maxsplit=1)[0] for part in page.split('"/static/')[1:]}
        return len(page.encode()) + sum([len((await client.get(f"/static/{name}")).content) for name in named])


async def ask(base: server.Database, cards: Sequence[NewCard]) -> float:
    """How many pages' questions a second a bare loop puts, over as many connections as the program has for them."""
    count = resident_page.CONNECTIONS
    pool = await asyncpg.create_pool(base.program, min_size=count, max_size=count, server_settings={"jit": "off"})
    asked, until = 0, time.perf_counter() + SECONDS
    numbers = cycle(card.number for card in cards)

    async def put() -> None:
        nonlocal asked
        async with pool.acquire() as conn:
            while time.perf_counter() < until:
                await conn.fetch(card_doors.PAGE, DISTRICT, next(numbers))
                asked += 1

    await asyncio.gather(*[put() for _ in range(count)])
    await pool.close()
    return asked / SECONDS

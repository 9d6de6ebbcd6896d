"""Signing in with a password while visits are filed: how many people a second, and what it takes from the filing."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from statistics import median

import asyncpg
import httpx
from msgspec import Struct

from api.embedded_postgres import Cluster
from surveys.access import passwords
from tests.bench import district, load, server
from tests.bench.figures import Figure

ROUNDS = 3
SECONDS = 8
PER_SECOND = 6  # people who arrive, whether or not those before them are in
PASSWORD = "菜场 门口 修 路灯"

GIVE_PASSWORDS = """
insert into member_password (district, member, hash, changed_at) select $1, unnest($2::uuid[]), $3, $4
"""


class Arrivals(Struct):
    """How long each of those who arrived waited until they were in, and how long they took together."""

    waited_ms: list[float]
    seconds: float

    @property
    def rate(self) -> float:
        return len(self.waited_ms) / self.seconds


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """File visits alone and while people sign in, in turns."""
    base = await server.copy(cluster, "bench_sign_ins")
    conn = await base.connect()
    await give_passwords(conn)
    await conn.close()
    alone: list[float] = []
    beside: list[float] = []
    arrived: list[Arrivals] = []
    numbers = cycle(str(at) for at in range(1, district.TOKENS + 1))
    unlimited = {"ZOUFANG_SIGN_IN_BURST": "1000000"}  # they all come from one address
    with server.serving(base, folder / "sign_ins.log", **unlimited) as address:
        load.file_visits(address, folder, connections=32, seconds=4)  # warms up
        await server.analyze(base)
        for _ in range(ROUNDS):
            alone.append((await _file(address, folder)).rate)
            filing = asyncio.create_task(_file(address, folder))
            arrived.append(await sign_in(address, numbers))
            beside.append((await filing).rate)
    waited = sorted(one for arrivals in arrived for one in arrivals.waited_ms)
    rate = median(arrivals.rate for arrivals in arrived)
    ratio = median(beside) / median(alone)
    return [
        Figure(
            what="people who sign in with a password while visits are filed",
            figure=f"{rate:.1f}/s, p50 {median(waited):.0f}, p99 {waited[int(len(waited) * 0.99)]:.0f} ms",
            wanted="≥ 5/s",
            met=rate >= 5,
        ),
        Figure(
            what="— filing meanwhile, 32 connections",
            figure=f"{median(beside):,.0f} visits/s",
            ceiling=f"{median(alone):,.0f} visits/s, nobody signing in",
            ratio=ratio,
            wanted="ratio ≥ 0.8",
            met=ratio >= 0.8,
        ),
    ]


async def give_passwords(conn: asyncpg.Connection) -> None:
    """One password for everybody: to check it takes as long as if each had their own."""
    members = [district.member(at) for at in range(1, district.TOKENS + 1)]
    hash_ = passwords.hashed(passwords.normalised(PASSWORD))
    await conn.execute(GIVE_PASSWORDS, district.DISTRICT, members, hash_, datetime.now(UTC))


async def _file(address: str, folder: Path) -> load.Run:
    return await asyncio.to_thread(load.file_visits, address, folder, connections=32, seconds=SECONDS)


async def sign_in(address: str, numbers: Iterator[str]) -> Arrivals:
    """Let people arrive in a steady stream, and wait until the last of them is in; raises when one is not let in."""
    began = time.perf_counter()
    async with httpx.AsyncClient(base_url=address, timeout=30) as client:
        arriving = []
        for at in range(PER_SECOND * (SECONDS - 1)):
            await asyncio.sleep(max(0.0, began + at / PER_SECOND - time.perf_counter()))
            arriving.append(asyncio.create_task(_one(client, next(numbers))))
        waited = await asyncio.gather(*arriving)
    return Arrivals(list(waited), time.perf_counter() - began)


async def _one(client: httpx.AsyncClient, number: str) -> float:
    began = time.perf_counter()
    answer = await client.post("/sign-in", data={"account": number, "password": PASSWORD}, headers={"Cookie": ""})
    if answer.status_code != 303:
        raise RuntimeError(f"{number} was not let in: {answer.status_code}")
    return (time.perf_counter() - began) * 1_000

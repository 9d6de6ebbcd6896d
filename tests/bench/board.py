"""The public board on one core: the points of a month of 2,000 volunteers, models and what else stands on it, made once
every few seconds and handed to everybody."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import httpx

from api.embedded_postgres import Cluster
from surveys.people.people import Grant, Reader
from surveys.volunteering import points_boards, points_rules
from surveys.volunteering.points_boards import BoardDraft
from surveys.volunteering.points_rules import RulesDraft
from tests.bench import load, server
from tests.bench.district import DISTRICT
from tests.bench.figures import Figure

VOLUNTEERS = 2_000
SERVICES = 300
AT_EACH = 20  # volunteers at one service
ROUNDS = 3
SECONDS = 8
WANTED = 500  # requests a second
ZONE = ZoneInfo("Asia/Shanghai")
LAST_MONTH = (datetime.now(ZONE).date().replace(day=1) - timedelta(days=1)).replace(day=1)

UNLIMITED = {"ZOUFANG_PAGE_BURST": "1000000", "ZOUFANG_PAGE_PER_MINUTE": "1000000", "ZOUFANG_JOBS": "off"}

VOLUNTEER = """
insert into volunteer (district, id, version, number, member, joined_at, name_public_since, recorded_at)
select $1, m.id, 1, 'V' || m.number, m.id, $2, case when m.at % 5 < 3 then $2::timestamptz end, $2
from (select id, number, row_number() over (order by number) as at from member where district = $1 limit $3) m
"""
TEAM = """
insert into volunteer_team (district, id, version, kind, organisation, text_version, founded_at, recorded_at)
select $1, $2::uuid, 1, 'arts', id, 1, $3::timestamptz, $3::timestamptz
from organisation where district = $1 order by id limit 1
"""
SERVICE = """
insert into service (district, id, version, team, kind, state, starts_at, ends_at, places, waiting_places, certainty,
  text_version, announced_by, announced_at, helped, reported_by, reported_at, confirmed_by, confirmed_at, recorded_at)
select $1, s.id, 1, $2::uuid, 'arts', 'confirmed', s.at, s.at + interval '2 hours', 50, 10, 'unplaced', 1, m.id, s.at,
  20, m.id, s.at + interval '3 hours', m.id, s.at + interval '3 hours', s.at + interval '3 hours'
from unnest($3::uuid[], $4::timestamptz[]) s(id, at),
  (select id from member where district = $1 order by number limit 1) m
"""
SERVED = """
insert into time_transaction (district, id, kind, minutes, lines, volunteer, served, service, happened_at, recorded_at,
  request)
select $1, gen_random_uuid(), 'earn', t.minutes, 2, t.volunteer, t.minutes, t.service, t.at, t.at, ''
from unnest($2::uuid[], $3::uuid[], $4::integer[], $5::timestamptz[]) t(volunteer, service, minutes, at)
"""


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Open the board from 32 kept connections, and have the bare server answer the same bytes, in turns."""
    base = await server.copy(cluster, "bench_board")
    conn = await base.connect()
    counting = await fill(conn)
    await conn.close()
    await server.analyze(base)
    runs: list[load.Run] = []
    bare: list[load.Run] = []
    with server.serving(base, folder / "board.log", core="0", **UNLIMITED) as address:
        size = await fetch(address, folder / "board.gz")
        with bare_server(folder / "board.gz") as ceiling:
            await asyncio.to_thread(load.open_board, address, size, connections=32, seconds=3)  # warms up
            for _ in range(ROUNDS):
                runs.append(await asyncio.to_thread(load.open_board, address, size, connections=32, seconds=SECONDS))
                bare.append(await asyncio.to_thread(load.open_board, ceiling, size, connections=32, seconds=SECONDS))
    rate, most = median(run.rate for run in runs), median(run.rate for run in bare)
    return [
        Figure(
            what="the public board, one process on one core, 32 kept connections",
            figure=f"{rate:,.0f} requests/s, p50 {median(run.p50_ms for run in runs):.0f},"
            f" p99 {median(run.p99_ms for run in runs):.0f} ms, {size / 1024:.1f} KB compressed",
            ceiling=f"{most:,.0f} requests/s, the same bytes by the bare framework on the same core",
            ratio=rate / most,
            wanted=f"≥ {WANTED}/s",
            met=rate >= WANTED,
        ),
        Figure(
            what=f"— the points of {VOLUNTEERS:,} volunteers' {SERVICES * AT_EACH:,} deeds, counted by one question",
            figure=f"{counting * 1_000:.0f} ms",
        ),
    ]


async def fill(conn: asyncpg.Connection) -> float:
    """Let many have served last month, and publish it; the seconds that it took to count and publish."""
    rng = Random(7)  # noqa: S311 - a bench's
    began = datetime.combine(LAST_MONTH, datetime.min.time(), ZONE).astimezone(UTC)
    team, long_ago = UUID(int=1), began - timedelta(days=300)
    services = [(UUID(int=1_000 + at), began + timedelta(hours=2 + 2 * at)) for at in range(SERVICES)]
    async with conn.transaction():
        await conn.execute(VOLUNTEER, DISTRICT, long_ago, VOLUNTEERS)
        await conn.execute(TEAM, DISTRICT, team, long_ago)
        await conn.execute(SERVICE, DISTRICT, team, *map(list, zip(*services, strict=True)))
        volunteers = [row["id"] for row in await conn.fetch("select id from volunteer where district = $1", DISTRICT)]
        served = [
            (volunteer, service, rng.choice((60, 90, 120)), at)
            for service, at in services
            for volunteer in rng.sample(volunteers, AT_EACH)
        ]
        await conn.execute(SERVED, DISTRICT, *map(list, zip(*served, strict=True)))
        return await publish(conn, volunteers[0])


async def publish(conn: asyncpg.Connection, member: UUID) -> float:
    """Rules and the board of last month, by a member who is made its administrator for it."""
    now, loop = datetime.now(UTC), asyncio.get_running_loop()
    grants = (Grant("administrator", "district", str(DISTRICT)),)
    reader = Reader(district=DISTRICT, member=member, name="", organisation=member, grants=grants)
    month = f"{LAST_MONTH:%Y-%m}"
    rules = RulesDraft(id=UUID(int=2), valid_from=month, rules=points_rules.PROPOSED)
    await points_rules.publish(conn, reader, rules, ZONE, now)
    started = loop.time()
    await points_boards.publish(conn, reader, BoardDraft(id=UUID(int=3), month=month, known_at=now), ZONE, now)
    return loop.time() - started


async def fetch(address: str, kept: Path) -> int:
    """Keep the compressed page, and return how many bytes it has."""
    async with (
        httpx.AsyncClient(base_url=address, timeout=60) as client,
        client.stream("GET", "/board?lang=zh", headers={"Accept-Encoding": "gzip"}) as answer,
    ):
        answer.raise_for_status()
        body = b"".join([part async for part in answer.aiter_raw()])
    return await asyncio.to_thread(kept.write_bytes, body)


@contextmanager
def bare_server(body: Path) -> Iterator[str]:
    """The framework alone on the same core, answering these bytes."""
    port = server.free_port()
    command = ("taskset", "--cpu-list", "0", sys.executable, "-m", "tests.bench.bare_answer", str(port), str(body))
    process = subprocess.Popen(command)
    address = f"http://127.0.0.1:{port}"
    try:
        server.await_ready(process, f"{address}/health/ready")
        yield address
    finally:
        process.terminate()
        process.wait(60)

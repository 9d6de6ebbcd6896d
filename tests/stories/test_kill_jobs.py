"""A kill -9 of whoever raises what is late, and of the server, in the middle of it: nobody is told twice for the same
level, and nothing is forgotten."""

import asyncio
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from api import database
from api.cli.database import opened
from api.embedded_postgres import Cluster
from api.settings import Settings
from tests.api.processes import Program, kill_all
from tests.bench.late import WRITE
from tests.conftest import DISTRICT, ORGANISER, WORKER, found_district

ISSUES = 16_000  # late by an hour, so that one level is due
KILLS = 4
PLACES = 7_500, 12_500  # where the first two are held up: in the second and in the third of their transactions
LONGEST = 400.0

RAISED = "select count(*) from escalation"
# A sweep waits for whoever else raises the same.
HELD = """
insert into escalation (district, issue, due_at, level, event, raised_at)
select district, id, due_at, 1, gen_random_uuid(), now() from issue where district = $1 order by id offset $2 limit 1
"""
BOOKS = """
select (select count(*) from escalation) as raised,
       (select count(distinct (issue, due_at, level)) from escalation) as once,
       (select count(*) from history where kind = 'escalation') as events,
       (select count(distinct (facts->>'about', facts->>'level', facts->>'due_at'))
          from history where kind = 'escalation') as told_of,
       (select count(*) from history_follower) as followers
"""
NOTICES = """
select count(*) as notices, count(distinct (n.member, n.issue, n.level)) as once,
       count(*) filter (where n.member = $1) as organiser
from notice n where n.kind = 'overdue'
"""


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder with the small district in its database, and a great many issues that have just become late."""
    with tempfile.TemporaryDirectory(prefix="zf-") as folder:
        path = Path(folder) / "data"
        with opened(Settings(data=path)) as addresses:
            assert addresses.owner is not None
            asyncio.run(_found(addresses.program, addresses.owner))
        yield path


async def _found(program: str, owner: str) -> None:
    conn = await database.connect(program)
    await found_district(conn)
    await conn.execute("insert into deadline_rules values ($1, '[]', $2, now())", DISTRICT, [{"amount": 0}])
    await conn.close()
    conn = await asyncpg.connect(owner)
    await conn.execute("set session_replication_role = replica")
    await conn.execute(WRITE, DISTRICT, ISSUES, [WORKER.id], datetime.now(UTC) - timedelta(hours=1))
    await conn.execute("vacuum analyze issue")
    await conn.close()


async def _asked(dsn: str, statement: str, *values: Any) -> dict[str, int]:
    conn = await asyncpg.connect(dsn)
    try:
        return dict(await conn.fetchrow(statement, *values) or {})
    finally:
        await conn.close()


def raised(dsn: str) -> int:
    return asyncio.run(_asked(dsn, RAISED))["count"]


@contextmanager
def held(dsn: str, place: int) -> Iterator[None]:
    """Somebody who has begun to raise the issue at this place in the order of a sweep, and gives it up in the end."""
    with asyncio.Runner() as runner:

        async def hold() -> asyncpg.Connection:
            conn = await asyncpg.connect(dsn)
            await conn.execute("begin")
            assert await conn.execute(HELD, DISTRICT, place) == "INSERT 0 1"
            return conn

        conn = runner.run(hold())
        try:
            yield
        finally:
            runner.run(conn.close())


def wait_for(dsn: str, more_than: int, most: float) -> int:
    """Until more has been raised than this."""
    deadline = time.monotonic() + most
    while (count := raised(dsn)) <= more_than:
        assert time.monotonic() < deadline, count
        time.sleep(0.01)
    return count


@pytest.mark.timeout(1_200)
def test_a_kill_in_the_middle_of_a_sweep_tells_nobody_twice_and_forgets_nothing(data: Path) -> None:
    """The jobs alone, and the server that runs them too, beside one another; killed in turn, each once while it works
    for certain, and then when chance has it."""
    with opened(Settings(data=data)) as addresses:
        dsn = addresses.program
    settings = {"DATABASE_URL": dsn, "ZOUFANG_POOL_SIZE": "2"}
    chance = random.Random(4)  # noqa: S311 - when they are killed is no secret
    with Cluster(data / "postgresql"):
        alone = Program(data.with_name("alone"), **settings)
        server = Program(data.with_name("server"), **settings)
        reached = 0
        for kill in range(KILLS):
            program = (alone, server)[kill % 2]
            certain = held(dsn, PLACES[kill]) if kill < len(PLACES) else nullcontext()
            with certain, program.begun("jobs" if program is alone else "serve") as process:
                if reached < ISSUES:
                    wait_for(dsn, reached, 200)
                time.sleep(chance.uniform(0, 0.2))
                kill_all(process.pid)
            reached = raised(dsn)
            assert reached > 0
            assert reached < ISSUES or kill >= len(PLACES), "it was killed in the middle"
        with alone.begun("jobs"), server.begun("serve"):
            deadline = time.monotonic() + LONGEST
            while asyncio.run(_asked(dsn, NOTICES, ORGANISER.id))["notices"] < ISSUES:
                assert time.monotonic() < deadline, (raised(dsn), asyncio.run(_asked(dsn, NOTICES, ORGANISER.id)))
                time.sleep(0.5)
        books = asyncio.run(_asked(dsn, BOOKS))
        notices = asyncio.run(_asked(dsn, NOTICES, ORGANISER.id))
    assert books == {"raised": ISSUES, "once": ISSUES, "events": ISSUES, "told_of": ISSUES, "followers": 1}
    assert notices == {"notices": ISSUES, "once": ISSUES, "organiser": ISSUES}

"""A kill -9 of whoever works a round's results out, in the middle of it: begun again, it comes to the same results as
without, each of them once."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from api import database
from api.cli.database import opened
from api.embedded_postgres import Cluster
from api.settings import Settings
from surveys.assessments import instruments, raters, results, rounds
from surveys.history import Actor
from tests.api.processes import Program, kill_all
from tests.bench import district as bench_district
from tests.bench import rounds as bench_rounds
from tests.conftest import ADMINISTRATOR, DISTRICT, ORGANISATION, found_district

MEMBERS = 3_000  # so that there are a dozen batches
KILLS = 2
PLACE = 1_600  # where the first is held up: in the seventh batch
LONGEST = 400.0
WHOLE, BROKEN = UUID(int=1), UUID(int=2)

# The same people, asked for the same ratings, who gave the same, in another round.
COPIES = (
    """
insert into round_subject (district, round, subject, organisation, other, skipped)
select district, $2, subject, organisation, other, skipped from round_subject where round = $1
""",
    """
insert into round_rater (district, round, subject, rater_group, rater)
select district, $2, subject, rater_group, rater from round_rater where round = $1
""",
    """
insert into rating (district, round, subject, id, rater_group, rater, way, version, points, request, given_at,
  recorded_at)
select district, $2, subject, id, rater_group, rater, way, version, points, request, given_at, recorded_at
from rating where round = $1
""",
    "update rating_round r set drawn_at = w.drawn_at, seed = w.seed from rating_round w where w.id = $1 and r.id = $2",
)
DONE = """
select coalesce(max(done), 0) as done, coalesce(bool_or(ready_at is not null), false) as ready
from round_computation where round = $1
"""
# Whoever keeps a result waits for whoever else keeps the same.
HELD = """
insert into round_result (district, round, version, subject, headings, items, counts, sums, facts, appealed)
select district, $2, version, subject, headings, items, counts, sums, facts, appealed
from round_result where round = $1 order by subject offset $3 limit 1
"""
BOOKS = """
select (select count(*) from round_computation where round = $2) as versions,
       (select count(*) from round_result where round = $2) as results,
       (select count(distinct subject) from round_result where round = $2) as once,
       (select done from round_computation where round = $2) as done,
       (select subjects from round_computation where round = $2) as subjects,
       (select count(*) from history where kind = 'round' and event = 'results' and facts->>'about' = $2::text) as told,
       (select count(*) from round_result w join round_result b using (district, version, subject)
         where w.round = $1 and b.round = $2
           and (w.percent, w.headings, w.items, w.counts, w.sums, w.appealed, w.rank, w.tied, w.stars, w.by_quota)
             is not distinct from
             (b.percent, b.headings, b.items, b.counts, b.sums, b.appealed, b.rank, b.tied, b.stars, b.by_quota)
       ) as the_same,
       (select w.digest = b.digest from round_computation w, round_computation b where w.round = $1 and b.round = $2)
         as one_digest
"""


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder with the same round twice: one is worked out already, the other's first result is due."""
    with tempfile.TemporaryDirectory(prefix="zf-") as folder:
        path = Path(folder) / "data"
        with opened(Settings(data=path)) as addresses:
            assert addresses.owner is not None
            asyncio.run(_found(addresses.program, addresses.owner))
        yield path


async def _found(program: str, owner: str) -> None:
    conn = await database.connect(program)
    await found_district(conn)
    await conn.close()
    conn = await database.connect(owner)
    await conn.execute("set session_replication_role = replica")
    now = datetime.now(UTC).replace(microsecond=0)
    members = (bench_district.FIRST_MEMBER, ORGANISATION, now - bench_district.LONG_AGO, MEMBERS)
    await conn.execute(bench_district.MEMBERS.replace("at::text,", "(5000 + at)::text,"), DISTRICT, *members)
    card, open_at = bench_rounds.scorecard(), now - timedelta(hours=6)
    async with conn.transaction():
        await instruments.publish(conn, DISTRICT, card, Actor("program", "tests"), now - timedelta(days=1))
        about = (card.id, card.version, date(2026, 7, 1), date(2026, 9, 30), ADMINISTRATOR.id, open_at)
        for round_ in WHOLE, BROKEN:
            await conn.execute(bench_rounds.MAKE, DISTRICT, round_, *about)
        await raters.draw(conn, await rounds.one(conn, DISTRICT, WHOLE), open_at)
    await bench_rounds.rate(conn, WHOLE, card, open_at)
    for statement in COPIES:
        await conn.execute(statement, WHOLE, BROKEN)
    await conn.execute("analyze")
    await conn.execute(bench_rounds.PUT_DOWN, DISTRICT, WHOLE, now)
    await results.work_out(conn, DISTRICT, WHOLE, UUID(int=9), now)
    await conn.close()


async def _asked(dsn: str, statement: str, *values: Any) -> dict[str, Any]:
    conn = await asyncpg.connect(dsn)
    try:
        return dict(await conn.fetchrow(statement, *values) or {})
    finally:
        await conn.close()


@contextmanager
def held(owner: str) -> Iterator[None]:
    """Somebody who has begun to keep the result at this place in the order of the batches, and gives it up in the
    end."""
    with asyncio.Runner() as runner:

        async def hold() -> asyncpg.Connection:
            conn = await asyncpg.connect(owner)
            await conn.execute("set session_replication_role = replica")  # nothing is being worked out yet
            await conn.execute("begin")
            assert await conn.execute(HELD, WHOLE, BROKEN, PLACE) == "INSERT 0 1"
            return conn

        conn = runner.run(hold())
        try:
            yield
        finally:
            runner.run(conn.close())


def wait_for(dsn: str, more_than: int, most: float) -> dict[str, Any]:
    """Until more was worked out than this, or all is ready."""
    deadline = time.monotonic() + most
    while True:
        state = asyncio.run(_asked(dsn, DONE, BROKEN))
        if state["done"] > more_than or state["ready"]:
            return state
        assert time.monotonic() < deadline, state
        time.sleep(0.005)


@pytest.mark.timeout(1_200)
def test_a_kill_in_the_middle_of_a_rounds_results_comes_to_the_same_results_once(data: Path) -> None:
    with opened(Settings(data=data)) as addresses:
        dsn, owner = addresses.program, addresses.owner
        assert owner is not None
    with Cluster(data / "postgresql"):
        jobs = Program(data.with_name("jobs"), DATABASE_URL=dsn, ZOUFANG_POOL_SIZE="2")
        reached = 0
        for kill in range(KILLS):
            with held(owner) if kill == 0 else nullcontext(), jobs.begun("jobs") as process:
                wait_for(dsn, reached, 200)
                kill_all(process.pid)
            state = asyncio.run(_asked(dsn, DONE, BROKEN))
            reached = state["done"]
            if kill == 0:
                assert not state["ready"], "it was killed in the middle"
                assert 0 < reached <= PLACE
        with jobs.begun("jobs"):
            deadline = time.monotonic() + LONGEST
            while not asyncio.run(_asked(dsn, DONE, BROKEN))["ready"]:
                assert time.monotonic() < deadline, asyncio.run(_asked(dsn, DONE, BROKEN))
                time.sleep(0.1)
            books = asyncio.run(_asked(dsn, BOOKS, WHOLE, BROKEN))
    rated = books["subjects"]
    assert rated >= MEMBERS
    once = dict.fromkeys(("results", "once", "done", "the_same"), rated)
    assert books == {**once, "subjects": rated, "versions": 1, "told": 1, "one_digest": True}

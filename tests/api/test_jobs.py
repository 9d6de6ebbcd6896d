"""Background jobs: each in its turn, by one process at a time, with a row that says what it did."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from api import history_words, jobs
from api.app import create_app
from api.jobs import JOBS, Job, Runner, UnknownJobError, Work
from api.settings import Settings
from surveys import job_runs
from tests.api.processes import LONGEST_START, Program, stop, wait_until
from tests.conftest import ADMINISTRATOR, AUDITOR, DISTRICT, LEADER, NOW, OPERATOR, RING, Client, TestClock

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


class Counted:
    """A job that counts its runs, and can be told to fail or to wait."""

    def __init__(self, name: str = "counted") -> None:
        self.runs = 0
        self.failing = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.job = Job(name=name, every=HOUR, run=self._run)

    async def _run(self, conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
        self.runs += 1
        await conn.execute("update district set name = name || '*' where district = $1", work.district)
        if self.failing:
            raise ValueError("secret words that nobody may read")
        await self.gate.wait()
        return {"runs": self.runs, "at": work.now}


def runner(dsn: str, clock: TestClock, *counted: Counted) -> Runner:
    return Runner(dsn, clock, lambda: RING, Settings(database_url=dsn), [one.job for one in counted])


async def stars(conn: asyncpg.Connection) -> int:
    name: str = await conn.fetchval("select name from district where district = $1", DISTRICT)
    return name.count("*")


async def test_a_job_runs_in_its_turn_and_says_what_it_did(
    dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    counted = Counted()
    running = runner(dsn, clock, counted)
    for minutes in (0, 30, 29, 1, 59):  # at 0:00, 0:30, 0:59, 1:00 and 1:59
        clock.forward(minutes=minutes)
        await running.run_due()
    assert counted.runs == await stars(conn) == 2
    newest, first = await job_runs.newest(conn, DISTRICT, ["counted"], 10)
    assert (first.started_at, first.outcome) == (NOW, "done")
    assert first.facts == {"runs": 1, "at": "2026-11-23T04:00:00Z"}
    assert newest.started_at == NOW + HOUR


async def test_a_job_that_fails_leaves_nothing_behind_stops_no_other_and_comes_again(
    dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    failing, other = Counted("failing"), Counted("other")
    failing.failing = True
    running = runner(dsn, clock, failing, other)
    await running.run_due()
    assert (failing.runs, other.runs, await stars(conn)) == (1, 1, 1)
    (run,) = await job_runs.newest(conn, DISTRICT, ["failing"], 10)
    assert (run.outcome, run.facts) == ("failed", {"error": "ValueError"}), "the error's words stay in the log"
    failing.failing = False
    clock.forward(hours=1)
    await running.run_due()
    assert [run.outcome for run in await job_runs.newest(conn, DISTRICT, ["failing"], 10)] == ["done", "failed"]


async def test_of_two_processes_one_does_a_job(dsn: str, conn: asyncpg.Connection, clock: TestClock) -> None:
    slow, late = Counted(), Counted()
    slow.gate.clear()
    first = asyncio.create_task(runner(dsn, clock, slow).run_due())
    while not slow.runs:  # noqa: ASYNC110 - it tells nobody when it begins
        await asyncio.sleep(0.01)
    await runner(dsn, clock, late).run_due()
    assert await runner(dsn, clock, late).run_everywhere(late.job) == ["held"]
    slow.gate.set()
    await first
    await runner(dsn, clock, late).run_due()
    assert (slow.runs, late.runs) == (1, 0), "it has just been done"
    assert await runner(dsn, clock, late).run_everywhere(late.job) == ["done"], "unless it is asked for"


async def test_a_job_that_is_broken_off_leaves_nothing_and_lets_go(
    dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    endless, again = Counted(), Counted()
    endless.gate.clear()
    task = asyncio.create_task(runner(dsn, clock, endless).run_until_cancelled())
    while not endless.runs:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await stars(conn) == 0
    assert await runner(dsn, clock, again).run_everywhere(again.job) == ["done"]


async def test_a_database_that_is_away_is_waited_for(
    dsn: str, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LOOK_EVERY_S", 0.01)
    counted = Counted()
    running = runner("postgresql://nobody@127.0.0.1:1/nowhere", clock, counted)
    task = asyncio.create_task(running.run_until_cancelled())
    await asyncio.sleep(0.1)
    assert not task.done()
    running._dsn = dsn
    while not counted.runs:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.fixture
async def working(dsn: str, clock: TestClock) -> AsyncIterator[None]:
    app = create_app(Settings(database_url=dsn, pool_size=4), clock, RING, working=True)
    async with app.lifespan():
        yield


async def test_a_server_that_is_told_to_works_beside_serving_and_stops_cleanly(
    working: None, conn: asyncpg.Connection
) -> None:
    while await conn.fetchval("select count(distinct job) from job_run") < len(JOBS):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    failed = await conn.fetch("select job, facts from job_run where outcome = 'failed'")
    assert failed == []


async def test_runs_are_forgotten_after_a_month(dsn: str, conn: asyncpg.Connection, clock: TestClock) -> None:
    running = Runner(dsn, clock, lambda: RING, Settings(database_url=dsn), [jobs.named("forget_job_runs")])
    await running.run_due()
    clock.forward(days=31)
    await running.run_due()
    assert await conn.fetchval("select array_agg(started_at) from job_run") == [clock.now]


async def test_who_runs_the_program_sees_what_its_jobs_did(dsn: str, client: Client, clock: TestClock) -> None:
    await Runner(dsn, clock, lambda: RING, Settings(database_url=dsn)).run_due()
    for who, status in ((OPERATOR, 200), (ADMINISTRATOR, 200), (AUDITOR, 403), (LEADER, 403)):
        answer = await client.get("/api/jobs", headers=who.headers)
        assert answer.status_code == status, who.role
        if status == 200:
            items = answer.json()["items"]
            assert [one["name"] for one in items] == [job.name for job in JOBS]
            assert {one["runs"][0]["outcome"] for one in items} == {"done"}


def test_every_job_has_a_name_of_its_own_and_a_word_for_people() -> None:
    assert {job.name for job in JOBS} == set(history_words.JOBS)
    assert len({job.name for job in JOBS}) == len(JOBS)
    with pytest.raises(UnknownJobError, match="forget_job_runs"):
        jobs.named("nothing")


@pytest.mark.timeout(600)
def test_jobs_run_alone_and_one_of_them_now(tmp_path: Path) -> None:
    program = Program(tmp_path / "data", ZOUFANG_JOBS="off")
    listed = program.run("jobs", "--list")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [job.name for job in JOBS]
    founded = program.run(
        "init", "--district", "410103", "--code", "410103", "--name", "二七区", "--time-zone", "Asia/Shanghai",
        "--organisation", "区委", "--administrator", "张三", "--number", "000001",
    )  # fmt: skip
    assert founded.returncode == 0, founded.stderr
    with program.begun("jobs") as process:
        wait_until(lambda: did(program) >= {job.name for job in JOBS}, LONGEST_START)
        assert stop(process) == 0
    once = program.run("jobs", "--once", "forget_job_runs")
    assert (once.returncode, once.stdout) == (0, "forget_job_runs: done\n"), once.stderr
    assert "There is no job nothing; there are" in program.run("jobs", "--once", "nothing").stderr


def did(program: Program) -> set[str]:
    """The jobs that the log has as done."""
    return {line["job"] for line in program.logged("job")}

"""What is queued to be done once: tried again until it is done, taken over from who was killed, parked in the end."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from api import database, errands, job_queue, jobs, migrations
from api.errands import Errand, NotDone, Office
from api.job_queue import Place, Ticket
from api.jobs import Runner
from api.settings import Settings
from surveys import job_runs
from tests.conftest import ADMINISTRATOR, AUDITOR, DISTRICT, MEMBER, NOW, OPERATOR, RING, Client, TestClock

pytestmark = pytest.mark.anyio

SECRET = "hook?key=a-secret-that-nobody-may-read"


class Asked:
    """An errand that remembers what it was run for, and fails as long as it is told to."""

    def __init__(self) -> None:
        self.runs: list[tuple[UUID, bool]] = []
        self.failing: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.errand = Errand(name="asked", waits=[timedelta(minutes=1), timedelta(hours=1)], run=self._run)

    async def _run(self, office: Office, district: int, id_: UUID, last: bool) -> None:
        assert district == DISTRICT
        self.runs.append((id_, last))
        await self.gate.wait()
        if self.failing:
            raise self.failing


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def runner(dsn: str, clock: TestClock, asked: Asked) -> Runner:
    return Runner(dsn, clock, lambda: RING, Settings(database_url=dsn), errands=[asked.errand])


@pytest.fixture
async def queue(owner_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """The queue as its owner sees it, who may set its clock forward."""
    conn = await asyncpg.connect(owner_dsn)
    yield conn
    await conn.close()


async def forward(queue: asyncpg.Connection, **by: float) -> None:
    """Let time pass for the queue."""
    await queue.execute(
        "update queue.pgqueuer set execute_after = execute_after - $1::interval, heartbeat = heartbeat - $1::interval",
        timedelta(**by),
    )


async def test_what_is_queued_is_done_once_and_only_if_its_transaction_was(
    conn: asyncpg.Connection, runner: Runner, asked: Asked
) -> None:
    kept, undone = uuid4(), uuid4()
    async with conn.transaction():
        await job_queue.put(conn, "asked", [Ticket(DISTRICT, kept), Ticket(DISTRICT, kept)])
    transaction = conn.transaction()
    await transaction.start()
    await job_queue.put(conn, "asked", [Ticket(DISTRICT, undone)])
    await transaction.rollback()
    assert await runner.work_off() == 1
    assert await runner.work_off() == 0
    assert asked.runs == [(kept, False)]


async def test_what_fails_comes_again_later_and_is_parked_in_the_end(
    conn: asyncpg.Connection, queue: asyncpg.Connection, runner: Runner, asked: Asked, client: Client
) -> None:
    thing = uuid4()
    asked.failing = NotDone("channel_away")
    await job_queue.put(conn, "asked", [Ticket(DISTRICT, thing)])
    for tries, half in ((1, {"seconds": 30.0}), (2, {"minutes": 30.0})):
        await runner.work_off()
        await forward(queue, **half)
        await runner.work_off()
        assert len(asked.runs) == tries, "not before its time"
        assert await errands.parked(conn, DISTRICT) == []
        await forward(queue, **half)
    await runner.work_off()
    assert asked.runs == [(thing, False), (thing, False), (thing, True)]
    await forward(queue, days=9)
    assert await runner.work_off() == 0

    (one,) = (await client.get("/api/jobs", headers=OPERATOR.headers)).json()["parked"]
    assert (one["what"], one["thing"], one["tries"]) == ("asked", str(thing), 3)
    assert await errands.parked(conn, 110101) == [], "another district knows nothing of it"
    for who, number, status in (
        (MEMBER, one["id"], 403), (AUDITOR, one["id"], 403), (ADMINISTRATOR, "999999", 404),
        (ADMINISTRATOR, "seal_history", 404), (ADMINISTRATOR, "' or 1=1", 404), (ADMINISTRATOR, one["id"], 204),
        (ADMINISTRATOR, one["id"], 404),
    ):  # fmt: skip
        answer = await client.post(f"/api/jobs/{number}/retry", json={}, headers=who.headers)
        assert answer.status_code == status, (who.role, number, answer.text)
    asked.failing = None
    assert await runner.work_off() == 1
    assert await errands.parked(conn, DISTRICT) == []


async def test_no_word_of_an_error_is_kept(
    conn: asyncpg.Connection, queue: asyncpg.Connection, runner: Runner, asked: Asked,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    asked.failing = ValueError(SECRET)
    await job_queue.put(conn, "asked", [Ticket(DISTRICT, uuid4())])
    for _ in range(3):
        await runner.work_off()
        await forward(queue, hours=2)
    assert len(await errands.parked(conn, DISTRICT)) == 1
    for table in ("pgqueuer", "pgqueuer_log", "pgqueuer_statistics"):
        kept = await queue.fetch(f"select t::text as row from queue.{table} t")
        assert not any("secret" in row["row"] for row in kept)
    out = capfd.readouterr()
    assert "secret" not in out.out + out.err


async def test_what_a_killed_process_had_is_taken_over_and_what_a_living_one_has_is_not(
    conn: asyncpg.Connection, queue: asyncpg.Connection, dsn: str, runner: Runner, asked: Asked
) -> None:
    await job_queue.put(conn, "asked", [Ticket(DISTRICT, uuid4())])
    killed = await database.connect(dsn)
    assert len(await Place(killed).take(["asked"])) == 1
    killed.terminate()
    assert await runner.work_off() == 0, "its heart may still beat"
    await forward(queue, seconds=31)
    assert await runner.work_off() == 1


BEATEN = "select bool_and(heartbeat > now() - interval '20 seconds') from queue.pgqueuer"


async def test_a_heart_beats_as_long_as_the_work_goes_on(
    conn: asyncpg.Connection, queue: asyncpg.Connection, runner: Runner, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errands, "BEAT_S", 0.05)
    asked.gate.clear()
    await job_queue.put(conn, "asked", [Ticket(DISTRICT, uuid4())])
    working = asyncio.create_task(runner.work_off())
    while not asked.runs:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await forward(queue, seconds=60)
    async with asyncio.timeout(30):
        while not await queue.fetchval(BEATEN):  # noqa: ASYNC110 - only the database knows
            await asyncio.sleep(0.01)
    assert await runner.work_off() == 0
    asked.gate.set()
    assert await working == 1


async def test_what_takes_minutes_holds_up_no_message(
    dsn: str, conn: asyncpg.Connection, clock: TestClock, asked: Asked
) -> None:
    under_way = asyncio.Event()

    async def take_long(office: Office, district: int, id_: UUID, last: bool) -> None:
        under_way.set()
        await asyncio.sleep(3600)

    long = Errand(name="long", waits=[], run=take_long, long=True)
    nothing = jobs.Job(name="nothing", every=timedelta(days=1), run=jobs.forget_runs)
    runner = Runner(dsn, clock, lambda: RING, Settings(), [nothing], [asked.errand, long])
    await job_queue.put(conn, "long", [Ticket(DISTRICT, uuid4())])
    running = asyncio.create_task(runner.run_until_cancelled())
    await asyncio.wait_for(under_way.wait(), 30)
    await job_queue.put(conn, "asked", [Ticket(DISTRICT, uuid4())])
    async with asyncio.timeout(30):
        while not asked.runs:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])


async def test_two_processes_share_what_is_queued(conn: asyncpg.Connection, runner: Runner, asked: Asked) -> None:
    things = [uuid4() for _ in range(100)]
    await job_queue.put(conn, "asked", [Ticket(DISTRICT, thing) for thing in things])
    done = await asyncio.gather(runner.work_off(), runner.work_off(), runner.work_off())
    assert sum(done) == 100
    assert sorted(thing for thing, _ in asked.runs) == sorted(things)


async def test_a_job_that_keeps_failing_rests_and_is_tried_again_when_somebody_asks(
    dsn: str, conn: asyncpg.Connection, clock: TestClock, client: Client
) -> None:
    tries = 0

    async def fail(conn: asyncpg.Connection, work: jobs.Work) -> dict[str, object]:
        nonlocal tries
        tries += 1
        raise ValueError(SECRET)

    job = jobs.Job(name="begin_absences", every=timedelta(minutes=1), run=fail)
    runner = Runner(dsn, clock, lambda: RING, Settings(database_url=dsn), [job])
    for _ in range(10):
        await runner.run_due()
        clock.forward(minutes=1)
    assert tries == job_runs.FAILURES, "then it rests"
    (one,) = (await client.get("/api/jobs", headers=ADMINISTRATOR.headers)).json()["parked"]
    assert (one["id"], one["what"], one["tries"]) == ("begin_absences", "begin_absences", 5)
    answer = await client.post("/api/jobs/begin_absences/retry", json={}, headers=OPERATOR.headers)
    assert answer.status_code == 204
    await runner.run_due()
    assert tries == 6
    assert (await client.get("/api/jobs", headers=ADMINISTRATOR.headers)).json()["parked"] == []
    clock.forward(hours=2)
    await runner.run_due()
    assert tries == 7, "and without being asked after its rest"


async def test_the_queue_s_tables_are_what_the_library_wants_and_go_with_their_schema(
    queue: asyncpg.Connection, conn: asyncpg.Connection
) -> None:
    assert not await job_queue.behind(conn), "as the role that runs sees it, too"
    assert (await migrations.status(conn)).pending == ()
    await queue.execute("drop index queue.pgqueuer_ep_ea_idx")
    assert (await migrations.status(conn)).pending == (job_queue.TABLES,)
    assert await migrations.migrate(queue) == [job_queue.TABLES]
    assert await migrations.migrate(queue) == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await conn.execute("drop table queue.pgqueuer")
    await queue.execute("drop schema queue cascade")
    assert not await job_queue.behind(queue)


async def test_what_the_library_noted_is_forgotten(
    dsn: str, conn: asyncpg.Connection, queue: asyncpg.Connection, runner: Runner
) -> None:
    await job_queue.put(conn, "asked", [Ticket(DISTRICT, uuid4())])
    await runner.work_off()
    assert await queue.fetchval("select count(*) from queue.pgqueuer_log") == 3
    work = jobs.Work(district=DISTRICT, now=NOW, ring=RING, settings=Settings())
    await queue.execute("update queue.pgqueuer_log set created = $1", NOW - job_runs.KEPT - timedelta(seconds=1))
    await jobs.forget_runs(conn, work)
    assert await queue.fetchval("select count(*) from queue.pgqueuer_log") == 0

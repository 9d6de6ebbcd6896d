"""What was acknowledged is kept: through a kill -9 of everything under load, and through a database that goes away."""

import asyncio
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest

from api import database
from api.cli.database import opened
from api.embedded_postgres import Cluster
from api.settings import Settings
from tests import drafts
from tests.api.processes import Program, kill_all
from tests.conftest import MEMBER, found_district
from tests.drafts import Draft

pytestmark = pytest.mark.timeout(600)

CLIENTS = 16
RETRIED_AFTER = 0.2  # seconds; a phone would wait for as long as it is told
OUTAGE = 10.0

# How often each visit and each issue stands in the books, and whether all parts of it are there.
BOOKS = """
select (select count(*) from visit) as visits, (select count(*) from issue) as issues,
       (select count(distinct number) from issue) as numbers,
       (select count(*) from issue_spans) as spans,
       (select count(*) from history where kind = 'visit') as filed,
       (select count(*) from history where kind = 'issue') as reported,
       (select count(*) from text_version) as texts
"""


def fresh() -> Draft:
    """A visit of an hour ago, with two issues."""
    started = datetime.now(UTC) - timedelta(hours=1)
    times = {"started_at": started.isoformat(), "ended_at": (started + timedelta(minutes=9)).isoformat()}
    return drafts.visit(**times, note="备注" * 50, issues=[drafts.issue(), drafts.issue(category="0103", title="占道")])


class Phones:
    """Members' phones that file one visit after another, and remember what they were told."""

    def __init__(self, program: Program) -> None:
        self.url = f"http://127.0.0.1:{program.port}"
        self.sent: dict[str, Draft] = {}
        self.acknowledged: set[str] = set()
        self.put_off = 0
        self.told_when = True
        self.faults: list[str] = []
        self.over = False

    async def file_until_over(self) -> None:
        """File new visits until it is over; what is put off, or gets no answer, is sent again."""
        async with self._client() as client:
            await asyncio.gather(*[self._file_on(client) for _ in range(CLIENTS)])

    async def retry(self) -> None:
        """Send everything again, acknowledged or not."""
        waiting = list(self.sent.values())
        async with self._client() as client:
            await asyncio.gather(*[self._retry_on(client, waiting) for _ in range(CLIENTS)])

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, headers=MEMBER.headers, timeout=60, trust_env=False)

    async def _file_on(self, client: httpx.AsyncClient) -> None:
        while not self.over:
            draft = fresh()
            self.sent[draft["id"]] = draft
            while not self.over and not await self._accepted(client, draft):  # noqa: ASYNC110 - as a phone does
                await asyncio.sleep(RETRIED_AFTER)

    async def _retry_on(self, client: httpx.AsyncClient, waiting: list[Draft]) -> None:
        while waiting:
            draft = waiting.pop()
            known = draft["id"] in self.acknowledged
            answer = await client.post("/api/visits", json=draft)
            if answer.status_code != 200 and (known or answer.status_code != 201):
                self.faults.append(f"{answer.status_code} {answer.text}")
            self.acknowledged.add(draft["id"])

    async def _accepted(self, client: httpx.AsyncClient, draft: Draft) -> bool:
        try:
            answer = await client.post("/api/visits", json=draft)
        except httpx.TransportError:
            return False
        if answer.status_code in (200, 201):
            self.acknowledged.add(draft["id"])
            return True
        self.put_off += 1
        self.told_when &= "retry-after" in answer.headers
        if answer.status_code != 503:
            self.faults.append(f"{answer.status_code} {answer.text}")
        return False


@contextmanager
def filing(phones: Phones) -> Iterator[None]:
    """The phones, at work beside the test, and at rest after it: the test's own thread may start and stop databases."""
    thread = threading.Thread(target=lambda: asyncio.run(phones.file_until_over()))
    thread.start()
    try:
        yield
    finally:
        phones.over = True
        thread.join(120)
    assert not thread.is_alive(), "a request without an answer"


def wait_for(phones: Phones, acknowledged: int) -> None:
    """Until so many visits more have been acknowledged."""
    wanted = len(phones.acknowledged) + acknowledged
    deadline = time.monotonic() + 200
    while len(phones.acknowledged) < wanted:
        assert time.monotonic() < deadline, f"{len(phones.acknowledged)} of {wanted}: {phones.faults[:3]}"
        time.sleep(0.02)


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder whose path is short enough for a socket, with the small district in its database."""
    with tempfile.TemporaryDirectory(prefix="zf-") as folder:
        path = Path(folder) / "data"
        with opened(Settings(data=path)) as addresses:
            asyncio.run(_found(addresses.program))
        yield path


async def _found(dsn: str) -> None:
    conn = await database.connect(dsn)
    await found_district(conn)
    await conn.close()


async def _books(dsn: str) -> dict[str, int]:
    conn = await asyncpg.connect(dsn)
    row = await conn.fetchrow(BOOKS)
    await conn.close()
    return dict(row or {})


def assert_all_once(phones: Phones, books: dict[str, int]) -> None:
    visits = len(phones.sent)
    assert phones.acknowledged == set(phones.sent)
    assert books == {
        "visits": visits,
        "issues": 2 * visits,
        "numbers": 2 * visits,
        "spans": 2 * visits,
        "filed": visits,
        "reported": 2 * visits,
        "texts": 3 * visits,
    }


def test_a_kill_of_everything_loses_nothing_that_was_acknowledged(data: Path) -> None:
    program = Program(data)
    phones = Phones(program)
    with program.serving() as process, filing(phones):
        wait_for(phones, 150)
        kill_all(process.pid)  # the database too: no time to flush
        before = set(phones.acknowledged)
        phones.over = True
    assert len(before) >= 150
    assert phones.faults == []
    with program.serving():
        asyncio.run(phones.retry())
        assert phones.faults == []
        with opened(Settings(data=data)) as addresses:
            assert_all_once(phones, asyncio.run(_books(addresses.program)))


def test_a_database_that_is_gone_for_ten_seconds_is_told_and_then_forgotten(data: Path) -> None:
    with opened(Settings(data=data)) as addresses:
        dsn = addresses.program
    cluster = Cluster(data / "postgresql")
    program = Program(data.with_name("beside"), DATABASE_URL=dsn)
    phones = Phones(program)
    with cluster, program.serving():
        with filing(phones):
            wait_for(phones, 50)
            cluster.stop()
            gone = time.monotonic()
            while time.monotonic() < gone + OUTAGE:
                assert program.ask("/health/live").status_code == 200
                for path in ("/health/ready", "/api/issues", "/maps/issues/areas"):
                    answer = program.ask(path, headers=MEMBER.headers)
                    assert answer.status_code == 503, path
                    assert int(answer.headers["retry-after"]) > 0
                time.sleep(1)
            assert phones.put_off >= CLIENTS
            cluster.start()
            wait_for(phones, 50)
            assert program.ask("/health/ready").status_code == 200
        asyncio.run(phones.retry())
        assert phones.faults == []
        assert phones.told_when
        assert_all_once(phones, asyncio.run(_books(dsn)))

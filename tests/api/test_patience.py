"""Requests that come too often, bring too much, trickle in or take too long are ended, each with a problem."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from api import database
from api.limits import LARGEST_VISIT, USUAL_BODY
from api.settings import Settings
from tests import doors, drafts
from tests.conftest import LEADER, MEMBER, STRANGER, WORKER, Client, TestClock, serving

pytestmark = pytest.mark.anyio


STRICT: dict[str, Any] = {
    "filing_burst": 500,
    "filing_per_minute": 60,
    "page_burst": 3,
    "page_per_minute": 60,
    "body_seconds": 1,
}


@pytest.fixture
async def strict(dsn: str, clock: TestClock) -> AsyncIterator[Client]:
    """The program with little patience for those who ask."""
    async with serving(Settings(database_url=dsn, pool_size=2, **STRICT), clock) as client:
        yield client


@pytest.fixture
async def hasty(dsn: str, clock: TestClock) -> AsyncIterator[Client]:
    """The program with little patience for its own answers, but enough for a slow machine to make an easy one."""
    async with serving(Settings(database_url=dsn, pool_size=2, answer_seconds=2), clock) as client:
        yield client


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    return problem


async def test_a_person_files_as_much_as_a_phone_has_and_then_waits(strict: Client, clock: TestClock) -> None:
    batch = [drafts.visit() for _ in range(100)]
    answer = await strict.post("/api/visits/batch", json=[{}] * 400, headers=MEMBER.headers)
    assert answer.status_code == 200, "what is malformed costs as much to look at"
    assert (await strict.post("/api/visits/batch", json=batch[:99], headers=MEMBER.headers)).status_code == 200
    assert (await strict.post("/api/visits", json=batch[99], headers=MEMBER.headers)).status_code == 201
    late = await strict.post("/api/visits", json=drafts.visit(), headers=MEMBER.headers)
    assert refused(late, 429, "too_many_requests")["title"] == "请求太频繁，请 1 秒后再试"
    assert late.headers["retry-after"] == "1"
    english = await strict.post("/api/visits/batch", json=batch, headers=MEMBER.headers | {"Accept-Language": "en"})
    assert refused(english, 429, "too_many_requests")["title"] == "Too many requests; try again in 100 seconds"
    assert english.headers["retry-after"] == "100"
    assert (await strict.post("/api/visits", json=drafts.visit(), headers=STRANGER.headers)).status_code == 201
    clock.forward(seconds=100)
    again = await strict.post("/api/visits/batch", json=batch, headers=MEMBER.headers)
    assert {one["status"] for one in again.json()["results"]} == {"already_filed"}


@pytest.mark.parametrize("path", ["/sign-in", "/first-access"])
async def test_pages_without_sign_in_are_shown_so_often_to_one_address(
    strict: Client, clock: TestClock, path: str
) -> None:
    answers = [await strict.get(path, headers={"Accept": "text/html"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert (answers[3].headers["retry-after"], "请求太频繁" in answers[3].text) == ("1", True)
    assert (await strict.get("/health/live")).status_code == 200
    clock.forward(seconds=1)
    assert (await strict.get(path)).status_code == 200


async def trickling(body: bytes, pause: float) -> AsyncIterator[bytes]:
    for at in range(0, len(body), 64):
        yield body[at : at + 64]
        await asyncio.sleep(pause)


async def test_a_body_that_trickles_in_is_not_waited_for(strict: Client, conn: asyncpg.Connection) -> None:
    body = json.dumps(drafts.visit(note="慢" * 500)).encode()
    slow = await strict.post("/api/visits", content=trickling(body, 0.3), headers=MEMBER.headers)
    assert refused(slow, 408, "body_too_slow")["title"] == "请求内容传得太慢，请重新发送"
    assert slow.headers["connection"] == "close"
    assert await conn.fetchval("select count(*) from visit") == 0
    assert (await strict.post("/api/visits", content=body, headers=MEMBER.headers)).status_code == 201


async def test_a_large_body_may_take_longer_than_a_small_one(strict: Client) -> None:
    batch = [drafts.visit(note="大" * 1500) for _ in range(3)]
    body = json.dumps(batch).encode()

    async def steady() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 8_192):
            yield body[at : at + 8_192]
            await asyncio.sleep(0.4)

    answer = await strict.post("/api/visits/batch", content=steady(), headers=MEMBER.headers)
    assert answer.status_code == 200, answer.text
    assert len(body) / 8_192 * 0.4 > 1, "it took longer than a small one may"


async def test_an_answer_that_takes_too_long_is_given_up_and_its_connection_comes_back(
    hasty: Client, dsn: str, conn: asyncpg.Connection
) -> None:
    draft = drafts.visit(issues=[drafts.issue()])
    await doors.file(hasty, MEMBER, draft)
    issue = draft["issues"][0]["id"]
    holder = await database.connect(dsn)
    holding = holder.transaction()
    await holding.start()
    await holder.execute("select from issue for update")
    moves = [drafts.move("accept", 1) for _ in range(4)]
    answers = await asyncio.gather(
        *(hasty.post(f"/api/issues/{issue}/moves", json=move, headers=WORKER.headers) for move in moves)
    )
    for answer in answers:
        assert refused(answer, 503, "took_too_long")["title"] == "处理时间太长，已停止，请稍后再试"
        assert int(answer.headers["retry-after"]) > 0
    await holding.rollback()
    await holder.close()
    again = await hasty.post(f"/api/issues/{issue}/moves", json=moves[0], headers=WORKER.headers)
    assert again.status_code == 200, "nothing was kept of it"
    assert await conn.fetchval("select count(*) from history where event = 'accept'") == 1


async def test_files_take_their_time(hasty: Client, owner_dsn: str) -> None:
    owner = await asyncpg.connect(owner_dsn)
    holding = owner.transaction()
    await holding.start()
    await owner.execute("lock table issue in access exclusive mode")
    asking = asyncio.create_task(hasty.get("/api/issues.csv", headers=LEADER.headers))
    await asyncio.sleep(2.5)
    assert not asking.done()
    await holding.rollback()
    await owner.close()
    assert (await asking).status_code == 200


async def test_how_much_may_come_depends_on_the_door(client: Client) -> None:
    large = {"x": "x" * USUAL_BODY}
    for path in (f"/api/issues/{uuid4()}/moves", "/api/receipts", f"/api/visits/{uuid4()}/corrections"):
        refused(await client.post(path, json=large, headers=MEMBER.headers), 413, "too_large")
    assert (await client.post("/sign-in", data=large)).status_code == 413
    longest = drafts.visit(issues=[drafts.issue(title="长", description="长" * 4_000) for _ in range(50)])
    body = json.dumps(longest, ensure_ascii=False).encode()
    assert USUAL_BODY < len(body) < LARGEST_VISIT
    assert (await client.post("/api/visits", content=body, headers=MEMBER.headers)).status_code == 201
    padded = body[:-1] + b" " * LARGEST_VISIT + b"}"
    refused(await client.post("/api/visits", content=padded, headers=MEMBER.headers), 413, "too_large")
    batch = await client.post("/api/visits/batch", content=b"[" + padded + b"]", headers=MEMBER.headers)
    assert batch.json()["results"][0]["status"] == "already_filed"

"""Whole lives of issues, from the door to the resident's last word, with the jobs that run meanwhile."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from api import jobs
from api.settings import Settings
from surveys.notices import following
from tests import doors, drafts
from tests.conftest import (
    DISPATCHER,
    DISTRICT,
    HANDLER,
    LEADER,
    MEMBER,
    ORGANISER,
    RING,
    WORKER,
    Client,
    Person,
    TestClock,
)
from tests.doors import move
from tests.stories import numbers, records

pytestmark = pytest.mark.anyio

Jobs = Callable[[], Awaitable[None]]
SHOP = {"id": str(UUID(int=0xD01)), "kind": "shop", "name": "老王面馆", "address": "淮河路 1 号"}


@pytest.fixture
def run_jobs(dsn: str, clock: TestClock) -> Jobs:
    """Let the jobs run whose turn has come: those that ask residents, and those that take silence for an answer."""
    asking = [jobs.named("invite_return_visits"), jobs.named("lapse_return_visits")]
    return jobs.Runner(dsn, clock, lambda: RING, Settings(database_url=dsn), asking).run_due


async def filed(client: Client, who: Person, issue: drafts.Draft) -> str:
    await doors.file(client, who, drafts.visit(premises=SHOP, issues=[issue]))
    id_: str = issue["id"]
    return id_


async def told(client: Client, who: Person, issue: str, **said: Any) -> doors.Answer:
    body = {"id": str(uuid4()), "via": "call", "solved": True, "satisfaction": 5} | said
    response = await client.post(f"/api/issues/{issue}/return-visits", json=body, headers=who.headers)
    return doors.answered(response, 200)


async def events(client: Client, issue: str) -> list[str]:
    return [entry["event"] for entry in (await doors.issue(client, LEADER, issue))["history"]]


async def measures(conn: asyncpg.Connection, issue: str) -> tuple[object, ...]:
    row = await conn.fetchrow(
        "select state, answer, satisfaction, resolutions, reopens from issue where id = $1", UUID(issue)
    )
    return tuple(row or ())


async def rates(client: Client) -> dict[str, tuple[int, int]]:
    """What the district's rates count: numerator and denominator."""
    (row,) = (await doors.read(client, LEADER, "/api/rates", by="district"))["rows"]
    asked = ("resolution", "satisfaction", "redo", "reopen", "own_word", "not_answered")
    return {name: (row[name]["numerator"], row[name]["denominator"]) for name in asked}


async def solve(client: Client, clock: TestClock, issue: str) -> int:
    """Accepted at the desk, worked on and resolved by the department; returns the version."""
    moves = [
        (WORKER, drafts.move("accept", 1)),
        (WORKER, drafts.move("assign", 2, to="city_management")),
        (HANDLER, drafts.move("start", 3)),
        (HANDLER, drafts.move("resolve", 4, reason="已清运")),
    ]
    for who, draft in moves:
        clock.forward(hours=2)
        version: int = (await move(client, who, issue, draft))["version"]
    return version


async def test_solved_on_the_spot_and_asked_about_on_another_visit(
    client: Client, conn: asyncpg.Connection, clock: TestClock, run_jobs: Jobs
) -> None:
    issue = await filed(client, MEMBER, drafts.solved())
    assert await events(client, issue) == ["report", "resolve"]
    await run_jobs()
    (open_,) = (await doors.read(client, WORKER, "/api/return-visits", premises=SHOP["id"]))["items"]
    assert (open_["issue"]["id"], open_["may_answer"]) == (issue, True)
    (open_,) = (await doors.read(client, MEMBER, "/api/return-visits"))["items"]
    assert open_["may_answer"] is False, "who solved it at the door does not ask whether it is solved"
    clock.forward(days=2)
    again = drafts.visit(premises=SHOP, started_at="2026-11-25T10:00:00+08:00", ended_at="2026-11-25T10:10:00+08:00")
    await doors.file(client, WORKER, again)
    answer = await told(client, WORKER, issue, via="visit", visit=again["id"])
    assert answer["state"] == "closed"
    clock.forward(days=30)
    await run_jobs()
    assert await events(client, issue) == ["report", "resolve", "invite", "answer"]
    assert await measures(conn, issue) == ("closed", "solved", 5, 1, 0)
    assert await records.agree(conn) == await numbers.agree(client, LEADER) == 1
    assert await numbers.total(client, LEADER, group="solved") == 1
    content = {"resolution": (1, 1), "satisfaction": (1, 1), "redo": (0, 1), "reopen": (0, 1)}
    assert await rates(client) == content | {"own_word": (0, 1), "not_answered": (0, 1)}


async def test_solved_not_solved_opened_again_solved_and_content(
    client: Client, conn: asyncpg.Connection, clock: TestClock, run_jobs: Jobs
) -> None:
    issue = await filed(client, MEMBER, drafts.issue())
    await solve(client, clock, issue)
    clock.forward(minutes=1)
    await run_jobs()
    clock.forward(days=3)
    answer = await told(client, MEMBER, issue, solved=False, satisfaction=1, reason="只清了一半")
    assert (answer["state"], answer["reopened"], answer["owner"]) == ("accepted", True, str(WORKER.id))
    async with conn.transaction():
        await following.follow(conn, DISTRICT, clock())
    heard = await conn.fetch("select member from notice where kind = 'reopened' and issue = $1", UUID(issue))
    assert {WORKER.id, ORGANISER.id} <= {row["member"] for row in heard}, "the owner, and the level above"
    assert (await doors.read(client, LEADER, f"/api/issues/{issue}", as_of="2026-11-23"))["issue"][
        "state"
    ] == "resolved"
    assert (await rates(client))["resolution"] == (0, 1)
    clock.forward(hours=3)
    await move(client, HANDLER, issue, drafts.move("start", answer["version"]))
    clock.forward(hours=3)
    await move(client, HANDLER, issue, drafts.move("resolve", answer["version"] + 1, reason="全部清运"))
    clock.forward(minutes=1)
    await run_jobs()
    clock.forward(days=1)
    assert (await told(client, MEMBER, issue, satisfaction=4))["state"] == "closed"
    assert await events(client, issue) == [
        *("report", "accept", "assign", "start", "resolve"),
        *("invite", "answer", "reopen", "start", "resolve"),
        *("invite", "answer"),
    ]
    assert await measures(conn, issue) == ("closed", "solved", 4, 2, 1)
    detail = await doors.issue(client, LEADER, issue)
    assert [(one["round"], one["solved"], one["reason"]) for one in detail["return_visits"]] == [
        (1, False, "只清了一半"),
        (2, True, None),
    ]
    done_again = {"resolution": (1, 1), "satisfaction": (1, 1), "redo": (1, 1), "reopen": (1, 1)}
    assert await rates(client) == done_again | {"own_word": (0, 1), "not_answered": (0, 1)}
    assert await records.agree(conn) == await numbers.agree(client, LEADER) == 1


async def test_a_resident_who_says_nothing(
    client: Client, conn: asyncpg.Connection, clock: TestClock, run_jobs: Jobs
) -> None:
    issue = await filed(client, MEMBER, drafts.issue())
    await solve(client, clock, issue)
    clock.forward(minutes=1)
    await run_jobs()
    clock.forward(days=6, hours=23)
    await run_jobs()
    assert (await doors.issue(client, LEADER, issue))["issue"]["state"] == "resolved"
    clock.forward(hours=2)
    await run_jobs()
    assert await events(client, issue) == ["report", "accept", "assign", "start", "resolve", "invite", "lapse"]
    assert await measures(conn, issue) == ("closed", "not_answered", None, 1, 0)
    silent = {"resolution": (0, 0), "satisfaction": (0, 0), "redo": (0, 1), "reopen": (0, 1)}
    assert await rates(client) == silent | {"own_word": (1, 1), "not_answered": (1, 1)}
    assert await records.agree(conn) == await numbers.agree(client, LEADER) == 1


async def test_the_jobs_ask_about_everything_however_many_there_are(
    client: Client, conn: asyncpg.Connection, clock: TestClock, run_jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn takes one part after another, each in a transaction of its own, until nothing is left."""
    monkeypatch.setattr("surveys.return_visits.return_visits.AT_ONCE", 3)
    issues = [drafts.solved() for _ in range(10)]
    await doors.file(client, MEMBER, drafts.visit(premises=SHOP, issues=issues))
    await run_jobs()
    assert (await doors.read(client, DISPATCHER, "/api/return-visits"))["total"] == 10
    clock.forward(days=7)
    await run_jobs()
    answers = await conn.fetch("select answer, count(*) from issue group by 1")
    assert [tuple(row) for row in answers] == [("not_answered", 10)]
    assert await records.agree(conn) == 10

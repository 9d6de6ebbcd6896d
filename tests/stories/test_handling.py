"""How issues are handled to the end: handed over, given back, paused, reviewed by several, followed by a leader."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from api import jobs
from api.settings import Settings
from surveys.clock import calendars
from surveys.clock.calendars import CHINA, Day, Year
from surveys.history import Actor
from tests import doors, drafts
from tests.conftest import (
    DISPATCHER,
    DISTRICT,
    HANDLER,
    LEADER,
    MEMBER,
    NEXT,
    RING,
    STRANGER,
    STREET_DISPATCHER,
    STREET_LEADER,
    WORKER,
    Client,
    Person,
    TestClock,
    join,
    person,
)
from tests.doors import move
from tests.stories import records

pytestmark = pytest.mark.anyio

WATER = person("31", "水务员", "department_handler", "department", "water")
PLANNING = person("32", "规划员", "department_handler", "department", "planning")
LONG_AGO = datetime(2025, 12, 1, tzinfo=UTC)


@pytest.fixture
async def conn(conn: asyncpg.Connection) -> asyncpg.Connection:
    """The small district, with people in two more departments."""
    await conn.execute("insert into department values ($1, 'planning', '规划局')", DISTRICT)
    for one in (WATER, PLANNING):
        await join(conn, DISTRICT, one, LONG_AGO)
    return conn


def local(clock: TestClock, text: str) -> None:
    """Set the clock by the district's own time."""
    clock.now = datetime.fromisoformat(f"{text}+08:00").astimezone(UTC)


async def reported(client: Client, clock: TestClock, **changes: Any) -> str:
    """An issue that was found half an hour ago."""
    issue = drafts.issue(**changes)
    at = {name: (clock() - timedelta(minutes=ago)).isoformat() for name, ago in (("started_at", 40), ("ended_at", 30))}
    await doors.file(client, MEMBER, drafts.visit(issues=[issue], **at))
    return str(issue["id"])


async def detail(client: Client, issue: str, who: Person = LEADER) -> doors.Answer:
    return await doors.issue(client, who, issue)


async def step(client: Client, who: Person, issue: str, name: str, **with_: Any) -> doors.Answer:
    """The next move of an issue, which the page has offered to who makes it."""
    shown = await detail(client, issue, who)
    assert name in shown["moves"], shown["moves"]
    return await move(client, who, issue, drafts.move(name, shown["issue"]["version"], **with_))


async def run(dsn: str, clock: TestClock, name: str) -> None:
    runner = jobs.Runner(dsn, clock, lambda: RING, Settings(database_url=dsn), [jobs.named(name)])
    await runner.run_due()


async def limit(conn: asyncpg.Connection, amount: int, unit: str, urgency: str = "normal", **more: str) -> None:
    """From now on the tests' category has another limit, and perhaps another channel."""
    await conn.execute(
        "insert into category_limit (district, category, urgency, version, amount, unit, response_amount,"
        " response_unit, valid_from, channel) values ($1, '0102', $2, 2, $3, $4, 1, $4, $5, $6)",
        *(DISTRICT, urgency, amount, unit, LONG_AGO, more.get("channel")),
    )


async def test_offered_declined_offered_accepted(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    issue = await reported(client, clock, category="0103")
    due_at = (await detail(client, issue))["issue"]["due_at"]
    clock.forward(hours=1)
    await step(client, WORKER, issue, "accept")
    clock.forward(hours=1)
    await step(client, WORKER, issue, "assign", to=str(STRANGER.id), reason="在你们楼下")
    (offered,) = (await doors.read(client, STRANGER, "/api/issues", offered_to="me"))["items"]
    assert offered["owner"]["name"] == WORKER.name, "it is never without one"
    clock.forward(hours=3)
    await step(client, STRANGER, issue, "decline", reason="下周出差")
    clock.forward(hours=2)
    await step(client, WORKER, issue, "assign", to=str(STREET_DISPATCHER.id))
    clock.forward(hours=1)
    taken = await step(client, STREET_DISPATCHER, issue, "accept")
    assert (taken["owner"], taken["state"], taken["due_at"]) == (str(STREET_DISPATCHER.id), "accepted", due_at)
    history = (await detail(client, issue))["history"]
    assert [entry["event"] for entry in history] == ["report", "accept", "assign", "decline", "assign", "accept"]
    assert [entry["facts"].get("lay_seconds") for entry in history] == [None] * 5 + [8.5 * 3600]
    assert (await detail(client, issue))["first_contact_at"] == "2026-11-23T05:00:00Z"
    assert await records.agree(conn) == 1


async def test_bounced_twice(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    """The clock runs on, whoever has it; and the history tells how long it lay with whom."""
    issue = await reported(client, clock)
    photo = {"evidence": drafts.PROOF}
    await step(client, WORKER, issue, "accept")
    clock.forward(hours=2)
    await step(client, WORKER, issue, "assign", to="water", reason="井盖")
    clock.forward(hours=5)
    await step(client, WATER, issue, "return", reason="不是我们的井", **photo)
    clock.forward(hours=1)
    await step(client, STREET_DISPATCHER, issue, "refuse", reason="请先到现场看")
    clock.forward(hours=4)
    await step(client, WATER, issue, "return", reason="看过了，是通信井", **photo)
    clock.forward(hours=2)
    await step(client, STREET_DISPATCHER, issue, "approve")
    clock.forward(hours=1)
    await step(client, WORKER, issue, "assign", to="planning")
    clock.forward(hours=6)
    await step(client, PLANNING, issue, "return", reason="产权不清", **photo)
    clock.forward(hours=3)
    back = await step(client, DISPATCHER, issue, "approve")
    assert (back["department"], back["state"], back["owner"]) == (None, "accepted", str(WORKER.id))
    assert back["due_at"] == "2026-11-26T04:00:00Z", "as it was on the first day"

    history = (await detail(client, issue))["history"]
    lay = [
        (entry["event"], entry["facts"]["before_department"], entry["facts"]["lay_seconds"] / 3600)
        for entry in history
        if "lay_seconds" in entry["facts"]
    ]
    assert lay == [
        ("assign", "city_management", 2.5),
        ("approve", "water", 12),
        ("assign", None, 1),
        ("approve", "planning", 9),
    ]
    refusal = next(entry for entry in history if entry["event"] == "refuse")
    assert (refusal["facts"]["asker"], refusal["reason"]) == (str(WATER.id), "请先到现场看")
    (row,) = (await doors.read(client, LEADER, "/api/rates", by="district"))["rows"]
    assert (row["bounce"]["numerator"], row["bounce"]["denominator"]) == (1, 1)
    assert await conn.fetchval("select bounces from issue") == 3, "two that were granted, one that was not"
    assert await records.agree(conn) == 1


async def test_paused_over_the_spring_festival(
    client: Client, dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    """Two pauses: one costs the two days at work that it lasted, one that spans the festival alone costs nothing and
    gains nothing."""
    festival = {date(2026, 2, day): "holiday" for day in range(15, 24)}
    at_work = {date(2026, 2, 14): "working_day", date(2026, 2, 28): "working_day"}
    days = tuple(Day(day, kind, "春节") for day, kind in sorted((festival | at_work).items()))  # type: ignore[arg-type]
    async with conn.transaction():
        await calendars.store(conn, CHINA, {2026: Year(days, True)}, "tests", Actor("import", "tests"), LONG_AGO)
    await limit(conn, 5, "working_days")

    local(clock, "2026-02-12T10:00")
    two_days, festival_alone = await reported(client, clock), await reported(client, clock)
    for issue in (two_days, festival_alone):
        shown = await detail(client, issue)
        assert (shown["issue"]["due_at"], shown["due_provisional"]) == ("2026-02-26T09:00:00Z", False)
        await step(client, WORKER, issue, "accept")
    local(clock, "2026-02-13T15:00")
    await step(client, WORKER, two_days, "pause", reason="节后材料才到", until="2026-02-25T09:00:00+08:00")
    local(clock, "2026-02-13T17:00")
    await step(client, STREET_DISPATCHER, two_days, "approve")
    local(clock, "2026-02-14T17:00")
    until = "2026-02-24T09:00:00+08:00"
    await step(client, STREET_DISPATCHER, festival_alone, "pause", reason="节后再办", until=until)

    local(clock, "2026-02-20T12:00")
    await run(dsn, clock, "resume_pauses")
    late = await doors.read(client, LEADER, "/api/issues", overdue="true")
    assert late["items"] == []
    assert {item["state"] for item in (await doors.read(client, LEADER, "/api/issues"))["items"]} == {"paused"}

    local(clock, "2026-02-24T09:00")
    await run(dsn, clock, "resume_pauses")
    local(clock, "2026-02-25T09:00")
    await run(dsn, clock, "resume_pauses")
    due = {issue: (await detail(client, issue))["issue"]["due_at"] for issue in (two_days, festival_alone)}
    assert due == {two_days: "2026-02-28T09:00:00Z", festival_alone: "2026-02-26T09:00:00Z"}
    assert [(await detail(client, issue))["issue"]["state"] for issue in due] == ["accepted", "accepted"]
    local(clock, "2026-02-27T10:00")
    late = await doors.read(client, LEADER, "/api/issues", overdue="true")
    assert [item["id"] for item in late["items"]] == [festival_alone]
    assert await records.agree(conn) == 2


async def test_a_joint_review_with_one_department_late(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await limit(conn, 10, "working_days")
    issue = await reported(client, clock)
    await step(client, WORKER, issue, "accept")
    asked = {"to": "city_management", "departments": ["water", "planning"], "reason": "三家会商"}
    await step(client, WORKER, issue, "assign", **asked)
    assert {one["department"]: one["due_at"] for one in (await detail(client, issue, PLANNING))["opinions"]} == {
        "water": "2026-11-26T09:00:00Z",  # three working days from Monday, the end of Thursday
        "planning": "2026-11-26T09:00:00Z",
    }
    clock.forward(days=1)
    document = {"sha256": "ef" * 32, "bytes": 2_000}
    await step(client, WATER, issue, "opine", opinion="agree", reason="可以接入雨水管网", evidence=[document])
    clock.forward(days=1)
    met = {"at": "2026-11-25T10:00:00+08:00", "reason": "到场三家，规划局待书面回复"}
    await step(client, HANDLER, issue, "meet", present=[str(one.id) for one in (HANDLER, WATER, PLANNING)], **met)
    clock.forward(days=2)
    late = {one["department"]: one["late"] for one in (await detail(client, issue))["opinions"]}
    assert late == {"water": False, "planning": True}

    shown = await detail(client, issue, HANDLER)
    assert not shown["issue"]["overdue"], "the issue itself has time left"
    done = drafts.move("resolve", shown["issue"]["version"], reason="已改造")
    refused = await move(client, HANDLER, issue, done, status=409)
    assert (refused["code"], refused["facts"]["opinions_missing"]) == ("opinions_missing", ["planning"])
    await move(client, HANDLER, issue, done | {"despite": "规划局逾期未复，会上已口头同意"})
    refused = await move(client, PLANNING, issue, drafts.move("opine", 6, opinion="agree"), status=409)
    assert refused["code"] == "move_not_possible", "it is too late now"

    history = (await detail(client, issue))["history"]
    assert [entry["event"] for entry in history] == ["report", "accept", "assign", "opine", "meet", "resolve"]
    opinion, meeting, solved = history[-3:]
    assert (opinion["facts"]["opinion_of"], opinion["facts"]["evidence"]) == ("water", [document["sha256"]])
    assert (meeting["reason"], len(meeting["facts"]["present"])) == (met["reason"], 3)
    assert (solved["facts"]["opinions_missing"], solved["despite"]) == (["planning"], "规划局逾期未复，会上已口头同意")
    then = await doors.read(client, LEADER, f"/api/issues/{issue}", as_of="2026-11-23")
    assert [one["opinion"] for one in then["opinions"]] == [None, None], "as it stood that evening"
    assert await records.agree(conn) == 1


async def test_a_leader_follows_on_the_green_channel(
    client: Client, dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await limit(conn, 24, "calendar_hours", "urgent", channel="green_channel")
    other = await reported(client, clock)
    issue = await reported(client, clock, urgency="urgent", title="企业融资难")
    assert (await detail(client, issue))["issue"]["channel"] == "green_channel", "as its urgency proposes"
    await step(client, STREET_DISPATCHER, issue, "follow", to=str(STREET_LEADER.id))
    (followed,) = (await doors.read(client, STREET_LEADER, "/api/issues", leader="me"))["items"]
    assert (followed["id"], followed["leader"]["name"]) == (issue, STREET_LEADER.name)
    await run(dsn, clock, "tell")

    clock.forward(hours=1)
    for who, name, with_ in (
        (WORKER, "accept", {}),
        (WORKER, "assign", {"to": "city_management"}),
        (HANDLER, "start", {}),
        (HANDLER, "resolve", {"reason": "已对接银行"}),
    ):
        clock.forward(minutes=30)
        await step(client, who, issue, name, **with_)
        await run(dsn, clock, "tell")
    told = (await doors.read(client, STREET_LEADER, "/api/notices"))["items"]
    assert {one["issue"] for one in told} == {issue}, "and of nothing else"
    assert len(told) >= 4, "of every move"
    then = await doors.read(client, STREET_LEADER, "/api/issues", leader="me", as_of="2026-11-22")
    assert then["total"] == 0
    assert (await doors.read(client, LEADER, "/api/issues", channel="joint_review"))["items"][0]["id"] == other
    assert await records.agree(conn) == 2


async def test_nothing_of_a_review_is_seen_from_another_community(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    """Who is asked by one issue is not let in to the next."""
    issue = await reported(client, clock)
    beside = drafts.issue(position=drafts.NEXT_DOOR)
    await doors.file(client, MEMBER, drafts.visit(issues=[beside]))
    await step(client, WORKER, issue, "assign", to="city_management", departments=["water"])
    listed = await doors.read(client, WATER, "/api/issues")
    assert ([item["id"] for item in listed["items"]], listed["total"]) == ([issue], 1)
    areas = (await doors.read(client, WATER, "/maps/issues/areas"))["areas"]
    assert NEXT not in {area["community"] for area in areas if area["total"]}
    await doors.read(client, WATER, f"/api/issues/{UUID(beside['id'])}", status=404)

"""Who answers for an issue: offers that are accepted or declined, and what is asked of a dispatcher and judged."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from api import jobs
from api.jobs import Work
from api.settings import Settings
from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    DISPATCHER,
    DISTRICT,
    HANDLER,
    LEADER,
    MEMBER,
    NOW,
    OTHER_WORKER,
    RING,
    STRANGER,
    STREET_DISPATCHER,
    STREET_LEADER,
    WORKER,
    Client,
    Person,
    TestClock,
)
from tests.doors import Answer, file, move
from tests.stories import records

pytestmark = pytest.mark.anyio

PHOTO = {"sha256": "ab" * 32, "bytes": 9}
WHY = {"reason": "不在辖区", "evidence": [PHOTO]}


async def an_issue(client: Client, **changes: Any) -> str:
    """An issue of the near community that its worker has taken on, at version 2."""
    issue = drafts.issue(**changes)
    await file(client, MEMBER, drafts.visit(issues=[issue]))
    await move(client, WORKER, issue["id"], drafts.move("accept", 1))
    return str(issue["id"])


async def shown(client: Client, issue: str, who: Person = LEADER) -> Answer:
    return await doors.issue(client, who, issue)


# --- offers


async def test_until_somebody_accepts_it_stays_with_whom_it_was(shared: Client) -> None:
    issue = await an_issue(shared, category="0103")
    await doors.read(shared, STRANGER, f"/api/issues/{issue}", status=404)
    offered = await move(shared, WORKER, issue, drafts.move("assign", 2, to=str(STRANGER.id), reason="在你们楼"))
    assert (offered["owner"], offered["state"], offered["due_at"]) == (
        str(WORKER.id),
        "accepted",
        "2026-11-26T04:00:00Z",
    )
    detail = await shown(shared, issue, STRANGER)
    assert detail["issue"]["offered_to"] == {"id": str(STRANGER.id), "name": STRANGER.name}
    assert detail["moves"] == ["accept", "decline"]
    taken = await move(shared, STRANGER, issue, drafts.move("accept", 3))
    assert (taken["owner"], taken["state"]) == (str(STRANGER.id), "accepted")
    assert (await shown(shared, issue))["issue"]["offered_to"] is None


async def test_who_declines_says_why_and_sees_it_no_more(shared: Client) -> None:
    issue = await an_issue(shared, category="0103")
    await move(shared, WORKER, issue, drafts.move("assign", 2, to=str(STRANGER.id)))
    declined = await move(shared, STRANGER, issue, drafts.move("decline", 3, reason="下周出差"))
    assert declined["owner"] == str(WORKER.id)
    assert (await doors.read(shared, STRANGER, f"/api/issues/{issue}", status=404))["code"] == "not_found"
    last = (await shown(shared, issue))["history"][-1]
    assert (last["event"], last["reason"], last["facts"]["offered_to"]) == ("decline", "下周出差", None)


async def test_an_offer_goes_to_another_or_is_taken_back(shared: Client) -> None:
    issue = await an_issue(shared)
    await move(shared, WORKER, issue, drafts.move("assign", 2, to=str(STRANGER.id)))
    await move(shared, WORKER, issue, drafts.move("assign", 3, to=str(OTHER_WORKER.id)))
    assert (await move(shared, STRANGER, issue, drafts.move("accept", 4), status=404))["code"] == "not_found"
    await move(shared, WORKER, issue, drafts.move("assign", 4, to=str(WORKER.id)))
    assert (await shown(shared, issue))["issue"]["offered_to"] is None
    assert (await move(shared, OTHER_WORKER, issue, drafts.move("accept", 5), status=404))["code"] == "not_found"


@pytest.mark.parametrize("to", [WORKER, STRANGER], ids=["the owner", "who is asked already"])
async def test_nobody_is_offered_what_they_have(shared: Client, to: Person) -> None:
    issue = await an_issue(shared)
    version = 2
    if to is STRANGER:
        await move(shared, WORKER, issue, drafts.move("assign", version, to=str(STRANGER.id)))
        version += 1
    problem = await move(shared, WORKER, issue, drafts.move("assign", version, to=str(to.id)), status=409)
    assert (problem["code"], problem["field"]) == ("already_theirs", "to")


async def test_nobody_is_asked_who_has_left_or_is_away(client: Client, conn: asyncpg.Connection) -> None:
    issue = await an_issue(client)
    await conn.execute(
        "insert into member_absence (district, id, member, deputy, starts_at, ends_at, recorded_at)"
        " values ($1, $2, $3, $4, $5, $6, $5)",
        *(DISTRICT, uuid4(), STRANGER.id, MEMBER.id, NOW - timedelta(days=1), NOW + timedelta(days=1)),
    )
    await conn.execute("update member set closed_at = $3 where district = $1 and id = $2", DISTRICT, MEMBER.id, NOW)
    for whom, code in ((STRANGER, "member_away"), (MEMBER, "unknown_member")):
        problem = await move(client, WORKER, issue, drafts.move("assign", 2, to=str(whom.id)), status=422)
        assert (problem["code"], problem["field"]) == (code, "to")


async def test_what_a_department_works_on_goes_on_under_another_owner(shared: Client) -> None:
    issue = await an_issue(shared)
    await move(shared, WORKER, issue, drafts.move("assign", 2, to="city_management"))
    await move(shared, HANDLER, issue, drafts.move("start", 3))
    moved = await doors.hand_over(shared, WORKER, STRANGER, issue, 4)
    assert (moved["owner"], moved["department"], moved["state"]) == (
        str(STRANGER.id),
        "city_management",
        "in_progress",
    )


async def test_each_hand_over_tells_how_long_it_lay_there(client: Client, clock: TestClock) -> None:
    issue = await an_issue(client)
    clock.forward(hours=5)
    await move(client, WORKER, issue, drafts.move("assign", 2, to=str(STRANGER.id)))
    clock.forward(hours=1)
    await move(client, STRANGER, issue, drafts.move("accept", 3))
    offered, accepted = (await shown(client, issue))["history"][-2:]
    assert "lay_seconds" not in offered["facts"], "it is in the same hands still"
    assert (accepted["facts"]["lay_seconds"], accepted["facts"]["before"]) == (6.5 * 3600, str(WORKER.id))


# --- giving back


async def test_a_department_gives_back_what_is_not_its_own(
    client: Client, clock: TestClock, conn: asyncpg.Connection
) -> None:
    issue = await an_issue(client)
    await move(client, WORKER, issue, drafts.move("assign", 2, to="city_management"))
    asked = await move(client, HANDLER, issue, drafts.move("return", 3, **WHY))
    assert (asked["state"], asked["department"], asked["due_at"]) == (
        "assigned",
        "city_management",
        "2026-11-26T04:00:00Z",
    )
    waiting = await doors.read(client, DISPATCHER, "/api/issues", asked="return")
    assert [item["id"] for item in waiting["items"]] == [issue]
    assert {"approve", "refuse"} <= set((await shown(client, issue, STREET_DISPATCHER))["moves"])
    clock.forward(hours=2)
    granted = await move(client, STREET_DISPATCHER, issue, drafts.move("approve", 4))
    assert (granted["state"], granted["department"], granted["owner"]) == ("accepted", None, str(WORKER.id))
    assert (await doors.read(client, DISPATCHER, "/api/issues", asked="return"))["items"] == []
    facts = (await shown(client, issue))["history"][-1]["facts"]
    assert (facts["approved"], facts["asker"]) == ("return", str(HANDLER.id))
    assert await records.agree(conn) == 1
    assert await conn.fetchval("select bounces from issue") == 1


async def test_who_grants_an_owner_s_return_answers_for_it(shared: Client) -> None:
    issue = await an_issue(shared, category="0103")
    await move(shared, WORKER, issue, drafts.move("return", 2, **WHY))
    granted = await move(shared, DISPATCHER, issue, drafts.move("approve", 3))
    assert (granted["owner"], granted["state"]) == (str(DISPATCHER.id), "accepted")


async def test_a_return_that_is_refused_changes_nothing(shared: Client) -> None:
    issue = await an_issue(shared)
    await move(shared, WORKER, issue, drafts.move("return", 2, **WHY))
    refused = await move(shared, DISPATCHER, issue, drafts.move("refuse", 3, reason="就是你们的"))
    assert (refused["owner"], refused["state"]) == (str(WORKER.id), "accepted")
    last = (await shown(shared, issue))["history"][-1]
    assert (last["facts"]["refused"], last["facts"]["asked"], last["reason"]) == ("return", None, "就是你们的")


async def test_a_request_of_who_has_it_no_more_is_void(shared: Client) -> None:
    issue = await an_issue(shared)
    await move(shared, WORKER, issue, drafts.move("assign", 2, to=str(STRANGER.id)))
    await move(shared, WORKER, issue, drafts.move("return", 3, **WHY))
    await move(shared, STRANGER, issue, drafts.move("accept", 4))
    assert (await shown(shared, issue))["issue"]["asked"] is None
    problem = await move(shared, DISPATCHER, issue, drafts.move("approve", 5), status=409)
    assert problem["code"] == "move_not_possible"


# --- pausing


async def test_a_pause_costs_nothing(client: Client, clock: TestClock, conn: asyncpg.Connection) -> None:
    issue = await an_issue(client)
    clock.forward(hours=2)
    await move(client, WORKER, issue, drafts.move("pause", 2, reason="等材料", until="2026-12-10T00:00:00+08:00"))
    clock.forward(hours=3)
    paused = await move(client, DISPATCHER, issue, drafts.move("approve", 3))
    assert (paused["state"], paused["due_at"]) == ("paused", "2026-11-26T04:00:00Z")
    clock.forward(days=10)
    item = (await shown(client, issue))["issue"]
    assert (item["group"], item["overdue"], item["paused_at"]) == ("in_hand", False, "2026-11-23T09:00:00Z")
    resumed = await move(client, WORKER, issue, drafts.move("resume", 4))
    assert (resumed["state"], resumed["due_at"]) == ("accepted", "2026-12-06T04:00:00Z")
    assert (await shown(client, issue))["pause_until"] is None
    assert await records.agree(conn) == 1


async def resume(conn: asyncpg.Connection, clock: TestClock) -> Mapping[str, object]:
    work = Work(district=DISTRICT, now=clock(), ring=RING, settings=Settings())
    return await jobs.named("resume_pauses").run(conn, work)


async def test_a_pause_ends_by_itself(client: Client, clock: TestClock, conn: asyncpg.Connection) -> None:
    issue = await an_issue(client)
    await move(client, WORKER, issue, drafts.move("assign", 2, to="city_management"))
    pause = drafts.move("pause", 3, reason="等材料", until="2026-11-25T12:00:00+08:00")
    await move(client, STREET_DISPATCHER, issue, pause)
    clock.forward(days=1)
    assert await resume(conn, clock) == {"resumed": 0}
    clock.forward(days=2)
    assert await resume(conn, clock) == {"resumed": 1}
    assert await resume(conn, clock) == {"resumed": 0}
    detail = await shown(client, issue)
    assert (detail["issue"]["state"], detail["issue"]["due_at"]) == ("assigned", "2026-11-29T04:00:00Z")
    assert detail["history"][-1]["actor"] == {"kind": "job", "id": "resume_pauses"}
    assert await records.agree(conn) == 1


@pytest.mark.parametrize(
    ("until", "code"),
    [("2027-02-21T12:00:01+08:00", "pause_too_long"), ("2026-11-23T12:00:00+08:00", "time_in_past")],
)
async def test_how_long_a_pause_may_be(shared: Client, until: str, code: str) -> None:
    issue = await an_issue(shared)
    problem = await move(shared, WORKER, issue, drafts.move("pause", 2, reason="等", until=until), status=422)
    assert (problem["code"], problem["field"]) == (code, "until")


# --- extending


async def test_an_extension_is_granted_in_the_limit_s_unit(client: Client, conn: asyncpg.Connection) -> None:
    issue = await an_issue(client)
    await move(client, WORKER, issue, drafts.move("extend", 2, reason="要招标", amount=24))
    detail = await shown(client, issue)
    assert (detail["issue"]["due_at"], detail["asked_amount"], detail["extension"]) == ("2026-11-26T04:00:00Z", 24, 0)
    granted = await move(client, DISPATCHER, issue, drafts.move("approve", 3))
    assert granted["due_at"] == "2026-11-27T04:00:00Z"
    at_once = await move(client, STREET_DISPATCHER, issue, drafts.move("extend", 4, reason="还要招标", amount=48))
    assert at_once["due_at"] == "2026-11-29T04:00:00Z"
    assert (await shown(client, issue))["extension"] == 72
    assert await records.agree(conn) == 1


async def test_how_far_a_limit_may_be_extended(client: Client, conn: asyncpg.Connection) -> None:
    issue = await an_issue(client)
    problem = await move(client, WORKER, issue, drafts.move("extend", 2, reason="x", amount=73), status=422)
    assert (problem["code"], problem["field"]) == ("extension_too_long", "amount")
    assert problem["facts"] == {"most": 2, "granted": 0, "left": 72}
    for version in (2, 3):
        await move(client, DISPATCHER, issue, drafts.move("extend", version, reason="x", amount=1))
    problem = await move(client, DISPATCHER, issue, drafts.move("extend", 4, reason="x", amount=1), status=422)
    assert problem["facts"] == {"most": 2, "granted": 2, "left": 70}
    await conn.execute("insert into handling_rule values ($1, 3, 10, 5, $2, 3, 'working_days')", DISTRICT, NOW)
    problem = await move(client, DISPATCHER, issue, drafts.move("extend", 4, reason="x", amount=6), status=422)
    assert problem["facts"] == {"most": 3, "granted": 2, "left": 5}
    await move(client, DISPATCHER, issue, drafts.move("extend", 4, reason="x", amount=5))


async def test_what_is_late_is_extended_no_more(client: Client, clock: TestClock) -> None:
    issue = await an_issue(client)
    clock.forward(days=3)
    for who in (WORKER, DISPATCHER):
        problem = await move(client, who, issue, drafts.move("extend", 2, reason="x", amount=1), status=409)
        assert (problem["code"], problem["field"]) == ("limit_passed", "amount")


async def test_a_dispatcher_who_has_it_in_hand_asks_another(shared: Client) -> None:
    issue = await an_issue(shared)
    await doors.hand_over(shared, WORKER, STREET_DISPATCHER, issue, 2)
    asked = await move(shared, STREET_DISPATCHER, issue, drafts.move("extend", 4, reason="要招标", amount=24))
    assert asked["due_at"] == "2026-11-26T04:00:00Z"
    for name in ("approve", "refuse"):
        draft = drafts.move(name, 5, reason="自己批")
        assert (await move(shared, STREET_DISPATCHER, issue, draft, status=403))["code"] == "not_allowed"
    await move(shared, DISPATCHER, issue, drafts.move("approve", 5))


# --- ending


async def test_who_solved_it_does_not_close_it(shared: Client) -> None:
    issue = await an_issue(shared)
    await move(shared, WORKER, issue, drafts.move("resolve", 2, reason="已清运"))
    assert "close" not in (await shown(shared, issue, WORKER))["moves"]
    problem = await move(shared, WORKER, issue, drafts.move("close", 3, reason="好了"), status=403)
    assert problem["code"] == "not_allowed"
    await move(shared, STREET_DISPATCHER, issue, drafts.move("close", 3, reason="去看过了"))
    assert (await shown(shared, issue))["history"][-1]["facts"]["by_hand"] is True


async def test_what_is_solved_waits_for_nothing(shared: Client) -> None:
    issue = await an_issue(shared)
    await move(shared, WORKER, issue, drafts.move("assign", 2, to=str(STRANGER.id)))
    await move(shared, WORKER, issue, drafts.move("extend", 3, reason="x", amount=2))
    await move(shared, WORKER, issue, drafts.move("resolve", 4, reason="已清运"))
    item = (await shown(shared, issue))["issue"]
    assert (item["offered_to"], item["asked"]) == (None, None)


# --- whoever leaves


async def test_offers_and_requests_of_whoever_goes_do_not_wait_for_them(
    client: Client, clock: TestClock, conn: asyncpg.Connection
) -> None:
    offered, asking = await an_issue(client), await an_issue(client)
    await move(client, WORKER, offered, drafts.move("assign", 2, to=str(STRANGER.id)))
    await doors.hand_over(client, WORKER, STRANGER, asking, 2)
    await move(client, STRANGER, asking, drafts.move("return", 4, **WHY))
    leaving = {"id": str(uuid4()), "change": "close", "expected_version": 0}
    path = f"/api/members/{STRANGER.id}/changes"
    doors.answered(await client.post(path, json=leaving, headers=ADMINISTRATOR.headers), 200)
    assert (await shown(client, offered))["issue"]["offered_to"] is None
    item = (await shown(client, asking))["issue"]
    assert (item["asked"], item["owner"]["id"]) == (None, str(WORKER.id))
    assert await records.agree(conn) == 2


async def test_an_errand_goes_to_the_deputy_and_who_left_follows_nothing(
    client: Client, conn: asyncpg.Connection
) -> None:
    issue = await an_issue(client, category="0103")
    await move(client, WORKER, issue, drafts.move("appoint", 2, to=str(STRANGER.id), at="2026-11-25T09:00:00+08:00"))
    await move(client, DISPATCHER, issue, drafts.move("follow", 3, to=str(STREET_LEADER.id)))
    for who, deputy in ((STRANGER, {"deputy": MEMBER.number}), (STREET_LEADER, {})):
        leaving = {"id": str(uuid4()), "change": "close", "expected_version": 0} | deputy
        path = f"/api/members/{who.id}/changes"
        doors.answered(await client.post(path, json=leaving, headers=ADMINISTRATOR.headers), 200)
    detail = await shown(client, issue)
    assert (detail["issue"]["agent"]["name"], detail["issue"]["leader"]) == (MEMBER.name, None)
    assert detail["appointment_at"] == "2026-11-25T01:00:00Z"
    assert [entry["event"] for entry in detail["history"][-2:]] == ["hand_on", "hand_on"]
    assert await records.agree(conn) == 1


@pytest.mark.parametrize("given", ["me", str(STRANGER.id)])
async def test_the_list_of_what_somebody_is_asked_to_take_on(client: Client, given: str) -> None:
    issue, _ = await an_issue(client), await an_issue(client)
    await move(client, WORKER, issue, drafts.move("assign", 2, to=str(STRANGER.id)))
    listed = await doors.read(client, STRANGER, "/api/issues", offered_to=given)
    assert [item["id"] for item in listed["items"]] == [issue]
    assert (await doors.read(client, WORKER, "/api/issues", offered_to="me"))["items"] == []
    problem = await doors.read(client, WORKER, "/api/issues", offered_to="you", status=422)
    assert (problem["code"], problem["field"]) == ("invalid_filter", "offered_to")

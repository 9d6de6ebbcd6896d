"""Merging and taking apart: whose it is, what it refuses, and that two people at once agree in the end."""

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    DISPATCHER,
    HANDLER,
    LEADER,
    MEMBER,
    OTHER_WORKER,
    STRANGER,
    STREET_DISPATCHER,
    WORKER,
    Client,
    Person,
    found_district,
)
from tests.doors import move
from tests.stories import records

pytestmark = pytest.mark.anyio


async def reported(client: Client, position: dict[str, Any] = drafts.NEAR_DOOR, **changes: Any) -> str:
    draft = drafts.visit(issues=[drafts.issue(**changes)], position=position)
    await doors.file(client, MEMBER, draft)
    issue: str = draft["issues"][0]["id"]
    return issue


def merge(to: object, version: int = 1, **changes: Any) -> dict[str, Any]:
    return drafts.move("merge", version, to=to, reason="同一件事") | changes


async def test_who_may_merge_two_issues_of_one_community(shared: Client) -> None:
    """Who decides about both; the owner of only one does not, and who reads them does not."""
    statuses = {
        WORKER: 200,
        STREET_DISPATCHER: 200,
        DISPATCHER: 200,
        MEMBER: 403,
        HANDLER: 403,
        LEADER: 403,
        ADMINISTRATOR: 403,
        STRANGER: 404,
        OTHER_WORKER: 404,
    }
    for who, status in statuses.items():
        issue, into = await reported(shared), await reported(shared)
        await move(shared, who, issue, merge(into), status=status)
        state = (await doors.issue(shared, LEADER, issue))["issue"]["state"]
        assert state == ("merged" if status == 200 else "reported")
        taken_apart = {200: 200, 403: 409, 404: 404}[status]  # what is not merged cannot be taken apart
        await move(
            shared, who, issue, drafts.move("unmerge", 2 if status == 200 else 1, reason="x"), status=taken_apart
        )
        if status == 200:
            await move(shared, WORKER, issue, merge(into, 3))
            await move(shared, LEADER, issue, drafts.move("unmerge", 4, reason="x"), status=403)


async def test_across_a_line_only_who_decides_on_both_sides_merges(shared: Client) -> None:
    issue = await reported(shared)
    into = await reported(shared, drafts.FAR_DOOR)
    for who, status, field in ((WORKER, 404, "to"), (STREET_DISPATCHER, 404, "to"), (OTHER_WORKER, 404, None)):
        problem = await move(shared, who, issue, merge(into), status=status)
        assert (problem["code"], problem.get("field")) == ("not_found", field)
    moved = await move(shared, DISPATCHER, issue, merge(into))
    assert moved["state"] == "merged"
    seen = await doors.issue(shared, WORKER, issue)
    assert seen["merged_into"] is None, "what lies out of reach is not named"
    assert (await doors.issue(shared, OTHER_WORKER, into))["merged"] == []
    moved = await move(shared, WORKER, issue, drafts.move("unmerge", 2, reason="不是一件事"))
    assert moved["state"] == "reported", "one's own is taken apart by oneself"


async def test_who_owns_only_one_of_two_does_not_merge_them(shared: Client) -> None:
    """Both are in sight of a member who reported them, and who answers for one."""
    solved = drafts.visit(issues=[drafts.issue(), drafts.solved()])
    await doors.file(shared, MEMBER, solved)
    into, own = (issue["id"] for issue in solved["issues"])
    reopened = await move(shared, WORKER, own, drafts.move("reopen", 2, reason="又来了"))
    assert reopened["owner"] == str(MEMBER.id)
    problem = await move(shared, MEMBER, own, merge(into, 3), status=403)
    assert (problem["code"], problem["field"]) == ("not_allowed", "to")


@pytest.mark.parametrize(
    ("changes", "status", "code", "field"),
    [
        ({"to": None}, 422, "missing", "to"),
        ({"to": ""}, 422, "wrong_value", "to"),
        ({"to": "city_management"}, 404, "not_found", "to"),
        ({"to": str(uuid4())}, 404, "not_found", "to"),
        ({"to": "a\x00"}, 422, "text_unusable", "to"),
        ({"to": "${7*7}"}, 404, "not_found", "to"),
        ({"reason": None}, 422, "missing", "reason"),
        ({"reason": " \u3000"}, 422, "missing", "reason"),
        ({"reason": "长" * 10_000}, 422, "wrong_value", "reason"),
        ({"expected_version": 9}, 409, "stale_version", "expected_version"),
    ],
)
async def test_a_merge_that_makes_no_sense(
    shared: Client, changes: dict[str, Any], status: int, code: str, field: str
) -> None:
    issue, into = await reported(shared), await reported(shared)
    problem = await move(shared, WORKER, issue, merge(into) | changes, status=status)
    assert (problem["code"], problem["field"]) == (code, field)
    assert (await doors.issue(shared, WORKER, issue))["issue"]["version"] == 1


async def test_an_issue_is_not_merged_into_itself_nor_into_what_is_no_more(shared: Client) -> None:
    issue, rejected, merged = [await reported(shared) for _ in range(3)]
    problem = await move(shared, WORKER, issue, merge(issue), status=422)
    assert (problem["code"], problem["field"]) == ("same_issue", "to")
    await move(shared, WORKER, rejected, drafts.move("reject", 1, reason="不属实"))
    problem = await move(shared, WORKER, issue, merge(rejected), status=409)
    assert (problem["code"], problem["field"]) == ("move_not_possible", "to")
    await move(shared, WORKER, merged, merge(issue))
    problem = await move(shared, WORKER, merged, merge(rejected, 2), status=409)
    assert problem["facts"]["possible"] == ["unmerge"]
    problem = await move(shared, WORKER, issue, drafts.move("unmerge", 2, reason="x"), status=409)
    assert problem["code"] == "move_not_possible"


async def test_another_district_s_issue_is_none(client: Client, conn: asyncpg.Connection) -> None:
    await found_district(conn, 110101)
    issue = await reported(client)
    draft = drafts.visit(issues=[drafts.issue()])
    answer = await client.post("/api/visits", json=draft, headers=MEMBER.headers_in(110101))
    foreign = doors.answered(answer, 201)["issues"][0]["id"]
    problem = await move(client, DISPATCHER, issue, merge(foreign), status=404)
    assert (problem["code"], problem["field"]) == ("not_found", "to")


async def test_a_solved_issue_takes_in_a_late_report_of_itself(shared: Client) -> None:
    solved, late = await reported(shared), await reported(shared)
    await move(shared, WORKER, solved, drafts.move("accept", 1))
    await move(shared, WORKER, solved, drafts.move("resolve", 2, reason="已清运"))
    moved = await move(shared, WORKER, late, merge(solved))
    assert moved["state"] == "merged"
    problem = await move(shared, WORKER, solved, merge(late, 4), status=409)
    assert problem["code"] == "move_not_possible", "what is solved is no twin of what is not"


async def test_two_who_merge_each_into_the_other_agree_in_the_end(client: Client, conn: asyncpg.Connection) -> None:
    for _ in range(5):
        a, b = await reported(client), await reported(client)
        answers = await asyncio.gather(
            client.post(f"/api/issues/{a}/moves", json=merge(b), headers=WORKER.headers),
            client.post(f"/api/issues/{b}/moves", json=merge(a), headers=DISPATCHER.headers),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        states = sorted([(await doors.issue(client, WORKER, one))["issue"]["state"] for one in (a, b)])
        assert states == ["merged", "reported"]
    assert await records.agree(conn) == 10


async def test_many_who_merge_and_move_at_once_leave_no_circle(client: Client, conn: asyncpg.Connection) -> None:
    issues = [await reported(client) for _ in range(5)]
    everybody: list[Person] = [WORKER, STREET_DISPATCHER, DISPATCHER]
    asked = [
        client.post(f"/api/issues/{one}/moves", json=merge(other), headers=everybody[at % 3].headers)
        for at, (one, other) in enumerate((one, other) for one in issues for other in issues if one != other)
    ]
    answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} <= {200, 409}
    left = await conn.fetch("select id from issue where state <> 'merged'")
    assert left, "one survives"
    leads = await conn.fetchval(
        "with recursive led as (select id, merged_into, 0 as steps from issue union all"
        " select led.id, i.merged_into, steps + 1 from led join issue i on i.id = led.merged_into where steps < 9)"
        " select max(steps) from led"
    )
    assert leads < 9, "no circle"
    assert await records.agree(conn) == 5


async def test_the_same_merge_five_times_at_once_is_made_once(client: Client, conn: asyncpg.Connection) -> None:
    issue, into = await reported(client), await reported(client)
    once = merge(into)
    answers = await asyncio.gather(*[move(client, WORKER, issue, once) for _ in range(5)])
    assert all(answer == answers[0] for answer in answers)
    assert await conn.fetchval("select count(*) from history where event in ('merge', 'absorb')") == 2
    problem = await move(client, WORKER, issue, once | {"reason": "别的原因"}, status=409)
    assert problem["code"] == "id_taken"

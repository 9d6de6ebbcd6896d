"""Two neighbours report one heap of refuse; the two issues become one, turn out to be two, and go their own ways."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from surveys.clock import calendars, deadlines
from surveys.clock.clock import Span, due
from surveys.issues import judgements, merging, twin_proposals
from surveys.issues.issues import ROW, IssueRow
from surveys.notices import following
from tests import doors, drafts
from tests.conftest import (
    DISPATCHER,
    DISTRICT,
    LEADER,
    MEMBER,
    MEMBER_BESIDE,
    NOW,
    WORKER,
    Client,
    TestClock,
)
from tests.stories import records

pytestmark = pytest.mark.anyio

MARKUP = "<img src=x onerror=alert(1)> 门口垃圾成堆"


async def reported(client: Client, who: Any = MEMBER, **changes: Any) -> str:
    draft = drafts.visit(issues=[drafts.issue(**changes)])
    await doors.file(client, who, draft)
    issue: str = draft["issues"][0]["id"]
    return issue


async def notices(conn: asyncpg.Connection) -> set[tuple[str, str, UUID]]:
    """What members were told of but what was theirs to take on: kind, issue, whom."""
    async with conn.transaction():
        await following.follow(conn, DISTRICT, NOW + timedelta(hours=12))
    told = await conn.fetch("select kind, issue, member from notice where kind in ('merged', 'resolved')")
    return {(row["kind"], str(row["issue"]), row["member"]) for row in told}


async def test_both_who_reported_it_are_told_when_it_is_solved(client: Client, conn: asyncpg.Connection) -> None:
    """Each of the issue that they reported themselves, for they may not read the other's."""
    first, second, third = await reported(client), await reported(client, MEMBER_BESIDE), await reported(client)
    await doors.move(client, WORKER, second, drafts.move("merge", 1, to=third, reason="同一件事"))
    await doors.move(client, WORKER, third, drafts.move("merge", 2, to=first, reason="同一件事"))
    await doors.move(client, WORKER, first, drafts.move("accept", 2))
    await doors.move(client, WORKER, first, drafts.move("resolve", 3, reason="已清运"))
    solved = {(issue, member) for kind, issue, member in await notices(conn) if kind == "resolved"}
    assert solved == {(first, MEMBER.id), (second, MEMBER_BESIDE.id)}


async def test_merged_taken_apart_and_solved_one_by_one(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    first = await reported(client, title=MARKUP)
    second = await reported(client, MEMBER_BESIDE, title="门口垃圾成堆没人清")
    async with conn.transaction():
        await twin_proposals.propose(conn, DISTRICT, clock.now)
    (twin,) = (await doors.read(client, WORKER, f"/api/issues/{second}/twins"))["items"]
    assert (twin["issue"]["id"], twin["issue"]["title"]) == (first, MARKUP)

    clock.forward(hours=1)
    await doors.move(client, WORKER, second, drafts.move("accept", 1))
    before = (await doors.issue(client, WORKER, second))["issue"]
    clock.forward(hours=1)
    merge = drafts.move("merge", 2, to=first, reason="同一堆垃圾")
    moved = await doors.move(client, WORKER, second, merge)
    assert (moved["state"], moved["version"]) == ("merged", 3)
    assert await doors.move(client, WORKER, second, merge) == moved, "a retry gets the first answer"

    merged = await doors.issue(client, WORKER, second)
    survivor = await doors.issue(client, WORKER, first)
    assert merged["merged_into"]["id"] == first
    assert [one["id"] for one in survivor["merged"]] == [second]
    assert merged["moves"] == ["unmerge"]
    assert (merged["twins_proposed"], survivor["twins_proposed"]) == (0, 0)
    told = {
        "survivor": first,
        "twin": second,
        "reporters": sorted([str(MEMBER.id), str(MEMBER_BESIDE.id)]),
        "cards": [],
    }
    for history, event in ((merged["history"], "merge"), (survivor["history"], "absorb")):
        assert history[-1]["event"] == event
        assert told.items() <= history[-1]["facts"].items(), "both histories name both, and whom to tell"
    assert merged["history"][-1]["reason"] == "同一堆垃圾"
    assert await records.agree(conn) == 2
    assert await notices(conn) == {("merged", second, MEMBER_BESIDE.id), ("merged", first, MEMBER.id)}

    # each reporter goes on seeing the one that they reported; through the merged one, its page learns how it stands
    assert (await doors.issue(client, MEMBER_BESIDE, second))["issue"]["state"] == "merged"
    await doors.read(client, MEMBER_BESIDE, f"/api/issues/{first}", status=404)
    assert (await doors.issue(client, MEMBER_BESIDE, second))["merged_into"] is None, "which is out of their reach"
    clock.forward(hours=1)
    await doors.move(client, WORKER, first, drafts.move("accept", 2))
    stands = await merging.survivor(conn, DISTRICT, UUID(second))
    assert stands is not None
    assert (str(stands.id), stands.state) == (first, "accepted")
    counted = await doors.read(client, LEADER, "/api/issues", group=["reported", "in_hand", "overdue", "solved"])
    assert [item["id"] for item in counted["items"]] == [first], "merged twins count once"

    clock.forward(hours=5)
    apart = drafts.move("unmerge", 3, reason="不是同一处")
    moved = await doors.move(client, WORKER, second, apart)
    assert (moved["state"], moved["version"]) == ("accepted", 4)
    assert await doors.move(client, WORKER, second, apart) == moved
    now = (await doors.issue(client, WORKER, second))["issue"]
    for name in ("state", "owner", "department", "due_at", "category", "urgency", "channel"):
        assert now[name] == before[name], f"{name} is what it was"
    assert (await doors.issue(client, WORKER, first))["history"][-1]["event"] == "release"
    assert await conn.fetchval("select state from twin_proposal") == "dismissed"
    assert (await doors.read(client, WORKER, f"/api/issues/{second}/twins"))["items"] == []
    await doors.move(client, WORKER, second, drafts.move("resolve", 4, reason="已清运"))
    stands = await merging.survivor(conn, DISTRICT, UUID(second))
    assert stands is not None
    assert (str(stands.id), stands.state) == (second, "resolved")
    assert await records.agree(conn) == 2


async def test_three_that_are_one_lead_to_one_and_come_apart_in_any_order(
    client: Client, conn: asyncpg.Connection
) -> None:
    a, b, c, newcomer = [await reported(client) for _ in range(4)]
    await doors.move(client, WORKER, a, drafts.move("merge", 1, to=b, reason="同一件事"))
    refused = await doors.move(client, WORKER, c, drafts.move("merge", 1, to=a, reason="同一件事"), status=409)
    assert (refused["code"], refused["field"]) == ("already_merged", "to")
    await doors.move(client, WORKER, b, drafts.move("merge", 2, to=c, reason="同一件事"))
    for merged in (a, b):
        stands = await merging.survivor(conn, DISTRICT, UUID(merged))
        assert stands is not None
        assert str(stands.id) == c
        assert (await doors.issue(client, WORKER, merged))["merged_into"]["id"] == c
    refused = await doors.move(client, WORKER, c, drafts.move("merge", 2, to=a, reason="转圈"), status=409)
    assert refused["code"] == "already_merged", "no circle"
    (twin,) = (await doors.read(client, WORKER, f"/api/issues/{newcomer}/twins"))["items"]
    assert twin["issue"]["id"] == c, "merged ones lead to what they are now"
    await doors.move(client, DISPATCHER, b, drafts.move("unmerge", 3, reason="弄错了"))
    stands = await merging.survivor(conn, DISTRICT, UUID(a))
    assert stands is not None
    assert str(stands.id) == b, "what was merged before stays with it"
    await doors.move(client, WORKER, a, drafts.move("unmerge", 2, reason="弄错了"))
    assert {item["state"] for item in (await doors.read(client, LEADER, "/api/issues"))["items"]} == {"reported"}
    assert await records.agree(conn) == 4


async def test_who_owned_it_has_left_when_it_is_taken_apart(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    first, second = await reported(client), await reported(client)
    await doors.hand_over(client, WORKER, MEMBER_BESIDE, second, 1)
    version = (await doors.issue(client, WORKER, second))["issue"]["version"]
    await doors.move(client, DISPATCHER, second, drafts.move("merge", version, to=first, reason="同一件事"))
    await conn.execute("update member set closed_at = $2 where id = $1", MEMBER_BESIDE.id, clock.now)
    clock.forward(days=1)
    moved = await doors.move(client, DISPATCHER, second, drafts.move("unmerge", version + 1, reason="弄错了"))
    assert moved["owner"] == str(WORKER.id), "never without an owner"


async def test_what_is_paused_is_merged_and_comes_back_paused(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    """The pause ends with the merger, for nobody granted that the clock stand still while it is another's; taken apart,
    it is paused again, for as long as was granted."""
    first, second = await reported(client), await reported(client)
    await doors.move(client, WORKER, second, drafts.move("accept", 1))
    due_at = datetime.fromisoformat((await doors.issue(client, WORKER, second))["issue"]["due_at"])
    until = "2026-12-01T00:00:00+08:00"
    await doors.move(client, DISPATCHER, second, drafts.move("pause", 2, reason="等材料", until=until))
    clock.forward(hours=5)
    await doors.move(client, WORKER, second, drafts.move("merge", 3, to=first, reason="同一件事"))
    clock.forward(hours=7)
    moved = await doors.move(client, WORKER, second, drafts.move("unmerge", 4, reason="弄错了"))
    assert moved["state"] == "paused"
    assert datetime.fromisoformat(moved["due_at"]) == due_at + timedelta(hours=5)
    assert await records.agree(conn) == 2
    clock.forward(hours=11)
    moved = await doors.move(client, DISPATCHER, second, drafts.move("resume", 5, reason="材料到了"))
    assert moved["state"] == "accepted", "what it was before the pause"
    assert datetime.fromisoformat(moved["due_at"]) == due_at + timedelta(hours=16), "a pause costs nothing"
    row = IssueRow(**await conn.fetchrow(f"select {ROW} from issue where id = $1", second))  # type: ignore[arg-type]
    pauses = (await deadlines.pauses_of(conn, DISTRICT, [row.id]))[row.id]
    calendar = await calendars.in_force(conn, DISTRICT, clock.now)
    limit = Span(row.limit_amount, row.limit_unit)
    assert due(calendar, limit, row.clock_started_at, pauses, row.extension).at == row.due_at, "reckoned anew, the same"


async def test_a_pause_that_was_granted_ends_although_it_was_merged_in_between(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    first, second = await reported(client), await reported(client)
    until = "2026-11-24T00:00:00+08:00"
    await doors.move(client, WORKER, second, drafts.move("accept", 1))
    await doors.move(client, DISPATCHER, second, drafts.move("pause", 2, reason="等材料", until=until))
    await doors.move(client, WORKER, second, drafts.move("merge", 3, to=first, reason="同一件事"))
    clock.forward(days=2)
    async with conn.transaction():
        assert await judgements.resume_due(conn, DISTRICT, clock.now) == 0, "what is merged is not paused"
    await doors.move(client, WORKER, second, drafts.move("unmerge", 4, reason="弄错了"))
    async with conn.transaction():
        assert await judgements.resume_due(conn, DISTRICT, clock.now) == 1
    assert (await doors.issue(client, WORKER, second))["issue"]["state"] == "accepted"
    assert await records.agree(conn) == 2

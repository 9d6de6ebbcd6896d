"""Correcting an issue: its place, its kind, its urgency, its words; what was first said stays on record."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import shapely

from maps import boundaries
from maps.boundaries import Area
from surveys import history
from tests import doors, drafts
from tests.conftest import (
    DISPATCHER,
    DISTRICT,
    FAR,
    LEADER,
    MEMBER,
    NEAR,
    NEXT,
    OTHER_WORKER,
    STREET_DISPATCHER,
    WORKER,
    Client,
    Person,
    TestClock,
)
from tests.doors import Answer, file, move

pytestmark = pytest.mark.anyio


async def filed(client: Client, **changes: Any) -> str:
    issue = drafts.issue(**changes)
    await file(client, MEMBER, drafts.visit(issues=[issue]))
    return str(issue["id"])


async def correct(
    client: Client, who: Person, issue: str, version: int = 1, *, status: int = 200, **what: Any
) -> Answer:
    draft = drafts.move("correct", version, reason="写错了", correction=what)
    return await move(client, who, issue, draft, status=status)


async def shown(client: Client, issue: str) -> Answer:
    answer: Answer = (await doors.issue(client, LEADER, issue))["issue"]
    return answer


async def test_another_place_is_another_community_and_while_nobody_took_it_on_another_owner(shared: Client) -> None:
    issue = await filed(shared)
    moved = await correct(shared, MEMBER, issue, position=drafts.FAR_DOOR)
    assert (moved["owner"], moved["state"]) == (str(OTHER_WORKER.id), "reported")
    now = await shown(shared, issue)
    assert (now["community"]["code"], now["position"]["lon"]) == (FAR, 113.625)
    await correct(shared, OTHER_WORKER, issue, 2, position=drafts.NEXT_DOOR)
    now = await shown(shared, issue)
    assert (now["community"]["code"], now["owner"]["id"]) == (NEXT, str(STREET_DISPATCHER.id))


async def test_who_took_it_on_keeps_it_wherever_it_turns_out_to_be(shared: Client) -> None:
    issue = await filed(shared)
    await move(shared, WORKER, issue, drafts.move("accept", 1))
    moved = await correct(shared, WORKER, issue, 2, position=drafts.FAR_DOOR)
    assert (moved["owner"], moved["state"]) == (str(WORKER.id), "accepted")
    assert (await shown(shared, issue))["community"]["code"] == FAR


async def test_an_issue_without_a_place_is_given_one(shared: Client) -> None:
    issue = drafts.issue()
    await file(shared, MEMBER, drafts.visit(position=None, issues=[issue]))
    before = await shown(shared, issue["id"])
    assert (before["community"], before["position"], before["certainty"]) == (None, None, "unplaced")
    await correct(shared, DISPATCHER, issue["id"], position=drafts.NEAR_DOOR)
    after = await shown(shared, issue["id"])
    assert (after["community"]["code"], after["certainty"], after["owner"]["id"]) == (NEAR, "inside", str(WORKER.id))


async def test_a_community_named_by_hand(shared: Client) -> None:
    issue = drafts.issue()
    await file(shared, MEMBER, drafts.visit(position=None, issues=[issue]))
    moved = await correct(shared, DISPATCHER, issue["id"], community=FAR)
    assert moved["owner"] == str(OTHER_WORKER.id)
    after = await shown(shared, issue["id"])
    assert (after["community"]["code"], after["certainty"], after["position"]) == (FAR, "unplaced", None)


async def test_a_place_outside_the_district(shared: Client) -> None:
    issue = await filed(shared)
    moved = await correct(shared, WORKER, issue, position=drafts.OUTSIDE)
    assert moved["owner"] == str(DISPATCHER.id)
    after = await shown(shared, issue)
    assert (after["community"], after["certainty"]) == (None, "outside")


async def test_another_urgency_has_another_limit_counted_from_the_same_start(client: Client, clock: TestClock) -> None:
    issue = await filed(client)
    assert (await shown(client, issue))["due_at"] == "2026-11-26T04:00:00Z"
    clock.forward(hours=5)
    moved = await correct(client, WORKER, issue, urgency="emergency")
    assert moved["due_at"] == "2026-11-23T08:00:00Z"
    after = await shown(client, issue)
    assert (after["urgency"], after["due_at"], after["overdue"], after["group"]) == (
        "emergency",
        "2026-11-23T08:00:00Z",
        True,
        "overdue",
    )


async def test_another_category_has_its_own_limit(shared: Client) -> None:
    issue = await filed(shared, urgency="urgent")
    moved = await correct(shared, WORKER, issue, category="0103")
    assert moved["due_at"] == "2026-11-24T04:00:00Z"
    detail = await doors.issue(shared, LEADER, issue)
    assert detail["issue"]["category"] == {"code": "0103", "name": "占道经营"}
    assert (detail["limit_amount"], detail["issue"]["urgency"]) == (24, "urgent")


async def test_other_words_are_found_and_the_first_ones_are_kept(client: Client, conn: asyncpg.Connection) -> None:
    issue = await filed(client, title="门口垃圾成堆", description="三天没人清")
    await correct(client, MEMBER, issue, title="后院积水")
    detail = await doors.issue(client, LEADER, issue)
    assert (detail["issue"]["title"], detail["description"]) == ("后院积水", "三天没人清")
    for text, total in (("积水", 1), ("垃圾", 0), ("没人清", 1)):
        assert (await doors.read(client, LEADER, "/api/issues", text=text))["total"] == total, text
    kept = await conn.fetch("select body from text_version where subject = $1 order by version", issue)
    assert [row["body"]["title"] for row in kept] == ["门口垃圾成堆", "后院积水"]


async def test_the_history_verifies_every_text_it_names(client: Client, conn: asyncpg.Connection) -> None:
    issue = await filed(client, description="三天没人清")
    await correct(client, MEMBER, issue, title="后院积水")
    rows = await conn.fetch(
        "select h.facts, t.body, t.salt, t.digest from history h"
        " join text_version t on t.subject = h.thing and t.version = coalesce((h.facts->>'text_version')::int, 1)"
        " where h.thing = $1 order by h.version",
        issue,
    )
    assert [row["body"]["title"] for row in rows] == ["门口垃圾成堆", "后院积水"]
    for row in rows:
        assert history.text_digest(row["body"], row["salt"]) == row["digest"]
        assert row["facts"]["text_digest"] == row["digest"].hex()


async def test_several_things_at_once_are_one_event(client: Client, clock: TestClock) -> None:
    issue = await filed(client)
    clock.forward(hours=1)
    await correct(client, WORKER, issue, category="0103", urgency="urgent", title="占道", position=drafts.NEXT_DOOR)
    detail = await doors.issue(client, LEADER, issue)
    assert detail["issue"]["version"] == 2
    first, second = detail["history"]
    assert (first["facts"]["category"], first["facts"]["community"]) == ("0102", NEAR)
    assert (second["facts"]["category"], second["facts"]["community"]) == ("0103", NEXT)
    assert second["reason"] == "写错了"
    assert second["happened_at"] == "2026-11-23T05:00:00Z"


async def community_of_a_new_visit(client: Client) -> str:
    today = {"started_at": "2026-11-25T11:20:00+08:00", "ended_at": "2026-11-25T11:30:00+08:00"}
    receipt = await file(client, MEMBER, drafts.visit(position=drafts.FAR_DOOR, **today))
    return str(receipt["community"]["code"])


async def test_a_correction_is_placed_by_the_boundaries_of_the_day_of_the_report(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    issue = await filed(client)
    clock.forward(days=2)
    merged = Area(NEAR, "近邻社区", "410103001", shapely.box(113.60, 34.70, 113.63, 34.71), "淮河路街道")
    tomorrow = datetime(2026, 11, 24, tzinfo=UTC)
    async with conn.transaction():
        await boundaries.store(conn, DISTRICT, [merged], valid_from=tomorrow, source="tests", now=clock())
    while await community_of_a_new_visit(client) != NEAR:  # noqa: ASYNC110 - within two seconds
        await asyncio.sleep(0.1)
    await correct(client, MEMBER, issue, position=drafts.FAR_DOOR)
    assert (await shown(client, issue))["community"]["code"] == FAR, "placed in the version valid at its time"
    row = await conn.fetchval("select boundary_version from issue where id = $1", UUID(issue))
    assert row == 1

"""Likely twins: found at the desk and before filing, proposed in the background, dismissed once and for all."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from surveys import history_seals
from surveys.issues import twin_proposals
from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    DISPATCHER,
    DISTRICT,
    FAR,
    LEADER,
    MEMBER,
    MEMBER_BESIDE,
    NEAR,
    NOW,
    OTHER_WORKER,
    STRANGER,
    WORKER,
    Client,
    Person,
    TestClock,
)

pytestmark = pytest.mark.anyio

METRE = 1 / 111_320  # degrees of latitude
DOOR = "0193f0aa-0000-7000-8000-000000000d00"


def beside(metres: float) -> dict[str, Any]:
    return drafts.NEAR_DOOR | {"lat": drafts.NEAR_DOOR["lat"] + metres * METRE}


async def reported(client: Client, who: Person = MEMBER, visit: dict[str, Any] | None = None, **changes: Any) -> str:
    """An issue of a visit of its own."""
    draft = drafts.visit(issues=[drafts.issue(**changes)], **(visit or {}))
    await doors.file(client, who, draft)
    issue: str = draft["issues"][0]["id"]
    return issue


async def found(client: Client, who: Person, issue: str) -> list[dict[str, Any]]:
    twins: list[dict[str, Any]] = (await doors.read(client, who, f"/api/issues/{issue}/twins"))["items"]
    return twins


def ids(twins: list[dict[str, Any]]) -> list[str]:
    return [twin["issue"]["id"] for twin in twins]


async def of_draft(client: Client, who: Person, *, status: int = 200, **changes: Any) -> dict[str, Any]:
    draft = {"category": "0102", "title": "门口垃圾成堆", "position": drafts.NEAR_DOOR} | changes
    return doors.answered(await client.post("/api/issues/twins", json=draft, headers=who.headers), status)


async def dismiss(client: Client, who: Person, issue: str, twin: str, *, status: int = 200) -> dict[str, Any]:
    path = f"/api/issues/{issue}/twins/{twin}/dismiss"
    return doors.answered(await client.post(path, json={}, headers=who.headers), status)


async def test_a_twin_is_found_with_why(client: Client) -> None:
    first = await reported(client)
    second = await reported(client, position=beside(30), title="垃圾成堆没人清")
    await reported(client, position=beside(30), title="路灯不亮", category="0103")
    await reported(client, position=beside(150))
    (twin,) = await found(client, WORKER, second)
    assert twin["issue"]["id"] == first
    assert twin["issue"]["title"] == "门口垃圾成堆"
    assert twin["why"] == {
        "distance_m": 30,
        "category": "same",
        "words": pytest.approx(0.52, abs=0.1),
        "same_premises": False,
        "same_card": False,
    }
    assert 0.7 <= twin["score"] <= 1
    assert twin["through"] is None


async def test_the_likeliest_come_first_and_they_are_few(client: Client) -> None:
    issue = await reported(client)
    alike = [await reported(client, position=beside(4 * at)) for at in range(12)]
    twins = await found(client, WORKER, issue)
    assert len(twins) == 10
    assert set(ids(twins)) <= set(alike)
    scores = [twin["score"] for twin in twins]
    assert scores == sorted(scores, reverse=True)


async def test_two_problems_of_one_visit_were_meant_to_be_two(client: Client) -> None:
    draft = drafts.visit(issues=[drafts.issue(), drafts.issue()])
    await doors.file(client, MEMBER, draft)
    assert await found(client, WORKER, draft["issues"][0]["id"]) == []


async def test_a_door_is_known_without_a_position(client: Client) -> None:
    door = {"premises": {"id": DOOR, "kind": "shop", "name": "老王面馆", "address": "淮河路 1 号"}}
    first = await reported(client, visit=door | {"position": None, "community": NEAR})
    second = await reported(client, visit=door, title="垃圾没人清运")
    (twin,) = await found(client, WORKER, second)
    assert twin["issue"]["id"] == first
    assert twin["why"]["same_premises"]
    assert twin["why"]["distance_m"] == 0


async def test_without_a_position_the_community_is_gone_through(client: Client) -> None:
    nowhere = {"position": None, "community": NEAR}
    first = await reported(client, visit=nowhere)
    await reported(client, visit={"position": None, "community": FAR})
    (twin,) = await found(client, WORKER, await reported(client, visit=nowhere))
    assert (twin["issue"]["id"], twin["why"]["distance_m"]) == (first, None)


async def test_what_was_solved_long_ago_or_reported_long_ago_is_another_matter(
    client: Client, conn: asyncpg.Connection
) -> None:
    solved, old, rejected = [await reported(client, position=beside(at)) for at in (1, 2, 3)]
    await doors.move(client, WORKER, rejected, drafts.move("reject", 1, reason="不属实"))
    await doors.move(client, WORKER, solved, drafts.move("accept", 1))
    await doors.move(client, WORKER, solved, drafts.move("resolve", 2, reason="已清运"))
    issue = await reported(client)
    assert set(ids(await found(client, WORKER, issue))) == {solved, old}
    await conn.execute("update issue set resolved_at = $2 where id = $1", solved, NOW - timedelta(days=31))
    await conn.execute("update issue set reported_at = $2 where id = $1", old, NOW - timedelta(days=181))
    assert await found(client, WORKER, issue) == []


async def test_what_a_reader_does_not_see_is_never_proposed(client: Client) -> None:
    """At the line of two communities: each worker sees their own side, whoever sees both sees a twin."""
    line = {"lon": 113.62, "lat": 34.705, "accuracy_m": 1}
    here, there = ({"position": line | {"lon": line["lon"] + side}} for side in (-0.0001, 0.0001))
    await reported(client, visit=here)
    far = await reported(client, MEMBER_BESIDE, visit=there)
    assert await found(client, OTHER_WORKER, far) == []
    assert len(await found(client, DISPATCHER, far)) == 1
    await doors.read(client, WORKER, f"/api/issues/{far}/twins", status=404)
    await doors.read(client, STRANGER, f"/api/issues/{far}/twins", status=404)
    await doors.read(client, LEADER, f"/api/issues/{uuid4()}/twins", status=404)
    draft = {"category": "0102", "title": "门口垃圾成堆", "position": line}
    seen = {}
    for who in (WORKER, OTHER_WORKER, LEADER, MEMBER, STRANGER):
        answer = await client.post("/api/issues/twins", json=draft, headers=who.headers)
        seen[who.name] = len(doors.answered(answer, 200)["items"])
    assert seen == {"李社区": 0, "赵社区": 1, "吴领导": 2, "王走访": 1, "陌生人": 0}


async def test_before_filing_a_member_is_told_of_their_own_and_nothing_is_kept(
    client: Client, conn: asyncpg.Connection
) -> None:
    issue = await reported(client)
    before = await doors.written(conn)
    (twin,) = (await of_draft(client, MEMBER))["items"]
    assert twin["issue"]["id"] == issue
    in_gcj02 = {"lon": 113.6111, "lat": 34.7036, "accuracy_m": 30, "system": "gcj02"}
    assert ids((await of_draft(client, MEMBER, position=in_gcj02))["items"]) == [issue]
    assert (await of_draft(client, MEMBER, position=drafts.FAR_DOOR))["items"] == []
    assert (await of_draft(client, MEMBER, position=None))["items"] == []
    assert (await of_draft(client, MEMBER, position=None, community=NEAR, title=None))["items"] == []
    assert await doors.written(conn) == before
    assert await conn.fetchval("select count(*) from twin_proposal") == 0


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"category": "9999"}, "unknown_category", "category"),
        ({"category": None}, "wrong_value", "category"),
        ({"title": ""}, "wrong_value", "title"),
        ({"title": " \u3000"}, "text_unusable", "title"),
        ({"title": "长" * 201}, "wrong_value", "title"),
        ({"description": "长" * 10_000}, "wrong_value", "description"),
        ({"title": "a\x00"}, "text_unusable", "title"),
        ({"position": {"lon": 34.7, "lat": 113.6}}, "longitude_latitude_swapped", "position.lat"),
        ({"position": {"lon": 999, "lat": 34.7}}, "longitude_out_of_range", "position.lon"),
        ({"community": "110101001001"}, "unknown_community", "community"),
        ({"premises": "1"}, "wrong_value", "premises"),
        ({"card": "x" * 101}, "wrong_value", "card"),
        ({"loyalty": "firm"}, "unknown_field", "loyalty"),
    ],
)
async def test_a_draft_that_makes_no_sense(shared: Client, changes: dict[str, Any], code: str, field: str) -> None:
    problem = await of_draft(shared, MEMBER, status=422, **changes)
    assert (problem["code"], problem["field"]) == (code, field)


@pytest.mark.parametrize(
    "text", ["<img onerror=alert(1)>", "${7*7}", "=cmd()|' /C calc'!A0", "'; drop table issue; --"]
)
async def test_words_stay_words(client: Client, text: str) -> None:
    issue = await reported(client, title=text)
    (twin,) = (await of_draft(client, MEMBER, title=text, description=text))["items"]
    assert (twin["issue"]["id"], twin["issue"]["title"]) == (issue, text)


@pytest.mark.parametrize("lat", [-90, 90, 89.9999])
@pytest.mark.parametrize("lon", [-180, 180])
async def test_at_the_ends_of_the_earth_nothing_is_near(shared: Client, lon: float, lat: float) -> None:
    position = {"lon": lon, "lat": lat}
    assert (await of_draft(shared, LEADER, position=position))["items"] == []


async def test_a_job_proposes_twins_of_what_is_new(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    first = await reported(client)
    second = await reported(client, position=beside(10))
    assert await conn.fetchval("select count(*) from twin_proposal") == 0, "filing pays nothing"
    async with conn.transaction():
        assert await twin_proposals.propose(conn, DISTRICT, NOW) == {"looked_at": 2, "proposed": 1}
    (row,) = await conn.fetch("select * from twin_proposal")
    assert {str(row["issue"]), str(row["twin"])} == {first, second}
    assert (row["state"], row["why"]["distance_m"], row["decided_at"]) == ("proposed", 10, None)
    assert (await doors.issue(client, WORKER, first))["twins_proposed"] == 1
    assert (await doors.issue(client, WORKER, second))["twins_proposed"] == 1
    today = await doors.read(client, WORKER, f"/api/issues/{first}", as_of="2026-11-23")
    assert today["twins_proposed"] == 1
    async with conn.transaction():
        assert await twin_proposals.propose(conn, DISTRICT, NOW) == {"looked_at": 0, "proposed": 0}


async def test_the_job_goes_on_where_it_stopped_and_forgets_nothing(client: Client, conn: asyncpg.Connection) -> None:
    issues = [await reported(client, position=beside(at)) for at in range(5)]
    looked_at = []
    for _ in range(4):
        async with conn.transaction():
            looked_at.append((await twin_proposals.propose(conn, DISTRICT, NOW, most=2))["looked_at"])
    assert looked_at == [2, 2, 1, 0]
    assert await conn.fetchval("select count(*) from twin_proposal") == 10, "each pair once"
    alone = await reported(client, visit={"position": drafts.FAR_DOOR})
    async with conn.transaction():
        assert await twin_proposals.propose(conn, DISTRICT, NOW) == {"looked_at": 1, "proposed": 0}
    await doors.move(
        client,
        OTHER_WORKER,
        alone,
        drafts.move("correct", 1, reason="位置错了", correction={"position": beside(1)}),
    )
    async with conn.transaction():
        told = await twin_proposals.propose(conn, DISTRICT, NOW)
    assert told == {"looked_at": 1, "proposed": 5}, "what was corrected is looked at again"
    assert len(issues) == 5


async def test_what_a_running_transaction_writes_is_not_left_behind(
    client: Client, conn: asyncpg.Connection, dsn: str
) -> None:
    """A slow filing begins before a quick one, and ends after the job has run."""
    await reported(client)
    slow = await asyncpg.connect(dsn)
    try:
        async with slow.transaction():
            await slow.execute("select pg_current_xact_id()")
            await reported(client, position=beside(5))
            async with conn.transaction():
                first = await twin_proposals.propose(conn, DISTRICT, NOW)
        async with conn.transaction():
            second = await twin_proposals.propose(conn, DISTRICT, NOW)
    finally:
        await slow.close()
    assert (first["looked_at"], second["looked_at"]) == (1, 1)


async def test_in_a_restored_database_the_job_goes_on_where_it_stopped(
    client: Client, conn: asyncpg.Connection, owner_dsn: str
) -> None:
    """Its transactions are counted anew, so that what was written before and what is written now are two epochs."""
    first = await reported(client)
    owner = await asyncpg.connect(owner_dsn)
    assert await history_seals.begin_epoch(owner) == 2
    second = await reported(client, position=beside(5))
    await owner.close()
    looked_at = []
    for _ in range(3):
        async with conn.transaction():
            looked_at.append((await twin_proposals.propose(conn, DISTRICT, NOW))["looked_at"])
    assert looked_at == [1, 1, 0]
    (row,) = await conn.fetch("select issue, twin from twin_proposal")
    assert {str(row["issue"]), str(row["twin"])} == {first, second}


async def test_one_card_leads_two_reports_to_each_other(client: Client, conn: asyncpg.Connection) -> None:
    """However far from each other a resident stood."""
    first = await reported(client, visit={"position": drafts.FAR_DOOR})
    await conn.execute("update issue set card = 'EQ-000123-K' where id = $1", UUID(first))
    (twin,) = (await of_draft(client, LEADER, card="EQ-000123-K", position=None, community=NEAR))["items"]
    assert (twin["issue"]["id"], twin["why"]["same_card"], twin["why"]["distance_m"]) == (first, True, None)
    assert (await of_draft(client, LEADER, card="EQ-000124-I", position=None, community=NEAR))["items"] == []


async def test_who_may_dismiss_and_that_it_holds_in_both_directions(client: Client, conn: asyncpg.Connection) -> None:
    first = await reported(client)
    second = await reported(client, position=beside(10))
    third = await reported(client, visit={"position": drafts.FAR_DOOR})
    async with conn.transaction():
        await twin_proposals.propose(conn, DISTRICT, NOW)
    for who, one, other, status in (
        (MEMBER, first, second, 403),
        (LEADER, first, second, 403),
        (ADMINISTRATOR, first, second, 403),
        (STRANGER, first, second, 404),
        (OTHER_WORKER, first, second, 404),
        (WORKER, first, third, 404),
        (WORKER, first, first, 404),
        (WORKER, first, str(uuid4()), 404),
    ):
        await dismiss(client, who, one, other, status=status)
    assert await conn.fetchval("select state from twin_proposal") == "proposed"
    answer = await dismiss(client, WORKER, second, first)
    assert (answer["issue"], answer["twin"], answer["state"]) == (second, first, "dismissed")
    (row,) = await conn.fetch("select * from twin_proposal")
    assert (row["state"], row["decided_by"]) == ("dismissed", WORKER.id)
    for one in (first, second):
        assert await found(client, WORKER, one) == []
        assert (await doors.issue(client, WORKER, one))["twins_proposed"] == 0
    again = await dismiss(client, DISPATCHER, first, second)
    assert again["decided_at"] == answer["decided_at"], "it stands as it was said first"
    assert await conn.fetchval("select decided_by from twin_proposal") == WORKER.id
    await doors.move(client, WORKER, first, drafts.move("correct", 1, reason="写错", correction={"title": "垃圾成堆"}))
    async with conn.transaction():
        await twin_proposals.propose(conn, DISTRICT, NOW)
    assert await found(client, WORKER, first) == [], "what was said stands"


async def test_what_nobody_proposed_can_be_dismissed_by_five_at_once(client: Client, conn: asyncpg.Connection) -> None:
    first = await reported(client)
    second = await reported(client, position=beside(10))
    answers = await asyncio.gather(*[dismiss(client, WORKER, first, second) for _ in range(5)])
    assert all(answer == answers[0] for answer in answers)
    (row,) = await conn.fetch("select issue, twin, state from twin_proposal")
    assert tuple(row) == (*sorted([UUID(first), UUID(second)]), "dismissed")

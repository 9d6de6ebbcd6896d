"""A quarter's round: a member who moved to another branch in mid-quarter, a leader who is late, an appeal that is
upheld, and stars that are decided above."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from api import database
from surveys.assessments import results
from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    BESIDE,
    DISTRICT,
    EVERYBODY,
    LEADER,
    MEMBER,
    ORGANISATION,
    ORGANISER,
    ORGANISER_BESIDE,
    STRANGER,
    Client,
    Person,
    TestClock,
)
from tests.doors import answered, read
from tests.rating_rounds import DATES, DAY, OPENS, make, publish, rate, say, turn

pytestmark = pytest.mark.anyio

ROUND = "01920000-0000-7000-8000-000000000001"  # by whose number the administrator is no peer of the member
ALL_POINTS = {"A2": 24, "B1": 27}
FOR_ALL = {**ALL_POINTS, "C1": 16}


async def raters_of(conn: asyncpg.Connection, round_: str, subject: UUID, group: str) -> list[Person]:
    rows = await conn.fetch(
        "select rater from round_rater where round = $1 and subject = $2 and rater_group = $3 order by rater",
        *(round_, subject, group),
    )
    everybody = {one.id: one for one in EVERYBODY}
    return [everybody[row["rater"]] for row in rows]


async def result_of(client: Client, who: Person, round_: str, subject: UUID, **params: Any) -> dict[str, Any]:
    return await read(client, who, f"/api/assessments/rounds/{round_}/results/{subject}", **params)


async def test_a_quarters_round(
    client: Client, conn: asyncpg.Connection, dsn: str, owner_dsn: str, clock: TestClock
) -> None:
    await publish(conn)
    # In August two doors are visited; in September the member moves to the other branch.
    clock.now = OPENS - 45 * DAY
    for _ in range(2):
        started = (clock.now - DAY / 24).isoformat()
        ended = (clock.now - DAY / 48).isoformat()
        await doors.file(client, MEMBER, drafts.visit(started_at=started, ended_at=ended, issues=[]))
    clock.now = OPENS - 20 * DAY
    moved = {"id": str(uuid4()), "change": "transfer", "expected_version": 0, "organisation": str(BESIDE)}
    path = f"/api/members/{MEMBER.id}/changes"
    answered(await client.post(path, json=moved, headers=ADMINISTRATOR.headers), 200)

    round_ = (await make(client, id=ROUND, late_leaders=True))["id"]
    clock.now = OPENS
    assert await turn(conn, dsn, clock) == 0, "there is nothing to work out yet"
    here = f"/api/assessments/rounds/{round_}"
    assert (await read(client, MEMBER, here))["step"] == "self"
    tasks = (await read(client, MEMBER, "/api/assessments/tasks"))["items"]
    assert tasks[0]["group"] == "self"
    assert (tasks[0]["given"], tasks[0]["items"]) == (0, 2)

    # Everybody rates as they go.
    first = await rate(client, MEMBER, round_, MEMBER.id, "self", {"A2": 30})
    assert first["missing"] == ["B1"]
    second = await rate(client, MEMBER, round_, MEMBER.id, "self", {"B1": 30}, evidence={"B1": "帮助三户"})
    assert (second["id"], second["version"], second["missing"], second["missing_evidence"]) == (first["id"], 2, [], [])
    peers = await raters_of(conn, round_, MEMBER.id, "peers")
    assert len(peers) == 3
    assert ADMINISTRATOR not in peers
    for peer in peers:
        await rate(client, peer, round_, MEMBER.id, "peers", FOR_ALL)
    codes = (await say(client, ORGANISER, round_, f"subjects/{MEMBER.id}/codes", status=201, count=3))["codes"]
    for code in codes[:2]:
        await by_code(client, code, {"A2": 27, "B1": 30})

    # The member is rated by the branch where they were longest; the other's leader is shown.
    leaders = await raters_of(conn, round_, MEMBER.id, "leaders")
    assert leaders == [LEADER, ORGANISER]
    await rate(client, ORGANISER, round_, MEMBER.id, "leaders", FOR_ALL)

    # The other leader is late, and heard until the first result.
    clock.now = DATES["leaders_until"] + DAY
    assert (await read(client, MEMBER, here))["step"] == "first_result"
    await rate(client, peers[0], round_, MEMBER.id, "peers", FOR_ALL, status=409)
    missing = (await read(client, ORGANISER, f"{here}/missing", group="leaders", limit=200))["items"]
    assert (str(LEADER.id), str(MEMBER.id)) in {(one["rater"], one["subject"]) for one in missing}
    assert (await say_bare(client, ORGANISER, f"{here}/reminders", {"group": "leaders"}))["people"] >= 1
    assert (await say_bare(client, ORGANISER, f"{here}/reminders", {"group": "leaders"}))["people"] == 0, "not twice"
    told = [one for one in (await read(client, LEADER, "/api/notices"))["items"] if one["kind"] == "rating_due"]
    assert [(one["round"], one["title"]) for one in told] == [(round_, "三季度考核")]
    late = [one for one in (await read(client, LEADER, "/api/assessments/tasks"))["items"] if one["late"]]
    assert str(MEMBER.id) in {one["subject"] for one in late}
    assert all(one["reminded_at"] for one in late if one["subject"] == str(MEMBER.id))
    await rate(client, LEADER, round_, MEMBER.id, "leaders", {**FOR_ALL, "C1": 20})

    # The first result closes by itself.
    await read(client, MEMBER, f"{here}/results/{MEMBER.id}", status=404)
    clock.now = DATES["first_at"]
    assert await turn(conn, dsn, clock) == 1
    await rate(client, LEADER, round_, MEMBER.id, "leaders", FOR_ALL, status=409)
    seen = await result_of(client, MEMBER, round_, MEMBER.id)
    assert seen["other_organisation"] == str(BESIDE)
    assert seen["other_leader"] == ORGANISER_BESIDE.name
    assert seen["result"]["organisation"] == str(ORGANISATION)
    reasons = {one["code"]: one for one in seen["reasons"]}
    assert reasons["A1"]["fact_value"] == 2
    assert reasons["A1"]["points"] == 10
    assert {group["group"]: group["count"] for group in reasons["A2"]["groups"]} == {
        "self": 1,
        "people": 2,
        "peers": 3,
        "leaders": 2,
    }
    (visits,) = [one for one in seen["facts"] if one["code"] == "visits"]
    assert (await read(client, ADMINISTRATOR, visits["href"]))["total"] == visits["count"] == 2
    # A1 10 of 20; A2 by self 30, people 27, peers 24, leaders 24; B1 by 30, 30, 27, 27; C1 by peers 16, leaders 18.
    assert seen["result"]["percent"] == expected({"A1": 10, "A2": 25.5, "B1": 28.2, "C1": 17})

    # The member appeals against one item; who rated them does not decide, the administrator does.
    clock.now += DAY
    appeal = await say(
        client, MEMBER, round_, f"results/{MEMBER.id}/appeals", status=201, item="A1", reason="有两次走访没有录入"
    )
    ruling: dict[str, Any] = {"expected_version": 1, "upheld": True, "points": 20, "reason": "纸质记录属实"}
    await say(client, ORGANISER, round_, f"appeals/{appeal['id']}/ruling", status=403, **ruling)
    await say(client, ADMINISTRATOR, round_, f"appeals/{appeal['id']}/ruling", **ruling)
    await say(client, STRANGER, round_, f"results/{MEMBER.id}/appeals", status=403, item="A2", reason="替别人申诉")

    # Worked out anew it is another version; the first stays readable, and is the same when it is worked out again.
    version = (await read(client, ADMINISTRATOR, here))["version"]
    await say(client, ADMINISTRATOR, round_, "computations", expected_version=version, reason="申诉成立")
    assert await turn(conn, dsn, clock) == 1
    again = await result_of(client, MEMBER, round_, MEMBER.id)
    assert again["computation"]["version"] == 2
    assert again["reasons"][0]["appealed"] == 20
    assert again["result"]["percent"] == expected({"A1": 20, "A2": 25.5, "B1": 28.2, "C1": 17})
    before = await result_of(client, MEMBER, round_, MEMBER.id, version=1)
    assert before["result"]["percent"] == seen["result"]["percent"]
    await is_the_same_again(owner_dsn, round_, clock)

    # Above, the stars are changed; nothing more is decided once the final result is worked out and published.
    decision = {"stars": 4, "reason": "综合考虑"}
    await say(client, ORGANISER, round_, f"results/{MEMBER.id}/decisions", status=403, **decision)
    await say(client, ADMINISTRATOR, round_, f"results/{MEMBER.id}/decisions", status=201, **decision)
    clock.now = DATES["decisions_until"]
    assert await turn(conn, dsn, clock) == 1
    assert (await result_of(client, MEMBER, round_, MEMBER.id))["computation"]["version"] == 2, "not published yet"
    version = (await read(client, ADMINISTRATOR, here))["version"]
    await say(client, ADMINISTRATOR, round_, "publish", expected_version=version)
    final = await result_of(client, MEMBER, round_, MEMBER.id)
    assert (final["computation"]["kind"], final["result"]["stars"], final["result"]["reckoned"]) == ("final", 4, 5)
    assert [(one["stars"], one["before"]) for one in final["decisions"]] == [(4, 5)]
    listed = await read(client, ADMINISTRATOR, f"{here}/results")
    assert str(MEMBER.id) in {one["subject"] for one in listed["items"]}
    assert listed["version"] == 3


def expected(points: dict[str, float]) -> float:
    """The percentage by hand: each item's share of its maximum by its weight."""
    weights = {"A1": (20, 20), "A2": (30, 30), "B1": (30, 30), "C1": (20, 20)}
    return round(sum(points[code] / most * weight for code, (most, weight) in weights.items()), 2)


async def by_code(client: Client, code: str, points: dict[str, float], *, status: int = 200) -> dict[str, Any]:
    asked = {"code": code, "id": str(uuid4()), "points": points}
    return answered(await client.post("/api/assessments/code-ratings", json=asked), status)


async def say_bare(client: Client, who: Person, path: str, body: dict[str, Any]) -> dict[str, Any]:
    return answered(await client.post(path, json=body, headers=who.headers), 200)


async def is_the_same_again(owner_dsn: str, round_: str, clock: TestClock) -> None:
    """The first version, worked out once more, has the same rows and the same digest; who runs the program could not
    take it away."""
    conn = await database.connect(owner_dsn)
    digest = "select digest from round_computation where round = $1 and version = 1"
    rows = "select * from round_result where round = $1 and version = 1 order by subject"
    before = (await conn.fetchval(digest, round_), await conn.fetch(rows, round_))
    await conn.execute("delete from round_result where round = $1 and version = 1", round_)
    await conn.execute(
        "update round_computation set ready_at = null, done = 0, reckoned = null, digest = null"
        " where round = $1 and version = 1",
        round_,
    )
    await results.work_out(conn, DISTRICT, UUID(round_), uuid4(), clock.now)
    assert (await conn.fetchval(digest, round_), await conn.fetch(rows, round_)) == before
    await conn.close()

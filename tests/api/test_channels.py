"""By which channel an issue is handled: on the spot, in joint review, followed by a leader, or by an agent."""

from typing import Any

import asyncpg
import pytest

from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    AUDITOR,
    DISPATCHER,
    DISTRICT,
    HANDLER,
    LEADER,
    MEMBER,
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
from tests.doors import Answer, file, move
from tests.stories import records

pytestmark = pytest.mark.anyio

PHOTO = {"sha256": "ab" * 32, "bytes": 9}
WATER = person("31", "水务员", "department_handler", "department", "water")
TOMORROW = "2026-11-24T09:00:00+08:00"


async def an_issue(client: Client, **changes: Any) -> str:
    """An issue of the near community on joint review, that nobody has taken on yet, at version 1."""
    issue = drafts.issue(**changes)
    await file(client, MEMBER, drafts.visit(issues=[issue]))
    return str(issue["id"])


async def shown(client: Client, issue: str, who: Person = LEADER) -> Answer:
    return await doors.issue(client, who, issue)


async def refused(client: Client, who: Person, issue: str, draft: drafts.Draft, status: int) -> tuple[str, str | None]:
    problem = await move(client, who, issue, draft, status=status)
    return problem["code"], problem.get("field")


# --- changing the channel


async def test_a_channel_is_changed_with_a_reason(client: Client, conn: asyncpg.Connection) -> None:
    issue = await an_issue(client)
    await move(client, WORKER, issue, drafts.move("change_channel", 1, channel="on_the_spot", reason="当场能办"))
    detail = await shown(client, issue)
    assert detail["issue"]["channel"] == "on_the_spot"
    assert detail["first_contact_at"] == "2026-11-23T04:00:00Z"
    assert (await doors.read(client, WORKER, "/api/issues", channel="on_the_spot"))["total"] == 1
    assert (await doors.read(client, WORKER, "/api/issues", channel="joint_review"))["total"] == 0
    assert await records.agree(conn) == 1


async def test_what_is_solved_on_the_spot_is_solved_in_one_move_with_proof(shared: Client) -> None:
    issue = await an_issue(shared)
    await move(shared, WORKER, issue, drafts.move("change_channel", 1, channel="on_the_spot", reason="当场能办"))
    solved = drafts.move("resolve", 2, reason="已清运")
    assert await refused(shared, WORKER, issue, solved, 422) == ("missing", "evidence")
    assert (await move(shared, WORKER, issue, solved | {"evidence": [PHOTO]}))["state"] == "resolved"


@pytest.mark.parametrize(
    ("changes", "status", "code", "field"),
    [
        ({"channel": "joint_review"}, 409, "nothing_changes", "channel"),
        ({"channel": "by_pigeon"}, 422, "wrong_value", "channel"),
        ({"channel": "green_channel"}, 422, "missing", "to"),
        ({"channel": "green_channel", "to": str(MEMBER.id)}, 422, "unsuitable_member", "to"),
        ({"channel": "green_channel", "to": "water"}, 422, "unknown_member", "to"),
        ({"channel": "green_channel", "to": str(LEADER.id), "at": TOMORROW}, 422, "not_for_this_move", "at"),
        ({"channel": "agent", "to": str(MEMBER.id)}, 422, "missing", "at"),
        ({"channel": "agent", "at": TOMORROW}, 422, "missing", "to"),
        ({"channel": "agent", "to": str(AUDITOR.id), "at": TOMORROW}, 422, "unsuitable_member", "to"),
        ({"channel": "agent", "to": str(MEMBER.id), "at": "2026-11-23T12:00:00+08:00"}, 422, "time_in_past", "at"),
        ({"channel": "on_the_spot", "departments": ["water"]}, 422, "not_for_this_move", "departments"),
        ({"channel": "on_the_spot", "to": str(MEMBER.id)}, 422, "not_for_this_move", "to"),
    ],
)
async def test_a_channel_that_does_not_fit(
    shared: Client, changes: dict[str, Any], status: int, code: str, field: str
) -> None:
    issue = await an_issue(shared)
    draft = drafts.move("change_channel", 1, reason="换一种办法") | changes
    assert await refused(shared, WORKER, issue, draft, status) == (code, field)
    assert (await shown(shared, issue))["issue"]["version"] == 1


# --- joint review


async def consulting(client: Client, conn: asyncpg.Connection) -> str:
    """An issue that the city management leads and of which the water department is asked what it thinks, at 2."""
    await join(conn, DISTRICT, WATER, await conn.fetchval("select created_at from district"))
    issue = await an_issue(client)
    to = {"to": "city_management", "departments": ["water"]}
    await move(client, WORKER, issue, drafts.move("assign", 1, **to))
    return issue


async def test_who_is_asked_sees_it_and_says_what_they_think(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    issue = await consulting(client, conn)
    clock.forward(hours=2)
    detail = await shown(client, issue, WATER)
    assert detail["moves"] == ["opine"]
    (asked,) = detail["opinions"]
    # Monday noon, three working days
    assert (asked["department"], asked["due_at"], asked["opinion"], asked["late"]) == (
        "water",
        "2026-11-26T09:00:00Z",
        None,
        False,
    )
    said = drafts.move("opine", 2, opinion="agree", reason="同意清运", evidence=[PHOTO])
    await move(client, WATER, issue, said)
    (told,) = (await shown(client, issue))["opinions"]
    assert (told["opinion"], told["opined_by"], told["event"]) == ("agree", str(WATER.id), said["id"])
    last = (await shown(client, issue))["history"][-1]
    assert (last["event"], last["reason"], last["facts"]["opinion_of"]) == ("opine", "同意清运", "water")
    assert last["facts"]["evidence"] == [PHOTO["sha256"]]
    assert await records.agree(conn) == 1
    then = await doors.read(client, LEADER, f"/api/issues/{issue}", as_of="2026-11-22", status=404)
    assert then["code"] == "not_found"


async def test_the_lead_does_not_resolve_over_a_missing_opinion_without_saying_why(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    issue = await consulting(client, conn)
    draft = drafts.move("resolve", 2, reason="已清运")
    problem = await move(client, HANDLER, issue, draft, status=409)
    assert (problem["code"], problem["field"]) == ("opinions_missing", "despite")
    assert problem["facts"] == {"opinions_missing": ["water"], "objections": []}
    clock.forward(days=7)
    assert (await shown(client, issue))["opinions"][0]["late"] is True
    await move(client, HANDLER, issue, draft | {"despite": "催了三次没有回复"})
    last = (await shown(client, issue))["history"][-1]
    assert (last["reason"], last["despite"]) == ("已清运", "催了三次没有回复")
    assert last["facts"]["opinions_missing"] == ["water"]
    assert "催了三次" not in str(await conn.fetch("select facts from history"))


async def test_an_objection_is_not_passed_over_in_silence(client: Client, conn: asyncpg.Connection) -> None:
    issue = await consulting(client, conn)
    bare = drafts.move("opine", 2, opinion="object")
    assert await refused(client, WATER, issue, bare, 422) == ("missing", "reason")
    await move(client, WATER, issue, bare | {"reason": "会堵住排水口"})
    draft = drafts.move("resolve", 3, reason="已清运")
    problem = await move(client, HANDLER, issue, draft, status=409)
    assert problem["facts"] == {"opinions_missing": [], "objections": ["water"]}
    await move(client, WATER, issue, drafts.move("opine", 3, opinion="not_concerned"))
    draft = drafts.move("resolve", 4, reason="已清运", despite="没有必要")
    assert await refused(client, HANDLER, issue, draft, 422) == ("not_for_this_move", "despite")
    await move(client, HANDLER, issue, {name: value for name, value in draft.items() if name != "despite"})


async def test_who_was_not_asked_says_nothing_and_sees_nothing(client: Client, conn: asyncpg.Connection) -> None:
    issue = await consulting(client, conn)
    draft = drafts.move("opine", 2, opinion="agree")
    for who, status in ((HANDLER, 403), (WORKER, 403), (LEADER, 403), (STRANGER, 404)):
        assert (await refused(client, who, issue, draft, status))[0] in ("not_allowed", "not_found")
    as_another = draft | {"to": "city_management"}
    assert await refused(client, WATER, issue, as_another, 403) == ("not_allowed", "to")
    away = drafts.move("change_channel", 2, channel="on_the_spot", reason="不用会商")
    await move(client, WORKER, issue, away)
    assert (await doors.read(client, WATER, f"/api/issues/{issue}", status=404))["code"] == "not_found"


async def test_a_joint_review_is_opened_with_its_lead(client: Client, conn: asyncpg.Connection) -> None:
    issue = await an_issue(client, category="0103")
    draft = drafts.move("change_channel", 1, channel="joint_review", reason="涉及两家", departments=["water"])
    assert await refused(client, WORKER, issue, draft, 422) == ("missing", "to")
    for departments, code in ((["no_such"], "unknown_department"), (["city_management"], "not_for_this_move")):
        wrong = draft | {"to": "city_management", "departments": departments}
        assert await refused(client, WORKER, issue, wrong, 422) == (code, "departments")
    moved = await move(client, WORKER, issue, draft | {"to": "city_management"})
    assert (moved["state"], moved["department"]) == ("assigned", "city_management")
    assert [one["department"] for one in (await shown(client, issue))["opinions"]] == ["water"]
    moved = await move(client, WORKER, issue, drafts.move("assign", 2, to="water"))
    assert (await shown(client, issue))["opinions"] == [], "who leads is not asked what they think of it"
    assert await records.agree(conn) == 1


async def test_departments_are_asked_on_joint_review_alone(shared: Client) -> None:
    issue = await an_issue(shared, category="0103")
    asked = drafts.move("assign", 1, to="city_management", departments=["water"])
    assert await refused(shared, WORKER, issue, asked, 422) == ("not_for_this_move", "departments")
    asked = drafts.move("assign", 1, to=str(STRANGER.id), departments=["water"])
    assert await refused(shared, WORKER, issue, asked, 422) == ("not_for_this_move", "departments")


async def test_a_meeting_is_put_on_record(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    issue = await consulting(client, conn)
    clock.forward(hours=5)
    met = drafts.move("meet", 2, at="2026-11-23T15:00:00+08:00", reason="三方商定周五清运", evidence=[PHOTO])
    for wrong, code, field in (
        ({"at": "2026-11-23T18:00:00+08:00"}, "time_in_future", "at"),
        ({"at": "2026-11-20T15:00:00+08:00"}, "times_reversed", "at"),
        ({"present": [str(an_id) for an_id in (WATER.id, DISTRICT)]}, "wrong_value", "present[1]"),
        ({"present": ["00000000-0000-0000-0000-00000000dead"]}, "unknown_member", "present"),
    ):
        assert await refused(client, HANDLER, issue, met | wrong, 422) == (code, field)
    await move(client, HANDLER, issue, met | {"present": [str(WATER.id), str(HANDLER.id)]})
    detail = await shown(client, issue)
    last = detail["history"][-1]
    assert (last["event"], last["reason"], last["facts"]["held_at"]) == (
        "meet",
        "三方商定周五清运",
        "2026-11-23T07:00:00Z",
    )
    assert [detail["names"][member] for member in last["facts"]["present"]] == [WATER.name, HANDLER.name]


# --- green channel


async def test_a_leader_follows_it_and_finds_it(client: Client, conn: asyncpg.Connection) -> None:
    issue, _ = await an_issue(client), await an_issue(client)
    changed = drafts.move("change_channel", 1, channel="green_channel", reason="重点企业", to=str(STREET_LEADER.id))
    await move(client, WORKER, issue, changed)
    followed = await doors.read(client, STREET_LEADER, "/api/issues", leader="me")
    assert [item["id"] for item in followed["items"]] == [issue]
    assert followed["items"][0]["leader"] == {"id": str(STREET_LEADER.id), "name": STREET_LEADER.name}
    await move(client, LEADER, issue, drafts.move("follow", 2, to=str(LEADER.id)))
    assert (await doors.read(client, STREET_LEADER, "/api/issues", leader="me"))["items"] == []
    assert (await doors.read(client, LEADER, "/api/issues", leader="me"))["total"] == 1
    assert await records.agree(conn) == 2


@pytest.mark.parametrize(
    ("who", "to", "status", "code"),
    [
        (LEADER, STREET_LEADER, 403, "not_allowed"),
        (WORKER, LEADER, 403, "not_allowed"),
        (DISPATCHER, MEMBER, 422, "unsuitable_member"),
        (STREET_LEADER, STREET_LEADER, 200, ""),
        (ADMINISTRATOR, LEADER, 200, ""),
        (STREET_DISPATCHER, STREET_LEADER, 200, ""),
    ],
)
async def test_who_may_say_that_a_leader_follows(
    shared: Client, who: Person, to: Person, status: int, code: str
) -> None:
    issue = await an_issue(shared)
    answer = await move(shared, who, issue, drafts.move("follow", 1, to=str(to.id)), status=status)
    assert answer.get("code", "") == code


async def test_a_leader_of_another_street_does_not_follow(client: Client, conn: asyncpg.Connection) -> None:
    elsewhere = person("32", "外街领导", "leader", "street", "410103002")
    await join(conn, DISTRICT, elsewhere, await conn.fetchval("select created_at from district"))
    issue = await an_issue(client)
    follow = drafts.move("follow", 1, to=str(elsewhere.id))
    assert await refused(client, DISPATCHER, issue, follow, 422) == ("unsuitable_member", "to")
    assert await refused(client, elsewhere, issue, follow, 404) == ("not_found", None)


# --- agent and door service


async def test_an_agent_goes_there_and_shows_that_they_were(client: Client, conn: asyncpg.Connection) -> None:
    issue = await an_issue(client, category="0103")
    await doors.read(client, STRANGER, f"/api/issues/{issue}", status=404)
    appointed = drafts.move("appoint", 1, to=str(STRANGER.id), at=TOMORROW)
    await move(client, WORKER, issue, appointed)
    detail = await shown(client, issue, STRANGER)
    assert detail["issue"]["agent"] == {"id": str(STRANGER.id), "name": STRANGER.name}
    assert detail["appointment_at"] == "2026-11-24T01:00:00Z"
    await move(client, WORKER, issue, drafts.move("accept", 2))
    assert (await shown(client, issue, STRANGER))["moves"] == ["resolve"]
    done = drafts.move("resolve", 3, reason="代办完毕")
    assert await refused(client, STRANGER, issue, done, 422) == ("missing", "evidence")
    await move(client, STRANGER, issue, done | {"evidence": [PHOTO]})
    assert (await doors.read(client, STRANGER, "/api/issues", agent="me"))["total"] == 1
    assert await records.agree(conn) == 1


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"to": "nobody"}, "unknown_member", "to"),
        ({"to": str(AUDITOR.id)}, "unsuitable_member", "to"),
        ({"at": "2026-11-23T12:00:00+08:00"}, "time_in_past", "at"),
        ({"at": "2026-11-24T09:00:00"}, "wrong_value", "at"),
    ],
)
async def test_an_appointment_that_makes_no_sense(
    shared: Client, changes: dict[str, Any], code: str, field: str
) -> None:
    issue = await an_issue(shared, category="0103")
    draft = drafts.move("appoint", 1, to=str(STRANGER.id), at=TOMORROW) | changes
    assert await refused(shared, WORKER, issue, draft, 422) == (code, field)


async def test_whoever_is_agent_no_more_sees_it_no_more(shared: Client) -> None:
    issue = await an_issue(shared, category="0103")
    await move(shared, WORKER, issue, drafts.move("appoint", 1, to=str(STRANGER.id), at=TOMORROW))
    changed = drafts.move("change_channel", 2, channel="on_the_spot", reason="他自己来了")
    await move(shared, WORKER, issue, changed)
    await doors.read(shared, STRANGER, f"/api/issues/{issue}", status=404)
    assert (await shown(shared, issue))["appointment_at"] is None

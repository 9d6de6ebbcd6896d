"""Going back to ask: invited when an issue is resolved, answered by a resident or closed by silence, reopened."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from api import database
from surveys.history import Actor
from surveys.privacy import residents
from surveys.return_visits import return_visit_answers, return_visits
from surveys.return_visits.return_visit_answers import Answer
from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    DISPATCHER,
    DISTRICT,
    HANDLER,
    LEADER,
    MEMBER,
    MEMBER_BESIDE,
    NEAR,
    NOW,
    OTHER_WORKER,
    RING,
    STRANGER,
    STREET_DISPATCHER,
    WORKER,
    Client,
    Person,
    TestClock,
)
from tests.doors import move
from tests.stories import records

pytestmark = pytest.mark.anyio

CARD = "EQ-000123-K"
DOOR = str(UUID(int=0xD00))


def answer(**changes: Any) -> dict[str, Any]:
    """What a member heard on the telephone from somebody content."""
    return {"id": str(uuid4()), "via": "call", "solved": True, "satisfaction": 5} | changes


async def tell(client: Client, who: Person, issue: str, body: dict[str, Any], *, status: int = 200) -> doors.Answer:
    response = await client.post(f"/api/issues/{issue}/return-visits", json=body, headers=who.headers)
    return doors.answered(response, status)


async def resolved(client: Client, **visit: Any) -> str:
    """An issue of the member's door that its worker has resolved."""
    draft = drafts.visit(issues=[drafts.issue(category="0103")], **visit)
    await doors.file(client, MEMBER, draft)
    issue: str = draft["issues"][0]["id"]
    await move(client, WORKER, issue, drafts.move("accept", 1))
    await move(client, WORKER, issue, drafts.move("resolve", 2, reason="已清运", evidence=drafts.PROOF))
    return issue


async def invite(conn: asyncpg.Connection, clock: TestClock) -> int:
    async with conn.transaction():
        return await return_visits.invite_due(conn, DISTRICT, clock())


async def lapse(conn: asyncpg.Connection, clock: TestClock) -> int:
    async with conn.transaction():
        return await return_visits.lapse_due(conn, DISTRICT, clock())


async def by_card(conn: asyncpg.Connection, issue: str, clock: TestClock, **said: Any) -> Any:
    heard = msgspec.convert({"id": str(uuid4()), "solved": True, "satisfaction": 5} | said, Answer)
    async with conn.transaction():
        return await return_visit_answers.answer_by_card(conn, DISTRICT, UUID(issue), CARD, heard, clock())


async def events(client: Client, issue: str) -> list[tuple[str, str]]:
    detail = await doors.issue(client, LEADER, issue)
    return [(entry["event"], entry["actor"]["kind"]) for entry in detail["history"]]


async def test_a_resident_who_is_content_closes_the_issue(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    issue = await resolved(client)
    assert await invite(conn, clock) == 1
    assert await invite(conn, clock) == 0, "one invitation for one resolution"
    clock.forward(days=1)
    (open_,) = (await doors.read(client, MEMBER, "/api/return-visits"))["items"]
    assert (open_["issue"]["id"], open_["round"], open_["may_answer"]) == (issue, 1, True)
    assert datetime.fromisoformat(open_["closes_at"]) == NOW + timedelta(days=7)
    told = await tell(client, MEMBER, issue, answer(satisfaction=4))
    assert (told["state"], told["version"], told["reopened"]) == ("closed", 5, False)
    row = await conn.fetchrow("select * from issue where id = $1", UUID(issue))
    assert row is not None
    assert (row["answer"], row["satisfaction"], row["reopens"]) == ("solved", 4, 0)
    assert await events(client, issue) == [
        ("report", "member"),
        ("accept", "member"),
        ("resolve", "member"),
        ("invite", "job"),
        ("answer", "member"),
    ]
    (shown,) = (await doors.issue(client, LEADER, issue))["return_visits"]
    assert (shown["state"], shown["via"], shown["member"]["name"]) == ("answered", "call", MEMBER.name)
    assert (await doors.read(client, MEMBER, "/api/return-visits"))["items"] == []
    assert await records.agree(conn) == 1


async def test_what_is_not_solved_is_opened_again_with_its_clock_anew(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    issue = await resolved(client)
    await invite(conn, clock)
    clock.forward(days=2)
    told = await by_card(conn, issue, clock, solved=False, satisfaction=1, reason="又堆起来了")
    assert (told.state, told.version, told.reopened, told.owner) == ("accepted", 6, True, WORKER.id)
    assert told.due_at == clock() + timedelta(hours=72)
    detail = await doors.issue(client, WORKER, issue)
    said, reopened = detail["history"][-2:]
    assert (said["event"], said["actor"], said["reason"]) == ("answer", {"kind": "resident", "id": CARD}, "又堆起来了")
    assert (reopened["event"], reopened["actor"]["kind"]) == ("reopen", "resident")
    assert (reopened["facts"]["by_resident"], reopened["facts"]["satisfaction"]) == (True, 1)
    row = await conn.fetchrow("select * from issue where id = $1", UUID(issue))
    assert row is not None
    assert (row["answer"], row["satisfaction"], row["reopens"], row["resolved_at"]) == ("not_solved", 1, 1, None)
    assert await invite(conn, clock) == 0, "it is not resolved"
    await move(client, WORKER, issue, drafts.move("resolve", 6, reason="再次清运", evidence=drafts.PROOF))
    assert await invite(conn, clock) == 1
    told = await by_card(conn, issue, clock)
    assert told.state == "closed"
    visits = (await doors.issue(client, LEADER, issue))["return_visits"]
    assert [(one["round"], one["solved"], one["satisfaction"]) for one in visits] == [(1, False, 1), (2, True, 5)]
    assert await records.agree(conn) == 1


async def test_who_is_solved_and_not_content_is_heard_as_well(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    heard = {(True, 3): "closed", (True, 2): "accepted", (True, 1): "accepted", (False, 5): "accepted"}
    issues = [await resolved(client) for _ in heard]
    await invite(conn, clock)
    for issue, ((solved, satisfaction), state) in zip(issues, heard.items(), strict=True):
        told = await tell(client, MEMBER, issue, answer(solved=solved, satisfaction=satisfaction, reason="等太久"))
        assert told["state"] == state
    assert await records.agree(conn) == 4


async def test_silence_closes_it_as_not_answered_and_can_still_be_broken(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    issue = await resolved(client)
    await invite(conn, clock)
    clock.forward(days=6, hours=23)
    assert await lapse(conn, clock) == 0
    clock.forward(hours=1)
    assert await lapse(conn, clock) == 1
    assert await lapse(conn, clock) == 0
    row = await conn.fetchrow("select * from issue where id = $1", UUID(issue))
    assert row is not None
    assert (row["state"], row["answer"], row["satisfaction"]) == ("closed", "not_answered", None)
    assert (await events(client, issue))[-1] == ("lapse", "job")
    assert await records.agree(conn) == 1
    clock.forward(days=20)
    assert (await by_card(conn, issue, clock, solved=False, satisfaction=2, reason="没修好")).reopened
    assert await records.agree(conn) == 1


async def test_after_thirty_days_nothing_is_answered_any_more(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    issue = await resolved(client)
    await invite(conn, clock)
    clock.forward(days=7)
    await lapse(conn, clock)
    clock.forward(days=24)
    assert (await tell(client, MEMBER, issue, answer(), status=409))["code"] == "answer_too_late"


async def test_a_resident_may_think_better_of_it_and_a_member_may_not(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    issue = await resolved(client)
    await invite(conn, clock)
    await tell(client, MEMBER, issue, answer())
    clock.forward(days=3)
    refused = await tell(client, DISPATCHER, issue, answer(satisfaction=3), status=409)
    assert refused["code"] == "already_answered"
    assert refused["facts"] == {"state": "closed", "version": 5, "solved": True, "satisfaction": 5}
    assert (await by_card(conn, issue, clock, solved=False, satisfaction=1, reason="那天说早了")).reopened
    assert (await events(client, issue))[-3:] == [("answer", "member"), ("answer", "resident"), ("reopen", "resident")]
    assert await records.agree(conn) == 1


async def test_who_handled_it_does_not_answer_for_the_resident(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    """The owner; whoever accepted, worked on or resolved it, though it is no longer theirs; and its department."""
    issue = await resolved(client)
    await move(client, WORKER, issue, drafts.move("reopen", 3, reason="没做完"))
    await doors.hand_over(client, WORKER, MEMBER_BESIDE, issue, 4)
    await move(client, WORKER, issue, drafts.move("resolve", 6, reason="已清运", evidence=drafts.PROOF))
    await invite(conn, clock)
    for who in (WORKER, MEMBER_BESIDE):
        assert (await tell(client, who, issue, answer(), status=403))["code"] == "handled_it_yourself"
        (open_,) = (await doors.read(client, who, "/api/return-visits"))["items"]
        assert open_["may_answer"] is False
    for who in (LEADER, OTHER_WORKER):
        assert (await tell(client, who, issue, answer(), status=403 if who is LEADER else 404))["code"] != "ok"
    assert (await tell(client, STREET_DISPATCHER, issue, answer()))["state"] == "closed"


async def test_a_department_does_not_answer_for_the_resident(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    draft = drafts.visit(issues=[drafts.issue()])
    await doors.file(client, MEMBER, draft)
    issue = draft["issues"][0]["id"]
    await move(client, WORKER, issue, drafts.move("assign", 1, to="city_management"))
    await move(client, HANDLER, issue, drafts.move("resolve", 2, reason="已清运", evidence=drafts.PROOF))
    await invite(conn, clock)
    assert (await tell(client, HANDLER, issue, answer(), status=403))["code"] == "not_allowed"
    await conn.execute("insert into member_role values ($1, $2, 'member', 'own', '')", DISTRICT, HANDLER.id)
    assert (await tell(client, HANDLER, issue, answer(), status=403))["code"] == "handled_it_yourself"
    await conn.execute(
        "insert into member_role values ($1, $2, 'department_handler', 'department', 'city_management')",
        DISTRICT,
        MEMBER.id,
    )
    assert (await tell(client, MEMBER, issue, answer(), status=403))["code"] == "handled_it_yourself"


async def test_who_solved_it_at_the_door_does_not_answer_and_another_asks(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    draft = drafts.visit(issues=[drafts.solved()])
    await doors.file(client, MEMBER, draft)
    issue = draft["issues"][0]["id"]
    assert await invite(conn, clock) == 1
    assert (await tell(client, MEMBER, issue, answer(), status=403))["code"] == "handled_it_yourself"
    assert (await tell(client, WORKER, issue, answer(satisfaction=4)))["state"] == "closed"
    assert await records.agree(conn) == 1


NONSENSE: list[tuple[dict[str, Any], str, str]] = [
    ({"satisfaction": 2}, "missing", "reason"),
    ({"satisfaction": 2, "reason": "  "}, "missing", "reason"),
    ({"solved": False, "satisfaction": 4}, "missing", "reason"),
    ({"satisfaction": 0}, "wrong_value", "satisfaction"),
    ({"satisfaction": 6}, "wrong_value", "satisfaction"),
    ({"satisfaction": "5"}, "wrong_value", "satisfaction"),
    ({"satisfaction": None}, "wrong_value", "satisfaction"),
    ({"solved": "yes"}, "wrong_value", "solved"),
    ({"via": "card"}, "wrong_value", "via"),
    ({"id": "1"}, "wrong_value", "id"),
    ({"member": str(MEMBER.id)}, "unknown_field", "member"),
    ({"reason": "x\u0000"}, "text_unusable", "reason"),
    ({"reason": "x" * 5_001}, "wrong_value", "reason"),
    ({"via": "visit", "visit": str(uuid4())}, "unknown_visit", "visit"),
]


async def test_an_answer_that_makes_no_sense(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    issue = await resolved(client)
    await invite(conn, clock)
    before = await doors.written(conn)
    for changes, code, field in NONSENSE:
        response = await client.post(
            f"/api/issues/{issue}/return-visits", json=answer() | changes, headers=MEMBER.headers
        )
        doors.refused(response, 422, code, field)
    assert await doors.written(conn) == before
    assert (await tell(client, MEMBER, issue, answer()))["state"] == "closed", "nothing else was wrong with them"


async def test_an_answer_that_is_too_large_is_not_read(client: Client) -> None:
    body = answer(reason="长" * 4_000_000)
    assert (await tell(client, MEMBER, str(uuid4()), body, status=413))["code"] == "too_large"


async def test_a_reason_is_kept_as_it_was_told(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    reasons = ["<img src=x onerror=alert(1)>", "${7*7}", "=cmd|' /C calc'!A0"]
    issues = [await resolved(client) for _ in reasons]
    await invite(conn, clock)
    for issue, reason in zip(issues, reasons, strict=True):
        await tell(client, MEMBER, issue, answer(satisfaction=1, reason=reason))
        (shown,) = (await doors.issue(client, WORKER, issue))["return_visits"]
        assert shown["reason"] == reason


async def test_the_same_answer_again_gets_its_first_result(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    issue, other = await resolved(client), await resolved(client)
    await invite(conn, clock)
    body = answer(solved=False, satisfaction=1, reason="没有")
    first = await tell(client, MEMBER, issue, body)
    before = await doors.written(conn)
    clock.forward(days=1)
    await move(client, WORKER, issue, drafts.move("start", first["version"]))
    assert await tell(client, MEMBER, issue, body) == first
    for who, where, changed in (
        (MEMBER, issue, body | {"satisfaction": 2}),
        (DISPATCHER, issue, body),
        (MEMBER, other, body),
    ):
        assert (await tell(client, who, where, changed, status=409))["code"] == "id_taken"
    assert (await doors.written(conn))[:2] == before[:2]


async def test_of_two_at_once_one_is_told_the_present(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    issue = await resolved(client)
    await invite(conn, clock)
    content, not_content = answer(), answer(solved=False, satisfaction=1, reason="没有")
    answers = await asyncio.gather(
        *[
            client.post(f"/api/issues/{issue}/return-visits", json=body, headers=who.headers)
            for who, body in ((MEMBER, content), (DISPATCHER, not_content), (STREET_DISPATCHER, answer()))
        ]
    )
    assert sorted(one.status_code for one in answers) == [200, 409, 409]
    for one in answers:
        if one.status_code == 409:
            assert one.json()["code"] in ("already_answered", "not_invited")
            assert one.json()["facts"]["version"] in (5, 6)
    assert await records.agree(conn) == 1


async def test_a_visit_that_is_named_was_theirs_at_this_door_and_met_somebody_afterwards(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    door = {"id": DOOR, "kind": "shop", "name": "老王面馆", "address": "淮河路 1 号"}
    issue = await resolved(client, premises=door)
    await invite(conn, clock)
    clock.forward(days=1)
    later = {"started_at": "2026-11-24T11:20:00+08:00", "ended_at": "2026-11-24T11:30:00+08:00"}
    elsewhere = door | {"id": str(uuid4())}
    unfit = [
        drafts.visit(premises=door),  # before it was resolved
        drafts.visit(premises=elsewhere, **later),
        drafts.visit(premises=door, outcome="not_home", **later),
    ]
    for visit in unfit:
        await doors.file(client, MEMBER, visit)
        body = answer(via="visit", visit=visit["id"])
        assert (await tell(client, MEMBER, issue, body, status=422))["code"] == "visit_unfit"
    theirs = drafts.visit(premises=door, **later)
    await doors.file(client, STRANGER, theirs)
    body = answer(via="visit", visit=theirs["id"])
    assert (await tell(client, MEMBER, issue, body, status=422))["code"] == "unknown_visit"
    mine = drafts.visit(premises=door, **later)
    await doors.file(client, MEMBER, mine)
    assert (await tell(client, MEMBER, issue, answer(via="visit", visit=mine["id"])))["state"] == "closed"
    (shown,) = (await doors.issue(client, LEADER, issue))["return_visits"]
    assert (shown["via"], shown["visit"]) == ("visit", mine["id"])


async def test_nobody_is_asked_about_what_is_no_longer_resolved(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    issue = await resolved(client)
    assert (await tell(client, MEMBER, issue, answer(), status=409))["code"] == "not_invited"
    await invite(conn, clock)
    clock.forward(days=1)
    await move(client, WORKER, issue, drafts.move("reopen", 4, reason="没做完"))
    assert (await doors.read(client, MEMBER, "/api/return-visits"))["items"] == []
    assert (await tell(client, MEMBER, issue, answer(), status=409))["code"] == "not_invited"
    (shown,) = (await doors.issue(client, LEADER, issue))["return_visits"]
    assert shown["state"] == "void"
    then = await doors.read(client, LEADER, f"/api/issues/{issue}", as_of="2026-11-23")
    assert [one["state"] for one in then["return_visits"]] == ["invited"]
    clock.forward(days=30)
    assert await lapse(conn, clock) == 0


async def test_the_desk_that_closes_an_issue_keeps_nobody_from_answering(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    """Closed before the job came by, or after: the resident is asked all the same."""
    early, late = await resolved(client), await resolved(client)
    await move(client, DISPATCHER, early, drafts.move("close", 3, reason="去看过了"))
    assert await invite(conn, clock) == 2
    await move(client, DISPATCHER, late, drafts.move("close", 4, reason="去看过了"))
    assert (await by_card(conn, early, clock, satisfaction=4)).state == "closed"
    assert (await by_card(conn, late, clock, solved=False, satisfaction=1, reason="没有")).state == "accepted"
    assert await records.agree(conn) == 2


async def test_the_list_shows_what_is_within_reach_page_by_page(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    issues = []
    for _ in range(3):
        issues.append(await resolved(client))
        await invite(conn, clock)
        clock.forward(hours=1)
    shown = await doors.every_page(client, LEADER, "/api/return-visits", limit=1)
    assert [one["issue"]["id"] for one in shown] == issues
    assert {one["may_answer"] for one in shown} == {False}, "a leader reads"
    assert {one["may_answer"] for one in await doors.every_page(client, MEMBER, "/api/return-visits")} == {True}
    for who, count in ((DISPATCHER, 3), (WORKER, 3), (OTHER_WORKER, 0), (STRANGER, 0), (MEMBER_BESIDE, 0)):
        page = await doors.read(client, who, "/api/return-visits")
        assert (page["total"], len(page["items"])) == (count, count), who.name
    assert (await doors.read(client, LEADER, "/api/return-visits", community=NEAR))["total"] == 3
    assert (await doors.read(client, LEADER, "/api/return-visits", community="x"))["total"] == 0
    assert (await doors.read(client, LEADER, "/api/return-visits", premises=DOOR))["total"] == 0
    for wrong, code in (
        ("?cursor=x", "invalid_cursor"),
        ("?comunity=1", "unknown_field"),
        ("?premises=1", "wrong_value"),
    ):
        response = await client.get(f"/api/return-visits{wrong}", headers=LEADER.headers)
        assert doors.answered(response, 422)["code"] == code


async def test_an_administrator_says_for_how_long_residents_are_asked(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    before = await resolved(client)
    await invite(conn, clock)
    changed = await client.post("/api/return-visits/terms", json={"days": 3}, headers=ADMINISTRATOR.headers)
    assert doors.answered(changed, 200) == {"days": 3}
    for wrong in (0, 91, "3", None):
        refused = await client.post("/api/return-visits/terms", json={"days": wrong}, headers=ADMINISTRATOR.headers)
        doors.refused(refused, 422, "wrong_value", "days")
    after = await resolved(client)
    await invite(conn, clock)
    open_ = await doors.every_page(client, LEADER, "/api/return-visits")
    assert {one["issue"]["id"]: one["closes_at"] for one in open_} == {
        before: (NOW + timedelta(days=7)).isoformat().replace("+00:00", "Z"),
        after: (NOW + timedelta(days=3)).isoformat().replace("+00:00", "Z"),
    }


async def test_an_owner_who_has_left_is_followed_by_who_is_on_duty(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    issue = await resolved(client)
    await invite(conn, clock)
    await conn.execute("update member set closed_at = $3 where (district, id) = ($1, $2)", DISTRICT, WORKER.id, NOW)
    told = await by_card(conn, issue, clock, solved=False, satisfaction=1, reason="没有")
    assert told.owner == STREET_DISPATCHER.id
    assert await records.agree(conn) == 1


async def test_somebody_who_moves_an_issue_holds_up_no_other_invitation(
    client: Client, conn: asyncpg.Connection, clock: TestClock, dsn: str
) -> None:
    held, free = await resolved(client), await resolved(client)
    other = await database.connect(dsn)
    async with other.transaction():
        await other.execute("select from issue where id = $1 for update", UUID(held))
        assert await invite(conn, clock) == 1
    assert await invite(conn, clock) == 1
    clock.forward(days=7)
    async with other.transaction():
        await other.execute("select from issue where id = $1 for update", UUID(free))
        assert await lapse(conn, clock) == 1
    assert await lapse(conn, clock) == 1
    await other.close()
    assert await records.agree(conn) == 2


async def test_what_a_resident_said_is_handed_out_and_forgotten_with_the_rest(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    draft = drafts.visit(issues=[drafts.issue(category="0103", contact={"name": "张三", "phone": "13800001234"})])
    await doors.file(client, MEMBER, draft)
    issue = draft["issues"][0]["id"]
    await move(client, WORKER, issue, drafts.move("accept", 1))
    await move(client, WORKER, issue, drafts.move("resolve", 2, reason="已清运", evidence=drafts.PROOF))
    await invite(conn, clock)
    await by_card(conn, issue, clock, solved=False, satisfaction=1, reason="老张说没修好")
    wanted = {"phone": "13800001234", "purpose": "居民申请"}
    response = await client.post("/api/residents/export", json=wanted, headers=ADMINISTRATOR.headers)
    assert "老张说没修好" in response.text
    async with conn.transaction():
        administrator = Actor("member", str(ADMINISTRATOR.id))
        await residents.erase(conn, RING, DISTRICT, administrator, **wanted, now=clock(), with_texts=True)
    (shown,) = (await doors.issue(client, LEADER, issue))["return_visits"]
    assert (shown["satisfaction"], shown["reason"]) == (1, None)
    assert await conn.fetchval("select count(*) from text_version where body::text like '%没修好%'") == 0

"""Moving an issue: who may, from where, with what; two at once; and a retry that gets its first answer."""

import asyncio
from typing import Any, get_args
from uuid import uuid4

import asyncpg
import pytest

from api import database
from api.settings import Settings
from surveys.issues import workflow
from surveys.issues.workflow import Move, Standing
from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    AUDITOR,
    DISPATCHER,
    DISTRICT,
    HANDLER,
    LEADER,
    MEMBER,
    OTHER_WORKER,
    PEOPLE,
    STRANGER,
    STREET_DISPATCHER,
    WORKER,
    Client,
    Person,
    TestClock,
    serving,
)
from tests.doors import file, move

pytestmark = pytest.mark.anyio


async def an_issue(client: Client, **changes: Any) -> str:
    """An issue of the near community that nobody has taken on yet."""
    issue = drafts.issue(**changes)
    await file(client, MEMBER, drafts.visit(issues=[issue]))
    return str(issue["id"])


async def test_an_issue_s_whole_life(client: Client, clock: TestClock) -> None:
    issue = await an_issue(client)
    life: list[tuple[Person, str, dict[str, Any], str]] = [
        (WORKER, "accept", {}, "accepted"),
        (WORKER, "assign", {"to": "city_management", "reason": "请处理"}, "assigned"),
        (HANDLER, "start", {}, "in_progress"),
        (HANDLER, "resolve", {"reason": "已清运"}, "resolved"),
        (WORKER, "close", {"reason": "居民说好了"}, "closed"),
        (MEMBER, "reopen", {"reason": "又堆起来了"}, "accepted"),
        (WORKER, "resolve", {"reason": "再次清运"}, "resolved"),
    ]
    for version, (who, name, with_, state) in enumerate(life, start=1):
        clock.forward(minutes=10)
        moved = await move(client, who, issue, drafts.move(name, version, **with_))
        assert (moved["state"], moved["version"], moved["issue"], moved["number"]) == (
            state,
            version + 1,
            issue,
            "10001",
        )
        assert moved["owner"] == str(WORKER.id)
    detail = await doors.issue(client, LEADER, issue)
    assert [entry["event"] for entry in detail["history"]] == ["report", *[name for _, name, _, _ in life]]
    assert [entry["actor"]["id"] for entry in detail["history"][1:]] == [str(who.id) for who, _, _, _ in life]
    assert [entry["reason"] for entry in detail["history"]] == [None, *[with_.get("reason") for _, _, with_, _ in life]]
    assert {WORKER.name, HANDLER.name, MEMBER.name} == set(detail["names"].values())


async def test_a_retry_gets_its_first_answer_however_far_the_issue_has_moved(client: Client, clock: TestClock) -> None:
    issue = await an_issue(client)
    accept = drafts.move("accept", 1)
    first = await move(client, WORKER, issue, accept)
    clock.forward(hours=1)
    await move(client, WORKER, issue, drafts.move("assign", 2, to=str(OTHER_WORKER.id)))
    assert await move(client, WORKER, issue, accept) == first


async def test_a_retry_of_the_move_that_gave_the_issue_away_gets_its_first_answer(shared: Client) -> None:
    issue = await an_issue(shared)
    await doors.hand_over(shared, WORKER, STRANGER, issue, 1)
    pass_on = drafts.move("assign", 3, to=str(DISPATCHER.id))
    first = await move(shared, STRANGER, issue, pass_on)
    await move(shared, DISPATCHER, issue, drafts.move("accept", 4))
    assert (await doors.read(shared, STRANGER, f"/api/issues/{issue}", status=404))["code"] == "not_found"
    assert await move(shared, STRANGER, issue, pass_on) == first
    assert (await move(shared, STRANGER, issue, drafts.move("accept", 5), status=404))["code"] == "not_found"


async def test_a_move_s_id_is_used_once(client: Client, conn: asyncpg.Connection) -> None:
    issue, other = await an_issue(client), await an_issue(client)
    accept = drafts.move("accept", 1)
    await move(client, WORKER, issue, accept)
    before = await doors.written(conn)
    for who, where, changed in (
        (WORKER, issue, accept | {"reason": "别的"}),
        (DISPATCHER, issue, accept),
        (WORKER, other, accept),
        (WORKER, other, drafts.move("accept", 1, id=issue, reason="以问题为编号")),
        (WORKER, other, drafts.move("accept", 1, id=other, reason="以自己为编号")),
    ):
        assert (await move(client, who, where, changed, status=409))["code"] == "id_taken"
    assert await doors.written(conn) == before


async def test_two_people_at_once_one_wins_and_the_other_is_told_the_present(shared: Client) -> None:
    issue = await an_issue(shared)
    answers = await asyncio.gather(
        *[
            shared.post(f"/api/issues/{issue}/moves", json=drafts.move(name, 1, **with_), headers=who.headers)
            for who, name, with_ in (
                (WORKER, "accept", {}),
                (STREET_DISPATCHER, "assign", {"to": "city_management"}),
                (DISPATCHER, "reject", {"reason": "不属实"}),
                (ADMINISTRATOR, "assign", {"to": str(OTHER_WORKER.id)}),
            )
        ]
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    won = next(answer.json() for answer in answers if answer.status_code == 200)
    for answer in answers:
        if answer.status_code == 409:
            problem = doors.refused(answer, 409, "stale_version", "expected_version")
            assert problem["facts"] == {"state": won["state"], "version": 2, "owner": won["owner"]}


async def test_the_same_move_five_times_at_once_is_made_once(client: Client, conn: asyncpg.Connection) -> None:
    issue = await an_issue(client)
    accept = drafts.move("accept", 1)
    answers = await asyncio.gather(*[move(client, WORKER, issue, accept) for _ in range(5)])
    assert all(answer == answers[0] for answer in answers)
    assert await conn.fetchval("select count(*) from history where thing = $1", issue) == 2
    assert await conn.fetchval("select count(*) from issue_spans where issue = $1", issue) == 2


async def test_a_move_that_waits_too_long_for_another_may_come_again(
    dsn: str, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database.SESSION_SETTINGS, "lock_timeout", "100ms")
    other = await database.connect(dsn)
    async with serving(Settings(database_url=dsn), clock) as client:
        issue = await an_issue(client)
        accept = drafts.move("accept", 1)
        async with other.transaction():
            await other.execute("select 1 from issue where id = $1 for update", issue)
            answer = await client.post(f"/api/issues/{issue}/moves", json=accept, headers=WORKER.headers)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
        await move(client, WORKER, issue, accept)
    await other.close()


PHOTO = {"sha256": "ab" * 32, "bytes": 9}

# What each move needs beside its name.
WITH: dict[Move, dict[str, Any]] = {
    "assign": {"to": "city_management"},
    "decline": {"reason": "不归我管"},
    "resolve": {"reason": "已清运"},
    "close": {"reason": "居民说好了"},
    "reject": {"reason": "不属实"},
    "reopen": {"reason": "又来了"},
    "correct": {"reason": "写错了", "correction": {"title": "门口垃圾"}},
    "return": {"reason": "不在辖区", "evidence": [PHOTO]},
    "pause": {"reason": "等材料"},
    "extend": {"reason": "要招标", "amount": 24},
    "refuse": {"reason": "还是归你们管"},
    "change_channel": {"channel": "agent", "reason": "老人不便出门"},
    "follow": {"to": str(LEADER.id)},
    "appoint": {"to": str(MEMBER.id), "at": "2026-11-24T09:00:00+08:00"},
    "opine": {"opinion": "agree"},
    "meet": {"reason": "会议纪要", "at": "2026-11-23T11:40:00+08:00"},
}
LACKS = [(name, need) for name, with_ in WITH.items() for need in with_]
# The moves that bring an issue to where a move can be made, and who makes them.
BEFORE: dict[Move, list[tuple[Person, Move, dict[str, Any]]]] = {
    "start": [(WORKER, "accept", {})],
    "resolve": [(WORKER, "accept", {})],
    "close": [(WORKER, "accept", {}), (HANDLER, "resolve", WITH["resolve"])],
    "reopen": [(WORKER, "reject", WITH["reject"])],
    "decline": [(WORKER, "assign", {"to": str(STRANGER.id)})],
    "pause": [(WORKER, "accept", {})],
    "extend": [(WORKER, "accept", {})],
    "resume": [(WORKER, "accept", {}), (DISPATCHER, "pause", WITH["pause"])],
    "approve": [(WORKER, "return", WITH["return"])],
    "refuse": [(WORKER, "return", WITH["return"])],
    "appoint": [(WORKER, "change_channel", WITH["change_channel"])],
    "opine": [(WORKER, "assign", {"to": "water", "departments": ["city_management"]})],
}
MAKERS: dict[Move, Person] = {
    "decline": STRANGER,
    "refuse": DISPATCHER,
    "follow": DISPATCHER,
    "opine": HANDLER,
}  # where the worker may not


async def brought_to(client: Client, name: Move) -> tuple[str, int]:
    issue = await an_issue(client)
    for version, (who, earlier, with_) in enumerate(BEFORE.get(name, []), start=1):
        await move(client, who, issue, drafts.move(earlier, version, **with_))
    return issue, len(BEFORE.get(name, [])) + 1


@pytest.mark.parametrize(("name", "need"), LACKS, ids=[f"{name}-{need}" for name, need in LACKS])
@pytest.mark.parametrize("given", [None, "\u3000", "left out"], ids=["null", "blank", "left out"])
async def test_a_move_that_lacks_what_it_needs(shared: Client, name: Move, need: str, given: Any) -> None:
    if given == "\u3000" and (need in ("channel", "opinion", "at") or not isinstance(WITH[name][need], str)):
        given = None  # blank only is what may be any text
    if given is None and need == "evidence":
        given = []
    issue, version = await brought_to(shared, name)
    draft = drafts.move(name, version, **WITH[name]) | {need: given}
    if given == "left out":
        del draft[need]
    problem = await move(shared, MAKERS.get(name, WORKER), issue, draft, status=422)
    assert (problem["code"], problem["field"]) == ("missing", need)
    assert (await doors.issue(shared, LEADER, issue))["issue"]["version"] == version


@pytest.mark.parametrize("name", sorted(set(get_args(Move)) - {"merge", "unmerge"}))  # which are of two issues
async def test_who_may_make_each_move(shared: Client, name: Move) -> None:
    """An issue of the near community, worked on by the city management, owned by its worker, reported by a member."""
    standings: dict[Person, set[Standing]] = {
        MEMBER: {"reporter"},
        WORKER: {"owner", "community_worker"},
        STREET_DISPATCHER: {"dispatcher"},
        DISPATCHER: {"dispatcher"},
        HANDLER: {"handler"},
        ADMINISTRATOR: {"administrator"},
        LEADER: {"leader"},
    }
    if name == "opine":
        standings[HANDLER] = {"consulted"}
    if name == "decline":
        standings[STRANGER] = {"offered"}
    if name in ("approve", "refuse"):
        standings[WORKER].add("asker")
    if name == "close":
        standings[HANDLER].add("resolver")
    for who in PEOPLE:
        issue, version = await brought_to(shared, name)
        state = (await doors.issue(shared, LEADER, issue))["issue"]["state"]
        may = who in standings and workflow.lets(state, name, frozenset(standings[who]))
        status = 404 if who not in standings else 200 if may else 403
        answer = await move(shared, who, issue, drafts.move(name, version, **WITH.get(name, {})), status=status)
        shown = (await doors.issue(shared, LEADER, issue))["issue"]
        assert shown["version"] == version + may
        if status == 403:
            assert answer["code"] == "not_allowed"
        elif status == 404:
            assert answer["code"] == "not_found"


async def test_what_the_page_offers_is_what_may_be_done(shared: Client) -> None:
    issue = await an_issue(shared)
    offered = {
        who.role + who.number: (await doors.issue(shared, who, issue))["moves"]
        for who in (MEMBER, WORKER, HANDLER, LEADER)
    }
    assert offered == {
        "member1": ["correct"],
        "community_worker3": ["accept", "assign", "reject", "correct", "return", "merge", "change_channel", "meet"],
        "department_handler7": ["return", "meet"],
        "leader8": ["follow"],
    }


@pytest.mark.parametrize("name", ["start", "resolve", "close", "reopen"])
async def test_a_move_from_the_wrong_state_says_what_is_possible(shared: Client, name: Move) -> None:
    issue = await an_issue(shared)
    problem = await move(shared, WORKER, issue, drafts.move(name, 1, **WITH.get(name, {})), status=409)
    assert problem["code"] == "move_not_possible"
    known = ["accept", "assign", "reject", "correct", "return", "merge", "change_channel", "follow", "opine", "meet"]
    assert problem["facts"]["possible"] == known


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"move": "hand_on"}, "wrong_value", "move"),
        ({"amount": 3}, "not_for_this_move", "amount"),
        ({"to": str(MEMBER.id)}, "not_for_this_move", "to"),
        ({"correction": {"title": "别的"}}, "not_for_this_move", "correction"),
        ({"until": "2026-12-01T00:00:00+08:00"}, "not_for_this_move", "until"),
        ({"until": "2026-12-01T00:00:00"}, "wrong_value", "until"),
        ({"move": "extend", "amount": 0}, "wrong_value", "amount"),
        ({"move": "assign", "to": str(AUDITOR.id)}, "unsuitable_member", "to"),
        ({"move": None}, "wrong_value", "move"),
        ({"expected_version": "1"}, "wrong_value", "expected_version"),
        ({"expected_version": 1.5}, "wrong_value", "expected_version"),
        ({"id": "1"}, "wrong_value", "id"),
        ({"move": "assign", "to": "no_such_department"}, "unknown_department", "to"),
        ({"move": "assign", "to": str(uuid4())}, "unknown_member", "to"),
        ({"move": "assign", "to": ""}, "wrong_value", "to"),
        ({"move": "assign", "to": "a\x00"}, "text_unusable", "to"),
        ({"happened_at": "2020-01-01T00:00:00Z"}, "unknown_field", "happened_at"),
        ({"evidence": [{"sha256": "x", "bytes": 1}]}, "wrong_value", "evidence[0].sha256"),
        ({"move": "correct", "reason": "x", "correction": {}}, "missing", "correction"),
        ({"move": "correct", "reason": "x", "correction": {"title": " "}}, "text_unusable", "correction.title"),
        (
            {"move": "correct", "reason": "x", "correction": {"category": "9"}},
            "unknown_category",
            "correction.category",
        ),
        (
            {"move": "correct", "reason": "x", "correction": {"category": "01"}},
            "unknown_category",
            "correction.category",
        ),
        (
            {"move": "correct", "reason": "x", "correction": {"community": "9"}},
            "unknown_community",
            "correction.community",
        ),
        (
            {"move": "correct", "reason": "x", "correction": {"position": {"lon": 34.7, "lat": 113.6}}},
            "longitude_latitude_swapped",
            "correction.position.lat",
        ),
        (
            {"move": "correct", "reason": "x", "correction": {"owner": str(MEMBER.id)}},
            "unknown_field",
            "correction.owner",
        ),
    ],
)
async def test_a_move_that_makes_no_sense(shared: Client, changes: dict[str, Any], code: str, field: str) -> None:
    issue = await an_issue(shared)
    answer = await shared.post(
        f"/api/issues/{issue}/moves", json=drafts.move("accept", 1) | changes, headers=WORKER.headers
    )
    doors.refused(answer, 422, code, field)
    assert (await doors.issue(shared, LEADER, issue))["issue"]["version"] == 1


async def test_an_issue_is_not_given_to_somebody_who_has_left(client: Client, conn: asyncpg.Connection) -> None:
    issue = await an_issue(client)
    await conn.execute("update member set closed_at = now() where district = $1 and id = $2", DISTRICT, STRANGER.id)
    problem = await move(client, WORKER, issue, drafts.move("assign", 1, to=str(STRANGER.id)), status=422)
    assert (problem["code"], problem["field"]) == ("unknown_member", "to")


async def test_evidence_is_promised_with_a_move(client: Client, conn: asyncpg.Connection) -> None:
    issue = await an_issue(client)
    photo = {"sha256": "cd" * 32, "bytes": 99}
    await move(client, WORKER, issue, drafts.move("accept", 1))
    await move(client, WORKER, issue, drafts.move("resolve", 2, reason="已清运", evidence=[photo]))
    assert await conn.fetchval("select encode(sha256, 'hex') from issue_photo where issue = $1", issue) == "cd" * 32
    history = (await doors.issue(client, WORKER, issue))["history"]
    assert history[-1]["facts"]["evidence"] == [photo["sha256"]]

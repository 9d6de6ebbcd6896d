"""The main story: a member at a door, a community worker at a desk, a leader at a map, and numbers to be trusted."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    DISPATCHER,
    FAR,
    HANDLER,
    LEADER,
    MEMBER,
    NEAR,
    NEXT,
    OTHER_WORKER,
    PEOPLE,
    STRANGER,
    STREET_DISPATCHER,
    WORKER,
    Client,
    TestClock,
)
from tests.doors import Answer, correct, every_page, file, hand_over, move, read
from tests.stories import numbers, records

pytestmark = pytest.mark.anyio

AS_IT_WAS = ("id", "state", "group", "overdue", "owner", "department", "community", "category", "urgency", "due_at")

NARROWED: list[dict[str, Any]] = [
    {"group": ["overdue", "reported"]},
    {"placed": "no"},
    {"bbox": "113.6,34.7,113.615,34.705"},
]
BEGUN: list[dict[str, Any]] = [
    {},
    {"state": "reported"},
    {"community": NEAR},
    {"owner": str(WORKER.id), "group": "reported"},
]
NEXT_AND_STALL = {"position": drafts.NEXT_DOOR, "category": "0103"}


@pytest.fixture(autouse=True)
async def _records_agree(conn: asyncpg.Connection) -> AsyncIterator[None]:
    """At the end of every story, rows, spans, history and texts tell the same."""
    yield
    assert await records.agree(conn) > 0
    assert await records.of_visits_agree(conn) > 0


def on(day: int, hour: int = 12) -> datetime:
    """An hour of a day of that November, by the clock on the district's wall."""
    return datetime(2026, 11, day, hour, tzinfo=UTC) - timedelta(hours=8)


async def as_shown(client: Client, **filters: Any) -> list[Answer]:
    """All issues as the leader's list shows them, but for what a day's picture does not keep."""
    items = await every_page(client, LEADER, "/api/issues", **filters)
    return [{name: item[name] for name in AS_IT_WAS} for item in items]


async def test_from_a_doorstep_to_a_map(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    heap, stall = drafts.issue(description="三天没人清"), drafts.solved()
    receipt = await file(client, MEMBER, drafts.visit(issues=[heap, stall]))
    assert [issue["community"]["code"] for issue in receipt["issues"]] == [NEAR, NEAR]
    assert [issue["owner"]["name"] for issue in receipt["issues"]] == [WORKER.name, MEMBER.name]
    assert all(issue["due_at"] == "2026-11-26T04:00:00Z" for issue in receipt["issues"])

    life: list[tuple[Any, str, dict[str, Any]]] = [
        (WORKER, "accept", {}),
        (WORKER, "assign", {"to": "city_management", "reason": "请城管清运"}),
        (HANDLER, "start", {}),
        (HANDLER, "resolve", {"reason": "已清运", "evidence": [{"sha256": "ab" * 32, "bytes": 9}]}),
        (WORKER, "close", {"reason": "居民说好了"}),
    ]
    for version, (who, name, with_) in enumerate(life, start=1):
        clock.forward(hours=3)
        assert name in (await doors.issue(client, who, heap["id"]))["moves"]
        await move(client, who, heap["id"], drafts.move(name, version, **with_))
        assert await records.agree(conn) == 2, f"after {name}"
        assert await numbers.agree(client, LEADER) == 2

    closed = (await doors.issue(client, LEADER, heap["id"]))["issue"]
    assert (closed["state"], closed["group"], closed["department"]) == ("closed", "solved", "city_management")
    areas = (await read(client, LEADER, "/maps/issues/areas"))["areas"]
    assert [(area["community"], area["solved"], area["total"]) for area in areas] == [(NEAR, 2, 2)]
    (cluster,) = (await read(client, LEADER, "/maps/issues/clusters", zoom=12, bbox="113.5,34.6,113.7,34.8"))[
        "clusters"
    ]
    assert (cluster["count"], cluster["solved"]) == (2, 2)


async def test_any_past_day_is_shown_as_it_was(client: Client, clock: TestClock) -> None:
    heap, stall, far = drafts.issue(urgency="urgent"), drafts.solved(), drafts.issue(position=drafts.FAR_DOOR)
    days: dict[int, list[Any]] = {
        23: [
            lambda: file(client, MEMBER, drafts.visit(issues=[heap, stall])),
            lambda: move(client, WORKER, heap["id"], drafts.move("accept", 1)),
        ],
        24: [
            lambda: move(client, WORKER, heap["id"], drafts.move("assign", 2, to="city_management")),
            lambda: file(client, STRANGER, drafts.visit(started_at=said(24, 9), ended_at=said(24, 10), issues=[far])),
            lambda: move(client, OTHER_WORKER, far["id"], drafts.move("reject", 1, reason="不属实")),
        ],
        25: [
            lambda: move(
                client,
                MEMBER,
                heap["id"],
                drafts.move(
                    "correct", 3, reason="在隔壁", correction={"position": drafts.NEXT_DOOR, "category": "0103"}
                ),
            ),
            lambda: move(client, STRANGER, far["id"], drafts.move("reopen", 2, reason="确有此事")),
        ],
        26: [lambda: move(client, HANDLER, heap["id"], drafts.move("resolve", 4, reason="已清运"))],
        27: [lambda: move(client, STREET_DISPATCHER, heap["id"], drafts.move("close", 5, reason="回访满意"))],
    }
    pictures: dict[int, list[Answer]] = {22: []}
    for day, deeds in days.items():
        for hour, deed in enumerate(deeds, start=13):
            clock.now = on(day, hour)
            await deed()
        clock.now = on(day + 1, 0) - timedelta(microseconds=1)
        pictures[day] = await as_shown(client)
        assert pictures[day] != pictures[day - 1]
    clock.now = on(30)
    for day, picture in pictures.items():
        asked = f"2026-11-{day}"
        assert await as_shown(client, as_of=asked) == picture, asked
        assert await numbers.agree(client, LEADER, as_of=asked) == len(picture)
        for group in numbers.GROUPS:
            in_group = [item for item in picture if item["group"] == group]
            assert await as_shown(client, as_of=asked, group=group) == in_group
    assert await as_shown(client, as_of="2026-12-24") == await as_shown(client), "a day not yet over ends now"


def said(day: int, hour: int) -> str:
    """An hour of that November as a phone says it."""
    return f"2026-11-{day}T{hour:02}:00:00+08:00"


async def test_what_a_phone_sends_late_belongs_to_the_day_it_happened(client: Client, clock: TestClock) -> None:
    clock.now = on(26)
    early = drafts.visit(started_at=said(23, 9), ended_at=said(23, 10), issues=[drafts.issue(), drafts.solved()])
    early["issues"][1]["solved_on_spot"]["at"] = said(23, 10)
    await file(client, MEMBER, early)
    assert await as_shown(client, as_of="2026-11-22") == []
    for day in (23, 24, 25, 26):
        states = {item["state"] for item in await as_shown(client, as_of=f"2026-11-{day}")}
        assert states == {"reported", "resolved"}
    due = {item["due_at"] for item in await as_shown(client)}
    assert due == {"2026-11-29T04:00:00Z"}, "the limit counts from when we learned of it"


async def test_every_number_opens_its_list_for_everybody(client: Client, clock: TestClock) -> None:
    places = [drafts.NEAR_DOOR, drafts.NEXT_DOOR, drafts.FAR_DOOR, drafts.OUTSIDE, None]
    for index, position in enumerate(places * 3):
        issues = [drafts.issue(urgency="emergency"), drafts.solved(), drafts.issue(category="0103")]
        who = (MEMBER, STRANGER, WORKER)[index % 3]
        await file(client, who, drafts.visit(position=position, issues=issues[: index % 4]))
        clock.forward(minutes=7)
    for item in (await read(client, DISPATCHER, "/api/issues", state="reported", limit=200))["items"][::3]:
        await move(client, DISPATCHER, item["id"], drafts.move("accept", 1))
    clock.forward(hours=5)
    totals = {}
    for who in PEOPLE:
        totals[who.number] = await numbers.agree(client, who)
        for filters in NARROWED:
            await numbers.agree(client, who, **filters)
        await numbers.lists_open(client, who)
    assert totals[LEADER.number] == totals[DISPATCHER.number] == totals[ADMINISTRATOR.number] == 21
    assert 0 < totals[STRANGER.number] < totals[LEADER.number]
    assert 0 < totals[OTHER_WORKER.number] < totals[LEADER.number]


async def test_a_list_once_begun_stays_as_it_was(client: Client, clock: TestClock) -> None:
    filed = [drafts.visit(issues=[drafts.issue()]) for _ in range(9)]
    for visit in filed:
        await file(client, MEMBER, visit)
        clock.forward(minutes=1)
    ids = [visit["issues"][0]["id"] for visit in filed]
    for filters in BEGUN:
        whole = await read(client, LEADER, "/api/issues", limit=200, **filters)
        first = await read(client, LEADER, "/api/issues", limit=2, **filters)
        clock.forward(minutes=1)
        await file(client, MEMBER, drafts.visit(issues=[drafts.issue()]))
        await file(client, MEMBER, drafts.visit(started_at=said(23, 8), ended_at=said(23, 9), issues=[drafts.issue()]))
        last = whole["items"][-1]
        taker = OTHER_WORKER if last["owner"]["id"] == str(STRANGER.id) else STRANGER
        await hand_over(client, DISPATCHER, taker, last["id"], last["version"])
        moved_away = whole["items"][-2]
        away = drafts.move("correct", moved_away["version"], reason="x", correction={"community": FAR})
        await move(client, DISPATCHER, moved_away["id"], away)
        items, page = first["items"], first
        while page["next"]:
            page = await read(client, LEADER, "/api/issues", limit=2, cursor=page["next"], **filters)
            assert page["total"] == whole["total"]
            items += page["items"]
        assert items == whole["items"], filters
    assert len(ids) == 9


async def test_two_people_move_one_issue_at_once(client: Client, clock: TestClock) -> None:
    issue = drafts.issue()
    await file(client, MEMBER, drafts.visit(issues=[issue]))
    clock.forward(minutes=1)
    path = f"/api/issues/{issue['id']}/moves"
    deeds = [(WORKER, drafts.move("accept", 1)), (STREET_DISPATCHER, drafts.move("reject", 1, reason="不属实"))]
    answers = await asyncio.gather(*[client.post(path, json=draft, headers=who.headers) for who, draft in deeds])
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    won, lost = sorted(answers, key=lambda answer: answer.status_code)
    present = (await doors.issue(client, LEADER, issue["id"]))["issue"]
    told = doors.refused(lost, 409, "stale_version", "expected_version")["facts"]
    assert (told["state"], told["version"]) == (present["state"], 2) == (won.json()["state"], won.json()["version"])


async def test_a_wrong_place_is_put_right_and_the_first_filing_stays(client: Client, clock: TestClock) -> None:
    issue = drafts.issue()
    await file(client, MEMBER, drafts.visit(issues=[issue]))
    clock.forward(days=1)
    first = drafts.move(
        "correct", 1, reason="在街对面", correction={"position": drafts.FAR_DOOR, "urgency": "emergency"}
    )
    moved = await move(client, MEMBER, issue["id"], first)
    assert (moved["owner"], moved["due_at"]) == (str(OTHER_WORKER.id), "2026-11-23T08:00:00Z")
    await read(client, WORKER, f"/api/issues/{issue['id']}", status=404)
    detail = await doors.issue(client, OTHER_WORKER, issue["id"])
    assert [(entry["facts"]["community"], entry["facts"]["owner"]) for entry in detail["history"]] == [
        (NEAR, str(WORKER.id)),
        (FAR, str(OTHER_WORKER.id)),
    ]
    assert detail["issue"]["group"] == "overdue"
    areas = {area["community"]: area for area in (await read(client, LEADER, "/maps/issues/areas"))["areas"]}
    assert (set(areas), areas[FAR]["overdue"]) == ({FAR}, 1)


async def test_a_visit_taken_back_leaves_the_map_and_stays_in_the_books(client: Client, clock: TestClock) -> None:
    visit = drafts.visit(issues=[drafts.issue(), drafts.issue(position=drafts.NEXT_DOOR)])
    await file(client, MEMBER, visit)
    clock.forward(days=1)
    await correct(client, MEMBER, visit["id"], drafts.correction(1, reason="走错门了", withdraw=True))
    areas = {area["community"]: area for area in (await read(client, LEADER, "/maps/issues/areas"))["areas"]}
    assert {code: (area["reported"], area["other"]) for code, area in areas.items()} == {NEAR: (0, 1), NEXT: (0, 1)}
    yesterday = await read(client, LEADER, "/maps/issues/areas", as_of="2026-11-23")
    assert sum(area["reported"] for area in yesterday["areas"]) == 2


async def test_a_visit_is_taken_back_while_somebody_takes_its_issue_on(client: Client, clock: TestClock) -> None:
    for _ in range(5):
        visit = drafts.visit(issues=[drafts.issue()])
        issue = visit["issues"][0]["id"]
        await file(client, MEMBER, visit)
        clock.forward(minutes=1)
        accepted, withdrawn = await asyncio.gather(
            client.post(f"/api/issues/{issue}/moves", json=drafts.move("accept", 1), headers=WORKER.headers),
            client.post(
                f"/api/visits/{visit['id']}/corrections",
                json=drafts.correction(1, withdraw=True),
                headers=MEMBER.headers,
            ),
        )
        assert withdrawn.status_code == 200
        state = (await doors.issue(client, LEADER, issue))["issue"]["state"]
        assert (accepted.status_code, state) in ((200, "accepted"), (409, "rejected"))

"""The list of issues: every filter, every reader, pages that stay as they were, and search by two characters."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec import Struct

from api.settings import Settings
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
    Person,
    Server,
    TestClock,
    founded,
    serving,
)
from tests.doors import every_page, file, move, read

pytestmark = pytest.mark.anyio


class Town(Struct):
    """A district in which much has been reported, by the names that the tests call it."""

    client: Client
    clock: TestClock
    ids: dict[str, str]

    def named(self, items: list[dict[str, Any]]) -> set[str]:
        names = {id_: name for name, id_ in self.ids.items()}
        return {names[item["id"]] for item in items}


# What was reported when, where and as what; and what became of it.
REPORTED: dict[str, dict[str, Any]] = {
    "heap": {"title": "门口垃圾成堆", "description": "三天没人清，苍蝇很多"},
    "urgent": {"category": "0103", "urgency": "urgent", "title": "占道经营"},
    "next": {"position": drafts.NEXT_DOOR, "title": "路灯不亮 100%"},
    "far": {"position": drafts.FAR_DOOR, "title": "下水道_堵塞"},
    "nowhere": {"position": None, "title": "没有位置的问题", "description": "门口 垃圾\n成堆"},
    "outside": {"position": drafts.OUTSIDE, "title": "区外的 Noise & 噪音"},
    "taken on": {"title": "正在办理"},
    "at the department": {"title": "交给城管"},
    "done": {"title": "已经解决"},
    "closed": {"title": "已经办结"},
    "rejected": {"title": "不属实"},
    "on the spot": {"category": "0103", "title": "当场解决", "solved_on_spot": drafts.SOLVED},
    "of a stranger": {"title": "别人报的"},
    "yesterday's": {"title": "昨天的"},
}
LIVES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "taken on": [("accept", {})],
    "at the department": [("accept", {}), ("assign", {"to": "city_management"})],
    "done": [("accept", {}), ("resolve", {"reason": "清了"})],
    "closed": [("accept", {}), ("resolve", {"reason": "清了"}), ("close", {"reason": "回访满意"})],
    "rejected": [("reject", {"reason": "没有这回事"})],
    "of a stranger": [("assign", {"to": str(OTHER_WORKER.id)})],
}


@pytest.fixture(scope="module")
async def town(server: Server, template: str) -> AsyncIterator[Town]:
    clock = TestClock()
    async with founded(server, template) as dsn, serving(Settings(database_url=dsn), clock) as client:
        ids = {}
        for name, changes in REPORTED.items():
            clock.forward(seconds=1)
            issue = drafts.issue() | changes
            position = issue.pop("position", drafts.NEAR_DOOR)
            day = {"started_at": "2026-11-22T11:20:00+08:00", "ended_at": "2026-11-22T11:30:00+08:00"}
            visit = drafts.visit(position=position, issues=[issue], **(day if name == "yesterday's" else {}))
            await file(client, STRANGER if name == "of a stranger" else MEMBER, visit)
            ids[name] = issue["id"]
        for name, life in LIVES.items():
            for version, (move_, with_) in enumerate(life, start=1):
                who = DISPATCHER if move_ == "close" else WORKER
                await move(client, who, ids[name], drafts.move(move_, version, **with_))
            if name == "of a stranger":
                await move(client, OTHER_WORKER, ids[name], drafts.move("accept", 2))
        clock.forward(hours=30)  # the urgent one is late by now, and nothing else is
        yield Town(client, clock, ids)


EVERYTHING = set(REPORTED)
SOLVED = {"done", "closed", "on the spot"}
NEAR_ONES = EVERYTHING - {"next", "far", "nowhere", "outside"}

FILTERS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "nothing": ({}, EVERYTHING),
    "a community": ({"community": NEAR}, NEAR_ONES),
    "two communities": ({"community": [NEXT, FAR]}, {"next", "far"}),
    "a community that is none": ({"community": "999"}, set()),
    "no community": ({"community": "none"}, {"nowhere", "outside"}),
    "no community, but a place": ({"community": "none", "placed": "yes"}, {"outside"}),
    "a community and none": ({"community": [FAR, "none"]}, {"far", "nowhere", "outside"}),
    "a street": ({"street": "410103001"}, NEAR_ONES | {"next"}),
    "a street and a community of another": ({"street": "410103001", "community": FAR}, set()),
    "a category": ({"category": "0103"}, {"urgent", "on the spot"}),
    "a group of categories": ({"category": "01"}, EVERYTHING),
    "a state": ({"state": "resolved"}, {"done", "on the spot"}),
    "two states": ({"state": ["closed", "rejected"]}, {"closed", "rejected"}),
    "what is reported": ({"group": "reported"}, EVERYTHING - SOLVED - set(LIVES) - {"urgent"}),
    "what is in hand": ({"group": "in_hand"}, {"taken on", "at the department", "of a stranger"}),
    "what is overdue": ({"group": "overdue"}, {"urgent"}),
    "what is solved": ({"group": "solved"}, SOLVED),
    "what is neither": ({"group": "other"}, {"rejected"}),
    "two groups": ({"group": ["overdue", "other"]}, {"urgent", "rejected"}),
    "overdue": ({"overdue": "true"}, {"urgent"}),
    "not overdue": ({"overdue": "false"}, EVERYTHING - {"urgent"}),
    "an urgency": ({"urgency": "urgent"}, {"urgent"}),
    "an owner": ({"owner": str(OTHER_WORKER.id)}, {"far", "of a stranger"}),
    "a department": ({"department": "city_management"}, EVERYTHING - {"urgent", "on the spot"}),
    "a day": ({"reported_from": "2026-11-23", "reported_to": "2026-11-23"}, EVERYTHING - {"yesterday's"}),
    "until yesterday": ({"reported_to": "2026-11-22"}, {"yesterday's"}),
    "from tomorrow": ({"reported_from": "2026-11-24"}, set()),
    "a box": ({"bbox": "113.60,34.70,113.61,34.71"}, NEAR_ONES),
    "a box of two communities": ({"bbox": "113.61,34.70,113.63,34.71"}, {"next", "far"}),
    "a box of nothing": ({"bbox": "100,30,101,31"}, set()),
    "the whole world": ({"bbox": "-180,-90,180,90"}, EVERYTHING - {"nowhere"}),
    "without a place": ({"placed": "no"}, {"nowhere"}),
    "what no place is known of": ({"certainty": "unplaced"}, {"nowhere"}),
    "due by tomorrow": ({"due_to": "2026-11-24"}, {"urgent"}),
    "due after tomorrow": ({"due_from": "2026-11-25"}, EVERYTHING - {"urgent"}),
    "found on a visit": ({"source": "visit"}, EVERYTHING),
    "out of a ledger": ({"source": "ledger"}, set()),
    "due in a year without holidays": ({"provisional": "yes"}, set()),
    "with a place": ({"placed": "yes"}, EVERYTHING - {"nowhere"}),
    "two characters": ({"text": "垃圾"}, {"heap", "nowhere"}),
    "two characters of a description": ({"text": "苍蝇"}, {"heap"}),
    "characters that stand apart": ({"text": "门口成堆"}, set()),
    "a line break is a space": ({"text": "垃圾 成堆"}, {"nowhere"}),
    "a per cent sign is no wildcard": ({"text": "0%"}, {"next"}),
    "an underscore is no wildcard": ({"text": "道_堵"}, {"far"}),
    "only an underscore": ({"text": "__"}, set()),
    "a backslash": ({"text": "\\\\"}, set()),
    "letters, however large": ({"text": "NOISE & 噪"}, {"outside"}),
    "a quote": ({"text": "'; drop table issue; --"}, set()),
    "several at once": ({"community": NEAR, "state": "reported", "text": "垃圾", "overdue": "false"}, {"heap"}),
}


@pytest.mark.parametrize(("filters", "expected"), FILTERS.values(), ids=FILTERS.keys())
async def test_a_filter_shows_what_it_says_and_counts_it(
    town: Town, filters: dict[str, Any], expected: set[str]
) -> None:
    page = await read(town.client, LEADER, "/api/issues", **filters, limit=200)
    assert town.named(page["items"]) == expected
    assert page["total"] == len(expected)
    assert page["next"] is None


@pytest.mark.parametrize("limit", [1, 3, 200])
async def test_pages_follow_one_another_newest_first_and_leave_nothing_out(town: Town, limit: int) -> None:
    items = await every_page(town.client, LEADER, "/api/issues", limit=limit)
    assert len(items) == len(EVERYTHING)
    keys = [(item["reported_at"], item["id"]) for item in items]
    assert keys == sorted(keys, reverse=True)
    assert len(set(keys)) == len(keys)


# Who sees which issues: what their place, department and deeds give them.
SEEN: dict[Person, set[str]] = {
    MEMBER: EVERYTHING - {"of a stranger"},
    STRANGER: {"of a stranger"},
    WORKER: NEAR_ONES,
    OTHER_WORKER: {"far", "of a stranger"},
    STREET_DISPATCHER: NEAR_ONES | {"next"},
    DISPATCHER: EVERYTHING,
    HANDLER: EVERYTHING - {"urgent", "on the spot"},
    LEADER: EVERYTHING,
    ADMINISTRATOR: EVERYTHING,
}


@pytest.mark.parametrize("who", PEOPLE, ids=lambda who: f"{who.role}-{who.number}")
async def test_each_sees_what_is_theirs_and_opens_nothing_else(town: Town, who: Person) -> None:
    page = await read(town.client, who, "/api/issues", limit=200)
    assert town.named(page["items"]) == SEEN[who]
    assert page["total"] == len(SEEN[who])
    for name, id_ in town.ids.items():
        await read(town.client, who, f"/api/issues/{id_}", status=200 if name in SEEN[who] else 404)


@pytest.mark.parametrize("who", PEOPLE, ids=lambda who: f"{who.role}-{who.number}")
async def test_a_filter_never_shows_more_than_a_person_sees(town: Town, who: Person) -> None:
    for filters, expected in FILTERS.values():
        page = await read(town.client, who, "/api/issues", **filters, limit=200)
        assert town.named(page["items"]) == expected & SEEN[who], filters
        assert page["total"] == len(expected & SEEN[who])


async def test_a_cursor_belongs_to_the_filters_it_came_with(town: Town) -> None:
    page = await read(town.client, LEADER, "/api/issues", limit=1, community=NEAR)
    problem = await read(town.client, LEADER, "/api/issues", limit=1, cursor=page["next"], status=422)
    assert (problem["code"], problem["field"]) == ("invalid_cursor", "cursor")


async def test_a_total_that_nobody_needs_is_not_counted(town: Town) -> None:
    page = await read(town.client, LEADER, "/api/issues", total="false")
    assert page["total"] is None
    assert page["items"]


async def test_an_item_says_what_a_list_must_show(town: Town) -> None:
    (item,) = (await read(town.client, LEADER, "/api/issues", text="占道经营"))["items"]
    assert (
        item.items()
        >= {
            "id": town.ids["urgent"],
            "number": "10002",
            "version": 1,
            "title": "占道经营",
            "category": {"code": "0103", "name": "占道经营"},
            "urgency": "urgent",
            "channel": "agent",
            "state": "reported",
            "group": "overdue",
            "overdue": True,
            "owner": {"id": str(WORKER.id), "name": WORKER.name},
            "department": None,
            "community": {"code": NEAR, "name": "近邻社区"},
            "street": "410103001",
            "certainty": "inside",
            "position": {"lon": 113.605, "lat": 34.705},
            "reported_at": "2026-11-23T03:30:00Z",
            "due_at": "2026-11-24T04:00:02Z",
        }.items()
    )


async def test_one_issue_tells_its_whole_story(town: Town) -> None:
    detail = await doors.issue(town.client, LEADER, town.ids["heap"])
    assert detail["description"] == "三天没人清，苍蝇很多"
    assert (detail["limit_amount"], detail["limit_version"]) == (72, 1)
    assert detail["clock_started_at"] == "2026-11-23T04:00:01Z"
    assert [entry["event"] for entry in detail["history"]] == ["report"]
    assert detail["names"] == {str(MEMBER.id): MEMBER.name, str(WORKER.id): WORKER.name}


async def test_who_solved_it_at_the_door_owns_it(town: Town) -> None:
    detail = await doors.issue(town.client, LEADER, town.ids["on the spot"])
    assert (detail["issue"]["owner"]["id"], detail["issue"]["channel"]) == (str(MEMBER.id), "on_the_spot")
    assert [(entry["event"], entry["reason"]) for entry in detail["history"]] == [
        ("report", None),
        ("resolve", "当场劝离"),
    ]


async def test_an_issue_is_shown_as_it_was_on_a_past_day(client: Client, clock: TestClock) -> None:
    draft = drafts.visit(issues=[drafts.issue(contact={"name": "张三", "phone": "13800001234"})])
    id_ = draft["issues"][0]["id"]
    await file(client, MEMBER, draft)
    clock.forward(days=1)
    await move(client, WORKER, id_, drafts.move("accept", 1))
    clock.forward(days=1)
    await move(client, WORKER, id_, drafts.move("resolve", 2, reason="清了"))
    path = f"/api/issues/{id_}"
    then = await read(client, WORKER, path, as_of="2026-11-24")
    assert (then["issue"]["state"], then["issue"]["version"]) == ("accepted", 2)
    assert [entry["event"] for entry in then["history"]] == ["report", "accept"]
    assert (then["moves"], then["contact"], then["may_reveal"]) == ([], None, False)
    assert then["issue"] in (await read(client, WORKER, "/api/issues", as_of="2026-11-24"))["items"]
    now = await read(client, WORKER, path, as_of="2026-11-25")
    assert now == await read(client, WORKER, path), "a day that is not over ends now"
    assert now["issue"]["state"] == "resolved"
    assert "reopen" in now["moves"]
    await read(client, WORKER, path, as_of="2026-11-22", status=404)
    problem = await read(client, WORKER, path, as_of="0001-01-01", status=422)
    assert problem["field"] == "as_of"

"""One day of a campaign, as each of those sees it who have to do with it."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from msgspec import Struct

from api.settings import Settings
from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    AUDITOR,
    BELOW,
    BESIDE,
    DISPATCHER,
    EVERYBODY,
    HANDLER,
    LEADER,
    MEMBER,
    MEMBER_BELOW,
    MEMBER_BESIDE,
    NEXT,
    OPERATOR,
    ORGANISER,
    ORGANISER_BESIDE,
    OTHER_WORKER,
    STRANGER,
    STREET_DISPATCHER,
    STREET_LEADER,
    WORKER,
    Client,
    Person,
    Server,
    TestClock,
    founded,
    serving,
)

pytestmark = pytest.mark.anyio

DOOR = UUID(int=0xD00)

# Where each went, with whom, and what was found; each visit has one issue of its name. What was found lies where the
# visit was, but for `pothole`, which was seen from the door and lies in the next community.
SHOP = {"id": str(DOOR), "kind": "shop", "name": "老王面馆", "address": "铭功路 1 号"}
WITH_COMPANION = {"position": drafts.NEXT_DOOR, "companions": [str(MEMBER_BELOW.id)]}
DAY: dict[str, tuple[Person, dict[str, Any], dict[str, Any]]] = {
    "rubbish": (MEMBER, {"position": drafts.NEAR_DOOR}, {}),
    "street lamp": (STRANGER, WITH_COMPANION, {"category": "0103"}),
    "noise": (MEMBER_BELOW, {"position": drafts.FAR_DOOR}, {"category": "0103"}),
    "pothole": (MEMBER_BESIDE, {"position": drafts.NEAR_DOOR}, {"position": drafts.NEXT_DOOR}),
    "shop": (MEMBER, {"position": drafts.FAR_DOOR, "premises": SHOP}, {}),
}
EVERYTHING = set(DAY)

# Who sees which issues and which visits. The branch beside answers for the next community, the one below for one door.
ISSUES: dict[Person, set[str]] = {
    MEMBER: {"rubbish", "shop"},
    STRANGER: {"street lamp"},
    MEMBER_BELOW: {"noise", "shop"},
    MEMBER_BESIDE: {"pothole", "street lamp"},
    ORGANISER: {"rubbish", "street lamp", "noise", "shop"},
    ORGANISER_BESIDE: {"pothole", "street lamp"},
    WORKER: {"rubbish"},
    OTHER_WORKER: {"noise", "shop"},
    STREET_DISPATCHER: {"rubbish", "street lamp", "pothole"},
    STREET_LEADER: {"rubbish", "street lamp", "pothole"},
    HANDLER: {"rubbish", "pothole", "shop"},
    DISPATCHER: EVERYTHING,
    LEADER: EVERYTHING,
    ADMINISTRATOR: EVERYTHING,
}
VISITS: dict[Person, set[str]] = ISSUES | {
    MEMBER_BELOW: {"noise", "shop", "street lamp"},  # went along
    WORKER: {"rubbish", "pothole"},  # the visit was in the near community, what was found is not
    HANDLER: set(),
}
KEEPERS_OF_THE_HOUSE = (AUDITOR, OPERATOR)
CORRECTS = {STREET_DISPATCHER, DISPATCHER, ADMINISTRATOR, WORKER, OTHER_WORKER}


class Day(Struct, frozen=True):
    """The program, its clock, and the ids of what was filed that day by its names."""

    client: Client
    clock: TestClock
    visits: dict[str, str]
    issues: dict[str, str]

    def named(self, items: list[dict[str, Any]]) -> set[str]:
        names = {id_: name for of in (self.visits, self.issues) for name, id_ in of.items()}
        return {names[item["id"]] for item in items}


@pytest.fixture
async def day(server: Server, template: str) -> AsyncIterator[Day]:
    clock = TestClock()
    async with founded(server, template) as dsn, serving(Settings(database_url=dsn), clock) as client:
        await answers_for(client, BESIDE, {"kind": "community", "code": NEXT})
        await answers_for(client, BELOW, {"kind": "premises", "code": str(DOOR)})
        visits, issues = {}, {}
        for name, (who, visit, issue) in DAY.items():
            draft = drafts.visit(**visit, issues=[drafts.issue(title=name, **issue)])
            await doors.file(client, who, draft)
            visits[name], issues[name] = draft["id"], draft["issues"][0]["id"]
        yield Day(client, clock, visits, issues)


async def answers_for(client: Client, organisation: UUID, area: dict[str, str]) -> None:
    path = f"/api/organisations/{organisation}/changes"
    asked = {"id": str(UUID(int=organisation.int + 0xF00)), "change": "areas", "expected_version": 0, "areas": [area]}
    doors.answered(await client.post(path, json=asked, headers=ADMINISTRATOR.headers), 200)


async def test_each_sees_their_own_day(day: Day) -> None:
    assert {*ISSUES, *KEEPERS_OF_THE_HOUSE} == set(EVERYBODY)
    for who, expected in ISSUES.items():
        page = await doors.read(day.client, who, "/api/issues")
        assert day.named(page["items"]) == expected, who.name
        assert page["total"] == len(expected)
        areas = (await doors.read(day.client, who, "/maps/issues/areas"))["areas"]
        clusters = (await doors.read(day.client, who, "/maps/issues/clusters", zoom=14))["clusters"]
        assert sum(area["total"] for area in areas) == sum(one["count"] for one in clusters) == len(expected)
        answer = await day.client.get("/api/issues.csv", headers=who.headers)
        file = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
        assert len(file) - 1 == len(expected)
        for name in EVERYTHING:
            found = sum(name in row for row in file)
            assert found == (name in expected), f"{who.name}: {name}"
            await doors.read(
                day.client, who, f"/api/issues/{day.issues[name]}", status=200 if name in expected else 404
            )


async def test_each_sees_the_visits_of_their_own(day: Day) -> None:
    for who, expected in VISITS.items():
        page = await doors.read(day.client, who, "/api/visits")
        assert day.named(page["items"]) == expected, who.name
        assert page["total"] == len(expected)
        for item in page["items"]:
            name = next(name for name, id_ in day.visits.items() if id_ == item["id"])
            assert (item["issues"] == [day.issues[name]]) == (name in ISSUES[who])
        for name, visit in day.visits.items():
            await doors.read(day.client, who, f"/api/visits/{visit}", status=200 if name in expected else 404)


async def test_who_keeps_the_house_reads_no_visit_and_no_issue(day: Day) -> None:
    for who in KEEPERS_OF_THE_HOUSE:
        for path in (
            "/api/issues",
            f"/api/issues/{day.issues['noise']}",
            "/api/issues.csv",
            "/maps/issues",
            "/maps/issues/areas",
            "/maps/issues/clusters?zoom=14",
            "/api/visits",
            f"/api/visits/{day.visits['noise']}",
            "/api/visits.csv",
        ):
            answer = await day.client.get(path, headers=who.headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed"), path
        page = await day.client.get("/maps/issues", headers=who.headers | {"Accept": "text/html"})
        assert page.status_code == 403
        assert 'href="/account' in page.text, "and is shown a way that leads on"


async def test_who_sees_what_is_not_theirs_moves_nothing_of_it(day: Day) -> None:
    for who, seen in ISSUES.items():
        for name, issue in day.issues.items():
            theirs = who in CORRECTS or who is DAY[name][0]
            status = 404 if name not in seen else 200 if theirs else 403
            version = (await doors.issue(day.client, LEADER, issue))["issue"]["version"]
            draft = drafts.move("correct", version, reason="写错了", correction={"urgency": "urgent"})
            await doors.move(day.client, who, issue, draft, status=status)


async def test_whoever_is_given_an_issue_sees_it_from_then_on(day: Day) -> None:
    given = drafts.move("assign", 1, to=str(MEMBER_BESIDE.id))
    accepted = drafts.move("accept", 2)
    day.clock.forward(days=1)
    await doors.read(day.client, MEMBER_BESIDE, f"/api/issues/{day.issues['noise']}", status=404)
    await doors.move(day.client, DISPATCHER, day.issues["noise"], given)
    await doors.move(day.client, MEMBER_BESIDE, day.issues["noise"], accepted)
    assert day.named((await doors.read(day.client, MEMBER_BESIDE, "/api/issues"))["items"]) == {
        *ISSUES[MEMBER_BESIDE],
        "noise",
    }
    assert (
        day.named((await doors.read(day.client, MEMBER_BESIDE, "/api/issues", as_of="2026-11-23"))["items"])
        == (ISSUES[MEMBER_BESIDE])
    ), "on the day before it was not theirs"
    looked_after = (await doors.read(day.client, ORGANISER_BESIDE, f"/api/members/{MEMBER_BESIDE.id}"))["open_issues"]
    listed = await doors.read(day.client, ORGANISER_BESIDE, "/api/issues", owner=str(MEMBER_BESIDE.id))
    assert looked_after == listed["total"] == 0, "who looks after somebody does not see, or count, all that they own"


async def test_a_member_who_moves_leaves_what_they_filed_with_the_branch_of_that_day(day: Day) -> None:
    path = f"/api/members/{MEMBER_BELOW.id}/changes"
    moved = {"id": str(UUID(int=0xF01)), "change": "transfer", "expected_version": 0, "organisation": str(BESIDE)}
    doors.answered(await day.client.post(path, json=moved, headers=ADMINISTRATOR.headers), 200)
    shown = {
        who: day.named((await doors.read(day.client, who, "/api/issues"))["items"])
        for who in (ORGANISER, ORGANISER_BESIDE, MEMBER_BELOW)
    }
    assert shown == {
        ORGANISER: ISSUES[ORGANISER],
        ORGANISER_BESIDE: ISSUES[ORGANISER_BESIDE],
        MEMBER_BELOW: {"noise", "pothole", "street lamp"},  # what they filed, and the area of their branch of today
    }

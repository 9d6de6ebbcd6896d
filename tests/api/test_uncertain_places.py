"""Places that nobody can be sure of wait at the desk until somebody has said where they count."""

from typing import Any
from uuid import uuid4

import pytest

from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    DISPATCHER,
    FAR,
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
from tests.doors import answered, read

pytestmark = pytest.mark.anyio

AT_LINE = {"lon": 113.60995, "lat": 34.705, "accuracy_m": 30}  # some four metres within the near community
INSIDE_NEXT = {"lon": 113.615, "lat": 34.705, "source": "map"}


async def report(client: Client, position: dict[str, Any] | None, **more: Any) -> tuple[str, str]:
    """A visit with an issue at a place; their ids."""
    draft = drafts.visit(position=position, issues=[drafts.issue()], **more)
    await doors.file(client, MEMBER, draft)
    return draft["id"], draft["issues"][0]["id"]


async def waiting(client: Client, who: Person, kind: str = "issue", **filters: Any) -> list[dict[str, Any]]:
    items = await doors.every_page(client, who, "/api/places", kind=kind, limit=2, **filters)
    total = (await read(client, who, "/api/places", kind=kind, **filters))["total"]
    assert total == len(items)
    return items


def settlement(things: list[dict[str, Any]], kind: str = "issue", **said: Any) -> dict[str, Any]:
    named = [{"id": one["id"], "expected_version": one["version"]} for one in things]
    return {"id": str(uuid4()), "kind": kind, "things": named, "reason": "在地图上核对过"} | said


async def settle(client: Client, who: Person, draft: dict[str, Any], status: int = 200) -> list[dict[str, Any]]:
    answer = await client.post("/api/places/settlements", json=draft, headers=who.headers)
    results: list[dict[str, Any]] = answered(answer, status).get("results", [])
    return results


async def test_what_is_not_certain_waits_with_how_far_the_lines_are(client: Client) -> None:
    await report(client, AT_LINE)
    await report(client, drafts.OUTSIDE)
    await report(client, None)
    await report(client, None, community=NEAR)  # somebody said where when it was filed
    await report(client, drafts.NEAR_DOOR)
    found = {item["certainty"]: item for item in await waiting(client, DISPATCHER)}
    assert len(found) == 3
    near_line = found["near_line"]
    assert (near_line["community"]["code"], near_line["accuracy_m"]) == (NEAR, 30)
    assert [(one["code"], one["within"]) for one in near_line["near"]] == [(NEAR, True), (NEXT, False)]
    assert all(one["distance_m"] in (4, 5) for one in near_line["near"])
    assert (found["outside"]["community"], len(found["outside"]["near"])) == (None, 1)
    assert found["outside"]["near"][0]["code"] == FAR
    assert (found["unplaced"]["position"], found["unplaced"]["near"]) == (None, [])
    assert {item["certainty"] for item in await waiting(client, DISPATCHER, kind="visit")} == set(found)
    assert [item["certainty"] for item in await waiting(client, DISPATCHER, certainty="outside")] == ["outside"]
    assert [item["certainty"] for item in await waiting(client, DISPATCHER, community=NEAR)] == ["near_line"]
    assert len(await waiting(client, DISPATCHER, community="none")) == 2
    assert [item["certainty"] for item in await waiting(client, WORKER)] == ["near_line"]
    assert await waiting(client, OTHER_WORKER) == []


async def test_to_leave_a_place_where_it_is_counted_takes_it_out_of_those_that_wait(client: Client) -> None:
    await report(client, AT_LINE)
    (item,) = await waiting(client, WORKER)
    draft = settlement([item])
    (result,) = await settle(client, WORKER, draft)
    assert (result["status"], result["version"]) == ("settled", 2)
    assert await settle(client, WORKER, draft) == [result]  # sent again
    assert await waiting(client, WORKER) == []
    (settled,) = await waiting(client, WORKER, settled="yes")
    assert (settled["community"]["code"], settled["certainty"]) == (NEAR, "near_line")
    entry = (await doors.issue(client, WORKER, item["id"]))["history"][-1]
    assert (entry["event"], entry["reason"]) == ("correct", "在地图上核对过")
    (back,) = await settle(client, WORKER, settlement([settled], undo=True))
    assert back["status"] == "settled"
    (again,) = await waiting(client, WORKER)
    assert (again["id"], again["community"]["code"]) == (item["id"], NEAR)


async def test_several_at_once_go_to_another_community_and_to_who_answers_there(client: Client) -> None:
    for _ in range(3):
        await report(client, AT_LINE)
    items = await waiting(client, STREET_DISPATCHER)
    results = await settle(client, STREET_DISPATCHER, settlement(items, community=NEXT))
    assert [one["status"] for one in results] == ["settled"] * 3
    assert await waiting(client, STREET_DISPATCHER) == []
    for item in items:
        issue = (await doors.issue(client, STREET_DISPATCHER, item["id"]))["issue"]
        assert (issue["community"]["code"], issue["owner"]["id"]) == (NEXT, str(STREET_DISPATCHER.id))
    settled = await waiting(client, STREET_DISPATCHER, settled="yes")
    await settle(client, STREET_DISPATCHER, settlement(settled, undo=True))
    assert {one["community"]["code"] for one in await waiting(client, STREET_DISPATCHER)} == {NEAR}
    issue = (await doors.issue(client, STREET_DISPATCHER, items[0]["id"]))["issue"]
    assert issue["owner"]["id"] == str(WORKER.id)  # the owner goes back with the place


async def test_a_pin_is_moved_and_put_back(client: Client) -> None:
    await report(client, drafts.OUTSIDE)
    (item,) = await waiting(client, DISPATCHER)
    (result,) = await settle(client, DISPATCHER, settlement([item], position=INSIDE_NEXT))
    assert await waiting(client, DISPATCHER) == []
    issue = (await doors.issue(client, DISPATCHER, item["id"]))["issue"]
    assert (issue["community"]["code"], issue["certainty"]) == (NEXT, "inside")
    await settle(client, DISPATCHER, settlement([{**item, "version": result["version"]}], undo=True))
    (again,) = await waiting(client, DISPATCHER)
    assert (again["certainty"], again["community"], again["position"]) == ("outside", None, item["position"])


async def test_a_pin_on_a_shifted_map_falls_where_it_was_put(client: Client) -> None:
    await report(client, drafts.OUTSIDE)
    (item,) = await waiting(client, DISPATCHER)
    shifted = {"lon": 113.6210, "lat": 34.7037, "system": "gcj02", "source": "map"}
    await settle(client, DISPATCHER, settlement([item], position=shifted))
    issue = (await doors.issue(client, DISPATCHER, item["id"]))["issue"]
    assert issue["community"]["code"] == NEXT
    assert abs(issue["position"]["lon"] - 113.615) < 0.002


async def test_what_lies_in_no_community_can_stay_there(client: Client) -> None:
    await report(client, drafts.OUTSIDE)
    await report(client, None)
    items = await waiting(client, DISPATCHER)
    results = await settle(client, DISPATCHER, settlement(items, community="none"))
    assert [one["status"] for one in results] == ["settled"] * 2
    assert await waiting(client, DISPATCHER) == []
    settled = await waiting(client, DISPATCHER, settled="yes")
    assert [one["community"] for one in settled] == [None, None]
    await settle(client, DISPATCHER, settlement(settled, undo=True))
    assert len(await waiting(client, DISPATCHER)) == 2


async def test_visits_and_doors_are_settled_as_issues_are(client: Client) -> None:
    visit, _ = await report(client, AT_LINE)
    door = {"id": str(uuid4()), "kind": "shop", "name": "界边小店", "address": "", "position": AT_LINE}
    await client.post("/api/premises", json=door, headers=ADMINISTRATOR.headers)
    for kind, id_ in (("visit", visit), ("premises", door["id"])):
        (item,) = await waiting(client, ADMINISTRATOR, kind=kind)
        assert item["id"] == id_
        await settle(client, ADMINISTRATOR, settlement([item], kind=kind, community=NEXT))
        assert await waiting(client, ADMINISTRATOR, kind=kind) == []
        (settled,) = await waiting(client, ADMINISTRATOR, kind=kind, settled="yes")
        assert settled["community"]["code"] == NEXT
        (result,) = await settle(client, ADMINISTRATOR, settlement([settled], kind=kind, undo=True))
        assert result["status"] == "settled", result
        (again,) = await waiting(client, ADMINISTRATOR, kind=kind)
        assert again["community"]["code"] == NEAR


async def test_of_two_who_settle_the_same_place_one_is_told_of_the_other(client: Client) -> None:
    await report(client, AT_LINE)
    await report(client, AT_LINE)
    items = await waiting(client, STREET_DISPATCHER)
    await settle(client, WORKER, settlement(items[:1], community=NEXT))
    late, other = await settle(client, STREET_DISPATCHER, settlement(items))
    assert (late["status"], late["problem"]["code"]) == ("refused", "stale_version")
    assert other["status"] == "settled"  # the other one is settled all the same
    issue = (await doors.issue(client, STREET_DISPATCHER, items[0]["id"]))["issue"]
    assert issue["community"]["code"] == NEXT  # the first word holds


async def test_nobody_settles_what_is_not_theirs(client: Client) -> None:
    await report(client, AT_LINE)
    (item,) = await waiting(client, WORKER)
    (result,) = await settle(client, OTHER_WORKER, settlement([item]))
    assert (result["status"], result["problem"]["code"]) == ("refused", "not_found")
    await settle(client, MEMBER, settlement([item]), status=403)


async def test_a_correction_elsewhere_lets_a_settled_place_wait_again_if_it_is_uncertain(client: Client) -> None:
    _, issue = await report(client, AT_LINE)
    (item,) = await waiting(client, WORKER)
    await settle(client, WORKER, settlement([item]))
    moved = drafts.move("correct", 2, reason="又量了一次", correction={"position": {**AT_LINE, "lat": 34.706}})
    await doors.move(client, WORKER, issue, moved)
    assert [one["id"] for one in await waiting(client, WORKER)] == [issue]


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({"reason": "  "}, "missing", "reason"),
        ({"things": []}, "wrong_value", "things"),
        ({"kind": "street"}, "wrong_value", "kind"),
        ({"undo": True, "community": NEAR}, "not_for_this_move", "undo"),
        ({"colour": "red"}, "unknown_field", "colour"),
    ],
)
async def test_a_settlement_that_makes_no_sense_is_refused_as_a_whole(
    client: Client, said: dict[str, Any], code: str, field: str
) -> None:
    await report(client, AT_LINE)
    items = await waiting(client, WORKER)
    answer = await client.post("/api/places/settlements", json=settlement(items) | said, headers=WORKER.headers)
    doors.refused(answer, 422, code, field)
    assert await waiting(client, WORKER) == items


async def test_what_cannot_be_said_of_one_place_is_told_beside_it(client: Client, clock: TestClock) -> None:
    await report(client, AT_LINE)
    items = await waiting(client, WORKER)
    for said, code in (
        ({"community": "410103999999"}, "unknown_community"),
        ({"position": {"lon": 34.7, "lat": 113.6}}, "longitude_latitude_swapped"),
        ({"undo": True}, "not_found"),
    ):
        (result,) = await settle(client, WORKER, settlement(items, **said))
        assert (result["status"], result["problem"]["code"]) == ("refused", code)
    assert await waiting(client, WORKER) == items

"""Campaigns: made, changed and closed by who looks after their organisations, and read by everybody at doors."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests import doors, doorsteps
from tests.conftest import (
    ADMINISTRATOR,
    BELOW,
    BESIDE,
    FAR,
    MEMBER,
    NEAR,
    OPERATOR,
    ORGANISATION,
    ORGANISER,
    ORGANISER_BESIDE,
    STRANGER,
    WORKER,
    Client,
    Person,
    TestClock,
)

pytestmark = pytest.mark.anyio

Draft = dict[str, Any]


def draft(**changes: Any) -> Draft:
    return {
        "id": str(uuid4()),
        "name": "冬季大走访",
        "starts_at": "2026-11-01T00:00:00+08:00",
        "ends_at": "2027-03-01T00:00:00+08:00",
    } | changes


async def make(client: Client, who: Person = ADMINISTRATOR, *, status: int = 201, **changes: Any) -> dict[str, Any]:
    asked = draft(**changes)
    return doors.answered(await client.post("/api/campaigns", json=asked, headers=who.headers), status)


async def change(
    client: Client, campaign: str, version: int, who: Person = ADMINISTRATOR, *, status: int = 200, **changes: Any
) -> dict[str, Any]:
    asked = {"id": str(uuid4()), "expected_version": version, "reason": "调整安排"} | changes
    return doors.answered(
        await client.post(f"/api/campaigns/{campaign}/changes", json=asked, headers=who.headers), status
    )


async def close(
    client: Client, campaign: str, version: int, who: Person = ADMINISTRATOR, *, status: int = 200, **changes: Any
) -> dict[str, Any]:
    asked = {"id": str(uuid4()), "expected_version": version, "reason": "提前完成"} | changes
    return doors.answered(
        await client.post(f"/api/campaigns/{campaign}/close", json=asked, headers=who.headers), status
    )


async def one(client: Client, campaign: str, who: Person = MEMBER) -> dict[str, Any]:
    found: dict[str, Any] = (await doors.read(client, who, f"/api/campaigns/{campaign}"))["campaign"]
    return found


async def test_a_campaign_is_made_and_read_by_everybody_at_doors(client: Client, conn: asyncpg.Connection) -> None:
    await doorsteps.questionnaire(conn)
    made = await make(
        client,
        kinds=["household", "shop"],
        every="month",
        promise="三日内回复",
        streets=["410103002"],
        communities=[NEAR],
        organisations=[str(ORGANISATION)],
        questionnaires={"shop": "shop"},
    )
    assert made["version"] == 1
    assert await one(client, made["id"]) == {
        "id": made["id"],
        "version": 1,
        "name": "冬季大走访",
        "state": "running",
        "kinds": ["shop", "household"],
        "starts_at": "2026-10-31T16:00:00Z",
        "ends_at": "2027-02-28T16:00:00Z",
        "every": "month",
        "round": {"number": 1, "starts_at": "2026-11-01T00:00:00+08:00", "ends_at": "2026-12-01T00:00:00+08:00"},
        "promise": "三日内回复",
        "streets": [{"code": "410103002", "name": "铭功路街道"}],
        "communities": [{"code": NEAR, "name": "近邻社区"}],
        "organisations": [{"id": str(ORGANISATION), "path": "第一支部"}],
        "questionnaires": {"shop": {"id": "shop", "title": {"zh": "沿街商户", "en": "Shop"}, "version": "7"}},
        "created_at": "2026-11-23T04:00:00Z",
        "created_by": {"id": str(ADMINISTRATOR.id), "name": "郑管理"},
        "closed_at": None,
        "changeable": False,
    }
    assert (await one(client, made["id"], ADMINISTRATOR))["changeable"]


async def test_what_changes_is_told_in_the_history_and_the_rest_stays(client: Client) -> None:
    made = await make(client, promise="三日内回复", communities=[NEAR, FAR])
    changed = await change(client, made["id"], 1, name="春季大走访", communities=[NEAR], promise="")
    assert changed == {"id": made["id"], "version": 2}
    read = await doors.read(client, MEMBER, f"/api/campaigns/{made['id']}")
    now = read["campaign"]
    assert (now["name"], now["promise"], [place["code"] for place in now["communities"]]) == ("春季大走访", "", [NEAR])
    assert now["ends_at"] == "2027-02-28T16:00:00Z"
    first, second = read["history"]
    assert (first["event"], second["event"], second["reason"]) == ("make", "change", "调整安排")
    assert (first["facts"]["communities"], second["facts"]["communities"]) == ([NEAR, FAR], [NEAR])
    assert "走访" not in str(first["facts"])
    assert read["names"] == {str(ADMINISTRATOR.id): "郑管理"}


async def test_a_closed_campaign_stays_to_be_read_and_is_not_changed(client: Client) -> None:
    made = await make(client)
    await close(client, made["id"], 1)
    found = await one(client, made["id"], ADMINISTRATOR)
    assert (found["state"], found["closed_at"], found["changeable"]) == ("closed", "2026-11-23T04:00:00Z", False)
    refused = await change(client, made["id"], 2, name="另一个", status=409)
    assert refused["code"] == "campaign_closed"
    assert (await close(client, made["id"], 2, status=409))["code"] == "campaign_closed"


async def test_several_go_on_at_once_and_are_listed_by_their_state(client: Client, clock: TestClock) -> None:
    coming = await make(client, starts_at="2026-12-01T00:00:00+08:00")
    running, other = await make(client), await make(client, starts_at="2026-11-20T00:00:00+08:00")
    over = await make(client, starts_at="2026-10-01T00:00:00+08:00", ends_at="2026-11-23T12:00:00+08:00")
    gone = await make(client, starts_at="2026-09-01T00:00:00+08:00")
    await close(client, gone["id"], 1)
    every = await doors.every_page(client, MEMBER, "/api/campaigns", limit=2)
    expected = [coming, other, running, over, gone]
    assert [(item["id"], item["state"]) for item in every] == list(
        zip([item["id"] for item in expected], ["coming", "running", "running", "over", "closed"], strict=True)
    )
    found = await doors.read(client, MEMBER, "/api/campaigns", state=["running", "over"])
    assert ([item["id"] for item in found["items"]], found["total"]) == (
        [other["id"], running["id"], over["id"]],
        3,
    )


async def test_the_same_request_again_gets_its_first_answer(client: Client) -> None:
    asked = draft()
    for _ in range(2):
        made = doors.answered(await client.post("/api/campaigns", json=asked, headers=ADMINISTRATOR.headers), 201)
    changing, closing = str(uuid4()), str(uuid4())
    for _ in range(2):
        assert (await change(client, made["id"], 1, name="改名", id=changing))["version"] == 2
    for _ in range(2):
        assert (await close(client, made["id"], 2, id=closing))["version"] == 3
    other = asked | {"name": "别的"}
    refused = doors.answered(await client.post("/api/campaigns", json=other, headers=ADMINISTRATOR.headers), 409)
    assert refused["code"] == "id_taken"


async def test_of_two_who_change_at_once_one_is_told_of_the_other(client: Client) -> None:
    made = await make(client)
    await change(client, made["id"], 1, name="甲")
    refused = await change(client, made["id"], 1, name="乙", status=409)
    assert (refused["code"], refused["field"], refused["facts"]["version"]) == ("stale_version", "expected_version", 2)
    assert (await change(client, made["id"], 2, name="甲", status=409))["code"] == "nothing_changes"


async def test_an_organiser_makes_and_changes_those_of_their_own_organisations(client: Client) -> None:
    mine = await make(client, ORGANISER, organisations=[str(BELOW)])
    assert (await change(client, mine["id"], 1, ORGANISER, every="month"))["version"] == 2
    assert (await make(client, ORGANISER, status=422))["field"] == "organisations"
    refused = await make(client, ORGANISER, organisations=[str(BELOW), str(BESIDE)], status=422)
    assert (refused["code"], refused["field"]) == ("unknown_organisation", "organisations")
    whole = await make(client)
    assert (await change(client, whole["id"], 1, ORGANISER, name="我的", status=403))["code"] == "not_allowed"
    assert (await close(client, mine["id"], 2, ORGANISER_BESIDE, status=403))["code"] == "not_allowed"
    assert not (await one(client, mine["id"], ORGANISER_BESIDE))["changeable"]


@pytest.mark.parametrize("who", [MEMBER, WORKER, OPERATOR, STRANGER], ids=lambda who: who.name)
async def test_nobody_else_makes_one(client: Client, who: Person) -> None:
    await make(client, who, status=403)


BAD: dict[str, tuple[Draft, str, str]] = {
    "ends before it starts": ({"ends_at": "2026-10-01T00:00:00+08:00"}, "times_reversed", "ends_at"),
    "no zone": ({"starts_at": "2026-11-01T00:00:00"}, "wrong_value", "starts_at"),
    "long ago": ({"starts_at": "1026-11-01T00:00:00Z"}, "time_before_all", "starts_at"),
    "no kind": ({"kinds": []}, "wrong_value", "kinds"),
    "another kind": ({"kinds": ["church"]}, "wrong_value", "kinds[0]"),
    "an unknown street": ({"streets": ["999"]}, "unknown_area", "streets"),
    "an unknown community": ({"communities": ["410103009001"]}, "unknown_area", "communities"),
    "an unknown organisation": ({"organisations": [str(uuid4())]}, "unknown_organisation", "organisations"),
    "an unknown questionnaire": ({"questionnaires": {"shop": "x"}}, "unknown_questionnaire", "questionnaires.shop"),
    "a questionnaire of another kind": (
        {"questionnaires": {"household": "shop"}},
        "unknown_questionnaire",
        "questionnaires.household",
    ),
    "a blank name": ({"name": "  "}, "text_unusable", "name"),
    "U+0000": ({"name": "走访\u0000"}, "text_unusable", "name"),
    "something else": ({"budget": 1}, "unknown_field", "budget"),
}


@pytest.mark.parametrize(("changes", "code", "field"), BAD.values(), ids=BAD.keys())
async def test_what_does_not_fit_is_refused_by_its_field(
    shared: Client, undone: asyncpg.Connection, changes: Draft, code: str, field: str
) -> None:
    refused = doors.answered(
        await shared.post("/api/campaigns", json=draft(**changes), headers=ADMINISTRATOR.headers), 422
    )
    assert (refused["code"], refused["field"]) == (code, field)


async def test_what_is_not_there_is_not_found(client: Client) -> None:
    assert (await doors.read(client, MEMBER, "/api/campaigns/none", status=404))["code"] == "not_found"
    assert (await change(client, "none", 1, name="x", status=404))["code"] == "not_found"

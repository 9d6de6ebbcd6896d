"""Organisations over HTTP: founded, renamed, moved and closed, with the tree of any day and a history."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests import doors
from tests.conftest import (
    ADMINISTRATOR,
    BELOW,
    BESIDE,
    DISTRICT,
    MEMBER_BELOW,
    ORGANISATION,
    ORGANISER,
    Client,
    Person,
    TestClock,
)
from tests.doors import Answer, answered, refused

pytestmark = pytest.mark.anyio


def changing(change: str, version: int, **further: Any) -> Answer:
    return {"id": str(uuid4()), "change": change, "expected_version": version} | further


async def change(client: Client, who: Person, organisation: Any, draft: Answer, status: int = 200) -> Answer:
    answer = await client.post(f"/api/organisations/{organisation}/changes", json=draft, headers=who.headers)
    return answered(answer, status)


async def found(client: Client, who: Person, name: str, parent: Any = ORGANISATION, status: int = 201) -> Answer:
    draft = {"id": str(uuid4()), "name": name} | ({"parent": str(parent)} if parent else {})
    return answered(await client.post("/api/organisations", json=draft, headers=who.headers), status)


async def paths(client: Client, who: Person = ADMINISTRATOR, **asked: Any) -> list[str]:
    tree = await doors.read(client, who, "/api/organisations", **asked)
    return [one["path"] for one in tree["items"]]


async def test_the_tree_of_a_past_day_is_the_one_that_stood_then(client: Client, clock: TestClock) -> None:
    clock.forward(days=1)
    made = await found(client, ADMINISTRATOR, "第二小组")
    clock.forward(days=1)
    renamed = await change(client, ADMINISTRATOR, made["id"], changing("rename", 1, name="青年小组"))
    clock.forward(days=1)
    moved = await change(client, ADMINISTRATOR, made["id"], changing("move", renamed["version"], parent=str(BESIDE)))
    clock.forward(days=1)
    await change(client, ADMINISTRATOR, made["id"], changing("close", moved["version"]))
    clock.forward(days=1)
    always = ["第一支部", "第一支部/第一小组", "第二支部"]
    assert await paths(client) == always
    for day, there in {
        "2026-11-23": [],
        "2026-11-24": ["第一支部/第二小组"],
        "2026-11-25": ["第一支部/青年小组"],
        "2026-11-26": ["第二支部/青年小组"],
        "2026-11-27": [],
    }.items():
        assert set(await paths(client, as_of=day)) == {*always, *there}, day
        assert set(await paths(client, ORGANISER, as_of=day)) <= {*always, *there}


async def test_the_history_tells_by_whom_and_names_no_name(client: Client, conn: asyncpg.Connection) -> None:
    made = await found(client, ORGANISER, "保密小组", BELOW)
    await change(client, ADMINISTRATOR, made["id"], changing("move", 1, parent=str(ORGANISATION), reason="人多了"))
    rows = await conn.fetch("select event, actor, facts from history where thing = $1 order by version", made["id"])
    assert [row["event"] for row in rows] == ["found", "move"]
    assert [row["actor"] for row in rows] == [str(ORGANISER.id), str(ADMINISTRATOR.id)]
    assert "保密小组" not in str(rows)
    assert "人多了" not in str(rows)


async def test_an_organisation_cannot_hang_below_itself(client: Client) -> None:
    draft = changing("move", 0, parent=str(BELOW))
    answer = await client.post(f"/api/organisations/{ORGANISATION}/changes", json=draft, headers=ADMINISTRATOR.headers)
    refused(answer, 409, "organisation_in_circle", "parent")


async def test_a_name_stands_once_below_the_same_one(client: Client) -> None:
    await found(client, ADMINISTRATOR, "第一小组", BESIDE)
    draft = {"id": str(uuid4()), "name": " 第一小组 ", "parent": str(ORGANISATION)}
    refused(await client.post("/api/organisations", json=draft, headers=ADMINISTRATOR.headers), 409, "name_taken")


@pytest.mark.parametrize("name", ["甲/乙", "甲>乙", " ", "甲\u200b"])
async def test_a_name_that_no_path_could_have_is_refused(client: Client, name: str) -> None:
    draft = {"id": str(uuid4()), "name": name, "parent": str(ORGANISATION)}
    refused(
        await client.post("/api/organisations", json=draft, headers=ADMINISTRATOR.headers), 422, "text_unusable", "name"
    )


async def test_a_retry_founds_nothing_more(client: Client) -> None:
    draft = {"id": str(uuid4()), "name": "新支部", "parent": str(ORGANISATION)}
    first = answered(await client.post("/api/organisations", json=draft, headers=ORGANISER.headers), 201)
    assert answered(await client.post("/api/organisations", json=draft, headers=ORGANISER.headers), 201) == first
    asked = changing("rename", 1, name="老支部")
    assert await change(client, ORGANISER, first["id"], asked) == await change(client, ORGANISER, first["id"], asked)
    stale = changing("rename", 1, name="又一个")
    answer = await client.post(f"/api/organisations/{first['id']}/changes", json=stale, headers=ORGANISER.headers)
    assert refused(answer, 409, "stale_version", "expected_version")["facts"]["version"] == 2


async def test_who_cared_for_a_closed_organisation_cares_for_it_no_more(
    client: Client, conn: asyncpg.Connection
) -> None:
    made = await found(client, ADMINISTRATOR, "短命小组")
    give = changing("give", 0, role="organiser", scope=made["id"])
    answered(
        await client.post(f"/api/members/{MEMBER_BELOW.id}/changes", json=give, headers=ADMINISTRATOR.headers), 200
    )
    await change(client, ADMINISTRATOR, made["id"], changing("close", 1))
    held = "select role from member_role where district = $1 and member = $2"
    assert [row["role"] for row in await conn.fetch(held, DISTRICT, MEMBER_BELOW.id)] == ["member"]
    told = await conn.fetchval("select facts from history where thing = $1 and event = 'close'", made["id"])
    assert told["no_longer_organisers"] == [str(MEMBER_BELOW.id)]


async def test_an_area_that_there_is_not_is_refused(client: Client) -> None:
    for code, kind in (("无此社区", "community"), ("nowhere", "premises")):
        draft = changing("areas", 0, areas=[{"kind": kind, "code": code}])
        answer = await client.post(
            f"/api/organisations/{ORGANISATION}/changes", json=draft, headers=ADMINISTRATOR.headers
        )
        refused(answer, 422, "unknown_area", "areas")

"""Service windows: added, renamed and closed by who looks after their organisation, and by nobody else."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.conftest import (
    ADMINISTRATOR,
    BESIDE,
    LEADER,
    MEMBER,
    ORGANISATION,
    ORGANISER,
    ORGANISER_BESIDE,
    Client,
    Person,
)
from tests.doors import Answer, answered, read

pytestmark = pytest.mark.anyio

PAGE = {"accept": "text/html"}


async def add(client: Client, who: Person = ORGANISER, *, status: int = 201, **changes: Any) -> Answer:
    asked = {"id": str(uuid4()), "name": "一号窗口", "organisation": str(ORGANISATION), "member": str(MEMBER.id)}
    return answered(
        await client.post("/api/assessments/windows", json={**asked, **changes}, headers=who.headers), status
    )


async def change(client: Client, who: Person, window: str, move: str, *, status: int = 200, **asked: Any) -> Answer:
    path = f"/api/assessments/windows/{window}/{move}"
    return answered(await client.post(path, json={"id": str(uuid4()), **asked}, headers=who.headers), status)


async def names(client: Client) -> list[tuple[str, int]]:
    shown = await read(client, MEMBER, "/api/assessments/windows")
    return [(one["name"], one["version"]) for one in shown["items"]]


async def test_a_window_is_renamed_and_closed_and_its_history_says_so(client: Client, conn: asyncpg.Connection) -> None:
    made = await add(client, name="  社保   窗口 ")
    renaming: dict[str, Any] = {"id": str(uuid4()), "expected_version": 1, "name": "社保医保窗口"}
    first = await change(client, ORGANISER, made["id"], "rename", **renaming)
    assert first == {"id": made["id"], "version": 2}
    assert await change(client, ORGANISER, made["id"], "rename", **renaming) == first, "a retry is answered as before"
    assert await names(client) == [("社保医保窗口", 2)]
    assert await change(client, ADMINISTRATOR, made["id"], "close") == {"id": made["id"], "version": 3}
    assert await names(client) == []
    told = await conn.fetch(
        "select h.event, t.body->>'name' as name from history h left join text_version t on t.district = h.district "
        "and t.subject = h.thing and t.version = (h.facts->>'text_version')::int where h.thing = $1 order by h.version",
        made["id"],
    )
    assert [tuple(row) for row in told] == [
        ("open_window", "社保 窗口"),
        ("rename_window", "社保医保窗口"),
        ("close_window", None),
    ]


async def test_what_cannot_be_done_to_a_window_says_why(client: Client) -> None:
    window, other = (await add(client))["id"], (await add(client, name="二号窗口"))["id"]
    assert (await add(client, status=409))["code"] == "window_name_taken"
    assert (await add(client, name="三号", member=str(uuid4()), status=422))["code"] == "unknown_member"
    assert (await add(client, name="三号", organisation=str(uuid4()), status=422))["code"] == "unknown_organisation"
    assert (await add(client, name="三\u202e号", status=422))["code"] == "text_unusable"
    for name, version, status, code in (
        ("一号窗口", 1, 409, "nothing_changes"),
        ("二号窗口", 1, 409, "window_name_taken"),
        ("另一个", 7, 409, "stale_version"),
        (" ", 1, 422, "text_unusable"),
    ):
        refused = await change(client, ORGANISER, window, "rename", name=name, expected_version=version, status=status)
        assert refused["code"] == code
    await change(client, ORGANISER, other, "close")
    for move, asked in ("rename", {"name": "还在", "expected_version": 2}), ("close", {}):
        assert (await change(client, ORGANISER, other, move, status=404, **asked))["code"] == "not_found"
    assert await names(client) == [("一号窗口", 1)], "nothing of it was kept"


async def test_nobody_changes_the_windows_of_others(client: Client) -> None:
    beside = (await add(client, ADMINISTRATOR, organisation=str(BESIDE)))["id"]
    asked: dict[str, Any] = {"name": "我的窗口", "expected_version": 1}
    for who in MEMBER, LEADER, ORGANISER:
        await change(client, who, beside, "rename", status=403, **asked)
        await change(client, who, beside, "close", status=403)
    await add(client, ORGANISER, organisation=str(BESIDE), status=422)
    assert (await change(client, ORGANISER_BESIDE, beside, "rename", **asked))["version"] == 2


async def test_the_page_offers_what_its_reader_may_do(client: Client) -> None:
    async def page(who: Person, **asked: str) -> str:
        answer = await client.get("/assessments/windows", params=asked, headers={**PAGE, **who.headers})
        assert answer.status_code == 200, answer.text
        return answer.text

    assert "由管理员或组织员添加" in await page(MEMBER)
    own, beside = (await add(client))["id"], (await add(client, ADMINISTRATOR, organisation=str(BESIDE)))["id"]
    shown = await page(ORGANISER)
    assert f"/{own}/rename" in shown
    assert f"/{beside}/rename" not in shown
    for who in MEMBER, LEADER:
        assert "/rename" not in await page(who)
    to_add = await page(ORGANISER, organisation=str(ORGANISATION))
    assert f'value="{MEMBER.id}"' in to_add
    assert f'value="{ORGANISER_BESIDE.id}"' not in to_add
    of_others = await client.get(
        "/assessments/windows", params={"organisation": str(BESIDE)}, headers={**PAGE, **ORGANISER.headers}
    )
    assert of_others.status_code == 422
    assert "没有找到窗口" in await page(MEMBER, find="不存在")
    assert "一号窗口" in await page(MEMBER, find="一号")

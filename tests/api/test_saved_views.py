"""Views that somebody saved: opened again, shared with those they work with, put in order, and mended."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests import doors
from tests.conftest import (
    ADMINISTRATOR,
    BESIDE,
    DISPATCHER,
    DISTRICT,
    LEADER,
    MEMBER,
    MEMBER_BELOW,
    NEAR,
    NOW,
    ORGANISATION,
    ORGANISER,
    STRANGER,
    WORKER,
    Client,
    Person,
)
from tests.web.town import MARKUP

pytestmark = pytest.mark.anyio


def view(**changes: Any) -> dict[str, Any]:
    return {"id": str(uuid4()), "name": "我的超期", "address": f"/desk/?community={NEAR}&overdue=true"} | changes


async def save(client: Client, who: Person, draft: dict[str, Any], status: int = 201) -> dict[str, Any]:
    return doors.answered(await client.post("/api/views", json=draft, headers=who.headers), status)


async def names(client: Client, who: Person) -> list[str]:
    return [one["name"] for one in (await doors.read(client, who, "/api/views"))["items"]]


async def change(client: Client, who: Person, saved: dict[str, Any], status: int = 200, **said: Any) -> dict[str, Any]:
    body = {"expected_version": saved["version"]} | said
    answer = await client.post(f"/api/views/{saved['id']}/changes", json=body, headers=who.headers)
    return doors.answered(answer, status)


async def test_a_view_opens_its_list_and_is_nobody_else_s(client: Client) -> None:
    draft = view(address=f"/desk/?community={NEAR}&cursor=abc&lang=en&overdue=true")
    saved = await save(client, WORKER, draft)
    assert saved["address"] == f"/desk/?community={NEAR}&overdue=true"  # a place in a list is not kept
    assert await save(client, WORKER, draft) == saved  # sent again
    opened = await client.get(f"/desk/views/{saved['id']}", headers=WORKER.headers)
    assert (opened.status_code, opened.headers["location"]) == (303, saved["address"])
    english = await client.get(f"/desk/views/{saved['id']}?lang=en", headers=WORKER.headers)
    assert english.headers["location"] == f"{saved['address']}&lang=en"
    assert (await client.get(f"/desk/views/{saved['id']}", headers=ADMINISTRATOR.headers)).status_code == 404
    assert await names(client, ADMINISTRATOR) == []
    await change(client, ADMINISTRATOR, saved, status=404, name="别人的")
    doors.refused(
        await client.post("/api/views", json=draft | {"name": "另一个"}, headers=WORKER.headers), 409, "id_taken", "id"
    )
    taken = await client.post("/api/views", json=draft, headers=STRANGER.headers)
    doors.refused(taken, 409, "id_taken", "id")


async def test_views_are_renamed_put_in_order_and_deleted(client: Client) -> None:
    first, second, third = [await save(client, WORKER, view(name=name)) for name in ("一", "二", "三")]
    third = await change(client, WORKER, third, place=first["place"])
    assert await names(client, WORKER) == ["三", "一", "二"]
    await change(client, WORKER, third, name=" 今天  到期 ", address="/desk/visits?unsettled=yes")
    assert await names(client, WORKER) == ["今天 到期", "一", "二"]
    stale = await client.post(f"/api/views/{third['id']}/changes", json={"expected_version": 1}, headers=WORKER.headers)
    doors.refused(stale, 409, "stale_version", "expected_version")
    again = await client.post("/api/views", json=view(name="二"), headers=WORKER.headers)
    doors.refused(again, 409, "view_name_taken", "name")
    gone = await client.post(f"/api/views/{second['id']}/removal", json={}, headers=WORKER.headers)
    assert gone.status_code == 204
    assert await names(client, WORKER) == ["今天 到期", "一"]


async def test_a_shared_view_is_had_by_whom_it_is_shared_with(client: Client) -> None:
    await save(client, DISPATCHER, view(name="给社区", shared="role", scope="community_worker"))
    branch = await save(client, ORGANISER, view(name="给支部", shared="organisation", scope=str(ORGANISATION)))
    assert sorted(await names(client, WORKER)) == ["给支部", "给社区"]
    assert await names(client, MEMBER_BELOW) == ["给支部"]  # below the organisation
    assert [one["own"] for one in (await doors.read(client, WORKER, "/api/views"))["items"]] == [False, False]
    await change(client, WORKER, branch, status=404, name="改名")  # it is not theirs
    await change(client, ORGANISER, branch, shared="nobody")
    assert await names(client, MEMBER_BELOW) == []


@pytest.mark.parametrize(
    ("who", "sharing", "scope", "status"),
    [
        (WORKER, "role", "leader", 403),
        (MEMBER, "organisation", str(ORGANISATION), 403),
        (ORGANISER, "role", "leader", 403),
        (ORGANISER, "organisation", str(BESIDE), 422),  # not theirs to look after
        (DISPATCHER, "organisation", str(ORGANISATION), 403),
        (ADMINISTRATOR, "organisation", "x", 422),
        (ADMINISTRATOR, "role", "emperor", 422),
        (ADMINISTRATOR, "nobody", "leader", 422),
    ],
)
async def test_nobody_shares_beyond_their_hands(
    shared: Client, who: Person, sharing: str, scope: str, status: int
) -> None:
    await save(shared, who, view(shared=sharing, scope=scope), status=status)


@pytest.mark.parametrize(
    "address",
    [
        "//example.org/desk/",
        "https://example.org/desk/",
        "javascript:alert(1)",
        "/api/issues",
        "/desk/\n",
        "/desk/..",
        " ",
    ],
)
async def test_only_lists_of_ours_can_be_saved(shared: Client, address: str) -> None:
    answer = await shared.post("/api/views", json=view(address=address), headers=WORKER.headers)
    doors.refused(answer, 422, "view_address_unusable", "address")


async def test_a_view_of_what_is_gone_opens_says_so_and_is_mended(client: Client, conn: asyncpg.Connection) -> None:
    address = (
        f"/desk/?community={NEAR}&community=410103009009&category=0102&owner={STRANGER.id}&owner=me"
        f"&organisation={UUID(int=999)}&state=vanished&department=none"
    )
    saved = await save(client, LEADER, view(address=address))
    await conn.execute("update category set retired_at = $2 where (district, code) = ($1, '0102')", DISTRICT, NOW)
    await conn.execute("update member set closed_at = $2 where id = $1", STRANGER.id, NOW)
    opened = await client.get(f"/desk/views/{saved['id']}", headers=LEADER.headers)
    assert opened.status_code == 200
    told = ("410103009009", "0102", STRANGER.name, str(UUID(int=999)), "vanished")
    assert [words for words in told if words not in opened.text] == []
    mended = f"/desk/?community={NEAR}&owner=me&department=none"
    assert mended.replace("&", "&amp;") in opened.text
    await change(client, LEADER, saved, address=mended)
    again = await client.get(f"/desk/views/{saved['id']}", headers=LEADER.headers)
    assert (again.status_code, again.headers["location"]) == (303, mended)


async def test_names_and_filters_are_texts_wherever_they_stand(client: Client) -> None:
    for text in MARKUP:
        await save(client, LEADER, view(name=text[:60], address="/desk/visits?" + f"text={text}".replace("&", "%26")))
    page = (await client.get("/desk/views", headers=LEADER.headers)).text
    assert not [text for text in (MARKUP[0], MARKUP[2]) if text in page]
    for one in (await doors.read(client, LEADER, "/api/views"))["items"]:
        assert (await client.get(f"/desk/views/{one['id']}", headers=LEADER.headers)).status_code == 303


async def test_nobody_saves_more_than_they_can_look_through(client: Client, conn: asyncpg.Connection) -> None:
    await conn.execute(
        "insert into saved_view select $1, gen_random_uuid(), $2, n::text, '/desk/', 'nobody', '', n, 1, $3"
        " from generate_series(1, 100) n",
        DISTRICT,
        WORKER.id,
        NOW,
    )
    answer = await client.post("/api/views", json=view(), headers=WORKER.headers)
    doors.refused(answer, 409, "too_many_views")

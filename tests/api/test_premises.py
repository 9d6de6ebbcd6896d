"""The register at a desk: doors found on the way are confirmed, corrected, merged or gone; each sees their own."""

import csv
import io
import json
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from surveys import history_seals
from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    DISPATCHER,
    DISTRICT,
    FAR,
    LEADER,
    MEMBER,
    MEMBER_BESIDE,
    NEAR,
    NEXT,
    ORGANISATION,
    ORGANISER,
    ORGANISER_BESIDE,
    OTHER_WORKER,
    STREET_DISPATCHER,
    WORKER,
    Client,
    Person,
)

pytestmark = pytest.mark.anyio

Draft = dict[str, Any]


def new(**changes: Any) -> Draft:
    """A shop at the near door."""
    door = {"kind": "shop", "name": "老张烩面馆", "address": "淮河路12号", "position": drafts.NEAR_DOOR}
    return {"id": str(uuid4())} | door | changes


def changing(change: str, version: int = 1, **more: Any) -> Draft:
    return {"id": str(uuid4()), "change": change, "expected_version": version, "reason": "现场核对"} | more


async def add(client: Client, who: Person = WORKER, **changes: Any) -> Any:
    answer = await client.post("/api/premises", json=new(**changes), headers=who.headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def change(client: Client, door: str, draft: Draft, who: Person = WORKER) -> Any:
    return await client.post(f"/api/premises/{door}/changes", json=draft, headers=who.headers)


async def listed(client: Client, who: Person = ADMINISTRATOR, query: str = "") -> Any:
    answer = await client.get(f"/api/premises?{query}", headers=who.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def read(client: Client, door: str, who: Person = ADMINISTRATOR) -> Any:
    answer = await client.get(f"/api/premises/{door}", headers=who.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def find(client: Client, name: str = "老张烩面", **changes: Any) -> str:
    """A door that a member finds on the way."""
    door = {"id": str(uuid4()), "kind": "shop", "name": name, "address": "淮河路12号"} | changes
    await doors.file(client, MEMBER, drafts.visit(premises=door))
    return str(door["id"])


async def verified(conn: asyncpg.Connection) -> bool:
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        await history_seals.verify(conn, DISTRICT)
    return True


async def test_a_door_found_on_the_way_is_confirmed(client: Client, conn: asyncpg.Connection) -> None:
    known = await add(client)
    found = await find(client)
    (proposed,) = (await listed(client, WORKER, "state=proposed"))["items"]
    assert (proposed["id"], proposed["found_by"]["name"], proposed["source"]) == (found, MEMBER.name, "visit")
    shown = await read(client, found, WORKER)
    assert [double["id"] for double in shown["doubles"]] == [known["id"]]
    assert [visit["member"]["name"] for visit in shown["visits"]] == [MEMBER.name]
    answer = await change(client, found, changing("confirm", reason="", name="老张烩面分店") | {"reason": "招牌如此"})
    assert (answer.status_code, answer.json()["state"], answer.json()["version"]) == (200, "confirmed", 2)
    assert (await listed(client, WORKER, "state=proposed"))["total"] == 0
    told = (await read(client, found))["history"]
    assert [(event["event"], event["reason"]) for event in told] == [("find", None), ("confirm", "招牌如此")]
    kept = json.dumps([event["facts"] for event in told], ensure_ascii=False)
    assert "烩面" not in kept
    assert await conn.fetchval("select count(*) from history where facts ? 'alike' and kind = 'premises'") == 0
    assert await verified(conn)


async def test_confirming_as_it_is_needs_no_reason_and_all_else_does(client: Client) -> None:
    found = await find(client)
    for draft in (changing("confirm", name="别的名字"), changing("gone"), changing("correct", address="别处")):
        answer = await change(client, found, draft | {"reason": " "})
        assert (answer.status_code, answer.json()["field"]) == (422, "reason")
    draft = changing("confirm")
    del draft["reason"]
    assert (await change(client, found, draft)).json()["state"] == "confirmed"


async def test_a_retry_gets_its_first_answer(client: Client, conn: asyncpg.Connection) -> None:
    draft = new()
    answers = [await client.post("/api/premises", json=draft, headers=WORKER.headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert {answer.json()["version"] for answer in answers} == {1}
    other = await client.post("/api/premises", json=draft | {"name": "别的"}, headers=WORKER.headers)
    assert (other.status_code, other.json()["code"]) == (409, "id_taken")
    correction = changing("correct", address="淮河路14号")
    again = [await change(client, draft["id"], correction) for _ in range(2)]
    assert [answer.json()["version"] for answer in again] == [2, 2]
    for stolen in (correction | {"address": "淮河路15号"}, correction):
        answer = await change(client, draft["id"], stolen, ADMINISTRATOR)
        assert (answer.status_code, answer.json()["code"]) == (409, "id_taken")
    stale = await change(client, draft["id"], changing("correct", address="淮河路16号"))
    assert (stale.status_code, stale.json()["code"], stale.json()["facts"]["version"]) == (409, "stale_version", 2)
    same = await change(client, draft["id"], changing("correct", 2, address="淮河路14号"))
    assert (same.status_code, same.json()["code"]) == (409, "nothing_changes")
    assert await conn.fetchval("select count(*) from premises") == 1


async def test_what_a_door_is_called_and_where_it_is_are_put_right(client: Client, conn: asyncpg.Connection) -> None:
    door = await add(client)
    corrected = changing(
        "correct", kind="enterprise", name="老张餐饮有限公司", code="S1", position=drafts.NEXT_DOOR, reason="已搬迁"
    )
    answer = (await change(client, door["id"], corrected, DISPATCHER)).json()
    assert (answer["community"], answer["state"]) == (NEXT, "confirmed")
    shown = (await read(client, door["id"]))["door"]
    assert (shown["kind"], shown["name"], shown["code"], shown["address"]) == (
        "enterprise",
        "老张餐饮有限公司",
        "S1",
        "淮河路12号",
    )
    assert (await listed(client, query="text=张餐"))["total"] == 1
    assert (await listed(client, query="text=烩面"))["total"] == 0, "the words of before find nothing"
    named = await change(client, door["id"], changing("correct", 2, community=FAR), DISPATCHER)
    assert named.json()["community"] == FAR, "a person's word counts, whatever the position says"
    assert await verified(conn)


async def test_what_the_register_has_is_not_added_again(client: Client) -> None:
    door = await add(client, code="S1")
    for draft in (new(name="老张 烩面馆"), new(name="别的", code="S1")):
        answer = await client.post("/api/premises", json=draft, headers=WORKER.headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "door_on_register")
        assert answer.json()["facts"]["door"] == door["id"]
    like = await add(client, name="老张烩面")
    assert [double["id"] for double in like["doubles"]] == [door["id"]]
    other = await add(client, name="近邻药店", address="淮河路40号")
    into = await change(client, other["id"], changing("correct", name="老张烩面馆", address="淮河路12号"))
    assert (into.status_code, into.json()["code"]) == (409, "door_on_register")


VISITED: Draft = {"kind": "shop", "name": "老张烩面", "address": "淮河路12号"}

CAMPAIGN = """
insert into campaign (district, id, name, starts_at, ends_at, version, kinds, every, promise)
values ($1, $2, $2, '2026-11-01Z', '2026-12-01Z', 1, '{shop}', 'once', '')
"""
ASSIGN = """
insert into assignment (district, campaign, premises, organisation, member, place, means, assigned_at)
values ($1, $2, $3, $4, $5, 1, 'hand', '2026-11-01Z')
"""


async def test_a_merged_door_counts_where_it_was_merged_into(client: Client, conn: asyncpg.Connection) -> None:
    survivor = (await add(client))["id"]
    first, second = await find(client), await find(client, "老张面馆")
    for campaign in ("a", "b"):
        await conn.execute(CAMPAIGN, DISTRICT, campaign)
    await conn.execute(ASSIGN, DISTRICT, "a", first, ORGANISATION, MEMBER.id)
    await conn.execute(ASSIGN, DISTRICT, "b", first, ORGANISATION, MEMBER.id)
    await conn.execute(ASSIGN, DISTRICT, "b", survivor, ORGANISATION, MEMBER_BESIDE.id)
    assert (await change(client, second, changing("merge", into=first))).status_code == 200
    merged = (await change(client, first, changing("merge", into=survivor))).json()
    assert (merged["state"], merged["merged_into"]) == ("merged", survivor)
    shown = await read(client, survivor)
    assert {held["campaign"]: held["member"]["name"] for held in shown["held"]} == {
        "a": MEMBER.name,
        "b": MEMBER_BESIDE.name,
    }
    assert sorted(shown["merged"]) == sorted([first, second]), "what was merged before goes along"
    assert len(shown["visits"]) == 2
    assert (await read(client, second))["history"][-1]["facts"]["merged_into"] == survivor
    (held,) = (await client.get("/api/day", headers=MEMBER.headers)).json()["doors"]
    assert (held["id"], held["state"]) == (survivor, "not_yet"), "its visits were in no campaign"
    await doors.file(client, MEMBER, drafts.visit(campaign="a", premises=VISITED | {"id": first}))
    (held,) = (await client.get("/api/day", headers=MEMBER.headers)).json()["doors"]
    assert (held["id"], held["state"]) == (survivor, "met"), "a visit that a phone still had for the door of before"
    again = await change(client, first, changing("correct", 2, name="又是它"))
    assert (again.status_code, again.json()["code"]) == (409, "door_not_open")
    assert await verified(conn)


async def test_only_what_fits_is_merged(client: Client) -> None:
    known, found, gone = (await add(client))["id"], await find(client), await find(client, "老赵烩面")
    assert (await change(client, gone, changing("gone"))).json()["state"] == "gone"
    told = {
        "itself": (known, changing("merge", into=known), "unknown_premises"),
        "nobody's": (known, changing("merge", into=str(uuid4())), "unknown_premises"),
        "less sure": (known, changing("merge", into=found), "door_not_open"),
        "gone": (found, changing("merge", into=gone), "door_not_open"),
        "nothing": (found, changing("merge"), "missing"),
        "and more": (found, changing("merge", into=known, name="名"), "not_for_this_move"),
        "into": (found, changing("confirm", into=known), "not_for_this_move"),
        "twice": (gone, changing("gone", 2), "door_not_open"),
    }
    for door, draft, code in told.values():
        assert (await change(client, door, draft)).json()["code"] == code, draft
    assert (await change(client, gone, changing("confirm", 2))).json()["state"] == "confirmed", "it may be back"


async def test_who_answers_for_the_place_changes_a_door(client: Client, conn: asyncpg.Connection) -> None:
    found = await find(client)
    for who, status in ((MEMBER, 403), (LEADER, 403), (OTHER_WORKER, 404), (ORGANISER_BESIDE, 404), (ORGANISER, 404)):
        assert (await change(client, found, changing("confirm"), who)).status_code == status, who
    for who in (OTHER_WORKER, ORGANISER_BESIDE):
        answer = await client.post("/api/premises", json=new(name="外边的店"), headers=who.headers)
        assert answer.status_code == 403
        assert (await client.get(f"/api/premises/{found}", headers=who.headers)).status_code == 404
        assert (await listed(client, who))["total"] == 0
    assert (await listed(client, MEMBER))["total"] == 1, "they found it"
    await conn.execute("insert into organisation_area values ($1, $2, 'community', $3)", DISTRICT, ORGANISATION, NEAR)
    version = 1
    for who in (ORGANISER, WORKER, STREET_DISPATCHER, DISPATCHER, ADMINISTRATOR):
        answer = await change(client, found, changing("correct", version, address=f"淮河路{version}0号"), who)
        assert answer.status_code == 200, (who, answer.text)
        version += 1


async def test_a_member_who_looks_after_doors_elsewhere_changes_none_by_having_found_it(client: Client) -> None:
    """That a worker of another community found it on the way lets them see it, and no more."""
    door = {"id": str(uuid4()), "kind": "shop", "name": "路过的店", "address": ""}
    await doors.file(client, OTHER_WORKER, drafts.visit(premises=door))
    assert (await read(client, door["id"], OTHER_WORKER))["door"]["state"] == "proposed"
    assert (await change(client, door["id"], changing("confirm"), OTHER_WORKER)).status_code == 403


async def test_a_list_is_narrowed_and_goes_on_page_by_page(client: Client, conn: asyncpg.Connection) -> None:
    first = await add(client, ADMINISTRATOR, code="S-1")
    await add(client, ADMINISTRATOR, kind="household", name="501", address="幸福路1号院501", position=None)
    await add(client, ADMINISTRATOR, name="近邻药店", address="_%\\", position=drafts.FAR_DOOR)
    await conn.execute(CAMPAIGN, DISTRICT, "a")
    await conn.execute(ASSIGN, DISTRICT, "a", first["id"], ORGANISATION, MEMBER.id)
    counts = {
        "": 3,
        f"community={NEAR}": 1,
        "community=none": 1,
        f"community={NEAR}&community={FAR}": 2,
        "street=410103002": 1,
        "kind=household": 1,
        "state=gone": 0,
        "text=烩面": 1,
        "text=S-1": 1,
        "text=_%25\\": 1,
        "text=__": 0,
        "bbox=113.60,34.70,113.61,34.71": 1,
        "placed=no": 1,
        "campaign=a": 1,
        f"holder={MEMBER.id}": 1,
        "campaign=a&holder=me": 0,
    }
    for query, count in counts.items():
        assert (await listed(client, query=query))["total"] == count, query
    seen: list[str] = []
    cursor = ""
    while True:
        page = await listed(client, query=f"limit=1{cursor}")
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(set(seen)) == len(seen) == 3
    for query in ("kind=church", "bbox=1", "text=x", "holder=nobody", "misspelt=1", "cursor=x", "text=%00%00"):
        answer = await client.get(f"/api/premises?{query}", headers=ADMINISTRATOR.headers)
        assert answer.status_code == 422, query
    other = await client.get(f"/api/premises?kind=shop{cursor}", headers=ADMINISTRATOR.headers)
    assert other.status_code == 422, "a cursor goes with its filters"


async def test_files_tell_where_doors_are_and_hold_no_formulas(client: Client) -> None:
    await add(client, name="=cmd|' /C calc'!A0", address="@SUM(1)")
    await add(client, name="无坐标的店", position=None, community=NEAR)
    answer = await client.get("/api/premises.geojson?state=confirmed", headers=WORKER.headers)
    placed, unplaced = sorted(answer.json()["features"], key=lambda feature: feature["properties"]["premises_name"])
    assert placed["properties"]["premises_name"] == "=cmd|' /C calc'!A0", "as it is: JSON knows no formulas"
    assert placed["geometry"]["coordinates"] == [113.605, 34.705]
    assert unplaced["geometry"] is None
    told = await client.get("/api/premises.csv?lang=zh", headers=WORKER.headers)
    rows = list(csv.DictReader(io.StringIO(told.content.decode("utf-8-sig"), newline="")))
    assert {row["名称"] for row in rows} == {"'=cmd|' /C calc'!A0", "无坐标的店"}
    assert {row["类型"] for row in rows} == {"商铺"}
    empty = await client.get("/api/premises.csv", headers=OTHER_WORKER.headers)
    assert len(empty.text.splitlines()) == 1


NASTY = ["<img src=x onerror=alert(1)>", "${7*7}`", "甲\u0000乙", "長" * 201, " "]


@pytest.mark.parametrize("text", NASTY, ids=[repr(text[:12]) for text in NASTY])
async def test_texts_are_kept_as_they_are_or_refused(client: Client, text: str) -> None:
    answer = await client.post("/api/premises", json=new(name=text), headers=WORKER.headers)
    if text.startswith(("<", "$")):
        assert (await read(client, answer.json()["id"]))["door"]["name"] == text
    else:
        assert (answer.status_code, answer.json()["field"]) == (422, "name")


LIST = "编号,类型,名称,地址,社区,经度,纬度,户主\nS1,商铺,老张烩面馆,淮河路12号,,113.605,34.705,张三\nS2,饭馆,谁,,,,,\n"


async def test_a_list_comes_in_over_http(client: Client, conn: asyncpg.Connection) -> None:
    async def send(content: str | bytes, query: str = "", who: Person = ADMINISTRATOR) -> Any:
        body = content.encode() if isinstance(content, str) else content
        return await client.post(f"/api/premises/imports?{query}", content=body, headers=who.headers)

    tried = (await send(LIST, "dry_run=true&lang=en")).json()
    assert (tried["dry_run"], tried["counts"]["new"], await conn.fetchval("select count(*) from premises")) == (
        True,
        1,
        0,
    )
    assert [line["finding"] for line in tried["lines"]] == [
        "户主: this column seems to hold residents' names; left out",
        "refused: 类型 is neither shop, enterprise nor household: 饭馆",
    ]
    taken = (await send(LIST)).json()
    assert (taken["counts"]["new"], taken["counts"]["rejected"], taken["left_out"]) == (1, 1, ["户主"])
    assert taken["report"].startswith("行号,情况")
    assert "张三" not in json.dumps(taken, ensure_ascii=False)
    again = (await send(LIST)).json()
    assert (again["counts"]["new"], again["counts"]["known"]) == (0, 1)
    assert await conn.fetchval("select actor from history where kind = 'premises'") == str(ADMINISTRATOR.id)
    for content, query, words in (
        (b"", "", "文件中没有数据"),
        (LIST.encode() + b"\xff", "", "文字编码有误"),
        ("谁,哪\n甲,乙\n", "", "没有找到“名称”列"),
        ("名称\n甲\n", "", "没有找到“类型”列"),
    ):
        answer = await send(content, query)
        assert (answer.status_code, answer.json()["code"]) == (422, "list_unusable"), content
        assert words in answer.json()["title"]
    assert (await send(LIST, "kind=church")).status_code == 422
    assert (await send("类型,名称\n" + "商铺,店\n" * 20_001)).json()["code"] == "too_many"
    assert (await send(b"a" * (20 * 1024 * 1024 + 1))).status_code == 413
    assert (await send(LIST, who=WORKER)).status_code == 403

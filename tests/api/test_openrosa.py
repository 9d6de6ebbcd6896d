"""Visits from ODK Collect: filed once however often they are sent, with their photos, put right, and the same as those
of our own client."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import asyncpg
import msgspec
import pytest

from api.settings import Settings
from tests import cards, collect, doors, doorsteps, drafts
from tests.collect import filled, instance, message, problem
from tests.conftest import DISTRICT, MEMBER, NOW, STRANGER, WORKER, Client, TestClock, serving
from tests.doorsteps import Door
from tests.photographs import photo, sha256

pytestmark = pytest.mark.anyio

PHOTO, OTHER = photo(320, 240), photo(320, 240, shade=200)


@pytest.fixture
async def client(dsn: str, clock: TestClock, tmp_path: Path) -> AsyncIterator[Client]:
    async with serving(Settings(database_url=dsn, pool_size=4, data=tmp_path / "data"), clock) as opened:
        yield opened


def visit_of(id_: str) -> str:
    return id_.removeprefix("uuid:")


async def seen(client: Client, id_: str) -> dict[str, Any]:
    return await doors.read(client, MEMBER, f"/api/visits/{visit_of(id_)}")


async def test_it_becomes_the_visit_that_our_own_client_files(client: Client) -> None:
    """Door, outcome, times, place, problems, who owns them and until when: all as if it had come by JSON."""
    id_ = instance()
    xml = filled(id_, visit_note="老板很忙", issue=[problem(), problem(issue_solved="yes", issue_how="当场劝离")])
    answer = await collect.post(client, MEMBER, xml)
    assert (answer.status_code, message(answer)) == (201, "已收到走访，问题编号 10001、10002")
    ours = drafts.visit(
        note="老板很忙",
        issues=[drafts.issue(), drafts.issue(solved_on_spot={"how": "当场劝离", "at": "2026-11-23T11:30:00+08:00"})],
    )
    await doors.file(client, MEMBER, ours)
    theirs, own = await seen(client, id_), await seen(client, ours["id"])
    differs = {"id", "issues"}
    assert {name: value for name, value in theirs["visit"].items() if name not in differs} == {
        name: value for name, value in own["visit"].items() if name not in differs
    }
    assert theirs["history"][0]["facts"]["via"] == "collect"
    told = [await doors.issue(client, MEMBER, str(uuid5(UUID(visit_of(id_)), f"issue {at}"))) for at in range(2)]
    ours_told = [await doors.issue(client, MEMBER, issue["id"]) for issue in ours["issues"]]
    for name in ("category", "title", "urgency", "state", "owner", "due_at", "community", "channel"):
        assert [one["issue"][name] for one in told] == [one["issue"][name] for one in ours_told], name
    assert [event["event"] for event in theirs["history"]] == [event["event"] for event in own["history"]] == ["file"]


async def test_eight_identical_submissions_at_once_are_one_visit(client: Client, conn: asyncpg.Connection) -> None:
    id_ = instance()
    xml = filled(id_, issue=problem(issue_photo="1.jpg", issue_contact_phone="138 0000 1234"))
    answers = await asyncio.gather(*(collect.post(client, MEMBER, xml, {"1.jpg": PHOTO}) for _ in range(8)))
    assert {(answer.status_code, message(answer)) for answer in answers} == {(201, "已收到走访，问题编号 10001")}
    again = await collect.post(client, MEMBER, xml, {"1.jpg": PHOTO})
    assert (again.status_code, message(again)) == (201, "已收到走访，问题编号 10001")
    counts = "select (select count(*) from visit), (select count(*) from issue), (select count(*) from issue_photo)"
    assert tuple(await conn.fetchrow(counts) or ()) == (1, 1, 1)
    received = "select count(*) from history where kind = 'attachment' and event = 'received'"
    assert await conn.fetchval(received) == 1


async def test_another_form_under_the_same_instance_is_refused(client: Client) -> None:
    id_ = instance()
    assert (await collect.post(client, MEMBER, filled(id_))).status_code == 201
    for who, xml in ((MEMBER, filled(id_, visit_outcome="closed")), (STRANGER, filled(id_))):
        assert (await collect.post(client, who, xml)).status_code == 409


async def test_photos_come_with_the_form_or_later_and_none_twice(client: Client) -> None:
    """Split as Collect splits what is large: each part repeats the form; a broken-off one is sent again."""
    id_ = instance()
    xml = filled(id_, issue=problem(issue_photo="1.jpg", issue_photo_2="2.jpg"))
    first = await collect.post(client, MEMBER, xml, {"1.jpg": PHOTO}, incomplete=True)
    assert (first.status_code, message(first)) == (202, "已收到走访，问题编号 10001，还缺 1 个文件")
    again = await collect.post(client, MEMBER, xml, {"1.jpg": PHOTO}, incomplete=True)
    assert again.status_code == 202
    last = await collect.post(client, MEMBER, xml, {"2.jpg": OTHER, "unasked.jpg": PHOTO})
    assert (last.status_code, message(last)) == (201, "已收到走访，问题编号 10001")
    issue = uuid5(UUID(visit_of(id_)), "issue 0")
    listed = await doors.read(client, MEMBER, f"/api/issues/{issue}/photos")
    assert {item["sha256"] for item in listed["items"]} == {sha256(PHOTO), sha256(OTHER)}
    receipts = await client.post("/api/receipts", json={"ids": [visit_of(id_)]}, headers=MEMBER.headers)
    assert receipts.json()["results"][0]["missing_photos"] == []


async def test_a_file_that_is_no_photo_does_not_hold_up_the_visit(client: Client) -> None:
    id_ = instance()
    xml = filled(id_, issue=problem(issue_photo="1.jpg"))
    answer = await collect.post(client, MEMBER, xml, {"1.jpg": b"<script>alert(1)</script>"})
    expected = (201, "已收到走访，问题编号 10001，这些文件不是能用的照片，没有保存：1.jpg")
    assert (answer.status_code, message(answer)) == expected
    again = await collect.post(client, MEMBER, xml, {"1.jpg": b"<script>alert(1)</script>"})
    assert (again.status_code, message(again)) == expected
    receipts = await client.post("/api/receipts", json={"ids": [visit_of(id_)]}, headers=MEMBER.headers)
    assert receipts.json()["results"][0]["missing_photos"] == []


async def test_a_door_of_the_list_counts_for_its_campaign_and_another_s_is_flagged(
    client: Client, conn: asyncpg.Connection
) -> None:
    await doorsteps.campaign(conn)
    mine, theirs = await doorsteps.register(conn, [Door(name="一号"), Door(name="二号")])
    await doorsteps.assign(conn, [mine])
    await doorsteps.assign(conn, [theirs], STRANGER)
    for door, name, flags in ((mine, "一号", []), (theirs, "二号", ["door_of_another"])):
        id_ = instance()
        xml = filled(id_, visit_door=door, visit_campaign="winter", visit_found="")
        assert (await collect.post(client, MEMBER, xml)).status_code == 201
        found = (await seen(client, id_))["visit"]
        assert (found["campaign"], found["flags"]) == ("winter", flags)
        assert found["premises_name"] == name, "by its id alone, a door is as the register has it"
        assert await conn.fetchval("select premises from visit where id = $1", UUID(visit_of(id_))) == door
        assert (await collect.post(client, MEMBER, xml)).status_code == 201


async def test_a_door_that_is_not_on_the_list_is_proposed(client: Client, conn: asyncpg.Connection) -> None:
    id_ = instance()
    assert (await collect.post(client, MEMBER, filled(id_))).status_code == 201
    found = await conn.fetchrow("select id, state, kind, found_by from premises")
    assert tuple(found or ()) == (uuid5(UUID(visit_of(id_)), "door"), "proposed", "shop", MEMBER.id)


async def test_a_scanned_card_is_left_at_the_door(client: Client, conn: asyncpg.Connection) -> None:
    card = (await cards.make(conn))[0]
    for scanned, number, flags in (
        (f"https://visits.example/card#{DISTRICT}.{card.token}", card.number, []),
        (f"https://visits.example/card#{DISTRICT}.{card.token}.{card.number}", card.number, ["card_already_bound"]),
        ("https://shop.example/a-very-long-address-of-something-else", None, ["card_unknown"]),
        (f"https://visits.example/card#{DISTRICT}.nobody", None, ["card_unknown"]),
    ):
        id_ = instance()
        assert (await collect.post(client, MEMBER, filled(id_, visit_contact_card=scanned))).status_code == 201
        found = (await seen(client, id_))["visit"]
        assert found["flags"] == flags
        assert number is None or found["contact_card"] == number
        assert card.token not in msgspec.json.encode(found).decode()


async def publish(conn: asyncpg.Connection, fields: list[dict[str, Any]], version: str = "1") -> None:
    """A questionnaire that is given out."""
    insert = "insert into questionnaire (district, id, created_at) values ($1, 'shop', $2) on conflict do nothing"
    await conn.execute(insert, DISTRICT, NOW)
    await conn.execute(
        "insert into questionnaire_version values ($1, 'shop', $2, $3, '', '', 'shop.xlsx', '<a/>', $4, $5, $6)",
        *(DISTRICT, version, {"zh": "商铺问卷"}, f"<h:html>{version}</h:html>", fields, NOW),
    )
    await conn.execute("update questionnaire set current = $2 where district = $1", DISTRICT, version)


async def answers_of(conn: asyncpg.Connection, id_: str) -> dict[str, Any]:
    """The answers as they are kept."""
    written = await conn.fetchval("select body->>'answers' from text_version where subject = $1", UUID(visit_of(id_)))
    answers: dict[str, Any] = msgspec.json.decode(written)
    return answers


FIELDS: list[dict[str, Any]] = [
    {"name": "workers", "type": "integer"},
    {"name": "sells", "type": "select_multiple"},
    {"name": "sign", "type": "file"},
    {"name": "exits", "type": "repeat", "fields": [{"name": "wide", "type": "decimal"}]},
]
ANSWERS = {
    "workers": "3",
    "first": {"sells": "food drink", "sign": "sign.jpg"},
    "exits": [{"wide": "0.9"}, {"wide": "1.2"}],
}


async def test_answers_come_with_the_visit_and_their_photos_belong_to_it(
    client: Client, conn: asyncpg.Connection
) -> None:
    await publish(conn, FIELDS)
    id_ = instance()
    xml = filled(id_, form="visit-shop", version="1", answers=ANSWERS)
    assert (await collect.post(client, MEMBER, xml)).status_code == 202
    assert (await collect.post(client, MEMBER, xml, {"sign.jpg": PHOTO})).status_code == 201
    assert (await seen(client, id_))["visit"]["flags"] == []
    assert await answers_of(conn, id_) == {
        "questionnaire": "shop",
        "version": "1",
        "values": {
            "workers": 3,
            "sells": ["food", "drink"],
            "sign": {"name": "sign.jpg"},
            "exits": [{"wide": 0.9}, {"wide": 1.2}],
        },
    }
    listed = await doors.read(client, MEMBER, f"/api/visits/{visit_of(id_)}/photos")
    assert [item["sha256"] for item in listed["items"]] == [sha256(PHOTO)]


async def test_a_version_that_nobody_published_is_filed_and_flagged(client: Client, conn: asyncpg.Connection) -> None:
    id_ = instance()
    xml = filled(id_, form="visit-shop", version="99", answers=ANSWERS)
    answer = await collect.post(client, MEMBER, xml, {"sign.jpg": PHOTO})
    assert answer.status_code == 201
    assert (await seen(client, id_))["visit"]["flags"] == ["questionnaire_unknown"]
    assert (await answers_of(conn, id_))["values"]["exits"] == [{"wide": "0.9"}, {"wide": "1.2"}]


async def test_an_edit_puts_the_visit_right_and_so_does_an_edit_of_the_edit(client: Client) -> None:
    first, second, third = instance(), instance(), instance()
    issue = problem()
    assert (await collect.post(client, MEMBER, filled(first, issue=issue, visit_note="一"))).status_code == 201
    edit = filled(second, edits=first, issue=issue, visit_note="二", visit_outcome="declined")
    answers = await asyncio.gather(*(collect.post(client, MEMBER, edit) for _ in range(4)))
    assert [(answer.status_code, message(answer)) for answer in answers] == [(201, "已修改")] * 4
    found = await seen(client, first)
    assert (found["visit"]["note"], found["visit"]["outcome"], found["visit"]["version"]) == ("二", "declined", 2)
    later = filled(third, edits=second, issue=issue)
    assert (await collect.post(client, MEMBER, later)).status_code == 201
    assert (await collect.post(client, MEMBER, edit)).status_code == 201, (
        "an old edit that is sent again changes nothing"
    )
    found = await seen(client, first)
    assert (found["visit"]["note"], found["visit"]["outcome"], found["visit"]["version"]) == (None, "met", 3)
    assert [event["event"] for event in found["history"]] == ["file", "correct", "correct"]


async def test_edits_at_a_door_of_the_list_do_not_wait_for_one_another_s_connections(
    client: Client, conn: asyncpg.Connection
) -> None:
    await doorsteps.campaign(conn)
    (door,) = await doorsteps.register(conn, [Door(name="一号")])
    await doorsteps.assign(conn, [door])
    first = instance()
    at: dict[str, Any] = {"visit_door": door, "visit_campaign": "winter", "visit_found": ""}
    assert (await collect.post(client, MEMBER, filled(first, **at))).status_code == 201
    edit = filled(instance(), edits=first, visit_outcome="declined", **at)
    answers = await asyncio.gather(*(collect.post(client, MEMBER, edit) for _ in range(8)))  # twice the connections
    assert [(answer.status_code, message(answer)) for answer in answers] == [(201, "已修改")] * 8
    found = await seen(client, first)
    assert (found["visit"]["premises_name"], found["visit"]["version"]) == ("一号", 2)


async def test_what_an_edit_cannot_change_is_refused_and_said(client: Client) -> None:
    first = instance()
    assert (await collect.post(client, MEMBER, filled(first, issue=problem()))).status_code == 201
    for changed in ([problem(), problem()], [problem(issue_title="别的")], []):
        edit = filled(instance(), edits=first, issue=changed)
        answer = await collect.post(client, MEMBER, edit)
        assert answer.status_code == 409
        assert "工单" in message(answer)
    stranger = await collect.post(client, STRANGER, filled(instance(), edits=first, issue=problem()))
    assert stranger.status_code == 404
    nothing = await collect.post(client, MEMBER, filled(instance(), edits=instance()))
    assert nothing.status_code == 404


async def test_a_wrong_clock_is_corrected_by_what_collect_says_the_time_is(client: Client) -> None:
    id_ = instance()
    ahead = {"visit_started_at": "2026-11-26T11:20:00+08:00", "visit_ended_at": "2026-11-26T11:30:00+08:00"}
    said = {"Date": "Thu, 26 Nov 2026 04:00:00 GMT"}
    assert (await collect.post(client, MEMBER, filled(id_, **ahead))).status_code == 422
    assert (await collect.post(client, MEMBER, filled(id_, **ahead), headers=said)).status_code == 201
    assert (await seen(client, id_))["visit"]["started_at"] == "2026-11-23T03:20:00Z"


async def test_the_list_leads_to_forms_their_doors_and_categories(client: Client, conn: asyncpg.Connection) -> None:
    await doorsteps.campaign(conn)
    ids = await doorsteps.register(conn, [Door(name="一号"), Door(name='<img onerror="x">,=cmd()')])
    await doorsteps.assign(conn, [ids[1], ids[0]])
    await publish(conn, FIELDS)
    listed = collect.elements(await collect.get(client, MEMBER, "formList"), "xform")
    assert [(form["formID"], form["name"]) for form in listed] == [
        ("visit", "走访登记"),
        ("visit-shop", "走访：商铺问卷"),
    ]
    forms = [await client.get(form["downloadUrl"], headers=MEMBER.headers) for form in listed]
    assert "visit_outcome" in forms[0].text
    assert forms[1].text == "<h:html>1</h:html>"
    manifest = collect.elements(await collect.get(client, MEMBER, "manifest.xml", formId="visit"), "mediaFile")
    assert [(file["filename"], file.get("type")) for file in manifest] == [
        ("doors.csv", "entityList"),
        ("categories.csv", None),
    ]
    lists = [(await client.get(file["downloadUrl"], headers=MEMBER.headers)).text for file in manifest]
    rows = lists[0].splitlines()
    assert rows[0].startswith("name,label,__version,kind,door_name,address,campaign")
    assert rows[1].startswith(f'{ids[1]},"1. <img onerror=""x"">,=cmd() · 淮河路 1 号",1,shop')
    assert rows[2].endswith(",winter,2,not_yet,34.705 113.605 0 0")
    assert "0102,市容环境 › 垃圾成堆,01,normal urgent emergency" in lists[1]
    for file, text in zip(manifest, lists, strict=True):
        assert file["hash"] == "md5:" + hashlib.md5(text.encode()).hexdigest()  # noqa: S324 -- OpenRosa's own


async def test_a_form_of_a_campaign_is_for_who_visits_in_it(client: Client, conn: asyncpg.Connection) -> None:
    await publish(conn, FIELDS)
    await doorsteps.campaign(conn)
    await conn.execute("insert into campaign_questionnaire values ($1, 'winter', 'shop', 'shop')", DISTRICT)
    listed = collect.elements(await collect.get(client, MEMBER, "formList"), "xform")
    assert [form["formID"] for form in listed] == ["visit", "visit-shop"]
    await conn.execute("update campaign set closed_at = $1", NOW)
    listed = collect.elements(await collect.get(client, MEMBER, "formList"), "xform")
    assert [form["formID"] for form in listed] == ["visit"]
    only = collect.elements(await collect.get(client, MEMBER, "formList", formID="visit"), "xform")
    assert [form["formID"] for form in only] == ["visit"]
    old = await collect.get(client, MEMBER, "form.xml", formId="visit-shop", version="1")
    assert old.status_code == 200, "who still has visits of it can open them"


async def test_a_worker_reads_the_visit_with_its_contact_sealed(client: Client, conn: asyncpg.Connection) -> None:
    contact = {"issue_contact_name": "张三", "issue_contact_phone": "13800001234"}
    assert (await collect.post(client, MEMBER, filled(instance(), issue=problem(**contact)))).status_code == 201
    issue = (await doors.read(client, WORKER, "/api/issues"))["items"][0]["id"]
    answer = await client.post(f"/api/issues/{issue}/contact", json={"purpose": "回访"}, headers=WORKER.headers)
    assert answer.json()["phone"] == "13800001234"
    written = await conn.fetchval("select string_agg(body::text, '') from text_version")
    assert "13800001234" not in written

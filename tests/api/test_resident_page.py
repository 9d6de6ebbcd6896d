"""The resident's page over HTTP: a card's token opens its own door and nothing else, and a report becomes an issue."""

import asyncio
import re
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from api.settings import Settings
from surveys.contact_cards.contact_cards import NewCard
from surveys.return_visits import return_visits
from tests import cards, doors, drafts, photographs
from tests.conftest import (
    ADMINISTRATOR,
    DISTRICT,
    MEMBER,
    NEAR,
    NEXT,
    NOW,
    ORGANISATION,
    STRANGER,
    WORKER,
    Client,
    TestClock,
    serving,
)
from tests.doors import file, refused

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}
CSRF = re.compile(r'data-csrf="([^"]+)"')


async def show(client: Client, token: str, **headers: str) -> httpx.Response:
    """Show a card's token, as the page's script does."""
    return await client.post("/card/session", json={"token": token}, headers=headers)


async def scan(client: Client, card: NewCard) -> dict[str, str]:
    """Scan a card; the headers with which its pages send what is written on them."""
    client.cookies.clear()
    answer = await show(client, f"{DISTRICT}.{card.token}")
    assert answer.status_code == 204, answer.text
    found = CSRF.search((await client.get("/card")).text)
    assert found
    return {"X-CSRF-Token": found[1]}


async def seen(client: Client, path: str = "/card", **params: str) -> str:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


def at_a_door(card: NewCard, *issues: drafts.Draft, door: str | None = None) -> drafts.Draft:
    premises = {"id": door or str(uuid4()), "kind": "shop", "name": "老王面馆", "address": "淮河路 1 号"}
    return drafts.visit(contact_card=card.number, premises=premises, issues=list(issues))


def a_report(**changes: Any) -> drafts.Draft:
    return {"id": str(uuid4()), "category": "0102", "text": "门口的垃圾三天没人收"} | changes


async def send(client: Client, headers: dict[str, str], report: drafts.Draft) -> httpx.Response:
    return await client.post("/card/reports", json=report, headers=headers)


# --- coming in


async def test_a_token_opens_its_page_for_an_hour_and_leaves_no_other_door_a_cookie(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    [card] = await cards.make(conn)
    await file(client, MEMBER, at_a_door(card, drafts.issue()))
    answer = await show(client, f"{DISTRICT}.{card.token}")
    cookie = answer.headers["set-cookie"]
    assert re.fullmatch(r"zoufang_card=[^;]+; HttpOnly; Max-Age=3600; Path=/card; SameSite=strict", cookie), cookie
    assert "门口垃圾成堆" in await seen(client)
    clock.forward(minutes=59)
    assert "门口垃圾成堆" in await seen(client)
    clock.forward(minutes=1)
    over = await seen(client)
    assert "扫一扫" in over
    assert "门口垃圾成堆" not in over


async def test_with_tls_the_cookie_travels_by_tls_alone(client: Client, conn: asyncpg.Connection) -> None:
    [card] = await cards.make(conn)
    body = {"token": f"{DISTRICT}.{card.token}"}
    answer = await client.post("https://testserver.local/card/session", json=body)
    assert "Secure" in answer.headers["set-cookie"]


async def test_a_token_with_one_letter_changed_opens_nothing_and_all_wrong_ones_are_told_alike(
    client: Client, conn: asyncpg.Connection
) -> None:
    card, other = await cards.make(conn, 2)
    await file(client, MEMBER, at_a_door(card, drafts.issue()))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    wrong = [
        f"{DISTRICT}.{card.token[:at]}{letters[(letters.index(card.token[at]) + 1) % 64]}{card.token[at + 1 :]}"
        for at in range(len(card.token))
    ]
    wrong += [
        card.token,  # of no district
        f"{DISTRICT + 1}.{card.token}",
        f"{DISTRICT}.{card.token[:-1]}",
        f"{DISTRICT}.{card.token}=",
        f"{DISTRICT}.{card.number}",
        f"{DISTRICT}.",
        "",
        ".",
        f"{10**9 * 9}.{card.token}",
        f"{10**30}.{card.token}",
        f"４１０１０３.{card.token}",
        "<img onerror=alert(1)>",
        "=cmd()",
        "' or 1=1 --",
    ]
    told = set()
    for token in wrong:
        answer = await show(client, token)
        problem = refused(answer, 422, "card_token_wrong", "token")
        told.add(str(problem | {"instance": ""}))
        assert "set-cookie" not in answer.headers
    assert len(told) == 1, "which letters are right is not said"
    assert other.number not in str(told)


@pytest.mark.parametrize(
    ("body", "status"),
    [(b'{"token": "\\u0000"}', 422), (b'{"token": 1}', 422), (b"[]", 422), (b"{", 400), (b"x" * 10_000_000, 413)],
)
async def test_a_malformed_token_is_refused(shared: Client, body: bytes, status: int) -> None:
    answer = await shared.post("/card/session", content=body, headers=JSON)
    assert answer.status_code == status
    assert "set-cookie" not in answer.headers


async def test_a_number_alone_opens_nothing_and_a_cookie_of_one_s_own_making_neither(
    client: Client, conn: asyncpg.Connection
) -> None:
    card, other = await cards.make(conn, 2)
    await file(client, MEMBER, at_a_door(card, drafts.issue()))
    await scan(client, other)
    good = client.cookies["zoufang_card"]
    ends = int((NOW + timedelta(minutes=30)).timestamp())
    for forged in (
        good.replace(other.number, card.number),
        good.replace(str(DISTRICT), str(DISTRICT + 1), 1),
        f"{DISTRICT}.{card.number}.{ends}.{'A' * 43}",
        f"{DISTRICT}.{card.number}.{ends}.",
        card.number,
        "...",
        "",
        "A" * 5_000,
        good[:-1],
    ):
        client.cookies.clear()
        page = await client.get("/card", headers={"Cookie": f"zoufang_card={forged}"})
        assert page.status_code == 200
        assert "扫一扫" in page.text
        assert "门口垃圾成堆" not in page.text


async def test_a_revoked_card_says_so_and_shows_nothing(client: Client, conn: asyncpg.Connection) -> None:
    [card] = await cards.make(conn)
    await file(client, MEMBER, at_a_door(card, drafts.issue()))
    headers = await scan(client, card)
    revoked = {"id": str(uuid4()), "reason": "丢失"}
    await client.post(f"/api/cards/{card.number}/revoke", json=revoked, headers=ADMINISTRATOR.headers)
    for path in ("/card", "/card/report"):
        page = await seen(client, path)
        assert "已停用" in page
        assert "门口垃圾成堆" not in page
    refused(await send(client, headers, a_report()), 409, "card_at_no_door")
    assert "已停用" in (await seen(client)), "and so for who scans it again"
    await scan(client, card)
    assert "已停用" in (await seen(client))


async def test_a_card_that_was_left_nowhere_shows_the_promise_alone(client: Client, conn: asyncpg.Connection) -> None:
    [card] = await cards.make(conn)
    headers = await scan(client, card)
    page = await seen(client)
    assert "还没有登记" in page
    assert "首办负责" in page
    assert "反映新问题" not in page
    refused(await send(client, headers, a_report()), 409, "card_at_no_door")


# --- what is seen


async def test_a_door_sees_its_own_issues_and_nobody_else_s(client: Client, conn: asyncpg.Connection) -> None:
    ours, theirs = await cards.make(conn, 2)
    door = str(uuid4())
    await file(client, MEMBER, at_a_door(ours, drafts.issue(title="我家的事"), door=door))
    await file(client, MEMBER, at_a_door(theirs, drafts.issue(title="别家的事")))
    other_visit = drafts.visit(premises={"id": door, "kind": "shop", "name": "面馆", "address": ""},
                               issues=[drafts.issue(title="后来的事")])  # fmt: skip
    await file(client, STRANGER, other_visit)
    elsewhere = await file(client, MEMBER, at_a_door(ours, drafts.issue(title="用错卡的那家的事")))
    assert elsewhere["flags"] == ["card_already_bound"]
    await scan(client, ours)
    page = await seen(client)
    for own in ("我家的事", "后来的事"):
        assert own in page
    for other in ("别家的事", "用错卡的那家的事"):
        assert other not in page


async def test_no_phone_no_name_of_a_resident_and_no_member_s_number_is_shown(
    client: Client, conn: asyncpg.Connection
) -> None:
    [card] = await cards.make(conn)
    contact = {"name": "张秀英", "phone": "13812341234"}
    description = "张秀英说的，住三楼"
    await file(client, MEMBER, at_a_door(card, drafts.issue(contact=contact, description=description)))
    await conn.execute("update member set phone = $1 where id = $2", b"sealed 13900001111", WORKER.id)
    await conn.execute("insert into card_terms values ($1, 'EQ', null, '0371-12345678')", DISTRICT)
    await scan(client, card)
    page = await seen(client)
    assert "tel:037112345678" in page
    for hidden in ("张秀英", "1381234", "138****", "1390000", "老王面馆", "淮河路", MEMBER.token, "113.6"):
        assert hidden not in page, hidden


async def test_where_an_issue_stands_is_told_in_plain_words(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    [card] = await cards.make(conn)
    visit = at_a_door(card, drafts.issue())
    await file(client, MEMBER, visit)
    issue = visit["issues"][0]["id"]
    await scan(client, card)
    assert "已登记，等待受理" in await seen(client)
    await doors.move(client, WORKER, issue, drafts.move("accept", 1))
    assert "已受理" in await seen(client)
    assert "11月26日（周四） 12:00前办完" in await seen(client)
    assert "To be done by Thu 26 Nov, 12:00" in await seen(client, lang="en")
    clock.forward(days=4)
    await scan(client, card)
    assert "已超期，正在催办" in await seen(client)
    await doors.move(client, WORKER, issue, drafts.move("resolve", 2, reason="清运了"))
    page = await seen(client)
    assert "已办完" in page
    assert "今天办完" in page
    assert "清运了" not in page, "what the desk writes is for the desk"


async def test_a_merged_issue_stands_where_its_survivor_does_and_tells_nothing_else_of_it(
    client: Client, conn: asyncpg.Connection
) -> None:
    ours, theirs = await cards.make(conn, 2)
    mine, first = (
        at_a_door(ours, drafts.issue(title="楼下有垃圾")),
        at_a_door(theirs, drafts.issue(title="张家门口垃圾")),
    )
    await file(client, MEMBER, mine)
    await file(client, MEMBER, first)
    lost, kept = mine["issues"][0]["id"], first["issues"][0]["id"]
    await conn.execute(
        "update issue set state = 'merged', merged_into = $2 where id = $1", UUID(lost), UUID(kept)
    )  # as the desk does
    await doors.move(client, WORKER, kept, drafts.move("accept", 1))
    await scan(client, ours)
    page = await seen(client)
    for said in ("楼下有垃圾", "已受理", "合在一起办", "11月26日（周四）"):
        assert said in page
    number = await conn.fetchval("select number::text from issue where id = $1", UUID(kept))
    for hidden in ("张家", f"编号 {number}", kept):
        assert hidden not in page


async def test_what_is_written_anywhere_is_text_and_never_markup(client: Client, conn: asyncpg.Connection) -> None:
    evil = "<img src=x onerror=alert(1)>${99991*99991}{{99991*99991}}\"'"
    [card] = await cards.make(conn, service_name=evil[:40])
    await conn.execute("insert into card_terms values ($1, 'EQ', $2, $3)", DISTRICT, evil, "1<b>2")
    await conn.execute("update category set name = $1 where code = '0102'", evil)
    await file(client, MEMBER, at_a_door(card, drafts.issue(title=evil)))
    await scan(client, card)
    for path in ("/card", "/card/report", f"/card?reported={evil}"):
        page = (await client.get(path)).text
        assert "<img" not in page
        assert "<b>" not in page
        assert str(99991**2) not in page
    answer = await client.get("/card")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert re.findall(r'(?:src|href|action)="(?!/|\?|tel:)', answer.text) == [], "nothing of any other host"


# --- reporting


async def test_a_report_is_an_issue_like_any_other(client: Client, conn: asyncpg.Connection) -> None:
    [card] = await cards.make(conn)
    door = str(uuid4())
    await file(client, MEMBER, at_a_door(card, door=door))
    headers = await scan(client, card)
    text = "门口的垃圾三天没人收\n味道很大，" + "苍蝇很多。" * 20
    contact = {"name": "张三", "phone": "13812341234"}
    answer = doors.answered(await send(client, headers, a_report(text=text, urgent=True, contact=contact)), 201)
    issue = await doors.issue(client, WORKER, answer["id"])
    assert issue["issue"]["title"] == "门口的垃圾三天没人收"
    assert issue["issue"]["urgency"] == "urgent"
    assert issue["contact"] == {"name": "张**", "phone": "138****1234"}
    row = await conn.fetchrow(
        "select source, card, premises::text, organisation, owner, department, community, state, reporter, visit,"
        " extract(epoch from due_at - reported_at) / 3600 as hours from issue"
    )
    assert row is not None
    by_rule = (WORKER.id, "city_management", NEAR, "reported", None, None, 24)
    assert tuple(row) == ("card", card.number, door, ORGANISATION, *by_rule)
    event = await conn.fetchrow(
        "select actor_kind, actor, facts::text from history where thing = $1", UUID(answer["id"])
    )
    assert event is not None
    assert (event["actor_kind"], event["actor"]) == ("resident", card.number)
    assert "苍蝇" not in event["facts"]
    page = await seen(client, reported=answer["number"])
    assert "收到了" in page
    assert "收到了" not in await seen(client, reported="10001x")
    await doors.move(client, WORKER, answer["id"], drafts.move("accept", 1))
    assert "已受理" in await seen(client)


async def test_a_report_sent_twice_or_at_once_is_one_issue(client: Client, conn: asyncpg.Connection) -> None:
    card, other = await cards.make(conn, 2)
    await file(client, MEMBER, at_a_door(card))
    await file(client, MEMBER, at_a_door(other))
    headers = await scan(client, card)
    report = a_report(contact={"phone": "13812341234"})
    answers = await asyncio.gather(*[send(client, headers, report) for _ in range(5)])
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert await conn.fetchval("select count(*) from issue") == 1
    refused(await send(client, headers, report | {"text": "别的话"}), 409, "id_taken", "id")
    others = await scan(client, other)
    refused(await send(client, others, report), 409, "id_taken", "id")


async def test_a_report_from_another_place_goes_where_that_place_is(client: Client, conn: asyncpg.Connection) -> None:
    [card] = await cards.make(conn)
    await file(client, MEMBER, at_a_door(card))
    headers = await scan(client, card)
    position = {"lon": 113.615, "lat": 34.705, "accuracy_m": 20}
    doors.answered(await send(client, headers, a_report(position=position)), 201)
    assert await conn.fetchval("select community from issue") == NEXT


@pytest.mark.parametrize(
    ("changes", "status", "code", "field"),
    [
        ({"text": " \n "}, 422, "text_unusable", "text"),
        ({"text": ""}, 422, "wrong_value", "text"),
        ({"text": "长" * 2_001}, 422, "wrong_value", "text"),
        ({"text": "a\x00b"}, 422, "text_unusable", "text"),
        ({"category": "0199"}, 422, "unknown_category", "category"),
        ({"category": "01"}, 422, "unknown_category", "category"),
        ({"category": "' or 1=1"}, 422, "unknown_category", "category"),
        ({"contact": {"name": "", "phone": ""}}, 422, "contact_empty", "contact.phone"),
        ({"contact": {"phone": "打我"}}, 422, "phone_unusable", "contact.phone"),
        ({"position": {"lon": 200, "lat": 0}}, 422, "longitude_out_of_range", "position.lon"),
        ({"owner": str(STRANGER.id)}, 422, "unknown_field", "owner"),
        ({"id": "1"}, 422, "wrong_value", "id"),
    ],
)
async def test_what_cannot_be_reported_is_told_by_its_field(
    client: Client, conn: asyncpg.Connection, changes: Any, status: int, code: str, field: str
) -> None:
    [card] = await cards.make(conn)
    await file(client, MEMBER, at_a_door(card))
    headers = await scan(client, card)
    refused(await send(client, headers, a_report(**changes)), status, code, field)
    assert await conn.fetchval("select count(*) from issue") == 0


async def test_nobody_reports_in_another_s_name(client: Client, conn: asyncpg.Connection) -> None:
    [card] = await cards.make(conn)
    await file(client, MEMBER, at_a_door(card))
    headers = await scan(client, card)
    refused(await send(client, {}, a_report()), 403, "csrf")
    refused(await send(client, {"X-CSRF-Token": "x"}, a_report()), 403, "csrf")
    refused(await send(client, headers | {"Sec-Fetch-Site": "cross-site"}, a_report()), 403, "csrf")
    form = await client.post("/card/reports", content=b'{"id": "x"}', headers=headers | {"Content-Type": "text/plain"})
    assert form.status_code in (403, 422)
    refused(await show(client, f"{DISTRICT}.{card.token}", **{"Sec-Fetch-Site": "cross-site"}), 403, "csrf")
    client.cookies.clear()
    refused(await send(client, headers, a_report()), 401, "card_session_over")
    assert await conn.fetchval("select count(*) from issue") == 0


async def test_ten_megabytes_are_not_read(client: Client, conn: asyncpg.Connection) -> None:
    [card] = await cards.make(conn)
    await file(client, MEMBER, at_a_door(card))
    headers = await scan(client, card)
    refused(await send(client, headers, a_report(text="长" * 4_000_000)), 413, "too_large")


# --- saying how it went


async def resolved(client: Client, conn: asyncpg.Connection, card: NewCard, clock: TestClock) -> str:
    """An issue of the card's door that was resolved, and about which the resident is asked."""
    visit = at_a_door(card, drafts.issue())
    await file(client, MEMBER, visit)
    issue: str = visit["issues"][0]["id"]
    await doors.move(client, WORKER, issue, drafts.move("accept", 1))
    await doors.move(client, WORKER, issue, drafts.move("resolve", 2, reason="清运了"))
    clock.forward(minutes=10)
    async with conn.transaction():
        assert await return_visits.invite_due(conn, DISTRICT, clock()) == 1
    return issue


async def answer(client: Client, headers: dict[str, str], issue: str, **said: Any) -> httpx.Response:
    body = {"id": str(uuid4()), "solved": True, "satisfaction": 5} | said
    return await client.post(f"/card/issues/{issue}/answer", json=body, headers=headers)


async def test_who_is_satisfied_closes_the_issue_and_may_think_better_of_it(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    [card] = await cards.make(conn)
    issue = await resolved(client, conn, card, clock)
    headers = await scan(client, card)
    assert "解决了吗" in await seen(client)
    told = doors.answered(await answer(client, headers, issue), 200)
    assert (told["state"], told["reopened"]) == ("closed", False)
    page = await seen(client, answered=told["number"])
    for said in ("谢谢您", "很满意", "想改评价"):
        assert said in page
    told = doors.answered(await answer(client, headers, issue, solved=False, satisfaction=1, reason="又堆上了"), 200)
    assert told["reopened"]
    page = await seen(client, answered=told["number"])
    assert "重新办理" in page
    assert "又堆上了" not in page
    actors = await conn.fetch("select distinct actor_kind, actor from history where event in ('answer', 'reopen')")
    assert [tuple(row) for row in actors] == [("resident", card.number)]


async def test_a_bad_word_needs_a_reason(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    [card] = await cards.make(conn)
    issue = await resolved(client, conn, card, clock)
    headers = await scan(client, card)
    refused(await answer(client, headers, issue, satisfaction=2), 422, "missing", "reason")
    refused(await answer(client, headers, issue, satisfaction=6), 422, "wrong_value", "satisfaction")
    refused(await answer(client, {}, issue), 403, "csrf")


async def test_nobody_answers_for_another_door(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    card, other = await cards.make(conn, 2)
    issue = await resolved(client, conn, card, clock)
    await file(client, MEMBER, at_a_door(other))
    headers = await scan(client, other)
    hidden = refused(await answer(client, headers, issue), 404, "not_found")
    absent = refused(await answer(client, headers, str(uuid4())), 404, "not_found")
    assert hidden | {"instance": ""} == absent | {"instance": ""}
    assert await conn.fetchval("select answer from issue") is None


# --- photos


async def test_a_promised_photo_comes_through_the_card_and_no_other_one(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    card, other = await cards.make(conn, 2)
    content = photographs.photo()
    photo = photographs.promised(content)
    async with serving(Settings(database_url=dsn, data=tmp_path), TestClock()) as client:
        await file(client, MEMBER, at_a_door(card))
        await file(client, MEMBER, at_a_door(other))
        headers = await scan(client, card)
        report = a_report(photos=[photo])
        doors.answered(await send(client, headers, report), 201)
        path = f"/card/issues/{report['id']}/photos/"

        async def put(digest: str, body: bytes, said: dict[str, str]) -> httpx.Response:
            return await client.post(path + digest, content=body, headers=said)

        refused(await put(photo["sha256"], content, {}), 403, "csrf")
        refused(await put("0" * 64, content, headers), 422, "photo_not_promised", "sha256")
        refused(await put("x", content, headers), 404, "not_found")
        refused(await put(photo["sha256"], content[:-1] + b"?", headers), 422, "photo_differs", "sha256")
        assert [(await put(photo["sha256"], content, headers)).status_code for _ in range(2)] == [201, 200]
        listed = await doors.read(client, WORKER, f"/api/issues/{report['id']}/photos")
        assert [item["sha256"] for item in listed["items"]] == [photo["sha256"]]
        others = await scan(client, other)
        refused(await put(photo["sha256"], content, others), 404, "not_found")


# --- how often


async def test_one_card_and_one_address_are_let_in_so_often_and_no_more(dsn: str, conn: asyncpg.Connection) -> None:
    card, other = await cards.make(conn, 2)
    settings = Settings(database_url=dsn, card_burst=5, card_reports_per_day=2, page_burst=40)
    async with serving(settings, TestClock()) as client:
        await file(client, MEMBER, at_a_door(card))
        await file(client, MEMBER, at_a_door(other))
        headers = await scan(client, card)
        told = [(await client.get("/card")).status_code for _ in range(6)]
        assert told == [200] * 4 + [429] * 2
        refusal = await client.get("/card", headers={"Accept": "text/html"})
        assert "请求太频繁" in refusal.text
        assert "登录" not in refusal.text, "a resident has nowhere to sign in"
        assert (await send(client, headers, a_report())).status_code == 429
        await scan(client, other)
        assert (await client.get("/card")).status_code == 200, "another card has its own"
        told = [(await show(client, "1.x")).status_code for _ in range(40)]
        assert set(told) == {422, 429}
        assert (await client.get("/card")).status_code == 429


async def test_a_card_reports_so_many_problems_a_day(dsn: str, conn: asyncpg.Connection) -> None:
    [card] = await cards.make(conn)
    clock = TestClock()
    async with serving(Settings(database_url=dsn, card_reports_per_day=2), clock) as client:
        await file(client, MEMBER, at_a_door(card))
        headers = await scan(client, card)
        assert [(await send(client, headers, a_report())).status_code for _ in range(3)] == [201, 201, 429]
        clock.forward(hours=12)
        headers = await scan(client, card)
        assert (await send(client, headers, a_report())).status_code == 201

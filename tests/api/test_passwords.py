"""Signing in with a password: whom it lets in, what it may be, and whom failures shut out."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import msgspec
import pytest
from argon2 import extract_parameters
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from api import jobs
from api.settings import Settings
from surveys.access import passwords
from surveys.access.passwords import Holder
from surveys.refusals import Invalid
from tests import doors
from tests.conftest import (
    ADMINISTRATOR,
    AUDITOR,
    DISTRICT,
    LEADER,
    MEMBER,
    OPERATOR,
    RING,
    STRANGER,
    WORKER,
    Client,
    Server,
    TestClock,
    found_district,
    founded,
    serving,
)
from tests.entrances import ANOTHER, PASSWORD, csrf, give_password, give_phone, is_in, post, program, sign_in

pytestmark = pytest.mark.anyio

MAP = "/maps/issues"


async def history(conn: asyncpg.Connection, event: str) -> list[dict[str, Any]]:
    rows = await conn.fetch(
        "select actor_kind, actor, facts from history where kind = 'access' and event = $1 order by recorded_at", event
    )
    return [{"actor": (row["actor_kind"], row["actor"]), **row["facts"]} for row in rows]


@pytest.mark.parametrize("typed", ["3", " 3 ", "３", "13812345678", "+86 138 1234 5678", "138-1234-5678"])
async def test_number_or_phone_and_a_password_open_the_page_that_was_asked_for(
    client: Client, conn: asyncpg.Connection, typed: str
) -> None:
    await give_password(conn, WORKER)
    await give_phone(conn, WORKER, "13812345678")
    answer = await sign_in(client, typed, next="/maps/issues?group=overdue")
    assert (answer.status_code, answer.headers["location"]) == (303, "/maps/issues?group=overdue")
    assert await is_in(client) == 200
    (told,) = await history(conn, "signed_in")
    assert (told["actor"], told["by"], told["about"]) == (("member", str(WORKER.id)), "password", str(WORKER.id))


async def test_a_password_is_the_same_however_its_letters_are_composed(
    client: Client, conn: asyncpg.Connection
) -> None:
    await give_password(conn, MEMBER, "caf\u00e9 au coin")
    assert (await sign_in(client, MEMBER, "cafe\u0301 au coin")).status_code == 303


async def test_unknown_accounts_wrong_passwords_and_those_who_have_none_or_left_are_told_alike(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    for who in (MEMBER, LEADER):
        await give_password(conn, who)
    await conn.execute("update member set closed_at = $2 where id = $1", LEADER.id, clock())
    pages = [
        (await sign_in(client, account, password)).text.replace(f'value="{account}"', "")
        for account, password in (("1", "nonsense words"), ("nobody", PASSWORD), ("3", PASSWORD), ("8", PASSWORD))
    ]
    assert "账号或密码不正确" in pages[0]
    assert len(set(pages)) == 1
    assert not client.cookies


@pytest.mark.alone
async def test_unknown_accounts_take_as_long_as_wrong_passwords(client: Client, conn: asyncpg.Connection) -> None:
    """A guess at who exists is no better for a stop watch: argon2 runs for everybody."""
    await give_password(conn, MEMBER)
    known: list[float] = []
    unknown: list[float] = []
    for at in range(4):
        for account, took in ((MEMBER.number, known), (f"nobody{at}", unknown)):
            began = time.perf_counter()
            await sign_in(client, account, "x" * 12)
            took.append(time.perf_counter() - began)
    assert min(unknown) > 0.5 * min(known)


async def test_failures_are_in_the_history_without_a_word_that_was_typed(
    client: Client, conn: asyncpg.Connection
) -> None:
    await give_password(conn, MEMBER)
    await sign_in(client, MEMBER, "geheim geheim")
    await sign_in(client, "niemand", "geheim geheim")
    by_whom = [one.get("about") for one in await history(conn, "sign_in_failed")]
    assert set(by_whom) == {str(MEMBER.id), None}
    kept = await conn.fetch(
        "select to_jsonb(h)::text as row from history h union all select to_jsonb(f)::text from sign_in_failure f"
        " union all select to_jsonb(t)::text from text_version t"
    )
    for typed in ("geheim", "niemand", "127.0.0.1"):
        assert not [row["row"] for row in kept if typed in row["row"]]


async def test_a_password_is_kept_as_argon2id_and_hashed_anew_when_the_parameters_change(
    client: Client, conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8 * 1024, parallelism=1),))
    monkeypatch.setattr(passwords, "HASHER", old)
    await give_password(conn, MEMBER)
    monkeypatch.undo()
    assert (await sign_in(client, MEMBER)).status_code == 303
    kept = await conn.fetchval("select hash from member_password where member = $1", MEMBER.id)
    found = extract_parameters(kept)
    assert (found.type.name, found.memory_cost, found.time_cost, found.parallelism) == ("ID", 19 * 1024, 2, 1)
    client.cookies.clear()
    assert (await sign_in(client, MEMBER)).status_code == 303


HOLDER = Holder(number="EQ00123", name="王走访", phone_look_up=RING.look_up("13812345678"))


async def test_a_token_that_does_not_hold_is_in_the_history_of_its_district(
    client: Client, conn: asyncpg.Connection
) -> None:
    for token in (MEMBER.token[:-1] + "B", MEMBER.token_in(7), "nonsense"):
        assert (await client.post("/sign-in", data={"token": token})).status_code == 401
    (told,) = await history(conn, "sign_in_failed")
    assert (told["what"], told["actor"]) == ("token", ("program", "sign_in"))


async def test_who_reads_no_issues_begins_elsewhere(client: Client, conn: asyncpg.Connection) -> None:
    for who, page in ((AUDITOR, "/audit"), (OPERATOR, "/account"), (LEADER, MAP)):
        await give_password(conn, who)
        answer = await sign_in(client, who, next=MAP)
        assert answer.headers["location"] == (MAP if who is LEADER else "/")
        assert (await client.get("/")).headers["location"] == page
        assert (await client.get(page)).status_code == 200
        client.cookies.clear()
    assert (await client.get("/")).headers["location"] == "/sign-in?next=/"


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("", "password_too_short"),
        ("九个字符不够长啊", "password_too_short"),
        ("password123", "password_too_common"),
        ("PassWord-123", "password_too_common"),
        ("1234567890", "password_too_common"),
        ("aaaaaaaaaaaa", "password_too_common"),
        ("abababababab", "password_too_common"),
        ("qwertyuiop", "password_too_common"),
        ("woaini5201314", "password_too_common"),
        ("13812345678", "password_names_you"),
        ("138 1234 5678", "password_names_you"),
        ("eq00123eq00123", "password_names_you"),
        ("王走访EQ00123", "password_names_you"),
        ("EQ00123-王走访!", "password_names_you"),
        ("x" * 201, "text_too_long"),
        ("ends with a bell\x07", "text_unusable"),
        ("a lone surrogate \ud800", "text_unusable"),
        (PASSWORD, None),
        ("EQ00123 修好的路灯", None),
        ("<img src=x onerror=alert(1)>", None),
        ("一二三四五六七八九十", None),
    ],
)
def test_what_a_password_may_be(password: str, code: str | None) -> None:
    if code is None:
        passwords.refuse_unfit(passwords.normalised(password), HOLDER, RING, least=10)
        return
    with pytest.raises(Invalid) as refused:
        passwords.refuse_unfit(passwords.normalised(password), HOLDER, RING, least=10)
    assert (refused.value.code, refused.value.field) == (code, "password")


async def test_the_least_length_is_a_setting(dsn: str, conn: asyncpg.Connection, clock: TestClock) -> None:
    await give_password(conn, MEMBER)
    async with program(dsn, clock, password_least_length=20) as town:
        client = town.browser()
        await sign_in(client, MEMBER)
        body = {"present": PASSWORD, "password": "nineteen letters ok"}
        problem = doors.refused(
            await post(client, "/api/account/password", body), 422, "password_too_short", "password"
        )
        assert "20" in problem["title"]


async def test_a_stranger_who_guesses_is_shut_out_and_the_owner_still_gets_in(
    dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await give_password(conn, MEMBER)
    async with program(dsn, clock) as town:
        owner, stranger = town.browser("192.0.2.1"), town.browser("198.51.100.7")
        assert (await sign_in(owner, MEMBER)).status_code == 303
        await post(owner, "/sign-out")
        for _ in range(5):
            assert (await sign_in(stranger, MEMBER, "guess guess guess")).status_code == 401
        locked = await sign_in(stranger, MEMBER, PASSWORD)
        assert locked.status_code == 429, "even with the right password"
        assert locked.headers["retry-after"] == "900"
        assert "15 分钟后再试" in locked.text
        assert (await sign_in(owner, MEMBER)).status_code == 303, "the browser is known"
        elsewhere = town.browser("203.0.113.5")
        assert (await sign_in(elsewhere, MEMBER)).status_code == 303, "and so is no other address shut out"
        clock.forward(minutes=15)
        assert (await sign_in(stranger, MEMBER)).status_code == 303, "the wait is over"


async def test_strangers_everywhere_shut_out_strangers_alone(
    dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await give_password(conn, MEMBER)
    async with program(dsn, clock) as town:
        owner = town.browser("192.0.2.1")
        await sign_in(owner, MEMBER)
        await post(owner, "/sign-out")
        for at in range(20):
            answer = await sign_in(town.browser(f"198.51.100.{at}"), MEMBER, "guess guess guess")
            assert answer.status_code == 401
        assert (await sign_in(town.browser("203.0.113.5"), MEMBER)).status_code == 429
        answer = await sign_in(owner, MEMBER)
        assert answer.status_code == 303
        assert urlsplit(answer.headers["location"]).path == "/account", "where they are told of it"
        assert "多次输错" in (await owner.get("/account")).text


async def test_one_address_alone_cannot_shut_all_others_out(
    dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await give_password(conn, MEMBER)
    async with program(dsn, clock, sign_in_burst=1_000) as town:
        stranger = town.browser("198.51.100.7")
        for _ in range(60):
            await sign_in(stranger, MEMBER, "guess guess guess")
        assert (await sign_in(town.browser("203.0.113.5"), MEMBER)).status_code == 303


async def test_a_known_browser_that_guesses_waits_like_any_other(
    dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await give_password(conn, MEMBER)
    async with program(dsn, clock) as town:
        stolen = town.browser()
        await sign_in(stolen, MEMBER)
        await post(stolen, "/sign-out")
        answers = [(await sign_in(stolen, MEMBER, "guess guess guess")).status_code for _ in range(6)]
        assert answers == [401] * 5 + [429]


async def test_a_browser_that_one_member_knows_is_a_stranger_to_another(
    dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    for who in (MEMBER, STRANGER):
        await give_password(conn, who)
    async with program(dsn, clock) as town:
        shared, other = town.browser(), town.browser()
        await sign_in(shared, STRANGER)
        for _ in range(5):
            await sign_in(other, MEMBER, "guess guess guess")
        assert (await sign_in(shared, MEMBER)).status_code == 429
        clock.forward(minutes=15)
        assert (await sign_in(shared, MEMBER)).status_code == 303
        await sign_in(other, MEMBER, "guess guess guess")
        assert len(await conn.fetch("select distinct digest from known_browser")) == 1, "several share one"


async def test_accounts_that_do_not_exist_are_shut_out_alike(dsn: str, clock: TestClock) -> None:
    async with program(dsn, clock) as town:
        stranger = town.browser()
        answers = [(await sign_in(stranger, "nobody", "guess guess guess")).status_code for _ in range(6)]
        assert answers == [401] * 5 + [429]


async def test_a_lock_out_does_not_tell_whose_phone_it_is(dsn: str, conn: asyncpg.Connection, clock: TestClock) -> None:
    await give_password(conn, MEMBER)
    await give_phone(conn, MEMBER, "13812345678")
    async with program(dsn, clock) as town:
        stranger = town.browser()
        for _ in range(6):
            await sign_in(stranger, MEMBER, "guess guess guess")
        assert (await sign_in(stranger, "13812345678", "guess guess guess")).status_code == 401
        for start, expected in (("138", [401] * 4 + [429]), ("139", [401] * 5)):
            written = [f"{start} 1234 5678", f"+86-{start}-1234-5678", f"{start}１２３４5678", f"({start})12345678",
                       f"{start}.1234.5678"]  # fmt: skip
            answers = [(await sign_in(stranger, phone, "guess guess guess")).status_code for phone in written]
            assert answers == expected, "however it is written, and whoever has it"
        assert (await sign_in(stranger, "13912345678", "guess guess guess")).status_code == 429


async def test_many_guesses_at_once_are_counted_as_many(dsn: str, conn: asyncpg.Connection, clock: TestClock) -> None:
    await give_password(conn, MEMBER)
    async with program(dsn, clock) as town:
        browsers = [town.browser() for _ in range(20)]
        answers = await asyncio.gather(*(sign_in(one, MEMBER, "guess guess guess") for one in browsers))
        assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 15


async def test_who_signs_in_now_and_then_is_never_shut_out(
    dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await give_password(conn, MEMBER)
    async with program(dsn, clock, sign_in_burst=1_000) as town:
        for _ in range(30):
            assert (await sign_in(town.browser(), MEMBER)).status_code == 303


async def test_an_address_that_tries_too_often_has_to_wait_whoever_it_asks_for(dsn: str, clock: TestClock) -> None:
    async with program(dsn, clock, sign_in_burst=3) as town:
        stranger = town.browser()
        answers = [await sign_in(stranger, f"account{at}", "guess guess guess") for at in range(4)]
        assert [answer.status_code for answer in answers] == [401] * 3 + [429]
        assert int(answers[3].headers["retry-after"]) > 0
        assert (await sign_in(town.browser("198.51.100.7"), "account", "guess guess")).status_code == 401


async def test_a_browser_that_signs_in_again_leaves_no_session_behind(client: Client, conn: asyncpg.Connection) -> None:
    for who in (WORKER, LEADER):
        await give_password(conn, who)
    await sign_in(client, WORKER)
    kept = client.cookies["zoufang_session"]
    await sign_in(client, LEADER)
    assert (await client.get("/api/sessions")).json()["items"][0]["this"]
    assert (await client.get("/api/issues", headers={"Cookie": f"zoufang_session={kept}"})).status_code == 401
    assert [one["about"] for one in await history(conn, "signed_out")] == [str(WORKER.id)]


async def noted(conn: asyncpg.Connection, at: datetime) -> None:
    """Wait until it is noted when the one session was last used, which is done aside."""
    async with asyncio.timeout(60):
        while await conn.fetchval("select last_seen_at from session") != at:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_session_that_nobody_uses_ends(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    await give_password(conn, WORKER)
    await sign_in(client, WORKER)
    for _ in range(3):
        clock.forward(minutes=119)
        assert await is_in(client) == 200
        await noted(conn, clock())
    clock.forward(minutes=120)
    assert await is_in(client) == 401


async def test_a_session_ends_with_the_day_however_much_it_is_used(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await give_password(conn, WORKER)
    await sign_in(client, WORKER)
    for _ in range(11):
        clock.forward(hours=1)
        assert await is_in(client) == 200
        await noted(conn, clock())
    clock.forward(minutes=59)
    assert await is_in(client) == 200
    clock.forward(minutes=1)
    assert await is_in(client) == 401


async def test_the_use_of_a_session_is_written_once_a_minute_at_most(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await give_password(conn, WORKER)
    await sign_in(client, WORKER)
    opened = clock()
    for step in range(1, 7):
        clock.forward(seconds=20)
        await is_in(client)
        await noted(conn, opened + timedelta(minutes=step // 3))


async def test_a_changed_password_ends_every_other_session_and_phone(
    dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await give_password(conn, WORKER)
    async with program(dsn, clock) as town:
        here, there, phone = town.browser(), town.browser(), town.browser()
        await sign_in(here, WORKER)
        await sign_in(there, WORKER)
        wanted = {"account": WORKER.number, "password": PASSWORD, "device": "手机"}
        token = doors.answered(await phone.post("/api/devices", json=wanted), 201)["token"]
        of_phone = {"Authorization": f"Bearer {token}"}
        assert (await phone.get("/api/issues", headers=of_phone)).status_code == 200
        wrong = await post(here, "/api/account/password", {"present": ANOTHER, "password": ANOTHER})
        doors.refused(wrong, 422, "wrong_password", "present")
        body = {"present": PASSWORD, "password": ANOTHER}
        assert (await post(here, "/api/account/password", body)).status_code == 204
        assert (await is_in(here), await is_in(there)) == (200, 401)
        assert (await phone.get("/api/issues", headers=of_phone)).status_code == 401
        assert (await sign_in(there, WORKER, PASSWORD)).status_code == 401
        answer = await sign_in(there, WORKER, ANOTHER)
        assert answer.status_code == 303
        assert "密码已修改" in (await there.get(answer.headers["location"])).text
    assert len(await history(conn, "password_changed")) == 1


async def test_who_came_with_a_token_sets_a_first_password(client: Client, conn: asyncpg.Connection) -> None:
    await client.post("/sign-in", data={"token": WORKER.token})
    assert (await post(client, "/api/account/password", {"password": PASSWORD})).status_code == 204
    client.cookies.clear()
    assert (await sign_in(client, WORKER)).status_code == 303
    by_phone = await client.post("/api/account/password", json={"password": ANOTHER}, headers=MEMBER.headers)
    assert doors.refused(by_phone, 403, "not_allowed"), "a token alone chooses nobody's password"


async def test_guessing_the_present_password_on_the_page_is_counted_too(
    client: Client, conn: asyncpg.Connection
) -> None:
    await give_password(conn, WORKER)
    await sign_in(client, WORKER)
    body = {"present": "guess guess guess", "password": ANOTHER}
    answers = [(await post(client, "/api/account/password", body)).status_code for _ in range(6)]
    assert answers == [422] * 5 + [429]


async def test_sessions_and_phones_are_listed_and_ended_by_their_owner_alone(
    dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    for who in (WORKER, LEADER):
        await give_password(conn, who)
    async with program(dsn, clock) as town:
        here, there, leaders = town.browser(), town.browser(), town.browser()
        there.headers["User-Agent"] = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0 Safari/537.36"
        for browser, who in ((here, WORKER), (there, WORKER), (leaders, LEADER)):
            await sign_in(browser, who)
        wanted = {"account": WORKER.number, "password": PASSWORD, "device": "  红米  Note 13 "}
        phone = doors.answered(await town.browser().post("/api/devices", json=wanted), 201)
        of_phone = {"Authorization": f"Bearer {phone['token']}"}
        await town.browser().get("/api/issues", headers=of_phone)
        while not await conn.fetchval("select last_used_at from access_token where device is not null"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        sessions = doors.answered(await here.get("/api/sessions"), 200)["items"]
        assert [one["this"] for one in sessions].count(True) == 1
        other = next(one for one in sessions if not one["this"])
        assert other["device"] == "Chrome · Windows"
        devices = doors.answered(await here.get("/api/devices"), 200)["items"]
        assert {one["device"] for one in devices} == {"红米 Note 13", None}
        assert next(one for one in devices if one["device"])["last_used_at"] == "2026-11-23T04:00:00Z"
        for path in (f"/api/sessions/{other['id']}/end", f"/api/devices/{phone['id']}/revoke"):
            doors.refused(await post(leaders, path), 404, "not_found")
            assert (await post(here, path)).status_code == 204
            doors.refused(await post(here, path), 404, "not_found")
        assert (await is_in(here), await is_in(there), await is_in(leaders)) == (200, 401, 200)
        assert (await here.get("/api/issues", headers=of_phone)).status_code == 401
        assert phone["token"] not in str(await conn.fetch("select to_jsonb(t)::text from access_token t"))
    assert len(await history(conn, "device_revoked")) == len(await history(conn, "session_ended")) == 1


async def test_signing_out_everywhere_leaves_this_browser_alone(
    dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await give_password(conn, WORKER)
    async with program(dsn, clock) as town:
        here, there = town.browser(), town.browser()
        await sign_in(here, WORKER)
        await sign_in(there, WORKER)
        assert (await post(here, "/api/account/sign-out-everywhere")).status_code == 204
        assert (await is_in(here), await is_in(there)) == (200, 401)
        assert (await here.get("/api/issues", headers=WORKER.headers)).status_code == 200, "programs' tokens stay"


async def test_a_phone_is_signed_in_by_password_and_told_no_like_a_browser(
    client: Client, conn: asyncpg.Connection
) -> None:
    await give_password(conn, MEMBER)
    wanted = {"account": MEMBER.number, "password": "guess guess guess", "device": "手机"}
    for _ in range(5):
        doors.refused(await client.post("/api/devices", json=wanted), 401, "wrong_credentials")
    locked = await client.post("/api/devices", json=wanted | {"password": PASSWORD})
    assert doors.refused(locked, 429, "locked_out")["facts"] == {"seconds": 900, "minutes": 15}
    assert locked.headers["retry-after"] == "900"
    assert len(await history(conn, "sign_in_failed")) == 5, "though each request was refused"


@pytest.fixture(scope="module")
async def open_door(server: Server, template: str) -> AsyncIterator[Client]:
    """The program for all hostile texts, which all come from one address."""
    async with (
        founded(server, template) as dsn,
        serving(Settings(database_url=dsn, sign_in_burst=1_000_000), TestClock()) as client,
    ):
        yield client


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "' or 1=1 --",
    "\x00",
    "\x07\x1b[31m",
    "%00",
    "\u202e\u2066",
    "𠮷" * 50,
    "x" * 300,
    "x" * 5_000_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_texts_in_the_sign_in_form_are_wrong_credentials(open_door: Client, text: str) -> None:
    for form in ({"account": text, "password": PASSWORD}, {"account": "1", "password": text}, {"district": text}):
        answer = await open_door.post("/sign-in", data={"account": "n", "password": "p", "next": text, **form})
        assert answer.status_code in (401, 413, 429)
        assert "<img" not in answer.text
        assert not answer.headers.get_list("set-cookie")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"account": 1}',
        b'{"account": "1", "password": "\\ud800", "device": "x"}',
        b'{"account": "\\u0000", "password": "p", "device": "x"}',
        b'{"account": "1", "password": "p", "device": "\\u0007"}',
        b'{"account": "1", "password": "p", "device": " "}',
        b'{"account": "1", "password": "p", "device": "x", "extra": 1}',
        b'{"account": "1", "password": "p", "device": "x", "district": -1}',
        b'{"account": "1", "password": "p", "device": "x", "district": 99999999999999999999}',
        b'{"account": "1", "password": "p", "device": "x", "district": 7}',
        b'{"account": "' + b"x" * 10_000_000 + b'"}',
    ],
    ids=range(13),
)
async def test_hostile_bodies_of_a_phone_are_no_fault(open_door: Client, body: bytes) -> None:
    for path in ("/api/devices", "/api/first-access", "/api/account/password"):
        answer = await open_door.post(path, content=body, headers=MEMBER.headers | {"Content-Type": "application/json"})
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.headers["content-type"].startswith("application/problem+json")


async def test_where_several_districts_are_one_says_which(dsn: str, conn: asyncpg.Connection, clock: TestClock) -> None:
    await found_district(conn, 110101)
    await give_password(conn, MEMBER)
    async with program(dsn, clock) as town:
        browser = town.browser()
        assert '<option value="110101"' in (await browser.get("/sign-in")).text
        assert (await sign_in(browser, MEMBER)).status_code == 422
        assert (await sign_in(browser, MEMBER, district="110101")).status_code == 401
        assert (await sign_in(browser, MEMBER, district=str(DISTRICT))).status_code == 303


async def test_what_changes_an_account_needs_the_page_s_token_against_forgery(
    client: Client, conn: asyncpg.Connection
) -> None:
    await give_password(conn, ADMINISTRATOR)
    await sign_in(client, ADMINISTRATOR)
    paths = [
        "/api/account/password",
        "/api/account/sign-out-everywhere",
        "/api/account/notices/seen",
        "/api/second-factor",
        "/api/second-factor/confirmation",
        "/api/second-factor/check",
        "/api/second-factor/removal",
        f"/api/members/{MEMBER.id}/one-time-codes",
    ]
    for path in paths:
        doors.refused(await client.post(path, json={}), 403, "csrf")
    for path, body in (
        ("/api/devices", {"account": "9", "password": PASSWORD, "device": "x"}),
        ("/api/first-access", {"code": "x", "password": PASSWORD}),
    ):
        foreign = await client.post(path, json=body, headers={"Sec-Fetch-Site": "cross-site"})
        doors.refused(foreign, 403, "csrf")
    form = {"account": "9", "password": PASSWORD}
    foreign = await client.post("/sign-in", data=form, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403


async def test_after_the_notices_nobody_is_sent_to_a_foreign_page(client: Client, conn: asyncpg.Connection) -> None:
    await give_password(conn, MEMBER)
    await sign_in(client, MEMBER)
    await post(client, "/api/account/password", {"present": PASSWORD, "password": ANOTHER})
    client.cookies.clear()
    answer = await sign_in(client, MEMBER, ANOTHER, next="//evil.example")
    assert parse_qs(urlsplit(answer.headers["location"]).query) == {"next": [MAP]}
    for path in ("/account", "/second-factor"):
        page = await client.get(path, params={"next": 'https://evil.example/"><img src=x onerror=alert(1)>'})
        assert page.status_code == 200
        assert "evil" not in page.text
        assert "onerror" not in page.text


async def test_nothing_that_signs_in_is_kept_in_the_clear(
    dsn: str, conn: asyncpg.Connection, clock: TestClock, capfd: pytest.CaptureFixture[str]
) -> None:
    await give_password(conn, MEMBER)
    async with program(dsn, clock) as town:
        browser = town.browser()
        await sign_in(browser, MEMBER)
        secrets = [PASSWORD, *(value for value in browser.cookies.values())]
    tables = await conn.fetch(
        "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
    )
    for row in tables:
        dump = str(await conn.fetch(f"select to_jsonb(t)::text from {row['relname']} t"))
        assert not [secret for secret in secrets if secret in dump], row["relname"]
    said = capfd.readouterr()
    assert not [secret for secret in secrets if secret in said.out + said.err]


async def test_old_sessions_codes_and_counts_are_removed_by_the_job(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await give_password(conn, MEMBER)
    await sign_in(client, MEMBER)
    await sign_in(client, "nobody", "guess guess guess")
    job = jobs.named("forget_sign_ins")
    for days, left in ((0, [1, 3, 1]), (2, [1, 0, 1]), (400, [0, 0, 0])):
        work = jobs.Work(district=DISTRICT, now=clock() + timedelta(days=days), ring=RING, settings=Settings())
        assert msgspec.json.encode(await job.run(conn, work))
        assert [
            await conn.fetchval(f"select count(*) from {table}")
            for table in ("session", "sign_in_failure", "known_browser")
        ] == left
    assert csrf(client)

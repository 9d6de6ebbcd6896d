"""One-time codes: the first access, access that was lost, and what a code does not do."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from surveys.access import one_time_codes
from surveys.access.one_time_codes import CodeUnusable
from surveys.history import Actor
from tests import doors
from tests.api.test_passwords import history
from tests.conftest import (
    ADMINISTRATOR,
    AUDITOR,
    DISTRICT,
    LEADER,
    MEMBER,
    MEMBER_BELOW,
    MEMBER_BESIDE,
    NOW,
    ORGANISER,
    WORKER,
    Client,
    TestClock,
)
from tests.entrances import (
    ANOTHER,
    PASSWORD,
    enrol,
    give_code,
    give_password,
    is_in,
    post,
    program,
    sign_in,
)

pytestmark = pytest.mark.anyio


async def use(client: Client, code: str, password: str = PASSWORD, **more: Any) -> Any:
    return await client.post("/api/first-access", json={"code": code, "password": password, **more})


async def test_a_slip_a_password_and_one_is_in(client: Client, conn: asyncpg.Connection) -> None:
    code = await give_code(conn, MEMBER_BELOW)
    page = await client.get("/first-access")
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    answer = await use(client, code)
    assert doors.answered(answer, 200) == {"member": str(MEMBER_BELOW.id), "name": MEMBER_BELOW.name}
    assert await is_in(client) == 200
    client.cookies.clear()
    assert (await sign_in(client, MEMBER_BELOW)).status_code == 303
    (issued,), (used,) = await history(conn, "code_issued"), await history(conn, "code_used")
    assert issued["about"] == used["about"] == str(MEMBER_BELOW.id)
    assert issued["code"] == used["code"]
    assert code not in str(await conn.fetch("select to_jsonb(c)::text from one_time_code c"))


@pytest.mark.parametrize(
    "typed",
    [
        "410103-7K3M-Q9TD-XW2R-5HN0",
        "410103-7k3m-q9td-xw2r-5hno",
        " 410103 7K3M Q9TD XW2R 5HN0 ",
        "4101037K3MQ9TDXW2R5HN0",
        "４１０１０３－7K3M–Q9TD—XW2R-5HN0",
        "4I0lO3-7K3M-Q9TD-XW2R-5HNO",
    ],
)
def test_a_code_is_read_as_people_type_it(typed: str) -> None:
    assert one_time_codes.read(typed) == one_time_codes.read("410103-7K3M-Q9TD-XW2R-5HN0")


@pytest.mark.parametrize(
    "typed",
    ["", "x", "410103", "410103-7K3M-Q9TD-XW2R-5HNU", "-7K3M-Q9TD-XW2R-5HN0", "99999999999-7K3M-Q9TD-XW2R-5HN0",
     "0-7K3M-Q9TD-XW2R-5HN0", "4101O3-7K3M-Q9TD-XW2R-5HN0" + "-" * 100, "<img src=x onerror=alert(1)>", "\ud800" * 30],
)  # fmt: skip
def test_what_can_be_no_code_is_refused(typed: str) -> None:
    with pytest.raises(CodeUnusable):
        one_time_codes.read(typed)


def test_codes_hold_eighty_random_bits() -> None:
    codes = {one_time_codes.new(DISTRICT) for _ in range(1_000)}
    assert len(codes) == 1_000
    assert {len(code) for code in codes} == {len("410103-7K3M-Q9TD-XW2R-5HNB")}
    letters = {letter for code in codes for letter in code.removeprefix("410103-")} - {"-"}
    assert letters == set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


async def test_codes_that_are_used_old_replaced_or_wrong_are_told_alike(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    used, replaced = await give_code(conn, MEMBER), await give_code(conn, WORKER)
    assert (await use(client, used)).status_code == 200
    client.cookies.clear()
    await give_code(conn, WORKER)
    old = await give_code(conn, LEADER)
    gone = await give_code(conn, AUDITOR)
    await conn.execute("update member set closed_at = $2 where id = $1", AUDITOR.id, clock())
    clock.forward(days=14)
    wrong = old[:-1] + ("0" if old[-1] != "0" else "1")
    told = [
        doors.refused(await use(client, code, ANOTHER), 422, "code_unusable", "code") | {"instance": ""}
        for code in (used, replaced, old, wrong, gone, "110101-" + old[7:])
    ]
    assert all(one == told[0] for one in told)
    assert not client.cookies


async def test_a_password_that_is_refused_leaves_the_code_good(client: Client, conn: asyncpg.Connection) -> None:
    code = await give_code(conn, MEMBER)
    for password, why in (("short", "password_too_short"), ("password123", "password_too_common")):
        doors.refused(await use(client, code, password), 422, why, "password")
    assert (await use(client, code)).status_code == 200


async def test_of_two_who_use_a_code_at_once_one_does(dsn: str, conn: asyncpg.Connection, clock: TestClock) -> None:
    code = await give_code(conn, MEMBER)
    async with program(dsn, clock) as town:
        answers = await asyncio.gather(*(use(town.browser(), code, PASSWORD + str(at)) for at in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 422, 422, 422]


async def test_lost_access_is_given_again_by_the_organiser_and_told_to_the_person(
    dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    """王走访 lost the phone: the organiser gives a new code, which ends whatever the phone could do."""
    for who in (MEMBER, ORGANISER):
        await give_password(conn, who)
    async with program(dsn, clock, public_url="https://visits.example/") as town:
        lost, organiser, new = town.browser(), town.browser(), town.browser()
        await sign_in(lost, MEMBER)
        wanted = {"account": MEMBER.number, "password": PASSWORD, "device": "丢了的手机"}
        token = doors.answered(await lost.post("/api/devices", json=wanted), 201)["token"]
        await sign_in(organiser, ORGANISER)
        path = f"/api/members/{MEMBER.id}/one-time-codes"
        issued = doors.answered(await post(organiser, path, {"reason": "手机丢了，本人到场"}), 201)
        assert issued["purpose"] == "lost_access"
        assert issued["link"] == f"https://visits.example/first-access#{issued['code']}"
        assert await is_in(lost) == 401
        assert (await lost.get("/api/issues", headers={"Authorization": f"Bearer {token}"})).status_code == 401
        assert (await sign_in(lost, MEMBER)).status_code == 401, "and so is the password gone"
        assert (await use(new, issued["code"], ANOTHER)).status_code == 200
        account = await new.get("/account")
        assert f"{ORGANISER.name} 为您签发了新的一次性登录码" in account.text
        await post(new, "/api/account/notices/seen")
        assert "账号有变动" not in (await new.get("/account")).text
    told = [one for one in await history(conn, "code_issued") if one["actor"] == ("member", str(ORGANISER.id))]
    assert told[0]["about"] == str(MEMBER.id)
    reason = await conn.fetchval("select body from text_version where digest = decode($1, 'hex')",
                                 told[0]["reason_digest"])  # fmt: skip
    assert reason == {"reason": "手机丢了，本人到场"}
    assert len(await history(conn, "signed_out_everywhere")) == 1


async def test_who_never_signed_in_gets_a_first_code(client: Client, owner_dsn: str) -> None:
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute("delete from access_token where member = $1", MEMBER_BELOW.id)
    await owner.close()
    path = f"/api/members/{MEMBER_BELOW.id}/one-time-codes"
    answer = await client.post(path, json={"reason": "没有收到纸条"}, headers=ORGANISER.headers)
    assert doors.answered(answer, 201)["purpose"] == "first_access"
    assert answer.headers["cache-control"] == "no-store"


async def test_who_may_let_whom_in_again(client: Client, conn: asyncpg.Connection) -> None:
    """Nobody takes the place of one who holds more than they could give, nor renews their own access."""
    asked: list[tuple[Any, Any, int]] = [
        (ADMINISTRATOR, MEMBER_BESIDE, 201),
        (ADMINISTRATOR, AUDITOR, 201),
        (ADMINISTRATOR, ADMINISTRATOR, 403),
        (ORGANISER, MEMBER_BELOW, 201),
        (ORGANISER, MEMBER_BESIDE, 404),
        (ORGANISER, ADMINISTRATOR, 403),
        (ORGANISER, ORGANISER, 403),
        (MEMBER, MEMBER, 403),
        (LEADER, MEMBER, 403),
    ]
    for who, whom, status in asked:
        answer = await client.post(
            f"/api/members/{whom.id}/one-time-codes", json={"reason": "忘记密码"}, headers=who.headers
        )
        assert answer.status_code == status, (who.role, whom.role, answer.text)
    gone = await client.post(
        f"/api/members/{DISTRICT:032x}"[:45] + "/one-time-codes", json={"reason": "x"}, headers=ADMINISTRATOR.headers
    )
    assert gone.status_code == 404


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": "x" * 1_001}, {"reason": 1}])
async def test_without_a_reason_no_code_is_issued(client: Client, conn: asyncpg.Connection, body: Any) -> None:
    before = await doors.written(conn)
    path = f"/api/members/{MEMBER.id}/one-time-codes"
    answer = await client.post(path, json=body, headers=ADMINISTRATOR.headers)
    assert (answer.status_code, answer.json()["field"]) == (422, "reason")
    assert await doors.written(conn) == before
    assert await conn.fetchval("select count(*) from one_time_code") == 0


async def test_a_code_for_everybody_is_one_statement(conn: asyncpg.Connection) -> None:
    everybody = [row["id"] for row in await conn.fetch("select id from member")]
    codes = await one_time_codes.issue(
        conn, DISTRICT, everybody, Actor("program", "invite"), "first_access",
        NOW + timedelta(days=14), NOW,
    )  # fmt: skip
    assert set(codes) == set(everybody)
    assert len(set(codes.values())) == len(everybody)
    assert await conn.fetchval("select count(*) from one_time_code") == len(everybody)
    assert len(await history(conn, "code_issued")) == len(everybody)
    assert await conn.fetchval("select count(*) from account_notice") == 0, "who is invited has nothing to be told"


async def test_a_new_code_ends_the_second_factor_with_the_phone_that_held_it(
    dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await give_password(conn, MEMBER)
    async with program(dsn, clock) as town:
        browser, new = town.browser(), town.browser()
        await sign_in(browser, MEMBER)
        await enrol(browser, clock)
        code = await give_code(conn, MEMBER, purpose="lost_access", now=clock())
        assert (await use(new, code, ANOTHER)).status_code == 200
        assert await is_in(new) == 200
        assert await is_in(browser) == 401
        assert "动态验证码已解除" in (await new.get("/account")).text

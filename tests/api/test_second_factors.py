"""A password that was stolen opens nothing by itself: second factors, who must have one, and codes used twice."""

from urllib.parse import urlsplit

import asyncpg
import pyotp
import pytest

from tests import doors
from tests.api.test_passwords import history
from tests.conftest import ADMINISTRATOR, AUDITOR, LEADER, MEMBER, WORKER, Client, Person, TestClock
from tests.entrances import PASSWORD, app_on, enrol, give_password, is_in, post, program, sign_in

pytestmark = pytest.mark.anyio

REQUIRED = {"second_factor_roles": ("administrator", "auditor")}


async def test_a_stolen_password_opens_nothing(dsn: str, conn: asyncpg.Connection, clock: TestClock) -> None:
    await give_password(conn, LEADER)
    async with program(dsn, clock) as town:
        owner, thief = town.browser("192.0.2.1"), town.browser("198.51.100.7")
        await sign_in(owner, LEADER)
        app = await enrol(owner, clock)
        answer = await sign_in(thief, LEADER, next="/account")
        assert urlsplit(answer.headers["location"]).path == "/second-factor"
        assert "zoufang_browser" not in thief.cookies, "half signed in is not known"
        for path in ("/api/issues", "/api/sessions", "/api/devices"):
            doors.refused(await thief.get(path), 403, "second_factor_needed")
        page = await thief.get("/maps/issues", headers={"Accept": "text/html"})
        assert urlsplit(page.headers["location"]).path == "/second-factor"
        for path, body in (
            ("/api/account/password", {"present": PASSWORD, "password": "another password"}),
            ("/api/second-factor/removal", {"password": PASSWORD, "code": "000000"}),
            ("/api/account/sign-out-everywhere", {}),
        ):
            doors.refused(await post(thief, path, body), 403, "second_factor_needed")
        doors.refused(await post(thief, "/api/second-factor"), 409, "has_second_factor")
        wanted = {"account": LEADER.number, "password": PASSWORD, "device": "手机"}
        doors.refused(await thief.post("/api/devices", json=wanted), 403, "second_factor_needed", "second_factor")
        guesses = [(await post(thief, "/api/second-factor/check", {"code": f"{at:06}"})).status_code for at in range(6)]
        assert guesses == [422] * 5 + [429]
        await post(owner, "/sign-out")
        await sign_in(owner, LEADER)
        doors.refused(await owner.get("/api/issues"), 403, "second_factor_needed")
        answer = await post(
            owner, "/api/second-factor/check", {"code": f" {app.at(clock())[:3]} {app.at(clock())[3:]}"}
        )
        assert answer.status_code == 204, "the owner's browser is known, and not shut out"
        assert await is_in(owner) == 200
    assert len(await history(conn, "second_factor_added")) == 1
    assert [one["what"] for one in await history(conn, "sign_in_failed")] == ["second_factor"] * 5


async def test_a_code_is_taken_once(dsn: str, conn: asyncpg.Connection, clock: TestClock) -> None:
    await give_password(conn, MEMBER)
    async with program(dsn, clock) as town:
        browser, replaying = town.browser(), town.browser("198.51.100.7")
        await sign_in(browser, MEMBER)
        app = await enrol(browser, clock)
        await post(browser, "/sign-out")
        await sign_in(browser, MEMBER)
        await sign_in(replaying, MEMBER)
        code = app.at(clock())
        assert (await post(browser, "/api/second-factor/check", {"code": code})).status_code == 204
        again = await post(replaying, "/api/second-factor/check", {"code": code})
        doors.refused(again, 422, "second_factor_wrong", "code")
        before = await post(replaying, "/api/second-factor/check", {"code": app.at(int(clock().timestamp()) - 30)})
        doors.refused(before, 422, "second_factor_wrong", "code")


@pytest.mark.parametrize(("seconds", "status"), [(-60, 422), (-30, 204), (0, 204), (30, 204), (60, 422)])
async def test_a_clock_may_be_half_a_minute_wrong(
    dsn: str, conn: asyncpg.Connection, clock: TestClock, seconds: int, status: int
) -> None:
    await give_password(conn, MEMBER)
    async with program(dsn, clock) as town:
        browser = town.browser()
        await sign_in(browser, MEMBER)
        app = await enrol(browser, clock)
        clock.forward(minutes=5)
        await post(browser, "/sign-out")
        await sign_in(browser, MEMBER)
        code = app.at(int(clock().timestamp()) + seconds)
        assert (await post(browser, "/api/second-factor/check", {"code": code})).status_code == status


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "<img>", "１２３", "\u0661\u0662\u0663", "\x00"])
async def test_what_is_no_code_is_wrong(dsn: str, conn: asyncpg.Connection, clock: TestClock, code: str) -> None:
    await give_password(conn, MEMBER)
    async with program(dsn, clock) as town:
        browser = town.browser()
        await sign_in(browser, MEMBER)
        assert (await post(browser, "/api/second-factor")).status_code == 204
        answer = await post(browser, "/api/second-factor/confirmation", {"code": code})
        assert answer.status_code == 422
        assert (await browser.get("/account")).status_code == 200, "nothing is confirmed"


async def test_who_must_have_one_is_led_to_it_before_anything_else(
    dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    for who in (ADMINISTRATOR, AUDITOR, WORKER):
        await give_password(conn, who)
    async with program(dsn, clock, **REQUIRED) as town:
        browser = town.browser()
        await sign_in(browser, ADMINISTRATOR)
        doors.refused(await browser.get("/api/issues"), 403, "second_factor_needed")
        led = await browser.get("/maps/issues?group=overdue", headers={"Accept": "text/html"})
        assert led.headers["location"] == "/second-factor?next=%2Fmaps%2Fissues%3Fgroup%3Doverdue"
        page = await browser.get(led.headers["location"])
        assert "您的角色必须使用动态验证码" in page.text
        assert "暂不绑定" not in page.text
        wanted = {"account": ADMINISTRATOR.number, "password": PASSWORD, "device": "手机"}
        phone = town.browser()
        doors.refused(await phone.post("/api/devices", json=wanted), 403, "second_factor_needed", "second_factor")
        app = await enrol(browser, clock)
        assert await is_in(browser) == 200
        wrong = await phone.post("/api/devices", json=wanted | {"second_factor": "000000"})
        doors.refused(wrong, 422, "second_factor_wrong", "second_factor")
        answer = await phone.post("/api/devices", json=wanted | {"second_factor": app.at(clock())})
        token = doors.answered(answer, 201)["token"]
        assert (await phone.get("/api/issues", headers={"Authorization": f"Bearer {token}"})).status_code == 200
        assert await is_in(await _signed_in(town.browser(), WORKER)) == 200, "others need none"


async def test_collect_is_set_up_by_who_shows_both_again(dsn: str, conn: asyncpg.Connection, clock: TestClock) -> None:
    await give_password(conn, ADMINISTRATOR)
    async with program(dsn, clock, **REQUIRED) as town:
        browser = town.browser()
        await sign_in(browser, ADMINISTRATOR)
        app = await enrol(browser, clock)
        path, wanted = "/api/devices/collect", {"password": PASSWORD}
        wrong = await post(browser, path, {"password": "guess guess guess", "second_factor": app.at(clock())})
        doors.refused(wrong, 422, "wrong_password", "password")
        doors.refused(await post(browser, path, wanted), 403, "second_factor_needed", "second_factor")
        told = doors.answered(await post(browser, path, wanted | {"second_factor": app.at(clock())}), 201)
        assert (told["server"], told["username"]) == (
            f"{str(browser.base_url).rstrip(chr(47))}/openrosa",
            ADMINISTRATOR.number,
        )
        of_phone = {"Authorization": f"Bearer {told['token']}"}
        assert (await town.browser().get("/api/issues", headers=of_phone)).status_code == 200
        names = [one["device"] for one in doors.answered(await browser.get("/api/devices"), 200)["items"]]
        assert "ODK Collect" in names


async def _signed_in(browser: Client, who: Person) -> Client:
    await sign_in(browser, who)
    return browser


async def test_a_phone_signed_in_before_its_holder_had_to_have_one_is_asked_again(
    dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await give_password(conn, ADMINISTRATOR)
    wanted = {"account": ADMINISTRATOR.number, "password": PASSWORD, "device": "手机"}
    async with program(dsn, clock) as town:
        token = doors.answered(await town.browser().post("/api/devices", json=wanted), 201)["token"]
    async with program(dsn, clock, **REQUIRED) as town:
        phone = town.browser()
        of_phone = {"Authorization": f"Bearer {token}"}
        doors.refused(await phone.get("/api/issues", headers=of_phone), 403, "second_factor_needed")
        answer = await phone.get("/api/issues", headers=ADMINISTRATOR.headers)
        assert answer.status_code == 200, "a token from the command line is a program's"
        await phone.post("/sign-in", data={"token": ADMINISTRATOR.token})
        doors.refused(await phone.get("/api/issues"), 403, "second_factor_needed")


async def test_it_is_removed_with_password_and_app_and_set_up_anew(
    dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await give_password(conn, MEMBER)
    async with program(dsn, clock) as town:
        browser = town.browser()
        await sign_in(browser, MEMBER)
        doors.refused(await post(browser, "/api/second-factor/removal", {"password": PASSWORD, "code": "000000"}),
                      409, "no_second_factor")  # fmt: skip
        app = await enrol(browser, clock)
        body = {"password": "guess guess", "code": app.at(clock())}
        doors.refused(await post(browser, "/api/second-factor/removal", body), 422, "wrong_password", "password")
        body = {"password": PASSWORD, "code": app.at(clock())}
        assert (await post(browser, "/api/second-factor/removal", body)).status_code == 204
        assert await enrol(browser, clock) != app
    assert len(await history(conn, "second_factor_removed")) == 1


async def test_its_secret_is_kept_sealed_and_shown_until_it_counts(
    dsn: str, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await give_password(conn, MEMBER)
    async with program(dsn, clock) as town:
        browser = town.browser()
        await sign_in(browser, MEMBER)
        await post(browser, "/api/second-factor")
        page = await browser.get("/second-factor")
        assert page.headers["cache-control"] == "no-store"
        assert 'src="data:image/svg+xml' in page.text
        app: pyotp.TOTP = app_on(page)
        assert app.secret not in str(await conn.fetch("select encode(secret, 'escape') from second_factor"))
        await post(browser, "/api/second-factor/confirmation", {"code": app.at(clock())})
        page = await browser.get("/second-factor")
        assert page.status_code == 303
        assert app.secret not in page.text


async def test_a_phone_alone_changes_nothing_about_it(dsn: str, conn: asyncpg.Connection, clock: TestClock) -> None:
    async with program(dsn, clock) as town:
        phone = town.browser()
        for path, body in (
            ("/api/second-factor", {}),
            ("/api/second-factor/confirmation", {"code": "000000"}),
            ("/api/second-factor/check", {"code": "000000"}),
            ("/api/second-factor/removal", {"code": "000000", "password": PASSWORD}),
        ):
            doors.refused(await phone.post(path, json=body, headers=MEMBER.headers), 403, "not_allowed")
    assert await conn.fetchval("select count(*) from second_factor") == 0

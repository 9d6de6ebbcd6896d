"""Signing in, the first access, the second factor and one's own account, as they look in a browser; each test has a
district of its own, whose people sign in for the first time."""

import base64
import json
import os
import zlib
from collections.abc import AsyncIterator
from io import BytesIO

import asyncpg
import pyotp
import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Browser

from api.settings import Settings
from surveys.history import Actor
from tests.conftest import ADMINISTRATOR, ORGANISER, WORKER, TestClock
from tests.entrances import ANOTHER, PASSWORD, give_code, give_password, give_phone
from tests.web.conftest import DESK, PHONE, Visitor, served, visiting

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

PICTURES = os.environ.get("ZOUFANG_TEST_PICTURES")  # a folder to look at what was seen


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
async def door(dsn: str, clock: TestClock) -> AsyncIterator[str]:
    """The address of a program on a district of the test's own, where administrators need a second factor."""
    settings = Settings(database_url=dsn, pool_size=4, second_factor_roles=("administrator",))
    async with served(settings, clock) as address:
        yield address


@pytest.fixture(params=["phone", "desk"])
async def arriving(request: pytest.FixtureRequest, browser: Browser, door: str) -> AsyncIterator[Visitor]:
    """Somebody at a phone, and somebody at a desk, who was never here."""
    async with visiting(browser, door, **(PHONE if request.param == "phone" else DESK)) as visitor:
        yield visitor


async def picture(visitor: Visitor, name: str) -> None:
    """Keep what is seen, and hold that it fits the window and is set large enough to be read and hit."""
    await visitor.page.wait_for_load_state("load")  # with its styles, also after a form was sent
    width = visitor.page.viewport_size["width"] if visitor.page.viewport_size else 0
    assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= width
    small = await visitor.page.evaluate(
        "[...document.querySelectorAll('button, input:not([type=hidden]), select, summary, a.button')]"
        ".filter(e => e.checkVisibility() && !e.hidden && e.getBoundingClientRect().height < 43.5)"
        ".map(e => e.outerHTML.slice(0, 80))"
    )
    assert small == []
    if PICTURES:
        await visitor.page.screenshot(path=f"{PICTURES}/{name}-{width}.png", full_page=True)


async def fill_and_send(visitor: Visitor, **fields: str) -> None:
    for field, text in fields.items():
        await visitor.page.fill(f"#{field}", text)
    await visitor.page.locator("button[type=submit]").first.click()


async def leave(visitor: Visitor) -> None:
    await visitor.page.goto(f"{visitor.site}/account")
    await visitor.page.click("text=退出本机")
    await visitor.page.wait_for_selector("#account")


async def test_a_slip_is_scanned_a_password_typed_and_the_desk_is_there(
    arriving: Visitor, conn: asyncpg.Connection
) -> None:
    code = await give_code(conn, WORKER)
    page = arriving.page
    await page.goto(f"{arriving.site}/first-access#{code}")
    assert await page.input_value("#code") == code
    assert page.url == f"{arriving.site}/first-access", "the code stays in no history"
    assert await page.evaluate("document.activeElement.id") == "password"
    await picture(arriving, "first_access")
    await fill_and_send(arriving, password="password123")
    await page.wait_for_selector("[role=alert]:not([hidden])")
    assert "太常见" in await page.inner_text("[role=alert]")
    assert await page.get_attribute("#password", "aria-invalid") == "true"
    await picture(arriving, "first_access_refused")
    await page.click("[data-reveals]")
    assert await page.get_attribute("#password", "type") == "text"
    await fill_and_send(arriving, password=PASSWORD)
    await page.wait_for_url("**/desk/**")
    await leave(arriving)
    await page.goto(f"{arriving.site}/first-access#{code}")
    await fill_and_send(arriving, password=PASSWORD)
    await page.wait_for_selector("[role=alert]:not([hidden])")
    assert "登录码无效" in await page.inner_text("[role=alert]")


async def test_a_number_or_phone_and_a_password_open_the_door(arriving: Visitor, conn: asyncpg.Connection) -> None:
    await give_password(conn, WORKER)
    await give_phone(conn, WORKER, "13812345678")
    page = arriving.page
    await page.goto(f"{arriving.site}/maps/issues?urgency=normal#/list?group=overdue")
    await picture(arriving, "sign_in")
    await fill_and_send(arriving, account="138 1234 5678", password="nonsense words")
    await page.wait_for_selector("[role=alert]")
    assert await page.inner_text("[role=alert]") == "账号或密码不正确"
    assert await page.input_value("#account") == "138 1234 5678"
    assert await page.input_value("#password") == ""
    await picture(arriving, "sign_in_wrong")
    await page.click("summary")
    await picture(arriving, "sign_in_other_ways")
    await fill_and_send(arriving, password=PASSWORD)
    await arriving.ready()
    assert page.url == f"{arriving.site}/maps/issues?urgency=normal#/list?group=overdue"


async def test_too_many_failures_are_told_in_words(arriving: Visitor, conn: asyncpg.Connection) -> None:
    await give_password(conn, WORKER)
    page = arriving.page
    await page.goto(f"{arriving.site}/sign-in?lang=en")
    for at in range(6):
        async with page.expect_navigation():
            await fill_and_send(arriving, account=WORKER.number, password=f"guess guess {at}")
    assert await page.inner_text("[role=alert]") == "Too many failures; try again in 15 minutes"


async def test_an_administrator_is_led_to_a_second_factor_and_asked_for_it_ever_after(
    arriving: Visitor, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await give_password(conn, ADMINISTRATOR)
    page = arriving.page
    await page.goto(f"{arriving.site}/maps/issues?urgency=normal")
    await fill_and_send(arriving, account=ADMINISTRATOR.number, password=PASSWORD)
    await page.wait_for_url("**/second-factor?next=*")
    await picture(arriving, "second_factor_offer")
    await page.click("text=显示二维码")
    await page.wait_for_selector("img.qr")
    await page.locator("img.qr").evaluate("one => one.decode()")
    seen = Image.open(BytesIO(await page.locator("img.qr").screenshot()))
    scanned = zxingcpp.read_barcodes(seen)[0].text
    await page.click("summary")
    app = pyotp.TOTP((await page.inner_text(".secret")).replace(" ", ""))
    assert f"secret={app.secret}&" in scanned, "what is scanned is what is typed"
    await picture(arriving, "second_factor_confirm")
    await fill_and_send(arriving, code=app.at(clock()))
    await arriving.ready()
    assert page.url == f"{arriving.site}/maps/issues?urgency=normal"
    await leave(arriving)
    clock.forward(minutes=2)
    await page.goto(f"{arriving.site}/sign-in?next=/maps/issues")
    await fill_and_send(arriving, account=ADMINISTRATOR.number, password=PASSWORD)
    await page.wait_for_url("**/second-factor?next=*")
    await fill_and_send(arriving, code="123456")
    await page.wait_for_selector("[role=alert]:not([hidden])")
    await picture(arriving, "second_factor_show")
    await fill_and_send(arriving, code=app.at(clock()))
    await page.wait_for_url("**/maps/issues*")
    await arriving.ready()


async def test_ones_account_tells_what_was_done_and_changes_what_one_likes(
    arriving: Visitor, browser: Browser, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await give_password(conn, WORKER)
    by = Actor("member", str(ORGANISER.id))
    code = await give_code(conn, WORKER, purpose="lost_access", issued_by=by)
    page = arriving.page
    await page.goto(f"{arriving.site}/first-access#{code}")
    await fill_and_send(arriving, password=PASSWORD)
    await page.wait_for_url("**/desk/**")
    async with visiting(browser, arriving.site, **PHONE) as other:
        await other.page.goto(f"{arriving.site}/sign-in")
        await fill_and_send(other, account=WORKER.number, password=PASSWORD)
        await other.page.wait_for_url("**/account?next=*")
        phone = {"account": WORKER.number, "password": PASSWORD, "device": "<img src=x onerror=window.ran=1>"}
        answer = await other.page.context.request.post(f"{arriving.site}/api/devices", data=phone)
        assert answer.status == 201
    await page.goto(f"{arriving.site}/account")
    told = await page.inner_text(".told")
    assert f"{ORGANISER.name} 为您签发了新的一次性登录码" in told
    assert "<img src=x onerror=window.ran=1>" in await page.inner_text("main")
    await picture(arriving, "account")
    await page.click("text=知道了")
    await arriving.ready()
    await page.goto(f"{arriving.site}/account")
    assert await page.locator(".told").count() == 0
    page.on("dialog", lambda dialog: dialog.accept())
    async with page.expect_navigation():
        await page.click("text=退出其他所有登录")
    assert await page.locator(".things form").count() == 1, "the token that came from the command line is left"
    await page.fill("#present", PASSWORD)
    await page.fill("#password", ANOTHER)
    async with page.expect_navigation():
        await page.click("text=修改密码")
    await picture(arriving, "account_after")
    assert "您的密码已修改" in await page.inner_text(".told")


async def test_the_code_on_the_account_page_sets_collect_up(arriving: Visitor, conn: asyncpg.Connection) -> None:
    await give_password(conn, WORKER)
    page = arriving.page
    await page.goto(f"{arriving.site}/sign-in")
    await fill_and_send(arriving, account=WORKER.number, password=PASSWORD)
    await arriving.ready()
    await page.goto(f"{arriving.site}/account")
    await page.click("text=用 ODK Collect 走访")
    await page.fill("#collect-password", "guess guess guess")
    await page.click("text=显示二维码")
    await page.wait_for_selector("form[data-collect] [role=alert]:not([hidden])")
    await page.fill("#collect-password", PASSWORD)
    await page.click("text=显示二维码")
    code = page.locator("[data-collect-shown] img")
    await code.wait_for()
    await code.evaluate("one => one.decode()")
    await picture(arriving, "account_collect")
    (read,) = zxingcpp.read_barcodes(Image.open(BytesIO(await code.screenshot(scale="css"))).resize((840, 840)))
    settings = json.loads(zlib.decompress(base64.b64decode(read.text)))["general"]
    assert settings["server_url"] == f"{arriving.site}/openrosa"
    assert settings["password"] == await page.inner_text("[data-token]")
    by_collect = base64.b64encode(f"{settings['username']}:{settings['password']}".encode()).decode()
    headers = {"Authorization": f"Basic {by_collect}", "X-OpenRosa-Version": "1.0"}
    forms = await page.context.request.get(f"{settings['server_url']}/formList", headers=headers)
    assert forms.status == 200
    assert "<formID>visit</formID>" in await forms.text()
    await page.reload()
    assert settings["password"] not in await page.content(), "it is shown this once"

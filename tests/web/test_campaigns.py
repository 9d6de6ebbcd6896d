"""Campaigns as an administrator makes, changes and closes them, and as a member reads them."""

import os
from collections.abc import AsyncIterator

import asyncpg
import pytest
from playwright.async_api import Browser

from api.settings import Settings
from tests import doorsteps
from tests.conftest import ADMINISTRATOR, MEMBER, ORGANISER, Person, TestClock
from tests.web.conftest import DESK, PHONE, Visitor, served, visiting
from tests.web.town import MARKUP

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

PICTURES = os.environ.get("ZOUFANG_TEST_PICTURES")  # a folder to look at what was seen


@pytest.fixture
async def house(dsn: str, clock: TestClock) -> AsyncIterator[str]:
    """The address of a program on a district of the test's own."""
    async with served(Settings(database_url=dsn, pool_size=4), clock) as address:
        yield address


@pytest.fixture(params=["phone", "desk"])
async def visitor(request: pytest.FixtureRequest, browser: Browser, house: str) -> AsyncIterator[Visitor]:
    async with visiting(browser, house, **(PHONE if request.param == "phone" else DESK)) as arrived:
        yield arrived


async def enter(visitor: Visitor, who: Person, path: str) -> None:
    """Come in without seeing the door."""
    await visitor.page.context.request.post(f"{visitor.site}/sign-in", form={"token": who.token}, max_redirects=0)
    await visitor.page.goto(f"{visitor.site}{path}")


async def picture(visitor: Visitor, name: str) -> None:
    """Keep what is seen, and hold that it fits the window and is large enough to be hit."""
    await visitor.page.wait_for_load_state()
    width = visitor.page.viewport_size["width"] if visitor.page.viewport_size else 0
    assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= width
    small = await visitor.page.evaluate(
        "[...document.querySelectorAll('button, input:not([type=hidden], [type=checkbox]), .boxes label, select,"
        " summary, a.button')].filter(e => e.checkVisibility() && !e.hidden && e.getBoundingClientRect().height < 43.5)"
        ".map(e => e.outerHTML.slice(0, 80))"
    )
    assert small == []
    if PICTURES:
        await visitor.page.screenshot(path=f"{PICTURES}/{name}-{width}.png", full_page=True)


async def test_a_campaign_is_made_changed_and_closed(visitor: Visitor, conn: asyncpg.Connection) -> None:
    await doorsteps.questionnaire(conn)
    page = visitor.page
    await enter(visitor, ADMINISTRATOR, "/campaigns")
    assert "还没有走访活动" in await page.inner_text(".empty")
    await picture(visitor, "campaigns_empty")
    await page.fill("#name", "冬季大走访")
    await page.uncheck("[name=kinds][value=enterprise]")
    await page.fill("#starts", "2026-12-01T00:00")
    await page.fill("#ends", "2026-11-01T00:00")
    await page.select_option("#communities", ["410103001001", "410103001002"])
    await page.select_option("#questionnaire-shop", "shop")
    await page.fill("#promise", "三日内回复\n七日内解决")
    await page.click("main button[type=submit]")
    await page.wait_for_selector("[role=alert]:not([hidden])")
    assert await page.get_attribute("#ends", "aria-invalid") == "true"
    await picture(visitor, "campaign_refused")
    await page.fill("#ends", "2027-03-01T00:00")
    await page.click("main button[type=submit]")
    await page.wait_for_selector("h1:text-is('冬季大走访')")
    await page.wait_for_load_state()  # all of it is there, not its heading alone
    said = await page.inner_text("dl")
    assert "商铺、住户" in said
    assert "近邻社区、隔壁社区" in said
    assert "七日内解决" in said
    await picture(visitor, "campaign")

    await page.click("text=调整内容")
    await page.fill("#name", MARKUP[0])
    await page.fill("#promise", "")
    await page.select_option("#questionnaire-shop", "")
    await page.fill("#reason", "另有安排")
    await picture(visitor, "campaign_form")
    await page.click("text=保存")
    await page.wait_for_selector(".reason")
    await page.wait_for_load_state()
    assert await page.inner_text("h1") == MARKUP[0]
    assert "承诺" not in await page.inner_text("dl")
    assert "问卷" not in await page.inner_text("dl")
    page.once("dialog", lambda dialog: dialog.accept())
    await page.click("text=结束活动")
    await page.fill("#close-reason", "提前完成")
    await page.click(".button-danger")
    await page.wait_for_selector(".state.closed")
    await page.wait_for_load_state()
    assert await page.locator("form").count() == 0
    await page.goto(f"{visitor.site}/campaigns?lang=en")
    assert "Closed" in await page.inner_text(".list")
    await picture(visitor, "campaigns")


async def test_a_member_reads_and_an_organiser_chooses_of_their_own(visitor: Visitor, conn: asyncpg.Connection) -> None:
    await doorsteps.campaign(conn)
    page = visitor.page
    await enter(visitor, MEMBER, "/account")
    await page.click("a.button:text-is('走访活动')")
    await page.click("text=冬季大走访")
    await page.wait_for_selector("h1:text-is('冬季大走访')")
    await page.wait_for_load_state()
    assert await page.locator("form").count() == 0
    assert await page.locator("a[href$='/assignment']").count() == 0
    await page.context.clear_cookies()
    await enter(visitor, ORGANISER, "/campaigns?lang=en")
    options = await page.locator("#organisations option").all_text_contents()
    await page.click("summary")
    assert options == ["第一支部", "第一支部/第一小组"]
    assert await page.get_attribute("#organisations", "required") is not None
    await picture(visitor, "campaigns_organiser")
    await page.click("text=冬季大走访")
    await page.click("text=Who visits which door")
    await visitor.ready()
    assert await page.is_visible("#empty")

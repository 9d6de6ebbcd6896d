"""A round of ratings as an administrator makes it and follows it, and as a member finds what they have to rate."""

import os
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
from playwright.async_api import Browser, expect

from api.settings import Settings
from tests import rating_rounds
from tests.conftest import ADMINISTRATOR, LEADER, MEMBER, NOW, ORGANISATION, Person, TestClock
from tests.rating_rounds import DAY
from tests.web.accessible import violations
from tests.web.conftest import DESK, PHONE, Visitor, served, visiting

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
    await visitor.page.context.clear_cookies()
    await visitor.page.context.request.post(f"{visitor.site}/sign-in", form={"token": who.token}, max_redirects=0)
    await visitor.page.goto(f"{visitor.site}{path}")


async def picture(visitor: Visitor, name: str) -> None:
    """Keep what is seen, and hold that it fits the window and that axe finds nothing wrong."""
    await visitor.page.wait_for_load_state()
    width = visitor.page.viewport_size["width"] if visitor.page.viewport_size else 0
    assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= width
    if PICTURES:
        await visitor.page.screenshot(path=f"{PICTURES}/{name}-{width}.png", full_page=True)
    assert await violations(visitor.page) == []


async def test_a_round_is_made_and_each_finds_what_is_theirs(visitor: Visitor, conn: asyncpg.Connection) -> None:
    page = visitor.page
    await enter(visitor, ADMINISTRATOR, "/assessments")
    assert "还没有考核" in await page.inner_text("main")
    await picture(visitor, "assessments_empty")
    await rating_rounds.publish(conn)
    await page.click("text=发起考核")
    await page.click("text=小评分表")
    await page.fill("#name", "四季度考核")
    await page.check("[name=late_leaders]")
    await picture(visitor, "round_new")
    opens = await page.input_value("#opens")
    await page.fill("#self_until", opens)
    await page.click("main button[type=submit]")
    await page.wait_for_selector("[role=alert]:not([hidden])")
    assert await page.get_attribute("#self_until", "aria-invalid") == "true"
    await page.fill("#self_until", await page.input_value("#people_until"))
    await page.click("main button[type=submit]")
    await page.wait_for_selector("h1:text-is('四季度考核')")
    await expect(page.locator(".shell-actions")).to_contain_text("未开始")


async def test_who_is_missing_is_reminded_and_an_appeal_is_decided(visitor: Visitor, conn: asyncpg.Connection) -> None:
    page = visitor.page
    await rating_rounds.publish(conn)
    under_way = await rating_rounds.held(conn, NOW - 2 * DAY, NOW, name="十月考核")
    await enter(visitor, MEMBER, "/assessments")
    assert await page.locator("section[aria-labelledby=tasks-title] .list li").count() >= 3
    await picture(visitor, "assessments_member")
    await enter(visitor, ADMINISTRATOR, f"/assessments/rounds/{under_way}")
    await page.click(".groups li:has-text('领导点评') a")
    await page.click("text=提醒他们")
    await page.wait_for_selector(".missing :text('已提醒')")
    await picture(visitor, "round_under_way")

    over = await rating_rounds.held(conn, NOW - 20 * DAY, NOW, name="三季度考核")
    appealed = {"id": str(uuid4()), "item": "A1", "reason": "<b>漏记</b>两次走访"}
    answer = await page.context.request.post(
        f"{visitor.site}/api/assessments/rounds/{over}/results/{MEMBER.id}/appeals",
        data=appealed,
        headers=MEMBER.headers,
    )
    assert answer.status == 201
    await enter(visitor, LEADER, f"/assessments/rounds/{over}")
    assert "<b>漏记</b>" in await page.inner_text(".appeal")
    assert await page.locator(".results tbody tr").count() >= 10
    await picture(visitor, "round_results")
    await enter(visitor, MEMBER, "/assessments")
    assert "三季度考核" in await page.inner_text("section[aria-labelledby=own-title]")


async def test_a_window_is_added_renamed_and_closed(visitor: Visitor) -> None:
    page = visitor.page
    await enter(visitor, MEMBER, "/assessments/windows")
    assert "还没有服务窗口" in await page.inner_text("main")
    assert await page.locator("#add").count() == 0
    await enter(visitor, ADMINISTRATOR, "/assessments")
    await page.click(".ways-on :text('服务窗口')")
    await picture(visitor, "windows_empty")
    await page.select_option("#organisation", str(ORGANISATION))
    await page.click("#add button")
    for name in "社保窗口", "<b>医保</b>窗口":
        await page.fill("#name", name)
        await page.select_option("#member", str(MEMBER.id))
        await page.click("#add .button-main")
        await page.wait_for_selector(f".window-list h2:text-is('{name}')")
    await page.click("summary:has-text('社保窗口')")
    await picture(visitor, "windows")
    renamed = page.locator(".window-list li:has-text('社保窗口')")
    await renamed.locator("[name=name]").fill("<b>医保</b>窗口")
    await renamed.locator("form >> nth=0").locator("button").click()
    await expect(renamed.locator("[role=alert]").first).to_have_text("这个党组织已有同名的服务窗口")
    await renamed.locator("[name=name]").fill("综合窗口")
    await renamed.locator("form >> nth=0").locator("button").click()
    await page.wait_for_selector(".window-list h2:text-is('综合窗口')")
    page.on("dialog", lambda dialog: dialog.accept())
    await page.click("summary:has-text('综合窗口')")
    await page.click(".window-list li:has-text('综合窗口') button:text-is('撤销窗口')")
    await expect(page.locator(".window-list h2")).to_have_text(["<b>医保</b>窗口"])

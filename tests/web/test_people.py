"""Looking after people, as an organiser at a phone and an administrator at a desk see it."""

import os
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect

from api.settings import Settings
from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    MEMBER,
    MEMBER_BELOW,
    ORGANISER,
    WORKER,
    Client,
    Person,
    TestClock,
)
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
    """Come in without seeing the door."""
    await visitor.page.context.request.post(f"{visitor.site}/sign-in", form={"token": who.token}, max_redirects=0)
    await visitor.page.goto(f"{visitor.site}{path}")


async def picture(visitor: Visitor, name: str) -> None:
    """Keep what is seen, and hold that it fits the window and is large enough to be hit."""
    await visitor.page.wait_for_load_state()
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


async def test_an_organiser_takes_somebody_in_and_lets_them_in(visitor: Visitor) -> None:
    page = visitor.page
    await enter(visitor, ORGANISER, "/people")
    assert await page.locator(".list li").count() == int(await page.inner_text(".above .number"))
    await picture(visitor, "people")
    await page.click("text=加入党员")
    await picture(visitor, "people_new")
    await page.fill("#name", "新同志")
    await page.fill("#number", MEMBER.number)
    await page.click("main button[type=submit]")
    await page.wait_for_selector("[role=alert]:not([hidden])")
    assert await page.inner_text("[role=alert]") == "这个党员编号已被使用"
    await picture(visitor, "people_new_refused")
    await page.fill("#number", "EQ90001")
    await page.fill("#phone", "13903715566")
    await page.click("main button[type=submit]")
    await page.wait_for_selector("#code-reason")
    await expect(page.locator("dl").first).to_contain_text("139****5566")
    await page.fill("#code-reason", "首次登录")
    await page.click("[data-code] button")
    await page.wait_for_selector("#issued:not([hidden])")
    assert (await page.inner_text("#code")).startswith("410103-")
    await picture(visitor, "people_code")
    await page.reload()
    assert await page.is_hidden("#issued"), "it is shown this once"


async def test_somebody_is_away_and_comes_back(visitor: Visitor, client: Client) -> None:
    await doors.file(client, MEMBER, drafts.visit(issues=[drafts.issue()]))
    page = visitor.page
    await enter(visitor, ADMINISTRATOR, f"/people/{WORKER.id}")
    await page.click("text=登记离岗")
    await page.fill("#absence-deputy", "无此编号")
    await page.fill("#starts", "2026-11-22T08:00")
    await page.fill("#ends", "2026-11-30T18:00")
    await picture(visitor, "person_absence")
    await page.click("button:text-is('登记')")
    await page.wait_for_selector("[aria-labelledby=absence-title] [role=alert]:not([hidden])")
    await page.fill("#absence-deputy", MEMBER.number)
    await page.click("button:text-is('登记')")
    await page.wait_for_selector(".title .state.absent")
    await expect(page.locator(".events").first).to_contain_text("移交问题 1")
    await picture(visitor, "person_absent")
    await page.click("text=提前返岗")
    await page.wait_for_selector(".title .state.active")


async def test_an_administrator_gives_a_role_and_closes(visitor: Visitor) -> None:
    page = visitor.page
    page.on("dialog", lambda dialog: dialog.accept())
    await enter(visitor, ADMINISTRATOR, f"/people/{MEMBER_BELOW.id}")
    await page.click("text=授予角色")
    await page.select_option("#role", "community_worker")
    await page.fill("#scope", "近邻社区")
    await page.click("button:text-is('授予')")
    await page.wait_for_selector(".rows li:has-text('近邻社区')")
    await page.click("summary:text-is('已离开')")
    await page.fill("#close-reason", "退休")
    await picture(visitor, "person_close")
    await page.click("button:text-is('关闭')")
    await page.wait_for_selector(".title .state.left")
    await picture(visitor, "person_left")


async def test_who_reaches_further_is_only_looked_at(visitor: Visitor) -> None:
    await enter(visitor, ORGANISER, f"/people/{ADMINISTRATOR.id}")
    assert await visitor.page.locator("form").count() == 0
    await picture(visitor, "person_beyond")


async def test_who_is_not_there_and_who_may_not_look(visitor: Visitor) -> None:
    page = visitor.page
    await enter(visitor, ORGANISER, "/people?text=没有这个人")
    assert "没有符合条件的人员" in await page.inner_text("main")
    await picture(visitor, "people_empty")
    await enter(visitor, MEMBER, "/people?lang=en")
    assert "Your role does not allow this" in await page.inner_text("main")
    await picture(visitor, "people_not_allowed")


async def test_in_english(visitor: Visitor) -> None:
    await enter(visitor, ADMINISTRATOR, "/people?lang=en")
    await picture(visitor, "people_english")
    await visitor.page.click(".list a >> nth=0")
    await picture(visitor, "person_english")

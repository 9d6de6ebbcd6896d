"""How far a campaign has come, as a leader sees it at a desk and on a phone."""

import os
from collections.abc import AsyncIterator

import asyncpg
import pytest
from playwright.async_api import Browser

from api.settings import Settings
from tests import doorsteps
from tests.conftest import AUDITOR, LEADER, NEAR, Client, Person, TestClock
from tests.street import walk
from tests.web.conftest import DESK, PHONE, Visitor, served, visiting

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

PICTURES = os.environ.get("ZOUFANG_TEST_PICTURES")  # a folder to look at what was seen
PAGE = "/campaigns/winter/coverage"


@pytest.fixture
async def house(dsn: str, clock: TestClock) -> AsyncIterator[str]:
    """The address of a program on a district of the test's own."""
    async with served(Settings(database_url=dsn, pool_size=4), clock) as address:
        yield address


@pytest.fixture(params=["phone", "desk"])
async def visitor(request: pytest.FixtureRequest, browser: Browser, house: str) -> AsyncIterator[Visitor]:
    async with visiting(browser, house, **(PHONE if request.param == "phone" else DESK)) as arrived:
        yield arrived


async def enter(visitor: Visitor, who: Person, path: str = PAGE) -> None:
    """Come in without seeing the door."""
    await visitor.page.context.request.post(f"{visitor.site}/sign-in", form={"token": who.token}, max_redirects=0)
    await visitor.page.goto(f"{visitor.site}{path}")


async def picture(visitor: Visitor, name: str) -> None:
    """Keep what is seen, and hold that it fits the window and is large enough to be hit."""
    width = visitor.page.viewport_size["width"] if visitor.page.viewport_size else 0
    assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= width
    small = await visitor.page.evaluate(
        "[...document.querySelectorAll('main button, main input:not([type=hidden]), main select, main a')]"
        ".filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 43.5)"
        ".map(e => e.outerHTML.slice(0, 80))"
    )
    assert small == []
    if PICTURES:
        await visitor.page.screenshot(path=f"{PICTURES}/{name}-{width}.png", full_page=True)


async def test_a_number_opens_its_doors(visitor: Visitor, client: Client, conn: asyncpg.Connection) -> None:
    await walk(client, conn)
    page = visitor.page
    await enter(visitor, LEADER)
    await visitor.ready()
    assert await page.inner_text(".figures .large >> nth=0 >> .of .number") == "5"
    await picture(visitor, "coverage")
    async with page.expect_navigation():
        await page.click(".figures a:has-text('三次未见')")
    assert await page.locator("#doors .list li").count() == 1
    assert await page.inner_text("#doors .list .state") == "无人 ×3"
    async with page.expect_navigation():
        await page.click("text=显示全部")
    assert await page.inner_text("#doors .above .number") == "7"
    row = page.locator(f"tr:has(th[data-value='{NEAR}'])")
    async with page.expect_navigation():
        await row.locator("td >> nth=2").locator("a").click()
    assert "近邻社区" in await page.inner_text("#doors-title")
    assert await page.inner_text("#doors .above .number") == "2"
    async with page.expect_navigation():  # the page before it was ready as well
        await page.click("nav.tabs >> text=党员")
    await visitor.ready()
    await picture(visitor, "coverage_members")


async def test_columns_are_sorted(visitor: Visitor, client: Client, conn: asyncpg.Connection) -> None:
    await walk(client, conn)
    page = visitor.page
    await enter(visitor, LEADER)
    await visitor.ready()
    doors = "tbody td:nth-child(2)"
    await page.click("thead button:text-is('名册总数')")
    assert await page.locator(doors).all_inner_texts() == ["4", "1", "1", "1"]
    await page.click("thead button:text-is('名册总数')")
    assert await page.locator(doors).all_inner_texts() == ["1", "1", "1", "4"]


async def test_the_map_shows_doors_from_near(visitor: Visitor, client: Client, conn: asyncpg.Connection) -> None:
    await walk(client, conn)
    page = visitor.page
    await enter(visitor, LEADER, f"{PAGE}?lang=en")
    await visitor.ready()
    assert await page.locator(".map .area").count() == 3
    assert await page.locator(".map .area.share-4").count() == 2, "the near community, and the next"
    await page.check("[value=met_rate]")
    assert await page.locator(".map .area.share-2").count() == 1
    await page.locator(".map .area").first.click()
    await page.wait_for_selector(".map .door.state-not_home")
    for state in ("met", "not_home", "declined", "proposed"):
        assert await page.locator(f".map .door.state-{state}").count() > 0, state
    await picture(visitor, "coverage_english")


async def test_what_was_typed_stays_text(visitor: Visitor, client: Client, conn: asyncpg.Connection) -> None:
    bad = "<img src=x onerror=window.ran=1>${7*7}"
    await doorsteps.campaign(conn, name=bad)
    await doorsteps.register(conn, [doorsteps.Door(name=bad, address=bad)])
    await enter(visitor, LEADER)
    await visitor.ready()
    assert await visitor.page.inner_text("#doors .list .name") == bad
    await picture(visitor, "coverage_one_door")


async def test_nothing_to_count_and_nobody_to_look(visitor: Visitor, client: Client, conn: asyncpg.Connection) -> None:
    await doorsteps.campaign(conn)
    await enter(visitor, LEADER)
    assert "名册中还没有" in await visitor.page.inner_text("main")
    await picture(visitor, "coverage_empty")
    await enter(visitor, AUDITOR)
    assert "权限" in await visitor.page.inner_text("main") or "角色" in await visitor.page.inner_text("main")

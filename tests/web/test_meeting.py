"""A leader's meeting: where, how many, how late, are people satisfied, and the same number wherever one asks."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from playwright.async_api import Browser, Page

from api.jobs import Runner
from api.settings import Settings
from tests import briefs
from tests.conftest import LEADER, NEAR, NOW, RING, TestClock
from tests.web.accessible import violations
from tests.web.conftest import PHONE, Visitor, served, visiting
from tests.web.test_people import PICTURES, enter

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.timeout(300)]

SCREENS: dict[str, dict[str, object]] = {
    "phone": PHONE,
    "laptop": {"viewport": {"width": 1366, "height": 768}},
    "projector": {"viewport": {"width": 1920, "height": 1080}},
}


@pytest.fixture
def settings(dsn: str) -> Settings:
    return Settings(database_url=dsn, pool_size=4)


@pytest.fixture
async def house(conn: asyncpg.Connection, settings: Settings, clock: TestClock) -> AsyncIterator[str]:
    """The address of a program on a district with a year's issues and what residents said of them."""
    await briefs.settle(conn, NOW - timedelta(days=1))
    async with served(settings, clock) as address:
        yield address


async def look(visitor: Visitor, name: str) -> None:
    """What everybody can read and touch; kept as a picture for who looks at it."""
    assert await violations(visitor.page) == []
    size = visitor.page.viewport_size
    if PICTURES and size:
        await visitor.page.screenshot(path=Path(PICTURES) / f"meeting_{name}-{size['width']}.png")


async def counted_at_the_desk(page: Page) -> int:
    """The total of the board that is open."""
    await page.wait_for_selector("#total .number")
    return int((await page.inner_text("#total .number")).replace(",", ""))


@pytest.mark.parametrize("screen", SCREENS)
async def test_a_meeting_asks_and_every_page_gives_the_same_answer(
    browser: Browser, house: str, settings: Settings, clock: TestClock, screen: str
) -> None:
    async with visiting(browser, house, **SCREENS[screen]) as visitor:
        page = visitor.page

        # where, and how many?
        await enter(visitor, LEADER, "/maps/issues")
        await visitor.ready()
        open_on_the_map = await visitor.number(".totals .figure .number")
        await look(visitor, "map")

        # are people satisfied, and who says so?
        await visitor.open("/maps/issues?layer=satisfaction#/areas")
        await page.wait_for_selector(f"tr[data-place='{NEAR}']")
        await look(visitor, "satisfaction")

        # how late, and is it getting better? the same number as on the map, and its list
        await page.goto(f"{house}/dashboards")
        await page.wait_for_load_state("networkidle")
        await look(visitor, "dashboard")
        standing = page.locator("a", has=page.locator("text='未结'")).first
        open_on_the_dashboard = int((await standing.locator(".number").inner_text()).replace(",", ""))
        assert open_on_the_dashboard == open_on_the_map
        async with page.expect_navigation():
            await standing.click()
        assert await counted_at_the_desk(page) == open_on_the_map
        await look(visitor, "list")

        # what is handed out afterwards
        await page.goto(f"{house}/reports")
        await page.select_option("#make-period", "2026-W46")
        await page.click("text=开始编制")
        await page.wait_for_selector(".report-makings progress")
        await Runner(settings.database_url or "", clock, lambda: RING, settings).work_off()
        await page.wait_for_selector(".report-list li", timeout=60_000)
        await look(visitor, "briefs")
        async with page.expect_download(timeout=120_000) as download:
            await page.click(".report-list >> text=PDF")
        assert (await asyncio.to_thread(Path(await (await download.value).path()).read_bytes)).startswith(b"%PDF")

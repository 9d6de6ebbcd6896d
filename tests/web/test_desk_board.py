"""The board as those who work through issues see it, at a desk and on a phone."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.conftest import WORKER
from tests.web.accessible import violations
from tests.web.conftest import PHONE, Visitor, visiting
from tests.web.test_people import PICTURES, enter
from tests.web.town import stock

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

SCREENS: dict[str, Any] = {
    "phone": PHONE,
    "desk": {"viewport": {"width": 1366, "height": 768}},
    "wide": {"viewport": {"width": 1920, "height": 1080}},
}


@pytest.fixture(params=SCREENS)
async def screen(request: pytest.FixtureRequest, browser: Browser, site: str) -> AsyncIterator[Visitor]:
    async with visiting(browser, site, **SCREENS[request.param]) as arrived:
        yield arrived


@pytest.fixture
async def desk(browser: Browser, site: str) -> AsyncIterator[Visitor]:
    async with visiting(browser, site, **SCREENS["desk"]) as arrived:
        yield arrived


async def picture(visitor: Visitor, name: str) -> None:
    """Keep what is seen, for who looks at it."""
    size = visitor.page.viewport_size
    if PICTURES and size:
        await visitor.page.screenshot(path=f"{PICTURES}/{name}-{size['width']}.png")


async def test_a_worker_begins_with_what_they_answer_for(screen: Visitor) -> None:
    page = screen.page
    await enter(screen, WORKER, "/desk/")
    await page.wait_for_selector("[data-queue=mine] .number:text-is('17')")
    assert await page.locator("[data-queue=overdue] .number").inner_text() == str(stock("overdue"))
    assert await page.locator("tr[data-issue]").count() == stock("reported", "in_hand", "overdue")
    assert await page.locator("tr[data-issue] .time").first.inner_text() != ""
    assert await violations(page) == []
    await picture(screen, "board")
    async with page.expect_navigation():
        await page.click("[data-queue=offered]")
    assert "没有请您接办的问题" in await page.inner_text("main")
    await picture(screen, "board_empty")
    await page.goto(f"{screen.site}/desk/?lang=en&state=closed&as_of=2026-11-20")
    assert "20 Nov 2026" in await page.inner_text(".desk-past")
    await page.click(".desk-filters summary")
    assert await violations(page) == []
    await picture(screen, "board_past_en")

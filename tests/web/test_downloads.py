"""The page of what one takes along: offered at once when small, made in the background when large, and fetched."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from playwright.async_api import Browser, expect

from api.jobs import Runner
from api.settings import Settings
from tests.conftest import LEADER, RING, TestClock
from tests.web.accessible import violations
from tests.web.conftest import PHONE, Visitor, served, visiting
from tests.web.test_people import PICTURES, enter
from tests.web.town import stock

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

SCREENS: dict[str, Any] = {
    "phone": PHONE,
    "desk": {"viewport": {"width": 1366, "height": 768}},
    "wide": {"viewport": {"width": 1920, "height": 1080}},
}


@pytest.fixture(params=SCREENS)
async def screen(request: pytest.FixtureRequest, browser: Browser, town_dsn: str, tmp_path: Path) -> AsyncIterator[Any]:
    """A visitor of a program with files of its own, and what makes them."""
    settings = Settings(database_url=town_dsn, data=tmp_path / "data", pool_size=4)
    async with served(settings) as site, visiting(browser, site, **SCREENS[request.param]) as arrived:
        yield arrived, Runner(town_dsn, TestClock(), lambda: RING, settings)
    conn = await asyncpg.connect(town_dsn)
    await conn.execute("delete from made_file")
    await conn.close()


async def picture(visitor: Visitor, name: str) -> None:
    """Keep what is seen, for who looks at it."""
    size = visitor.page.viewport_size
    if PICTURES and size:
        await visitor.page.screenshot(path=f"{PICTURES}/{name}-{size['width']}.png")


async def test_a_small_list_leaves_at_once_and_a_large_one_is_made(
    screen: tuple[Visitor, Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor, runner = screen
    page = visitor.page
    await enter(visitor, LEADER, "/exports")
    await expect(page.locator(".exports-empty")).to_contain_text("还没有文件")
    assert await violations(page) == []
    await picture(visitor, "exports_empty")

    await page.goto(f"{visitor.site}/exports?of=issues&group=solved&group=reported&community=410103001001")
    await expect(page.locator(".exports-offer dl")).to_contain_text("已解决、上报")
    async with page.expect_download() as coming:
        await page.click(".exports-offer a:has-text('CSV')")
    download = await coming.value
    assert download.suggested_filename.endswith("-问题-2026-11-23.csv")
    await picture(visitor, "exports_small")

    monkeypatch.setattr("api.made_file_pages.AT_ONCE", 3)
    await page.goto(f"{visitor.site}/exports?of=issues")
    await expect(page.locator(".exports-count .number")).to_have_text(str(stock()))
    assert await violations(page) == []
    await picture(visitor, "exports_large")
    await page.click("button:has-text('生成 Excel')")
    await page.click("button:has-text('生成 GeoPackage')")
    bars = page.locator(".exports-file progress")
    await expect(bars).to_have_count(2)
    assert await violations(page) == []
    await picture(visitor, "exports_waiting")
    cancel = page.locator(".exports-file", has_text="GeoPackage").locator("button")
    await cancel.hover()
    await page.mouse.down()
    for _ in range(2):  # the list is read again while the button is held down, and leaves it where it is
        await page.wait_for_event("requestfinished", lambda request: "/exports/list" in request.url)
    await page.mouse.up()
    await expect(page.locator(".exports-file.cancelled")).to_have_count(1)
    await runner.work_off()
    await expect(page.locator(".exports-file.ready")).to_have_count(1)
    assert await violations(page) == []
    await picture(visitor, "exports_ready")
    async with page.expect_download() as coming:
        await page.click(".exports-file.ready a:has-text('下载')")
    download = await coming.value
    assert download.suggested_filename.endswith("-问题-2026-11-23.xlsx")
    file = await download.path()
    assert (await asyncio.to_thread(file.read_bytes)).startswith(b"PK")
    await page.goto(f"{visitor.site}/exports?lang=en&of=rates&by=street")
    await expect(page.locator("h1")).to_have_text("Downloads")
    assert await violations(page) == []
    await picture(visitor, "exports_en")


async def test_what_cannot_be_made_is_said_where_it_was_asked_for(
    screen: tuple[Visitor, Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor, _ = screen
    page = visitor.page
    monkeypatch.setattr("api.made_file_pages.AT_ONCE", 3)
    monkeypatch.setattr("api.export_making.SPARE_BYTES", 1 << 60)
    await enter(visitor, LEADER, "/exports?of=issues")
    await page.click("button:has-text('生成 CSV')")
    await expect(page.locator(".exports-alert")).to_contain_text("磁盘空间不足")
    visitor.complaints.clear()  # the browser says of every refusal that it was refused

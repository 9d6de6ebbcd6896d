"""The page of briefs: empty, being made, listed, one of them on the screen, and the template; at a desk, on a phone."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from playwright.async_api import Browser, expect

from api.jobs import Runner
from api.settings import Settings
from tests import briefs
from tests.conftest import ADMINISTRATOR, MEMBER, NOW, RING, WORKER, TestClock
from tests.web.accessible import violations
from tests.web.conftest import PHONE, Visitor, served, visiting

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.timeout(600)]

DESKS: dict[str, dict[str, object]] = {
    "phone": PHONE,
    "desk": {"viewport": {"width": 1366, "height": 768}},
    "wide": {"viewport": {"width": 1920, "height": 1080}},
}


@pytest.fixture
def settings(dsn: str) -> Settings:
    return Settings(database_url=dsn, pool_size=4)


@pytest.fixture
async def place(conn: asyncpg.Connection, settings: Settings, clock: TestClock) -> AsyncIterator[str]:
    await briefs.settle(conn, NOW - timedelta(days=1))
    async with served(settings, clock) as address:
        yield address


async def shown(visitor: Visitor, name: str) -> None:
    """Accessible, and kept as a picture where somebody wants to look."""
    assert await violations(visitor.page) == []
    if folder := os.environ.get("ZOUFANG_TEST_SCREENS"):
        await visitor.page.screenshot(path=Path(folder) / f"reports-{name}.png", full_page=True)


async def arrive(visitor: Visitor, path: str, token: str) -> None:
    await visitor.page.context.request.post(f"{visitor.site}/sign-in", form={"token": token}, max_redirects=0)
    await visitor.page.goto(visitor.site + path)


@pytest.mark.parametrize("size", ["phone", "desk", "wide"])
async def test_a_brief_is_made_and_read(
    browser: Browser, place: str, settings: Settings, clock: TestClock, size: str
) -> None:
    runner = Runner(settings.database_url or "", clock, lambda: RING, settings)
    async with visiting(browser, place, **DESKS[size]) as visitor:
        page = visitor.page
        await arrive(visitor, "/reports", ADMINISTRATOR.token)
        assert await page.is_visible("text=还没有简报")
        await shown(visitor, f"{size}-empty")
        await page.select_option("#make-period", "2026-W46")
        await page.select_option("#make-scope", "all")
        await page.click("text=开始编制")
        await page.wait_for_selector(".report-makings progress")
        await shown(visitor, f"{size}-making")
        await runner.work_off()
        await expect(page.locator(".report-list li")).to_have_count(6, timeout=60_000)
        await page.wait_for_load_state()
        assert await page.locator(".report-makings").count() == 0
        await shown(visitor, f"{size}-list")
        await page.select_option("#scope", label="淮河路街道 · 近邻社区")
        await page.click("text=查看")
        await page.wait_for_url("**scope=community**")
        assert await page.locator(".report-list li").count() == 1
        await page.click(".report-list a")
        await page.wait_for_selector("text=近邻社区走访工作简报（周报）")
        await shown(visitor, f"{size}-one")
        async with page.expect_download(timeout=120_000) as download:
            await page.click("text=PDF")
        fetched = await (await download.value).path()
        assert await asyncio.to_thread(fetched.read_bytes)


async def test_other_cases_are_chosen(browser: Browser, place: str, settings: Settings, clock: TestClock) -> None:
    runner = Runner(settings.database_url or "", clock, lambda: RING, settings)
    async with visiting(browser, place, **DESKS["desk"]) as visitor:
        page = visitor.page
        await arrive(visitor, "/reports?lang=en", WORKER.token)
        await page.click("text=Make the brief")
        await page.wait_for_selector(".report-makings progress")
        await runner.work_off()
        await page.wait_for_selector(".report-list li", timeout=60_000)
        await page.click(".report-list a")
        await page.click("summary:has-text('Choose other cases')")
        await page.fill("#case-0", "20010")
        await page.click("text=Choose these cases")
        await page.wait_for_selector("[role=alert]:has-text('20010')")
        await shown(visitor, "cases-refused")
        for at, number in enumerate(("20005", "20003", "")):
            await page.fill(f"#case-{at}", number)
        await page.click("text=Choose these cases")
        await page.wait_for_selector("text=Version 2: good cases chosen by hand")
        await expect(page.locator(".report-cases li")).to_have_count(2)


async def test_a_template_is_refused_and_taken(browser: Browser, place: str, tmp_path: Path) -> None:
    from tests.api.test_report_templates import template

    wrong, right = tmp_path / "wrong.docx", tmp_path / "right.docx"
    wrong.write_bytes(template("{{ titel }}"))
    right.write_bytes(template("{{ title }}"))
    async with visiting(browser, place, **DESKS["desk"]) as visitor:
        page = visitor.page
        await arrive(visitor, "/reports", ADMINISTRATOR.token)
        await page.click("summary:has-text('Word 模板')")
        await page.set_input_files("#template-file", wrong)
        await page.click("text=上传模板")
        await page.wait_for_selector("[role=alert]:has-text('titel')", timeout=60_000)
        await shown(visitor, "template-refused")
        await page.set_input_files("#template-file", right)
        await page.click("text=上传模板")
        await page.wait_for_selector(".report-versions", state="attached", timeout=60_000)


async def test_who_looks_after_no_place_is_told(browser: Browser, place: str) -> None:
    async with visiting(browser, place, **PHONE) as visitor:
        await arrive(visitor, "/reports", MEMBER.token)
        assert await visitor.page.is_visible("text=您没有负责的区域")
        await shown(visitor, "nobody")

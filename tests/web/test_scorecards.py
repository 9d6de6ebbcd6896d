"""The page of scorecards: nothing yet, a file with faults, the same file put right, and one looked at."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from playwright.async_api import Browser, FilePayload, expect

from api import database
from api.settings import Settings
from tests.api.test_instruments import book, spoilt, workbook
from tests.conftest import ADMINISTRATOR, MEMBER, Server
from tests.web import town
from tests.web.accessible import violations
from tests.web.conftest import DESK, PHONE, served, visiting

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

PICTURES = os.environ.get("PICTURES")  # a folder, to look at the screens
PATH = "/assessments/instruments"


@pytest.fixture
async def site(server: Server, template: str) -> AsyncIterator[str]:
    name = f"scorecards_{uuid4().hex[:8]}"
    admin = await asyncpg.connect(server.dsn())
    await admin.execute(f"create database {name} template {template}")
    dsn = server.dsn("zoufang_app", name)
    conn = await database.connect(dsn)
    await conn.close()
    async with served(Settings(database_url=dsn, pool_size=4)) as address:
        yield address
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


def file(content: bytes) -> FilePayload:
    return {"name": "党员.xlsx", "mimeType": "application/octet-stream", "buffer": content}


async def test_a_file_with_faults_is_put_right_and_published(site: str, browser: Browser) -> None:
    async with visiting(browser, site, **DESK) as visitor:
        page = visitor.page
        await page.context.request.post(f"{site}/sign-in", form={"token": ADMINISTRATOR.token}, max_redirects=0)
        await page.goto(site + PATH)
        await expect(page.locator(".empty")).to_contain_text("还没有评分表")
        assert await violations(page) == []
        rows = spoilt("items", 4, maximum="0", text=town.MARKUP[0])
        rows["groups"][0]["weight"] = "11"
        await page.set_input_files("#file", file(workbook(rows)))
        await page.click("#import button[type=submit]")
        await expect(page.locator("#faults tbody tr")).to_have_count(2)
        await expect(page.locator("#faults tbody tr").first).to_contain_text("满分")
        await expect(page.locator("#import [role=alert]")).to_contain_text("有 2 处错误")
        assert await violations(page) == []
        if PICTURES:
            await page.screenshot(path=Path(PICTURES) / "scorecards-faults.png", full_page=True)
        visitor.complaints[:] = [one for one in visitor.complaints if "422" not in one]

        rows = book()
        rows["items"][2]["text"] = town.MARKUP[0]
        rows["settings"][2]["value"] = town.MARKUP[2]
        await page.set_input_files("#file", file(workbook(rows)))
        await page.click("#import button[type=submit]")
        await expect(page.locator("#preview-title")).to_contain_text("window.ran=3")
        await expect(page.locator("#preview .score-items > li")).to_have_count(20)
        await expect(page.locator("#preview")).to_contain_text("星")
        assert await violations(page) == []
        if PICTURES:
            await page.screenshot(path=Path(PICTURES) / "scorecards-preview.png", full_page=True)
        await page.reload()
        await expect(page.locator(".empty")).to_contain_text("还没有评分表")  # looking published nothing
        await page.set_input_files("#file", file(workbook(rows)))
        await page.click("#import button[type=submit]")
        await page.click("#preview [data-publish]")
        await expect(page.locator("h2").first).to_contain_text("window.ran=3")
        await page.set_input_files("#file", file(workbook(rows)))
        await page.click("#import button[type=submit]")
        await expect(page.locator("#preview")).to_contain_text("已经发布过")
        await expect(page.locator("#preview [data-publish]")).to_have_count(0)
        rows["items"][2]["text"] = "别的内容"
        await page.set_input_files("#file", file(workbook(rows)))
        await expect(page.locator("#preview")).to_be_empty()
        await page.click("#import button[type=submit]")
        await expect(page.locator("#import [role=alert]")).to_contain_text("内容不同")
        visitor.complaints[:] = [one for one in visitor.complaints if "409" not in one]
        await page.click("text=发布尚未发布的")
        await expect(page.locator("h2", has_text="服务窗口六维评分卡")).to_be_visible()
        assert await violations(page) == []
        if PICTURES:
            await page.screenshot(path=Path(PICTURES) / "scorecards-list.png", full_page=True)

    async with visiting(browser, site, **PHONE) as visitor:
        page = visitor.page
        await page.context.request.post(f"{site}/sign-in", form={"token": MEMBER.token}, max_redirects=0)
        await page.goto(site + PATH)
        await expect(page.locator("#import")).to_have_count(0)
        await page.click("section:has-text('street') a >> nth=0")
        await expect(page.locator(".score-items > li")).to_have_count(110)
        assert await violations(page) == []
        if PICTURES:
            await page.screenshot(path=Path(PICTURES) / "scorecard-phone.png", full_page=False)
            await page.evaluate("scrollTo(0, 700)")
            await page.screenshot(path=Path(PICTURES) / "scorecard-phone-2.png", full_page=False)

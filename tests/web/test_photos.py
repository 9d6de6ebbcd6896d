"""The photos in the panel of an issue: small, named for who does not see them, each opening the whole picture."""

from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser

from api.settings import Settings
from tests import doors, drafts
from tests.conftest import MEMBER, WORKER, TestClock
from tests.photographs import PDF, photo, promised, sha256
from tests.web.conftest import DESK, PHONE, served, visiting

pytestmark = pytest.mark.anyio

CONTENT = photo(1_600, 1_200)


@pytest.mark.parametrize("window", [PHONE, DESK], ids=["phone", "desk"])
async def test_an_issue_s_photos(
    browser: Browser, dsn: str, tmp_path: Path, clock: TestClock, window: dict[str, object]
) -> None:
    settings = Settings(database_url=dsn, pool_size=4, data=tmp_path / "data")
    issue = drafts.issue(photos=[promised(CONTENT), promised(PDF)])
    bare = drafts.issue(title="路灯不亮")
    async with (
        served(settings, clock) as site,
        httpx.AsyncClient(base_url=site, trust_env=False, timeout=60) as client,
    ):
        await doors.file(client, MEMBER, drafts.visit(issues=[issue, bare]))
        address = f"/api/issues/{issue['id']}/photos"
        for content in (CONTENT, PDF):
            sent = await client.put(f"{address}/{sha256(content)}", content=content, headers=MEMBER.headers)
            assert sent.status_code == 201
            clock.forward(minutes=1)
        async with visiting(browser, site, **window) as visitor:
            await visitor.enter(f"/maps/issues#/issue/{issue['id']}", WORKER.token)
            image = visitor.page.locator(".photos img")
            await image.wait_for()
            assert await image.evaluate("async (image) => (await image.decode(), image.naturalWidth)") == 320
            assert "照片 1" in (await image.get_attribute("alt") or "")
            assert await visitor.page.locator(".photos .document").count() == 1
            async with visitor.page.context.expect_page() as opening:
                await image.click()
            opened = await opening.value
            await opened.wait_for_load_state()
            assert opened.url.endswith(f"{address}/{sha256(CONTENT)}")
            assert await opened.evaluate("document.images[0].naturalWidth") == 1_600
            await opened.close()
            async with visitor.page.expect_request_finished(lambda asked: f"{bare['id']}/photos" in asked.url):
                await visitor.open(f"/maps/issues#/issue/{bare['id']}")
            await visitor.page.wait_for_selector(".issue h2")
            assert await visitor.page.locator(".photos:visible").count() == 0

"""A community worker's morning: what came in by night is looked at and handed out before the first visitor."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from playwright.async_api import Browser

from api.settings import Settings
from tests import doors, drafts
from tests.conftest import MEMBER, WORKER, Client, TestClock
from tests.entrances import PASSWORD, give_password
from tests.web.accessible import violations
from tests.web.conftest import PHONE, Visitor, served, visiting
from tests.web.test_people import PICTURES

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.timeout(300)]

SCREENS: dict[str, dict[str, object]] = {"phone": PHONE, "desk": {"viewport": {"width": 1366, "height": 768}}}
NEAR_THE_LINE = {"lon": 113.6099, "lat": 34.705, "accuracy_m": 60, "system": "wgs84", "source": "gps"}


@pytest.fixture
async def house(dsn: str, conn: asyncpg.Connection, clock: TestClock, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a program whose worker has a password."""
    await give_password(conn, WORKER)
    async with served(Settings(database_url=dsn, pool_size=4, data=tmp_path / "data"), clock) as address:
        yield address


async def look(visitor: Visitor, name: str) -> None:
    """What everybody can read and touch; kept as a picture for who looks at it."""
    assert await violations(visitor.page) == []
    size = visitor.page.viewport_size
    if PICTURES and size:
        await visitor.page.screenshot(path=Path(PICTURES) / f"morning_{name}-{size['width']}.png")


async def by_night(client: Client) -> None:
    """Three problems of one visit, and one from a place that nobody can be sure of."""
    titles = ("楼道路灯不亮", "垃圾成堆", "井盖破损")
    await doors.file(client, MEMBER, drafts.visit(issues=[drafts.issue(title=title) for title in titles]))
    unsure: dict[str, Any] = drafts.visit(position=NEAR_THE_LINE, issues=[drafts.issue(title="消防通道被占")])
    await doors.file(client, MEMBER, unsure)


async def queue(visitor: Visitor, name: str) -> int:
    return await visitor.number(f"[data-queue={name}] .number")


@pytest.mark.parametrize("screen", SCREENS)
async def test_a_morning_at_the_desk(browser: Browser, house: str, client: Client, screen: str) -> None:
    await by_night(client)
    async with visiting(browser, house, **SCREENS[screen]) as visitor:
        page = visitor.page

        # who works at the desk begins there
        await page.goto(house)
        await page.fill("#account", WORKER.number)
        await page.fill("#password", PASSWORD)
        await page.press("#password", "Enter")
        await page.wait_for_selector("[data-queue=mine] .number:text-is('4')")
        await look(visitor, "board")

        # what came in by night is read, accepted and handed to a department, without leaving its page
        await page.click("tr[data-issue]:has-text('路灯') a.open")
        await page.click("[data-move=accept] button")
        await page.wait_for_selector(".told.done:has-text('已受理')")
        await page.click("[data-move=assign] summary")
        await page.select_option("[data-move=assign] select", "city_management")
        await page.click("[data-move=assign] form button")
        await page.wait_for_selector(".told.done:has-text('已分派')")
        await look(visitor, "issue")

        # what lies near a line is settled on the map
        await page.goto(f"{house}/desk/places")
        await page.check("li:has-text('消防通道') input[type=checkbox]")
        await page.wait_for_selector("#count:text-is('1')")
        await look(visitor, "places")
        await page.click("#keep")
        await page.wait_for_selector("li:has-text('消防通道') .undo:visible")

        # the list that is opened every morning is kept under a name
        await page.goto(f"{house}/desk/?owner=me&state=reported")
        await page.click("summary:has-text('保存的视图')")
        await page.fill("#view-name", "夜里来的")
        async with page.expect_navigation():
            await page.click("text=保存此视图")
        await page.click("summary:has-text('保存的视图')")
        await look(visitor, "views")
        async with page.expect_navigation():
            await page.click("a:has-text('夜里来的')")
        assert await page.locator("tr[data-issue]").count() == 3

        # and what is left of the night is taken on at once, each result told
        await page.check("#tick-all")
        await page.click(".desk-bulk button[value=accept]")
        await page.wait_for_selector(".bulk-end")
        assert "成功 3 个" in await page.inner_text(".bulk-end")
        await look(visitor, "bulk")

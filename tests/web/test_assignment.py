"""Who visits which door: proposed, looked at on map and list, changed by drag and by boxes, and then held."""

import os
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from playwright.async_api import Browser, Page

from api.settings import Settings
from tests import doorsteps
from tests.conftest import ADMINISTRATOR, MEMBER, NEXT, STRANGER, Client, TestClock
from tests.doorsteps import Door
from tests.web.conftest import DESK, PHONE, Visitor, served, visiting
from tests.web.test_campaigns import enter, picture
from tests.web.town import MARKUP

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

PICTURES = os.environ.get("ZOUFANG_TEST_PICTURES")  # a folder to look at what was seen
PATH = "/campaigns/winter/assignment"


@pytest.fixture
async def house(dsn: str, clock: TestClock) -> AsyncIterator[str]:
    """The address of a program on a district of the test's own."""
    async with served(Settings(database_url=dsn, pool_size=4), clock) as address:
        yield address


@pytest.fixture(params=["phone", "desk"])
async def visitor(request: pytest.FixtureRequest, browser: Browser, house: str) -> AsyncIterator[Visitor]:
    async with visiting(browser, house, **(PHONE if request.param == "phone" else DESK)) as arrived:
        yield arrived


@pytest.fixture
async def at_own_desk(browser: Browser, house: str) -> AsyncIterator[Visitor]:
    async with visiting(browser, house, **DESK) as arrived:
        yield arrived


@pytest.fixture
async def lanes(conn: asyncpg.Connection) -> list[UUID]:
    """Sixty doors in four lanes, and two that nobody has placed; one is named by somebody who means harm."""
    await doorsteps.campaign(conn)
    placed = [
        Door(name=f"{lane}巷{at}号", at=(113.602 + at * 0.0004, 34.703 + lane * 0.0012))
        for lane in range(4)
        for at in range(15)
    ]
    return await doorsteps.register(conn, [*placed, Door(name=MARKUP[0], at=None), Door(name="无位置", at=None)])


async def opened(visitor: Visitor, query: str = "") -> Page:
    await enter(visitor, ADMINISTRATOR, PATH + query)
    await visitor.ready()
    return visitor.page


async def row(page: Page, name: str) -> str:
    return await page.inner_text(f"#members li[data-member]:has(.name:text-is('{name}')) summary .about")


async def test_a_proposal_is_looked_at_changed_and_accepted(
    visitor: Visitor, lanes: list[UUID], conn: asyncpg.Connection
) -> None:
    page = await opened(visitor)
    assert (await page.inner_text("#figures")).replace("\n", "").startswith("62走访对象62未分配")
    await picture(visitor, "assignment")
    await page.click("#by-route")
    await page.wait_for_selector("#proposal:not([hidden])", timeout=60_000)
    assert "少走" in await page.inner_text("#proposed")
    assert await conn.fetchval("select count(*) from assignment") == 0
    await page.click("#members summary:has(.name:text-is('王走访'))")
    await page.check("#members details[open] input >> nth=0")
    await page.select_option("#to", str(STRANGER.id))
    before = int((await row(page, "陌生人")).split()[0])
    await page.click("#give")
    await page.wait_for_selector("#count:text-is('0')")
    assert int((await row(page, "陌生人")).split()[0]) == before + 1
    await picture(visitor, "assignment_proposed")
    await page.click("#accept")
    await page.wait_for_selector("#told:not([hidden])")
    assert "已分配 62 户" in await page.inner_text("#told")
    assert await conn.fetchval("select count(*) from assignment where member = $1", STRANGER.id) == before + 1
    await picture(visitor, "assignment_accepted")


async def test_a_box_and_a_drag_give_doors_to_somebody(at_own_desk: Visitor, lanes: list[UUID]) -> None:
    page = await opened(at_own_desk, f"?community={NEXT}")
    assert await page.is_visible("#empty")
    await page.select_option("#community", "")
    await page.wait_for_url("**community=")
    await at_own_desk.ready()
    box = await page.locator("#map").bounding_box()
    assert box is not None
    await page.click("#box")
    await page.mouse.move(box["x"] + 5, box["y"] + 60)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] - 30, steps=5)
    await page.mouse.up()
    assert await at_own_desk.number("#count") == 60
    await page.click("#box")
    await page.select_option("#to", str(MEMBER.id))
    await page.click("#give")
    await page.wait_for_selector("#count:text-is('0')")
    assert (await row(page, "王走访")).startswith("60 户")
    await page.locator("#members li:has(.name:text-is('陌生人'))").scroll_into_view_if_needed()
    x, y = await _where(page, box)
    await page.mouse.move(x, y)
    await page.mouse.down()
    target = await page.locator("#members li:has(.name:text-is('陌生人'))").bounding_box()
    assert target is not None
    await page.mouse.move(target["x"] + 40, target["y"] + 20, steps=8)
    if PICTURES:
        await page.screenshot(path=f"{PICTURES}/assignment_drag-1440.png")
    await page.mouse.up()
    await page.wait_for_selector("#members li:has(.name:text-is('陌生人')) .about:text('1 户')")
    assert (await row(page, "王走访")).startswith("59 户")
    assert (await row(page, "陌生人")).startswith("1 户")


async def _where(page: Page, box: Any) -> tuple[float, float]:
    """Where on the screen some dot is: where the map says so when a pointer passes over it."""
    for y in range(int(box["y"]) + 20, int(box["y"] + box["height"]) - 20, 6):
        for x in range(int(box["x"] + box["width"] / 2) - 60, int(box["x"] + box["width"] / 2) + 60, 8):
            await page.mouse.move(x, y)
            if await page.locator(".leaflet-tooltip").count():
                return x, y
    raise AssertionError("no door on the map")


async def test_a_finger_chooses_doors_too(browser: Browser, house: str, lanes: list[UUID]) -> None:
    async with visiting(browser, house, **PHONE) as visitor:
        page = await opened(visitor)
        box = await page.locator("#map").bounding_box()
        x, y = await _where(page, box)
        await page.touchscreen.tap(x, y)
        await page.wait_for_selector("#count:text-is('1')")
        await page.touchscreen.tap(x, y)
        await page.wait_for_selector("#count:text-is('0')")


async def test_what_is_over_is_only_read(
    at_own_desk: Visitor, lanes: list[UUID], conn: asyncpg.Connection, client: Client
) -> None:
    await doorsteps.assign(conn, lanes[:5])
    await conn.execute("update campaign set closed_at = starts_at")
    page = await opened(at_own_desk, "?lang=en")
    assert "this is how it was" in await page.inner_text(".panel")
    assert (await row(page, "王走访")).startswith("5 doors")
    await page.click("#members summary:has(.name:text-is('王走访'))")
    await page.check("#members details[open] input >> nth=0")
    assert await page.is_disabled("#give")
    assert await page.locator("#by-route").is_visible() is False

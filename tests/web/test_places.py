"""Uncertain places as a worker settles them: from the list, on the map, by keyboard, and with somebody else at work."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from playwright.async_api import Browser

from api.settings import Settings
from tests import doors, drafts
from tests.conftest import MEMBER, NEXT, STREET_DISPATCHER, WORKER, Client, TestClock
from tests.web.conftest import Visitor, served, visiting
from tests.web.lists_at_hand import SCREENS, looked_at
from tests.web.test_people import enter
from tests.web.town import MARKUP

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

AT_LINE = {"lon": 113.60995, "lat": 34.705, "accuracy_m": 30}


@pytest.fixture
async def house(dsn: str, clock: TestClock) -> AsyncIterator[str]:
    """The address of a program on a district of the test's own."""
    async with served(Settings(database_url=dsn, pool_size=4), clock) as address:
        yield address


@pytest.fixture(params=list(SCREENS))
async def visitor(request: pytest.FixtureRequest, browser: Browser, house: str) -> AsyncIterator[Visitor]:
    async with visiting(browser, house, **SCREENS[request.param]) as arrived:
        yield arrived


async def report(client: Client, title: str, **position: float) -> None:
    await doors.file(
        client, MEMBER, drafts.visit(position=AT_LINE | position or None, issues=[drafts.issue(title=title)])
    )


async def test_places_are_settled_together_and_one_by_one(visitor: Visitor, client: Client) -> None:
    for at, title in enumerate(["井盖破损", MARKUP[0], MARKUP[1], "路灯不亮"]):
        await report(client, title, lat=34.703 + at / 1000)
    page = visitor.page
    await enter(visitor, STREET_DISPATCHER, "/desk/places")
    await visitor.ready()
    assert await page.locator("#places li").count() == 4
    await looked_at(visitor, "places")
    for box in (await page.locator("#places input").all())[:2]:
        await box.check()
    assert await page.inner_text("#count") == "2"
    await page.select_option("#to", NEXT)
    await page.click("#name")
    await page.wait_for_selector("#told:not([hidden])")
    assert await page.inner_text("#told") == "已定 2 个"
    assert await page.locator("#places li.done").count() == 2
    await looked_at(visitor, "places_settled")
    await page.click("#places li.done >> nth=0 >> .undo")
    await page.wait_for_selector("#places li:not(.done) .outcome:not([hidden])")
    await page.goto(f"{visitor.site}/desk/places")
    await visitor.ready()
    assert await page.locator("#places li").count() == 3
    await page.locator("#places input").first.check()
    await page.wait_for_selector(".place-pin")
    await page.focus(".place-pin")
    for _ in range(3):
        await page.keyboard.press("ArrowRight")
    await looked_at(visitor, "places_pin")
    await page.click("#pin")
    await page.wait_for_selector("#places li.done")
    await page.goto(f"{visitor.site}/desk/places?settled=yes&lang=en")
    await visitor.ready()
    assert await page.locator("#places li").count() == 1
    await looked_at(visitor, "places_en")
    assert await page.evaluate("window.ran") is None


async def test_who_comes_second_is_told_and_an_empty_queue_says_so(visitor: Visitor, client: Client) -> None:
    await report(client, "界边问题")
    page = visitor.page
    await enter(visitor, WORKER, "/desk/places")
    await visitor.ready()
    (item,) = (await doors.read(client, STREET_DISPATCHER, "/api/places"))["items"]
    body = {
        "id": str(uuid4()),
        "kind": "issue",
        "things": [{"id": item["id"], "expected_version": 1}],
        "reason": "先到",
    }
    await client.post("/api/places/settlements", json=body | {"community": NEXT}, headers=STREET_DISPATCHER.headers)
    await page.locator("#places input").first.check()
    await page.click("#keep")
    await page.wait_for_selector(".outcome.refused")
    assert "别人刚刚改动过" in await page.inner_text(".outcome") or "没有找到" in await page.inner_text(".outcome")
    await looked_at(visitor, "places_refused")
    await page.goto(f"{visitor.site}/desk/places")
    assert "所有位置都已确定" in await page.inner_text("main")
    await looked_at(visitor, "places_empty")

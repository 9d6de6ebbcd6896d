"""Taking along what is shown: the map's small menu of files, and what a browser makes of them."""

import asyncio
import csv
import io

import pytest
from playwright.async_api import expect

from tests.web.conftest import Visitor
from tests.web.town import STOCK, stock

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def downloaded(visitor: Visitor, within: str, kind: str) -> tuple[str, bytes]:
    """The name and content of the file that the menu offers."""
    await visitor.page.click(f"{within} .export summary")
    async with visitor.page.expect_download() as coming:
        await visitor.page.click(f"{within} .export a:text-is('{kind}')")
    download = await coming.value
    file = await download.path()
    return download.suggested_filename, await asyncio.to_thread(file.read_bytes)


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


async def test_a_list_is_taken_along_as_it_is_filtered(visitor: Visitor) -> None:
    await visitor.enter("/maps/issues?category=0102#/list?group=solved")
    counted = await visitor.listed()
    name, content = await downloaded(visitor, ".panel", "CSV")
    assert name.endswith("-问题-2026-11-23.csv")
    taken = rows(content)
    assert len(taken) == counted == stock("solved")
    assert {row["分组"] for row in taken} == {"已解决"}


async def test_the_desk_takes_along_all_that_the_map_shows(at_desk: Visitor) -> None:
    await at_desk.enter("/maps/issues?lang=en")
    _, content = await downloaded(at_desk, ".side", "CSV")
    assert len(rows(content)) == stock()
    await at_desk.open("/maps/issues?lang=en&placed=no")
    name, content = await downloaded(at_desk, ".side", "CSV")
    assert "-issues-" in name
    assert len(rows(content)) == sum(many for community, _, many in STOCK if community is None)
    for kind, begins in (("Excel", b"PK"), ("GeoPackage", b"SQLite format 3"), ("GeoJSON", b"{")):
        assert (await downloaded(at_desk, ".side", kind))[1].startswith(begins)


async def test_the_menu_closes_when_one_turns_away(visitor: Visitor) -> None:
    await visitor.enter("/maps/issues#/list?group=solved")
    await visitor.listed()
    menu = visitor.page.locator(".panel .export ul")
    await visitor.page.click(".panel .export summary")
    await expect(menu).to_be_visible()
    await visitor.page.keyboard.press("Escape")
    await expect(menu).to_be_hidden()
    await expect(visitor.page.locator(".panel")).to_be_visible()


async def test_the_menu_stays_open_when_the_numbers_beside_it_are_drawn_anew(at_desk: Visitor) -> None:
    await at_desk.enter()
    await at_desk.page.click(".side .export summary")
    await at_desk.page.locator(".legend [data-choice=none]").dispatch_event("click")
    await expect(at_desk.page.locator(".pin")).to_have_count(0)
    await expect(at_desk.page.locator(".side .export ul")).to_be_visible()


async def test_an_issue_is_shown_as_of_the_day_of_the_map(visitor: Visitor) -> None:
    await visitor.enter("/maps/issues#/list?group=solved")
    await visitor.page.locator(".item").first.click()
    await expect(visitor.page.locator(".history li")).to_have_count(4)
    issue = visitor.page.url.split("#/issue/")[1].split("?")[0]
    reported = await visitor.page.locator(".history li time").first.get_attribute("datetime")
    assert reported is not None
    await visitor.open(f"/maps/issues?as_of={reported[:10]}#/issue/{issue}")
    shown = visitor.page.locator(".history li")
    await expect(shown.first).to_be_visible()
    assert await shown.count() <= 4
    await expect(visitor.page.locator(".contact")).to_have_count(0)

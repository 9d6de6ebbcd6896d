"""What programs read at /ogc, as pages for a person who opens it."""

import pytest
from playwright.async_api import expect

from tests.web.accessible import violations
from tests.web.conftest import Visitor

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_a_person_walks_from_the_first_page_to_an_issue(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.enter()
    for path in ("/ogc", "/ogc?lang=en", "/ogc/conformance", "/ogc/collections/communities/items"):
        await page.goto(visitor.site + path)
        assert await violations(page) == [], path
    await page.goto(f"{visitor.site}/ogc")
    await page.click("main a[href*='/collections']")
    assert await violations(page) == []
    await page.click("section:last-of-type a.button >> nth=-1")
    await expect(page.locator("h1")).to_have_text("问题")
    assert await violations(page) == []
    number = await page.inner_text("tbody a >> nth=0")
    await page.click("tbody a >> nth=0")
    await expect(page.locator("dl").first).to_contain_text(number)
    assert await violations(page) == []
    await page.goto(f"{visitor.site}/ogc/api?f=html")
    await page.wait_for_selector(".opblock")
    assert visitor.left == []
    assert visitor.complaints == []

"""The page of the API, from our own server alone."""

import pytest
from playwright.async_api import expect

from tests.web.conftest import Visitor

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_the_page_lists_the_operations(at_desk: Visitor) -> None:
    await at_desk.page.goto(at_desk.site + "/schema")
    await expect(at_desk.page.locator(".opblock-summary-path").first).to_be_visible()
    wanted = at_desk.page.locator(".opblock-summary-path[data-path='/api/issues']")
    for _ in range(100):  # only what is in sight is drawn
        if await wanted.count():
            break
        await at_desk.page.mouse.wheel(0, 400)
        await at_desk.page.wait_for_timeout(50)
    await expect(wanted.first).to_be_visible()

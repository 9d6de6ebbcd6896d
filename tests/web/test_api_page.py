"""The page of the API, from our own server alone."""

import pytest
from playwright.async_api import expect

from tests.web.conftest import Visitor

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_the_page_lists_the_operations(at_desk: Visitor) -> None:
    await at_desk.page.goto(at_desk.site + "/schema")
    await expect(at_desk.page.locator(".opblock-summary-path").first).to_be_visible()
    assert "/api/issues" in " ".join(await at_desk.page.locator(".opblock-summary-path").all_inner_texts()).replace(
        "\u200b", ""
    )

"""The page of the API, from our own server alone."""

import pytest
from playwright.async_api import expect

from tests.web.conftest import Visitor

A_WHILE_MS = 30_000  # the document is some megabytes, which the page reads before it answers a click

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_the_page_is_narrowed_to_a_subject_and_lists_its_operations(at_desk: Visitor) -> None:
    page = at_desk.page
    await page.goto(at_desk.site + "/schema")
    await expect(page.locator("#operations-tag-account")).to_be_visible(timeout=A_WHILE_MS)
    await page.fill(".operation-filter-input", "issues")
    await expect(page.locator("#operations-tag-account")).to_be_hidden(timeout=A_WHILE_MS)
    await page.click("#operations-tag-issues", timeout=A_WHILE_MS)
    await expect(page.locator(".opblock-summary-path[data-path='/api/issues']").first).to_be_visible(timeout=A_WHILE_MS)

"""The auditor's page at a desk and on a phone."""

import pytest

from tests.conftest import AUDITOR, LEADER
from tests.web.conftest import Visitor

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


@pytest.fixture
async def auditor(visitor: Visitor) -> Visitor:
    await visitor.page.context.request.post(f"{visitor.site}/sign-in", form={"token": AUDITOR.token}, max_redirects=0)
    return visitor


async def test_the_history_is_narrowed_by_a_link_that_can_be_sent(auditor: Visitor) -> None:
    page = auditor.page
    await page.goto(f"{auditor.site}/audit")
    before = await auditor.number(".above .number")
    await page.select_option("#kind", "issue")
    async with page.expect_navigation():
        await page.click("form.filters [type=submit]")
    assert page.url == f"{auditor.site}/audit?kind=issue"
    assert 0 < await auditor.number(".above .number") <= before
    assert await page.input_value("#kind") == "issue"
    async with page.expect_navigation():
        await page.click(".who a >> nth=0")
    assert "person=" in page.url
    async with page.expect_navigation():
        await page.click("text=清除")
    assert await auditor.number(".above .number") == before


async def test_nothing_is_wider_than_the_window_and_fingers_find_their_target(auditor: Visitor) -> None:
    page = auditor.page
    for path in ("/audit", "/audit?lang=en", "/audit?kind=reveal", "/audit?person=9999"):
        await page.goto(auditor.site + path)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        small = await page.eval_on_selector_all(
            "button, select, input:not([type=hidden]), summary, a.button, td > a",
            "all => all.filter(one => one.getBoundingClientRect().height < 44).map(one => one.outerHTML)",
        )
        assert small == [], path


async def test_details_open_without_a_script(auditor: Visitor) -> None:
    await auditor.page.goto(f"{auditor.site}/audit?kind=issue")
    assert not await auditor.page.is_visible(".facts dl >> nth=0")
    await auditor.page.click(".facts summary >> nth=0")
    assert await auditor.page.is_visible(".facts dl >> nth=0")


async def test_who_may_not_read_it_is_told_so(visitor: Visitor) -> None:
    await visitor.page.context.request.post(f"{visitor.site}/sign-in", form={"token": LEADER.token}, max_redirects=0)
    answer = await visitor.page.goto(f"{visitor.site}/audit")
    assert answer is not None
    assert answer.status == 403
    assert "您的角色不能做这件事" in await visitor.page.inner_text("main")

"""A resident's contact in the panel of an issue: masked, then shown for a purpose."""

from uuid import UUID

import pytest

from tests.conftest import LEADER, WORKER
from tests.web.conftest import Visitor
from tests.web.town import CONTACT

pytestmark = pytest.mark.anyio

ISSUE = f"/maps/issues#/issue/{UUID(int=10001)}"


async def test_it_is_shown_for_a_purpose(visitor: Visitor) -> None:
    await visitor.enter(ISSUE, WORKER.token)
    section = visitor.page.locator("section.contact")
    assert "138****1234" in await section.inner_text()
    await section.locator(".show-contact").click()
    await visitor.page.keyboard.type("约上门时间")
    await visitor.page.keyboard.press("Enter")
    phone = section.locator(".phone a")
    await phone.wait_for()
    assert await phone.get_attribute("href") == "tel:13812341234"
    assert CONTACT.name in await section.inner_text(), "a name with markup is a name"


async def test_a_blank_purpose_is_refused_in_words(visitor: Visitor) -> None:
    await visitor.enter(ISSUE, WORKER.token)
    await visitor.page.click(".show-contact")
    await visitor.page.fill("#purpose", "　 ")
    await visitor.page.press("#purpose", "Enter")
    await visitor.page.wait_for_selector(".purpose [role=alert]:not([hidden])")
    assert "空" in await visitor.page.inner_text(".purpose [role=alert]")


async def test_who_only_reads_sees_it_masked(visitor: Visitor) -> None:
    await visitor.enter(ISSUE, LEADER.token)
    section = visitor.page.locator("section.contact")
    assert "138****1234" in await section.inner_text()
    assert await section.locator("button").count() == 0


async def test_one_that_was_erased_is_said_to_have_been(visitor: Visitor) -> None:
    await visitor.enter(f"/maps/issues#/issue/{UUID(int=10002)}", WORKER.token)
    assert "联系方式已于 2026/11/23 12:00 删除" in await visitor.page.inner_text(".contact")
    await visitor.open(f"/maps/issues?lang=en#/issue/{UUID(int=10002)}")
    assert "removed" in await visitor.page.inner_text(".contact")

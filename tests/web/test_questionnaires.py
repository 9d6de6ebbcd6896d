"""Questionnaires on their page: brought in by an administrator, and read by whoever fills them in."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect

from api.settings import Settings
from tests.conftest import ADMINISTRATOR, MEMBER, TestClock
from tests.forms import QUESTION, workbook
from tests.web.conftest import DESK, PHONE, Visitor, served, visiting
from tests.web.test_people import enter, picture

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


@pytest.fixture
async def house(dsn: str, clock: TestClock) -> AsyncIterator[str]:
    """The address of a program on a district of the test's own."""
    async with served(Settings(database_url=dsn, pool_size=4), clock) as address:
        yield address


@pytest.fixture(params=["phone", "desk"])
async def visitor(request: pytest.FixtureRequest, browser: Browser, house: str) -> AsyncIterator[Visitor]:
    async with visiting(browser, house, **(PHONE if request.param == "phone" else DESK)) as arrived:
        yield arrived


async def upload(visitor: Visitor, content: bytes) -> None:
    file = {"name": "摊位.xlsx", "mimeType": "application/octet-stream", "buffer": content}
    await visitor.page.set_input_files("#file", file)  # type: ignore[arg-type]
    await visitor.page.click("#import [type=submit]")


async def test_an_administrator_brings_in_a_form_sees_its_faults_and_mends_them(visitor: Visitor) -> None:
    page = visitor.page
    await enter(visitor, ADMINISTRATOR, "/questionnaires")
    assert "还没有问卷" in await page.inner_text("main")
    await picture(visitor, "questionnaires-empty")
    await upload(visitor, workbook([QUESTION, {"type": "text", "name": "b", "label": "x", "relevant": "${c} = 1"}]))
    await page.wait_for_selector("#faults tbody tr")
    cells = await page.locator("#faults tbody td").all_inner_texts()
    assert cells == ["survey", "3", "relevant", "没有名称为“c”的题目"]
    await picture(visitor, "questionnaires-faults")
    hostile = "<img src=x onerror=window.ran=1>"
    content = workbook([QUESTION | {"label": hostile}, {"type": "integer", "name": "b", "label": "人数"}])
    await upload(visitor, content)
    await page.wait_for_selector("h2:has-text('摊位')")
    await picture(visitor, "questionnaires")
    await upload(visitor, content)
    await page.wait_for_selector("text=已经发布过")
    await page.click(".plain a")
    await page.wait_for_selector(".questions")
    await expect(page.locator(".questions")).to_contain_text(hostile)
    assert await page.evaluate("window.ran") is None
    await picture(visitor, "questionnaire")
    await page.goto(f"{visitor.site}/questionnaires")
    page.on("dialog", lambda dialog: dialog.accept())
    await page.click("text=停用 >> nth=-1")
    await page.wait_for_selector("text=已停用")
    await page.click("text=启用")
    await page.wait_for_selector("text=使用中")


async def test_those_of_the_program_are_published_with_one_button_and_read_by_members(visitor: Visitor) -> None:
    page = visitor.page
    await enter(visitor, ADMINISTRATOR, "/questionnaires?lang=en")
    await page.click("text=Publish those that are missing")
    await page.wait_for_selector("h2:has-text('Street shop')", timeout=60_000)
    await picture(visitor, "questionnaires-shipped")
    await enter(visitor, MEMBER, "/questionnaires?lang=en")
    assert await page.locator("#import").count() == 0
    await page.click("section:has-text('Street shop') .plain a")
    await page.wait_for_selector("text=How is the shop trading?")
    await picture(visitor, "questionnaire-shop")

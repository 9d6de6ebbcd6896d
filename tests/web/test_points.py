"""Points at the desk and on the public board, as an administrator and then anybody opens them."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect

from api import database
from api.settings import Settings
from tests.conftest import ADMINISTRATOR, Server, founded
from tests.web import points_town
from tests.web.conftest import DESK, Visitor, served, visiting

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


@pytest.fixture
async def visitor(server: Server, template: str, browser: Browser) -> AsyncIterator[Visitor]:
    async with founded(server, template) as dsn:
        conn = await database.connect(dsn)
        await points_town.settle(conn)
        await points_town.more_is_known(conn)
        await conn.close()
        async with (
            served(Settings(database_url=dsn, pool_size=4)) as site,
            visiting(browser, site, **DESK) as arrived,
        ):
            yield arrived


async def sign_in(visitor: Visitor) -> None:
    await visitor.page.context.request.post(
        f"{visitor.site}/sign-in", form={"token": ADMINISTRATOR.token}, max_redirects=0
    )


async def test_a_month_is_published_again_with_a_reason_and_everybody_reads_it(visitor: Visitor) -> None:
    await sign_in(visitor)
    page = visitor.page
    await page.goto(f"{visitor.site}/volunteering/points?month=2026-10&lang=zh")
    await page.get_by_role("link", name="重新公示…").click()
    await expect(page.get_by_role("heading", name="将公开的内容")).to_be_visible()
    await expect(page.locator("main")).to_contain_text("V900002")
    await page.get_by_label("与上一版相比有何变化").fill("补登一次服务")
    await page.get_by_role("button", name="公示").click()
    await page.wait_for_url("**/volunteering/points?month=2026-10")
    await page.context.clear_cookies()
    await page.goto(f"{visitor.site}/board?lang=zh")
    await expect(page.get_by_text("补登一次服务")).to_be_visible()
    await page.get_by_role("link", name="第 1 版").click()
    await expect(page.get_by_text("第 1 版，共 2 版。")).to_be_visible()
    assert await page.evaluate("window.ran") is None


async def test_rules_are_tried_out_and_what_is_wrong_with_them_is_said_at_its_field(visitor: Visitor) -> None:
    await sign_in(visitor)
    page = visitor.page
    await page.goto(f"{visitor.site}/volunteering/points/rules?lang=zh")
    minutes = page.locator('[name="rules.time.per_minutes"]')
    await page.locator('[name="rules.time.points"]').fill("3")
    await page.get_by_role("button", name="试算").click()
    await expect(page.get_by_role("heading", name="按这些规则计算的")).to_be_visible()
    assert await page.locator('[name="rules.time.points"]').input_value() == "3"
    await page.locator("form.rules").evaluate("form => { form.noValidate = true }")
    await minutes.fill("0")
    await page.get_by_role("button", name="发布").click()
    await expect(page.get_by_role("alert").filter(has_text="至少为 1")).to_be_visible()
    assert await minutes.get_attribute("aria-invalid") == "true"
    await minutes.fill("30")
    await page.get_by_role("button", name="发布").click()
    await expect(page.get_by_text("第 2 版 · 自2026年11月起")).to_be_visible()


async def test_a_model_is_proposed_by_name_and_waits_for_another(visitor: Visitor) -> None:
    await sign_in(visitor)
    page = visitor.page
    await page.goto(f"{visitor.site}/volunteering/models?lang=zh")
    await page.get_by_label("服务队、党组织").fill("第一小组")
    await page.get_by_role("button", name="查找").click()
    await page.get_by_role("link", name="推荐").click()
    await page.get_by_label("事迹（将公开）").fill("每周清扫楼道")
    await page.get_by_role("button", name="推荐").click()
    await expect(page.get_by_text("每周清扫楼道")).to_be_visible()
    await expect(page.get_by_text("由其他管理员审批。")).to_be_visible()
    waiting = page.locator("li.model", has_text="冯组织 推荐").filter(has_text="待审批")
    await waiting.get_by_role("button", name="批准").first.click()
    await expect(page.locator("li.model", has_text="待审批")).to_have_count(1)

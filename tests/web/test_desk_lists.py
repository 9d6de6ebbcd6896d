"""The desk's lists in use: visits, doors, cards, categories, rules and saved views."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser

from api.settings import Settings
from tests import doors, drafts
from tests.conftest import ADMINISTRATOR, MEMBER, NEAR, NEXT, ORGANISATION, WORKER, Client, TestClock
from tests.web.conftest import Visitor, served, visiting
from tests.web.lists_at_hand import SCREENS, looked_at
from tests.web.test_people import enter
from tests.web.town import MARKUP

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


@pytest.fixture
async def house(dsn: str, clock: TestClock) -> AsyncIterator[str]:
    """The address of a program on a district of the test's own."""
    settings = Settings(database_url=dsn, pool_size=4, public_url="https://visits.example")
    async with served(settings, clock) as address:
        yield address


@pytest.fixture(params=list(SCREENS))
async def visitor(request: pytest.FixtureRequest, browser: Browser, house: str) -> AsyncIterator[Visitor]:
    async with visiting(browser, house, **SCREENS[request.param]) as arrived:
        yield arrived


async def visit(client: Client, name: str, **more: Any) -> dict[str, Any]:
    door = {"id": str(uuid4()), "kind": "shop", "name": name, "address": "淮河路 12 号"}
    draft = drafts.visit(premises=door, issues=[drafts.issue(title=f"{name}门口积水")]) | more
    await doors.file(client, MEMBER, draft)
    return draft


async def test_a_visit_is_found_looked_at_put_right_and_taken_back(visitor: Visitor, client: Client) -> None:
    await visit(client, MARKUP[0], note=MARKUP[1])
    flagged = await visit(client, "老王面馆", contact_card="EQ-000123-K", outcome="not_home")
    page = visitor.page
    await enter(visitor, WORKER, "/desk/visits")
    assert await page.locator(".visit-line").count() == 2
    await looked_at(visitor, "visits")
    await page.fill("#text", "面馆")
    await page.click(".filters button")
    await page.wait_for_url("**/desk/visits?text=*")  # what is blank is not in the address
    assert await page.locator(".visit-line").count() == 1
    await page.click(".visit-line")
    await page.wait_for_url(f"**/desk/visits/{flagged['id']}")
    await looked_at(visitor, "visit")
    await page.fill("#flags-reason", "卡号抄错了")
    await page.click("form[action$='/flags'] button")
    await page.wait_for_selector("text=卡号抄错了")
    assert (await doors.read(client, WORKER, "/api/visits", unsettled="yes"))["total"] == 0
    await page.click("summary:text-is('更正这次走访')")
    await page.select_option("#community", NEXT)
    await page.fill("#reason", "门牌在隔壁")
    await page.click("details[open] button:text-is('更正')")
    await page.wait_for_selector("text=没有找到")  # it belongs to another community now
    await enter(visitor, ADMINISTRATOR, f"/desk/visits/{flagged['id']}")
    assert "隔壁社区" in await page.inner_text("main")
    page.on("dialog", lambda dialog: dialog.accept())
    await page.click("summary:text-is('撤回这次走访')")
    await page.fill("#withdraw-reason", "不是这家")
    async with page.expect_navigation():
        await page.click("button:text-is('撤回')")
    await page.wait_for_selector("text=已于")
    await looked_at(visitor, "visit_withdrawn")
    await page.goto(f"{visitor.site}/desk/visits?text=没有这家&lang=en")
    await looked_at(visitor, "visits_empty_en")


async def test_a_door_has_a_page_with_all_that_happened_there(visitor: Visitor, client: Client) -> None:
    draft = await visit(client, "老张烩面馆")
    page = visitor.page
    await enter(visitor, WORKER, "/premises")
    await page.click(".list .name a")
    await page.wait_for_url(f"**/premises/{draft['premises']['id']}")
    await looked_at(visitor, "door")
    await page.click("button:text-is('确有此处：确认')")
    await page.wait_for_selector("dd:text-is('已确认')")
    await page.click("summary:text-is('更正这个对象')")
    await page.fill("#name", MARKUP[0])
    await page.fill("#reason", "换了招牌")
    await page.click("details[open] button:text-is('更正')")
    await page.wait_for_selector("text=换了招牌")
    await page.click("summary:text-is('已不存在')")
    await page.fill("#gone-reason", "搬走了")
    await page.click("button:text-is('注销')")
    await page.wait_for_selector("button:text-is('已恢复：重新确认')")
    await page.click("button:text-is('已恢复：重新确认')")  # what was done is undone
    await page.wait_for_selector("dd:text-is('已确认')")
    await looked_at(visitor, "door_changed")


async def test_cards_are_made_found_and_revoked(visitor: Visitor, client: Client) -> None:
    page = visitor.page
    await enter(visitor, ADMINISTRATOR, "/desk/cards")
    await looked_at(visitor, "cards_empty")
    await page.click("summary:text-is('制作联系卡')")
    await page.select_option("#of", str(ORGANISATION))
    await page.fill("#count", "3")
    async with page.expect_download(timeout=60_000) as download:
        await page.click("#make button[type=submit]")
    assert (await download.value).suggested_filename.startswith("cards-FW-000001-")
    await page.click("#make .told a:text-is('查看新卡')")
    await page.wait_for_url("**/desk/cards?state=free")
    assert await page.locator(".card-line").count() == 3
    await looked_at(visitor, "cards")
    await page.click(".card-line >> nth=0 >> summary")
    await page.fill(".card-line >> nth=0 >> input[name=reason]", "丢了")
    async with page.expect_navigation():
        await page.click(".card-line >> nth=0 >> button:text-is('停用这张卡')")
    assert await page.locator(".card-line").count() == 2


async def test_categories_and_rules_are_changed_by_administrators_and_read_by_others(
    visitor: Visitor, client: Client
) -> None:
    page = visitor.page
    await enter(visitor, WORKER, "/desk/categories")
    assert await page.locator("main form[data-rules]").count() == 0
    await looked_at(visitor, "categories_read")
    await enter(visitor, ADMINISTRATOR, "/desk/categories?text=0102")
    await page.click(".category-line summary:text-is('修改')")
    await looked_at(visitor, "categories_change")
    await page.fill("[data-limit=normal] [data-part=amount] >> visible=true", "7")
    await page.click(".category-line details[open] button:text-is('保存')")
    await page.wait_for_selector("summary:text-is('历次时限')")
    await page.click("button:text-is('停用')")
    await page.wait_for_selector("text=没有符合条件的类别")
    await page.goto(f"{visitor.site}/desk/limits")
    await looked_at(visitor, "limits")
    await page.click("summary:text-is('从某日起调整')")
    await page.fill("#monday", "8点")
    await page.click("details[open] button:text-is('生效')")
    await page.wait_for_selector("text=应如 09:00-12:00")
    await page.fill("#monday", "8:30-12:00，14:00-17:30")
    await page.click("details[open] button:text-is('生效')")
    await page.wait_for_selector("h3:has-text('自 2026年11月24日 起')")
    await page.click("summary:text-is('从现在起调整限度')")
    await page.fill("#longest_pause_days", "30")
    await page.click("details[open] button:text-is('生效')")
    await page.wait_for_selector("dd:text-is('30 天')")
    await page.goto(f"{visitor.site}/desk/limits?lang=en")
    await looked_at(visitor, "limits_en")


async def test_a_list_is_saved_and_opened_again(visitor: Visitor, client: Client) -> None:
    page = visitor.page
    await enter(visitor, WORKER, f"/desk/visits?community={NEAR}")
    await page.click(".saved-views summary")
    await page.fill("#view-name", MARKUP[0])
    await looked_at(visitor, "views_open")
    async with page.expect_navigation():
        await page.click("button:text-is('保存此视图')")
    await page.goto(f"{visitor.site}/desk/views")
    await looked_at(visitor, "views")
    await page.click(".views-list a")
    await page.wait_for_url(f"**/desk/visits?community={NEAR}")
    gone = {"id": str(uuid4()), "name": "旧社区", "address": "/desk/visits?community=410103009009&outcome=met"}
    await client.post("/api/views", json=gone, headers=WORKER.headers)
    await page.goto(f"{visitor.site}/desk/views/{gone['id']}")
    await looked_at(visitor, "view_gone")
    await page.click("button:text-is('修正视图并打开')")
    await page.wait_for_url("**/desk/visits?outcome=met")

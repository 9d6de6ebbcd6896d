"""The time bank in a browser: a volunteer on a phone, and who looks after the accounts at a desk."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from msgspec import Struct
from playwright.async_api import Browser, expect

from api.settings import Settings
from surveys import history
from surveys.volunteering import help_requests
from surveys.volunteering.help_requests import HelpDraft
from tests.conftest import ADMINISTRATOR, DISTRICT, MEMBER, NOW, STRANGER, Person
from tests.time_banking import DESK, MARCH, balance, earn, relative_of, served, set_rules
from tests.volunteers import serving_one, team_of
from tests.web import town
from tests.web.accessible import violations
from tests.web.conftest import PHONE, Visitor, visiting
from tests.web.conftest import served as site_of

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

HERE = {**PHONE, "timezone_id": "Asia/Shanghai"}  # a phone in the district: what is typed is its own time
LAPTOP = {"viewport": {"width": 1366, "height": 768}}


class World(Struct):
    """Two volunteers of a team, who are members; the first has two hours, and a mother-in-law of a hostile name."""

    site: str
    conn: asyncpg.Connection
    first: UUID
    second: UUID
    relative: UUID


@pytest.fixture
async def world(dsn: str, conn: asyncpg.Connection) -> AsyncIterator[World]:
    first, second = await serving_one(conn, MEMBER.id), await serving_one(conn, STRANGER.id)
    team = await team_of(conn, first, second)
    text, _ = history.text_row(DISTRICT, team, 1, {"name": f"暖心队{town.MARKUP[0]}"}, NOW)
    await history.append(conn, [], [text])
    await earn(conn, served(first, minutes=120), served(second), served(first, MARCH + timedelta(days=1), 840))
    relative = await relative_of(conn, first, town.MARKUP[0])
    async with site_of(Settings(database_url=dsn, pool_size=4)) as site:
        yield World(site, conn, first, second, relative)


async def come(visitor: Visitor, who: Person, path: str) -> None:
    await visitor.page.context.clear_cookies()
    await visitor.page.context.request.post(f"{visitor.site}/sign-in", form={"token": who.token}, max_redirects=0)
    await visitor.page.goto(visitor.site + path)
    await visitor.page.wait_for_selector("html[data-forms]")


async def unfold(visitor: Visitor) -> None:
    await visitor.page.evaluate("document.querySelectorAll('details').forEach(one => (one.open = true))")


async def sent(visitor: Visitor, button: str, nth: int = 0) -> None:
    """Press a button of a form, and wait for the page that follows."""
    async with visitor.page.expect_navigation():
        await visitor.page.locator(f"form button:has-text('{button}')").nth(nth).click()
    await visitor.page.wait_for_selector("html[data-forms]")


async def test_an_hour_goes_from_hand_to_hand(world: World, browser: Browser) -> None:
    async with visiting(browser, world.site, **HERE) as visitor:
        page = visitor.page
        await come(visitor, MEMBER, "/volunteering/me")
        await unfold(visitor)
        await page.select_option("#pass-to", str(world.relative))
        await page.fill("#pass-minutes", "60")
        await sent(visitor, "转赠时间")
        assert (await balance(world.conn, world.first), await balance(world.conn, world.relative)) == (60, 60)
        await unfold(visitor)
        await page.select_option("#ask-account", str(world.relative))
        await page.fill("#ask-what", town.MARKUP[0])
        await page.fill("#ask-when", "2026-11-24T09:00")
        await page.fill("#ask-minutes", "45")
        await sent(visitor, "求助")
        await come(visitor, STRANGER, "/volunteering/me")
        await sent(visitor, "我来帮")
        await unfold(visitor)
        await page.fill("[name=started_at]", "2026-11-23T09:00")
        await page.fill("[name=ended_at]", "2026-11-23T09:45")
        await sent(visitor, "确认完成")
        await come(visitor, MEMBER, "/volunteering/me")
        assert await page.is_visible("text=对方说已完成，请确认")
        await sent(visitor, "确认完成")
        assert (await balance(world.conn, world.relative), await balance(world.conn, world.second)) == (15, 105)
        assert await page.evaluate("window.ran") is None
        assert visitor.complaints == []


async def test_what_cannot_be_spent_is_said_at_the_form(world: World, browser: Browser) -> None:
    async with visiting(browser, world.site, **PHONE) as visitor:
        await come(visitor, MEMBER, "/volunteering/me")
        await unfold(visitor)
        await visitor.page.fill("#pass-minutes", "121")
        await visitor.page.click("form[action$=passing-on] button")
        said = visitor.page.locator("form[action$=passing-on] [role=alert]")
        await said.wait_for(state="visible")
        assert "余额不能低于规则允许的下限" in await said.inner_text()
        assert await balance(world.conn, world.first) == 120


async def test_the_desk_decides_and_corrects(world: World, browser: Browser) -> None:
    async with visiting(browser, world.site, **LAPTOP) as visitor:
        page = visitor.page
        await come(visitor, ADMINISTRATOR, "/volunteering/time")
        await unfold(visitor)
        await page.fill("#held [name=minutes]", "480")
        await page.fill("#held [name=reason]", "分两班，只有一班")
        await sent(visitor, "入账")
        assert await balance(world.conn, world.first) == 600
        assert await page.is_visible("text=没有待审核的")
        await page.click("#accounts .lines a >> nth=0")
        await page.wait_for_selector("html[data-forms]")
        await unfold(visitor)
        await page.fill(".correcting [name=minutes] >> nth=0", "300")
        await page.fill(".correcting [name=reason] >> nth=0", "=1+1")
        await sent(visitor, "更正")
        assert await balance(world.conn, world.first) == 420
        assert await page.is_visible("text=已更正")


async def test_a_team_leader_asks_in_the_name_of_somebody_and_gives_it_up(world: World, browser: Browser) -> None:
    await world.conn.execute("update volunteer_team set leader = $1", world.first)
    async with visiting(browser, world.site, **HERE) as visitor:
        page = visitor.page
        await come(visitor, MEMBER, "/volunteering/time")
        await page.click("text=代人求助")
        await page.fill("#text", STRANGER.name)
        await page.click("text=查找")
        await page.wait_for_url("**/volunteering/time/help?text=*")
        await expect(page.locator(".lines li")).to_have_count(1)
        await page.click(".lines a")
        await page.wait_for_selector("html[data-forms]")
        assert [text.split()[0] for text in await page.locator(".formula dd").all_inner_texts()] == ["60", "0", "60"]
        await page.fill("#ask-what", town.MARKUP[0])
        await page.fill("#ask-when", "2026-11-24T09:00")
        await page.fill("#ask-minutes", "61")
        await page.fill("#ask-where", "3号楼2单元")
        await page.click("#ask button")
        await page.locator("#ask [role=alert]").wait_for(state="visible")
        assert "余额不能低于规则允许的下限" in await page.inner_text("#ask [role=alert]")
        assert await page.evaluate("document.activeElement.id") == "ask-minutes"
        assert await page.get_attribute("#ask-minutes", "aria-invalid") == "true"
        await page.fill("#ask-minutes", "45")
        await sent(visitor, "求助")
        assert [text.split()[0] for text in await page.locator(".formula dd").all_inner_texts()] == ["60", "45", "15"]
        await unfold(visitor)
        assert "3号楼2单元" in await page.inner_text("#help")
        await page.fill("#help [name=reason]", "家里来人了")
        await sent(visitor, "取消这次求助")
        assert [text.split()[0] for text in await page.locator(".formula dd").all_inner_texts()] == ["60", "0", "60"]
        assert "已取消" in await page.inner_text("#help")
        await set_rules(world.conn, lowest_volunteer=-20)
        await page.reload()
        told = (await page.locator(".formula dd").last.inner_text()).split()
        assert told == ["80", "分钟", "其中", "20", "可先欠"]
        assert await page.evaluate("window.ran") is None
        assert visitor.complaints == []


@pytest.mark.parametrize("size", [PHONE, LAPTOP], ids=["phone", "desk"])
async def test_all_that_opens_can_be_read_and_touched(world: World, browser: Browser, size: dict[str, object]) -> None:
    draft = HelpDraft(id=uuid4(), account=world.second, what="买菜", wanted_at=NOW + timedelta(days=1), minutes=30)
    await help_requests.ask(world.conn, DISTRICT, world.second, draft, DESK, NOW)
    pages = {
        "/volunteering/time": ADMINISTRATOR,
        f"/volunteering/time/accounts/{world.first}": ADMINISTRATOR,
        f"/volunteering/time/help?account={world.second}": ADMINISTRATOR,
        "/volunteering/time/help?text=nobody": ADMINISTRATOR,
        "/volunteering/me": MEMBER,
    }
    wrong = {}
    async with visiting(browser, world.site, **size) as visitor:
        for path, who in pages.items():
            for language in ("zh", "en"):
                await come(visitor, who, f"{path}{'&' if '?' in path else '?'}lang={language}")
                await unfold(visitor)
                wrong[path, language] = await violations(visitor.page)
        assert visitor.complaints == []
    assert {about: found for about, found in wrong.items() if found} == {}

"""Rating on a phone, at the desk and by code, and a result with its reasons, as people see and touch them."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import pytest
from msgspec import Struct
from playwright.async_api import Browser, Page, Route, expect

from api import database
from api.assessments import shipped_instruments
from api.settings import Settings
from surveys.assessments import instruments
from surveys.assessments.instruments import Instrument
from surveys.history import Actor
from tests.conftest import ADMINISTRATOR, DISTRICT, LEADER, MEMBER, ORGANISER, Person, Server, TestClock
from tests.rating_rounds import DATES, DAY, OPENS, make, rate, say, turn
from tests.surveys import deeds_at_hand
from tests.web import town
from tests.web.accessible import violations
from tests.web.conftest import DESK, PHONE, Visitor, served, visiting

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

PICTURES = os.environ.get("PICTURES")  # a folder, to look at the screens


class House(Struct, frozen=True):
    """The program on a district with a round of its members, in the days of the self-rating."""

    site: str
    round: str
    clock: TestClock
    conn: asyncpg.Connection
    dsn: str
    client: httpx.AsyncClient


def hostile() -> Instrument:
    """The shipped scorecard of members, with texts that would run if a page took them for more."""
    one = shipped_instruments.instrument("member")
    items = list(one.items)
    items[2] = msgspec.structs.replace(items[2], text=f"走访态度好{town.MARKUP[0]}")
    items[3] = msgspec.structs.replace(items[3], text=f"记录及时{town.MARKUP[1]}", maximum=10)
    items[6] = msgspec.structs.replace(items[6], text=f"一办到底{town.MARKUP[3]}", maximum=100)
    return msgspec.structs.replace(one, items=tuple(items), name={"zh": f"党员{town.MARKUP[2]}", "en": town.MARKUP[2]})


@pytest.fixture
async def house(server: Server, template: str) -> AsyncIterator[House]:
    name = f"rating_{uuid4().hex[:8]}"
    admin = await asyncpg.connect(server.dsn())
    await admin.execute(f"create database {name} template {template}")
    dsn, clock = server.dsn("zoufang_app", name), TestClock()
    clock.now = OPENS - DAY
    conn = await database.connect(dsn)
    async with conn.transaction():
        await instruments.publish(conn, DISTRICT, hostile(), Actor("program", "test"), OPENS - 30 * DAY)
    async with (
        served(Settings(database_url=dsn, pool_size=4), clock) as site,
        httpx.AsyncClient(base_url=site, timeout=60) as client,
    ):
        made = await make(client, instrument="member", instrument_version="2026.1", name=f"三季度{town.MARKUP[0]}")
        clock.now = OPENS
        await turn(conn, dsn, clock)
        yield House(site, made["id"], clock, conn, dsn, client)
    await conn.close()
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


async def come_in(visitor: Visitor, who: Person, path: str) -> Page:
    page = visitor.page
    await page.context.request.post(f"{visitor.site}/sign-in", form={"token": who.token}, max_redirects=0)
    answer = await page.goto(visitor.site + path)
    assert answer is not None
    assert answer.status == 200
    return page


async def picture(page: Page, name: str, *, full: bool = True) -> None:
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=full)


async def clean(page: Page) -> None:
    assert await violations(page) == []


def own(house: House, lang: str = "zh", group: str = "self") -> str:
    return f"/assessments/rate/{house.round}/{MEMBER.id}?group={group}&lang={lang}"


def point(page: Page, code: str, points: int) -> str:
    return f'[data-item="{code}"] .point:has(input[value="{points}"])'


async def given(house: House, group: str = "self") -> list[int | None]:
    points = await house.conn.fetchval(
        "select points from rating where subject = $1 and rater_group = $2", MEMBER.id, group
    )
    return [one // 10_000 for one in points or [] if one is not None]


async def test_a_member_rates_themselves_on_a_phone_and_goes_on_later(house: House, browser: Browser) -> None:
    async with visiting(browser, house.site, **PHONE) as visitor:
        page = await come_in(visitor, MEMBER, own(house))
        await clean(page)
        await picture(page, "rate-phone-first", full=False)
        await expect(page.locator("[data-progress]")).to_have_text("0 / 12")
        await page.click(point(page, "1.3", 4))
        await expect(page.locator("[data-state]")).to_have_text("已保存")
        await page.click("[data-heading] >> nth=0 >> [data-copy]")  # 1.4 of ten points gets the same share
        await expect(page.locator("[data-progress]")).to_have_text("2 / 12")
        await expect(page.locator("[data-state]")).to_have_text("已保存")
        assert await given(house) == [4, 8]

        await page.click("[data-next]")  # opens the heading of what is missing, and leads there
        await expect(page.locator('[data-item="2.3"]')).to_be_visible()
        await page.fill('[data-item="2.3"] input[type=number]', "1000")
        await expect(page.locator("#rating > [role=alert]")).to_contain_text("应在 0 到 100 分之间")
        await clean(page)
        await picture(page, "rate-phone-refused", full=False)
        await page.fill('[data-item="2.3"] input[type=number]', "87.5")
        await expect(page.locator("#rating > [role=alert]")).to_be_hidden()

        await page.click('[data-missing] [data-to="3.2"]')
        await page.click(point(page, "3.2", 5))
        await page.fill('[data-evidence="3.2"]', f"三项承诺{town.MARKUP[0]}")
        await expect(page.locator("[data-state]")).to_have_text("已保存")

        await page.reload()
        assert await page.is_checked('[data-item="1.4"] input[value="8"]')
        assert await page.input_value('[data-item="2.3"] input[type=number]') == "87.5"
        assert await page.input_value('[data-evidence="3.2"]') == f"三项承诺{town.MARKUP[0]}"
        await page.goto(house.site + own(house, "en"))
        await clean(page)
        await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        await clean(page)
        await picture(page, "rate-phone-en")


async def test_saved_is_not_said_before_all_is_saved(house: House, browser: Browser) -> None:
    answered = asyncio.Event()

    async def later(route: Route) -> None:
        await answered.wait()
        await route.continue_()

    async with visiting(browser, house.site, **PHONE) as visitor:
        page = await come_in(visitor, MEMBER, own(house))
        await page.click(point(page, "1.3", 4))
        await expect(page.locator("[data-state]")).to_have_text("已保存")
        await page.route("**/ratings/**", later)
        await page.click("[data-heading] >> nth=0 >> [data-copy]")
        await expect(page.locator("[data-progress]")).to_have_text("2 / 12")
        assert await page.inner_text("[data-state]") == "正在保存…"
        await page.click(point(page, "1.3", 2))  # while the copy is under way
        answered.set()
        await expect(page.locator("[data-state]")).to_have_text("已保存")
        assert await given(house) == [2, 8]


async def test_whoever_has_rated_all_is_not_led_to_more(house: House, browser: Browser) -> None:
    async with visiting(browser, house.site, **PHONE) as visitor:
        page = await come_in(visitor, MEMBER, own(house))
        await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        for item in await page.locator("[data-item]").all():
            await expect(page.locator("[data-next]")).to_be_visible()
            number = item.locator("input[type=number]")
            if await number.count():
                await number.fill("1")
            else:
                await item.locator('.point:has(input[value="1"])').click()
        await expect(page.locator("[data-progress]")).to_have_text("12 / 12")
        await expect(page.locator("[data-next]")).to_be_hidden()
        await expect(page.locator("[data-state]")).to_have_text("已保存")
        await clean(page)
        await picture(page, "rate-phone-complete", full=False)
        await page.reload()
        await expect(page.locator("[data-next]")).to_be_hidden()
        await page.click("[data-heading] >> nth=0 >> summary")
        await page.click("[data-heading] >> nth=0 >> summary")
        await page.click('[data-item="1.3"] .point.none')
        await expect(page.locator("[data-next]")).to_be_visible()
        await expect(page.locator("[data-state]")).to_have_text("已保存")


async def test_who_rates_with_the_keyboard_needs_no_mouse(house: House, browser: Browser) -> None:
    async with visiting(browser, house.site, **DESK) as visitor:
        page = await come_in(visitor, MEMBER, own(house))
        await page.focus("[data-next]")
        await page.keyboard.press("Enter")
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("ArrowRight")
        await expect(page.locator('[data-item="1.3"] input[value="1"]')).to_be_checked()
        await expect(page.locator("[data-state]")).to_have_text("已保存")
        assert await given(house) == [1]
        await clean(page)
        await picture(page, "rate-desk", full=False)


async def test_what_is_tapped_without_a_connection_is_kept_and_sent_later(house: House, browser: Browser) -> None:
    async with visiting(browser, house.site, **PHONE) as visitor:
        page = await come_in(visitor, MEMBER, own(house))
        await page.click(point(page, "1.3", 2))
        await expect(page.locator("[data-state]")).to_have_text("已保存")
        await page.route("**/ratings/**", lambda route: route.abort("internetdisconnected"))
        await page.click(point(page, "1.3", 3))
        await expect(page.locator("[data-state]")).to_contain_text("网络不通")
        await picture(page, "rate-phone-offline", full=False)
        await page.unroute("**/ratings/**")
        await page.evaluate("dispatchEvent(new Event('online'))")
        await expect(page.locator("[data-state]")).to_have_text("已保存")
        assert await given(house) == [3]
        visitor.complaints[:] = [one for one in visitor.complaints if "ERR_INTERNET_DISCONNECTED" not in one]


async def test_a_step_that_is_over_says_so(house: House, browser: Browser) -> None:
    async with visiting(browser, house.site, **PHONE) as visitor:
        page = await come_in(visitor, MEMBER, own(house))
        house.clock.now = DATES["self_until"] + DAY
        await page.click(point(page, "1.3", 2))
        await expect(page.locator("#rating > [role=alert]")).to_be_visible()
        assert await given(house) == []
        visitor.complaints[:] = [one for one in visitor.complaints if "409" not in one]


async def test_papers_are_typed_in_one_after_the_other(house: House, browser: Browser) -> None:
    async with visiting(browser, house.site, **DESK) as visitor:
        page = await come_in(visitor, ORGANISER, own(house, group="people"))
        await clean(page)
        for papers in (1, 2):
            await page.click(point(page, "1.3", 3 + papers))
            await page.click("button[type=submit]")
            await expect(page.locator("[data-state]")).to_have_text(f"已录入 {papers} 份")
            await expect(page.locator("[data-progress]")).to_have_text("0 / 7")
        await picture(page, "rate-paper", full=False)
        kept = await house.conn.fetch("select rater, way, points from rating where rater_group = 'people'")
        assert [(row["rater"], row["way"]) for row in kept] == [(None, "desk"), (None, "desk")]


async def test_a_paper_says_nothing_of_saving_before_it_is_handed_in(house: House, browser: Browser) -> None:
    async with visiting(browser, house.site, **DESK) as visitor:
        page = await come_in(visitor, ORGANISER, own(house, group="people"))
        await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        heading = page.locator("[data-heading]:has([data-copy])").first
        await heading.locator('.point:has(input[value="1"])').first.click()
        await expect(page.locator("[data-progress]")).to_have_text("1 / 7")
        await heading.locator("[data-copy]").click()
        await expect(page.locator("[data-progress]")).not_to_have_text("1 / 7")
        assert await page.inner_text("[data-state]") == ""
        await page.click("button[type=submit]")
        await expect(page.locator("[data-state]")).to_have_text("已录入 1 份")


async def test_the_people_rate_once_by_a_code_that_they_scan(house: House, browser: Browser) -> None:
    path = f"subjects/{MEMBER.id}/codes"
    (code,) = (await say(house.client, ORGANISER, house.round, path, status=201, count=1))["codes"]
    async with visiting(browser, house.site, **PHONE) as visitor:
        page = visitor.page
        await page.goto(f"{house.site}/rate")
        await clean(page)
        await picture(page, "rate-code-door", full=False)
        await page.fill("#code", "nonsense")
        await page.click("button[type=submit]")
        await expect(page.locator("[role=alert].problem")).to_be_visible()
        visitor.complaints[:] = []
        await page.goto("about:blank")
        await page.goto(f"{house.site}/rate#{code}")
        await page.wait_for_selector("#rating")
        assert "#" not in page.url
        await clean(page)
        await picture(page, "rate-code", full=False)
        await page.click("#rating button[type=submit]")
        await expect(page.locator("#rating > [role=alert]")).to_have_text("还没有评分。")
        await page.click(point(page, "1.3", 5))
        await page.click("#rating button[type=submit]")
        await expect(page.locator("[data-thanks]")).to_be_visible()
        await clean(page)
        await picture(page, "rate-code-thanks", full=False)
        await page.goto(f"{house.site}/rate?lang=en#{code}")
        await expect(page.locator("[role=alert].problem")).to_be_visible()
        visitor.complaints[:] = []
    assert await given(house, "people") == [5]


async def test_slips_are_made_printed_and_scanned(house: House, browser: Browser) -> None:
    path = f"/assessments/rounds/{house.round}/people/{MEMBER.id}"
    async with visiting(browser, house.site, **DESK) as visitor:
        page = await come_in(visitor, ORGANISER, f"/assessments/rounds/{house.round}/people")
        await page.fill("#find", "王走")
        await page.press("#find", "Enter")
        await expect(page.locator(".score-items li")).to_have_count(1)
        await clean(page)
        await picture(page, "peoples-ratings", full=False)
        await page.click(".score-way")
        await clean(page)
        await page.evaluate("document.querySelector('#count').removeAttribute('max')")  # the server has a bound, too
        await page.fill("#count", "900")
        await page.click("button[type=submit]")
        await expect(page.locator("main [role=alert]")).to_have_text("一次可做 1 到 200 张")
        visitor.complaints[:] = [one for one in visitor.complaints if "422" not in one]
        await page.fill("#count", "3")
        await page.click("button[type=submit]")
        await expect(page.locator(".slip")).to_have_count(3)
        await clean(page)
        await picture(page, "slips")
        code = await page.locator(".slip-code").first.inner_text()
        await page.goto(f"{house.site}{path}?lang=en")
        await clean(page)
        await expect(page.locator("main")).to_contain_text("3 codes made, 0 used")
        await page.goto(f"{house.site}/assessments/rounds/{house.round}/people?lang=en&find=nobody")
        await expect(page.locator(".empty")).to_contain_text("Nobody is found")
        await clean(page)
        await page.goto(f"{house.site}/rate#{code}")
        await expect(page.locator("#rating")).to_be_visible()
    async with visiting(browser, house.site, **PHONE) as visitor:
        page = visitor.page
        await page.context.request.post(f"{house.site}/sign-in", form={"token": MEMBER.token}, max_redirects=0)
        refused = await page.goto(house.site + path)
        assert refused is not None
        assert refused.status == 403
        visitor.complaints[:] = []


async def test_who_leads_sees_the_self_rating_where_the_scorecard_says_so(house: House, browser: Browser) -> None:
    await rate(house.client, MEMBER, house.round, MEMBER.id, "self", {"1.4": 7})
    async with visiting(browser, house.site, **PHONE) as visitor:
        page = await come_in(visitor, LEADER, own(house, group="leaders"))
        await clean(page)
        await expect(page.locator('[data-item="1.4"]')).to_contain_text("自评：7 分")
        await picture(page, "rate-leader", full=False)


async def worked_out(house: House) -> None:
    """Everybody has rated, and the first result is there."""
    everything = {"1.3": 4, "1.4": 8, "2.3": 90, "2.4": 4, "3.1": 5, "3.2": 3, "3.3": 4, "4.2": 5, "4.3": 4}
    sheet = shipped_instruments.instrument("member")

    def of(group: str) -> dict[str, float | None]:
        return {item.code: everything.get(item.code, 4) for item in sheet.items if group in item.raters}

    await rate(house.client, MEMBER, house.round, MEMBER.id, "self", of("self"))
    await rate(house.client, ORGANISER, house.round, MEMBER.id, "people", of("people"))
    await rate(house.client, LEADER, house.round, MEMBER.id, "leaders", of("leaders"))
    await deeds_at_hand.team(house.conn)
    own = await deeds_at_hand.volunteer(house.conn, "V-1", member=MEMBER.id)
    held = await deeds_at_hand.service(house.conn, OPENS - 20 * DAY, title=f"义诊{town.MARKUP[0]}")
    await deeds_at_hand.serve(house.conn, own, held, 90, OPENS - 20 * DAY)
    house.clock.now = DATES["first_at"]
    await turn(house.conn, house.dsn, house.clock)


async def test_a_result_says_how_every_point_came_about(house: House, browser: Browser) -> None:
    await worked_out(house)
    path = f"/assessments/rounds/{house.round}/results/{MEMBER.id}"
    for window, name in ((PHONE, "phone"), (DESK, "desk")):
        async with visiting(browser, house.site, **window) as visitor:
            page = await come_in(visitor, MEMBER, path)
            await clean(page)
            await picture(page, f"result-{name}", full=False)
            await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
            await clean(page)
            await picture(page, f"result-{name}-open")
            third = page.locator("[id='item-1.3']")
            await expect(third).to_contain_text("自评")
            await expect(third).to_contain_text("不计入：至少要 3 人")
            await page.goto(f"{house.site}{path}?lang=en")
            await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
            await clean(page)
            await expect(third).to_contain_text("does not count: at least 3 are needed")
            await picture(page, f"result-{name}-en")
            await page.click("#fact-hours_served a")
            await expect(page.locator("main")).to_contain_text("90 分钟")
            await clean(page)
            await page.goto(f"{house.site}{path}/hours")
            await expect(page.locator("main")).to_contain_text(f"义诊{town.MARKUP[0]}")
            await clean(page)
            await picture(page, f"result-{name}-hours")


async def test_who_was_rated_appeals_on_the_page_and_another_decides(house: House, browser: Browser) -> None:
    await worked_out(house)
    path = f"/assessments/rounds/{house.round}/results/{MEMBER.id}?lang=en"
    async with visiting(browser, house.site, **PHONE) as visitor:
        page = await come_in(visitor, MEMBER, path)
        item = page.locator("[id='item-1.3']")
        await item.locator("summary").first.click()
        await item.locator(".score-appeal summary").click()
        await item.locator("[name=reason]").fill(f"两次没有算{town.MARKUP[0]}")
        await item.locator("button[type=submit]").click()
        await expect(page.locator("[aria-labelledby=appeals-title] .role")).to_have_text("open")
        await clean(page)
    async with visiting(browser, house.site, **DESK) as visitor:
        page = await come_in(visitor, ADMINISTRATOR, path)
        await clean(page)
        appeals = page.locator("[aria-labelledby=appeals-title]")
        await appeals.locator("[name=upheld]").check()
        await appeals.locator("[name=points]").fill("5")
        await appeals.locator("[name=reason]").fill("记录属实")
        await appeals.locator("button[type=submit]").click()
        await expect(appeals.locator(".role")).to_have_text("upheld")
        await picture(page, "result-appeal")

"""The layers of the leader's map, its table, two periods side by side, and the map in a meeting."""

import re
from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest
from playwright.async_api import Browser, Locator, expect

from api import database
from api.settings import Settings
from tests import services_at_hand
from tests.conftest import FAR, NEAR, NEXT, NOW, TestClock
from tests.web.accessible import violations
from tests.web.conftest import DESK, PHONE, Visitor, served, visiting
from tests.web.town import MARKUP, STOCK, stock

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

OPEN = ("reported", "in_hand", "overdue")
TODAY = NOW.date()
PLACED_AND_OPEN = sum(many for community, group, many in STOCK if community and group in OPEN)


def days(back_from: int, back_to: int) -> tuple[date, date]:
    return TODAY - timedelta(days=back_from), TODAY - timedelta(days=back_to)


COMPARED = "/maps/issues?reported_from={}&reported_to={}&than={}..{}".format(*days(29, 0), *days(59, 30))


def _area(visitor: Visitor, code: str) -> Locator:
    """A community on the first map."""
    return visitor.page.locator(f".map:not(.then) path.area[data-area='{code}']")


async def test_the_table_beside_the_map_shows_most_first_and_sorts_by_any_column(visitor: Visitor) -> None:
    await visitor.enter()
    await visitor.page.click(".by-area")
    cells = visitor.page.locator(".places tbody td:nth-of-type(1) a")
    await expect(cells).to_have_count(3)
    wanted = sorted((stock(*OPEN, community=code) for code in (NEAR, NEXT, FAR)), reverse=True)
    assert [int(text) for text in await cells.all_inner_texts()] == wanted
    head = visitor.page.locator(".places thead th", has_text="未结")
    await expect(head).to_have_attribute("aria-sort", "descending")
    await head.locator("button").press("Enter")
    await expect(head).to_have_attribute("aria-sort", "ascending")
    assert [int(text) for text in await cells.all_inner_texts()] == wanted[::-1]
    await expect(visitor.page.locator(".places [data-key=value]")).to_be_focused()


async def test_each_number_of_the_table_opens_its_list(at_desk: Visitor) -> None:
    for layer, counted in {"open": stock(*OPEN, community=NEAR), "overdue": stock("overdue", community=NEAR)}.items():
        await at_desk.enter(f"/maps/issues?layer={layer}#/areas")
        await at_desk.page.click(f"tr[data-place='{NEAR}'] a.number")
        assert await at_desk.listed() == counted
        at_the_desk = await at_desk.page.get_attribute(".at-desk", "href") or ""
        assert at_the_desk.startswith("/desk/?")
        assert f"community={NEAR}" in at_the_desk


async def test_the_shading_and_its_legend_tell_the_formula(at_desk: Visitor) -> None:
    await at_desk.enter()
    near, far = _area(at_desk, NEAR), _area(at_desk, FAR)
    await expect(near).to_have_class(re.compile("open-[1-4]"))
    await at_desk.page.select_option("select[name=layer]", "solved")
    await expect(near).to_have_class(re.compile("share-4"))
    await expect(far).to_have_class(re.compile("share-0"))
    await expect(at_desk.page.locator(".legend")).to_contain_text("解决占比 = 已解决 ÷（未结 + 已解决）")
    assert "layer=solved" in at_desk.page.url
    await at_desk.page.click("[data-choice=street]")
    await expect(at_desk.page.locator("path.area.joined")).to_have_count(3)
    assert "by=street" in at_desk.page.url
    await at_desk.page.go_back()
    await expect(at_desk.page.locator("path.area.joined")).to_have_count(0)


async def test_where_nobody_answered_a_texture_says_so(at_desk: Visitor) -> None:
    await at_desk.enter("/maps/issues?layer=satisfaction")
    await expect(at_desk.page.locator("path.area.nothing")).to_have_count(3)
    await expect(at_desk.page.locator(".untold")).to_contain_text("无数据：3 处")
    fill = await at_desk.page.locator("path.area").first.evaluate("(e) => getComputedStyle(e).fill")
    assert "#nothing" in fill


async def test_the_table_and_the_map_point_at_the_same_place(at_desk: Visitor) -> None:
    await at_desk.enter("/maps/issues?marks=none#/areas")
    await at_desk.page.hover(f"tr[data-place='{FAR}']")
    await expect(_area(at_desk, FAR)).to_have_class(re.compile("hovered"))
    await _area(at_desk, NEXT).hover(force=True)
    await expect(at_desk.page.locator(f"tr[data-place='{NEXT}']")).to_have_class(re.compile("hovered"))
    await at_desk.page.focus(f"tr[data-place='{NEAR}'] th a")
    await expect(_area(at_desk, NEAR)).to_have_class(re.compile("hovered"))


async def test_the_table_follows_the_map(at_desk: Visitor) -> None:
    await at_desk.enter(f"/maps/issues#/area/{FAR}")
    await at_desk.page.evaluate("map_issues.fitBounds(drawing_issues.areas[2].getBounds().pad(-0.3), {animate: false})")
    await at_desk.page.evaluate("location.hash = '#/areas'")
    rows = at_desk.page.locator(".places tbody tr")
    await expect(rows).to_have_count(1)
    await at_desk.page.click(".view-control .whole")
    await expect(rows).to_have_count(3)
    await at_desk.page.click(".panel [data-choice=issues]")
    shown = at_desk.page.locator(".places.issues tbody tr")
    await expect(shown).to_have_count(PLACED_AND_OPEN)
    await at_desk.page.click(".places.issues [data-key=number]")
    await expect(shown.first).to_contain_text("10001")


async def test_a_table_that_says_the_same_stays_as_it_is_when_the_map_is_drawn_anew(at_desk: Visitor) -> None:
    await at_desk.enter("/maps/issues#/areas")
    head = at_desk.page.locator(".places [data-key=value]")
    await head.focus()
    await at_desk.page.locator(".legend [data-choice=none]").dispatch_event("click")
    await expect(at_desk.page.locator(".pin")).to_have_count(0)
    await expect(head).to_be_focused()


async def test_heat_is_drawn_where_issues_lie(at_desk: Visitor) -> None:
    await at_desk.enter("/maps/issues?layer=density&marks=heat")
    await expect(at_desk.page.locator(".pin")).to_have_count(0)
    warm = """() => { const canvas = document.querySelector('canvas.heat'); const context = canvas.getContext('2d')
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height)
      return data.filter((value, at) => at % 4 === 3 && value > 0).length }"""
    assert await at_desk.page.evaluate(warm) > 20
    await expect(at_desk.page.locator(".legend .heat-4")).to_be_visible()
    await at_desk.page.click("[data-choice=none]")
    assert await at_desk.page.evaluate("document.querySelector('canvas.heat').width") == 0


async def test_two_periods_stand_side_by_side_and_move_together(visitor: Visitor) -> None:
    await visitor.enter(COMPARED)
    one, other = visitor.page.locator(".map:not(.then)"), visitor.page.locator(".map.then")
    first, second = await one.bounding_box(), await other.bounding_box()
    assert first
    assert second
    assert second["y"] > first["y"] if first["width"] < 500 else second["x"] > first["x"]
    assert abs(first["width"] - second["width"]) < 3
    await visitor.page.evaluate("map_issues.setZoom(map_issues.getZoom() + 1, {animate: false})")
    moved = "() => document.querySelector('.map.then path.area').getBoundingClientRect().width"
    same = "() => document.querySelector('.map:not(.then) path.area').getBoundingClientRect().width"
    assert abs(await visitor.page.evaluate(moved) - await visitor.page.evaluate(same)) < 2


async def test_a_change_is_told_with_its_sign_and_each_side_opens_its_list(at_desk: Visitor) -> None:
    await at_desk.enter(f"{COMPARED}&layer=solved&shade=difference#/areas")
    row = at_desk.page.locator(f"tr[data-place='{NEAR}']")
    await expect(row.locator(".change")).to_contain_text(re.compile("▼ −|▲ \\+|="))
    await expect(at_desk.page.locator(".map.then path.area").nth(0)).to_have_class(re.compile("change-"))
    links = row.locator("td a.number")
    await links.nth(1).click()
    (begins, ends) = days(59, 30)
    assert (
        await at_desk.listed() == stock(community=NEAR) - 29
    )  # the town has one issue a day, and those of this community are the last
    assert f"reported_from={begins}" in at_desk.page.url
    assert f"as_of={ends}" in at_desk.page.url


async def test_a_comparison_ends_where_it_began(at_desk: Visitor) -> None:
    await at_desk.enter()
    await at_desk.page.click(".compare")
    await expect(at_desk.page.locator(".map.then")).to_be_visible()
    assert "than=" in at_desk.page.url
    await expect(at_desk.page.locator(".days")).to_be_hidden()
    await at_desk.page.locator(".legend summary").click()
    await at_desk.page.click(".compare")
    await expect(at_desk.page.locator(".map.then")).to_be_hidden()
    assert "than=" not in at_desk.page.url


async def test_a_meeting_sees_what_it_is_and_how_far_to_trust_it(browser: Browser, site: str) -> None:
    async with visiting(browser, site, viewport={"width": 1920, "height": 1080}) as visitor:
        await visitor.enter("/maps/issues?present=1")
        page = visitor.page
        await expect(page.locator(".stage-title h1")).to_contain_text("未结问题")
        await expect(page.locator(".stage-title")).to_contain_text("数据截至")
        await expect(page.locator(".stage-foot")).to_contain_text("没有位置 3")
        await expect(page.locator(".stage-foot")).to_contain_text("历史记录尚未核验")
        await expect(page.locator(".shell-bar")).to_be_hidden()
        assert await page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)") >= 20
        await page.keyboard.press("Escape")
        await expect(page.locator(".shell-bar")).to_be_visible()
        assert "present" not in page.url


async def test_the_map_leads_to_the_other_pages(at_desk: Visitor) -> None:
    await at_desk.enter()
    here = at_desk.page.locator(".shell-ways [aria-current=page]")
    await expect(here).to_have_text("地图")
    assert await at_desk.page.locator(".shell-ways a", has_text="工作台").get_attribute("href") == "/desk/"


async def test_a_lost_connection_is_said_at_once_and_everything_comes_back(at_desk: Visitor) -> None:
    await at_desk.enter("/maps/issues?layer=overdue#/areas")
    await at_desk.page.context.set_offline(True)
    await expect(at_desk.page.locator(".notice")).to_contain_text("连不上服务器")
    await at_desk.page.select_option("select[name=layer]", "density", force=True)
    await expect(at_desk.page.locator(".panel-title")).to_contain_text("问题密度")
    await expect(at_desk.page.locator(".places tbody tr")).to_have_count(3)
    assert "layer=density" in at_desk.page.url
    await at_desk.page.context.set_offline(False)
    await expect(at_desk.page.locator(".notice")).to_be_hidden()


@pytest.mark.parametrize("window", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("path", ["", "?layer=satisfaction#/areas", "?marks=heat&layer=density#/issues", COMPARED[12:]])
async def test_everybody_can_use_the_map(browser: Browser, site: str, window: dict[str, object], path: str) -> None:
    async with visiting(browser, site, **window) as visitor:
        await visitor.enter(f"/maps/issues{path}")
        await expect(visitor.page.locator(".panel [role=status]")).to_have_count(0)  # a table has been read
        assert await violations(visitor.page) == []


async def test_names_with_markup_stay_names_in_the_table(at_desk: Visitor) -> None:
    await at_desk.enter("/maps/issues#/areas")
    await expect(at_desk.page.locator(f"tr[data-place='{NEAR}'] th a")).to_have_text(f"近邻社区{MARKUP[0]}")
    await at_desk.page.click(".panel [data-choice=issues]")
    await expect(at_desk.page.locator(".places.issues")).to_contain_text(MARKUP[3].split("{%")[0])


@pytest.fixture
async def with_services(browser: Browser, dsn: str, clock: TestClock) -> AsyncIterator[Visitor]:
    """Somebody at a desk, in a district with a service to come and one that was held, with markup in their texts."""
    conn = await database.connect(dsn)
    await services_at_hand.settle(conn, MARKUP[0])
    await services_at_hand.confirm(conn)
    await conn.close()
    async with served(Settings(database_url=dsn, pool_size=4), clock) as site, visiting(browser, site, **DESK) as found:
        yield found


async def test_services_are_shown_when_they_are_asked_for_and_each_number_opens_its_list(
    with_services: Visitor,
) -> None:
    page = with_services.page
    await with_services.enter()
    await expect(page.locator(".service-pin")).to_have_count(0)
    await page.click(".services-switch")
    pin = page.locator(".service-pin")
    await expect(pin).to_have_count(1)
    assert "services=yes" in page.url
    links = page.locator(".services-meaning a")
    assert [(await one.inner_text()).split() for one in await links.all()] == [["即将开展", "1"], ["已开展", "1"]]
    await pin.press("Enter")
    told = page.locator(".services-told li")
    await expect(told).to_have_count(2)
    await expect(told.first).to_contain_text(MARKUP[0])
    await expect(told.first.locator("a")).to_be_focused()
    assert await violations(page) == []
    await page.keyboard.press("Escape")
    await expect(told).to_have_count(0)
    await expect(pin).to_be_focused()
    await links.last.click()
    await expect(page.locator("[aria-current=page]", has_text="已开展")).to_be_visible()
    await expect(page.locator("main a", has_text=MARKUP[0])).to_have_count(1)


async def test_a_service_leads_to_its_page_and_the_switch_takes_all_of_them_away(with_services: Visitor) -> None:
    page = with_services.page
    await with_services.enter("/maps/issues?services=yes")
    await page.click(".service-pin")
    await page.click(".services-told a >> nth=0")
    await expect(page.locator("h1")).to_contain_text(MARKUP[0])
    assert page.url.split("?")[0].endswith(str(services_at_hand.SHOWN))
    await page.go_back()
    await with_services.ready()
    await expect(page.locator(".service-pin")).to_have_count(1)
    await page.click(".services-switch")
    await expect(page.locator(".service-pin")).to_have_count(0)
    assert "services" not in page.url

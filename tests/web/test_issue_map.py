"""The leader's map, in a browser that reaches nothing but us."""

import re

import httpx
import pytest
from playwright.async_api import Browser, expect

from api.settings import Settings
from maps import coordinates
from tests import doors, drafts
from tests.conftest import AREAS, FAR, NEAR, NEXT, STRANGER, WORKER
from tests.web import town
from tests.web.conftest import DESK, PHONE, Visitor, served, visiting
from tests.web.town import MARKUP, STOCK, stock

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

OPEN = ("reported", "in_hand", "overdue")
TILES = re.compile("autonavi")  # the base map's, which cannot be reached from here


async def test_the_numbers_are_those_of_the_district(visitor: Visitor) -> None:
    await visitor.enter()
    assert await visitor.number(".totals .figure .number") == stock(*OPEN)
    for group in (*OPEN, "solved"):
        assert await visitor.number(f".totals .group.{group.replace('_', '-')} .number") == stock(group)
    assert "3 个问题没有位置" in await visitor.page.inner_text(".unplaced")
    await expect(visitor.page.locator(".caption")).to_have_text("边界为演示数据")


async def test_every_number_opens_the_list_that_it_counts(visitor: Visitor) -> None:
    await visitor.enter()
    wanted = {".totals .figure": stock(*OPEN), ".totals .unplaced": stock() - sum(m for c, _, m in STOCK if c)}
    wanted |= {f".totals .group.{group.replace('_', '-')}": stock(group) for group in (*OPEN, "solved")}
    for selector, counted in wanted.items():
        await visitor.page.click(selector)
        assert await visitor.listed() == counted, selector
        await visitor.page.click(".panel .close")
        await expect(visitor.page.locator(".panel")).to_be_hidden()


async def test_the_list_goes_on_until_all_are_shown(visitor: Visitor) -> None:
    await visitor.enter("/maps/issues#/list?group=solved")
    items = visitor.page.locator(".items > li")
    await expect(items).to_have_count(30)
    await visitor.page.click(".more")
    await expect(items).to_have_count(stock("solved"))
    await expect(visitor.page.locator(".more")).to_have_count(0)


async def test_rings_and_marks_add_up_and_open_their_issues(at_desk: Visitor) -> None:
    await at_desk.enter()
    placed = sum(many for community, _, many in STOCK if community)
    rings = [int(text) for text in await at_desk.page.locator(".cluster .count").all_inner_texts()]
    assert sum(rings) + await at_desk.page.locator(".single").count() == placed
    await at_desk.page.locator(".pin", has=at_desk.page.locator(".cluster")).first.click()
    assert await at_desk.listed() == rings[0]


async def test_an_issue_shows_its_history_and_the_way_back(visitor: Visitor) -> None:
    await visitor.enter("/maps/issues#/list?group=solved&community=" + NEAR)
    await visitor.page.locator(".item").first.click()
    await expect(visitor.page.locator(".history li")).to_have_count(4)
    assert "井盖破损" in await visitor.page.inner_text(".panel h2")
    assert "结案" in await visitor.page.inner_text(".history li:last-child")
    await expect(visitor.page.locator(".pointer")).to_be_visible()
    await visitor.page.click(".back")
    assert await visitor.listed() == stock("solved", community=NEAR)


async def test_what_was_merged_leads_to_what_it_was_merged_into_and_back(at_desk: Visitor) -> None:
    one, other = (f"00000000-0000-0000-0000-{number:012x}" for number in (10001, 10003))
    await _moved(at_desk.site, one, drafts.move("merge", 1, to=other, reason=MARKUP[0]))
    try:
        await at_desk.enter(f"/maps/issues#/issue/{one}")
        await expect(at_desk.page.locator(".history li:last-child strong")).to_have_text("并入另一问题")
        await at_desk.page.get_by_role("link", name="#10003").click()
        await expect(at_desk.page.locator(".history li:last-child strong")).to_have_text("并入一个重复问题")
        await expect(at_desk.page.get_by_role("link", name="#10001")).to_be_visible()
    finally:
        await _moved(at_desk.site, one, drafts.move("unmerge", 2, reason="弄错了"))


async def _moved(site: str, issue: str, move: drafts.Draft) -> None:
    async with httpx.AsyncClient(base_url=site) as client:
        await doors.move(client, WORKER, issue, move)


async def test_an_issue_that_does_not_exist_is_said_so(at_desk: Visitor) -> None:
    await at_desk.enter("/maps/issues#/issue/00000000-0000-0000-0000-00000000ffff")
    await expect(at_desk.page.locator(".panel [role=alert]")).to_contain_text("没有找到这个问题")


async def test_a_community_opens_with_its_numbers(at_desk: Visitor) -> None:
    await at_desk.enter()
    await at_desk.page.locator("path.area").nth(1).dispatch_event("click")
    assert await at_desk.number(".panel .figure .number") == stock(*OPEN, community=NEXT)
    await at_desk.page.click(".panel .group.other")
    assert await at_desk.listed() == stock("other", community=NEXT)


async def test_a_past_day_is_shown_as_it_was(visitor: Visitor) -> None:
    await visitor.enter()
    slider = visitor.page.locator(".day-slider")
    await slider.evaluate("(e) => { e.value = Number(e.min) + 9; e.dispatchEvent(new Event('input')) }")
    await visitor.page.wait_for_url(re.compile(r"as_of=\d{4}-\d\d-\d\d"))
    first_ten = "#/list"  # one issue was reported each day
    await visitor.page.evaluate("(to) => { location.hash = to }", first_ten)
    assert await visitor.listed() == 10
    await visitor.page.click(".panel .close")
    await visitor.page.click(".to-today")
    await expect(visitor.page.locator(".totals .figure .number")).to_have_text(str(stock(*OPEN)))
    assert "as_of" not in visitor.page.url


async def test_filters_narrow_the_map_and_stand_in_the_address(at_desk: Visitor) -> None:
    await at_desk.enter()
    await at_desk.page.select_option("select[name=place]", f"c:{NEXT}")
    await expect(at_desk.page.locator(".totals .figure .number")).to_have_text(str(stock(*OPEN, community=NEXT)))
    assert f"community={NEXT}" in at_desk.page.url
    await at_desk.page.go_back()
    await expect(at_desk.page.locator(".totals .figure .number")).to_have_text(str(stock(*OPEN)))
    await at_desk.page.fill("input[name=text]", "井")
    await expect(at_desk.page.get_by_text("至少两个字")).to_be_visible()
    await at_desk.page.fill("input[name=text]", "10001 <img")
    await expect(at_desk.page.locator(".totals .figure .number")).to_have_text("0")
    await at_desk.page.click(".clear")
    await expect(at_desk.page.locator(".totals .figure .number")).to_have_text(str(stock(*OPEN)))


async def test_a_phone_folds_its_filters_away(browser: Browser, site: str) -> None:
    async with visiting(browser, site, **PHONE) as visitor:
        await visitor.enter()
        await expect(visitor.page.locator(".filters")).to_be_hidden()
        await visitor.page.click(".open-filters")
        await visitor.page.select_option("select[name=group]", "overdue")
        await visitor.page.click(".fold")
        await expect(visitor.page.locator(".filters")).to_be_hidden()
        await expect(visitor.page.locator(".badge")).to_have_text("1")
        await expect(visitor.page.locator(".totals .group.solved .number")).to_have_text("0")


async def test_what_people_wrote_is_shown_and_never_run(visitor: Visitor) -> None:
    await visitor.enter()
    page = visitor.page
    assert MARKUP[2] in await page.inner_text(".head h1")
    for group in ("solved", "overdue", "other"):
        await page.evaluate("(group) => { location.hash = `#/list?group=${group}` }", group)
        await expect(page.locator(".list-total .number")).to_have_text(str(stock(group)))
        shown = await page.inner_text(".items")
        assert all(mark.split("{%")[0][:12] in shown for mark in MARKUP) or group != "solved"
    for number in range(10010, 10015):
        await page.evaluate("(n) => { location.hash = `#/issue/00000000-0000-0000-0000-${n}` }", f"{number:012x}")
        await expect(page.locator(".state-line")).to_contain_text(str(number))
        assert MARKUP[number % 5] in await page.inner_text(".panel h2")
    for area in AREAS:
        await page.evaluate("(code) => { location.hash = `#/area/${code}` }", area.code)
        await expect(page.locator(".panel h2")).to_contain_text(area.name)
    await page.evaluate("() => { location.hash = '#/areas' }")
    await expect(page.locator(".places tbody tr")).to_have_count(3)


async def test_an_address_with_markup_runs_nothing(at_desk: Visitor) -> None:
    await at_desk.enter()
    for fragment in (f"#/list?community={MARKUP[0]}", f"#/area/{MARKUP[2]}", f"#/issue/{MARKUP[1]}", "#/area/%E0%A4"):
        await at_desk.open(f"/maps/issues?text={MARKUP[0]}{fragment}")


async def test_a_hint_over_a_community_is_text(at_desk: Visitor) -> None:
    await at_desk.enter()
    box = await at_desk.page.locator("path.area").nth(0).bounding_box()
    assert box
    await at_desk.page.mouse.move(box["x"] + 8, box["y"] + 8)
    await expect(at_desk.page.locator(".area-hint strong")).to_have_text(f"近邻社区{MARKUP[0]}")


async def test_without_a_network_the_last_numbers_stay_and_return(visitor: Visitor) -> None:
    await visitor.enter()
    await visitor.page.context.set_offline(True)
    await visitor.page.evaluate("map_issues.setZoom(map_issues.getZoom() + 2)")
    await expect(visitor.page.locator(".notice")).to_contain_text("连不上服务器")
    assert await visitor.number(".totals .figure .number") == stock(*OPEN)
    await visitor.page.context.set_offline(False)
    await expect(visitor.page.locator(".notice")).to_be_hidden()


async def test_a_session_that_ended_says_so_and_leads_back_here(visitor: Visitor) -> None:
    await visitor.enter("/maps/issues?urgency=normal")
    await visitor.page.context.clear_cookies()
    await visitor.page.evaluate("map_issues.setZoom(map_issues.getZoom() + 2)")
    await expect(visitor.page.locator(".notice")).to_contain_text("登录已过期")
    await visitor.page.click(".notice a")
    assert await visitor.page.input_value("input[name=next]") == "/maps/issues?urgency=normal"


async def test_the_keyboard_suffices(at_desk: Visitor) -> None:
    await at_desk.enter()
    ring = at_desk.page.locator(".pin", has=at_desk.page.locator(".cluster")).first
    await ring.focus()
    assert "个问题" in str(await ring.get_attribute("aria-label"))
    await at_desk.page.keyboard.press("Enter")
    await at_desk.listed()
    await expect(at_desk.page.locator(".panel-title")).to_be_focused()
    await at_desk.page.keyboard.press("Escape")
    await expect(at_desk.page.locator(".panel")).to_be_hidden()


async def test_the_keyboard_goes_from_numbers_to_filters_to_rings_past_the_shapes(at_desk: Visitor) -> None:
    await at_desk.enter()
    passed = []
    for _ in range(60):
        await at_desk.page.keyboard.press("Tab")
        passed.append(await at_desk.page.evaluate("document.activeElement.tagName + document.activeElement.className"))
    assert not any(stop.startswith("path") for stop in passed)
    order = [next(at for at, stop in enumerate(passed) if part in stop) for part in ("figure", "INPUT", "pin", "play")]
    assert order == sorted(order)


async def test_the_map_speaks_english_when_asked(at_desk: Visitor) -> None:
    await at_desk.enter()
    async with at_desk.page.expect_navigation():
        await at_desk.page.click("header >> text=English")
    await at_desk.ready()
    await expect(at_desk.page.locator(".totals")).to_contain_text("In hand")
    assert await at_desk.page.get_attribute("html", "lang") == "en"


SMALL = """() => [...document.querySelectorAll(
    'button, select, input, summary, .button, .group, .item, .pin, .further a')]
  .filter((e) => e.getClientRects().length && !e.closest('.grip') && e.tabIndex >= 0)
  .filter((e) => e.getBoundingClientRect().height < 43.5)
  .map((e) => e.outerHTML.slice(0, 120))"""


async def test_a_finger_hits_everything_and_the_text_can_be_read(visitor: Visitor) -> None:
    await visitor.enter("/maps/issues#/list?group=solved")
    await visitor.listed()
    assert await visitor.page.evaluate(SMALL) == []
    assert await visitor.page.evaluate("getComputedStyle(document.body).fontSize") == "16px"
    wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await visitor.page.evaluate(wider) == 0


async def test_on_a_base_map_of_another_system_all_is_moved_alike(browser: Browser, town_dsn: str) -> None:
    async with (
        served(Settings(database_url=town_dsn, base_map="amap")) as site,
        visiting(browser, site, **DESK) as visitor,
    ):
        await visitor.page.route(TILES, lambda route: route.abort())
        async with visitor.page.expect_request(TILES):
            await visitor.enter(f"/maps/issues?community={FAR}")
        [(lon, lat)] = await visitor.page.evaluate(
            "() => Object.values(map_issues._layers).filter((l) => l.options.icon?.options.className === 'pin')"
            ".map((l) => [l.getLatLng().lng, l.getLatLng().lat])"
        )
        west, south, east, north = AREAS[2].geometry.bounds
        true_lon, true_lat = coordinates.to_wgs84(lon, lat, "gcj02")
        assert west < true_lon < east
        assert lon - true_lon > 0.005  # some 500 m
        assert south < true_lat < north
        area = await visitor.page.evaluate("drawing_issues.areas[2].getBounds().toBBoxString()")
        drawn = [float(degrees) for degrees in area.split(",")]
        assert drawn[0] < lon < drawn[2]
        assert drawn[1] < lat < drawn[3]


# Where the canvas is warmest, as a longitude and a latitude of the base map.
WARMEST = """() => {
  const canvas = document.querySelector('canvas.heat'), { width, height } = canvas
  const { data } = canvas.getContext('2d').getImageData(0, 0, width, height)
  let [x, y, of] = [0, 0, 0]
  for (let at = 0; at < width * height; at += 1)
    if (data[at * 4] === 90 && data[at * 4 + 3]) [x, y, of] = [x + at % width, y + Math.floor(at / width), of + 1]
  const { lng, lat } = map_issues.containerPointToLatLng([x / of * 6, y / of * 6])
  return [lng, lat]
}"""


async def test_heat_and_what_is_pointed_at_are_moved_like_the_marks(browser: Browser, town_dsn: str) -> None:
    true_lon, true_lat = (town._place(10059, FAR)[axis] for axis in ("lon", "lat"))  # the only issue there
    lon, lat = coordinates.from_wgs84(true_lon, true_lat, "gcj02")
    async with (
        served(Settings(database_url=town_dsn, base_map="amap")) as site,
        visiting(browser, site, **DESK) as visitor,
    ):
        await visitor.page.route(TILES, lambda route: route.abort())
        await visitor.enter(f"/maps/issues?community={FAR}&layer=density&marks=heat")
        async with visitor.page.expect_response(re.compile("/maps/issues/density")):
            await visitor.page.evaluate("map_issues.setView([%s, %s], 17, {animate: false})" % (lat, lon))  # noqa: UP031
        near = "([lon, lat], [x, y]) => Math.abs(lon - x) < 2e-4 && Math.abs(lat - y) < 2e-4"
        await visitor.page.wait_for_function(f"(wanted) => ({near})(({WARMEST})(), wanted)", arg=[lon, lat])
        await visitor.page.evaluate("location.hash = '#/issue/00000000-0000-0000-0000-%012x'" % 10059)  # noqa: UP031
        await expect(visitor.page.locator(".pointer")).to_be_visible()
        pointer = "Object.values(map_issues._layers).find((l) => l.options.zIndexOffset === 2000).getLatLng()"
        at = await visitor.page.evaluate(pointer)
        assert abs(at["lng"] - lon) < 1e-6
        assert abs(at["lat"] - lat) < 1e-6


async def test_somebody_without_issues_finds_an_empty_map(browser: Browser, site: str) -> None:
    async with visiting(browser, site, **DESK) as visitor:
        await visitor.enter(token=STRANGER.token)
        assert await visitor.number(".totals .figure .number") == 0
        await expect(visitor.page.locator(".totals .none")).to_be_visible()
        await expect(visitor.page.locator(".pin")).to_have_count(0)

"""A leader in a meeting: the numbers stand before any chart does, what people wrote is never more than text, and what
was read last stays when the network is gone."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, expect

from tests.conftest import LEADER, WORKER
from tests.web import town
from tests.web.accessible import violations
from tests.web.conftest import Visitor, visiting

pytestmark = pytest.mark.anyio

ROOM = {"viewport": {"width": 1920, "height": 1080}}
WHOLE = "/dashboards?reported_from=2026-08-01&reported_to=2026-11-30"


async def drawn(visitor: Visitor) -> None:
    """Scroll through, until every chart is there that has something to show: one that has not hides when it is near."""
    for drawing in await visitor.page.query_selector_all(".drawing"):
        await drawing.evaluate("one => one.scrollIntoView()")
        await visitor.page.wait_for_function("one => !one.checkVisibility() || one.querySelector('svg')", arg=drawing)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("path", [WHOLE, "/dashboards/rates", "/dashboards/return-visits"])
async def test_each_page_is_open_to_everybody(visitor: Visitor, path: str, language: str) -> None:
    await visitor.enter(f"{path}{'&' if '?' in path else '?'}lang={language}")
    await drawn(visitor)
    assert await violations(visitor.page) == []


async def test_a_presentation_is_open_to_everybody(browser: Browser, site: str) -> None:
    async with visiting(browser, site, **ROOM) as visitor:
        await visitor.enter(f"{WHOLE}&present=true")
        await drawn(visitor)
        assert await violations(visitor.page) == []
        assert not await visitor.page.is_visible(".shell-ways")


async def test_every_number_on_the_page_opens_the_list_that_has_as_many(at_desk: Visitor) -> None:
    await at_desk.enter(WHOLE)
    links: list[list[str]] = await at_desk.page.eval_on_selector_all(
        "#figures a[href^='/desk/?']",
        "links => links.map((one) => [one.getAttribute('href'), (one.querySelector('.number') ?? one).textContent])",
    )
    assert len(links) > 40
    shown = {href: float(text.replace(",", "")) for href, text in links}
    for href, number in shown.items():
        answer = await at_desk.page.context.request.get(f"{at_desk.site}/api/issues?{urlsplit(href).query}&limit=1")
        assert (await answer.json())["total"] == number, href


async def test_the_numbers_are_there_without_the_charts(browser: Browser, site: str) -> None:
    async with visiting(browser, site, viewport={"width": 1366, "height": 768}) as visitor:
        await visitor.page.context.route("**/charts-*.js", lambda route: route.abort())
        await visitor.page.context.request.post(f"{site}/sign-in", form={"token": LEADER.token}, max_redirects=0)
        await visitor.page.goto(site + WHOLE)
        assert await visitor.number(".figures a .number") == town.stock("reported", "in_hand", "overdue")
        assert await visitor.page.evaluate("window.ran") is None
        await visitor.page.goto("about:blank")  # nothing is told any more of the page before it
        assert all("charts-" in one for one in visitor.complaints), "a chart that does not come is told in the console"
        visitor.complaints.clear()


async def test_names_are_texts_in_charts_and_in_what_hovers_over_them(at_desk: Visitor) -> None:
    await at_desk.enter(WHOLE)
    await drawn(at_desk)
    for name, hostile in (("categories", "<img src=x onerror="), ("departments", "window.ran=2 `+(window.ran=2)")):
        drawing = at_desk.page.locator(f".drawing[data-of={name}]")
        box = await drawing.bounding_box()
        assert box
        await drawing.hover(position={"x": box["width"] / 2, "y": box["height"] / 2})
        await expect(drawing).to_contain_text(hostile)
        assert await drawing.evaluate("one => one.querySelectorAll('img, script, [onerror]').length") == 0
    assert await at_desk.page.evaluate("window.ran") is None


async def test_a_mark_opens_its_list(at_desk: Visitor) -> None:
    await at_desk.page.emulate_media(reduced_motion="reduce")  # no bar is still growing when it is clicked
    await at_desk.enter(WHOLE)
    await drawn(at_desk)
    wanted = await at_desk.page.get_attribute("#categories tbody td", "data-href")
    bars = at_desk.page.locator(
        ".drawing[data-of=categories] svg path[fill^='#'], .drawing[data-of=categories] svg path"
    )
    drawing = at_desk.page.locator(".drawing[data-of=categories]")
    box = await drawing.bounding_box()
    assert box
    await expect(bars.first).to_be_attached()
    async with at_desk.page.expect_request(lambda request: urlsplit(request.url).path == "/desk/") as asked:
        for at in range(6, 60):  # down the middle, until a bar is hit
            await drawing.click(position={"x": box["width"] / 2, "y": 40 + at * 4})
            if asked.is_done():
                break
    request = await asked.value
    assert wanted
    assert urlsplit(request.url).query == urlsplit(wanted).query
    await at_desk.page.wait_for_url("**/desk/**")


async def test_the_tables_are_reached_with_the_keyboard(at_desk: Visitor) -> None:
    await at_desk.enter(WHOLE)
    await at_desk.page.focus("details.data summary")
    await at_desk.page.keyboard.press("Enter")
    assert await at_desk.page.is_visible("#trend")
    await at_desk.page.keyboard.press("Tab")
    await at_desk.page.keyboard.press("Tab")
    assert "/desk/" in (await at_desk.page.evaluate("document.activeElement.getAttribute('href')") or "")


async def test_a_presentation_is_read_again_each_minute_while_it_is_seen(browser: Browser, site: str) -> None:
    async with visiting(browser, site, **ROOM) as visitor:
        await visitor.page.clock.install()
        await visitor.enter(f"{WHOLE}&present=true")
        asked: list[str] = []
        visitor.page.on("request", lambda request: asked.append(request.url) if "/dashboards" in request.url else None)
        before_it = await visitor.page.query_selector("#figures")
        async with visitor.page.expect_response(lambda response: "/dashboards?" in response.url):
            await visitor.page.clock.fast_forward(61_000)
        await visitor.page.wait_for_function("one => !one.isConnected", arg=before_it)
        await visitor.page.wait_for_selector("#figures [data-moment]")
        await drawn(visitor)
        await visitor.page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
        before = len(asked)
        await visitor.page.clock.fast_forward(300_000)
        assert len(asked) == before, "nobody sees it"


async def test_what_was_read_last_stays_without_a_network(at_desk: Visitor) -> None:
    await at_desk.enter(f"{WHOLE}&present=true")
    shown = await at_desk.page.inner_text(".figures")
    await at_desk.page.context.set_offline(offline=True)
    await at_desk.page.wait_for_selector(".offline:not([hidden])")
    async with at_desk.page.expect_event("requestfailed"):
        await at_desk.page.evaluate("document.querySelector('#figures').dispatchEvent(new CustomEvent('refresh'))")
    assert await at_desk.page.inner_text(".figures") == shown
    async with at_desk.page.expect_response(lambda response: "/dashboards?" in response.url):
        await at_desk.page.context.set_offline(offline=False)
    await at_desk.page.wait_for_selector(".offline", state="hidden")
    assert await at_desk.page.evaluate("window.ran") is None
    await at_desk.page.goto("about:blank")
    at_desk.complaints.clear()  # the browser tells of the request that could not be sent


async def test_a_period_and_a_place_are_chosen_and_the_address_can_be_sent(at_desk: Visitor) -> None:
    await at_desk.enter("/dashboards?period=month")
    await at_desk.page.click(".further summary")
    await at_desk.page.fill("#reported_from", "2026-11-01")
    await at_desk.page.fill("#reported_to", "2026-11-20")
    await at_desk.page.select_option("#street", index=1)
    async with at_desk.page.expect_navigation():
        await at_desk.page.click(".asking button[type=submit]")
    await at_desk.ready()
    query = urlsplit(at_desk.page.url).query
    assert query == "reported_from=2026-11-01&reported_to=2026-11-20&street=410103001"
    assert town.MARKUP[1] in await at_desk.page.inner_text("h1")


async def test_a_community_worker_sees_their_community(browser: Browser, site: str) -> None:
    async with visiting(browser, site, viewport={"width": 1366, "height": 768}) as visitor:
        await visitor.enter(WHOLE, token=WORKER.token)
        assert "近邻社区" in await visitor.page.inner_text("h1")
        assert not await visitor.page.query_selector("#street")


async def test_rates_are_sorted_by_any_column(at_desk: Visitor) -> None:
    await at_desk.enter("/dashboards/rates?by=community")
    counts: Any = "rows => rows.map((row) => Number(row.cells[1].dataset.value))"
    await at_desk.page.click("thead th:nth-child(2) button")
    await at_desk.page.click("thead th:nth-child(2) button")
    found = await at_desk.page.eval_on_selector_all(".breakdown tbody tr", counts)
    assert found == sorted(found)
    await at_desk.page.click("thead th:nth-child(2) button")
    assert await at_desk.page.eval_on_selector_all(".breakdown tbody tr", counts) == sorted(found, reverse=True)
    href = await at_desk.page.get_attribute(".shell-actions a", "href")
    assert href == "/api/rates.csv?by=community"
    table = await at_desk.page.context.request.get(at_desk.site + href)
    assert len((await table.text()).splitlines()) == len(found) + 1


async def test_on_paper_nothing_is_left_to_press(at_desk: Visitor) -> None:
    await at_desk.enter(WHOLE)
    await at_desk.page.emulate_media(media="print")
    for selector in (".asking", ".shell-bar", ".shell-actions", "details.data summary"):
        assert not await at_desk.page.is_visible(selector), selector
    assert await at_desk.page.is_visible(".three .number")
    assert (await at_desk.page.pdf(prefer_css_page_size=True)).startswith(b"%PDF")

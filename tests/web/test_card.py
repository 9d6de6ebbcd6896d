"""The resident's page on a phone: a card is scanned, its door is seen, a problem is written down."""

import asyncio
import io
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pypdfium2
import pytest
import zxingcpp
from playwright.async_api import Browser, Route, expect

from api import card_sheets
from api.card_sheets import Sheet
from api.settings import Settings
from surveys.contact_cards import card_terms
from surveys.contact_cards.contact_cards import NewCard
from surveys.return_visits import return_visits
from tests import cards, doors, drafts, photographs
from tests.conftest import DISTRICT, MEMBER, NOW, WORKER, Client, TestClock
from tests.web.conftest import PHONE, Visitor, served, visiting

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

PICTURES = os.environ.get("ZOUFANG_TEST_PICTURES")  # a folder to look at what was seen
HEAVIEST = 100 * 1024  # bytes of a page with its script, style and picture, as they travel
SCRIPT = re.compile(r"/static/card-.*\.js$")
LONG = "三楼从今天早晨起没有水，物业说是水管老化，楼上楼下十几户都没有水，老人没法做饭。"


@pytest.fixture
async def street(dsn: str, clock: TestClock) -> AsyncIterator[str]:
    """The address of a program on a district of the test's own."""
    async with served(Settings(database_url=dsn, pool_size=4), clock) as address:
        yield address


@pytest.fixture(params=["light", "dark"])
async def resident(request: pytest.FixtureRequest, browser: Browser, street: str) -> AsyncIterator[Visitor]:
    """Somebody at a phone, by day and by night."""
    async with visiting(browser, street, **PHONE, color_scheme=request.param) as arrived:
        yield arrived


@pytest.fixture
async def at_phone(browser: Browser, street: str) -> AsyncIterator[Visitor]:
    async with visiting(browser, street, **PHONE, color_scheme="light") as arrived:
        yield arrived


@pytest.fixture
async def card(conn: asyncpg.Connection) -> NewCard:
    [made] = await cards.make(conn, service_name="王建国")
    return made


def scanned(site: str, card: NewCard) -> str:
    """What a phone reads from the card as it is printed."""
    sheet = Sheet(
        address=f"{site}/card",
        district=DISTRICT,
        district_name="二七区",
        service_name="王建国",
        hotline=None,
        promise=card_terms.PROMISE,
        made=NOW,
    )
    with pypdfium2.PdfDocument(io.BytesIO(card_sheets.pdf(None, sheet, [card]))) as document:
        (read,) = zxingcpp.read_barcodes(document[0].render(scale=2.5).to_pil())
    return str(read.text)


async def open_card(visitor: Visitor, card: NewCard) -> None:
    await visitor.page.goto(f"{visitor.site}/card#{DISTRICT}.{card.token}.{card.number}")
    await is_open(visitor)


async def is_open(visitor: Visitor) -> None:
    """The page of the door is there, whole and with its script."""
    await visitor.page.wait_for_selector("body[data-csrf]")
    await visitor.page.wait_for_load_state()


async def open_report(visitor: Visitor) -> None:
    """Go on to where a new problem is written down."""
    async with visitor.page.expect_navigation():
        await visitor.page.click("a[href^='/card/report']")


async def leave_at_door(client: Client, card: NewCard, *issues: drafts.Draft) -> drafts.Draft:
    premises = {"id": str(uuid4()), "kind": "shop", "name": "老王面馆", "address": "淮河路 1 号"}
    draft = drafts.visit(contact_card=card.number, premises=premises, issues=list(issues))
    assert (await doors.file(client, MEMBER, draft))["flags"] == []
    return draft


async def picture(visitor: Visitor, name: str) -> None:
    """Keep what is seen, and hold that it fits the window, is large enough to be hit, and large enough to be read."""
    await visitor.page.wait_for_load_state()
    assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= 390
    small = await visitor.page.evaluate(
        "[...document.querySelectorAll('button, input[type=text], input[type=tel], select, textarea, summary, a,"
        " label.choice, .faces label')]"
        ".filter(e => e.checkVisibility() && !e.hidden && e.getBoundingClientRect().height < 43.5)"
        ".map(e => e.outerHTML.slice(0, 80))"
    )
    assert small == []
    assert await visitor.page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 18
    unread = await visitor.page.evaluate(CONTRAST)
    assert unread == [], "text and its ground differ by 4.5 at least"
    if PICTURES:
        scheme = await visitor.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
        await visitor.page.screenshot(path=f"{PICTURES}/card-{name}-{scheme}.png", full_page=True)


# The texts whose contrast with what is behind them is less than WCAG 2 wants (AA).
CONTRAST = """() => {
  const channel = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 }
  const parse = (c) => (c.match(/[\\d.]+/g) || []).map(Number)
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b)
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor)
      if (c.length === 3 || c[3] > 0) return c
    }
    return [255, 255, 255]
  }
  const found = []
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement
    if (!walker.currentNode.data.trim() || !e.checkVisibility() || e.closest('[hidden]') || e.matches('.mark')) continue
    const a = light(parse(getComputedStyle(e).color)), b = light(ground(e))
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${walker.currentNode.data.trim().slice(0, 30)}`)
  }
  return found
}"""


async def test_the_code_on_the_printed_card_opens_the_page_of_its_door(
    resident: Visitor, client: Client, card: NewCard, conn: asyncpg.Connection
) -> None:
    await conn.execute("insert into card_terms values ($1, 'EQ', null, '0371-66668888')", DISTRICT)
    visit = await leave_at_door(
        client,
        card,
        drafts.issue(title="门口垃圾成堆，<img src=x onerror=window.ran=1>"),
        drafts.issue(category="0103", title="店外摆摊挡住了盲道"),
        drafts.solved(title="路灯坏了"),
    )
    await doors.move(client, WORKER, visit["issues"][0]["id"], drafts.move("accept", 1))
    link = scanned(resident.site, card)
    assert link.startswith(f"{resident.site}/card#")
    await resident.page.goto(link)
    await is_open(resident)
    assert resident.page.url == f"{resident.site}/card", "the token stays in no history"
    text = await resident.page.inner_text("body")
    for said in ("王建国", card.number, "<img src=x", "已受理", "已登记", "已办完", "11月26日（周四） 12:00前办完"):
        assert said in text, said
    call = resident.page.locator("a[href^='tel:']")
    assert await call.get_attribute("href") == "tel:037166668888"
    await picture(resident, "door")
    cookies = await resident.page.context.cookies()
    assert [(one["name"], one["path"], one["httpOnly"], one["sameSite"]) for one in cookies] == [
        ("zoufang_card", "/card", True, "Strict")
    ]


async def test_a_problem_is_written_down_and_seen_at_the_desk(resident: Visitor, client: Client, card: NewCard) -> None:
    await leave_at_door(client, card)
    await open_card(resident, card)
    assert "没有要办的事" in await resident.page.inner_text("main")
    await picture(resident, "empty")
    await open_report(resident)
    await resident.page.click("form button[type=submit]")
    assert "请填写" in await resident.page.inner_text("[data-problem]")
    assert await resident.page.evaluate("document.activeElement.id") == "category"
    await resident.page.select_option("#category", label="垃圾成堆")
    await resident.page.fill("#text", LONG)
    await resident.page.click("summary")
    await resident.page.fill("#phone", "12")
    await resident.page.click("form button[type=submit]")
    await resident.page.wait_for_selector("[data-problem]:not([hidden])")
    assert "电话号码" in await resident.page.inner_text("[data-problem]")
    await picture(resident, "report")
    await resident.page.fill("#phone", "13812341234")
    await resident.page.click("form button[type=submit]")
    await resident.page.wait_for_selector(".done")
    await resident.page.wait_for_load_state()
    assert "收到了" in await resident.page.inner_text(".done")
    await picture(resident, "reported")
    page = await doors.read(client, WORKER, "/api/issues")
    assert [item["title"][:10] for item in page["items"]] == [LONG[:10]]
    assert (await doors.issue(client, WORKER, page["items"][0]["id"]))["contact"]["phone"] == "138****1234"


async def test_a_resident_says_how_it_went(
    resident: Visitor, client: Client, card: NewCard, conn: asyncpg.Connection, clock: TestClock
) -> None:
    visit = await leave_at_door(client, card, drafts.issue())
    issue = visit["issues"][0]["id"]
    await doors.move(client, WORKER, issue, drafts.move("accept", 1))
    await doors.move(client, WORKER, issue, drafts.move("resolve", 2, reason="清运了"))
    clock.forward(minutes=10)
    async with conn.transaction():
        await return_visits.invite_due(conn, DISTRICT, clock())
    await open_card(resident, card)
    await resident.page.click("button[type=submit]")
    await resident.page.wait_for_selector("[data-problem]:has-text('解决了没有')")
    await resident.page.click("label:has([name=solved][value=true])")
    await resident.page.click(".faces label:nth-child(2)")
    assert await resident.page.is_visible("[data-reason]")
    await resident.page.click("button[type=submit]")
    assert "请填写" in await resident.page.inner_text("[data-problem]")
    await picture(resident, "answer")
    await resident.page.fill("[name=reason]", "只清了一半")
    await resident.page.click("button[type=submit]")
    await resident.page.wait_for_selector(".done")
    await resident.page.wait_for_load_state()
    assert "重新办理" in await resident.page.inner_text(".done")
    await picture(resident, "answered")
    row = await conn.fetchrow("select state, reopens from issue")
    assert row is not None
    assert tuple(row) == ("accepted", 1)


async def test_photos_are_made_smaller_and_sent_with_the_report(
    browser: Browser, client: Client, card: NewCard, dsn: str, clock: TestClock, tmp_path: Path
) -> None:
    (tmp_path / "large.jpg").write_bytes(photographs.photo(3000, 2000))
    (tmp_path / "no photo.jpg").write_bytes(b"<script>window.ran = 1</script>")
    settings = Settings(database_url=dsn, pool_size=4, data=tmp_path / "data")
    await leave_at_door(client, card)
    async with served(settings, clock) as site, visiting(browser, site, **PHONE) as visitor:
        await open_card(visitor, card)
        await open_report(visitor)
        await visitor.page.select_option("#category", label="垃圾成堆")
        await visitor.page.fill("#text", LONG)
        await visitor.page.set_input_files("#photos", [tmp_path / "large.jpg", tmp_path / "no photo.jpg"])
        await visitor.page.wait_for_selector("[data-photos-told]:has-text('已备好')")
        await visitor.page.click("form button[type=submit]")
        await visitor.page.wait_for_selector(".done")
    page = await doors.read(client, WORKER, "/api/issues")
    listed = await doors.read(client, WORKER, f"/api/issues/{page['items'][0]['id']}/photos")
    assert [(item["width"], item["height"]) for item in listed["items"]] == [(1600, 1067)], "the other is no photo"


async def test_what_was_written_survives_a_lost_signal(at_phone: Visitor, client: Client, card: NewCard) -> None:
    await leave_at_door(client, card)
    await open_card(at_phone, card)
    await open_report(at_phone)
    await at_phone.page.select_option("#category", label="垃圾成堆")
    await at_phone.page.fill("#text", LONG)
    await at_phone.page.context.set_offline(True)
    await at_phone.page.click("form button[type=submit]")
    await at_phone.page.wait_for_selector("[data-problem]:not([hidden])")
    assert "网络不通" in await at_phone.page.inner_text("[data-problem]")
    await expect(at_phone.page.locator("[data-offline]")).to_be_visible()
    await picture(at_phone, "offline")
    await at_phone.page.context.set_offline(False)
    await at_phone.page.click("form button[type=submit]")
    await at_phone.page.wait_for_selector(".done")
    assert (await doors.read(client, WORKER, "/api/issues"))["total"] == 1


async def test_what_is_sent_before_the_script_has_come_waits_for_it_and_stands_in_no_address(
    at_phone: Visitor, client: Client, card: NewCard
) -> None:
    sent = asyncio.Event()

    async def slowly(route: Route) -> None:
        await sent.wait()
        await route.continue_()

    await leave_at_door(client, card)
    await open_card(at_phone, card)
    await at_phone.page.route(SCRIPT, slowly)
    await at_phone.page.goto(f"{at_phone.site}/card/report?lang=zh", wait_until="commit")
    await at_phone.page.select_option("#category", label="垃圾成堆")
    await at_phone.page.fill("#text", LONG)
    await at_phone.page.click("form button[type=submit]", no_wait_after=True)
    assert at_phone.page.url == f"{at_phone.site}/card/report?lang=zh"
    sent.set()
    await at_phone.page.wait_for_selector(".done")
    assert (await doors.read(client, WORKER, "/api/issues"))["total"] == 1


async def test_without_its_script_a_report_says_so_and_stands_in_no_address(
    at_phone: Visitor, client: Client, card: NewCard
) -> None:
    await leave_at_door(client, card)
    await open_card(at_phone, card)
    await at_phone.page.route(SCRIPT, lambda route: route.abort())
    await at_phone.page.goto(f"{at_phone.site}/card/report?lang=zh")
    await at_phone.page.fill("#text", LONG)
    await at_phone.page.click("form button[type=submit]")
    await expect(at_phone.page.locator("[data-problem]")).to_contain_text("没有完全载入")
    assert at_phone.page.url == f"{at_phone.site}/card/report?lang=zh"


async def test_a_place_is_taken_from_the_phone_only_when_asked(
    at_phone: Visitor, client: Client, card: NewCard, conn: asyncpg.Connection
) -> None:
    await leave_at_door(client, card)
    await at_phone.page.context.grant_permissions(["geolocation"])
    await at_phone.page.context.set_geolocation({"longitude": 113.615, "latitude": 34.705, "accuracy": 15})
    await open_card(at_phone, card)
    await open_report(at_phone)
    await at_phone.page.select_option("#category", label="垃圾成堆")
    await at_phone.page.fill("#text", "巷口堆满了垃圾")
    await at_phone.page.click("label:has([value=here])")
    await at_phone.page.wait_for_selector("[data-place]:has-text('已定位')")
    await at_phone.page.click("form button[type=submit]")
    await at_phone.page.wait_for_selector(".done")
    row = await conn.fetchrow("select community, lon, position_source from issue")
    assert row is not None
    assert tuple(row) == ("410103001002", 113.615, "gps")


async def test_a_card_that_is_lost_left_nowhere_or_misread_says_so(
    resident: Visitor, client: Client, card: NewCard, conn: asyncpg.Connection
) -> None:
    await resident.page.goto(f"{resident.site}/card")
    assert "扫一扫" in await resident.page.inner_text("main")
    await picture(resident, "scan")
    await resident.page.goto(misread(resident, card))
    await resident.page.wait_for_selector("[data-failed]:not([hidden])")
    assert "打不开" in await resident.page.inner_text("main")
    await picture(resident, "misread")
    await open_card(resident, card)
    assert "还没有登记" in await resident.page.inner_text("main")
    await picture(resident, "nowhere")
    await conn.execute("update contact_card set revoked_at = $1", NOW)
    await resident.page.reload()
    assert "已停用" in await resident.page.inner_text("main")
    await picture(resident, "revoked")


def misread(visitor: Visitor, card: NewCard) -> str:
    """The address in a code of which one letter was read wrongly."""
    return f"{visitor.site}/card#{DISTRICT}.{card.token[:-1]}{'A' if card.token[-1] != 'A' else 'B'}"


async def test_a_misread_code_does_not_leave_the_card_before_it_on_the_screen(
    resident: Visitor, client: Client, card: NewCard
) -> None:
    await leave_at_door(client, card, drafts.issue(title="门口垃圾成堆"))
    await open_card(resident, card)
    assert "门口垃圾成堆" in await resident.page.inner_text("main")
    await resident.page.goto(misread(resident, card))
    await resident.page.wait_for_selector("main [role=alert]")
    assert "门口垃圾成堆" not in await resident.page.inner_text("main")
    assert "打不开" in await resident.page.inner_text("main")
    await picture(resident, "misread-beside-another")
    await resident.page.click("main [role=alert] button")
    await resident.page.wait_for_selector("text=门口垃圾成堆")


async def test_the_next_who_takes_the_phone_sees_nothing(at_phone: Visitor, client: Client, card: NewCard) -> None:
    await leave_at_door(client, card)
    await open_card(at_phone, card)
    await at_phone.page.click("[data-leave]")
    await at_phone.page.wait_for_selector("[data-scan]")
    assert await at_phone.page.context.cookies() == []


async def test_it_reads_in_english_too(at_phone: Visitor, client: Client, card: NewCard) -> None:
    await leave_at_door(client, card, drafts.issue())
    await open_card(at_phone, card)
    async with at_phone.page.expect_navigation():
        await at_phone.page.click("footer a")
    assert "To be done by Thu 26 Nov, 12:00" in await at_phone.page.inner_text("main")
    await picture(at_phone, "english")
    await open_report(at_phone)
    assert await at_phone.page.inner_text("h1") == "Report a new problem"


# The page itself and all that it asked for, without compression.
WEIGHT = """performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))
  .map(e => e.decodedBodySize).reduce((a, b) => a + b, 0)"""


async def test_every_page_with_all_that_it_needs_is_light(at_phone: Visitor, client: Client, card: NewCard) -> None:
    """With fifty issues, which is as many as a page shows, and as it is before compression."""
    await leave_at_door(client, card, *[drafts.issue(title=LONG[:40]) for _ in range(50)])
    await open_card(at_phone, card)
    for path in ("/card", "/card/report"):
        await at_phone.page.goto(f"{at_phone.site}{path}")
        await at_phone.page.wait_for_load_state("networkidle")
        assert 10_000 < await at_phone.page.evaluate(WEIGHT) < HEAVIEST

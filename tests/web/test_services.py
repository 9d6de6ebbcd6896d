"""Services in a browser: a resident books through their card, a leader reports on the phone, and the resident says how
it was."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from api import database
from api.settings import Settings
from surveys.contact_cards.contact_cards import NewCard
from tests import cards, photographs, services_at_hand
from tests.conftest import DISTRICT, WORKER, Client, Person, TestClock
from tests.services_at_hand import LEADING, LEADS, SERVES, SERVING, announcement, report
from tests.web.accessible import violations
from tests.web.conftest import PHONE, Visitor, served, visiting

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

SERVICES = "/volunteering/services"


@pytest.fixture
async def visitor(browser: Browser, dsn: str, clock: TestClock, tmp_path: Path) -> AsyncIterator[Visitor]:
    settings = Settings(database_url=dsn, pool_size=4, data=tmp_path)
    async with served(settings, clock) as site, visiting(browser, site, **PHONE, timezone_id="Asia/Shanghai") as found:
        yield found


@pytest.fixture
async def card(dsn: str) -> NewCard:
    """A card at a door, in a district with a team."""
    conn = await database.connect(dsn)
    await services_at_hand.found_team(conn)
    [made] = await cards.make(conn)
    await services_at_hand.leave(conn, [made.number])
    await conn.close()
    return made


async def announced(visitor: Visitor) -> str:
    """A service to which two are to serve; its id."""
    draft = announcement(places=2, volunteers=[str(LEADING), str(SERVING)])
    async with Client(base_url=visitor.site, timeout=60) as client:
        answer = await client.post("/api/volunteering/services", json=draft, headers=LEADS.headers)
    assert answer.status_code == 201, answer.text
    return str(draft["id"])


async def open_card(visitor: Visitor, card: NewCard) -> None:
    await visitor.page.goto("about:blank")
    await visitor.page.goto(f"{visitor.site}/card?lang=zh#{DISTRICT}.{card.token}")
    await visitor.page.wait_for_selector("h1")


async def enter(visitor: Visitor, path: str, token: str = LEADS.token) -> None:
    await visitor.page.context.clear_cookies()
    await visitor.page.context.request.post(f"{visitor.site}/sign-in", form={"token": token}, max_redirects=0)
    await visitor.page.goto(f"{visitor.site}{path}?lang=zh")


async def test_booked_on_the_card_reported_on_the_phone_and_judged_on_the_card(
    visitor: Visitor, card: NewCard, clock: TestClock, tmp_path: Path
) -> None:
    service, page = await announced(visitor), visitor.page
    await open_card(visitor, card)
    await page.select_option("select[name=persons]", "2")
    await page.click("form[data-tell=booked] button")
    await expect(page.locator(".done[role=status]")).to_contain_text("已预约，有名额")
    assert await violations(page) == []

    clock.now += timedelta(days=1, hours=3)
    await enter(visitor, f"{SERVICES}/{service}")
    await page.fill("#done", "教会两位老人。")
    await page.fill("#helped", "2")
    await page.check("input[name=came]")
    await page.uncheck("[data-served-tick] >> nth=1")
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(photographs.photo(640, 480))
    await page.set_input_files("#photos", photo)
    await expect(page.locator("[data-photos-told]")).to_contain_text("照片已备好")
    await page.click("form[data-report] button[type=submit]")
    await expect(page.locator("#done-title")).to_be_visible()
    await expect(page.locator(".photos img")).to_have_js_property("complete", value=True)
    await page.click("form[action$=confirmation] button")
    await expect(page.locator(".badge", has_text="已开展")).to_be_visible()
    assert await violations(page) == []

    await open_card(visitor, card)
    await page.click("text=是，帮上了忙")
    await page.click(".faces label >> nth=4")
    await page.click("form.answer button.main")
    await expect(page.locator(".done[role=status]")).to_contain_text("教老人用智能手机")
    await enter(visitor, f"{SERVICES}/{service}")
    await expect(page.locator("dl").nth(1)).to_contain_text("5 分")
    assert visitor.complaints == []


async def test_a_leader_announces_and_a_volunteer_puts_their_name_down(
    visitor: Visitor, card: NewCard, clock: TestClock
) -> None:
    page = visitor.page
    await enter(visitor, SERVICES)
    await page.fill("#title", "义诊")
    await page.fill("#about", "量血压")
    await page.fill("#place", "社区门口")
    await page.click("form[action='/api/volunteering/services'] button.button-main")
    await expect(page.locator("h1")).to_have_text("义诊")
    await enter(visitor, "/volunteering/me", SERVES.token)
    await page.click("text=报名")
    await expect(page.locator(".my-service .badge")).to_have_text("已报名")
    await page.click("text=退出")
    await expect(page.locator(".my-service button")).to_have_text("报名")
    assert visitor.complaints == []


async def test_what_is_refused_is_said_beside_the_form_and_what_was_written_stays(
    visitor: Visitor, card: NewCard
) -> None:
    page = visitor.page
    await enter(visitor, SERVICES)
    await page.fill("#title", "义诊")
    await page.fill("#about", "量血压")
    await page.fill("#place", "社区门口")
    await page.fill("#starts_at", "2020-01-01T09:00")
    await page.click("form[action='/api/volunteering/services'] button.button-main")
    await expect(page.locator("form[data-json] [role=alert]").first).to_be_visible()
    await expect(page.locator("#title")).to_have_value("义诊")
    async with Client(base_url=visitor.site, timeout=60) as client:
        found = (await client.get("/api/volunteering/services", headers=LEADS.headers)).json()
    assert found["total"] == 0


async def test_who_came_is_asked_at_the_door_and_what_they_say_is_written_down(
    visitor: Visitor, card: NewCard, clock: TestClock
) -> None:
    service, page = await announced(visitor), visitor.page
    async with Client(base_url=visitor.site, timeout=60) as client:

        async def sent(who: Person, path: str, body: object) -> dict[str, Any]:
            answer = await client.post(f"/api{path}", json=body, headers=who.headers)
            assert answer.status_code in (200, 201), answer.text
            return dict(answer.json())

        of = f"{SERVICES}/{service}"
        booking = await sent(WORKER, f"{of}/bookings", {"id": str(uuid4()), "card": card.number})
        clock.now += timedelta(days=1, hours=3)
        reported = await sent(LEADS, f"{of}/report", report([booking["id"]], {SERVING: 2}, 1))
        await sent(LEADS, f"{of}/confirmation", {"id": str(uuid4()), "expected_version": reported["version"]})

    await enter(visitor, "/volunteering/bookings", WORKER.token)
    await page.click("text=登记回访结果")
    await page.select_option("select[name=via]", "call")
    await page.select_option("select[name=solved]", "true")
    await page.select_option("select[name=satisfaction]", "2")
    await page.click("form[data-json] button[type=submit]")
    await expect(page.locator("form[data-json] [role=alert]")).to_be_visible()
    await expect(page.locator("select[name=satisfaction]")).to_have_value("2")
    assert await violations(page) == []
    await page.fill("textarea[name=reason]", "等了半个小时")
    await page.click("form[data-json] button[type=submit]")
    await expect(page.locator(".empty")).to_be_visible()
    await enter(visitor, of)
    await expect(page.locator("dl").nth(1)).to_contain_text("2 分")
    assert [one for one in visitor.complaints if "422" not in one] == []

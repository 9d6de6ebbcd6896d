"""Services on the phone: booked by a card and for the door of a visit, given up, never promised without a network."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec
import pytest
from playwright.async_api import Browser, expect

from maps.locator import Atlas
from surveys.people import people
from surveys.volunteering import services
from surveys.volunteering.services import Announcement
from tests import services_at_hand
from tests.conftest import DISTRICT
from tests.phone import streets
from tests.phone.conftest import Handset, Station, handset
from tests.phone.streets import AT_THE_DOOR, MARKUP
from tests.phone.test_screens import look_at
from tests.services_at_hand import LEADS, announcement

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

BOOKINGS = "select number, state, persons, via, card, premises from booking where district = $1 order by number"


async def announce(conn: asyncpg.Connection, places: int) -> UUID:
    """A service of tomorrow in the community of the member's doors, with so many places."""
    await services_at_hand.found_team(conn)
    atlas, now = Atlas(), datetime.now(UTC)
    await atlas.refresh(conn)
    reader = await people.reader(conn, DISTRICT, LEADS.number)
    assert reader is not None
    starts_at = now + timedelta(days=1)
    times = {"starts_at": starts_at.isoformat(), "ends_at": (starts_at + timedelta(hours=2)).isoformat()}
    draft = msgspec.convert(announcement(places=places, title=f"手机课{MARKUP}", **times), Announcement)
    async with conn.transaction():
        return (await services.announce(conn, atlas, reader, draft, now)).id


async def bookings(conn: asyncpg.Connection) -> list[tuple[int, str, int, str]]:
    return [(row["number"], row["state"], row["persons"], row["via"]) for row in await conn.fetch(BOOKINGS, DISTRICT)]


async def open_services(phone: Handset) -> None:
    await phone.open()
    await phone.sign_in()
    await phone.page.locator(".door-list .door-row").first.wait_for()
    await phone.page.locator(".to-services").tap()


async def test_a_place_is_booked_by_card_and_the_door_of_a_visit_waits_until_it_is_given_up(
    browser: Browser, station: Station, conn: asyncpg.Connection
) -> None:
    [door, *_] = await streets.give(conn, streets.along(2))
    await announce(conn, places=2)
    [card] = await services_at_hand.doors(conn)
    async with handset(browser, station.address, **AT_THE_DOOR) as phone:
        page = phone.page
        await open_services(phone)
        await expect(page.locator(".to-come li")).to_have_count(1)
        await expect(page.locator(".to-come li")).to_contain_text(f"手机课{MARKUP}")
        await expect(page.locator(".to-come li")).to_contain_text("余 2 / 2")
        await look_at(page)
        await page.locator(".to-come >> text=预约").tap()
        await page.locator(".book-for .send").tap()
        await expect(page.locator(".book-for")).to_contain_text("请扫描或输入这户的联系卡号码")
        await page.fill("[name=booking-card]", card.lower().replace("-", ""))
        await page.get_by_label("多一人").tap()
        await look_at(page)
        await page.locator(".book-for .send").tap()
        await expect(page.locator(".came")).to_contain_text("预约成功")
        await expect(page.locator(".came")).to_contain_text("1 号")
        await page.locator(".came button").tap()
        await expect(page.locator(".mine li")).to_contain_text("1 号 · 2 人")
        await expect(page.locator(".to-come li")).to_contain_text("已满，可候补")
        await page.locator(".services > header .back").tap()

        await page.locator(".next .door-row").tap()
        await page.locator(".visit .to-services button").tap()
        await page.locator(".to-come >> text=预约").tap()
        await expect(page.locator(".book-for .door")).to_contain_text("老王面馆")
        await page.locator(".book-for .send").tap()
        await expect(page.locator(".came")).to_contain_text("已候补")
        await expect(page.locator(".came")).to_contain_text("前面还有 0 个预约")
        await page.locator(".came button").tap()
        assert await bookings(conn) == [(1, "booked", 2, "member"), (2, "waiting", 1, "member")]

        await expect(page.locator(".mine li[data-state=waiting]")).to_contain_text("候补，前面还有 0 个")
        await look_at(page)
        await page.locator(".mine li[data-state=booked] .give-up").tap()
        await page.locator(".van-dialog__confirm").tap()
        await expect(page.locator(".mine li")).to_have_count(1)
        await expect(page.locator(".mine li")).to_contain_text("已预约")
        assert await bookings(conn) == [(1, "cancelled", 2, "member"), (2, "booked", 1, "member")]
        assert [row["premises"] for row in await conn.fetch(BOOKINGS, DISTRICT)][1] == door
        assert await page.evaluate("window.ran") is None


async def test_a_door_books_once_and_the_server_says_so(
    browser: Browser, station: Station, conn: asyncpg.Connection
) -> None:
    await streets.give(conn, streets.along(1))
    await announce(conn, places=5)
    [card] = await services_at_hand.doors(conn)
    async with handset(browser, station.address, **AT_THE_DOOR) as phone:
        page = phone.page
        await open_services(phone)
        for answer in (".came", ".book-for [role=alert]"):
            await page.locator(".to-come >> text=预约").tap()
            await page.fill("[name=booking-card]", card)
            await page.locator(".book-for .send").tap()
            await page.locator(answer).wait_for()
            await page.locator(".book-for .back").tap()
        assert await bookings(conn) == [(1, "booked", 1, "member")]


async def test_without_a_network_nothing_is_promised_and_nothing_waits_to_be_sent(
    browser: Browser, station: Station, conn: asyncpg.Connection
) -> None:
    await streets.give(conn, streets.along(1))
    await announce(conn, places=5)
    [card] = await services_at_hand.doors(conn)
    async with handset(browser, station.address, **AT_THE_DOOR) as phone:
        page = phone.page
        await open_services(phone)
        await page.locator(".to-come >> text=预约").tap()
        await page.fill("[name=booking-card]", card)
        await phone.context.set_offline(True)
        await expect(page.locator(".book-for [role=alert]")).to_contain_text("离线时不会排队")
        await expect(page.locator(".book-for .send")).to_be_disabled()
        await page.locator(".book-for .back").tap()
        await expect(page.locator(".services [role=alert]")).to_contain_text("没有网络，不能查看和预约")
        await look_at(page)
        await phone.context.set_offline(False)
        await expect(page.locator(".to-come li")).to_have_count(1)
        assert await bookings(conn) == []

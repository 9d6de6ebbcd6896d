"""A questionnaire at the door, with no signal: it skips and checks by the form's own rules, and survives a reload."""

import asyncio
from pathlib import Path

import asyncpg
import msgspec
import pytest
from playwright.async_api import Browser, Page, expect

from api import shipped_questionnaires
from surveys.history import Actor
from tests.conftest import DISTRICT, NOW
from tests.phone import pockets, streets
from tests.phone.conftest import Station, handset
from tests.phone.streets import AT_THE_DOOR, MARKUP

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

GIVEN = "insert into campaign_questionnaire values ($1, 'winter', 'shop', 'shop')"
KEPT = """
caches.open('later').then((cache) => cache.keys())
  .then((keys) => keys.map(({ url }) => url).filter((url) => /later-Questionnaire-.*\\.js$/.test(url)).length)
"""


async def kept_for_later(page: Page) -> None:
    """Wait until the engine lies on the phone."""
    async with asyncio.timeout(90):
        while not await page.evaluate(KEPT):  # noqa: ASYNC110 - a cache tells nobody
            await asyncio.sleep(0.1)


async def choose(page: Page, role: str, *words: str) -> None:
    for one in words:
        await page.get_by_role(role, name=one, exact=False).first.tap()  # type: ignore[arg-type]


async def test_it_is_filled_in_with_no_server_over_a_reload_and_filed_with_its_photo(
    browser: Browser, station: Station, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    await streets.give(conn, streets.along(2))
    async with conn.transaction():
        await shipped_questionnaires.install(conn, DISTRICT, Actor("program", "test"), NOW)
    await conn.execute(GIVEN, DISTRICT)
    async with handset(browser, station.address, **AT_THE_DOOR) as phone:
        page = phone.page
        await phone.open()
        await phone.sign_in()
        await page.reload()
        await kept_for_later(page)
        await station.stop()
        await page.reload()
        await page.locator(".next .door-row").tap()
        await streets.choose(page, "met")
        await page.get_by_text("填写问卷").tap()
        form = page.locator(".q-form")
        await choose(page, "radio", "正常营业")
        await expect(form.get_by_text("预计哪天恢复营业")).to_have_count(0)
        await page.get_by_label("店里有几个人做事").fill("900")
        await expect(form.get_by_text("人数应在 0 到 500 之间")).to_be_visible()
        await page.get_by_label("店里有几个人做事").fill("3")
        await choose(page, "checkbox", "证照办理", "没有困难")
        await expect(form.locator(".q-fault")).to_contain_text("不能再选其他")
        await choose(page, "checkbox", "没有困难", "食品经营许可", "路面破损")
        await page.set_input_files(".q-photo input", streets.snapshot(tmp_path))
        await page.locator(".q-photo img").wait_for()
        await page.get_by_label("请具体说明").fill(f"证办了两个月{MARKUP}")
        await pockets.until_lies(page, "drafts", "证办了两个月")
        await page.reload()
        await expect(page.get_by_label("请具体说明")).to_have_value(f"证办了两个月{MARKUP}")
        await page.locator(".q-photo img").wait_for()
        await page.get_by_text("去看看").tap()
        await expect(form.locator(".q-fault")).to_have_text(["请填写这一题"])
        await choose(page, "radio", "不需要")
        await expect(form.get_by_text("问卷已填好")).to_be_visible()
        await streets.file(page)
        await station.start()
        await streets.send(page)
        await streets.until_sent(page, 1)
        assert await page.evaluate("window.ran") is None
    (visit,) = await streets.filed(conn)
    assert visit["flags"] == []
    told = await conn.fetchrow("select questionnaire, questionnaire_version from visit")
    assert tuple(told or ()) == ("shop", "2026-11")
    text = await conn.fetchval("select body->>'answers' from text_version where subject = $1", visit["id"])
    values = msgspec.json.decode(text)["values"]
    photo = values.pop("street_photo")
    assert values == {
        "trading": "usual",
        "staff": 3,
        "difficulties": ["licences"],
        "licences": ["food"],
        "difficulty_details": f"证办了两个月{MARKUP}",
        "street_problems": ["pavement"],
        "call_back": "no",
    }
    promised = await conn.fetchval("select encode(sha256, 'hex') from visit_photo where visit = $1", visit["id"])
    assert promised == photo["sha256"]


async def test_it_speaks_english_and_can_be_left_out(
    browser: Browser, station: Station, conn: asyncpg.Connection
) -> None:
    await streets.give(conn, streets.along(1))
    async with conn.transaction():
        await shipped_questionnaires.install(conn, DISTRICT, Actor("program", "test"), NOW)
    await conn.execute(GIVEN, DISTRICT)
    async with handset(browser, station.address, **(AT_THE_DOOR | {"locale": "en-GB"})) as phone:
        page = phone.page
        await phone.open()
        await phone.sign_in()
        await page.locator(".next .door-row").tap()
        await streets.choose(page, "met")
        await page.get_by_text("Fill in").tap()
        await expect(page.locator(".q-form")).to_contain_text("How is the shop trading?")
        await choose(page, "radio", "Closed for now")
        await page.get_by_label("When is it to open again?").fill("2020-01-01")
        await expect(page.locator(".q-fault")).to_have_text("The day must not have passed")
        await page.locator(".leave-out").tap()
        await streets.file(page)
        await streets.until_sent(page, 1)
    assert await conn.fetchval("select questionnaire is null from visit")

"""What a phone keeps: through a newer version of the app, with hardly any room left, and on a line that is not safe."""

import json
from typing import Any

import asyncpg
import msgspec
import pytest
from playwright.async_api import Browser, Page, async_playwright

from api import phone_client
from tests.conftest import MEMBER
from tests.entrances import PASSWORD
from tests.phone import pockets, streets
from tests.phone.conftest import Station, handset
from tests.web.conftest import CHROMIUM, QUIET

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

VISIT = "0b6c8a52-6a4e-4a6c-9d3e-5f1f4f0c2a11"

# The database as the first version of the client made it, with a draft in it. Never edited: it lies on phones.
FIRST_VERSION = """
async (draft) => {
  const asked = indexedDB.open('zoufang', 1)
  asked.onupgradeneeded = () => {
    const made = asked.result
    for (const name of ['session', 'day', 'leases', 'settings']) made.createObjectStore(name)
    for (const [name, keyPath] of [['forms', 'key'], ['notices', 'id'], ['drafts', 'id']])
      made.createObjectStore(name, { keyPath })
    made.createObjectStore('photos', { keyPath: 'id' }).createIndex('draft', 'draft')
    made.createObjectStore('outbox', { keyPath: 'id' }).createIndex('state', 'state')
  }
  await new Promise((done) => (asked.onsuccess = done))
  const transaction = asked.result.transaction(['session', 'drafts'], 'readwrite')
  const session = { token: null, device: null, member: draft.member, name: '王走访', expires_at: null }
  transaction.objectStore('session').put(session, 'session')
  transaction.objectStore('drafts').put(draft)
  await new Promise((done) => (transaction.oncomplete = done))
  asked.result.close()
}
"""


def draft(note: str) -> dict[str, Any]:
    """A draft as the first version kept it."""
    door = {"kind": "shop", "name": "老王面馆", "address": "淮河路 1 号"}
    visit = {"id": VISIT, "premises": door, "started_at": "2026-11-25T01:00:00Z", "issues": [], "note": note}
    return {
        "id": VISIT,
        "member": str(MEMBER.id),
        "door": None,
        "visit": visit,
        "form": {},
        "started_at": "2026-11-25T01:00:00Z",
        "changed_at": "2026-11-25T01:02:00Z",
    }


async def test_a_draft_of_the_first_version_is_taken_up_by_this_one(browser: Browser, station: Station) -> None:
    async with handset(browser, station.address) as phone:
        await phone.page.goto(f"{station.address}/phone/manifest.webmanifest")
        await phone.page.evaluate(FIRST_VERSION, draft("门口在修路"))
        await phone.open()
        assert MEMBER.name in await phone.page.inner_text(".why")
        await phone.sign_in()
        await phone.page.click("text=发件箱")
        await phone.page.click("text=老王面馆")
        assert await phone.page.input_value("[name=note]") == "门口在修路"


async def test_a_newer_version_waits_until_the_form_is_left(
    browser: Browser, station: Station, conn: asyncpg.Connection
) -> None:
    await streets.give(conn, streets.along(1))
    async with handset(browser, station.address) as phone:
        page = phone.page
        await phone.open()
        await phone.sign_in()
        await page.reload()  # from now on the app that is kept serves
        await page.locator(".next .door-row").tap()
        await page.fill("[name=note]", "写到一半")
        files = phone_client.files()
        present = files["sw.js"]
        forms = {"": present.forms[""] + b"\n// newer"}
        files["sw.js"] = msgspec.structs.replace(present, etag='W/"newer"', forms=forms)
        try:
            await page.evaluate(
                "navigator.serviceWorker.getRegistration().then((one) => one.update()).then(() => null)"
            )
            await page.wait_for_function(
                "navigator.serviceWorker.getRegistration().then((one) => Boolean(one.waiting))"
            )
            assert await page.locator("text=有新版本").count() == 0
            assert await page.input_value("[name=note]") == "写到一半"
            await page.locator(".back").tap()
            await page.locator(".today").wait_for()
            async with page.expect_event("load"):
                await page.locator(".update").tap()
            await page.locator(".next .door-row").tap()
            assert await page.input_value("[name=note]") == "写到一半"
        finally:
            files["sw.js"] = present


LATE_WORKER = """
const register = navigator.serviceWorker.register.bind(navigator.serviceWorker)
navigator.serviceWorker.register = async (...given) => {
  await new Promise((come) => { window.workerMayCome = come })
  return register(...given)
}
"""


async def test_what_is_fetched_ahead_is_kept_when_the_worker_comes_late(
    browser: Browser, station: Station, conn: asyncpg.Connection
) -> None:
    await streets.give(conn, streets.along(1))
    async with handset(browser, station.address) as phone:
        page = phone.page
        await phone.context.add_init_script(LATE_WORKER)
        await phone.open()
        await page.fill("[name=account]", MEMBER.number)
        await page.fill("[name=password]", PASSWORD)
        await page.click("button[type=submit]")
        await page.locator(".next .door-row").wait_for()
        await page.evaluate("window.workerMayCome()")
        await page.wait_for_function(pockets.READER_KEPT)


async def test_a_phone_that_is_nearly_full_says_so(browser: Browser, station: Station) -> None:
    async with handset(browser, station.address) as phone:
        await phone.context.add_init_script(
            "navigator.storage.estimate = async () => ({ usage: 970 * 1048576, quota: 1000 * 1048576 })"
        )
        await phone.open()
        await phone.page.wait_for_selector("text=手机存储快满了")


async def test_without_encryption_it_says_what_will_not_work(station: Station) -> None:
    rules = f"--host-resolver-rules=MAP visits.example 127.0.0.1:{station.port}"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, rules])
        async with handset(browser, "http://visits.example") as phone:
            await phone.open()
            assert "HTTPS" in await phone.page.inner_text("[role=status]")
            await phone.page.fill("[name=account]", MEMBER.number)
            await phone.page.click("button[type=submit]")
            # the pages' own header, which says nothing to a phone on such a line
            phone.complaints = [one for one in phone.complaints if "Cross-Origin-Opener-Policy" not in one]
        await browser.close()


async def test_what_lies_on_the_phone_is_the_member_s_own(
    browser: Browser, station: Station, conn: asyncpg.Connection
) -> None:
    await streets.give(conn, streets.along(2))
    async with handset(browser, station.address) as phone:
        await phone.open()
        await phone.sign_in()
        await phone.page.locator(".next .door-row").wait_for()
        [kept] = await pockets.lying(phone.page, "day")
        assert len(kept["day"]["doors"]) == 2
        assert await secrets_elsewhere(phone.page) == "[]"


async def secrets_elsewhere(page: Page) -> str:
    """What a script could find outside the database that looks like a token."""
    found = await page.evaluate(
        "[JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie, location.href]"
    )
    return json.dumps([one for one in found if "zf_" in one])

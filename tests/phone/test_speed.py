"""How soon the app can be used: the first time over a poor signal on a slow phone, and later with none."""

import logging
import re
import time

import asyncpg
import pytest
from playwright.async_api import Browser, Page

from api import phone_client
from tests.phone.conftest import Handset, Station, handset

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

log = logging.getLogger(__name__)

MOST_BYTES = 250 * 1024
FIRST_START_S, LATER_START_S = 3.0, 1.0
SLOW_CPU = {"rate": 4}
POOR_SIGNAL = {
    "offline": False,
    "latency": 100,
    "downloadThroughput": 200_000,
    "uploadThroughput": 200_000,
}  # 1.6 Mbit/s


def test_what_every_phone_fetches_is_small() -> None:
    files = phone_client.files()
    worker = files["sw.js"].forms[""].decode()
    kept = set(re.findall(r'url:"([^"]+)"', worker))
    assert "index.html" in kept
    assert not [name for name in kept if "later-" in name or name.endswith(".wasm")], (
        "questionnaires and codes come later"
    )
    whole = sum(len(files[name].forms["gzip"]) for name in kept | {"sw.js"} if "gzip" in files[name].forms)
    log.info("everything that is kept for working offline: %s bytes compressed", whole)
    assert whole < MOST_BYTES


async def slowed(phone: Handset, page: Page) -> None:
    session = await phone.context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.emulateNetworkConditions", POOR_SIGNAL)
    await session.send("Emulation.setCPUThrottlingRate", SLOW_CPU)


@pytest.mark.alone
async def test_a_slow_phone_with_a_poor_signal_can_use_it_soon(browser: Browser, station: Station) -> None:
    async with handset(browser, station.address) as phone:
        await slowed(phone, phone.page)
        began = time.monotonic()
        await phone.page.goto(f"{station.address}/phone/", wait_until="commit")
        await phone.page.fill("[name=account]", "1")
        took = time.monotonic() - began
        loaded = await phone.page.evaluate(
            "performance.getEntriesByType('resource').reduce((sum, one) => sum + one.transferSize, 0)"
        )
        log.info("usable after %.2f s, %s bytes of files", took, loaded)
        assert took < FIRST_START_S
        assert loaded < MOST_BYTES


@pytest.mark.alone
async def test_later_it_is_there_at_once_with_no_network(
    browser: Browser, station: Station, conn: asyncpg.Connection
) -> None:
    async with handset(browser, station.address) as phone:
        await phone.open()
        await phone.sign_in()
        await station.stop()
        times = []
        for _ in range(3):
            await phone.page.close()
            phone.page = await phone.another_tab()
            began = time.monotonic()
            await phone.page.goto(f"{station.address}/phone/", wait_until="commit")
            await phone.page.wait_for_selector(".van-tabbar")
            times.append(time.monotonic() - began)
        log.info("there after %s s", [round(took, 2) for took in times])
        assert min(times) < LATER_START_S

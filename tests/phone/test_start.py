"""The app on a phone: how it begins, and that it begins without a network as well."""

import pytest
from playwright.async_api import Browser

from tests.phone.conftest import Station, handset

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_somebody_signs_in_once_and_opens_the_app_again_with_no_network(
    browser: Browser, station: Station
) -> None:
    async with handset(browser, station.address) as phone:
        await phone.open()
        assert await phone.page.input_value("[name=account]") == ""
        await phone.sign_in()
        await station.stop()
        await phone.page.reload()
        await phone.page.wait_for_selector(".van-tabbar")
        await phone.page.click("text=我的")
        await phone.page.wait_for_selector("h1:text-is('王走访')")


async def test_a_wrong_password_is_told_and_can_be_mended(browser: Browser, station: Station) -> None:
    async with handset(browser, station.address) as phone:
        await phone.open()
        await phone.page.fill("[name=account]", "1")
        await phone.page.fill("[name=password]", "<img src=x onerror=window.ran=1>")
        await phone.page.click("button[type=submit]")
        assert "不正确" in await phone.page.inner_text("[role=alert]")
        assert await phone.page.evaluate("window.ran") is None
        await phone.sign_in()


async def test_in_wechat_it_shows_how_to_open_it_outside(browser: Browser, station: Station) -> None:
    agent = "Mozilla/5.0 (Linux; Android 12) AppleWebKit/537.36 Chrome/107 Mobile MicroMessenger/8.0.42"
    async with handset(browser, station.address, user_agent=agent) as phone:
        await phone.open("#/today")
        assert "在浏览器打开" in await phone.page.inner_text("main")

"""Forms that need the page's scripts: what is pressed before these have come is not lost, and goes nowhere bare."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Route

from api.settings import Settings
from tests.conftest import WORKER, TestClock
from tests.web.conftest import PHONE, Visitor, served, visiting

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

FORMS = re.compile(r"/static/forms-.*\.js$")
SIGN_OUT = "form[action='/sign-out'] button"


@pytest.fixture
async def visitor(browser: Browser, dsn: str, clock: TestClock) -> AsyncIterator[Visitor]:
    """Somebody with a phone on a slow line, signed in."""
    settings = Settings(database_url=dsn, pool_size=4)
    async with served(settings, clock) as site, visiting(browser, site, **PHONE) as arrived:
        await arrived.page.context.request.post(f"{site}/sign-in", form={"token": WORKER.token}, max_redirects=0)
        yield arrived


async def test_what_is_pressed_before_the_scripts_have_come_is_done_when_they_are_there(visitor: Visitor) -> None:
    pressed = asyncio.Event()

    async def slowly(route: Route) -> None:
        await pressed.wait()
        await route.continue_()

    await visitor.page.route(FORMS, slowly)
    await visitor.page.goto(f"{visitor.site}/account", wait_until="commit")
    await visitor.page.click(SIGN_OUT, no_wait_after=True)
    assert visitor.page.url.endswith("/account")
    pressed.set()
    await visitor.page.wait_for_url("**/sign-in*")


async def test_without_its_script_a_form_says_so_and_sends_nothing(visitor: Visitor) -> None:
    await visitor.page.route(FORMS, lambda route: route.abort())
    await visitor.page.goto(f"{visitor.site}/account")
    await visitor.page.click(SIGN_OUT)
    await visitor.page.wait_for_selector("form[action='/sign-out'] [role=alert]:has-text('没有完全载入')")
    assert visitor.page.url.endswith("/account")

"""A real Chromium in front of the real program, with nothing but loopback within reach."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
import uvicorn
from msgspec import Struct
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Route, async_playwright, expect

from api import database
from api.app import create_app
from api.cli.serve import KEEP_ALIVE
from api.settings import Settings
from tests.conftest import LEADER, RING, Server, TestClock
from tests.web import town

CHROMIUM = "/usr/bin/chromium"
PATIENCE_MS = 30_000  # against hanging alone: a page is slow where the machine is, and no page is judged by it here
expect.set_options(timeout=PATIENCE_MS)
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DESK = {"viewport": {"width": 1440, "height": 900}}


@pytest.fixture(scope="session")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield launched
        await launched.close()


@pytest.fixture(scope="session")
async def town_dsn(server: Server, template: str) -> AsyncIterator[str]:
    """A database with the district of `town`; tests only read it."""
    name = f"web_{uuid4().hex[:8]}"
    admin = await asyncpg.connect(server.dsn())
    await admin.execute(f"create database {name} template {template}")
    conn = await database.connect(server.dsn("zoufang_app", name))
    await town.settle(conn)
    await conn.close()
    yield server.dsn("zoufang_app", name)
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@pytest.fixture(scope="session")
async def site(town_dsn: str) -> AsyncIterator[str]:
    """The address of the program, serving the district of `town`."""
    async with served(Settings(database_url=town_dsn, pool_size=4)) as address:
        yield address


@asynccontextmanager
async def served(settings: Settings, clock: TestClock | None = None) -> AsyncIterator[str]:
    """The program behind a real HTTP server on loopback, in this event loop."""
    app = create_app(settings, clock or TestClock(), RING)
    running = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", timeout_keep_alive=KEEP_ALIVE))
    running.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(running.serve([listening]))
        try:
            while not running.started:  # noqa: ASYNC110 - uvicorn has no event to wait for
                await asyncio.sleep(0.02)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            running.should_exit = True
            await task


class Visitor(Struct):
    """A browser window, and what a security reviewer would want to know about it."""

    page: Page
    site: str
    left: list[str]  # requests for other hosts, all of which failed
    complaints: list[str]  # scripts that broke, and what the content security policy refused

    async def sign_in(self, path: str = "/maps/issues", token: str = LEADER.token) -> None:
        """Come in through the door and wait for the map."""
        await self.page.goto(self.site + path)
        await self.give_token(token)
        await self.ready()

    async def give_token(self, token: str) -> None:
        """Use the other way in."""
        if not await self.page.is_visible("#token"):
            await self.page.click(".other summary")
        await self.page.fill("#token", token)
        await self.page.press("#token", "Enter")

    async def enter(self, path: str = "/maps/issues", token: str = LEADER.token) -> None:
        """Come in without seeing the door."""
        await self.page.context.request.post(f"{self.site}/sign-in", form={"token": token}, max_redirects=0)
        await self.page.goto(self.site + path)
        await self.ready()

    async def open(self, path: str) -> None:
        """Open an address as if it was typed."""
        await self.page.goto("about:blank")
        await self.page.goto(self.site + path)
        await self.ready()

    async def ready(self) -> None:
        await self.page.wait_for_selector("body[data-ready]")

    async def number(self, selector: str) -> int:
        """The number that an element shows."""
        return int((await self.page.inner_text(selector)).replace(",", ""))

    async def listed(self) -> int:
        """The total of the open list, once it is there."""
        await self.page.wait_for_selector(".list-total .number")
        return await self.number(".list-total .number")


@asynccontextmanager
async def visiting(browser: Browser, site: str, **window: object) -> AsyncIterator[Visitor]:
    """A new visitor, who must have reached no other host and run no text when leaving."""
    context: BrowserContext = await browser.new_context(locale="zh-CN", **window)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    visitor = Visitor(await context.new_page(), site, [], [])
    await context.route("**", lambda route: _within(route, visitor))
    visitor.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
    visitor.page.on("console", lambda message: _overhear(message, visitor))
    try:
        yield visitor
        assert await visitor.page.evaluate("window.ran") is None
        assert visitor.left == []
        assert visitor.complaints == []
    finally:
        await context.unroute_all(behavior="ignoreErrors")
        await context.close()  # a window that is left open draws on, and takes the next ones' time


async def _within(route: Route, visitor: Visitor) -> None:
    if urlsplit(route.request.url).hostname == "127.0.0.1":
        await route.continue_()
    else:
        visitor.left.append(route.request.url)
        await route.abort()


def _overhear(message: ConsoleMessage, visitor: Visitor) -> None:
    if message.type == "error" and "Failed to load resource" not in message.text:
        visitor.complaints.append(message.text)


@pytest.fixture(params=["phone", "desk"])
async def visitor(request: pytest.FixtureRequest, browser: Browser, site: str) -> AsyncIterator[Visitor]:
    """Somebody at a phone, and somebody at a desk."""
    async with visiting(browser, site, **(PHONE if request.param == "phone" else DESK)) as arrived:
        yield arrived


@pytest.fixture
async def at_desk(browser: Browser, site: str) -> AsyncIterator[Visitor]:
    """Somebody at a desk."""
    async with visiting(browser, site, **DESK) as arrived:
        yield arrived

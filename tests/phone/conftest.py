"""A phone in front of the real program: the same Chromium as the pages have, with a telephone's screen."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
import uvicorn
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page

from api.app import create_app
from api.cli.serve import KEEP_ALIVE
from api.settings import Settings
from tests.conftest import MEMBER, RING, STRANGER, Person
from tests.entrances import PASSWORD, give_password
from tests.web.conftest import PATIENCE_MS
from tests.web.conftest import browser as browser

HANDSET = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True, "locale": "zh-CN"}


class Station:
    """The program on one address, which can be stopped, killed and started again as often as a test likes."""

    def __init__(self, settings: Settings) -> None:
        self._held = socket.socket()  # bound and never listening: nobody else gets the port while the program is away
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(("127.0.0.1", 0))
        self.port: int = self._held.getsockname()[1]
        self._settings = settings
        self._running: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Serve; nobody had to wait for the port, since nobody else has it."""
        app = create_app(self._settings, lambda: datetime.now(UTC), RING)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=1,
            timeout_keep_alive=KEEP_ALIVE,
        )
        self._running = uvicorn.Server(config)
        self._running.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self._listening = socket.create_server(("127.0.0.1", self.port))
        self._task = asyncio.create_task(self._running.serve([self._listening]))
        while not self._running.started:  # noqa: ASYNC110 - uvicorn has no event to wait for
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Be gone: whoever is in the middle of something is cut off."""
        if self._running and self._task:
            self._running.should_exit = True
            await self._task
            self._listening.close()
        self._running = self._task = None

    async def end(self) -> None:
        """Be gone, and let the port go."""
        await self.stop()
        self._held.close()


@pytest.fixture
async def station(dsn: str, conn: asyncpg.Connection, tmp_path: Path) -> AsyncIterator[Station]:
    """The program with people who have passwords, on the test's own database."""
    for one in (MEMBER, STRANGER):
        await give_password(conn, one)
    station = Station(Settings(database_url=dsn, pool_size=4, data=tmp_path / "data"))
    await station.start()
    yield station
    await station.end()


@asynccontextmanager
async def handset(browser: Browser, site: str, **more: object) -> AsyncIterator["Handset"]:
    """A phone with nothing on it yet; it must break nothing and be refused nothing by the page's policy."""
    context: BrowserContext = await browser.new_context(**(HANDSET | more))  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    phone = Handset(context, await context.new_page(), site)
    try:
        yield phone
        assert phone.complaints == []
    finally:
        await context.close()


class Handset:
    """A phone: its browser, and what broke in it."""

    def __init__(self, context: BrowserContext, page: Page, site: str) -> None:
        self.context = context
        self.site = site
        self.complaints: list[str] = []
        self.page = self._watched(page)

    def _watched(self, page: Page) -> Page:
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._overhear)
        return page

    def _overhear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    async def another_tab(self) -> Page:
        """The same phone, the app opened a second time."""
        return self._watched(await self.context.new_page())

    async def open(self, path: str = "") -> None:
        """Open the app, or one of its screens."""
        await self.page.goto(f"{self.site}/phone/{path}")
        await self.page.wait_for_selector("main")

    async def sign_in(self, who: Person = MEMBER, password: str = PASSWORD) -> None:
        """Sign in as a person does, and wait until the app has itself kept for later."""
        await self.page.fill("[name=account]", who.number)
        await self.page.fill("[name=password]", password)
        await self.page.click("button[type=submit]")
        await self.page.wait_for_selector(".van-tabbar")
        await self.page.evaluate("navigator.serviceWorker.ready.then(() => null)")

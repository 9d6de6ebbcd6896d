"""The outbox over a line that is really cut, stalled or reset: everything arrives once, and nothing goes from the phone
before the server has it."""

import asyncio
import io
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from PIL import Image
from playwright.async_api import Browser, Page, Request, Response, Route

from tests import drafts, photographs
from tests.api.processes import Program
from tests.conftest import MEMBER, STRANGER
from tests.entrances import PASSWORD, give_password
from tests.phone import pockets, streets
from tests.phone.bad_line import BadLine, line
from tests.phone.conftest import Handset, Station, handset

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.timeout(300)]

log = logging.getLogger(__name__)

FILED = "select count(*) from visit"
RECEIVED = "select count(*) from issue_photo where received_at is not null"


@pytest.fixture
async def wire(station: Station) -> AsyncIterator[BadLine]:
    """The line to the program."""
    async with line(station.port) as opened:
        yield opened


def visits(count: int) -> list[drafts.Draft]:
    """A day's visits, each with an issue, ended a while ago."""
    began = datetime.now(UTC) - timedelta(hours=5)
    made = []
    for at in range(count):
        start = began + timedelta(minutes=4 * at)
        door = {"kind": "shop", "name": f"{at + 1}号店", "address": f"淮河路 {at + 1} 号"}
        times = {"started_at": start.isoformat(), "ended_at": (start + timedelta(minutes=3)).isoformat()}
        made.append(drafts.visit(premises=door, issues=[drafts.issue()], **times))
    return made


def noise(seed: int, side: int) -> bytes:
    """A photo like no other, that no compression makes smaller."""
    dice = random.Random(seed)  # noqa: S311 -- a picture
    written = io.BytesIO()
    Image.frombytes("L", (side, side), dice.randbytes(side * side)).save(written, "JPEG", quality=75)
    return written.getvalue()


def with_photos(made: list[drafts.Draft], each: int, side: int) -> dict[str, list[bytes]]:
    """Photos for the issue of each visit, promised by it."""
    taken = {}
    for at, visit in enumerate(made):
        taken[visit["id"]] = [noise(1_000 * at + number, side) for number in range(each)]
        visit["issues"][0]["photos"] = [photographs.promised(content) for content in taken[visit["id"]]]
    return taken


async def signed_in(phone: Handset) -> None:
    await phone.open()
    await phone.sign_in()


async def delivered(page: Page, count: int, seconds: float = 120) -> None:
    """Wait until the outbox has nothing that waits, and as many lines of what has arrived."""
    await page.click(".van-tabbar-item:nth-child(2)")
    deadline = asyncio.get_running_loop().time() + seconds
    while await page.locator("[data-state=done]").count() < count:
        assert asyncio.get_running_loop().time() < deadline, await page.inner_text("main")
        await asyncio.sleep(0.1)
    assert await page.locator("[data-state=waiting], [data-state=filed], [data-state=refused]").count() == 0


async def until(happened: Callable[[], bool]) -> None:
    """Wait until something has happened; the test's own limit ends it."""
    while not happened():  # noqa: ASYNC110 - what the browser tells sets no event
        await asyncio.sleep(0.02)


async def test_a_day_without_signal_is_filed_once_when_there_is_one(
    browser: Browser, station: Station, wire: BadLine, conn: asyncpg.Connection
) -> None:
    async with handset(browser, wire.address) as phone:
        await signed_in(phone)
        await wire.cut()
        made = visits(12)
        await pockets.put(phone.page, made, with_photos(made[:2], 1, 64))
        await phone.page.reload()
        await phone.page.click("text=发件箱")
        await phone.page.wait_for_selector("[data-state=waiting]")
        assert await phone.page.locator("[data-state=waiting]").count() == 12
        assert await conn.fetchval(FILED) == 0
        await wire.mend()
        await delivered(phone.page, 12)
        assert await conn.fetchval(FILED) == 12
        assert await conn.fetchval(RECEIVED) == 2
        assert await pockets.lying(phone.page, "photos") == []
        assert [item["visit"] for item in await pockets.lying(phone.page, "outbox")] == [None] * 12


async def test_the_server_is_killed_in_the_middle_of_a_photo_and_comes_back(
    browser: Browser, dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    await give_password(conn, MEMBER)
    program = Program(tmp_path / "data", DATABASE_URL=dsn, ZOUFANG_JOBS="off")
    async with line(program.port, bits_per_second=1_000_000) as wire, handset(browser, wire.address) as phone:
        made = visits(3)
        taken = with_photos(made, 2, 512)
        uploads = Uploads(phone.page)
        with program.serving() as process:
            await signed_in(phone)
            await pockets.put(phone.page, made, taken)
            await phone.page.reload()
            await until(lambda: bool(uploads.finished))
            began = wire.sent
            await until(lambda: wire.sent > began + 20_000)  # in the middle of the next
            process.kill()
            process.wait()
        assert await conn.fetchval(FILED) == 3
        assert await conn.fetchval(RECEIVED) < 6
        with program.serving():
            await delivered(phone.page, 3)
        assert (await conn.fetchval(FILED), await conn.fetchval(RECEIVED)) == (3, 6)
        uploads.none_began_again()


async def test_an_expired_sign_in_keeps_the_outbox_for_the_same_person(
    browser: Browser, station: Station, wire: BadLine, conn: asyncpg.Connection
) -> None:
    async with handset(browser, wire.address) as phone:
        await signed_in(phone)
        made = visits(2)
        await pockets.put(phone.page, made, with_photos(made, 1, 64))
        await conn.execute("update access_token set expires_at = created_at where label = 'device'")
        await phone.page.reload()
        await phone.page.wait_for_selector("[name=account]")
        assert len(await pockets.lying(phone.page, "photos")) == 2
        await refused_as(phone.page, STRANGER.number)
        assert await conn.fetchval(FILED) == 0
        await phone.sign_in(MEMBER)
        await delivered(phone.page, 2)
        assert await conn.fetchval("select count(*) from visit where member = $1", MEMBER.id) == 2


async def refused_as(page: Page, account: str) -> None:
    """Somebody else cannot sign in on a phone where visits wait, and their new token is given back."""
    await page.fill("[name=account]", account)
    await page.fill("[name=password]", PASSWORD)
    await page.click("button[type=submit]")
    await page.wait_for_selector("[role=alert]")
    assert MEMBER.name in await page.inner_text("[role=alert]")


async def test_a_phone_revoked_from_afar_is_wiped_of_all_but_what_waits(
    browser: Browser, station: Station, wire: BadLine, conn: asyncpg.Connection
) -> None:
    async with handset(browser, wire.address) as phone:
        await signed_in(phone)
        await phone.page.click("text=我的")
        await phone.page.wait_for_selector("text=名单更新于")
        await conn.execute("update access_token set revoked_at = $1 where label = 'device'", datetime.now(UTC))
        await pockets.put(phone.page, visits(1))
        await phone.page.reload()
        await phone.page.wait_for_selector("[name=account]")
        assert await pockets.lying(phone.page, "day") == []
        assert len(await pockets.lying(phone.page, "outbox")) == 1
        assert [one["token"] for one in await pockets.lying(phone.page, "session")] == [None]


async def test_signing_out_leaves_nothing_on_the_phone_once_everything_is_sent(
    browser: Browser, station: Station, wire: BadLine, conn: asyncpg.Connection
) -> None:
    async with handset(browser, wire.address) as phone:
        await signed_in(phone)
        await pockets.put(phone.page, visits(1))
        await phone.page.reload()
        await delivered(phone.page, 1)
        await phone.page.click("text=我的")
        await phone.page.click("text=退出登录")
        await phone.page.click(".van-dialog__confirm")
        await phone.page.wait_for_selector("[name=account]")
        for store in ("session", "day", "forms", "notices", "drafts", "photos", "outbox"):
            assert await pockets.lying(phone.page, store) == [], store
        revoked = await conn.fetchval("select revoked_at from access_token where label = 'device'")
        assert revoked is not None


async def test_an_answer_that_comes_after_signing_out_is_not_kept(
    browser: Browser, station: Station, conn: asyncpg.Connection
) -> None:
    await streets.give(conn, streets.along(2))
    asked, signed_out, answered = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        answer = await route.fetch()
        asked.set()
        await signed_out.wait()
        await route.fulfill(response=answer)
        answered.set()

    async with handset(browser, station.address) as phone:
        await signed_in(phone)
        await phone.page.click("text=我的")
        await phone.page.wait_for_selector("text=名单更新于")
        await phone.page.route("**/api/day", late)
        await phone.page.click("text=名单更新于")
        await asked.wait()
        await phone.page.click("text=退出登录")
        await phone.page.click(".van-dialog__confirm")
        await phone.page.wait_for_selector("[name=account]")
        signed_out.set()
        await answered.wait()
        for store in ("session", "day", "forms", "notices", "drafts", "photos", "outbox"):
            assert await pockets.lying(phone.page, store) == [], store


async def test_two_tabs_send_once(browser: Browser, station: Station, conn: asyncpg.Connection) -> None:
    async with line(station.port, bits_per_second=1_000_000) as wire, handset(browser, wire.address) as phone:
        await signed_in(phone)
        second = await phone.another_tab()
        made = visits(8)
        await pockets.put(phone.page, made, with_photos(made, 1, 256))
        filings: list[str] = []
        uploads = Uploads(phone.page, second)
        for page in (phone.page, second):
            page.on("request", lambda asked: filings.append(asked.url) if asked.url.endswith("/batch") else None)
        await asyncio.gather(phone.page.reload(), second.goto(f"{wire.address}/phone/"))
        await delivered(phone.page, 8)
        await delivered(second, 8)
        assert len(filings) == 1
        assert set(uploads.begun.values()) == {1}
        assert (await conn.fetchval(FILED), await conn.fetchval(RECEIVED)) == (8, 8)


async def test_a_browser_without_locks_sends_from_one_tab_as_well(
    browser: Browser, station: Station, wire: BadLine, conn: asyncpg.Connection
) -> None:
    async with handset(browser, wire.address) as phone:
        await phone.context.add_init_script("Object.defineProperty(navigator, 'locks', { value: undefined })")
        await signed_in(phone)
        second = await phone.another_tab()
        await pockets.put(phone.page, visits(6))
        filings: list[str] = []
        for page in (phone.page, second):
            page.on("request", lambda asked: filings.append(asked.url) if asked.url.endswith("/batch") else None)
        await asyncio.gather(phone.page.reload(), second.goto(f"{wire.address}/phone/"))
        await delivered(second, 6)
        await delivered(phone.page, 6)
        assert len(filings) == 1
        assert await conn.fetchval(FILED) == 6


async def test_a_clock_three_days_wrong_is_put_right(
    browser: Browser, station: Station, wire: BadLine, conn: asyncpg.Connection
) -> None:
    async with handset(browser, wire.address) as phone:
        await phone.context.add_init_script(
            "const real = Date; const off = 3 * 86400000;"
            "Date = class extends real { constructor(...a) { a.length ? super(...a) : super(real.now() + off) }"
            " static now() { return real.now() + off } }"
        )
        await signed_in(phone)
        told = datetime.now(UTC) + timedelta(days=3) - timedelta(hours=1)
        made = drafts.visit(started_at=told.isoformat(), ended_at=(told + timedelta(minutes=5)).isoformat())
        await pockets.put(phone.page, [made])
        await phone.page.reload()
        await delivered(phone.page, 1)
        started = await conn.fetchval("select started_at from visit")
        assert abs(started - (datetime.now(UTC) - timedelta(hours=1))) < timedelta(minutes=5)


async def test_what_the_server_refuses_is_told_with_why_and_goes_back_into_its_form(
    browser: Browser, station: Station, wire: BadLine, conn: asyncpg.Connection
) -> None:
    async with handset(browser, wire.address) as phone:
        await signed_in(phone)
        good, bad = visits(2)
        bad["issues"][0]["category"] = "9999"
        bad["premises"]["name"] = "<img src=x onerror=window.ran=1>"
        await pockets.put(phone.page, [good, bad])
        await phone.page.reload()
        await phone.page.click("text=发件箱")
        refused = phone.page.locator("[data-state=refused]")
        await refused.wait_for()
        assert "没有这个问题类别" in await refused.inner_text()
        assert "issues[0].category" in await refused.inner_text()
        assert await phone.page.evaluate("window.ran") is None
        assert await conn.fetchval(FILED) == 1
        await refused.locator("text=修改后重发").click()
        await phone.page.wait_for_url("**/#/visit/*")
        [draft] = await pockets.lying(phone.page, "drafts")
        assert (draft["id"], draft["visit"]["issues"][0]["category"]) == (bad["id"], "9999")


class Uploads:
    """What a phone sends of photos, as its browser tells it."""

    def __init__(self, *pages: Page) -> None:
        self.begun: Counter[str] = Counter()  # by the photo's metadata
        self.finished: set[str] = set()
        self.again: list[str] = []
        for page in pages:
            page.on("request", self._asked)
            page.on("response", self._answered)

    def _asked(self, asked: Request) -> None:
        if asked.method == "POST" and asked.url.endswith("/api/uploads"):
            self.begun[asked.headers["upload-metadata"]] += 1
        if asked.method == "PATCH" and asked.url in self.finished:
            self.again.append(asked.url)

    def _answered(self, answer: Response) -> None:
        told: dict[str, Any] = answer.headers
        if "/api/uploads/" in answer.url and told.get("upload-offset", "") == told.get("upload-length"):
            self.finished.add(answer.url)

    def none_began_again(self) -> None:
        """A photo of which the server has said that it is whole was not touched again."""
        assert self.again == []


@pytest.mark.parametrize(
    ("visits_made", "side", "resets", "stalls"),
    [
        pytest.param(10, 256, 6, 1, id="an errand"),
        pytest.param(50, 384, 20, 3, id="a day", marks=[pytest.mark.long, pytest.mark.timeout(600)]),
    ],
)
async def test_a_bad_line_loses_nothing_doubles_nothing_and_restarts_no_finished_photo(
    browser: Browser,
    station: Station,
    conn: asyncpg.Connection,
    visits_made: int,
    side: int,
    resets: int,
    stalls: int,
) -> None:
    troubles = {"seed": 20261125, "resets": resets, "stalls": stalls}
    async with (
        line(station.port, bits_per_second=1_000_000, **troubles) as wire,
        handset(browser, wire.address) as phone,
    ):
        await signed_in(phone)
        made = visits(visits_made)
        taken = with_photos(made, 2, side)
        whole = sum(len(content) for contents in taken.values() for content in contents)
        await pockets.put(phone.page, made, taken)
        uploads = Uploads(phone.page)
        before, began = wire.sent, asyncio.get_running_loop().time()
        each = whole // (resets + stalls + 1)
        wire.expect_trouble((each // 2, each))
        await phone.page.reload()
        await delivered(phone.page, visits_made, 480)
        took = asyncio.get_running_loop().time() - began
        sent = wire.sent - before
        log.info("%s visits, photos of %s bytes: %s bytes sent in %.0f s", visits_made, whole, sent, took)
        assert len(wire.happened) == resets + stalls
        assert await conn.fetchval(FILED) == visits_made
        assert await conn.fetchval(RECEIVED) == 2 * visits_made
        assert await conn.fetchval("select count(*) from upload where finished_at is null") == 0
        assert await pockets.lying(phone.page, "photos") == []
        uploads.none_began_again()
        largest = max(len(content) for contents in taken.values() for content in contents)
        assert sent < whole + (resets + stalls) * 2 * largest + visits_made * 10_000  # what broke, and headers

"""Doors given to a member, and a visit at one of them as somebody makes it with a thumb."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import segno
from PIL import Image
from playwright.async_api import Page

from tests import doorsteps, photographs
from tests.conftest import DISTRICT, MEMBER, Person
from tests.doorsteps import Door

HERE = {"latitude": 34.7036, "longitude": 113.604, "accuracy": 12}
AT_THE_DOOR = {"geolocation": HERE, "permissions": ["geolocation"]}
MARKUP = "<img src=x onerror=window.ran=1>"


def along(count: int) -> list[Door]:
    """So many doors of one street, in order; the third is called what a page must not take for its own."""
    names = ["老王面馆", "幸福超市", f"五金店{MARKUP}", "李记理发", "惠民药房"]
    return [
        Door(
            name=names[at % len(names)],
            address=f"淮河路 {at + 1} 号",
            at=(113.6005 + 0.00018 * (at % 50), 34.7005 + 0.0002 * (at // 50)),
        )
        for at in range(count)
    ]


async def give(conn: asyncpg.Connection, doors: Sequence[Door], who: Person = MEMBER) -> list[UUID]:
    """A campaign of these weeks with doors of the member's own; their ids in walking order."""
    now = datetime.now(UTC)
    await doorsteps.campaign(conn, starts_at=now - timedelta(days=10), ends_at=now + timedelta(days=80))
    ids = await doorsteps.register(conn, doors)
    await doorsteps.assign(conn, ids, who)
    return ids


def snapshot(folder: Path, width: int = 1600, height: int = 1200) -> str:
    """A picture as a camera gives it."""
    path = folder / "camera.jpg"
    path.write_bytes(photographs.photo(width, height))
    return str(path)


def film(folder: Path, code: str) -> Path:
    """What a camera sees that is held before a QR code, as a file that Chromium takes for a camera."""
    drawn = io.BytesIO()
    segno.make(code, error="m").save(drawn, kind="png", scale=8, border=4)
    sheet = Image.new("L", (640, 480), 255)
    picture = Image.open(drawn).convert("L")
    sheet.paste(picture, ((640 - picture.width) // 2, (480 - picture.height) // 2))
    frame = b"FRAME\n" + sheet.tobytes() + bytes([128]) * (640 * 480 // 2)  # grey: no colour
    path = folder / "camera.y4m"
    path.write_bytes(b"YUV4MPEG2 W640 H480 F10:1 Ip A1:1 C420jpeg\n" + frame * 5)
    return path


COUNT_TAPS = """
window.taps = 0
window.addEventListener('pointerdown', () => { window.taps += 1 }, { capture: true })
"""


async def choose(page: Page, outcome: str) -> None:
    """The outcome in one tap."""
    await page.locator(".choices.large label", has=page.locator(f"input[value={outcome}]")).tap()


async def write_issue(page: Page, title: str, looked: str | None = None, photo: str | None = None) -> None:
    """An issue with its category, by a word or as it was used last, and what a photo shows."""
    await page.locator(".add-issue").tap()
    if looked:
        await page.locator(".issue-sheet input[type=search]").tap()
        await page.keyboard.insert_text(looked)
        await page.locator(".issue-sheet .found button").first.tap()
    else:
        await page.locator(".issue-sheet .chip").first.tap()
    await page.keyboard.insert_text(title)  # the cursor stands in the title already
    if photo:
        async with page.expect_file_chooser() as choosing:
            await page.locator(".issue-sheet .take").tap()
        await (await choosing.value).set_files(photo)
        await page.locator(".issue-sheet .picture img").wait_for()
    await page.locator(".issue-sheet footer button").tap()


async def file(page: Page) -> None:
    """Into the outbox in one tap, back to the day."""
    await page.locator("footer .file").tap()
    await page.locator(".today").wait_for()


FILED = """
select v.id, v.outcome, v.via, v.premises, v.member, v.entered_by, v.contact_card, v.position_source, v.accuracy_m,
       v.started_at, t.body->>'premises_name' as name, t.body->>'note' as note,
       array(select i.id from issue i where (i.district, i.visit) = (v.district, v.id)) as issues,
       array(select flag from visit_flag f where (f.district, f.visit) = (v.district, v.id) order by flag) as flags
from visit v
join text_version t on (t.district, t.subject, t.version) = (v.district, v.id, 1)
where v.district = $1 order by v.started_at, v.id
"""


async def filed(conn: asyncpg.Connection) -> list[asyncpg.Record]:
    """All visits that the server has."""
    return list(await conn.fetch(FILED, DISTRICT))


async def send(page: Page) -> None:
    """Have what waits sent now; what has gone by itself meanwhile leaves nothing to be sent."""
    await page.locator(".van-tabbar-item").nth(1).tap()
    await page.locator(".send button:not(.van-button--loading)").first.dispatch_event("click")


async def until_sent(page: Page, count: int) -> None:
    """Wait until so many lines of the outbox say that everything has arrived."""
    await page.locator(".van-tabbar-item").nth(1).tap()
    await page.locator("[data-state=done]").nth(count - 1).wait_for(timeout=90_000)


EVERYTHING = """
async () => {
  const opened = await new Promise((done) => {
    const asked = indexedDB.open('zoufang')
    asked.onsuccess = () => done(asked.result)
  })
  const all = await Promise.all([...opened.objectStoreNames].map((store) => new Promise((done) => {
    const asked = opened.transaction(store).objectStore(store).getAll()
    asked.onsuccess = () => done(asked.result)
  })))
  opened.close()
  return JSON.stringify([all, localStorage])
}
"""

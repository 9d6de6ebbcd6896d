"""What lies on a phone: read as a security reviewer reads it, and put there as the visit form puts it."""

import asyncio
import base64
from typing import Any

from playwright.async_api import Page

from tests import drafts, photographs
from tests.conftest import MEMBER, Person

PUT = """
async ({ items, photos }) => {
  const opened = await new Promise((done, failed) => {
    const asked = indexedDB.open('zoufang')
    asked.onsuccess = () => done(asked.result)
    asked.onerror = () => failed(asked.error)
  })
  const transaction = opened.transaction(['outbox', 'photos'], 'readwrite')
  for (const item of items) transaction.objectStore('outbox').put(item)
  for (const { content, ...photo } of photos) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))
    transaction.objectStore('photos').put({ ...photo, blob: new Blob([bytes], { type: 'image/jpeg' }) })
  }
  await new Promise((done) => (transaction.oncomplete = done))
  opened.close()
}
"""

ALL = """
async (store) => {
  const opened = await new Promise((done, failed) => {
    const asked = indexedDB.open('zoufang')
    asked.onsuccess = () => done(asked.result)
    asked.onerror = () => failed(asked.error)
  })
  const all = await new Promise((done) => {
    const asked = opened.transaction(store).objectStore(store).getAll()
    asked.onsuccess = () => done(asked.result)
  })
  opened.close()
  return all
}
"""

# What reads a code where the browser cannot is fetched while there is signal.
READER_KEPT = """
async () => {
  const kept = (await (await caches.open('later')).keys()).map(({ url }) => url)
  const wanted = [/later-reader-.*\\.js$/, /later-zxing_reader-.*\\.js$/, /zxing_reader-.*\\.wasm$/]
  return wanted.every((one) => kept.some((url) => one.test(url)))
}
"""


async def lying(page: Page, store: str) -> list[dict[str, Any]]:
    """Everything in a store of the phone's database."""
    found: list[dict[str, Any]] = await page.evaluate(ALL, store)
    return found


async def until_lies(page: Page, store: str, text: str) -> None:
    """Wait until something in a store has a text."""
    while not any(text in str(one) for one in await lying(page, store)):  # noqa: ASYNC110 - a database tells nobody
        await asyncio.sleep(0.05)


async def put(
    page: Page, visits: list[drafts.Draft], photos: dict[str, list[bytes]] | None = None, who: Person = MEMBER
) -> None:
    """Put finished visits into the outbox with the photos of each; they go when the app is opened again."""
    photos = photos or {}
    items = [_item(visit, len(photos.get(visit["id"], [])), who) for visit in visits]
    kept = [_photo(id_, content) for id_, contents in photos.items() for content in contents]
    await page.evaluate(PUT, {"items": items, "photos": kept})


def _item(visit: drafts.Draft, photos: int, who: Person) -> dict[str, Any]:
    return {
        "id": visit["id"],
        "member": str(who.id),
        "state": "waiting",
        "visit": visit,
        "form": {},
        "door": visit["premises"].get("id"),
        "name": visit["premises"]["name"],
        "address": visit["premises"]["address"],
        "outcome": visit["outcome"],
        "issues": len(visit["issues"]),
        "photos": photos,
        "photos_sent": 0,
        "put_at": visit["ended_at"],
        "done_at": None,
        "attempts": 0,
        "failure": None,
        "problem": None,
        "receipt": None,
    }


def _photo(visit: str, content: bytes) -> dict[str, Any]:
    return {
        "id": photographs.sha256(content),
        "draft": visit,
        "sha256": photographs.sha256(content),
        "bytes": len(content),
        "content": base64.b64encode(content).decode(),
        "taken_at": "2026-11-24T02:00:00Z",
        "position": None,
        "upload": None,
        "sent": False,
    }

"""Photos and files taken in: checked, made anew, stored, and only then named by the database."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg

from api import database, pictures, upload_parts
from api.attachment_store import THUMBNAIL, Store
from api.auth import Clock
from api.picture_maker import Answer
from api.pictures import Pictures
from api.settings import Settings
from surveys.attachments import attachments, uploads
from surveys.attachments.attachments import Content, NotPromised, OtherContent, Promise
from surveys.attachments.pictures import NotAPicture, PictureBroken, PictureTooLarge
from surveys.attachments.uploads import Upload
from surveys.history import Actor

# What will be no better when it is sent again.
HOPELESS = (OtherContent, NotPromised, NotAPicture, PictureBroken, PictureTooLarge)


class Attachments:
    """What takes in photos and gives them out, for as long as the program serves."""

    def __init__(self, pool: asyncpg.Pool, settings: Settings, clock: Clock) -> None:
        self._pool = pool
        self._settings = settings
        self._clock = clock
        self._pictures = Pictures(settings.picture_processes)
        self.store = Store(settings)
        self.most_bytes = settings.attachment_megabytes * 1_000_000

    async def close(self) -> None:
        """End what decodes pictures."""
        await self._pictures.close()

    async def receive(self, promise: Promise, chunks: AsyncIterator[bytes], sender: Actor) -> bool:
        """Take in a promised content that comes at once: `photos.promise` has said that the reader may send it, or
        `attachments.promised` what was promised, to a caller who knows that the sender may. Returns whether it was
        new; the same again changes nothing.

        Raises PhotoTooLarge, OtherContent, NotAPicture, PictureBroken, PictureTooLarge, NotPromised, Busy and
        StorageUnavailable."""
        if promise.received_at is not None:
            return False
        with upload_parts.passing(self._settings, promise.district) as source:
            with upload_parts.written_alone(source) as file:
                await upload_parts.append(file, chunks, most=min(promise.bytes, self.most_bytes))
            return await self._take(promise, source, sender)

    async def take(self, promise: Promise, source: Path, sender: Actor) -> bool:
        """Take in a promised content that lies in a file, for a caller who removes that. Returns and raises what
        `receive` does."""
        return False if promise.received_at is not None else await self._take(promise, source, sender)

    async def finish(self, upload: Upload, source: Path) -> None:
        """Take in an upload of which all has come; one that cannot be used is given up, and the next try begins anew.
        Raises what `receive` raises."""
        if upload.finished:
            return
        try:
            await self._take(upload.promise, source, upload.sender)
        except HOPELESS:
            async with database.acquired(self._pool) as conn:
                await uploads.give_up(conn, upload)
            upload_parts.discard(source)
            raise
        async with database.acquired(self._pool) as conn:
            await uploads.finish(conn, upload, self._clock())
        upload_parts.discard(source)

    async def _take(self, promise: Promise, source: Path, sender: Actor) -> bool:
        wanted = pictures.beside(source, documents=promise.of == "issue" and sender.kind == "member")
        try:
            made = await self._pictures.make(wanted, promise.sha256)

            async def store() -> None:
                await self.store.put(promise.district, made.stored, Path(wanted.made))
                if not made.document:
                    await self.store.put(promise.district, made.stored + THUMBNAIL, Path(wanted.thumbnail))

            async with database.acquired(self._pool) as conn, conn.transaction():
                return await attachments.keep(conn, promise, _content(made), store, sender, self._clock())
        finally:
            upload_parts.discard(Path(wanted.made), Path(wanted.thumbnail))


def _content(made: Answer) -> Content:
    stored = bytes.fromhex(made.stored)
    if made.document:
        return Content(sha256=stored, kind="document", bytes=made.bytes)
    return Content(
        sha256=stored,
        kind="photo",
        bytes=made.bytes,
        width=made.width,
        height=made.height,
        thumbnail_bytes=made.thumbnail_bytes,
        hint=made.hint,
    )

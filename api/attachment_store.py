"""Where the contents of photos and files lie: in a folder of the data, or in a bucket of S3, under their SHA-256.

Each is written once and never changed. Of S3 the program knows the bucket; who it is there, the environment says, in
the variables that every tool for S3 reads (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL)."""

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import obstore
import structlog
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, S3Store

from api.embedded_postgres import flush
from api.settings import Settings
from surveys.refusals import Refusal

log = structlog.get_logger()

FOLDER = "attachments"
THUMBNAIL = "-thumbnail"
CHUNK = 256 * 1024  # bytes
RETRIES = 2


class StorageUnavailable(Refusal):
    """The place where photos lie cannot be reached, or lacks what it should hold; nothing was changed."""

    code: ClassVar[str] = "storage_unavailable"


def folder(settings: Settings) -> Path | None:
    """The folder where attachments lie; None when they lie in S3."""
    return None if settings.attachments else (settings.data / FOLDER).absolute()


class Store:
    """Contents by the district and the SHA-256 of what is stored. Every call raises StorageUnavailable."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = folder(settings)
        self._opened: Any = None

    async def put(self, district: int, name: str, content: Path) -> None:
        """Write a content, unless it is there already, and have it on disk."""
        path = _path(district, name)
        try:
            try:
                await obstore.put_async(self._store(), path, content, mode="create")
            except AlreadyExistsError:
                there = await obstore.head_async(self._store(), path)
                if there["size"] != _size(content):  # what a power cut left of it
                    await obstore.put_async(self._store(), path, content)
            self._flush(path)
        except (BaseError, OSError) as error:
            raise _unavailable("put", error) from None

    def _flush(self, path: str) -> None:
        if self._folder is not None:
            written = self._folder / path
            for one in (written, written.parent, written.parent.parent, self._folder):
                flush(one)

    async def open(self, district: int, name: str) -> AsyncIterator[bytes]:
        """The bytes of a content, in chunks."""
        try:
            found = await obstore.get_async(self._store(), _path(district, name))
        except (BaseError, OSError) as error:
            raise _unavailable("get", error) from None
        return _chunks(found)

    async def delete(self, district: int, name: str) -> None:
        """Remove a content with its thumbnail, so far as they are there."""
        try:
            for one in (name + THUMBNAIL, name):
                with suppress(FileNotFoundError):
                    await obstore.delete_async(self._store(), _path(district, one))
        except (BaseError, OSError) as error:
            raise _unavailable("delete", error) from None

    def _store(self) -> Any:
        if self._opened is None:
            if self._folder is None:
                url = self._settings.attachments or ""
                self._opened = S3Store.from_url(url, retry_config={"max_retries": RETRIES})
            else:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._opened = LocalStore(prefix=self._folder)
        return self._opened


def _size(content: Path) -> int:
    return content.stat().st_size


def _path(district: int, name: str) -> str:
    return f"{district}/{name[:2]}/{name}"


async def _chunks(found: Any) -> AsyncIterator[bytes]:
    async for chunk in found.stream(min_chunk_size=CHUNK):
        yield bytes(chunk)


def _unavailable(what: str, error: Exception) -> StorageUnavailable:
    """Only the kind of error is logged: its words may hold addresses."""
    log.error("storage_unavailable", what=what, error=type(error).__name__)
    return StorageUnavailable()

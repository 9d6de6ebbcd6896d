"""The files in which photos are gathered: each part is written behind the last, by one writer at a time, and what has
come survives a broken connection and a restart."""

import asyncio
import base64
import binascii
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, ClassVar
from uuid import UUID, uuid4

from msgspec import Struct

from api.settings import Settings
from surveys.refusals import Conflict, Invalid

FOLDER = "uploads"
LEFT_BEHIND_S = 3_600  # after which a file of no upload is taken for what a crash left
ALGORITHMS = ("sha256", "sha1")


class UploadBusy(Conflict):
    """Another request is writing to this upload."""

    code: ClassVar[str] = "upload_busy"


class OffsetConflict(Conflict):
    """A part that does not begin where the last one ended; `facts` say where that is."""

    code: ClassVar[str] = "upload_offset"


class PhotoTooLarge(Invalid):
    """More bytes than were announced, or than a photo or file may have; `facts` say how many those are."""

    code: ClassVar[str] = "photo_too_large"


class ChecksumDiffers(Invalid):
    """A part that is not what its checksum says; nothing of it was kept."""

    code: ClassVar[str] = "checksum_differs"


class BadHeader(Invalid):
    """A header that cannot be read; `expected` says what would be right."""

    code: ClassVar[str] = "bad_header"


class Checksum(Struct, frozen=True):
    """What a part's digest must be."""

    algorithm: str
    digest: bytes


def checksum(told: str) -> Checksum:
    """Read a header Upload-Checksum: the algorithm, and the digest in base64. Raises Invalid."""
    algorithm, _, digest = told.partition(" ")
    try:
        if algorithm in ALGORITHMS:
            return Checksum(algorithm, base64.b64decode(digest, validate=True))
    except binascii.Error:
        pass
    raise BadHeader("Upload-Checksum", expected=" | ".join(f"{name} <base64>" for name in ALGORITHMS))


def path(settings: Settings, district: int, upload: UUID) -> Path:
    """The file of an upload; for its owner's eyes, since a photo still says in it where it was taken."""
    folder = settings.data / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"{district}-{upload}"


def offset(part: Path) -> int:
    """How much has come."""
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def written_alone(part: Path) -> Iterator[BinaryIO]:
    """The file of an upload, to be written behind its end, by nobody else meanwhile, in whichever process. Raises
    UploadBusy."""
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UploadBusy from None
        yield file


async def append(file: BinaryIO, chunks: AsyncIterator[bytes], *, most: int, expected: Checksum | None = None) -> int:
    """Write what comes, up to so many bytes in all, and have it on disk; returns how much there is then. What came
    before the connection broke stays; of a part with a checksum, all or nothing.

    Raises PhotoTooLarge and ChecksumDiffers."""
    begin = came = os.fstat(file.fileno()).st_size
    digest = hashlib.new(expected.algorithm, usedforsecurity=False) if expected else None
    whole = False
    try:
        async for chunk in chunks:
            if came + len(chunk) > most:
                raise PhotoTooLarge("content", most=most)
            file.write(chunk)
            came += len(chunk)
            if digest is not None:
                digest.update(chunk)
        whole = digest is None or expected is None or digest.digest() == expected.digest
    finally:
        file.flush()
        if expected is not None and not whole:
            os.ftruncate(file.fileno(), begin)
        await asyncio.to_thread(os.fsync, file.fileno())
    if not whole:
        raise ChecksumDiffers("Upload-Checksum")
    return came


def discard(*parts: Path) -> None:
    """Remove what has come, or was made of it."""
    for part in parts:
        part.unlink(missing_ok=True)


@contextmanager
def passing(settings: Settings, district: int) -> Iterator[Path]:
    """A file for a content that comes at once; it is gone afterwards."""
    part = path(settings, district, uuid4())
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def sweep(settings: Settings, district: int, under_way: set[UUID], now: datetime) -> int:
    """Remove the files of what is no longer waited for; returns how many."""
    folder = settings.data / FOLDER
    names = {str(upload) for upload in under_way}
    count = 0
    for part in folder.glob(f"{district}-*") if folder.is_dir() else ():
        name = part.name.removeprefix(f"{district}-").split(".")[0]
        if name not in names and now.timestamp() - part.stat().st_mtime > LEFT_BEHIND_S:
            part.unlink(missing_ok=True)
            count += 1
    return count

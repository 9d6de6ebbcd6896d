"""A backup as one file: a tar with the database's dump, the attachments, and at its end the manifest that tells what
must be in it. A file without a manifest was cut off."""

import asyncio
import hashlib
import os
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

import msgspec
from msgspec import Struct

from api.embedded_postgres import flush

DATABASE = "database.dump"
ATTACHMENTS = "attachments/"
MANIFEST = "manifest.json"
FORMAT = 1
CHUNK = 1 << 20  # bytes
LARGEST_MANIFEST = 256 << 20  # bytes

Progress = Callable[[str, int, int], None]  # a step, how much of it is done, and how much there is


class BackupError(Exception):
    """A backup cannot be made, read or restored; the message says why and what to do. Nothing was half done."""


class Part(Struct, frozen=True):
    """What a member of the file must be: its length in bytes and its SHA-256."""

    bytes: int
    sha256: str


class Head(Struct, frozen=True, kw_only=True):
    """Where a district's history stood: how many events, and the seal that ended it, in hexadecimal."""

    events: int
    newest_at: datetime | None
    seal: str | None = None


class Manifest(Struct, frozen=True, kw_only=True):
    """What is in a backup. `keys` are ids and fingerprints of the key ring: nothing opens with them."""

    format: int
    program: str
    made_at: datetime
    server: str
    migrations: list[str]
    rows: Mapping[str, int]
    history: Mapping[str, Head]
    keys: Mapping[str, str]
    parts: Mapping[str, Part]


class Writer:
    """Writes members whose length is known only when they end: each header is filled in afterwards."""

    def __init__(self, file: BinaryIO, made_at: datetime) -> None:
        self.file = file
        self.made_at = made_at
        self.parts: dict[str, Part] = {}

    async def add(self, name: str, chunks: AsyncIterator[bytes]) -> Part:
        """Write a member, and remember what it was."""
        self.parts[name] = await self._write(name, chunks)
        return self.parts[name]

    async def _write(self, name: str, chunks: AsyncIterator[bytes]) -> Part:
        begin = self.file.tell()
        self.file.write(self._header(name, 0))
        digest, length = hashlib.sha256(), 0
        async for chunk in chunks:
            self.file.write(chunk)
            digest.update(chunk)
            length += len(chunk)
        self.file.write(bytes(-length % tarfile.BLOCKSIZE))
        end = self.file.tell()
        self.file.seek(begin)
        self.file.write(self._header(name, length))
        self.file.seek(end)
        return Part(length, digest.hexdigest())

    async def finish(self, manifest: Manifest) -> None:
        """Write the manifest and the tar's end, and have all of it on disk."""
        await self._write(MANIFEST, once(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"))
        self.file.write(bytes(2 * tarfile.BLOCKSIZE))
        self.file.flush()
        os.fsync(self.file.fileno())

    def _header(self, name: str, length: int) -> bytes:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = length, 0o600, int(self.made_at.timestamp())
        return member.tobuf(tarfile.GNU_FORMAT)


async def once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def chunks_of(file: IO[bytes]) -> AsyncIterator[bytes]:
    """A file's bytes; between two chunks a Ctrl-C is heard."""
    while chunk := file.read(CHUNK):
        yield chunk
        await asyncio.sleep(0)


@contextmanager
def written(path: Path) -> Iterator[Callable[[], BinaryIO]]:
    """A new file under its unfinished name, which becomes the file when the block ends well, and else nothing."""
    unfinished = path.with_name(path.name + ".unfinished")
    if path.exists():
        raise BackupError(f"{path} is there already, and is not overwritten.")
    opened: list[BinaryIO] = []

    def begin() -> BinaryIO:
        unfinished.unlink(missing_ok=True)
        try:
            descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise BackupError(f"{unfinished} cannot be made: {error.strerror}.") from None
        opened.append(os.fdopen(descriptor, "w+b"))
        return opened[0]

    try:
        yield begin
        unfinished.rename(path)
        flush(path.absolute().parent)
    finally:
        for file in opened:
            file.close()
            unfinished.unlink(missing_ok=True)


def read_manifest(path: Path) -> Manifest:
    """What a file says is in it. Raises BackupError unless it is a whole backup that this program can read."""
    try:
        with tarfile.open(path, "r:") as tar:
            member = tar.getmember(MANIFEST)
            content = tar.extractfile(member)
            if content is None or member.size > LARGEST_MANIFEST:
                raise BackupError(f"{path} is no backup of this program.")
            manifest = msgspec.json.decode(content.read(), type=Manifest)
    except (KeyError, EOFError, tarfile.TarError):
        raise BackupError(f"{path} is no backup, or was cut off before its end: it has no manifest.") from None
    except msgspec.DecodeError:
        raise BackupError(f"The manifest of {path} cannot be read.") from None
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}.") from None
    if manifest.format != FORMAT or DATABASE not in manifest.parts:
        raise BackupError(f"{path} has form {manifest.format}; this program reads {FORMAT}. Use a newer program.")
    return manifest


async def check_parts(path: Path, manifest: Manifest, progress: Progress) -> None:
    """Compare every part with its SHA-256. Raises BackupError at the first that differs, lacks or is too many."""
    whole = sum(part.bytes for part in manifest.parts.values())
    done = 0
    with tarfile.open(path, "r:") as tar:
        found = {member.name: member for member in tar if member.name != MANIFEST}
        if found.keys() != manifest.parts.keys():
            odd = sorted(found.keys() ^ manifest.parts.keys())
            raise BackupError(f"{path} does not hold what its manifest says: {odd[0]}. Take another backup.")
        for name, member in found.items():
            digest = hashlib.sha256()
            async for chunk in chunks_of(opened_member(tar, member)):
                digest.update(chunk)
                done += len(chunk)
                progress("Checking digests 核对摘要 (MB)", megabytes(done), megabytes(whole))
            if digest.hexdigest() != manifest.parts[name].sha256:
                raise BackupError(f"{name} in {path} was changed or damaged: its SHA-256 differs. Take another backup.")


async def part(path: Path, name: str) -> AsyncIterator[bytes]:
    """The bytes of one member."""
    with tarfile.open(path, "r:") as tar:
        async for chunk in chunks_of(opened_member(tar, tar.getmember(name))):
            yield chunk


async def attachments(path: Path) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
    """Every attachment by its name and its bytes, which must be read before the next is asked for."""
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            if member.name not in {DATABASE, MANIFEST}:
                yield member.name, chunks_of(opened_member(tar, member))


def opened_member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(member)
    if content is None:
        raise BackupError(f"{member.name} is no file.")
    return content


def attachment_path(folder: Path, name: str) -> Path:
    """Where an attachment of a backup belongs. Raises BackupError for a name that leads out of the folder."""
    inside = PurePosixPath(name.removeprefix(ATTACHMENTS))
    if not name.startswith(ATTACHMENTS) or inside.is_absolute() or ".." in inside.parts or not inside.parts:
        raise BackupError(f"The backup has a part with a name that no attachment has: {name}")
    return folder / inside


def megabytes(length: int) -> int:
    return -(-length // 1_000_000)

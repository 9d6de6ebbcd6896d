"""The key ring's file: outside the data folder, readable by its owner alone, and never overwritten by chance."""

import base64
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from api.settings import Settings
from surveys.privacy.sealing import KEY_BYTES, KeyRing

UNKNOWN = datetime(2000, 1, 1, tzinfo=UTC)  # of a key that was never dated


class KeyRingError(Exception):
    """The key ring is missing, in the wrong place, or cannot be read; the message says what to do."""


class _Key(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key in base64, and when it was made."""

    key: str
    made_at: datetime


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in the file: keys by number, and the key of the look-up."""

    keys: dict[int, _Key]
    look_up_key: str


def read(settings: Settings) -> KeyRing:
    """The installation's key ring. Raises KeyRingError."""
    path = settings.key_file
    _refuse_inside_data(settings)
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_File)
        ring = KeyRing(
            keys={number: _key(one.key) for number, one in kept.keys.items()},
            look_up_key=_key(kept.look_up_key),
            made_at={number: one.made_at for number, one in kept.keys.items()},
        )
    except FileNotFoundError:
        raise KeyRingError(
            f"There is no key ring at {path}. `zoufang keys make` makes one for a new installation; "
            "for an old one, put its own back: what it sealed opens with nothing else."
        ) from None
    except OSError as error:
        raise KeyRingError(f"The key ring {path} cannot be read: {error.strerror}.") from None
    except (msgspec.DecodeError, ValueError):
        raise KeyRingError(f"The key ring {path} is damaged. Put a copy of it back.") from None
    if not ring.keys:
        raise KeyRingError(f"The key ring {path} holds no key. Put a copy of it back.")
    return ring


def make(settings: Settings, now: datetime | None = None) -> KeyRing:
    """A new key ring in its file. Raises KeyRingError if there is one already."""
    _refuse_inside_data(settings)
    path = settings.key_file
    ring = KeyRing.new(now or datetime.now(UTC))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        _write(path, ring, os.O_EXCL)
    except FileExistsError:
        raise KeyRingError(f"{path} is there already; nothing was changed.") from None
    return ring


def make_if_missing(settings: Settings) -> KeyRing:
    """The key ring, made now if this is a new installation. Raises KeyRingError."""
    return read(settings) if settings.key_file.exists() else make(settings)


def replace(settings: Settings, ring: KeyRing) -> None:
    """Put another ring in the place of the present one, whole or not at all."""
    _refuse_inside_data(settings)
    path = settings.key_file
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    _write(unfinished, ring, os.O_EXCL)
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Keep every other command that would change the ring waiting."""
    folder = os.open(settings.key_file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


class Followed:
    """The ring as it stands in its file, read again when the file has changed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seen = self._state()
        self.ring = read(settings)

    def changed(self) -> bool:
        """Whether another ring was taken up. Raises KeyRingError: then the present one goes on."""
        state = self._state()
        if state == self._seen:
            return False
        self.ring = read(self._settings)
        self._seen = state
        return True

    def _state(self) -> tuple[int, int, int] | None:
        try:
            found = self._settings.key_file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def readable_by_others(settings: Settings) -> bool:
    """Whether anybody but the file's owner may read it."""
    return bool(settings.key_file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _write(path: Path, ring: KeyRing, flags: int) -> None:
    kept = _File(
        keys={
            number: _Key(key=_text(key), made_at=ring.made_at.get(number, UNKNOWN)) for number, key in ring.keys.items()
        },
        look_up_key=_text(ring.look_up_key),
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | flags, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(kept)) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _refuse_inside_data(settings: Settings) -> None:
    """A copy of the data folder must not carry the keys to it."""
    if settings.key_file.resolve().is_relative_to(settings.data.resolve()):
        raise KeyRingError(f"The key ring must lie outside the data folder {settings.data}: set ZOUFANG_KEYS.")


def _key(text: str) -> bytes:
    key = base64.b64decode(text, validate=True)
    if len(key) != KEY_BYTES:
        raise ValueError("a key of another length")
    return key


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()

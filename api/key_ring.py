"""The key ring's file: outside the data folder, readable by its owner alone, and never overwritten by chance."""

import base64
import os
import stat
from pathlib import Path

import msgspec
from msgspec import Struct

from api.settings import Settings
from surveys.sealing import KEY_BYTES, KeyRing


class KeyRingError(Exception):
    """The key ring is missing, in the wrong place, or cannot be read; the message says what to do."""


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in the file: keys in base64, by number."""

    keys: dict[int, str]
    look_up_key: str


def read(settings: Settings) -> KeyRing:
    """The installation's key ring. Raises KeyRingError."""
    path = settings.key_file
    _refuse_inside_data(settings)
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_File)
        ring = KeyRing(
            keys={number: _key(text) for number, text in kept.keys.items()}, look_up_key=_key(kept.look_up_key)
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


def make(settings: Settings) -> KeyRing:
    """A new key ring in its file. Raises KeyRingError if there is one already."""
    _refuse_inside_data(settings)
    path = settings.key_file
    ring = KeyRing.new()
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
    path = settings.key_file
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    _write(unfinished, ring, os.O_EXCL)
    unfinished.replace(path)


def readable_by_others(settings: Settings) -> bool:
    """Whether anybody but the file's owner may read it."""
    return bool(settings.key_file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _write(path: Path, ring: KeyRing, flags: int) -> None:
    kept = _File(keys={number: _text(key) for number, key in ring.keys.items()}, look_up_key=_text(ring.look_up_key))
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

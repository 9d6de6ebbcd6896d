"""Sealed fields: what names a resident is kept as AES-GCM under a ring of keys, found again by a keyed hash of the
phone number, and shown masked.

A sealed value is bound to the thing and the field that it belongs to, so that one copied elsewhere opens nothing."""

import hmac
import re
import secrets
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from surveys.refusals import Refusal

KEY_BYTES = 32  # AES-256
NONCE_BYTES = 12  # as AES-GCM is defined, random for each value (NIST SP 800-38D, 8.2.2)
ID_BYTES = 4  # of the key, in front of each sealed value

_NOT_DIGITS = re.compile("[^0-9]+")


class UnknownKey(Refusal):
    """A value sealed under a key that this ring does not have: not yet, or no longer."""

    code = "key_missing"


class NotGenuine(Refusal):
    """A sealed value that was changed, or that belongs to another thing or field."""

    code = "not_genuine"


class Place(Struct, frozen=True):
    """What a sealed value belongs to."""

    district: int
    subject: UUID
    field: str

    def bound(self) -> bytes:
        """The data that AES-GCM authenticates beside the value."""
        return f"{self.district}/{self.subject}/{self.field}".encode()


class KeyRing(Struct, frozen=True, kw_only=True):
    """The keys of an installation: the newest seals, the older ones still open; the key of the look-up stays, since
    what was hashed under it could not be found again under another."""

    keys: Mapping[int, bytes]  # by number; the highest seals
    look_up_key: bytes
    made_at: Mapping[int, datetime] = {}  # when each key was made, where that is known

    @classmethod
    def new(cls, now: datetime) -> "KeyRing":
        """A ring with one key, of the system's random numbers."""
        return cls(
            keys={1: secrets.token_bytes(KEY_BYTES)},
            look_up_key=secrets.token_bytes(KEY_BYTES),
            made_at={1: now},
        )

    @property
    def newest(self) -> int:
        """The number of the key that seals."""
        return max(self.keys)

    def rotated(self, now: datetime) -> "KeyRing":
        """The ring with one key more, which seals from now on."""
        number = self.newest + 1
        return KeyRing(
            keys={**self.keys, number: secrets.token_bytes(KEY_BYTES)},
            look_up_key=self.look_up_key,
            made_at={**self.made_at, number: now},
        )

    def without(self, number: int) -> "KeyRing":
        """The ring with one key less; what was sealed under that one opens no more."""
        return KeyRing(
            keys={other: key for other, key in self.keys.items() if other != number},
            look_up_key=self.look_up_key,
            made_at={other: at for other, at in self.made_at.items() if other != number},
        )

    def seal(self, text: str, place: Place) -> bytes:
        """The text as key number (4 bytes), nonce (12 bytes) and AES-GCM's output."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = AESGCM(self.keys[self.newest]).encrypt(nonce, text.encode(), place.bound())
        return self.newest.to_bytes(ID_BYTES, "big") + nonce + sealed

    def open(self, sealed: bytes, place: Place) -> str:
        """The text of a sealed value. Raises UnknownKey or NotGenuine."""
        key = self.keys.get(key_of(sealed))
        if key is None:
            raise UnknownKey(key=key_of(sealed))
        nonce, rest = sealed[ID_BYTES : ID_BYTES + NONCE_BYTES], sealed[ID_BYTES + NONCE_BYTES :]
        try:
            return AESGCM(key).decrypt(nonce, rest, place.bound()).decode()
        except (InvalidTag, ValueError):  # the latter of one that was cut
            raise NotGenuine from None

    def look_up(self, phone: str) -> bytes:
        """HMAC-SHA256 of a phone number's digits: finds the number again, and tells it to nobody."""
        return hmac.digest(self.look_up_key, b"phone:" + digits(phone).encode(), sha256)

    def stamp(self, what: str, text: str) -> bytes:
        """HMAC-SHA256 by which a text that somebody brings back is known to be ours, for one purpose."""
        return hmac.digest(self.look_up_key, f"stamp:{what}:".encode() + text.encode(), sha256)

    def veil(self, text: str) -> bytes:
        """HMAC-SHA256 of any text: stands for it where it must be compared and may not be kept."""
        return hmac.digest(self.look_up_key, b"text:" + text.encode(), sha256)


def manifest(ring: KeyRing) -> dict[str, str]:
    """What tells the keys of a ring apart and opens nothing: the first digits of each one's SHA-256, by number."""
    named = {str(number): key for number, key in sorted(ring.keys.items())} | {"look_up": ring.look_up_key}
    return {name: sha256(key).hexdigest()[:8] for name, key in named.items()}


def key_of(sealed: bytes) -> int:
    """The number of the key that a value is sealed under."""
    return int.from_bytes(sealed[:ID_BYTES], "big")


def digits(phone: str) -> str:
    """A phone number as it is compared: its digits in ASCII, without China's +86 or 0086 before a mobile number."""
    found = _NOT_DIGITS.sub("", unicodedata.normalize("NFKC", phone))
    for prefix in ("0086", "86"):
        if found.startswith(prefix) and len(found) == len(prefix) + 11:
            return found.removeprefix(prefix)
    return found


def masked_phone(phone: str) -> str:
    """A phone number as anybody within reach may see it: 138****1234; of a shorter one fewer digits, and never so many
    that the rest could be tried."""
    found = digits(phone)
    if len(found) >= 11:
        return f"{found[:3]}****{found[-4:]}"
    if len(found) >= 8:
        return f"{found[:2]}****{found[-2:]}"
    return f"****{found[-2:]}" if len(found) > 4 else "****"


def masked_name(name: str) -> str:
    """A name of which only the first character is left: 张**."""
    stripped = name.strip()
    return f"{stripped[0]}**" if stripped else ""

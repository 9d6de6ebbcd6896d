"""Passwords: what one may be, and how it is kept: argon2id of 19 MiB, two passes, one lane (OWASP's first choice)."""

import re
import unicodedata
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from surveys.privacy.sealing import KeyRing, digits
from surveys.refusals import Invalid, TextTooLong, TextUnusable

LONGEST = 200  # characters
MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1

HASHER = PasswordHash((Argon2Hasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES),))

# Of nobody's password: it is checked where there is none, so that the answer takes as long.
NO_PASSWORD = HASHER.hash("nobody has this password")


class PasswordTooShort(Invalid):
    code: ClassVar[str] = "password_too_short"


class PasswordTooCommon(Invalid):
    """One of the first that anybody would try."""

    code: ClassVar[str] = "password_too_common"


class PasswordNamesYou(Invalid):
    """The member's own number, phone or name, which others know."""

    code: ClassVar[str] = "password_names_you"


class Holder(Struct, frozen=True, kw_only=True):
    """Whose password it is to be."""

    number: str
    name: str
    phone_look_up: bytes | None


# What people choose first where ten characters are asked for, in lower case and without anything but letters and
# digits; and of what they are made.
COMMON = frozenset(
    re.findall(
        r"\w+",
        """
    password password1 password12 password123 password1234 passw0rd passw0rd1 passw0rd123 mypassword administrator
    admin12345 admin123456 adminadmin root123456 welcome123 welcome1234 letmein123 iloveyou12 iloveyou123 iloveyou520
    qwertyuiop qwerty1234 qwerty12345 qwerty123456 qwe123456 asdfghjkl asdfghjkl1 asdf123456 zxcvbnm123 zxcv123456
    1qaz2wsx3edc 1q2w3e4r5t 1q2w3e4r5t6y qazwsxedc1 qazwsx1234 aa12345678 aa123456789 a123456789 a1234567890
    abc1234567 abc12345678 abc123456789 abcd123456 abcd1234567 abcdefghij abcdef1234 abc123abc123 woaini1314
    woaini520 woaini1314520 woaini5201314 5201314520 5201314521 1314520520 13145201314 zhongguo123 zhongguo1949
    beijing2008 zhengzhou123 zhengzhou1 erqi123456 dangyuan123 dangyuan1 dangjian123 zoufang123 zoufang1234
    zoufang2026 wanmingdangyuan hello12345 hello123456 test123456 testtest12 user123456 changeme12 changeme123
    default123 computer123 superman123 football123 princess123 dragon1234 sunshine12 sunshine123 monkey1234
    """,
    )
)
_ROWS = ("01234567890123456789", "98765432109876543210", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")
_NOT_PLAIN = re.compile(r"[\W_]+")
_LEAST_DISTINCT = 4
_LEAST_OF_ONES_OWN = 4  # characters that are left when number and name are taken away


def normalised(password: str, field: str | None = "password") -> str:
    """A password as it is compared: in NFC, so that one typed on another keyboard is the same.

    Raises TextUnusable or TextTooLong."""
    if len(password) > LONGEST:
        raise TextTooLong(field, most=LONGEST)
    composed = unicodedata.normalize("NFC", password)
    if any(unicodedata.category(one) in ("Cc", "Cs") for one in composed):
        raise TextUnusable(field)
    return composed


def refuse_unfit(password: str, holder: Holder, ring: KeyRing, least: int, field: str = "password") -> None:
    """Raises PasswordTooShort, PasswordTooCommon or PasswordNamesYou for a normalised password."""
    if len(password) < least:
        raise PasswordTooShort(field, least=least)
    plain = _NOT_PLAIN.sub("", password.casefold())
    if _is_common(password, plain):
        raise PasswordTooCommon(field)
    if _is_phone(password, holder, ring):
        raise PasswordNamesYou(field)
    rest = plain
    for known in (holder.number.casefold(), holder.name.casefold()):
        rest = rest.replace(_NOT_PLAIN.sub("", known) or "\0", "")
    if rest != plain and len(rest) < _LEAST_OF_ONES_OWN:
        raise PasswordNamesYou(field)


def _is_common(password: str, plain: str) -> bool:
    if plain in COMMON or len(set(password)) < _LEAST_DISTINCT:
        return True
    return len(plain) > len(password) // 2 and any(plain in row for row in _ROWS)


def _is_phone(password: str, holder: Holder, ring: KeyRing) -> bool:
    return bool(holder.phone_look_up and digits(password)) and ring.look_up(password) == holder.phone_look_up


def hashed(password: str) -> str:
    """The argon2id hash of a normalised password; takes some 30 ms of one core, outside Python's lock."""
    return HASHER.hash(password)


def verified(password: str, kept: str | None) -> tuple[bool, str | None]:
    """Whether a normalised password is the one whose hash is kept, and its new hash where the parameters have changed
    since. With nothing kept it takes as long, and is not."""
    if kept is None:
        HASHER.verify(password, NO_PASSWORD)
        return False, None
    return HASHER.verify_and_update(password, kept)


KEEP = """
insert into member_password (district, member, hash, changed_at) values ($1, $2, $3, $4)
on conflict (district, member) do update set hash = excluded.hash, changed_at = excluded.changed_at
"""


async def keep(conn: Connection, district: int, member: UUID, hash_: str, now: datetime) -> None:
    """Keep a member's new password by its hash."""
    await conn.execute(KEEP, district, member, hash_, now)


KEEP_STRONGER = "update member_password set hash = $4 where district = $1 and member = $2 and hash = $3"


async def keep_stronger(conn: Connection, district: int, member: UUID, before: str, hash_: str) -> None:
    """Keep the same password by a hash of today's parameters, unless it was changed meanwhile."""
    await conn.execute(KEEP_STRONGER, district, member, before, hash_)


REMOVE = "delete from member_password where district = $1 and member = $2"


async def remove(conn: Connection, district: int, member: UUID) -> None:
    """Forget a member's password."""
    await conn.execute(REMOVE, district, member)

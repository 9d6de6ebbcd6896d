"""One-time voting slips: 80 random bits each, shown once when they are printed; of them only the SHA-256 is kept.

They are written in the order of their digests, which has nothing to do with the order of the sheet, and no row changes
when a slip is used. Nobody is written down as having been given one of them."""

import hashlib
import secrets
from collections.abc import Sequence
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.assessments.ballot_terms import MOST_SLIPS, SlipUnknown
from surveys.refusals import TooMany

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no letter that looks like another
LENGTH = 16
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1"})
LARGEST_DISTRICT = 2_147_483_647


class Slip(Struct, frozen=True):
    """What a slip's code names: the ballot, the group, and the slip's place in it."""

    district: int
    ballot: UUID
    code: str
    place: int


def digest(district: int, secret: str) -> bytes:
    """What is kept of a slip; it names its district, so that none of another opens it."""
    return hashlib.sha256(f"ballot {district} {secret}".encode()).digest()


def written(district: int, secret: str) -> str:
    """A code as it is printed: the district, and the secret in fours."""
    return "-".join([str(district), *(secret[at : at + 4] for at in range(0, LENGTH, 4))])


def read(code: str) -> tuple[int, str]:
    """The district and secret of a code as somebody typed it: dashes, spaces and the case do not matter, nor letters
    that are read for figures. Raises SlipUnknown."""
    bare = "".join(one for one in code.upper() if one.isascii() and one.isalnum())
    district, secret = bare[:-LENGTH], bare[-LENGTH:].translate(_MISREAD)
    if not district.isdecimal() or len(district) > 10 or int(district) > LARGEST_DISTRICT:
        raise SlipUnknown("code")
    return int(district), secret


NEXT = "select coalesce(max(place) + 1, 0) from ballot_slip where district = $1 and ballot = $2 and code = $3"
MAKE = """
insert into ballot_slip (district, digest, ballot, code, place)
select $1, digest, $2, $3, $4 + at - 1 from unnest($5::bytea[]) with ordinality s(digest, at) order by at
"""
EXTEND = """
update ballot_turnout set used = used || repeat('0', $4)::bit varying
where district = $1 and ballot = $2 and code = $3
"""


async def make(conn: Connection, district: int, ballot: UUID, code: str, count: int) -> Sequence[str]:
    """New slips for a group, whose row the caller holds: their codes can be read this once. Raises TooMany."""
    first = await conn.fetchval(NEXT, district, ballot, code)
    if first + count > MOST_SLIPS:
        raise TooMany("count", most=MOST_SLIPS - first)
    made = ["".join(secrets.choice(LETTERS) for _ in range(LENGTH)) for _ in range(count)]
    await conn.execute(MAKE, district, ballot, code, first, sorted(digest(district, one) for one in made))
    await conn.execute(EXTEND, district, ballot, code, count)
    return [written(district, one) for one in made]


FIND = "select district, ballot, code, place from ballot_slip where district = $1 and digest = $2"


async def find(conn: Connection, code: str) -> Slip:
    """The slip of a code. Raises SlipUnknown for every other text."""
    district, secret = read(code)
    row = await conn.fetchrow(FIND, district, digest(district, secret))
    if row is None:
        raise SlipUnknown("code")
    return Slip(**row)

"""The box, and the marks of who has voted; kept apart, and neither with a row for a single vote.

The box of a group is one row: the sums of all its votes, sealed under the key ring, always of one length, and
rewritten whole by each vote. The marks are one row of bits, by the places of the roll's voters and of the slips. So a
dump has neither time, order nor position of any vote; two dumps with one vote between them show that there was one, and
whose mark was set, and not what it says, unless the key ring is at hand as well."""

import hashlib
import secrets
from collections.abc import Sequence
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.assessments.ballot_terms import LEAST_VOTES, AlreadyVoted, ChoicesDoNotFit, SlipUsed, UnknownOption
from surveys.privacy.sealing import KeyRing, Place

WIDTH = 7  # figures of each count, so that all boxes of a ballot are as long at every time


def place(district: int, ballot: UUID, code: str) -> Place:
    """What a sealed box belongs to."""
    return Place(district, ballot, f"box {code}")


def _sealed(ring: KeyRing, counts: Sequence[int], where: Place) -> bytes:
    return ring.seal(" ".join(f"{count:0{WIDTH}}" for count in counts), where)


def _opened(ring: KeyRing, sealed: bytes, where: Place) -> list[int]:
    return [int(one) for one in ring.open(sealed, where).split()]


PREPARE = """
with turnout as (
  insert into ballot_turnout (district, ballot, code, marks, used) values ($1, $2, $3, '', '')
)
insert into ballot_box (district, ballot, code, sealed) values ($1, $2, $3, $4)
"""


async def prepare(conn: Connection, ring: KeyRing, district: int, ballot: UUID, code: str, sums: int) -> None:
    """Put up an empty box for a group, with so many sums."""
    sealed = _sealed(ring, [0] * sums, place(district, ballot, code))
    await conn.execute(PREPARE, district, ballot, code, sealed)


# --- voting

MARK = """
update ballot_turnout set marks = set_bit(marks, $4, 1)
where district = $1 and ballot = $2 and code = $3 and get_bit(marks, $4) = 0 returning true
"""
USE = MARK.replace("marks", "used")


async def mark_voter(conn: Connection, district: int, ballot: UUID, code: str, at: int) -> None:
    """Mark a voter of the roll. Raises AlreadyVoted."""
    if not await conn.fetchval(MARK, district, ballot, code, at):
        raise AlreadyVoted


async def mark_slip(conn: Connection, district: int, ballot: UUID, code: str, at: int) -> None:
    """Mark a slip as used. Raises SlipUsed."""
    if not await conn.fetchval(USE, district, ballot, code, at):
        raise SlipUsed("code")


HOLD = "select sealed from ballot_box where district = $1 and ballot = $2 and code = $3 for update"
DROP_IN = "update ballot_box set sealed = $4 where district = $1 and ballot = $2 and code = $3"


async def drop_in(
    conn: Connection, ring: KeyRing, district: int, ballot: UUID, code: str, choices: Sequence[int], options: int
) -> None:
    """Add a vote to the sums of a box, one after another. Raises ChoicesDoNotFit or UnknownOption."""
    where = place(district, ballot, code)
    counts = _opened(ring, await conn.fetchval(HOLD, district, ballot, code), where)
    refuse_unfit(choices, len(counts) // options, options)
    for candidate, choice in enumerate(choices):
        counts[candidate * options + choice - 1] += 1
    await conn.execute(DROP_IN, district, ballot, code, _sealed(ring, counts, where))


def refuse_unfit(choices: Sequence[int], candidates: int, options: int) -> None:
    """Raises ChoicesDoNotFit unless each candidate has a choice, and UnknownOption for one that there is not."""
    if len(choices) != candidates:
        raise ChoicesDoNotFit("choices", wanted=candidates, given=len(choices))
    for candidate, choice in enumerate(choices):
        if not 1 <= choice <= options:
            raise UnknownOption(f"choices[{candidate}]")


# --- counting


class Box(Struct, frozen=True):
    """What was in a group's box, candidate by candidate; None where there were too few votes, which are gone."""

    code: str
    counts: tuple[tuple[int, ...], ...] | None
    digest: str | None = None  # of the counts and their salt, in hexadecimal


BOXES = "select code, sealed from ballot_box where district = $1 and ballot = $2 order by code for update"
OPEN = "update ballot_box set sealed = null, counts = $4, salt = $5 where district = $1 and ballot = $2 and code = $3"


async def open_all(conn: Connection, ring: KeyRing, district: int, ballot: UUID, options: int) -> list[Box]:
    """Open the boxes of a ballot that is closed: the sums of each group are kept in the open from then on, but for
    groups with too few votes, whose boxes are emptied unread by anybody."""
    found = []
    for row in await conn.fetch(BOXES, district, ballot):
        code = row["code"]
        counts = _opened(ring, row["sealed"], place(district, ballot, code))
        if sum(counts[:options]) < LEAST_VOTES:
            await conn.execute(OPEN, district, ballot, code, None, None)
            found.append(Box(code, None))
            continue
        salt = secrets.token_bytes(16)
        await conn.execute(OPEN, district, ballot, code, counts, salt)
        found.append(_box(code, counts, salt, options))
    return found


COUNTED = "select code, counts, salt from ballot_box where district = $1 and ballot = $2 order by code"


async def counted(conn: Connection, district: int, ballot: UUID, options: int) -> list[Box]:
    """The boxes of a ballot that was counted, as they lie there."""
    rows = await conn.fetch(COUNTED, district, ballot)
    return [
        Box(row["code"], None) if row["counts"] is None else _box(row["code"], row["counts"], row["salt"], options)
        for row in rows
    ]


def _box(code: str, counts: Sequence[int], salt: bytes, options: int) -> Box:
    written = " ".join(str(count) for count in counts).encode()
    by_candidate = tuple(tuple(counts[at : at + options]) for at in range(0, len(counts), options))
    return Box(code, by_candidate, hashlib.sha256(salt + written).hexdigest())

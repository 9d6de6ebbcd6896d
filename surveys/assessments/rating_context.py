"""What stands beside the items that are rated: the self-rating, where the scorecard lets others see it, and how many
codes were made and used."""

from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.assessments import rating_points
from surveys.assessments.ratings import Sheet


class CodesMade(Struct, frozen=True):
    """How many codes were made for a subject, and how many of them were used."""

    made: int
    used: int


CODES = """
select count(*) as made, count(*) filter (where used) as used from rating_code
where district = $1 and round = $2 and subject = $3
"""


async def codes(conn: Connection, district: int, round_: UUID, subject: UUID) -> CodesMade:
    """The codes of a subject that the caller has made sure the reader looks after."""
    return CodesMade(**await conn.fetchrow(CODES, district, round_, subject))


SELF = """
select points from rating where district = $1 and round = $2 and subject = $3 and rater_group = 'self'
order by given_at desc limit 1
"""


async def self_points(conn: Connection, sheet: Sheet) -> Mapping[str, Decimal]:
    """What who is rated gave themselves, by the codes of items; nothing for themselves, for the people, and where the
    scorecard keeps it from others."""
    if sheet.group in ("self", "people") or not sheet.instrument.rules.self_shown:
        return {}
    points = await conn.fetchval(SELF, sheet.round.district, sheet.round.id, sheet.subject)
    return rating_points.shown(sheet.instrument, points) if points else {}

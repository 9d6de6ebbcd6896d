"""What is kept of commitments behind contact cards: how these were rated at their doors, and why."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct


class RatingRecord(Struct, frozen=True, kw_only=True):
    """What was said of a commitment through a card; `promised` is its text as it is now."""

    id: UUID
    commitment: UUID
    promised: str
    rated_at: datetime
    kept: bool
    stars: int
    reason: str | None


RECORDS = """
select r.id, r.commitment, coalesce(t.body->>'text', '') as promised, r.rated_at, r.kept, r.stars,
       w.body->>'reason' as reason
from commitment_rating r
join commitment c on c.district = r.district and c.id = r.commitment
left join text_version t on t.district = r.district and t.subject = c.id and t.version = c.text_version
left join text_version w on w.district = r.district and w.subject = r.id and w.version = 1
where r.district = $1 and r.rated_by = 'people' and r.rater = any($2)
order by r.rated_at desc, r.id desc
"""


async def of_cards(conn: Connection, district: int, cards: Sequence[str]) -> list[RatingRecord]:
    """What was said through these cards, the newest first, with what was said before somebody thought better of it. The
    id of each is the subject of its reason."""
    rows = await conn.fetch(RECORDS, district, list(cards)) if cards else []
    return [msgspec.convert(dict(row), RatingRecord) for row in rows]

"""What is kept of services behind contact cards: what was booked with them or for their doors, and what was said."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.volunteering.bookings import BookingState


class AnswerRecord(Struct, frozen=True, kw_only=True):
    """What was said of a service; `solved` is whether it was what they needed."""

    answered_at: datetime
    solved: bool
    satisfaction: int
    reason: str | None


class BookingRecord(Struct, frozen=True, kw_only=True):
    """A booking with all that was said of its service, the first answer first."""

    id: UUID
    service: str
    starts_at: datetime
    booked_at: datetime
    state: BookingState
    persons: int
    answers: list[AnswerRecord]


# The cards that issues came through, and those that were left on visits.
CARDS = """
select card from issue where district = $1 and id = any($2) and card is not null
union
select card from card_binding where district = $1 and visit = any($3)
"""


async def cards_of(conn: Connection, district: int, issues: Sequence[UUID], visits: Sequence[UUID]) -> list[str]:
    """The cards behind these issues and visits, by their numbers."""
    rows = await conn.fetch(CARDS, district, list(issues), list(visits))
    return sorted(row["card"] for row in rows)


RECORDS = """
select b.id, coalesce(t.body->>'title', '') as service, s.starts_at, b.booked_at, b.state, b.persons,
  coalesce((select jsonb_agg(jsonb_build_object('answered_at', a.answered_at, 'solved', a.solved,
      'satisfaction', a.satisfaction, 'reason', w.body->>'reason') order by a.answered_at, a.id)
    from service_return_visit r
    join service_answer a on a.district = r.district and a.return_visit = r.id
    left join text_version w on w.district = a.district and w.subject = a.id and w.version = 1
    where r.district = b.district and r.booking = b.id), '[]') as answers
from booking b
join service s on s.district = b.district and s.id = b.service
left join text_version t on t.district = b.district and t.subject = s.id and t.version = s.text_version
where b.district = $1 and b.card = any($2)
order by b.booked_at desc, b.id desc
"""


async def of_cards(conn: Connection, district: int, cards: Sequence[str]) -> list[BookingRecord]:
    """What was booked with these cards or for them, the newest first."""
    rows = await conn.fetch(RECORDS, district, list(cards)) if cards else []
    return [msgspec.convert(dict(row), BookingRecord) for row in rows]


ANSWERS = """
select a.id from booking b
join service_return_visit r on r.district = b.district and r.booking = b.id
join service_answer a on a.district = r.district and a.return_visit = r.id
where b.district = $1 and b.card = any($2)
"""


async def answers_of(conn: Connection, district: int, cards: Sequence[str]) -> list[UUID]:
    """The answers about services behind these cards, by their ids: the subjects of their reasons."""
    return [row["id"] for row in await conn.fetch(ANSWERS, district, list(cards))] if cards else []

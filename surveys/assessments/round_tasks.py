"""What one has to rate now, and how far one is."""

from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.assessments import instruments, rating_points, round_steps, rounds
from surveys.assessments.instruments import Group, Instrument
from surveys.assessments.ratings import NAMED
from surveys.assessments.rounds import Round
from surveys.people.people import Reader

MOST = 500  # that are shown to one person


class Task(Struct, frozen=True, kw_only=True):
    """A subject that the reader rates, in which group, until when, and how many of how many items they have rated."""

    round: UUID
    round_name: str
    subject: UUID
    subject_name: str
    group: Group
    closes_at: datetime
    given: int
    items: int
    late: bool  # the step is over, and leaders are still heard
    reminded_at: datetime | None

    @property
    def done(self) -> bool:
        """Whether nothing is missing."""
        return self.given >= self.items


TASKS = f"""
select a.round, a.subject, a.rater_group, a.reminded_at, g.points, coalesce(
  {NAMED.format(kind="r.subject_kind", district="$1", subject="a.subject")}, '') as subject_name
from round_rater a
join rating_round r on r.district = $1 and r.id = a.round
left join rating g on g.district = $1 and g.round = a.round and g.subject = a.subject
  and g.rater_group = a.rater_group and g.rater = a.rater
where a.district = $1 and a.rater = $2 and r.cancelled_at is null and r.opens_at <= $3 and r.first_at > $3
order by r.opens_at, a.round, a.rater_group = 'self' desc, a.rater_group, subject_name, a.subject limit $4
"""


async def of_reader(conn: Connection, reader: Reader, now: datetime) -> list[Task]:
    """What the reader can rate now, one's own first."""
    rows = await conn.fetch(TASKS, reader.district, reader.member, now, MOST)
    found = {id_: await rounds.one(conn, reader.district, id_) for id_ in {row["round"] for row in rows}}
    by_round = {id_: await _instrument(conn, one) for id_, one in found.items()}
    return [
        _task(row, found[row["round"]], by_round[row["round"]], now)
        for row in rows
        if now < round_steps.closes(found[row["round"]], row["rater_group"])
    ]


async def _instrument(conn: Connection, found: Round) -> Instrument:
    return await instruments.of_version(conn, found.district, found.instrument, found.instrument_version)


def _task(row: Any, found: Round, instrument: Instrument, now: datetime) -> Task:
    group: Group = row["rater_group"]
    points = row["points"] or [None] * len(instrument.items)
    asked = sum(group in item.raters for item in instrument.items)
    return Task(
        round=found.id,
        round_name=found.name,
        subject=row["subject"],
        subject_name=str(row["subject_name"]),
        group=group,
        closes_at=round_steps.closes(found, group),
        given=asked - len(rating_points.missing(instrument, group, points)),
        items=asked,
        late=now >= getattr(found, round_steps.CLOSES[group]),
        reminded_at=row["reminded_at"],
    )


class OwnResult(Struct, frozen=True, kw_only=True):
    """A result that the reader may see as who was rated, or speaks for it: the newest of its round."""

    round: UUID
    round_name: str
    subject: UUID
    subject_name: str
    kind: str  # first or final
    percent: int | None  # ten-thousandths of a per cent
    stars: int | None
    appeals_until: datetime


OWN = f"""
select distinct on (r.opens_at, a.round, a.subject) a.round, coalesce(t.body->>'name', '') as round_name, a.subject,
  c.kind, f.percent, coalesce((select d.stars from round_decision d
    where d.district = $1 and d.round = a.round and d.subject = a.subject and r.published_at is not null
    order by d.number desc limit 1), f.stars) as stars, r.appeals_until,
  coalesce({NAMED.format(kind="r.subject_kind", district="$1", subject="a.subject")}, '') as subject_name
from round_rater a
join rating_round r on r.district = $1 and r.id = a.round
join round_computation c on c.district = $1 and c.round = a.round and c.ready_at is not null
  and (c.kind = 'first' or r.published_at is not null)
join round_result f on f.district = $1 and f.round = a.round and f.version = c.version and f.subject = a.subject
left join text_version t on t.district = $1 and t.subject = r.id and t.version = r.text_version
where a.district = $1 and a.rater = $2 and a.rater_group = 'self' and r.cancelled_at is null
order by r.opens_at desc, a.round, a.subject, c.version desc limit 50
"""


async def own_results(conn: Connection, reader: Reader) -> list[OwnResult]:
    """How the reader did, in the newest rounds first."""
    return [OwnResult(**row) for row in await conn.fetch(OWN, reader.district, reader.member)]

"""What was done: each time that somebody served, as the ledger of the time bank says how long, the report of the
service how many were helped, and those who came how satisfied they were.

A deed belongs to the moment at which it took place; what is learned of it later, as a correction of its minutes or an
answer, changes it from when that was recorded."""

from datetime import datetime
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct


class Deed(Struct, frozen=True, kw_only=True):
    """One person at one service, or helping one person who asked for it; `satisfaction` is the sum of the faces, 1 to
    5, of so many answers."""

    id: UUID  # of the service, or of the help
    volunteer: UUID
    service: UUID | None
    team: UUID | None
    kind: str
    minutes: int
    helped: int
    answers: int
    satisfaction: int
    happened_at: datetime
    recorded_at: datetime  # when the last of it was learned


# Of a district ($1), that took place from $2 until before $3, as was known at $4. Corrections carry the moment, the
# person and the service of what they correct; what they leave nothing of was not done. An answer that was given again
# counts as it was given last.
DEEDS = """
  select coalesce(t.service, t.help) as id, t.volunteer, t.service, coalesce(s.team, h.team) as team,
    coalesce(s.kind, w.kind, 'other') as kind, t.minutes,
    case when t.service is null then 1 when s.confirmed_at <= $4 then s.helped else 0 end as helped,
    coalesce(a.answers, 0)::integer as answers, coalesce(a.satisfaction, 0)::integer as satisfaction,
    t.happened_at, greatest(t.recorded_at, a.recorded_at) as recorded_at
  from (
    select volunteer, service, help, sum(served)::integer as minutes, min(happened_at) as happened_at,
      max(recorded_at) as recorded_at
    from time_transaction
    where district = $1 and happened_at >= $2 and happened_at < $3 and recorded_at <= $4 and volunteer is not null
    group by volunteer, service, help having sum(served) > 0
  ) t
  left join service s on s.district = $1 and s.id = t.service
  left join help_request h on h.district = $1 and h.id = t.help
  left join volunteer_team w on w.district = $1 and w.id = h.team
  left join lateral (
    select count(*) as answers, sum(l.satisfaction) as satisfaction, max(l.recorded_at) as recorded_at
    from (
      select distinct on (return_visit) satisfaction, recorded_at from service_answer
      where district = $1 and service = t.service and recorded_at <= $4
      order by return_visit, recorded_at desc, id desc
    ) l
  ) a on true
"""
ALL = f"{DEEDS} order by happened_at, id, volunteer"


async def done(conn: Connection, district: int, from_: datetime, to: datetime, known_at: datetime) -> list[Deed]:
    """All that was done from one moment until before another, as was known at a third, the earliest first."""
    return [Deed(**row) for row in await conn.fetch(ALL, district, from_, to, known_at)]


class Sums(Struct, frozen=True, kw_only=True):
    """What was done in all: services and helps, the minutes of all who served, and how many were helped."""

    deeds: int
    minutes: int
    helped: int


# Those whom a service helped are counted once, however many served there.
SUMS = f"""
with deed as ({DEEDS})
select count(*)::integer as deeds, coalesce(sum(minutes), 0)::bigint as minutes,
  coalesce(sum(helped), 0)::bigint as helped
from (select id, sum(minutes) as minutes, max(helped) as helped from deed group by id) d
"""


async def sums(conn: Connection, district: int, from_: datetime, to: datetime, known_at: datetime) -> Sums:
    """What was done in all from one moment until before another, as was known at a third."""
    (row,) = await conn.fetch(SUMS, district, from_, to, known_at)
    return Sums(**row)

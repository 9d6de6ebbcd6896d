"""What services came to in a period, by community: how many were held, the minutes that volunteers served at them, and
how many were helped."""

from collections.abc import Mapping
from datetime import datetime

from asyncpg import Connection
from msgspec import Struct


class Held(Struct, frozen=True, kw_only=True):
    """Services held, the minutes of all who served, and persons helped."""

    services: int
    minutes: int
    helped: int


# Of what ended from $2 until before $3, as was known at $4; minutes are those of the time bank, corrections included.
HELD = """
select s.community, count(*)::int as services, coalesce(sum(s.helped), 0)::int as helped,
  coalesce(sum(t.minutes), 0)::int as minutes
from service s
left join lateral (
  select sum(x.served) as minutes from time_transaction x
  where x.district = s.district and x.service = s.id and x.recorded_at <= $4
) t on true
where s.district = $1 and s.confirmed_at <= $4 and s.ends_at >= $2 and s.ends_at < $3
group by s.community
"""


async def by_community(
    conn: Connection, district: int, since: datetime, until: datetime, known_at: datetime
) -> Mapping[str | None, Held]:
    """What was held from one moment until before another, as was known at a third; None stands for what lies in no
    community."""
    rows = await conn.fetch(HELD, district, since, until, known_at)
    return {
        row["community"]: Held(services=row["services"], minutes=row["minutes"], helped=row["helped"]) for row in rows
    }

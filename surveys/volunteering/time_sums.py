"""Sums of the time bank: the minutes that volunteers served, and that all entries come to nothing."""

from datetime import datetime
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

# Minutes by volunteer of what happened from $2 until before $3, as known at $4, in district $1: services and help,
# corrections counted at the time of what they correct.
SERVED = """
select t.volunteer, sum(t.served)::integer as minutes
from time_transaction t
where t.district = $1 and t.volunteer is not null
  and t.happened_at >= $2 and t.happened_at < $3 and t.recorded_at <= $4
group by t.volunteer
"""


async def served_minutes(
    conn: Connection, district: int, from_: datetime, to: datetime, known_at: datetime
) -> dict[UUID, int]:
    """How many minutes each volunteer served from a moment until before another, as it was known at a third; those of
    whom everything was taken back are left out."""
    rows = await conn.fetch(SERVED, district, from_, to, known_at)
    return {row["volunteer"]: row["minutes"] for row in rows if row["minutes"]}


# All of it anew: what persons have, what the district's accounts sum to, and whether any balance is not its entries.
CHECK = """
with persons as (
  select e.account, sum(e.minutes) as minutes from time_entry e
  where e.district = $1 and e.account is not null group by e.account
)
select
  (select coalesce(sum(a.balance), 0)::bigint from time_account a where a.district = $1) as persons,
  (select count(*) from time_transaction t where t.district = $1) as transactions,
  coalesce((select -sum(e.minutes) from time_entry e where e.district = $1 and e.system = 'issued'), 0)::bigint
    as issued,
  coalesce((select sum(e.minutes) from time_entry e where e.district = $1 and e.system = 'given_back'), 0)::bigint
    as given_back,
  coalesce((select -sum(e.minutes) from time_entry e where e.district = $1 and e.system = 'carried'), 0)::bigint
    as carried,
  coalesce((select sum(e.minutes) from time_entry e where e.district = $1), 0)::bigint as total,
  (select count(*) from time_account a left join persons p on p.account = a.id
    where a.district = $1 and a.balance <> coalesce(p.minutes, 0)) as wrong
"""


class Check(Struct, frozen=True, kw_only=True):
    """The ledger reckoned anew, in minutes: what persons have is what was issued and carried, less what was given back;
    `total` of all entries, and the number of `wrong` balances, are zero."""

    persons: int
    transactions: int
    issued: int
    given_back: int
    carried: int
    total: int
    wrong: int


async def check(conn: Connection, district: int) -> Check:
    """Reckon the whole ledger of a district anew from its entries."""
    (row,) = await conn.fetch(CHECK, district)
    return Check(**row)

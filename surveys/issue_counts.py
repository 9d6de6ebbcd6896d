"""Issues as a map counts them: gathered where they lie, and by community."""

from datetime import datetime
from typing import get_args
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.issue_query import GROUP, Filters, moment, seen
from surveys.people import Reader
from surveys.workflow import Group


class Cluster(Struct, frozen=True, kw_only=True):
    """Issues that lie close together at a map's scale, counted by map group; one alone names its issue."""

    lon: float
    lat: float
    count: int
    reported: int
    in_hand: int
    overdue: int
    solved: int
    other: int
    issue: UUID | None
    number: str | None


# Issues are counted by group first and the groups are laid side by side afterwards: each issue's group is found once.
BY_GROUP = ",\n  ".join(
    f"coalesce(sum(count) filter (where group_name = '{group}'), 0)::bigint as {group}" for group in get_args(Group)
)

# Where what is seen lies, gathered by cells shifted by {shift}; one that lies alone is named.
CLUSTERS = f"""
, counted as (
  select cell >> {{shift}}::int as cell, {GROUP} as group_name, count(*) as count,
         sum(lon) as lon, sum(lat) as lat, min(number) as number
  from seen group by 1, 2
), clusters as (
  select sum(lon) / sum(count) as lon, sum(lat) / sum(count) as lat, sum(count)::bigint as count,
  {BY_GROUP}, min(number) as number
  from counted group by cell
)
select c.*, case when count = 1 then (select id from issue i where i.district = $1 and i.number = c.number) end as issue
from clusters c
"""

BY_COMMUNITY = f"""
, counted as (
  select community, {GROUP} as group_name, count(*) as count, count(*) filter (where cell is null) as unplaced
  from seen group by 1, 2
)
select community, sum(count)::bigint as total, sum(unplaced)::bigint as unplaced,
  {BY_GROUP}
from counted group by community order by community
"""


async def clusters(
    conn: Connection, reader: Reader, filters: Filters, zone: ZoneInfo, now: datetime, shift: int
) -> list[Cluster]:
    """The placed issues gathered by cells of 2^shift Morton codes. Raises InvalidFilter."""
    if filters.placed is False:
        return []  # what has no place is on no map
    query = await seen(conn, reader, msgspec.structs.replace(filters, placed=True), zone, moment(filters, zone, now))
    gathered = CLUSTERS.format(shift=f"${len(query.parameters) + 1}")
    rows = await conn.fetch(query.text + gathered, *query.parameters, shift)
    return [
        Cluster(
            lon=row["lon"],
            lat=row["lat"],
            count=row["count"],
            reported=row["reported"],
            in_hand=row["in_hand"],
            overdue=row["overdue"],
            solved=row["solved"],
            other=row["other"],
            issue=row["issue"],
            number=str(row["number"]) if row["issue"] else None,
        )
        for row in rows
    ]


class Count(Struct, frozen=True, kw_only=True):
    """How many issues stand where in their lives; the groups add up to `total`."""

    community: str | None
    reported: int
    in_hand: int
    overdue: int
    solved: int
    other: int
    total: int
    unplaced: int


async def by_community(
    conn: Connection, reader: Reader, filters: Filters, zone: ZoneInfo, now: datetime
) -> list[Count]:
    """The issues counted by community, those in none under None. Raises InvalidFilter."""
    query = await seen(conn, reader, filters, zone, moment(filters, zone, now))
    rows = await conn.fetch(query.text + BY_COMMUNITY, *query.parameters)
    return [Count(**row) for row in rows]

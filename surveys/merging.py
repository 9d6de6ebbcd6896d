"""Merging: two issues that are the same thing go on as one, and come apart again as they were.

The one that is merged keeps its number, its history and its reporters; it points to the one that survives, which tells
of it in its own history. Nothing that was merged can be merged into, so that pointers never run in a circle."""

from collections.abc import Sequence
from uuid import UUID

from asyncpg import Connection

# What each issue leads to: what it was merged into, and what that was merged into since.
SURVIVORS = """
with recursive led as (
  select i.id as merged, i.merged_into as into from issue i
  where i.district = $1 and i.id = any($2) and i.merged_into is not null
  union all
  select led.merged, i.merged_into from led join issue i on i.district = $1 and i.id = led.into
  where i.merged_into is not null
)
select led.merged, led.into from led join issue i on i.district = $1 and i.id = led.into where i.merged_into is null
"""


async def survivors(conn: Connection, district: int, merged: Sequence[UUID]) -> dict[UUID, UUID]:
    """What these merged issues have become a part of in the end."""
    return {row["merged"]: row["into"] for row in await conn.fetch(SURVIVORS, district, merged)}

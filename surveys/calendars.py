"""When a district works: the calendar by which its limits count."""

from datetime import datetime
from zoneinfo import ZoneInfo

from asyncpg import Connection

from surveys.clock import Calendar
from surveys.refusals import NotFound

ZONE = "select time_zone from district where district = $1"


async def in_force(conn: Connection, district: int, as_of: datetime) -> Calendar:
    """The calendar by which a district's limits count, as it was known at a moment. Raises NotFound."""
    zone = await conn.fetchval(ZONE, district)
    if zone is None:
        raise NotFound("district", given=district)
    return Calendar(zone=ZoneInfo(zone))

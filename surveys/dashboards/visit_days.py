"""How many visits began on each day, of those that a list shows under the same filters."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from asyncpg import Connection

from surveys.people import scopes
from surveys.people.people import Reader
from surveys.visits import visit_query
from surveys.visits.visit_query import VisitFilters

BY_DAY = "select (v.started_at at time zone ${zone})::date as day, count(*) from visit v {where} group by 1"


async def by_day(
    conn: Connection, reader: Reader, filters: VisitFilters, zone: ZoneInfo, now: datetime
) -> dict[date, int]:
    """The visits by the day on which they began; a day without any is left out. Raises InvalidFilter, NotAllowed."""
    where, parameter = visit_query.where(await scopes.reach(conn, reader), filters, zone, now)
    text = BY_DAY.format(zone=len(parameter.values) + 1, where=where)
    return {row["day"]: row["count"] for row in await conn.fetch(text, *parameter.values, zone.key)}

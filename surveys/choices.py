"""What a list or a map of issues can be narrowed by: the district's own categories and departments, and its days."""

from datetime import datetime
from zoneinfo import ZoneInfo

from asyncpg import Connection
from msgspec import Struct

from surveys import issue_query
from surveys.issue_query import Filters, Moment
from surveys.people import Reader


class Choice(Struct, frozen=True):
    """A value that a filter can take; `part_of` names the group that it belongs to."""

    code: str
    name: str
    part_of: str | None = None


# Retired categories stay: issues of the past have them.
CATEGORIES = "select code, name, parent from category where district = $1 order by code"

DEPARTMENTS = "select code, name from department where district = $1 order by code"


async def categories(conn: Connection, reader: Reader) -> list[Choice]:
    """The categories of the reader's district, groups among them."""
    return [Choice(*row) for row in await conn.fetch(CATEGORIES, reader.district)]


async def departments(conn: Connection, reader: Reader) -> list[Choice]:
    """The departments of the reader's district."""
    return [Choice(*row) for row in await conn.fetch(DEPARTMENTS, reader.district)]


async def first_report(conn: Connection, reader: Reader, zone: ZoneInfo, now: datetime) -> datetime | None:
    """When the oldest issue within the reader's reach was reported, or None when there is none."""
    query = await issue_query.seen(conn, reader, Filters(), zone, Moment(now))
    first: datetime | None = await conn.fetchval(f"{query.text} select min(reported_at) from seen", *query.parameters)
    return first

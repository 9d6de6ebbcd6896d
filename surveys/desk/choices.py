"""What a list or a map of issues can be narrowed by: the district's own categories and departments, and its days."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection
from msgspec import Struct

from surveys.counting import issue_query
from surveys.counting.issue_query import Filters, Moment
from surveys.people import scopes
from surveys.people.people import Reader


class Choice(Struct, frozen=True):
    """A value that a filter can take; `part_of` names the group that it belongs to."""

    code: str
    name: str
    part_of: str | None = None


# Retired categories stay: issues of the past have them.
CATEGORIES = "select code, name, parent from category where district = $1 order by code"

DEPARTMENTS = "select code, name from department where district = $1 order by code"


COMMUNITIES = "select code, name, street from community where district = $1 order by code"
STREETS = "select code, name from street where district = $1 order by code"
CAMPAIGNS = "select id, name from campaign where district = $1 order by starts_at desc, id"


async def communities(conn: Connection, reader: Reader) -> list[Choice]:
    """The communities of the reader's district, each part of its street."""
    return [Choice(*row) for row in await conn.fetch(COMMUNITIES, reader.district)]


async def streets(conn: Connection, reader: Reader) -> list[Choice]:
    """The streets of the reader's district."""
    return [Choice(*row) for row in await conn.fetch(STREETS, reader.district)]


async def campaigns(conn: Connection, reader: Reader) -> list[Choice]:
    """The campaigns of the reader's district, the newest first."""
    return [Choice(*row) for row in await conn.fetch(CAMPAIGNS, reader.district)]


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


class Narrowings(Struct, frozen=True, kw_only=True):
    """What a reader can narrow a list by: the places within their reach, and the district's categories and
    departments."""

    communities: list[Choice]  # each part of its street
    streets: list[Choice]
    categories: list[Choice]
    departments: list[Choice]


PLACES = "select code, name, street from community where district = $1 and ($2::text[] is null or code = any($2))"
STREETS = "select code, name from street where district = $1 order by code"


async def narrowings(conn: Connection, reader: Reader) -> Narrowings:
    """Raises NotAllowed for whoever holds no role that reads issues."""
    within = await scopes.reach(conn, reader)
    codes = None if within.district or within.organisations or within.departments else within.communities
    communities = [Choice(*row) for row in await conn.fetch(f"{PLACES} order by street, code", reader.district, codes)]
    known = {choice.part_of for choice in communities}
    streets = [Choice(*row) for row in await conn.fetch(STREETS, reader.district)]
    return Narrowings(
        communities=communities,
        streets=[choice for choice in streets if choice.code in known],
        categories=await categories(conn, reader),
        departments=await departments(conn, reader),
    )


ORGANISATION_NAMES = "select id, name from organisation where district = $1 and id = any($2)"


async def organisation_names(conn: Connection, reader: Reader, organisations: list[UUID]) -> dict[UUID, str]:
    """What these organisations of the reader's district are called."""
    return {row["id"]: row["name"] for row in await conn.fetch(ORGANISATION_NAMES, reader.district, organisations)}


class Street(Struct, frozen=True):
    """A street with those of its communities that somebody reaches; None is what belongs to no street."""

    code: str | None
    name: str | None
    communities: list[Choice]


STREETS_WITH_COMMUNITIES = """
select c.code, c.name, c.street, s.name as street_name from community c
left join street s on s.district = $1 and s.code = c.street
where c.district = $1 and ($2::text[] is null or c.code = any($2))
order by c.street nulls last, c.code
"""


async def streets_with_communities(conn: Connection, reader: Reader) -> list[Street]:
    """The streets and communities that a reader reaches as places. Raises NotAllowed."""
    reach = await scopes.reach(conn, reader)
    found: dict[str | None, Street] = {}
    for row in await conn.fetch(
        STREETS_WITH_COMMUNITIES, reader.district, None if reach.district else reach.communities
    ):
        street = found.setdefault(row["street"], Street(row["street"], row["street_name"], []))
        street.communities.append(Choice(row["code"], row["name"], row["street"]))
    return list(found.values())

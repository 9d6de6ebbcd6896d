"""Issues as rows of a table that leaves the program: all that a list counts, read through the one query."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from asyncpg import Connection

from surveys.counting.issue_query import GROUP, NONE, OVERDUE, Filters, moment, seen
from surveys.people.people import Reader
from surveys.selections import Selection

# An issue with the codes and names of what it stands in; `lon` and `lat` are WGS-84, null without a place.
ROWS = f"""
select s.number::text, t.body->>'title' as title, t.body->>'description' as description,
       s.category, k.name as category_name, s.urgency, s.channel, s.state, {GROUP} as "group",
       {OVERDUE} as overdue, m.number as owner, m.name as owner_name,
       s.department, d.name as department_name, s.community, c.name as community_name,
       c.street, r.name as street_name, s.certainty, s.lon, s.lat, s.reported_at, s.due_at, s.id, s.visit
from seen s
join member m on m.district = $1 and m.id = s.owner
join category k on k.district = $1 and k.code = s.category
left join department d on d.district = $1 and d.code = s.department
left join community c on c.district = $1 and c.code = s.community
left join street r on r.district = $1 and r.code = c.street
left join text_version t on t.district = $1 and t.subject = s.id and t.version = s.text_version
order by s.reported_at desc, s.id desc
"""


async def selection(conn: Connection, reader: Reader, filters: Filters, zone: ZoneInfo, now: datetime) -> Selection:
    """The issues of the list with these filters, newest first. Raises InvalidFilter, and NotAllowed for whoever reads
    no issues."""
    query = await seen(conn, reader, filters, zone, moment(filters, zone, now))
    return Selection(query.text + ROWS, query.parameters)


async def count(conn: Connection, reader: Reader, filters: Filters, zone: ZoneInfo, now: datetime) -> int:
    """How many rows there are. Raises what `selection` raises."""
    query = await seen(conn, reader, filters, zone, moment(filters, zone, now))
    counted: int = await conn.fetchval(f"{query.text} select count(*) from seen", *query.parameters)
    return counted


# Of the codes that somebody asked for, those that the district has.
KNOWN = """
select 'community' as name, code from community where district = $1 and code = any($2)
union all select 'community', 'none' where 'none' = any($2)
union all select 'street', code from street where district = $1 and code = any($3)
union all select 'street', 'none' where 'none' = any($3)
union all select 'category', code from category where district = $1 and code = any($4)
union all select 'department', code from department where district = $1 and code = any($5)
union all select 'department', 'none' where 'none' = any($5)
order by 1, 2
"""
CODES = ("community", "street", "category", "department")


# Of a few words, or ids.
TOLD_AS_GIVEN = (
    "id",
    "state",
    "group",
    "urgency",
    "channel",
    "owner",
    "organisation",
    "offered_to",
    "asked",
    "leader",
    "agent",
    "certainty",
    "source",
)


async def told(conn: Connection, district: int, filters: Filters) -> Mapping[str, object]:
    """The filters as the history may keep them: codes, states and days, and never a text. A code that the district does
    not have is left out, for it may be any text."""
    facts: dict[str, object] = {}
    for name in TOLD_AS_GIVEN:
        if values := getattr(filters, name):
            facts[name] = [NONE if value is None else str(value) for value in values]
    for row in await conn.fetch(KNOWN, district, *(list(getattr(filters, name)) for name in CODES)):
        _codes(facts, row["name"]).append(row["code"])
    for name in ("overdue", "waiting", "returned", "placed", "provisional", "bbox", "rate", "met"):
        if (value := getattr(filters, name)) is not None:
            facts[name] = value
    for name in ("reported_from", "reported_to", "due_from", "due_to", "as_of", "known_at"):
        if (day := getattr(filters, name)) is not None:
            facts[name] = day.isoformat()
    return facts


def _codes(facts: dict[str, object], name: str) -> list[str]:
    codes: Any = facts.setdefault(name, [])
    kept: list[str] = codes
    return kept

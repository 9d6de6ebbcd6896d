"""Visits as rows of a table that leaves the program: all that a list counts, within the reader's reach."""

from datetime import datetime
from zoneinfo import ZoneInfo

from asyncpg import Connection

from surveys.people import scopes
from surveys.people.people import Reader
from surveys.selections import Selection
from surveys.visits import visit_query
from surveys.visits.visit_query import VisitFilters

# A visit with the codes and names of what it stands in, and the issues found on it that the reader sees as well;
# `lon` and `lat` are WGS-84, null without a place.
ROWS = """
select v.started_at, v.ended_at, m.number as member, m.name as member_name, o.name as organisation_name,
       array(select n.name from member n
             where n.district = $1 and n.id = any(v.companions) order by n.number) as companions,
       v.premises_kind, t.body->>'premises_name' as premises_name, t.body->>'premises_address' as premises_address,
       v.outcome, v.community, c.name as community_name, c.street, r.name as street_name, v.certainty, v.lon, v.lat,
       v.campaign, v.contact_card, t.body->>'note' as note,
       array(select flag from visit_flag f where f.district = $1 and f.visit = v.id order by flag) as flags,
       array(select i.number::text from issue i where i.district = $1 and i.visit = v.id and {of_issues}
             order by i.number) as issues,
       v.recorded_at, v.withdrawn_at, v.id
from visit v
join member m on m.district = $1 and m.id = v.member
join organisation o on o.district = $1 and o.id = v.organisation
left join community c on c.district = $1 and c.code = v.community
left join street r on r.district = $1 and r.code = c.street
left join text_version t on t.district = $1 and t.subject = v.id and t.version = v.text_version
"""


async def selection(
    conn: Connection, reader: Reader, filters: VisitFilters, zone: ZoneInfo, now: datetime
) -> Selection:
    """The visits of the list with these filters, newest first. Raises InvalidFilter, and NotAllowed for whoever reads
    no visits."""
    reach = await scopes.reach(conn, reader)
    where, parameter = visit_query.where(reach, filters, zone, now)
    of_issues = reach.condition(parameter, "issue", "i") or "true"
    return Selection(f"{ROWS.format(of_issues=of_issues)}{where} {visit_query.NEWEST}", tuple(parameter.values))


async def count(conn: Connection, reader: Reader, filters: VisitFilters, zone: ZoneInfo, now: datetime) -> int:
    """How many rows there are. Raises what `selection` raises."""
    where, parameter = visit_query.where(await scopes.reach(conn, reader), filters, zone, now)
    counted: int = await conn.fetchval(f"select count(*) from visit v {where}", *parameter.values)
    return counted

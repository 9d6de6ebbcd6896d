"""Commitments as rows of a table that leaves the program: all that a list counts, read through the one query."""

from datetime import datetime
from zoneinfo import ZoneInfo

from asyncpg import Connection

from surveys.assessments import commitments
from surveys.assessments.commitments import COLUMNS, NAMED, Filters
from surveys.people.people import Reader
from surveys.people.scopes import Parameters
from surveys.selections import Selection

# A day is over at the next one's beginning, which is not of that day any more; what is not known by the moment that is
# asked about stands in no row.
_DAY = "to_char(({moment} - interval '1 microsecond') at time zone {zone}::text, 'YYYY-MM-DD')"
ROWS = f"""
select told.text, organisation_name, member_name, outcome as commitment_outcome, late,
  {_DAY.format(moment="due_at", zone="{zone}")} as due_on,
  case when is_done then {_DAY.format(moment="done_at", zone="{zone}")} end as done_on,
  case when is_done then how end as how,
  aim as commitment_aim, places, doors, proposed_at,
  case when in_public then approved_at end as approved_at,
  case when taken_back then withdrawn_at end as withdrawn_at,
  case when taken_back then why end as withdrawal,
  self_kept, self_stars, leader_kept, leader_stars, people_kept, people_not_kept,
  round(people_stars::numeric / nullif(people_kept + people_not_kept, 0), 1)::float8 as people_stars, told.id
from told order by proposed_at desc, told.id desc
"""


async def selection(conn: Connection, reader: Reader, filters: Filters, zone: ZoneInfo, now: datetime) -> Selection:
    """The commitments of the list with these filters, newest first. Raises NotAllowed, InvalidFilter and
    UnknownOrganisation."""
    parameter = Parameters(reader.district)
    chosen = await commitments.selected(conn, reader, filters, commitments.moment(filters, zone, now), parameter)
    rows = ROWS.format(zone=parameter(zone.key))
    text = f"with {chosen}, told as ({COLUMNS} from chosen o {NAMED}) {rows}"
    return Selection(text, tuple(parameter.values))


async def count(conn: Connection, reader: Reader, filters: Filters, zone: ZoneInfo, now: datetime) -> int:
    """How many rows there are. Raises what `selection` raises."""
    return await commitments.count(conn, reader, filters, commitments.moment(filters, zone, now))

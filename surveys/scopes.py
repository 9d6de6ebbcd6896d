"""What a reader reaches: the one condition under which they see a visit or an issue.

Lists, maps, counts, exports, one thing by its id, moves and corrections all ask here, so that none of them shows, or
counts, what another hides. The condition goes by the roles held now, by today's tree of organisations and by today's
areas; for a past day it goes by where an issue was then, and who answered for it."""

from collections.abc import Callable
from typing import Any, Literal

from surveys.people import READING, Reader
from surveys.refusals import NotAllowed


class Parameters:
    """The values of a query, numbered as they come: a call with the next value returns what stands for it."""

    def __init__(self, *values: Any) -> None:
        self.values = list(values)

    def __call__(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


# These organisations, and all that hang below them today; those that were closed stay, for what they did stays.
BELOW = """with recursive below as (
  select o.id from organisation o where o.district = $1 and o.id = any({roots}::uuid[])
  union
  select o.id from organisation o join below on o.parent = below.id where o.district = $1
) select id from below"""

# The communities in the areas of organisations, each by itself or with its whole street; and the doors in them.
COMMUNITIES_OF = """select a.code from organisation_area a
  where a.district = $1 and a.organisation = any({organisations}) and a.kind = 'community'
  union all
  select c.code from organisation_area a join community c on c.district = a.district and c.street = a.code
  where a.district = $1 and a.organisation = any({organisations}) and a.kind = 'street'"""
PREMISES_OF = """select a.code::uuid from organisation_area a
  where a.district = $1 and a.organisation = any({organisations}) and a.kind = 'premises'"""

COMMUNITIES_OF_STREETS = "select c.code from community c where c.district = $1 and c.street = any({streets})"


def reach(
    reader: Reader, parameter: Callable[[Any], str], of: Literal["visit", "issue"], alias: str = ""
) -> str | None:
    """The condition on rows of `visit` or of `issue` under which this reader sees them; None for every row of the
    district. $1 of the query is the district; `parameter` adds a value to it and returns what stands for it.

    Each way to reach a row is one that an index can follow, and is named only for those who have it; what they found
    or own is always within reach. Raises NotAllowed for whoever holds no role that reads visits and issues."""
    roles = reader.roles()
    if not roles & READING:
        raise NotAllowed
    if reader.reads_district():
        return None
    column = f"{alias}.{{}}" if alias else "{}"
    community, organisation, premises = (column.format(name) for name in ("community", "organisation", "premises"))
    ways = _own(reader, parameter, of, column)
    if communities := reader.scopes("community"):
        ways.append(f"{community} = any({parameter(communities)}::text[])")
    if streets := reader.scopes("street"):
        ways.append(f"{community} = any(array({COMMUNITIES_OF_STREETS.format(streets=parameter(streets))}))")
    if of == "issue" and (departments := reader.scopes("department")):
        ways.append(f"{column.format('department')} = any({parameter(departments)}::text[])")
    holders = [f"{parameter([reader.organisation])}::uuid[]"] if "member" in roles else []
    if roots := reader.scopes("organisation"):
        below = f"array({BELOW.format(roots=parameter(roots))})"
        ways.append(f"{organisation} = any({below})")
        holders.append(below)
    for organisations in holders:
        ways.append(f"{community} = any(array({COMMUNITIES_OF.format(organisations=organisations)}))")
        ways.append(f"{premises} = any(array({PREMISES_OF.format(organisations=organisations)}))")
    return f"({' or '.join(ways)})"


def _own(reader: Reader, parameter: Callable[[Any], str], of: Literal["visit", "issue"], column: str) -> list[str]:
    me = f"{parameter(reader.member)}::uuid"
    if of == "issue":
        return [f"{column.format('owner')} = {me}", f"{column.format('reporter')} = {me}"]
    companions = column.format("companions")
    return [f"{column.format('member')} = {me}", f"({companions} <> '{{}}' and {companions} @> array[{me}])"]

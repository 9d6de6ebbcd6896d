"""Whose doors a reader sees of a campaign: of the communities that they reach, those that their organisations and they
themselves have in this campaign, and those that they found."""

from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.people import scopes
from surveys.people.people import Reader
from surveys.people.scopes import Parameters

MOST_HELD = 20_000  # doors that are looked up one by one


class Ways(Struct, frozen=True, kw_only=True):
    """How a reader reaches doors; `held` are those that they or their organisations have, None when they are so many
    that one rather looks at all."""

    reader: Reader
    district: bool  # all of it; then the others are left empty
    communities: list[str] = []
    organisations: list[UUID] = []
    premises: list[UUID] = []
    held: list[UUID] | None = []


HELD = """
select premises from assignment where district = $1 and campaign = $2 and member = $3
union
select premises from assignment where district = $1 and campaign = $2 and organisation = any($4) limit $5
"""


async def ways(conn: Connection, reader: Reader, campaign: str) -> Ways:
    """How a reader reaches the doors of a campaign. Raises NotAllowed for whoever reads no visits."""
    reach = await scopes.reach(conn, reader)
    if reach.district:
        return Ways(reader=reader, district=True)
    asked = (reader.district, campaign, reader.member, reach.organisations, MOST_HELD + 1)
    held = [row["premises"] for row in await conn.fetch(HELD, *asked)]
    return Ways(
        reader=reader,
        district=False,
        communities=reach.communities,
        organisations=reach.organisations,
        premises=reach.premises,
        held=held if len(held) <= MOST_HELD else None,
    )


def condition(way: Ways, parameter: Parameters) -> str:
    """The condition on a door `p` of the register and its assignment `a` under which the reader sees it."""
    if way.district:
        return "true"
    return f"({' or '.join([_in_communities(way, parameter, 'p.community'), _other(way, parameter)])})"


def of_sums(way: Ways, parameter: Parameters, *, days: bool) -> str:
    """The condition on the columns of a sum under which the reader sees all that it counts; what is summed up by days
    does not tell who holds the doors."""
    return _summed(way, parameter, days=days, prefixes=("", ""))


def beside_sums(way: Ways, parameter: Parameters, *, days: bool) -> str:
    """The condition on a door that the reader sees, and not in a sum."""
    seen = _summed(way, parameter, days=days, prefixes=("p.", "a."))
    return f"{_other(way, parameter, summed=not days)} and {seen} is not true"


def _summed(way: Ways, parameter: Parameters, *, days: bool, prefixes: tuple[str, str]) -> str:
    if way.district:
        return "true"
    door, assignment = prefixes
    ways = [_in_communities(way, parameter, f"{door}community")]
    if way.held is None and not days:
        ways.append(_assigned(way, parameter, assignment))
    return f"({' or '.join(ways)})"


def _in_communities(way: Ways, parameter: Parameters, column: str) -> str:
    return f"{column} = any({parameter(way.communities)}::text[])"


def _assigned(way: Ways, parameter: Parameters, prefix: str) -> str:
    organisations = f"{prefix}organisation = any({parameter(way.organisations)}::uuid[])"
    return f"{organisations} or {prefix}member = {parameter(way.reader.member)}::uuid"


def _other(way: Ways, parameter: Parameters, *, summed: bool = False) -> str:
    """All ways but that by the community; and but those that sums tell."""
    ways = [f"p.found_by = {parameter(way.reader.member)}::uuid"]
    if way.held is None and not summed:
        ways.append(_assigned(way, parameter, "a."))
    named = [*way.premises, *(way.held or ())]
    if named:
        ways.append(f"p.id = any({parameter(named)}::uuid[])")
    return f"({' or '.join(ways)})"

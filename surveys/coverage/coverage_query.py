"""The one query through which the doors of a campaign are read with their states: counted, listed, on a map.

A door is one of the register: of the campaign's kinds and areas, and confirmed; one that was found on the way is a
figure of its own until it is. What was filed for a door that was merged into another counts for that one."""

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Connection
from msgspec import Struct

from maps import tiles
from surveys.counting.issue_query import NONE, SMALL_VIEW, YEARS, Box
from surveys.coverage import coverage_reach
from surveys.coverage.coverage_reach import Ways
from surveys.coverage.coverage_terms import COUNTED, Figure
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.people.scopes import Parameters
from surveys.premises import door_states
from surveys.premises.door_states import STATE_OF, DoorState, Every, Round
from surveys.premises.premises import PremisesKind
from surveys.refusals import InvalidFilter, NotFound


class Filters(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which doors, in which round; several values of one field are alternatives, fields narrow one another."""

    community: tuple[str, ...] = ()  # NONE stands for none
    street: tuple[str, ...] = ()  # NONE stands for none
    kind: tuple[PremisesKind, ...] = ()
    organisation: tuple[UUID | None, ...] = ()  # to which it is assigned; None stands for none
    member: tuple[UUID | None, ...] = ()  # who holds it; None stands for nobody
    state: tuple[DoorState, ...] = ()
    figure: Figure = "doors"
    day: date | None = None  # of the first visit; with the figure `met`, of the first that met somebody
    bbox: Box | None = None
    round: int | None = None  # the present one
    as_of: date | None = None  # visits that had begun by its end


class Campaign(Struct, frozen=True, kw_only=True):
    """What is visited, and in which rounds."""

    id: str
    name: str
    kinds: list[PremisesKind]
    every: Every
    starts_at: datetime
    ends_at: datetime
    closed_at: datetime | None

    def rounds(self, zone: ZoneInfo) -> list[Round]:
        """All its rounds."""
        return door_states.rounds(self.every, self.starts_at, self.ends_at, zone)


class Span(Struct, frozen=True, kw_only=True):
    """The visits of a campaign that began within a time, and the zone by whose days they are told."""

    district: int
    campaign: str
    begins: datetime
    ends: datetime
    zone: ZoneInfo


class Asked(Struct, frozen=True, kw_only=True):
    """What somebody asks about: the visits of a round that had begun by `ends`; the present round when `present`."""

    campaign: Campaign
    round: Round
    ends: datetime
    present: bool
    filters: Filters
    ways: Ways
    zone: ZoneInfo

    @property
    def span(self) -> Span:
        """The visits that count."""
        return Span(
            district=self.ways.reader.district,
            campaign=self.campaign.id,
            begins=self.round.starts_at,
            ends=self.ends,
            zone=self.zone,
        )


CAMPAIGN = """
select id, name, kinds, every, starts_at, ends_at, closed_at from campaign where district = $1 and id = $2
"""


async def asked(
    conn: Connection, reader: Reader, campaign: str, filters: Filters, zone: ZoneInfo, now: datetime
) -> Asked:
    """What these filters ask about. Raises NotFound, InvalidFilter, and NotAllowed for whoever reads no visits."""
    row = await conn.fetchrow(CAMPAIGN, reader.district, campaign) if "\x00" not in campaign else None
    if row is None:
        scopes.refuse_who_reads_nothing(reader)
        raise NotFound
    ways = await coverage_reach.ways(conn, reader, campaign)
    found = Campaign(**row)
    end = _end_of(filters.as_of, zone) if filters.as_of is not None else None
    moment = min(end - timedelta(microseconds=1), now) if end is not None else now
    one = _round(found, filters.round, zone, moment)
    past = end is not None and end <= now
    return Asked(
        campaign=found,
        round=one,
        ends=min(one.ends_at, end) if past and end is not None else one.ends_at,
        present=not past,
        filters=filters,
        ways=ways,
        zone=zone,
    )


def _round(campaign: Campaign, number: int | None, zone: ZoneInfo, moment: datetime) -> Round:
    if number is None:
        return door_states.round_at(campaign.every, campaign.starts_at, campaign.ends_at, zone, moment)
    rounds = campaign.rounds(zone)
    if not 1 <= number <= len(rounds):
        raise InvalidFilter("round", expected=f"1–{len(rounds)}")
    return rounds[number - 1]


def _end_of(day: date, zone: ZoneInfo) -> datetime:
    if day.year not in YEARS:
        raise InvalidFilter("as_of", expected=f"{YEARS[0]}-01-01 … {YEARS[-1]}-12-31")
    return datetime.combine(day + timedelta(days=1), time(), zone)


# Doors that were merged into another, with the one that they are in the end.
MERGED = """
with recursive merged(id, target) as (
  select id, merged_into from premises where district = $1 and merged_into is not null
  union
  select m.id, p.merged_into from merged m join premises p on p.district = $1 and p.id = m.target
  where p.merged_into is not null
)
select array_agg(id) as ids, array_agg(target) as targets from merged
"""

DOORS = """
select p.id, p.kind, p.state as register_state, p.community, p.lon, p.lat, p.text_version, a.organisation, a.member,
       coalesce(s.state, 'not_yet') as state, s.tries, s.visits, s.visited_at,
       (s.first_at at time zone {zone})::date as visited_on, (s.met_at at time zone {zone})::date as met_on
from premises p
left join assignment a on a.district = $1 and a.campaign = $2 and a.premises = p.id
{others}
left join lateral ({state}) s on true
where p.district = $1 and {where}
"""
OTHERS = """
left join (select target, array_agg(id) as ids from unnest({ids}::uuid[], {targets}::uuid[]) as m(id, target)
           group by target) o on o.target = p.id
"""


class Query(Struct, frozen=True):
    """The text of a subquery named `door`, and its parameters; $1 is the district, $2 the campaign."""

    text: str
    parameter: Parameters


async def doors(
    conn: Connection, about: Asked, *, parameter: Parameters | None = None, reached: str = "", besides: str = "true"
) -> Query:
    """The doors that are asked for, as the reader reaches them, or `reached` says; as part of a question that has
    parameters already, and narrowed by what else the columns of the register must be."""
    parameter = parameter or begun(about.span)
    conditions = [register(about.filters.figure), *narrowed(about, parameter), besides]
    conditions.append(reached or coverage_reach.condition(about.ways, parameter))
    if about.filters.bbox is not None:
        conditions.append(_in_view(about.filters.bbox, parameter))
    text = await everywhere(conn, about.span, parameter, " and ".join(conditions))
    outcome = _of_outcome(about.filters, parameter)
    return Query(f"(select * from ({text}) door where {outcome}) door", parameter)


def begun(span: Span) -> Parameters:
    """The parameters that every question begins with."""
    return Parameters(span.district, span.campaign)


async def everywhere(conn: Connection, span: Span, parameter: Parameters, where: str) -> str:
    """The doors that a condition on the register holds for, with their states in the round."""
    merged = await conn.fetchrow(MERGED, span.district)
    others, premises = "", "p.id"
    if merged and merged["ids"]:
        others = OTHERS.format(ids=parameter(merged["ids"]), targets=parameter(merged["targets"]))
        premises = "any(p.id || coalesce(o.ids, array[]::uuid[]))"
    state = STATE_OF.format(
        district="$1",
        premises=premises,
        campaign="$2",
        begins=parameter(span.begins),
        ends=parameter(span.ends),
    )
    return DOORS.format(zone=parameter(span.zone.key), others=others, state=state, where=where)


def register(figure: Figure) -> str:
    """Which doors of the register a figure is about."""
    return f"p.state = '{'proposed' if figure == 'proposed' else 'confirmed'}'"


AREAS = """(not exists (select from campaign_area c where c.district = $1 and c.campaign = $2) or community in (
  select c.code from campaign_area c where c.district = $1 and c.campaign = $2 and c.kind = 'community'
  union all
  select m.code from campaign_area c join community m on m.district = $1 and m.street = c.code
  where c.district = $1 and c.campaign = $2 and c.kind = 'street'))"""


def narrowed(about: Asked, parameter: Parameters) -> list[str]:
    """Conditions on the columns community, kind, organisation and member: what the campaign visits, and the filters."""
    filters = about.filters
    conditions = [f"kind = any({parameter(about.campaign.kinds)}::text[])", AREAS]
    if filters.community:
        conditions.append(_or_none("community", "text", _given(filters.community), parameter))
    if filters.street:
        streets = _or_none("m.street", "text", _given(filters.street), parameter)
        outside = " or community is null" if NONE in filters.street else ""
        of = f"community in (select m.code from community m where m.district = $1 and {streets})"
        conditions.append(f"({of}{outside})")
    if filters.kind:
        conditions.append(f"kind = any({parameter(list(filters.kind))}::text[])")
    if filters.organisation:
        conditions.append(_or_none("organisation", "uuid", filters.organisation, parameter))
    if filters.member:
        conditions.append(_or_none("member", "uuid", filters.member, parameter))
    return conditions


def _given(values: tuple[str, ...]) -> tuple[str | None, ...]:
    return tuple(None if value == NONE else value for value in values)


def _or_none(column: str, kind: str, values: tuple[Any, ...], parameter: Parameters) -> str:
    named = parameter([value for value in values if value is not None])
    return f"({column} = any({named}::{kind}[]){f' or {column} is null' if None in values else ''})"


def _in_view(box: Box, parameter: Parameters) -> str:
    west, south, east, north = box
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise InvalidFilter("bbox", expected="west,south,east,north")
    ranges = " or ".join(
        f"p.cell between {parameter(low)} and {parameter(high)}"
        for low, high in tiles.covering(box, max_ranges=8 if east - west < SMALL_VIEW else 2)
    )
    within = f"p.lon between {parameter(west)} and {parameter(east)} and p.lat between"
    return f"({ranges}) and {within} {parameter(south)} and {parameter(north)}"


def _of_outcome(filters: Filters, parameter: Parameters) -> str:
    conditions = [f"({COUNTED[filters.figure]})"]
    if filters.state:
        conditions.append(f"state = any({parameter(list(filters.state))}::text[])")
    if filters.day is not None:
        column = "met_on" if filters.figure == "met" else "visited_on"
        conditions.append(f"{column} = {parameter(filters.day)}::date")
    return " and ".join(conditions)


def asking(about: Asked, filters: Filters) -> Asked:
    """The same question under other filters."""
    return msgspec.structs.replace(about, filters=filters)


def only(filters: Filters, **what: Any) -> Filters:
    """The same filters, narrowed."""
    return msgspec.structs.replace(filters, **what)

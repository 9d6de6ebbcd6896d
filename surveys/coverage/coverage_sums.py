"""Sums of coverage, kept so that a whole district is told in a moment.

They are made of the visits, the register and the assignments, community by community, and can be thrown away at any
time. Whoever changes what is under a sum leaves a mark in the same transaction (triggers in the migrations), however it
is changed; a sum of a marked community is not used, and what it would have said is counted anew, until the job has made
it again."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from asyncpg import Connection
from msgspec import Struct

from surveys.coverage import coverage_query
from surveys.coverage.coverage_query import Asked, Campaign, Span
from surveys.coverage.coverage_terms import COUNTS, COUNTS_OF_DAY, DAYS, SUMMED
from surveys.people.scopes import Parameters

AT_ONCE = 50  # communities whose sums are made in one transaction
NONE = ""  # the part of the doors in no community


class Kept(Struct, frozen=True):
    """The parts whose sums can be used, and those that are to be counted anew beside them."""

    parts: list[str]
    lacking: list[str]


NOTHING = Kept([], [])

# The parts of a campaign of which a mark says that something has changed under them: where a door lies, and where the
# one lies that it was merged into.
MARKED = """
with recursive mark as (
  select community, premises from coverage_mark
  where district = $1 and (campaign = $2 or campaign is null)
), door(id) as (
  select premises from mark where premises is not null
  union
  select p.merged_into from door d join premises p on p.district = $1 and p.id = d.id where p.merged_into is not null
), marked(part) as (
  select community from mark where community is not null
  union
  select coalesce(p.community, '') from door d join premises p on p.district = $1 and p.id = d.id
), part(code) as (
  select code from community where district = $1 union all select ''
)
"""
USABLE = f"""
{MARKED}, usable as (
  select community as code from coverage_part
  where district = $1 and campaign = $2 and round = $3 and begins = $4 and ends = $5 and time_zone = $6
    and community not in (select part from marked)
)
select array(select code from usable) as parts,
       array(select code from part where code not in (select code from usable)) as lacking
"""


async def usable(conn: Connection, about: Asked) -> Kept:
    """The sums that hold of what is asked about: of the present."""
    if not about.present:
        return NOTHING
    span, number = about.span, about.round.number
    row = await conn.fetchrow(USABLE, span.district, span.campaign, number, span.begins, span.ends, span.zone.key)
    return Kept(row["parts"], row["lacking"]) if row else NOTHING


def of_parts(parts: Sequence[str], parameter: Parameters) -> str:
    """The condition that a door lies in one of these parts."""
    outside = " or p.community is null" if NONE in parts else ""
    return f"(p.community = any({parameter(list(parts))}::text[]){outside})"


CAMPAIGNS = """
select id, name, kinds, every, starts_at, ends_at, closed_at from campaign
where district = $1 and starts_at <= $2 order by starts_at desc, id
"""


async def renew(conn: Connection, district: int, zone: ZoneInfo, now: datetime) -> int:
    """Make sums that are lacking, of some communities of one campaign; how many communities there were. A transaction
    must be open that sees one moment throughout: what comes later has marks of its own."""
    await conn.execute(SPREAD, district)
    for row in await conn.fetch(CAMPAIGNS, district, now):
        campaign = Campaign(**row)
        spans = _spans(campaign, district, zone, now)
        parts = await _lacking(conn, district, campaign.id, spans)
        if parts:
            await _make(conn, district, campaign.id, spans, parts)
            return len(parts)
    return 0


def _spans(campaign: Campaign, district: int, zone: ZoneInfo, now: datetime) -> dict[int, Span]:
    """The rounds that have begun, by their numbers."""
    return {
        one.number: Span(district=district, campaign=campaign.id, begins=one.starts_at, ends=one.ends_at, zone=zone)
        for one in campaign.rounds(zone)
        if one.starts_at <= now
    }


# A mark for all campaigns becomes one for each that has sums.
SPREAD = """
with common as (
  delete from coverage_mark where district = $1 and campaign is null returning community, premises
)
insert into coverage_mark (district, campaign, community, premises)
select distinct $1::int, p.campaign, m.community, m.premises
from common m, (select distinct campaign from coverage_part where district = $1) p
"""
# What a door's mark means is where the door lies; its parts are made one after another.
PLACE = f"""
{MARKED}, gone as (
  delete from coverage_mark where district = $1 and campaign = $2 returning 1
)
insert into coverage_mark (district, campaign, community) select $1::int, $2::text, part from marked
"""
LACKING = """
select code from (select code from community where district = $1 union all select '') part
where code in (select community from coverage_mark where district = $1 and campaign = $2)
   or (select count(*) from coverage_part p
       join unnest($3::int[], $4::timestamptz[], $5::timestamptz[]) as r(number, begins, ends)
         on r.number = p.round and r.begins = p.begins and r.ends = p.ends
       where p.district = $1 and p.campaign = $2 and p.community = part.code and p.time_zone = $6)
      < cardinality($3::int[])
order by code limit $7
"""


async def _lacking(conn: Connection, district: int, campaign: str, spans: dict[int, Span]) -> list[str]:
    if not spans:
        return []
    await conn.execute(PLACE, district, campaign)
    bounds = [[span.begins for span in spans.values()], [span.ends for span in spans.values()]]
    zone = next(iter(spans.values())).zone.key
    rows = await conn.fetch(LACKING, district, campaign, list(spans), *bounds, zone, AT_ONCE)
    return [row["code"] for row in rows]


SETTLE = "delete from coverage_mark where district = $1 and campaign = $2 and community = any($3)"
FORGET = "delete from coverage_part where district = $1 and campaign = $2 and community = any($3)"
PARTS = """
insert into coverage_part (district, campaign, round, community, begins, ends, time_zone)
select $1::int, $2::text, $3::int, part, $4, $5, $6 from unnest($7::text[]) part
"""
_NAMES = ", ".join(SUMMED)
SUMS = f"""
insert into coverage_sum (district, campaign, round, part, community, kind, organisation, member, {_NAMES})
select $1::int, $2::text, {{round}}, coalesce(community, ''), community, kind, organisation, member, {COUNTS}
from ({{doors}}) door group by community, kind, organisation, member
"""
DAY_SUMS = f"""
insert into coverage_day_sum (district, campaign, round, part, community, kind, day, {_NAMES})
select $1::int, $2::text, {{round}}, coalesce(community, ''), community, kind, value, {COUNTS_OF_DAY}
from ({{doors}}) door {DAYS} where of <> 'all' group by community, kind, value
"""


async def _make(conn: Connection, district: int, campaign: str, spans: dict[int, Span], parts: Sequence[str]) -> None:
    """Make the sums of some communities, in all rounds."""
    await conn.execute(SETTLE, district, campaign, parts)
    await conn.execute(FORGET, district, campaign, parts)
    for number, span in spans.items():
        await conn.execute(PARTS, district, campaign, number, span.begins, span.ends, span.zone.key, parts)
        for insert in (SUMS, DAY_SUMS):
            parameter = coverage_query.begun(span)
            where = f"{coverage_query.register('doors')} and {of_parts(parts, parameter)}"
            doors = await coverage_query.everywhere(conn, span, parameter, where)
            text = insert.format(round=f"{parameter(number)}::int", doors=doors)
            await conn.execute(text, *parameter.values)

"""Services on the leader's map: those to come, and those held on the days that are looked at, gathered as issues are.

All who read see them; nothing about who booked is told."""

from datetime import date, datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from asyncpg import Connection, Record
from msgspec import Struct

from surveys.counting import issue_query, map_layers
from surveys.counting.issue_query import Filters
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.people.scopes import Parameters
from surveys.refusals import InvalidFilter
from surveys.volunteering import service_lists
from surveys.volunteering.service_lists import ServiceItem

TOLD = 5  # services of one mark that are told by name; the lists have all


class ServiceMark(Struct, frozen=True, kw_only=True):
    """Services that lie together, in the middle of their places: `count` of them, of which `held` are over; those to
    come are told first, the soonest before the others, and then those held last."""

    lon: float
    lat: float
    count: int
    held: int
    services: list[ServiceItem]


class ServiceMarks(Struct, frozen=True, kw_only=True):
    """The services in view, and how many there are anywhere: `to_come` is null where a past day is looked at, `held` is
    from `first` to `last`, and `unplaced` of both are on no map."""

    at: datetime
    first: date
    last: date
    to_come: int | None
    held: int
    unplaced: int
    marks: list[ServiceMark]


# What is held lasted a day at most, so that the index by start finds it.
SHOWN = """
with shown as (
  select s.id, s.cell, s.lon, s.lat, s.starts_at, false as over from service s
  where s.district = $1 and s.state = 'announced' and s.ends_at > $2 and $3 {place}
  union all
  select s.id, s.cell, s.lon, s.lat, s.starts_at, true from service s
  where s.district = $1 and s.state = 'confirmed' and s.starts_at >= $4::timestamptz - interval '1 day'
    and s.starts_at < $5 and s.ends_at >= $4 and s.ends_at < $5 {place}
)
"""
COUNTED = """
select count(*) filter (where not over) as to_come, count(*) filter (where over) as held,
       count(*) filter (where cell is null) as unplaced
from shown
"""
GATHERED = """
, ranked as (
  select id, cell >> {shift} as part, count(*) over whole as count, count(*) filter (where over) over whole as held,
         avg(lon) over whole as lon, avg(lat) over whole as lat,
         row_number() over (partition by cell >> {shift}
           order by over, abs(extract(epoch from starts_at - $2)), id) as rank
  from shown where {box}
  window whole as (partition by cell >> {shift})
)
select id, part, count, held, lon, lat from ranked where rank <= {told} order by part, rank
"""


async def on_map(
    conn: Connection, reader: Reader, filters: Filters, zone: ZoneInfo, now: datetime, shift: int
) -> ServiceMarks:
    """The services in the box of the filters, gathered by cells of 2^shift Morton codes; the days are those of
    `visits_per_day`, and of the other filters only `community` and `street` narrow. Raises InvalidFilter and
    NotAllowed."""
    scopes.refuse_who_reads_nothing(reader)
    at = issue_query.moment(filters, zone, now).at
    first, last = map_layers.days(filters, at.astimezone(zone).date())
    since, until = issue_query.start_of(first, zone, "reported_from"), issue_query.end_of(last, zone, "reported_to")
    parameter = Parameters(reader.district, now, at >= now, since, until)
    shown = SHOWN.format(place=_place(filters, parameter))
    (counts,) = await conn.fetch(shown + COUNTED, *parameter.values)
    gathered = GATHERED.format(box=_box(filters, parameter), shift=parameter(shift), told=TOLD)
    rows = await conn.fetch(shown + gathered, *parameter.values)
    return ServiceMarks(
        at=at,
        first=first,
        last=last,
        to_come=counts["to_come"] if at >= now else None,
        held=counts["held"],
        unplaced=counts["unplaced"],
        marks=await _marks(conn, reader.district, rows),
    )


def _place(filters: Filters, parameter: Parameters) -> str:
    conditions = ""
    if filters.community:
        conditions += f" and s.community = any({parameter(list(filters.community))}::text[])"
    if filters.street:
        streets = parameter(list(filters.street))
        conditions += (
            " and s.community in (select c.code from community c"
            f" where c.district = $1 and c.street = any({streets}::text[]))"
        )
    return conditions


def _box(filters: Filters, parameter: Parameters) -> str:
    if filters.bbox is None:
        return "cell is not null"
    west, south, east, north = filters.bbox
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise InvalidFilter("bbox", expected="west,south,east,north")
    return (
        f"cell is not null and lon between {parameter(west)} and {parameter(east)}"
        f" and lat between {parameter(south)} and {parameter(north)}"
    )


async def _marks(conn: Connection, district: int, rows: list[Record]) -> list[ServiceMark]:
    items = await service_lists.of_ids(conn, district, [row["id"] for row in rows])
    marks = []
    for _, part in groupby(rows, key=lambda row: row["part"]):
        together = list(part)
        first = together[0]
        told = [items[row["id"]] for row in together]
        marks.append(
            ServiceMark(lon=first["lon"], lat=first["lat"], count=first["count"], held=first["held"], services=told)
        )
    return marks

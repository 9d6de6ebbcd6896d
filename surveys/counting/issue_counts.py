"""Issues as they are counted: all of them, gathered where they lie on a map, and by the values of a column.

They are counted in the columns that the process keeps (counting.md), and in the tables where there are none."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Literal, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from asyncpg import Connection
from msgspec import Struct

from maps.tiles import Range
from surveys.counting import column_rows, issue_masks, issue_query, issue_sums, shown_issues
from surveys.counting.issue_columns import NUMBERED
from surveys.counting.issue_masks import GROUPS
from surveys.counting.issue_query import GROUP, Filters, Moment, moment
from surveys.counting.issue_sums import Gathered
from surveys.counting.shown_issues import Shown
from surveys.issues.workflow import STATES, Group
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.people.scopes import Reach

DIGITS = 7  # of degrees, a centimetre: floating point that is added up in another order differs behind them


class Cluster(Struct, frozen=True, kw_only=True):
    """Issues that lie close together at a map's scale, counted by map group; one alone names its issue."""

    lon: float
    lat: float
    count: int
    reported: int
    in_hand: int
    overdue: int
    solved: int
    other: int
    issue: UUID | None
    number: str | None


# Issues are counted by group first and the groups are laid side by side afterwards: each issue's group is found once.
BY_GROUP = ",\n  ".join(
    f"coalesce(sum(count) filter (where group_name = '{group}'), 0)::bigint as {group}" for group in get_args(Group)
)

# Where what is seen lies, gathered by cells shifted by {shift}; one that lies alone is named.
CLUSTERS = f"""
, counted as (
  select cell >> {{shift}}::int as cell, {GROUP} as group_name, count(*) as count,
         sum(lon) as lon, sum(lat) as lat, min(number) as number
  from seen {{where}} group by 1, 2
), clusters as (
  select sum(lon) / sum(count) as lon, sum(lat) / sum(count) as lat, sum(count)::bigint as count,
  {BY_GROUP}, min(number) as number
  from counted group by cell
)
select c.*, case when count = 1 then (select id from issue i where i.district = $1 and i.number = c.number) end as issue
from clusters c
"""


# What issues are counted by: the values of a column, or the day in the district's zone.
Column = Literal[
    "community",
    "category",
    "department",
    "owner",
    "organisation",
    "state",
    "urgency",
    "channel",
    "asked",
    "certainty",
    "source",
    "reported_day",
    "due_day",
]
DAYS = {"reported_day": "reported_at", "due_day": "due_at"}
WORDS = {
    "state": STATES,
    "urgency": column_rows.URGENCIES,
    "channel": column_rows.CHANNELS,
    "asked": column_rows.ASKED,
    "certainty": column_rows.CERTAINTIES,
    "source": column_rows.ORIGINS,
}

BY = f"""
, counted as (
  select {{key}} as key, {GROUP} as group_name, count(*) as count, count(*) filter (where cell is null) as unplaced
  from seen group by 1, 2
)
select key, sum(count)::bigint as total, sum(unplaced)::bigint as unplaced,
  {BY_GROUP}
from counted group by key order by key
"""


async def total(conn: Connection, reader: Reader, filters: Filters, zone: ZoneInfo, now: datetime) -> int:
    """How many issues there are. Raises InvalidFilter, and NotAllowed for whoever reads no issues."""
    (count,) = await totals(conn, reader, [filters], zone, now)
    return count


async def totals(
    conn: Connection, reader: Reader, asked: Sequence[Filters], zone: ZoneInfo, now: datetime
) -> list[int]:
    """How many issues there are under each of these filters, as a board counts them. Raises InvalidFilter."""
    within = await scopes.reach(conn, reader)
    return [await of_moment(conn, within, one, zone, moment(one, zone, now)) for one in asked]


async def of_moment(conn: Connection, within: Reach, filters: Filters, zone: ZoneInfo, about: Moment) -> int:
    """How many issues there are for whoever reaches so much, at a moment. Raises InvalidFilter."""
    query = issue_query.query(within, filters, zone, about)
    found = await shown_issues.shown(conn, within, filters, zone, about)
    if found is not None:
        return await found.ask(issue_sums.total)
    count: int = await conn.fetchval(f"{query.text} select count(*) from seen", *query.parameters)
    return count


async def clusters(
    conn: Connection,
    reader: Reader,
    filters: Filters,
    zone: ZoneInfo,
    now: datetime,
    shift: int,
    cells: Range | None = None,
) -> list[Cluster]:
    """The placed issues gathered by cells of 2^shift Morton codes; those in a range of cells, if it is named. Raises
    InvalidFilter."""
    within = await scopes.reach(conn, reader)
    about = moment(filters, zone, now)
    if filters.placed is False:
        issue_query.query(within, filters, zone, about)
        return []  # what has no place is on no map
    filters = msgspec.structs.replace(filters, placed=True)
    query = issue_query.query(within, filters, zone, about)
    anywhere = msgspec.structs.replace(filters, placed=None)  # the cells say it
    found = await shown_issues.shown(conn, within, anywhere, zone, about, _looked_at(filters, cells))
    if found is not None:
        return _clusters(found, await found.ask(issue_sums.gathered, shift, cells))
    parameters = [*query.parameters, shift, *(cells or ())]
    at = len(query.parameters) + 1
    where = f"where cell between ${at + 1} and ${at + 2}" if cells else ""
    rows = await conn.fetch(query.text + CLUSTERS.format(shift=f"${at}", where=where), *parameters)
    return [_cluster(row) for row in rows]


def _looked_at(filters: Filters, cells: Range | None) -> Sequence[Range]:
    """The cells in which placed issues may lie."""
    if cells is not None:
        return [cells]
    return issue_masks.cells(filters) or [issue_sums.WHOLE]


def _clusters(found: Shown, gathered: Gathered) -> list[Cluster]:
    alone = np.flatnonzero(gathered.counts == 1)
    rows = gathered.row[alone]
    names = dict(
        zip(
            alone.tolist(),
            zip(found.columns.ids(rows), found.state.issues["number"][rows].tolist(), strict=True),
            strict=True,
        )
    )
    return [
        Cluster(
            lon=lon,
            lat=lat,
            count=count,
            issue=names[at][0] if at in names else None,
            number=str(names[at][1]) if at in names else None,
            **dict(zip(GROUPS, groups, strict=True)),
        )
        for at, (lon, lat, count, groups) in enumerate(
            zip(
                np.round(gathered.lon, DIGITS).tolist(),
                np.round(gathered.lat, DIGITS).tolist(),
                gathered.counts.tolist(),
                gathered.by_group.tolist(),
                strict=True,
            )
        )
    ]


def _cluster(row: Any) -> Cluster:
    return Cluster(
        lon=round(row["lon"], DIGITS),
        lat=round(row["lat"], DIGITS),
        count=row["count"],
        reported=row["reported"],
        in_hand=row["in_hand"],
        overdue=row["overdue"],
        solved=row["solved"],
        other=row["other"],
        issue=row["issue"],
        number=str(row["number"]) if row["issue"] else None,
    )


class Count(Struct, frozen=True, kw_only=True):
    """How many issues stand where in their lives; the groups add up to `total`."""

    community: str | None
    reported: int
    in_hand: int
    overdue: int
    solved: int
    other: int
    total: int
    unplaced: int


class Tally(Struct, frozen=True, kw_only=True):
    """How many issues have one value of a column, None for those that have none; the groups add up to `total`."""

    key: str | UUID | date | None
    reported: int
    in_hand: int
    overdue: int
    solved: int
    other: int
    total: int
    unplaced: int


async def by_community(
    conn: Connection, reader: Reader, filters: Filters, zone: ZoneInfo, now: datetime
) -> list[Count]:
    """The issues counted by community, those in none under None. Raises InvalidFilter."""
    tallies = await by(conn, reader, filters, "community", zone, now)
    return [
        Count(
            community=str(one.key) if one.key is not None else None,
            **{name: getattr(one, name) for name in (*GROUPS, "total", "unplaced")},
        )
        for one in tallies
    ]


async def by(
    conn: Connection, reader: Reader, filters: Filters, column: Column, zone: ZoneInfo, now: datetime
) -> list[Tally]:
    """The issues counted by the values of a column, in their order, those with none last. Raises InvalidFilter."""
    within = await scopes.reach(conn, reader)
    about = moment(filters, zone, now)
    query = issue_query.query(within, filters, zone, about)
    found = await shown_issues.shown(conn, within, filters, zone, about)
    if found is not None:
        return await _tallies(found, column, zone)
    parameters, key = list(query.parameters), str(column)
    if column in DAYS:
        parameters.append(zone.key)
        key = f"({DAYS[column]} at time zone ${len(parameters)})::date"
    rows = await conn.fetch(query.text + BY.format(key=key), *parameters)
    return [Tally(**row) for row in rows]


async def _tallies(found: Shown, column: Column, zone: ZoneInfo) -> list[Tally]:
    keys: list[Any]
    if column in DAYS:
        keys, counts, unplaced = await found.ask(issue_sums.by_day, DAYS[column], zone)
    else:
        keys = [None, *WORDS[column]] if column in WORDS else list(found.columns.numbers[NUMBERED[column]].values)
        counts, unplaced = await found.ask(issue_sums.by, column, len(keys))
    tallies = [
        Tally(key=key, total=sum(groups), unplaced=without, **dict(zip(GROUPS, groups, strict=True)))
        for key, groups, without in zip(keys, counts.tolist(), unplaced.tolist(), strict=True)
        if any(groups)
    ]
    return sorted(tallies, key=lambda one: (one.key is None, one.key or ""))

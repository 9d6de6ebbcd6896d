"""The rates of issues, by whatever they are broken down: how many were answered, solved and found satisfactory, how
often they went astray, and how long they took. surveys/counting/rates.md says what each figure counts.

They count what the one query shows, so that behind each figure there is the list that the same filters open."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, time
from functools import partial
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import numpy.typing as npt
from asyncpg import Connection
from msgspec import Struct

from surveys.counting import column_rows, issue_query, rate_sums, rate_terms, rate_weights, shown_issues
from surveys.counting.issue_query import Filters, Moment, Query, moment, seen
from surveys.counting.issue_views import microseconds
from surveys.counting.rate_breakdowns import BREAKDOWNS as BREAKDOWNS
from surveys.counting.rate_breakdowns import COLUMNS, in_month
from surveys.counting.rate_breakdowns import By as By
from surveys.counting.rate_sums import Parted, Sums
from surveys.counting.rate_terms import RATES, TERMS, Rate
from surveys.counting.rate_weights import Weights
from surveys.counting.shown_issues import Shown
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.refusals import InvalidFilter


class Share(Struct, frozen=True):
    """How many of how many; there is no rate of nothing."""

    numerator: int
    denominator: int

    @property
    def rate(self) -> float | None:
        """The numerator's share of the denominator."""
        return self.numerator / self.denominator if self.denominator else None


class Hours(Struct, frozen=True, kw_only=True):
    """How long it took from the report to the last resolution, by the clock on the wall, of what is resolved; by the
    nearest rank, so that each is the time of an issue."""

    median: float | None
    p90: float | None
    count: int


class Row(Struct, frozen=True, kw_only=True):
    """The figures of one part of what was asked about, which a list shows under `filters`; None is the key of what
    belongs to none. `part_of` is the key of the row, or of the kind of row, that this one is part of."""

    key: str | None
    name: str | None
    part_of: str | None
    filters: Filters
    shares: Mapping[Rate, Share]
    hours: Hours | None
    index: float | None = None  # None while one of the rates that have weight is not there


class Rates(Struct, frozen=True, kw_only=True):
    """What was asked about, at a moment and as it was known at another; and the weights that held then."""

    rows: Sequence[Row]
    at: datetime
    known_at: datetime
    weights: Weights


_Part: TypeAlias = tuple[str | None, str | None, str | None]  # key, name, what it is part of

# Counted first by what the issues are parted by, in one pass that two processors share; what those parts are called,
# and which others they are counted in, is looked up for some hundreds of sums.
COUNTED = """
, counted as materialized (
  select {column} as value, {counts}{took}
  from {source} group by 1
), parts(key, name, part_of, {names}{took_name}) as materialized (
  select {row}, {of_parts}{took_of_part} from counted c {joined}
), summed as (
  select key, min(name) as name, min(part_of) as part_of, {sums}
  from parts group by key
)
"""
SHARES = "select * from summed order by key nulls last"
SHARES_AND_HOURS = """
select summed.*, h.count as took_count, h.took
from summed left join lateral (
  select count(*), percentile_disc(array[0.5, 0.9]) within group (order by took_s) as took
  from parts p, unnest(p.took) took_s where p.key is not distinct from summed.key
) h on true
order by key nulls last
"""

_NAMES = [name for rate in RATES for name in (f"{rate}_of", rate)]
_CONDITIONS = [rate_terms.packed(facts) for rate in RATES for facts in (TERMS[rate].denominator, TERMS[rate].numerator)]

# The present has its facts in columns; the past is what each span says.
OF_PAST = f"""(
  select *, {rate_terms.OUTCOME} as outcome, {rate_terms.DUE_FROM} as due_from, {rate_terms.TOOK_S} as took_s
  from seen) seen"""


# One pass over an index that is read again and again, and so lies in memory: to jump about in it costs little more than
# to go on.
IN_MEMORY = "select set_config('random_page_cost', '1.1', true)"


async def by(
    conn: Connection,
    reader: Reader,
    filters: Filters,
    parted: By,
    zone: ZoneInfo,
    now: datetime,
    *,
    hours: bool = True,
) -> Rates:
    """The rates of the issues that the reader sees under these filters, broken down; with how many hours they took, if
    asked. Raises InvalidFilter, and NotAllowed for whoever reads no issues."""
    (found,) = await by_each(conn, reader, filters, [parted], zone, now, hours=[parted] if hours else [])
    return found


async def by_each(
    conn: Connection,
    reader: Reader,
    filters: Filters,
    ways: Sequence[By],
    zone: ZoneInfo,
    now: datetime,
    *,
    hours: Collection[By] = (),
) -> list[Rates]:
    """The same broken down in each of several ways, with hours in some: the issues are looked through once for all of
    them, where they are kept in columns. Raises InvalidFilter, and NotAllowed for whoever reads no issues."""
    if filters.rate is not None or filters.met is not None:
        raise InvalidFilter("rate" if filters.rate else "met", expected="–")
    about = moment(filters, zone, now)
    known_at = about.known_at or now
    asked = filters if about.known_at is None else msgspec.structs.replace(filters, known_at=known_at)
    within = await scopes.reach(conn, reader)
    query = issue_query.query(within, filters, zone, about)
    shown = await shown_issues.shown(conn, within, filters, zone, about)
    if shown is not None:
        found = await _in_columns(conn, shown, asked, ways, hours)
    else:
        found = [await _in_tables(conn, reader, query, asked, one, zone, hours=one in hours) for one in ways]
    weights = await rate_weights.in_force(conn, reader.district, about.at)
    return [
        Rates(
            rows=[
                msgspec.structs.replace(row, index=index(row.shares, weights))
                for row in await _whole(conn, reader, filters, parted, rows)
            ],
            at=about.at,
            known_at=known_at,
            weights=weights,
        )
        for parted, rows in zip(ways, found, strict=True)
    ]


async def _in_tables(
    conn: Connection, reader: Reader, query: Query, filters: Filters, parted: By, zone: ZoneInfo, *, hours: bool
) -> list[Row]:
    """The rows as the database counts them."""
    await conn.execute(IN_MEMORY)
    if parted == "month" and query.moment.known_at is None:
        return await _months_of_the_present(conn, reader, filters, zone, query.moment, hours=hours)
    months = await _months(conn, reader.district, zone) if parted == "month" else []
    rows = await conn.fetch(*_question(query, parted, months, hours=hours))
    return [_row(row, _key(row, months), parted, filters) for row in rows]


# What the values of a column are called, and what they are part of.
NAMES = "select c.value, {row} from unnest($2::{kind}[]) c(value) {joined} where $1::int is not null"


async def _in_columns(
    conn: Connection, shown: Shown, filters: Filters, ways: Sequence[By], hours: Collection[By]
) -> list[list[Row]]:
    """The rows of each way as they are counted in the columns that the process keeps."""
    named = [await _parted(conn, shown, one, hours=one in hours) for one in ways]
    counted = await shown.ask(partial(rate_sums.sums, ways=[how for how, _ in named]))
    return [_rows_of(parts, sums, one, filters) for one, (_, parts), sums in zip(ways, named, counted, strict=True)]


async def _parted(conn: Connection, shown: Shown, parted: By, *, hours: bool) -> tuple[Parted, list[_Part]]:
    """How issues make parts, and what these are called."""
    if parted != "month":
        return await _named(conn, shown, parted, hours=hours)
    months = await _months(conn, shown.columns.district, shown.zone)
    begins = [microseconds(month) for month in months]
    layer = np.arange(-1, len(months), dtype=np.int32)
    return (
        Parted("reported_at", [layer], len(months), begins, hours=hours),
        [(f"{month:%Y-%m}", None, None) for month in months],
    )


async def _named(conn: Connection, shown: Shown, parted: By, *, hours: bool) -> tuple[Parted, list[_Part]]:
    """How the values of a column make parts, and what these are called."""
    breakdown = BREAKDOWNS[parted]
    column = COLUMNS[parted]
    values: Sequence[Any] = [None]
    if column is not None:
        values = [None, *column_rows.CHANNELS] if column == "channel" else list(shown.columns.numbers[column].values)
    asked = NAMES.format(
        row=breakdown.row, joined=breakdown.joined, kind="uuid" if column == "organisation" else "text"
    )
    numbers = {value: at for at, value in enumerate(values)}
    parts: dict[str | None, _Part] = {}
    layers: list[npt.NDArray[np.int32]] = []
    places: dict[str | None, int] = {}
    taken = Counter[Any]()
    for value, *part in await conn.fetch(asked, shown.columns.district, values):
        key = part[0]
        parts.setdefault(key, (part[0], part[1], part[2]))
        at = places.setdefault(key, len(places))
        if taken[value] == len(layers):
            layers.append(np.full(len(values), -1, np.int32))
        layers[taken[value]][numbers[value]] = at
        taken[value] += 1
    return Parted(column, layers, len(places), hours=hours), list(parts.values())


def _rows_of(parts: Sequence[_Part], counted: Sums, parted: By, filters: Filters) -> list[Row]:
    rows = [_row_of(part, counted, at, parted, filters) for at, part in enumerate(parts) if counted.issues[at]]
    return sorted(rows, key=lambda row: (row.key is None, row.key or ""))


def _row_of(part: _Part, counted: Sums, at: int, parted: By, filters: Filters) -> Row:
    key, name, part_of = part
    shares = counted.shares[at].tolist()
    hours = None
    if counted.took is not None:
        number, median, p90 = counted.took[at].tolist()
        hours = Hours(median=median / 3_600 if number else None, p90=p90 / 3_600 if number else None, count=number)
    return Row(
        key=key,
        name=name,
        part_of=part_of,
        filters=BREAKDOWNS[parted].narrow(filters, key),
        shares={rate: Share(shares[2 * at + 1], shares[2 * at]) for at, rate in enumerate(RATES)},
        hours=hours,
    )


async def _months_of_the_present(
    conn: Connection, reader: Reader, filters: Filters, zone: ZoneInfo, about: Moment, *, hours: bool
) -> list[Row]:
    """Month by month: PostgreSQL cannot know how few months there are, and would not share the work of one pass. The
    past is gone through once all the same, for its spans are in no order of months."""
    found = []
    for month in await _months(conn, reader.district, zone):
        narrowed = in_month(filters, f"{month:%Y-%m}")
        query = await seen(conn, reader, narrowed, zone, about)
        rows = await conn.fetch(*_question(query, "district", [], hours=hours))
        found += [_row(row, f"{month:%Y-%m}", "month", filters) for row in rows]
    return found


def _question(query: Query, parted: By, months: Sequence[datetime], *, hours: bool) -> tuple[Any, ...]:
    breakdown = BREAKDOWNS[parted]
    parameters = list(query.parameters)
    column = breakdown.column
    if parted == "month":
        parameters.append(months)
        column = column.format(months=f"${len(parameters)}::timestamptz[]")
    counted = COUNTED.format(
        column=column,
        counts=", ".join(
            f"count(*) filter (where {condition}) as {name}"
            for condition, name in zip(_CONDITIONS, _NAMES, strict=True)
        ),
        took=", array_agg(took_s) filter (where took_s is not null and outcome & 1 = 1) as took" if hours else "",
        took_name=", took" if hours else "",
        took_of_part=", c.took" if hours else "",
        source="seen" if query.moment.known_at is None else OF_PAST,
        names=", ".join(_NAMES),
        row=breakdown.row,
        of_parts=", ".join(f"c.{name}" for name in _NAMES),
        joined=breakdown.joined,
        sums=", ".join(f"sum({name})::bigint as {name}" for name in _NAMES),
    )
    return query.text + counted + (SHARES_AND_HOURS if hours else SHARES), *parameters


ENDS = "select min(reported_at), max(reported_at) from issue where district = $1"


async def _months(conn: Connection, district: int, zone: ZoneInfo) -> list[datetime]:
    """The beginnings of all months from the district's first report to its last, in its zone."""
    (ends,) = await conn.fetch(ENDS, district)
    first, last = ((end or datetime(2000, 1, 1, tzinfo=zone)).astimezone(zone) for end in ends)
    numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [datetime.combine(date(number // 12, number % 12 + 1, 1), time(), zone) for number in numbers]


def _key(row: Any, months: Sequence[datetime]) -> str | None:
    return f"{months[int(row['key']) - 1]:%Y-%m}" if months else row["key"]


def _row(row: Any, key: str | None, parted: By, filters: Filters) -> Row:
    return Row(
        key=key,
        name=row["name"] if parted != "month" else None,
        part_of=row["part_of"],
        filters=BREAKDOWNS[parted].narrow(filters, key),
        shares={rate: Share(row[rate], row[f"{rate}_of"]) for rate in RATES},
        hours=_hours(row) if "took_count" in row.keys() else None,  # noqa: SIM118 - a row's values are what `in` asks
    )


def _hours(row: Any) -> Hours:
    median, p90 = ((seconds / 3_600) for seconds in row["took"]) if row["took"] else (None, None)
    return Hours(median=median, p90=p90, count=row["took_count"])


def index(shares: Mapping[Rate, Share], weights: Weights) -> float | None:
    """The mean of the three rates by their weights; None where one that counts is not there, for the rest would then
    be compared with what others have of all three."""
    parts = [
        (shares["response"].rate, weights.response),
        (shares["resolution"].rate, weights.resolution),
        (shares["satisfaction"].rate, weights.satisfaction),
    ]
    weighed = [(rate, weight) for rate, weight in parts if weight]
    rates = [rate * weight for rate, weight in weighed if rate is not None]
    return sum(rates) / sum(weight for _, weight in weighed) if len(rates) == len(weighed) else None


PARENTS = "select code, parent from category where district = $1"


async def _whole(conn: Connection, reader: Reader, filters: Filters, parted: By, rows: Sequence[Row]) -> Sequence[Row]:
    """Without the groups of which only some categories were asked for: the list of such a group shows them all."""
    if parted != "category" or not filters.category:
        return rows
    covered: dict[str, set[str]] = {}
    for code, parent in await conn.fetch(PARENTS, reader.district):
        covered.setdefault(code, set()).add(code)
        if parent:
            covered.setdefault(parent, set()).add(code)
    asked = set().union(*(covered.get(code, set()) for code in filters.category))
    return [row for row in rows if row.key and covered[row.key] <= asked]

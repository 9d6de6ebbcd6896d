"""Coverage: how many doors of a campaign were visited, by whatever they are broken down; with the register as what they
are a share of. surveys/coverage/coverage.md says what each figure counts.

It is derived from the visits. What was summed up before is used where nothing has changed under it since; the rest is
counted anew, so that a figure is always that of its list."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.coverage import coverage_query, coverage_reach, coverage_sums
from surveys.coverage.coverage_query import Asked, Filters, Query, only
from surveys.coverage.coverage_sums import Kept
from surveys.coverage.coverage_terms import COUNTS, COUNTS_OF_DAY, DAYS, SUMMED, Figure
from surveys.people.scopes import Parameters
from surveys.refusals import InvalidFilter

By = Literal["community", "street", "organisation", "member", "kind", "day"]


class Row(Struct, frozen=True, kw_only=True):
    """The figures of one part of the doors; None is the key of what belongs to none, and `part_of` that of the row, or
    kind of row, that this one is part of. The list shows the part under the filter that the breakdown is called by."""

    key: str | None
    name: str | None
    part_of: str | None
    counts: Mapping[Figure, int]


class Coverage(Struct, frozen=True, kw_only=True):
    """What was asked about, part by part and as a whole."""

    asked: Asked
    rows: Sequence[Row]
    total: Row


class _Breakdown(Struct, frozen=True):
    """How doors are parted: a column, and a part's name and what it is part of, for each value of it, `c.value`, with
    what `joined` adds."""

    column: str
    row: str
    joined: str


BREAKDOWNS: Mapping[By | None, _Breakdown] = {
    None: _Breakdown("null::text", "null::text, null::text, null::text", ""),
    "community": _Breakdown(
        "community",
        "c.value, m.name, m.street",
        "left join community m on m.district = $1 and m.code = c.value",
    ),
    "street": _Breakdown(
        "community",
        "s.code, s.name, null::text",
        "left join community m on m.district = $1 and m.code = c.value"
        " left join street s on s.district = $1 and s.code = m.street",
    ),
    "organisation": _Breakdown(
        "organisation",
        "c.value::text, o.name, o.parent::text",
        "left join organisation o on o.district = $1 and o.id = c.value",
    ),
    "member": _Breakdown(
        "member",
        "c.value::text, m.name, m.organisation::text",
        "left join member m on m.district = $1 and m.id = c.value",
    ),
    "kind": _Breakdown("kind", "c.value, null::text, null::text", ""),
    "day": _Breakdown("value", "c.value::text, null::text, null::text", ""),
}

PARTED = """
with counted(value, {names}) as ({counted}), parts(key, name, part_of, {names}) as (
  select {row}, {of_parts} from counted c {joined}
)
select key, min(name) as name, min(part_of) as part_of, {sums} from parts group by key order by key nulls last
"""
_NAMES = ", ".join(SUMMED)

# One pass over indexes that are read again and again, and so lie in memory.
IN_MEMORY = "select set_config('random_page_cost', '1.1', true)"


async def by(conn: Connection, about: Asked, parted: By, *, anew: bool = False) -> Coverage:
    """The coverage of what is asked about, broken down; with `anew` as if nothing had been summed up. Raises
    InvalidFilter for filters of a list."""
    for name in ("state", "figure", "day", "bbox"):
        if getattr(about.filters, name) != getattr(Filters(), name):
            raise InvalidFilter(name, expected="–")
    await conn.execute(IN_MEMORY)
    kept = coverage_sums.NOTHING if anew else await coverage_sums.usable(conn, about)
    rows = [_row(row) for row in await _counted(conn, about, parted, kept)]
    if parted == "day":  # of which each is a share of all doors, visited or not; those have no day
        total = next((row for row in rows if row.key is None), _sum([]))
        rows = [_with(row, "doors", total.counts["doors"]) for row in rows if row.key is not None]
    else:
        total = _sum(rows)
    proposed = await _listed(conn, coverage_query.asking(about, only(about.filters, figure="proposed")))
    return Coverage(asked=about, rows=rows, total=_with(total, "proposed", proposed))


async def total(conn: Connection, about: Asked) -> int:
    """How many doors the list of what is asked about shows."""
    filters = about.filters
    if filters.state or filters.day or filters.bbox or filters.figure == "proposed":
        return await _listed(conn, about)
    whole = await _counted(conn, about, None, await coverage_sums.usable(conn, about))
    return _row(whole[0]).counts[filters.figure] if whole else 0


async def _listed(conn: Connection, about: Asked) -> int:
    query = await coverage_query.doors(conn, about)
    counted: int = await conn.fetchval(f"select count(*) from {query.text}", *query.parameter.values)
    return counted


async def _counted(conn: Connection, about: Asked, parted: By | None, kept: Kept) -> list[Any]:
    """What is counted anew, and what was summed up of the communities in `kept`, together."""
    if parted == "day" and (about.filters.organisation or about.filters.member):
        kept = coverage_sums.NOTHING  # days are not summed up by who holds the doors
    about = coverage_query.asking(about, only(about.filters, figure="doors"))
    parameter = coverage_query.begun(about.span)
    sources = [
        _anew(await coverage_query.doors(conn, about, parameter=parameter, reached=reached, besides=besides), parted)
        for reached, besides in _uncounted(about, parted, kept, parameter)
    ]
    if kept.parts:
        sources.append(_summed(about, parted, kept, parameter))
    breakdown = BREAKDOWNS[parted]
    text = PARTED.format(
        names=_NAMES,
        counted=" union all ".join(sources),
        row=breakdown.row,
        of_parts=", ".join(f"c.{name}" for name in SUMMED),
        joined=breakdown.joined,
        sums=", ".join(f"sum({name})::int as {name}" for name in SUMMED),
    )
    found: list[Any] = await conn.fetch(text, *parameter.values)
    return found


def _uncounted(about: Asked, parted: By | None, kept: Kept, parameter: Parameters) -> Iterator[tuple[str, str]]:
    """What is to be counted anew: how it is reached, and where it lies."""
    if not kept.parts:
        yield "", "true"
        return
    if kept.lacking:
        yield "", coverage_sums.of_parts(kept.lacking, parameter)
    if not about.ways.district:
        beside = coverage_reach.beside_sums(about.ways, parameter, days=parted == "day")
        yield beside, coverage_sums.of_parts(kept.parts, parameter)


def _anew(query: Query, parted: By | None) -> str:
    if parted == "day":
        return f"select value, {COUNTS_OF_DAY} from {query.text} {DAYS} group by value"
    return f"select {BREAKDOWNS[parted].column}, {COUNTS} from {query.text} group by 1"


def _summed(about: Asked, parted: By | None, kept: Kept, parameter: Parameters) -> str:
    where = " and ".join(
        [
            "district = $1 and campaign = $2",
            f"round = {parameter(about.round.number)} and part = any({parameter(kept.parts)}::text[])",
            coverage_reach.of_sums(about.ways, parameter, days=parted == "day"),
            *coverage_query.narrowed(about, parameter),
        ]
    )
    sums = ", ".join(f"sum({name})::int" for name in SUMMED)
    if parted == "day":
        of_days = f"select day, {sums} from coverage_day_sum where {where} group by 1"
        return f"{of_days} union all select null::date, {sums} from coverage_sum where {where} group by 1"
    return f"select {BREAKDOWNS[parted].column}, {sums} from coverage_sum where {where} group by 1"


def _row(row: Any) -> Row:
    counts: dict[Figure, int] = {figure: row[figure] for figure in SUMMED}
    return Row(key=row["key"], name=row["name"], part_of=row["part_of"], counts=_complete(counts))


def _complete(counts: dict[Figure, int]) -> Mapping[Figure, int]:
    return counts | {"not_yet": counts["doors"] - counts["visited"]}


def _sum(rows: Sequence[Row]) -> Row:
    counts: dict[Figure, int] = {figure: sum(row.counts[figure] for row in rows) for figure in SUMMED}
    return Row(key=None, name=None, part_of=None, counts=_complete(counts))


def _with(row: Row, figure: Figure, count: int) -> Row:
    return msgspec.structs.replace(row, counts={**row.counts, figure: count})

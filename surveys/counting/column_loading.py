"""How a district's columns come out of the database: all at once, out of one snapshot; and what changed since then.

Every change of an issue appends to the history in its own transaction, which the history names in `written_in`. What
was written by transactions that an earlier snapshot did not see is therefore what changed since, exactly: also what
was begun before and committed after, and never what was rolled back."""

from collections.abc import Callable

from anyio import to_thread
from asyncpg import Connection
from msgspec import Struct

from surveys.counting import column_rows
from surveys.counting.column_numbers import Numbers
from surveys.counting.column_rows import Layout
from surveys.counting.issue_columns import Arrays, Columns, Rows, Snapshot, decoded, decoded_spans

MOST_EVENTS = 20_000  # more since the last look are not followed: the columns are loaded anew
AT_A_TIME = 8_000_000  # bytes that are decoded at once

WRITING = """(select (regexp_match(pg_get_expr(d.adbin, d.adrelid), '\\d+'))[1]::int
  from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
  where d.adrelid = 'history'::regclass and a.attname = 'epoch')"""
BEGINNING = f"select pg_current_snapshot()::text as snapshot, {WRITING} as epoch"

# The texts of columns with the keys that stand for them, as column_rows makes them.
WORDS = """
select 'community' as name, code, hashtextextended(code, 0) as key from community where district = $1
union all select 'department', code, hashtextextended(code, 0) from department where district = $1
union all select 'category', code, hashtextextended(code, 0) from category where district = $1
"""
CONSULTED = """
select consulted, hash_array_extended(consulted, 0) as key from {0} where district = $1 and consulted is not null
group by consulted
"""

SIZE = """
select (select count(*) from issue where district = $1) as issues,
  case when $2 then (select count(*) from issue_spans where district = $1) else 0 end as spans
"""

FOLLOW = f"""
with told as materialized (
  select h.kind, h.thing from history h
  where h.district = $1 and h.epoch = $2 and h.kind in ('issue', 'erasure')
    and (h.written_in >= $3{{or_ended}})
  limit {MOST_EVENTS}
), changed as materialized (
  select distinct thing from told where kind = 'issue'
)
select pg_current_snapshot()::text as snapshot, pg_current_xact_id_if_assigned() is not null as writes,
  {WRITING} as epoch, (select count(*) from told) as events,
  exists (select from told where kind = 'erasure') as erased,
  (select string_agg({column_rows.sent(column_rows.ISSUE)}, '') from issue
    where district = $1 and id = any(array(select thing from changed))) as issues,
  (select string_agg({column_rows.sent(column_rows.SPAN)}, '') from issue_spans
    where $4 and district = $1 and issue = any(array(select thing from changed))) as spans
"""


# Those that were under way then and have ended since; seldom are there any.
OR_ENDED = """ or h.written_in = any(array(
      select one from unnest($5::bigint[]) one where pg_visible_in_snapshot(one::text::xid8, pg_current_snapshot())))"""


class Size(Struct, frozen=True):
    """How many issues and spans a district has."""

    issues: int
    spans: int


class Changes(Struct, frozen=True, kw_only=True):
    """What was committed since an earlier snapshot: issues as they stand, and all their spans."""

    snapshot: Snapshot
    epoch: int
    writes: bool  # whether the transaction that asks has written something itself, which no snapshot tells of
    too_many: bool
    erased: bool
    issues: Rows
    spans: Rows | None


async def size(conn: Connection, district: int, *, spans: bool) -> Size:
    """How many rows there are to load."""
    (row,) = await conn.fetch(SIZE, district, spans)
    return Size(**row)


async def load(conn: Connection, district: int, *, spans: bool) -> Columns:
    """All of a district's issues, with their spans if asked. Raises TooManyValues."""
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        (beginning,) = await conn.fetch(BEGINNING)
        numbers = {name: Numbers() for name in ("person", "organisation", *_WORDED)}
        await learn(conn, district, numbers)
        found = Columns(district, Snapshot.read(beginning["snapshot"]), beginning["epoch"], numbers)
        issues = await _read(conn, column_rows.ISSUES, "issue", district, lambda rows: decoded(rows, numbers))
        lives = None
        if spans:
            lives = await _read(
                conn, column_rows.SPANS, "issue_spans", district, lambda rows: decoded_spans(rows, numbers)
            )
    await to_thread.run_sync(found.fill, issues, lives)
    return found


_WORDED = ("community", "department", "category", "consulted")


async def learn(conn: Connection, district: int, numbers: dict[str, Numbers]) -> None:
    """Give numbers to all texts that columns may have."""
    rows = await conn.fetch(WORDS, district)
    for name in ("community", "department", "category"):
        numbers[name].add((row["key"], row["code"]) for row in rows if row["name"] == name)
    for table in ("issue", "issue_spans"):
        asked = await conn.fetch(CONSULTED.format(table), district)
        numbers["consulted"].add((row["key"], tuple(row["consulted"])) for row in asked)


async def _read(
    conn: Connection, layout: Layout, table: str, district: int, decode: Callable[[Rows], Arrays]
) -> list[Arrays]:
    """A table's rows of a district, decoded part by part while they come."""
    question = f"select {column_rows.listed(layout.fields)} from {table} where district = {district:d}"
    parts: list[Arrays] = []
    waiting = bytearray()
    begun = False

    async def take(written: bytes) -> None:
        nonlocal begun
        waiting.extend(written)
        if not begun:
            del waiting[: column_rows.SIGNATURE]
            begun = True
        if len(waiting) >= AT_A_TIME:
            await turn()

    async def turn() -> None:
        whole = len(waiting) // layout.copied.itemsize * layout.copied.itemsize
        rows = layout.of_copy(bytes(waiting[:whole]))
        del waiting[:whole]
        parts.append(await to_thread.run_sync(decode, rows))

    await conn.copy_from_query(question, output=take, format="binary")
    await turn()
    return parts


async def changes(conn: Connection, columns: Columns) -> Changes:
    """What was committed since the columns' snapshot, as this statement sees it."""
    since = columns.snapshot
    spans = columns.spans is not None
    asked = columns.district, columns.epoch, since.until, spans, *([sorted(since.running)] if since.running else [])
    (row,) = await conn.fetch(FOLLOW.format(or_ended=OR_ENDED if since.running else ""), *asked)
    return Changes(
        snapshot=Snapshot.read(row["snapshot"]),
        epoch=row["epoch"],
        writes=row["writes"],
        too_many=row["events"] >= MOST_EVENTS,
        erased=row["erased"],
        issues=column_rows.ISSUES.of_value(row["issues"]),
        spans=column_rows.SPANS.of_value(row["spans"]) if spans else None,
    )

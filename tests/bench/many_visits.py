"""Visits by the hundred thousand, with their problems, lives, texts and history: those that the program has filed,
written again under other ids by a few set-based statements, as the role that owns the tables."""

import time

import asyncpg

from surveys import history
from surveys.issues import issues
from tests.bench.district import DISTRICT

SAMPLES = 5_000  # visits of the program's own that are written again
AT_ONCE = 20  # copies of each in one statement

CHOOSE = """
create temporary table chosen as
select v.id, row_number() over () as nth from visit v where v.district = $1 and not exists (
  select from visit_flag f where f.district = v.district and f.visit = v.id)
limit $2
"""
THINGS = """
create temporary table things as
select id from chosen
union all select i.id from issue i join chosen c on c.id = i.visit where i.district = $1
"""

# A copy's ids are made of the first one's and the copy's number, so that what belongs together finds each other.
NEW = "md5({column}::text || copy)::uuid"

# The tables of a visit, in the order in which they may be written: their columns that hold ids, and which rows of
# them are its own.
COPIED = {
    "visit": (("id",), "t.id in (select id from chosen)"),
    "issue": (("id", "visit"), "t.visit in (select id from chosen)"),
    "issue_spans": (("issue",), "t.issue in (select id from things)"),
    "text_version": (("subject",), "t.subject in (select id from things)"),
    "history": (("id", "thing"), "t.thing in (select id from things)"),
}


async def write(dsn: str, count: int) -> float:
    """Write so many visits beside those that there are; returns the seconds it took."""
    started = time.perf_counter()
    conn = await asyncpg.connect(dsn)
    try:
        async with conn.transaction():
            await _write(conn, count)
    finally:
        await conn.close()
    return time.perf_counter() - started


async def _write(conn: asyncpg.Connection, count: int) -> None:
    await conn.execute("set local synchronous_commit = off")
    await conn.execute(CHOOSE, DISTRICT, SAMPLES)
    await conn.execute(THINGS, DISTRICT)
    await conn.execute("analyze chosen, things")
    chosen: int = await conn.fetchval("select count(*) from chosen")
    statements = [await _statement(conn, table) for table in COPIED]
    copies = -(-count // chosen)
    for first in range(1, copies + 1, AT_ONCE):
        for statement in statements:
            await conn.execute(statement, DISTRICT, first, min(first + AT_ONCE - 1, copies))


async def _statement(conn: asyncpg.Connection, table: str) -> str:
    ids, own = COPIED[table]
    columns = await _columns(conn, table)
    values = [_value(table, column, ids) for column in columns]
    return (
        f"insert into {table} ({', '.join(columns)}) select {', '.join(values)}"
        f" from {table} t cross join generate_series($2::int, $3::int) copy where t.district = $1 and {own}"
    )


def _value(table: str, column: str, ids: tuple[str, ...]) -> str:
    if column in ids:
        return NEW.format(column=f"t.{column}")
    if (table, column) == ("issue", "number"):
        return "t.number + 20000000 * copy::bigint"  # the bare loop begins at ten million
    return f"t.{column}"


async def _columns(conn: asyncpg.Connection, table: str) -> list[str]:
    """The columns that are written; the database computes the others."""
    if table == "history":
        return list(history.COLUMNS)
    if table == "issue":
        return [column.strip() for column in issues.ROW.split(",")]
    rows = await conn.fetch(
        "select column_name from information_schema.columns where table_schema = 'public' and table_name = $1"
        " and is_generated = 'NEVER' and identity_generation is null order by ordinal_position",
        table,
    )
    return [row["column_name"] for row in rows]

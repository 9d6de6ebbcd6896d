"""The ceilings of filing: the rows that the program itself has written, written once more with nothing around it.

A visit with its issues is read back from the tables, given new ids, and inserted by a bare asyncpg loop, or copied
into temporary tables and inserted from there.
"""

import asyncio
import itertools
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from surveys import history
from surveys.issues import issues
from tests.bench.district import DISTRICT

# The tables of a visit in the order in which they may be written, and the columns that hold ids of its own.
TABLES = {
    "visit": ("id",),
    "issue": ("id", "visit"),
    "issue_spans": ("issue",),
    "text_version": ("subject",),
    "history": ("id", "thing"),
}
OF_VISIT = {
    "visit": "select * from visit where district = $1 and id = $2",
    "issue": f"select {issues.ROW} from issue where district = $1 and visit = $2 order by id",
    "issue_spans": "select s.* from issue_spans s join issue i on (i.district, i.id) = (s.district, s.issue)"
    " where i.district = $1 and i.visit = $2",
    "text_version": "select * from text_version where district = $1 and (subject = $2 or subject in"
    " (select id from issue where district = $1 and visit = $2))",
    "history": f"select {', '.join(history.COLUMNS)} from history where district = $1 and (thing = $2 or thing in"
    " (select id from issue where district = $1 and visit = $2))",
}
SAMPLE = """
select v.id from visit v
where v.district = $1 and not exists (select from visit_flag f where f.district = v.district and f.visit = v.id)
  and (select count(*) from issue i where i.district = v.district and i.visit = v.id) = 2
limit $2
"""

Rows = dict[str, list[tuple[Any, ...]]]  # of one visit, by table
_numbers = itertools.count(10_000_000)


class Bare:
    """Visits as the program wrote them, ready to be written again under other ids."""

    def __init__(self, columns: dict[str, list[str]], samples: Sequence[Rows]) -> None:
        self.columns = columns
        self._samples = samples

    @classmethod
    async def read(cls, dsn: str, count: int = 500) -> "Bare":
        """Read so many visits of those that the program has filed."""
        conn = await asyncpg.connect(dsn)
        columns: dict[str, list[str]] = {}
        samples = []
        for visit in [row["id"] for row in await conn.fetch(SAMPLE, DISTRICT, count)]:
            found = {table: await conn.fetch(question, DISTRICT, visit) for table, question in OF_VISIT.items()}
            columns = {table: list(rows[0].keys()) for table, rows in found.items()}
            samples.append({table: [tuple(row.values()) for row in rows] for table, rows in found.items()})
        await conn.close()
        if not samples:
            raise RuntimeError("the program has filed nothing to be written again")
        return cls(columns, samples)

    def visits(self, count: int) -> list[Rows]:
        """So many visits with ids and numbers that nobody has."""
        return [self._renamed(rows) for rows in itertools.islice(itertools.cycle(self._samples), count)]

    def _renamed(self, rows: Rows) -> Rows:
        ids: dict[UUID, UUID] = {}
        return {table: [self._row(table, row, ids) for row in of_table] for table, of_table in rows.items()}

    def _row(self, table: str, row: tuple[Any, ...], ids: dict[UUID, UUID]) -> tuple[Any, ...]:
        values = list(row)
        for name in TABLES[table]:
            at = self.columns[table].index(name)
            values[at] = ids.setdefault(values[at], uuid4())
        if table == "issue":
            values[self.columns[table].index("number")] = next(_numbers)
        return tuple(values)

    def statement(self) -> str:
        """One statement that inserts a visit with all that belongs to it, every value a parameter."""
        counter = itertools.count(1)
        inserts = []
        for table, rows in self._samples[0].items():
            names = self.columns[table]
            values = ", ".join(f"({', '.join(f'${next(counter)}' for _ in names)})" for _ in rows)
            conflict = " on conflict do nothing" if table in ("visit", "issue") else ""
            inserts.append(f"insert into {table} ({', '.join(names)}) values {values}{conflict}")
        parts = ", ".join(f"part_{at} as ({insert})" for at, insert in enumerate(inserts[:-1]))
        return f"with {parts} {inserts[-1]}"


async def loop(dsn: str, bare: Bare, *, connections: int, count: int) -> float:
    """Visits a second, one statement each, from so many connections."""
    statement = bare.statement()
    waiting = iter([[value for rows in one.values() for row in rows for value in row] for one in bare.visits(count)])
    conns = [await asyncpg.connect(dsn) for _ in range(connections)]

    async def work(conn: asyncpg.Connection) -> None:
        for values in waiting:
            await conn.execute(statement, *values)

    started = time.perf_counter()
    await asyncio.gather(*(work(conn) for conn in conns))
    seconds = time.perf_counter() - started
    for conn in conns:
        await conn.close()
    return count / seconds


async def copied(dsn: str, bare: Bare, *, count: int, chunk: int = 2_000) -> float:
    """Visits a second by COPY into temporary tables and INSERT … ON CONFLICT from there, a transaction per chunk."""
    conn = await asyncpg.connect(dsn)
    for table in TABLES:
        await conn.execute(f"create temporary table new_{table} (like {table} including defaults including generated)")
    visits = bare.visits(count)
    chunks = [visits[at : at + chunk] for at in range(0, count, chunk)]
    started = time.perf_counter()
    for some in chunks:
        async with conn.transaction():
            for table, names in bare.columns.items():
                await _copy(conn, table, names, [row for one in some for row in one[table]])
    seconds = time.perf_counter() - started
    await conn.close()
    return count / seconds


async def _copy(conn: asyncpg.Connection, table: str, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    listed = ", ".join(names)
    await conn.execute(f"truncate new_{table}")
    await conn.copy_records_to_table(f"new_{table}", records=rows, columns=names)
    await conn.execute(f"insert into {table} ({listed}) select {listed} from new_{table} on conflict do nothing")

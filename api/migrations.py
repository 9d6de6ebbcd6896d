"""Numbered SQL files in dbmate's format, applied in order, each in one transaction.

What was applied stands in `schema_migrations(version)`, which dbmate reads too, and in `schema_migration_digest` with
the SHA-256 of the file: an edited file is refused, and so is a database that is ahead of the program.
"""

import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from api import job_queue

FOLDER = Path(__file__).resolve().parent.parent / "migrations"
ADVISORY_LOCK = 0x7A6F7566616E67  # "zoufang": one runner at a time, the others wait and find nothing left to do
LONGEST_WAIT_FOR_ANOTHER_RUNNER = "10min"
LOCK_TIMEOUT = "5s"  # a migration that cannot have its lock at once must not queue everybody else behind it
STATEMENT_TIMEOUT = "15min"
LEAST_VERSION = 150000

CREATE_TABLES = """
create table if not exists schema_migrations (version varchar(128) primary key);
create table if not exists schema_migration_digest (version varchar(128) primary key, digest bytea not null);
"""
APPLIED = """
select version, digest from schema_migrations left join schema_migration_digest using (version) order by version
"""
TABLES_EXIST = (
    "select to_regclass('schema_migrations') is not null and to_regclass('schema_migration_digest') is not null"
)
RECORD = "insert into schema_migrations (version) values ($1)"
RECORD_DIGEST = """
insert into schema_migration_digest (version, digest) values ($1, $2)
on conflict (version) do update set digest = excluded.digest
"""
FORGET = "delete from schema_migrations where version = $1"
FORGET_DIGEST = "delete from schema_migration_digest where version = $1"
LET_THE_PROGRAM_READ = """
do $$ begin
  if exists (select from pg_roles where rolname = 'zoufang_app') then
    grant select on schema_migrations, schema_migration_digest to zoufang_app;
  end if;
end $$
"""


class MigrationError(Exception):
    """The database and the program's migrations do not fit each other, or a migration failed; nothing was half done."""


class UnfitDatabaseError(Exception):
    """The server cannot hold this program's data rightly; the message says what to change."""


@dataclass(frozen=True)
class Migration:
    """One file: what it does, how it is undone, and whether it runs in a transaction."""

    version: str
    name: str
    up: str
    down: str | None
    transaction: bool
    digest: bytes


@dataclass(frozen=True)
class Status:
    """What is applied and what is not yet, in the files' order."""

    applied: tuple[str, ...]
    pending: tuple[str, ...]


async def migrate(conn: asyncpg.Connection, folder: Path = FOLDER) -> list[str]:
    """Apply what is pending and return its names; raises MigrationError and then leaves earlier files applied."""
    known = read(folder)
    async with alone(conn):
        await conn.execute(CREATE_TABLES)
        pending = compare(known, await conn.fetch(APPLIED))
        for migration in pending:
            await apply(conn, migration)
        await conn.execute(LET_THE_PROGRAM_READ)
        await note_missing_digests(conn, known)
        queue = await job_queue.keep_tables(conn)
    return [migration.name for migration in pending] or ([job_queue.TABLES] if queue else [])


async def status(conn: asyncpg.Connection, folder: Path = FOLDER) -> Status:
    """What is applied and pending, without changing anything; raises MigrationError as `migrate` would."""
    known = read(folder)
    rows = await conn.fetch(APPLIED) if await conn.fetchval(TABLES_EXIST) else []
    pending = compare(known, rows)
    waiting = {migration.version for migration in pending}
    queue = (job_queue.TABLES,) if await job_queue.behind(conn) else ()
    return Status(
        applied=tuple(migration.name for migration in known if migration.version not in waiting),
        pending=tuple(migration.name for migration in pending) + queue,
    )


async def rollback(conn: asyncpg.Connection, folder: Path = FOLDER) -> str | None:
    """Undo the newest migration and return its name; None if there is none. Its data is gone."""
    known = {migration.version: migration for migration in read(folder)}
    async with alone(conn):
        await conn.execute(CREATE_TABLES)
        rows = await conn.fetch(APPLIED)
        compare(list(known.values()), rows)
        if not rows:
            return None
        newest = known[rows[-1]["version"]]
        if newest.down is None:
            raise MigrationError(f"{newest.name} has no `-- migrate:down`: it cannot be undone.")
        await run(conn, newest, newest.down, ((FORGET, (newest.version,)), (FORGET_DIGEST, (newest.version,))))
    return newest.name


async def refuse_unfit(conn: asyncpg.Connection) -> None:
    """Raise UnfitDatabaseError for a server too old, or one whose locale finds no letters in Chinese text."""
    version = int(await conn.fetchval("show server_version_num"))
    if version < LEAST_VERSION:
        raise UnfitDatabaseError(f"This is PostgreSQL {version // 10000}; the program needs 15 or newer.")
    if await conn.fetchval("show server_encoding") != "UTF8":
        raise UnfitDatabaseError("The database's encoding is not UTF8. Create it with ENCODING 'UTF8'.")
    where = await conn.fetchval(
        "select quote_ident(nspname) from pg_extension join pg_namespace n on n.oid = extnamespace "
        "where extname = 'pg_trgm'"
    )
    if where is None:
        raise UnfitDatabaseError("The extension pg_trgm is missing. `zoufang migrate` makes it.")
    if await conn.fetchval(f"select {where}.similarity('垃圾成堆', '垃圾堆')") == 0:
        locale = await conn.fetchval("select datctype from pg_database where datname = current_database()")
        raise UnfitDatabaseError(
            f"With this database's locale (LC_CTYPE {locale}) PostgreSQL finds no letters in Chinese text: "
            "similarity('垃圾成堆', '垃圾堆') is 0. Create the database with LC_CTYPE 'C.UTF-8' (or zh_CN.UTF-8) "
            "TEMPLATE template0."
        )


def read(folder: Path) -> list[Migration]:
    """Every migration of the folder in the order of its number; raises MigrationError for a file not in the format."""
    found = [parse(path) for path in sorted(folder.glob("*.sql"))]
    if not found:
        raise MigrationError(f"There are no migrations in {folder}.")
    versions = [migration.version for migration in found]
    if twice := {version for version in versions if versions.count(version) > 1}:
        raise MigrationError(f"Two migrations have the number {', '.join(sorted(twice))}.")
    return found


def parse(path: Path) -> Migration:
    """Read `-- migrate:up [transaction:false]` and what follows it up to `-- migrate:down`."""
    text = path.read_text(encoding="utf-8")
    number = re.match(r"(\d+)_\w+\.sql$", path.name)
    parts = re.split(r"^-- *migrate:(up|down)([^\n]*)\n", text, flags=re.MULTILINE)
    if number is None or parts[1::3] not in (["up"], ["up", "down"]) or re.sub(r"--[^\n]*|\s", "", parts[0]):
        raise MigrationError(f"{path.name} is not in the form NUMBER_name.sql with -- migrate:up and -- migrate:down.")
    return Migration(
        version=number[1],
        name=path.stem,
        up=parts[3],
        down=parts[6] if len(parts) > 4 else None,
        transaction="transaction:false" not in parts[2],
        digest=hashlib.sha256(text.replace("\r\n", "\n").encode()).digest(),
    )


def compare(known: Sequence[Migration], rows: Sequence[asyncpg.Record]) -> list[Migration]:
    """The migrations that wait; raises MigrationError if the database is ahead, has gaps, or a file was edited."""
    by_version = {migration.version: migration for migration in known}
    if ahead := [row["version"] for row in rows if row["version"] not in by_version]:
        raise MigrationError(
            f"The database is ahead of the program: it has {', '.join(ahead)}, which this version does not know. "
            "Run the newer version."
        )
    for row in rows:
        migration = by_version[row["version"]]
        if row["digest"] is not None and row["digest"] != migration.digest:
            raise MigrationError(
                f"{migration.name} was edited after it had been applied. Write a new migration instead."
            )
    applied = {row["version"] for row in rows}
    pending = [migration for migration in known if migration.version not in applied]
    if pending and applied and pending[0].version < max(applied):
        raise MigrationError(f"{pending[0].name} comes before migrations that are already applied. Number it anew.")
    return pending


async def apply(conn: asyncpg.Connection, migration: Migration) -> None:
    records = ((RECORD, (migration.version,)), (RECORD_DIGEST, (migration.version, migration.digest)))
    await run(conn, migration, migration.up, records)


async def run(
    conn: asyncpg.Connection, migration: Migration, sql: str, records: Sequence[tuple[str, tuple[object, ...]]]
) -> None:
    """Run a migration's SQL and keep the record of it, both or neither, where it runs in a transaction."""
    try:
        if not migration.transaction:
            await conn.execute(sql)  # one statement: PostgreSQL makes a transaction of several
        async with conn.transaction():
            await conn.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
            await conn.execute(f"set local statement_timeout = '{STATEMENT_TIMEOUT}'")
            if migration.transaction:
                await conn.execute(sql)
            for statement, values in records:
                await conn.execute(statement, *values)
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{migration.name} failed and was undone: {error}") from error


async def note_missing_digests(conn: asyncpg.Connection, known: Sequence[Migration]) -> None:
    """Give a digest to what another tool has applied, so that from now on an edit is noticed."""
    without = {row["version"] for row in await conn.fetch(APPLIED) if row["digest"] is None}
    for migration in known:
        if migration.version in without:
            await conn.execute(RECORD_DIGEST, migration.version, migration.digest)


@asynccontextmanager
async def alone(conn: asyncpg.Connection) -> AsyncIterator[None]:
    """Hold the lock that lets one runner work at a time; it also falls when the connection ends."""
    await conn.execute(f"set lock_timeout = '{LONGEST_WAIT_FOR_ANOTHER_RUNNER}'")
    await conn.execute("set statement_timeout = 0")
    try:
        await conn.execute("select pg_advisory_lock($1)", ADVISORY_LOCK)
        try:
            yield
        finally:
            if not conn.is_closed():
                await conn.execute("select pg_advisory_unlock($1)", ADVISORY_LOCK)
    finally:
        if not conn.is_closed():
            await conn.execute("reset lock_timeout")
            await conn.execute("reset statement_timeout")

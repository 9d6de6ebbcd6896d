"""Which database a command works on: the one that DATABASE_URL names, or the embedded one in the data folder."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import asyncpg

from api import database, migrations
from api.embedded_postgres import Cluster
from api.settings import Settings

APP = "zoufang_app"
NAME = "zoufang"
LONGEST_CONNECT = 10  # seconds

Answer = TypeVar("Answer")


class NoDatabaseError(Exception):
    """There is no database to work on, or it does not let us in; the message says what to set."""


@dataclass(frozen=True)
class Addresses:
    """The database as the role that runs sees it, and as the role that owns it does, where that is known."""

    program: str
    owner: str | None
    embedded: bool


@contextmanager
def opened(settings: Settings, *, share: bool = True, migrating: bool = True) -> Iterator[Addresses]:
    """The database for as long as a command works.

    An embedded one is started, made and, unless `migrating` is off, migrated; if another process of this installation
    runs it already, it is shared and left running, unless `share` is off: then ClusterInUseError is raised.
    """
    given = settings.database_url or settings.migration_database_url
    if given is not None:
        yield Addresses(given, settings.migration_database_url, embedded=False)
        return
    with Cluster(settings.data / "postgresql", share=share) as cluster:
        addresses = Addresses(cluster.dsn(APP, NAME), cluster.dsn(database=NAME), embedded=True)
        asyncio.run(make(cluster.dsn()))
        if migrating:
            asyncio.run(migrate(addresses))
        yield addresses


async def make(server: str) -> None:
    """Make the program's database on an embedded server where it is missing."""
    conn = await asyncpg.connect(server)
    try:
        if not await conn.fetchval("select exists (select from pg_database where datname = $1)", NAME):
            await conn.execute(f"create database {NAME}")
    finally:
        await conn.close()


async def migrate(addresses: Addresses) -> list[str]:
    """Apply what is pending, as the owner, to a database that can hold it."""
    if addresses.owner is None:
        raise NoDatabaseError("Set MIGRATION_DATABASE_URL to the same database as the role that owns it.")
    conn = await connect(addresses.owner)
    try:
        await conn.execute("create extension if not exists pg_trgm")
        await migrations.refuse_unfit(conn)
        return await migrations.migrate(conn)
    finally:
        await conn.close()


async def refuse_unready(addresses: Addresses) -> None:
    """Raise unless the program could serve from this database: right locale, migrations neither missing nor ahead."""
    conn = await connect(addresses.program)
    try:
        await migrations.refuse_unfit(conn)
        if pending := (await migrations.status(conn)).pending:
            raise NoDatabaseError(f"The database lacks {', '.join(pending)}. Run `zoufang migrate` first.")
    finally:
        await conn.close()


async def connect(dsn: str) -> asyncpg.Connection:
    """A connection; raises NoDatabaseError in plain words, and without the address: it may hold a password."""
    try:
        async with asyncio.timeout(LONGEST_CONNECT):
            return await database.connect(dsn)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise NoDatabaseError(f"The database does not answer: {error or type(error).__name__}") from None


def with_connection(settings: Settings, work: Callable[[asyncpg.Connection], Awaitable[Answer]]) -> Answer:
    """Run a command's work in one transaction as the role that runs: Ctrl-C leaves everything as it was."""

    async def run(dsn: str) -> Answer:
        conn = await connect(dsn)
        try:
            async with conn.transaction():
                return await work(conn)
        finally:
            await conn.close()

    with opened(settings) as addresses:
        if not addresses.embedded:
            asyncio.run(refuse_unready(addresses))
        return asyncio.run(run(addresses.program))


def hand_to_processes(addresses: Addresses) -> None:
    """Tell the processes that serve, which read their settings from the environment, where the database is."""
    os.environ["DATABASE_URL"] = addresses.program

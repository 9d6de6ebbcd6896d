"""Connections to PostgreSQL: how they are set up, and the one transaction of a request."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, cast

import asyncpg
import msgspec
from litestar.datastructures import State
from litestar.di import NamedDependency

from surveys.counting.kept_columns import KeptColumns

# A statement that takes longer than this is a fault, not a slow answer.
SESSION_SETTINGS = {
    "timezone": "UTC",
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "60s",
    "jit": "off",  # compiling costs more than any query here takes
    "work_mem": "32MB",  # counts of a whole district are gathered in memory, not sorted first
}

# What asyncpg raises when the server is away, starting, stopping, or has no place for one more.
UNAVAILABLE = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the driver's own word for a connection cut while it was being handed out
)


def _encode_jsonb(value: object) -> bytes:
    return b"\x01" + msgspec.json.encode(value)  # the version byte of jsonb's binary format


def _decode_jsonb(value: bytes) -> Any:
    return msgspec.json.decode(value[1:])


async def prepare(conn: asyncpg.Connection) -> None:
    """Teach a connection to carry jsonb and json as Python's own values."""
    await conn.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary", encoder=_encode_jsonb, decoder=_decode_jsonb
    )
    await conn.set_type_codec(
        "json", schema="pg_catalog", format="binary", encoder=msgspec.json.encode, decoder=msgspec.json.decode
    )


async def _keep(_conn: asyncpg.Connection) -> None:
    """Leave a connection that comes back as it is: the pool has rolled back what was open, and nothing of ours sets
    anything that outlives its transaction. The driver's own reset would be one more round trip for every request."""


class Connection(asyncpg.Connection):
    """A connection that knows what its process keeps in memory beside the database."""

    issue_columns: KeptColumns | None = None


async def open_pool(
    dsn: str, *, least: int = 1, most: int, plan_each: bool = False, issue_columns: KeptColumns | None = None
) -> asyncpg.Pool:
    """A pool of prepared connections, with the columns beside them that their process keeps; raises what asyncpg
    raises when the server cannot be reached.

    With `plan_each` every question is planned for the values that it asks about, instead of once for all: for lists
    and maps, whose filters make one question a look into an index and another a look at everything."""
    planning = {"plan_cache_mode": "force_custom_plan"} if plan_each else {}

    async def begin(conn: asyncpg.Connection) -> None:
        await prepare(conn)
        cast(Connection, conn).issue_columns = issue_columns

    return await asyncpg.create_pool(
        dsn,
        min_size=least,
        max_size=most,
        init=begin,
        connection_class=Connection,
        reset=_keep,
        timeout=5,
        command_timeout=60,
        server_settings=SESSION_SETTINGS | planning | {"application_name": "zoufang"},
    )


@asynccontextmanager
async def acquired(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """A connection of a pool; raises TimeoutError when none comes free in time."""
    async with pool.acquire(timeout=5) as conn:
        yield cast(asyncpg.Connection, conn)  # it behaves as one; only its type is another


async def connect(dsn: str) -> asyncpg.Connection:
    """One prepared connection, for a command."""
    conn = await asyncpg.connect(dsn, timeout=5, server_settings={"timezone": "UTC", "application_name": "zoufang"})
    await prepare(conn)
    return conn


LONGEST_CLOSE_S = 5.0


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that is closed at the end, gracefully if the server lets it."""
    conn = await connect(dsn)
    try:
        yield conn
    finally:
        try:
            await conn.close(timeout=LONGEST_CLOSE_S)
        except (*UNAVAILABLE, asyncpg.PostgresError):
            conn.terminate()


async def transaction(
    state: State, clock: NamedDependency[Callable[[], datetime]]
) -> AsyncIterator[asyncpg.Connection]:
    """The request's connection: its transaction commits before the answer starts, and rolls back when the handler
    raises. It must stay the only generator among the dependencies: the framework never closes one if another,
    resolved beside or after it, raises. That is why it names the clock, which it does not need: so it is resolved
    after all that may refuse the request."""
    async with acquired(state.pool) as conn, conn.transaction():
        yield conn

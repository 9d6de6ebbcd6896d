"""Whether the program lives, and whether it can serve: for proxies, containers and whoever is on call."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import asyncpg
from litestar import Response, get
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct

from api import database, migrations
from api.auth import PUBLIC
from api.logs import log
from maps.locator import Atlas

LONGEST_CHECK_S = 3.0
RETRY_AFTER_S = 5

Condition = Literal["ok", "failed"]


class Liveness(Struct, frozen=True):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(Struct, frozen=True):
    """Each thing that the program needs; why one failed stands in the log, not in a public answer."""

    status: Condition
    database: Condition
    migrations: Condition
    boundaries: Condition


@get("/health/live", opt={PUBLIC: True})
async def live() -> Liveness:
    """Whether the process answers; it says nothing of the database."""
    return Liveness()


@get("/health/ready", opt={PUBLIC: True}, responses={503: ResponseSpec(Readiness, description="Not now")})
async def ready(state: State) -> Response[Readiness]:
    """Whether requests can be served: 503 while the database is away, not migrated, or boundaries are not loaded."""
    reached = await _holds(state, "database", _reachable)
    migrated = await _holds(state, "migrations", _migrated) if reached == "ok" else "failed"
    loaded: Condition = "ok" if isinstance(state.get("atlas"), Atlas) else "failed"
    whole: Condition = "ok" if (reached, migrated, loaded) == ("ok", "ok", "ok") else "failed"
    return Response(
        Readiness(whole, reached, migrated, loaded),
        status_code=200 if whole == "ok" else 503,
        headers={"Cache-Control": "no-store"} | ({} if whole == "ok" else {"Retry-After": str(RETRY_AFTER_S)}),
    )


async def _holds(state: State, name: str, check: Callable[[asyncpg.Connection], Awaitable[None]]) -> Condition:
    try:
        async with asyncio.timeout(LONGEST_CHECK_S), state.pool.acquire() as conn:
            await check(conn)
    except (*database.UNAVAILABLE, asyncpg.PostgresError, migrations.MigrationError) as error:
        log.warning("not_ready", check=name, reason=type(error).__name__)
        return "failed"
    return "ok"


async def _reachable(conn: asyncpg.Connection) -> None:
    await conn.fetchval("select 1")


async def _migrated(conn: asyncpg.Connection) -> None:
    if (await migrations.status(conn)).pending:
        raise migrations.MigrationError("migrations are pending")


ROUTES = [live, ready]

"""Health: alive is not yet ready."""

import asyncpg
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

pytestmark = pytest.mark.anyio


async def test_a_program_that_can_serve_says_so_to_anybody(client: AsyncTestClient[Litestar]) -> None:
    live = await client.get("/health/live")
    ready = await client.get("/health/ready")
    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    assert ready.status_code == 200
    assert ready.json() == {"status": "ok", "database": "ok", "migrations": "ok", "boundaries": "ok"}
    assert ready.headers["cache-control"] == "no-store"


async def test_a_database_that_is_gone_is_not_ready_but_alive_and_ready_again_when_it_is_back(
    client: AsyncTestClient[Litestar], owner_dsn: str
) -> None:
    server, name = owner_dsn.split("/", maxsplit=3)[3].split("?")[1], owner_dsn.split("/")[3].split("?")[0]
    admin = await asyncpg.connect(f"postgresql://zoufang_owner@/postgres?{server}")
    await admin.execute(f"alter database {name} allow_connections false")
    gone_within = "select bool_and(pg_terminate_backend(pid, 30000)) from pg_stat_activity where datname = $1"
    assert await admin.fetchval(gone_within, name), "no connection is left that could still answer"
    gone = await client.get("/health/ready")
    alive = await client.get("/health/live")
    assert (gone.status_code, alive.status_code) == (503, 200)
    assert gone.json()["database"] == "failed"
    assert gone.headers["retry-after"] == "5"
    await admin.execute(f"alter database {name} allow_connections true")
    await admin.close()
    assert (await client.get("/health/ready")).status_code == 200


async def test_a_database_whose_migrations_are_not_the_program_s_is_not_ready(
    client: AsyncTestClient[Litestar], owner_dsn: str
) -> None:
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute("insert into schema_migrations values ('29990101000001')")
    await owner.close()
    answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {"status": "failed", "database": "ok", "migrations": "failed", "boundaries": "ok"}

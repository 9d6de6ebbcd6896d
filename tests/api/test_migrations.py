"""Migrations: applied once, in order, whole or not at all; an edited file and a database ahead are refused."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from api import migrations
from api.migrations import MigrationError, UnfitDatabaseError
from tests.conftest import Server

pytestmark = pytest.mark.anyio

FIRST = "-- migrate:up\ncreate table street (name text);\n\n-- migrate:down\ndrop table street;\n"
SECOND = "-- migrate:up\ncreate table door (name text);\n"
BROKEN = "-- migrate:up\ncreate table lamp (name text);\nselect 1 / 0;\n"
ALONE = "-- migrate:up transaction:false\ncreate index concurrently street_by_name on street (name);\n"


@pytest.fixture
async def empty(server: Server) -> AsyncIterator[str]:
    """A database with nothing in it, by its owner's address."""
    name = f"empty_{uuid4().hex[:12]}"
    conn = await asyncpg.connect(server.dsn())
    await conn.execute(f"create database {name}")
    yield server.dsn(name=name)
    await conn.execute(f"drop database {name} with (force)")
    await conn.close()


@pytest.fixture
async def owner(empty: str) -> AsyncIterator[asyncpg.Connection]:
    conn = await asyncpg.connect(empty)
    yield conn
    await conn.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "20260101000001_streets.sql").write_text(FIRST)
    return tmp_path


async def has(conn: asyncpg.Connection, relation: str) -> bool:
    found: bool = await conn.fetchval("select to_regclass($1) is not null", relation)
    return found


async def test_each_is_applied_once_and_in_order(owner: asyncpg.Connection, folder: Path) -> None:
    assert await migrations.migrate(owner, folder) == ["20260101000001_streets"]
    (folder / "20260101000002_doors.sql").write_text(SECOND)
    assert (await migrations.status(owner, folder)).pending == ("20260101000002_doors",)
    assert await migrations.migrate(owner, folder) == ["20260101000002_doors"]
    assert await migrations.migrate(owner, folder) == []
    assert await has(owner, "door")


async def test_three_programs_that_start_at_once_apply_each_once(empty: str, folder: Path) -> None:
    runners = [await asyncpg.connect(empty) for _ in range(3)]
    done = await asyncio.gather(*(migrations.migrate(conn, folder) for conn in runners))
    assert sorted(map(len, done)) == [0, 0, 1]
    for conn in runners:
        await conn.close()


async def test_an_edited_migration_is_refused(owner: asyncpg.Connection, folder: Path) -> None:
    await migrations.migrate(owner, folder)
    (folder / "20260101000001_streets.sql").write_text(FIRST.replace("name text", "name text not null"))
    with pytest.raises(MigrationError, match="20260101000001_streets was edited"):
        await migrations.migrate(owner, folder)
    with pytest.raises(MigrationError, match="was edited"):
        await migrations.status(owner, folder)


async def test_a_database_ahead_of_the_program_is_refused(owner: asyncpg.Connection, folder: Path) -> None:
    (folder / "20260101000002_doors.sql").write_text(SECOND)
    await migrations.migrate(owner, folder)
    (folder / "20260101000002_doors.sql").unlink()
    with pytest.raises(MigrationError, match="ahead of the program: it has 20260101000002"):
        await migrations.migrate(owner, folder)


async def test_a_number_below_what_is_applied_is_refused(owner: asyncpg.Connection, folder: Path) -> None:
    await migrations.migrate(owner, folder)
    (folder / "20250101000001_before.sql").write_text(SECOND)
    with pytest.raises(MigrationError, match="Number it anew"):
        await migrations.migrate(owner, folder)


async def test_a_failing_migration_leaves_nothing_of_itself(owner: asyncpg.Connection, folder: Path) -> None:
    (folder / "20260101000002_lamps.sql").write_text(BROKEN)
    with pytest.raises(MigrationError, match="20260101000002_lamps failed and was undone: division by zero"):
        await migrations.migrate(owner, folder)
    assert await has(owner, "street")
    assert not await has(owner, "lamp")
    (folder / "20260101000002_lamps.sql").write_text(SECOND)
    assert await migrations.migrate(owner, folder) == ["20260101000002_lamps"]


async def test_a_lock_that_is_not_to_be_had_ends_the_attempt(
    owner: asyncpg.Connection, empty: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrations.migrate(owner, folder)
    (folder / "20260101000002_more.sql").write_text("-- migrate:up\nalter table street add column x int;\n")
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "100ms")
    other = await asyncpg.connect(empty)
    async with other.transaction():
        await other.execute("lock table street in access share mode")
        with pytest.raises(MigrationError, match="lock timeout"):
            await migrations.migrate(owner, folder)
    await other.close()
    assert await migrations.migrate(owner, folder) == ["20260101000002_more"]


async def test_a_statement_that_needs_no_transaction_runs_without_one(owner: asyncpg.Connection, folder: Path) -> None:
    (folder / "20260101000002_index.sql").write_text(ALONE)
    await migrations.migrate(owner, folder)
    assert await has(owner, "street_by_name")


async def test_the_newest_is_undone(owner: asyncpg.Connection, folder: Path) -> None:
    await migrations.migrate(owner, folder)
    assert await migrations.rollback(owner, folder) == "20260101000001_streets"
    assert not await has(owner, "street")
    assert await migrations.rollback(owner, folder) is None
    assert await migrations.migrate(owner, folder) == ["20260101000001_streets"]


async def test_what_cannot_be_undone_is_refused(owner: asyncpg.Connection, folder: Path) -> None:
    (folder / "20260101000002_doors.sql").write_text(SECOND)
    await migrations.migrate(owner, folder)
    with pytest.raises(MigrationError, match="has no `-- migrate:down`"):
        await migrations.rollback(owner, folder)
    assert await has(owner, "door")


@pytest.mark.parametrize("text", ["create table x ();", "-- migrate:down\n", "select 1;\n-- migrate:up\n", ""])
async def test_a_file_of_another_form_is_refused_by_name(text: str, folder: Path) -> None:
    (folder / "20260101000002_doors.sql").write_text(text)
    with pytest.raises(MigrationError, match=r"20260101000002_doors\.sql is not in the form"):
        migrations.read(folder)


async def test_ours_go_down_to_nothing_and_up_again(owner: asyncpg.Connection) -> None:
    done = await migrations.migrate(owner)
    for name in reversed(done):
        assert await migrations.rollback(owner) == name
    left = await owner.fetch(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
        " and relname not like 'schema_migration%'"
    )
    assert left == []
    assert await migrations.migrate(owner) == done


async def test_the_role_that_runs_may_not_change_history_nor_the_schema(conn: asyncpg.Connection) -> None:
    for statement in (
        "update history set event = ''",
        "delete from history",
        "truncate history",
        "drop table history",
        "create table mine ()",
        "delete from schema_migrations",
        "set role zoufang_owner",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(statement)


async def test_a_database_of_the_right_locale_is_taken(owner: asyncpg.Connection) -> None:
    await migrations.migrate(owner)
    await migrations.refuse_unfit(owner)


async def test_a_locale_without_chinese_letters_is_refused(server: Server) -> None:
    admin = await asyncpg.connect(server.dsn())
    name = f"unfit_{uuid4().hex[:12]}"
    await admin.execute(
        f"create database {name} template template0 encoding 'UTF8' locale_provider libc lc_ctype 'C' lc_collate 'C'"
    )
    conn = await asyncpg.connect(server.dsn(name=name))
    with pytest.raises(UnfitDatabaseError, match="extension pg_trgm is missing"):
        await migrations.refuse_unfit(conn)
    await conn.execute("create extension pg_trgm")
    with pytest.raises(UnfitDatabaseError, match=r"LC_CTYPE C\) PostgreSQL finds no letters in Chinese text"):
        await migrations.refuse_unfit(conn)
    await conn.close()
    await admin.execute(f"drop database {name}")
    await admin.close()

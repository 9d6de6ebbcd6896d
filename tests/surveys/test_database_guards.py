"""What the role that runs cannot do, whatever the program asks of it; and what holds for every table."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

import maps
import surveys
from api import database
from tests import doors, drafts
from tests.conftest import MEMBER, WORKER, Client

pytestmark = pytest.mark.anyio

# Kept for good: nothing of it is changed or taken away.
APPEND_ONLY = [
    "history",
    "history_seal",
    "card_binding",
    "boundary_version",
    "community_boundary",
    "office_hours",
    "time_rules",
    "time_transaction",
    "time_entry",
    "points_rules",
    "points_board",
    "points_board_row",
]
# Rows that change and are never taken away.
NEVER_DELETED = [
    "visit",
    "issue",
    "issue_spans",
    "text_version",
    "visit_flag",
    "issue_photo",
    "member",
    "category",
    "contact_card",
    "time_account",
    "time_claim",
    "help_request",
    "model",
]
# Kept by the migrations, or a country's: of no district.
HOLIDAYS = ["holiday_calendar", "holiday_year", "holiday"]
OF_NO_DISTRICT = {"schema_migrations", "schema_migration_digest", *HOLIDAYS}


@pytest.fixture
async def conn(shared_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """The role that runs, on a database where whatever it tries is refused."""
    connection = await database.connect(shared_dsn)
    yield connection
    await connection.close()


async def forbidden(conn: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await conn.execute(statement)


async def test_the_program_runs_as_the_role_that_owns_nothing(conn: asyncpg.Connection) -> None:
    assert await conn.fetchval("select current_user") == "zoufang_app"
    role = await conn.fetchrow("select * from pg_roles where rolname = current_user")
    assert role is not None
    assert not [
        name for name in ("rolsuper", "rolcreaterole", "rolcreatedb", "rolbypassrls", "rolreplication") if role[name]
    ]
    for catalog, owner in (
        ("class", "relowner"),
        ("proc", "proowner"),
        ("namespace", "nspowner"),
        ("type", "typowner"),
    ):
        owned = await conn.fetchval(f"select count(*) from pg_{catalog} where {owner} = 'zoufang_app'::regrole")
        assert owned == 0, catalog
    assert await conn.fetchval("select count(*) from pg_auth_members where member = 'zoufang_app'::regrole") == 0


async def test_history_is_written_once(shared: Client, conn: asyncpg.Connection) -> None:
    draft = drafts.visit(issues=[drafts.issue()])
    await doors.file(shared, MEMBER, draft)
    await doors.move(shared, WORKER, draft["issues"][0]["id"], drafts.move("accept", 1))
    before = await conn.fetch("select * from history order by id")
    for statement in (
        "update history set actor = 'nobody'",
        "update history set facts = '{}' where false",
        "delete from history",
        "delete from history where false",
        "truncate history",
        "drop table history",
        "alter table history add column note text",
        "create rule hidden as on insert to history do instead nothing",
        "insert into history select * from history on conflict on constraint history_pkey do update set actor = ''",
        "merge into history using (values (1)) v on false when matched then delete when not matched then do nothing",
        "set role zoufang_owner",
        "set session authorization zoufang_owner",
    ):
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.InvalidParameterValueError)):
            await conn.execute(statement)
    assert await conn.fetch("select * from history order by id") == before
    assert len(before) >= 4, "the boundaries, the visit, its issue and its move"


@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_what_is_kept_for_good_cannot_be_changed(conn: asyncpg.Connection, table: str) -> None:
    await forbidden(conn, f"update {table} set district = 1")
    await forbidden(conn, f"delete from {table}")
    await forbidden(conn, f"truncate {table}")


@pytest.mark.parametrize("table", HOLIDAYS)
async def test_holidays_are_added_in_versions_alone(conn: asyncpg.Connection, table: str) -> None:
    await forbidden(conn, f"update {table} set version = 1")
    await forbidden(conn, f"delete from {table}")
    await forbidden(conn, f"truncate {table}")


@pytest.mark.parametrize("table", NEVER_DELETED)
async def test_what_changes_cannot_be_taken_away(conn: asyncpg.Connection, table: str) -> None:
    await forbidden(conn, f"delete from {table}")
    await forbidden(conn, f"truncate {table}")


@pytest.mark.parametrize(
    "statement",
    [
        "create table public.mine (x int)",
        "create schema mine",
        "create function public.mine() returns int language sql as 'select 1'",
        "create extension hstore",
        "create role mine",
        "copy visit to program 'cat'",
        "copy visit to '/tmp/visits'",
        "alter table visit disable trigger all",
        "alter role zoufang_app superuser",
        "grant delete on history to zoufang_app",
    ],
)
async def test_nothing_is_made_or_reached_beside_the_tables(conn: asyncpg.Connection, statement: str) -> None:
    if statement.startswith("grant"):
        await conn.execute(statement)  # PostgreSQL warns and grants nothing
        await forbidden(conn, "delete from history")
    else:
        await forbidden(conn, statement)


async def test_the_district_leads_every_key(conn: asyncpg.Connection) -> None:
    """Primary, unique and foreign keys alike, so that a district's rows can lie together on one machine."""
    rows = await conn.fetch(
        "select conname, conrelid::regclass::text as of, contype, a.attname as first from pg_constraint c"
        " join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]"
        " where contype in ('p', 'u', 'f') and connamespace = 'public'::regnamespace"
    )
    assert len(rows) > 40
    assert [row["conname"] for row in rows if row["of"] not in OF_NO_DISTRICT and row["first"] != "district"] == []
    unique = await conn.fetch(
        "select i.indexrelid::regclass::text as name, a.attname as first from pg_index i"
        " join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]"
        " join pg_class t on t.oid = i.indrelid where i.indisunique and t.relnamespace = 'public'::regnamespace"
        " and t.relname <> all($1)",
        list(OF_NO_DISTRICT),
    )
    assert [row["name"] for row in unique if row["first"] != "district"] == []


async def test_every_table_belongs_to_a_district(conn: asyncpg.Connection) -> None:
    tables = {row["relname"] for row in await conn.fetch(
        "select relname from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace"
    )}  # fmt: skip
    with_district = {row["relname"] for row in await conn.fetch(
        "select relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'district'"
        " and a.attnotnull where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace"
    )}  # fmt: skip
    assert tables - with_district == OF_NO_DISTRICT


async def test_no_column_takes_its_time_from_the_database(conn: asyncpg.Connection) -> None:
    defaults = await conn.fetch(
        "select adrelid::regclass::text || '.' || adnum as at, pg_get_expr(adbin, adrelid) as says from pg_attrdef"
        " join pg_class c on c.oid = adrelid where c.relnamespace = 'public'::regnamespace and c.relname <> all($1)",
        list(OF_NO_DISTRICT),
    )
    taken = re.compile(r"now|current(?!_xact_id)|clock|timestamp\(")  # the number of a transaction is no time
    assert [row["at"] for row in defaults if taken.search(row["says"])] == []


@pytest.mark.parametrize("room", [maps, surveys], ids=lambda room: room.__name__)
def test_below_the_doors_nobody_reads_a_clock(room: object) -> None:
    folder = Path(str(room.__file__)).parent  # type: ignore[attr-defined]
    clocks = re.compile(r"\bnow\(\)|current_timestamp|clock_timestamp|datetime\.now|utcnow|time\.time\(|date\.today")
    found = [
        f"{file.name}:{number}"
        for file in sorted(folder.rglob("*.py"))
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if clocks.search(line)
    ]
    assert found == []


async def test_no_column_is_made_for_what_is_nobody_s_business(conn: asyncpg.Connection) -> None:
    """Problems, places and service are kept; never a resident's opinions, loyalties, religion or health."""
    columns = await conn.fetch(
        "select attrelid::regclass || '.' || attname as name from pg_attribute join pg_class c on c.oid = attrelid"
        " where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and attnum > 0"
    )
    private = re.compile(r"opinion|loyal|religio|faith|health|illness|ethnic|politic|attitude|resident|phone|id_card")
    of_members = {"member.phone", "member.phone_look_up"}  # by which they sign in; sealed, and a keyed hash
    assert len(columns) > 100
    assert {row["name"] for row in columns if private.search(row["name"])} == of_members

"""The queue of what is to be done once: PgQueuer's tables, in a schema of their own.

The library makes its tables, and brings them up to what its installed version wants; nothing of its SQL is kept here.
What is put into the queue in a transaction is there if, and only if, that transaction is committed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
from msgspec import Struct
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.models import Job as QueuedJob
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import JobId, QueueEntrypoint, QueueManagerId
from pgqueuer.ports.repository import EntrypointExecutionParameter

SCHEMA = "queue"
SETTINGS = DBSettings(db_schema=SCHEMA)
TABLES = f"the queue's tables (pgqueuer {version('pgqueuer')})"

EXISTS = "select exists (select from pg_namespace where nspname = $1)"
LET_THE_PROGRAM_WORK = f"""
do $$ begin
  if exists (select from pg_roles where rolname = 'zoufang_app') then
    grant select, insert, update, delete on all tables in schema {SCHEMA} to zoufang_app;
    grant usage on all sequences in schema {SCHEMA} to zoufang_app;
  end if;
end $$
"""


def queries(conn: asyncpg.Connection) -> Queries:
    """The library's questions to its tables, asked on this connection."""
    return Queries(
        AsyncpgDriver(conn),
        qbe=QueryBuilderEnvironment(SETTINGS),
        qbq=QueryQueueBuilder(SETTINGS),
        qbs=QuerySchedulerBuilder(SETTINGS),
    )


async def behind(conn: asyncpg.Connection) -> bool:
    """Whether the library wants its tables otherwise than they are; False where there is no schema for them yet."""
    if not await conn.fetchval(EXISTS, SCHEMA):
        return False
    asking = queries(conn)
    return not await asking.schema_is_installed() or bool((await asking.plan_upgrade()).statements)


async def keep_tables(owner_conn: asyncpg.Connection) -> bool:
    """Make the tables, or bring them up to the installed version, as the role that owns; whether anything was done."""
    if not await behind(owner_conn):
        return False
    asking = queries(owner_conn)
    if await asking.schema_is_installed():
        await asking.upgrade()
    else:
        async with owner_conn.transaction():
            await asking.install(create_schema=False)
    await owner_conn.execute(LET_THE_PROGRAM_WORK)
    return True


class Ticket(Struct, frozen=True):
    """What a queued job is about."""

    district: int
    id: UUID


async def put(conn: asyncpg.Connection, errand: str, tickets: Sequence[Ticket]) -> None:
    """Queue an errand for each ticket, in the caller's transaction; one that is waiting already is not queued again."""
    if not tickets:
        return
    await queries(conn).enqueue(
        [errand] * len(tickets),
        [msgspec.json.encode(ticket) for ticket in tickets],
        [0] * len(tickets),
        dedupe_key=[f"{errand}/{ticket.district}/{ticket.id}" for ticket in tickets],
        on_conflict="skip",
    )


class Taken(Struct, frozen=True):
    """A queued job that this process has taken on; `attempts` counts those that failed."""

    number: int
    errand: str
    ticket: Ticket
    attempts: int
    since: datetime
    row: Any  # as the library knows it


BEAT_S = 10.0
SILENT_FOR = timedelta(seconds=30)  # without a heartbeat, after which others take a job over
TOGETHER = 16


class Place:
    """One process's place at the queue, on a connection of its own."""

    def __init__(self, conn: asyncpg.Connection) -> None:
        self._queries = queries(conn)
        self._id = QueueManagerId(uuid4())

    async def take(self, errands: Sequence[str], most: int = TOGETHER) -> list[Taken]:
        """What is due now, and what others let go silent, for this process alone."""
        jobs = await self._queries.dequeue(
            batch_size=most,
            entrypoints={QueueEntrypoint(name): EntrypointExecutionParameter(concurrency_limit=0) for name in errands},
            queue_manager_id=self._id,
            global_concurrency_limit=None,
            heartbeat_timeout=SILENT_FOR,
        )
        return [taken(job) for job in jobs]

    async def beat(self, held: Sequence[Taken]) -> None:
        """Say that these are still being worked on."""
        await self._queries.update_heartbeat([JobId(one.number) for one in held])

    async def done(self, one: Taken) -> None:
        """It is done, and leaves the queue."""
        await self._queries.log_jobs([(one.row, "successful", None)])

    async def later(self, one: Taken, wait: timedelta) -> None:
        """It failed, and is tried again after this."""
        await self._queries.retry_job(one.row, wait, None)

    async def park(self, one: Taken) -> None:
        """It failed too often, and waits for somebody to look."""
        await self._queries.log_jobs([(one.row, "failed", None)])


def taken(job: QueuedJob) -> Taken:
    """A row of the library's table as we speak of it."""
    ticket = msgspec.json.decode(job.payload or b"{}", type=Ticket)
    return Taken(job.id, job.entrypoint, ticket, job.attempts, job.updated, job)


MOST_PARKED = 1_000  # that are looked through


async def parked(conn: asyncpg.Connection, district: int) -> list[Taken]:
    """What a district has waiting for somebody to look, the newest first."""
    held = [taken(job) for job in await queries(conn).list_failed_jobs(MOST_PARKED)]
    return [one for one in held if one.ticket.district == district]


async def put_back(conn: asyncpg.Connection, number: int) -> None:
    """Let a parked job be tried again now, as if it were new."""
    await queries(conn).requeue_jobs([JobId(number)])


async def counts(conn: asyncpg.Connection) -> Mapping[tuple[str, str], int]:
    """How many errands there are, by their kind and where they stand."""
    found: Counter[tuple[str, str]] = Counter()
    for row in await queries(conn).queue_size():
        found[row.entrypoint, row.status] += row.count
    return found


FORGET = f"delete from {SETTINGS.qualified.queue_table_log} where created < $1"


async def forget(conn: asyncpg.Connection, before: datetime) -> None:
    """Remove what the library noted of jobs before this."""
    await conn.execute(FORGET, before)

"""The sweep over a hundred thousand open issues: when nothing is newly late, when a hundredth is, and when all of them
became late at once; and how long a move would have waited for its issue meanwhile."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg

from api.embedded_postgres import Cluster
from surveys.notices import escalations, following, reminders
from tests.bench import server
from tests.bench.district import DISTRICT
from tests.bench.figures import Figure

ISSUES = 100_000
HUNDREDTH = ISSUES // 100
LONGEST_S = 5.0
ORGANISATIONS = 586

# Open issues of these owners, in every community, all due at one moment.
WRITE = """
insert into issue (district, id, number, version, source, source_id, reported_at, category, urgency, channel, state,
  owner, clock_started_at, limit_version, limit_amount, limit_unit, due_at, response_due_at, held_since, community,
  certainty, text_version, recorded_at)
select $1, gen_random_uuid(), 30000000 + at, 1, 'ledger', 'late:' || at, $4::timestamptz - interval '72 hours', '0102',
  'normal', 'joint_review', (array['reported', 'accepted', 'assigned', 'in_progress'])[1 + at % 4],
  ($3::uuid[])[1 + at % cardinality($3::uuid[])], $4 - interval '72 hours', 1, 72, 'calendar_hours', $4,
  $4 - interval '48 hours', $4 - interval '72 hours', c.codes[1 + at % cardinality(c.codes)], 'inside', 1,
  $4 - interval '72 hours'
from generate_series(1, $2::int) at,
  (select array_agg(code order by code) as codes from community where district = $1) c
"""
TREE = """
with made as (
  insert into organisation (district, id, parent, name)
  select $1, ('00000000-0000-4000-9000-' || lpad(to_hex(at), 12, '0'))::uuid,
    case when at > 1 then ('00000000-0000-4000-9000-' || lpad(to_hex(at / 8 + 1), 12, '0'))::uuid end, '支部' || at
  from generate_series(1, $2::int) at where at = 1 or at / 8 + 1 < at
  returning id
), numbered as (
  select id, row_number() over (order by id) as at from made
), moved as (
  update member m set organisation = n.id from numbered n
  where m.district = $1 and n.at = 1 + abs(hashtext(m.id::text)) % (select count(*) from made)
)
insert into member_role (district, member, role, scope_kind, scope)
select $1, m.id, 'organiser', 'organisation', n.id::text
from numbered n
join (select id, row_number() over (order by id desc) as at from member where district = $1) m using (at)
"""
OWNERS = "select array_agg(id) from (select id from member where district = $1 order by id limit 600) m"


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure the sweep, on a district with a tree of organisations."""
    base = await server.copy(cluster, "bench_late")
    now = datetime.now(UTC).replace(microsecond=0)
    ids = await _prepare(base.owner, now + timedelta(days=30))
    conn = await base.connect()
    figures = [await _timed("nothing newly late", lambda: escalations.sweep(conn, DISTRICT, now))]
    await conn.execute("update issue set due_at = $2 where district = $1 and number <= $3", DISTRICT,
                       now - timedelta(minutes=1), 30_000_000 + HUNDREDTH)  # fmt: skip
    figures.append(await _timed(f"{HUNDREDTH:,} newly late", lambda: escalations.sweep(conn, DISTRICT, now)))
    later = now + timedelta(days=30, minutes=1)
    waits: list[float] = []
    moving = asyncio.create_task(_move(base.program, ids, waits))
    figures.append(await _timed(f"{ISSUES - HUNDREDTH:,} newly late", lambda: escalations.sweep(conn, DISTRICT, later)))
    moving.cancel()
    await asyncio.gather(moving, return_exceptions=True)
    longest = max(waits, default=0.0)
    figures.append(Figure(what=f"longest wait for an issue meanwhile, of {len(waits):,}", figure=f"{longest:.0f} ms",
                          wanted="< 250 ms", met=longest < 250))  # fmt: skip
    figures.append(await _timed("again, all of it raised before", lambda: escalations.sweep(conn, DISTRICT, later)))
    await conn.execute("update issue set due_at = $2 where district = $1", DISTRICT, later + timedelta(minutes=30))
    figures.append(await _timed(f"{ISSUES:,} nearly due, reminded", lambda: reminders.sweep(conn, DISTRICT, later)))
    figures.append(await _timed("told of what went up", lambda: _follow(conn, later), wanted=False))
    await conn.close()
    return figures


async def _prepare(owner: str, due_at: datetime) -> list[UUID]:
    conn = await asyncpg.connect(owner)
    await conn.execute("set session_replication_role = replica")
    await conn.execute(TREE, DISTRICT, ORGANISATIONS)
    await conn.execute(WRITE, DISTRICT, ISSUES, await conn.fetchval(OWNERS, DISTRICT), due_at)
    await conn.execute("vacuum analyze")
    ids = [row["id"] for row in await conn.fetch("select id from issue where district = $1", DISTRICT)]
    await conn.close()
    return ids


async def _timed(what: str, work: Callable[[], Awaitable[object]], *, wanted: bool = True) -> Figure:
    started = time.perf_counter()
    await work()
    took = time.perf_counter() - started
    return Figure(
        what=f"sweep, {ISSUES:,} open: {what}",
        figure=f"{took:.2f} s",
        wanted=f"≤ {LONGEST_S:.0f} s" if wanted else "",
        met=took <= LONGEST_S if wanted else None,
    )


async def _move(dsn: str, ids: list[UUID], waits: list[float]) -> None:
    """Lock one issue after another as a move does, and write it; nothing of it stays."""
    conn = await asyncpg.connect(dsn)
    while True:
        started = time.perf_counter()
        transaction = conn.transaction()
        await transaction.start()
        issue = random.choice(ids)  # noqa: S311
        await conn.execute("select from issue where district = $1 and id = $2 for update", DISTRICT, issue)
        await conn.execute("update issue set version = version where district = $1 and id = $2", DISTRICT, issue)
        await transaction.rollback()
        waits.append((time.perf_counter() - started) * 1_000)
        await asyncio.sleep(0.005)


async def _follow(conn: asyncpg.Connection, now: datetime) -> None:
    more = True
    while more:
        async with conn.transaction():
            more = (await following.follow(conn, DISTRICT, now)).more

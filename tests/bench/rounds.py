"""A quarter's round of 17,727 members by a scorecard of 110 items, as the errand works it out: rated by themselves,
three peers and two leaders, some by the people too, with facts out of visits, doors and issues; and how much memory it
takes for fewer and for all."""

import asyncio
import multiprocessing
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec

from api import database
from api.assessments import shipped_instruments
from api.embedded_postgres import Cluster
from surveys.assessments import instruments, raters, results, round_steps, rounds
from surveys.assessments.instruments import GROUPS, Group, Instrument
from surveys.assessments.scoring import FINE
from surveys.history import Actor
from tests.bench import district, many_doors, many_issues, server
from tests.bench.district import DISTRICT
from tests.bench.figures import Figure

MEMBERS, FEWER = 17_727, 5_000
DOORS, VISITS, ISSUES = 50_000, 200_000, 100_000
SHEETS = 40  # that raters of a group hand in
WANTED_S = 60
GROWTH = 1.15  # of the memory, from fewer to all

SPREAD = """
update member m set organisation = o.id
from (select id, row_number() over (order by id) - 1 as at, count(*) over () as size from organisation
      where district = $1) o
where m.district = $1 and o.at = abs(hashtext(m.id::text)) % o.size
"""
ORGANISERS = """
insert into member_role (district, member, role, scope_kind, scope)
select distinct on (m.organisation) $1::int, m.id, 'organiser', 'organisation', m.organisation::text
from member m where m.district = $1 order by m.organisation, m.id
"""
MAKE = """
insert into rating_round (district, id, version, instrument, instrument_version, subject_kind, text_version, period,
  starts_on, ends_on, scope_kind, scope, peers, seed, late_leaders, stars_public, organiser, opens_at, self_until,
  people_until, peers_until, leaders_until, first_at, appeals_until, decisions_until, recorded_at)
select $1, $2, 1, $3, $4, 'member', 1, 'quarter', $5, $6, 'district', '', 3, 7, false, false, $7, at,
  at + interval '1 hour', at + interval '2 hours', at + interval '3 hours', at + interval '4 hours',
  at + interval '5 hours', at + interval '20 days', at + interval '30 days', at
from (select $8::timestamptz as at) opened
"""
# Every rater hands in one of the sheets of their group; of every tenth subject five of the people do.
RATINGS = """
insert into rating (district, round, subject, id, rater_group, rater, way, version, points, request, given_at,
  recorded_at)
select $1, $2, a.subject, gen_random_uuid(), a.rater_group, a.rater, a.way, 1, s.points, '\\x00', $3, $3
from (
  select subject, rater_group, rater, 'session' as way from round_rater where district = $1 and round = $2
  union all
  select subject, 'people', null, 'code' from round_subject, generate_series(1, 5)
  where district = $1 and round = $2 and hashtext(subject::text) % 10 = 0
) a
join sheet s on s.rater_group = a.rater_group
  and s.at = abs(hashtext(a.subject::text || coalesce(a.rater::text, ''))) % $4
"""
PUT_DOWN = """
insert into round_computation (district, round, version, kind, taken_at, known_at, recorded_at)
values ($1, $2, 1, 'first', $3, $3, $3)
"""


READ = "select subject, rater_group, points from rating where round = $1"


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure rounds of fewer members and of all, each in a process of its own."""
    base = await server.copy(cluster, "bench_rounds")
    now = datetime.now(UTC).replace(microsecond=0)
    instrument = scorecard()
    await _prepare(base.owner, instrument, now)
    conn = await database.connect(base.owner)
    few, _ = await _round(conn, instrument, now, FEWER)
    all_, drawn = await _round(conn, instrument, now, MEMBERS)
    await conn.execute("vacuum analyze")
    small = await asyncio.to_thread(_apart, base.program, few, now)
    whole = await asyncio.to_thread(_apart, base.program, all_, now)
    ceiling = await _copied(conn, all_)
    ratings = await conn.fetchval("select count(*) from rating where round = $1", all_)
    await conn.close()
    return [
        Figure(what=f"drawing who rates {MEMBERS:,} members", figure=f"{drawn:.1f} s"),
        Figure(
            what=f"a round of {MEMBERS:,} members × {len(instrument.items)} items, {ratings:,} ratings, facts included",
            figure=f"{whole[0]:.1f} s",
            ceiling=f"{ceiling:.1f} s, its ratings read and its results copied",
            ratio=ceiling / whole[0],
            wanted=f"≤ {WANTED_S} s",
            met=whole[0] <= WANTED_S,
        ),
        Figure(
            what=f"memory at its height, {MEMBERS:,} against {FEWER:,} members",
            figure=f"{whole[1]:.0f} MB against {small[1]:.0f} MB",
            wanted=f"≤ {GROWTH} ×",
            met=whole[1] <= GROWTH * small[1],
        ),
    ]


def scorecard() -> Instrument:
    """The shipped one of 110 items, five of them facts, for members."""
    street = next(one for one in shipped_instruments.every() if len(one.items) == 110)
    return msgspec.structs.replace(street, id="bench", subject_kind="member")


async def _prepare(owner: str, instrument: Instrument, now: datetime) -> None:
    conn = await database.connect(owner)
    await conn.execute("set session_replication_role = replica")
    await conn.execute("set statement_timeout = 0")
    organisation = await conn.fetchval("select organisation from member where district = $1 limit 1", DISTRICT)
    further = (district.FIRST_MEMBER + 5_000, organisation, now - district.LONG_AGO, MEMBERS - 5_001)
    await conn.execute(district.MEMBERS.replace("at::text,", "(5000 + at)::text,"), DISTRICT, *further)
    await conn.close()
    await many_doors.write(owner, DOORS, VISITS)
    conn = await database.connect(owner)
    await conn.execute("set session_replication_role = replica")
    await conn.execute("set statement_timeout = 0")
    await many_issues.write_issues(conn, ISSUES, now)
    await conn.execute(SPREAD, DISTRICT)
    await conn.execute(ORGANISERS, DISTRICT)
    async with conn.transaction():
        await instruments.publish(conn, DISTRICT, instrument, Actor("program", "bench"), now)
    await conn.execute("vacuum analyze")
    await conn.close()


async def _round(conn: asyncpg.Connection, instrument: Instrument, now: datetime, members: int) -> tuple[UUID, float]:
    """A round that so many members were rated in, and how long it took to draw by whom."""
    id_, opened = uuid4(), now - timedelta(hours=5)
    first = date(now.year, (now.month - 1) // 3 * 3 + 1, 1)
    last = round_steps.Period("quarter", first).last
    about = (instrument.id, instrument.version, first, last, district.LEADER, opened)
    await conn.execute("set statement_timeout = 0")
    await conn.execute(MAKE, DISTRICT, id_, *about)
    started = time.perf_counter()
    async with conn.transaction():
        await raters.draw(conn, await rounds.one(conn, DISTRICT, id_), opened)
    took = time.perf_counter() - started
    if members < MEMBERS:
        kept = "select subject from round_subject where round = $1 order by subject limit $2"
        for table in ("round_rater", "round_subject"):
            await conn.execute(f"delete from {table} where round = $1 and subject not in ({kept})", id_, members)
    await rate(conn, id_, instrument, opened)
    await conn.execute(PUT_DOWN, DISTRICT, id_, now)
    return id_, took


async def rate(conn: asyncpg.Connection, round_: UUID, instrument: Instrument, at: datetime) -> None:
    chance = Random(7)  # noqa: S311 - what they are given is no secret
    await conn.execute("create temporary table if not exists sheet (rater_group text, at int, points int[])")
    await conn.execute("truncate sheet")
    sheets = [(group, at_, _sheet(instrument, group, chance)) for group in GROUPS for at_ in range(SHEETS)]
    await conn.copy_records_to_table("sheet", records=sheets)
    await conn.execute(RATINGS, DISTRICT, round_, at, SHEETS)


def _sheet(instrument: Instrument, group: Group, chance: Random) -> list[int | None]:
    return [
        chance.randint(0, int(item.maximum * 100)) * FINE // 100 if group in item.raters else None
        for item in instrument.items
    ]


def _apart(dsn: str, round_: UUID, now: datetime) -> tuple[float, float]:
    """Work a round out in a process that has done nothing else: seconds, and megabytes at the height."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_work_out, dsn, round_, now).result()


def _work_out(dsn: str, round_: UUID, now: datetime) -> tuple[float, float]:
    async def work() -> float:
        async with database.connected(dsn) as conn:
            started = time.perf_counter()
            await results.work_out(conn, DISTRICT, round_, uuid4(), now)
            return time.perf_counter() - started

    took = asyncio.run(work())
    return took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _copied(conn: asyncpg.Connection, round_: UUID) -> float:
    """The same ratings read, and the same results written, with nothing in between."""
    rows: list[Any] = await conn.fetch("select * from round_result where round = $1", round_)
    await conn.execute("create table bare_result (like round_result including all)")
    started = time.perf_counter()
    async with conn.transaction():
        async for _ in conn.cursor(
            "select subject, rater_group, points from rating where round = $1", round_, prefetch=1_500
        ):
            pass
    await conn.copy_records_to_table("bare_result", records=[tuple(row) for row in rows])
    return time.perf_counter() - started

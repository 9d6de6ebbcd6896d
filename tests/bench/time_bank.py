"""The time bank under load: minutes passed on over 16 connections, every second time from one and the same account.

The ceiling writes the same rows by one bare statement with all values as parameters, and keeps the balances itself: no
rule, no lock in order, no sum that is checked, no retry that is known."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg

from api import database
from api.embedded_postgres import Cluster
from surveys.history import Actor, request_digest
from surveys.volunteering import time_bank, time_ledger, time_sums
from surveys.volunteering.time_bank import PassOn, Served
from surveys.volunteering.time_ledger import Line, Transaction
from tests.bench import server
from tests.bench.district import DISTRICT
from tests.bench.figures import Figure
from tests.bench.server import Database

CONNECTIONS = 16
VOLUNTEERS = 400  # each with a relative; the first is in every second transaction
TRANSACTIONS = 1_600  # of one turn
TURNS = 3
WANTED = 0.4
ACTOR = Actor("program", "bench")
NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)

FOUND = """
with v as (
  insert into volunteer (district, id, version, number, joined_at, recorded_at)
  select $1, id, 1, 'V' || at, $3, $3 from unnest($2::uuid[]) with ordinality as n(id, at)
), a as (
  insert into time_account (district, id, version, kind, volunteer, opened_at, recorded_at)
  select $1, id, 1, 'volunteer', id, $3, $3 from unnest($2::uuid[]) id
)
insert into time_account (district, id, version, kind, volunteer, relation, text_version, opened_at, recorded_at)
select $1, r.id, 1, 'relative', v.id, 'parent', 1, $3, $3
from unnest($2::uuid[]) with ordinality v(id, at) join unnest($4::uuid[]) with ordinality r(id, at) using (at)
"""
BARE = """
with t as (
  insert into time_transaction (district, id, kind, minutes, lines, served, happened_at, recorded_at, request)
  values ($1, $2, 'pass_on', $3, 2, 0, $4, $4, $5)
), e as (
  insert into time_entry (district, transaction, line, account, minutes, happened_at, recorded_at)
  values ($1, $2, 1, $6, -$3::int, $4, $4), ($1, $2, 2, $7, $3, $4, $4)
), h as (
  insert into history (district, id, kind, thing, version, event, actor_kind, actor, happened_at, recorded_at, request,
                       facts)
  values ($1, $2, 'time', $2, 1, 'pass_on', 'program', 'bench', $4, $4, $5, $8)
)
update time_account set balance = balance + case when id = $6 then -$3::int else $3 end, lowest = least(0, balance)
where district = $1 and id in ($6, $7)
"""
Pair = tuple[UUID, UUID]  # a volunteer and their relative
Work = Callable[[asyncpg.Connection, Pair], Awaitable[object]]


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Transactions a second beside the bare loop, in turns, and services earned beside it."""
    base, bare = await _founded(cluster, "bench_time"), await _founded(cluster, "bench_time_bare")
    owner = await asyncpg.connect(bare[0].owner)
    await owner.execute("alter table time_entry disable trigger time_entries_are_booked")
    await owner.close()
    passed, written, earned = [], [], []
    for _ in range(TURNS):
        written.append(await _loop(bare[0].owner, bare[1], _bare))
        passed.append(await _loop(base[0].program, base[1], _pass_on))
        earned.append(await _loop(base[0].program, base[1], _earn))
    await _sound(base[0])
    ceiling = statistics.median(written)
    return [
        _figure("time bank: minutes passed on, 16 connections, one hot account", statistics.median(passed), ceiling),
        _figure(
            "time bank: services earned one at a time, the same accounts", statistics.median(earned), ceiling, False
        ),
    ]


def _figure(what: str, found: float, ceiling: float, promised: bool = True) -> Figure:
    ratio = found / ceiling
    return Figure(
        what=what,
        figure=f"{found:,.0f}/s",
        ceiling=f"{ceiling:,.0f}/s, a bare asyncpg loop",
        ratio=ratio,
        wanted=f"≥ {WANTED}" if promised else "",
        met=ratio >= WANTED if promised else None,
    )


async def _founded(cluster: Cluster, name: str) -> tuple[Database, list[Pair]]:
    base = await server.copy(cluster, name)
    pairs = [(uuid4(), uuid4()) for _ in range(VOLUNTEERS)]
    conn = await base.connect()
    volunteers, relatives = [one for one, _ in pairs], [one for _, one in pairs]
    await conn.execute(FOUND, DISTRICT, volunteers, NOW, relatives)
    await time_ledger.book(conn, DISTRICT, [_gift(one) for one in volunteers], NOW)
    await conn.close()
    await server.analyze(base)
    return base, pairs


def _gift(volunteer: UUID) -> Transaction:
    lines = (Line(minutes=1_000_000, account=volunteer), Line(minutes=-1_000_000, system="issued"))
    return Transaction(
        id=uuid4(),
        kind="earn",
        minutes=1_000_000,
        lines=lines,
        happened_at=NOW,
        request=request_digest(volunteer),
        actor=ACTOR,
    )


def _turns(pairs: list[Pair]) -> Iterator[Pair]:
    """Every second time the hot account, and every other one in turn between."""
    others = itertools.cycle(pairs[1:])
    return (pairs[0] if at % 2 else next(others) for at in range(TRANSACTIONS))


async def _loop(dsn: str, pairs: list[Pair], work: Work) -> float:
    waiting = _turns(pairs)
    conns = await asyncio.gather(*(database.connect(dsn) for _ in range(CONNECTIONS)))

    async def one_after_another(conn: asyncpg.Connection) -> None:
        for pair in waiting:
            await work(conn, pair)

    started = time.perf_counter()
    await asyncio.gather(*(one_after_another(conn) for conn in conns))
    seconds = time.perf_counter() - started
    await asyncio.gather(*(conn.close() for conn in conns))
    return TRANSACTIONS / seconds


async def _bare(conn: asyncpg.Connection, pair: Pair) -> None:
    id_ = uuid4()
    await conn.execute(BARE, DISTRICT, id_, 1, NOW, id_.bytes * 2, *pair, {"minutes": 1, "accounts": pair})


async def _pass_on(conn: asyncpg.Connection, pair: Pair) -> None:
    volunteer, relative = pair
    draft = PassOn(id=uuid4(), minutes=1, from_account=volunteer, to_account=relative)
    async with conn.transaction():  # as a request has it
        await time_bank.pass_on(conn, DISTRICT, volunteer, draft, ACTOR, NOW)


_starts = itertools.count()


async def _earn(conn: asyncpg.Connection, pair: Pair) -> None:
    begun = datetime.fromtimestamp(1_000_000_000 + next(_starts) * 86_400, UTC)
    served = Served(
        id=uuid4(),
        volunteer=pair[0],
        service=uuid4(),
        starts_at=begun,
        ends_at=datetime.fromtimestamp(begun.timestamp() + 60, UTC),
    )
    async with conn.transaction():
        await time_bank.earn(conn, DISTRICT, [served], ACTOR, NOW)


async def _sound(base: Database) -> None:
    conn = await base.connect()
    check = await time_sums.check(conn, DISTRICT)
    await conn.close()
    if check.total or check.wrong:
        raise RuntimeError(f"the ledger does not add up: {check}")

"""What people wait for of a round is answered from indexes: who is missing, whom the people rate, what one has to rate,
and how one did, among the rounds of years."""

import json
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from api import database
from surveys.assessments import rating_context, round_progress, round_results, round_tasks, rounds
from surveys.assessments.rounds import Organised
from tests import rating_rounds
from tests.bench import rounds as bench_rounds
from tests.conftest import ADMINISTRATOR, DISTRICT, MEMBER, NOW, ORGANISATION, Server, founded
from tests.surveys.test_query_plans import Asking, nodes, plans

pytestmark = pytest.mark.anyio

LARGE = {"round_rater", "round_subject", "rating", "rating_code", "round_result"}
MEMBERS, ROUNDS = 1_500, 8
# Everybody of the tests' district and a great many others are asked by themselves, four peers and a leader.
PEOPLE = """
insert into member (district, id, number, name, organisation, joined_at)
select $1, lpad(to_hex(1000000 + at), 32, '0')::uuid, (5000 + at)::text, '党员' || at, $2, $3
from generate_series(1, $4::int) at
"""
SUBJECTS = """
insert into round_subject (district, round, subject, organisation)
select $1, r.id, m.id, m.organisation from rating_round r, member m where r.district = $1 and m.district = $1
"""
RATERS = """
with ring as (select id, row_number() over (order by id) - 1 as at, count(*) over () as size from member
  where district = $1)
insert into round_rater (district, round, subject, rater_group, rater)
select $1, r.id, m.id, case g when 0 then 'self' when 5 then 'leaders' else 'peers' end, other.id
from rating_round r, ring m, generate_series(0, 5) g, ring other
where r.district = $1 and other.at = (m.at + g) % m.size
"""
# Two in three have rated.
RATINGS = """
insert into rating (district, round, subject, id, rater_group, rater, way, version, points, request, given_at,
  recorded_at)
select district, round, subject, gen_random_uuid(), rater_group, rater, 'session', 1, '{10000,10000,10000,10000}',
  '\\x00', $1, $1
from round_rater where abs(hashtext(subject::text || rater::text)) % 3 > 0
"""
CODES = """
insert into rating_code (district, digest, round, subject, made_at)
select district, sha256((round::text || subject::text)::bytea), round, subject, $1 from round_subject
"""
COMPUTED = """
insert into round_computation (district, round, version, kind, subjects, digest, taken_at, known_at, ready_at,
  recorded_at)
select district, id, 1, 'first', 1500, sha256(''), $1, $1, $1, $1 from rating_round
"""
RESULTS = """
insert into round_result (district, round, version, subject, percent, headings, items, counts, sums, facts, appealed,
  rank, stars)
select district, round, 1, subject, 800000, '{1,1,1}', '{1,1,1,1}', '{}', '{}', '{}', '{}',
  row_number() over (partition by round order by subject), 4
from round_subject
"""


@pytest.fixture(scope="module")
async def conn(server: Server, template: str) -> AsyncIterator[asyncpg.Connection]:
    """A district with eight rounds of some 1,500 members and 72,000 raters, of which PostgreSQL knows."""
    async with founded(server, template) as dsn:
        name = dsn.split("?", maxsplit=1)[0].rsplit("/", maxsplit=1)[1]
        owner = await database.connect(server.dsn(name=name))
        await owner.execute("set session_replication_role = replica")
        await owner.execute(PEOPLE, DISTRICT, ORGANISATION, NOW - timedelta(days=900), MEMBERS)
        card = await rating_rounds.publish(owner)
        for number in range(ROUNDS):
            opens = NOW - timedelta(days=90 * number, hours=3)
            about = (card.id, card.version, date(2026, 7, 1), date(2026, 9, 30), ADMINISTRATOR.id, opens)
            await owner.execute(bench_rounds.MAKE, DISTRICT, UUID(int=500 + number), *about)
        await owner.execute(SUBJECTS, DISTRICT)
        await owner.execute(RATERS, DISTRICT)
        for statement in (RATINGS, CODES, COMPUTED):
            await owner.execute(statement, NOW)
        await owner.execute(RESULTS)
        await owner.execute("set session_replication_role = origin")
        await owner.execute("vacuum analyze")
        await owner.close()
        opened = await database.connect(dsn)
        yield opened
        await opened.close()


async def organised(conn: asyncpg.Connection) -> Organised:
    return await rounds.organised(conn, rating_rounds.reader_of(ADMINISTRATOR), UUID(int=500))


async def read_by_index(conn: asyncpg.Connection, ask: Asking) -> None:
    """A large table that is read from its beginning to its end fails, and so does an index that is gone through for
    more than one round."""
    for plan in await plans(conn, ask):
        for node in nodes(plan):
            if node.get("Relation Name") not in LARGE:
                continue
            assert node["Node Type"] != "Seq Scan", json.dumps(plan, indent=1)[:6_000]
            if node["Node Type"] in ("Index Scan", "Index Only Scan"):
                assert "round" in node.get("Index Cond", "") or "rater" in node.get("Index Cond", ""), node


async def test_there_is_enough_to_plan_for(conn: asyncpg.Connection) -> None:
    assert await conn.fetchval("select count(*) from round_rater") > 70_000
    assert await conn.fetchval("select count(*) from rating") > 40_000
    assert (await round_progress.missing(conn, await organised(conn), None)).next


GROUPS: dict[str, Any] = {"all": None, "leaders": "leaders", "themselves": "self"}


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS.keys())
async def test_who_is_missing_comes_from_indexes(conn: asyncpg.Connection, group: Any) -> None:
    found = await organised(conn)
    first = await round_progress.missing(conn, found, group, limit=20)
    assert first.next
    await read_by_index(conn, lambda conn: round_progress.missing(conn, found, group, limit=20))
    await read_by_index(conn, lambda conn: round_progress.missing(conn, found, group, limit=20, cursor=first.next))


async def test_a_rounds_people_come_from_indexes(conn: asyncpg.Connection) -> None:
    found, who = await organised(conn), rating_rounds.reader_of(ADMINISTRATOR)
    await read_by_index(conn, lambda conn: rating_context.by_people(conn, found, "", 100))
    await read_by_index(conn, lambda conn: rating_context.by_people(conn, found, "党员77", 100))
    await read_by_index(conn, lambda conn: round_progress.of(conn, found))
    await read_by_index(conn, lambda conn: round_results.page(conn, who, found.round.id, limit=20))


async def test_what_is_ones_own_comes_from_indexes(conn: asyncpg.Connection) -> None:
    who = rating_rounds.reader_of(MEMBER)
    assert await round_tasks.of_reader(conn, who, NOW)
    assert len(await round_tasks.own_results(conn, who)) == ROUNDS
    await read_by_index(conn, lambda conn: round_tasks.of_reader(conn, who, NOW))
    await read_by_index(conn, lambda conn: round_tasks.own_results(conn, who))

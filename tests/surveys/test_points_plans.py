"""What people wait for of points is answered from indexes: a month's deeds among those of two years, and a page of a
board among those of many months."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from api import database
from surveys.volunteering import points, points_boards, points_rules
from surveys.volunteering.points import Question
from tests.conftest import DISTRICT, MEMBER, NOW, Server, founded
from tests.surveys import deeds_at_hand
from tests.surveys.test_points import ZONE
from tests.surveys.test_query_plans import Asking, nodes, plans

pytestmark = pytest.mark.anyio

LARGE = {"time_transaction", "points_board_row", "volunteer"}
VOLUNTEERS = """
insert into volunteer (district, id, version, number, joined_at, recorded_at)
select $1, gen_random_uuid(), 1, 'V' || n, $2::timestamptz, $2::timestamptz from generate_series(1, 1000) n
"""
SERVICES = """
insert into service (district, id, version, team, kind, state, starts_at, ends_at, places, waiting_places, certainty,
  text_version, announced_by, announced_at, helped, reported_by, reported_at, confirmed_by, confirmed_at, recorded_at)
select $1, gen_random_uuid(), 1, $2, 'arts', 'confirmed', a.at, a.at + interval '2 hours', 50, 10, 'unplaced', 1, $3,
  a.at, 9, $3, a.at, $3, a.at, a.at
from (select $4::timestamptz - n * interval '7 hours' as at from generate_series(1, 2500) n) a
"""
SERVED = """
insert into time_transaction (district, id, kind, minutes, lines, volunteer, served, service, happened_at, recorded_at,
  request)
select $1, gen_random_uuid(), 'earn', 60, 2, v.id, 60, s.id, s.starts_at, s.starts_at, ''
from (select id, starts_at, row_number() over (order by starts_at) as at from service where district = $1) s
join (select id, row_number() over (order by number) as at from volunteer where district = $1) v
  on (v.at + s.at) % 100 = 0
"""
BOARDS = """
insert into points_rules (district, version, id, valid_from, body, published_at, published_by)
values ($1, 1, gen_random_uuid(), '2020-01-01', '{}', $2, $3)
"""
MONTHS = """
insert into points_board (district, id, month, version, rules, as_of, known_at, deeds, minutes, helped, published_at,
  published_by)
select $1, gen_random_uuid(), m, 1, 1, (m + interval '1 month - 1 day')::date, $2, 1, 1, 1, $2, $3
from generate_series('2024-01-01'::date, '2026-09-01'::date, interval '1 month') m
"""
ROWS = """
insert into points_board_row (district, board, volunteer, place, points, deeds, minutes, helped)
select b.district, b.id, v.id, row_number() over (partition by b.id order by v.number), 100, 1, 60, 9
from points_board b join volunteer v on v.district = b.district where b.district = $1
"""


@pytest.fixture(scope="module")
async def conn(server: Server, template: str) -> AsyncIterator[asyncpg.Connection]:
    """A district with 25,000 transactions of two years and boards with 33,000 rows, of which PostgreSQL knows."""
    async with founded(server, template) as dsn:
        opened = await database.connect(dsn)
        await deeds_at_hand.team(opened)
        await opened.execute(VOLUNTEERS, DISTRICT, NOW - timedelta(days=900))
        await opened.execute(SERVICES, DISTRICT, deeds_at_hand.TEAM, MEMBER.id, NOW)
        await opened.execute(SERVED, DISTRICT)
        for statement in (BOARDS, MONTHS):
            await opened.execute(statement, DISTRICT, NOW, MEMBER.id)
        await opened.execute(ROWS, DISTRICT)
        owner = await asyncpg.connect(server.dsn(name=await opened.fetchval("select current_database()")))
        await owner.execute("vacuum analyze")
        await owner.close()
        yield opened
        await opened.close()


def question() -> Question:
    return Question(
        district=DISTRICT,
        month=date(2026, 10, 1),
        as_of=date(2026, 10, 31),
        known_at=NOW,
        rules=points_rules.PROPOSED,
        zone=ZONE,
    )


async def indexes(conn: asyncpg.Connection, ask: Asking) -> set[str]:
    used = set()
    for plan in await plans(conn, ask):
        for node in nodes(plan):
            assert not (node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE), node
            used |= {node["Index Name"]} if "Index Name" in node else set()
    return used


async def test_a_month_is_counted_from_its_deeds_alone(conn: asyncpg.Connection) -> None:
    async def everybody(conn: asyncpg.Connection) -> Any:
        return await points.of_people(conn, question())

    people = await everybody(conn)
    assert len(people) == 1_000
    assert "time_transaction_served" in await indexes(conn, everybody)
    assert "time_transaction_served" in await indexes(
        conn, lambda conn: points.reasons(conn, question(), [people[0].volunteer])
    )


async def test_a_page_of_a_board_comes_in_its_order_from_an_index(conn: asyncpg.Connection) -> None:
    board = await points_boards.board(conn, DISTRICT, date(2026, 9, 1))
    assert board is not None
    used = await indexes(conn, lambda conn: points_boards.rows(conn, DISTRICT, board.id, 1, 33))
    assert used == {"points_board_row_by_place"}
    own = await points_boards.rows(conn, DISTRICT, board.id)
    used = await indexes(conn, lambda conn: points_boards.of_volunteer(conn, DISTRICT, own[0].volunteer))
    assert used & {"points_board_row_by_volunteer", "points_board_row_pkey"}

"""The lists that team leaders open every day are answered from indexes: teams, volunteers, and whom to ask how a
service was, in a district of the size that it is built for, with the texts and bookings of some years."""

import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from api import database
from surveys.volunteering import services_to_ask, skills, team_lists, volunteer_lists
from surveys.volunteering.team_lists import TeamFilters
from surveys.volunteering.volunteer_lists import VolunteerFilters
from tests import volunteers
from tests.conftest import (
    ADMINISTRATOR,
    DISTRICT,
    MEMBER,
    NEAR,
    NOW,
    ORGANISATION,
    RING,
    WORKER,
    Person,
    Server,
    founded,
)
from tests.surveys.test_query_plans import Asking, nodes, plans
from tests.time_banking import reader

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("Asia/Shanghai")
TEAMS, VOLUNTEERS, TEXTS, SERVICES, ASKED = 260, 6_800, 60_000, 5_000, 80_000
LED = UUID(hashlib.md5(b"team 1").hexdigest())  # noqa: S324 - an id, the team that the member leads
LARGE = {"text_version", "booking", "service_return_visit"}  # what grows with the years
SERVING = LARGE | {"volunteer", "team_volunteer", "volunteer_skill", "volunteer_hours"}  # and with who serves

PEOPLE = """
insert into volunteer (district, id, version, number, community, text_version, joined_at, recorded_at)
select $1, md5('volunteer ' || n)::uuid, 1, 'V' || 100000 + n, case when n % 40 = 0 then $2 end, 1, $3, $3
from generate_series(1, $4) n
"""
FOUNDED = """
insert into volunteer_team (district, id, version, kind, organisation, text_version, founded_at, recorded_at)
select $1, md5('team ' || n)::uuid, 1, 'arts', $2, 1, $3, $3 from generate_series(1, $4) n
"""
JOINED = """
insert into team_volunteer (district, team, volunteer, joined_at, recorded_at)
select $1, md5('team ' || 1 + n % $2)::uuid, md5('volunteer ' || n)::uuid, $3, $3 from generate_series(1, $4) n
"""
# Titles of issues among the names.
CALLED = """
insert into text_version (district, subject, version, body, salt, digest, recorded_at)
select $1, md5(kind || ' ' || n)::uuid, 1, jsonb_build_object('name', kind || n), '', '', $2
from (values ('volunteer', $3::int), ('team', $4::int), ('issue', $5::int)) k(kind, count), generate_series(1, count) n
"""
ABLE = """
insert into volunteer_skill (district, volunteer, skill)
select $1, md5('volunteer ' || n)::uuid, ($2::uuid[])[1 + n % 20] from generate_series(1, $3) n
"""
FREE = """
insert into volunteer_hours (district, volunteer, weekday, starts, ends)
select $1, md5('volunteer ' || n)::uuid, 1 + n % 7, 540, 660 from generate_series(1, $2) n
"""
HELD = """
insert into service (district, id, version, team, kind, state, starts_at, ends_at, places, waiting_places, certainty,
  community, text_version, announced_by, announced_at, helped, reported_by, reported_at, confirmed_by, confirmed_at,
  recorded_at)
select $1, md5('service ' || n)::uuid, 1, md5('team ' || 1 + n % $2)::uuid, 'arts', 'confirmed', a.at,
  a.at + interval '2 hours', 50, 10, 'unplaced', $3, 1, $4, a.at, 9, $4, a.at, $4, a.at, a.at
from generate_series(1, $5) n, lateral (select $6::timestamptz - n * interval '6 hours' as at) a
"""
BOOKED = """
insert into booking (district, id, version, service, number, state, persons, via, member, booked_at, placed_at,
  recorded_at)
select $1, md5('booking ' || n)::uuid, 1, md5('service ' || 1 + n % $2)::uuid, n, 'came', 1, 'desk', $3, $4, $4, $4
from generate_series(1, $5) n
"""
# The last few are open, the others were asked long ago.
TOLD = """
insert into service_return_visit (district, id, service, booking, state, invited_at, closes_at, ended_at)
select $1, b.id, b.service, b.id, case when b.number <= 100 then 'invited' else 'lapsed' end, $2,
  $2::timestamptz + interval '15 days', case when b.number > 100 then $2::timestamptz end
from booking b where b.district = $1
"""


@pytest.fixture(scope="module")
async def conn(server: Server, template: str) -> AsyncIterator[asyncpg.Connection]:
    """260 teams with 6,800 volunteers, the 5,000 services of some years, and who came: all were asked how it was, and
    of a hundred it is open."""
    async with founded(server, template) as dsn:
        opened = await database.connect(dsn)
        await settle(opened)
        owner = await asyncpg.connect(server.dsn(name=await opened.fetchval("select current_database()")))
        await owner.execute("vacuum analyze")
        await owner.close()
        yield opened
        await opened.close()


async def settle(conn: asyncpg.Connection) -> None:
    long_ago = NOW - timedelta(days=900)
    await conn.execute(PEOPLE, DISTRICT, NEAR, long_ago, VOLUNTEERS)
    await conn.execute(FOUNDED, DISTRICT, ORGANISATION, long_ago, TEAMS)
    await conn.execute(JOINED, DISTRICT, TEAMS, long_ago, VOLUNTEERS)
    await conn.execute(CALLED, DISTRICT, long_ago, VOLUNTEERS, TEAMS, TEXTS)
    ids = await skills.ids(conn, DISTRICT, [f"技能{n}" for n in range(20)], long_ago)
    await conn.execute(ABLE, DISTRICT, list(ids.values()), VOLUNTEERS)
    await conn.execute(FREE, DISTRICT, VOLUNTEERS)
    await conn.execute(HELD, DISTRICT, TEAMS, NEAR, MEMBER.id, SERVICES, NOW)
    await conn.execute(BOOKED, DISTRICT, SERVICES, MEMBER.id, NOW, ASKED)
    await conn.execute(TOLD, DISTRICT, NOW)
    leads = await volunteers.serving_one(conn, MEMBER.id)
    await conn.execute("update volunteer_team set leader = $2 where district = $1 and id = $3", DISTRICT, leads, LED)


async def indexes(conn: asyncpg.Connection, ask: Asking, large: set[str] = SERVING) -> set[str]:
    """The indexes used; a large table that is read from its beginning to its end fails."""
    found = [node for plan in await plans(conn, ask) for node in nodes(plan)]
    read_whole = {node["Relation Name"] for node in found if node["Node Type"] == "Seq Scan"}
    assert read_whole & large == set()
    return {node["Index Name"] for node in found if "Index Name" in node}


WHO = {"a team's leader": MEMBER, "a community's worker": WORKER, "the administrator": ADMINISTRATOR}
by_standing = pytest.mark.parametrize("who", WHO.values(), ids=WHO.keys())


@by_standing
async def test_a_page_of_teams_reads_who_is_in_those_alone(conn: asyncpg.Connection, who: Person) -> None:
    for filters in (TeamFilters(), TeamFilters(mine=True), TeamFilters(text="team1", community=NEAR)):
        used = await indexes(conn, partial(team_lists.page, reader=reader(who), filters=filters))
        assert "text_version_pkey" in used, used


@by_standing
async def test_teams_in_which_somebody_can_do_it_or_is_free_are_found_by_that(
    conn: asyncpg.Connection, who: Person
) -> None:
    able = await conn.fetchval("select id from skill limit 1")
    asked = {
        "volunteer_skill_by_skill": TeamFilters(skill=able),
        "volunteer_hours_by_weekday": TeamFilters(weekday=6),
    }
    for index, filters in asked.items():
        used = await indexes(conn, partial(team_lists.page, reader=reader(who), filters=filters), LARGE)
        assert {index, "text_version_pkey"} <= used, used


# What is asked for, and the index that it comes from: whoever looks after the whole district walks along the numbers.
VOLUNTEER_LISTS = {
    "the administrator's, all": (ADMINISTRATOR, VolunteerFilters(), "volunteer_number_unique"),
    "the administrator's, free on a day": (
        ADMINISTRATOR,
        VolunteerFilters(weekday=6, community=NEAR),
        "volunteer_hours_by_weekday",
    ),
    "the administrator's, of a team": (ADMINISTRATOR, VolunteerFilters(team=LED), "team_volunteer_pkey"),
    "a leader's, all": (MEMBER, VolunteerFilters(), "team_volunteer_once"),
    "a leader's, of their team": (MEMBER, VolunteerFilters(team=LED), "team_volunteer_pkey"),
    "a worker's, all": (WORKER, VolunteerFilters(), "text_version_pkey"),
    "a worker's, of their community": (WORKER, VolunteerFilters(community=NEAR), "volunteer_by_community"),
}


@pytest.mark.parametrize(("who", "filters", "index"), VOLUNTEER_LISTS.values(), ids=VOLUNTEER_LISTS.keys())
async def test_volunteers_come_from_an_index(
    conn: asyncpg.Connection, who: Person, filters: VolunteerFilters, index: str
) -> None:
    ask = partial(volunteer_lists.page, ring=RING, reader=reader(who), filters=filters, zone=ZONE, now=NOW, total=False)
    assert (await ask(conn)).items
    used = await indexes(conn, ask, LARGE)
    assert index in used, used


@by_standing
async def test_whom_to_ask_is_read_from_those_that_are_open(conn: asyncpg.Connection, who: Person) -> None:
    ask = partial(services_to_ask.page, reader=reader(who), now=NOW)
    assert (await ask(conn)).total == 100
    used = await indexes(conn, ask, LARGE)
    assert {"service_return_visit_open", "booking_pkey"} <= used, used

"""Coverage over HTTP: what it counts, that each figure opens the doors that it counts, and who is told what."""

import random
from collections.abc import Sequence
from typing import Any, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from surveys.coverage import coverage, coverage_query, coverage_reach, coverage_sums
from surveys.coverage.coverage import By
from surveys.coverage.coverage_query import Filters
from surveys.people.people import Grant, Reader
from tests import doors
from tests.conftest import (
    AUDITOR,
    BESIDE,
    DISTRICT,
    FAR,
    LEADER,
    MEMBER,
    MEMBER_BESIDE,
    NEAR,
    NEXT,
    NOW,
    ORGANISATION,
    ORGANISER_BESIDE,
    OTHER_WORKER,
    STREET_LEADER,
    WORKER,
    Client,
    Person,
    TestClock,
)
from tests.doors import Answer, read, refused
from tests.street import MERGED, MET_NEXT_DOOR, THREE_TIMES, walk

pytestmark = pytest.mark.anyio

BYS: tuple[By, ...] = get_args(By)
ZONE = ZoneInfo("Asia/Shanghai")
COVERAGE = "/api/campaigns/winter/coverage"
LISTED = ("not_yet", "not_home", "declined", "closed", "twice", "three_tries", "unheld", "unassigned")


@pytest.fixture
async def street(client: Client, conn: asyncpg.Connection) -> list[UUID]:
    return await walk(client, conn)


async def told(client: Client, who: Person = LEADER, **params: Any) -> Answer:
    return await read(client, who, COVERAGE, **params)


def counts(row: Answer) -> dict[str, int]:
    """The figures of a row, without their lists."""
    shares = {name: row[name]["numerator"] for name in ("visited", "met")}
    return {"doors": row["doors"]} | shares | {name: row[name]["count"] for name in LISTED}


def by_key(table: Answer) -> dict[str, dict[str, int]]:
    return {row["key"]: counts(row) for row in table["rows"]}


async def sum_up(conn: asyncpg.Connection) -> int:
    """Let the job make all sums that are lacking; how many communities it took."""
    made = 0
    while True:
        async with conn.transaction(isolation="repeatable_read"):
            count = await coverage_sums.renew(conn, DISTRICT, ZONE, NOW)
        made += count
        if not count:
            return made


NOVEMBER = {
    "doors": 7,
    "visited": 5,
    "met": 2,
    "not_yet": 2,
    "not_home": 1,
    "declined": 1,
    "closed": 1,
    "twice": 3,
    "three_tries": 1,
    "unheld": 1,
    "unassigned": 1,
}


@pytest.mark.parametrize("summed_up", [False, True])
async def test_a_month_is_told(client: Client, conn: asyncpg.Connection, street: list[UUID], summed_up: bool) -> None:
    if summed_up:
        assert await sum_up(conn) == 4, "three communities, and none"
    table = await told(client)
    assert table["round"] == {
        "number": 2,
        "of": 6,
        "starts_at": "2026-10-31T16:00:00Z",
        "ends_at": "2026-11-30T16:00:00Z",
    }
    assert counts(table["total"]) == NOVEMBER
    assert table["total"]["met"]["rate"] == 2 / 7
    assert table["proposed"]["count"] == 1
    near = by_key(table)[NEAR]
    assert (near["doors"], near["visited"], near["met"], near["three_tries"]) == (4, 4, 2, 1)
    assert by_key(table)[FAR] == dict.fromkeys(NOVEMBER, 0) | {"doors": 1, "not_yet": 1, "unheld": 1, "unassigned": 1}
    days = by_key(await told(client, by="day"))
    assert {day: (row["visited"], row["met"]) for day, row in days.items()} == {
        "2026-11-03": (2, 0),
        "2026-11-04": (0, 1),
        "2026-11-05": (2, 0),
        "2026-11-20": (0, 1),
        "2026-11-21": (1, 0),
    }
    assert {row["doors"] for row in days.values()} == {7}
    members = {row["key"]: row for row in (await told(client, by="member"))["rows"]}
    assert (members[str(MEMBER.id)]["name"], members[str(MEMBER.id)]["doors"]) == (MEMBER.name, 5)
    assert members["none"]["doors"] == members["none"]["unheld"]["count"] == 1
    kinds = await told(client, by="kind", lang="en")
    assert [(row["name"], row["doors"]) for row in kinds["rows"]] == [("Enterprise", 1), ("Household", 1), ("Shop", 5)]


@pytest.mark.parametrize("summed_up", [False, True])
@pytest.mark.parametrize("looked_up", [20_000, 0])
async def test_every_figure_opens_the_doors_that_it_counts(
    client: Client,
    conn: asyncpg.Connection,
    street: list[UUID],
    monkeypatch: pytest.MonkeyPatch,
    summed_up: bool,
    looked_up: int,
) -> None:
    monkeypatch.setattr(coverage_reach, "MOST_HELD", looked_up)
    if summed_up:
        await sum_up(conn)
    for who in (LEADER, WORKER, STREET_LEADER, MEMBER, ORGANISER_BESIDE):
        for by in BYS if who in (LEADER, MEMBER) and looked_up else ("organisation", "day"):
            table = await told(client, who, by=by)
            figures = [{"count": table["proposed"]["count"], "href": table["proposed"]["href"]}]
            for row in (*table["rows"], table["total"]):
                figures += [row[name] for name in LISTED]
                figures.append({"count": row["doors"], "href": row["href"]})
                figures += [{"count": row[name]["numerator"], "href": row[name]["href"]} for name in ("visited", "met")]
            for figure in figures:
                page = doors.answered(await client.get(figure["href"], headers=who.headers), 200)
                assert (len(page["items"]), page["total"]) == (figure["count"], figure["count"]), figure


@pytest.mark.parametrize("summed_up", [False, True])
async def test_other_rounds_and_past_days(
    client: Client, conn: asyncpg.Connection, clock: TestClock, street: list[UUID], summed_up: bool
) -> None:
    if summed_up:
        await sum_up(conn)
    october = counts((await told(client, round=1))["total"])
    assert (october["doors"], october["visited"], october["met"]) == (7, 1, 1)
    tenth = await told(client, as_of="2026-11-10")
    assert tenth["until"] == "2026-11-10T16:00:00Z"
    total = counts(tenth["total"])
    assert (total["visited"], total["met"], total["not_home"], total["three_tries"]) == (4, 1, 1, 0)
    assert counts((await told(client, as_of="2026-10-31"))["total"]) == october, "the round of that day"
    clock.forward(days=10)
    december = await told(client)
    assert (december["round"]["number"], december["total"]["visited"]["numerator"]) == (3, 0)


async def test_a_door_is_told_with_its_state(client: Client, street: list[UUID]) -> None:
    items = {item["id"]: item for item in (await read(client, LEADER, "/api/campaigns/winter/doors"))["items"]}
    three = items[str(street[THREE_TIMES])]
    assert (three["name"], three["state"], three["tries"], three["visits"]) == ("三次无人", "not_home", 3, 3)
    assert (three["member"]["name"], three["visited_at"]) == (MEMBER.name, "2026-11-20T02:00:00Z")
    assert items[str(street[MET_NEXT_DOOR])]["state"] == "met", "what was filed next door counts here"
    assert str(street[MERGED]) not in items
    pages = await doors.every_page(client, LEADER, "/api/campaigns/winter/doors", limit=2)
    assert [item["id"] for item in pages] == list(items)
    assert pages[-1]["community"] is None
    refused_, met = [
        await read(client, LEADER, "/api/campaigns/winter/doors", state=state) for state in ("declined", "met")
    ]
    assert (refused_["total"], met["total"]) == (1, 2)


async def test_the_layers_of_a_map(client: Client, street: list[UUID]) -> None:
    areas = {one["id"]: one for one in (await read(client, LEADER, f"{COVERAGE}.geojson"))["features"]}
    assert areas[NEAR]["geometry"]["type"] in ("Polygon", "MultiPolygon")
    assert areas[NEAR]["properties"]["met_rate"] == 0.5
    assert areas[None]["geometry"] is None
    path = "/api/campaigns/winter/doors.geojson"
    points = await read(client, LEADER, path, bbox="113.60,34.70,113.62,34.71")
    assert len(points["features"]) == 5
    assert not points["more"]
    three = next(one for one in points["features"] if one["id"] == str(street[THREE_TIMES]))
    assert three["geometry"]["coordinates"] == [113.605, 34.705]
    assert three["properties"] == {
        "kind": "shop",
        "state": "not_home",
        "tries": 3,
        "proposed": False,
        "held": True,
    }, "and not a word of what it is called"
    refused(await client.get(path, headers=LEADER.headers), 422, "invalid_filter", "bbox")
    refused(await client.get(path, params={"bbox": "3,2,1"}, headers=LEADER.headers), 422, "invalid_filter", "bbox")


async def test_everybody_is_told_what_they_reach(client: Client, street: list[UUID]) -> None:
    reached = {who: (await told(client, who))["total"]["doors"] for who in (WORKER, OTHER_WORKER, STREET_LEADER)}
    assert reached == {WORKER: 4, OTHER_WORKER: 1, STREET_LEADER: 5}
    assert (await told(client, MEMBER_BESIDE))["total"]["doors"] == 1, "of the other organisation"
    response = await client.get(COVERAGE, headers=AUDITOR.headers)
    refused(response, 403, "not_allowed")
    for nowhere in ("nowhere", "%00", "%3Cimg%20onerror=1%3E"):
        refused(await client.get(f"/api/campaigns/{nowhere}/coverage", headers=LEADER.headers), 404, "not_found")


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"round": "7"}, "round"),
        ({"round": "0"}, "round"),
        ({"as_of": "0001-01-01"}, "as_of"),
        ({"member": "=cmd()"}, "member"),
        ({"community": "\x00"}, "community"),
        ({"state": "met"}, "state"),
        ({"bbox": "1,1,2,2"}, "bbox"),
        ({"figure": "met"}, "figure"),
        ({"day": "2026-11-20"}, "day"),
    ],
)
async def test_what_cannot_be_asked(client: Client, street: list[UUID], params: dict[str, str], field: str) -> None:
    refused(await client.get(COVERAGE, params=params, headers=LEADER.headers), 422, "invalid_filter", field)


async def test_kinds_and_areas_of_the_campaign(client: Client, conn: asyncpg.Connection, street: list[UUID]) -> None:
    await sum_up(conn)
    await conn.execute("update campaign set kinds = '{shop}'")
    await conn.execute(
        "insert into campaign_area values ($1, 'winter', 'community', $2), ($1, 'winter', 'street', '410103002')",
        DISTRICT,
        NEXT,
    )
    assert set(by_key(await told(client))) == {NEXT, FAR}
    assert set(by_key(await told(client, by="kind"))) == {"shop"}
    assert (await told(client))["proposed"]["count"] == 0, "it lies in another community"
    assert set(by_key(await told(client, by="street", street="410103002"))) == {"410103002"}


# What can happen to doors, whoever does it: the sums must follow all of it.
HAPPENINGS: Sequence[str] = (
    """insert into visit (district, id, version, digest, member, organisation, companions, campaign, premises,
         premises_kind, outcome, started_at, ended_at, device_started_at, device_ended_at, clock_skew_s, certainty,
         text_version, recorded_at, via)
       select district, gen_random_uuid(), 1, '', '{member}', '{organisation}', '{{}}', 'winter', id, kind, '{outcome}',
         t, t, t, t, 0, 'unplaced', 1, t, 'phone'
       from premises, (select timestamptz '{at}' as t) begun where id = '{door}'""",
    "update visit set withdrawn_at = '{at}' where premises = '{door}' and outcome = '{outcome}'",
    "update visit set outcome = '{outcome}' where premises = '{door}' and started_at < '{at}'",
    "update visit set started_at = '{at}' where premises = '{door}' and started_at > '{at}'",
    "update visit set premises = '{other}' where premises = '{door}' and started_at > '{at}'",
    """insert into assignment (district, campaign, premises, organisation, member, place, means, assigned_at)
       select district, 'winter', id, '{organisation}', nullif(uuid '{member}', '{nobody}'), 0, 'hand', '{at}'
       from premises where id = '{door}'
       on conflict (district, campaign, premises) do update set member = excluded.member""",
    "delete from assignment where premises = '{door}'",
    """update premises set state = 'merged', merged_into = '{other}' where id = '{door}' and id <> '{other}'
       and not exists (select from premises o where o.id = '{other}' and o.merged_into is not null)""",
    "update premises set state = 'confirmed', merged_into = null where id = '{door}'",
    "update premises set state = 'gone', merged_into = null where id = '{door}' and kind = 'household'",
    "update premises set community = nullif('{community}', '410103002001') where id = '{door}'",
    "update premises set kind = case kind when 'shop' then 'household' else 'shop' end where id = '{door}'",
    "update campaign set every = case when every = 'month' then 'quarter' else 'month' end where '{door}' < '4'",
)


async def test_the_sums_are_always_what_the_visits_say(
    conn: asyncpg.Connection, owner_dsn: str, street: list[UUID]
) -> None:
    """Four hundred things happen, and whenever one looks, with all sums made or some of them outdated, they tell what
    counting anew tells."""
    owner = await asyncpg.connect(owner_dsn)
    chance = random.Random(20261125)  # noqa: S311 - the same story each time
    used = 0
    for _ in range(400):
        happens = chance.choice(HAPPENINGS).format(
            door=chance.choice(street),
            other=chance.choice(street),
            member=chance.choice([MEMBER.id, MEMBER_BESIDE.id, WORKER.id]),
            nobody=WORKER.id,
            organisation=chance.choice([ORGANISATION, BESIDE]),
            outcome=chance.choice(["met", "not_home", "not_home", "declined", "closed"]),
            at=NOW.replace(day=chance.randrange(1, 23), month=chance.choice([10, 11, 11])),
            community=chance.choice([NEAR, NEXT, FAR]),
        )
        await owner.execute(happens)
        if chance.random() < 0.3:
            await sum_up(conn)
        if chance.random() < 0.3:
            used += await agrees(conn, chance.choice([None, 1]))
    await owner.close()
    await sum_up(conn)
    assert await agrees(conn, None)
    assert await conn.fetchval("select count(*) from coverage_mark") == 0
    assert used > 20, "sums were used now and then"


async def agrees(conn: asyncpg.Connection, number: int | None) -> bool:
    """Hold what is summed up to what is counted anew; whether any sum was used."""
    reader = Reader(
        district=DISTRICT,
        member=LEADER.id,
        name=LEADER.name,
        organisation=ORGANISATION,
        grants=(Grant("leader", "district", str(DISTRICT)),),
    )
    async with conn.transaction():
        about = await coverage_query.asked(conn, reader, "winter", Filters(round=number), ZONE, NOW)
        for by in BYS:
            summed, anew = [await coverage.by(conn, about, by, anew=anew) for anew in (False, True)]
            assert [(row.key, row.counts) for row in summed.rows if any(row.counts.values())] == [
                (row.key, row.counts) for row in anew.rows
            ], by
            assert summed.total == anew.total
        return bool((await coverage_sums.usable(conn, about)).parts)

"""A member's day: their doors in walking order with what became of each, and 304 to who has it already."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from api import database
from surveys.campaigns import days
from surveys.people.people import District, Grant, Reader
from tests import cards, doors, doorsteps, drafts
from tests.conftest import (
    AUDITOR,
    BELOW,
    DISTRICT,
    FAR,
    MEMBER,
    MEMBER_BELOW,
    MEMBER_BESIDE,
    NEAR,
    NEXT,
    NOW,
    ORGANISATION,
    STRANGER,
    Client,
    TestClock,
)
from tests.doorsteps import Door
from tests.surveys.test_query_plans import nodes, plans

pytestmark = pytest.mark.anyio


async def day(client: Client, who: Any = MEMBER) -> dict[str, Any]:
    return await doors.read(client, who, "/api/day")


async def visit(client: Client, door: UUID, who: Any = MEMBER, **changes: Any) -> dict[str, Any]:
    premises = {"id": str(door), "kind": "shop", "name": "老王面馆", "address": "淮河路 1 号"}
    return await doors.file(client, who, drafts.visit(premises=premises, campaign="winter", **changes))


async def test_a_day_holds_my_doors_in_walking_order_and_nobody_else_s(
    client: Client, conn: asyncpg.Connection
) -> None:
    await doorsteps.campaign(conn)
    mine = await doorsteps.register(
        conn, [Door(name="一号"), Door(name="二号", kind="household"), Door(name="三号", at=None, community=None)]
    )
    theirs = await doorsteps.register(conn, [Door(name="别人的")])
    await doorsteps.assign(conn, [mine[1], mine[0], mine[2]])
    await doorsteps.assign(conn, theirs, STRANGER)
    found = await day(client)
    assert [(door["name"], door["place"]) for door in found["doors"]] == [("二号", 1), ("一号", 2), ("三号", 3)]
    assert found["doors"][0] == {
        "id": str(mine[1]),
        "kind": "household",
        "name": "二号",
        "address": "淮河路 1 号",
        "campaign": "winter",
        "place": 1,
        "lon": 113.605,
        "lat": 34.705,
        "community": {"code": NEAR, "name": "近邻社区"},
        "state": "not_yet",
        "tries": 0,
        "visited_at": None,
        "contact_card": None,
    }
    assert (found["doors"][2]["lon"], found["doors"][2]["community"]) == (None, None)
    assert found["member"] == {
        "id": str(MEMBER.id),
        "name": "王走访",
        "organisation": str(ORGANISATION),
        "organisation_name": "第一支部",
    }
    assert found["generated_at"] == "2026-11-23T04:00:00Z"


async def test_what_has_no_place_comes_last_and_what_is_gone_not_at_all(
    client: Client, conn: asyncpg.Connection
) -> None:
    await doorsteps.campaign(conn)
    first, second, gone, merged, proposed = await doorsteps.register(
        conn,
        [Door(name="一"), Door(name="二"), Door(state="gone"), Door(state="merged"), Door(name="三", state="proposed")],
    )
    await doorsteps.assign(conn, [first, gone, merged, second, proposed])
    await conn.execute("update assignment set place = 0 where premises = $1", first)
    assert [door["name"] for door in (await day(client))["doors"]] == ["二", "三", "一"]


async def test_the_categories_are_those_that_an_issue_can_be_of_and_their_groups(
    client: Client, conn: asyncpg.Connection
) -> None:
    found = {category["code"]: category for category in (await day(client))["categories"]}
    assert list(found) == ["01", "0102", "0103"]  # and none that was retired
    assert found["01"]["urgencies"] == []
    assert found["0102"] == {
        "code": "0102",
        "name": "垃圾成堆",
        "parent": "01",
        "channel": "joint_review",
        "urgencies": ["normal", "urgent", "emergency"],
    }


async def test_the_communities_are_those_of_my_doors_and_of_my_organisation(
    client: Client, conn: asyncpg.Connection
) -> None:
    await doorsteps.campaign(conn)
    await doorsteps.assign(conn, await doorsteps.register(conn, [Door(community=FAR)]))
    await conn.execute("insert into organisation_area values ($1, $2, 'community', $3)", DISTRICT, ORGANISATION, NEXT)
    found = (await day(client))["communities"]
    assert found == [
        {"code": NEXT, "name": "隔壁社区", "street": "410103001"},
        {"code": FAR, "name": "远方社区", "street": "410103002"},
    ]


async def test_campaigns_are_those_that_are_not_over_in_which_my_organisation_or_i_visit(
    client: Client, conn: asyncpg.Connection
) -> None:
    await doorsteps.campaign(conn, "everybody")
    await doorsteps.campaign(conn, "ours", starts_at=datetime(2026, 10, 1, tzinfo=UTC), every="month")
    await doorsteps.campaign(conn, "over", starts_at=datetime(2026, 1, 1, tzinfo=UTC), ends_at=NOW)
    await doorsteps.campaign(conn, "closed", closed_at=NOW)
    await conn.execute("insert into campaign_organisation values ($1, 'ours', $2)", DISTRICT, ORGANISATION)
    assert [one["id"] for one in (await day(client, MEMBER_BELOW))["campaigns"]] == ["ours", "everybody"]
    assert [one["id"] for one in (await day(client, MEMBER_BESIDE))["campaigns"]] == ["everybody"]
    await doorsteps.assign(conn, await doorsteps.register(conn, [Door()]), MEMBER_BESIDE, "ours")
    found = (await day(client, MEMBER_BESIDE))["campaigns"]
    assert [one["id"] for one in found] == ["ours", "everybody"]
    assert found[0] == {
        "id": "ours",
        "name": "冬季大走访",
        "kinds": ["shop", "enterprise", "household"],
        "starts_at": "2026-10-01T00:00:00Z",
        "ends_at": "2027-03-01T00:00:00Z",
        "every": "month",
        "round": {"number": 2, "starts_at": "2026-11-01T00:00:00+08:00", "ends_at": "2026-12-01T00:00:00+08:00"},
        "promise": "三日内回复",
        "questionnaires": {},
    }


async def test_a_questionnaire_is_named_with_the_version_that_is_filled_in_now(
    client: Client, conn: asyncpg.Connection
) -> None:
    await doorsteps.campaign(conn)
    await doorsteps.questionnaire(conn)
    await conn.execute("insert into campaign_questionnaire values ($1, 'winter', 'shop', 'shop')", DISTRICT)
    assert (await day(client))["campaigns"][0]["questionnaires"] == {
        "shop": {"id": "shop", "version": "7", "title": {"zh": "沿街商户", "en": "Shop"}}
    }
    await conn.execute("update questionnaire set current = null")
    assert (await day(client))["campaigns"][0]["questionnaires"] == {}  # it is no longer given out


async def test_a_door_is_as_its_visits_in_this_round_left_it(client: Client, conn: asyncpg.Connection) -> None:
    await doorsteps.campaign(conn, every="month", starts_at=datetime(2026, 10, 1, tzinfo=UTC))
    tried, met, before, back = await doorsteps.register(conn, [Door(name=name) for name in "一二三四"])
    await doorsteps.assign(conn, [tried, met, before, back])
    [card] = await cards.make(conn)
    await visit(client, tried, outcome="not_home", started_at="2026-11-22T11:00:00+08:00")
    await visit(client, tried, outcome="not_home", contact_card=card.number)
    await visit(client, met)
    await visit(client, met, outcome="closed", started_at="2026-11-23T11:25:00+08:00")
    october = {"started_at": "2026-10-12T11:20:00+08:00", "ended_at": "2026-10-12T11:30:00+08:00"}
    await visit(client, before, **october)
    withdrawn = await visit(client, back)
    await doors.correct(client, MEMBER, withdrawn["id"], drafts.correction(1, withdraw=True))
    found = (await day(client))["doors"]
    assert [(door["state"], door["tries"]) for door in found] == [
        ("not_home", 2),
        ("met", 0),
        ("not_yet", 0),
        ("not_yet", 0),
    ]
    assert found[0]["visited_at"] == "2026-11-23T03:20:00Z"
    assert [door["contact_card"] for door in found] == [card.number, None, None, None]


async def test_who_has_the_day_is_told_so_until_something_of_it_changes(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await doorsteps.campaign(conn)
    [door] = await doorsteps.register(conn, [Door()])
    await doorsteps.assign(conn, [door])
    first = await client.get("/api/day", headers=MEMBER.headers)
    have = {"If-None-Match": first.headers["etag"]}
    assert first.headers["cache-control"] == "private, no-cache"
    clock.forward(minutes=5)
    again = await client.get("/api/day", headers=MEMBER.headers | have)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert (await client.get("/api/day", headers=STRANGER.headers | have)).status_code == 200
    await visit(client, door)
    changed = await client.get("/api/day", headers=MEMBER.headers | have)
    assert (changed.status_code, changed.json()["doors"][0]["state"]) == (200, "met")


LARGE = {"premises", "assignment", "visit", "text_version"}
VISITS = """
insert into visit select r.* from visit v, unnest($1::uuid[]) d(premises),
  lateral jsonb_populate_record(v, jsonb_build_object(
    'id', gen_random_uuid(), 'premises', d.premises, 'contact_card', null)) r
"""


async def test_a_day_has_three_thousand_doors_at_most_and_each_is_found_by_an_index(
    client: Client, conn: asyncpg.Connection, dsn: str, owner_dsn: str
) -> None:
    await doorsteps.campaign(conn)
    many = await doorsteps.register(conn, [Door()] * 20_000)
    await doorsteps.assign(conn, many[:3_001])
    await doorsteps.assign(conn, many[3_001:], STRANGER)
    await visit(client, many[0])
    await conn.execute(VISITS, many[1:])
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute("vacuum analyze")
    await owner.close()
    found = (await day(client))["doors"]
    assert [door["id"] for door in found] == [str(id_) for id_ in many[:3_000]]
    async with database.connected(dsn) as asking:
        await _by_indexes(asking)


async def _by_indexes(conn: asyncpg.Connection) -> None:
    """Of the large tables none is read whole for a small day."""
    grants = (Grant("member", "own", ""),)
    who = Reader(district=DISTRICT, member=MEMBER_BELOW.id, name="蒋小组", organisation=BELOW, grants=grants)
    town = District(district=DISTRICT, code="410103", name="二七区", time_zone="Asia/Shanghai")
    used = set()
    for plan in await plans(conn, lambda conn: days.of_reader(conn, who, town, NOW)):
        for node in nodes(plan):
            assert node["Node Type"] != "Seq Scan" or node["Relation Name"] not in LARGE, node
            used.add(node.get("Index Name"))
    assert {"assignment_by_member", "premises_pkey", "text_version_pkey"} <= used, used
    assert used & {"visit_by_premises", "visit_coverage"}, used


async def test_who_goes_to_no_door_has_no_day(client: Client) -> None:
    await doors.read(client, AUDITOR, "/api/day", status=403)
    assert (await client.get("/api/day")).status_code == 401

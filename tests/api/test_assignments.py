"""Who visits which door: given by hand, by what organisations answer for, and as the program proposes it."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from surveys.campaigns import proposals, walking_routes
from tests import doors, doorsteps
from tests.conftest import (
    ADMINISTRATOR,
    BELOW,
    BESIDE,
    DISTRICT,
    FAR,
    LEADER,
    MEMBER,
    MEMBER_BELOW,
    MEMBER_BESIDE,
    NEAR,
    NEXT,
    NOW,
    ORGANISATION,
    ORGANISER,
    STRANGER,
    WORKER,
    Client,
    Person,
    TestClock,
)
from tests.doorsteps import Door

pytestmark = pytest.mark.anyio

PATH = "/api/campaigns/winter"


async def street(conn: asyncpg.Connection, count: int, *, lat: float = 34.705, **more: Any) -> list[UUID]:
    """Doors of a street from west to east, ten metres apart."""
    row = [Door(name=f"{at}号", at=(113.6005 + at * 0.0001, lat), **more) for at in range(count)]
    return await doorsteps.register(conn, row)


async def assign(
    client: Client, given: Sequence[UUID], who: Person = ADMINISTRATOR, *, status: int = 200, **to: Any
) -> dict[str, Any]:
    asked = {"id": str(uuid4()), "doors": [str(door) for door in given]} | to
    return doors.answered(await client.post(f"{PATH}/assignments", json=asked, headers=who.headers), status)


async def way(client: Client, who: Person) -> list[str]:
    """The names of somebody's doors in walking order."""
    return [door["name"] for door in (await doors.read(client, who, "/api/day"))["doors"]]


async def propose(client: Client, who: Person = ADMINISTRATOR, *, status: int = 202, **changes: Any) -> dict[str, Any]:
    asked = {"id": str(uuid4())} | changes
    answer = doors.answered(await client.post(f"{PATH}/proposals", json=asked, headers=who.headers), status)
    return await ready(client, answer["id"], who) if status == 202 else answer


async def ready(client: Client, proposal: str, who: Person = ADMINISTRATOR) -> dict[str, Any]:
    """The proposal once it has been worked out."""
    async with asyncio.timeout(60):
        while True:
            found = await doors.read(client, who, f"{PATH}/proposals/{proposal}")
            if found["state"] != "under_way":
                assert found["state"] == "ready"
                return found
            await asyncio.sleep(0.1)


async def accept(
    client: Client, proposal: dict[str, Any], who: Person = ADMINISTRATOR, *, status: int = 200, **changes: Any
) -> dict[str, Any]:
    asked = {"id": str(uuid4()), "expected_version": proposal["version"]} | changes
    path = f"{PATH}/proposals/{proposal['id']}/accept"
    return doors.answered(await client.post(path, json=asked, headers=who.headers), status)


def counts(proposal: dict[str, Any]) -> dict[str, int]:
    return {member["name"]: member["doors"] for member in proposal["members"]}


# --- by hand


async def test_doors_are_given_to_somebody_who_walks_them_in_order(client: Client, conn: asyncpg.Connection) -> None:
    await doorsteps.campaign(conn)
    row = await street(conn, 6)
    await assign(client, [row[0], row[5]], member=str(MEMBER.id))
    await assign(client, [row[3], row[1], row[4], row[2]], member=str(MEMBER.id))
    assert await way(client, MEMBER) in (
        ["0号", "1号", "2号", "3号", "4号", "5号"],
        ["5号", "4号", "3号", "2号", "1号", "0号"],
    )


async def test_a_door_has_one_holder_and_goes_on_to_another(client: Client, conn: asyncpg.Connection) -> None:
    await doorsteps.campaign(conn)
    row = await street(conn, 4)
    assert await assign(client, row, member=str(MEMBER.id)) == {"doors": 4, "members": 0}
    assert await assign(client, row[1:3], member=str(STRANGER.id)) == {"doors": 2, "members": 1}
    assert (sorted(await way(client, MEMBER)), sorted(await way(client, STRANGER))) == (["0号", "3号"], ["1号", "2号"])
    assert await assign(client, row[:1]) == {"doors": 1, "members": 1}  # nobody's again
    assert await way(client, MEMBER) == ["3号"]
    page = await doors.read(client, ADMINISTRATOR, f"{PATH}/assignments", held="false")
    assert [(door["id"], door["member"]) for door in page["items"]] == [(str(row[0]), None)]


async def test_doors_without_a_position_come_last_by_address(client: Client, conn: asyncpg.Connection) -> None:
    await doorsteps.campaign(conn)
    placed = await street(conn, 2)
    unplaced = await doorsteps.register(
        conn, [Door(name=name, address=f"淮河路 {name}", at=None) for name in ("丙", "甲", "乙")]
    )
    await assign(client, [*unplaced, *placed], member=str(MEMBER.id))
    assert (await way(client, MEMBER))[2:] == sorted(["丙", "甲", "乙"])


async def test_an_organisation_is_given_doors_and_its_members_later(client: Client, conn: asyncpg.Connection) -> None:
    await doorsteps.campaign(conn)
    row = await street(conn, 3)
    await assign(client, row, organisation=str(BESIDE))
    page = await doors.read(client, ADMINISTRATOR, f"{PATH}/assignments", organisation=str(BESIDE))
    assert [(door["organisation"], door["member"]) for door in page["items"]] == [(str(BESIDE), None)] * 3
    proposal = await propose(client, organisation=str(BESIDE))
    assert counts(proposal)["沈二支"] + counts(proposal)["韩组织"] == 3


async def test_one_event_tells_of_all_doors_and_the_same_again_of_none(
    client: Client, conn: asyncpg.Connection
) -> None:
    await doorsteps.campaign(conn)
    row = await street(conn, 150)
    again = str(uuid4())
    for _ in range(2):
        assert await assign(client, row, member=str(MEMBER.id), id=again) == {"doors": 150, "members": 0}
    await assign(client, row[:2])
    told = await conn.fetch("select event, facts from history where kind = 'campaign' order by written_in, event")
    assert [(event["event"], event["facts"]["doors"]) for event in told] == [("assign", 150), ("take_away", 2)]
    assert (told[0]["facts"]["member"], told[0]["facts"]["campaign"]) == (str(MEMBER.id), "winter")
    assert "premises" not in told[0]["facts"]
    assert told[1]["facts"]["premises"] == [str(door) for door in row[:2]]
    refused = await assign(client, row[2:], member=str(STRANGER.id), id=again, status=409)
    assert refused["code"] == "id_taken"
    read = await doors.read(client, MEMBER, PATH)
    assert sorted((entry["event"], entry["facts"]) for entry in read["assignments"]) == [
        ("assign", {"doors": 150}),
        ("take_away", {"doors": 2}),
    ], "which they are is not everybody's to know"
    assert read["names"] == {str(ADMINISTRATOR.id): ADMINISTRATOR.name}


AWAY = """
insert into member_absence (district, id, member, deputy, starts_at, ends_at, recorded_at)
values ($1, gen_random_uuid(), $2, $3, $4::timestamptz - interval '1 day', $4::timestamptz + interval '9 days', $4)
"""


async def test_who_is_away_has_left_or_does_not_visit_gets_none(client: Client, conn: asyncpg.Connection) -> None:
    await doorsteps.campaign(conn)
    await conn.execute("insert into campaign_organisation values ($1, 'winter', $2)", DISTRICT, ORGANISATION)
    row = await street(conn, 40)
    await conn.execute(AWAY, DISTRICT, STRANGER.id, MEMBER.id, NOW)
    await conn.execute("update member set closed_at = $1 where id = $2", NOW, MEMBER_BELOW.id)
    refused = await assign(client, row, member=str(STRANGER.id), status=422)
    assert (refused["code"], refused["field"]) == ("member_away", "member")
    refused = await assign(client, row, member=str(MEMBER_BELOW.id), status=422)
    assert (refused["code"], refused["field"]) == ("unknown_member", "member")
    refused = await assign(client, row, member=str(MEMBER_BESIDE.id), status=422)
    assert (refused["code"], refused["field"]) == ("not_of_the_campaign", "member")
    names = set(counts(await propose(client)))
    assert MEMBER.name in names
    assert not names & {STRANGER.name, MEMBER_BELOW.name, MEMBER_BESIDE.name}


@pytest.mark.parametrize(
    "other",
    [Door(kind="household"), Door(community=FAR), Door(state="gone"), Door(state="merged")],
    ids=["another kind", "another place", "gone", "merged"],
)
async def test_a_door_that_the_campaign_does_not_have_is_refused(
    client: Client, conn: asyncpg.Connection, other: Door
) -> None:
    await doorsteps.campaign(conn, kinds=["shop"])
    await conn.execute("insert into campaign_area values ($1, 'winter', 'community', $2)", DISTRICT, NEAR)
    [mine] = await street(conn, 1)
    wrong = (await doorsteps.register(conn, [Door(), other]))[1]
    refused = await assign(client, [mine, wrong], member=str(MEMBER.id), status=422)
    assert (refused["code"], refused["field"]) == ("unknown_door", "doors[1]")
    assert await way(client, MEMBER) == []


async def test_in_a_campaign_that_is_over_or_closed_nothing_more_is_assigned(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await doorsteps.campaign(conn)
    row = await street(conn, 2)
    proposal = await propose(client)
    clock.now = doorsteps.ENDS
    assert (await assign(client, row, member=str(MEMBER.id), status=409))["code"] == "campaign_over"
    assert (await accept(client, proposal, status=409))["code"] == "campaign_over"
    clock.now = NOW
    await conn.execute("update campaign set closed_at = $1", NOW)
    assert (await assign(client, row, member=str(MEMBER.id), status=409))["code"] == "campaign_closed"
    assert (await propose(client, status=409))["code"] == "campaign_closed"


async def test_each_gives_what_they_reach_to_whom_they_look_after(client: Client, conn: asyncpg.Connection) -> None:
    await doorsteps.campaign(conn)
    near = await street(conn, 2)
    far = await street(conn, 2, community=FAR)
    await assign(client, near, WORKER, member=str(MEMBER.id))
    assert (await assign(client, far, WORKER, member=str(MEMBER.id), status=422))["code"] == "unknown_door"
    assert (await assign(client, far, ORGANISER, member=str(MEMBER.id), status=422))["code"] == "unknown_door"
    await conn.execute("insert into organisation_area values ($1, $2, 'community', $3)", DISTRICT, BELOW, FAR)
    await assign(client, far, ORGANISER, member=str(MEMBER_BELOW.id))
    refused = await assign(client, far, ORGANISER, member=str(MEMBER_BESIDE.id), status=422)
    assert refused["code"] == "not_of_the_campaign"
    seen = await doors.read(client, ORGANISER, f"{PATH}/members")
    assert {member["organisation"] for member in seen["items"]} == {str(ORGANISATION), str(BELOW)}
    for nobody in (MEMBER, LEADER):
        await assign(client, near, nobody, member=str(MEMBER.id), status=403)
        await propose(client, nobody, status=403)


async def test_the_list_tells_who_has_what_and_how_far_they_walk(client: Client, conn: asyncpg.Connection) -> None:
    await doorsteps.campaign(conn)
    row = await street(conn, 11)
    await assign(client, row, member=str(MEMBER.id))
    every = await doors.every_page(client, ADMINISTRATOR, f"{PATH}/assignments", limit=4, member=str(MEMBER.id))
    assert sorted(door["place"] for door in every) == list(range(1, 12))
    assert every[0]["member"] == {"id": str(MEMBER.id), "name": "王走访"}
    members = (await doors.read(client, ADMINISTRATOR, f"{PATH}/members", organisation=str(ORGANISATION)))["items"]
    mine = next(member for member in members if member["id"] == str(MEMBER.id))
    assert (mine["doors"], round(mine["metres"])) == (11, 91)


# --- as the program proposes it


async def test_a_proposal_is_even_close_together_and_shorter_than_counting_off(
    client: Client, conn: asyncpg.Connection
) -> None:
    await doorsteps.campaign(conn)
    lanes = [door for at in range(6) for door in await street(conn, 20, lat=34.702 + at * 0.001)]
    chosen = [MEMBER, STRANGER, MEMBER_BELOW, MEMBER_BESIDE]
    proposal = await propose(client, members=[str(who.id) for who in chosen])
    assert counts(proposal) == {who.name: 30 for who in chosen}
    assert sorted(door["id"] for door in proposal["doors"]) == sorted(map(str, lanes))
    assert proposal["metres"] < proposal["plain_metres"]
    for who in chosen:
        mine = [door for door in proposal["doors"] if door["member"] == str(who.id)]
        assert [door["place"] for door in mine] == list(range(1, 31))
        walked = walking_routes.length(walking_routes.on_plane([(door["lon"], door["lat"]) for door in mine]))
        assert walked < 600  # thirty doors ten metres apart, and over to another lane
    assert await way(client, MEMBER) == [], "nothing holds yet"
    assert await accept(client, proposal) == {"doors": 120, "members": 4, "left": 0}
    by_id = {door["id"]: door["name"] for door in proposal["doors"]}
    first = [by_id[door["id"]] for door in proposal["doors"] if door["member"] == str(MEMBER.id)]
    assert await way(client, MEMBER) == first
    told = await conn.fetch("select event, facts from history where kind = 'campaign'")
    assert [(event["event"], event["facts"]["doors"], event["facts"]["way"]) for event in told] == [
        ("assign", 120, "route")
    ]


async def test_who_holds_doors_already_gets_fewer(client: Client, conn: asyncpg.Connection) -> None:
    await doorsteps.campaign(conn)
    row = await street(conn, 20)
    await assign(client, row[:8], member=str(MEMBER.id))
    proposal = await propose(client, members=[str(MEMBER.id), str(STRANGER.id)])
    assert counts(proposal) == {"王走访": 2, "陌生人": 10}
    await accept(client, proposal)
    mine = await way(client, MEMBER)
    assert sorted(mine) == sorted([*(f"{at}号" for at in range(8)), *mine[8:]]) or len(mine) == 10
    assert len(mine) == 10
    anew = await propose(client, members=[str(MEMBER.id), str(STRANGER.id)], again=True)
    assert counts(anew) == {"王走访": 10, "陌生人": 10}


async def test_doors_without_a_position_are_divided_too_and_come_last(client: Client, conn: asyncpg.Connection) -> None:
    await doorsteps.campaign(conn)
    await street(conn, 5)
    await doorsteps.register(conn, [Door(name=f"无{at}", address=f"后街 {at} 号", at=None) for at in range(5)])
    proposal = await propose(client, members=[str(MEMBER.id), str(STRANGER.id)])
    assert set(counts(proposal).values()) == {5}
    await accept(client, proposal)
    for who in (MEMBER, STRANGER):
        names = await way(client, who)
        unplaced = [name for name in names if name.startswith("无")]
        assert names[len(names) - len(unplaced) :] == sorted(unplaced)


async def test_by_area_each_organisation_gets_what_it_answers_for(client: Client, conn: asyncpg.Connection) -> None:
    await doorsteps.campaign(conn)
    near, next_ = await street(conn, 10), await street(conn, 6, community=NEXT)
    own, nobodys = await street(conn, 1, community=NEXT), await street(conn, 3, community=FAR)
    await conn.executemany(
        "insert into organisation_area values ($1, $2, $3, $4)",
        [
            (DISTRICT, ORGANISATION, "street", "410103001"),
            (DISTRICT, BELOW, "community", NEXT),
            (DISTRICT, BESIDE, "premises", str(own[0])),
        ],
    )
    await conn.execute("update member set closed_at = $1 where organisation = $2", NOW, BELOW)
    proposal = await propose(client, way="area")
    held = {door["id"]: door["member"] for door in proposal["doors"]}
    assert set(held) == {str(door) for door in [*near, *next_, *own]}
    assert not set(map(str, nobodys)) & set(held)
    assert {held[str(door)] for door in next_} == {None}, "it has nobody, and keeps them for later"
    assert held[str(own[0])] in {str(MEMBER_BESIDE.id), str(UUID(int=16))}
    await accept(client, proposal)
    rows = await conn.fetch("select premises, organisation, means from assignment")
    organisations = Counter((row["organisation"], row["means"]) for row in rows)
    assert organisations == {(ORGANISATION, "area"): 10, (BELOW, "area"): 6, (BESIDE, "area"): 1}


async def test_a_proposal_is_changed_before_it_holds(client: Client, conn: asyncpg.Connection) -> None:
    await doorsteps.campaign(conn)
    await street(conn, 8)
    proposal = await propose(client, members=[str(MEMBER.id), str(STRANGER.id)])
    moved = [door["id"] for door in proposal["doors"] if door["member"] == str(STRANGER.id)][:2]
    path = f"{PATH}/proposals/{proposal['id']}/changes"
    asked = {"expected_version": 1, "doors": moved, "member": str(MEMBER.id)}
    changed = doors.answered(await client.post(path, json=asked, headers=ADMINISTRATOR.headers), 200)
    assert counts(changed) == {"王走访": 6, "陌生人": 2}
    mine = [door for door in changed["doors"] if door["member"] == str(MEMBER.id)]
    assert [door["place"] for door in mine] == list(range(1, 7))
    stale = doors.answered(await client.post(path, json=asked, headers=ADMINISTRATOR.headers), 409)
    assert stale["code"] == "stale_version"
    out = {"expected_version": 2, "doors": moved[:1]}
    left = doors.answered(await client.post(path, json=out, headers=ADMINISTRATOR.headers), 200)
    assert counts(left) == {"王走访": 5, "陌生人": 2}
    other = {"expected_version": 3, "doors": [str(uuid4())]}
    refused = doors.answered(await client.post(path, json=other, headers=ADMINISTRATOR.headers), 422)
    assert (refused["code"], refused["field"]) == ("unknown_door", "doors[0]")
    assert (await accept(client, left))["doors"] == 7
    assert (await accept(client, left, status=409))["code"] == "proposal_not_ready"


async def test_what_somebody_was_given_meanwhile_stays_theirs(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await doorsteps.campaign(conn)
    row = await street(conn, 6)
    proposal = await propose(client, members=[str(MEMBER.id)])
    clock.forward(minutes=3)
    await assign(client, row[:2], member=str(STRANGER.id))
    again = str(uuid4())
    for _ in range(2):
        assert await accept(client, proposal, id=again) == {"doors": 4, "members": 1, "left": 2}
    assert (len(await way(client, MEMBER)), len(await way(client, STRANGER))) == (4, 2)


async def test_the_doors_of_who_has_left_are_nobody_s(client: Client, conn: asyncpg.Connection) -> None:
    await doorsteps.campaign(conn)
    row = await street(conn, 4)
    await assign(client, row[:3], member=str(STRANGER.id))
    await conn.execute("update member set closed_at = $1 where id = $2", NOW, STRANGER.id)
    proposal = await propose(client, members=[str(MEMBER.id)])
    assert counts(proposal) == {"王走访": 4}
    await accept(client, proposal)
    assert len(await way(client, MEMBER)) == 4


async def test_more_members_than_are_told_apart_are_refused(
    client: Client, conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await doorsteps.campaign(conn)
    await street(conn, 4)
    monkeypatch.setattr(proposals, "MOST_MEMBERS", 3)
    refused = await propose(client, status=422)
    assert (refused["code"], refused["facts"]["most"]) == ("too_many_members", 3)
    monkeypatch.setattr(proposals, "MOST_DOORS", 3)
    assert (await propose(client, status=422))["code"] == "too_many_doors"


async def test_a_proposal_is_shown_to_who_asked_for_it_alone(client: Client, conn: asyncpg.Connection) -> None:
    await doorsteps.campaign(conn)
    await street(conn, 3)
    proposal = await propose(client, WORKER, members=[str(MEMBER.id)])
    await doors.read(client, ADMINISTRATOR, f"{PATH}/proposals/{proposal['id']}", status=404)
    assert (await accept(client, proposal, ADMINISTRATOR, status=404))["code"] == "not_found"
    assert [
        door["community"]["code"] for door in (await doors.read(client, WORKER, f"{PATH}/assignments"))["items"]
    ] == [NEAR] * 3


async def test_one_that_nobody_works_at_any_more_has_failed(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await doorsteps.campaign(conn)
    await conn.execute(
        "insert into proposal values ($1, $2, 'winter', 1, 'under_way', 'route', false, $3, $4, $4, 0.3, null)",
        DISTRICT,
        UUID(int=7),
        ADMINISTRATOR.id,
        NOW,
    )
    path = f"{PATH}/proposals/{UUID(int=7)}"
    assert (await doors.read(client, ADMINISTRATOR, path))["state"] == "under_way"
    clock.forward(minutes=3)
    assert (await doors.read(client, ADMINISTRATOR, path))["state"] == "failed"


NOTHING: dict[str, tuple[dict[str, Any], int, str]] = {
    "no door": ({"community": NEXT}, 409, "nothing_to_divide"),
    "an unknown community": ({"community": "999"}, 422, "unknown_community"),
    "an unknown organisation": ({"organisation": str(uuid4())}, 422, "unknown_organisation"),
    "an unknown member": ({"members": [str(uuid4())]}, 422, "unknown_member"),
    "another way": ({"way": "<img onerror=window.ran=1>"}, 422, "wrong_value"),
}


@pytest.mark.parametrize(("changes", "status", "code"), NOTHING.values(), ids=NOTHING.keys())
async def test_what_cannot_be_divided_is_refused(
    client: Client, conn: asyncpg.Connection, changes: dict[str, Any], status: int, code: str
) -> None:
    await doorsteps.campaign(conn)
    await street(conn, 2)
    assert (await propose(client, status=status, **changes))["code"] == code

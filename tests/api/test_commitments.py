"""Public commitments: one kept and one broken, from the proposal to what people say of it; and what is refused."""

from datetime import date
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from surveys.assessments import commitments
from tests import cards, doors, doorsteps, drafts, photographs
from tests.api.test_resident_page import at_a_door, scan
from tests.conftest import (
    ADMINISTRATOR,
    BESIDE,
    DISTRICT,
    LEADER,
    MEMBER,
    MEMBER_BESIDE,
    NEAR,
    ORGANISATION,
    ORGANISER,
    ORGANISER_BESIDE,
    STRANGER,
    WORKER,
    Client,
    Person,
    TestClock,
)
from tests.doors import answered, file, read, refused

pytestmark = pytest.mark.anyio

PATH = "/api/assessments/commitments"
TEXT = "年底前为独居老人每月上门理发一次"


def a_commitment(**changes: Any) -> drafts.Draft:
    """Promised by who makes it, to a community, until four weeks after the tests' day."""
    said = {"id": str(uuid4()), "text": TEXT, "due_on": "2026-12-20", "aim": "communities", "communities": [NEAR]}
    return {name: value for name, value in (said | changes).items() if value is not None}


def a_rating(**changes: Any) -> drafts.Draft:
    return {"id": str(uuid4()), "kept": True, "stars": 5} | changes


async def make(client: Client, who: Person, draft: drafts.Draft) -> httpx.Response:
    return await client.post(PATH, json=draft, headers=who.headers)


async def move(client: Client, who: Person, id_: str, name: str, version: int, **changes: Any) -> httpx.Response:
    draft = {"id": str(uuid4()), "move": name, "expected_version": version} | changes
    return await client.post(f"{PATH}/{id_}/moves", json=draft, headers=who.headers)


async def rate(client: Client, who: Person, id_: str, rated_by: str, **changes: Any) -> httpx.Response:
    draft = a_rating(rated_by=rated_by, **changes)
    return await client.post(f"{PATH}/{id_}/ratings", json=draft, headers=who.headers)


async def rate_at_door(client: Client, headers: dict[str, str], id_: str, **changes: Any) -> httpx.Response:
    return await client.post(f"/card/commitments/{id_}/rating", json=a_rating(**changes), headers=headers)


async def outcome(client: Client, id_: str, who: Person = ADMINISTRATOR) -> str:
    found: str = (await read(client, who, f"{PATH}/{id_}"))["commitment"]["outcome"]
    return found


async def standing(client: Client, who: Person = MEMBER, by: Person = ORGANISER, **changes: Any) -> str:
    """A commitment that was approved."""
    made = answered(await make(client, who, a_commitment(**changes)), 201)
    answered(await move(client, by, made["id"], "approve", 1), 200)
    id_: str = made["id"]
    return id_


async def test_a_commitment_is_sent_back_approved_kept_and_rated_by_three(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    [card] = await cards.make(conn)
    await file(client, MEMBER, at_a_door(card))
    draft = a_commitment()
    made = answered(await make(client, MEMBER, draft), 201)
    assert answered(await make(client, MEMBER, draft), 201) == made, "a retry gets its first answer"
    assert not await commitments.public(conn, DISTRICT, clock.now), "nothing is public before it was approved"
    refused(await client.get(f"{PATH}/{draft['id']}", headers=STRANGER.headers), 404, "not_found")

    answered(await move(client, ORGANISER, draft["id"], "send_back", 1, reason="写明哪几户"), 200)
    again = {name: draft[name] for name in ("due_on", "aim", "communities")} | {"text": TEXT + "，共三户"}
    answered(await move(client, MEMBER, draft["id"], "propose", 2, **again), 200)
    answered(await move(client, ORGANISER, draft["id"], "approve", 3), 200)
    [on_board] = await commitments.public(conn, DISTRICT, clock.now)
    assert (on_board.text, on_board.member_name, on_board.outcome) == (again["text"], MEMBER.name, "standing")

    headers = await scan(client, card)
    page = (await client.get("/card")).text
    assert again["text"] in page
    refused(await rate_at_door(client, headers, draft["id"]), 409, "commitment_not_done")

    clock.forward(days=10)
    answered(await move(client, MEMBER, draft["id"], "report_done", 4, how="三户都理了发", done_on="2026-12-01"), 200)
    assert await outcome(client, draft["id"]) == "waiting"
    answered(await rate(client, MEMBER, draft["id"], "self", stars=4), 201)
    answered(await rate(client, LEADER, draft["id"], "leader", stars=5), 201)
    headers = await scan(client, card)
    refused(await rate_at_door(client, headers, draft["id"], stars=2), 422, "missing", "reason")
    answered(await rate_at_door(client, headers, draft["id"], stars=2, reason="只来了一次"), 201)
    clock.forward(minutes=1)
    answered(await rate_at_door(client, headers, draft["id"], stars=4), 201)

    found = (await read(client, LEADER, f"{PATH}/{draft['id']}"))["commitment"]
    assert (found["outcome"], found["late"]) == ("kept", False)
    assert (found["own"]["stars"], found["leader"]["stars"]) == (4, 5)
    assert found["people"] == {"kept": 1, "not_kept": 0, "stars": 4.0}, "a door counts once, by its newest word"
    [on_board] = await commitments.public(conn, DISTRICT, clock.now)
    assert (on_board.outcome, on_board.how, on_board.stars) == ("kept", "三户都理了发", None), "one door is not told of"

    entries = (await read(client, LEADER, f"{PATH}/{draft['id']}"))["history"]
    assert [entry["event"] for entry in entries] == ["propose", "send_back", "propose", "approve", "report_done"]
    assert entries[-1]["happened_at"] == "2026-12-01T16:00:00Z"
    assert entries[-1]["recorded_at"] != entries[-1]["happened_at"]
    assert TEXT not in str(entries), "the history names texts and holds none"


async def test_one_that_is_not_kept_is_overdue_then_broken_and_each_figure_opens_its_list(
    client: Client, clock: TestClock
) -> None:
    broken = await standing(client)
    late = await standing(client, organisation=str(ORGANISATION))
    beside = await standing(client, MEMBER_BESIDE, ORGANISER_BESIDE)
    assert await outcome(client, broken) == "standing"
    refused(await rate(client, LEADER, broken, "leader", kept=False, stars=1, reason="x"), 409, "commitment_not_done")
    clock.forward(days=30)
    assert await outcome(client, broken) == "overdue"
    answered(await rate(client, LEADER, broken, "leader", kept=False, stars=1, reason="一次也没有去"), 201)
    answered(await move(client, MEMBER, late, "report_done", 2, how="晚了几天"), 200)
    answered(await rate(client, ORGANISER, late, "leader"), 201)
    answered(await move(client, MEMBER_BESIDE, beside, "withdraw", 2, reason="理发师病了"), 200)

    figures = await read(client, LEADER, f"{PATH}/figures")
    counts = {one["organisation"]: one for one in figures["organisations"]}
    assert counts[str(ORGANISATION)]["outcomes"]["broken"] == 1
    assert counts[str(ORGANISATION)]["outcomes"]["kept"] == 1
    assert counts[str(ORGANISATION)]["late"] == 2
    assert counts[str(BESIDE)]["outcomes"]["withdrawn"] == 1
    for organisation, row in counts.items():
        for name, number in row["outcomes"].items():
            listed = await read(client, LEADER, PATH, organisation=organisation, outcome=name)
            assert (listed["total"], len(listed["items"])) == (number, number)
    [withdrawn] = (await read(client, LEADER, PATH, outcome="withdrawn"))["items"]
    assert withdrawn["withdrawal"] == "理发师病了"

    then = await read(client, LEADER, f"{PATH}/figures", as_of=str(date(2026, 12, 22)))
    assert then["all"]["outcomes"] == {**dict.fromkeys(then["all"]["outcomes"], 0), "overdue": 3}


async def test_more_people_concerned_who_say_no_break_what_a_leader_praised(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    made = await cards.make(conn, 3)
    for number, card in enumerate(made):
        door = at_a_door(card)
        door["premises"]["address"] = f"淮河路 {number} 号"
        await file(client, MEMBER, door)
    id_ = await standing(client)
    answered(await move(client, MEMBER, id_, "report_done", 2, how="都去了"), 200)
    answered(await rate(client, LEADER, id_, "leader"), 201)
    said = [(True, 5), (False, 1), (False, 1)]
    found = []
    for card, (kept, stars) in zip(made, said, strict=True):
        headers = await scan(client, card)
        answered(await rate_at_door(client, headers, id_, kept=kept, stars=stars, reason="没有来"), 201)
        found.append(await outcome(client, id_))
    assert found == ["kept", "kept", "broken"]


async def test_doors_are_named_by_who_has_them_and_the_area_is_that_of_the_organisation(
    client: Client, conn: asyncpg.Connection
) -> None:
    await doorsteps.campaign(conn)
    mine, other = await doorsteps.register(conn, [doorsteps.Door(), doorsteps.Door(name="别人家", community=None)])
    await doorsteps.assign(conn, [mine], MEMBER)
    to_a_door = a_commitment(aim="doors", communities=None, doors=[str(mine)])
    answered(await make(client, MEMBER, to_a_door), 201)
    stranger_s = a_commitment(aim="doors", communities=None, doors=[str(other)])
    refused(await make(client, MEMBER, stranger_s), 422, "unknown_area", "doors")
    refused(await make(client, MEMBER, a_commitment(aim="doors", communities=None)), 422, "missing", "doors")
    found = (await read(client, MEMBER, f"{PATH}/{to_a_door['id']}"))["commitment"]
    assert (found["doors"], found["places"]) == (1, []), "which door it is, is not told"

    await conn.execute("insert into organisation_area values ($1, $2, 'community', $3)", DISTRICT, ORGANISATION, NEAR)
    everybody = a_commitment(aim="area", communities=None)
    answered(await make(client, MEMBER, everybody), 201)
    assert (await read(client, MEMBER, f"{PATH}/{everybody['id']}"))["commitment"]["places"] == ["近邻社区"]


async def test_what_is_not_in_order_is_refused_and_leaves_nothing(client: Client, conn: asyncpg.Connection) -> None:
    before = await doors.written(conn)
    for changes, status, code, field in (
        ({"due_on": "2026-11-22"}, 422, "time_in_past", "due_on"),
        ({"due_on": "2036-11-22"}, 422, "due_too_far", "due_on"),
        ({"text": " \n "}, 422, "text_unusable", "text"),
        ({"text": "字" * 501}, 422, "wrong_value", "text"),
        ({"communities": ["999"]}, 422, "unknown_community", "communities"),
        ({"aim": "area"}, 422, "not_for_this_move", "communities"),
        ({"organisation": str(BESIDE)}, 422, "unknown_organisation", "organisation"),
        ({"overdue": True}, 422, "unknown_field", "overdue"),
    ):
        refused(await make(client, MEMBER, a_commitment(**changes)), status, code, field)
    assert await doors.written(conn) == before


async def test_the_branch_decides_and_never_who_promised(client: Client) -> None:
    draft = a_commitment()
    answered(await make(client, ORGANISER, draft | {"organisation": str(ORGANISATION)}), 201)
    refused(await move(client, ORGANISER, draft["id"], "approve", 1), 403, "own_commitment")
    refused(await move(client, ORGANISER_BESIDE, draft["id"], "approve", 1), 404, "not_found")
    refused(await move(client, ADMINISTRATOR, draft["id"], "send_back", 1), 422, "missing", "reason")
    answered(await move(client, ADMINISTRATOR, draft["id"], "approve", 1), 200)
    refused(await move(client, ADMINISTRATOR, draft["id"], "approve", 1), 409, "stale_version", "expected_version")
    refused(await move(client, ADMINISTRATOR, draft["id"], "approve", 2), 409, "commitment_move_not_possible", "move")
    refused(await move(client, WORKER, draft["id"], "withdraw", 2, reason="x"), 403, "not_allowed")
    both = await move(client, ORGANISER, draft["id"], "withdraw", 2, reason="x", how="y")
    refused(both, 422, "not_for_this_move", "how")
    tomorrow = await move(client, ORGANISER, draft["id"], "report_done", 2, how="y", done_on="2026-11-24")
    refused(tomorrow, 422, "time_in_future", "done_on")
    answered(await move(client, ORGANISER, draft["id"], "report_done", 2, how="y"), 200)
    afterwards = await move(client, ORGANISER, draft["id"], "withdraw", 3, reason="x")
    refused(afterwards, 409, "commitment_move_not_possible", "move")
    for who, rated_by in ((ORGANISER, "leader"), (LEADER, "self"), (MEMBER, "leader"), (ORGANISER_BESIDE, "leader")):
        field = "rated_by" if who is not MEMBER else None
        refused(await rate(client, who, draft["id"], rated_by), 403, "not_allowed", field)


async def test_a_card_of_another_community_neither_sees_nor_rates_it(client: Client, conn: asyncpg.Connection) -> None:
    [card] = await cards.make(conn)
    await file(client, MEMBER, at_a_door(card))
    id_ = await standing(client, communities=["410103002001"])
    answered(await move(client, MEMBER, id_, "report_done", 2, how="好了"), 200)
    headers = await scan(client, card)
    assert TEXT not in (await client.get("/card")).text
    refused(await rate_at_door(client, headers, id_), 404, "not_found")


async def test_proof_comes_after_the_report_and_is_seen_by_members(client: Client) -> None:
    photo = photographs.photo()
    id_ = await standing(client)
    proof = photographs.promised(photo)
    answered(await move(client, MEMBER, id_, "report_done", 2, how="好了", photos=[proof]), 200)
    path = f"{PATH}/{id_}/photos/{proof['sha256']}"
    refused(await client.put(path, content=photo, headers=STRANGER.headers), 403, "not_allowed")
    assert (await client.put(path, content=photo, headers=MEMBER.headers)).status_code == 201
    assert (await client.put(path, content=photo, headers=MEMBER.headers)).status_code == 200
    [item] = (await read(client, STRANGER, f"{PATH}/{id_}/photos"))["items"]
    assert item["sha256"] == proof["sha256"]
    shown = await client.get(path, headers=STRANGER.headers)
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")

"""Rounds of ratings: what raters may give, who sees what, and that nothing of it leads back to a peer."""

import hashlib
from random import Random
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from surveys.assessments import facts, raters, results, rounds, scoring
from surveys.assessments.raters import Asked, Move, drawn_of, stays
from tests import rating_rounds
from tests.conftest import (
    ADMINISTRATOR,
    BELOW,
    BESIDE,
    DISTRICT,
    EVERYBODY,
    MEMBER,
    NOW,
    ORGANISATION,
    ORGANISER,
    ORGANISER_BESIDE,
    STRANGER,
    Client,
    TestClock,
)
from tests.doors import answered, read, refused
from tests.rating_rounds import DATES, DAY, OPENS, held, make, publish, rate, say, turn
from tests.surveys import deeds_at_hand

pytestmark = pytest.mark.anyio


@pytest.fixture
async def opened(client: Client, conn: asyncpg.Connection, dsn: str, clock: TestClock) -> str:
    """A round of the members that has just opened."""
    await publish(conn)
    clock.now = OPENS - DAY
    round_: str = (await make(client))["id"]
    clock.now = OPENS
    await turn(conn, dsn, clock)
    return round_


async def test_what_no_rater_may_give_is_refused_by_item(client: Client, opened: str) -> None:
    over = await rate(client, MEMBER, opened, MEMBER.id, "self", {"A2": 1000}, status=422)
    assert (over["code"], over["field"], over["facts"]["maximum"]) == ("points_unfit", "points.A2", "30")
    for points, code in ({"A2": -1}, "points_unfit"), ({"C1": 5}, "unknown_item"), ({"A1": 5}, "unknown_item"):
        assert (await rate(client, MEMBER, opened, MEMBER.id, "self", points, status=422))["code"] == code
    await rate(client, MEMBER, opened, MEMBER.id, "leaders", {"A2": 5}, status=403)
    await rate(client, MEMBER, opened, STRANGER.id, "self", {"A2": 5}, status=403)
    await rate(client, MEMBER, opened, MEMBER.id, "people", {"A2": 5}, status=403)
    await rate(client, MEMBER, opened, uuid4(), "self", {"A2": 5}, status=404)
    path = f"/api/assessments/rounds/{opened}/ratings/{MEMBER.id}"
    kept = await read(client, MEMBER, path, group="self")
    assert [one["points"] for one in kept["items"]] == [None, None], "nothing of it was kept"


async def test_a_rating_that_is_sent_twice_is_kept_once(client: Client, opened: str) -> None:
    id_ = str(uuid4())
    first = await rate(client, MEMBER, opened, MEMBER.id, "self", {"A2": 20}, id=id_)
    assert await rate(client, MEMBER, opened, MEMBER.id, "self", {"A2": 20}, id=id_) == first
    other = await rate(client, MEMBER, opened, MEMBER.id, "self", {"A2": 21}, id=id_, status=409)
    assert other["code"] == "id_taken"
    paper = str(uuid4())
    for _ in range(2):
        await rate(client, ORGANISER, opened, MEMBER.id, "people", {"A2": 9}, id=paper)
    progress = await read(client, ORGANISER, f"/api/assessments/rounds/{opened}/progress")
    assert {one["group"]: one["given"] for one in progress["groups"]}["people"] == 1


async def test_a_code_is_good_once_and_leads_to_no_rating(
    client: Client, conn: asyncpg.Connection, opened: str, clock: TestClock
) -> None:
    (code,) = (await say(client, ORGANISER, opened, f"subjects/{MEMBER.id}/codes", status=201, count=1))["codes"]
    sheet = answered(await client.post("/api/assessments/code-sheets", json={"code": code}), 200)
    assert [one["code"] for one in sheet["items"]] == ["A2", "B1"]
    given = {"code": code, "id": str(uuid4()), "points": {"A2": 30, "B1": 30}}
    clock.forward(hours=1)
    first = answered(await client.post("/api/assessments/code-ratings", json=given), 200)
    assert answered(await client.post("/api/assessments/code-ratings", json=given), 200) == first
    again = await client.post("/api/assessments/code-ratings", json={**given, "id": str(uuid4())})
    assert refused(again, 422, "code_unusable", "code")
    (kept,) = await conn.fetch("select * from rating_code")
    assert dict(kept) | {"digest": None} == {
        "district": DISTRICT,
        "digest": None,
        "round": UUID(opened),
        "subject": MEMBER.id,
        "used": True,
        "made_at": OPENS,
    }
    (rating,) = await conn.fetch("select rater, way from rating where rater_group = 'people'")
    assert (rating["rater"], rating["way"]) == (None, "code")


async def test_steps_close_by_their_dates_and_last_longer_with_a_reason(
    client: Client, opened: str, clock: TestClock
) -> None:
    clock.now = DATES["self_until"]
    late = await rate(client, MEMBER, opened, MEMBER.id, "self", {"A2": 20}, status=409)
    assert late["code"] == "step_closed"
    until = (DATES["people_until"] + DAY).isoformat()
    asked: dict[str, Any] = {"expected_version": 2, "step": "self_until", "until": until, "reason": "停电一天"}
    await say(client, ORGANISER_BESIDE, opened, "extensions", status=403, **asked)
    await say(client, ADMINISTRATOR, opened, "extensions", **asked)
    await rate(client, MEMBER, opened, MEMBER.id, "self", {"A2": 20})
    found = await read(client, MEMBER, f"/api/assessments/rounds/{opened}")
    shift = DATES["people_until"] + DAY - DATES["self_until"]
    assert found["people_until"] == (DATES["people_until"] + shift).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"period": "2026-13"}, "invalid_filter", "period"),
        ({"instrument": "none"}, "unknown_instrument", "instrument"),
        ({"scope_kind": "street", "scope": "1"}, "unknown_area", "scope"),
        ({"scope_kind": "organisation", "scope": "x"}, "unknown_organisation", "scope"),
        ({"first_at": DATES["self_until"].isoformat()}, "times_reversed", "first_at"),
        ({"name": " "}, "text_unusable", "name"),
    ],
)
async def test_a_round_that_cannot_be_is_refused(
    client: Client, conn: asyncpg.Connection, clock: TestClock, changes: dict[str, Any], code: str, field: str
) -> None:
    await publish(conn)
    clock.now = OPENS - DAY
    problem = await make(client, status=422, **changes)
    assert (problem["code"], problem["field"]) == (code, field)


async def test_organisers_make_rounds_of_their_own_and_see_no_others_results(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await publish(conn)
    clock.now = OPENS - DAY
    await make(client, ORGANISER, status=422)
    made = await make(client, ORGANISER, scope_kind="organisation", scope=str(ORGANISATION))
    async with conn.transaction():
        await raters.turn(conn, DISTRICT, OPENS)
    rated = await conn.fetch("select subject, organisation from round_subject where round = $1", made["id"])
    assert {row["organisation"] for row in rated} == {ORGANISATION, BELOW}
    over = await held(conn, NOW - 20 * DAY, NOW)
    clock.now = NOW
    path = f"/api/assessments/rounds/{over}/results"
    assert (await read(client, ADMINISTRATOR, path))["total"] == len(EVERYBODY)
    theirs = (await read(client, ORGANISER_BESIDE, path))["items"]
    assert {one["organisation"] for one in theirs} == {str(BESIDE)}
    await read(client, ORGANISER_BESIDE, f"{path}/{MEMBER.id}", status=404)
    await read(client, STRANGER, f"{path}/{MEMBER.id}", status=404)
    own = await client.get(f"{path}/{MEMBER.id}", headers=MEMBER.headers)
    seen = answered(own, 200)
    peers = await conn.fetch(
        "select rater from round_rater where round = $1 and subject = $2 and rater_group = 'peers'", over, MEMBER.id
    )
    assert not any(str(row["rater"]) in own.text for row in peers)
    for reason in seen["reasons"]:
        for group in reason["groups"]:
            assert group["group"] != "peers" or group["average"] is None or group["count"] >= 2


async def test_results_are_the_same_in_whatever_order_ratings_came(conn: asyncpg.Connection) -> None:
    await publish(conn)
    over = await held(conn, NOW - 20 * DAY, NOW)
    found = await rounds.one(conn, DISTRICT, over)
    rows = [
        (row["rater_group"], row["points"])
        for row in await conn.fetch("select rater_group, points from rating where round = $1 and subject = $2",
                                    over, MEMBER.id)
    ]  # fmt: skip
    (kept,) = await conn.fetch("select * from round_result where round = $1 and subject = $2", over, MEMBER.id)
    plan = scoring.plan(rating_rounds.scorecard())
    known = facts.values(list(kept["facts"]))
    for seed in range(5):
        Random(seed).shuffle(rows)  # noqa: S311 - in whatever order
        again = scoring.score(plan, rows, known)
        assert (again.percent, list(again.items)) == (kept["percent"], kept["items"])
    assert found.published_at is None


async def test_a_computation_that_was_taken_over_is_no_longer_heard(conn: asyncpg.Connection) -> None:
    """Whoever is killed in the middle leaves whole batches; who goes on makes the same results of them."""
    await publish(conn)
    over = await held(conn, NOW - 20 * DAY, NOW - 19 * DAY)
    async with conn.transaction():
        await raters.turn(conn, DISTRICT, NOW - 2 * DAY)
    first = uuid4()
    computation = await results.begin(conn, DISTRICT, over, first)
    assert computation is not None
    found = await rounds.one(conn, DISTRICT, over)
    work = await results.prepared(conn, found, computation, first)
    batch = (await results.subjects_after(work, None))[:3]
    rows, digest = await results.reckoned(work, batch, b"")
    async with conn.transaction():
        await results.add(work, rows, batch[-1], digest)
    assert await results.work_out(conn, DISTRICT, over, uuid4(), NOW) == len(EVERYBODY)
    with pytest.raises(results.NoLongerWanted):
        async with conn.transaction():
            await results.add(work, rows, batch[-1], digest)
    assert await conn.fetchval("select count(*) from round_result where round = $1", over) == len(EVERYBODY)
    whole = await conn.fetchval("select digest from round_computation where round = $1", over)
    assert whole == await digest_anew(conn, over)


async def digest_anew(conn: asyncpg.Connection, round_: UUID) -> bytes:
    """The digest of what is kept, taken over all of it in one go."""
    rows = await conn.fetch(
        "select subject, percent, headings, items, counts, sums, facts, appealed from round_result"
        " where round = $1 order by subject",
        round_,
    )
    running = b""
    for subject, *values in rows:
        running = hashlib.sha256(running + subject.bytes + msgspec.json.encode(values)).digest()
    return running


def test_a_member_who_moved_was_longest_where_they_were() -> None:
    begins, a, b, c = OPENS, UUID(int=1), UUID(int=2), UUID(int=3)
    ends = begins + 90 * DAY
    assert stays(a, [], begins, ends) == [a]
    assert stays(b, [Move(begins + 60 * DAY, a, b)], begins, ends) == [a, b]
    assert stays(b, [Move(begins + 30 * DAY, a, b)], begins, ends) == [b, a]
    assert stays(b, [Move(begins + 45 * DAY, a, b)], begins, ends) == [b, a], "of equals, where they were last"
    moves = [Move(begins + 20 * DAY, a, b), Move(begins + 50 * DAY, b, a), Move(begins + 95 * DAY, a, c)]
    assert stays(c, moves, begins, ends) == [a, b], "what came after the period does not count"


def test_each_rates_as_many_as_rate_them_and_nobody_twice() -> None:
    asked = [Asked(UUID(int=at), "x", UUID(int=900), UUID(int=at)) for at in range(1, 12)]
    leaders = {UUID(int=900): [UUID(int=500), UUID(int=501), UUID(int=502)]}
    drawn = drawn_of(asked, leaders, 7, 3)
    peers = [(subject, rater) for subject, group, rater in drawn if group == "peers"]
    assert {sum(subject == one.subject for subject, _ in peers) for one in asked} == {3}
    assert {sum(rater == one.subject for _, rater in peers) for one in asked} == {3}
    assert len({(subject, rater) for subject, _, rater in drawn}) == len(drawn)
    assert drawn == drawn_of(list(reversed(asked)), leaders, 7, 3), "by the number alone"
    assert drawn != drawn_of(asked, leaders, 8, 3)
    alone = drawn_of(asked[:1], leaders, 7, 3)
    assert [group for _, group, _ in alone] == ["self", "leaders", "leaders"]


async def test_nobody_is_asked_in_a_group_that_rates_nothing(
    client: Client, conn: asyncpg.Connection, dsn: str, clock: TestClock
) -> None:
    card = rating_rounds.scorecard()
    items = [
        msgspec.structs.replace(item, raters=tuple(group for group in item.raters if group != "peers"))
        for item in card.items
    ]
    await publish(conn, msgspec.structs.replace(card, items=tuple(items)))
    clock.now = OPENS - DAY
    round_ = (await make(client))["id"]
    clock.now = OPENS
    await turn(conn, dsn, clock)
    asked = await conn.fetch("select distinct rater_group from round_rater where round = $1", UUID(round_))
    assert {row["rater_group"] for row in asked} == {"self", "leaders"}


async def test_organisations_that_were_always_there_are_rated(
    client: Client, conn: asyncpg.Connection, dsn: str, clock: TestClock
) -> None:
    assert await conn.fetchval("select bool_and(valid_from = '-infinity') from organisation_spans")
    await publish(conn, rating_rounds.scorecard("organisation"))
    clock.now = OPENS - DAY
    round_ = (await make(client))["id"]
    clock.now = OPENS
    await turn(conn, dsn, clock)
    progress = await read(client, ADMINISTRATOR, f"/api/assessments/rounds/{round_}/progress")
    assert (progress["subjects"], progress["skipped"]) == (3, 0)


async def test_hours_served_open_the_list_that_they_count(
    client: Client, conn: asyncpg.Connection, dsn: str, clock: TestClock
) -> None:
    await publish(conn)
    served = deeds_at_hand
    await served.team(conn)
    beside = await served.volunteer(conn, "V-9", member=ORGANISER_BESIDE.id)
    own = await served.volunteer(conn, "V-8", member=MEMBER.id)
    held = await served.service(conn, OPENS - 20 * DAY, title="<b>义诊</b>")
    first = await served.serve(conn, own, held, 90, OPENS - 20 * DAY)
    await served.serve(conn, own, held, 45, OPENS - 19 * DAY)
    await served.serve(conn, own, held, 30, OPENS + DAY)  # after the quarter
    await served.serve(conn, own, held, 30, OPENS - 18 * DAY, known=OPENS + 60 * DAY)  # learned of too late
    await served.serve(conn, beside, held, 600, OPENS - 20 * DAY)
    await served.correct(conn, first, OPENS - 10 * DAY)
    clock.now = OPENS - DAY
    round_ = (await make(client))["id"]
    for moment in OPENS, DATES["first_at"]:
        clock.now = moment
        await turn(conn, dsn, clock)
    result = await read(client, MEMBER, f"/api/assessments/rounds/{round_}/results/{MEMBER.id}")
    (fact,) = [one for one in result["facts"] if one["code"] == "hours_served"]
    listed = await read(client, MEMBER, fact["href"])
    assert (listed["minutes"], listed["total"], fact["count"]) == (45, 3, 45)
    assert [one["happened_at"] for one in listed["items"]] == sorted(
        (one["happened_at"] for one in listed["items"]), reverse=True
    )
    assert sorted(one["minutes"] for one in listed["items"]) == [-90, 45, 90]
    part = await read(client, MEMBER, fact["href"], limit=2)
    rest = await read(client, MEMBER, fact["href"], limit=2, cursor=part["next"])
    assert part["items"] + rest["items"] == listed["items"]
    await read(client, STRANGER, fact["href"], status=404)
    page = await client.get(fact["href"].removeprefix("/api"), headers={**MEMBER.headers, "accept": "text/html"})
    assert page.status_code == 200
    assert "&lt;b&gt;义诊&lt;/b&gt;" in page.text
    of_page = await client.get(
        f"/assessments/rounds/{round_}/results/{MEMBER.id}", headers={**MEMBER.headers, "accept": "text/html"}
    )
    assert fact["href"].removeprefix("/api") in of_page.text

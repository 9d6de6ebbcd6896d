"""Visits over HTTP: what is filed although something is not in order, where it falls, whose it is, and who reads it."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from tests import cards, doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    DISPATCHER,
    DISTRICT,
    FAR,
    LEADER,
    MEMBER,
    NEAR,
    NEXT,
    NOW,
    OTHER_WORKER,
    PEOPLE,
    STRANGER,
    STREET_DISPATCHER,
    WORKER,
    Client,
    Person,
    TestClock,
)
from tests.doors import every_page, file, read

pytestmark = pytest.mark.anyio


async def found_campaign(conn: asyncpg.Connection, *, ended_days_ago: int) -> None:
    end = NOW - timedelta(days=ended_days_ago)
    await conn.execute(
        "insert into campaign values ($1, '万名党员大走访', '万名党员大走访', $2, $3)",
        DISTRICT,
        end - timedelta(days=90),
        end,
    )


async def test_a_receipt_tells_where_whose_and_by_when(client: Client) -> None:
    draft = drafts.visit(issues=[drafts.issue(urgency="urgent"), drafts.solved()])
    receipt = await file(client, MEMBER, draft)
    assert receipt == {
        "id": draft["id"],
        "status": "filed",
        "received_at": "2026-11-23T04:00:00Z",
        "community": {"code": NEAR, "name": "近邻社区"},
        "certainty": "inside",
        "flags": [],
        "issues": [
            {
                "id": draft["issues"][0]["id"],
                "number": "10001",
                "community": {"code": NEAR, "name": "近邻社区"},
                "certainty": "inside",
                "owner": {"id": str(WORKER.id), "name": WORKER.name},
                "due_at": "2026-11-24T04:00:00Z",
            },
            {
                "id": draft["issues"][1]["id"],
                "number": "10002",
                "community": {"code": NEAR, "name": "近邻社区"},
                "certainty": "inside",
                "owner": {"id": str(MEMBER.id), "name": MEMBER.name},
                "due_at": "2026-11-26T04:00:00Z",
            },
        ],
    }


# Where a visit is said to be, the community by hand if any, and where it is then counted, how surely, and whose it is.
PLACES: dict[str, tuple[dict[str, Any] | None, str | None, str | None, str, Person]] = {
    "inside": (drafts.NEAR_DOOR, None, NEAR, "inside", WORKER),
    "another community's": (drafts.NEXT_DOOR, None, NEXT, "inside", STREET_DISPATCHER),
    "near a line": ({"lon": 113.60995, "lat": 34.705, "accuracy_m": 30}, None, NEAR, "near_line", WORKER),
    "outside": (drafts.OUTSIDE, None, None, "outside", DISPATCHER),
    "outside, but named by hand": (drafts.OUTSIDE, FAR, FAR, "outside", OTHER_WORKER),
    "inside, but named otherwise": (drafts.NEAR_DOOR, FAR, NEAR, "inside", WORKER),
    "no position": (None, None, None, "unplaced", DISPATCHER),
    "no position, but named by hand": (None, FAR, FAR, "unplaced", OTHER_WORKER),
    "GCJ-02, as in WeChat": (
        {"lon": 113.6113, "lat": 34.7041, "accuracy_m": 12, "system": "gcj02"},
        None,
        NEAR,
        "inside",
        WORKER,
    ),
}


@pytest.mark.parametrize(("position", "named", "community", "certainty", "owner"), PLACES.values(), ids=PLACES.keys())
async def test_where_a_visit_falls_and_who_answers_for_what_was_found_there(
    shared: Client,
    position: dict[str, Any] | None,
    named: str | None,
    community: str | None,
    certainty: str,
    owner: Person,
) -> None:
    draft = drafts.visit(position=position, community=named, issues=[drafts.issue()])
    receipt = await file(shared, MEMBER, draft)
    for one in (receipt, receipt["issues"][0]):
        assert (one["community"] or {}).get("code") == community
        assert one["certainty"] == certainty
    assert receipt["issues"][0]["owner"]["id"] == str(owner.id)
    assert receipt["flags"] == (["outside_district"] if certainty == "outside" else [])


async def test_an_issue_may_lie_elsewhere_than_the_door(shared: Client) -> None:
    receipt = await file(shared, MEMBER, drafts.visit(issues=[drafts.issue(position=drafts.FAR_DOOR), drafts.issue()]))
    assert [issue["community"]["code"] for issue in receipt["issues"]] == [FAR, NEAR]
    assert [issue["owner"]["id"] for issue in receipt["issues"]] == [str(OTHER_WORKER.id), str(WORKER.id)]


async def test_a_position_is_kept_as_it_came(client: Client, conn: asyncpg.Connection) -> None:
    position = {"lon": 113.6113, "lat": 34.7041, "accuracy_m": 35.5, "system": "gcj02", "source": "map"}
    await file(client, MEMBER, drafts.visit(position=position))
    row = await conn.fetchrow("select * from visit")
    assert row is not None
    kept = [row[name] for name in ("position_lon", "position_lat", "accuracy_m", "position_system", "position_source")]
    assert kept == list(position.values())
    assert 300 < abs(row["lon"] - row["position_lon"]) * 91_000 < 800, "half a kilometre, as GCJ-02 is off here"
    assert row["boundary_version"] == 1


async def test_a_campaign_that_has_ended_is_filed_and_flagged(client: Client, conn: asyncpg.Connection) -> None:
    await found_campaign(conn, ended_days_ago=3)
    receipt = await file(client, MEMBER, drafts.visit(campaign="万名党员大走访"))
    assert receipt["flags"] == ["campaign_ended"]
    before = {"started_at": "2026-11-19T09:00:00+08:00", "ended_at": "2026-11-19T09:20:00+08:00"}
    on_time = await file(client, MEMBER, drafts.visit(campaign="万名党员大走访", **before))
    assert on_time["flags"] == [], "visited in time, and out of reach of a signal since"


async def test_a_retired_category_is_filed_and_flagged(shared: Client) -> None:
    receipt = await file(shared, MEMBER, drafts.visit(issues=[drafts.issue(category="0199"), drafts.issue()]))
    assert receipt["flags"] == ["category_retired"]
    assert len(receipt["issues"]) == 2


async def test_all_that_can_be_wrong_with_a_filing_is_told_at_once(client: Client, conn: asyncpg.Connection) -> None:
    await found_campaign(conn, ended_days_ago=3)
    [card] = await cards.make(conn)
    await file(client, MEMBER, drafts.visit(contact_card=card.number))
    draft = drafts.visit(
        contact_card=card.number,
        campaign="万名党员大走访",
        position=drafts.OUTSIDE,
        issues=[drafts.issue(category="0199")],
    )
    flags = ["campaign_ended", "card_already_bound", "category_retired", "outside_district"]
    assert (await file(client, MEMBER, draft))["flags"] == flags
    assert (await file(client, MEMBER, draft, status=200))["flags"] == flags
    assert (await doors.read(client, LEADER, f"/api/visits/{draft['id']}"))["visit"]["flags"] == flags


async def test_a_phone_clock_three_days_ahead_is_corrected(client: Client, conn: asyncpg.Connection) -> None:
    draft = drafts.visit(
        started_at="2026-11-26T11:20:00+08:00",
        ended_at="2026-11-26T11:30:00+08:00",
        issues=[drafts.solved(solved_on_spot={"how": "扫了", "at": "2026-11-26T11:35:00+08:00"})],
    )
    assert (await file(client, MEMBER, draft, status=422))["code"] == "time_in_future"
    receipt = await file(client, MEMBER, draft, device_time="2026-11-26T12:00:00+08:00")
    assert receipt["issues"][0]["due_at"] == "2026-11-26T04:00:00Z", "the limit counts from our clock"
    row = await conn.fetchrow("select *, started_at::text as began, device_started_at::text as said from visit")
    assert row is not None
    assert (row["began"], row["said"]) == ("2026-11-23 03:20:00+00", "2026-11-26 03:20:00+00")
    assert row["clock_skew_s"] == 3 * 24 * 3600
    solved = await conn.fetchval("select valid_from::text from issue_spans where state = 'resolved'")
    assert solved == "2026-11-23 03:35:00+00"


@pytest.mark.parametrize(("told", "skew"), [("2026-11-23T11:59:05+08:00", 0), ("2026-11-23T11:30:00+08:00", -1800)])
async def test_a_clock_that_is_a_little_late_is_the_network_s_delay(
    client: Client, conn: asyncpg.Connection, told: str, skew: float
) -> None:
    await file(client, MEMBER, drafts.visit(), device_time=told)
    assert await conn.fetchval("select clock_skew_s from visit") == skew


@pytest.mark.parametrize(("minutes", "status"), [(15, 201), (16, 422)])
async def test_a_quarter_of_an_hour_ahead_is_let_pass(shared: Client, minutes: int, status: int) -> None:
    end = (NOW + timedelta(minutes=minutes)).isoformat()
    await file(shared, MEMBER, drafts.visit(ended_at=end, issues=[drafts.issue()]), status=status)


async def test_no_issue_was_reported_after_we_learned_of_it(client: Client, conn: asyncpg.Connection) -> None:
    end = (NOW + timedelta(minutes=10)).isoformat()
    await file(client, MEMBER, drafts.visit(ended_at=end, issues=[drafts.issue(), drafts.solved()]))
    assert await conn.fetchval("select bool_and(reported_at = recorded_at) from issue")
    assert await conn.fetchval("select bool_and(happened_at <= recorded_at) from history")


NULLABLE = ["campaign", "companions", "position", "community", "contact_card", "note", "answers"]
NULLABLE_IN_ISSUE = ["description", "urgency", "position", "solved_on_spot", "contact", "photos"]


@pytest.mark.parametrize("field", [*NULLABLE, "premises.id", *(f"issues.{field}" for field in NULLABLE_IN_ISSUE)])
async def test_what_may_be_left_out_may_be_null(shared: Client, field: str) -> None:
    draft = drafts.visit(issues=[drafts.issue()])
    within, _, name = field.rpartition(".")
    place = {"": draft, "premises": draft["premises"], "issues": draft["issues"][0]}[within]
    place.pop(name, None)
    left_out = await file(shared, MEMBER, draft)
    place[name] = None
    again = await file(shared, MEMBER, draft, status=200)
    assert again == left_out | {"status": "already_filed"}


async def test_companions_and_answers_are_kept(client: Client, conn: asyncpg.Connection) -> None:
    answers = {"questionnaire": "走访问卷", "version": "3", "values": {"水": {"有": True}, "人数": 3, "大": 2**60}}
    draft = drafts.visit(companions=[str(STRANGER.id)], answers=answers)
    await file(client, MEMBER, draft)
    assert await conn.fetchval("select companions from visit") == [STRANGER.id]
    assert "走访问卷" in await conn.fetchval("select body->>'answers' from text_version")


async def test_history_holds_no_text(client: Client, conn: asyncpg.Connection) -> None:
    words = ["老王面馆", "淮河路", "门口垃圾成堆", "三天没人清", "当场劝离", "备注在此", "问答"]
    draft = drafts.visit(
        note="备注在此",
        answers={"questionnaire": "q", "version": "1", "values": {"a": "问答"}},
        issues=[drafts.issue(description="三天没人清"), drafts.solved()],
    )
    await file(client, MEMBER, draft)
    await doors.correct(client, MEMBER, draft["id"], drafts.correction(1, reason="备注在此", note="问答"))
    told = " ".join(row["facts"] for row in await conn.fetch("select facts::text as facts from history"))
    assert [word for word in words if word in told] == []
    assert await conn.fetchval("select count(*) from history where kind in ('visit', 'issue')") == 5


async def test_a_visit_is_corrected_and_its_first_filing_stays(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    draft = drafts.visit(note="先写的")
    await file(client, MEMBER, draft)
    clock.forward(minutes=5)
    correction = drafts.correction(
        1,
        reason="门牌写错",
        outcome="not_home",
        note="后写的",
        premises={"kind": "household", "name": "张家", "address": "淮河路 3 号"},
        position=drafts.FAR_DOOR,
    )
    corrected = await doors.correct(client, MEMBER, draft["id"], correction)
    assert (corrected["visit"], corrected["version"], corrected["withdrawn_at"]) == (draft["id"], 2, None)
    assert await doors.correct(client, MEMBER, draft["id"], correction) == corrected, "a retry gets the first answer"
    detail = await read(client, MEMBER, f"/api/visits/{draft['id']}")
    visit = detail["visit"]
    assert (visit["premises_name"], visit["outcome"], visit["note"]) == ("张家", "not_home", "后写的")
    assert visit["community"]["code"] == FAR
    assert [(entry["event"], entry["reason"]) for entry in detail["history"]] == [
        ("file", None),
        ("correct", "门牌写错"),
    ]
    first = detail["history"][0]["facts"]
    assert (first["community"], first["outcome"]) == (NEAR, "met")
    kept = await conn.fetch(
        "select body->>'note' as note from text_version where subject = $1 order by version", visit["id"]
    )
    assert [row["note"] for row in kept] == ["先写的", "后写的"]


async def test_a_correction_that_gave_the_visit_away_is_known_when_it_comes_again(shared: Client) -> None:
    draft = drafts.visit()
    await file(shared, MEMBER, draft)
    correction = drafts.correction(1, position=drafts.FAR_DOOR)
    corrected = await doors.correct(shared, WORKER, draft["id"], correction)
    await read(shared, WORKER, f"/api/visits/{draft['id']}", status=404)
    assert await doors.correct(shared, WORKER, draft["id"], correction) == corrected


async def test_a_withdrawn_visit_takes_along_what_nobody_has_accepted(client: Client, clock: TestClock) -> None:
    draft = drafts.visit(issues=[drafts.issue(), drafts.issue(), drafts.solved()])
    await file(client, MEMBER, draft)
    untouched, accepted, solved = (issue["id"] for issue in draft["issues"])
    await doors.move(client, WORKER, accepted, drafts.move("accept", 1))
    clock.forward(minutes=5)
    withdrawal = drafts.correction(1, reason="走错门了", withdraw=True)
    withdrawn = await doors.correct(client, MEMBER, draft["id"], withdrawal)
    assert withdrawn["withdrawn_at"] == "2026-11-23T04:05:00Z"
    assert await doors.correct(client, MEMBER, draft["id"], withdrawal) == withdrawn
    states = {id_: (await doors.issue(client, LEADER, id_))["issue"]["state"] for id_ in (untouched, accepted, solved)}
    assert states == {untouched: "rejected", accepted: "accepted", solved: "resolved"}
    history = (await doors.issue(client, LEADER, untouched))["history"]
    assert [(entry["event"], entry["reason"]) for entry in history] == [("report", None), ("reject", "走错门了")]
    again = drafts.correction(2, reason="再来一次", note="x")
    assert (await doors.correct(client, MEMBER, draft["id"], again, status=409))["code"] == "already_withdrawn"
    assert (await file(client, MEMBER, draft, status=200))["status"] == "already_filed", "a late retry is still known"


@pytest.mark.parametrize(
    ("changes", "status", "code", "field"),
    [
        ({}, 422, "missing", "withdraw"),
        ({"expected_version": 2, "note": "x"}, 409, "stale_version", "expected_version"),
        ({"reason": "\u3000", "note": "x"}, 422, "text_unusable", "reason"),
        ({"reason": "", "note": "x"}, 422, "wrong_value", "reason"),
        ({"reason": None, "note": "x"}, 422, "wrong_value", "reason"),
        ({"community": "110101001001"}, 422, "unknown_community", "community"),
        ({"position": {"lon": 34.7, "lat": 113.6}}, 422, "longitude_latitude_swapped", "position.lat"),
        ({"premises": {"kind": "shop", "name": " ", "address": ""}}, 422, "text_unusable", "premises.name"),
        ({"outcome": "loyal"}, 422, "wrong_value", "outcome"),
        ({"contact_card": "EQ-1"}, 422, "unknown_field", "contact_card"),
        ({"note": "a\x00"}, 422, "text_unusable", "note"),
    ],
)
async def test_a_correction_that_cannot_be_made_changes_nothing(
    shared: Client, changes: dict[str, Any], status: int, code: str, field: str
) -> None:
    draft = drafts.visit()
    await file(shared, MEMBER, draft)
    before = await read(shared, MEMBER, f"/api/visits/{draft['id']}")
    problem = await doors.correct(shared, MEMBER, draft["id"], drafts.correction(1) | changes, status=status)
    assert (problem["code"], problem["field"]) == (code, field)
    assert await read(shared, MEMBER, f"/api/visits/{draft['id']}") == before


async def test_two_corrections_at_once_one_is_told_that_it_came_late(shared: Client) -> None:
    draft = drafts.visit()
    await file(shared, MEMBER, draft)
    path = f"/api/visits/{draft['id']}/corrections"
    answers = await asyncio.gather(
        *[
            shared.post(path, json=drafts.correction(1, note=note), headers=MEMBER.headers)
            for note in ("甲", "乙", "丙")
        ]
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    late = next(answer for answer in answers if answer.status_code == 409)
    assert doors.refused(late, 409, "stale_version", "expected_version")["facts"]["version"] == 2


async def test_a_correction_s_id_is_used_once(shared: Client) -> None:
    first, second = drafts.visit(), drafts.visit()
    await file(shared, MEMBER, first)
    await file(shared, MEMBER, second)
    correction = drafts.correction(1, note="x")
    await doors.correct(shared, MEMBER, first["id"], correction)
    for visit, changed in (
        (first, correction | {"note": "y"}),
        (second, correction),
        (second, correction | {"id": first["id"]}),
    ):
        problem = await doors.correct(shared, MEMBER, visit["id"], changed, status=409)
        assert problem["code"] == "id_taken"


# Who sees a visit of the near community, and who may correct it.
SEES = [MEMBER, WORKER, STREET_DISPATCHER, DISPATCHER, LEADER, ADMINISTRATOR]
MAY_CORRECT = [MEMBER, WORKER, STREET_DISPATCHER, DISPATCHER, ADMINISTRATOR]


async def test_who_reads_a_visit_and_who_corrects_it(client: Client) -> None:
    draft = drafts.visit(note="备注")
    await file(client, MEMBER, draft)
    version = 1
    for who in PEOPLE:
        page = await read(client, who, "/api/visits")
        if who in SEES:
            assert [item["id"] for item in page["items"]] == [draft["id"]], who
            assert page["total"] == 1
            assert (await read(client, who, f"/api/visits/{draft['id']}"))["visit"]["note"] == "备注"
        else:
            assert page == {"items": [], "next": None, "total": 0}, who
            assert (await read(client, who, f"/api/visits/{draft['id']}", status=404))["code"] == "not_found"
        status = 200 if who in MAY_CORRECT else 403 if who in SEES else 404
        await doors.correct(client, who, draft["id"], drafts.correction(version, outcome="closed"), status=status)
        version += status == 200


async def test_a_companion_reads_the_visit_and_leaves_it_as_it_is(client: Client) -> None:
    draft = drafts.visit(companions=[str(STRANGER.id)])
    await file(client, MEMBER, draft)
    assert (await read(client, STRANGER, "/api/visits"))["total"] == 1
    await doors.correct(client, STRANGER, draft["id"], drafts.correction(1, note="改"), status=403)


async def test_a_list_of_visits_is_pinned_to_its_first_page(client: Client, clock: TestClock) -> None:
    backlog = [drafts.visit(started_at=f"2026-11-23T{hour:02}:00:00+08:00") for hour in range(2, 11)]
    await doors.file_all(client, MEMBER, backlog)
    page = await read(client, MEMBER, "/api/visits", limit=4)
    assert page["total"] == 9
    clock.forward(minutes=1)
    await file(client, MEMBER, drafts.visit(started_at="2026-11-23T01:00:00+08:00"))
    later = await read(client, MEMBER, "/api/visits", limit=4, cursor=page["next"])
    last = await read(client, MEMBER, "/api/visits", limit=4, cursor=later["next"])
    assert (later["total"], last["total"], last["next"]) == (9, 9, None)
    ids = [item["id"] for part in (page, later, last) for item in part["items"]]
    assert ids == [visit["id"] for visit in backlog[::-1]]
    assert len(await every_page(client, MEMBER, "/api/visits", limit=3)) == 10
    assert (await read(client, MEMBER, "/api/visits", total="false"))["total"] is None

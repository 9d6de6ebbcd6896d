"""Members over HTTP: who looks after whom, who may give what, and what leaving and being away does to what they own."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from api import jobs
from api.jobs import Work
from api.settings import Settings
from surveys.people import people
from surveys.privacy.sealing import Place
from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    BELOW,
    BESIDE,
    DISPATCHER,
    DISTRICT,
    FAR,
    HANDLER,
    LEADER,
    MEMBER,
    MEMBER_BELOW,
    MEMBER_BESIDE,
    NEAR,
    NOW,
    ORGANISATION,
    ORGANISER,
    ORGANISER_BESIDE,
    RING,
    STRANGER,
    STREET_DISPATCHER,
    WORKER,
    Client,
    Person,
    TestClock,
)
from tests.doors import Answer, answered, refused

pytestmark = pytest.mark.anyio

PHONE = "139 0371 5566"


def joining(**changes: Any) -> Answer:
    """A member who joins the first branch."""
    return {"id": str(uuid4()), "number": "EQ90001", "name": "新同志", "organisation": str(ORGANISATION)} | changes


def changing(change: str, version: int, **further: Any) -> Answer:
    return {"id": str(uuid4()), "change": change, "expected_version": version} | further


def away(deputy: Person, starts_at: datetime = NOW, days: float = 7, **further: Any) -> Answer:
    ends_at = starts_at + timedelta(days=days)
    times = {"starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat()}
    return {"id": str(uuid4()), "deputy": deputy.number} | times | further


async def join(client: Client, who: Person, draft: Answer, status: int = 201) -> Answer:
    return answered(await client.post("/api/members", json=draft, headers=who.headers), status)


async def change(client: Client, who: Person, whom: Person | str, draft: Answer, status: int = 200) -> Answer:
    id_ = whom if isinstance(whom, str) else whom.id
    return answered(await client.post(f"/api/members/{id_}/changes", json=draft, headers=who.headers), status)


async def leave(client: Client, who: Person, whom: Person, draft: Answer, status: int = 201) -> Answer:
    answer = await client.post(f"/api/members/{whom.id}/absences", json=draft, headers=who.headers)
    return answered(answer, status)


async def member(client: Client, whom: Person | str, who: Person = ADMINISTRATOR) -> Answer:
    return await doors.read(client, who, f"/api/members/{whom if isinstance(whom, str) else whom.id}")


async def an_issue(client: Client, **changes: Any) -> str:
    """An issue of the near community, whose worker owns it."""
    draft = drafts.visit(issues=[drafts.issue(**changes)])
    await doors.file(client, MEMBER, draft)
    id_: str = draft["issues"][0]["id"]
    return id_


async def begun(conn: asyncpg.Connection, clock: TestClock) -> Any:
    """What the job did whose turn it is."""
    work = Work(district=DISTRICT, now=clock(), ring=RING, settings=Settings())
    async with conn.transaction():
        return await jobs.named("begin_absences").run(conn, work)


async def owner(client: Client, issue: str) -> str:
    return (await doors.issue(client, ADMINISTRATOR, issue))["issue"]["owner"]["name"]  # type: ignore[no-any-return]


async def test_an_organisation_s_id_is_taken_whatever_happened_to_it_just_now(client: Client) -> None:
    change = {"id": str(uuid4()), "change": "rename", "expected_version": 0, "name": "新名"}
    path = f"/api/organisations/{ORGANISATION}/changes"
    doors.answered(await client.post(path, json=change, headers=ADMINISTRATOR.headers), 200)
    draft = {"id": str(ORGANISATION), "name": "另一个"}
    doors.refused(await client.post("/api/organisations", json=draft, headers=ADMINISTRATOR.headers), 409, "id_taken")


# --- joining and being found


async def test_a_member_joins_and_is_found_by_name_and_number(client: Client) -> None:
    draft = joining(phone=PHONE)
    assert await join(client, ORGANISER, draft) == {"id": draft["id"], "version": 1, "handed_on": 0}
    for text in ("新同", "90001", "eq9"):
        page = await doors.read(client, ORGANISER, "/api/members", text=text)
        assert [one["id"] for one in page["items"]] == [draft["id"]]
    [shown] = page["items"]
    assert shown["phone"] == "139****5566"
    assert shown["state"] == "never_signed_in"
    assert shown["organisation"]["path"] == "第一支部"
    assert shown["roles"] == [{"role": "member", "scope_kind": "own", "scope": "", "name": None}]


async def test_a_retry_is_answered_as_the_first_time_and_other_content_is_not(client: Client) -> None:
    draft = joining(phone=PHONE)
    first = await join(client, ORGANISER, draft)
    assert await join(client, ORGANISER, draft) == first
    answer = await client.post("/api/members", json=draft | {"name": "别人"}, headers=ORGANISER.headers)
    refused(answer, 409, "id_taken", "id")


async def test_a_phone_is_kept_sealed_and_belongs_to_one(client: Client, conn: asyncpg.Connection) -> None:
    draft = joining(phone=PHONE)
    await join(client, ADMINISTRATOR, draft)
    row = await conn.fetchrow("select phone, phone_look_up from member where id = $1", draft["id"])
    assert row is not None
    assert row["phone_look_up"] == RING.look_up("13903715566")
    assert RING.open(row["phone"], Place(DISTRICT, draft["id"], "phone")) == "13903715566"
    second = joining(number="EQ90002", phone="+86 13903715566")
    refused(await client.post("/api/members", json=second, headers=ADMINISTRATOR.headers), 409, "phone_taken")
    kept = str(await conn.fetch("select facts from history where kind = 'member'"))
    assert "5566" not in kept
    assert draft["name"] not in kept


async def test_a_number_belongs_to_one(client: Client) -> None:
    answer = await client.post("/api/members", json=joining(number=MEMBER.number), headers=ADMINISTRATOR.headers)
    refused(answer, 409, "number_taken")


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"phone": "手机"}, "phone_unusable", "phone"),
        ({"name": "\u200b"}, "text_unusable", "name"),
        ({"organisation": str(uuid4())}, "unknown_organisation", "organisation"),
        ({"roles": [{"role": "community_worker", "scope": "无此社区"}]}, "unknown_scope", "roles"),
    ],
)
async def test_what_makes_no_sense_is_named(client: Client, changes: Answer, code: str, field: str) -> None:
    answer = await client.post("/api/members", json=joining(**changes), headers=ADMINISTRATOR.headers)
    refused(answer, 422, code, field)


async def test_the_list_is_read_page_by_page_and_no_further_than_one_s_own(client: Client) -> None:
    everybody = await doors.every_page(client, ADMINISTRATOR, "/api/members", limit=5)
    assert len(everybody) == len({one["id"] for one in everybody}) == 16
    own = await doors.every_page(client, ORGANISER_BESIDE, "/api/members", limit=1)
    assert {one["name"] for one in own} == {MEMBER_BESIDE.name, ORGANISER_BESIDE.name}
    page = await doors.read(client, ORGANISER, "/api/members", organisation=str(BESIDE))
    assert (page["items"], page["total"]) == ([], 0)


async def test_who_looks_after_nobody_is_shown_nobody(client: Client) -> None:
    for who in (MEMBER, LEADER, WORKER):
        refused(await client.get("/api/members", headers=who.headers), 403, "not_allowed")
        refused(await client.get(f"/api/members/{STRANGER.id}", headers=who.headers), 403, "not_allowed")


# --- nobody gives what they could not give


async def test_an_organiser_gives_the_care_of_their_own_and_takes_it_again(client: Client) -> None:
    care = {"role": "organiser", "scope": str(BELOW)}
    given = await change(client, ORGANISER, MEMBER_BELOW, changing("give", 0, **care))
    shown = (await member(client, MEMBER_BELOW))["member"]
    assert [(one["role"], one["name"]) for one in shown["roles"]] == [
        ("member", None),
        ("organiser", "第一支部/第一小组"),
    ]
    await change(client, ORGANISER, MEMBER_BELOW, changing("take", given["version"], **care))
    assert len((await member(client, MEMBER_BELOW))["member"]["roles"]) == 1


@pytest.mark.parametrize("whom", [ORGANISER, MEMBER, MEMBER_BELOW])
@pytest.mark.parametrize(
    ("role", "scope"),
    [
        ("administrator", ""),
        ("auditor", ""),
        ("operator", ""),
        ("leader", ""),
        ("leader", "410103001"),
        ("dispatcher", ""),
        ("dispatcher", "410103001"),
        ("community_worker", NEAR),
        ("department_handler", "city_management"),
        ("organiser", str(BESIDE)),
    ],
)
async def test_an_organiser_can_make_nobody_more_than_themselves(
    client: Client, conn: asyncpg.Connection, whom: Person, role: str, scope: str
) -> None:
    before = await conn.fetch("select * from member_role order by member, role")
    asked = changing("give", 0, role=role, scope=scope)
    refused(
        await client.post(f"/api/members/{whom.id}/changes", json=asked, headers=ORGANISER.headers),
        403,
        "cannot_give",
        "role",
    )
    newcomer = joining(roles=[{"role": role, "scope": scope}])
    refused(await client.post("/api/members", json=newcomer, headers=ORGANISER.headers), 403, "cannot_give", "roles")
    assert await conn.fetch("select * from member_role order by member, role") == before


@pytest.mark.parametrize("whom", [ADMINISTRATOR, WORKER, HANDLER, DISPATCHER, STREET_DISPATCHER, LEADER])
async def test_an_organiser_has_no_hold_over_who_reaches_further(client: Client, whom: Person) -> None:
    """They belong to the organiser's own branch: to let them in again would be to take their place."""
    for asked in (
        changing("close", 0),
        changing("update", 0, name="改名"),
        changing("transfer", 0, organisation=str(BELOW)),
    ):
        answer = await client.post(f"/api/members/{whom.id}/changes", json=asked, headers=ORGANISER.headers)
        refused(answer, 403, "not_allowed")
    answer = await client.post(f"/api/members/{whom.id}/absences", json=away(MEMBER), headers=ORGANISER.headers)
    refused(answer, 403, "not_allowed")
    assert (await member(client, whom, ORGANISER))["manageable"] is False


async def test_an_organiser_s_hands_end_at_their_own_branches(client: Client) -> None:
    answer = await client.post(
        f"/api/members/{MEMBER_BESIDE.id}/changes", json=changing("close", 0), headers=ORGANISER.headers
    )
    refused(answer, 404, "not_found")
    out = changing("transfer", 0, organisation=str(BESIDE))
    answer = await client.post(f"/api/members/{MEMBER.id}/changes", json=out, headers=ORGANISER.headers)
    refused(answer, 422, "unknown_organisation", "organisation")
    assert (await change(client, ORGANISER, MEMBER, out | {"organisation": str(BELOW)}))["version"] == 1


async def test_areas_are_handed_down_and_never_taken_from_elsewhere(client: Client) -> None:
    far = {"kind": "community", "code": FAR}
    near, street = {"kind": "community", "code": NEAR}, {"kind": "street", "code": "410103001"}

    async def answer_for(who: Person, organisation: Any, version: int, *areas: Answer) -> Any:
        asked = {"id": str(uuid4()), "change": "areas", "expected_version": version, "areas": areas}
        return await client.post(f"/api/organisations/{organisation}/changes", json=asked, headers=who.headers)

    refused(await answer_for(ORGANISER, ORGANISATION, 0, near), 403, "cannot_give", "areas")
    answered(await answer_for(ADMINISTRATOR, ORGANISATION, 0, street), 200)
    answered(await answer_for(ORGANISER, BELOW, 0, near), 200)
    refused(
        await answer_for(ORGANISER, BELOW, 1, far),
        403,
        "cannot_give",
        "areas",
    )
    tree = (await doors.read(client, ORGANISER, "/api/organisations"))["items"]
    assert [one["areas"] for one in tree] == [[street], [near]]


# --- changing


async def test_a_stale_version_is_told_the_present_one(client: Client) -> None:
    await change(client, ADMINISTRATOR, MEMBER, changing("update", 0, name="王改名"))
    answer = await client.post(
        f"/api/members/{MEMBER.id}/changes", json=changing("update", 0, name="又改"), headers=ADMINISTRATOR.headers
    )
    assert refused(answer, 409, "stale_version", "expected_version")["facts"]["version"] == 1


async def test_a_change_asked_for_twice_happens_once(client: Client, conn: asyncpg.Connection) -> None:
    asked = changing("transfer", 0, organisation=str(BELOW), reason="搬家")
    first = await change(client, ADMINISTRATOR, MEMBER, asked)
    assert await change(client, ADMINISTRATOR, MEMBER, asked) == first
    entries = (await member(client, MEMBER))["history"]
    assert [(one["event"], one["reason"]) for one in entries] == [("transfer", "搬家")]
    assert entries[0]["facts"]["before"] == str(ORGANISATION)


async def test_what_was_filed_keeps_the_organisation_of_its_day(client: Client, conn: asyncpg.Connection) -> None:
    issue = await an_issue(client)
    await change(client, ADMINISTRATOR, MEMBER, changing("transfer", 0, organisation=str(BESIDE)))
    assert await conn.fetchval("select organisation from issue where id = $1", issue) == ORGANISATION
    assert await conn.fetchval("select organisation from visit") == ORGANISATION


# --- leaving


async def test_who_leaves_hands_on_all_they_own_at_once(client: Client, conn: asyncpg.Connection) -> None:
    issues = [await an_issue(client) for _ in range(3)]
    await doors.move(client, WORKER, issues[1], drafts.move("accept", 1))
    for name, version in (("accept", 1), ("resolve", 2)):
        await doors.move(client, WORKER, issues[2], drafts.move(name, version, reason="清了"))
    done = await change(client, ADMINISTRATOR, WORKER, changing("close", 0, deputy=MEMBER.number, reason="退休"))
    assert done["handed_on"] == 2
    assert [await owner(client, issue) for issue in issues] == [MEMBER.name, MEMBER.name, WORKER.name]
    spans = await conn.fetch(
        "select issue, version, owner, valid_to from issue_spans where issue = any($1) order by issue, version", issues
    )
    assert sum(row["owner"] == MEMBER.id for row in spans) == 2, "one span each"
    assert sum(row["valid_to"] == datetime.max.replace(tzinfo=NOW.tzinfo) for row in spans) <= 3
    events = (await doors.issue(client, ADMINISTRATOR, issues[0]))["history"]
    assert [one["event"] for one in events] == ["report", "hand_on"], "one row of history each"
    assert events[1]["facts"]["before"] == str(WORKER.id)
    assert await conn.fetchval("select count(*) from issue where owner = $1 and state = 'reported'", WORKER.id) == 0


async def test_without_a_deputy_who_is_on_duty_takes_over(client: Client) -> None:
    issue = await an_issue(client)
    await change(client, ADMINISTRATOR, WORKER, changing("close", 0))
    assert await owner(client, issue) == STREET_DISPATCHER.name
    await change(client, ADMINISTRATOR, STREET_DISPATCHER, changing("close", 0))
    assert await owner(client, issue) == DISPATCHER.name


async def test_hand_on_is_no_move_that_anybody_may_ask_for(client: Client) -> None:
    issue = await an_issue(client)
    move = drafts.move("hand_on", 1, to=str(MEMBER.id))
    answer = await client.post(f"/api/issues/{issue}/moves", json=move, headers=ADMINISTRATOR.headers)
    refused(answer, 422, "wrong_value", "move")


async def test_who_has_left_is_let_in_no_more(client: Client, conn: asyncpg.Connection) -> None:
    assert (await client.get("/api/issues", headers=WORKER.headers)).status_code == 200
    await change(client, ADMINISTRATOR, WORKER, changing("close", 0))
    refused(await client.get("/api/issues", headers=WORKER.headers), 401, "not_signed_in")
    assert await conn.fetchval("select bool_and(revoked_at is not null) from access_token where member = $1", WORKER.id)
    shown = await member(client, WORKER)
    assert (shown["member"]["state"], shown["member"]["roles"]) == ("left", [])


async def test_who_returns_is_a_member_and_no_more(client: Client) -> None:
    await change(client, ADMINISTRATOR, WORKER, changing("close", 0))
    await change(client, ADMINISTRATOR, WORKER, changing("return", 1))
    shown = (await member(client, WORKER))["member"]
    assert [one["role"] for one in shown["roles"]] == ["member"]
    refused(await client.get("/api/issues", headers=WORKER.headers), 401, "not_signed_in")


async def test_the_district_s_dispatcher_goes_after_another_is_named(client: Client, conn: asyncpg.Connection) -> None:
    path = f"/api/members/{DISPATCHER.id}/changes"
    for asked in (changing("close", 0), changing("take", 0, role="dispatcher")):
        refused(await client.post(path, json=asked, headers=ADMINISTRATOR.headers), 409, "dispatcher_needed")
    await change(client, ADMINISTRATOR, LEADER, changing("name_dispatcher", 0))
    assert await conn.fetchval("select dispatcher from district where district = $1", DISTRICT) == LEADER.id
    await change(client, ADMINISTRATOR, DISPATCHER, changing("close", 0))


async def test_only_an_administrator_names_the_dispatcher(client: Client) -> None:
    asked = changing("name_dispatcher", 0)
    answer = await client.post(f"/api/members/{MEMBER.id}/changes", json=asked, headers=ORGANISER.headers)
    refused(answer, 403, "not_allowed")


async def test_the_last_administrator_stays(client: Client) -> None:
    path = f"/api/members/{ADMINISTRATOR.id}/changes"
    for asked in (changing("close", 0), changing("take", 0, role="administrator")):
        refused(await client.post(path, json=asked, headers=ADMINISTRATOR.headers), 409, "administrator_needed")
    await change(client, ADMINISTRATOR, LEADER, changing("give", 0, role="administrator"))
    await change(client, ADMINISTRATOR, ADMINISTRATOR, changing("close", 0))


async def test_what_is_reopened_goes_to_somebody_who_is_there(client: Client) -> None:
    issue = await an_issue(client)
    await doors.move(client, WORKER, issue, drafts.move("accept", 1))
    await doors.move(client, WORKER, issue, drafts.move("resolve", 2, reason="清了"))
    await change(client, ADMINISTRATOR, WORKER, changing("close", 0))
    await doors.move(client, MEMBER, issue, drafts.move("reopen", 3, reason="没清"))
    assert await owner(client, issue) == STREET_DISPATCHER.name


# --- being away


async def test_who_is_away_is_stood_in_for(client: Client) -> None:
    before = await an_issue(client)
    done = await leave(client, ADMINISTRATOR, WORKER, away(STREET_DISPATCHER))
    assert done["handed_on"] == 1
    during = await an_issue(client)
    assert [await owner(client, issue) for issue in (before, during)] == [STREET_DISPATCHER.name] * 2
    shown = (await member(client, WORKER))["member"]
    assert (shown["state"], shown["deputy"]["name"]) == ("absent", STREET_DISPATCHER.name)


async def test_after_the_absence_they_answer_again(client: Client, clock: TestClock) -> None:
    await leave(client, ADMINISTRATOR, WORKER, away(MEMBER, days=2))
    clock.forward(days=3)
    issue = await an_issue(client)
    assert await owner(client, issue) == WORKER.name


async def test_an_absence_that_begins_later_hands_on_when_it_begins(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    issue = await an_issue(client)
    draft = away(MEMBER, NOW + timedelta(days=1))
    assert (await leave(client, ADMINISTRATOR, WORKER, draft))["handed_on"] == 0
    assert await owner(client, issue) == WORKER.name
    clock.forward(days=1)
    assert (await begun(conn, clock))["handed_on"] == 1
    assert await owner(client, issue) == MEMBER.name
    assert (await begun(conn, clock))["absences"] == []
    [entry] = (await doors.issue(client, ADMINISTRATOR, issue))["history"][1:]
    assert (entry["event"], entry["actor"]) == ("hand_on", {"kind": "job", "id": "begin_absences"})


async def test_an_absence_called_off_is_none(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    issue = await an_issue(client)
    draft = away(MEMBER, NOW + timedelta(days=1))
    done = await leave(client, ADMINISTRATOR, WORKER, draft)
    await change(client, ADMINISTRATOR, WORKER, changing("cancel_absence", done["version"], absence=draft["id"]))
    clock.forward(days=1)
    assert (await begun(conn, clock))["handed_on"] == 0
    assert await owner(client, issue) == WORKER.name


async def test_a_deputy_who_is_away_as_well_is_passed_over(client: Client) -> None:
    await leave(client, ADMINISTRATOR, MEMBER, away(STRANGER))
    await leave(client, ADMINISTRATOR, WORKER, away(MEMBER))
    issue = await an_issue(client)
    assert await owner(client, issue) == STREET_DISPATCHER.name


async def test_the_absent_dispatcher_s_deputy_answers_at_last(client: Client, conn: asyncpg.Connection) -> None:
    await leave(client, ADMINISTRATOR, DISPATCHER, away(LEADER))
    handlers = await people.first_handlers(conn, DISTRICT, [None], NOW)
    assert handlers[None].id == LEADER.id
    await leave(client, ADMINISTRATOR, LEADER, away(DISPATCHER))
    handlers = await people.first_handlers(conn, DISTRICT, [None], NOW)
    assert handlers[None].id == DISPATCHER.id, "an issue is never without an owner"


@pytest.mark.parametrize(
    ("draft", "status", "code", "field"),
    [
        (away(WORKER), 422, "unknown_member", "deputy"),
        (away(MEMBER) | {"deputy": "无此编号"}, 422, "unknown_member", "deputy"),
        (away(MEMBER, NOW - timedelta(days=9)), 422, "times_reversed", "ends_at"),
        (away(MEMBER, days=-1), 422, "times_reversed", "ends_at"),
        (away(MEMBER) | {"starts_at": "0001-01-01T00:00:00+14:00"}, 422, "time_before_all", "starts_at"),
        (away(MEMBER) | {"ends_at": "9999-12-31T23:59:59-14:00"}, 422, "time_in_future", "ends_at"),
    ],
)
async def test_an_absence_that_makes_no_sense_is_refused(
    client: Client, draft: Answer, status: int, code: str, field: str
) -> None:
    answer = await client.post(f"/api/members/{WORKER.id}/absences", json=draft, headers=ADMINISTRATOR.headers)
    refused(answer, status, code, field)


async def test_two_absences_at_once_are_one_too_many(client: Client) -> None:
    draft = away(MEMBER)
    first = await leave(client, ADMINISTRATOR, WORKER, draft)
    assert await leave(client, ADMINISTRATOR, WORKER, draft) == first
    answer = await client.post(
        f"/api/members/{WORKER.id}/absences", json=away(STRANGER, days=1), headers=ADMINISTRATOR.headers
    )
    refused(answer, 409, "absence_overlaps", "starts_at")


async def test_what_was_filed_in_the_moment_of_leaving_is_handed_on_all_the_same(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    """A filing that asked who is on duty just before they left."""
    await change(client, ADMINISTRATOR, WORKER, changing("close", 0))
    issue = await an_issue(client)
    await conn.execute("update issue set owner = $1 where id = $2", WORKER.id, issue)
    assert (await begun(conn, clock))["handed_on"] == 1
    assert await owner(client, issue) == STREET_DISPATCHER.name


async def test_who_never_left_cannot_return(client: Client) -> None:
    answer = await client.post(
        f"/api/members/{MEMBER.id}/changes", json=changing("return", 0), headers=ADMINISTRATOR.headers
    )
    refused(answer, 409, "move_not_possible", "change")

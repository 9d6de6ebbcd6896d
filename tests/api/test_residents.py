"""Residents' rights and the rules of retention: found, told, forgotten; and everything else stays as it was."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from api import erasure_journal, jobs
from api.jobs import Work
from api.settings import Settings
from surveys import history_seals
from surveys.privacy import erasures
from surveys.privacy.erasures import Erasure
from tests import cards, doors, drafts, services_at_hand
from tests.api.test_commitments import move as move_commitment
from tests.api.test_commitments import rate_at_door, standing
from tests.api.test_resident_page import scan
from tests.api.test_services import announce, ask, book, version
from tests.conftest import (
    ADMINISTRATOR,
    AUDITOR,
    DISPATCHER,
    DISTRICT,
    LEADER,
    MEMBER,
    OPERATOR,
    RING,
    STRANGER,
    WORKER,
    Client,
    Person,
    TestClock,
    serving,
)

pytestmark = pytest.mark.anyio

NAME, PHONE = "张秀英", "13812341234"
PURPOSE = "居民本人申请"
WORDS = "张秀英家门口垃圾成堆"  # of the issue's title, description, note and reasons


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Settings:
    (tmp_path / "keys").mkdir()
    return Settings(database_url=dsn, pool_size=4, data=tmp_path / "data", keys=tmp_path / "keys" / "keys.json")


@pytest.fixture
async def client(settings: Settings, clock: TestClock) -> AsyncIterator[Client]:
    async with serving(settings, clock) as opened:
        yield opened


async def asked(client: Client, what: str, who: Person = ADMINISTRATOR, *, status: int = 200, **body: Any) -> Any:
    body = {"phone": PHONE, "purpose": PURPOSE} | body
    return doors.answered(await client.post(f"/api/residents/{what}", json=body, headers=who.headers), status)


class Lived:
    """A resident with two issues of two visits, one of them moved and revealed, and a neighbour with another."""

    visits: list[str]
    issues: list[str]
    neighbour: str


async def lived(client: Client) -> Lived:
    told = Lived()
    contact = {"name": NAME, "phone": "138-1234-1234"}
    both = [drafts.issue(contact=contact, title=WORDS, description=WORDS), drafts.issue(contact={"phone": PHONE})]
    seen = [drafts.visit(issues=[issue], note=WORDS) for issue in both]
    for draft in seen:
        await doors.file(client, MEMBER, draft)
    told.visits, told.issues = [draft["id"] for draft in seen], [issue["id"] for issue in both]
    other = drafts.issue(contact={"name": "李四", "phone": "13900000000"}, title="路灯不亮")
    await doors.file(client, MEMBER, drafts.visit(issues=[other]))
    told.neighbour = other["id"]
    await doors.move(client, WORKER, told.issues[0], drafts.move("accept", 1, reason=WORDS))
    shown = await client.post(
        f"/api/issues/{told.issues[0]}/contact", json={"purpose": f"回访{NAME}"}, headers=WORKER.headers
    )
    doors.answered(shown, 200)
    return told


async def test_a_resident_is_found_by_their_number(client: Client, conn: asyncpg.Connection) -> None:
    told = await lived(client)
    found = await asked(client, "find", phone="+86 138 1234 1234")
    assert {issue["id"] for issue in found["issues"]} == set(told.issues)
    assert set(found["visits"]) == set(told.visits)
    assert {str(issue["contact"]) for issue in found["issues"]} == {
        "{'name': '张**', 'phone': '138****1234'}",
        "{'name': None, 'phone': '138****1234'}",
    }
    event = await conn.fetchrow("select * from history where event = 'resident_found'")
    assert event is not None
    assert set(event["facts"]["issues"]) == set(told.issues)
    assert (await asked(client, "find", phone="13700000000"))["issues"] == []


@pytest.mark.parametrize("who", [MEMBER, WORKER, DISPATCHER, LEADER, AUDITOR, OPERATOR], ids=lambda who: who.role)
async def test_it_is_the_administrator_s_business(client: Client, who: Person) -> None:
    for what in ("find", "export", "erase"):
        await asked(client, what, who, status=403)
    await doors.read(client, who, "/api/retention", status=403)
    await doors.read(client, who, f"/api/residents/erasures/{uuid4()}", status=403)


@pytest.mark.parametrize("what", ["find", "export", "erase"])
async def test_what_is_asked_wrongly_is_refused_by_field(client: Client, what: str) -> None:
    assert (await asked(client, what, purpose=" ", status=422))["field"] == "purpose"
    problem = await asked(client, what, phone="13812341234x", status=422)
    assert (problem["field"], problem["code"]) == ("phone", "phone_unusable")
    assert PHONE not in str(problem)
    if what != "find":
        assert (await asked(client, what, status=404))["code"] == "no_contact"


async def test_a_resident_is_told_everything(client: Client) -> None:
    told = await lived(client)
    record = await asked(client, "export")
    first = next(issue for issue in record["issues"] if issue["id"] == told.issues[0])
    assert first["contact"] == {"name": NAME, "phone": "138-1234-1234"}
    assert (first["title"], first["description"]) == (WORDS, WORDS)
    assert [(step["event"], step["reason"]) for step in first["history"]] == [("report", None), ("accept", WORDS)]
    assert {visit["id"] for visit in record["visits"]} == set(told.visits)
    assert all(visit["note"] == WORDS for visit in record["visits"])
    assert "路灯" not in str(record)
    answer = await client.post(
        "/api/residents/export",
        json={"phone": PHONE, "purpose": PURPOSE, "format": "text"},
        headers=ADMINISTRATOR.headers,
    )
    assert answer.headers["cache-control"] == "no-store"
    assert "attachment" in answer.headers["content-disposition"]
    for expected in (NAME, "138-1234-1234", WORDS, "2026-11-23 11:20"):
        assert expected in answer.text


async def look(client: Client) -> dict[str, Any]:
    """What counts, lists and the map say, that an erasure must leave as it was."""
    listed = await doors.read(client, ADMINISTRATOR, "/api/issues")
    return {
        "total": listed["total"],
        "states": sorted((item["id"], item["state"]) for item in listed["items"]),
        "visits": (await doors.read(client, ADMINISTRATOR, "/api/visits"))["total"],
        "areas": await doors.read(client, ADMINISTRATOR, "/maps/issues/areas"),
        "clusters": await doors.read(client, ADMINISTRATOR, "/maps/issues/clusters", zoom=12),
    }


async def test_a_resident_is_forgotten_and_nothing_else_changes(
    client: Client, conn: asyncpg.Connection, settings: Settings
) -> None:
    told = await lived(client)
    before = await look(client)
    receipt = await asked(client, "erase")
    assert (receipt["sealed_fields"], receipt["texts"], receipt["with_texts"]) == (3, 0, False)
    assert set(receipt["issues"]) == set(told.issues)
    assert await doors.read(client, ADMINISTRATOR, f"/api/residents/erasures/{receipt['id']}") == receipt
    assert await doors.read(client, ADMINISTRATOR, "/api/residents/erasures") == {"items": [receipt]}
    assert await look(client) == before
    detail = await doors.issue(client, WORKER, told.issues[0])
    assert (detail["contact"], detail["may_reveal"], detail["issue"]["title"]) == (None, False, WORDS)
    assert detail["contact_erased_at"] == receipt["erased_at"]
    assert (await doors.issue(client, WORKER, told.neighbour))["contact"]["name"] == "李**"
    assert (await asked(client, "find"))["issues"] == []
    assert (await asked(client, "erase", status=404))["code"] == "no_contact"
    rows = await conn.fetch("select * from sealed_field where subject = any($1)", [UUID(id_) for id_ in told.issues])
    assert [(row["sealed"], row["look_up"]) for row in rows] == [(None, None)] * 3
    [entry] = erasure_journal.read(settings)
    assert entry.id == UUID(receipt["id"])
    assert stat.S_IMODE(erasure_journal.path(settings).stat().st_mode) == 0o600


async def test_with_the_texts_no_word_of_them_is_left(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    told = await lived(client)
    before = await look(client)
    digests = await conn.fetch("select subject, version, digest from text_version order by 1, 2")
    receipt = await asked(client, "erase", with_texts=True)
    async with conn.transaction():
        await history_seals.seal(conn, DISTRICT, clock())
    verified = await history_seals.verify(conn, DISTRICT)
    assert (verified.broken, verified.rows > 0, verified.texts > 0) == (None, True, True)
    assert receipt["texts"] == 2 + 2 + 1 + 1, "two issues, two visits, a reason and a purpose"
    assert set(receipt["visits"]) == set(told.visits)
    assert await look(client) == before

    kept = await conn.fetch("select subject, version, digest from text_version order by 1, 2")
    assert set(digests) <= set(kept), "the digests by which the history names them stay"
    for row in await conn.fetch("select t::text as row from text_version t"):
        assert NAME not in row["row"]
    detail = await doors.issue(client, WORKER, told.issues[0])
    assert (detail["issue"]["title"], detail["description"]) == (None, None)
    assert detail["erased_at"] == receipt["erased_at"]
    assert [entry["reason"] for entry in detail["history"]] == [None, None]
    visit = (await doors.read(client, MEMBER, f"/api/visits/{told.visits[0]}"))["visit"]
    assert (visit["note"], visit["premises_name"]) == (None, None)
    assert (await doors.read(client, ADMINISTRATOR, "/api/issues", text="张秀英"))["total"] == 0
    assert (await doors.issue(client, WORKER, told.neighbour))["issue"]["title"] == "路灯不亮"
    await doors.move(client, WORKER, told.issues[0], drafts.move("start", 2))
    described = drafts.move("correct", 3, reason="补充", correction={"description": "已清运"})
    await doors.move(client, WORKER, told.issues[0], described)
    assert (await doors.issue(client, WORKER, told.issues[0]))["description"] == "已清运"


async def test_what_their_card_booked_and_said_of_a_service_is_told_and_forgotten_too(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    told = await lived(client)
    first, neighbours = await cards.make(conn, 2)
    await conn.execute(
        "insert into card_binding (district, card, round, visit, bound_at) values ($1, $2, 1, $3, $4)",
        DISTRICT,
        first.number,
        UUID(told.visits[0]),
        clock(),
    )
    await services_at_hand.leave(conn, [neighbours.number])
    service = await announce(client, conn)
    booked = [await book(client, STRANGER, service["id"], card=card.number) for card in (first, neighbours)]
    clock.forward(days=1, hours=3)
    came = services_at_hand.report([one["id"] for one in booked], {}, service["version"])
    reported = await ask(client, services_at_hand.LEADS, f"services/{service['id']}/report", came)
    await ask(client, services_at_hand.LEADS, f"services/{service['id']}/confirmation", version(reported))
    for one, why in zip(booked, (WORDS, "邻居说太吵"), strict=True):
        heard = {"id": str(uuid4()), "via": "call", "solved": False, "satisfaction": 2, "reason": why}
        await ask(client, WORKER, f"bookings/{one['id']}/answer", heard)

    assert (await asked(client, "find"))["bookings"] == [booked[0]["id"]]
    [record] = (await asked(client, "export"))["bookings"]
    assert (record["service"], record["state"], record["persons"]) == ("教老人用智能手机", "came", 1)
    assert [(said["satisfaction"], said["reason"]) for said in record["answers"]] == [(2, WORDS)]
    told_in_words = await client.post(
        "/api/residents/export",
        json={"phone": PHONE, "purpose": PURPOSE, "format": "text"},
        headers=ADMINISTRATOR.headers,
    )
    assert f"没帮上忙 did not help  2/5  {WORDS}" in told_in_words.text
    assert "邻居" not in told_in_words.text

    receipt = await asked(client, "erase", with_texts=True)
    assert receipt["texts"] == 2 + 2 + 1 + 1 + 1, "and the reason given of the service"
    texts = [row["row"] for row in await conn.fetch("select t::text as row from text_version t")]
    assert not any(WORDS in text for text in texts)
    assert any("邻居说太吵" in text for text in texts), "the neighbour's stays"
    detail = await doors.read(client, WORKER, f"/api/volunteering/services/{service['id']}")
    assert detail["satisfaction"]["answers"] == 2, "and both count as before"


async def test_what_their_card_said_of_a_commitment_is_told_and_forgotten_too(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    told = await lived(client)
    first, neighbours = await cards.make(conn, 2)
    bind = "insert into card_binding (district, card, round, visit, bound_at) values ($1, $2, 1, $3, $4)"
    await conn.execute(bind, DISTRICT, first.number, UUID(told.visits[0]), clock())
    await services_at_hand.leave(conn, [neighbours.number])
    promised = await standing(client, aim="area", communities=None)
    doors.answered(await move_commitment(client, MEMBER, promised, "report_done", 2, how="好了"), 200)
    by_door = await scan(client, first)
    before = doors.answered(await rate_at_door(client, by_door, promised, stars=1, reason=WORDS), 201)
    clock.forward(minutes=1)
    after = doors.answered(await rate_at_door(client, by_door, promised, kept=False, reason=WORDS), 201)
    by_neighbour = await scan(client, neighbours)
    doors.answered(await rate_at_door(client, by_neighbour, promised, stars=2, reason="邻居说没来"), 201)

    assert (await asked(client, "find"))["commitment_ratings"] == [after["id"], before["id"]]
    ratings = (await asked(client, "export"))["commitment_ratings"]
    assert [(said["kept"], said["stars"], said["reason"]) for said in ratings] == [(False, 5, WORDS), (True, 1, WORDS)]
    assert {said["commitment"] for said in ratings} == {promised}
    body = {"phone": PHONE, "purpose": PURPOSE, "format": "text"}
    in_words = await client.post("/api/residents/export", json=body, headers=ADMINISTRATOR.headers)
    assert f"没有兑现 not kept  5/5  {WORDS}" in in_words.text
    assert "邻居" not in in_words.text

    receipt = await asked(client, "erase", with_texts=True)
    assert receipt["texts"] == 2 + 2 + 1 + 1 + 2, "and both reasons that were given"
    texts = [row["row"] for row in await conn.fetch("select t::text as row from text_version t")]
    assert not any(WORDS in text for text in texts)
    assert any("邻居说没来" in text for text in texts), "the neighbour's stays"
    people = (await doors.read(client, LEADER, f"/api/assessments/commitments/{promised}"))["commitment"]["people"]
    assert people == {"kept": 1, "not_kept": 1, "stars": 3.5}, "and both count as before"


async def test_nothing_is_forgotten_while_the_journal_cannot_be_written(client: Client, settings: Settings) -> None:
    told = await lived(client)
    erasure_journal.path(settings).mkdir()
    assert (await asked(client, "erase", status=503))["code"] == "journal_unwritable"
    assert (await doors.issue(client, WORKER, told.issues[0]))["contact"]["name"] == "张**"


async def test_a_backup_from_before_forgets_again(
    client: Client, conn: asyncpg.Connection, settings: Settings, clock: TestClock
) -> None:
    told = await lived(client)
    backup = await conn.fetch("select subject, field, sealed, look_up from sealed_field")
    receipt = await asked(client, "erase", with_texts=True)
    entries = list(erasure_journal.read(settings))
    await conn.executemany(
        "update sealed_field set sealed = $3, look_up = $4, erased_at = null where subject = $1 and field = $2",
        [tuple(row) for row in backup],
    )
    assert len((await asked(client, "find"))["issues"]) == 2, "they are back"
    other = Erasure(
        id=uuid4(), district=DISTRICT, reason="request", erased_at=clock(), sealed=(UUID(told.neighbour),), texts=()
    )
    clock.forward(hours=1)
    assert await erasures.replay(conn, [*entries, other], clock()) == 1, "of the two one was not known"
    for issue in (*told.issues, told.neighbour):
        assert (await doors.issue(client, WORKER, issue))["contact"] is None
    event = await conn.fetchrow("select event, actor, facts from history where id = $1", other.id)
    assert event is not None
    assert (event["event"], event["actor"]) == ("replayed", "restore")
    assert event["facts"]["wiped"] == {"sealed_fields": 2, "texts": 0, "photos": 0}
    assert await erasures.replay(conn, [*entries, other], clock()) == 0
    assert await doors.read(client, ADMINISTRATOR, f"/api/residents/erasures/{receipt['id']}") == receipt


async def test_a_line_that_a_crash_left_unfinished_spoils_no_other(settings: Settings, clock: TestClock) -> None:
    erasure = Erasure(id=uuid4(), district=DISTRICT, reason="contacts", erased_at=clock())
    erasure_journal.append(settings, erasure)
    with erasure_journal.path(settings).open("ab") as file:
        file.write(b'\n{"id": "018f')
    later = msgspec.structs.replace(erasure, id=uuid4())
    erasure_journal.append(settings, later)
    assert erasure_journal.read(settings) == [erasure, later]


# Retention


async def turn(conn: asyncpg.Connection, settings: Settings, clock: TestClock) -> dict[str, object]:
    """One turn of the job."""
    work = Work(district=DISTRICT, now=clock(), ring=RING, settings=settings)
    async with conn.transaction():
        return dict(await jobs.named("retention").run(conn, work))


async def test_a_contact_is_forgotten_so_long_after_the_issue_was_closed(
    client: Client, conn: asyncpg.Connection, settings: Settings, clock: TestClock
) -> None:
    told = await lived(client)
    closed = told.issues[0]
    await doors.move(client, WORKER, closed, drafts.move("start", 2))
    await doors.move(client, WORKER, closed, drafts.move("resolve", 3, reason="已清运"))
    await doors.move(client, DISPATCHER, closed, drafts.move("close", 4, reason="回访满意"))
    changed = await client.post("/api/retention", json={"kind": "contacts", "days": 30}, headers=ADMINISTRATOR.headers)
    assert {"kind": "contacts", "days": 30, "enabled": True} in doors.answered(changed, 200)["rules"]
    clock.forward(days=20)
    await doors.move(
        client, ADMINISTRATOR, closed, drafts.move("correct", 5, reason="错字", correction={"title": "垃圾"})
    )
    clock.forward(days=9)
    assert await turn(conn, settings, clock) == {}
    clock.forward(days=2)
    assert await turn(conn, settings, clock) == {"contacts": 2}
    assert await turn(conn, settings, clock) == {}
    assert (await doors.issue(client, WORKER, closed))["contact"] is None
    assert (await doors.issue(client, WORKER, told.issues[1]))["contact"] is not None
    [entry] = erasure_journal.read(settings)
    event = await conn.fetchrow("select * from history where kind = 'erasure'")
    assert event is not None
    assert (event["id"], event["actor_kind"], event["actor"]) == (entry.id, "job", "retention")
    assert event["facts"]["wiped"] == {"sealed_fields": 2, "texts": 0, "photos": 0}
    await doors.read(client, ADMINISTRATOR, f"/api/residents/erasures/{entry.id}", status=404)
    assert await doors.read(client, ADMINISTRATOR, "/api/residents/erasures") == {"items": []}


async def test_the_texts_of_a_visit_that_was_taken_back_are_forgotten(
    client: Client, conn: asyncpg.Connection, settings: Settings, clock: TestClock
) -> None:
    told = await lived(client)
    await doors.correct(client, MEMBER, told.visits[1], drafts.correction(1, withdraw=True, reason=WORDS))
    clock.forward(days=179)
    assert await turn(conn, settings, clock) == {}
    clock.forward(days=2)
    before = await look(client)
    # the visit's text and its reason, and those of the issue that was rejected with it
    assert await turn(conn, settings, clock) == {"withdrawn_visits": 4}
    assert await look(client) == before
    assert (await doors.read(client, MEMBER, f"/api/visits/{told.visits[1]}"))["visit"]["note"] is None
    assert (await doors.read(client, MEMBER, f"/api/visits/{told.visits[0]}"))["visit"]["note"] == WORDS


async def test_a_rule_that_is_off_forgets_nothing(
    client: Client, conn: asyncpg.Connection, settings: Settings, clock: TestClock
) -> None:
    told = await lived(client)
    await doors.correct(client, MEMBER, told.visits[1], drafts.correction(1, withdraw=True))
    off = {"kind": "withdrawn_visits", "days": 1, "enabled": False}
    doors.answered(await client.post("/api/retention", json=off, headers=ADMINISTRATOR.headers), 200)
    clock.forward(days=300)
    assert "withdrawn_visits" not in await turn(conn, settings, clock)
    for wrong in ({"kind": "visits", "days": 1}, {"kind": "contacts", "days": 0}, {"kind": "contacts"}):
        response = await client.post("/api/retention", json=wrong, headers=ADMINISTRATOR.headers)
        doors.answered(response, 422)
    event = await conn.fetchrow("select facts, actor from history where event = 'retention_changed'")
    assert event is not None
    assert event["facts"] == {"rule": "withdrawn_visits", "days": 1, "enabled": False}

"""A resident's name and phone on an issue: taken sealed, shown masked, and revealed to few, for a purpose."""

import hashlib
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest

from api.app import create_app
from api.settings import Settings
from surveys.history import request_digest
from surveys.people.people import Grant, Reader
from surveys.privacy.sealing import KEY_BYTES, KeyRing
from surveys.visits import visit_drafts
from surveys.visits.visit_drafts import VisitDraft
from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    AUDITOR,
    DISPATCHER,
    DISTRICT,
    HANDLER,
    LEADER,
    MEMBER,
    NOW,
    OPERATOR,
    ORGANISATION,
    ORGANISER,
    OTHER_WORKER,
    RING,
    STRANGER,
    STREET_DISPATCHER,
    WORKER,
    Client,
    Person,
    TestClock,
    serving,
)

pytestmark = pytest.mark.anyio

NAME, PHONE = "张秀英", "13812341234"
CONTACT = {"name": NAME, "phone": "138 1234 1234"}
PURPOSE = {"purpose": "约上门时间"}


async def with_contact(client: Client, contact: Any = CONTACT, who: Person = MEMBER) -> str:
    """File a visit with one issue that has a contact, and return the issue's id."""
    issue = drafts.issue(contact=contact)
    await doors.file(client, who, drafts.visit(issues=[issue]))
    return str(issue["id"])


async def reveal(client: Client, who: Person, issue: str, body: Any = PURPOSE, *, status: int = 200) -> Any:
    return doors.answered(await client.post(f"/api/issues/{issue}/contact", json=body, headers=who.headers), status)


async def searched(client: Client, who: Person, phone: str, *, status: int = 200) -> Any:
    return doors.answered(await client.post("/api/contacts/search", json={"phone": phone}, headers=who.headers), status)


async def test_it_is_masked_for_everybody_within_reach(client: Client) -> None:
    issue = await with_contact(client)
    for who in (MEMBER, WORKER, HANDLER, LEADER, ADMINISTRATOR):
        detail = await doors.issue(client, who, issue)
        assert detail["contact"] == {"name": "张**", "phone": "138****1234"}
        assert detail["may_reveal"] is (who in (WORKER, HANDLER, ADMINISTRATOR))
    assert "contact" not in (await doors.read(client, WORKER, "/api/issues"))["items"][0]


@pytest.mark.parametrize(
    ("contact", "shown"),
    [
        ({"name": "李四"}, {"name": "李**", "phone": None}),
        ({"phone": "０３７１－６６６６８８８８"}, {"name": None, "phone": "037****8888"}),
        ({"name": " ", "phone": "12345"}, {"name": None, "phone": "****45"}),
        ({"name": "O'Neill", "phone": "+86 138-1234-1234"}, {"name": "O**", "phone": "138****1234"}),
        (None, None),
    ],
)
async def test_either_of_the_two_is_enough(shared: Client, contact: Any, shown: Any) -> None:
    issue = await with_contact(shared, contact)
    assert (await doors.issue(shared, WORKER, issue))["contact"] == shown


async def test_nothing_of_it_stands_in_the_database_in_plain(client: Client, conn: asyncpg.Connection) -> None:
    issue = await with_contact(client)
    rows = await conn.fetch(
        "select field, sealed, look_up from sealed_field where subject = $1 order by 1", UUID(issue)
    )
    assert [row["field"] for row in rows] == ["contact_name", "contact_phone"]
    assert rows[1]["look_up"] == RING.look_up(PHONE)
    for table in ("visit", "issue", "history", "text_version", "sealed_field"):
        for row in await conn.fetch(f"select t::text as row from {table} t"):
            assert NAME not in row["row"]
            assert not any(form in row["row"] for form in (PHONE, "1234 1234", PHONE.encode().hex()))


@pytest.mark.parametrize(
    "who", [WORKER, HANDLER, DISPATCHER, STREET_DISPATCHER, ADMINISTRATOR], ids=lambda who: who.role
)
async def test_those_who_have_something_to_ask_are_shown_it(
    client: Client, conn: asyncpg.Connection, who: Person
) -> None:
    issue = await with_contact(client)
    response = await client.post(f"/api/issues/{issue}/contact", json=PURPOSE, headers=who.headers)
    assert doors.answered(response, 200) == {"name": NAME, "phone": "138 1234 1234"}
    assert response.headers["cache-control"] == "no-store"
    [event] = await conn.fetch("select * from history where kind = 'reveal'")
    assert (event["event"], event["actor"], event["facts"]["about"]) == ("shown", str(who.id), issue)
    text = await conn.fetchrow("select body, digest from text_version where subject = $1", event["id"])
    assert text is not None
    assert text["body"] == {"reason": "约上门时间"}
    assert event["facts"]["reason_digest"] == text["digest"].hex()


@pytest.mark.parametrize(
    ("who", "status"),
    [
        (MEMBER, 403),
        (LEADER, 403),
        (ORGANISER, 403),
        (AUDITOR, 403),
        (OPERATOR, 403),
        (STRANGER, 404),
        (OTHER_WORKER, 404),
    ],
    ids=lambda who: getattr(who, "role", None),
)
async def test_others_are_not(client: Client, conn: asyncpg.Connection, who: Person, status: int) -> None:
    issue = await with_contact(client)
    await reveal(client, who, issue, status=status)
    assert await conn.fetchval("select count(*) from history where kind = 'reveal'") == 0


async def test_who_owns_an_issue_is_shown_its_contact(client: Client) -> None:
    issue = await with_contact(client)
    await reveal(client, MEMBER, issue, status=403)
    await doors.hand_over(client, WORKER, MEMBER, issue, 1)
    assert (await reveal(client, MEMBER, issue))["name"] == NAME


@pytest.mark.parametrize("purpose", ["", " \n\u3000", None, 7, "长" * 501])
async def test_without_a_purpose_nothing_is_shown(client: Client, conn: asyncpg.Connection, purpose: Any) -> None:
    issue = await with_contact(client)
    problem = await reveal(client, WORKER, issue, {"purpose": purpose}, status=422)
    assert problem["field"] == "purpose"
    assert await conn.fetchval("select count(*) from history where kind = 'reveal'") == 0


async def test_where_nothing_was_told_nothing_is_shown(shared: Client) -> None:
    issue = await with_contact(shared, None)
    assert (await reveal(shared, WORKER, issue, status=404))["code"] == "no_contact"


@pytest.mark.parametrize(
    "written", ["13812341234", "138-1234-1234", "+86 138 1234 1234", "008613812341234", "１３８１２３４１２３４"]
)
async def test_a_number_finds_its_issues_however_it_is_written(client: Client, written: str) -> None:
    first = await with_contact(client)
    second = await with_contact(client, {"phone": "+8613812341234"})
    await with_contact(client, {"phone": "13812341235"})
    assert {item["id"] for item in (await searched(client, WORKER, written))["items"]} == {first, second}


async def test_a_number_finds_nothing_out_of_reach_and_leaves_a_trace(client: Client, conn: asyncpg.Connection) -> None:
    issue = await with_contact(client)
    assert (await searched(client, OTHER_WORKER, PHONE))["items"] == []
    assert [item["id"] for item in (await searched(client, MEMBER, PHONE))["items"]] == [issue]
    for who in (LEADER, ORGANISER, AUDITOR, OPERATOR):
        await searched(client, who, PHONE, status=403)
    assert (await searched(client, WORKER, "no number", status=422))["field"] == "phone"
    rows = await conn.fetch("select actor, facts from history where kind = 'reveal' order by recorded_at, actor")
    assert {row["actor"]: row["facts"]["issues"] for row in rows} == {str(OTHER_WORKER.id): [], str(MEMBER.id): [issue]}


async def test_a_correction_sets_and_takes_away(client: Client, conn: asyncpg.Connection) -> None:
    issue = await with_contact(client, None)
    wrong = drafts.move("correct", 1, reason="补登", correction={"contact": {"phone": "1"}})
    assert (await doors.move(client, MEMBER, issue, wrong, status=422))["field"] == "correction.contact.phone"
    told = drafts.move("correct", 1, reason="补登", correction={"contact": CONTACT})
    first = await doors.move(client, MEMBER, issue, told)
    assert await doors.move(client, MEMBER, issue, told) == first, "a retry is known"
    other = told | {"correction": {"contact": {"name": NAME, "phone": "13812341235"}}}
    assert (await doors.move(client, MEMBER, issue, other, status=409))["code"] == "id_taken"
    assert (await doors.issue(client, WORKER, issue))["contact"] == {"name": "张**", "phone": "138****1234"}

    only_name = drafts.move("correct", 2, reason="电话有误", correction={"contact": {"name": "张"}})
    await doors.move(client, MEMBER, issue, only_name)
    assert await reveal(client, WORKER, issue) == {"name": "张", "phone": ""}
    assert (await searched(client, WORKER, PHONE))["items"] == []

    await doors.move(client, MEMBER, issue, drafts.move("correct", 3, reason="居民要求", correction={"contact": {}}))
    detail = await doors.issue(client, WORKER, issue)
    assert (detail["contact"], detail["may_reveal"]) == (None, False)
    assert detail["contact_erased_at"]
    assert [entry["facts"].get("contact") for entry in detail["history"]] == [None, "told", "told", "removed"]
    assert await conn.fetchval("select count(*) from sealed_field where sealed is not null") == 0


# Retries


READER = Reader(
    district=DISTRICT,
    member=MEMBER.id,
    name=MEMBER.name,
    organisation=ORGANISATION,
    grants=(Grant("member", "own", ""),),
)


def filing(ring: KeyRing = RING, **contact: str) -> visit_drafts.Filing:
    issue = drafts.issue(id="018f0000-0000-7000-8000-000000000002") | ({"contact": contact} if contact else {})
    draft = drafts.visit(id="018f0000-0000-7000-8000-000000000001", issues=[issue])
    return visit_drafts.filing(msgspec.convert(draft, VisitDraft), READER, None, ring)


async def test_a_retry_with_a_contact_is_known_and_another_contact_is_not(client: Client) -> None:
    draft = drafts.visit(issues=[drafts.issue(contact=CONTACT)])
    await doors.file(client, MEMBER, draft)
    assert (await doors.file(client, MEMBER, draft, status=200))["status"] == "already_filed"
    draft["issues"][0]["contact"] = CONTACT | {"phone": "13812341235"}
    assert (await doors.file(client, MEMBER, draft, status=409))["code"] == "id_taken"


def test_a_number_cannot_be_guessed_from_the_digest_of_a_visit() -> None:
    kept = filing(name=NAME, phone=PHONE)
    assert kept.digest != request_digest(kept.draft), "who guesses the number has the digest of the draft as it came"
    another = KeyRing(keys=RING.keys, look_up_key=b"m" * KEY_BYTES)
    assert kept.digest != filing(another, name=NAME, phone=PHONE).digest, "without the key nothing can be guessed"
    assert kept.digest == filing(RING.rotated(NOW), name=NAME, phone=PHONE).digest, "a rotated ring knows old retries"


def test_a_visit_without_a_contact_keeps_its_digest() -> None:
    kept = filing()
    assert kept.digest == hashlib.sha256(msgspec.json.encode(kept.draft, order="deterministic")).digest()
    assert kept.sealed == ()


# Keys that are missing, and values that belong elsewhere


async def test_what_was_copied_from_another_issue_opens_nothing(client: Client, conn: asyncpg.Connection) -> None:
    one, other = await with_contact(client), await with_contact(client, {"name": "李四", "phone": "13900000000"})
    await conn.execute(
        "update sealed_field t set sealed = s.sealed from sealed_field s"
        " where t.subject = $1 and s.subject = $2 and s.field = t.field",
        UUID(other),
        UUID(one),
    )
    assert (await doors.issue(client, WORKER, other))["contact"] == {"name": "**", "phone": "****"}
    assert (await reveal(client, WORKER, other, status=409))["code"] == "not_genuine"
    assert (await reveal(client, WORKER, one))["name"] == NAME


async def test_without_the_key_it_is_masked_whole_and_refused_in_words(
    client: Client, dsn: str, clock: TestClock
) -> None:
    issue = await with_contact(client)
    other_ring = KeyRing(keys={2: b"2" * KEY_BYTES}, look_up_key=RING.look_up_key)
    app = create_app(Settings(database_url=dsn), clock, other_ring)
    async with (
        app.lifespan(),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver.local") as other,  # type: ignore[arg-type]
    ):
        assert (await doors.issue(other, WORKER, issue))["contact"] == {"name": "**", "phone": "****"}
        response = await other.post(f"/api/issues/{issue}/contact", json=PURPOSE, headers=WORKER.headers)
        assert doors.answered(response, 503)["code"] == "key_missing"
        assert response.headers["retry-after"]


async def test_who_tries_numbers_one_by_one_comes_to_an_end(dsn: str, clock: TestClock) -> None:
    async with serving(Settings(database_url=dsn, page_burst=40, page_per_minute=60), clock) as client:
        for at in range(4):
            await searched(client, WORKER, f"1381234{at:04}")
        assert (await searched(client, WORKER, "13812340004", status=429))["code"] == "too_many_requests"
        await searched(client, ADMINISTRATOR, "13812340004")
        clock.forward(seconds=10)
        await searched(client, WORKER, "13812340004")

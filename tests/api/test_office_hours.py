"""Office hours over HTTP: who reads and who changes them, and what they change of what is due."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests import doors, drafts
from tests.conftest import ADMINISTRATOR, DISTRICT, MEMBER, NOW, ORGANISER, Client, Person, TestClock
from tests.doors import Answer, answered

pytestmark = pytest.mark.anyio

USUAL = [{"opens": "09:00", "closes": "12:00"}, {"opens": "13:00", "closes": "17:00"}]
MORNINGS = {day: [{"opens": "08:00", "closes": "12:00"}] for day in ("monday", "tuesday", "wednesday", "thursday")}


def asked(version: int = 0, **changes: Any) -> Answer:
    return {"id": str(uuid4()), "expected_version": version, "valid_from": "2026-11-24", "week": MORNINGS} | changes


async def change(client: Client, draft: Answer, who: Person = ADMINISTRATOR, status: int = 200) -> Answer:
    return answered(await client.put("/api/office-hours", json=draft, headers=who.headers), status)


async def told(client: Client, who: Person = MEMBER) -> Answer:
    return answered(await client.get("/api/office-hours", headers=who.headers), 200)


async def due(client: Client) -> datetime:
    receipt = await doors.file(client, MEMBER, drafts.visit(issues=[drafts.issue()]))
    return datetime.fromisoformat(receipt["issues"][0]["due_at"])


async def test_without_any_of_its_own_a_district_has_the_usual_hours(client: Client) -> None:
    found = await told(client)
    assert (found["version"], found["coming"], found["today"]["valid_from"]) == (0, [], None)
    assert (found["today"]["week"]["friday"], found["today"]["week"]["sunday"]) == (USUAL, [])


async def test_new_hours_hold_from_their_day_on_and_what_was_due_stays(
    client: Client, clock: TestClock, conn: asyncpg.Connection
) -> None:
    await conn.execute(
        "insert into category_limit (district, category, urgency, version, amount, unit, response_amount,"
        " response_unit, valid_from) values ($1, '0102', 'normal', 2, 1, 'working_days', 1, 'working_days', $2)",
        DISTRICT,
        NOW,
    )
    before = await due(client)
    assert before == datetime.fromisoformat("2026-11-24T17:00:00+08:00")
    found = await change(client, asked())
    assert (found["version"], found["today"]["version"]) == (1, 0)
    assert [one["valid_from"] for one in found["coming"]] == ["2026-11-24"]
    assert await due(client) == datetime.fromisoformat("2026-11-24T12:00:00+08:00")
    assert await conn.fetchval("select max(due_at) from issue") == before, "what stood is not rewritten"
    clock.forward(days=1)
    found = await told(client)
    assert (found["today"]["version"], found["coming"]) == (1, [])
    assert found["today"]["week"]["monday"] == [{"opens": "08:00", "closes": "12:00"}]
    event = await conn.fetchrow("select * from history where kind = 'calendar' and event = 'office_hours'")
    assert event is not None
    assert (event["actor"], event["version"], event["facts"]["valid_from"]) == (
        str(ADMINISTRATOR.id), 1, "2026-11-24",
    )  # fmt: skip


async def test_a_later_version_replaces_what_would_have_begun_after_it(client: Client) -> None:
    await change(client, asked(valid_from="2027-01-01"))
    found = await change(client, asked(1, valid_from="2026-12-01"))
    assert [(one["version"], one["valid_from"]) for one in found["coming"]] == [(2, "2026-12-01")]


async def test_the_same_again_is_answered_and_other_content_is_not(client: Client, conn: asyncpg.Connection) -> None:
    draft = asked()
    first = await change(client, draft)
    assert await change(client, draft) == first
    assert await conn.fetchval("select count(*) from office_hours") == 1
    assert (await change(client, draft | {"valid_from": "2026-12-24"}, status=409))["code"] == "id_taken"
    stale = await change(client, asked(), status=409)
    assert (stale["code"], stale["facts"]["version"]) == ("stale_version", 1)


@pytest.mark.parametrize("who", [MEMBER, ORGANISER], ids=lambda who: who.role)
async def test_others_only_read_them(client: Client, conn: asyncpg.Connection, who: Person) -> None:
    assert (await change(client, asked(), who, status=403))["code"] == "not_allowed"
    assert await conn.fetchval("select count(*) from office_hours") == 0


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"valid_from": "2026-11-23"}, "valid_too_early", "valid_from"),
        ({"valid_from": "soon"}, "wrong_value", "valid_from"),
        ({"week": {}}, "never_open", "week"),
        ({"week": {"monday": [{"opens": "12:00", "closes": "12:00"}]}}, "openings_overlap", "week.monday"),
        ({"week": {"monday": [{"opens": "12:00", "closes": "09:00"}]}}, "openings_overlap", "week.monday"),
        (
            {"week": {"sunday": [{"opens": "09:00", "closes": "12:00"}, {"opens": "11:00", "closes": "13:00"}]}},
            "openings_overlap",
            "week.sunday",
        ),
        ({"week": {"monday": [{"opens": "09:00Z", "closes": "12:00Z"}]}}, "wrong_value", "week.monday[0].opens"),
        ({"week": {"monday": [{"opens": "09:00", "closes": "12:00Z"}]}}, "wrong_value", "week.monday[0].closes"),
        ({"week": {"monday": [{"opens": "25:00", "closes": "26:00"}]}}, "wrong_value", "week.monday[0].opens"),
        ({"week": {"monday": [{"opens": "=cmd()", "closes": "${1}"}]}}, "wrong_value", "week.monday[0].opens"),
        ({"week": {"montag": []}}, "unknown_field", "week.montag"),
        ({"week": {"monday": [{"opens": "09:00", "closes": "12:00"}] * 11}}, "wrong_value", "week.monday"),
    ],
)
async def test_hours_that_make_no_sense_are_refused(
    client: Client, conn: asyncpg.Connection, changes: Answer, code: str, field: str
) -> None:
    refused = await change(client, asked(**changes), status=422)
    assert (refused["code"], refused["field"]) == (code, field)
    assert await conn.fetchval("select count(*) from office_hours") == 0

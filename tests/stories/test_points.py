"""Two volunteers, a month, and what comes of it: the points of each with their reasons, published by name and number.
An hour that is corrected later changes what is known now, and neither what was known then nor what was published."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from surveys.history import Actor
from surveys.volunteering import volunteer_changes
from surveys.volunteering.volunteer_changes import Consent
from tests.conftest import ADMINISTRATOR, DISTRICT, LEADER, MEMBER, ORGANISER, Client, Person, TestClock
from tests.surveys import deeds_at_hand

pytestmark = pytest.mark.anyio

OCTOBER = datetime(2026, 10, 11, 1, 0, tzinfo=UTC)  # nine in the morning
RULES: dict[str, Any] = {
    "time": {"points": "1", "per_minutes": 60, "day_cap": "8"},
    "effect": {"points": "0.1", "cap": "2"},
    "satisfaction": {"way": "factor", "one": "0.5", "two": "0.8", "three": "1", "four": "1.1", "five": "1.2"},
    "kinds": {"arts": "0.9"},
    "month_cap": "50",
}


async def publish_rules(client: Client, who: Person = ADMINISTRATOR, **changes: Any) -> Any:
    draft = {"id": str(uuid4()), "valid_from": "2026-10", "rules": RULES} | changes
    return await client.post("/api/points/rules", json=draft, headers=who.headers)


async def publish(client: Client, clock: TestClock, who: Person = ADMINISTRATOR, **changes: Any) -> Any:
    draft = {"id": str(uuid4()), "month": "2026-10", "known_at": clock().isoformat()} | changes
    return await client.post("/api/points/boards", json=draft, headers=who.headers)


async def points_of(client: Client, **asked: str) -> dict[str, tuple[int, str]]:
    answer = await client.get("/api/points", params={"month": "2026-10", **asked}, headers=ORGANISER.headers)
    assert answer.status_code == 200, answer.text
    return {one["name"]: (one["place"], one["points"]) for one in answer.json()["items"]}


async def public_rows(client: Client, **asked: str) -> dict[str, tuple[int, str]]:
    answer = await client.get("/api/points/boards/2026-10", params=asked, headers=MEMBER.headers)
    assert answer.status_code == 200, answer.text
    return {one["name"]: (one["place"], one["points"]) for one in answer.json()["items"]}


class Month:
    """What two volunteers did in October: one who agreed to her name, and one who did not."""

    named: UUID
    numbered: UUID
    second_entry: UUID


@pytest.fixture
async def month(conn: asyncpg.Connection) -> Month:
    await deeds_at_hand.team(conn)
    lived = Month()
    lived.named = await deeds_at_hand.volunteer(conn, "V000001", member=MEMBER.id, public=True)
    lived.numbered = await deeds_at_hand.volunteer(conn, "V000002", member=LEADER.id)
    singing = await deeds_at_hand.service(conn, OCTOBER, kind="arts", helped=12)
    jobs = await deeds_at_hand.service(conn, OCTOBER + timedelta(days=7), kind="jobs", helped=40)
    await deeds_at_hand.answer(conn, jobs, [5, 5, 4], OCTOBER + timedelta(days=8))
    await deeds_at_hand.serve(conn, lived.named, singing, 120, OCTOBER)
    await deeds_at_hand.serve(conn, lived.named, jobs, 90, OCTOBER + timedelta(days=7))
    lived.second_entry = await deeds_at_hand.serve(conn, lived.numbered, jobs, 180, OCTOBER + timedelta(days=7))
    return lived


async def test_a_correction_changes_what_is_known_now_and_nothing_that_was(
    client: Client, clock: TestClock, conn: asyncpg.Connection, month: Month
) -> None:
    assert (await publish_rules(client)).status_code == 201
    # (2.00 + 1.20) × 0.9 = 2.88, and (1.50 + 2.00) × 1.2 = 4.20; (3.00 + 2.00) × 1.2 = 6.00
    by_then = {MEMBER.name: (1, "7.08"), "V000002": (2, "6")}
    assert await points_of(client) == by_then
    assert await points_of(client, as_of="2026-10-11") == {MEMBER.name: (1, "2.88")}
    told = await client.get(
        f"/api/points/volunteers/{month.named}", params={"month": "2026-10"}, headers=ORGANISER.headers
    )
    first, second = told.json()["items"]
    assert (first["time"], first["effect"], first["by_kind"], first["points"]) == ("2", "1.2", "-0.32", "2.88")
    assert (second["stars"], second["by_satisfaction"], second["points"]) == (5, "0.7", "4.2")

    board = await publish(client, clock)
    assert (board.status_code, board.json()["version"]) == (201, 1)
    assert (board.json()["deeds"], board.json()["minutes"], board.json()["helped"]) == (2, 390, 52)
    assert await public_rows(client) == by_then

    then = clock().isoformat()
    clock.forward(days=3)
    await deeds_at_hand.correct(conn, month.second_entry, clock())
    clock.forward(hours=1)
    assert await points_of(client) == {MEMBER.name: (1, "7.08")}
    assert await points_of(client, known_at=then) == by_then
    assert await public_rows(client) == by_then

    without = await publish(client, clock)
    assert (without.status_code, without.json()["field"]) == (422, "reason")
    again = await publish(client, clock, reason="时长登记有误，已更正")
    assert (again.status_code, again.json()["version"], again.json()["reason"]) == (201, 2, "时长登记有误，已更正")
    assert await public_rows(client) == {MEMBER.name: (1, "7.08")}
    assert await public_rows(client, version="1") == by_then


async def test_later_rules_leave_what_was_published_as_it_was(client: Client, clock: TestClock, month: Month) -> None:
    assert (await publish_rules(client)).status_code == 201
    assert (await publish(client, clock)).status_code == 201
    clock.forward(days=1)
    dear = {**RULES, "time": {"points": "5"}}
    early = await publish_rules(client, rules=dear)
    assert (early.status_code, early.json()["code"], early.json()["field"]) == (422, "rules_too_early", "valid_from")
    assert (await publish_rules(client, rules=dear, valid_from="2026-11")).json()["version"] == 2
    assert (await points_of(client))[MEMBER.name] == (1, "7.08")
    assert (await public_rows(client))[MEMBER.name] == (1, "7.08")
    trial = {"month": "2026-10", "rules": dear}
    tried = await client.post("/api/points/trials", json=trial, headers=ADMINISTRATOR.headers)
    assert {one["name"]: one["points"] for one in tried.json()["items"]} == {MEMBER.name: "21.48", "V000002": "20.4"}


async def test_a_name_that_is_taken_back_leaves_the_published_board_at_once(
    client: Client, clock: TestClock, conn: asyncpg.Connection, month: Month
) -> None:
    await publish_rules(client)
    await publish(client, clock)
    taken_back = Consent(id=uuid4(), name_public=False)
    by = Actor("member", str(MEMBER.id))
    await volunteer_changes.consent(conn, DISTRICT, month.named, taken_back, by, clock())
    assert await public_rows(client) == {"V000001": (1, "7.08"), "V000002": (2, "6")}


async def test_what_is_sent_again_is_done_once(client: Client, clock: TestClock, month: Month) -> None:
    rules: dict[str, Any] = {"id": str(uuid4())}
    assert [(await publish_rules(client, **rules)).json()["version"] for _ in range(2)] == [1, 1]
    other = await publish_rules(client, **rules, valid_from="2026-12")
    assert (other.status_code, other.json()["code"]) == (409, "id_taken")
    board: dict[str, Any] = {"id": str(uuid4()), "known_at": clock().isoformat()}
    assert [(await publish(client, clock, **board)).json()["version"] for _ in range(2)] == [1, 1]
    assert (await publish(client, clock, **board, reason="另一个")).json()["code"] == "id_taken"


async def test_what_cannot_be_published_is_refused(client: Client, clock: TestClock, month: Month) -> None:
    assert (await publish(client, clock)).json()["code"] == "no_points_rules"
    await publish_rules(client, valid_from="2026-09")
    refused = {
        "month_not_over": await publish(client, clock, month="2026-11"),
        "nobody_has_points": await publish(client, clock, month="2026-09"),
        "time_in_future": await publish(client, clock, known_at=(clock() + timedelta(minutes=1)).isoformat()),
        "not_allowed": await publish(client, clock, ORGANISER),
        "invalid_filter": await publish(client, clock, month="2026-W41"),
    }
    assert {code: answer.json()["code"] for code, answer in refused.items()} == {code: code for code in refused}
    zero = await publish_rules(client, rules={"time": {"points": "1", "per_minutes": 0}})
    assert (zero.status_code, zero.json()["code"], zero.json()["field"]) == (
        422,
        "rule_divides_by_zero",
        "rules.time.per_minutes",
    )
    huge = await publish_rules(client, rules={"time": {"points": "9" * 21}})
    assert (huge.status_code, huge.json()["field"]) == (422, "rules.time.points")

"""A service from its announcement to the points of a month, through every door on the way: announced by the team's
leader, booked with a card, held, reported, confirmed, judged by who came, counted, and put up in public."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from surveys import history_seals
from tests import cards, services_at_hand
from tests.api.test_resident_page import scan
from tests.conftest import ADMINISTRATOR, DISTRICT, MEMBER, NOW, ORGANISER, Client, Person, TestClock
from tests.services_at_hand import LEADING, LEADS, SERVES, SERVING, announcement, report

pytestmark = pytest.mark.anyio

RULES = {
    "time": {"points": "1", "per_minutes": 60},
    "effect": {"points": "0.1"},
    "satisfaction": {
        "way": "factor",
        "one": "0.5",
        "two": "0.8",
        "three": "1",
        "four": "1.1",
        "five": "1.2",
        "least_answers": 1,
    },
}


async def done(client: Client, who: Person, path: str, body: object) -> Any:
    answer = await client.post(path, json=body, headers=who.headers)
    assert answer.status_code in (200, 201), (path, answer.text)
    return answer.json()


async def test_a_service_from_its_announcement_to_points(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await services_at_hand.found_team(conn)
    services = "/api/volunteering/services"
    announced = await done(client, LEADS, services, announcement(volunteers=[str(LEADING), str(SERVING)]))
    path = f"{services}/{announced['id']}"

    (card,) = await cards.make(conn, 1)
    await services_at_hand.leave(conn, [card.number])
    holder = await scan(client, card)
    booked = await client.post(
        f"/card/services/{announced['id']}/bookings", json={"id": str(uuid4()), "persons": 2}, headers=holder
    )
    assert booked.json()["state"] == "booked"

    clock.now = NOW + timedelta(days=1, hours=3)
    told = report([booked.json()["id"]], {LEADING: 2, SERVING: 1.5}, announced["version"])
    reported = await done(client, SERVES, f"{path}/report", told)
    await done(client, LEADS, f"{path}/confirmation", {"id": str(uuid4()), "expected_version": reported["version"]})
    balances = "select volunteer, balance from time_account where volunteer = any($1)"
    assert {row["volunteer"]: row["balance"] for row in await conn.fetch(balances, [LEADING, SERVING])} == {
        LEADING: 120,
        SERVING: 90,
    }
    pleased = await client.post(
        f"/card/bookings/{booked.json()['id']}/answer",
        json={"id": str(uuid4()), "solved": True, "satisfaction": 5},
        headers=await scan(client, card),
    )
    assert pleased.status_code == 200, pleased.text

    clock.now = NOW + timedelta(days=20)  # December
    await done(
        client, ADMINISTRATOR, "/api/points/rules", {"id": str(uuid4()), "valid_from": "2026-11", "rules": RULES}
    )
    # (2.00 + 1.20) × 1.2, and (1.50 + 1.20) × 1.2
    counted = await client.get("/api/points", params={"month": "2026-11"}, headers=ORGANISER.headers)
    assert {one["name"]: one["points"] for one in counted.json()["items"]} == {"V1": "3.84", "V2": "3.24"}
    clock.forward(seconds=1)
    await done(
        client,
        ADMINISTRATOR,
        "/api/points/boards",
        {"id": str(uuid4()), "month": "2026-11", "known_at": clock().isoformat()},
    )
    board = await client.get("/api/board")
    assert board.status_code == 200, board.text
    assert {one["name"]: one["points"] for one in board.json()["points"]["items"]} == {"V1": "3.84", "V2": "3.24"}
    for resident in (card.number, MEMBER.name):
        assert resident not in board.text
    assert (await history_seals.verify(conn, DISTRICT)).broken is None

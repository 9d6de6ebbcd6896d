"""Bookings that are over: who did not come is counted for the team, and who came is asked by whoever reaches them."""

import re
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from surveys.contact_cards.contact_cards import NewCard
from tests.api.test_services import announce, ask, at_doors, book, by_card, version
from tests.conftest import ADMINISTRATOR, NOW, OTHER_WORKER, STRANGER, WORKER, Client, Person, TestClock
from tests.doors import read
from tests.services_at_hand import LEADING, LEADS, SERVES, SERVING, TEAM, report

pytestmark = pytest.mark.anyio

PAGE = "/volunteering/bookings"
TO_ASK = "/api/volunteering/return-visits"
AFTERWARDS = NOW + timedelta(days=1, hours=3)


async def held(client: Client, conn: asyncpg.Connection, clock: TestClock, cards: list[NewCard]) -> list[str]:
    """A service that was held: the first three booked and the last of them did not come; another was given up."""
    service = await announce(client, conn, volunteers=[str(LEADING), str(SERVING)])
    by_hand = [
        await book(client, who, service["id"], card=card.number)
        for who, card in zip((STRANGER, SERVES, STRANGER), cards, strict=False)
    ]
    given_up = await by_card(client, cards[3], f"services/{service['id']}/bookings", {"id": str(uuid4())})
    await by_card(client, cards[3], f"bookings/{given_up.json()['id']}/cancellation", {})
    clock.now = AFTERWARDS
    told = report([one["id"] for one in by_hand[:2]], {SERVING: 2}, service["version"])
    reported = await ask(client, LEADS, f"services/{service['id']}/report", told)
    await ask(client, LEADS, f"services/{service['id']}/confirmation", version(reported))
    return [one["id"] for one in by_hand]


async def seen(client: Client, who: Person, address: str) -> str:
    answer = await client.get(address, headers=who.headers)
    assert answer.status_code == 200, answer.text
    return answer.text


async def number(client: Client, who: Person, shows: str) -> int:
    """How many the page says there are, which is as many as it lists."""
    page = await seen(client, who, f"{PAGE}?shows={shows}&team={TEAM}")
    found = re.search(r'<p class="above"><span><span class="number">(\d+)<', page)
    assert found is not None
    assert page.count("预约号 ") == int(found[1])
    return int(found[1])


async def test_missed_bookings_are_counted_for_the_team_and_every_number_opens_its_list(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    cards = await at_doors(conn, 4)
    await held(client, conn, clock, cards)
    team = await seen(client, LEADS, f"/volunteering/teams/{TEAM}")
    for shows, words in (("missed", "预约未到场"), ("cancelled", "预约已取消")):
        assert f'{PAGE}?shows={shows}&amp;team={TEAM}">{words} <span class="number">1</span>' in team
        assert await number(client, LEADS, shows) == 1
        assert await number(client, WORKER, shows) == 1, "of a service in their community"
        assert await number(client, ADMINISTRATOR, shows) == 1
        assert await number(client, STRANGER, shows) == 0, "who did not come is not everybody's business"
        assert await number(client, OTHER_WORKER, shows) == 0
    assert cards[2].number in await seen(client, LEADS, f"{PAGE}?shows=missed")
    assert "预约未到场" not in await seen(client, STRANGER, f"/volunteering/teams/{TEAM}")
    other = await seen(client, LEADS, f"{PAGE}?shows=missed&team={uuid4()}")
    assert "这里还没有预约" in other


async def test_who_came_is_asked_by_who_reaches_them_and_by_nobody_who_served(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    cards = await at_doors(conn, 4)
    first, second, _ = await held(client, conn, clock, cards)
    assert (await read(client, OTHER_WORKER, TO_ASK))["total"] == 0
    both = sorted((first, second))
    # Who booked for a door reaches it; who announced, confirmed or served does not ask.
    for who, may, reached in (
        (LEADS, False, both),
        (SERVES, False, [second]),
        (WORKER, True, both),
        (STRANGER, True, [first]),
    ):
        found = await read(client, who, TO_ASK)
        assert [one["booking"] for one in found["items"]] == reached, who.name
        assert {one["may_answer"] for one in found["items"]} == {may}
        assert found["total"] == len(reached)
    part = await read(client, WORKER, TO_ASK, limit=1)
    rest = await read(client, WORKER, TO_ASK, limit=1, cursor=part["next"])
    assert [one["booking"] for one in (*part["items"], *rest["items"])] == both
    assert (rest["total"], rest["next"]) == (2, None)
    assert f"/api/volunteering/bookings/{first}/answer" in await seen(client, WORKER, PAGE)
    assert "/answer" not in await seen(client, LEADS, PAGE)

    heard = {"id": str(uuid4()), "via": "call", "solved": True, "satisfaction": 5}
    await ask(client, WORKER, f"bookings/{first}/answer", heard)
    assert [one["booking"] for one in (await read(client, WORKER, TO_ASK))["items"]] == [second]
    clock.forward(days=40)
    assert (await read(client, WORKER, TO_ASK))["total"] == 0, "their time is over, before the job has closed it"


@pytest.mark.parametrize("query", ["shows=all", "team=x", "cursor=x", "shows=missed&cursor=x", "unknown=1"])
async def test_a_list_that_there_is_not_is_refused(shared: Client, query: str) -> None:
    answer = await shared.get(f"{PAGE}?{query}", headers=ADMINISTRATOR.headers)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")

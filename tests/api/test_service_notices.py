"""Members are told of services: the day before, when one is moved, and when one is cancelled; each once."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from api.jobs import Runner
from api.settings import Settings
from tests.api.test_notices import channel, choose, reach, run
from tests.api.test_services import announce, ask, at_doors, book, by_card, version
from tests.conftest import ADMINISTRATOR, NOW, RING, STRANGER, WORKER, Client, Person, TestClock, serving
from tests.doors import read
from tests.receivers import Receiver, receiving
from tests.services_at_hand import LEADS, OUTSIDER, SERVES, SERVING

pytestmark = pytest.mark.anyio

BEGINS = NOW + timedelta(days=3)
ENDS = BEGINS + timedelta(hours=2)


@pytest.fixture
def settings(dsn: str) -> Settings:
    """With channels that may lead to our own receiver."""
    return Settings(database_url=dsn, pool_size=4, inside_addresses="on", public_url="https://visits.example")


@pytest.fixture
async def inside(settings: Settings, clock: TestClock) -> AsyncIterator[Client]:
    async with serving(settings, clock) as opened:
        yield opened


@pytest.fixture
def runner(settings: Settings, clock: TestClock) -> Runner:
    return Runner(settings.database_url or "", clock, lambda: RING, settings)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


async def soon(client: Client, conn: asyncpg.Connection, **changes: Any) -> Any:
    """A service in three days, led by one member; another serves, as does somebody who is no member."""
    told = {"starts_at": BEGINS.isoformat(), "ends_at": ENDS.isoformat()} | changes
    return await announce(client, conn, volunteers=[str(SERVING), str(OUTSIDER)], **told)


async def told(conn: asyncpg.Connection) -> list[tuple[str, str]]:
    """Who was told what, in the order of happening."""
    rows = await conn.fetch(
        "select n.kind, m.number from notice n join member m on m.district = n.district and m.id = n.member"
        " where n.service is not null order by n.happened_at, n.kind, m.number"
    )
    return [(row["kind"], row["number"]) for row in rows]


def all_of(kind: str, *who: Person) -> list[tuple[str, str]]:
    return sorted((kind, one.number) for one in who)


async def test_who_serves_leads_or_booked_for_a_door_is_told_the_day_before_and_once(
    client: Client, conn: asyncpg.Connection, clock: TestClock, runner: Runner
) -> None:
    service = await soon(client, conn, places=2)
    first, second, third = await at_doors(conn, 3)
    await book(client, STRANGER, service["id"], card=first.number)
    await by_card(client, second, f"services/{service['id']}/bookings", {"id": str(uuid4())})
    assert (await book(client, WORKER, service["id"], card=third.number))["state"] == "waiting"

    clock.now = BEGINS - timedelta(hours=24, minutes=1)
    await run(runner, "remind")
    assert await told(conn) == []
    clock.now = BEGINS - timedelta(hours=24)
    await run(runner, "remind", "remind")
    everybody = all_of("service_soon", LEADS, SERVES, STRANGER)
    assert await told(conn) == everybody, "neither who waits, nor somebody who is no member"
    clock.forward(minutes=5)
    await run(runner, "remind")
    assert await told(conn) == everybody

    (notice,) = (await read(client, STRANGER, "/api/notices"))["items"]
    assert (notice["service"], notice["title"], notice["place"]) == (
        service["id"],
        "教老人用智能手机",
        "近邻社区党群服务中心二楼",
    )
    assert datetime.fromisoformat(notice["starts_at"]) == BEGINS
    assert (notice["issue"], notice["number"], notice["due_at"]) == (None, None, None)
    page = await client.get("/account", headers=STRANGER.headers)
    assert f"/volunteering/services/{service['id']}" in page.text
    assert "志愿服务即将开始" in page.text
    history = await conn.fetch("select event, facts from history where event = 'remind'")
    assert [row["facts"]["about"] for row in history] == [service["id"]]


async def test_a_service_that_is_moved_tells_so_and_reminds_anew(
    client: Client, conn: asyncpg.Connection, clock: TestClock, runner: Runner
) -> None:
    service = await soon(client, conn)
    (door,) = await at_doors(conn, 1)
    await book(client, STRANGER, service["id"], card=door.number)
    clock.now = BEGINS - timedelta(hours=2)
    await run(runner, "remind")
    reminded = all_of("service_soon", LEADS, SERVES, STRANGER)

    changes = f"services/{service['id']}/changes"
    more = await ask(client, LEADS, changes, version(service) | {"places": 30})
    await run(runner, "remind")
    assert await told(conn) == reminded, "of more places nobody need be told"
    later = {"starts_at": (BEGINS + timedelta(days=2)).isoformat(), "ends_at": (ENDS + timedelta(days=2)).isoformat()}
    moving = version(more) | later
    moved = await ask(client, LEADS, changes, moving)
    assert await ask(client, LEADS, changes, moving) == moved
    await run(runner, "remind")
    told_of_it = reminded + all_of("service_moved", SERVES, STRANGER)
    assert sorted(await told(conn)) == sorted(told_of_it), "all but who moved it"

    clock.now = BEGINS + timedelta(days=1, hours=1)
    await run(runner, "remind", "remind")
    assert (await told(conn))[-3:] == reminded
    sooner = {name: (datetime.fromisoformat(at) - timedelta(hours=2)).isoformat() for name, at in later.items()}
    await ask(client, LEADS, changes, version(moved) | sooner)
    clock.forward(minutes=1)
    await run(runner, "remind")
    assert (await told(conn))[-3:] == reminded, "and of the next time anew"
    assert len(await told(conn)) == 13


async def test_a_cancelled_service_is_told_to_all_who_wanted_to_come_without_a_word_of_the_reason(
    inside: Client, conn: asyncpg.Connection, clock: TestClock, runner: Runner, receiver: Receiver
) -> None:
    by = await channel(inside, receiver)
    await reach(inside, STRANGER, by)
    await reach(inside, SERVES, by)
    await choose(inside, SERVES, language="en")
    service = await soon(inside, conn, places=1, title="教老人\n用手机${x}<img onerror=1>")
    first, second = await at_doors(conn, 2)
    assert (await book(inside, WORKER, service["id"], card=first.number))["state"] == "booked"
    assert (await book(inside, STRANGER, service["id"], card=second.number))["state"] == "waiting"
    given_up = await book(inside, ADMINISTRATOR, service["id"], via="desk")
    await ask(inside, ADMINISTRATOR, f"bookings/{given_up['id']}/cancellation", {})

    clock.now = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)  # eleven in the evening, thirteen hours before it
    reason = "主讲人家里有事"
    cancelling = version(service) | {"reason": reason}
    await ask(inside, LEADS, f"services/{service['id']}/cancellation", cancelling)
    await ask(inside, LEADS, f"services/{service['id']}/cancellation", cancelling)
    assert await told(conn) == all_of("service_cancelled", SERVES, STRANGER, WORKER)
    await run(runner, "remind", "tell")
    await runner.work_off()
    assert receiver.got == [], "it is quiet, and there is time in the morning"
    clock.now = datetime(2026, 11, 26, 0, 0, tzinfo=UTC)
    await run(runner, "remind", "tell")
    await runner.work_off()
    messages = {one.json()["title"]: one.json()["message"] for one in receiver.got}
    assert set(messages) == {
        "【走访】志愿服务已取消，原因见服务页面",
        "Zoufang: A service was cancelled; its page says why",
    }
    for message in messages.values():
        assert "教老人 用手机${x}<img onerror=1> · 近邻社区党群服务中心二楼 · " in message
        assert reason not in message
        assert first.number not in message
    assert await told(conn) == all_of("service_cancelled", SERVES, STRANGER, WORKER), "and nobody is reminded of it"


async def test_what_changes_shortly_before_does_not_wait_for_the_morning(
    inside: Client, conn: asyncpg.Connection, clock: TestClock, runner: Runner, receiver: Receiver
) -> None:
    await reach(inside, SERVES, await channel(inside, receiver))
    night = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)  # eleven in the evening
    begins = night + timedelta(hours=8)
    told = {"starts_at": begins.isoformat(), "ends_at": (begins + timedelta(hours=1)).isoformat()}
    service = await soon(inside, conn, **told)
    clock.now = night
    await ask(inside, LEADS, f"services/{service['id']}/cancellation", version(service) | {"reason": "停电"})
    await run(runner, "tell")
    await runner.work_off()
    assert len(receiver.got) == 1


async def test_a_notice_is_about_one_thing(client: Client, conn: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="notice_about_one"):
        await conn.execute(
            "insert into notice (district, id, member, kind, happened_at, made_at)"
            " values (410103, gen_random_uuid(), $1, 'service_soon', $2, $2)",
            LEADS.id,
            NOW,
        )

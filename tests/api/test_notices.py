"""Members are told what concerns them: once, each as they want to be; channels that fail hold nothing up."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from api import database, jobs, notice_sending
from api.jobs import Runner
from api.settings import Settings
from surveys.history import Actor
from surveys.notices import following, notices
from surveys.notices.notices import NoticeSettings, Telling
from surveys.privacy import resealing, retention
from surveys.privacy.sealing import KEY_BYTES, KeyRing
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
    ORGANISER,
    RING,
    STRANGER,
    WORKER,
    Client,
    Person,
    TestClock,
    serving,
)
from tests.receivers import Receiver, receiving

pytestmark = pytest.mark.anyio

SECRET = "a-secret-of-the-district"
ADDRESS = "13800001111"


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


async def run(runner: Runner, *names: str) -> None:
    for name in names or ("tell",):
        assert await runner.run_everywhere(jobs.named(name)) == ["done"], name


async def told(conn: asyncpg.Connection, who: Person) -> list[str]:
    rows = await conn.fetch("select kind from notice where member = $1 order by happened_at, kind", who.id)
    return [row["kind"] for row in rows]


async def report(client: Client, **changes: Any) -> str:
    draft = drafts.visit(issues=[drafts.issue(**changes)])
    await doors.file(client, MEMBER, draft)
    issue: str = draft["issues"][0]["id"]
    return issue


async def channel(client: Client, receiver: Receiver, name: str = "短信") -> str:
    """A channel to the receiver, with a secret in its path."""
    draft = {
        "id": str(uuid4()),
        "name": name,
        "template": f"json://127.0.0.1:{receiver.port}/{SECRET}/{{address}}",
    }
    answer = await client.post("/api/notice-channels", json=draft, headers=ADMINISTRATOR.headers)
    assert SECRET not in answer.text
    made: str = doors.answered(answer, 201)["id"]
    return made


async def reach(client: Client, who: Person, channel: str, address: str = ADDRESS) -> None:
    answer = await client.post(
        f"/api/notice-settings/addresses/{channel}", json={"address": address}, headers=who.headers
    )
    assert answer.status_code == 204, answer.text


async def choose(client: Client, who: Person, **wanted: Any) -> Any:
    return doors.answered(await client.post("/api/notice-settings", json=wanted, headers=who.headers), 200)


async def test_the_owner_is_told_of_what_is_new_once_and_nobody_of_what_they_did_themselves(
    client: Client, conn: asyncpg.Connection, clock: TestClock, runner: Runner
) -> None:
    issue = await report(client)
    await run(runner, "tell", "tell")
    assert await told(conn, WORKER) == ["offered"]
    assert await told(conn, MEMBER) == []
    inbox = await doors.read(client, WORKER, "/api/notices")
    (one,) = inbox["items"]
    assert (one["kind"], one["issue"], one["community"], one["seen"], inbox["unseen"]) == (
        "offered", issue, "近邻社区", False, 1,
    )  # fmt: skip
    assert "垃圾成堆" not in str({**one, "category": ""}), "no text of the issue"

    clock.forward(minutes=1)
    await doors.move(client, WORKER, issue, drafts.move("accept", 1))
    await doors.move(client, WORKER, issue, drafts.move("assign", 2, to="city_management"))
    await doors.move(client, WORKER, issue, drafts.move("start", 3))
    clock.forward(minutes=1)
    await doors.move(client, HANDLER, issue, drafts.move("resolve", 4, reason="已清运"))
    await run(runner)
    assert await told(conn, HANDLER) == ["department_assigned"]
    assert "resolved" in await told(conn, MEMBER)


async def test_whoever_reads_the_history_again_tells_nobody_twice(
    client: Client, conn: asyncpg.Connection, runner: Runner
) -> None:
    await report(client)
    await run(runner)
    before = await conn.fetch("select * from notice order by id")
    await conn.execute("update history_follower set epoch = 1, written_in = 0")
    await run(runner)
    assert await conn.fetch("select * from notice order by id") == before
    assert len(before) == 1


async def test_what_is_not_committed_yet_is_told_when_it_is(
    client: Client, conn: asyncpg.Connection, dsn: str, runner: Runner
) -> None:
    """As an import of an hour, that begins before others and ends after them."""
    slow = await database.connect(dsn)
    transaction = slow.transaction()
    await transaction.start()
    await slow.execute("select pg_current_xact_id()")
    await report(client)
    await run(runner)
    assert await told(conn, WORKER) == [], "it is not known yet that nothing slips in before it"
    await transaction.rollback()
    await slow.close()
    await run(runner)
    assert await told(conn, WORKER) == ["offered"]


async def test_a_bounded_part_is_told_at_a_time_and_all_of_it_in_the_end(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    for _ in range(5):
        await report(client)
    turns = 0
    while (await following.follow(conn, DISTRICT, clock(), most=3)).more:
        turns += 1
    assert turns >= 3
    assert await told(conn, WORKER) == ["offered"] * 5


async def test_what_is_long_past_or_imported_is_not_told(
    client: Client, conn: asyncpg.Connection, clock: TestClock, runner: Runner
) -> None:
    await report(client)
    clock.now += following.STALE + timedelta(hours=2)
    await run(runner)
    assert await told(conn, WORKER) == []


async def test_reopening_is_told_to_the_owner_and_the_level_above(
    client: Client, conn: asyncpg.Connection, clock: TestClock, runner: Runner
) -> None:
    issue = await report(client)
    await doors.move(client, WORKER, issue, drafts.move("accept", 1))
    await doors.move(client, WORKER, issue, drafts.move("resolve", 2, reason="已清运"))
    await run(runner)
    clock.forward(hours=1)
    await doors.move(client, MEMBER, issue, drafts.move("reopen", 3, reason="又堆上了"))
    await run(runner)
    assert "reopened" in await told(conn, WORKER)
    assert await told(conn, ORGANISER) == ["reopened"]


async def test_a_message_waits_for_the_end_of_quiet_hours_and_takes_the_digest_with_it(
    inside: Client, conn: asyncpg.Connection, clock: TestClock, runner: Runner, receiver: Receiver
) -> None:
    await reach(inside, WORKER, await channel(inside, receiver))
    for _ in range(40):
        await report(inside)
    await run(runner)
    await runner.work_off()
    (one,) = receiver.got  # forty notices at noon: one message
    assert one.path == f"/{SECRET}/{ADDRESS}"
    message = one.json()
    assert message["title"] == "【走访】40 条通知"
    assert "另有 20 条" in message["message"]
    assert "https://visits.example/account#notices" in message["message"]
    assert "门口" not in message["message"], "nothing that a person has written"

    clock.now = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # eleven in the evening
    await report(inside)
    await tell_of(conn, "due_soon", clock)
    await run(runner)
    await runner.work_off()
    assert len(receiver.got) == 1, "it is quiet"
    await report(inside, urgency="emergency")
    await run(runner)
    await runner.work_off()
    assert len(receiver.got) == 2, "but for an emergency"
    clock.now = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)  # eight in the morning
    await run(runner, "tell", "tell")
    await runner.work_off()
    assert len(receiver.got) == 3
    assert receiver.got[2].json()["title"] == "【走访】2 条通知"
    deliveries = (await doors.read(inside, AUDITOR, "/api/notice-deliveries"))["items"]
    assert [(one["member"], one["state"], one["notices"]) for one in deliveries] == [
        (str(WORKER.id), "sent", 2), (str(WORKER.id), "sent", 1), (str(WORKER.id), "sent", 40),
    ]  # fmt: skip


async def tell_of(conn: asyncpg.Connection, kind: notices.NoticeKind, clock: TestClock) -> None:
    issue = await conn.fetchval("select id from issue limit 1")
    one = Telling(member=WORKER.id, kind=kind, issue=issue, cause=uuid4(), happened_at=clock())
    await notices.tell(conn, DISTRICT, [one], clock())


async def test_what_was_seen_in_time_needs_no_message(
    inside: Client, conn: asyncpg.Connection, clock: TestClock, runner: Runner, receiver: Receiver
) -> None:
    await reach(inside, WORKER, await channel(inside, receiver))
    await report(inside)
    await tell_of(conn, "due_soon", clock)
    await conn.execute("update notice set send_after = null where kind = 'offered'")
    answer = await inside.post("/api/notices/seen", json={}, headers=WORKER.headers)
    assert answer.status_code == 204
    clock.forward(days=1)
    await run(runner)
    await runner.work_off()
    assert receiver.got == [] or all(one.json()["title"].endswith("等您受理") for one in receiver.got)


async def test_each_person_chooses(
    inside: Client, conn: asyncpg.Connection, runner: Runner, receiver: Receiver
) -> None:
    usual = await doors.read(inside, WORKER, "/api/notice-settings")
    assert (usual["ways"]["offered"], usual["ways"]["due_soon"], usual["quiet_from"]) == (
        "at_once", "digest", "21:00",
    )  # fmt: skip
    await reach(inside, WORKER, await channel(inside, receiver))
    await choose(inside, WORKER, ways={"offered": "inbox"})
    await report(inside)
    await run(runner)
    await choose(inside, WORKER, ways={"offered": "nothing"})
    await report(inside)
    await run(runner)
    await choose(inside, WORKER, language="en")
    await report(inside)
    await run(runner)
    await runner.work_off()
    assert await told(conn, WORKER) == ["offered"] * 2
    (one,) = receiver.got
    assert one.json()["title"] == "Zoufang: An issue waits for you to take it on"
    shown = await doors.read(inside, WORKER, "/api/notice-settings")
    assert [(one["name"], one["address"]) for one in shown["channels"]] == [("短信", True)]
    assert ADDRESS not in str(shown)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"ways": {"offered": "shout"}}, "ways.offered"),
        ({"ways": {"<img onerror=alert(1)>": "inbox"}}, None),
        ({"quiet_from": "25:00"}, "quiet_from"),
        ({"quiet_from": "21:00+08:00"}, "quiet_from"),
        ({"language": "${7*7}"}, "language"),
        ({"more": 1}, "more"),
    ],
)
async def test_choices_that_there_are_not_are_refused(shared: Client, wanted: Any, field: str | None) -> None:
    answer = await shared.post("/api/notice-settings", json=wanted, headers=STRANGER.headers)
    assert doors.answered(answer, 422)["code"] in ("wrong_value", "unknown_field")


async def test_a_channel_that_fails_is_tried_again_parked_and_holds_nothing_up(
    inside: Client,
    conn: asyncpg.Connection,
    owner_dsn: str,
    runner: Runner,
    receiver: Receiver,
    capfd: pytest.CaptureFixture[str],
) -> None:
    made = await channel(inside, receiver)
    await reach(inside, WORKER, made)
    receiver.status = 500
    issue = await report(inside)
    await run(runner)
    queue = await asyncpg.connect(owner_dsn)
    for tries in range(1, len(notice_sending.WAITS) + 2):
        await runner.work_off()
        assert len(receiver.got) == tries
        await queue.execute("update queue.pgqueuer set execute_after = execute_after - interval '1 day'")
    await doors.move(inside, WORKER, issue, drafts.move("accept", 1))
    (one,) = (await doors.read(inside, OPERATOR, "/api/notice-deliveries"))["items"]
    assert (one["state"], one["error"], one["tries"]) == ("parked", "channel_refused", 6)
    (parked,) = (await doors.read(inside, OPERATOR, "/api/jobs"))["parked"]
    assert (parked["what"], parked["thing"]) == ("send_notice", one["id"])

    receiver.status = 200
    answer = await inside.post(f"/api/jobs/{parked['id']}/retry", json={}, headers=OPERATOR.headers)
    assert answer.status_code == 204
    await runner.work_off()
    (one,) = (await doors.read(inside, OPERATOR, "/api/notice-deliveries"))["items"]
    assert (one["state"], one["error"], one["tries"]) == ("sent", None, 7)
    out = capfd.readouterr()
    for secret in (SECRET, ADDRESS):
        assert secret not in out.out + out.err
        for table in ("queue.pgqueuer", "queue.pgqueuer_log", "job_run", "history", "notice_delivery"):
            assert not await queue.fetchval(
                f"select exists (select from {table} t where t::text like $1)", f"%{secret}%"
            )
    await queue.close()


async def test_a_channel_that_answers_nothing_is_given_up_in_time(
    inside: Client, conn: asyncpg.Connection, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notice_sending, "LONGEST_S", 0.2)
    monkeypatch.setattr(notice_sending, "READ_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        template = f"json://127.0.0.1:{silent.getsockname()[1]}/{{address}}"
        given_up = await notice_sending.deliver(Settings(inside_addresses="on"), template, "x", "subject", "body")
        assert given_up == "no_answer_in_time"
        await asyncio.sleep(0.5)  # its thread ends by itself


@pytest.mark.parametrize(
    "given",
    [
        "json://127.0.0.1:8080/{address}",
        "jsons://[::1]/{address}",
        "jsons://10.0.0.8/{address}",
        "jsons://gateway.local/{address}",
        "json://gateway.example/{address}",  # without TLS
        "mailtos://user:pass@mail.example?to=somebody@mail.example",  # no place for the member's address
        "jsons://gateway.example/{address}/{address}",
        "file:///etc/passwd?{address}",
        "syslog://{address}",
        "windows://{address}",
        "=cmd()|{address}",
        "<img onerror=alert(1)>{address}",
        "jsons://{address}",  # the member would say where it goes
    ],
)
async def test_channels_that_cannot_be_used_are_refused(shared: Client, given: str) -> None:
    draft = {"id": str(uuid4()), "name": "渠道", "template": given}
    answer = await shared.post("/api/notice-channels", json=draft, headers=ADMINISTRATOR.headers)
    assert given not in answer.text
    doors.refused(answer, 422, "channel_unusable", "template")


@pytest.mark.parametrize(
    "given",
    [
        f"mailtos://desk:{SECRET}@mail.example?to={{address}}",
        f"jsons://gateway.example/{SECRET}/{{address}}",
        f"dingtalk://{'a' * 64}/{{address}}",
    ],
)
async def test_channels_that_districts_use_are_taken_and_never_shown_again(shared: Client, given: str) -> None:
    draft = {"id": str(uuid4()), "name": "渠道", "template": given}
    answer = await shared.post("/api/notice-channels", json=draft, headers=ADMINISTRATOR.headers)
    doors.answered(answer, 201)
    listed = await shared.get("/api/notice-channels", headers=ADMINISTRATOR.headers)
    assert SECRET not in answer.text + listed.text
    again = await shared.post("/api/notice-channels", json=draft, headers=ADMINISTRATOR.headers)
    doors.refused(again, 409, "id_taken", "id")
    for status in (204, 409):
        closed = await shared.post(f"/api/notice-channels/{draft['id']}/close", json={}, headers=ADMINISTRATOR.headers)
        assert closed.status_code == status


async def test_what_is_sealed_is_sealed_anew_under_another_key(
    inside: Client, conn: asyncpg.Connection, receiver: Receiver
) -> None:
    await reach(inside, WORKER, await channel(inside, receiver))
    kept = await conn.fetchrow("select template, address from notice_channel, notice_address")
    assert kept is not None
    assert SECRET.encode() not in kept["template"]
    assert ADDRESS.encode() not in kept["address"]
    ring = KeyRing(keys={**RING.keys, 2: b"2" * KEY_BYTES}, look_up_key=RING.look_up_key)
    done = await resealing.reseal(conn, ring, DISTRICT)
    assert (done["notice_channel"], done["notice_address"]) == (1, 1)


async def test_notices_and_deliveries_are_forgotten_by_their_rules(
    inside: Client, conn: asyncpg.Connection, clock: TestClock, runner: Runner, receiver: Receiver
) -> None:
    await reach(inside, WORKER, await channel(inside, receiver))
    await report(inside)
    await run(runner)
    await runner.work_off()
    rule = retention.Rule(kind="notices", days=10)
    await retention.change(conn, DISTRICT, Actor("member", str(ADMINISTRATOR.id)), rule, clock())
    removed = await retention.forget_accounts(conn, DISTRICT, NOW + timedelta(days=11))
    assert (removed["notices"], removed["deliveries"]) == (1, 0)
    removed = await retention.forget_accounts(conn, DISTRICT, NOW + timedelta(days=367))
    assert removed["deliveries"] == 1


async def test_nobody_reads_or_marks_another_s_notices(
    client: Client, conn: asyncpg.Connection, runner: Runner
) -> None:
    await report(client)
    await run(runner)
    (mine,) = (await doors.read(client, WORKER, "/api/notices"))["items"]
    assert (await doors.read(client, DISPATCHER, "/api/notices"))["items"] == []
    await client.post("/api/notices/seen", json={"ids": [mine["id"]]}, headers=LEADER.headers)
    assert (await doors.read(client, WORKER, "/api/notices", unseen=True))["unseen"] == 1
    await client.post("/api/notices/seen", json={"ids": [mine["id"]]}, headers=WORKER.headers)
    assert (await doors.read(client, WORKER, "/api/notices", unseen=True))["items"] == []
    doors.refused(
        await client.get("/api/notices", params={"cursor": "=cmd()"}, headers=WORKER.headers),
        422, "invalid_cursor", "cursor",
    )  # fmt: skip


SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("hour", "quiet", "urgent", "way", "after"),
    [
        (12, (21, 8), False, "at_once", 0),
        (12, (21, 8), False, "digest", 20),
        (22, (21, 8), False, "at_once", 10),
        (22, (21, 8), True, "digest", 0),
        (3, (21, 8), False, "at_once", 5),
        (3, (8, 8), False, "at_once", 0),  # never quiet
        (13, (12, 14), False, "at_once", 1),
        (8, (21, 8), False, "at_once", 0),
        (12, (21, 8), False, "inbox", None),
    ],
)
def test_when_a_message_may_go_out(
    hour: int, quiet: tuple[int, int], urgent: bool, way: notices.Way, after: int | None
) -> None:
    local = datetime(2026, 11, 23, hour, tzinfo=SHANGHAI)
    wanted = NoticeSettings(
        quiet_from=local.replace(hour=quiet[0]).time(), quiet_to=local.replace(hour=quiet[1]).time(),
        ways={"offered": way},
    )  # fmt: skip
    one = Telling(
        member=UUID(int=1), kind="offered", issue=UUID(int=2), cause=UUID(int=3), happened_at=local, urgent=urgent
    )
    expected = None if after is None else local + timedelta(hours=after)
    assert notices.send_after(wanted, one, SHANGHAI, local) == expected

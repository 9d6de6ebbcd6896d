"""Other systems are told of what happens to issues: signed, without a text, to no address inside our own house."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from api import jobs, outgoing, webhook_sending
from api.jobs import Runner
from api.settings import Settings
from surveys.notices import webhooks
from surveys.notices.webhooks import UrlUnusable
from surveys.privacy import resealing
from surveys.privacy.sealing import KEY_BYTES, KeyRing
from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    DISTRICT,
    MEMBER,
    OPERATOR,
    RING,
    WORKER,
    Client,
    TestClock,
    serving,
)
from tests.receivers import Receiver, receiving

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> TestClock:
    """Today's time: the receiving library holds what it is sent to its own clock."""
    clock = TestClock()
    clock.now = datetime.now(UTC)
    return clock


@pytest.fixture
def settings(dsn: str) -> Settings:
    return Settings(database_url=dsn, pool_size=4, inside_addresses="on")


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


def hook(url: str, *events: str) -> dict[str, Any]:
    return {"id": str(uuid4()), "url": url, "events": list(events or ("report", "accept", "resolve"))}


async def make(client: Client, receiver: Receiver, *events: str) -> tuple[str, str]:
    """A webhook to the receiver, by its id and its secret."""
    draft = hook(f"http://127.0.0.1:{receiver.port}/hooks?key=of-the-other-side", *events)
    answer = await client.post("/api/webhooks", json=draft, headers=ADMINISTRATOR.headers)
    made = doors.answered(answer, 201)
    assert made["webhook"]["url"].endswith("/hooks"), "without what may be secret in it"
    return made["webhook"]["id"], made["secret"]


async def report(client: Client, clock: TestClock, **changes: Any) -> str:
    times = {"started_at": (clock() - timedelta(minutes=9)).isoformat(), "ended_at": clock().isoformat()}
    draft = drafts.visit(**times, note="里屋有人", issues=[drafts.issue(**changes)])
    await doors.file(client, MEMBER, draft)
    issue: str = draft["issues"][0]["id"]
    return issue


async def tell(runner: Runner) -> None:
    assert await runner.run_everywhere(jobs.named("tell")) == ["done"]
    await runner.work_off()


async def test_what_is_asked_for_is_told_once_signed_and_without_a_text(
    inside: Client, clock: TestClock, runner: Runner, receiver: Receiver
) -> None:
    made, secret = await make(inside, receiver)
    issue = await report(inside, clock, description="<img onerror=alert(1)>")
    await doors.move(inside, WORKER, issue, drafts.move("accept", 1))
    await doors.move(inside, WORKER, issue, drafts.move("start", 2))
    await tell(runner)
    await tell(runner)
    assert sorted(one.json()["type"] for one in receiver.got) == ["accept", "report"]
    for one in receiver.got:
        said = Webhook(secret).verify(one.body, one.headers)
        assert said["data"]["issue"] == issue
        assert said["data"]["state"] in ("reported", "accepted")
        assert UUID(said["data"]["event"])
        for word in ("垃圾", "onerror", "里屋", "张", "owner", "lon", "title"):
            assert word not in one.body.decode(), word
    assert len({one.headers["webhook-id"] for one in receiver.got}) == 2
    listed = (await doors.read(inside, OPERATOR, f"/api/webhooks/{made}/deliveries"))["items"]
    assert {(one["state"], one["status"], one["tries"]) for one in listed} == {("sent", 200, 1)}


async def test_the_other_side_refuses_what_is_forged_changed_or_old(
    inside: Client, clock: TestClock, runner: Runner, receiver: Receiver
) -> None:
    made, secret = await make(inside, receiver)
    answer = await inside.post(f"/api/webhooks/{made}/ping", json={}, headers=ADMINISTRATOR.headers)
    delivery = doors.answered(answer, 202)["delivery"]
    await runner.work_off()
    (one,) = receiver.got
    assert one.headers["webhook-id"] == f"msg_{delivery}"
    assert Webhook(secret).verify(one.body, one.headers)["type"] == "ping"
    other = webhook_sending.new_secret()
    for key, body, headers in (
        (other, one.body, one.headers),
        (secret, one.body.replace(b"ping", b"pong"), one.headers),
        (secret, one.body, one.headers | {"webhook-signature": "v1," + "A" * 44}),
        (secret, one.body, one.headers | {"webhook-id": "msg_other"}),
        (secret, one.body, one.headers | webhooks.signed(secret, UUID(delivery), "{}", clock() - timedelta(hours=1))),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(key).verify(body, headers)
    old = webhooks.signed(secret, UUID(delivery), one.body.decode(), clock() - timedelta(minutes=6))
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret).verify(one.body, old)


async def test_one_that_fails_is_tried_for_a_day_and_parked(
    inside: Client, owner_dsn: str, clock: TestClock, runner: Runner, receiver: Receiver,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    made, secret = await make(inside, receiver)
    receiver.status = 500
    await report(inside, clock)
    await tell(runner)
    queue = await asyncpg.connect(owner_dsn)
    for _ in webhook_sending.WAITS:
        await queue.execute("update queue.pgqueuer set execute_after = execute_after - interval '1 day'")
        await runner.work_off()
    (one,) = (await doors.read(inside, OPERATOR, f"/api/webhooks/{made}/deliveries"))["items"]
    assert (one["state"], one["status"], one["error"], one["tries"]) == ("parked", 500, "status_500", 7)
    assert timedelta(hours=18) < sum(webhook_sending.WAITS, timedelta()) < timedelta(days=1)
    ids = {got.headers["webhook-id"] for got in receiver.got}
    assert len(ids) == 1, "the other side knows it again"

    receiver.status = 204
    (parked,) = (await doors.read(inside, OPERATOR, "/api/jobs"))["parked"]
    await inside.post(f"/api/jobs/{parked['id']}/retry", json={}, headers=OPERATOR.headers)
    await runner.work_off()
    (one,) = (await doors.read(inside, OPERATOR, f"/api/webhooks/{made}/deliveries"))["items"]
    assert (one["state"], one["status"]) == ("sent", 204)
    out = capfd.readouterr()
    assert secret not in out.out + out.err
    assert "of-the-other-side" not in out.out + out.err
    await queue.close()


async def test_nobody_is_followed_elsewhere(
    inside: Client, clock: TestClock, runner: Runner, receiver: Receiver
) -> None:
    made, _ = await make(inside, receiver)
    receiver.status, receiver.location = 302, f"http://127.0.0.1:{receiver.port}/elsewhere"
    await report(inside, clock)
    await tell(runner)
    assert [one.path.split("?")[0] for one in receiver.got] == ["/hooks"]
    (one,) = (await doors.read(inside, OPERATOR, f"/api/webhooks/{made}/deliveries"))["items"]
    assert one["error"] == "redirected"


async def test_a_closed_one_is_told_nothing_any_more(
    inside: Client, conn: asyncpg.Connection, clock: TestClock, runner: Runner, receiver: Receiver
) -> None:
    made, _ = await make(inside, receiver)
    await report(inside, clock)
    assert await runner.run_everywhere(jobs.named("tell")) == ["done"]
    for status in (204, 409):
        answer = await inside.post(f"/api/webhooks/{made}/close", json={}, headers=ADMINISTRATOR.headers)
        assert answer.status_code == status
    await report(inside, clock)
    await tell(runner)
    assert receiver.got == []
    assert await conn.fetchval("select array_agg(state) from webhook_delivery") == ["void"]
    answer = await inside.post(f"/api/webhooks/{made}/ping", json={}, headers=ADMINISTRATOR.headers)
    doors.refused(answer, 409, "webhook_closed")


@pytest.mark.parametrize(
    "url",
    [
        "http://other.example/hooks",
        "https://127.0.0.1/",
        "https://localhost:5432/",
        "https://[::1]/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data",
        "https://printer.local/",
        "https://somebody:password@other.example/",
        "https://other.example/ space",
        "https://other.example/\\..\\",
        "https://other.example:99999/",
        "ftp://other.example/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_flushall",
        "javascript:alert(1)",
        "=cmd()",
        "${jndi:ldap://other.example}",
        "https://",
    ],
)
async def test_addresses_that_messages_may_not_go_to_are_refused(shared: Client, url: str) -> None:
    answer = await shared.post("/api/webhooks", json=hook(url), headers=ADMINISTRATOR.headers)
    doors.refused(answer, 422, "url_unusable", "url")


async def test_a_name_that_leads_inside_when_it_is_asked_is_not_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for address, safe in (
        ("10.0.0.1", False), ("127.0.0.1", False), ("::1", False), ("fe80::1%eth0", False), ("fd00::1", False),
        ("::ffff:192.168.0.1", False), ("2002:7f00:1::", False), ("100.64.0.1", False), ("224.0.0.1", False),
        ("0.0.0.0", False), ("8.8.8.8", True), ("2001:4860:4860::8888", True),  # noqa: S104
    ):  # fmt: skip

        async def found(*_: object, address: str = address, **__: object) -> list[tuple[object, ...]]:
            return [(0, 0, 0, "", (address, 443)), (0, 0, 0, "", ("8.8.8.8", 443))]

        monkeypatch.setattr("asyncio.base_events.BaseEventLoop.getaddrinfo", found)
        if safe:
            assert await outgoing.found("other.example", 443, Settings()) == address
        else:
            with pytest.raises(UrlUnusable):
                await outgoing.found("other.example", 443, Settings())


async def test_a_webhook_that_was_allowed_is_judged_again_at_each_delivery(
    inside: Client, dsn: str, clock: TestClock, runner: Runner, receiver: Receiver
) -> None:
    made, _ = await make(inside, receiver)
    await report(inside, clock)
    assert await runner.run_everywhere(jobs.named("tell")) == ["done"]
    await Runner(dsn, clock, lambda: RING, Settings(database_url=dsn)).work_off()
    assert receiver.got == []
    (one,) = (await doors.read(inside, OPERATOR, f"/api/webhooks/{made}/deliveries"))["items"]
    assert (one["state"], one["error"]) == ("waiting", "address_inside")


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"events": ["erase_everything"]}, "unknown_event", "events"),
        ({"events": []}, "wrong_value", "events"),
        ({"secret": "mine"}, "unknown_field", "secret"),
        ({"url": "https://other.example/" + "x" * 3_000}, "wrong_value", "url"),
        ({"url": "https://other.example/\x00"}, "text_unusable", "url"),
    ],
)
async def test_webhooks_that_make_no_sense_are_refused(shared: Client, changed: Any, code: str, field: str) -> None:
    draft = hook("https://other.example/") | changed
    answer = await shared.post("/api/webhooks", json=draft, headers=ADMINISTRATOR.headers)
    doors.refused(answer, 422, code, field)


async def test_a_secret_is_shown_once_and_sealed(inside: Client, conn: asyncpg.Connection, receiver: Receiver) -> None:
    _, secret = await make(inside, receiver)
    assert secret.startswith("whsec_")
    listed = await inside.get("/api/webhooks", headers=ADMINISTRATOR.headers)
    assert secret not in listed.text
    kept = await conn.fetchval("select secret from webhook")
    assert secret.encode() not in kept
    told = msgspec.json.encode([dict(row) for row in await conn.fetch("select facts from history")]).decode()
    assert secret not in told
    assert "of-the-other-side" not in told
    ring = KeyRing(keys={**RING.keys, 2: b"2" * KEY_BYTES}, look_up_key=RING.look_up_key)
    assert (await resealing.reseal(conn, ring, DISTRICT))["webhook"] == 1

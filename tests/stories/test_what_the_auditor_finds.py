"""A day of requests: each is in the history, by who did it and whom it is about, and nothing of what was said."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from api import history_words, key_ring
from api.settings import Settings
from surveys import history_seals
from tests import doors, drafts, entrances
from tests.conftest import (
    ADMINISTRATOR,
    AUDITOR,
    DISTRICT,
    LEADER,
    MEMBER,
    STRANGER,
    WORKER,
    Client,
    TestClock,
    serving,
)

pytestmark = pytest.mark.anyio

PHONE = "13812341234"


@pytest.fixture
async def client(dsn: str, clock: TestClock, tmp_path: Path) -> AsyncIterator[Client]:
    """The program, with a folder of its own for its keys."""
    settings = Settings(database_url=dsn, pool_size=4, data=tmp_path / "data")
    key_ring.make_if_missing(settings)  # the journal of what was erased lies beside it
    async with serving(settings, clock) as opened:
        yield opened


async def found(client: Client, query: str) -> list[tuple[str, str | None, str | None]]:
    """Events, newest first: what, by whom, about whom or what."""
    answer = await client.get(f"/api/history?{query}", headers=AUDITOR.headers)
    assert answer.status_code == 200, answer.text
    return [
        (one["event"], one["actor"]["name"] or one["actor"]["id"], (one["subject"] or {}).get("name"))
        for one in answer.json()["items"]
    ]


async def asked(client: Client, path: str, body: Any, who: Any, status: int) -> Any:
    answer = await client.post(path, json=body, headers=who.headers)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_day_of_requests_is_in_the_history(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    # signing in, failing to, and out again
    await entrances.give_password(conn, LEADER)
    clock.forward(minutes=1)
    assert (await entrances.sign_in(client, LEADER, "一个错误的密码")).status_code == 401
    client.cookies.clear()
    assert (await entrances.sign_in(client, LEADER)).status_code == 303
    await entrances.post(client, "/sign-out")
    client.cookies.clear()
    clock.forward(minutes=1)
    access = await found(client, f"kind=access&about={LEADER.id}")
    assert {event for event, _, _ in access} == {"sign_in_failed", "signed_in", "signed_out"}
    assert ("signed_in", LEADER.name, LEADER.name) in access
    assert len(access) == 3, "each once"

    # a code for somebody who lost their access
    await asked(client, f"/api/members/{STRANGER.id}/one-time-codes", {"reason": "忘记密码"}, ADMINISTRATOR, 201)
    assert ("code_issued", ADMINISTRATOR.name, STRANGER.name) in await found(client, "event=code_issued")

    # a contact, shown for a purpose and looked for by its number
    contact = {"name": "张居民", "phone": PHONE}
    draft = drafts.visit(issues=[drafts.issue(title="门口垃圾成堆", contact=contact)])
    await doors.file(client, MEMBER, draft)
    issue = draft["issues"][0]["id"]
    await asked(client, f"/api/issues/{issue}/contact", {"purpose": "回访满意度"}, WORKER, 200)
    await asked(client, "/api/contacts/search", {"phone": PHONE}, WORKER, 200)
    assert {(event, by) for event, by, _ in await found(client, "kind=reveal")} == {
        ("shown", WORKER.name),
        ("searched", WORKER.name),
    }
    assert [event for event, _, _ in await found(client, f"thing={issue}&kind=reveal")] == ["shown"]

    # a file
    assert (await client.get("/api/issues.csv", headers=LEADER.headers)).status_code == 200
    assert [(event, by) for event, by, _ in await found(client, "kind=export")] == [("exported", LEADER.name)]

    # a role given
    change = {"id": str(uuid4()), "change": "give", "expected_version": 0, "role": "leader", "scope": ""}
    await asked(client, f"/api/members/{MEMBER.id}/changes", change, ADMINISTRATOR, 200)
    assert ("give", ADMINISTRATOR.name, MEMBER.name) in await found(client, "kind=member")

    # what a resident asked to be forgotten, and how long things are kept
    await asked(client, "/api/residents/erase", {"phone": PHONE, "purpose": "居民申请删除"}, ADMINISTRATOR, 200)
    assert [(event, by) for event, by, _ in await found(client, "kind=erasure")] == [("erased", ADMINISTRATOR.name)]
    await asked(client, "/api/retention", {"kind": "contacts", "days": 100}, ADMINISTRATOR, 200)
    assert ("retention_changed", ADMINISTRATOR.name, None) in await found(client, "event=retention_changed")

    # nothing of what was said but why a resident's data was wanted, and a word for everything
    clock.forward(minutes=1)
    told = await client.get("/api/history?limit=200", headers=AUDITOR.headers)
    file = await client.get("/api/history.csv", headers=AUDITOR.headers)
    for hidden in (PHONE, "张居民", "垃圾", "忘记密码", "一个错误的密码"):
        assert hidden not in told.text, hidden
    for hidden in (PHONE, "张居民", "垃圾", "回访满意度", "居民申请", "忘记密码", "一个错误的密码"):
        assert hidden not in file.text, hidden
    purposes = {one["purpose"]: (one["kind"], one["event"]) for one in told.json()["items"] if one["purpose"]}
    assert purposes == {"回访满意度": ("reveal", "shown"), "居民申请删除": ("erasure", "erased")}
    said = {f"{one['kind']}.{one['event']}" for one in told.json()["items"]}
    assert said - set(history_words.EVENTS) == set()
    assert len(said) > 12

    # and all of it holds, what was forgotten included
    async with conn.transaction():
        await history_seals.seal(conn, DISTRICT, clock.now)
    verified = await history_seals.verify(conn, DISTRICT)
    assert (verified.broken, verified.unsealed) == (None, 0)

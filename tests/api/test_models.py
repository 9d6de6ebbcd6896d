"""Models over HTTP: proposed by one, approved by another, on the public board until taken off."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from surveys.history import Actor
from surveys.volunteering import models, volunteer_changes
from surveys.volunteering.volunteer_changes import Consent
from tests.conftest import (
    ADMINISTRATOR,
    BESIDE,
    DISTRICT,
    MEMBER,
    NOW,
    ORGANISER,
    WORKER,
    Client,
    Person,
    TestClock,
    join,
    person,
)
from tests.surveys import deeds_at_hand

pytestmark = pytest.mark.anyio

SECOND = person("30", "卫管理", "administrator", "district", str(DISTRICT))
HOSTILE = "<img src=x onerror=alert(1)> ${7*7} =cmd()"


async def propose(client: Client, subject: str, about: UUID, who: Person = ORGANISER, **more: Any) -> Any:
    draft = {"id": str(uuid4()), "month": "2026-11", "subject": subject, "who": str(about), "text": "每周上门理发"}
    return await client.post("/api/models", json=draft | more, headers=who.headers)


async def decide(client: Client, model: str, decision: str, who: Person = ADMINISTRATOR, version: int = 1) -> Any:
    asked = {"id": str(uuid4()), "decision": decision, "expected_version": version}
    return await client.post(f"/api/models/{model}/decisions", json=asked, headers=who.headers)


async def on_board(conn: asyncpg.Connection) -> list[tuple[str, str, str]]:
    return sorted((one.subject, one.name, one.text) for one in await models.public(conn, DISTRICT))


async def test_a_model_is_on_the_board_from_its_approval_until_it_is_taken_off(
    client: Client, conn: asyncpg.Connection
) -> None:
    team = await deeds_at_hand.team(conn)
    made = (await propose(client, "team", team, text=HOSTILE)).json()
    assert await on_board(conn) == []
    assert (await decide(client, made["id"], "approve")).json() == {"id": made["id"], "version": 2}
    assert await on_board(conn) == [("team", "合唱队", HOSTILE)]
    late = await decide(client, made["id"], "decline", version=2)
    assert (late.status_code, late.json()["code"], late.json()["facts"]["state"]) == (409, "model_decided", "approved")
    assert (await decide(client, made["id"], "take_off", version=1)).json()["code"] == "stale_version"
    assert (await decide(client, made["id"], "take_off", version=2)).status_code == 200
    assert await on_board(conn) == []
    (listed,) = (await client.get("/api/models", headers=WORKER.headers)).json()["items"]
    assert (listed["state"], listed["decided_by"], listed["own"]) == ("taken_off", ADMINISTRATOR.name, False)
    events = await conn.fetch("select event, facts from history where thing = $1 order by version", UUID(made["id"]))
    assert [one["event"] for one in events] == ["propose_model", "approve_model", "take_off_model"]
    assert not any(HOSTILE in str(one["facts"]) for one in events)


async def test_nobody_approves_what_they_proposed(client: Client, conn: asyncpg.Connection) -> None:
    await join(conn, DISTRICT, SECOND, NOW)
    made = (await propose(client, "organisation", BESIDE, ADMINISTRATOR)).json()
    own = await decide(client, made["id"], "approve")
    assert (own.status_code, own.json()["code"]) == (403, "proposed_it_yourself")
    assert (await decide(client, made["id"], "approve", SECOND)).status_code == 200
    assert await on_board(conn) == [("organisation", "第二支部", "每周上门理发")]


async def test_a_volunteer_is_an_example_for_as_long_as_their_name_is_public(
    client: Client, conn: asyncpg.Connection
) -> None:
    quiet = await deeds_at_hand.volunteer(conn, "V000001", member=WORKER.id)
    named = await deeds_at_hand.volunteer(conn, "V000002", member=MEMBER.id, public=True)
    refused = await propose(client, "volunteer", quiet)
    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (409, "name_not_public", "who")
    made = (await propose(client, "volunteer", named)).json()
    await decide(client, made["id"], "approve")
    assert await on_board(conn) == [("volunteer", MEMBER.name, "每周上门理发")]
    by = Actor("member", str(MEMBER.id))
    await volunteer_changes.consent(conn, DISTRICT, named, Consent(id=uuid4(), name_public=False), by, NOW)
    assert await on_board(conn) == []


async def test_a_leader_of_a_team_proposes_and_a_member_does_not(client: Client, conn: asyncpg.Connection) -> None:
    team = await deeds_at_hand.team(conn)
    leader = await deeds_at_hand.volunteer(conn, "V000001", member=MEMBER.id)
    assert (await propose(client, "team", team, MEMBER)).status_code == 403
    await conn.execute("update volunteer_team set leader = $1", leader)
    assert (await propose(client, "team", team, MEMBER)).status_code == 201


async def test_a_proposal_that_cannot_be_is_refused_with_its_field(
    client: Client, clock: TestClock, conn: asyncpg.Connection
) -> None:
    refused = [
        await propose(client, "member", uuid4()),
        await propose(client, "member", MEMBER.id, month="2026-12"),
        await propose(client, "member", MEMBER.id, text="  "),
        await propose(client, "member", MEMBER.id, text="很" * 2_001),
        await propose(client, "resident", MEMBER.id),
    ]
    told = [(one.status_code, one.json()["field"]) for one in refused]
    assert told == [(422, "who"), (422, "month"), (422, "text"), (422, "text"), (422, "subject")]
    draft: dict[str, Any] = {"id": str(uuid4())}
    first, again = [await propose(client, "member", MEMBER.id, **draft) for _ in range(2)]
    assert (first.json(), again.status_code) == (again.json(), 201)
    other = await propose(client, "member", MEMBER.id, text="另一段", **draft)
    assert (other.status_code, other.json()["code"]) == (409, "id_taken")

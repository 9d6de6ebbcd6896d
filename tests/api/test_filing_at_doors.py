"""Filing at a door: one that the register has, one that it does not, another's, and what was written on paper there."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from surveys.history import bytea
from surveys.premises import premises
from surveys.premises.premises import PremisesRow
from tests import doors, drafts
from tests.conftest import (
    DISTRICT,
    LEADER,
    MEMBER,
    NEAR,
    NOW,
    ORGANISATION,
    STRANGER,
    WORKER,
    Client,
    Person,
)
from tests.doors import file

pytestmark = pytest.mark.anyio

CAMPAIGN = "春季走访"
RECORD = """
insert into premises select * from json_populate_recordset(null::premises, $1)
"""


async def found_campaign(conn: asyncpg.Connection, *, starts_in_days: int = -30) -> None:
    starts_at = NOW + timedelta(days=starts_in_days)
    await conn.execute(
        "insert into campaign (district, id, name, starts_at, ends_at, kinds) values ($1, $2, $2, $3, $4, '{shop}')",
        DISTRICT,
        CAMPAIGN,
        starts_at,
        starts_at + timedelta(days=90),
    )


async def on_register(conn: asyncpg.Connection, *, state: str = "confirmed", holder: Person | None = None) -> str:
    """A shop that the register has, and who is to visit it."""
    door = uuid4()
    row: dict[str, Any] = {
        "district": DISTRICT,
        "id": door,
        "version": 1,
        "kind": "shop",
        "state": state,
        "source": "import",
        "alike": bytea(premises.alike("shop", "老王面馆", "淮河路 1 号")),
        "certainty": "unplaced",
        "community": NEAR,
        "text_version": 1,
        "recorded_at": NOW,
    }
    await conn.execute(RECORD, [row])
    if holder is not None:
        await conn.execute(
            "insert into assignment (district, campaign, premises, organisation, member, place, means, assigned_at)"
            " values ($1, $2, $3, $4, $5, 1, 'hand', $6)",
            DISTRICT,
            CAMPAIGN,
            door,
            ORGANISATION,
            holder.id,
            NOW,
        )
    return str(door)


def at(door: str, **changes: Any) -> drafts.Draft:
    shop = {"id": door, "kind": "shop", "name": "老王面馆", "address": "淮河路 1 号"}
    return drafts.visit(premises=shop, campaign=CAMPAIGN) | changes


async def test_a_door_that_the_register_does_not_have_is_proposed(client: Client, conn: asyncpg.Connection) -> None:
    await found_campaign(conn)
    door = str(uuid4())
    assert (await file(client, MEMBER, at(door)))["flags"] == []
    await file(client, STRANGER, at(door))
    rows = await conn.fetch(f"select {premises.ROW} from premises where district = $1", DISTRICT)
    assert len(rows) == 1, "the second visit found it there"
    row = PremisesRow(**rows[0])
    assert (row.id, row.state, row.source, row.found_by) == (UUID(door), "proposed", "visit", MEMBER.id)
    assert (row.community, row.certainty, row.position_system) == (NEAR, "inside", "wgs84")
    text = await conn.fetchval(
        "select body from text_version where district = $1 and subject = $2", DISTRICT, UUID(door)
    )
    assert text == {"name": "老王面馆", "address": "淮河路 1 号"}
    [event] = await conn.fetch("select event, actor, facts from history where kind = 'premises'")
    assert (event["event"], event["actor"]) == ("find", str(MEMBER.id))
    assert "老王面馆" not in str(event["facts"]), "the history holds no texts"


async def test_one_door_found_twice_in_a_backlog_is_one_door(client: Client, conn: asyncpg.Connection) -> None:
    await found_campaign(conn)
    door = str(uuid4())
    backlog = [at(door), at(door)]
    results = await doors.file_all(client, MEMBER, backlog)
    assert [result["status"] for result in results] == ["filed", "filed"]
    await doors.file_all(client, MEMBER, backlog)
    assert await conn.fetchval("select count(*) from premises") == 1
    assert await conn.fetchval("select count(*) from history where kind = 'premises'") == 1


async def test_anothers_door_is_filed_and_flagged_unless_they_came_along(
    client: Client, conn: asyncpg.Connection
) -> None:
    await found_campaign(conn)
    door = await on_register(conn, holder=MEMBER)
    assert (await file(client, MEMBER, at(door)))["flags"] == []
    assert (await file(client, STRANGER, at(door)))["flags"] == ["door_of_another"]
    assert (await file(client, STRANGER, at(door, companions=[str(MEMBER.id)])))["flags"] == []


async def test_what_does_not_fit_a_campaign_is_filed_and_flagged(client: Client, conn: asyncpg.Connection) -> None:
    await found_campaign(conn, starts_in_days=5)
    door = await on_register(conn, state="gone")
    household = {"id": door, "kind": "household", "name": "2 单元 301", "address": ""}
    receipt = await file(client, MEMBER, at(door, premises=household))
    assert receipt["flags"] == ["campaign_not_begun", "campaign_other_kind", "door_gone"]


async def test_answers_to_a_version_that_nobody_published_are_kept_and_flagged(
    client: Client, conn: asyncpg.Connection
) -> None:
    answers = {"questionnaire": "street_shop", "version": "9", "values": {"staff": 3}}
    receipt = await file(client, MEMBER, drafts.visit(answers=answers))
    assert receipt["flags"] == ["questionnaire_unknown"]
    row = await conn.fetchrow("select questionnaire, questionnaire_version from visit")
    assert row is not None
    assert tuple(row) == ("street_shop", "9")


async def test_a_worker_types_in_a_members_paper_record(client: Client, conn: asyncpg.Connection) -> None:
    paper = drafts.visit(via="paper", visited_by=str(MEMBER.id), issues=[drafts.solved()])
    receipt = await file(client, WORKER, paper)
    assert receipt["issues"][0]["owner"] == {"id": str(MEMBER.id), "name": MEMBER.name}
    assert await file(client, WORKER, paper, status=200) == receipt | {"status": "already_filed"}
    row = await conn.fetchrow("select member, organisation, entered_by, via from visit")
    assert row is not None
    assert tuple(row) == (MEMBER.id, MEMBER.organisation, WORKER.id, "paper")
    actor = await conn.fetchval("select actor from history where kind = 'visit'")
    assert actor == str(WORKER.id), "who typed it answers for what was typed"
    found = await client.post("/api/receipts", json={"ids": [paper["id"]]}, headers=WORKER.headers)
    assert found.json()["results"][0]["status"] == "filed"


@pytest.mark.parametrize(
    ("who", "changes", "status", "code"),
    [
        (MEMBER, {"via": "paper", "visited_by": str(STRANGER.id)}, 403, "not_allowed"),
        (WORKER, {"via": "phone", "visited_by": str(STRANGER.id)}, 422, "paper_only"),
        (WORKER, {"via": "paper", "visited_by": str(uuid4())}, 422, "unknown_member"),
        (LEADER, {"via": "paper", "visited_by": str(STRANGER.id)}, 403, "not_allowed"),
    ],
    ids=["a member for another", "not on paper", "of nobody", "a leader, who only reads"],
)
async def test_nobody_else_files_for_others(
    client: Client, conn: asyncpg.Connection, who: Person, changes: drafts.Draft, status: int, code: str
) -> None:
    before = await doors.written(conn)
    answer = await file(client, who, drafts.visit(**changes), status=status)
    assert answer["code"] == code
    assert await doors.written(conn) == before

"""A phone asks what the server has: it is told of its own member's visits, and of nobody else's."""

from uuid import uuid4

import asyncpg
import pytest

from tests import doors, drafts
from tests.conftest import LEADER, MEMBER, STRANGER, Client, Person
from tests.doors import Answer, file

pytestmark = pytest.mark.anyio

PHOTOS = [{"sha256": "ab" * 32, "bytes": 12}, {"sha256": "01" * 32, "bytes": 7}]


async def ask(client: Client, who: Person, ids: list[str]) -> list[Answer]:
    response = await client.post("/api/receipts", json={"ids": ids}, headers=who.headers)
    results: list[Answer] = doors.answered(response, 200)["results"]
    return results


async def test_what_is_filed_and_what_is_not_in_the_order_asked(client: Client) -> None:
    filed, never = drafts.visit(issues=[drafts.issue()]), str(uuid4())
    receipt = await file(client, MEMBER, filed)
    answers = await ask(client, MEMBER, [never, filed["id"], never, filed["id"]])
    assert [answer["id"] for answer in answers] == [never, filed["id"], never, filed["id"]]
    assert [answer["status"] for answer in answers] == ["unknown", "filed", "unknown", "filed"]
    assert answers[0]["receipt"] is None
    assert answers[1]["receipt"] == receipt | {"status": "already_filed"}


@pytest.mark.parametrize("who", [STRANGER, LEADER], ids=["stranger", "leader"])
async def test_of_another_s_visit_nothing_is_told(client: Client, who: Person) -> None:
    visit = drafts.visit()
    await file(client, MEMBER, visit)
    known, never = await ask(client, who, [visit["id"], str(uuid4())])
    assert known | {"id": ""} == never | {"id": ""}


async def test_photos_that_were_promised_and_have_not_come(client: Client, conn: asyncpg.Connection) -> None:
    visit = drafts.visit(issues=[drafts.issue(photos=PHOTOS), drafts.issue()])
    await file(client, MEMBER, visit)
    (answer,) = await ask(client, MEMBER, [visit["id"]])
    assert answer["missing_photos"] == ["01" * 32, "ab" * 32]
    await conn.execute("update issue_photo set received_at = '2026-11-23' where bytes = 12")
    (answer,) = await ask(client, MEMBER, [visit["id"]])
    assert answer["missing_photos"] == ["01" * 32]


async def test_five_hundred_may_be_asked_for_and_no_more(client: Client) -> None:
    assert await ask(client, MEMBER, []) == []
    assert len(await ask(client, MEMBER, [str(uuid4()) for _ in range(500)])) == 500
    body = {"ids": [str(uuid4()) for _ in range(501)]}
    doors.refused(await client.post("/api/receipts", json=body, headers=MEMBER.headers), 422, "wrong_value", "ids")


async def test_what_a_batch_refused_was_not_filed(client: Client) -> None:
    good, bad = drafts.visit(), drafts.visit(community="nowhere")
    await doors.file_all(client, MEMBER, [good, bad])
    assert [answer["status"] for answer in await ask(client, MEMBER, [good["id"], bad["id"]])] == ["filed", "unknown"]

"""Flags of visits: what was not in order waits at the desk until somebody says what they found."""

from uuid import uuid4

import asyncpg
import pytest

from tests import doors, drafts
from tests.conftest import LEADER, MEMBER, OTHER_WORKER, WORKER, Client

pytestmark = pytest.mark.anyio


async def test_a_flag_is_settled_once_with_what_was_found(client: Client, conn: asyncpg.Connection) -> None:
    draft = drafts.visit(contact_card="EQ-000123-K")
    await doors.file(client, MEMBER, draft)
    path = f"/api/visits/{draft['id']}/flags"
    body = {"id": str(uuid4()), "flags": ["card_unknown"], "reason": "卡号抄错，已换新卡"}
    for who, status in ((MEMBER, 403), (LEADER, 403), (OTHER_WORKER, 404)):
        doors.answered(await client.post(path, json=body, headers=who.headers), status)
    blank = await client.post(path, json=body | {"reason": "  "}, headers=WORKER.headers)
    doors.refused(blank, 422, "missing", "reason")
    done = doors.answered(await client.post(path, json=body, headers=WORKER.headers), 200)
    assert done["flags"][0]["settled_at"] is not None
    assert doors.answered(await client.post(path, json=body, headers=WORKER.headers), 200) == done  # sent again
    other = body | {"id": str(uuid4())}
    doors.refused(await client.post(path, json=other, headers=WORKER.headers), 409, "nothing_changes")
    assert (await doors.read(client, WORKER, "/api/visits", unsettled="yes"))["total"] == 0
    facts = await conn.fetchval("select facts from history where event = 'settle_flags'")
    assert (facts["flags"], facts["about"]) == (["card_unknown"], draft["id"])
    assert "抄错" not in str(facts)
    page = await client.get(f"/desk/visits/{draft['id']}", headers=WORKER.headers)
    assert "卡号抄错，已换新卡" in page.text

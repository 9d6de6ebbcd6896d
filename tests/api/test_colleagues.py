"""Whom a visit may name: a member finds their own organisation's people, the desk those of the whole district."""

from typing import Any

import asyncpg
import pytest

from tests import doors, drafts
from tests.conftest import AUDITOR, DISTRICT, MEMBER, MEMBER_BESIDE, NOW, STRANGER, WORKER, Client, Person

pytestmark = pytest.mark.anyio


async def names(client: Client, who: Person, text: str, **params: Any) -> list[str]:
    found = await doors.read(client, who, "/api/colleagues", text=text, **params)
    assert all(set(one) == {"id", "number", "name", "organisation"} for one in found["items"])
    return [one["name"] for one in found["items"]]


async def test_a_member_finds_those_of_their_own_organisation(client: Client, conn: asyncpg.Connection) -> None:
    assert await names(client, MEMBER, STRANGER.name[:2]) == [STRANGER.name]
    assert await names(client, MEMBER, STRANGER.number)
    assert await names(client, MEMBER, MEMBER.name) == [], "nobody comes along with themselves"
    assert await names(client, MEMBER, MEMBER_BESIDE.name) == []
    await conn.execute("update member set closed_at = $3 where (district, id) = ($1, $2)", DISTRICT, STRANGER.id, NOW)
    assert await names(client, MEMBER, STRANGER.name) == [], "who has left comes along no more"


async def test_a_desk_finds_whoever_made_the_visit_on_paper(client: Client) -> None:
    assert await names(client, WORKER, MEMBER_BESIDE.name, all=True) == [MEMBER_BESIDE.name]
    await doors.read(client, MEMBER, "/api/colleagues", text=MEMBER_BESIDE.name, all=True, status=403)
    await doors.file(client, WORKER, drafts.visit(via="paper", visited_by=str(MEMBER_BESIDE.id)))


async def test_the_account_page_leads_a_desk_to_the_form_for_paper(client: Client) -> None:
    for who, leads in ((WORKER, True), (MEMBER, False)):
        page = await client.get("/account", headers=who.headers)
        assert page.status_code == 200
        assert ("/phone/#/paper" in page.text) is leads


@pytest.mark.parametrize("text", ["%", "_", "<img src=x onerror=alert(1)>", "' or 1=1 --", "\\"])
async def test_what_is_looked_for_is_a_text_and_nothing_else(client: Client, text: str) -> None:
    assert await names(client, MEMBER, text) == []


@pytest.mark.parametrize("text", ["", " ", "王" * 51, "王\x00"])
async def test_what_nobody_can_be_called_is_refused(client: Client, text: str) -> None:
    response = await client.get("/api/colleagues", params={"text": text}, headers=MEMBER.headers)
    doors.refused(response, 422, "invalid_filter", "text")


async def test_who_reads_no_visit_names_nobody(client: Client) -> None:
    await doors.read(client, AUDITOR, "/api/colleagues", text="王", status=403)

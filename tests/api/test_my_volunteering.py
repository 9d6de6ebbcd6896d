"""A volunteer's own page: by a session or a personal link, and by nothing else."""

from uuid import uuid4

import asyncpg
import pytest

from surveys.history import Actor
from surveys.people.people import Grant, Reader
from surveys.volunteering import volunteer_passes, volunteers
from surveys.volunteering.volunteer_passes import PassDraft
from surveys.volunteering.volunteers import Draft, Registered
from tests.conftest import DISTRICT, MEMBER, NOW, ORGANISATION, RING, WORKER, Client, Person, TestClock

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}
PAGE = "/volunteering/me"


def reader(one: Person) -> Reader:
    grants = (Grant("member", "own", ""),)
    return Reader(district=DISTRICT, member=one.id, name=one.name, organisation=ORGANISATION, grants=grants)


async def register(conn: asyncpg.Connection, **told: object) -> Registered:
    draft = Draft(id=uuid4(), **told)  # type: ignore[arg-type]
    return await volunteers.register(conn, RING, DISTRICT, draft, Actor("member", str(WORKER.id)), NOW)


async def link(conn: asyncpg.Connection, one: Registered) -> str:
    made = await volunteer_passes.make(conn, reader(WORKER), one.id, PassDraft(id=uuid4()), NOW)
    return f"{DISTRICT}.{made.token}"


async def test_a_personal_link_opens_its_volunteer_s_page_for_a_day_and_no_other_door(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    auntie = await register(conn, name="王<b>阿姨</b>")
    token = await link(conn, auntie)
    assert "请打开您的个人链接" in (await client.get(PAGE)).text
    shown = await client.post(f"{PAGE}/session", json={"token": token})
    assert shown.status_code == 204
    cookie = shown.headers["set-cookie"]
    assert "Path=/volunteering" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    page = (await client.get(PAGE)).text
    assert "王&lt;b&gt;阿姨&lt;/b&gt;" in page
    assert auntie.number in page
    assert (await client.get("/desk/", follow_redirects=False)).status_code != 200
    clock.forward(hours=25)
    assert "请打开您的个人链接" in (await client.get(PAGE)).text


async def test_another_link_ends_the_one_before_and_what_was_shown_by_it(
    client: Client, conn: asyncpg.Connection
) -> None:
    auntie = await register(conn, name="王阿姨")
    first = await link(conn, auntie)
    await client.post(f"{PAGE}/session", json={"token": first})
    second = await link(conn, auntie)
    assert auntie.number not in (await client.get(PAGE)).text
    refused = await client.post(f"{PAGE}/session", json={"token": first})
    assert (refused.status_code, refused.json()["code"]) == (422, "pass_wrong")
    assert (await client.post(f"{PAGE}/session", json={"token": second})).status_code == 204
    assert auntie.number in (await client.get(PAGE)).text
    assert await conn.fetchval("select count(*) from volunteer_pass where revoked_at is null") == 1
    kept = await conn.fetch("select digest::text from volunteer_pass")
    assert not any(token.split(".")[1] in row["digest"] for row in kept for token in (first, second))


@pytest.mark.parametrize("token", ["", "x", "410103.", "99999999999.x", f"{DISTRICT}.{'a' * 22}", "-1.a", "٤.a"])
async def test_what_is_no_link_opens_nothing(client: Client, token: str) -> None:
    assert (await client.post(f"{PAGE}/session", json={"token": token})).status_code == 422


async def test_another_site_s_form_shows_no_link_and_changes_nothing(client: Client, conn: asyncpg.Connection) -> None:
    token = await link(conn, await register(conn, name="王阿姨"))
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert (await client.post(f"{PAGE}/session", json={"token": token}, headers=foreign)).status_code == 403
    await client.post(f"{PAGE}/session", json={"token": token})
    assert (await client.post(f"{PAGE}/leave", json={})).status_code == 403, "without the page's own token"


async def test_a_member_is_who_signed_in_whatever_link_they_showed(client: Client, conn: asyncpg.Connection) -> None:
    auntie, member = await register(conn, name="王阿姨"), await register(conn, member=MEMBER.number)
    await client.post(f"{PAGE}/session", json={"token": await link(conn, auntie)})
    page = (await client.get(PAGE, headers=MEMBER.headers)).text
    assert member.number in page
    assert auntie.number not in page
    begins = (await client.get(PAGE, headers=WORKER.headers)).text
    assert "您还没有登记为志愿者" in begins


async def test_a_member_needs_no_link(conn: asyncpg.Connection) -> None:
    with pytest.raises(volunteer_passes.HasAnAccount):
        await link(conn, await register(conn, member=MEMBER.number))

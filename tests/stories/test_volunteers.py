"""The life of a volunteer: taken into a team, joining another on a past day, asked for by phone, and ended; afterwards
nothing of their name or phone is left in the database, nor comes back with a backup from before."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from api import erasure_journal
from api.settings import Settings
from surveys.privacy import erasures
from surveys.volunteering import endings
from tests.conftest import (
    ADMINISTRATOR,
    MEMBER,
    NEAR,
    ORGANISATION,
    ORGANISER,
    OTHER_WORKER,
    RING,
    STRANGER,
    WORKER,
    Client,
    Person,
    TestClock,
    serving,
)

pytestmark = pytest.mark.anyio

NAME, PHONE, PURPOSE = "欧阳秀英", "12012341234", "通知欧阳秀英周六活动"


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Settings:
    (tmp_path / "keys").mkdir()
    keys = tmp_path / "keys" / "keys.json"
    return Settings(database_url=dsn, pool_size=4, data=tmp_path / "data", keys=keys, public_url="https://zf.example")


@pytest.fixture
async def client(settings: Settings, clock: TestClock) -> AsyncIterator[Client]:
    async with serving(settings, clock) as opened:
        yield opened


async def ask(client: Client, who: Person, path: str, *, status: int = 200, **body: Any) -> Any:
    """Send what somebody asks for, with an id of its own unless one is given."""
    answer = await client.post(f"/api/volunteering{path}", json={"id": str(uuid4()), **body}, headers=who.headers)
    assert answer.status_code == status, answer.text
    return answer.json()


async def look(client: Client, who: Person, path: str, status: int = 200) -> Any:
    answer = await client.get(f"/api/volunteering{path}", headers=who.headers)
    assert answer.status_code == status, answer.text
    return answer.json()


async def dumped(conn: asyncpg.Connection) -> bytes:
    """Every row of every table, as text."""
    tables = await conn.fetch(
        "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
    )
    rows = [await conn.fetch(f"select t::text as row from {table['relname']} t") for table in tables]
    return "\n".join(row["row"] for found in rows for row in found).encode()


def forms(text: str) -> Iterator[bytes]:
    """How a text can stand there, and the digests by which it could be guessed."""
    yield text.encode()
    yield text.encode().hex().encode()
    yield hashlib.sha256(text.encode()).hexdigest().encode()


async def test_a_volunteer_joins_serves_and_ends_it(
    client: Client, conn: asyncpg.Connection, settings: Settings, clock: TestClock
) -> None:
    team = (await ask(client, ORGANISER, "/teams", status=201, name="近邻互助队", kind="neighbours",
                      organisation=str(ORGANISATION), communities=[NEAR]))["id"]  # fmt: skip
    await ask(client, ORGANISER, f"/teams/{team}/joinings", status=201, member=MEMBER.number)
    [leader] = (await look(client, ORGANISER, f"/teams/{team}/volunteers"))["items"]
    await ask(client, ORGANISER, f"/teams/{team}/changes", expected_version=1, leader=leader["id"])
    draft = {"id": str(uuid4()), "name": NAME, "phone": PHONE, "team": team, "skills": ["理发"],
             "hours": ["6 09:00-11:30"], "name_public": True}  # fmt: skip
    first = await ask(client, MEMBER, "/volunteers", status=201, **draft)
    assert await ask(client, MEMBER, "/volunteers", status=201, **draft) == first, "sent twice, taken in once"
    one = first["id"]
    known = await ask(client, MEMBER, "/volunteers", status=409, name=NAME, phone=f"+86 {PHONE}", team=team)
    assert first["number"] in known["title"]
    choir = (await ask(client, WORKER, "/teams", status=201, name="文艺队", kind="arts",
                       organisation=str(ORGANISATION), communities=[NEAR]))["id"]  # fmt: skip
    await ask(client, WORKER, f"/teams/{choir}/joinings", status=201, volunteer=one, on="2026-11-02")
    await ask(client, WORKER, f"/teams/{choir}/leavings", volunteer=one, on="2026-11-09")
    then = await look(client, WORKER, f"/teams/{choir}/volunteers?as_of=2026-11-09")
    assert [item["name"] for item in then["items"]] == []
    then = await look(client, WORKER, f"/teams/{choir}/volunteers?as_of=2026-11-08")
    assert [item["name"] for item in then["items"]] == [NAME]
    [skill] = (await look(client, STRANGER, "/skills"))["items"]
    able = f"/teams/{team}/volunteers?skill={skill['id']}&free_at=2026-11-28T10:00:00%2B08:00"
    assert [item["phone"] for item in (await look(client, MEMBER, able))["items"]] == ["120****1234"]
    for who in (STRANGER, OTHER_WORKER):
        await look(client, who, f"/teams/{team}/volunteers", status=403)
        refused = await client.post(
            f"/api/volunteering/volunteers/{one}/phone", json={"purpose": "看看"}, headers=who.headers
        )
        assert refused.status_code == (403 if who is STRANGER else 404)
    shown = await client.post(
        f"/api/volunteering/volunteers/{one}/phone", json={"purpose": PURPOSE}, headers=MEMBER.headers
    )
    assert shown.json() == {"phone": PHONE}
    link = (await ask(client, MEMBER, f"/volunteers/{one}/link", status=201))["link"]
    await client.post("/volunteering/me/session", json={"token": link.partition("#")[2]})
    record = (await client.get("/volunteering/me/record")).json()
    assert (record["name"], record["phone"]) == (NAME, PHONE)
    assert [(seen["by"], seen["purpose"]) for seen in record["looks"]] == [(MEMBER.name, PURPOSE)]

    before = await dumped(conn)
    assert NAME.encode() in before
    assert RING.look_up(PHONE).hex().encode() in before
    backup = await conn.fetch("select * from sealed_field"), await conn.fetch("select * from text_version")
    clock.forward(hours=1)
    await ask(client, MEMBER, f"/volunteers/{one}/ending", status=422, sure=False)
    ended = await ask(client, MEMBER, f"/volunteers/{one}/ending", sure=True)
    assert ended["number"] == first["number"]
    await nothing_is_left(conn, first["number"])
    assert (await client.get("/volunteering/me/record")).status_code == 401, "the link opens nothing any more"
    assert [item["id"] for item in (await look(client, MEMBER, f"/teams/{team}/volunteers"))["items"]] == [leader["id"]]

    for row in backup[0]:
        await conn.execute("update sealed_field set sealed = $2, look_up = $3, erased_at = null where subject = $1",
                           row["subject"], row["sealed"], row["look_up"])  # fmt: skip
    for row in backup[1]:
        await conn.execute("update text_version set body = $3, salt = $4, erased_at = null"
                           " where subject = $1 and version = $2", row["subject"], row["version"], row["body"],
                           row["salt"])  # fmt: skip
    await conn.execute("update volunteer set ended_at = null where id = $1", one)
    entries = erasure_journal.read(settings)
    async with conn.transaction():
        await erasures.replay(conn, entries, clock())
        assert await endings.end_again(conn, entries, clock()) == 1
    await nothing_is_left(conn, first["number"])


async def nothing_is_left(conn: asyncpg.Connection, number: str) -> None:
    """Only the number of a volunteer is in the database, and neither their name nor their phone in any form."""
    left = await dumped(conn)
    assert number.encode() in left
    needles = {form for text in (NAME, PHONE, f"+86 {PHONE}", PURPOSE) for form in forms(text)}
    assert not [needle for needle in needles | {RING.look_up(PHONE).hex().encode()} if needle in left]


async def test_nothing_is_ended_while_the_journal_cannot_be_written(client: Client, settings: Settings) -> None:
    one = (await ask(client, ADMINISTRATOR, "/volunteers", status=201, name=NAME, phone=PHONE))["id"]
    erasure_journal.path(settings).mkdir()
    refused = await ask(client, ADMINISTRATOR, f"/volunteers/{one}/ending", status=503, sure=True)
    assert refused["code"] == "journal_unwritable"
    assert (await look(client, ADMINISTRATOR, f"/volunteers/{one}"))["name"] == NAME


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "王", "hours": ["8 09:00-10:00"]}, "hours[0]"),
        ({"name": "王", "hours": ["1 12:00-09:00"]}, "hours"),
        ({"name": "王", "phone": "12"}, "phone"),
        ({"name": "王" * 101}, "name"),
        ({"name": "王", "community": "nowhere"}, "community"),
        ({"name": "王", "age": 70}, "age"),
        ({"member": "999"}, "member"),
        ({"name": "王", "skills": ["x" * 41]}, "skills[0]"),
        ({}, "name"),
    ],
)
async def test_what_cannot_be_used_names_its_field(client: Client, body: dict[str, Any], field: str) -> None:
    assert (await ask(client, ADMINISTRATOR, "/volunteers", status=422, **body))["field"] == field


async def test_texts_do_nothing_and_too_long_ones_are_refused(client: Client) -> None:
    for name in ("<img src=x onerror=alert(1)>", "${7*7}", "=cmd()", "'; drop table volunteer;--"):
        one = (await ask(client, ADMINISTRATOR, "/volunteers", status=201, name=name))["id"]
        assert (await look(client, ADMINISTRATOR, f"/volunteers/{one}"))["name"] == name
    huge = {"id": str(uuid4()), "name": "长" * 4_000_000}
    answer = await client.post("/api/volunteering/volunteers", json=huge, headers=ADMINISTRATOR.headers)
    assert answer.status_code == 413

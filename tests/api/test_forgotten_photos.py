"""Photos are forgotten where the texts go: their contents too, when nothing else names them; the history keeps the
hashes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from api import erasure_journal, jobs
from api.attachment_store import Store
from api.jobs import Work
from api.settings import Settings
from surveys import history_seals
from surveys.privacy import erasures
from tests import doors, drafts, photographs
from tests.conftest import ADMINISTRATOR, DISTRICT, MEMBER, RING, WORKER, Client, TestClock, serving
from tests.photographs import photo, promised, sha256

pytestmark = pytest.mark.anyio

PHONE = "13812341234"
SHARED, OWN, LATER, DOOR = (photo(shade=shade, exif=photographs.exif()) for shade in (0, 60, 120, 180))


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Settings:
    (tmp_path / "keys").mkdir()
    return Settings(database_url=dsn, pool_size=4, data=tmp_path / "data", keys=tmp_path / "keys" / "keys.json")


@pytest.fixture
async def client(settings: Settings, clock: TestClock) -> AsyncIterator[Client]:
    async with serving(settings, clock) as opened:
        yield opened


class Lived:
    """A resident's issue with two photos come and one to come, its visit with one, and a neighbour's issue that shares
    a photo with the first."""

    visit: str
    issue: str
    neighbour: str


async def send(client: Client, thing: str, content: bytes, status: int = 201) -> Any:
    answer = await client.put(f"/api/{thing}/photos/{sha256(content)}", content=content, headers=MEMBER.headers)
    return doors.answered(answer, status)


async def lived(client: Client) -> Lived:
    issue = drafts.issue(contact={"phone": PHONE}, photos=[promised(one) for one in (SHARED, OWN, LATER)])
    visit = drafts.visit(issues=[issue], photos=[promised(DOOR)])
    other = drafts.issue(title="路灯不亮", photos=[promised(SHARED)])
    for draft in (visit, drafts.visit(issues=[other])):
        await doors.file(client, MEMBER, draft)
    told = Lived()
    told.visit, told.issue, told.neighbour = visit["id"], issue["id"], other["id"]
    for thing, content in (
        (f"issues/{told.issue}", SHARED),
        (f"issues/{told.issue}", OWN),
        (f"visits/{told.visit}", DOOR),
        (f"issues/{told.neighbour}", SHARED),
    ):
        await send(client, thing, content)
    return told


async def erase(client: Client, **more: Any) -> Any:
    body = {"phone": PHONE, "purpose": "居民本人申请"} | more
    return doors.answered(await client.post("/api/residents/erase", json=body, headers=ADMINISTRATOR.headers), 200)


async def seen(client: Client, thing: str) -> list[str]:
    items = (await doors.read(client, WORKER, f"/api/{thing}/photos"))["items"]
    return [item["sha256"] for item in items]


def lying(settings: Settings) -> int:
    """How many photos lie in the folder, beside their thumbnails."""
    names = [path.name for path in (settings.data / "attachments").rglob("*") if path.is_file()]
    photos = [name for name in names if not name.endswith("-thumbnail")]
    assert len(names) == 2 * len(photos)
    return len(photos)


async def turn(conn: asyncpg.Connection, settings: Settings, clock: TestClock, job: Any) -> Any:
    async with conn.transaction():
        return await job(conn, Work(district=DISTRICT, now=clock(), ring=RING, settings=settings))


async def test_a_resident_is_told_of_their_photos(client: Client) -> None:
    told = await lived(client)
    body = {"phone": PHONE, "purpose": "居民本人申请"}
    record = doors.answered(await client.post("/api/residents/export", json=body, headers=ADMINISTRATOR.headers), 200)
    [issue], [visit] = record["issues"], record["visits"]
    assert {one["photo"]["sha256"] for one in issue["photos"]} == {sha256(SHARED), sha256(OWN)}
    assert issue["photos"][0]["photo"]["lon"] == pytest.approx(photographs.LON)
    for one in [*issue["photos"], *visit["photos"]]:
        assert (await client.get(one["address"], headers=ADMINISTRATOR.headers)).status_code == 200
    text = await client.post("/api/residents/export", json=body | {"format": "text"}, headers=ADMINISTRATOR.headers)
    assert f"/api/issues/{told.issue}/photos/{sha256(OWN)}" in text.text
    assert f"/api/visits/{told.visit}/photos/{sha256(DOOR)}" in text.text


async def test_without_the_texts_the_photos_stay(client: Client, settings: Settings) -> None:
    told = await lived(client)
    assert (await erase(client))["photos"] == 0
    assert len(await seen(client, f"issues/{told.issue}")) == 2
    assert lying(settings) == 3


async def test_with_the_texts_the_photos_go(
    client: Client, settings: Settings, conn: asyncpg.Connection, clock: TestClock
) -> None:
    told = await lived(client)
    receipt = await erase(client, with_texts=True)
    assert receipt["photos"] == 3
    assert await doors.read(client, ADMINISTRATOR, f"/api/residents/erasures/{receipt['id']}") == receipt
    assert await seen(client, f"issues/{told.issue}") == await seen(client, f"visits/{told.visit}") == []
    address = f"/api/issues/{told.issue}/photos/{sha256(OWN)}"
    for path in (address, f"{address}/thumbnail"):
        assert (await client.get(path, headers=WORKER.headers)).status_code == 404
    assert await turn(conn, settings, clock, jobs.remove_attachments) == {"removed": 2}
    assert await turn(conn, settings, clock, jobs.remove_attachments) == {"removed": 0}
    assert lying(settings) == 1, "the neighbour has the third"
    assert await seen(client, f"issues/{told.neighbour}") == [sha256(SHARED)]
    rows = await conn.fetch(
        "select issue::text as thing, stored, lon, lat, taken_at from issue_photo where erased_at is not null"
        " union all select visit::text, stored, lon, lat, taken_at from visit_photo where erased_at is not null"
    )
    assert {row["thing"] for row in rows} == {told.issue, told.visit}
    assert {tuple(row)[1:] for row in rows} == {(None, None, None, None)}
    sent = await conn.fetch("select facts->>'sent' as sent from history where kind = 'attachment'")
    assert {row["sent"] for row in sent} == {sha256(one) for one in (SHARED, OWN, DOOR)}
    async with conn.transaction():
        await history_seals.seal(conn, DISTRICT, clock())
    assert (await history_seals.verify(conn, DISTRICT)).broken is None


async def test_what_was_forgotten_is_not_asked_for_and_does_not_come_back(
    client: Client, conn: asyncpg.Connection
) -> None:
    told = await lived(client)
    length = str(len(LATER))
    metadata = ",".join(
        f"{name} {photographs.in_base64(value)}" for name, value in (("issue", told.issue), ("sha256", sha256(LATER)))
    )
    tus = MEMBER.headers | {"Tus-Resumable": "1.0.0"}
    begun = await client.post("/api/uploads", headers=tus | {"Upload-Length": length, "Upload-Metadata": metadata})
    assert begun.status_code == 201
    await erase(client, with_texts=True)
    asked = await client.post("/api/receipts", json={"ids": [told.visit]}, headers=MEMBER.headers)
    assert asked.json()["results"][0]["missing_photos"] == []
    assert (await client.head(begun.headers["location"], headers=tus)).status_code == 404
    for content in (OWN, LATER):
        assert (await send(client, f"issues/{told.issue}", content, 422))["code"] == "photo_not_promised"


async def test_a_photo_that_comes_again_before_it_is_removed_stays(
    client: Client, settings: Settings, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await lived(client)
    await erase(client, with_texts=True)
    again = drafts.issue(photos=[promised(OWN)])
    await doors.file(client, MEMBER, drafts.visit(issues=[again]))
    await send(client, f"issues/{again['id']}", OWN)
    assert await turn(conn, settings, clock, jobs.remove_attachments) == {"removed": 1}
    shown = await client.get(f"/api/issues/{again['id']}/photos/{sha256(OWN)}", headers=WORKER.headers)
    assert shown.status_code == 200


async def test_a_visit_that_was_taken_back_loses_its_photos_by_the_rule(
    client: Client, settings: Settings, conn: asyncpg.Connection, clock: TestClock
) -> None:
    told = await lived(client)
    await doors.correct(client, MEMBER, told.visit, drafts.correction(1, withdraw=True))
    clock.forward(days=179)
    await turn(conn, settings, clock, jobs.retain)
    assert lying(settings) == 3
    clock.forward(days=2)
    await turn(conn, settings, clock, jobs.retain)
    event = await conn.fetchrow("select facts from history where kind = 'erasure'")
    assert event is not None
    assert event["facts"]["wiped"]["photos"] == 3
    await turn(conn, settings, clock, jobs.remove_attachments)
    assert lying(settings) == 1


async def test_a_backup_from_before_forgets_again(
    client: Client, settings: Settings, conn: asyncpg.Connection, clock: TestClock
) -> None:
    """What the journal says is done again on a database in which the photos are back."""
    told = await lived(client)
    kept = await conn.fetch("select * from issue_photo where issue = $1 and stored is not null", told.issue)
    stored = await conn.fetch("select * from attachment")
    await erase(client, with_texts=True)
    for row in stored:
        values = ", ".join(f"${number + 1}" for number in range(len(row)))
        await conn.execute(f"insert into attachment values ({values}) on conflict do nothing", *row)
    for row in kept:
        await conn.execute(
            "update issue_photo set stored = $1, lon = $2, erased_at = null where issue = $3 and sha256 = $4",
            row["stored"], row["lon"], row["issue"], row["sha256"],
        )  # fmt: skip
    assert len(await seen(client, f"issues/{told.issue}")) == 2
    clock.forward(hours=1)
    async with conn.transaction():
        await erasures.replay(conn, erasure_journal.read(settings), clock())
    assert await seen(client, f"issues/{told.issue}") == []
    await turn(conn, settings, clock, jobs.remove_attachments)
    assert lying(settings) <= 2


async def test_nothing_is_removed_twice_and_what_is_gone_is_no_fault(settings: Settings) -> None:
    store = Store(settings)
    content = settings.data / "content"
    settings.data.mkdir()
    content.write_bytes(b"x")
    await store.put(DISTRICT, "ab" * 32, content)
    for _ in range(2):
        await store.delete(DISTRICT, "ab" * 32)

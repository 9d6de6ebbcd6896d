"""Photos in parts, as tus 1.0 has it: broken off, resumed after a restart, held to what was promised, and for nobody
but who sends them."""

import asyncio
import base64
import hashlib
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
import uvicorn

from api import jobs
from api.app import create_app
from api.jobs import Work
from api.settings import Settings
from tests import doors, drafts
from tests.conftest import (
    DISTRICT,
    LEADER,
    MEMBER,
    OTHER_WORKER,
    RING,
    STRANGER,
    WORKER,
    Client,
    Person,
    TestClock,
    serving,
)
from tests.photographs import photo, promised, sha256

pytestmark = pytest.mark.anyio

TUS = {"Tus-Resumable": "1.0.0"}
NONE: dict[str, str] = {}
PHOTO = photo(1_200, 900, quality=95)


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Settings:
    return Settings(database_url=dsn, pool_size=4, data=tmp_path / "data")


@pytest.fixture
async def client(settings: Settings, clock: TestClock) -> AsyncIterator[Client]:
    async with serving(settings, clock) as opened:
        yield opened


def told(**names: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in names.items())


async def found(client: Client, *contents: bytes) -> str:
    """An issue of which these photos are promised."""
    issue = drafts.issue(photos=[promised(content) for content in contents])
    await doors.file(client, MEMBER, drafts.visit(issues=[issue]))
    return str(issue["id"])


async def begin(
    client: Client, who: Person, issue: str, content: bytes = PHOTO, headers: dict[str, str] = NONE
) -> httpx.Response:
    metadata = told(issue=issue, sha256=sha256(content), filename="门口.jpg")
    announced = {"Upload-Length": str(len(content)), "Upload-Metadata": metadata}
    return await client.post("/api/uploads", headers=who.headers | TUS | announced | headers)


async def begun(client: Client, issue: str, content: bytes = PHOTO) -> str:
    answer = await begin(client, MEMBER, issue, content)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


async def append(
    client: Client, address: str, offset: int, part: bytes, who: Person = MEMBER, headers: dict[str, str] = NONE
) -> httpx.Response:
    said = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"} | headers
    return await client.patch(address, content=part, headers=who.headers | TUS | said)


async def come(client: Client, address: str, who: Person = MEMBER) -> int | None:
    """How much has come of an upload; None where there is none."""
    answer = await client.head(address, headers=who.headers | TUS)
    return int(answer.headers["upload-offset"]) if answer.status_code == 200 else None


async def photos(client: Client, issue: str) -> list[Any]:
    items: list[Any] = (await doors.read(client, MEMBER, f"/api/issues/{issue}/photos"))["items"]
    return items


def parts(settings: Settings) -> list[Path]:
    return list((settings.data / "uploads").iterdir())


async def test_what_is_spoken_here(client: Client) -> None:
    answer = await client.options("/api/uploads")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert set(answer.headers["tus-extension"].split(",")) == {"creation", "checksum", "expiration", "termination"}
    assert answer.headers["tus-max-size"] == "25000000"
    assert set(answer.headers["tus-checksum-algorithm"].split(",")) == {"sha1", "sha256"}
    for headers in ({}, {"Tus-Resumable": "0.2.2"}):
        refused = await client.post("/api/uploads", headers=MEMBER.headers | headers)
        doors.refused(refused, 412, "tus_version", "Tus-Resumable")
        assert refused.headers["tus-version"] == "1.0.0"


async def test_a_photo_in_three_parts(client: Client, settings: Settings, conn: asyncpg.Connection) -> None:
    issue = await found(client, PHOTO)
    answer = await begin(client, MEMBER, issue)
    address = answer.headers["location"]
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert answer.headers["upload-expires"].endswith("GMT")
    third = len(PHOTO) // 3
    assert await come(client, address) == 0
    for begin_at, end_at in ((0, third), (third, 2 * third), (2 * third, len(PHOTO))):
        answer = await append(client, address, begin_at, PHOTO[begin_at:end_at])
        assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(end_at))
    assert [item["sha256"] for item in await photos(client, issue)] == [sha256(PHOTO)]
    assert await come(client, address) == len(PHOTO)
    again = await append(client, address, len(PHOTO), b"")
    assert again.status_code == 204, "whose last answer was lost asks again"
    assert parts(settings) == []
    assert await conn.fetchval("select count(*) from history where kind = 'attachment'") == 1


async def test_what_came_before_a_restart_stays(settings: Settings, clock: TestClock) -> None:
    async with serving(settings, clock) as client:
        issue = await found(client, PHOTO)
        address = await begun(client, issue)
        await append(client, address, 0, PHOTO[:10_000])
    async with serving(settings, clock) as client:
        assert await begun(client, issue) == address, "begun again, it goes on where it was"
        assert await come(client, address) == 10_000
        assert (await append(client, address, 10_000, PHOTO[10_000:])).status_code == 204
        assert len(await photos(client, issue)) == 1


async def test_whole_when_the_server_stopped_it_is_taken_in_when_asked_about(
    client: Client, settings: Settings
) -> None:
    issue = await found(client, PHOTO)
    address = await begun(client, issue)
    await append(client, address, 0, PHOTO[:-1])
    [part] = parts(settings)
    with part.open("ab") as file:
        file.write(PHOTO[-1:])
    assert await come(client, address) == len(PHOTO)
    assert len(await photos(client, issue)) == 1


@pytest.mark.parametrize("offset", [1, 4_999, 5_001, 10**15 - 1])
async def test_a_part_that_lies_about_where_it_begins(client: Client, offset: int) -> None:
    issue = await found(client, PHOTO)
    address = await begun(client, issue)
    await append(client, address, 0, PHOTO[:5_000])
    problem = doors.refused(await append(client, address, offset, PHOTO[5_000:]), 409, "upload_offset", "Upload-Offset")
    assert problem["facts"] == {"offset": 5_000}
    assert await come(client, address) == 5_000


@pytest.mark.parametrize("offset", ["-1", "x", "١", "1" * 20, "", "0x10"])
async def test_a_part_whose_offset_is_no_number(client: Client, offset: str) -> None:
    issue = await found(client, PHOTO)
    address = await begun(client, issue)
    headers = MEMBER.headers | TUS | {"Content-Type": "application/offset+octet-stream"}
    raw = [*((name.encode(), value.encode()) for name, value in headers.items()), (b"Upload-Offset", offset.encode())]
    answer = await client.patch(address, content=b"x", headers=raw)
    doors.refused(answer, 400, "bad_header", "Upload-Offset")


async def test_more_than_was_announced(client: Client) -> None:
    issue = await found(client, PHOTO)
    address = await begun(client, issue)
    doors.refused(await append(client, address, 0, PHOTO + b"x"), 413, "photo_too_large", "content")
    assert await photos(client, issue) == []


async def test_a_part_that_does_not_come_as_one(client: Client) -> None:
    issue = await found(client, PHOTO)
    address = await begun(client, issue)
    wrong = await append(client, address, 0, PHOTO, headers={"Content-Type": "image/jpeg"})
    doors.refused(wrong, 415, "not_a_part", "Content-Type")


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
async def test_a_part_is_held_to_its_checksum(client: Client, algorithm: str) -> None:
    issue = await found(client, PHOTO)
    address = await begun(client, issue)

    def checksum(part: bytes) -> str:
        return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, part).digest()).decode()}"

    wrong = await append(client, address, 0, PHOTO[:5_000], headers={"Upload-Checksum": checksum(b"other")})
    assert wrong.status_code == 460
    assert await come(client, address) == 0, "nothing of it was kept"
    right = await append(client, address, 0, PHOTO[:5_000], headers={"Upload-Checksum": checksum(PHOTO[:5_000])})
    assert right.headers["upload-offset"] == "5000"
    for unknown in ("md5 aaaa", "sha256 *", "sha256"):
        answer = await append(client, address, 5_000, b"x", headers={"Upload-Checksum": unknown})
        assert answer.status_code in (400, 460)
    assert await come(client, address) == 5_000


async def test_another_content_of_the_same_length_is_given_up(client: Client, settings: Settings) -> None:
    issue = await found(client, PHOTO)
    address = await begun(client, issue)
    other = bytes(len(PHOTO))
    doors.refused(await append(client, address, 0, other), 422, "photo_differs", "sha256")
    assert await come(client, address) is None
    assert parts(settings) == []
    assert (await append(client, await begun(client, issue), 0, PHOTO)).status_code == 204


async def test_what_is_announced_wrongly_is_refused_by_its_header(client: Client) -> None:
    issue = await found(client, PHOTO)
    for wrong, status, code, field in (
        ({"Upload-Length": "x"}, 400, "bad_header", "Upload-Length"),
        ({"Upload-Length": "25000001"}, 413, "photo_too_large", "Upload-Length"),
        ({"Upload-Length": "1"}, 422, "wrong_value", "Upload-Length"),
        ({"Upload-Metadata": "issue *"}, 400, "bad_header", "Upload-Metadata"),
        ({"Upload-Metadata": told(issue="x", sha256="00" * 32)}, 400, "bad_header", "Upload-Metadata"),
        ({"Upload-Metadata": told(issue=issue, sha256="../../keys")}, 400, "bad_header", "Upload-Metadata"),
        ({"Upload-Metadata": told(issue=issue)}, 422, "missing", "Upload-Metadata.sha256"),
        ({"Upload-Metadata": told(sha256="00" * 32)}, 422, "missing", "Upload-Metadata.issue"),
        ({"Upload-Metadata": told(issue=issue, sha256="00" * 32)}, 422, "photo_not_promised", "sha256"),
        ({"Upload-Metadata": told(issue=str(uuid4()), sha256="00" * 32)}, 404, "not_found", None),
        ({"Upload-Metadata": told(visit=issue, sha256="00" * 32)}, 404, "not_found", None),
    ):
        doors.refused(await begin(client, MEMBER, issue, headers=wrong), status, code, field)
    for missing in ("Upload-Length", "Upload-Metadata"):
        headers = {"Upload-Length": "1", "Upload-Metadata": told(issue=issue, sha256="00" * 32)}
        del headers[missing]
        answer = await client.post("/api/uploads", headers=MEMBER.headers | TUS | headers)
        doors.refused(answer, 422, "missing", missing)


async def test_an_upload_is_its_sender_s_alone(client: Client) -> None:
    issue = await found(client, PHOTO)
    doors.refused(await begin(client, LEADER, issue), 403, "not_allowed")
    doors.refused(await begin(client, OTHER_WORKER, issue), 404, "not_found")
    doors.refused(await begin(client, STRANGER, str(uuid4())), 404, "not_found")
    address = await begun(client, issue)
    for who in (WORKER, STRANGER, LEADER):
        assert await come(client, address, who) is None
        doors.refused(await append(client, address, 0, PHOTO, who), 404, "not_found")
        doors.refused(await client.delete(address, headers=who.headers | TUS), 404, "not_found")
    assert (await client.head(address, headers=TUS)).status_code == 401
    theirs = (await begin(client, WORKER, issue)).headers["location"]
    assert theirs != address, "who works on it may send it too, and neither disturbs the other"
    assert (await append(client, theirs, 0, PHOTO, WORKER)).status_code == 204
    assert (await append(client, address, 0, PHOTO)).status_code == 204
    assert len(await photos(client, issue)) == 1


async def test_what_has_come_already_need_not_come_again(client: Client) -> None:
    issue = await found(client, PHOTO)
    await append(client, await begun(client, issue), 0, PHOTO)
    answer = await begin(client, WORKER, issue)
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, str(len(PHOTO)))


async def test_an_upload_is_given_up(client: Client, settings: Settings) -> None:
    issue = await found(client, PHOTO)
    address = await begun(client, issue)
    await append(client, address, 0, PHOTO[:5_000])
    answer = await client.delete(address, headers=MEMBER.headers | TUS)
    assert answer.status_code == 204
    assert await come(client, address) is None
    assert parts(settings) == []


async def test_a_network_that_lets_no_patch_pass(client: Client) -> None:
    issue = await found(client, PHOTO)
    address = await begun(client, issue)
    said = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream", "X-HTTP-Method-Override": "PATCH"}
    answer = await client.post(address, content=PHOTO, headers=MEMBER.headers | TUS | said)
    assert answer.status_code == 204
    assert len(await photos(client, issue)) == 1


async def test_two_that_write_at_once(client: Client) -> None:
    """One is refused, and what the other writes is whole."""
    issue = await found(client, PHOTO)
    address = await begun(client, issue)
    half, waiting = len(PHOTO) // 2, asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield PHOTO[:half]
        await waiting.wait()
        yield PHOTO[half:]

    said = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    headers = MEMBER.headers | TUS | said
    first = asyncio.create_task(client.patch(address, content=slow(), headers=headers))
    while await come(client, address) == 0:  # noqa: ASYNC110 - nothing else tells
        await asyncio.sleep(0.01)
    doors.refused(await append(client, address, 0, PHOTO), 423, "upload_busy")
    doors.refused(await client.delete(address, headers=MEMBER.headers | TUS), 423, "upload_busy")
    waiting.set()
    assert (await first).status_code == 204
    assert len(await photos(client, issue)) == 1


async def test_what_is_not_finished_in_a_week_is_forgotten(
    client: Client, settings: Settings, clock: TestClock, conn: asyncpg.Connection
) -> None:
    issue = await found(client, PHOTO, photo(shade=1))
    address = await begun(client, issue)
    await append(client, address, 0, PHOTO[:5_000])
    for part in parts(settings):  # the files' own clock is the machine's
        os.utime(part, (clock().timestamp(), clock().timestamp()))
    clock.forward(days=6)
    work = Work(district=DISTRICT, now=clock(), ring=RING, settings=settings)
    assert await jobs.sweep_uploads(conn, work) == {"files": 0}
    assert await come(client, address) == 5_000
    clock.forward(days=1, hours=2)
    assert await come(client, address) is None
    work = Work(district=DISTRICT, now=clock(), ring=RING, settings=settings)
    assert await jobs.sweep_uploads(conn, work) == {"files": 1}
    assert parts(settings) == []


async def test_nobody_begins_without_end(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    issue = await found(client, PHOTO)
    await conn.execute(
        "insert into upload select $1, gen_random_uuid(), 'issue', gen_random_uuid(), sha256('x'), 1, 'member', $2,"
        " $3::timestamptz, $3::timestamptz + interval '7 days' from generate_series(1, 200)",
        DISTRICT,
        str(MEMBER.id),
        clock(),
    )
    refused = await begin(client, MEMBER, issue)
    doors.refused(refused, 429, "too_many_uploads")
    assert (await begin(client, WORKER, issue)).status_code == 201


async def test_a_connection_that_breaks(settings: Settings, clock: TestClock) -> None:
    """Over a real socket: half of it comes, the signal is gone, and the phone goes on where it was."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        server = uvicorn.Server(
            uvicorn.Config(create_app(settings, clock, RING), log_config=None, timeout_graceful_shutdown=2)
        )
        serving = asyncio.create_task(server.serve([listening]))
        async with Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            while not server.started:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            issue = await found(client, PHOTO)
            address = await begun(client, issue)
            half = len(PHOTO) // 2
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            headers = MEMBER.headers | TUS | {
                "Host": "127.0.0.1", "Upload-Offset": "0", "Content-Length": str(len(PHOTO)),
                "Content-Type": "application/offset+octet-stream",
            }  # fmt: skip
            lines = [f"PATCH {address} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
            writer.write("\r\n".join(lines).encode() + PHOTO[:half])
            await writer.drain()
            while await come(client, address) != half:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            writer.transport.abort()
            answer = await append(client, address, half, PHOTO[half:])
            while answer.status_code == 423:  # until the server has noticed
                answer = await append(client, address, half, PHOTO[half:])
            assert answer.status_code == 204
            assert len(await photos(client, issue)) == 1
        server.should_exit = True
        await serving

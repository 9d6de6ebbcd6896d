"""A district lives for a while, people err in every way, and afterwards no resident's name or number is found in a dump
of its database, in its logs, in any file it handed out, or on any page but the one that shows it for a purpose."""

import asyncio
import base64
import hashlib
import io
import json
import logging
import os
import re
import subprocess
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import httpx
import pytest
import structlog
from click.testing import CliRunner

from api import erasure_journal, key_ring, logs
from api.app import create_app
from api.cli.residents import residents_group
from api.jobs import JOBS, Runner
from api.postgres_programs import Account, find_programs
from api.settings import Settings
from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    AUDITOR,
    DISTRICT,
    HANDLER,
    LEADER,
    MEMBER,
    STRANGER,
    WORKER,
    Client,
    TestClock,
)

pytestmark = pytest.mark.anyio

CHANCE = Random(20261123)  # noqa: S311
NAMES = ["欧阳秀英", "司马桂兰", "诸葛建国", "上官红梅", "夏侯志强", "尉迟淑珍"]
PHONES = [f"1{CHANCE.choice('3578')}{CHANCE.randrange(10**9):09}" for _ in NAMES]
PURPOSE = {"purpose": "约上门时间"}


def written(phone: str, at: int) -> str:
    """A number as one of several people would write it."""
    spaced = f"{phone[:3]} {phone[3:7]} {phone[7:]}"
    return [phone, spaced, spaced.replace(" ", "-"), f"+86 {spaced}", f"0086{phone}", f"（{phone[:3]}）{phone[3:]}"][at]


def in_base64(text: bytes) -> Iterator[bytes]:
    """What is the same of a text in base64, whatever stands before and after it."""
    for before in range(3):
        coded = base64.b64encode(b"x" * before + text).rstrip(b"=")
        yield coded[(0, 2, 3)[before] : len(coded) - 1]


def forms(text: str) -> Iterator[bytes]:
    """How a text can stand in a file, and the digests by which it could be guessed."""
    for coded in {text.encode(), text.encode("utf-16-le"), text.encode("gb18030")}:
        yield coded
        yield coded.hex().encode()
        yield coded.hex().upper().encode()
        yield from in_base64(coded)
    yield json.dumps(text).strip('"').encode()
    for kind in ("md5", "sha1", "sha256"):
        digest = hashlib.new(kind, text.encode())
        yield digest.hexdigest().encode()
        yield digest.digest()
        yield base64.b64encode(digest.digest()).rstrip(b"=")


NEEDLES = {form for name in NAMES for form in forms(name)}
for phone_ in PHONES:
    tail = f"{phone_[3:7]} {phone_[7:]}"
    for text_ in (phone_, f"+86{phone_}", tail, tail.replace(" ", "-"), f"{phone_[3:]}"):
        NEEDLES.update(forms(text_))
# Eight digits alone come by chance in what is random: there, they are part of more.
ALONE = {phone_[3:].encode() for phone_ in PHONES}
NEEDLES -= ALONE
STANDING_ALONE = re.compile(rb"(?<![0-9A-Fa-f.])(?:" + b"|".join(sorted(ALONE)) + rb")(?![0-9A-Fa-f])")


def leaks(content: bytes) -> list[bytes]:
    """What of the residents stands in a text; a file of files is looked into."""
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            return [found for name in packed.namelist() for found in leaks(packed.read(name))]
    return [needle for needle in NEEDLES if needle in content] + STANDING_ALONE.findall(content)


def test_a_leak_would_be_found() -> None:
    for content in (
        f"tel: {PHONES[0]}".encode(),
        written(PHONES[1], 3).encode(),
        written(PHONES[1], 2).encode(),
        base64.b64encode(f"name {NAMES[2]}!".encode()),
        base64.b64encode(f"a {PHONES[2]}".encode()),
        f"\\x{NAMES[3].encode().hex()}".encode(),
        json.dumps({"name": NAMES[4]}).encode(),
        hashlib.sha256(PHONES[5].encode()).hexdigest().encode(),
        f"tel: ***{PHONES[0][3:]}".encode(),
    ):
        assert leaks(content), content
    assert not leaks(b"138****1234 \xe5\xbc\xa0**")
    assert not leaks(f"{PHONES[0][3:]}e5a0 0.123{PHONES[1][3:]}".encode())


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    """Everything that is logged, down to the least severe line."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    stream = io.StringIO()
    logs.configure("debug", stream)
    for noisy in ("httpx", "httpcore"):  # the test's own client
        logging.getLogger(noisy).setLevel(logging.WARNING)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Settings:
    given = Settings(
        database_url=dsn, pool_size=4, data=tmp_path / "data", keys=tmp_path / "keys" / "keys.json", log_level="debug"
    )
    key_ring.make(given)
    return given


class Recording(httpx.AsyncBaseTransport):
    """Carries requests to the program and keeps every answer but those that are there to show what is sealed."""

    SHOWING = ("/contact", "/residents/export")
    GIVEN_BACK = "/sign-in"  # a form that was refused still has in it what was typed

    def __init__(self, app: Any) -> None:
        self.inner = httpx.ASGITransport(app)
        self.answers: list[tuple[str, bytes]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        content = await response.aread()
        response.headers.pop("content-encoding", None)  # it has been unpacked
        shown = response.status_code == 200 and request.url.path.endswith(self.SHOWING)
        if not shown and request.url.path != self.GIVEN_BACK:
            head = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
            self.answers.append((f"{request.method} {request.url.path}", head.encode() + b"\n" + content))
        return httpx.Response(response.status_code, headers=response.headers, content=content, request=request)


@pytest.fixture
async def recording(settings: Settings, clock: TestClock) -> AsyncIterator[tuple[Client, Recording]]:
    app = create_app(settings, clock)
    transport = Recording(app)
    async with app.lifespan(), Client(transport=transport, base_url="http://testserver.local") as client:
        yield client, transport


async def test_no_resident_is_found_where_nobody_should_find_them(
    recording: tuple[Client, Recording],
    settings: Settings,
    clock: TestClock,
    said: io.StringIO,
    owner_dsn: str,
    conn: asyncpg.Connection,
    tmp_path: Path,
) -> None:
    client, transport = recording
    issues = await file(client)
    await err(client, issues)
    await live(client, issues)
    await look(client, issues)
    command = CliRunner().invoke
    for arguments, phone in (
        (("find",), PHONES[1]),
        (("find",), "13800x"),
        (("erase", "--yes", "--with-texts"), PHONES[1]),
    ):
        result = await asyncio.to_thread(
            command,
            residents_group,
            [*arguments, "--district", str(DISTRICT), "--purpose", "居民申请"],
            obj=settings,
            input=f"{phone}\n",
        )
        transport.answers.append((f"zoufang residents {arguments[0]}", result.output.encode()))
    clock.forward(days=400)
    await Runner(settings.database_url or "", clock, lambda: key_ring.read(settings), settings).run_due()
    ran = {row["job"] for row in await conn.fetch("select job from job_run where outcome = 'done'")}
    assert ran >= {job.name for job in JOBS}
    await look(client, issues)

    assert len(transport.answers) > 80
    found = {where: leaks(content) for where, content in transport.answers}
    assert {where: what for where, what in found.items() if what} == {}
    assert said.getvalue().count('"request"') > 80
    assert leaks(said.getvalue().encode()) == []
    assert leaks(erasure_journal.path(settings).read_bytes()) == []
    dumped = dump(owner_dsn, tmp_path)
    assert b"COPY public.sealed_field" in dumped
    assert b"COPY public.history " in dumped
    assert leaks(dumped) == []


async def file(client: Client) -> list[str]:
    """Visits with every resident's name and number, one by one and as a backlog, some of them twice."""
    made = [
        drafts.visit(issues=[drafts.issue(contact={"name": name, "phone": written(phone, at)}, title=f"问题 {at}")])
        for at, (name, phone) in enumerate(zip(NAMES, PHONES, strict=True))
    ]
    for draft in (*made[:3], made[0]):
        await client.post("/api/visits", json=draft, headers=MEMBER.headers)
    results = await doors.file_all(client, MEMBER, made[2:])
    assert [result["status"] for result in results] == ["already_filed", "filed", "filed", "filed"]
    return [draft["issues"][0]["id"] for draft in made]


async def err(client: Client, issues: list[str]) -> None:
    """The number, and the name, where they may stand and are wrong, and where they may not stand at all."""
    for name, phone in zip(NAMES, PHONES, strict=True):
        contacts: list[Any] = [
            phone,
            [name, phone],
            {"name": name, "phone": f"{phone}x"},
            {"name": name, "phone": phone * 2},
            {"name": name, "phone": phone * 4},
            {"name": name, "phone": int(phone)},
            {"name": int(phone), "phone": phone},
            {"name": name * 26, "phone": phone},
            {"name": name, "phone": phone, "mobile": phone},
            {"name": f"{name}\x00", "phone": phone},
        ]
        for contact in contacts:
            draft = drafts.visit(issues=[drafts.issue(contact=contact)])
            refused = await client.post("/api/visits", json=draft, headers=MEMBER.headers)
            assert refused.status_code == 422, contact
            await doors.file_all(client, MEMBER, [draft, drafts.visit()])
            move = drafts.move("correct", 1, reason="补登", correction={"contact": contact})
            refused = await client.post(f"/api/issues/{issues[0]}/moves", json=move, headers=MEMBER.headers)
            assert refused.status_code == 422, contact
        whole = json.dumps(drafts.visit(issues=[drafts.issue(contact={"name": name, "phone": phone})]))
        for broken in (whole[:-3], whole.replace(phone, f"{phone}\\"), f"{whole} {phone}"):
            answer = await client.post("/api/visits", content=broken, headers=MEMBER.headers)
            assert answer.status_code == 400
        taken = drafts.visit(issues=[drafts.issue(id=issues[0], contact={"name": name, "phone": phone})])
        await doors.file(client, STRANGER, taken, status=409)
        for path in ("/api/contacts/search", "/api/residents/find", "/api/residents/erase", "/api/residents/export"):
            for body in ({"phone": f"{phone}x", "purpose": "查"}, {"phone": int(phone)}, phone, {"phone": [phone]}):
                answer = await client.post(path, json=body, headers=ADMINISTRATOR.headers)
                assert answer.status_code == 422, (path, body)
            answer = await client.post(path, json={"phone": phone, "purpose": "查"}, headers=AUDITOR.headers)
            assert answer.status_code in (403, 422)
        form = {"account": phone, "password": name, "district": str(DISTRICT)}
        assert (await client.post("/sign-in", data=form)).status_code in (401, 403, 422, 429)


async def live(client: Client, issues: list[str]) -> None:
    """Moves, corrections, reveals, searches, exports and erasures."""
    for at, issue in enumerate(issues):
        name, phone = NAMES[at], PHONES[at]
        doors.answered(await client.post(f"/api/issues/{issue}/contact", json=PURPOSE, headers=WORKER.headers), 200)
        told = drafts.move("correct", 1, reason="核对", correction={"contact": {"name": name, "phone": phone}})
        await doors.move(client, MEMBER, issue, told)
        await doors.move(client, MEMBER, issue, told)
        await doors.move(client, WORKER, issue, drafts.move("accept", 2))
        found = await client.post("/api/contacts/search", json={"phone": phone}, headers=HANDLER.headers)
        assert len(doors.answered(found, 200)["items"]) == 1
    for what in ("find", "export", "erase"):
        body = {"phone": PHONES[0], "purpose": "居民申请"}
        doors.answered(await client.post(f"/api/residents/{what}", json=body, headers=ADMINISTRATOR.headers), 200)


async def look(client: Client, issues: list[str]) -> None:
    """Every list, map, page and file that the program has."""
    paths = [
        "/api/issues", "/api/visits", "/api/issues.csv", "/api/issues.xlsx", "/api/issues.geojson", "/api/issues.gpkg",
        "/api/visits.csv", "/api/visits.xlsx", "/maps/issues", "/maps/issues/areas", "/maps/issues/clusters?zoom=12",
        *(f"/api/issues/{issue}" for issue in issues),
    ]  # fmt: skip
    for who in (WORKER, LEADER, ADMINISTRATOR):
        for path in paths:
            assert (await client.get(path, headers=who.headers)).status_code == 200, path
    for path in ("/api/history", "/api/history.csv", "/api/history.xlsx", "/audit"):
        assert (await client.get(path, headers=AUDITOR.headers)).status_code == 200, path


def dump(dsn: str, folder: Path) -> bytes:
    """The whole database, as pg_dump writes it."""
    ourselves = Account(os.geteuid(), os.getegid(), switches=False)
    program = find_programs(folder, ourselves) / "pg_dump"
    return subprocess.run([program, f"--dbname={dsn}"], check=True, capture_output=True, timeout=60).stdout

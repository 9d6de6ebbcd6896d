"""Large files: asked for, made by a job, cancelled, fetched, refused to others, and gone when their time is over."""

import asyncio
import csv
import io
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
import python_calamine as calamine

from api import export_making, jobs, made_files
from api.jobs import Runner
from api.settings import Settings
from tests import doors, drafts
from tests.api.test_exports import MANY
from tests.conftest import (
    AUDITOR,
    DISTRICT,
    LEADER,
    MEMBER,
    NEAR,
    RING,
    STRANGER,
    WORKER,
    Client,
    Person,
    TestClock,
    serving,
)

pytestmark = pytest.mark.anyio

ISSUES = {"table": "issues", "format": "csv", "filters": {}}


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Settings:
    return Settings(database_url=dsn, data=tmp_path / "data", pool_size=4)


@pytest.fixture
async def client(settings: Settings, clock: TestClock) -> AsyncIterator[Client]:
    async with serving(settings, clock) as opened:
        yield opened


@pytest.fixture
def runner(settings: Settings, clock: TestClock) -> Runner:
    return Runner(settings.database_url or "", clock, lambda: RING, settings)


@pytest.fixture
async def filed(client: Client) -> list[str]:
    """Two issues near and one far, by their numbers."""
    near = drafts.visit(issues=[drafts.issue(title="=1+1"), drafts.issue(title="路灯不亮")])
    await doors.file(client, MEMBER, near)
    await doors.file(client, STRANGER, drafts.visit(position=drafts.FAR_DOOR, issues=[drafts.issue()]))
    return [item["number"] for item in await doors.every_page(client, LEADER, "/api/issues")]


@pytest.fixture
async def many(filed: list[str], conn: asyncpg.Connection) -> int:
    """Twenty thousand issues more."""
    await conn.execute(MANY, await conn.fetchval("select id from issue order by number limit 1"))
    return 20_000 + len(filed)


async def ask(client: Client, who: Person, status: int = 202, **wanted: Any) -> dict[str, Any]:
    answer = await client.post("/api/exports?lang=en", json=ISSUES | wanted, headers=who.headers)
    told: dict[str, Any] = answer.json()
    assert answer.status_code == status, told
    return told


async def fetch(client: Client, who: Person, file: str, status: int = 200, **headers: str) -> httpx.Response:
    answer = await client.get(f"/api/exports/{file}/file", headers=who.headers | headers)
    assert answer.status_code == status, answer.text[:300]
    return answer


async def state(client: Client, who: Person, file: str) -> dict[str, Any]:
    return await doors.read(client, who, f"/api/exports/{file}")


def lying(settings: Settings) -> list[str]:
    """What lies where files are kept."""
    folder = settings.data / made_files.FOLDER
    return sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []


def rows(answer: httpx.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


async def test_a_file_is_asked_for_made_and_fetched(
    client: Client, runner: Runner, filed: list[str], conn: asyncpg.Connection
) -> None:
    asked = await ask(client, LEADER, filters={"group": ["reported"], "text": "路灯"}, format="xlsx")
    assert (asked["state"], asked["rows"], asked["file"]) == ("queued", 1, None)
    (listed,) = (await doors.read(client, LEADER, "/api/exports"))["items"]
    assert listed == asked
    doors.refused(await client.get(f"{asked['href']}/file", headers=LEADER.headers), 409, "file_not_ready")
    assert await runner.work_off() == 1
    made = await state(client, LEADER, asked["id"])
    assert (made["state"], made["rows"], made["rows_done"]) == ("ready", 1, 1)
    answer = await fetch(client, LEADER, asked["id"])
    assert len(answer.content) == made["bytes"] == int(answer.headers["content-length"])
    sheet = calamine.CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).get_sheet_by_index(0).to_python()
    assert [row[1] for row in sheet] == ["Title", "路灯不亮"]
    kept = await conn.fetchval("select asked::text from made_file")
    assert "路灯" not in kept, "what was searched for is forgotten when it is of no more use"
    events = await conn.fetch("select event, facts from history where kind = 'export' order by recorded_at, event")
    assert [row["event"] for row in events] == ["asked", "fetched"]
    assert events[0]["facts"]["what"] == "issues.xlsx"
    assert set(events[0]["facts"]["filters"]) == {"group", "text_digest"}
    assert events[1]["facts"]["rows"] == 1


async def test_a_broken_download_goes_on(client: Client, runner: Runner, filed: list[str]) -> None:
    file = (await ask(client, LEADER))["id"]
    await runner.work_off()
    whole = await fetch(client, LEADER, file)
    tag = whole.headers["etag"]
    part = await fetch(client, LEADER, file, 206, Range="bytes=10-")
    assert part.content == whole.content[10:]
    assert part.headers["content-range"] == f"bytes 10-{len(whole.content) - 1}/{len(whole.content)}"
    assert (await fetch(client, LEADER, file, 206, Range="bytes=-5")).content == whole.content[-5:]
    assert (await fetch(client, LEADER, file, 206, Range="bytes=0-3", **{"If-Range": tag})).content[
        :3
    ] == b"\xef\xbb\xbf"
    assert (await fetch(client, LEADER, file, 200, Range="bytes=0-3", **{"If-Range": '"other"'})).content
    assert (await fetch(client, LEADER, file, 200, Range="furlongs=1-2")).content == whole.content
    await fetch(client, LEADER, file, 416, Range="bytes=999999-")


async def test_nobody_else_learns_of_it(client: Client, runner: Runner, filed: list[str]) -> None:
    file = (await ask(client, LEADER))["id"]
    await runner.work_off()
    for who in (WORKER, STRANGER, AUDITOR):
        await fetch(client, who, file, 404)
        doors.refused(await client.get(f"/api/exports/{file}", headers=who.headers), 404, "not_found")
        doors.refused(await client.post(f"/api/exports/{file}/cancel", headers=who.headers), 404, "not_found")
        assert (await doors.read(client, who, "/api/exports"))["items"] == []


async def test_it_shows_what_its_asker_reached_and_goes_with_their_roles(
    client: Client, runner: Runner, filed: list[str], conn: asyncpg.Connection
) -> None:
    file = (await ask(client, WORKER))["id"]
    await runner.work_off()
    assert len(rows(await fetch(client, WORKER, file))) == 2
    await conn.execute(
        "insert into member_role values ($1, $2, 'leader', 'district', $1::int::text)", DISTRICT, WORKER.id
    )
    assert len(rows(await fetch(client, WORKER, file))) == 2, "it stays what it was"
    await conn.execute("delete from member_role where member = $1", WORKER.id)
    await conn.execute("insert into member_role values ($1, $2, 'member', 'own', '')", DISTRICT, WORKER.id)
    await fetch(client, WORKER, file, 403)


async def test_what_is_asked_for_by_who_left_is_not_made(
    client: Client, runner: Runner, filed: list[str], conn: asyncpg.Connection, settings: Settings, clock: TestClock
) -> None:
    gone, shrunk = (await ask(client, MEMBER))["id"], (await ask(client, WORKER))["id"]
    await conn.execute("update member set closed_at = $2 where id = $1", MEMBER.id, clock())
    await conn.execute("delete from member_role where member = $1", WORKER.id)
    await conn.execute("insert into member_role values ($1, $2, 'member', 'own', '')", DISTRICT, WORKER.id)
    await runner.work_off()
    found = await conn.fetch("select id::text, state, fault from made_file order by asked_at")
    assert {row["id"]: (row["state"], row["fault"]) for row in found} == {
        gone: ("failed", "no_longer_allowed"),
        shrunk: ("failed", "no_longer_allowed"),
    }
    assert lying(settings) == []


COPYING = """
select exists (select from pg_stat_activity
  where datname = current_database() and state <> 'idle' and query ilike 'copy%')
"""


@pytest.mark.timeout(300)
async def test_what_is_cancelled_while_it_is_made_leaves_nothing(
    client: Client, runner: Runner, many: int, settings: Settings, conn: asyncpg.Connection
) -> None:
    file = (await ask(client, LEADER, format="xlsx"))["id"]
    working = asyncio.create_task(runner.work_off())
    async with asyncio.timeout(90):
        while not (await state(client, LEADER, file))["rows_done"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    told = (await client.post(f"/api/exports/{file}/cancel", headers=LEADER.headers)).json()
    assert (told["state"], told["rows"]) == ("cancelled", many)
    assert await asyncio.wait_for(working, 60) == 1
    assert lying(settings) == []
    async with asyncio.timeout(30):
        while await conn.fetchval(COPYING):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (await state(client, LEADER, file))["state"] == "cancelled"
    doors.refused(await client.post(f"/api/exports/{file}/cancel", headers=LEADER.headers), 409, "file_ended")
    await fetch(client, LEADER, file, 409)


async def test_one_that_was_cancelled_before_its_turn_is_never_begun(
    client: Client, runner: Runner, filed: list[str], settings: Settings
) -> None:
    file = (await ask(client, LEADER))["id"]
    await client.post(f"/api/exports/{file}/cancel", headers=LEADER.headers)
    assert await runner.work_off() == 1
    assert (await state(client, LEADER, file))["state"] == "cancelled"
    assert lying(settings) == []


async def test_what_a_killed_process_had_is_begun_anew(
    client: Client, runner: Runner, filed: list[str], settings: Settings, conn: asyncpg.Connection, owner_dsn: str,
    clock: TestClock,
) -> None:  # fmt: skip
    file = (await ask(client, LEADER))["id"]
    holding_up = await asyncpg.connect(owner_dsn)
    async with holding_up.transaction():  # so that it is caught at its work, however fast that is
        await holding_up.execute("lock table issue in access exclusive mode")
        working = asyncio.create_task(runner.work_off())
        while (await state(client, LEADER, file))["state"] == "queued":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
    await holding_up.close()
    left = made_files.place_of(settings, DISTRICT, uuid4(), uuid4())
    (left / "file").write_bytes(b"a half")
    assert (await state(client, LEADER, file))["state"] == "making"
    await fetch(client, LEADER, file, 409)
    queue = await asyncpg.connect(owner_dsn)
    await queue.execute("update queue.pgqueuer set heartbeat = heartbeat - interval '1 minute'")
    await queue.close()
    assert await runner.work_off() == 1
    assert len(rows(await fetch(client, LEADER, file))) == len(filed)
    clock.forward(hours=2)
    work = jobs.Work(district=DISTRICT, now=clock(), ring=RING, settings=settings)
    old = (clock() - timedelta(hours=3)).timestamp()
    os.utime(left, (old, old))
    assert await jobs.forget_exports(conn, work) == {"expired": 0, "files": 1}
    assert lying(settings) == [f"{DISTRICT}-{file}"]


async def test_its_time_is_over(
    client: Client, runner: Runner, filed: list[str], settings: Settings, conn: asyncpg.Connection, clock: TestClock
) -> None:
    file = (await ask(client, LEADER))["id"]
    await runner.work_off()
    made = clock().timestamp()
    os.utime(made_files.path(settings, DISTRICT, UUID(file)), (made, made))  # by the tests' clock, as all else
    clock.forward(hours=settings.export_hours, seconds=1)
    await fetch(client, LEADER, file, 404)
    work = jobs.Work(district=DISTRICT, now=clock() + timedelta(days=99), ring=RING, settings=settings)
    assert await jobs.forget_exports(conn, work) == {"expired": 1, "files": 1}
    assert lying(settings) == []


async def test_asking_twice_makes_one_and_few_may_wait(client: Client, filed: list[str]) -> None:
    id_ = str(uuid4())
    first = await ask(client, LEADER, id=id_)
    assert await ask(client, LEADER, id=id_) == first
    assert (await ask(client, STRANGER, 404, id=id_))["code"] == "not_found"
    await ask(client, LEADER)
    await ask(client, LEADER)
    assert (await ask(client, LEADER, 409))["code"] == "too_many_files"
    await ask(client, WORKER)


async def test_a_full_disk_is_told_of_before(
    client: Client, runner: Runner, filed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = (await ask(client, LEADER))["id"]
    monkeypatch.setattr(export_making, "SPARE_BYTES", 1 << 60)
    assert (await ask(client, LEADER, 507))["code"] == "no_space"
    doors.refused(await client.get("/api/issues.xlsx", headers=LEADER.headers), 507, "no_space")
    await runner.work_off()
    told = await state(client, LEADER, file)
    assert (told["state"], told["fault"]) == ("failed", "no_space")


async def test_what_goes_wrong_with_us_is_tried_again(
    client: Client,
    runner: Runner,
    filed: list[str],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    owner_dsn: str,
) -> None:
    file = (await ask(client, LEADER))["id"]
    monkeypatch.setattr("api.export_making.sys.executable", "/bin/false")
    await runner.work_off()
    assert (await state(client, LEADER, file))["state"] == "queued"
    assert lying(settings) == []
    monkeypatch.undo()
    queue = await asyncpg.connect(owner_dsn)
    await queue.execute("update queue.pgqueuer set execute_after = execute_after - interval '1 minute'")
    await queue.close()
    await runner.work_off()
    assert (await state(client, LEADER, file))["state"] == "ready"


@pytest.mark.parametrize(
    ("wanted", "code", "field"),
    [
        ({"table": "members"}, "unknown_table", "table"),
        ({"table": "answers", "format": "gpkg"}, "unknown_table", "format"),
        ({"format": "pdf"}, "wrong_value", "format"),
        ({"filters": {"grup": "reported"}}, "unknown_field", "grup"),
        ({"filters": {"group": ["gone"]}}, "invalid_filter", "group"),
        ({"filters": {"reported_from": "yesterday"}}, "invalid_filter", "reported_from"),
        ({"filters": {"overdue": ["yes", "no"]}}, "invalid_filter", "overdue"),
        ({"filters": {"bbox": "1,2"}}, "invalid_filter", "bbox"),
        ({"filters": {"community": "\u0000"}}, "text_unusable", "filters.community"),
        ({"filters": {"text": "x"}}, "invalid_filter", "text"),
        ({"filters": {"known_at": "2026-11-23T12:00:00"}}, "invalid_filter", "known_at"),
        ({"table": "rates", "format": "gpkg", "filters": {"by": "street"}}, "invalid_filter", "by"),
        ({"table": "coverage"}, "invalid_filter", "campaign"),
        ({"more": 1}, "unknown_field", "more"),
    ],
)
async def test_what_nobody_can_have_is_refused(
    client: Client, conn: asyncpg.Connection, wanted: dict[str, Any], code: str, field: str
) -> None:
    told = await ask(client, LEADER, 422, **wanted)
    assert (told["code"], told["field"]) == (code, field)
    assert await conn.fetchval("select count(*) from made_file") == 0
    assert (await ask(client, LEADER, 404, table="coverage", filters={"campaign": "none such"}))["code"] == "not_found"
    doors.refused(await client.post("/api/exports", json=ISSUES, headers=AUDITOR.headers), 403, "not_allowed")


async def test_the_same_filters_mean_the_same_as_in_an_address(
    client: Client, runner: Runner, filed: list[str], conn: asyncpg.Connection
) -> None:
    for filters in (
        {"community": [NEAR, "none"], "placed": "yes"},
        {"owner": "me"},
        {"organisation": ["none", str(MEMBER.organisation)]},
        {"overdue": "false", "bbox": "113.6,34.7,113.61,34.71"},
        {"reported_from": "2026-11-23", "as_of": "2026-11-23"},
    ):
        listed = await doors.every_page(client, LEADER, "/api/issues", **filters)
        file = (await ask(client, LEADER, filters=filters))["id"]
        await runner.work_off()
        assert [row["Number"] for row in rows(await fetch(client, LEADER, file))] == [one["number"] for one in listed]

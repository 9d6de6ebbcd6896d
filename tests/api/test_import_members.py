"""`zoufang import members`: joined, brought up to date and closed out of a list; what makes no sense is told by row."""

import asyncio
import csv
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import xlsxwriter
from click.testing import CliRunner, Result

from api import database, key_ring
from api.cli.members import members
from api.settings import Settings
from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    BELOW,
    BESIDE,
    DISPATCHER,
    DISTRICT,
    EVERYBODY,
    MEMBER,
    NEAR,
    ORGANISATION,
    STREET_DISPATCHER,
    WORKER,
    Client,
    TestClock,
)

pytestmark = pytest.mark.anyio

Import = Callable[..., Result]

LIST = """组织,姓名,手机,编号,角色,范围,责任区
区委,李书记,13700000001,A001,领导、管理员,全区;,
区委/淮河路街道党工委,张调度,13700000002,A002,调度员;党员,淮河路街道,淮河路街道
区委/淮河路街道党工委/近邻社区党委,王社区,137 0000 0003,A003,社区工作人员,近邻社区、隔壁社区,410103001001
区委/淮河路街道党工委/近邻社区党委/第一支部,赵支书,,A004,组织员,,
区委>淮河路街道党工委>近邻社区党委>第一支部,钱同志,,A005,,,
"""


@pytest.fixture
def setting(dsn: str, tmp_path: Path) -> Settings:
    settings = Settings(database_url=dsn, data=tmp_path / "data", keys=tmp_path / "keys" / "keys.json")
    key_ring.make(settings)
    return settings


@pytest.fixture
def imported(setting: Settings, tmp_path: Path) -> Import:
    """Runs the command on a text; it opens its own loop, so it is to be called beside the test's."""

    def run(text: str, *options: str, answer: str | None = None) -> Result:
        path = tmp_path / "members.csv"
        path.write_text(text, encoding="utf-8")
        arguments = [str(path), "--district", str(DISTRICT), *options]
        return CliRunner().invoke(members, arguments, obj=setting, input=answer)

    return run


def figures(result: Result) -> dict[str, int]:
    """What the summary counts, by its English words."""
    assert result.exit_code == 0, result.output
    found: dict[str, int] = {}
    for line in result.output.splitlines():
        count, _, words = line.strip().partition("  ")
        if count.replace(",", "").isdigit():
            english = words.partition(" →")[0].encode("ascii", "ignore").decode()
            found[english.strip()] = int(count.replace(",", ""))
    return found


async def found(conn: asyncpg.Connection, number: str) -> dict[str, Any]:
    row = await conn.fetchrow("select * from member where district = $1 and number = $2", DISTRICT, number)
    assert row is not None, number
    return dict(row)


async def roles(conn: asyncpg.Connection, number: str) -> set[tuple[str, str, str]]:
    question = (
        "select role, scope_kind, scope from member_role r join member m on m.id = r.member and m.district = r.district"
        " where m.district = $1 and m.number = $2"
    )
    return {tuple(row) for row in await conn.fetch(question, DISTRICT, number)}


async def events(conn: asyncpg.Connection, number: str) -> list[str]:
    member = await found(conn, number)
    question = "select event from history where district = $1 and thing = $2 order by version"
    return [row["event"] for row in await conn.fetch(question, DISTRICT, member["id"])]


TABLES = ["member", "member_role", "organisation", "organisation_spans", "organisation_area", "history", "text_version"]


async def everything(conn: asyncpg.Connection) -> list[Any]:
    return [await conn.fetch(f"select * from {table} order by 1, 2, 3") for table in TABLES]


MEMBERSHIP = ("member", "own", "")


async def test_a_list_founds_organisations_and_takes_in_members(imported: Import, conn: asyncpg.Connection) -> None:
    counted = figures(await asyncio.to_thread(imported, LIST))
    assert counted["organisations founded"] == 4
    assert (counted["members joined"], counted["rows rejected"]) == (5, 0)
    assert await roles(conn, "A001") == {
        MEMBERSHIP,
        ("leader", "district", str(DISTRICT)),
        ("administrator", "district", str(DISTRICT)),
    }
    assert await roles(conn, "A002") == {MEMBERSHIP, ("dispatcher", "street", "410103001")}
    assert await roles(conn, "A003") == {
        MEMBERSHIP,
        ("community_worker", "community", NEAR),
        ("community_worker", "community", "410103001002"),
    }
    branch = (await found(conn, "A004"))["organisation"]
    assert await roles(conn, "A004") == {MEMBERSHIP, ("organiser", "organisation", str(branch))}
    assert (await found(conn, "A005"))["organisation"] == branch
    areas = await conn.fetch("select kind, code from organisation_area order by kind")
    assert [tuple(row) for row in areas] == [("community", NEAR), ("street", "410103001")]
    assert await events(conn, "A003") == ["join"]
    assert b"1370000" not in (await found(conn, "A003"))["phone"]


async def test_a_second_time_changes_nothing(imported: Import, conn: asyncpg.Connection) -> None:
    await asyncio.to_thread(imported, LIST)
    before = await everything(conn)
    counted = figures(await asyncio.to_thread(imported, LIST))
    assert counted == {"members joined": 0, "members changed": 0, "members as they were": 5, "rows rejected": 0}
    assert await everything(conn) == before


async def test_a_dry_run_counts_and_writes_nothing(imported: Import, conn: asyncpg.Connection) -> None:
    before = await everything(conn)
    counted = figures(await asyncio.to_thread(imported, LIST, "--dry-run"))
    assert (counted["members joined"], counted["organisations founded"]) == (5, 4)
    assert await everything(conn) == before


async def test_a_changed_list_updates_and_transfers(imported: Import, conn: asyncpg.Connection) -> None:
    await asyncio.to_thread(imported, LIST)
    changed = LIST.replace("李书记", "李新名").replace("近邻社区党委>第一支部,钱同志", "近邻社区党委,钱同志")
    changed = changed.replace("A004,组织员", "A004,党员").replace("13700000002", "13700000009")
    counted = figures(await asyncio.to_thread(imported, changed))
    assert (counted["members changed"], counted["of them transferred"]) == (4, 1)
    assert await events(conn, "A001") == ["join", "update"]
    assert await events(conn, "A005") == ["join", "transfer"]
    assert await events(conn, "A004") == ["join", "give"]
    assert await roles(conn, "A004") == {MEMBERSHIP}
    assert (await found(conn, "A001"))["name"] == "李新名"


async def test_two_may_exchange_their_phones(imported: Import, conn: asyncpg.Connection) -> None:
    await asyncio.to_thread(imported, LIST)
    first, second = [(await found(conn, number))["phone_look_up"] for number in ("A001", "A002")]
    exchanged = LIST.replace("13700000001", "x").replace("13700000002", "13700000001").replace(",x,", ",13700000002,")
    assert figures(await asyncio.to_thread(imported, exchanged))["members changed"] == 2
    assert [(await found(conn, number))["phone_look_up"] for number in ("A002", "A001")] == [first, second]


async def test_an_empty_cell_says_nothing(imported: Import, conn: asyncpg.Connection) -> None:
    await asyncio.to_thread(imported, LIST)
    silent = "organisation,name,number,phone,roles\n区委,李书记,A001,,\n"
    assert figures(await asyncio.to_thread(imported, silent))["members as they were"] == 1
    assert len(await roles(conn, "A001")) == 3
    assert (await found(conn, "A001"))["phone"] is not None


FAULTY = """组织,姓名,手机,编号,角色,范围,责任区
,无组织,,B01,,,
区委//支部,错路径,,B02,,,
区委,,,B03,,,
区委,无编号,,,,,
区委,甲,123,B05,,,
区委,乙,,B06,书记,,
区委,丙,,B07,社区工作人员,,
区委,丁,,B08,社区工作人员,火星社区,
区委,戊,,B09,,近邻社区,
区委,己,,B10,调度员,,
区委,庚,,B11,,,火星
区委,辛,13600000001,B12,,,
区委,壬,13600000001,B13,,,
区委,癸,,B12,,,
区委,好人,,B99,,,
"""


async def test_rows_that_make_no_sense_are_put_aside_with_reasons(
    imported: Import, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    counted = figures(await asyncio.to_thread(imported, FAULTY, "--rejected", str(tmp_path / "no.csv")))
    assert (counted["members joined"], counted["rows rejected"]) == (2, 13)
    with (tmp_path / "no.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    told = {int(row["行号 row"]): row["原因"] for row in rows}
    assert sorted(told) == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15]
    assert told[2] == "组织：为空"
    assert "火星社区" in told[9]
    assert "编号相同" in told[15]
    assert all(row["reasons"] for row in rows)


async def test_a_dispatcher_of_the_whole_district_is_never_meant_by_silence(
    imported: Import, conn: asyncpg.Connection
) -> None:
    text = "组织,姓名,编号,角色,范围\n区委,甲,C1,调度员,\n区委,乙,C2,调度员,全区\n"
    assert figures(await asyncio.to_thread(imported, text))["rows rejected"] == 1
    assert await roles(conn, "C2") == {MEMBERSHIP, ("dispatcher", "district", str(DISTRICT))}


async def test_an_organiser_is_one_of_their_own_branch_unless_another_is_named(
    imported: Import, conn: asyncpg.Connection
) -> None:
    text = "组织,姓名,编号,角色,范围\n区委,甲,D1,组织员、社区工作人员,近邻社区\n区委,乙,D2,组织员,第一支部/第一小组\n"
    assert figures(await asyncio.to_thread(imported, text))["rows rejected"] == 0
    own = ("organiser", "organisation", str((await found(conn, "D1"))["organisation"]))
    assert await roles(conn, "D1") == {MEMBERSHIP, own, ("community_worker", "community", NEAR)}
    assert await roles(conn, "D2") == {MEMBERSHIP, ("organiser", "organisation", str(BELOW))}


# --- leavers


def everybody_but(*left_out: Any) -> str:
    paths = {ORGANISATION: "第一支部", BELOW: "第一支部/第一小组", BESIDE: "第二支部"}
    rows = [f"{paths[one.organisation]},{one.name},{one.number}" for one in EVERYBODY if one not in left_out]
    return "\n".join(["组织,姓名,编号", *rows])


async def test_who_is_missing_stays_unless_asked(imported: Import, conn: asyncpg.Connection) -> None:
    await asyncio.to_thread(imported, everybody_but(MEMBER))
    assert (await found(conn, MEMBER.number))["closed_at"] is None


async def test_who_is_missing_is_closed_and_what_they_own_goes_on(
    client: Client, clock: TestClock, imported: Import, conn: asyncpg.Connection
) -> None:
    draft = drafts.visit(issues=[drafts.issue()])
    await doors.file(client, MEMBER, draft)
    result = await asyncio.to_thread(imported, everybody_but(WORKER), "--close-missing", answer="y\n")
    assert "1 of 16 members" in result.output
    counted = figures(result)
    assert (counted["members closed"], counted["issues handed on"]) == (1, 1)
    clock.now = datetime.now(UTC)  # as the command's clock has it
    [event] = (await doors.issue(client, ADMINISTRATOR, draft["issues"][0]["id"]))["history"][1:]
    assert (event["event"], event["actor"]) == ("hand_on", {"kind": "import", "id": "members"})
    assert event["facts"]["owner"] == str(STREET_DISPATCHER.id)
    doors.refused(await client.get("/api/issues", headers=WORKER.headers), 401, "not_signed_in")
    assert await events(conn, WORKER.number) == ["close"]
    assert figures(await asyncio.to_thread(imported, everybody_but()))["members returned"] == 1
    assert await roles(conn, WORKER.number) == {MEMBERSHIP}


async def test_a_no_closes_nobody(imported: Import, conn: asyncpg.Connection) -> None:
    before = await everything(conn)
    result = await asyncio.to_thread(imported, everybody_but(MEMBER), "--close-missing", answer="n\n")
    assert result.exit_code == 1
    assert await everything(conn) == before


async def test_more_than_a_tenth_is_a_mistake_until_said_otherwise(imported: Import, conn: asyncpg.Connection) -> None:
    text = everybody_but(MEMBER, WORKER)
    result = await asyncio.to_thread(imported, text, "--close-missing", answer="y\n")
    assert (result.exit_code, "more than a tenth" in result.output) == (1, True)
    assert (await found(conn, MEMBER.number))["closed_at"] is None
    assert figures(await asyncio.to_thread(imported, text, "--close-missing", "--yes"))["members closed"] == 2


@pytest.mark.parametrize("who", [DISPATCHER, ADMINISTRATOR])
async def test_the_dispatcher_and_the_last_administrator_are_not_closed(
    imported: Import, conn: asyncpg.Connection, who: Any
) -> None:
    before = await everything(conn)
    result = await asyncio.to_thread(imported, everybody_but(who), "--close-missing", "--yes")
    assert (result.exit_code, "Nothing was changed" in result.output) == (1, True)
    assert await everything(conn) == before


async def test_nobody_is_closed_while_a_row_has_no_number(imported: Import) -> None:
    text = everybody_but(MEMBER) + "\n第一支部,王走访,"
    result = await asyncio.to_thread(imported, text, "--close-missing", "--yes")
    assert (result.exit_code, "no number" in result.output) == (1, True)


async def test_a_row_that_was_rejected_is_nobody_who_left(imported: Import, conn: asyncpg.Connection) -> None:
    text = everybody_but(MEMBER) + f"\n第一支部//,王走访,{MEMBER.number}"
    counted = figures(await asyncio.to_thread(imported, text, "--close-missing", "--yes"))
    assert (counted["rows rejected"], counted.get("members closed", 0)) == (1, 0)


# --- files


async def test_a_spreadsheet_with_a_title(setting: Settings, tmp_path: Path, conn: asyncpg.Connection) -> None:
    path = tmp_path / "list.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.merge_range("A1:D1", "党员名册")
        sheet.write_row("A2", ["所在党组织", "姓名", "党员编号", "手机号码"])
        sheet.write_row("A3", ["区委/第一支部", "张三", 1001, 13700000001])
    result = await asyncio.to_thread(CliRunner().invoke, members, [str(path), "--district", str(DISTRICT)], obj=setting)
    assert figures(result)["members joined"] == 1
    assert (await found(conn, "1001"))["phone"] is not None


@pytest.mark.parametrize(
    ("text", "told"), [("姓名,编号\n张三,1\n", "组织"), ("组织,姓名,编号\n", "no rows"), ("", "no rows")]
)
async def test_a_file_that_is_no_list_is_refused(imported: Import, text: str, told: str) -> None:
    result = await asyncio.to_thread(imported, text)
    assert (result.exit_code, told in result.output) == (1, True), result.output


async def test_a_district_that_is_not_there(setting: Settings, tmp_path: Path) -> None:
    path = tmp_path / "members.csv"
    path.write_text(LIST)
    result = await asyncio.to_thread(CliRunner().invoke, members, [str(path), "--district", "999"], obj=setting)
    assert (result.exit_code, "There is no district 999" in result.output) == (1, True)


WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"


@pytest.mark.timeout(300)
async def test_ctrl_c_leaves_everything_as_it_was(
    setting: Settings, conn: asyncpg.Connection, dsn: str, tmp_path: Path
) -> None:
    """Another transaction holds the district, so that the import is caught at its work."""
    path = tmp_path / "members.csv"
    path.write_text(LIST)
    before = await everything(conn)
    holder = await database.connect(dsn)
    held = holder.transaction()
    await held.start()
    await holder.execute("select from district where district = $1 for no key update", DISTRICT)
    environment = {
        **os.environ,
        "DATABASE_URL": dsn,
        "ZOUFANG_DATA": str(setting.data),
        "ZOUFANG_KEYS": str(setting.key_file),
    }
    command = [sys.executable, "-c", "from api.cli import main; main()", "import", "members", str(path)]
    process = await asyncio.create_subprocess_exec(
        *command, "--district", str(DISTRICT), env=environment, stderr=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(90):
            while not await conn.fetchval(WAITING):  # noqa: ASYNC110 - it is another process that waits
                await asyncio.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, told = await asyncio.wait_for(process.communicate(), 60)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await held.rollback()
        await holder.close()
    assert (process.returncode, b"Nothing was changed" in told) == (130, True), told
    assert await everything(conn) == before

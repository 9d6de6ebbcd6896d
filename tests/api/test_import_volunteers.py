"""`zoufang import volunteers`: teams and who is in them out of a list, again and again."""

import asyncio
import csv
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import xlsxwriter
from click.testing import CliRunner, Result

from api import key_ring
from api.cli.volunteers import volunteers
from api.settings import Settings
from surveys.history import Actor
from surveys.volunteering import endings, volunteer_changes
from surveys.volunteering.endings import Ending
from surveys.volunteering.volunteer_changes import Consent
from tests.conftest import DISTRICT, MEMBER, NOW, STRANGER, WORKER

pytestmark = pytest.mark.anyio

Import = Callable[..., Result]

LIST = """服务队,类别,组织,服务范围,队长编号,姓名,党员编号,手机,技能,时段
近邻互助队,邻里互助,第一支部,近邻社区;隔壁社区,1,王阿姨,,120 0000 1234,理发;缝补,周六 9:00-11:30
近邻互助队,,第一支部,,,李大叔,,12000004321,家电维修,周二 19:00-21:00、周日9：00至10：00
近邻互助队,,第一支部,,,,2,,,
文艺队,文艺,第一支部/第一小组,淮河路街道,,王阿姨,,12000001234,戏曲,
"""
DESK = Actor("member", str(WORKER.id))


@pytest.fixture
def setting(dsn: str, tmp_path: Path) -> Settings:
    settings = Settings(database_url=dsn, data=tmp_path / "data", keys=tmp_path / "keys" / "keys.json")
    key_ring.make(settings)
    return settings


@pytest.fixture
def imported(setting: Settings, tmp_path: Path) -> Import:
    """Runs the command on a text; it opens its own loop, so it is to be called beside the test's."""

    def run(text: str, *options: str) -> Result:
        path = tmp_path / "volunteers.csv"
        path.write_text(text, encoding="utf-8")
        return CliRunner().invoke(volunteers, [str(path), "--district", str(DISTRICT), *options], obj=setting)

    return run


def figures(result: Result) -> list[int]:
    """What the summary counts: teams founded and changed, volunteers registered and changed, joined, rejected."""
    assert result.exit_code == 0, result.output
    lines = [line.strip().partition("  ")[0] for line in result.output.splitlines()]
    return [int(count.replace(",", "")) for count in lines if count.replace(",", "").isdigit()]


async def teams_of(conn: asyncpg.Connection) -> dict[str, list[str]]:
    rows = await conn.fetch(
        "select x.body->>'name' as team, coalesce(m.name, y.body->>'name') as name from team_volunteer v"
        " join volunteer_team t on t.id = v.team join text_version x on x.subject = t.id and x.version = t.text_version"
        " join volunteer p on p.id = v.volunteer left join member m on m.id = p.member"
        " left join text_version y on y.subject = p.id and y.version = p.text_version"
        " where v.left_at is null order by 1, 2"
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["team"], []).append(row["name"])
    return found


async def test_a_list_founds_teams_and_the_same_again_changes_nothing(
    imported: Import, conn: asyncpg.Connection
) -> None:
    assert figures(await asyncio.to_thread(imported, LIST, "--dry-run")) == [2, 0, 4, 0, 5, 0]
    assert await conn.fetchval("select count(*) from volunteer") == 0, "a dry run writes nothing"
    assert figures(await asyncio.to_thread(imported, LIST)) == [2, 0, 4, 0, 5, 0]
    assert await teams_of(conn) == {
        "文艺队": ["王阿姨"],
        "近邻互助队": sorted([MEMBER.name, STRANGER.name, "李大叔", "王阿姨"]),
    }
    hours = await conn.fetch("select weekday, starts, ends from volunteer_hours order by 1")
    assert [tuple(row) for row in hours] == [(2, 1140, 1260), (6, 540, 690), (7, 540, 600)]
    assert figures(await asyncio.to_thread(imported, LIST)) == [0, 0, 0, 0, 0, 0]


async def test_a_second_list_brings_up_to_date_and_leaves_consent_and_who_is_missing(
    imported: Import, conn: asyncpg.Connection
) -> None:
    await asyncio.to_thread(imported, LIST)
    auntie = await conn.fetchval("select subject from text_version where body->>'name' = '王阿姨'")
    await volunteer_changes.consent(conn, DISTRICT, auntie, Consent(id=uuid4(), name_public=True), DESK, NOW)
    changed = LIST.splitlines()[0] + "\n近邻互助队,文艺,第一支部,远方社区,2,李大叔,,12000009999,量血压,周一 8:00-9:00\n"
    assert figures(await asyncio.to_thread(imported, changed)) == [0, 1, 0, 1, 0, 0]
    assert len((await teams_of(conn))["近邻互助队"]) == 4, "nobody is taken out"
    assert await conn.fetchval("select name_public_since is not null from volunteer where id = $1", auntie)
    team = await conn.fetchrow("select kind, m.number from volunteer_team t join volunteer v on v.id = t.leader"
                               " join member m on m.id = v.member where t.version = 2")  # fmt: skip
    assert team is not None
    assert tuple(team) == ("arts", STRANGER.number)
    assert await conn.fetchval("select count(*) from volunteer_team_area where kind = 'community'") == 3
    assert figures(await asyncio.to_thread(imported, changed)) == [0, 0, 0, 0, 0, 0]


async def test_two_of_one_name_are_told_apart_by_their_phones(imported: Import, conn: asyncpg.Connection) -> None:
    head = "服务队,类别,组织,姓名,手机\n"
    twice = head + "一队,其他,第一支部,王芳,12000000001\n一队,,第一支部,王芳,12000000002\n"
    assert figures(await asyncio.to_thread(imported, twice)) == [1, 0, 2, 0, 2, 0]
    assert figures(await asyncio.to_thread(imported, twice)) == [0, 0, 0, 0, 0, 0]
    assert await conn.fetchval("select count(distinct look_up) from sealed_field") == 2


async def test_what_makes_no_sense_is_told_by_row_and_the_rest_is_taken(
    imported: Import, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    rows = [
        "一队,其他,第一支部,,,王阿姨,,,,",
        ",其他,第一支部,,,无队,,,,",
        "二队,,第一支部,,,无类,,,,",
        "三队,跳伞,第一支部,,,怪类,,,,",
        "四队,其他,没有的支部,,,无组织,,,,",
        "五队,其他,第一支部,火星,,无社区,,,,",
        "六队,其他,第一支部,,999,无队长,,,,",
        "七队,其他,第一支部,,,,,,,",
        "八队,其他,第一支部,,,坏电话,,12,,",
        "九队,其他,第一支部,,,坏时段,,,,周八 9:00-10:00",
        "十队,其他,第一支部,,,倒时段,,,,周一 12:00-10:00",
        "十一队,其他,第一支部,,,,1,12000001234,,",
        "=cmd(),其他,第一支部,,,<img onerror=x>,,,,",
    ]
    result = await asyncio.to_thread(imported, LIST.splitlines()[0] + "\n" + "\n".join(rows) + "\n")
    assert figures(result)[-1] == 11
    assert sorted(await teams_of(conn)) == ["=cmd()", "一队"]
    with (tmp_path / "volunteers.csv.rejected.csv").open(encoding="utf-8-sig") as file:
        told = list(csv.reader(file))
    assert len(told) == 12
    assert any("没有这个社区或街道：火星" in row[1] for row in told)


async def test_a_member_who_ended_it_is_not_brought_back_by_a_list(imported: Import, conn: asyncpg.Connection) -> None:
    await asyncio.to_thread(imported, LIST)
    stranger = await conn.fetchval("select id from volunteer where member = $1", STRANGER.id)
    erasure = await endings.planned(conn, DISTRICT, stranger, NOW)
    await endings.end(conn, erasure, stranger, Ending(id=uuid4(), sure=True), DESK, NOW)
    assert figures(await asyncio.to_thread(imported, LIST))[-1] == 1
    assert STRANGER.name not in (await teams_of(conn))["近邻互助队"]


async def test_a_spreadsheet_is_read_too(setting: Settings, conn: asyncpg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "队员.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for at, line in enumerate(LIST.splitlines()):
            sheet.write_row(at, 0, line.split(","))
    arguments = [str(path), "--district", str(DISTRICT)]
    result = await asyncio.to_thread(CliRunner().invoke, volunteers, arguments, obj=setting)
    assert figures(result) == [2, 0, 4, 0, 5, 0]
    other = await asyncio.to_thread(CliRunner().invoke, volunteers, [str(path), "--district", "1"], obj=setting)
    assert other.exit_code == 1
    assert "没有这个区" in other.output

"""`zoufang import categories`: a list in either layout, CSV or spreadsheet, is taken over whole or refused by row."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
import xlsxwriter
from click.testing import CliRunner, Result

from api.category_lists import REASONS, read_drafts
from api.cli.categories import categories
from api.settings import Settings
from api.tables import UnusableTable
from surveys.clock.clock import Span
from surveys.issues.categories import LimitDraft, UnusableCategories, in_hours
from tests.conftest import DISTRICT

pytestmark = pytest.mark.anyio

OWN = """code,name,parent,channel,department,department_name,normal,urgent,emergency,retired
11,企业服务,,,,,,,,
1101,企业融资,11,green_channel,finance,金融局,360,120,48,
1102,企业用工,11,agent,finance,,240,,,yes
"""
CHINESE = """类别编码,类别名称,上级编码,办理方式,责任部门编码,责任部门,一般时限,停用
0102,暴露垃圾,01,代办/上门,city_management,城市管理局,48,否
"""
CITY = """code,major_code,major_name,minor_code,minor_name
01,01,市容环境,,
0102,01,市容环境,02,暴露垃圾
0116,01,市容环境,16,油烟污染
"""

Import = Callable[..., Result]


@pytest.fixture
def imported(dsn: str, tmp_path: Path) -> Import:
    """Runs the command on a text; it opens its own loop, so it is to be called beside the test's."""

    def run(text: str, *options: str, district: int = DISTRICT, encoding: str = "utf-8") -> Result:
        path = tmp_path / "categories.csv"
        path.write_bytes(text.encode(encoding))
        arguments = [str(path), "--district", str(district), *options]
        return CliRunner().invoke(categories, arguments, obj=Settings(database_url=dsn))

    return run


async def row(conn: asyncpg.Connection, code: str) -> asyncpg.Record:
    [found] = await conn.fetch("select * from category where district = $1 and code = $2", DISTRICT, code)
    return found


async def limits(conn: asyncpg.Connection, code: str) -> dict[str, int]:
    question = "select urgency, amount from category_limit where district = $1 and category = $2 order by version"
    return {found["urgency"]: found["amount"] for found in await conn.fetch(question, DISTRICT, code)}


async def test_our_own_layout(imported: Import, conn: asyncpg.Connection) -> None:
    result = await asyncio.to_thread(imported, OWN, "--urgent", "30")
    assert (result.exit_code, result.output) == (
        0,
        "3 rows: 3 new, 0 changed, 2 with new limits, 1 retired.\n",
    )
    financing = await row(conn, "1101")
    assert (financing["name"], financing["parent"], financing["channel"]) == ("企业融资", "11", "green_channel")
    assert await limits(conn, "1101") == {"normal": 360, "urgent": 120, "emergency": 48}
    assert await limits(conn, "1102") == {"normal": 240, "urgent": 30, "emergency": 4}
    assert await limits(conn, "11") == {}
    assert (await row(conn, "1102"))["retired_at"] is not None
    assert await conn.fetchval("select name from department where code = 'finance'") == "金融局"


async def test_a_second_time_changes_nothing(imported: Import, conn: asyncpg.Connection) -> None:
    await asyncio.to_thread(imported, OWN)
    result = await asyncio.to_thread(imported, OWN)
    assert "0 new, 0 changed, 0 with new limits, 0 retired" in result.output
    assert await conn.fetchval("select max(version) from category_limit where category like '11%'") == 1


async def test_chinese_columns_in_gb18030(imported: Import, conn: asyncpg.Connection) -> None:
    result = await asyncio.to_thread(imported, CHINESE, encoding="gb18030")
    assert result.exit_code == 0, result.output
    found = await row(conn, "0102")
    assert (found["name"], found["channel"], found["department"]) == ("暴露垃圾", "agent", "city_management")
    assert await limits(conn, "0102") == {"normal": 48, "urgent": 24, "emergency": 4}
    assert await conn.fetchval("select name from department where code = 'city_management'") == "城市管理局"


async def test_the_city_management_layout(imported: Import, conn: asyncpg.Connection) -> None:
    result = await asyncio.to_thread(imported, CITY, "--channel", "agent", "--normal", "48")
    assert result.exit_code == 0, result.output
    assert (await row(conn, "01"))["name"] == "市容环境"
    smoke = await row(conn, "0116")
    assert (smoke["name"], smoke["parent"], smoke["channel"]) == ("油烟污染", "01", "agent")
    assert await limits(conn, "0116") == {"normal": 48, "urgent": 8, "emergency": 4}
    assert (await row(conn, "0102"))["channel"] == "joint_review", "what stands is not moved by defaults"


async def test_missing_ones_are_retired_when_asked(imported: Import, conn: asyncpg.Connection) -> None:
    await asyncio.to_thread(imported, CITY, "--retire-missing")
    assert (await row(conn, "0103"))["retired_at"] is not None
    assert (await row(conn, "0102"))["retired_at"] is None


async def test_a_spreadsheet_with_a_title_and_numbers_as_numbers(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.merge_range("A1:D1", "问题类别表")
        sheet.write_row("A2", ["code", "name", "normal", "retired"])
        sheet.write_row("A4", [1101, "企业融资", 360, "否"])
    [draft] = read_drafts(path)
    assert (draft.row, draft.code, draft.limits, draft.retired) == (4, "1101", in_hours({"normal": 360}), False)


UNITS = """编码,名称,一般时限,一般响应时限,紧急时限,紧急单位,紧急响应,紧急响应单位,紧急办理方式,特急时限,特急响应
1101,企业融资,10个工作日,2,8,工作时,1,小时,绿色通道,4,1
1102,企业用工,10 working days,4 工作时,2,working_days,,,,4小时,
"""


async def test_limits_in_working_time_with_first_contact_and_channel(tmp_path: Path) -> None:
    path = tmp_path / "units.csv"
    path.write_text(UNITS)
    first, second = read_drafts(path)
    assert first.limits == {
        "normal": LimitDraft(Span(10, "working_days"), Span(2, "working_days")),
        "urgent": LimitDraft(Span(8, "working_hours"), Span(1, "calendar_hours"), "green_channel"),
        "emergency": LimitDraft(Span(4, "calendar_hours"), Span(1, "calendar_hours")),
    }
    assert second.limits == {
        "normal": LimitDraft(Span(10, "working_days"), Span(4, "working_hours")),
        "urgent": LimitDraft(Span(2, "working_days")),
        "emergency": LimitDraft(Span(4, "calendar_hours")),
    }


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("0,", "limit_unusable"),
        ("-1,", "limit_unusable"),
        ("3天,", "limit_unusable"),
        ("2501,工作日", "limit_unusable"),
        ("87601,", "limit_unusable"),
        ("٣,", "limit_unusable"),
        ("5个工作日,小时", "limit_unusable"),
        ("=cmd(),", "limit_unusable"),
        ("5,星期", "unit_unknown"),
        ("5,<img onerror=alert(1)>", "unit_unknown"),
        (",工作日", "limit_missing"),
    ],
)
async def test_limits_that_are_none_are_named(tmp_path: Path, cells: str, reason: str) -> None:
    path = tmp_path / "limits.csv"
    path.write_text(f"code,name,normal,normal_unit\n91,甲,{cells}\n")
    with pytest.raises(UnusableCategories) as refused:
        read_drafts(path)
    assert [(bad.row, bad.reason) for bad in refused.value.rows] == [(2, reason)]


async def test_an_option_that_is_no_limit_is_refused(imported: Import) -> None:
    result = await asyncio.to_thread(imported, OWN, "--normal", "soon")
    assert result.exit_code == 2
    assert "'soon' is no limit" in result.output
    assert (await asyncio.to_thread(imported, OWN, "--normal", "5个工作日")).exit_code == 0


FAULTY = """code,name,channel,department,department_name,normal,retired
,无编码,,,,,
61,甲,飞鸽,,,,
62,乙,,,,三天,
63,丙,,,,,也许
64,丁,,,无码局,,
65,戊,,a,甲局,,
66,己,,a,乙局,,
67,庚,,,,,,多
123456789012345678901,辛,,,,,
"""


async def test_every_bad_row_of_a_file_is_named(imported: Import, conn: asyncpg.Connection) -> None:
    result = await asyncio.to_thread(imported, FAULTY)
    assert result.exit_code == 1
    lines = result.output.splitlines()[1:]
    assert [int(line.split("第 ")[1].split()[0]) for line in lines] == [2, 3, 4, 5, 6, 8, 9, 10]
    assert "飞鸽" in lines[1]
    assert not await conn.fetchval("select exists (select from category where code like '6%')")


async def test_faults_that_only_the_district_knows_are_named_too(imported: Import) -> None:
    result = await asyncio.to_thread(imported, "code,name,parent,department\n71,甲,98,\n72,乙,,nobody\n")
    assert result.exit_code == 1
    assert "98" in result.output
    assert "nobody" in result.output


async def test_a_district_that_is_not_there(imported: Import) -> None:
    result = await asyncio.to_thread(imported, CITY, district=999)
    assert (result.exit_code, "There is no district 999" in result.output) == (1, True)


def test_a_file_without_the_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("编号,地点\n1,x\n")
    with pytest.raises(UnusableTable, match="columns_missing"):
        read_drafts(path)


def test_an_invisible_character_is_a_fault_and_not_a_name(tmp_path: Path) -> None:
    path = tmp_path / "invisible.csv"
    path.write_bytes(b"code,name\n81,a\x00b\n")
    with pytest.raises(UnusableCategories) as refused:
        read_drafts(path)
    assert [bad.reason for bad in refused.value.rows] == ["text_unusable"]


def test_every_reason_can_be_said() -> None:
    for reason in REASONS.values():
        assert reason.format(value="x")

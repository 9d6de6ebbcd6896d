"""`zoufang import issues`: files as people send them, from the command line to the database."""

import asyncio
import csv
import os
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import asyncpg
import pytest
import xlsxwriter
from click.testing import CliRunner, Result

from api.cli.issues import FAULTS, issues
from api.ledgers import REASONS, RejectedRows, defused
from api.settings import Settings
from api.tables import Cell
from surveys.ledgers import ledger_mapping
from surveys.ledgers.ledger_mapping import FIELDS, REACHABLE
from surveys.ledgers.ledger_rows import Reason, Rejected
from tests.api.processes import COMMAND, ROOT
from tests.conftest import DISTRICT, NEAR
from tests.surveys.ledgers_at_hand import MAPPING, ROW, china

pytestmark = pytest.mark.anyio

Table = Sequence[Mapping[str, Cell]]


def write_csv(path: Path, rows: Table, encoding: str = "utf-8") -> Path:
    """A ledger as text, each row with an id of its own unless it has one."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(ROW)
        for number, row in enumerate(rows, start=2):
            writer.writerow([*{**ROW, "编号": f"A-{number}", **row}.values()])
    return path


def write_xlsx(path: Path, rows: Table) -> Path:
    """A ledger as offices keep it: a title over all columns, a header of two merged rows, and empty rows between."""
    with xlsxwriter.Workbook(path) as book:
        sheet, shown = book.add_worksheet("台账"), book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        sheet.merge_range(0, 0, 0, len(ROW) - 1, "二七区问题台账（2026 年）")
        for at, column in enumerate(ROW):
            if column in ("经度", "纬度"):
                sheet.write(2, at, column)
            else:
                sheet.merge_range(1, at, 2, at, column)
        lon = list(ROW).index("经度")
        sheet.merge_range(1, lon, 1, lon + 1, "坐标")
        for number, row in enumerate(rows):
            for at, value in enumerate({**ROW, "编号": number + 1, **row}.values()):
                if isinstance(value, datetime):
                    sheet.write_datetime(4 + 2 * number, at, value, shown)
                else:
                    sheet.write(4 + 2 * number, at, value)
    return path


def change(mapping: Path, before: str, after: str, encoding: str = "utf-8") -> None:
    """Write the mapping anew with something else in it."""
    mapping.write_text(mapping.read_text(encoding="utf-8").replace(before, after), encoding=encoding)


Command = Callable[..., Result]


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "mapping.toml"
    path.write_text(MAPPING, encoding="utf-8")
    return path


@pytest.fixture
def command(dsn: str, owner_dsn: str, mapping: Path) -> Command:
    """Run the command on the test's own database."""

    def run(file: Path, *options: str, district: int = DISTRICT) -> Result:
        arguments = [str(file), "--mapping", str(mapping), "--district", str(district), *options]
        return CliRunner().invoke(issues, arguments, obj=Settings(database_url=dsn, migration_database_url=owner_dsn))

    return run


async def beside(command: Command, *arguments: object, **options: object) -> Result:
    """The command opens its own loop, so it has its own thread."""
    return await asyncio.to_thread(command, *arguments, **options)


def refused_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


async def filed(conn: asyncpg.Connection) -> list[str]:
    return [row["source_id"] for row in await conn.fetch("select source_id from issue order by source_id")]


# --- files as they come


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
async def test_a_text_file_is_taken_over(
    command: Command, conn: asyncpg.Connection, tmp_path: Path, encoding: str
) -> None:
    rows: Table = [{}, {"状态": "已办结", "办结时间": "2026-11-03 17:00"}]
    result = await beside(command, write_csv(tmp_path / "台账.csv", rows, encoding))
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "        2  rows read 读取",
        "        2  filed 已入库",
        "        0  already there 已存在",
        "        0  rejected 未接受",
    ]
    assert "Ledger 台账" in result.stderr
    assert [tuple(row) for row in await conn.fetch("select state, community from issue order by source_id")] == [
        ("reported", NEAR),
        ("closed", NEAR),
    ]
    body = await conn.fetchval("select body from text_version limit 1")
    assert body["title"] == "门口垃圾成堆"
    assert not (tmp_path / "台账.csv.rejected.csv").exists()


async def test_a_spreadsheet_with_merged_headers_and_empty_rows_is_taken_over(
    command: Command, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    rows: Table = [{"上报时间": datetime(2026, 11, 1, 9, 30), "经度": 113.605}, {}]  # noqa: DTZ001
    result = await beside(command, write_xlsx(tmp_path / "台账.xlsx", rows))
    assert result.exit_code == 0, result.output
    issues = await conn.fetch("select source_id, reported_at, community from issue order by source_id")
    assert [tuple(issue) for issue in issues] == [
        (f"12345 热线:{number}", china(2026, 11, 1, 9, 30), NEAR) for number in (1, 2)
    ]


async def test_refused_rows_are_handed_back_with_every_reason_and_run_nothing(
    command: Command, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    rows: Table = [
        {},
        {"标题": '=HYPERLINK("http://x","点我")', "内容": "@SUM(A1)", "上报时间": "昨天", "状态": "已飞走"},
        {"标题": "＝1+1", "经度": -76.6, "纬度": 999},
        {"编号": "A-2"},
        {"标题": "有\x00字符"},
    ]
    result = await beside(command, write_csv(tmp_path / "台账.csv", rows))
    assert result.exit_code == 0, result.output
    assert f"        4  rejected 未接受 → {tmp_path / '台账.csv.rejected.csv'}" in result.stdout
    told = refused_rows(tmp_path / "台账.csv.rejected.csv")
    assert [(row["行号 row"], row["原因"]) for row in told] == [
        ("3", "上报时间：日期无法识别：昨天；状态：状态没有对应：已飞走"),
        ("4", "纬度：纬度应在 -90 到 90 之间：999.0"),
        ("5", "编号：编号与第 2 行重复"),
        ("6", "标题：含有不可用的字符"),
    ]
    assert told[0]["reasons"] == (
        "上报时间 is a date in none of the formats: 昨天; 状态 is a state that the mapping does not know: 已飞走"
    )
    assert (told[0]["标题"], told[0]["内容"]) == ('\'=HYPERLINK("http://x","点我")', "'@SUM(A1)")
    assert (told[1]["标题"], told[1]["经度"]) == ("'＝1+1", "-76.6")
    assert await filed(conn) == ["12345 热线:A-2"]


async def test_once_put_right_a_row_is_taken_over_and_the_others_are_known(
    command: Command, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    ledger = write_csv(tmp_path / "a.csv", [{}, {"状态": "已飞走"}])
    await beside(command, ledger)
    result = await beside(command, write_csv(tmp_path / "a.csv", [{}, {"状态": "待受理"}]))
    assert "        1  filed 已入库\n        1  already there 已存在\n        0  rejected" in result.stdout
    assert not (tmp_path / "a.csv.rejected.csv").exists()
    assert len(await filed(conn)) == 2


async def test_a_cell_of_ten_megabytes_refuses_its_row_and_no_other(
    command: Command, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    ledger = write_csv(tmp_path / "a.csv", [{}, {"内容": "长" * 3_500_000}, {}])
    result = await beside(command, ledger, "--rejected", str(tmp_path / "bad.csv"))
    assert result.exit_code == 0, result.output
    assert await filed(conn) == ["12345 热线:A-2", "12345 热线:A-4"]
    assert "内容：文字超过 5000 个字" in (tmp_path / "bad.csv").read_text(encoding="utf-8-sig")[:200]


async def test_a_dry_run_tells_and_refuses_and_writes_nothing(
    command: Command, conn: asyncpg.Connection, tmp_path: Path, mapping: Path
) -> None:
    change(mapping, "[categories.codes]", "[categories]\ncreate = true\n[categories.codes]")
    ledger = write_csv(tmp_path / "a.csv", [{"类别": "新的"}, {"状态": "已飞走"}, {"经度": "", "纬度": ""}])
    result = await beside(command, ledger, "--dry-run")
    assert result.stdout.splitlines()[:3] == [
        "        3  rows read 读取",
        "        2  would be filed 将入库",
        "        1    of them without a position 其中没有坐标",
    ]
    assert len(refused_rows(tmp_path / "a.csv.rejected.csv")) == 1
    assert await conn.fetchval("select (select count(*) from issue) + (select count(*) from category)") == 4


async def test_the_import_is_told_once_and_not_when_nothing_was_new(
    command: Command, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    ledger = write_csv(tmp_path / "a.csv", [{}])
    await beside(command, ledger)
    await beside(command, ledger)
    (event,) = await conn.fetch("select facts, happened_at, recorded_at from history where kind = 'ledger'")
    assert (event["facts"]["rows"], event["facts"]["filed"]) == (1, 1)
    assert event["happened_at"] <= event["recorded_at"]


async def test_postgresql_looks_at_its_tables_after_the_first_chunk(
    command: Command, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    await beside(command, write_csv(tmp_path / "a.csv", [{}]))
    assert await conn.fetchval("select count(*) from pg_stats where tablename = 'issue' and attname = 'district'") == 1


# --- what is wrong with a file as a whole


async def test_columns_that_are_not_there_are_told_beside_those_that_are(
    command: Command, tmp_path: Path, mapping: Path
) -> None:
    change(mapping, '"标题"', '"题目"')
    change(mapping, '"类别"', '"分类"')
    result = await beside(command, write_csv(tmp_path / "a.csv", [{}]))
    assert result.exit_code == 1
    assert "mapping.toml names columns that the file does not have 表中没有这些列: 题目, 分类." in result.stderr
    assert "It has 表中有: 编号, 标题, 内容" in result.stderr


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (("[states]", "[states"), "mapping.toml, line 第 24 行 is not TOML"),
        (
            ('"closed"', '"vanished"'),
            "line 第 27 行 cannot be followed 无法使用: states: Invalid enum value 'vanished'",
        ),
        (('"0102"', '"0999"'), "leads to categories that the district does not have 本区没有这些编码: 0999"),
    ],
)
async def test_a_wrong_mapping_is_told_with_its_line(
    command: Command, conn: asyncpg.Connection, tmp_path: Path, mapping: Path, changed: tuple[str, str], told: str
) -> None:
    change(mapping, *changed)
    result = await beside(command, write_csv(tmp_path / "a.csv", [{}]))
    assert result.exit_code == 1
    assert told in result.stderr
    assert await filed(conn) == []


async def test_a_mapping_in_another_encoding_is_refused(command: Command, tmp_path: Path, mapping: Path) -> None:
    change(mapping, "", "", encoding="gb18030")
    result = await beside(command, write_csv(tmp_path / "a.csv", [{}]))
    assert "mapping.toml is not UTF-8" in result.stderr


async def test_a_district_that_there_is_not_is_told(command: Command, tmp_path: Path) -> None:
    result = await beside(command, write_csv(tmp_path / "a.csv", [{}]), district=1)
    assert "There is no district 1." in result.stderr


async def test_the_ledger_is_never_overwritten_by_its_refused_rows(command: Command, tmp_path: Path) -> None:
    ledger = write_csv(tmp_path / "a.csv", [{}])
    before = ledger.read_bytes()
    assert (await beside(command, ledger, "--rejected", str(ledger))).exit_code == 2
    assert ledger.read_bytes() == before


async def test_refused_rows_that_cannot_be_written_are_not_lost_in_silence(
    command: Command, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    ledger = write_csv(tmp_path / "a.csv", [{}, {"状态": "已飞走"}])
    result = await beside(command, ledger, "--rejected", str(tmp_path / "nowhere" / "bad.csv"))
    assert result.exit_code == 1
    assert "bad.csv cannot be written 无法写入: No such file or directory. 0 rows were filed" in result.stderr
    assert await filed(conn) == []


# --- an import that stops, and goes on


BROKEN = b"\xff\xff\xff\n"


async def test_a_file_that_is_broken_is_told_with_its_line(
    command: Command, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    ledger = write_csv(tmp_path / "a.csv", [{} for _ in range(300)])
    append(ledger, BROKEN)
    result = await beside(command, ledger)
    assert result.exit_code == 1
    assert "a.csv is broken at line 302: not UTF-8" in result.stderr
    assert await filed(conn) == []


async def test_what_stands_before_a_break_that_shows_late_is_filed(
    command: Command, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    """That a text is no GB18030 shows only while it is read."""
    ledger = write_csv(tmp_path / "a.csv", [{} for _ in range(600)], "gb18030")
    append(ledger, BROKEN)
    result = await beside(command, ledger)
    assert result.exit_code == 1
    assert "a.csv is broken at line" in result.stderr
    found = len(await filed(conn))
    assert f"{found:>9,}  filed 已入库" in result.stderr
    assert found > 500


def append(path: Path, more: bytes) -> None:
    with path.open("ab") as file:
        file.write(more)


# Each part of a ledger takes its second, so that there is a time to stop in however fast the machine.
SLOWLY = """
create function take_a_second() returns trigger language plpgsql as 'begin perform pg_sleep(1); return null; end';
create trigger slowly after insert on issue for each statement execute function take_a_second();
"""


@pytest.mark.timeout(300)
async def test_a_stopped_import_keeps_what_it_filed_and_goes_on_when_started_again(
    command: Command, dsn: str, owner_dsn: str, conn: asyncpg.Connection, tmp_path: Path, mapping: Path
) -> None:
    total = 8_000
    ledger = write_csv(tmp_path / "a.csv", [{} for _ in range(total)])
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute(SLOWLY)
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "import", "issues", str(ledger), "--mapping", str(mapping), "--district", str(DISTRICT),
        env=os.environ | {"DATABASE_URL": dsn, "MIGRATION_DATABASE_URL": owner_dsn, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    while await conn.fetchval("select count(*) from issue") < 1_000:
        assert process.returncode is None
        await asyncio.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, stderr = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 130, stderr.decode()
    kept = len(await filed(conn))
    assert f"{kept} rows were filed and stay" in stderr.decode()
    assert 1_000 <= kept < total
    await owner.execute("drop trigger slowly on issue")
    await owner.close()
    result = await beside(command, ledger)
    assert f"{total - kept:>9,}  filed 已入库\n{kept:>9,}  already there 已存在" in result.stdout
    assert await conn.fetchval("select count(distinct number) from issue") == total


# --- texts and cells


def test_every_reason_and_every_fault_has_its_text() -> None:
    """The codes are read out of the code that gives them."""
    sources = [ROOT / "surveys/ledgers" / name for name in ("ledger_rows.py", "ledgers.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    given = set(re.findall(r'(?:refuse|Reason)\(\s*"(\w+)"', text))
    assert given | {"too_many_cells"} <= REASONS.keys()
    positions = (ROOT / "maps" / "coordinates.py").read_text(encoding="utf-8")
    assert set(re.findall(r'InvalidPosition\("(\w+)"', positions)) <= REASONS.keys()
    mappings = (ROOT / "surveys/ledgers/ledger_mapping.py").read_text(encoding="utf-8") + text
    assert set(re.findall(r'UnusableMapping\("(\w+)"', mappings)) <= FAULTS.keys()
    tables = (ROOT / "api" / "tables.py").read_text(encoding="utf-8")
    assert set(re.findall(r'UnusableTable\("(\w+)"', tables)) <= FAULTS.keys()


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=1+1", "'=1+1"), ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"), ("-2+3", "'-2+3"), ("@x", "'@x"),
        ("\t=1", "'\t=1"), ("＝1", "'＝1"), ("-76.6", "-76.6"), (-76.6, "-76.6"), ("+8613800000000", "+8613800000000"),
        ("门口", "门口"), ("", ""), ("a=b", "a=b"),
    ],
)  # fmt: skip
def test_what_a_spreadsheet_would_run_is_quoted_and_numbers_are_not(cell: Cell, shown: str) -> None:
    assert defused(cell) == shown


def test_refused_rows_of_an_earlier_run_do_not_stay(tmp_path: Path) -> None:
    path = tmp_path / "rejected.csv"
    with RejectedRows(path, ["编号", ""]) as rejected:
        rejected.add(Rejected(7, (Reason("id_missing", "编号"),), {"编号": ""}))
    assert [row["行号 row"] for row in refused_rows(path)] == ["7"]
    with RejectedRows(path, ["编号", ""]):
        pass
    assert not path.exists()
    with RejectedRows(tmp_path / "none.csv", ["编号"]):
        pass
    assert not (tmp_path / "none.csv").exists()


# --- the page that explains the mapping

PAGE = ROOT / "api" / "cli" / "ledgers.md"


def test_the_page_explains_every_field_and_every_state() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for field in FIELDS:
        assert re.search(rf"^{field} = ", text, flags=re.MULTILINE), field
    for state in REACHABLE:
        assert f'= "{state}"' in text, state


def test_the_example_of_the_page_is_a_mapping() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    mapping = ledger_mapping.read(example)
    assert mapping.columns.keys() == set(FIELDS)
    assert mapping.categories.codes == {"垃圾清运": "0102"}


@pytest.mark.parametrize("name", ["ledgers.md", "ledgers.zh-CN.md"])
def test_every_link_of_the_pages_leads_somewhere(name: str) -> None:
    page = PAGE.with_name(name)
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    assert links
    assert all((page.parent / link).exists() for link in links)

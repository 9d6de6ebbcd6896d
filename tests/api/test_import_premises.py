"""`zoufang import premises`: doors come on the register once; what makes no sense, or is there twice, is told."""

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import python_calamine as calamine
import xlsxwriter
from click.testing import CliRunner, Result

from api.cli.premises import premises
from api.settings import Settings
from maps import coordinates
from surveys.premises.premises import alike
from tests.api.processes import Program
from tests.conftest import DISTRICT, FAR, NEAR, NEXT

pytestmark = pytest.mark.anyio

Import = Callable[..., Result]

LIST = """编号,类型,名称,地址,社区,经度,纬度
S1,商铺,近邻超市,淮河路12号,,113.605,34.705
S2,商铺,老张烩面馆,淮河路14号,近邻社区,113.606,34.705
S3,企业,明德科技有限公司,铭功路8号3层,远方社区,,
,居民,,幸福路1号院3号楼2单元501,隔壁社区,,
,居民,,幸福路1号院3号楼2单元502,隔壁社区,,
"""


@pytest.fixture
def imported(dsn: str, tmp_path: Path) -> Import:
    """Runs the command on a text or a file; it opens its own loop, so it is to be called beside the test's."""

    def run(content: str | bytes | Path, *options: str, name: str = "doors.csv") -> Result:
        path = content if isinstance(content, Path) else tmp_path / name
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        elif isinstance(content, bytes):
            path.write_bytes(content)
        arguments = [str(path), "--district", str(DISTRICT), *options]
        return CliRunner().invoke(premises, arguments, obj=Settings(database_url=dsn, data=tmp_path / "data"))

    return run


def figures(result: Result) -> dict[str, int]:
    """What the summary counts, by its English words."""
    assert result.exit_code == 0, result.output
    found: dict[str, int] = {}
    for line in result.output.splitlines():
        count, _, words = line.strip().partition("  ")
        if count.replace(",", "").isdigit():
            found[words.partition(" →")[0].encode("ascii", "ignore").decode().strip()] = int(count.replace(",", ""))
    return found


def read(path: Path) -> list[dict[str, str]]:
    """A file of refused rows or a report, by the English of its headings."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [
            {heading.encode("ascii", "ignore").decode().strip(): cell for heading, cell in row.items()}
            for row in csv.DictReader(file)
        ]


DOORS = """
select p.*, t.body->>'name' as name, t.body->>'address' as address, t.bigrams from premises p
join text_version t on t.district = p.district and t.subject = p.id and t.version = p.text_version
where p.district = $1 order by t.body->>'name'
"""


async def doors(conn: asyncpg.Connection) -> dict[str, dict[str, Any]]:
    """The register, by what the doors are called."""
    return {row["name"]: dict(row) for row in await conn.fetch(DOORS, DISTRICT)}


async def everything(conn: asyncpg.Connection) -> list[Any]:
    return [await conn.fetch(f"select * from {table} order by 1, 2, 3") for table in ("premises", "text_version")] + [
        await conn.fetch("select * from history where kind = 'premises' order by id")
    ]


async def test_doors_come_on_the_register_in_their_communities(imported: Import, conn: asyncpg.Connection) -> None:
    counted = figures(await asyncio.to_thread(imported, LIST))
    assert (counted["rows read"], counted["new on the register"], counted["rejected"]) == (5, 5, 0)
    assert counted["of them without a position"] == 3
    found = await doors(conn)
    shop = found["近邻超市"]
    assert (shop["kind"], shop["code"], shop["state"], shop["source"]) == ("shop", "S1", "confirmed", "import")
    assert (shop["community"], shop["certainty"], shop["version"]) == (NEAR, "inside", 1)
    assert None not in (shop["boundary_version"], shop["cell"])
    assert shop["alike"] == alike("shop", "近邻超市", "淮河路12号")
    assert "近邻" in shop["bigrams"], "it can be searched for"
    assert (found["明德科技有限公司"]["community"], found["明德科技有限公司"]["certainty"]) == (FAR, "unplaced")
    home = found["幸福路1号院3号楼2单元501"]
    assert (home["kind"], home["community"], home["code"]) == ("household", NEXT, None)


async def test_one_event_tells_of_the_whole_list(imported: Import, conn: asyncpg.Connection) -> None:
    await asyncio.to_thread(imported, LIST)
    (event,) = await conn.fetch("select * from history where kind = 'premises'")
    assert (event["event"], event["actor_kind"], event["actor"]) == ("import", "import", "premises")
    assert (event["facts"]["rows"], event["facts"]["new"]) == (5, 5)
    assert "近邻" not in json.dumps(event["facts"], ensure_ascii=False)


async def test_a_second_time_changes_nothing(imported: Import, conn: asyncpg.Connection) -> None:
    await asyncio.to_thread(imported, LIST)
    before = await everything(conn)
    counted = figures(await asyncio.to_thread(imported, LIST))
    assert (counted["new on the register"], counted["already on the register"]) == (0, 5)
    assert await everything(conn) == before


async def test_a_door_is_known_by_its_code_or_as_written_alike(imported: Import, conn: asyncpg.Connection) -> None:
    await asyncio.to_thread(imported, LIST)
    again = """编号,类型,名称,地址,社区,经度,纬度
S1,商铺,近邻大超市,淮河路12号,,113.605,34.705
S7,商铺,老张烩面馆,淮河路14号,近邻社区,113.606,34.705
S8,商铺,近邻超市,淮河路12号,远方社区,,
"""
    counted = figures(await asyncio.to_thread(imported, again, "--dry-run"))
    assert (counted["already on the register"], counted["of them told differently, left as they are"]) == (1, 1)
    assert counted["new on the register"] == 2, "another code is another door, and so is one in another community"
    assert "近邻大超市" not in await doors(conn)
    written = "类型,名称,地址,社区\n商铺,老张 烩面馆,淮河路１４号,近邻社区\n"
    assert figures(await asyncio.to_thread(imported, written))["already on the register"] == 1


async def test_a_dry_run_counts_and_writes_nothing(imported: Import, conn: asyncpg.Connection) -> None:
    assert figures(await asyncio.to_thread(imported, LIST, "--dry-run"))["new on the register"] == 5
    assert await everything(conn) == [[], [], []]


async def test_doubles_are_left_out_and_near_doubles_are_told(
    imported: Import, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    text = LIST + (
        "S1,商铺,近邻超市,淮河路12号,,113.605,34.705\n"
        ",商铺,老张烩面馆！,淮河路 14 号,近邻社区,,\n"
        "S9,商铺,老张烩面店,淮河路14号,,113.6061,34.7051\n"
        "S10,商铺,近邻药店,淮河路30号,远方社区,113.606,34.706\n"
    )
    counted = figures(await asyncio.to_thread(imported, text))
    assert (counted["new on the register"], counted["doubles within the list"]) == (7, 2)
    assert counted["pairs that may be the same door"] == 1
    report = {row["row"]: row for row in read(tmp_path / "doors.csv.report.csv")}
    assert (report["7"]["other row"], "same door" in report["7"]["finding"]) == ("2", True)
    assert report["8"]["other row"] == "3"
    assert (report["9"]["name"], report["9"]["other's name"]) == ("老张烩面店", "老张烩面馆")
    assert report["10"]["community"] == NEAR, "it names another than it lies in"
    assert "请核对" in (tmp_path / "doors.csv.report.csv").read_text(encoding="utf-8-sig")


async def test_a_new_list_is_compared_with_the_register(imported: Import, tmp_path: Path) -> None:
    await asyncio.to_thread(imported, LIST)
    text = "类型,名称,地址,社区\n商铺,近邻超市便利店,淮河路12号,近邻社区\n"
    counted = figures(await asyncio.to_thread(imported, text, "--report", str(tmp_path / "look.xlsx")))
    assert counted["pairs that may be the same door"] == 1
    rows = calamine.CalamineWorkbook.from_path(tmp_path / "look.xlsx").get_sheet_by_index(0).to_python()
    assert (rows[1][2], "S1" in rows[1]) == ("近邻超市便利店", True)


FAULTY = """编号,类型,名称,地址,社区,经度,纬度,坐标系
F1,,无类型,路,,,,
F2,饭馆,不明,路,,,,
F3,商铺,,有地址,,,,
F4,居民,,,近邻社区,,,
F5,商铺,火星店,路,火星社区,,,
F6,商铺,缺纬度,路,,113.605,,
F7,商铺,不是数,路,,东,34.7,
F8,商铺,太远,路,,213.6,34.7,
F9,商铺,写反了,路,,34.705,113.6,
F10,商铺,写反在外,路,,34.705,89,
F11,商铺,怪坐标,路,,113.605,34.705,火星坐标
F12,商铺,好店,路,,113.605,34.705,
F12,商铺,坏店,路,,113.605,34.705,
"""


async def test_rows_that_make_no_sense_are_told_by_row_and_column(
    imported: Import, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    counted = figures(await asyncio.to_thread(imported, FAULTY))
    assert (counted["new on the register"], counted["rejected"]) == (2, 11)
    refused = {row["row"]: row for row in read(tmp_path / "doors.csv.rejected.csv")}
    expected = {
        "2": "类型 has no kind",
        "3": "类型 is neither shop, enterprise nor household: 饭馆",
        "4": "名称 is empty",
        "5": "地址 is empty",
        "6": "社区 is a community that the district does not have: 火星社区",
        "7": "纬度 is missing although the other coordinate is there",
        "8": "经度 is not a number",
        "9": "经度 is a longitude beyond ±180: 213.6",
        "12": "坐标系 is a coordinate system that we do not know: 火星坐标",
        "14": "编号 is the code of row 13, which is another door",
    }
    for row, reason in expected.items():
        assert refused[row]["reasons"] == reason
    assert set(await doors(conn)) == {"写反在外", "好店"}


async def test_swapped_coordinates_are_noticed(imported: Import, conn: asyncpg.Connection, tmp_path: Path) -> None:
    text = "类型,名称,x,y\n商铺,写反了,34.705,89.5\n商铺,好店,113.605,34.705\n"
    assert figures(await asyncio.to_thread(imported, text))["rejected"] == 0
    assert (await doors(conn))["写反了"]["certainty"] == "outside"


@pytest.mark.parametrize("system", ["gcj02", "bd09", "wgs84", "cgcs2000"])
async def test_positions_are_kept_as_they_came(imported: Import, conn: asyncpg.Connection, system: Any) -> None:
    lon, lat = coordinates.from_wgs84(113.6005, 34.7005, system)
    text = f"name,address,lng,lat\n店,路,{lon},{lat}\n"
    figures(await asyncio.to_thread(imported, text, "--kind", "shop", "--system", system))
    (found,) = (await doors(conn)).values()
    assert (found["position_system"], found["position_lon"], found["position_lat"]) == (system, lon, lat)
    assert (found["lon"], found["lat"]) == pytest.approx((113.6005, 34.7005), abs=1e-7)
    assert found["community"] == NEAR


RESIDENTS = """户主,地址,社区,联系电话
张三,幸福路1号院501,近邻社区,13700000001
李四,幸福路1号院502,近邻社区,13700000002
"""


async def test_residents_names_are_left_out_and_said_so(
    imported: Import, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    for options in ((), ("--column", "name=户主")):
        result = await asyncio.to_thread(imported, RESIDENTS, "--kind", "household", *options)
        assert figures(result)["rows read"] == 2
        assert "户主" in result.output
        assert "户主" in (tmp_path / "doors.csv.report.csv").read_text(encoding="utf-8-sig")
    assert len(await doors(conn)) == 2
    kept = "".join(str(row) for table in await everything(conn) for row in table)
    assert not [told for told in ("张三", "13700000001") if told in kept]


async def test_a_mapping_names_columns_and_words(imported: Import, conn: asyncpg.Connection, tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        '[columns]\nname = "招牌"\ncommunity = "片区"\n[kinds.words]\n"饭馆" = "shop"\n'
        f'[communities.codes]\n"东片" = "{NEAR}"\n[defaults]\nsystem = "gcj02"\n',
        encoding="utf-8",
    )
    text = "招牌,类型,片区,门牌\n老张,饭馆,东片,淮河路12号\n"
    counted = figures(await asyncio.to_thread(imported, text, "--mapping", str(mapping), "--column", "address=门牌"))
    assert counted["new on the register"] == 1
    found = (await doors(conn))["老张"]
    assert (found["kind"], found["community"], found["address"]) == ("shop", NEAR, "淮河路12号")


async def test_geojson_brings_points_and_shapes(imported: Import, conn: asyncpg.Connection, tmp_path: Path) -> None:
    square = [[113.611, 34.701], [113.613, 34.701], [113.613, 34.703], [113.611, 34.703], [113.611, 34.701]]
    features = [
        ({"type": "Point", "coordinates": [113.605, 34.705]}, {"name": "点", "address": "路"}),
        ({"type": "Polygon", "coordinates": [square]}, {"name": "面", "floors": 6}),
        (None, {"name": "无图形", "community": "远方社区", "tags": {"a": [1]}}),
        ({"type": "Polygon", "coordinates": "x"}, {"name": "坏图形"}),
    ]
    document = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "geometry": shape, "properties": told} for shape, told in features],
    }
    content = json.dumps(document, ensure_ascii=False)
    result = await asyncio.to_thread(imported, content, "--kind", "shop", name="doors.geojson")
    assert (figures(result)["new on the register"], figures(result)["rejected"]) == (3, 1)
    found = await doors(conn)
    assert [found[name]["community"] for name in ("点", "面", "无图形")] == [NEAR, NEXT, FAR]
    assert read(tmp_path / "doors.geojson.rejected.csv")[0]["reasons"] == "has a geometry that cannot be read"


async def test_a_spreadsheet_in_gb_and_a_sheet_that_is_not_there(
    imported: Import, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "doors.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("空")
        sheet = book.add_worksheet("商铺")
        sheet.merge_range(0, 0, 0, 2, "二七区商铺底册")
        for number, row in enumerate(csv.reader(LIST.splitlines()), start=1):
            sheet.write_row(number, 0, row)
    assert "no sheet 没有" in (await asyncio.to_thread(imported, path, "--sheet", "没有")).output
    assert figures(await asyncio.to_thread(imported, path, "--sheet", "商铺"))["new on the register"] == 5
    assert figures(await asyncio.to_thread(imported, LIST.encode("gb18030")))["already on the register"] == 5


BROKEN = {
    "no_columns": ("谁,哪\n甲,乙\n", "names no column for name"),
    "no_kind": ("名称,地址\n甲,乙\n", "names no column for kind"),
    "half_position": ("类型,名称,经度\n商铺,甲,113\n", "names no column for lat"),
    "empty": ("", "has no rows"),
    "no_rows": ("类型,名称\n", "has no rows"),
    "broken": (LIST.encode() + b"\xff\xfe,\n", "is broken at line 7"),
    "not_geojson": ('{"type": "FeatureCollection", "features": [{]}', "cannot be read"),
    "no_features": ('{"type": "FeatureCollection", "features": []}', "has no rows"),
    "deep": ("[" * 0 + '{"a":' * 100_000, "cannot be read"),
}


@pytest.mark.parametrize(("content", "told"), BROKEN.values(), ids=BROKEN)
async def test_a_file_that_cannot_be_read_is_told_and_changes_nothing(
    imported: Import, conn: asyncpg.Connection, content: str | bytes, told: str
) -> None:
    result = await asyncio.to_thread(imported, content)
    assert (result.exit_code, told in result.output) == (1, True), result.output
    assert await everything(conn) == [[], [], []]


NASTY = [
    "<img src=x onerror=alert(1)>",
    "${7*7}`",
    "=cmd|' /C calc'!A0",
    "＝1+1",
    "a" * 10_000_000,
    "甲\x00乙",
    "\u202e店",
]


@pytest.mark.parametrize("text", NASTY, ids=[repr(text[:12]) for text in NASTY])
async def test_nasty_cells_are_kept_as_texts_or_refused(
    imported: Import, conn: asyncpg.Connection, tmp_path: Path, text: str
) -> None:
    cells = [text, text.replace("\x00", "\x01")]
    lines = [f'商铺,"{cell}","{cell}",S{at}' for at, cell in enumerate(cells)]
    result = await asyncio.to_thread(imported, "\n".join(["类型,名称,地址,编号", *lines]))
    counted = figures(result)
    assert counted["new on the register"] + counted["rejected"] + counted.get("doubles within the list", 0) == 2
    for row in await conn.fetch(DOORS, DISTRICT):
        assert row["name"] == text
    for path in (tmp_path / "doors.csv.rejected.csv", tmp_path / "doors.csv.report.csv"):
        told = [cell for row in read(path) for cell in row.values()] if path.exists() else []
        assert not [cell[:20] for cell in told if cell.startswith(("=", "＝"))]


async def test_two_lists_at_once_bring_each_door_once(dsn: str, conn: asyncpg.Connection, tmp_path: Path) -> None:
    commands = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.csv"
        path.write_text(LIST, encoding="utf-8")
        program = Program(tmp_path / name, DATABASE_URL=dsn)
        asked = ("import", "premises", str(path), "--district", str(DISTRICT))
        commands.append(asyncio.to_thread(program.run, *asked))
    done = await asyncio.gather(*commands)
    assert [one.returncode for one in done] == [0, 0], [one.stderr for one in done]
    assert [len(rows) for rows in await everything(conn)] == [5, 5, 1]


WRITING = """
select exists (select from pg_stat_activity where datname = current_database() and query ilike 'copy%premises%')
"""


@pytest.mark.timeout(300)
async def test_ctrl_c_leaves_nothing_half(dsn: str, conn: asyncpg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    rows = "".join(f"商铺,店{at},路{at}号,近邻社区\n" for at in range(60_000))
    path.write_text(f"类型,名称,地址,社区\n{rows}", encoding="utf-8")
    command = [sys.executable, "-c", "from api.cli import main; main()", "import", "premises", str(path)]
    process = await asyncio.create_subprocess_exec(
        *command,
        "--district",
        str(DISTRICT),
        env={**os.environ, "DATABASE_URL": dsn, "ZOUFANG_DATA": str(tmp_path / "data")},
        stderr=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(180):
            while not await conn.fetchval(WRITING):  # noqa: ASYNC110 - it is another process that writes
                await asyncio.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, told = await asyncio.wait_for(process.communicate(), 60)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    assert (process.returncode, b"Nothing was changed" in told) == (130, True), told
    assert await everything(conn) == [[], [], []]

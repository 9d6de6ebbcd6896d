"""Lists that come in through a page: looked at first, with columns named otherwise, and then taken over once."""

import io
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
import xlsxwriter

from tests import doors
from tests.conftest import ADMINISTRATOR, DISTRICT, Client, found_district

pytestmark = pytest.mark.anyio

MEMBERS = (
    "单位,姓名,工号,手机\n"
    "第一支部,新同志,N1,13800000001\n"
    "第一支部,,N2,\n"
    '第一支部,"=1+1<img src=x onerror=""window.ran=1"">",N3,不是号码\n'
    "新街道/新支部,另一位,N4,\n"
)
MAPPED = "map=path%3D单位&map=number%3D工号"
VOLUNTEERS = (
    "队伍名称,类别,组织,队长编号,志愿者,党员编号,手机\n"
    "近邻互助队,邻里互助,第一支部,1,王阿姨,,12000001234\n"
    "近邻互助队,,第一支部,,,2,\n"
    '没有类别队,,第一支部,,"=1+1<img src=x onerror=""window.ran=1"">",,\n'
    "近邻互助队,,没有的支部,,李大叔,,\n"
)
CATEGORIES = "编码,名称,上级,一般\n0900,新大类,,\n0901,路面塌陷,0900,3个工作日\n"
HOLIDAYS = "日期,类型,名称\n2027-01-01,休,元旦\n2027-05-01,休,劳动节\n2027-10-01,休,国庆节\n2027-01-03,班,元旦\n"


async def look(
    client: Client, kind: str, text: str | bytes, query: str = "", *, take: bool = False, status: int = 200
) -> dict[str, Any]:
    content = text.encode() if isinstance(text, str) else text
    path = f"/api/imports/{kind}?dry_run={str(not take).lower()}&{query}"
    headers = ADMINISTRATOR.headers | {"Content-Type": "application/octet-stream"}
    return doors.answered(await client.post(path, content=content, headers=headers), status)


async def test_columns_are_guessed_named_anew_and_looked_at(client: Client, conn: asyncpg.Connection) -> None:
    before = await doors.written(conn)
    looked = await look(client, "members", MEMBERS)
    assert (looked["fields"]["name"], looked["fields"]["path"], looked["fields"]["number"]) == ("姓名", None, None)
    assert looked["faults"][0]["reason"] == "没有对应的列：组织、编号"
    looked = await look(client, "members", MEMBERS, MAPPED)
    assert looked["fields"]["number"] == "工号"
    at = list(looked["fields"]).index("number")
    assert [row[at] for row in looked["sample"]] == ["N1", "N2", "N3", "N4"]
    assert (looked["counts"]["new"], looked["counts"]["rejected"], looked["stored"]) == (2, 2, False)
    assert [(one["row"], one["reason"]) for one in looked["faults"]] == [
        (3, "姓名：为空"),
        (4, "手机：手机号写法有误"),
    ]
    assert "'=1+1<img" in looked["report"]  # no spreadsheet program runs it
    assert await doors.written(conn) == before
    assert await conn.fetchval("select count(*) from member where number like 'N%'") == 0


async def test_a_list_is_taken_over_once(client: Client, conn: asyncpg.Connection) -> None:
    taken = await look(client, "members", MEMBERS, MAPPED, take=True)
    assert (taken["counts"]["new"], taken["stored"]) == (2, True)
    assert await conn.fetchval("select count(*) from member where number in ('N1', 'N4')") == 2
    again = await look(client, "members", MEMBERS, MAPPED, take=True)
    assert (again["counts"]["new"], again["counts"]["changed"], again["counts"]["unchanged"]) == (0, 0, 2)


async def test_volunteers_are_told_row_by_row_and_taken_over_as_the_file_that_was_looked_at(
    client: Client, conn: asyncpg.Connection
) -> None:
    before = await doors.written(conn)
    looked = await look(client, "volunteers", VOLUNTEERS)
    assert (looked["counts"], looked["stored"]) == ({"teams": 1, "volunteers": 3, "joined": 3, "rejected": 2}, False)
    assert [(one["row"], one["about"], one["does"]) for one in looked["rows"]] == [
        (2, "近邻互助队 · 王阿姨", "新建服务队、登记志愿者、加入服务队、指定队长"),
        (3, "近邻互助队 · 2", "登记志愿者、加入服务队"),
    ]
    assert [(one["row"], one["reason"]) for one in looked["faults"]] == [
        (4, "类别：新的服务队要写类别"),
        (5, "组织：没有这个组织，或有几个同名：没有的支部"),
    ]
    assert "'=1+1<img" in looked["report"]  # no spreadsheet program runs it
    assert await doors.written(conn) == before
    digest = f"digest={looked['digest']}"
    other = await look(client, "volunteers", VOLUNTEERS + "\n", digest, take=True, status=409)
    assert other["code"] == "list_changed"
    assert await conn.fetchval("select count(*) from volunteer") == 0
    taken = await look(client, "volunteers", VOLUNTEERS, digest, take=True)
    assert (taken["counts"], taken["stored"]) == (looked["counts"], True)
    told = "select distinct actor_kind, actor from history where kind in ('volunteer', 'team')"
    assert [tuple(row) for row in await conn.fetch(told)] == [("member", str(ADMINISTRATOR.id))]
    again = await look(client, "volunteers", VOLUNTEERS, take=True)
    assert again["counts"] == {"volunteers": 0, "joined": 0, "rejected": 2}
    assert [one["does"] for one in again["rows"]] == ["没有变化", "没有变化"]


async def test_categories_come_whole_or_not_at_all(client: Client, conn: asyncpg.Connection) -> None:
    broken = CATEGORIES + "0902,怎么办,9999,昨天\n"
    looked = await look(client, "categories", broken, take=True)
    assert (looked["stored"], [one["row"] for one in looked["faults"]]) == (False, [4])
    count = "select count(*) from category where district = $1 and code like '09%'"
    assert await conn.fetchval(count, DISTRICT) == 0
    taken = await look(client, "categories", CATEGORIES, take=True)
    assert (taken["counts"]["new"], taken["stored"]) == (2, True)
    again = await look(client, "categories", CATEGORIES, take=True)
    assert (again["counts"]["new"], again["counts"]["changed"], again["counts"]["limits"]) == (0, 0, 0)


async def test_holidays_come_where_there_is_one_district(client: Client, conn: asyncpg.Connection) -> None:
    looked = await look(client, "holidays", HOLIDAYS)
    assert (looked["counts"]["new"], looked["faults"]) == (4, [])
    short = await look(client, "holidays", "日期,类型\n2027-01-01,休\n")
    assert (short["stored"], len(short["faults"])) == (False, 2)  # no list of a year lacks May and October
    assert (await look(client, "holidays", HOLIDAYS, take=True))["stored"]
    assert (await look(client, "holidays", HOLIDAYS, take=True))["counts"]["new"] == 0
    await found_district(conn, 110101)
    headers = ADMINISTRATOR.headers
    doors.refused(await client.post("/api/imports/holidays", content=b"x", headers=headers), 403, "holidays_of_all")


async def test_a_spreadsheet_with_a_title_keeps_its_row_numbers(client: Client) -> None:
    written = io.BytesIO()
    with xlsxwriter.Workbook(written) as book:
        sheet = book.add_worksheet("名册")
        sheet.write(0, 0, "二七区党员名册")
        for at, row in enumerate(
            [["组织", "姓名", "编号"], ["第一支部", "新同志", "N1"], ["第一支部", "", "N2"]], start=2
        ):
            sheet.write_row(at, 0, row)
    looked = await look(client, "members", written.getvalue(), f"sheet={quote('名册')}")
    assert (looked["counts"]["new"], [one["row"] for one in looked["faults"]]) == (1, [5])


@pytest.mark.parametrize(
    ("text", "query", "code"),
    [
        (b"\xff\xfe\x00", "", "list_unusable"),
        ("姓名,姓名\n甲,乙\n", "", "list_unusable"),
        ("姓名\n甲\n", "map=number%3D工号", "unknown_column"),
        ("姓名\n甲\n", "map=soul%3D姓名", "unknown_column"),
        ("姓名\n甲\n", "map=x", "unknown_column"),
    ],
)
async def test_what_is_no_list_is_refused(shared: Client, text: str | bytes, query: str, code: str) -> None:
    headers = ADMINISTRATOR.headers
    content = text.encode() if isinstance(text, str) else text
    answer = await shared.post(f"/api/imports/members?{query}", content=content, headers=headers)
    assert doors.answered(answer, 422)["code"] == code

"""Questionnaires over HTTP and by command: published once, given out, filled in, and their answers taken along."""

import csv
import io
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import python_calamine as calamine
from click.testing import CliRunner

from api import shipped_questionnaires
from api.cli.questionnaires import questionnaire
from api.settings import Settings
from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    AUDITOR,
    DISTRICT,
    LEADER,
    MEMBER,
    OTHER_WORKER,
    STRANGER,
    WORKER,
    Client,
    Person,
)
from tests.forms import QUESTION, workbook

pytestmark = pytest.mark.anyio

PATH = "/api/questionnaires"
ROWS = [
    {"type": "select_one yn", "name": "open", "label::中文 (zh)": "开门吗", "label::English (en)": "Open?"},
    {"type": "select_multiple kinds", "name": "kinds", "label::中文 (zh)": "卖什么", "label::English (en)": "Goods"},
    {"type": "integer", "name": "staff", "label::中文 (zh)": "人数", "label::English (en)": "Staff"},
    {"type": "begin_repeat", "name": "wish", "label::中文 (zh)": "需求", "label::English (en)": "Wish"},
    {"type": "text", "name": "what", "label::中文 (zh)": "=cmd()", "label::English (en)": "What"},
    {"type": "end_repeat", "name": "", "label::中文 (zh)": ""},
]
CHOICES = [
    {"list_name": "yn", "name": "yes", "label::中文 (zh)": "开", "label::English (en)": "Yes"},
    {"list_name": "yn", "name": "no", "label::中文 (zh)": "没开", "label::English (en)": "No"},
    {"list_name": "kinds", "name": "fruit", "label::中文 (zh)": "水果", "label::English (en)": "Fruit"},
    {"list_name": "kinds", "name": "tea", "label::中文 (zh)": "茶", "label::English (en)": "Tea"},
]


def form(version: str = "1", rows: list[dict[str, str]] = ROWS, **settings: str) -> bytes:
    return workbook(rows, CHOICES, [{"form_id": "stalls", "form_title": "摊位", "version": version, **settings}])


async def publish(client: Client, content: bytes, status: int = 201, who: Person = ADMINISTRATOR, **params: str) -> Any:
    answer = await client.post(
        PATH, content=content, params={"name": "摊位.xlsx", **params}, headers=who.headers, timeout=60
    )
    assert answer.status_code == status, answer.text
    return answer.json()


def answers(version: str = "1", **values: Any) -> dict[str, Any]:
    return {"questionnaire": "stalls", "version": version, "values": values}


async def fill_in(client: Client, version: str = "1", **values: Any) -> doors.Answer:
    return await doors.file(client, MEMBER, drafts.visit(answers=answers(version, **values)))


async def table(client: Client, name: str, who: Person = LEADER, lang: str = "en") -> list[dict[str, str]]:
    answer = await client.get(f"{PATH}/stalls/{name}", params={"lang": lang}, headers=who.headers)
    assert answer.status_code == 200, answer.text
    if name.endswith("csv"):
        return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    header, *rows = (
        calamine.CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).get_sheet_by_index(0).to_python()
    )
    return [dict(zip(map(str, header), row, strict=True)) for row in rows]  # type: ignore[arg-type]


async def test_a_form_is_published_once_and_its_version_never_changes(client: Client, conn: asyncpg.Connection) -> None:
    content = form()
    assert await publish(client, content, kind="shop") == {"id": "stalls", "version": "1", "status": "published"}
    assert (await publish(client, content, 200))["status"] == "unchanged"
    refused = await publish(client, form(rows=ROWS[:3]), 409)
    assert (refused["code"], refused["field"]) == ("version_taken", "version")
    assert (await publish(client, form("2")))["version"] == "2"
    assert (await publish(client, content, 200))["version"] == "1"
    listed = (await doors.read(client, MEMBER, PATH))["items"]
    assert [(one["id"], one["kind"], one["current"]) for one in listed] == [("stalls", "shop", "2")]
    assert {one["version"]: one["published_by"] for one in listed[0]["versions"]} == {"1": "郑管理", "2": "郑管理"}
    told = await conn.fetch(
        "select event, facts->>'version' as v from history where kind = 'questionnaire' order by version"
    )
    assert [(row["event"], row["v"]) for row in told] == [("publish", "1"), ("publish", "2")]


async def test_the_database_lets_nobody_change_a_version(client: Client, conn: asyncpg.Connection) -> None:
    await publish(client, form())
    for statement in ("update questionnaire_version set xform = ''", "delete from questionnaire_version"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(statement)


async def test_a_version_is_given_out_and_withdrawn(client: Client) -> None:
    await publish(client, form())
    await publish(client, form("2"))

    async def change(status: int, **asked: Any) -> Any:
        answer = await client.post(f"{PATH}/stalls/changes", json=asked, headers=ADMINISTRATOR.headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    assert (await change(200, current="1"))["current"] == "1"
    assert (await change(409, current="1"))["code"] == "nothing_changes"
    assert (await change(422, current="7"))["code"] == "unknown_version"
    assert (await change(200, current=None))["current"] is None
    assert (await change(200, kind="household"))["kind"] == "household"
    assert (await change(422, kind="castle"))["field"] == "kind"
    answer = await client.post(f"{PATH}/nothing/changes", json={"current": None}, headers=ADMINISTRATOR.headers)
    doors.refused(answer, 404, "not_found", "questionnaire")
    answer = await client.post(f"{PATH}/stalls/changes", json={"current": "1"}, headers=LEADER.headers)
    doors.refused(answer, 403, "not_allowed")


async def test_the_form_is_read_by_who_fills_it_in_and_kept_by_its_tag(client: Client) -> None:
    content = form()
    await publish(client, content)
    path = f"{PATH}/stalls/versions/1"
    got = await client.get(f"{path}/form.xml", headers=MEMBER.headers)
    assert got.status_code == 200
    assert got.headers["content-type"].startswith("text/xml")
    assert 'id="stalls"' in got.text
    again = await client.get(f"{path}/form.xml", headers=MEMBER.headers | {"If-None-Match": got.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    source = await client.get(f"{path}/source", headers=ADMINISTRATOR.headers)
    assert source.content == content
    assert source.headers["content-disposition"] == 'attachment; filename="stalls-1.xlsx"'
    asked = await doors.read(client, MEMBER, path)
    assert [field["name"] for field in asked["fields"]] == ["open", "kinds", "staff", "wish"]
    for who, wanted in ((AUDITOR, 403), (STRANGER, 200)):
        assert (await client.get(f"{path}/form.xml", headers=who.headers)).status_code == wanted
    assert (await client.get(f"{path}/form.xml")).status_code == 401
    assert (await client.get(f"{PATH}/stalls/versions/9/form.xml", headers=MEMBER.headers)).status_code == 404


@pytest.mark.parametrize(("language", "words"), [("zh-CN", "没有名称为"), ("en", "there is no question")])
async def test_faults_are_told_by_place_in_the_reader_s_language(client: Client, language: str, words: str) -> None:
    bad = workbook([QUESTION, {"type": "text", "name": "b", "label": "x", "relevant": "${c} = 1"}])
    headers = ADMINISTRATOR.headers | {"Accept-Language": language}
    answer = await client.post(PATH, content=bad, params={"name": "x.xlsx"}, headers=headers, timeout=60)
    problem = doors.refused(answer, 422, "form_unusable", "file")
    [fault] = problem["facts"]["faults"]
    assert (fault["reason"], fault["sheet"], fault["row"], fault["column"]) == (
        "reference_unknown",
        "survey",
        3,
        "relevant",
    )
    assert words in fault["text"]
    assert (await doors.read(client, ADMINISTRATOR, PATH))["items"] == []


async def test_a_file_that_is_far_too_large_is_not_even_read(client: Client) -> None:
    answer = await client.post(
        PATH, content=bytes(10_000_000), params={"name": "x.xlsx"}, headers=ADMINISTRATOR.headers
    )
    assert answer.status_code == 413


@pytest.mark.parametrize("who", [MEMBER, LEADER, AUDITOR], ids=lambda who: who.role)
async def test_only_an_administrator_publishes(client: Client, who: Person) -> None:
    assert (await publish(client, form(), 403, who))["code"] == "not_allowed"


async def test_answers_are_kept_in_their_types_and_flagged_where_they_do_not_fit(
    client: Client, conn: asyncpg.Connection
) -> None:
    await publish(client, form())
    good = await fill_in(client, open="yes", kinds="fruit tea", staff="3", wish=[{"what": "灯"}])
    assert good["flags"] == []
    bad = await fill_in(client, open="perhaps", staff="many", z=1)
    assert bad["flags"] == ["answers_unfit"]
    unknown = await fill_in(client, "9", open="yes")
    assert unknown["flags"] == ["questionnaire_unknown"]
    kept = await conn.fetchval("select body->>'answers' from text_version where subject = $1", good["id"])
    assert '"kinds":["fruit","tea"],"staff":3' in kept
    kept = await conn.fetchval("select body->>'answers' from text_version where subject = $1", bad["id"])
    assert '"open":"perhaps","staff":"many","z":1' in kept
    [listed] = (await doors.read(client, LEADER, PATH))["items"]
    assert (listed["answers"], listed["versions"][0]["answers"]) == (3 - 1, 2)


async def test_a_retry_gets_its_first_receipt_although_the_answers_were_brought_into_shape(client: Client) -> None:
    await publish(client, form())
    draft = drafts.visit(answers=answers(staff="3"))
    first = await doors.file(client, MEMBER, draft)
    again = await doors.file(client, MEMBER, draft, status=200)
    assert first | {"status": "already_filed"} == again


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_answers_are_taken_along_wide(client: Client, kind: str) -> None:
    await publish(client, form())
    await fill_in(
        client, open="yes", kinds=["fruit", "tea"], staff=3, wish=[{"what": "=cmd()"}, {"what": "<img onerror>"}]
    )
    await publish(client, form("2", ROWS[:1]))
    await fill_in(client, "2", open="no")
    newest, oldest = sorted(await table(client, f"answers.{kind}"), key=lambda row: row["Version"], reverse=True)
    assert (newest["Open?"], newest["Goods"], oldest["Open?"], oldest["Goods"]) == ("No", "", "Yes", "Fruit, Tea")
    assert float(oldest["Staff"]) == 3
    assert oldest["Wish 1 · What"] == ("'=cmd()" if kind == "csv" else "=cmd()")
    assert oldest["Wish 2 · What"] == "<img onerror>"
    assert (oldest["Kind of premises"], oldest["Premises"]) == ("Shop", "老王面馆")
    chinese = (await table(client, f"answers.{kind}", lang="zh"))[0]
    assert {"开门吗", "卖什么", "人数", "需求 1 · =cmd()"} <= set(chinese)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_answers_are_taken_along_long(client: Client, kind: str) -> None:
    await publish(client, form())
    await fill_in(client, open="yes", kinds=["fruit", "tea"], staff=3, wish=[{"what": "灯"}], z="?")
    rows = await table(client, f"answers-long.{kind}")
    told = {(row["Question's name"], row["Answer"]): row for row in rows}
    assert set(told) == {
        ("open", "yes"),
        ("kinds", "fruit"),
        ("kinds", "tea"),
        ("staff", "3"),
        ("what", "灯"),
        ("z", "?"),
    }
    assert told["kinds", "tea"]["Answer in words"] == "Tea"
    assert float(told["staff", "3"]["As a number"]) == 3
    assert (told["what", "灯"]["Repeat"], float(told["what", "灯"]["Entry"])) == ("wish", 1)


async def test_an_export_has_what_its_reader_sees_and_is_told_in_the_history(
    client: Client, conn: asyncpg.Connection
) -> None:
    await publish(client, form())
    await fill_in(client, open="yes")
    counted = [len(await table(client, "answers.csv", who)) for who in (MEMBER, WORKER, OTHER_WORKER, LEADER)]
    assert counted == [1, 1, 0, 1]
    facts = await conn.fetchval("select facts from history where kind = 'export' and actor = $1", str(LEADER.id))
    assert (facts["what"], facts["rows"], facts["filters"]) == ("answers-stalls.csv", 1, {"questionnaire": "stalls"})
    answer = await client.get(f"{PATH}/nothing/answers.csv", headers=LEADER.headers)
    assert answer.status_code == 404


async def test_what_was_forgotten_is_not_taken_along(client: Client, conn: asyncpg.Connection) -> None:
    await publish(client, form())
    await fill_in(client, open="yes")
    await conn.execute("update text_version set body = null, erased_at = now() where body ? 'answers'")
    [row] = await table(client, "answers.csv")
    assert (row["Open?"], row["Premises"]) == ("", "")


async def test_the_shipped_ones_are_published_once(client: Client) -> None:
    async def install() -> list[str]:
        answer = await client.post(f"{PATH}/shipped", json={}, headers=ADMINISTRATOR.headers, timeout=60)
        return [one["status"] for one in answer.json()["items"]]

    assert await install() == ["published"] * 3
    assert await install() == ["unchanged"] * 3
    listed = (await doors.read(client, MEMBER, PATH))["items"]
    assert {one["id"]: (one["kind"], one["title"]["en"]) for one in listed} == {
        "shop": ("shop", "Street shop"),
        "enterprise": ("enterprise", "Enterprise"),
        "household": ("household", "Household"),
    }
    got = await client.get(f"{PATH}/shipped/shop.xlsx", headers=ADMINISTRATOR.headers)
    assert got.content == shipped_questionnaires.workbook("shop")
    assert (await client.get(f"{PATH}/shipped/castle.xlsx", headers=ADMINISTRATOR.headers)).status_code == 404


def run(dsn: str, *arguments: str) -> Any:
    return CliRunner().invoke(questionnaire, [*arguments, "--district", str(DISTRICT)], obj=Settings(database_url=dsn))


def test_the_command_publishes_and_tells_faults_in_both_languages(dsn: str, tmp_path: Path) -> None:
    path = tmp_path / "摊位.xlsx"
    path.write_bytes(form())
    assert "stalls 1: published" in run(dsn, str(path)).output
    assert "nothing changed" in run(dsn, str(path)).output
    path.write_bytes(form(rows=ROWS[:2]))
    assert "换一个版本号" in run(dsn, str(path)).output
    path.write_bytes(workbook([QUESTION, QUESTION]))
    failed = run(dsn, str(path))
    assert failed.exit_code == 1
    assert "第 3 行" in failed.output
    assert "row 3" in failed.output
    assert "shop 2026-11: published" in run(dsn, "--shipped").output
    assert run(dsn).exit_code == 2
    wrong = CliRunner().invoke(questionnaire, [str(path), "--district", "1"], obj=Settings(database_url=dsn))
    assert "没有这个区" in wrong.output

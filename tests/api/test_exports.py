"""Exports: what the list shows, as files that other programs open, and a line in the history for each."""

import asyncio
import csv
import io
import re
from pathlib import Path
from typing import Any, get_args
from urllib.parse import unquote

import asyncpg
import httpx
import pyogrio
import pytest
import python_calamine as calamine

from api import export_files
from api.export_columns import WORDS
from api.exports import Exports
from api.filing import Busy
from api.settings import Settings
from surveys.assessments.commitment_audiences import Aim
from surveys.assessments.commitment_outcomes import Outcome as CommitmentOutcome
from surveys.issues import issues
from surveys.issues.categories import Channel, Urgency
from surveys.issues.issues import IssueRow
from surveys.issues.placing import Certainty
from surveys.issues.workflow import Group, State
from surveys.premises.premises import PremisesKind
from surveys.visits.receipts import Flag
from surveys.visits.visit_drafts import Outcome
from tests import doors, drafts
from tests.conftest import (
    AUDITOR,
    LEADER,
    MEMBER,
    NEAR,
    OPERATOR,
    STRANGER,
    WORKER,
    Client,
    Person,
    TestClock,
)

pytestmark = pytest.mark.anyio

ISSUE_FORMATS, VISIT_FORMATS = ["csv", "xlsx", "geojson", "gpkg"], ["csv", "xlsx"]

# Texts that a spreadsheet, a page or a database would like to take for something else.
HOSTILE = [
    '=HYPERLINK("http://evil.example","点我")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "＝1+1",
    "<img src=x onerror=alert(1)>",
    "'); drop table issue; --",
    '一行\r\n二行, "引号"；分号;',
    "${7*7} {{7*7}} `id`",
    "0102",
    "\u202e反的\u200b",
    "http://example.com/",
    "\x1b[31m红\x07_x0041_",
]


async def exported(client: Client, who: Person, path: str, status: int = 200, **params: Any) -> httpx.Response:
    answer = await client.get(path, params=params, headers=who.headers)
    assert answer.status_code == status, answer.text[:500]
    return answer


async def table(client: Client, who: Person, path: str, tmp_path: Path, **params: Any) -> list[dict[str, Any]]:
    """The rows of a file, whatever its kind; in English unless another language is asked for."""
    answer = await exported(client, who, path, **({"lang": "en"} | params))
    kind = path.rsplit(".", maxsplit=1)[1]
    if kind == "csv":
        return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    if kind == "geojson":
        return [feature["properties"] | {"geometry": feature["geometry"]} for feature in answer.json()["features"]]
    file = tmp_path / f"file.{kind}"
    file.write_bytes(answer.content)
    if kind == "xlsx":
        header, *rows = calamine.CalamineWorkbook.from_path(file).get_sheet_by_index(0).to_python()
        return [dict(zip(map(str, header), row, strict=True)) for row in rows]
    _, _, geometry, columns = (read := pyogrio.raw.read(file))
    return [
        dict(zip(read[0]["fields"], row, strict=True)) | {"geometry": shape}
        for shape, *row in zip(geometry, *columns, strict=True)
    ]


def number_of(row: dict[str, Any]) -> str:
    return str(row.get("Number") or row["number"])


@pytest.fixture
async def filed(client: Client, clock: TestClock) -> list[dict[str, Any]]:
    """Issues with hostile texts, one of them without a place."""
    draft = drafts.visit(
        note="=1+1",
        premises={"kind": "shop", "name": "@店", "address": "-1 号"},
        issues=[drafts.issue(title=text, description=text) for text in HOSTILE],
    )
    await doors.file(client, MEMBER, draft)
    await doors.file(client, MEMBER, drafts.visit(position=None, issues=[drafts.issue(title="没有位置")]))
    await doors.file(client, STRANGER, drafts.visit(position=drafts.FAR_DOOR, issues=[drafts.issue(title="远处")]))
    return await doors.every_page(client, LEADER, "/api/issues")


@pytest.mark.parametrize("kind", ISSUE_FORMATS)
@pytest.mark.parametrize("who", [MEMBER, STRANGER, WORKER, LEADER], ids=lambda who: who.role + who.number)
async def test_a_file_has_the_rows_of_the_list(
    client: Client, filed: list[dict[str, Any]], tmp_path: Path, kind: str, who: Person
) -> None:
    narrowed = ({"community": NEAR}, {"placed": "no"}, {"text": "没有"}) if kind == "csv" else ()
    for filters in ({}, {"group": ["solved", "reported"]}, *narrowed):
        listed = await doors.every_page(client, who, "/api/issues", **filters)
        rows = await table(client, who, f"/api/issues.{kind}", tmp_path, **filters)
        assert [number_of(row) for row in rows] == [item["number"] for item in listed]


@pytest.mark.parametrize("kind", ISSUE_FORMATS)
async def test_hostile_texts_stay_texts(client: Client, filed: list[dict[str, Any]], tmp_path: Path, kind: str) -> None:
    rows = {number_of(row): row for row in await table(client, LEADER, f"/api/issues.{kind}", tmp_path)}
    for item in filed:
        row = rows[item["number"]]
        title = row.get("Title", row.get("title"))
        formula = kind == "csv" and item["title"].startswith(("=", "+", "-", "@", "\t", "＝"))
        assert title == ("'" if formula else "") + item["title"]
        assert (row.get("Description") or row.get("description")) == title or item["title"] in ("没有位置", "远处")


async def test_no_cell_of_a_worksheet_is_a_formula_or_a_link(
    client: Client, filed: list[dict[str, Any]], tmp_path: Path
) -> None:
    for path in ("/api/issues.xlsx", "/api/visits.xlsx"):
        file = tmp_path / "file.xlsx"
        file.write_bytes((await exported(client, LEADER, path)).content)
        book = calamine.CalamineWorkbook.from_path(file)
        (name,) = book.sheet_names
        sheet = book.get_sheet_by_name(name)
        assert "<f>" not in (xml := _sheet_xml(file))
        assert "hyperlink" not in xml
        assert len(sheet.to_python()) > 1


def _sheet_xml(file: Path) -> str:
    import zipfile

    with zipfile.ZipFile(file) as parts:
        return parts.read("xl/worksheets/sheet1.xml").decode()


async def test_codes_names_times_and_words(client: Client, filed: list[dict[str, Any]], tmp_path: Path) -> None:
    item = next(item for item in filed if item["title"] == "0102")
    english = {number_of(row): row for row in await table(client, LEADER, "/api/issues.csv", tmp_path)}[item["number"]]
    assert english["Category code"] == "0102"
    assert english["Category"] == "垃圾成堆"
    assert english["State"] == "Reported"
    assert english["Community code"] == NEAR
    assert english["Community"] == "近邻社区"
    assert english["Street"] == "淮河路街道"
    assert english["Owner"] == WORKER.name
    assert english["Reported at"] == "2026-11-23 11:30:00", "the district's own clock"
    assert (float(english["Longitude"]), float(english["Latitude"])) == (113.605, 34.705)
    rows = await table(client, LEADER, "/api/issues.csv", tmp_path, lang="zh")
    chinese = next(row for row in rows if row["编号"] == item["number"])
    assert (chinese["状态"], chinese["是否超期"], chinese["首办责任人"]) == ("已上报", "否", WORKER.name)
    (feature,) = (
        row for row in await table(client, LEADER, "/api/issues.geojson", tmp_path) if row["number"] == item["number"]
    )
    assert (feature["state"], feature["reported_at"]) == ("reported", "2026-11-23T11:30:00+08:00")
    assert feature["geometry"] == {"type": "Point", "coordinates": [113.605, 34.705]}


async def test_what_has_no_place_is_exported_without_one(
    client: Client, filed: list[dict[str, Any]], tmp_path: Path
) -> None:
    for kind in ISSUE_FORMATS:
        (row,) = await table(client, LEADER, f"/api/issues.{kind}", tmp_path, placed="no")
        assert row.get("geometry") is None
        assert not row.get("Longitude")


async def test_nothing_to_export_is_an_empty_file(client: Client, tmp_path: Path) -> None:
    for kind in ISSUE_FORMATS:
        assert await table(client, LEADER, f"/api/issues.{kind}", tmp_path) == []


@pytest.mark.parametrize("kind", VISIT_FORMATS)
@pytest.mark.parametrize("who", [MEMBER, STRANGER, WORKER, LEADER], ids=lambda who: who.role + who.number)
async def test_visits_as_they_are_listed(
    client: Client, filed: list[dict[str, Any]], tmp_path: Path, kind: str, who: Person
) -> None:
    listed = await doors.every_page(client, who, "/api/visits")
    rows = await table(client, who, f"/api/visits.{kind}", tmp_path)
    assert [row["Id"] for row in rows] == [item["id"] for item in listed]
    if who is MEMBER:
        hostile = next(row for row in rows if "店" in row["Premises"] and row["Note"])
        apostrophe = "'" if kind == "csv" else ""
        assert (hostile["Premises"], hostile["Address"], hostile["Note"]) == (
            f"{apostrophe}@店",
            f"{apostrophe}-1 号",
            f"{apostrophe}=1+1",
        )
        assert hostile["Issues"].count(",") == len(HOSTILE) - 1


async def test_a_file_says_what_it_is(client: Client, filed: list[dict[str, Any]]) -> None:
    answer = await exported(client, LEADER, "/api/issues.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content.startswith(b"\xef\xbb\xbf"), "by which Excel knows that it is UTF-8"
    disposition = answer.headers["content-disposition"]
    assert 'filename="issues-2026-11-23.csv"' in disposition
    name = re.search(r"filename\*=UTF-8''(\S+)", disposition)
    assert name is not None
    assert unquote(name[1]) == "二七区-问题-2026-11-23.csv"
    assert (
        (await exported(client, LEADER, "/api/issues.gpkg")).headers["content-type"].startswith("application/geopack")
    )


OF_EXPORTS = "select actor, facts from history where kind = 'export'"


async def test_the_history_knows_who_took_what_and_not_what_they_looked_for(
    client: Client, conn: asyncpg.Connection, filed: list[dict[str, Any]]
) -> None:
    await exported(
        client,
        LEADER,
        "/api/issues.csv",
        community=[NEAR, "13812345678"],
        text="没有位置",
        state="reported",
        reported_from="2026-11-01",
    )
    ((actor, facts),) = await conn.fetch(OF_EXPORTS)
    assert actor == str(LEADER.id)
    assert facts["what"] == "issues.csv"
    assert facts["rows"] == 0
    digest = facts["filters"].pop("text_digest")
    assert re.fullmatch(r"[0-9a-f]{64}", digest)
    assert facts["filters"] == {"community": [NEAR], "state": ["reported"], "reported_from": "2026-11-01"}
    await exported(client, WORKER, "/api/visits.xlsx")
    assert {row["facts"]["what"] for row in await conn.fetch(OF_EXPORTS)} == {"issues.csv", "visits.xlsx"}


@pytest.mark.parametrize("path", ["/api/issues.csv", "/api/issues.xlsx", "/api/issues.geojson", "/api/issues.gpkg"])
async def test_what_cannot_be_exported_is_refused_before_the_first_byte(
    client: Client, conn: asyncpg.Connection, path: str
) -> None:
    for query, code, field in (
        ("nonsense=1", "unknown_field", "nonsense"),
        ("limit=1", "unknown_field", "limit"),
        ("bbox=1,2,3", "invalid_filter", "bbox"),
        ("as_of=0001-01-01", "invalid_filter", "as_of"),
        ("text=x", "invalid_filter", "text"),
    ):
        doors.refused(await client.get(f"{path}?{query}", headers=LEADER.headers), 422, code, field)
    for who in (AUDITOR, OPERATOR):
        doors.refused(await client.get(path, headers=who.headers), 403, "not_allowed")
    doors.refused(await client.get(path), 401, "not_signed_in")
    assert await conn.fetch(OF_EXPORTS) == []


async def test_few_exports_run_at_a_time(dsn: str, clock: TestClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.exports.WAIT_S", 0.1)
    exports = Exports(Settings(database_url=dsn, exports=1), clock)
    async with exports.place():
        with pytest.raises(Busy):
            async with exports.place():
                pass
    async with exports.place(), exports.connected() as conn:
        assert await conn.fetchval("select 1") == 1


ISSUE = IssueRow.__struct_fields__
MANY = f"""
insert into issue ({issues.ROW})
select {", ".join(f"r.{name}" for name in ISSUE)} from issue i, generate_series(1, 20000) n,
  lateral jsonb_populate_record(i, jsonb_build_object(
    'id', gen_random_uuid(), 'number', 100000 + n, 'reported_at', i.reported_at - n * interval '1 second')) as r
where i.id = $1
"""
BACKENDS = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"


@pytest.mark.timeout(300)  # a spreadsheet and a GeoPackage of 20,000 rows are made before they can be hung up on
async def test_who_hangs_up_gives_the_connection_back(
    client: Client, conn: asyncpg.Connection, filed: list[dict[str, Any]]
) -> None:
    await conn.execute(MANY, filed[0]["id"])
    before = await conn.fetchval(BACKENDS)
    app = client._transport.app  # type: ignore[attr-defined]
    for kind in ISSUE_FORMATS:
        got = asyncio.Event()

        async def receive(got: asyncio.Event = got) -> Any:
            await got.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any, got: asyncio.Event = got) -> None:
            if message["type"] == "http.response.body":
                got.set()
                await asyncio.sleep(3600)  # a reader who takes no more

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": f"/api/issues.{kind}",
            "raw_path": f"/api/issues.{kind}".encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"authorization", LEADER.headers["Authorization"].encode())],
            "client": ("127.0.0.1", 1),
            "server": ("testserver.local", 80),
            "state": {},
        }
        await asyncio.wait_for(app(scope, receive, send), 120)
    async with asyncio.timeout(60):
        while await conn.fetchval(BACKENDS) > before:  # noqa: ASYNC110 - the server has no event of it
            await asyncio.sleep(0.05)
    assert (await exported(client, LEADER, "/api/issues.csv")).content.count(b"\n") > 20_000


async def test_a_file_that_fails_midway_is_cut_off(
    client: Client, conn: asyncpg.Connection, filed: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of a file must not look like a whole one."""
    await conn.execute(MANY, filed[0]["id"])
    crlf, chunks = export_files.crlf, 0  # bytes so far

    def broken(chunk: bytes, inside: bool) -> tuple[bytes, int, bool]:
        nonlocal chunks
        chunks += len(chunk)
        if chunks > 2_000_000:  # behind what is gathered before the first byte leaves
            raise RuntimeError("a fault")
        return crlf(chunk, inside)

    monkeypatch.setattr(export_files, "crlf", broken)
    with pytest.raises(Exception, match=r"response started|a fault"):
        await client.get("/api/issues.csv", headers=LEADER.headers)
    monkeypatch.undo()
    monkeypatch.setattr("api.export_making.sys.executable", "/bin/false")
    doors.refused(await client.get("/api/issues.gpkg", headers=LEADER.headers), 500, "fault")
    monkeypatch.undo()
    assert (await exported(client, LEADER, "/api/issues.csv")).content.count(b"\r\n") > 20_000


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("state", State),
        ("group", Group),
        ("urgency", Urgency),
        ("channel", Channel),
        ("certainty", Certainty),
        ("premises_kind", PremisesKind),
        ("outcome", Outcome),
        ("flags", Flag),
        ("commitment_outcome", CommitmentOutcome),
        ("commitment_aim", Aim),
    ],
)
def test_every_value_has_its_word(column: str, values: Any) -> None:
    assert set(WORDS[column]) == set(get_args(values))
    for chinese, english in WORDS[column].values():
        assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)
        assert english.isascii()

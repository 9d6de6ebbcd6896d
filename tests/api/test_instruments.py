"""Scorecards as spreadsheets: what comes of a good one, where a bad one is said to be wrong, and published once."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
import python_calamine as calamine
import xlsxwriter
from click.testing import CliRunner, Result

from api import instrument_files
from api.assessments import instrument_maker, instrument_words, shipped_instruments
from api.assessments.shipped_instruments import NAMES
from api.cli.instruments import instrument
from api.settings import Settings
from surveys.assessments.instrument_faults import Fault, InstrumentUnusable
from surveys.assessments.instrument_sheets import COLUMNS, SHEETS, sheets_of
from surveys.assessments.instruments import Instrument
from tests.conftest import ADMINISTRATOR, AUDITOR, DISTRICT, MEMBER, Client, Person

pytestmark = pytest.mark.anyio

PATH = "/api/assessments/instruments"
Book = dict[str, list[dict[str, str]]]


def book(name: str = "member") -> Book:
    """A shipped scorecard as the rows of its sheets, to be spoilt."""
    return {
        sheet: [dict(cells) for cells in one.rows.values()]
        for sheet, one in sheets_of(shipped_instruments.instrument(name)).items()
    }


def workbook(rows: Book, *, chinese: bool = False, numbers: bool = False) -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as made:
        for sheet, cells in rows.items():
            page = made.add_worksheet(SHEETS[sheet] if chinese else sheet)
            for place, (column, (called, _)) in enumerate(COLUMNS[sheet].items()):
                page.write_string(0, place, called if chinese else column)
                for number, row in enumerate(cells, start=1):
                    value = row.get(column, "")
                    if numbers and column in ("weight", "maximum", "least", "stars", "at_most") and value:
                        page.write_number(number, place, float(value))
                    elif value:
                        page.write_string(number, place, value)
    return file.getvalue()


def as_csv(rows: Book) -> str:
    written = io.StringIO()
    writer = csv.writer(written)
    for sheet, cells in rows.items():
        writer.writerow([sheet])
        writer.writerow(["", *COLUMNS[sheet]])
        writer.writerows(["", *(row.get(column, "") for column in COLUMNS[sheet])] for row in cells)
        writer.writerow([])
    return written.getvalue()


def faults(content: bytes) -> list[Fault]:
    with pytest.raises(InstrumentUnusable) as refused:
        instrument_files.read(content)
    return list(refused.value.faults)


def where(rows: Book) -> list[tuple[str, str, int | None, str]]:
    return [(one.reason, one.sheet, one.row, one.column) for one in faults(workbook(rows))]


@pytest.mark.parametrize(
    ("name", "headings", "items"),
    [("township", 5, 50), ("street", 5, 110), ("organisation", 5, 30), ("member", 5, 20), ("window", 6, 24)],
)
def test_a_shipped_scorecard_comes_back_from_its_workbook(name: str, headings: int, items: int) -> None:
    made = shipped_instruments.instrument(name)
    assert (len(made.headings), len(made.items)) == (headings, items)
    assert len({item.text for item in made.items}) == items, "no item is asked twice"
    assert all(heading.english for heading in made.headings)
    assert set(made.name) == {"zh", "en"}
    content = instrument_files.write(made)
    assert instrument_files.read(content) == made
    assert instrument_files.write(made) == content, "the same bytes each time"


@pytest.mark.parametrize(
    "written",
    [
        lambda rows: workbook(rows, chinese=True),
        lambda rows: workbook(rows, numbers=True),
        lambda rows: as_csv(rows).encode("utf-8-sig"),
        lambda rows: as_csv(rows).encode("gb18030"),
    ],
)
def test_a_scorecard_is_read_in_every_writing(written: Callable[[Book], bytes]) -> None:
    assert instrument_files.read(written(book())) == shipped_instruments.instrument("member")


def test_words_are_known_in_chinese_and_wide_digits_are_digits() -> None:
    rows = book()
    rows["items"][2] |= {"raters": "自评、群众测评，互评", "maximum": "５"}
    rows["items"][0] |= {"fact": "走访次数", "fact_points": "０..４０"}
    rows["groups"][0]["group"] = "自评"
    rows["settings"][4] = {"setting": "考核对象", "value": "党员"}
    assert instrument_files.read(workbook(rows)) == shipped_instruments.instrument("member")


def spoilt(sheet: str, row: int, **cells: str) -> Book:
    rows = book()
    rows[sheet][row - 2] |= {name.replace("__", "::"): value for name, value in cells.items()}
    return rows


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (spoilt("items", 4, maximum="0"), [("out_of_range", "items", 4, "maximum")]),
        (spoilt("items", 4, maximum="-5"), [("out_of_range", "items", 4, "maximum")]),
        (spoilt("items", 4, maximum="五分"), [("not_a_number", "items", 4, "maximum")]),
        (spoilt("items", 4, maximum="1e9"), [("not_a_number", "items", 4, "maximum")]),
        (spoilt("items", 4, raters=""), [("nobody_rates", "items", 4, "raters")]),
        (spoilt("items", 4, raters="self residents"), [("word_unknown", "items", 4, "raters")]),
        (spoilt("items", 4, raters="self self"), [("word_repeated", "items", 4, "raters")]),
        (spoilt("items", 2, fact="happiness"), [("word_unknown", "items", 2, "fact")]),
        (spoilt("items", 2, fact_points=""), [("value_missing", "items", 2, "fact_points")]),
        (spoilt("items", 2, fact_points="0..0"), [("fact_points_unusable", "items", 2, "fact_points")]),
        (spoilt("items", 2, fact_points="40..0"), [("fact_points_unusable", "items", 2, "fact_points")]),
        (spoilt("items", 3, fact_points="90=100; 95=90"), [("steps_not_falling", "items", 3, "fact_points")]),
        (spoilt("items", 4, fact_points="0..40"), [("without_fact", "items", 4, "fact_points")]),
        (spoilt("items", 7, fact_share=""), [("value_missing", "items", 7, "fact_share")]),
        (spoilt("items", 7, fact_share="100"), [("out_of_range", "items", 7, "fact_share")]),
        (spoilt("items", 5, code="1.3"), [("repeated", "items", 5, "code")]),
        (spoilt("items", 5, code="一"), [("code_unusable", "items", 5, "code")]),
        (spoilt("items", 5, text="=cmd|' /C calc'!A0"), [("looks_like_formula", "items", 5, "text")]),
        (spoilt("items", 5, text="字" * 501), [("text_too_long", "items", 5, "text")]),
        (spoilt("items", 5, evidence="maybe"), [("word_unknown", "items", 5, "evidence")]),
        (spoilt("items", 5, weight=""), [("value_missing", "items", 5, "weight")]),
        (spoilt("groups", 2, weight="20"), [("weights_not_100", "groups", None, "weight")]),
        (spoilt("groups", 2, least="0"), [("out_of_range", "groups", 2, "least")]),
        (spoilt("groups", 2, least="1.5"), [("too_fine", "groups", 2, "least")]),
        (spoilt("stars", 3, least="95"), [("not_falling", "stars", 3, "least")]),
        (spoilt("stars", 3, stars="5"), [("not_falling", "stars", 3, "stars")]),
        (spoilt("stars", 2, stars="6"), [("out_of_range", "stars", 2, "stars")]),
        (spoilt("settings", 6, value="residents"), [("word_unknown", "settings", 6, "value")]),
        (spoilt("settings", 8, value="nothing"), [("heading_unknown", "settings", 8, "value")]),
        (spoilt("settings", 2, setting="nonsense"), [
            ("setting_missing", "settings", None, ""), ("word_unknown", "settings", 2, "setting"),
        ]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_where_it_is(rows: Book, expected: list[tuple[str, str, int | None, str]]) -> None:
    assert where(rows) == expected


def test_weights_that_do_not_sum_are_told_for_headings_and_items() -> None:
    assert where(spoilt("items", 5, weight="5")) == [
        ("heading_weight", "headings", 2, "weight"),
        ("weights_not_100", "items", None, "weight"),
    ]
    assert where(spoilt("headings", 2, weight="20")) == [
        ("weights_not_100", "headings", None, "weight"),
        ("heading_weight", "headings", 2, "weight"),
    ]
    told = faults(workbook(spoilt("items", 5, weight="5")))
    assert [instrument_words.line(one, "en") for one in told] == [
        "sheet headings, row 2, column weight: its weight is 25, that of its items sums to 24; the two must be equal",
        "sheet items, column weight: the weights sum to 99; 100 is expected (20 % is written 20)",
    ]
    assert instrument_words.line(told[1], "zh") == "工作表 评分项，列 权重：权重合计 99，应为 100（20% 写作 20）"


def test_every_fault_is_told_at_once() -> None:
    rows = book()
    rows["items"][0]["maximum"] = "0"
    rows["items"][3]["code"] = ""
    rows["groups"][1]["weight"] = "34"
    rows["stars"][1]["least"] = "101"
    assert [(sheet, row) for _, sheet, row, _ in where(rows)] == [
        ("items", 2),
        ("items", 5),
        ("groups", None),
        ("stars", 3),
    ]


def test_a_heading_without_items_and_an_item_without_a_heading_are_told() -> None:
    rows = book()
    for row in rows["items"][:4]:
        row["heading"] = "visit"
    assert where(rows) == [
        ("heading_without_items", "headings", 2, "code"),
        *(("heading_unknown", "items", number, "heading") for number in (2, 3, 4, 5)),
    ]


def test_a_group_that_rates_needs_its_row() -> None:
    rows = book()
    rows["groups"] = [{"group": "self", "weight": "100", "least": "1"}]
    assert {(reason, sheet) for reason, sheet, *_ in where(rows)} == {("group_without_row", "items")}


def test_more_than_three_hundred_items_are_refused() -> None:
    rows = book()
    rows["items"] = [rows["items"][0] | {"code": str(number)} for number in range(301)]
    assert [(one.reason, one.sheet, one.facts) for one in faults(workbook(rows))] == [
        ("too_many_rows", "items", {"count": 301, "most": 300})
    ]


def test_missing_sheets_and_columns_are_told_together() -> None:
    rows = book()
    del rows["stars"]
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as made:
        for sheet in rows:
            page = made.add_worksheet(sheet)
            page.write_row(0, 0, [column for column in COLUMNS[sheet] if column != "weight"])
    told = [(one.reason, one.sheet) for one in faults(content.getvalue())]
    assert ("sheet_missing", "stars") in told
    assert [sheet for reason, sheet in told if reason == "column_missing"] == ["headings", "items", "groups"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not_a_spreadsheet"),
        (b"{}", "not_a_spreadsheet"),
        (b"\xff\x00\x01", "not_a_spreadsheet"),
        (b"PK\x03\x04 cut off", "file_broken"),
        (b"items\n,heading\n", "sheet_missing"),
        (b"x" * 10_000_000, "file_too_large"),
        (b"a,b\n" * 6_000, "too_many_rows"),
    ],
)
def test_what_is_no_scorecard_is_refused(content: bytes, reason: str) -> None:
    assert faults(content)[0].reason == reason


def test_every_reason_has_its_words() -> None:
    for reason, words in instrument_words.REASONS.items():
        fault = Fault(reason=reason, sheet="items", row=2, column="weight")
        assert [instrument_words.told(fault, language).reason for language in ("zh", "en")] == [reason, reason]
        assert words[1].isascii()


async def test_a_workbook_that_would_take_all_memory_is_given_up() -> None:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as made:
        page = made.add_worksheet("items")
        page.write_string(0, 0, "heading")
        page.write_string(1_048_575, 16_383, "far")
    with pytest.raises(InstrumentUnusable):
        await instrument_maker.make(file.getvalue())


async def publish(client: Client, content: bytes, status: int, who: Person = ADMINISTRATOR, lang: str = "zh") -> Any:
    answer = await client.post(PATH, content=content, params={"lang": lang}, headers=who.headers, timeout=60)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_scorecard_is_published_once_and_changed_under_its_next_version(
    client: Client, conn: asyncpg.Connection
) -> None:
    rows = book()
    assert await publish(client, workbook(rows), 201) == {"id": "member", "version": "2026.1", "status": "published"}
    assert (await publish(client, workbook(rows, chinese=True), 200))["status"] == "unchanged"
    rows["items"][2]["text"] = "换了说法"
    refused = await publish(client, workbook(rows), 409, lang="en")
    assert (refused["code"], refused["field"]) == ("instrument_version_taken", "version")

    answer = await client.get(f"{PATH}/member/versions/2026.1/workbook", headers=MEMBER.headers)
    assert answer.headers["content-disposition"] == 'attachment; filename="member-2026.1.xlsx"'
    names = calamine.CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).sheet_names
    assert names == ["settings", "headings", "items", "groups", "stars"]
    assert (await publish(client, answer.content, 200))["status"] == "unchanged"

    rows["settings"][1]["value"] = "2026.2"
    assert (await publish(client, workbook(rows), 201))["version"] == "2026.2"
    listed = (await client.get(PATH, headers=MEMBER.headers)).json()["items"]
    assert [(one["id"], one["version"], one["items"], one["published_by"]) for one in listed] == [
        ("member", "2026.2", 20, "郑管理"),
        ("member", "2026.1", 20, "郑管理"),
    ]
    one = (await client.get(f"{PATH}/member/versions/2026.2", headers=MEMBER.headers)).json()
    assert one["items"][2]["text"] == "换了说法"
    told = await conn.fetch("select event, facts from history where kind = 'instrument' order by version")
    assert [(row["event"], row["facts"]["version"]) for row in told] == [("publish", "2026.1"), ("publish", "2026.2")]
    for statement in ("update instrument set items = 1", "delete from instrument"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(statement)


async def test_what_is_wrong_is_told_in_the_reader_s_language_and_nothing_is_stored(
    client: Client, conn: asyncpg.Connection
) -> None:
    rows = spoilt("items", 4, maximum="0", text="<img onerror=alert(1)>${x}")
    rows["groups"][0]["weight"] = "11"
    for lang, title in (
        ("en", "The scorecard cannot be used; 2 faults, the first: sheet items, row 4, column maximum: 0 does not lie"),
        ("zh", "评分表不能使用，有 2 处错误；第一处：工作表 评分项，第 4 行，列 满分：0 不在"),
    ):
        refused = await publish(client, workbook(rows), 422, lang=lang)
        assert refused["title"].startswith(title)
        assert [(one["row"], one["reason"]) for one in refused["facts"]["faults"]] == [
            (4, "out_of_range"),
            (None, "weights_not_100"),
        ]
    assert await conn.fetchval("select count(*) from instrument") == 0
    answer = await client.post(PATH, content=b"x" * 10_000_000, headers=ADMINISTRATOR.headers)
    assert answer.status_code == 413


async def test_shipped_scorecards_are_published_once_and_never_over_one_s_own(client: Client) -> None:
    own = book()
    own["settings"][2]["value"] = "我们自己的"
    await publish(client, workbook(own), 201)
    answer = await client.post(f"{PATH}/shipped", headers=ADMINISTRATOR.headers)
    done = {one["id"]: one["status"] for one in answer.json()["items"]}
    assert done == {name: "published" for name in NAMES if name != "member"}
    listed = (await client.get(PATH, headers=MEMBER.headers)).json()["items"]
    assert {one["id"]: one["name"]["zh"] for one in listed}["member"] == "我们自己的"
    assert (await client.post(f"{PATH}/shipped", headers=ADMINISTRATOR.headers)).json()["items"][0][
        "status"
    ] == "unchanged"
    assert (await client.get(PATH, headers=AUDITOR.headers)).status_code == 403


def test_a_version_is_the_same_by_what_it_says() -> None:
    made: Instrument = shipped_instruments.instrument("window")
    assert instrument_files.read(as_csv(book("window")).encode()).digest() == made.digest()
    assert msgspec.structs.replace(made, name={"zh": "别的"}).digest() != made.digest()


def run(dsn: str, *arguments: str, district: int = DISTRICT) -> Result:
    return CliRunner().invoke(instrument, [*arguments, "--district", str(district)], obj=Settings(database_url=dsn))


def test_the_command_publishes_and_tells_faults_in_both_languages(dsn: str, tmp_path: Path) -> None:
    path = tmp_path / "党员.csv"
    path.write_text(as_csv(book()), encoding="utf-8")
    assert "member 2026.1: published" in run(dsn, str(path)).output
    assert "nothing changed" in run(dsn, str(path)).output
    path.write_text(as_csv(spoilt("items", 4, text="换了")), encoding="utf-8")
    assert "换一个版本号" in run(dsn, str(path)).output
    path.write_text(as_csv(spoilt("items", 4, maximum="0")), encoding="utf-8")
    failed = run(dsn, str(path))
    assert failed.exit_code == 1
    assert "列 满分" in failed.output
    assert "column maximum" in failed.output
    assert "window 2026.1: published" in run(dsn, "--shipped").output
    assert "Name a FILE" in run(dsn).output
    assert "没有这个区" in run(dsn, "--shipped", district=1).output


async def test_what_a_file_would_publish_is_shown_first_and_only_that_is_published(client: Client) -> None:
    async def post(path: str, rows: Book, **asked: str) -> Any:
        headers = {**ADMINISTRATOR.headers, "accept": "application/json"}
        return await client.post(path, params=asked, content=workbook(rows), headers=headers)

    rows, preview = book(), "/assessments/instruments/preview"
    shown = await post(preview, rows)
    assert shown.status_code == 200, shown.text
    digest = shown.text.split('data-publish="')[1].split('"')[0]
    for expected in rows["headings"][0]["name"], rows["items"][0]["text"], "星", "权重":
        assert expected in shown.text
    assert (await client.get(PATH, headers=ADMINISTRATOR.headers)).json()["items"] == [], "looking publishes nothing"
    changed = book()
    changed["items"][0]["text"] = "另一项"
    refused = await post(PATH, changed, digest=digest)
    assert (refused.status_code, refused.json()["code"]) == (409, "other_than_shown")
    assert (await post(PATH, rows, digest=digest)).status_code == 201
    assert "data-publish" not in (await post(preview, rows)).text, "it is published already"
    taken = await post(preview, changed)
    assert (taken.status_code, taken.json()["code"]) == (409, "instrument_version_taken")
    wrong = await post(preview, spoilt("items", 4, maximum="0"))
    assert (wrong.status_code, wrong.json()["facts"]["faults"][0]["row"]) == (422, 4)
    assert (await client.post(preview, content=workbook(rows), headers=MEMBER.headers)).status_code == 403

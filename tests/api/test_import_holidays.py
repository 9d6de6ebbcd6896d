"""`zoufang import holidays`: a year is published, and the due times that waited for it are counted anew."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from chinese_calendar import constants
from click.testing import CliRunner, Result

from api import holiday_lists
from api.cli.holidays import holidays
from api.holiday_lists import ACTOR, REASONS
from api.settings import Settings
from surveys.clock import calendars, reckonings
from surveys.clock.calendars import Day, Year
from tests import doors, drafts
from tests.conftest import DISPATCHER, DISTRICT, MEMBER, NOW, WORKER, Client, TestClock
from tests.stories import records

pytestmark = pytest.mark.anyio

# Made up: no announcement of 2027 is known yet.
LIST = """日期,类型,名称
2027-01-01,休,元旦
2027/1/2,休,元旦
2027-01-03,休,元旦
2027年2月5日,休,春节
2027-02-08,休,春节
2027-02-09,休,春节
2027-02-20,班,春节
2027-05-01,休,劳动节
2027-10-01,休,国庆节
"""

Import = Callable[..., Result]


@pytest.fixture
def imported(dsn: str, tmp_path: Path) -> Import:
    """Runs the command on a text; it opens its own loop, so it is to be called beside the test's."""

    def run(text: str | None, *options: str, encoding: str = "utf-8") -> Result:
        path = tmp_path / "holidays.csv"
        if text is not None:
            path.write_bytes(text.encode(encoding))
        arguments = [*([str(path)] if text is not None else []), *options]
        return CliRunner().invoke(holidays, arguments, obj=Settings(database_url=dsn))

    return run


async def limit(conn: asyncpg.Connection, amount: int, response: int) -> None:
    """From now on the tests' category is limited in working days."""
    await conn.execute(
        "insert into category_limit (district, category, urgency, version, amount, unit, response_amount,"
        " response_unit, valid_from) values ($1, '0102', 'normal', 2, $2, 'working_days', $3, 'working_days', $4)",
        DISTRICT,
        amount,
        response,
        datetime(2026, 1, 1, tzinfo=UTC),
    )


async def filed(client: Client) -> str:
    draft = drafts.visit(issues=[drafts.issue()])
    receipt = await doors.file(client, MEMBER, draft)
    return str(receipt["issues"][0]["id"])


async def issue(conn: asyncpg.Connection, id_: str) -> asyncpg.Record:
    [found] = await conn.fetch("select * from issue where id = $1", id_)
    return found


def local(at: datetime) -> str:
    return at.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m-%d %H:%M")


async def test_a_published_year_counts_provisional_due_times_anew(
    imported: Import, client: Client, conn: asyncpg.Connection
) -> None:
    await limit(conn, 55, 30)
    waiting, closed = await filed(client), await filed(client)
    for version, move in enumerate((drafts.move("accept", 1), drafts.move("resolve", 2, reason="done")), start=1):
        await doors.move(client, WORKER, closed, move)
        assert (await issue(conn, closed))["version"] == version + 1
    before = await issue(conn, waiting)
    assert (local(before["due_at"]), before["due_provisional"]) == ("2027-02-09 17:00", True)
    assert local(before["response_due_at"]) == "2027-01-05 17:00"

    result = await asyncio.to_thread(imported, LIST)
    assert result.exit_code == 0, result.output
    assert "2027 published 已公布: +9 −0" in result.output
    assert "  + 2027-02-20 working day 班 春节" in result.output
    assert f"District {DISTRICT}: 1 due times counted anew 个期限已重算." in result.output

    after = await issue(conn, waiting)
    assert (local(after["due_at"]), after["due_provisional"], after["calendar_version"]) == (
        "2027-02-12 17:00", False, before["calendar_version"] + 1,
    )  # fmt: skip
    assert (after["version"], after["state"]) == (before["version"] + 1, "reported")
    event = await conn.fetchrow("select * from history where thing = $1 order by version desc limit 1", waiting)
    assert event is not None
    assert (event["event"], event["actor_kind"], event["actor"]) == ("reckon", "import", "holidays")
    assert datetime.fromisoformat(event["facts"]["due_at"]) == after["due_at"]
    assert (await issue(conn, closed))["version"] == 3, "what is solved stays as it was"
    await records.agree(conn)

    again = await asyncio.to_thread(imported, LIST)
    assert (again.exit_code, again.output) == (0, "Nothing is new 没有变化.\n")
    assert (await issue(conn, waiting))["version"] == after["version"]


async def test_what_an_import_was_cut_off_from_the_next_one_takes_up(
    imported: Import, client: Client, conn: asyncpg.Connection
) -> None:
    await limit(conn, 55, 30)
    waiting = [await filed(client), await filed(client)]
    async with conn.transaction():  # it stored the year, and got through a part of the issues
        year = Year((Day(date(2027, 1, 1), "holiday", ""),), published=True)
        await calendars.store(conn, "cn", {2027: year}, "x", ACTOR, NOW)
        await reckonings.reckon(conn, DISTRICT, ACTOR, NOW, at_once=1)
    assert sum([(await issue(conn, one))["due_provisional"] for one in waiting]) == 1
    result = await asyncio.to_thread(imported, None, "--from-library")
    assert f"District {DISTRICT}: 1 due times counted anew" in result.output
    assert not any([(await issue(conn, one))["due_provisional"] for one in waiting])


async def test_a_paused_issue_is_counted_anew_with_the_pauses_that_are_over(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await limit(conn, 55, 30)
    paused, twice = await filed(client), await filed(client)
    for one in (paused, twice):
        await doors.move(client, WORKER, one, drafts.move("accept", 1))
        await doors.move(client, DISPATCHER, one, drafts.move("pause", 2, reason="等材料"))
    clock.forward(days=1)  # seven working hours
    await doors.move(client, WORKER, twice, drafts.move("resume", 3))
    await doors.move(client, DISPATCHER, twice, drafts.move("pause", 4, reason="等材料"))
    clock.forward(days=1)
    async with conn.transaction():
        year = Year((Day(date(2027, 1, 1), "holiday", ""), Day(date(2027, 2, 8), "holiday", "")), published=True)
        await calendars.store(conn, "cn", {2027: year}, "x", ACTOR, clock.now)
        await reckonings.reckon(conn, DISTRICT, ACTOR, clock.now)
    assert local((await issue(conn, paused))["due_at"]) == "2027-02-10 17:00", "the pause that lasts comes later"
    assert local((await issue(conn, twice))["due_at"]) == "2027-02-11 17:00"
    await doors.move(client, WORKER, paused, drafts.move("resume", 4))
    assert local((await issue(conn, paused))["due_at"]) == "2027-02-12 17:00", "two days later"
    await records.agree(conn)


async def test_what_reaches_beyond_the_published_year_stays_provisional(
    imported: Import, client: Client, conn: asyncpg.Connection
) -> None:
    await limit(conn, 300, 1)
    waiting = await filed(client)
    before = await issue(conn, waiting)
    await asyncio.to_thread(imported, LIST)
    after = await issue(conn, waiting)
    assert after["due_provisional"]
    assert after["due_at"] > before["due_at"], "the holidays of the year that was published are counted"


async def test_a_due_time_that_was_not_provisional_never_moves(
    imported: Import, client: Client, conn: asyncpg.Connection
) -> None:
    """Not even when a day that it counted is corrected afterwards."""
    await limit(conn, 10, 1)
    waiting = await filed(client)
    before = await issue(conn, waiting)
    assert (local(before["due_at"]), before["due_provisional"]) == ("2026-12-07 17:00", False)
    result = await asyncio.to_thread(imported, "date,kind,name\n2026-12-03,holiday,\n")
    assert result.exit_code == 0, result.output
    assert await issue(conn, waiting) == before
    calendar = await calendars.in_force(conn, DISTRICT, datetime.max.replace(tzinfo=UTC))
    assert calendar.openings(date(2026, 12, 3)) == (), "what is reckoned from then on counts it"


async def test_a_dry_run_shows_and_changes_nothing(imported: Import, client: Client, conn: asyncpg.Connection) -> None:
    await limit(conn, 55, 30)
    waiting = await filed(client)
    before = await issue(conn, waiting)
    result = await asyncio.to_thread(imported, LIST, "--dry-run")
    assert result.output.splitlines()[0] == "2027 published 已公布: +9 −0"
    assert "Nothing was changed" in result.output
    assert await issue(conn, waiting) == before
    assert 2027 not in await calendars.years(conn)


async def test_expected_days_count_and_stay_provisional(
    imported: Import, client: Client, conn: asyncpg.Connection
) -> None:
    await limit(conn, 55, 30)
    waiting = await filed(client)
    expected = "date,kind,name\n2027-01-01,holiday,\n2027-02-08,holiday,expected\n"
    result = await asyncio.to_thread(imported, expected, "--provisional")
    assert "2027 expected 预计" in result.output
    found = await issue(conn, waiting)
    assert (local(found["due_at"]), found["due_provisional"]) == ("2027-02-10 17:00", True)
    await asyncio.to_thread(imported, LIST)
    assert not (await issue(conn, waiting))["due_provisional"]
    refused = await asyncio.to_thread(imported, expected, "--provisional")
    assert refused.exit_code == 1
    assert "2027 is published already. 2027 年的安排已经公布。" in refused.output


async def test_days_of_december_alone_change_single_days(imported: Import, conn: asyncpg.Connection) -> None:
    before = (await calendars.years(conn))[2026]
    result = await asyncio.to_thread(imported, LIST + "2026-12-27,班,元旦\n")
    assert result.exit_code == 0, result.output
    after = (await calendars.years(conn))[2026]
    moved = Day(date(2026, 12, 27), "working_day", "元旦")
    assert set(after.days) == {*before.days, moved}


async def test_the_library_has_nothing_that_is_not_there(imported: Import, conn: asyncpg.Connection) -> None:
    await asyncio.to_thread(imported, None, "--from-library")
    versions = await conn.fetchval("select count(*) from holiday_calendar")
    result = await asyncio.to_thread(imported, None, "--from-library")
    assert (result.exit_code, result.output) == (0, "Nothing is new 没有变化.\n")
    unknown = await asyncio.to_thread(imported, None, "--from-library", "--year", "2099")
    assert unknown.exit_code == 1
    assert "The library does not know 2099 yet. 内置数据尚无 2099 年。" in unknown.output
    assert await conn.fetchval("select count(*) from holiday_calendar") == versions


async def test_a_library_that_knows_more_publishes_it(
    imported: Import, client: Client, conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is after the program was updated."""
    await limit(conn, 30, 1)
    waiting = await filed(client)
    newer = {date(2027, 1, 1): "New Year's Day"}
    monkeypatch.setattr(constants, "holidays", {**constants.holidays, **newer})
    result = await asyncio.to_thread(imported, None, "--from-library")
    assert "2027 published 已公布: +1 −0" in result.output
    assert not (await issue(conn, waiting))["due_provisional"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("2027-13-01,休,元旦", "row 第 2 行 日期: is not a date such as 2027-02-06 不是日期: 2027-13-01"),
        ("tomorrow,休,元旦", "row 第 2 行 日期: is not a date"),
        ("3027-01-01,休,元旦", "row 第 2 行 日期: is not a date"),
        ("2027-01-01,maybe,元旦", "row 第 2 行 类型: is neither holiday nor working_day 须为 休 或 班: maybe"),
        ("2027-01-04,班,元旦", "row 第 2 行 类型: is a weekday"),
        ("2027-01-01,休,元旦\n2027/1/1,休,元旦", "row 第 3 行 日期: tells a day twice 日期重复: 2027/1/1"),
        ("2027-01-01,休," + "长" * 101, "row 第 2 行 名称: is too long"),
        ("2027-01-01,休,元\x00旦", "row 第 2 行 名称: is too long, or has a character that no text has"),
        ("2027-01-01,休,元旦,more", "row 第 2 行 : has more cells than the header"),
        ("2027-02-05,休,春节", "The list of the year has no 2027-10-01; is it the whole year's? 该年缺少这一天"),
        ("2028-12-30,休,元旦\n2027-01-01,休,元旦", "2028 is not known yet"),
    ],
)
async def test_what_is_wrong_is_told_by_row_and_column(
    imported: Import, conn: asyncpg.Connection, rows: str, expected: str
) -> None:
    result = await asyncio.to_thread(imported, f"日期,类型,名称\n{rows}\n")
    assert result.exit_code == 1
    assert expected in result.output, result.output
    assert "nothing was changed 有错误，未作改动" in result.output
    assert 2027 not in await calendars.years(conn)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("day,what\n2027-01-01,holiday\n", "columns_missing (file: holidays.csv, missing: ['kind']"),
        ("date,kind\n", "no_rows"),
        ("", "no_rows"),
        ("date,kind\n" + "2027-01-01,<img onerror=alert(1)>\n", "须为 休 或 班: <img onerror=alert(1)>"),
        ("date,kind\n" + "=cmd()," + "x" * 200_000 + "\n", "is not a date"),
    ],
)
async def test_files_that_are_no_lists_are_refused(imported: Import, text: str, expected: str) -> None:
    result = await asyncio.to_thread(imported, text)
    assert result.exit_code == 1
    assert expected in result.output


async def test_one_says_where_the_days_come_from(imported: Import) -> None:
    for text, options in ((None, ()), (LIST, ("--from-library",)), (None, ("--from-library", "--provisional"))):
        result = await asyncio.to_thread(imported, text, *options)
        assert result.exit_code == 2


async def test_a_list_in_the_encoding_of_old_spreadsheets_is_read(imported: Import) -> None:
    result = await asyncio.to_thread(imported, LIST, "--dry-run", encoding="gb18030")
    assert "  + 2027-01-01 holiday 休 元旦" in result.output


def test_every_fault_has_its_words() -> None:
    faults = {"too_many_cells", "date_unusable", "date_repeated", "kind_unknown", "works_anyway", "name_unusable",
              "year_unknown", "year_incomplete"}  # fmt: skip
    assert set(REASONS) == faults


def test_the_library_tells_each_year_as_it_was_published() -> None:
    years = holiday_lists.from_library()
    assert all(year.published for year in years.values())
    assert all(day.day.year == number for number, year in years.items() for day in year.days)
    assert json.dumps(sorted(years)) == json.dumps(list(range(2004, max(years) + 1))), "none is left out"

"""Lists of a country's holidays and make-up working days: as a file tells them, and as the library has them."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from importlib import metadata
from pathlib import Path

from asyncpg import Connection
from chinese_calendar import constants
from msgspec import Struct

from api.tables import Row, UnusableTable, read_table
from surveys.clock import calendars
from surveys.clock.calendars import CHINA, Day, Year, YearChange
from surveys.clock.clock import DayKind
from surveys.history import Actor

ACTOR = Actor("import", "holidays")
SOURCE = f"chinesecalendar {metadata.version('chinesecalendar')}"

# What the columns are called: in files of ours, and in Chinese.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "date": ("date", "day", "日期"),
    "kind": ("kind", "type", "类型", "种类"),
    "name": ("name", "holiday", "名称", "节日", "节假日"),
}
KINDS: Mapping[str, DayKind] = {
    "holiday": "holiday",
    "休": "holiday",
    "放假": "holiday",
    "休息日": "holiday",
    "节假日": "holiday",
    "working_day": "working_day",
    "班": "working_day",
    "上班": "working_day",
    "补班": "working_day",
    "调休上班": "working_day",
    "工作日": "working_day",
}
# What is wrong with a row; the value at fault fills the braces.
REASONS: Mapping[str, str] = {
    "too_many_cells": "has more cells than the header 比表头多出单元格",
    "date_unusable": "is not a date such as 2027-02-06 不是日期: {value}",
    "date_repeated": "tells a day twice 日期重复: {value}",
    "kind_unknown": "is neither holiday nor working_day 须为 休 或 班: {value}",
    "works_anyway": "is a weekday, on which people work anyway 不是周末，本来就上班: {value}",
    "name_unusable": "is too long, or has a character that no text has 名称过长或含有非法字符: {value}",
    "year_unknown": "{value} is not known yet, and the list has days of December alone; name it with --year "
    "尚无该年安排，请用 --year 指明",
    "year_incomplete": "The list of the year has no {value}; is it the whole year's? 该年缺少这一天，是否完整？",
}
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?: 00:00:00)?")
FIRST_YEAR, LAST_YEAR = 1990, 2100
LONGEST_NAME = 100
DECEMBER = 12
SATURDAY = 5

# Without these, a list is not the whole of a year's.
_NEVER_MISSING = ((1, 1), (5, 1), (10, 1))


class BadHoliday(Struct, frozen=True):
    """What is wrong with a row (0: with the file as a whole): the column, the reason as a code, the value at fault."""

    row: int
    column: str
    reason: str
    value: str


class UnusableHolidays(Exception):
    """A list that cannot be followed, with every fault of it; nothing of it was stored."""

    def __init__(self, rows: Sequence[BadHoliday]) -> None:
        super().__init__(rows)
        self.rows = rows


def from_library() -> dict[int, Year]:
    """Every year that the library knows, as the State Council published it."""
    names = {holiday.value: holiday.chinese for holiday in constants.Holiday}
    found: dict[int, list[Day]] = defaultdict(list)
    kinds: tuple[tuple[DayKind, Mapping[date, str]], ...] = (
        ("holiday", constants.holidays),
        ("working_day", constants.workdays),
    )
    for kind, days in kinds:
        for day, name in days.items():
            found[day.year].append(Day(day, kind, names[name]))
    return {year: Year(tuple(sorted(days)), published=True) for year, days in sorted(found.items())}


def new_years(known: Mapping[int, Year], last: int = LAST_YEAR) -> dict[int, Year]:
    """The years up to the last that the library knows and that are not published here yet."""
    return {
        number: year
        for number, year in from_library().items()
        if number <= last and not (number in known and known[number].published)
    }


async def seed(conn: Connection, now: datetime, last: int = LAST_YEAR) -> list[YearChange]:
    """Store what the library knows and what is not published here yet. Run it in a transaction."""
    new = new_years(await calendars.years(conn), last)
    return await calendars.store(conn, CHINA, new, SOURCE, ACTOR, now)


def read_days(file: Path, sheet: str | None = None, header_row: int | None = None) -> list[Day]:
    """The days of a file. Raises UnusableTable, or UnusableHolidays with every bad row."""
    table = read_table(file, sheet, header_row)
    columns = _columns(file, table.columns)
    days: dict[date, Day] = {}
    bad: list[BadHoliday] = []
    for row in table:
        texts = {name: row.text(column) for name, column in columns.items()}
        faults = list(_faults(row, texts, columns))
        bad += faults
        if not faults:
            day = Day(_date(texts["date"]) or date.min, KINDS[texts["kind"].casefold()], texts.get("name", ""))
            if day.day in days:
                bad.append(BadHoliday(row.number, columns["date"], "date_repeated", texts["date"]))
            days[day.day] = day
    if bad:
        raise UnusableHolidays(bad)
    if not days:
        raise UnusableTable("no_rows", file=file.name)
    return sorted(days.values())


def _columns(file: Path, present: Sequence[str]) -> dict[str, str]:
    folded = {column.casefold(): column for column in reversed(present)}
    found = {
        name: folded[spelling]
        for name, spellings in COLUMNS.items()
        for spelling in spellings[::-1]
        if spelling in folded
    }
    missing = [name for name in ("date", "kind") if name not in found]
    if missing:
        raise UnusableTable("columns_missing", file=file.name, missing=missing, columns=list(present))
    return found


def _faults(row: Row, texts: Mapping[str, str], columns: Mapping[str, str]) -> Iterator[BadHoliday]:
    day, kind = _date(texts["date"]), KINDS.get(texts["kind"].casefold())
    if row.fault:
        yield BadHoliday(row.number, "", row.fault, "")
    if day is None:
        yield BadHoliday(row.number, columns["date"], "date_unusable", texts["date"])
    if kind is None:
        yield BadHoliday(row.number, columns["kind"], "kind_unknown", texts["kind"])
    if day is not None and kind == "working_day" and day.weekday() < SATURDAY:
        yield BadHoliday(row.number, columns["kind"], "works_anyway", texts["date"])
    name = texts.get("name", "")
    if len(name) > LONGEST_NAME or not name.isprintable():
        yield BadHoliday(row.number, columns["name"], "name_unusable", repr(name[:LONGEST_NAME]))


def _date(text: str) -> date | None:
    parts = _DATE.fullmatch(text)
    try:
        found = date(*(int(part) for part in parts.groups())) if parts else None
    except ValueError:
        return None
    return found if found and FIRST_YEAR <= found.year <= LAST_YEAR else None


def years(
    days: Sequence[Day], known: Mapping[int, Year], whole: Collection[int], *, published: bool, calendar: str = CHINA
) -> dict[int, Year]:
    """The years that a list makes of what is known: it holds the whole of some years, and single days of others.

    Unless `whole` names them, the list is taken to hold the whole of every year of which it has a day before December:
    a year's announcement may move days of the December before. Raises UnusableHolidays."""
    by_year: dict[int, list[Day]] = defaultdict(list)
    for day in days:
        by_year[day.day.year].append(day)
    told = whole or {day.day.year for day in days if day.day.month < DECEMBER}
    bad: list[BadHoliday] = []
    found: dict[int, Year] = {}
    for number in sorted(by_year.keys() | set(told)):
        if number in told:
            bad += _incomplete(number, by_year[number], calendar) if published else ()
            found[number] = Year(tuple(by_year[number]), published)
        elif number in known:
            kept = {day.day: day for day in (*known[number].days, *by_year[number])}
            found[number] = Year(tuple(sorted(kept.values())), known[number].published)
        else:
            bad.append(BadHoliday(0, "", "year_unknown", str(number)))
    if bad:
        raise UnusableHolidays(bad)
    return found


def _incomplete(year: int, days: Sequence[Day], calendar: str) -> Iterator[BadHoliday]:
    """What no announcement of a whole year leaves out."""
    off = {day.day for day in days if day.kind == "holiday"}
    for month, day in _NEVER_MISSING if calendar == CHINA else ():
        if date(year, month, day) not in off:
            yield BadHoliday(0, "", "year_incomplete", date(year, month, day).isoformat())

"""`zoufang import holidays`: a country's holidays and make-up working days, and the due times that waited for them."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import click

from api import holiday_lists
from api.cli.database import Addresses, connect, opened, refuse_unready
from api.holiday_lists import ACTOR, REASONS, SOURCE, BadHoliday, UnusableHolidays
from api.settings import Settings
from api.tables import UnusableTable
from surveys.clock import calendars, reckonings
from surveys.clock.calendars import CHINA, Day, PublishedAlready, Year, YearChange

KINDS: Mapping[str, str] = {"holiday": "holiday 休", "working_day": "working day 班"}


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--from-library", is_flag=True, help="Take what the program's own library knows, instead of a file.")
@click.option("--year", "wanted", type=int, multiple=True, help="Year of which the file is the whole list.")
@click.option("--provisional", is_flag=True, help="The days are expected, not published: due times stay provisional.")
@click.option("--calendar", default=CHINA, show_default=True, help="Code of the country whose holidays they are.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.pass_obj
def holidays(
    settings: Settings,
    file: Path | None,
    from_library: bool,
    wanted: tuple[int, ...],
    provisional: bool,
    calendar: str,
    dry_run: bool,
) -> None:
    """Bring in a year's holidays and make-up working days from FILE (CSV or XLSX), or from the library.

    Columns: date 日期, kind 类型 (holiday 休 or working_day 班), name 名称. A file holds the whole list of each year of
    which it has a day before December; days of December alone change single days of their year. Open issues whose due
    times were provisional are counted anew, each with a line in its history; no other due time changes.
    """
    if (file is None) is not from_library:
        raise click.UsageError("Give either a FILE or --from-library. 请给出文件，或使用 --from-library。")
    if from_library and (provisional or calendar != CHINA):
        raise click.UsageError("The library knows China's published holidays alone. 内置数据仅有中国已公布的安排。")
    days = None if file is None else days_or_reasons(file)
    source = SOURCE if file is None else file.name
    try:
        with opened(settings) as addresses:
            asyncio.run(bring_in(addresses, days, source, wanted, calendar, not provisional, dry_run))
    except UnusableHolidays as refusal:
        raise click.ClickException(reasons(source, refusal.rows)) from None
    except PublishedAlready as refusal:
        year = refusal.facts["year"]
        raise click.ClickException(f"{year} is published already. {year} 年的安排已经公布。") from None


async def bring_in(
    addresses: Addresses,
    days: Sequence[Day] | None,
    source: str,
    wanted: Sequence[int],
    calendar: str,
    published: bool,
    dry_run: bool,
) -> None:
    """Store what changes, and then count anew, batch by batch, what was provisional: what is left after a Ctrl-C, the
    next run takes up."""
    if not addresses.embedded:
        await refuse_unready(addresses)
    now = datetime.now(UTC)
    conn = await connect(addresses.program)
    try:
        known = await calendars.years(conn, calendar)
        if days is None:
            found = of_library(known, wanted)
        else:
            found = holiday_lists.years(days, known, wanted, published=published, calendar=calendar)
        if dry_run:
            changes = calendars.compare(known, found)
        else:
            async with conn.transaction():
                changes = await calendars.store(conn, calendar, found, source, ACTOR, now)
        for line in told(changes):
            click.echo(line)
        if dry_run:
            click.echo("Nothing was changed 未作改动 (--dry-run).")
        else:
            await count_anew(conn, calendar, now)
    finally:
        await conn.close()


def of_library(known: Mapping[int, Year], wanted: Sequence[int]) -> dict[int, Year]:
    """The years that the library has and we have not; or those that are asked for, whatever we have."""
    library = holiday_lists.from_library()
    if missing := sorted(set(wanted) - library.keys()):
        years = ", ".join(map(str, missing))
        raise click.ClickException(f"The library does not know {years} yet. 内置数据尚无 {years} 年。")
    if wanted:
        return {year: library[year] for year in wanted}
    return holiday_lists.new_years(known)


def told(changes: Sequence[YearChange]) -> Iterator[str]:
    """What changes, year by year and day by day."""
    if not changes:
        yield "Nothing is new 没有变化."
    for change in changes:
        state = "published 已公布" if change.published else "expected 预计"
        yield f"{change.year} {state}: +{len(change.added)} −{len(change.removed)}"
        if change.was == "unknown" and len(changes) > 1:
            continue  # the years of a new installation, which nobody reads day by day
        for sign, days in (("-", change.removed), ("+", change.added)):
            for day in days:
                yield f"  {sign} {day.day:%Y-%m-%d} {KINDS[day.kind]} {day.name}".rstrip()


async def count_anew(conn: asyncpg.Connection, calendar: str, now: datetime) -> None:
    """Count the provisional due times of every district that keeps these holidays anew."""
    for district in await calendars.districts(conn, calendar):
        changed = 0
        last: UUID | None = reckonings.BEFORE_ALL
        while last is not None:
            async with conn.transaction():
                reckoned = await reckonings.reckon(conn, district, ACTOR, now, last)
            changed += reckoned.changed
            last = reckoned.last
        if changed:
            click.echo(f"District {district}: {changed} due times counted anew 个期限已重算.")


def days_or_reasons(file: Path) -> list[Day]:
    """The days of a file; raises ClickException with all that is wrong with it."""
    try:
        return holiday_lists.read_days(file)
    except UnusableTable as error:
        facts = ", ".join(f"{name}: {value}" for name, value in error.facts.items())
        raise click.ClickException(f"The file cannot be read 无法读取: {error.code} ({facts})") from None
    except UnusableHolidays as refusal:
        raise click.ClickException(reasons(file.name, refusal.rows)) from None


def reasons(source: str, rows: Sequence[BadHoliday]) -> str:
    """What is wrong, by row and column."""
    lines = [
        (f"  row 第 {bad.row} 行 {bad.column}: " if bad.row else "  ") + REASONS[bad.reason].format(value=bad.value)
        for bad in sorted(rows, key=lambda bad: (bad.row, bad.column, bad.reason))
    ]
    return "\n".join([f"{source}: {len(lines)} faults, nothing was changed 有错误，未作改动", *lines])

"""`zoufang report`: the brief of a week or month as a file."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import cast

import asyncpg
import click

from api import report_files, report_maker, report_making
from api.app import utc_now
from api.cli.database import with_connection
from api.errands import NotDone
from api.report_maker import Format, NotMade, Wanted
from api.reports import scope_code
from api.settings import Settings
from surveys.history import Actor
from surveys.people import people
from surveys.people.people import District
from surveys.refusals import InvalidFilter, NotFound, Refusal
from surveys.reports import report_archive, report_makings, report_periods, report_sources
from surveys.reports.report_archive import Report
from surveys.reports.report_makings import PeriodNotOver
from surveys.reports.report_periods import Period
from surveys.reports.reports import Scope

PROGRAM = Actor("program", "report")
DISTRICTS = "select district from district order by district limit 2"


@click.command("report")
@click.option("--period", required=True, help="The week or month, as 2026-W48 or 2026-11; it has to be over.")
@click.option(
    "--scope", default="district", show_default=True, help="What it is about: district, street:CODE or community:CODE."
)
@click.option("--district", type=int, help="Number of the district.  [default: the only one]")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write, .pdf or .docx; one that is there is not overwritten.",
)
@click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", show_default=True, help="Language of the brief.")
@click.option("--anew", is_flag=True, help="Make it anew, as a further version, where it is there already.")
@click.pass_obj
def report(
    settings: Settings, period: str, scope: str, district: int | None, output: Path, lang: str, anew: bool
) -> None:
    """Write the brief of a week or month as PDF or Word file.

    It is made if it has not been yet, as known now, and kept: asked again, it is the same.
    """
    format_ = output.suffix.lower().lstrip(".")
    if format_ not in ("pdf", "docx"):
        raise click.ClickException(f"{output}: the file's name ends in .pdf or .docx 文件名应以 .pdf 或 .docx 结尾")
    if output.exists():
        raise click.ClickException(f"{output} is there and is not overwritten 文件已存在，不会覆盖")
    try:
        about = report_periods.named(period)
        wanted = with_connection(
            settings,
            lambda conn: _wanted(conn, settings, about, scope, district, cast(Format, format_), lang, anew=anew),
        )
        content = asyncio.run(report_maker.make(wanted))
    except PeriodNotOver:
        raise click.ClickException(f"{period} is not over yet 这一时段还没有结束") from None
    except NotFound:
        raise click.ClickException(f"There is no {scope} 没有这个区域") from None
    except InvalidFilter as refusal:
        raise click.ClickException(f"--{refusal.field}: {refusal.facts['expected']}") from None
    except (NotMade, Refusal) as refusal:
        raise click.ClickException(str(refusal.facts.get("reason", refusal.code))) from None
    _write(output, content)
    click.echo(f"{output}: {wanted.sheet.title} {wanted.sheet.subtitle}", err=True)


def _write(output: Path, content: bytes) -> None:
    try:
        with output.open("xb") as file:
            output.chmod(0o600)
            file.write(content)
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written 无法写入: {error.strerror}") from None


async def _wanted(
    conn: asyncpg.Connection,
    settings: Settings,
    period: Period,
    scope: str,
    number: int | None,
    format_: Format,
    language: str,
    *,
    anew: bool,
) -> Wanted:
    district = await _district(conn, number)
    kind, code = scope_code(scope, district.district)
    places = await report_sources.places_of(conn, district.district)
    place = report_sources.scope_of(places, district, kind, code)
    now = utc_now()
    found = await report_archive.newest(conn, district.district, period.name, place)
    if found is None or anew:
        found = await _made(conn, settings, district, period, place, now, anew=anew)
    await report_archive.tell_fetched(conn, district.district, PROGRAM, found, format_, now)
    return await report_files.wanted(conn, district, found, format_, language, settings.font)


async def _made(
    conn: asyncpg.Connection,
    settings: Settings,
    district: District,
    period: Period,
    place: Scope,
    now: datetime,
    *,
    anew: bool,
) -> Report:
    """Raises PeriodNotOver and NotFound."""
    making = await report_makings.ask(conn, district, period, place, None, now, anew=anew)
    await report_makings.resume(conn, district.district, making.id)
    try:
        await report_making.make(conn, district, making.id, settings.font, utc_now, PROGRAM)
    except NotDone:
        failed = await report_makings.one(conn, district.district, making.id)
        raise NotMade(reason=str((failed.facts or {}).get("reason", failed.problem))) from None
    found = await report_archive.newest(conn, district.district, period.name, place)
    if found is None:
        raise NotFound
    return found


async def _district(conn: asyncpg.Connection, number: int | None) -> District:
    """Raises ClickException."""
    if number is None:
        there = [row["district"] for row in await conn.fetch(DISTRICTS)]
        if len(there) != 1:
            raise click.ClickException("Name the district by --district 请用 --district 指定区")
        number = there[0]
    found = await people.district(conn, number)
    if found is None:
        raise click.ClickException(f"There is no district {number} 没有这个区")
    return found

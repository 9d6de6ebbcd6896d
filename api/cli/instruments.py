"""`zoufang import instrument`: a scorecard from a spreadsheet, or those that the product brings along."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import click

from api.assessments import instrument_maker, instrument_words, shipped_instruments
from api.cli.database import with_connection
from api.cli.questionnaires import WORDS
from api.settings import Settings
from api.xlsform_files import MOST_BYTES
from surveys.assessments import instruments
from surveys.assessments.instrument_faults import Fault, InstrumentUnusable
from surveys.assessments.instruments import Instrument, Published, VersionTaken
from surveys.history import Actor
from surveys.people import people


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--district", type=int, required=True, help="Number of the district whose scorecard it is.")
@click.option("--shipped", is_flag=True, help="Publish those that come with the program, instead of a file.")
@click.pass_obj
def instrument(settings: Settings, file: Path | None, district: int, shipped: bool) -> None:
    """Publish a scorecard from a workbook (.xlsx) or CSV; the same content a second time changes nothing.

    Its sheet settings names its id and version; other content under a version that exists is refused. All that is wrong
    is told by sheet, row and column.
    """
    if (file is None) is not shipped:
        raise click.UsageError("Name a FILE, or say --shipped.")

    async def work(conn: asyncpg.Connection) -> list[Published]:
        now = datetime.now(UTC)
        if await people.district(conn, district) is None:
            raise click.ClickException(f"There is no district {district}. 没有这个区。")
        if file is None:
            return await shipped_instruments.install(conn, district, Actor("program", "import"), now)
        made = await _read(file)
        return [await instruments.publish(conn, district, made, Actor("import", "instrument"), now)]

    try:
        done = with_connection(settings, work)
    except InstrumentUnusable as refusal:
        raise click.ClickException(reasons(file, refusal.faults)) from None
    except VersionTaken as refusal:
        raise click.ClickException(
            f"Version {refusal.facts['given']} was published with other content; give this one another version. "
            f"版本 {refusal.facts['given']} 已经发布，内容不同；请换一个版本号。"
        ) from None
    for one in done:
        click.echo(f"{one.id} {one.version}: {WORDS[one.status]}")


async def _read(file: Path) -> Instrument:
    with file.open("rb") as opened:
        content = await asyncio.to_thread(opened.read, MOST_BYTES + 1)
    return await instrument_maker.make(content)


def reasons(file: Path | None, faults: Sequence[Fault]) -> str:
    """All that is wrong with a scorecard, in both languages."""
    lines = [f"  {instrument_words.line(fault, 'zh')}\n  {instrument_words.line(fault, 'en')}" for fault in faults]
    name = file.name if file else ""
    return "\n".join([f"{name}: {len(faults)} faults, nothing was published 有错误，未发布", *lines])

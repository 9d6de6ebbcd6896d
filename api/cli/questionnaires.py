"""`zoufang import questionnaire`: a form that was written in a spreadsheet, or those that the product brings along."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import asyncpg
import click

from api import shipped_questionnaires, xlsform_maker
from api.cli.database import with_connection
from api.settings import Settings
from api.xlsform_faults import Fault, FormUnusable
from api.xlsform_files import MOST_BYTES
from api.xlsform_maker import Wanted
from surveys.history import Actor
from surveys.people import people
from surveys.premises.premises import PremisesKind
from surveys.questionnaires import questionnaires
from surveys.questionnaires.questionnaires import Form, Published, VersionTaken

WORDS = {"published": "published 已发布", "unchanged": "published before, nothing changed 已发布过，未作改动"}


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--district", type=int, required=True, help="Number of the district whose questionnaire it is.")
@click.option("--kind", type=click.Choice(get_args(PremisesKind)), help="Kind of door that it is for.")
@click.option("--shipped", is_flag=True, help="Publish those that come with the program, instead of a file.")
@click.pass_obj
def questionnaire(
    settings: Settings, file: Path | None, district: int, kind: PremisesKind | None, shipped: bool
) -> None:
    """Publish a questionnaire from an XLSForm (.xlsx); the same file a second time changes nothing.

    The sheet settings names its form_id and version; another file under a version that exists is refused. What is
    wrong with a form is told by sheet, row and column.
    """
    if (file is None) is not shipped:
        raise click.UsageError("Name a FILE, or say --shipped.")

    async def work(conn: asyncpg.Connection) -> list[Published]:
        now = datetime.now(UTC)
        found = await people.district(conn, district)
        if found is None:
            raise click.ClickException(f"There is no district {district}. 没有这个区。")
        if file is None:
            return await shipped_questionnaires.install(conn, district, Actor("program", "import"), now)
        form = await _form(file, kind, now, found.zone)
        return [await questionnaires.publish(conn, district, form, Actor("import", "questionnaire"), now)]

    try:
        done = with_connection(settings, work)
    except FormUnusable as refusal:
        raise click.ClickException(reasons(file, refusal.faults)) from None
    except VersionTaken as refusal:
        raise click.ClickException(
            f"Version {refusal.facts['given']} was published with other content; give this one another version. "
            f"版本 {refusal.facts['given']} 已经发布，内容不同；请换一个版本号。"
        ) from None
    for one in done:
        click.echo(f"{one.id} {one.version}: {WORDS[one.status]}")


async def _form(file: Path, kind: PremisesKind | None, now: datetime, zone: ZoneInfo) -> Form:
    with file.open("rb") as opened:
        content = await asyncio.to_thread(opened.read, MOST_BYTES + 1)
    return await xlsform_maker.make(content, Wanted(file.name, now.astimezone(zone).date(), kind))


def reasons(file: Path | None, faults: Sequence[Fault]) -> str:
    """All that is wrong with a form, in both languages."""
    lines = [f"  {fault.told('zh')}\n  {fault.told('en')}" for fault in faults]
    name = file.name if file else ""
    return "\n".join([f"{name}: {len(faults)} faults, nothing was published 有错误，未发布", *lines])

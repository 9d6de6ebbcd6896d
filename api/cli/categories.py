"""`zoufang import categories`: the district's own list of what an issue can be about."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import asyncpg
import click

from api.category_lists import REASONS, limit, read_drafts
from api.cli.database import with_connection
from api.settings import Settings
from api.tables import UnusableTable
from surveys.clock.clock import Span
from surveys.issues import categories as rules
from surveys.issues.categories import (
    BadCategory,
    CategoryDraft,
    Channel,
    Defaults,
    LimitDraft,
    UnusableCategories,
    Urgency,
)
from surveys.refusals import NotFound


class Limit(click.ParamType[Span]):
    """How long a limit is, as a list of categories writes it."""

    name = "limit"

    def convert(self, value: str | Span, param: click.Parameter | None, ctx: click.Context | None) -> Span:
        span = value if isinstance(value, Span) else limit(value)
        if span is None:
            self.fail(f"{value!r} is no limit as 72 (hours), 8 working hours or 5 working days are.", param, ctx)
        return span


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--district", type=int, required=True, help="Number of the district whose list it is.")
@click.option("--sheet", help="Sheet of a spreadsheet; the first one that holds anything if not given.")
@click.option("--header-row", type=click.IntRange(1), help="Row of the header, if it is not found.")
@click.option("--channel", type=click.Choice(get_args(Channel)), default="joint_review", show_default=True)
@click.option("--normal", type=Limit(), help="Limit of new categories.  [default: 5 working days]")
@click.option("--urgent", type=Limit(), help="Their limit for what is urgent.  [default: 8 working hours]")
@click.option("--emergency", type=Limit(), help="Their limit in an emergency.  [default: 4 hours]")
@click.option("--retire-missing", is_flag=True, help="Retire the categories that the file does not have.")
@click.pass_obj
def categories(
    settings: Settings,
    file: Path,
    district: int,
    sheet: str | None,
    header_row: int | None,
    channel: Channel,
    normal: Span | None,
    urgent: Span | None,
    emergency: Span | None,
    retire_missing: bool,
) -> None:
    """Bring a district's categories in line with a CSV or XLSX file; a second time changes nothing.

    Columns: code, name, parent, channel, department, department_name, retired; normal, urgent and emergency (limits as
    5 working days 5个工作日, 8 working hours 8工作时, or just calendar hours), each with a …_unit, …_response,
    …_response_unit and …_channel of its own if need be; or those of the city-management list: code, major_code,
    major_name, minor_code, minor_name. What a file does not say stays, and a new category gets the channel and the
    limits of the options.
    """
    given: dict[Urgency, Span | None] = {"normal": normal, "urgent": urgent, "emergency": emergency}
    chosen = {urgency: LimitDraft(span) for urgency, span in given.items() if span is not None}
    defaults = Defaults(channel=channel, limits={**rules.LIMITS, **chosen})
    drafts = drafts_or_reasons(file, sheet, header_row)

    async def work(conn: asyncpg.Connection) -> rules.Stored:
        now = datetime.now(UTC)
        return await rules.store(conn, district, drafts, now, defaults=defaults, retire_missing=retire_missing)

    try:
        stored = with_connection(settings, work)
    except UnusableCategories as refusal:
        raise click.ClickException(reasons(file, refusal.rows)) from None
    except NotFound:
        raise click.ClickException(f"There is no district {district}. 没有这个区。") from None
    click.echo(
        f"{len(drafts)} rows: {len(stored.new)} new, {len(stored.changed)} changed, "
        f"{len(stored.limits)} with new limits, {len(stored.retired)} retired."
    )


def drafts_or_reasons(file: Path, sheet: str | None = None, header_row: int | None = None) -> list[CategoryDraft]:
    """The drafts of a file; raises ClickException with all that is wrong with it."""
    try:
        return read_drafts(file, sheet, header_row)
    except UnusableTable as error:
        facts = ", ".join(f"{name}: {value}" for name, value in error.facts.items())
        raise click.ClickException(f"The file cannot be read 无法读取: {error.code} ({facts})") from None
    except UnusableCategories as refusal:
        raise click.ClickException(reasons(file, refusal.rows)) from None


def reasons(file: Path, rows: Iterable[BadCategory]) -> str:
    """What is wrong with each row, in the order of the rows."""
    lines = [
        f"  row 第 {bad.row} 行 {REASONS[bad.reason].format(value=bad.value)}"
        for bad in sorted(rows, key=lambda bad: (bad.row, bad.reason))
    ]
    return "\n".join([f"{file.name}: {len(lines)} faults, nothing was changed 有错误，未作改动", *lines])

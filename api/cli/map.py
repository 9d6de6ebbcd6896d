"""`zoufang map`: the leader's map as one file that opens from a USB stick."""

from contextlib import ExitStack
from datetime import date, datetime
from pathlib import Path
from typing import get_args

import asyncpg
import click
from msgspec import Struct

from api import map_files
from api.app import utc_now
from api.backup_files import BackupError, written
from api.cli.database import with_connection
from api.cli.progress import bars
from api.map_files import LAYERS, Made, Order, Report, TooMany
from api.settings import Settings
from maps.drawings import Drawings
from surveys.campaigns import campaigns
from surveys.counting.issue_query import Filters
from surveys.issues.workflow import Group
from surveys.people import people
from surveys.people.people import District, Reader
from surveys.refusals import InvalidFilter, NotAllowed, NotFound

GROUPS: tuple[Group, ...] = get_args(Group)
DAY = click.DateTime(["%Y-%m-%d"])


class Asked(Struct, frozen=True, kw_only=True):
    """What was asked for on the command line."""

    district: int | None
    member: str | None
    layers: tuple[map_files.LayerName, ...]
    filters: Filters
    than: tuple[date, date] | None
    campaign: str | None
    titles: bool
    language: str


@click.command("map")
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), required=True,
    help="HTML file, readable by its owner alone.",
)  # fmt: skip
@click.option("--district", type=int, help="Number of the district.  [default: the only one]")
@click.option("--as", "member", metavar="NUMBER", help="Only what this member sees.  [default: the whole district]")
@click.option("--layer", "layers", multiple=True, type=click.Choice(LAYERS), help="Again for more.  [default: all]")
@click.option("--from", "begins", type=DAY, help="First day of the period.")
@click.option("--to", "ends", type=DAY, help="Last day of the period.")
@click.option("--as-of", type=DAY, help="As it stood at the end of this day.")
@click.option("--than", metavar="DAY..DAY", help="Another period beside it; needs --from and --to.")
@click.option("--community", multiple=True, metavar="CODE", help="Only in this one; again for more.")
@click.option("--street", multiple=True, metavar="CODE", help="Only in this one; again for more.")
@click.option("--category", multiple=True, metavar="CODE", help="Only of this one; again for more.")
@click.option("--group", multiple=True, type=click.Choice(GROUPS), help="Only these on the map; again for more.")
@click.option("--campaign", metavar="ID", help="Of which coverage is told.  [default: the newest]")
@click.option("--titles", is_flag=True, help="With the titles and exact places of issues and services.")
@click.option("--lang", "language", type=click.Choice(["zh", "en"]), default="zh", show_default=True)
@click.option("--force", is_flag=True, help="Overwrite the file if it is there.")
@click.pass_obj
def map_(
    settings: Settings,
    output: Path,
    district: int | None,
    member: str | None,
    layers: tuple[map_files.LayerName, ...],
    begins: datetime | None,
    ends: datetime | None,
    as_of: datetime | None,
    than: str | None,
    community: tuple[str, ...],
    street: tuple[str, ...],
    category: tuple[str, ...],
    group: tuple[Group, ...],
    campaign: str | None,
    titles: bool,
    language: str,
    force: bool,
) -> None:
    """Write the map with its numbers into one file that any browser opens, from a USB stick and without a network.

    The file says what is in it, and asks nobody for anything. Titles of issues, and of volunteers' services, are left
    out unless --titles is given;
    a rate of fewer than 5 answers is left out always. The history says that it was taken along.
    """
    first, last, day = (one.date() if one else None for one in (begins, ends, as_of))
    asked = Asked(
        district=district,
        member=member,
        layers=tuple(one for one in LAYERS if one in (layers or LAYERS)),
        filters=Filters(
            community=community,
            street=street,
            category=category,
            group=group,
            reported_from=first,
            reported_to=last,
            as_of=day,
        ),
        than=other_days(than, first, last),
        campaign=campaign,
        titles=titles,
        language=language,
    )
    made = carried_out(settings, asked, output.absolute(), force=force)
    click.echo(f"{output}: {made.issues:,} issues 件, {output.stat().st_size:,} bytes", err=True)


def other_days(given: str | None, first: date | None, last: date | None) -> tuple[date, date] | None:
    """The days that are compared with."""
    if given is None:
        return None
    if first is None or last is None:
        raise click.UsageError("--than needs --from and --to.")
    try:
        begins, ends = (date.fromisoformat(one) for one in given.split(".."))
    except ValueError:
        raise click.BadParameter("two days, as 2026-10-01..2026-10-31", param_hint="--than") from None
    if begins > ends:
        raise click.BadParameter("the first day is not after the last", param_hint="--than")
    return begins, ends


def carried_out(settings: Settings, asked: Asked, path: Path, *, force: bool) -> Made:
    """Make the file; it gets its name when all is on disk and the history knows of it."""
    if path.exists() and not force:
        raise click.ClickException(f"{path} is there already; --force overwrites it. 文件已存在。")
    beside = path.with_name(f"{path.name}.new") if force else path
    try:
        with ExitStack() as files, bars() as report:
            begin = files.enter_context(written(beside))

            async def work(conn: asyncpg.Connection) -> Made:
                made = await read(conn, asked, report)
                file = begin()
                file.write(made.html.encode())
                file.flush()
                return made

            made = with_connection(settings, work)
    except BackupError as error:
        raise click.ClickException(str(error)) from None
    if force:
        beside.replace(path)
    return made


async def read(conn: asyncpg.Connection, asked: Asked, report: Report) -> Made:
    """All that the file holds, out of one snapshot."""
    await conn.execute(map_files.SNAPSHOT)
    now = utc_now()
    district = await district_of(conn, asked.district)
    reader = await reader_of(conn, district, asked.member)
    try:
        known = (await campaigns.page(conn, reader, district.zone, now)).items
        campaign = asked.campaign or next((one.id for one in known), None)
        layers = [one for one in asked.layers if one != "coverage" or campaign is not None]
        order = Order(
            district=district,
            reader=reader,
            whole=asked.member is None,
            layers=layers,
            filters=asked.filters,
            than=asked.than,
            campaign=campaign if "coverage" in layers else None,
            titles=asked.titles,
            language=asked.language,
        )
        present = await Drawings().present(conn, district.district, now, "wgs84")
        return await map_files.make(conn, order, present, now, report)
    except TooMany:
        raise click.ClickException(
            f"More than {map_files.MOST_TITLES:,} issues: narrow them, or leave out --titles. 问题太多。"
        ) from None
    except InvalidFilter as error:
        raise click.ClickException(f"{error.field}: {error.facts.get('expected', '')}") from None
    except NotFound:
        raise click.ClickException(f"There is no campaign {asked.campaign}. 没有这个活动。") from None
    except NotAllowed:
        raise click.ClickException("This member reads no issues. 该成员无权查看问题。") from None


DISTRICTS = "select district from district order by district limit 2"


async def district_of(conn: asyncpg.Connection, number: int | None) -> District:
    if number is None:
        every = [row["district"] for row in await conn.fetch(DISTRICTS)]
        if len(every) != 1:
            raise click.UsageError("--district is needed where there is not exactly one.")
        (number,) = every
    found = await people.district(conn, number)
    if found is None:
        raise click.ClickException(f"There is no district {number}. 没有这个区。")
    return found


async def reader_of(conn: asyncpg.Connection, district: District, number: str | None) -> Reader:
    """The member with this number, or somebody who reads the whole district and is nobody."""
    if number is None:
        return people.of_whole_district(district.district)
    found = await people.reader(conn, district.district, number)
    if found is None:
        raise click.ClickException(f"There is no member {number}. 没有这个成员。")
    return found

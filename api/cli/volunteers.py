"""`zoufang import volunteers`: a district's volunteer teams and who is in them out of a list, again and again."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import click

from api import key_ring, volunteer_files
from api.cli.database import connect, opened, refuse_unready
from api.cli.members import CHECKING, READING, UNCHANGED, NothingWritten, explain, table_or_reasons
from api.cli.progress import bars
from api.database import UNAVAILABLE
from api.ledgers import RejectedRows, RejectedRowsUnwritable, rarely_collecting
from api.settings import Settings
from api.tables import Table, UnusableTable
from api.volunteer_files import REASONS, Read
from surveys.privacy.sealing import KeyRing
from surveys.refusals import NotFound
from surveys.volunteering.volunteer_imports import Counts, Import


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--district", type=int, required=True, help="Number of the district whose teams they are.")
@click.option("--sheet", help="Sheet of a spreadsheet; the first one that holds anything if not given.")
@click.option("--header-row", type=click.IntRange(1), help="Row of the header, if it is not found.")
@click.option(
    "--rejected",
    "rejected_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV file for the rows that are refused.  [default: FILE.rejected.csv]",
)
@click.option("--dry-run", is_flag=True, help="Check everything against the database, write nothing but refused rows.")
@click.pass_obj
def volunteers(
    settings: Settings,
    file: Path,
    district: int,
    sheet: str | None,
    header_row: int | None,
    rejected_file: Path | None,
    dry_run: bool,
) -> None:
    """Bring a district's volunteer teams in line with a list (CSV or XLSX), one volunteer in one team a row.

    Columns, in Chinese or English: 服务队 team, 类别 kind, 组织 organisation (a path, or a name that only one has),
    姓名 name or 党员编号 member_number, and, if wanted, 服务范围 areas, 队长编号 leader (a member's number),
    手机 phone, 技能 skills, 时段 hours (周六 09:00-11:30). An empty cell leaves what is there; nobody is taken out of a
    team, and consent to a name in public is never read from a list. Rows that make no sense go to a file of their own,
    each with its reasons. It is all or nothing: Ctrl-C leaves everything as it was.
    """
    refused = rejected_file or file.with_name(f"{file.name}.rejected.csv")
    if refused.resolve() == file.resolve():
        raise click.UsageError("--rejected must name another file than the list.")
    table = table_or_reasons(file, sheet, header_row)
    try:
        with opened(settings) as addresses, RejectedRows(refused, table.columns, REASONS) as rejected:
            if not addresses.embedded:
                asyncio.run(refuse_unready(addresses))
            read = read_all(file, table, rejected)
            ring = key_ring.read(settings)
            counts = asyncio.run(take_over(addresses.program, district, ring, read, rejected, dry_run=dry_run))
    except UnusableTable as error:
        raise click.ClickException(explain(file, error)) from None
    except RejectedRowsUnwritable as error:
        raise click.ClickException(f"{error}. {UNCHANGED}") from None
    except UNAVAILABLE as error:
        raise click.ClickException(f"The database went away 数据库中断: {type(error).__name__}. {UNCHANGED}") from None
    except KeyboardInterrupt:
        click.echo(f"Stopped 已停止. {UNCHANGED}", err=True)
        raise SystemExit(130) from None
    click.echo(summary(counts, refused, dry_run=dry_run))


def read_all(file: Path, table: Table, rejected: RejectedRows) -> Read:
    """The list, row by row; those that make no sense by themselves are put aside."""
    with rarely_collecting(), bars() as report:
        read = volunteer_files.read(file, table, lambda rows: report(READING, rows, max(rows, table.about)))
        rows = len(read.entries) + len(read.rejected)
        report(READING, rows, rows)
    for one in read.rejected:
        rejected.add(one)
    return read


async def take_over(
    dsn: str, district: int, ring: KeyRing, read: Read, rejected: RejectedRows, *, dry_run: bool
) -> Counts:
    """Write the list in one transaction."""
    conn = await connect(dsn)
    try:
        under_way = Import(
            district=district,
            ring=ring,
            now=datetime.now(UTC),
            columns=read.columns,
            reject=rejected.add,
            counts=Counts(rejected=len(read.rejected)),
        )
        with rarely_collecting(), bars() as report:
            count = len(read.entries)
            under_way.progress = lambda rows: report(CHECKING, rows, count)
            await _run(conn, under_way, read, dry_run=dry_run)
        return under_way.counts
    finally:
        await conn.close(timeout=5)


async def _run(conn: asyncpg.Connection, under_way: Import, read: Read, *, dry_run: bool) -> None:
    try:
        async with conn.transaction():
            await under_way.run(conn, read.entries)
            if dry_run:
                raise NothingWritten
    except NothingWritten:
        pass
    except NotFound:
        raise click.ClickException(f"There is no district {under_way.district}. 没有这个区。") from None


def summary(counts: Counts, refused: Path, *, dry_run: bool) -> str:
    """What became of the list, one line for each figure."""
    lines = [
        (counts.teams, "teams founded 新建服务队"),
        (counts.teams_changed, "teams changed 有变动的服务队"),
        (counts.volunteers, "volunteers registered 新登记志愿者"),
        (counts.changed, "volunteers changed 有变动的志愿者"),
        (counts.joined, "joined a team 加入服务队"),
        (counts.rejected, f"rows rejected 未接受 → {refused}" if counts.rejected else "rows rejected 未接受"),
    ]
    head = ["Dry run: nothing was written 试运行，未写入"] if dry_run else []
    return "\n".join(head + [f"{count:>9,}  {text}" for count, text in lines])

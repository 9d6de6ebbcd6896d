"""`zoufang import members`: a district's organisations and members out of a list, again and again."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import click

from api import key_ring, member_files
from api.cli.database import connect, opened, refuse_unready
from api.cli.progress import Report, bars
from api.database import UNAVAILABLE
from api.ledgers import RejectedRows, RejectedRowsUnwritable, rarely_collecting
from api.member_files import REASONS, Read
from api.settings import Settings
from api.tables import Table, UnusableTable, read_table
from surveys.people import member_imports
from surveys.people.member_imports import Counts, Import, MoreMissing
from surveys.privacy.sealing import KeyRing
from surveys.refusals import AdministratorNeeded, DispatcherNeeded, NotFound

MOST_MISSING = 10  # one in so many members; more are closed with --yes alone

READING, CHECKING, WRITING = "读取 read", "核对 check", "写入 write"

FAULTS: Mapping[str, str] = {
    "columns_missing": "lacks the columns 缺少列: {missing}. It has 表中有: {columns}",
    "file_unreadable": "cannot be read 无法读取: {cause}",
    "text_broken": "is broken at line {line}: not {encoding} 文字编码有误，第 {line} 行",
    "row_unreadable": "cannot be read at row {row} 第 {row} 行无法读取: {cause}",
    "no_rows": "has no rows 没有数据",
    "sheet_not_found": "has no sheet {wanted} 没有这个工作表. It has 有: {sheets}",
    "header_not_found": "has no header in row {row} 第 {row} 行不是表头",
    "column_repeated": "has the column {column} twice 列名重复",
}


class NothingWritten(Exception):
    """A dry run is over, and its transaction is undone."""


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--district", type=int, required=True, help="Number of the district whose members they are.")
@click.option("--sheet", help="Sheet of a spreadsheet; the first one that holds anything if not given.")
@click.option("--header-row", type=click.IntRange(1), help="Row of the header, if it is not found.")
@click.option(
    "--rejected",
    "rejected_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV file for the rows that are refused.  [default: FILE.rejected.csv]",
)
@click.option("--dry-run", is_flag=True, help="Check everything against the database, write nothing but refused rows.")
@click.option("--close-missing", is_flag=True, help="Close the members whom the file does not have; asks first.")
@click.option("--yes", is_flag=True, help="Ask nothing, even if more than a tenth would be closed.")
@click.pass_obj
def members(
    settings: Settings,
    file: Path,
    district: int,
    sheet: str | None,
    header_row: int | None,
    rejected_file: Path | None,
    dry_run: bool,
    close_missing: bool,
    yes: bool,
) -> None:
    """Bring a district's organisations and members in line with a list (CSV or XLSX), by the members' numbers.

    Columns, in Chinese or English: 组织 organisation (a path: 区委/街道党工委/第一支部), 姓名 name, 编号 number,
    and, if wanted, 手机 phone, 角色 roles, 范围 scope, 责任区 area. An empty cell leaves what is there. Rows that make
    no sense go to a file of their own, each with its reasons. It is all or nothing: Ctrl-C leaves everything as it was.
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
            command = Command(addresses.program, district, key_ring.read(settings), read, dry_run)
            if close_missing:
                command.closing = agreed(read, *asyncio.run(command.missing()), asking=not (yes or dry_run))
            counts = asyncio.run(command.take_over(rejected))
    except UnusableTable as error:
        raise click.ClickException(explain(file, error)) from None
    except RejectedRowsUnwritable as error:
        raise click.ClickException(f"{error}. {UNCHANGED}") from None
    except UNAVAILABLE as error:
        raise click.ClickException(f"The database went away 数据库中断: {type(error).__name__}. {UNCHANGED}") from None
    except KeyboardInterrupt:
        click.echo(f"Stopped 已停止. {UNCHANGED}", err=True)
        raise SystemExit(130) from None
    click.echo(summary(counts, refused, dry_run))


UNCHANGED = "Nothing was changed 未作任何改动."


def table_or_reasons(file: Path, sheet: str | None, header_row: int | None) -> Table:
    """The table in a file; raises ClickException with what is wrong with it."""
    try:
        return read_table(file, sheet, header_row)
    except UnusableTable as error:
        raise click.ClickException(explain(file, error)) from None


def explain(file: Path, error: UnusableTable) -> str:
    """What is wrong with a file, and where."""
    facts = {name: ", ".join(filter(None, map(str, value))) if isinstance(value, list | tuple) else value
             for name, value in error.facts.items()}  # fmt: skip
    return f"{file.name} {FAULTS[error.code].format_map(facts)}" if error.code in FAULTS else f"{error.code} {facts}"


def read_all(file: Path, table: Table, rejected: RejectedRows) -> Read:
    """The list, row by row; those that make no sense by themselves are put aside."""
    with rarely_collecting(), bars() as report:
        read = member_files.read(file, table, lambda rows: report(READING, rows, max(rows, table.about)))
        rows = len(read.entries) + len(read.rejected)
        report(READING, rows, rows)
    for one in read.rejected:
        rejected.add(one)
    return read


def agreed(read: Read, gone: int, of: int, *, asking: bool) -> int:
    """How many members who are not in the list are to be closed."""
    if read.nameless:
        raise click.ClickException(
            f"{read.nameless} rows have no number, so nobody can say who is missing: mend them first "
            f"有 {read.nameless} 行没有编号，无法判断谁已离开. {UNCHANGED}"
        )
    if asking and gone:
        told = f"{gone} of {of} members are not in the file 表中没有其中 {gone} 人（共 {of} 人）"
        if gone * MOST_MISSING > of:
            raise click.ClickException(f"{told}: more than a tenth 超过十分之一. --yes closes them. {UNCHANGED}")
        click.confirm(f"{told}. Close them 将其关闭?", abort=True, err=True)
    return gone


class Command:
    """The command at work; `closing` is how many missing members may be closed."""

    def __init__(self, dsn: str, district: int, ring: KeyRing, read: Read, dry_run: bool) -> None:
        self.dsn = dsn
        self.district = district
        self.ring = ring
        self.read = read
        self.dry_run = dry_run
        self.closing: int | None = None

    async def missing(self) -> tuple[int, int]:
        """How many members the list does not have, and of how many."""
        conn = await connect(self.dsn)
        try:
            return await member_imports.missing(conn, self.district, sorted(self.read.numbers))
        finally:
            await conn.close()

    async def take_over(self, rejected: RejectedRows) -> Counts:
        """Write the list in one transaction."""
        conn = await connect(self.dsn)
        try:
            under_way = Import(
                district=self.district,
                ring=self.ring,
                now=datetime.now(UTC),
                columns=self.read.columns,
                reject=rejected.add,
                close_missing=self.closing,
                numbers=self.read.numbers,
                counts=Counts(rejected=len(self.read.rejected)),
            )
            with rarely_collecting(), bars() as report:
                await self._run(conn, under_way, report)
            return under_way.counts
        finally:
            await conn.close(timeout=5)

    async def _run(self, conn: asyncpg.Connection, under_way: Import, report: Report) -> None:
        count = len(self.read.entries)
        under_way.progress = lambda rows: report(CHECKING, rows, count)
        under_way.written = lambda rows, of: report(WRITING, rows, of)
        try:
            async with conn.transaction():
                await under_way.run(conn, self.read.entries)
                if self.dry_run:
                    raise NothingWritten
        except NothingWritten:
            pass
        except NotFound:
            raise click.ClickException(f"There is no district {self.district}. 没有这个区。") from None
        except MoreMissing as error:
            raise click.ClickException(f"Now {error.count} are missing 现缺 {error.count} 人. {UNCHANGED}") from None
        except DispatcherNeeded:
            raise click.ClickException(
                "The district's own dispatcher would go: put them into the list, or name another at /people first "
                f"区级调度员不在名册中或将失去角色：请写入名册，或先在“人员”页面另行任命. {UNCHANGED}"
            ) from None
        except AdministratorNeeded:
            raise click.ClickException(
                "The last administrator would go: put them into the list, or name another at /people first "
                f"最后一名管理员不在名册中或将失去角色：请写入名册，或先在“人员”页面另行指定. {UNCHANGED}"
            ) from None


def summary(counts: Counts, refused: Path, dry_run: bool) -> str:
    """What became of the list, one line for each figure that is not nought."""
    lines = [
        (counts.organisations, "organisations founded 新建组织", False),
        (counts.areas, "organisations with other areas 责任区有变的组织", False),
        (counts.new, "members joined 新增党员", True),
        (counts.changed, "members changed 有变动的党员", True),
        (counts.transferred, "  of them transferred 其中转组织关系", False),
        (counts.returned, "members returned 重新加入", False),
        (counts.unchanged, "members as they were 无变动", True),
        (counts.closed, "members closed 已关闭", False),
        (counts.handed_on, "issues handed on 移交的问题", False),
        (counts.rejected, f"rows rejected 未接受 → {refused}" if counts.rejected else "rows rejected 未接受", True),
    ]
    head = ["Dry run: nothing was written 试运行，未写入"] if dry_run else []
    return "\n".join(head + [f"{count:>9,}  {text}" for count, text, always in lines if always or count])

"""`zoufang import premises`: a list of doors, put on the register; again and again."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import click
import msgspec

from api.cli.database import connect, opened, refuse_unready
from api.cli.issues import FAULTS as LEDGER_FAULTS
from api.cli.progress import Report as Bars
from api.cli.progress import bars
from api.database import UNAVAILABLE
from api.ledgers import RejectedRows, RejectedRowsUnwritable
from api.premises_files import REASONS, Opened, Reports, Taken, open_list, take_over
from api.premises_reports import Report
from api.settings import Settings
from api.tables import UnusableTable
from maps.coordinates import SYSTEMS
from maps.locator import Atlas
from surveys.history import Actor
from surveys.ledgers.ledger_mapping import Table, UnusableMapping
from surveys.premises import premises_mapping
from surveys.premises.premises_imports import Counts
from surveys.premises.premises_mapping import FIELDS, KINDS, Defaults, PremisesMapping
from surveys.refusals import NotFound

READING, COMPARING = "导入 take over", "查重 compare"
UNCHANGED = "Nothing was changed 未作任何改动."
ACTOR = Actor("import", "premises")

FAULTS: Mapping[str, str] = {
    **LEDGER_FAULTS,
    "field_not_mapped": (
        "names no column for {field} 没有对应 {field} 的列：--column {field}=… names one"
        " (or --kind, if all are of one kind 或用 --kind)"
    ),
}


class NothingWritten(Exception):
    """A dry run is over, and its transaction is undone."""


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--district", type=int, required=True, help="Number of the district whose doors they are.")
@click.option(
    "--mapping",
    "mapping_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TOML file that says which columns and words stand for what, where the usual headings do not.",
)
@click.option(
    "--column", "columns", multiple=True, metavar="NAME=HEADING", help="A column by its heading, as name=店名."
)
@click.option("--kind", type=click.Choice(KINDS), help="Kind of the doors for which the file tells none.")
@click.option("--system", type=click.Choice(SYSTEMS), help="Coordinate system of the positions.  [default: wgs84]")
@click.option("--sheet", help="Sheet of a spreadsheet; the first one that holds anything if not given.")
@click.option("--header-row", type=click.IntRange(1), help="Row of the header, if it is not found.")
@click.option(
    "--rejected",
    "rejected_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV file for the rows that are refused.  [default: FILE.rejected.csv]",
)
@click.option(
    "--report",
    "report_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File, CSV or XLSX, for doubles, near doubles and what else to look at.  [default: FILE.report.csv]",
)
@click.option("--dry-run", is_flag=True, help="Check everything against the database, write nothing but the reports.")
@click.pass_obj
def premises(
    settings: Settings,
    file: Path,
    district: int,
    mapping_file: Path | None,
    columns: tuple[str, ...],
    kind: str | None,
    system: str | None,
    sheet: str | None,
    header_row: int | None,
    rejected_file: Path | None,
    report_file: Path | None,
    dry_run: bool,
) -> None:
    """Put the doors of a list (CSV, XLSX or GeoJSON) on the register: shops, enterprises and households.

    Columns, in Chinese or English: 名称 name, 地址 address, 类型 kind, 编号 code, 社区 community, 经度 lon, 纬度 lat;
    any other heading is named by --column or --mapping. A position is placed in its community; without one the
    community is named. The same file again changes nothing. What looks like a resident's name is left out. It is all
    or nothing: Ctrl-C leaves everything as it was.
    """
    refused = rejected_file or file.with_name(f"{file.name}.rejected.csv")
    reported = report_file or file.with_name(f"{file.name}.report.csv")
    paths = [file.resolve(), refused.resolve(), reported.resolve(), *([mapping_file.resolve()] if mapping_file else [])]
    if len(set(paths)) < len(paths):
        raise click.UsageError("--rejected and --report must name other files than the list and the mapping.")
    mapping = mapping_of(mapping_file, columns, kind, system, sheet, header_row)
    list_ = list_or_reasons(file, mapping)
    report = Report()
    report.leave_out(list_.columns.residents)
    try:
        with opened(settings) as addresses, RejectedRows(refused, list_.table.columns, REASONS) as rejected:
            if not addresses.embedded:
                asyncio.run(refuse_unready(addresses))
            with bars() as shown:
                taken = asyncio.run(import_list(addresses.program, list_, district, rejected, report, shown, dry_run))
        reported_to = reported if report.write(reported) else None
    except UnusableTable as error:
        raise click.ClickException(f"{explain(file, error)}. {UNCHANGED}") from None
    except RejectedRowsUnwritable as error:
        raise click.ClickException(f"{error}. {UNCHANGED}") from None
    except UNAVAILABLE as error:
        raise click.ClickException(f"The database went away 数据库中断: {type(error).__name__}. {UNCHANGED}") from None
    except OSError as error:
        raise click.ClickException(f"{reported} cannot be written 无法写入: {error.strerror}") from None
    except KeyboardInterrupt:
        click.echo(f"Stopped 已停止. {UNCHANGED}", err=True)
        raise SystemExit(130) from None
    click.echo(summary(taken, refused, reported_to, dry_run))


def mapping_of(
    file: Path | None,
    columns: tuple[str, ...],
    kind: str | None,
    system: str | None,
    sheet: str | None,
    header_row: int | None,
) -> PremisesMapping:
    """The mapping of a file and of options, which come before it; raises ClickException with what is wrong."""
    mapping = PremisesMapping()
    if file is not None:
        try:
            mapping = premises_mapping.read(file.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            raise click.ClickException(f"{file.name} is not UTF-8 不是 UTF-8 编码") from None
        except UnusableMapping as error:
            raise click.ClickException(explain(file, error)) from None
    named = dict(mapping.columns)
    for column in columns:
        field, _, heading = column.partition("=")
        known = next((one for one in FIELDS if one == field.strip()), None)
        if known is None or not heading.strip():
            raise click.UsageError(f"--column {column}: NAME=HEADING, with one of {', '.join(FIELDS)}")
        named[known] = " ".join(heading.split())
    default = mapping.defaults
    return msgspec.structs.replace(
        mapping,
        columns=named,
        table=Table(sheet=sheet or mapping.table.sheet, header_row=header_row or mapping.table.header_row),
        defaults=Defaults(
            kind=next((one for one in KINDS if one == kind), default.kind),
            system=next((one for one in SYSTEMS if one == system), default.system),
            position_source=default.position_source,
        ),
    )


def list_or_reasons(file: Path, mapping: PremisesMapping) -> Opened:
    """The list; raises ClickException with what is wrong with it."""
    try:
        return open_list(file, mapping)
    except (UnusableTable, UnusableMapping) as error:
        raise click.ClickException(explain(file, error)) from None


def explain(file: Path, error: UnusableMapping | UnusableTable) -> str:
    """What is wrong with a file, where, and what could stand there instead."""
    line, known = error.facts.get("line"), error.facts.get("known")
    where = f", line 第 {line} 行" if line and isinstance(error, UnusableMapping) else ""
    could = f". Known are 可用: {', '.join(map(str, known))}" if isinstance(known, tuple) and known else ""
    text = FAULTS[error.code].format_map(error.facts) if error.code in FAULTS else f"{error.code} {dict(error.facts)}"
    return f"{file.name}{where} {text}{could}"


async def import_list(
    dsn: str, list_: Opened, district: int, rejected: RejectedRows, report: Report, shown: Bars, dry_run: bool
) -> Taken:
    """Put a list on the register in one transaction."""
    conn = await connect(dsn)
    told = Reports(
        reject=rejected.add,
        note=report.note,
        read=lambda rows: shown(READING, rows, max(rows, list_.table.about)),
        compared=lambda done, of: shown(COMPARING, done, of),
    )
    try:
        atlas = Atlas(only=district)
        await atlas.refresh(conn)
        return await _all_or_nothing(conn, list_, district, atlas, told, dry_run)
    finally:
        await conn.close(timeout=5)


async def _all_or_nothing(
    conn: asyncpg.Connection, list_: Opened, district: int, atlas: Atlas, told: Reports, dry_run: bool
) -> Taken:
    taken = Taken(Counts(), ())
    try:
        async with conn.transaction():
            taken = await take_over(conn, list_, district, atlas, ACTOR, datetime.now(UTC), told)
            if dry_run:
                raise NothingWritten
    except NothingWritten:
        pass
    except NotFound:
        raise click.ClickException(f"There is no district {district}. 没有这个区。") from None
    return taken


def summary(taken: Taken, refused: Path, reported: Path | None, dry_run: bool) -> str:
    """What became of the list, one line for each figure that is not nought."""
    counts = taken.counts
    lines = [
        (counts.rows, "rows read 读取", True),
        (counts.new, "new on the register 新增", True),
        (counts.unplaced, "  of them without a position 其中没有坐标", False),
        (counts.nowhere, "  of them in no community 其中不在任何社区", False),
        (counts.other_community, "  of them not in the community that is named 其中坐标不在所填社区", False),
        (counts.known, "already on the register 已在台账", True),
        (counts.differing, "  of them told differently, left as they are 其中内容不同，未改动", False),
        (counts.gone, "  of them marked as gone 其中已注销", False),
        (counts.doubles, "doubles within the list 表内重复", False),
        (counts.near_doubles, "pairs that may be the same door 疑似重复（对）", False),
        (counts.rejected, f"rejected 未接受 → {refused}" if counts.rejected else "rejected 未接受", True),
    ]
    head = ["Dry run: nothing was written 试运行，未写入"] if dry_run else []
    tail = [f"Left out, as residents' names 未导入（居民姓名）: {', '.join(taken.left_out)}"] if taken.left_out else []
    tail += [f"What to look at 请核对 → {reported}"] if reported else []
    return "\n".join(head + [f"{count:>9,}  {text}" for count, text, always in lines if always or count] + tail)

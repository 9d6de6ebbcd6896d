"""`zoufang import issues`: an existing ledger, with its own dates, by a mapping file."""

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import click

from api import key_ring
from api.cli.database import Addresses, connect, opened, refuse_unready
from api.cli.progress import bars
from api.database import UNAVAILABLE
from api.ledgers import Import, RejectedRows, RejectedRowsUnwritable
from api.ledgers import opened as opened_ledger
from api.settings import Settings
from api.tables import Table, UnusableTable, read_table
from surveys.ledgers import ledger_mapping, ledgers
from surveys.ledgers.ledger_mapping import LedgerMapping, UnusableMapping
from surveys.ledgers.ledgers import Counts
from surveys.privacy.sealing import KeyRing
from surveys.refusals import NotFound

# What can be wrong with a mapping file or a table; the facts of the refusal fill the braces.
FAULTS: Mapping[str, str] = {
    "mapping_unreadable": "is not TOML 不是 TOML: {cause}",
    "mapping_unusable": "cannot be followed 无法使用: {key}: {cause}",
    "keys_missing": "names residents, and there is no key ring 含有居民信息，但没有密钥环",
    "field_not_mapped": "names no column for {field} 没有对应的列",
    "one_column_only": "gives several columns for {field}; only texts may have more than one 只能对应一列",
    "unknown_time_zone": "names an unknown time zone 时区不明: {given}",
    "unknown_codes": "leads to {key} that the district does not have 本区没有这些编码: {codes}",
    "columns_missing": "names columns that the file does not have 表中没有这些列: {missing}. It has 表中有: {columns}",
    "file_unreadable": "cannot be read 无法读取: {cause}",
    "text_broken": "is broken at line {line}: not {encoding} 文字编码有误，第 {line} 行",
    "row_unreadable": "cannot be read at row {row} 第 {row} 行无法读取: {cause}",
    "no_rows": "has no rows 没有数据",
    "sheet_not_found": "has no sheet {wanted} 没有这个工作表. It has 有: {sheets}",
    "header_not_found": "has no header in row {row} 第 {row} 行不是表头",
    "column_repeated": "has the column {column} twice 列名重复",
}


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--mapping",
    "mapping_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TOML file that says which columns, dates and words of the ledger stand for what.",
)
@click.option("--district", type=int, required=True, help="Number of the district whose ledger it is.")
@click.option(
    "--rejected",
    "rejected_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV file for the rows that are refused.  [default: FILE.rejected.csv]",
)
@click.option("--dry-run", is_flag=True, help="Read and check everything, write nothing but the refused rows.")
@click.pass_obj
def issues(
    settings: Settings, file: Path, mapping_file: Path, district: int, rejected_file: Path | None, dry_run: bool
) -> None:
    """Take over a ledger (CSV or XLSX): its reports become issues, with the ledger's own dates.

    A row that is there already is never written again, so the same command goes on where it was stopped, and a
    longer ledger brings only what is new. Rows that make no sense go to a file of their own, each with its reasons.
    """
    mapping, table = readable(file, mapping_file)
    refused = rejected_file or file.with_name(f"{file.name}.rejected.csv")
    if refused.resolve() in (file.resolve(), mapping_file.resolve()):
        raise click.UsageError("--rejected must name another file than the ledger and the mapping.")
    ring = key_ring.read(settings) if mapping.tells_contacts else None
    counts = Counts()
    try:
        with opened(settings) as addresses, RejectedRows(refused, table.columns) as rejected:
            asyncio.run(take_over(addresses, file, table, mapping, district, ring, rejected, counts, dry_run))
    except UnusableTable as error:
        raise click.ClickException(f"{explain(file, error)}\n{summary(counts, refused, dry_run)}") from None
    except RejectedRowsUnwritable as error:
        raise click.ClickException(f"{error}. {goes_on(counts)}") from None
    except UNAVAILABLE as error:
        raise click.ClickException(
            f"The database went away 数据库中断: {type(error).__name__}. {goes_on(counts)}"
        ) from None
    except KeyboardInterrupt:
        click.echo(f"Stopped 已停止. {goes_on(counts)}", err=True)
        raise SystemExit(130) from None
    click.echo(summary(counts, refused, dry_run))


def readable(file: Path, mapping_file: Path) -> tuple[LedgerMapping, Table]:
    """The mapping and the table that it fits; raises ClickException with what is wrong with either."""
    try:
        mapping = ledger_mapping.read(mapping_file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise click.ClickException(f"{mapping_file.name} is not UTF-8 不是 UTF-8 编码") from None
    except UnusableMapping as error:
        raise click.ClickException(explain(mapping_file, error)) from None
    try:
        table = read_table(file, mapping.table.sheet, mapping.table.header_row)
    except UnusableTable as error:
        raise click.ClickException(explain(file, error)) from None
    missing = ledgers.missing_columns(mapping, table.columns)
    if missing:
        lists = {"missing": ", ".join(missing), "columns": ", ".join(filter(None, table.columns))}
        raise click.ClickException(f"{mapping_file.name} {FAULTS['columns_missing'].format_map(lists)}")
    return mapping, table


def explain(file: Path, error: UnusableMapping | UnusableTable) -> str:
    """What is wrong with a file, where, and what could stand there instead."""
    line, known = error.facts.get("line"), error.facts.get("known")
    where = f", line 第 {line} 行" if line and isinstance(error, UnusableMapping) else ""
    could = f". Known are 可用: {', '.join(map(str, known))}" if isinstance(known, tuple) and known else ""
    text = FAULTS[error.code].format_map(error.facts) if error.code in FAULTS else f"{error.code} {dict(error.facts)}"
    return f"{file.name}{where} {text}{could}"


async def take_over(
    addresses: Addresses,
    file: Path,
    table: Table,
    mapping: LedgerMapping,
    district: int,
    ring: KeyRing | None,
    rejected: RejectedRows,
    counts: Counts,
    dry_run: bool,
) -> None:
    """Run the import with a bar on the terminal, and write into the history that it was."""
    if not addresses.embedded:
        await refuse_unready(addresses)
    conn = await connect(addresses.program)
    try:
        started_at = utc_now()
        ledger = await ledger_or_reasons(conn, mapping, district, ring, started_at)
        with bars() as report:
            running = Import(
                ledger=ledger,
                table=table,
                clock=utc_now,
                reject=rejected.add,
                progress=lambda rows: report("Ledger 台账", rows, max(rows, table.about)),
                dry_run=dry_run,
                counts=counts,
            )
            await running.run(lambda: writing(addresses), lambda: look_at_tables(conn, addresses))
            report("Ledger 台账", counts.rows, counts.rows)
        if counts.filed and not dry_run:
            digest = await asyncio.to_thread(digest_of, file)
            await ledgers.tell(conn, ledger, digest, counts, started_at, utc_now())
    finally:
        await conn.close()


async def ledger_or_reasons(
    conn: asyncpg.Connection, mapping: LedgerMapping, district: int, ring: KeyRing | None, now: datetime
) -> ledgers.Ledger:
    try:
        return await opened_ledger(conn, mapping, district, now, ring)
    except NotFound:
        raise click.ClickException(f"There is no district {district}. 没有这个区。") from None
    except UnusableMapping as error:
        raise click.ClickException(f"The mapping {FAULTS[error.code].format_map(error.facts)}") from None


async def writing(addresses: Addresses) -> asyncpg.Connection:
    """A connection that finds what a row refers to by its key, whatever PostgreSQL takes the size of its tables to be:
    until it has looked at them it would read all that a district has, for each row again."""
    conn = await connect(addresses.program)
    await conn.execute("set enable_seqscan = off")
    return conn


# Whether PostgreSQL has ever looked at how the issues are spread over districts.
LOOKED = "select exists (select from pg_stats where schemaname = 'public' and tablename = 'issue')"


async def look_at_tables(conn: asyncpg.Connection, addresses: Addresses) -> None:
    """Let PostgreSQL look at its tables if it never has. Only their owner can: where we do not know how to sign in as
    that one, its own background process does it within a minute or so, and the import is slow until then."""
    if addresses.owner is None or await conn.fetchval(LOOKED):
        return
    owner = await connect(addresses.owner)
    try:
        await owner.execute("analyze")
    finally:
        await owner.close()


def digest_of(file: Path) -> bytes:
    """SHA-256 of a file."""
    with file.open("rb") as opened_file:
        return hashlib.file_digest(opened_file, "sha256").digest()


def utc_now() -> datetime:
    """The command's clock."""
    return datetime.now(UTC)


def goes_on(counts: Counts) -> str:
    return (
        f"{counts.filed} rows were filed and stay 已入库 {counts.filed} 行. "
        "Run the same command again to go on 再次运行同一命令即可继续."
    )


def summary(counts: Counts, refused: Path, dry_run: bool) -> str:
    """What became of the rows, one line for each figure that is not nought."""
    filed = "would be filed 将入库" if dry_run else "filed 已入库"
    lines = [
        (counts.rows, "rows read 读取", True),
        (counts.filed, filed, True),
        (counts.without_position, "  of them without a position 其中没有坐标", False),
        (counts.outside, "  of them outside of every community 其中不在任何社区内", False),
        (counts.undated, "  of them in a state since an unknown time 其中状态时间不明", False),
        (counts.already_there, "already there 已存在", True),
        (counts.changed_since, "  of them changed in the ledger since, left as they are 其中台账已变，未更新", False),
        (counts.rejected, f"rejected 未接受 → {refused}" if counts.rejected else "rejected 未接受", True),
    ]
    return "\n".join(f"{count:>9,}  {text}" for count, text, always in lines if always or count)

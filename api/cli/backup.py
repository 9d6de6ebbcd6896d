"""`zoufang backup` and `zoufang restore`: the whole installation as one file, and back."""

import asyncio
import hashlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click
import msgspec

from api import backup_files, backups, erasure_journal, key_ring
from api.backup_files import BackupError, Manifest, Progress, Writer
from api.cli.database import Addresses, NoDatabaseError, opened, refuse_unready
from api.cli.progress import bars
from api.settings import Settings
from surveys.privacy import erasures
from surveys.volunteering import endings


@click.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--verify/--no-verify", default=True, show_default=True, help="Restore it into a scratch database and compare."
)
@click.pass_obj
def backup(settings: Settings, file: Path | None, verify: bool) -> None:
    """Write the database, the attachments and the key ring's manifest into one new FILE, readable by you alone.

    It may run while the program serves. The keys themselves are not in it: keep them elsewhere. With DATABASE_URL, set
    MIGRATION_DATABASE_URL as well: the role that owns reads everything.
    """
    now = datetime.now(UTC)
    path = (file or Path(f"zoufang-{now:%Y-%m-%dT%H%M%SZ}.tar")).absolute()
    refuse_inside_data(settings, path)
    ring = key_ring.read(settings)
    with ending_as_by_ctrl_c(), said_plainly(), opened(settings, migrating=False) as addresses, bars() as progress:
        asyncio.run(refuse_unready(addresses))
        owner = owner_of(addresses)
        with backup_files.written(path) as begin:
            manifest = asyncio.run(backups.write(settings, owner, ring, Writer(begin(), now), now, progress))
            unfinished = path.with_name(path.name + ".unfinished")
            broken: list[str] = []
            if verify:
                with backups.scratch(settings) as scratch:
                    broken = asyncio.run(backups.try_out(settings, scratch, unfinished, manifest, progress))
            facts = {
                "bytes": unfinished.stat().st_size,
                "manifest": digest_of(manifest),
                "verified": verify,
                "history_verified": verify and not broken,
            }
        asyncio.run(backups.record(owner, "backed_up", facts, datetime.now(UTC)))
    click.echo(f"{path}: {facts['bytes']:,} bytes, {sum(manifest.rows.values()):,} rows.")
    click.echo("Tried out and found whole 已试恢复，完整" if verify else "Not tried out 未试恢复")
    warn(broken)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Put it in the place of the district that is there now.")
@click.pass_obj
def restore(settings: Settings, file: Path, replace: bool) -> None:
    """Put a backup into an empty installation; with --replace, into the place of the present one.

    Nothing may serve meanwhile. The present database stays as it is until all went well. What was erased since the
    backup is erased again; browsers have to sign in again, and one-time codes are made anew.
    """
    ring = key_ring.read(settings)
    with ending_as_by_ctrl_c(), said_plainly():
        manifest = backup_files.read_manifest(file)
        backups.refuse_newer(manifest)
        backups.refuse_missing_keys(ring, manifest)
        with opened(settings, share=False, migrating=False) as addresses, bars() as progress:
            owner = owner_of(addresses)
            again, broken = asyncio.run(put_back(settings, owner, file.absolute(), manifest, replace, progress))
    click.echo(f"Backup of 备份时间 {manifest.made_at:%Y-%m-%d %H:%M} UTC")
    for table, rows in manifest.rows.items():
        if rows:
            click.echo(f"  {table}: {rows:,}")
    click.echo(f"Erased again 重新删除: {again}")
    click.echo("The history does not verify 历史记录核验未通过" if broken else "The history verifies 历史记录核验通过")
    warn(broken)


async def put_back(
    settings: Settings, owner: str, path: Path, manifest: Manifest, replace: bool, progress: Progress
) -> tuple[int, list[str]]:
    """Restore a backup, forget again what was erased since, and say so in the history; how many erasures that were, and
    where the history does not verify."""
    place = await backups.target(owner, replace=replace)
    await backup_files.check_parts(path, manifest, progress)
    async with backups.restored(settings, place, path, manifest, progress) as conn:
        async with conn.transaction():
            now = datetime.now(UTC)
            erased = erasure_journal.read(settings)
            again = await erasures.replay(conn, erased, now)
            await endings.end_again(conn, erased, now)
            await backups.end_what_was_open(conn, now)
            facts = {"backup": digest_of(manifest), "made_at": manifest.made_at, "erased_again": again}
            await backups.append(conn, "restored", facts, now)
        return again, await backups.unverified(conn, progress)


def warn(broken: list[str]) -> None:
    """Say where a history does not verify, and end as a command that found something wrong: with 1."""
    for line in broken:
        click.echo(f"The history does not verify; `zoufang history verify` tells more. District {line}", err=True)
    if broken:
        raise SystemExit(1)


def digest_of(manifest: Manifest) -> str:
    """What a backup is known by: the SHA-256 of its manifest, which names those of all its parts."""
    return hashlib.sha256(msgspec.json.encode(manifest)).hexdigest()


def owner_of(addresses: Addresses) -> str:
    if addresses.owner is None:
        raise NoDatabaseError("Set MIGRATION_DATABASE_URL to the same database as the role that owns it.")
    return addresses.owner


def refuse_inside_data(settings: Settings, path: Path) -> None:
    """A backup that lies in the data folder goes with it."""
    if path.parent.resolve().is_relative_to(settings.data.resolve()):
        raise click.UsageError(f"{path} lies inside the data folder {settings.data}: name a file elsewhere.")


@contextmanager
def said_plainly() -> Iterator[None]:
    """Say what a person can put right in one sentence, without a traceback."""
    try:
        yield
    except BackupError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def ending_as_by_ctrl_c() -> Iterator[None]:
    """Let SIGTERM unwind the command as Ctrl-C does: nothing stays half made."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    earlier = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)

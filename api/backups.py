"""Backups: the database, the attachments and the manifest of the key ring as one file, tried out before it counts, and
put back into an installation."""

import asyncio
import contextlib
import importlib.metadata
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from api import backup_files, migrations, postgres_dumps
from api.backup_files import ATTACHMENTS, DATABASE, BackupError, Head, Manifest, Progress, Writer, megabytes
from api.cli.database import APP, connect
from api.cli.history import in_words
from api.embedded_postgres import Cluster, flush, lock
from api.settings import Settings
from surveys import history, history_seals
from surveys.history import Actor
from surveys.privacy.sealing import KeyRing
from surveys.privacy.sealing import manifest as key_manifest

TABLES = """
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition
  and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
order by c.relname
"""
MIGRATIONS = "select version from schema_migrations order by version"
HEADS = """
select h.district, count(*) as events, max(h.recorded_at) as newest_at,
       (select encode(s.digest, 'hex') from history_seal s where s.district = h.district
         order by s.number desc limit 1) as seal
from history h group by h.district
"""
WRITING = re.compile(r"#\d+$")  # the name of an attachment until it is whole
DISTRICTS = "select district from district order by district"
FOUNDED = "select to_regclass('public.district') is not null"


# Making one


async def write(
    settings: Settings, owner: str, ring: KeyRing, writer: Writer, now: datetime, progress: Progress
) -> Manifest:
    """Write the database as it is at one moment, then every attachment that it could name, and the manifest."""
    conn = await connect(owner)
    try:
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            snapshot: str = await conn.fetchval("select pg_export_snapshot()")
            rows = await counts(conn, progress)
            manifest = Manifest(
                format=backup_files.FORMAT,
                program=importlib.metadata.version("zoufang"),
                made_at=now,
                server=await conn.fetchval("show server_version"),
                migrations=[row["version"] for row in await conn.fetch(MIGRATIONS)],
                rows=rows,
                history=await heads(conn),
                keys=key_manifest(ring),
                parts=writer.parts,
            )
            tables = Steps("Dumping 导出 (tables 表)", len(rows), progress)
            dumped = postgres_dumps.dump(settings.data / "postgresql", owner, snapshot, tables.step)
            await writer.add(DATABASE, dumped)
    finally:
        await conn.close()
    await write_attachments(settings.data / "attachments", writer, progress)
    await writer.finish(manifest)
    return manifest


class Steps:
    """Counts what is done of something, and tells of it."""

    def __init__(self, name: str, of: int, progress: Progress) -> None:
        self.name, self.done, self.of, self.progress = name, 0, of, progress

    def step(self) -> None:
        self.done = min(self.done + 1, self.of)
        self.progress(self.name, self.done, self.of)


async def counts(conn: asyncpg.Connection, progress: Progress) -> dict[str, int]:
    """The rows of every table of ours."""
    found = {}
    tables = [row["relname"] for row in await conn.fetch(TABLES)]
    for number, table in enumerate(tables, 1):
        found[table] = await conn.fetchval(f'select count(*) from public."{table}"')
        progress("Counting 清点 (tables 表)", number, len(tables))
    return found


async def heads(conn: asyncpg.Connection) -> dict[str, Head]:
    """Where each district's history stands."""
    return {
        str(row["district"]): Head(events=row["events"], newest_at=row["newest_at"], seal=row["seal"])
        for row in await conn.fetch(HEADS)
    }


async def write_attachments(folder: Path, writer: Writer, progress: Progress) -> None:
    """Add every file that lies there now: one is never changed, so what the dump names is among them."""
    files = files_in(folder)
    for number, path in enumerate(files, 1):
        with suppress(FileNotFoundError), path.open("rb") as file:  # one that was forgotten meanwhile
            await writer.add(ATTACHMENTS + path.relative_to(folder).as_posix(), backup_files.chunks_of(file))
        progress("Attachments 附件", number, len(files))


def files_in(folder: Path) -> list[Path]:
    """The whole files in a folder; one that is still being written has another name until it is whole."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".unfinished" and not WRITING.search(path.name)
    )


# Trying it out


@contextmanager
def scratch(settings: Settings) -> Iterator[str]:
    """The address of an empty database on a server of its own, which is gone afterwards with all that was in it.

    It lies in the data folder: what a backup holds must not be left in a folder for everybody's files."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o711)
    forget_scratches(settings)
    folder = settings.data / f"scratch-{uuid4().hex[:8]}"
    try:
        with Cluster(folder, durable=False) as cluster:
            asyncio.run(let_app_in(cluster.dsn()))
            yield cluster.dsn()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def forget_scratches(settings: Settings) -> None:
    """Remove what a kill -9 left of earlier ones."""
    for folder in settings.data.glob("scratch-????????"):
        if not is_running(folder):
            shutil.rmtree(folder, ignore_errors=True)


def is_running(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        held = lock(folder / "lock")
        if held is not None:
            os.close(held)
            return False
    return True


async def let_app_in(owner: str) -> None:
    """Make the role that runs where it is missing: the dump grants it its rights."""
    conn = await connect(owner)
    try:
        if not await conn.fetchval("select exists (select from pg_roles where rolname = $1)", APP):
            await conn.execute(f"create role {APP} login nosuperuser nocreatedb nocreaterole noinherit")
    except asyncpg.InsufficientPrivilegeError:
        raise BackupError(f"Let the server's administrator make the role first: create role {APP} login;") from None
    finally:
        await conn.close()


async def try_out(settings: Settings, scratch: str, path: Path, manifest: Manifest, progress: Progress) -> list[str]:
    """Restore a backup into an empty database; raises BackupError if it is not whole. Says, for each district, where
    its history does not verify: that is no fault of the backup."""
    await backup_files.check_parts(path, manifest, progress)
    await fill(settings, scratch, path, manifest, progress)
    conn = await connect(scratch)
    try:
        await history_seals.begin_epoch(conn)
        return await unverified(conn, progress)
    finally:
        await conn.close()


async def unverified(conn: asyncpg.Connection, progress: Progress) -> list[str]:
    """The districts whose history does not verify, each with the first broken record."""
    found = []
    for row in await conn.fetch(DISTRICTS):
        verification = await history_seals.verify(conn, row["district"], report=progress)
        if verification.broken:
            found.append(f"{row['district']}: {in_words(verification.broken)}")
    return found


async def fill(settings: Settings, owner: str, path: Path, manifest: Manifest, progress: Progress) -> None:
    """Fill an empty database from a backup, and compare what is in it then with the manifest."""
    conn = await connect(owner)
    try:
        forgiving = int(await conn.fetchval("show server_version_num")) < 170000
        content = told(backup_files.part(path, DATABASE), manifest.parts[DATABASE].bytes, progress)
        await postgres_dumps.restore(settings.data / "postgresql", owner, content, forgiving=forgiving)
        await compare(conn, manifest, progress)
    finally:
        await conn.close()


async def told(content: AsyncIterator[bytes], whole: int, progress: Progress) -> AsyncIterator[bytes]:
    done = 0
    async for chunk in content:
        yield chunk
        done += len(chunk)
        progress("Restoring 恢复 (MB)", megabytes(done), megabytes(whole))


async def compare(conn: asyncpg.Connection, manifest: Manifest, progress: Progress) -> None:
    """Raises BackupError unless the database holds what the manifest counts, and histories that end where it says."""
    found = await counts(conn, progress)
    odd = [
        f"{table}: {found.get(table, 0)} of {manifest.rows.get(table, 0)} rows"
        for table in sorted(found.keys() | manifest.rows.keys())
        if found.get(table) != manifest.rows.get(table)
    ]
    if odd:
        raise BackupError("What was restored is not what was backed up: " + "; ".join(odd))
    if await heads(conn) != manifest.history:
        raise BackupError("The history that was restored does not end where the one that was backed up did.")


async def record(owner: str, event: str, facts: Mapping[str, object], now: datetime) -> None:
    """Write into every district's history that its installation was backed up, or restored."""
    conn = await connect(owner)
    try:
        async with conn.transaction():
            await append(conn, event, facts, now)
    finally:
        await conn.close()


async def append(conn: asyncpg.Connection, event: str, facts: Mapping[str, object], now: datetime) -> None:
    actor = Actor("program", "backup")
    events = [
        history.occurrence(
            district=row["district"], kind="installation", event=event, actor=actor, now=now, facts=facts
        )
        for row in await conn.fetch(DISTRICTS)
    ]
    await history.append(conn, events, [])


# Putting it back


def refuse_missing_keys(ring: KeyRing, manifest: Manifest) -> None:
    """Raises BackupError, by their numbers, for keys without which what is sealed in the backup stays shut."""
    ours = key_manifest(ring)
    missing = [
        f"{'the look-up key' if number == 'look_up' else f'key {number}'} ({fingerprint})"
        for number, fingerprint in manifest.keys.items()
        if ours.get(number) != fingerprint
    ]
    if missing:
        raise BackupError(
            f"The key ring lacks {', '.join(missing)}: what is sealed in this backup could not be opened. "
            "Put the key ring of its day at ZOUFANG_KEYS."
        )


def refuse_newer(manifest: Manifest) -> None:
    """Raises BackupError for a backup whose tables this program does not know."""
    known = {migration.version for migration in migrations.read(migrations.FOLDER)}
    if unknown := [version for version in manifest.migrations if version not in known]:
        raise BackupError(f"The backup was made by a newer program, with {', '.join(unknown)}. Install that one.")


async def is_empty(owner: str) -> bool:
    """Whether no district was founded in a database."""
    conn = await connect(owner)
    try:
        return not (await conn.fetchval(FOUNDED) and await conn.fetch(DISTRICTS))
    finally:
        await conn.close()


class Target:
    """The database that a backup is restored into: a new one beside the present one, which takes its name when all
    went well; or, where the owner may make none, the present one, emptied."""

    def __init__(self, owner: str, name: str, creation: str | None) -> None:
        self.owner = owner
        self.name = name
        self.new = f"{name}_restored_{uuid4().hex[:8]}" if creation else None
        self.creation = creation

    @property
    def address(self) -> str:
        """Where to restore to."""
        return postgres_dumps.at(self.owner, self.new) if self.new else self.owner

    async def begin(self) -> None:
        if self.new is None:
            await self._on(self.owner, CLEAR)
            return
        await self._on(self._elsewhere, f'create database "{self.new}" {self.creation}')

    async def abandon(self) -> None:
        """Leave the present database as it was; one that was filled in place was empty, and is again."""
        if self.new is None:
            await self._on(self.owner, CLEAR)
        else:
            await self._on(self._elsewhere, f'drop database if exists "{self.new}" with (force)')

    async def take_over(self) -> None:
        """Give the new database the name of the present one, which is then dropped."""
        if self.new is None:
            return
        old = f"{self.name}_before_{uuid4().hex[:8]}"
        conn = await connect(self._elsewhere)
        try:
            async with conn.transaction():
                await conn.execute(f'alter database "{self.name}" rename to "{old}"')
                await conn.execute(f'alter database "{self.new}" rename to "{self.name}"')
            await conn.execute(f'drop database "{old}"')
        except asyncpg.ObjectInUseError:
            raise BackupError(IN_USE) from None
        finally:
            await conn.close()

    @property
    def _elsewhere(self) -> str:
        return postgres_dumps.at(self.owner, "postgres")

    async def _on(self, dsn: str, statement: str) -> None:
        conn = await connect(dsn)
        try:
            await conn.execute(statement)
        finally:
            await conn.close()


IN_USE = "Somebody is connected to the database. Stop `zoufang serve` and whatever else uses it first."
# To an owner who is no superuser nobody's kind is told; but those who clean up the database have no user.
OTHERS = """
select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
  and coalesce(backend_type, 'client backend') = 'client backend' and usesysid is not null
"""
PLACE = """
select d.datname as name, pg_get_userbyid(d.datdba) = current_user as owns, r.rolsuper, r.rolcreatedb,
       d.datcollate, d.datctype, to_jsonb(d) ->> 'datlocprovider' as provider,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') as locale
from pg_database d, pg_roles r where d.datname = current_database() and r.rolname = current_user
"""
# Everything of ours in the database; what belongs to an extension goes with the extension.
CLEAR = """
do $$ declare one record; begin
  drop extension if exists pg_trgm cascade;
  drop schema if exists queue cascade;
  for one in select c.oid::regclass as name from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
  loop execute format('drop table if exists %s cascade', one.name); end loop;
  for one in select p.oid::regprocedure as name from pg_proc p
    where p.pronamespace = 'public'::regnamespace
      and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
  loop execute format('drop routine if exists %s cascade', one.name); end loop;
end $$
"""


async def target(owner: str, *, replace: bool) -> Target:
    """Where to restore to.

    Raises BackupError if the database is in use, or holds a district and may not be replaced."""
    conn = await connect(owner)
    try:
        place = await conn.fetchrow(PLACE)
        assert place is not None  # noqa: S101 -- we are connected to it, as somebody
        others = await conn.fetchval(OTHERS)
    finally:
        await conn.close()
    if others:
        raise BackupError(IN_USE)
    empty = await is_empty(owner)
    if not empty and not replace:
        raise BackupError("The database holds a district already. With --replace the backup takes its place.")
    beside = place["rolsuper"] or (place["rolcreatedb"] and place["owns"])
    if not beside and not empty:
        raise BackupError(
            "To replace a database its owner makes another beside it: let the server's administrator run "
            "`alter role … createdb`, or restore into an empty database."
        )
    return Target(owner, place["name"], creation_like(place) if beside else None)


def creation_like(place: asyncpg.Record) -> str:
    """The options that make a database with the same character types as an existing one."""

    def quoted(text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    options = f"template template0 encoding 'UTF8' lc_collate {quoted(place['datcollate'])}"
    options += f" lc_ctype {quoted(place['datctype'])}"
    if place["provider"] == "b":
        options += f" locale_provider builtin builtin_locale {quoted(place['locale'])}"
    elif place["provider"] == "i":
        options += f" locale_provider icu icu_locale {quoted(place['locale'])}"
    return options


@asynccontextmanager
async def restored(
    settings: Settings, place: Target, path: Path, manifest: Manifest, progress: Progress
) -> AsyncIterator[asyncpg.Connection]:
    """The restored database, migrated, as its owner; it takes the present one's place when the block ends well."""
    await let_app_in(place.owner)
    done = False
    try:
        await place.begin()
        await fill(settings, place.address, path, manifest, progress)
        conn = await connect(place.address)
        try:
            await conn.execute(f'grant connect on database "{place.new or place.name}" to {APP}')
            await migrations.migrate(conn)
            await migrations.refuse_unfit(conn)
            await history_seals.begin_epoch(conn)  # before anything is written: transactions are counted anew
            await conn.execute("analyze")
            yield conn
        finally:
            await conn.close()
        with attachments_from(settings.data / "attachments", path) as write_all:
            await write_all(manifest, progress)
            await place.take_over()
            done = True
    finally:
        if not done:
            await asyncio.shield(place.abandon())


@contextmanager
def attachments_from(folder: Path, path: Path) -> Iterator[Any]:
    """Lets a backup's attachments be written beside the present ones, which they join when the block ends well.

    One that is there already is the same, and one that came after the backup is left where it is."""
    unfinished = folder.with_name("attachments.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)

    async def write_all(manifest: Manifest, progress: Progress) -> None:
        written = Steps("Attachments 附件", len(manifest.parts) - 1, progress)
        async for name, chunks in backup_files.attachments(path):
            place = backup_files.attachment_path(unfinished, name)
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                async for chunk in chunks:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            written.step()

    try:
        yield write_all
        for written in files_in(unfinished):
            place = folder / written.relative_to(unfinished)
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                written.rename(place)
                flush(place.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


# Browsers sign in again, and codes are made anew: what was ended since the backup must not come to life again.
END_SESSIONS = "update session set ended_at = $1 where ended_at is null"
REVOKE_CODES = "update one_time_code set revoked_at = $1 where used_at is null and revoked_at is null"


async def end_what_was_open(conn: asyncpg.Connection, now: datetime) -> None:
    """End every session and every one-time code of the backup."""
    await conn.execute(END_SESSIONS, now)
    await conn.execute(REVOKE_CODES, now)

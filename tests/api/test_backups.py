"""Backups of a server's database, and what one is refused for: damage, other keys, a district in the way."""

import asyncio
import signal
import tarfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import msgspec
import pytest

from api import backup_files, key_ring
from api.backup_files import BackupError, Manifest
from api.settings import Settings
from tests.api.processes import Program, alive, descendants, wait_until
from tests.conftest import NOW, Server, founded

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


@pytest.fixture
def program(tmp_path: Path, dsn: str, owner_dsn: str) -> Program:
    """An installation on a server of its own, with the small district in it."""
    return Program(tmp_path / "data", DATABASE_URL=dsn, MIGRATION_DATABASE_URL=owner_dsn)


@pytest.fixture
async def elsewhere(server: Server) -> AsyncIterator[str]:
    """The name of an empty database."""
    name = f"empty_{uuid4().hex[:8]}"
    await on(server.dsn(), f"create database {name}")
    yield name
    await on(server.dsn(), f"drop database if exists {name} with (force)")


async def on(dsn: str, *statements: str) -> None:
    conn = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await conn.execute(statement)
    finally:
        await conn.close()


async def asked(dsn: str, question: str) -> object:
    conn = await asyncpg.connect(dsn)
    answer: object = await conn.fetchval(question)
    await conn.close()
    return answer


def backed_up(program: Program, path: Path, *options: str) -> Manifest:
    made = program.run("backup", str(path), *options)
    assert made.returncode == 0, made.stdout + made.stderr
    return backup_files.read_manifest(path)


def restoring_to(program: Program, server: Server, name: str, owner: str | None = None) -> Program:
    """The same keys and data folder, on another database."""
    other = Program(program.data, DATABASE_URL=server.dsn("zoufang_app", name))
    other.environment["MIGRATION_DATABASE_URL"] = owner or server.dsn(name=name)
    return other


def refusal(program: Program, *arguments: str) -> str:
    done = program.run(*arguments)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


async def test_a_server_s_database_is_backed_up_and_restored_into_an_empty_one(
    program: Program, server: Server, elsewhere: str, tmp_path: Path
) -> None:
    (program.data / "attachments" / "ab").mkdir(parents=True)
    (program.data / "attachments" / "ab" / "photo").write_bytes(b"a photo")
    (program.data / "attachments" / "ab" / "other#1").write_bytes(b"half")  # of one that is being stored
    manifest = backed_up(program, tmp_path / "b.tar")
    assert manifest.rows["member"] > 0
    assert manifest.keys == {"1": manifest.keys["1"], "look_up": manifest.keys["look_up"]}
    assert manifest.parts["attachments/ab/photo"].bytes == 7
    assert manifest.parts.keys() == {"database.dump", "attachments/ab/photo"}
    (program.data / "attachments" / "ab" / "photo").rename(program.data / "attachments" / "ab" / "later")

    other = restoring_to(program, server, elsewhere)
    done = other.run("restore", str(tmp_path / "b.tar"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"member: {manifest.rows['member']}" in done.stdout
    app = server.dsn("zoufang_app", elsewhere)
    assert await asked(app, "select count(*) from member") == manifest.rows["member"]
    assert (program.data / "attachments" / "ab" / "photo").read_bytes() == b"a photo"
    assert (program.data / "attachments" / "ab" / "later").exists()
    assert not (program.data / "attachments.unfinished").exists()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await on(app, "delete from history")
    assert await asked(app, "select event from history order by recorded_at desc limit 1") == "restored"


async def test_a_district_in_the_way_stays_unless_it_is_to_be_replaced(
    program: Program, owner_dsn: str, tmp_path: Path
) -> None:
    backed_up(program, tmp_path / "b.tar", "--no-verify")
    await on(owner_dsn, "update district set name = 'changed since'")
    assert "--replace" in refusal(program, "restore", str(tmp_path / "b.tar"))
    assert await asked(owner_dsn, "select name from district") == "changed since"
    done = program.run("restore", "--replace", str(tmp_path / "b.tar"))
    assert done.returncode == 0, done.stderr
    assert await asked(owner_dsn, "select name from district") == "二七区"
    left = "select count(*) from pg_database where datname like '%\\_before\\_%' or datname like '%\\_restored\\_%'"
    assert await asked(owner_dsn, left) == 0


async def test_nothing_is_restored_while_somebody_is_connected(
    program: Program, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    backed_up(program, tmp_path / "b.tar", "--no-verify")
    assert await conn.fetchval("select 1") == 1
    assert "Stop `zoufang serve`" in refusal(program, "restore", "--replace", str(tmp_path / "b.tar"))


async def test_a_restore_that_fails_at_its_last_step_leaves_everything_as_it_was(
    program: Program, server: Server, owner_dsn: str, tmp_path: Path
) -> None:
    """Somebody connects while the new database is being filled, so that it cannot take the old one's name."""
    backed_up(program, tmp_path / "b.tar", "--no-verify")
    await on(owner_dsn, "update district set name = 'changed since'")
    name = await asked(owner_dsn, "select current_database()")
    beside = f"select count(*) from pg_database where datname like '{name}\\_%'"
    restoring = asyncio.create_task(
        asyncio.to_thread(refusal, program, "restore", "--replace", str(tmp_path / "b.tar"))
    )
    while not await asked(server.dsn(), beside):
        assert not restoring.done()
        await asyncio.sleep(0.02)
    somebody = await asyncpg.connect(owner_dsn)
    assert "Stop `zoufang serve`" in await restoring
    await somebody.close()
    assert await asked(owner_dsn, "select name from district") == "changed since"
    assert await asked(server.dsn(), beside) == 0


async def test_an_owner_who_may_make_no_database_restores_into_the_empty_one(
    program: Program, server: Server, tmp_path: Path
) -> None:
    backed_up(program, tmp_path / "b.tar", "--no-verify")
    owner = f"plain_{uuid4().hex[:8]}"
    await on(server.dsn(), f"create role {owner} login password 'not-shown'", f"create database {owner} owner {owner}")
    try:
        address = server.dsn(owner, owner)
        other = restoring_to(program, server, owner, owner=address)
        await damage(tmp_path / "b.tar", tmp_path / "other.tar")
        assert "not what was backed up" in refusal(other, "restore", str(tmp_path / "other.tar"))
        assert await asked(address, "select to_regclass('public.member')") is None, "it is as empty as it was"
        done = other.run("restore", str(tmp_path / "b.tar"))
        assert done.returncode == 0, done.stderr
        assert await asked(address, "select name from district") == "二七区"
        assert "createdb" in refusal(other, "restore", "--replace", str(tmp_path / "b.tar"))
    finally:
        await on(server.dsn(), f"drop database {owner} with (force)", f"drop role {owner}")


async def damage(path: Path, other: Path) -> None:
    """The same dump under a manifest that counts one member more."""
    manifest = backup_files.read_manifest(path)
    with other.open("w+b") as file:
        writer = backup_files.Writer(file, NOW)
        await writer.add(backup_files.DATABASE, backup_files.part(path, backup_files.DATABASE))
        rows = {**manifest.rows, "member": manifest.rows["member"] + 1}
        await writer.finish(msgspec.structs.replace(manifest, rows=rows, parts=writer.parts))


async def test_a_file_that_was_changed_or_cut_off_is_refused_before_anything_is_touched(
    program: Program, server: Server, elsewhere: str, tmp_path: Path
) -> None:
    path = tmp_path / "b.tar"
    backed_up(program, path, "--no-verify")
    content = bytearray(path.read_bytes())
    with tarfile.open(path) as tar:
        at = tar.getmember(backup_files.DATABASE).offset_data + 5_000
    other = restoring_to(program, server, elsewhere)
    (tmp_path / "short.tar").write_bytes(content[: len(content) // 2])
    assert "cut off" in refusal(other, "restore", str(tmp_path / "short.tar"))
    content[at] ^= 1
    (tmp_path / "changed.tar").write_bytes(content)
    assert "SHA-256 differs" in refusal(other, "restore", str(tmp_path / "changed.tar"))
    (tmp_path / "text.tar").write_text("no backup at all")
    assert "no backup" in refusal(other, "restore", str(tmp_path / "text.tar"))
    assert await asked(server.dsn(name=elsewhere), "select to_regclass('public.member')") is None


async def test_a_key_ring_that_lacks_a_key_of_the_backup_is_named(program: Program, tmp_path: Path) -> None:
    manifest = backed_up(program, tmp_path / "b.tar", "--no-verify")
    settings = Settings(data=program.data)
    settings.key_file.unlink()
    key_ring.make(settings)
    said = refusal(program, "restore", "--replace", str(tmp_path / "b.tar"))
    assert f"key 1 ({manifest.keys['1']})" in said
    settings.key_file.unlink()
    assert "zoufang keys make" in refusal(program, "restore", str(tmp_path / "b.tar"))


async def test_a_backup_is_never_written_over_another_nor_into_the_data(program: Program, tmp_path: Path) -> None:
    backed_up(program, tmp_path / "b.tar", "--no-verify")
    assert "is not overwritten" in refusal(program, "backup", str(tmp_path / "b.tar"))
    program.data.mkdir(exist_ok=True)
    assert "inside the data folder" in refusal(program, "backup", str(program.data / "b.tar"))


async def test_a_password_is_never_on_a_command_line_and_ctrl_c_leaves_nothing(
    program: Program, owner_dsn: str, tmp_path: Path
) -> None:
    """The dump waits for a table that another has locked; meanwhile everybody could read its command line."""
    parts = urlsplit(owner_dsn)
    program.environment["MIGRATION_DATABASE_URL"] = owner_dsn.replace(
        parts.netloc, parts.netloc.replace("@", ":not-shown@"), 1
    )
    holder = await asyncpg.connect(owner_dsn)
    await holder.execute("create schema beside; create table beside.waited (id int)")
    await holder.execute("begin; lock table beside.waited in access exclusive mode")
    await asyncio.to_thread(interrupt_while_dumping, program, tmp_path)
    await holder.close()


def interrupt_while_dumping(program: Program, folder: Path) -> None:
    with program.begun("backup", str(folder / "b.tar")) as process:
        wait_until(lambda: bool(started_by(process.pid, "pg_dump")))
        dumping = started_by(process.pid, "pg_dump")
        assert (folder / "b.tar.unfinished").stat().st_mode & 0o777 == 0o600
        assert all("not-shown" not in line for line in dumping.values())
        process.send_signal(signal.SIGINT)
        assert process.wait(60) != 0
    assert list(folder.glob("b.tar*")) == []
    assert not alive(set(dumping))


def started_by(pid: int, name: str) -> dict[int, str]:
    """The command lines of the programs of this name that a process started; others may run the same."""
    lines = {}
    for one in descendants(pid):
        with suppress(OSError):
            line = Path(f"/proc/{one}/cmdline").read_text().replace("\0", " ")
            if name in line.split(" ")[0]:
                lines[one] = line
    return lines


async def test_each_backup_stands_in_the_history(program: Program, owner_dsn: str, tmp_path: Path) -> None:
    backed_up(program, tmp_path / "b.tar")
    facts = await asked(owner_dsn, "select facts ->> 'verified' from history where event = 'backed_up'")
    assert facts == "true"


async def test_what_was_ended_since_does_not_come_to_life_again(
    program: Program, server: Server, template: str, tmp_path: Path
) -> None:
    async with founded(server, template) as address:
        name = address.split("?", maxsplit=1)[0].rsplit("/", maxsplit=1)[1]
        here = restoring_to(program, server, name)
        await on(
            server.dsn(name=name),
            "insert into session (district, digest, member, kind, created_at, expires_at, last_seen_at)"
            " select district, sha256('x'), id, 'password', joined_at, 'infinity', joined_at from member limit 1",
        )
        backed_up(here, tmp_path / "b.tar", "--no-verify")
        done = here.run("restore", "--replace", str(tmp_path / "b.tar"))
        assert done.returncode == 0, done.stderr
        assert await asked(server.dsn(name=name), "select count(*) from session where ended_at is null") == 0


@pytest.mark.parametrize(
    "name", ["attachments/../../etc/passwd", "attachments//etc/passwd", "elsewhere", "attachments/"]
)
def test_no_name_in_a_backup_leads_out_of_the_attachments(name: str, tmp_path: Path) -> None:
    with pytest.raises(BackupError):
        backup_files.attachment_path(tmp_path, name)
    assert backup_files.attachment_path(tmp_path, "attachments/ab/cd") == tmp_path / "ab" / "cd"

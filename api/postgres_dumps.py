"""`pg_dump` and `pg_restore` of the wheel, on any server: what they are told, and how they end when we do.

A password goes to them in their environment, never on the command line, which every user of the machine can read."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from api.backup_files import CHUNK, BackupError
from api.postgres_programs import Account, ending_with_us, environment, find_programs

LONGEST_SAID = 20_000  # characters of what a program wrote that are kept
# Older servers do not know this setting, which pg_restore makes all the same; nothing else may fail.
HARMLESS = "transaction_timeout"


def at(dsn: str, database: str) -> str:
    """The same server and role, another database."""
    return composed(urlsplit(dsn)._replace(path="/" + quote(database, safe="")))


def without_password(dsn: str) -> tuple[str, dict[str, str]]:
    """An address that anybody may see, and what a PostgreSQL program reads from its environment to get in."""
    parts = urlsplit(dsn)
    query = parse_qsl(parts.query)
    password = next((value for name, value in query if name == "password"), None) or unquote(parts.password or "")
    user, _, place = parts.netloc.rpartition("@")
    netloc = f"{user.split(':', maxsplit=1)[0]}@{place}" if user else place
    shown = parts._replace(
        netloc=netloc,
        query=urlencode([pair for pair in query if pair[0] != "password"], safe="/", quote_via=quote),
    )
    return composed(shown), {"PGPASSWORD": password} if password else {}


def composed(parts: SplitResult) -> str:
    """The address; the standard library's own way leaves out the slashes where there is no host."""
    return f"{parts.scheme}://{parts.netloc}{parts.path}" + (f"?{parts.query}" if parts.query else "")


async def dump(folder: Path, dsn: str, snapshot: str, on_table: Callable[[], None]) -> AsyncIterator[bytes]:
    """A database as a dump in pg_restore's custom format, as it was in an exported snapshot.

    Raises BackupError with what the program said if it does not end well."""
    options = (
        "--format=custom", "--compress=gzip:4", "--no-comments", "--no-security-labels", "--extension=pg_trgm",
        "--verbose", "--lock-wait-timeout=60s", f"--snapshot={snapshot}",
    )  # fmt: skip
    async with running(folder, "pg_dump", dsn, options) as program:
        said = asyncio.create_task(listen(program.stderr, on_table))
        assert program.stdout is not None  # noqa: S101 -- it was asked for
        while chunk := await program.stdout.read(CHUNK):
            yield chunk
        lines, code = await said, await program.wait()
    if code != 0:
        raise BackupError(f"The database could not be dumped:\n{failure(lines)}")


async def restore(folder: Path, dsn: str, content: AsyncIterator[bytes], *, forgiving: bool) -> None:
    """Fill an empty database from a dump. Raises BackupError at the first thing that does not succeed.

    `forgiving` lets a server older than 17 pass over the one setting that it does not know."""
    options = ("--no-owner", "--no-comments", *(() if forgiving else ("--exit-on-error",)))
    async with running(folder, "pg_restore", dsn, options) as program:
        said = asyncio.create_task(listen(program.stderr, lambda: None))
        assert program.stdin is not None  # noqa: S101 -- it was asked for
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it ended early, and says why
            async for chunk in content:
                program.stdin.write(chunk)
                await program.stdin.drain()
        program.stdin.close()
        lines, code = await said, await program.wait()
    errors = [line for line in lines if " error: " in line and HARMLESS not in line]
    if errors or (code != 0 and not forgiving):
        raise BackupError(f"The database could not be filled:\n{failure(lines)}")


@asynccontextmanager
async def running(
    folder: Path, name: str, dsn: str, options: Sequence[str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program of the wheel on a database; whatever cuts this short ends it with all that it started."""
    ourselves = Account(os.geteuid(), os.getegid(), switches=False)
    address, secrets = without_password(dsn)
    steering = {name: value for name, value in os.environ.items() if name.startswith("PG")}  # as the driver reads them
    process = await asyncio.create_subprocess_exec(
        find_programs(folder, ourselves) / name, *options, f"--dbname={address}",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=CHUNK,
        env=environment() | steering | secrets, cwd="/", start_new_session=True, preexec_fn=ending_with_us(),
    )  # fmt: skip
    try:
        yield process
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise


async def listen(said: asyncio.StreamReader | None, on_table: Callable[[], None]) -> list[str]:
    """What a program writes on stderr; a dump tells of each table that it comes to."""
    lines: list[str] = []
    while said is not None and (line := await said.readline()):
        text = line.decode(errors="replace").rstrip()
        if "dumping contents of table" in text:
            on_table()
        elif sum(map(len, lines)) < LONGEST_SAID:
            lines.append(text)
    return lines


def failure(lines: Sequence[str]) -> str:
    """The lines that say what went wrong, without those that tell of every step."""
    told = [line for line in lines if " error: " in line or " fatal: " in line] or list(lines)
    return "\n".join(told[-5:])

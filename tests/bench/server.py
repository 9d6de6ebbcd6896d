"""A database of the bench's own, made durable as in production, and the program served from it by its own command."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import asyncpg

from api import database, key_ring, migrations
from api.embedded_postgres import Cluster
from api.settings import Settings
from tests.bench import district

PROGRAM = (sys.executable, "-c", "from api.cli import main; main()")  # what the command `zoufang` is
TEMPLATE = "bench_template"


class Database:
    """One database of the cluster."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.program = cluster.dsn("zoufang_app", name)
        self.owner = cluster.dsn(database=name)

    async def connect(self) -> asyncpg.Connection:
        """A connection as the program's own are, of the role that runs."""
        return await database.connect(self.program)


async def make_template(cluster: Cluster) -> None:
    """Migrate a database and found the bench's district in it."""
    await _on_server(cluster, f"create database {TEMPLATE}")
    template = Database(cluster, TEMPLATE)
    conn = await asyncpg.connect(template.owner)
    await conn.execute("create extension if not exists pg_trgm")
    await migrations.migrate(conn)
    await conn.close()
    conn = await template.connect()
    await district.found(conn)
    await conn.close()
    await analyze(template)


async def copy(cluster: Cluster, name: str) -> Database:
    """A database with the district and nothing else in it."""
    await _on_server(cluster, f"create database {name} template {TEMPLATE}")
    return Database(cluster, name)


async def analyze(base: Database) -> None:
    """Gather statistics, as PostgreSQL does by itself within a minute: a bench fills a table faster than that."""
    conn = await asyncpg.connect(base.owner)
    await conn.execute("vacuum analyze")
    await conn.close()


async def _on_server(cluster: Cluster, statement: str) -> None:
    conn = await asyncpg.connect(cluster.dsn())
    await conn.execute(statement)
    await conn.close()


def environment(base: Database) -> dict[str, str]:
    """What the program's own commands are told."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZOUFANG_")}
    return kept | {"DATABASE_URL": base.program}


def free_port() -> int:
    """A port of loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(base: Database, log: Path, core: str = "", **further: str) -> Iterator[str]:
    """The program as `zoufang serve` runs it, on loopback, and its address; with further settings, and kept to one core
    where one is named."""
    port = free_port()
    settings = Settings(data=log.parent / "data")
    key_ring.make_if_missing(settings)
    surroundings = environment(base) | {"ZOUFANG_KEYS": str(settings.key_file)} | further
    kept = ("taskset", "--cpu-list", core) if core else ()
    with log.open("ab") as lines:
        process = subprocess.Popen(
            [*kept, *PROGRAM, "serve", "--port", str(port)], env=surroundings, stdout=lines, stderr=lines
        )
    address = f"http://127.0.0.1:{port}"
    try:
        await_ready(process, f"{address}/health/ready", log)
        yield address
    finally:
        process.terminate()
        process.wait(60)


def await_ready(process: subprocess.Popen[bytes], address: str, log: Path | None = None) -> None:
    """Wait until a process answers there. Raises RuntimeError with the end of its log where it does not."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(address, timeout=5):  # noqa: S310 -- our own server on loopback
                return
        except (URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"the program does not serve:\n{log.read_text()[-2000:] if log else ''}")

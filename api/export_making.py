"""Having a file made by the process that makes files, and hearing how far it is; who turns away ends it."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import msgspec

from api.answer_columns import MOST_COLUMNS
from api.export_files import Extension, Order, Progress
from surveys.refusals import Refusal, TooMany

Hear = Callable[[int], Awaitable[None]]

# Bytes that a row takes on disk while its file is made, its temporary files among them; of measured files, doubled.
BYTES_A_ROW = {"csv": 1_000, "geojson": 1_500, "xlsx": 3_000, "gpkg": 1_500}
SPARE_BYTES = 200 * 1024 * 1024  # that are left for everything else


class ExportFailed(Exception):
    """The process that makes files came to a bad end."""


class NoSpace(Refusal):
    """The disk has no room for the file; `facts` say how many megabytes it may need, and how many there are."""

    code: ClassVar[str] = "no_space"


def refuse_without_space(folder: Path, extension: Extension, rows: int) -> None:
    """Raises NoSpace unless the disk of a folder has room for a file of so many rows."""
    needed = rows * BYTES_A_ROW[extension] + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoSpace(needed=needed // 1024**2, free=free // 1024**2)


async def make(order: Order, hear: Hear | None = None) -> int:
    """Have a file made; how many rows it has. Raises TooMany, NoSpace and ExportFailed, and leaves nothing then."""
    last = Progress(0)
    try:
        async with _process(order) as process:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            async for line in process.stdout:
                last = msgspec.json.decode(line, type=Progress)
                if hear is not None and not last.fault:
                    await hear(last.rows)
            code = await process.wait()
        if last.fault == "no_space":
            raise NoSpace(needed=0, free=0)
        if last.fault is not None:
            raise TooMany(None, most=order.most if last.fault == "too_many" else MOST_COLUMNS)
        if code or not last.done:
            raise ExportFailed(f"exit code {code}")
    except BaseException:
        _remove(order.path)
        raise
    return last.rows


def _remove(path: str) -> None:
    Path(path).unlink(missing_ok=True)


@asynccontextmanager
async def _process(order: Order) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api.export_files", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdin is not None  # noqa: S101 - it was asked for
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        process.stdin.close()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

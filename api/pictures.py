"""The processes that decode pictures, as many as the settings say, each with one picture at a time."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from api.filing import Busy
from api.picture_maker import REFUSALS, Answer, Wanted
from surveys.attachments.attachments import OtherContent
from surveys.attachments.pictures import PictureBroken

log = structlog.get_logger()

LONGEST_S = 50.0  # that a picture may take on a machine that does much else; a usual one takes a quarter of a second
MOST_WAITING = 64
LONGEST_LINE = 1 << 16

# All that a process needs to find its modules; nothing else of ours goes with it.
INHERITED = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "LANG")


class Pictures:
    """Makes photos anew, in other processes; a process that comes to a bad end takes only its picture along."""

    def __init__(self, processes: int) -> None:
        self._makers = [_Maker() for _ in range(processes)]
        self._free: asyncio.LifoQueue[_Maker] = asyncio.LifoQueue()
        for maker in self._makers:
            self._free.put_nowait(maker)
        self._waiting = 0

    async def make(self, wanted: Wanted, promised: str) -> Answer:
        """Check a content and make it anew. Raises OtherContent unless its SHA-256 is the promised one, NotAPicture,
        PictureBroken, PictureTooLarge, and Busy when too many wait."""
        if self._waiting >= MOST_WAITING:
            raise Busy
        self._waiting += 1
        try:
            maker = await self._free.get()
        finally:
            self._waiting -= 1
        try:
            answer = await maker.make(wanted)
        finally:
            self._free.put_nowait(maker)
        if answer.sent != promised:
            raise OtherContent("sha256")
        if answer.refused is not None:
            raise REFUSALS[answer.refused]("content", **answer.facts)
        return answer

    async def close(self) -> None:
        """End the processes."""
        for maker in self._makers:
            await maker.end()


class _Maker:
    """One process, started when it is first needed and again after a bad end."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def make(self, wanted: Wanted) -> Answer:
        try:
            async with asyncio.timeout(LONGEST_S):
                return await self._asked(wanted)
        except TimeoutError:
            await self.end()
            raise Busy from None
        except (OSError, ValueError, msgspec.DecodeError) as error:
            log.warning("picture_not_made", error=type(error).__name__)
            await self.end()
            raise PictureBroken("content") from None
        except BaseException:
            await self.end()  # its answer would be taken for the next one's
            raise

    async def _asked(self, wanted: Wanted) -> Answer:
        if self._process is None or self._process.returncode is not None:
            self._process = await _started()
        process = self._process
        assert process.stdin is not None  # noqa: S101 - they were asked for
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(msgspec.json.encode(wanted) + b"\n")
        await process.stdin.drain()
        return msgspec.json.decode(await process.stdout.readline(), type=Answer)

    async def end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _started() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "api.picture_maker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=LONGEST_LINE,
        env={name: os.environ[name] for name in INHERITED if name in os.environ},
    )


def beside(source: Path, documents: bool) -> Wanted:
    """What to make of the content in a file, in files beside it."""
    return Wanted(source=str(source), made=f"{source}.made", thumbnail=f"{source}.thumbnail", documents=documents)

"""Instruments made of somebody's spreadsheets in a process of its own, one at a time, so that what breaks it breaks
nothing else."""

import asyncio
import os
import sys
from contextlib import suppress

import msgspec

from api.filing import Busy
from api.instrument_files import Answer
from api.pictures import INHERITED
from api.xlsform_files import MOST_BYTES
from api.xlsform_maker import AT_ONCE, MOST_WAITING
from surveys.assessments.instrument_faults import Fault, InstrumentUnusable
from surveys.assessments.instruments import Instrument

LONGEST_S = 30.0


class Maker:
    """Makes instruments, one at a time."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def make(self, content: bytes) -> Instrument:
        """The instrument in a file. Raises InstrumentUnusable, and Busy when too many wait."""
        if self._waiting >= MOST_WAITING:
            raise Busy
        self._waiting += 1
        try:
            async with self._free:
                return await make(content)
        finally:
            self._waiting -= 1


async def make(content: bytes) -> Instrument:
    """The instrument in a file, made in another process. Raises InstrumentUnusable."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "api.instrument_files",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: os.environ[name] for name in INHERITED if name in os.environ},
    )
    try:
        async with asyncio.timeout(LONGEST_S):
            told, _ = await process.communicate(content[: MOST_BYTES + 1])
        answer = msgspec.json.decode(told, type=Answer)
    except TimeoutError:
        raise InstrumentUnusable([Fault(reason="took_too_long")]) from None
    except msgspec.DecodeError:  # it came to a bad end
        raise InstrumentUnusable([Fault(reason="file_broken")]) from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if answer.instrument is None:
        raise InstrumentUnusable(answer.faults)
    return answer.instrument

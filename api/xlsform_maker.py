"""A process of its own in which a workbook of somebody's is opened and a form made of it, within bounds of memory and
time, so that nobody else waits for it and what breaks it breaks nothing else.

`python -m api.xlsform_maker` reads from its input one line of JSON with what is wanted, then the workbook, and writes
the form, or all that is wrong with it, as JSON."""

import asyncio
import os
import resource
import sys
from contextlib import suppress
from datetime import date

import msgspec
from msgspec import Struct

from api.filing import Busy
from api.pictures import INHERITED
from api.xlsform_faults import Fault, FormUnusable
from surveys.premises.premises import PremisesKind
from surveys.questionnaires.questionnaires import Form

POLITE = 5  # of 19
MOST_MEMORY = 1_500_000_000  # bytes
MOST_CPU_S = 40
LONGEST_S = 60.0
AT_ONCE = 1
MOST_WAITING = 8


class Wanted(Struct, frozen=True):
    """What the form shall be called where the file does not say."""

    name: str
    day: date
    kind: PremisesKind | None = None


class Answer(Struct, frozen=True, omit_defaults=True):
    """The form, or what is wrong with it."""

    form: Form | None = None
    faults: tuple[Fault, ...] = ()


class Maker:
    """Makes forms, one at a time."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def make(self, content: bytes, wanted: Wanted) -> Form:
        """The form of a workbook. Raises FormUnusable, and Busy when too many wait."""
        if self._waiting >= MOST_WAITING:
            raise Busy
        self._waiting += 1
        try:
            async with self._free:
                return await make(content, wanted)
        finally:
            self._waiting -= 1


async def make(content: bytes, wanted: Wanted) -> Form:
    """The form of a workbook, made in another process. Raises FormUnusable."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "api.xlsform_maker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: os.environ[name] for name in INHERITED if name in os.environ},
    )
    try:
        async with asyncio.timeout(LONGEST_S):
            told, _ = await process.communicate(msgspec.json.encode(wanted) + b"\n" + content)
        answer = msgspec.json.decode(told, type=Answer)
    except TimeoutError:
        raise FormUnusable([Fault(reason="took_too_long")]) from None
    except msgspec.DecodeError:  # it came to a bad end
        raise FormUnusable([Fault(reason="file_broken")]) from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if answer.form is None:
        raise FormUnusable(answer.faults)
    return answer.form


def main() -> None:
    """Make the form that the input asks for."""
    os.nice(POLITE)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S))
    from api import xlsforms

    wanted = msgspec.json.decode(sys.stdin.buffer.readline(), type=Wanted)
    content = sys.stdin.buffer.read()
    try:
        answer = Answer(form=xlsforms.make(content, wanted.name, wanted.day, wanted.kind))
    except FormUnusable as refusal:
        answer = Answer(faults=tuple(refusal.faults))
    sys.stdout.buffer.write(msgspec.json.encode(answer))


if __name__ == "__main__":
    main()

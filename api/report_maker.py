"""A process of its own in which a brief is set as PDF or Word, or a template of somebody's is tried, within bounds of
memory and time, so that nobody else waits for it and what breaks it breaks nothing else.

`python -m api.report_maker` reads from its input what is wanted, and writes the file, or why there is none; both as
MessagePack."""

import asyncio
import hashlib
import json
import os
import resource
import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from api.filing import Busy
from api.pictures import INHERITED
from api.report_sheets import Sheet
from surveys.refusals import Invalid, Refusal

TEMPLATES = Path(__file__).parent / "templates"
POLITE = 5  # of 19
MOST_MEMORY = 3_000_000_000  # bytes of address space; the fonts are mapped into it
MOST_CPU_S = 60
LONGEST_S = 150.0
AT_ONCE = 2
MOST_WAITING = 16
KEPT = 16  # files, of some hundred kilobytes each
PIXELS_PER_INCH = 200.0

Format = Literal["pdf", "docx"]


class Shape(Struct, frozen=True):
    """A community on the map: its outline in WKB, and what is said of it."""

    code: str
    name: str
    street: tuple[str, str] | None
    outline: bytes
    value: int
    figures: str


class Wanted(Struct, frozen=True, kw_only=True):
    """What a file is made of. A Word file without a template is made from the one that comes with the program."""

    format: Format
    language: str
    sheet: Sheet
    moment: datetime
    font: str | None = None
    shapes: Sequence[Shape] = ()
    template: bytes | None = None


class Answer(Struct, frozen=True, omit_defaults=True):
    """The file, or the code and facts of why there is none."""

    content: bytes | None = None
    refused: str | None = None
    facts: Mapping[str, Any] = {}


class NotMade(Refusal):
    """The file could not be made; `facts` say why."""

    code = "report_not_made"


class Maker:
    """Makes files, few at a time; those that were fetched last are kept, for the same is made of the same."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()

    async def make(self, wanted: Wanted) -> bytes:
        """A file. Raises Busy when too many wait, Invalid for a template that cannot be used, and NotMade."""
        key = hashlib.sha256(msgspec.msgpack.encode(wanted)).digest()
        if key not in self._kept:
            self._kept[key] = await self._made(wanted)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    async def _made(self, wanted: Wanted) -> bytes:
        if self._waiting >= MOST_WAITING:
            raise Busy
        self._waiting += 1
        try:
            async with self._free:
                return await make(wanted)
        finally:
            self._waiting -= 1


async def make(wanted: Wanted) -> bytes:
    """A file, made in another process. Raises Invalid and NotMade."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "api.report_maker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: os.environ[name] for name in INHERITED if name in os.environ},
    )
    try:
        async with asyncio.timeout(LONGEST_S):
            told, _ = await process.communicate(msgspec.msgpack.encode(wanted))
        answer = msgspec.msgpack.decode(told, type=Answer)
    except TimeoutError:
        raise NotMade(reason="took_too_long") from None
    except msgspec.DecodeError:  # it came to a bad end
        raise NotMade(reason="broken_off") from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if answer.content is None:
        raise _refusal(answer)
    return answer.content


def _refusal(answer: Answer) -> Refusal:
    from api.report_template_rules import REFUSALS

    if answer.refused is not None and answer.refused in REFUSALS:
        return REFUSALS[answer.refused]("template", **answer.facts)
    return NotMade(**answer.facts)


def made(wanted: Wanted) -> bytes:
    """A file, made here. Raises Invalid and PrintError."""
    from api import printed_pages, report_word

    font = printed_pages.font(Path(wanted.font) if wanted.font else None)
    picture = _map(wanted, font.family)
    if wanted.format == "docx":
        png = _png(picture, font) if picture else None
        template = wanted.template if wanted.template is not None else report_word.default(wanted.language)
        return report_word.filled(template, wanted.sheet, png, wanted.moment)
    return _pdf(wanted, picture, font)


def _map(wanted: Wanted, family: str) -> str | None:
    if not wanted.shapes:
        return None
    import shapely

    from maps import printed_maps
    from maps.issue_map import Area

    areas = [Area(one.code, one.name, one.street, shapely.from_wkb(one.outline)) for one in wanted.shapes]
    shaded = {one.code: printed_maps.Shaded(one.value, one.figures) for one in wanted.shapes}
    return printed_maps.svg(areas, shaded, family) or None


def _pdf(wanted: Wanted, picture: str | None, font: Any) -> bytes:
    from api import printed_pages, report_sheets

    sheet = printed_pages.spelt_out(font, msgspec.to_builtins(wanted.sheet))
    everything = {
        "font": font.family,
        "language": wanted.language,
        "sheet": sheet,
        "headings": report_sheets.headings(wanted.language),
        "page": "第 {now} 页，共 {all} 页" if wanted.language == "zh" else "Page {now} of {all}",
        "map": picture,
    }
    inputs = {"all": json.dumps(everything, ensure_ascii=False)}
    return printed_pages.compiled((TEMPLATES / "report.typ").read_bytes(), font, inputs, wanted.moment)


def _png(picture: str, font: Any) -> bytes:
    from api import printed_pages

    inputs = {"all": json.dumps({"font": font.family, "map": picture}, ensure_ascii=False)}
    source = (TEMPLATES / "report_map.typ").read_bytes()
    return printed_pages.pictured(source, font, inputs, PIXELS_PER_INCH)


def main() -> None:
    """Make the file that the input asks for."""
    os.nice(POLITE)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S))
    from api.printed_pages import PrintError

    wanted = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Wanted)
    try:
        answer = Answer(content=made(wanted))
    except Invalid as refusal:
        answer = Answer(refused=refusal.code, facts=dict(refusal.facts))
    except PrintError as error:
        answer = Answer(refused=NotMade.code, facts={"reason": str(error)})
    sys.stdout.buffer.write(msgspec.msgpack.encode(answer))


if __name__ == "__main__":
    main()

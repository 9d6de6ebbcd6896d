"""Printed slips with which members get in for the first time: a PDF of A4 sheets with a QR code for each."""

import asyncio
import io
import json
import multiprocessing
import signal
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import segno
import typst
from msgspec import Struct

from surveys.members import Member

TEMPLATE = Path(__file__).parent / "templates" / "invitations.typ"
FAMILIES = ("Noto Sans CJK SC", "Source Han Sans SC", "Noto Sans SC")  # the first that the system has
STANDARD: Literal["a-2b"] = "a-2b"  # it allows no character without a glyph
MASK = 2  # one of the eight that every reader knows; to try all of them takes four times as long
SHOWN = 20  # of the characters that a font lacks
MOST_IN_A_FILE = 2_000  # slips; setting them takes half a gigabyte
PROCESSES = 2

Progress = Callable[[str, int, int], None]


class SlipsError(Exception):
    """The slips cannot be printed; the message says what to change. No code was issued."""


class Sheet(Struct, frozen=True, kw_only=True):
    """What stands on every slip: where to go, from when and until when, and the least length of a password."""

    address: str
    district: str
    made: datetime
    until: datetime
    shortest: int


class Font(Struct, frozen=True):
    """The fonts that can be used, and the family among them that has the Chinese characters."""

    fonts: Any
    family: str


def font(path: Path | None) -> Font:
    """The font file that is named, or the system's. Raises SlipsError when there is none."""
    if path is not None:
        named = typst.Fonts(include_system_fonts=False, font_paths=[str(path.absolute().parent)])
        families = [one.family for one in named.fonts() if one.path and Path(one.path).name == path.name]
        if not families:
            raise SlipsError(f"ZOUFANG_FONT: {path} is no font. 不是字体文件。")
        return Font(named, next((family for family in families if family.endswith(" SC")), families[0]))
    system = typst.Fonts()
    there = set(system.families())
    for family in FAMILIES:
        if family in there:
            return Font(system, family)
    raise SlipsError(
        "There is no font with Chinese characters: on Debian `apt-get install fonts-noto-cjk`, or name a font file in "
        "ZOUFANG_FONT. 缺少中文字体：在 Debian 上安装 fonts-noto-cjk，或用 ZOUFANG_FONT 指定字体文件。"
    )


def refuse_missing_glyphs(found: Font, members: Sequence[Member]) -> None:
    """Raises SlipsError with the characters that the font cannot print, and whose they are: a slip with a box for a
    name is nobody's."""
    written = {member.number: f"{member.name}{member.number}{member.path}" for member in members}
    missing = set(_missing(found, sorted({one for text in written.values() for one in text if not one.isspace()})))
    if not missing:
        return
    whose = [number for number, text in written.items() if missing.intersection(text)]
    shown = "、".join(f"{one} (U+{ord(one):04X})" for one in sorted(missing)[:SHOWN])
    raise SlipsError(
        f"The font {found.family} lacks {shown}, of the members {', '.join(whose[:SHOWN])}: name a font that has them "
        "in ZOUFANG_FONT. 字体缺字，请用 ZOUFANG_FONT 指定有这些字的字体。"
    )


def _missing(found: Font, characters: Sequence[str]) -> list[str]:
    """The characters without a glyph, found by halves: most often there are none."""
    if not characters or _prints(found, "".join(characters)):
        return []
    if len(characters) == 1:
        return list(characters)
    half = len(characters) // 2
    return _missing(found, characters[:half]) + _missing(found, characters[half:])


def _prints(found: Font, text: str) -> bool:
    source = b"#set text(font: sys.inputs.font, fallback: false)\n#sys.inputs.text"
    try:
        compiled(source, found, {"font": found.family, "text": text})
    except typst.TypstError as error:
        if "could not be displayed" in error.message:
            return False
        raise
    return True


def parts(members: Sequence[Member]) -> list[list[Member]]:
    """The members by files, none of which takes more memory than a small machine has; organisations stay whole."""
    found: list[list[Member]] = [[]]
    for _, group in groupby(members, key=lambda member: member.path):
        organisation = list(group)
        if found[-1] and len(found[-1]) + len(organisation) > MOST_IN_A_FILE:
            found.append([])
        found[-1] += organisation
    return found


async def printed(
    path: Path | None, sheet: Sheet, files: Sequence[Sequence[Member]], codes: Mapping[UUID, str], progress: Progress
) -> AsyncGenerator[bytes, None]:
    """Each file's slips as PDF, in processes of their own: what setting so many pages takes is given back after each.

    Raises SlipsError."""
    loop = asyncio.get_running_loop()
    spawning = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(PROCESSES, spawning, initializer=ignore_ctrl_c, max_tasks_per_child=1)
    try:
        pages = [
            loop.run_in_executor(pool, pdf, path, sheet, members, [codes[member.id] for member in members])
            for members in files
        ]
        done = 0
        progress("Slips 凭条", done, len(codes))
        for members, made in zip(files, pages, strict=True):
            content = await made
            done += len(members)
            progress("Slips 凭条", done, len(codes))
            yield content
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def ignore_ctrl_c() -> None:
    """It is for the command, which then leaves nothing behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def pdf(path: Path | None, sheet: Sheet, members: Sequence[Member], codes: Sequence[str]) -> bytes:
    """The slips of these members, each organisation's behind a page of its own. Raises SlipsError."""
    found = font(path)
    organisations = []
    for place, group in groupby(zip(members, codes, strict=True), key=lambda one: one[0].path):
        slips = [
            {"name": member.name, "number": member.number, "code": code, "qr": qr_code(sheet, code)}
            for member, code in group
        ]
        names = place.split("/")
        organisations.append({"path": " / ".join(names), "name": names[-1], "slips": slips})
    everything = {
        "font": found.family,
        "address": sheet.address.removeprefix("https://"),
        "district": sheet.district,
        "made": day(sheet.made),
        "until": day(sheet.until),
        "shortest": sheet.shortest,
        "organisations": organisations,
    }
    try:
        return compiled(TEMPLATE.read_bytes(), found, {"all": json.dumps(everything, ensure_ascii=False)})
    except typst.TypstError as error:
        raise SlipsError(f"The pages cannot be set: {error.message}") from None


def compiled(source: bytes, found: Font, inputs: dict[str, str]) -> bytes:
    """A document as PDF; nothing of it touches the disk."""
    fonts: typst.Fonts = found.fonts
    return typst.compile(source, font_paths=fonts, sys_inputs=inputs, pdf_standards=STANDARD, pdf_tags=False)


def qr_code(sheet: Sheet, code: str) -> str:
    """The way in as a QR code in SVG. What comes behind the # never reaches a server, nor its log."""
    drawn = io.BytesIO()
    symbol = segno.make(f"{sheet.address}#{code}", error="m", micro=False, mask=MASK)
    symbol.save(drawn, kind="svg", xmldecl=False, nl=False, border=0, svgclass=None, lineclass=None, omitsize=True)
    return drawn.getvalue().decode()


def day(moment: datetime) -> str:
    return f"{moment.year}年{moment.month}月{moment.day}日"

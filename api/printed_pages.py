"""Pages to be printed: PDFs set by typst in processes of their own, with a font that has all that stands on them."""

import asyncio
import io
import multiprocessing
import signal
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import segno
import typst
from msgspec import Struct

PACKAGED = Path(__file__).parent / "static" / "fonts"  # built with the pages
FAMILIES = ("Noto Sans SC", "Noto Sans CJK SC", "Source Han Sans SC")  # the first that is packaged, or the system has
STANDARD: Literal["a-2b"] = "a-2b"  # it allows no character without a glyph
MASK = 2  # one of the eight that every reader knows; to try all of them takes four times as long
SHOWN = 20  # of the characters that a font lacks
PROCESSES = 2

Progress = Callable[[str, int, int], None]


class PrintError(Exception):
    """The pages cannot be printed; the message says what to change. Nothing was made."""


class Font(Struct, frozen=True):
    """The fonts that can be used, and the family among them that has the Chinese characters."""

    fonts: Any
    family: str


def font(path: Path | None) -> Font:
    """The font file that is named, else the one that comes with the program, else the system's. Raises PrintError when
    there is none."""
    if path is not None:
        named = typst.Fonts(include_system_fonts=False, font_paths=[str(path.absolute().parent)])
        families = [one.family for one in named.fonts() if one.path and Path(one.path).name == path.name]
        if not families:
            raise PrintError(f"ZOUFANG_FONT: {path} is no font. 不是字体文件。")
        return Font(named, next((family for family in families if family.endswith(" SC")), families[0]))
    for system in (False, True):
        found = typst.Fonts(include_system_fonts=system, font_paths=[str(PACKAGED)] if PACKAGED.is_dir() else [])
        there = set(found.families())
        for family in FAMILIES:
            if family in there:
                return Font(found, family)
    raise PrintError(
        "There is no font with Chinese characters: `pip install --no-deps -e .` builds the one that comes with the"
        " program; else, on Debian, `apt-get install fonts-noto-cjk`, or name a font file in ZOUFANG_FONT."
        " 缺少中文字体：请重新安装程序，或在 Debian 上安装 fonts-noto-cjk，或用 ZOUFANG_FONT 指定字体文件。"
    )


def refuse_missing_glyphs(found: Font, written: Mapping[str, str]) -> None:
    """Raises PrintError with the characters that the font cannot print, and whose they are, by what each has written: a
    box for a name is nobody's."""
    missing = set(_missing(found, sorted({one for text in written.values() for one in text if not one.isspace()})))
    if not missing:
        return
    whose = [name for name, text in written.items() if missing.intersection(text)]
    shown = "、".join(f"{one} (U+{ord(one):04X})" for one in sorted(missing)[:SHOWN])
    raise PrintError(
        f"The font {found.family} lacks {shown}, of {', '.join(whose[:SHOWN])}: name a font that has them "
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
        _compiled(source, found, {"font": found.family, "text": text})
    except typst.TypstError as error:
        if "could not be displayed" in error.message:
            return False
        raise
    return True


class Job(Struct, frozen=True):
    """What makes one file, with what it is given, and how many things are on its pages."""

    work: Callable[..., bytes]
    given: tuple[object, ...]
    count: int


async def printed(what: str, jobs: Sequence[Job], progress: Progress) -> AsyncGenerator[bytes, None]:
    """Each job's file, in processes of their own: what setting so many pages takes is given back after each.

    Raises PrintError."""
    loop = asyncio.get_running_loop()
    spawning = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(PROCESSES, spawning, initializer=ignore_ctrl_c, max_tasks_per_child=1)
    count = sum(job.count for job in jobs)
    try:
        pages = [loop.run_in_executor(pool, job.work, *job.given) for job in jobs]
        done = 0
        progress(what, done, count)
        for job, made in zip(jobs, pages, strict=True):
            content = await made
            done += job.count
            progress(what, done, count)
            yield content
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def ignore_ctrl_c() -> None:
    """It is for the command, which then leaves nothing behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def spelt_out(found: Font, value: Any) -> Any:
    """Texts in structures of JSON, with what the font cannot print of them as its number: people write anything, and a
    box would stand for any of it. Names are refused instead, by refuse_missing_glyphs."""
    missing = {one: f"[U+{ord(one):04X}]" for one in _missing(found, sorted(set(_characters(value))))}
    return _replaced(value, str.maketrans(missing)) if missing else value


def _characters(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from (one for one in value if not one.isspace())
    elif isinstance(value, dict):
        for one in value.values():
            yield from _characters(one)
    elif isinstance(value, list):
        for one in value:
            yield from _characters(one)


def _replaced(value: Any, by: Mapping[int, str]) -> Any:
    if isinstance(value, str):
        return value.translate(by)
    if isinstance(value, dict):
        return {name: _replaced(one, by) for name, one in value.items()}
    return [_replaced(one, by) for one in value] if isinstance(value, list) else value


def compiled(source: bytes, found: Font, inputs: dict[str, str], moment: datetime | None = None) -> bytes:
    """A document as PDF, made at a moment if one is given; nothing of it touches the disk. Raises PrintError."""
    try:
        return _compiled(source, found, inputs, moment)
    except typst.TypstError as error:
        raise PrintError(f"The pages cannot be set: {error.message}") from None


def _compiled(source: bytes, found: Font, inputs: dict[str, str], moment: datetime | None = None) -> bytes:
    fonts: typst.Fonts = found.fonts
    return typst.compile(
        source,
        font_paths=fonts,
        sys_inputs=inputs,
        pdf_standards=STANDARD,
        pdf_tags=False,
        timestamp=int(moment.timestamp()) if moment else None,
    )


def pictured(source: bytes, found: Font, inputs: dict[str, str], pixels_per_inch: float) -> bytes:
    """A document of one page as PNG. Raises PrintError."""
    try:
        return typst.compile(source, font_paths=found.fonts, sys_inputs=inputs, format="png", ppi=pixels_per_inch)
    except typst.TypstError as error:
        raise PrintError(f"The picture cannot be set: {error.message}") from None


def qr_code(text: str, error: Literal["l", "m", "q"] = "m") -> str:
    """A QR code in SVG. What comes behind the # of an address never reaches a server, nor its log."""
    drawn = io.BytesIO()
    symbol = segno.make(text, error=error, micro=False, mask=MASK)
    symbol.save(drawn, kind="svg", xmldecl=False, nl=False, border=0, svgclass=None, lineclass=None, omitsize=True)
    return drawn.getvalue().decode()


def day(moment: datetime) -> str:
    return f"{moment.year}年{moment.month}月{moment.day}日"

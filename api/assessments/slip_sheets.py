"""Printed sheets of voting slips: a PDF of A4 pages, ten slips each, with lines to cut along and a QR code on each.

A slip bears no number, so that nothing on it tells it from another but its code."""

import json
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from api import printed_pages
from api.printed_pages import Font, Job

TEMPLATE = Path(__file__).parents[1] / "templates" / "ballot_slips.typ"
PAGE = "/ballot"


class Sheet(Struct, frozen=True, kw_only=True):
    """What stands on every slip: where it leads, in which ballot and group it votes, and until when."""

    address: str
    district: str
    title: str
    group: str
    closes: str


def refuse_missing_glyphs(found: Font, sheet: Sheet) -> None:
    """Raises PrintError with what the font cannot print."""
    written = {"the district's name": sheet.district, "the title": sheet.title, "the group's name": sheet.group}
    printed_pages.refuse_missing_glyphs(found, written)


def job(path: Path | None, sheet: Sheet, codes: Sequence[str]) -> Job:
    """What makes the file."""
    return Job(pdf, (path, sheet, list(codes)), len(codes))


def pdf(path: Path | None, sheet: Sheet, codes: Sequence[str]) -> bytes:
    """Slips on sheets of ten. Raises PrintError."""
    found = printed_pages.font(path)
    everything = {
        "font": found.family,
        "address": sheet.address.removeprefix("https://"),
        "district": sheet.district,
        "title": sheet.title,
        "group": sheet.group,
        "closes": sheet.closes,
        "slips": [{"code": code, "qr": printed_pages.qr_code(f"{sheet.address}#{code}")} for code in codes],
    }
    inputs = {"all": json.dumps(everything, ensure_ascii=False)}
    return printed_pages.compiled(TEMPLATE.read_bytes(), found, inputs)

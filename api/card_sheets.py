"""Printed sheets of contact cards: a PDF of A4 pages, fronts and backs in turn, with a QR code on each card."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from api import printed_pages
from api.printed_pages import Font, Job, day
from surveys.contact_cards.contact_cards import NewCard

TEMPLATE = Path(__file__).parent / "templates" / "cards.typ"
MOST_IN_A_FILE = 1_000
PAGE = "/card"


class Sheet(Struct, frozen=True, kw_only=True):
    """What stands on every card: where it leads, whose it is, how they are reached, and what is promised."""

    address: str
    district: int
    district_name: str
    service_name: str
    hotline: str | None
    promise: tuple[str, ...]
    made: datetime


def refuse_missing_glyphs(found: Font, sheet: Sheet) -> None:
    """Raises PrintError with what the font cannot print."""
    written = {
        "the district's name": sheet.district_name,
        "the service name": sheet.service_name,
        "the promise": "".join(sheet.promise),
    }
    printed_pages.refuse_missing_glyphs(found, written)


def parts(cards: Sequence[NewCard]) -> list[Sequence[NewCard]]:
    """The cards by files, none of which takes more memory than a small machine has."""
    return [cards[at : at + MOST_IN_A_FILE] for at in range(0, len(cards), MOST_IN_A_FILE)]


def jobs(path: Path | None, sheet: Sheet, files: Sequence[Sequence[NewCard]]) -> list[Job]:
    """What makes each file."""
    return [Job(pdf, (path, sheet, cards), len(cards)) for cards in files]


def pdf(path: Path | None, sheet: Sheet, cards: Sequence[NewCard]) -> bytes:
    """Cards on sheets of ten, each sheet's backs behind its fronts. Raises PrintError."""
    found = printed_pages.font(path)
    everything = {
        "font": found.family,
        "district": sheet.district_name,
        "name": sheet.service_name,
        "hotline": sheet.hotline,
        "promise": sheet.promise,
        "made": day(sheet.made),
        "part": f"{cards[0].number} – {cards[-1].number}",
        "cards": [
            {"number": card.number, "qr": printed_pages.qr_code(link(sheet.address, sheet.district, card))}
            for card in cards
        ],
    }
    inputs = {"all": json.dumps(everything, ensure_ascii=False)}
    return printed_pages.compiled(TEMPLATE.read_bytes(), found, inputs)


def link(address: str, district: int, card: NewCard) -> str:
    """Where a card's QR code leads: behind the # its secret, and its number, which a member's phone reads with no
    signal."""
    return f"{address}#{district}.{card.token}.{card.number}"

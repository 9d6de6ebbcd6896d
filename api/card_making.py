"""Making contact cards, and the sheets on which they are printed, for the desk and for the command."""

from datetime import datetime
from typing import ClassVar
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg

from api import card_sheets, printed_pages
from api.card_sheets import Sheet
from api.settings import Settings
from surveys.contact_cards import card_terms, contact_cards
from surveys.contact_cards.card_terms import Terms
from surveys.contact_cards.contact_cards import Giver, NewCard
from surveys.history import Actor
from surveys.people import organisations
from surveys.people.people import District
from surveys.refusals import Refusal, UnknownMember


class AddressUnknown(Refusal):
    """Nobody has told the program at which address phones reach it, and that stands in every QR code."""

    code: ClassVar[str] = "public_url_missing"


def page_address(settings: Settings) -> str:
    """Where the QR code of a card leads. Raises AddressUnknown."""
    url = (settings.public_url or "").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise AddressUnknown
    return url + card_sheets.PAGE


OPEN_MEMBER = "select id, name, organisation from member where district = $1 and number = $2 and closed_at is null"


async def giver(
    conn: asyncpg.Connection, district: int, organisation: UUID, path: str, number: str | None, service_name: str | None
) -> Giver:
    """In whose name cards are given out: an open organisation's, or that of a member in or below it, by their number.
    Raises UnknownMember."""
    name, member = path.rpartition(organisations.SEPARATOR)[2], None
    if number is not None:
        member = await conn.fetchrow(OPEN_MEMBER, district, number)
        below = await organisations.below(conn, district, [organisation])
        if member is None or member["organisation"] not in below:
            raise UnknownMember("member", given=number)
        name = member["name"]
    return Giver(
        organisation=organisation,
        member=member["id"] if member else None,
        service_name=" ".join((service_name or name).split()),
    )


async def sheet(
    conn: asyncpg.Connection, settings: Settings, address: str, district: District, of: Giver, now: datetime
) -> tuple[Sheet, Terms]:
    """What stands on every card of a giver, and the letters of their numbers. Raises PrintError for what the font
    cannot print."""
    terms = await card_terms.of_district(conn, district.district)
    made = Sheet(
        address=address,
        district=district.district,
        district_name=district.name,
        service_name=of.service_name,
        hotline=await card_terms.hotline(conn, district.district, of.organisation),
        promise=terms.lines(),
        made=now.astimezone(district.zone),
    )
    card_sheets.refuse_missing_glyphs(printed_pages.font(settings.font), made)
    return made, terms


async def make(
    conn: asyncpg.Connection,
    settings: Settings,
    address: str,
    district: District,
    of: Giver,
    count: int,
    actor: Actor,
    now: datetime,
) -> tuple[Sheet, list[list[NewCard]]]:
    """Make cards in the caller's transaction: their sheet, and the cards by the files that they are printed in."""
    made, terms = await sheet(conn, settings, address, district, of, now)
    cards = await contact_cards.make(conn, district.district, [of] * count, terms.series, actor, now)
    return made, [list(part) for part in card_sheets.parts(cards)]

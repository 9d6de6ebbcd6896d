"""Contact cards over HTTP, for those who look after the organisations that give them out; thousands are made by
`zoufang cards make`."""

from contextlib import aclosing
from typing import Annotated, Any, ClassVar
from uuid import UUID

import asyncpg
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta, Struct

from api import card_making, card_sheets, printed_pages
from api.auth import Clock
from api.issues import refuse_unfit
from api.json_bodies import JsonBody
from api.limits import TAKES_ITS_TIME
from api.printed_pages import PrintError
from api.settings import Settings
from surveys.contact_cards import card_terms, contact_cards
from surveys.contact_cards.card_terms import HotlineChange, Terms, TermsChange
from surveys.contact_cards.contact_cards import LONGEST_NAME, CardPage, Filters, Revocation, Revoked, State
from surveys.history import Actor
from surveys.people import organisations
from surveys.people.people import District, Reader
from surveys.refusals import Refusal

MOST_AT_ONCE = 200
PDF = "application/pdf"


@get("/api/cards", summary="List contact cards")
async def list_cards(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    organisation: FromQuery[UUID | None] = None,
    state_: Annotated[list[State] | None, QueryParameter(name="state")] = None,
    text: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    cursor: FromQuery[str | None] = None,
    total: FromQuery[bool] = True,
) -> CardPage:
    """The cards of the organisations that the reader looks after, by number: `text` is part of a number or of a
    service name, `organisation` stands for all below it too."""
    refuse_unfit(request, ("organisation", "state", "text", "limit", "cursor", "total", "lang"))
    reach = await organisations.within(conn, reader)
    filters = Filters(organisation=organisation, states=tuple(state_ or ()), text=text)
    return await contact_cards.page(conn, reader.district, reach, filters, limit=limit, cursor=cursor, total=total)


@post(
    "/api/cards/{number:str}/revoke",
    dto=JsonBody[Revocation],
    return_dto=None,
    status_code=200,
    summary="Revoke a contact card",
)
async def revoke_card(
    data: JSONBody[Revocation],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    number: FromPath[str],
) -> Revoked:
    """Revoke a card that is lost: from then on it opens nothing, and a visit that leaves it somewhere is flagged."""
    reach = await organisations.within(conn, reader)
    by = Actor("member", str(reader.member))
    return await contact_cards.revoke(conn, reader.district, number, data, by, clock(), reach)


@get("/api/cards/terms", summary="What contact cards say")
async def show_terms(conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]) -> Terms:
    """The letters of the numbers, the promise and the district's hotline, as the next sheet is printed."""
    reader.require("administrator", "organiser")
    return await card_terms.of_district(conn, reader.district)


@post(
    "/api/cards/terms",
    dto=JsonBody[TermsChange],
    return_dto=None,
    status_code=200,
    summary="Change what contact cards say",
)
async def change_terms(
    data: JSONBody[TermsChange],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> Terms:
    """Change what the district's cards, and their pages, say from now on."""
    reader.require("administrator")
    return await card_terms.change(conn, reader.district, data, Actor("member", str(reader.member)), clock())


@post(
    "/api/cards/hotline",
    dto=JsonBody[HotlineChange],
    return_dto=None,
    status_code=200,
    summary="Change the hotline of an organisation",
)
async def change_hotline(
    data: JSONBody[HotlineChange],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> HotlineChange:
    """Change the number at which holders of an organisation's cards reach it; a blank one is the next one's above."""
    await organisations.refuse_unknown(conn, reader, data.organisation, "organisation")
    await card_terms.change_hotline(conn, reader.district, data, Actor("member", str(reader.member)), clock())
    return data


class NewCards(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cards to be made: whose they are, in whose name they are given out if not the organisation's, and how many."""

    organisation: UUID
    member: Annotated[str, Meta(max_length=100)] | None = None  # by number
    service_name: Annotated[str, Meta(max_length=LONGEST_NAME)] | None = None
    count: Annotated[int, Meta(ge=1, le=MOST_AT_ONCE)] = 10


class Unprintable(Refusal):
    """The sheet cannot be printed; `reason` says why."""

    code: ClassVar[str] = "unprintable"


@post(
    "/api/cards",
    dto=JsonBody[NewCards],
    return_dto=None,
    status_code=201,
    media_type=PDF,
    responses={201: ResponseSpec(bytes, media_type=PDF, description="Sheets of ten cards, fronts and backs")},
    summary="Make contact cards",
    opt={TAKES_ITS_TIME: True},
)
async def make_cards(
    data: JSONBody[NewCards],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    settings: NamedDependency[Settings],
) -> Response[bytes]:
    """Make cards and print them. What opens a door's page stands in this answer and nowhere else: print it, hand the
    cards out, and remove it; more than 200 at once are made by `zoufang cards make`."""
    await organisations.refuse_unknown(conn, reader, data.organisation, "organisation")
    address = card_making.page_address(settings)
    path = (await organisations.open_paths(conn, reader.district))[data.organisation]
    giver = await card_making.giver(
        conn, reader.district, data.organisation, path, data.member or None, data.service_name or None
    )
    actor = Actor("member", str(reader.member))
    try:
        sheet, parts = await card_making.make(conn, settings, address, district, giver, data.count, actor, clock())
        jobs = card_sheets.jobs(settings.font, sheet, parts)
        async with aclosing(printed_pages.printed("cards", jobs, lambda what, done, of: None)) as pages:
            content = await anext(pages)
    except PrintError as error:
        raise Unprintable(None, reason=str(error)) from None
    first = parts[0][0].number
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="cards-{first}.pdf"'}
    return Response(content, status_code=201, media_type=PDF, headers=headers)


ROUTES = [make_cards, list_cards, revoke_card, show_terms, change_terms, change_hotline]

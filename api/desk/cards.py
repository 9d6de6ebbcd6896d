"""The page of contact cards: found by number, made and printed, revoked, and what they say."""

from typing import Any, get_args
from uuid import UUID, uuid4

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response import Template

from api import texts
from api.auth import Clock
from api.cards import MOST_AT_ONCE
from api.desk import blank_fields, ways
from api.desk import views as saved
from api.desk.visits import narrowed, query
from api.issues import refuse_unfit
from api.settings import Settings
from api.sign_in import NOT_KEPT
from surveys.contact_cards import card_terms, contact_cards
from surveys.contact_cards.contact_cards import Filters, State
from surveys.people import organisations
from surveys.people.people import District, Reader
from surveys.refusals import InvalidFilter

AT_ONCE = 50
STATES: dict[State, str] = {
    "free": texts.marked("Not left yet"),
    "bound": texts.marked("At a door"),
    "revoked": texts.marked("Revoked"),
}


@get("/desk/cards", include_in_schema=False, before_request=blank_fields.left_out)
async def cards_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    settings: NamedDependency[Settings],
) -> Template:
    """The cards of the organisations that the reader looks after."""
    reader.require("administrator", "organiser")
    refuse_unfit(request, ("text", "state", "organisation", "cursor", "lang"))
    said = narrowed(request)
    reach = await organisations.within(conn, reader)
    cursor = request.query_params.get("cursor")
    page = await contact_cards.page(conn, reader.district, reach, _filters(said), limit=AT_ONCE, cursor=cursor)
    around = ways.context(request, reader, district, "cards")
    shown = {
        "page": page,
        "first": cursor is None,
        "filters": said,
        "query": query(request),
        "states": STATES,
        "organisations": await organisations.tree(conn, reader),
        "terms": await card_terms.of_district(conn, reader.district),
        "administrator": "administrator" in reader.roles(),
        "printable": bool(settings.public_url),
        "most": MOST_AT_ONCE,
        "as_of": clock(),
        "new_id": uuid4,
    }
    views = await saved.context(request, conn, reader)
    return Template("desk/cards.html", context={**around, **shown, **views}, headers=dict(NOT_KEPT))


def _filters(said: Any) -> Filters:
    state = said.get("state")
    states = tuple(one for one in get_args(State) if one == state)
    if state and not states:
        raise InvalidFilter("state", expected=" | ".join(get_args(State)))
    try:
        organisation = UUID(said["organisation"]) if said.get("organisation") else None
    except ValueError:
        raise InvalidFilter("organisation", expected="UUID") from None
    return Filters(organisation=organisation, states=states, text=said.get("text"))


ROUTES = [cards_page]

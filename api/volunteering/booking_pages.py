"""The page of bookings that are over: whom to ask how it was, with what they say; who did not come; and what was given
up."""

from collections.abc import Mapping
from typing import Any, Literal, get_args
from urllib.parse import urlencode
from uuid import UUID, uuid4

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response import Template

from api import shell, texts
from api.auth import Clock
from api.issues import refuse_unfit
from api.sign_in import NOT_KEPT
from api.volunteering.service_pages import VIA_WORDS
from surveys.people.people import District, Reader
from surveys.refusals import InvalidFilter
from surveys.volunteering import booking_outcomes, services_to_ask

AT_ONCE = 30

Shows = Literal["to_ask", "missed", "cancelled"]
SHOWS: tuple[Shows, ...] = get_args(Shows)
SHOW_WORDS: Mapping[Shows, str] = {
    "to_ask": texts.marked("Whom to ask"),
    "missed": texts.marked("Did not come"),
    "cancelled": texts.marked("Given up"),
}
FACES: Mapping[int, str] = {
    5: texts.marked("very satisfied"),
    4: texts.marked("satisfied"),
    3: texts.marked("so-so"),
    2: texts.marked("not satisfied"),
    1: texts.marked("not satisfied at all"),
}


@get("/volunteering/bookings", include_in_schema=False)
async def bookings_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """Bookings that are over, of one team or of all, as far as the reader sees them."""
    refuse_unfit(request, ("shows", "team", "cursor", "lang"))
    said = {name: value.strip() for name, value in request.query_params.items() if value.strip()}
    shows, team = _shows(said), _team(said)
    told = {name: value for name, value in said.items() if name not in ("cursor", "lang")}
    part: Any = {"team": team, "limit": AT_ONCE, "cursor": said.get("cursor")}
    page: Any
    if shows == "to_ask":
        page = await services_to_ask.page(conn, reader, clock(), **part)
    else:
        page = await booking_outcomes.page(conn, reader, shows, **part)
    context = {
        **shell.context(request, reader, district, here="volunteering"),
        "page": page,
        "shows": SHOW_WORDS,
        "shown": shows,
        "faces": FACES,
        "vias": VIA_WORDS,
        "team": team,
        "query": urlencode(told),
        "first": "cursor" not in said,
        "uuid": uuid4,
    }
    return Template("volunteering/bookings.html", context=context, headers=dict(NOT_KEPT))


def _shows(said: Mapping[str, str]) -> Shows:
    for one in SHOWS:
        if one == said.get("shows", "to_ask"):
            return one
    raise InvalidFilter("shows", expected=" | ".join(SHOWS))


def _team(said: Mapping[str, str]) -> UUID | None:
    try:
        return UUID(said["team"]) if "team" in said else None
    except ValueError:
        raise InvalidFilter("team", expected="a team's id") from None


ROUTES = [bookings_page]

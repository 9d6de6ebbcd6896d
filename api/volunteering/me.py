"""`/volunteering/me`: a volunteer's own page, of sections that each part hangs into it.

A section's template is rendered by itself with what its `load` returns, and with what every page here knows: `me`,
`csrf`, `language`, `lang` (?lang=en or nothing), `zone`, `now`, and `new_id` for forms. Its forms post below
/volunteering, where a personal link's cookie is sent, with `data-json`."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

import asyncpg
from asyncpg import Connection
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response import Template
from markupsafe import Markup
from msgspec import Struct

from api import auth, problem_details, shell
from api.auth import PUBLIC, Clock
from api.limits import few_pages
from api.pages import TEMPLATES
from api.sign_in import NOT_KEPT
from api.volunteering import my_data, my_points, my_services, passes, time_section
from api.volunteering.passes import Me, NotAVolunteer, PassOver
from surveys.people import people
from surveys.people.people import District
from surveys.refusals import NotFound, NotSignedIn
from surveys.volunteering import volunteers

Load = Callable[[Connection, Me, datetime], Awaitable[Mapping[str, Any]]]


class Section(Struct, frozen=True):
    """A part of the page: its name (the anchor), its template, and what fills it."""

    name: str
    template: str
    load: Load


# From the top of the page down: what is on, my hours, my points; then teams, what I offer, and what is kept on me.
SECTIONS: tuple[Section, ...] = (
    Section("services", "volunteering/my_services.html", my_services.load),
    Section("hours", "volunteering/my_hours.html", time_section.load),
    Section("points", "volunteering/my_points.html", my_points.load),
)


@get("/volunteering/me", opt={PUBLIC: True}, include_in_schema=False, guards=[few_pages])
async def my_page(
    request: Request[Any, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    clock: NamedDependency[Clock],
) -> Template:
    """A volunteer's own page; how to open it, for who shows neither a session nor a link."""
    now = clock()
    try:
        me = await passes.me(request, conn, now)
    except (NotSignedIn, PassOver):
        return _closed(request)
    except NotAVolunteer:
        return await _not_yet(request, conn)
    around = await _around(request, conn, me, now)
    name = (await volunteers.named(conn, me.district, [me.volunteer], public=False))[me.volunteer]
    number = await conn.fetchval(volunteers.NUMBER_OF, me.district, me.volunteer)
    own = {**around, **await my_data.load(conn, me, request.app.state.ring)}
    sections = [(section.name, await _section(conn, section, me, now, around)) for section in SECTIONS]
    sections += [(anchor, _rendered(template, own)) for anchor, template in my_data.TEMPLATES.items()]
    context = {**around, "sections": sections, "name": name, "number": number}
    return Template("volunteering/me.html", context=context, headers=dict(NOT_KEPT))


def _rendered(template: str, context: Mapping[str, Any]) -> Markup:
    return Markup(TEMPLATES.engine_instance.get_template(template).render(context))  # noqa: S704 - a template of ours


async def _section(conn: Connection, section: Section, me: Me, now: datetime, around: Mapping[str, Any]) -> Markup:
    return _rendered(section.template, {**around, **await section.load(conn, me, now)})


async def _around(request: Request[Any, Any, Any], conn: Connection, me: Me | None, now: datetime) -> dict[str, Any]:
    """What stands around the page: the shell for who is signed in, and less for who came by a link."""
    if me is not None and me.member is None:
        found = await people.district(conn, me.district)
        if found is None:
            raise NotFound
        around = _plain(request, found)
    else:
        reader = await auth.visitor(request, conn)
        found = await people.district(conn, reader.district)
        if found is None:
            raise NotFound
        around = {**shell.context(request, reader, found, here="volunteering"), "frame": "shell.html"}
    return {**around, "me": me, "now": now, "new_id": uuid4, "csrf": passes.csrf(request, me)}


def _plain(request: Request[Any, Any, Any], district: District | None) -> dict[str, Any]:
    language = problem_details.language(request)
    return {
        "frame": "volunteering/link_frame.html",
        "language": language,
        "lang": "?lang=en" if language == "en" else "",
        "other_language": f"{passes.PAGE}?lang={'zh' if language == 'en' else 'en'}",
        "zone": district.zone if district else None,
        "district": district.name if district else "",
    }


def _closed(request: Request[Any, Any, Any]) -> Template:
    """How to open the page, and that something has ended where that has just been asked for."""
    context = {**_plain(request, None), "csrf": None, "ended": "ended" in request.query_params}
    return Template("volunteering/link_open.html", context=context, headers=dict(NOT_KEPT))


async def _not_yet(request: Request[Any, Any, Any], conn: Connection) -> Template:
    """A member who is signed in can begin to serve."""
    around = await _around(request, conn, None, request.app.state.clock())
    context = {**around, "ended": "ended" in request.query_params}
    return Template("volunteering/me_begin.html", context=context, headers=dict(NOT_KEPT))


ROUTES = [my_page]

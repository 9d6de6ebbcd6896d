"""The pages of saved views: opened, mended where something in them is gone, and put in order."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template

from api import problem_details, texts
from api.auth import DESK
from api.desk import ways
from api.issues import refuse_unfit
from api.sign_in import NOT_KEPT
from surveys.desk import saved_views
from surveys.desk.saved_views import SHARING
from surveys.people import organisations
from surveys.people.people import READING, District, Reader, Role
from surveys.refusals import Refusal

ROLES: Mapping[Role, str] = {
    "member": texts.marked("Member"),
    "organiser": texts.marked("Organiser"),
    "community_worker": texts.marked("Community worker"),
    "dispatcher": texts.marked("Dispatcher"),
    "department_handler": texts.marked("Department handler"),
    "leader": texts.marked("Leaders"),
    "administrator": texts.marked("Administrator"),
}
# What a filter is called where it is told that its value is gone.
FILTERS: Mapping[str, str] = {
    "community": texts.marked("Community"),
    "street": texts.marked("Street"),
    "category": texts.marked("Category"),
    "department": texts.marked("Department"),
    "campaign": texts.marked("Campaign"),
    "organisation": texts.marked("Organisation"),
    "owner": texts.marked("Owner"),
    "member": texts.marked("Member"),
    "state": texts.marked("State"),
}


async def context(request: Request[Reader, Any, Any], conn: asyncpg.Connection, reader: Reader) -> Mapping[str, Any]:
    """What `desk/views.html` needs on the page of a list: the reader's views, and the address that can be saved. The
    page loads `forms.js`."""
    path = DESK if request.url.path == DESK.rstrip("/") else request.url.path  # the framework drops the last stroke
    try:
        address = saved_views.usable(f"{path}?{request.url.query}")
    except Refusal:
        address = None
    return {
        "saved_views": await saved_views.of_reader(conn, reader),
        "view_address": address,
        "view_id": uuid4(),
    }


@get("/desk/views", include_in_schema=False)
async def views_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
) -> Template:
    """All views that the reader has; their own are renamed, put in order, shared and deleted."""
    reader.require(*READING)
    refuse_unfit(request, ("lang",))
    found = await saved_views.of_reader(conn, reader)
    may_share = reader.roles() & SHARING
    organises = reader.roles() & {"administrator", "organiser"}
    shown = {
        "own": [view for view in found if view.own],
        "others": [view for view in found if not view.own],
        "roles": ROLES,
        "share_roles": list(ROLES) if reader.roles() & {"administrator", "dispatcher"} else [],
        "organisations": await organisations.tree(conn, reader) if organises else [],
        "may_share": bool(may_share),
    }
    around = ways.context(request, reader, district, "views")
    return Template("desk/saved_views.html", context={**around, **shown}, headers=dict(NOT_KEPT))


@get("/desk/views/{view:uuid}", include_in_schema=False)
async def open_view(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    view: FromPath[UUID],
) -> Template | Redirect:
    """Go to the list of a view; or, where something that it names is gone, say what, and offer to mend it."""
    reader.require(*READING)
    refuse_unfit(request, ("lang",))
    found = await saved_views.one(conn, reader, view)
    missing = await saved_views.gone(conn, reader.district, found.address)
    english = problem_details.language(request) == "en"
    if not missing:
        return Redirect(_in_language(found.address, english), status_code=303)
    mended = saved_views.mended(found.address, missing)
    say = texts.of(problem_details.language(request)).gettext
    shown = {
        "view": found,
        "missing": [(say(FILTERS[one.filter]) if one.filter in FILTERS else one.filter, one) for one in missing],
        "mended": mended,
        "mended_href": _in_language(mended, english),
    }
    around = ways.context(request, reader, district, "views")
    return Template("desk/view_gone.html", context={**around, **shown}, headers=dict(NOT_KEPT))


def _in_language(address: str, english: bool) -> str:
    if not english:
        return address
    return f"{address}{'&' if '?' in address else '?'}lang=en"


ROUTES = [views_page, open_view]

"""The page of categories: the tree with channels, departments and limits, and what each limit was before."""

from typing import Any

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response import Template

from api import texts
from api.auth import Clock
from api.desk import blank_fields, ways
from api.desk.visits import narrowed, query
from api.export_columns import WORDS
from api.issues import refuse_unfit
from api.sign_in import NOT_KEPT
from surveys.desk import choices
from surveys.issues import category_lists
from surveys.issues.category_lists import CategoryShown
from surveys.people.people import District, Reader

UNITS = {
    "working_days": texts.marked("working days"),
    "working_hours": texts.marked("working hours"),
    "calendar_hours": texts.marked("hours"),
}


@get("/desk/categories", include_in_schema=False, before_request=blank_fields.left_out)
async def categories_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """What an issue can be about, found by a part of its name or code; administrators change it."""
    refuse_unfit(request, ("text", "retired", "lang"))
    said = narrowed(request)
    every = await category_lists.tree(conn, reader)
    around = ways.context(request, reader, district, "categories")
    shown = {
        "categories": [one for one in every if _fits(one, said.get("text", ""), retired=bool(said.get("retired")))],
        "groups": [one for one in every if one.parent is None],
        "departments": await choices.departments(conn, reader),
        "filters": said,
        "query": query(request),
        "units": UNITS,
        "words": WORDS,
        "en": 1 if around["language"] == "en" else 0,
        "may_change": "administrator" in reader.roles(),
        "as_of": clock(),
    }
    return Template("desk/categories.html", context={**around, **shown}, headers=dict(NOT_KEPT))


def _fits(one: CategoryShown, text: str, *, retired: bool) -> bool:
    wanted = text.strip().casefold()
    return (retired or one.retired_at is None) and (not wanted or wanted in f"{one.code} {one.name}".casefold())


ROUTES = [categories_page]

"""The page on which lists come in: members, volunteers, categories, holidays, looked at before they are taken over."""

from typing import Any

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response import Template

from api import list_imports, texts
from api.auth import Clock
from api.desk import ways
from api.issues import refuse_unfit
from api.list_imports import FIELDS, KINDS, MOST_ROWS, NEEDED, Kind
from api.sign_in import NOT_KEPT
from surveys.people.people import District, Reader
from surveys.refusals import InvalidFilter

NAMES: dict[Kind, str] = {
    "members": texts.marked("Members"),
    "volunteers": texts.marked("Volunteers"),
    "categories": texts.marked("Categories"),
    "holidays": texts.marked("Holidays"),
}
MEANINGS: dict[Kind, str] = {
    "members": texts.marked(
        "Organisations and members, known again by the members' numbers. What is refused is left out; the rest is"
        " taken over."
    ),
    "volunteers": texts.marked(
        "Volunteer teams and who is in them, one volunteer in one team a row. Nobody is taken out, and consent to a"
        " name in public is never read. What is refused is left out; the rest is taken over."
    ),
    "categories": texts.marked("What an issue can be about, with limits. All of the list is taken over, or nothing."),
    "holidays": texts.marked(
        "Days off and make-up working days of whole years. Due times that waited for them are counted anew."
    ),
}
# What a figure counts.
COUNTS = {
    "rows": texts.marked("rows read"),
    "new": texts.marked("new"),
    "changed": texts.marked("changed"),
    "unchanged": texts.marked("as they were"),
    "limits": texts.marked("with other limits"),
    "retired": texts.marked("retired"),
    "organisations": texts.marked("organisations founded"),
    "areas": texts.marked("organisations with other areas"),
    "transferred": texts.marked("moved to another organisation"),
    "returned": texts.marked("came back"),
    "closed": texts.marked("closed"),
    "teams": texts.marked("teams founded"),
    "teams_changed": texts.marked("teams changed"),
    "volunteers": texts.marked("volunteers registered"),
    "joined": texts.marked("joined a team"),
    "handed_on": texts.marked("issues handed on"),
    "rejected": texts.marked("refused"),
    "years": texts.marked("years"),
    "removed": texts.marked("taken out"),
    "reckoned": texts.marked("due times counted anew"),
}


@get("/desk/imports", include_in_schema=False)
async def imports_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """One place for the lists that a desk has; doors come in on their own page."""
    reader.require("administrator")
    refuse_unfit(request, ("kind", "lang"))
    asked = request.query_params.get("kind", KINDS[0])
    kind = next((one for one in KINDS if one == asked), None)
    if kind is None:
        raise InvalidFilter("kind", expected=" | ".join(KINDS))
    around = ways.context(request, reader, district, "imports")
    say = texts.of(around["language"]).gettext
    shown = {
        "kind": kind,
        "kinds": NAMES,
        "meaning": MEANINGS[kind],
        "fields": FIELDS[kind],
        "needed": NEEDED[kind],
        "most_rows": MOST_ROWS,
        "several": kind == "holidays" and await conn.fetchval(list_imports.DISTRICTS) > 1,
        "data": {
            "kind": kind,
            "counts": {name: say(text) for name, text in COUNTS.items()},
            "fields": {name: name if around["language"] == "en" else usual[0] for name, usual in FIELDS[kind].items()},
        },
    }
    return Template("desk/imports.html", context={**around, **shown}, headers=dict(NOT_KEPT))


ROUTES = [imports_page]

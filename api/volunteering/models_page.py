"""The page of models: those that wait, those on the board, and proposing somebody who was found by name or number."""

from typing import Any, get_args
from uuid import UUID, uuid4

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response import Template

from api import shell
from api.auth import Clock
from api.issues import refuse_unfit
from api.sign_in import NOT_KEPT
from api.volunteering import months
from api.volunteering.board import SUBJECTS
from surveys.people.people import District, Reader
from surveys.refusals import InvalidFilter, NotFound
from surveys.volunteering import model_candidates, models
from surveys.volunteering.model_candidates import Candidate
from surveys.volunteering.models import LONGEST, Subject

STATES = {
    "proposed": ("待审批", "Waits for approval"),
    "approved": ("公示中", "On the board"),
    "declined": ("未批准", "Declined"),
    "taken_off": ("已撤下", "Taken off"),
}


@get("/volunteering/models", include_in_schema=False)
async def models_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """Those that were proposed, and somebody to propose."""
    refuse_unfit(request, ("text", "subject", "who", "lang"))
    query = request.query_params
    chosen = await _chosen(conn, reader, query.get("subject"), query.get("who"))
    text = query.get("text", "").strip()
    context = {
        **shell.context(request, reader, district, here="volunteering"),
        "items": await models.looked_after(conn, reader),
        "states": STATES,
        "subjects": SUBJECTS,
        "administers": "administrator" in reader.roles(),
        "named": months.in_language,
        "text": text,
        "found": await model_candidates.found(conn, reader, text),
        "chosen": chosen,
        "this_month": f"{clock().astimezone(district.zone):%Y-%m}",
        "longest": LONGEST,
        "new_id": uuid4,
    }
    return Template("volunteering/models.html", context=context, headers=dict(NOT_KEPT))


async def _chosen(conn: asyncpg.Connection, reader: Reader, subject: str | None, who: str | None) -> Candidate | None:
    """Who was chosen to be proposed. Raises InvalidFilter or NotFound."""
    if not subject or not who:
        return None
    known: tuple[Subject, ...] = get_args(Subject)
    kind = next((one for one in known if one == subject), None)
    if kind is None:
        raise InvalidFilter("subject", expected=" | ".join(known))
    try:
        found = await model_candidates.one(conn, reader, kind, UUID(who))
    except ValueError:
        raise InvalidFilter("who", expected="UUID") from None
    if found is None:
        raise NotFound("who")
    return found


ROUTES = [models_page]

"""The list that the fact of hours served opens, for programs and as a page."""

from typing import Any
from uuid import UUID

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Template

from api import shell
from api.assessments.appeals import RESULTS
from api.assessments.rounds import Limit
from api.auth import Clock
from api.issues import refuse_unfit
from api.sign_in import NOT_KEPT
from api.time_statement_table import KINDS
from surveys.assessments import ratings, rounds, served_hours
from surveys.assessments.served_hours import ServedPage
from surveys.people.people import District, Reader

SHOWN = 50


@get(RESULTS + "/{subject:uuid}/hours", summary="The hours served that a result counts")
async def list_served_hours(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
    subject: FromPath[UUID],
    limit: Limit = 50,
    cursor: FromQuery[str | None] = None,
) -> ServedPage:
    """Minutes of the time bank, the newest first, as they were known when the facts were taken: for who was rated, and
    who leads or organises them."""
    refuse_unfit(request, ("limit", "cursor"))
    return await served_hours.page(conn, reader, round, subject, clock(), limit=limit, cursor=cursor)


@get("/assessments/rounds/{round:uuid}/results/{subject:uuid}/hours", include_in_schema=False)
async def served_hours_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
    subject: FromPath[UUID],
    cursor: FromQuery[str | None] = None,
) -> Template:
    """What was served by who was rated, line by line."""
    refuse_unfit(request, ("cursor", "lang"))
    page = await served_hours.page(conn, reader, round, subject, clock(), limit=SHOWN, cursor=cursor)
    found = await rounds.one(conn, reader.district, round)
    around = shell.context(request, reader, district, here="assessments")
    english = around["language"] == "en"
    context = {
        **around,
        "round": found,
        "subject": subject,
        "name": await ratings.name_of(conn, reader.district, found.subject_kind, subject),
        "page": page,
        "first": cursor is None,
        "kinds": {kind: said[english] for kind, said in KINDS.items()},
    }
    return Template("assessments/served_hours.html", context=context, headers=dict(NOT_KEPT))


ROUTES = [list_served_hours, served_hours_page]

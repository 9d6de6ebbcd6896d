"""Return visits over HTTP: what residents are still to be asked about, and what they said."""

from typing import Annotated, Any
from uuid import UUID

import asyncpg
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta, Struct

from api.auth import Clock
from api.issues import refuse_unfit
from api.json_bodies import JsonBody
from surveys.people.people import District, Reader
from surveys.return_visits import return_visit_answers, return_visits, return_visits_due
from surveys.return_visits.return_visit_answers import Answered, AnswerHeard
from surveys.return_visits.return_visits_due import Asked, Invitations

FILTERS = frozenset({"community", "street", "organisation", "premises", "limit", "cursor", "total", "lang"})


class Terms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how many days a resident is asked, before silence closes the issue."""

    days: Annotated[int, Meta(ge=1, le=90)]


@get("/api/return-visits", summary="Whom to ask whether it is solved")
async def list_return_visits(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    community: Annotated[str | None, QueryParameter(description="code of a community")] = None,
    premises: Annotated[UUID | None, QueryParameter(description="id of a door")] = None,
    street: Annotated[str | None, QueryParameter(description="code of a street")] = None,
    organisation: Annotated[
        UUID | None, QueryParameter(description="id of the organisation of who reported the issue, on the day")
    ] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    cursor: FromQuery[str | None] = None,
    total: FromQuery[bool] = True,
) -> Invitations:
    """The resolved issues that a resident is still to be asked about, of those that the reader may see; the ones that
    close first at the head. `may_answer` is false where the reader has handled the issue themselves."""
    refuse_unfit(request, FILTERS)
    asked = Asked(community=community, premises=premises, street=street, organisation=organisation)
    return await return_visits_due.page(
        conn, reader, asked, district.zone, clock(), limit=limit, cursor=cursor, total=total
    )


@post(
    "/api/issues/{issue:uuid}/return-visits",
    dto=JsonBody[AnswerHeard],
    return_dto=None,
    status_code=200,
    summary="What a resident said",
)
async def answer_return_visit(
    data: JSONBody[AnswerHeard],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    issue: FromPath[UUID],
) -> Answered:
    """Tell what a resident said on a visit or by telephone: solved or not, and how satisfied, from one to five; below
    three, and where it is not solved, with the reason. Whoever handled the issue is refused. What is not solved or not
    satisfying is opened again; the same answer again gets its first result."""
    return await return_visit_answers.answer_by_member(conn, reader, issue, data, clock())


@get("/api/return-visits/terms", summary="For how long residents are asked")
async def return_visit_terms(conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]) -> Terms:
    """For how many days a resident is asked, before silence closes the issue."""
    reader.require("administrator")
    return Terms(days=await return_visits.days(conn, reader.district))


@post(
    "/api/return-visits/terms",
    dto=JsonBody[Terms],
    return_dto=None,
    status_code=200,
    summary="Change for how long residents are asked",
)
async def change_return_visit_terms(
    data: JSONBody[Terms],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> Terms:
    """Let invitations from now on be open for so many days; those that were given keep theirs."""
    reader.require("administrator")
    await return_visits.set_days(conn, reader.district, reader.member, data.days, clock())
    return Terms(days=await return_visits.days(conn, reader.district))


ROUTES = [list_return_visits, answer_return_visit, return_visit_terms, change_return_visit_terms]

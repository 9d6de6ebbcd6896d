"""Organisations over HTTP: the tree, as it is or was, and what changes in it."""

from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Struct

from api.auth import Clock
from api.issues import refuse_unfit
from api.json_bodies import JsonBody
from surveys.counting import issue_query
from surveys.counting.issue_query import Filters
from surveys.people import organisations
from surveys.people.organisations import Changed, Organisation, OrganisationChange, OrganisationDraft
from surveys.people.people import District, Reader


class Tree(Struct, frozen=True):
    """Organisations from the top down, each after the one that it hangs below."""

    items: list[Organisation]


@get("/api/organisations", summary="The tree of organisations")
async def list_organisations(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    as_of: FromQuery[date | None] = None,
) -> Tree:
    """The organisations that the reader looks after, with how many belong to each and to all below it; with `as_of`,
    as they hung at the end of that day."""
    refuse_unfit(request, ("as_of", "lang"))
    at = issue_query.moment(Filters(as_of=as_of), district.zone, clock()).at if as_of else None
    return Tree(await organisations.tree(conn, reader, at))


@post(
    "/api/organisations",
    dto=JsonBody[OrganisationDraft],
    return_dto=None,
    status_code=201,
    summary="Found an organisation",
)
async def found_organisation(
    data: JSONBody[OrganisationDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> Changed:
    """Found an organisation below another one; a retry is answered as the first time."""
    return await organisations.create(conn, reader, data, clock())


@post(
    "/api/organisations/{organisation:uuid}/changes",
    dto=JsonBody[OrganisationChange],
    return_dto=None,
    status_code=200,
    summary="Change an organisation",
)
async def change_organisation(
    data: JSONBody[OrganisationChange],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    organisation: FromPath[UUID],
) -> Changed:
    """Move, rename or close an organisation, or say what it answers for; what was filed before keeps the organisation
    of its day."""
    return await organisations.change(conn, reader, organisation, data, clock())


ROUTES = [list_organisations, found_organisation, change_organisation]

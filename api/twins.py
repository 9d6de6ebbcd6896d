"""Likely twins over HTTP: of an issue at the desk, of one that is about to be filed, and that two are none."""

from uuid import UUID

import asyncpg
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from api.auth import Clock
from api.json_bodies import JsonBody, Nothing
from maps.locator import Atlas
from surveys.issues import twin_proposals, twins
from surveys.issues.twin_proposals import Dismissed
from surveys.issues.twins import TwinDraft, Twins
from surveys.people.people import District, Reader


@get("/api/issues/{issue:uuid}/twins", summary="Likely twins of an issue")
async def twins_of_issue(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    issue: FromPath[UUID],
) -> Twins:
    """Issues within the reader's reach that are likely the same thing, the likeliest first, each with why."""
    return await twins.of_issue(conn, reader, issue, district.zone, clock())


@post("/api/issues/twins", dto=JsonBody[TwinDraft], return_dto=None, status_code=200, summary="Likely twins of a draft")
async def twins_of_draft(
    data: JSONBody[TwinDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    atlas: NamedDependency[Atlas],
    clock: NamedDependency[Clock],
) -> Twins:
    """What is likely reported already, of what somebody is about to file; nothing of it is kept."""
    return await twins.of_draft(conn, atlas, reader, data, district.zone, clock())


@post(
    "/api/issues/{issue:uuid}/twins/{other:uuid}/dismiss",
    dto=JsonBody[Nothing],
    return_dto=None,
    status_code=200,
    summary="Say that two issues are no twins",
)
async def dismiss_twin(
    data: JSONBody[Nothing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    issue: FromPath[UUID],
    other: FromPath[UUID],
) -> Dismissed:
    """From then on neither is proposed for the other; said again it stands as it was said first."""
    return await twin_proposals.dismiss(conn, reader, issue, other, district.zone, clock())


ROUTES = [twins_of_issue, twins_of_draft, dismiss_twin]

"""Members over HTTP: looked up, taken in, changed and away, by an administrator or their organisation's organiser."""

from typing import Annotated, Any
from uuid import UUID

import asyncpg
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from api.auth import Clock
from api.issues import refuse_unfit
from api.json_bodies import JsonBody
from surveys.people import absences, member_changes, member_lists
from surveys.people.absences import AbsenceDraft
from surveys.people.member_changes import Changed, MemberChange, MemberDraft
from surveys.people.member_lists import MemberDetail, MemberPage, State
from surveys.people.people import Reader
from surveys.privacy.sealing import KeyRing


@get("/api/members", summary="List members")
async def list_members(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
    text: FromQuery[str | None] = None,
    organisation: FromQuery[UUID | None] = None,
    state_: Annotated[list[State] | None, QueryParameter(name="state")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    cursor: FromQuery[str | None] = None,
    total: FromQuery[bool] = True,
) -> MemberPage:
    """The members whom the reader looks after, by number: `text` is part of a name or number, `organisation` stands
    for all below it too."""
    refuse_unfit(request, ("text", "organisation", "state", "limit", "cursor", "total", "lang"))
    return await member_lists.page(
        conn,
        ring,
        reader,
        clock(),
        text=text,
        organisation=organisation,
        states=state_ or (),
        limit=limit,
        cursor=cursor,
        total=total,
    )


@get("/api/members/{member:uuid}", summary="One member")
async def one_member(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
    member: FromPath[UUID],
) -> MemberDetail:
    """One member with roles, absences and history."""
    return await member_lists.one(conn, ring, reader, member, clock())


@post("/api/members", dto=JsonBody[MemberDraft], return_dto=None, status_code=201, summary="Take in a member")
async def add_member(
    data: JSONBody[MemberDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
) -> Changed:
    """Take in a member; a retry is answered as the first time."""
    return await member_changes.join(conn, ring, reader, data, clock())


@post(
    "/api/members/{member:uuid}/changes",
    dto=JsonBody[MemberChange],
    return_dto=None,
    status_code=200,
    summary="Change a member",
)
async def change_member(
    data: JSONBody[MemberChange],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
    member: FromPath[UUID],
) -> Changed:
    """Change, transfer or close a member, or what they may do. Who leaves hands on their open issues and is signed out
    everywhere, at once."""
    return await member_changes.change(conn, ring, reader, member, data, clock())


@post(
    "/api/members/{member:uuid}/absences",
    dto=JsonBody[AbsenceDraft],
    return_dto=None,
    status_code=201,
    summary="Record an absence",
)
async def record_absence(
    data: JSONBody[AbsenceDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    member: FromPath[UUID],
) -> Changed:
    """Record when a member is away and who stands in; their open issues go to the deputy when it begins."""
    return await absences.absent(conn, reader, member, data, clock())


ROUTES = [list_members, one_member, add_member, change_member, record_absence]

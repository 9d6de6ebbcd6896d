"""Volunteer teams over HTTP: found by everybody who reads, looked after by those who lead and organise them."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta, Struct

from api.auth import Clock
from api.documented_problems import REFUSES
from api.issues import refuse_unfit
from api.json_bodies import JsonBody
from surveys.history import Actor
from surveys.people.people import District, Reader
from surveys.privacy.sealing import KeyRing
from surveys.refusals import Missing
from surveys.volunteering import standing, team_changes, team_lists, team_members, teams, volunteer_lists, volunteers
from surveys.volunteering.team_changes import TeamChange, TeamClosing
from surveys.volunteering.team_lists import TeamFilters, TeamItem, TeamPage
from surveys.volunteering.team_members import Joining, Leaving, Membership
from surveys.volunteering.teams import Changed, Kind, TeamDraft
from surveys.volunteering.volunteer_lists import VolunteerFilters, VolunteerPage


class JoiningDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who joins a team, from now on or from the beginning of a past day: a volunteer whom the reader looks after, or a
    member by their number, who then serves if they did not."""

    id: UUID
    volunteer: UUID | None = None
    member: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    on: date | None = None


Weekday = Annotated[int | None, QueryParameter(ge=1, le=7, description="Monday is 1")]
Limit = Annotated[int, QueryParameter(ge=1, le=200)]


@get("/api/volunteering/teams", summary="List volunteer teams")
async def list_teams(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    kind: FromQuery[list[Kind] | None] = None,
    community: FromQuery[str | None] = None,
    street: FromQuery[str | None] = None,
    skill: FromQuery[UUID | None] = None,
    weekday: Weekday = None,
    organisation: FromQuery[UUID | None] = None,
    text: FromQuery[str | None] = None,
    closed: FromQuery[bool] = False,
    mine: FromQuery[bool] = False,
    limit: Limit = 50,
    cursor: FromQuery[str | None] = None,
    total: FromQuery[bool] = True,
) -> TeamPage:
    """The district's teams by name: those that serve a community or street, in which somebody has a skill or is free on
    a weekday. A leader's name stands there for who looks after the team, and as in public for others."""
    known = ("kind", "community", "street", "skill", "weekday", "organisation", "text", "closed", "mine")
    refuse_unfit(request, (*known, "limit", "cursor", "total", "lang"))
    filters = TeamFilters(
        kind=tuple(kind or ()),
        community=community,
        street=street,
        skill=skill,
        weekday=weekday,
        organisation=organisation,
        text=text,
        closed=closed,
        mine=mine,
    )
    return await team_lists.page(conn, reader, filters, limit=limit, cursor=cursor, total=total)


@post(
    "/api/volunteering/teams",
    dto=JsonBody[TeamDraft],
    return_dto=None,
    status_code=201,
    summary="Found a volunteer team",
)
async def found_team(
    data: JSONBody[TeamDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> Changed:
    """Found a team for an organisation: the administrator anywhere, an organiser where they organise, a community's
    worker for their communities. The same draft again gets its first answer."""
    return await teams.found(conn, reader, data, clock())


@get("/api/volunteering/teams/{team:uuid}", summary="A volunteer team")
async def show_team(
    conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader], team: FromPath[UUID]
) -> TeamItem:
    """One team, a closed one too."""
    return await team_lists.one(conn, reader, team)


@post(
    "/api/volunteering/teams/{team:uuid}/changes",
    dto=JsonBody[TeamChange],
    return_dto=None,
    status_code=200,
    summary="Change a volunteer team",
)
async def change_team(
    data: JSONBody[TeamChange],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    team: FromPath[UUID],
) -> Changed:
    """Change what a team is called, does, where it serves and who leads it; what is left out stays."""
    return await team_changes.change(conn, reader, team, data, clock())


@post(
    "/api/volunteering/teams/{team:uuid}/closing",
    dto=JsonBody[TeamClosing],
    return_dto=None,
    status_code=200,
    summary="Close a volunteer team",
)
async def close_team(
    data: JSONBody[TeamClosing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    team: FromPath[UUID],
) -> Changed:
    """Close a team with a reason; everybody leaves it, and what it did stays."""
    return await team_changes.close(conn, reader, team, data, clock())


@get("/api/volunteering/teams/{team:uuid}/volunteers", summary="Who is in a volunteer team")
async def list_team(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    ring: NamedDependency[KeyRing],
    clock: NamedDependency[Clock],
    team: FromPath[UUID],
    as_of: Annotated[date | None, QueryParameter(description="As of the end of this day")] = None,
    known_at: Annotated[datetime | None, QueryParameter(description="As was known at this moment")] = None,
    skill: FromQuery[UUID | None] = None,
    weekday: Weekday = None,
    free_at: Annotated[datetime | None, QueryParameter(description="Who offers this hour of the week")] = None,
    text: FromQuery[str | None] = None,
    limit: Limit = 50,
    cursor: FromQuery[str | None] = None,
    total: FromQuery[bool] = True,
) -> VolunteerPage:
    """Who is in a team, or was on a past day, for who looks after it; with a skill and an hour, who could help."""
    known = ("as_of", "known_at", "skill", "weekday", "free_at", "text", "limit", "cursor", "total", "lang")
    refuse_unfit(request, known)
    filters = VolunteerFilters(
        team=team,
        at=datetime.combine(as_of + timedelta(days=1), time(), district.zone) if as_of else None,
        known_at=known_at,
        skill=skill,
        weekday=weekday,
        free_at=free_at,
        text=text,
    )
    return await volunteer_lists.page(
        conn, ring, reader, filters, district.zone, clock(), limit=limit, cursor=cursor, total=total
    )


@post(
    "/api/volunteering/teams/{team:uuid}/joinings",
    dto=JsonBody[JoiningDraft],
    return_dto=None,
    status_code=201,
    summary="Let a volunteer join a team",
    opt={REFUSES: (404,)},
)
async def join_team(
    data: JSONBody[JoiningDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    ring: NamedDependency[KeyRing],
    clock: NamedDependency[Clock],
    team: FromPath[UUID],
) -> Membership:
    """Let a volunteer be in a team from now on, or from the beginning of a past day."""
    await standing.refuse_who_does_not_look_after(conn, reader, team)
    actor, now = Actor("member", str(reader.member)), clock()
    if data.member is not None:
        volunteer = await volunteers.of_member(conn, ring, reader.district, data.id, data.member, actor, now)
    elif data.volunteer is not None:
        volunteer = data.volunteer
        await volunteer_lists.refuse_who_does_not_look_after(conn, reader, volunteer)
    else:
        raise Missing("member")
    asked = Joining(id=data.id, volunteer=volunteer, on=data.on)
    return await team_members.join(conn, reader.district, team, asked, actor, district.zone, now)


@post(
    "/api/volunteering/teams/{team:uuid}/leavings",
    dto=JsonBody[Leaving],
    return_dto=None,
    status_code=200,
    summary="Let a volunteer leave a team",
)
async def leave_team(
    data: JSONBody[Leaving],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    team: FromPath[UUID],
) -> Membership:
    """Let a volunteer be in a team no longer, or only until the end of a past day."""
    await standing.refuse_who_does_not_look_after(conn, reader, team)
    actor = Actor("member", str(reader.member))
    return await team_members.leave(conn, reader.district, team, data, actor, district.zone, clock())


ROUTES = [list_teams, found_team, show_team, change_team, close_team, list_team, join_team, leave_team]

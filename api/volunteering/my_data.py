"""What a volunteer sees of what is kept on them, and does with it: sections of their own page, and what these send.

A member does it by their session or token, somebody else by their personal link."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from asyncpg import Connection
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta, Struct

from api import history_words
from api.auth import PUBLIC, Clock
from api.documented_problems import REFUSES
from api.json_bodies import JsonBody
from api.settings import Settings
from api.sign_in import NOT_KEPT
from api.volunteering import passes
from api.volunteering.kinds import KINDS
from api.volunteering.volunteers import ended
from api.volunteering.week_words import grid
from surveys.history import Actor
from surveys.people import people
from surveys.privacy.sealing import KeyRing
from surveys.refusals import NotFound
from surveys.volunteering import own_records, skills, team_members, volunteer_changes, volunteers
from surveys.volunteering.endings import Ended, Ending
from surveys.volunteering.own_records import OwnRecord
from surveys.volunteering.team_members import Leaving, Membership
from surveys.volunteering.volunteer_changes import Consent, VolunteerChange
from surveys.volunteering.volunteers import Draft, Name, PhoneText, Registered, Skills, Week

Anybody = Request[Any, Any, Any]


class MyBeginning(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member who begins to serve, and whether their name may stand in public."""

    id: UUID
    name_public: bool = False


class MyChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a volunteer changes of what is kept on them; skills are of the district's list."""

    id: UUID
    expected_version: Annotated[int, Meta(ge=1)]
    name: Name | None = None
    phone: PhoneText | None = None
    skills: Skills | None = None
    hours: Week | None = None


class MyLeaving(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A team that a volunteer leaves, now."""

    id: UUID
    team: UUID


@post(
    "/volunteering/me/registration",
    dto=JsonBody[MyBeginning],
    return_dto=None,
    status_code=201,
    summary="Become a volunteer",
)
async def begin(
    request: Anybody,
    data: JSONBody[MyBeginning],
    conn: NamedDependency[asyncpg.Connection],
    ring: NamedDependency[KeyRing],
    clock: NamedDependency[Clock],
) -> Registered:
    """Let the member who is signed in serve; the same again gets its first answer."""
    reader = request.user
    number = await conn.fetchval(MEMBER_NUMBER, reader.district, reader.member)
    draft = Draft(id=data.id, member=number, name_public=data.name_public)
    actor = Actor("member", str(reader.member))
    return await volunteers.register(conn, ring, reader.district, draft, actor, clock())


MEMBER_NUMBER = "select number from member where district = $1 and id = $2"

WHO_SHOWS_NONE = {PUBLIC: True, REFUSES: (401, 403, 404)}


@get(
    "/volunteering/me/record",
    opt={PUBLIC: True, REFUSES: (401, 404, 409)},
    summary="What is kept on me as a volunteer",
    security=[{"token": []}],
)
async def my_record(
    request: Anybody,
    conn: NamedDependency[asyncpg.Connection],
    ring: NamedDependency[KeyRing],
    clock: NamedDependency[Clock],
) -> Response[OwnRecord]:
    """All that is kept on the volunteer who asks, as a file."""
    me = await passes.me(request, conn, clock())
    record = await own_records.of(conn, ring, me.district, me.volunteer)
    headers = {**NOT_KEPT, "Content-Disposition": f'attachment; filename="{record.number}.json"'}
    return Response(record, headers=headers)


@post(
    "/volunteering/me/changes",
    opt=WHO_SHOWS_NONE,
    dto=JsonBody[MyChange],
    return_dto=None,
    status_code=200,
    summary="Change what is kept on me as a volunteer",
    security=[{"token": []}],
)
async def change_mine(
    request: Anybody,
    data: JSONBody[MyChange],
    conn: NamedDependency[asyncpg.Connection],
    ring: NamedDependency[KeyRing],
    clock: NamedDependency[Clock],
) -> Registered:
    """Change one's own name, phone, skills or hours; what is left out stays, and a blank phone is forgotten."""
    now = clock()
    me = await passes.me(request, conn, now)
    asked = VolunteerChange(
        id=data.id,
        expected_version=data.expected_version,
        name=data.name,
        phone=data.phone,
        skills=data.skills,
        hours=data.hours,
    )
    return await volunteer_changes.change(
        conn, ring, me.district, me.volunteer, asked, me.actor(), now, new_skills=False
    )


@post(
    "/volunteering/me/consent",
    opt=WHO_SHOWS_NONE,
    dto=JsonBody[Consent],
    return_dto=None,
    status_code=200,
    summary="Let my name stand in public, or no longer",
    security=[{"token": []}],
)
async def consent_mine(
    request: Anybody,
    data: JSONBody[Consent],
    conn: NamedDependency[asyncpg.Connection],
    clock: NamedDependency[Clock],
) -> Registered:
    """Say whether one's own name may stand on the public board; without it the number does."""
    now = clock()
    me = await passes.me(request, conn, now)
    return await volunteer_changes.consent(conn, me.district, me.volunteer, data, me.actor(), now)


@post(
    "/volunteering/me/leavings",
    opt=WHO_SHOWS_NONE,
    dto=JsonBody[MyLeaving],
    return_dto=None,
    status_code=200,
    summary="Leave a volunteer team",
    security=[{"token": []}],
)
async def leave_team(
    request: Anybody,
    data: JSONBody[MyLeaving],
    conn: NamedDependency[asyncpg.Connection],
    clock: NamedDependency[Clock],
) -> Membership:
    """Leave a team oneself, from now on."""
    now = clock()
    me = await passes.me(request, conn, now)
    asked = Leaving(id=data.id, volunteer=me.volunteer)
    zone = await _zone(conn, me.district)
    return await team_members.leave(conn, me.district, data.team, asked, me.actor(), zone, now)


async def _zone(conn: Connection, district: int) -> ZoneInfo:
    found = await people.district(conn, district)
    if found is None:
        raise NotFound
    return found.zone


@post(
    "/volunteering/me/ending",
    opt=WHO_SHOWS_NONE,
    dto=JsonBody[Ending],
    return_dto=None,
    status_code=200,
    summary="End what is kept on me as a volunteer",
    security=[{"token": []}],
)
async def end_mine(
    request: Anybody,
    data: JSONBody[Ending],
    conn: NamedDependency[asyncpg.Connection],
    clock: NamedDependency[Clock],
    settings: NamedDependency[Settings],
) -> Response[Ended]:
    """Have one's own name and phone forgotten; what one did stays under the number."""
    me = await passes.me(request, conn, clock())
    done = await ended(conn, settings, me.district, me.volunteer, data, me.actor(), clock)
    cookies = [] if me.member else [passes.no_cookie(request)]
    return Response(done, headers=dict(NOT_KEPT), cookies=cookies)


# --- sections of the page


TEMPLATES = {
    "my_teams": "volunteering/my_teams.html",
    "my_offers": "volunteering/my_offers.html",
    "my_data": "volunteering/my_data.html",
}


async def load(conn: Connection, me: passes.Me, ring: KeyRing) -> Mapping[str, Any]:
    """What is kept on a volunteer, with the words that the three sections need."""
    record = await own_records.of(conn, ring, me.district, me.volunteer)
    known = await skills.of_district(conn, me.district)
    words = {"grid": grid(record.hours), "kinds": KINDS, "event_in_words": history_words.event_in_words}
    return {"record": record, "skills": known, **words}


ROUTES = [begin, my_record, change_mine, consent_mine, leave_team, end_mine]

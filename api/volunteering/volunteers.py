"""Volunteers over HTTP, for those who look after them: registered, changed, their phone shown, their link made."""

from typing import Annotated, Any
from uuid import UUID

import asyncpg
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from api import contacts, erasure_journal
from api.auth import Clock
from api.contacts import NO_STORE, RevealDraft
from api.documented_problems import REFUSES
from api.issues import refuse_unfit
from api.json_bodies import JsonBody
from api.qr_codes import svg_address
from api.settings import Settings
from api.volunteering import passes
from api.volunteering.teams import Limit, Weekday
from surveys.history import Actor
from surveys.people.people import District, Reader
from surveys.privacy.sealing import KeyRing
from surveys.refusals import Invalid, NotAllowed
from surveys.volunteering import (
    endings,
    skills,
    standing,
    team_members,
    volunteer_changes,
    volunteer_lists,
    volunteer_passes,
    volunteer_phones,
    volunteers,
)
from surveys.volunteering.endings import Ended, Ending
from surveys.volunteering.skills import Skill, SkillName
from surveys.volunteering.team_members import Joining
from surveys.volunteering.volunteer_changes import Consent, VolunteerChange
from surveys.volunteering.volunteer_lists import VolunteerFilters, VolunteerItem, VolunteerPage
from surveys.volunteering.volunteer_passes import PassDraft, PassRevocation, PassRevoked
from surveys.volunteering.volunteer_phones import Phone
from surveys.volunteering.volunteers import Draft, Registered


class NotSure(Invalid):
    """Somebody who ends what is kept on a volunteer has to say that they are sure."""

    code = "not_sure"


class VolunteerDraft(Draft, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Somebody who is to serve, in a team right away if one is named."""

    team: UUID | None = None


class SkillDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A skill for the district's list."""

    name: SkillName


class Skills(Struct, frozen=True):
    """What volunteers of the district can do, by name."""

    items: list[Skill]


class Link(Struct, frozen=True, kw_only=True):
    """A personal link, and its QR code as a picture's address; both can be read this once."""

    link: str
    qr_code: str


@get("/api/volunteering/skills", summary="What volunteers can do")
async def list_skills(conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]) -> Skills:
    """The skills of the district's list, with how many volunteers have each."""
    await standing.of_reader(conn, reader)
    return Skills(await skills.of_district(conn, reader.district))


@post(
    "/api/volunteering/skills",
    dto=JsonBody[SkillDraft],
    return_dto=None,
    status_code=200,
    summary="Add a skill to the district's list",
)
async def add_skill(
    data: JSONBody[SkillDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> Skills:
    """Let the district's list have a skill, by those who look after volunteers; one that it has stays as it is."""
    await _refuse_who_looks_after_nobody(conn, reader)
    await skills.ids(conn, reader.district, skills.tidy_names([data.name], "name"), clock())
    return Skills(await skills.of_district(conn, reader.district))


async def _refuse_who_looks_after_nobody(conn: asyncpg.Connection, reader: Reader) -> None:
    if not await volunteer_lists.looks_after_any(conn, await standing.of_reader(conn, reader)):
        raise NotAllowed


@get("/api/volunteering/volunteers", summary="List volunteers")
async def list_volunteers(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    ring: NamedDependency[KeyRing],
    clock: NamedDependency[Clock],
    community: FromQuery[str | None] = None,
    skill: FromQuery[UUID | None] = None,
    weekday: Weekday = None,
    text: Annotated[str | None, QueryParameter(description="A part of a name or number")] = None,
    limit: Limit = 50,
    cursor: FromQuery[str | None] = None,
    total: FromQuery[bool] = True,
) -> VolunteerPage:
    """The volunteers whom the reader looks after, by number: in a team of theirs, or in their community."""
    refuse_unfit(request, ("community", "skill", "weekday", "text", "limit", "cursor", "total", "lang"))
    filters = VolunteerFilters(community=community, skill=skill, weekday=weekday, text=text)
    return await volunteer_lists.page(
        conn, ring, reader, filters, district.zone, clock(), limit=limit, cursor=cursor, total=total
    )


@post(
    "/api/volunteering/volunteers",
    dto=JsonBody[VolunteerDraft],
    return_dto=None,
    status_code=201,
    summary="Register a volunteer",
    opt={REFUSES: (404,)},
)
async def register_volunteer(
    data: JSONBody[VolunteerDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    ring: NamedDependency[KeyRing],
    clock: NamedDependency[Clock],
) -> Registered:
    """Take somebody in, a member by their number or anybody else by a name, and into a team if one is named; the same
    draft again gets its first answer."""
    if data.team is None:
        await _refuse_who_looks_after_nobody(conn, reader)
    else:
        await standing.refuse_who_does_not_look_after(conn, reader, data.team)
    actor, now = Actor("member", str(reader.member)), clock()
    registered = await volunteers.register(conn, ring, reader.district, data, actor, now)
    if data.team is not None and registered.version == 1:
        joins = Joining(id=_joining_of(data.id), volunteer=data.id)
        await team_members.join(conn, reader.district, data.team, joins, actor, district.zone, now)
    return registered


def _joining_of(id_: UUID) -> UUID:
    """The id of the joining that comes with a registration, the same when it is asked for again."""
    return UUID(int=id_.int ^ 1)


@get("/api/volunteering/volunteers/{volunteer:uuid}", summary="A volunteer")
async def show_volunteer(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    ring: NamedDependency[KeyRing],
    volunteer: FromPath[UUID],
) -> VolunteerItem:
    """One volunteer whom the reader looks after, the phone masked."""
    return await volunteer_lists.one(conn, ring, reader, volunteer)


@post(
    "/api/volunteering/volunteers/{volunteer:uuid}/changes",
    dto=JsonBody[VolunteerChange],
    return_dto=None,
    status_code=200,
    summary="Change a volunteer",
)
async def change_volunteer(
    data: JSONBody[VolunteerChange],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    ring: NamedDependency[KeyRing],
    clock: NamedDependency[Clock],
    volunteer: FromPath[UUID],
) -> Registered:
    """Change name, phone, community, skills or hours; what is left out stays, a blank phone is forgotten."""
    await volunteer_lists.refuse_who_does_not_look_after(conn, reader, volunteer)
    actor = Actor("member", str(reader.member))
    return await volunteer_changes.change(conn, ring, reader.district, volunteer, data, actor, clock())


@post(
    "/api/volunteering/volunteers/{volunteer:uuid}/consent",
    dto=JsonBody[Consent],
    return_dto=None,
    status_code=200,
    summary="Write down a volunteer's consent to their name in public",
)
async def consent_of(
    data: JSONBody[Consent],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    volunteer: FromPath[UUID],
) -> Registered:
    """Write down what a volunteer said of their name on the public board; the history keeps who wrote it down."""
    await volunteer_lists.refuse_who_does_not_look_after(conn, reader, volunteer)
    actor = Actor("member", str(reader.member))
    return await volunteer_changes.consent(conn, reader.district, volunteer, data, actor, clock())


@post(
    "/api/volunteering/volunteers/{volunteer:uuid}/phone",
    dto=JsonBody[RevealDraft],
    return_dto=None,
    status_code=200,
    guards=[contacts.few],
    summary="Show a volunteer's phone",
)
async def show_phone(
    data: JSONBody[RevealDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    ring: NamedDependency[KeyRing],
    clock: NamedDependency[Clock],
    volunteer: FromPath[UUID],
) -> Response[Phone]:
    """A volunteer's phone in plain text, for a purpose; the history keeps who asked and what for, and the volunteer can
    read it."""
    await volunteer_lists.refuse_who_does_not_look_after(conn, reader, volunteer)
    shown = await volunteer_phones.reveal(conn, ring, reader, volunteer, data.purpose, clock())
    return Response(shown, headers=NO_STORE)


@post(
    "/api/volunteering/volunteers/{volunteer:uuid}/link",
    dto=JsonBody[PassDraft],
    return_dto=None,
    status_code=201,
    guards=[contacts.few],
    summary="Make a volunteer's personal link",
)
async def make_link(
    data: JSONBody[PassDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    settings: NamedDependency[Settings],
    volunteer: FromPath[UUID],
) -> Response[Link]:
    """Make the link that opens a volunteer's own page, for one who has no account; it stands in this answer and nowhere
    else, and the one before opens nothing any more."""
    await volunteer_lists.refuse_who_does_not_look_after(conn, reader, volunteer)
    passes.address(settings, 0, "")  # before anything is made
    made = await volunteer_passes.make(conn, reader, volunteer, data, clock())
    link = passes.address(settings, reader.district, made.token)
    return Response(Link(link=link, qr_code=svg_address(link)), status_code=201, headers=NO_STORE)


@post(
    "/api/volunteering/volunteers/{volunteer:uuid}/link/revocation",
    dto=JsonBody[PassRevocation],
    return_dto=None,
    status_code=200,
    summary="Revoke a volunteer's personal link",
)
async def revoke_link(
    data: JSONBody[PassRevocation],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    volunteer: FromPath[UUID],
) -> PassRevoked:
    """Let a link that is lost open nothing any more."""
    await volunteer_lists.refuse_who_does_not_look_after(conn, reader, volunteer)
    actor = Actor("member", str(reader.member))
    return await volunteer_passes.revoke(conn, reader.district, volunteer, data, actor, clock())


@post(
    "/api/volunteering/volunteers/{volunteer:uuid}/ending",
    dto=JsonBody[Ending],
    return_dto=None,
    status_code=200,
    summary="End what is kept on a volunteer",
)
async def end_volunteer(
    data: JSONBody[Ending],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    settings: NamedDependency[Settings],
    volunteer: FromPath[UUID],
) -> Response[Ended]:
    """Forget a volunteer's name and phone when they ask for it at the desk; what they did stays under their number."""
    await volunteer_lists.refuse_who_does_not_look_after(conn, reader, volunteer)
    actor = Actor("member", str(reader.member))
    return Response(await ended(conn, settings, reader.district, volunteer, data, actor, clock), headers=NO_STORE)


async def ended(
    conn: asyncpg.Connection,
    settings: Settings,
    district: int,
    volunteer: UUID,
    asked: Ending,
    actor: Actor,
    clock: Clock,
) -> Ended:
    """End what is kept on a volunteer, and write it into the journal before it is committed. Raises NotSure,
    JournalUnwritable and what `endings.end` raises."""
    if not asked.sure:
        raise NotSure("sure")
    now = clock()
    erasure = await endings.planned(conn, district, volunteer, now)
    done = await endings.end(conn, erasure, volunteer, asked, actor, now)
    erasure_journal.append(settings, erasure)
    return done


ROUTES = [
    list_skills,
    add_skill,
    list_volunteers,
    register_volunteer,
    show_volunteer,
    change_volunteer,
    consent_of,
    show_phone,
    make_link,
    revoke_link,
    end_volunteer,
]

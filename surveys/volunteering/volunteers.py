"""Volunteers: registered, changed, and called by their name only where they agreed to it.

A volunteer is a member, and then called as members are, or somebody else, of whom a name and a phone are kept. Each has
a number, which stands instead of the name in public and stays when name and phone are forgotten."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, ClassVar, TypeVar
from uuid import UUID, uuid5

import msgspec
from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.history import Actor, Row, event_row, request_digest, text_row
from surveys.privacy import contacts
from surveys.privacy.sealing import KeyRing
from surveys.refusals import (
    Conflict,
    Invalid,
    Missing,
    TextUnusable,
    UnknownCommunity,
    UnknownMember,
)
from surveys.volunteering import repeats, skills, volunteer_phones
from surveys.volunteering.skills import MOST_HOURS, MOST_SKILLS, Hours, SkillName, Span

LONGEST_NAME = 100  # characters

Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
PhoneText = Annotated[str, Meta(max_length=40)]
Skills = Annotated[tuple[SkillName, ...], Meta(max_length=MOST_SKILLS)]
Week = Annotated[tuple[Span, ...], Meta(max_length=MOST_HOURS)]
Code = Annotated[str, Meta(max_length=100)]


class VolunteerKnown(Conflict):
    """The member serves already, or somebody of this name and phone does; `facts` hold the number."""

    code: ClassVar[str] = "volunteer_known"


class VolunteerEnded(Conflict):
    """The volunteer ended what was kept on them; nothing is added to it."""

    code: ClassVar[str] = "volunteer_ended"


class UnknownVolunteer(Invalid):
    """No volunteer of the district, or one who has ended what was kept on them."""

    code: ClassVar[str] = "unknown_volunteer"


# --- what to call them

NAMED = """
select v.id, case when v.ended_at is not null or ($3 and v.name_public_since is null) then v.number
                  else coalesce(m.name, t.body->>'name', v.number) end as name
from volunteer v
left join member m on m.district = v.district and m.id = v.member
left join text_version t on t.district = v.district and t.subject = v.id and t.version = v.text_version
where v.district = $1 and v.id = any($2)
"""


async def named(conn: Connection, district: int, ids: Iterable[UUID], *, public: bool) -> dict[UUID, str]:
    """What to call these volunteers: their names, or in public their numbers where they did not agree to the name; who
    has ended it is their number everywhere."""
    return {row["id"]: row["name"] for row in await conn.fetch(NAMED, district, list(set(ids)), public)}


# --- registering


class Draft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Somebody who is to serve: a member by their number, or a name. `name_public` says that they agreed to their name
    on the public board."""

    id: UUID
    member: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    name: Name | None = None
    phone: PhoneText | None = None
    community: Code | None = None
    skills: Skills = ()
    hours: Week = ()
    name_public: bool = False


class NewVolunteer(Struct, frozen=True, kw_only=True):
    """A volunteer who has been looked at, and can be written."""

    id: UUID
    event: UUID
    member: UUID | None = None
    name: str | None = None
    phone: str | None = None
    community: str | None = None
    skills: Sequence[str] = ()
    hours: Sequence[Hours] = ()
    name_public: bool = False
    request: bytes | None = None


class Registered(Struct, frozen=True, kw_only=True):
    """A volunteer with their number, and the version at which they stand."""

    id: UUID
    number: str
    version: int


def tidy_name(text: str, field: str = "name") -> str:
    """A name without stray spaces. Raises TextUnusable."""
    name = " ".join(text.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise TextUnusable(field)
    return name


NUMBER_OF = "select number from volunteer where district = $1 and id = $2"


async def standing_as(conn: Connection, district: int, volunteer: UUID, version: int) -> Registered:
    """A volunteer as they stood after something that was asked before."""
    number = await conn.fetchval(NUMBER_OF, district, volunteer)
    return Registered(id=volunteer, number=number, version=version)


async def register(
    conn: Connection,
    ring: KeyRing,
    district: int,
    draft: Draft,
    actor: Actor,
    now: datetime,
    *,
    new_skills: bool = True,
) -> Registered:
    """Take somebody in; the same draft again gets its first answer. `new_skills` lets skills come onto the district's
    list that it did not have.

    Raises Missing, TextUnusable, PhoneUnusable, HoursUnusable, UnknownSkill, UnknownMember, UnknownCommunity,
    VolunteerKnown or IdTaken."""
    telling = veiled(ring, draft)
    if first := await repeats.asked_before(conn, district, draft.id, telling, actor, draft.id):
        return await standing_as(conn, district, draft.id, first["version"])
    new = await _looked_at(conn, district, draft, request_digest(telling))
    if not new_skills:
        await skills.known(conn, district, new.skills)
    [number] = await write(conn, ring, district, [new], actor, now)
    return Registered(id=new.id, number=number, version=1)


OPEN_MEMBER = "select id from member where district = $1 and number = $2 and closed_at is null"


OF_MEMBER = """
select m.id, v.id as volunteer from member m
left join volunteer v on v.district = m.district and v.member = m.id
where m.district = $1 and m.number = $2 and m.closed_at is null
"""


async def of_member(
    conn: Connection, ring: KeyRing, district: int, event_id: UUID, number: str, actor: Actor, now: datetime
) -> UUID:
    """The volunteer that a member is, taken in where they did not serve. Raises UnknownMember."""
    row = await conn.fetchrow(OF_MEMBER, district, number)
    if row is None:
        raise UnknownMember("member", given=number)
    if row["volunteer"] is not None:
        found: UUID = row["volunteer"]
        return found
    id_ = uuid5(event_id, number)
    await write(conn, ring, district, [NewVolunteer(id=id_, event=id_, member=row["id"])], actor, now)
    return id_


async def _looked_at(conn: Connection, district: int, draft: Draft, request: bytes) -> NewVolunteer:
    member = None
    if draft.member is not None:
        if draft.name is not None or draft.phone:
            raise TextUnusable("name" if draft.name is not None else "phone")
        member = await conn.fetchval(OPEN_MEMBER, district, draft.member)
        if member is None:
            raise UnknownMember("member", given=draft.member)
    elif draft.name is None:
        raise Missing("name")
    if draft.phone:
        contacts.check_phone(draft.phone, "phone")
    if draft.community:
        await refuse_unknown_community(conn, district, draft.community)
    return NewVolunteer(
        id=draft.id,
        event=draft.id,
        member=member,
        name=tidy_name(draft.name) if draft.name is not None else None,
        phone=draft.phone or None,
        community=draft.community or None,
        skills=skills.tidy_names(draft.skills),
        hours=skills.read(draft.hours),
        name_public=draft.name_public,
        request=request,
    )


COMMUNITY = "select exists (select from community where district = $1 and code = $2)"


async def refuse_unknown_community(conn: Connection, district: int, code: str) -> None:
    """Raises UnknownCommunity."""
    if not await conn.fetchval(COMMUNITY, district, code):
        raise UnknownCommunity("community", given=code)


Asked = TypeVar("Asked", bound=Struct)


def veiled(ring: KeyRing, asked: Asked) -> Asked:
    """What a digest is made of: a name or phone could be guessed from one that was made of itself."""
    told = {name: getattr(asked, name) for name in ("name", "phone")}
    return msgspec.structs.replace(
        asked, **{name: ring.veil(value).hex()[:40] for name, value in told.items() if value is not None}
    )


# The row of the series lets one after the other register, so that nobody is taken in twice at once.
RESERVE = """
insert into number_series as s (district, series, next) values ($1, 'volunteer', 1 + $2)
on conflict (district, series) do update set next = s.next + $2
returning next - $2
"""
INSERT = """
insert into volunteer (district, id, version, number, member, community, text_version, joined_at, name_public_since,
                       recorded_at)
select district, id, version, number, member, community, text_version, joined_at, name_public_since, recorded_at
from json_populate_recordset(null::volunteer, $1)
"""


async def write(
    conn: Connection, ring: KeyRing, district: int, new: Sequence[NewVolunteer], actor: Actor, now: datetime
) -> list[str]:
    """Write volunteers who have been looked at, all of them in a few statements; their numbers in the same order.
    Raises VolunteerKnown."""
    first: int = await conn.fetchval(RESERVE, district, len(new))
    numbers = [f"V{first + at:06}" for at in range(len(new))]
    await _refuse_known(conn, ring, district, new)
    rows: list[Row] = []
    events: list[Row] = []
    texts: list[Row] = []
    ids = await skills.ids(conn, district, (skill for one in new for skill in one.skills), now)
    for one, number in zip(new, numbers, strict=True):
        facts: dict[str, object] = {
            "number": number,
            "member": one.member,
            "community": one.community,
            "skills": [ids[skill] for skill in one.skills],
            "name_public": one.name_public,
        }
        if one.name is not None:
            text, facts["text_digest"] = text_row(district, one.id, 1, {"name": one.name}, now)
            facts["text_version"] = 1
            texts.append(text)
        rows.append(_row(district, one, number, now))
        events.append(event(district, one.event, one.id, 1, "register", actor, now, facts, one.request))
    await conn.execute(INSERT, rows)
    await skills.set_skills(conn, district, {one.id: [ids[name] for name in one.skills] for one in new if one.skills})
    await skills.set_hours(conn, district, {one.id: one.hours for one in new if one.hours})
    await volunteer_phones.keep(conn, ring, district, {one.id: one.phone for one in new if one.phone}, now)
    await history.append(conn, events, texts)
    return numbers


def _row(district: int, one: NewVolunteer, number: str, now: datetime) -> Row:
    return {
        "district": district,
        "id": one.id,
        "version": 1,
        "number": number,
        "member": one.member,
        "community": one.community,
        "text_version": None if one.name is None else 1,
        "joined_at": now,
        "name_public_since": now if one.name_public else None,
        "recorded_at": now,
    }


def event(
    district: int,
    id_: UUID,
    volunteer: UUID,
    version: int,
    what: str,
    actor: Actor,
    now: datetime,
    facts: Mapping[str, object],
    request: bytes | None = None,
) -> Row:
    """What happened to a volunteer, as a row of the history."""
    return event_row(
        district=district,
        id=id_,
        kind="volunteer",
        thing=volunteer,
        version=version,
        event=what,
        actor=actor,
        happened_at=now,
        recorded_at=now,
        facts={name: value for name, value in facts.items() if value not in (None, [], ())},
        request=request,
    )


# Those who serve already: by the member that they are, or by their phone and name.
KNOWN_MEMBERS = "select number from volunteer where district = $1 and member = any($2) order by number limit 1"
KNOWN_PHONES = """
select v.id, v.number, f.look_up, t.body->>'name' as name from sealed_field f
join volunteer v on v.district = f.district and v.id = f.subject and v.ended_at is null
join text_version t on t.district = v.district and t.subject = v.id and t.version = v.text_version
where f.district = $1 and f.field = 'volunteer_phone' and f.look_up = any($2)
"""


async def by_phone(
    conn: Connection, district: int, look_ups: Collection[bytes]
) -> dict[tuple[bytes, str], tuple[UUID, str]]:
    """Who serves already, by the look-up of their phone and their name: the id and the number."""
    rows = await conn.fetch(KNOWN_PHONES, district, list(look_ups))
    return {(row["look_up"], row["name"]): (row["id"], row["number"]) for row in rows}


async def _refuse_known(conn: Connection, ring: KeyRing, district: int, new: Sequence[NewVolunteer]) -> None:
    members = [one.member for one in new if one.member is not None]
    if number := await conn.fetchval(KNOWN_MEMBERS, district, members):
        raise VolunteerKnown("member", number=number)
    named_ = {ring.look_up(one.phone): one.name for one in new if one.phone and one.name is not None}
    for known, (_, number) in (await by_phone(conn, district, named_)).items():
        if named_.get(known[0]) == known[1]:
            raise VolunteerKnown("phone", number=number)

"""What is kept of a volunteer, changed by themselves or by who looks after them; and their consent to their name."""

from datetime import datetime
from uuid import UUID

from asyncpg import Connection, Record
from msgspec import Struct

from surveys import history
from surveys.history import Actor, Row, request_digest, text_row
from surveys.privacy import contacts
from surveys.privacy.sealing import KeyRing
from surveys.refusals import NotFound, NothingChanges, StaleVersion, TextUnusable
from surveys.volunteering import repeats, skills, volunteer_phones, volunteers
from surveys.volunteering.volunteers import Code, Name, PhoneText, Registered, Skills, VolunteerEnded, Week


class VolunteerChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What of a volunteer is to be otherwise: what is left out stays; a blank phone or community is taken away."""

    id: UUID
    expected_version: int
    name: Name | None = None
    phone: PhoneText | None = None
    community: Code | None = None
    skills: Skills | None = None
    hours: Week | None = None


class Consent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether a volunteer's name may stand on the public board."""

    id: UUID
    name_public: bool


LOCK = """
select id, number, version, member, community, text_version, name_public_since, ended_at
from volunteer where district = $1 and id = $2 for update
"""


async def locked(conn: Connection, district: int, volunteer: UUID) -> Record:
    """A volunteer whom nobody else changes until the transaction is over. Raises NotFound and VolunteerEnded."""
    row = await conn.fetchrow(LOCK, district, volunteer)
    if row is None:
        raise NotFound
    if row["ended_at"] is not None:
        raise VolunteerEnded(None, number=row["number"])
    return row


CHANGE = "update volunteer set version = $3, community = $4, text_version = $5 where district = $1 and id = $2"


async def change(
    conn: Connection,
    ring: KeyRing,
    district: int,
    volunteer: UUID,
    asked: VolunteerChange,
    actor: Actor,
    now: datetime,
    *,
    new_skills: bool = True,
) -> Registered:
    """Change what is kept of a volunteer; the same again gets its first answer. The name of before is forgotten.

    Raises NotFound, VolunteerEnded, StaleVersion, NothingChanges, IdTaken and what `register` raises for a value."""
    telling = volunteers.veiled(ring, asked)
    if first := await repeats.asked_before(conn, district, asked.id, telling, actor, volunteer):
        return await volunteers.standing_as(conn, district, volunteer, first["version"])
    row = await locked(conn, district, volunteer)
    if row["version"] != asked.expected_version:
        raise StaleVersion("expected_version", version=row["version"])
    if row["member"] is not None and (asked.name is not None or asked.phone):
        raise TextUnusable("name" if asked.name is not None else "phone")  # members are called as members are
    version = row["version"] + 1
    facts: dict[str, object] = {}
    texts: list[Row] = []
    if asked.name is not None:
        text, facts["text_digest"] = text_row(
            district, volunteer, version, {"name": volunteers.tidy_name(asked.name)}, now
        )
        facts["text_version"] = version
        texts.append(text)
    if asked.community:
        await volunteers.refuse_unknown_community(conn, district, asked.community)
    facts |= await _set(conn, ring, district, volunteer, asked, now, new_skills=new_skills)
    if not facts:
        raise NothingChanges
    community = row["community"] if asked.community is None else asked.community or None
    text_version = version if texts else row["text_version"]
    await conn.execute(CHANGE, district, volunteer, version, community, text_version)
    told = volunteers.event(
        district, asked.id, volunteer, version, "change", actor, now, facts, request_digest(telling)
    )
    await history.append(conn, [told], texts)
    return Registered(id=volunteer, number=row["number"], version=version)


async def _set(
    conn: Connection,
    ring: KeyRing,
    district: int,
    volunteer: UUID,
    asked: VolunteerChange,
    now: datetime,
    *,
    new_skills: bool,
) -> dict[str, object]:
    """Write what lies beside the row; what the history tells of it, never a number or an hour's text."""
    facts: dict[str, object] = {}
    if asked.phone is not None:
        if asked.phone.strip():
            contacts.check_phone(asked.phone, "phone")
        await volunteer_phones.keep(conn, ring, district, {volunteer: asked.phone}, now)
        facts["phone"] = "kept" if asked.phone.strip() else "forgotten"
    if asked.community is not None:
        facts["community"] = asked.community or "none"
    if asked.skills is not None:
        names = skills.tidy_names(asked.skills)
        find = skills.ids(conn, district, names, now) if new_skills else skills.known(conn, district, names)
        chosen = await find
        await skills.set_skills(conn, district, {volunteer: [chosen[name] for name in names]})
        facts["skills"] = [str(chosen[name]) for name in names] or "none"
    if asked.hours is not None:
        hours = skills.read(asked.hours)
        await skills.set_hours(conn, district, {volunteer: hours})
        facts["hours"] = [str(one) for one in hours] or "none"
    return facts


AGREE = "update volunteer set version = $3, name_public_since = $4 where district = $1 and id = $2"


async def consent(
    conn: Connection, district: int, volunteer: UUID, asked: Consent, actor: Actor, now: datetime
) -> Registered:
    """Let the name of a volunteer stand on the public board from now on, or no longer; the same request again gets its
    first answer. Raises NotFound, VolunteerEnded, NothingChanges or IdTaken."""
    if first := await repeats.asked_before(conn, district, asked.id, asked, actor, volunteer):
        return await volunteers.standing_as(conn, district, volunteer, first["version"])
    row = await locked(conn, district, volunteer)
    if asked.name_public == (row["name_public_since"] is not None):
        raise NothingChanges("name_public")
    version = row["version"] + 1
    await conn.execute(AGREE, district, volunteer, version, now if asked.name_public else None)
    what = "agree" if asked.name_public else "withdraw_agreement"
    told = volunteers.event(district, asked.id, volunteer, version, what, actor, now, {}, request_digest(asked))
    await history.append(conn, [told], [])
    return Registered(id=volunteer, number=row["number"], version=version)

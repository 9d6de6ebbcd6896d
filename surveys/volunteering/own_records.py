"""Everything that is kept on a volunteer, as they themselves see it: who they are, teams, what they offer, who had
their phone shown, and what was changed when."""

from datetime import datetime
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.people import people
from surveys.privacy.contacts import UNREADABLE_PHONE
from surveys.privacy.sealing import KeyRing, NotGenuine, UnknownKey
from surveys.refusals import NotFound
from surveys.volunteering import volunteer_phones
from surveys.volunteering.skills import clock


class OwnTeam(Struct, frozen=True, kw_only=True):
    """A team that the volunteer is or was in; `leads` where they lead it now."""

    id: UUID
    name: str
    kind: str
    joined_at: datetime
    left_at: datetime | None
    leads: bool


class Look(Struct, frozen=True, kw_only=True):
    """That somebody had the phone shown: who, when, and what for."""

    at: datetime
    by: str
    purpose: str | None


class Step(Struct, frozen=True, kw_only=True):
    """Something that happened to what is kept: the event's code, and when."""

    at: datetime
    event: str


class OwnRecord(Struct, frozen=True, kw_only=True):
    """All that is kept on a volunteer as a person; what they did and earned is told by other sections of their page."""

    number: str
    version: int
    name: str
    member: str | None
    phone: str | None
    community: str | None
    joined_at: datetime
    name_public_since: datetime | None
    skills: list[str]
    hours: list[str]
    teams: list[OwnTeam]
    link_made_at: datetime | None
    looks: list[Look]
    steps: list[Step]


RECORD = """
select v.number, v.version, coalesce(m.name, x.body->>'name', v.number) as name, m.number as member, v.joined_at,
  v.name_public_since, c.name as community,
  array(select k.name from volunteer_skill s join skill k on k.district = s.district and k.id = s.skill
         where s.district = $1 and s.volunteer = $2 order by k.name) as skills,
  array(select (h.weekday, h.starts, h.ends) from volunteer_hours h
         where h.district = $1 and h.volunteer = $2 order by h.weekday, h.starts) as hours,
  (select p.made_at from volunteer_pass p
    where p.district = $1 and p.volunteer = $2 and p.revoked_at is null) as link_made_at
from volunteer v
left join member m on m.district = v.district and m.id = v.member
left join community c on c.district = v.district and c.code = v.community
left join text_version x on x.district = v.district and x.subject = v.id and x.version = v.text_version
where v.district = $1 and v.id = $2
"""
TEAMS = """
select t.id, x.body->>'name' as name, t.kind, m.joined_at, m.left_at, coalesce(t.leader = $2, false) as leads
from team_volunteer m
join volunteer_team t on t.district = m.district and t.id = m.team
join text_version x on x.district = t.district and x.subject = t.id and x.version = t.text_version
where m.district = $1 and m.volunteer = $2 order by m.left_at is not null, m.joined_at desc, t.id
"""
LOOKS = """
select h.recorded_at, h.actor, t.body->>'reason' as purpose from history h
left join text_version t on t.district = h.district and t.subject = h.id and t.version = 1
where h.district = $1 and h.kind = 'reveal' and h.event = 'volunteer_shown' and h.facts->>'about' = $2::uuid::text
order by h.recorded_at desc, h.id
"""
STEPS = """
select recorded_at, event from history where district = $1 and thing = $2 and kind = 'volunteer' order by version
"""


async def of(conn: Connection, ring: KeyRing, district: int, volunteer: UUID) -> OwnRecord:
    """All that is kept on a volunteer, for themselves; a phone whose key is missing is stars. Raises NotFound."""
    row = await conn.fetchrow(RECORD, district, volunteer)
    if row is None:
        raise NotFound
    looks = await conn.fetch(LOOKS, district, volunteer)
    names = await people.names(conn, district, [UUID(look["actor"]) for look in looks])
    return OwnRecord(
        **{name: row[name] for name in ("number", "version", "name", "member", "community", "joined_at")},
        **{name: row[name] for name in ("name_public_since", "skills", "link_made_at")},
        phone=await _phone(conn, ring, district, volunteer),
        hours=[f"{weekday} {clock(starts)}-{clock(ends)}" for weekday, starts, ends in row["hours"]],
        teams=[OwnTeam(**dict(team)) for team in await conn.fetch(TEAMS, district, volunteer)],
        looks=[
            Look(at=look["recorded_at"], by=names.get(UUID(look["actor"]), ""), purpose=look["purpose"])
            for look in looks
        ],
        steps=[
            Step(at=step["recorded_at"], event=step["event"]) for step in await conn.fetch(STEPS, district, volunteer)
        ],
    )


async def _phone(conn: Connection, ring: KeyRing, district: int, volunteer: UUID) -> str | None:
    try:
        return await volunteer_phones.plain(conn, ring, district, volunteer)
    except (UnknownKey, NotGenuine):
        return UNREADABLE_PHONE

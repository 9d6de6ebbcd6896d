"""A volunteer ends what is kept on them: name and phone are forgotten, what they were in ends, and the number stays.

Other parts that keep something of volunteers hang a step of their own into STEPS."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.history import Actor, request_digest
from surveys.privacy import erasures
from surveys.privacy.erasures import Erasure
from surveys.volunteering import relatives, repeats, team_members, volunteer_changes, volunteers

# What is done for a volunteer who ends it, in the transaction in which they do: district, volunteer, who, when.
Step = Callable[[Connection, int, UUID, Actor, datetime], Awaitable[None]]
STEPS: tuple[Step, ...] = (relatives.end,)


class Ending(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a volunteer ends what is kept on them; `sure` is to be said, since nothing of it comes back."""

    id: UUID
    sure: bool


class Ended(Struct, frozen=True, kw_only=True):
    """A volunteer of whom the number is left."""

    id: UUID
    number: str
    ended_at: datetime


# Everything of a volunteer that has an end, and what they offered, which is nobody's any more.
END = """
with left_teams as (
  update team_volunteer set left_at = greatest(joined_at, $3), left_recorded_at = $3
  where district = $1 and volunteer = any($2) and left_at is null
), passes as (
  update volunteer_pass set revoked_at = $3 where district = $1 and volunteer = any($2) and revoked_at is null
), led as (
  update volunteer_team set leader = null, version = version + 1 where district = $1 and leader = any($2)
  returning id, version
), signed as (
  update service_volunteer s set state = 'left', left_at = greatest(s.signed_at, $3)
  where s.district = $1 and s.volunteer = any($2) and s.state = 'signed'
    and exists (select from service v where v.district = s.district and v.id = s.service and v.starts_at > $3)
), examples as (
  update model set state = 'taken_off', version = version + 1
  where district = $1 and volunteer = any($2) and state = 'approved'
), forgotten_skills as (
  delete from volunteer_skill where district = $1 and volunteer = any($2)
), forgotten_hours as (
  delete from volunteer_hours where district = $1 and volunteer = any($2)
), ended as (
  update volunteer set version = version + 1, member = null, community = null, name_public_since = null, ended_at = $3
  where district = $1 and id = any($2) and ended_at is null returning id
)
select l.id, l.version from led l
"""
# What has texts about a volunteer: what happened to them, why somebody looked at their phone, what stands in their
# statement, and them as an example.
TEXTS = """
select id from history where district = $1 and thing = $2
union all
select id from history where district = $1 and kind = 'reveal' and facts->>'about' = $2::uuid::text
union all
select id from time_transaction where district = $1 and volunteer = $2
union all
select id from model where district = $1 and volunteer = $2
"""


async def planned(conn: Connection, district: int, volunteer: UUID, now: datetime) -> Erasure:
    """What is to be forgotten when a volunteer ends it: their name, their phone, and every text about them."""
    told = await conn.fetch(TEXTS, district, volunteer)
    theirs = await relatives.texts_of(conn, district, volunteer)
    return erasures.planned(
        district, "volunteer", now, sealed=[volunteer], texts=[volunteer, *(row["id"] for row in told), *theirs]
    )


async def end(conn: Connection, erasure: Erasure, volunteer: UUID, asked: Ending, actor: Actor, now: datetime) -> Ended:
    """End what is kept on a volunteer, as it was planned; the same request again gets its first answer.

    Raises NotFound, VolunteerEnded or IdTaken."""
    district = erasure.district
    if first := await repeats.asked_before(conn, district, asked.id, asked, actor, volunteer):
        number = await conn.fetchval(volunteers.NUMBER_OF, district, volunteer)
        return Ended(id=volunteer, number=number, ended_at=first["recorded_at"])
    row = await volunteer_changes.locked(conn, district, volunteer)
    for step in STEPS:
        await step(conn, district, volunteer, actor, now)
    leaderless = await conn.fetch(END, district, [volunteer], now)
    version = row["version"] + 1
    told = volunteers.event(district, asked.id, volunteer, version, "end", actor, now, {}, request_digest(asked))
    ended = [team_members.leaderless(district, team["id"], team["version"], actor, now) for team in leaderless]
    await history.append(conn, [told, *ended], [])
    await erasures.carry_out(conn, erasure, actor)
    return Ended(id=volunteer, number=row["number"], ended_at=now)


FORGOTTEN = "select district, id from volunteer where district = $1 and id = any($2) and ended_at is null"


async def end_again(conn: Connection, entries: Sequence[Erasure], now: datetime) -> int:
    """End volunteers anew on a database that was put back to before they did; how many there were."""
    again = 0
    for entry in entries:
        found = [row["id"] for row in await conn.fetch(FORGOTTEN, entry.district, list(entry.sealed))]
        if found:
            await conn.fetch(END, entry.district, found, now)
            again += len(found)
    return again

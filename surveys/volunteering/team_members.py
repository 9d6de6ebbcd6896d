"""Who is in which team: joining and leaving, also on a day that is past, and who was in one then, as was known then."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import ClassVar
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.history import Actor, Row, event_row, request_digest
from surveys.refusals import Conflict, NotFound, TimeBeforeAll, TimeInFuture
from surveys.visits.visit_rules import FIRST_DAY
from surveys.volunteering import repeats, volunteer_changes


class TeamClosed(Conflict):
    """The team has been closed: nobody joins it, and it announces nothing any more."""

    code: ClassVar[str] = "team_closed"


class InTeamAlready(Conflict):
    """The volunteer is in the team at that time."""

    code: ClassVar[str] = "in_team_already"


class NotInTeam(Conflict):
    """The volunteer is not in the team at that time."""

    code: ClassVar[str] = "was_not_in_team"


class Joining(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a volunteer joins a team: from the beginning of a past day, or from now on."""

    id: UUID
    volunteer: UUID
    on: date | None = None


class Leaving(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a volunteer leaves a team: at the end of a past day, or now."""

    id: UUID
    volunteer: UUID
    on: date | None = None


class Membership(Struct, frozen=True, kw_only=True):
    """A volunteer in a team, from when to when."""

    team: UUID
    volunteer: UUID
    joined_at: datetime
    left_at: datetime | None = None


OPEN_TEAM = "select closed_at from volunteer_team where district = $1 and id = $2 for share"
IN_TEAM = """
select exists (select from team_volunteer
  where district = $1 and team = $2 and volunteer = $3 and (left_at is null or left_at > $4))
"""


async def join(
    conn: Connection, district: int, team: UUID, asked: Joining, actor: Actor, zone: ZoneInfo, now: datetime
) -> Membership:
    """Let a volunteer be in a team; the same request again gets its first answer.

    Raises NotFound, TeamClosed, VolunteerEnded, InTeamAlready, TimeInFuture, TimeBeforeAll or IdTaken."""
    at = _moment(asked.on, zone, now, end=False)
    if first := await repeats.asked_before(conn, district, asked.id, asked, actor):
        return Membership(team=team, volunteer=asked.volunteer, joined_at=_fact(first["facts"]["joined_at"]))
    await _refuse_closed(conn, district, team)
    await volunteer_changes.locked(conn, district, asked.volunteer)
    if await conn.fetchval(IN_TEAM, district, team, asked.volunteer, at):
        raise InTeamAlready("volunteer")
    one = Membership(team=team, volunteer=asked.volunteer, joined_at=at)
    await write(conn, district, [one], actor, now, [(asked.id, request_digest(asked))])
    return one


async def _refuse_closed(conn: Connection, district: int, team: UUID) -> None:
    row = await conn.fetchrow(OPEN_TEAM, district, team)
    if row is None:
        raise NotFound
    if row["closed_at"] is not None:
        raise TeamClosed


def _moment(on: date | None, zone: ZoneInfo, now: datetime, *, end: bool) -> datetime:
    """When something took effect: the beginning or the end of a past day, else now."""
    today = now.astimezone(zone).date()
    if on is None or on == today:
        return now
    if on > today:
        raise TimeInFuture("on")
    if on < FIRST_DAY.date():
        raise TimeBeforeAll("on")
    return datetime.combine(on + timedelta(days=1) if end else on, time(), zone)


def _fact(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


INSERT = """
insert into team_volunteer (district, team, volunteer, joined_at, recorded_at)
select $1, m.team, m.volunteer, m.joined_at, $5 from unnest($2::uuid[], $3::uuid[], $4::timestamptz[])
  m(team, volunteer, joined_at)
"""


async def write(
    conn: Connection,
    district: int,
    joined: Sequence[Membership],
    actor: Actor,
    now: datetime,
    requests: Sequence[tuple[UUID, bytes | None]] | None = None,
) -> None:
    """Write who has joined which team, all in one statement; none of them is in it yet."""
    if not joined:
        return
    await conn.execute(
        INSERT,
        district,
        [one.team for one in joined],
        [one.volunteer for one in joined],
        [one.joined_at for one in joined],
        now,
    )
    told = requests or [(uuid5(one.team, f"join {one.volunteer} {one.joined_at.timestamp()}"), None) for one in joined]
    events = [
        _event(district, id_, "join", one, one.joined_at, actor, now, digest)
        for one, (id_, digest) in zip(joined, told, strict=True)
    ]
    await history.append(conn, events, [])


LEAVE = """
update team_volunteer set left_at = $4, left_recorded_at = $5
where district = $1 and team = $2 and volunteer = $3 and left_at is null and joined_at <= $4 returning joined_at
"""


async def leave(
    conn: Connection, district: int, team: UUID, asked: Leaving, actor: Actor, zone: ZoneInfo, now: datetime
) -> Membership:
    """Let a volunteer be in a team no longer; a team whose leader leaves has none. The same again is answered alike.

    Raises NotFound, VolunteerEnded, NotInTeam, TimeInFuture, TimeBeforeAll or IdTaken."""
    at = _moment(asked.on, zone, now, end=True)
    if first := await repeats.asked_before(conn, district, asked.id, asked, actor):
        when = {name: _fact(first["facts"][name]) for name in ("joined_at", "left_at")}
        return Membership(team=team, volunteer=asked.volunteer, **when)
    await volunteer_changes.locked(conn, district, asked.volunteer)
    joined_at = await conn.fetchval(LEAVE, district, team, asked.volunteer, at, now)
    if joined_at is None:
        raise NotInTeam("volunteer")
    one = Membership(team=team, volunteer=asked.volunteer, joined_at=joined_at, left_at=at)
    events = [_event(district, asked.id, "leave", one, at, actor, now, request_digest(asked))]
    version = await conn.fetchval(LED, district, team, asked.volunteer)
    if version is not None:
        events.append(leaderless(district, team, version, actor, now))
    await history.append(conn, events, [])
    return one


LED = """
update volunteer_team set leader = null, version = version + 1 where district = $1 and id = $2 and leader = $3
returning version
"""


def leaderless(district: int, team: UUID, version: int, actor: Actor, now: datetime) -> Row:
    """That a team has no leader any more, as a row of the history."""
    return event_row(
        district=district,
        id=uuid5(team, f"leaderless {version}"),
        kind="team",
        thing=team,
        version=version,
        event="change",
        actor=actor,
        happened_at=now,
        recorded_at=now,
        facts={"leader": "none"},
    )


def _event(
    district: int,
    id_: UUID,
    what: str,
    one: Membership,
    at: datetime,
    actor: Actor,
    now: datetime,
    request: bytes | None,
) -> Row:
    """An event that stands for itself, and is about the team."""
    facts = {"about": str(one.team), "volunteer": str(one.volunteer), "joined_at": one.joined_at}
    return event_row(
        district=district,
        id=id_,
        kind="team",
        thing=id_,
        version=1,
        event=what,
        actor=actor,
        happened_at=at,
        recorded_at=now,
        facts=facts | ({"left_at": one.left_at} if one.left_at else {}),
        request=request,
    )


# Who was in a team at $3, as was known at $4.
AT = """
select volunteer, joined_at, left_at from team_volunteer
where district = $1 and team = $2 and joined_at <= $3 and recorded_at <= $4
  and (left_at is null or left_at > $3 or left_recorded_at > $4)
order by joined_at, volunteer
"""


async def at(conn: Connection, district: int, team: UUID, when: datetime, known_at: datetime) -> list[UUID]:
    """The volunteers who were in a team at a moment, as was known at another; who joined first comes first."""
    return [row["volunteer"] for row in await conn.fetch(AT, district, team, when, known_at)]

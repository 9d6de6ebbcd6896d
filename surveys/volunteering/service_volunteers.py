"""Who serves at a service: named by its team, or by putting their own name down, until it is reported."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar
from uuid import UUID, uuid5

from asyncpg import Connection

from surveys import history
from surveys.history import Actor, occurrence
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.refusals import Conflict, NotAllowed
from surveys.volunteering import service_rows, standing
from surveys.volunteering.service_rows import ServiceRow
from surveys.volunteering.volunteers import UnknownVolunteer


class NotInTeam(NotAllowed):
    """Only who is in the team puts their own name down; its leader names others too."""

    code: ClassVar[str] = "not_in_team"


class ServiceOver(Conflict):
    """It was cancelled, has been reported, or is over; `facts` hold its state."""

    code: ClassVar[str] = "service_over"


def served_id(service: UUID, volunteer: UUID) -> UUID:
    """What a volunteer's serving at a service is called, the same each time: the time bank knows it by this."""
    return uuid5(service, f"served by {volunteer}")


OPEN = "select id from volunteer where district = $1 and id = any($2) and ended_at is null"
SIGN = """
insert into service_volunteer (district, service, volunteer, id, state, signed_at, recorded_at)
select $1, $2, volunteer, id, 'signed', $5, $5 from unnest($3::uuid[], $4::uuid[]) as n(volunteer, id)
on conflict (district, service, volunteer) do update
set state = 'signed', signed_at = excluded.signed_at, left_at = null, recorded_at = excluded.recorded_at
where service_volunteer.state = 'left'
returning volunteer
"""


async def sign_up(
    conn: Connection, row: ServiceRow, volunteers: Sequence[UUID], actor: Actor, now: datetime, *, field: str
) -> list[UUID]:
    """Let these serve at a locked service; who does already stays as they are. Returns who is new. Raises
    UnknownVolunteer."""
    wanted = list(dict.fromkeys(volunteers))
    if not wanted:
        return []
    known = {found["id"] for found in await conn.fetch(OPEN, row.district, wanted)}
    for at, one in enumerate(volunteers):
        if one not in known:
            raise UnknownVolunteer(f"{field}[{at}]", given=str(one))
    ids = [served_id(row.id, one) for one in wanted]
    signed = [found["volunteer"] for found in await conn.fetch(SIGN, row.district, row.id, wanted, ids, now)]
    await history.append(conn, [_event(row, one, "sign_up", actor, now) for one in signed], [])
    return signed


LEAVE = """
update service_volunteer set state = 'left', left_at = $4, recorded_at = $4
where district = $1 and service = $2 and volunteer = any($3) and state = 'signed' returning volunteer
"""


async def leave(conn: Connection, row: ServiceRow, volunteers: Sequence[UUID], actor: Actor, now: datetime) -> None:
    """Let these not serve at a locked service after all."""
    left = [found["volunteer"] for found in await conn.fetch(LEAVE, row.district, row.id, list(volunteers), now)]
    await history.append(conn, [_event(row, one, "step_back", actor, now) for one in left], [])


def _event(row: ServiceRow, volunteer: UUID, event: str, actor: Actor, now: datetime) -> history.Row:
    return occurrence(
        district=row.district,
        kind="service",
        event=event,
        actor=actor,
        now=now,
        about=row.id,
        facts={"volunteer": str(volunteer)},
        id=uuid5(row.id, f"{event} {volunteer} {now.timestamp()}"),
    )


# --- by the volunteers themselves, and by who looks after the team

IN_TEAM = """
select exists (select from team_volunteer where district = $1 and team = $2 and volunteer = $3 and left_at is null)
"""


async def sign_up_self(
    conn: Connection, district: int, service: UUID, volunteer: UUID, actor: Actor, now: datetime
) -> None:
    """Put a volunteer's own name down. Raises NotFound, NotInTeam, ServiceOver or UnknownVolunteer."""
    row = await _not_over(conn, district, service, now)
    if not await conn.fetchval(IN_TEAM, district, row.team, volunteer):
        raise NotInTeam
    await sign_up(conn, row, [volunteer], actor, now, field="volunteers")


async def leave_self(
    conn: Connection, district: int, service: UUID, volunteer: UUID, actor: Actor, now: datetime
) -> None:
    """Take a volunteer's own name off again. Raises NotFound or ServiceOver."""
    row = await _not_over(conn, district, service, now)
    await leave(conn, row, [volunteer], actor, now)


async def name(
    conn: Connection, reader: Reader, service: UUID, joining: Sequence[UUID], leaving: Sequence[UUID], now: datetime
) -> None:
    """Let who looks after the team say who serves. Raises NotFound, NotAllowed, ServiceOver or UnknownVolunteer."""
    scopes.refuse_who_reads_nothing(reader)
    row = await _not_reported(conn, reader.district, service)
    await standing.refuse_who_does_not_look_after(conn, reader, row.team)
    actor = Actor("member", str(reader.member))
    await sign_up(conn, row, joining, actor, now, field="joining")
    await leave(conn, row, leaving, actor, now)


async def _not_reported(conn: Connection, district: int, service: UUID) -> ServiceRow:
    row = await service_rows.lock(conn, district, service)
    if row.state != "announced":
        raise ServiceOver(None, state=row.state)
    return row


async def _not_over(conn: Connection, district: int, service: UUID, now: datetime) -> ServiceRow:
    row = await _not_reported(conn, district, service)
    if row.ends_at <= now:
        raise ServiceOver(None, state=row.state)
    return row

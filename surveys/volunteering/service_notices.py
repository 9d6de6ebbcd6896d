"""Telling members of services: the day before to who serves, leads the team or booked for a door, and to the same and
who waits when one is moved to another time or cancelled.

Volunteers who are no members, and residents, read it on pages of their own."""

from datetime import datetime, timedelta
from uuid import UUID

from asyncpg import Connection, Record

from surveys import history
from surveys.history import Actor, occurrence
from surveys.issues.issues import event_id
from surveys.notices import notices
from surveys.notices.notices import NoticeKind, Telling
from surveys.return_visits.return_visits import AT_ONCE
from surveys.volunteering.service_rows import ServiceRow

BEFORE = timedelta(hours=24)  # a service begins
URGENT = timedelta(hours=12)  # what changes so short before a service does not wait for the morning
REMINDING = Actor("job", "remind")

# Members who serve at these services, lead their teams, or booked for a door, in these states.
CONCERNED = """
select distinct w.service, w.member from (
  select s.service, v.member from service_volunteer s
  join volunteer v on v.district = s.district and v.id = s.volunteer
  where s.district = $1 and s.service = any($2) and s.state = 'signed'
  union all
  select s.id, v.member from service s
  join volunteer_team t on t.district = s.district and t.id = s.team
  join volunteer v on v.district = t.district and v.id = t.leader
  where s.district = $1 and s.id = any($2)
  union all
  select b.service, b.member from booking b
  where b.district = $1 and b.service = any($2) and b.via = 'member' and b.state = any($3)
) w join member m on m.district = $1 and m.id = w.member and m.closed_at is null
"""
DUE = """
select id, version from service
where district = $1 and state = 'announced' and reminded_at is null and starts_at > $2 and starts_at <= $3
order by starts_at, id limit $4 for no key update skip locked
"""
REMINDED = "update service set reminded_at = $3 where district = $1 and id = any($2)"


async def remind_due(conn: Connection, district: int, now: datetime) -> int:
    """Remind of the services that begin within a day, each once, or anew after it was moved, a bounded part of them;
    returns how many that was."""
    due = await conn.fetch(DUE, district, now, now + BEFORE, AT_ONCE)
    if not due:
        return 0
    # Who is reminded anew, of a version with another time, is told by another notice.
    causes = {row["id"]: event_id(row["id"], f"remind {row['version']}") for row in due}
    await conn.execute(REMINDED, district, list(causes), now)
    concerned = await conn.fetch(CONCERNED, district, list(causes), ["booked"])
    tellings = [_telling("service_soon", row, causes[row["service"]], now) for row in concerned]
    await notices.tell(conn, district, tellings, now)
    await history.append(conn, [_event(district, service, cause, now) for service, cause in causes.items()], [])
    return len(due)


def _telling(kind: NoticeKind, row: Record, cause: UUID, now: datetime, urgent: bool = False) -> Telling:
    return Telling(member=row["member"], kind=kind, service=row["service"], cause=cause, happened_at=now, urgent=urgent)


def _event(district: int, service: UUID, id_: UUID, now: datetime) -> history.Row:
    return occurrence(
        district=district, id=id_, kind="service", event="remind", actor=REMINDING, now=now, about=service
    )


async def tell_changed(
    conn: Connection, before: ServiceRow, after: ServiceRow, change: UUID, by: UUID, now: datetime
) -> None:
    """Tell that a locked service was just cancelled, or has another time, all but who did it; why is said on its
    page."""
    moved = (after.starts_at, after.ends_at) != (before.starts_at, before.ends_at)
    if after.state != "cancelled" and not moved:
        return
    kind: NoticeKind = "service_cancelled" if after.state == "cancelled" else "service_moved"
    urgent = min(before.starts_at, after.starts_at) <= now + URGENT
    concerned = await conn.fetch(CONCERNED, after.district, [after.id], ["booked", "waiting"])
    tellings = [_telling(kind, row, change, now, urgent) for row in concerned if row["member"] != by]
    await notices.tell(conn, after.district, tellings, now)

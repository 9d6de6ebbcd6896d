"""What came of a service: who came, who served from when to when, what was done, how many were helped; confirmed by who
looks after its team.

A report can be written anew until it is confirmed. Confirming it books the volunteers' time, and asks who came whether
it was what they needed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Meta, Struct

from surveys.history import Actor, request_digest
from surveys.issues.issues import Photo
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.refusals import Conflict, Invalid, StaleVersion, TextUnusable, TimesReversed
from surveys.volunteering import bookings, service_return_visits, service_rows, service_volunteers, standing, time_bank
from surveys.volunteering.service_rows import ServiceChange, ServiceRow
from surveys.volunteering.services import Moment, ServiceNow, now_of
from surveys.volunteering.time_bank import Served
from surveys.volunteering.volunteers import UnknownVolunteer

MOST_HELPED = 100_000
MOST_SERVED = 200
MOST_PHOTOS = 20
BEFORE = timedelta(hours=24)  # from when on who comes can be ticked
AROUND = timedelta(hours=24)  # that somebody may have come before a service began, or stayed after it was over


class NotHeldYet(Conflict):
    """It has not begun; there is nothing to report."""

    code: ClassVar[str] = "service_not_held_yet"


class NotToReport(Conflict):
    """It was cancelled, or its report has been confirmed; `facts` hold its state."""

    code: ClassVar[str] = "service_not_to_report"


class NotReported(Conflict):
    """There is no report that could be confirmed; `facts` hold its state."""

    code: ClassVar[str] = "service_not_reported"


class UnknownBooking(Invalid):
    """No booking of this service, or one that was cancelled."""

    code: ClassVar[str] = "unknown_booking"


class ServedElsewhen(Invalid):
    """A time that lies more than a day from the service, or in the future."""

    code: ClassVar[str] = "served_elsewhen"


class VolunteerServed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That somebody served, from when to when."""

    volunteer: UUID
    served_from: Moment
    served_to: Moment


class Attendance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which bookings came, and which did not."""

    came: Annotated[tuple[UUID, ...], Meta(max_length=10_000)] = ()
    missed: Annotated[tuple[UUID, ...], Meta(max_length=10_000)] = ()


class Report(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A service as it was held. Who had a place and is not ticked did not come; who put their name down and is not
    among those who served did not serve. A photo that was promised before stays."""

    id: UUID
    expected_version: int
    done: Annotated[str, Meta(min_length=1, max_length=5_000)]
    helped: Annotated[int, Meta(ge=0, le=MOST_HELPED)]
    came: Annotated[tuple[UUID, ...], Meta(max_length=10_000)] | None = None  # None: as they were ticked
    served: Annotated[tuple[VolunteerServed, ...], Meta(max_length=MOST_SERVED)]
    photos: Annotated[tuple[Photo, ...], Meta(max_length=MOST_PHOTOS)] = ()


class Confirmation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a report is right."""

    id: UUID
    expected_version: int


# --- who came


async def attend(conn: Connection, reader: Reader, service: UUID, told: Attendance, now: datetime) -> ServiceNow:
    """Tick who comes, from the day before a service begins until its report is confirmed. Raises NotFound, NotAllowed,
    NotHeldYet, NotToReport or UnknownBooking."""
    row = await _reporting(conn, reader, service, now + BEFORE)
    await _refuse_unknown(conn, row, told.came, "came")
    await _refuse_unknown(conn, row, told.missed, "missed")
    actor = Actor("member", str(reader.member))
    await bookings.tick(conn, row, told.came, "came", actor, now)
    await bookings.tick(conn, row, told.missed, "missed", actor, now)
    return now_of(row)


SERVES = """
select exists (select from service_volunteer s join volunteer v on v.district = s.district and v.id = s.volunteer
  where s.district = $1 and s.service = $2 and v.member = $3 and s.state <> 'left')
"""


async def _reporting(conn: Connection, reader: Reader, service: UUID, at: datetime) -> ServiceRow:
    """A service that this reader reports, locked: they look after its team, or serve there. Raises NotFound,
    NotAllowed, NotHeldYet or NotToReport."""
    scopes.refuse_who_reads_nothing(reader)
    row = await service_rows.lock(conn, reader.district, service)
    if not await conn.fetchval(SERVES, row.district, row.id, reader.member):
        await standing.refuse_who_does_not_look_after(conn, reader, row.team)
    if row.state not in ("announced", "reported"):
        raise NotToReport(None, state=row.state)
    if row.starts_at > at:
        raise NotHeldYet(None, starts_at=row.starts_at)
    return row


KNOWN = """
select id from booking where district = $1 and service = $2 and id = any($3) and state <> 'cancelled'
"""


async def _refuse_unknown(conn: Connection, row: ServiceRow, ids: Sequence[UUID], field: str) -> None:
    known = {found["id"] for found in await conn.fetch(KNOWN, row.district, row.id, list(ids))}
    for at, one in enumerate(ids):
        if one not in known:
            raise UnknownBooking(f"{field}[{at}]", given=str(one))


# --- what was done


async def report(conn: Connection, reader: Reader, service: UUID, draft: Report, now: datetime) -> ServiceNow:
    """Write down how a service went, or write it anew; the same draft again gets its first answer. Raises NotFound,
    NotAllowed, IdTaken, StaleVersion, NotHeldYet, NotToReport, or Invalid with the field."""
    scopes.refuse_who_reads_nothing(reader)
    row = await service_rows.lock(conn, reader.district, service)
    actor, request = Actor("member", str(reader.member)), request_digest(draft)
    if await service_rows.told_before(conn, row.district, draft.id, row.id, actor, request):
        return now_of(row)
    row = await _reporting(conn, reader, service, now)
    if draft.expected_version != row.version:
        raise StaleVersion("expected_version", version=row.version, state=row.state)
    if not draft.done.strip():
        raise TextUnusable("done")
    await _refuse_unfit(conn, row, draft, now)
    if draft.came is not None:
        await _refuse_unknown(conn, row, draft.came, "came")
        await bookings.tick(conn, row, draft.came, "came", actor, now)
    await bookings.tick_others_as_missed(conn, row, draft.came, actor, now)
    await _write_served(conn, row, draft.served, now)
    await _promise(conn, row, draft.photos)
    texts = await service_rows.texts_of(conn, row)
    change = ServiceChange(
        id=draft.id,
        before=row,
        after=msgspec.structs.replace(
            row, state="reported", helped=draft.helped, reported_by=reader.member, reported_at=now
        ),
        event="report",
        actor=actor,
        facts={"served": [msgspec.to_builtins(one) for one in draft.served]},
        texts=texts | {"done": draft.done},
        request=request,
    )
    return now_of(await service_rows.write(conn, change, now))


OPEN = "select id from volunteer where district = $1 and id = any($2) and joined_at <= $3"


async def _refuse_unfit(conn: Connection, row: ServiceRow, draft: Report, now: datetime) -> None:
    """Raises Invalid for who is no volunteer, or a time that cannot have been served at this service."""
    wanted = [one.volunteer for one in draft.served]
    known = {found["id"] for found in await conn.fetch(OPEN, row.district, wanted, now)}
    for at, one in enumerate(draft.served):
        field = f"served[{at}]"
        if one.volunteer not in known or wanted.index(one.volunteer) != at:
            raise UnknownVolunteer(f"{field}.volunteer", given=str(one.volunteer))
        if one.served_to <= one.served_from:
            raise TimesReversed(f"{field}.served_to")
        if one.served_from < row.starts_at - AROUND or one.served_to > min(row.ends_at + AROUND, now):
            raise ServedElsewhen(f"{field}.served_to")


SERVED = """
insert into service_volunteer (district, service, volunteer, id, state, signed_at, served_from, served_to, recorded_at)
select $1, $2, volunteer, id, 'served', $7, served_from, served_to, $7
from unnest($3::uuid[], $4::uuid[], $5::timestamptz[], $6::timestamptz[]) as n(volunteer, id, served_from, served_to)
on conflict (district, service, volunteer) do update
set state = 'served', left_at = null, served_from = excluded.served_from, served_to = excluded.served_to,
    recorded_at = excluded.recorded_at
"""
NOT_SERVED = """
update service_volunteer set state = 'missed', served_from = null, served_to = null, recorded_at = $4
where district = $1 and service = $2 and volunteer <> all($3) and state in ('signed', 'served')
"""


async def _write_served(conn: Connection, row: ServiceRow, served: Sequence[VolunteerServed], now: datetime) -> None:
    who = [one.volunteer for one in served]
    ids = [service_volunteers.served_id(row.id, one) for one in who]
    times = ([one.served_from for one in served], [one.served_to for one in served])
    await conn.execute(SERVED, row.district, row.id, who, ids, *times, now)
    await conn.execute(NOT_SERVED, row.district, row.id, who, now)


PROMISE = """
insert into service_photo (district, service, sha256, bytes)
select $1, $2, decode(sha256, 'hex'), bytes from unnest($3::text[], $4::bigint[]) as n(sha256, bytes)
on conflict do nothing
"""


async def _promise(conn: Connection, row: ServiceRow, photos: Sequence[Photo]) -> None:
    if photos:
        sizes = [photo.bytes for photo in photos]
        await conn.execute(PROMISE, row.district, row.id, [photo.sha256 for photo in photos], sizes)


# --- confirmed

SERVED_BY = """
select id, volunteer, served_from as starts_at, served_to as ends_at from service_volunteer
where district = $1 and service = $2 and state = 'served' order by served_from, volunteer
"""


async def confirm(conn: Connection, reader: Reader, service: UUID, draft: Confirmation, now: datetime) -> ServiceNow:
    """Say that a report is right: the time of who served is earned, and who came is asked how it was. The same again
    gets its first answer. Raises NotFound, NotAllowed, IdTaken, StaleVersion or NotReported."""
    scopes.refuse_who_reads_nothing(reader)
    row = await service_rows.lock(conn, reader.district, service)
    await standing.refuse_who_does_not_look_after(conn, reader, row.team)
    actor, request = Actor("member", str(reader.member)), request_digest(draft)
    if await service_rows.told_before(conn, row.district, draft.id, row.id, actor, request):
        return now_of(row)
    if draft.expected_version != row.version:
        raise StaleVersion("expected_version", version=row.version, state=row.state)
    if row.state != "reported":
        raise NotReported(None, state=row.state)
    after = msgspec.structs.replace(row, state="confirmed", confirmed_by=reader.member, confirmed_at=now)
    change = ServiceChange(id=draft.id, before=row, after=after, event="confirm", actor=actor, request=request)
    row = await service_rows.write(conn, change, now)
    served = [Served(service=row.id, **found) for found in await conn.fetch(SERVED_BY, row.district, row.id)]
    await time_bank.earn(conn, row.district, served, actor, now)
    await service_return_visits.invite(conn, row, now)
    return now_of(row)

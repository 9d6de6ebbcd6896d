"""Services: what a team announces, changes and cancels, and which are to come.

A service is announced by who looks after its team, with its place, its time and how many can come. It can be changed
and cancelled until it begins; who has a place keeps it. [services.md](services.md) tells the rules."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Meta, Struct

from surveys.history import Actor, request_digest
from surveys.issues import placing
from surveys.issues.placing import Atlas, Position, ToPlace
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.refusals import (
    Conflict,
    Invalid,
    Missing,
    NothingChanges,
    StaleVersion,
    TextUnusable,
    TimeInPast,
    TimesReversed,
    UnknownCommunity,
)
from surveys.volunteering import bookings, service_notices, service_rows, service_volunteers, standing
from surveys.volunteering.service_rows import ServiceChange, ServiceKind, ServiceRow, ServiceState
from surveys.volunteering.team_members import TeamClosed

LONGEST = timedelta(hours=24)
AHEAD = timedelta(days=366)  # nothing is announced for later than that
WAITING_PLACES = 1_000  # who may wait, unless the team says otherwise
MOST_VOLUNTEERS = 200

Title = Annotated[str, Meta(min_length=1, max_length=100)]
About = Annotated[str, Meta(min_length=1, max_length=2_000)]
Bring = Annotated[str, Meta(max_length=500)]
Place = Annotated[str, Meta(min_length=1, max_length=200)]
Community = Annotated[str, Meta(min_length=1, max_length=20)]
Moment = Annotated[datetime, Meta(tz=True)]
Places = Annotated[int, Meta(ge=1, le=10_000)]
WaitingPlaces = Annotated[int, Meta(ge=0, le=10_000)]
Reason = Annotated[str, Meta(min_length=1, max_length=500)]


class ServiceTooLong(Invalid):
    """Longer than a day; what lasts several is announced for each."""

    code: ClassVar[str] = "service_too_long"


class ServiceTooFar(Invalid):
    """More than a year ahead."""

    code: ClassVar[str] = "service_too_far"


class ServiceNotOpen(Conflict):
    """It has begun, was cancelled, or has been reported; `facts` hold its state."""

    code: ClassVar[str] = "service_not_open"


class PlacesTaken(Conflict):
    """More persons have a place than there would be places; `facts` say how many."""

    code: ClassVar[str] = "places_taken"


class Announcement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A service as a team announces it; its kind is the team's unless another is named."""

    id: UUID
    team: UUID
    kind: ServiceKind | None = None
    title: Title
    about: About
    bring: Bring = ""
    place: Place
    position: Position | None = None
    community: Community | None = None
    starts_at: Moment
    ends_at: Moment
    places: Places
    waiting_places: WaitingPlaces = WAITING_PLACES
    volunteers: Annotated[tuple[UUID, ...], Meta(max_length=MOST_VOLUNTEERS)] = ()


class Alteration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is to be otherwise about a service; what is left out stays."""

    id: UUID
    expected_version: int
    title: Title | None = None
    about: About | None = None
    bring: Bring | None = None
    place: Place | None = None
    position: Position | None = None
    community: Community | None = None
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    places: Places | None = None
    waiting_places: WaitingPlaces | None = None


class Cancellation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a service does not take place, and why, for all who wanted to come."""

    id: UUID
    expected_version: int
    reason: Reason


class ServiceNow(Struct, frozen=True, kw_only=True):
    """Where a service stands after something was done with it."""

    id: UUID
    version: int
    state: ServiceState
    starts_at: datetime
    ends_at: datetime
    places: int
    booked: int
    waiting: int
    community: str | None


def now_of(row: ServiceRow) -> ServiceNow:
    """Where a service stands, as it is answered."""
    return ServiceNow(**{name: getattr(row, name) for name in ServiceNow.__struct_fields__})


# --- announcing

TEAM = "select kind, closed_at from volunteer_team where district = $1 and id = $2"


async def announce(conn: Connection, atlas: Atlas, reader: Reader, draft: Announcement, now: datetime) -> ServiceNow:
    """Announce a service; the same draft again gets its first answer. Raises NotFound or NotAllowed for the team,
    IdTaken, TeamClosed, or Invalid with the field."""
    await standing.refuse_who_does_not_look_after(conn, reader, draft.team)
    actor, request = Actor("member", str(reader.member)), request_digest(draft)
    if await service_rows.told_before(conn, reader.district, draft.id, draft.id, actor, request):
        return now_of(await service_rows.lock(conn, reader.district, draft.id))
    (team,) = await conn.fetch(TEAM, reader.district, draft.team)
    if team["closed_at"] is not None:
        raise TeamClosed("team")
    texts = {"title": draft.title, "about": draft.about, "bring": draft.bring, "place": draft.place}
    _refuse_blank(texts)
    _refuse_unfit_times(draft.starts_at, draft.ends_at, now)
    place = await _place(conn, atlas, reader.district, draft.position, draft.community, draft.starts_at)
    row = ServiceRow(
        district=reader.district,
        id=draft.id,
        version=1,
        team=draft.team,
        kind=draft.kind or team["kind"],
        state="announced",
        starts_at=draft.starts_at,
        ends_at=draft.ends_at,
        places=draft.places,
        waiting_places=draft.waiting_places,
        text_version=1,
        announced_by=reader.member,
        announced_at=now,
        recorded_at=now,
        **place,
    )
    change = ServiceChange(
        id=draft.id, before=None, after=row, event="announce", actor=actor, texts=texts, request=request
    )
    row = await service_rows.write(conn, change, now)
    await service_volunteers.sign_up(conn, row, draft.volunteers, actor, now, field="volunteers")
    return now_of(row)


def _refuse_blank(texts: dict[str, str]) -> None:
    for name in ("title", "about", "place"):
        if not texts.get(name, "").strip():
            raise TextUnusable(name)


def _refuse_unfit_times(starts_at: datetime, ends_at: datetime, now: datetime) -> None:
    if starts_at <= now:
        raise TimeInPast("starts_at")
    if starts_at > now + AHEAD:
        raise ServiceTooFar("starts_at", days=AHEAD.days)
    if ends_at <= starts_at:
        raise TimesReversed("ends_at")
    if ends_at - starts_at > LONGEST:
        raise ServiceTooLong("ends_at", hours=LONGEST // timedelta(hours=1))


async def _place(
    conn: Connection, atlas: Atlas, district: int, position: Position | None, community: str | None, at: datetime
) -> dict[str, Any]:
    """Where it is, as an issue is placed: in the boundaries of its day, and, where none contains it, in the community
    that was named."""
    placing.check(position, "position")
    if community is not None and not await placing.community_exists(conn, district, community):
        raise UnknownCommunity("community", given=community)
    return msgspec.structs.asdict(placing.place(atlas, district, [ToPlace(position, community, at)])[0])


# --- changing and cancelling


async def _open(conn: Connection, reader: Reader, service: UUID) -> ServiceRow:
    """A service that this reader looks after, locked. Raises NotFound or NotAllowed."""
    scopes.refuse_who_reads_nothing(reader)
    row = await service_rows.lock(conn, reader.district, service)
    await standing.refuse_who_does_not_look_after(conn, reader, row.team)
    return row


def _refuse_begun(row: ServiceRow, now: datetime) -> None:
    if row.state != "announced" or row.starts_at <= now:
        raise ServiceNotOpen(None, state=row.state, starts_at=row.starts_at)


async def alter(
    conn: Connection, atlas: Atlas, reader: Reader, service: UUID, draft: Alteration, now: datetime
) -> ServiceNow:
    """Change a service that has not begun; the same draft again gets its first answer. Where there are more places,
    who waits moves up. Raises NotFound, NotAllowed, IdTaken, StaleVersion, ServiceNotOpen, PlacesTaken, NothingChanges,
    or Invalid with the field."""
    row = await _open(conn, reader, service)
    actor, request = Actor("member", str(reader.member)), request_digest(draft)
    if await service_rows.told_before(conn, row.district, draft.id, row.id, actor, request):
        return now_of(row)
    if draft.expected_version != row.version:
        raise StaleVersion("expected_version", version=row.version, state=row.state)
    _refuse_begun(row, now)
    texts = await service_rows.texts_of(conn, row)
    told = texts | {
        name: value for name in ("title", "about", "bring", "place") if (value := getattr(draft, name)) is not None
    }
    told = {name: value for name, value in told.items() if value}
    _refuse_blank(told)
    after = await _altered(conn, atlas, row, draft, now)
    if after == row and told == texts:
        raise NothingChanges
    change = ServiceChange(
        id=draft.id,
        before=row,
        after=after,
        event="change",
        actor=actor,
        texts=told if told != texts else None,
        request=request,
    )
    written = await service_rows.write(conn, change, now)
    await service_notices.tell_changed(conn, row, written, draft.id, reader.member, now)
    return now_of(await bookings.move_up(conn, written, now))


async def _altered(conn: Connection, atlas: Atlas, row: ServiceRow, draft: Alteration, now: datetime) -> ServiceRow:
    columns: dict[str, Any] = {
        name: value
        for name in ("starts_at", "ends_at", "places", "waiting_places")
        if (value := getattr(draft, name)) is not None
    }
    after = msgspec.structs.replace(row, **columns)
    if (after.starts_at, after.ends_at) != (row.starts_at, row.ends_at):
        _refuse_unfit_times(after.starts_at, after.ends_at, now)
        after = msgspec.structs.replace(after, reminded_at=None)  # and reminded of anew
    if after.places < row.booked:
        raise PlacesTaken("places", booked=row.booked)
    if draft.position is not None or draft.community is not None:
        place = await _place(conn, atlas, row.district, draft.position, draft.community, after.starts_at)
        if draft.position is None:
            place = {"community": draft.community}
        after = msgspec.structs.replace(after, **place)
    return after


async def cancel(conn: Connection, reader: Reader, service: UUID, draft: Cancellation, now: datetime) -> ServiceNow:
    """Cancel a service that has not begun; the same again gets its first answer. Who booked reads the reason. Raises
    NotFound, NotAllowed, IdTaken, StaleVersion, ServiceNotOpen or Missing."""
    row = await _open(conn, reader, service)
    actor, request = Actor("member", str(reader.member)), request_digest(draft)
    if await service_rows.told_before(conn, row.district, draft.id, row.id, actor, request):
        return now_of(row)
    if not draft.reason.strip():
        raise Missing("reason")
    if draft.expected_version != row.version:
        raise StaleVersion("expected_version", version=row.version, state=row.state)
    _refuse_begun(row, now)
    texts = await service_rows.texts_of(conn, row)
    change = ServiceChange(
        id=draft.id,
        before=row,
        after=msgspec.structs.replace(row, state="cancelled", cancelled_at=now),
        event="cancel",
        actor=actor,
        texts=texts | {"cancelled": draft.reason},
        request=request,
    )
    written = await service_rows.write(conn, change, now)
    await service_notices.tell_changed(conn, row, written, draft.id, reader.member, now)
    return now_of(written)


# --- what is to come


class Announced(Struct, frozen=True, kw_only=True):
    """A service to come, as anybody may read it: nothing about residents is in it, and nobody's name."""

    id: UUID
    title: str
    about: str
    bring: str
    team: str
    kind: ServiceKind
    place: str
    community: str | None
    community_name: str | None
    starts_at: datetime
    ends_at: datetime
    places: int
    free: int
    lon: float | None
    lat: float | None


# Names and texts are looked up for no more than are shown.
TO_COME = """
with soonest as (
  select * from service s
  where s.district = $1 and s.state = 'announced' and s.ends_at > $2
    and ($3::text[] is null or s.community = any($3))
  order by s.ends_at, s.id limit $4
)
select s.id, coalesce(t.body->>'title', '') as title, coalesce(t.body->>'about', '') as about,
       coalesce(t.body->>'bring', '') as bring, coalesce(n.body->>'name', '') as team, s.kind,
       coalesce(t.body->>'place', '') as place, s.community, c.name as community_name, s.starts_at, s.ends_at, s.places,
       case when s.waiting > 0 then 0 else s.places - s.booked end as free, s.lon, s.lat
from soonest s
join volunteer_team v on v.district = $1 and v.id = s.team
left join text_version t on t.district = $1 and t.subject = s.id and t.version = s.text_version
left join text_version n on n.district = $1 and n.subject = v.id and n.version = v.text_version
left join community c on c.district = $1 and c.code = s.community
order by s.starts_at, s.id
"""


async def to_come(
    conn: Connection, district: int, now: datetime, *, communities: Sequence[str] | None = None, limit: int = 20
) -> list[Announced]:
    """The services that are not over, soonest first; those in some communities, where they are named."""
    wanted = None if communities is None else list(communities)
    return [Announced(**row) for row in await conn.fetch(TO_COME, district, now, wanted, limit)]

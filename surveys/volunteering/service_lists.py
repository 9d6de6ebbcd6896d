"""Services as they are read: lists by where they stand, and one of them with all that its reader may see.

That there are services is known to everybody who reads. Who serves is named to who looks after the team, and who booked
is shown to them and to the desk, by number, card and, as far as the reader reaches it, door."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from asyncpg import Connection, Record
from msgspec import Struct

from surveys import cursors
from surveys.attachments import attachments
from surveys.attachments.attachments import Item as PhotoItem
from surveys.issues.placing import CommunityName, Point
from surveys.people import scopes
from surveys.people.people import Handler, Reader
from surveys.people.scopes import Parameters
from surveys.refusals import InvalidCursor, NotAllowed, NotFound
from surveys.volunteering import bookings, service_return_visits, service_rows, standing, volunteers
from surveys.volunteering.bookings import BookingState, Via
from surveys.volunteering.service_return_visits import Satisfaction
from surveys.volunteering.service_rows import ServiceKind, ServiceRow, ServiceState

# To report is what is over and not reported, or reported and not confirmed; what is confirmed was held.
Stands = Literal["to_come", "to_report", "held", "cancelled"]
STANDS: tuple[Stands, ...] = get_args(Stands)
CONDITIONS: Mapping[Stands, str] = {
    "to_come": "s.state = 'announced' and s.ends_at > $2",
    "to_report": "(s.state = 'reported' or (s.state = 'announced' and s.ends_at <= $2))",
    "held": "s.state = 'confirmed'",
    "cancelled": "s.state = 'cancelled'",
}


class ServiceFilters(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which services to list; several values of one field are alternatives, fields narrow one another. `since` and
    `until` are when they end."""

    stands: Stands = "to_come"
    team: tuple[UUID, ...] = ()
    kind: tuple[ServiceKind, ...] = ()
    community: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


class TeamName(Struct, frozen=True, kw_only=True):
    """A team as people read it."""

    id: UUID
    name: str


class ServiceItem(Struct, frozen=True, kw_only=True):
    """A service in a list: `free` is how many more can have a place, `serving` how many volunteers do or did."""

    id: UUID
    title: str
    team: TeamName
    kind: ServiceKind
    state: ServiceState
    place: str
    community: CommunityName | None
    starts_at: datetime
    ends_at: datetime
    places: int
    booked: int
    waiting: int
    free: int
    serving: int
    helped: int | None


class ServicePage(Struct, frozen=True, kw_only=True):
    """A part of the services: those to come soonest first, others latest first; `total` counts all parts."""

    items: list[ServiceItem]
    next: str | None
    total: int | None = None


class _Cursor(Struct, frozen=True, array_like=True):
    at: datetime
    id: UUID
    stands: str


# Names and texts are looked up for no more than are shown.
ITEMS = """
select s.id, coalesce(t.body->>'title', '') as title, s.team, coalesce(n.body->>'name', '') as team_name, s.kind,
       s.state, coalesce(t.body->>'place', '') as place, s.community, c.name as community_name, s.starts_at, s.ends_at,
       s.places, s.booked, s.waiting, s.helped,
       (select count(*) from service_volunteer p where p.district = s.district and p.service = s.id
         and p.state in ('signed', 'served')) as serving
from part s
join volunteer_team v on v.district = $1 and v.id = s.team
left join text_version t on t.district = $1 and t.subject = s.id and t.version = s.text_version
left join text_version n on n.district = $1 and n.subject = v.id and n.version = v.text_version
left join community c on c.district = $1 and c.code = s.community
"""
PAGE = f"""
with part as (select * from service s where {{where}} order by s.starts_at {{way}}, s.id {{way}} limit {{limit}})
{ITEMS}
order by s.starts_at {{way}}, s.id {{way}}
"""
OF_IDS = f"with part as (select * from service s where s.district = $1 and s.id = any($2)) {ITEMS}"


async def page(
    conn: Connection,
    reader: Reader,
    filters: ServiceFilters,
    now: datetime,
    *,
    limit: int = 50,
    cursor: str | None = None,
    total: bool = True,
) -> ServicePage:
    """A part of the services. Raises NotAllowed for whoever holds no role that reads, InvalidCursor."""
    scopes.refuse_who_reads_nothing(reader)
    parameter = Parameters(reader.district, now)
    conditions = _conditions(filters, parameter)
    count: int | None = None
    if total:
        counted = "select count(*) from service s where " + " and ".join(conditions)
        count = await conn.fetchval(counted, *parameter.values)
    forward = filters.stands == "to_come"
    if cursor is not None:
        after = cursors.read(cursor, _Cursor)
        if after.stands != filters.stands:
            raise InvalidCursor("cursor")
        sign = ">" if forward else "<"
        conditions.append(f"(s.starts_at, s.id) {sign} ({parameter(after.at)}, {parameter(after.id)})")
    way, most = "asc" if forward else "desc", parameter(limit + 1)
    query = PAGE.format(where=" and ".join(conditions), way=way, limit=most)
    rows = await conn.fetch(query, *parameter.values)
    last = rows[limit - 1] if len(rows) > limit else None
    more = cursors.write(_Cursor(last["starts_at"], last["id"], filters.stands)) if last else None
    return ServicePage(items=[_item(row) for row in rows[:limit]], next=more, total=count)


async def of_ids(conn: Connection, district: int, ids: Sequence[UUID]) -> dict[UUID, ServiceItem]:
    """These services of a district, by id."""
    return {row["id"]: _item(row) for row in await conn.fetch(OF_IDS, district, list(ids))}


def _conditions(filters: ServiceFilters, parameter: Parameters) -> list[str]:
    conditions = ["s.district = $1", "$2::timestamptz is not null", CONDITIONS[filters.stands]]
    if filters.team:
        conditions.append(f"s.team = any({parameter(list(filters.team))}::uuid[])")
    if filters.kind:
        conditions.append(f"s.kind = any({parameter(list(filters.kind))}::text[])")
    if filters.community:
        conditions.append(f"s.community = any({parameter(list(filters.community))}::text[])")
    if filters.since is not None:
        conditions.append(f"s.ends_at >= {parameter(filters.since)}")
    if filters.until is not None:
        conditions.append(f"s.ends_at < {parameter(filters.until)}")
    return conditions


def _item(row: Record) -> ServiceItem:
    return ServiceItem(
        id=row["id"],
        title=row["title"],
        team=TeamName(id=row["team"], name=row["team_name"]),
        kind=row["kind"],
        state=row["state"],
        place=row["place"],
        community=CommunityName(row["community"], row["community_name"]) if row["community"] else None,
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        places=row["places"],
        booked=row["booked"],
        waiting=row["waiting"],
        free=0 if row["waiting"] else row["places"] - row["booked"],
        serving=row["serving"],
        helped=row["helped"],
    )


# --- one service


class Serving(Struct, frozen=True, kw_only=True):
    """A volunteer of a service; `name` is their number once they have ended what is kept on them."""

    volunteer: UUID
    name: str
    state: Literal["signed", "served", "missed"]
    served_from: datetime | None
    served_to: datetime | None


class BookingItem(Struct, frozen=True, kw_only=True):
    """A booking as who looks after the service sees it: `door` is where the reader reaches it."""

    id: UUID
    number: int
    state: BookingState
    persons: int
    via: Via
    card: str | None
    door: str | None
    booked_at: datetime


class May(Struct, frozen=True, kw_only=True):
    """What a reader may do with a service."""

    look_after: bool  # change, cancel, confirm, and name who serves
    report: bool  # tick who came, and write down what was done
    desk: bool  # see who booked, and book for who comes


class ServiceDetail(Struct, frozen=True, kw_only=True):
    """One service with its texts; volunteers and bookings as far as the reader may see them."""

    id: UUID
    version: int
    title: str
    about: str
    bring: str
    place: str
    done: str | None
    cancelled: str | None  # why
    team: TeamName
    kind: ServiceKind
    state: ServiceState
    community: CommunityName | None
    position: Point | None
    starts_at: datetime
    ends_at: datetime
    places: int
    waiting_places: int
    booked: int
    waiting: int
    free: int
    helped: int | None
    announced_by: Handler
    reported_by: Handler | None
    confirmed_by: Handler | None
    serving: int
    volunteers: list[Serving] | None
    bookings: list[BookingItem] | None
    photos: list[PhotoItem]
    satisfaction: Satisfaction | None
    may: May


NAMES = """
select coalesce(n.body->>'name', '') as team, c.name as community, array[a.name, r.name, f.name] as persons,
  (select count(*) from service_volunteer p where p.district = $1 and p.service = s.id
    and p.state in ('signed', 'served')) as serving,
  exists (select from service_volunteer p join volunteer q on q.district = p.district and q.id = p.volunteer
    where p.district = $1 and p.service = s.id and q.member = $3 and p.state <> 'left') as serves
from service s
join volunteer_team v on v.district = $1 and v.id = s.team
left join text_version n on n.district = $1 and n.subject = v.id and n.version = v.text_version
left join community c on c.district = $1 and c.code = s.community
join member a on a.district = $1 and a.id = s.announced_by
left join member r on r.district = $1 and r.id = s.reported_by
left join member f on f.district = $1 and f.id = s.confirmed_by
where s.district = $1 and s.id = $2
"""
ONE = f"select {service_rows.ROW} from service where district = $1 and id = $2"


async def one(conn: Connection, reader: Reader, service: UUID, now: datetime) -> ServiceDetail:
    """One service. Raises NotFound, and NotAllowed for whoever holds no role that reads."""
    scopes.refuse_who_reads_nothing(reader)
    found = await conn.fetchrow(ONE, reader.district, service)
    if found is None:
        raise NotFound
    row = ServiceRow(**found)
    (names,) = await conn.fetch(NAMES, row.district, row.id, reader.member)
    texts = await service_rows.texts_of(conn, row)
    rights = await _may(conn, reader, row, serves=names["serves"])
    said = await service_return_visits.satisfaction(conn, row.district, [row.id], now)
    photos = (
        await attachments.of_things(conn, row.district, "service", [row.id], now)
        if rights.report or rights.desk
        else {}
    )
    announced, reported, confirmed = names["persons"]
    return ServiceDetail(
        id=row.id,
        version=row.version,
        title=texts.get("title", ""),
        about=texts.get("about", ""),
        bring=texts.get("bring", ""),
        place=texts.get("place", ""),
        done=texts.get("done"),
        cancelled=texts.get("cancelled"),
        team=TeamName(id=row.team, name=names["team"]),
        kind=row.kind,
        state=row.state,
        community=CommunityName(row.community, names["community"]) if row.community else None,
        position=Point(row.lon, row.lat) if row.lon is not None and row.lat is not None else None,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        places=row.places,
        waiting_places=row.waiting_places,
        booked=row.booked,
        waiting=row.waiting,
        free=row.free,
        helped=row.helped,
        announced_by=Handler(row.announced_by, announced),
        reported_by=Handler(row.reported_by, reported) if row.reported_by else None,
        confirmed_by=Handler(row.confirmed_by, confirmed) if row.confirmed_by else None,
        serving=names["serving"],
        volunteers=await _volunteers(conn, row) if rights.look_after else None,
        bookings=await _bookings(conn, reader, row) if rights.desk or rights.report else None,
        photos=photos.get(row.id, []),
        satisfaction=said.get(row.id),
        may=rights,
    )


async def may(conn: Connection, reader: Reader, service: UUID) -> May:
    """What a reader may do with a service. Raises NotFound, and NotAllowed for whoever holds no role that reads."""
    scopes.refuse_who_reads_nothing(reader)
    found = await conn.fetchrow(ONE, reader.district, service)
    if found is None:
        raise NotFound
    (names,) = await conn.fetch(NAMES, reader.district, service, reader.member)
    return await _may(conn, reader, ServiceRow(**found), serves=names["serves"])


async def _may(conn: Connection, reader: Reader, row: ServiceRow, *, serves: bool) -> May:
    try:
        await standing.refuse_who_does_not_look_after(conn, reader, row.team)
    except NotAllowed:
        return May(look_after=False, report=serves, desk=await bookings.at_desk(conn, reader, row))
    return May(look_after=True, report=True, desk=True)


VOLUNTEERS = """
select volunteer, state, served_from, served_to from service_volunteer
where district = $1 and service = $2 and state <> 'left' order by signed_at, volunteer
"""


async def _volunteers(conn: Connection, row: ServiceRow) -> list[Serving]:
    found = await conn.fetch(VOLUNTEERS, row.district, row.id)
    names = await volunteers.named(conn, row.district, [one["volunteer"] for one in found], public=False)
    return [Serving(**one, name=names[one["volunteer"]]) for one in found]


BOOKINGS = """
select b.id, b.number, b.state, b.persons, b.via, b.card, b.booked_at,
       concat_ws(' · ', t.body->>'name', nullif(t.body->>'address', '')) as door
from booking b
left join premises p on p.district = $1 and p.id = b.premises and {reached}
left join text_version t on t.district = $1 and t.subject = p.id and t.version = p.text_version
where b.district = $1 and b.service = $2 order by b.number
"""


async def _bookings(conn: Connection, reader: Reader, row: ServiceRow) -> list[BookingItem]:
    parameter = Parameters(row.district, row.id)
    reached = (await scopes.reach(conn, reader)).condition(parameter, "premises", "p") or "true"
    rows = await conn.fetch(BOOKINGS.format(reached=reached), *parameter.values)
    return [BookingItem(**{**found, "door": found["door"] or None}) for found in rows]


# --- of a volunteer


class MyService(Struct, frozen=True, kw_only=True):
    """A service as a volunteer sees it: `signed` is whether they serve, or did."""

    id: UUID
    title: str
    about: str
    place: str
    team: str
    state: ServiceState
    starts_at: datetime
    ends_at: datetime
    signed: bool
    over: bool


# What the volunteer's teams announce, and where they put their name down, elsewhere too.
MINE = """
with mine as (
  select service from service_volunteer where district = $1 and volunteer = $2 and state in ('signed', 'served')
), shown as (
  select s.* from service s where s.district = $1 and s.state = 'announced' and s.ends_at > $3
    and (s.team in (select team from team_volunteer where district = $1 and volunteer = $2 and left_at is null)
      or s.id in (select service from mine))
  union
  select s.* from service s where s.district = $1 and s.id in (select service from mine) and s.ends_at > $4
)
select s.id, coalesce(t.body->>'title', '') as title, coalesce(t.body->>'about', '') as about,
       coalesce(t.body->>'place', '') as place, coalesce(n.body->>'name', '') as team, s.state, s.starts_at, s.ends_at,
       s.id in (select service from mine) as signed, s.ends_at <= $3 as over
from shown s
join volunteer_team v on v.district = $1 and v.id = s.team
left join text_version t on t.district = $1 and t.subject = s.id and t.version = s.text_version
left join text_version n on n.district = $1 and n.subject = v.id and n.version = v.text_version
order by s.ends_at <= $3, abs(extract(epoch from s.starts_at - $3)), s.id limit 50
"""


async def of_volunteer(
    conn: Connection, district: int, volunteer: UUID, now: datetime, since: datetime
) -> list[MyService]:
    """What a volunteer's teams have announced, and where they served since a moment; what is to come first."""
    return [MyService(**row) for row in await conn.fetch(MINE, district, volunteer, now, since)]

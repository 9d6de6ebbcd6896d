"""Bookings as those who made them see them: a resident through their card, and a member who booked for a door."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Connection, Record
from msgspec import Struct

from surveys.contact_cards.card_doors import CardDoor
from surveys.issues import placing
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.return_visits.return_visits import LATER, VisitState
from surveys.volunteering.bookings import BookingState
from surveys.volunteering.service_rows import ServiceKind, ServiceState

MOST = 50
SHOWN_FOR = timedelta(days=60)  # after a service was over


class AskedOf(Struct, frozen=True, kw_only=True):
    """That who came is asked how it was, and what they said, if they did."""

    state: VisitState
    invited_at: datetime
    solved: bool | None
    satisfaction: int | None

    def open(self, now: datetime) -> bool:
        """Whether something can be said, or said otherwise."""
        return self.state == "invited" or (self.state != "void" and now <= self.invited_at + LATER)


class MyBooking(Struct, frozen=True, kw_only=True):
    """A booking with its service: `stands` is what became of the service, `cancelled` why, if it was cancelled."""

    id: UUID
    number: int
    state: BookingState
    persons: int
    ahead: int | None
    card: str | None
    service: UUID
    title: str
    place: str
    bring: str
    stands: ServiceState
    cancelled: str | None
    starts_at: datetime
    ends_at: datetime
    asked: AskedOf | None

    def open(self, now: datetime) -> bool:
        """Whether it can still be taken back."""
        return self.state in ("booked", "waiting") and self.stands == "announced" and now < self.starts_at


BOOKING = """
  b.id, b.number, b.state, b.persons, b.card, b.service, s.state as stands, s.starts_at, s.ends_at,
  coalesce(t.body->>'title', '') as title, coalesce(t.body->>'place', '') as place,
  coalesce(t.body->>'bring', '') as bring, t.body->>'cancelled' as cancelled,
  case when b.state = 'waiting' then (select count(*) from booking a where a.district = b.district
    and a.service = b.service and a.state = 'waiting' and a.number < b.number) end as ahead,
  case when r.id is not null then jsonb_build_object('state', r.state, 'invited_at', r.invited_at, 'solved', r.solved,
    'satisfaction', r.satisfaction) end as asked
"""
JOINED = """
  join service s on s.district = b.district and s.id = b.service
  left join text_version t on t.district = b.district and t.subject = s.id and t.version = s.text_version
  left join service_return_visit r on r.district = b.district and r.booking = b.id
"""
OF_MEMBER = f"""
select {BOOKING} from booking b {JOINED}
where b.district = $1 and b.member = $2 and s.ends_at > $3
order by s.ends_at <= $4, abs(extract(epoch from s.starts_at - $4)), b.id limit {MOST}
"""


async def of_member(conn: Connection, reader: Reader, now: datetime) -> list[MyBooking]:
    """What a member booked for others, of services that are not long over; those to come soonest first."""
    scopes.refuse_who_reads_nothing(reader)
    rows = await conn.fetch(OF_MEMBER, reader.district, reader.member, now - SHOWN_FOR, now)
    return [_booking(row) for row in rows]


def _booking(row: Record) -> MyBooking:
    return msgspec.convert(dict(row), MyBooking)


# --- through a card


class NearDoor(Struct, frozen=True, kw_only=True):
    """A service to come as the card of a door shows it; `here` is in its own community."""

    id: UUID
    title: str
    about: str
    bring: str
    team: str
    kind: ServiceKind
    place: str
    here: bool
    starts_at: datetime
    ends_at: datetime
    places: int
    free: int
    waiting: int


class OfDoor(Struct, frozen=True, kw_only=True):
    """What a card's page says of services: what is to come near the door and is not booked, and its bookings."""

    near: list[NearDoor]
    bookings: list[MyBooking]


NEAR_SHOWN = 10
NEAR_M = 3_000.0
METRES_A_DEGREE = 111_320.0  # of latitude

# To come and bookable near a door: in its community, in its street, or within three kilometres; of the first hundred
# that there are. With the door's own bookings, in one question.
OF_DOOR = f"""
with own as (
  select b.* from booking b where b.district = $1 and b.card = $2
  union
  select b.* from booking b where b.district = $1 and b.premises = $3
), mine as (
  select {BOOKING} from own b {JOINED}
  where s.ends_at > $6 and (b.state <> 'cancelled' or s.ends_at > $5)
  order by s.ends_at <= $5, abs(extract(epoch from s.starts_at - $5)), b.id limit {MOST}
), soonest as (
  select * from service s where s.district = $1 and s.state = 'announced' and s.ends_at > $5
  order by s.ends_at, s.id limit 100
), near as (
  select s.id, coalesce(t.body->>'title', '') as title, coalesce(t.body->>'about', '') as about,
    coalesce(t.body->>'bring', '') as bring, coalesce(n.body->>'name', '') as team, s.kind,
    coalesce(t.body->>'place', '') as place, s.community is not distinct from $4 as here, s.starts_at, s.ends_at,
    s.places, case when s.waiting > 0 then 0 else s.places - s.booked end as free, s.waiting
  from soonest s
  join volunteer_team v on v.district = $1 and v.id = s.team
  left join community c on c.district = $1 and c.code = s.community
  left join community d on d.district = $1 and d.code = $4
  left join text_version t on t.district = $1 and t.subject = s.id and t.version = s.text_version
  left join text_version n on n.district = $1 and n.subject = v.id and n.version = v.text_version
  where s.starts_at > $5 and s.id not in (select service from own where state <> 'cancelled')
    and ($4::text is null or s.community is null or s.community = $4 or c.street = d.street
      or sqrt(((s.lon - $7) * cos(radians($8))) ^ 2 + (s.lat - $8) ^ 2) * {METRES_A_DEGREE} < {NEAR_M})
  order by here desc, s.starts_at, s.id limit {NEAR_SHOWN}
)
select (select coalesce(jsonb_agg(near), '[]') from near) as near,
       (select coalesce(jsonb_agg(mine), '[]') from mine) as bookings
"""
ANY = """
select exists (select from service where district = $1 and state = 'announced' and ends_at > $2)
  or exists (select from booking where district = $1)
"""


async def anything(conn: Connection, district: int, now: datetime) -> bool:
    """Whether there is anything at all to say of services in a district."""
    found: bool = await conn.fetchval(ANY, district, now)
    return found


async def of_door(conn: Connection, door: CardDoor, now: datetime) -> OfDoor:
    """What the card of a door shows of services. Nothing of any other door is in it."""
    place = placing.point(door.position) if door.position else None
    given: tuple[Any, ...] = (door.district, door.number, door.premises, door.community)
    where = (place.lon, place.lat) if place else (None, None)
    (row,) = await conn.fetch(OF_DOOR, *given, now, now - SHOWN_FOR, *where)
    return msgspec.convert(dict(row), OfDoor)

"""The door of a contact card as who lives or works behind it sees it: their own issues, and nothing of anybody else."""

from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Connection, Record
from msgspec import Struct

from maps.coordinates import System
from surveys.issues.merging import MERGED_INTO_MOST
from surveys.issues.placing import Position, Source
from surveys.issues.workflow import State
from surveys.refusals import Conflict
from surveys.return_visits.return_visits import LATER, VisitState


class CardAtNoDoor(Conflict):
    """A card that was left nowhere, or is revoked, reports and books nothing."""

    code = "card_at_no_door"


class CardDoor(Struct, frozen=True, kw_only=True):
    """A card with the door at which it was left; `visit` is None while it was left nowhere."""

    district: int
    number: str
    organisation: UUID
    service_name: str
    revoked_at: datetime | None
    visit: UUID | None
    premises: UUID | None
    community: str | None
    position: Position | None

    @property
    def usable(self) -> bool:
        """Whether it stands for a door."""
        return self.revoked_at is None and self.visit is not None


# The visit that left a card is the newest that did; one that was withdrawn left it nowhere.
DOOR = """
select k.district, k.number, k.organisation, k.service_name, k.revoked_at, v.id as visit, v.premises, v.community,
       v.position_lon, v.position_lat, v.accuracy_m, v.position_system, v.position_source
from contact_card k
left join lateral (
  select visit from card_binding b where b.district = k.district and b.card = k.number order by b.round desc limit 1
) b on true
left join visit v on v.district = k.district and v.id = b.visit and v.withdrawn_at is null
where k.district = $1 and k.{key} = $2
"""
BY_NUMBER, BY_TOKEN = DOOR.format(key="number"), DOOR.format(key="digest")


async def of_number(conn: Connection, district: int, number: str) -> CardDoor | None:
    """The door of a card that its holder has shown before."""
    row = await conn.fetchrow(BY_NUMBER, district, number)
    return _door(row) if row else None


async def of_token(conn: Connection, district: int, digest: bytes) -> CardDoor | None:
    """The door of a card whose token is shown; None for any other text, and which of its letters is wrong is not
    known to anybody."""
    row = await conn.fetchrow(BY_TOKEN, district, digest)
    return _door(row) if row else None


def _door(row: Record) -> CardDoor:
    system: System | None = row["position_system"]
    source: Source | None = row["position_source"]
    position = None
    if system is not None:
        position = Position(
            lon=row["position_lon"],
            lat=row["position_lat"],
            accuracy_m=row["accuracy_m"],
            system=system,
            source=source or "gps",
        )
    return CardDoor(
        district=row["district"],
        number=row["number"],
        organisation=row["organisation"],
        service_name=row["service_name"],
        revoked_at=row["revoked_at"],
        visit=row["visit"],
        premises=row["premises"],
        community=row["community"],
        position=position,
    )


class Asked(Struct, frozen=True, kw_only=True):
    """That the resident is asked whether it is solved, and what they said, if they did."""

    state: VisitState
    invited_at: datetime
    solved: bool | None
    satisfaction: int | None


class DoorIssue(Struct, frozen=True, kw_only=True):
    """An issue of a door: what was said of it there, and where it stands. One that was merged stands where its survivor
    does, of which nothing else is told."""

    id: UUID
    number: str
    title: str | None  # None once it was erased
    reported_at: datetime
    merged: bool
    state: State
    due_at: datetime
    due_provisional: bool
    paused_at: datetime | None
    resolved_at: datetime | None
    department: str | None
    owner: str
    asked: Asked | None  # of the last time that it was resolved; nobody is asked about one that was merged

    def can_be_answered(self, now: datetime) -> bool:
        """Whether the resident can say how it went, or think better of what they said."""
        if self.asked is None or self.merged:
            return False
        return self.asked.state == "invited" or now <= self.asked.invited_at + LATER


# The issues of a door: those reported through its card, those of the visit that left it, and those with its premises;
# not what came of a visit that used this card elsewhere, for that one left it nowhere.
OF_DOOR = """
  select id from issue where district = $1 and card = {number}
  union select id from issue where district = $1 and visit = {visit}
  union select id from issue where district = $1 and premises = {premises}
"""
OF_THIS_DOOR = OF_DOOR.format(number="$2", visit="(select visit from door)", premises="(select premises from door)")
MOST_SHOWN = 50

# A door with its issues, in one question: first those about which the resident is asked, then what is open, then the
# newest; none for a card that stands for no door.
PAGE = f"""
with recursive door as ({BY_NUMBER}), own as (
  select i.id, i.number, i.reported_at, i.text_version, i.state, i.merged_into, i.visit
  from issue i
  where i.district = $1 and i.id in ({OF_THIS_DOOR})
    and (select revoked_at is null and visit is not null from door)
  order by i.state in ('closed', 'rejected'), i.reported_at desc, i.id desc limit {MOST_SHOWN}
), led as (
  select o.id as issue, o.merged_into as at, 1 as steps from own o where o.merged_into is not null
  union all
  select l.issue, i.merged_into, l.steps + 1 from led l
  join issue i on i.district = $1 and i.id = l.at where i.merged_into is not null and l.steps < {MERGED_INTO_MOST}
), shown as (
  select o.id, o.number::text, t.body->>'title' as title, o.reported_at, o.merged_into is not null as merged,
         s.state, s.due_at, s.due_provisional, s.paused_at, s.resolved_at, d.name as department, m.name as owner,
         case when r.id is not null then jsonb_build_object('state', r.state, 'invited_at', r.invited_at,
           'solved', r.solved, 'satisfaction', r.satisfaction) end as asked
  from own o
  left join visit v on v.district = $1 and v.id = o.visit
  left join lateral (select at from led where issue = o.id order by steps desc limit 1) l on true
  join issue s on s.district = $1 and s.id = coalesce(l.at, o.id)
  left join text_version t on t.district = $1 and t.subject = o.id and t.version = o.text_version
  left join department d on d.district = $1 and d.code = s.department
  join member m on m.district = $1 and m.id = s.owner
  left join return_visit r on r.district = $1 and r.issue = o.id and r.round = s.resolutions and r.state <> 'void'
    and l.at is null and s.state in ('resolved', 'closed')
  where v.withdrawn_at is null
  order by r.state is distinct from 'invited', s.state in ('closed', 'rejected'), o.reported_at desc, o.id desc
)
select door.*, (select coalesce(jsonb_agg(shown), '[]') from shown) as issues from door
"""


async def page(conn: Connection, district: int, number: str) -> tuple[CardDoor, list[DoorIssue]] | None:
    """The door of a card that its holder has shown before, with its issues."""
    row = await conn.fetchrow(PAGE, district, number)
    return (_door(row), msgspec.convert(row["issues"], list[DoorIssue])) if row else None


HAS = f"select exists (select where $5::uuid in ({OF_DOOR.format(number='$2', visit='$3', premises='$4')}))"
HAS_REPORTED = "select exists (select from issue where district = $1 and id = $2 and card = $3)"


async def has(conn: Connection, door: CardDoor, issue: UUID) -> bool:
    """Whether this is an issue of the door."""
    if not door.usable:
        return False
    found: bool = await conn.fetchval(HAS, door.district, door.number, door.visit, door.premises, issue)
    return found


async def has_reported(conn: Connection, door: CardDoor, issue: UUID) -> bool:
    """Whether this was reported through the door's card."""
    if not door.usable:
        return False
    found: bool = await conn.fetchval(HAS_REPORTED, door.district, issue, door.number)
    return found

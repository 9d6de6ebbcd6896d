"""A member's day: the doors that they have in walking order, and all that their phone needs to visit them offline."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection, Record
from msgspec import Struct

from surveys.issues.categories import Channel, Urgency
from surveys.issues.placing import CommunityName
from surveys.people import scopes
from surveys.people.people import District, Reader
from surveys.premises import door_states, premises
from surveys.premises.door_states import DoorState, Every, Round
from surveys.premises.premises import PremisesKind

MOST_DOORS = 3_000


class Visitor(Struct, frozen=True, kw_only=True):
    """Whose day it is."""

    id: UUID
    name: str
    organisation: UUID
    organisation_name: str


class GivenOut(Struct, frozen=True):
    """The version of a questionnaire that is filled in now."""

    id: str
    version: str
    title: dict[str, str]  # by language


class DayCampaign(Struct, frozen=True, kw_only=True):
    """A campaign in which the member visits, with the round that it is in."""

    id: str
    name: str
    kinds: list[PremisesKind]
    starts_at: datetime
    ends_at: datetime
    every: Every
    round: Round
    promise: str
    questionnaires: dict[PremisesKind, GivenOut]


class Door(Struct, frozen=True, kw_only=True):
    """A door of the day, as it stands in the present round of its campaign."""

    id: UUID
    kind: PremisesKind
    name: str | None
    address: str | None
    campaign: str
    place: int  # in the walking order of its campaign, from 1; 0: after all that have one
    lon: float | None
    lat: float | None
    community: CommunityName | None
    state: DoorState
    tries: int  # how often nobody was at home
    visited_at: datetime | None
    contact_card: str | None


class DayCategory(Struct, frozen=True, kw_only=True):
    """What an issue can be about; one without urgencies only gathers others."""

    code: str
    name: str
    parent: str | None
    channel: Channel
    urgencies: list[Urgency]


class DayCommunity(Struct, frozen=True):
    """A community in which the member has something to do."""

    code: str
    name: str
    street: str | None


class Day(Struct, frozen=True, kw_only=True):
    """All that a phone takes along, by nothing but what is so now."""

    member: Visitor
    campaigns: list[DayCampaign]
    doors: list[Door]
    categories: list[DayCategory]
    communities: list[DayCommunity]


async def of_reader(conn: Connection, reader: Reader, district: District, now: datetime) -> Day:
    """The reader's own day. Raises NotAllowed for whoever holds no role that goes to doors."""
    scopes.refuse_who_reads_nothing(reader)
    campaigns = await _campaigns(conn, reader, district.zone, now)
    doors = await _doors(conn, reader, campaigns)
    return Day(
        member=await _visitor(conn, reader),
        campaigns=campaigns,
        doors=doors,
        categories=await _categories(conn, reader.district, now),
        communities=await _communities(conn, reader, [door.community.code for door in doors if door.community]),
    )


ORGANISATION = "select name from organisation where district = $1 and id = $2"


async def _visitor(conn: Connection, reader: Reader) -> Visitor:
    return Visitor(
        id=reader.member,
        name=reader.name,
        organisation=reader.organisation,
        organisation_name=await conn.fetchval(ORGANISATION, reader.district, reader.organisation),
    )


# The campaigns that are not over in which the member has doors, or in which their organisation visits: it, or one above
# it, is named, or none is.
CAMPAIGNS = """
with recursive above as (
  select o.id, o.parent from organisation o where o.district = $1 and o.id = $3
  union
  select o.id, o.parent from organisation o join above on o.id = above.parent where o.district = $1
)
select c.id, c.name, c.kinds, c.starts_at, c.ends_at, c.every, c.promise,
  array(select (q.kind, n.questionnaire, n.version, n.title) from campaign_questionnaire q
        join questionnaire f on f.district = q.district and f.id = q.questionnaire
        join questionnaire_version n on n.district = f.district and n.questionnaire = f.id and n.version = f.current
        where q.district = c.district and q.campaign = c.id order by q.kind) as questionnaires
from campaign c
where c.district = $1 and c.closed_at is null and c.ends_at > $4
  and (exists (select from assignment a where a.district = $1 and a.member = $2 and a.campaign = c.id)
    or exists (select from campaign_organisation o join above on above.id = o.organisation
               where o.district = $1 and o.campaign = c.id)
    or not exists (select from campaign_organisation o where o.district = $1 and o.campaign = c.id))
order by c.starts_at, c.id
"""


async def _campaigns(conn: Connection, reader: Reader, zone: ZoneInfo, now: datetime) -> list[DayCampaign]:
    rows = await conn.fetch(CAMPAIGNS, reader.district, reader.member, reader.organisation, now)
    return [
        DayCampaign(
            id=row["id"],
            name=row["name"],
            kinds=row["kinds"],
            starts_at=row["starts_at"],
            ends_at=row["ends_at"],
            every=row["every"],
            round=door_states.round_at(row["every"], row["starts_at"], row["ends_at"], zone, now),
            promise=row["promise"],
            questionnaires={kind: GivenOut(*version) for kind, *version in row["questionnaires"]},
        )
        for row in rows
    ]


OF_DOOR = premises.DOORS_OF.format(district="$1", premises="h.premises")

# The member's doors in these campaigns, those without a place last; then for each what its visits in the campaign's
# present round came to, and the card that was left there last.
DOORS = f"""
with held as (
  select a.campaign, a.place, a.premises, r.nth, r.starts_at, r.ends_at, p.kind, p.lon, p.lat, p.community,
         p.text_version
  from unnest($3::text[], $4::timestamptz[], $5::timestamptz[]) with ordinality r(campaign, starts_at, ends_at, nth)
  join assignment a on a.district = $1 and a.member = $2 and a.campaign = r.campaign
  join premises p on p.district = a.district and p.id = a.premises and p.state in ('confirmed', 'proposed')
  order by r.nth, a.place = 0, a.place, a.premises
  limit {MOST_DOORS}
)
select h.campaign, h.place, h.premises, h.kind, h.lon, h.lat, h.community, c.name as community_name, t.body as texts,
       s.state, s.tries, s.visited_at, card.number as contact_card
from held h
left join community c on c.district = $1 and c.code = h.community
left join text_version t on t.district = $1 and t.subject = h.premises and t.version = h.text_version
left join lateral ({
    door_states.STATE_OF.format(
        district="$1", premises=OF_DOOR, campaign="h.campaign", begins="h.starts_at", ends="h.ends_at"
    )
}) s on true
left join lateral (
  select b.card as number from visit v
  join card_binding b on b.district = v.district and b.card = v.contact_card and b.visit = v.id
  join contact_card k on k.district = b.district and k.number = b.card and k.revoked_at is null
  where v.district = $1 and v.premises = h.premises and v.withdrawn_at is null
  order by b.bound_at desc, b.card limit 1
) card on true
order by h.nth, h.place = 0, h.place, h.premises
"""


async def _doors(conn: Connection, reader: Reader, campaigns: Sequence[DayCampaign]) -> list[Door]:
    rows = await conn.fetch(
        DOORS,
        reader.district,
        reader.member,
        [campaign.id for campaign in campaigns],
        [campaign.round.starts_at for campaign in campaigns],
        [campaign.round.ends_at for campaign in campaigns],
    )
    return [_door(row) for row in rows]


def _door(row: Record) -> Door:
    texts: Mapping[Literal["name", "address"], str] = row["texts"] or {}
    return Door(
        id=row["premises"],
        kind=row["kind"],
        name=texts.get("name"),
        address=texts.get("address"),
        campaign=row["campaign"],
        place=row["place"],
        lon=row["lon"],
        lat=row["lat"],
        community=CommunityName(row["community"], row["community_name"]) if row["community"] else None,
        state=row["state"] or "not_yet",
        tries=row["tries"],
        visited_at=row["visited_at"],
        contact_card=row["contact_card"],
    )


CATEGORIES = """
select c.code, c.name, c.parent, c.channel,
  array(select u.urgency from unnest(array['normal', 'urgent', 'emergency']) with ordinality u(urgency, nth)
        where exists (select from category_limit l where l.district = c.district and l.category = c.code
                        and l.urgency = u.urgency and l.valid_from <= $2) order by u.nth) as urgencies
from category c
where c.district = $1 and (c.retired_at is null or c.retired_at > $2)
order by c.code
"""


async def _categories(conn: Connection, district: int, now: datetime) -> list[DayCategory]:
    return [DayCategory(**row) for row in await conn.fetch(CATEGORIES, district, now)]


COMMUNITIES = """
select c.code, c.name, c.street from community c
where c.district = $1 and (c.code = any($3)
  or exists (select from organisation_area a where a.district = $1 and a.organisation = $2
               and ((a.kind = 'community' and a.code = c.code) or (a.kind = 'street' and a.code = c.street))))
order by c.code
"""


async def _communities(conn: Connection, reader: Reader, codes: Sequence[str]) -> list[DayCommunity]:
    rows = await conn.fetch(COMMUNITIES, reader.district, reader.organisation, sorted(set(codes)))
    return [DayCommunity(row["code"], row["name"], row["street"]) for row in rows]

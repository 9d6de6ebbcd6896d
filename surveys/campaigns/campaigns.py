"""Campaigns: what is visited where, by whom, from when to when, how often, with which questionnaire and promise.

Several may run at once. One that is closed, or over, stays to be read; nothing more is assigned in it, and what phones
still bring of it is filed and flagged."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Connection, Record
from msgspec import Struct

from surveys import cursors, history
from surveys.history import Entry
from surveys.issues.placing import CommunityName
from surveys.people import organisations, people, scopes
from surveys.people.member_lists import OrganisationName
from surveys.people.people import Handler, Reader
from surveys.premises import door_states
from surveys.premises.door_states import Every, Round
from surveys.premises.premises import PremisesKind
from surveys.refusals import Conflict, NotFound

KINDS: tuple[PremisesKind, ...] = ("shop", "enterprise", "household")

_NAMESPACE = UUID("0d0b1c6e-95a1-5b57-8b0e-6f0f4a1d7c21")  # of the ids of campaigns in the history


class CampaignClosed(Conflict):
    """A campaign that is closed is only read."""

    code: ClassVar[str] = "campaign_closed"


class Terms(Struct, frozen=True, kw_only=True):
    """All that a campaign says."""

    name: str
    kinds: tuple[PremisesKind, ...]
    starts_at: datetime
    ends_at: datetime
    every: Every
    promise: str
    streets: tuple[str, ...]
    communities: tuple[str, ...]
    organisations: tuple[UUID, ...]
    questionnaires: dict[PremisesKind, str]


def thing(district: int, campaign: str) -> UUID:
    """What a campaign is in the history."""
    return uuid5(_NAMESPACE, f"{district}/{campaign}")


TERMS = """
select c.name, c.kinds, c.starts_at, c.ends_at, c.every, c.promise,
  array(select code from campaign_area a where a.district = c.district and a.campaign = c.id and a.kind = 'street'
        order by code) as streets,
  array(select code from campaign_area a where a.district = c.district and a.campaign = c.id and a.kind = 'community'
        order by code) as communities,
  array(select organisation from campaign_organisation o where o.district = c.district and o.campaign = c.id
        order by organisation) as organisations,
  array(select (q.kind, q.questionnaire) from campaign_questionnaire q
        where q.district = c.district and q.campaign = c.id order by q.kind) as questionnaires
from campaign c where c.district = $1 and c.id = $2
"""


async def terms_of(conn: Connection, district: int, campaign: str) -> Terms:
    """What a campaign says. Raises NotFound."""
    row = await conn.fetchrow(TERMS, district, campaign)
    if row is None:
        raise NotFound
    said = dict(row) | {"questionnaires": dict(row["questionnaires"])}
    lists = {name: tuple(value) for name, value in said.items() if isinstance(value, list)}
    return Terms(**said | lists)


class Held(Struct, frozen=True):
    """A campaign whose row is locked."""

    version: int
    ends_at: datetime
    closed_at: datetime | None


LOCK = "select version, ends_at, closed_at from campaign where district = $1 and id = $2 for no key update"


async def lock(conn: Connection, district: int, campaign: str) -> Held:
    """Lock a campaign until the end of the transaction. Raises NotFound."""
    row = await conn.fetchrow(LOCK, district, campaign)
    if row is None:
        raise NotFound
    return Held(**row)


def refuse_closed(held: Held) -> None:
    """Raises CampaignClosed for one that is only read."""
    if held.closed_at is not None:
        raise CampaignClosed(closed_at=held.closed_at.isoformat())


def may_change(reach: set[UUID] | None, of: Sequence[UUID]) -> bool:
    """Whether who looks after these organisations, None standing for all, changes a campaign of those."""
    return reach is None or (bool(of) and reach.issuperset(of))


# The doors of campaign $2, on the register or found on the way: of its kinds, and in its areas if it has any.
DOORS = """
select p.id from premises p join campaign g on g.district = $1 and g.id = $2
where p.district = $1 and p.state in ('confirmed', 'proposed') and p.kind = any(g.kinds)
  and (not exists (select from campaign_area r where r.district = $1 and r.campaign = $2) or p.community in (
    select r.code from campaign_area r where r.district = $1 and r.campaign = $2 and r.kind = 'community'
    union all
    select k.code from campaign_area r join community k on k.district = $1 and k.street = r.code
    where r.district = $1 and r.campaign = $2 and r.kind = 'street'))
"""


# --- reading them

State = Literal["coming", "running", "over", "closed"]
STATES: tuple[State, ...] = ("running", "coming", "over", "closed")


class Chosen(Struct, frozen=True, kw_only=True):
    """The questionnaire of one kind of door, with the version that is filled in now; none, where it is no longer
    given out."""

    id: str
    title: dict[str, str] | None
    version: str | None


class Campaign(Struct, frozen=True, kw_only=True):
    """A campaign as it is read; `changeable` says whether this reader may change it."""

    id: str
    version: int
    name: str
    state: State
    kinds: list[PremisesKind]
    starts_at: datetime
    ends_at: datetime
    every: Every
    round: Round
    promise: str
    streets: list[CommunityName]
    communities: list[CommunityName]
    organisations: list[OrganisationName]
    questionnaires: dict[PremisesKind, Chosen]
    created_at: datetime | None
    created_by: Handler | None
    closed_at: datetime | None
    changeable: bool


class CampaignPage(Struct, frozen=True, kw_only=True):
    """A part of the campaigns, the latest to begin first; `total` counts all parts."""

    items: list[Campaign]
    next: str | None
    total: int | None = None


class CampaignDetail(Struct, frozen=True, kw_only=True):
    """One campaign with its history, the newest events of who was given doors in it, and the names of the members whom
    these name by id."""

    campaign: Campaign
    history: list[Entry]
    assignments: list[Entry]
    names: dict[str, str]


ASSIGNMENTS_SHOWN = 20  # the newest


class _Cursor(Struct, frozen=True, array_like=True):
    starts_at: datetime
    id: str


STATE = """
case when c.closed_at is not null then 'closed' when c.ends_at <= $2 then 'over' when c.starts_at > $2 then 'coming'
     else 'running' end
"""
WANTED = f"where c.district = $1 and ($3::text[] is null or {STATE} = any($3)) and ($4::text is null or c.id = $4)"
COUNT = f"select count(*) from campaign c {WANTED}"
ITEMS = f"""
{organisations.TREE}
select c.id, c.version, c.name, {STATE} as state, c.kinds, c.starts_at, c.ends_at, c.every, c.promise,
  array(select (s.code, s.name) from campaign_area a
        join street s on s.district = a.district and s.code = a.code
        where a.district = c.district and a.campaign = c.id and a.kind = 'street' order by s.code) as streets,
  array(select (k.code, k.name) from campaign_area a
        join community k on k.district = a.district and k.code = a.code
        where a.district = c.district and a.campaign = c.id and a.kind = 'community' order by k.code) as communities,
  array(select (t.id, t.path) from campaign_organisation o join tree t on t.id = o.organisation
        where o.district = c.district and o.campaign = c.id order by t.path) as organisations,
  array(select (q.kind, q.questionnaire, v.title, f.current) from campaign_questionnaire q
        join questionnaire f on f.district = q.district and f.id = q.questionnaire
        left join questionnaire_version v
          on v.district = f.district and v.questionnaire = f.id and v.version = f.current
        where q.district = c.district and q.campaign = c.id order by q.kind) as questionnaires,
  c.created_at, c.created_by, m.name as created_by_name, c.closed_at
from campaign c
left join member m on m.district = c.district and m.id = c.created_by
{WANTED} and ($5::timestamptz is null or (c.starts_at, c.id) < ($5, $6))
order by c.starts_at desc, c.id desc limit $7
"""


async def page(
    conn: Connection,
    reader: Reader,
    zone: ZoneInfo,
    now: datetime,
    *,
    states: Sequence[State] = (),
    limit: int = 50,
    cursor: str | None = None,
    total: bool = True,
) -> CampaignPage:
    """A part of the district's campaigns: what they say is told to everybody who reads visits, and what was found in
    them only within each one's reach. Raises InvalidCursor and NotAllowed."""
    scopes.refuse_who_reads_nothing(reader)
    after = cursors.read(cursor, _Cursor) if cursor else None
    wanted = (reader.district, now, list(states) or None, None)
    rows = await conn.fetch(ITEMS, *wanted, after and after.starts_at, after and after.id, limit + 1)
    reach = await _changes(conn, reader)
    items = [_campaign(row, reach, zone, now) for row in rows[:limit]]
    return CampaignPage(
        items=items,
        next=cursors.write(_Cursor(items[-1].starts_at, items[-1].id)) if len(rows) > limit else None,
        total=await conn.fetchval(COUNT, *wanted) if total else None,
    )


async def seen_by(conn: Connection, reader: Reader, campaign: str, zone: ZoneInfo, now: datetime) -> Campaign:
    """One campaign. Raises NotFound and NotAllowed."""
    scopes.refuse_who_reads_nothing(reader)
    row = await conn.fetchrow(ITEMS, reader.district, now, None, campaign, None, None, 1)
    if row is None:
        raise NotFound
    return _campaign(row, await _changes(conn, reader), zone, now)


async def one(conn: Connection, reader: Reader, campaign: str, zone: ZoneInfo, now: datetime) -> CampaignDetail:
    """One campaign with its history. Raises NotFound and NotAllowed."""
    found = await seen_by(conn, reader, campaign, zone, now)
    about = thing(reader.district, campaign)
    entries = await history.of_thing(conn, reader.district, about)
    given = [_counted(one) for one in await history.about(conn, reader.district, "campaign", about, ASSIGNMENTS_SHOWN)]
    ids = [UUID(entry.actor.id) for entry in [*entries, *given] if entry.actor.kind == "member"]
    names = {str(id_): name for id_, name in (await people.names(conn, reader.district, ids)).items()}
    return CampaignDetail(campaign=found, history=entries, assignments=given, names=names)


def _counted(entry: Entry) -> Entry:
    """An event of doors that were given, with how many: which they are, and whose, is told within each one's reach."""
    facts = {name: entry.facts[name] for name in ("doors", "left", "way") if name in entry.facts}
    return msgspec.structs.replace(entry, facts=facts)


async def _changes(conn: Connection, reader: Reader) -> set[UUID] | None:
    """The organisations whose campaigns the reader changes, None standing for all."""
    if not reader.roles() & {"administrator", "organiser"}:
        return set()
    return await organisations.within(conn, reader)


def _campaign(row: Record, reach: set[UUID] | None, zone: ZoneInfo, now: datetime) -> Campaign:
    plain = ("id", "version", "name", "state", "kinds", "starts_at", "ends_at", "every", "promise", "created_at")
    return Campaign(
        **{name: row[name] for name in plain},
        round=door_states.round_at(row["every"], row["starts_at"], row["ends_at"], zone, now),
        streets=[CommunityName(*street) for street in row["streets"]],
        communities=[CommunityName(*community) for community in row["communities"]],
        organisations=[OrganisationName(*organisation) for organisation in row["organisations"]],
        questionnaires={
            kind: Chosen(id=id_, title=title, version=version) for kind, id_, title, version in row["questionnaires"]
        },
        created_by=Handler(row["created_by"], row["created_by_name"]) if row["created_by"] else None,
        closed_at=row["closed_at"],
        changeable=row["closed_at"] is None and may_change(reach, [id_ for id_, _ in row["organisations"]]),
    )


# --- what a campaign may be chosen from


class Places(Struct, frozen=True):
    """The streets and communities of a district, by code and name; a community with its street's name."""

    streets: list[tuple[str, str]]
    communities: list[tuple[str, str, str | None]]


PLACES = """
select array(select (code, name) from street where district = $1 order by code) as streets,
       array(select (c.code, c.name, s.name) from community c
             left join street s on s.district = c.district and s.code = c.street
             where c.district = $1 order by c.code) as communities
"""


async def places(conn: Connection, district: int) -> Places:
    """Where a campaign can be."""
    (row,) = await conn.fetch(PLACES, district)
    return Places(row["streets"], row["communities"])


COMMUNITIES = """
select c.code, c.name from community c
where c.district = $1 and (not exists (select from campaign_area r where r.district = $1 and r.campaign = $2)
  or exists (select from campaign_area r where r.district = $1 and r.campaign = $2
               and (r.kind, r.code) in (('community', c.code), ('street', c.street))))
order by c.code
"""


async def communities_of(conn: Connection, district: int, campaign: str) -> list[tuple[str, str]]:
    """The communities in which a campaign is, by code and name."""
    return [(row["code"], row["name"]) for row in await conn.fetch(COMMUNITIES, district, campaign)]


class GivenOut(Struct, frozen=True, kw_only=True):
    """A questionnaire that can be filled in now, for one kind of door or for any."""

    id: str
    kind: PremisesKind | None
    title: dict[str, str]


GIVEN_OUT = """
select q.id, q.kind, v.title from questionnaire q
join questionnaire_version v on v.district = q.district and v.questionnaire = q.id and v.version = q.current
where q.district = $1 order by q.id
"""


async def given_out(conn: Connection, district: int) -> list[GivenOut]:
    """The questionnaires that a campaign can be given."""
    return [GivenOut(**row) for row in await conn.fetch(GIVEN_OUT, district)]

"""A proposal as it is looked at, changed by hand, and taken: only then does it hold."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from asyncpg import Connection, Record
from msgspec import Meta, Struct

from surveys.campaigns import assignments, campaigns
from surveys.campaigns.assignment_lists import METRES, Walker
from surveys.campaigns.assignments import MOST_DOORS, MOST_NAMED, Holding, UnknownDoor
from surveys.campaigns.proposals import SILENT, NotReady, State, Way
from surveys.history import request_digest
from surveys.people.people import Reader
from surveys.premises.premises import PremisesKind
from surveys.refusals import IdTaken, NotFound, StaleVersion


class ProposedDoor(Struct, frozen=True, kw_only=True):
    """A door, and who would get it at which place of their way."""

    id: UUID
    kind: PremisesKind
    name: str | None
    address: str | None
    lon: float | None
    lat: float | None
    member: UUID | None
    place: int


class Proposal(Struct, frozen=True, kw_only=True):
    """A proposal: how far it is; once ready, who would get what, how far each walks, and how far all would walk if
    neighbours were simply counted off."""

    id: UUID
    version: int
    state: State
    way: Way
    done: float
    asked_at: datetime
    metres: float | None = None
    plain_metres: float | None = None
    members: list[Walker] = []
    doors: list[ProposedDoor] = []


class Shift(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Doors of a proposal that shall go to another member, or, with none, be left out of it."""

    expected_version: int
    doors: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=MOST_DOORS)]
    member: UUID | None = None


class Acceptance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The proposal as it stands at this version shall hold."""

    id: UUID
    expected_version: int


class Accepted(Struct, frozen=True, kw_only=True):
    """How many doors went to how many members; `left` were somebody's by then, or are no longer there."""

    doors: int
    members: int
    left: int


PROPOSAL = """
select id, version, state, way, again, done, asked_at, beat_at, plain_metres from proposal
where district = $1 and campaign = $2 and id = $3 and asked_by = $4
"""
LOCK = f"{PROPOSAL} for update"
DOORS = """
select p.id, p.kind, p.lon, p.lat, t.body->>'name' as name, t.body->>'address' as address, d.member, d.place
from proposal_door d
join premises p on p.district = d.district and p.id = d.premises
left join text_version t on t.district = p.district and t.subject = p.id and t.version = p.text_version
where d.district = $1 and d.proposal = $2 order by d.member, d.place, p.id
"""
WALKERS = f"""
with way as (
  select d.member, d.place, p.lon, p.lat,
         lag(p.lon) over along as from_lon, lag(p.lat) over along as from_lat
  from proposal_door d join premises p on p.district = d.district and p.id = d.premises
  where d.district = $1 and d.proposal = $2 and d.member is not null
  window along as (partition by d.member order by d.place)
)
select m.id, m.name, m.number, m.organisation, o.name as organisation_name, false as away, count(*) as doors,
       {METRES} as metres
from way join member m on m.district = $1 and m.id = way.member
join organisation o on o.district = $1 and o.id = m.organisation
group by m.id, m.name, m.number, m.organisation, o.name order by o.name, m.number
"""


async def read(conn: Connection, reader: Reader, campaign: str, proposal: UUID, now: datetime) -> Proposal:
    """One's own proposal. Raises NotFound and NotAllowed."""
    reader.require(*assignments.ASSIGNERS)
    row = await conn.fetchrow(PROPOSAL, reader.district, campaign, proposal, reader.member)
    if row is None:
        raise NotFound
    return await _proposal(conn, reader.district, row, now)


async def _proposal(conn: Connection, district: int, row: Record, now: datetime) -> Proposal:
    gone = row["state"] == "under_way" and row["beat_at"] + SILENT <= now
    found = Proposal(
        id=row["id"],
        version=row["version"],
        state="failed" if gone else row["state"],
        way=row["way"],
        done=round(row["done"], 3),
        asked_at=row["asked_at"],
    )
    if found.state != "ready":
        return found
    members = [Walker(**walker) for walker in await conn.fetch(WALKERS, district, row["id"])]
    doors = [ProposedDoor(**door) for door in await conn.fetch(DOORS, district, row["id"])]
    return Proposal(
        **{name: getattr(found, name) for name in ("id", "version", "state", "way", "done", "asked_at")},
        metres=sum(walker.metres for walker in members),
        plain_metres=row["plain_metres"],
        members=members,
        doors=doors,
    )


async def _locked(conn: Connection, reader: Reader, campaign: str, proposal: UUID, expected: int | None) -> Record:
    reader.require(*assignments.ASSIGNERS)
    row = await conn.fetchrow(LOCK, reader.district, campaign, proposal, reader.member)
    if row is None:
        raise NotFound
    if row["state"] != "ready":
        raise NotReady(state=row["state"])
    if expected is not None and expected != row["version"]:
        raise StaleVersion("expected_version", version=row["version"])
    return row


# --- changed by hand

OF_PROPOSAL = "select premises from proposal_door where district = $1 and proposal = $2 and premises = any($3)"
WAY = """
select premises from proposal_door where district = $1 and proposal = $2 and member = $3 order by place, premises
"""
LEAVE_OUT = "delete from proposal_door where district = $1 and proposal = $2 and premises = any($3)"
GIVE = """
update proposal_door d set member = $3, organisation = $4, place = g.place
from unnest($5::uuid[], $6::int[]) g(premises, place)
where d.district = $1 and d.proposal = $2 and d.premises = g.premises
"""
STAMP = "update proposal set version = version + 1 where district = $1 and id = $2"


async def shift(
    conn: Connection, reader: Reader, campaign: str, proposal: UUID, asked: Shift, now: datetime
) -> Proposal:
    """Give doors of a proposal to another member, each where it makes their way least longer, or leave them out.

    Raises NotFound, NotReady, StaleVersion, UnknownDoor, UnknownMember, MemberAway or NotOfTheCampaign."""
    await _locked(conn, reader, campaign, proposal, asked.expected_version)
    doors = list(dict.fromkeys(asked.doors))
    known = {row["premises"] for row in await conn.fetch(OF_PROPOSAL, reader.district, proposal, doors)}
    for at, door in enumerate(doors):
        if door not in known:
            raise UnknownDoor(f"doors[{at}]", given=str(door))
    if asked.member is None:
        await conn.execute(LEAVE_OUT, reader.district, proposal, doors)
    else:
        able = await assignments.able_members(conn, reader, campaign, [asked.member], now)
        held = [row["premises"] for row in await conn.fetch(WAY, reader.district, proposal, asked.member)]
        order = await assignments.ordered(conn, reader.district, held, doors)
        places = list(range(1, len(order) + 1))
        await conn.execute(GIVE, reader.district, proposal, asked.member, able[asked.member], order, places)
    await conn.execute(STAMP, reader.district, proposal)
    return await read(conn, reader, campaign, proposal, now)


# --- taken

# What would go to whom, but for doors that are no longer there, or that somebody was given since it was asked for.
TAKEN = """
select d.premises, d.organisation, d.member
from proposal_door d
join proposal o on o.district = d.district and o.id = d.proposal
join premises p on p.district = d.district and p.id = d.premises and p.state in ('confirmed', 'proposed')
left join assignment a on a.district = d.district and a.campaign = o.campaign and a.premises = d.premises
where d.district = $1 and d.proposal = $2
  and (a.premises is null or a.assigned_at <= o.asked_at)
order by d.member, d.place
"""
COUNT = "select count(*) from proposal_door where district = $1 and proposal = $2"
ACCEPT = "update proposal set state = 'accepted', version = version + 1 where district = $1 and id = $2"
FORGET_DOORS = "delete from proposal_door where district = $1 and proposal = $2"
TOLD_BEFORE = "select actor, request, facts from history where district = $1 and id = $2"


async def accept(
    conn: Connection, reader: Reader, campaign: str, proposal: UUID, asked: Acceptance, now: datetime
) -> Accepted:
    """Let a proposal hold; the same again gets its first answer.

    Raises NotFound, CampaignClosed, CampaignOver, NotReady, StaleVersion, UnknownMember, MemberAway, NotOfTheCampaign
    or IdTaken."""
    reader.require(*assignments.ASSIGNERS)
    held = await campaigns.lock(conn, reader.district, campaign)
    if before := await _told_before(conn, reader, asked):
        return before
    campaigns.refuse_closed(held)
    assignments.refuse_over(held, now)
    row = await _locked(conn, reader, campaign, proposal, asked.expected_version)
    rows = await conn.fetch(TAKEN, reader.district, proposal)
    given = await _holdings(conn, reader, campaign, rows)
    members = [member for _, member, _ in given if member is not None]
    await assignments.able_members(conn, reader, campaign, members, now)
    await assignments.write(conn, reader, campaign, given, "area" if row["way"] == "area" else "proposal", now)
    count: int = await conn.fetchval(COUNT, reader.district, proposal)
    await conn.execute(ACCEPT, reader.district, proposal)
    await conn.execute(FORGET_DOORS, reader.district, proposal)
    done = Accepted(doors=len(rows), members=len(members), left=count - len(rows))
    facts: dict[str, object] = {
        "proposal": proposal,
        "way": row["way"],
        "doors": done.doors,
        "left": done.left,
        "taken_by": done.members,
        "members": sorted(str(member) for member in members)[:MOST_NAMED],
        "organisations": sorted({str(organisation) for organisation, _, _ in given})[:MOST_NAMED],
    }
    await assignments.tell(conn, reader, campaign, asked.id, "assign", facts, request_digest(asked), now)
    return done


async def _told_before(conn: Connection, reader: Reader, asked: Acceptance) -> Accepted | None:
    first = await conn.fetchrow(TOLD_BEFORE, reader.district, asked.id)
    if first is None:
        return None
    if (first["actor"], first["request"]) != (str(reader.member), request_digest(asked)):
        raise IdTaken("id")
    facts = first["facts"]
    return Accepted(doors=facts["doors"], members=facts["taken_by"], left=facts["left"])


async def _holdings(conn: Connection, reader: Reader, campaign: str, rows: Sequence[Record]) -> list[Holding]:
    """What goes to each member, put between what they hold beside it, if anything."""
    ways: dict[tuple[UUID, UUID | None], list[UUID]] = {}
    for row in rows:
        ways.setdefault((row["organisation"], row["member"]), []).append(row["premises"])
    changing = {row["premises"] for row in rows}
    found: list[Holding] = []
    for (organisation, member), doors in ways.items():
        kept = await assignments.held_by(conn, reader.district, campaign, member, but=changing) if member else []
        order = await assignments.ordered(conn, reader.district, kept, doors) if kept else doors
        found.append((organisation, member, order))
    return found

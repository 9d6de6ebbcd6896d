"""Who visits which door in a campaign: an organisation, and of it a member, who walks their doors in an order.

Given by hand, taken away again, or written as a proposal was accepted (surveys/campaigns/proposals.py)."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.campaigns import campaigns, walking_routes
from surveys.history import Actor, event_row, request_digest
from surveys.people import organisations, people, scopes
from surveys.people.people import Reader, Role
from surveys.people.scopes import Parameters
from surveys.refusals import Conflict, IdTaken, Invalid, MemberAway, UnknownMember, UnknownOrganisation

Means = Literal["area", "hand", "proposal"]

ASSIGNERS: tuple[Role, ...] = ("administrator", "organiser", "community_worker", "dispatcher")
MOST_DOORS = 5_000  # of one request
MOST_NAMED = 100  # doors that an event names; of more it tells the count


class UnknownDoor(Invalid):
    """No door of this campaign that the reader sees, or one that is no longer there."""

    code = "unknown_door"


class NotOfTheCampaign(Invalid):
    """A member of none of the organisations that visit in this campaign."""

    code = "not_of_the_campaign"


class CampaignOver(Conflict):
    """A campaign that has ended: nothing more is assigned in it."""

    code = "campaign_over"


class AssignmentDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Doors for a member, or for an organisation whose members are chosen later; with neither they are taken away."""

    id: UUID
    doors: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=MOST_DOORS)]
    member: UUID | None = None
    organisation: UUID | None = None


class Assigned(Struct, frozen=True, kw_only=True):
    """How many doors went to somebody, and from how many members some were taken."""

    doors: int
    members: int


class Spot(Struct, frozen=True, kw_only=True):
    """A door as its place in a walking order is found."""

    id: UUID
    lon: float | None
    lat: float | None
    address: str = ""
    community: str = ""


async def assign(conn: Connection, reader: Reader, campaign: str, asked: AssignmentDraft, now: datetime) -> Assigned:
    """Give doors to somebody, or take them away; the same again gets its first answer.

    Raises NotAllowed, NotFound, CampaignClosed, CampaignOver, UnknownDoor, UnknownMember, MemberAway,
    UnknownOrganisation, NotOfTheCampaign or IdTaken."""
    reader.require(*ASSIGNERS)
    held = await campaigns.lock(conn, reader.district, campaign)
    if before := await _asked_before(conn, reader, asked):
        return before
    campaigns.refuse_closed(held)
    refuse_over(held, now)
    doors = list(dict.fromkeys(asked.doors))
    await _refuse_unknown(conn, reader, campaign, doors)
    to = await _taker(conn, reader, campaign, asked, now)
    losing = await _holders(conn, reader.district, campaign, doors)
    if to is None:
        await conn.execute(TAKE_AWAY, reader.district, campaign, doors)
    else:
        organisation, member = to
        kept = await held_by(conn, reader.district, campaign, member) if member else []
        order = await ordered(conn, reader.district, kept, doors)
        await write(conn, reader, campaign, [(organisation, member, order)], "hand", now)
        losing -= {member}
    done = Assigned(doors=len(doors), members=len(losing - {None}))
    await _tell(conn, reader, campaign, asked, done, to, losing, now)
    return done


def refuse_over(held: campaigns.Held, now: datetime) -> None:
    """Raises CampaignOver once the campaign has ended."""
    if held.ends_at <= now:
        raise CampaignOver


ASKED_BEFORE = "select actor, request, facts from history where district = $1 and id = $2"


async def _asked_before(conn: Connection, reader: Reader, asked: AssignmentDraft) -> Assigned | None:
    first = await conn.fetchrow(ASKED_BEFORE, reader.district, asked.id)
    if first is None:
        return None
    if (first["actor"], first["request"]) != (str(reader.member), request_digest(asked)):
        raise IdTaken("id")
    return Assigned(doors=first["facts"]["doors"], members=first["facts"]["taken_from"])


# --- which doors, and for whom


async def _refuse_unknown(conn: Connection, reader: Reader, campaign: str, doors: Sequence[UUID]) -> None:
    """Raises UnknownDoor for the first that is none of the campaign's within the reader's reach."""
    parameter = Parameters(reader.district, campaign, doors)
    reached = (await scopes.reach(conn, reader)).condition(parameter, "premises", "p") or "true"
    rows = await conn.fetch(f"{campaigns.DOORS} and p.id = any($3) and {reached}", *parameter.values)
    known = {row["id"] for row in rows}
    for at, door in enumerate(doors):
        if door not in known:
            raise UnknownDoor(f"doors[{at}]", given=str(door))


async def answered_for(conn: Connection, district: int, organisation: UUID, parameter: Parameters) -> str:
    """The condition on a door `p` that an organisation, or one below it, answers for it or has been given it."""
    (found,) = await conn.fetch(scopes.REACH, district, [organisation], [], [])
    return (
        f"(p.community = any({parameter(found['communities'])}::text[])"
        f" or p.id = any({parameter(found['premises'])}::uuid[])"
        f" or exists (select from assignment h where h.district = $1 and h.campaign = $2 and h.premises = p.id"
        f" and h.organisation = any({parameter(found['organisations'])}::uuid[])))"
    )


async def _taker(
    conn: Connection, reader: Reader, campaign: str, asked: AssignmentDraft, now: datetime
) -> tuple[UUID, UUID | None] | None:
    """The organisation and member who get the doors; None, where they are taken away."""
    if asked.member is not None:
        able = await able_members(conn, reader, campaign, [asked.member], now)
        return able[asked.member], asked.member
    if asked.organisation is None:
        return None
    if asked.organisation not in await organisations_of(conn, reader, campaign):
        raise UnknownOrganisation("organisation", given=asked.organisation)
    return asked.organisation, None


async def organisations_of(conn: Connection, reader: Reader, campaign: str) -> set[UUID]:
    """The organisations that visit in this campaign, of those to whose members the reader may give doors."""
    everything = await organisations.open_paths(conn, reader.district)
    named = (await campaigns.terms_of(conn, reader.district, campaign)).organisations
    visiting = await organisations.below(conn, reader.district, named) if named else set(everything)
    mine = set(everything)
    if not reader.roles() & {"administrator", "community_worker", "dispatcher"}:
        mine = await organisations.within(conn, reader) or mine
    return visiting & mine & set(everything)


async def able_members(
    conn: Connection, reader: Reader, campaign: str, members: Collection[UUID], now: datetime, field: str = "member"
) -> dict[UUID, UUID]:
    """The organisation of each of these, who can all be given doors.

    Raises UnknownMember for who has left, MemberAway for who is away, NotOfTheCampaign for who does not visit in it or
    is not the reader's to give doors to."""
    there = await people.open_members(conn, reader.district, list(members))
    present = await people.present(conn, reader.district, list(members), now)
    visiting = await organisations_of(conn, reader, campaign)
    for member in members:
        if member not in there:
            raise UnknownMember(field, given=str(member))
        if there[member] not in visiting:
            raise NotOfTheCampaign(field, given=str(member))
        if member not in present:
            raise MemberAway(field, given=str(member))
    return {member: there[member] for member in members}


HOLDERS = """
select distinct member from assignment where district = $1 and campaign = $2 and premises = any($3)
"""


async def _holders(conn: Connection, district: int, campaign: str, doors: Sequence[UUID]) -> set[UUID | None]:
    return {row["member"] for row in await conn.fetch(HOLDERS, district, campaign, doors)}


# --- in which order


SPOTS = """
select p.id, p.lon, p.lat, coalesce(p.community, '') as community, coalesce(t.body->>'address', '') as address
from premises p
left join text_version t on t.district = p.district and t.subject = p.id and t.version = p.text_version
where p.district = $1 and p.id = any($2)
"""
HELD = """
select premises from assignment where district = $1 and campaign = $2 and member = $3
order by place = 0, place, premises
"""


async def held_by(
    conn: Connection, district: int, campaign: str, member: UUID, but: Collection[UUID] = ()
) -> list[UUID]:
    """The doors that a member has, as they walk them, but for some."""
    rows = await conn.fetch(HELD, district, campaign, member)
    return [row["premises"] for row in rows if row["premises"] not in but]


async def ordered(conn: Connection, district: int, held: Sequence[UUID], new: Sequence[UUID]) -> list[UUID]:
    """Doors with further ones put between them, each where it makes the way least longer, and without detours."""
    known = await spots(conn, district, [*held, *new])
    return await asyncio.to_thread(arranged, known, held, new)


async def spots(conn: Connection, district: int, doors: Sequence[UUID]) -> dict[UUID, Spot]:
    """These doors as their order needs them."""
    return {row["id"]: Spot(**row) for row in await conn.fetch(SPOTS, district, list(doors))}


def arranged(known: Mapping[UUID, Spot], held: Sequence[UUID], new: Sequence[UUID]) -> list[UUID]:
    """Doors in walking order, further ones put between them; those without a position come last, by address."""
    added = [door for door in new if door not in set(held)]
    every = [*held, *added]
    placed = [door for door in every if known[door].lon is not None]
    number = {door: at for at, door in enumerate(placed)}
    points = walking_routes.on_plane([(known[door].lon or 0.0, known[door].lat or 0.0) for door in placed])
    way = walking_routes.inserted(
        points, [number[door] for door in held if door in number], [number[door] for door in added if door in number]
    )
    way = walking_routes.untangled(points, way)
    rest = sorted((door for door in every if door not in number), key=lambda door: by_address(known[door]))
    return [placed[at] for at in way] + rest


def by_address(spot: Spot) -> tuple[str, str, UUID]:
    """Doors without a position, as their addresses follow one another."""
    return spot.community, spot.address, spot.id


# --- written


TAKE_AWAY = "delete from assignment where district = $1 and campaign = $2 and premises = any($3)"

# Doors for their holders, at the places of their ways; whoever held one before does so no longer.
WRITE = """
insert into assignment (district, campaign, premises, organisation, member, place, means, assigned_at, assigned_by)
select $1::int, $2::text, premises, organisation, member, place, $3::text, $4::timestamptz, $5::uuid
from unnest($6::uuid[], $7::uuid[], $8::uuid[], $9::int[]) a(premises, organisation, member, place)
order by premises
on conflict (district, campaign, premises) do update set
  organisation = excluded.organisation, member = excluded.member, place = excluded.place,
  means = case when assignment.member is not distinct from excluded.member then assignment.means
               else excluded.means end,
  assigned_at = case when assignment.member is not distinct from excluded.member then assignment.assigned_at
                     else excluded.assigned_at end,
  assigned_by = case when assignment.member is not distinct from excluded.member then assignment.assigned_by
                     else excluded.assigned_by end
"""

Holding = tuple[UUID, UUID | None, Sequence[UUID]]  # an organisation, its member, and their doors in walking order


async def write(
    conn: Connection, reader: Reader, campaign: str, holdings: Iterable[Holding], means: Means, now: datetime
) -> None:
    """Write who holds which doors, in which order; what an organisation holds without a member has none."""
    rows = [
        (door, organisation, member, place if member else 0)
        for organisation, member, doors in holdings
        for place, door in enumerate(doors, start=1)
    ]
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[], [], [], []]
    await conn.execute(WRITE, reader.district, campaign, means, now, reader.member, *columns)


async def _tell(
    conn: Connection,
    reader: Reader,
    campaign: str,
    asked: AssignmentDraft,
    done: Assigned,
    to: tuple[UUID, UUID | None] | None,
    losing: Collection[UUID | None],
    now: datetime,
) -> None:
    facts: dict[str, object] = {"doors": done.doors, "taken_from": done.members}
    if to is not None:
        facts |= {"organisation": to[0], "member": to[1]}
    facts["members"] = sorted(str(member) for member in losing if member)[:MOST_NAMED]
    if done.doors <= MOST_NAMED:
        facts["premises"] = list(asked.doors)
    await tell(conn, reader, campaign, asked.id, "assign" if to else "take_away", facts, request_digest(asked), now)


async def tell(
    conn: Connection,
    reader: Reader,
    campaign: str,
    id_: UUID,
    event: Literal["assign", "take_away"],
    facts: Mapping[str, object],
    request: bytes,
    now: datetime,
) -> None:
    """Write one event about all doors that went to others; it is about the campaign, and no version of it."""
    about = campaigns.thing(reader.district, campaign)
    told = event_row(
        district=reader.district,
        id=id_,
        kind="campaign",
        thing=id_,
        version=1,
        event=event,
        actor=Actor("member", str(reader.member)),
        happened_at=now,
        recorded_at=now,
        facts={"campaign": campaign, "about": str(about), **facts},
        request=request,
    )
    await history.append(conn, [told], [])

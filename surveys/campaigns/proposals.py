"""Who might visit which door, as the program proposes it: shown first, changed by hand, and only then taken.

Two ways: `area` gives each organisation the doors in what it answers for, and divides them among its own members;
`route` divides the doors among chosen members, whatever their organisations answer for. Either divides evenly, counting
what each holds already, close together, in an order to be walked. Who is away or has left gets none."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from asyncpg import Connection
from msgspec import Meta, Struct

from surveys.campaigns import assignments, campaigns, walking_routes
from surveys.campaigns.assignments import ASSIGNERS, Holding, Spot
from surveys.people import organisations, people, scopes
from surveys.people.people import Reader
from surveys.people.scopes import Parameters
from surveys.refusals import (
    Conflict,
    IdTaken,
    Invalid,
    UnknownCommunity,
    UnknownOrganisation,
)

Way = Literal["area", "route"]
State = Literal["under_way", "ready", "failed", "accepted"]

MOST_DOORS = 20_000
MOST_MEMBERS = 1_000
SILENT = timedelta(minutes=2)  # after which whoever worked at a proposal is taken to be gone


class NothingToDivide(Conflict):
    """No door without somebody, or nobody who could take one."""

    code: ClassVar[str] = "nothing_to_divide"


class TooManyDoors(Invalid):
    """More than are divided at once; a community or an organisation makes it fewer."""

    code: ClassVar[str] = "too_many_doors"


class TooManyMembers(Invalid):
    """More than doors are divided among at once; an organisation makes it fewer."""

    code: ClassVar[str] = "too_many_members"


class NotReady(Conflict):
    """A proposal that is still being worked at, came to nothing, or was accepted already."""

    code: ClassVar[str] = "proposal_not_ready"


class ProposalDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is to be divided: the doors that nobody has, or with `again` all of them; of a community, or of what an
    organisation with all below it answers for; among its members, or those that are named."""

    id: UUID
    way: Way = "route"
    organisation: UUID | None = None
    community: Annotated[str, Meta(max_length=100)] | None = None
    members: Annotated[tuple[UUID, ...], Meta(max_length=MOST_MEMBERS)] = ()
    again: bool = False


class Party(Struct, frozen=True, kw_only=True):
    """Doors of one organisation, or of all together, and those among whom they are divided."""

    organisation: UUID | None
    doors: list[Spot]
    members: list[UUID]
    homes: list[UUID]  # each member's organisation
    held: list[int]  # how many doors each has that stay theirs
    near: list[tuple[float, float] | None]  # the middle of those


async def ask(conn: Connection, reader: Reader, campaign: str, asked: ProposalDraft, now: datetime) -> list[Party]:
    """Write down that a proposal is being made, and return what is to be divided; empty, where it was asked for before.

    Raises NotAllowed, NotFound, CampaignClosed, CampaignOver, UnknownOrganisation, UnknownCommunity, UnknownMember,
    MemberAway, NotOfTheCampaign, NothingToDivide, TooManyDoors, TooManyMembers or
    IdTaken."""
    reader.require(*ASSIGNERS)
    held = await campaigns.lock(conn, reader.district, campaign)
    campaigns.refuse_closed(held)
    assignments.refuse_over(held, now)
    if await _asked_before(conn, reader, campaign, asked):
        return []
    members = await _members(conn, reader, campaign, asked, now)
    doors = await _doors(conn, reader, campaign, asked)
    parties = await _parties(conn, reader, campaign, asked, doors, members)
    if not any(party.doors for party in parties):
        raise NothingToDivide
    await conn.execute(FORGET, reader.district, reader.member, campaign)
    await conn.execute(ASK, reader.district, asked.id, campaign, asked.way, asked.again, reader.member, now)
    return parties


ASKED = "select campaign, way, again, asked_by from proposal where district = $1 and id = $2"
# Whoever asks anew has no more use for what they did not take.
FORGET = "delete from proposal where district = $1 and asked_by = $2 and campaign = $3 and state <> 'accepted'"
ASK = """
insert into proposal (district, id, campaign, version, state, way, again, asked_by, asked_at, beat_at, done)
values ($1, $2, $3, 1, 'under_way', $4, $5, $6, $7, $7, 0)
"""


async def _asked_before(conn: Connection, reader: Reader, campaign: str, asked: ProposalDraft) -> bool:
    row = await conn.fetchrow(ASKED, reader.district, asked.id)
    if row is not None and tuple(row) != (campaign, asked.way, asked.again, reader.member):
        raise IdTaken("id")
    return row is not None


# --- who, and which doors

MEMBERS = "select id from member where district = $1 and organisation = any($2) and closed_at is null order by number"


async def _members(
    conn: Connection, reader: Reader, campaign: str, asked: ProposalDraft, now: datetime
) -> dict[UUID, UUID]:
    """Those among whom doors are divided, each with their organisation: those named, or all who are there."""
    if asked.members:
        named = list(dict.fromkeys(asked.members))
        return await assignments.able_members(conn, reader, campaign, named, now, "members")
    rows = await conn.fetch(MEMBERS, reader.district, list(await _visiting(conn, reader, campaign, asked)))
    there = await people.open_members(conn, reader.district, [row["id"] for row in rows])
    present = await people.present(conn, reader.district, list(there), now)
    return {row["id"]: there[row["id"]] for row in rows if row["id"] in present}


async def _visiting(conn: Connection, reader: Reader, campaign: str, asked: ProposalDraft) -> set[UUID]:
    """The organisations whose members may get doors."""
    visiting = await assignments.organisations_of(conn, reader, campaign)
    if asked.organisation is None:
        return visiting
    if asked.organisation not in visiting:
        raise UnknownOrganisation("organisation", given=asked.organisation)
    return visiting & await organisations.below(conn, reader.district, [asked.organisation])


COMMUNITY = "select exists (select from community where district = $1 and code = $2)"
# Nobody has it: what an organisation has is still to be divided among its members, and who has left has nothing.
FREE = """
not exists (select from assignment a join member m on m.district = a.district and m.id = a.member
            where a.district = $1 and a.campaign = $2 and a.premises = p.id and m.closed_at is null)
"""


async def _doors(conn: Connection, reader: Reader, campaign: str, asked: ProposalDraft) -> dict[UUID, Spot]:
    """The confirmed doors to be divided, within the reader's reach."""
    parameter = Parameters(reader.district, campaign)
    wheres = ["p.state = 'confirmed'"]
    wheres.append((await scopes.reach(conn, reader)).condition(parameter, "premises", "p") or "true")
    if asked.community is not None:
        if not await conn.fetchval(COMMUNITY, reader.district, asked.community):
            raise UnknownCommunity("community", given=asked.community)
        wheres.append(f"p.community = {parameter(asked.community)}")
    if asked.organisation is not None:
        wheres.append(await assignments.answered_for(conn, reader.district, asked.organisation, parameter))
    if not asked.again:
        wheres.append(FREE)
    question = f"{campaigns.DOORS} and {' and '.join(wheres)} limit {parameter(MOST_DOORS + 1)}"
    ids = [row["id"] for row in await conn.fetch(question, *parameter.values)]
    if len(ids) > MOST_DOORS:
        raise TooManyDoors("community", most=MOST_DOORS)
    return await assignments.spots(conn, reader.district, ids)


# --- what is divided among whom


async def _parties(
    conn: Connection,
    reader: Reader,
    campaign: str,
    asked: ProposalDraft,
    doors: Mapping[UUID, Spot],
    members: Mapping[UUID, UUID],
) -> list[Party]:
    loads = {} if asked.again else await _loads(conn, reader.district, campaign, list(members))
    if asked.way == "route":
        if not members:
            raise NothingToDivide
        if len(members) > MOST_MEMBERS:
            raise TooManyMembers("organisation", most=MOST_MEMBERS)
        return [_party(None, list(doors.values()), members, loads)]
    among = set(members.values()) if asked.members else await _visiting(conn, reader, campaign, asked)
    answering = await _answering(conn, reader.district, doors, among)
    by_organisation: dict[UUID, list[Spot]] = defaultdict(list)
    for door, organisation in answering.items():
        by_organisation[organisation].append(doors[door])
    return [
        _party(organisation, of_it, {m: home for m, home in members.items() if home == organisation}, loads)
        for organisation, of_it in sorted(by_organisation.items())
    ]


class _Load(Struct, frozen=True):
    """What a member holds already: how many doors, and their middle."""

    doors: int
    lon: float | None
    lat: float | None


LOADS = """
select a.member, count(*) as doors, avg(p.lon) as lon, avg(p.lat) as lat
from assignment a join premises p on p.district = a.district and p.id = a.premises
where a.district = $1 and a.campaign = $2 and a.member = any($3) group by a.member
"""


async def _loads(conn: Connection, district: int, campaign: str, members: Sequence[UUID]) -> dict[UUID, _Load]:
    rows = await conn.fetch(LOADS, district, campaign, members)
    return {row["member"]: _Load(row["doors"], row["lon"], row["lat"]) for row in rows}


def _party(
    organisation: UUID | None, doors: list[Spot], members: Mapping[UUID, UUID], loads: Mapping[UUID, _Load]
) -> Party:
    of = [loads.get(member, _Load(0, None, None)) for member in members]
    return Party(
        organisation=organisation,
        doors=sorted(doors, key=lambda door: door.id),
        members=list(members),
        homes=list(members.values()),
        held=[load.doors for load in of],
        near=[None if load.lon is None or load.lat is None else (load.lon, load.lat) for load in of],
    )


# The organisation that answers for each door: for the door itself before its community, and for that before its street;
# of several the one that hangs lowest in the tree.
ANSWERING = f"""
{organisations.TREE}
select distinct on (p.id) p.id, a.organisation
from premises p
left join community c on c.district = p.district and c.code = p.community
join organisation_area a on a.district = p.district and (a.kind, a.code) in
  (('premises', p.id::text), ('community', p.community), ('street', c.street))
join tree t on t.id = a.organisation and t.closed_at is null
where p.district = $1 and p.id = any($2) and a.organisation = any($3)
order by p.id, array_position(array['premises', 'community', 'street'], a.kind), array_length(t.line, 1) desc,
  a.organisation
"""


async def _answering(conn: Connection, district: int, doors: Mapping[UUID, Spot], among: set[UUID]) -> dict[UUID, UUID]:
    rows = await conn.fetch(ANSWERING, district, list(doors), list(among))
    return {row["id"]: row["organisation"] for row in rows}


# --- what came of it


class Division(Struct, frozen=True, kw_only=True):
    """A party as the solver is asked about it: the doors with a position, how many of them each member gets, and how
    many of the others."""

    placed: list[Spot]
    rest: list[Spot]
    shares: list[int]
    shares_of_rest: list[int]


def division(party: Party) -> Division:
    """How many doors of a party each member gets, those without a position divided as evenly as the others."""
    placed = [door for door in party.doors if door.lon is not None]
    rest = sorted((door for door in party.doors if door.lon is None), key=assignments.by_address)
    shares = walking_routes.shares(len(party.doors), party.held)
    of_rest = walking_routes.shares(len(rest), [0] * len(shares))
    for at, share in enumerate(shares):  # nobody gets more of the rest than they get at all
        of_rest[at] = min(of_rest[at], share)
    left = len(rest) - sum(of_rest)
    for at, share in enumerate(shares):
        more = min(left, share - of_rest[at])
        of_rest[at] += more
        left -= more
    return Division(
        placed=placed,
        rest=rest,
        shares=[share - other for share, other in zip(shares, of_rest, strict=True)],
        shares_of_rest=of_rest,
    )


def holdings(party: Party, divided: Division, routes: Sequence[Sequence[int]]) -> list[Holding]:
    """What each member gets: their way, then the doors without a position in their communities, by address."""
    ways = [[divided.placed[at] for at in route] for route in routes]
    rest = list(divided.rest)
    found: list[Holding] = []
    in_order = sorted(range(len(ways)), key=lambda at: _mostly_in(ways[at]))
    further: dict[int, list[Spot]] = {}
    for at in in_order:
        further[at], rest = rest[: divided.shares_of_rest[at]], rest[divided.shares_of_rest[at] :]
    for at, (member, home) in enumerate(zip(party.members, party.homes, strict=True)):
        if doors := [spot.id for spot in [*ways[at], *further[at]]]:
            found.append((home, member, doors))
    return found


def _mostly_in(way: Sequence[Spot]) -> str:
    counts = Counter(door.community for door in way)
    return max(counts, key=lambda community: (counts[community], community)) if counts else ""


def plain_metres(divided: Division) -> float:
    """How far all would walk if neighbours by their cells were simply counted off."""
    points = walking_routes.on_plane([(door.lon or 0.0, door.lat or 0.0) for door in divided.placed])
    order = walking_routes.by_cell(points)
    ends = [sum(divided.shares[: at + 1]) for at in range(len(divided.shares))]
    ways = [order[end - share : end] for end, share in zip(ends, divided.shares, strict=True)]
    return sum(walking_routes.length(points[way]) for way in ways)


BEAT = "update proposal set done = $3, beat_at = $4 where district = $1 and id = $2 and state = 'under_way'"


async def beat(conn: Connection, district: int, proposal: UUID, done: float, now: datetime) -> None:
    """Say that a proposal is being worked at, and how far it is."""
    await conn.execute(BEAT, district, proposal, done, now)


FAIL = "update proposal set state = 'failed' where district = $1 and id = $2 and state = 'under_way'"


async def fail(conn: Connection, district: int, proposal: UUID) -> None:
    """Say that a proposal came to nothing."""
    await conn.execute(FAIL, district, proposal)


FINISH = """
update proposal set state = 'ready', done = 1, plain_metres = $3 where district = $1 and id = $2
returning id
"""
KEEP = """
insert into proposal_door (district, proposal, premises, organisation, member, place)
select $1::int, $2::uuid, premises, organisation, member, place
from unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::int[]) d(premises, organisation, member, place)
"""


async def finish(conn: Connection, district: int, proposal: UUID, found: Sequence[Holding], plain: float) -> None:
    """Keep what was found, unless the proposal was forgotten meanwhile."""
    if await conn.fetchval(FINISH, district, proposal, plain) is None:
        return
    rows = [
        (door, organisation, member, place if member else 0)
        for organisation, member, doors in found
        for place, door in enumerate(doors, start=1)
    ]
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[], [], [], []]
    await conn.execute(KEEP, district, proposal, *columns)

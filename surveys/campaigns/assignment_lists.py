"""The doors of a campaign with who has them, and the members with how many they have and how far they walk."""

from datetime import datetime
from uuid import UUID

from asyncpg import Connection, Record
from msgspec import Struct

from surveys import cursors
from surveys.campaigns import assignments, campaigns
from surveys.issues.placing import CommunityName
from surveys.people import organisations, people, scopes
from surveys.people.people import Handler, Reader
from surveys.people.scopes import Parameters
from surveys.premises.premises import PremisesKind, PremisesState
from surveys.refusals import UnknownOrganisation

# How far a way is, of rows with a place and the place before it.
METRES = """
coalesce(sum(111195 * sqrt(power((lon - from_lon) * cos(radians(lat)), 2) + power(lat - from_lat, 2))), 0)
"""


class AssignedDoor(Struct, frozen=True, kw_only=True):
    """A door of a campaign, and who has it."""

    id: UUID
    kind: PremisesKind
    state: PremisesState
    name: str | None
    address: str | None
    lon: float | None
    lat: float | None
    community: CommunityName | None
    organisation: UUID | None
    member: Handler | None
    place: int


class AssignmentPage(Struct, frozen=True, kw_only=True):
    """A part of a campaign's doors; `total` counts all parts."""

    items: list[AssignedDoor]
    next: str | None
    total: int | None = None


class Walker(Struct, frozen=True, kw_only=True):
    """A member, how many doors they have, and how far they walk from the first to the last."""

    id: UUID
    name: str
    number: str
    organisation: UUID
    organisation_name: str
    away: bool
    doors: int
    metres: float


class Wanted(Struct, frozen=True, kw_only=True):
    """Which doors are asked for: of a community, of what an organisation answers for or was given, of a member; `held`
    tells whether somebody has them."""

    community: str | None = None
    organisation: UUID | None = None
    member: UUID | None = None
    held: bool | None = None


class _Cursor(Struct, frozen=True, array_like=True):
    id: UUID


ITEMS = """
select p.id, p.kind, p.state, p.lon, p.lat, p.community, c.name as community_name, t.body as texts, a.organisation,
       a.member, m.name as member_name, coalesce(a.place, 0) as place
from ({doors}) d
join premises p on p.district = $1 and p.id = d.id
left join assignment a on a.district = $1 and a.campaign = $2 and a.premises = p.id
left join member m on m.district = $1 and m.id = a.member
left join community c on c.district = $1 and c.code = p.community
left join text_version t on t.district = $1 and t.subject = p.id and t.version = p.text_version
"""


async def page(
    conn: Connection,
    reader: Reader,
    campaign: str,
    wanted: Wanted,
    *,
    limit: int = 50,
    cursor: str | None = None,
    total: bool = True,
) -> AssignmentPage:
    """A part of a campaign's doors within the reader's reach. Raises NotFound, NotAllowed and InvalidCursor."""
    after = cursors.read(cursor, _Cursor) if cursor else None
    reach = await scopes.reach(conn, reader)
    await campaigns.terms_of(conn, reader.district, campaign)
    parameter = Parameters(reader.district, campaign)
    reached = reach.condition(parameter, "premises", "p") or "true"
    doors = f"{campaigns.DOORS} and {reached} and {await _narrowed(conn, reader, wanted, parameter)}"
    counted = await conn.fetchval(f"select count(*) from ({doors}) d", *parameter.values) if total else None
    if after:
        doors += f" and p.id > {parameter(after.id)}"
    doors += f" order by p.id limit {parameter(limit + 1)}"
    rows = await conn.fetch(f"{ITEMS.format(doors=doors)} order by p.id", *parameter.values)
    items = [_item(row) for row in rows[:limit]]
    return AssignmentPage(
        items=items, next=cursors.write(_Cursor(items[-1].id)) if len(rows) > limit else None, total=counted
    )


HELD = "exists (select from assignment h where h.district = $1 and h.campaign = $2 and h.premises = p.id{by})"


async def _narrowed(conn: Connection, reader: Reader, wanted: Wanted, parameter: Parameters) -> str:
    wheres = ["true"]
    if wanted.community is not None:
        wheres.append(f"p.community = {parameter(wanted.community)}")
    if wanted.organisation is not None:
        wheres.append(await assignments.answered_for(conn, reader.district, wanted.organisation, parameter))
    if wanted.member is not None:
        wheres.append(HELD.format(by=f" and h.member = {parameter(wanted.member)}"))
    if wanted.held is not None:
        held = HELD.format(by=" and h.member is not null")
        wheres.append(held if wanted.held else f"not {held}")
    return " and ".join(wheres)


def _item(row: Record) -> AssignedDoor:
    texts = row["texts"] or {}
    return AssignedDoor(
        **{name: row[name] for name in ("id", "kind", "state", "lon", "lat", "organisation", "place")},
        name=texts.get("name"),
        address=texts.get("address"),
        community=CommunityName(row["community"], row["community_name"]) if row["community"] else None,
        member=Handler(row["member"], row["member_name"]) if row["member"] else None,
    )


MOST_WALKERS = 1_000
WALKERS = f"""
with walking as (
  select m.id, m.name, m.number, m.organisation from member m
  where m.district = $1 and m.organisation = any($3) and m.closed_at is null order by m.number limit {MOST_WALKERS}
), way as (
  select a.member, p.lon, p.lat, lag(p.lon) over along as from_lon, lag(p.lat) over along as from_lat
  from assignment a join premises p on p.district = a.district and p.id = a.premises
  where a.district = $1 and a.campaign = $2 and a.member in (select id from walking)
  window along as (partition by a.member order by a.place = 0, a.place)
), length as (
  select member, count(*) as doors, {METRES} as metres from way group by member
)
select w.id, w.name, w.number, w.organisation, o.name as organisation_name,
       coalesce(l.doors, 0) as doors, coalesce(l.metres, 0) as metres
from walking w join organisation o on o.district = $1 and o.id = w.organisation
left join length l on l.member = w.id order by o.name, w.number
"""


async def walkers(
    conn: Connection, reader: Reader, campaign: str, organisation: UUID | None, now: datetime
) -> list[Walker]:
    """The members to whom the reader may give doors in a campaign, a thousand at most; of an organisation with all
    below it. Raises NotFound, NotAllowed and UnknownOrganisation."""
    reader.require(*assignments.ASSIGNERS)
    visiting = await assignments.organisations_of(conn, reader, campaign)
    if organisation is not None:
        if organisation not in visiting:
            raise UnknownOrganisation("organisation", given=organisation)
        visiting &= await organisations.below(conn, reader.district, [organisation])
    rows = await conn.fetch(WALKERS, reader.district, campaign, list(visiting))
    present = await people.present(conn, reader.district, [row["id"] for row in rows], now)
    return [Walker(**row, away=row["id"] not in present) for row in rows]

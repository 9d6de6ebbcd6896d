"""Doors as they are read, by those within whose reach they are: listed, one by itself, and as rows of a table."""

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from maps import tiles
from surveys import cursors, history
from surveys.counting.issue_query import NONE, SMALL_VIEW, Box
from surveys.history import Entry
from surveys.issues.placing import Certainty, CommunityName, Point
from surveys.people import people, scopes
from surveys.people.people import Handler, Reader
from surveys.people.scopes import Parameters, Reach
from surveys.premises import premises, premises_doubles
from surveys.premises.premises import PremisesKind, PremisesSource, PremisesState
from surveys.premises.premises_doubles import Double
from surveys.premises.premises_likeness import Door
from surveys.refusals import InvalidCursor, InvalidFilter, NotFound
from surveys.selections import Selection

MOST_VISITS = 50  # that one door is shown with, the newest


class DoorFilters(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which doors to show; several values of one field are alternatives, fields narrow one another."""

    community: tuple[str, ...] = ()  # NONE stands for none
    street: tuple[str, ...] = ()
    kind: tuple[PremisesKind, ...] = ()
    state: tuple[PremisesState, ...] = ()
    text: str | None = None  # in name, address or code
    bbox: Box | None = None
    placed: bool | None = None
    campaign: str | None = None  # given out in it
    holder: UUID | None = None  # to this member


class DoorItem(Struct, frozen=True, kw_only=True):
    """A door as a list shows it; a text that was forgotten is None."""

    id: UUID
    version: int
    kind: PremisesKind
    code: str | None
    state: PremisesState
    merged_into: UUID | None
    name: str | None
    address: str | None
    community: CommunityName | None
    street: str | None
    certainty: Certainty
    position: Point | None
    source: PremisesSource
    found_by: Handler | None
    recorded_at: datetime


class DoorPage(Struct, frozen=True, kw_only=True):
    """A part of the register, newest first, and where the next part begins; `total` counts all parts."""

    items: list[DoorItem]
    next: str | None
    total: int | None = None


class _Cursor(Struct, frozen=True, array_like=True):
    """Where a page ended; doors that came on the register after the first page are left to the next reading."""

    recorded_at: datetime
    id: UUID
    known_at: datetime
    asked: str


ITEMS = """
select p.id, p.version, p.kind, p.code, p.state, p.merged_into, p.certainty, p.lon, p.lat, p.source, p.recorded_at,
       p.community, c.name as community_name, c.street, p.found_by, m.name as found_by_name, t.body
from premises p
left join community c on c.district = p.district and c.code = p.community
left join member m on m.district = p.district and m.id = p.found_by
left join text_version t on t.district = p.district and t.subject = p.id and t.version = p.text_version
"""
NEWEST = "order by p.recorded_at desc, p.id desc"


async def page(
    conn: Connection,
    reader: Reader,
    filters: DoorFilters,
    now: datetime,
    *,
    limit: int = 50,
    cursor: str | None = None,
    total: bool = True,
) -> DoorPage:
    """A part of the doors that the reader may see. Raises InvalidFilter, InvalidCursor and NotAllowed."""
    after = cursors.read(cursor, _Cursor) if cursor else None
    if after and after.asked != _asked(filters):
        raise InvalidCursor("cursor")
    known_at = after.known_at if after else now
    where, parameter = await _where(conn, reader, filters, known_at)
    counted = await conn.fetchval(f"select count(*) from premises p {where}", *parameter.values) if total else None
    if after:
        where += f" and (p.recorded_at, p.id) < ({parameter(after.recorded_at)}, {parameter(after.id)})"
    part = f"{ITEMS} {where} {NEWEST} limit {parameter(limit + 1)}"
    rows = await conn.fetch(part, *parameter.values)
    items = [item(row) for row in rows[:limit]]
    more = len(rows) > limit
    last = _Cursor(items[-1].recorded_at, items[-1].id, known_at, _asked(filters)) if more else None
    return DoorPage(items=items, next=cursors.write(last) if last else None, total=counted)


async def _where(conn: Connection, reader: Reader, filters: DoorFilters, known_at: datetime) -> tuple[str, Parameters]:
    """The condition on doors `p` that a reader sees under these filters; $1 is the district."""
    parameter = Parameters(reader.district)
    reach = await scopes.reach(conn, reader)
    conditions = ["p.district = $1", f"p.recorded_at <= {parameter(known_at)}"]
    if reached := reach.condition(parameter, "premises", "p"):
        conditions.append(reached)
    for name in ("kind", "state"):
        if values := getattr(filters, name):
            conditions.append(f"p.{name} = any({parameter(list(values))}::text[])")
    conditions += _places(parameter, filters)
    if filters.text is not None:
        conditions.append(_words(parameter, filters.text))
    if filters.campaign is not None or filters.holder is not None:
        conditions.append(_given_out(parameter, filters))
    return f"where {' and '.join(conditions)}", parameter


def _places(parameter: Parameters, filters: DoorFilters) -> list[str]:
    found = []
    if filters.community:
        outside = " or p.community is null" if NONE in filters.community else ""
        found.append(f"(p.community = any({parameter(list(filters.community))}::text[]){outside})")
    if filters.street:
        streets = parameter(list(filters.street))
        found.append(
            f"p.community in (select code from community where district = $1 and street = any({streets}::text[]))"
        )
    if filters.placed is not None:
        found.append(f"p.cell is {'not ' if filters.placed else ''}null")
    if filters.bbox is not None:
        found.append(_view(parameter, filters.bbox))
    return found


def _view(parameter: Parameters, box: Box) -> str:
    west, south, east, north = box
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise InvalidFilter("bbox", expected="west,south,east,north")
    ranges = " or ".join(
        f"p.cell between {parameter(low)} and {parameter(high)}"
        for low, high in tiles.covering(box, max_ranges=8 if east - west < SMALL_VIEW else 2)
    )
    sides = (
        f"p.lon between {parameter(west)} and {parameter(east)} and p.lat between {parameter(south)}"
        f" and {parameter(north)}"
    )
    return f"({ranges}) and {sides}"


def _words(parameter: Parameters, text: str) -> str:
    """The index finds the texts that have all pairs of characters; the comparison then drops those that have them
    elsewhere. A code is met in whole."""
    folded = " ".join(text.split())
    if not 2 <= len(folded) <= 100:
        raise InvalidFilter("text", expected="2–100 characters")
    pattern = parameter("%" + folded.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%")
    return (
        "((p.id, p.text_version) in (select subject, version from text_version where district = $1"
        f" and bigrams @> {parameter(history.bigrams(folded))}"
        f" and (body->>'name' ilike {pattern} or body->>'address' ilike {pattern})) or p.code = {parameter(folded)})"
    )


def _given_out(parameter: Parameters, filters: DoorFilters) -> str:
    conditions = ["a.district = $1", "a.premises = p.id"]
    if filters.campaign is not None:
        conditions.append(f"a.campaign = {parameter(filters.campaign)}")
    if filters.holder is not None:
        conditions.append(f"a.member = {parameter(filters.holder)}")
    return f"exists (select from assignment a where {' and '.join(conditions)})"


def _asked(filters: DoorFilters) -> str:
    return hashlib.sha256(msgspec.json.encode(filters)).hexdigest()[:16]


def item(row: Any) -> DoorItem:
    """A row of ITEMS."""
    texts = row["body"] or {}
    return DoorItem(
        id=row["id"],
        version=row["version"],
        kind=row["kind"],
        code=row["code"],
        state=row["state"],
        merged_into=row["merged_into"],
        name=texts.get("name"),
        address=texts.get("address"),
        community=CommunityName(row["community"], row["community_name"]) if row["community"] else None,
        street=row["street"],
        certainty=row["certainty"],
        position=Point(row["lon"], row["lat"]) if row["lon"] is not None else None,
        source=row["source"],
        found_by=Handler(row["found_by"], row["found_by_name"]) if row["found_by"] else None,
        recorded_at=row["recorded_at"],
    )


# --- one door


class DoorVisit(Struct, frozen=True, kw_only=True):
    """A visit at a door, or at one that was merged into it, as its page names it."""

    id: UUID
    member: Handler
    outcome: str
    campaign: str | None
    started_at: datetime
    withdrawn_at: datetime | None


class DoorHeld(Struct, frozen=True, kw_only=True):
    """Who has a door in a campaign."""

    campaign: str
    campaign_name: str
    organisation: str
    member: Handler | None
    place: int


class DoorDetail(Struct, frozen=True, kw_only=True):
    """One door with everything that its page needs: its visits as far as the reader sees them, the newest first, who
    has it, what may be the same door, what was merged into it, and its history."""

    door: DoorItem
    accuracy_m: float | None
    visits: list[DoorVisit]
    held: list[DoorHeld]
    doubles: list[Double]
    merged: list[UUID]
    history: list[Entry]
    names: dict[str, str]  # of the members that the history names by id


VISITS = """
select v.id, v.member, m.name as member_name, v.outcome, v.campaign, v.started_at, v.withdrawn_at
from visit v join member m on m.district = $1 and m.id = v.member
where v.district = $1 and v.premises = {doors} and {reached}
order by v.started_at desc, v.id desc limit {most}
"""
HELD = """
select a.campaign, c.name as campaign_name, o.name as organisation, a.member, m.name as member_name, a.place
from assignment a
join campaign c on c.district = $1 and c.id = a.campaign
join organisation o on o.district = $1 and o.id = a.organisation
left join member m on m.district = $1 and m.id = a.member
where a.district = $1 and a.premises = $2 order by c.starts_at desc, c.id
"""
MERGED = "select id from premises where district = $1 and merged_into = $2 order by id"
ACCURACY = "select accuracy_m from premises where district = $1 and id = $2"


async def one(conn: Connection, reader: Reader, door: UUID) -> DoorDetail:
    """One door within the reader's reach. Raises NotFound and NotAllowed."""
    reach = await scopes.reach(conn, reader)
    found = await read(conn, reach, door)
    merged = [row["id"] for row in await conn.fetch(MERGED, reader.district, door)]
    entries = await history.of_thing(conn, reader.district, door)
    actors = [UUID(entry.actor.id) for entry in entries if entry.actor.kind == "member"]
    open_ = found.state in ("proposed", "confirmed")
    return DoorDetail(
        door=found,
        accuracy_m=await conn.fetchval(ACCURACY, reader.district, door),
        visits=await _visits(conn, reach, door),
        held=[_held(row) for row in await conn.fetch(HELD, reader.district, door)],
        doubles=await premises_doubles.beside(conn, reach, compared(found), code_of(found)) if open_ else [],
        merged=merged,
        history=entries,
        names={str(id_): name for id_, name in (await people.names(conn, reader.district, actors)).items()},
    )


async def read(conn: Connection, reach: Reach, door: UUID) -> DoorItem:
    """A door within reach. Raises NotFound."""
    parameter = Parameters(reach.reader.district)
    reached = reach.condition(parameter, "premises", "p") or "true"
    row = await conn.fetchrow(
        f"{ITEMS} where p.district = $1 and {reached} and p.id = {parameter(door)}", *parameter.values
    )
    if row is None:
        raise NotFound
    return item(row)


def compared(found: DoorItem) -> Door:
    """A door as it is compared with others."""
    return Door(
        id=found.id,
        kind=found.kind,
        code=found.code,
        name=found.name or "",
        address=found.address or "",
        lon=found.position.lon if found.position else None,
        lat=found.position.lat if found.position else None,
    )


def code_of(found: DoorItem) -> str | None:
    """The code of a door's community."""
    return found.community.code if found.community else None


async def _visits(conn: Connection, reach: Reach, door: UUID) -> list[DoorVisit]:
    parameter = Parameters(reach.reader.district)
    question = VISITS.format(
        doors=premises.DOORS_OF.format(district="$1", premises=f"{parameter(door)}::uuid"),
        reached=reach.condition(parameter, "visit", "v") or "true",
        most=MOST_VISITS,
    )
    return [
        DoorVisit(
            id=row["id"],
            member=Handler(row["member"], row["member_name"]),
            outcome=row["outcome"],
            campaign=row["campaign"],
            started_at=row["started_at"],
            withdrawn_at=row["withdrawn_at"],
        )
        for row in await conn.fetch(question, *parameter.values)
    ]


def _held(row: Any) -> DoorHeld:
    return DoorHeld(
        campaign=row["campaign"],
        campaign_name=row["campaign_name"],
        organisation=row["organisation"],
        member=Handler(row["member"], row["member_name"]) if row["member"] else None,
        place=row["place"],
    )


# --- as rows of a table that leaves the program


# A door with the codes and names of what it stands in; `lon` and `lat` are WGS-84, null without a place.
ROWS = """
select p.code, p.kind as premises_kind, p.state as premises_state, t.body->>'name' as premises_name,
       t.body->>'address' as premises_address, p.community, c.name as community_name, c.street, r.name as street_name,
       p.certainty, p.lon, p.lat, p.source as premises_source, p.recorded_at, p.id
from premises p
left join community c on c.district = $1 and c.code = p.community
left join street r on r.district = $1 and r.code = c.street
left join text_version t on t.district = $1 and t.subject = p.id and t.version = p.text_version
"""


async def selection(conn: Connection, reader: Reader, filters: DoorFilters, now: datetime) -> Selection:
    """The doors of the list, newest first. Raises InvalidFilter and NotAllowed."""
    where, parameter = await _where(conn, reader, filters, now)
    return Selection(f"{ROWS} {where} {NEWEST}", tuple(parameter.values))


async def count(conn: Connection, reader: Reader, filters: DoorFilters, now: datetime) -> int:
    """How many rows there are. Raises what `selection` raises."""
    where, parameter = await _where(conn, reader, filters, now)
    counted: int = await conn.fetchval(f"select count(*) from premises p {where}", *parameter.values)
    return counted


# --- what else there is at a door


class CardLeft(Struct, frozen=True, kw_only=True):
    """A contact card that was left at a door, with the visit that left it."""

    number: str
    visit: UUID
    bound_at: datetime
    revoked_at: datetime | None


CARDS_LEFT = """
select b.card as number, b.visit, b.bound_at, k.revoked_at
from visit v
join card_binding b on b.district = $1 and b.visit = v.id
join contact_card k on k.district = $1 and k.number = b.card
where v.district = $1 and v.withdrawn_at is null and v.premises = {doors}
order by b.bound_at desc, b.card
"""
ISSUES_AT = """
select i.id from issue i where i.district = $1 and i.premises = {doors} order by i.reported_at desc, i.id desc limit $3
"""


async def cards_left(conn: Connection, district: int, door: UUID) -> list[CardLeft]:
    """The cards left at a door, or at what was merged into it, the newest first; the caller has made sure that the
    reader may see it."""
    question = CARDS_LEFT.format(doors=premises.DOORS_OF.format(district="$1", premises="$2::uuid"))
    return [CardLeft(**row) for row in await conn.fetch(question, district, door)]


async def issues_at(conn: Connection, district: int, door: UUID) -> list[UUID]:
    """The newest issues at a door; which of them a reader sees is not asked here."""
    question = ISSUES_AT.format(doors=premises.DOORS_OF.format(district="$1", premises="$2::uuid"))
    return [row["id"] for row in await conn.fetch(question, district, door, MOST_VISITS)]

"""What lies where nobody can be sure: near a line, outside the district, or nowhere; and what a person says of it.

A place waits until somebody names the community that it counts for, or until a new position is certain by itself; since
when it is settled stands beside it, so that the same question has the same answer for everybody. To settle a place is
the usual correction of an issue, a visit or a door, with its reason, its history and whatever follows from it."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, get_args
from uuid import UUID, uuid5

import msgspec
from asyncpg import Connection, Record
from msgspec import Meta, Struct

from maps.locator import Atlas
from surveys import cursors, history
from surveys.counting.issue_query import NONE
from surveys.history import Entry
from surveys.issues import issue_moves, moves
from surveys.issues.moves import MoveDraft
from surveys.issues.placing import NO_COMMUNITY, Certainty, CommunityName, Point, Position
from surveys.people import scopes
from surveys.people.people import Reader, Role
from surveys.people.scopes import Parameters
from surveys.premises import premises_changes
from surveys.premises.premises_changes import DoorChange
from surveys.privacy.sealing import KeyRing
from surveys.refusals import Conflict, InvalidCursor, Missing, NotForThisMove, NotFound, Refusal
from surveys.visits import visit_corrections

Kind = Literal["issue", "visit", "premises"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Uncertain = Literal["near_line", "outside", "unplaced"]

SETTLING: frozenset[Role] = frozenset({"community_worker", "dispatcher", "administrator"})

AROUND_M = 300.0  # how far from a place communities are named beside it, if its accuracy is not worse
MOST_TOGETHER = 200


class PlaceUnknown(Conflict):
    """The history does not say where it was before: it came with a list, and was moved since."""

    code: ClassVar[str] = "place_unknown"


class PlaceFilters(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which places to show; several values of one field are alternatives, fields narrow one another."""

    kind: Kind = "issue"
    certainty: tuple[Uncertain, ...] = ()
    community: tuple[str, ...] = ()  # NONE stands for none
    street: tuple[str, ...] = ()
    settled: bool = False  # what a person has settled, instead of what waits


class Near(Struct, frozen=True, kw_only=True):
    """A community beside a place: how far its line is, in metres, and whether it has the place within it."""

    code: str
    name: str
    distance_m: int
    within: bool


class Place(Struct, frozen=True, kw_only=True):
    """Something whose place is not certain. `label` is an issue's number, `title` what it is called; `at` is when it
    was reported, began, or came on the register."""

    kind: Kind
    id: UUID
    version: int
    label: str | None
    title: str | None
    at: datetime
    certainty: Certainty
    community: CommunityName | None
    position: Point | None
    accuracy_m: float | None
    settled_at: datetime | None
    near: list[Near]


class PlacePage(Struct, frozen=True, kw_only=True):
    """A part of the places, newest first; `total` counts all parts."""

    items: list[Place]
    next: str | None
    total: int | None = None


class _Cursor(Struct, frozen=True, array_like=True):
    at: datetime
    id: UUID
    known_at: datetime
    asked: str


# What waits and what was settled, as the partial indexes have it; x stands for the row.
_NOT_CERTAIN = (
    "(x.certainty in ('near_line', 'outside') or (x.certainty = 'unplaced' and x.community is null))"
    " and x.place_settled_at is null"
)
_SETTLED = "x.place_settled_at is not null"


class _Source(Struct, frozen=True, kw_only=True):
    """Where places of a kind stand: their table, the moment they are listed by, which of them count, what they are
    called, and what one reaches them by."""

    table: str
    at: str
    standing: str
    label: str
    title: str
    of: Literal["visit", "issue", "premises"]


SOURCES: Mapping[Kind, _Source] = {
    "issue": _Source(
        table="issue",
        at="reported_at",
        standing="x.state not in ('rejected', 'merged')",
        label="x.number::text",
        title="t.body->>'title'",
        of="issue",
    ),
    "visit": _Source(
        table="visit",
        at="started_at",
        standing="x.withdrawn_at is null",
        label="null::text",
        title="t.body->>'premises_name'",
        of="visit",
    ),
    "premises": _Source(
        table="premises",
        at="recorded_at",
        standing="x.state in ('proposed', 'confirmed')",
        label="x.code",
        title="t.body->>'name'",
        of="premises",
    ),
}

# Names are looked up for no more than are shown.
PAGE = """
with part as (
  select * from {table} x where {where} order by x.{at} desc, x.id desc limit {limit}
)
select x.id, x.version, {label} as label, {title} as title, x.{at} as at, x.certainty, x.community, c.name,
       x.lon, x.lat, x.accuracy_m, x.place_settled_at
from part x
left join community c on c.district = $1 and c.code = x.community
left join text_version t on t.district = $1 and t.subject = x.id and t.version = x.text_version
order by x.{at} desc, x.id desc
"""


async def page(
    conn: Connection,
    atlas: Atlas,
    reader: Reader,
    filters: PlaceFilters,
    now: datetime,
    *,
    limit: int = 50,
    cursor: str | None = None,
    total: bool = True,
) -> PlacePage:
    """A part of the places of one kind within the reader's reach, each with the communities beside it. Raises
    InvalidCursor and NotAllowed."""
    after = cursors.read(cursor, _Cursor) if cursor else None
    if after and after.asked != _asked(filters):
        raise InvalidCursor("cursor")
    known_at = after.known_at if after else now
    source = SOURCES[filters.kind]
    where, parameter = await _where(conn, reader, filters, known_at)
    counted = f"select count(*) from {source.table} x where {where}"
    count = await conn.fetchval(counted, *parameter.values) if total else None
    if after:
        where += f" and (x.{source.at}, x.id) < ({parameter(after.at)}, {parameter(after.id)})"
    text = PAGE.format(**msgspec.structs.asdict(source), where=where, limit=parameter(limit + 1))
    rows = await conn.fetch(text, *parameter.values)
    items = [_place(filters.kind, row, atlas, reader.district) for row in rows[:limit]]
    last = _Cursor(items[-1].at, items[-1].id, known_at, _asked(filters)) if len(rows) > limit else None
    return PlacePage(items=items, next=cursors.write(last) if last else None, total=count)


async def waiting(conn: Connection, reader: Reader, now: datetime) -> dict[Kind, int]:
    """How many places of each kind wait within the reader's reach. Raises NotAllowed."""
    found: dict[Kind, int] = {}
    for kind in KINDS:
        where, parameter = await _where(conn, reader, PlaceFilters(kind=kind), now)
        found[kind] = await conn.fetchval(
            f"select count(*) from {SOURCES[kind].table} x where {where}", *parameter.values
        )
    return found


async def _where(conn: Connection, reader: Reader, filters: PlaceFilters, known_at: datetime) -> tuple[str, Parameters]:
    source, parameter = SOURCES[filters.kind], Parameters(reader.district)
    conditions = ["x.district = $1", _SETTLED if filters.settled else _NOT_CERTAIN, source.standing]
    conditions.append(f"x.recorded_at <= {parameter(known_at)}")
    reach = await scopes.reach(conn, reader)
    if reached := reach.condition(parameter, source.of, "x"):
        conditions.append(reached)
    if filters.certainty:
        conditions.append(f"x.certainty = any({parameter(list(filters.certainty))}::text[])")
    if filters.community:
        outside = " or x.community is null" if NONE in filters.community else ""
        conditions.append(f"(x.community = any({parameter(list(filters.community))}::text[]){outside})")
    if filters.street:
        streets = parameter(list(filters.street))
        of_streets = f"select code from community where district = $1 and street = any({streets}::text[])"
        conditions.append(f"x.community in ({of_streets})")
    return " and ".join(conditions), parameter


def _asked(filters: PlaceFilters) -> str:
    return hashlib.sha256(msgspec.json.encode(filters)).hexdigest()[:16]


def _place(kind: Kind, row: Record, atlas: Atlas, district: int) -> Place:
    position = Point(row["lon"], row["lat"]) if row["lon"] is not None else None
    return Place(
        kind=kind,
        id=row["id"],
        version=row["version"],
        label=row["label"],
        title=row["title"],
        at=row["at"],
        certainty=row["certainty"],
        community=CommunityName(row["community"], row["name"]) if row["community"] else None,
        position=position,
        accuracy_m=row["accuracy_m"],
        settled_at=row["place_settled_at"],
        near=_near(atlas, district, row["at"], position, row["accuracy_m"]) if position else [],
    )


def _near(atlas: Atlas, district: int, at: datetime, point: Point, accuracy_m: float | None) -> list[Near]:
    """The communities beside a point by the boundaries of its day, the nearest first; at least one where there are
    any."""
    locator = atlas.valid_at(district, at)
    if locator is None:
        return []
    return [
        Near(code=beside.code, name=beside.name, distance_m=round(beside.distance_m), within=beside.within)
        for beside in locator.beside(point.lon, point.lat, max(accuracy_m or 0.0, AROUND_M))
    ]


# --- settling


class Thing(Struct, frozen=True, forbid_unknown_fields=True):
    """One whose place is settled, as it was seen."""

    id: UUID
    expected_version: int


class Settlement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is said of the places of some things of a kind, and why: the community that they count for, `none` for no
    community; or where the one thing is; with neither, that each stays where it is counted now. `undo` takes back what
    was said last instead."""

    id: UUID
    kind: Kind
    things: Annotated[tuple[Thing, ...], Meta(min_length=1, max_length=MOST_TOGETHER)]
    reason: Annotated[str, Meta(min_length=1, max_length=5_000)]
    community: Annotated[str, Meta(min_length=1, max_length=20)] | None = None
    position: Position | None = None
    undo: bool = False


class Settled(Struct, frozen=True, kw_only=True):
    """What became of one thing: its version now, or the refusal."""

    id: UUID
    version: int | None = None
    refusal: Refusal | None = None


class _Told(Struct, frozen=True, kw_only=True):
    """What a correction says of a place."""

    position: Position | None = None
    community: str | None = None
    place_settled: bool | None = None


async def settle(
    conn: Connection, atlas: Atlas, reader: Reader, draft: Settlement, now: datetime, ring: KeyRing
) -> list[Settled]:
    """Settle places, each on its own: what is refused of one leaves the others settled. The same draft again gets the
    same answers. Raises NotAllowed, Missing, or NotForThisMove."""
    reader.require(*SETTLING)
    if not draft.reason.strip():
        raise Missing("reason")
    if draft.position is not None and len(draft.things) > 1:
        raise NotForThisMove("position")
    if draft.undo and (draft.community is not None or draft.position is not None):
        raise NotForThisMove("undo")
    return [await _settle_one(conn, atlas, reader, draft, thing, now, ring) for thing in draft.things]


async def _settle_one(
    conn: Connection, atlas: Atlas, reader: Reader, draft: Settlement, thing: Thing, now: datetime, ring: KeyRing
) -> Settled:
    try:
        async with conn.transaction():
            told = await _told(conn, reader, draft, thing)
            version = await _correct(conn, atlas, reader, draft, thing, told, now, ring)
    except Refusal as refusal:
        return Settled(id=thing.id, refusal=refusal)
    return Settled(id=thing.id, version=version)


async def _told(conn: Connection, reader: Reader, draft: Settlement, thing: Thing) -> _Told:
    if draft.undo:
        entries = await history.of_thing(conn, reader.district, thing.id)
        return before(entries, thing.expected_version) or await _by_position(conn, reader.district, thing.id)
    if draft.community is None and draft.position is None:
        return _Told(place_settled=True)
    return _Told(position=draft.position, community=draft.community)


async def _correct(
    conn: Connection,
    atlas: Atlas,
    reader: Reader,
    draft: Settlement,
    thing: Thing,
    told: _Told,
    now: datetime,
    ring: KeyRing,
) -> int:
    """The usual correction of such a thing; its version after it."""
    id_, reason = uuid5(draft.id, str(thing.id)), draft.reason
    said = {name: value for name, value in msgspec.structs.asdict(told).items() if value is not None}
    if draft.kind == "issue":
        correction = moves.Correction(**said)
        move = MoveDraft(
            id=id_, move="correct", expected_version=thing.expected_version, reason=reason, correction=correction
        )
        return (await issue_moves.move(conn, atlas, reader, thing.id, move, now, ring)).version
    if draft.kind == "visit":
        visit = visit_corrections.Correction(id=id_, expected_version=thing.expected_version, reason=reason, **said)
        return (await visit_corrections.correct(conn, atlas, reader, thing.id, visit, now)).version
    door = DoorChange(id=id_, change="correct", expected_version=thing.expected_version, reason=reason, **said)
    return (await premises_changes.change(conn, atlas, reader, thing.id, door, now)).version


PLACE = ("position_lon", "position_lat", "accuracy_m", "position_system", "position_source")
TOLD = (*PLACE, "community", "certainty", "place_settled_at")


def before(entries: Sequence[Entry], version: int) -> _Told | None:
    """What puts a place back to where it was before it was last corrected, by the history up to a version; None where
    the history begins with that correction, which moved nothing. Raises NotFound where a place was never corrected,
    and PlaceUnknown where it was moved and nobody knows from where."""
    was: dict[str, Any] = {}
    now: dict[str, Any] = {}
    moved = corrected = False
    for entry in entries:
        facts = {name: value for name, value in entry.facts.items() if name in TOLD}
        if entry.version > version or not facts:
            continue
        changes = {name for name, value in facts.items() if now.get(name) != value}
        if entry.event == "correct" and changes:
            was, moved, corrected = dict(now), bool(changes.intersection(PLACE)), True
        now |= facts
    if not corrected:
        raise NotFound
    return _back(was, moved) if was or moved else None


def _back(was: Mapping[str, Any], moved: bool) -> _Told:
    community = was.get("community") or NO_COMMUNITY
    settled = was.get("place_settled_at") is not None
    if not moved:
        return _Told(community=community, place_settled=settled)
    if was.get("position_lon") is None:
        raise PlaceUnknown
    position = Position(
        lon=was["position_lon"],
        lat=was["position_lat"],
        accuracy_m=was.get("accuracy_m"),
        system=was["position_system"],
        source=was["position_source"],
    )
    return _Told(position=position, community=community, place_settled=settled)


WHERE_IT_STANDS = """
select position_lon as lon, position_lat as lat, accuracy_m, position_system as system, position_source as source
from premises where district = $1 and id = $2
"""


async def _by_position(conn: Connection, district: int, door: UUID) -> _Told:
    """What puts a door that came with a list back to where its position falls."""
    row = await conn.fetchrow(WHERE_IT_STANDS, district, door)
    if row is None:
        raise NotFound
    if row["lon"] is None:
        return _Told(community=NO_COMMUNITY, place_settled=False)
    return _Told(position=Position(**row), place_settled=False)

"""What the desk does with a door: adds one, confirms what was found on the way, puts it right, marks it gone, or says
that it is another one.

Who changes a door answers for where it is: its community's worker, its street's dispatcher, an organiser in whose area
it lies or whose organisation has it, an administrator. Visits keep the door that they were filed at; what was merged is
counted where it was merged into, which `premises.DOORS_OF` tells."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.history import Actor, Row, bytea, event_row, request_digest, text_row
from surveys.issues import placing
from surveys.issues.issues import event_id
from surveys.issues.placing import Atlas, Certainty, Position, ToPlace
from surveys.people import scopes
from surveys.people.people import Reader, Role
from surveys.people.scopes import Parameters, Reach
from surveys.premises import premises, premises_doubles
from surveys.premises.premises import ROW, PremisesKind, PremisesRow, PremisesState
from surveys.premises.premises_doubles import Double
from surveys.premises.premises_likeness import Door
from surveys.premises.premises_rows import LONGEST_ADDRESS, LONGEST_CODE, LONGEST_NAME
from surveys.refusals import (
    Conflict,
    DoorOnRegister,
    IdTaken,
    Missing,
    NotAllowed,
    NotForThisMove,
    NotFound,
    NothingChanges,
    StaleVersion,
    TextUnusable,
    UnknownCommunity,
    UnknownPremises,
)

CHANGING: frozenset[Role] = frozenset({"administrator", "organiser", "dispatcher", "community_worker"})

Act = Literal["confirm", "correct", "gone", "merge"]

# In which states a door can be confirmed, corrected, marked gone or merged. What was said to be gone may be back.
POSSIBLE: Mapping[Act, frozenset[PremisesState]] = {
    "confirm": frozenset({"proposed", "confirmed", "gone"}),
    "correct": frozenset({"proposed", "confirmed", "gone"}),
    "gone": frozenset({"proposed", "confirmed"}),
    "merge": frozenset({"proposed", "confirmed", "gone"}),
}

Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
Address = Annotated[str, Meta(max_length=LONGEST_ADDRESS)]
Code = Annotated[str, Meta(min_length=1, max_length=LONGEST_CODE)]
Community = Annotated[str, Meta(min_length=1, max_length=20)]


class DoorChanged(Conflict):
    """The door is in a state in which this cannot be done with it: merged into another, or gone."""

    code: ClassVar[str] = "door_not_open"


class NewDoor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A door that the register does not have; without a position its community is named."""

    id: UUID
    kind: PremisesKind
    name: Name
    address: Address = ""
    code: Code | None = None
    position: Position | None = None
    community: Community | None = None


class DoorChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What to do with a door, and why; what is left out stays. A reason is needed for all but confirming it as it
    is; `into` names the door that it is the same as."""

    id: UUID
    change: Act
    expected_version: int
    reason: Annotated[str, Meta(max_length=5_000)] = ""
    kind: PremisesKind | None = None
    name: Name | None = None
    address: Address | None = None
    code: Code | None = None
    position: Position | None = None
    community: Community | None = None
    place_settled: bool | None = None
    into: UUID | None = None


TOLD = ("kind", "name", "address", "code", "position", "community", "place_settled")  # what a door can be told anew


class DoorNow(Struct, frozen=True, kw_only=True):
    """What a door is after it was added or changed; `doubles` may be the same, and are for a person to look at."""

    id: UUID
    version: int
    state: PremisesState
    community: str | None
    certainty: Certainty
    merged_into: UUID | None = None
    doubles: list[Double] = []


# --- adding


ADD = f"insert into premises ({ROW}) select {ROW} from jsonb_populate_record(null::premises, $1)"
ALIKE = """
select id from premises where district = $1 and alike = $2 and community is not distinct from $3
  and state in ('proposed', 'confirmed') and id <> $4 limit 1
"""
CODE = "select id from premises where district = $1 and code = $2 and id <> $3"


async def add(conn: Connection, atlas: Atlas, reader: Reader, draft: NewDoor, now: datetime) -> DoorNow:
    """Put a door on the register; the same draft again gets its first answer. Raises NotAllowed, IdTaken,
    DoorOnRegister, or Invalid with the field."""
    reader.require(*CHANGING)
    if before := await _answered(conn, reader, draft.id, draft.id, draft):
        return before
    if not draft.name.strip():
        raise TextUnusable("name")
    row = await _new_row(conn, atlas, reader, draft, now)
    if not _within(await _changing_reach(conn, reader), row, held=False):
        raise NotAllowed
    await _refuse_doubles(conn, row)
    texts = {"name": draft.name, "address": draft.address}
    await conn.execute(ADD, msgspec.structs.asdict(row))
    text, digest = text_row(row.district, row.id, 1, texts, now, findable=True)
    facts = {name: value for name, value in _columns(row).items() if value is not None}
    event = _event(
        reader, row, draft.id, "add", {**facts, "text_version": 1, "text_digest": digest}, request_digest(draft), now
    )
    await history.append(conn, [event], [text])
    return await _now(conn, reader, row, texts)


async def _new_row(conn: Connection, atlas: Atlas, reader: Reader, draft: NewDoor, now: datetime) -> PremisesRow:
    await _check_place(conn, reader.district, draft.position, draft.community)
    place = placing.place(atlas, reader.district, [ToPlace(draft.position, draft.community, now)])[0]
    return PremisesRow(
        district=reader.district,
        id=draft.id,
        kind=draft.kind,
        code=draft.code,
        state="confirmed",
        source="desk",
        alike=bytea(premises.alike(draft.kind, draft.name, draft.address)),
        recorded_at=now,
        **msgspec.structs.asdict(place),
    )


async def _check_place(conn: Connection, district: int, position: Position | None, community: str | None) -> None:
    placing.check(position, "position")
    if community is not None and not await placing.community_exists(conn, district, community):
        raise UnknownCommunity("community", given=community)


async def _refuse_doubles(conn: Connection, row: PremisesRow) -> None:
    mark = bytes.fromhex(row.alike[2:])
    if row.code and (taken := await conn.fetchval(CODE, row.district, row.code, row.id)):
        raise DoorOnRegister("code", door=str(taken))
    if there := await conn.fetchval(ALIKE, row.district, mark, row.community, row.id):
        raise DoorOnRegister("name", door=str(there))


# --- changing


LOCK = f"select {ROW} from premises p where p.district = $1 and {{reached}} and p.id = {{door}} for update of p"
ANSWERED = "select thing, actor, request, version, facts from history where district = $1 and id = $2"
WRITE = f"""
update premises set ({ROW}) = (select {ROW} from jsonb_populate_record(null::premises, $1))
where district = $2 and id = $3
"""


async def change(
    conn: Connection, atlas: Atlas, reader: Reader, door: UUID, draft: DoorChange, now: datetime
) -> DoorNow:
    """Change a door; the same draft again gets its first answer. Raises NotFound, NotAllowed, IdTaken, StaleVersion,
    DoorChanged, NothingChanges, DoorOnRegister, UnknownPremises, or Invalid with the field."""
    reader.require(*CHANGING)
    if draft.change == "merge":
        await conn.execute(MERGING, reader.district)
    row = await _lock(conn, reader, door)
    if before := await _answered(conn, reader, door, draft.id, draft):
        return before
    _refuse(row, draft)
    await _refuse_who_may_not(conn, reader, row)
    texts = await history.text(conn, row.district, row.id, row.text_version)
    changed, told = await _changed(conn, atlas, reader, row, texts, draft, now)
    if changed == row and told == texts:
        raise NothingChanges
    changed = msgspec.structs.replace(changed, version=row.version + 1)
    if (changed.alike, changed.community, changed.code) != (row.alike, row.community, row.code):
        await _refuse_doubles(conn, changed)
    await conn.execute(WRITE, changed, row.district, row.id)
    await _tell(conn, reader, row, changed, texts, told, draft, now)
    if changed.merged_into is not None:
        await _follow(conn, reader, changed, draft, now)
    return await _now(conn, reader, changed, told)


async def _lock(conn: Connection, reader: Reader, door: UUID) -> PremisesRow:
    parameter = Parameters(reader.district)
    reached = (await scopes.reach(conn, reader)).condition(parameter, "premises", "p") or "true"
    found = await conn.fetchrow(LOCK.format(reached=reached, door=parameter(door)), *parameter.values)
    if found is None:
        raise NotFound
    return PremisesRow(**{**dict(found), "alike": bytea(found["alike"])})


def _refuse(row: PremisesRow, draft: DoorChange) -> None:
    if draft.expected_version != row.version:
        raise StaleVersion("expected_version", version=row.version, state=row.state)
    if row.state not in POSSIBLE[draft.change]:
        raise DoorChanged("change", state=row.state)
    told = [name for name in TOLD if getattr(draft, name) is not None]
    if draft.change in ("gone", "merge") and told:
        raise NotForThisMove(told[0])
    if (draft.into is None) == (draft.change == "merge"):
        raise Missing("into") if draft.into is None else NotForThisMove("into")
    if not draft.reason.strip() and (draft.change != "confirm" or told):
        raise Missing("reason")
    if draft.name is not None and not draft.name.strip():
        raise TextUnusable("name")


async def _changed(
    conn: Connection,
    atlas: Atlas,
    reader: Reader,
    row: PremisesRow,
    texts: Mapping[str, str],
    draft: DoorChange,
    now: datetime,
) -> tuple[PremisesRow, dict[str, str]]:
    """The row as it is to be, but for its version, and its texts."""
    if draft.change == "gone":
        return msgspec.structs.replace(row, state="gone"), dict(texts)
    if draft.into is not None:
        await _refuse_unfit(conn, reader, row, draft.into)
        return msgspec.structs.replace(row, state="merged", merged_into=draft.into), dict(texts)
    told = dict(texts)
    told |= {name: value for name in ("name", "address") if (value := getattr(draft, name)) is not None}
    told = {name: value for name, value in told.items() if value}
    row = await _moved(conn, atlas, row, draft, now)
    kind = draft.kind or row.kind
    return (
        msgspec.structs.replace(
            row,
            kind=kind,
            code=draft.code or row.code,
            state="confirmed" if draft.change == "confirm" else row.state,
            alike=bytea(premises.alike(kind, told.get("name", ""), told.get("address", ""))),
            text_version=row.text_version + (told != texts),
        ),
        told,
    )


async def _moved(conn: Connection, atlas: Atlas, row: PremisesRow, draft: DoorChange, now: datetime) -> PremisesRow:
    """The row at the position that is told; a community alone is a person's word, whatever the position says."""
    if draft.position is None and draft.community is None and draft.place_settled is None:
        return row
    community = placing.named(draft.community)
    await _check_place(conn, row.district, draft.position, community)
    settled_at = placing.settled(draft.community, draft.place_settled, now)
    row = msgspec.structs.replace(row, place_settled_at=settled_at)
    if draft.position is None:
        return row if draft.community is None else msgspec.structs.replace(row, community=community)
    place = placing.place(atlas, row.district, [ToPlace(draft.position, community, now)])[0]
    return msgspec.structs.replace(row, **msgspec.structs.asdict(place))


# --- merging


# One at a time, so that two doors are never merged into one another.
MERGING = "select pg_advisory_xact_lock(hashtextextended('premises merge ' || $1::int, 0))"

SURVIVOR = "select p.state from premises p where p.district = $1 and {reached} and p.id = {door} for update of p"

# What was merged into the door before goes along, so that one look tells where anything is counted.
FOLLOW = """
update premises set merged_into = $3, version = version + 1 where district = $1 and merged_into = $2
returning id, version
"""
# Who has the door has the one that it is; where somebody has that one already, they keep it.
HOLD = """
insert into assignment (district, campaign, premises, organisation, member, place, means, assigned_at, assigned_by)
select district, campaign, $3, organisation, member, place, means, assigned_at, assigned_by
from assignment where district = $1 and premises = $2
on conflict (district, campaign, premises) do nothing
"""
LET_GO = "delete from assignment where district = $1 and premises = $2"


async def _refuse_unfit(conn: Connection, reader: Reader, row: PremisesRow, into: UUID) -> None:
    """Raises UnknownPremises for one that cannot be seen, and DoorChanged for one that is no open door, or less sure
    than the one that would be merged into it."""
    if into == row.id:
        raise UnknownPremises("into")
    parameter = Parameters(reader.district)
    reached = (await scopes.reach(conn, reader)).condition(parameter, "premises", "p") or "true"
    state = await conn.fetchval(SURVIVOR.format(reached=reached, door=parameter(into)), *parameter.values)
    if state is None:
        raise UnknownPremises("into")
    if state not in ("proposed", "confirmed") or (state == "proposed" and row.state == "confirmed"):
        raise DoorChanged("into", state=state)


async def _follow(conn: Connection, reader: Reader, row: PremisesRow, draft: DoorChange, now: datetime) -> None:
    """Let who has the door have the one that it was merged into, and what was merged into it before go along."""
    await conn.execute(HOLD, row.district, row.id, row.merged_into)
    await conn.execute(LET_GO, row.district, row.id)
    followed = await conn.fetch(FOLLOW, row.district, row.id, row.merged_into)
    events = [
        event_row(
            district=row.district,
            id=event_id(one["id"], f"follow {draft.id}"),
            kind="premises",
            thing=one["id"],
            version=one["version"],
            event="merge",
            actor=Actor("member", str(reader.member)),
            happened_at=now,
            recorded_at=now,
            facts={"merged_into": row.merged_into, "with": row.id},
        )
        for one in followed
    ]
    if events:
        await history.append(conn, events, [])


# --- who may


async def _changing_reach(conn: Connection, reader: Reader) -> Reach:
    """Where a reader may change doors: as far as those of their roles reach by which doors are changed."""
    grants = tuple(grant for grant in reader.grants if grant.role in CHANGING)
    if not grants:
        raise NotAllowed
    return await scopes.reach(conn, msgspec.structs.replace(reader, grants=grants))


def _within(reach: Reach, row: PremisesRow, *, held: bool) -> bool:
    return reach.district or row.community in reach.communities or row.id in reach.premises or held


HAS = """
select exists (select from assignment where district = $1 and premises = $2 and organisation = any($3::uuid[]))
"""


async def _refuse_who_may_not(conn: Connection, reader: Reader, row: PremisesRow) -> None:
    reach = await _changing_reach(conn, reader)
    held = bool(reach.organisations) and await conn.fetchval(HAS, row.district, row.id, reach.organisations)
    if not _within(reach, row, held=held):
        raise NotAllowed


# --- telling


async def _answered(
    conn: Connection, reader: Reader, door: UUID, id_: UUID, draft: NewDoor | DoorChange
) -> DoorNow | None:
    """What the door is since this draft was answered first; raises IdTaken where the id was used for anything else."""
    first = await conn.fetchrow(ANSWERED, reader.district, id_)
    if first is None:
        return None
    if (first["thing"], first["actor"], first["request"]) != (door, str(reader.member), request_digest(draft)):
        raise IdTaken("id")
    facts = first["facts"]
    return DoorNow(
        id=door,
        version=first["version"],
        state=facts["state"],
        community=facts.get("community"),
        certainty=facts["certainty"],
        merged_into=UUID(facts["merged_into"]) if facts.get("merged_into") else None,
    )


UNTOLD = ("district", "id", "recorded_at", "alike", "text_version", "version", "cell")


def _columns(row: PremisesRow) -> dict[str, object]:
    """What the history holds of a door: never what it is called, nor the digest of that, which could be guessed."""
    return {name: value for name, value in msgspec.structs.asdict(row).items() if name not in UNTOLD}


async def _tell(
    conn: Connection,
    reader: Reader,
    row: PremisesRow,
    changed: PremisesRow,
    texts: Mapping[str, str],
    told: Mapping[str, str],
    draft: DoorChange,
    now: datetime,
) -> None:
    before, after = _columns(row), _columns(changed)
    facts = {name: value for name, value in after.items() if value != before[name]}
    facts |= {"state": changed.state, "community": changed.community, "certainty": changed.certainty}
    written: list[Row] = []
    if draft.reason.strip():
        reason, facts["reason_digest"] = text_row(row.district, draft.id, 1, {"reason": draft.reason}, now)
        written.append(reason)
    if told != texts:
        text, facts["text_digest"] = text_row(row.district, row.id, changed.text_version, told, now, findable=True)
        facts["text_version"] = changed.text_version
        written.append(text)
    event = _event(reader, changed, draft.id, draft.change, facts, request_digest(draft), now)
    await history.append(conn, [event], written)


def _event(
    reader: Reader,
    row: PremisesRow,
    id_: UUID,
    event: str,
    facts: Mapping[str, object],
    request: bytes,
    now: datetime,
) -> Row:
    return event_row(
        district=row.district,
        id=id_,
        kind="premises",
        thing=row.id,
        version=row.version,
        event=event,
        actor=Actor("member", str(reader.member)),
        happened_at=now,
        recorded_at=now,
        facts=facts,
        request=request,
    )


async def _now(conn: Connection, reader: Reader, row: PremisesRow, texts: Mapping[str, str]) -> DoorNow:
    door = Door(
        id=row.id,
        kind=row.kind,
        code=row.code,
        name=texts.get("name", ""),
        address=texts.get("address", ""),
        lon=row.lon,
        lat=row.lat,
    )
    reach = await scopes.reach(conn, reader)
    open_ = row.state in ("proposed", "confirmed")
    return DoorNow(
        id=row.id,
        version=row.version,
        state=row.state,
        community=row.community,
        certainty=row.certainty,
        merged_into=row.merged_into,
        doubles=await premises_doubles.beside(conn, reach, door, row.community) if open_ else [],
    )

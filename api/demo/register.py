"""The register of doors of the demo district: those that were visited, those that wait, and who is to go there."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from random import Random
from uuid import UUID

import msgspec
from asyncpg import Connection

from api.demo.doors import CAMPAIGN, Filed, premises
from api.demo.people import Member, Population
from api.demo.places import Place, door
from api.demo.words import chances, new_id, weighted
from maps.locator import Atlas
from surveys import history
from surveys.campaigns import campaigns
from surveys.history import Actor, Row, bytea, occurrence, text_row
from surveys.issues import placing
from surveys.issues.placing import Placed, Position, ToPlace
from surveys.premises import premises as premises_
from surveys.premises.premises import PremisesKind, PremisesRow
from surveys.visits.visit_drafts import PremisesDraft

_AGAIN = 0.5  # of the visits that met nobody, those that were tried again
_FOUND = 0.03  # of the doors visited, those that the register did not have
_OTHERS = 0.015  # of the doors visited, those that were another's to visit
_UNHELD = 0.08  # of the doors that wait, those that nobody has
_WAITING = 0.5  # doors that wait, for each that was visited
_KINDS: Mapping[PremisesKind, float] = {"shop": 0.4, "household": 0.5, "enterprise": 0.1}


@dataclass(frozen=True, slots=True)
class Door:
    """A door on the register, and who has it in the campaign."""

    id: UUID
    draft: PremisesDraft
    position: Position
    community: str
    holder: Member | None


def visited(filed: Sequence[Filed], rng: Random) -> list[Filed]:
    """The visits with the doors at which they were: who met nobody often came again, to the same door."""
    following: dict[tuple[str, str], Filed] = {}
    told: list[Filed] = []
    for one in reversed(filed):
        group = (one.visit.place.code, one.visit.kind)
        later = following.get(group)
        if later is not None and one.visit.outcome != "met" and rng.random() < _AGAIN:
            changes = {"premises": later.draft.premises, "position": later.draft.position}
        else:
            changes = {"premises": msgspec.structs.replace(one.draft.premises, id=new_id(rng))}
        following[group] = replace(one, draft=msgspec.structs.replace(one.draft, **changes))
        told.append(following[group])
    return told[::-1]


def doors(filed: Sequence[Filed], places: Sequence[Place], everybody: Population, rng: Random) -> list[Door]:
    """The register as it was imported before the campaign."""
    firsts = {one.draft.premises.id: one for one in reversed(filed)}
    known = [_visited(id_, one, everybody, rng) for id_, one in firsts.items() if id_ and rng.random() >= _FOUND]
    counts = Counter(one.community for one in known)
    waiting = [
        _waiting(place, everybody, rng) for place in places for _ in range(3 + round(_WAITING * counts[place.code]))
    ]
    return known + waiting


def _visited(id_: UUID, one: Filed, everybody: Population, rng: Random) -> Door:
    place, holder = one.visit.place, one.visit.member
    if rng.random() < _OTHERS:
        holder = rng.choice(everybody.of_community[place.code][:12])
    position = one.draft.position or _position(place, rng)
    return Door(id_, one.draft.premises, position, place.code, holder)


def _waiting(place: Place, everybody: Population, rng: Random) -> Door:
    id_ = new_id(rng)
    draft = msgspec.structs.replace(premises(weighted(rng, _KINDS), place, rng), id=id_)
    members = everybody.of_community[place.code]
    rank = min(1 + int(rng.expovariate(1 / 5)), len(members) - 1)  # as the visits go
    return Door(id_, draft, _position(place, rng), place.code, None if rng.random() < _UNHELD else members[rank])


def _position(place: Place, rng: Random) -> Position:
    lon, lat = door(place, rng)
    return Position(lon=round(lon, 6), lat=round(lat, 6), system="wgs84", source="address")


INSERT = f"""
insert into premises ({premises_.ROW}) select {premises_.ROW} from json_populate_recordset(null::premises, $1)
"""
AT_ONCE = 1_000  # doors of one statement
DEMO = Actor("program", "demo")


async def write(conn: Connection, atlas: Atlas, district: int, known: Sequence[Door], at: datetime) -> None:
    """Write the register as an import of that moment would have, and who has which door, in the order in which they
    lie."""
    placed = placing.place(atlas, district, [ToPlace(one.position, one.community, at) for one in known])
    every = list(zip(known, placed, strict=True))
    for start in range(0, len(every), AT_ONCE):
        part = every[start : start + AT_ONCE]
        rows, texts = zip(*(_row(district, one, place, at) for one, place in part), strict=True)
        await history.append(conn, [], texts)
        await conn.execute(INSERT, rows)
    await _assign(conn, district, every, at)
    given = {"campaign": CAMPAIGN, "doors": sum(one.holder is not None for one in known)}
    campaign = campaigns.thing(district, CAMPAIGN)
    told = [
        occurrence(district=district, kind="premises", event="import", actor=DEMO, now=at, facts={"new": len(known)}),
        occurrence(district=district, kind="campaign", event="assign", actor=DEMO, now=at, about=campaign, facts=given),
    ]
    rng = chances("register's history")
    await history.append(conn, [event | dict.fromkeys(("id", "thing"), new_id(rng)) for event in told], [])


def _row(district: int, one: Door, place: Placed, at: datetime) -> tuple[PremisesRow, Row]:
    name, address = one.draft.name, one.draft.address
    row = PremisesRow(
        district=district,
        id=one.id,
        kind=one.draft.kind,
        state="confirmed",
        source="import",
        alike=bytea(premises_.alike(one.draft.kind, name, address)),
        recorded_at=at,
        **msgspec.structs.asdict(place),
    )
    return row, text_row(district, one.id, 1, {"name": name, "address": address}, at, findable=True)[0]


async def _assign(conn: Connection, district: int, every: Sequence[tuple[Door, Placed]], at: datetime) -> None:
    held = sorted(
        ((one.holder, place.cell or 0, one.id) for one, place in every if one.holder is not None),
        key=lambda of: (of[0].id, of[1], of[2]),
    )
    await conn.copy_records_to_table(
        "assignment",
        columns=("district", "campaign", "premises", "organisation", "member", "place", "means", "assigned_at"),
        records=[
            (district, CAMPAIGN, door, holder.organisation, holder.id, at_place, "proposal", at)
            for _, theirs in groupby(held, key=lambda of: of[0].id)
            for at_place, (holder, _, door) in enumerate(theirs, start=1)
        ],
    )

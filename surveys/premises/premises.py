"""The register of doors: rows, their texts, and by what the same door is known again."""

import hashlib
import unicodedata
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from maps.coordinates import System
from surveys.history import Actor, Row, bytea, event_row, text_row
from surveys.issues.issues import event_id
from surveys.issues.placing import Certainty, Placed, Source

PremisesKind = Literal["shop", "enterprise", "household"]
PremisesState = Literal[
    "proposed",  # found on the way, and not yet confirmed at the desk
    "confirmed",
    "gone",
    "merged",
]
PremisesSource = Literal["import", "visit", "desk"]


class PremisesRow(Struct, frozen=True, kw_only=True):
    """A row of the table `premises`, column by column."""

    district: int
    id: UUID
    version: int = 1
    kind: PremisesKind
    code: str | None = None
    state: PremisesState
    merged_into: UUID | None = None
    source: PremisesSource
    found_by: UUID | None = None
    alike: str  # as bytea is written
    position_lon: float | None = None
    position_lat: float | None = None
    accuracy_m: float | None = None
    position_system: System | None = None
    position_source: Source | None = None
    lon: float | None = None
    lat: float | None = None
    cell: int | None = None
    community: str | None = None
    certainty: Certainty
    boundary_version: int | None = None
    place_settled_at: datetime | None = None  # since when a person has said where it counts
    text_version: int = 1
    recorded_at: datetime


ROW = ", ".join(PremisesRow.__struct_fields__)

# Doors that visits in `filed` were the first to name, each of them an object with that visit beside its columns. One
# that somebody else named a moment earlier is left alone.
INSERT_FOUND = f"""
  insert into premises ({ROW})
  select {", ".join(f"p.{name}" for name in PremisesRow.__struct_fields__)}
  from json_array_elements({{0}}) as e, json_populate_record(null::premises, e) as p
  where (e->>'visit')::uuid in (select id from filed)
  on conflict do nothing
  returning id
"""

# The doors whose visits count for one, to be compared with: itself, and what was merged into it. One look tells, since
# whatever was merged into a door goes along when that one is merged; visits and issues keep the door that they had.
DOORS_OF = (
    "any(array(select {premises} union all"
    " select s.id from premises s where s.district = {district} and s.merged_into = {premises}))"
)


def alike(kind: PremisesKind, name: str, address: str) -> bytes:
    """Digest of what a door is called and where it is said to be, equal however the same is typed: width, case, spaces
    and punctuation do not count."""
    return hashlib.sha256("\0".join((kind, _bare(name), _bare(address))).encode()).digest()


def _bare(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if unicodedata.category(character)[0] in "LN")


class Found(Struct, frozen=True, kw_only=True):
    """A door that a visit was the first to name: its row with the visit beside it, its event and its text."""

    row: Row
    event: Row
    text: Row


def found(
    *,
    district: int,
    id: UUID,  # noqa: A002 - the column's name
    kind: PremisesKind,
    name: str,
    address: str,
    place: Placed,
    visit: UUID,
    member: UUID,
    actor: Actor,
    at: datetime,
    now: datetime,
) -> Found:
    """A door as the member who found it describes it, to be confirmed at the desk."""
    text, digest = text_row(district, id, 1, {"name": name, "address": address}, now, findable=True)
    row = PremisesRow(
        district=district,
        id=id,
        kind=kind,
        state="proposed",
        source="visit",
        found_by=member,
        alike=bytea(alike(kind, name, address)),
        recorded_at=now,
        **msgspec.structs.asdict(place),
    )
    columns = msgspec.structs.asdict(row)
    facts = {key: value for key, value in columns.items() if value is not None} | {"visit": visit}
    for column in ("district", "id", "recorded_at", "alike"):
        del facts[column]
    event = event_row(
        district=district,
        id=event_id(id, "find"),
        kind="premises",
        thing=id,
        version=1,
        event="find",
        actor=actor,
        happened_at=at,
        recorded_at=now,
        facts=facts | {"text_digest": digest},
    )
    return Found(row=columns | {"visit": visit}, event=event, text=text)

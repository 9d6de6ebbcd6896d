"""Positions as they came, and where they fall: kept side by side, never one instead of the other."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Protocol

import numpy as np
from asyncpg import Connection
from msgspec import Meta, Struct

from maps import coordinates, tiles
from maps.coordinates import InvalidPosition, System
from maps.locator import Placement
from surveys.refusals import Invalid

Source = Literal["gps", "map", "address", "photo"]
Certainty = Literal["inside", "near_line", "outside", "unplaced"]


class Position(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A position as a phone, a map or a ledger gave it, in degrees of its own system."""

    lon: float
    lat: float
    accuracy_m: Annotated[float, Meta(ge=0, le=1_000_000)] | None = None
    system: System = "wgs84"
    source: Source = "gps"


class PositionUnusable(Invalid):
    """A position that lies nowhere; `code` says why."""

    def __init__(self, field: str, cause: InvalidPosition) -> None:
        super().__init__(field, **{name: fact for name, fact in cause.facts.items() if name != "field"})
        self.code = cause.code  # type: ignore[misc]  # the cause has a code of its own


class CommunityName(Struct, frozen=True):
    """A community as people read it."""

    code: str
    name: str


class Point(Struct, frozen=True):
    """A place in degrees of WGS-84."""

    lon: float
    lat: float


class Placed(Struct, frozen=True, kw_only=True):
    """Where something is: as it came, as WGS-84 with its Morton cell, and the community it falls in."""

    position_lon: float | None = None
    position_lat: float | None = None
    accuracy_m: float | None = None
    position_system: System | None = None
    position_source: Source | None = None
    lon: float | None = None
    lat: float | None = None
    cell: int | None = None
    community: str | None = None
    certainty: Certainty = "unplaced"
    boundary_version: int | None = None


class Atlas(Protocol):
    """The boundaries of every district and every day, in memory."""

    def place(
        self,
        district: int,
        moments: Sequence[datetime],
        lon: np.ndarray,
        lat: np.ndarray,
        accuracy_m: np.ndarray,
    ) -> Sequence[Placement]: ...


class ToPlace(Struct, frozen=True):
    """Something to place: its position or None, the community named by hand or None, and when it was there."""

    position: Position | None
    community: str | None
    moment: datetime


def check(position: Position | None, field: str) -> None:
    """Raises PositionUnusable, naming the field, when the position lies nowhere on earth."""
    if position is None:
        return
    try:
        coordinates.check(position.lon, position.lat)
    except InvalidPosition as cause:
        raise PositionUnusable(f"{field}.{cause.facts['field']}" if "field" in cause.facts else field, cause) from None


def place(atlas: Atlas, district: int, wanted: Sequence[ToPlace]) -> list[Placed]:
    """Place each position in the boundaries of its own day; a community named by hand counts where none contains it."""
    located = [(index, one.position) for index, one in enumerate(wanted) if one.position is not None]
    placed = [Placed(community=one.community) for one in wanted]
    if not located:
        return placed
    lon, lat = _wgs84([position for _, position in located])
    accuracy = np.array([position.accuracy_m or 0.0 for _, position in located])
    moments = [wanted[index].moment for index, _ in located]
    placements = atlas.place(district, moments, lon, lat, accuracy)
    cells = tiles.cell(lon, lat)
    for at, (index, position) in enumerate(located):
        placed[index] = Placed(
            position_lon=position.lon,
            position_lat=position.lat,
            accuracy_m=position.accuracy_m,
            position_system=position.system,
            position_source=position.source,
            lon=float(lon[at]),
            lat=float(lat[at]),
            cell=int(cells[at]),
            community=placements[at].community or wanted[index].community,
            certainty=placements[at].certainty,
            boundary_version=placements[at].version,
        )
    return placed


def point(position: Position) -> Point:
    """Where a position is, in degrees of WGS-84."""
    lon, lat = _wgs84([position])
    return Point(float(lon[0]), float(lat[0]))


def _wgs84(positions: Sequence[Position]) -> tuple[np.ndarray, np.ndarray]:
    lon = np.array([position.lon for position in positions])
    lat = np.array([position.lat for position in positions])
    systems = np.array([position.system for position in positions])
    for system in set(systems.tolist()) - {"wgs84"}:
        chosen = systems == system
        lon[chosen], lat[chosen] = coordinates.to_wgs84(lon[chosen], lat[chosen], system)
    return lon, lat


NO_COMMUNITY = "none"  # how somebody says by hand that a place is in none


def named(community: str | None) -> str | None:
    """The community that somebody named by hand; NO_COMMUNITY is none."""
    return None if community == NO_COMMUNITY else community


def settled(community: str | None, place_settled: bool | None, now: datetime) -> datetime | None:
    """Since when a corrected place is settled: who names a community says where it counts, and a new position waits
    again until its own certainty, or somebody, does. `place_settled` says otherwise."""
    by_hand = community is not None if place_settled is None else place_settled
    return now if by_hand else None


COMMUNITY_EXISTS = "select exists (select from community where district = $1 and code = $2)"


async def community_exists(conn: Connection, district: int, code: str) -> bool:
    """Whether the district has this community."""
    found: bool = await conn.fetchval(COMMUNITY_EXISTS, district, code)
    return found

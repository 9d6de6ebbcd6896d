"""From a position to its community, in memory: many at once, or one in microseconds.

A position on a line, or where communities overlap, belongs to the smallest code of those that have it, always.

All searching is done on one plane: degrees, with latitude stretched so that at the district's middle both axes have
one scale. How far a line is, is then told in metres by the equirectangular projection at the position's own latitude.

A grid of small cells knows which of them no line goes through: most positions need no more than a look at their cell.
"""

import asyncio
import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely
from asyncpg import Connection
from shapely import Point, STRtree

from maps import boundaries, coordinates
from maps.boundaries import Area, BoundaryVersion, Geometries
from maps.coordinates import Array, Degrees, Pair

Certainty = Literal["inside", "near_line", "outside", "unplaced"]
Indexes: TypeAlias = npt.NDArray[np.intp]

NOWHERE = -1

_FEW = 16  # up to here placing one after the other is cheaper than arrays are

_CELLS_PER_AREA = 200  # more let more positions do with a look at their cell, and loading a version takes longer


class Placement(NamedTuple):
    """Where something falls: the community's code or None, how certain that is, and by which boundary version.

    `distance_m` is how far the nearest line is, where it is closer than the position's accuracy; else None.
    """

    community: str | None
    certainty: Certainty
    distance_m: float | None
    version: int | None


UNPLACED = Placement(None, "unplaced", None, None)


@dataclass(frozen=True, slots=True)
class Placements:
    """Where each of many positions falls: its area's index or NOWHERE, how certain that is, and how many metres away
    the nearest line is where it is closer than the accuracy (else not a number)."""

    index: Indexes
    certainty: npt.NDArray[np.str_]
    distance_m: Array


@dataclass(frozen=True, slots=True)
class Located:
    """All there is to say of one position.

    `distance_m` is how far the nearest line is, wherever that may be; `candidates` are the codes of all communities
    that the position may lie in, for its accuracy.
    """

    code: str | None
    name: str | None
    street: str | None
    certainty: Certainty
    distance_m: float
    candidates: list[str]
    version: int


class Beside(NamedTuple):
    """A community beside a position: how many metres away its line is, and whether it has the position within it."""

    code: str
    name: str
    distance_m: float
    within: bool


class Locator:
    """The areas of one boundary version, by ascending code, ready to be searched.

    Without `clear_cells` it is ready in a fifth of the time and slower to answer: for a command that places thousands
    and ends, not for a server."""

    def __init__(self, boundary_version: BoundaryVersion, *, clear_cells: bool = True) -> None:
        self.boundaries = boundary_version
        self.version = boundary_version.version
        self.valid_from = boundary_version.valid_from
        self.areas: Sequence[Area] = sorted(boundary_version.areas, key=lambda area: area.code)
        self.codes: Sequence[str] = [area.code for area in self.areas]
        geometries = np.array([area.geometry for area in self.areas], dtype=object)
        self._plane = _Plane(geometries)
        self._polygons = shapely.transform(geometries, self._plane.project, interleaved=False)
        shapely.prepare(self._polygons)
        self._tree = STRtree(self._polygons)
        self._cells = _Cells(shapely.total_bounds(self._polygons), _CELLS_PER_AREA * len(self.areas))
        if clear_cells:
            self._clear_cells()

    @cached_property
    def _lines(self) -> Geometries:
        lines = _lines(self._polygons, self._tree)
        shapely.prepare(lines)
        return lines

    def place(self, lon: Array, lat: Array, accuracy_m: Array) -> Placements:
        """Place positions in WGS-84; an accuracy that is not known is 0 or not a number."""
        x, y = self._plane.project(lon, lat)
        cell = self._cells.of(x, y)
        index, clearance_m = self._cells.area[cell], self._cells.clearance_m[cell]
        unclear = np.flatnonzero(index == NOWHERE)
        index[unclear] = self._containing(x[unclear], y[unclear])
        distance_m = np.full(len(index), np.inf)
        doubtful = np.flatnonzero((index != NOWHERE) & (accuracy_m > clearance_m))
        if len(doubtful):  # the lines, which take long to make, are made for the first position that needs them
            distance_m[doubtful] = self._distances_m(index[doubtful], x[doubtful], y[doubtful])
        near = distance_m < accuracy_m
        certainty = np.where(index == NOWHERE, "outside", np.where(near, "near_line", "inside"))
        return Placements(index, certainty, np.where(near, distance_m, np.nan))

    def placed(self, lon: Array, lat: Array, accuracy_m: Array) -> list[Placement]:
        """Place positions as `place` does, each told on its own."""
        if len(lon) <= _FEW:
            return [self.place_one(*one) for one in zip(lon.tolist(), lat.tolist(), accuracy_m.tolist(), strict=True)]
        placements = self.place(lon, lat, accuracy_m)
        rows = zip(
            placements.index.tolist(), placements.certainty.tolist(), placements.distance_m.tolist(), strict=True
        )
        return [
            Placement(
                None if index == NOWHERE else self.codes[index],
                certainty,
                distance_m if certainty == "near_line" else None,
                self.version,
            )
            for index, certainty, distance_m in rows
        ]

    def place_one(self, lon: float, lat: float, accuracy_m: float | None = None) -> Placement:
        """Place one position as `place` would, without the cost of arrays."""
        x, y = self._plane.project(lon, lat)
        cell = self._cells.of_one(x, y)
        index = self._cells.area.item(cell)
        if index == NOWHERE:
            index = min(self._all_containing(Point(x, y)), default=NOWHERE)
        if index == NOWHERE:
            return Placement(None, "outside", None, self.version)
        if accuracy_m and accuracy_m > self._cells.clearance_m.item(cell):
            distance_m = self._distance_m(index, Point(x, y), accuracy_m)
            if distance_m < accuracy_m:
                return Placement(self.codes[index], "near_line", distance_m, self.version)
        return Placement(self.codes[index], "inside", None, self.version)

    def at(self, lon: float, lat: float, accuracy_m: float | None = None) -> Located:
        """Tell all there is to say of one position in WGS-84."""
        reach_m = accuracy_m or 0.0
        point = Point(*self._plane.project(lon, lat))
        containing = self._all_containing(point)
        within = self._tree.query(point, predicate="dwithin", distance=self._plane.reach(reach_m)).tolist()
        candidates = {*containing, *(index for index in within if self._distance_m(index, point, reach_m) <= reach_m)}
        nearest = min(containing) if containing else int(self._tree.nearest(point))
        distance_m = self._distance_m(nearest, point)
        area = self.areas[nearest] if containing else None
        certainty: Certainty = "outside" if area is None else "near_line" if distance_m < reach_m else "inside"
        return Located(
            code=area.code if area else None,
            name=area.name if area else None,
            street=area.street if area else None,
            certainty=certainty,
            distance_m=distance_m,
            candidates=[self.codes[index] for index in sorted(candidates)],
            version=self.version,
        )

    def beside(self, lon: float, lat: float, reach_m: float) -> list[Beside]:
        """The communities whose line is within reach of a position, or that have it within; else the nearest one. Those
        that have it come first, then the nearest."""
        point = Point(*self._plane.project(lon, lat))
        having = set(self._all_containing(point))
        near = self._tree.query(point, predicate="dwithin", distance=self._plane.reach(reach_m)).tolist()
        found = having.union(near) or {int(self._tree.nearest(point))}
        told = [
            Beside(self.codes[index], self.areas[index].name, self._own_distance_m(index, point), index in having)
            for index in found
        ]
        return sorted(told, key=lambda one: (not one.within, one.distance_m, one.code))

    def _own_distance_m(self, index: int, point: Point) -> float:
        """Metres from a point to an area's own line."""
        way = shapely.shortest_line(shapely.boundary(self._polygons[index]), point)
        return float(self._plane.length_m(np.array([way], dtype=object))[0])

    def _clear_cells(self) -> None:
        """Find the cells that no line goes through: those whose middle is farther from it than from their corners."""
        x, y = self._cells.middles()
        index = self._containing(x, y)
        somewhere = np.flatnonzero(index != NOWHERE)
        distance_m = self._distances_m(index[somewhere], x[somewhere], y[somewhere])
        farthest_m = self._plane.longest_m(self._cells.half_diagonal)
        self._cells.clear(somewhere, index[somewhere], distance_m - farthest_m)

    def _containing(self, x: Array, y: Array) -> Indexes:
        """The smallest index of the areas that have each point.

        The tree tells whose boxes have it; which areas do is then looked up area by area, some twenty times as fast
        as by the tree's own predicates, which prepare the point and not the polygon.
        """
        at, area = self._tree.query(shapely.points(x, y))
        by_area = np.argsort(area, kind="stable")
        at, area = at[by_area], area[by_area]
        has = shapely.intersects_xy(self._polygons[area], x[at], y[at])
        smallest = np.full(len(x), len(self.areas))
        np.minimum.at(smallest, at[has], area[has])
        return np.where(smallest == len(self.areas), NOWHERE, smallest)

    def _all_containing(self, point: Point) -> list[int]:
        return [area for area in self._tree.query(point).tolist() if shapely.intersects(self._polygons[area], point)]

    def _distances_m(self, index: Indexes, x: Array, y: Array) -> Array:
        """Metres from points to the nearest of the lines that they can be near; area by area, as above."""
        distance_m = np.empty(len(index))
        by_area = np.argsort(index, kind="stable")
        ways = shapely.shortest_line(self._lines[index[by_area]], shapely.points(x[by_area], y[by_area]))
        distance_m[by_area] = self._plane.length_m(ways)
        return distance_m

    def _distance_m(self, index: int, point: Point, enough_m: float = math.inf) -> float:
        """Metres from one point to the nearest line of an area; infinite when that is surely more than enough."""
        line = self._lines[index]
        if enough_m < math.inf and not shapely.dwithin(line, point, self._plane.reach(enough_m)):
            return math.inf
        return float(self._plane.length_m(shapely.shortest_line(line, point))[0])


class _Plane:
    """Degrees, with latitude stretched by one factor for the whole district: straight lines stay straight."""

    def __init__(self, geometries: Geometries) -> None:
        _, south, _, north = shapely.total_bounds(geometries)
        east_m, north_m = coordinates.metres_per_degree((south + north) / 2)
        self._stretch = float(north_m / east_m)
        around = np.clip([south - 0.1, north + 0.1], -89.0, 89.0)
        units_m = self._unit_m(around * self._stretch)
        self._shortest_unit_m, self._longest_unit_m = float(np.min(units_m)), float(np.max(units_m))

    def project(self, lon: Degrees, lat: Degrees) -> tuple[Degrees, Degrees]:
        """Bring degrees to the plane."""
        return lon, lat * self._stretch

    def reach(self, metres: float) -> float:
        """A distance on the plane that, in and around the district, nothing within so many metres exceeds."""
        return metres / self._shortest_unit_m

    def longest_m(self, distance: float) -> float:
        """The metres that, in and around the district, a distance on the plane does not exceed."""
        return distance * self._longest_unit_m

    def length_m(self, ways: Geometries) -> Array:
        """The metres from one end of straight ways to the other, by the length of a degree at that other end."""
        ends = shapely.get_coordinates(ways).reshape(-1, 2, 2)
        east_m, north_m = self._unit_m(ends[:, 1, 1])
        length: Array = np.hypot((ends[:, 1, 0] - ends[:, 0, 0]) * east_m, (ends[:, 1, 1] - ends[:, 0, 1]) * north_m)
        return length

    def _unit_m(self, y: Array) -> Pair:
        east_m, north_m = coordinates.metres_per_degree(y / self._stretch)
        return east_m, north_m / self._stretch


class _Cells:
    """A grid over the district: the area each cell lies in, and how far from all of it the nearest line is at least.

    NOWHERE and 0 for a cell that a line may go through, and for the last, which stands for all that is off the grid.
    """

    def __init__(self, bounds: Array, count: int) -> None:
        self._west, self._south, east, north = (float(bound) for bound in bounds)
        self._side = math.sqrt((east - self._west) * (north - self._south) / count)
        self._columns = math.ceil((east - self._west) / self._side)
        self._rows = math.ceil((north - self._south) / self._side)
        self.half_diagonal = self._side / math.sqrt(2)
        self.area: Indexes = np.full(self._columns * self._rows + 1, NOWHERE)
        self.clearance_m: Array = np.zeros(len(self.area))

    def middles(self) -> Pair:
        """The x and y of the middle of each cell."""
        row, column = np.divmod(np.arange(self._columns * self._rows), self._columns)
        return self._west + (column + 0.5) * self._side, self._south + (row + 0.5) * self._side

    def clear(self, cell: Indexes, area: Indexes, clearance_m: Array) -> None:
        """Note the areas of those cells that keep clear of any line."""
        clear = clearance_m > 0
        self.area[cell[clear]], self.clearance_m[cell[clear]] = area[clear], clearance_m[clear]

    def of(self, x: Array, y: Array) -> Indexes:
        """The cell of each point."""
        column, row = np.floor((x - self._west) / self._side), np.floor((y - self._south) / self._side)
        on_grid = (column >= 0) & (column < self._columns) & (row >= 0) & (row < self._rows)
        return np.where(on_grid, row * self._columns + column, self._columns * self._rows).astype(np.intp)

    def of_one(self, x: float, y: float) -> int:
        """The cell of one point."""
        column, row = (x - self._west) / self._side, (y - self._south) / self._side
        if 0 <= column < self._columns and 0 <= row < self._rows:
            return int(row) * self._columns + int(column)
        return self._columns * self._rows


def _lines(polygons: Geometries, tree: STRtree) -> Geometries:
    """The lines that a position in each polygon can be near: the polygon's own, and those of polygons that overlap it.

    Any other line is farther than its own.
    """
    lines: Geometries = shapely.boundary(polygons)
    ones, others = tree.query(polygons)
    ones, others = ones[ones < others], others[ones < others]
    sharing = shapely.relate_pattern(polygons[ones], polygons[others], "T********")
    near = lines.copy()
    for one, other in zip(ones[sharing].tolist(), others[sharing].tolist(), strict=True):
        near[one] = shapely.union(near[one], lines[other])
        near[other] = shapely.union(near[other], lines[one])
    return near


class Atlas:
    """The locators of every district, one for each of its boundary versions; follows new versions when refreshed.

    For a command, of one district alone, and without the cells that only a server has time for."""

    def __init__(self, only: int | None = None) -> None:
        self._only = only
        self._locators: Mapping[int, Sequence[Locator]] = {}  # replaced as a whole, never changed

    def locators(self, district: int) -> Sequence[Locator]:
        """The district's locators, by the moment from which each is valid."""
        return self._locators.get(district, ())

    def valid_at(self, district: int, moment: datetime) -> Locator | None:
        """The locator valid at a moment: before the first version, the first; None where the district has none."""
        locators = self.locators(district)
        return locators[_valid_at(locators, moment)] if locators else None

    def place(
        self, district: int, moments: Sequence[datetime], lon: Array, lat: Array, accuracy_m: Array
    ) -> list[Placement]:
        """Place each position in the version valid at its moment.

        What is not a number is unplaced, and so is everything in a district without boundaries.
        """
        locators = self.locators(district)
        placed = [UNPLACED] * len(lon)
        by_locator = defaultdict(list)
        for at in np.flatnonzero(np.isfinite(lon) & np.isfinite(lat)).tolist() if locators else ():
            by_locator[_valid_at(locators, moments[at])].append(at)
        for number, some in by_locator.items():
            placements = locators[number].placed(lon[some], lat[some], accuracy_m[some])
            for at, placement in zip(some, placements, strict=True):
                placed[at] = placement
        return placed

    async def refresh(self, conn: Connection) -> None:
        """Take up the boundary versions that were stored since the last time; the rest goes on serving meanwhile."""
        make = partial(Locator, clear_cells=self._only is None)
        for district, newest in (await boundaries.latest_versions(conn)).items():
            if self._only not in (None, district):
                continue
            known = self.locators(district)
            last = max((locator.version for locator in known), default=0)
            if newest > last:
                versions = await boundaries.load(conn, district, after=last)
                new = [await asyncio.to_thread(make, version) for version in versions]
                ordered = sorted([*known, *new], key=lambda locator: locator.valid_from)
                self._locators = {**self._locators, district: ordered}


def _valid_at(locators: Sequence[Locator], moment: datetime) -> int:
    return max(bisect_right(locators, moment, key=lambda locator: locator.valid_from) - 1, 0)

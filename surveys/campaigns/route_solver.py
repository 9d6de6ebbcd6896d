"""Doors divided among members so that each has the same number, close together, in an order to be walked.

The ground is cut into neighbouring parts, one for each member, as even as whole doors allow. From there PyVRP, a kept
solver of vehicle routing, moves doors between members and along their ways for as long as it may: members are vehicles
that carry exactly their share, and begin and end anywhere. What is too large for one table of distances is cut first.

It is asked in a process of its own (api/route_planner.py), for it takes all of a processor while it works."""

import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyvrp
from msgspec import Struct
from pyvrp.exceptions import PenaltyBoundWarning

from surveys.campaigns import walking_routes
from surveys.campaigns.route_tasks import Answer, Group, Progress, Share, Task
from surveys.campaigns.walking_routes import Points

TOGETHER = 2_500  # doors in one table of distances: 50 MB
FINENESS = 10  # tenths of a metre: the solver counts in whole numbers
TELL_EVERY_S = 0.5


class _Part(Struct, frozen=True):
    """A part of a group that is solved at once."""

    among: npt.NDArray[np.int64]
    members: list[int]


def solve(task: Task, tell: Callable[[Progress], None]) -> Answer:
    """Divide each group. Bounded in time, but for the tables of distances that have to be made all the same."""
    total = sum(len(group.doors) for group in task.groups)
    clock = _Clock(task.seconds, total, tell)
    return Answer([_group(group, clock) for group in task.groups])


class _Clock:
    """Gives each part its share of the time, and tells how much is used up."""

    def __init__(self, seconds: float, doors: int, tell: Callable[[Progress], None]) -> None:
        self._seconds = seconds
        self._doors = max(doors, 1)
        self._tell = tell
        self._before = 0.0
        self._told = 0.0

    def of(self, doors: int) -> "_Turn":
        """The turn of a part with so many doors."""
        share = doors / self._doors
        begins, self._before = self._before, self._before + share
        return _Turn(self, begins, share, share * self._seconds)

    def told(self, done: float) -> None:
        now = time.monotonic()
        if now - self._told >= TELL_EVERY_S:
            self._told = now
            self._tell(Progress(min(done, 1.0)))


class _Turn:
    """Tells the solver when to stop."""

    def __init__(self, clock: _Clock, begins: float, share: float, seconds: float) -> None:
        self._clock = clock
        self._begins = begins
        self._share = share
        self._seconds = seconds
        self._started = time.monotonic()

    def __call__(self, best_cost: float) -> bool:
        used = (time.monotonic() - self._started) / self._seconds if self._seconds else 1.0
        self._clock.told(self._begins + self._share * min(used, 1.0))
        return used >= 1.0


def _group(group: Group, clock: _Clock) -> list[list[int]]:
    points = walking_routes.on_plane([*group.doors, *[share.near for share in group.shares if share.near]])
    doors, anchors = points[: len(group.doors)], iter(points[len(group.doors) :])
    near = [next(anchors) if share.near else None for share in group.shares]
    routes: list[list[int]] = [[] for _ in group.shares]
    working = [at for at, share in enumerate(group.shares) if share.doors]
    if not working:
        return routes
    for part in _parts(doors, np.arange(len(doors)), working, group.shares, near):
        solved = _solve(doors[part.among], [group.shares[at].doors for at in part.members], clock.of(len(part.among)))
        for member, route in zip(part.members, solved, strict=True):
            routes[member] = [int(part.among[at]) for at in route]
    return routes


def _parts(
    points: Points,
    among: npt.NDArray[np.int64],
    members: list[int],
    shares: Sequence[Share],
    near: Sequence[npt.NDArray[np.float64] | None],
) -> list[_Part]:
    """The doors in parts small enough to be solved at once; who holds doors on one side gets more of that side."""
    ordered = _along(points[among], members, near)
    if len(among) <= TOGETHER or len(members) == 1:
        return [_Part(among, ordered)]
    half = len(ordered) // 2
    first, rest = walking_routes.halves(points, among, sum(shares[at].doors for at in ordered[:half]))
    return _parts(points, first, ordered[:half], shares, near) + _parts(points, rest, ordered[half:], shares, near)


def _along(points: Points, members: list[int], near: Sequence[npt.NDArray[np.float64] | None]) -> list[int]:
    """Members as what they hold lies along the longer side; who holds nothing stands in the middle."""
    side = walking_routes.longer_side(points)
    middle = float(np.median(points[:, side])) if len(points) else 0.0

    def where(member: int) -> float:
        anchor = near[member]
        return middle if anchor is None else float(anchor[side])

    return sorted(members, key=where)


def _solve(points: Points, sizes: list[int], turn: _Turn) -> list[list[int]]:
    """Doors for each of these sizes, each in walking order."""
    begun = [_greedy(points, part) for part in walking_routes.split(points, sizes)]
    if len(points) <= 2:
        return begun
    kinds = sorted(set(sizes), reverse=True)
    data = _problem(points, sizes, kinds)
    first = pyvrp.Solution(data, [pyvrp.Route(data, route, kinds.index(len(route))) for route in begun])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PenaltyBoundWarning)  # shares that fit exactly are hard to keep
        found = pyvrp.solve(data, turn, collect_stats=False, initial_solution=first)
    if not found.is_feasible():
        return begun
    routes = [[activity.idx for activity in route if activity.is_client()] for route in found.best.routes()]
    return _matched(begun, routes)


def _problem(points: Points, sizes: list[int], kinds: list[int]) -> pyvrp.ProblemData:
    """Vehicles that carry exactly their share, from a depot that is no way from anywhere."""
    east, north = points[:, 0], points[:, 1]
    between = np.hypot(east[:, None] - east, north[:, None] - north)
    table: Any = np.zeros((len(points) + 1, len(points) + 1), dtype=np.int64)  # what the solver's types call wrong
    table[1:, 1:] = np.rint(between * FINENESS)
    return pyvrp.ProblemData(
        [pyvrp.Location(0, 0), *[pyvrp.Location(float(x), float(y)) for x, y in points]],
        [pyvrp.Client(at + 1, delivery=[1]) for at in range(len(points))],
        [pyvrp.Depot(0)],
        [pyvrp.VehicleType(num_available=sizes.count(kind), capacity=[kind]) for kind in kinds],
        [table],
        [np.zeros_like(table)],
    )


def _greedy(points: Points, part: npt.NDArray[np.int64]) -> list[int]:
    """From a corner always on to the nearest door."""
    left = list(map(int, part))
    at = min(left, key=lambda door: points[door].sum())
    way = [at]
    left.remove(at)
    while left:
        away = np.hypot(*(points[left] - points[at]).T)
        at = left.pop(int(away.argmin()))
        way.append(at)
    return way


def _matched(begun: list[list[int]], routes: list[list[int]]) -> list[list[int]]:
    """The routes in the order of those that they came from: each goes to who began with most of it."""
    belongs = {door: at for at, part in enumerate(begun) for door in part}
    pairs = sorted(
        (
            (-sum(belongs[door] == at for door in route), at, nth)
            for nth, route in enumerate(routes)
            for at in {belongs[door] for door in route}
            | {at for at, part in enumerate(begun) if len(part) == len(route)}
            if len(begun[at]) == len(route)
        ),
    )
    found: dict[int, int] = {}
    taken: set[int] = set()
    for _, at, nth in pairs:
        if at not in found and nth not in taken:
            found[at] = nth
            taken.add(nth)
    return [routes[found[at]] for at in range(len(begun))]

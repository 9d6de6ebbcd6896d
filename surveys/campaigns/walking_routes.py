"""The order in which doors are walked: how far it is, where a door is put into it, and how many doors each gets.

Distances are straight lines on a plane that touches the earth where the doors are: over a district they are right to
within a thousandth, which is closer than the position of a door."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]  # (n, 2) metres to the east and north

METRES_PER_DEGREE = 111_195.0  # of latitude


def on_plane(places: Sequence[tuple[float, float]]) -> Points:
    """Longitudes and latitudes as metres from the middle of them."""
    degrees = np.asarray(places, dtype=np.float64).reshape(-1, 2)
    if not len(degrees):
        return degrees
    middle = degrees.mean(axis=0)
    metres: Points = (degrees - middle) * (np.cos(np.radians(middle[1])) * METRES_PER_DEGREE, METRES_PER_DEGREE)
    return metres


def length(points: Points) -> float:
    """Metres from the first of these to the last, one after another."""
    steps = np.diff(points, axis=0)
    return float(np.hypot(steps[:, 0], steps[:, 1]).sum())


def inserted(points: Points, order: Sequence[int], new: Sequence[int]) -> list[int]:
    """An order with further doors in it, each where it makes the way longer by the least; the others stay in theirs."""
    way = list(order)
    for door in new:
        way.insert(_cheapest(points[way], points[door]), door)
    return way


def _cheapest(way: Points, door: npt.NDArray[np.float64]) -> int:
    """Before which stop of a way a door makes it longer by the least; after the last, by the number of stops."""
    if not len(way):
        return 0
    to_door = np.hypot(*(way - door).T)
    between = np.hypot(*np.diff(way, axis=0).T)
    costs = np.concatenate(([to_door[0]], to_door[:-1] + to_door[1:] - between, [to_door[-1]]))
    return int(costs.argmin())


MOST_UNTANGLED = 400  # stops of one way: more take longer than somebody waits


def untangled(points: Points, order: Sequence[int]) -> list[int]:
    """An order without detours that turning round a part of it takes away; what is too long to try stays as it is."""
    way = np.asarray(order, dtype=np.int64)
    if not 3 <= len(way) <= MOST_UNTANGLED:
        return list(order)
    ends = np.zeros((1, len(way)))  # to begin and to end costs nothing
    for _ in range(3 * len(way)):
        stops = points[way]
        between = np.hypot(stops[:, None, 0] - stops[:, 0], stops[:, None, 1] - stops[:, 1])
        before = np.vstack((ends, between[:-1]))  # from the stop before each i to each j
        after = np.hstack((between[:, 1:], ends.T))  # from each i to the stop after each j
        gained = np.triu(np.diag(before)[:, None] + np.diag(after) - before - after, 1)
        first, last = np.unravel_index(int(gained.argmax()), gained.shape)
        if gained[first, last] < 0.01:
            break
        way[first : last + 1] = way[first : last + 1][::-1]
    return [int(stop) for stop in way]


def shares(count: int, held: Sequence[int]) -> list[int]:
    """How many of so many new doors each gets who holds some already, so that all come as close to each other as what
    they hold allows."""
    if not held:
        return []
    loads = np.asarray(held, dtype=np.int64)
    low, high = int(loads.min()), int(loads.min()) + count
    while low < high:  # the highest level up to which all can be raised
        level = (low + high + 1) // 2
        if int(np.maximum(level - loads, 0).sum()) <= count:
            low = level
        else:
            high = level - 1
    got = np.maximum(low - loads, 0)
    left = count - int(got.sum())
    got[np.flatnonzero(loads + got == low)[:left]] += 1
    return [int(one) for one in got]


def split(points: Points, sizes: Sequence[int]) -> list[npt.NDArray[np.int64]]:
    """The doors cut into neighbouring parts of these sizes, across the longer side each time."""
    return _cut(points, np.arange(len(points)), sizes)


def _cut(points: Points, among: npt.NDArray[np.int64], sizes: Sequence[int]) -> list[npt.NDArray[np.int64]]:
    if len(sizes) == 1:
        return [among]
    half = len(sizes) // 2
    first, rest = halves(points, among, sum(sizes[:half]))
    return _cut(points, first, sizes[:half]) + _cut(points, rest, sizes[half:])


def halves(
    points: Points, among: npt.NDArray[np.int64], count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """These doors in two: so many on one side, the rest on the other, of the longer side."""
    along = longer_side(points[among])
    order = among[np.argsort(points[among, along], kind="stable")]
    return order[:count], order[count:]


def longer_side(points: Points) -> int:
    """Whether points stretch further from west to east (0) or from south to north (1)."""
    return int(np.ptp(points[:, 1]) > np.ptp(points[:, 0])) if len(points) else 0


def by_cell(points: Points) -> npt.NDArray[np.int64]:
    """Points in the order of a Morton curve: neighbours mostly follow one another."""
    if not len(points):
        return np.zeros(0, dtype=np.int64)
    steps = (points - points.min(axis=0)).astype(np.int64)
    cells = np.zeros(len(points), dtype=np.int64)
    for bit in range(24):
        cells |= ((steps[:, 0] >> bit) & 1) << (2 * bit) | ((steps[:, 1] >> bit) & 1) << (2 * bit + 1)
    return np.argsort(cells, kind="stable")

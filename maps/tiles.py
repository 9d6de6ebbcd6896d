"""Morton cells: one integer per position, so that a plain index answers "what lies in this view" and "in clusters".

A position is scaled to web mercator's square, 31 bits each way, and the bits are interleaved. The leading 2·z bits of
a cell are then the tile of zoom z that holds it: a tile is one range of cells, and a shift to the right groups by tile.
"""

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Bbox: TypeAlias = tuple[float, float, float, float]
Range: TypeAlias = tuple[int, int]

LEVELS = 31
METRES_PER_DEGREE = 111_320.0  # of latitude
NORTHERNMOST = 85.05112877980659  # where web mercator's square ends
FINER_THAN_A_TILE = 1  # a 256-pixel tile is parted into 2 × 2 cluster cells of 128 pixels

_SPREAD = (
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)


def cell(lon: npt.ArrayLike, lat: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the Morton cell of each WGS-84 position: 62 bits, x in the even bits and y, southwards, in the odd."""
    x, y = _grid(lon, lat)
    return np.asarray(spread(x) | (spread(y) << np.int64(1)), dtype=np.int64)


def shift_for(zoom: int) -> int:
    """Return how far to shift a cell to the right so that what clusters together at a zoom becomes equal."""
    return max(0, 2 * (LEVELS - zoom - FINER_THAN_A_TILE))


def covering(bbox: Bbox, max_ranges: int = 16) -> list[Range]:
    """Return at most `max_ranges` ranges of cells, both ends included, that hold every cell of the box.

    The ranges ascend and do not touch. They hold a little more than the box: test the positions again.
    Raises ValueError for a box whose west is east of its east, or whose south is north of its north.
    """
    west, south, east, north = bbox
    if not (west <= east and south <= north and max_ranges >= 1):
        raise ValueError("a box is west, south, east, north, and needs at least one range")
    left, top = (int(axis) for axis in _grid(west, north))
    right, bottom = (int(axis) for axis in _grid(east, south))
    return _at_most(max_ranges, _joined(_quads(left, top, right, bottom, 4 * max_ranges)))


def around(lon: float, lat: float, metres: float) -> Bbox:
    """Return the box that holds everything no further than so many metres from a position, and some corners."""
    north = metres / METRES_PER_DEGREE
    east = north / math.cos(math.radians(min(abs(lat), NORTHERNMOST)))
    return lon - east, lat - north, lon + east, lat + north


def _grid(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    size = 1 << LEVELS
    latitude = np.radians(np.clip(np.asarray(lat, dtype=np.float64), -NORTHERNMOST, NORTHERNMOST))
    x = (np.asarray(lon, dtype=np.float64) + 180.0) / 360.0
    y = (1.0 - np.arcsinh(np.tan(latitude)) / math.pi) / 2.0
    return _whole(x * size, size), _whole(y * size, size)


def _whole(value: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.int64]:
    return np.clip(np.floor(value), 0, size - 1).astype(np.int64)


def spread(value: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Put a zero between every two bits."""
    for distance, mask in _SPREAD:
        value = (value | (value << np.int64(distance))) & np.int64(mask)
    return value


def _quads(left: int, top: int, right: int, bottom: int, enough: int) -> list[Range]:
    """Part the square in four again and again, keeping what meets the rectangle, until it fits or is enough."""
    whole: list[Range] = []
    partly = [(0, 0, 0)]  # a quad's cell prefix, and its column and row at this level
    for level in range(LEVELS + 1):
        side = 1 << (LEVELS - level)
        still: list[tuple[int, int, int]] = []
        for prefix, column, row in partly:
            west, north = column * side, row * side
            east, south = west + side - 1, north + side - 1
            if east < left or west > right or south < top or north > bottom:
                continue
            if left <= west and east <= right and top <= north and south <= bottom:
                whole.append(_range(prefix, level))
            else:
                still.append((prefix, column, row))
        if not still or len(still) + len(whole) > enough:
            return whole + [_range(prefix, level) for prefix, _, _ in still]
        partly = [
            (prefix << 2 | quarter, column << 1 | quarter & 1, row << 1 | quarter >> 1)
            for prefix, column, row in still
            for quarter in range(4)
        ]
    return whole


def _range(prefix: int, level: int) -> Range:
    bits = 2 * (LEVELS - level)
    return prefix << bits, (prefix + 1 << bits) - 1


def _joined(ranges: list[Range]) -> list[Range]:
    joined: list[Range] = []
    for low, high in sorted(ranges):
        if joined and low == joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return joined


def _at_most(count: int, ranges: list[Range]) -> list[Range]:
    """Bridge the narrowest gaps until few enough ranges are left."""
    gaps = sorted(range(1, len(ranges)), key=lambda at: ranges[at][0] - ranges[at - 1][1])
    bridged = set(gaps[: max(0, len(ranges) - count)])
    fewer: list[Range] = []
    for at, (low, high) in enumerate(ranges):
        if at in bridged:
            fewer[-1] = (fewer[-1][0], high)
        else:
            fewer.append((low, high))
    return fewer

"""A district of the bench's own: communities side by side, whose shared lines wander as drawn lines do."""

import numpy as np
import shapely
from numpy.random import Generator

from maps.boundaries import Area

COLUMNS, ROWS = 30, 20
SIDE = 0.01  # degrees
WEST, SOUTH = 113.50, 34.60
EAST, NORTH = WEST + COLUMNS * SIDE, SOUTH + ROWS * SIDE
VERTICES = 325  # of each of the four sides
PER_STREET = 40
SEED = 20261123


def areas() -> list[Area]:
    """600 communities of 1,300 vertices, the same each time; neighbours share every vertex of their line."""
    random = np.random.default_rng(SEED)
    across = np.array([[_line(random) for _ in range(COLUMNS)] for _ in range(ROWS + 1)])
    upright = np.array([[_line(random)[:, ::-1] for _ in range(COLUMNS + 1)] for _ in range(ROWS)])
    return [_area(across, upright, row, column) for row in range(ROWS) for column in range(COLUMNS)]


def points(count: int, seed: int = SEED) -> tuple[np.ndarray, np.ndarray]:
    """Positions anywhere in the district."""
    random = np.random.default_rng(seed)
    return random.uniform(WEST, EAST, count), random.uniform(SOUTH, NORTH, count)


def code(at: int) -> str:
    """The code of the community at this place in the row of all."""
    return f"410103{at // PER_STREET + 1:03d}{at % PER_STREET + 1:03d}"


def _line(random: Generator) -> np.ndarray:
    """A wandering line from (0, 0) to (1, 0): it stays inside the lozenge over its length, so that no two cross."""
    along = np.linspace(0, 1, VERTICES + 1)
    wander = np.cumsum(random.normal(size=VERTICES + 1))
    wander -= wander[0] + (wander[-1] - wander[0]) * along
    room = 0.8 * np.minimum(along, 1 - along)
    return np.column_stack([along, room * wander / max(np.abs(wander).max(), 1e-9)])


def _area(across: np.ndarray, upright: np.ndarray, row: int, column: int) -> Area:
    low, high = np.array([column, row]), np.array([column + 1, row + 1])
    ring = np.vstack(
        [
            (across[row, column] + low)[:-1],
            (upright[row, column + 1] + [high[0], low[1]])[:-1],
            (across[row + 1, column] + [low[0], high[1]])[:0:-1],
            (upright[row, column] + low)[:0:-1],
        ]
    )
    at = row * COLUMNS + column
    geometry = shapely.Polygon(ring * SIDE + [WEST, SOUTH])
    street = at // PER_STREET + 1
    return Area(code(at), f"第{at + 1}社区", f"410103{street:03d}", geometry, f"第{street}街道")

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maps import tiles

longitudes = st.floats(-180, 180, allow_nan=False)
latitudes = st.floats(-85, 85, allow_nan=False)
ERQI = (113.45, 34.60, 113.70, 34.80)


def tile_of(lon: float, lat: float, zoom: int) -> tuple[int, int]:
    """The well-known formula of slippy map tile names."""
    size = 2**zoom
    x = math.floor((lon + 180) / 360 * size)
    y = math.floor((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * size)
    return min(max(x, 0), size - 1), min(max(y, 0), size - 1)


def deinterleaved(prefix: int) -> tuple[int, int]:
    bits = f"{prefix:064b}"
    return int(bits[1::2], 2), int(bits[0::2], 2)


@given(longitudes, latitudes, st.integers(0, 20))
def test_the_leading_bits_of_a_cell_are_its_tile(lon: float, lat: float, zoom: int) -> None:
    prefix = int(tiles.cell(lon, lat)) >> 2 * (tiles.LEVELS - zoom)
    assert deinterleaved(prefix) == tile_of(lon, lat, zoom)


def test_a_prefix_is_the_published_quadkey() -> None:
    # Bing Maps' documentation: the tile in column 3, row 5 of level 3 has the quadkey 213
    assert tile_of(-22.5, -50.0, 3) == (3, 5)
    assert int(tiles.cell(-22.5, -50.0)) >> 2 * (tiles.LEVELS - 3) == int("213", 4)


def test_cells_are_positive_and_come_as_an_array() -> None:
    cells = tiles.cell([-180.0, 180.0, 113.64], [85.06, -90.0, 34.73])
    assert cells.dtype == np.int64
    assert cells[0] == 0
    assert cells[1] == 2**62 - 1
    assert (cells >= 0).all()


boxes = st.tuples(longitudes, latitudes, longitudes, latitudes).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)
shares = st.floats(0, 1)


@given(boxes, shares, shares, st.integers(1, 20))
def test_every_point_of_a_box_is_covered(box: tiles.Bbox, across: float, up: float, most: int) -> None:
    west, south, east, north = box
    lon = min(east, west + across * (east - west))
    lat = min(north, south + up * (north - south))
    cell = int(tiles.cell(lon, lat))
    ranges = tiles.covering(box, most)
    assert any(low <= cell <= high for low, high in ranges)


@given(boxes, st.integers(1, 20))
def test_ranges_are_few_ascend_and_do_not_touch(box: tiles.Bbox, most: int) -> None:
    ranges = tiles.covering(box, most)
    assert 1 <= len(ranges) <= most
    assert all(low <= high for low, high in ranges)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(ranges))


def test_a_viewport_is_covered_without_much_more() -> None:
    rng = np.random.default_rng(7)
    lon, lat = rng.uniform(113.2, 113.95, 40_000), rng.uniform(34.4, 35.0, 40_000)
    cells = tiles.cell(lon, lat)
    covered = np.zeros(len(cells), dtype=bool)
    for low, high in tiles.covering(ERQI):
        covered |= (cells >= low) & (cells <= high)
    west, south, east, north = ERQI
    inside = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    assert covered[inside].all()
    assert covered.sum() < 1.6 * inside.sum()


def test_a_box_inside_out_is_refused() -> None:
    with pytest.raises(ValueError, match="west, south, east, north"):
        tiles.covering((114.0, 34.0, 113.0, 35.0))


def test_a_single_position_is_one_range_that_holds_it() -> None:
    assert tiles.covering((113.64, 34.73, 113.64, 34.73)) == [(int(tiles.cell(113.64, 34.73)),) * 2]


def test_clusters_are_half_a_tile_wide() -> None:
    assert tiles.shift_for(12) == 2 * (31 - 13)
    assert tiles.shift_for(0) == 2 * 30
    assert tiles.shift_for(40) == 0

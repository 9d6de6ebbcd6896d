"""Every conversion against an independent reference: 106 places, within a millimetre."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from maps import coordinates
from maps.coordinates import Array, Pair

pytestmark = pytest.mark.field_data

MILLIMETRE = 0.001


@pytest.fixture(scope="module")
def vectors(field_data: Path) -> dict[str, Pair]:
    """The longitudes and latitudes of each pair of columns, by what stands before `_lon` and `_lat`."""
    with (field_data / "coordinate_vectors.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 106
    pairs = [column.removesuffix("_lon") for column in rows[0] if column.endswith("_lon")]
    return {pair: (_column(rows, f"{pair}_lon"), _column(rows, f"{pair}_lat")) for pair in pairs}


def _column(rows: list[dict[str, str]], name: str) -> Array:
    return np.array([float(row[name]) for row in rows])


def farthest_m(one: Pair, other: Pair) -> float:
    east = (one[0] - other[0]) * 111_320 * np.cos(np.radians(other[1]))
    north = (one[1] - other[1]) * 111_320
    return float(np.hypot(east, north).max())


def test_wgs84_to_gcj02(vectors: dict[str, Pair]) -> None:
    assert farthest_m(coordinates.from_wgs84(*vectors["wgs84"], "gcj02"), vectors["ref_gcj"]) < MILLIMETRE


def test_gcj02_to_wgs84(vectors: dict[str, Pair]) -> None:
    assert farthest_m(coordinates.to_wgs84(*vectors["gc_gcj"], "gcj02"), vectors["ref_gcj2wgs"]) < MILLIMETRE


def test_wgs84_to_bd09(vectors: dict[str, Pair]) -> None:
    assert farthest_m(coordinates.from_wgs84(*vectors["wgs84"], "bd09"), vectors["ref_bd"]) < MILLIMETRE


def test_bd09_to_gcj02_by_way_of_wgs84(vectors: dict[str, Pair]) -> None:
    gcj02 = coordinates.from_wgs84(*coordinates.to_wgs84(*vectors["gc_bd"], "bd09"), "gcj02")
    assert farthest_m(gcj02, vectors["ref_bd2gcj_exact"]) < MILLIMETRE


def test_what_the_closed_form_that_is_generally_used_would_miss(vectors: dict[str, Pair]) -> None:
    """`ref_bd2gcj` is the closed form, which turns back by the angle and radius of the wrong place."""
    lon, lat = vectors["gc_bd"]
    x, y, frequency = lon - 0.0065, lat - 0.006, math.pi * 3000 / 180
    radius = np.hypot(x, y) - 0.00002 * np.sin(y * frequency)
    angle = np.arctan2(y, x) - 0.000003 * np.cos(x * frequency)
    closed_form = radius * np.cos(angle), radius * np.sin(angle)
    assert farthest_m(closed_form, vectors["ref_bd2gcj"]) < MILLIMETRE
    assert 0.1 < farthest_m(closed_form, vectors["ref_bd2gcj_exact"]) < 0.2

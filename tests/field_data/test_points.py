"""500 positions of one district, each in the community that an independent check gives it, in every system."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from maps import boundaries, coordinates
from maps.boundaries import BoundaryVersion
from maps.coordinates import Array, Pair
from maps.locator import NOWHERE, Locator

pytestmark = pytest.mark.field_data

Rows = Sequence[dict[str, str]]


@pytest.fixture(scope="module")
def district(field_data: Path) -> Locator:
    reading = boundaries.read(field_data / "erqi_communities_check.geojson")
    assert (len(reading.areas), reading.repaired, reading.overlaps) == (176, [], [])
    return Locator(BoundaryVersion(1, datetime(2026, 1, 1, tzinfo=UTC), reading.areas))


@pytest.fixture(scope="module")
def points(field_data: Path) -> Rows:
    with (field_data / "erqi_points_sample.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 500
    return rows


def expected(row: dict[str, str]) -> set[str | None]:
    """The codes that will do: several on a vertex, None outside all."""
    return set(row["expected_codes"].split("|")) if row["expected_codes"] else {None}


def placed(district: Locator, place: Pair) -> list[str | None]:
    index = district.place(*place, np.zeros(len(place[0]))).index
    return [None if one == NOWHERE else district.codes[one] for one in index.tolist()]


def positions(points: Rows, system: str) -> Pair:
    return column(points, f"{system}_lon"), column(points, f"{system}_lat")


def column(points: Rows, name: str) -> Array:
    return np.array([float(row[name]) for row in points])


def test_every_position_falls_where_it_must_and_the_smallest_code_has_a_vertex(district: Locator, points: Rows) -> None:
    wanted = [min(expected(row), key=str) for row in points]
    assert placed(district, positions(points, "wgs84")) == wanted


def test_one_by_one_is_the_same(district: Locator, points: Rows) -> None:
    lon, lat = positions(points, "wgs84")
    for at, row in enumerate(points):
        told = district.at(float(lon[at]), float(lat[at]))
        assert told.code == district.place_one(float(lon[at]), float(lat[at])).community
        assert told.code in expected(row)
        assert None in expected(row) or set(told.candidates) == expected(row)


@pytest.mark.parametrize("system", ["gcj02", "bd09"])
def test_positions_in_another_system_fall_there_too(district: Locator, points: Rows, system: str) -> None:
    """On a vertex, the eighth decimal that the position was cut to decides whether it lies in, beside, or outside."""
    found = placed(district, coordinates.to_wgs84(*positions(points, system), system))
    for row, code in zip(points, found, strict=True):
        assert code in expected(row) or row["group"] == "on_vertex"


@pytest.mark.parametrize("system", ["gcj02", "bd09"])
def test_an_accuracy_of_a_centimetre_names_all_communities_of_a_vertex_in_any_system(
    district: Locator, points: Rows, system: str
) -> None:
    lon, lat = coordinates.to_wgs84(*positions(points, system), system)
    on_vertex = [at for at, row in enumerate(points) if row["group"] == "on_vertex"]
    assert len(on_vertex) == 125
    for at in on_vertex:
        told = district.at(float(lon[at]), float(lat[at]), 0.01)
        assert set(told.candidates) == expected(points[at])


def test_a_position_of_gcj02_taken_for_wgs84_would_mislead(district: Locator, points: Rows) -> None:
    inside = [row for row in points if row["group"] == "inside_each"]
    found = placed(district, positions(inside, "gcj02"))
    assert sum(code in expected(row) for row, code in zip(inside, found, strict=True)) < 0.7 * len(inside)


def test_the_nearest_line_is_as_far_as_it_must_be(district: Locator, points: Rows) -> None:
    lon, lat = positions(points, "wgs84")
    told = np.array([district.at(float(x), float(y)).distance_m for x, y in zip(lon, lat, strict=True)])
    np.testing.assert_allclose(told, column(points, "dist_to_line_m"), rtol=0.002, atol=0.02)

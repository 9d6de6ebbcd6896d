"""A real city: 278 neighbourhoods, two of them invalid and some overlapping, and 10,000 reports with their dirt."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from maps import boundaries
from maps.boundaries import BoundaryVersion, Reading, UnusableBoundaries
from maps.locator import Locator

pytestmark = pytest.mark.field_data

Rows = Sequence[dict[str, str]]


@pytest.fixture(scope="module")
def city(field_data: Path) -> Path:
    return field_data / "baltimore"


@pytest.fixture(scope="module")
def reading(city: Path) -> Reading:
    return boundaries.read(city / "neighborhoods.geojson", code_field="name")


@pytest.fixture(scope="module")
def reports(city: Path) -> Rows:
    with (city / "311_2014_2019_10k_with_expected.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10_000
    return rows


def test_all_are_read_two_repaired_and_the_overlaps_listed(reading: Reading) -> None:
    assert len(reading.areas) == 278
    assert [(repair.row, repair.code) for repair in reading.repaired] == [
        (4, "Canton Industrial Area"),
        (180, "Mid-Govans"),
    ]
    assert all(area.geometry.is_valid for area in reading.areas)
    assert [(overlap.one, overlap.other, round(overlap.area_m2)) for overlap in reading.overlaps] == [
        ("Cheswolde", "Cross Country", 78),
        ("Cross Country", "Glen", 8),
    ]


def test_no_field_looks_like_a_code_so_one_is_asked_for(city: Path) -> None:
    with pytest.raises(UnusableBoundaries) as refused:
        boundaries.read(city / "neighborhoods.geojson")
    assert refused.value.code == "field_not_found"
    assert refused.value.facts["fields"] == ["name", "cartodb_id", "created_at", "updated_at"]


def test_reports_fall_where_an_independent_check_has_them_but_for_lines_and_overlaps(
    reading: Reading, reports: Rows
) -> None:
    """Of a position on a line or in an overlap the check took another of its neighbourhoods; we take the smallest."""
    locator = Locator(BoundaryVersion(1, datetime(2014, 1, 1, tzinfo=UTC), reading.areas))
    lon, lat = (np.array([float(row[name] or "nan") for row in reports]) for name in ("Longitude", "Latitude"))
    known = np.isfinite(lon)
    assert (int((~known).sum()), int(((lon == -77) & (lat == 39)).sum())) == (590, 885)
    placed = locator.placed(lon, lat, np.zeros(len(lon)))
    differ = [at for at, row in enumerate(reports) if known[at] and placed[at].community != (row["pip_nbhd"] or None)]
    assert len(differ) == 8
    for at in differ:
        told = locator.at(float(lon[at]), float(lat[at]))
        assert reports[at]["pip_nbhd"] in told.candidates
        assert told.code == min(told.candidates)


def test_positions_cut_to_whole_degrees_lie_in_no_neighbourhood(reading: Reading) -> None:
    locator = Locator(BoundaryVersion(1, datetime(2014, 1, 1, tzinfo=UTC), reading.areas))
    told = locator.at(-77.0, 39.0, 50.0)
    assert (told.code, told.certainty, told.candidates) == (None, "outside", [])
    assert told.distance_m > 30_000

"""Coordinates: known places, exact ways back, and what is no place at all."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maps import coordinates
from maps.coordinates import InvalidPosition

METRES_PER_DEGREE = 111_320.0

# The shift is defined on a box around China; within a kilometre of its edges two places share one GCJ-02 position.
in_china = st.tuples(st.floats(72.1, 137.7), st.floats(1.0, 55.7))
shifted_systems = st.sampled_from(["gcj02", "bd09"])


def apart_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    east = (one[0] - other[0]) * math.cos(math.radians(one[1]))
    return math.hypot(east, one[1] - other[1]) * METRES_PER_DEGREE


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("gcj02", (113.6444591, 34.7309200)),
        ("bd09", (113.6508665, 34.7372544)),
        ("cgcs2000", (113.6384, 34.7321)),
        ("wgs84", (113.6384, 34.7321)),
    ],
)
def test_a_place_in_zhengzhou_in_each_system(system: str, expected: tuple[float, float]) -> None:
    assert apart_m(coordinates.from_wgs84(113.6384, 34.7321, system), expected) < 0.01


@given(place=in_china, system=shifted_systems)
def test_the_way_back_is_exact(place: tuple[float, float], system: str) -> None:
    there = coordinates.from_wgs84(*place, system)
    assert 10 < apart_m(there, place) < 3000
    assert apart_m(coordinates.to_wgs84(*there, system), place) < 0.001


def test_arrays_and_numbers_give_the_same() -> None:
    lon, lat = np.array([113.6384, 87.6, -76.6, 120.1]), np.array([34.7321, 43.8, 39.3, 30.2])
    for system in coordinates.SYSTEMS:
        together = np.transpose(coordinates.to_wgs84(lon, lat, system))
        alone = [coordinates.to_wgs84(float(x), float(y), system) for x, y in zip(lon, lat, strict=True)]
        np.testing.assert_allclose(together, alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "place", [(-76.6122, 39.2904), (0.0, 0.0), (139.6917, 35.6895), (151.2093, -33.8688), (71.9, 35.0), (100.0, 89.9)]
)
def test_gcj02_is_wgs84_outside_china(place: tuple[float, float]) -> None:
    assert coordinates.from_wgs84(*place, "gcj02") == place
    assert coordinates.to_wgs84(*place, "gcj02") == place


@given(lon=st.floats(-180, 180), lat=st.floats(-85, 85))
def test_web_mercator_there_and_back(lon: float, lat: float) -> None:
    assert apart_m(coordinates.from_web_mercator(*coordinates.to_web_mercator(lon, lat)), (lon, lat)) < 1e-6


def test_web_mercator_at_the_edge_of_its_square() -> None:
    x, y = coordinates.to_web_mercator(180.0, 85.05112877980659)
    assert (x, y) == pytest.approx((20037508.342789, 20037508.342789))


@pytest.mark.parametrize(
    ("lon", "lat", "code", "field"),
    [
        (999.0, 34.7, "longitude_out_of_range", "lon"),
        (113.6, 999.0, "latitude_out_of_range", "lat"),
        (113.6, -90.5, "latitude_out_of_range", "lat"),
        (34.7321, 113.6384, "longitude_latitude_swapped", "lat"),
        (math.nan, 34.7, "not_a_number", "lon"),
        (113.6, math.inf, "not_a_number", "lat"),
    ],
)
def test_what_is_no_place_says_why(lon: float, lat: float, code: str, field: str) -> None:
    with pytest.raises(InvalidPosition) as refused:
        coordinates.check(lon, lat)
    assert (refused.value.code, refused.value.facts["field"]) == (code, field)


@pytest.mark.parametrize(("lon", "lat"), [(113.6384, 34.7321), (-180.0, 90.0), (180.0, -90.0), (0.0, 0.0)])
def test_what_is_a_place_passes(lon: float, lat: float) -> None:
    coordinates.check(lon, lat)


def test_an_unknown_system_is_named() -> None:
    for convert in (coordinates.to_wgs84, coordinates.from_wgs84):
        with pytest.raises(InvalidPosition) as refused:
            convert(113.6, 34.7, "beijing54")
        assert refused.value.code == "unknown_system"
        assert refused.value.facts["system"] == "beijing54"

"""Placing: which community, how surely, by which version, the same one by one as all at once."""

import asyncio
import math
from datetime import UTC, datetime, timedelta

import asyncpg
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from maps import boundaries
from maps.boundaries import Area, BoundaryVersion
from maps.locator import NOWHERE, UNPLACED, Atlas, Locator, Placement
from tests.bench.coverage import EAST, NORTH, SOUTH, WEST, areas
from tests.conftest import AREAS, DISTRICT, FAR, NEAR, NEXT, NOW

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
METRE_EAST = 1 / 91_600  # degrees, at 34.7° N
METRE_NORTH = 1 / 110_900


def locator_of(*some: Area, version: int = 1, valid_from: datetime = JANUARY) -> Locator:
    return Locator(BoundaryVersion(version, valid_from, list(some)))


def area(code: str, shape: shapely.Geometry) -> Area:
    return Area(code, f"{code}社区", None, shape)


@pytest.fixture(scope="module")
def three() -> Locator:
    """Three communities side by side, from west to east, handed over in no order."""
    return locator_of(AREAS[2], AREAS[0], AREAS[1])


@pytest.fixture(scope="module")
def city() -> Locator:
    """Sixty communities of 1,300 vertices whose lines wander."""
    return locator_of(*areas()[:60])


@pytest.mark.parametrize(
    ("lon", "lat", "accuracy_m", "expected"),
    [
        (113.605, 34.705, None, (NEAR, "inside")),
        (113.605, 34.705, 12.0, (NEAR, "inside")),
        (113.61 - 11 * METRE_EAST, 34.705, 12.0, (NEAR, "near_line")),
        (113.61 - 13 * METRE_EAST, 34.705, 12.0, (NEAR, "inside")),
        (113.61 + 11 * METRE_EAST, 34.705, 12.0, (NEXT, "near_line")),
        (113.605, 34.71 - 11 * METRE_NORTH, 12.0, (NEAR, "near_line")),
        (113.605, 34.71 + 1 * METRE_NORTH, 12.0, (None, "outside")),
        (113.605, 34.705, 1_000_000.0, (NEAR, "near_line")),
        (113.61, 34.705, None, (NEAR, "inside")),
        (113.61, 34.705, 0.1, (NEAR, "near_line")),
        (113.63, 34.71, None, (FAR, "inside")),
        (0.0, 0.0, 50.0, (None, "outside")),
        (-179.9, -89.9, 50.0, (None, "outside")),
    ],
)
def test_a_position_falls_in_its_community_and_says_how_surely(
    three: Locator, lon: float, lat: float, accuracy_m: float | None, expected: tuple[str | None, str]
) -> None:
    alone = three.place_one(lon, lat, accuracy_m)
    together = three.place(np.array([lon]), np.array([lat]), np.array([accuracy_m or math.nan]))
    told = three.at(lon, lat, accuracy_m)
    assert (alone.community, alone.certainty) == expected
    assert ([*three.codes, None][together.index[0]], together.certainty[0]) == expected
    assert (told.code, told.certainty) == expected


def test_a_shared_line_belongs_to_the_smallest_code_however_the_areas_come() -> None:
    corner, line = (113.61, 34.70), (113.61, 34.7055)
    for some in (AREAS, AREAS[::-1]):
        locator = locator_of(*some)
        assert {locator.place_one(*place).community for place in (corner, line)} == {NEAR}


def test_where_communities_overlap_the_smaller_code_counts_and_the_other_s_line_is_near() -> None:
    small, large = (
        area("1", shapely.box(113.60, 34.70, 113.62, 34.71)),
        area("2", shapely.box(113.61, 34.70, 113.64, 34.71)),
    )
    locator = locator_of(small, large)
    assert locator.place_one(113.615, 34.705).community == "1"
    assert locator.at(113.615, 34.705).candidates == ["1", "2"]
    beside_the_other_s_line = locator.place_one(113.61 - 5 * METRE_EAST, 34.705, 12.0)
    assert (beside_the_other_s_line.community, beside_the_other_s_line.certainty) == ("1", "near_line")
    assert beside_the_other_s_line.distance_m == pytest.approx(5, abs=0.1)


def test_a_hole_is_outside_and_its_rim_is_a_line() -> None:
    ring = shapely.box(113.60, 34.70, 113.63, 34.73) - shapely.box(113.61, 34.71, 113.62, 34.72)
    locator = locator_of(area("1", ring))
    assert locator.place_one(113.615, 34.715).community is None
    assert locator.place_one(113.61 - 3 * METRE_EAST, 34.715, 12.0).certainty == "near_line"


def test_all_that_is_told_of_a_position(three: Locator) -> None:
    told = three.at(113.62 - 20 * METRE_EAST, 34.705, 50.0)
    assert (told.code, told.name, told.street, told.version) == (NEXT, "隔壁社区", "410103001", 1)
    assert told.distance_m == pytest.approx(20, abs=0.1)
    assert told.candidates == [NEXT, FAR]
    outside = three.at(113.62, 34.71 + 30 * METRE_NORTH, 50.0)
    assert (outside.code, outside.certainty, outside.candidates) == (None, "outside", [NEXT, FAR])
    assert outside.distance_m == pytest.approx(30, abs=0.1)
    assert three.at(113.605, 34.705).candidates == [NEAR]


anywhere = st.tuples(st.floats(WEST - 0.01, EAST + 0.01), st.floats(SOUTH - 0.01, NORTH + 0.01))


@given(places=st.lists(st.tuples(anywhere, st.floats(0, 400)), min_size=1, max_size=40))
def test_one_by_one_and_all_at_once_agree(city: Locator, places: list[tuple[tuple[float, float], float]]) -> None:
    lon, lat, accuracy_m = np.array([(*place, accuracy) for place, accuracy in places]).T
    together = city.place(lon, lat, accuracy_m)
    for at, (place, accuracy) in enumerate(places):
        alone, told = city.place_one(*place, accuracy), city.at(*place, accuracy)
        community = None if together.index[at] == NOWHERE else city.codes[together.index[at]]
        assert alone.community == told.code == community
        assert alone.certainty == told.certainty == together.certainty[at]
        if alone.certainty == "near_line":
            assert alone.distance_m == pytest.approx(told.distance_m) == together.distance_m[at]


def test_placing_agrees_with_asking_every_polygon(city: Locator) -> None:
    random = np.random.default_rng(1)
    lon, lat = random.uniform(WEST, EAST, 5_000), random.uniform(SOUTH, SOUTH + 0.02, 5_000)
    polygons = np.array([one.geometry for one in city.areas], dtype=object)
    covers = shapely.intersects_xy(polygons[:, None], lon, lat)
    expected = np.where(covers.any(axis=0), covers.argmax(axis=0), NOWHERE)
    assert (city.place(lon, lat, np.zeros(5_000)).index == expected).all()


@pytest.mark.parametrize("lat", [0.0, 34.7, 53.0])
@pytest.mark.parametrize("bearing", [0, 30, 90, 135])
def test_distances_are_metres_on_the_ellipsoid_at_any_latitude(lat: float, bearing: int) -> None:
    earth = Geod(ellps="WGS84")
    lon, north, _ = earth.fwd(113.6, lat, bearing, 150.0)
    start_lon, start_lat, _ = earth.fwd(lon, north, bearing - 90, 300.0)
    end_lon, end_lat, _ = earth.fwd(lon, north, bearing + 90, 300.0)
    far_lon, far_lat, _ = earth.fwd(113.6, lat, bearing + 180, 300.0)
    triangle = shapely.Polygon([(start_lon, start_lat), (end_lon, end_lat), (far_lon, far_lat)])
    told = locator_of(area("1", triangle)).at(113.6, lat)
    assert told.code == "1"
    assert told.distance_m == pytest.approx(150.0, abs=0.05)


def test_many_are_placed_at_once(city: Locator) -> None:
    random = np.random.default_rng(2)
    lon, lat = random.uniform(WEST, EAST, 50_000), random.uniform(SOUTH, SOUTH + 0.02, 50_000)
    accuracy_m = random.choice([np.nan, 0.0, 12.0, 65.0, 300.0], 50_000)
    placed = city.placed(lon, lat, accuracy_m)
    assert len(placed) == 50_000
    for at in range(0, 50_000, 997):
        assert placed[at] == city.place_one(lon[at], lat[at], None if np.isnan(accuracy_m[at]) else accuracy_m[at])


def test_a_locator_that_was_made_in_haste_answers_as_any_other(city: Locator) -> None:
    hasty = Locator(city.boundaries, clear_cells=False)
    random = np.random.default_rng(7)
    lon, lat = random.uniform(WEST, EAST, 2_000), random.uniform(SOUTH, NORTH, 2_000)
    accuracy_m = random.choice([0.0, 12.0, 400.0], 2_000)
    assert hasty.placed(lon, lat, accuracy_m) == city.placed(lon, lat, accuracy_m)
    assert hasty.place_one(lon[0], lat[0], 12.0) == city.place_one(lon[0], lat[0], 12.0)


async def store(conn: asyncpg.Connection, valid_from: datetime, *some: Area) -> int:
    return await boundaries.store(conn, DISTRICT, some, valid_from=valid_from, source="tests", now=NOW)


@pytest.mark.anyio
async def test_an_atlas_follows_new_versions_and_places_each_record_in_the_version_of_its_time(
    conn: asyncpg.Connection,
) -> None:
    atlas = Atlas()
    place = np.array([113.605]), np.array([34.705]), np.array([0.0])
    assert atlas.place(DISTRICT, [NOW], *place) == [UNPLACED]
    await atlas.refresh(conn)
    assert atlas.place(DISTRICT, [NOW], *place) == [Placement(NEAR, "inside", None, 1)]

    day = timedelta(days=1)
    whole = shapely.box(113.60, 34.70, 113.63, 34.71)
    await store(conn, NOW + day, area(FAR, whole))
    await store(conn, NOW - day, area(NEXT, whole))
    assert atlas.place(DISTRICT, [NOW], *place)[0].version == 1
    await atlas.refresh(conn)
    assert [locator.version for locator in atlas.locators(DISTRICT)] == [1, 3, 2]

    moments = [NOW - 9999 * day, NOW - 2 * day, NOW - day, NOW, NOW + day, NOW + 9999 * day]
    lon, lat = np.full(6, 113.605), np.full(6, 34.705)
    placed = atlas.place(DISTRICT, moments, lon, lat, np.zeros(6))
    assert [one.community for one in placed] == [NEAR, NEAR, NEXT, NEXT, FAR, FAR]
    assert [one.version for one in placed] == [1, 1, 3, 3, 2, 2]
    valid = atlas.valid_at(DISTRICT, NOW)
    assert valid is not None
    assert valid.version == 3


@pytest.mark.anyio
async def test_an_atlas_can_keep_to_one_district(conn: asyncpg.Connection) -> None:
    one, other = Atlas(only=DISTRICT), Atlas(only=DISTRICT + 1)
    await one.refresh(conn)
    await other.refresh(conn)
    assert len(one.locators(DISTRICT)) == 1
    assert other.locators(DISTRICT) == ()


@pytest.mark.anyio
async def test_an_atlas_leaves_what_has_no_position_unplaced(conn: asyncpg.Connection) -> None:
    atlas = Atlas()
    await atlas.refresh(conn)
    lon, lat = np.array([np.nan, 113.605, 113.605]), np.array([34.705, np.nan, 34.705])
    placed = atlas.place(DISTRICT, [NOW] * 3, lon, lat, np.full(3, np.nan))
    assert placed == [UNPLACED, UNPLACED, Placement(NEAR, "inside", None, 1)]
    assert atlas.place(1, [NOW], lon[:1], lat[:1], lat[:1]) == [UNPLACED]
    assert atlas.valid_at(1, NOW) is None


@pytest.mark.anyio
async def test_an_atlas_serves_on_while_it_takes_up_a_version(conn: asyncpg.Connection, city: Locator) -> None:
    atlas = Atlas()
    await atlas.refresh(conn)
    await store(conn, NOW, *city.areas)
    refreshing = asyncio.create_task(atlas.refresh(conn))
    seen = set()
    while not refreshing.done():
        seen.add(len(atlas.locators(DISTRICT)))
        await asyncio.sleep(0)
    await refreshing
    assert seen == {1}
    assert len(atlas.locators(DISTRICT)) == 2

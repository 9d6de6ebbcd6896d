"""Communities over HTTP, and their import from the command line."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest
import shapely
from click.testing import CliRunner, Result

from api import app
from api.cli.communities import communities
from api.settings import Settings
from maps import boundaries
from maps.boundaries import Area
from maps.coordinates import from_wgs84
from tests.conftest import AREAS, DISTRICT, FAR, MEMBER, NEAR, NEXT, NOW, Client
from tests.conftest import TestClock as Clock
from tests.maps.boundary_files import BOW_TIE, HUAIHE, ON_A_LINE, TWO, TWO_IN_CHINESE, Rows, geojson, shapefile

pytestmark = pytest.mark.anyio

INSIDE = {"lon": 113.605, "lat": 34.705}
METRE = 1 / 91_600  # degrees of longitude


async def at(client: Client, **query: object) -> dict[str, object]:
    answer = await client.get("/api/communities/at", params=query, headers=MEMBER.headers)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    told: dict[str, object] = answer.json()
    return told


async def test_a_position_is_told_its_community(client: Client) -> None:
    assert await at(client, **INSIDE) == {
        "code": NEAR,
        "name": "近邻社区",
        "street": "410103001",
        "certainty": "inside",
        "distance_m": pytest.approx(458, abs=1),
        "candidates": [NEAR],
        "version": 1,
    }


async def test_a_line_closer_than_the_accuracy_makes_it_provisional(client: Client) -> None:
    told = await at(client, lon=113.61 - 8 * METRE, lat=34.705, accuracy_m=20)
    assert (told["code"], told["certainty"], told["candidates"]) == (NEAR, "near_line", [NEAR, NEXT])
    assert told["distance_m"] == pytest.approx(8, abs=0.1)


@pytest.mark.parametrize("system", ["wgs84", "cgcs2000", "gcj02", "bd09"])
async def test_a_position_is_taken_in_its_own_system(client: Client, system: str) -> None:
    lon, lat = from_wgs84(113.61 - 8 * METRE, 34.705, system)
    told = await at(client, lon=float(lon), lat=float(lat), system=system)
    assert told["code"] == NEAR
    assert told["distance_m"] == pytest.approx(8, abs=0.1)


async def test_outside_all_is_an_answer_too(client: Client) -> None:
    told = await at(client, lon=113.5, lat=34.705)
    assert (told["code"], told["name"], told["certainty"], told["candidates"]) == (None, None, "outside", [])


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ({"lon": 999, "lat": 34.7}, "longitude_out_of_range", "lon"),
        ({"lon": 113.6, "lat": -91}, "latitude_out_of_range", "lat"),
        ({"lon": 34.7, "lat": 113.6}, "longitude_latitude_swapped", "lat"),
        ({"lon": "NaN", "lat": 34.7}, "not_a_number", "lon"),
        ({"lon": 113.6, "lat": "inf"}, "not_a_number", "lat"),
        ({"lon": "east", "lat": 34.7}, "wrong_value", "lon"),
        ({**INSIDE, "system": "beijing54"}, "wrong_value", "system"),
        ({**INSIDE, "accuracy_m": -1}, "wrong_value", "accuracy_m"),
        ({**INSIDE, "accuracy_m": "nan"}, "wrong_value", "accuracy_m"),
    ],
)
async def test_what_is_no_position_is_refused_by_name(
    client: Client, query: dict[str, object], code: str, field: str
) -> None:
    answer = await client.get("/api/communities/at", params=query, headers=MEMBER.headers)  # type: ignore[arg-type]
    assert answer.status_code == 422, answer.text
    assert (answer.json()["code"], answer.json()["field"]) == (code, field)


@pytest.mark.parametrize("path", ["/api/communities/at?lon=113.6&lat=34.7", "/api/communities.geojson"])
async def test_nobody_is_told_without_signing_in(client: Client, path: str) -> None:
    assert (await client.get(path)).status_code == 401


async def test_the_boundaries_are_geojson_and_a_browser_need_not_fetch_them_twice(client: Client) -> None:
    first = await client.get("/api/communities.geojson", headers=MEMBER.headers)
    assert first.status_code == 200
    assert first.headers["content-type"] == "application/geo+json"
    document = first.json()
    assert (document["type"], document["version"], document["source"]) == ("FeatureCollection", 1, "tests")
    assert [feature["properties"] for feature in document["features"]] == [
        {"code": area.code, "name": area.name, "street": area.street, "street_name": area.street_name} for area in AREAS
    ]
    assert shapely.from_geojson(first.text).geoms[0].equals(AREAS[0].geometry)

    again = await client.get(
        "/api/communities.geojson", headers=MEMBER.headers | {"If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])


async def document(client: Client, **query: object) -> httpx.Response:
    return await client.get("/api/communities.geojson", params=query, headers=MEMBER.headers)  # type: ignore[arg-type]


async def followed(client: Client, version: int) -> None:
    """Wait until the program has taken up a version."""
    async with asyncio.timeout(30):
        while (await document(client, version=version)).status_code != 200:  # noqa: ASYNC110 - it tells nobody when it looks
            await asyncio.sleep(0.05)


async def test_the_program_follows_a_new_version_by_itself(client: Client, conn: asyncpg.Connection) -> None:
    assert (await at(client, **INSIDE))["version"] == 1
    await boundaries.store(conn, DISTRICT, [Area(FAR, "大社区", None, HUAIHE)], valid_from=None, source="new", now=NOW)
    await followed(client, 2)
    told = await at(client, **INSIDE)
    assert (told["code"], told["name"], told["version"]) == (FAR, "大社区", 2)


async def test_an_older_version_can_be_asked_for_and_an_unknown_one_is_not_found(
    client: Client, conn: asyncpg.Connection, clock: Clock
) -> None:
    tomorrow = NOW + timedelta(days=1)
    await boundaries.store(conn, DISTRICT, AREAS[:1], valid_from=tomorrow, source="new", now=NOW)
    await followed(client, 2)
    assert (await document(client)).json()["version"] == 1
    assert (await document(client, version=3)).status_code == 404
    clock.forward(days=1)
    assert (await document(client)).json()["version"] == 2
    assert (await document(client, version=1)).json()["version"] == 1


async def test_lines_are_simplified_within_a_tolerance_and_stay_shared(
    client: Client, conn: asyncpg.Connection
) -> None:
    west = shapely.Polygon([(0, 0), (1, 0), (1.002, 0.3), (0.999, 0.6), (1, 1), (0, 1)])
    east = shapely.Polygon([(2, 0), (2, 1), (1, 1), (0.999, 0.6), (1.002, 0.3), (1, 0)])
    drawn = [Area(NEAR, "a", None, west), Area(NEXT, "b", None, east)]
    await boundaries.store(conn, DISTRICT, drawn, valid_from=None, source="tests", now=NOW)
    await followed(client, 2)
    answer = await document(client, tolerance_m=10_000)
    shapes = shapely.get_parts(shapely.from_geojson(answer.text))
    assert shapely.get_num_coordinates(shapes).tolist() == [5, 5]
    assert shapely.coverage_is_valid(shapes)
    assert (await document(client, tolerance_m=20_000)).status_code == 422


Import = Callable[..., Result]


@pytest.fixture
def imported(dsn: str) -> Import:
    """Run `zoufang import communities` on the test's own database."""

    def run(path: Path, *options: str, district: int = DISTRICT) -> Result:
        arguments = [str(path), "--district", str(district), *options]
        return CliRunner().invoke(communities, arguments, obj=Settings(database_url=dsn))

    return run


async def run_beside(imported: Import, *arguments: object, **options: object) -> Result:
    """The command opens its own loop, so it has its own thread."""
    return await asyncio.to_thread(imported, *arguments, **options)


async def test_a_command_imports_a_shapefile_and_tells_what_it_did(
    imported: Import, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    rows: Rows = [*TWO_IN_CHINESE, ({"社区代码": "410103001004", "社区名称": "碧波园社区居民委员会"}, BOW_TIE)]
    result = await run_beside(imported, shapefile(tmp_path / "三个.shp", rows))
    assert result.exit_code == 0, result.output
    assert "3 communities 个社区, China Geodetic Coordinate System 2000" in result.stdout
    assert "code 编码 = 社区代码, name 名称 = 社区名称, street 街道 = -" in result.stdout
    assert "row 第 3 行 410103001004: Self-intersection" in result.stdout
    assert "Overlaps 重叠: 0" in result.stdout
    assert result.stdout.endswith("Version 版本 2: 3 communities 个社区\n")
    assert "Comparing 比对" in result.stderr
    *_, new = await boundaries.load(conn, DISTRICT)
    assert [area.name for area in new.areas] == ["淮河社区", "兴华街社区", "碧波园社区"]
    assert new.source == "三个.shp"


async def test_a_day_begins_when_it_begins_in_the_district(
    imported: Import, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    result = await run_beside(imported, geojson(tmp_path / "two.geojson", TWO), "--valid-from", "2027-01-01")
    assert result.exit_code == 0, result.output
    *_, new = await boundaries.load(conn, DISTRICT)
    assert new.valid_from == datetime(2026, 12, 31, 16, tzinfo=UTC)


async def test_a_file_that_overlaps_is_imported_and_says_where(imported: Import, tmp_path: Path) -> None:
    rows: Rows = [*TWO, ({"code": "9", "name": "大社区", "street": ""}, shapely.box(113.605, 34.70, 113.63, 34.705))]
    result = await run_beside(imported, geojson(tmp_path / "three.geojson", rows))
    assert result.exit_code == 0, result.output
    assert "Overlaps 重叠: 2" in result.stdout
    assert "410103001001 – 9: 254," in result.stdout


async def test_bad_rows_are_named_and_nothing_is_imported(
    imported: Import, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    rows: Rows = [*TWO, *TWO[:1], ({"code": "5", "name": "", "street": ""}, ON_A_LINE)]
    result = await run_beside(imported, geojson(tmp_path / "bad.geojson", rows))
    assert result.exit_code == 1
    assert "bad.geojson: 4 faults, nothing was changed" in result.stderr
    for line in (
        "row 第 1 行 has a code that another row has 编码重复: 410103001001",
        "row 第 3 行 has a code that another row has 编码重复: 410103001001",
        "row 第 4 行 has no name 缺名称: 5",
        "row 第 4 行 covers no ground",
    ):
        assert line in result.stderr
    assert (await boundaries.latest_versions(conn))[DISTRICT] == 1


async def test_what_a_file_does_not_tell_is_asked_for(imported: Import, tmp_path: Path) -> None:
    nowhere = shapefile(tmp_path / "two.shp", TWO_IN_CHINESE, prj=False)
    asked = await run_beside(imported, nowhere)
    assert (asked.exit_code, "--system" in asked.stderr, "gcj02" in asked.stderr) == (1, True, True)
    assert (await run_beside(imported, nowhere, "--system", "gcj02")).exit_code == 0
    nameless = geojson(tmp_path / "one.geojson", [({"a": "1", "b": "甲"}, HUAIHE)])
    asked = await run_beside(imported, nameless)
    assert (asked.exit_code, "--code-field" in asked.stderr, "Fields 字段: a, b" in asked.stderr) == (1, True, True)


async def test_a_district_that_does_not_exist_is_refused(imported: Import, tmp_path: Path) -> None:
    result = await run_beside(imported, geojson(tmp_path / "two.geojson", TWO), district=999)
    assert (result.exit_code, "There is no district 999" in result.stderr) == (1, True)


def test_new_versions_are_looked_for_often_enough() -> None:
    assert app.FOLLOW_BOUNDARIES_S <= 1

"""Boundaries: read from the files that people have, refused with the row named, stored as versions."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
import shapely

from maps import boundaries
from maps.boundaries import Area, BadRow, FieldsUsed, UnusableBoundaries, displayed
from maps.coordinates import from_wgs84
from tests.conftest import AREAS, DISTRICT, NOW
from tests.maps.boundary_files import (
    BOW_TIE,
    HUAIHE,
    ON_A_LINE,
    TWO,
    TWO_IN_CHINESE,
    XINGHUA,
    Rows,
    geojson,
    geopackage,
    shapefile,
)


def refusal_of(path: Path, **options: str) -> UnusableBoundaries:
    with pytest.raises(UnusableBoundaries) as refused:
        boundaries.read(path, **options)  # type: ignore[arg-type]
    return refused.value


def test_a_geojson_is_read_and_its_fields_are_guessed(tmp_path: Path) -> None:
    reading = boundaries.read(geojson(tmp_path / "two.geojson", TWO[::-1]))
    assert [(area.code, area.name, area.street) for area in reading.areas] == [
        ("410103001001", "淮河社区", "淮河路街道"),
        ("410103001003", "兴华街社区", "淮河路街道"),
    ]
    assert reading.fields == FieldsUsed("code", "name", "street", "street")
    assert (reading.repaired, reading.overlaps, reading.system) == ([], [], "WGS 84")
    assert reading.areas[0].geometry.equals(HUAIHE)


@pytest.mark.parametrize("cpg", [None, "GB18030", "936", "GBK", "UTF-8", "nonsense"])
def test_a_shapefile_in_gb18030_is_read_whatever_its_cpg_says(tmp_path: Path, cpg: str | None) -> None:
    reading = boundaries.read(shapefile(tmp_path / "two.shp", TWO_IN_CHINESE, cpg=cpg))
    assert [area.name for area in reading.areas] == ["淮河社区", "兴华街社区"]
    assert (reading.fields.code, reading.fields.name) == ("社区代码", "社区名称")
    assert reading.system == "China Geodetic Coordinate System 2000"


def test_a_shapefile_in_utf_8_whose_field_names_were_cut_within_a_character_is_read(tmp_path: Path) -> None:
    rows: Rows = [({"CODECODECO": row["code"], "NAMENAMENA": row["name"]}, shape) for row, shape in TWO]
    path = shapefile(tmp_path / "two.shp", rows, encoding="UTF-8")
    table = path.with_suffix(".dbf").read_bytes()
    cut = table.replace(b"CODECODECO", "社区代码".encode()[:10]).replace(b"NAMENAMENA", "社区名称".encode()[:10])
    path.with_suffix(".dbf").write_bytes(cut)
    reading = boundaries.read(path)
    assert [area.name for area in reading.areas] == ["淮河社区", "兴华街社区"]
    assert (reading.fields.code, reading.fields.name) == ("社区代", "社区名")


def test_a_shapefile_without_prj_asks_for_its_system(tmp_path: Path) -> None:
    path = shapefile(tmp_path / "two.shp", TWO_IN_CHINESE, prj=False)
    refused = refusal_of(path)
    assert (refused.code, refused.facts["file"]) == ("system_missing", "two.shp")
    reading = boundaries.read(path, system="cgcs2000")
    assert (reading.areas[0].geometry.equals(HUAIHE), reading.system) == (True, "cgcs2000")


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:4547", "EPSG:4526", "EPSG:3857"])
def test_a_geopackage_in_any_known_system_comes_out_where_it_is(tmp_path: Path, crs: str) -> None:
    reading = boundaries.read(geopackage(tmp_path / "two.gpkg", TWO, crs=crs))
    assert reading.areas[0].geometry.hausdorff_distance(HUAIHE) < 1e-8  # of a degree: a millimetre


def test_data_labelled_wgs84_that_are_gcj02_are_brought_back_when_it_is_said(tmp_path: Path) -> None:
    shifted = [
        (row, shapely.transform(shape, lambda lon, lat: from_wgs84(lon, lat, "gcj02"), interleaved=False))
        for row, shape in TWO
    ]
    reading = boundaries.read(geojson(tmp_path / "two.geojson", shifted), system="gcj02")
    assert reading.areas[0].geometry.hausdorff_distance(HUAIHE) < 1e-8


def test_a_geopackage_with_two_layers_asks_which(tmp_path: Path) -> None:
    path = geopackage(tmp_path / "two.gpkg", TWO, crs="EPSG:4490")
    geopackage(path, TWO, crs="EPSG:4490", layer="streets")
    refused = refusal_of(path)
    assert (refused.code, refused.facts["layers"]) == ("several_layers", ["communities", "streets"])
    assert len(boundaries.read(path, layer="communities").areas) == 2


def test_a_self_crossing_polygon_is_repaired_and_named(tmp_path: Path) -> None:
    rows = [*TWO, ({"code": "410103001004", "name": "碧波园社区", "street": ""}, BOW_TIE)]
    reading = boundaries.read(geojson(tmp_path / "three.geojson", rows))
    (repair,) = reading.repaired
    assert (repair.row, repair.code) == (3, "410103001004")
    assert "Self-intersection" in repair.fault
    whole = reading.areas[2].geometry
    assert whole.is_valid
    assert whole.area == pytest.approx(0.5 * HUAIHE.area)


def test_heights_are_dropped_and_an_open_ring_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "one.geojson"
    ring = [[113.6, 34.7, 95.0], [113.61, 34.7, 95.0], [113.61, 34.71, 95.0], [113.6, 34.71, 95.0]]
    path.write_text(
        '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"code":"1","name":"a"},'
        f'"geometry":{{"type":"Polygon","coordinates":[{ring}]}}}}]}}'
    )
    (area,) = boundaries.read(path).areas
    assert not area.geometry.has_z
    assert area.geometry.equals(HUAIHE)


def test_overlaps_are_listed_with_their_area_and_neighbours_are_not(tmp_path: Path) -> None:
    claims_both = shapely.box(113.605, 34.70, 113.615, 34.705)
    rows = [*TWO, ({"code": "410103001004", "name": "碧波园社区", "street": ""}, claims_both)]
    overlaps = boundaries.read(geojson(tmp_path / "three.geojson", rows)).overlaps
    assert [(overlap.one, overlap.other) for overlap in overlaps] == [
        ("410103001001", "410103001004"),
        ("410103001003", "410103001004"),
    ]
    assert overlaps[0].area_m2 == pytest.approx(457.9 * 554.7, rel=0.002)  # 0.005° by 0.005° at 34.7° N


def test_every_bad_row_is_named_at_once(tmp_path: Path) -> None:
    rows: Rows = [
        ({"code": "1", "name": "甲"}, HUAIHE),
        ({"code": "", "name": "乙"}, HUAIHE),
        ({"code": "1", "name": " "}, HUAIHE),
        ({"code": "4", "name": "丁"}, ON_A_LINE),
        ({"code": "5", "name": "戊"}, None),
        ({"code": "6", "name": "己"}, shapely.Point(113.6, 34.7)),
        ({"code": "7", "name": "庚"}, shapely.box(500_000, 3_800_000, 500_100, 3_800_100)),
        ({"code": None, "name": None}, XINGHUA),
    ]
    refused = refusal_of(geojson(tmp_path / "bad.geojson", rows))
    assert (refused.code, refused.facts["count"]) == ("rows_unusable", 10)
    assert list(refused.rows) == [
        BadRow(1, "code_repeated", "1"),
        BadRow(2, "code_missing"),
        BadRow(3, "code_repeated", "1"),
        BadRow(3, "name_missing", "1"),
        BadRow(4, "no_area"),
        BadRow(5, "geometry_missing"),
        BadRow(6, "not_a_polygon"),
        BadRow(7, "out_of_range"),
        BadRow(8, "code_missing"),
        BadRow(8, "name_missing", ""),
    ]


def test_fields_that_cannot_be_guessed_are_asked_for_with_what_there_is(tmp_path: Path) -> None:
    path = geojson(tmp_path / "one.geojson", [({"BEZ": "1", "LABEL": "甲"}, HUAIHE)])
    refused = refusal_of(path)
    assert (refused.code, refused.facts) == ("field_not_found", {"wanted": "code", "fields": ["BEZ", "LABEL"]})
    refused = refusal_of(path, code_field="BEZ", name_field="TITLE")
    assert (refused.code, refused.facts) == ("unknown_field", {"field": "TITLE", "fields": ["BEZ", "LABEL"]})
    (area,) = boundaries.read(path, code_field="bez", name_field="label").areas
    assert (area.code, area.name, area.street) == ("1", "甲", None)


def test_numbers_as_codes_lose_nothing_and_gain_no_point(tmp_path: Path) -> None:
    path = geojson(tmp_path / "one.geojson", [({"code": "@", "name": "淮河社区"}, HUAIHE)])
    path.write_text(path.read_text().replace('"@"', "410103001001.0"))
    assert boundaries.read(path).areas[0].code == "410103001001"


@pytest.mark.parametrize("content", ["", "nonsense", '{"type": "FeatureCollection"', "\x00\x01"])
def test_what_is_no_map_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.geojson"
    path.write_text(content)
    assert refusal_of(path).code == "file_unreadable"


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    path = shapefile(tmp_path / "two.shp", TWO_IN_CHINESE)
    assert refusal_of(path, layer="another").code == "file_unreadable"
    path.with_suffix(".dbf").unlink()
    assert refusal_of(path).code == "field_not_found"


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ("淮河社区居民委员会", "淮河社区"),
        ("福华南街社区委员会", "福华南街社区"),
        ("贾寨社区管理委员会", "贾寨社区"),
        ("升龙社区居民管理委员会", "升龙社区"),
        ("尖岗村委会", "尖岗村"),
        ("尖岗村村民委员会", "尖岗村"),
        ("郑州火车站地区拟居委会", "郑州火车站地区"),
        ("委员会", "委员会"),
        ("Canton", "Canton"),
    ],
)
def test_a_committee_s_name_becomes_its_community_s(listed: str, said: str) -> None:
    assert displayed(listed) == said


@pytest.mark.anyio
async def test_an_import_is_a_new_version_and_leaves_the_old_one(conn: asyncpg.Connection) -> None:
    moved = [Area(AREAS[0].code, "近邻新社区", None, shapely.box(113.6, 34.7, 113.605, 34.71)), *AREAS[2:]]
    day = datetime(2026, 12, 31, 16, tzinfo=UTC)
    number = await boundaries.store(conn, DISTRICT, moved, valid_from=day, source="new.shp", now=NOW)
    assert number == 2
    old, new = await boundaries.load(conn, DISTRICT)
    assert [area.code for area in old.areas] == [area.code for area in AREAS]
    assert all(area.geometry.equals(known.geometry) for area, known in zip(old.areas, AREAS, strict=True))
    assert (new.version, new.valid_from, new.source) == (2, day, "new.shp")
    assert [(area.code, area.name, area.street, area.street_name) for area in new.areas] == [
        (AREAS[0].code, "近邻新社区", "410103001", "淮河路街道"),
        (AREAS[2].code, "远方社区", "410103002", "铭功路街道"),
    ]
    assert [version.version for version in await boundaries.load(conn, DISTRICT, after=1)] == [2]
    assert (await boundaries.latest_versions(conn))[DISTRICT] == 2


@pytest.mark.anyio
async def test_an_import_is_in_the_history_without_a_text(conn: asyncpg.Connection) -> None:
    later = NOW + timedelta(days=1)
    await boundaries.store(conn, DISTRICT, AREAS, valid_from=later, source="秘密.shp", now=NOW)
    first, second = await conn.fetch(
        "select * from history where district = $1 and kind = 'boundary_version' order by version", DISTRICT
    )
    assert (first["thing"], first["event"]) == (second["thing"], "imported")
    assert (second["version"], second["actor_kind"], second["happened_at"]) == (2, "import", NOW)
    assert second["facts"].keys() == {"version", "valid_from", "count", "digest"}
    assert (second["facts"]["count"], second["facts"]["digest"]) == (3, first["facts"]["digest"])


@pytest.mark.anyio
async def test_two_versions_cannot_begin_at_one_moment(conn: asyncpg.Connection) -> None:
    await boundaries.store(conn, DISTRICT, AREAS, valid_from=None, source="a", now=NOW)
    with pytest.raises(UnusableBoundaries) as refused:
        await boundaries.store(conn, DISTRICT, AREAS, valid_from=NOW, source="b", now=NOW)
    assert (refused.value.code, refused.value.facts["version"]) == ("valid_from_taken", 2)
    assert (await boundaries.latest_versions(conn))[DISTRICT] == 2


@pytest.mark.anyio
async def test_a_district_that_does_not_exist_is_refused(conn: asyncpg.Connection) -> None:
    with pytest.raises(UnusableBoundaries) as refused:
        await boundaries.store(conn, 999, AREAS, valid_from=None, source="a", now=NOW)
    assert refused.value.code == "unknown_district"

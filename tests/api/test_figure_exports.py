"""The rates and the coverage of a campaign as files, and what no file may be broken by: figures beside what the API
says, areas where there are some, and the two times that they were taken at."""

from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pyogrio
import pytest
import shapely

from tests import doors, drafts
from tests.api.test_exports import exported, table
from tests.conftest import FAR, LEADER, MEMBER, NEAR, OTHER_WORKER, STRANGER, WORKER, Client
from tests.street import walk

pytestmark = pytest.mark.anyio

COVERAGE = "/api/campaigns/winter/coverage"
LONG = "＝长" * 50_000


@pytest.fixture
async def street(client: Client, conn: asyncpg.Connection) -> list[UUID]:
    return await walk(client, conn)


@pytest.fixture
async def filed(client: Client) -> None:
    await doors.file(client, MEMBER, drafts.visit(issues=[drafts.issue(), drafts.issue()], position=None, note="记"))
    await doors.file(client, STRANGER, drafts.visit(position=drafts.FAR_DOOR, issues=[drafts.issue()]))


async def test_coverage_is_told_as_the_page_tells_it(client: Client, street: list[UUID], tmp_path: Path) -> None:
    for by in ("community", "member", "kind", "day"):
        rows = {row["key"]: row for row in (await doors.read(client, LEADER, COVERAGE, by=by))["rows"]}
        for kind in ("csv", "xlsx"):
            told = await table(client, LEADER, f"{COVERAGE}.{kind}", tmp_path, by=by)
            assert {row["Code"] or "none" for row in told} == set(rows)
            for row in told:
                expected = rows[row["Code"] or "none"]
                assert int(row["Doors"]) == expected["doors"]
                assert int(row["Met"]) == expected["met"]["numerator"]
                assert float(row["Visited rate"] or 0) == pytest.approx(expected["visited"]["rate"] or 0)
                assert row["Known at"]
                assert row["Visits begun before"]


async def test_the_doors_of_coverage_are_those_of_its_list(client: Client, street: list[UUID], tmp_path: Path) -> None:
    for who in (LEADER, WORKER, OTHER_WORKER):
        for filters in ({}, {"figure": "met"}, {"state": "not_home"}):
            listed = await doors.every_page(client, who, "/api/campaigns/winter/doors", **filters)
            for kind in ("csv", "geojson"):
                told = await table(client, who, f"{COVERAGE}/doors.{kind}", tmp_path, **filters)
                assert len(told) == len(listed), (who.name, kind, filters)
    answer = await exported(client, LEADER, f"{COVERAGE}/doors.geojson")
    ids = [one["id"] for one in await doors.every_page(client, LEADER, "/api/campaigns/winter/doors")]
    assert [feature["id"] for feature in answer.json()["features"]] == ids
    points = await table(client, LEADER, f"{COVERAGE}/doors.gpkg", tmp_path)
    assert len(points) == len(ids)


async def test_rates_are_told_with_what_they_are_shares_of(client: Client, filed: None, tmp_path: Path) -> None:
    rates = await doors.read(client, LEADER, "/api/rates", by="community")
    told = await table(client, LEADER, "/api/rates.csv", tmp_path, by="community")
    assert [row["Code"] or "none" for row in told] == [row["key"] for row in rates["rows"]]
    for row, expected in zip(told, rates["rows"], strict=True):
        assert int(row["Response rate: counted"]) == expected["response"]["denominator"]
        assert int(row["Given back: counted"]) == expected["bounce"]["denominator"]
        assert (row["As of"], row["Known at"]) == ("2026-11-23 12:00:00",) * 2
    past = await table(client, LEADER, "/api/rates.xlsx", tmp_path, by="category", as_of="2026-11-20")
    assert past == []
    geojson = (await exported(client, LEADER, "/api/rates.geojson")).json()["features"]
    shapes = {feature["id"]: feature["geometry"] for feature in geojson}
    assert shapes[None] is None
    assert shapely.from_geojson(str(shapes[FAR]).replace("'", '"')).area == pytest.approx(0.0001)
    assert NEAR not in shapes, "nothing was reported there"


@pytest.mark.parametrize("path", ["/api/rates.gpkg", f"{COVERAGE}.gpkg"])
async def test_areas_open_in_programs_for_maps(
    client: Client, street: list[UUID], filed: None, tmp_path: Path, path: str
) -> None:
    file = tmp_path / "areas.gpkg"
    file.write_bytes((await exported(client, LEADER, path)).content)
    ((_, geometry_type),) = pyogrio.list_layers(file)
    assert geometry_type == "MultiPolygon"
    meta, _, shapes, columns = pyogrio.raw.read(file)
    assert meta["crs"] == "EPSG:4326"
    keys = list(columns[list(meta["fields"]).index("key")])
    shape = shapely.from_wkb(shapes[keys.index(FAR)])
    assert shape.bounds == pytest.approx((113.62, 34.70, 113.63, 34.71))
    doors.refused(await client.get(f"{path}?by=street", headers=LEADER.headers), 422, "invalid_filter", "by")


@pytest.mark.parametrize("kind", ["csv", "xlsx", "geojson", "gpkg"])
async def test_visits_are_taken_along_in_every_form(client: Client, filed: None, tmp_path: Path, kind: str) -> None:
    listed = await doors.every_page(client, LEADER, "/api/visits")
    told = await table(client, LEADER, f"/api/visits.{kind}", tmp_path)
    assert [row.get("Outcome") or row["outcome"] for row in told] == (
        ["Met"] * len(listed) if kind in ("csv", "xlsx") else ["met"] * len(listed)
    )
    if kind in ("geojson", "gpkg"):
        assert [row["geometry"] is None for row in told] == [item["position"] is None for item in listed]


async def test_a_text_longer_than_a_cell_says_so(
    client: Client, conn: asyncpg.Connection, filed: None, tmp_path: Path
) -> None:
    """In CSV it is whole and no formula; in XLSX it ends with what was left out; both stay readable."""
    await conn.execute(
        "update text_version set body = jsonb_set(body, '{title}', to_jsonb($1::text)) where body ? 'title'", LONG
    )
    for row in await table(client, LEADER, "/api/issues.csv", tmp_path):
        assert row["Title"] == f"'{LONG}"
    for row in await table(client, LEADER, "/api/issues.xlsx", tmp_path):
        assert len(row["Title"]) <= 32_767
        assert row["Title"].startswith("＝长＝长")
        assert row["Title"].endswith("(cut: 100,000 characters; take CSV for all of it)")
    for row in await table(client, LEADER, "/api/issues.geojson", tmp_path):
        assert row["title"] == LONG


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
async def test_no_start_of_a_formula_is_let_through(
    client: Client, conn: asyncpg.Connection, filed: None, tmp_path: Path, start: str
) -> None:
    await conn.execute(
        "update text_version set body = jsonb_set(body, '{note}', to_jsonb($1::text)) where body ? 'note'", f"{start}1"
    )
    notes: list[Any] = [row["Note"] for row in await table(client, LEADER, "/api/visits.csv", tmp_path)]
    assert f"'{start}1" in notes

"""Tiles over HTTP: together they hold what the map holds, each is for who asked alone, and bad ones are refused."""

import asyncpg
import mapbox_vector_tile
import msgspec
import pytest

from maps import tiles, vector_tiles
from surveys.counting import issue_counts
from tests.conftest import LEADER, NEAR, STRANGER, WORKER, Client, Person
from tests.web import town

pytestmark = pytest.mark.anyio

ZOOM = 13
COLUMNS = [(113.60, 34.71), (113.63, 34.70)]  # corners of the small district


@pytest.fixture
async def settled(conn: asyncpg.Connection) -> None:
    await town.settle(conn)


def around(zoom: int) -> list[str]:
    """The addresses of the tiles that hold the small district."""
    cells = tiles.cell([lon for lon, _ in COLUMNS], [lat for _, lat in COLUMNS]).tolist()
    (west, north), (east, south) = (column_and_row(cell >> 2 * (tiles.LEVELS - zoom)) for cell in cells)
    return [f"/maps/tiles/{zoom}/{x}/{y}" for x in range(west, east + 1) for y in range(north, south + 1)]


def column_and_row(prefix: int) -> tuple[int, int]:
    bits = f"{prefix:064b}"
    return int(bits[1::2], 2), int(bits[0::2], 2)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("person", [LEADER, WORKER, STRANGER], ids=["leader", "worker", "stranger"])
@pytest.mark.parametrize("filters", ["", "group=overdue", "text=井盖", "as_of=2026-11-10", "owner=me"])
async def test_tiles_hold_what_the_map_holds(client: Client, person: Person, filters: str) -> None:
    on_map = (await client.get(f"/maps/issues/clusters?zoom={ZOOM}&{filters}", headers=person.headers)).json()
    by_json, by_vector = 0, 0
    for address in around(ZOOM):
        answer = await client.get(f"{address}.json?{filters}", headers=person.headers)
        by_json += sum(one["count"] for one in answer.json()["clusters"])
        answer = await client.get(f"{address}?{filters}", headers=person.headers)
        assert answer.headers["content-type"] == vector_tiles.MEDIA_TYPE
        layers = mapbox_vector_tile.decode(answer.content)
        assert {one["properties"]["code"] for one in layers["communities"]["features"]}
        issues = layers.get("issues", {"features": []})["features"]
        by_vector += sum(one["properties"]["count"] for one in issues)
        assert all(("issue" in one["properties"]) == (one["properties"]["count"] == 1) for one in issues)
    assert by_json == by_vector == sum(one["count"] for one in on_map["clusters"])


@pytest.mark.usefixtures("settled")
async def test_a_tile_is_taken_once_and_by_who_asked_alone(client: Client, conn: asyncpg.Connection) -> None:
    address = around(10)[0]
    first = await client.get(address, headers=LEADER.headers)
    assert first.headers["cache-control"] == "private, no-cache"
    assert {"Authorization", "Cookie"} <= {one.strip() for one in first.headers["vary"].split(",")}
    tag = {"If-None-Match": first.headers["etag"]}
    again = await client.get(address, headers=LEADER.headers | tag)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    for other in (WORKER, STRANGER):
        assert (await client.get(address, headers=other.headers | tag)).status_code == 200
    assert (await client.get(f"{address}?group=overdue", headers=LEADER.headers | tag)).status_code == 200
    await conn.execute("update issue set state = 'closed' where state <> 'merged'")
    assert (await client.get(address, headers=LEADER.headers | tag)).status_code == 200


@pytest.mark.usefixtures("settled")
async def test_a_program_that_takes_json_alone_gets_json(client: Client) -> None:
    answer = await client.get(around(10)[0], headers=LEADER.headers | {"Accept": "application/json"})
    clusters = msgspec.convert(answer.json()["clusters"], list[issue_counts.Cluster], strict=False)
    assert sum(one.count for one in clusters) > 0
    assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.usefixtures("settled")
async def test_a_tile_that_there_is_not_is_refused_and_one_without_issues_is_empty(client: Client) -> None:
    refused = {
        "/maps/tiles/99/0/0": "z",
        "/maps/tiles/3/8/0": "x",
        "/maps/tiles/3/-1/0": "x",
        "/maps/tiles/3/0/8": "y",
        "/maps/tiles/3/0/1e3": "y",
        "/maps/tiles/3/0/0.png": "y",
        "/maps/tiles/3/0/0?bbox=179,0,-179,1": "bbox",
        "/maps/tiles/3/0/0?comunity=1": "comunity",
        "/maps/tiles/3/0/0?as_of=9999-12-31": "as_of",
    }
    for address, field in refused.items():
        answer = await client.get(address, headers=LEADER.headers)
        assert (answer.status_code, answer.json()["field"]) == (422, field), address
    for filters in ("community=999999999999", "owner=00000000-0000-0000-0000-0000000f4240", "category=77"):
        answer = await client.get(f"{around(10)[0]}.json?{filters}", headers=LEADER.headers)
        assert answer.json()["clusters"] == [], filters  # of another district, or of none: which is not told
    assert (await client.get("/maps/tiles/3/0/0", headers=LEADER.headers)).content == b""
    future = await client.get(f"{around(10)[0]}.json?as_of=2200-01-01", headers=LEADER.headers)
    present = await client.get(f"{around(10)[0]}.json", headers=LEADER.headers)
    assert future.json() == present.json()
    assert (await client.get(f"/maps/tiles/0/0/0?community={NEAR}")).status_code == 401

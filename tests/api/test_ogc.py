"""QGIS and GDAL read communities and issues live, as the standard has it, within the reader's scope and no further."""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import uvicorn

from api.app import create_app
from api.ogc_questions import CRS84, EPSG
from api.settings import Settings
from surveys.counting.issue_query import Filters
from tests import doors, drafts
from tests.conftest import (
    DISTRICT,
    FAR,
    LEADER,
    MEMBER,
    MEMBER_BESIDE,
    NEAR,
    NEXT,
    OTHER_WORKER,
    RING,
    WORKER,
    Client,
    Person,
    Server,
    TestClock,
    founded,
    serving,
)

pytestmark = pytest.mark.anyio

ISSUES, COMMUNITIES = "/ogc/collections/issues/items", "/ogc/collections/communities/items"
PLACES = [drafts.NEAR_DOOR, drafts.NEXT_DOOR, drafts.FAR_DOOR, None]
MANY = 25
HOSTILE = "<img src=x onerror=alert(1)> ${7*7} =cmd()"


@pytest.fixture(scope="module")
async def dsn_of_town(server: Server, template: str) -> AsyncIterator[str]:
    async with founded(server, template) as dsn:
        yield dsn


@pytest.fixture(scope="module")
def time_of_town() -> TestClock:
    return TestClock()


@pytest.fixture(scope="module")
async def town(dsn_of_town: str, time_of_town: TestClock) -> AsyncIterator[Client]:
    """Issues in three communities and without a place, reported an hour apart; one has a text that means harm."""
    clock = time_of_town
    async with serving(Settings(database_url=dsn_of_town), clock) as client:
        for number in range(MANY):
            clock.forward(hours=1)
            ended = clock.now.isoformat()
            issue = drafts.issue(title=HOSTILE if number == 0 else f"第 {number} 个")
            issue |= {"contact": {"name": "张三丰", "phone": "13800001234"}}
            draft = drafts.visit(position=PLACES[number % 4], issues=[issue], started_at=ended, ended_at=ended)
            await doors.file(client, MEMBER, draft)
        yield client


async def asked(client: Client, path: str, who: Person = LEADER, **parameters: Any) -> Any:
    response = await client.get(path, params=parameters or None, headers=who.headers)
    assert response.status_code == 200, response.text
    return response.json()


def basic(secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"qgis:{secret}".encode()).decode()}


async def test_from_the_landing_page_every_document_is_found(town: Client) -> None:
    landing = await asked(town, "/ogc")
    links = {link["rel"]: link for link in landing["links"]}
    assert {"self", "alternate", "service-desc", "service-doc", "conformance", "data"} <= set(links)
    assert links["service-desc"]["type"] == "application/vnd.oai.openapi+json;version=3.0"
    for link in landing["links"]:
        answer = await town.get(link["href"], headers=LEADER.headers)
        assert answer.status_code == 200, link
        assert answer.headers["content-type"].replace(" ", "").startswith(link["type"]), link
    conforms = (await asked(town, "/ogc/conformance"))["conformsTo"]
    assert "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core" in conforms
    collections = await asked(town, "/ogc/collections")
    assert [one["id"] for one in collections["collections"]] == ["communities", "issues"]
    for one in collections["collections"]:
        alone = await asked(town, f"/ogc/collections/{one['id']}")
        assert alone["id"] == one["id"]
        assert alone["extent"]["spatial"]["bbox"] == [[113.6, 34.7, 113.63, 34.71]]
        items = next(link for link in alone["links"] if link["rel"] == "items")
        assert items["type"] == "application/geo+json"
        assert (await asked(town, items["href"]))["type"] == "FeatureCollection"


async def test_pages_lead_through_everything_once_and_count_it_each_time(town: Client) -> None:
    found, page = [], await asked(town, ISSUES, limit=10)
    while True:
        assert page["numberReturned"] == len(page["features"]) <= 10
        assert page["numberMatched"] == MANY
        found += [feature["id"] for feature in page["features"]]
        following = [link["href"] for link in page["links"] if link["rel"] == "next"]
        if not following:
            break
        page = await asked(town, following[0])
    listed = (await doors.read(town, LEADER, "/api/issues", limit=200))["items"]
    assert found == [item["id"] for item in listed]
    assert (await asked(town, ISSUES, limit=1_000_000))["numberReturned"] == MANY, "too high a limit is the highest"
    first = await asked(town, COMMUNITIES, limit=2)
    assert (first["numberMatched"], first["numberReturned"]) == (3, 2)
    (following,) = [link["href"] for link in first["links"] if link["rel"] == "next"]
    assert [one["id"] for one in (await asked(town, following))["features"]] == [FAR]


@pytest.mark.parametrize(
    ("filters", "path"),
    [
        ({"community": NEAR}, f"/api/issues?community={NEAR}"),
        ({"placed": "no"}, "/api/issues?placed=no"),
        ({"group": "overdue"}, "/api/issues?group=overdue"),
        ({"bbox": "113.61,34.70,113.62,34.71"}, "/api/issues?bbox=113.61,34.70,113.62,34.71"),
        ({"owner": "me"}, "/api/issues?owner=me"),
    ],
)
@pytest.mark.parametrize(
    "who", [LEADER, WORKER, OTHER_WORKER, MEMBER_BESIDE], ids=lambda who: f"{who.role}-{who.number}"
)
async def test_the_same_question_gives_the_same_issues_as_the_list(
    town: Client, filters: dict[str, str], path: str, who: Person
) -> None:
    listed = await asked(town, path, who)
    page = await asked(town, ISSUES, who, **filters)
    assert page["numberMatched"] == listed["total"]
    assert [feature["id"] for feature in page["features"]] == [item["id"] for item in listed["items"]]


async def test_time_is_asked_for_by_moments_and_intervals(town: Client) -> None:
    times = [feature["properties"]["reported_at"] for feature in (await asked(town, ISSUES))["features"]]
    newest, oldest = times[0], times[-1]
    for asked_for, count in (
        (newest, 1),
        (f"{oldest}/{newest}", MANY),
        (f"../{oldest}", 1),
        (f"{newest}/..", 1),
        (f"{newest}/", 1),
        ("../..", MANY),
        ("2001-01-01T00:00:00Z", 0),
    ):
        page = await asked(town, ISSUES, datetime=asked_for, limit=5)
        assert page["numberMatched"] == count, asked_for
    half = f"{times[MANY // 2]}/.."
    page = await asked(town, ISSUES, datetime=half, limit=5)
    (following,) = [link["href"] for link in page["links"] if link["rel"] == "next"]
    assert len({f["id"] for one in (page, await asked(town, following)) for f in one["features"]}) == 10
    assert (await asked(town, COMMUNITIES, datetime="1999-01-01T00:00:00Z"))["numberMatched"] == 0


@pytest.mark.parametrize(
    ("bbox", "issues", "communities"),
    [
        ("113.60,34.70,113.61,34.71", 7, 2),  # communities touch their neighbours' line
        ("170,-90,-170,90", 0, 0),
        ("113.615,-90,-170,90", 12, 2),  # from the middle of one community eastwards over the date line
        ("113.605,34.705,113.605,34.705", 7, 1),  # a point
        ("113.60,34.70,0,113.61,34.71,100", 7, 2),  # with heights
    ],
)
async def test_a_box_may_span_the_date_line_or_be_a_point(
    town: Client, bbox: str, issues: int, communities: int
) -> None:
    assert (await asked(town, ISSUES, bbox=bbox))["numberMatched"] == issues
    assert (await asked(town, COMMUNITIES, bbox=bbox))["numberMatched"] == communities


async def test_coordinates_come_in_the_system_that_is_asked_for(town: Client) -> None:
    for uri, expected in (
        (CRS84, [113.605, 34.705]),
        (f"{EPSG}4326", [34.705, 113.605]),
        (f"{EPSG}4490", [34.705, 113.605]),
        (f"{EPSG}3857", [12646450.93, 4123560.34]),
    ):
        box = ",".join(map(str, [*expected, *expected]))
        answer = await town.get(
            ISSUES, params={"crs": uri, "bbox": box, "bbox-crs": uri, "limit": 1}, headers=LEADER.headers
        )
        assert answer.headers["content-crs"] == f"<{uri}>"
        if uri != f"{EPSG}3857":
            (feature,) = answer.json()["features"]
            assert feature["geometry"]["coordinates"] == expected
    flipped = (await asked(town, COMMUNITIES, crs=f"{EPSG}4326"))["features"][0]["geometry"]["coordinates"][0][0]
    assert 34 < flipped[0] < 35


async def test_one_feature_is_read_by_its_id_within_scope_alone(town: Client) -> None:
    (feature,) = (await asked(town, ISSUES, limit=1, community=NEAR))["features"]
    alone = await asked(town, f"{ISSUES}/{feature['id']}")
    assert alone["properties"] == feature["properties"]
    assert {link["rel"] for link in alone["links"]} == {"self", "alternate", "collection"}
    doors.refused(await town.get(f"{ISSUES}/{feature['id']}", headers=OTHER_WORKER.headers), 404, "not_found")
    assert (await asked(town, f"{COMMUNITIES}/{NEXT}"))["properties"]["name"] == "隔壁社区"
    doors.refused(await town.get(f"{COMMUNITIES}/999", headers=LEADER.headers), 404, "not_found")
    doors.refused(await town.get("/ogc/collections/members/items", headers=LEADER.headers), 404, "not_found")


async def test_no_contact_and_no_description_is_in_what_is_read(town: Client) -> None:
    told = json.dumps(await asked(town, ISSUES), ensure_ascii=False)
    assert "138" + "0000" not in told
    assert "张三丰" not in told
    assert "description" not in told


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ({"limit": "0"}, "invalid_filter", "limit"),
        ({"limit": "-1"}, "invalid_filter", "limit"),
        ({"limit": "ten"}, "invalid_filter", "limit"),
        ({"bbox": "1,2,3"}, "invalid_filter", "bbox"),
        ({"bbox": "a,b,c,d"}, "invalid_filter", "bbox"),
        ({"bbox": "nan,0,1,1"}, "invalid_filter", "bbox"),
        ({"bbox": "0,50,1,40"}, "invalid_filter", "bbox"),
        ({"bbox": "0,0,999,1"}, "invalid_filter", "bbox"),
        ({"bbox": "1e300,1e300,1e301,1e301", "bbox-crs": f"{EPSG}3857"}, "invalid_filter", "bbox"),
        ({"bbox-crs": "EPSG:4326", "bbox": "0,0,1,1"}, "unknown_crs", "bbox-crs"),
        ({"crs": f"{EPSG}9999"}, "unknown_crs", "crs"),
        ({"datetime": "yesterday"}, "invalid_filter", "datetime"),
        ({"datetime": "2026-11-23"}, "invalid_filter", "datetime"),
        ({"datetime": ".."}, "invalid_filter", "datetime"),
        ({"datetime": "2026-11-24T00:00:00Z/2026-11-23T00:00:00Z"}, "invalid_filter", "datetime"),
        ({"datetime": "1/2/3"}, "invalid_filter", "datetime"),
        ({"cursor": "nonsense"}, "invalid_cursor", "cursor"),
        ({"f": "xml"}, "invalid_filter", "f"),
        ({"nonsense": "1"}, "unknown_field", "nonsense"),
        ({"state": "gone"}, "wrong_value", "state"),
        ({"community": "a\x00b"}, "invalid_filter", "community"),
    ],
)
async def test_what_cannot_be_asked_is_told_by_its_parameter(
    town: Client, query: dict[str, str], code: str, field: str
) -> None:
    doors.refused(await town.get(ISSUES, params=query, headers=LEADER.headers), 400, code, field)
    if field not in ("nonsense", "state", "community"):
        doors.refused(await town.get(COMMUNITIES, params=query, headers=LEADER.headers), 400, code, field)


async def test_the_definition_names_every_filter_of_the_list(town: Client) -> None:
    described = await asked(town, "/ogc/api")
    named = described["paths"]["/collections/issues/items"]["get"]["parameters"]
    names = {parameter["$ref"].rpartition("/")[2] for parameter in named}
    assert names >= set(Filters.__struct_fields__)
    assert names <= set(described["components"]["parameters"])


async def test_a_form_that_is_not_kept_is_refused_as_such(town: Client) -> None:
    answer = await town.get(ISSUES, headers=LEADER.headers | {"Accept": "application/gml+xml"})
    doors.refused(answer, 406, "not_acceptable", "Accept")


async def test_a_device_s_token_is_the_password_and_a_refusal_says_how(town: Client) -> None:
    assert (await town.get(ISSUES, headers=basic(LEADER.token))).json()["numberMatched"] == MANY
    for headers in (basic("x"), basic(f"zf_{DISTRICT}_{'Z' * 43}"), {"Authorization": "Basic !!!"}, {}):
        refused = await town.get(ISSUES, headers=headers)
        doors.refused(refused, 401, "not_signed_in")
        assert refused.headers["www-authenticate"].startswith("Basic ")
    over = await town.get(ISSUES, headers=basic(LEADER.token) | {"X-Forwarded-For": "203.0.113.9"})
    doors.refused(over, 403, "tls_needed")
    doors.refused(await town.get("/api/issues", headers=basic(LEADER.token)), 401, "not_signed_in")


@asynccontextmanager
async def live(dsn: str, clock: TestClock) -> AsyncIterator[str]:
    """The program on a port of loopback."""
    app = create_app(Settings(database_url=dsn), clock, RING)
    config = uvicorn.Config(app, lifespan="on", ws="none", log_config=None)
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            while not server.started and not task.done():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


async def run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


async def test_gdal_reads_both_collections_page_by_page(
    dsn_of_town: str, time_of_town: TestClock, town: Client, tmp_path: Path
) -> None:
    """Debian's ogrinfo and ogr2ogr, through their driver for OGC API Features."""
    total = (await doors.read(town, WORKER, "/api/issues"))["total"]
    async with live(dsn_of_town, time_of_town) as url:
        options = ["-oo", f"USERPWD=gdal:{WORKER.token}", "-oo", "PAGE_SIZE=4"]
        told = await run("ogrinfo", "-ro", f"OAPIF:{url}/ogc", *options)
        assert "communities" in told
        assert "issues" in told
        counted = await run("ogrinfo", "-ro", "-so", f"OAPIF:{url}/ogc", "issues", *options)
        assert f"Feature Count: {total}" in counted
        for layer, count in (("issues", total), ("communities", 3)):
            made = tmp_path / f"{layer}.geojson"
            await run("ogr2ogr", "-f", "GeoJSON", str(made), f"OAPIF:{url}/ogc", layer, *options)
            features = json.loads(made.read_text())["features"]
            assert len(features) == count, layer
        ids = {
            feature["properties"]["number"]
            for feature in json.loads((tmp_path / "issues.geojson").read_text())["features"]
        }
        assert len(ids) == total


async def test_qgis_asks_as_it_does(town: Client) -> None:
    """QGIS's provider: the landing page, the definition it names, conformance, the collection, its features with a box,
    a limit of its own and the system of coordinates that the project is in."""
    headers = basic(LEADER.token) | {"Accept": "application/json"}
    landing = (await town.get("/ogc", headers=headers)).json()
    (definition,) = [link["href"] for link in landing["links"] if link["rel"] == "service-desc"]
    described = await town.get(
        definition, headers=headers | {"Accept": "application/vnd.oai.openapi+json;version=3.0, application/json"}
    )
    limits = described.json()["components"]["parameters"]["limit"]["schema"]
    assert limits == {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100}
    collections = (await town.get("/ogc/collections", headers=headers)).json()
    assert collections["crs"][0] == CRS84
    question = {"limit": 10, "bbox": "113.5,34.6,113.7,34.8", "crs": f"{EPSG}4490"}
    page = await town.get(
        f"{ISSUES}?{urlencode(question)}", headers=headers | {"Accept": "application/geo+json, application/json"}
    )
    placed = (await doors.read(town, LEADER, "/api/issues", placed="yes"))["total"]
    assert page.json()["numberMatched"] == placed

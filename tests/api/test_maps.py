"""The issue map over HTTP: its page keeps to itself, and its numbers are those of the list."""

import re

import asyncpg
import pytest

from api.settings import Settings
from tests.conftest import DISTRICT, LEADER, NEAR, NEXT, STRANGER, WORKER, Client, Person, TestClock, serving
from tests.web import town

pytestmark = pytest.mark.anyio

PAGE = {"Accept": "text/html"}


@pytest.fixture
async def settled(conn: asyncpg.Connection) -> None:
    await town.settle(conn)


async def test_a_browser_that_is_not_signed_in_is_shown_the_door(client: Client) -> None:
    answer = await client.get("/maps/issues?community=1&as_of=2026-11-01", headers=PAGE)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fmaps%2Fissues%3Fcommunity%3D1%26as_of%3D2026-11-01"


async def test_the_page_runs_only_what_is_ours(client: Client) -> None:
    first, second = [await client.get("/maps/issues", headers=PAGE | LEADER.headers) for _ in range(2)]
    policy = dict(part.split(" ", 1) for part in first.headers["content-security-policy"].split("; "))
    nonce = re.search(r"'nonce-([^']+)'", policy["script-src"])
    assert nonce
    assert f'<script nonce="{nonce[1]}">' in first.text
    assert nonce[1] not in second.text
    assert "unsafe" not in first.headers["content-security-policy"]
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["img-src"] == "'self' data:"
    assert first.headers["cache-control"] == "no-store"
    assert first.headers["x-content-type-options"] == "nosniff"


async def test_a_base_map_is_let_in_by_its_hosts(dsn: str, clock: TestClock) -> None:
    async with serving(Settings(database_url=dsn, base_map="osm"), clock) as client:
        answer = await client.get("/maps/issues", headers=PAGE | LEADER.headers)
    assert "img-src 'self' data: https://tile.openstreetmap.org;" in answer.headers["content-security-policy"]


async def test_what_is_served_is_kept_by_its_name(client: Client) -> None:
    page = await client.get("/maps/issues", headers=PAGE | LEADER.headers)
    script = re.search(r'src="(/static/map-[^"]+\.js)"', page.text)
    assert script
    answer = await client.get(script[1])
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert (await client.get("/static/../pages.py")).status_code == 404


async def test_a_filter_that_does_not_exist_is_refused_by_name(client: Client) -> None:
    answer = await client.get("/maps/issues/clusters?zoom=12&comunity=1", headers=LEADER.headers)
    assert answer.status_code == 422
    assert answer.json()["field"] == "comunity"
    assert (await client.get("/maps/issues/clusters?zoom=99", headers=LEADER.headers)).status_code == 422


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("person", [LEADER, WORKER, STRANGER], ids=["leader", "worker", "stranger"])
@pytest.mark.parametrize("filters", ["", "&group=overdue", "&text=井盖", "&as_of=2026-11-10", "&placed=no"])
async def test_map_areas_and_list_count_the_same(client: Client, person: Person, filters: str) -> None:
    listed = (await client.get(f"/api/issues?limit=1{filters}", headers=person.headers)).json()["total"]
    counts = (await client.get(f"/maps/issues/areas?{filters}", headers=person.headers)).json()["areas"]
    assert sum(one["total"] for one in counts) == listed
    placed = sum(one["total"] - one["unplaced"] for one in counts)
    for zoom in (9, 13, 20):
        found = await client.get(f"/maps/issues/clusters?zoom={zoom}{filters}", headers=person.headers)
        clusters = found.json()["clusters"]
        expected = placed if "placed=no" not in filters else 0
        assert sum(cluster["count"] for cluster in clusters) == expected
        assert all((cluster["issue"] is not None) == (cluster["count"] == 1) for cluster in clusters)


@pytest.mark.usefixtures("settled")
async def test_a_worker_sees_no_other_community_and_a_stranger_nothing(client: Client) -> None:
    worker = (await client.get("/maps/issues/areas", headers=WORKER.headers)).json()["areas"]
    assert NEAR in {one["community"] for one in worker}
    assert (await client.get("/maps/issues/areas", headers=STRANGER.headers)).json()["areas"] == []


ANSWERED = "update issue set answer = 'solved', satisfaction = $3 where district = $1 and number = any($2)"


@pytest.mark.usefixtures("settled")
async def test_a_rate_of_fewer_than_five_answers_is_told_nowhere_in_the_answer(client: Client, owner_dsn: str) -> None:
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute(ANSWERED, DISTRICT, list(range(10011, 10018)), 5)  # seven of the near community
    await owner.execute(ANSWERED, DISTRICT, [10018, 10051, 10052], 2)  # another of it, and two of the next
    await owner.close()
    found = (await client.get("/maps/issues/satisfaction", headers=LEADER.headers)).json()
    communities = {one["key"]: one for one in found["communities"]}
    assert communities[NEXT] == {"key": NEXT, "numerator": None, "denominator": None, "few": True}
    assert communities[NEAR]["denominator"] in (8, None)
    assert (found["total"]["numerator"], found["total"]["denominator"]) == (7, 10)
    rate = (await client.get("/api/rates?by=district&hours=false", headers=LEADER.headers)).json()["rows"][0]
    assert rate["satisfaction"]["denominator"] == found["total"]["denominator"]
    narrowed = (await client.get(f"/maps/issues/satisfaction?community={NEXT}", headers=LEADER.headers)).json()
    assert narrowed["total"] == {"key": None, "numerator": None, "denominator": None, "few": True}


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("filters", ["", "&group=overdue", "&as_of=2026-11-10"])
async def test_density_and_trust_are_of_the_issues_that_the_list_counts(client: Client, filters: str) -> None:
    listed = (await client.get(f"/api/issues?limit=1{filters}", headers=LEADER.headers)).json()["total"]
    placed = (await client.get(f"/api/issues?limit=1&placed=yes{filters}", headers=LEADER.headers)).json()["total"]
    cells = (await client.get(f"/maps/issues/density?zoom=14{filters}", headers=LEADER.headers)).json()["cells"]
    assert sum(count for *_, count in cells) == placed
    trust = (await client.get(f"/maps/issues/trust?{filters}", headers=LEADER.headers)).json()
    assert trust["issues"] == listed
    assert trust["unplaced"] == listed - placed
    assert trust["verified_at"] is None


async def test_the_coverage_of_a_campaign_that_there_is_not_is_not_found(client: Client) -> None:
    answer = await client.get("/maps/issues/coverage?campaign=nowhere", headers=LEADER.headers)
    assert answer.status_code == 404
    assert (await client.get("/maps/issues/coverage", headers=LEADER.headers)).status_code == 422


@pytest.mark.parametrize("filters", ["reported_from=0001-01-01", "reported_to=9999-12-31", "as_of=0001-01-01"])
async def test_days_that_no_calendar_has_are_refused_by_name(client: Client, filters: str) -> None:
    answer = await client.get(f"/maps/issues/visits?{filters}", headers=LEADER.headers)
    assert answer.status_code == 422
    assert answer.json()["field"] == filters.split("=")[0]


@pytest.mark.usefixtures("settled")
async def test_the_page_carries_names_days_and_categories_as_data(client: Client) -> None:
    page = (await client.get("/maps/issues", headers=PAGE | LEADER.headers)).text
    assert '"demo":true' in page
    assert '"today":"2026-11-23"' in page
    assert "</script><script>window.ran" not in page
    assert "u003cimg src=x" in page


async def test_a_district_without_boundaries_has_a_map(client: Client, owner_dsn: str) -> None:
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute("delete from community_boundary where district = $1", DISTRICT)
    await owner.execute("delete from boundary_version where district = $1", DISTRICT)
    await owner.close()
    answer = await client.get("/maps/issues", headers=PAGE | LEADER.headers)
    assert answer.status_code == 200
    assert '"areas":[]' in answer.text


@pytest.mark.parametrize("path", ["/nowhere", "/api/issues", "/static/nothing.js", "/sign-in", "/health/live"])
async def test_every_answer_carries_the_security_headers(client: Client, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-frame-options"] == "DENY"


async def test_a_browser_is_told_of_a_problem_on_a_page_and_a_program_in_json(client: Client) -> None:
    path = "/maps/issues?tixt=1&lang=zh"
    page = await client.get(path, headers=PAGE | LEADER.headers)
    assert page.status_code == 422
    assert page.headers["content-type"].startswith("text/html")
    assert "没有这个字段" in page.text
    assert "tixt" in page.text
    nowhere = await client.get("/<script>", headers=PAGE)
    assert nowhere.status_code == 404
    assert "<script>" not in nowhere.text
    program = await client.get("/api/issues?text=x", headers=LEADER.headers)
    assert program.headers["content-type"].startswith("application/problem+json")


async def test_the_api_is_described_and_its_page_is_ours(client: Client) -> None:
    document = (await client.get("/schema/openapi.json")).json()
    assert "/maps/issues/clusters" in document["paths"]
    page = await client.get("/schema", follow_redirects=True)
    assert "http" not in page.text
    assert "script-src 'self';" in page.headers["content-security-policy"]

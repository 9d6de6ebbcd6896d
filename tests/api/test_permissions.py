"""Every route as nobody, a stranger, the right person and an administrator; a route without a row here fails."""

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar
from msgspec import Struct

from api import database
from api.app import create_app
from api.settings import Settings
from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    DISTRICT,
    LEADER,
    MEMBER,
    NEAR,
    STRANGER,
    WORKER,
    Client,
    Person,
    Server,
    TestClock,
    found_district,
    founded,
    serving,
)

pytestmark = pytest.mark.anyio


class Things(Struct):
    """A visit of the near community and the issue found on it."""

    visit: str
    issue: str


class Row(Struct, frozen=True):
    """How a route is asked, and what a stranger, the right person and an administrator are answered.

    `body` makes what is posted. Nobody at all gets 401, but where `public` says otherwise."""

    stranger: int
    right: int
    administrator: int
    body: Callable[[Things], Any] | None = None
    query: str = ""
    public: int | None = None


def _move(_: Things) -> Any:
    return drafts.move("correct", 1, reason="写错了", correction={"title": "门口垃圾"})


def _correction(_: Things) -> Any:
    return drafts.correction(1, note="改了")


# A list or a map shows a stranger nothing, which `test_a_stranger_s_lists_are_empty` holds; one thing is not found.
ROUTES: dict[str, Row] = {
    "GET /": Row(303, 303, 303, public=303),
    "GET /sign-in": Row(200, 200, 200, public=200),
    "POST /sign-in": Row(401, 401, 401, public=401),
    "POST /sign-out": Row(303, 303, 303),
    "GET /static/{file_path:path}": Row(404, 404, 404, public=404),
    "GET /schema": Row(200, 200, 200, public=200),
    "GET /schema/{path:str}": Row(404, 404, 404, public=404),
    "GET /schema/openapi.json": Row(200, 200, 200, public=200),
    "GET /health/live": Row(200, 200, 200, public=200),
    "GET /health/ready": Row(200, 200, 200, public=200),
    "GET /api/visits": Row(200, 200, 200),
    "POST /api/visits": Row(201, 201, 201, body=lambda _: drafts.visit()),
    "POST /api/visits/batch": Row(200, 200, 200, body=lambda _: [drafts.visit()]),
    "POST /api/receipts": Row(200, 200, 200, body=lambda things: {"ids": [things.visit]}),
    "GET /api/visits/{visit:uuid}": Row(404, 200, 200),
    "POST /api/visits/{visit:uuid}/corrections": Row(404, 200, 200, body=_correction),
    "GET /api/issues": Row(200, 200, 200),
    "GET /api/issues/{issue:uuid}": Row(404, 200, 200),
    "POST /api/issues/{issue:uuid}/moves": Row(404, 200, 200, body=_move),
    "GET /api/communities.geojson": Row(200, 200, 200),
    "GET /api/communities/at": Row(200, 200, 200, query="?lon=113.605&lat=34.705"),
    "GET /maps/issues": Row(200, 200, 200),
    "GET /maps/issues/clusters": Row(200, 200, 200, query="?zoom=12"),
    "GET /maps/issues/areas": Row(200, 200, 200),
}
PAGES = {"POST /sign-in", "GET /schema/{path:str}"}  # which say no in HTML


@pytest.fixture(scope="module")
def app() -> Litestar:
    return create_app(Settings(database_url="postgresql://nowhere"))


@pytest.fixture(scope="module")
async def town(server: Server, template: str) -> AsyncIterator[Client]:
    async with founded(server, template) as dsn, serving(Settings(database_url=dsn), TestClock()) as client:
        yield client


async def things(client: Client) -> Things:
    draft = drafts.visit(issues=[drafts.issue()])
    await doors.file(client, MEMBER, draft)
    return Things(draft["id"], draft["issues"][0]["id"])


async def ask(client: Client, route: str, of: Things, who: Person | None) -> httpx.Response:
    method, path = route.split(" ")
    for name, value in {"visit:uuid": of.visit, "issue:uuid": of.issue, "file_path:path": "x", "path:str": "x"}.items():
        path = path.replace(f"{{{name}}}", value)
    body = ROUTES[route].body
    headers = who.headers if who else {}
    return await client.request(method, path + ROUTES[route].query, json=body(of) if body else None, headers=headers)


def test_every_route_has_its_row(app: Litestar) -> None:
    routes = {
        f"{method} {route.path}"
        for route in app.routes
        for method in getattr(route, "methods", ())
        if method not in ("OPTIONS", "HEAD")
    }
    assert routes == set(ROUTES)


def test_every_documented_operation_has_its_row(app: Litestar) -> None:
    documented = app.openapi_schema.to_schema()["paths"]
    rows = {route.replace(":uuid", "") for route in ROUTES}
    for path, operations in documented.items():
        for method in operations:
            assert f"{method.upper()} {path}" in rows


@pytest.mark.parametrize("route", ROUTES)
async def test_who_is_let_in(town: Client, route: str) -> None:
    row = ROUTES[route]
    right = WORKER if "{issue" in route else MEMBER
    expected = {None: row.public or 401, STRANGER: row.stranger, right: row.right, ADMINISTRATOR: row.administrator}
    for who, status in expected.items():
        answer = await ask(town, route, await things(town), who)
        assert answer.status_code == status, f"{who.role if who else 'nobody'}: {answer.text[:300]}"
        if status in (401, 404) and route not in PAGES:
            assert answer.headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize("route", [route for route in ROUTES if ROUTES[route].public is None])
@pytest.mark.parametrize(
    "authorization",
    ["Bearer", "Bearer ", "Bearer x", "Basic eDp5", "zf_410103_" + "A" * 43, f"Bearer zf_{DISTRICT}_" + "Z" * 43],
)
async def test_a_token_of_no_member_opens_nothing(town: Client, route: str, authorization: str) -> None:
    method, path = route.split(" ")
    path = path.replace("{visit:uuid}", str(uuid4())).replace("{issue:uuid}", str(uuid4()))
    answer = await town.request(method, path, headers={"Authorization": authorization})
    assert doors.refused(answer, 401, "not_signed_in")


async def test_a_stranger_s_lists_are_empty(town: Client) -> None:
    of = await things(town)
    for path in ("/api/visits", "/api/issues"):
        shown = await doors.every_page(town, STRANGER, path)
        assert of.visit not in str(shown)
        assert of.issue not in str(shown)
        assert of.visit in str(await doors.every_page(town, LEADER, path, limit=200))
    for path in ("/maps/issues/clusters?zoom=20", "/maps/issues/areas"):
        shown = (await town.get(path, headers=STRANGER.headers)).json()
        assert list(shown.values())[1] == [], "no issue of the stranger's was ever reported"
    (receipt,) = (await town.post("/api/receipts", json={"ids": [of.visit]}, headers=STRANGER.headers)).json()[
        "results"
    ]
    assert receipt["status"] == "unknown"


async def test_what_does_not_exist_and_what_is_not_shown_are_told_alike(town: Client) -> None:
    of = await things(town)
    for path in ("/api/visits/{}", "/api/issues/{}"):
        hidden = (
            await town.get(path.format(of.visit if "visits" in path else of.issue), headers=STRANGER.headers)
        ).json()
        absent = (await town.get(path.format(uuid4()), headers=STRANGER.headers)).json()
        assert hidden | {"instance": ""} == absent | {"instance": ""}


async def test_another_district_s_people_see_nothing_of_this_one(server: Server, template: str) -> None:
    """Two districts in one database, with members, codes and even visits of the same ids."""
    other = 110101
    async with founded(server, template) as dsn:
        conn = await database.connect(dsn)
        await found_district(conn, other)
        await conn.close()
        async with serving(Settings(database_url=dsn), TestClock()) as client:
            draft = drafts.visit(issues=[drafts.issue()])
            await doors.file(client, MEMBER, draft)
            issue = draft["issues"][0]["id"]
            foreign = ADMINISTRATOR.headers_in(other)
            for path in ("/api/issues", "/api/visits", f"/api/issues?community={NEAR}"):
                assert (await client.get(path, headers=foreign)).json()["total"] == 0
            for path in (f"/api/issues/{issue}", f"/api/visits/{draft['id']}"):
                assert (await client.get(path, headers=foreign)).status_code == 404
            twin = await client.post("/api/visits", json=draft | {"note": "孪生"}, headers=MEMBER.headers_in(other))
            assert twin.status_code == 201, "an id is taken in its own district only"
            assert twin.json()["issues"][0]["number"] == "10001", "and so is a number"
            assert (await doors.read(client, LEADER, f"/api/visits/{draft['id']}"))["visit"]["note"] is None

"""Every answer keeps a page to itself: all pages, all built files, all refusals."""

import json
from html.parser import HTMLParser

import httpx
import pytest
from litestar.routes import HTTPRoute

from api.app import create_app
from api.pages import STATIC
from api.settings import Settings
from tests import doors, drafts
from tests.conftest import ADMINISTRATOR, AUDITOR, LEADER, MEMBER, RING, Client, TestClock

pytestmark = pytest.mark.anyio

HTML = {"Accept": "text/html"}
ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "strict-origin-when-cross-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(self), geolocation=(self), microphone=()",
}
API_PAGE = ("/schema", "/ogc/api")  # Swagger UI writes style attributes into the markup that it makes


def pages() -> list[str]:
    """Every address that a browser can open, but for those that name one thing."""
    app = create_app(Settings(database_url="postgresql://nowhere"))
    return sorted(
        route.path
        for route in app.routes
        if isinstance(route, HTTPRoute) and "GET" in route.methods and not route.path_parameters
    )


def policy_of(answer: httpx.Response) -> dict[str, list[str]]:
    parts = [part.split() for part in answer.headers["content-security-policy"].split(";")]
    assert len({part[0] for part in parts}) == len(parts), "a directive that comes twice does not count"
    return {name: sources for name, *sources in parts}


OURS = "http://testserver.local/"  # what other programs read names its links in full


class Markup(HTMLParser):
    """What a page runs, and what it styles, by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.nonces: list[str | None] = []
        self.inline: list[str] = []
        self.hosts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "script" and "src" not in named and named.get("type") != "application/json":
            self.nonces.append(named.get("nonce"))
        if tag == "style" or "style" in named:
            self.inline.append(f"{tag} {attrs}")
        self.inline += [f"{tag} {name}" for name in named if name.startswith("on")]
        self.hosts += [
            value
            for name in ("src", "href", "action")
            if (value := named.get(name))
            and value.startswith(("http:", "https:", "//", "javascript:"))
            and not value.startswith(OURS)
        ]


def keeps_to_itself(answer: httpx.Response, path: str) -> None:
    for name, value in ALWAYS.items():
        assert answer.headers.get(name) == value, f"{path}: {name}"
    policy = policy_of(answer)
    for name in ("default-src", "base-uri", "frame-ancestors"):
        assert policy[name] == ["'none'"], path
    for name in ("connect-src", "form-action"):
        assert policy[name] == ["'self'"], path
    nonces = [source for source in policy["script-src"] if source.startswith("'nonce-")]
    assert set(policy["script-src"]) - set(nonces) == {"'self'"}, path
    assert len(nonces) <= 1
    drawn = path.startswith(API_PAGE) and answer.is_success
    assert policy["style-src"] == (["'self'", "'unsafe-inline'"] if drawn else ["'self'"]), path
    if answer.headers.get("content-type", "").startswith("text/html"):
        markup = Markup()
        markup.feed(answer.text)
        assert markup.inline == [], path
        assert markup.hosts == [], path
        assert {f"'nonce-{nonce}'" for nonce in markup.nonces} <= set(nonces), f"{path}: a script without its nonce"


@pytest.fixture(scope="module")
async def filled(shared: Client) -> Client:
    await doors.file(shared, MEMBER, drafts.visit(issues=[drafts.issue()]))
    return shared


async def test_there_are_pages_to_look_at() -> None:
    assert {"/", "/sign-in", "/first-access", "/account", "/audit", "/maps/issues", "/schema"} <= set(pages())


@pytest.mark.parametrize("path", pages())
async def test_every_page_and_every_answer_to_a_question(filled: Client, path: str) -> None:
    if path.startswith("/api/"):
        for who in (LEADER, AUDITOR):
            keeps_to_itself(await filled.get(path, headers=who.headers), path)
        return
    for headers in (HTML, *(who.headers | HTML for who in (MEMBER, LEADER, ADMINISTRATOR, AUDITOR))):
        for lang in ("", "?lang=en"):
            keeps_to_itself(await filled.get(path + lang, headers=headers), path)


@pytest.mark.parametrize("name", sorted(json.loads((STATIC / "assets.json").read_text()).values()))
async def test_every_built_file(filled: Client, name: str) -> None:
    answer = await filled.get(f"/static/{name}")
    assert answer.status_code == 200
    keeps_to_itself(answer, f"/static/{name}")


async def test_every_way_to_be_refused(filled: Client) -> None:
    for answer, status in (
        (await filled.get("/nothing", headers=HTML), 404),
        (await filled.get("/static/nothing.js"), 404),
        (await filled.delete("/api/visits"), 405),
        (await filled.post("/api/visits", content=b"{", headers=MEMBER.headers), 400),
        (await filled.post("/api/receipts", content=b"x" * 1_000_000, headers=MEMBER.headers), 413),
        (await filled.get("/audit", headers=MEMBER.headers | HTML), 403),
        (await filled.get("/api/issues?nothing=1", headers=LEADER.headers), 422),
        (await filled.get("/api/issues"), 401),
    ):
        assert answer.status_code == status
        keeps_to_itself(answer, str(answer.url))


async def test_behind_tls_a_browser_is_told_to_come_that_way_only(dsn: str, clock: TestClock) -> None:
    app = create_app(Settings(database_url=dsn, pool_size=2), clock, RING)
    async with app.lifespan():
        for scheme in ("http", "https"):
            transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
            async with Client(transport=transport, base_url=f"{scheme}://testserver.local") as client:
                said = (await client.get("/sign-in")).headers.get("strict-transport-security")
                assert said == ("max-age=31536000" if scheme == "https" else None)

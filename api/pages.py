"""What all pages share: built scripts and styles, templates, headers that keep a page to itself, the API's own page."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from litestar import Request, Response, Router, get
from litestar.datastructures import CacheControlHeader
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Redirect
from litestar.static_files import create_static_files_router
from litestar.template import TemplateConfig
from litestar.types import Message, Scope

from api import texts
from api.auth import PUBLIC, start_page
from surveys.refusals import NotFound

STATIC = Path(__file__).parent / "static"
A_YEAR_S = 365 * 24 * 3600

# A page runs the scripts that we serve, and reaches nobody else.
CONTENT_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",  # base maps with a key ask which site it is
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(self), microphone=()",
}


class PagesNotBuilt(Exception):
    """The scripts and styles are missing: they come with the package, and with an editable install of it."""


@cache
def _assets() -> dict[str, str]:
    try:
        served: dict[str, str] = json.loads((STATIC / "assets.json").read_text())
    except FileNotFoundError:
        raise PagesNotBuilt("api/static/assets.json is missing: `pip install --no-deps -e .` builds it") from None
    return served


def asset(name: str) -> str:
    """Return the path at which a built file is served; its name changes with its content."""
    return f"/static/{_assets()[name]}"


def asset_text(name: str) -> str:
    """Return what a built script or style holds, for a file that carries it."""
    return (STATIC / _assets()[name]).read_text()


def content_policy(**further: str) -> str:
    """Return the content security policy, with `further` sources: `script_src="'nonce-…'"`."""
    policy = dict(CONTENT_POLICY)
    for name, sources in further.items():
        directive = name.replace("_", "-")
        policy[directive] = f"{policy[directive]} {sources}".rstrip()
    return "; ".join(f"{directive} {sources}" for directive, sources in policy.items())


_HEADERS = [
    (name.lower().encode(), value.encode())
    for name, value in (HEADERS | {"Content-Security-Policy": content_policy()}).items()
]
_HEADERS_OF_TLS = [*_HEADERS, (b"strict-transport-security", f"max-age={A_YEAR_S}".encode())]


async def add_security_headers(message: Message, scope: Scope) -> None:
    """Give every answer, a refusal too, the headers that it does not set itself."""
    if message["type"] == "http.response.start":
        headers = list(message["headers"])
        present = {name.lower() for name, _ in headers}
        more = _HEADERS_OF_TLS if scope.get("scheme") == "https" else _HEADERS
        message["headers"] = headers + [header for header in more if header[0] not in present]


async def _schema_policy(response: Response[Any]) -> Response[Any]:
    # Swagger UI writes style attributes into the markup that it makes
    response.headers["Content-Security-Policy"] = content_policy(style_src="'unsafe-inline'")
    return response


async def _no_other_page(request: Request[Any, Any, Any]) -> None:
    """Beside the document and its page nothing is there; said in our shape instead of the framework's."""
    if request.path_params:
        raise NotFound


class ApiPage(OpenAPIRenderPlugin):
    """Swagger UI from our own server: no script, style, font or picture from anywhere else."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Render the page; its script reads the document from where it is served."""
        template = TEMPLATES.engine_instance.get_template("api.html")
        document = self.get_openapi_json_route(request)
        return template.render(title=openapi_schema["info"]["title"], document=document, folded=True).encode()


def _templates() -> TemplateConfig[JinjaTemplateEngine]:
    engine = JinjaTemplateEngine(directory=Path(__file__).parent / "templates")
    engine.engine.globals["asset"] = asset
    engine.engine.trim_blocks = engine.engine.lstrip_blocks = True
    texts.speak(engine.engine)
    return TemplateConfig(instance=engine)


TEMPLATES = _templates()

OPENAPI = OpenAPIConfig(
    title="Zoufang 走访",
    version="1",
    description="Visits, the problems found on them, and what became of those.",
    components=Components(
        security_schemes={
            "token": SecurityScheme(type="http", scheme="bearer", description="zf_<district>_<secret>"),
        }
    ),
    security=[{"token": []}],
    use_handler_docstrings=True,
    openapi_router=Router(
        "/schema",
        route_handlers=[],
        include_in_schema=False,
        opt={PUBLIC: True},
        before_request=_no_other_page,
        after_request=_schema_policy,
    ),
    render_plugins=[ApiPage(path="/")],
)


@get("/", opt={PUBLIC: True}, include_in_schema=False)
async def start(request: Request[Any, Any, Any]) -> Redirect:
    """The first page: the map, but for those who read no issues."""
    return Redirect(await start_page(request), status_code=303)


ROUTES = [
    start,
    create_static_files_router(
        "/static",
        [STATIC],
        opt={PUBLIC: True},
        cache_control=CacheControlHeader(max_age=A_YEAR_S, public=True, immutable=True),
    ),
]

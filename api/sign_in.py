"""Signing in: a token becomes a browser's session, and the way out of it."""

from datetime import timedelta
from typing import Annotated, Any

import asyncpg
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Redirect, Template
from msgspec import Struct

from api import problem_details
from api.auth import CSRF_COOKIE, PUBLIC, SESSION_COOKIE, Clock, CsrfMissing
from api.settings import Settings
from surveys import sessions
from surveys.people import Reader
from surveys.refusals import NotSignedIn

HOME = "/maps/issues"


class SignIn(Struct, frozen=True):
    """What the sign-in form sends."""

    token: str = ""
    next: str = HOME


@get("/sign-in", opt={PUBLIC: True}, include_in_schema=False)
async def sign_in_page(request: Request[Any, Any, Any]) -> Template:
    """The page on which a token is entered."""
    return _page(request, request.query_params.get("next", HOME), None)


@post("/sign-in", opt={PUBLIC: True}, include_in_schema=False, status_code=303)
async def sign_in(
    request: Request[Any, Any, Any],
    data: Annotated[SignIn, Body(media_type=RequestEncodingType.URL_ENCODED)],
    conn: NamedDependency[asyncpg.Connection],
    clock: NamedDependency[Clock],
    settings: NamedDependency[Settings],
) -> Response[Any]:
    """Open a session and go on to the page that was asked for; a token that does not hold is told on the page."""
    _refuse_cross_site(request)
    now = clock()
    try:
        session = await sessions.sign_in(conn, data.token, timedelta(hours=settings.session_hours), now)
    except NotSignedIn:
        page = _page(request, data.next, "not_signed_in")
        page.status_code = 401
        return page
    seconds = int((session.expires_at - now).total_seconds())
    return Redirect(
        _local(data.next),
        status_code=303,
        cookies=[
            _cookie(request, SESSION_COOKIE, session.secret, seconds, httponly=True),
            _cookie(request, CSRF_COOKIE, sessions.csrf_token(session.secret), seconds, httponly=False),
        ],
    )


@post("/sign-out", include_in_schema=False, status_code=303)
async def sign_out(
    request: Request[Reader, sessions.Credential, Any],
    conn: NamedDependency[asyncpg.Connection],
    clock: NamedDependency[Clock],
) -> Response[Any]:
    """End the session."""
    await sessions.sign_out(conn, request.auth, clock())
    return Redirect(
        "/sign-in",
        status_code=303,
        cookies=[
            _cookie(request, SESSION_COOKIE, "", 0, httponly=True),
            _cookie(request, CSRF_COOKIE, "", 0, httponly=False),
        ],
    )


def _page(request: Request[Any, Any, Any], next_: str, error: str | None) -> Template:
    language = problem_details.language(request)
    return Template("sign_in.html", context={"language": language, "next": _local(next_), "error": error})


def _local(path: str) -> str:
    """Only a path of ours is gone on to: `//host` and `/\\host` are addresses of others."""
    fits = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if fits else HOME


def _refuse_cross_site(request: Request[Any, Any, Any]) -> None:
    """Another site's form must not sign somebody in as somebody else."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise CsrfMissing


def _cookie(request: Request[Any, Any, Any], key: str, value: str, seconds: int, *, httponly: bool) -> Cookie:
    return Cookie(
        key=key,
        value=value,
        max_age=seconds,
        path="/",
        httponly=httponly,
        secure=request.url.scheme == "https",
        samesite="lax",
    )


ROUTES = [sign_in_page, sign_in, sign_out]

"""Signing in: a number or phone with its password, or a token, becomes a browser's session; and the way out of it."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated, Any

import asyncpg
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Redirect, Template
from msgspec import Struct

from api import problem_details, session_cookies
from api.auth import MAP, PUBLIC, SESSION_COOKIE, UNPROVEN, Clock
from api.entrance import Entrance, refuse_cross_site
from api.limits import few_pages
from api.problem_details import Problem
from surveys.access import account_notices, sessions, sign_ins
from surveys.access.sessions import Session
from surveys.people import people
from surveys.people.people import READING, Reader
from surveys.refusals import NotSignedIn, Refusal

HOME = MAP
NOT_KEPT = {"Cache-Control": "no-store"}


class SignIn(Struct, frozen=True):
    """What the sign-in form sends: an account with its password, or a token."""

    account: str = ""
    password: str = ""
    district: str = ""
    token: str = ""
    next: str = HOME


class TokenWrong(NotSignedIn):
    """A token that does not hold, given on the page."""

    code = "token_wrong"


@get("/sign-in", opt={PUBLIC: True}, include_in_schema=False, guards=[few_pages])
async def sign_in_page(request: Request[Any, Any, Any], entrance: NamedDependency[Entrance]) -> Template:
    """The page on which a password, or a token, is entered."""
    return await _page(request, SignIn(next=request.query_params.get("next", HOME)), entrance)


@post("/sign-in", opt={PUBLIC: True}, include_in_schema=False, status_code=303)
async def sign_in(
    request: Request[Any, Any, Any],
    data: Annotated[SignIn, Body(media_type=RequestEncodingType.URL_ENCODED)],
    entrance: NamedDependency[Entrance],
) -> Response[Any]:
    """Open a session and go on to the page that was asked for; what does not hold is told on the page."""
    refuse_cross_site(request)
    try:
        if data.account or data.password:
            return await _by_password(request, data, entrance)
        return await _by_token(request, data, entrance)
    except Refusal as refusal:
        problem = problem_details.of(refusal, problem_details.language(request))
        page = await _page(request, data, entrance, problem)
        page.status_code = problem.status
        page.headers.update(problem_details.headers(problem))
        return page


async def _by_password(request: Request[Any, Any, Any], data: SignIn, entrance: Entrance) -> Response[Any]:
    admitted = await entrance.admit(request, _number(data.district), data.account, data.password)
    now, settings = entrance.now(), entrance.settings
    browser = None
    async with entrance.transaction() as conn:
        session = await sessions.open_session(
            conn,
            admitted.district,
            admitted.member,
            "password",
            timedelta(hours=settings.session_hours),
            now,
            session_cookies.browser_name(request),
        )
        if not admitted.has_second_factor:
            browser = await session_cookies.know(conn, request, admitted.district, admitted.member, settings, now)
        await _end_former(conn, request, now)
        untold = await account_notices.any_unseen(conn, admitted.district, admitted.member)
        next_ = await _next(conn, session, data)
    cookies = session_cookies.of_session(request, session, now)
    if browser:
        cookies.append(session_cookies.of_browser(request, browser, settings.known_browser_days))
    if admitted.has_second_factor:
        return _on(request, "/second-factor", cookies, next_)
    return _on(request, "/account", cookies, next_) if untold else _on(request, next_, cookies)


async def _by_token(request: Request[Any, Any, Any], data: SignIn, entrance: Entrance) -> Response[Any]:
    now = entrance.now()
    lifetime = timedelta(hours=entrance.settings.session_hours)
    try:
        async with entrance.transaction() as conn:
            session = await sessions.sign_in(conn, data.token, lifetime, now, session_cookies.browser_name(request))
            await _end_former(conn, request, now)
            next_ = await _next(conn, session, data)
    except NotSignedIn:
        await entrance.refuse_token(request, data.token)
        raise TokenWrong("token") from None
    return _on(request, next_, session_cookies.of_session(request, session, now))


async def _end_former(conn: asyncpg.Connection, request: Request[Any, Any, Any], now: datetime) -> None:
    """A browser is signed in once: the session that it had ends with the new one."""
    with suppress(NotSignedIn):
        former = sessions.credential(request.cookies.get(SESSION_COOKIE, ""))
        if former.kind == "session":
            await sessions.sign_out(conn, former, now)


async def _next(conn: asyncpg.Connection, session: Session, data: SignIn) -> str:
    """The page that was asked for; where none was, the one that this person begins with."""
    asked = local(data.next)
    if asked == HOME and not await people.roles(conn, session.district, session.member) & READING:
        return "/"
    return asked


def _on(request: Request[Any, Any, Any], path: str, cookies: list[Any], next_: str | None = None) -> Redirect:
    """Go on to a page, which itself goes on to the one that was asked for."""
    if next_ is None:
        return Redirect(path, status_code=303, cookies=cookies)
    query = {"next": local(next_)} | ({"lang": "en"} if problem_details.language(request) == "en" else {})
    return Redirect(path, query_params=query, status_code=303, cookies=cookies)


@post("/sign-out", opt={UNPROVEN: True}, include_in_schema=False, status_code=303)
async def sign_out(
    request: Request[Reader, sessions.Credential, Any],
    conn: NamedDependency[asyncpg.Connection],
    clock: NamedDependency[Clock],
) -> Response[Any]:
    """End the session."""
    await sessions.sign_out(conn, request.auth, clock())
    return Redirect("/sign-in", status_code=303, cookies=session_cookies.of_no_session(request))


async def _page(
    request: Request[Any, Any, Any], data: SignIn, entrance: Entrance, problem: Problem | None = None
) -> Template:
    async with entrance.transaction() as conn:
        districts = await sign_ins.districts(conn)
    return Template(
        "sign_in.html",
        context={
            "language": problem_details.language(request),
            "next": local(data.next),
            "account": data.account[: sign_ins.LONGEST_ACCOUNT],
            "district": _number(data.district),
            "districts": districts if len(districts) > 1 else [],
            "problem": problem,
            "by_token": problem is not None and problem.code == TokenWrong.code,
        },
        headers=dict(NOT_KEPT),
    )


def local(path: str) -> str:
    """Only a path of ours is gone on to: `//host` and `/\\host` are addresses of others."""
    fits = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if fits else HOME


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


ROUTES = [sign_in_page, sign_in, sign_out]

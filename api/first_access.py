"""The first access: the page on which a one-time code becomes a password, and the codes by which an organiser lets
somebody in, or in again."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Template
from msgspec import Meta, Struct

from api import problem_details, session_cookies
from api.auth import PUBLIC, Clock
from api.documented_problems import REFUSES
from api.entrance import Entrance, Own, Password
from api.json_bodies import JsonBody
from api.limits import few_pages
from api.settings import Settings
from api.sign_in import NOT_KEPT
from surveys.access import one_time_codes, sessions, sign_ins
from surveys.access.one_time_codes import Purpose
from surveys.history import Actor
from surveys.people import members
from surveys.people.people import Reader
from surveys.refusals import NotAllowed, NotFound, TextUnusable


class FirstAccess(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A one-time code, and the password that its holder chooses."""

    code: Annotated[str, Meta(max_length=200)]
    password: Password


class Welcome(Struct, frozen=True, kw_only=True):
    """Who has signed in."""

    member: UUID
    name: str


@get("/first-access", opt={PUBLIC: True}, include_in_schema=False, guards=[few_pages])
async def first_access_page(request: Request[Any, Any, Any], settings: NamedDependency[Settings]) -> Template:
    """The page for a one-time code: it stands behind # in the address, or is typed."""
    context = {"language": problem_details.language(request), "least": settings.password_least_length, "home": "/"}
    return Template("first_access.html", context=context, headers=dict(NOT_KEPT))


@post(
    "/api/first-access",
    opt={PUBLIC: True, REFUSES: (403,)},
    dto=JsonBody[FirstAccess],
    return_dto=None,
    status_code=200,
    summary="Use a one-time code",
    security=[],
)
async def use_first_access(
    request: Request[Any, Any, Any], data: JSONBody[FirstAccess], entrance: NamedDependency[Entrance]
) -> Response[Welcome]:
    """Choose a password with a one-time code, and be signed in; all that was signed in before is not any more."""
    entrance.knock(request)
    presented = one_time_codes.read(data.code)
    account = await entrance.holder_of_code(presented)
    hash_ = await entrance.new_password(presented.district, account.holder, data.password)
    now, settings = entrance.now(), entrance.settings
    async with entrance.transaction() as conn:
        member = await one_time_codes.use(conn, presented, now)
        await sign_ins.start_anew(conn, presented.district, member, hash_, now)
        session = await sessions.open_session(
            conn,
            presented.district,
            member,
            "one_time_code",
            timedelta(hours=settings.session_hours),
            now,
            session_cookies.browser_name(request),
        )
        browser = await session_cookies.know(conn, request, presented.district, member, settings, now)
    cookies = [
        *session_cookies.of_session(request, session, now),
        session_cookies.of_browser(request, browser, settings.known_browser_days),
    ]
    return Response(Welcome(member=member, name=account.holder.name), cookies=cookies, headers=NOT_KEPT)


class CodeWanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why somebody is let in again."""

    reason: Annotated[str, Meta(min_length=1, max_length=1_000)]


class CodeIssued(Struct, frozen=True, kw_only=True):
    """A one-time code, shown this once; `link` holds it behind #, which no server is sent."""

    code: str
    link: str
    purpose: Purpose
    expires_at: datetime


@post(
    "/api/members/{member:uuid}/one-time-codes",
    dto=JsonBody[CodeWanted],
    return_dto=None,
    status_code=201,
    summary="Let a member in again",
)
async def issue_code(
    request: Own,
    data: JSONBody[CodeWanted],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    settings: NamedDependency[Settings],
    member: FromPath[UUID],
) -> Response[CodeIssued]:
    """A new one-time code for somebody whom the reader looks after. It ends what they are signed in to, and their
    password; it is in the history with the reason, and they are told. Nobody issues one to themselves."""
    reader.require("administrator", "organiser")
    found = await members.manageable(conn, reader, member)
    if not data.reason.strip():
        raise TextUnusable("reason")
    if found.closed_at is not None:
        raise NotFound
    if member == reader.member:
        raise NotAllowed
    now = clock()
    by = Actor("member", str(reader.member))
    purpose = await _purpose(conn, reader.district, member)
    if purpose == "lost_access":
        await sign_ins.take_away(conn, reader.district, member, by, now)
    expires_at = now + timedelta(days=settings.one_time_code_days)
    codes = await one_time_codes.issue(
        conn, reader.district, [member], by, purpose, expires_at, now, data.reason.strip()
    )
    base = (settings.public_url or str(request.base_url)).rstrip("/")
    issued = CodeIssued(
        code=codes[member], link=f"{base}/first-access#{codes[member]}", purpose=purpose, expires_at=expires_at
    )
    return Response(issued, status_code=201, headers=NOT_KEPT)


async def _purpose(conn: asyncpg.Connection, district: int, member: UUID) -> Purpose:
    """Who could never sign in has lost nothing."""
    return "lost_access" if await sign_ins.has_access(conn, district, member) else "first_access"


ROUTES = [first_access_page, use_first_access, issue_code]

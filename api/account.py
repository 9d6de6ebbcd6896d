"""One's own account: the page, the password, what was done to it, and the browsers that are signed in."""

from datetime import timedelta
from uuid import UUID

import asyncpg
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Template
from msgspec import Struct

from api import notice_words, problem_details, session_cookies
from api.auth import Clock
from api.entrance import Entrance, Own, Password, require_page
from api.json_bodies import JsonBody, Nothing
from api.notices import own_settings
from api.settings import Settings
from api.sign_in import HOME, NOT_KEPT, local
from surveys.access import account_notices, second_factors, sessions, sign_ins
from surveys.access.sessions import OpenSession
from surveys.history import Actor
from surveys.notices import notices
from surveys.people.people import READING, District, Reader
from surveys.premises.premises_changes import CHANGING
from surveys.refusals import NotFound
from surveys.visits.visit_rules import DESK

INBOX_SHOWN = 20


@get("/account", include_in_schema=False)
async def account_page(
    request: Own,
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    settings: NamedDependency[Settings],
    clock: NamedDependency[Clock],
) -> Template:
    """One's own account."""
    now = clock()
    account = await sign_ins.of_member(conn, reader.district, reader.member)
    if account is None:
        raise NotFound
    idle = timedelta(minutes=settings.session_idle_minutes)
    context = {
        "language": problem_details.language(request),
        "name": reader.name,
        "number": account.holder.number,
        "district": district.name,
        "zone": district.zone,
        "has_password": account.hash is not None,
        "least": settings.password_least_length,
        "has_second_factor": await second_factors.has_one(conn, reader.district, reader.member),
        "must_have_second_factor": bool(reader.roles().intersection(settings.second_factor_roles)),
        "devices": await sessions.devices(conn, reader, request.auth, now),
        "sessions": await sessions.open_sessions(conn, reader, request.auth, now, idle),
        "notices": await account_notices.of_member(conn, reader.district, reader.member),
        "inbox": await notices.inbox(conn, reader, None, INBOX_SHOWN),
        "told": await own_settings(conn, reader),
        "kind_words": notice_words.KINDS,
        "way_words": notice_words.WAYS,
        "of_kind": notice_words.of_kind,
        "next": local(request.query_params.get("next", HOME)),
        "reads_visits": bool(reader.roles() & READING),
        "keeps_people": bool(reader.roles() & {"administrator", "organiser"}),
        "types_paper": bool(reader.roles() & DESK),
        "keeps_doors": bool(reader.roles() & CHANGING),
        "reads_history": bool(reader.roles() & {"administrator", "auditor"}),
    }
    return Template("account.html", context=context, headers=dict(NOT_KEPT))


class PasswordChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new password; the present one is left out by who has none yet."""

    password: Password
    present: Password | None = None


@post(
    "/api/account/password",
    dto=JsonBody[PasswordChange],
    return_dto=None,
    status_code=204,
    summary="Change one's password",
)
async def change_password(request: Own, data: JSONBody[PasswordChange], entrance: NamedDependency[Entrance]) -> None:
    """Choose another password; other browsers and phones sign in again."""
    reader = request.user
    async with entrance.transaction() as conn:
        account = await sign_ins.of_member(conn, reader.district, reader.member)
    if account is None:
        raise NotFound
    if account.hash is None:
        require_page(request)
    else:
        await entrance.confirm_password(request, reader.district, reader.member, data.present or "", "present")
    hash_ = await entrance.new_password(reader.district, account.holder, data.password)
    async with entrance.transaction() as conn:
        browser = request.cookies.get(session_cookies.BROWSER_COOKIE)
        await sign_ins.change_password(
            conn,
            reader.district,
            reader.member,
            hash_,
            request.auth,
            sessions.browser(browser) if browser else None,
            entrance.now(),
        )


@post(
    "/api/account/notices/seen",
    dto=JsonBody[Nothing],
    return_dto=None,
    status_code=204,
    summary="Notices were read",
)
async def see_notices(
    data: JSONBody[Nothing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> None:
    """The reader has read what was done to their account."""
    await account_notices.see(conn, reader.district, reader.member, clock())


@post(
    "/api/account/sign-out-everywhere",
    dto=JsonBody[Nothing],
    return_dto=None,
    status_code=204,
    summary="Sign out everywhere else",
)
async def sign_out_everywhere(
    request: Own,
    data: JSONBody[Nothing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> None:
    """End the reader's sessions and phones, but for the one that asks."""
    by = Actor("member", str(reader.member))
    await sessions.end_all(conn, reader.district, reader.member, by, clock(), kept=request.auth)


class Sessions(Struct, frozen=True):
    """The browsers that are signed in."""

    items: list[OpenSession]


@get("/api/sessions", summary="List one's sessions")
async def list_sessions(
    request: Own,
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    settings: NamedDependency[Settings],
) -> Sessions:
    """The browsers on which the reader is signed in, the last used first."""
    idle = timedelta(minutes=settings.session_idle_minutes)
    return Sessions(await sessions.open_sessions(conn, reader, request.auth, clock(), idle))


@post(
    "/api/sessions/{session:uuid}/end",
    dto=JsonBody[Nothing],
    return_dto=None,
    status_code=204,
    summary="Sign a browser out",
)
async def end_session(
    data: JSONBody[Nothing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    session: FromPath[UUID],
) -> None:
    """End one of the reader's own sessions."""
    await sessions.end(conn, reader, session, clock())


ROUTES = [account_page, change_password, see_notices, sign_out_everywhere, list_sessions, end_session]

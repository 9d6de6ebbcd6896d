"""One's own account: the first access, the second factor, the password, and the browsers and phones that are signed in;
and the one-time codes by which an organiser lets somebody in again."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Redirect, Template
from msgspec import Meta, Struct

from api import problem_details, qr_codes, session_cookies
from api.auth import PUBLIC, UNPROVEN, Clock, SecondFactorNeeded
from api.documented_problems import REFUSES
from api.entrance import Entrance
from api.json_bodies import JsonBody
from api.limits import few_pages
from api.settings import Settings
from api.sign_in import HOME, NOT_KEPT, local
from surveys import (
    account_notices,
    members,
    one_time_codes,
    people,
    second_factors,
    sessions,
    sign_ins,
)
from surveys.history import Actor
from surveys.one_time_codes import Purpose
from surveys.people import District, Reader
from surveys.refusals import NotAllowed, NotFound, TextUnusable
from surveys.sealing import KeyRing
from surveys.sessions import Credential, Device, OpenSession

Password = Annotated[str, Meta(max_length=1_000)]  # a longer one than may be is told so by name
SixDigits = Annotated[str, Meta(max_length=20)]
Own = Request[Reader, Credential, Any]


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


@get("/second-factor", opt={UNPROVEN: True}, include_in_schema=False)
async def second_factor_page(
    request: Own,
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    ring: NamedDependency[KeyRing],
    settings: NamedDependency[Settings],
    clock: NamedDependency[Clock],
) -> Response[Any]:
    """The page on which a second factor is set up, or shown."""
    next_ = local(request.query_params.get("next", HOME))
    if await second_factors.has_one(conn, reader.district, reader.member):
        if await sessions.is_proven(conn, request.auth, clock()):
            return Redirect(next_, status_code=303)
        step, offered = "show", None
    else:
        account = await sign_ins.of_member(conn, reader.district, reader.member)
        called = f"{district.name} {account.holder.number if account else ''}".strip()
        offered = await second_factors.offered(conn, ring, reader.district, reader.member, called)
        step = "confirm" if offered else "offer"
    return Template(
        "second_factor.html",
        context={
            "language": problem_details.language(request),
            "step": step,
            "next": next_,
            "secret": _grouped(offered.secret) if offered else None,
            "qr_code": qr_codes.svg_address(offered.address) if offered else None,
            "required": bool(reader.roles().intersection(settings.second_factor_roles)),
            "name": reader.name,
        },
        headers=dict(NOT_KEPT),
    )


def _grouped(secret: str) -> str:
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """A body with nothing in it."""


@post(
    "/api/second-factor",
    opt={UNPROVEN: True},
    dto=JsonBody[Nothing],
    return_dto=None,
    status_code=204,
    summary="Begin to set up a second factor",
)
async def offer_second_factor(
    request: Own,
    data: JSONBody[Nothing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    ring: NamedDependency[KeyRing],
    clock: NamedDependency[Clock],
) -> None:
    """Draw a secret for an authenticator app; the page shows it until a code of it is given back."""
    _require_page(request)
    await second_factors.offer(conn, ring, reader.district, reader.member, clock())


class SecondFactorCode(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The six digits that an authenticator app shows."""

    code: SixDigits


@post(
    "/api/second-factor/confirmation",
    opt={UNPROVEN: True},
    dto=JsonBody[SecondFactorCode],
    return_dto=None,
    status_code=204,
    summary="Finish setting up a second factor",
)
async def confirm_second_factor(
    request: Own, data: JSONBody[SecondFactorCode], entrance: NamedDependency[Entrance], ring: NamedDependency[KeyRing]
) -> Response[None]:
    """Let the app count from now on: it is asked for at every sign-in."""
    _require_page(request)
    reader, now = request.user, entrance.now()
    async with entrance.transaction() as conn:
        await second_factors.confirm(conn, ring, reader.district, reader.member, data.code, now)
        return await _prove(conn, request, entrance.settings, now)


@post(
    "/api/second-factor/check",
    opt={UNPROVEN: True},
    dto=JsonBody[SecondFactorCode],
    return_dto=None,
    status_code=204,
    summary="Show the second factor",
)
async def check_second_factor(
    request: Own, data: JSONBody[SecondFactorCode], entrance: NamedDependency[Entrance]
) -> Response[None]:
    """Show the app's present code, once for each session."""
    _require_page(request)
    entrance.knock(request)
    await entrance.show_second_factor(request, request.user.district, request.user.member, data.code)
    async with entrance.transaction() as conn:
        return await _prove(conn, request, entrance.settings, entrance.now())


async def _prove(conn: asyncpg.Connection, request: Own, settings: Settings, now: datetime) -> Response[None]:
    await sessions.prove(conn, request.auth, now)
    browser = await session_cookies.know(conn, request, request.user.district, request.user.member, settings, now)
    cookie = session_cookies.of_browser(request, browser, settings.known_browser_days)
    return Response(None, status_code=204, cookies=[cookie])


class Removal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What it takes to do without a second factor again."""

    password: Password
    code: SixDigits


@post(
    "/api/second-factor/removal",
    dto=JsonBody[Removal],
    return_dto=None,
    status_code=204,
    summary="Remove the second factor",
)
async def remove_second_factor(request: Own, data: JSONBody[Removal], entrance: NamedDependency[Entrance]) -> None:
    """Remove one's own second factor, showing the password and the app once more."""
    _require_page(request)
    reader = request.user
    await entrance.confirm_password(request, reader.district, reader.member, data.password, "password")
    await entrance.show_second_factor(request, reader.district, reader.member, data.code)
    async with entrance.transaction() as conn:
        by = Actor("member", str(reader.member))
        await second_factors.remove(conn, reader.district, reader.member, by, entrance.now())


def _require_page(request: Own) -> None:
    """What changes how somebody signs in is done in a browser: a phone that was stolen must not be able to."""
    if request.auth.kind != "session":
        raise NotAllowed


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
        "next": local(request.query_params.get("next", HOME)),
        "keeps_people": bool(reader.roles() & {"administrator", "organiser"}),
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
        _require_page(request)
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


class DeviceWanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A phone that asks for a token: who holds it, and what it is called."""

    account: Annotated[str, Meta(min_length=1, max_length=sign_ins.LONGEST_ACCOUNT)]
    password: Password
    device: Annotated[str, Meta(min_length=1, max_length=80)]
    district: Annotated[int, Meta(ge=1, le=2_147_483_647)] | None = None
    second_factor: SixDigits | None = None


class DeviceAdded(Struct, frozen=True, kw_only=True):
    """A phone's token, shown this once."""

    id: UUID
    token: str
    expires_at: datetime
    member: UUID
    name: str


@post(
    "/api/devices",
    opt={PUBLIC: True, REFUSES: (401, 403)},
    dto=JsonBody[DeviceWanted],
    return_dto=None,
    status_code=201,
    summary="Sign in on a phone",
    security=[],
)
async def add_device(
    request: Request[Any, Any, Any], data: JSONBody[DeviceWanted], entrance: NamedDependency[Entrance]
) -> Response[DeviceAdded]:
    """A token for a phone, by number or phone, password and, who has one, the second factor. Who must have one and has
    none sets it up on the page first."""
    device = " ".join(data.device.split())
    if not device or not device.isprintable():
        raise TextUnusable("device")
    admitted = await entrance.admit(request, data.district, data.account, data.password)
    district, member, settings = admitted.district, admitted.member, entrance.settings
    if admitted.has_second_factor:
        if data.second_factor is None:
            raise SecondFactorNeeded("second_factor")
        await entrance.show_second_factor(request, district, member, data.second_factor, "second_factor")
    now = entrance.now()
    async with entrance.transaction() as conn:
        if not admitted.has_second_factor and await people.roles(conn, district, member) & set(
            settings.second_factor_roles
        ):
            raise SecondFactorNeeded("second_factor")
        added = await sessions.add_device(
            conn,
            district,
            member,
            device,
            timedelta(days=settings.device_days),
            now,
            proven=admitted.has_second_factor,
        )
        await account_notices.add(conn, district, [member], "device_added", None, now)
        name = (await people.names(conn, district, [member]))[member]
    answer = DeviceAdded(id=added.id, token=added.token, expires_at=added.expires_at, member=member, name=name)
    return Response(answer, status_code=201, headers=NOT_KEPT)


class Devices(Struct, frozen=True):
    """The tokens that still hold."""

    items: list[Device]


@get("/api/devices", summary="List one's phones")
async def list_devices(
    request: Own,
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> Devices:
    """The reader's own tokens, each with its phone and its last use, newest first."""
    return Devices(await sessions.devices(conn, reader, request.auth, clock()))


@post(
    "/api/devices/{device:uuid}/revoke",
    dto=JsonBody[Nothing],
    return_dto=None,
    status_code=204,
    summary="Sign a phone out",
)
async def revoke_device(
    data: JSONBody[Nothing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    device: FromPath[UUID],
) -> None:
    """End one of the reader's own tokens."""
    await sessions.revoke(conn, reader, device, clock())


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


ROUTES = [
    first_access_page,
    use_first_access,
    issue_code,
    second_factor_page,
    offer_second_factor,
    confirm_second_factor,
    check_second_factor,
    remove_second_factor,
    account_page,
    change_password,
    see_notices,
    sign_out_everywhere,
    add_device,
    list_devices,
    revoke_device,
    list_sessions,
    end_session,
]

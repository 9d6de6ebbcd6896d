"""The second factor: offered as a QR code, confirmed, asked for at every signing in, and removed."""

from datetime import datetime
from typing import Any

import asyncpg
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.response import Redirect, Template
from msgspec import Struct

from api import problem_details, qr_codes, session_cookies
from api.auth import UNPROVEN, Clock
from api.entrance import Entrance, Own, Password, SixDigits, require_page
from api.json_bodies import JsonBody, Nothing
from api.settings import Settings
from api.sign_in import HOME, NOT_KEPT, local
from surveys.access import second_factors, sessions, sign_ins
from surveys.history import Actor
from surveys.people.people import District, Reader
from surveys.privacy.sealing import KeyRing


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
    require_page(request)
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
    require_page(request)
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
    require_page(request)
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
    require_page(request)
    reader = request.user
    await entrance.confirm_password(request, reader.district, reader.member, data.password, "password")
    await entrance.show_second_factor(request, reader.district, reader.member, data.code)
    async with entrance.transaction() as conn:
        by = Actor("member", str(reader.member))
        await second_factors.remove(conn, reader.district, reader.member, by, entrance.now())


ROUTES = [
    second_factor_page,
    offer_second_factor,
    confirm_second_factor,
    check_second_factor,
    remove_second_factor,
]

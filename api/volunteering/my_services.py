"""What is on, on a volunteer's own page: services of their teams, to put their name down for and to take it off."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from api.auth import PUBLIC, Clock
from api.documented_problems import REFUSES
from api.json_bodies import JsonBody, Nothing
from api.volunteering import passes
from api.volunteering.passes import Me
from surveys.volunteering import service_lists, service_volunteers

SHOWN_FOR = timedelta(days=30)  # what was served, after it was over

Anybody = Request[Any, Any, Any]


async def load(conn: asyncpg.Connection, me: Me, now: datetime) -> Mapping[str, Any]:
    """The services of the section."""
    return {"services": await service_lists.of_volunteer(conn, me.district, me.volunteer, now, now - SHOWN_FOR)}


@post(
    "/volunteering/me/services/{service:uuid}/joining",
    opt={PUBLIC: True, REFUSES: (401, 403, 404, 409)},
    dto=JsonBody[Nothing],
    return_dto=None,
    status_code=204,
    summary="Put one's name down for a service",
    security=[],
)
async def join(
    request: Anybody,
    data: JSONBody[Nothing],
    conn: NamedDependency[asyncpg.Connection],
    clock: NamedDependency[Clock],
    service: FromPath[UUID],
) -> None:
    """Let the volunteer behind the request serve at a service of one of their teams; who does already stays so."""
    now = clock()
    me = await passes.me(request, conn, now)
    await service_volunteers.sign_up_self(conn, me.district, service, me.volunteer, me.actor(), now)


@post(
    "/volunteering/me/services/{service:uuid}/leaving",
    opt={PUBLIC: True, REFUSES: (401, 403, 404, 409)},
    dto=JsonBody[Nothing],
    return_dto=None,
    status_code=204,
    summary="Take one's name off a service",
    security=[],
)
async def leave(
    request: Anybody,
    data: JSONBody[Nothing],
    conn: NamedDependency[asyncpg.Connection],
    clock: NamedDependency[Clock],
    service: FromPath[UUID],
) -> None:
    """Let the volunteer behind the request not serve after all."""
    now = clock()
    me = await passes.me(request, conn, now)
    await service_volunteers.leave_self(conn, me.district, service, me.volunteer, me.actor(), now)


ROUTES = [join, leave]

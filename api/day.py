"""A member's day over HTTP: what a phone takes along before it leaves the signal."""

import hashlib
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from litestar import MediaType, Request, Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec

from api.auth import Clock
from api.communities import has
from surveys.campaigns import days
from surveys.campaigns.days import Day
from surveys.people.people import District, Reader


class DayAsSent(Day, frozen=True, kw_only=True):
    """A member's day: their doors in walking order, their campaigns, and what an issue can be about."""

    generated_at: datetime


@get(
    "/api/day",
    responses={200: ResponseSpec(DayAsSent, media_type=MediaType.JSON, description="The reader's own day")},
    summary="My doors in walking order, and what a phone needs to visit them offline",
)
async def day(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Response[bytes]:
    """The reader's own day, at most 3,000 doors; 304 to who has it already, by its tag."""
    now = clock()
    found = await days.of_reader(conn, reader, district, now)
    tag = f'W/"{hashlib.sha256(msgspec.json.encode(found)).hexdigest()[:32]}"'  # not of when it was put together
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if has(request, tag):
        return Response(b"", status_code=304, headers=headers, media_type=MediaType.JSON)
    sent = DayAsSent(generated_at=now, **{name: getattr(found, name) for name in Day.__struct_fields__})
    return Response(msgspec.json.encode(sent), headers=headers, media_type=MediaType.JSON)


ROUTES = [day]

"""Asking for help at the desk: `/volunteering/time/help`, in the name of somebody who has an account."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Template

from api import shell
from api.auth import Clock
from api.issues import refuse_unfit
from api.sign_in import NOT_KEPT
from api.volunteering.time_pages import named, words
from surveys.people.people import District, Reader
from surveys.volunteering import help_lists, time_accounts

AT_ONCE = 20  # accounts to choose from

COMMUNITIES = "select code, name from community where district = $1 order by code"


@get("/volunteering/time/help", include_in_schema=False)
async def help_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    account: FromQuery[UUID | None] = None,
    text: FromQuery[str | None] = None,
    cursor: FromQuery[str | None] = None,
) -> Template:
    """Whose minutes are to be given, found by name or number; then what is asked for, and what they asked for yet."""
    refuse_unfit(request, {"account", "text", "cursor", "lang"})
    now, around = clock(), shell.context(request, reader, district, here="volunteering")
    if account is None:
        told = await _to_choose(conn, reader, now, text, cursor)
    else:
        told = await _chosen(conn, reader, account, now, district.zone)
    context = {**around, **words(around["language"]), "now": now, "text": text or "", "first": cursor is None, **told}
    return Template("volunteering/time_help.html", context=context, headers=dict(NOT_KEPT))


async def _to_choose(
    conn: asyncpg.Connection, reader: Reader, now: datetime, text: str | None, cursor: str | None
) -> Mapping[str, Any]:
    accounts = await time_accounts.listed(conn, reader, now, text=text, cursor=cursor, limit=AT_ONCE)
    ids = [one.volunteer for one in accounts.items]
    return {"account": None, "accounts": accounts, "names": await named(conn, reader.district, *ids)}


async def _chosen(
    conn: asyncpg.Connection, reader: Reader, account: UUID, now: datetime, zone: ZoneInfo
) -> Mapping[str, Any]:
    found = await time_accounts.seen(conn, reader, account, now)
    asked = await help_lists.of_family(conn, reader.district, [account])
    helpers = [one.helper for one in asked]
    tomorrow = (now.astimezone(zone) + timedelta(days=1)).replace(hour=9, minute=0)
    return {
        "account": found,
        "asked": asked,
        "own": await time_accounts.own(conn, reader),
        "names": await named(conn, reader.district, found.volunteer, *helpers),
        "communities": await conn.fetch(COMMUNITIES, reader.district),
        "usual": tomorrow.strftime("%Y-%m-%dT%H:%M"),
    }


ROUTES = [help_page]

"""The page on which the register of doors is looked after: what was found on the way, the list, and what comes in."""

from collections.abc import Mapping
from typing import Any, get_args
from urllib.parse import urlencode
from uuid import UUID, uuid4

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response import Template

from api import shell
from api.auth import Clock
from api.export_columns import WORDS
from api.issues import refuse_unfit
from api.premises import MOST_ROWS
from api.sign_in import NOT_KEPT
from maps.coordinates import SYSTEMS
from surveys.counting.issue_query import NONE
from surveys.people import scopes
from surveys.people.people import District, Reader
from surveys.premises import premises_doubles, premises_lists
from surveys.premises.premises import PremisesKind, PremisesState
from surveys.premises.premises_changes import CHANGING
from surveys.premises.premises_doubles import Double
from surveys.premises.premises_lists import DoorFilters, DoorItem
from surveys.refusals import InvalidFilter

AT_ONCE = 50  # doors of one page
WAITING = 10  # that are to be confirmed, those that came last

SYSTEM_WORDS: Mapping[str, tuple[str, str]] = {
    "wgs84": ("WGS-84（手机定位）", "WGS-84 (GPS)"),
    "cgcs2000": ("CGCS2000（国家坐标）", "CGCS2000"),
    "gcj02": ("GCJ-02（高德、腾讯）", "GCJ-02 (Amap, Tencent)"),
    "bd09": ("BD-09（百度）", "BD-09 (Baidu)"),
}
# The reasons that the history keeps where a button says all there is to say.
SAME_DOOR = ("核对后为同一走访对象", "The same door, as was looked at")
NO_DOOR = ("核对后不是走访对象", "No door to visit, as was looked at")


@get("/premises", include_in_schema=False)
async def premises_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """The doors that wait to be confirmed, each beside those that it may be; the register; a list that comes in."""
    reader.require(*CHANGING)
    refuse_unfit(request, ("text", "kind", "state", "community", "cursor", "lang"))
    said = {name: value.strip() for name, value in request.query_params.items() if value.strip()}
    now = clock()
    filters = _filters(said)
    page = await premises_lists.page(conn, reader, filters, now, limit=AT_ONCE, cursor=said.get("cursor"))
    waiting = await premises_lists.page(conn, reader, DoorFilters(state=("proposed",)), now, limit=WAITING)
    told = {name: value for name, value in said.items() if name not in ("cursor", "lang")}
    context = {
        **shell.context(request, reader, district, here="premises"),
        "page": page,
        "waiting": waiting,
        "doubles": await _doubles(conn, reader, waiting.items),
        "filters": told,
        "query": urlencode(told),
        "first": "cursor" not in said,
        "communities": await conn.fetch(COMMUNITIES, reader.district),
        "none": NONE,
        "kinds": WORDS["premises_kind"],
        "states": WORDS["premises_state"],
        "sources": WORDS["premises_source"],
        "systems": {system: SYSTEM_WORDS[system] for system in SYSTEMS},
        "same_door": SAME_DOOR,
        "no_door": NO_DOOR,
        "new_id": uuid4,
        "most_rows": MOST_ROWS,
        "may_import": "administrator" in reader.roles(),
    }
    return Template("premises.html", context=context, headers=dict(NOT_KEPT))


COMMUNITIES = "select code, name from community where district = $1 order by code"


def _filters(said: Mapping[str, str]) -> DoorFilters:
    kind, state = said.get("kind"), said.get("state")
    kinds = tuple(one for one in get_args(PremisesKind) if one == kind)
    states = tuple(one for one in get_args(PremisesState) if one == state)
    if kind and not kinds:
        raise InvalidFilter("kind", expected=" | ".join(get_args(PremisesKind)))
    if state and not states:
        raise InvalidFilter("state", expected=" | ".join(get_args(PremisesState)))
    community = said.get("community")
    return DoorFilters(kind=kinds, state=states, community=(community,) if community else (), text=said.get("text"))


async def _doubles(conn: asyncpg.Connection, reader: Reader, waiting: list[DoorItem]) -> dict[UUID, list[Double]]:
    reach = await scopes.reach(conn, reader)
    doors = [(premises_lists.compared(door), premises_lists.code_of(door)) for door in waiting]
    return await premises_doubles.of_each(conn, reach, doors)


ROUTES = [premises_page]

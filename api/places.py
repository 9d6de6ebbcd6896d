"""Uncertain places over HTTP: the queue of what lies where nobody can be sure, and settling them."""

from typing import Annotated, Any, Literal
from uuid import UUID

import asyncpg
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from api import problem_details
from api.auth import Clock
from api.issues import refuse_unfit
from api.json_bodies import JsonBody
from api.problem_details import Problem
from maps.locator import Atlas
from surveys.desk import uncertain_places
from surveys.desk.uncertain_places import Kind, PlaceFilters, PlacePage, Settlement, Uncertain
from surveys.people.people import Reader
from surveys.privacy.sealing import KeyRing

FILTERS = frozenset({*PlaceFilters.__struct_fields__, "lang"})


async def place_filters(
    request: Request[Reader, Any, Any],
    kind: FromQuery[Kind] = "issue",
    certainty: FromQuery[list[Uncertain] | None] = None,
    community: Annotated[
        list[str] | None, QueryParameter(description="codes of communities; `none` for what is in none")
    ] = None,
    street: FromQuery[list[str] | None] = None,
    settled: Annotated[
        Literal["yes", "no"] | None, QueryParameter(description="what a person has settled, instead of what waits")
    ] = None,
) -> PlaceFilters:
    """The filters of the queue. Raises Invalid for one that does not fit, or that is not one."""
    refuse_unfit(request, FILTERS | {"limit", "cursor", "total"})
    return PlaceFilters(
        kind=kind,
        certainty=tuple(certainty or ()),
        community=tuple(community or ()),
        street=tuple(street or ()),
        settled=settled == "yes",
    )


@get("/api/places", summary="List uncertain places")
async def list_places(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    atlas: NamedDependency[Atlas],
    clock: NamedDependency[Clock],
    place_filters: NamedDependency[PlaceFilters],
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    cursor: FromQuery[str | None] = None,
    total: FromQuery[bool] = True,
) -> PlacePage:
    """Issues, visits or doors that lie near a line, outside the district or nowhere, newest first, each with the
    communities beside it and how far their lines are."""
    reader.require(*uncertain_places.SETTLING)
    return await uncertain_places.page(
        conn, atlas, reader, place_filters, clock(), limit=limit, cursor=cursor, total=total
    )


class SettledTold(Struct, frozen=True, kw_only=True):
    """What became of one thing: its version now, or why it was refused."""

    id: UUID
    status: Literal["settled", "refused"]
    version: int | None = None
    problem: Problem | None = None


class SettledAll(Struct, frozen=True):
    """What became of each, in the order asked."""

    results: list[SettledTold]


@post(
    "/api/places/settlements",
    dto=JsonBody[Settlement],
    return_dto=None,
    status_code=200,
    summary="Settle uncertain places",
)
async def settle_places(
    request: Request[Reader, Any, Any],
    data: JSONBody[Settlement],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    atlas: NamedDependency[Atlas],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
) -> SettledAll:
    """Say where things count, or where one is; or, with `undo`, take back what was said last. Each is a correction of
    its own, with the reason: what is refused of one leaves the others settled, and a retry gets the first answers."""
    language = problem_details.language(request)
    done = await uncertain_places.settle(conn, atlas, reader, data, clock(), ring)
    return SettledAll(
        [
            SettledTold(id=one.id, status="settled", version=one.version)
            if one.refusal is None
            else SettledTold(id=one.id, status="refused", problem=problem_details.of(one.refusal, language))
            for one in done
        ]
    )


ROUTES = [list_places, settle_places]

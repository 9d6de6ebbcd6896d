"""Saved views over HTTP: lists that somebody opens again, by a name of theirs."""

from uuid import UUID

import asyncpg
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Struct

from api.auth import Clock
from api.json_bodies import JsonBody, Nothing
from surveys.desk import saved_views
from surveys.desk.saved_views import View, ViewChange, ViewDraft
from surveys.people.people import Reader


class Views(Struct, frozen=True):
    """The views that a reader has: their own in their order, then those shared with them."""

    items: list[View]


@get("/api/views", summary="List saved views")
async def list_views(conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]) -> Views:
    """One's own saved views, and those that are shared with one's organisation or role."""
    return Views(await saved_views.of_reader(conn, reader))


@post("/api/views", dto=JsonBody[ViewDraft], return_dto=None, status_code=201, summary="Save a view")
async def save_view(
    data: JSONBody[ViewDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> View:
    """Save the address of a list under a name, for oneself or shared; a retry gets its first answer."""
    return await saved_views.save(conn, reader, data, clock())


@post(
    "/api/views/{view:uuid}/changes",
    dto=JsonBody[ViewChange],
    return_dto=None,
    status_code=200,
    summary="Change a saved view",
)
async def change_view(
    data: JSONBody[ViewChange],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    view: FromPath[UUID],
) -> View:
    """Rename one's own view, let it lead elsewhere, share it or not, or put it in another place."""
    return await saved_views.change(conn, reader, view, data, clock())


@post(
    "/api/views/{view:uuid}/removal",
    dto=JsonBody[Nothing],
    return_dto=None,
    status_code=204,
    summary="Delete a saved view",
)
async def remove_view(
    data: JSONBody[Nothing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    view: FromPath[UUID],
) -> None:
    """Forget one's own view; nobody has it any more."""
    await saved_views.delete(conn, reader, view)


ROUTES = [list_views, save_view, change_view, remove_view]

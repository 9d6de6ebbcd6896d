"""Categories and the rules of handling over HTTP: read by those who work with them, changed by administrators."""

import asyncpg
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Struct

from api.auth import Clock
from api.json_bodies import JsonBody
from surveys.issues import category_lists, judgements
from surveys.issues.categories import Stored
from surveys.issues.category_lists import CategoryChange, CategoryShown
from surveys.issues.judgements import Bounds, BoundsDraft
from surveys.people.people import READING, Reader


class Categories(Struct, frozen=True):
    """A district's categories, each group before its own."""

    items: list[CategoryShown]


@get("/api/categories", summary="List categories")
async def list_categories(conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]) -> Categories:
    """What an issue can be about, with the limits that hold now and all that held."""
    return Categories(await category_lists.tree(conn, reader))


@post(
    "/api/categories",
    dto=JsonBody[CategoryChange],
    return_dto=None,
    status_code=200,
    summary="Add or change a category",
)
async def change_category(
    data: JSONBody[CategoryChange],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> Stored:
    """Add a category, rename or move it, give it other limits from now on, retire it or take it up again. Issues that
    were reported before keep their limits."""
    return await category_lists.change(conn, reader, data, clock())


@get("/api/handling-rules", summary="Bounds of extensions and pauses")
async def read_handling_rules(conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]) -> Bounds:
    """How far limits may be moved, how long a pause lasts at most, and how long departments may think."""
    reader.require(*READING)
    return await judgements.bounds(conn, reader.district)


@put("/api/handling-rules", dto=JsonBody[BoundsDraft], return_dto=None, summary="Change the bounds")
async def change_handling_rules(
    data: JSONBody[BoundsDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> Bounds:
    """Let other bounds hold from now on; what was granted before stays."""
    return await judgements.change_bounds(conn, reader, data, clock())


ROUTES = [list_categories, change_category, read_handling_rules, change_handling_rules]

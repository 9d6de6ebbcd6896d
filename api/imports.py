"""Imports through a page: a list is looked at first, and then taken over."""

import tempfile
from pathlib import Path
from typing import Annotated, Any

import asyncpg
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from api import list_imports, problem_details
from api.auth import Clock
from api.documented_problems import REFUSES
from api.issues import refuse_unfit
from api.limits import TAKES_ITS_TIME
from api.list_imports import KINDS, Asked, Kind, Looked, UnknownColumn
from api.premises import LARGEST_LIST, receive
from surveys.history import Actor
from surveys.people.people import Reader
from surveys.privacy.sealing import KeyRing
from surveys.refusals import NotFound


@post(
    "/api/imports/{kind:str}",
    status_code=200,
    request_max_body_size=LARGEST_LIST,
    summary="Look at a list, or take it over",
    opt={TAKES_ITS_TIME: True, REFUSES: (408, 409, 413, 422)},
)
async def import_list(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    ring: NamedDependency[KeyRing],
    clock: NamedDependency[Clock],
    kind: FromPath[str],
    map_: Annotated[
        list[str] | None,
        QueryParameter(name="map", description="a column by its heading, as number=工号; number= leaves the field out"),
    ] = None,
    sheet: FromQuery[str | None] = None,
    digest: Annotated[
        str | None, QueryParameter(description="of the file as it was looked at; another is not taken over")
    ] = None,
    dry_run: FromQuery[bool] = True,
) -> Looked:
    """A list of members, volunteers, categories or holidays, CSV or XLSX, which is the body. Looked at, it shows its
    columns, its first rows as they would become, and what is wrong; taken over, the same list again changes nothing."""
    reader.require("administrator")
    refuse_unfit(request, ("map", "sheet", "digest", "dry_run", "lang"))
    asked = Asked(
        kind=_kind(kind),
        columns=_columns(map_ or []),
        sheet=sheet,
        digest=digest,
        dry_run=dry_run,
        actor=Actor("member", str(reader.member)),
    )
    language = problem_details.language(request)
    with tempfile.TemporaryDirectory(prefix="zoufang-list-") as folder:
        file = Path(folder) / "list"
        await receive(request, file)
        return await list_imports.look(conn, reader.district, ring, file, asked, clock(), language)


def _kind(given: str) -> Kind:
    for kind in KINDS:
        if kind == given:
            return kind
    raise NotFound


def _columns(given: list[str]) -> dict[str, str]:
    found = {}
    for one in given:
        field, equals, heading = one.partition("=")
        if not equals:
            raise UnknownColumn("map", given=one)
        found[field] = heading
    return found


ROUTES = [import_list]

"""The page of service windows: which there are, and adding, renaming and closing them by who looks after people."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID, uuid4

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from litestar.response import Template

from api import shell
from api.issues import refuse_unfit
from api.sign_in import NOT_KEPT
from surveys.assessments import windows
from surveys.people import organisations
from surveys.people.people import District, Reader

SHOWN = 100  # others are found by a part of their name


@get("/assessments/windows", include_in_schema=False)
async def windows_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    find: Annotated[str, QueryParameter(max_length=100)] = "",
    organisation: FromQuery[UUID | None] = None,
) -> Template:
    """The service windows of the district; of `organisation` one can be added."""
    refuse_unfit(request, ("find", "organisation", "lang"))
    reach = await windows.reach(conn, reader)
    keeps = reach is None or bool(reach)
    context = {
        **shell.context(request, reader, district, here="assessments"),
        "page": await windows.page(conn, reader, find.strip(), SHOWN),
        "find": find.strip(),
        "keeps": keeps,
        "may_change": lambda window: reach is None or window.organisation in reach,
        "uuid": uuid4,
        **(await _to_add(conn, reader, organisation) if keeps else {}),
    }
    return Template("assessments/windows.html", context=context, headers=dict(NOT_KEPT))


async def _to_add(conn: asyncpg.Connection, reader: Reader, organisation: UUID | None) -> Mapping[str, Any]:
    """Whose window may be added, and, once an organisation is chosen, who may answer for it."""
    tree = await organisations.tree(conn, reader)
    if organisation is None:
        return {"organisations": tree, "chosen": None}
    people = await windows.answerable(conn, reader, organisation)
    chosen = next(one for one in tree if one.id == organisation)
    return {"organisations": tree, "chosen": chosen, "answerable": people}


ROUTES = [windows_page]

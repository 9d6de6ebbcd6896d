"""Members whom a visit may name, over HTTP."""

from typing import Annotated

import asyncpg
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from surveys.people.people import Reader
from surveys.visits import colleagues
from surveys.visits.colleagues import Colleagues


@get("/api/colleagues", summary="Members whom a visit may name")
async def find_colleagues(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    text: FromQuery[str],
    everywhere: Annotated[bool, QueryParameter(name="all")] = False,
) -> Colleagues:
    """At most 20 members by part of a name or number: those of one's own organisation, or with `all` those of the whole
    district, for who types in paper records."""
    return await colleagues.found(conn, reader, text, everywhere=everywhere)


ROUTES = [find_colleagues]

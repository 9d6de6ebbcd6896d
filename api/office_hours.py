"""Office hours over HTTP: when a district works, and so how its limits count."""

import asyncpg
from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import JSONBody

from api.auth import Clock
from api.json_bodies import JsonBody
from surveys.clock import office_hours
from surveys.clock.office_hours import OfficeHoursDraft, OfficeHoursTold
from surveys.people.people import District, Reader


@get("/api/office-hours", summary="Office hours")
async def read_office_hours(
    conn: NamedDependency[asyncpg.Connection], district: NamedDependency[District], clock: NamedDependency[Clock]
) -> OfficeHoursTold:
    """The district's office hours today, and those that are going to hold, for anybody who has signed in."""
    return await office_hours.read(conn, district, clock())


@put("/api/office-hours", dto=JsonBody[OfficeHoursDraft], return_dto=None, summary="Change the office hours")
async def change_office_hours(
    data: JSONBody[OfficeHoursDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> OfficeHoursTold:
    """Let other office hours hold from a coming day on. Limits of issues reported before keep their due times."""
    return await office_hours.change(conn, reader, district, data, clock())


ROUTES = [read_office_hours, change_office_hours]

"""Services over HTTP: listed, announced, changed, cancelled, ticked, reported and confirmed."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta, Struct

from api.auth import Clock
from api.documented_problems import REFUSES
from api.issues import refuse_unfit
from api.json_bodies import JsonBody
from maps.locator import Atlas
from surveys.people.people import District, Reader
from surveys.refusals import InvalidFilter
from surveys.volunteering import service_lists, service_reports, service_volunteers, services
from surveys.volunteering.service_lists import ServiceDetail, ServiceFilters, ServicePage, Stands
from surveys.volunteering.service_reports import Attendance, Confirmation, Report
from surveys.volunteering.service_rows import ServiceKind
from surveys.volunteering.services import Alteration, Announcement, Cancellation, ServiceNow

FILTERS = frozenset({"stands", "team", "kind", "community", "from", "to", "limit", "cursor", "total", "lang"})
SERVICE = "/api/volunteering/services/{service:uuid}"


def day(text: date | None, zone: ZoneInfo, after: int = 0) -> datetime | None:
    """The beginning of a day in the district, or of one so many days later. Raises InvalidFilter."""
    try:
        return None if text is None else datetime.combine(text + timedelta(days=after), time(), zone)
    except OverflowError:
        raise InvalidFilter("to", expected="YYYY-MM-DD") from None


@get("/api/volunteering/services", summary="List services")
async def list_services(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    stands: Annotated[
        Stands, QueryParameter(description="to come, over and to be reported or confirmed, held, or cancelled")
    ] = "to_come",
    team: FromQuery[list[UUID] | None] = None,
    kind: FromQuery[list[ServiceKind] | None] = None,
    community: Annotated[list[str] | None, QueryParameter(description="codes of communities")] = None,
    from_: Annotated[date | None, QueryParameter(name="from", description="ending on this day or later")] = None,
    to: Annotated[date | None, QueryParameter(description="ending on this day or earlier")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    cursor: FromQuery[str | None] = None,
    total: FromQuery[bool] = True,
) -> ServicePage:
    """Services by where they stand: those to come soonest first, others latest first. All who read see them."""
    refuse_unfit(request, FILTERS)
    filters = ServiceFilters(
        stands=stands,
        team=tuple(team or ()),
        kind=tuple(kind or ()),
        community=tuple(community or ()),
        since=day(from_, district.zone),
        until=day(to, district.zone, 1),
    )
    return await service_lists.page(conn, reader, filters, clock(), limit=limit, cursor=cursor, total=total)


@get(SERVICE, summary="One service")
async def one_service(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    service: FromPath[UUID],
) -> ServiceDetail:
    """One service with its texts. Who serves is named to who looks after the team; bookings are shown to them, to who
    serves there, and to the desk. `may` says what the reader can do."""
    return await service_lists.one(conn, reader, service, clock())


@post(
    "/api/volunteering/services",
    opt={REFUSES: (404, 409)},
    dto=JsonBody[Announcement],
    return_dto=None,
    status_code=201,
    summary="Announce a service",
)
async def announce_service(
    data: JSONBody[Announcement],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    atlas: NamedDependency[Atlas],
    clock: NamedDependency[Clock],
) -> ServiceNow:
    """Announce what a team that the reader looks after is going to do; a retry gets its first answer."""
    return await services.announce(conn, atlas, reader, data, clock())


@post(
    SERVICE + "/changes",
    dto=JsonBody[Alteration],
    return_dto=None,
    status_code=200,
    summary="Change a service",
)
async def change_service(
    data: JSONBody[Alteration],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    atlas: NamedDependency[Atlas],
    clock: NamedDependency[Clock],
    service: FromPath[UUID],
) -> ServiceNow:
    """Change a service that has not begun; what is left out stays. There are never fewer places than are taken; where
    there are more, who waits moves up. A retry gets its first answer."""
    return await services.alter(conn, atlas, reader, service, data, clock())


@post(
    SERVICE + "/cancellation",
    dto=JsonBody[Cancellation],
    return_dto=None,
    status_code=200,
    summary="Cancel a service",
)
async def cancel_service(
    data: JSONBody[Cancellation],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    service: FromPath[UUID],
) -> ServiceNow:
    """Cancel a service that has not begun, with the reason for all who booked. A retry gets its first answer."""
    return await services.cancel(conn, reader, service, data, clock())


class WhoServes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Volunteers, by id, who are to serve, and who are not to after all."""

    joining: Annotated[tuple[UUID, ...], Meta(max_length=200)] = ()
    leaving: Annotated[tuple[UUID, ...], Meta(max_length=200)] = ()


@post(
    SERVICE + "/volunteers",
    dto=JsonBody[WhoServes],
    return_dto=None,
    status_code=204,
    summary="Say who serves",
)
async def name_volunteers(
    data: JSONBody[WhoServes],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    service: FromPath[UUID],
) -> None:
    """Let volunteers serve at a service, or not after all; whoever does already, or does not, stays so."""
    await service_volunteers.name(conn, reader, service, data.joining, data.leaving, clock())


@post(
    SERVICE + "/attendance",
    dto=JsonBody[Attendance],
    return_dto=None,
    status_code=200,
    summary="Tick who came",
)
async def tick_attendance(
    data: JSONBody[Attendance],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    service: FromPath[UUID],
) -> ServiceNow:
    """Tick which bookings came, and which did not, from the day before a service on until its report is confirmed."""
    return await service_reports.attend(conn, reader, service, data, clock())


@post(
    SERVICE + "/report",
    dto=JsonBody[Report],
    return_dto=None,
    status_code=200,
    summary="Report a service",
)
async def report_service(
    data: JSONBody[Report],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    service: FromPath[UUID],
) -> ServiceNow:
    """Write down how a service went, by who looks after its team or serves there: what was done, how many were helped,
    who came, who served from when to when, and which photos are to come. It can be written anew until it is confirmed;
    a retry gets its first answer."""
    return await service_reports.report(conn, reader, service, data, clock())


@post(
    SERVICE + "/confirmation",
    dto=JsonBody[Confirmation],
    return_dto=None,
    status_code=200,
    summary="Confirm a report of a service",
)
async def confirm_service(
    data: JSONBody[Confirmation],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    service: FromPath[UUID],
) -> ServiceNow:
    """Say that a report is right: the volunteers earn their time, and who came is asked how it was. A retry gets its
    first answer."""
    return await service_reports.confirm(conn, reader, service, data, clock())


ROUTES = [
    list_services,
    one_service,
    announce_service,
    change_service,
    cancel_service,
    name_volunteers,
    tick_attendance,
    report_service,
    confirm_service,
]

"""Doors over HTTP: listed, read, added, changed, shown as points, and brought by a list."""

import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import asyncpg
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from api import premises_files, problem_details
from api.auth import Clock
from api.documented_problems import REFUSES
from api.issues import ME, refuse_unfit
from api.json_bodies import JsonBody
from api.limits import TAKES_ITS_TIME
from api.premises_files import ListUnusable, Reports
from api.premises_reports import Report, ReportLine
from api.tables import UnusableTable
from maps.coordinates import System
from maps.locator import Atlas
from surveys.counting import issue_query
from surveys.history import Actor
from surveys.ledgers.ledger_mapping import Table, UnusableMapping
from surveys.people.people import Reader
from surveys.premises import premises_changes, premises_lists
from surveys.premises.premises import PremisesKind, PremisesState
from surveys.premises.premises_changes import DoorChange, DoorNow, NewDoor
from surveys.premises.premises_imports import Counts
from surveys.premises.premises_lists import DoorDetail, DoorFilters, DoorPage
from surveys.premises.premises_mapping import Defaults, PremisesMapping
from surveys.refusals import InvalidFilter

BESIDE_FILTERS = frozenset({"limit", "cursor", "total", "lang"})
LARGEST_LIST = 20 * 1024 * 1024  # bytes of a list that comes through a page
MOST_ROWS = 20_000  # of it; the command takes any number
TOGETHER = 500  # rows after which others have their turn
MOST_LINES = 300  # of a report that are shown; all are in its file


async def door_filters(
    request: Request[Reader, Any, Any],
    community: Annotated[
        list[str] | None, QueryParameter(description="codes of communities; `none` for what is in none")
    ] = None,
    street: FromQuery[list[str] | None] = None,
    kind: FromQuery[list[PremisesKind] | None] = None,
    state_: Annotated[list[PremisesState] | None, QueryParameter(name="state")] = None,
    text: Annotated[
        str | None, QueryParameter(description="in name or address, two characters suffice; or a whole code")
    ] = None,
    bbox: FromQuery[str | None] = None,
    placed: FromQuery[Literal["yes", "no"] | None] = None,
    campaign: Annotated[str | None, QueryParameter(description="given out in this campaign")] = None,
    holder: Annotated[
        str | None, QueryParameter(description="given out to this member, by id; `me` for who asks")
    ] = None,
) -> DoorFilters:
    """The filters of a list of doors. Raises Invalid for one that does not fit, or that is not one."""
    refuse_unfit(request, BESIDE_FILTERS.union(DoorFilters.__struct_fields__))
    return DoorFilters(
        community=tuple(community or ()),
        street=tuple(street or ()),
        kind=tuple(kind or ()),
        state=tuple(state_ or ()),
        text=text,
        bbox=issue_query.box(bbox) if bbox is not None else None,
        placed=None if placed is None else placed == "yes",
        campaign=campaign,
        holder=_holder(request, holder),
    )


def _holder(request: Request[Reader, Any, Any], given: str | None) -> UUID | None:
    try:
        return None if given is None else request.user.member if given == ME else UUID(given)
    except ValueError:
        raise InvalidFilter("holder", expected="me, or a member's id") from None


@get("/api/premises", summary="List doors")
async def list_premises(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    door_filters: NamedDependency[DoorFilters],
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    cursor: FromQuery[str | None] = None,
    total: FromQuery[bool] = True,
) -> DoorPage:
    """The doors that the reader may see, those that came last first."""
    return await premises_lists.page(conn, reader, door_filters, clock(), limit=limit, cursor=cursor, total=total)


@get("/api/premises/{door:uuid}", summary="One door")
async def one_premises(
    conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader], door: FromPath[UUID]
) -> DoorDetail:
    """One door, with its visits as far as the reader sees them, who has it, what may be the same door, and its
    history."""
    return await premises_lists.one(conn, reader, door)


@post("/api/premises", dto=JsonBody[NewDoor], return_dto=None, status_code=201, summary="Add a door")
async def add_premises(
    data: JSONBody[NewDoor],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    atlas: NamedDependency[Atlas],
    clock: NamedDependency[Clock],
) -> DoorNow:
    """Put a door on the register; a retry gets its first answer. `doubles` are doors that may be the same."""
    return await premises_changes.add(conn, atlas, reader, data, clock())


@post(
    "/api/premises/{door:uuid}/changes",
    dto=JsonBody[DoorChange],
    return_dto=None,
    status_code=200,
    summary="Change a door",
)
async def change_premises(
    data: JSONBody[DoorChange],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    atlas: NamedDependency[Atlas],
    clock: NamedDependency[Clock],
    door: FromPath[UUID],
) -> DoorNow:
    """Confirm a door, correct it, mark it gone, or merge it into another; a retry gets its first answer."""
    return await premises_changes.change(conn, atlas, reader, door, data, clock())


class ListTaken(Struct, frozen=True, kw_only=True):
    """What became of a list: how many rows, what of it was left out because residents' names stand there, what to look
    at, and all of that as the text of a CSV file."""

    dry_run: bool
    counts: Counts
    left_out: list[str]
    lines: list[ReportLine]
    more: int  # lines that are in the report alone
    report: str


@post(
    "/api/premises/imports",
    status_code=200,
    request_max_body_size=LARGEST_LIST,
    summary="Put a list of doors on the register",
    opt={TAKES_ITS_TIME: True, REFUSES: (408, 413, 422)},
)
async def import_premises(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    atlas: NamedDependency[Atlas],
    clock: NamedDependency[Clock],
    kind: FromQuery[PremisesKind | None] = None,
    system: FromQuery[System] = "wgs84",
    sheet: FromQuery[str | None] = None,
    dry_run: FromQuery[bool] = False,
) -> ListTaken:
    """Put the doors of a list, CSV, XLSX or GeoJSON, which is the body, on the register: all of it or nothing. `kind`
    is for rows that tell none, `system` for positions that do not tell theirs."""
    reader.require("administrator")
    refuse_unfit(request, ("kind", "system", "sheet", "dry_run", "lang"))
    mapping = PremisesMapping(table=Table(sheet=sheet), defaults=Defaults(kind=kind, system=system))
    with tempfile.TemporaryDirectory(prefix="zoufang-list-") as folder:
        file = Path(folder) / "list"
        await receive(request, file)
        return await _taken(request, conn, atlas, file, mapping, clock, dry_run=dry_run)


async def receive(request: Request[Reader, Any, Any], file: Path) -> None:
    """The body of a request as a file, at most as large as lists may be."""
    size = 0
    with file.open("wb") as opened:
        async for chunk in request.stream():
            size += len(chunk)
            if size > LARGEST_LIST:
                raise HTTPException(status_code=413)
            opened.write(chunk)


class _OnlyTried(Exception):
    """A dry run is over, and what it wrote is undone."""


async def _taken(
    request: Request[Reader, Any, Any],
    conn: asyncpg.Connection,
    atlas: Atlas,
    file: Path,
    mapping: PremisesMapping,
    clock: Clock,
    *,
    dry_run: bool,
) -> ListTaken:
    report, language = Report(), problem_details.language(request)
    taken = premises_files.Taken(Counts(), ())
    told = Reports(reject=report.reject, note=report.note)
    actor = Actor("member", str(request.user.member))
    try:
        opened = premises_files.open_list(file, mapping)
        report.leave_out(opened.columns.residents)
        async with conn.transaction():
            taken = await premises_files.take_over(
                conn, opened, request.user.district, atlas, actor, clock(), told, together=TOGETHER, most=MOST_ROWS
            )
            if dry_run:
                raise _OnlyTried
    except _OnlyTried:
        pass
    except (UnusableTable, UnusableMapping) as error:
        raise ListUnusable.of(error, language) from None
    lines = [line.told(language) for line in report.lines[:MOST_LINES]]
    return ListTaken(
        dry_run=dry_run,
        counts=taken.counts,
        left_out=list(taken.left_out),
        lines=lines,
        more=len(report.lines) - len(lines),
        report=report.csv(language) if report.lines else "",
    )


ROUTES = [
    list_premises,
    one_premises,
    add_premises,
    change_premises,
    import_premises,
]

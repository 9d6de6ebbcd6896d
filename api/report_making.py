"""Briefs made by the program: put down every Monday and on the first of each month, or when somebody asks, and made
one place after another; what is broken off goes on where it was."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import structlog

from api import job_queue, printed_pages
from api.auth import Clock
from api.errands import Errand, NotDone, Office
from api.job_queue import Ticket
from api.printed_pages import PrintError
from surveys.history import Actor
from surveys.people import people
from surveys.people.people import District
from surveys.refusals import NotFound
from surveys.reports import report_makings, report_sources
from surveys.reports.report_makings import JOB, Making
from surveys.reports.report_periods import named
from surveys.reports.reports import Scope

log = structlog.get_logger()

NAME = "make_reports"
AT_ONE_READING = 200  # briefs that are made of one reading of the sources


async def schedule(conn: asyncpg.Connection, district: District, now: datetime) -> int:
    """Put down what the calendar wants, and queue its making, in the transaction that is open; how many were new."""
    new = await report_makings.schedule(conn, district, now)
    await queue(conn, district.district, new)
    return len(new)


async def queue(conn: asyncpg.Connection, district: int, makings: Sequence[UUID]) -> None:
    """Have makings worked at, in the transaction that is open."""
    await job_queue.put(conn, NAME, [Ticket(district, making) for making in makings])


async def run(office: Office, district: int, making: UUID, last: bool) -> None:
    """Make what is lacking. Raises NotDone where a name cannot be printed."""
    async with office.connected() as conn:
        found = await people.district(conn, district)
        if found is None or not await report_makings.resume(conn, district, making):
            return  # cancelled, or done
        await make(conn, found, making, office.settings.font, office.clock)


async def make(
    conn: asyncpg.Connection, district: District, id_: UUID, font: Path | None, clock: Clock, by: Actor = JOB
) -> None:
    """Make the briefs of a making. Raises NotDone."""
    making = await report_makings.one(conn, district.district, id_)
    places = await report_sources.places_of(conn, district.district)
    try:
        wanted = _wanted(district, places, making)
        names = await report_sources.names(conn, district.district)
        await asyncio.to_thread(_refuse_missing_glyphs, font, names)
    except PrintError as error:
        await report_makings.end(conn, district.district, id_, clock(), problem="font", facts={"reason": str(error)})
        raise NotDone("font") from None
    except NotFound:
        await report_makings.end(conn, district.district, id_, clock(), problem="no_such_place")
        return
    await report_makings.begin(conn, district.district, id_, len(wanted))
    while lacking := await report_makings.lacking(conn, district.district, id_, wanted):
        if not await _some(conn, district, making, lacking[:AT_ONE_READING], clock, by):
            return
    await report_makings.end(conn, district.district, id_, clock())


def _wanted(district: District, places: Mapping[str, report_sources.Place], making: Making) -> list[Scope]:
    if making.scope_kind is None or making.scope is None:
        return report_sources.scopes(district, places)
    return [report_sources.scope_of(places, district, making.scope_kind, making.scope)]


def _refuse_missing_glyphs(font: Path | None, names: Mapping[str, str]) -> None:
    printed_pages.refuse_missing_glyphs(printed_pages.font(font), names)


async def _some(
    conn: asyncpg.Connection, district: District, making: Making, scopes: Sequence[Scope], clock: Clock, by: Actor
) -> bool:
    """Make the briefs of some places, of one reading of the sources; whether the making goes on."""
    whole = scopes[0] if making.scope_kind is not None else None
    async with conn.transaction():
        sources = await report_sources.gathered(conn, district, named(making.period), making.asked_at, whole)
    for scope in scopes:
        async with conn.transaction():
            if not await report_makings.make(conn, sources, making, scope, clock(), by):
                log.info("reports_broken_off", district=district.district, making=str(making.id))
                return False
    return True


ERRAND = Errand(
    name=NAME,
    waits=(timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1)),
    run=run,
    long=True,
)

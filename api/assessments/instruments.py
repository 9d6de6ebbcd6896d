"""Instruments over HTTP: published from a spreadsheet by an administrator, read by everybody who works here, and taken
along as a workbook."""

from typing import Annotated, Any

import asyncpg
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from api import database, instrument_files, problem_details
from api.assessments import instrument_words, shipped_instruments
from api.auth import Clock
from api.documented_problems import REFUSES
from api.issues import refuse_unfit
from api.limits import TAKES_ITS_TIME
from api.questionnaires import LARGEST_BODY, PRIVATE, XLSX
from surveys.assessments import instruments
from surveys.assessments.instrument_faults import InstrumentUnusable
from surveys.assessments.instruments import Instrument, Published
from surveys.history import Actor
from surveys.people.people import Reader
from surveys.refusals import Conflict


class Listed(Struct, frozen=True):
    """The instruments of the district, by their ids, the newest version of each first."""

    items: list[instruments.Listed]


class OtherThanShown(Conflict):
    """The file says something else than what was looked at before."""

    code = "other_than_shown"


class Installed(Struct, frozen=True):
    """What became of the instruments that the product brings along."""

    items: list[Published]


@get("/api/assessments/instruments", summary="List scorecards", opt={REFUSES: (422,)})
async def list_instruments(
    request: Request[Reader, Any, Any], conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]
) -> Listed:
    """The scorecards in all their versions."""
    refuse_unfit(request, ("lang",))
    return Listed(await instruments.every(conn, reader))


@post(
    "/api/assessments/instruments",
    status_code=201,
    request_max_body_size=LARGEST_BODY,
    summary="Publish a scorecard",
    opt={REFUSES: (408, 409, 413, 422), TAKES_ITS_TIME: True},
    responses={200: ResponseSpec(Published, description="It was published before")},
)
async def publish_instrument(
    request: Request[Reader, Any, Any],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    digest: Annotated[
        str | None, QueryParameter(max_length=64, description="SHA-256 that was shown; else the file is refused")
    ] = None,
) -> Response[Published]:
    """Publish the scorecard in the workbook (.xlsx) or CSV that is the body. The same content again changes nothing;
    other content under a version that exists is refused. What is wrong is told all at once, by sheet, row and
    column."""
    refuse_unfit(request, ("digest", "lang"))
    reader.require("administrator")
    instrument = await in_body(request)
    if digest is not None and instrument.digest().hex() != digest:
        raise OtherThanShown("digest", given=digest)
    async with database.acquired(request.app.state.pool) as conn, conn.transaction():
        actor = Actor("member", str(reader.member))
        done = await instruments.publish(conn, reader.district, instrument, actor, clock(), member=reader.member)
    return Response(done, status_code=201 if done.status == "published" else 200)


async def in_body(request: Request[Reader, Any, Any]) -> Instrument:
    """The scorecard in the file that is the body. Raises InstrumentUnusable in the reader's words."""
    try:
        instrument: Instrument = await request.app.state.instrument_maker.make(await request.body())
    except InstrumentUnusable as refusal:
        raise instrument_words.in_words(refusal, problem_details.language(request)) from None
    return instrument


@get(
    "/api/assessments/instruments/{instrument:str}/versions/{version:str}",
    summary="One version of a scorecard",
    opt={REFUSES: (404,)},
)
async def one_version(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    instrument: FromPath[str],
    version: FromPath[str],
) -> Instrument:
    """A version with its headings, items, rater groups, stars and rules."""
    instruments.refuse_who_reads_nothing(reader)
    return await instruments.of_version(conn, reader.district, instrument, version)


@get(
    "/api/assessments/instruments/{instrument:str}/versions/{version:str}/workbook",
    summary="A scorecard as XLSX",
    opt={REFUSES: (404,)},
    responses={200: ResponseSpec(bytes, generate_examples=False, description="The file", media_type=XLSX)},
)
async def workbook(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    instrument: FromPath[str],
    version: FromPath[str],
) -> Response[bytes]:
    """The workbook from which it can be published again; changed, it is brought back under its next version."""
    instruments.refuse_who_reads_nothing(reader)
    found = await instruments.of_version(conn, reader.district, instrument, version)
    headers = PRIVATE | {
        "Content-Disposition": f'attachment; filename="{found.id}-{found.version}.xlsx"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(instrument_files.write(found), media_type=XLSX, headers=headers)


@post(
    "/api/assessments/instruments/shipped",
    status_code=200,
    summary="Publish the scorecards that the product brings along",
    opt={TAKES_ITS_TIME: True},
)
async def install_shipped(
    conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader], clock: NamedDependency[Clock]
) -> Installed:
    """Publish those that are not published yet: for township, street and other organisations, for members, and for
    service windows."""
    reader.require("administrator")
    actor = Actor("member", str(reader.member))
    return Installed(await shipped_instruments.install(conn, reader.district, actor, clock(), reader.member))


ROUTES = [list_instruments, publish_instrument, install_shipped, one_version, workbook]

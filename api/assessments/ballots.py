"""Ballots over HTTP: for who holds them, and for the members on their roll; slips are taken in `ballot_entrance`."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from api import card_making, printed_pages
from api.assessments import slip_sheets
from api.assessments.slip_sheets import Sheet
from api.auth import Clock
from api.cards import PDF, Unprintable
from api.issues import refuse_unfit
from api.json_bodies import JsonBody
from api.limits import TAKES_ITS_TIME
from api.logs import NO_ADDRESS
from api.printed_pages import PrintError
from api.settings import Settings
from surveys.assessments import ballot_changes, ballot_votes, ballots
from surveys.assessments.ballot_changes import Changed
from surveys.assessments.ballot_results import CombinedScore
from surveys.assessments.ballot_terms import BallotDraft, BallotMove, Enrolment, Handing, Printing, Vote
from surveys.assessments.ballot_votes import Form, Voted
from surveys.assessments.ballots import BallotDetail, BallotPage, BallotResult, Voter
from surveys.people.people import District, Reader
from surveys.privacy.sealing import KeyRing
from surveys.refusals import InvalidFilter

PATH = "/api/assessments/ballots"
ONE = PATH + "/{ballot:uuid}"
MOST_COMBINED = 10


@get(PATH, summary="Ballots", operation_id="ListBallots")
async def list_ballots(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    cursor: FromQuery[str | None] = None,
) -> BallotPage:
    """The ballots that one holds, votes in, or reads since they were published; the latest to close first."""
    refuse_unfit(request, ("limit", "cursor", "lang"))
    return await ballots.page(conn, reader, clock(), limit=limit, cursor=cursor)


@post(
    PATH,
    dto=JsonBody[BallotDraft],
    return_dto=None,
    status_code=201,
    summary="Make a ballot",
    operation_id="MakeBallot",
)
async def make_ballot(
    data: JSONBody[BallotDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
) -> Changed:
    """Make a ballot for an organisation that one looks after; what it asks is fixed from then on."""
    return await ballot_changes.make(conn, ring, reader, data, clock())


@get(PATH + "/combined", summary="Results of several ballots together", operation_id="CombineBallots")
async def combine_ballots(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    ballot: Annotated[list[UUID], QueryParameter(name="ballot")],
    weight: Annotated[list[int], QueryParameter(name="weight")],
) -> list[CombinedScore]:
    """The scores of several ballots, each with its weight, by those judged in them; the best first."""
    refuse_unfit(request, ("ballot", "weight", "lang"))
    if len(ballot) != len(weight) or not 1 <= len(ballot) <= MOST_COMBINED or len(set(ballot)) < len(ballot):
        raise InvalidFilter("ballot")
    if any(not 1 <= one <= 100 for one in weight):
        raise InvalidFilter("weight")
    return await ballots.combine(conn, reader, dict(zip(ballot, weight, strict=True)), clock())


@get(ONE, summary="One ballot", operation_id="ShowBallot")
async def show_ballot(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    ballot: FromPath[UUID],
) -> BallotDetail:
    """A ballot for who holds it: what it asks, and how many have voted; before it is counted nothing else."""
    return await ballots.one(conn, reader, ballot, clock())


class Roll(Struct, frozen=True):
    """Who is on the roll, and whether they have voted or were handed a slip."""

    items: list[Voter]


@get(ONE + "/roll", summary="Roll of a ballot", operation_id="ShowBallotRoll")
async def show_roll(
    conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader], ballot: FromPath[UUID]
) -> Roll:
    """Who votes in a ballot and has; never what."""
    return Roll(await ballots.roll(conn, reader, ballot))


class Enrolled(Struct, frozen=True):
    """How many were put on the roll."""

    count: int


@post(
    ONE + "/roll",
    dto=JsonBody[Enrolment],
    return_dto=None,
    status_code=201,
    summary="Put members on the roll of a ballot",
    operation_id="EnrolVoters",
)
async def enrol_voters(
    data: JSONBody[Enrolment],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    ballot: FromPath[UUID],
) -> Enrolled:
    """Put members on the roll of a group by their numbers, or all of an organisation."""
    return Enrolled(await ballot_changes.enrol(conn, reader, ballot, data, clock()))


@post(
    ONE + "/handed",
    dto=JsonBody[Handing],
    return_dto=None,
    status_code=204,
    summary="Mark that a slip was handed out",
    operation_id="HandSlip",
)
async def hand_slip(
    data: JSONBody[Handing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    ballot: FromPath[UUID],
) -> None:
    """Mark that a member of the roll was handed a slip; which one, is written nowhere."""
    await ballot_changes.hand(conn, reader, ballot, data, clock())


@post(
    ONE + "/slips",
    dto=JsonBody[Printing],
    return_dto=None,
    status_code=201,
    media_type=PDF,
    responses={201: ResponseSpec(bytes, media_type=PDF, description="Sheets of ten slips")},
    summary="Print voting slips",
    operation_id="PrintSlips",
    opt={TAKES_ITS_TIME: True},
)
async def print_slips(
    data: JSONBody[Printing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    settings: NamedDependency[Settings],
    ballot: FromPath[UUID],
) -> Response[bytes]:
    """Make voting slips and print them. Their codes stand in this answer and nowhere else."""
    row, codes = await ballot_changes.print_slips(conn, reader, ballot, data, clock())
    address = card_making.page_address(settings).removesuffix("/card") + slip_sheets.PAGE
    words = await ballots.words_of(conn, row)
    sheet = Sheet(
        address=address,
        district=words.district,
        title=words.title,
        group=words.groups.get(data.group, data.group),
        closes=row.closes_at.astimezone(district.zone).strftime("%Y-%m-%d %H:%M"),
    )
    headers = {"Cache-Control": "no-store", "Content-Disposition": 'attachment; filename="slips.pdf"'}
    return Response(await _printed(settings, sheet, codes), status_code=201, media_type=PDF, headers=headers)


async def _printed(settings: Settings, sheet: Sheet, codes: Sequence[str]) -> bytes:
    try:
        slip_sheets.refuse_missing_glyphs(printed_pages.font(settings.font), sheet)
        jobs = [slip_sheets.job(settings.font, sheet, codes)]
        async with aclosing(printed_pages.printed("slips", jobs, lambda what, done, of: None)) as made:
            return await anext(made)
    except PrintError as error:
        raise Unprintable(None, reason=str(error)) from None


@post(
    ONE + "/moves",
    dto=JsonBody[BallotMove],
    return_dto=None,
    status_code=200,
    summary="Close, count, publish or cancel a ballot",
    operation_id="MoveBallot",
)
async def move_ballot(
    data: JSONBody[BallotMove],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
    ballot: FromPath[UUID],
) -> Changed:
    """Close a ballot before its time, count it once it is closed, publish its result, or cancel it."""
    return await ballot_changes.move(conn, ring, reader, ballot, data, clock())


@get(ONE + "/result", summary="Result of a ballot", operation_id="ShowBallotResult")
async def show_result(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    ballot: FromPath[UUID],
) -> BallotResult:
    """What came of a ballot and how, counted again from its boxes: for all members once it was published."""
    return await ballots.result_of(conn, reader, ballot, clock())


@get(ONE + "/form", summary="What a ballot asks", operation_id="ShowBallotForm", opt={NO_ADDRESS: True})
async def show_form(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    ballot: FromPath[UUID],
) -> Form:
    """The form for a member on the roll who has not voted yet."""
    return await ballot_votes.form_of_member(conn, reader, ballot, clock())


@post(
    ONE + "/votes",
    dto=JsonBody[Vote],
    return_dto=None,
    status_code=201,
    summary="Vote as a member",
    operation_id="VoteAsMember",
    opt={NO_ADDRESS: True},
)
async def vote(
    data: JSONBody[Vote],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    ring: NamedDependency[KeyRing],
    ballot: FromPath[UUID],
) -> Voted:
    """Cast the vote of a member on the roll. What was chosen is added to sums and kept nowhere else; who sends it again
    is told that they have voted."""
    return await ballot_votes.vote_as_member(conn, ring, reader, ballot, data, clock())


ROUTES = [
    list_ballots,
    make_ballot,
    combine_ballots,
    show_ballot,
    show_roll,
    enrol_voters,
    hand_slip,
    print_slips,
    move_ballot,
    show_result,
    show_form,
    vote,
]

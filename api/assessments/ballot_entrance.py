"""Where voting slips are taken, without sign-in: a code is shown in a body, never in an address, and nothing of it is
kept: no cookie, no log, no count by address but of codes that were wrong."""

from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from api import card_sessions, database, limits
from api.auth import PUBLIC, Clock
from api.documented_problems import REFUSES
from api.json_bodies import JsonBody
from api.limits import few_pages
from api.logs import NO_ADDRESS
from api.public_pages import page
from api.sign_in import NOT_KEPT
from surveys.assessments import ballot_votes
from surveys.assessments.ballot_terms import SlipShown, SlipUnknown, SlipVote
from surveys.assessments.ballot_votes import Form, Voted

Anybody = Request[Any, Any, Any]


@get("/ballot", opt={PUBLIC: True, NO_ADDRESS: True}, include_in_schema=False, guards=[few_pages])
async def ballot_page(request: Anybody) -> Response[str]:
    """The page on which a slip's code is scanned or typed, and its vote cast."""
    return page(request, "ballot.html", {})


@post(
    "/ballot/form",
    opt={PUBLIC: True, NO_ADDRESS: True, REFUSES: (403, 409)},
    dto=JsonBody[SlipShown],
    return_dto=None,
    status_code=200,
    summary="Show a voting slip",
    operation_id="ShowSlip",
    security=[],
    guards=[few_pages],
)
async def show_slip(request: Anybody, data: JSONBody[SlipShown], clock: NamedDependency[Clock]) -> Response[Form]:
    """What the ballot of a slip asks. Who tries many wrong codes has to wait."""
    card_sessions.refuse_foreign(request)
    async with database.acquired(request.app.state.pool) as conn:
        try:
            form = await ballot_votes.form_of_slip(conn, data.code, clock())
        except SlipUnknown:
            request.app.state.limits.refuse_over("sign_in", limits.address(request))
            raise
    return Response(form, headers=NOT_KEPT)


@post(
    "/ballot/votes",
    opt={PUBLIC: True, NO_ADDRESS: True, REFUSES: (403, 409)},
    dto=JsonBody[SlipVote],
    return_dto=None,
    status_code=201,
    summary="Vote with a slip",
    operation_id="VoteWithSlip",
    security=[],
    guards=[few_pages],
)
async def vote_with_slip(request: Anybody, data: JSONBody[SlipVote], clock: NamedDependency[Clock]) -> Response[Voted]:
    """Cast the vote of a slip, which is used from then on: who sends it again is told that it is counted."""
    card_sessions.refuse_foreign(request)
    state = request.app.state
    async with database.acquired(state.pool) as conn, conn.transaction():
        try:
            voted = await ballot_votes.vote_with_slip(conn, state.ring, data, clock())
        except SlipUnknown:
            state.limits.refuse_over("sign_in", limits.address(request))
            raise
    return Response(voted, status_code=201, headers=NOT_KEPT)


ROUTES = [ballot_page, show_slip, vote_with_slip]

"""Assignments over HTTP: who has which doors in a campaign, given by hand or as the program proposes it."""

from typing import Annotated, Any
from uuid import UUID

import asyncpg
from litestar import Request, Response, get, post
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from api.auth import Clock
from api.issues import refuse_unfit
from api.json_bodies import JsonBody
from api.route_plans import RoutePlans
from surveys.campaigns import assignment_lists, assignments, proposal_changes, proposals
from surveys.campaigns.assignment_lists import AssignmentPage, Walker, Wanted
from surveys.campaigns.assignments import Assigned, AssignmentDraft
from surveys.campaigns.proposal_changes import Acceptance, Accepted, Proposal, Shift
from surveys.campaigns.proposals import ProposalDraft
from surveys.people.people import Reader

MOST = 5_000  # of one page: what a map shows at once


class Walkers(Struct, frozen=True):
    """Members to whom doors can be given."""

    items: list[Walker]


class Asked(Struct, frozen=True):
    """A proposal that is being made."""

    id: UUID


async def route_plans(state: State) -> RoutePlans:
    """What this process works out."""
    kept: RoutePlans = state["route_plans"]
    return kept


@get("/api/campaigns/{campaign:str}/assignments", summary="A campaign's doors, and who has them")
async def list_assignments(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    campaign: FromPath[str],
    community: FromQuery[str | None] = None,
    organisation: FromQuery[UUID | None] = None,
    member: FromQuery[UUID | None] = None,
    held: FromQuery[bool | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST)] = 50,
    cursor: FromQuery[str | None] = None,
    total: FromQuery[bool] = True,
) -> AssignmentPage:
    """The doors of a campaign within the reader's reach, with who has each: of a community, of what an organisation
    answers for, of a member, held by somebody or by nobody."""
    refuse_unfit(request, ("community", "organisation", "member", "held", "limit", "cursor", "total"))
    wanted = Wanted(community=community, organisation=organisation, member=member, held=held)
    return await assignment_lists.page(conn, reader, campaign, wanted, limit=limit, cursor=cursor, total=total)


@get("/api/campaigns/{campaign:str}/members", summary="Members who visit in a campaign")
async def list_walkers(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    campaign: FromPath[str],
    organisation: FromQuery[UUID | None] = None,
) -> Walkers:
    """Those to whom the reader may give doors, with how many they have and how far they walk; a thousand at most."""
    refuse_unfit(request, ("organisation",))
    return Walkers(await assignment_lists.walkers(conn, reader, campaign, organisation, clock()))


@post(
    "/api/campaigns/{campaign:str}/assignments",
    dto=JsonBody[AssignmentDraft],
    return_dto=None,
    status_code=200,
    summary="Give doors to somebody, or take them away",
)
async def assign_doors(
    data: JSONBody[AssignmentDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    campaign: FromPath[str],
) -> Assigned:
    """Give doors to a member, who walks them where they make their way least longer, or to an organisation; with
    neither they are nobody's again. A retry is answered as the first time."""
    return await assignments.assign(conn, reader, campaign, data, clock())


@post(
    "/api/campaigns/{campaign:str}/proposals",
    dto=JsonBody[ProposalDraft],
    return_dto=None,
    status_code=202,
    summary="Ask for a proposal of who visits which doors",
    dependencies={"plans": Provide(route_plans)},
)
async def ask_for_proposal(
    data: JSONBody[ProposalDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    campaign: FromPath[str],
    plans: NamedDependency[RoutePlans],
) -> Response[Asked]:
    """Have doors divided among members: evenly, close together, in an order to be walked. It is worked out meanwhile;
    ask for it again to see how far it is."""
    parties = await proposals.ask(conn, reader, campaign, data, clock())
    begin = BackgroundTask(_start, plans, reader.district, data.id, parties) if parties else None
    return Response(Asked(data.id), status_code=202, background=begin)


async def _start(plans: RoutePlans, district: int, proposal: UUID, parties: list[proposals.Party]) -> None:
    """Begin once the answer has been sent: then the proposal is committed."""
    plans.start(district, proposal, parties)


@get("/api/campaigns/{campaign:str}/proposals/{proposal:uuid}", summary="One's own proposal")
async def read_proposal(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    campaign: FromPath[str],
    proposal: FromPath[UUID],
) -> Proposal:
    """How far a proposal is; once it is ready, who would get what, and how far each would walk."""
    return await proposal_changes.read(conn, reader, campaign, proposal, clock())


@post(
    "/api/campaigns/{campaign:str}/proposals/{proposal:uuid}/changes",
    dto=JsonBody[Shift],
    return_dto=None,
    status_code=200,
    summary="Change a proposal by hand",
)
async def change_proposal(
    data: JSONBody[Shift],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    campaign: FromPath[str],
    proposal: FromPath[UUID],
) -> Proposal:
    """Give doors of a proposal to another member, or leave them out of it."""
    return await proposal_changes.shift(conn, reader, campaign, proposal, data, clock())


@post(
    "/api/campaigns/{campaign:str}/proposals/{proposal:uuid}/accept",
    dto=JsonBody[Acceptance],
    return_dto=None,
    status_code=200,
    summary="Let a proposal hold",
)
async def accept_proposal(
    data: JSONBody[Acceptance],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    campaign: FromPath[str],
    proposal: FromPath[UUID],
) -> Accepted:
    """Let a proposal hold as it was looked at; what somebody was given meanwhile stays theirs."""
    return await proposal_changes.accept(conn, reader, campaign, proposal, data, clock())


ROUTES = [
    list_assignments,
    list_walkers,
    assign_doors,
    ask_for_proposal,
    read_proposal,
    change_proposal,
    accept_proposal,
]

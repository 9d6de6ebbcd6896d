"""Public commitments over HTTP: made, approved or sent back, reported done, rated, withdrawn; and counted."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from litestar import Request, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from api.auth import Clock
from api.issues import refuse_unfit
from api.json_bodies import JsonBody
from surveys.assessments import commitment_figures, commitment_moves, commitment_ratings, commitments
from surveys.assessments.commitment_figures import Figures
from surveys.assessments.commitment_outcomes import Outcome
from surveys.assessments.commitment_ratings import MemberRating, Rated
from surveys.assessments.commitment_terms import CommitmentDraft, CommitmentMove, Moved
from surveys.assessments.commitments import CommitmentDetail, CommitmentPage, Filters
from surveys.people.people import District, Reader

PATH = "/api/assessments/commitments"
COUNTED = ("organisation", "member", "late", "community", "as_of", "known_at")
FILTERS = (*COUNTED, "outcome")


def asked(
    organisation: FromQuery[UUID | None] = None,
    member: FromQuery[UUID | None] = None,
    outcomes: Annotated[list[Outcome] | None, QueryParameter(name="outcome")] = None,
    late: FromQuery[bool | None] = None,
    community: FromQuery[str | None] = None,
    as_of: FromQuery[date | None] = None,
    known_at: FromQuery[datetime | None] = None,
) -> Filters:
    """The filters of the list."""
    return Filters(
        organisation=organisation,
        member=member,
        outcomes=tuple(outcomes or ()),
        late=late,
        community=community,
        as_of=as_of,
        known_at=known_at,
    )


@get(
    PATH,
    summary="Public commitments",
    operation_id="ListCommitments",
    dependencies={"asked": Provide(asked, sync_to_thread=False)},
)
async def list_commitments(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    asked: NamedDependency[Filters],
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    cursor: FromQuery[str | None] = None,
    total: FromQuery[bool] = True,
) -> CommitmentPage:
    """Commitments, the newest first: those that stand or stood in public, and before that one's own and those that one
    decides on. With `as_of` as they were at the end of that day."""
    refuse_unfit(request, (*FILTERS, "limit", "cursor", "total", "lang"))
    return await commitments.page(conn, reader, asked, district.zone, clock(), limit=limit, cursor=cursor, total=total)


@get(PATH + "/figures", summary="Commitments by organisation", operation_id="CountCommitments")
async def count_commitments(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    organisation: FromQuery[UUID | None] = None,
    member: FromQuery[UUID | None] = None,
    late: FromQuery[bool | None] = None,
    community: FromQuery[str | None] = None,
    as_of: FromQuery[date | None] = None,
    known_at: FromQuery[datetime | None] = None,
) -> Figures:
    """How many are kept, broken, overdue and so on, in all and by organisation; each number is the list of the same
    filters."""
    refuse_unfit(request, (*COUNTED, "lang"))
    filters = Filters(
        organisation=organisation, member=member, late=late, community=community, as_of=as_of, known_at=known_at
    )
    return await commitment_figures.count(conn, reader, filters, district.zone, clock())


@post(
    PATH,
    dto=JsonBody[CommitmentDraft],
    return_dto=None,
    status_code=201,
    summary="Make a commitment",
    operation_id="MakeCommitment",
)
async def make_commitment(
    data: JSONBody[CommitmentDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Moved:
    """Propose a commitment of one's own, or for an organisation; a retry is answered as the first time."""
    return await commitment_moves.make(conn, reader, data, district.zone, clock())


@get(PATH + "/{commitment:uuid}", summary="One commitment", operation_id="ShowCommitment")
async def show_commitment(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    commitment: FromPath[UUID],
) -> CommitmentDetail:
    """One commitment with its history, and with what members say of it."""
    return await commitments.one(conn, reader, commitment, clock())


@post(
    PATH + "/{commitment:uuid}/moves",
    dto=JsonBody[CommitmentMove],
    return_dto=None,
    status_code=200,
    summary="Move a commitment",
    operation_id="MoveCommitment",
)
async def move_commitment(
    data: JSONBody[CommitmentMove],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    commitment: FromPath[UUID],
) -> Moved:
    """Approve a commitment or send it back, propose it again, report it done, or withdraw it."""
    return await commitment_moves.move(conn, reader, commitment, data, district.zone, clock())


@post(
    PATH + "/{commitment:uuid}/ratings",
    dto=JsonBody[MemberRating],
    return_dto=None,
    status_code=201,
    summary="Rate a commitment",
    operation_id="RateCommitment",
)
async def rate_commitment(
    data: JSONBody[MemberRating],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    commitment: FromPath[UUID],
) -> Rated:
    """Say whether it was kept and how well, as who promised it or as a leader; one's newest word holds."""
    return await commitment_ratings.rate(conn, reader, commitment, data, clock())


ROUTES = [
    list_commitments,
    count_commitments,
    make_commitment,
    show_commitment,
    move_commitment,
    rate_commitment,
]

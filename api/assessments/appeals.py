"""The results of rounds over HTTP, appeals against them, and what is decided above."""

from typing import Annotated, Any
from uuid import UUID

import asyncpg
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from api.assessments import round_answers
from api.assessments.round_answers import AppealTold, ResultsTold, SubjectResultTold
from api.assessments.rounds import PREFIX, Limit
from api.auth import Clock
from api.issues import refuse_unfit
from api.json_bodies import JsonBody
from surveys.assessments import appeals, round_decisions, round_results, rounds
from surveys.assessments.appeals import AppealDraft, Ruling
from surveys.assessments.round_decisions import Decision
from surveys.assessments.rounds import Changed
from surveys.people.people import Reader

RESULTS = PREFIX + "/{round:uuid}/results"
Version = Annotated[int | None, QueryParameter(ge=1, le=10_000)]


class Appeals(Struct, frozen=True):
    """Appeals, those that wait at their head."""

    items: list[AppealTold]


@get(RESULTS, summary="Results of a round")
async def list_results(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    round: FromPath[UUID],  # noqa: A002
    version: Version = None,
    limit: Limit = 50,
    cursor: FromQuery[str | None] = None,
) -> ResultsTold:
    """The results of those whom the reader leads or organises, the best first; those who were not rated last."""
    refuse_unfit(request, ("version", "limit", "cursor"))
    page = await round_results.page(conn, reader, round, version=version, limit=limit, cursor=cursor)
    return round_answers.results_told(page, round)


@get(RESULTS + "/{subject:uuid}", summary="How one result came about")
async def read_result(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
    subject: FromPath[UUID],
    version: Version = None,
) -> SubjectResultTold:
    """One result with the reason of every point: for who was rated, and who leads or organises them."""
    refuse_unfit(request, ("version",))
    now = clock()
    found = await round_results.of_subject(conn, reader, round, subject, now, version=version)
    return round_answers.subject_told(found, now)


@post(
    RESULTS + "/{subject:uuid}/appeals",
    dto=JsonBody[AppealDraft],
    return_dto=None,
    status_code=201,
    summary="Appeal against a result",
)
async def make_appeal(
    data: JSONBody[AppealDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
    subject: FromPath[UUID],
) -> Changed:
    """Appeal against the points of an item, for oneself or what one speaks for, in the step of appeals."""
    return await appeals.make(conn, reader, round, subject, data, clock())


@post(
    RESULTS + "/{subject:uuid}/decisions",
    dto=JsonBody[Decision],
    return_dto=None,
    status_code=201,
    summary="Decide on stars",
)
async def decide_on_stars(
    data: JSONBody[Decision],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
    subject: FromPath[UUID],
) -> Changed:
    """Confirm or change somebody's stars with a reason; who has rated them does not."""
    return await round_decisions.decide(conn, reader, round, subject, data, clock())


@get(PREFIX + "/{round:uuid}/appeals", summary="Appeals of a round")
async def list_appeals(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    round: FromPath[UUID],  # noqa: A002
) -> Appeals:
    """The appeals of those whom the reader leads or organises, those that wait at their head."""
    organised = await rounds.organised(conn, reader, round)
    found = await appeals.of_round(conn, organised.round, within=organised.standing.organisations)
    return Appeals([round_answers.appeal_told(one) for one in found])


@post(
    PREFIX + "/{round:uuid}/appeals/{appeal:uuid}/ruling",
    dto=JsonBody[Ruling],
    return_dto=None,
    status_code=200,
    summary="Decide on an appeal",
)
async def rule_on_appeal(
    data: JSONBody[Ruling],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
    appeal: FromPath[UUID],
) -> Changed:
    """Uphold an appeal, with the points that the item has from now on, or reject it, with a reason."""
    return await appeals.decide(conn, reader, round, appeal, data, clock())


ROUTES = [list_results, read_result, make_appeal, decide_on_stars, list_appeals, rule_on_appeal]

"""The pages of ballots: the list, one for who holds it with its roll, slips and result, and the one to vote on."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template

from api import history_words, shell
from api.auth import Clock
from api.issues import refuse_unfit
from api.logs import NO_ADDRESS
from api.sign_in import NOT_KEPT
from surveys.assessments import ballot_votes, ballots
from surveys.assessments.ballot_terms import LEAST_VOTES, USUAL, State
from surveys.people import organisations, scopes
from surveys.people.people import District, Reader
from surveys.refusals import NotFound

Words = tuple[str, str]  # Chinese, English

STATES: dict[State, Words] = {
    "coming": ("未开始", "Not open yet"),
    "open": ("正在投票", "Open"),
    "closed": ("已结束，待计票", "Closed, to be counted"),
    "counted": ("已计票", "Counted"),
    "published": ("已公布", "Published"),
    "cancelled": ("已取消", "Cancelled"),
}
GROUPS = (("A", "领导", "Leaders", 30), ("B", "中层", "Middle", 30), ("C", "群众", "People", 40))


@get("/assessments/ballots", include_in_schema=False)
async def ballots_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """The ballots that one holds, votes in or reads, and the form to make one."""
    refuse_unfit(request, ("cursor", "lang"))
    now, cursor = clock(), request.query_params.get("cursor")
    keeps = bool(reader.roles() & {"administrator", "organiser"})
    tonight = now.astimezone(district.zone).replace(hour=18, minute=0, second=0, microsecond=0)
    context = {
        **shell.context(request, reader, district, here="assessments"),
        "states": STATES,
        "page": await ballots.page(conn, reader, now, cursor=cursor),
        "first": cursor is None,
        "looked_after": await organisations.tree(conn, reader) if keeps else [],
        "groups": GROUPS,
        "usual": USUAL,
        "opens": now.astimezone(district.zone).strftime("%Y-%m-%dT%H:%M"),
        "closes": (tonight + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M"),
        "new_id": uuid4(),
    }
    return Template("assessments/ballots.html", context=context, headers=dict(NOT_KEPT))


@get("/assessments/ballots/{ballot:uuid}", include_in_schema=False)
async def ballot_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    ballot: FromPath[UUID],
) -> Template:
    """A ballot: for who holds it all of it, for others its result once it was published."""
    refuse_unfit(request, ("lang",))
    now, mine = clock(), await ballots.manages(conn, reader, ballot)
    context: dict[str, Any] = {
        **shell.context(request, reader, district, here="assessments"),
        "states": STATES,
        "id": ballot,
        "least": LEAST_VOTES,
        "one": await ballots.one(conn, reader, ballot, now) if mine else None,
        "roll": await ballots.roll(conn, reader, ballot) if mine else [],
        "organisations": await organisations.tree(conn, reader) if mine else [],
        "uuid": uuid4,
        "event_in_words": history_words.event_in_words,
        "actors": history_words.ACTORS,
        "now": now,
    }
    counted = not mine or context["one"].ballot.state in ("counted", "published")
    context["result"] = await ballots.result_of(conn, reader, ballot, now) if counted else None
    return Template("assessments/ballot.html", context=context, headers=dict(NOT_KEPT))


@get("/assessments/ballots/{ballot:uuid}/vote", include_in_schema=False, opt={NO_ADDRESS: True})
async def vote_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    ballot: FromPath[UUID],
) -> Template:
    """The page on which a member on the roll votes; its script asks what is asked."""
    refuse_unfit(request, ("lang",))
    scopes.refuse_who_reads_nothing(reader)
    if await ballot_votes.enrolled(conn, reader, ballot) is None:
        raise NotFound
    context = {**shell.context(request, reader, district, here="assessments"), "id": ballot}
    return Template("assessments/vote.html", context=context, headers=dict(NOT_KEPT))


ROUTES = [ballots_page, ballot_page, vote_page]

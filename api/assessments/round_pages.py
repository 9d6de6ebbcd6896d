"""The pages of assessments: what one has to rate and how one did, and a round as who organises it sees it."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from itertools import groupby
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import asyncpg
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template

from api import shell, texts
from api.assessments.instrument_pages import GROUPS, SUBJECTS
from api.auth import Clock
from api.issues import refuse_unfit
from api.sign_in import NOT_KEPT
from surveys.assessments import (
    appeals,
    instruments,
    round_progress,
    round_results,
    round_standing,
    round_steps,
    round_tasks,
    rounds,
)
from surveys.assessments.instruments import Listed
from surveys.assessments.round_steps import DATED, ENDS, Dated, Period, Step
from surveys.assessments.rounds import Organised
from surveys.people import organisations
from surveys.people.people import District, Reader
from surveys.refusals import NotAllowed, NotFound

STEPS: Mapping[Step, str] = {
    "planned": texts.marked("Planned"),
    "self": texts.marked("Self-rating"),
    "people": texts.marked("People's rating"),
    "peers": texts.marked("Peer rating"),
    "leaders": texts.marked("Leaders' rating"),
    "first_result": texts.marked("First result"),
    "appeals": texts.marked("Appeals"),
    "decisions": texts.marked("Decision above"),
    "over": texts.marked("Over"),
    "cancelled": texts.marked("Cancelled"),
}
SKIPPED: Mapping[str, str] = {
    "joined_late": texts.marked("joined too late in the period"),
    "left": texts.marked("has left"),
    "closed": texts.marked("was closed"),
    "not_there": texts.marked("was not there"),
}
USUAL: Mapping[Dated, int] = {  # days after the opening
    "self_until": 5,
    "people_until": 10,
    "peers_until": 12,
    "leaders_until": 17,
    "first_at": 19,
    "appeals_until": 24,
    "decisions_until": 29,
}
FURTHER = (
    ("/assessments/commitments", texts.marked("Public commitments")),
    ("/assessments/ballots", texts.marked("Ballots")),
    ("/assessments/instruments", texts.marked("Scorecards")),
    ("/assessments/windows", texts.marked("Service windows")),
)
PERIODS_OFFERED = 6
SHOWN = 20  # of who is missing, and of the results


@get("/assessments", include_in_schema=False)
async def assessments_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """What the reader has to rate, how they did, and the rounds of the district."""
    refuse_unfit(request, ("cursor", "lang"))
    now = clock()
    cursor = request.query_params.get("cursor")
    standing = await round_standing.of_reader(conn, reader)
    page = await rounds.page(conn, reader, limit=SHOWN, cursor=cursor)
    tasks = await round_tasks.of_reader(conn, reader, now)
    context = {
        **_context(request, reader, district, now),
        "page": page,
        "first": cursor is None,
        "tasks": [(list(group)) for _, group in groupby(tasks, lambda one: one.round)],
        "further": FURTHER,
        "left": sum(not one.done for one in tasks),
        "own": await round_tasks.own_results(conn, reader),
        "may_make": standing.organises,
        "opens": standing.within is None or bool(standing.within),
    }
    return Template("assessments/assessments.html", context=context, headers=dict(NOT_KEPT))


@get("/assessments/rounds/new", include_in_schema=False)
async def new_round_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Template:
    """The form to make a round, once a scorecard is chosen."""
    refuse_unfit(request, ("instrument", "version", "lang"))
    standing = await round_standing.of_reader(conn, reader)
    if not standing.organises:
        raise NotAllowed
    now = clock()
    listed = await instruments.every(conn, reader)
    chosen = _chosen(request, listed)
    context = {
        **_context(request, reader, district, now),
        "instruments": [next(versions) for _, versions in groupby(listed, lambda one: one.id)],
        "chosen": chosen,
        "new_id": uuid4(),
        "periods": periods(now.astimezone(district.zone)),
        "organisations": await organisations.tree(conn, reader),
        "whole": standing.within is None,
        "opens": _midnight(now, district, 1),
        "dates": {name: _midnight(now, district, 1 + days) for name, days in USUAL.items()},
        "dated": {ENDS[step]: STEPS[step] for step in ENDS},
    }
    return Template("assessments/round_new.html", context=context, headers=dict(NOT_KEPT))


def _chosen(request: Request[Reader, Any, Any], listed: list[Listed]) -> Listed | None:
    """The scorecard that is named in the address. Raises NotFound for one that there is not."""
    asked = (request.query_params.get("instrument"), request.query_params.get("version"))
    if asked == (None, None):
        return None
    found = next((one for one in listed if (one.id, one.version) == asked), None)
    if found is None:
        raise NotFound
    return found


def _midnight(now: datetime, district: District, days: int) -> datetime:
    return datetime.combine((now.astimezone(district.zone) + timedelta(days=days)).date(), time(), district.zone)


def periods(local: datetime) -> list[Period]:
    """The quarters and months that a round is likely to be about, the newest that are over first."""
    quarter = local.year * 4 + (local.month - 1) // 3
    month = local.year * 12 + local.month - 1
    quarters = [round_steps.period(f"{at // 4}-Q{at % 4 + 1}") for at in range(quarter, quarter - 3, -1)]
    months = [round_steps.period(f"{at // 12}-{at % 12 + 1:02}") for at in range(month, month - PERIODS_OFFERED, -1)]
    return [*quarters[1:], quarters[0], *months[1:], months[0]]


@get("/assessments/rounds/{round:uuid}", include_in_schema=False)
async def round_page(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
) -> Template:
    """One round: its steps, who is missing, the results, and what is to be decided."""
    refuse_unfit(request, ("group", "missing", "results", "version", "lang"))
    now = clock()
    organised = await rounds.organised(conn, reader, round)
    context = {
        **_context(request, reader, district, now),
        **await _shown(request, conn, reader, organised),
        "found": organised.round,
        "organises": organised.organises,
        "decides": organised.standing.decides,
        "step": organised.round.step(now),
        "steps": _steps(organised, now),
        "skipped": SKIPPED,
        "uuid": uuid4,
        "dated": {name: STEPS[step] for step, name in ENDS.items()},
        "lengthened": _may_be_later(organised, now),
    }
    return Template("assessments/round.html", context=context, headers=dict(NOT_KEPT))


async def _shown(
    request: Request[Reader, Any, Any], conn: asyncpg.Connection, reader: Reader, organised: Organised
) -> dict[str, Any]:
    """What has come of a round so far."""
    given = request.query_params
    group = given.get("group") if given.get("group") in GROUPS else None
    version = given.get("version", "")
    try:
        results = await round_results.page(
            conn,
            reader,
            organised.round.id,
            version=int(version) if version.isdecimal() and len(version) < 6 else None,
            limit=SHOWN,
            cursor=given.get("results"),
        )
    except NotFound:
        results = None
    return {
        "progress": await round_progress.of(conn, organised),
        "missing": await round_progress.missing(conn, organised, group, limit=SHOWN, cursor=given.get("missing")),
        "results": results,
        "appeals": await appeals.of_round(conn, organised.round, within=organised.standing.organisations),
        "group": group,
        "address": _address(request),
    }


def _address(request: Request[Reader, Any, Any]) -> Any:
    """The page's own address with something else asked for."""

    def address(**changes: object) -> str:
        asked = {name: value for name, value in request.query_params.items() if name not in changes}
        asked |= {name: str(value) for name, value in changes.items() if value is not None}
        return f"{request.url.path}?{urlencode(asked)}" if asked else request.url.path

    return address


def _steps(organised: Organised, now: datetime) -> list[tuple[str, datetime, str]]:
    """The steps of a round with their ends, and whether each is over, under way or to come."""
    at, found = organised.round.step(now), organised.round
    order = list(ENDS)
    place = order.index(at) if at in order else -1 if at == "planned" else len(order)
    return [
        (STEPS[step], getattr(found, ends), "over" if number < place else "now" if number == place else "coming")
        for number, (step, ends) in enumerate(ENDS.items())
    ]


def _may_be_later(organised: Organised, now: datetime) -> list[Dated]:
    """The steps that can still last longer."""
    found = organised.round
    if not organised.organises or found.cancelled_at or found.published_at or now >= found.decisions_until:
        return []
    return [name for name in DATED if name in ("appeals_until", "decisions_until") or now < found.first_at]


def _context(request: Request[Reader, Any, Any], reader: Reader, district: District, now: datetime) -> dict[str, Any]:
    return {
        **shell.context(request, reader, district, here="assessments"),
        "now": now,
        "step_names": STEPS,
        "groups": GROUPS,
        "subjects": SUBJECTS,
    }


ROUTES = [assessments_page, new_round_page, round_page]

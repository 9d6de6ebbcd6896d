"""Rounds of ratings over HTTP: made, extended and published; what one has to rate, and ratings."""

from typing import Annotated, Any
from uuid import UUID

import asyncpg
from litestar import Request, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta, Struct

from api.assessments import round_answers, round_working
from api.assessments.round_answers import RoundsTold, RoundTold, SheetTold
from api.auth import PUBLIC, Clock
from api.documented_problems import REFUSES
from api.issues import refuse_unfit
from api.json_bodies import JsonBody
from api.limits import few_pages
from surveys.assessments import (
    ratings,
    round_changes,
    round_codes,
    round_decisions,
    round_progress,
    round_tasks,
    rounds,
    windows,
)
from surveys.assessments.instruments import Group
from surveys.assessments.ratings import RatingDraft, Saved
from surveys.assessments.round_changes import Ending, Extension, RoundDraft
from surveys.assessments.round_codes import Codes, CodesWanted, PeoplesRating
from surveys.assessments.round_decisions import Recomputation
from surveys.assessments.round_progress import MissingPage, Progress, Reminded
from surveys.assessments.round_tasks import Task
from surveys.assessments.rounds import Changed
from surveys.assessments.windows import WindowClosing, WindowDraft, WindowRenaming, Windows
from surveys.people.people import Reader

MOST = 200  # of one page
PREFIX = "/api/assessments/rounds"
Limit = Annotated[int, QueryParameter(ge=1, le=MOST)]


class Tasks(Struct, frozen=True):
    """What the reader has to rate now."""

    items: list[Task]


class CodeShown(Struct, frozen=True, forbid_unknown_fields=True):
    """A code as it was typed or scanned."""

    code: Annotated[str, Meta(max_length=100)]


class WhomToRemind(Struct, frozen=True, forbid_unknown_fields=True):
    """Of which group those are reminded who are missing; of all groups, if none is named."""

    group: Group | None = None


@get(PREFIX, summary="Rounds of ratings", operation_id="ListRatingRounds")
async def list_rounds(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    limit: Limit = 50,
    cursor: FromQuery[str | None] = None,
) -> RoundsTold:
    """The district's rounds, the latest to open first."""
    refuse_unfit(request, ("limit", "cursor"))
    page = await rounds.page(conn, reader, limit=limit, cursor=cursor)
    return round_answers.rounds_told(page, clock())


@post(PREFIX, dto=JsonBody[RoundDraft], return_dto=None, status_code=201, summary="Make a round of ratings")
async def make_rating_round(
    data: JSONBody[RoundDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> Changed:
    """Make a round; a retry is answered as the first time. Who rates whom is drawn when it opens."""
    return await round_changes.make(conn, reader, data, clock())


@get(PREFIX + "/{round:uuid}", summary="One round of ratings", operation_id="ShowRatingRound")
async def read_rating_round(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
) -> RoundTold:
    """One round with its steps."""
    return round_answers.round_told(await rounds.seen(conn, reader, round), clock())


@post(
    PREFIX + "/{round:uuid}/extensions",
    dto=JsonBody[Extension],
    return_dto=None,
    status_code=200,
    summary="Let a step of a round last longer",
)
async def extend_rating_round(
    data: JSONBody[Extension],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
) -> Changed:
    """Let a step close later, with a reason; the steps after it move along as far as they must."""
    return await round_changes.extend(conn, reader, round, data, clock())


@post(
    PREFIX + "/{round:uuid}/cancel",
    dto=JsonBody[Ending],
    return_dto=None,
    status_code=200,
    summary="Cancel a round of ratings",
)
async def cancel_rating_round(
    data: JSONBody[Ending],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
) -> Changed:
    """Break a round off; what was given stays."""
    return await round_changes.cancel(conn, reader, round, data, clock())


@post(
    PREFIX + "/{round:uuid}/publish",
    dto=JsonBody[Ending],
    return_dto=None,
    status_code=200,
    summary="Publish the final result",
)
async def publish_rating_round(
    data: JSONBody[Ending],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
) -> Changed:
    """Show the final result to all whom it concerns, once it has been worked out."""
    return await round_changes.publish(conn, reader, round, data, clock())


@post(
    PREFIX + "/{round:uuid}/computations",
    dto=JsonBody[Recomputation],
    return_dto=None,
    status_code=200,
    summary="Work the results out anew",
)
async def recompute_rating_round(
    data: JSONBody[Recomputation],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
) -> Changed:
    """Have the results worked out anew, as after an appeal; the versions before stay."""
    changed = await round_decisions.recompute(conn, reader, round, data, clock())
    await round_working.queue(conn, reader.district, [round])
    return changed


@get(PREFIX + "/{round:uuid}/progress", summary="How far a round is")
async def show_round_progress(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    round: FromPath[UUID],  # noqa: A002
) -> Progress:
    """How many ratings were asked for and given, by group, and the versions of the results."""
    return await round_progress.of(conn, await rounds.organised(conn, reader, round))


@get(PREFIX + "/{round:uuid}/missing", summary="Who has not rated yet")
async def list_missing_raters(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    round: FromPath[UUID],  # noqa: A002
    group: FromQuery[Group | None] = None,
    limit: Limit = 50,
    cursor: FromQuery[str | None] = None,
) -> MissingPage:
    """Who was asked and has given nothing yet, of those whom the reader looks after."""
    refuse_unfit(request, ("group", "limit", "cursor"))
    organised = await rounds.organised(conn, reader, round)
    return await round_progress.missing(conn, organised, group, limit=limit, cursor=cursor)


@post(
    PREFIX + "/{round:uuid}/reminders",
    dto=JsonBody[WhomToRemind],
    return_dto=None,
    status_code=200,
    summary="Remind those who are missing",
)
async def remind_raters(
    data: JSONBody[WhomToRemind],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
) -> Reminded:
    """Remind those who are missing and may still rate; nobody twice within twelve hours."""
    reminded, _ = await round_progress.remind(conn, reader, round, data.group, clock())
    return reminded


@get(PREFIX + "/{round:uuid}/ratings/{subject:uuid}", summary="What one has to rate", operation_id="ShowRatingSheet")
async def read_rating_sheet(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
    subject: FromPath[UUID],
    group: FromQuery[Group],
) -> SheetTold:
    """The items that the reader rates of a subject, with what they gave so far."""
    refuse_unfit(request, ("group",))
    return round_answers.sheet_told(await ratings.sheet(conn, reader, round, subject, group, clock()))


@put(
    PREFIX + "/{round:uuid}/ratings/{subject:uuid}",
    dto=JsonBody[RatingDraft],
    return_dto=None,
    status_code=200,
    summary="Rate",
)
async def save_rating(
    data: JSONBody[RatingDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
    subject: FromPath[UUID],
) -> Saved:
    """Keep the points that the reader gives, as they go; items that are left out stay as they are, null takes back.

    Each saving has an id of its own. For the people, who looks after the subject enters what they wrote on paper."""
    return await ratings.save(conn, reader, round, subject, data, clock())


@post(
    PREFIX + "/{round:uuid}/subjects/{subject:uuid}/codes",
    dto=JsonBody[CodesWanted],
    return_dto=None,
    status_code=201,
    summary="Codes by which the people rate",
)
async def make_rating_codes(
    data: JSONBody[CodesWanted],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    round: FromPath[UUID],  # noqa: A002
    subject: FromPath[UUID],
) -> Codes:
    """Make one-time codes by which the people rate a subject; they are shown this once."""
    return await round_codes.make(conn, reader, round, subject, data, clock())


@get("/api/assessments/tasks", summary="What one has to rate", operation_id="ListRatingTasks")
async def list_rating_tasks(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> Tasks:
    """What the reader can rate now, one's own first."""
    return Tasks(await round_tasks.of_reader(conn, reader, clock()))


# --- by the people, with a code and no account


@post(
    "/api/assessments/code-sheets",
    opt={PUBLIC: True, REFUSES: (404,)},
    dto=JsonBody[CodeShown],
    return_dto=None,
    status_code=200,
    summary="What a code opens",
    security=[],
    guards=[few_pages],
)
async def show_code_sheet(
    data: JSONBody[CodeShown], conn: NamedDependency[asyncpg.Connection], clock: NamedDependency[Clock]
) -> SheetTold:
    """Whom one rates by a code, and by what; the code is not used up by that."""
    return round_answers.sheet_told(await round_codes.sheet(conn, data.code, clock()))


@post(
    "/api/assessments/code-ratings",
    opt={PUBLIC: True, REFUSES: (404,)},
    dto=JsonBody[PeoplesRating],
    return_dto=None,
    status_code=200,
    summary="Rate by a code",
    security=[],
    guards=[few_pages],
)
async def rate_by_code(
    data: JSONBody[PeoplesRating], conn: NamedDependency[asyncpg.Connection], clock: NamedDependency[Clock]
) -> Saved:
    """Keep what one of the people gives, and use the code up. Nothing leads from the code to the rating."""
    return await round_codes.rate(conn, data, clock())


# --- service windows


@get("/api/assessments/windows", summary="Service windows", operation_id="ListServiceWindows")
async def list_windows(conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]) -> Windows:
    """The windows of the district at which people are served."""
    return await windows.every(conn, reader)


@post(
    "/api/assessments/windows",
    dto=JsonBody[WindowDraft],
    return_dto=None,
    status_code=201,
    summary="Add a service window",
)
async def add_window(
    data: JSONBody[WindowDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
) -> Changed:
    """Add a window with its organisation and the member who answers for it."""
    return await windows.add(conn, reader, data, clock())


@post(
    "/api/assessments/windows/{window:uuid}/rename",
    dto=JsonBody[WindowRenaming],
    return_dto=None,
    status_code=200,
    summary="Rename a service window",
)
async def rename_window(
    data: JSONBody[WindowRenaming],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    window: FromPath[UUID],
) -> Changed:
    """Call a window otherwise; rounds in which it was rated show the new name."""
    return await windows.rename(conn, reader, window, data, clock())


@post(
    "/api/assessments/windows/{window:uuid}/close",
    dto=JsonBody[WindowClosing],
    return_dto=None,
    status_code=200,
    summary="Close a service window",
)
async def close_window(
    data: JSONBody[WindowClosing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    window: FromPath[UUID],
) -> Changed:
    """Close a window: what it was given stays."""
    return await windows.close(conn, reader, window, data, clock())


ROUTES = [
    list_rounds,
    make_rating_round,
    read_rating_round,
    extend_rating_round,
    cancel_rating_round,
    publish_rating_round,
    recompute_rating_round,
    show_round_progress,
    list_missing_raters,
    remind_raters,
    read_rating_sheet,
    save_rating,
    make_rating_codes,
    list_rating_tasks,
    show_code_sheet,
    rate_by_code,
    list_windows,
    add_window,
    rename_window,
    close_window,
]

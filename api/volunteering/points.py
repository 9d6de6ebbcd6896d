"""Points over HTTP: the rules by which they are counted, what everybody has and why, and the boards of months."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta, Struct

from api.auth import Clock
from api.documented_problems import REFUSES
from api.issues import refuse_unfit
from api.json_bodies import JsonBody
from surveys.people.people import READING, District, Reader, Role
from surveys.refusals import NotFound
from surveys.reports.report_periods import Period
from surveys.volunteering import points, points_boards, points_rules, volunteers
from surveys.volunteering.points import Person, Question, Reason
from surveys.volunteering.points_boards import AT_ONCE, Board, BoardDraft, NoRules
from surveys.volunteering.points_rules import Rules, RulesDraft, RulesVersion, written

COUNTING: tuple[Role, ...] = ("administrator", "organiser")  # see what a month gives before it is published
Month = Annotated[str, QueryParameter(description="As 2026-11")]


class RulesVersions(Struct, frozen=True):
    """The rules that were published, the newest first."""

    items: list[RulesVersion]


class Row(Struct, frozen=True, kw_only=True):
    """What a volunteer has; `name` is their number, where they did not agree to their name in public."""

    volunteer: UUID
    name: str
    place: int
    points: str
    deeds: int
    minutes: int
    helped: int


class Points(Struct, frozen=True, kw_only=True):
    """The points of a month: of what was done until the end of a day, as known at a moment, by a version of the rules;
    it is None where rules were tried out."""

    month: str
    as_of: date
    known_at: datetime
    rules: int | None
    items: list[Row]


class Line(Struct, frozen=True, kw_only=True):
    """What one deed gave: the parts sum to its points."""

    id: UUID
    service: UUID | None
    title: str | None
    kind: str
    happened_at: datetime
    minutes: int
    helped: int
    stars: int | None
    time: str
    effect: str
    by_kind: str
    by_satisfaction: str
    over_cap: str
    points: str


class Lines(Struct, frozen=True, kw_only=True):
    """Why a volunteer has the points that they have."""

    month: str
    as_of: date
    known_at: datetime
    rules: int
    points: str
    items: list[Line]


class Boards(Struct, frozen=True):
    """The months that were published, each in all its versions, the newest first."""

    items: list[Board]


class BoardPage(Struct, frozen=True, kw_only=True):
    """A page of a published board."""

    board: Board
    page: int
    pages: int
    items: list[Row]


class Trial(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules that are tried out on a month, by what is known of it now."""

    month: Annotated[str, Meta(max_length=10)]
    rules: Rules


# --- rules


@get("/api/points/rules", opt={REFUSES: (422,)}, summary="List the rules of points")
async def list_rules(
    request: Request[Reader, Any, Any], conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]
) -> RulesVersions:
    """All versions of the rules."""
    refuse_unfit(request, ("lang",))
    reader.require(*READING)
    return RulesVersions(await points_rules.versions(conn, reader.district))


@post(
    "/api/points/rules",
    dto=JsonBody[RulesDraft],
    return_dto=None,
    status_code=201,
    summary="Publish rules of points",
    opt={REFUSES: (409,)},
)
async def publish_rules(
    data: JSONBody[RulesDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> RulesVersion:
    """Publish a version of the rules, from a month on; it is never edited. A retry gets its first answer."""
    return await points_rules.publish(conn, reader, data, district.zone, clock())


@post(
    "/api/points/trials",
    dto=JsonBody[Trial],
    return_dto=None,
    status_code=200,
    summary="Try rules of points out",
)
async def try_rules(
    data: JSONBody[Trial],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Points:
    """What rules would give for a month; nothing is kept of it."""
    reader.require("administrator")
    now = clock()
    asked = question(district, points_rules.month(data.month), data.rules, now)
    return await told(conn, asked, None)


# --- what everybody has


@get("/api/points", summary="Points of a month")
async def list_points(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    month: Month,
    as_of: FromQuery[date | None] = None,
    known_at: FromQuery[datetime | None] = None,
) -> Points:
    """What everybody has, of what was done until the end of a day of the month, as was known at a moment: the same
    question gets the same answer for ever."""
    refuse_unfit(request, ("month", "as_of", "known_at", "lang"))
    reader.require(*COUNTING)
    asked, version = await counted(conn, district, month, clock(), as_of, known_at)
    return await told(conn, asked, version)


@get("/api/points/volunteers/{volunteer:uuid}", summary="Why a volunteer has their points")
async def list_reasons(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
    volunteer: FromPath[UUID],
    month: Month,
    as_of: FromQuery[date | None] = None,
    known_at: FromQuery[datetime | None] = None,
) -> Lines:
    """What each deed of a volunteer gave in a month, by which part of the rules."""
    refuse_unfit(request, ("month", "as_of", "known_at", "lang"))
    reader.require(*COUNTING)
    if volunteer not in await volunteers.named(conn, reader.district, [volunteer], public=True):
        raise NotFound
    asked, version = await counted(conn, district, month, clock(), as_of, known_at)
    found = await points.reasons(conn, asked, [volunteer])
    return Lines(
        month=f"{asked.month:%Y-%m}",
        as_of=asked.as_of,
        known_at=asked.known_at,
        rules=version,
        points=written(sum(one.points for one in found)),
        items=lines(found),
    )


def question(
    district: District,
    month: date,
    rules: Rules,
    now: datetime,
    as_of: date | None = None,
    known_at: datetime | None = None,
) -> Question:
    """A question about a month: until now, or its end, as known now, where nothing else is said."""
    today = now.astimezone(district.zone).date()
    return Question(
        district=district.district,
        month=month,
        as_of=min(as_of or today, Period(month, "month").last),
        known_at=known_at or now,
        rules=rules,
        zone=district.zone,
    )


async def counted(
    conn: asyncpg.Connection,
    district: District,
    month: str,
    now: datetime,
    as_of: date | None = None,
    known_at: datetime | None = None,
) -> tuple[Question, int]:
    """A question by the rules that held then, and their version. Raises NoRules."""
    first = points_rules.month(month)
    rules = await points_rules.in_force(conn, district.district, first, known_at or now)
    if rules is None:
        raise NoRules("month")
    return question(district, first, rules.rules, now, as_of, known_at), rules.version


async def told(conn: asyncpg.Connection, asked: Question, version: int | None) -> Points:
    """The answer to a question, with the names that may be public."""
    people = await points.of_people(conn, asked)
    return Points(
        month=f"{asked.month:%Y-%m}",
        as_of=asked.as_of,
        known_at=asked.known_at,
        rules=version,
        items=await rows(conn, asked.district, people),
    )


async def rows(conn: asyncpg.Connection, district: int, people: Sequence[Person]) -> list[Row]:
    """People as they are shown: by name where they agreed to that, else by number."""
    names = await volunteers.named(conn, district, [one.volunteer for one in people], public=True)
    return [row(one, names) for one in people]


def row(one: Person, names: Mapping[UUID, str]) -> Row:
    """One of them."""
    return Row(
        volunteer=one.volunteer,
        name=names[one.volunteer],
        place=one.place,
        points=written(one.points),
        deeds=one.deeds,
        minutes=one.minutes,
        helped=one.helped,
    )


def lines(found: Sequence[Reason]) -> list[Line]:
    """Reasons with their amounts written."""
    return [
        Line(
            id=one.id,
            service=one.service,
            title=one.title,
            kind=one.kind,
            happened_at=one.happened_at,
            minutes=one.minutes,
            helped=one.helped,
            stars=one.stars,
            time=written(one.time),
            effect=written(one.effect),
            by_kind=written(one.by_kind),
            by_satisfaction=written(one.by_satisfaction),
            over_cap=written(one.over_cap),
            points=written(one.points),
        )
        for one in found
    ]


# --- boards


@get("/api/points/boards", opt={REFUSES: (422,)}, summary="List the months that were published")
async def list_boards(
    request: Request[Reader, Any, Any], conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]
) -> Boards:
    """The months that were published, each in all its versions."""
    refuse_unfit(request, ("lang",))
    reader.require(*READING)
    return Boards(await points_boards.boards(conn, reader.district))


@post(
    "/api/points/boards",
    dto=JsonBody[BoardDraft],
    return_dto=None,
    status_code=201,
    summary="Publish the points of a month",
    opt={REFUSES: (409,)},
)
async def publish_board(
    data: JSONBody[BoardDraft],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    district: NamedDependency[District],
    clock: NamedDependency[Clock],
) -> Board:
    """Publish a month as it was known at a moment; it is fixed then. A retry gets its first answer."""
    return await points_boards.publish(conn, reader, data, district.zone, clock())


@get("/api/points/boards/{month:str}", summary="A published month")
async def one_board(
    request: Request[Reader, Any, Any],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    month: FromPath[str],
    version: Annotated[int | None, QueryParameter(ge=1, le=10_000)] = None,
    page: Annotated[int, QueryParameter(ge=1, le=10_000)] = 1,
) -> BoardPage:
    """A page of a month as it was published, in a version or in the newest."""
    refuse_unfit(request, ("version", "page", "lang"))
    reader.require(*READING)
    board = await points_boards.board(conn, reader.district, points_rules.month(month), version)
    if board is None:
        raise NotFound
    people = await points_boards.rows(conn, reader.district, board.id, page)
    pages = max(1, -(-board.people // AT_ONCE))
    return BoardPage(board=board, page=page, pages=pages, items=await rows(conn, reader.district, people))


ROUTES = [list_rules, publish_rules, try_rules, list_points, list_reasons, list_boards, publish_board, one_board]

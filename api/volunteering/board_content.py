"""What the public board shows: the points of a month, models, commitments, stars and services to come. Nothing about
residents is looked up for it."""

from datetime import date, datetime

import asyncpg
from msgspec import Struct

from api.volunteering.points import Row, rows
from surveys.assessments import commitments, public_stars
from surveys.assessments.public_stars import Kind
from surveys.people.people import District
from surveys.refusals import NotFound
from surveys.volunteering import models, points_boards, services
from surveys.volunteering.models import Subject
from surveys.volunteering.points_boards import Board

AT_ONCE = 33  # rows of one page: three columns of a wall's width
COMMITMENTS = 30
SERVICES = 20
STARRED = 30


class Asked(Struct, frozen=True):
    """What of a board is asked for: of the only district, or of one that is named by code or number; of the newest
    month and version, or of others."""

    district: str | None
    month: date | None
    version: int | None
    page: int


class BoardRow(Struct, frozen=True, kw_only=True):
    """Who stands where; `name` is a number, where no name may be public."""

    place: int
    name: str
    points: str
    deeds: int
    minutes: int
    helped: int


class BoardPoints(Struct, frozen=True, kw_only=True):
    """The points of a month as they were published."""

    month: str
    version: int
    versions: int
    rules: int
    as_of: date
    known_at: datetime
    published_at: datetime
    reason: str | None
    people: int
    deeds: int
    minutes: int
    helped: int
    page: int
    pages: int
    items: list[BoardRow]


class BoardModel(Struct, frozen=True, kw_only=True):
    """Somebody whom others may take as an example."""

    month: str
    subject: Subject
    name: str
    text: str


class BoardCommitment(Struct, frozen=True, kw_only=True):
    """What an organisation or member promised; `stars` is the mean of what many say, of five."""

    organisation: str
    member: str | None
    text: str
    outcome: str
    late: bool
    due_at: datetime
    done_at: datetime | None
    stars: float | None
    rated: int | None


class BoardStarred(Struct, frozen=True, kw_only=True):
    """An organisation or service window with its stars; `organisation` is whose window it is."""

    name: str
    organisation: str | None
    stars: int
    percent: float


class BoardStars(Struct, frozen=True, kw_only=True):
    """The best of the latest round of ratings whose stars are public, of organisations or service windows; `starred`
    counts all that have stars, `rated` all that were rated."""

    kind: Kind
    period: str
    published_at: datetime
    rated: int
    starred: int
    items: list[BoardStarred]


class BoardService(Struct, frozen=True, kw_only=True):
    """A service to come; `free` is how many can still come."""

    title: str
    team: str
    kind: str
    place: str
    community: str | None
    starts_at: datetime
    ends_at: datetime
    places: int
    free: int


class PublicBoard(Struct, frozen=True, kw_only=True):
    """All that is on the board of a district; `points` is None where no month was published."""

    district: str
    name: str
    months: list[str]
    points: BoardPoints | None
    models: list[BoardModel]
    commitments: list[BoardCommitment]
    stars: list[BoardStars]
    services: list[BoardService]


async def of_district(conn: asyncpg.Connection, district: District, asked: Asked, now: datetime) -> PublicBoard:
    """What is on the board. Raises NotFound for a month, version or page that was not published."""
    number = district.district
    months = await points_boards.months(conn, number)
    return PublicBoard(
        district=district.code,
        name=district.name,
        months=[f"{month:%Y-%m}" for month in months],
        points=await _points(conn, number, asked),
        models=[
            BoardModel(month=f"{one.month:%Y-%m}", subject=one.subject, name=one.name, text=one.text)
            for one in await models.public(conn, number)
        ],
        commitments=await _commitments(conn, number, now),
        stars=await _stars(conn, number),
        services=await _services(conn, number, now),
    )


async def _points(conn: asyncpg.Connection, district: int, asked: Asked) -> BoardPoints | None:
    board = await points_boards.board(conn, district, asked.month, asked.version)
    if board is None:
        if (asked.month, asked.version, asked.page) == (None, None, 1):
            return None
        raise NotFound("month")
    pages = max(1, -(-board.people // AT_ONCE))
    if asked.page > pages:
        raise NotFound("page")
    newest = await points_boards.board(conn, district, board.month) if asked.version else board
    people = await points_boards.rows(conn, district, board.id, asked.page, AT_ONCE)
    shown = [_row(one) for one in await rows(conn, district, people)]
    return _told(board, newest or board, asked.page, pages, shown)


def _row(one: Row) -> BoardRow:
    return BoardRow(
        place=one.place, name=one.name, points=one.points, deeds=one.deeds, minutes=one.minutes, helped=one.helped
    )


def _told(board: Board, newest: Board, page: int, pages: int, shown: list[BoardRow]) -> BoardPoints:
    return BoardPoints(
        month=f"{board.month:%Y-%m}",
        version=board.version,
        versions=newest.version,
        rules=board.rules,
        as_of=board.as_of,
        known_at=board.known_at,
        published_at=board.published_at,
        reason=board.reason,
        people=board.people,
        deeds=board.deeds,
        minutes=board.minutes,
        helped=board.helped,
        page=page,
        pages=pages,
        items=shown,
    )


async def _commitments(conn: asyncpg.Connection, district: int, now: datetime) -> list[BoardCommitment]:
    return [
        BoardCommitment(
            organisation=one.organisation_name,
            member=one.member_name,
            text=one.text,
            outcome=one.outcome,
            late=one.late,
            due_at=one.due_at,
            done_at=one.done_at,
            stars=None if one.stars is None else float(one.stars),
            rated=one.rated,
        )
        for one in await commitments.public(conn, district, now, limit=COMMITMENTS)
    ]


async def _stars(conn: asyncpg.Connection, district: int) -> list[BoardStars]:
    return [
        BoardStars(
            kind=one.kind,
            period=one.period.name,
            published_at=one.published_at,
            rated=one.rated,
            starred=one.starred,
            items=[
                BoardStarred(
                    name=each.name, organisation=each.organisation, stars=each.stars, percent=float(each.percent)
                )
                for each in one.items
            ],
        )
        for one in await public_stars.latest(conn, district, limit=STARRED)
    ]


async def _services(conn: asyncpg.Connection, district: int, now: datetime) -> list[BoardService]:
    return [
        BoardService(
            title=one.title,
            team=one.team,
            kind=one.kind,
            place=one.place,
            community=one.community_name,
            starts_at=one.starts_at,
            ends_at=one.ends_at,
            places=one.places,
            free=one.free,
        )
        for one in await services.to_come(conn, district, now, limit=SERVICES)
    ]


DISTRICTS = "select district, code, name, time_zone from district order by code, district limit 200"


async def districts(conn: asyncpg.Connection) -> list[District]:
    """Those that somebody can choose from who named none."""
    return [District(**row) for row in await conn.fetch(DISTRICTS)]

"""The public board at `/board`: points, models, commitments, stars, services to come. No sign-in, nothing about
residents; made once and handed to everybody, as `kept_answers` tells."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import asyncpg
import msgspec
from litestar import MediaType, Request, Response, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromQuery, QueryParameter

from api import database, problem_details, texts
from api.assessments import commitment_words
from api.auth import PUBLIC
from api.documented_problems import REFUSES
from api.exports import ITSELF_COMPRESSED
from api.issues import refuse_unfit
from api.pages import TEMPLATES
from api.volunteering import board_content, kept_answers, months
from api.volunteering.board_content import Asked, PublicBoard
from api.volunteering.kept_answers import KeptAnswers
from api.volunteering.kinds import KINDS
from surveys.assessments.public_stars import Kind
from surveys.people import people
from surveys.people.people import District
from surveys.refusals import InvalidFilter, Missing, NotFound
from surveys.volunteering import points_rules

Anybody = Request[Any, Any, Any]
Form = Literal["html", "json"]

OPEN = {PUBLIC: True, ITSELF_COMPRESSED: True}
MOST_MONTHS = 13  # that can be chosen at once
LARGEST_PAGE = 10_000


@get("/board", opt=OPEN, include_in_schema=False, media_type=MediaType.HTML)
async def board_page(request: Anybody) -> Response[bytes]:
    """The board of a month; of several districts one is chosen first."""
    return await _answer(request, asked(request), "html", MediaType.HTML)


@get(
    "/api/board",
    opt={**OPEN, REFUSES: (404, 422, 429)},
    security=[],
    summary="The public board",
    responses={200: ResponseSpec(PublicBoard, description="What is on the board")},
)
async def board_answer(
    request: Anybody,
    named: Annotated[
        str | None, QueryParameter(name="district", description="A district's code, where there are several")
    ] = None,
    month: Annotated[str | None, QueryParameter(description="As 2026-11; else the newest")] = None,
    version: FromQuery[int | None] = None,
    page: FromQuery[int] = 1,
) -> Response[bytes]:
    """What is on the public board of a district: points of a month with names where their volunteers agreed to that,
    models, commitments, services to come, and stars of organisations and service windows where a round of ratings
    publishes them."""
    refuse_unfit(request, ("district", "month", "version", "page", "lang"))
    return await _answer(request, asked(request), "json", MediaType.JSON)


def asked(request: Anybody) -> Asked:
    """What of a board a request asks for. Raises InvalidFilter."""
    query = request.query_params
    month: date | None = points_rules.month(query["month"]) if query.get("month") else None
    return Asked(
        district=(query.get("district") or "")[:20] or None,
        month=month,
        version=_number(query.get("version"), "version") if query.get("version") else None,
        page=_number(query.get("page") or "1", "page"),
    )


def _number(text: str | None, name: str) -> int:
    number = int(text) if text and text.isascii() and text.isdecimal() and len(text) <= 5 else 0
    if not 1 <= number <= LARGEST_PAGE:
        raise InvalidFilter(name, expected=f"1–{LARGEST_PAGE}")
    return number


async def _answer(request: Anybody, wanted: Asked, form: Form, media_type: MediaType) -> Response[bytes]:
    language = problem_details.language(request)
    made = await _kept(request).of(request, (wanted, form, language), _making(request, wanted, form, language))
    return kept_answers.answer(request, made, media_type)


def _kept(request: Anybody) -> KeptAnswers:
    state = request.app.state
    if "kept_answers" not in state:
        state["kept_answers"] = KeptAnswers(state.clock, state.limits)
    kept: KeptAnswers = state["kept_answers"]
    return kept


def _making(request: Anybody, wanted: Asked, form: Form, language: str) -> Callable[[], Awaitable[bytes]]:
    state = request.app.state

    async def make() -> bytes:
        async with database.acquired(state.pool) as conn:
            district = await _district(conn, wanted.district)
            if district is None:
                if form == "json":
                    raise Missing("district")
                return _choice(await board_content.districts(conn), language)
            board = await board_content.of_district(conn, district, wanted, state.clock())
        if form == "json":
            return msgspec.json.encode(board)
        return page(board, district, wanted, language)

    return make


async def _district(conn: asyncpg.Connection, named: str | None) -> District | None:
    """The district that is named, or the only one; None where one has to be chosen. Raises NotFound."""
    found = await people.of_jurisdiction(conn, named)
    if not found:
        raise NotFound("district")
    return None if named is None and len(found) > 1 else found[0]


# --- as a page

SUBJECTS: Mapping[str, str] = {
    "team": texts.marked("Volunteer team"),
    "volunteer": texts.marked("Volunteer"),
    "member": texts.marked("Member"),
    "organisation": texts.marked("Organisation"),
}

STARRED: Mapping[Kind, str] = {
    "organisation": texts.marked("Stars of organisations"),
    "window": texts.marked("Stars of service windows"),
}
MOST_STARS = 5


def _choice(districts: list[District], language: str) -> bytes:
    return _rendered("volunteering/board_districts.html", language, districts=districts)


def page(board: PublicBoard, district: District, wanted: Asked, language: str) -> bytes:
    """The page of a board."""

    def here(**changed: object) -> str:
        points = board.points
        said: dict[str, object] = {
            "district": wanted.district,
            "month": points.month if points else None,
            "version": wanted.version,
        }
        said |= {"lang": "en" if language == "en" else None} | changed
        kept = {name: value for name, value in said.items() if value is not None}
        return f"/board?{urlencode(kept)}" if kept else "/board"

    return _rendered(
        "volunteering/board.html",
        language,
        board=board,
        points=board.points,
        zone=district.zone,
        months=board.months[:MOST_MONTHS],
        kinds=KINDS,
        subjects=SUBJECTS,
        starred=STARRED,
        most_stars=MOST_STARS,
        named_period=months.period_in_language,
        outcomes=commitment_words.OUTCOMES,
        named=months.in_language,
        short=months.short,
        day_of=commitment_words.day_of,
        here=here,
    )


def _rendered(template: str, language: str, **context: Any) -> bytes:
    found = TEMPLATES.engine_instance.get_template(template)
    return found.render(language=language, **context).encode()


ROUTES = [board_page, board_answer]

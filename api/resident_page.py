"""The resident's page behind a card's QR code: what was promised, where each issue of the door stands and until when,
a new problem, and how it went. No account, any phone, nothing of anybody else."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from api import card_service_words, card_sessions, card_words, database, problem_details
from api.assessments import commitment_words
from api.attachments import Attachments
from api.auth import PUBLIC, Clock
from api.card_sessions import CardSession, CardSessionOver
from api.documented_problems import REFUSES
from api.filing import Numbers
from api.json_bodies import JsonBody
from api.limits import few_pages
from api.photos import DIGEST, Received
from api.public_pages import page
from api.sign_in import NOT_KEPT
from maps.locator import Atlas
from surveys.assessments import commitment_ratings, commitments
from surveys.assessments.commitment_ratings import Rated, Rating
from surveys.attachments import attachments as promises
from surveys.contact_cards import card_doors, card_terms, contact_cards
from surveys.contact_cards.card_doors import CardDoor, DoorIssue
from surveys.contact_cards.card_terms import Terms
from surveys.history import Actor
from surveys.intake import card_reports, outside_reports
from surveys.intake.card_reports import Report
from surveys.intake.outside_reports import Reported
from surveys.people import people
from surveys.privacy.sealing import KeyRing
from surveys.refusals import Invalid, NotFound
from surveys.return_visits import return_visit_answers
from surveys.return_visits.return_visit_answers import Answer, Answered
from surveys.volunteering import booking_lists

Anybody = Request[Any, Any, Any]

FRONTS_KEPT = timedelta(seconds=10)  # what a district says on its pages is looked up this often
MOST_FRONTS = 10_000
CONNECTIONS = (
    3  # of a pool whose questions are planned once: to plan a page's takes three times as long as to answer it
)
LARGEST_DISTRICT = 2_147_483_647


class CardTokenWrong(Invalid):
    """No card's token; whether a letter is wrong or all of them is not said."""

    code: ClassVar[str] = "card_token_wrong"


class Front(Struct, frozen=True, kw_only=True):
    """What the pages of an organisation's cards say whoever reads them."""

    district: str
    zone: ZoneInfo
    terms: Terms
    hotline: str | None
    serves: bool  # whether there is anything to say of volunteers' services
    commitments: bool  # whether any was made in public
    looked_up_at: datetime


class Fronts:
    """What pages say, looked up once every few seconds by each process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[tuple[int, UUID], Front] = {}

    async def of(self, conn: asyncpg.Connection, door: CardDoor) -> Front:
        """What the page of a door says."""
        key, now = (door.district, door.organisation), self._clock()
        kept = self._kept.get(key)
        if kept is not None and timedelta() <= now - kept.looked_up_at < FRONTS_KEPT:
            return kept
        district = await people.district(conn, door.district)
        front = Front(
            district=district.name if district else "",
            zone=district.zone if district else ZoneInfo("UTC"),
            terms=await card_terms.of_district(conn, door.district),
            hotline=await card_terms.hotline(conn, door.district, door.organisation),
            serves=await booking_lists.anything(conn, door.district, now),
            commitments=await commitments.any_in_public(conn, door.district),
            looked_up_at=now,
        )
        if len(self._kept) >= MOST_FRONTS:
            self._kept.clear()
        self._kept[key] = front
        return front


# --- coming in


class TokenShown(Struct, frozen=True, forbid_unknown_fields=True):
    """What stands behind # in a card's QR code."""

    token: Annotated[str, Meta(max_length=200)]


@post(
    "/card/session",
    opt={PUBLIC: True, REFUSES: (403,)},
    dto=JsonBody[TokenShown],
    return_dto=None,
    status_code=204,
    summary="Show a contact card",
    security=[],
    guards=[few_pages],
)
async def show_card(request: Anybody, data: JSONBody[TokenShown], clock: NamedDependency[Clock]) -> Response[None]:
    """Exchange the token of a card for a cookie that opens the pages of its door for an hour."""
    card_sessions.refuse_foreign(request)
    district, _, rest = data.token.partition(".")
    token, _, _number = rest.partition(".")  # the number is for who leaves the card
    number = int(district) if district.isascii() and district.isdecimal() and len(district) <= 10 else 0
    digest = contact_cards.token_digest(number, token)
    async with database.acquired(request.app.state.card_pool) as conn:
        door = await card_doors.of_token(conn, number if number <= LARGEST_DISTRICT else 0, digest)
    if door is None:
        raise CardTokenWrong("token")
    cookie = card_sessions.cookie(request, request.app.state.ring, door, clock())
    return Response(None, cookies=[cookie], headers=NOT_KEPT)


# --- the pages


@get("/card", opt={PUBLIC: True}, include_in_schema=False, guards=[few_pages])
async def card_page(request: Anybody, clock: NamedDependency[Clock]) -> Response[str]:
    """The page of a door, or, for who has not shown a card, how to do so."""
    now = clock()
    try:
        session = opened(request, now)
    except CardSessionOver:
        return page(request, "card_scan.html", {})
    async with database.acquired(request.app.state.card_pool) as conn:
        found = await card_doors.page(conn, session.district, session.number)
        if found is None:
            raise CardSessionOver
        door, issues = found
        front = await _front(request, conn, door)
        of_services = await booking_lists.of_door(conn, door, now) if front.serves and door.usable else None
        promised = await commitments.of_door(conn, door, now) if front.commitments else []
    language = problem_details.language(request)
    shown = [_shown(issue, front, now, language) for issue in issues]
    context: dict[str, Any] = {
        **_common(session, door, front),
        "issues": shown,
        "just_reported": _named(request, "reported", issues),
        "just_answered": _named(request, "answered", issues),
        "faces": card_words.FACES,
        "commitments": [commitment_words.at_door(one, front.zone, now, language) for one in promised],
        "just_rated": any(str(one.id) == request.query_params.get("rated") for one in promised),
        "new_id": uuid4,
        **card_service_words.context(of_services, request.query_params, front.zone, now, language),
    }
    return page(request, "card.html", context)


@get("/card/report", opt={PUBLIC: True}, include_in_schema=False, guards=[few_pages])
async def report_page(request: Anybody, clock: NamedDependency[Clock]) -> Response[str]:
    """The page on which a resident writes down a new problem."""
    now = clock()
    try:
        session = opened(request, now)
    except CardSessionOver:
        return page(request, "card_scan.html", {})
    async with database.acquired(request.app.state.card_pool) as conn:
        door = await door_of(conn, session)
        front = await _front(request, conn, door)
        choices = await outside_reports.choices(conn, door.district, now)
    context: dict[str, Any] = {**_common(session, door, front), "choices": choices, "id": uuid4()}
    return page(request, "card_report.html" if door.usable else "card.html", context)


@post(
    "/card/reports",
    opt={PUBLIC: True, REFUSES: (401, 403, 409)},
    dto=JsonBody[Report],
    return_dto=None,
    status_code=201,
    summary="Report a problem through a contact card",
    security=[],
)
async def report_problem(request: Anybody, data: JSONBody[Report], clock: NamedDependency[Clock]) -> Reported:
    """Make an issue of what a resident writes; the same report again gets its first answer."""
    now = clock()
    session = opened(request, now)
    state = request.app.state
    state.limits.refuse_over("card_report", f"{session.district}/{session.number}")
    atlas: Atlas = state.atlas
    numbers: Numbers = state.numbers
    ring: KeyRing = state.ring
    async with database.acquired(state.pool) as conn:
        reserved = await numbers.take(conn, session.district, 1)
        async with conn.transaction():
            door = await door_of(conn, session)
            return await card_reports.report(conn, atlas, ring, reserved, door, data, now)


@post(
    "/card/issues/{issue:uuid}/answer",
    opt={PUBLIC: True, REFUSES: (401, 403, 404, 409)},
    dto=JsonBody[Answer],
    return_dto=None,
    status_code=200,
    summary="Say through a contact card how it went",
    security=[],
)
async def answer_for(
    request: Anybody, data: JSONBody[Answer], clock: NamedDependency[Clock], issue: FromPath[UUID]
) -> Answered:
    """Say whether an issue of the door is solved, and how satisfied one is: one to five, below three with a reason.

    What is not solved, or not satisfying, is opened again."""
    now = clock()
    session = opened(request, now)
    async with database.acquired(request.app.state.pool) as conn, conn.transaction():
        door = await door_of(conn, session)
        if not await card_doors.has(conn, door, issue):
            raise NotFound
        return await return_visit_answers.answer_by_card(conn, door.district, issue, door.number, data, now)


@post(
    "/card/commitments/{commitment:uuid}/rating",
    opt={PUBLIC: True, REFUSES: (401, 403, 404, 409)},
    dto=JsonBody[Rating],
    return_dto=None,
    status_code=201,
    summary="Say through a contact card whether a commitment was kept",
    security=[],
)
async def rate_commitment_at_door(
    request: Anybody, data: JSONBody[Rating], clock: NamedDependency[Clock], commitment: FromPath[UUID]
) -> Rated:
    """Say whether what was promised to the door was kept, and how well: one to five, below three with a reason."""
    now = clock()
    session = opened(request, now)
    async with database.acquired(request.app.state.pool) as conn, conn.transaction():
        door = await door_of(conn, session)
        return await commitment_ratings.rate_by_card(conn, door, commitment, data, now)


@post(
    "/card/issues/{issue:uuid}/photos/{sha256:str}",
    opt={PUBLIC: True, REFUSES: (401, 403, 404, 408, 413, 422)},
    request_max_body_size=None,  # it is counted against what was promised
    status_code=201,
    summary="Send a photo through a contact card",
    security=[],
)
async def send_photo(
    request: Anybody,
    clock: NamedDependency[Clock],
    attachments: NamedDependency[Attachments],
    issue: FromPath[UUID],
    sha256: FromPath[str],
) -> Response[Received]:
    """Send a photo that was promised with a report, as the body: 201 when it is new, 200 when it had come before."""
    session = opened(request, clock())
    if not DIGEST.fullmatch(sha256):
        raise NotFound
    async with database.acquired(request.app.state.pool) as conn:
        door = await door_of(conn, session)
        if not await card_doors.has_reported(conn, door, issue):
            raise NotFound
        promise = await promises.promised(conn, door.district, "issue", issue, sha256)
    new = await attachments.receive(promise, request.stream(), Actor("resident", door.number))
    return Response(Received(sha256, new), status_code=201 if new else 200)


@post("/card/leave", opt={PUBLIC: True}, status_code=204, include_in_schema=False)
async def leave(request: Anybody, clock: NamedDependency[Clock]) -> Response[None]:
    """Put the card away: the next who opens this browser sees nothing."""
    opened(request, clock())
    return Response(None, cookies=[card_sessions.no_cookie(request)], headers=NOT_KEPT)


def opened(request: Anybody, now: datetime) -> CardSession:
    """The card that a request is about. Raises CardSessionOver, CsrfMissing or TooManyRequests."""
    session = card_sessions.opened(request, request.app.state.ring, now)
    request.app.state.limits.refuse_over("card", f"{session.district}/{session.number}")
    return session


async def door_of(conn: asyncpg.Connection, session: CardSession) -> CardDoor:
    """The door of a session's card. Raises CardSessionOver."""
    door = await card_doors.of_number(conn, session.district, session.number)
    if door is None:
        raise CardSessionOver
    return door


async def _front(request: Anybody, conn: asyncpg.Connection, door: CardDoor) -> Front:
    fronts: Fronts = request.app.state.fronts
    return await fronts.of(conn, door)


def _common(session: CardSession, door: CardDoor, front: Front) -> dict[str, Any]:
    dialled = "".join(one for one in front.hotline or "" if one.isdigit() or one == "+")
    return {"csrf": session.csrf, "door": door, "front": front, "dialled": dialled}


def _shown(issue: DoorIssue, front: Front, now: datetime, language: str) -> dict[str, Any]:
    return {
        "issue": issue,
        "standing": card_words.standing(issue, front.zone, now, language),
        "reported": card_words.day(issue.reported_at, front.zone, now, language),
        "answerable": issue.can_be_answered(now),
    }


def _named(request: Anybody, parameter: str, issues: Sequence[DoorIssue]) -> DoorIssue | None:
    """The issue of this door whose number the address names; any other text is nothing."""
    wanted = request.query_params.get(parameter, "")
    return next((issue for issue in issues if issue.number == wanted), None)


ROUTES = [show_card, card_page, report_page, report_problem, answer_for, rate_commitment_at_door, send_photo, leave]

"""Services through a contact card: a place is booked, given up again, and what was done is judged."""

from typing import Any
from uuid import UUID

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from api import database
from api.auth import PUBLIC, Clock
from api.documented_problems import REFUSES
from api.json_bodies import JsonBody, Nothing
from api.resident_page import door_of, opened
from surveys.return_visits.return_visit_answers import Answer
from surveys.volunteering import bookings, service_return_visits
from surveys.volunteering.bookings import Booked, BookingByCard
from surveys.volunteering.service_return_visits import ServiceAnswered

Anybody = Request[Any, Any, Any]


@post(
    "/card/services/{service:uuid}/bookings",
    opt={PUBLIC: True, REFUSES: (401, 403, 404, 409)},
    dto=JsonBody[BookingByCard],
    return_dto=None,
    status_code=201,
    summary="Book a service through a contact card",
    security=[],
)
async def book_through_card(
    request: Anybody, data: JSONBody[BookingByCard], clock: NamedDependency[Clock], service: FromPath[UUID]
) -> Booked:
    """Book places for people of the card's door, or wait for them, in order of arrival. A card books a service once;
    the same booking again gets its first answer, as it stands by then."""
    now = clock()
    session = opened(request, now)
    async with database.acquired(request.app.state.pool) as conn, conn.transaction():
        return await bookings.book_by_card(conn, await door_of(conn, session), service, data, now)


@post(
    "/card/bookings/{booking:uuid}/cancellation",
    opt={PUBLIC: True, REFUSES: (401, 403, 404, 409)},
    dto=JsonBody[Nothing],
    return_dto=None,
    status_code=200,
    summary="Cancel a booking through a contact card",
    security=[],
)
async def cancel_through_card(
    request: Anybody, data: JSONBody[Nothing], clock: NamedDependency[Clock], booking: FromPath[UUID]
) -> Booked:
    """Take back a booking of the card's door; who waits first moves up at once."""
    now = clock()
    session = opened(request, now)
    async with database.acquired(request.app.state.pool) as conn, conn.transaction():
        return await bookings.cancel_by_card(conn, await door_of(conn, session), booking, now)


@post(
    "/card/bookings/{booking:uuid}/answer",
    opt={PUBLIC: True, REFUSES: (401, 403, 404, 409)},
    dto=JsonBody[Answer],
    return_dto=None,
    status_code=200,
    summary="Say through a contact card how a service was",
    security=[],
)
async def answer_through_card(
    request: Anybody, data: JSONBody[Answer], clock: NamedDependency[Clock], booking: FromPath[UUID]
) -> ServiceAnswered:
    """Say whether a service was what one needed, and how satisfied one is: one to five, below three with a reason."""
    now = clock()
    session = opened(request, now)
    async with database.acquired(request.app.state.pool) as conn, conn.transaction():
        door = await door_of(conn, session)
        return await service_return_visits.answer_by_card(conn, door, booking, data, now)


ROUTES = [book_through_card, cancel_through_card, answer_through_card]

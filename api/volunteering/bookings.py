"""Bookings of services over HTTP: by a member for a door, at the desk, and what those who came said."""

from typing import Annotated
from uuid import UUID

import asyncpg
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from api.auth import Clock
from api.json_bodies import JsonBody, Nothing
from surveys.people.people import Reader
from surveys.return_visits.return_visit_answers import AnswerHeard
from surveys.volunteering import booking_lists, bookings, service_return_visits, services_to_ask
from surveys.volunteering.booking_lists import MyBooking
from surveys.volunteering.bookings import Booked, BookingForDoor
from surveys.volunteering.service_return_visits import ServiceAnswered
from surveys.volunteering.services_to_ask import ToAskPage


class MyBookings(Struct, frozen=True):
    """Bookings that the reader made for others, those that are soonest first."""

    items: list[MyBooking]


@get("/api/volunteering/bookings", summary="Bookings that I made")
async def list_bookings(
    conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader], clock: NamedDependency[Clock]
) -> MyBookings:
    """What the reader booked for doors, of services that are not long over: those to come soonest first."""
    return MyBookings(await booking_lists.of_member(conn, reader, clock()))


@post(
    "/api/volunteering/services/{service:uuid}/bookings",
    dto=JsonBody[BookingForDoor],
    return_dto=None,
    status_code=201,
    summary="Book a service for a door",
)
async def book_service(
    data: JSONBody[BookingForDoor],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    service: FromPath[UUID],
) -> Booked:
    """Book places for somebody at a door, by its card or its id, or, at the desk, for who came there. Where all places
    are taken the booking waits, in order of arrival; its `number` is what to tell them. A retry gets its first
    answer, as it stands by then."""
    return await bookings.book_for_door(conn, reader, service, data, clock())


@post(
    "/api/volunteering/bookings/{booking:uuid}/cancellation",
    dto=JsonBody[Nothing],
    return_dto=None,
    status_code=200,
    summary="Cancel a booking",
)
async def cancel_booking(
    data: JSONBody[Nothing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    booking: FromPath[UUID],
) -> Booked:
    """Take back a booking that one made, or, at the desk, any of the service; who waits first moves up at once."""
    return await bookings.cancel_by_member(conn, reader, booking, clock())


@post(
    "/api/volunteering/bookings/{booking:uuid}/answer",
    dto=JsonBody[AnswerHeard],
    return_dto=None,
    status_code=200,
    summary="What somebody said of a service",
)
async def answer_of_booking(
    data: JSONBody[AnswerHeard],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    booking: FromPath[UUID],
) -> ServiceAnswered:
    """Tell what who came said on a visit or by telephone: whether it was what they needed, and how satisfied they are,
    from one to five; below three, and where it was not, with the reason. Whoever served there is refused."""
    return await service_return_visits.answer_by_member(conn, reader, booking, data, clock())


@get("/api/volunteering/return-visits", summary="Whom to ask how a service was")
async def list_to_ask(
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    team: FromQuery[UUID | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    cursor: FromQuery[str | None] = None,
) -> ToAskPage:
    """Who came to a service and is still to be asked how it was, within the reader's reach; those whose time ends first
    at the head. `may_answer` is false where the reader announced, reported, confirmed or served."""
    return await services_to_ask.page(conn, reader, clock(), team=team, limit=limit, cursor=cursor)


ROUTES = [list_to_ask, list_bookings, book_service, cancel_booking, answer_of_booking]

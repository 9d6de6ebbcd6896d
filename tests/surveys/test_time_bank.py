"""The time bank: earned, passed on, corrected; held for a person where two things were done at once."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from surveys.history import Actor
from surveys.refusals import IdTaken
from surveys.volunteering import time_bank, time_sums
from surveys.volunteering.time_bank import Served
from tests.conftest import DISTRICT, NOW
from tests.volunteers import serving_one

pytestmark = pytest.mark.anyio

DESK = Actor("member", str(UUID(int=9)))
MARCH = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # nine in the morning


def served(volunteer: UUID, starts_at: datetime = MARCH, minutes: float = 60) -> Served:
    return Served(
        id=uuid4(),
        volunteer=volunteer,
        service=uuid4(),
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=minutes),
    )


async def earn(conn: asyncpg.Connection, *given: Served, now: datetime = NOW) -> list[str]:
    return [one.status for one in await time_bank.earn(conn, DISTRICT, given, DESK, now)]


async def balance(conn: asyncpg.Connection, account: UUID) -> int:
    found: int = await conn.fetchval(
        "select balance from time_account where district = $1 and id = $2", DISTRICT, account
    )
    return found


async def sound(conn: asyncpg.Connection) -> time_sums.Check:
    """The ledger reckoned anew, which must come to nothing."""
    check = await time_sums.check(conn, DISTRICT)
    assert (check.total, check.wrong) == (0, 0)
    assert check.persons == check.issued + check.carried - check.given_back
    return check


async def test_what_is_served_is_earned_once(undone: asyncpg.Connection) -> None:
    first, second = await serving_one(undone), await serving_one(undone)
    given = [served(first), served(second), served(first, MARCH + timedelta(hours=2), minutes=90)]
    assert await earn(undone, *given) == ["booked"] * 3
    assert await earn(undone, *given) == ["booked"] * 3
    assert (await balance(undone, first), await balance(undone, second)) == (150, 60)
    assert (await sound(undone)).issued == 210


async def test_two_services_at_once_go_to_a_person(undone: asyncpg.Connection) -> None:
    volunteer = await serving_one(undone)
    assert await earn(undone, served(volunteer)) == ["booked"]
    half_in, after = served(volunteer, MARCH + timedelta(minutes=30)), served(volunteer, MARCH + timedelta(minutes=60))
    assert await earn(undone, half_in, after, served(volunteer, MARCH + timedelta(minutes=90))) == [
        "held",
        "held",  # it overlaps the one that is held, which may yet be booked
        "held",
    ]
    assert await balance(undone, volunteer) == 60


async def test_fourteen_hours_go_to_a_person(undone: asyncpg.Connection) -> None:
    volunteer = await serving_one(undone)
    long, shorter = served(volunteer, minutes=14 * 60), served(volunteer, MARCH + timedelta(days=1), 14 * 60 - 1)
    assert await earn(undone, long, shorter) == ["held", "booked"]
    assert await balance(undone, volunteer) == 839


async def test_an_id_is_not_used_for_something_else(undone: asyncpg.Connection) -> None:
    one = served(await serving_one(undone))
    await earn(undone, one)
    with pytest.raises(IdTaken):
        await earn(undone, msgspec.structs.replace(one, ends_at=one.ends_at + timedelta(hours=1)))

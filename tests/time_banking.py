"""What tests do in the time bank, and that its ledger is sound afterwards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from surveys import refusals
from surveys.history import Actor
from surveys.people.people import Grant, Reader
from surveys.volunteering import relatives, time_bank, time_rules, time_sums
from surveys.volunteering.relatives import RelativeDraft
from surveys.volunteering.time_bank import Correction, PassOn, Served
from surveys.volunteering.time_rules import Rules, RulesDraft
from tests import volunteers
from tests.conftest import ADMINISTRATOR, DISTRICT, NOW, Person
from tests.volunteers import serving_one

SAVER = UUID(int=7001)
DESK = Actor("member", str(ADMINISTRATOR.id))
MARCH = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # nine in the morning in the district


async def settle(conn: asyncpg.Connection) -> None:
    """A volunteer who has earned, passed minutes on to a relative of a hostile name, and has something that waits."""
    await conn.execute(volunteers.VOLUNTEER, DISTRICT, SAVER, "V-7001", None, NOW - timedelta(days=300))
    await earn(conn, served(SAVER, minutes=150), served(SAVER, minutes=60))
    relative = await relative_of(conn, SAVER, '<img src=x onerror="window.ran=1">')
    await pass_on(conn, SAVER, SAVER, relative, 45)


def reader(person: Person) -> Reader:
    """Somebody of the small district, as the program knows who asks."""
    grant = Grant(person.role, person.scope_kind, person.scope)  # type: ignore[arg-type]
    return Reader(
        district=DISTRICT, member=person.id, name=person.name, organisation=person.organisation, grants=(grant,)
    )


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


async def relative_of(conn: asyncpg.Connection, volunteer: UUID, name: str = "李桂芳", now: datetime = NOW) -> UUID:
    draft = RelativeDraft(id=uuid4(), relation="parent_in_law", name=name)
    return await relatives.name_one(conn, DISTRICT, volunteer, draft, DESK, now)


async def pass_on(
    conn: asyncpg.Connection, volunteer: UUID, source: UUID, target: UUID | None, minutes: int, now: datetime = NOW
) -> None:
    draft = PassOn(id=uuid4(), minutes=minutes, from_account=source, to_account=target)
    try:
        await time_bank.pass_on(conn, DISTRICT, volunteer, draft, DESK, now)
    except asyncpg.IntegrityConstraintViolationError as error:
        raise refusals.of_constraint(error) or error from None


def correction(minutes: int) -> Correction:
    return Correction(id=uuid4(), minutes=minutes, reason="记错了")


def rules_draft(**changed: Any) -> RulesDraft:
    return RulesDraft(**{"id": uuid4(), "expected_version": 0, "reason": "区里的规定", **changed})


async def set_rules(conn: asyncpg.Connection, **changed: Any) -> Rules:
    return await time_rules.set_rules(conn, reader(ADMINISTRATOR), rules_draft(**changed), NOW)


async def account_of_another(conn: asyncpg.Connection) -> UUID:
    another = await serving_one(conn)
    await earn(conn, served(another))
    return another


async def balance(conn: asyncpg.Connection, account: UUID) -> int:
    question = "select balance from time_account where district = $1 and id = $2"
    found: int = await conn.fetchval(question, DISTRICT, account)
    return found


async def sound(conn: asyncpg.Connection) -> time_sums.Check:
    """The ledger reckoned anew, which must come to nothing."""
    check = await time_sums.check(conn, DISTRICT)
    assert (check.total, check.wrong) == (0, 0)
    assert check.persons == check.issued + check.carried - check.given_back
    return check


@asynccontextmanager
async def refused(conn: asyncpg.Connection) -> AsyncIterator[None]:
    """What fails in here leaves nothing, and the transaction around it usable."""
    async with conn.transaction():
        yield

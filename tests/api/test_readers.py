"""Requests that arrive together are looked up together, and each finds its own person or none."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from api import database
from api.auth import Readers
from surveys.access import sessions
from surveys.access.sessions import Credential
from surveys.people.people import Reader
from surveys.refusals import NotSignedIn
from tests.conftest import DISTRICT, LEADER, MEMBER, NOW, PEOPLE, Person, TestClock

pytestmark = pytest.mark.anyio


def presented(person: Person) -> Credential:
    return sessions.credential(person.token)


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await database.open_pool(dsn, most=2)
    yield opened
    await opened.close()


@pytest.fixture
def readers(pool: asyncpg.Pool, clock: TestClock) -> Readers:
    return Readers(pool, clock)


async def test_each_finds_their_own(readers: Readers, conn: asyncpg.Connection) -> None:
    session = await sessions.sign_in(conn, LEADER.token, timedelta(hours=1), NOW)
    together = [*(presented(person) for person in PEOPLE), sessions.credential(session.secret), presented(MEMBER)]
    found = await asyncio.gather(*(readers.find(one) for one in together))
    assert [reader.member for reader in found] == [*(person.id for person in PEOPLE), LEADER.id, MEMBER.id]


async def test_a_stranger_among_them_is_refused_alone(readers: Readers) -> None:
    unknown = sessions.credential(sessions.mint("token", DISTRICT))
    elsewhere = sessions.credential(sessions.mint("session", 1))
    found = await asyncio.gather(*map(readers.find, [unknown, presented(MEMBER), elsewhere]), return_exceptions=True)
    assert [type(one) for one in found] == [NotSignedIn, Reader, NotSignedIn]


async def test_a_revoked_token_is_refused_by_the_next_request(readers: Readers, conn: asyncpg.Connection) -> None:
    await readers.find(presented(MEMBER))
    await sessions.revoke_tokens(conn, DISTRICT, "tests", NOW)
    with pytest.raises(NotSignedIn):
        await readers.find(presented(MEMBER))


async def test_who_hangs_up_is_not_waited_for(readers: Readers) -> None:
    patient, impatient = (asyncio.create_task(readers.find(presented(one))) for one in (MEMBER, LEADER))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).member == MEMBER.id
    assert (await readers.find(presented(LEADER))).member == LEADER.id


async def test_a_failure_reaches_all_who_asked_and_nobody_after(readers: Readers, owner_dsn: str) -> None:
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute("revoke select on access_token from zoufang_app")
    failed = await asyncio.gather(*(readers.find(presented(one)) for one in (MEMBER, LEADER)), return_exceptions=True)
    assert [type(one) for one in failed] == [asyncpg.InsufficientPrivilegeError] * 2
    await owner.execute("grant select on access_token to zoufang_app")
    assert (await readers.find(presented(MEMBER))).member == MEMBER.id
    await owner.close()

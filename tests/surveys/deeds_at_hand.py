"""Deeds as the services and the time bank write them, put there by hand: volunteers, services with their reports and
answers, the minutes of the ledger and their corrections."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg

from tests.conftest import DISTRICT, MEMBER, NOW, ORGANISATION

LONG_AGO = NOW - timedelta(days=300)
TEAM = UUID(int=0x7EA)

FOUND = """
insert into volunteer_team (district, id, version, kind, organisation, text_version, founded_at, recorded_at)
values ($1, $2, 1, 'arts', $3, 1, $4, $4)
"""
JOIN = """
insert into volunteer (district, id, version, number, member, joined_at, name_public_since, text_version, recorded_at)
values ($1, $2, 1, $3, $4, $5, $6, $7, $5)
"""
HOLD = """
insert into service (district, id, version, team, kind, state, starts_at, ends_at, places, waiting_places, certainty,
  text_version, announced_by, announced_at, helped, reported_by, reported_at, confirmed_by, confirmed_at, recorded_at)
values ($1, $2, 3, $3, $4, 'confirmed', $5, $6, 50, 10, 'unplaced', 1, $7, $8, $9, $7, $10, $7, $10, $10)
"""
SAY = """
insert into text_version (district, subject, version, body, salt, digest, recorded_at)
values ($1, $2, 1, $3, '', '', $4)
"""
SERVE = """
insert into time_transaction (district, id, kind, minutes, lines, volunteer, served, service, corrects, happened_at,
  recorded_at, request)
values ($1, $2, $3, $4, 2, $5, $6, $7, $8, $9, $10, '')
"""
BOOK = """
insert into booking (district, id, version, service, number, state, persons, via, member, booked_at, placed_at,
  recorded_at)
values ($1, $2, 1, $3, $4, 'came', 1, 'desk', $5, $6, $6, $6)
"""
ASK = """
insert into service_return_visit (district, id, service, booking, state, invited_at, closes_at)
values ($1, $2, $3, $2, 'invited', $4, $4)
"""
ANSWER = """
insert into service_answer (district, id, return_visit, service, answered_at, solved, satisfaction, recorded_at)
values ($1, $2, $3, $4, $5, true, $6, $5)
"""


async def say(conn: asyncpg.Connection, subject: UUID, body: dict[str, str]) -> None:
    """The texts of a thing, in their first version."""
    await conn.execute(SAY, DISTRICT, subject, body, LONG_AGO)


async def team(conn: asyncpg.Connection, id_: UUID = TEAM, name: str = "合唱队") -> UUID:
    """Found a team."""
    await conn.execute(FOUND, DISTRICT, id_, ORGANISATION, LONG_AGO)
    await say(conn, id_, {"name": name})
    return id_


async def volunteer(
    conn: asyncpg.Connection,
    number: str,
    *,
    id_: UUID | None = None,
    member: UUID | None = None,
    name: str = "",
    public: bool = False,
) -> UUID:
    """Let a member serve, or somebody of a name, known by a number."""
    id_ = id_ or uuid4()
    since, version = LONG_AGO if public else None, 1 if name else None
    await conn.execute(JOIN, DISTRICT, id_, number, member, LONG_AGO, since, version)
    if name:
        await say(conn, id_, {"name": name})
    return id_


async def service(
    conn: asyncpg.Connection,
    at: datetime,
    *,
    kind: str = "arts",
    helped: int = 0,
    known: datetime | None = None,
    team_: UUID = TEAM,
    title: str = "",
) -> UUID:
    """A service that was held and confirmed."""
    id_ = uuid4()
    ends, told = at + timedelta(hours=2), known or at + timedelta(hours=3)
    await conn.execute(HOLD, DISTRICT, id_, team_, kind, at, ends, MEMBER.id, LONG_AGO, helped, told)
    if title:
        await say(conn, id_, {"title": title})
    return id_


async def serve(
    conn: asyncpg.Connection, who: UUID, at_service: UUID, minutes: int, at: datetime, known: datetime | None = None
) -> UUID:
    """The minutes of somebody at a service, in the ledger."""
    id_ = uuid4()
    told = known or at + timedelta(hours=3)
    await conn.execute(SERVE, DISTRICT, id_, "earn", minutes, who, minutes, at_service, None, at, told)
    return id_


async def correct(conn: asyncpg.Connection, transaction: UUID, known: datetime) -> None:
    """Take back all that a transaction says."""
    row = await conn.fetchrow(
        "select volunteer, minutes, service, happened_at from time_transaction where district = $1 and id = $2",
        DISTRICT,
        transaction,
    )
    assert row is not None
    volunteer, minutes, at_service, at = row
    await conn.execute(
        SERVE, DISTRICT, uuid4(), "correct", minutes, volunteer, -minutes, at_service, transaction, at, known
    )


async def answer(conn: asyncpg.Connection, about: UUID, faces: Sequence[int], at: datetime) -> list[UUID]:
    """What those say who came, each by a return visit of their own."""
    asked = []
    first: int = await conn.fetchval(
        "select count(*) from booking where district = $1 and service = $2", DISTRICT, about
    )
    for number, face in enumerate(faces, first + 1):
        id_ = uuid4()
        await conn.execute(BOOK, DISTRICT, id_, about, number, MEMBER.id, at)
        await conn.execute(ASK, DISTRICT, id_, about, at)
        await conn.execute(ANSWER, DISTRICT, uuid4(), id_, about, at, face)
        asked.append(id_)
    return asked

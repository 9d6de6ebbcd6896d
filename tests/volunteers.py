"""Volunteers of the small district, as rows."""

from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg

from tests.conftest import DISTRICT, NOW, ORGANISATION

VOLUNTEER = """
insert into volunteer (district, id, version, number, member, joined_at, recorded_at) values ($1, $2, 1, $3, $4, $5, $5)
"""
TEAM = """
insert into volunteer_team (district, id, version, kind, organisation, leader, text_version, founded_at, recorded_at)
values ($1, $2, 1, 'neighbours', $3, $4, 1, $5, $5)
"""
JOIN = "insert into team_volunteer (district, team, volunteer, joined_at, recorded_at) values ($1, $2, $3, $4, $4)"


async def serving_one(conn: asyncpg.Connection, member: UUID | None = None) -> UUID:
    """A volunteer, who may be a member."""
    id_ = uuid4()
    await conn.execute(VOLUNTEER, DISTRICT, id_, f"V{id_.hex[:8]}", member, NOW - timedelta(days=360))
    return id_


async def team_of(
    conn: asyncpg.Connection, *volunteers: UUID, leader: UUID | None = None, organisation: UUID = ORGANISATION
) -> UUID:
    """A team of these volunteers, the leader among them."""
    team, at = uuid4(), NOW - timedelta(days=360)
    await conn.execute(TEAM, DISTRICT, team, organisation, leader, at)
    await conn.executemany(JOIN, [(DISTRICT, team, one, at) for one in {*volunteers, *([leader] if leader else [])}])
    return team

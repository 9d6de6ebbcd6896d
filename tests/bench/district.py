"""The bench's district: 600 communities, each with its worker, streets with dispatchers, members and categories."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from maps import boundaries
from surveys.access import sessions
from surveys.people import people
from surveys.people.people import Founding
from tests.bench import coverage

DISTRICT = 410103
TOKENS = 400  # members who file during the bench
LONG_AGO = timedelta(days=400)

FIRST_MEMBER = 1_000_000
LEADER = UUID(int=1)
CATEGORIES = [f"{group:02d}{at:02d}" for group in range(1, 6) for at in range(1, 11)]

MEMBERS = """
insert into member (district, id, number, name, organisation, joined_at)
select $1, lpad(to_hex($2::int + at), 32, '0')::uuid, at::text, '党员' || at, $3, $4 from generate_series(1, $5::int) at
"""

# The first members are on duty, in the order of codes: a street's dispatcher, then its communities' workers.
ROLES = """
with on_duty as (
  select lpad(to_hex($2::int + row_number() over (order by code)), 32, '0')::uuid as member, role, scope_kind, code
  from (select 'community_worker' as role, 'community' as scope_kind, code from community where district = $1
        union all select 'dispatcher', 'street', code from street where district = $1) places
)
insert into member_role (district, member, role, scope_kind, scope)
select $1, member, role, scope_kind, code from on_duty
union all
select $1, id, 'member', 'own', '' from member where district = $1 and id <> $3
"""

DEPARTMENTS = (
    "insert into department (district, code, name) select $1, 'd' || at, '部门' || at from generate_series(1, 9) at"
)

GROUPS = """
insert into category (district, code, name, channel)
select $1, code, '事项组' || code, 'joint_review' from (select distinct left(c, 2) from unnest($2::text[]) c) g(code)
"""
ALLOWED = """
insert into category (district, code, name, parent, channel, department)
select $1, c, '事项' || c, left(c, 2), 'joint_review', 'd' || (1 + right(c, 2)::int % 9) from unnest($2::text[]) c
"""
LIMITS = """
insert into category_limit (district, category, urgency, version, amount, unit, response_amount, response_unit,
  valid_from)
select $1, c, urgency, 1, hours, 'calendar_hours', least(hours, 24), 'calendar_hours', $3
from unnest($2::text[]) c, (values ('normal', 72), ('urgent', 24), ('emergency', 4)) u(urgency, hours)
"""
ALLOW_TOKENS = """
insert into access_token (district, digest, member, label, created_at)
select $1, digest, member, 'bench', $4 from unnest($2::bytea[], $3::uuid[]) t(digest, member)
"""


def token(at: int) -> str:
    """The token of the member at this place, or, at 0, the leader's."""
    return f"zf_{DISTRICT}_{at:A>43}"


def member(at: int) -> UUID:
    """The member at this place, or, at 0, the leader."""
    return UUID(int=FIRST_MEMBER + at) if at else LEADER


async def found(conn: asyncpg.Connection, members: int = 5_000) -> None:
    """Write the district into an empty database."""
    now = datetime.now(UTC)
    long_ago = now - LONG_AGO
    founding = Founding(
        district=DISTRICT,
        code=str(DISTRICT),
        name="测速区",
        time_zone="Asia/Shanghai",
        organisation=UUID(int=2),
        organisation_name="第一支部",
        member=LEADER,
        member_number="0",
        member_name="总调度",
    )
    async with conn.transaction():
        await people.found(conn, founding, long_ago)
        await boundaries.store(conn, DISTRICT, coverage.areas(), valid_from=long_ago, source="bench", now=long_ago)
        await conn.execute(MEMBERS, DISTRICT, FIRST_MEMBER, founding.organisation, long_ago, members)
        await conn.execute(ROLES, DISTRICT, FIRST_MEMBER, LEADER)
        await conn.execute(DEPARTMENTS, DISTRICT)
        await conn.execute(GROUPS, DISTRICT, CATEGORIES)
        await conn.execute(ALLOWED, DISTRICT, CATEGORIES)
        await conn.execute(LIMITS, DISTRICT, CATEGORIES, long_ago)
        holders = range(TOKENS + 1)
        digests = [sessions.credential(token(at)).digest for at in holders]
        await conn.execute(ALLOW_TOKENS, DISTRICT, digests, [member(at) for at in holders], long_ago)

"""Lists of help that was asked for: what a volunteer could take on, what they and their family asked for, what they
help with, and what is under way at the desk. Where somebody lives is shown to who took it on, and to who asked."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.people.people import Reader
from surveys.people.scopes import Parameters
from surveys.volunteering import standing, time_accounts
from surveys.volunteering.help_reserves import State
from surveys.volunteering.time_accounts import Relation
from surveys.volunteering.time_rules import AccountKind


class Help(Struct, frozen=True, kw_only=True):
    """A request for help as it is shown; `where` is left out for who has no need to know."""

    id: UUID
    version: int
    state: State
    account: UUID
    kind: AccountKind
    volunteer: UUID  # whose account it is, or who named the relative
    relation: Relation | None
    team: UUID | None
    helper: UUID | None
    community: str | None
    community_name: str | None
    wanted_at: datetime
    minutes: int
    started_at: datetime | None
    ended_at: datetime | None
    helper_said_at: datetime | None
    helped_said_at: datetime | None
    asked_at: datetime
    what: str | None
    where: str | None


SHOWN = """
select r.id, r.version, r.state, r.account, a.kind, a.volunteer, a.relation, r.team, r.helper, r.community,
       c.name as community_name, r.wanted_at, r.minutes, r.started_at, r.ended_at, r.helper_said_at, r.helped_said_at,
       r.asked_at, t.body->>'what' as what, {where} as "where"
from help_request r
join time_account a on a.district = r.district and a.id = r.account
left join community c on c.district = r.district and c.code = r.community
left join text_version t on t.district = r.district and t.subject = r.id and t.version = r.text_version
where r.district = $1
"""
ALL, VEILED = SHOWN.format(where="t.body->>'where'"), SHOWN.format(where="null::text")
TO_TAKE = (
    f"{VEILED} and r.state = 'open' and r.wanted_at > $3 and a.volunteer <> $2 order by r.wanted_at, r.id limit $4"
)
OF_FAMILY = f"{ALL} and r.account = any($2::uuid[]) order by r.asked_at desc, r.id desc limit $3"
HELPING = f"{ALL} and r.helper = $2 order by r.asked_at desc, r.id desc limit $3"
ONE = f"{ALL} and r.id = $2"


async def to_take(conn: Connection, district: int, volunteer: UUID, now: datetime, *, limit: int = 20) -> list[Help]:
    """What a volunteer could take on, the soonest first: what others ask for, and was not to be done long ago."""
    rows = await conn.fetch(TO_TAKE, district, volunteer, now - timedelta(days=1), limit)
    return [Help(**row) for row in rows]


async def of_family(conn: Connection, district: int, accounts: list[UUID], *, limit: int = 20) -> list[Help]:
    """What was asked for from these accounts, newest first."""
    return [Help(**row) for row in await conn.fetch(OF_FAMILY, district, accounts, limit)]


async def helping(conn: Connection, district: int, volunteer: UUID, *, limit: int = 20) -> list[Help]:
    """What a volunteer took on, newest first."""
    return [Help(**row) for row in await conn.fetch(HELPING, district, volunteer, limit)]


class Waiting(Struct, frozen=True, kw_only=True):
    """What is under way, the soonest first."""

    items: list[Help]
    total: int


async def waiting(conn: Connection, reader: Reader, *, limit: int = 100) -> Waiting:
    """What is asked for and not over, of those whom the reader looks after, or by a team of theirs."""
    parameter = Parameters(reader.district)
    where = "r.state in ('open', 'taken', 'held')"
    stands = await standing.of_reader(conn, reader)
    asked = time_accounts.condition(stands, parameter, "a.volunteer")
    if asked is not None:
        teams = stands.condition(parameter, "v")
        where += (
            f" and ({asked} or exists (select from volunteer_team v"
            f" where v.district = $1 and v.id = r.team and {teams}))"
        )
    rows: list[Any] = await conn.fetch(
        f"{ALL} and {where} order by r.wanted_at, r.id limit {parameter(limit)}", *parameter.values
    )
    total: int = await conn.fetchval(
        "select count(*) from help_request r join time_account a on a.district = r.district and a.id = r.account"
        f" where r.district = $1 and {where}",
        *parameter.values[:-1],
    )
    return Waiting(items=[Help(**row) for row in rows], total=total)


TEAMS = """
select t.id, n.body->>'name' as name from team_volunteer j
join volunteer_team t on t.district = j.district and t.id = j.team
left join text_version n on n.district = t.district and n.subject = t.id and n.version = t.text_version
where j.district = $1 and j.volunteer = $2 and j.left_at is null and t.closed_at is null order by t.id
"""


class Team(Struct, frozen=True):
    """A team that a volunteer is in."""

    id: UUID
    name: str | None


async def teams_of(conn: Connection, district: int, volunteer: UUID) -> list[Team]:
    """The teams for which a volunteer could take help on."""
    return [Team(**row) for row in await conn.fetch(TEAMS, district, volunteer)]

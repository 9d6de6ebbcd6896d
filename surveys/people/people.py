"""Organisations, members, departments, and what a person may do where."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection
from msgspec import Struct

from surveys.refusals import NotAllowed

Role = Literal[
    "member",  # what they filed and own, and their own organisation's area
    "organiser",  # an organisation and all below it
    "community_worker",  # a community
    "dispatcher",  # a street or the district
    "department_handler",  # what a department was given
    "leader",  # the district or named streets; reads
    "administrator",  # the district
    "auditor",  # the history, and nothing of what it is about
    "operator",  # settings and health, and no resident's data
]
ScopeKind = Literal["own", "organisation", "community", "street", "department", "district"]

# Roles that read what was found at doors; the others keep the house in order and never see it.
READING: frozenset[Role] = frozenset(get_args(Role)) - {"auditor", "operator"}


class Grant(Struct, frozen=True):
    """A role, and the place or department in which it holds; `scope` is that one's code."""

    role: Role
    scope_kind: ScopeKind
    scope: str


class Reader(Struct, frozen=True, kw_only=True):
    """The person behind a request: every read is made for one, and sees no more than their grants reach."""

    district: int
    member: UUID
    name: str
    organisation: UUID
    grants: tuple[Grant, ...]

    def roles(self) -> frozenset[Role]:
        """The roles held anywhere."""
        return frozenset(grant.role for grant in self.grants)

    def require(self, *roles: Role) -> None:
        """Raises NotAllowed unless the reader holds one of these roles somewhere."""
        if not self.roles().intersection(roles):
            raise NotAllowed

    def scopes(self, kind: ScopeKind) -> list[str]:
        """The codes of the places, departments or organisations of this kind that a reading role holds."""
        return sorted({grant.scope for grant in self.grants if grant.scope_kind == kind and grant.role in READING})

    def reads_district(self) -> bool:
        """Whether a reading role covers the whole district."""
        return bool(self.scopes("district"))


def of_whole_district(district: int) -> Reader:
    """Who reads the whole district and is nobody: for what the program makes at the command line."""
    nobody = UUID(int=0)
    grants = (Grant("leader", "district", str(district)),)
    return Reader(district=district, member=nobody, name="", organisation=nobody, grants=grants)


# Who is away at $3, and who stands in for them: a deputy who has left, or is away as well, stands in for nobody.
_AWAY = """a.district = $1 and a.cancelled_at is null and a.starts_at <= $3 and a.ends_at > $3"""
_STANDING_IN = f"""
  left join member_absence a on a.member = m.id and {_AWAY}
  left join member d on d.district = $1 and d.id = a.deputy and d.closed_at is null
    and not exists (select from member_absence a where a.member = d.id and {_AWAY})
"""
_THEY_OR_DEPUTY = "(coalesce(d.id, m.id), coalesce(d.name, m.name))"
_HOLDER = f"""
  select {_THEY_OR_DEPUTY} from member_role r
  join member m on m.district = r.district and m.id = r.member {_STANDING_IN}
  where r.district = $1 and m.closed_at is null and (a.id is null or d.id is not null)
"""

# The first person on duty for each community: its worker, else its street's dispatcher, else the district's; in place
# of one who is away their deputy.
ON_DUTY = f"""
select wanted.code, c.name,
  coalesce(
    ({_HOLDER} and r.role = 'community_worker' and r.scope_kind = 'community' and r.scope = wanted.code
      order by m.number limit 1),
    ({_HOLDER} and r.role = 'dispatcher' and r.scope_kind = 'street' and r.scope = c.street
      order by m.number limit 1),
    (select {_THEY_OR_DEPUTY} from district t
      join member m on m.district = t.district and m.id = t.dispatcher {_STANDING_IN}
      where t.district = $1 limit 1)) as handler
from unnest($2::text[]) as wanted(code)
left join community c on c.district = $1 and c.code = wanted.code
"""


class Handler(Struct, frozen=True):
    """The member who answers for an issue, by id and name."""

    id: UUID
    name: str


class Duty(Struct, frozen=True):
    """Who answers for what is new in a community, and the community's name; None in no community."""

    handler: Handler
    community: str | None


async def on_duty(
    conn: Connection, district: int, communities: Sequence[str | None], now: datetime
) -> dict[str | None, Duty]:
    """Who is on duty for each community; None stands for a place in no community."""
    wanted = list({code or "" for code in communities})
    rows = await conn.fetch(ON_DUTY, district, wanted, now)
    return {row["code"] or None: Duty(Handler(*row["handler"]), row["name"]) for row in rows}


async def first_handlers(
    conn: Connection, district: int, communities: Sequence[str | None], now: datetime
) -> dict[str | None, Handler]:
    """Who answers for a new issue in each community; None stands for a place in no community."""
    duties = await on_duty(conn, district, communities, now)
    return {code: duty.handler for code, duty in duties.items()}


async def first_handler(conn: Connection, district: int, community: str | None, now: datetime) -> UUID:
    """Who answers for a new issue in a community."""
    return (await first_handlers(conn, district, [community], now))[community].id


OPEN_MEMBERS = "select id, organisation from member where district = $1 and id = any($2) and closed_at is null"


async def open_members(conn: Connection, district: int, members: Sequence[UUID]) -> dict[UUID, UUID]:
    """The organisation of each of these members who has not left."""
    return {row["id"]: row["organisation"] for row in await conn.fetch(OPEN_MEMBERS, district, list(set(members)))}


PRESENT = f"""
select m.id from member m where m.district = $1 and m.id = any($2) and m.closed_at is null
  and not exists (select from member_absence a where a.member = m.id and {_AWAY})
"""


async def present(conn: Connection, district: int, members: Sequence[UUID], now: datetime) -> set[UUID]:
    """Those of these members who have neither left nor are away."""
    return {row["id"] for row in await conn.fetch(PRESENT, district, list(set(members)), now)}


class Able(Struct, frozen=True):
    """What keeps a member from taking something on: that they are away, or that no role of theirs reads issues."""

    away: bool
    reads: bool


ABLE = f"""
select exists (select from member_absence a where a.member = m.id and {_AWAY}) as away,
  exists (select from member_role r where r.district = $1 and r.member = m.id and r.role = any($4)) as reads
from member m where m.district = $1 and m.id = $2 and m.closed_at is null
"""


async def able(conn: Connection, district: int, member: UUID, now: datetime) -> Able | None:
    """Whether a member can take something on; None for one who has left, or whom there never was."""
    row = await conn.fetchrow(ABLE, district, member, now, sorted(READING))
    return Able(row["away"], row["reads"]) if row else None


READER = """
select m.id, m.name, m.organisation,
       array(select (r.role, r.scope_kind, r.scope) from member_role r
              where r.district = $1 and r.member = m.id order by r.role, r.scope_kind, r.scope) as grants
from member m where m.district = $1 and m.number = $2 and m.closed_at is null
"""


async def reader(conn: Connection, district: int, number: str) -> Reader | None:
    """The member of this number with all that they may do, or None when nobody has it, or who had it has left."""
    row = await conn.fetchrow(READER, district, number)
    if row is None:
        return None
    grants = tuple(Grant(*grant) for grant in row["grants"])
    return Reader(
        district=district, member=row["id"], name=row["name"], organisation=row["organisation"], grants=grants
    )


ROLES = "select role from member_role where district = $1 and member = $2"


async def roles(conn: Connection, district: int, member: UUID) -> set[Role]:
    """The roles that a member holds anywhere."""
    return {row["role"] for row in await conn.fetch(ROLES, district, member)}


NAMES = "select id, name from member where district = $1 and id = any($2)"


async def names(conn: Connection, district: int, members: Sequence[UUID]) -> dict[UUID, str]:
    """What to call these members, those who have left included."""
    return {row["id"]: row["name"] for row in await conn.fetch(NAMES, district, list(set(members)))}


DEPARTMENT_EXISTS = "select exists (select from department where district = $1 and code = $2)"


async def department_exists(conn: Connection, district: int, code: str) -> bool:
    """Whether the district has this department."""
    found: bool = await conn.fetchval(DEPARTMENT_EXISTS, district, code)
    return found


class District(Struct, frozen=True, kw_only=True):
    """The tenant and how it reckons days."""

    district: int
    code: str
    name: str
    time_zone: str

    @property
    def zone(self) -> ZoneInfo:
        """The zone by whose days the district reckons."""
        return ZoneInfo(self.time_zone)


DISTRICT = "select district, code, name, time_zone from district where district = $1"


async def district(conn: Connection, number: int) -> District | None:
    """The district of this number, or None when there is none here."""
    row = await conn.fetchrow(DISTRICT, number)
    return District(**row) if row else None


JURISDICTION = """
select district, code, name, time_zone from district
where $1::text is null or code = $1 or district::text = $1 order by district limit 2
"""


async def of_jurisdiction(conn: Connection, named: str | None) -> list[District]:
    """The districts that bear this code or number, two at most; any of them where none is named."""
    if named is not None and "\x00" in named:
        return []
    return [District(**row) for row in await conn.fetch(JURISDICTION, named)]


class Founding(Struct, frozen=True, kw_only=True):
    """What a new installation starts from: a district, its first organisation, and its first administrator."""

    district: int
    code: str
    name: str
    time_zone: str
    organisation: UUID
    organisation_name: str
    member: UUID
    member_number: str
    member_name: str


# The first administrator is the district's dispatcher as well, until another is named.
FOUND = """
with d as (
  insert into district (district, code, name, time_zone, dispatcher, created_at) values ($1, $2, $3, $4, $7, $10)
), s as (
  insert into number_series (district, series, next) values ($1, 'issue', 10001)
), o as (
  insert into organisation (district, id, name) values ($1, $5, $6)
), standing as (
  insert into organisation_spans (district, organisation, valid_from, name, recorded_at) values ($1, $5, $10, $6, $10)
), m as (
  insert into member (district, id, number, name, organisation, joined_at) values ($1, $7, $8, $9, $5, $10)
)
insert into member_role (district, member, role, scope_kind, scope)
values ($1, $7, 'administrator', 'district', $1::int::text), ($1, $7, 'dispatcher', 'district', $1::int::text),
       ($1, $7, 'member', 'own', '')
"""


async def found(conn: Connection, founding: Founding, now: datetime) -> None:
    """Write a new district; a UniqueViolationError on district_pkey says that it is there already."""
    await conn.execute(
        FOUND,
        founding.district,
        founding.code,
        founding.name,
        founding.time_zone,
        founding.organisation,
        founding.organisation_name,
        founding.member,
        founding.member_number,
        founding.member_name,
        now,
    )

"""Accounts of the time bank: who has one, who may look at it, and lists of them for the desk."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys import cursors
from surveys.people.people import Reader
from surveys.people.scopes import Parameters, refuse_who_reads_nothing
from surveys.refusals import NotFound
from surveys.volunteering import standing, time_rules
from surveys.volunteering.standing import Standing
from surveys.volunteering.team_lists import pattern
from surveys.volunteering.time_rules import AccountKind, Rules

Relation = Literal["spouse", "parent", "child", "grandparent", "grandchild", "sibling", "parent_in_law", "other"]


class Account(Struct, frozen=True, kw_only=True):
    """An account as it stands, in minutes: `available` is what can be asked with or passed on now."""

    id: UUID
    kind: AccountKind
    volunteer: UUID
    relation: Relation | None
    name: str | None  # a relative's, unless it was forgotten
    card: str | None
    version: int
    balance: int
    reserved: int
    available: int
    opened_at: datetime
    closed_at: datetime | None


ROWS = """
select a.id, a.kind, a.volunteer, a.relation, n.body->>'name' as name, a.card, a.version, a.balance, a.reserved,
       a.opened_at, a.closed_at
from time_account a
left join text_version n on n.district = a.district and n.subject = a.id and n.version = a.text_version
"""


def account(row: Any, rules: Rules, now: datetime) -> Account:
    """An account as its row tells of it."""
    lowest = rules.lowest(row["kind"], row["opened_at"], now)
    available = 0 if row["closed_at"] else max(row["balance"] - row["reserved"] - lowest, 0)
    return Account(**row, available=available)


async def of_volunteer(conn: Connection, district: int, volunteer: UUID, now: datetime) -> list[Account]:
    """A volunteer's own account, and those of the relatives whom they name; none before something moved on it."""
    rules = await time_rules.in_force(conn, district, now)
    question = f"{ROWS} where a.district = $1 and a.volunteer = $2 and a.closed_at is null order by a.kind desc, a.id"
    return [account(row, rules, now) for row in await conn.fetch(question, district, volunteer)]


FAMILY = """
select id from time_account where district = $1 and volunteer = $2 and id = any($3::uuid[]) and closed_at is null
"""


async def of_family(conn: Connection, district: int, volunteer: UUID, accounts: Iterable[UUID]) -> set[UUID]:
    """Those of these open accounts that are a volunteer's own or their relatives'."""
    return {row["id"] for row in await conn.fetch(FAMILY, district, volunteer, list(accounts))}


async def one(conn: Connection, district: int, id: UUID, now: datetime) -> Account:  # noqa: A002 - the column's name
    """An account. Raises NotFound."""
    row = await conn.fetchrow(f"{ROWS} where a.district = $1 and a.id = $2", district, id)
    if row is None:
        raise NotFound
    return account(row, await time_rules.in_force(conn, district, now), now)


# --- who may look at it


async def own(conn: Connection, reader: Reader) -> UUID | None:
    """The volunteer that a reader is, if they serve."""
    return await standing.volunteer_of(conn, reader)


def condition(stands: Standing, parameter: Callable[[Any], str], volunteer: str) -> str | None:
    """The condition under which a reader looks after a volunteer, by a team that they are in; None for all of the
    district. `volunteer` is the column that says whom; the row's district is the first parameter."""
    teams = stands.condition(parameter, "t")
    if teams is None:
        return None
    return (
        "exists (select from team_volunteer j join volunteer_team t on t.district = j.district and t.id = j.team"
        f" where j.district = $1 and j.volunteer = {volunteer} and j.left_at is null and {teams})"
    )


async def looked_after(conn: Connection, reader: Reader, volunteers: Iterable[UUID]) -> bool:
    """Whether a reader looks after one of these volunteers. Raises NotAllowed for who reads nothing."""
    parameter = Parameters(reader.district, list(volunteers))
    where = condition(await standing.of_reader(conn, reader), parameter, "v.id")
    if where is None:
        return True
    question = f"select exists (select from unnest($2::uuid[]) v(id) where {where})"
    found: bool = await conn.fetchval(question, *parameter.values)
    return found


async def seen(conn: Connection, reader: Reader, id: UUID, now: datetime) -> Account:  # noqa: A002
    """An account that is the reader's or their relative's, or of a volunteer whom they look after. Raises NotFound for
    others', so that nobody learns of them, and NotAllowed for who reads nothing."""
    refuse_who_reads_nothing(reader)
    found = await one(conn, reader.district, id, now)
    if found.volunteer == await own(conn, reader):
        return found
    if not await looked_after(conn, reader, [found.volunteer]):
        raise NotFound
    return found


# --- the list at the desk

# By the name or number of a volunteer, or the name of the relative whom they named.
FOUND = """(exists (select from volunteer v
    left join member n on n.district = v.district and n.id = v.member
    left join text_version x on x.district = v.district and x.subject = v.id and x.version = v.text_version
    where v.district = $1 and v.id = a.volunteer and (v.ended_at is null and coalesce(n.name, x.body->>'name') ilike {0}
      or v.ended_at is null and n.number ilike {0} or v.number ilike {0}))
  or exists (select from text_version x where x.district = $1 and x.subject = a.id and x.version = a.text_version
    and x.body->>'name' ilike {0}))"""


class Cursor(Struct, frozen=True):
    """Where a page of accounts ended."""

    balance: int
    id: UUID


class Accounts(Struct, frozen=True, kw_only=True):
    """A page of accounts, those with most minutes first."""

    items: list[Account]
    next: str | None
    total: int


async def listed(
    conn: Connection,
    reader: Reader,
    now: datetime,
    *,
    text: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Accounts:
    """The accounts of those whom the reader looks after; with `text` those of this name or number. Raises NotAllowed
    for who reads nothing, InvalidFilter and InvalidCursor."""
    stands = await standing.of_reader(conn, reader)
    parameter = Parameters(reader.district)
    where = ["a.district = $1", condition(stands, parameter, "a.volunteer") or "true"]
    if (wanted := pattern(text)) is not None:
        where.append(FOUND.format(f"{parameter(wanted)}::text"))
    total: int = await conn.fetchval(
        f"select count(*) from time_account a where {' and '.join(where)}", *parameter.values
    )
    if cursor is not None:
        after = cursors.read(cursor, Cursor)
        where.append(f"(a.balance, a.id) < ({parameter(after.balance)}::int, {parameter(after.id)}::uuid)")
    question = f"{ROWS} where {' and '.join(where)} order by a.balance desc, a.id desc limit {parameter(limit + 1)}"
    rows = await conn.fetch(question, *parameter.values)
    rules = await time_rules.in_force(conn, reader.district, now)
    items = [account(row, rules, now) for row in rows[:limit]]
    last = cursors.write(Cursor(items[-1].balance, items[-1].id)) if len(rows) > limit else None
    return Accounts(items=items, next=last, total=total)

"""Statements: what moved on an account, with the balance after each line, as of any past day, as known at any."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys import cursors
from surveys.selections import Selection
from surveys.volunteering.time_accounts import Relation
from surveys.volunteering.time_ledger import Kind, System

Other = Literal["volunteer", "relative"]


class StatementLine(Struct, frozen=True, kw_only=True):
    """What moved on an account, in minutes, and what it had after that. The other side is a person's account or the
    district's; `reason` is why it was corrected."""

    transaction: UUID
    kind: Kind
    minutes: int
    balance: int
    happened_at: datetime
    recorded_at: datetime
    service: UUID | None
    help: UUID | None
    corrects: UUID | None
    corrected_by: UUID | None
    reason: str | None
    other_account: UUID | None
    other_kind: Other | None
    other_volunteer: UUID | None
    other_relation: Relation | None
    other_name: str | None  # of a relative of the same family
    system: System | None


class Cursor(Struct, frozen=True):
    """Where a page ended, the moments at which the statement was taken, and the balance before its last line."""

    before: datetime
    known_at: datetime
    happened_at: datetime
    recorded_at: datetime
    transaction: UUID
    balance: int


class Statement(Struct, frozen=True, kw_only=True):
    """A page of a statement, newest first; `balance` is what the account had at `before`, as known at `known_at`."""

    account: UUID
    before: datetime
    known_at: datetime
    balance: int
    items: list[StatementLine]
    next: str | None
    total: int


# What happened before $3, as known at $4.
OPENING = """
select coalesce(sum(e.minutes), 0)::int as balance, count(*)::int as total from time_entry e
where e.district = $1 and e.account = $2 and e.happened_at < $3 and e.recorded_at <= $4
"""
_TOLD = """
  t.kind, t.service, t.help, t.corrects, r.body->>'reason' as reason,
  (select n.id from time_transaction n
    where n.district = $1 and n.corrects = t.id and n.recorded_at <= $4) as corrected_by,
  o.account as other_account, o.system, a.kind as other_kind, a.volunteer as other_volunteer,
  a.relation as other_relation,
  case when a.volunteer = (select m.volunteer from time_account m where m.district = $1 and m.id = $2)
       then w.body->>'name' end as other_name
"""
_JOINS = """
join time_transaction t on t.district = $1 and t.id = p.transaction
left join text_version r on r.district = $1 and r.subject = t.id and r.version = 1
left join lateral (
  select e.account, e.system from time_entry e
  where e.district = $1 and e.transaction = p.transaction and e.account is distinct from $2 order by e.line limit 1
) o on true
left join time_account a on a.district = $1 and a.id = o.account
left join text_version w on w.district = $1 and w.subject = a.id and w.version = a.text_version
"""
_NEWEST_FIRST = "{0}.happened_at desc, {0}.recorded_at desc, {0}.transaction desc"
# $5: the balance after the newest line; $6: how many; after them where the page before ended.
PAGE = f"""
with page as (
  select e.transaction, e.minutes, e.happened_at, e.recorded_at from time_entry e
  where e.district = $1 and e.account = $2 and e.happened_at < $3 and e.recorded_at <= $4 {{after}}
  order by {_NEWEST_FIRST.format("e")} limit $6
)
select p.transaction, p.minutes, p.happened_at, p.recorded_at,
  ($5 - coalesce(sum(p.minutes) over (
     order by {_NEWEST_FIRST.format("p")} rows between unbounded preceding and 1 preceding), 0))::int as balance,
  {_TOLD}
from page p {_JOINS}
order by {_NEWEST_FIRST.format("p")}
"""
AFTER = "and (e.happened_at, e.recorded_at, e.transaction) < ($7, $8, $9)"


async def page(
    conn: Connection,
    district: int,
    account: UUID,
    before: datetime,
    known_at: datetime,
    *,
    cursor: str | None = None,
    limit: int = 50,
) -> Statement:
    """A page of what moved on an account before a moment, as known at another; a cursor keeps both. That the reader may
    see the account is the caller's to make sure. Raises InvalidCursor."""
    ended = cursors.read(cursor, Cursor) if cursor is not None else None
    before, known_at = (ended.before, ended.known_at) if ended else (before, known_at)
    (opening,) = await conn.fetch(OPENING, district, account, before, known_at)
    values = [district, account, before, known_at, ended.balance if ended else opening["balance"], limit + 1]
    if ended is not None:
        values += [ended.happened_at, ended.recorded_at, ended.transaction]
    rows = await conn.fetch(PAGE.format(after=AFTER if ended else ""), *values)
    items = [StatementLine(**row) for row in rows[:limit]]
    return Statement(
        account=account,
        before=before,
        known_at=known_at,
        balance=opening["balance"],
        items=items,
        next=_ended(items[-1], before, known_at) if len(rows) > limit else None,
        total=opening["total"],
    )


def _ended(last: StatementLine, before: datetime, known_at: datetime) -> str:
    return cursors.write(
        Cursor(before, known_at, last.happened_at, last.recorded_at, last.transaction, last.balance - last.minutes)
    )


# The whole of it, oldest first, as somebody keeps it in a file.
WHOLE = f"""
select p.transaction, p.minutes, p.happened_at, p.recorded_at,
  (sum(p.minutes) over (order by p.happened_at, p.recorded_at, p.transaction))::int as balance,
  {_TOLD}
from time_entry p {_JOINS}
where p.district = $1 and p.account = $2 and p.happened_at < $3 and p.recorded_at <= $4
order by p.happened_at, p.recorded_at, p.transaction
"""


def whole(district: int, account: UUID, before: datetime, known_at: datetime) -> Selection:
    """All that moved on an account before a moment, as known at another, oldest first."""
    return Selection(WHOLE, (district, account, before, known_at))

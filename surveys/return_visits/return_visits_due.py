"""What residents are still to be asked about, for those who go to their doors or call them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection
from msgspec import Struct

from surveys import cursors
from surveys.counting import issue_lists
from surveys.counting.issue_lists import Item
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.people.scopes import Parameters
from surveys.return_visits.return_visit_answers import ASKING, HANDLING


class Invitation(Struct, frozen=True, kw_only=True):
    """Something that a resident is still to be asked about; `may_answer` is whether this reader may tell what they
    say: who handled the issue may not."""

    id: UUID
    round: int
    invited_at: datetime
    closes_at: datetime
    may_answer: bool
    issue: Item


class Invitations(Struct, frozen=True, kw_only=True):
    """A part of the open invitations, those that close first at its head, and where the next part begins."""

    items: list[Invitation]
    next: str | None
    total: int | None = None


class Asked(Struct, frozen=True, kw_only=True):
    """Which invitations to list; what is left out narrows nothing."""

    community: str | None = None
    premises: UUID | None = None
    street: str | None = None
    organisation: UUID | None = None  # the reporter's on the day


class _Cursor(Struct, frozen=True, array_like=True):
    """Where a page ended."""

    closes_at: datetime
    id: UUID


# Open invitations of issues within the reader's reach. Each is of an issue that is taken for solved: who changes that
# withdraws it (issue_changes), so that whoever reaches the whole district counts them without their issues.
OPEN = "from return_visit r {issues} where r.district = $1 and r.state = 'invited' and {where}"
ISSUES = "join issue i on i.district = r.district and i.id = r.issue"

# A part of them, and whether the reader has handled the issue.
PAGE = """
select r.id, r.issue, r.round, r.invited_at, r.closes_at,
  coalesce(i.owner = {me} or i.agent = {me} or i.department = any({departments}), false) or exists (
      select from history h where h.district = i.district and h.thing = i.id and h.actor_kind = 'member'
        and h.actor = {me}::text and h.event = any({handling})) as handled
{open} {after} order by r.closes_at, r.id limit {limit}
"""


async def page(
    conn: Connection,
    reader: Reader,
    asked: Asked,
    zone: ZoneInfo,
    now: datetime,
    *,
    limit: int = 50,
    cursor: str | None = None,
    total: bool = True,
) -> Invitations:
    """A part of what residents are still to be asked about, of what the reader may see. Raises NotAllowed,
    InvalidCursor."""
    counted = await count(conn, reader, asked) if total else None
    where, parameter = await _where(conn, reader, asked)
    open_ = OPEN.format(issues=ISSUES, where=where or "true")
    rows = await conn.fetch(_part(open_, parameter, reader, cursor, limit), *parameter.values)
    shown = rows[:limit]
    last = _Cursor(shown[-1]["closes_at"], shown[-1]["id"]) if len(rows) > limit else None
    return Invitations(
        items=await _with_issues(conn, reader, shown, zone, now),
        next=cursors.write(last) if last else None,
        total=counted,
    )


async def count(conn: Connection, reader: Reader, asked: Asked) -> int:
    """How many the whole list has. Raises NotAllowed."""
    where, parameter = await _where(conn, reader, asked)
    open_ = OPEN.format(issues=ISSUES if where else "", where=where or "true")
    counted: int = await conn.fetchval(f"select count(*) {open_}", *parameter.values)
    return counted


async def _where(conn: Connection, reader: Reader, asked: Asked) -> tuple[str, Parameters]:
    """What the issues must be like; nothing where all of them are within reach."""
    parameter = Parameters(reader.district)
    reached = (await scopes.reach(conn, reader)).condition(parameter, "issue", "i")
    conditions = [reached] if reached else []
    for column in ("community", "premises", "organisation"):
        if (value := getattr(asked, column)) is not None:
            conditions.append(f"i.{column} = {parameter(value)}")
    if asked.street is not None:
        of_street = f"select code from community where district = $1 and street = {parameter(asked.street)}"
        conditions.append(f"i.community in ({of_street})")
    return " and ".join(conditions), parameter


def _part(open_: str, parameter: Parameters, reader: Reader, cursor: str | None, limit: int) -> str:
    after = ""
    if cursor:
        last = cursors.read(cursor, _Cursor)
        after = f"and (r.closes_at, r.id) > ({parameter(last.closes_at)}, {parameter(last.id)})"
    return PAGE.format(
        me=f"{parameter(reader.member)}::uuid",
        departments=f"{parameter(reader.scopes('department'))}::text[]",
        handling=f"{parameter(sorted(HANDLING))}::text[]",
        open=open_,
        after=after,
        limit=parameter(limit + 1),
    )


async def _with_issues(
    conn: Connection, reader: Reader, rows: Sequence[Any], zone: ZoneInfo, now: datetime
) -> list[Invitation]:
    items = await issue_lists.of_ids(conn, reader, [row["issue"] for row in rows], zone, now)
    by_id = {item.id: item for item in items}
    asks = bool(reader.roles() & ASKING)
    return [
        Invitation(
            id=row["id"],
            round=row["round"],
            invited_at=row["invited_at"],
            closes_at=row["closes_at"],
            may_answer=asks and not row["handled"],
            issue=by_id[row["issue"]],
        )
        for row in rows
        if row["issue"] in by_id
    ]

"""Merging: two issues that are the same thing go on as one, and come apart again as they were.

The one that is merged keeps its number, its history and its reporters, and points to the one that survives, which tells
of it in its own history. Nothing can be merged into what is merged itself, so that pointers never run in a circle.
[twins.md](twins.md) tells what becomes of clocks and rates."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.clock import calendars, clock
from surveys.history import Actor
from surveys.issues.issue_changes import Change
from surveys.issues.issues import ROW, IssueRow, event_id
from surveys.issues.measures import Answer
from surveys.issues.workflow import OPEN, SOLVED, State
from surveys.refusals import AlreadyMerged, MoveNotPossible, SameIssue

MERGED_INTO_MOST = 50  # one after another; nobody gets that far


class Joined(Struct, frozen=True, kw_only=True):
    """What merging, or taking apart, leads to: the row of the one that is moved, what is told beside what changed, and
    what the survivor tells."""

    row: IssueRow
    facts: Mapping[str, object]
    survivor: Change


class Survivor(Struct, frozen=True, kw_only=True):
    """Where a thing stands that was reported more than once, and nothing of who else reported it, or where."""

    id: UUID
    number: str
    state: State
    due_at: datetime
    paused_at: datetime | None
    resolved_at: datetime | None
    answer: Answer | None


# What each issue leads to: itself, or what it was merged into, and what that was merged into since.
LED = f"""
with recursive led as (
  select i.id as issue, i.id as at, i.merged_into as next, 0 as steps from issue i
  where i.district = $1 and i.id = any($2)
  union all
  select led.issue, i.id, i.merged_into, led.steps + 1
  from led join issue i on i.district = $1 and i.id = led.next where led.steps < {MERGED_INTO_MOST}
)
"""
SURVIVORS = f"{LED} select issue, at from led where next is null"
SURVIVOR = f"""
{LED}
select i.id, i.number::text, i.state, i.due_at, i.paused_at, i.resolved_at, i.answer
from led join issue i on i.district = $1 and i.id = led.at where led.next is null
"""


async def survivors(conn: Connection, district: int, issues: Sequence[UUID]) -> dict[UUID, UUID]:
    """What each of these issues has become a part of in the end; itself, where it was not merged."""
    return {row["issue"]: row["at"] for row in await conn.fetch(SURVIVORS, district, issues)}


async def survivor(conn: Connection, district: int, issue: UUID) -> Survivor | None:
    """Where an issue stands, for whoever reported it: as it stands itself or, once it was merged, as what it was merged
    into does. None if there is no such issue. The caller has made sure that the issue is theirs to ask about."""
    row = await conn.fetchrow(SURVIVOR, district, [issue])
    return Survivor(**row) if row else None


# Who reported what has become a part of each of these issues, however many mergers ago.
PARTS = """
with recursive led as (
  select i.id as survivor, i.id as at from unnest($2::uuid[]) i(id)
  union
  select led.survivor, m.id from led join issue m on m.district = $1 and m.merged_into = led.at
)
select led.survivor, i.id, i.reporter from led join issue i on i.district = $1 and i.id = led.at
where led.at <> led.survivor and i.reporter is not null order by i.id
"""


class Part(Struct, frozen=True):
    """An issue that is a part of another by now, and who reported it."""

    issue: UUID
    reporter: UUID


async def parts(conn: Connection, district: int, survivors: Sequence[UUID]) -> dict[UUID, list[Part]]:
    """What members reported that has become a part of each of these issues, so that they are told how it goes on."""
    found: dict[UUID, list[Part]] = {}
    for row in await conn.fetch(PARTS, district, survivors) if survivors else []:
        found.setdefault(row["survivor"], []).append(Part(row["id"], row["reporter"]))
    return found


# Both issues that a move is about, in the order of their ids, as everybody locks them.
HOLD = """
select from issue where district = $1
  and id in ($2, coalesce($3, (select merged_into from issue where district = $1 and id = $2)))
order by id for update
"""


async def hold(conn: Connection, district: int, issue: UUID, to: str | None) -> None:
    """Lock an issue, and what it is to be merged into or was merged into, until the transaction ends."""
    await conn.execute(HOLD, district, issue, named(to))


def named(to: str | None) -> UUID | None:
    """The issue that a move names; None if that is no id."""
    try:
        return UUID(to or "")
    except ValueError:
        return None


def refuse_unfit(row: IssueRow, into: IssueRow) -> None:
    """Raises SameIssue, AlreadyMerged with what the other was merged into, or MoveNotPossible."""
    if into.id == row.id:
        raise SameIssue("to")
    if into.state == "merged":
        raise AlreadyMerged("to")
    if into.state not in OPEN | SOLVED:
        raise MoveNotPossible("to", state=into.state, version=into.version, possible=[])


async def merged(conn: Connection, row: IssueRow, into: IssueRow, move: UUID, actor: Actor, now: datetime) -> Joined:
    """One issue merged into another, both of which the caller has locked. A pause ends with it: nobody granted that the
    clock stand still while the issue is another's."""
    changed = msgspec.structs.replace(row, state="merged", merged_into=into.id)
    if row.paused_at is not None:
        calendar = await calendars.in_force(conn, row.district, now)
        due = clock.resumed(calendar, row.limit_unit, row.due_at, row.paused_at, now)
        changed = msgspec.structs.replace(
            changed, due_at=due.at, due_provisional=due.provisional, calendar_version=calendar.version
        )
    return _joined(row, changed, into, "absorb", move, actor)


# What an issue was before it was merged.
BEFORE = """
select state from issue_spans where district = $1 and issue = $2 and state <> 'merged' order by version desc limit 1
"""
INTO = f"select {ROW} from issue where district = $1 and id = $2"


async def taken_apart(conn: Connection, row: IssueRow, move: UUID, actor: Actor) -> Joined:
    """A merged issue as it was before, both it and its survivor being locked: in the same state, with the same owner
    and department, due when it was due. The clock has run on, as nobody had granted it to stop."""
    state = await conn.fetchval(BEFORE, row.district, row.id)
    (into,) = await conn.fetch(INTO, row.district, row.merged_into)
    changed = msgspec.structs.replace(row, state=state, merged_into=None)
    return _joined(row, changed, IssueRow(**into), "release", move, actor)


def _joined(
    row: IssueRow, changed: IssueRow, into: IssueRow, event: Literal["absorb", "release"], move: UUID, actor: Actor
) -> Joined:
    """Both histories name both issues, and whom to tell: their reporters, and the cards through which they came."""
    told: dict[str, object] = {
        "survivor": into.id,
        "twin": row.id,
        "reporters": sorted({str(one.reporter) for one in (row, into) if one.reporter}),
        "cards": sorted({one.card for one in (row, into) if one.card}),
    }
    tells = Change(before=into, after=into, id=event_id(move, event), event=event, actor=actor, facts=told)
    return Joined(row=changed, facts=told, survivor=tells)


# What had been proposed of the two is decided with it; what is taken apart was no twin.
DECIDE = """
update twin_proposal set state = $4, decided_at = $5, decided_by = $6
where district = $1 and issue = least($2::uuid, $3::uuid) and twin = greatest($2::uuid, $3::uuid)
"""


async def decide(
    conn: Connection, joined: Joined, decision: Literal["merged", "dismissed"], member: UUID, now: datetime
) -> None:
    """Let the proposal of a pair say what became of it."""
    row, into = joined.row, joined.survivor.before
    await conn.execute(DECIDE, row.district, row.id, into.id, decision, now, member)

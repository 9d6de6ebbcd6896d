"""What an owner or a department asks for and a dispatcher judges: to give an issue back, to pause it, to extend its
limit. While it waits the clock runs on."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.clock import calendars, clock
from surveys.clock.clock import Unit
from surveys.history import Actor
from surveys.issues import issue_changes, moves
from surveys.issues.issue_changes import Change
from surveys.issues.issues import ROW, IssueRow, event_id
from surveys.issues.moves import Making, Outcome
from surveys.issues.workflow import State
from surveys.people.people import Reader
from surveys.refusals import ExtensionTooLong, LimitPassed, PauseTooLong, TimeInPast

JOB = Actor("job", "resume_pauses")


class Bounds(Struct, frozen=True):
    """How far a district lets limits be moved, and how long departments may think."""

    extensions_most: int = 2  # of one limit
    extension_percent: int = 100  # of the limit, all extensions together
    longest_pause_days: int = 90
    review_amount: int = 3  # in which a department says what it thinks
    review_unit: Unit = "working_days"


BOUNDS = f"select {', '.join(Bounds.__struct_fields__)} from handling_rule where district = $1"


async def bounds(conn: Connection, district: int) -> Bounds:
    """A district's own bounds, or the program's."""
    row = await conn.fetchrow(BOUNDS, district)
    return Bounds(*row.values()) if row else Bounds()


class BoundsDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Other bounds, as they are asked for."""

    extensions_most: Annotated[int, Meta(ge=0, le=100)]
    extension_percent: Annotated[int, Meta(ge=0, le=1_000)]
    longest_pause_days: Annotated[int, Meta(ge=1, le=3_650)]
    review_amount: Annotated[int, Meta(ge=1, le=1_000)]
    review_unit: Unit


CHANGE = f"""
insert into handling_rule (district, {", ".join(Bounds.__struct_fields__)}, recorded_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (district) do update set {", ".join(f"{name} = excluded.{name}" for name in Bounds.__struct_fields__)},
  recorded_at = excluded.recorded_at
"""
BOUNDS_CHANGED = "handling_rules_changed"


async def change_bounds(conn: Connection, reader: Reader, draft: BoundsDraft, now: datetime) -> Bounds:
    """Let a district move limits so far from now on; what was granted stays. The same bounds change nothing. Raises
    NotAllowed."""
    reader.require("administrator")
    asked = Bounds(*msgspec.structs.astuple(draft))
    if asked == await bounds(conn, reader.district):
        return asked
    await conn.execute(CHANGE, reader.district, *msgspec.structs.astuple(asked), now)
    event = history.occurrence(
        district=reader.district,
        kind="installation",
        event=BOUNDS_CHANGED,
        actor=Actor("member", str(reader.member)),
        now=now,
        facts=msgspec.structs.asdict(asked),
    )
    await history.append(conn, [event], [])
    return asked


# --- asking


def give_back(making: Making) -> Outcome:
    """Ask to be rid of it; who judges must not think that nobody has it meanwhile."""
    return Outcome(row=_asking(making))


async def pause(conn: Connection, making: Making) -> Outcome:
    """Ask for a pause, or pause at once, for somebody who would have to judge it."""
    until = await _pause_end(conn, making)
    row = msgspec.structs.replace(making.row, pause_until=until)
    if at_once(making):
        return Outcome(row=msgspec.structs.replace(row, state="paused"))
    return Outcome(row=_asking(msgspec.structs.replace(making, row=row)))


async def extend(conn: Connection, making: Making) -> Outcome:
    """Ask for more time, or give it at once. Raises LimitPassed once it is late: nobody was late afterwards."""
    amount = making.draft.amount or 0
    if making.row.due_at <= making.now:
        raise LimitPassed("amount")
    await _refuse_too_long(conn, making.row, amount)
    if at_once(making):
        return Outcome(row=await _extended(conn, making.row, amount, making.now))
    return Outcome(row=msgspec.structs.replace(_asking(making), asked_amount=amount))


def at_once(making: Making) -> bool:
    """Whether what is asked needs no further judgement: a dispatcher asks who does not have the issue in hand."""
    return "dispatcher" in making.stands and not making.stands & {"owner", "handler"}


def _asking(making: Making) -> IssueRow:
    return msgspec.structs.replace(making.row, asked=making.draft.move, asked_by=making.reader.member)


async def _pause_end(conn: Connection, making: Making) -> datetime:
    days = (await bounds(conn, making.row.district)).longest_pause_days
    latest = making.now + timedelta(days=days)
    until = making.draft.until or latest
    if until <= making.now:
        raise TimeInPast("until")
    if until > latest:
        raise PauseTooLong("until", days=days)
    return until


# How often the present limit was extended.
GRANTED = """
select count(*) from history
where district = $1 and thing = $2 and event in ('extend', 'approve') and facts ? 'extension' and happened_at >= $3
"""


async def _refuse_too_long(conn: Connection, row: IssueRow, amount: int) -> None:
    allowed = await bounds(conn, row.district)
    granted = await conn.fetchval(GRANTED, row.district, row.id, row.clock_started_at)
    left = row.limit_amount * allowed.extension_percent // 100 - row.extension
    if granted >= allowed.extensions_most or amount > left:
        raise ExtensionTooLong("amount", most=allowed.extensions_most, granted=granted, left=max(left, 0))


# --- judging


async def approve(conn: Connection, making: Making) -> Outcome:
    """Grant what was asked: the department is off the issue, or the judge answers for it; it is paused; or its limit
    is extended."""
    row, answered = making.row, moves.answered(making.row)
    facts = {"approved": row.asked, "asker": row.asked_by}
    match row.asked:
        case "pause":
            return Outcome(row=msgspec.structs.replace(answered, state="paused"), facts=facts)
        case "extend":
            await _refuse_too_long(conn, row, row.asked_amount or 0)
            return Outcome(row=await _extended(conn, answered, row.asked_amount or 0, making.now), facts=facts)
        case _ if row.department is not None and row.asked_by != row.owner:
            state: State = "reported" if row.state == "reported" else "accepted"
            return Outcome(row=msgspec.structs.replace(answered, department=None, state=state), facts=facts)
        case _:
            return Outcome(row=moves.taken_over(answered, making.reader.member), facts=facts)


def refuse(making: Making) -> Outcome:
    """What was asked is not granted; everything stays as it is."""
    row = making.row
    facts = {"refused": row.asked, "asker": row.asked_by}
    return Outcome(row=msgspec.structs.replace(moves.answered(row), pause_until=None), facts=facts)


async def _extended(conn: Connection, row: IssueRow, amount: int, now: datetime) -> IssueRow:
    calendar = await calendars.in_force(conn, row.district, now)
    due = clock.extended(calendar, row.limit_unit, row.due_at, amount)
    return _due(row, due, calendar.version, extension=row.extension + amount)


def _due(row: IssueRow, due: clock.Due, calendar_version: int, *, extension: int) -> IssueRow:
    return msgspec.structs.replace(
        row,
        extension=extension,
        due_at=due.at,
        due_provisional=due.provisional,
        calendar_version=calendar_version,
    )


# --- going on


async def resume(conn: Connection, making: Making) -> Outcome:
    """Go on as before the pause, with the time that was left then."""
    (row,) = await _resumed(conn, [making.row], making.now)
    return Outcome(row=row)


# What paused issues were last before, were they merged for a while or not.
BEFORE_PAUSE = """
select distinct on (issue) issue, state from issue_spans
where district = $1 and issue = any($2) and state not in ('paused', 'merged') order by issue, version desc
"""


async def _resumed(conn: Connection, rows: Sequence[IssueRow], now: datetime) -> list[IssueRow]:
    district = rows[0].district
    found = await conn.fetch(BEFORE_PAUSE, district, [row.id for row in rows])
    states: dict[UUID, State] = {one["issue"]: one["state"] for one in found}
    calendar = await calendars.in_force(conn, district, now)
    resumed = []
    for row in rows:
        due = clock.resumed(calendar, row.limit_unit, row.due_at, row.paused_at or now, now)
        going_on = msgspec.structs.replace(row, state=states[row.id], pause_until=None)
        resumed.append(_due(going_on, due, calendar.version, extension=row.extension))
    return resumed


# Paused issues whose pause is over, in the order in which everybody locks them; what somebody is moving is left to the
# next time.
OVER = f"""
select {ROW} from issue where district = $1 and state = 'paused' and pause_until <= $2
order by id limit $3 for update skip locked
"""
AT_ONCE = 1_000


async def resume_due(conn: Connection, district: int, now: datetime, limit: int = AT_ONCE) -> int:
    """Resume up to so many issues whose pause is over; returns how many. Run it in a transaction until it says 0."""
    rows = [IssueRow(**row) for row in await conn.fetch(OVER, district, now, limit)]
    if not rows:
        return 0
    changes = [
        Change(before=row, after=after, id=event_id(row.id, f"resume {row.version + 1}"), event="resume", actor=JOB)
        for row, after in zip(rows, await _resumed(conn, rows, now), strict=True)
    ]
    await issue_changes.write(conn, changes, now)
    return len(changes)

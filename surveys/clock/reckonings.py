"""Counting due times anew: once a year's holidays are published, open issues learn what their provisional due times
really are. What is closed, and what was never provisional, stays as it is."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.clock import calendars, clock, deadlines
from surveys.clock.clock import Calendar, Due, Pause, Span
from surveys.history import Actor
from surveys.issues import issue_changes
from surveys.issues.issue_changes import Change
from surveys.issues.issues import ROW, IssueRow, event_id
from surveys.issues.workflow import OPEN

BEFORE_ALL = UUID(int=0)
AT_ONCE = 1_000  # issues of one transaction: nobody's move waits long for them

# The next issues in the order of their ids, as everybody locks them.
PROVISIONAL = f"""
select {ROW} from issue
where district = $1 and due_provisional and state = any($2) and id > $3
order by id limit $4 for update
"""

# The limit of the first contact by the version that each issue was filed under.
RESPONSES = """
select distinct l.category, l.urgency, l.version, l.response_amount, l.response_unit
from unnest($2::text[], $3::text[], $4::int[]) as wanted(category, urgency, version)
join category_limit l on l.district = $1
  and (l.category, l.urgency, l.version) = (wanted.category, wanted.urgency, wanted.version)
"""


# Issues whose ledger brought their due times, which no calendar counted, and whose clock or limit is still the same.
BROUGHT = """
select h.thing from history h
where h.district = $1 and h.thing = any($2) and h.version = 1 and not h.facts ?| '{calendar_version,due_provisional}'
  and not exists (select from history c where c.district = $1 and c.thing = h.thing
    and (c.event = 'reopen' or c.event = 'correct' and c.facts ?| '{category,urgency}'))
"""


class Reckoned(Struct, frozen=True):
    """How many of a batch were counted anew, and the last one looked at; None once there are no more."""

    changed: int
    last: UUID | None


async def reckon(
    conn: Connection, district: int, actor: Actor, now: datetime, after: UUID = BEFORE_ALL, at_once: int = AT_ONCE
) -> Reckoned:
    """Count the provisional due times of the next open issues anew, each that changes with one event of its history.

    Run each batch in a transaction of its own."""
    found = [IssueRow(**row) for row in await conn.fetch(PROVISIONAL, district, list(OPEN), after, at_once)]
    if not found:
        return Reckoned(0, None)
    calendar = await calendars.in_force(conn, district, now)
    pauses = await deadlines.pauses_of(conn, district, [row.id for row in found if row.pauses])
    responses = await _responses(conn, district, found)
    brought = await _brought(conn, district, found)
    changes = [
        Change(
            before=row,
            after=counted,
            id=event_id(row.id, f"reckon {row.version + 1}"),
            event="reckon",
            actor=actor,
        )
        for row in found
        if (counted := _counted(calendar, row, pauses.get(row.id, ()), responses, row.id in brought)) is not None
    ]
    await issue_changes.write(conn, changes, now)
    return Reckoned(len(changes), found[-1].id)


Responses = Mapping[tuple[str, str, int], Span]


def _counted(
    calendar: Calendar, row: IssueRow, pauses: Sequence[Pause], responses: Responses, brought: bool
) -> IssueRow | None:
    """The row with what its due times are now; None if they are what they were. One that a ledger brought stays, and
    is provisional no longer once the years up to it are published."""
    ended = list(deadlines.ended(row, pauses))
    due = clock.due(calendar, Span(row.limit_amount, row.limit_unit), row.clock_started_at, ended, row.extension)
    if brought:
        due = Due(row.due_at, row.due_at.astimezone(calendar.zone).year not in calendar.published)
    provisional, response_due_at = due.provisional, row.response_due_at
    response = responses.get((row.category, row.urgency, row.limit_version))
    if response is not None and row.first_contact_at is None:
        first = clock.due(calendar, response, row.clock_started_at)
        provisional, response_due_at = provisional or first.provisional, first.at
    before = (row.due_at, row.response_due_at, row.due_provisional)
    if (due.at, response_due_at, provisional) == before:
        return None
    return msgspec.structs.replace(
        row,
        due_at=due.at,
        response_due_at=response_due_at,
        due_provisional=provisional,
        calendar_version=calendar.version,
    )


async def _brought(conn: Connection, district: int, found: Sequence[IssueRow]) -> set[UUID]:
    of_ledgers = [row.id for row in found if row.source == "ledger"]
    return {row["thing"] for row in await conn.fetch(BROUGHT, district, of_ledgers)} if of_ledgers else set()


async def _responses(conn: Connection, district: int, found: Sequence[IssueRow]) -> Responses:
    wanted = {(row.category, row.urgency, row.limit_version) for row in found if row.first_contact_at is None}
    codes = list(zip(*wanted, strict=True)) or [(), (), ()]
    return {
        (row["category"], row["urgency"], row["version"]): Span(row["response_amount"], row["response_unit"])
        for row in await conn.fetch(RESPONSES, district, *map(list, codes))
    }

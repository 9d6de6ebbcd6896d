"""An issue's deadlines: what its row says of when it is due, from its limit and its district's calendar."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection

from surveys.clock import clock
from surveys.clock.clock import Calendar, Pause, Span
from surveys.issues.categories import Limit
from surveys.issues.issues import IssueRow


def of_new(calendar: Calendar, limit: Limit, started_at: datetime) -> dict[str, Any]:
    """The columns of an issue whose clock starts at that moment."""
    due = clock.due(calendar, Span(limit.amount, limit.unit), started_at)
    response = clock.due(calendar, Span(limit.response_amount, limit.response_unit), started_at)
    return {
        "clock_started_at": started_at,
        "limit_version": limit.version,
        "limit_amount": limit.amount,
        "limit_unit": limit.unit,
        "calendar_version": calendar.version,
        "due_at": due.at,
        "due_provisional": due.provisional or response.provisional,
        "response_due_at": response.at,
    }


def of_reopened(calendar: Calendar, row: IssueRow, now: datetime) -> dict[str, Any]:
    """The columns of an issue whose clock starts anew, with nothing granted yet; that somebody had been heard of stays
    true."""
    due = clock.due(calendar, Span(row.limit_amount, row.limit_unit), now)
    return {
        "clock_started_at": now,
        "extension": 0,
        "calendar_version": calendar.version,
        "due_at": due.at,
        "due_provisional": due.provisional,
    }


def of_other_limit(calendar: Calendar, row: IssueRow, limit: Limit, pauses: Sequence[Pause]) -> dict[str, Any]:
    """The columns of an issue that is found to fall under another limit, counted from when its clock started. What
    was granted on top goes with the unit in which it was granted."""
    extension = row.extension if limit.unit == row.limit_unit else 0
    span = Span(limit.amount, limit.unit)
    due = clock.due(calendar, span, row.clock_started_at, list(ended(row, pauses)), extension)
    columns = of_new(calendar, limit, row.clock_started_at)
    late = columns["due_provisional"] if row.first_contact_at is None else False
    return columns | {"due_at": due.at, "due_provisional": due.provisional or late, "extension": extension}


PAUSES = """
select issue, valid_from, valid_to from issue_spans
where district = $1 and issue = any($2) and state = 'paused' and valid_to < 'infinity'
"""


async def pauses_of(conn: Connection, district: int, issues: Sequence[UUID]) -> dict[UUID, list[Pause]]:
    """The stretches for which each issue was paused, those before its clock started anew among them."""
    pauses: dict[UUID, list[Pause]] = {}
    for issue, begin, end in await conn.fetch(PAUSES, district, issues) if issues else []:
        pauses.setdefault(issue, []).append((begin, end))
    return pauses


def ended(row: IssueRow, pauses: Sequence[Pause]) -> Iterator[Pause]:
    """The pauses that are over: one that lasts counts once it has ended, with all of its stretches."""
    return ((begin, end) for begin, end in pauses if row.paused_at is None or begin < row.paused_at)

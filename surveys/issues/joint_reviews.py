"""Joint review: a department leads, others say what they think, each in its own time; and the meetings they hold.

What was said stands in the history, under the move that said it; here stands who has yet to say it, and until when."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.clock import calendars, clock
from surveys.clock.clock import Span
from surveys.history import Row
from surveys.issues import judgements
from surveys.issues.issues import IssueRow
from surveys.issues.moves import Making, Opinion, Outcome
from surveys.people import people
from surveys.refusals import (
    Missing,
    NotAllowed,
    NotForThisMove,
    OpinionsMissing,
    TimeInFuture,
    TimesReversed,
    UnknownDepartment,
    UnknownMember,
)

# Departments asked anew begin anew.
ASK = """
insert into joint_review (district, issue, department, asked_at, due_at, due_provisional)
select $1, $2, unnest($3::text[]), $4, $5, $6
on conflict (district, issue, department) do update set asked_at = excluded.asked_at, due_at = excluded.due_at,
  due_provisional = excluded.due_provisional, said = null, said_at = null, said_by = null, event = null
"""
KNOWN = "select code from department where district = $1 and code = any($2)"


async def ask(
    conn: Connection, row: IssueRow, departments: Sequence[str], now: datetime
) -> tuple[IssueRow, Mapping[str, object]]:
    """The row with these departments asked for their opinions, beside the one that leads and those asked before, and
    what is told of it. Raises Missing, UnknownDepartment, NotForThisMove."""
    wanted = list(dict.fromkeys(departments))
    if row.department is None:
        raise Missing("to")
    if row.department in wanted:
        raise NotForThisMove("departments", given=row.department)
    known = {one["code"] for one in await conn.fetch(KNOWN, row.district, wanted)}
    for code in wanted:
        if code not in known:
            raise UnknownDepartment("departments", given=code)
    allowed = await judgements.bounds(conn, row.district)
    calendar = await calendars.in_force(conn, row.district, now)
    due = clock.due(calendar, Span(allowed.review_amount, allowed.review_unit), now)
    await conn.execute(ASK, row.district, row.id, wanted, now, due.at, due.provisional)
    consulted = sorted({*(row.consulted or ()), *wanted} - {row.department})
    facts = {"asked_departments": wanted, "opinions_due_at": due.at}
    return msgspec.structs.replace(row, consulted=consulted), facts


SAY = """
update joint_review set said = $4, said_at = $5, said_by = $6, event = $7
where district = $1 and issue = $2 and department = $3 returning due_at
"""


async def opine(conn: Connection, making: Making) -> Outcome:
    """A department says what it thinks, or says it anew. Raises Missing, NotAllowed."""
    draft, row = making.draft, making.row
    if draft.opinion == "object" and not (draft.reason or "").strip():
        raise Missing("reason", move="opine")
    department = _department(making)
    asked = (row.district, row.id, department)
    due_at = await conn.fetchval(SAY, *asked, draft.opinion, making.now, making.reader.member, draft.id)
    facts: Row = {"opinion": draft.opinion, "opinion_of": department, "opinion_due_at": due_at}
    return Outcome(row=row, facts=facts)


def _department(making: Making) -> str:
    """For which of the departments asked the reader speaks; who handles several says which."""
    theirs = sorted(set(making.reader.scopes("department")) & set(making.row.consulted or ()))
    if making.draft.to is None:
        if len(theirs) > 1:
            raise Missing("to", move="opine")
        return theirs[0]
    if making.draft.to not in theirs:
        raise NotAllowed("to", move="opine")
    return making.draft.to


async def meet(conn: Connection, making: Making) -> Outcome:
    """Put a joint meeting on record; its minutes are the reason, its documents the evidence.

    Raises TimeInFuture, TimesReversed, UnknownMember."""
    held_at, present = making.draft.at or making.now, list(dict.fromkeys(making.draft.present))
    if held_at > making.now:
        raise TimeInFuture("at")
    if held_at < making.row.reported_at:
        raise TimesReversed("at")
    known = await people.names(conn, making.row.district, present) if present else {}
    for member in present:
        if member not in known:
            raise UnknownMember("present", given=str(member))
    return Outcome(
        row=making.row, facts={"held_at": held_at.astimezone(UTC), "present": [str(member) for member in present]}
    )


IN_THE_WAY = """
select department, said from joint_review
where district = $1 and issue = $2 and department = any($3) and (said is null or said = 'object')
order by department
"""


async def in_the_way(conn: Connection, making: Making) -> Mapping[str, object]:
    """What speaks against resolving an issue, to be told with the reason why it is resolved all the same.

    Raises OpinionsMissing without one, NotForThisMove with one that nothing needs."""
    row, despite = making.row, (making.draft.despite or "").strip()
    found = await conn.fetch(IN_THE_WAY, row.district, row.id, row.consulted) if row.consulted else []
    if not found:
        if despite:
            raise NotForThisMove("despite", move="resolve")
        return {}
    facts = {
        "opinions_missing": [one["department"] for one in found if one["said"] is None],
        "objections": [one["department"] for one in found if one["said"] is not None],
    }
    if not despite:
        raise OpinionsMissing("despite", **facts)
    return {name: departments for name, departments in facts.items() if departments}


class Said(Struct, frozen=True, kw_only=True):
    """What a department was asked and what it said; `event` is the move that said it, with its words and documents.
    Late is what came, or is still to come, after its time."""

    department: str
    asked_at: datetime
    due_at: datetime
    due_provisional: bool
    late: bool
    opinion: Opinion | None
    opined_at: datetime | None
    opined_by: UUID | None
    event: UUID | None


# What was not said yet at $4 is not told.
OF_ISSUE = """
select o.department, o.asked_at, o.due_at, o.due_provisional,
  s.said as opinion, s.said_at as opined_at, s.said_by as opined_by, s.event
from joint_review o
left join joint_review s on s.district = o.district and s.issue = o.issue and s.department = o.department
  and s.said_at <= $4
where o.district = $1 and o.issue = $2 and o.department = any($3) and o.asked_at <= $4
order by o.asked_at, o.department
"""


async def of_issue(
    conn: Connection, district: int, issue: UUID, consulted: Sequence[str] | None, now: datetime
) -> list[Said]:
    """What the departments that an issue's review asks have said; that the reader sees the issue is the caller's to
    see to."""
    rows: list[Any] = await conn.fetch(OF_ISSUE, district, issue, list(consulted), now) if consulted else []
    return [Said(**row, late=row["due_at"] < (row["opined_at"] or now)) for row in rows]

"""The return visits of an issue, as its page shows them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys.people.people import Handler
from surveys.return_visits.return_visits import Via, VisitState


class OfIssue(Struct, frozen=True, kw_only=True):
    """A return visit as the issue's page shows it; `member` is who asked the resident, if they did not answer
    themselves."""

    id: UUID
    round: int
    state: VisitState
    invited_at: datetime
    closes_at: datetime
    answered_at: datetime | None
    via: Via | None
    member: Handler | None
    visit: UUID | None
    solved: bool | None
    satisfaction: int | None
    reason: str | None


OF_ISSUES = """
select r.*, m.name as member_name, t.body->>'reason' as reason
from return_visit r
left join member m on m.district = r.district and m.id = r.member
left join text_version t on t.district = r.district and t.subject = r.event and t.version = 1
where r.district = $1 and r.issue = any($2) and r.invited_at <= $3
order by r.issue, r.round
"""


async def of_issues(conn: Connection, district: int, issues: Sequence[UUID], at: datetime) -> dict[UUID, list[OfIssue]]:
    """The return visits of each of these issues as they stood at a moment, the first one first."""
    found: dict[UUID, list[OfIssue]] = {issue: [] for issue in issues}
    for row in await conn.fetch(OF_ISSUES, district, list(found), at):
        found[row["issue"]].append(_of_issue(row, at))
    return found


def _of_issue(row: Any, at: datetime) -> OfIssue:
    told = row["answered_at"] is not None and row["answered_at"] <= at
    return OfIssue(
        id=row["id"],
        round=row["round"],
        state=_state_at(row, at),
        invited_at=row["invited_at"],
        closes_at=row["closes_at"],
        answered_at=row["answered_at"] if told else None,
        via=row["via"] if told else None,
        member=Handler(row["member"], row["member_name"]) if told and row["member"] else None,
        visit=row["visit"] if told else None,
        solved=row["solved"] if told else None,
        satisfaction=row["satisfaction"] if told else None,
        reason=row["reason"] if told else None,
    )


def _state_at(row: Any, at: datetime) -> VisitState:
    """What it was at a moment: an answer that came later may have followed upon silence."""
    if row["ended_at"] is None or row["ended_at"] > at:
        return "invited"
    if row["state"] == "answered" and row["answered_at"] > at and row["ended_at"] >= row["closes_at"]:
        return "lapsed"
    state: VisitState = row["state"]
    return state

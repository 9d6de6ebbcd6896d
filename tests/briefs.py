"""The small district in two weeks of November: issues in three communities, some answered, some late, one with markup
in its title; and what a brief says of them, counted by hand."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
from msgspec import Struct

from surveys.history import Actor
from surveys.issues import issues
from surveys.issues.issues import IssueRow, NewIssue, Step
from tests.conftest import DISTRICT, FAR, MEMBER, NEAR, NEXT, WORKER

ZONE = ZoneInfo("Asia/Shanghai")
WEEK, MONTH = "2026-W47", "2026-10"
MONDAY = datetime(2026, 11, 16, 9, tzinfo=ZONE)
HOSTILE = '<img src=x onerror="window.ran=1"> #eval("1+1") $x^2$ {{ 7 * 7 }} =cmd()'
LONG = "很长的标题" * 40


class Fate(Struct, frozen=True, kw_only=True):
    """What becomes of an issue: `day` counts from the Monday of the week."""

    community: str | None = NEAR
    day: int = 0
    solved_after: int | None = None  # hours
    satisfaction: int | None = None  # the resident says that it is solved; 0: that it is not
    limit: int = 72  # hours
    title: str = "井盖破损"
    category: str = "0102"


ANSWERED = [Fate(day=at % 5, solved_after=5 + at, satisfaction=5 if at else 0) for at in range(6)]
FATES = [
    *ANSWERED,  # 6 near, of which 5 are solved and good
    *[Fate(community=NEXT, day=1, solved_after=10, satisfaction=4) for _ in range(2)],  # too few to be told
    Fate(community=NEXT, day=2, category="0103"),  # in hand until the day after the week
    *[Fate(community=NEAR, day=0, limit=4) for _ in range(3)],  # late
    Fate(community=FAR, day=0, limit=8, title=HOSTILE),
    Fate(community=FAR, day=1, limit=8, title=LONG),
    Fate(community=None, day=3, limit=500),
    *[Fate(community=NEAR, day=-7, solved_after=100, satisfaction=3) for _ in range(6)],  # the week before
    Fate(community=NEAR, day=-6, solved_after=9 * 24),  # reported the week before, solved in the week
]

MEASURES = """
update issue_spans s set first_contact_at = f.at, resolved_at = f.resolved, answer = f.answer,
  satisfaction = f.satisfaction, resolutions = case when f.resolved is null then 0 else 1 end
from unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::int[])
  f(id, at, resolved, answer, satisfaction)
where s.district = 410103 and s.issue = f.id and s.valid_from >= f.at
"""
PRESENT = """
update issue i set first_contact_at = s.first_contact_at, resolved_at = s.resolved_at, answer = s.answer,
  satisfaction = s.satisfaction, resolutions = s.resolutions
from issue_spans s where s.district = i.district and s.issue = i.id and s.valid_to = 'infinity' and i.id = any($1)
"""


async def settle(
    conn: asyncpg.Connection, recorded_at: datetime, fates: list[Fate] = FATES, first: int = 20001
) -> None:
    """Write the issues as somebody took them over at a moment."""
    numbers = count(first)
    made = [_issue(next(numbers), fate, recorded_at) for fate in fates]
    async with conn.transaction():
        await issues.record(conn, made)
        ids = [UUID(int=number) for number in range(first, first + len(fates))]
        contacts = [_reported(fate) + timedelta(hours=1) for fate in fates]
        resolved = [_resolved(fate) for fate in fates]
        answers = [
            None if fate.satisfaction is None else "solved" if fate.satisfaction else "not_solved" for fate in fates
        ]
        satisfied = [fate.satisfaction or (1 if fate.satisfaction == 0 else None) for fate in fates]
        # the last span of each says what came of it
        await conn.execute(MEASURES, ids, [r or c for r, c in zip(resolved, contacts, strict=True)], resolved, answers,
                           satisfied)  # fmt: skip
        await conn.execute(PRESENT, ids)


def _reported(fate: Fate) -> datetime:
    return MONDAY + timedelta(days=fate.day)


def _resolved(fate: Fate) -> datetime | None:
    return _reported(fate) + timedelta(hours=fate.solved_after) if fate.solved_after else None


def _issue(number: int, fate: Fate, recorded_at: datetime) -> NewIssue:
    reported = _reported(fate)
    life = [("report", "reported", reported), ("accept", "accepted", reported + timedelta(hours=1))]
    if resolved := _resolved(fate):
        life.append(("resolve", "resolved", resolved))
    steps = [_step(event, state, at, recorded_at) for event, state, at in life]
    row = IssueRow(
        district=DISTRICT,
        id=UUID(int=number),
        number=number,
        version=len(life),
        source="ledger",
        source_id=str(number),
        reporter=MEMBER.id,
        reported_at=reported,
        category=fate.category,
        urgency="normal",
        channel="joint_review",
        state=life[-1][1],  # type: ignore[arg-type]
        owner=WORKER.id,
        department="city_management",
        clock_started_at=reported,
        limit_version=1,
        limit_amount=fate.limit,
        due_at=reported + timedelta(hours=fate.limit),
        response_due_at=reported + timedelta(hours=min(fate.limit, 24)),
        held_since=reported,
        community=fate.community,
        certainty="unplaced",
        text_version=1,
        recorded_at=recorded_at,
    )
    return issues.new(row=row, title=fate.title, description="东门口", steps=tuple(steps))


def _step(event: Any, state: Any, at: datetime, recorded_at: datetime) -> Step:
    return Step(
        id=uuid4(),
        event=event,
        actor=Actor("import", "tests"),
        happened_at=at,
        recorded_at=recorded_at,
        state=state,
        owner=WORKER.id,
        department="city_management",
        reason="已处理" if event == "resolve" else None,
    )

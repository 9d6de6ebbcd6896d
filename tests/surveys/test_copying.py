"""What is copied is what would have been inserted, whatever stands in it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from surveys import copying, history
from surveys.history import Actor, Row, event_row
from surveys.issues import issues
from surveys.issues.issues import IssueRow, NewIssue, Step
from tests.conftest import DISTRICT, NEAR, NOW, WORKER

pytestmark = pytest.mark.anyio

HOSTILE = ["\u2028\x85", "tab\there", "line\nbreak", "back\\slash", "\\N", "\\.", "quote\"'", "回车\r", "", "🎉,{}"]


def events(texts: Sequence[str]) -> list[Row]:
    return [
        event_row(
            district=DISTRICT,
            id=uuid4(),
            kind="issue",
            thing=uuid4(),
            version=version,
            event="report",
            actor=Actor("import", text),
            happened_at=NOW - timedelta(microseconds=version),
            recorded_at=NOW,
            facts={"text": text, "none": None, "list": [text, 1.5], "at": NOW, text: UUID(int=7)},
            request=bytes([version, 92, 0]) if version % 2 else None,
        )
        for version, text in enumerate(texts, start=1)
    ]


async def test_events_are_copied_as_they_are_inserted(conn: asyncpg.Connection) -> None:
    inserted, copied = events(HOSTILE), events(HOSTILE)
    await history.append(conn, inserted, [])
    await copying.copy(conn, "history", copied, history.COLUMNS)
    both = await conn.fetch(
        "select version, event, actor_kind, actor, happened_at, recorded_at, request, facts from history"
        " where kind = 'issue' order by version"
    )
    assert len(both) == 2 * len(HOSTILE)
    for one, other, text in zip(both[::2], both[1::2], HOSTILE, strict=True):
        assert tuple(one) == tuple(other)
        assert one["actor"] == text


def new_issue(number: int, department: str | None) -> NewIssue:
    """An issue that was reported and accepted, and has only ever been worked on by one department."""
    id_, at = UUID(int=10_000 + number), datetime(2026, 11, 1, tzinfo=UTC)
    first = Step(
        id=uuid4(), event="report", actor=Actor("import", "x"), happened_at=at, state="reported", owner=WORKER.id,
        department=department,
    )  # fmt: skip
    second = Step(
        id=uuid4(), event="accept", actor=Actor("import", "x"), happened_at=at + timedelta(hours=1), state="accepted",
        owner=WORKER.id, department=department, due_at=at + timedelta(days=9), recorded_at=NOW,
    )  # fmt: skip
    row = IssueRow(
        district=DISTRICT, id=id_, number=number, version=2, source="ledger", source_id=f"x:{number}", reported_at=at,
        category="0102", urgency="normal", channel="agent", state="accepted", owner=WORKER.id, department=department,
        clock_started_at=at, limit_version=1, limit_amount=72, due_at=at + timedelta(days=3), response_due_at=at,
        held_since=at, community=NEAR,
        certainty="unplaced", text_version=1, recorded_at=NOW - timedelta(minutes=1),
    )  # fmt: skip
    return issues.new(row=row, title="标题", description=None, steps=(first, second))


async def test_many_issues_are_recorded_as_few_are(conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    departments = [None, "city_management"]
    few = [new_issue(number, department) for number, department in enumerate(departments, start=1)]
    many = [new_issue(number, department) for number, department in enumerate(departments, start=3)]
    assert await issues.record(conn, few) == {issue.row.id for issue in few}
    monkeypatch.setattr(issues, "MANY", 2)
    assert await issues.record(conn, many) == {issue.row.id for issue in many}
    assert await issues.record(conn, many) == set()
    for left, right in zip(few, many, strict=True):
        assert await written(conn, left.row.id) == await written(conn, right.row.id)


async def written(conn: asyncpg.Connection, issue: UUID) -> list[list[Any]]:
    """The spans and events of an issue, without ids, its number, what its salt decides and the transaction they came
    in."""
    spans = await conn.fetch("select * from issue_spans where issue = $1 order by version", issue)
    told = await conn.fetch("select * from history where thing = $1 order by version", issue)
    own = {"issue", "id", "thing", "written_in"}
    for event in told:
        for name in ("number", "source_id", "text_digest"):
            event["facts"].pop(name, None)
    return [[(name, value) for name, value in row.items() if name not in own] for row in [*spans, *told]]

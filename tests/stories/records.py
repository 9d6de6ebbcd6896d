"""What the database has of an issue three times over, as row, spans and history: all three must tell the same."""

from itertools import pairwise
from uuid import UUID

import asyncpg

from surveys.issues import issues
from surveys.issues.issues import IssueRow

FOREVER = "infinity"


async def agree(conn: asyncpg.Connection) -> int:
    """Hold every issue's row and spans to its history; returns how many issues there are."""
    rows = await conn.fetch(f"select {issues.ROW} from issue")
    for row in rows:
        await _of_one(conn, IssueRow(**row))
    return len(rows)


async def _of_one(conn: asyncpg.Connection, row: IssueRow) -> None:
    events = await conn.fetch(
        "select * from history where district = $1 and thing = $2 order by version", row.district, row.id
    )
    spans = await conn.fetch(
        "select *, valid_to::text as until, end_recorded_at::text as known_until from issue_spans"
        " where district = $1 and issue = $2 order by version",
        row.district,
        row.id,
    )
    assert [event["version"] for event in events] == [span["version"] for span in spans]
    assert len(events) == row.version
    facts = [event["facts"] for event in events]
    first = events[0]["recorded_at"]
    assert issues.rebuilt(row.district, row.id, facts, first) == row, "the row is what its history tells"
    for version, (event, span) in enumerate(zip(events, spans, strict=True), start=1):
        then = issues.rebuilt(row.district, row.id, facts[:version], first)
        assert {name: getattr(then, name) for name in issues.SPANNED} == {name: span[name] for name in issues.SPANNED}
        assert (span["valid_from"], span["recorded_at"]) == (event["happened_at"], event["recorded_at"])
    for earlier, later in pairwise(spans):
        assert earlier["valid_to"] == later["valid_from"]
        assert earlier["end_recorded_at"] == later["recorded_at"]
    assert (spans[-1]["until"], spans[-1]["known_until"]) == (FOREVER, FOREVER)


async def of_visits_agree(conn: asyncpg.Connection) -> int:
    """Hold every visit to its history, and every text to the digest by which its event names it."""
    unsaid = await conn.fetchval(
        "select count(*) from text_version t where erased_at is null and not exists"
        " (select from history h where h.district = t.district and encode(t.digest, 'hex') in"
        "  (h.facts->>'text_digest', h.facts->>'reason_digest'))"
    )
    assert unsaid == 0, "every text is named by an event"
    visits: list[UUID] = [row["id"] for row in await conn.fetch("select id from visit")]
    for id_ in visits:
        told = await conn.fetch("select version, event from history where thing = $1 order by version", id_)
        version = await conn.fetchval("select version from visit where id = $1", id_)
        assert [row["version"] for row in told] == list(range(1, version + 1))
        assert told[0]["event"] == "file"
    return len(visits)

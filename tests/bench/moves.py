"""Moving issues through their lives, beside a bare asyncpg loop that writes the same rows.

Both begin with issues that have just been reported and end with issues that are resolved, one move after another, from
as many connections. The loop is told every value beforehand, and asks and decides nothing."""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from api.embedded_postgres import Cluster
from maps.locator import Atlas
from surveys import history
from surveys.history import Actor
from surveys.issues import issue_moves, issues
from surveys.issues.issues import IssueRow, NewIssue, Step
from surveys.issues.moves import MoveDraft
from surveys.issues.workflow import Move
from surveys.people.people import Grant, Reader
from surveys.privacy.sealing import KeyRing
from tests.bench import district, server
from tests.bench.district import DISTRICT
from tests.bench.figures import Figure
from tests.bench.server import Database

ROUNDS = 3
MANY = 20_000  # issues that are there already
ISSUES = 1_500  # of each round, each with its four moves
CONNECTIONS = 8
LIFE: list[tuple[Move, dict[str, Any]]] = [
    ("accept", {}),
    ("assign", {"to": "d1", "reason": "请处理"}),
    ("start", {}),
    ("resolve", {"reason": "已清运，并与商户约定每日下班前自查"}),
]
RING = KeyRing(keys={}, look_up_key=b"")


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure both in turns, so that a disturbed machine disturbs both alike."""
    base = await server.copy(cluster, "bench_moves")
    worker = await _worker(base)
    for _ in range(10):
        await _report(base, worker, MANY // 10)  # as in a district, where a statement that reads a table whole is slow
    await server.analyze(base)
    await _moved(base, worker, await _report(base, worker, 200))  # warms up, and gives the loop its rows
    program: list[float] = []
    bare: list[float] = []
    for _ in range(ROUNDS):
        bare.append(await _written(base, await _report(base, worker, ISSUES)))
        program.append(await _moved(base, worker, await _report(base, worker, ISSUES)))
    rate, ceiling = median(program), median(bare)
    return [
        Figure(
            what=f"moves of issues, each with its history, {CONNECTIONS} connections",
            figure=f"{rate:,.0f} moves/s",
            ceiling=f"{ceiling:,.0f} moves/s, bare asyncpg loop of the same writes",
            ratio=rate / ceiling,
            wanted="ratio ≥ 0.5",
            met=rate / ceiling >= 0.5,
        )
    ]


async def _worker(base: Database) -> Reader:
    """The worker of one community, who owns what is reported there."""
    conn = await base.connect()
    row = await conn.fetchrow(
        "select member, scope from member_role where district = $1 and role = 'community_worker' limit 1", DISTRICT
    )
    await conn.close()
    if row is None:
        raise RuntimeError("the bench's district has no community worker")
    grants = (Grant("community_worker", "community", row["scope"]), Grant("member", "own", ""))
    return Reader(district=DISTRICT, member=row["member"], name="", organisation=UUID(int=2), grants=grants)


_numbers = itertools.count(20_000_000)


async def _report(base: Database, worker: Reader, count: int) -> list[UUID]:
    """So many issues that nobody has taken on yet."""
    now = datetime.now(UTC) - timedelta(hours=1)
    found = [_new(worker, now) for _ in range(count)]
    conn = await base.connect()
    async with conn.transaction():
        await issues.record(conn, found)
    await conn.close()
    return [one.row.id for one in found]


def _new(worker: Reader, now: datetime) -> NewIssue:
    actor = Actor("member", str(worker.member))
    row = IssueRow(
        district=DISTRICT,
        id=uuid4(),
        number=next(_numbers),
        version=1,
        source="visit",
        reporter=district.member(1),
        organisation=worker.organisation,
        reported_at=now,
        category=district.CATEGORIES[0],
        urgency="normal",
        channel="joint_review",
        state="reported",
        owner=worker.member,
        clock_started_at=now,
        limit_version=1,
        limit_amount=72,
        due_at=now + timedelta(hours=72),
        response_due_at=now + timedelta(hours=24),
        held_since=now,
        community=worker.grants[0].scope,
        certainty="unplaced",
        text_version=1,
        recorded_at=now,
    )
    step = Step(
        id=uuid4(),
        event="report",
        actor=actor,
        happened_at=now,
        state="reported",
        owner=worker.member,
        department=None,
    )
    return issues.new(row=row, title="门口垃圾成堆", description="三天没人清，味道很大", steps=(step,))


async def _moved(base: Database, worker: Reader, waiting: Sequence[UUID]) -> float:
    """Moves a second through the door by which everybody moves them."""
    left = iter(waiting)
    atlas = Atlas()

    async def work(conn: asyncpg.Connection) -> None:
        for issue in left:
            for version, (move, with_) in enumerate(LIFE, start=1):
                draft = MoveDraft(id=uuid4(), move=move, expected_version=version, **with_)
                async with conn.transaction():
                    await issue_moves.move(conn, atlas, worker, issue, draft, datetime.now(UTC), RING)

    conns = [await base.connect() for _ in range(CONNECTIONS)]
    return await _timed(conns, work, len(waiting))


UPDATE = """
update issue set state = ${}, version = ${}, department = ${}, held_since = ${}, first_contact_at = ${},
  resolved_at = ${}, resolutions = ${} where district = ${} and id = ${}
"""
END = """
update issue_spans set valid_to = ${}, end_recorded_at = ${} where district = ${} and issue = ${} and version = ${}
"""

# Lives of issues that the program moved, by version.
SPANS = "select * from issue_spans where district = $1 and issue = any($2) and version > 1 order by issue, version"
EVENTS = f"""
select {", ".join(history.COLUMNS)} from history
where district = $1 and thing = any($2) and version > 1 order by thing, version
"""
TEXTS = "select * from text_version where district = $1 and subject = any($2)"
MOVED = "select id from issue where district = $1 and state = 'resolved' order by id limit 200"


async def _written(base: Database, waiting: Sequence[UUID]) -> float:
    """Moves a second that only write what the program has written, one statement for each."""
    conn = await asyncpg.connect(base.program)
    sample = [row["id"] for row in await conn.fetch(MOVED, DISTRICT)]
    spans, events = await conn.fetch(SPANS, DISTRICT, sample), await conn.fetch(EVENTS, DISTRICT, sample)
    texts = {row["subject"]: row for row in await conn.fetch(TEXTS, DISTRICT, [event["id"] for event in events])}
    await conn.close()
    steps = list(zip(spans, events, strict=True))
    lives = itertools.cycle([steps[at : at + len(LIFE)] for at in range(0, len(steps), len(LIFE))])
    left = iter([list(_statements(life, texts, issue)) for issue, life in zip(waiting, lives, strict=False)])

    async def work(conn: asyncpg.Connection) -> None:
        for life in left:
            for statement, values in life:
                await conn.execute(statement, *values)

    conns = [await asyncpg.connect(base.program) for _ in range(CONNECTIONS)]
    return await _timed(conns, work, len(waiting))


def _statements(
    life: Sequence[tuple[asyncpg.Record, asyncpg.Record]], texts: dict[UUID, asyncpg.Record], issue: UUID
) -> Iterator[tuple[str, list[Any]]]:
    for span, event in life:
        id_ = uuid4()
        now = span["valid_from"]
        row = [span["state"], span["version"], span["department"], now, span["first_contact_at"], span["resolved_at"]]
        parts = [(UPDATE, [*row, span["resolutions"], DISTRICT, issue])]
        parts.append((END, [now, now, DISTRICT, issue, span["version"] - 1]))
        parts.append(_insert("issue_spans", dict(span) | {"issue": issue}))
        if event["id"] in texts:
            parts.append(_insert("text_version", dict(texts[event["id"]]) | {"subject": id_}))
        parts.append(_insert("history", dict(event) | {"id": id_, "thing": issue}))
        yield _together(parts)


def _insert(table: str, row: dict[str, Any]) -> tuple[str, list[Any]]:
    return f"insert into {table} ({', '.join(row)}) values ({', '.join(['${}'] * len(row))})", list(row.values())


def _together(parts: Sequence[tuple[str, list[Any]]]) -> tuple[str, list[Any]]:
    """One statement of all, every value a parameter."""
    numbers = itertools.count(1)
    texts = [text.format(*(next(numbers) for _ in values)) for text, values in parts]
    first = ", ".join(f"part_{at} as ({text})" for at, text in enumerate(texts[:-1]))
    return f"with {first} {texts[-1]}", [value for _, values in parts for value in values]


async def _timed(conns: Sequence[asyncpg.Connection], work: Any, lives: int) -> float:
    started = time.perf_counter()
    await asyncio.gather(*(work(conn) for conn in conns))
    seconds = time.perf_counter() - started
    for conn in conns:
        await conn.close()
    return lives * len(LIFE) / seconds

"""What is nearly due is reminded of, and what is late goes up the organisation tree, each level once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from api import database, jobs
from api.jobs import Runner
from api.settings import Settings
from surveys.clock.clock import Calendar, Span
from surveys.notices import deadline_rules, escalations
from surveys.notices.deadline_rules import Escalation, Reminder
from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    BELOW,
    DISPATCHER,
    DISTRICT,
    LEADER,
    MEMBER,
    MEMBER_BELOW,
    NOW,
    ORGANISATION,
    ORGANISER,
    RING,
    STREET_DISPATCHER,
    WORKER,
    Client,
    Person,
    TestClock,
)
from tests.stories import records

pytestmark = pytest.mark.anyio


@pytest.fixture
def runner(dsn: str, clock: TestClock) -> Runner:
    return Runner(dsn, clock, lambda: RING, Settings(database_url=dsn))


async def run(runner: Runner, *names: str) -> None:
    for name in names:
        assert await runner.run_everywhere(jobs.named(name)) == ["done"], name


async def reported(client: Client) -> str:
    """An issue near by, which the community's worker owns, due after 72 hours of the calendar."""
    draft = drafts.visit(issues=[drafts.issue()])
    await doors.file(client, MEMBER, draft)
    issue: str = draft["issues"][0]["id"]
    assert (await doors.issue(client, ADMINISTRATOR, issue))["issue"]["owner"]["id"] == str(WORKER.id)
    return issue


RAISED = """
select e.level, h.facts->'told' as told, h.actor_kind, h.actor, h.happened_at
from escalation e join history h on h.district = e.district and h.id = e.event and h.facts->>'about' = e.issue::text
order by e.level
"""


async def raised(conn: asyncpg.Connection) -> list[tuple[int, list[UUID]]]:
    """Each level that was reached, and who was to be told."""
    return [(row["level"], [UUID(one) for one in row["told"]]) for row in await conn.fetch(RAISED)]


async def due(conn: asyncpg.Connection) -> datetime:
    moment: datetime = await conn.fetchval("select due_at from issue")
    return moment


async def told(conn: asyncpg.Connection, kind: str) -> list[tuple[UUID, int | None]]:
    rows = await conn.fetch("select member, level from notice where kind = $1 order by member, level", kind)
    return [(row["member"], row["level"]) for row in rows]


async def test_what_is_late_goes_up_one_level_after_another_and_each_once(
    client: Client, conn: asyncpg.Connection, clock: TestClock, runner: Runner
) -> None:
    issue = await reported(client)
    clock.now = await due(conn) - timedelta(seconds=1)
    await run(runner, "escalate")
    assert await raised(conn) == []
    clock.now = await due(conn)
    await run(runner, "escalate", "escalate", "tell", "tell")
    assert await raised(conn) == [(1, [ORGANISER.id])]
    assert await told(conn, "overdue") == [(ORGANISER.id, 1)]
    clock.forward(days=20)
    await run(runner, "escalate", "escalate", "tell", "tell")
    assert await raised(conn) == [(1, [ORGANISER.id]), (2, [STREET_DISPATCHER.id]), (3, [DISPATCHER.id])]
    assert await told(conn, "overdue") == [(STREET_DISPATCHER.id, 2), (DISPATCHER.id, 3), (ORGANISER.id, 1)]
    assert await records.agree(conn) == 1
    history = (await doors.issue(client, ADMINISTRATOR, issue))["history"]
    assert [(one["event"], one["version"]) for one in history] == [("report", 1)] + [("escalate", 1)] * 3


async def test_it_goes_up_the_tree_past_steps_without_anybody_and_never_to_the_owner(
    client: Client, conn: asyncpg.Connection, clock: TestClock, runner: Runner
) -> None:
    await reported(client)
    await conn.execute("update issue set owner = $1", MEMBER_BELOW.id)  # of an organisation without an organiser
    clock.now = await due(conn)
    await run(runner, "escalate")
    assert await raised(conn) == [(1, [ORGANISER.id])]
    tree = await escalations.answering(conn, DISTRICT, clock())
    chain = [tree.told(level, ORGANISER.id, ORGANISATION, "410103001") for level in range(1, 5)]
    assert chain == [(STREET_DISPATCHER.id,), (DISPATCHER.id,), (LEADER.id,), (LEADER.id,)]
    assert tree.told(1, MEMBER_BELOW.id, BELOW, None) == (ORGANISER.id,)


async def test_in_place_of_one_who_is_away_their_deputy_is_told(
    client: Client, conn: asyncpg.Connection, clock: TestClock, runner: Runner
) -> None:
    await reported(client)
    await conn.execute(
        "insert into member_absence (district, id, member, deputy, starts_at, ends_at, recorded_at)"
        " values ($1, gen_random_uuid(), $2, $3, $4, $5, $4)",
        DISTRICT, ORGANISER.id, LEADER.id, NOW, NOW + timedelta(days=30),
    )  # fmt: skip
    clock.now = await due(conn)
    await run(runner, "escalate")
    assert await raised(conn) == [(1, [LEADER.id])]


async def test_another_limit_starts_anew_and_what_is_paused_or_done_stays_where_it_is(
    client: Client, conn: asyncpg.Connection, clock: TestClock, runner: Runner
) -> None:
    await reported(client)
    first = await due(conn)
    clock.now = first
    await run(runner, "escalate")
    await conn.execute("update issue set due_at = due_at + interval '2 days'")
    await run(runner, "escalate")
    assert len(await raised(conn)) == 1
    clock.forward(days=2)
    for state, paused_at in (("paused", clock()), ("resolved", None), ("rejected", None)):
        await conn.execute("update issue set state = $1, paused_at = $2", state, paused_at)
        await run(runner, "escalate")
        assert len(await raised(conn)) == 1, state
    await conn.execute("update issue set state = 'accepted', paused_at = null")
    await run(runner, "escalate")
    assert [level for level, _ in await raised(conn)] == [1, 1]


async def test_a_sweep_in_the_middle_of_its_work_keeps_nobody_from_filing_or_moving(
    client: Client, conn: asyncpg.Connection, dsn: str, clock: TestClock
) -> None:
    issues = [await reported(client) for _ in range(3)]
    clock.now = await due(conn)
    transaction = conn.transaction()
    await transaction.start()
    assert (await escalations.sweep(conn, DISTRICT, clock())).by_level == {1: 3}
    async with asyncio.timeout(60):  # the sweep has written and has not committed
        for number, issue in enumerate(issues):
            move = drafts.move("reject", 1, reason="重复") if number else drafts.move("accept", 1)
            await doors.move(client, WORKER, issue, move)
        late = drafts.visit(
            started_at=(clock() - timedelta(hours=1)).isoformat(), ended_at=clock().isoformat(), issues=[drafts.issue()]
        )
        await doors.file(client, MEMBER, late)
    locked = await conn.fetchval(
        "select count(*) from pg_locks where relation in ('issue'::regclass, 'issue_spans'::regclass)"
        " and pid = pg_backend_pid() and mode not in ('AccessShareLock')"
    )
    assert locked == 0
    await transaction.commit()
    assert len(await raised(conn)) == 3


async def test_two_sweeps_at_once_raise_nothing_twice(
    client: Client, conn: asyncpg.Connection, dsn: str, clock: TestClock
) -> None:
    for _ in range(5):
        await reported(client)
    clock.now = await due(conn)
    others = [await database.connect(dsn) for _ in range(3)]
    counted = await asyncio.gather(*[escalations.sweep(one, DISTRICT, clock(), together=2) for one in others])
    for one in others:
        await one.close()
    assert counted
    assert [level for level, _ in await raised(conn)] == [1] * 5
    assert await conn.fetchval("select count(*) from history where kind = 'escalation'") == 5


async def test_who_has_it_is_reminded_once_for_each_rule_before_the_limit(
    client: Client, conn: asyncpg.Connection, clock: TestClock, runner: Runner
) -> None:
    await reported(client)
    end = await due(conn)  # 72 hours of the calendar
    clock.now = end - timedelta(hours=18, minutes=1)
    await run(runner, "remind", "remind")
    reminded = await told(conn, "due_soon")
    clock.now = end - timedelta(hours=17, minutes=59)
    await run(runner, "remind", "remind")
    assert len(await told(conn, "due_soon")) == len(reminded) + 1
    clock.now = end - timedelta(minutes=1)
    await run(runner, "remind", "remind")
    assert await told(conn, "due_soon") == [(WORKER.id, None)] * 2
    clock.now = end + timedelta(minutes=1)
    await run(runner, "remind")
    assert len(await told(conn, "due_soon")) == 2
    assert await records.agree(conn) == 1


SHANGHAI = Calendar(zone=ZoneInfo("Asia/Shanghai"), published=frozenset(range(2020, 2030)))
MONDAY = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)  # nine in the morning


def test_moments_are_counted_in_working_time() -> None:
    day = timedelta(days=1)
    friday = deadline_rules.reached_by(SHANGHAI, Escalation(amount=1), MONDAY + timedelta(minutes=30))
    assert abs(friday - (MONDAY - 3 * day + timedelta(hours=7, minutes=30))) < timedelta(seconds=1)
    assert deadline_rules.reached_by(SHANGHAI, Escalation(amount=0), MONDAY) == MONDAY
    hours = Escalation(amount=5, unit="calendar_hours")
    assert deadline_rules.reached_by(SHANGHAI, hours, MONDAY) == MONDAY - timedelta(hours=5)
    # A limit of Friday is over by a whole working day once Monday's office hours end.
    working_day = Escalation(amount=1, unit="working_days")
    evening = MONDAY + timedelta(hours=8)
    assert deadline_rules.reached_by(SHANGHAI, working_day, evening - timedelta(minutes=1)) < MONDAY - 3 * day
    assert deadline_rules.reached_by(SHANGHAI, working_day, evening) > MONDAY - 3 * day

    week = Span(5, "working_days")
    near = deadline_rules.near_by(SHANGHAI, Reminder(percent=25), week, MONDAY)
    assert near is not None
    assert MONDAY + day < near < MONDAY + 2 * day
    assert deadline_rules.near_by(SHANGHAI, Reminder(amount=4), Span(4, "working_hours"), MONDAY) is None
    assert deadline_rules.near_by(SHANGHAI, Reminder(amount=4), week, MONDAY) == MONDAY + timedelta(hours=5)


async def put(client: Client, rules: Any, *, who: Person = ADMINISTRATOR) -> Any:
    return await client.post("/api/deadline-rules", json=rules, headers=who.headers)


async def test_a_district_has_rules_of_its_own(
    client: Client, conn: asyncpg.Connection, clock: TestClock, runner: Runner
) -> None:
    usual = await doors.read(client, WORKER, "/api/deadline-rules")
    assert [one["amount"] for one in usual["escalations"]] == [0, 1, 3]
    own = {"reminders": [], "escalations": [{"amount": 2, "unit": "calendar_hours"}]}
    assert doors.answered(await put(client, own), 200) == own
    await reported(client)
    clock.now = await due(conn) + timedelta(minutes=119)
    await run(runner, "escalate", "remind")
    assert await raised(conn) == []
    clock.forward(minutes=1)
    await run(runner, "escalate")
    assert [level for level, _ in await raised(conn)] == [1]
    assert await conn.fetchval("select count(*) from history where event = 'deadline_rules_changed'") == 1


@pytest.mark.parametrize(
    ("rules", "code", "field"),
    [
        ({"reminders": [{}], "escalations": []}, "missing", "reminders[0].percent"),
        ({"reminders": [{"percent": 25, "amount": 4}], "escalations": []}, "missing", "reminders[0].percent"),
        ({"reminders": [{"percent": 0}], "escalations": []}, "wrong_value", "reminders[0].percent"),
        ({"reminders": [], "escalations": [{"amount": 9}, {"amount": 8}]}, "levels_reversed", "escalations"),
        ({"reminders": [], "escalations": [{"amount": -1}]}, "wrong_value", "escalations[0].amount"),
        ({"reminders": [], "escalations": [{"amount": 1, "unit": "=cmd()"}]}, "wrong_value", "escalations[0].unit"),
        ({"reminders": [], "escalations": [{"amount": 1}] * 7}, "wrong_value", "escalations"),
    ],
)
async def test_rules_that_make_no_sense_are_refused(shared: Client, rules: Any, code: str, field: str) -> None:
    doors.refused(await put(shared, rules), 422, code, field)

"""Reminders: before a limit ends, who has the issue is told, once for each rule and limit.

As escalations, a sweep takes no lock on any issue: the key of the table `reminder` makes each one happen once."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID, uuid5

from asyncpg import Connection, Record

from surveys.clock import calendars
from surveys.clock.clock import Span
from surveys.notices import deadline_rules, notices
from surveys.notices.notices import Telling

TOGETHER = 5_000  # issues in one transaction
MOST = 200_000  # in one turn of the job

# The lengths of limits that run, of which there are few.
LIMITS = """
select distinct limit_amount + extension as amount, limit_unit as unit from issue
where district = $1 and state in ('reported', 'accepted', 'assigned', 'in_progress') and due_at > $2
"""
# What is near the end of its limit and has not been reminded of it by this rule, after the last one seen.
NEAR = """
select i.id, i.due_at, i.owner, i.urgency
from issue i join unnest($4::int[], $5::text[], $6::timestamptz[]) n(amount, unit, until)
  on i.limit_amount + i.extension = n.amount and i.limit_unit = n.unit and i.due_at <= n.until
where i.district = $1 and i.state in ('reported', 'accepted', 'assigned', 'in_progress')
  and i.due_at > $3 and i.due_at <= $7
  and (i.due_at, i.id) > ($8, $9)
  and (select r.rule from reminder r
    where r.district = $1 and r.issue = i.id and r.due_at = i.due_at and r.rule = $2) is null
order by i.due_at, i.id limit $10
"""
REMIND = """
insert into reminder (district, issue, due_at, rule, made_at)
select $1, issue, due_at, $2, $5 from unnest($3::uuid[], $4::timestamptz[]) n(issue, due_at)
on conflict do nothing
"""


async def sweep(conn: Connection, district: int, now: datetime, together: int = TOGETHER) -> Mapping[int, int]:
    """Remind of what is nearly due, in transactions of its own of a bounded size; how many by each rule."""
    calendar = await calendars.in_force(conn, district, now)
    rules = await deadline_rules.of_district(conn, district)
    limits = [Span(row["amount"], row["unit"]) for row in await conn.fetch(LIMITS, district, now)]
    counts = {}
    for number, rule in enumerate(rules.reminders, start=1):
        until = {limit: deadline_rules.near_by(calendar, rule, limit, now) for limit in limits}
        near = {limit: end for limit, end in until.items() if end is not None}
        if count := await _remind(conn, district, number, near, now, together):
            counts[number] = count
    return counts


async def _remind(
    conn: Connection, district: int, rule: int, near: Mapping[Span, datetime], now: datetime, together: int
) -> int:
    count, after = 0, (now, UUID(int=0))
    limits = ([one.amount for one in near], [one.unit for one in near], list(near.values()))
    while near and count < MOST:
        async with conn.transaction():
            found = await conn.fetch(NEAR, district, rule, now, *limits, max(near.values()), *after, together)
            if found:
                await _write(conn, district, rule, found, now)
        count += len(found)
        if len(found) < together:
            break
        after = found[-1]["due_at"], found[-1]["id"]
    return count


async def _write(conn: Connection, district: int, rule: int, found: Sequence[Record], now: datetime) -> None:
    await conn.execute(REMIND, district, rule, [row["id"] for row in found], [row["due_at"] for row in found], now)
    tellings = [
        Telling(
            member=row["owner"],
            kind="due_soon",
            issue=row["id"],
            cause=cause(row["id"], row["due_at"], rule),
            happened_at=now,
            urgent=row["urgency"] == "emergency",
        )
        for row in found
    ]
    await notices.tell(conn, district, tellings, now)


def cause(issue: UUID, due_at: datetime, rule: int) -> UUID:
    """What a reminder's notice follows from, so that it is the same each time."""
    return uuid5(issue, f"remind {due_at.timestamp()} {rule}")

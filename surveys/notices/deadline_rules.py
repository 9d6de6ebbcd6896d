"""When a district reminds of a limit, and how far it goes up after one: rules as data, and the moments they mean.

A sweep asks once for each rule which due times it reaches by now, and then only compares columns."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import history
from surveys.clock import clock
from surveys.clock.clock import Calendar, Span, Unit
from surveys.history import Actor, occurrence
from surveys.refusals import Invalid, Missing

Amount = Annotated[int, Meta(ge=0, le=1_000)]


class Reminder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Reminds when so many hundredths of a limit are left, or so much time."""

    percent: Annotated[int, Meta(ge=1, le=90)] | None = None
    amount: Annotated[int, Meta(ge=1, le=1_000)] | None = None
    unit: Unit = "working_hours"


class Escalation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Goes up one level when so much time has gone by since the limit."""

    amount: Amount
    unit: Unit = "working_hours"


class Rules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A district's rules; the first escalation is level 1."""

    reminders: Annotated[tuple[Reminder, ...], Meta(max_length=4)]
    escalations: Annotated[tuple[Escalation, ...], Meta(max_length=6)]


DEFAULTS = Rules(
    reminders=(Reminder(percent=25), Reminder(amount=4)),
    escalations=(
        Escalation(amount=0),
        Escalation(amount=1, unit="working_days"),
        Escalation(amount=3, unit="working_days"),
    ),
)


class LevelsReversed(Invalid):
    """A higher level would be told before a lower one."""

    code = "levels_reversed"


RULES = "select reminders, escalations from deadline_rules where district = $1"


async def of_district(conn: Connection, district: int) -> Rules:
    """The rules that a district follows now."""
    row = await conn.fetchrow(RULES, district)
    return msgspec.convert(dict(row), Rules) if row else DEFAULTS


CHANGE = """
insert into deadline_rules (district, reminders, escalations, changed_at) values ($1, $2, $3, $4)
on conflict (district) do update
set reminders = excluded.reminders, escalations = excluded.escalations, changed_at = excluded.changed_at
"""


async def change(
    conn: Connection, district: int, actor: Actor, rules: Rules, calendar: Calendar, now: datetime
) -> None:
    """Let a district follow other rules from now on. Raises Missing or LevelsReversed."""
    for at, reminder in enumerate(rules.reminders):
        if (reminder.percent is None) == (reminder.amount is None):
            raise Missing(f"reminders[{at}].percent")
    reached = [reached_by(calendar, one, now) for one in rules.escalations]
    if reached != sorted(reached, reverse=True):
        raise LevelsReversed("escalations")
    await conn.execute(CHANGE, district, list(rules.reminders), list(rules.escalations), now)
    facts = {"reminders": rules.reminders, "escalations": rules.escalations}
    event = occurrence(
        district=district, kind="installation", event="deadline_rules_changed", actor=actor, now=now, facts=facts
    )
    await history.append(conn, [event], [])


FARTHEST = timedelta(days=366 * 5)
NEAR_ENOUGH = timedelta(milliseconds=1)


def reached_by(calendar: Calendar, rule: Escalation, now: datetime) -> datetime:
    """The latest due time after which so much time has gone by until now."""
    if rule.amount == 0:
        return now
    if rule.unit == "calendar_hours":
        return now - timedelta(hours=rule.amount)
    span = Span(rule.amount, rule.unit)
    early, late = now - FARTHEST, now
    while late - early > NEAR_ENOUGH:
        middle = early + (late - early) / 2
        if clock.due(calendar, span, middle).at <= now:
            early = middle
        else:
            late = middle
    return early


def near_by(calendar: Calendar, rule: Reminder, limit: Span, now: datetime) -> datetime | None:
    """The latest due time of which, by a limit of this length, no more is left than the rule says; None for a limit
    that is too short for the rule to mean anything."""
    whole = clock.due(calendar, limit, now).at
    full = clock.left(calendar, limit.unit, now, whole)
    if rule.percent is not None:
        wanted = full * rule.percent / 100
        return _left(calendar, limit.unit, wanted, now, whole)
    end = clock.due(calendar, Span(rule.amount or 0, rule.unit), now).at
    return end if 2 * clock.left(calendar, limit.unit, now, end) <= full else None


def _left(calendar: Calendar, unit: Unit, wanted: timedelta, now: datetime, whole: datetime) -> datetime:
    early, late = now, whole
    while late - early > NEAR_ENOUGH:
        middle = early + (late - early) / 2
        if clock.left(calendar, unit, now, middle) <= wanted:
            early = middle
        else:
            late = middle
    return early

"""The board of those who work through issues: what waits for whom, how many that are, and how much time is left."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Literal, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.clock import calendars, clock
from surveys.clock.clock import Calendar, Unit
from surveys.counting import issue_counts, issue_query
from surveys.counting.issue_lists import ORDERS, Item, Order
from surveys.counting.issue_query import Filters, seen
from surveys.issues.issues import Asked
from surveys.issues.workflow import OPEN, STATES, State
from surveys.people.people import Reader, Role

QueueName = Literal[
    "mine",
    "department",  # what the reader's departments work on
    "new",  # nobody has taken it on yet
    "due_today",
    "overdue",
    "judge",  # a dispatcher is asked for something
    "returned",
    "waiting",
    "offered",
    "follow",
    "visit",
]

UNFINISHED: tuple[State, ...] = tuple(state for state in STATES if state in OPEN)
RUNNING: tuple[State, ...] = tuple(state for state in UNFINISHED if state != "paused")  # their time goes by

# What is seen first, by the role that comes first here; everybody else begins with what they answer for.
BEGINNINGS: Mapping[Role, QueueName] = {
    "community_worker": "mine",
    "dispatcher": "new",
    "department_handler": "department",
    "leader": "overdue",
    "administrator": "overdue",
}
OVERSEEING: frozenset[Role] = frozenset({"dispatcher", "leader", "administrator"})


class Queue(Struct, frozen=True):
    """Issues that wait for something, as the filters under which a list shows them."""

    name: QueueName
    filters: Filters


def queues(reader: Reader, today: date) -> list[Queue]:
    """The queues of this reader, the one to begin with first."""
    roles, me = reader.roles(), (reader.member,)
    work = _work(reader)
    found: dict[QueueName, Filters] = {"mine": Filters(owner=me, state=UNFINISHED)}
    if departments := reader.scopes("department"):
        found["department"] = Filters(department=tuple(departments), state=UNFINISHED)
    found["new"] = msgspec.structs.replace(work, state=("reported",))
    found["due_today"] = msgspec.structs.replace(work, state=RUNNING, overdue=False, due_to=today)
    found["overdue"] = msgspec.structs.replace(work, state=UNFINISHED, overdue=True)
    if "dispatcher" in roles:
        found["judge"] = Filters(asked=get_args(Asked), state=UNFINISHED)
    found["returned"] = Filters(owner=me, returned=True)
    found["waiting"] = Filters(owner=me, waiting=True)
    found["offered"] = Filters(offered_to=me, state=UNFINISHED)
    if "leader" in roles:
        found["follow"] = Filters(leader=me, state=UNFINISHED)
    found["visit"] = Filters(agent=me, state=UNFINISHED)
    begin = (name for role, name in BEGINNINGS.items() if role in roles and name in found)
    first: QueueName = next(begin, "mine")
    return [Queue(first, found.pop(first)), *(Queue(name, filters) for name, filters in found.items())]


def _work(reader: Reader) -> Filters:
    """What a reader has to see to: all within reach, what their departments work on, or what they answer for."""
    roles = reader.roles()
    if "community_worker" not in roles and roles & OVERSEEING:
        return Filters()
    departments = reader.scopes("department")
    return Filters(department=tuple(departments)) if departments else Filters(owner=(reader.member,))


async def counts(
    conn: Connection, reader: Reader, queues: Sequence[Queue], zone: ZoneInfo, now: datetime
) -> dict[QueueName, int]:
    """How many issues each queue has."""
    totals = await issue_counts.totals(conn, reader, [queue.filters for queue in queues], zone, now)
    return {queue.name: total for queue, total in zip(queues, totals, strict=True)}


def order(filters: Filters) -> Order:
    """How a list is ordered unless somebody says it: by due time where all of it has one that still matters."""
    unfinished = filters.state and set(filters.state) <= OPEN
    grouped = filters.group and not set(filters.group) & {"solved", "other"}
    return "due" if unfinished or grouped or filters.overdue or filters.waiting or filters.returned else "newest"


class Left(Struct, frozen=True):
    """The time left until an issue is due, below zero when it is late, in the days and hours that its limit counts in;
    `standing` while it is paused."""

    time: timedelta
    day: timedelta  # how long an ordinary day is
    standing: bool

    @property
    def late(self) -> bool:
        """Whether the limit has passed."""
        return self.time < timedelta()


UNITS = "select id, limit_unit from issue where district = $1 and id = any($2)"


async def left(conn: Connection, reader: Reader, items: Sequence[Item], now: datetime) -> dict[UUID, Left]:
    """The time that each of these issues had left at a moment, of those that were not finished."""
    going = [item for item in items if item.state in OPEN]
    if not going:
        return {}
    calendar = await calendars.in_force(conn, reader.district, now)
    rows = await conn.fetch(UNITS, reader.district, [one.id for one in going])
    units: dict[UUID, Unit] = {row["id"]: row["limit_unit"] for row in rows}
    return {
        item.id: left_of(calendar, units[item.id], item.due_at, item.paused_at if item.state == "paused" else None, now)
        for item in going
        if item.id in units
    }


def left_of(calendar: Calendar, unit: Unit, due_at: datetime, paused_at: datetime | None, now: datetime) -> Left:
    """The time that is left until something is due; since a pause began none goes by."""
    day = timedelta(hours=24) if unit == "calendar_hours" else _ordinary_day(calendar)
    return Left(clock.left(calendar, unit, paused_at or now, due_at), day, paused_at is not None)


def _ordinary_day(calendar: Calendar) -> timedelta:
    """How long the office is open on the first weekday of the newest hours on which it is."""
    openings = next(filter(None, calendar.hours[-1].week), ())
    open_for = sum(
        (datetime.combine(date.min, closes) - datetime.combine(date.min, opens) for opens, closes in openings),
        timedelta(),
    )
    return open_for or timedelta(hours=24)


async def beside(
    conn: Connection, reader: Reader, filters: Filters, zone: ZoneInfo, now: datetime, of: Item, order: Order
) -> tuple[UUID | None, UUID | None]:
    """The issues before and after one in a list, whether it still is in it or not. Raises InvalidFilter."""
    query = await seen(conn, reader, filters, zone, issue_query.moment(filters, zone, now))
    column, way, beyond = ORDERS[order]
    place = f"(${len(query.parameters) + 1}::timestamptz, ${len(query.parameters) + 2}::uuid)"
    found: list[UUID | None] = []
    for reading, after in ((_turned(way), _turned(beyond)), (way, beyond)):
        question = (
            f"{query.text} select id from seen where ({column}, id) {after} {place}"
            f" order by {column} {reading}, id {reading} limit 1"
        )
        found.append(await conn.fetchval(question, *query.parameters, getattr(of, column), of.id))
    return found[0], found[1]


def _turned(word: str) -> str:
    return {"asc": "desc", "desc": "asc", "<": ">", ">": "<"}[word]

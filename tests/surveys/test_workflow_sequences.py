"""Random people make random moves, right ones and wrong ones; a plain model of the rules says what should come of each.

The model knows nothing of the program's table: it is the page `workflow.md` once more, as a person would read it."""

import copy
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal, cast
from uuid import UUID, uuid4

import asyncpg
import hypothesis
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from api import database
from maps.locator import Atlas
from surveys.clock import calendars, clock
from surveys.clock.clock import Calendar, Unit
from surveys.history import Actor
from surveys.issues import issue_moves, issues
from surveys.issues.issues import IssueRow, Photo, Step
from surveys.issues.moves import MoveDraft
from surveys.issues.workflow import MOVES, OPEN, STATES, Move
from surveys.people.people import Grant, Reader
from surveys.refusals import Refusal
from tests.conftest import (
    ADMINISTRATOR,
    DISPATCHER,
    DISTRICT,
    HANDLER,
    LEADER,
    MEMBER,
    NEAR,
    NOW,
    OTHER_WORKER,
    RING,
    STRANGER,
    STREET_DISPATCHER,
    WORKER,
    Person,
    Server,
    founded,
    join,
    person,
)
from tests.stories import records

pytestmark = pytest.mark.anyio

WATER = person("31", "水务员", "department_handler", "department", "water")
EVERYBODY = [
    MEMBER,
    STRANGER,
    WORKER,
    OTHER_WORKER,
    STREET_DISPATCHER,
    DISPATCHER,
    HANDLER,
    WATER,
    LEADER,
    ADMINISTRATOR,
]
DEPARTMENT_OF = {HANDLER: "city_management", WATER: "water"}
LIMITS: dict[Unit, int] = {"calendar_hours": 72, "working_hours": 24, "working_days": 5}
PHOTO = Photo("ab" * 32, 9)
BUSY = ("accepted", "assigned", "in_progress")


class Attempt(Struct, frozen=True, kw_only=True):
    """What somebody tries."""

    who: Person
    move: Move
    to: Person | str
    departments: tuple[str, ...]
    reason: bool
    evidence: bool
    despite: bool
    amount: int
    channel: str
    opinion: str


class Model(Struct, kw_only=True):
    """What an issue is by the rules, as far as they go by it."""

    limit: int
    state: str = "reported"
    owner: Person = WORKER
    department: str | None = None
    channel: str = "joint_review"
    offered: Person | None = None
    asked: str | None = None
    asker: Person | None = None
    asked_amount: int = 0
    leader: bool = False
    agent: Person | None = None
    said: dict[str, str | None] = {}  # by the departments that are asked now
    resolver: Person | None = None
    before_pause: str = ""
    extensions: int = 0
    extended_by: int = 0

    def is_(self, who: Person) -> set[str]:
        """What somebody is to the issue."""
        mine = DEPARTMENT_OF.get(who)
        roles = {
            "owner": who == self.owner,
            "reporter": who == MEMBER,
            "offered": who == self.offered,
            "agent": who == self.agent,
            "worker": who == WORKER,
            "dispatcher": who in (STREET_DISPATCHER, DISPATCHER),
            "administrator": who == ADMINISTRATOR,
            "leader": who == LEADER,
            "handler": mine is not None and mine == self.department,
            "consulted": mine in self.said,
        }
        return {name for name, holds in roles.items() if holds}

    def make(self, one: Attempt, *, late: bool) -> bool:
        """Make the move if the rules let it be made, and say whether they do."""
        who = self.is_(one.who)
        return bool(getattr(self, f"_{one.move}")(one, who, late))

    def _nothing_waits(self) -> None:
        self.offered, self.asked, self.asker = None, None, None

    def _taken_over(self, owner: Person) -> None:
        if self.asker == self.owner:
            self.asked, self.asker = None, None
        if self.state == "reported" or (self.state in BUSY and self.department is None):
            self.state = "accepted"
        self.owner, self.offered = owner, None

    def _given_to(self, department: str) -> None:
        if self.asker is not None and self.asker != self.owner and department != self.department:
            self.asked, self.asker = None, None
        self.department = department
        self.said.pop(department, None)
        if self.state != "paused":
            self.state = "assigned"

    def _accept(self, one: Attempt, who: set[str], late: bool) -> bool:
        if self.state not in OPEN or not who & {"offered", *self._desk()}:
            return False
        if self.state != "reported" and "offered" not in who:
            return False
        self._taken_over(one.who)
        return True

    def _desk(self) -> set[str]:
        return {"owner", "worker", "dispatcher"}

    def _decline(self, one: Attempt, who: set[str], late: bool) -> bool:
        if self.state not in OPEN or "offered" not in who or not one.reason:
            return False
        self.offered = None
        return True

    def _assign(self, one: Attempt, who: set[str], late: bool) -> bool:
        if self.state not in OPEN - {"paused"} or not who & {"administrator", *self._desk()}:
            return False
        if isinstance(one.to, Person):
            if one.departments or one.to == self.offered or (one.to == self.owner and self.offered is None):
                return False
            self.offered = None if one.to == self.owner else one.to
            return True
        if one.departments and (self.channel != "joint_review" or one.to in one.departments):
            return False
        self._given_to(one.to)
        self.said |= dict.fromkeys(one.departments)
        return True

    def _start(self, one: Attempt, who: set[str], late: bool) -> bool:
        if self.state not in ("accepted", "assigned") or not who & {"handler", *self._desk()}:
            return False
        self.state = "in_progress"
        return True

    def _resolve(self, one: Attempt, who: set[str], late: bool) -> bool:
        on_the_spot = self.state == "reported" and self.channel == "on_the_spot"
        if not (self.state in BUSY or on_the_spot) or not who & {"owner", "handler", "agent", "worker"}:
            return False
        in_the_way = any(said in (None, "object") for said in self.said.values())
        shown = one.evidence or not (on_the_spot or self.channel == "agent")
        if not one.reason or not shown or in_the_way != one.despite:
            return False
        self.state, self.resolver = "resolved", one.who
        self._nothing_waits()
        return True

    def _close(self, one: Attempt, who: set[str], late: bool) -> bool:
        if self.state != "resolved" or not who & {"worker", "dispatcher", "administrator"}:
            return False
        if one.who == self.resolver or not one.reason:
            return False
        self.state = "closed"
        return True

    def _reject(self, one: Attempt, who: set[str], late: bool) -> bool:
        if self.state not in ("reported", "accepted") or not who & {"worker", "dispatcher"} or not one.reason:
            return False
        self.state = "rejected"
        self._nothing_waits()
        return True

    def _reopen(self, one: Attempt, who: set[str], late: bool) -> bool:
        if self.state not in ("resolved", "closed", "rejected") or not one.reason:
            return False
        if not who & {"reporter", "administrator", *self._desk()}:
            return False
        self.state, self.extensions, self.extended_by = "accepted", 0, 0
        return True

    def _correct(self, one: Attempt, who: set[str], late: bool) -> bool:
        return one.reason and bool(who & {"reporter", "administrator", *self._desk()})

    def _return(self, one: Attempt, who: set[str], late: bool) -> bool:
        if self.state not in OPEN - {"paused"} or self.asked or not who & {"owner", "handler"}:
            return False
        if not one.reason or not one.evidence:
            return False
        self.asked, self.asker = "return", one.who
        return True

    def _pause(self, one: Attempt, who: set[str], late: bool) -> bool:
        if not self._may_ask(one, who):
            return False
        if self._at_once(who):
            self.state, self.before_pause = "paused", self.state
        else:
            self.asked, self.asker = "pause", one.who
        return True

    def _extend(self, one: Attempt, who: set[str], late: bool) -> bool:
        if not self._may_ask(one, who) or late or not self._within_bounds(one.amount):
            return False
        if self._at_once(who):
            self._extended(one.amount)
        else:
            self.asked, self.asker, self.asked_amount = "extend", one.who, one.amount
        return True

    def _may_ask(self, one: Attempt, who: set[str]) -> bool:
        return self.state in BUSY and not self.asked and one.reason and bool(who & {"owner", "handler", "dispatcher"})

    def _at_once(self, who: set[str]) -> bool:
        return "dispatcher" in who and not who & {"owner", "handler"}

    def _within_bounds(self, amount: int) -> bool:
        return self.extensions < 2 and self.extended_by + amount <= self.limit

    def _extended(self, amount: int) -> None:
        self.extensions, self.extended_by = self.extensions + 1, self.extended_by + amount

    def _approve(self, one: Attempt, who: set[str], late: bool) -> bool:
        if self.state not in OPEN or not self.asked or "dispatcher" not in who or one.who == self.asker:
            return False
        asked, asker = self.asked, self.asker
        self.asked, self.asker = None, None
        match asked:
            case "pause":
                self.state, self.before_pause = "paused", self.state
            case "extend":
                self._extended(self.asked_amount)
            case _ if self.department is not None and asker != self.owner:
                self.department = None
                self.state = "reported" if self.state == "reported" else "accepted"
            case _:
                self._taken_over(one.who)
        return True

    def _refuse(self, one: Attempt, who: set[str], late: bool) -> bool:
        if self.state not in OPEN or not self.asked or "dispatcher" not in who or one.who == self.asker:
            return False
        if not one.reason:
            return False
        self.asked, self.asker = None, None
        return True

    def _resume(self, one: Attempt, who: set[str], late: bool) -> bool:
        if self.state != "paused" or not who & {"owner", "handler", "dispatcher"}:
            return False
        self.state = self.before_pause
        return True

    def _change_channel(self, one: Attempt, who: set[str], late: bool) -> bool:
        if self.state not in OPEN or not who & {"administrator", *self._desk()} or not one.reason:
            return False
        if one.channel == self.channel or (one.channel == "green_channel" and self.leader):
            return False  # the attempt names the leader, who follows it already
        self.channel, self.agent, self.said = one.channel, None, {}
        self.leader = self.leader or one.channel == "green_channel"
        return True

    def _follow(self, one: Attempt, who: set[str], late: bool) -> bool:
        if self.state not in OPEN or self.leader or not who & {"dispatcher", "administrator", "leader"}:
            return False
        self.leader = True
        return True

    def _appoint(self, one: Attempt, who: set[str], late: bool) -> bool:
        if self.state not in OPEN or self.channel != "agent" or not who & {"handler", *self._desk()}:
            return False
        self.agent = STRANGER
        return True

    def _opine(self, one: Attempt, who: set[str], late: bool) -> bool:
        if self.state not in OPEN or self.channel != "joint_review" or "consulted" not in who:
            return False
        if one.opinion == "object" and not one.reason:
            return False
        self.said[DEPARTMENT_OF[one.who]] = one.opinion
        return True

    def _meet(self, one: Attempt, who: set[str], late: bool) -> bool:
        rightly = self.state in OPEN and self.channel == "joint_review" and one.reason
        return rightly and bool(who & {"handler", *self._desk()})


MADE_HERE = sorted(set(MOVES) - {"merge", "unmerge"})  # those of one issue

TAKERS: list[Person | str] = [*DEPARTMENT_OF.values(), STRANGER, WORKER, DISPATCHER]
RARELY = {"reject", "correct"}  # what ends a life early, and what changes little


Kind = Literal["right", "by somebody else", "anything"]
KINDS: list[Kind] = ["right", "right", "right", "by somebody else", "anything"]


class Choice(Struct, frozen=True):
    """What somebody tries some time after what was tried before: something right, the same by somebody who may well not
    do it, or anything at all."""

    kind: Kind
    seed: str
    after: timedelta

    def of(self, model: Model, *, late: bool) -> Attempt:
        """What is tried of an issue that is as the model says."""
        rng = Random(self.seed)  # noqa: S311 - the same again for the same seed
        right = None if self.kind == "anything" else _right(rng, model, late)
        if right is None:
            return _anything(rng, rng.choice(EVERYBODY), rng.choice(MADE_HERE))
        if self.kind == "right":
            return right
        others = [*EVERYBODY, *(one for one in (model.asker, model.resolver, model.owner) if one for _ in range(4))]
        return msgspec.structs.replace(right, who=rng.choice(others))


def _right(rng: Random, model: Model, late: bool) -> Attempt | None:
    for move in sorted(MADE_HERE, key=lambda move: rng.random() + (move in RARELY) * 0.4):
        for who in rng.sample(EVERYBODY, len(EVERYBODY)):
            one = _anything(rng, who, move)
            if copy.deepcopy(model).make(one, late=late):
                return one
    return None


def _anything(rng: Random, who: Person, move: Move) -> Attempt:
    return Attempt(
        who=who,
        move=move,
        to=rng.choice(TAKERS),
        departments=rng.choice([(), (), ("water",), ("city_management",)]),
        reason=rng.random() < 0.8,
        evidence=rng.random() < 0.6,
        despite=rng.random() < 0.3,
        amount=rng.randint(1, 40),
        channel=rng.choice(["on_the_spot", "joint_review", "green_channel", "agent"]),
        opinion=rng.choice(["agree", "object", "not_concerned"]),
    )


@st.composite
def lives(draw: st.DrawFn) -> list[Choice]:
    """What is tried of one issue, one thing after another."""
    seed = draw(st.integers(0, 2**63))
    after = st.sampled_from([timedelta(0), timedelta(minutes=7), timedelta(hours=5), timedelta(days=2)])
    steps = draw(st.lists(st.tuples(st.sampled_from(KINDS), after), min_size=12, max_size=28))
    return [Choice(kind, f"{seed} {at}", later) for at, (kind, later) in enumerate(steps)]


def draft(one: Attempt, version: int, now: datetime) -> MoveDraft:
    """What somebody sends who tries this: what their move can use, and not always what it needs."""
    rule = MOVES[one.move]
    with_: dict[str, Any] = {
        "to": one.to.id if isinstance(one.to, Person) else one.to,
        "departments": one.departments,
        "correction": {"title": "门口垃圾"},
        "amount": one.amount,
        "channel": one.channel,
        "opinion": one.opinion,
        "at": now,
        "despite": "催过三次" if one.despite else None,
    }
    match one.move:
        case "follow":
            with_["to"] = LEADER.id
        case "appoint":
            with_ |= {"to": STRANGER.id, "at": now + timedelta(days=1)}
        case "change_channel":
            with_ |= {"to": LEADER.id if one.channel == "green_channel" else None, "at": None, "departments": ()}
        case "opine":
            with_["to"] = None
    told = {name: value for name, value in with_.items() if name in rule.needs | rule.takes and value is not None}
    told |= {"reason": "因为"} if one.reason else {}
    told |= {"evidence": [PHOTO]} if one.evidence else {}
    asked = {"id": uuid4(), "move": one.move, "expected_version": version} | told
    return msgspec.convert(msgspec.to_builtins(asked), MoveDraft)


@pytest.fixture(scope="module")
async def conn(server: Server, template: str) -> AsyncIterator[asyncpg.Connection]:
    """A district of this file's own; each test undoes what it wrote."""
    async with founded(server, template) as dsn:
        opened = await database.connect(dsn)
        await join(opened, DISTRICT, WATER, NOW - timedelta(days=365))
        yield opened
        await opened.close()


def reader(who: Person) -> Reader:
    grants = (Grant(cast(Any, who.role), cast(Any, who.scope_kind), who.scope),)
    return Reader(district=DISTRICT, member=who.id, name=who.name, organisation=who.organisation, grants=grants)


async def report(conn: asyncpg.Connection, unit: Unit) -> IssueRow:
    """An issue of the near community, as filing leaves it."""
    calendar = await calendars.in_force(conn, DISTRICT, NOW)
    row = IssueRow(
        district=DISTRICT,
        id=uuid4(),
        number=60_000,
        version=1,
        source="ledger",
        reporter=MEMBER.id,
        organisation=MEMBER.organisation,
        reported_at=NOW,
        category="0103",
        urgency="normal",
        channel="joint_review",
        state="reported",
        owner=WORKER.id,
        clock_started_at=NOW,
        limit_version=1,
        limit_amount=LIMITS[unit],
        limit_unit=unit,
        due_at=clock.due(calendar, clock.Span(LIMITS[unit], unit), NOW).at,
        response_due_at=NOW,
        held_since=NOW,
        community=NEAR,
        certainty="unplaced",
        text_version=1,
        recorded_at=NOW,
    )
    step = Step(
        id=uuid4(),
        event="report",
        actor=Actor("member", str(MEMBER.id)),
        happened_at=NOW,
        state="reported",
        owner=WORKER.id,
        department=None,
    )
    new = issues.new(row=row, title="垃圾", description=None, steps=(step,))
    await issues.record(conn, [new])
    return new.row


ROW = f"select {issues.ROW} from issue where id = $1"
WRITTEN = """
select (select count(*) from history), (select count(*) from issue_spans), (select count(*) from text_version),
       (select count(*) from issue_photo), (select string_agg(to_jsonb(j)::text, '|') from joint_review j),
       to_jsonb(i) from issue i where id = $1
"""


async def attempt(conn: asyncpg.Connection, issue: UUID, one: Attempt, version: int, now: datetime) -> bool:
    """Try a move; whether it was made. What is refused must leave everything as it was."""
    before = await conn.fetchrow(WRITTEN, issue)
    try:
        async with conn.transaction():
            await issue_moves.move(conn, Atlas(), reader(one.who), issue, draft(one, version, now), now, RING)
    except Refusal:
        assert await conn.fetchrow(WRITTEN, issue) == before
        return False
    return True


@hypothesis.settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(LIMITS)), lives())
async def test_whatever_people_try_the_rules_hold(conn: asyncpg.Connection, unit: Unit, life: list[Choice]) -> None:
    transaction = conn.transaction()
    await transaction.start()
    try:
        await _live(conn, unit, life)
    finally:
        await transaction.rollback()


def test_the_lives_are_rich_enough_to_go_wrong() -> None:
    """Each move is made rightly and tried wrongly, again and again."""
    made: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    rng = Random(20261124)  # noqa: S311 - the same lives each time
    for _ in range(150):
        model = Model(limit=72)
        for _ in range(16):
            choice = Choice(rng.choice(KINDS), str(rng.random()), timedelta(0))
            one = choice.of(model, late=False)
            tried[one.move] += 1
            made[one.move] += model.make(one, late=False)
    for move in MADE_HERE:
        assert made[move] >= 3, (move, made)
        assert tried[move] - made[move] >= 3, (move, tried)


async def _live(conn: asyncpg.Connection, unit: Unit, life: list[Choice]) -> None:
    row, now = await report(conn, unit), NOW
    calendar = await calendars.in_force(conn, DISTRICT, now)
    model = Model(limit=LIMITS[unit])
    for choice in life:
        now += choice.after
        one = choice.of(model, late=row.due_at <= now)
        rightly = model.make(one, late=row.due_at <= now)
        made = await attempt(conn, row.id, one, row.version, now)
        assert made == rightly, (one.who.name, one.move, row.state)
        before, row = row, IssueRow(**(await conn.fetch(ROW, row.id))[0])
        agrees(model, row)
        if made:
            time_holds(calendar, one, before, row, now)
    assert await records.agree(conn) == 1


def agrees(model: Model, row: IssueRow) -> None:
    """The row is what the model says, and has an owner."""
    assert row.state in STATES
    assert row.owner == model.owner.id
    assert row.state == model.state
    assert row.department == model.department
    assert row.channel == model.channel
    assert row.offered_to == (model.offered and model.offered.id)
    assert (row.asked, row.asked_by) == (model.asked, model.asker and model.asker.id)
    assert row.leader == (LEADER.id if model.leader else None)
    assert row.agent == (model.agent and model.agent.id)
    assert sorted(row.consulted or []) == sorted(model.said)
    assert row.extension == model.extended_by


def time_holds(calendar: Calendar, one: Attempt, before: IssueRow, row: IssueRow, now: datetime) -> None:
    """The time left grows by what a person grants, and by nothing else; a pause takes none."""
    if one.move == "reopen" or row.extension != before.extension:
        assert row.due_at >= before.due_at or one.move == "reopen"
        return
    moment = before.paused_at or now
    left = clock.left(calendar, row.limit_unit, moment, before.due_at)
    still = clock.left(calendar, row.limit_unit, row.paused_at or now, row.due_at)
    assert still == left, f"{one.move} changes the time left"

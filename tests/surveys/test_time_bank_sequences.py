"""People earn, pass on, ask, help, confirm and correct in any order; a plain model of the rules recounts all of it.

The model is a dictionary of minutes and a list of what is set aside: it knows no table, no trigger and no lock."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from api import database
from surveys import refusals
from surveys.refusals import Refusal
from surveys.volunteering import (
    help_done,
    help_requests,
    help_reserves,
    help_taking,
    time_bank,
    time_decisions,
    time_sums,
)
from tests.conftest import ADMINISTRATOR, DISTRICT, NOW, Server, founded
from tests.time_banking import DESK, MARCH, correction, earn, pass_on, reader, relative_of, served, set_rules, sound
from tests.volunteers import serving_one, team_of

pytestmark = pytest.mark.anyio

LOWEST = {"volunteer": -60, "relative": 0}
DAY = timedelta(days=1)


class Asked(Struct):
    """Help that was asked for, as the model keeps it."""

    account: int
    minutes: int
    state: str = "open"
    helper: int | None = None


class Model:
    """What people have by the rules: six accounts, of which the even are volunteers' and the next their relative's."""

    def __init__(self) -> None:
        self.balance, self.reserved, self.served = [0] * 6, [0] * 6, [0] * 6
        self.given_back = self.carried = 0
        self.claims: list[tuple[int, int, int, str]] = []  # whose, from, to (minutes after March), state
        self.booked: list[
            tuple[int, int, int, int]
        ] = []  # from and to (less than 0: the district), minutes, who served
        self.corrected: set[int] = set()
        self.helps: list[Asked] = []

    def spare(self, account: int) -> int:
        lowest = LOWEST["relative" if account % 2 else "volunteer"]
        return self.balance[account] - self.reserved[account] - lowest

    def overlaps(self, who: int, start: int, end: int) -> bool:
        return any(w == who and s < end and e > start and state != "refused" for w, s, e, state in self.claims)


Step = tuple[str, int, int, int, int]  # what is tried, and numbers that it reads in its own way
WEIGHTS = {"earn": 8, "pass_on": 5, "give_back": 1, "ask": 6, "take": 5, "say": 3, "confirm": 3, "cancel": 1}
WEIGHTS |= {"decide": 3, "correct": 3}


def life(seed: int, length: int) -> list[Step]:
    """What people try, one thing after another; more of it for themselves and their family than for others."""
    rng = Random(seed)  # noqa: S311 - the same again for the same seed
    names = rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=length)
    steps = []
    for name in names:
        a = rng.randint(0, 5)
        steps.append((name, a, rng.choice([a ^ 1, a ^ 1, rng.randint(0, 5)]), rng.randint(1, 12), rng.randint(0, 60)))
    return steps


class World:
    """The same people in the database and in the model."""

    def __init__(self, conn: asyncpg.Connection, accounts: list[UUID], team: UUID) -> None:
        self.conn, self.accounts, self.team = conn, accounts, team
        self.model = Model()
        self.transactions: list[UUID] = []
        self.claims: list[UUID] = []
        self.helps: list[UUID] = []

    async def tried(self, doing: Any) -> bool:
        """Whether what is tried was done; what is refused leaves nothing."""
        try:
            async with self.conn.transaction():
                await doing
        except asyncpg.IntegrityConstraintViolationError as error:
            if refusals.of_constraint(error) is None:
                raise
            return False
        except Refusal:
            return False
        return True

    def book(self, source: int, target: int, minutes: int, who: int, id_: UUID) -> None:
        model = self.model
        for account, change in ((source, -minutes), (target, minutes)):
            if account >= 0:
                model.balance[account] += change
        if who >= 0:
            model.served[who] += minutes
        model.booked.append((source, target, minutes, who))
        self.transactions.append(id_)

    async def earn(self, a: int, b: int, units: int, slot: int) -> bool:
        who, start, minutes = a // 2 * 2, slot * 40, units * 10 if b else 840
        state = "held" if minutes == 840 or self.model.overlaps(who, start, start + minutes) else "booked"
        one = served(self.accounts[who], MARCH + timedelta(minutes=start), minutes)
        assert await earn(self.conn, one) == [state]
        self.model.claims.append((who, start, start + minutes, state))
        self.claims.append(one.id)
        if state == "booked":
            self.book(-1, who, minutes, who, one.id)
        return True

    async def pass_on(self, a: int, b: int, units: int, slot: int) -> bool:
        minutes, family = units * 10, a // 2 == b // 2 and a != b
        done = await self.tried(
            pass_on(self.conn, self.accounts[a // 2 * 2], self.accounts[a], self.accounts[b], minutes)
        )
        assert done == (family and self.model.spare(a) >= minutes)
        if done:
            self.book(a, b, minutes, -1, await self.newest())
        return done

    async def give_back(self, a: int, b: int, units: int, slot: int) -> bool:
        minutes = units * 10
        done = await self.tried(pass_on(self.conn, self.accounts[a // 2 * 2], self.accounts[a], None, minutes))
        assert done == (self.model.spare(a) >= minutes)
        if done:
            self.model.given_back += minutes
            self.book(a, -2, minutes, -1, await self.newest())
        return done

    async def newest(self) -> UUID:
        question = "select id from time_transaction where district = $1 and not id = any($2) and corrects is null"
        id_: UUID = await self.conn.fetchval(question, DISTRICT, self.transactions)
        return id_

    async def ask(self, a: int, b: int, units: int, slot: int) -> bool:
        minutes = units * 10
        draft = help_requests.HelpDraft(
            id=uuid4(), account=self.accounts[a], what="买菜", wanted_at=NOW + DAY, minutes=minutes
        )
        done = await self.tried(help_requests.ask(self.conn, DISTRICT, self.accounts[a // 2 * 2], draft, DESK, NOW))
        assert done == (self.model.spare(a) >= minutes)
        if done:
            self.model.reserved[a] += minutes
            self.model.helps.append(Asked(a, minutes))
            self.helps.append(draft.id)
        return done

    def some(self, number: int, *states: str) -> int | None:
        found = [at for at, one in enumerate(self.model.helps) if one.state in states]
        return found[number % len(found)] if found else None

    async def version(self, at: int) -> int:
        return (await help_reserves.locked(self.conn, DISTRICT, self.helps[at])).version

    async def take(self, a: int, b: int, units: int, slot: int) -> bool:
        at, who = self.some(slot, "open"), a // 2 * 2
        if at is None:
            return False
        one = self.model.helps[at]
        asked = help_taking.Taking(id=uuid4(), expected_version=await self.version(at), team=self.team)
        done = await self.tried(
            help_taking.take(self.conn, DISTRICT, self.accounts[who], self.helps[at], asked, DESK, NOW)
        )
        assert done == (one.account // 2 != who // 2)
        if done:
            one.state, one.helper = "taken", who
        return done

    def saying(self, version: int, start: int, minutes: int) -> help_done.Saying:
        begun = MARCH + timedelta(minutes=start)
        return help_done.Saying(
            id=uuid4(), expected_version=version, started_at=begun, ended_at=begun + timedelta(minutes=minutes)
        )

    async def say(self, a: int, b: int, units: int, slot: int) -> bool:
        """Both sides say the same, one after the other."""
        at = self.some(b, "taken")
        if at is None:
            return False
        one = self.model.helps[at]
        asked = self.saying(await self.version(at), slot * 40, units * 10)
        first = help_done.say(self.conn, DISTRICT, self.accounts[one.helper or 0], self.helps[at], asked, DESK, NOW)
        assert await self.tried(first)
        again = self.saying(await self.version(at), slot * 40, units * 10)
        payer = self.accounts[one.account // 2 * 2]
        second = help_done.say(self.conn, DISTRICT, payer, self.helps[at], again, DESK, NOW)
        return self.was_done(at, again.id, slot * 40, units * 10, await self.tried(second))

    async def confirm(self, a: int, b: int, units: int, slot: int) -> bool:
        at = self.some(b, "taken")
        if at is None:
            return False
        asked = self.saying(await self.version(at), slot * 40, units * 10)
        done = await self.tried(help_done.confirm(self.conn, reader(ADMINISTRATOR), self.helps[at], asked, NOW))
        return self.was_done(at, asked.id, slot * 40, units * 10, done)

    def was_done(self, at: int, id_: UUID, start: int, minutes: int, done: bool) -> bool:
        one, model = self.model.helps[at], self.model
        helper = one.helper or 0
        held = model.overlaps(helper, start, start + minutes)
        assert done == (held or model.spare(one.account) + one.minutes >= minutes)
        if done:
            one.state = "held" if held else "booked"
            model.claims.append((helper, start, start + minutes, one.state))
            self.claims.append(id_)
            if not held:
                model.reserved[one.account] -= one.minutes
                self.book(one.account, helper, minutes, helper, id_)
        return done

    async def cancel(self, a: int, b: int, units: int, slot: int) -> bool:
        at = self.some(slot, "open", "taken")
        if at is None:
            return False
        one = self.model.helps[at]
        asked = help_taking.Leaving(id=uuid4(), expected_version=await self.version(at), reason="不用了")
        done = await self.tried(help_taking.cancel_for(self.conn, reader(ADMINISTRATOR), self.helps[at], asked, NOW))
        assert done
        one.state = "cancelled"
        self.model.reserved[one.account] -= one.minutes
        return True

    async def decide(self, a: int, b: int, units: int, slot: int) -> bool:
        waiting = [at for at, claim in enumerate(self.model.claims) if claim[3] == "held"]
        if not waiting:
            return False
        at, book = waiting[slot % len(waiting)], bool(b)
        who, start, end, _ = self.model.claims[at]
        minutes = min(units * 10, end - start)
        asked = time_decisions.Decision(
            id=uuid4(), decision="book" if book else "refuse", reason="看过", minutes=minutes if book else None
        )
        done = await self.tried(time_decisions.decide(self.conn, reader(ADMINISTRATOR), self.claims[at], asked, NOW))
        help_at = await self.help_of(at)
        one = None if help_at is None else self.model.helps[help_at]
        assert done == (not book or one is None or self.model.spare(one.account) + one.minutes >= minutes)
        if done:
            self.model.claims[at] = (who, start, end, "booked" if book else "refused")
            if one is not None:
                one.state = "booked" if book else "refused"
                self.model.reserved[one.account] -= one.minutes
            if book:
                self.book(-1 if one is None else one.account, who, minutes, who, self.claims[at])
        return done

    async def help_of(self, claim: int) -> int | None:
        question = "select id from help_request where district = $1 and claim = $2"
        found = await self.conn.fetchval(question, DISTRICT, self.claims[claim])
        return self.helps.index(found) if found else None

    async def correct(self, a: int, b: int, units: int, slot: int) -> bool:
        if not self.transactions:
            return False
        at, stays = slot % len(self.transactions), b * 10
        source, target, minutes, who = self.model.booked[at]
        draft = correction(stays)
        done = await self.tried(time_bank.correct(self.conn, reader(ADMINISTRATOR), self.transactions[at], draft, NOW))
        assert done == (at not in self.model.corrected and stays < minutes)
        if done:
            self.was_corrected(at, source, target, minutes - stays, who)
        return done

    def was_corrected(self, at: int, source: int, target: int, less: int, who: int) -> None:
        model = self.model
        model.corrected.add(at)
        if target >= 0:
            gives = min(less, max(model.spare(target), 0))
            model.balance[target] -= gives
            model.carried += less - gives
        else:
            model.given_back -= less
        if source >= 0:
            model.balance[source] += less
        if who >= 0:
            model.served[who] -= less


@pytest.fixture(scope="module")
async def conn(server: Server, template: str) -> AsyncIterator[asyncpg.Connection]:
    """A district of this file's own; each test undoes what it wrote."""
    async with founded(server, template) as dsn:
        opened = await database.connect(dsn)
        yield opened
        await opened.close()


@hypothesis.settings(max_examples=30, deadline=None)
@given(st.builds(life, st.integers(0, 2**63), st.integers(10, 60)))
async def test_whatever_people_try_the_ledger_adds_up(conn: asyncpg.Connection, steps: list[Step]) -> None:
    await lived(conn, steps)


async def test_the_sequences_are_rich_enough_to_go_wrong(conn: asyncpg.Connection) -> None:
    """All that can be done is done in thirty such lives, which are the same each time."""
    made: Counter[str] = Counter()
    for seed in range(30):
        made += await lived(conn, life(seed, 60))
    assert {name for name, count in made.items() if count > 3} == set(WEIGHTS), made


async def lived(conn: asyncpg.Connection, steps: list[Step]) -> Counter[str]:
    """What was done, of all that people tried; the ledger and the model agree after it."""
    made: Counter[str] = Counter()
    transaction = conn.transaction()
    await transaction.start()
    try:
        world = await founded_world(conn)
        for name, *numbers in steps:
            made[name] += await getattr(world, name)(*numbers)
        await compare(world)
    finally:
        await transaction.rollback()
    return made


async def founded_world(conn: asyncpg.Connection) -> World:
    """Three volunteers of one team, each with a relative."""
    await set_rules(conn, lowest_volunteer=LOWEST["volunteer"])
    volunteers = [await serving_one(conn) for _ in range(3)]
    team = await team_of(conn, *volunteers)
    accounts = [account for one in volunteers for account in (one, await relative_of(conn, one))]
    return World(conn, accounts, team)


async def compare(world: World) -> None:
    model, check = world.model, await sound(world.conn)
    rows = await world.conn.fetch("select id, balance, reserved from time_account where district = $1", DISTRICT)
    found = {row["id"]: row for row in rows}
    assert [found[one]["balance"] for one in world.accounts] == model.balance
    assert [found[one]["reserved"] for one in world.accounts] == model.reserved
    assert all(model.spare(account) >= 0 for account in range(6))
    assert (check.given_back, check.carried, check.persons) == (model.given_back, model.carried, sum(model.balance))
    minutes = await time_sums.served_minutes(
        world.conn, DISTRICT, datetime.min.replace(tzinfo=NOW.tzinfo, year=2000), NOW, NOW
    )
    assert [minutes.get(one, 0) for one in world.accounts] == model.served

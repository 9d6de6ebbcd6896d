"""The time bank: earned, passed on, corrected; held for a person where two things were done at once."""

import asyncio
from datetime import timedelta
from typing import Literal
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from api import database
from surveys.refusals import AlreadyCorrected, BalanceTooLow, IdTaken, NotAllowed, NotFound, StaleVersion
from surveys.volunteering import time_bank, time_decisions, time_rules, time_sums
from surveys.volunteering.time_bank import NothingToCorrect, NotOfTheFamily
from surveys.volunteering.time_decisions import AlreadyDecided
from tests.conftest import ADMINISTRATOR, DISTRICT, MEMBER, NOW, STRANGER, WORKER
from tests.time_banking import (
    MARCH,
    account_of_another,
    balance,
    correction,
    earn,
    pass_on,
    reader,
    refused,
    relative_of,
    rules_draft,
    served,
    set_rules,
    sound,
)
from tests.volunteers import serving_one, team_of

pytestmark = pytest.mark.anyio


async def test_what_is_served_is_earned_once(undone: asyncpg.Connection) -> None:
    first, second = await serving_one(undone), await serving_one(undone)
    given = [served(first), served(second), served(first, MARCH + timedelta(hours=2), minutes=90)]
    assert await earn(undone, *given) == ["booked"] * 3
    assert await earn(undone, *given) == ["booked"] * 3
    assert (await balance(undone, first), await balance(undone, second)) == (150, 60)
    assert (await sound(undone)).issued == 210


async def test_two_services_at_once_go_to_a_person(undone: asyncpg.Connection) -> None:
    volunteer = await serving_one(undone)
    assert await earn(undone, served(volunteer)) == ["booked"]
    half_in, after = served(volunteer, MARCH + timedelta(minutes=30)), served(volunteer, MARCH + timedelta(minutes=60))
    assert await earn(undone, half_in, after, served(volunteer, MARCH + timedelta(minutes=90))) == [
        "held",
        "held",  # it overlaps the one that is held, which may yet be booked
        "held",
    ]
    assert await balance(undone, volunteer) == 60


async def test_fourteen_hours_go_to_a_person(undone: asyncpg.Connection) -> None:
    volunteer = await serving_one(undone)
    long, shorter = served(volunteer, minutes=14 * 60), served(volunteer, MARCH + timedelta(days=1), 14 * 60 - 1)
    assert await earn(undone, long, shorter) == ["held", "booked"]
    assert await balance(undone, volunteer) == 839


async def test_an_id_is_not_used_for_something_else(undone: asyncpg.Connection) -> None:
    one = served(await serving_one(undone))
    await earn(undone, one)
    with pytest.raises(IdTaken):
        await earn(undone, msgspec.structs.replace(one, ends_at=one.ends_at + timedelta(hours=1)))


async def test_minutes_stay_in_the_family(undone: asyncpg.Connection) -> None:
    volunteer, other = await serving_one(undone), await serving_one(undone)
    relative = await relative_of(undone, volunteer)
    await earn(undone, served(volunteer, minutes=120), served(other))
    await pass_on(undone, volunteer, volunteer, relative, 100)
    assert (await balance(undone, volunteer), await balance(undone, relative)) == (20, 100)
    for whose, source, target in ((volunteer, volunteer, other), (other, relative, other), (other, other, other)):
        with pytest.raises(NotOfTheFamily):
            await pass_on(undone, whose, source, target, 10)
    await pass_on(undone, volunteer, relative, None, 40)
    check = await sound(undone)
    assert (check.issued, check.given_back, check.persons) == (180, 40, 140)


async def test_nobody_passes_on_what_they_do_not_have(undone: asyncpg.Connection) -> None:
    volunteer = await serving_one(undone)
    relative = await relative_of(undone, volunteer)
    await earn(undone, served(volunteer))
    with pytest.raises(BalanceTooLow):
        async with refused(undone):
            await pass_on(undone, volunteer, volunteer, relative, 61)
    await pass_on(undone, volunteer, volunteer, relative, 60)
    with pytest.raises(BalanceTooLow):
        async with refused(undone):
            await pass_on(undone, volunteer, volunteer, relative, 1)
    await sound(undone)


async def test_rules_let_a_new_volunteer_owe_for_some_days(undone: asyncpg.Connection) -> None:
    await set_rules(undone, lowest_new=-120, new_days=30, round_to=30, rounding="up")
    volunteer = await serving_one(undone)
    await earn(undone, served(volunteer, minutes=31))
    relative = await relative_of(undone, volunteer)
    assert await balance(undone, volunteer) == 60
    await pass_on(undone, volunteer, volunteer, relative, 180)
    assert await balance(undone, volunteer) == -120
    later = NOW + timedelta(days=31)
    with pytest.raises(BalanceTooLow):
        async with refused(undone):
            await pass_on(undone, volunteer, volunteer, relative, 1, later)
    await earn(undone, served(volunteer, MARCH + timedelta(days=2)), now=later)
    assert await balance(undone, volunteer) == -60
    with pytest.raises(BalanceTooLow):  # what is owed grows less, and never more
        async with refused(undone):
            await pass_on(undone, volunteer, volunteer, relative, 1, later)


async def test_rules_are_versions_of_which_none_is_changed(undone: asyncpg.Connection) -> None:
    draft = rules_draft(lowest_volunteer=-60)
    first = await time_rules.set_rules(undone, reader(ADMINISTRATOR), draft, NOW)
    assert await time_rules.set_rules(undone, reader(ADMINISTRATOR), draft, NOW) == first
    changed = msgspec.structs.replace(draft, lowest_volunteer=-90)
    with pytest.raises(IdTaken):
        await time_rules.set_rules(undone, reader(ADMINISTRATOR), changed, NOW)
    with pytest.raises(StaleVersion):
        await time_rules.set_rules(undone, reader(ADMINISTRATOR), rules_draft(), NOW)
    with pytest.raises(NotAllowed):
        await time_rules.set_rules(undone, reader(WORKER), rules_draft(expected_version=1), NOW)
    tomorrow = NOW + timedelta(days=1)
    await time_rules.set_rules(undone, reader(ADMINISTRATOR), rules_draft(expected_version=1, valid_from=tomorrow), NOW)
    assert (await time_rules.in_force(undone, DISTRICT, NOW)).lowest_volunteer == -60
    assert (await time_rules.in_force(undone, DISTRICT, tomorrow)).lowest_volunteer == 0
    assert [one.version for one in await time_rules.versions(undone, DISTRICT)] == [2, 1]


# --- corrected, and decided on


async def test_a_correction_is_made_once_by_somebody_else(undone: asyncpg.Connection) -> None:
    volunteer = await serving_one(undone, MEMBER.id)
    await team_of(undone, volunteer, leader=volunteer)
    one = served(volunteer, minutes=90)
    await earn(undone, one)
    with pytest.raises(NotAllowed):  # who earned it leads the team, and yet
        await time_bank.correct(undone, reader(MEMBER), one.id, correction(30), NOW)
    with pytest.raises(NotAllowed):
        await time_bank.correct(undone, reader(STRANGER), one.id, correction(30), NOW)
    draft = correction(30)
    made = await time_bank.correct(undone, reader(ADMINISTRATOR), one.id, draft, NOW)
    assert (made.minutes, made.carried) == (60, 0)
    assert await time_bank.correct(undone, reader(ADMINISTRATOR), one.id, draft, NOW) == made
    with pytest.raises(AlreadyCorrected):
        await time_bank.correct(undone, reader(ADMINISTRATOR), one.id, correction(10), NOW)
    with pytest.raises(NothingToCorrect):
        await time_bank.correct(undone, reader(ADMINISTRATOR), draft.id, correction(0), NOW)
    assert await balance(undone, volunteer) == 30
    await sound(undone)


async def test_what_was_spent_already_is_carried_by_the_district(undone: asyncpg.Connection) -> None:
    volunteer = await serving_one(undone)
    relative, one = await relative_of(undone, volunteer), served(volunteer)
    await earn(undone, one)
    await pass_on(undone, volunteer, volunteer, relative, 50)
    made = await time_bank.correct(undone, reader(ADMINISTRATOR), one.id, correction(0), NOW)
    assert (made.minutes, made.carried) == (60, 50)
    assert (await balance(undone, volunteer), await balance(undone, relative)) == (0, 50)
    assert (await sound(undone)).carried == 50
    year = (MARCH - timedelta(days=60), MARCH + timedelta(days=300))
    assert await time_sums.served_minutes(undone, DISTRICT, *year, NOW) == {}


@pytest.mark.parametrize(
    ("decision", "minutes", "after"), [("book", None, 840), ("book", 600, 600), ("refuse", None, 0)]
)
async def test_what_is_held_is_booked_in_part_or_refused(
    undone: asyncpg.Connection, decision: Literal["book", "refuse"], minutes: int | None, after: int
) -> None:
    volunteer = await serving_one(undone)
    leader = await serving_one(undone, MEMBER.id)
    await team_of(undone, volunteer, leader=leader)
    one = served(volunteer, minutes=840)
    assert await earn(undone, one) == ["held"]
    waiting = await time_decisions.waiting(undone, reader(MEMBER), NOW + timedelta(days=8))
    assert [(held.id, held.why, held.late) for held in waiting.items] == [(one.id, "long", True)]
    asked = time_decisions.Decision(id=uuid4(), decision=decision, reason="看过签到表", minutes=minutes)
    with pytest.raises(NotFound):
        await time_decisions.decide(undone, reader(STRANGER), one.id, asked, NOW)
    decided = await time_decisions.decide(undone, reader(MEMBER), one.id, asked, NOW)
    assert await time_decisions.decide(undone, reader(MEMBER), one.id, asked, NOW) == decided
    again = msgspec.structs.replace(asked, id=uuid4())
    with pytest.raises(AlreadyDecided):
        await time_decisions.decide(undone, reader(MEMBER), one.id, again, NOW)
    assert await balance(undone, volunteer) == after
    assert (await time_decisions.waiting(undone, reader(MEMBER), NOW)).total == 0
    await sound(undone)


async def test_nobody_decides_on_their_own_time(undone: asyncpg.Connection) -> None:
    volunteer = await serving_one(undone, MEMBER.id)
    await team_of(undone, volunteer, leader=volunteer)
    one = served(volunteer, minutes=900)
    await earn(undone, one)
    asked = time_decisions.Decision(id=uuid4(), decision="book", reason="自己签字")
    with pytest.raises(NotAllowed):
        await time_decisions.decide(undone, reader(MEMBER), one.id, asked, NOW)


# --- what the database itself refuses


ENTRY = """
insert into time_entry (district, transaction, line, account, system, minutes, happened_at, recorded_at)
values ($1, $2, 1, $3, null, $4, $6, $6), ($1, $2, 2, null, 'issued', $5, $6, $6)
"""
TRANSACTION = """
insert into time_transaction (district, id, kind, minutes, lines, served, happened_at, recorded_at, request)
values ($1, $2, 'give_back', 10, 2, 0, $3, $3, '')
"""


async def test_a_transaction_sums_to_zero_and_comes_whole(undone: asyncpg.Connection) -> None:
    volunteer = await serving_one(undone)
    await earn(undone, served(volunteer))
    for line, other in ((10, -9), (10, 10)):
        id_ = uuid4()
        await undone.execute(TRANSACTION, DISTRICT, id_, NOW)
        with pytest.raises(asyncpg.CheckViolationError, match="sum to zero"):
            async with refused(undone):
                await undone.execute(ENTRY, DISTRICT, id_, volunteer, line, other, NOW)
    known = await undone.fetchval("select id from time_transaction where district = $1", DISTRICT)
    with pytest.raises(asyncpg.UniqueViolationError):  # nothing is added to a transaction afterwards
        async with refused(undone):
            await undone.execute(ENTRY, DISTRICT, known, volunteer, 10, -10, NOW)
    more, another = ENTRY.replace("$2, 1,", "$2, 3,").replace("$2, 2,", "$2, 4,"), await account_of_another(undone)
    with pytest.raises(asyncpg.CheckViolationError, match="sum to zero"):
        async with refused(undone):
            await undone.execute(more, DISTRICT, known, another, 10, -10, NOW)
    await sound(undone)


@pytest.mark.parametrize(
    "statement",
    [
        "update time_entry set minutes = 5",
        "delete from time_entry where false",
        "truncate time_entry",
        "update time_transaction set minutes = 5 where false",
        "delete from time_transaction",
        "update time_account set balance = 600",
        "update time_account set lowest = -600, balance = 0 where false",
        "insert into time_account (balance) values (600)",
        "delete from time_account",
        "update time_rules set longest = 1440",
        "alter table time_entry disable trigger time_entries_are_booked",
    ],
)
async def test_nobody_writes_a_balance_or_changes_what_was_booked(undone: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await undone.execute(statement)


async def test_the_last_minutes_are_spent_once(conn: asyncpg.Connection, dsn: str) -> None:
    """Eight connections pass on the same last hour, each to a relative of its own."""
    volunteer = await serving_one(conn)
    relatives = [await relative_of(conn, volunteer) for _ in range(8)]
    await earn(conn, served(volunteer))

    async def spend(relative: UUID) -> bool:
        async with database.connected(dsn) as own:
            try:
                await pass_on(own, volunteer, volunteer, relative, 60)
            except BalanceTooLow:
                return False
            return True

    won = await asyncio.gather(*(spend(relative) for relative in relatives))
    assert sorted(won) == [False] * 7 + [True]
    assert await balance(conn, volunteer) == 0
    assert sorted([await balance(conn, relative) for relative in relatives]) == [0] * 7 + [60]
    await sound(conn)


async def test_services_that_overlap_and_come_together_are_not_both_booked(conn: asyncpg.Connection, dsn: str) -> None:
    volunteer = await serving_one(conn)

    async def come(minutes: float) -> list[str]:
        async with database.connected(dsn) as own, own.transaction():
            return await earn(own, served(volunteer, MARCH + timedelta(minutes=minutes)))

    states = await asyncio.gather(*(come(minutes) for minutes in (0, 10, 20, 30)))
    assert sorted(states) == [["booked"], ["held"], ["held"], ["held"]]
    assert await balance(conn, volunteer) == 60


async def test_those_who_pay_each_other_do_not_lock_each_other_out(conn: asyncpg.Connection, dsn: str) -> None:
    volunteer = await serving_one(conn)
    relative = await relative_of(conn, volunteer)
    await earn(conn, served(volunteer, minutes=600))
    await pass_on(conn, volunteer, volunteer, relative, 300)

    async def swap(source: UUID, target: UUID) -> None:
        async with database.connected(dsn) as own:
            for _ in range(20):
                await pass_on(own, volunteer, source, target, 1)

    await asyncio.gather(*(swap(*pair) for pair in [(volunteer, relative), (relative, volunteer)] * 2))
    assert (await balance(conn, volunteer), await balance(conn, relative)) == (300, 300)
    await sound(conn)

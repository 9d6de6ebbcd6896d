"""Points are what the rules give for the deeds of a month, to the hundredth: recounted by hand they are the same."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import database
from surveys.refusals import Refusal
from surveys.volunteering import deeds, points, points_rules, time_sums
from surveys.volunteering.deeds import Deed
from surveys.volunteering.points import Question
from surveys.volunteering.points_rules import EffectRule, Rules, SatisfactionRule, TimeRule
from tests.conftest import DISTRICT, Server, founded
from tests.surveys import deeds_at_hand

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("Asia/Shanghai")
MONTH = date(2026, 10, 1)
LAST = date(2026, 10, 31)
LATER = datetime(2027, 1, 1, tzinfo=UTC)


def at(day: int, hour: int = 9) -> datetime:
    return datetime(2026, 10, day, hour, tzinfo=ZONE)


def question(rules: Rules, as_of: date = LAST, known_at: datetime = LATER) -> Question:
    return Question(district=DISTRICT, month=MONTH, as_of=as_of, known_at=known_at, rules=rules, zone=ZONE)


# --- the naive recount


def half_up(amount: Fraction) -> int:
    return (2 * amount.numerator + amount.denominator) // (2 * amount.denominator)


def amount(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text) * 100


def recount(rules: Rules, done: Sequence[Deed]) -> dict[UUID, int]:
    """Points in hundredths, one deed after another, as points.md says."""
    of_day: dict[tuple[UUID, date], int] = defaultdict(int)
    of_month: dict[UUID, int] = defaultdict(int)
    for deed in sorted(done, key=lambda one: (one.happened_at, one.id)):
        given_ = time_of(rules, deed, of_day) + effect_of(rules, deed)
        weight = Fraction(rules.kinds.get(deed.kind, "1"))
        given_ = satisfied(rules, deed, half_up(given_ * weight))
        cap = amount(rules.month_cap)
        of_month[deed.volunteer] += given_ if cap is None else min(given_, int(cap) - of_month[deed.volunteer])
    return {who: sum_ for who, sum_ in of_month.items() if sum_ > 0}


def time_of(rules: Rules, deed: Deed, of_day: dict[tuple[UUID, date], int]) -> int:
    if rules.time is None:
        return 0
    day = (deed.volunteer, deed.happened_at.astimezone(ZONE).date())
    all_ = half_up(Fraction(deed.minutes, rules.time.per_minutes) * (amount(rules.time.points) or 0))
    cap = amount(rules.time.day_cap)
    counted = all_ if cap is None else min(all_, int(cap) - of_day[day])
    of_day[day] += counted
    return counted


def effect_of(rules: Rules, deed: Deed) -> int:
    if rules.effect is None:
        return 0
    all_ = half_up(Fraction(deed.helped, rules.effect.per_people) * (amount(rules.effect.points) or 0))
    cap = amount(rules.effect.cap)
    return all_ if cap is None else min(all_, int(cap))


def satisfied(rules: Rules, deed: Deed, given_: int) -> int:
    rule = rules.satisfaction
    if rule is None or deed.answers < rule.least_answers:
        return given_
    stars = half_up(Fraction(deed.satisfaction, deed.answers))
    said = Fraction((rule.one, rule.two, rule.three, rule.four, rule.five)[stars - 1])
    return half_up(given_ * said) if rule.way == "factor" else given_ + int(said * 100)


# --- worlds

amounts = st.integers(1, 2_000).map(points_rules.written)
weights = st.integers(0, 300).map(points_rules.written)
time_rules = st.builds(TimeRule, points=amounts, per_minutes=st.integers(1, 200), day_cap=st.none() | amounts)
effect_rules = st.builds(EffectRule, points=amounts, per_people=st.integers(1, 9), cap=st.none() | amounts)


@st.composite
def satisfaction_rules(draw: st.DrawFn) -> SatisfactionRule:
    faces = [points_rules.written(one) for one in sorted(draw(st.lists(st.integers(0, 300), min_size=5, max_size=5)))]
    named: dict[str, Any] = dict(zip(points_rules.STARS, faces, strict=True))
    return SatisfactionRule(
        way=draw(st.sampled_from(["bonus", "factor"])), least_answers=draw(st.integers(1, 3)), **named
    )


rules_ = st.builds(
    Rules,
    time=time_rules,
    effect=st.none() | effect_rules,
    satisfaction=st.none() | satisfaction_rules(),
    kinds=st.dictionaries(st.sampled_from(["arts", "jobs", "other"]), weights, max_size=3),
    month_cap=st.none() | amounts,
)
service_s = st.tuples(
    st.sampled_from(["arts", "jobs", "policy"]),
    st.integers(1, 31),  # day
    st.integers(0, 23),  # hour
    st.integers(0, 40),  # helped
    st.lists(st.integers(1, 5), max_size=4),  # what those say who came
    st.dictionaries(
        st.integers(0, 2), st.tuples(st.integers(1, 300), st.booleans()), min_size=1
    ),  # who, minutes, undone
)


@pytest.fixture(scope="module")
async def town(server: Server, template: str) -> AsyncIterator[asyncpg.Connection]:
    async with founded(server, template) as dsn:
        conn = await database.connect(dsn)
        await deeds_at_hand.team(conn)
        yield conn
        await conn.close()


@pytest.fixture
async def world(town: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    async with undone(town):
        yield town


@asynccontextmanager
async def undone(conn: asyncpg.Connection) -> AsyncIterator[None]:
    transaction = conn.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


async def live(conn: asyncpg.Connection, services: Sequence[Any]) -> None:
    who = [await deeds_at_hand.volunteer(conn, f"V{number}") for number in range(3)]
    for kind, day, hour, helped, faces, served in services:
        begun = at(day, hour)
        service = await deeds_at_hand.service(conn, begun, kind=kind, helped=helped)
        await deeds_at_hand.answer(conn, service, faces, begun + timedelta(days=1))
        for person, (minutes, taken_back) in served.items():
            entry = await deeds_at_hand.serve(conn, who[person], service, minutes, begun)
            if taken_back:
                await deeds_at_hand.correct(conn, entry, begun + timedelta(days=40))


@hypothesis.settings(max_examples=60, deadline=None)
@given(rules=rules_, services=st.lists(service_s, max_size=6), as_of=st.integers(1, 31), known=st.integers(0, 80))
async def test_points_are_a_naive_recount_of_the_deeds(
    town: asyncpg.Connection, rules: Rules, services: list[Any], as_of: int, known: int
) -> None:
    asked = question(rules, MONTH.replace(day=as_of), at(1) + timedelta(days=known))
    async with undone(town):
        await live(town, services)
        done = await deeds.done(town, DISTRICT, asked.begins, asked.ends, asked.known_at)
        people = await points.of_people(town, asked)
        told = await points.reasons(town, asked, [deed.volunteer for deed in done])
    assert {one.volunteer: one.points for one in people} == recount(rules, done)
    assert all(one.points == one.time + one.effect + one.by_kind + one.by_satisfaction + one.over_cap for one in told)
    for one in people:
        assert one.points == sum(reason.points for reason in told if reason.volunteer == one.volunteer)
        assert one.place == 1 + sum(other.points > one.points for other in people)


async def test_a_deed_is_what_was_known_of_it(world: asyncpg.Connection) -> None:
    who = await deeds_at_hand.volunteer(world, "V1")
    service = await deeds_at_hand.service(world, at(5), helped=12, known=at(7))
    entry = await deeds_at_hand.serve(world, who, service, 90, at(5), known=at(6))
    await deeds_at_hand.answer(world, service, [5, 4], at(8))
    await deeds_at_hand.correct(world, entry, at(20))
    asked = question(Rules(time=TimeRule(points="1")))
    told = {
        day: [
            (one.minutes, one.helped, one.answers, one.satisfaction)
            for one in await deeds.done(world, DISTRICT, asked.begins, asked.ends, at(day, 12))
        ]
        for day in (5, 6, 7, 8, 20)
    }
    assert told == {5: [], 6: [(90, 0, 0, 0)], 7: [(90, 12, 0, 0)], 8: [(90, 12, 2, 9)], 20: []}


async def test_deeds_and_the_sums_of_the_time_bank_agree(world: asyncpg.Connection) -> None:
    one, other = [await deeds_at_hand.volunteer(world, number) for number in ("V1", "V2")]
    for day in (2, 9):
        service = await deeds_at_hand.service(world, at(day), known=at(day, 20))
        await deeds_at_hand.serve(world, one, service, 45, at(day))
        entry = await deeds_at_hand.serve(world, other, service, 70, at(day))
    await deeds_at_hand.correct(world, entry, at(25))
    asked = question(Rules(time=TimeRule(points="1")))
    for known_at in (at(3), at(10), at(24), at(25)):
        minutes: dict[UUID, int] = defaultdict(int)
        for deed in await deeds.done(world, DISTRICT, asked.begins, asked.ends, known_at):
            minutes[deed.volunteer] += deed.minutes
        assert minutes == await time_sums.served_minutes(world, DISTRICT, asked.begins, asked.ends, known_at)


async def test_the_reason_of_each_point_is_told(world: asyncpg.Connection) -> None:
    rules = Rules(
        time=TimeRule(points="1", per_minutes=60, day_cap="2"),
        effect=EffectRule(points="0.5", per_people=3, cap="1.5"),
        satisfaction=SatisfactionRule(
            way="factor", least_answers=2, one="0.5", two="0.8", three="1", four="1.1", five="1.2"
        ),
        kinds={"jobs": "1.5"},
        month_cap="4",
    )
    who = await deeds_at_hand.volunteer(world, "V1")
    morning = await deeds_at_hand.service(world, at(5, 8), helped=10)
    evening = await deeds_at_hand.service(world, at(5, 19), kind="jobs", helped=1)
    await deeds_at_hand.answer(world, morning, [5, 4], at(6))
    await deeds_at_hand.answer(world, evening, [1], at(6))  # too few to count
    await deeds_at_hand.serve(world, who, morning, 100, at(5, 8))
    await deeds_at_hand.serve(world, who, evening, 50, at(5, 19))
    first, second = await points.reasons(world, question(rules), [who])
    # 100 minutes are 1.666…, ten people 1.666… but 1.5 at most; an average of 4.5 are five stars: 3.17 × 1.2
    assert (first.time, first.effect, first.by_kind, first.stars, first.by_satisfaction) == (167, 150, 0, 5, 63)
    assert (first.over_cap, first.points) == (0, 380)
    # of the day 0.33 are left; one of three people is 0.166…; 0.50 × 1.5; and of the month 0.20 are left
    assert (second.time, second.effect, second.by_kind, second.stars) == (33, 17, 25, None)
    assert (second.by_satisfaction, second.over_cap, second.points) == (0, -55, 20)


# --- bad rules

BAD = {
    "rules.time.per_minutes": (Rules(time=TimeRule(points="1", per_minutes=0)), "rule_divides_by_zero"),
    "rules.time.points": (Rules(time=TimeRule(points="-1")), "amount_unusable"),
    "rules.time.day_cap": (Rules(time=TimeRule(points="1", day_cap="0")), "amount_unusable"),
    "rules.effect.points": (Rules(effect=EffectRule(points="1e9")), "amount_unusable"),
    "rules.effect.per_people": (Rules(effect=EffectRule(points="1", per_people=0)), "rule_divides_by_zero"),
    "rules.effect.cap": (Rules(effect=EffectRule(points="1", cap="9999999")), "amount_unusable"),
    "rules.kinds.arts": (Rules(time=TimeRule(points="1"), kinds={"arts": "11"}), "amount_unusable"),
    "rules.kinds.karaoke": (Rules(time=TimeRule(points="1"), kinds={"karaoke": "1"}), "service_kind_unknown"),
    "rules.month_cap": (Rules(time=TimeRule(points="1"), month_cap="NaN"), "amount_unusable"),
    "rules": (Rules(), "nothing_counts"),
}
STARS: dict[str, Any] = {"one": "1", "two": "1", "three": "1", "four": "1", "five": "1"}


@pytest.mark.parametrize("field", BAD)
def test_rules_that_cannot_be_counted_by_are_refused_with_their_field(field: str) -> None:
    rules, code = BAD[field]
    with pytest.raises(Refusal) as refused:
        points_rules.numbers(rules)
    assert (refused.value.field, refused.value.code) == (field, code)


@pytest.mark.parametrize(
    ("wrong", "field", "code"),
    [
        ({"least_answers": 0}, "least_answers", "rule_divides_by_zero"),
        ({"four": "0.9"}, "four", "less_for_more"),
        ({"five": "10.01"}, "five", "amount_unusable"),
        ({"one": "0.001"}, "one", "amount_unusable"),
    ],
)
def test_rules_by_satisfaction_are_refused_with_their_field(wrong: dict[str, Any], field: str, code: str) -> None:
    rule = SatisfactionRule(way="factor", **STARS | wrong)
    with pytest.raises(Refusal) as refused:
        points_rules.numbers(Rules(time=TimeRule(points="1"), satisfaction=rule))
    assert (refused.value.field, refused.value.code) == (f"rules.satisfaction.{field}", code)


def test_the_rules_that_a_district_is_proposed_can_be_counted_by() -> None:
    assert points_rules.numbers(points_rules.PROPOSED).time_points == 100

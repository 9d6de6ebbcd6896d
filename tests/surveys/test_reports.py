"""Periods, what got better or worse, what is not told, and how briefs are found among many."""

import json
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maps import printed_maps
from surveys.refusals import InvalidFilter
from surveys.reports import report_archive, report_changes, report_periods, reports
from surveys.reports.report_periods import Kind
from surveys.reports.reports import HIDDEN, Count, CountLine, PlaceLine, RateLine, Share
from tests.conftest import DISTRICT, FAR, NEAR, NOW
from tests.surveys.worlds import ZONE

pytestmark = pytest.mark.anyio

KINDS = st.sampled_from(report_periods.KINDS)
DAYS = st.dates(date(2000, 2, 1), date(2900, 1, 1))


@given(KINDS, DAYS)
def test_a_period_is_written_and_read_and_has_every_day_once(kind: Kind, day: date) -> None:
    period = report_periods.around(kind, day)
    assert period.first <= day <= period.last
    assert report_periods.named(period.name) == period
    assert period.before().last == period.first - timedelta(days=1)
    assert period.begins(ZONE) == period.before().ends(ZONE)


def test_a_period_is_over_when_its_last_day_is() -> None:
    week = report_periods.named("2026-W47")
    assert (week.first, week.last) == (date(2026, 11, 16), date(2026, 11, 22))
    end = datetime(2026, 11, 22, 16, tzinfo=UTC)  # midnight in the district
    assert not week.over(ZONE, end - timedelta(microseconds=1))
    assert week.over(ZONE, end)
    assert report_periods.latest("week", ZONE, end) == week
    assert report_periods.latest("week", ZONE, end - timedelta(microseconds=1)) == week.before()
    assert report_periods.named("2026-W01").first == date(2025, 12, 29), "by ISO 8601"


@pytest.mark.parametrize("text", ["", "2026", "2026-1", "2026-13", "2026-W00", "2025-W53", "0001-01", "2026-11-01"])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(InvalidFilter):
        report_periods.named(text)


NONE = Count(0, 0)


def place(code: str, answers: int, good: int = 0, overdue: Count = NONE) -> PlaceLine:
    shares = {rate: reports.share(rate, good, answers) for rate in reports.RATES}
    return PlaceLine(code=code, name=code, reported=9, resolved=0, open=0, overdue=overdue, shares=shares)


def test_what_few_said_is_not_told_nor_left_over() -> None:
    told = reports.complemented([place("a", 9), place("b", 4), place("c", 6), place("d", 0)])
    assert [line.shares["satisfaction"] for line in told] == [Share(0, 9), HIDDEN, HIDDEN, Share(0, 0)]
    assert told[1].shares["response"] == Share(0, 4), "of no answers"
    two = [place("a", 9), place("b", 4), place("c", 3)]
    assert reports.complemented(two) == two, "two are enough to hide behind"
    assert reports.complemented([]) == []


def test_only_what_is_worth_telling_is_told() -> None:
    rates = [
        RateLine("response", Share(9, 10), Share(8, 10)),
        RateLine("resolution", Share(9, 10), HIDDEN),
        RateLine("satisfaction", Share(4, 4), Share(0, 4)),
    ]
    places = [
        place("a", 0, overdue=Count(9, 1)),
        place("b", 0, overdue=Count(2, 4)),
        place("c", 0, overdue=Count(1, 9)),
    ]
    categories = [CountLine("01", "垃圾", Count(100, 97)), CountLine("02", "路灯", Count(0, 3))]
    found = report_changes.found(rates, Count(10, 12), Count(3, 0), places, categories)
    assert [(one.direction, one.what, one.name) for one in found] == [
        ("better", "rate", "response"),
        ("better", "overdue_in", "c"),
        ("better", "reported_of", "路灯"),
        ("worse", "overdue", None),
        ("worse", "overdue_in", "a"),
    ]


@given(st.lists(st.integers(0, 10_000)))
def test_every_number_has_one_shade(values: list[int]) -> None:
    classes = printed_maps.classes(values)
    assert len(classes) <= len(printed_maps.SHADES)
    for value in values:
        assert sum(low <= value <= high for low, high in classes) == 1


MANY = """
insert into report (district, id, period, first_day, scope_kind, scope, version, making, at, known_at, made_at, figures,
                    digest)
select $1, gen_random_uuid(), to_char(day, 'IYYY-"W"IW'), day, 'community', lpad(place::text, 12, '0'), 1, $2, $3, $3,
  $3, '{"scope": {"name": "x"}}', sha256('x')
from generate_series(1, 200) place, generate_series(date '2024-01-01', date '2025-12-01', interval '1 week') day
"""
MAKING = """
insert into report_making (district, id, period, asked_at, anew, state, made) values ($1, $2, '2026-W01', $3, false,
  'waiting', 0)
"""


async def test_few_briefs_are_found_among_many(owner_dsn: str, conn: asyncpg.Connection) -> None:
    making = uuid4()
    await conn.execute(MAKING, DISTRICT, making, NOW)
    await conn.execute(MANY, DISTRICT, making, NOW)
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute("analyze report")
    await owner.close()
    asked = (DISTRICT, ["community", "community"], [NEAR, FAR], None)
    (row,) = await conn.fetch(f"explain (format json) {report_archive.PAGE}", *asked, None, None, None, None, 31)
    plan = json.dumps(row[0] if not isinstance(row[0], str) else json.loads(row[0]))
    assert "report_by_scope" in plan or "report_once" in plan
    assert "Seq Scan" not in plan

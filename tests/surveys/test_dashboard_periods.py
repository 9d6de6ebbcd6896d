"""A period is what it is called on the day it is asked for, and is compared with as many days as have passed of it."""

from datetime import date, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveys.dashboards import dashboard_periods
from surveys.dashboards.dashboard_periods import Name, Period, Than
from surveys.refusals import InvalidFilter

DAYS = st.dates(date(2001, 1, 1), date(2099, 12, 31))
NAMED = [name for name in get_args(Name) if name != "own"]


def days(first: str, last: str) -> Period:
    return Period(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("name", "today", "expected", "before"),
    [
        ("month", "2026-11-30", days("2026-11-01", "2026-11-30"), days("2026-10-01", "2026-10-31")),
        ("month", "2026-11-10", days("2026-11-01", "2026-11-30"), days("2026-10-01", "2026-10-10")),
        ("month", "2026-03-30", days("2026-03-01", "2026-03-31"), days("2026-02-01", "2026-02-28")),
        ("last_month", "2026-01-02", days("2025-12-01", "2025-12-31"), days("2025-11-01", "2025-11-30")),
        ("quarter", "2026-02-14", days("2026-01-01", "2026-03-31"), days("2025-10-01", "2025-11-14")),
        ("year", "2024-02-29", days("2024-01-01", "2024-12-31"), days("2023-01-01", "2023-03-01")),
    ],
)
def test_what_a_period_is_and_what_it_is_compared_with(
    name: Name, today: str, expected: Period, before: Period
) -> None:
    day = date.fromisoformat(today)
    about = dashboard_periods.period(name, day)
    assert about == expected
    assert dashboard_periods.compared(name, about, "before", day) == before


def test_a_year_earlier_has_the_same_months() -> None:
    day = date(2024, 3, 5)
    assert dashboard_periods.compared("own", days("2024-02-01", "2024-02-29"), "year", day) == days(
        "2023-02-01", "2023-02-28"
    )
    assert dashboard_periods.compared("own", days("2023-02-01", "2023-02-28"), "year", day) == days(
        "2022-02-01", "2022-02-28"
    )


@given(st.sampled_from(NAMED), DAYS, st.sampled_from(get_args(Than)))
def test_any_day_has_periods_that_can_be_compared(name: Name, today: date, than: Than) -> None:
    about = dashboard_periods.period(name, today)
    before = dashboard_periods.compared(name, about, than, today)
    passed = Period(about.first, min(about.last, today))
    assert before.first <= before.last < about.first
    assert before.days <= max(about.days + 3, passed.days)
    if about.last > today:
        assert before.days <= passed.days
    trend = dashboard_periods.trend_of(about, today)
    assert trend.first <= about.first
    assert trend.first.day == 1
    assert (trend.last + timedelta(days=1)).day == 1
    assert dashboard_periods.this_week(today).last.weekday() == 6


@given(DAYS, st.integers(0, 800))
def test_a_period_of_ones_own_follows_upon_as_many_days(first: date, more: int) -> None:
    last = first + timedelta(days=more)
    about = dashboard_periods.period("own", date(2000, 1, 1), first, last)
    before = dashboard_periods.compared("own", about, "before", last)
    assert about == Period(first, last)
    assert before.days == about.days
    assert before.last + timedelta(days=1) == first


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(InvalidFilter, match="reported_to"):
        dashboard_periods.period("own", date(2026, 11, 23), date(2026, 11, 2), date(2026, 11, 1))
    with pytest.raises(InvalidFilter, match="reported_from"):
        dashboard_periods.period("own", date(2026, 11, 23), date(1, 1, 1))


def test_the_first_days_of_a_month_show_the_last_one() -> None:
    assert dashboard_periods.usual(date(2026, 12, 1)) == "last_month"
    assert dashboard_periods.usual(date(2026, 12, 6)) == "month"

"""The periods that a dashboard is about, and those that it compares them with, by the days of the district; pure.

A period that is not over yet is compared with as many days of the other one, so that ten days are not held against a
month."""

import calendar
from datetime import date, timedelta
from typing import Literal

from msgspec import Struct

from surveys.counting.issue_query import YEARS
from surveys.refusals import InvalidFilter

Name = Literal["month", "last_month", "quarter", "year", "own"]
Than = Literal["before", "year"]

MONTHS = 12  # that a trend shows at least
FIRST_DAYS = 5  # of a month, of which there is little to tell yet
VISIT_DAYS = 31  # the last of a period, whose visits are shown day by day


class Period(Struct, frozen=True):
    """Days in a row, both ends among them."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many they are."""
        return (self.last - self.first).days + 1


def usual(today: date) -> Name:
    """The period that is shown when none is asked for: in a month's first days the one that is just over."""
    return "last_month" if today.day <= FIRST_DAYS else "month"


def period(name: Name, today: date, first: date | None = None, last: date | None = None) -> Period:
    """The period that is called so on a day; `own` is from `first` to `last`. Raises InvalidFilter."""
    match name:
        case "month":
            return _months(today, 1)
        case "last_month":
            return _months(today.replace(day=1) - timedelta(days=1), 1)
        case "quarter":
            return _months(today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1), 3)
        case "year":
            return Period(date(today.year, 1, 1), date(today.year, 12, 31))
        case "own":
            return _own(today, first, last)


def _own(today: date, first: date | None, last: date | None) -> Period:
    for field, day in (("reported_from", first), ("reported_to", last)):
        if day is not None and day.year not in YEARS:
            raise InvalidFilter(field, expected=f"{YEARS[0]}-01-01 … {YEARS[-1]}-12-31")
    begins = first or (last or today).replace(day=1)
    ends = last or max(begins, today)
    if begins > ends:
        raise InvalidFilter("reported_to", expected=f"≥ {begins.isoformat()}")
    return Period(begins, ends)


def compared(name: Name, about: Period, than: Than, today: date) -> Period:
    """What a period is compared with: the one before it, or the same a year earlier; of one that is not over, as many
    days as have passed of it."""
    other = _year_earlier(about) if than == "year" else _before(name, about)
    if about.last <= today:
        return other
    passed = max(1, (min(today, about.last) - about.first).days + 1)
    return Period(other.first, min(other.last, other.first + timedelta(days=passed - 1)))


def _before(name: Name, about: Period) -> Period:
    day_before = about.first - timedelta(days=1)
    match name:
        case "month" | "last_month":
            return _months(day_before, 1)
        case "quarter":
            return _months(_shifted(about.first, -3), 3)
        case "year":
            return Period(date(about.first.year - 1, 1, 1), day_before)
        case "own":
            return Period(about.first - timedelta(days=about.days), day_before)


def _year_earlier(about: Period) -> Period:
    first, last = _shifted(about.first, -12), _shifted(about.last, -12)
    whole_month = about.last.day == calendar.monthrange(about.last.year, about.last.month)[1]
    return Period(first, _last_of_month(last) if whole_month else last)


def trend_of(about: Period, today: date) -> Period:
    """The whole months that a trend goes over: those of the period, and as many before it that they are a year; a month
    that has not begun is none."""
    last = _last_of_month(max(min(about.last, today), about.first))
    return Period(min(about.first.replace(day=1), _shifted(last.replace(day=1), 1 - MONTHS)), last)


def visit_days(about: Period, today: date) -> Period:
    """The last days of the period that have come."""
    last = max(min(about.last, today), about.first)
    return Period(max(about.first, last - timedelta(days=VISIT_DAYS - 1)), last)


def this_week(today: date) -> Period:
    """What is left of the week, to Sunday."""
    return Period(today, today + timedelta(days=6 - today.weekday()))


def _months(day: date, count: int) -> Period:
    first = day.replace(day=1)
    return Period(first, _shifted(first, count) - timedelta(days=1))


def _shifted(day: date, months: int) -> date:
    """The same day so many months later, or the last of that month where it has none."""
    number = day.year * 12 + day.month - 1 + months
    year, month = number // 12, number % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _last_of_month(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])

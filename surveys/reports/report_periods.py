"""The periods that a brief is about: a week from Monday to Sunday, or a month, by the days of the district; pure."""

import calendar
import re
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from surveys.refusals import InvalidFilter

Kind = Literal["week", "month"]
KINDS: tuple[Kind, ...] = ("week", "month")

YEARS = range(2000, 2999)
WRITTEN = "2026-11 | 2026-W48"


class Period(Struct, frozen=True, order=True):
    """A week or a month, by its first day."""

    first: date
    kind: Kind

    @property
    def last(self) -> date:
        """Its last day."""
        if self.kind == "week":
            return self.first + timedelta(days=6)
        return self.first.replace(day=calendar.monthrange(self.first.year, self.first.month)[1])

    @property
    def name(self) -> str:
        """How it is written: 2026-11, or 2026-W48 by ISO 8601."""
        if self.kind == "month":
            return f"{self.first:%Y-%m}"
        year, week, _ = self.first.isocalendar()
        return f"{year}-W{week:02}"

    def before(self) -> "Period":
        """The one that ended when this began."""
        return around(self.kind, self.first - timedelta(days=1))

    def begins(self, zone: ZoneInfo) -> datetime:
        """When its first day begins."""
        return datetime.combine(self.first, time(), zone)

    def ends(self, zone: ZoneInfo) -> datetime:
        """When the day after it begins."""
        return datetime.combine(self.last + timedelta(days=1), time(), zone)

    def over(self, zone: ZoneInfo, now: datetime) -> bool:
        """Whether all of it has passed."""
        return self.ends(zone) <= now


def around(kind: Kind, day: date) -> Period:
    """The week or month of a day."""
    first = day - timedelta(days=day.weekday()) if kind == "week" else day.replace(day=1)
    return Period(first, kind)


def latest(kind: Kind, zone: ZoneInfo, now: datetime) -> Period:
    """The last one that is over."""
    return around(kind, now.astimezone(zone).date()).before()


def named(text: str) -> Period:
    """The period that is written as 2026-11 or 2026-W48. Raises InvalidFilter."""
    found = re.fullmatch(r"([0-9]{4})-(?:W([0-9]{2})|([0-9]{2}))", text)
    try:
        if found is None or int(found[1]) not in YEARS:
            raise ValueError
        if found[2]:
            return Period(date.fromisocalendar(int(found[1]), int(found[2]), 1), "week")
        return Period(date(int(found[1]), int(found[3]), 1), "month")
    except ValueError:
        raise InvalidFilter("period", expected=WRITTEN) from None

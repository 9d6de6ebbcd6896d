"""The steps of a round: which is under way follows from its dates, and is written nowhere; pure."""

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import ClassVar, Literal, Protocol, get_args
from zoneinfo import ZoneInfo

from msgspec import Struct

from surveys.assessments.instruments import Group
from surveys.refusals import Conflict, InvalidFilter, TimesReversed

Step = Literal[
    "planned", "self", "people", "peers", "leaders", "first_result", "appeals", "decisions", "over", "cancelled"
]
Dated = Literal[
    "self_until", "people_until", "peers_until", "leaders_until", "first_at", "appeals_until", "decisions_until"
]
DATED: tuple[Dated, ...] = get_args(Dated)
PeriodKind = Literal["month", "quarter"]

CLOSES: Mapping[Group, Dated] = {
    "self": "self_until",
    "people": "people_until",
    "peers": "peers_until",
    "leaders": "leaders_until",
}
ENDS: Mapping[Step, Dated] = {
    "self": "self_until",
    "people": "people_until",
    "peers": "peers_until",
    "leaders": "leaders_until",
    "first_result": "first_at",
    "appeals": "appeals_until",
    "decisions": "decisions_until",
}
_WRITTEN = re.compile(r"(\d{4})-(?:(\d{2})|Q([1-4]))")


class StepClosed(Conflict):
    """The step in which this is done is over; `facts` say when it closed."""

    code: ClassVar[str] = "step_closed"


class StepNotOpen(Conflict):
    """The step in which this is done has not begun; `facts` say when it does, where that is known."""

    code: ClassVar[str] = "step_not_open"


class Dates(Protocol):
    """What has the dates of a round."""

    @property
    def opens_at(self) -> datetime: ...
    @property
    def self_until(self) -> datetime: ...
    @property
    def people_until(self) -> datetime: ...
    @property
    def peers_until(self) -> datetime: ...
    @property
    def leaders_until(self) -> datetime: ...
    @property
    def first_at(self) -> datetime: ...
    @property
    def appeals_until(self) -> datetime: ...
    @property
    def decisions_until(self) -> datetime: ...
    @property
    def late_leaders(self) -> bool: ...
    @property
    def cancelled_at(self) -> datetime | None: ...


def step(dates: Dates, now: datetime) -> Step:
    """The step that is under way: the first whose date has not passed."""
    if dates.cancelled_at is not None:
        return "cancelled"
    if now < dates.opens_at:
        return "planned"
    return next((name for name, ends in ENDS.items() if now < getattr(dates, ends)), "over")


def closes(dates: Dates, group: Group) -> datetime:
    """Until when a group rates, latecomers among the leaders included."""
    if group == "leaders" and dates.late_leaders:
        return dates.first_at
    moment: datetime = getattr(dates, CLOSES[group])
    return moment


def refuse_unless_rating(dates: Dates, group: Group, now: datetime) -> None:
    """A group rates from the opening of the round until its own step closes. Raises StepNotOpen and StepClosed."""
    if dates.cancelled_at is not None:
        raise StepClosed("group", step="cancelled", closed_at=dates.cancelled_at.isoformat())
    if now < dates.opens_at:
        raise StepNotOpen("group", step=group, opens_at=dates.opens_at.isoformat())
    if now >= (ends := closes(dates, group)):
        raise StepClosed("group", step=group, closed_at=ends.isoformat())


def refuse_out_of_order(dates: Mapping[str, datetime]) -> None:
    """Raises TimesReversed for a step that would close before the one before it."""
    before = dates["opens_at"]
    for name in DATED:
        late = dates[name] <= before if name in ("self_until", "appeals_until") else dates[name] < before
        if late:
            raise TimesReversed(name)
        before = dates[name]


class Period(Struct, frozen=True):
    """A month or a quarter by its first day."""

    kind: PeriodKind
    first: date

    @property
    def last(self) -> date:
        """Its last day."""
        month = self.first.month + (2 if self.kind == "quarter" else 0)
        return date(self.first.year, month, monthrange(self.first.year, month)[1])

    @property
    def name(self) -> str:
        """How it is written: 2026-09, or 2026-Q3."""
        if self.kind == "month":
            return f"{self.first:%Y-%m}"
        return f"{self.first.year}-Q{(self.first.month + 2) // 3}"

    def begins(self, zone: ZoneInfo) -> datetime:
        """When its first day begins."""
        return datetime.combine(self.first, time(), zone)

    def ends(self, zone: ZoneInfo) -> datetime:
        """When the day after it begins."""
        return datetime.combine(self.last + timedelta(days=1), time(), zone)


def period(text: str) -> Period:
    """The period that is written as 2026-09 or 2026-Q3. Raises InvalidFilter."""
    found = _WRITTEN.fullmatch(text)
    year = int(found[1]) if found else 0
    month = int(found[2] or 0) if found else 0
    if not found or not 2000 <= year < 2999 or (found[2] and not 1 <= month <= 12):
        raise InvalidFilter("period", expected="2026-09 | 2026-Q3")
    if found[3]:
        return Period("quarter", date(year, int(found[3]) * 3 - 2, 1))
    return Period("month", date(year, month, 1))

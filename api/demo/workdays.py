"""The demo's own time: working days counted from the campaign's first, so that a plan is the same whatever the date.

A moment is a number: 12.5 is the middle of the thirteenth working day. Only at the end does it become a date, and
moments in order stay in order.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
DAYS = 87  # four months of working days
OPENS = timedelta(hours=8, minutes=30)
LENGTH = timedelta(hours=9, minutes=30)
SATURDAY = 5


class Workdays:
    """The working days before a date, without holidays: nothing of the demo happens on that date or later."""

    def __init__(self, today: date) -> None:
        days: list[date] = []
        day = today
        while len(days) < DAYS:
            day -= timedelta(days=1)
            if day.weekday() < SATURDAY:
                days.append(day)
        self.days = days[::-1]

    def moment(self, at: float, *, weekend: bool = False) -> datetime:
        """The UTC moment of a moment of the plan; on a weekend it falls on the Saturday before its day."""
        number = int(at)
        day = self.days[number]
        if weekend:
            day -= timedelta(days=day.weekday() + 2)
        opened = midnight(day) + OPENS
        return opened + timedelta(seconds=round((at - number) * LENGTH.total_seconds()))

    @property
    def end(self) -> datetime:
        """The midnight after the last working day."""
        return midnight(self.days[-1] + timedelta(days=1))

    @property
    def first(self) -> datetime:
        """The midnight with which the campaign begins, the weekend before the first working day included."""
        return midnight(self.days[0] - timedelta(days=7))


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), ZONE).astimezone(UTC)


def working(duration: timedelta) -> float:
    """About how many working days a limit is, as the handlers of the demo keep it."""
    return duration / timedelta(days=1) * 0.75

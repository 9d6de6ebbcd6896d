"""Working time: until when something is due, how much time is left of it, and how much went by; pure.

[clock.md](clock.md) tells the rules. Local times belong to the office, all arithmetic is done in UTC, so that a limit
neither gains nor loses an hour when the clocks change. A moment is counted in microseconds since 1970.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import accumulate
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

Unit = Literal["working_hours", "working_days", "calendar_hours"]
DayKind = Literal["holiday", "working_day"]
Opening = tuple[time, time]
Week = tuple[tuple[Opening, ...], ...]  # from Monday to Sunday

HOUR = 3_600_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FARTHEST = 400  # years that a limit is looked for: nobody waits longer

_USUAL: tuple[Opening, ...] = ((time(9), time(12)), (time(13), time(17)))
USUAL_WEEK: Week = (_USUAL,) * 5 + ((),) * 2

# Month and day of the holidays that no announcement moves: New Year, Labour Day and National Day as in article 2 of the
# State Council's rules on holidays, in force since 2025-01-01. The others follow the lunar calendar or the sun.
FIXED_HOLIDAYS: frozenset[tuple[int, int]] = frozenset({(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)})


class Hours(Struct, frozen=True):
    """Office hours, from a day on."""

    valid_from: date
    week: Week


class Calendar(Struct, frozen=True, kw_only=True, dict=True):
    """When a district works: its zone, its office hours from the first version to the newest, the days that are not
    what their weekday says, and the years for which those are known. A year that is not published has the `days` that
    are expected of it, or else the fixed holidays."""

    zone: ZoneInfo
    version: int = 0
    hours: tuple[Hours, ...] = (Hours(date.min, USUAL_WEEK),)
    days: Mapping[date, DayKind] = {}
    published: frozenset[int] = frozenset()
    expected: frozenset[int] = frozenset()
    fixed: frozenset[tuple[int, int]] = FIXED_HOLIDAYS

    def openings(self, day: date) -> tuple[Opening, ...]:
        """When the office is open on a day. A weekend day on which people work has the hours of the first weekday."""
        week = next((hours.week for hours in reversed(self.hours) if hours.valid_from <= day), self.hours[0].week)
        kind = self._kind(day)
        if kind == "holiday":
            return ()
        own = week[day.weekday()]
        return own or (next(filter(None, week), ()) if kind == "working_day" else ())

    def _kind(self, day: date) -> DayKind | None:
        if day.year in self.published or day.year in self.expected:
            return self.days.get(day)
        return "holiday" if (day.month, day.day) in self.fixed else None

    @cached_property
    def _reckoner(self) -> "_Reckoner":
        return _Reckoner(self)


class Span(Struct, frozen=True):
    """How long a limit is."""

    amount: int
    unit: Unit


class Due(Struct, frozen=True):
    """When something is due; provisional, if a year is counted whose holidays are not published yet."""

    at: datetime
    provisional: bool


Pause = tuple[datetime, datetime]


def due(calendar: Calendar, span: Span, started_at: datetime, pauses: Sequence[Pause] = (), extension: int = 0) -> Due:
    """When what began then is due; the pauses cost nothing, and the extension comes on top in the limit's own unit.

    Whole working days count from the next one on, and end with the office hours of the last. A pause moves the end by
    the office time it took, or by all the time it took where the limit is in calendar hours."""
    start, amount = _microseconds(started_at), span.amount + extension
    paused = _merged(start, pauses)
    if span.unit == "calendar_hours":
        taken = sum(end - begin for begin, end in paused)
        return Due(_moment(start + amount * HOUR + taken), False)
    reckoner = calendar._reckoner
    if span.unit == "working_days":
        end, work = reckoner.end_of_day(start, amount), 0
    else:
        end, work = start, amount * HOUR
    work += sum(reckoner.worked(begin, till) for begin, till in paused)
    if work:
        end = reckoner.after(end, work)
    return _due(calendar, start, end)


def resumed(calendar: Calendar, unit: Unit, due_at: datetime, paused_at: datetime, now: datetime) -> Due:
    """The due time after a pause, from the one before it: as much is left as there was. It serves where the due time
    was not counted from a limit, too, as in a ledger that brought its own."""
    before, begin, end = _microseconds(due_at), _microseconds(paused_at), _microseconds(now)
    if unit == "calendar_hours":
        return Due(_moment(before + max(end - begin, 0)), False)
    work = calendar._reckoner.worked(begin, max(begin, end))
    return _due(calendar, begin, calendar._reckoner.after(before, work) if work else before)


def extended(calendar: Calendar, unit: Unit, due_at: datetime, amount: int) -> Due:
    """The due time so much later than it was; after whole working days as much is left of the day as there was."""
    before = _microseconds(due_at)
    if unit == "calendar_hours":
        return Due(_moment(before + amount * HOUR), False)
    reckoner = calendar._reckoner
    end = reckoner.days_later(before, amount) if unit == "working_days" else reckoner.after(before, amount * HOUR)
    return _due(calendar, before, end)


def left(calendar: Calendar, unit: Unit, now: datetime, due_at: datetime) -> timedelta:
    """The time left until something is due, in office time unless the limit is in calendar hours; below zero when it
    is late."""
    return due_at - now if unit == "calendar_hours" else worked(calendar, now, due_at)


def worked(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """The office time between two moments; below zero if the second comes first."""
    return timedelta(microseconds=calendar._reckoner.worked(_microseconds(start), _microseconds(end)))


def _due(calendar: Calendar, start: int, end: int) -> Due:
    first, last = calendar._reckoner.year(start), calendar._reckoner.year(end)
    return Due(_moment(end), any(year not in calendar.published for year in range(first, last + 1)))


def _merged(start: int, pauses: Iterable[Pause]) -> list[tuple[int, int]]:
    """The pauses since the start, each moment once."""
    merged: list[tuple[int, int]] = []
    at = start
    for begin, end in sorted((_microseconds(one), _microseconds(other)) for one, other in pauses):
        if end > at:
            merged.append((max(begin, at), end))
            at = end
    return merged


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _moment(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND


class _Reckoner:
    """The openings of a calendar in the years that were asked for, reckoned once for all.

    A table is replaced by a longer one, never changed: threads may read it meanwhile."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._table: _Table | None = None

    def year(self, at: int) -> int:
        """The local year of a moment."""
        table = self._table
        if table is not None and table.years[0] <= at < table.years[-1]:
            return table.first + bisect_right(table.years, at) - 1
        return self._local(at).year

    def worked(self, start: int, end: int) -> int:
        """The office time from one moment to another."""
        table = self._reaching(self.year(min(start, end)), self.year(max(start, end)))
        return table.position(end) - table.position(start)

    def after(self, start: int, work: int) -> int:
        """The moment at which so much office time has gone by, the earliest there is."""
        for table in self._farther(self.year(start)):
            end = table.reached(table.position(start) + work)
            if end is not None:
                return end
        raise NeverDue

    def end_of_day(self, start: int, count: int) -> int:
        """The end of the office hours of the working day so many after the day of a moment; 0 asks for the last one
        that is not after it."""
        day = self._local(start).toordinal()
        for table in self._farther(self.year(start) - (count == 0)):
            wanted = bisect_right(table.days, day) + count - 1
            if wanted < len(table.days):
                return table.ends[wanted]
        raise NeverDue

    def days_later(self, start: int, count: int) -> int:
        """The moment so many working days later at which as much is left of its day."""
        rest = max(self.worked(start, self.end_of_day(start, 0)), 0)
        end = self.end_of_day(start, count)
        return self.after(end, -rest) if rest else end

    def _local(self, at: int) -> datetime:
        return _moment(at).astimezone(self._calendar.zone)

    def _farther(self, year: int) -> Iterator["_Table"]:
        """Tables from a year on, each longer than the one before."""
        ahead = 1
        while ahead <= _FARTHEST:
            yield self._reaching(year, year + ahead)
            ahead *= 2

    def _reaching(self, first: int, last: int) -> "_Table":
        table = self._table
        if table is None or first < table.first or last > table.last:
            if table is not None:
                first, last = min(first, table.first), max(last, table.last)
            table = self._table = _Table(self._calendar, first, last)
        return table


class _Table:
    """Every opening of some years in order: when it opens and closes, and the office time before it; the working days
    as ordinals, with the end of each; and where the years begin."""

    def __init__(self, calendar: Calendar, first: int, last: int) -> None:
        self.first, self.last = first, last
        self.years = [_midnight(date(year, 1, 1), calendar) for year in range(first, last + 2)]
        self.opens: list[int] = []
        self.closes: list[int] = []
        self.days: list[int] = []
        self.ends: list[int] = []
        for ordinal in range(date(first, 1, 1).toordinal(), date(last, 12, 31).toordinal() + 1):
            self._add(calendar, date.fromordinal(ordinal))
        lengths = (end - begin for begin, end in zip(self.opens, self.closes, strict=True))
        sums = list(accumulate(lengths, initial=0))
        self.before, self.through = sums[:-1], sums[1:]

    def _add(self, calendar: Calendar, day: date) -> None:
        openings = calendar.openings(day)
        for opens, closes in openings:
            # An hour that the clocks leave out has no length; what overlaps by that is counted once.
            earliest = self.closes[-1] if self.closes else None
            begin = _microseconds(datetime.combine(day, opens, calendar.zone))
            end = _microseconds(datetime.combine(day, closes, calendar.zone))
            begin = begin if earliest is None else max(begin, earliest)
            self.opens.append(begin)
            self.closes.append(max(begin, end))
        if openings:
            self.days.append(day.toordinal())
            self.ends.append(self.closes[-1])

    def position(self, at: int) -> int:
        """The office time of these years up to a moment."""
        opening = bisect_right(self.opens, at) - 1
        if opening < 0:
            return 0
        return self.before[opening] + min(at, self.closes[opening]) - self.opens[opening]

    def reached(self, position: int) -> int | None:
        """The first moment at which so much office time has gone by; None if these years do not have it."""
        opening = bisect_left(self.through, position)
        if opening == len(self.through):
            return None
        return self.opens[opening] + position - self.before[opening]


def _midnight(day: date, calendar: Calendar) -> int:
    return _microseconds(datetime.combine(day, time(), calendar.zone))


class NeverDue(Exception):
    """The office never opens again, so that a limit in its hours has no end."""

"""Working time: what is due when, over holidays, make-up days, pauses and changing clocks."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surveys.clock import clock
from surveys.clock.clock import USUAL_WEEK, Calendar, DayKind, Due, Hours, Opening, Pause, Span, Unit, Week

SHANGHAI = ZoneInfo("Asia/Shanghai")
UNITS: tuple[Unit, ...] = ("working_hours", "working_days", "calendar_hours")

# The Spring Festival of 2026 as the State Council announced it: nine days off, two Saturdays at work.
SPRING_FESTIVAL: dict[date, DayKind] = {
    **{date(2026, 2, day): "holiday" for day in range(15, 24)},
    date(2026, 2, 14): "working_day",
    date(2026, 2, 28): "working_day",
}
CALENDAR = Calendar(
    zone=SHANGHAI,
    days={**SPRING_FESTIVAL, date(2026, 10, 1): "holiday", date(2026, 10, 2): "holiday"},
    published=frozenset({2025, 2026}),
)


def at(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def due(amount: int, unit: Unit, started: str, pauses: Sequence[tuple[str, str]] = (), extension: int = 0) -> str:
    """The due time as people in the district read it."""
    paused = [(at(one), at(other)) for one, other in pauses]
    found = clock.due(CALENDAR, Span(amount, unit), at(started), paused, extension)
    return found.at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("amount", "unit", "started", "expected"),
    [
        (1, "working_hours", "2026-11-24 16:00", "2026-11-24 17:00"),  # to the last minute of the day
        (2, "working_hours", "2026-11-24 11:00", "2026-11-24 14:00"),  # over lunch
        (8, "working_hours", "2026-11-24 10:00", "2026-11-25 11:00"),  # seven hours make a day
        (1, "working_hours", "2026-11-21 23:00", "2026-11-23 10:00"),  # a Saturday night
        (2, "working_hours", "2026-02-14 16:00", "2026-02-24 10:00"),  # the last Saturday at work before the festival
        (1, "working_days", "2026-11-24 00:00", "2026-11-25 17:00"),
        (1, "working_days", "2026-11-24 23:59", "2026-11-25 17:00"),  # the day itself never counts
        (5, "working_days", "2026-11-24 10:00", "2026-12-01 17:00"),
        (1, "working_days", "2026-11-27 18:00", "2026-11-30 17:00"),  # a Friday evening
        (1, "working_days", "2026-11-28 10:00", "2026-11-30 17:00"),  # a Saturday
        (5, "working_days", "2026-02-12 09:30", "2026-02-26 17:00"),  # over the Spring Festival, one Saturday at work
        (3, "working_days", "2026-02-16 12:00", "2026-02-26 17:00"),  # reported in the midst of it
        (4, "calendar_hours", "2026-02-16 23:00", "2026-02-17 03:00"),  # an emergency knows no festival
    ],
)
def test_what_is_due_when(amount: int, unit: Unit, started: str, expected: str) -> None:
    assert due(amount, unit, started) == expected


@pytest.mark.parametrize(
    ("unit", "pauses", "expected"),
    [
        ("working_hours", [], "2026-02-24 11:00"),
        ("working_hours", [("2026-02-15 00:00", "2026-02-24 00:00")], "2026-02-24 11:00"),  # nobody worked anyway
        ("working_hours", [("2026-02-13 09:00", "2026-02-24 09:00")], "2026-02-26 11:00"),  # two days at work
        ("working_hours", [("2026-02-13 09:00", "2026-02-13 11:00")] * 2, "2026-02-24 14:00"),  # told twice
        ("working_hours", [("2026-02-10 09:00", "2026-02-13 09:00")], "2026-02-24 11:00"),  # before it began
        ("working_days", [], "2026-02-25 17:00"),
        ("working_days", [("2026-02-24 09:00", "2026-02-24 11:00")], "2026-02-26 11:00"),  # into the next day
        ("calendar_hours", [("2026-02-13 09:00", "2026-02-14 09:00")], "2026-02-14 18:00"),
    ],
)
def test_a_pause_moves_the_end_by_what_it_took(unit: Unit, pauses: list[tuple[str, str]], expected: str) -> None:
    amounts: dict[Unit, int] = {"working_hours": 16, "working_days": 3, "calendar_hours": 9}
    assert due(amounts[unit], unit, "2026-02-13 09:00", pauses) == expected


@pytest.mark.parametrize("unit", UNITS)
def test_an_extension_counts_in_the_limits_own_unit(unit: Unit) -> None:
    started = at("2026-02-12 16:00")
    first = clock.due(CALENDAR, Span(2, unit), started)
    longer = clock.due(CALENDAR, Span(2, unit), started, extension=3)
    assert longer == clock.due(CALENDAR, Span(5, unit), started)
    assert clock.extended(CALENDAR, unit, first.at, 3) == longer


def test_an_extension_of_whole_days_keeps_what_is_left_of_the_day() -> None:
    due_at = at("2026-11-26 11:00")  # as after a pause
    assert clock.extended(CALENDAR, "working_days", due_at, 2).at == at("2026-11-30 11:00")
    assert clock.extended(CALENDAR, "working_days", at("2026-11-28 11:00"), 1).at == at("2026-11-30 17:00")


def test_late_is_less_than_nothing_left() -> None:
    due_at = at("2026-11-24 17:00")
    assert clock.left(CALENDAR, "working_days", at("2026-11-24 11:00"), due_at) == timedelta(hours=5)
    assert clock.left(CALENDAR, "working_days", at("2026-11-25 10:00"), due_at) == timedelta(hours=-1)
    assert clock.left(CALENDAR, "calendar_hours", at("2026-11-25 10:00"), due_at) == timedelta(hours=-17)


# --- years that are not published yet


@pytest.mark.parametrize(
    ("amount", "unit", "started", "expected", "provisional"),
    [
        (3, "working_days", "2026-12-28 10:00", "2026-12-31 17:00", False),
        (4, "working_days", "2026-12-28 10:00", "2027-01-04 17:00", True),  # New Year's Day does not count
        (8, "working_hours", "2026-12-31 10:00", "2027-01-04 11:00", True),
        (30, "calendar_hours", "2026-12-31 10:00", "2027-01-01 16:00", False),
        (1, "working_days", "2027-04-30 10:00", "2027-05-03 17:00", True),
        (1, "working_days", "2027-02-04 10:00", "2027-02-05 17:00", True),  # who knows when the festival is
    ],
)
def test_a_year_that_is_not_published_counts_weekdays_less_fixed_holidays(
    amount: int, unit: Unit, started: str, expected: str, provisional: bool
) -> None:
    assert clock.due(CALENDAR, Span(amount, unit), at(started)) == Due(at(expected), provisional)


def test_what_is_expected_of_a_year_is_counted_and_stays_provisional() -> None:
    days: dict[date, DayKind] = {date(2027, 2, 5): "holiday"}
    expecting = Calendar(zone=SHANGHAI, days=days, published=frozenset({2026}), expected=frozenset({2027}))
    assert clock.due(expecting, Span(1, "working_days"), at("2027-02-04 10:00")) == Due(at("2027-02-08 17:00"), True)


# --- office hours


def test_new_office_hours_count_from_their_day_on() -> None:
    mornings: Week = (((time(8), time(12)),),) * 5 + ((),) * 2
    changed = Calendar(
        zone=SHANGHAI,
        hours=(Hours(date.min, USUAL_WEEK), Hours(date(2026, 11, 26), mornings)),
        published=frozenset({2026}),
    )
    assert clock.due(changed, Span(2, "working_days"), at("2026-11-24 10:00")).at == at("2026-11-26 12:00")
    assert clock.due(changed, Span(8, "working_hours"), at("2026-11-25 09:00")).at == at("2026-11-26 09:00")


def test_an_office_that_never_opens_is_told_of_instead_of_waited_for() -> None:
    closed = Calendar(zone=SHANGHAI, hours=(Hours(date.min, ((),) * 7),))
    with pytest.raises(clock.NeverDue):
        clock.due(closed, Span(1, "working_days"), at("2026-11-24 10:00"))


# --- clocks that change


@pytest.mark.parametrize(
    ("started", "expected"),
    [
        ("2026-03-29 00:30", "2026-03-29 05:30"),  # 02:00 becomes 03:00
        ("2026-10-25 00:30", "2026-10-25 03:30"),  # 03:00 becomes 02:00 once more
    ],
)
def test_four_hours_are_four_hours_on_the_night_the_clocks_change(started: str, expected: str) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    night: Week = (((time(0), time(8)),),) * 7
    for calendar, unit in (
        (Calendar(zone=berlin, hours=(Hours(date.min, night),)), "working_hours"),
        (Calendar(zone=berlin), "calendar_hours"),
    ):
        found = clock.due(calendar, Span(4, unit), at(started, berlin))  # type: ignore[arg-type]
        assert found.at == at(expected, berlin)


def test_hours_that_run_into_each_other_when_clocks_go_forward_count_once() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    early: Week = (((time(1), time(2, 30)), (time(3), time(4))),) * 7
    calendar = Calendar(zone=berlin, hours=(Hours(date.min, early),))
    night, next_night = at("2026-03-29 00:00", berlin), at("2026-03-30 00:00", berlin)
    assert clock.worked(calendar, night, next_night) == timedelta(hours=2)


# --- properties

ZONES = [ZoneInfo(name) for name in ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")]
MINUTE = timedelta(minutes=1)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@st.composite
def openings(draw: st.DrawFn) -> tuple[Opening, ...]:
    """Up to two openings of a day, on whole quarters of an hour, later than any clock is changed."""
    ends = sorted(draw(st.sets(st.integers(16, 95), max_size=4)))
    ends = ends[: len(ends) // 2 * 2]
    told = [time(quarter // 4, quarter % 4 * 15) for quarter in ends]
    return tuple(zip(told[::2], told[1::2], strict=True))


def weeks() -> st.SearchStrategy[Week]:
    return st.tuples(*[openings()] * 7).filter(any)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    days = st.dates(date(2026, 1, 1), date(2026, 12, 31))
    kinds: st.SearchStrategy[DayKind] = st.sampled_from(("holiday", "working_day"))
    changes = draw(st.lists(st.builds(Hours, days, weeks()), max_size=1))
    return Calendar(
        zone=draw(st.sampled_from(ZONES)),
        hours=(Hours(date.min, draw(st.one_of(st.just(USUAL_WEEK), weeks()))), *changes),
        days=draw(st.dictionaries(days, kinds, max_size=40)),
        published=draw(st.sampled_from((frozenset({2025, 2026}), frozenset({2025, 2026, 2027})))),
    )


def moments() -> st.SearchStrategy[datetime]:
    """Minutes of the year."""
    return st.integers(0, 330 * 24 * 60).map(lambda minutes: FIRST + minutes * MINUTE)


def units() -> st.SearchStrategy[Unit]:
    return st.sampled_from(UNITS)


def pauses(since: datetime) -> st.SearchStrategy[list[Pause]]:
    """Some pauses, each after the one before."""
    lengths = st.lists(st.integers(0, 5 * 24 * 60), max_size=6).map(lambda found: found[: len(found) // 2 * 2])

    def one_after_another(found: list[int]) -> list[Pause]:
        ends = [since + sum(found[: count + 1]) * MINUTE for count in range(len(found))]
        return list(zip(ends[::2], ends[1::2], strict=True))

    return lengths.map(one_after_another)


def is_open(calendar: Calendar, minute: datetime) -> bool:
    local = minute.astimezone(calendar.zone)
    return any(opens <= local.time() < closes for opens, closes in calendar.openings(local.date()))


def recounted(calendar: Calendar, span: Span, started_at: datetime, paused: Sequence[Pause]) -> datetime:
    """The due time by looking at each minute: is the office open, is there a pause, is it a working day."""
    minute = started_at

    def counts(minute: datetime) -> bool:
        if any(begin <= minute < end for begin, end in paused):
            return False
        return span.unit == "calendar_hours" or is_open(calendar, minute)

    if span.unit != "working_days":
        minutes = span.amount * 60
        while minutes:
            minutes -= counts(minute)
            minute += MINUTE
    else:
        day, days = minute.astimezone(calendar.zone).date(), span.amount
        while days:
            day += timedelta(days=1)
            days -= bool(calendar.openings(day))
        minute = datetime.combine(day, calendar.openings(day)[-1][1], calendar.zone).astimezone(UTC)
    # What was paused before the end comes after it, and that may be paused again.
    owed = (
        0
        if span.unit != "working_days"
        else sum(is_open(calendar, one) for begin, end in paused for one in minutes_between(begin, end))
    )
    while owed:
        owed -= is_open(calendar, minute)
        minute += MINUTE
    return minute


def minutes_between(begin: datetime, end: datetime) -> list[datetime]:
    return [begin + count * MINUTE for count in range((end - begin) // MINUTE)]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_the_end_is_where_counting_minute_by_minute_comes_to(data: st.DataObject) -> None:
    calendar = data.draw(calendars())
    span = Span(data.draw(st.integers(1, 20)), data.draw(units()))
    started_at = data.draw(moments())
    paused = data.draw(pauses(started_at))
    expected = recounted(calendar, span, started_at, paused)
    if span.unit != "working_days":  # whoever looks at each minute does not see a pause that comes after the end
        paused = [(begin, end) for begin, end in paused if begin < expected]
    assert clock.due(calendar, span, started_at, paused).at == expected


@settings(max_examples=100, deadline=None)
@given(calendars(), units(), moments(), moments(), st.integers(1, 40))
def test_the_time_left_never_grows_by_itself(
    calendar: Calendar, unit: Unit, one: datetime, other: datetime, amount: int
) -> None:
    first, then = sorted((one, other))
    due_at = clock.due(calendar, Span(amount, unit), first).at
    assert clock.left(calendar, unit, first, due_at) >= clock.left(calendar, unit, then, due_at)
    assert clock.left(calendar, unit, due_at, due_at) == timedelta(0)


@settings(max_examples=100, deadline=None)
@given(calendars(), units(), moments(), st.integers(1, 30), st.data())
def test_a_pause_costs_nothing(
    calendar: Calendar, unit: Unit, started_at: datetime, amount: int, data: st.DataObject
) -> None:
    paused = data.draw(pauses(started_at))
    due_at = clock.due(calendar, Span(amount, unit), started_at).at
    for number, (begin, end) in enumerate(paused, start=1):
        before = clock.left(calendar, unit, begin, due_at)
        after = clock.due(calendar, Span(amount, unit), started_at, paused[:number])
        assert clock.left(calendar, unit, end, after.at) == before
        assert clock.resumed(calendar, unit, due_at, begin, end).at == after.at, "counted on, and from the start"
        due_at = after.at


@settings(max_examples=100, deadline=None)
@given(calendars(), units(), moments(), st.integers(1, 60), st.integers(0, 20), st.data())
def test_more_is_never_due_earlier(
    calendar: Calendar, unit: Unit, started_at: datetime, amount: int, more: int, data: st.DataObject
) -> None:
    paused = data.draw(pauses(started_at))
    first = clock.due(calendar, Span(amount, unit), started_at, paused)
    longer = clock.due(calendar, Span(amount + more, unit), started_at, paused)
    assert started_at < first.at <= longer.at
    assert first.provisional <= longer.provisional
    assert longer == clock.due(calendar, Span(amount, unit), started_at, paused, extension=more)


@settings(max_examples=50, deadline=None)
@given(calendars(), units(), moments(), st.integers(1, 60))
def test_what_is_counted_again_is_the_same(calendar: Calendar, unit: Unit, started_at: datetime, amount: int) -> None:
    """Whatever was asked of a calendar before, and however far it had to look for that."""
    fresh = Calendar(zone=calendar.zone, hours=calendar.hours, days=dict(calendar.days), published=calendar.published)
    first = clock.due(calendar, Span(amount, unit), started_at)
    clock.worked(calendar, started_at - timedelta(days=1_500), started_at + timedelta(days=1_500))
    assert clock.due(calendar, Span(amount, unit), started_at) == first
    assert clock.due(fresh, Span(amount, unit), started_at) == first


@settings(max_examples=100, deadline=None)
@given(calendars(), moments(), moments(), moments())
def test_office_time_adds_up(calendar: Calendar, one: datetime, other: datetime, third: datetime) -> None:
    whole = clock.worked(calendar, one, third)
    assert clock.worked(calendar, one, other) + clock.worked(calendar, other, third) == whole
    assert clock.worked(calendar, third, one) == -whole
    assert abs(whole) <= abs(third - one)

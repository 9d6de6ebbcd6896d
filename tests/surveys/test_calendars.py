"""A district's calendar: its country's holidays in versions, and what each version changes."""

from datetime import date, datetime, timedelta

import asyncpg
import pytest

from api import holiday_lists
from surveys.clock import calendars, clock
from surveys.clock.calendars import CHINA, Day, PublishedAlready, Year
from surveys.clock.clock import USUAL_WEEK, Span
from surveys.history import Actor
from surveys.refusals import NotFound
from tests.conftest import DISTRICT, NOW

pytestmark = pytest.mark.anyio

ACTOR = Actor("import", "holidays")
NEW_YEAR = Year((Day(date(2027, 1, 1), "holiday", "元旦"), Day(date(2027, 1, 3), "working_day", "元旦")), True)


async def publish(conn: asyncpg.Connection, years: dict[int, Year], now: datetime = NOW) -> list[calendars.YearChange]:
    async with conn.transaction():
        return await calendars.store(conn, CHINA, years, "tests", ACTOR, now)


async def test_the_library_seeds_every_year_it_knows_once(conn: asyncpg.Connection) -> None:
    known = await calendars.years(conn)
    assert min(known) == 2004
    assert 2026 in known
    spring = [day.day for day in known[2026].days if day.name == "春节" and day.kind == "holiday"]
    assert (spring[0], spring[-1], len(spring)) == (date(2026, 2, 15), date(2026, 2, 23), 9)
    assert Day(date(2026, 2, 28), "working_day", "春节") in known[2026].days
    async with conn.transaction():
        assert await holiday_lists.seed(conn, NOW, last=NOW.year) == []
    assert await conn.fetchval("select count(*) from holiday_calendar") == 1


async def test_a_districts_calendar_has_its_zone_the_usual_hours_and_the_holidays(conn: asyncpg.Connection) -> None:
    calendar = await calendars.in_force(conn, DISTRICT, NOW)
    assert (calendar.zone.key, calendar.version) == ("Asia/Shanghai", 1)
    assert calendar.openings(date(2026, 11, 24)) == USUAL_WEEK[0]
    assert calendar.openings(date(2026, 2, 16)) == ()
    assert calendar.openings(date(2026, 2, 28)) == USUAL_WEEK[0], "a Saturday at work"
    assert calendar is await calendars.in_force(conn, DISTRICT, NOW), "made once"
    with pytest.raises(NotFound):
        await calendars.in_force(conn, 1, NOW)


async def test_a_year_is_published_by_a_further_version(conn: asyncpg.Connection) -> None:
    before = await calendars.in_force(conn, DISTRICT, NOW)
    (change,) = await publish(conn, {2027: NEW_YEAR})
    assert (change.year, change.was, change.added, change.removed) == (2027, "unknown", NEW_YEAR.days, ())
    after = await calendars.in_force(conn, DISTRICT, NOW)
    assert (before.version, after.version) == (1, 2)
    assert (2027 in before.published, 2027 in after.published) == (False, True)
    assert after.openings(date(2027, 1, 3)) == USUAL_WEEK[0]
    assert after.openings(date(2026, 2, 16)) == (), "the other years stay"
    started_at = datetime.fromisoformat("2026-12-31T10:00:00+08:00")
    assert clock.due(before, Span(1, "working_days"), started_at).provisional
    assert clock.due(after, Span(1, "working_days"), started_at) == clock.Due(
        datetime.fromisoformat("2027-01-03T17:00:00+08:00"), False
    )


async def test_what_was_known_on_a_past_day_is_known_forever(conn: asyncpg.Connection) -> None:
    then = await calendars.in_force(conn, DISTRICT, NOW)
    await publish(conn, {2027: NEW_YEAR}, NOW + timedelta(days=1))
    assert await calendars.in_force(conn, DISTRICT, NOW) == then
    assert (await calendars.in_force(conn, DISTRICT, NOW + timedelta(days=2))).version == 2


async def test_the_same_list_again_changes_nothing(conn: asyncpg.Connection) -> None:
    assert await publish(conn, {2027: NEW_YEAR})
    assert await publish(conn, {2027: NEW_YEAR}) == []
    assert await conn.fetchval("select max(version) from holiday_calendar") == 2


async def test_an_expected_year_is_told_day_by_day_what_publishing_changes(conn: asyncpg.Connection) -> None:
    expected = Year((Day(date(2027, 1, 1), "holiday", "元旦"), Day(date(2027, 1, 4), "holiday", "元旦")), False)
    await publish(conn, {2027: expected})
    calendar = await calendars.in_force(conn, DISTRICT, NOW)
    assert calendar.openings(date(2027, 1, 4)) == ()
    assert 2027 not in calendar.published
    (change,) = await publish(conn, {2027: NEW_YEAR})
    assert change.was == "expected"
    assert [day.day for day in change.added] == [date(2027, 1, 3)]
    assert [day.day for day in change.removed] == [date(2027, 1, 4)]
    with pytest.raises(PublishedAlready):
        await publish(conn, {2027: expected})


async def test_each_district_has_in_its_history_that_holidays_changed(conn: asyncpg.Connection) -> None:
    await publish(conn, {2027: NEW_YEAR})
    (event,) = await conn.fetch("select * from history where kind = 'calendar'")
    assert (event["district"], event["event"], event["actor_kind"], event["actor"], event["version"]) == (
        DISTRICT, "holidays", "import", "holidays", 2,
    )  # fmt: skip
    assert event["facts"]["years"] == [{"year": 2027, "published": True, "added": 2, "removed": 0}]


async def test_calendars_of_the_same_numbers_and_other_days_are_not_taken_for_each_other(
    conn: asyncpg.Connection,
) -> None:
    """As in two databases that one process looks at."""
    transaction = conn.transaction()
    await transaction.start()
    await calendars.store(conn, CHINA, {2027: NEW_YEAR}, "tests", ACTOR, NOW)
    first = await calendars.in_force(conn, DISTRICT, NOW)
    await transaction.rollback()
    await publish(conn, {2027: Year(NEW_YEAR.days[:1], True)})
    second = await calendars.in_force(conn, DISTRICT, NOW)
    assert first.version == second.version
    assert (first.openings(date(2027, 1, 3)), second.openings(date(2027, 1, 3))) == (USUAL_WEEK[0], ())

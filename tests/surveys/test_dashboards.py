"""Whoever asks for whatever period and place: each number of the dashboard is the total of the list that it opens, the
trend is the whole month by month, and what got better or worse is what a naive recount finds."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any, get_args

import asyncpg
import hypothesis
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import database
from surveys.counting import issue_lists, rates
from surveys.counting.issue_query import Filters
from surveys.counting.rate_terms import Rate
from surveys.counting.rates import Share
from surveys.dashboards import dashboards
from surveys.dashboards.dashboard_periods import Than
from surveys.dashboards.dashboards import LEVELS, THREE, Asked, Compared, Dashboard, Part
from surveys.people.people import READING, Reader
from surveys.refusals import NotAllowed
from tests.conftest import NOW, Server, founded
from tests.surveys import test_rates, worlds
from tests.surveys.worlds import STREETS, ZONE, World

pytestmark = pytest.mark.anyio

TODAY = NOW.astimezone(ZONE).date()


@pytest.fixture(scope="module")
async def conn(server: Server, template: str) -> AsyncIterator[asyncpg.Connection]:
    """A district of this file's own; each test undoes what it wrote."""
    async with founded(server, template) as dsn:
        opened = await database.connect(dsn)
        yield opened
        await opened.close()


def questions(world: World) -> st.SearchStrategy[Asked]:
    """Periods that part the few days on which things happened, in some place, now or on a day."""
    days = st.integers(0, worlds.DAYS).map(lambda ago: TODAY - timedelta(days=ago))
    maybe = st.none() | st.none()
    return st.builds(
        _asked,
        period=st.sampled_from(["month", "quarter", "own", "own", "own"]),
        days=st.tuples(days, days),
        than=st.sampled_from(get_args(Than)),
        street=maybe | st.sampled_from(sorted(set(STREETS.values()))),
        community=maybe | st.sampled_from(sorted(STREETS)),
        organisation=maybe | st.sampled_from([one.id for one in world.organisations]),
        as_of=maybe | days,
    )


def _asked(*, days: Any, period: Any, **more: Any) -> Asked:
    first, last = sorted(days) if period == "own" else (None, None)
    return Asked(period=period, first=first, last=last, **more)


@hypothesis.settings(max_examples=12, deadline=None)
@given(worlds.worlds(), st.data())
async def test_every_number_is_that_of_its_list(conn: asyncpg.Connection, world: World, data: st.DataObject) -> None:
    transaction = conn.transaction()
    await transaction.start()
    try:
        await worlds.write(conn, world)
        for reader in world.readers:
            asked = data.draw(questions(world))
            if not reader.roles() & READING:
                with pytest.raises(NotAllowed):
                    await dashboards.gathered(conn, reader, asked, ZONE, NOW)
                continue
            found = await dashboards.gathered(conn, reader, asked, ZONE, NOW)
            counted = list(numbers(found))
            some = st.lists(st.sampled_from(counted), min_size=6, max_size=12)
            for count, filters in data.draw(some):
                page = await issue_lists.page(conn, reader, filters, ZONE, NOW, limit=1)
                assert page.total == count, filters
            await the_trend_is_the_whole(conn, reader, found)
            changes_are_a_naive_recount(world, reader, found)
    finally:
        await transaction.rollback()


def numbers(found: Dashboard) -> Iterator[tuple[int, Filters]]:
    """Every count of issues with the filters of its list."""
    for rate, compared in found.rates.items():
        yield from _shares(rate, compared, found.filters, found.filters_before)
    for row in found.trend:
        for rate in THREE:
            yield from _share(rate, row.shares[rate], row.filters)
    for count in (found.standing.open, found.standing.overdue, found.standing.due_this_week):
        yield count.count, count.filters
    parts: list[Part] = [*found.categories, *(part for level in LEVELS for part in found.places[level])]
    for part in parts:
        for rate in (*THREE, dashboards.REPORTED):
            yield from _shares(rate, part.shares[rate], part.filters, part.filters_before)
    for one in found.departments:
        yield one.open.count, one.open.filters
        yield from _share("on_time", one.on_time, one.filters)
        yield one.hours.count, msgspec.structs.replace(one.filters, rate="own_word")
    trust = found.trust
    for told in (trust.reported, trust.unplaced, trust.near_line, trust.outside, trust.imported, trust.provisional):
        yield told.count, told.filters


def _shares(rate: Rate, one: Compared, filters: Filters, before: Filters) -> Iterator[tuple[int, Filters]]:
    yield from _share(rate, one.now, filters)
    yield from _share(rate, one.before, before)


def _share(rate: Rate, share: Share, filters: Filters) -> Iterator[tuple[int, Filters]]:
    yield share.denominator, msgspec.structs.replace(filters, rate=rate)
    yield share.numerator, msgspec.structs.replace(filters, rate=rate, met=True)


async def the_trend_is_the_whole(conn: asyncpg.Connection, reader: Reader, found: Dashboard) -> None:
    days = {"reported_from": found.trend_period.first, "reported_to": found.trend_period.last}
    whole = await rates.by(conn, reader, msgspec.structs.replace(found.filters, **days), "district", ZONE, NOW)
    for rate in THREE:
        months = [row.shares[rate] for row in found.trend]
        of_all = whole.rows[0].shares[rate] if whole.rows else Share(0, 0)
        assert sum(month.numerator for month in months) == of_all.numerator
        assert sum(month.denominator for month in months) == of_all.denominator


def changes_are_a_naive_recount(world: World, reader: Reader, found: Dashboard) -> None:
    for level in LEVELS:
        now = test_rates.recount(world, reader, found.filters, level)
        before = test_rates.recount(world, reader, found.filters_before, level)
        assert {part.key for part in found.places[level]} == {*now, *before}
        for rate in THREE:
            told = dashboards.ranked(found.places[level], rate)
            found_there: dict[str, set[str | None]] = {name: set() for name in ("better", "worse", "few", "same")}
            for key in {*now, *before} - {None}:
                one, other = (side[key][0][rate] if key in side else Share(0, 0) for side in (now, before))
                if min(one.denominator, other.denominator) >= dashboards.FEWEST:
                    change = one.numerator / one.denominator - other.numerator / other.denominator
                    found_there["better" if change > 0 else "worse" if change < 0 else "same"].add(key)
                elif one.denominator or other.denominator:
                    found_there["few"].add(key)
            for name in ("better", "worse", "few"):
                assert {part.key for part in getattr(told, name)} == found_there[name]


def part(key: str | None, now: tuple[int, int], before: tuple[int, int]) -> Part:
    compared = Compared(now=Share(*now), before=Share(*before))
    shares = dict.fromkeys(dashboards.COMPARED, compared)
    return Part(key=key, name=key, part_of=None, filters=Filters(), filters_before=Filters(), shares=shares)


def test_the_greatest_change_stands_first_and_too_few_are_not_ranked() -> None:
    parts = [
        part("a little better", (6, 10), (5, 10)),
        part("much better", (9, 10), (1, 10)),
        part("worse", (1, 5), (5, 5)),
        part("the same", (1, 5), (2, 10)),
        part("too few now", (4, 4), (1, 10)),
        part("none before", (9, 10), (0, 0)),
        part("none at all", (0, 0), (0, 0)),
        part(None, (9, 10), (1, 10)),
    ]
    told = dashboards.ranked(parts, "response")
    assert [one.key for one in told.better] == ["much better", "a little better"]
    assert [one.key for one in told.worse] == ["worse"]
    assert {one.key for one in told.few} == {"too few now", "none before"}


def test_there_is_no_change_of_nothing() -> None:
    assert Compared(now=Share(1, 2), before=Share(0, 0)).change is None
    assert Compared(now=Share(0, 0), before=Share(1, 2)).change is None
    assert Compared(now=Share(1, 2), before=Share(1, 4)).change == 0.25

"""The rates are what a naive recount finds, whoever asks, however they are broken down; and the list behind each figure
has as many issues as it counts."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from math import ceil
from typing import get_args

import asyncpg
import hypothesis
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import database
from surveys.counting import issue_lists, rate_terms, rates
from surveys.counting.issue_query import Filters
from surveys.counting.rate_terms import RATES
from surveys.counting.rate_weights import EQUAL, Weights
from surveys.counting.rates import By, Hours, Row, Share
from surveys.people.people import READING, Reader
from surveys.refusals import NotAllowed
from tests.conftest import DISTRICT, NOW, Server, founded
from tests.surveys import worlds
from tests.surveys.worlds import STREETS, ZONE, Issue, Question, Stage, World

pytestmark = pytest.mark.anyio

BYS = get_args(By)
GROUP = "01"  # of both categories that the worlds have


@pytest.fixture(scope="module")
async def conn(server: Server, template: str) -> AsyncIterator[asyncpg.Connection]:
    """A district of this file's own; each test undoes what it wrote."""
    async with founded(server, template) as dsn:
        opened = await database.connect(dsn)
        yield opened
        await opened.close()


@hypothesis.settings(max_examples=15, deadline=None)
@given(worlds.questioned(), st.data())
async def test_rates_are_a_naive_recount(
    conn: asyncpg.Connection, asked: tuple[World, list[Question]], data: st.DataObject
) -> None:
    world, questions = asked
    transaction = conn.transaction()
    await transaction.start()
    try:
        await worlds.write(conn, world)
        await columns_say_what_the_terms_say(conn)
        for one in questions:
            filters = msgspec.structs.replace(one.filters, rate=None, met=None)
            by: By = data.draw(st.sampled_from(BYS))
            if not one.reader.roles() & READING:
                with pytest.raises(NotAllowed):
                    await rates.by(conn, one.reader, filters, by, ZONE, NOW)
                continue
            found = await rates.by(conn, one.reader, filters, by, ZONE, NOW)
            recounted = recount(world, one.reader, filters, by)
            assert {row.key: (row.shares, row.hours) for row in found.rows} == recounted
            for row in found.rows:
                await the_lists_have_as_many(conn, one.reader, row, data)
    finally:
        await transaction.rollback()


async def columns_say_what_the_terms_say(conn: asyncpg.Connection) -> None:
    """The migration's columns, held to the conditions of which lists are made."""
    other = await conn.fetchval(
        f"select count(*) from issue where outcome <> ({rate_terms.OUTCOME}) or due_from <> {rate_terms.DUE_FROM}"
        f" or took_s is distinct from {rate_terms.TOOK_S}"
    )
    assert other == 0


def recount(
    world: World, reader: Reader, filters: Filters, by: By
) -> dict[str | None, tuple[dict[rate_terms.Rate, Share], Hours]]:
    """The shares and hours of each part, counted one issue after the other."""
    moment = worlds.about(filters)
    issues = {issue.id: issue for issue in world.issues}
    parts: dict[str | None, list[tuple[Issue, Stage]]] = defaultdict(list)
    for id_, stage in world.seen(reader, filters).items():
        for key in keys(issues[id_], stage, filters, by):
            parts[key].append((issues[id_], stage))
    recounted = {}
    for key, part in parts.items():
        shares = {}
        for rate in RATES:
            met = [worlds.counted(issue, stage, rate, moment) for issue, stage in part]
            shares[rate] = Share(met.count(True), len(met) - met.count(None))
        recounted[key] = (shares, hours(part))
    return recounted


def keys(issue: Issue, stage: Stage, filters: Filters, by: By) -> Sequence[str | None]:
    """The parts that an issue is counted in."""
    match by:
        case "district":
            return [str(DISTRICT)]
        case "street":
            return [STREETS.get(stage.community or "")]
        case "community":
            return [stage.community]
        case "organisation":
            return [str(issue.organisation) if issue.organisation else None]
        case "department":
            return [stage.department]
        case "category":
            return [issue.category, *([GROUP] if filters.category in ((), (GROUP,)) else [])]
        case "channel":
            return [issue.channel]
        case "month":
            return [f"{issue.stages[0].since.astimezone(ZONE):%Y-%m}"]


def hours(part: Sequence[tuple[Issue, Stage]]) -> Hours:
    """Median and ninth decile by the nearest rank."""
    took = sorted(
        (stage.measures.resolved_at - issue.stages[0].since).total_seconds() / 3600
        for issue, stage in part
        if stage.measures.resolved_at is not None and stage.state != "merged"
    )
    if not took:
        return Hours(median=None, p90=None, count=0)
    return Hours(median=took[ceil(len(took) * 0.5) - 1], p90=took[ceil(len(took) * 0.9) - 1], count=len(took))


async def the_lists_have_as_many(conn: asyncpg.Connection, reader: Reader, row: Row, data: st.DataObject) -> None:
    """Open the lists behind two of the figures of a row."""
    for rate in data.draw(st.lists(st.sampled_from(RATES), min_size=2, max_size=2)):
        share = row.shares[rate]
        for met, count in ((None, share.denominator), (True, share.numerator)):
            filters = msgspec.structs.replace(row.filters, rate=rate, met=met)
            assert (await issue_lists.page(conn, reader, filters, ZONE, NOW, limit=1)).total == count


def test_the_index_is_the_mean_by_weight_of_what_is_there() -> None:
    shares = dict.fromkeys(RATES, Share(1, 2)) | {"resolution": Share(1, 1), "satisfaction": Share(0, 0)}
    assert rates.index(shares, EQUAL) is None, "two rates are not compared with three"
    assert rates.index(shares, Weights(response=3, resolution=1, satisfaction=0)) == 0.625
    assert rates.index(shares | {"satisfaction": Share(0, 4)}, EQUAL) == 0.5


def test_there_is_no_rate_of_nothing() -> None:
    assert Share(0, 0).rate is None
    assert Share(1, 4).rate == 0.25


def test_the_worlds_have_something_to_count() -> None:
    """Each rate has issues that it counts and meets, and issues that it counts and does not meet."""
    met: dict[str, set[bool | None]] = defaultdict(set)

    @hypothesis.settings(max_examples=40, deadline=None, database=None, derandomize=True)
    @given(worlds.worlds())
    def look(world: World) -> None:
        for issue in world.issues:
            for rate in RATES:
                met[rate].add(worlds.counted(issue, issue.stages[-1], rate, NOW))

    look()
    assert all({True, False} <= met[rate] for rate in RATES), met

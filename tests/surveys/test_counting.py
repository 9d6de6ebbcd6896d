"""What is counted in memory is what the tables say: whoever asks, under any filters, now and on a past day; and while
others write."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import get_args

import asyncpg
import hypothesis
import msgspec
import pytest
from hypothesis import given

from api import database
from maps import tiles
from surveys import issue_counts, issue_lists, issue_query, issue_rows, rates, scopes, shown_issues
from surveys.issue_counts import Column
from surveys.issue_query import Filters
from surveys.kept_columns import KeptColumns
from surveys.people import READING, Reader
from surveys.rate_terms import RATES
from surveys.rates import By
from tests.conftest import DISTRICT, NOW, Server, founded
from tests.surveys import worlds
from tests.surveys.worlds import ZONE, Question, World

pytestmark = pytest.mark.anyio

BYS: tuple[By, ...] = get_args(By)
COLUMNS: tuple[Column, ...] = get_args(Column)


@asynccontextmanager
async def keeping(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection whose process keeps all issues of the small district, with their past, however few they are."""
    kept = KeptColumns(partial(database.connected, dsn), 64, few=0)
    async with await database.open_pool(dsn, most=2, issue_columns=kept) as pool, database.acquired(pool) as conn:
        await kept.of(conn, DISTRICT, past=True)
        await kept.loaded(DISTRICT)
        assert await kept.of(conn, DISTRICT, past=True) is not None
        yield conn
        await kept.close()


@hypothesis.settings(max_examples=10, deadline=None)
@given(worlds.questioned())
async def test_columns_say_what_the_tables_say(
    server: Server, template: str, asked: tuple[World, list[Question]]
) -> None:
    world, questions = asked
    async with founded(server, template) as dsn:
        tables = await database.connect(dsn)
        async with tables.transaction():
            await worlds.write(tables, world)
        async with keeping(dsn) as columns:
            for at, one in enumerate(questions):
                if one.reader.roles() & READING:
                    await agree(tables, columns, one.reader, one.filters, one.zoom, at)
                    await rates_agree(tables, columns, one.reader, one.filters, at)
        await tables.close()


async def agree(
    tables: asyncpg.Connection, columns: asyncpg.Connection, reader: Reader, filters: Filters, zoom: int, at: int
) -> None:
    """Totals, clusters and counts, and with them the list, the map and the file."""
    asked = (reader, filters, ZONE, NOW)
    within, about = await scopes.reach(columns, reader), issue_query.moment(filters, ZONE, NOW)
    assert bool(await shown_issues.shown(columns, within, filters, ZONE, about)) == (not filters.id)
    total = await issue_counts.total(columns, *asked)
    assert total == await issue_counts.total(tables, *asked) == await issue_rows.count(tables, *asked)
    assert (await issue_lists.page(columns, *asked, limit=1)).total == total
    shift = tiles.shift_for(zoom)
    found = await issue_counts.clusters(columns, *asked, shift)
    assert plain(found) == plain(await issue_counts.clusters(tables, *asked, shift))
    areas = await issue_counts.by_community(columns, *asked)
    assert sum(one.count for one in found) + sum(area.unplaced for area in areas) == total
    for column in (COLUMNS[(at + one) % len(COLUMNS)] for one in range(3)):
        tallies = await issue_counts.by(columns, reader, filters, column, ZONE, NOW)
        assert tallies == await issue_counts.by(tables, reader, filters, column, ZONE, NOW)
        assert sum(one.total for one in tallies) == total


def plain(clusters: list[issue_counts.Cluster]) -> list[object]:
    """Clusters in one order, their middles rounded: floating point adds up in any order."""
    rounded = [msgspec.structs.replace(one, lon=round(one.lon, 9), lat=round(one.lat, 9)) for one in clusters]
    return sorted(map(msgspec.structs.astuple, rounded), key=str)


async def rates_agree(
    tables: asyncpg.Connection, columns: asyncpg.Connection, reader: Reader, filters: Filters, at: int
) -> None:
    """The rates however they are broken down; and the total of the list behind a rate is its denominator."""
    filters = msgspec.structs.replace(filters, rate=None, met=None)
    by = BYS[at % len(BYS)]
    found = await rates.by(columns, reader, filters, by, ZONE, NOW)
    assert found == await rates.by(tables, reader, filters, by, ZONE, NOW)
    for place, row in enumerate(found.rows):
        rate = RATES[(at + place) % len(RATES)]
        for met, count in ((None, row.shares[rate].denominator), (True, row.shares[rate].numerator)):
            behind = msgspec.structs.replace(row.filters, rate=rate, met=met)
            assert await issue_counts.total(columns, reader, behind, ZONE, NOW) == count

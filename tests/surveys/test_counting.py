"""What is counted in memory is what the tables say: whoever asks, under any filters, now and on a past day; and while
others write."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Literal, get_args
from uuid import UUID, uuid4

import asyncpg
import hypothesis
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import database
from maps import tiles
from surveys.counting import issue_counts, issue_lists, issue_query, issue_rows, rates, shown_issues
from surveys.counting.issue_counts import Column
from surveys.counting.issue_lists import Order
from surveys.counting.issue_query import Filters
from surveys.counting.kept_columns import KeptColumns
from surveys.counting.rate_terms import RATES
from surveys.counting.rates import By
from surveys.history import Actor
from surveys.issues import issue_changes, issues
from surveys.issues.issue_changes import Change
from surveys.issues.issues import IssueRow
from surveys.issues.measures import Measures
from surveys.issues.workflow import State
from surveys.people import scopes
from surveys.people.people import READING, Grant, Reader
from tests.conftest import DISTRICT, LEADER, MEMBER, NEAR, NEXT, NOW, Server, founded
from tests.surveys import worlds
from tests.surveys.worlds import ZONE, Question, World

pytestmark = pytest.mark.anyio

BYS: tuple[By, ...] = get_args(By)
READER = Reader(
    district=DISTRICT,
    member=LEADER.id,
    name=LEADER.name,
    organisation=LEADER.organisation,
    grants=(Grant("leader", "district", str(DISTRICT)),),
)
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
    await list_agree(tables, columns, reader, filters, total)
    shift = tiles.shift_for(zoom)
    found = await issue_counts.clusters(columns, *asked, shift)
    assert plain(found) == plain(await issue_counts.clusters(tables, *asked, shift))
    areas = await issue_counts.by_community(columns, *asked)
    assert sum(one.count for one in found) + sum(area.unplaced for area in areas) == total
    for column in (COLUMNS[(at + one) % len(COLUMNS)] for one in range(3)):
        tallies = await issue_counts.by(columns, reader, filters, column, ZONE, NOW)
        assert tallies == await issue_counts.by(tables, reader, filters, column, ZONE, NOW)
        assert sum(one.total for one in tallies) == total


async def list_agree(
    tables: asyncpg.Connection, columns: asyncpg.Connection, reader: Reader, filters: Filters, total: int
) -> None:
    """The list, page by page, in both of its orders."""
    orders: tuple[Order, ...] = get_args(Order)
    for order in orders:
        cursor = None
        listed = 0
        while True:
            asked = {"limit": 3, "cursor": cursor, "order": order}
            page = await issue_lists.page(columns, reader, filters, ZONE, NOW, **asked)  # type: ignore[arg-type]
            assert page == await issue_lists.page(tables, reader, filters, ZONE, NOW, **asked)  # type: ignore[arg-type]
            listed += len(page.items)
            assert page.total == total
            if page.next is None:
                break
            cursor = page.next
        assert listed == total


def plain(clusters: list[issue_counts.Cluster]) -> list[object]:
    """Clusters in one order."""
    return sorted(map(msgspec.structs.astuple, clusters), key=str)


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


Deed = Literal["file", "move", "name", "commit", "roll_back"]
DEEDS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(get_args(Deed))), min_size=4, max_size=14)


class Writer:
    """Somebody with a transaction of their own, which they may leave open."""

    def __init__(self, conn: asyncpg.Connection, own: list[UUID]) -> None:
        self.conn = conn
        self.own = own  # issues that nobody else moves, or one would wait for the other
        self.transaction: asyncpg.transaction.Transaction | None = None
        self.turn = 0

    async def do(self, deed: Deed) -> None:
        """File an issue, move one, give one to a department that nobody had, or end what is open."""
        if deed in ("commit", "roll_back"):
            if self.transaction is not None:
                await (self.transaction.commit() if deed == "commit" else self.transaction.rollback())
            self.transaction = None
            return
        if self.transaction is None:
            self.transaction = self.conn.transaction()
            await self.transaction.start()
        self.turn += 1
        if deed == "file":
            await issues.record(self.conn, [worlds.new(filed(uuid4()))])
        elif self.own:
            await self._move(self.own[self.turn % len(self.own)], new_department=deed == "name")

    async def _move(self, issue: UUID, *, new_department: bool) -> None:
        columns = ", ".join(IssueRow.__struct_fields__)
        row = await self.conn.fetchrow(f"select {columns} from issue where district = $1 and id = $2", DISTRICT, issue)
        assert row is not None
        before = IssueRow(**row)
        department = "water"
        if new_department:
            department = f"d{uuid4().hex}"
            await self.conn.execute("insert into department values ($1, $2, '新局')", DISTRICT, department)
        state: State = "closed" if before.state != "closed" else "assigned"
        after = msgspec.structs.replace(before, state=state, department=department, community=NEXT)
        change = Change(before=before, after=after, id=uuid4(), event="assign", actor=Actor("program", "tests"))
        await issue_changes.write(self.conn, [change], NOW)


def filed(id_: UUID) -> worlds.Issue:
    """A plain issue, reported an hour ago by nobody in particular."""
    stage = worlds.Stage(
        since=NOW - timedelta(hours=1),
        state="reported",
        owner=MEMBER.id,
        department=None,
        community=NEAR,
        measures=Measures(),
    )
    return worlds.Issue(
        id=id_,
        number=id_.int % 10**12,
        visit=None,
        reporter=MEMBER.id,
        organisation=None,
        premises=None,
        category="0102",
        title="垃圾成堆",
        channel="agent",
        due_at=NOW + timedelta(hours=5),
        response_due_at=NOW,
        point=(113.605, 34.705),
        certainty="inside",
        provisional=False,
        stages=(stage,),
    )


@hypothesis.settings(max_examples=10, deadline=None, phases=[hypothesis.Phase.generate])
@given(DEEDS)
async def test_columns_are_as_current_as_the_tables_while_others_write(
    server: Server, template: str, deeds: list[tuple[int, Deed]]
) -> None:
    """Transactions that lie across one another, that are rolled back, and that commit after later ones."""
    first = [UUID(int=0xE00 + at) for at in range(6)]
    async with founded(server, template) as dsn, AsyncExitStack() as stack:
        tables = await stack.enter_async_context(database.connected(dsn))
        await issues.record(tables, [worlds.new(filed(one)) for one in first])
        writers = [Writer(await stack.enter_async_context(database.connected(dsn)), first[at::3]) for at in range(3)]
        columns = await stack.enter_async_context(keeping(dsn))
        for who, deed in [*deeds, *((who, "commit") for who in range(3))]:
            await writers[who].do(deed)
            await say_the_same(tables, columns)


async def say_the_same(tables: asyncpg.Connection, columns: asyncpg.Connection) -> None:
    """What a leader is told of the present, of what was searched for, and of the past."""
    told: tuple[Column, ...] = ("department", "community", "state")
    for filters in (Filters(), Filters(text="垃圾"), Filters(as_of=NOW.date()), Filters(state=("closed",))):
        for column in told:
            found = await issue_counts.by(columns, READER, filters, column, ZONE, NOW)
            assert found == await issue_counts.by(tables, READER, filters, column, ZONE, NOW)
    assert plain(await issue_counts.clusters(columns, READER, Filters(), ZONE, NOW, 10)) == plain(
        await issue_counts.clusters(tables, READER, Filters(), ZONE, NOW, 10)
    )


async def test_who_has_written_asks_the_tables(dsn: str) -> None:
    """What a transaction has written itself is in what it counts, and gone once it is rolled back."""
    async with keeping(dsn) as conn:
        transaction = conn.transaction()
        await transaction.start()
        await issues.record(conn, [worlds.new(filed(uuid4()))])
        assert await issue_counts.total(conn, READER, Filters(), ZONE, NOW) == 1
        await transaction.rollback()
        assert await issue_counts.total(conn, READER, Filters(), ZONE, NOW) == 0


async def test_what_does_not_fit_is_asked_of_the_tables(dsn: str) -> None:
    """A process that may keep nothing answers all the same, and loads nothing."""
    async with database.connected(dsn) as conn:
        await issues.record(conn, [worlds.new(filed(uuid4()))])
    kept = KeptColumns(partial(database.connected, dsn), 0, few=0)
    async with await database.open_pool(dsn, most=2, issue_columns=kept) as pool, database.acquired(pool) as conn:
        for _ in range(2):
            assert await issue_counts.total(conn, READER, Filters(), ZONE, NOW) == 1
            await kept.loaded(DISTRICT)
        assert await kept.of(conn, DISTRICT) is None
        await kept.close()

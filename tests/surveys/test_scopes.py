"""No leak: what somebody may not read shows in no list, no count, no map, no file, and is not found by its id."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from typing import Any
from uuid import UUID

import asyncpg
import hypothesis
import pytest
from hypothesis import given

from api import database, export_files
from api.export_columns import ISSUES
from maps import tiles
from surveys.counting import issue_counts, issue_lists, issue_rows
from surveys.counting.issue_query import Filters
from surveys.desk import choices
from surveys.issues import issue_moves
from surveys.people.people import READING, Reader
from surveys.refusals import NotAllowed, NotFound
from surveys.visits import visit_corrections, visit_query, visit_rows
from surveys.visits.visit_query import VisitFilters
from tests.conftest import DISTRICT, NOW, RING, Server, founded
from tests.surveys import worlds
from tests.surveys.worlds import ZONE, Question, World

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def conn(server: Server, template: str) -> AsyncIterator[asyncpg.Connection]:
    """A district of this file's own; each test undoes what it wrote."""
    async with founded(server, template) as dsn:
        opened = await database.connect(dsn)
        yield opened
        await opened.close()


@hypothesis.settings(max_examples=25, deadline=None)
@given(worlds.questioned())
async def test_every_way_to_read_shows_the_same_and_no_more(
    conn: asyncpg.Connection, asked: tuple[World, list[Question]]
) -> None:
    world, questions = asked
    transaction = conn.transaction()
    await transaction.start()
    try:
        await worlds.write(conn, world)
        for one in questions:
            if one.reader.roles() & READING:
                await issues_agree(conn, world, one.reader, one.filters, one.zoom)
                await single_issues_agree(conn, world, one.reader, Filters(as_of=one.filters.as_of))
        for reader in world.readers:
            if reader.roles() & READING:
                await visits_agree(conn, world, reader)
            else:
                await nothing_is_answered(conn, world, reader)
    finally:
        await transaction.rollback()


async def issues_agree(conn: asyncpg.Connection, world: World, reader: Reader, filters: Filters, zoom: int) -> None:
    """List, total, map, counts and file under these filters, held to the rules."""
    expected = world.seen(reader, filters)
    asked = (conn, reader, filters, ZONE, NOW)
    page = await issue_lists.page(*asked, limit=5)
    assert page.total == len(expected)
    listed = list(page.items)
    while page.next:
        page = await issue_lists.page(*asked, limit=5, cursor=page.next)
        assert page.total == len(expected)
        listed += page.items
    assert sorted(item.id for item in listed) == sorted(expected)
    assert {item.id: item.owner.id for item in listed} == {id_: stage.owner for id_, stage in expected.items()}

    areas = await issue_counts.by_community(*asked)
    in_communities = Counter(stage.community for stage in expected.values())
    assert {area.community: area.total for area in areas} == in_communities
    clusters = await issue_counts.clusters(*asked, tiles.shift_for(zoom))
    assert sum(one.count for one in clusters) == len(expected) - sum(area.unplaced for area in areas)
    assert {one.issue for one in clusters if one.issue} <= set(expected)
    for group in ("reported", "in_hand", "overdue", "solved", "other"):
        in_group = sum(item.group == group for item in listed)
        assert sum(getattr(area, group) for area in areas) == in_group

    selection = await issue_rows.selection(*asked)
    assert sorted(row["id"] for row in await selection.fetch(conn)) == sorted(expected)
    assert await export_files.copy_csv(conn, selection, ISSUES, "zh", forget) == len(expected)
    assert await issue_rows.count(*asked) == len(expected)


async def forget(chunk: bytes) -> None:
    """What a file's bytes are put into, where only its rows are counted."""


async def single_issues_agree(conn: asyncpg.Connection, world: World, reader: Reader, day: Filters) -> None:
    """Each issue by its id: to be read as it was on a day, and, in the present, to be moved."""
    expected = world.seen(reader, day)
    for issue in world.issues:
        opened = await found(issue_lists.one(conn, reader, issue.id, ZONE, NOW, RING, day.as_of))
        assert (opened is not None) == (issue.id in expected)
        assert opened is None or opened.issue.owner.id == expected[issue.id].owner
    if day.as_of is not None:
        return
    for issue in world.issues:
        assert (await issue_moves._lock(conn, reader, issue.id) is not None) == (issue.id in expected)
    of_ids = await issue_lists.of_ids(conn, reader, [issue.id for issue in world.issues], ZONE, NOW)
    assert sorted(item.id for item in of_ids) == sorted(expected)
    first = min((issue.stages[0].since for issue in world.issues if issue.id in expected), default=None)
    assert await choices.first_report(conn, reader, ZONE, NOW) == first


async def visits_agree(conn: asyncpg.Connection, world: World, reader: Reader) -> None:
    """List, total, file, and each visit by its id, to be read or to be corrected; with the issues found on it."""
    expected = {visit.id for visit in world.visits if world.reaches(reader, visit)}
    issues = world.seen(reader, Filters())
    on = {id_: {one.id for one in world.issues if one.visit == id_ and one.id in issues} for id_ in expected}
    page = await visit_query.page(conn, reader, VisitFilters(), ZONE, NOW, limit=3)
    listed = list(page.items)
    while page.next:
        page = await visit_query.page(conn, reader, VisitFilters(), ZONE, NOW, limit=3, cursor=page.next)
        assert page.total == len(expected)
        listed += page.items
    assert page.total == len(expected)
    assert sorted(item.id for item in listed) == sorted(expected)
    assert {item.id: set(item.issues) for item in listed} == on

    numbers = {str(one.number): one.id for one in world.issues}
    rows = await (await visit_rows.selection(conn, reader, VisitFilters(), ZONE, NOW)).fetch(conn)
    assert {row["id"]: {numbers[number] for number in row["issues"]} for row in rows} == on
    assert len(rows) == await visit_rows.count(conn, reader, VisitFilters(), ZONE, NOW) == len(expected)
    for visit in world.visits:
        opened = await found(visit_query.one(conn, reader, visit.id))
        locked = await visit_corrections._lock(conn, reader, visit.id)
        assert (opened is not None) == (locked is not None) == (visit.id in expected)
        assert opened is None or set(opened.visit.issues) == on[visit.id]


async def nothing_is_answered(conn: asyncpg.Connection, world: World, reader: Reader) -> None:
    """Whoever has no role that reads is told so, whatever they filed or own."""
    issue, visit = world.issues[0].id, world.visits[0].id
    asked = (conn, reader, Filters(), ZONE, NOW)
    for question in (
        issue_lists.page(*asked),
        issue_lists.one(conn, reader, issue, ZONE, NOW, RING),
        issue_counts.by_community(*asked),
        issue_counts.clusters(*asked, tiles.shift_for(12)),
        issue_rows.count(*asked),
        choices.first_report(conn, reader, ZONE, NOW),
        issue_moves._lock(conn, reader, issue),
        visit_query.page(conn, reader, VisitFilters(), ZONE, NOW),
        visit_query.one(conn, reader, visit),
        visit_rows.count(conn, reader, VisitFilters(), ZONE, NOW),
        visit_corrections._lock(conn, reader, visit),
    ):
        with pytest.raises(NotAllowed):
            await question


async def found(question: Awaitable[Any]) -> Any:
    """What is answered, or None when nothing is found."""
    try:
        return await question
    except NotFound:
        return None


async def test_the_worlds_are_rich_enough_to_leak() -> None:
    """Most readers see some of the issues and not others, by every kind of grant."""
    partly: Counter[str] = Counter()

    @hypothesis.settings(max_examples=60, deadline=None, database=None, derandomize=True)
    @given(worlds.worlds())
    def look(world: World) -> None:
        for reader in world.readers:
            for grant in reader.grants:
                alone = Reader(
                    district=DISTRICT, member=UUID(int=1), name="", organisation=reader.organisation, grants=(grant,)
                )
                partly[grant.role] += 0 < len(world.seen(alone, Filters())) < len(world.issues)

    look()
    for role in ("member", "organiser", "community_worker", "dispatcher", "department_handler", "leader"):
        assert partly[role] >= 3, partly

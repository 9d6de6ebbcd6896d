"""The issues that somebody sees under some filters, out of the columns that the process keeps; and questions put to
them, off the event loop where they take long."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from asyncpg import Connection
from msgspec import Struct

from maps.tiles import Range
from surveys.counting import issue_masks, issue_texts, issue_views, kept_columns
from surveys.counting.issue_columns import Columns, State
from surveys.counting.issue_masks import Looked
from surveys.counting.issue_query import NONE, Filters, Moment
from surveys.counting.issue_views import Mask, View
from surveys.people.scopes import Reach

T = TypeVar("T")

AT_ONCE = 20_000  # rows that are counted without a thread: it takes less than a millisecond
_counting = ThreadPoolExecutor(2, "counting")

STREETS = """
select code from community where district = $1 and (street = any($2::text[]) or ($3 and street is null))
"""
CATEGORIES = "select code from category where district = $1 and (code = any($2::text[]) or parent = any($2::text[]))"


class Shown(Struct, frozen=True):
    """What a reader sees under filters at a moment, in the columns as they are at a turn."""

    columns: Columns
    state: State
    about: Moment
    filters: Filters
    within: Reach
    zone: ZoneInfo
    looked: Looked
    cells: Sequence[Range] | None

    async def ask(self, question: Callable[..., T], *values: Any) -> T:
        """The answer to a question about the rows: `question(view, mask, *values)`."""
        if self._rows() <= AT_ONCE:
            return self._answer(question, *values)
        return await asyncio.get_running_loop().run_in_executor(_counting, self._answer, question, *values)

    def _rows(self) -> int:
        """How many rows are looked at, at most."""
        if self.cells is None:
            return self.state.count
        ordered = sum(int(one.stop - one.start) for one in issue_views.slices(self.state, self.cells))
        return ordered + self.state.count - self.state.base

    def _answer(self, question: Callable[..., T], *values: Any) -> T:
        view, mask = self._seen()
        return question(view, mask, *values)

    def _seen(self) -> tuple[View, Mask | None]:
        view = issue_views.view(self.state, self.about, self.cells)
        return view, issue_masks.mask(view, self.columns.numbers, self.filters, self.within, self.looked, self.zone)


async def shown(
    conn: Connection,
    within: Reach,
    filters: Filters,
    zone: ZoneInfo,
    about: Moment,
    cells: Sequence[Range] | None = None,
    *,
    provoke: bool = True,
) -> Shown | None:
    """What is seen, of which only what lies in some cells is looked at if they are named; None where the tables have
    to be asked. Without `provoke` nothing is loaded for it. Raises InvalidFilter."""
    kept = kept_columns.beside(conn)
    if kept is None or not issue_masks.can(filters):
        return None
    columns = await kept.of(conn, within.reader.district, past=about.known_at is not None, provoke=provoke)
    if columns is None:
        return None
    state = columns.state()
    looked = await _looked(conn, columns, state, filters)
    return Shown(columns, state, about, filters, within, zone, looked, cells or issue_masks.cells(filters))


async def _looked(conn: Connection, columns: Columns, state: State, filters: Filters) -> Looked:
    streets, categories, texts = [], [], None
    district = columns.district
    if filters.street:
        rows = await conn.fetch(STREETS, district, list(filters.street), NONE in filters.street)
        streets = [row["code"] for row in rows]
    if filters.category:
        rows = await conn.fetch(CATEGORIES, district, list(filters.category))
        categories = [row["code"] for row in rows]
    if filters.text is not None:
        texts = await issue_texts.having(conn, columns, state, filters.text)
    return Looked(streets=streets, categories=categories, texts=texts)

"""The tables that leave the program: each knows its columns, what the history keeps of who took it, and the question
for its rows, which is that of its list. They are spoken of between processes, and kept of what is made later."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import ClassVar
from zoneinfo import ZoneInfo

import asyncpg
from msgspec import Struct

from api import export_columns
from api.export_columns import Header, Row
from surveys import selections
from surveys.counting import issue_query, issue_rows
from surveys.coverage import coverage, coverage_doors, coverage_query
from surveys.people.people import District, Reader
from surveys.premises import premises_lists
from surveys.premises.premises_lists import DoorFilters
from surveys.privacy.sealing import KeyRing
from surveys.selections import Selection
from surveys.visits import visit_rows
from surveys.visits.visit_query import VisitFilters

Words = tuple[str, str]  # Chinese and English


class About(Struct, frozen=True, kw_only=True):
    """For whom a table is read out, in which language, and when."""

    reader: Reader
    district: District
    language: str
    now: datetime

    @property
    def zone(self) -> ZoneInfo:
        """The zone by whose days the district reckons."""
        return self.district.zone


class Told(Struct, frozen=True):
    """What the history keeps of an export: by which filters, and how many rows, where that is known before it is
    made; and what the file is called, where its rows say so."""

    filters: Mapping[str, object]
    rows: int | None
    words: Words | None = None


class Table(Struct, frozen=True, tag_field="table"):
    """What is exported: its name for the history and for programs, and what its file is called for people."""

    name: ClassVar[str]
    words: ClassVar[Words]

    async def told(self, conn: asyncpg.Connection, about: About, ring: KeyRing) -> Told:
        """What the history keeps of it. Raises InvalidFilter, NotFound and NotAllowed."""
        raise NotImplementedError


class Selected(Table, frozen=True):
    """A table that PostgreSQL writes by itself."""

    headers: ClassVar[Sequence[Header]]

    async def selection(self, conn: asyncpg.Connection, about: About) -> Selection:
        """The question for its rows. Raises what `told` raises."""
        raise NotImplementedError


class Read(Table, frozen=True):
    """A table whose rows are worked out of what PostgreSQL answers."""

    async def columns(self, conn: asyncpg.Connection, about: About) -> Sequence[Header]:
        """Its columns, which the rows may decide about."""
        raise NotImplementedError

    def rows(self, conn: asyncpg.Connection, about: About, headers: Sequence[Header]) -> AsyncIterator[Row]:
        """Its rows, a few hundred of them in memory at a time. A transaction must be open."""
        raise NotImplementedError


class Few(Struct, frozen=True):
    """A table of few rows that is worked out at once; `areas` are the communities that its rows are about."""

    headers: Sequence[Header]
    rows: Sequence[Row]
    areas: Sequence[str | None] = ()


class Figures(Table, frozen=True):
    """A table of figures, a row for each part of what they are broken down by."""

    async def figures(self, conn: asyncpg.Connection, about: About) -> Few:
        """Its columns and rows. Raises what `told` raises."""
        raise NotImplementedError


class Issues(Selected, frozen=True, tag="issues"):
    """Issues under the list's filters."""

    filters: issue_query.Filters

    name: ClassVar[str] = "issues"
    words: ClassVar[Words] = ("问题", "issues")
    headers: ClassVar[Sequence[Header]] = export_columns.ISSUES

    async def told(self, conn: asyncpg.Connection, about: About, ring: KeyRing) -> Told:
        """Raises InvalidFilter and NotAllowed."""
        count = await issue_rows.count(conn, about.reader, self.filters, about.zone, about.now)
        facts = await issue_rows.told(conn, about.reader.district, self.filters)
        return Told({**facts, **_veiled(self.filters.text, ring)}, count)

    async def selection(self, conn: asyncpg.Connection, about: About) -> Selection:
        """The question for its rows."""
        return await issue_rows.selection(conn, about.reader, self.filters, about.zone, about.now)


class Visits(Selected, frozen=True, tag="visits"):
    """Visits under the list's filters."""

    filters: VisitFilters

    name: ClassVar[str] = "visits"
    words: ClassVar[Words] = ("走访", "visits")
    headers: ClassVar[Sequence[Header]] = export_columns.VISITS

    async def told(self, conn: asyncpg.Connection, about: About, ring: KeyRing) -> Told:
        """Raises InvalidFilter and NotAllowed."""
        count = await visit_rows.count(conn, about.reader, self.filters, about.zone, about.now)
        facts = await selections.told(conn, about.reader.district, self.filters)
        return Told({**facts, **_veiled(self.filters.text, ring)}, count)

    async def selection(self, conn: asyncpg.Connection, about: About) -> Selection:
        """The question for its rows."""
        return await visit_rows.selection(conn, about.reader, self.filters, about.zone, about.now)


class Premises(Selected, frozen=True, tag="premises"):
    """Doors on the register under the list's filters."""

    filters: DoorFilters

    name: ClassVar[str] = "premises"
    words: ClassVar[Words] = ("走访对象", "premises")
    headers: ClassVar[Sequence[Header]] = export_columns.PREMISES

    async def told(self, conn: asyncpg.Connection, about: About, ring: KeyRing) -> Told:
        """Raises InvalidFilter and NotAllowed."""
        count = await premises_lists.count(conn, about.reader, self.filters, about.now)
        facts = await selections.told(conn, about.reader.district, self.filters)
        return Told({**facts, **_veiled(self.filters.text, ring)}, count)

    async def selection(self, conn: asyncpg.Connection, about: About) -> Selection:
        """The question for its rows."""
        return await premises_lists.selection(conn, about.reader, self.filters, about.now)


class CoverageDoors(Selected, frozen=True, tag="coverage_doors"):
    """The doors of a campaign with their states, under the filters of their list."""

    campaign: str
    filters: coverage_query.Filters

    name: ClassVar[str] = "coverage-doors"
    words: ClassVar[Words] = ("走访对象情况", "doors")
    headers: ClassVar[Sequence[Header]] = export_columns.COVERAGE_DOORS

    async def told(self, conn: asyncpg.Connection, about: About, ring: KeyRing) -> Told:
        """Raises InvalidFilter, NotFound and NotAllowed."""
        asked = await self._asked(conn, about)
        facts = await selections.told(conn, about.reader.district, self.filters)
        return Told({**facts} | {"campaign": self.campaign}, await coverage.total(conn, asked))

    async def selection(self, conn: asyncpg.Connection, about: About) -> Selection:
        """The question for its rows."""
        return await coverage_doors.selection(conn, await self._asked(conn, about))

    async def _asked(self, conn: asyncpg.Connection, about: About) -> coverage_query.Asked:
        return await coverage_query.asked(conn, about.reader, self.campaign, self.filters, about.zone, about.now)


def _veiled(text: str | None, ring: KeyRing) -> Mapping[str, object]:
    """What was searched for, as a keyed digest."""
    return {} if text is None else {"text_digest": ring.veil(text).hex()}

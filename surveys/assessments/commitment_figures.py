"""Commitments counted by organisation: each figure is the list of the same filters."""

from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection
from msgspec import Struct

from surveys.assessments import commitments
from surveys.assessments.commitment_outcomes import OUTCOMES, Outcome
from surveys.assessments.commitments import Filters
from surveys.counting.issue_query import Moment
from surveys.people import organisations
from surveys.people.people import Reader
from surveys.people.scopes import Parameters


class Counts(Struct, frozen=True, kw_only=True):
    """How many there are of each outcome, and how many of all are late."""

    outcomes: dict[Outcome, int]
    late: int
    total: int


class OrganisationCounts(Counts, frozen=True, kw_only=True):
    """The commitments of one organisation and of its members, without those below it."""

    organisation: UUID
    name: str


class Figures(Struct, frozen=True, kw_only=True):
    """Commitments counted; `at` and `known_at` say of when."""

    at: datetime
    known_at: datetime
    all: Counts
    organisations: list[OrganisationCounts]


async def count(conn: Connection, reader: Reader, filters: Filters, zone: ZoneInfo, now: datetime) -> Figures:
    """Count the commitments that the reader sees under these filters. Raises NotAllowed, InvalidFilter."""
    about = commitments.moment(filters, zone, now)
    rows = await _counted(conn, reader, filters, about)
    paths = await organisations.paths(conn, reader.district)
    by: dict[UUID, list[tuple[Outcome, int, int]]] = {}
    for organisation, outcome, number, late in rows:
        by.setdefault(organisation, []).append((outcome, number, late))
    found = [
        OrganisationCounts(organisation=one, name=paths.get(one, ""), **_sums(counts)) for one, counts in by.items()
    ]
    return Figures(
        at=about.at,
        known_at=about.known_at or now,
        all=Counts(**_sums([row[1:] for row in rows])),
        organisations=sorted(found, key=lambda one: (-one.total, one.name, str(one.organisation))),
    )


async def _counted(
    conn: Connection, reader: Reader, filters: Filters, about: Moment
) -> list[tuple[UUID, Outcome, int, int]]:
    parameter = Parameters(reader.district)
    text = await commitments.selected(conn, reader, filters, about, parameter)
    counted = "select organisation, outcome, count(*), count(*) filter (where late) from chosen group by 1, 2"
    return [tuple(row) for row in await conn.fetch(f"with {text} {counted}", *parameter.values)]


def _sums(counts: list[tuple[Outcome, int, int]]) -> dict[str, Any]:
    return {
        "outcomes": {one: sum(number for outcome, number, _ in counts if outcome == one) for one in OUTCOMES},
        "late": sum(late for *_, late in counts),
        "total": sum(number for _, number, _ in counts),
    }

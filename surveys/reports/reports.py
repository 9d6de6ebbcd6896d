"""The brief of a week or a month for the district, a street or a community: one set of figures, from which the PDF, the
Word file and what programs read are made. reports.md says in words what each counts.

They are of the end of the period, as known when the brief was made, and hold numbers, codes and names of places: no
resident, no contact, and of an issue's texts no more than which version it was."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from surveys.counting.rate_terms import Rate
from surveys.reports.report_periods import Kind

ScopeKind = Literal["district", "street", "community"]

# An answer is somebody's: of fewer than these no share is told, for it could be seen who said what.
FEWEST = 5

MOST_CATEGORIES = 8
MOST_PLACES = 200
MOST_DEPARTMENTS = 6
MOST_OVERDUE = 30
MOST_CASES = 3
LEAST_RESOLVED = 3  # for a department's median to say something
RATES: tuple[Rate, ...] = ("response", "resolution", "satisfaction")
OF_ANSWERS: frozenset[Rate] = frozenset({"resolution", "satisfaction"})  # of what residents said


class Scope(Struct, frozen=True, kw_only=True):
    """What a brief is about, with the name of what it is part of; `code` is the district's number, as text."""

    kind: ScopeKind
    code: str
    name: str
    part_of: str | None = None


class Count(Struct, frozen=True):
    """How many, in or at the end of the period, and of the one before."""

    now: int
    before: int


class Share(Struct, frozen=True):
    """How many of how many; neither is told where `few` says that somebody could be recognised."""

    numerator: int | None
    denominator: int | None
    few: bool = False

    @property
    def rate(self) -> float | None:
        """The share; None where it is not told, or where there is nothing to take a share of."""
        return self.numerator / self.denominator if self.numerator is not None and self.denominator else None


HIDDEN = Share(None, None, few=True)


class RateLine(Struct, frozen=True):
    """One of the three rates of what was reported in the period, and in the one before as it ended."""

    rate: Rate
    now: Share
    before: Share


class CountLine(Struct, frozen=True):
    """How many issues of a category were reported."""

    code: str
    name: str
    count: Count


class PlaceLine(Struct, frozen=True, kw_only=True):
    """A community or street beside the others; one without a code gathers what lies in none."""

    code: str | None
    name: str | None
    reported: int
    resolved: int
    open: int
    overdue: Count
    shares: dict[Rate, Share]


class DepartmentLine(Struct, frozen=True):
    """How long a department's issues took, of those reported and resolved in the period."""

    code: str
    name: str
    median_hours: float
    resolved: int


class CoverageLine(Struct, frozen=True):
    """How many doors of a campaign were visited by the end of the period, in its round of then."""

    campaign: str
    name: str
    doors: int
    visited: int
    met: int


class IssueLine(Struct, frozen=True, kw_only=True):
    """An issue as a brief names it; its title is looked up by its version when the brief is shown."""

    id: UUID
    number: str
    text_version: int
    category: str
    community: str | None
    department: str | None


class OverdueLine(Struct, frozen=True, kw_only=True):
    """An issue past its limit at the end of the period, and by how much working time."""

    issue: IssueLine
    due_at: datetime
    late_s: int


class Case(Struct, frozen=True, kw_only=True):
    """A good case, and why it is one: the hours that it took beside those that half of its category take, or that
    somebody chose it."""

    issue: IssueLine
    took_hours: float
    median_hours: float | None
    chosen: bool = False


Direction = Literal["better", "worse"]


class Change(Struct, frozen=True, kw_only=True):
    """Something that got better or worse: a rate, or a count of the whole, of a place or of a category."""

    direction: Direction
    what: Literal["rate", "open", "overdue", "overdue_in", "reported_of"]
    name: str | None = None  # the rate, the place or the category
    now: float
    before: float


class Coloured(Struct, frozen=True):
    """A community on the map: what is open, and what of it is late."""

    code: str
    open: int
    overdue: int


class MapFigures(Struct, frozen=True):
    """What the map shows, on the boundaries of this version."""

    boundary_version: int
    areas: list[Coloured]


class ServiceCounts(Struct, frozen=True, kw_only=True):
    """Volunteers' services that were held in the period, the whole hours served at them, and persons helped."""

    held: Count
    hours: Count
    helped: Count


class Figures(Struct, frozen=True, kw_only=True):
    """All that a brief says."""

    district: str
    scope: Scope
    period: str
    kind: Kind
    first: date
    last: date
    at: datetime
    known_at: datetime
    version: int
    chosen_by_hand: bool = False
    reported: Count
    solved: Count  # of what was reported in the period, by its end
    resolved: Count  # in the period, whenever it was reported
    open: Count
    overdue: Count
    rates: list[RateLine]
    categories: list[CountLine]
    places_kind: Literal["street", "community"] | None
    places: list[PlaceLine]
    departments: list[DepartmentLine]
    coverage: list[CoverageLine]
    overdue_list: list[OverdueLine]
    cases: list[Case]
    changes: list[Change]
    map: MapFigures | None
    services: ServiceCounts | None = None  # where none was held, in this period and the one before

    @property
    def empty(self) -> bool:
        """Whether there is nothing to tell."""
        counts = (self.reported, self.solved, self.resolved, self.open, self.overdue)
        return not self.coverage and not self.services and all(count == Count(0, 0) for count in counts)

    def issues(self) -> Iterable[IssueLine]:
        """Every issue that it names."""
        yield from (line.issue for line in self.overdue_list)
        yield from (case.issue for case in self.cases)


def written(figures: Figures) -> bytes:
    """The figures as they are kept, the same bytes for the same figures."""
    return msgspec.json.encode(figures, order="deterministic")


def read(text: str | bytes) -> Figures:
    """The figures as they were kept."""
    return msgspec.json.decode(text, type=Figures)


def digest(kept: bytes) -> bytes:
    """SHA-256 of what is kept, by which two copies of a brief can be held against each other."""
    return hashlib.sha256(kept).digest()


def share(rate: Rate, numerator: int, denominator: int) -> Share:
    """A share as it may be told."""
    if rate in OF_ANSWERS and 0 < denominator < FEWEST:
        return HIDDEN
    return Share(numerator, denominator)


def complemented(lines: Sequence[PlaceLine]) -> list[PlaceLine]:
    """The places, so that what is not told of one cannot be had by taking the others from the whole: where it is not
    told of one alone, it is not told of the next smallest either."""
    found = list(lines)
    for rate in OF_ANSWERS:
        told = [at for at, line in enumerate(found) if not line.shares[rate].few]
        told = [at for at in told if found[at].shares[rate].denominator]
        if len(found) - sum(not line.shares[rate].few for line in found) != 1 or not told:
            continue
        smallest = min(told, key=lambda at: (found[at].shares[rate].denominator or 0, at))
        shares = {**found[smallest].shares, rate: HIDDEN}
        found[smallest] = msgspec.structs.replace(found[smallest], shares=shares)
    return found

"""What a map is shaded by beside the counts of issues: satisfaction, coverage and visits per day; for communities, for
streets, and for the areas that organisations answer for. maps/issue_map.md says what each counts.

A rate behind which there are few people is not told, and neither is another from which it would follow."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.counting import issue_query, rates
from surveys.counting.issue_query import YEARS, Filters
from surveys.coverage import coverage, coverage_query
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.refusals import InvalidFilter
from surveys.visits import visit_query
from surveys.visits.visit_query import VisitFilters

FEWEST = 5  # people, or doors, that a rate which is told is made of
USUAL_DAYS = 30  # of visits, where no period is asked for

Place: TypeAlias = str | None  # the code of a community or street; None for what is in none
Counts: TypeAlias = Mapping[Place, tuple[int, int]]  # numerators and denominators


class Area(Struct, frozen=True):
    """The communities that an organisation answers for, by itself or through their street."""

    organisation: str
    name: str
    communities: Sequence[str]


class Figure(Struct, frozen=True, kw_only=True):
    """A numerator over its denominator; when `few`, there are some, and not enough of them to be told."""

    key: Place
    numerator: int | None
    denominator: int | None
    few: bool = False


class Layer(Struct, frozen=True, kw_only=True):
    """The figures of each place, level by level, and of all that was asked about; an area's are those of its
    communities together. `first` and `last` are the days that were counted, where days count."""

    communities: Sequence[Figure]
    streets: Sequence[Figure]
    areas: Sequence[Figure]
    total: Figure
    at: datetime
    first: date | None = None
    last: date | None = None


class Places(Struct, frozen=True):
    """The street of each community, and the areas that organisations answer for."""

    streets: Mapping[str, str | None]
    areas: Sequence[Area]


STREETS = "select code, street from community where district = $1"
AREAS = """
select o.id::text as organisation, o.name, array_agg(distinct m.code order by m.code) as communities
from organisation o
join organisation_area a on a.district = $1 and a.organisation = o.id
join community m on m.district = $1
  and ((a.kind = 'community' and m.code = a.code) or (a.kind = 'street' and m.street = a.code))
where o.district = $1 and o.closed_at is null
group by o.id, o.name order by o.name, o.id
"""


async def places(conn: Connection, reader: Reader) -> Places:
    """What a map is parted by: areas are those that reach into what the reader reaches. Raises NotAllowed."""
    reach = await scopes.reach(conn, reader)
    streets = {row["code"]: row["street"] for row in await conn.fetch(STREETS, reader.district)}
    reached = set(reach.communities)
    areas = [Area(**row) for row in await conn.fetch(AREAS, reader.district)]
    return Places(streets, [area for area in areas if reach.district or reached.intersection(area.communities)])


async def satisfaction(conn: Connection, reader: Reader, filters: Filters, zone: ZoneInfo, now: datetime) -> Layer:
    """Four or five of five ÷ residents who answered, as the rates count them. Raises InvalidFilter and NotAllowed."""
    found = await rates.by(conn, reader, filters, "community", zone, now, hours=False)
    shares = {row.key: row.shares["satisfaction"] for row in found.rows}
    counts = {key: (share.numerator, share.denominator) for key, share in shares.items()}
    return _told(counts, await places(conn, reader), found.at, fewest=FEWEST)


async def coverage_of(
    conn: Connection, reader: Reader, campaign: str, filters: Filters, zone: ZoneInfo, now: datetime
) -> Layer:
    """Doors visited ÷ doors of a campaign, in its present round or that of the day asked for; narrowed by place alone.
    Raises NotFound, InvalidFilter and NotAllowed."""
    narrowed = coverage_query.Filters(community=filters.community, street=filters.street, as_of=filters.as_of)
    asked = await coverage_query.asked(conn, reader, campaign, narrowed, zone, now)
    found = await coverage.by(conn, asked, "community")
    counts = {row.key: (row.counts["visited"], row.counts["doors"]) for row in found.rows}
    return _told(counts, await places(conn, reader), min(asked.ends, now), fewest=FEWEST)


async def visits_per_day(conn: Connection, reader: Reader, filters: Filters, zone: ZoneInfo, now: datetime) -> Layer:
    """Visits begun ÷ days, from `reported_from` to `reported_to` or the present day, or else of the last thirty days;
    narrowed by place alone. Raises InvalidFilter and NotAllowed."""
    at = issue_query.moment(filters, zone, now).at
    first, last = days(filters, at.astimezone(zone).date())
    asked = VisitFilters(
        community=filters.community, street=filters.street, started_from=first, started_to=last, withdrawn=False
    )
    found = await visit_query.by_community(conn, reader, asked, zone, now)
    length = max(1, (last - first).days + 1)
    counts = {key: (visits, length) for key, visits in found.items()}
    layer = _told(counts, await places(conn, reader), at, over=length)
    return msgspec.structs.replace(layer, first=first, last=last)


def days(filters: Filters, today: date) -> tuple[date, date]:
    """The first and the last day that a period asks for, the last not to come; none lies in a period that ends before
    it begins. Raises InvalidFilter."""
    for name in ("reported_from", "reported_to"):
        day = getattr(filters, name)
        if day is not None and day.year not in YEARS:
            raise InvalidFilter(name, expected=f"{YEARS[0]}-01-01 … {YEARS[-1]}-12-31")
    last = min(filters.reported_to or today, today)
    first = filters.reported_from or last - timedelta(days=USUAL_DAYS - 1)
    return first, last


def _told(counts: Counts, known: Places, at: datetime, *, fewest: int = 0, over: int | None = None) -> Layer:
    """The figures at each level, but for those that are not told; `over` is a denominator that all places share."""
    by_street: dict[Place, dict[Place, tuple[int, int]]] = {}
    for community, count in counts.items():
        by_street.setdefault(known.streets.get(community) if community else None, {})[community] = count
    streets = {street: _summed(parts.values(), over) for street, parts in by_street.items()}
    hidden_streets = hidden(_denominators(streets), fewest)
    hidden_communities: set[Place] = set()
    for street, parts in by_street.items():
        hidden_communities |= hidden(_denominators(parts), fewest, at_least_one=street in hidden_streets)
    of_areas: dict[Place, list[str]] = {
        area.organisation: [code for code in area.communities if code in counts] for area in known.areas
    }
    areas = {key: _summed((counts[code] for code in codes), over) for key, codes in of_areas.items() if codes}
    hidden_areas = {
        key
        for key, count in areas.items()
        if 0 < count[1] < fewest
        or 0 < sum(counts[code][1] for code in of_areas[key] if code in hidden_communities) < fewest
    }
    total = _summed(counts.values(), over)
    return Layer(
        communities=_figures(counts, hidden_communities),
        streets=_figures(streets, hidden_streets),
        areas=_figures(areas, hidden_areas),
        total=_figure(None, total, few=0 < total[1] < fewest),
        at=at,
    )


def hidden(parts: Mapping[Place, int], fewest: int, *, at_least_one: bool = False) -> set[Place]:
    """Which parts of a whole are not told: those of fewer than `fewest`, and then the smallest of the others until what
    is hidden together is not few, for else it would follow from the whole; parts of none tell of nobody."""
    there = sorted((key for key, count in parts.items() if count), key=lambda key: (parts[key], key or ""))
    found = {key for key in there if parts[key] < fewest}
    for key in there:
        if 0 < sum(parts[one] for one in found) < fewest or (at_least_one and not found):
            found.add(key)
    return found


def _summed(counts: Iterable[tuple[int, int]], over: int | None) -> tuple[int, int]:
    every = list(counts)
    return sum(one for one, _ in every), over if over is not None else sum(of for _, of in every)


def _denominators(counts: Counts) -> dict[Place, int]:
    return {key: of for key, (_, of) in counts.items()}


def _figures(counts: Counts, untold: set[Place]) -> list[Figure]:
    return [_figure(key, counts[key], few=key in untold) for key in sorted(counts, key=lambda key: (key is None, key))]


def _figure(key: Place, count: tuple[int, int], *, few: bool) -> Figure:
    numerator, denominator = (None, None) if few else count
    return Figure(key=key, numerator=numerator, denominator=denominator, few=few)

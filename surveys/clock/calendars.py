"""When a district works: its own office hours, and its country's holidays, kept in versions that nothing rewrites."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Literal
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Connection, Record
from msgspec import Struct

from surveys import history
from surveys.clock.clock import FIXED_HOLIDAYS, USUAL_WEEK, Calendar, DayKind, Hours, Week
from surveys.history import Actor, event_row
from surveys.refusals import Invalid, NotFound

CHINA = "cn"

# The holidays that no announcement moves, by the country's calendar.
FIXED: Mapping[str, frozenset[tuple[int, int]]] = {CHINA: FIXED_HOLIDAYS}

_NAMESPACE = UUID("0c6f9a58-8f0b-5d6c-9a52-3b1d2a7c4e10")  # of the ids of countries' calendars in districts' histories


class Edition(Struct, frozen=True):
    """Which office hours and which holidays a calendar is made of. The digests tell their content, so that a calendar
    made once serves wherever the same is meant."""

    time_zone: str
    calendar: str
    hours_version: int = 0
    hours_digest: bytes = b""
    holidays_version: int = 0
    holidays_digest: bytes = b""

    @property
    def version(self) -> int:
        """How many versions of hours and of holidays the district has had."""
        return self.hours_version + self.holidays_version


# The edition that was known at the moment {now}; other queries take it along in one go.
EDITION = """
select d.time_zone, d.calendar, coalesce(o.version, 0) as hours_version, coalesce(o.digest, '') as hours_digest,
  coalesce(h.version, 0) as holidays_version, coalesce(h.digest, '') as holidays_digest
from district d
left join lateral (select version, digest from office_hours
  where district = d.district and recorded_at <= {now} order by version desc limit 1) o on true
left join lateral (select version, digest from holiday_calendar
  where calendar = d.calendar and recorded_at <= {now} order by version desc limit 1) h on true
where d.district = $1
"""
IN_FORCE = EDITION.format(now="$2")


async def in_force(conn: Connection, district: int, as_of: datetime) -> Calendar:
    """The calendar by which a district's limits count, as it was known at a moment. Raises NotFound."""
    row = await conn.fetchrow(IN_FORCE, district, as_of)
    if row is None:
        raise NotFound("district", given=district)
    return await made(conn, district, edition(row))


def edition(row: Record) -> Edition:
    """The edition that a row of EDITION tells."""
    return Edition(*(row[name] for name in Edition.__struct_fields__))


# Each process makes a calendar once. It is found again by its content alone, so that it never has to be forgotten.
_MADE: dict[Edition, Calendar] = {}
_MOST_MADE = 1_000

HOURS = "select valid_from, week from office_hours where district = $1 and version <= $2 order by version"

# Of each year the newest version, up to one.
HOLIDAYS = """
select y.year, y.version, y.published, h.day, h.kind, h.name
from (select distinct on (year) year, version, published from holiday_year
  where calendar = $1 and version <= $2 order by year, version desc) y
left join holiday h on h.calendar = $1 and h.version = y.version and h.year = y.year
order by y.year, h.day
"""


async def made(conn: Connection, district: int, of: Edition) -> Calendar:
    """The calendar of an edition."""
    if of not in _MADE:
        hours = await conn.fetch(HOURS, district, of.hours_version) if of.hours_version else []
        years = await _years(conn, of.calendar, of.holidays_version)
        if len(_MADE) >= _MOST_MADE:
            _MADE.clear()
        _MADE[of] = Calendar(
            zone=ZoneInfo(of.time_zone),
            version=of.version,
            hours=(
                Hours(date.min, USUAL_WEEK),
                *(Hours(row["valid_from"], msgspec.convert(row["week"], Week)) for row in hours),
            ),
            days={day.day: day.kind for year in years.values() for day in year.days},
            published=frozenset(number for number, year in years.items() if year.published),
            expected=frozenset(number for number, year in years.items() if not year.published),
            fixed=FIXED.get(of.calendar, frozenset()),
        )
    return _MADE[of]


# --- a country's holidays


class Day(Struct, frozen=True, order=True):
    """A day that is not what its weekday says, and what people call the reason."""

    day: date
    kind: DayKind
    name: str


class Year(Struct, frozen=True):
    """The days of a year that are not what their weekdays say: as they were published, or as they are expected."""

    days: tuple[Day, ...]
    published: bool


async def _years(conn: Connection, calendar: str, version: int) -> dict[int, Year]:
    found: dict[int, list[Day]] = {}
    published: dict[int, bool] = {}
    for row in await conn.fetch(HOLIDAYS, calendar, version) if version else []:
        published[row["year"]] = row["published"]
        days = found.setdefault(row["year"], [])
        if row["day"] is not None:
            days.append(Day(row["day"], row["kind"], row["name"]))
    return {year: Year(tuple(days), published[year]) for year, days in found.items()}


NEWEST = "select version, digest from holiday_calendar where calendar = $1 order by version desc limit 1"


async def years(conn: Connection, calendar: str = CHINA) -> dict[int, Year]:
    """What is known of each year now."""
    newest = await conn.fetchrow(NEWEST, calendar)
    return await _years(conn, calendar, newest["version"]) if newest else {}


class PublishedAlready(Invalid):
    """A year that is published cannot become one of which something is merely expected."""

    code = "published_already"


class YearChange(Struct, frozen=True):
    """How a year differs from what was known of it."""

    year: int
    published: bool
    was: Literal["unknown", "expected", "published"]
    added: tuple[Day, ...]
    removed: tuple[Day, ...]


def compare(before: Mapping[int, Year], after: Mapping[int, Year]) -> list[YearChange]:
    """The years that change, in their order. Raises PublishedAlready."""
    changes = []
    for number, year in sorted(after.items()):
        was = before.get(number)
        if was is not None and was.published and not year.published:
            raise PublishedAlready("year", year=number)
        days, days_before = set(year.days), set(was.days if was else ())
        if was is None or was.published != year.published or days != days_before:
            known: Literal["unknown", "expected", "published"] = (
                "unknown" if was is None else "published" if was.published else "expected"
            )
            added, removed = tuple(sorted(days - days_before)), tuple(sorted(days_before - days))
            changes.append(YearChange(number, year.published, known, added, removed))
    return changes


# Two lists at once would give the same version twice; nobody may change a row of these tables, so none can be locked.
LOCK = "select pg_advisory_xact_lock(hashtextextended('holiday_calendar ' || $1, 0))"

STORE = """
with calendar as (
  insert into holiday_calendar (calendar, version, source, digest, recorded_at) values ($1, $2, $3, $4, $5)
), years as (
  insert into holiday_year (calendar, version, year, published)
  select $1, $2, year, published from jsonb_populate_recordset(null::holiday_year, $6)
)
insert into holiday (calendar, version, year, day, kind, name)
select $1, $2, extract(year from day)::int, day, kind, name from jsonb_populate_recordset(null::holiday, $7)
"""

DISTRICTS = "select district from district where calendar = $1 order by district"


async def districts(conn: Connection, calendar: str) -> list[int]:
    """The districts that keep a country's holidays."""
    return [row["district"] for row in await conn.fetch(DISTRICTS, calendar)]


async def store(
    conn: Connection, calendar: str, wanted: Mapping[int, Year], source: str, actor: Actor, now: datetime
) -> list[YearChange]:
    """Bring these years in line with what is known now, as one further version; no version if nothing changes.

    Raises PublishedAlready. Run it in a transaction."""
    await conn.execute(LOCK, calendar)
    changes = compare(await years(conn, calendar), wanted)
    if not changes:
        return []
    newest = await conn.fetchrow(NEWEST, calendar)
    version = newest["version"] + 1 if newest else 1
    changed = {change.year: wanted[change.year] for change in changes}
    digest = hashlib.sha256((newest["digest"] if newest else b"") + msgspec.json.encode(list(changed.items())))
    told = [{"year": number, "published": year.published} for number, year in changed.items()]
    days = [day for year in changed.values() for day in year.days]
    await conn.execute(STORE, calendar, version, source, digest.digest(), now, told, days)
    await _tell(conn, calendar, version, digest.hexdigest(), changes, actor, now)
    return changes


async def _tell(
    conn: Connection,
    calendar: str,
    version: int,
    digest: str,
    changes: Sequence[YearChange],
    actor: Actor,
    now: datetime,
) -> None:
    """Each district that keeps these holidays has it in its own history that they changed."""
    facts = {
        "calendar": calendar,
        "holidays_version": version,
        "digest": digest,
        "years": [
            {"year": one.year, "published": one.published, "added": len(one.added), "removed": len(one.removed)}
            for one in changes
        ],
    }
    events = []
    for district in await districts(conn, calendar):
        thing = uuid5(_NAMESPACE, f"{district}:{calendar}")
        events.append(
            event_row(
                district=district,
                id=uuid5(thing, str(version)),
                kind="calendar",
                thing=thing,
                version=version,
                event="holidays",
                actor=actor,
                happened_at=now,
                recorded_at=now,
                facts=facts,
            )
        )
    await history.append(conn, events, [])

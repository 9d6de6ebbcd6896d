"""The one query through which issues are read: as a list, on a map, as counts, now or on a past day.

`seen` says which issues a reader sees under which filters; every question here selects from it, so that a count
never tells what a list hides."""

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection
from msgspec import Struct

from maps import tiles
from surveys import history
from surveys.counting import rate_terms
from surveys.counting.rate_terms import Rate
from surveys.issues.categories import Channel, Urgency
from surveys.issues.issues import SPANNED, Asked, Origin
from surveys.issues.placing import Certainty
from surveys.issues.workflow import Group, State
from surveys.people import scopes
from surveys.people.people import Reader
from surveys.people.scopes import Parameters, Reach
from surveys.refusals import InvalidFilter

NO_COMMUNITY = "none"  # the code by which a filter asks for what is in no community
NONE = "none"  # and for what has no street, no department or no organisation

YEARS = range(1900, 3000)  # that a day can be asked for in

Box = tuple[float, float, float, float]  # west, south, east, north, in degrees of WGS-84

# Degrees: a wider view holds much of a district, and to compare each issue with many ranges costs more than it spares.
SMALL_VIEW = 0.1


class Filters(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What to show; several values of one field are alternatives, fields narrow one another."""

    id: tuple[UUID, ...] = ()
    community: tuple[str, ...] = ()  # NO_COMMUNITY stands for none
    street: tuple[str, ...] = ()  # NONE stands for none
    category: tuple[str, ...] = ()  # a group stands for all its categories
    state: tuple[State, ...] = ()
    group: tuple[Group, ...] = ()
    urgency: tuple[Urgency, ...] = ()
    owner: tuple[UUID, ...] = ()
    department: tuple[str, ...] = ()  # NONE stands for none
    organisation: tuple[UUID | None, ...] = ()  # the reporter's on the day; None stands for none
    channel: tuple[Channel, ...] = ()
    offered_to: tuple[UUID, ...] = ()
    asked: tuple[Asked, ...] = ()
    leader: tuple[UUID, ...] = ()
    agent: tuple[UUID, ...] = ()
    overdue: bool | None = None
    waiting: bool | None = None  # for somebody else than its owner: see WAITING
    returned: bool | None = None  # came back to its owner, who has not gone on with it yet: see RETURNED
    reported_from: date | None = None
    reported_to: date | None = None  # its whole day
    due_from: date | None = None
    due_to: date | None = None  # its whole day
    bbox: Box | None = None
    text: str | None = None
    placed: bool | None = None
    certainty: tuple[Certainty, ...] = ()
    source: tuple[Origin, ...] = ()  # how it came to us
    provisional: bool | None = None  # due in a year whose holidays are not published yet
    rate: Rate | None = None  # what this rate counts: its denominator,
    met: bool | None = None  # or of it the numerator, or what the numerator leaves
    as_of: date | None = None
    known_at: datetime | None = None


class Moment(Struct, frozen=True):
    """The time that a question is about, and what was known of it when; None for both is the present."""

    at: datetime
    known_at: datetime | None = None


class Query(Struct, frozen=True):
    """The text of a `seen` and its parameters; $1 is the district, $2 the moment that it is about."""

    text: str
    parameters: tuple[Any, ...]
    moment: Moment


# What an issue is now.
PRESENT = f"""
  select i.district, i.id, i.number, i.version, i.visit, i.reporter, i.reported_at, i.certainty,
         i.lon, i.lat, i.cell, i.text_version, i.boundary_version, i.organisation, i.premises,
         i.card, i.merged_into, i.source, i.due_provisional, i.outcome, i.due_from, i.took_s,
         {", ".join(f"i.{name}" for name in SPANNED)}
  from issue i
  where i.district = $1"""

# What an issue was at $2, as it was known at $3; those reported later have no span that began by then, and are left
# out before they are joined.
PAST = f"""
  select i.district, i.id, i.number, s.version, i.visit, i.reporter, i.reported_at, i.certainty,
         i.lon, i.lat, i.cell, i.text_version, i.boundary_version, i.organisation, i.premises,
         i.card, i.merged_into, i.source, i.due_provisional, {", ".join(f"s.{name}" for name in SPANNED)}
  from issue_spans s join issue i on i.district = s.district and i.id = s.issue
  where s.district = $1 and s.valid_from <= $2 and s.recorded_at <= $3
    and (s.valid_to > $2 or s.end_recorded_at > $3)
    and i.reported_at <= $2"""

OPEN = "state in ('reported', 'accepted', 'assigned', 'in_progress', 'paused')"

# While an issue is paused its time stands still.
LATE = "due_at < coalesce(paused_at, $2)"
OVERDUE = f"({OPEN} and {LATE})"

# A department works on it, which until it was assigned is a proposal alone; somebody is asked to take it on; what was
# asked waits for a judgement; or it is paused.
WITH_A_DEPARTMENT = "department is not null and state in ('assigned', 'in_progress')"
WAITING = f"({OPEN} and ({WITH_A_DEPARTMENT} or offered_to is not null or asked is not null or state = 'paused'))"

# Given back or reopened, and since then in nobody's hands but the owner's, who has not gone on with it.
RETURNED = "(state = 'accepted' and offered_to is null and (bounces > 0 or reopens > 0))"

# Map groups: each issue is in exactly one, as workflow.group has it.
GROUP = f"""case
    when state in ('resolved', 'closed') then 'solved'
    when state in ('rejected', 'merged') then 'other'
    when {LATE} then 'overdue'
    when state = 'reported' then 'reported'
    else 'in_hand' end"""


class _Conditions:
    """Conditions with their parameters, numbered as they come."""

    def __init__(self, *parameters: Any) -> None:
        self.parameter = Parameters(*parameters)
        self.texts: list[str] = []

    def add(self, text: str, *values: Any) -> None:
        """Add a condition; each {} in it stands for the next value."""
        self.texts.append(text.format(*(self.parameter(value) for value in values)))


def moment(filters: Filters, zone: ZoneInfo, now: datetime) -> Moment:
    """The present, or the end of the day asked for in the district's time zone, as it was known when that is asked
    for; a day not yet over by then ends there, so that the same question has the same answer for ever."""
    if filters.as_of is None and filters.known_at is None:
        return Moment(now)
    known_at = now
    if filters.known_at is not None:
        _check_year(filters.known_at.year, "known_at")
        known_at = min(filters.known_at, now)
    if filters.as_of is None:
        return Moment(known_at, known_at)
    end = end_of(filters.as_of, zone, "as_of") - timedelta(microseconds=1)
    return Moment(min(end, known_at), known_at)


async def seen(conn: Connection, reader: Reader, filters: Filters, zone: ZoneInfo, about: Moment) -> Query:
    """The issues that this reader sees under these filters, as a subquery named `seen`. Raises InvalidFilter, and
    NotAllowed for whoever holds no role that reads issues."""
    return query(await scopes.reach(conn, reader), filters, zone, about)


def query(within: Reach, filters: Filters, zone: ZoneInfo, about: Moment) -> Query:
    """The same for whoever reaches so much. Raises InvalidFilter."""
    reader, past = within.reader, about.known_at is not None
    conditions = _Conditions(reader.district, about.at, *([about.known_at] if past else []))
    if reached := within.condition(conditions.parameter, "issue"):
        conditions.texts.append(reached)
    _what(conditions, filters)
    _in_whose_hands(conditions, filters)
    _how_it_stands(conditions, filters)
    _counted(conditions, filters)
    _when(conditions, filters, zone)
    _where(conditions, filters)
    _words(conditions, filters.text)
    source = PAST if past else PRESENT
    where = " and ".join(conditions.texts) or "true"
    text = f"with seen as (select * from ({source}) issue where $2::timestamptz is not null and {where})"
    return Query(text, tuple(conditions.parameter.values), about)


def _what(conditions: _Conditions, filters: Filters) -> None:
    if filters.id:
        conditions.add("id = any({})", list(filters.id))
    for name in ("state", "urgency", "channel", "asked", "certainty", "source"):
        values = getattr(filters, name)
        if values:
            conditions.add(f"{name} = any({{}})", list(values))
    if filters.community:
        outside = " or community is null" if NO_COMMUNITY in filters.community else ""
        conditions.add(f"(community = any({{}}){outside})", list(filters.community))
    if filters.street:
        outside = " or street is null" if NONE in filters.street else ""
        conditions.add(
            f"(community in (select code from community where district = $1 and (street = any({{}}){outside}))"
            f"{' or community is null' if outside else ''})",
            list(filters.street),
        )
    if filters.category:
        conditions.add(
            "category in (select code from category where district = $1 and (code = any({0}) or parent = any({0})))",
            list(filters.category),
        )
    if filters.group:
        conditions.add(f"{GROUP} = any({{}})", list(filters.group))
    if filters.overdue is not None:
        conditions.texts.append(f"{'' if filters.overdue else 'not '}{OVERDUE}")


def _in_whose_hands(conditions: _Conditions, filters: Filters) -> None:
    for name in ("owner", "offered_to", "leader", "agent"):
        if members := getattr(filters, name):
            conditions.add(f"{name} = any({{}})", list(members))
    if filters.department:
        outside = " or department is null" if NONE in filters.department else ""
        conditions.add(f"(department = any({{}}){outside})", list(filters.department))
    if filters.organisation:
        outside = " or organisation is null" if None in filters.organisation else ""
        conditions.add(f"(organisation = any({{}}){outside})", [one for one in filters.organisation if one])


def _how_it_stands(conditions: _Conditions, filters: Filters) -> None:
    for asked, condition in ((filters.waiting, WAITING), (filters.returned, RETURNED)):
        if asked is not None:
            conditions.texts.append(f"{'' if asked else 'not '}{condition}")


def _counted(conditions: _Conditions, filters: Filters) -> None:
    """What a rate counts, so that its figures open as a list."""
    if filters.rate is not None:
        conditions.texts.append(f"({rate_terms.condition(filters.rate, filters.met)})")
    elif filters.met is not None:
        raise InvalidFilter("met", expected="rate")


def _when(conditions: _Conditions, filters: Filters, zone: ZoneInfo) -> None:
    if filters.reported_from is not None:
        conditions.add("reported_at >= {}", start_of(filters.reported_from, zone, "reported_from"))
    if filters.reported_to is not None:
        conditions.add("reported_at < {}", end_of(filters.reported_to, zone, "reported_to"))
    if filters.due_from is not None:
        conditions.add("due_at >= {}", start_of(filters.due_from, zone, "due_from"))
    if filters.due_to is not None:
        conditions.add("due_at < {}", end_of(filters.due_to, zone, "due_to"))
    if filters.provisional is not None:
        conditions.texts.append(f"{'' if filters.provisional else 'not '}due_provisional")


def _where(conditions: _Conditions, filters: Filters) -> None:
    if filters.placed is not None:
        conditions.texts.append(f"cell is {'not ' if filters.placed else ''}null")
    if filters.bbox is None:
        return
    west, south, east, north = filters.bbox
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise InvalidFilter("bbox", expected="west,south,east,north")
    ranges = " or ".join(
        f"cell between {conditions.parameter(low)} and {conditions.parameter(high)}"
        for low, high in tiles.covering(filters.bbox, max_ranges=8 if east - west < SMALL_VIEW else 2)
    )
    conditions.texts.append(f"({ranges})")
    conditions.add("lon between {} and {} and lat between {} and {}", west, east, south, north)


def _words(conditions: _Conditions, text: str | None) -> None:
    """The index finds the texts that have all pairs of characters; the comparison then drops those that have them
    elsewhere. Every text is compared, the version that stands now."""
    if text is None:
        return
    pairs, pattern = searched(text)
    conditions.add(
        "(id, text_version) in (select subject, version from text_version"
        f" where district = $1 and bigrams @> {{}} and {written(text, '{}', '{}')})",
        pairs,
        pattern,
        pattern,
    )


def searched(text: str) -> tuple[list[str], str]:
    """What is searched for as the index has it, and as a pattern. Raises InvalidFilter."""
    folded = " ".join(text.split())
    if not 2 <= len(folded) <= 100:
        raise InvalidFilter("text", expected="2–100 characters")
    pattern = "%" + folded.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    return history.bigrams(folded), pattern


def written(text: str, *patterns: str) -> str:
    """The condition that a title or a description has a text; `patterns` stand for its pattern, once for each."""
    # in an index of pairs any run of space is one space, and so it must be in the text that is compared
    texts = "regexp_replace({text}, '\\s+', ' ', 'g')" if " " in " ".join(text.split()) else "{text}"
    title, description = (texts.format(text=f"body->>'{name}'") for name in ("title", "description"))
    return f"({title} ilike {patterns[0]} or {description} ilike {patterns[1]})"


def start_of(day: date, zone: ZoneInfo, field: str) -> datetime:
    """When a day begins. Raises InvalidFilter for one that is out of all bounds."""
    _check_year(day.year, field)
    return datetime.combine(day, time(), zone)


def _check_year(year: int, field: str) -> None:
    if year not in YEARS:
        raise InvalidFilter(field, expected=f"{YEARS[0]}-01-01 … {YEARS[-1]}-12-31")


def end_of(day: date, zone: ZoneInfo, field: str) -> datetime:
    """When the day after it begins. Raises InvalidFilter for one that is out of all bounds."""
    start_of(day, zone, field)
    return datetime.combine(day + timedelta(days=1), time(), zone)


def box(text: str) -> Box:
    """Read a box written as west,south,east,north. Raises InvalidFilter."""
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise InvalidFilter("bbox", expected="west,south,east,north") from None
    return west, south, east, north

"""Issues as they are listed, page by page, and one of them with its history."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys import cursors, history
from surveys.clock.clock import Unit
from surveys.counting import issue_query, issue_sums, shown_issues
from surveys.counting.issue_query import GROUP, OVERDUE, Box, Filters, Moment, Query, moment, seen
from surveys.counting.issue_sums import Place
from surveys.counting.issue_views import microseconds
from surveys.counting.shown_issues import Shown
from surveys.history import Entry
from surveys.issues import joint_reviews, merging, workflow
from surveys.issues.categories import Channel, Urgency
from surveys.issues.issues import Asked
from surveys.issues.joint_reviews import Said
from surveys.issues.placing import Certainty, CommunityName, Point
from surveys.issues.standings import standings
from surveys.issues.workflow import Group, Move, State
from surveys.people import scopes
from surveys.people.people import Handler, Reader
from surveys.people.scopes import Parameters
from surveys.privacy import contacts
from surveys.privacy.contacts import Masked
from surveys.privacy.sealing import KeyRing
from surveys.refusals import InvalidCursor, NotFound
from surveys.return_visits import return_visit_lists
from surveys.return_visits.return_visit_lists import OfIssue


class CategoryName(Struct, frozen=True):
    """A category as people read it."""

    code: str
    name: str


class Item(Struct, frozen=True, kw_only=True):
    """An issue as a list shows it."""

    id: UUID
    number: str
    version: int
    title: str | None
    category: CategoryName
    urgency: Urgency
    channel: Channel
    state: State
    group: Group
    overdue: bool
    owner: Handler
    department: str | None
    offered_to: Handler | None
    asked: Asked | None
    leader: Handler | None
    agent: Handler | None
    community: CommunityName | None
    street: str | None
    certainty: Certainty
    position: Point | None
    visit: UUID | None
    reported_at: datetime
    due_at: datetime
    paused_at: datetime | None


Order = Literal["newest", "due"]  # newest first, or what is due soonest, or has been due for longest, first

# By which columns a list is ordered, how, and what comes after a row of it.
ORDERS: Mapping[Order, tuple[str, str, str]] = {"newest": ("reported_at", "desc", "<"), "due": ("due_at", "asc", ">")}


class Page(Struct, frozen=True, kw_only=True):
    """A part of a list, and where the next part begins; `total` counts all parts."""

    items: list[Item]
    next: str | None
    total: int | None = None


class Narrowed(Struct, frozen=True, kw_only=True):
    """What of a list another program asks for, beside filters: what was reported from one moment to another, both
    included; and in which boxes, for a view across the date line is two."""

    since: datetime | None = None
    until: datetime | None = None
    boxes: tuple[Box, ...] = ()  # each of four degrees; a box without width or height is a line or a point

    def of(self, query: Query) -> Query:
        """What of these issues this is, again as `seen`."""
        parameter = Parameters(*query.parameters)
        conditions = ["s.reported_at >= " + parameter(self.since)] if self.since else []
        if self.until:
            conditions.append("s.reported_at <= " + parameter(self.until))
        if self.boxes:
            conditions.append(f"({' or '.join(_in_box(box, parameter) for box in self.boxes)})")
        if not conditions:
            return query
        text = f"{query.text.replace('seen as', 'all_seen as', 1)}, seen as (select * from all_seen s where "
        return Query(f"{text}{' and '.join(conditions)})", tuple(parameter.values), query.moment)


def _in_box(box: Box, parameter: Parameters) -> str:
    west, south, east, north = (f"{parameter(degrees)}::float8" for degrees in box)
    return f"s.lon between {west} and {east} and s.lat between {south} and {north}"


ALL = Narrowed()


class _Cursor(Struct, frozen=True, array_like=True):
    """Where a page ended, and the moment that the whole list is pinned to."""

    place: datetime  # by what the list is ordered
    id: UUID
    at: datetime
    known_at: datetime
    asked: str


MOST_DIGITS = 19  # of a number; the largest that the database holds has as many

# Asked for each by itself: nearly all issues have none, and joined they would have to be sorted again.
NAME = "(select m.name from member m where m.district = $1 and m.id = s.{0}) as {0}_name"

# The columns of an item; `part` holds the issues, and names are looked up for no more than these.
ITEMS = f"""
select s.id, s.number, s.version, s.urgency, s.channel, s.state, s.department, s.certainty, s.lon, s.lat, s.visit,
       s.reported_at, s.due_at, s.paused_at, s.asked, s.owner, m.name as owner_name,
       s.offered_to, {NAME.format("offered_to")}, s.leader, {NAME.format("leader")}, s.agent, {NAME.format("agent")},
       s.consulted, s.category, k.name as category_name,
       s.community, c.name as community_name, c.street, t.body->>'title' as title,
       {GROUP} as group_name, {OVERDUE} as overdue
from part s
join member m on m.district = $1 and m.id = s.owner
join category k on k.district = $1 and k.code = s.category
left join community c on c.district = $1 and c.code = s.community
left join text_version t on t.district = $1 and t.subject = s.id and t.version = s.text_version
"""


async def page(
    conn: Connection,
    reader: Reader,
    filters: Filters,
    zone: ZoneInfo,
    now: datetime,
    *,
    limit: int = 50,
    cursor: str | None = None,
    total: bool = True,
    order: Order = "newest",
    narrowed: Narrowed = ALL,
) -> Page:
    """A part of the list. The first part of the newest pins the moment: the parts after it show the issues as they were
    then. By due time each part shows the present: that is a list which people work through.

    Raises InvalidFilter and InvalidCursor."""
    after = _read_cursor(cursor, _asked(filters, order, narrowed)) if cursor else None
    about = Moment(after.at, after.known_at) if after and order == "newest" else moment(filters, zone, now)
    within = await scopes.reach(conn, reader)
    query = narrowed.of(issue_query.query(within, filters, zone, about))
    found: Shown | None = None
    count: int | None = None
    if narrowed == ALL:
        found = await shown_issues.shown(conn, within, filters, zone, about, provoke=after is None)
    if found is not None:
        count, rows, more = await _in_columns(conn, found, after, limit, order)
    else:
        if total:
            count = await conn.fetchval(f"{query.text} select count(*) from seen", *query.parameters)
        rows = await conn.fetch(*_part(query, after, limit, order))
        more = len(rows) > limit
    items = [_item(row) for row in rows[:limit]]
    next_ = _write_cursor(items[-1], about, now, order, _asked(filters, order, narrowed)) if more else None
    return Page(items=items, next=next_, total=count if total else None)


async def _in_columns(
    conn: Connection, found: Shown, after: _Cursor | None, limit: int, order: Order
) -> tuple[int, list[Any], bool]:
    """How many there are, the rows of a part, and whether there are more: chosen in the columns that the process keeps,
    and read from the tables, which say once more whether they are seen."""
    column, way, _ = ORDERS[order]
    place = Place(microseconds(after.place), after.id.int >> 64, after.id.int % 2**64) if after else None
    asked = partial(issue_sums.listed, column=column, falling=way == "desc", limit=limit + 1, after=place)
    listed = await found.ask(asked)
    ids = found.columns.ids(listed.rows)
    filters = msgspec.structs.replace(found.filters, text=None)  # what was searched for was found
    query = issue_query.query(found.within, filters, found.zone, found.about)
    narrowed = f"where s.id = any(${len(query.parameters) + 1})"
    ordered = f"order by s.{column} {way}, s.id {way}"
    part = f", part as (select * from seen s {narrowed})"
    rows = await conn.fetch(f"{query.text}{part}{ITEMS}{ordered}", *query.parameters, ids[:limit])
    return listed.total, rows, len(ids) > limit and bool(rows)


def _part(query: Query, after: _Cursor | None, limit: int, order: Order) -> tuple[Any, ...]:
    parameters = list(query.parameters)
    column, way, beyond = ORDERS[order]
    where = ""
    if after:
        parameters += [after.place, after.id]
        where = f"where (s.{column}, s.id) {beyond} (${len(parameters) - 1}, ${len(parameters)})"
    parameters.append(limit + 1)
    ordered = f"order by s.{column} {way}, s.id {way}"
    part = f", part as (select * from seen s {where} {ordered} limit ${len(parameters)})"
    return f"{query.text}{part}{ITEMS}{ordered}", *parameters


def _item(row: Any) -> Item:
    return Item(
        id=row["id"],
        number=str(row["number"]),
        version=row["version"],
        title=row["title"],
        category=CategoryName(row["category"], row["category_name"]),
        urgency=row["urgency"],
        channel=row["channel"],
        state=row["state"],
        group=row["group_name"],
        overdue=row["overdue"],
        owner=Handler(row["owner"], row["owner_name"]),
        department=row["department"],
        offered_to=_named(row, "offered_to"),
        asked=row["asked"],
        leader=_named(row, "leader"),
        agent=_named(row, "agent"),
        community=CommunityName(row["community"], row["community_name"]) if row["community"] else None,
        street=row["street"],
        certainty=row["certainty"],
        position=Point(row["lon"], row["lat"]) if row["lon"] is not None else None,
        visit=row["visit"],
        reported_at=row["reported_at"],
        due_at=row["due_at"],
        paused_at=row["paused_at"],
    )


def _named(row: Any, column: str) -> Handler | None:
    return Handler(row[column], row[f"{column}_name"]) if row[column] is not None else None


async def of_ids(conn: Connection, reader: Reader, issues: Sequence[UUID], zone: ZoneInfo, now: datetime) -> list[Item]:
    """Those of these issues that are within the reader's reach, newest first."""
    query = await seen(conn, reader, Filters(), zone, Moment(now))
    part = f", part as (select * from seen where id = any(${len(query.parameters) + 1}))"
    newest = "order by s.reported_at desc, s.id desc"
    return [_item(row) for row in await conn.fetch(f"{query.text}{part}{ITEMS}{newest}", *query.parameters, issues)]


async def numbered(conn: Connection, reader: Reader, number: str, zone: ZoneInfo, now: datetime) -> UUID | None:
    """The issue of a number that is within the reader's reach."""
    digits = number.strip().lstrip("#")
    if not (digits.isascii() and digits.isdigit() and len(digits) < MOST_DIGITS):
        return None
    query = await seen(conn, reader, Filters(), zone, Moment(now))
    found: UUID | None = await conn.fetchval(
        f"{query.text} select id from seen where number = ${len(query.parameters) + 1}", *query.parameters, int(digits)
    )
    return found


def _asked(filters: Filters, order: Order, narrowed: Narrowed) -> str:
    what = (filters, order) if narrowed == ALL else (filters, order, narrowed)
    return hashlib.sha256(msgspec.json.encode(what)).hexdigest()[:16]


def _write_cursor(last: Item, about: Moment, now: datetime, order: Order, asked: str) -> str:
    place: datetime = getattr(last, ORDERS[order][0])
    return cursors.write(_Cursor(place, last.id, about.at, about.known_at or now, asked))


def _read_cursor(text: str, asked: str) -> _Cursor:
    cursor = cursors.read(text, _Cursor)
    if cursor.asked != asked:
        raise InvalidCursor("cursor")
    return cursor


class Related(Struct, frozen=True, kw_only=True):
    """Another issue that this one was merged into, or that was merged into this one."""

    id: UUID
    number: str
    state: State


class Detail(Struct, frozen=True, kw_only=True):
    """One issue with everything that its page needs, and the moves that this reader may make. What it was merged into
    in the end, and what was merged into it, is named as far as it is within reach.

    `may_reveal` says whether they may ask for the contact; `erased_at` is when its texts were forgotten, and
    `contact_erased_at` when its contact was."""

    issue: Item
    description: str | None
    contact: Masked | None
    may_reveal: bool
    contact_erased_at: datetime | None
    erased_at: datetime | None
    clock_started_at: datetime
    limit_amount: int
    limit_unit: Unit
    limit_version: int
    extension: int  # in the limit's unit, granted so far
    due_provisional: bool  # a year counts whose holidays are not published yet
    response_due_at: datetime
    first_contact_at: datetime | None
    held_since: datetime
    asked_by: UUID | None
    asked_amount: int | None
    pause_until: datetime | None
    appointment_at: datetime | None
    opinions: list[Said]  # of the departments that a joint review asks
    moves: list[Move]
    merged_into: Related | None
    merged: list[Related]
    twins_proposed: int  # and undecided, among those within the reader's reach
    return_visits: list[OfIssue]
    history: list[Entry]
    names: dict[str, str]  # of the members that the history names by id


# What one issue's page shows beside its item.
BESIDE = (
    "clock_started_at",
    "limit_amount",
    "limit_unit",
    "limit_version",
    "extension",
    "due_provisional",
    "response_due_at",
    "first_contact_at",
    "held_since",
    "asked_by",
    "asked_amount",
    "pause_until",
    "appointment_at",
)
DETAIL = f"""
select i.reporter, {", ".join(f"i.{name}" for name in BESIDE)}, t.body->>'description' as description, t.erased_at
from issue i
left join text_version t on t.district = i.district and t.subject = i.id and t.version = i.text_version
where i.district = $1 and i.id = $2
"""

MERGED = (
    "select s.id, s.number, s.state from seen s where s.id = {survivor} or s.merged_into = {issue} order by s.number"
)

# The proposals of a twin on which nobody has decided, as far as the other issue is within reach.
PROPOSED = """
select count(*) from twin_proposal p join seen s on s.id = case when p.issue = {issue} then p.twin else p.issue end
where p.district = $1 and (p.issue = {issue} or p.twin = {issue}) and p.state = 'proposed'
  and s.state not in ('rejected', 'merged')
"""

MEMBERS_IN_HISTORY = """
select m.id, m.name from member m
where m.district = $1 and m.id = any(
  select case when h.actor_kind = 'member' then h.actor::uuid end from history h
  where h.district = $1 and h.thing = $2
  union
  select (h.facts->>named)::uuid
  from history h, unnest(array['owner', 'before', 'offered_to', 'asked_by', 'asker', 'leader', 'agent']) as named
  where h.district = $1 and h.thing = $2
  union
  select jsonb_array_elements_text(h.facts->'present')::uuid from history h
  where h.district = $1 and h.thing = $2 and h.event = 'meet')
"""


async def one(
    conn: Connection,
    reader: Reader,
    issue: UUID,
    zone: ZoneInfo,
    now: datetime,
    ring: KeyRing,
    as_of: date | None = None,
) -> Detail:
    """One issue within the reader's reach, with its history; as of a past day, what it was at the end of that day and
    what had happened to it by then, and neither a contact nor a move. Raises NotFound, InvalidFilter."""
    about = moment(Filters(as_of=as_of), zone, now)
    past = about.at < now
    query = await seen(conn, reader, Filters(), zone, about)
    part = f", part as (select * from seen where id = ${len(query.parameters) + 1})"
    found = await conn.fetchrow(f"{query.text}{part}{ITEMS}", *query.parameters, issue)
    beside = await conn.fetchrow(DETAIL, reader.district, issue)
    if found is None or beside is None:
        raise NotFound
    item = _item(found)
    proposed = 0 if past else await _proposed(conn, query, issue)
    merged_into, merged = (None, []) if past else await _merged(conn, query, item)
    names = {str(row["id"]): row["name"] for row in await conn.fetch(MEMBERS_IN_HISTORY, reader.district, issue)}
    entries = await history.of_thing(conn, reader.district, issue)
    stands = standings(
        reader,
        owner=item.owner.id,
        reporter=beside["reporter"],
        community=item.community.code if item.community else None,
        street=item.street,
        department=item.department,
        offered_to=item.offered_to.id if item.offered_to else None,
        agent=item.agent.id if item.agent else None,
        asked_by=beside["asked_by"],
        consulted=found["consulted"],
        resolver=next((entry.actor.id for entry in reversed(entries) if entry.event == "resolve"), None),
    )
    kept = (await contacts.of_issues(conn, reader.district, [issue]))[issue]
    contact = None if past else kept.masked(ring)
    asked = await return_visit_lists.of_issues(conn, reader.district, [issue], about.at)
    opinions = await joint_reviews.of_issue(conn, reader.district, issue, found["consulted"], about.at)
    return Detail(
        issue=item,
        description=beside["description"],
        contact=contact,
        may_reveal=contact is not None and bool(workflow.REVEALING & stands),
        contact_erased_at=None if contact or past else kept.erased_at,
        erased_at=beside["erased_at"],
        **{name: beside[name] for name in BESIDE},
        opinions=opinions,
        moves=[] if past else workflow.allowed(item, stands),
        merged_into=merged_into,
        merged=merged,
        twins_proposed=proposed,
        return_visits=asked[issue],
        history=[entry for entry in entries if entry.happened_at <= about.at],
        names=names,
    )


async def _proposed(conn: Connection, query: Query, issue: UUID) -> int:
    proposed = PROPOSED.format(issue=f"${len(query.parameters) + 1}")
    count: int = await conn.fetchval(f"{query.text} {proposed}", *query.parameters, issue)
    return count


async def _merged(conn: Connection, query: Query, item: Item) -> tuple[Related | None, list[Related]]:
    """What an issue was merged into in the end, and what was merged into it."""
    survivor = None
    if item.state == "merged":
        survivor = (await merging.survivors(conn, query.parameters[0], [item.id]))[item.id]
    asked = MERGED.format(survivor=f"${len(query.parameters) + 1}", issue=f"${len(query.parameters) + 2}")
    rows = await conn.fetch(f"{query.text} {asked}", *query.parameters, survivor, item.id)
    related = [Related(id=row["id"], number=str(row["number"]), state=row["state"]) for row in rows]
    into = next((one for one in related if one.id == survivor), None)
    return into, [one for one in related if one.id != survivor]

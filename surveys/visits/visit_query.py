"""Visits as they are read, by those within whose reach they are."""

import hashlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys import cursors, history
from surveys.counting.issue_query import NONE, YEARS, Box
from surveys.history import Entry
from surveys.issues.placing import Certainty, CommunityName, Point
from surveys.people import scopes
from surveys.people.people import Handler, Reader
from surveys.people.scopes import Parameters, Reach
from surveys.premises.premises import PremisesKind
from surveys.questionnaires.questionnaire_fields import Field, said
from surveys.refusals import InvalidCursor, InvalidFilter, NotFound
from surveys.visits.receipts import Flag
from surveys.visits.visit_drafts import Outcome


class VisitFilters(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which visits to show; several values of one field are alternatives, fields narrow one another."""

    community: tuple[str, ...] = ()  # NONE stands for none
    street: tuple[str, ...] = ()  # NONE stands for none
    kind: tuple[PremisesKind, ...] = ()
    outcome: tuple[Outcome, ...] = ()
    member: tuple[UUID, ...] = ()  # who filed it
    organisation: tuple[UUID, ...] = ()  # theirs on the day
    campaign: tuple[str, ...] = ()  # NONE stands for none
    premises: tuple[UUID, ...] = ()  # the door on the register
    certainty: tuple[Certainty, ...] = ()
    flag: tuple[Flag, ...] = ()
    unsettled: bool | None = None  # whether a flag waits to be settled
    started_from: date | None = None
    started_to: date | None = None  # its whole day
    text: str | None = None  # in the name or the address of the door on the register, or a card's whole number
    bbox: Box | None = None
    placed: bool | None = None
    withdrawn: bool | None = None


def within(reach: Reach) -> tuple[str, Parameters]:
    """The condition under which a reader of this reach sees a visit `v`, and the parameters of a query with it; $1 is
    the district."""
    parameter = Parameters(reach.reader.district)
    return reach.condition(parameter, "visit", "v") or "true", parameter


def where(reach: Reach, filters: VisitFilters, zone: ZoneInfo, known_at: datetime) -> tuple[str, Parameters]:
    """The condition on visits `v` that a reader sees under these filters, of those that had come by `known_at`; $1 is
    the district. Raises InvalidFilter."""
    reached, parameter = within(reach)
    conditions = ["v.district = $1", reached, f"v.recorded_at <= {parameter(known_at)}"]
    conditions += _what(parameter, filters)
    conditions += _when(parameter, filters, zone)
    conditions += _places(parameter, filters)
    if filters.text is not None:
        conditions.append(_words(parameter, filters.text))
    return f"where {' and '.join(conditions)}", parameter


def _what(parameter: Parameters, filters: VisitFilters) -> Iterator[str]:
    for column, values in (
        ("premises_kind", filters.kind),
        ("outcome", filters.outcome),
        ("certainty", filters.certainty),
    ):
        if values:
            yield f"v.{column} = any({parameter(list(values))}::text[])"
    for column, ids in (
        ("member", filters.member),
        ("organisation", filters.organisation),
        ("premises", filters.premises),
    ):
        if ids:
            yield f"v.{column} = any({parameter(list(ids))}::uuid[])"
    if filters.campaign:
        outside = " or v.campaign is null" if NONE in filters.campaign else ""
        yield f"(v.campaign = any({parameter(list(filters.campaign))}::text[]){outside})"
    if filters.flag:
        yield (
            "exists (select from visit_flag f where f.district = $1 and f.visit = v.id"
            f" and f.flag = any({parameter(list(filters.flag))}::text[]))"
        )
    if filters.unsettled is not None:  # few visits have a flag: those are looked up first
        waiting = "select f.visit from visit_flag f where f.district = $1 and f.settled_at is null"
        yield f"v.id {'' if filters.unsettled else 'not '}in ({waiting})"
    if filters.withdrawn is not None:
        yield f"v.withdrawn_at is {'not ' if filters.withdrawn else ''}null"


def _when(parameter: Parameters, filters: VisitFilters, zone: ZoneInfo) -> Iterator[str]:
    if filters.started_from is not None:
        yield f"v.started_at >= {parameter(_start_of(filters.started_from, zone, 'started_from'))}"
    if filters.started_to is not None:
        _start_of(filters.started_to, zone, "started_to")
        yield f"v.started_at < {parameter(datetime.combine(filters.started_to + timedelta(days=1), time(), zone))}"


def _start_of(day: date, zone: ZoneInfo, field: str) -> datetime:
    if day.year not in YEARS:
        raise InvalidFilter(field, expected=f"{YEARS[0]}-01-01 … {YEARS[-1]}-12-31")
    return datetime.combine(day, time(), zone)


def _places(parameter: Parameters, filters: VisitFilters) -> Iterator[str]:
    if filters.community:
        outside = " or v.community is null" if NONE in filters.community else ""
        yield f"(v.community = any({parameter(list(filters.community))}::text[]){outside})"
    if filters.street:
        outside = " or v.community is null" if NONE in filters.street else ""
        streets = parameter(list(filters.street))
        of_streets = f"select code from community where district = $1 and street = any({streets}::text[])"
        yield f"(v.community in ({of_streets}){outside})"
    if filters.placed is not None:
        yield f"v.lon is {'not ' if filters.placed else ''}null"
    if filters.bbox is not None:
        west, south, east, north = filters.bbox
        if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
            raise InvalidFilter("bbox", expected="west,south,east,north")
        yield f"v.lon between {parameter(west)} and {parameter(east)}"
        yield f"v.lat between {parameter(south)} and {parameter(north)}"


def _words(parameter: Parameters, text: str) -> str:
    """The index finds the doors that have all pairs of characters; the comparison then drops those that have them
    elsewhere. A card's number is met in whole."""
    folded = " ".join(text.split())
    if not 2 <= len(folded) <= 100:
        raise InvalidFilter("text", expected="2–100 characters")
    pattern = parameter("%" + folded.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%")
    return (
        f"(v.contact_card = {parameter(folded.upper())} or"
        " v.premises = any(array(select p.id from text_version t"
        " join premises p on p.district = $1 and p.id = t.subject and p.text_version = t.version"
        f" where t.district = $1 and t.bigrams @> {parameter(history.bigrams(folded))}"
        f" and (t.body->>'name' ilike {pattern} or t.body->>'address' ilike {pattern}))))"
    )


class VisitItem(Struct, frozen=True, kw_only=True):
    """A visit as it is read, with those of the issues found on it that the reader may read as well."""

    id: UUID
    version: int
    member: Handler
    premises_kind: PremisesKind
    premises_name: str | None
    premises_address: str | None
    outcome: Outcome
    started_at: datetime
    ended_at: datetime
    received_at: datetime
    withdrawn_at: datetime | None
    community: CommunityName | None
    certainty: Certainty
    position: Point | None
    campaign: str | None
    contact_card: str | None
    note: str | None
    flags: list[Flag]
    issues: list[UUID]


class VisitDetail(Struct, frozen=True, kw_only=True):
    """One visit with its history."""

    visit: VisitItem
    history: list[Entry]


class VisitPage(Struct, frozen=True, kw_only=True):
    """A part of the visits, newest first by when they began; `total` counts all parts."""

    items: list[VisitItem]
    next: str | None
    total: int | None = None


class _Cursor(Struct, frozen=True, array_like=True):
    """Where a page ended; visits that came in after the first page are left to the next reading."""

    started_at: datetime
    id: UUID
    known_at: datetime
    asked: str


ITEMS = """
select v.id, v.version, v.member, m.name as member_name, v.premises_kind, v.outcome, v.started_at, v.ended_at,
       v.recorded_at, v.withdrawn_at, v.community, c.name as community_name, v.certainty, v.lon, v.lat, v.campaign,
       v.contact_card, t.body as texts,
       array(select flag from visit_flag f where f.district = v.district and f.visit = v.id order by flag) as flags,
       array(select i.id from issue i where i.district = v.district and i.visit = v.id and {of_issues}
             order by i.number) as issues
from visit v
join member m on m.district = v.district and m.id = v.member
left join community c on c.district = v.district and c.code = v.community
left join text_version t on t.district = v.district and t.subject = v.id and t.version = v.text_version
"""

NEWEST = "order by v.started_at desc, v.id desc"


async def page(
    conn: Connection,
    reader: Reader,
    filters: VisitFilters,
    zone: ZoneInfo,
    now: datetime,
    *,
    limit: int = 50,
    cursor: str | None = None,
    total: bool = True,
) -> VisitPage:
    """A part of the visits that the reader may see. Raises InvalidFilter, InvalidCursor and NotAllowed."""
    after = cursors.read(cursor, _Cursor) if cursor else None
    if after and after.asked != _asked(filters):
        raise InvalidCursor("cursor")
    known_at = after.known_at if after else now
    reach = await scopes.reach(conn, reader)
    condition, parameter = where(reach, filters, zone, known_at)
    counted = await conn.fetchval(f"select count(*) from visit v {condition}", *parameter.values) if total else None
    if after:
        condition += f" and (v.started_at, v.id) < ({parameter(after.started_at)}, {parameter(after.id)})"
    condition += f" {NEWEST} limit {parameter(limit + 1)}"
    rows = await conn.fetch(_items(reach, parameter) + condition, *parameter.values)
    items = [_item(row) for row in rows[:limit]]
    last = items[-1] if len(rows) > limit else None
    return VisitPage(
        items=items,
        next=cursors.write(_Cursor(last.started_at, last.id, known_at, _asked(filters))) if last else None,
        total=counted,
    )


def _asked(filters: VisitFilters) -> str:
    return hashlib.sha256(msgspec.json.encode(filters)).hexdigest()[:16]


async def by_community(
    conn: Connection, reader: Reader, filters: VisitFilters, zone: ZoneInfo, now: datetime
) -> dict[str | None, int]:
    """How many visits the list has of each community; None stands for none. Raises InvalidFilter and NotAllowed."""
    condition, parameter = where(await scopes.reach(conn, reader), filters, zone, now)
    question = f"select v.community, count(*) as visits from visit v {condition} group by v.community"
    return {row["community"]: row["visits"] for row in await conn.fetch(question, *parameter.values)}


async def one(conn: Connection, reader: Reader, visit: UUID) -> VisitDetail:
    """One visit within the reader's reach, with its history. Raises NotFound and NotAllowed."""
    reach = await scopes.reach(conn, reader)
    reached, parameter = within(reach)
    condition = f"where v.district = $1 and {reached} and v.id = {parameter(visit)}"
    row = await conn.fetchrow(_items(reach, parameter) + condition, *parameter.values)
    if row is None:
        raise NotFound
    return VisitDetail(visit=_item(row), history=await history.of_thing(conn, reader.district, visit))


def _items(reach: Reach, parameter: Parameters) -> str:
    return ITEMS.format(of_issues=reach.condition(parameter, "issue", "i") or "true")


def _item(row: Any) -> VisitItem:
    texts = row["texts"] or {}
    return VisitItem(
        id=row["id"],
        version=row["version"],
        member=Handler(row["member"], row["member_name"]),
        premises_kind=row["premises_kind"],
        premises_name=texts.get("premises_name"),
        premises_address=texts.get("premises_address"),
        outcome=row["outcome"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        received_at=row["recorded_at"],
        withdrawn_at=row["withdrawn_at"],
        community=CommunityName(row["community"], row["community_name"]) if row["community"] else None,
        certainty=row["certainty"],
        position=Point(row["lon"], row["lat"]) if row["lon"] is not None else None,
        campaign=row["campaign"],
        contact_card=row["contact_card"],
        note=texts.get("note"),
        flags=row["flags"],
        issues=row["issues"],
    )


# --- one visit's page


class Beside(Struct, frozen=True, kw_only=True):
    """What the page of a visit shows beside it: who came along, its door on the register, how it was filed, and the
    answers with the questions that they were given to."""

    companions: list[str]
    premises: UUID | None
    accuracy_m: float | None
    via: str
    entered_by: str | None
    campaign_name: str | None
    place_settled_at: datetime | None
    answers: list[tuple[str, str]]  # what was asked, and what was said, in words


BESIDE = """
select v.premises, v.accuracy_m, v.via, v.place_settled_at, e.name as entered_by, g.name as campaign_name,
       array(select n.name from member n
             where n.district = $1 and n.id = any(v.companions) order by n.number) as companions,
       t.body->>'answers' as answers, q.fields
from visit v
left join member e on e.district = $1 and e.id = v.entered_by
left join campaign g on g.district = $1 and g.id = v.campaign
left join text_version t on t.district = $1 and t.subject = v.id and t.version = v.text_version
left join questionnaire_version q
  on q.district = $1 and q.questionnaire = v.questionnaire and q.version = v.questionnaire_version
where v.district = $1 and v.id = $2
"""


async def beside(conn: Connection, district: int, visit: UUID, language: str) -> Beside:
    """What else there is of a visit that the caller has made sure the reader may see. Raises NotFound."""
    row = await conn.fetchrow(BESIDE, district, visit)
    if row is None:
        raise NotFound
    columns = dict(row)
    fields = msgspec.convert(columns.pop("fields") or [], list[Field])
    given = msgspec.json.decode(columns.pop("answers") or "{}").get("values", {})
    return Beside(**columns, answers=[*_in_words(given, {field.name: field for field in fields}, language)])


def _in_words(given: dict[str, Any], fields: dict[str, Field], language: str) -> Iterator[tuple[str, str]]:
    for name, value in given.items():
        field = fields.get(name)
        question = (said(field.label, language) if field else "") or name
        if isinstance(value, list):
            several = [one for one in value if not isinstance(one, dict)]
            yield question, ", ".join(field.called(one, language) if field else str(one) for one in several)
            for one in value:
                if isinstance(one, dict):
                    inner = {each.name: each for each in field.fields} if field else {}
                    yield from _in_words(one, inner, language)
        else:
            yield question, field.called(value, language) if field else str(value)

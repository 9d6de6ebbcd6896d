"""Public commitments as they are read: by members in lists and one by one, by anybody on the board, and by residents
on the page of their door's card."""

from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection, Record
from msgspec import Struct

from surveys import cursors, history
from surveys.assessments import commitment_outcomes
from surveys.assessments.commitment_audiences import Aim
from surveys.assessments.commitment_outcomes import LEAST_TOLD, Outcome
from surveys.contact_cards.card_doors import CardDoor
from surveys.counting import issue_query
from surveys.counting.issue_query import Moment
from surveys.history import Entry
from surveys.people import organisations, people, scopes
from surveys.people.people import Reader
from surveys.people.scopes import Parameters
from surveys.refusals import NotFound, UnknownOrganisation

SHOWN_AFTERWARDS = timedelta(days=90)  # that what is done or withdrawn stays on the board and on cards' pages
MOST_OF_DOOR = 10


class Filters(Struct, frozen=True, kw_only=True):
    """Which commitments are asked for; an organisation stands for all below it. `as_of` means the end of that day."""

    organisation: UUID | None = None
    member: UUID | None = None
    outcomes: tuple[Outcome, ...] = ()
    late: bool | None = None
    community: str | None = None
    as_of: date | None = None
    known_at: datetime | None = None


class Said(Struct, frozen=True, kw_only=True):
    """What one rater says: whether it was kept, and how well, of five."""

    kept: bool
    stars: int


class People(Struct, frozen=True, kw_only=True):
    """What the people concerned say, each of their doors once."""

    kept: int
    not_kept: int
    stars: float | None  # the mean of five, to a tenth


class Commitment(Struct, frozen=True, kw_only=True):
    """A commitment as members read it; `doors` counts the doors that it names, of which nothing else is told."""

    id: UUID
    version: int
    organisation: UUID
    organisation_name: str
    member: UUID | None
    member_name: str | None
    outcome: Outcome
    late: bool
    text: str
    how: str | None
    aim: Aim
    places: list[str]
    doors: int
    due_at: datetime
    proposed_at: datetime
    approved_at: datetime | None
    done_at: datetime | None
    withdrawn_at: datetime | None
    withdrawal: str | None  # why
    own: Said | None
    leader: Said | None
    people: People


class CommitmentPage(Struct, frozen=True, kw_only=True):
    """A part of a list, the newest first; `total` counts the whole list, where that was asked for."""

    items: list[Commitment]
    next: str | None
    total: int | None


class CommitmentDetail(Struct, frozen=True, kw_only=True):
    """A commitment with its history and ratings, and what those are called who are named in them."""

    commitment: Commitment
    history: list[Entry]
    ratings: list[Entry]
    names: dict[str, str]


class PublicCommitment(Struct, frozen=True, kw_only=True):
    """A commitment as everybody may read it; nothing of a door, and of residents' ratings only what many say."""

    id: UUID
    organisation_name: str
    member_name: str | None
    outcome: Outcome
    late: bool
    text: str
    how: str | None
    aim: Aim
    places: list[str]
    due_at: datetime
    done_at: datetime | None
    withdrawal: str | None
    stars: float | None
    rated: int | None


class DoorCommitment(PublicCommitment, frozen=True, kw_only=True):
    """A commitment to a door, with what was said of it there."""

    rateable: bool
    said: Said | None


class _Cursor(Struct, frozen=True, array_like=True):
    proposed_at: datetime
    id: UUID
    at: datetime
    known_at: datetime


# --- lists, and one

COLUMNS = """
select o.*, g.name as organisation_name, m.name as member_name, t.body->>'text' as text, t.body->>'how' as how,
  (select w.body->>'reason' from text_version w
    where w.district = $1 and w.subject = o.withdrawal and w.version = 1) as why,
  array(select coalesce(y.name, s.name) from commitment_audience a
    left join community y on y.district = $1 and y.code = a.code and a.kind = 'community'
    left join street s on s.district = $1 and s.code = a.code and a.kind = 'street'
    where a.district = $1 and a.commitment = o.id and a.kind in ('community', 'street')
    order by a.kind desc, a.code) as places,
  (select count(*) from commitment_audience a
    where a.district = $1 and a.commitment = o.id and a.kind = 'premises') as doors
"""
NAMED = """
join organisation g on g.district = $1 and g.id = o.organisation
left join member m on m.district = $1 and m.id = o.member
left join text_version t on t.district = $1 and t.subject = o.id and t.version = o.text_version
"""


def moment(filters: Filters, zone: ZoneInfo, now: datetime) -> Moment:
    """The moment that filters ask about, and as known when. Raises InvalidFilter."""
    return issue_query.moment(issue_query.Filters(as_of=filters.as_of, known_at=filters.known_at), zone, now)


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
) -> CommitmentPage:
    """A part of the commitments that the reader sees: all that stand in public, and before that their own and those
    that they decide on. Raises NotAllowed, InvalidCursor, InvalidFilter."""
    about = moment(filters, zone, now)
    after = cursors.read(cursor, _Cursor) if cursor else None
    if after is not None:
        about = Moment(after.at, after.known_at)
    counted = await count(conn, reader, filters, about) if total else None
    rows = await _page(conn, reader, filters, about, after, limit + 1)
    items = [_commitment(row) for row in rows[:limit]]
    last = items[-1] if len(rows) > limit else None
    return CommitmentPage(
        items=items,
        next=cursors.write(_Cursor(last.proposed_at, last.id, about.at, about.known_at or now)) if last else None,
        total=counted,
    )


async def count(conn: Connection, reader: Reader, filters: Filters, about: Moment) -> int:
    """How many commitments of a list there are, at a moment. Raises NotAllowed and UnknownOrganisation."""
    parameter = Parameters(reader.district)
    if _ask_for_outcomes(filters):
        text = f"with {await selected(conn, reader, filters, about, parameter)} select count(*) from chosen"
    else:  # what became of each changes nothing
        which = await _which(conn, reader, filters, parameter)
        text = f"select count(*) from commitment c where {_THERE.format(at=parameter(about.at))} and {which}"
    counted: int = await conn.fetchval(text, *parameter.values)
    return counted


_THERE = "c.district = $1 and c.proposed_at <= {at}::timestamptz"
_NEWEST = """
c.id = any(array(select c.id from commitment c where {there} and {which} {behind}
  order by c.proposed_at desc, c.id desc limit {limit}))
"""


async def _page(
    conn: Connection, reader: Reader, filters: Filters, about: Moment, after: _Cursor | None, limit: int
) -> list[Record]:
    """The newest of a list behind a cursor. Where no outcome is asked for, they are found first, so that it is worked
    out of these alone."""
    parameter = Parameters(reader.district)
    last = f"({parameter(after.proposed_at)}::timestamptz, {parameter(after.id)}::uuid)" if after else None
    most = parameter(limit)
    if _ask_for_outcomes(filters):
        text = await selected(conn, reader, filters, about, parameter)
        behind = f"where (o.proposed_at, o.id) < {last}" if last else ""
        named = f"{COLUMNS} from chosen o {NAMED} {behind}"
    else:
        newest = _NEWEST.format(
            there=_THERE.format(at=parameter(about.at)),
            which=await _which(conn, reader, filters, parameter),
            behind=f"and (c.proposed_at, c.id) < {last}" if last else "",
            limit=most,
        )
        text = commitment_outcomes.query(parameter, about.at, about.known_at or about.at, newest)
        named = f"{COLUMNS} from outcomes o {NAMED}"
    order = f"order by o.proposed_at desc, o.id desc limit {most}"
    rows: list[Record] = await conn.fetch(f"with {text} {named} {order}", *parameter.values)
    return rows


def _ask_for_outcomes(filters: Filters) -> bool:
    """Whether it has to be known of all commitments what became of them."""
    return bool(filters.outcomes) or filters.late is not None


async def selected(conn: Connection, reader: Reader, filters: Filters, about: Moment, parameter: Parameters) -> str:
    """An SQL text for a `with`, whose `chosen` are the outcomes that are asked for and that the reader sees."""
    which = await _which(conn, reader, filters, parameter)
    outcomes = commitment_outcomes.query(parameter, about.at, about.known_at or about.at, which)
    wanted = ["true"]
    if filters.outcomes:
        wanted.append(f"outcome = any({parameter(list(filters.outcomes))}::text[])")
    if filters.late is not None:
        wanted.append(f"late = {parameter(filters.late)}")
    return f"{outcomes}, chosen as (select * from outcomes where {' and '.join(wanted)})"


async def _which(conn: Connection, reader: Reader, filters: Filters, parameter: Parameters) -> str:
    """The condition on rows of `commitment` that are asked for, whatever became of them, and that the reader sees."""
    which = [await _seen(conn, reader, parameter)]
    if filters.organisation is not None:
        below = await organisations.below(conn, reader.district, [filters.organisation])
        if not below:
            raise UnknownOrganisation("organisation", given=str(filters.organisation))
        which.append(f"c.organisation = any({parameter(sorted(below))}::uuid[])")
    if filters.member is not None:
        which.append(f"c.member = {parameter(filters.member)}")
    if filters.community is not None:
        which.append(
            "c.id = any(array(select a.commitment from commitment_audience a where a.district = $1"
            f" and a.kind = 'community' and a.code = {parameter(filters.community)}))"
        )
    return " and ".join(which)


async def _seen(conn: Connection, reader: Reader, parameter: Parameters) -> str:
    """The condition on rows of `commitment` under which a reader sees them. Raises NotAllowed."""
    scopes.refuse_who_reads_nothing(reader)
    if "administrator" in reader.roles():
        return "true"
    me = f"{parameter(reader.member)}::uuid"
    ways = ["c.approved_at is not null", f"c.made_by = {me}", f"c.member = {me}"]
    if "organiser" in reader.roles():
        within = await organisations.within(conn, reader) or set()
        ways.append(f"c.organisation = any({parameter(sorted(within))}::uuid[])")
    return f"({' or '.join(ways)})"


RATINGS = """
select h.id, h.version, h.event, h.actor_kind, h.actor, h.happened_at, h.recorded_at, h.facts,
       t.body->>'reason' as reason
from commitment_rating r
join history h on h.district = $1 and h.id = r.id
left join text_version t on t.district = $1 and t.subject = r.id and t.version = 1
where r.district = $1 and r.commitment = $2 and r.rated_by <> 'people' order by r.rated_at desc, r.id desc limit 100
"""


async def one(conn: Connection, reader: Reader, commitment: UUID, now: datetime) -> CommitmentDetail:
    """A commitment with its history, and with what members say of it. Raises NotFound and NotAllowed."""
    found = await seen_by(conn, reader, commitment, now)
    entries = await history.of_thing(conn, reader.district, commitment)
    ratings = [
        Entry(
            id=row["id"],
            version=row["version"],
            event=row["event"],
            actor=history.Actor(row["actor_kind"], row["actor"]),
            happened_at=row["happened_at"],
            recorded_at=row["recorded_at"],
            facts=row["facts"],
            reason=row["reason"],
        )
        for row in await conn.fetch(RATINGS, reader.district, commitment)
    ]
    ids = [UUID(entry.actor.id) for entry in [*entries, *ratings] if entry.actor.kind == "member"]
    names = {str(id_): name for id_, name in (await people.names(conn, reader.district, ids)).items()}
    return CommitmentDetail(commitment=found, history=entries, ratings=ratings, names=names)


async def seen_by(conn: Connection, reader: Reader, commitment: UUID, now: datetime) -> Commitment:
    """A commitment that the reader sees. Raises NotFound and NotAllowed."""
    parameter = Parameters(reader.district)
    seen = await _seen(conn, reader, parameter)
    which = f"c.id = {parameter(commitment)} and {seen}"
    text = commitment_outcomes.query(parameter, now, now, which)
    row = await conn.fetchrow(f"with {text} {COLUMNS} from outcomes o {NAMED}", *parameter.values)
    if row is None:
        raise NotFound
    return _commitment(row)


def _commitment(row: Record) -> Commitment:
    columns: dict[str, Any] = dict(row)
    plain = ("id", "version", "organisation", "organisation_name", "member", "member_name", "outcome", "late", "aim")
    return Commitment(
        **{name: columns[name] for name in plain},
        due_at=row["due_at"],
        proposed_at=row["proposed_at"],
        approved_at=row["approved_at"] if row["in_public"] else None,
        done_at=row["done_at"] if row["is_done"] else None,
        withdrawn_at=row["withdrawn_at"] if row["taken_back"] else None,
        text=row["text"] or "",
        how=row["how"] if row["is_done"] else None,
        places=row["places"],
        doors=row["doors"],
        withdrawal=row["why"] if row["taken_back"] else None,
        own=_said(row, "self"),
        leader=_said(row, "leader"),
        people=People(kept=row["people_kept"], not_kept=row["people_not_kept"], stars=_mean(row)),
    )


def _said(row: Record, who: str) -> Said | None:
    kept = row[f"{who}_kept"]
    return None if kept is None else Said(kept=kept, stars=row[f"{who}_stars"])


def _mean(row: Record) -> float | None:
    rated = row["people_kept"] + row["people_not_kept"]
    return float((Decimal(row["people_stars"]) / rated).quantize(Decimal("0.1"), ROUND_HALF_UP)) if rated else None


# --- without sign-in

# What can still be kept by its day first, then what was done or taken back, the newest first.
_PUBLIC_ORDER = """
order by o.outcome in ('waiting', 'kept', 'broken', 'withdrawn'),
  case when o.outcome in ('standing', 'overdue') then o.due_at end,
  coalesce(o.done_at, o.withdrawn_at, o.due_at) desc, o.id
"""
_RECENT = """
c.approved_at is not null
and (c.state = 'standing' or c.withdrawn_at > {since}::timestamptz or c.done_recorded_at > {since}::timestamptz)
"""


async def public(conn: Connection, district: int, now: datetime, *, limit: int = 50) -> list[PublicCommitment]:
    """What stands in public: what is still to be kept, and what was done or withdrawn of late."""
    parameter = Parameters(district)
    which = _RECENT.format(since=parameter(now - SHOWN_AFTERWARDS))
    text = commitment_outcomes.query(parameter, now, now, which)
    shown = f"shown as (select * from outcomes o {_PUBLIC_ORDER} limit {parameter(limit)})"
    asked = f"with {text}, {shown} {COLUMNS} from shown o {NAMED} {_PUBLIC_ORDER}"
    return [PublicCommitment(**_public(row)) for row in await conn.fetch(asked, *parameter.values)]


def _public(row: Record) -> dict[str, Any]:
    plain = ("id", "organisation_name", "member_name", "outcome", "late", "how", "aim", "places", "due_at", "done_at")
    rated = row["people_kept"] + row["people_not_kept"]
    many = rated >= LEAST_TOLD
    return {name: row[name] for name in plain} | {
        "text": row["text"] or "",
        "withdrawal": row["why"],
        "stars": _mean(row) if many else None,
        "rated": rated if many else None,
    }


ANY = "select exists (select from commitment where district = $1 and approved_at is not null)"


async def any_in_public(conn: Connection, district: int) -> bool:
    """Whether the district has any commitment to show, so that pages without any need not ask."""
    found: bool = await conn.fetchval(ANY, district)
    return found


# The commitments to a door: by its id, or that of the door it was merged into, and by its community and street.
_TO_DOOR = """
c.id = any(array(
  select a.commitment from commitment_audience a where a.district = $1 and (
    (a.kind = 'premises' and a.code in ({door}::uuid::text,
      (select p.merged_into::text from premises p where p.district = $1 and p.id = {door}::uuid)))
    or (a.kind = 'community' and a.code = {community}::text)
    or (a.kind = 'street' and a.code =
      (select y.street from community y where y.district = $1 and y.code = {community}::text))
    or a.kind = 'district')))
"""
_OWN = """
left join lateral (
  select r.kept as door_kept, r.stars as door_stars from commitment_rating r
  where r.district = $1 and r.commitment = o.id and r.rated_by = 'people' and r.rater = {card}
  order by r.rated_at desc, r.id desc limit 1
) own on true
"""


def to_door(door: CardDoor, parameter: Parameters) -> str:
    """The condition on rows of `commitment` that were promised to a door."""
    return _TO_DOOR.format(door=parameter(door.premises), community=parameter(door.community))


async def of_door(conn: Connection, door: CardDoor, now: datetime) -> list[DoorCommitment]:
    """What was promised to the door of a card, in one question: first what can be rated there and was not yet."""
    if not door.usable:
        return []
    parameter = Parameters(door.district)
    which = f"{_RECENT.format(since=parameter(now - SHOWN_AFTERWARDS))} and {to_door(door, parameter)}"
    text = commitment_outcomes.query(parameter, now, now, which)
    own = _OWN.format(card=parameter(door.number))
    order = _PUBLIC_ORDER.replace("order by", "order by not (o.is_done and own.door_kept is null),")
    asked = f"with {text} {COLUMNS}, own.* from outcomes o {NAMED} {own} {order} limit {parameter(MOST_OF_DOOR)}"
    return [_of_door(row) for row in await conn.fetch(asked, *parameter.values)]


def _of_door(row: Record) -> DoorCommitment:
    kept = row["door_kept"]
    return DoorCommitment(
        **_public(row),
        rateable=row["is_done"] and not row["taken_back"],
        said=None if kept is None else Said(kept=kept, stars=row["door_stars"]),
    )

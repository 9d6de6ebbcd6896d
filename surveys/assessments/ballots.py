"""Ballots as they are read: by who holds them, by who is on their roll, and by all members once they are published."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Connection, Record
from msgspec import Struct

from surveys import cursors, history
from surveys.assessments import ballot_boxes, ballot_results
from surveys.assessments.ballot_results import CombinedScore, Result
from surveys.assessments.ballot_terms import NotCounted, State, Way
from surveys.history import Entry
from surveys.people import organisations, people, scopes
from surveys.people.people import Reader
from surveys.people.scopes import Parameters
from surveys.refusals import NotAllowed, NotFound


class BallotRow(Struct, frozen=True, kw_only=True):
    """A row of the table `ballot`, but for its result."""

    district: int
    id: UUID
    version: int
    organisation: UUID
    opens_at: datetime
    closes_at: datetime
    text_version: int
    made_at: datetime
    cancelled_at: datetime | None
    counted_at: datetime | None
    published_at: datetime | None

    def state(self, now: datetime) -> State:
        """Where it stands: opening and closing follow from the time."""
        if self.cancelled_at is not None:
            return "cancelled"
        if self.published_at is not None:
            return "published"
        if self.counted_at is not None:
            return "counted"
        if now >= self.closes_at:
            return "closed"
        return "open" if now >= self.opens_at else "coming"


ROW = ", ".join(f"b.{name}" for name in BallotRow.__struct_fields__)
ONE = f"select {ROW} from ballot b where b.district = $1 and b.id = $2"


async def row_of(conn: Connection, district: int, ballot: UUID, *, hold: str = "") -> BallotRow:
    """A ballot that the caller has made sure may be known; `hold` locks it. Raises NotFound."""
    row = await conn.fetchrow(f"{ONE} {hold}", district, ballot)
    if row is None:
        raise NotFound
    return BallotRow(**row)


# --- who may


async def managed(conn: Connection, reader: Reader) -> set[UUID] | None:
    """The organisations whose ballots a reader holds, None standing for all. Raises NotAllowed for who reads
    nothing."""
    scopes.refuse_who_reads_nothing(reader)
    if not reader.roles() & {"administrator", "organiser"}:
        return set()
    return await organisations.within(conn, reader)


async def manages(conn: Connection, reader: Reader, ballot: UUID) -> bool:
    """Whether a reader holds this ballot."""
    reach = await managed(conn, reader)
    row = await conn.fetchrow(ONE, reader.district, ballot)
    return row is not None and (reach is None or row["organisation"] in reach)


async def to_manage(conn: Connection, reader: Reader, ballot: UUID, *, hold: str = "") -> BallotRow:
    """A ballot that the reader holds. Raises NotFound, and NotAllowed for who only votes in it or reads its result."""
    reach = await managed(conn, reader)
    row = await row_of(conn, reader.district, ballot, hold=hold)
    if reach is None or row.organisation in reach:
        return row
    if row.published_at is not None or await conn.fetchval(ON_ROLL, reader.district, ballot, reader.member):
        raise NotAllowed
    raise NotFound


ON_ROLL = "select exists (select from ballot_voter where district = $1 and ballot = $2 and member = $3)"

# --- what it is called


class Words(Struct, frozen=True, kw_only=True):
    """What a ballot and its parts are called; candidates and options in the order of the slip."""

    title: str
    district: str
    groups: Mapping[str, str]
    candidates: Sequence[str]
    options: Sequence[str]


CANDIDATES = """
select c.place, c.organisation, c.member, coalesce(m.name, o.name) as name, h.name as of
from ballot_candidate c
left join member m on m.district = $1 and m.id = c.member
left join organisation o on o.district = $1 and o.id = c.organisation
left join organisation h on h.district = $1 and h.id = m.organisation
where c.district = $1 and c.ballot = $2 order by c.place
"""
OPTIONS = "select place, points from ballot_option where district = $1 and ballot = $2 order by place"
COUNT_OPTIONS = "select count(*) from ballot_option where district = $1 and ballot = $2"


async def count_options(conn: Connection, district: int, ballot: UUID) -> int:
    """How many options a ballot has."""
    found: int = await conn.fetchval(COUNT_OPTIONS, district, ballot)
    return found


async def words_of(conn: Connection, ballot: BallotRow) -> Words:
    """What a ballot and its parts are called."""
    texts = await history.text(conn, ballot.district, ballot.id, ballot.text_version)
    candidates = await conn.fetch(CANDIDATES, ballot.district, ballot.id)
    options = await conn.fetch(OPTIONS, ballot.district, ballot.id)
    district = await people.district(conn, ballot.district)
    return Words(
        title=texts.get("title", ""),
        district=district.name if district else "",
        groups={name[6:]: text for name, text in texts.items() if name.startswith("group.")},
        candidates=[_candidate_name(row, texts) for row in candidates],
        options=[texts.get(f"option.{row['place']}", "") for row in options],
    )


def _candidate_name(row: Record, texts: Mapping[str, str]) -> str:
    if row["member"] is not None:
        return f"{row['name']}（{row['of']}）"
    return row["name"] or texts.get(f"candidate.{row['place']}", "")


# --- lists


class BallotItem(Struct, frozen=True, kw_only=True):
    """A ballot in a list; `mine` says whether the reader holds it, `to_vote` whether they can vote in it now."""

    id: UUID
    version: int
    title: str
    organisation: UUID
    organisation_name: str
    state: State
    opens_at: datetime
    closes_at: datetime
    mine: bool
    on_roll: bool
    to_vote: bool


class BallotPage(Struct, frozen=True, kw_only=True):
    """A part of a list, the latest to close first."""

    items: list[BallotItem]
    next: str | None


class _Cursor(Struct, frozen=True, array_like=True):
    closes_at: datetime
    id: UUID


LIST = f"""
select {ROW}, o.name as organisation_name, t.body->>'title' as title, v.code is not null as on_roll,
  coalesce(g.way = 'roll' and get_bit(n.marks, v.place) = 0, false) as unvoted
from ballot b
join organisation o on o.district = $1 and o.id = b.organisation
left join text_version t on t.district = $1 and t.subject = b.id and t.version = b.text_version
left join ballot_voter v on v.district = $1 and v.ballot = b.id and v.member = $2
left join ballot_group g on g.district = $1 and g.ballot = b.id and g.code = v.code
left join ballot_turnout n on n.district = $1 and n.ballot = b.id and n.code = v.code
where b.district = $1
"""


async def page(
    conn: Connection, reader: Reader, now: datetime, *, limit: int = 50, cursor: str | None = None
) -> BallotPage:
    """A part of the ballots that a reader holds, votes in, or reads since they were published."""
    reach = await managed(conn, reader)
    parameter = Parameters(reader.district, reader.member)
    ways = (
        ["true"] if reach is None else ["b.published_at is not null", "(v.code is not null and b.cancelled_at is null)"]
    )
    if reach:
        ways.append(f"b.organisation = any({parameter(sorted(reach))}::uuid[])")
    text = f"{LIST} and ({' or '.join(ways)})"
    if cursor:
        after = cursors.read(cursor, _Cursor)
        text += f" and (b.closes_at, b.id) < ({parameter(after.closes_at)}, {parameter(after.id)})"
    text += f" order by b.closes_at desc, b.id desc limit {parameter(limit + 1)}"
    rows = await conn.fetch(text, *parameter.values)
    items = [_item(row, reach, now) for row in rows[:limit]]
    last = items[-1] if len(rows) > limit else None
    return BallotPage(items=items, next=cursors.write(_Cursor(last.closes_at, last.id)) if last else None)


def _item(row: Record, reach: set[UUID] | None, now: datetime) -> BallotItem:
    columns = dict(row)
    ballot = BallotRow(**{name: columns[name] for name in BallotRow.__struct_fields__})
    state = ballot.state(now)
    return BallotItem(
        id=ballot.id,
        version=ballot.version,
        title=row["title"] or "",
        organisation=ballot.organisation,
        organisation_name=row["organisation_name"],
        state=state,
        opens_at=ballot.opens_at,
        closes_at=ballot.closes_at,
        mine=reach is None or ballot.organisation in reach,
        on_roll=row["on_roll"],
        to_vote=state == "open" and row["unvoted"],
    )


# --- one


class GroupTurnout(Struct, frozen=True, kw_only=True):
    """A group of voters, and how many of its roll have voted or were handed a slip; for slips, how many there are and
    were used."""

    code: str
    name: str
    weight: int
    way: Way
    enrolled: int
    marked: int
    slips: int
    used: int


class BallotDetail(Struct, frozen=True, kw_only=True):
    """A ballot for who holds it: what it asks, how many have voted, its result once it was counted, its history."""

    ballot: BallotItem
    candidates: list[str]
    options: list[str]
    points: list[float | None]
    groups: list[GroupTurnout]
    result: Result | None
    history: list[Entry]
    changes: list[Entry]
    names: dict[str, str]


TURNOUT = """
select g.code, g.weight, g.way, length(t.marks) as enrolled, length(t.used) as slips,
  length(replace(t.marks::text, '0', '')) as marked, length(replace(t.used::text, '0', '')) as used
from ballot_group g join ballot_turnout t on t.district = $1 and t.ballot = $2 and t.code = g.code
where g.district = $1 and g.ballot = $2 order by g.code
"""
RESULT = "select result from ballot where district = $1 and id = $2"


async def one(conn: Connection, reader: Reader, ballot: UUID, now: datetime) -> BallotDetail:
    """A ballot with all that its holder sees. Raises NotFound and NotAllowed."""
    row = await to_manage(conn, reader, ballot)
    words = await words_of(conn, row)
    options = await conn.fetch(OPTIONS, reader.district, ballot)
    entries = await history.of_thing(conn, reader.district, ballot)
    changes = await history.about(conn, reader.district, "ballot", ballot, 100)
    ids = [UUID(entry.actor.id) for entry in [*entries, *changes] if entry.actor.kind == "member"]
    names = await people.names(conn, reader.district, ids)
    return BallotDetail(
        ballot=await item(conn, reader, row, now),
        candidates=list(words.candidates),
        options=list(words.options),
        points=[None if one["points"] is None else float(one["points"]) for one in options],
        groups=await turnout(conn, row, words),
        result=await _result(conn, row),
        history=entries,
        changes=changes,
        names={str(id_): name for id_, name in names.items()},
    )


async def item(conn: Connection, reader: Reader, row: BallotRow, now: datetime) -> BallotItem:
    """A ballot as a list shows it to a reader."""
    [found] = await conn.fetch(f"{LIST} and b.id = $3", row.district, reader.member, row.id)
    return _item(found, await managed(conn, reader), now)


async def turnout(conn: Connection, row: BallotRow, words: Words) -> list[GroupTurnout]:
    """The groups of a ballot, and how many of each have voted."""
    return [
        GroupTurnout(name=words.groups.get(one["code"], one["code"]), **one)
        for one in await conn.fetch(TURNOUT, row.district, row.id)
    ]


async def _result(conn: Connection, row: BallotRow) -> Result | None:
    stored = await conn.fetchval(RESULT, row.district, row.id)
    return None if stored is None else msgspec.convert(stored, Result)


class Voter(Struct, frozen=True, kw_only=True):
    """Somebody on the roll, and whether they have voted or were handed a slip."""

    member: UUID
    name: str
    organisation: str
    group: str
    marked: bool


ROLL = """
select v.member, m.name, o.name as organisation, v.code as group, get_bit(t.marks, v.place) = 1 as marked
from ballot_voter v
join member m on m.district = $1 and m.id = v.member
join organisation o on o.district = $1 and o.id = m.organisation
join ballot_turnout t on t.district = $1 and t.ballot = $2 and t.code = v.code
where v.district = $1 and v.ballot = $2 order by v.code, o.name, m.name, v.member limit 20000
"""


async def roll(conn: Connection, reader: Reader, ballot: UUID) -> list[Voter]:
    """The roll of a ballot, by group, organisation and name. Raises NotFound and NotAllowed."""
    await to_manage(conn, reader, ballot)
    return [Voter(**row) for row in await conn.fetch(ROLL, reader.district, ballot)]


# --- results


class BallotResult(Struct, frozen=True, kw_only=True):
    """What came of a ballot. `verified` says that its boxes, counted again, come to the same, and that they are what
    the history says was counted."""

    id: UUID
    title: str
    state: State
    candidates: list[str]
    options: list[str]
    points: list[float | None]
    groups: dict[str, str]
    result: Result
    verified: bool


async def result_of(conn: Connection, reader: Reader, ballot: UUID, now: datetime) -> BallotResult:
    """The result of a ballot: for its holder once it was counted, for other members once it was published. Raises
    NotFound, NotAllowed and NotCounted."""
    scopes.refuse_who_reads_nothing(reader)
    row = await row_of(conn, reader.district, ballot)
    if row.published_at is None:
        row = await to_manage(conn, reader, ballot)
    found = await _result(conn, row)
    if found is None:
        raise NotCounted
    words = await words_of(conn, row)
    options = await conn.fetch(OPTIONS, reader.district, ballot)
    return BallotResult(
        id=row.id,
        title=words.title,
        state=row.state(now),
        candidates=list(words.candidates),
        options=list(words.options),
        points=[None if one["points"] is None else float(one["points"]) for one in options],
        groups=dict(words.groups),
        result=found,
        verified=await verified(conn, row),
    )


WEIGHTS = "select code, weight from ballot_group where district = $1 and ballot = $2"
DIGESTS = """
select facts->'boxes' from history where district = $1 and thing = $2 and event = 'count' order by version desc limit 1
"""


async def worked_out(conn: Connection, row: BallotRow, boxes: Sequence[ballot_boxes.Box]) -> Result:
    """What boxes come to, by the ballot's weights and points."""
    weights = {one["code"]: one["weight"] for one in await conn.fetch(WEIGHTS, row.district, row.id)}
    points = [
        None if one["points"] is None else Fraction(one["points"])
        for one in await conn.fetch(OPTIONS, row.district, row.id)
    ]
    return ballot_results.result(boxes, weights, points)


async def verified(conn: Connection, row: BallotRow) -> bool:
    """Whether a result is what the boxes come to now, and the boxes are those that were counted."""
    boxes = await ballot_boxes.counted(conn, row.district, row.id, await count_options(conn, row.district, row.id))
    digests = await conn.fetchval(DIGESTS, row.district, row.id)
    same = digests == {box.code: box.digest for box in boxes}
    return same and await worked_out(conn, row, boxes) == await _result(conn, row)


async def combine(conn: Connection, reader: Reader, weights: Mapping[UUID, int], now: datetime) -> list[CombinedScore]:
    """The scores of several ballots weighed together, by the names of those judged. Raises what `result_of` does."""
    scores: list[tuple[str, str, float, int]] = []
    for ballot, weight in weights.items():
        found = await result_of(conn, reader, ballot, now)
        for one in found.result.candidates:
            if one.score is not None:
                scores.append((found.candidates[one.place - 1], found.title, one.score, weight))
    return ballot_results.combined(scores)


def as_json(found: Result) -> Any:
    """A result as it is kept."""
    return msgspec.to_builtins(found)

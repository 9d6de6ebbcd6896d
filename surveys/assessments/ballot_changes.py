"""Ballots on their way: made, their roll drawn up, slips printed, closed early, counted, published, or cancelled."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.assessments import ballot_boxes, ballot_slips, ballots
from surveys.assessments.ballot_terms import (
    AlreadyOnRoll,
    BallotClosed,
    BallotDraft,
    BallotMove,
    BallotMoveNotPossible,
    CandidateDraft,
    Enrolment,
    Handing,
    Move,
    NotOnRoll,
    PointsMissing,
    Printing,
    State,
    WeightsDoNotSum,
    WrongWayOfVoting,
)
from surveys.assessments.ballots import BallotRow
from surveys.history import Actor, Row, event_row, occurrence, request_digest, text_row
from surveys.people import organisations
from surveys.people.people import Reader
from surveys.privacy.sealing import KeyRing
from surveys.refusals import (
    DuplicateId,
    IdTaken,
    Missing,
    NotForThisMove,
    StaleVersion,
    TextUnusable,
    TimeInPast,
    TimesReversed,
    UnknownMember,
    UnknownOrganisation,
)


class Changed(Struct, frozen=True, kw_only=True):
    """What making or moving a ballot led to."""

    id: UUID
    version: int
    state: State


# --- making

MAKE = """
insert into ballot (district, id, version, organisation, opens_at, closes_at, text_version, made_by, made_at,
                    recorded_at)
values ($1, $2, 1, $3, $4, $5, 1, $6, $7, $7)
"""
PARTS = """
with candidates as (
  insert into ballot_candidate (district, ballot, place, organisation, member)
  select $1, $2, at, organisation, member
  from unnest($3::uuid[], $4::uuid[]) with ordinality c(organisation, member, at)
), options as (
  insert into ballot_option (district, ballot, place, points)
  select $1, $2, at, points from unnest($5::numeric[]) with ordinality o(points, at)
)
insert into ballot_group (district, ballot, code, weight, way)
select $1, $2, code, weight, way from unnest($6::text[], $7::smallint[], $8::text[]) g(code, weight, way)
"""


async def make(conn: Connection, ring: KeyRing, reader: Reader, draft: BallotDraft, now: datetime) -> Changed:
    """Make a ballot with its empty boxes; the same draft again gets its first answer.

    Raises NotAllowed, UnknownOrganisation, UnknownMember, WeightsDoNotSum, PointsMissing, DuplicateId, Missing,
    TimesReversed, TimeInPast, TextUnusable or IdTaken."""
    await organisations.refuse_unknown(conn, reader, draft.organisation, "organisation")
    if before := await _asked_before(conn, reader, draft.id, draft.id, draft):
        return before
    _refuse_unfit(draft, now)
    texts = _texts(draft)
    candidates = [await _candidate(conn, reader, one, at) for at, one in enumerate(draft.candidates)]
    if len(set(candidates) - {(None, None)}) < len([one for one in candidates if one != (None, None)]):
        raise DuplicateId("candidates")
    times = (draft.opens_at, draft.closes_at)
    await conn.execute(MAKE, reader.district, draft.id, draft.organisation, *times, reader.member, now)
    await conn.execute(
        PARTS,
        reader.district,
        draft.id,
        [one[0] for one in candidates],
        [one[1] for one in candidates],
        [one.points for one in draft.options],
        [one.code for one in draft.groups],
        [one.weight for one in draft.groups],
        [one.way for one in draft.groups],
    )
    sums = len(draft.candidates) * len(draft.options)
    for group in draft.groups:
        await ballot_boxes.prepare(conn, ring, reader.district, draft.id, group.code, sums)
    made = await ballots.row_of(conn, reader.district, draft.id)
    facts: Row = {
        "organisation": draft.organisation,
        "opens_at": draft.opens_at,
        "closes_at": draft.closes_at,
        "weights": {one.code: one.weight for one in draft.groups},
        "candidates": [[str(one) if one else None for one in pair] for pair in candidates],
    }
    await _tell(conn, reader, made, draft.id, "make", request_digest(draft), facts, now, texts=texts)
    return Changed(id=draft.id, version=1, state=made.state(now))


def _refuse_unfit(draft: BallotDraft, now: datetime) -> None:
    if draft.closes_at <= draft.opens_at:
        raise TimesReversed("closes_at")
    if draft.closes_at <= now:
        raise TimeInPast("closes_at")
    if (whole := sum(one.weight for one in draft.groups)) != 100:
        raise WeightsDoNotSum("groups", sum=whole)
    if len({one.code for one in draft.groups}) < len(draft.groups):
        raise DuplicateId("groups")
    if all(one.points is None for one in draft.options):
        raise PointsMissing("options")


def _texts(draft: BallotDraft) -> dict[str, str]:
    """All words of a ballot, by what they name. Raises TextUnusable."""
    texts = {"title": _line(draft.title, "title")}
    for at, one in enumerate(draft.candidates):
        if one.matter is not None:
            texts[f"candidate.{at + 1}"] = _line(one.matter, f"candidates[{at}].matter")
    for at, option in enumerate(draft.options):
        texts[f"option.{at + 1}"] = _line(option.name, f"options[{at}].name")
    for at, group in enumerate(draft.groups):
        texts[f"group.{group.code}"] = _line(group.name, f"groups[{at}].name")
    return texts


def _line(text: str, field: str) -> str:
    line = " ".join(text.split())
    if not line or not line.isprintable():
        raise TextUnusable(field)
    return line


MEMBER = "select id from member where district = $1 and number = $2 and closed_at is null"
ORGANISATION = "select id from organisation where district = $1 and id = $2 and closed_at is null"


async def _candidate(
    conn: Connection, reader: Reader, draft: CandidateDraft, at: int
) -> tuple[UUID | None, UUID | None]:
    given = [name for name in ("organisation", "member", "matter") if getattr(draft, name) is not None]
    if len(given) != 1:
        raise Missing(f"candidates[{at}]")
    if draft.organisation is not None:
        found = await conn.fetchval(ORGANISATION, reader.district, draft.organisation)
        if found is None:
            raise UnknownOrganisation(f"candidates[{at}].organisation", given=str(draft.organisation))
        return found, None
    if draft.member is not None:
        found = await conn.fetchval(MEMBER, reader.district, draft.member.strip())
        if found is None:
            raise UnknownMember(f"candidates[{at}].member", given=draft.member)
        return None, found
    return None, None


# --- the roll, and the slips

NUMBERED = "select id, number from member where district = $1 and number = any($2) and closed_at is null"
OF_ORGANISATIONS = "select id from member where district = $1 and organisation = any($2) and closed_at is null"
TAKEN = "select exists (select from ballot_voter where district = $1 and ballot = $2 and member = any($3))"
ENROL = """
insert into ballot_voter (district, ballot, code, place, member)
select $1, $2, $3, $4 + at - 1, member from unnest($5::uuid[]) with ordinality v(member, at)
"""
HOLD = """
select g.way, length(t.marks) as voters from ballot_turnout t
join ballot_group g on g.district = $1 and g.ballot = $2 and g.code = t.code
where t.district = $1 and t.ballot = $2 and t.code = $3 for update of t
"""
EXTEND = """
update ballot_turnout set marks = marks || repeat('0', $4)::bit varying
where district = $1 and ballot = $2 and code = $3
"""


async def enrol(conn: Connection, reader: Reader, ballot: UUID, asked: Enrolment, now: datetime) -> int:
    """Put members on the roll of a group; returns how many. The same again gets its first answer.

    Raises NotFound, NotAllowed, BallotClosed, WrongWayOfVoting, UnknownMember, UnknownOrganisation, AlreadyOnRoll,
    Missing or IdTaken."""
    row = await ballots.to_manage(conn, reader, ballot, hold="for share")
    if (before := await _occurred_before(conn, reader, ballot, asked.id, request_digest(asked))) is not None:
        return before
    _refuse_closed(row, now)
    held = await _held(conn, row, asked.group)
    members = await _members(conn, reader, asked)
    if await conn.fetchval(TAKEN, reader.district, ballot, members):
        raise AlreadyOnRoll("members")
    secrets.SystemRandom().shuffle(members)
    await conn.execute(ENROL, reader.district, ballot, asked.group, held["voters"], members)
    await conn.execute(EXTEND, reader.district, ballot, asked.group, len(members))
    facts: Row = {"group": asked.group, "count": len(members), "request": request_digest(asked).hex()}
    await _occurred(conn, reader, ballot, asked.id, "enrol", facts, now)
    return len(members)


async def _members(conn: Connection, reader: Reader, asked: Enrolment) -> list[UUID]:
    wanted = {number.strip() for number in asked.members} - {""}
    found = {row["number"]: row["id"] for row in await conn.fetch(NUMBERED, reader.district, sorted(wanted))}
    for number in sorted(wanted):
        if number not in found:
            raise UnknownMember("members", given=number)
    members = set(found.values())
    if asked.organisation is not None:
        below = await organisations.below(conn, reader.district, [asked.organisation])
        if not below:
            raise UnknownOrganisation("organisation", given=str(asked.organisation))
        members |= {row["id"] for row in await conn.fetch(OF_ORGANISATIONS, reader.district, sorted(below))}
    if not members:
        raise Missing("members")
    return sorted(members)


async def print_slips(
    conn: Connection, reader: Reader, ballot: UUID, asked: Printing, now: datetime, event: UUID | None = None
) -> tuple[BallotRow, Sequence[str]]:
    """Make slips for a group, which the history tells under `event`; their codes can be read this once.

    Raises NotFound, NotAllowed, BallotClosed, WrongWayOfVoting or TooMany."""
    row = await ballots.to_manage(conn, reader, ballot, hold="for share")
    _refuse_closed(row, now)
    if (await _held(conn, row, asked.group))["way"] != "slips":
        raise WrongWayOfVoting("group")
    codes = await ballot_slips.make(conn, reader.district, ballot, asked.group, asked.count)
    facts: Row = {"group": asked.group, "count": asked.count}
    await _occurred(conn, reader, ballot, event or uuid4(), "print_slips", facts, now)
    return row, codes


VOTER = """
select v.code, v.place, g.way from ballot_voter v
join ballot_group g on g.district = $1 and g.ballot = $2 and g.code = v.code
where v.district = $1 and v.ballot = $2 and v.member = $3
"""
HAND = """
update ballot_turnout set marks = set_bit(marks, $4, 1) where district = $1 and ballot = $2 and code = $3
"""


async def hand(conn: Connection, reader: Reader, ballot: UUID, asked: Handing, now: datetime) -> None:
    """Mark that a member of the roll was handed a slip; which one, nobody writes down. Raises NotFound, NotAllowed,
    BallotClosed, NotOnRoll, or WrongWayOfVoting for who votes without a slip."""
    row = await ballots.to_manage(conn, reader, ballot, hold="for share")
    _refuse_closed(row, now)
    voter = await conn.fetchrow(VOTER, reader.district, ballot, asked.member)
    if voter is None:
        raise NotOnRoll("member")
    if voter["way"] != "slips":
        raise WrongWayOfVoting("member")
    await conn.execute(HAND, reader.district, ballot, voter["code"], voter["place"])


def _refuse_closed(row: BallotRow, now: datetime) -> None:
    if row.state(now) not in ("coming", "open"):
        raise BallotClosed


async def _held(conn: Connection, row: BallotRow, code: str) -> Mapping[str, object]:
    held = await conn.fetchrow(HOLD, row.district, row.id, code)
    if held is None:
        raise Missing("group")
    return dict(held)


# --- closing, counting, publishing

POSSIBLE: Mapping[Move, frozenset[State]] = {
    "close": frozenset({"open"}),
    "count": frozenset({"closed"}),
    "publish": frozenset({"counted"}),
    "cancel": frozenset({"coming", "open", "closed"}),
}
WITH_REASON: frozenset[Move] = frozenset({"close", "cancel"})

CLOSE = "update ballot set version = $3, closes_at = $4 where district = $1 and id = $2"
COUNT = "update ballot set version = $3, counted_at = $4, result = $5 where district = $1 and id = $2"
PUBLISH = "update ballot set version = $3, published_at = $4 where district = $1 and id = $2"
CANCEL = "update ballot set version = $3, cancelled_at = $4 where district = $1 and id = $2"


async def move(
    conn: Connection, ring: KeyRing, reader: Reader, ballot: UUID, asked: BallotMove, now: datetime
) -> Changed:
    """Close a ballot early, count it, publish its result, or cancel it; the same again gets its first answer.

    Raises NotFound, NotAllowed, IdTaken, StaleVersion, BallotMoveNotPossible, Missing or NotForThisMove."""
    row = await ballots.to_manage(conn, reader, ballot, hold="for update")
    if before := await _asked_before(conn, reader, ballot, asked.id, asked):
        return before
    state = row.state(now)
    if asked.expected_version != row.version:
        raise StaleVersion("expected_version", version=row.version, state=state)
    if state not in POSSIBLE[asked.move]:
        raise BallotMoveNotPossible("move", state=state, version=row.version)
    reason = _reason(asked)
    facts: Row = {}
    at = (row.district, row.id, row.version + 1)
    if asked.move == "count":
        options = await ballots.count_options(conn, row.district, row.id)
        boxes = await ballot_boxes.open_all(conn, ring, row.district, row.id, options)
        found = await ballots.worked_out(conn, row, boxes)
        facts["boxes"] = {box.code: box.digest for box in boxes}
        await conn.execute(COUNT, *at, now, ballots.as_json(found))
    else:
        await conn.execute({"close": CLOSE, "publish": PUBLISH, "cancel": CANCEL}[asked.move], *at, now)
    after = await ballots.row_of(conn, row.district, row.id)
    facts |= {"state": after.state(now), "closes_at": after.closes_at}
    await _tell(conn, reader, after, asked.id, asked.move, request_digest(asked), facts, now, reason=reason)
    return Changed(id=row.id, version=after.version, state=after.state(now))


def _reason(asked: BallotMove) -> str | None:
    if asked.move in WITH_REASON:
        if asked.reason is None or not asked.reason.strip():
            raise Missing("reason")
        return asked.reason.strip()
    if asked.reason is not None:
        raise NotForThisMove("reason")
    return None


# --- the history, which says nothing of single votes

ASKED_BEFORE = "select thing, actor, request, version, facts from history where district = $1 and id = $2"


async def _asked_before(conn: Connection, reader: Reader, ballot: UUID, id_: UUID, asked: object) -> Changed | None:
    first = await conn.fetchrow(ASKED_BEFORE, reader.district, id_)
    if first is None:
        return None
    if (first["thing"], first["actor"], first["request"]) != (ballot, str(reader.member), request_digest(asked)):
        raise IdTaken("id")
    return Changed(id=ballot, version=first["version"], state=first["facts"]["state"])


async def _occurred_before(conn: Connection, reader: Reader, ballot: UUID, id_: UUID, request: bytes) -> int | None:
    first = await conn.fetchrow(ASKED_BEFORE, reader.district, id_)
    if first is None:
        return None
    facts = first["facts"]
    if (facts.get("about"), first["actor"], facts.get("request")) != (str(ballot), str(reader.member), request.hex()):
        raise IdTaken("id")
    count: int = facts["count"]
    return count


async def _occurred(
    conn: Connection, reader: Reader, ballot: UUID, id_: UUID, event: str, facts: Row, now: datetime
) -> None:
    actor = Actor("member", str(reader.member))
    told = occurrence(
        district=reader.district, id=id_, kind="ballot", event=event, actor=actor, now=now, about=ballot, facts=facts
    )
    await history.append(conn, [told], [])


async def _tell(
    conn: Connection,
    reader: Reader,
    row: BallotRow,
    id_: UUID,
    event: str,
    request: bytes,
    facts: Row,
    now: datetime,
    *,
    texts: Mapping[str, str] | None = None,
    reason: str | None = None,
) -> None:
    told: Row = {"state": row.state(now)} | facts
    written: list[Row] = []
    if texts is not None:
        text, told["text_digest"] = text_row(row.district, row.id, row.version, texts, now)
        told["text_version"] = row.version
        written.append(text)
    if reason is not None:
        why, told["reason_digest"] = text_row(row.district, id_, 1, {"reason": reason}, now)
        written.append(why)
    event_ = event_row(
        district=row.district,
        id=id_,
        kind="ballot",
        thing=row.id,
        version=row.version,
        event=event,
        actor=Actor("member", str(reader.member)),
        happened_at=now,
        recorded_at=now,
        facts=told,
        request=request,
    )
    await history.append(conn, [event_], written)

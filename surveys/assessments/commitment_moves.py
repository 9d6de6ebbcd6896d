"""Commitments on their way: made by an organisation or a member, approved or sent back by the branch, reported done
with proof, or withdrawn with a reason."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.assessments import commitment_audiences, commitment_photos
from surveys.assessments.commitment_audiences import Aim, ForWhom, Part
from surveys.assessments.commitment_terms import (
    LONGEST_AHEAD,
    MOVES,
    NEEDS,
    TAKES,
    CommitmentDraft,
    CommitmentMove,
    CommitmentMoveNotPossible,
    DueTooFar,
    Move,
    Moved,
    OwnCommitment,
    State,
)
from surveys.history import Actor, Row, event_row, request_digest, text_row
from surveys.people import organisations, scopes
from surveys.people.people import Reader
from surveys.refusals import (
    IdTaken,
    Missing,
    NotAllowed,
    NotForThisMove,
    NotFound,
    StaleVersion,
    TextUnusable,
    TimeInFuture,
    TimeInPast,
    UnknownOrganisation,
)


class CommitmentRow(Struct, frozen=True, kw_only=True):
    """A row of the table `commitment`, as far as moves need it."""

    district: int
    id: UUID
    version: int
    organisation: UUID
    member: UUID | None
    state: State
    aim: Aim
    due_at: datetime
    text_version: int
    made_by: UUID
    approved_at: datetime | None = None
    done_at: datetime | None = None


ROW = ", ".join(CommitmentRow.__struct_fields__)


# --- making

MAKE = """
insert into commitment (district, id, version, organisation, member, state, aim, due_at, text_version, made_by,
                        proposed_at, recorded_at)
values ($1, $2, 1, $3, $4, 'proposed', $5, $6, 1, $7, $8, $8)
"""


async def make(conn: Connection, reader: Reader, draft: CommitmentDraft, zone: ZoneInfo, now: datetime) -> Moved:
    """Propose a commitment; the same draft again gets its first answer. A member makes their own and their
    organisation's; who looks after organisations makes theirs as well.

    Raises NotAllowed, UnknownOrganisation, IdTaken, TextUnusable, TimeInPast, DueTooFar, Missing, UnknownArea or
    UnknownCommunity."""
    scopes.refuse_who_reads_nothing(reader)
    if before := await _asked_before(conn, reader, draft.id, draft.id, draft):
        return before
    organisation = await _promising(conn, reader, draft.organisation)
    member = reader.member if draft.organisation is None else None
    whom = ForWhom(aim=draft.aim, doors=draft.doors, communities=draft.communities)
    _refuse_unfit_aim(whom)
    due_at = _due(draft.due_on, zone, now)
    text = _text(draft.text, "text")
    parts = await commitment_audiences.resolved(conn, reader, organisation, whom)
    await conn.execute(MAKE, reader.district, draft.id, organisation, member, draft.aim, due_at, reader.member, now)
    await commitment_audiences.write(conn, reader.district, draft.id, parts)
    made = CommitmentRow(
        district=reader.district,
        id=draft.id,
        version=1,
        organisation=organisation,
        member=member,
        state="proposed",
        aim=draft.aim,
        due_at=due_at,
        text_version=1,
        made_by=reader.member,
    )
    await _tell(conn, reader, made, draft.id, "propose", request_digest(draft), now, parts=parts, texts={"text": text})
    return _moved(made)


OPEN = "select exists (select from organisation where district = $1 and id = $2 and closed_at is null)"


async def _promising(conn: Connection, reader: Reader, organisation: UUID | None) -> UUID:
    """The organisation that promises, or whose member does. Raises UnknownOrganisation."""
    own = organisation in (None, reader.organisation)
    wanted = organisation or reader.organisation
    reach = set() if own else await _within(conn, reader)
    there: bool = await conn.fetchval(OPEN, reader.district, wanted)
    if not there or not (own or reach is None or wanted in reach):
        raise UnknownOrganisation("organisation", given=str(wanted))
    return wanted


async def _within(conn: Connection, reader: Reader) -> set[UUID] | None:
    """The organisations that the reader looks after, None standing for all."""
    if not reader.roles() & {"administrator", "organiser"}:
        return set()
    return await organisations.within(conn, reader)


def _refuse_unfit_aim(whom: ForWhom) -> None:
    for field, aim in (("doors", "doors"), ("communities", "communities")):
        if getattr(whom, field) and whom.aim != aim:
            raise NotForThisMove(field)


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The end of a day where the district is."""
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), zone)


def _due(day: date, zone: ZoneInfo, now: datetime) -> datetime:
    today = now.astimezone(zone).date()
    if day < today:
        raise TimeInPast("due_on")
    if day > today + LONGEST_AHEAD:
        raise DueTooFar("due_on", years=5)
    return end_of(day, zone)


def _text(text: str, field: str) -> str:
    bare = text.strip()
    if not bare or not all(one.isprintable() or one == "\n" for one in bare):
        raise TextUnusable(field)
    return bare


# --- moving

LOCK = f"select {ROW} from commitment where district = $1 and id = $2 for update"


async def move(
    conn: Connection, reader: Reader, commitment: UUID, asked: CommitmentMove, zone: ZoneInfo, now: datetime
) -> Moved:
    """Move a commitment; the same move again gets its first answer.

    Raises NotFound, NotAllowed, OwnCommitment, IdTaken, StaleVersion, CommitmentMoveNotPossible, NotForThisMove,
    Missing and what `make` raises; for what is reported done TimeInFuture, or TimeInPast before it stood."""
    scopes.refuse_who_reads_nothing(reader)
    found = await conn.fetchrow(LOCK, reader.district, commitment)
    row = CommitmentRow(**found) if found else None
    reach = await _within(conn, reader)
    if row is None or not _concerns(reader, row, reach):
        raise NotFound
    if before := await _asked_before(conn, reader, commitment, asked.id, asked):
        return before
    _refuse_who_may_not(reader, row, reach, asked.move)
    if asked.expected_version != row.version:
        raise StaleVersion("expected_version", version=row.version, state=row.state)
    if row.state not in MOVES[asked.move][0]:
        raise CommitmentMoveNotPossible("move", state=row.state, version=row.version)
    _refuse_unfit(asked)
    after = msgspec.structs.replace(row, version=row.version + 1, state=MOVES[asked.move][1])
    return _moved(await _carry_out(conn, reader, after, asked, zone, now))


def _concerns(reader: Reader, row: CommitmentRow, reach: set[UUID] | None) -> bool:
    """Whether the reader knows that there is this commitment."""
    theirs = reader.member in (row.made_by, row.member)
    return theirs or row.approved_at is not None or reach is None or row.organisation in reach


def _refuse_who_may_not(reader: Reader, row: CommitmentRow, reach: set[UUID] | None, move: Move) -> None:
    """The branch decides, never who made it; whoever promised it, wrote it down, or looks after the organisation does
    the rest."""
    theirs = reader.member in (row.made_by, row.member)
    looks_after = reach is None or row.organisation in reach
    if move in ("approve", "send_back"):
        if theirs:
            raise OwnCommitment
        if not looks_after:
            raise NotAllowed
    elif not (theirs or (looks_after and move != "propose")):
        raise NotAllowed


def _refuse_unfit(asked: CommitmentMove) -> None:
    given = {name for name in asked.__struct_fields__ if getattr(asked, name) not in (None, ())}
    given -= {"id", "expected_version", "move"}
    for field in sorted(given - NEEDS[asked.move] - TAKES[asked.move]):
        raise NotForThisMove(field)
    for field in sorted(NEEDS[asked.move] - given):
        raise Missing(field)


APPROVE = "update commitment set version = $3, state = 'standing', approved_at = $4 where district = $1 and id = $2"
SEND_BACK = "update commitment set version = $3, state = 'returned' where district = $1 and id = $2"
PROPOSE = """
update commitment set version = $3, state = 'proposed', aim = $4, due_at = $5, text_version = $3
where district = $1 and id = $2
"""
DONE = """
update commitment set version = $3, state = 'done', done_at = $4, done_recorded_at = $5, done_by = $6,
  text_version = $3
where district = $1 and id = $2
"""
WITHDRAW = """
update commitment set version = $3, state = 'withdrawn', withdrawn_at = $4, withdrawal = $5
where district = $1 and id = $2
"""


async def _carry_out(
    conn: Connection, reader: Reader, row: CommitmentRow, asked: CommitmentMove, zone: ZoneInfo, now: datetime
) -> CommitmentRow:
    at = (row.district, row.id, row.version)
    parts, texts, reason = None, None, None
    if asked.move == "propose":
        row, parts = await _proposed_again(conn, reader, row, asked, zone, now)
        texts = {"text": _text(asked.text or "", "text")}
    elif asked.move == "approve":
        if row.due_at <= now:
            raise TimeInPast("due_on")
        row = msgspec.structs.replace(row, approved_at=now)
        await conn.execute(APPROVE, *at, now)
    elif asked.move == "report_done":
        before = await history.text(conn, row.district, row.id, row.text_version)
        texts = {"text": before.get("text", ""), "how": _text(asked.how or "", "how")}
        done_at = _done_at(asked.done_on, row, zone, now)
        row = msgspec.structs.replace(row, done_at=done_at, text_version=row.version)
        await conn.execute(DONE, *at, done_at, now, reader.member)
        await commitment_photos.expect(conn, row.district, row.id, asked.photos)
    else:
        reason = _text(asked.reason or "", "reason")
        if asked.move == "send_back":
            await conn.execute(SEND_BACK, *at)
        else:
            await conn.execute(WITHDRAW, *at, now, asked.id)
    digest = request_digest(asked)
    evidence = [photo.sha256 for photo in asked.photos]
    await _tell(
        conn, reader, row, asked.id, asked.move, digest, now, parts=parts, texts=texts, reason=reason, evidence=evidence
    )
    return row


async def _proposed_again(
    conn: Connection, reader: Reader, row: CommitmentRow, asked: CommitmentMove, zone: ZoneInfo, now: datetime
) -> tuple[CommitmentRow, list[Part]]:
    if asked.aim is None or asked.due_on is None:
        raise Missing("aim")
    whom = ForWhom(aim=asked.aim, doors=asked.doors, communities=asked.communities)
    _refuse_unfit_aim(whom)
    due_at = _due(asked.due_on, zone, now)
    parts = await commitment_audiences.resolved(conn, reader, row.organisation, whom)
    await conn.execute(PROPOSE, row.district, row.id, row.version, asked.aim, due_at)
    await commitment_audiences.write(conn, row.district, row.id, parts)
    return msgspec.structs.replace(row, aim=asked.aim, due_at=due_at, text_version=row.version), parts


def _done_at(day: date | None, row: CommitmentRow, zone: ZoneInfo, now: datetime) -> datetime:
    """When it was kept: now, or by the end of a day that is past."""
    today = now.astimezone(zone).date()
    approved = row.approved_at or now
    if day is None or day == today:
        return now
    if day > today:
        raise TimeInFuture("done_on")
    if day < approved.astimezone(zone).date():
        raise TimeInPast("done_on")
    return max(approved, end_of(day, zone))


ASKED_BEFORE = "select thing, actor, request, version, facts from history where district = $1 and id = $2"


async def _asked_before(conn: Connection, reader: Reader, commitment: UUID, id_: UUID, asked: object) -> Moved | None:
    first = await conn.fetchrow(ASKED_BEFORE, reader.district, id_)
    if first is None:
        return None
    if (first["thing"], first["actor"], first["request"]) != (commitment, str(reader.member), request_digest(asked)):
        raise IdTaken("id")
    return Moved(id=commitment, version=first["version"], state=first["facts"]["state"])


def _moved(row: CommitmentRow) -> Moved:
    return Moved(id=row.id, version=row.version, state=row.state)


async def _tell(
    conn: Connection,
    reader: Reader,
    row: CommitmentRow,
    id_: UUID,
    event: Move,
    request: bytes,
    now: datetime,
    *,
    parts: list[Part] | None = None,
    texts: Mapping[str, str] | None = None,
    reason: str | None = None,
    evidence: list[str] | None = None,
) -> None:
    """Write into the history what was done: codes, times and the digests of words."""
    facts: Row = {
        "state": row.state,
        "organisation": row.organisation,
        "member": row.member,
        "aim": row.aim,
        "due_at": row.due_at,
        "done_at": row.done_at,
    }
    written: list[Row] = []
    if parts is not None:
        facts["audience"] = [[part.kind, part.code] for part in parts]
    if texts is not None:
        text, facts["text_digest"] = text_row(row.district, row.id, row.version, texts, now)
        facts["text_version"] = row.version
        written.append(text)
    if reason is not None:
        why, facts["reason_digest"] = text_row(row.district, id_, 1, {"reason": reason}, now)
        written.append(why)
    if evidence:
        facts["evidence"] = evidence
    told = event_row(
        district=row.district,
        id=id_,
        kind="commitment",
        thing=row.id,
        version=row.version,
        event=event,
        actor=Actor("member", str(reader.member)),
        happened_at=row.done_at if event == "report_done" and row.done_at else now,
        recorded_at=now,
        facts=facts,
        request=request,
    )
    await history.append(conn, [told], written)


async def possible(conn: Connection, reader: Reader, commitment: UUID) -> list[Move]:
    """The moves that a reader can make now, for a page that offers them."""
    found = await conn.fetchrow(LOCK.removesuffix(" for update"), reader.district, commitment)
    if found is None:
        return []
    row, reach = CommitmentRow(**found), await _within(conn, reader)
    moves: list[Move] = []
    for each, (states, _) in MOVES.items():
        try:
            _refuse_who_may_not(reader, row, reach, each)
        except NotAllowed:
            continue
        if row.state in states:
            moves.append(each)
    return moves

"""How issues move: each move is one event by one actor, and closes one span and opens the next."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Connection

from surveys.clock import calendars, deadlines
from surveys.history import Actor, request_digest
from surveys.issues import (
    appointments,
    channels,
    corrections,
    issue_changes,
    issues,
    joint_reviews,
    judgements,
    merging,
    moves,
    offers,
    workflow,
)
from surveys.issues.categories import Channel
from surveys.issues.issue_changes import Change
from surveys.issues.issues import ROW, IssueRow
from surveys.issues.moves import Making, Moved, MoveDraft, Outcome
from surveys.issues.placing import Atlas
from surveys.issues.standings import standings
from surveys.issues.workflow import Move, Standing
from surveys.people import people, scopes
from surveys.people.people import Reader
from surveys.privacy import contacts
from surveys.privacy.sealing import KeyRing
from surveys.refusals import (
    IdTaken,
    Missing,
    MoveNotPossible,
    NotAllowed,
    NotFound,
    StaleVersion,
)

# One issue, locked until the transaction ends.
LOCK = f"""
select {", ".join("i." + name for name in IssueRow.__struct_fields__)}, c.street
from issue i left join community c on c.district = i.district and c.code = i.community
where i.district = $1 and i.id = $2
for update of i
"""

# What somebody is only to a move that was made before brings an issue within nobody's reach.
FORMERLY: frozenset[Standing] = frozenset({"asker", "resolver"})

# The answer that a move got the first time.
MOVED_BEFORE = """
select h.thing, h.actor, h.request, h.version, h.facts, i.number
from history h left join issue i on i.district = h.district and i.id = h.thing
where h.district = $1 and h.id = $2
"""


async def move(
    conn: Connection, atlas: Atlas, reader: Reader, issue: UUID, draft: MoveDraft, now: datetime, ring: KeyRing
) -> Moved:
    """Make one move; the same draft again gets its first answer.

    Raises NotFound, IdTaken, StaleVersion, MoveNotPossible, NotAllowed, or Invalid with the field."""
    if draft.move in ("merge", "unmerge"):
        await merging.hold(conn, reader.district, issue, draft.to)
    locked = await _lock(conn, reader, issue)
    request = _request(draft, ring)
    if locked is None or locked[0].version != draft.expected_version:
        before = await _moved_before(conn, reader, issue, draft, request)
        if before:
            return before
    if locked is None:
        raise NotFound
    making = await _may_make(conn, atlas, reader, locked, draft, now)
    name = draft.move
    outcome = PURE[name](making) if name in PURE else await ASKING[name](conn, making)
    written = await _write(conn, making, outcome, request)
    if draft.move == "correct" and draft.correction is not None and draft.correction.contact is not None:
        await contacts.replace(conn, ring, written.district, written.id, draft.correction.contact, now)
    return _moved(draft.id, written)


def _request(draft: MoveDraft, ring: KeyRing) -> bytes:
    """What makes a retry known, and tells nothing of a contact."""
    correction = draft.correction
    if correction is None or correction.contact is None:
        return request_digest(draft)
    veiled = msgspec.structs.replace(correction, contact=contacts.veiled(ring, correction.contact))
    return request_digest(msgspec.structs.replace(draft, correction=veiled))


async def _lock(conn: Connection, reader: Reader, issue: UUID) -> tuple[IssueRow, str | None] | None:
    """An issue within the reader's reach, and its street. Whoever is something to it reaches it, so that the further
    question is asked of the others alone. Raises NotAllowed for whoever holds no role that reads issues."""
    scopes.refuse_who_reads_nothing(reader)
    found = await conn.fetchrow(LOCK, reader.district, issue)
    if found is None:
        return None
    columns = dict(found)
    street = columns.pop("street")
    row = IssueRow(**columns)
    within = bool(_stands(reader, row, street) - FORMERLY) or await scopes.reaches(conn, reader, issue)
    return (row, street) if within else None


async def _moved_before(
    conn: Connection, reader: Reader, issue: UUID, draft: MoveDraft, request: bytes
) -> Moved | None:
    """The first answer to this move, which may have taken the issue out of the reader's reach. It has moved the issue
    on, so that nobody need be asked while the version is the one expected."""
    first = await conn.fetchrow(MOVED_BEFORE, reader.district, draft.id)
    if first is None:
        return None
    if (first["thing"], first["actor"], first["request"]) != (issue, str(reader.member), request):
        raise IdTaken("id")
    facts = first["facts"]
    return Moved(
        id=draft.id,
        issue=issue,
        number=str(first["number"]),
        version=first["version"],
        state=facts["state"],
        owner=UUID(facts["owner"]),
        department=facts["department"],
        due_at=datetime.fromisoformat(facts["due_at"]),
    )


# Who said last that an issue is solved.
RESOLVER = """
select actor from history where district = $1 and thing = $2 and event = 'resolve' order by version desc limit 1
"""


async def _may_make(
    conn: Connection,
    atlas: Atlas,
    reader: Reader,
    locked: tuple[IssueRow, str | None],
    draft: MoveDraft,
    now: datetime,
) -> Making:
    """The move, if it may be made. Raises StaleVersion, MoveNotPossible, NotAllowed, Missing, NotForThisMove."""
    row, street = locked
    if draft.expected_version != row.version:
        raise StaleVersion("expected_version", state=row.state, version=row.version, owner=row.owner)
    possible = workflow.possible(row)
    if draft.move not in possible:
        raise MoveNotPossible("move", state=row.state, version=row.version, possible=possible)
    resolver = None
    if "resolver" in workflow.MOVES[draft.move].never:
        resolver = await conn.fetchval(RESOLVER, row.district, row.id)
    stands = _stands(reader, row, street, resolver)
    if not workflow.lets(row.state, draft.move, stands):
        raise NotAllowed("move", move=draft.move)
    draft.check()
    return Making(atlas=atlas, reader=reader, stands=stands, row=row, street=street, draft=draft, now=now)


def _stands(reader: Reader, row: IssueRow, street: str | None, resolver: str | None = None) -> frozenset[Standing]:
    return standings(
        reader,
        owner=row.owner,
        reporter=row.reporter,
        community=row.community,
        street=street,
        department=row.department,
        offered_to=row.offered_to,
        agent=row.agent,
        asked_by=row.asked_by,
        resolver=resolver,
        consulted=row.consulted,
    )


def _led(making: Making) -> Outcome:
    """A change of state and nothing else, as the table says it."""
    return Outcome(row=_after(making))


def _after(making: Making) -> IssueRow:
    return msgspec.structs.replace(making.row, state=workflow.after(making.row.state, making.draft.move))


def _reject(making: Making) -> Outcome:
    return Outcome(row=moves.settled(_after(making)))


def _close(making: Making) -> Outcome:
    """Closed by somebody's own word, where the resident's would be better."""
    return Outcome(row=_after(making), facts={"by_hand": True})


# Channels on which somebody was at the door, and can show it.
PROVEN: frozenset[Channel] = frozenset({"agent"})


async def _resolve(conn: Connection, making: Making) -> Outcome:
    """Solved; what was solved in one go, or at the door, is shown to be. Raises Missing, OpinionsMissing."""
    row = making.row
    if (row.state == "reported" or row.channel in PROVEN) and not making.draft.evidence:
        raise Missing("evidence", move="resolve")
    return Outcome(row=moves.settled(_after(making)), facts=await joint_reviews.in_the_way(conn, making))


async def _reopen(conn: Connection, making: Making) -> Outcome:
    return Outcome(row=await reopened(conn, making.row, making.now))


async def reopened(conn: Connection, row: IssueRow, now: datetime) -> IssueRow:
    """The row of an issue that is opened again: its clock anew, in its owner's hands if they are still there."""
    return msgspec.structs.replace(
        row,
        state=workflow.after(row.state, "reopen"),
        owner=await _owner_now(conn, row, now),
        **deadlines.of_reopened(await calendars.in_force(conn, row.district, now), row, now),
    )


async def _owner_now(conn: Connection, row: IssueRow, now: datetime) -> UUID:
    """Who answered for an issue that is taken up again; who is on duty now, if they have left or are away."""
    there = await people.present(conn, row.district, [row.owner], now)
    return row.owner if row.owner in there else await people.first_handler(conn, row.district, row.community, now)


async def _merge(conn: Connection, making: Making) -> Outcome:
    """Raises NotFound for a survivor out of reach, NotAllowed for one about which the reader may not decide."""
    into = await _survivor(conn, making)
    merging.refuse_unfit(making.row, into)
    joined = await merging.merged(conn, making.row, into, making.draft.id, _actor(making), making.now)
    await merging.decide(conn, joined, "merged", making.reader.member, making.now)
    # until when somebody granted a pause holds once it is taken apart
    row = msgspec.structs.replace(moves.settled(joined.row), pause_until=_granted_until(making.row))
    return Outcome(row=row, facts=joined.facts, also=[joined.survivor])


def _granted_until(row: IssueRow) -> datetime | None:
    return row.pause_until if row.state == "paused" else None


async def _survivor(conn: Connection, making: Making) -> IssueRow:
    named = merging.named(making.draft.to)
    locked = await _lock(conn, making.reader, named) if named else None
    if locked is None:
        raise NotFound("to")
    row, street = locked
    if not workflow.MATCHING & _stands(making.reader, row, street):
        raise NotAllowed("to", move="merge")
    return row


async def _unmerge(conn: Connection, making: Making) -> Outcome:
    joined = await merging.taken_apart(conn, making.row, making.draft.id, _actor(making))
    await merging.decide(conn, joined, "dismissed", making.reader.member, making.now)
    owner = await _owner_now(conn, joined.row, making.now)
    row = msgspec.structs.replace(joined.row, owner=owner)
    return Outcome(row=row, facts=joined.facts, also=[joined.survivor])


def _actor(making: Making) -> Actor:
    return Actor("member", str(making.reader.member))


# How each move is made: from what is known of it, or by asking the database.
PURE: Mapping[Move, Callable[[Making], Outcome]] = {
    "accept": offers.accept,
    "decline": offers.decline,
    "start": _led,
    "close": _close,
    "reject": _reject,
    "return": judgements.give_back,
    "refuse": judgements.refuse,
}
ASKING: Mapping[Move, Callable[[Connection, Making], Awaitable[Outcome]]] = {
    "assign": offers.assign,
    "resolve": _resolve,
    "reopen": _reopen,
    "correct": corrections.correct,
    "pause": judgements.pause,
    "resume": judgements.resume,
    "extend": judgements.extend,
    "approve": judgements.approve,
    "merge": _merge,
    "unmerge": _unmerge,
    "change_channel": channels.change,
    "follow": channels.follow,
    "appoint": appointments.appoint,
    "opine": joint_reviews.opine,
    "meet": joint_reviews.meet,
}


async def _write(conn: Connection, making: Making, outcome: Outcome, request: bytes) -> IssueRow:
    draft = making.draft
    change = Change(
        before=making.row,
        after=outcome.row,
        id=draft.id,
        event=draft.move,
        actor=_actor(making),
        facts=outcome.facts,
        reason=draft.reason,
        despite=draft.despite,
        texts=outcome.texts,
        evidence=draft.evidence,
        request=request,
    )
    return (await issue_changes.write(conn, [change, *outcome.also], making.now))[0]


# The issues of a visit that nobody has taken on yet.
UNTOUCHED = f"select {ROW} from issue where district = $1 and visit = $2 and state = 'reported' order by id for update"


async def withdraw(conn: Connection, reader: Reader, visit: UUID, correction: UUID, reason: str, now: datetime) -> None:
    """Reject the issues of a visit that is taken back, but for those that somebody has already accepted."""
    changes = []
    for found in await conn.fetch(UNTOUCHED, reader.district, visit):
        row = IssueRow(**found)
        changes.append(
            Change(
                before=row,
                after=msgspec.structs.replace(moves.settled(row), state="rejected"),
                id=issues.event_id(row.id, f"withdraw {correction}"),
                event="reject",
                actor=Actor("member", str(reader.member)),
                reason=reason,
            )
        )
    await issue_changes.write(conn, changes, now)


def _moved(move_id: UUID, row: IssueRow) -> Moved:
    return Moved(
        id=move_id,
        issue=row.id,
        number=str(row.number),
        version=row.version,
        state=row.state,
        owner=row.owner,
        department=row.department,
        due_at=row.due_at,
    )

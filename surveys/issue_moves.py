"""How issues move: each move is one event by one actor, and closes one span and opens the next."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Meta, Struct

from surveys import (
    calendars,
    categories,
    contacts,
    deadlines,
    history,
    issue_changes,
    issues,
    merging,
    people,
    placing,
    scopes,
    workflow,
)
from surveys.categories import Urgency
from surveys.contacts import Contact
from surveys.history import Actor, request_digest
from surveys.issue_changes import Change
from surveys.issues import ROW, Description, IssueRow, Photo, Title
from surveys.people import Reader
from surveys.placing import Atlas, Position, ToPlace
from surveys.refusals import (
    IdTaken,
    Missing,
    MoveNotPossible,
    NotAllowed,
    NotFound,
    StaleVersion,
    TextUnusable,
    UnknownCategory,
    UnknownCommunity,
    UnknownDepartment,
    UnknownMember,
)
from surveys.scopes import Parameters
from surveys.sealing import KeyRing
from surveys.workflow import Move, Standing, State


class Correction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a correction changes; what is left out stays."""

    category: str | None = None
    urgency: Urgency | None = None
    title: Title | None = None
    description: Description | None = None
    position: Position | None = None
    community: str | None = None
    contact: Contact | None = None  # a blank one takes away what was there


class MoveDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A move as it is asked for; `to` is the id of a member or the code of a department."""

    id: UUID
    move: Move
    expected_version: int
    to: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    reason: Annotated[str, Meta(max_length=5_000)] | None = None
    evidence: tuple[Photo, ...] = ()
    correction: Correction | None = None


class Moved(Struct, frozen=True, kw_only=True):
    """What a move led to."""

    id: UUID
    issue: UUID
    number: str
    version: int
    state: State
    owner: UUID
    department: str | None
    due_at: datetime


# One issue within the reader's reach, locked until the transaction ends.
LOCK = f"""
select {", ".join("i." + name for name in IssueRow.__struct_fields__)}, c.street
from issue i left join community c on c.district = i.district and c.code = i.community
where i.district = $1 and i.id = $2 and {{reached}}
for update of i
"""

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
    before = await _moved_before(conn, reader, issue, draft, request)
    if before:
        return before
    if locked is None:
        raise NotFound
    row, street = locked
    _refuse_wrong_move(reader, row, street, draft)
    joined = await _join(conn, reader, row, draft, now)
    changed, texts = (joined.row, None) if joined else await _apply(conn, atlas, reader, row, draft, now)
    changed = await _write(conn, reader, row, changed, draft, texts, now, request, joined)
    if draft.move == "correct" and draft.correction is not None and draft.correction.contact is not None:
        await contacts.replace(conn, ring, row.district, row.id, draft.correction.contact, now)
    return _moved(draft.id, changed)


def _request(draft: MoveDraft, ring: KeyRing) -> bytes:
    """What makes a retry known, and tells nothing of a contact."""
    correction = draft.correction
    if correction is None or correction.contact is None:
        return request_digest(draft)
    veiled = msgspec.structs.replace(correction, contact=contacts.veiled(ring, correction.contact))
    return request_digest(msgspec.structs.replace(draft, correction=veiled))


async def _lock(conn: Connection, reader: Reader, issue: UUID) -> tuple[IssueRow, str | None] | None:
    parameter = Parameters(reader.district, issue)
    reached = (await scopes.reach(conn, reader)).condition(parameter, "issue", "i") or "true"
    found = await conn.fetchrow(LOCK.format(reached=reached), *parameter.values)
    if found is None:
        return None
    columns = dict(found)
    street = columns.pop("street")
    return IssueRow(**columns), street


async def _moved_before(
    conn: Connection, reader: Reader, issue: UUID, draft: MoveDraft, request: bytes
) -> Moved | None:
    """The first answer to this move, which may have taken the issue out of the reader's reach."""
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


def _refuse_wrong_move(reader: Reader, row: IssueRow, street: str | None, draft: MoveDraft) -> None:
    if draft.expected_version != row.version:
        raise StaleVersion("expected_version", state=row.state, version=row.version, owner=row.owner)
    rule = workflow.MOVES[draft.move]
    if row.state not in rule.starts:
        raise MoveNotPossible("move", state=row.state, version=row.version, possible=workflow.possible(row.state))
    if not rule.who & _stands(reader, row, street):
        raise NotAllowed("move", move=draft.move)
    for need in rule.needs:
        given = getattr(draft, need)
        if given is None or (isinstance(given, str) and not given.strip()):
            raise Missing(need, move=draft.move)


def _stands(reader: Reader, row: IssueRow, street: str | None) -> frozenset[Standing]:
    return standings(
        reader,
        owner=row.owner,
        reporter=row.reporter,
        community=row.community,
        street=street,
        department=row.department,
    )


def standings(
    reader: Reader,
    *,
    owner: UUID,
    reporter: UUID | None,
    community: str | None,
    street: str | None,
    department: str | None,
) -> frozenset[Standing]:
    """What the reader is to an issue of this owner, reporter, place and department."""
    found: set[Standing] = set()
    if owner == reader.member:
        found.add("owner")
    if reporter == reader.member:
        found.add("reporter")
    for grant in reader.grants:
        if grant.role == "administrator":
            found.add("administrator")
        elif grant.role == "community_worker" and grant.scope == community:
            found.add("community_worker")
        elif grant.role == "dispatcher" and (grant.scope_kind == "district" or grant.scope == street):
            found.add("dispatcher")
        elif grant.role == "department_handler" and grant.scope == department:
            found.add("handler")
    return frozenset(found)


async def _apply(
    conn: Connection, atlas: Atlas, reader: Reader, row: IssueRow, draft: MoveDraft, now: datetime
) -> tuple[IssueRow, Mapping[str, str | None] | None]:
    """The row after the move, and its new texts if they change."""
    row = msgspec.structs.replace(row, state=workflow.after(row.state, draft.move))
    match draft.move:
        case "accept":
            return msgspec.structs.replace(row, owner=reader.member), None
        case "assign":
            return await _assign(conn, row, draft.to or ""), None
        case "reopen":
            return await reopened(conn, row, now), None
        case "correct":
            return await _correct(conn, atlas, row, draft.correction or Correction(), now)
        case _:
            return row, None


async def reopened(conn: Connection, row: IssueRow, now: datetime) -> IssueRow:
    """The row of an issue that is opened again: its clock anew, in its owner's hands if they are still there."""
    return msgspec.structs.replace(
        row,
        state=workflow.after(row.state, "reopen"),
        owner=await _owner_now(conn, row, now),
        **deadlines.of_reopened(await calendars.in_force(conn, row.district, now), row, now),
    )


async def _join(
    conn: Connection, reader: Reader, row: IssueRow, draft: MoveDraft, now: datetime
) -> merging.Joined | None:
    """What merging or taking apart leads to; None for every other move. Raises NotFound for a survivor out of reach,
    and NotAllowed for one about which the reader may not decide."""
    actor = Actor("member", str(reader.member))
    match draft.move:
        case "merge":
            into = await _survivor(conn, reader, draft.to)
            merging.refuse_unfit(row, into)
            joined = await merging.merged(conn, row, into, draft.id, actor, now)
            await merging.decide(conn, joined, "merged", reader.member, now)
            return joined
        case "unmerge":
            joined = await merging.taken_apart(conn, row, draft.id, actor)
            await merging.decide(conn, joined, "dismissed", reader.member, now)
            owner = await _owner_now(conn, joined.row, now)
            return msgspec.structs.replace(joined, row=msgspec.structs.replace(joined.row, owner=owner))
        case _:
            return None


async def _survivor(conn: Connection, reader: Reader, to: str | None) -> IssueRow:
    named = merging.named(to)
    locked = await _lock(conn, reader, named) if named else None
    if locked is None:
        raise NotFound("to")
    row, street = locked
    if not workflow.MATCHING & _stands(reader, row, street):
        raise NotAllowed("to", move="merge")
    return row


async def _owner_now(conn: Connection, row: IssueRow, now: datetime) -> UUID:
    """Who answered for an issue that is taken up again; who is on duty now, if they have left or are away."""
    there = await people.present(conn, row.district, [row.owner], now)
    return row.owner if row.owner in there else await _on_duty(conn, row, now)


async def _assign(conn: Connection, row: IssueRow, to: str) -> IssueRow:
    """A member becomes the owner; a department works on it while the owner goes on answering for it."""
    try:
        member = UUID(to)
    except ValueError:
        if not await people.department_exists(conn, row.district, to):
            raise UnknownDepartment("to", given=to) from None
        return msgspec.structs.replace(row, department=to)
    if member not in await people.open_members(conn, row.district, [member]):
        raise UnknownMember("to", given=to)
    return msgspec.structs.replace(row, owner=member)


async def _correct(
    conn: Connection, atlas: Atlas, row: IssueRow, correction: Correction, now: datetime
) -> tuple[IssueRow, Mapping[str, str | None] | None]:
    if correction == Correction():
        raise Missing("correction", move="correct")
    if correction.contact is not None and not correction.contact.blank:
        contacts.check(correction.contact, "correction.contact")
    row = await _correct_limit(conn, row, correction, now)
    row = await _correct_place(conn, atlas, row, correction, now)
    if correction.title is None and correction.description is None:
        return row, None
    if correction.title is not None and not correction.title.strip():
        raise TextUnusable("correction.title")
    present = await history.text(conn, row.district, row.id, row.text_version)
    texts = {
        "title": correction.title if correction.title is not None else present.get("title"),
        "description": correction.description if correction.description is not None else present.get("description"),
    }
    return row, texts


async def _correct_limit(conn: Connection, row: IssueRow, correction: Correction, now: datetime) -> IssueRow:
    """Another category or urgency has another limit, counted from when the clock started."""
    if correction.category is None and correction.urgency is None:
        return row
    code, urgency = correction.category or row.category, correction.urgency or row.urgency
    known = await categories.in_force(conn, row.district, now, [code])
    if code not in known or urgency not in known[code].limits:
        raise UnknownCategory("correction.category", given=code)
    limit = known[code].limits[urgency]
    calendar = await calendars.in_force(conn, row.district, now)
    pauses = await deadlines.pauses_of(conn, row.district, [row.id])
    changed = deadlines.of_other_limit(calendar, row, limit, pauses.get(row.id, ()))
    return msgspec.structs.replace(row, category=code, urgency=urgency, **changed)


async def _correct_place(
    conn: Connection, atlas: Atlas, row: IssueRow, correction: Correction, now: datetime
) -> IssueRow:
    """A new place is looked up in the boundaries of the day of the report; while nobody has accepted the issue, its
    owner follows the place."""
    if correction.position is None and correction.community is None:
        return row
    placing.check(correction.position, "correction.position")
    if correction.community is not None and not await placing.community_exists(
        conn, row.district, correction.community
    ):
        raise UnknownCommunity("correction.community", given=correction.community)
    if correction.position is None:
        row = msgspec.structs.replace(row, community=correction.community)
    else:
        wanted = ToPlace(correction.position, correction.community, row.reported_at)
        placed = placing.place(atlas, row.district, [wanted])[0]
        row = msgspec.structs.replace(row, **msgspec.structs.asdict(placed))
    if row.state != "reported":
        return row
    return msgspec.structs.replace(row, owner=await _on_duty(conn, row, now))


async def _on_duty(conn: Connection, row: IssueRow, now: datetime) -> UUID:
    handlers = await people.first_handlers(conn, row.district, [row.community], now)
    return handlers[row.community].id


async def _write(
    conn: Connection,
    reader: Reader,
    row: IssueRow,
    changed: IssueRow,
    draft: MoveDraft,
    texts: Mapping[str, str | None] | None,
    now: datetime,
    request: bytes,
    joined: merging.Joined | None = None,
) -> IssueRow:
    facts: dict[str, object] = dict(joined.facts) if joined else {}
    if draft.correction is not None and draft.correction.contact is not None:
        facts["contact"] = "removed" if draft.correction.contact.blank else "told"
    change = Change(
        before=row,
        after=changed,
        id=draft.id,
        event=draft.move,
        actor=Actor("member", str(reader.member)),
        facts=facts,
        reason=draft.reason,
        texts=texts,
        evidence=draft.evidence,
        request=request,
    )
    return (await issue_changes.write(conn, [change, *([joined.survivor] if joined else [])], now))[0]


# The issues of a visit that nobody has taken on yet.
UNTOUCHED = f"select {ROW} from issue where district = $1 and visit = $2 and state = 'reported' order by id for update"


async def withdraw(conn: Connection, reader: Reader, visit: UUID, correction: UUID, reason: str, now: datetime) -> None:
    """Reject the issues of a visit that is taken back, but for those that somebody has already accepted."""
    for found in await conn.fetch(UNTOUCHED, reader.district, visit):
        row = IssueRow(**found)
        changed = msgspec.structs.replace(row, state="rejected")
        draft = MoveDraft(
            id=issues.event_id(row.id, f"withdraw {correction}"),
            move="reject",
            expected_version=row.version,
            reason=reason,
        )
        await _write(conn, reader, row, changed, draft, None, now, request_digest(draft))


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

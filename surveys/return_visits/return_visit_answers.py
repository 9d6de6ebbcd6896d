"""What residents answer, through their card or to somebody who asked them; it closes an issue or opens it again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Meta, Struct

from surveys.history import Actor, Row, request_digest
from surveys.issues import issue_changes, issue_moves
from surveys.issues.issue_changes import Change
from surveys.issues.issues import ROW, IssueRow, event_id
from surveys.issues.measures import Answer as Said
from surveys.issues.workflow import SOLVED, Event, State
from surveys.people import scopes
from surveys.people.people import Reader, Role
from surveys.people.scopes import Parameters
from surveys.refusals import (
    AlreadyAnswered,
    AnswerTooLate,
    HandledItYourself,
    IdTaken,
    Missing,
    NotAllowed,
    NotFound,
    NotInvited,
    UnknownVisit,
    VisitUnfit,
)
from surveys.return_visits import return_visits
from surveys.return_visits.return_visits import COLUMNS, LATER, ReturnVisit, Via

AskedOn = Literal["visit", "call"]

EXPLAINED = 3  # of five; what is less needs a reason
SATISFIED = 3  # of five; what is less opens the issue again
# Who may ask residents at all; the other roles read, or handle what is asked about.
ASKING: frozenset[Role] = frozenset({"member", "community_worker", "dispatcher", "administrator"})

# Whoever did one of these has handled the issue. To pass it on, to judge what others ask for, or to put its text right
# is not to handle it.
HANDLING: frozenset[Event] = frozenset(
    {
        "accept",
        "appoint",
        "change_channel",
        "extend",
        "meet",
        "opine",
        "pause",
        "reject",
        "resolve",
        "resume",
        "return",
        "start",
    }
)


class Answer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a resident says: whether it is solved, how satisfied they are, and why, where they are not."""

    id: UUID
    solved: bool
    satisfaction: Annotated[int, Meta(ge=1, le=5)]
    reason: Annotated[str, Meta(max_length=5_000)] | None = None

    @property
    def content(self) -> bool:
        """Whether the issue can rest."""
        return self.solved and self.satisfaction >= SATISFIED


class AnswerHeard(Answer, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a member heard from a resident, at their door or by telephone; `visit` is the visit that was filed of it."""

    via: AskedOn
    visit: UUID | None = None


class Answered(Struct, frozen=True, kw_only=True):
    """What an answer led to."""

    id: UUID
    issue: UUID
    number: str
    version: int
    state: State
    owner: UUID
    due_at: datetime
    reopened: bool


async def answer_by_card(
    conn: Connection, district: int, issue: UUID, card: str, answer: Answer, now: datetime
) -> Answered:
    """What a resident says through their card, of an issue that the caller has made sure is theirs; the same answer
    again gets its first result. They may think better of it for a while.

    Raises NotFound, IdTaken, NotInvited, AnswerTooLate or Missing."""
    return await _answer(conn, district, issue, answer, _Telling(Actor("resident", card), "card"), now)


async def answer_by_member(
    conn: Connection, reader: Reader, issue: UUID, answer: AnswerHeard, now: datetime
) -> Answered:
    """What a member heard on a visit or by telephone; the same answer again gets its first result. Who handled the
    issue does not answer for the resident.

    Raises NotFound, NotAllowed, IdTaken, NotInvited, AlreadyAnswered, AnswerTooLate, HandledItYourself, UnknownVisit,
    VisitUnfit or Missing."""
    telling = _Telling(Actor("member", str(reader.member)), answer.via, reader, answer.visit)
    return await _answer(conn, reader.district, issue, answer, telling, now)


class _Telling(Struct, frozen=True):
    """Who tells what a resident said, and how they know; the reader is None where it is the resident."""

    actor: Actor
    via: Via
    reader: Reader | None = None
    visit: UUID | None = None


async def _answer(
    conn: Connection, district: int, issue: UUID, answer: Answer, telling: _Telling, now: datetime
) -> Answered:
    row = await _lock(conn, district, issue, telling.reader)
    request = request_digest(answer)
    before = await _answered_before(conn, district, issue, answer, telling.actor, request)
    if before:
        return before
    if row is None:
        raise NotFound
    if telling.reader is not None and not telling.reader.roles() & ASKING:
        raise NotAllowed
    visit = await _asked_about(conn, row, telling.via, now)
    if telling.reader is not None:
        await _refuse_unfit(conn, row, telling.reader, telling.visit)
    if not (answer.reason and answer.reason.strip()) and (not answer.solved or answer.satisfaction < EXPLAINED):
        raise Missing("reason")
    since: datetime = await conn.fetchval(SINCE, district, issue, row.version)
    return await _tell(conn, row, visit, answer, telling, request, max(now, since))


# Since when the issue is as it is: who had to wait for somebody else answers after them.
SINCE = "select valid_from from issue_spans where district = $1 and issue = $2 and version = $3"
LOCK = f"select {ROW} from issue i where i.district = $1 and i.id = $2 and {{reached}} for update"


async def _lock(conn: Connection, district: int, issue: UUID, reader: Reader | None) -> IssueRow | None:
    """The issue, until the transaction ends; None for one that is not within the reader's reach."""
    parameter = Parameters(district, issue)
    reached = (await scopes.reach(conn, reader)).condition(parameter, "issue", "i") if reader else None
    found = await conn.fetchrow(LOCK.format(reached=reached or "true"), *parameter.values)
    return IssueRow(**found) if found else None


BEFORE = """
select h.id, h.thing, h.actor_kind, h.actor, h.request, h.version, h.facts, i.number
from history h left join issue i on i.district = h.district and i.id = h.thing
where h.district = $1 and h.id = any($2) order by h.version
"""


async def _answered_before(
    conn: Connection, district: int, issue: UUID, answer: Answer, actor: Actor, request: bytes
) -> Answered | None:
    """What this answer led to the first time."""
    told = await conn.fetch(BEFORE, district, [answer.id, _reopening(answer)])
    if not told:
        return None
    first, last = told[0], told[-1]
    if (first["id"], first["thing"], Actor(first["actor_kind"], first["actor"]), first["request"]) != (
        answer.id,
        issue,
        actor,
        request,
    ):
        raise IdTaken("id")
    facts = last["facts"]
    return Answered(
        id=answer.id,
        issue=issue,
        number=str(last["number"]),
        version=last["version"],
        state=facts["state"],
        owner=UUID(facts["owner"]),
        due_at=datetime.fromisoformat(facts["due_at"]),
        reopened=len(told) > 1,
    )


def _reopening(answer: Answer) -> UUID:
    return event_id(answer.id, "reopen")


OF_ROUND = f"select {COLUMNS} from return_visit where district = $1 and issue = $2 and round = $3 and state <> 'void'"


async def _asked_about(conn: Connection, row: IssueRow, via: Via, now: datetime) -> ReturnVisit:
    """The return visit that asks for this answer."""
    present: dict[str, Any] = {"state": row.state, "version": row.version}
    found = await conn.fetchrow(OF_ROUND, row.district, row.id, row.resolutions) if row.state in SOLVED else None
    if found is None:
        raise NotInvited(**present)
    visit = ReturnVisit(**found)
    if visit.state == "answered" and via != "card":
        raise AlreadyAnswered(**present, solved=visit.solved, satisfaction=visit.satisfaction)
    if visit.state != "invited" and now > visit.invited_at + LATER:
        raise AnswerTooLate(**present)
    return visit


HANDLED = """
select exists (select from history where district = $1 and thing = $2 and actor_kind = 'member' and actor = $3
               and event = any($4))
"""


async def _refuse_unfit(conn: Connection, row: IssueRow, reader: Reader, visit: UUID | None) -> None:
    mine = reader.member in (row.owner, row.agent) or (row.department in reader.scopes("department"))
    if mine or await conn.fetchval(HANDLED, row.district, row.id, str(reader.member), sorted(HANDLING)):
        raise HandledItYourself
    if visit is not None:
        await _refuse_other_door(conn, row, reader.member, visit)


VISIT = """
select premises, community, outcome, ended_at from visit
where district = $1 and id = $2 and (member = $3 or companions @> array[$3]) and withdrawn_at is null
"""


async def _refuse_other_door(conn: Connection, row: IssueRow, member: UUID, visit: UUID) -> None:
    """A visit tells of an answer when somebody was met at the issue's door after it was resolved. A door that neither
    names by its id is taken to be the same in the same community."""
    found = await conn.fetchrow(VISIT, row.district, visit, member)
    if found is None:
        raise UnknownVisit("visit", given=str(visit))
    doors = (found["premises"], row.premises)
    same = doors[0] == doors[1] if None not in doors else found["community"] == row.community
    if not same or found["outcome"] != "met" or (row.resolved_at and found["ended_at"] < row.resolved_at):
        raise VisitUnfit("visit", given=str(visit))


async def _tell(
    conn: Connection,
    row: IssueRow,
    visit: ReturnVisit,
    answer: Answer,
    telling: _Telling,
    request: bytes,
    now: datetime,
) -> Answered:
    """Write the answer, and that it closes the issue or opens it again."""
    said: Said = "solved" if answer.solved else "not_solved"
    changed = msgspec.structs.replace(row, answer=said, satisfaction=answer.satisfaction)
    if answer.content:
        changed = msgspec.structs.replace(changed, state="closed")
    facts: Row = {
        "return_visit": visit.id,
        "round": visit.round,
        "via": telling.via,
        "answer": said,
        "satisfaction": answer.satisfaction,
    }
    change = Change(
        before=row,
        after=changed,
        id=answer.id,
        event="answer",
        actor=telling.actor,
        facts=facts | ({"on_visit": telling.visit} if telling.visit else {}),
        reason=answer.reason,
        request=request,
    )
    (written,) = await issue_changes.write(conn, [change], now)
    await return_visits.write(conn, [_answered(visit, answer, telling, now)])
    if not answer.content:
        written = await _reopen(conn, written, answer, telling.actor, facts, now)
    return Answered(
        id=answer.id,
        issue=row.id,
        number=str(row.number),
        version=written.version,
        state=written.state,
        owner=written.owner,
        due_at=written.due_at,
        reopened=not answer.content,
    )


def _answered(visit: ReturnVisit, answer: Answer, telling: _Telling, now: datetime) -> ReturnVisit:
    return msgspec.structs.replace(
        visit,
        state="answered",
        ended_at=visit.ended_at or now,
        answered_at=now,
        event=answer.id,
        via=telling.via,
        member=telling.reader.member if telling.reader else None,
        visit=telling.visit,
        solved=answer.solved,
        satisfaction=answer.satisfaction,
    )


async def _reopen(
    conn: Connection, row: IssueRow, answer: Answer, actor: Actor, facts: Mapping[str, object], now: datetime
) -> IssueRow:
    """Open the issue again at the resident's word: `by_resident` tells the level above."""
    change = Change(
        before=row,
        after=await issue_moves.reopened(conn, row, now),
        id=_reopening(answer),
        event="reopen",
        actor=actor,
        facts={**facts, "by_resident": True},
    )
    (written,) = await issue_changes.write(conn, [change], now)
    return written

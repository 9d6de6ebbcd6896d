"""Every change of an issue, by whomever: its row, the span that ends and the one that begins, and what the history
tells of it, in one statement, for one issue or for thousands."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.history import Actor, Row, text_row
from surveys.issues import issues, measures
from surveys.issues.issues import ROW, SPAN, IssueRow, Photo, Step, photo_row
from surveys.issues.workflow import SOLVED, Event


class Change(Struct, frozen=True, kw_only=True):
    """One event of one issue: what it was, and what it is from now on.

    `despite` says why, in spite of what spoke against it; `facts` are told beside what changed; `texts` are its title
    and description, where those change; `request` is the digest of what was asked, where a retry must be known
    again."""

    before: IssueRow
    after: IssueRow
    id: UUID
    event: Event
    actor: Actor
    facts: Mapping[str, object] = {}
    reason: str | None = None
    despite: str | None = None
    texts: Mapping[str, str | None] | None = None
    evidence: Sequence[Photo] = ()
    request: bytes | None = None


# What a move's answer is made of, and so is told of every change, whether it changed or not.
ALWAYS_TOLD = ("state", "owner", "department", "due_at")

SET = f"({ROW}) = ({', '.join(f't.{name}' for name in IssueRow.__struct_fields__)})"

# Rows are changed in the order of their ids, as everybody locks them.
WRITE = f"""
with told as (
  select * from json_populate_recordset(null::issue, $3)
), moved as (
  update issue i set {SET} from told t where i.district = t.district and i.id = t.id
), ended as (
  update issue_spans s set valid_to = greatest(s.valid_from, $4), end_recorded_at = $4
  from told t where s.district = t.district and s.issue = t.id and s.version = t.version - 1
), begun as (
  insert into issue_spans (district, issue, version, valid_from, recorded_at, {SPAN})
  select t.district, t.id, t.version, $4, $4, {", ".join(f"t.{name}" for name in issues.SPANNED)} from told t
), promised as (
  insert into issue_photo (district, issue, sha256, bytes)
  select district, issue, sha256, bytes from json_populate_recordset(null::issue_photo, $5)
  on conflict do nothing
), texts as ({history.INSERT_TEXTS})
{history.INSERT_EVENTS}
"""


# Nobody is asked about what is no longer taken for solved.
WITHDRAW_INVITATIONS = """
update return_visit set state = 'void', ended_at = $3 where district = $1 and issue = any($2) and state = 'invited'
"""


async def write(conn: Connection, changes: Sequence[Change], now: datetime) -> list[IssueRow]:
    """Write changes of issues that the caller has locked, in the same transaction; returns the rows as they stand.

    Each row gets its next version, its measures and the time since when it is held; what else changes is the
    caller's to say in `after`."""
    if not changes:
        return []
    rows = [_advanced(change, now) for change in changes]
    events: list[Row] = []
    texts: list[Row] = []
    for change, row in zip(changes, rows, strict=True):
        event, written = _told(change, row, now)
        events.append(event)
        texts.extend(written)
    photos = [photo_row(change.after, photo) for change in changes for photo in change.evidence]
    await conn.execute(WRITE, events, texts, rows, now, photos)
    unsolved = [row.id for change, row in zip(changes, rows, strict=True) if _is_unsolved(change, row)]
    if unsolved:
        await conn.execute(WITHDRAW_INVITATIONS, rows[0].district, unsolved, now)
    return rows


def _is_unsolved(change: Change, row: IssueRow) -> bool:
    return change.before.state in SOLVED and row.state not in SOLVED


def _advanced(change: Change, now: datetime) -> IssueRow:
    before, after = change.before, change.after
    changed: dict[str, Any] = measures.changes(before, change.event, now, after.state)
    changed["version"] = before.version + 1
    if handed_over(before, after):
        changed["held_since"] = now
    if change.texts is not None:
        changed["text_version"] = before.text_version + 1
    if after.state != before.state and "paused" in (before.state, after.state):
        changed["paused_at"] = now if after.state == "paused" else None
    return msgspec.structs.replace(after, **changed)


def handed_over(before: IssueRow, after: IssueRow) -> bool:
    """Whether the issue is in other hands than before."""
    return (before.owner, before.department) != (after.owner, after.department)


def _told(change: Change, row: IssueRow, now: datetime) -> tuple[Row, list[Row]]:
    """The event of a change, and the texts that it names."""
    facts = {**_differences(change.before, row), **change.facts}
    if handed_over(change.before, row):
        facts["lay_seconds"] = round((now - change.before.held_since).total_seconds())
        facts |= {"before": change.before.owner, "before_department": change.before.department}
    texts = []
    if change.texts is not None:
        text, facts["text_digest"] = text_row(row.district, row.id, row.text_version, change.texts, now, findable=True)
        texts.append(text)
    said = {"reason": change.reason, "despite": change.despite}
    if any(text and text.strip() for text in said.values()):
        reason, facts["reason_digest"] = text_row(row.district, change.id, 1, said, now)
        texts.append(reason)
    if change.evidence:
        facts["evidence"] = [photo.sha256 for photo in change.evidence]
    step = Step(
        id=change.id,
        event=change.event,
        actor=change.actor,
        happened_at=now,
        recorded_at=now,
        state=row.state,
        owner=row.owner,
        department=row.department,
    )
    return issues.event(row, row.version, step, facts, change.request), texts


def _differences(before: IssueRow, after: IssueRow) -> dict[str, object]:
    was, is_ = msgspec.structs.asdict(before), msgspec.structs.asdict(after)
    facts = {name: value for name, value in is_.items() if value != was[name] or name in ALWAYS_TOLD}
    facts.pop("version", None)
    return facts

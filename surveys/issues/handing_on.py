"""Handing on: what somebody owns, was asked to take on or was to go and see goes to others in the moment in which they
leave or are away."""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.history import Actor
from surveys.issues import issue_changes, moves, workflow
from surveys.issues.issue_changes import Change
from surveys.issues.issues import ROW, IssueRow, event_id
from surveys.people import people

# Every open issue that is in the hands of one of these members, or was to be, locked until the transaction ends.
OPEN_ISSUES = f"""
select {ROW} from issue
where district = $1 and state = any($3)
  and (owner = any($2) or offered_to = any($2) or agent = any($2) or leader = any($2))
order by id for update
"""


class HandedOn(Struct, frozen=True):
    """How many issues went from each member, and to whom."""

    by_member: Mapping[UUID, int]
    by_heir: Mapping[UUID, int]

    @property
    def total(self) -> int:
        return sum(self.by_member.values())


async def hand_on(
    conn: Connection, district: int, members: Mapping[UUID, UUID | None], actor: Actor, now: datetime
) -> HandedOn:
    """Hand on all open issues of members who have just left or begun to be away: to the deputy named beside each
    one's id, unless that one is away or has left as well; else to who is on duty for the issue's community.

    Run it in the transaction that closes them, after it has. An offer and an errand go to the deputy, or are taken
    back; a leader who has left follows nothing any more."""
    found = await conn.fetch(OPEN_ISSUES, district, list(members), sorted(workflow.OPEN))
    rows = [IssueRow(**row) for row in found]
    if not rows:
        return HandedOn({}, {})
    there = await people.present(conn, district, [one for one in members.values() if one], now)
    deputies = {member: deputy for member, deputy in members.items() if deputy is not None and deputy in there}
    duties = await people.first_handlers(conn, district, [row.community for row in rows], now)
    left = members.keys() - await people.open_members(conn, district, list(members))
    changes: list[Change] = []
    for row in rows:
        after = row
        if row.owner in members:
            after = _owned_by(row, deputies.get(row.owner) or duties[row.community].id)
        after = _without(after, members, deputies, left)
        if after != row:
            changes.append(_change(row, after, actor))
    await issue_changes.write(conn, changes, now)
    given = [change for change in changes if change.after.owner != change.before.owner]
    return HandedOn(Counter(change.before.owner for change in given), Counter(change.after.owner for change in given))


def _owned_by(row: IssueRow, heir: UUID) -> IssueRow:
    """The row in the heir's hands, who may ask anew for what was asked before; an offer stands, unless it is theirs."""
    if heir == row.owner:
        return row
    if row.asked_by == row.owner:
        row = moves.answered(row)
    return msgspec.structs.replace(row, owner=heir, offered_to=None if row.offered_to == heir else row.offered_to)


def _without(
    row: IssueRow, members: Collection[UUID], deputies: Mapping[UUID, UUID], left: Collection[UUID]
) -> IssueRow:
    """The row with nothing else left to these members."""
    if row.offered_to is not None and row.offered_to in members:
        deputy = deputies.get(row.offered_to)
        row = msgspec.structs.replace(row, offered_to=None if deputy == row.owner else deputy)
    if row.agent is not None and row.agent in members:
        deputy = deputies.get(row.agent)
        row = msgspec.structs.replace(row, agent=deputy, appointment_at=row.appointment_at if deputy else None)
    return msgspec.structs.replace(row, leader=None) if row.leader in left else row


def _change(row: IssueRow, after: IssueRow, actor: Actor) -> Change:
    return Change(
        before=row, after=after, id=event_id(row.id, f"hand_on {row.version + 1}"), event="hand_on", actor=actor
    )

"""Handing on: what somebody owns goes to others in the moment in which they leave or are away."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys import history, issue_moves, issues, people, workflow
from surveys.history import Actor, Row
from surveys.issues import ROW, IssueRow, Step, event_id

# Every open issue that one of these members owns, locked until the transaction ends.
OPEN_ISSUES = f"""
select {ROW} from issue where district = $1 and owner = any($2) and state = any($3) order by id for update
"""

# Each closes one span and opens the next; what else they were stays.
HAND_ON = """
with handed as (
  select id, version, owner from json_to_recordset($2) as h(id uuid, version int, owner uuid)
), owned as (
  update issue i set owner = h.owner, version = h.version from handed h where i.district = $1 and i.id = h.id
), ended as (
  update issue_spans s set valid_to = greatest(s.valid_from, $3), end_recorded_at = $3
  from handed h where s.district = $1 and s.issue = h.id and s.version = h.version - 1
)
insert into issue_spans (district, issue, version, valid_from, recorded_at,
                         state, owner, department, community, category, urgency, due_at)
select i.district, i.id, h.version, $3, $3,
       i.state, h.owner, i.department, i.community, i.category, i.urgency, i.due_at
from handed h join issue i on i.district = $1 and i.id = h.id
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

    Run it in the transaction that closes them, after it has."""
    found = await conn.fetch(OPEN_ISSUES, district, list(members), sorted(workflow.OPEN))
    rows = [IssueRow(**row) for row in found]
    if not rows:
        return HandedOn({}, {})
    deputies = await people.present(conn, district, [one for one in members.values() if one], now)
    duties = await people.first_handlers(conn, district, [row.community for row in rows], now)
    changed: list[tuple[IssueRow, IssueRow]] = []
    for row in rows:
        deputy = members[row.owner]
        heir = deputy if deputy in deputies else duties[row.community].id
        if heir is not None and heir != row.owner:
            changed.append((row, msgspec.structs.replace(row, owner=heir, version=row.version + 1)))
    await _write(conn, district, changed, actor, now)
    return HandedOn(Counter(before.owner for before, _ in changed), Counter(after.owner for _, after in changed))


async def _write(
    conn: Connection, district: int, changed: list[tuple[IssueRow, IssueRow]], actor: Actor, now: datetime
) -> None:
    handed = [{"id": after.id, "version": after.version, "owner": after.owner} for _, after in changed]
    await conn.execute(HAND_ON, district, handed, now)
    await history.append(conn, [_event(before, after, actor, now) for before, after in changed], [])


def _event(before: IssueRow, after: IssueRow, actor: Actor, now: datetime) -> Row:
    step = Step(
        id=event_id(after.id, f"hand_on {after.version}"),
        event="hand_on",
        actor=actor,
        happened_at=now,
        state=after.state,
        owner=after.owner,
        department=after.department,
    )
    facts = {**issue_moves.changes(before, after), "before": before.owner}
    return issues.event(msgspec.structs.replace(after, recorded_at=now), after.version, step, facts)

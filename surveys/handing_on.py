"""Handing on: what somebody owns goes to others in the moment in which they leave or are away."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys import issue_changes, people, workflow
from surveys.history import Actor
from surveys.issue_changes import Change
from surveys.issues import ROW, IssueRow, event_id

# Every open issue that one of these members owns, locked until the transaction ends.
OPEN_ISSUES = f"""
select {ROW} from issue where district = $1 and owner = any($2) and state = any($3) order by id for update
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
    changes: list[Change] = []
    for row in rows:
        deputy = members[row.owner]
        heir = deputy if deputy in deputies else duties[row.community].id
        if heir is not None and heir != row.owner:
            changes.append(_change(row, heir, actor))
    await issue_changes.write(conn, changes, now)
    return HandedOn(
        Counter(change.before.owner for change in changes), Counter(change.after.owner for change in changes)
    )


def _change(row: IssueRow, heir: UUID, actor: Actor) -> Change:
    return Change(
        before=row,
        after=msgspec.structs.replace(row, owner=heir),
        id=event_id(row.id, f"hand_on {row.version + 1}"),
        event="hand_on",
        actor=actor,
    )

"""Return visits: going back to ask whether an issue is solved, and how satisfied the resident is.

Each time that an issue is resolved somebody is asked, once. What they say closes the issue or opens it again; silence
closes it as not answered. [return_visits.md](return_visits.md) tells the rules."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.history import Actor, occurrence
from surveys.issues import issue_changes
from surveys.issues.issue_changes import Change
from surveys.issues.issues import ROW, IssueRow, event_id

VisitState = Literal["invited", "answered", "lapsed", "void"]
Via = Literal["card", "visit", "call"]

AT_ONCE = 1_000  # issues in one transaction of the jobs, so that nobody who moves one of them waits for long
LATER = timedelta(days=30)  # after the invitation, in which silence can still be broken and a mind be changed

INVITING = Actor("job", "invite_return_visits")
LAPSING = Actor("job", "lapse_return_visits")


class ReturnVisit(Struct, frozen=True, kw_only=True):
    """A row of `return_visit`."""

    district: int
    id: UUID
    issue: UUID
    round: int
    state: VisitState
    invited_at: datetime
    closes_at: datetime
    ended_at: datetime | None = None
    answered_at: datetime | None = None
    event: UUID | None = None  # whose text is the reason
    via: Via | None = None
    member: UUID | None = None
    visit: UUID | None = None
    solved: bool | None = None
    satisfaction: int | None = None


COLUMNS = ", ".join(ReturnVisit.__struct_fields__)
WRITE = f"""
insert into return_visit ({COLUMNS}) select {COLUMNS} from json_populate_recordset(null::return_visit, $1)
on conflict (district, issue, round) do update
set ({COLUMNS}) = ({", ".join(f"excluded.{name}" for name in ReturnVisit.__struct_fields__)})
"""


async def write(conn: Connection, visits: Sequence[ReturnVisit]) -> None:
    """Write return visits as they are now, new ones and others."""
    await conn.execute(WRITE, visits)


# --- inviting

DAYS = "select return_visit_days from district where district = $1"
SET_DAYS = "update district set return_visit_days = $2 where district = $1"

# What is resolved and nobody was asked about yet; what the desk has closed in the meantime as well, but for what was
# closed in another ledger before it came here.
NOT_YET_INVITED = f"""
select {ROW} from issue i
where i.district = $1
  and (i.state = 'resolved' or (i.state = 'closed' and i.resolved_at > $2
       and (i.source <> 'ledger' or i.resolved_at > i.recorded_at)))
  and i.resolved_at is not null
  and not exists (select from return_visit r where r.district = i.district and r.issue = i.id
                  and r.round = i.resolutions)
order by i.id limit $3 for update of i skip locked
"""


async def days(conn: Connection, district: int) -> int:
    """For how many days residents of a district are asked, before silence closes an issue."""
    found: int = await conn.fetchval(DAYS, district)
    return found


async def set_days(conn: Connection, district: int, member: UUID, count: int, now: datetime) -> None:
    """Let invitations be open for so many days from now on; those that were given keep theirs."""
    await conn.execute(SET_DAYS, district, count)
    event = occurrence(
        district=district,
        kind="installation",
        event="return_visits_changed",
        actor=Actor("member", str(member)),
        now=now,
        facts={"days": count},
    )
    await history.append(conn, [event], [])


async def invite_due(conn: Connection, district: int, now: datetime) -> int:
    """Ask about what has been resolved, a bounded part of it; returns how much that was. Issues that somebody is
    moving are left to the next turn."""
    closes_at = now + timedelta(days=await days(conn, district))
    found = [IssueRow(**row) for row in await conn.fetch(NOT_YET_INVITED, district, now - LATER, AT_ONCE)]
    ahead = await _changed_since(conn, district, found, now)
    rows = [row for row in found if row.id not in ahead]
    visits = [_invitation(row, now, closes_at) for row in rows]
    changes = [
        Change(
            before=row,
            after=row,
            id=event_id(row.id, f"invite {row.version + 1}"),
            event="invite",
            actor=INVITING,
            facts={"return_visit": visit.id, "round": visit.round, "closes_at": closes_at},
        )
        for row, visit in zip(rows, visits, strict=True)
    ]
    await issue_changes.write(conn, changes, now)
    await write(conn, visits)
    return len(rows)


# Issues that somebody moved after the time that the job took for the present.
CHANGED_SINCE = """
select s.issue from issue_spans s join issue i on i.district = s.district and i.id = s.issue and i.version = s.version
where s.district = $1 and s.issue = any($2) and s.valid_from > $3
"""


async def _changed_since(conn: Connection, district: int, rows: Sequence[IssueRow], now: datetime) -> set[UUID]:
    """Those that are left to the next turn, so that nothing happens to an issue before what happened last."""
    return {row["issue"] for row in await conn.fetch(CHANGED_SINCE, district, [row.id for row in rows], now)}


def _invitation(row: IssueRow, now: datetime, closes_at: datetime) -> ReturnVisit:
    return ReturnVisit(
        district=row.district,
        id=event_id(row.id, f"return visit {row.resolutions}"),
        issue=row.id,
        round=row.resolutions,
        state="invited",
        invited_at=now,
        closes_at=closes_at,
    )


# --- silence

SILENT = f"""
select r.id as return_visit, {", ".join(f"i.{name}" for name in IssueRow.__struct_fields__)}
from return_visit r join issue i on i.district = r.district and i.id = r.issue
where r.district = $1 and r.state = 'invited' and r.closes_at <= $2 and i.state in ('resolved', 'closed')
order by r.closes_at, r.id limit $3 for update of i, r skip locked
"""
LAPSE = "update return_visit set state = 'lapsed', ended_at = $3 where district = $1 and id = any($2)"


async def lapse_due(conn: Connection, district: int, now: datetime) -> int:
    """Close as not answered what nobody has said anything about in time, a bounded part of it; returns how much that
    was."""
    silent: dict[UUID, IssueRow] = {}
    for found in await conn.fetch(SILENT, district, now, AT_ONCE):
        columns = dict(found)
        visit = columns.pop("return_visit")
        silent[visit] = IssueRow(**columns)
    ahead = await _changed_since(conn, district, list(silent.values()), now)
    silent = {visit: row for visit, row in silent.items() if row.id not in ahead}
    changes = [
        Change(
            before=row,
            after=msgspec.structs.replace(row, state="closed", answer="not_answered", satisfaction=None),
            id=event_id(row.id, f"lapse {row.version + 1}"),
            event="lapse",
            actor=LAPSING,
            facts={"return_visit": visit, "round": row.resolutions},
        )
        for visit, row in sorted(silent.items(), key=lambda one: one[1].id)
    ]
    await issue_changes.write(conn, changes, now)
    await conn.execute(LAPSE, district, list(silent), now)
    return len(changes)

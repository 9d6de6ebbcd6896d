"""Proposals of twins: what a job finds of each new issue after it was filed, and what somebody says to it.

The job follows the history, so that filing pays nothing for it. A decision is kept in the proposal itself: it changes
no issue."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys.counting import issue_lists
from surveys.counting.issue_lists import Item
from surveys.history import Row
from surveys.history_seals import END, NIL, UNFINISHED, WRITING
from surveys.issues import likeness, twins, workflow
from surveys.issues.likeness import Why
from surveys.issues.standings import standings
from surveys.issues.workflow import Standing
from surveys.people.people import Reader
from surveys.refusals import AlreadyMerged, NotAllowed, NotFound

MOST_AT_A_TURN = 500  # issues that are looked at in one run: some seconds
MOST_PROPOSED = 5  # of one issue


class Dismissed(Struct, frozen=True, kw_only=True):
    """That two issues are no twins, and since when somebody has said so."""

    issue: UUID
    twin: UUID
    state: Literal["dismissed"] = "dismissed"
    decided_at: datetime


class _Cursor(Struct, frozen=True):
    """The first row of the history that was not gone through."""

    epoch: int
    written_in: int
    id: UUID


SEARCH = f"""
select {WRITING} as writing, {UNFINISHED} as unfinished, s.epoch, s.written_in, s.id
from (values (1)) as one left join twin_search s on s.district = $1
"""

# Issues that people have reported, or have told otherwise since. What comes from a ledger others have gone through.
FRESH = """
select written_in, id, thing from history
where district = $1 and epoch = $2 and written_in >= $3 and (written_in, id) >= ($3, $4) and written_in < $5
  and kind = 'issue' and event in ('report', 'correct') and actor_kind <> 'import'
order by written_in, id limit $6
"""

# What was said of a pair stands, whatever is found of it later.
PROPOSE = """
insert into twin_proposal (district, issue, twin, score, why, state, proposed_at)
select district, issue, twin, score, why, 'proposed', proposed_at from jsonb_populate_recordset(null::twin_proposal, $1)
on conflict (district, issue, twin) do update set score = excluded.score, why = excluded.why
where twin_proposal.state = 'proposed'
"""

MOVE_ON = """
insert into twin_search values ($1, $2, $3, $4)
on conflict (district) do update
set epoch = excluded.epoch, written_in = excluded.written_in, id = excluded.id
"""


async def propose(conn: Connection, district: int, now: datetime, most: int = MOST_AT_A_TURN) -> Mapping[str, object]:
    """Look for twins of what was reported since the last time, at most so many issues; answers with counts."""
    fresh, cursor = await _fresh(conn, district, most)
    found: dict[tuple[UUID, UUID], Row] = {}
    for id_, of in (await twins.sought(conn, district, fresh)).items():
        for one in (await twins.likely(conn, district, of, now))[:MOST_PROPOSED]:
            issue, twin = sorted((id_, one.issue))
            found[issue, twin] = {
                "district": district,
                "issue": issue,
                "twin": twin,
                "score": one.score,
                "why": msgspec.to_builtins(one.why),
                "proposed_at": now,
            }
    await conn.execute(PROPOSE, list(found.values()))
    await conn.execute(MOVE_ON, district, cursor.epoch, cursor.written_in, cursor.id)
    return {"looked_at": len(fresh), "proposed": len(found)}


async def _fresh(conn: Connection, district: int, most: int) -> tuple[Sequence[UUID], _Cursor]:
    """The next issues to look at, and where to go on after them; an epoch that is over is gone through to its end."""
    (row,) = await conn.fetch(SEARCH, district)
    at = _Cursor(row["epoch"], row["written_in"], row["id"]) if row["epoch"] else _Cursor(1, 0, NIL)
    over = at.epoch < row["writing"]
    end = END if over else row["unfinished"]
    rows = await conn.fetch(FRESH, district, at.epoch, at.written_in, at.id, end, most + 1)
    if len(rows) > most:
        after = _Cursor(at.epoch, rows[most]["written_in"], rows[most]["id"])
    elif over:
        after = _Cursor(at.epoch + 1, 0, NIL)
    else:
        after = max(at, _Cursor(at.epoch, end, NIL), key=lambda cursor: (cursor.written_in, cursor.id))
    return list(dict.fromkeys(row["thing"] for row in rows[:most])), after


DISMISS = """
insert into twin_proposal (district, issue, twin, score, why, state, proposed_at, decided_at, decided_by)
values ($1, $2, $3, $4, $5, 'dismissed', $6, $6, $7)
on conflict (district, issue, twin) do update
set state = 'dismissed', decided_at = excluded.decided_at, decided_by = excluded.decided_by
where twin_proposal.state = 'proposed'
"""
DECIDED = "select state, decided_at from twin_proposal where district = $1 and issue = $2 and twin = $3"


async def dismiss(
    conn: Connection, reader: Reader, issue: UUID, twin: UUID, zone: ZoneInfo, now: datetime
) -> Dismissed:
    """Say that two issues are no twins, so that neither is proposed for the other again; said twice it stands as it was
    said first. Raises NotFound unless both are within the reader's reach, NotAllowed, AlreadyMerged."""
    items = {item.id: item for item in await issue_lists.of_ids(conn, reader, [issue, twin], zone, now)}
    if items.keys() != {issue, twin} or issue == twin:
        raise NotFound
    if not workflow.MATCHING & _standings(reader, items[issue]):
        raise NotAllowed
    pair = sorted((issue, twin))
    why = await _why(conn, reader.district, issue, twin)
    await conn.execute(DISMISS, reader.district, *pair, why.score, msgspec.to_builtins(why), now, reader.member)
    decided = await conn.fetchrow(DECIDED, reader.district, *pair)
    if decided is None or decided["state"] != "dismissed":
        raise AlreadyMerged
    return Dismissed(issue=issue, twin=twin, decided_at=decided["decided_at"])


def _standings(reader: Reader, item: Item) -> frozenset[Standing]:
    return standings(
        reader,
        owner=item.owner.id,
        reporter=None,
        community=item.community.code if item.community else None,
        street=item.street,
        department=item.department,
    )


async def _why(conn: Connection, district: int, issue: UUID, twin: UUID) -> Why:
    one, other = await twins.traits(conn, district, [issue, twin])
    return likeness.compare(one, other)

"""Following the history: what moves have done is read behind them, and told; the moves themselves write nothing for it.

As seals do, it reads only what finished transactions have written, so that nothing slips in behind what was read. How
far it came is kept in the transaction that tells, so that whatever breaks it off, nothing is told twice or left out."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from asyncpg import Connection, Record
from msgspec import Struct

from surveys.issues import merging
from surveys.issues.merging import Part
from surveys.notices import escalations, event_tellings, notices, webhooks
from surveys.notices.event_tellings import Around, Happened

FOLLOWER = "notices"
AT_A_TURN = 2_000  # events
STALE = timedelta(days=7)  # what is older is not told any more: after an outage, or of a past that was written later
NIL = UUID(int=0)

# Where the follower is, which epoch rows are written in, and the first transaction that is not known to have ended.
STATE = """
select (select (regexp_match(pg_get_expr(d.adbin, d.adrelid), '\\d+'))[1]::int
          from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
         where d.adrelid = 'history'::regclass and a.attname = 'epoch') as writing,
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint as unfinished,
       f.epoch, f.written_in, f.id
from (values (1)) as one left join lateral (
  select * from history_follower where district = $1 and follower = $2) f on true
"""
KEEP = """
insert into history_follower (district, follower, epoch, written_in, id) values ($1, $2, $3, $4, $5)
on conflict (district, follower) do update
set epoch = excluded.epoch, written_in = excluded.written_in, id = excluded.id
"""
EVENTS = """
select id, kind, thing, version, event, actor_kind, actor, happened_at, recorded_at, facts, written_in
from history
where district = $1 and epoch = $2 and written_in >= $3 and (written_in, id) > ($3, $4) and written_in < $5
order by written_in, id limit $6
"""


class Followed(Struct, frozen=True, kw_only=True):
    """What a turn came to: events read, notices made, and deliveries to webhooks that are to be queued."""

    events: int
    notices: int
    deliveries: Sequence[UUID]
    more: bool


async def follow(conn: Connection, district: int, now: datetime, most: int = AT_A_TURN) -> Followed:
    """Tell, in the caller's transaction, what finished transactions have written since the last turn, a bounded part of
    it."""
    (state,) = await conn.fetch(STATE, district, FOLLOWER)
    epoch, at = (state["epoch"] or 1, (state["written_in"] or 0, state["id"] or NIL))
    over = epoch < state["writing"]
    until = 2**63 - 1 if over else state["unfinished"]
    rows = await conn.fetch(EVENTS, district, epoch, *at, until, most)
    more = len(rows) == most
    if more:
        at = rows[-1]["written_in"], rows[-1]["id"]
    elif over:
        epoch, at, more = epoch + 1, (0, NIL), True
    else:
        at = max(at, (until, NIL))
    happened = [_happened(row) for row in rows if _is_told(row, now)]
    made, deliveries = await _tell(conn, district, happened, now) if happened else (0, [])
    await conn.execute(KEEP, district, FOLLOWER, epoch, *at)
    return Followed(events=len(rows), notices=made, deliveries=deliveries, more=more)


def _is_told(row: Record, now: datetime) -> bool:
    """Whether an event is told: those of issues, made by people and the program itself a little while ago."""
    recent = row["happened_at"] > now - STALE
    return row["kind"] in ("issue", "escalation") and row["actor_kind"] != "import" and recent


def _happened(row: Record) -> Happened:
    facts = row["facts"]
    return Happened(
        id=row["id"],
        issue=UUID(facts["about"]) if row["kind"] == "escalation" else row["thing"],
        version=None if row["kind"] == "escalation" else row["version"],
        event=row["event"],
        member=UUID(row["actor"]) if row["actor_kind"] == "member" else None,
        happened_at=row["happened_at"],
        facts=facts,
    )


async def _tell(
    conn: Connection, district: int, happened: Sequence[Happened], now: datetime
) -> tuple[int, Sequence[UUID]]:
    tree = await escalations.answering(conn, district, now)
    parts = await merging.parts(conn, district, [one.issue for one in happened if one.event == "resolve"])
    around = await _around(conn, district, happened, parts)
    holders = await event_tellings.holders(conn, district)
    tellings = [
        telling
        for one in happened
        if one.id in around
        for telling in event_tellings.of(one, around[one.id], tree, holders)
    ]
    made = await notices.tell(conn, district, tellings, now)
    deliveries = await webhooks.deliver(conn, district, [(one.id, one.event) for one in happened], now)
    return made, deliveries


# What an issue was from an event on, and before it; of an escalation, which changes nothing, what it is now.
AROUND = """
select h.id, h.issue, i.reporter, i.community, c.street, m.organisation,
  coalesce(s.owner, i.owner) as owner, coalesce(s.department, i.department) as department,
  coalesce(s.urgency, i.urgency) as urgency, coalesce(s.leader, i.leader) as leader,
  b.owner as owner_before, b.department as department_before, a.actor as asker, a.event as asked
from unnest($2::uuid[], $3::uuid[], $4::int[]) h(id, issue, version)
join issue i on i.district = $1 and i.id = h.issue
left join issue_spans s on s.district = $1 and s.issue = h.issue and s.version = h.version
left join issue_spans b on b.district = $1 and b.issue = h.issue and b.version = h.version - 1
join member m on m.district = $1 and m.id = coalesce(s.owner, i.owner)
left join community c on c.district = $1 and c.code = coalesce(s.community, i.community)
left join lateral (
  select actor, event from history where district = $1 and thing = h.issue and version < h.version
    and event in ('return', 'pause', 'extend') and actor_kind = 'member' order by version desc limit 1) a on true
"""


async def _around(
    conn: Connection, district: int, happened: Sequence[Happened], parts: Mapping[UUID, Sequence[Part]]
) -> dict[UUID, Around]:
    rows = await conn.fetch(
        AROUND,
        district,
        [one.id for one in happened],
        [one.issue for one in happened],
        [one.version for one in happened],
    )
    found = {}
    for row in rows:
        columns = dict(row)
        event, issue, asker = columns.pop("id"), columns.pop("issue"), columns.pop("asker")
        found[event] = Around(asker=UUID(asker) if asker else None, parts=parts.get(issue, ()), **columns)
    return found

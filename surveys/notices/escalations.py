"""Escalations: what is past its limit goes up the organisation tree, each level once. [escalations.md](escalations.md)
tells the rule.

A sweep reads what is late and writes beside it: it takes no lock on any issue, so that filing and moves feel nothing of
it. The key of the table `escalation` makes each level happen once, and its history is written with it."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from asyncpg import Connection, Record
from msgspec import Struct

from surveys.clock import calendars
from surveys.notices import deadline_rules

TOGETHER = 5_000  # issues in one transaction
MOST = 200_000  # in one turn of the job

ORGANISATIONS = "select id, parent from organisation where district = $1"

# Who looks after organisations, streets and the district; in place of one who is away their deputy.
ANSWERING = """
select r.role, r.scope_kind, r.scope, coalesce(d.id, m.id) as member
from member_role r
join member m on m.district = r.district and m.id = r.member and m.closed_at is null
left join member_absence a on a.district = m.district and a.member = m.id and a.cancelled_at is null
  and a.starts_at <= $2 and a.ends_at > $2
left join member d on d.district = m.district and d.id = a.deputy and d.closed_at is null
where r.district = $1 and (r.role in ('organiser', 'dispatcher') or r.role = 'leader' and r.scope_kind = 'district')
order by m.number
"""
FIRST_DISPATCHER = "select dispatcher from district where district = $1"


class Tree:
    """Who answers for what in a district at a moment."""

    def __init__(self, district: int) -> None:
        self.district = district
        self.parents: dict[UUID, UUID | None] = {}
        self.organisers: dict[UUID, list[UUID]] = {}
        self.streets: dict[str, list[UUID]] = {}
        self.dispatchers: list[UUID] = []
        self.leaders: list[UUID] = []
        self._chains: dict[tuple[UUID, str | None, UUID], list[tuple[UUID, ...]]] = {}

    def told(self, level: int, owner: UUID, organisation: UUID, street: str | None) -> tuple[UUID, ...]:
        """Who is told at a level; beyond the last step it is the last step's people again."""
        key = (organisation, street, owner)
        if key not in self._chains:
            self._chains[key] = list(self._chain(owner, organisation, street))
        chain = self._chains[key]
        return chain[min(level, len(chain)) - 1] if chain else ()

    def _chain(self, owner: UUID, organisation: UUID, street: str | None) -> Iterator[tuple[UUID, ...]]:
        """The steps up from an owner, each with those who are not told further below."""
        below = {owner}
        for step in self._steps(organisation, street):
            if fresh := tuple(dict.fromkeys(member for member in step if member not in below)):
                below.update(fresh)
                yield fresh

    def _steps(self, organisation: UUID, street: str | None) -> Iterator[list[UUID]]:
        at: UUID | None = organisation
        seen: set[UUID] = set()
        while at is not None and at not in seen:
            seen.add(at)
            yield self.organisers.get(at, [])
            at = self.parents.get(at)
        yield self.streets.get(street or "", [])
        yield self.dispatchers
        yield self.leaders


async def answering(conn: Connection, district: int, now: datetime) -> Tree:
    """Who answers for what now."""
    tree = Tree(district)
    tree.parents = {row["id"]: row["parent"] for row in await conn.fetch(ORGANISATIONS, district)}
    for row in await conn.fetch(ANSWERING, district, now):
        match row["role"], row["scope_kind"]:
            case "organiser", _:
                tree.organisers.setdefault(UUID(row["scope"]), []).append(row["member"])
            case "dispatcher", "street":
                tree.streets.setdefault(row["scope"], []).append(row["member"])
            case "dispatcher", _:
                tree.dispatchers.append(row["member"])
            case _:
                tree.leaders.append(row["member"])
    first = await conn.fetchval(FIRST_DISPATCHER, district)
    if first is not None and first not in tree.dispatchers:
        tree.dispatchers.append(first)
    return tree


# What is past the moment at which a level is reached and has not been there for this limit, after the last one seen.
# What is paused is not late. Whether it has been there is asked of the key for each: while a table fills, PostgreSQL
# takes it for a small one, and would join it by looking through all of it each time.
LATE = """
select i.id, i.due_at, i.owner, m.organisation, c.street
from issue i
join member m on m.district = i.district and m.id = i.owner
left join community c on c.district = i.district and c.code = i.community
where i.district = $1 and i.state in ('reported', 'accepted', 'assigned', 'in_progress')
  and i.due_at <= $3 and (i.due_at, i.id) > ($4, $5)
  and (select e.level from escalation e
    where e.district = $1 and e.issue = i.id and e.due_at = i.due_at and e.level = $2) is null
order by i.due_at, i.id limit $6
"""

# Those that no other sweep has raised meanwhile.
RAISE = """
insert into escalation (district, issue, due_at, level, event, raised_at)
select $1, issue, due_at, $2, event, $6 from unnest($3::uuid[], $4::timestamptz[], $5::uuid[]) l(issue, due_at, event)
on conflict do nothing
returning event
"""
# Who is told is the same for many: it comes once, and each says where in it its own is, which is faster than a join.
RECORD = """
insert into history (district, id, kind, thing, version, event, actor_kind, actor, happened_at, recorded_at, facts)
select $1, event, 'escalation', event, 1, 'escalate', 'job', 'escalate', $7, $7, jsonb_build_object(
  'about', issue, 'level', $2::int, 'due_at', due_at, 'owner', owner, 'told', $8::jsonb -> place)
from unnest($3::uuid[], $4::uuid[], $5::timestamptz[], $6::uuid[], $9::int[]) l(event, issue, due_at, owner, place)
"""


class Raised(Struct, frozen=True):
    """How many issues went up to each level."""

    by_level: Mapping[int, int]


async def sweep(conn: Connection, district: int, now: datetime, together: int = TOGETHER) -> Raised:
    """Raise what is late, in transactions of its own of a bounded size; one that is broken off goes on where it was."""
    calendar = await calendars.in_force(conn, district, now)
    rules = await deadline_rules.of_district(conn, district)
    tree = await answering(conn, district, now)
    counts: dict[int, int] = {}
    for level, rule in enumerate(rules.escalations, start=1):
        reached = deadline_rules.reached_by(calendar, rule, now)
        counts[level] = await _raise(conn, tree, level, reached, now, together)
    return Raised({level: count for level, count in counts.items() if count})


async def _raise(conn: Connection, tree: Tree, level: int, reached: datetime, now: datetime, together: int) -> int:
    """Raise to one level everything that has reached it; how much that was."""
    after: tuple[object, object] = (datetime.min.replace(tzinfo=now.tzinfo), UUID(int=0))
    count = 0
    while count < MOST:
        async with conn.transaction():
            late = await conn.fetch(LATE, tree.district, level, reached, *after, together)
            if late:
                await _write(conn, tree, level, late, now)
        count += len(late)
        if len(late) < together:
            break
        after = late[-1]["due_at"], late[-1]["id"]
    return count


def _ids(count: int, now: datetime) -> list[UUID]:
    """New ids in one order (UUIDv7), which lie together in every index over them."""
    stamp = int(now.timestamp() * 1_000)
    tails = sorted((secrets.randbits(12), secrets.randbits(62)) for _ in range(count))
    return [UUID(int=stamp << 80 | 7 << 76 | high << 64 | 2 << 62 | low) for high, low in tails]


async def _write(conn: Connection, tree: Tree, level: int, late: Sequence[Record], now: datetime) -> None:
    events = _ids(len(late), now)
    key = ([row["id"] for row in late], [row["due_at"] for row in late])
    raised = {row["event"] for row in await conn.fetch(RAISE, tree.district, level, *key, events, now)}
    places: dict[tuple[UUID, ...], int] = {}
    kept = [(event, row) for event, row in zip(events, late, strict=True) if event in raised]
    of_each = [
        places.setdefault(tree.told(level, row["owner"], row["organisation"], row["street"]), len(places))
        for _, row in kept
    ]
    await conn.execute(
        RECORD,
        tree.district,
        level,
        [event for event, _ in kept],
        [row["id"] for _, row in kept],
        [row["due_at"] for _, row in kept],
        [row["owner"] for _, row in kept],
        now,
        [list(told) for told in places],
        of_each,
    )

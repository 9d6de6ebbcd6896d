"""Who is rated in a round, and by whom: drawn once, when it opens, by rules that anybody can follow.

A member is rated by the organisation where they were longest in the period. Of those of one level each is rated by the
next ones in a ring, whose order follows from the round's number: so each rates as many as rate them. Leaders are the
nearest who organise above."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.assessments import instruments, rounds
from surveys.assessments.instruments import Group, SubjectKind
from surveys.assessments.rounds import Round, zone_of
from surveys.history import Actor, event_row
from surveys.people import organisations

JOB = Actor("job", "turn_rounds")
LEADERS = 2  # that rate each


class Subject(Struct, frozen=True):
    """Somebody or something that is rated by an organisation, or why it is not; `other` is where a member who moved was
    else the longest."""

    id: UUID
    organisation: UUID
    other: UUID | None = None
    skipped: str | None = None


class Move(Struct, frozen=True):
    """A member went from one organisation to another."""

    at: datetime
    before: UUID
    after: UUID


class Drawn(Struct, frozen=True, kw_only=True):
    """How many are rated, how many are not, and how many ratings are asked for."""

    subjects: int
    skipped: int
    raters: int


# Who could be rated, by their organisation as it is now. $2 and $3 are the first and the last moment of the period.
MEMBERS = """
select id, organisation, joined_at as since, closed_at from member
where district = $1 and (closed_at is null or closed_at >= $2) and joined_at < $3 order by id
"""
# Those of which nobody knows since when they are there have been there for ever.
OPEN_ORGANISATIONS = """
select o.id, o.id as organisation, nullif(min(s.valid_from), '-infinity') as since, o.closed_at
from organisation o left join organisation_spans s on s.district = o.district and s.organisation = o.id
where o.district = $1 and (o.closed_at is null or o.closed_at >= $2)
group by o.district, o.id having coalesce(min(s.valid_from), '-infinity') < $3 order by o.id
"""
WINDOWS = """
select id, organisation, opened_at as since, closed_at from service_window
where district = $1 and (closed_at is null or closed_at >= $2) and opened_at < $3 order by id
"""
CANDIDATES: Mapping[SubjectKind, str] = {
    "member": MEMBERS,
    "organisation": OPEN_ORGANISATIONS,
    "window": WINDOWS,
}

# From one organisation to another since the period began; what was before follows from them.
MOVES = """
select thing as member, happened_at, (facts->>'before')::uuid as before, (facts->>'organisation')::uuid as after
from history
where district = $1 and kind = 'member' and event in ('transfer', 'return') and facts ?& '{before,organisation}'
  and happened_at > $2
order by thing, happened_at, version
"""

ADD_SUBJECTS = """
insert into round_subject (district, round, subject, organisation, other, skipped)
select $1, $2, s.subject, s.organisation, s.other, s.skipped
from unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::text[]) s(subject, organisation, other, skipped)
"""


async def draw(conn: Connection, found: Round, now: datetime) -> Drawn:
    """Settle who is rated in a round, and by whom. Run it in a transaction that has locked the round."""
    zone = await zone_of(conn, found.district)
    begins, ends = found.of.begins(zone), found.of.ends(zone)
    subjects = await _subjects(conn, found, begins, min(ends, now) if now > begins else ends)
    columns = [[getattr(one, name) for one in subjects] for name in Subject.__struct_fields__]
    await conn.execute(ADD_SUBJECTS, found.district, found.id, *columns)
    raters = await _add_raters(conn, found)
    skipped = sum(one.skipped is not None for one in subjects)
    drawn = Drawn(subjects=len(subjects) - skipped, skipped=skipped, raters=raters)
    await _tell(conn, found, drawn, now)
    return drawn


async def _subjects(conn: Connection, found: Round, begins: datetime, ends: datetime) -> list[Subject]:
    rows = await conn.fetch(CANDIDATES[found.subject_kind], found.district, begins, ends)
    moves: Mapping[UUID, Sequence[Move]] = {}
    if found.subject_kind == "member":
        moves = await _moves(conn, found.district, begins)
    within = await _within(conn, found)
    subjects = [_subject(row, moves.get(row["id"], ()), begins, ends) for row in rows]
    return [one for one in subjects if within is None or one.organisation in within]


def _subject(row: Any, moves: Sequence[Move], begins: datetime, ends: datetime) -> Subject:
    by_length = stays(row["organisation"], moves, begins, ends)
    skipped = None
    if row["closed_at"] is not None:
        skipped = "left"
    elif row["since"] is not None and row["since"] > begins + (ends - begins) / 2:
        skipped = "joined_late"
    return Subject(row["id"], by_length[0], by_length[1] if len(by_length) > 1 else None, skipped)


def stays(now_in: UUID, moves: Sequence[Move], begins: datetime, ends: datetime) -> list[UUID]:
    """The organisations in which somebody was between two moments, the longest first, of equals the later; `moves` are
    all since the first moment, in their order."""
    at, where = begins, moves[0].before if moves else now_in
    lengths: dict[UUID, timedelta] = {}
    last: dict[UUID, datetime] = {}
    for until, after in [*((move.at, move.after) for move in moves), (ends, now_in)]:
        stop = max(min(until, ends), at)
        if stop > at or not lengths:
            lengths[where] = lengths.get(where, timedelta()) + (stop - at)
            last[where] = stop
        at, where = stop, after
    return sorted(lengths, key=lambda one: (lengths[one], last[one]), reverse=True)


async def _moves(conn: Connection, district: int, since: datetime) -> Mapping[UUID, Sequence[Move]]:
    moves: dict[UUID, list[Move]] = defaultdict(list)
    for row in await conn.fetch(MOVES, district, since):
        moves[row["member"]].append(Move(row["happened_at"], row["before"], row["after"]))
    return moves


# The organisations that answer for a street or a community, or for communities of the street.
OF_AREA = """
select a.organisation from organisation_area a
where a.district = $1 and (a.kind = $2 and a.code = $3 or $2 = 'street' and a.kind = 'community' and a.code in (
  select c.code from community c where c.district = $1 and c.street = $3))
"""


async def _within(conn: Connection, found: Round) -> set[UUID] | None:
    """The organisations whose people are rated; None for all."""
    match found.scope_kind:
        case "district":
            return None
        case "organisation":
            roots = [UUID(found.scope)]
        case _:
            rows = await conn.fetch(OF_AREA, found.district, found.scope_kind, found.scope)
            roots = [row["organisation"] for row in rows]
    return await organisations.below(conn, found.district, roots)


# --- who rates them


class Asked(Struct, frozen=True):
    """A subject, its level, the organisation by which it is rated, and who speaks for it, if anybody does."""

    subject: UUID
    level: str
    organisation: UUID
    rater: UUID | None


# Members speak for themselves, for an organisation speaks who organises it, for a window who answers for it. Members
# are of one level with those of their organisation, organisations with those below the same one, windows with all.
ASKED: Mapping[SubjectKind, str] = {
    "member": """
      select s.subject, s.organisation::text as level, s.organisation, s.subject as rater from round_subject s
      where s.district = $1 and s.round = $2 and s.skipped is null
    """,
    "organisation": """
      select s.subject, coalesce(o.parent::text, '') as level, s.organisation, (
        select m.id from member_role r
        join member m on m.district = $1 and m.id = r.member and m.closed_at is null
        where r.district = $1 and r.role = 'organiser' and r.scope_kind = 'organisation' and r.scope = s.subject::text
        order by m.number limit 1) as rater
      from round_subject s join organisation o on o.district = $1 and o.id = s.subject
      where s.district = $1 and s.round = $2 and s.skipped is null
    """,
    "window": """
      select s.subject, '' as level, s.organisation, w.member as rater
      from round_subject s join service_window w on w.district = $1 and w.id = s.subject
      where s.district = $1 and s.round = $2 and s.skipped is null
    """,
}

# Who organises each organisation or one above it, the nearest first, and behind them who leads the district; of an
# organisation that is itself rated only those above.
LEADERS_OF = """
with recursive above(organisation, at, level) as (
  select o.id, o.id, 0 from organisation o where o.district = $1
  union all
  select a.organisation, o.parent, a.level + 1 from above a join organisation o on o.district = $1 and o.id = a.at
  where o.parent is not null
), organising as materialized (
  select r.scope, m.id, m.number from member_role r
  join member m on m.district = $1 and m.id = r.member and m.closed_at is null
  where r.district = $1 and r.role = 'organiser' and r.scope_kind = 'organisation'
)
select organisation, array_agg(id order by level, number, id) as raters from (
  select a.organisation, o.id, a.level, o.number from above a join organising o on o.scope = a.at::text
  where a.level >= $2
  union all
  select o.id, m.id, 1000, m.number from organisation o
  join member_role r on r.district = $1 and r.role = 'leader' and r.scope_kind = 'district'
  join member m on m.district = $1 and m.id = r.member and m.closed_at is null
  where o.district = $1
) leading_them group by organisation
"""

RATERS = ("district", "round", "subject", "rater_group", "rater")


async def _add_raters(conn: Connection, found: Round) -> int:
    """Write who rates whom, in the groups that the scorecard asks; how many ratings are asked for."""
    instrument = await instruments.of_version(conn, found.district, found.instrument, found.instrument_version)
    groups = {group for item in instrument.items for group in item.raters}
    kind = found.subject_kind
    asked = [Asked(**row) for row in await conn.fetch(ASKED[kind], found.district, found.id)]
    rows = await conn.fetch(LEADERS_OF, found.district, 1 if kind == "organisation" else 0)
    leaders = {row["organisation"]: row["raters"] for row in rows}
    drawn = await asyncio.to_thread(drawn_of, asked, leaders, found.seed, found.peers)
    records = [(found.district, found.id, *one) for one in drawn if one[1] in groups]
    await conn.copy_records_to_table("round_rater", records=records, columns=RATERS)
    return len(records)


Rates = tuple[UUID, Group, UUID]  # the subject, as what, and who


def drawn_of(asked: Sequence[Asked], leaders: Mapping[UUID, Sequence[UUID]], seed: int, peers: int) -> list[Rates]:
    """Who rates whom: nobody rates a subject twice. Those of a level stand in a ring, in the order of the MD5 of the
    round's number and their id; each is rated by the next ones."""
    rings: dict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        rings[one.level].append(one)
    found: list[Rates] = []
    for ring in rings.values():
        ring.sort(key=lambda one: hashlib.md5(f"{seed}{one.subject}".encode(), usedforsecurity=False).digest())
        for place, one in enumerate(ring):
            found += _raters_of(one, leaders.get(one.organisation, ()), [*ring[place + 1 :], *ring[:place]], peers)
    return found


def _raters_of(one: Asked, above: Sequence[UUID], following: Sequence[Asked], peers: int) -> list[Rates]:
    leading = [rater for rater in dict.fromkeys(above) if rater != one.rater][:LEADERS]
    taken = {one.rater, None, *leading}
    beside: list[UUID] = []
    for other in following:
        if len(beside) == peers:
            break
        if other.rater is not None and other.rater not in taken:
            beside.append(other.rater)
            taken.add(other.rater)
    own: list[Rates] = [(one.subject, "self", one.rater)] if one.rater else []
    return [
        *own,
        *((one.subject, "leaders", rater) for rater in leading),
        *((one.subject, "peers", rater) for rater in beside),
    ]


DRAWN = "update rating_round set drawn_at = $3, version = $4 where district = $1 and id = $2"


async def _tell(conn: Connection, found: Round, drawn: Drawn, now: datetime) -> None:
    await conn.execute(DRAWN, found.district, found.id, now, found.version + 1)
    row = event_row(
        district=found.district,
        id=uuid5(found.id, "draw"),
        kind="round",
        thing=found.id,
        version=found.version + 1,
        event="draw",
        actor=JOB,
        happened_at=now,
        recorded_at=now,
        facts={"subjects": drawn.subjects, "skipped": drawn.skipped, "raters": drawn.raters, "seed": found.seed},
    )
    await history.append(conn, [row], [])


# --- the steps that close by themselves

TO_DRAW = """
select id from rating_round
where district = $1 and opens_at <= $2 and drawn_at is null and cancelled_at is null order by opens_at, id
for no key update skip locked
"""
# The first result once its time has come; the final one once what was decided above can change no more.
TO_WORK_OUT = """
insert into round_computation (district, round, version, kind, taken_at, known_at, recorded_at)
select r.district, r.id, coalesce(last.version, 0) + 1, wanted.kind, $2, $2, $2
from rating_round r
cross join lateral (
  select max(c.version) as version, bool_or(c.kind = 'first' and c.ready_at is not null) as first,
    bool_or(c.kind = 'final') as final, bool_or(c.ready_at is null) as under_way
  from round_computation c where c.district = $1 and c.round = r.id
) last
cross join lateral (
  select case when last.version is null then 'first' else 'final' end as kind
) wanted
where r.district = $1 and r.drawn_at is not null and r.cancelled_at is null and r.published_at is null
  and case wanted.kind when 'first' then r.first_at <= $2
      else r.decisions_until <= $2 and last.first and not last.final and not last.under_way end
on conflict do nothing
returning round
"""


async def turn(conn: Connection, district: int, now: datetime) -> tuple[int, list[UUID]]:
    """Draw the rounds that open, and put down what is to be worked out by now: how many were drawn, and of which rounds
    there is something to work out."""
    opening = await conn.fetch(TO_DRAW, district, now)
    for row in opening:
        await draw(conn, await rounds.one(conn, district, row["id"]), now)
    return len(opening), [row["round"] for row in await conn.fetch(TO_WORK_OUT, district, now)]

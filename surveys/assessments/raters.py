"""Who is rated in a round, and by whom: drawn once, when it opens, by rules that anybody can follow.

A member is rated by the organisation where they were longest in the period. Of those of one level each is rated by the
next ones in a ring, whose order follows from the round's number: so each rates as many as rate them. Leaders are the
nearest who organise above."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from asyncpg import Connection
from msgspec import Struct

from surveys import history, organisations
from surveys.assessments import rounds
from surveys.assessments.instruments import SubjectKind
from surveys.assessments.rounds import Round, zone_of
from surveys.history import Actor, event_row

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
OPEN_ORGANISATIONS = """
select o.id, o.id as organisation, min(s.valid_from) as since, o.closed_at
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

# Who speaks for a subject: members for themselves, for an organisation who organises it, for a window who answers for
# it.
SELF: Mapping[SubjectKind, str] = {
    "member": "select s.subject, s.subject as rater from subjects s",
    "organisation": """
      select distinct on (s.subject) s.subject, m.id as rater from subjects s
      join member_role r on r.district = $1 and r.role = 'organiser' and r.scope_kind = 'organisation'
        and r.scope = s.subject::text
      join member m on m.district = $1 and m.id = r.member and m.closed_at is null
      order by s.subject, m.number
    """,
    "window": "select s.subject, w.member as rater from subjects s"
    " join service_window w on w.district = $1 and w.id = s.subject",
}
ADD_SELF = """
with subjects as (
  select subject, organisation from round_subject where district = $1 and round = $2 and skipped is null
)
insert into round_rater (district, round, subject, rater_group, rater)
select $1, $2, own.subject, 'self', own.rater from ({own}) own
"""

# Organisers by how far above each organisation; where there are none, leaders of the district.
ADD_LEADERS = """
with recursive above(organisation, at, level) as (
  select o.id, o.id, 0 from organisation o where o.district = $1
  union all
  select a.organisation, o.parent, a.level + 1 from above a join organisation o on o.district = $1 and o.id = a.at
  where o.parent is not null
), leader as (
  select a.organisation, m.id as rater, a.level, m.number from above a
  join member_role r on r.district = $1 and r.role = 'organiser' and r.scope_kind = 'organisation'
    and r.scope = a.at::text
  join member m on m.district = $1 and m.id = r.member and m.closed_at is null
  where a.level >= $3
  union all
  select o.id, m.id, 1000, m.number from organisation o
  join member_role r on r.district = $1 and r.role = 'leader' and r.scope_kind = 'district'
  join member m on m.district = $1 and m.id = r.member and m.closed_at is null
  where o.district = $1
), ranked as (
  select s.subject, l.rater, row_number() over (partition by s.subject order by min(l.level), min(l.number)) as place
  from round_subject s join leader l on l.organisation = s.organisation
  where s.district = $1 and s.round = $2 and s.skipped is null and not exists (
    select from round_rater o where o.district = $1 and o.round = $2 and o.subject = s.subject and o.rater = l.rater)
  group by s.subject, l.rater
)
insert into round_rater (district, round, subject, rater_group, rater)
select $1, $2, subject, 'leaders', rater from ranked where place <= $4
"""

# Of which ones each is drawn: members of their organisation, organisations below the same one, all windows.
LEVEL: Mapping[SubjectKind, str] = {
    "member": "s.organisation::text",
    "organisation": "coalesce((select o.parent::text from organisation o"
    " where o.district = $1 and o.id = s.subject), '')",
    "window": "''",
}
ADD_PEERS = """
with own as materialized (
  select s.subject, r.rater, {level} as level from round_subject s
  join round_rater r on r.district = $1 and r.round = $2 and r.subject = s.subject and r.rater_group = 'self'
  where s.district = $1 and s.round = $2
), ring as materialized (
  select subject, rater, level, count(*) over (partition by level) as size,
    row_number() over (partition by level order by md5($3::text || subject::text), subject) - 1 as place
  from own
), drawn as (
  select a.subject, b.rater, min(step) as step from ring a
  cross join generate_series(1, 2 * $4::int) step
  join ring b on b.level = a.level and b.place = (a.place + step) % a.size
  where step < a.size and not exists (
    select from round_rater o where o.district = $1 and o.round = $2 and o.subject = a.subject and o.rater = b.rater)
  group by a.subject, b.rater
), counted as (
  select subject, rater, row_number() over (partition by subject order by step, rater) as number from drawn
)
insert into round_rater (district, round, subject, rater_group, rater)
select $1, $2, subject, 'peers', rater from counted where number <= $4
"""
COUNT_RATERS = "select count(*) from round_rater where district = $1 and round = $2"


async def _add_raters(conn: Connection, found: Round) -> int:
    """Those who speak for a subject first, then leaders, then peers: nobody rates a subject twice."""
    kind = found.subject_kind
    await conn.execute(ADD_SELF.format(own=SELF[kind]), found.district, found.id)
    lowest = 1 if kind == "organisation" else 0
    await conn.execute(ADD_LEADERS, found.district, found.id, lowest, LEADERS)
    await conn.execute(ADD_PEERS.format(level=LEVEL[kind]), found.district, found.id, str(found.seed), found.peers)
    count: int = await conn.fetchval(COUNT_RATERS, found.district, found.id)
    return count


DRAWN = "update rating_round set drawn_at = $3, version = $4 where district = $1 and id = $2"


async def _tell(conn: Connection, found: Round, drawn: Drawn, now: datetime) -> None:
    await conn.execute(DRAWN, found.district, found.id, now, found.version + 1)
    row = event_row(
        district=found.district,
        id=uuid4(),
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

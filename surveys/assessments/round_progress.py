"""How far a round is, for who organises it: who has rated, who is missing, and reminding them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from asyncpg import Connection
from msgspec import Struct

from surveys import cursors, history
from surveys.assessments import round_steps, rounds
from surveys.assessments.instruments import GROUPS, Group
from surveys.assessments.ratings import NAMED
from surveys.assessments.round_steps import CLOSES
from surveys.assessments.rounds import Organised
from surveys.history import Actor, occurrence
from surveys.notices import notices
from surveys.notices.notices import Telling
from surveys.people.people import Reader
from surveys.refusals import NotAllowed

NAMED_GROUPS: tuple[Group, ...] = ("self", "peers", "leaders")
REMINDED_AGAIN = timedelta(hours=12)  # nobody is reminded twice within this


class GroupProgress(Struct, frozen=True, kw_only=True):
    """How many ratings were asked of a group, and how many were given; of the people nobody is asked by name."""

    group: Group
    asked: int | None
    given: int
    closes_at: datetime


class ComputationState(Struct, frozen=True, kw_only=True):
    """A version of the results: how far its working out is, and when it was ready."""

    version: int
    kind: str
    done: int
    subjects: int | None
    taken_at: datetime
    known_at: datetime
    ready_at: datetime | None
    digest: str | None


class Progress(Struct, frozen=True, kw_only=True):
    """A round as who organises it sees it, of the subjects that they reach."""

    subjects: int
    skipped: int
    groups: list[GroupProgress]
    appeals_open: int
    appeals: int
    computations: list[ComputationState]


COUNTS = """
select count(*) filter (where skipped is null) as subjects, count(*) filter (where skipped is not null) as skipped
from round_subject where district = $1 and round = $2 and ($3::uuid[] is null or organisation = any($3))
"""
ASKED = """
select a.rater_group, count(*) as asked from round_rater a
join round_subject s on s.district = $1 and s.round = $2 and s.subject = a.subject
where a.district = $1 and a.round = $2 and ($3::uuid[] is null or s.organisation = any($3)) group by 1
"""
GIVEN = """
select g.rater_group, count(*) as given from rating g
join round_subject s on s.district = $1 and s.round = $2 and s.subject = g.subject
where g.district = $1 and g.round = $2 and ($3::uuid[] is null or s.organisation = any($3)) group by 1
"""
APPEALS = """
select count(*) as all, count(*) filter (where p.state = 'open') as open from round_appeal p
join round_subject s on s.district = $1 and s.round = $2 and s.subject = p.subject
where p.district = $1 and p.round = $2 and ($3::uuid[] is null or s.organisation = any($3))
"""
COMPUTATIONS = """
select version, kind, done, subjects, taken_at, known_at, ready_at, encode(digest, 'hex') as digest
from round_computation where district = $1 and round = $2 order by version
"""


async def of(conn: Connection, organised: Organised) -> Progress:
    """How far a round is."""
    found = organised.round
    about = (found.district, found.id, organised.standing.organisations)
    (counts,) = await conn.fetch(COUNTS, *about)
    (appeals,) = await conn.fetch(APPEALS, *about)
    asked = {row["rater_group"]: row["asked"] for row in await conn.fetch(ASKED, *about)}
    given = {row["rater_group"]: row["given"] for row in await conn.fetch(GIVEN, *about)}
    return Progress(
        subjects=counts["subjects"],
        skipped=counts["skipped"],
        groups=[
            GroupProgress(
                group=group,
                asked=None if group == "people" else asked.get(group, 0),
                given=given.get(group, 0),
                closes_at=getattr(found, CLOSES[group]),
            )
            for group in GROUPS
        ],
        appeals=appeals["all"],
        appeals_open=appeals["open"],
        computations=await computations(conn, found.district, found.id),
    )


async def computations(conn: Connection, district: int, round_: UUID) -> list[ComputationState]:
    """The versions of a round's results, the oldest first."""
    return [ComputationState(**row) for row in await conn.fetch(COMPUTATIONS, district, round_)]


# --- who is missing


class MissingRater(Struct, frozen=True, kw_only=True):
    """Somebody who was asked and has given nothing yet."""

    rater: UUID
    rater_name: str
    subject: UUID
    subject_name: str
    group: Group
    reminded_at: datetime | None


class MissingPage(Struct, frozen=True, kw_only=True):
    """A part of who is missing, by their names."""

    items: list[MissingRater]
    next: str | None
    total: int | None = None


class _Cursor(Struct, frozen=True, array_like=True):
    name: str
    rater: UUID
    subject: UUID
    group: str


MISSING_FROM = """
from round_rater a
join rating_round r on r.district = $1 and r.id = a.round
join round_subject s on s.district = $1 and s.round = $2 and s.subject = a.subject
join member m on m.district = $1 and m.id = a.rater
where a.district = $1 and a.round = $2 and ($3::uuid[] is null or s.organisation = any($3))
  and ($4::text is null or a.rater_group = $4) and not exists (
    select from rating g where g.district = $1 and g.round = $2 and g.subject = a.subject
      and g.rater_group = a.rater_group and g.rater = a.rater)
"""
MISSING = f"""
select a.rater, m.name as rater_name, a.subject, a.rater_group as group, a.reminded_at, coalesce(
  {NAMED.format(kind="r.subject_kind", district="$1", subject="a.subject")}, '') as subject_name
{MISSING_FROM}
  and ($5::text is null or (m.name, a.rater, a.subject, a.rater_group) > ($5, $6, $7, $8))
order by m.name, a.rater, a.subject, a.rater_group limit $9
"""


async def missing(
    conn: Connection, organised: Organised, group: Group | None, *, limit: int = 50, cursor: str | None = None
) -> MissingPage:
    """Who is missing, of the subjects that the reader reaches. Raises InvalidCursor."""
    found = organised.round
    about = (found.district, found.id, organised.standing.organisations, group)
    after = cursors.read(cursor, _Cursor) if cursor else None
    place = (after.name, after.rater, after.subject, after.group) if after else (None, None, None, None)
    rows = await conn.fetch(MISSING, *about, *place, limit + 1)
    items = [MissingRater(**row) for row in rows[:limit]]
    last = items[-1] if len(rows) > limit else None
    following = _Cursor(last.rater_name, last.rater, last.subject, last.group) if last else None
    total = await conn.fetchval(f"select count(*) {MISSING_FROM}", *about)
    return MissingPage(items=items, next=cursors.write(following) if following else None, total=total)


class Reminded(Struct, frozen=True):
    """How many people were reminded."""

    people: int


REMIND = f"""
with these as (select a.rater, a.subject, a.rater_group {MISSING_FROM}
  and (a.reminded_at is null or a.reminded_at <= $5))
update round_rater a set reminded_at = $6 from these t
where a.district = $1 and a.round = $2 and (a.rater, a.subject, a.rater_group) = (t.rater, t.subject, t.rater_group)
returning a.rater
"""


async def remind(
    conn: Connection, reader: Reader, round_: UUID, group: Group | None, now: datetime
) -> tuple[Reminded, Sequence[UUID]]:
    """Remind those who are missing and may still rate, once in twelve hours: how many people, and who.

    Raises NotAllowed and NotFound."""
    organised = await rounds.organised(conn, reader, round_)
    if not organised.standing.organises:
        raise NotAllowed
    found = organised.round
    if now < found.opens_at or now >= found.first_at or found.cancelled_at is not None:
        return Reminded(0), []
    open_groups = [one for one in NAMED_GROUPS if now < round_steps.closes(found, one)]
    reminded: set[UUID] = set()
    for one in open_groups:
        if group in (None, one):
            about = (found.district, found.id, organised.standing.organisations, one)
            rows = await conn.fetch(REMIND, *about, now - REMINDED_AGAIN, now)
            reminded |= {row["rater"] for row in rows}
    cause = await _tell(conn, reader, round_, group, len(reminded), now)
    tellings = [
        Telling(member=who, kind="rating_due", round=found.id, cause=cause, happened_at=now) for who in reminded
    ]
    await notices.tell(conn, found.district, tellings, now)
    return Reminded(len(reminded)), sorted(reminded)


async def _tell(
    conn: Connection, reader: Reader, round_: UUID, group: Group | None, people: int, now: datetime
) -> UUID:
    """Write into the history that they were reminded; the event's id."""
    id_ = uuid4()
    event = occurrence(
        id=id_,
        district=reader.district,
        kind="round",
        event="remind",
        actor=Actor("member", str(reader.member)),
        now=now,
        about=round_,
        facts={"group": group, "people": people},
    )
    await history.append(conn, [event], [])
    return id_

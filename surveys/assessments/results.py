"""The results of a round, worked out some subjects at a time, so that what is broken off goes on where it was.

A result keeps all from which it came: how often and how high each group rated each item, the facts, and what was upheld
by appeals. So it can be worked out again, and is the same; a digest over all of a version says so. Later versions keep
the facts of the first: what happened after it was looked at is of another round."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, cast
from uuid import UUID, uuid5

import msgspec
from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.assessments import facts, instruments, rounds, scoring, stars
from surveys.assessments.facts import Taken
from surveys.assessments.instruments import GROUPS, Group, Instrument
from surveys.assessments.rounds import Round
from surveys.assessments.scoring import Decided, Plan, Tally
from surveys.assessments.stars import Reached, Standing
from surveys.history import Actor, occurrence

JOB = Actor("job", "work_out_rounds")
AT_ONCE = 250  # subjects of one transaction: some 1,500 ratings
RANKED_AT_ONCE = 2_000
FEW = 500  # subjects whose facts are asked for by their ids; of more all are
NO_DIGEST = b""

Kind = Literal["first", "final"]


class NoLongerWanted(Exception):
    """Another process has taken it over, or it is done."""


class Computation(Struct, frozen=True, kw_only=True):
    """A version of a round's results that is being worked out, and how far it is."""

    version: int
    kind: Kind
    taken_at: datetime
    known_at: datetime
    done: int
    reckoned: UUID | None
    digest: bytes | None


BEGIN = """
update round_computation c set attempt = $3
where c.district = $1 and c.round = $2 and c.version = (
  select min(version) from round_computation where district = $1 and round = $2 and ready_at is null)
returning version, kind, taken_at, known_at, done, reckoned, digest
"""


async def begin(conn: Connection, district: int, round_: UUID, attempt: UUID) -> Computation | None:
    """Take on what is to be worked out of a round; whoever was at it is no longer heard. None if there is nothing."""
    row = await conn.fetchrow(BEGIN, district, round_, attempt)
    return Computation(**row) if row else None


class Work(Struct, frozen=True):
    """What every batch needs."""

    conn: Connection
    found: Round
    plan: Plan
    version: int
    attempt: UUID
    taken: Taken | None  # None for later versions
    appealed: Mapping[UUID, Decided]


async def work_out(conn: Connection, district: int, round_: UUID, attempt: UUID, now: datetime) -> int:
    """Work out what is to be worked out of a round; of how many subjects. Each batch is a transaction of its own.

    Raises NoLongerWanted."""
    computation = await begin(conn, district, round_, attempt)
    if computation is None:
        return 0
    found = await rounds.one(conn, district, round_)
    if found.cancelled_at is not None:
        return 0
    work = await prepared(conn, found, computation, attempt)
    done, last, digest = computation.done, computation.reckoned, computation.digest or NO_DIGEST
    while batch := await subjects_after(work, last):
        rows, digest = await reckoned(work, batch, digest)
        async with conn.transaction():
            await add(work, rows, batch[-1], digest)
        done, last = done + len(batch), batch[-1]
    async with conn.transaction():
        await _rank(work)
        await _finish(work, computation, done, digest, now)
    return done


UPHELD = """
select subject, jsonb_object_agg(item, points) as points from round_appeal
where district = $1 and round = $2 and state = 'upheld' and decided_at <= $3 group by subject
"""


async def prepared(conn: Connection, found: Round, computation: Computation, attempt: UUID) -> Work:
    """All that the batches of a computation have in common, the facts of everybody among it."""
    instrument = await instruments.of_version(conn, found.district, found.instrument, found.instrument_version)
    zone = await rounds.zone_of(conn, found.district)
    taken = None
    if computation.version == 1:
        few = await conn.fetch(SUBJECTS, found.district, found.id, None, FEW + 1)
        async with conn.transaction():
            taken = await facts.taken(
                conn,
                found.district,
                found.subject_kind,
                found.of,
                zone,
                computation.taken_at,
                computation.known_at,
                [row["subject"] for row in few] if len(few) <= FEW else (),
            )
    upheld = await conn.fetch(UPHELD, found.district, found.id, computation.taken_at)
    appealed = {row["subject"]: row["points"] for row in upheld}
    return Work(conn, found, scoring.plan(instrument), computation.version, attempt, taken, appealed)


SUBJECTS = """
select subject from round_subject
where district = $1 and round = $2 and skipped is null and ($3::uuid is null or subject > $3)
order by subject limit $4
"""
RATINGS = (
    "select subject, rater_group, points from rating where district = $1 and round = $2 and subject = any($3::uuid[])"
)
FACTS_BEFORE = """
select subject, facts from round_result
where district = $1 and round = $2 and version = 1 and subject = any($3::uuid[])
"""


async def subjects_after(work: Work, after: UUID | None) -> list[UUID]:
    """The next subjects, in the order of their ids."""
    rows = await work.conn.fetch(SUBJECTS, work.found.district, work.found.id, after, AT_ONCE)
    return [row["subject"] for row in rows]


async def reckoned(work: Work, batch: Sequence[UUID], digest: bytes) -> tuple[list[tuple[Any, ...]], bytes]:
    """The results of some subjects as rows, and the digest that goes on over them."""
    asked = (work.found.district, work.found.id, batch)
    ratings: dict[UUID, list[tuple[Group, list[int | None]]]] = {}
    for row in await work.conn.fetch(RATINGS, *asked):
        ratings.setdefault(row["subject"], []).append((row["rater_group"], row["points"]))
    if work.taken is not None:
        known = {subject: work.taken.row(subject) for subject in batch}
    else:
        known = {row["subject"]: list(row["facts"]) for row in await work.conn.fetch(FACTS_BEFORE, *asked)}

    def reckon() -> tuple[list[tuple[Any, ...]], bytes]:
        rows, running = [], digest
        for subject in batch:
            values = _row(work, subject, ratings.get(subject, ()), known.get(subject) or [None] * 10)
            running = hashlib.sha256(running + subject.bytes + msgspec.json.encode(values)).digest()
            rows.append((work.found.district, work.found.id, work.version, subject, *values))
        return rows, running

    return await asyncio.to_thread(reckon)  # the process has others to answer meanwhile


COLUMNS = (
    *("district", "round", "version", "subject"),
    *("percent", "headings", "items", "counts", "sums", "facts", "appealed"),
)


def _row(
    work: Work, subject: UUID, ratings: Sequence[tuple[Group, list[int | None]]], known: list[int | None]
) -> tuple[Any, ...]:
    appealed = work.appealed.get(subject, {})
    result = scoring.score_tallies(work.plan, scoring.tally(ratings), facts.values(known), appealed)
    nothing = [0] * len(work.plan.items)
    counts = [count for tally in result.tallies for count in (tally.counts if tally else nothing)]
    sums = [points for tally in result.tallies for points in (tally.sums if tally else nothing)]
    return result.percent, result.headings, result.items, counts, sums, known, dict(sorted(appealed.items()))


def tallies(counts: Sequence[int], sums: Sequence[int]) -> tuple[Tally | None, ...]:
    """Kept sums as they are scored by."""
    size = len(counts) // len(GROUPS)
    parts = [slice(at * size, (at + 1) * size) for at in range(len(GROUPS))]
    return tuple(Tally(counts[part], sums[part]) if any(counts[part]) else None for part in parts)


PROGRESS = """
update round_computation set done = done + $5, reckoned = $6, digest = $7
where district = $1 and round = $2 and version = $3 and attempt = $4 and ready_at is null returning true
"""


async def add(work: Work, rows: Sequence[tuple[Any, ...]], last: UUID, digest: bytes) -> None:
    """Keep some results, unless somebody else is at it by now. Raises NoLongerWanted."""
    key = (work.found.district, work.found.id, work.version, work.attempt)
    if not await work.conn.fetchval(PROGRESS, *key, len(rows), last, digest):
        raise NoLongerWanted
    await work.conn.copy_records_to_table("round_result", records=rows, columns=COLUMNS)


# --- ranks and stars, once all are there

REACHED = "select subject, percent, headings from round_result where district = $1 and round = $2 and version = $3"
RANK = """
update round_result r set rank = s.rank, tied = s.tied, stars = s.stars, by_quota = s.by_quota
from unnest($4::uuid[], $5::int[], $6::int[], $7::int[], $8::bool[]) s(subject, rank, tied, stars, by_quota)
where r.district = $1 and r.round = $2 and r.version = $3 and r.subject = s.subject
"""


async def _rank(work: Work) -> None:
    key = (work.found.district, work.found.id, work.version)
    reached = [
        Reached(row["subject"], row["percent"], tuple(row["headings"]))
        async for row in work.conn.cursor(REACHED, *key, prefetch=RANKED_AT_ONCE)
    ]
    found = await asyncio.to_thread(_standings, work.plan.instrument, reached)
    subjects = list(found)
    for at in range(0, len(subjects), RANKED_AT_ONCE):
        some = subjects[at : at + RANKED_AT_ONCE]
        columns = [[getattr(found[one], name) for one in some] for name in ("rank", "tied", "stars", "by_quota")]
        await work.conn.execute(RANK, *key, some, *columns)


def _standings(instrument: Instrument, reached: Sequence[Reached]) -> dict[UUID, Standing]:
    return cast(dict[UUID, Standing], stars.standings(instrument, reached))


READY = """
update round_computation set ready_at = $5, subjects = $6, digest = $7, attempt = null
where district = $1 and round = $2 and version = $3 and attempt = $4 and ready_at is null returning true
"""


async def _finish(work: Work, computation: Computation, done: int, digest: bytes, now: datetime) -> None:
    found = work.found
    key = (found.district, found.id, work.version, work.attempt)
    if not await work.conn.fetchval(READY, *key, now, done, digest or hashlib.sha256().digest()):
        raise NoLongerWanted
    event = occurrence(
        district=found.district,
        kind="round",
        event="results",
        actor=JOB,
        now=now,
        about=found.id,
        id=uuid5(found.id, f"results {work.version} {work.attempt}"),
        facts={
            "computation": work.version,
            "of": computation.kind,
            "subjects": done,
            "taken_at": computation.taken_at,
            "known_at": computation.known_at,
            "digest": digest.hex(),
            "campaign": work.taken.campaign if work.taken else None,
        },
    )
    await history.append(work.conn, [event], [])

"""What jobs did: one row for each run, from which the next one's time follows."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import uuid4

from asyncpg import Connection
from msgspec import Struct

Outcome = Literal["done", "failed", "asked"]  # asked: somebody wants one that keeps failing to be tried again
KEPT = timedelta(days=30)  # that runs are remembered
FAILURES = 5  # in a row, after which a job is parked


class JobRun(Struct, frozen=True, kw_only=True):
    """One run of a job; `facts` count what it did, or name the error that ended it."""

    job: str
    started_at: datetime
    ended_at: datetime
    outcome: Outcome
    facts: dict[str, object]


RECORD = """
insert into job_run (district, id, job, started_at, ended_at, outcome, facts) values ($1, $2, $3, $4, $5, $6, $7)
"""


async def record(
    conn: Connection,
    district: int,
    job: str,
    outcome: Outcome,
    facts: Mapping[str, object],
    started_at: datetime,
    ended_at: datetime,
) -> None:
    """Write down that a job has run."""
    await conn.execute(RECORD, district, uuid4(), job, started_at, ended_at, outcome, dict(facts))


class Latest(Struct, frozen=True):
    """When a job last began in a district, and how its last runs ended, the newest first."""

    started_at: datetime
    outcomes: list[Outcome]

    @property
    def parked(self) -> bool:
        """Whether it has failed so often that it only comes again after a rest."""
        return self.outcomes == ["failed"] * FAILURES


# The newest runs of each job in each district; a district in which a job never ran has a row without a time.
LATEST = """
select d.district, j.job, r.started_at, r.outcomes
from district d cross join unnest($1::text[]) as j(job), lateral (
  select max(started_at) as started_at, array_agg(outcome order by started_at desc) as outcomes
  from (select started_at, outcome from job_run where district = d.district and job = j.job
        order by started_at desc limit $2) newest) r
order by d.district
"""


async def latest(conn: Connection, jobs: Sequence[str]) -> dict[tuple[int, str], Latest | None]:
    """The last runs of each of these jobs in each district; None where it never ran."""
    rows = await conn.fetch(LATEST, jobs, FAILURES)
    return {
        (row["district"], row["job"]): Latest(row["started_at"], row["outcomes"]) if row["outcomes"] else None
        for row in rows
    }


# When each job ended well last, in the district that has waited for longest.
LAST_DONE = """
select j.job, min(r.ended_at) as ended_at
from district d cross join unnest($1::text[]) as j(job), lateral (
  select ended_at from job_run where district = d.district and job = j.job and outcome = 'done'
  order by started_at desc limit 1) r
group by j.job
"""


async def last_done(conn: Connection, jobs: Sequence[str]) -> dict[str, datetime]:
    """When each of these jobs ended well last, in whichever district that is longest ago; those that never did are left
    out."""
    return {row["job"]: row["ended_at"] for row in await conn.fetch(LAST_DONE, jobs)}


# The newest runs of each job.
NEWEST = """
select r.job, r.started_at, r.ended_at, r.outcome, r.facts
from unnest($2::text[]) as j(job), lateral (
  select * from job_run where district = $1 and job = j.job order by started_at desc limit $3) r
order by r.started_at desc, r.job
"""


async def newest(conn: Connection, district: int, jobs: Sequence[str], limit: int) -> list[JobRun]:
    """The last runs of each of these jobs, newest first, at most `limit` of one job."""
    return [JobRun(**row) for row in await conn.fetch(NEWEST, district, jobs, limit)]


FORGET = "delete from job_run where district = $1 and started_at < $2"


async def forget(conn: Connection, district: int, now: datetime) -> None:
    """Remove what jobs did long ago."""
    await conn.execute(FORGET, district, now - KEPT)

"""Background jobs: what the program does by itself, for each district, one process at a time.

A job runs in one transaction, or in several of its own, and a row of `job_run` says what became of it. Whoever is at it
holds a lock that falls with the process, so that another takes over what a killed one had. One that fails is logged,
recorded and tried again at its next turn; it stops nothing else. One that keeps failing is parked: shown, and tried
again only after a rest, or when somebody asks for it. What jobs queue to be done once are errands (api/errands.py)."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial
from typing import Literal
from uuid import UUID

import asyncpg
import msgspec
import structlog
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Struct

from api import (
    database,
    erasure_journal,
    errands,
    job_queue,
    made_files,
    notice_sending,
    report_making,
    upload_parts,
    webhook_sending,
)
from api.assessments import round_working
from api.attachment_store import Store
from api.auth import Clock
from api.errands import Errand, Office, Parked
from api.job_queue import Ticket
from api.json_bodies import JsonBody, Nothing
from api.settings import Settings
from surveys import history_seals, job_runs
from surveys.access import sign_ins
from surveys.attachments import attachments, uploads
from surveys.coverage import coverage_sums
from surveys.issues import judgements, twin_proposals
from surveys.job_runs import JobRun, Latest
from surveys.notices import escalations, following, notice_channels, reminders
from surveys.people import absences, people
from surveys.people.people import Reader
from surveys.privacy import resealing, retention
from surveys.privacy.sealing import KeyRing
from surveys.refusals import NotFound
from surveys.return_visits import return_visits
from surveys.volunteering import help_taking, service_notices, service_return_visits

log = structlog.get_logger()

LOOK_EVERY_S = 5.0  # for jobs whose turn has come
QUEUE_EVERY_S = 2.0  # for errands
LONG_TOGETHER = 2  # errands that take minutes, in one process
LONGEST_RUN_S = 900.0
REST = timedelta(hours=1)  # between tries of a job that is parked


class Work(Struct, frozen=True, kw_only=True):
    """What a job is given: a district, the time, and what it may need."""

    district: int
    now: datetime
    ring: KeyRing
    settings: Settings


class Job(Struct, frozen=True, kw_only=True):
    """Something done again and again. `run` works in the transaction that it is given, or, where it works in `steps`,
    begins its own, and answers with counts and codes of what it did. One that has much to do returns after a bounded
    time, and goes on at its next turn."""

    name: str
    every: timedelta
    run: Callable[[asyncpg.Connection, Work], Awaitable[Mapping[str, object]]]
    steps: bool = False


class UnknownJobError(Exception):
    """There is no job of this name; the message says which there are."""


async def forget_runs(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Remove what jobs did long ago."""
    await job_runs.forget(conn, work.district, work.now)
    await job_queue.forget(conn, work.now - job_runs.KEPT)
    return {}


async def reseal(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Seal anew what older keys have sealed."""
    return await resealing.reseal(conn, work.ring, work.district)


async def retain(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Forget what the district's rules say, and write it into the journal before it is committed."""
    counts, done = await retention.carry_out(conn, work.district, work.now)
    for erasure in done:
        erasure_journal.append(work.settings, erasure)
    return counts


async def begin_absences(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Hand on what members own whose absence has begun."""
    return await absences.begin(conn, work.district, work.now)


async def resume_pauses(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Go on with what was paused until now."""
    return {"resumed": await _step_by_step(conn, work, judgements.resume_due)}


async def invite_return_visits(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Ask about what has been resolved."""
    return {"invited": await _step_by_step(conn, work, return_visits.invite_due)}


async def lapse_return_visits(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Close what nobody has said anything about in time, and ask no longer about services."""
    lapsed = await _step_by_step(conn, work, return_visits.lapse_due)
    return {"lapsed": lapsed, "services": await _step_by_step(conn, work, service_return_visits.lapse_due)}


MOST_STEPS = 50  # of one turn


async def _step_by_step(
    conn: asyncpg.Connection, work: Work, step: Callable[[asyncpg.Connection, int, datetime], Awaitable[int]]
) -> int:
    """Do a part after another, each in a transaction of its own, until one is not full; how much was done."""
    done = 0
    for _ in range(MOST_STEPS):
        async with conn.transaction():
            count = await step(conn, work.district, work.now)
        done += count
        if count < return_visits.AT_ONCE:
            break
    return done


async def forget_sign_ins(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Remove what the district's rules say of sessions, codes and notices, and failures and browsers that no longer
    count. The history keeps what was done."""
    removed = await retention.forget_accounts(conn, work.district, work.now)
    return {**removed, "failures_and_browsers": await sign_ins.forget(conn, work.district, work.now)}


async def propose_twins(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Look for likely twins of what was reported since the last time."""
    return await twin_proposals.propose(conn, work.district, work.now)


async def seal_history(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Seal what the history holds since the last seal."""
    return msgspec.structs.asdict(await history_seals.seal(conn, work.district, work.now))


async def verify_history(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Hold the history to its seals, as `zoufang history verify` does; what is broken is said in the log as well."""
    found = await history_seals.verify(conn, work.district)
    if found.broken is not None:
        log.error("history_broken", district=work.district, broken=msgspec.to_builtins(found.broken))
    return {name: value for name, value in msgspec.to_builtins(found).items() if value is not None}


async def remind(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Remind of what is nearly due, and of services that begin within a day."""
    counts = await reminders.sweep(conn, work.district, work.now)
    services = await _step_by_step(conn, work, service_notices.remind_due)
    return {**{f"rule_{number}": count for number, count in counts.items()}, "services": services}


async def escalate(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Raise what is past its limit."""
    raised = await escalations.sweep(conn, work.district, work.now)
    return {f"level_{level}": count for level, count in raised.by_level.items()}


TURNS = 50  # of telling, in one run


async def tell(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Tell members and other systems of what was done, and queue the messages that are to go out by now."""
    events = notices = messages = 0
    for _ in range(TURNS):
        async with conn.transaction():
            followed = await following.follow(conn, work.district, work.now)
            await _queue(conn, webhook_sending.ERRAND, work.district, followed.deliveries)
        events, notices = events + followed.events, notices + followed.notices
        if not followed.more:
            break
    async with conn.transaction():
        gathered = await notice_channels.gather(conn, work.district, work.now)
        await _queue(conn, notice_sending.ERRAND, work.district, gathered)
        messages += len(gathered)
    return {"events": events, "notices": notices, "messages": messages}


async def _queue(conn: asyncpg.Connection, errand: Errand, district: int, ids: Sequence[UUID]) -> None:
    await job_queue.put(conn, errand.name, [Ticket(district, one) for one in ids])


async def sum_up_coverage(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Sum up anew what has changed of the coverage of campaigns, some communities at a time."""
    district = await people.district(conn, work.district)
    if district is None:
        raise NotFound
    communities = 0
    for _ in range(MOST_STEPS):
        async with conn.transaction(isolation="repeatable_read"):
            count = await coverage_sums.renew(conn, work.district, district.zone, work.now)
        communities += count
        if not count:
            break
    return {"communities": communities}


async def sweep_uploads(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Forget photos that never came whole, and the parts that came of them."""
    under_way = await uploads.forget(conn, work.district, work.now)
    return {"files": upload_parts.sweep(work.settings, work.district, under_way, work.now)}


async def forget_exports(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Remove files that were made and whose time is over."""
    return await made_files.forget(conn, work.settings, work.district, work.now)


async def remove_attachments(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Remove photos and files that were forgotten from where they lie."""
    store = Store(work.settings)
    return {"removed": await attachments.remove(conn, work.district, partial(store.delete, work.district))}


async def schedule_reports(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Have the briefs made of the week and the month that are over."""
    district = await people.district(conn, work.district)
    if district is None:
        raise NotFound
    return {"periods": await report_making.schedule(conn, district, work.now)}


async def turn_rounds(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """Open rounds of ratings, and have worked out what is due."""
    return await round_working.turn(conn, work.district, work.now)


async def lapse_help(conn: asyncpg.Connection, work: Work) -> Mapping[str, object]:
    """End requests for help that nobody took on in time; their minutes are free again."""
    return {"lapsed": await help_taking.lapse(conn, work.district, work.now)}


JOBS: list[Job] = [
    Job(name="seal_history", every=timedelta(hours=1), run=seal_history),
    Job(name="verify_history", every=timedelta(days=1), run=verify_history),
    Job(name="begin_absences", every=timedelta(minutes=1), run=begin_absences),
    Job(name="resume_pauses", every=timedelta(minutes=1), run=resume_pauses, steps=True),
    Job(name="propose_twins", every=timedelta(minutes=1), run=propose_twins),
    Job(name="invite_return_visits", every=timedelta(minutes=1), run=invite_return_visits, steps=True),
    Job(name="lapse_return_visits", every=timedelta(minutes=1), run=lapse_return_visits, steps=True),
    Job(name="reseal", every=timedelta(minutes=1), run=reseal),
    Job(name="retention", every=timedelta(hours=1), run=retain),
    Job(name="sweep_uploads", every=timedelta(hours=1), run=sweep_uploads),
    Job(name="forget_exports", every=timedelta(minutes=10), run=forget_exports),
    Job(name="remove_attachments", every=timedelta(minutes=1), run=remove_attachments),
    Job(name="forget_sign_ins", every=timedelta(hours=1), run=forget_sign_ins),
    Job(name="remind", every=timedelta(minutes=1), run=remind, steps=True),
    Job(name="escalate", every=timedelta(minutes=1), run=escalate, steps=True),
    Job(name="tell", every=timedelta(seconds=15), run=tell, steps=True),
    Job(name="sum_up_coverage", every=timedelta(seconds=15), run=sum_up_coverage, steps=True),
    Job(name="lapse_help", every=timedelta(hours=1), run=lapse_help),
    Job(name="turn_rounds", every=timedelta(minutes=1), run=turn_rounds),
    Job(name="schedule_reports", every=timedelta(minutes=10), run=schedule_reports),
    Job(name="forget_job_runs", every=timedelta(days=1), run=forget_runs),
]


ERRANDS: list[Errand] = [
    notice_sending.ERRAND,
    webhook_sending.ERRAND,
    report_making.ERRAND,
    made_files.ERRAND,
    round_working.ERRAND,
]


def named(name: str) -> Job:
    """The job of this name. Raises UnknownJobError."""
    for job in JOBS:
        if job.name == name:
            return job
    raise UnknownJobError(f"There is no job {name}; there are {', '.join(job.name for job in JOBS)}.")


class Runner:
    """Runs jobs whose turn has come, one after another, each on a connection that it opens and closes."""

    def __init__(
        self,
        dsn: str,
        clock: Clock,
        ring: Callable[[], KeyRing],
        settings: Settings,
        jobs: Sequence[Job] = (),
        errands: Sequence[Errand] = (),
    ) -> None:
        self._dsn = dsn
        self._clock = clock
        self._ring = ring
        self._settings = settings
        self._jobs = jobs or JOBS
        self._errands = {errand.name: errand for errand in errands or ERRANDS}

    async def run_until_cancelled(self) -> None:
        """Look every few seconds whether a job's turn has come, and, beside that, what is queued, what takes long by
        itself; a database that is away is waited for."""
        async with asyncio.TaskGroup() as together:
            together.create_task(self._again_and_again(self.run_due, lambda: LOOK_EVERY_S))
            for long in (False, True):
                together.create_task(self._again_and_again(partial(self._work_at_queue, long), lambda: QUEUE_EVERY_S))

    async def _again_and_again(self, work: Callable[[], Awaitable[object]], every: Callable[[], float]) -> None:
        while True:
            try:
                await work()
            except Exception as error:
                log.warning("jobs_not_looked_at", error=type(error).__name__)
            await asyncio.sleep(every())

    async def _work_at_queue(self, long: bool) -> None:
        """Work at the queue on one connection for as long as it holds."""
        async with database.connected(self._dsn) as conn:
            while True:
                await self._work_off(conn, long)
                await asyncio.sleep(QUEUE_EVERY_S)

    async def work_off(self) -> int:
        """Run all errands that are due now; how many there were."""
        async with database.connected(self._dsn) as conn:
            return sum([await self._work_off(conn, long) for long in (False, True)])

    async def _work_off(self, conn: asyncpg.Connection, long: bool) -> int:
        these = {name: errand for name, errand in self._errands.items() if errand.long == long}
        together = LONG_TOGETHER if long else job_queue.TOGETHER
        return await errands.work_off(conn, self._office(), these, together)

    def _office(self) -> Office:
        return Office(dsn=self._dsn, clock=self._clock, ring=self._ring, settings=self._settings)

    async def run_due(self) -> None:
        """Run every job whose turn has come, in every district."""
        for district, job in await self._due():
            await self.run_once(district, job, only_if_due=True)

    async def run_everywhere(self, job: Job) -> list[job_runs.Outcome | Literal["held"]]:
        """Run a job now in every district, due or not; `held` where another process is at it."""
        async with database.connected(self._dsn) as conn:
            districts = [district for district, _ in await job_runs.latest(conn, [job.name])]
        return [await self.run_once(district, job) for district in districts]

    async def run_once(
        self, district: int, job: Job, *, only_if_due: bool = False
    ) -> job_runs.Outcome | Literal["held"]:
        """Run a job in a district, unless another process is at it or, where that is asked, has just been."""
        async with database.connected(self._dsn) as conn:
            if not await conn.fetchval(TRY_LOCK, district, zlib.crc32(job.name.encode()) - 2**31):
                return "held"
            if only_if_due and not self._is_due(
                job, (await job_runs.latest(conn, [job.name])).get((district, job.name))
            ):
                return "held"
            return await self._run(conn, district, job)

    async def _run(self, conn: asyncpg.Connection, district: int, job: Job) -> job_runs.Outcome:
        started = self._clock()
        work = Work(district=district, now=started, ring=self._ring(), settings=self._settings)
        outcome: job_runs.Outcome = "done"
        try:
            async with asyncio.timeout(LONGEST_RUN_S), nullcontext() if job.steps else conn.transaction():
                facts = dict(await job.run(conn, work))
        except Exception as error:
            outcome, facts = "failed", {"error": type(error).__name__}
            log.error("job_failed", job=job.name, district=district, exc_info=error)
        ended = self._clock()
        await job_runs.record(conn, district, job.name, outcome, facts, started, ended)
        if outcome == "done":
            log.info("job", job=job.name, district=district, did=facts)
        return outcome

    async def _due(self) -> list[tuple[int, Job]]:
        by_name = {job.name: job for job in self._jobs}
        async with database.connected(self._dsn) as conn:
            latest = await job_runs.latest(conn, list(by_name))
        return [
            (district, by_name[name]) for (district, name), last in latest.items() if self._is_due(by_name[name], last)
        ]

    def _is_due(self, job: Job, last: Latest | None) -> bool:
        if last is None or last.outcomes[0] == "asked":
            return True
        return last.started_at + (max(job.every, REST) if last.parked else job.every) <= self._clock()


# Held until the connection ends, however it ends.
TRY_LOCK = "select pg_try_advisory_lock($1::int, $2::int)"


class JobState(Struct, frozen=True, kw_only=True):
    """A job, how often its turn comes, and its last runs, newest first."""

    name: str
    every_seconds: int
    runs: list[JobRun]


class JobStates(Struct, frozen=True):
    """All jobs, and what failed too often and waits for somebody to look."""

    items: list[JobState]
    parked: list[Parked]


RUNS_SHOWN = 10  # of each job


@get("/api/jobs", summary="Background jobs")
async def list_jobs(conn: NamedDependency[asyncpg.Connection], reader: NamedDependency[Reader]) -> JobStates:
    """What ran in the reader's district, when, and what it did; for who runs the program, and for the administrator."""
    reader.require("administrator", "operator")
    return JobStates(await states(conn, reader.district, RUNS_SHOWN), await parked(conn, reader.district))


@post(
    "/api/jobs/{job:str}/retry",
    dto=JsonBody[Nothing],
    return_dto=None,
    status_code=204,
    summary="Try again what was parked",
)
async def retry_job(
    data: JSONBody[Nothing],
    conn: NamedDependency[asyncpg.Connection],
    reader: NamedDependency[Reader],
    clock: NamedDependency[Clock],
    job: FromPath[str],
) -> None:
    """Let what failed too often be tried again soon: a job by its name, or something queued by its number."""
    reader.require("administrator", "operator")
    await retry(conn, reader.district, job, clock())


async def states(conn: asyncpg.Connection, district: int, limit: int) -> list[JobState]:
    """Every job with its last runs in a district."""
    runs = await job_runs.newest(conn, district, [job.name for job in JOBS], limit)
    return [
        JobState(
            name=job.name,
            every_seconds=int(job.every.total_seconds()),
            runs=[run for run in runs if run.job == job.name],
        )
        for job in JOBS
    ]


async def parked(conn: asyncpg.Connection, district: int) -> list[Parked]:
    """What failed too often in a district: jobs first, then what is queued."""
    latest = await job_runs.latest(conn, [job.name for job in JOBS])
    resting = [
        Parked(id=job.name, what=job.name, thing=None, tries=job_runs.FAILURES, since=last.started_at)
        for job in JOBS
        if (last := latest.get((district, job.name))) is not None and last.parked
    ]
    return resting + await errands.parked(conn, district)


async def retry(conn: asyncpg.Connection, district: int, which: str, now: datetime) -> None:
    """Let something parked be tried again soon. Raises NotFound for what is not parked in this district."""
    for one in await parked(conn, district):
        if one.id == which and one.thing is None:
            await job_runs.record(conn, district, one.what, "asked", {}, now, now)
            return
        if one.id == which:
            await job_queue.put_back(conn, int(one.id))
            return
    raise NotFound


ROUTES = [list_jobs, retry_job]

"""The errand that works a round's results out, and the job that opens rounds and puts down what has become due."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import structlog

from api import job_queue
from api.errands import Errand, Office
from api.job_queue import Ticket
from surveys.assessments import raters, results
from surveys.assessments.results import NoLongerWanted

log = structlog.get_logger()

NAME = "work_out_rounds"


async def run(office: Office, district: int, round_: UUID, last: bool) -> None:
    """Work out what there is to be worked out of a round; what a killed process had is gone on with."""
    async with office.connected() as conn:
        try:
            while await results.work_out(conn, district, round_, uuid4(), office.clock()):
                pass
        except NoLongerWanted:
            log.info("round_taken_over", district=district, round=str(round_))


ERRAND = Errand(
    name=NAME,
    waits=(timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=10)),
    run=run,
    long=True,
)


async def queue(conn: asyncpg.Connection, district: int, rounds: Sequence[UUID]) -> None:
    """Have rounds worked at, in the transaction that is open."""
    await job_queue.put(conn, NAME, [Ticket(district, round_) for round_ in rounds])


async def turn(conn: asyncpg.Connection, district: int, now: datetime) -> Mapping[str, object]:
    """Draw who rates whom in rounds that open, and queue what is to be worked out by now."""
    drawn, due = await raters.turn(conn, district, now)
    await queue(conn, district, due)
    return {"drawn": drawn, "due": len(due)}

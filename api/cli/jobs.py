"""`zoufang jobs`: the background jobs alone, beside servers that are told to leave them."""

import asyncio
from contextlib import suppress

import asyncpg
import click

from api import jobs, key_ring, logs
from api.app import utc_now
from api.cli.database import opened, refuse_unready, with_connection
from api.cli.serve import ending_cleanly
from api.jobs import JOBS, Runner
from api.settings import Settings
from surveys.refusals import NotFound


@click.command("jobs")
@click.option("--once", metavar="NAME", help="Run this job now in every district, and leave.")
@click.option("--list", "listed", is_flag=True, help="Only list the jobs, and what is parked.")
@click.option("--retry", metavar="ID", help="Try again what is parked under this id, and leave.")
@click.pass_obj
def run_jobs(settings: Settings, once: str | None, listed: bool, retry: str | None) -> None:
    """Run background jobs until Ctrl-C.

    `zoufang serve` runs them by itself unless ZOUFANG_JOBS=off; one process at a time does each.
    """
    if listed:
        for job in JOBS:
            click.echo(f"{job.name}  every {job.every}")
        for line in with_connection(settings, parked):
            click.echo(line)
        return
    if retry:
        count = with_connection(settings, lambda conn: try_again(conn, retry))
        if not count:
            raise click.ClickException(f"Nothing is parked under {retry}; `zoufang jobs --list` tells what is.")
        click.echo(f"{retry}: will be tried again")
        return
    logs.configure(settings.log_level)
    chosen = jobs.named(once) if once else None
    key_ring.read(settings)  # without its keys it does not start
    with ending_cleanly(), opened(settings) as addresses:
        asyncio.run(refuse_unready(addresses))
        runner = Runner(addresses.program, utc_now, lambda: key_ring.read(settings), settings)
        asyncio.run(runner.run_until_cancelled() if chosen is None else run_once(runner, chosen))


DISTRICTS = "select district from district order by district"


async def parked(conn: asyncpg.Connection) -> list[str]:
    """A line for each thing that failed too often, in any district."""
    return [
        f"parked  {one.id}  {one.what}  {one.thing or ''}  {one.tries} tries, last {one.since:%Y-%m-%d %H:%M} UTC"
        for row in await conn.fetch(DISTRICTS)
        for one in await jobs.parked(conn, row["district"])
    ]


async def try_again(conn: asyncpg.Connection, which: str) -> int:
    """Let it be tried again in every district that has it parked; in how many that was."""
    count = 0
    for row in await conn.fetch(DISTRICTS):
        with suppress(NotFound):
            await jobs.retry(conn, row["district"], which, utc_now())
            count += 1
    return count


async def run_once(runner: Runner, job: jobs.Job) -> None:
    """Run a job everywhere, and say what became of it; raises ClickException if it failed anywhere."""
    outcomes = await runner.run_everywhere(job)
    click.echo(f"{job.name}: {', '.join(outcomes) or 'there is no district'}")
    if "failed" in outcomes:
        raise click.ClickException("It failed; the log above says why.")

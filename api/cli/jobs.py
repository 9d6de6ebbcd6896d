"""`zoufang jobs`: the background jobs alone, beside servers that are told to leave them."""

import asyncio

import click

from api import jobs, key_ring, logs
from api.app import utc_now
from api.cli.database import opened, refuse_unready
from api.cli.serve import ending_cleanly
from api.jobs import JOBS, Runner
from api.settings import Settings


@click.command("jobs")
@click.option("--once", metavar="NAME", help="Run this job now in every district, and leave.")
@click.option("--list", "listed", is_flag=True, help="Only list the jobs.")
@click.pass_obj
def run_jobs(settings: Settings, once: str | None, listed: bool) -> None:
    """Run background jobs until Ctrl-C.

    `zoufang serve` runs them by itself unless ZOUFANG_JOBS=off; one process at a time does each.
    """
    if listed:
        for job in JOBS:
            click.echo(f"{job.name}  every {job.every}")
        return
    logs.configure(settings.log_level)
    chosen = jobs.named(once) if once else None
    key_ring.read(settings)  # without its keys it does not start
    with ending_cleanly(), opened(settings) as addresses:
        asyncio.run(refuse_unready(addresses))
        runner = Runner(addresses.program, utc_now, lambda: key_ring.read(settings), settings)
        asyncio.run(runner.run_until_cancelled() if chosen is None else run_once(runner, chosen))


async def run_once(runner: Runner, job: jobs.Job) -> None:
    """Run a job everywhere, and say what became of it; raises ClickException if it failed anywhere."""
    outcomes = await runner.run_everywhere(job)
    click.echo(f"{job.name}: {', '.join(outcomes) or 'there is no district'}")
    if "failed" in outcomes:
        raise click.ClickException("It failed; the log above says why.")

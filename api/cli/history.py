"""`zoufang history`: sealed, verified, and the head of its chain, to be written down elsewhere."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import click

from api import jobs, key_ring, logs
from api.app import utc_now
from api.cli.database import Answer, connect, opened, refuse_unready
from api.cli.jobs import run_once
from api.cli.progress import bars
from api.jobs import Runner
from api.settings import Settings
from surveys import history_seals
from surveys.history_seals import Broken, Head, Verification

DISTRICTS = "select district from district where $1::int is null or district = $1 order by district"

IN_WORDS = {
    "missing": "was taken away",
    "added": "was slipped in",
    "changed": "was changed",
    "text_missing": "names a text that was taken away",
    "text_changed": "names a text that was changed",
}

district_option = click.option("--district", type=int, help="Number of the district.  [default: every one]")


@click.group()
def history() -> None:
    """The append-only history: sealed every hour in a chain of digests, and verified against it.

    Whoever owns the database could write the whole chain anew. Write its head down elsewhere, now and then, and give
    it to `verify`.
    """


@history.command()
@district_option
@click.option("--head", metavar="DIGEST", help="A head that was written down before: it must stand in the chain.")
@click.pass_obj
def verify(settings: Settings, district: int | None, head: str | None) -> None:
    """Hold every record to its seal, the seals to one another, and every text to its event.

    Names the first that does not verify, and then ends with 1.
    """
    if head is not None and district is None:
        raise click.UsageError("--head needs --district: each has a chain of its own.")

    async def work(conn: asyncpg.Connection, number: int) -> bool:
        with bars() as report:
            found = await history_seals.verify(conn, number, known_head=head and head.lower(), report=report)
        click.echo(f"{number}  {told(found)}")
        return found.broken is None

    if not all(for_districts(settings, district, work)):
        raise SystemExit(1)


@history.command()
@click.pass_obj
def seal(settings: Settings) -> None:
    """Seal now what finished transactions have written, as the hourly job does."""
    logs.configure(settings.log_level)
    with opened(settings) as addresses:
        asyncio.run(refuse_unready(addresses))
        runner = Runner(addresses.program, utc_now, lambda: key_ring.read(settings), settings)
        asyncio.run(run_once(runner, jobs.named("seal_history")))


@history.command("head")
@district_option
@click.pass_obj
def show_head(settings: Settings, district: int | None) -> None:
    """Print the digest of the last seal, to be written down where whoever changes the database cannot reach it."""

    async def work(conn: asyncpg.Connection, number: int) -> tuple[int, Head | None]:
        return number, await history_seals.head(conn, number)

    for number, found in for_districts(settings, district, work):
        if found is None:
            click.echo(f"{number}  nothing is sealed yet")
        else:
            click.echo(f"{number}  {found.digest}  seal {found.number} of {found.sealed_at:%Y-%m-%d %H:%M}Z")


def for_districts(
    settings: Settings, district: int | None, work: Callable[[asyncpg.Connection, int], Awaitable[Answer]]
) -> list[Answer]:
    """What a question is answered for each district, or for the one that is named."""

    async def run(dsn: str) -> list[Answer]:
        conn = await connect(dsn)
        try:
            numbers = [row["district"] for row in await conn.fetch(DISTRICTS, district)]
            if district is not None and not numbers:
                raise click.ClickException(f"There is no district {district}.")
            return [await work(conn, number) for number in numbers]
        finally:
            await conn.close()

    with opened(settings) as addresses:
        asyncio.run(refuse_unready(addresses))
        return asyncio.run(run(addresses.program))


def told(found: Verification) -> str:
    """What was found, in a sentence or two."""
    if found.broken is not None:
        return (
            f"BROKEN: {in_words(found.broken)}\n        {found.rows:,} records in {found.seals:,} seals before it hold."
        )
    until = f", sealed until {found.sealed_at:%Y-%m-%d %H:%M}Z" if found.sealed_at else ""
    return (
        f"holds: {found.rows:,} records in {found.seals:,} seals{until}, {found.texts:,} texts;"
        f" {found.unsealed:,} records wait to be sealed\n        head {found.head or '-'}"
    )


def in_words(broken: Broken) -> str:
    """The first record that does not verify, as far as it can be named."""
    if broken.what == "out_of_chain":
        return f"seal {broken.seal} is missing, or does not follow the one before it"
    if broken.what == "head_unknown":
        return "the head given stands nowhere in the chain: seals were taken away, or written anew"
    event = f" ({broken.kind} {broken.event} of {broken.recorded_at:%Y-%m-%d %H:%M:%S}Z)" if broken.event else ""
    seal = f", seal {broken.seal}" if broken.seal else ""
    return f"record {broken.id} of thing {broken.thing}{event}{seal} {IN_WORDS[broken.what]}"

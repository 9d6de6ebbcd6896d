"""`zoufang residents`: what is kept about a resident, found, handed out, or forgotten at their request."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import click
import msgspec

from api import erasure_journal, key_ring, problem_details, resident_texts
from api.cli.database import with_connection
from api.settings import Settings
from surveys.history import Actor
from surveys.people import people
from surveys.people.people import District
from surveys.privacy import residents
from surveys.refusals import Refusal

ACTOR = Actor("program", "residents")

district_option = click.option("--district", type=int, required=True, help="Number of the district.")
purpose_option = click.option("--purpose", required=True, help="Why, in words; kept in the history.")


@click.group("residents")
def residents_group() -> None:
    """Rights of residents: by their phone number, which is asked for, or read from standard input."""


@residents_group.command()
@district_option
@purpose_option
@click.pass_obj
def find(settings: Settings, district: int, purpose: str) -> None:
    """List the issues and visits that a phone number leads to."""
    phone, ring, now = asked_phone(), key_ring.read(settings), utc_now()

    async def work(conn: asyncpg.Connection) -> residents.Resident:
        await district_or_reason(conn, district)
        return await residents.find(conn, ring, district, ACTOR, phone, purpose, now)

    found = run(settings, work)
    for issue in found.issues:
        contact = " ".join(filter(None, (issue.contact.name, issue.contact.phone))) if issue.contact else ""
        click.echo(f"{issue.number:>8}  {issue.reported_at:%Y-%m-%d}  {issue.state:11}  {contact}  {issue.title or ''}")
    click.echo(f"{len(found.issues)} issues, {len(found.visits)} visits", err=True)


@residents_group.command()
@district_option
@purpose_option
@click.option("--format", "form", type=click.Choice(["json", "text"]), default="json", show_default=True)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="New file for it, readable by its owner alone.",
)
@click.pass_obj
def export(settings: Settings, district: int, purpose: str, form: str, output: Path) -> None:
    """Write all that is kept about a resident into a file, as JSON or as readable text."""
    phone, ring, now = asked_phone(), key_ring.read(settings), utc_now()

    async def work(conn: asyncpg.Connection) -> int:
        place = await district_or_reason(conn, district)
        record = await residents.export(conn, ring, district, ACTOR, phone, purpose, now)
        text = resident_texts.written(record, place.zone).encode()
        write(output, text if form == "text" else msgspec.json.format(msgspec.json.encode(record)))
        return len(record.issues)

    click.echo(f"{run(settings, work)} issues written to {output}.", err=True)


@residents_group.command()
@district_option
@purpose_option
@click.option("--with-texts", is_flag=True, help="Empty all texts of their issues, and of the visits, too.")
@click.option("--yes", is_flag=True, help="Do not ask again.")
@click.pass_obj
def erase(settings: Settings, district: int, purpose: str, with_texts: bool, yes: bool) -> None:
    """Forget a resident's name and phone and, if asked, all texts; prints the receipt. It cannot be undone."""
    phone, ring, now = asked_phone(), key_ring.read(settings), utc_now()
    if not yes:
        click.confirm("Forget this resident? It cannot be undone.", abort=True, err=True)

    async def work(conn: asyncpg.Connection) -> residents.Receipt:
        await district_or_reason(conn, district)
        receipt, erasure = await residents.erase(
            conn, ring, district, ACTOR, phone, purpose, now, with_texts=with_texts
        )
        erasure_journal.append(settings, erasure)
        return receipt

    click.echo(msgspec.json.format(msgspec.json.encode(run(settings, work))).decode())


def run(settings: Settings, work: Any) -> Any:
    """Do a command's work; a refusal is said in words."""
    try:
        return with_connection(settings, work)
    except Refusal as refusal:
        problem = problem_details.of(refusal, "en")
        raise click.ClickException(f"{problem.title} ({problem.code}).") from None


async def district_or_reason(conn: asyncpg.Connection, district: int) -> District:
    found = await people.district(conn, district)
    if found is None:
        raise click.ClickException(f"There is no district {district}.")
    return found


def asked_phone() -> str:
    """The number, from a prompt that does not show it, or from standard input; never from an argument, which others on
    this machine could see."""
    if sys.stdin.isatty():
        return str(click.prompt("Phone", hide_input=True, err=True))
    return sys.stdin.readline().strip()


def write(path: Path, content: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be made: {error.strerror}; nothing was written.") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def utc_now() -> datetime:
    """The command's clock."""
    return datetime.now(UTC)

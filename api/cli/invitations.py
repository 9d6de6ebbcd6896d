"""`zoufang members invite`: slips of paper with which members get in for the first time."""

import os
from contextlib import ExitStack, aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import click
from msgspec import Struct

from api import invitation_slips, printed_pages
from api.backup_files import BackupError, written
from api.cli.database import with_connection
from api.cli.progress import bars
from api.invitation_slips import Sheet
from api.printed_pages import PrintError, Progress
from api.settings import Settings
from surveys.access import invitations, one_time_codes
from surveys.history import Actor
from surveys.people import organisations, people
from surveys.refusals import TextUnusable

ACTOR = Actor("program", "invite")
PAGE = "/first-access"


@click.command()
@click.option("--district", type=int, required=True, help="Number of the district.")
@click.option("--organisation", metavar="PATH", help="Only this one and those below it, as 区委/街道党工委/第一支部.")
@click.option("--days", type=click.IntRange(1, 90), help="Days that a slip is good for.  [default: by the setting]")
@click.option("--again", is_flag=True, help="Also who has a password or a good slip already; earlier slips end.")
@click.option(
    "--output", "-o", "output", type=click.Path(dir_okay=False, path_type=Path), required=True,
    help="New PDF file, readable by its owner alone.",
)  # fmt: skip
@click.pass_obj
def invite(
    settings: Settings, district: int, organisation: str | None, days: int | None, again: bool, output: Path
) -> None:
    """Print slips with QR codes, by organisation, for members who have not been in yet; more than 2,000 are several
    files with numbers.

    Each slip opens the door once, and is good until the day that stands on it. Keep the file as you would keep keys,
    and remove it when it is printed.
    """
    order = Order(
        settings=settings,
        address=page_address(settings, PAGE),
        district=district,
        path=organisation,
        days=days or settings.one_time_code_days,
        again=again,
        output=output.absolute(),
    )
    try:
        with ExitStack() as files, bars() as progress:
            made = with_connection(settings, lambda conn: carry_out(conn, order, files, progress))
    except (PrintError, BackupError) as error:
        raise click.ClickException(str(error)) from None
    for path, count in made.items():
        click.echo(f"{path}: {count} slips 张凭条", err=True)


class Order(Struct, frozen=True, kw_only=True):
    """For whom slips are printed, how long they are good, where they lead, and into which file."""

    settings: Settings
    address: str
    district: int
    path: str | None
    days: int
    again: bool
    output: Path


async def carry_out(conn: asyncpg.Connection, order: Order, files: ExitStack, progress: Progress) -> dict[Path, int]:
    """Issue the codes in the caller's transaction, and have all pages on disk before it commits; the files get their
    names after that. How many slips are in each."""
    now = datetime.now(UTC)
    district = await people.district(conn, order.district)
    if district is None:
        raise click.ClickException(f"There is no district {order.district}. 没有这个区。")
    below = await organisation_of(conn, order)
    members = await invitations.to_invite(conn, order.district, below, now, again=order.again)
    if not members:
        raise click.ClickException(
            "Everybody has a password or a good slip already; --again makes new ones. 没有需要邀请的成员。"
        )
    invitation_slips.refuse_missing_glyphs(printed_pages.font(order.settings.font), members)
    parts = invitation_slips.parts(members)
    paths = file_names(order.output, len(parts))
    begins = [files.enter_context(written(path)) for path in paths]
    until = last_day(now, order.days, district.zone)
    ends = until + timedelta(days=1)  # the day that is printed is still good
    ids = [member.id for member in members]
    codes = await one_time_codes.issue(conn, order.district, ids, ACTOR, "first_access", ends, now)
    sheet = Sheet(
        address=order.address,
        district=district.name,
        made=now.astimezone(district.zone),
        until=until,
        shortest=order.settings.password_least_length,
    )
    jobs = invitation_slips.jobs(order.settings.font, sheet, parts, codes)
    pages = printed_pages.printed("Slips 凭条", jobs, progress)
    async with aclosing(pages):
        for begin in begins:
            keep(begin(), await anext(pages))
    return {path: len(part) for path, part in zip(paths, parts, strict=True)}


def keep(file: BinaryIO, content: bytes) -> None:
    with file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def file_names(output: Path, count: int) -> list[Path]:
    """The file that was asked for, or, where there are several, that name with numbers."""
    if count == 1:
        return [output]
    return [output.with_stem(f"{output.stem}-{number:02}") for number in range(1, count + 1)]


async def organisation_of(conn: asyncpg.Connection, order: Order) -> UUID | None:
    if order.path is None:
        return None
    try:
        wanted = organisations.written(organisations.path(order.path))
    except TextUnusable:
        wanted = ""
    for id_, path in (await organisations.paths(conn, order.district)).items():
        if path == wanted:
            return id_
    raise click.ClickException(f"There is no organisation {order.path}. 没有这个组织。")


def last_day(now: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The last day of so many, at its beginning, by the district's calendar."""
    return now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=days)


def page_address(settings: Settings, page: str) -> str:
    """Where a QR code leads. Raises ClickException unless it is known at which address people reach the program."""
    url = (settings.public_url or "").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise click.ClickException(
            "Set ZOUFANG_PUBLIC_URL to the address at which phones reach the program, as https://visits.example: it "
            "stands in every QR code. 请设置 ZOUFANG_PUBLIC_URL。"
        )
    return url + page

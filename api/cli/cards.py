"""`zoufang cards`: contact cards made, listed and revoked, and what they say."""

from contextlib import ExitStack, aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO
from uuid import UUID, uuid4

import asyncpg
import click
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from api import card_making, card_sheets, printed_pages, problem_details
from api.backup_files import BackupError, written
from api.cli.database import with_connection
from api.cli.invitations import file_names, keep, page_address
from api.cli.progress import bars
from api.printed_pages import PrintError, Progress
from api.settings import Settings
from surveys.contact_cards import card_terms, contact_cards
from surveys.contact_cards.card_terms import HotlineChange, TermsChange
from surveys.contact_cards.contact_cards import CardItem, Filters, Giver, Revocation, State
from surveys.history import Actor
from surveys.people import organisations, people
from surveys.people.people import District
from surveys.refusals import Refusal, UnknownMember

ACTOR = Actor("program", "cards")
STATES = {"free": "未发出 free", "bound": "已留在门上 at a door", "revoked": "已停用 revoked"}

district_option = click.option("--district", type=int, required=True, help="Number of the district.")
organisation_option = click.option(
    "--organisation",
    metavar="NAME_OR_ID",
    help="Its id, its path as 区委/街道党工委/第一支部, or a name that only one has.",
)


@click.group()
def cards() -> None:
    """Contact cards (服务联系卡): make, list and revoke them, and say what stands on them."""


class Order(Struct, frozen=True, kw_only=True):
    """For whom cards are made, how many, where they lead, and into which file."""

    settings: Settings
    address: str
    district: int
    organisation: str
    member: str | None
    service_name: str | None
    count: int
    output: Path


@cards.command()
@district_option
@click.option("--organisation", metavar="NAME_OR_ID", required=True, help="Whose cards they are: id, path, or name.")
@click.option("--member", metavar="NUMBER", help="In whose name they are given out; else the organisation's.")
@click.option("--service-name", metavar="TEXT", help="What to print instead of the member's or organisation's name.")
@click.option("--count", type=click.IntRange(1, 10_000), default=200, show_default=True, help="How many.")
@click.option(
    "--output", "-o", "output", type=click.Path(dir_okay=False, path_type=Path), required=True,
    help="New PDF file, readable by its owner alone.",
)  # fmt: skip
@click.pass_obj
def make(
    settings: Settings,
    district: int,
    organisation: str,
    member: str | None,
    service_name: str | None,
    count: int,
    output: Path,
) -> None:
    """Make cards and print them on sheets of ten, fronts and backs; more than 1,000 are several files with numbers.

    The QR code of each opens the page of the door at which it is left. It stands in the file and nowhere else: print
    it, hand the cards out, and remove it. A card that is lost is revoked, and a new one made.
    """
    order = Order(
        settings=settings,
        address=page_address(settings, card_sheets.PAGE),
        district=district,
        organisation=organisation,
        member=member,
        service_name=service_name,
        count=count,
        output=output.absolute(),
    )
    try:
        with ExitStack() as files, bars() as progress:
            made = with_connection(settings, lambda conn: carry_out(conn, order, files, progress))
    except (PrintError, BackupError) as error:
        raise click.ClickException(str(error)) from None
    except Refusal as refusal:
        raise told(refusal) from None
    for path, numbers in made.items():
        click.echo(f"{path}: {numbers}", err=True)


async def carry_out(conn: asyncpg.Connection, order: Order, files: ExitStack, progress: Progress) -> dict[Path, str]:
    """Make the cards in the caller's transaction, and have all pages on disk before it commits; the files get their
    names after that. Which numbers are in each."""
    now = datetime.now(UTC)
    district = await district_of(conn, order.district)
    giver = await giver_of(conn, order)
    sheet, parts = await card_making.make(conn, order.settings, order.address, district, giver, order.count, ACTOR, now)
    paths = file_names(order.output, len(parts))
    begins = [files.enter_context(written(path)) for path in paths]
    pages = printed_pages.printed("Cards 联系卡", card_sheets.jobs(order.settings.font, sheet, parts), progress)
    async with aclosing(pages):
        for begin in begins:
            keep(begin(), await anext(pages))
    return {
        path: f"{len(part)} cards 张卡, {part[0].number} – {part[-1].number}"
        for path, part in zip(paths, parts, strict=True)
    }


async def giver_of(conn: asyncpg.Connection, order: Order) -> Giver:
    """In whose name the cards are given out. Raises ClickException for nobody."""
    organisation, path = await organisation_of(conn, order.district, order.organisation)
    try:
        return await card_making.giver(conn, order.district, organisation, path, order.member, order.service_name)
    except UnknownMember:
        raise click.ClickException(f"There is no member {order.member} in {path}. 该组织没有这名党员。") from None


async def district_of(conn: asyncpg.Connection, number: int) -> District:
    found = await people.district(conn, number)
    if found is None:
        raise click.ClickException(f"There is no district {number}. 没有这个区。")
    return found


async def organisation_of(conn: asyncpg.Connection, district: int, written: str) -> tuple[UUID, str]:
    """An open organisation by its id, its path, or its own name where only one has it. Raises ClickException."""
    paths = await organisations.open_paths(conn, district)
    wanted = " ".join(written.split())
    same = [
        (id_, path)
        for id_, path in paths.items()
        if wanted in (str(id_), path) or path.rpartition(organisations.SEPARATOR)[2] == wanted
    ]
    exact = [one for one in same if wanted in (str(one[0]), one[1])] or same
    if len(exact) == 1:
        return exact[0]
    if not exact:
        raise click.ClickException(f"There is no organisation {written}. 没有这个组织。")
    several = ", ".join(path for _, path in exact[:5])
    raise click.ClickException(f"Several organisations are called {written}: {several}. 有多个同名组织，请写全路径。")


@cards.command("list")
@district_option
@organisation_option
@click.option("--state", type=click.Choice(list(STATES)), multiple=True, help="Only these.")
@click.option("--text", metavar="TEXT", help="Part of a number or of a service name.")
@click.pass_obj
def list_cards(
    settings: Settings, district: int, organisation: str | None, state: tuple[State, ...], text: str | None
) -> None:
    """List cards with where they are; never what opens them."""

    async def find(conn: asyncpg.Connection) -> list[CardItem]:
        await district_of(conn, district)
        of = (await organisation_of(conn, district, organisation))[0] if organisation else None
        return await every(conn, district, Filters(organisation=of, states=state, text=text))

    try:
        found = with_connection(settings, find)
    except Refusal as refusal:
        raise told(refusal) from None
    show(found)


async def every(conn: asyncpg.Connection, district: int, filters: Filters) -> list[CardItem]:
    items: list[CardItem] = []
    cursor = None
    while True:
        page = await contact_cards.page(conn, district, None, filters, limit=200, cursor=cursor, total=False)
        items += page.items
        cursor = page.next
        if cursor is None:
            return items


def show(found: list[CardItem]) -> None:
    table = Table("卡号 Number", "状态 State", "服务名 Service name", "组织 Organisation", "制作 Made")
    for card in found:
        table.add_row(card.number, STATES[card.state], card.service_name, card.organisation.path, f"{card.made_at:%F}")
    console = Console(width=None if Console().is_terminal else 200)
    console.print(table, markup=False)
    console.print(f"{len(found)} cards 张卡")


@cards.command()
@district_option
@click.option("--reason", metavar="TEXT", required=True, help="Why, as 丢失 lost.")
@click.argument("number")
@click.pass_obj
def revoke(settings: Settings, district: int, reason: str, number: str) -> None:
    """Revoke a card that is lost: from now on its QR code opens nothing."""
    asked = Revocation(id=uuid4(), reason=reason)
    try:
        done = with_connection(
            settings,
            lambda conn: contact_cards.revoke(conn, district, number, asked, ACTOR, datetime.now(UTC)),
        )
    except Refusal as refusal:
        raise told(refusal) from None
    click.echo(f"{done.number}: revoked 已停用", err=True)


@cards.command("terms")
@district_option
@click.option("--series", metavar="LETTERS", help="In front of each number made from now on, as EQ.")
@click.option("--hotline", metavar="NUMBER", help="Number to call; with --organisation that one's. Blank: none.")
@click.option("--promise", type=click.File(encoding="utf-8"), help="Text file, a line for each point, six at most.")
@organisation_option
@click.pass_obj
def terms(
    settings: Settings,
    district: int,
    series: str | None,
    hotline: str | None,
    promise: TextIO | None,
    organisation: str | None,
) -> None:
    """Say what cards say: the letters of their numbers, the promise, the hotline. Without options, show it."""
    words = promise.read() if promise is not None else None
    of_district = None if organisation else hotline
    asked = TermsChange(series=series, promise=words, hotline=of_district)

    async def change(conn: asyncpg.Connection) -> card_terms.Terms:
        await district_of(conn, district)
        now = datetime.now(UTC)
        if organisation and hotline is not None:
            of, _ = await organisation_of(conn, district, organisation)
            await card_terms.change_hotline(conn, district, HotlineChange(organisation=of, hotline=hotline), ACTOR, now)
        if asked == TermsChange():
            return await card_terms.of_district(conn, district)
        return await card_terms.change(conn, district, asked, ACTOR, now)

    try:
        said = with_connection(settings, change)
    except Refusal as refusal:
        raise told(refusal) from None
    click.echo(f"{said.series}  {said.hotline or '—'}")
    for line in said.lines():
        click.echo(f"  {line}")


def told(refusal: Refusal) -> click.ClickException:
    """What a refusal says, in both languages."""
    return click.ClickException(" ".join(problem_details.of(refusal, language).title for language in ("en", "zh")))

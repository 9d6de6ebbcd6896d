"""`zoufang init`: a real installation: its district, its first organisation and its first administrator."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import asyncpg
import click

from api import holiday_lists, key_ring, shipped_questionnaires
from api.assessments import shipped_instruments
from api.cli.database import with_connection
from api.settings import Settings
from surveys.access import one_time_codes, sessions
from surveys.history import Actor
from surveys.people import people

LARGEST_DISTRICT = 999_999_999


class TimeZone(click.ParamType[str]):
    """The name of a time zone in the IANA database."""

    name = "time zone"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):  # an unknown name, a path, and a folder of the database
            self.fail(f"{value!r} is not a time zone such as Asia/Shanghai.", param, ctx)
        return value


class Name(click.ParamType[str]):
    """A text that is not blank."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = " ".join(value.split())
        if not text or "\x00" in text:
            self.fail("must not be empty.", param, ctx)
        return text


@click.command()
@click.option(
    "--district",
    type=click.IntRange(1, LARGEST_DISTRICT),
    prompt="District's number, given once and never changed (e.g. 410103)",
    help="Number of the district, given once and never changed.",
)
@click.option("--code", type=Name(), prompt="District's present code", help="Its present administrative code.")
@click.option("--name", type=Name(), prompt="District's name", help="Its name.")
@click.option("--time-zone", type=TimeZone(), default="Asia/Shanghai", prompt="Time zone", help="Its IANA time zone.")
@click.option("--organisation", type=Name(), prompt="First organisation's name", help="Its highest party organisation.")
@click.option("--administrator", type=Name(), prompt="First administrator's name", help="The first administrator.")
@click.option("--number", type=Name(), prompt="First administrator's member number", help="Their member number.")
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the administrator's token to this new file, readable by its owner alone, instead of printing it.",
)
@click.pass_obj
def init(
    settings: Settings,
    district: int,
    code: str,
    name: str,
    time_zone: str,
    organisation: str,
    administrator: str,
    number: str,
    token_file: Path | None,
) -> None:
    """Found a district, with its first organisation and administrator, and print their token once."""
    founding = people.Founding(
        district=district,
        code=code,
        name=name,
        time_zone=time_zone,
        organisation=uuid4(),
        organisation_name=organisation,
        member=uuid4(),
        member_number=number,
        member_name=administrator,
    )

    async def work(conn: asyncpg.Connection) -> None:
        now = datetime.now(UTC)
        await holiday_lists.seed(conn, now)
        token = await found(conn, founding, now)
        await shipped_questionnaires.install(conn, district, Actor("program", "init"), now)
        await shipped_instruments.install(conn, district, Actor("program", "init"), now)
        hand_over(token, token_file)  # before the commit: a token that could not be handed over was never made
        if token_file is None:
            await tell_first_access(conn, founding, settings, now)

    key_ring.make_if_missing(settings)
    with_connection(settings, work)
    click.echo(f"{name} is ready. Next: zoufang import communities FILE --district {district}", err=True)


async def found(conn: asyncpg.Connection, founding: people.Founding, now: datetime) -> str:
    """Write the district and make its administrator's token; a district that is there already is left alone."""
    try:
        await people.found(conn, founding, now)
    except asyncpg.UniqueViolationError:
        raise click.ClickException(f"District {founding.district} exists already; nothing was changed.") from None
    return await sessions.issue_token(conn, founding.district, founding.member, "init", now)


async def tell_first_access(
    conn: asyncpg.Connection, founding: people.Founding, settings: Settings, now: datetime
) -> None:
    """Show the administrator's first one-time code, by which they choose a password."""
    expires_at = now + timedelta(days=settings.one_time_code_days)
    actor = Actor("program", "init")
    codes = await one_time_codes.issue(
        conn, founding.district, [founding.member], actor, "first_access", expires_at, now
    )
    address = (settings.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")
    click.echo(
        f"To sign in with a password instead, open {address}/first-access once the program serves, and enter this "
        f"code within {settings.one_time_code_days} days:\n{codes[founding.member]}"
    )


def hand_over(token: str, token_file: Path | None) -> None:
    """Show the token this once: on the terminal, or in a new file that its owner alone can read."""
    if token_file is None:
        click.echo(f"The administrator's token, shown this once:\n{token}")
        return
    try:
        descriptor = os.open(token_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise click.ClickException(f"{token_file} cannot be made: {error.strerror}; nothing was changed.") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(token + "\n")

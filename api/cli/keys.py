"""`zoufang keys`: the ring of keys that seals what names a resident: made, listed, rotated, a key retired."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import asyncpg
import click

from api import key_ring
from api.cli.database import with_connection
from api.key_ring import KeyRingError
from api.settings import Settings
from surveys import history
from surveys.history import Actor, occurrence
from surveys.privacy import resealing
from surveys.privacy.sealing import manifest

# A serving process takes up a changed ring within a second or two; until then it seals with the key before.
TAKEN_UP = timedelta(minutes=1)
ACTOR = Actor("program", "keys")


@click.group()
def keys() -> None:
    """The ring of keys that opens sealed fields: names and phones of residents, phones of members, second factors.

    It lies in the file ZOUFANG_KEYS, outside of ZOUFANG_DATA. Back it up, and apart from the data: without it, what is
    sealed is lost; whoever has both can read it.
    """


@keys.command()
@click.pass_obj
def make(settings: Settings) -> None:
    """Make a ring with one key, for a new installation; one that is there is left alone."""
    key_ring.make(settings, utc_now())
    click.echo(f"Made {settings.key_file}. Back it up, apart from the data.", err=True)


@keys.command("list")
@click.pass_obj
def list_keys(settings: Settings) -> None:
    """List the keys by number: fingerprint, when each was made, and how many fields it still seals."""
    ring = key_ring.read(settings)
    sealed = with_connection(settings, resealing.counts)
    fingerprints = manifest(ring)
    for number in sorted(ring.keys.keys() | sealed.keys()):
        made = ring.made_at.get(number)
        note = "  seals what is new" if number == ring.newest else ""
        if number not in ring.keys:
            note = "  NOT ON THE RING: what it seals cannot be opened"
        when = f"{made:%Y-%m-%d %H:%M}Z" if made else "-"
        click.echo(f"{number:>4}  {fingerprints.get(str(number), '-'):8}  {when:17}  {sealed.get(number, 0):>9,}{note}")
    if key_ring.readable_by_others(settings):
        click.echo(f"Others can read {settings.key_file}: chmod 600.", err=True)


@keys.command()
@click.pass_obj
def rotate(settings: Settings) -> None:
    """Add a key that seals from now on; running servers take it up by themselves, and seal anew what older keys
    have sealed, bit by bit."""
    now = utc_now()
    key_ring.read(settings)  # says what is wrong before a database is opened

    async def work(conn: asyncpg.Connection) -> int:
        with key_ring.alone(settings):
            ring = key_ring.read(settings).rotated(now)
            await tell(conn, "key_added", {"key": ring.newest, "fingerprint": manifest(ring)[str(ring.newest)]}, now)
            key_ring.replace(settings, ring)
        return ring.newest

    number = with_connection(settings, work)
    click.echo(f"Key {number} seals from now on. Back up {settings.key_file} again, apart from the data.", err=True)


@keys.command()
@click.argument("number", type=click.IntRange(1))
@click.pass_obj
def retire(settings: Settings, number: int) -> None:
    """Take a key off the ring, once nothing is sealed under it.

    Backups of the data from before need the backup of the ring from then.
    """
    now = utc_now()
    key_ring.read(settings)

    async def work(conn: asyncpg.Connection) -> None:
        with key_ring.alone(settings):
            ring = key_ring.read(settings)
            if number not in ring.keys:
                raise KeyRingError(f"There is no key {number} on the ring; nothing was changed.")
            if number == ring.newest:
                raise KeyRingError("This key seals what is new. `zoufang keys rotate` first; nothing was changed.")
            if now - ring.made_at[ring.newest] < TAKEN_UP:
                raise KeyRingError("The newest key was made just now, and a server may not have it yet. Wait a minute.")
            if left := (await resealing.counts(conn)).get(number, 0):
                raise KeyRingError(
                    f"Key {number} still seals {left:,} fields. A running server seals them anew, bit by bit; "
                    "`zoufang jobs --once reseal` does it now. Nothing was changed."
                )
            await tell(conn, "key_retired", {"key": number, "fingerprint": manifest(ring)[str(number)]}, now)
            key_ring.replace(settings, ring.without(number))

    with_connection(settings, work)
    click.echo(f"Key {number} is off the ring. Keep a backup of it for as long as old backups of the data.", err=True)


DISTRICTS = "select district from district order by district"


async def tell(conn: asyncpg.Connection, event: str, facts: Mapping[str, object], now: datetime) -> None:
    """Write into each district's history that the ring has changed."""
    rows = [
        occurrence(district=row["district"], kind="installation", event=event, actor=ACTOR, now=now, facts=facts)
        for row in await conn.fetch(DISTRICTS)
    ]
    if rows:
        await history.append(conn, rows, [])


def utc_now() -> datetime:
    """The command's clock."""
    return datetime.now(UTC)

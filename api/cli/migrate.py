"""`zoufang migrate`: bring the database to the program's version."""

import asyncio
import base64
import hashlib
import hmac
import os
from urllib.parse import unquote, urlsplit

import click

from api import migrations
from api.cli.database import APP, Addresses, NoDatabaseError, connect, opened
from api.cli.database import migrate as apply_pending
from api.settings import Settings


@click.command()
@click.option("--status", is_flag=True, help="Only list what is applied and what is pending; 1 if something is.")
@click.option("--rollback", is_flag=True, help="Undo the newest migration. Its data is gone.")
@click.option("--yes", is_flag=True, help="Do not ask before undoing.")
@click.option("--set-password", is_flag=True, help="Give the role that runs the password that DATABASE_URL holds.")
@click.pass_obj
def migrate(settings: Settings, status: bool, rollback: bool, yes: bool, set_password: bool) -> None:
    """Apply pending migrations, as the role that owns the database."""
    verifier = verifier_of(settings.database_url) if set_password else None
    if rollback and not yes:
        click.confirm("Undo the newest migration and lose its data?", abort=True)
    with opened(settings, migrating=False) as addresses:
        if status:
            raise SystemExit(asyncio.run(list_status(addresses)))
        if rollback:
            click.echo(f"Undone: {asyncio.run(undo(addresses)) or 'nothing, there was none'}")
            return
        done = asyncio.run(apply_pending(addresses))
        if verifier is not None:
            asyncio.run(store_verifier(addresses, verifier))
    for name in done:
        click.echo(f"Applied: {name}")
    if not done:
        click.echo("The database is up to date.")


async def list_status(addresses: Addresses) -> int:
    conn = await connect(addresses.owner or addresses.program)
    try:
        found = await migrations.status(conn)
    finally:
        await conn.close()
    for name in found.applied:
        click.echo(f"applied  {name}")
    for name in found.pending:
        click.echo(f"pending  {name}")
    return 1 if found.pending else 0


async def undo(addresses: Addresses) -> str | None:
    if addresses.owner is None:
        raise NoDatabaseError("Set MIGRATION_DATABASE_URL to the same database as the role that owns it.")
    conn = await connect(addresses.owner)
    try:
        return await migrations.rollback(conn)
    finally:
        await conn.close()


def verifier_of(url: str | None) -> str:
    """What PostgreSQL keeps of the password in an address, so that the password itself never reaches its log."""
    named = urlsplit(url or "")
    password = unquote(named.password or "")
    if named.username != APP or not password or not password.isascii():
        raise click.UsageError(f"--set-password needs a DATABASE_URL of the form postgresql://{APP}:PASSWORD@…")
    return scram_sha_256(password, os.urandom(16))


def scram_sha_256(password: str, salt: bytes, rounds: int = 4096) -> str:
    """The verifier of RFC 5803 in PostgreSQL's notation."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(rounds, *parts)


async def store_verifier(addresses: Addresses, verifier: str) -> None:
    conn = await connect(addresses.owner or addresses.program)
    try:
        await conn.execute(f"alter role {APP} password '{verifier}'")
    finally:
        await conn.close()

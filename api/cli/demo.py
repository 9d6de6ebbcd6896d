"""`zoufang demo`: the demo district on this machine, with one command."""

import asyncio
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import asyncpg
import click
import msgspec
from msgspec import Struct

from api import key_ring, logs
from api.cli.database import Addresses, connect, hand_to_processes, opened
from api.cli.progress import bars
from api.cli.serve import bound, configuration, ending_cleanly, run
from api.settings import Settings, variable
from surveys.access import passwords, sessions, sign_ins
from surveys.people import people
from surveys.privacy.sealing import KeyRing
from surveys.refusals import NotSignedIn

DISTRICT = 410103
TIME_ZONE = ZoneInfo("Asia/Shanghai")
WHO = {
    "member": "党员 member",
    "worker": "社区工作人员 community worker",
    "leader": "领导 leader",
    "administrator": "管理员 administrator",
}
WITH_PASSWORD = WHO | {"organiser": "组织员 organiser", "auditor": "审计员 auditor"}


@click.command()
@click.option("--load-only", is_flag=True, help="Load the demo district and leave, without serving.")
@click.pass_obj
def demo(settings: Settings, load_only: bool) -> None:
    """Serve an invented district, made on the first start, until Ctrl-C; what you change stays.

    It always uses the embedded database in ZOUFANG_DATA, and listens on loopback.
    """
    settings = msgspec.structs.replace(settings, database_url=None, migration_database_url=None)
    os.environ.setdefault(variable("log_level"), "warning")  # the terminal is for the tokens, not for every request
    logs.configure(os.environ[variable("log_level")])
    ring = key_ring.make_if_missing(settings)
    with ending_cleanly(), bound("127.0.0.1", settings.port) as listening, opened(settings, share=False) as addresses:
        cards_file = settings.data / "demo-cards.json"
        tokens = asyncio.run(prepare(addresses, ring, settings.data / "demo-tokens.json", cards_file))
        accounts = asyncio.run(give_passwords(addresses, settings.data / "demo-passwords.json"))
        if load_only:
            return
        hand_to_processes(addresses)
        site = f"http://127.0.0.1:{listening.getsockname()[1]}"
        greet(site, tokens, accounts, kept_cards(cards_file), settings.data)
        run(configuration(settings), listening)


async def prepare(addresses: Addresses, ring: KeyRing, token_file: Path, cards_file: Path) -> dict[str, str]:
    """Load the district if it is not there, with what opens some of its doors in a file of their own, and have tokens
    that hold, in the file and as the answer."""
    from api.demo import load, tokens

    conn = await connect(addresses.program)
    try:
        now = datetime.now(UTC)
        if await people.district(conn, DISTRICT) is None:
            with bars() as report:
                async with conn.transaction():
                    cards = await load(conn, ring, now.astimezone(TIME_ZONE).date(), report)
            keep(cards_file, cards)
            await analyse(addresses)
        kept = kept_tokens(token_file)
        if kept is None or not await all_hold(conn, kept, now):
            async with conn.transaction():
                kept = await tokens(conn, now)
            keep(token_file, kept)
        return kept
    finally:
        await conn.close()


class Account(Struct, frozen=True):
    """What somebody of the demo signs in with."""

    number: str
    password: str


async def give_passwords(addresses: Addresses, file: Path) -> dict[str, Account]:
    """Have a password for each desk that is shown, in the file and as the answer; one that was changed stays."""
    from api.demo import accounts

    conn = await connect(addresses.program)
    try:
        now = datetime.now(UTC)
        kept = kept_passwords(file)
        given: dict[str, Account] = {}
        async with conn.transaction():
            for who, account in (await accounts(conn)).items():
                before = kept.get(who)
                known = before is not None and before.number == account.number
                password = before.password if before and known else new_password()
                given[who] = Account(account.number, password)
                if not known or not await sign_ins.has_password(conn, DISTRICT, account.id):
                    await passwords.keep(conn, DISTRICT, account.id, passwords.hashed(password), now)
            if given != kept:
                keep(file, {who: msgspec.to_builtins(one) for who, one in given.items()})
        return given
    finally:
        await conn.close()


def new_password() -> str:
    """Sixty random bits, as they can be read aloud."""
    letters = "".join(secrets.choice("23456789abcdefghijkmnpqrstuvwxyz") for _ in range(12))
    return "-".join((letters[:4], letters[4:8], letters[8:]))


def kept_passwords(path: Path) -> dict[str, Account]:
    """The passwords of an earlier start; none if the file is missing or is not ours."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Account])
    except (OSError, msgspec.DecodeError):
        return {}


async def analyse(addresses: Addresses) -> None:
    """Let the database look at what was loaded, rather than plan the first minute's questions blindly."""
    if addresses.owner is not None:
        owner = await connect(addresses.owner)
        try:
            await owner.execute("analyze")
        finally:
            await owner.close()


async def all_hold(conn: asyncpg.Connection, tokens: dict[str, str], now: datetime) -> bool:
    with suppress(NotSignedIn):
        for token in tokens.values():
            await sessions.reader(conn, sessions.credential(token), now)
        return True
    return False


def kept_tokens(path: Path) -> dict[str, str] | None:
    """The tokens of an earlier start; None if the file is missing or is not ours."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return None
    return found if found.keys() == WHO.keys() else None


def kept_cards(path: Path) -> dict[str, str]:
    """The tokens of contact cards, by number, from the first start; none if the file is missing or is not ours."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return {}


def keep(path: Path, tokens: Mapping[str, object]) -> None:
    """Write tokens or passwords for their owner alone; the file is there whole or not at all."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(tokens, file, indent=2)
        file.write("\n")
    unfinished.replace(path)


def greet(
    site: str, tokens: Mapping[str, str], accounts: Mapping[str, Account], cards: Mapping[str, str], data: Path
) -> None:
    click.echo(f"\n走访演示 Zoufang demo\n\n  登录 Sign in:  {site}/sign-in\n")
    click.echo("  编号与密码 number and password")
    for who, account in accounts.items():
        click.echo(f"    {account.number}  {account.password}  {WITH_PASSWORD[who]}")
    click.echo("\n  令牌 tokens")
    for name, token in tokens.items():
        click.echo(f"  {WHO[name]}\n    {token}")
    click.echo("\n  居民页面，如扫了联系卡 residents' pages, as behind the QR codes of contact cards")
    for number, token in cards.items():
        click.echo(f"    {number}  {site}/card#{DISTRICT}.{token}")
    click.echo(f"\n数据 Data: {data.absolute()} (所有人物均为虚构 all persons are invented)\nCtrl-C 停止 to stop\n")

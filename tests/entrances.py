"""People who sign in as people do: by a code from their organisation, a password, and an app that shows six digits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pyotp

from api.app import create_app
from api.settings import Settings
from surveys.access import one_time_codes, passwords
from surveys.history import Actor
from tests.conftest import DISTRICT, NOW, RING, Client, Person, TestClock

PASSWORD = "菜场 门口 修 路灯"
ANOTHER = "护城河边 那棵老槐树"


async def give_password(conn: asyncpg.Connection, who: Person, password: str = PASSWORD) -> None:
    """Let somebody have a password, as if they had chosen it long ago."""
    hash_ = passwords.hashed(passwords.normalised(password))
    await passwords.keep(conn, DISTRICT, who.id, hash_, NOW - timedelta(days=90))


async def give_phone(conn: asyncpg.Connection, who: Person, phone: str) -> None:
    """Let somebody's phone number be known, by its keyed hash."""
    await conn.execute(
        "update member set phone_look_up = $3 where district = $1 and id = $2", DISTRICT, who.id, RING.look_up(phone)
    )


async def give_code(conn: asyncpg.Connection, who: Person, **more: Any) -> str:
    """A one-time code for somebody, as it is printed on their slip."""
    now = more.pop("now", NOW)
    given = {
        "issued_by": Actor("import", "slips"),
        "purpose": "first_access",
        "expires_at": now + timedelta(days=14),
    } | more
    codes = await one_time_codes.issue(conn, DISTRICT, [who.id], now=now, **given)
    return codes[who.id]


async def sign_in(client: Client, who: Person | str, password: str = PASSWORD, **form: str) -> httpx.Response:
    """Send the form of the sign-in page."""
    account = who if isinstance(who, str) else who.number
    return await client.post("/sign-in", data={"account": account, "password": password, **form})


def csrf(client: Client) -> dict[str, str]:
    """What a page of ours sends with everything that it changes."""
    return {"X-CSRF-Token": client.cookies.get("zoufang_csrf") or ""}


async def post(client: Client, path: str, body: Any = None) -> httpx.Response:
    """Change something as a page of ours does."""
    return await client.post(path, json=body if body is not None else {}, headers=csrf(client))


async def is_in(client: Client, path: str = "/api/issues") -> int:
    """How somebody is answered by the cookies that their browser holds."""
    return (await client.get(path)).status_code


async def enrol(client: Client, clock: TestClock) -> pyotp.TOTP:
    """Set up a second factor on its page, and return the app that shows its codes."""
    assert (await post(client, "/api/second-factor")).status_code == 204
    app = app_on(await client.get("/second-factor"))
    answer = await post(client, "/api/second-factor/confirmation", {"code": app.at(clock())})
    assert answer.status_code == 204, answer.text
    clock.forward(seconds=60)  # its code is used up
    return app


def app_on(page: httpx.Response) -> pyotp.TOTP:
    """An authenticator app that was given the secret on a page."""
    secret = page.text.split('class="secret code">')[1].split("<")[0].replace(" ", "")
    return pyotp.TOTP(secret)


@asynccontextmanager
async def program(dsn: str, clock: TestClock, **settings: Any) -> AsyncIterator["Town"]:
    """The program, and browsers in as many places as are asked for."""
    app = create_app(Settings(database_url=dsn, pool_size=4, **settings), clock, RING)
    async with app.lifespan():
        yield Town(app)


class Town:
    """Where browsers stand."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def browser(self, address: str = "192.0.2.1") -> Client:
        """A browser with no cookies, at an address."""
        transport = httpx.ASGITransport(self._app, client=(address, 40_000))
        return Client(transport=transport, base_url="http://testserver.local")

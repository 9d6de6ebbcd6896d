"""Second factors: codes of six digits from an authenticator app (TOTP, RFC 6238), each taken once."""

import unicodedata
from datetime import datetime
from typing import ClassVar
from uuid import UUID

import pyotp
from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.access import account_notices
from surveys.history import Actor
from surveys.privacy.sealing import KeyRing, Place
from surveys.refusals import Conflict, Invalid

ISSUER = "走访 Zoufang"
STEP_S = 30
STEPS_ASIDE = 1  # either way: for clocks that are not quite right, and for typing
FIELD = "second_factor"


class SecondFactorWrong(Invalid):
    """A code that is not the app's present one, or that was used already."""

    code: ClassVar[str] = "second_factor_wrong"


class NoSecondFactor(Conflict):
    """There is none to confirm, to give, or to remove."""

    code: ClassVar[str] = "no_second_factor"


class HasSecondFactor(Conflict):
    """There is one already; it is removed before another is set up."""

    code: ClassVar[str] = "has_second_factor"


class Offered(Struct, frozen=True):
    """A secret that an app may take up: for typing, and as the address that a QR code holds."""

    secret: str
    address: str


def place(district: int, member: UUID) -> Place:
    """What a member's secret is sealed for."""
    return Place(district, member, FIELD)


OFFER = """
insert into second_factor (district, member, secret, offered_at) values ($1, $2, $3, $4)
on conflict (district, member) do update set secret = excluded.secret, offered_at = excluded.offered_at
where second_factor.confirmed_at is null
returning true
"""


async def offer(conn: Connection, ring: KeyRing, district: int, member: UUID, now: datetime) -> None:
    """Draw a secret for a member; it counts once a code of it was given back. Raises HasSecondFactor."""
    sealed = ring.seal(pyotp.random_base32(), place(district, member))
    if not await conn.fetchval(OFFER, district, member, sealed, now):
        raise HasSecondFactor


OFFERED = "select secret from second_factor where district = $1 and member = $2 and confirmed_at is null"


async def offered(conn: Connection, ring: KeyRing, district: int, member: UUID, account: str) -> Offered | None:
    """The secret that waits to be confirmed, if there is one; `account` is how the app will call it."""
    sealed = await conn.fetchval(OFFERED, district, member)
    if sealed is None:
        return None
    secret = ring.open(sealed, place(district, member))
    return Offered(secret, pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=ISSUER))


CONFIRMED = "select exists (select from second_factor where district = $1 and member = $2 and confirmed_at is not null)"


async def has_one(conn: Connection, district: int, member: UUID) -> bool:
    """Whether a member has a second factor that counts."""
    found: bool = await conn.fetchval(CONFIRMED, district, member)
    return found


LOCK = "select secret, confirmed_at, last_step from second_factor where district = $1 and member = $2 for update"
CONFIRM = "update second_factor set confirmed_at = $3, last_step = $4 where district = $1 and member = $2"
TAKE = "update second_factor set last_step = $3 where district = $1 and member = $2"


async def confirm(conn: Connection, ring: KeyRing, district: int, member: UUID, code: str, now: datetime) -> None:
    """Let a second factor count from now on. Raises NoSecondFactor, HasSecondFactor or SecondFactorWrong."""
    row = await conn.fetchrow(LOCK, district, member)
    if row is None:
        raise NoSecondFactor
    if row["confirmed_at"] is not None:
        raise HasSecondFactor
    step = _step(ring.open(row["secret"], place(district, member)), code, row["last_step"], now)
    if step is None:
        raise SecondFactorWrong("code")
    await conn.execute(CONFIRM, district, member, now, step)
    await _tell(conn, district, member, "second_factor_added", now)
    await account_notices.add(conn, district, [member], "second_factor_added", None, now)


async def take(conn: Connection, ring: KeyRing, district: int, member: UUID, code: str, now: datetime) -> bool:
    """Whether this is a code of the member's app that was not taken before; it is not taken again.

    Raises NoSecondFactor."""
    row = await conn.fetchrow(LOCK, district, member)
    if row is None or row["confirmed_at"] is None:
        raise NoSecondFactor
    step = _step(ring.open(row["secret"], place(district, member)), code, row["last_step"], now)
    if step is None:
        return False
    await conn.execute(TAKE, district, member, step)
    return True


REMOVE = "delete from second_factor where district = $1 and member = $2 returning confirmed_at"


async def remove(conn: Connection, district: int, member: UUID, by: Actor, now: datetime) -> None:
    """Forget a member's second factor, if there is one, and tell them."""
    if await conn.fetchval(REMOVE, district, member):
        await _tell(conn, district, member, "second_factor_removed", now, by)
        await account_notices.add(conn, district, [member], "second_factor_removed", None, now)


def _step(secret: str, code: str, last: int | None, now: datetime) -> int | None:
    """The step of 30 s whose code this is, if it is near now and after the last one taken."""
    typed = "".join(unicodedata.normalize("NFKC", code[:20]).split())
    if not (typed.isascii() and typed.isdecimal()):
        return None
    app = pyotp.TOTP(secret, interval=STEP_S)
    present = int(now.timestamp()) // STEP_S
    for step in range(present - STEPS_ASIDE, present + STEPS_ASIDE + 1):
        if (last is None or step > last) and pyotp.utils.strings_equal(typed, app.generate_otp(step)):
            return step
    return None


async def _tell(
    conn: Connection, district: int, member: UUID, event: str, now: datetime, by: Actor | None = None
) -> None:
    actor = by or Actor("member", str(member))
    row = history.occurrence(district=district, kind="access", event=event, actor=actor, now=now, about=member)
    await history.append(conn, [row], [])

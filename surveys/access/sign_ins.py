"""Signing in with a password: whose account it is, how often it failed, and whom failures shut out.

Failures are counted for an account from one network address, for an account from all browsers that it does not know,
and for each browser that it knows. So a stranger who guesses shuts out strangers, and not the browser on which the
owner has signed in before (OWASP's device cookies). An attempt is counted before it is checked, so that many at once
are counted as many; one that succeeds is taken back."""

import unicodedata
from datetime import datetime, timedelta
from typing import ClassVar, Literal
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from surveys import history
from surveys.access import account_notices, passwords, second_factors, sessions
from surveys.access.passwords import Holder
from surveys.access.sessions import Credential
from surveys.history import Actor
from surveys.privacy.sealing import KeyRing, digits
from surveys.refusals import Missing, Refusal

PROGRAM = Actor("program", "sign_in")
FROM_ANYWHERE = 4  # times as many failures from all unknown browsers together as from one address
LONGEST_ACCOUNT = 100  # characters


class WrongCredentials(Refusal):
    """No such account, or another password; which of the two is not said."""

    code: ClassVar[str] = "wrong_credentials"


class LockedOut(Refusal):
    """Too many failures; `seconds` and `minutes` say when to come again."""

    code: ClassVar[str] = "locked_out"


class LockOut(Struct, frozen=True):
    """After how many failures somebody has to wait, and for how long."""

    failures: int
    wait: timedelta


class Attempt(Struct, frozen=True, kw_only=True):
    """Somebody who wants in: what they typed, and where from."""

    district: int
    account: str  # a member's number or phone number, as it was typed; empty for who is signed in
    address: str  # of the network, or the network itself
    browser: Credential | None  # the secret of a browser that may be known


class Account(Struct, frozen=True, kw_only=True):
    """A member who may sign in."""

    member: UUID
    holder: Holder
    hash: str | None  # of their password, if they have one


ACCOUNT = """
select m.id, m.number, m.name, m.phone_look_up, p.hash
from member m left join member_password p on p.district = m.district and p.member = m.id
where m.district = $1 and m.closed_at is null and (m.number = any($2) or m.phone_look_up = $3)
order by m.number = ($2::text[])[1] desc, m.number = any($2) desc limit 1
"""
OF_MEMBER = """
select m.id, m.number, m.name, m.phone_look_up, p.hash
from member m left join member_password p on p.district = m.district and p.member = m.id
where m.district = $1 and m.id = $2 and m.closed_at is null
"""


async def account(conn: Connection, ring: KeyRing, district: int, typed: str) -> Account | None:
    """The account of a member's number or phone number; None when there is none."""
    text = plain(typed)
    if text is None:
        return None
    row = await conn.fetchrow(ACCOUNT, district, [text, text.upper()], ring.look_up(text))
    return _account(row) if row else None


async def of_member(conn: Connection, district: int, member: UUID) -> Account | None:
    """The account of a member who has not left."""
    row = await conn.fetchrow(OF_MEMBER, district, member)
    return _account(row) if row else None


def _account(row: object) -> Account:
    columns = dict(row)  # type: ignore[call-overload]
    holder = Holder(number=columns["number"], name=columns["name"], phone_look_up=columns["phone_look_up"])
    return Account(member=columns["id"], holder=holder, hash=columns["hash"])


def plain(typed: str) -> str | None:
    """A number as it is looked up; None when nobody can have it."""
    if len(typed) > LONGEST_ACCOUNT:
        return None
    text = "".join(unicodedata.normalize("NFKC", typed).split())
    return text if text and text.isprintable() else None


DISTRICTS = "select district, name from district order by district limit 100"


class Place(Struct, frozen=True):
    """A district in which one can sign in."""

    district: int
    name: str


async def districts(conn: Connection) -> list[Place]:
    """The districts of this installation; of one alone nobody is asked."""
    return [Place(**row) for row in await conn.fetch(DISTRICTS)]


async def chosen_district(conn: Connection, given: int | None) -> int:
    """The district that somebody signs in to. Raises Missing where there are several and none was given."""
    if given is not None:
        return given
    found = await districts(conn)
    if len(found) != 1:
        raise Missing("district")
    return found[0].district


# One row for each subject: the failures since it was last quiet for the time of a lock-out. Beyond the most that are
# allowed nothing is counted, and the wait does not grow.
COUNT = """
insert into sign_in_failure as f (district, subject, failures, last_at) values ($1, $2, 1, $3)
on conflict (district, subject) do update set
  failures = case when f.last_at <= $4 then 1 else least(f.failures + 1, $5 + 1) end,
  last_at = case when f.last_at <= $4 or f.failures < $5 then $3 else f.last_at end
returning failures, last_at
"""
TAKE_BACK = """
update sign_in_failure set failures = greatest(failures - 1, 0) where district = $1 and subject = any($2)
"""
CLEAR = "delete from sign_in_failure where district = $1 and subject = $2"

KNOWN = """
select exists (select from known_browser
  where district = $1 and digest = $2 and member = $3 and expires_at > $4)
"""

What = Literal["password", "second_factor"]


class Counted(Struct, frozen=True, kw_only=True):
    """An attempt that was let through to be checked."""

    district: int
    subjects: tuple[bytes, ...]  # the first is the narrowest
    last: bool  # after this one somebody has to wait


async def count(
    conn: Connection, ring: KeyRing, attempt: Attempt, member: UUID | None, lock_out: LockOut, now: datetime,
    what: What = "password",
) -> Counted:  # fmt: skip
    """Count an attempt before it is checked. Raises LockedOut; commit what was counted all the same.

    What was typed is counted, whether there is such an account or not: else a lock-out would tell who exists, and which
    phone is whose."""
    who = _counted_as(attempt.account) if attempt.account else str(member)
    browser = attempt.browser
    if browser and member and await conn.fetchval(KNOWN, attempt.district, browser.digest, member, now):
        subjects = [(f"{what} {who} browser {browser.digest.hex()}", lock_out.failures)]
    else:
        subjects = [
            (f"{what} {who} from {attempt.address}", lock_out.failures),
            (f"{what} {who} from anywhere", lock_out.failures * FROM_ANYWHERE),
        ]
    digests = []
    last = False
    for words, most in subjects:
        digest = ring.veil(f"sign-in {attempt.district} {words}")
        row = await conn.fetchrow(COUNT, attempt.district, digest, now, now - lock_out.wait, most)
        failures, last_at = row or (0, now)
        if failures > most:
            seconds = max(1, round((last_at + lock_out.wait - now).total_seconds()))
            raise LockedOut(seconds=seconds, minutes=-(-seconds // 60))
        digests.append(digest)
        last = last or failures == most
    return Counted(district=attempt.district, subjects=tuple(digests), last=last)


def _counted_as(typed: str) -> str:
    """One word for all the ways in which an account can be written."""
    text = (plain(typed) or "").upper()
    return text if any(letter.isalpha() for letter in text) else digits(text)


async def failed(conn: Connection, counted: Counted, member: UUID | None, what: What, now: datetime) -> None:
    """Write a failure into the history, of nobody's account without a trace of what was typed."""
    facts: dict[str, object] = {"what": what, "locked_out": counted.last}
    row = history.occurrence(
        district=counted.district,
        kind="access",
        event="sign_in_failed",
        actor=PROGRAM,
        now=now,
        about=member,
        facts=facts,
    )
    await history.append(conn, [row], [])
    if counted.last and member is not None:
        await account_notices.add(conn, counted.district, [member], "locked_out", None, now)


DISTRICT_EXISTS = "select exists (select from district where district = $1)"


async def token_failed(conn: Connection, district: int, now: datetime) -> None:
    """Write into the history that a token of no member was shown, if there is the district that it names."""
    if not await conn.fetchval(DISTRICT_EXISTS, district):
        return
    row = history.occurrence(
        district=district, kind="access", event="sign_in_failed", actor=PROGRAM, now=now, facts={"what": "token"}
    )
    await history.append(conn, [row], [])


async def succeeded(conn: Connection, counted: Counted) -> None:
    """Take an attempt back that was none against the account."""
    narrowest, *wider = counted.subjects
    await conn.execute(CLEAR, counted.district, narrowest)
    if wider:
        await conn.execute(TAKE_BACK, counted.district, wider)


HAS_ACCESS = """
select exists (select from member_password where district = $1 and member = $2)
    or exists (select from access_token where district = $1 and member = $2)
    or exists (select from one_time_code where district = $1 and member = $2 and used_at is not null)
"""


async def has_access(conn: Connection, district: int, member: UUID) -> bool:
    """Whether a member could ever sign in."""
    found: bool = await conn.fetchval(HAS_ACCESS, district, member)
    return found


HAS_PASSWORD = "select exists (select from member_password where district = $1 and member = $2)"


async def has_password(conn: Connection, district: int, member: UUID) -> bool:
    """Whether a member has a password now."""
    found: bool = await conn.fetchval(HAS_PASSWORD, district, member)
    return found


KNOW = """
insert into known_browser (district, digest, member, created_at, expires_at) values ($1, $2, $3, $4, $5)
on conflict (district, digest, member) do update set expires_at = excluded.expires_at
"""
SEEN_BEFORE = "select exists (select from known_browser where district = $1 and digest = $2 and expires_at > $3)"


async def know(
    conn: Connection,
    district: int,
    member: UUID,
    presented: str | None,
    lifetime: timedelta,
    now: datetime,
) -> str:
    """Know a browser on which a member has signed in, by the secret that it presents if we gave it, else by a new one;
    several members may share one."""
    browser = sessions.browser(presented) if presented else None
    if presented and browser and browser.district == district:
        if not await conn.fetchval(SEEN_BEFORE, district, browser.digest, now):
            presented = None
    else:
        presented = None
    secret = presented or sessions.mint("browser", district)
    digest = sessions.credential(secret).digest
    await conn.execute(KNOW, district, digest, member, now, now + lifetime)
    return secret


FORGET_BROWSERS = """
delete from known_browser where district = $1 and member = $2 and digest is distinct from $3
"""


async def forget_browsers(conn: Connection, district: int, member: UUID, kept: Credential | None = None) -> None:
    """Let a member's browsers be strangers again, but for one."""
    await conn.execute(FORGET_BROWSERS, district, member, kept.digest if kept else None)


async def take_away(conn: Connection, district: int, member: UUID, by: Actor, now: datetime) -> None:
    """End all access of a member at once: sessions, tokens, browsers and the password. A one-time code is what is left;
    the second factor goes when that is used."""
    await sessions.end_all(conn, district, member, by, now, programs_too=True)
    await forget_browsers(conn, district, member)
    await passwords.remove(conn, district, member)


async def start_anew(conn: Connection, district: int, member: UUID, hash_: str, now: datetime) -> None:
    """Whoever has used a one-time code begins with a new password, and with nothing that was there before."""
    me = Actor("member", str(member))
    await sessions.end_all(conn, district, member, me, now)
    await forget_browsers(conn, district, member)
    await second_factors.remove(conn, district, member, me, now)
    await passwords.keep(conn, district, member, hash_, now)
    await _tell(conn, district, member, "password_set", now)


async def change_password(
    conn: Connection, district: int, member: UUID, hash_: str, kept: Credential, browser: Credential | None,
    now: datetime,
) -> None:  # fmt: skip
    """Keep a new password; every other browser and phone signs in again."""
    await passwords.keep(conn, district, member, hash_, now)
    await _tell(conn, district, member, "password_changed", now)
    await account_notices.add(conn, district, [member], "password_changed", None, now)
    await sessions.end_all(conn, district, member, Actor("member", str(member)), now, kept=kept)
    await forget_browsers(conn, district, member, browser)


async def _tell(conn: Connection, district: int, member: UUID, event: str, now: datetime) -> None:
    actor = Actor("member", str(member))
    row = history.occurrence(district=district, kind="access", event=event, actor=actor, now=now, about=member)
    await history.append(conn, [row], [])


FORGET_FAILURES = "delete from sign_in_failure where district = $1 and last_at < $2"
FORGET_OLD_BROWSERS = "delete from known_browser where district = $1 and expires_at < $2"


async def forget(conn: Connection, district: int, now: datetime) -> int:
    """Remove counts that have been quiet for a day, and browsers that were not seen for too long; how many."""
    failures = await conn.execute(FORGET_FAILURES, district, now - timedelta(days=1))
    browsers = await conn.execute(FORGET_OLD_BROWSERS, district, now)
    return int(failures.split()[1]) + int(browsers.split()[1])

"""Where a password, a second factor or a one-time code is shown: counted, checked in a thread, and told to the history,
with no connection to the database held while argon2 takes its time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, TypeVar
from uuid import UUID

import asyncpg
from litestar import Request
from litestar.datastructures import State
from msgspec import Meta, Struct

from api import database, limits
from api.auth import Clock, CsrfMissing
from api.filing import Busy
from api.session_cookies import BROWSER_COOKIE
from api.settings import Settings
from surveys.access import one_time_codes, passwords, second_factors, sessions, sign_ins
from surveys.access.passwords import Holder
from surveys.access.sessions import Credential
from surveys.access.sign_ins import Account, Attempt, Counted, LockOut, What, WrongCredentials
from surveys.people.people import Reader
from surveys.privacy.sealing import KeyRing
from surveys.refusals import Invalid, NotAllowed, NotFound, NotSignedIn, Refusal

Password = Annotated[str, Meta(max_length=1_000)]  # a longer one than may be is told so by name
SixDigits = Annotated[str, Meta(max_length=20)]
Own = Request[Reader, Credential, Any]  # of somebody about themselves

MOST_WAITING = 64  # password checks for each that runs; more would wait for longer than a person does

T = TypeVar("T")


class WrongPassword(Invalid):
    """The password that somebody who is signed in gave again."""

    code: ClassVar[str] = "wrong_password"


class PasswordChecks:
    """Threads in which argon2 runs, as many as may at once; so much memory and so many cores it takes, and no more."""

    def __init__(self, at_once: int) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="password")
        self._most = at_once * MOST_WAITING
        self._waiting = 0

    async def run(self, work: Callable[..., T], *given: object) -> T:
        """Do something that takes a core for a while. Raises Busy when too much waits."""
        if self._waiting >= self._most:
            raise Busy
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *given)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Admitted(Struct, frozen=True, kw_only=True):
    """Who has shown their password, and whether a second factor is to be shown as well."""

    district: int
    member: UUID
    has_second_factor: bool


class Entrance:
    """What every way in does the same way."""

    def __init__(self, state: State, settings: Settings, clock: Clock) -> None:
        self._state = state
        self.settings = settings
        self._clock = clock
        self._lock_out = LockOut(settings.lock_out_failures, timedelta(minutes=settings.lock_out_minutes))

    @property
    def _pool(self) -> asyncpg.Pool:
        pool: asyncpg.Pool = self._state.pool
        return pool

    @property
    def _ring(self) -> KeyRing:
        ring: KeyRing = self._state.ring
        return ring

    @property
    def _checks(self) -> PasswordChecks:
        checks: PasswordChecks = self._state.password_checks
        return checks

    def now(self) -> datetime:
        """The time by the program's clock."""
        return self._clock()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """A short transaction of its own."""
        async with database.acquired(self._pool) as conn, conn.transaction():
            yield conn

    def knock(self, request: Request[Any, Any, Any]) -> None:
        """Raises CsrfMissing for a form of another site, and TooManyRequests for an address that tries too often."""
        refuse_cross_site(request)
        self._state.limits.refuse_over("sign_in", limits.address(request))

    async def admit(
        self, request: Request[Any, Any, Any], district: int | None, account: str, password: str
    ) -> Admitted:
        """Who has this number or phone, and this password.

        Raises WrongCredentials, LockedOut, Missing where the district has to be named, Busy, or what `knock` raises."""
        self.knock(request)
        async with database.acquired(self._pool) as conn:
            district = await sign_ins.chosen_district(conn, district)
            found = await sign_ins.account(conn, self._ring, district, account)
            known = {place.district for place in await sign_ins.districts(conn)} if found is None else {district}
            attempt = self._attempt(request, district, account)
            member = found.member if found else None
            counted = await self._count(conn, attempt, member, "password") if district in known else None
        if not await self._matches(district, found, password):
            if counted:
                await self._fail(counted, member, "password")
            raise WrongCredentials
        if counted is None or member is None:
            raise WrongCredentials
        async with self.transaction() as conn:
            await sign_ins.succeeded(conn, counted)
            has_one = await second_factors.has_one(conn, district, member)
        return Admitted(district=district, member=member, has_second_factor=has_one)

    async def confirm_password(
        self, request: Request[Any, Any, Any], district: int, member: UUID, password: str, field: str
    ) -> None:
        """Have somebody who is signed in show their password again. Raises WrongPassword, LockedOut or Busy."""
        async with database.acquired(self._pool) as conn:
            found = await sign_ins.of_member(conn, district, member)
            counted = await self._count(conn, self._attempt(request, district, ""), member, "password")
        if not await self._matches(district, found, password):
            await self._fail(counted, member, "password")
            raise WrongPassword(field)
        async with database.acquired(self._pool) as conn:
            await sign_ins.succeeded(conn, counted)

    async def show_second_factor(
        self, request: Request[Any, Any, Any], district: int, member: UUID, code: str, field: str = "code"
    ) -> None:
        """Have a member show a code of their app. Raises SecondFactorWrong, NoSecondFactor or LockedOut."""
        async with database.acquired(self._pool) as conn:
            counted = await self._count(conn, self._attempt(request, district, ""), member, "second_factor")
            async with conn.transaction():
                taken = await second_factors.take(conn, self._ring, district, member, code, self._clock())
            if taken:
                await sign_ins.succeeded(conn, counted)
                return
        await self._fail(counted, member, "second_factor")
        raise second_factors.SecondFactorWrong(field)

    async def refuse_token(self, request: Request[Any, Any, Any], token: str) -> None:
        """Tell the history of a token that does not hold; of one more than the limit lets, nothing."""
        try:
            presented = sessions.credential(token.strip())
            self._state.limits.refuse_over("sign_in", limits.address(request))
        except (NotSignedIn, limits.TooManyRequests):
            return
        async with self.transaction() as conn:
            await sign_ins.token_failed(conn, presented.district, self._clock())

    async def new_password(self, district: int, holder: Holder, password: str, field: str = "password") -> str:
        """The hash of a password that somebody chose. Raises Invalid with the rule that it breaks, or Busy."""
        fit = passwords.normalised(password, field)
        passwords.refuse_unfit(fit, holder, self._ring, self.settings.password_least_length, field)
        return await self._checks.run(passwords.hashed, fit)

    async def holder_of_code(self, presented: one_time_codes.Presented) -> Account:
        """Whose one-time code this is. Raises CodeUnusable."""
        async with database.acquired(self._pool) as conn:
            member = await one_time_codes.holder(conn, presented, self._clock())
            found = await sign_ins.of_member(conn, presented.district, member)
        if found is None:
            raise NotFound
        return found

    def _attempt(self, request: Request[Any, Any, Any], district: int, account: str) -> Attempt:
        presented = request.cookies.get(BROWSER_COOKIE)
        return Attempt(
            district=district,
            account=account,
            address=limits.address(request),
            browser=sessions.browser(presented) if presented else None,
        )

    async def _count(self, conn: asyncpg.Connection, attempt: Attempt, member: UUID | None, what: What) -> Counted:
        async with conn.transaction():
            return await sign_ins.count(conn, self._ring, attempt, member, self._lock_out, self._clock(), what)

    async def _fail(self, counted: Counted, member: UUID | None, what: What) -> None:
        async with self.transaction() as conn:
            await sign_ins.failed(conn, counted, member, what, self._clock())

    async def _matches(self, district: int, found: Account | None, password: str) -> bool:
        try:
            typed = passwords.normalised(password)
        except Refusal:
            typed, found = "", None  # nobody's password; it takes as long as any other
        kept = found.hash if found else None
        matches, stronger = await self._checks.run(passwords.verified, typed, kept)
        if matches and stronger and found and kept:
            async with database.acquired(self._pool) as conn:
                await passwords.keep_stronger(conn, district, found.member, kept, stronger)
        return matches


def refuse_cross_site(request: Request[Any, Any, Any]) -> None:
    """Another site's form must not sign somebody in as somebody else."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise CsrfMissing


def require_page(request: Own) -> None:
    """What changes how somebody signs in is done in a browser: a phone that was stolen must not be able to. Raises
    NotAllowed."""
    if request.auth.kind != "session":
        raise NotAllowed

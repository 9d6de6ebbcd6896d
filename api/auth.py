"""Who is it: the one place where a bearer token or a browser's cookie becomes a Reader."""

import asyncio
import hmac
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar

import asyncpg
import structlog
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult

from api import basic_access, database
from api.limits import Clock as Clock
from surveys.access import sessions
from surveys.access.sessions import Credential, Signed
from surveys.people.people import READING, Reader, Role
from surveys.refusals import NotAllowed, NotSignedIn

log = structlog.get_logger()

SESSION_COOKIE = "zoufang_session"
CSRF_COOKIE = "zoufang_csrf"
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PUBLIC = "exclude_from_auth"  # the route's opt that lets anybody in
BASIC = "takes_basic"  # the route's opt that takes a token as the password of Basic authentication as well
UNPROVEN = "without_second_factor"  # the route's opt that lets in who has yet to give, or to set up, a second factor

DOOR, DESK, MAP, AUDIT, ACCOUNT = "/sign-in?next=/", "/desk/", "/maps/issues", "/audit", "/account"

# Who works through issues; who only looks at them, or finds them on the way, begins with the map.
AT_DESKS: frozenset[Role] = frozenset({"community_worker", "dispatcher", "department_handler", "organiser"})

SEEN_AGAIN = timedelta(minutes=1)  # after which it is noted that a credential is still used


class CsrfMissing(NotAllowed):
    """A browser's unsafe request without the token that only our own pages can read."""

    code: ClassVar[str] = "csrf"


class SecondFactorNeeded(NotAllowed):
    """Somebody who has to give a second factor, or to set one up, before anything else."""

    code: ClassVar[str] = "second_factor_needed"


class Readers:
    """Finds the persons behind requests; those that arrive while one question is under way share the next.

    Nothing is kept: each request is looked up after it came, so that a token revoked is refused from then on. That a
    credential is still used is noted once a minute, aside: nobody waits for it."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, idle: timedelta = sessions.NEVER_IDLE) -> None:
        self._pool = pool
        self._clock = clock
        self._idle = idle
        self._waiting: list[tuple[Credential, asyncio.Future[Signed | None]]] = []
        self._asking: asyncio.Task[None] | None = None
        self._seen: set[Credential] = set()
        self._noting: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Finish what is being noted."""
        if self._noting is not None:
            await self._noting

    async def find(self, presented: Credential) -> Reader:
        """The person who presents this credential. Raises NotSignedIn when it does not hold."""
        return (await self.signed(presented)).reader

    async def signed(self, presented: Credential) -> Signed:
        """The person who presents this credential, and what it took to get it. Raises NotSignedIn."""
        answer: asyncio.Future[Signed | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((presented, answer))
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_until_answered())
        found = await answer
        if found is None:
            raise NotSignedIn
        return found

    async def signed_on(self, conn: asyncpg.Connection, presented: Credential) -> Signed:
        """The same by a connection that the request holds already: a route that lets others in as well has one before
        anybody is looked for. Raises NotSignedIn."""
        found = await sessions.signed(conn, [presented], self._clock(), self._idle)
        if presented not in found:
            raise NotSignedIn
        return found[presented]

    async def _ask_until_answered(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            await self._ask(waiting)
        self._asking = None

    async def _ask(self, waiting: list[tuple[Credential, asyncio.Future[Signed | None]]]) -> None:
        now = self._clock()
        try:
            async with database.acquired(self._pool) as conn:
                found = await sessions.signed(conn, (presented for presented, _ in waiting), now, self._idle)
        except Exception as error:
            for _, answer in waiting:
                if not answer.done():
                    answer.set_exception(error)
            return
        for presented, answer in waiting:
            if not answer.done():
                answer.set_result(found.get(presented))
        self._note(one for one, signed in found.items() if signed.seen_at is None or now - signed.seen_at >= SEEN_AGAIN)

    def _note(self, seen: Iterable[Credential]) -> None:
        self._seen.update(seen)
        if self._seen and self._noting is None:
            self._noting = asyncio.create_task(self._note_until_noted())

    async def _note_until_noted(self) -> None:
        while self._seen:
            noted, self._seen = self._seen, set()
            try:
                async with database.acquired(self._pool) as conn:
                    await sessions.see(conn, list(noted), self._clock())
            except Exception:  # it is noted with the next request
                log.warning("use_not_noted", exc_info=True)
        self._noting = None


class Authentication(AbstractAuthenticationMiddleware):
    """Finds the person behind each request before its transaction begins."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        """Raises NotSignedIn, or CsrfMissing for a cookie that comes alone."""
        opt, state = connection.scope["route_handler"].opt, connection.app.state
        if opt.get(BASIC) and basic_access.is_spoken(connection):
            presented, signed = await basic_access.signed(connection)
        else:
            presented = _credential(connection)
            signed = await state.readers.signed(presented)
        if not opt.get(UNPROVEN):
            refuse_unproven(signed, state.settings.second_factor_roles)
        return AuthenticationResult(user=signed.reader, auth=presented)


async def visitor(connection: ASGIConnection[Any, Any, Any, Any], conn: asyncpg.Connection) -> Reader:
    """The person behind a request of a route that lets in others than those who sign in.

    Raises NotSignedIn, CsrfMissing or SecondFactorNeeded."""
    state = connection.app.state
    signed: Signed = await state.readers.signed_on(conn, _credential(connection))
    refuse_unproven(signed, state.settings.second_factor_roles)
    return signed.reader


def _credential(connection: ASGIConnection[Any, Any, Any, Any]) -> Credential:
    """What was presented as a bearer token or in a cookie, which comes alone only where nothing is changed."""
    secret, kind = _presented(connection)
    presented = sessions.credential(secret)
    if presented.kind != kind:
        raise NotSignedIn
    if kind == "session" and connection.scope.get("method") not in SAFE_METHODS:
        _refuse_forged(connection, secret)
    return presented


def refuse_unproven(signed: Signed, roles: Iterable[Role]) -> None:
    """Raises SecondFactorNeeded for who has a second factor, or must have one, and did not give it."""
    if signed.proven or signed.of_program:
        return
    if signed.has_second_factor or signed.reader.roles().intersection(roles):
        raise SecondFactorNeeded


def _presented(connection: ASGIConnection[Any, Any, Any, Any]) -> tuple[str, str]:
    """The secret that came with a request, and as what; a header goes before a cookie."""
    header = connection.headers.get("authorization")
    if header is not None:
        scheme, _, secret = header.partition(" ")
        if scheme.lower() != "bearer":
            raise NotSignedIn
        return secret.strip(), "token"
    cookie = connection.cookies.get(SESSION_COOKIE)
    if cookie is None:
        raise NotSignedIn
    return cookie, "session"


def _refuse_forged(connection: ASGIConnection[Any, Any, Any, Any], secret: str) -> None:
    sent = connection.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(sent.encode(), sessions.csrf_token(secret).encode()):
        raise CsrfMissing


async def start_page(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """The page that somebody begins with: the desk, the map, or what those work with who read no issues; the door for
    who is not signed in."""
    try:
        presented = sessions.credential(_presented(connection)[0])
        roles = (await connection.app.state.readers.find(presented)).roles()
    except NotSignedIn:
        return DOOR
    if roles & AT_DESKS:
        return DESK
    if not roles or roles & READING:
        return MAP
    return AUDIT if "auditor" in roles else ACCOUNT


async def reader(request: Request[Reader, Any, Any]) -> Reader:
    """The person behind the request, for handlers."""
    return request.user

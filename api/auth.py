"""Who is it: the one place where a bearer token or a browser's cookie becomes a Reader."""

import asyncio
import hmac
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

import asyncpg
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult

from api import database
from surveys import sessions
from surveys.people import Reader
from surveys.refusals import NotAllowed, NotSignedIn
from surveys.sessions import Credential

SESSION_COOKIE = "zoufang_session"
CSRF_COOKIE = "zoufang_csrf"
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PUBLIC = "exclude_from_auth"  # the route's opt that lets anybody in

Clock = Callable[[], datetime]


class CsrfMissing(NotAllowed):
    """A browser's unsafe request without the token that only our own pages can read."""

    code: ClassVar[str] = "csrf"


class Readers:
    """Finds the persons behind requests; those that arrive while one question is under way share the next.

    Nothing is kept: each request is looked up after it came, so that a token revoked is refused from then on."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._waiting: list[tuple[Credential, asyncio.Future[Reader | None]]] = []
        self._asking: asyncio.Task[None] | None = None

    async def find(self, presented: Credential) -> Reader:
        """The person who presents this credential. Raises NotSignedIn when it does not hold."""
        answer: asyncio.Future[Reader | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((presented, answer))
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_until_answered())
        found = await answer
        if found is None:
            raise NotSignedIn
        return found

    async def _ask_until_answered(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            await self._ask(waiting)
        self._asking = None

    async def _ask(self, waiting: list[tuple[Credential, asyncio.Future[Reader | None]]]) -> None:
        try:
            async with database.acquired(self._pool) as conn:
                found = await sessions.readers(conn, [presented for presented, _ in waiting], self._clock())
        except Exception as error:
            for _, answer in waiting:
                if not answer.done():
                    answer.set_exception(error)
            return
        for presented, answer in waiting:
            if not answer.done():
                answer.set_result(found.get(presented))


class Authentication(AbstractAuthenticationMiddleware):
    """Finds the person behind each request before its transaction begins."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        """Raises NotSignedIn, or CsrfMissing for a cookie that comes alone."""
        secret, kind = _presented(connection)
        presented = sessions.credential(secret)
        if presented.kind != kind:
            raise NotSignedIn
        if kind == "session" and connection.scope.get("method") not in SAFE_METHODS:
            _refuse_forged(connection, secret)
        readers: Readers = connection.app.state.readers
        return AuthenticationResult(user=await readers.find(presented), auth=presented)


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


async def reader(request: Request[Reader, Any, Any]) -> Reader:
    """The person behind the request, for handlers."""
    return request.user

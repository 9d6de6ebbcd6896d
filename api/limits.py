"""How often somebody may knock, how much they may bring, and how long it may take.

Who knocks is counted in buckets of tokens, one for each person or address, in the process's memory: several serving
processes count each for itself, so that together they let through as many times as much."""

import asyncio
import ipaddress
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from msgspec import Struct

from api.settings import Settings
from surveys.refusals import Refusal

Clock = Callable[[], datetime]

Kind = Literal["sign_in", "filing", "page", "card", "card_report"]
USUAL_BODY = 256 * 1024  # bytes; a move with its reason and a correction fits many times
LARGEST_VISIT = 2 * 1024 * 1024  # fifty issues, each with as much text as it may have
LARGEST_BODY = 8 * 1024 * 1024  # a batch of 500 visits with long texts

LEAST_BYTES_PER_S = (
    4 * 1024
)  # that a body arrives at, after the seconds that the settings grant; a poor signal has more
TAKES_ITS_TIME = "takes_its_time"  # the route's opt that lets its answer begin late, as a file's that is made first

MOST_BUCKETS = 100_000  # some 20 MB; full ones are forgotten first
IPV6_NETWORK = 64  # bits; a household or an office has all the addresses below them


class TooManyRequests(Refusal):
    """More often than the limit lets; `facts` say after how many seconds to come again."""

    code: ClassVar[str] = "too_many_requests"


class BodyTooSlow(Refusal):
    """The body trickles in; what came of it is forgotten."""

    code: ClassVar[str] = "body_too_slow"


class TookTooLong(Refusal):
    """The answer was not there in time; nothing of it was kept."""

    code: ClassVar[str] = "took_too_long"


class Rate(Struct, frozen=True):
    """How many at once, and how many a second on average."""

    burst: int
    per_second: float


class _Bucket(Struct):
    """The tokens left, and when they were counted."""

    tokens: float
    at: datetime


class Limits:
    """Token buckets of one process."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[tuple[Kind, str], _Bucket] = {}
        self._rates: Mapping[Kind, Rate] = {
            "sign_in": Rate(settings.sign_in_burst, settings.sign_in_per_minute / 60),
            "filing": Rate(settings.filing_burst, settings.filing_per_minute / 60),
            "page": Rate(settings.page_burst, settings.page_per_minute / 60),
            "card": Rate(settings.card_burst, settings.card_per_minute / 60),
            "card_report": Rate(settings.card_reports_per_day, settings.card_reports_per_day / (24 * 3600)),
        }

    def refuse_over(self, kind: Kind, key: str, weight: int = 1) -> None:
        """Take as many tokens as the request weighs, at most a whole bucket. Raises TooManyRequests when fewer are
        there, and takes none."""
        rate = self._rates[kind]
        now = self._clock()
        bucket = self._bucket(kind, key, rate, now)
        wanted = min(weight, rate.burst)
        if bucket.tokens < wanted:
            seconds = math.ceil((wanted - bucket.tokens) / rate.per_second)
            raise TooManyRequests(seconds=max(1, seconds))
        bucket.tokens -= wanted

    def _bucket(self, kind: Kind, key: str, rate: Rate, now: datetime) -> _Bucket:
        bucket = self._buckets.pop((kind, key), None) or _Bucket(rate.burst, now)
        if len(self._buckets) >= MOST_BUCKETS:
            self._forget_full(now)
        self._buckets[kind, key] = bucket  # at the end: who knocks is forgotten last
        _fill(bucket, rate, now)
        return bucket

    def _forget_full(self, now: datetime) -> None:
        """Forget the full buckets, which are as good as new ones; and if few are, those of whom nothing was heard for
        longest."""
        for (kind, key), bucket in list(self._buckets.items()):
            _fill(bucket, self._rates[kind], now)
            if bucket.tokens >= self._rates[kind].burst:
                del self._buckets[kind, key]
        while len(self._buckets) > MOST_BUCKETS * 0.9:
            del self._buckets[next(iter(self._buckets))]


def _fill(bucket: _Bucket, rate: Rate, now: datetime) -> None:
    passed = max(0.0, (now - bucket.at).total_seconds())
    bucket.tokens = min(rate.burst, bucket.tokens + passed * rate.per_second)
    bucket.at = now


def address(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Where a request comes from, as limits count: an IPv4 address or an IPv6 network. Behind a proxy that the
    settings trust, the server has put the forwarded address in its place."""
    host = connection.client.host if connection.client else ""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, IPV6_NETWORK), strict=False))
    return host


async def few_pages(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """A guard of pages that need no sign-in. Raises TooManyRequests for an address that opens too many."""
    limits: Limits = connection.app.state.limits
    limits.refuse_over("page", address(connection))


class Patience:
    """Ends a request whose body trickles in, or whose answer does not begin in time. An answer that has begun is let
    go on for as long as it takes."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._body_s = settings.body_seconds
        self._answer_s = settings.answer_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises TookTooLong; the handler's reading of the body raises BodyTooSlow."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        waits = not scope["route_handler"].opt.get(TAKES_ITS_TIME)
        granted = loop.time() + self._body_s
        came, whole = 0, False

        async def received() -> Any:
            nonlocal came, whole
            if whole:
                return await receive()  # which only tells when the other side is gone
            try:
                async with asyncio.timeout_at(granted + came / LEAST_BYTES_PER_S):
                    message: Any = await receive()
            except TimeoutError:
                raise BodyTooSlow from None
            came += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if waits:
                limit.reschedule(loop.time() + self._answer_s)  # its time begins when all is there
            return message

        async def sent(message: Message) -> None:
            limit.reschedule(None)
            await send(message)

        try:
            async with asyncio.timeout(self._answer_s if waits else None) as limit:
                await self._app(scope, received, sent)
        except TimeoutError:
            if not limit.expired():
                raise
            raise TookTooLong from None

"""Answers that are the same for everybody: made by one request, and handed to all others for a few seconds.

What is older than `FRESH` is made anew by the next request, while others still get what is kept; what is older than
`STALE` is handed to nobody. Each process keeps its own."""

import asyncio
import gzip
import hashlib
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime, timedelta
from typing import Any

from litestar import Request, Response
from msgspec import Struct

from api.limits import Clock, Limits, address

FRESH = timedelta(seconds=3)
STALE = timedelta(seconds=30)
MOST = 300  # answers that are kept at once, of some 20 KB each
LEVEL = 9  # of compression: it is done once for thousands of requests
HEADERS = {"Cache-Control": "public, max-age=3", "Vary": "Accept-Encoding, Accept-Language"}


class Kept(Struct, frozen=True, kw_only=True):
    """An answer as it goes out, plain and compressed."""

    plain: bytes
    zipped: bytes
    tag: str
    made_at: datetime


class KeptAnswers:
    """The answers of one process, by what was asked."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._kept: dict[Hashable, Kept] = {}
        self._making: dict[Hashable, asyncio.Task[Kept]] = {}

    async def of(self, request: Request[Any, Any, Any], key: Hashable, make: Callable[[], Awaitable[bytes]]) -> Kept:
        """What is kept of an answer, or what `make` makes. Raises TooManyRequests for an address that asks for too many
        that are not kept, and what `make` raises."""
        kept = self._kept.get(key)
        age = self._clock() - kept.made_at if kept else STALE
        if kept is not None and timedelta() <= age < FRESH:
            return kept
        making, usable = self._making.get(key), kept is not None and timedelta() <= age < STALE
        if making is None:
            if kept is None:
                self._limits.refuse_over("page", address(request))
            making = self._begin(key, make)
        elif kept is not None and usable:
            return kept
        try:
            return await asyncio.shield(making)
        except Exception:
            if kept is None or not usable:
                raise
            return kept  # the database is away: what is kept is not too old yet

    def _begin(self, key: Hashable, make: Callable[[], Awaitable[bytes]]) -> asyncio.Task[Kept]:
        making = asyncio.create_task(self._make(key, make))
        self._making[key] = making
        making.add_done_callback(lambda done: self._end(key, done))
        return making

    def _end(self, key: Hashable, done: asyncio.Task[Kept]) -> None:
        self._making.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever waited was told; there may be nobody

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[bytes]]) -> Kept:
        at = self._clock()
        plain = await make()
        zipped = await asyncio.to_thread(gzip.compress, plain, LEVEL, mtime=0)
        tag = f'W/"{hashlib.sha256(plain).hexdigest()[:32]}"'
        self._kept.pop(key, None)
        while len(self._kept) >= MOST:
            del self._kept[next(iter(self._kept))]  # the one that was made longest ago
        self._kept[key] = kept = Kept(plain=plain, zipped=zipped, tag=tag, made_at=at)
        return kept


def answer(request: Request[Any, Any, Any], kept: Kept, media_type: str) -> Response[bytes]:
    """The answer for a request: nothing but its tag, where that is what the browser has."""
    headers = {**HEADERS, "ETag": kept.tag}
    known = request.headers.get("if-none-match")
    if known is not None and kept.tag in (one.strip() for one in known.split(",")):
        return Response(b"", status_code=304, headers=headers, media_type=media_type)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(kept.zipped, headers={**headers, "Content-Encoding": "gzip"}, media_type=media_type)
    return Response(kept.plain, headers=headers, media_type=media_type)

"""What Prometheus reads: how requests go, what waits, whether jobs run. Nothing of residents, districts or people.

A process counts for itself. Where `serve` runs several they count into files of a folder that they share, and whichever
is asked answers for all of them; what it holds itself, queue and pools, is summed over those that live."""

import contextlib
import hmac
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import prometheus_client
import structlog
from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from api import basic_access, database, job_queue, jobs
from api.auth import PUBLIC
from surveys import job_runs
from surveys.refusals import NotAllowed, NotSignedIn

log = structlog.get_logger()

SHARED = "PROMETHEUS_MULTIPROC_DIR"  # the library's own name for the folder
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
POOLS = {"pool": "requests", "card_pool": "cards"}


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ["method", "route"]
        self._requests = Counter(
            "zoufang_http_requests", "Requests answered", [*labels, "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "zoufang_http_request_seconds",
            "From a request's first byte to its answer's last",
            labels,
            buckets=SECONDS,
            registry=self.registry,
        )
        self._open = self._gauge("zoufang_http_requests_open", "Requests under way")
        self._waiting = self._gauge("zoufang_filing_queue_visits", "Visits that wait to be filed")
        self._capacity = self._gauge("zoufang_filing_queue_capacity", "Visits that may wait before 503 is answered")
        self._connections = self._gauge("zoufang_pool_connections", "Connections to the database", "pool", "state")
        if SHARED not in os.environ:
            ProcessCollector(registry=self.registry)

    def _gauge(self, name: str, words: str, *labels: str) -> Gauge:
        return Gauge(name, words, labels, registry=self.registry, multiprocess_mode="livesum")

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """A request is under way."""
        self._open.inc()
        try:
            yield
        finally:
            self._open.dec()

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        method = method if method in METHODS else "other"
        self._requests.labels(method, route, f"{status // 100}xx").inc()
        self._seconds.labels(method, route).observe(seconds)

    def look(self, state: State) -> None:
        """Take down what this process holds now."""
        if "filing_queue" in state:
            self._waiting.set(state.filing_queue.waiting)
            self._capacity.set(state.filing_queue.capacity)
        for name, told in POOLS.items():
            if name in state:
                pool: asyncpg.Pool = state[name]
                idle = pool.get_idle_size()
                self._connections.labels(told, "idle").set(idle)
                self._connections.labels(told, "used").set(pool.get_size() - idle)
                self._connections.labels(told, "most").set(pool.get_max_size())

    def told(self) -> bytes:
        """What was counted, by all processes where there are several."""
        registry = self.registry
        if folder := os.environ.get(SHARED):
            forget_the_dead(Path(folder))
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        return prometheus_client.generate_latest(registry)


def forget_the_dead(folder: Path) -> None:
    """What a process held goes with it; what it counted stays."""
    for file in folder.glob("gauge_live*_*.db"):
        process = file.stem.rpartition("_")[2]
        if process.isdecimal() and not _lives(int(process)):
            file.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Measured:
    """Counts each request by the template of its route, never by its address: that would be a series for each issue."""

    def __init__(self, app: ASGIApp, metrics: Metrics, state: State) -> None:
        self._app = app
        self._metrics = metrics
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        status, started = 500, time.perf_counter()

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._metrics.open():
            try:
                await self._app(scope, receive, sent)
            finally:
                route = scope.get("path_template") or "none"
                self._metrics.answered(scope["method"], route, status, time.perf_counter() - started)
        self._metrics.look(self._state)


@get("/metrics", opt={PUBLIC: True}, include_in_schema=False)
async def read(request: Request[Any, Any, Any], state: State) -> Response[bytes]:
    """All figures in Prometheus' text format; for this machine alone or, with a token in the settings, for who has
    it."""
    _admit(request, state.settings.metrics_token)
    metrics: Metrics = state.metrics
    metrics.look(state)
    content = metrics.told() + await _of_database(state)
    return Response(content, media_type=prometheus_client.CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})


def _admit(request: Request[Any, Any, Any], token: str | None) -> None:
    """Raises NotSignedIn where a token is set and another comes, and NotAllowed where none is set, for who asks from
    elsewhere."""
    if token is None:
        if not basic_access.from_this_machine(request):
            raise NotAllowed
        return
    if not hmac.compare_digest(basic_access.secret(request).encode(), token.encode()):
        raise NotSignedIn


async def _of_database(state: State) -> bytes:
    """What the database knows, the same whichever process asks: jobs, and what is queued."""
    registry = CollectorRegistry()
    up = _Figure(registry, "zoufang_database_up", "Whether the database answers")
    try:
        async with database.acquired(state.pool) as conn:
            await _jobs(registry, conn)
            await _errands(registry, conn)
        up.set(1)
    except (*database.UNAVAILABLE, asyncpg.PostgresError) as error:
        log.warning("metrics_without_database", error=type(error).__name__)
        up.set(0)
    return prometheus_client.generate_latest(registry)


async def _jobs(registry: CollectorRegistry, conn: asyncpg.Connection) -> None:
    done = _Figure(registry, "zoufang_job_last_success_timestamp_seconds", "When it ended well last", "job")
    every = _Figure(registry, "zoufang_job_interval_seconds", "How often its turn comes", "job")
    parked = _Figure(registry, "zoufang_job_parked", "Districts in which it failed too often", "job")
    ends = await job_runs.last_done(conn, [job.name for job in jobs.JOBS])
    latest = await job_runs.latest(conn, [job.name for job in jobs.JOBS])
    for job in jobs.JOBS:
        every.set(job.every.total_seconds(), job.name)
        held = [one for (_, name), one in latest.items() if name == job.name]
        parked.set(sum(1 for one in held if one is not None and one.parked), job.name)
        if (end := ends.get(job.name)) is not None:
            done.set(end.timestamp(), job.name)


async def _errands(registry: CollectorRegistry, conn: asyncpg.Connection) -> None:
    queued = _Figure(registry, "zoufang_errands", "What is to be done once, by where it stands", "errand", "state")
    for (errand, state), count in (await job_queue.counts(conn)).items():
        queued.set(count, errand, state)


class _Figure(Collector):
    """A figure that is made for one answer, and kept by no process."""

    def __init__(self, registry: CollectorRegistry, name: str, words: str, *labels: str) -> None:
        self._family = GaugeMetricFamily(name, words, labels=labels)
        registry.register(self)

    def set(self, value: float, *labels: str) -> None:
        """Tell a value, once for each labels."""
        self._family.add_metric(labels, value)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What the library asks for."""
        yield self._family


ROUTES = [read]

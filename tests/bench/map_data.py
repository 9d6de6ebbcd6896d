"""What the issue map asks for, with a hundred thousand issues: clusters of any viewport, and its page."""

import http.client
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import asyncpg
from msgspec import Struct

from api import database
from api.embedded_postgres import Cluster
from maps import tiles
from surveys.access import sessions
from surveys.counting import issue_counts
from surveys.counting.issue_query import Filters
from tests.bench import coverage, district, first_picture, many_issues, server
from tests.bench.figures import Figure

ISSUES = 100_000
LARGE = 1_000_000
REPEATS = 20
ZONE = ZoneInfo("Asia/Shanghai")
LONGEST_MS = 100.0
LARGEST_PAGE = 300_000  # bytes


class View(Struct, frozen=True, kw_only=True):
    """What somebody looks at: a box and its zoom on a screen of some 1,700 pixels, and the filters that are on."""

    name: str
    zoom: int
    filters: Filters
    who: int = 0  # the leader, who sees all; or 1, the dispatcher of the first street

    def path(self) -> str:
        """The address that the map's script asks."""
        asked = self.filters
        given = {
            "bbox": ",".join(map(str, asked.bbox or ())),
            "zoom": self.zoom,
            "group": list(asked.group),
            "category": list(asked.category),
            "reported_from": asked.reported_from,
            "text": asked.text,
            "as_of": asked.as_of,
        }
        return "/maps/issues/clusters?" + urlencode({name: one for name, one in given.items() if one}, doseq=True)


def views(today: datetime) -> list[View]:
    """The whole district, a street and a community, with and without filters, now and on a day in the past."""
    west, south, east, north = coverage.WEST, coverage.SOUTH, coverage.EAST, coverage.NORTH
    x, y = west + 0.12, south + 0.08
    whole, street, community = (west, south, east, north), (x, y, x + 0.075, y + 0.04), (x, y, x + 0.0095, y + 0.005)
    past = (today - timedelta(days=120)).date()
    since = (today - timedelta(days=30)).date()
    narrowed = Filters(bbox=whole, group=("in_hand", "overdue"), category=("01", "02"), reported_from=since)
    return [
        View(name="the whole district", zoom=13, filters=Filters(bbox=whole)),
        View(name="the whole district, narrowed by group, category and day", zoom=13, filters=narrowed),
        View(name="the whole district, a word searched for", zoom=13, filters=Filters(bbox=whole, text="漏水")),
        View(name="the whole district, 120 days ago", zoom=13, filters=Filters(bbox=whole, as_of=past)),
        View(name="the whole district, by a street's dispatcher", zoom=13, filters=Filters(bbox=whole), who=1),
        View(name="a street", zoom=15, filters=Filters(bbox=street)),
        View(name="a street, 120 days ago", zoom=15, filters=Filters(bbox=street, as_of=past)),
        View(name="a community", zoom=18, filters=Filters(bbox=community)),
    ]


class _Spy:
    """Stands in for a connection, and remembers the last question that it was asked."""

    asked: tuple[Any, ...] = ()

    def __init__(self, conn: asyncpg.Connection) -> None:
        self._conn = conn

    async def fetch(self, *asked: Any) -> list[Any]:
        self.asked = asked
        found: list[Any] = await self._conn.fetch(*asked)
        return found


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure with a hundred thousand issues."""
    return await _measure(cluster, folder, ISSUES)


async def measure_large(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure with a million issues; nothing is promised of that."""
    return await _measure(cluster, folder, LARGE)


async def _measure(cluster: Cluster, folder: Path, count: int) -> list[Figure]:
    base = await server.copy(cluster, f"bench_map_{count}")
    took = await many_issues.write(base.owner, count)
    figures = [Figure(what=f"{count:,} issues with lives and texts made for the map", figure=f"{took:.0f} s")]
    with server.serving(base, folder / "serve.log") as address:
        planned = database.SESSION_SETTINGS | {"plan_cache_mode": "force_custom_plan"}
        conn = await asyncpg.connect(base.program, server_settings=planned)
        for view in views(datetime.now(UTC)):
            figures.append(await _clusters(address, conn, view, promised=count == ISSUES))
        await conn.close()
        figures.append(_page(address))
        figures += await first_picture.measure(address, count)
    return figures


async def _clusters(address: str, conn: asyncpg.Connection, view: View, *, promised: bool) -> Figure:
    asked = await _question(conn, view)
    over_http, bare = [], []
    for _ in range(REPEATS):
        over_http.append(request_ms(address, view.path(), view.who)[0])
        bare.append(await fetch_ms(conn, asked))
    figure, ceiling = median(over_http[2:]), median(bare[2:])  # the first fill caches
    return Figure(
        what=f"clusters of {view.name}",
        figure=f"{figure:.0f} ms, p95 {quantiles(over_http[2:], n=20)[-1]:.0f}",
        ceiling=f"{ceiling:.0f} ms, the same SQL through asyncpg",
        ratio=ceiling / figure,
        wanted=f"≤ {LONGEST_MS:.0f} ms" if promised else "",
        met=figure <= LONGEST_MS if promised else None,
    )


async def _question(conn: asyncpg.Connection, view: View) -> tuple[Any, ...]:
    """The SQL and parameters that the program asks for this view."""
    now = datetime.now(UTC)
    reader = await sessions.reader(conn, sessions.credential(district.token(view.who)), now)
    spy: Any = _Spy(conn)
    await issue_counts.clusters(spy, reader, view.filters, ZONE, now, tiles.shift_for(view.zoom))
    return tuple(spy.asked)


async def fetch_ms(conn: asyncpg.Connection, asked: tuple[Any, ...]) -> float:
    started = time.perf_counter()
    await conn.fetch(*asked)
    return (time.perf_counter() - started) * 1_000


def request_ms(address: str, path: str, who: int = 0) -> tuple[float, int]:
    """Milliseconds until an answer has come whole, as a browser takes it, and its bytes as they came."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    headers = {"Authorization": f"Bearer {district.token(who)}", "Accept-Encoding": "gzip"}
    started = time.perf_counter()
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    took = (time.perf_counter() - started) * 1_000
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {body[:500]!r}")
    return took, len(body)


def _page(address: str) -> Figure:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    connection.request("GET", "/maps/issues", headers={"Authorization": f"Bearer {district.token(0)}"})
    size = len(connection.getresponse().read())
    connection.close()
    return Figure(
        what="the map's page before compression, 600 communities drawn",
        figure=f"{size / 1_000:,.0f} KB",
        wanted="< 300 KB",
        met=size < LARGEST_PAGE,
    )


def wait_until_loaded(address: str, log: Path, *, past: bool) -> None:
    """Ask until the program tells that it has the issues in memory."""
    day = (datetime.now(UTC) - timedelta(days=120)).date().isoformat()
    asked = "/maps/tiles/0/0/0.json" + (f"?as_of={day}" if past else "")
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        request_ms(address, asked)
        if "issues_loaded" in log.read_text():
            return
        time.sleep(1)
    raise RuntimeError("the program has not loaded its issues")

"""Likely twins among a hundred thousand issues, or a million: anywhere, where hundreds lie within 100 m, and at one
point at which thousands were put."""

import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.request import Request, urlopen
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import numpy as np

from api import database
from api.embedded_postgres import Cluster
from maps import tiles
from surveys.access import sessions
from surveys.issues import twins
from tests.bench import district, many_issues, server
from tests.bench.district import DISTRICT
from tests.bench.figures import Figure

ISSUES = 100_000
LARGE = 1_000_000
ASKED = 300  # of each kind
ZONE = ZoneInfo("Asia/Shanghai")
MEDIAN_MS, P99_MS = 30.0, 100.0

SEED = 20261124
CROWD, HEAP = 800, 5_000  # open issues within 100 m, and at one point
CROWDED = (113.6512, 34.7034)
HEAPED = (113.7233, 34.7481)
METRE = 1 / 111_320  # degrees of latitude

# When what is solved was, where it is not long ago.
SOLVED = """
update issue set resolved_at = least(reported_at + interval '2 days', $2)
where district = $1 and state in ('resolved', 'closed') and reported_at > $2::timestamptz - interval '33 days'
"""
OPEN = """
select id from issue where district = $1 and state in ('reported', 'accepted', 'assigned', 'in_progress')
order by number limit $2 offset $3
"""
PUT = """
update issue i set lon = p.lon, lat = p.lat, position_lon = p.lon, position_lat = p.lat, cell = p.cell
from unnest($2::uuid[], $3::float8[], $4::float8[], $5::int8[]) as p(id, lon, lat, cell)
where i.district = $1 and i.id = p.id
"""


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure among a hundred thousand issues."""
    return await _measure(cluster, folder, ISSUES)


async def measure_large(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure among a million issues."""
    return await _measure(cluster, folder, LARGE)


async def _measure(cluster: Cluster, folder: Path, count: int) -> list[Figure]:
    base = await server.copy(cluster, f"bench_twins_{count}")
    took = await many_issues.write(base.owner, count)
    places = await _crowd(base.owner, count)
    figures = [Figure(what=f"{count:,} issues made to look for twins among", figure=f"{took:.0f} s")]
    planned = database.SESSION_SETTINGS | {"plan_cache_mode": "force_custom_plan"}
    conn = await asyncpg.connect(base.program, server_settings=planned)
    await database.prepare(conn)
    with server.serving(base, folder / "serve.log") as address:
        for name, ids in places.items():
            figures.append(await _asked(address, conn, f"{name}, of {count:,}", ids))
    await conn.close()
    return figures


async def _crowd(dsn: str, count: int) -> dict[str, list[UUID]]:
    """Put some issues close together, and return what is asked about, by what is there."""
    conn = await asyncpg.connect(dsn)
    await conn.execute(SOLVED, DISTRICT, datetime.now(UTC))
    random = np.random.default_rng(SEED)
    crowd = [row["id"] for row in await conn.fetch(OPEN, DISTRICT, CROWD, 0)]
    heap = [row["id"] for row in await conn.fetch(OPEN, DISTRICT, HEAP, CROWD)]
    away, angle = 100 * np.sqrt(random.random(CROWD)), 2 * np.pi * random.random(CROWD)
    lon = CROWDED[0] + away * np.sin(angle) * METRE / np.cos(np.radians(CROWDED[1]))
    lat = CROWDED[1] + away * np.cos(angle) * METRE
    await _put(conn, crowd, lon, lat)
    await _put(conn, heap, np.full(HEAP, HEAPED[0]), np.full(HEAP, HEAPED[1]))
    rest = [row["id"] for row in await conn.fetch(OPEN, DISTRICT, count, CROWD + HEAP)]
    await conn.execute("vacuum analyze issue")
    await conn.close()
    return {
        "anywhere": [rest[at] for at in random.choice(len(rest), ASKED, replace=False)],
        f"where {CROWD} lie within 100 m": crowd[:ASKED],
        f"at a point at which {HEAP:,} lie": heap[:ASKED],
    }


async def _put(conn: asyncpg.Connection, ids: list[UUID], lon: np.ndarray, lat: np.ndarray) -> None:
    cells = [int(cell) for cell in tiles.cell(lon, lat)]
    await conn.execute(PUT, DISTRICT, ids, lon.tolist(), lat.tolist(), cells)


async def _asked(address: str, conn: asyncpg.Connection, name: str, ids: list[UUID]) -> Figure:
    reader = await sessions.reader(conn, sessions.credential(district.token(0)), datetime.now(UTC))
    over_http, bare, found = [], [], 0
    for id_ in ids:
        took, items = _request_ms(address, f"/api/issues/{id_}/twins")
        over_http.append(took)
        found += len(items)
        started = time.perf_counter()
        await twins.of_issue(conn, reader, id_, ZONE, datetime.now(UTC))
        bare.append((time.perf_counter() - started) * 1_000)
    middle, slowest = median(over_http), quantiles(over_http, n=100)[-1]
    return Figure(
        what=f"twins of an issue {name}: {found / len(ids):.1f} found",
        figure=f"{middle:.1f} ms, p99 {slowest:.1f}",
        ceiling=f"{median(bare):.1f} ms, without HTTP",
        ratio=median(bare) / middle,
        wanted=f"≤ {MEDIAN_MS:.0f} ms, p99 {P99_MS:.0f}",
        met=middle <= MEDIAN_MS and slowest <= P99_MS,
    )


def _request_ms(address: str, path: str) -> tuple[float, list[Any]]:
    asked = Request(address + path, headers={"Authorization": f"Bearer {district.token(0)}"})  # noqa: S310 -- loopback
    started = time.perf_counter()
    with urlopen(asked, timeout=60) as answer:  # noqa: S310 -- our own server on loopback
        body = answer.read()
    took = (time.perf_counter() - started) * 1_000
    items: list[Any] = msgspec.json.decode(body)["items"]
    return took, items

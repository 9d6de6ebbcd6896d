"""Placing positions in 600 communities of 1,300 vertices, beside shapely's own fastest way to ask."""

import gc
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np
import shapely
from shapely import Point, STRtree

from api.embedded_postgres import Cluster
from maps.boundaries import BoundaryVersion
from maps.locator import Locator
from tests.bench import coverage
from tests.bench.figures import Figure

ROUNDS = 5
MANY = 500_000
SINGLES = 5_000
ACCURACY_M = 12.0  # a phone's, outdoors: it makes every position ask how far the nearest line is


async def measure(_cluster: Cluster, _folder: Path) -> list[Figure]:
    """Measure many at once and one by one, in turns with shapely alone on the same positions."""
    areas = coverage.areas()
    locator = Locator(BoundaryVersion(1, datetime.now(UTC), areas))
    bare = _Bare([area.geometry for area in areas])
    x, y = coverage.points(MANY)
    accuracy = np.full(MANY, ACCURACY_M)
    bulk, bulk_bare, one, one_bare = [], [], [], []
    gc.collect()
    for _ in range(ROUNDS):
        bulk.append(MANY / _seconds(lambda: locator.place(x, y, accuracy)))
        bulk_bare.append(MANY / _seconds(lambda: bare.place(x, y)))
        one.append(_median_us(lambda lon, lat: locator.place_one(lon, lat, ACCURACY_M), x, y))
        one_bare.append(_median_us(bare.place_one, x, y))
    return [
        _bulk(median(bulk), median(bulk_bare)),
        _one(median(one), median(one_bare)),
    ]


class _Bare:
    """The bare tree: boxes first, then the polygons by their prepared forms, sorted; no nearness, no codes."""

    def __init__(self, polygons: list[shapely.Geometry]) -> None:
        self.polygons = np.array(polygons)
        shapely.prepare(self.polygons)
        self.tree = STRtree(self.polygons)

    def place(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        at, polygon = self.tree.query(shapely.points(x, y))
        order = np.argsort(polygon, kind="stable")
        at, polygon = at[order], polygon[order]
        has: np.ndarray = shapely.intersects_xy(self.polygons[polygon], x[at], y[at])
        return has

    def place_one(self, lon: float, lat: float) -> list[int]:
        point = Point(lon, lat)
        return [at for at in self.tree.query(point).tolist() if shapely.intersects(self.polygons[at], point)]


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _median_us(work: Callable[[float, float], object], x: np.ndarray, y: np.ndarray) -> float:
    took = []
    for lon, lat in zip(x[:SINGLES].tolist(), y[:SINGLES].tolist(), strict=True):
        started = time.perf_counter_ns()
        work(lon, lat)
        took.append(time.perf_counter_ns() - started)
    return median(took) / 1_000


def _bulk(rate: float, ceiling: float) -> Figure:
    return Figure(
        what=f"placing {MANY:,} points, {ACCURACY_M:.0f} m accurate, with their nearness to a line",
        figure=f"{rate:,.0f} points/s",
        ceiling=f"{ceiling:,.0f} points/s, bare tree.query + intersects_xy",
        ratio=rate / ceiling,
        wanted="≥ 250,000 points/s",
        met=rate >= 250_000,
    )


def _one(took_us: float, ceiling_us: float) -> Figure:
    return Figure(
        what="— one by one",
        figure=f"median {took_us:.1f} µs",
        ceiling=f"{ceiling_us:.1f} µs, bare tree.query + intersects",
        ratio=ceiling_us / took_us,
        wanted="≤ 20 µs",
        met=took_us <= 20,
    )

"""Filing visits, one by one and in batches of a hundred."""

from pathlib import Path
from statistics import median

from api.embedded_postgres import Cluster
from tests.bench import bare, load, server
from tests.bench.bare import Bare
from tests.bench.figures import Figure
from tests.bench.load import Run

ROUNDS = 3


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure both, in turns with their ceilings, so that a disturbed machine disturbs all alike."""
    base = await server.copy(cluster, "bench_filing")
    singles: list[Run] = []
    batches: list[Run] = []
    loops: list[float] = []
    copies: list[float] = []
    with server.serving(base, folder / "serve.log") as address:
        load.file_visits(address, folder, connections=32, seconds=4)  # warms up, and gives the ceilings their rows
        await server.analyze(base)
        rows = await Bare.read(base.program)
        await bare.loop(base.program, rows, connections=8, count=500)
        for _ in range(ROUNDS):
            loops.append(await bare.loop(base.program, rows, connections=8, count=6_000))
            singles.append(load.file_visits(address, folder, connections=32, seconds=8))
            copies.append(await bare.copied(base.program, rows, count=8_000))
            batches.append(load.file_visits(address, folder, connections=4, seconds=8, visits=100))
    return [*_single(singles, median(loops)), *_batch(batches, median(copies))]


def _single(runs: list[Run], ceiling: float) -> list[Figure]:
    rate, p99 = median(run.rate for run in runs), median(run.p99_ms for run in runs)
    return [
        Figure(
            what="one visit with two issues per request, 32 connections",
            figure=f"{rate:,.0f} visits/s",
            ceiling=f"{ceiling:,.0f} visits/s, bare asyncpg loop, 8 connections",
            ratio=rate / ceiling,
            wanted="ratio ≥ 0.6",
            met=rate / ceiling >= 0.6,
        ),
        Figure(
            what="— its slowest of a hundred",
            figure=f"p50 {median(run.p50_ms for run in runs):.1f}, p99 {p99:.1f} ms",
            wanted="p99 ≤ 60 ms",
            met=p99 <= 60,
        ),
    ]


def _batch(runs: list[Run], ceiling: float) -> list[Figure]:
    rate = median(run.rate for run in runs) * 100
    return [
        Figure(
            what="100 visits with two issues each per batch request, 4 connections",
            figure=f"{rate:,.0f} visits/s",
            ceiling=f"{ceiling:,.0f} visits/s, COPY + INSERT … ON CONFLICT",
            ratio=rate / ceiling,
            wanted="ratio ≥ 0.4",
            met=rate / ceiling >= 0.4,
        )
    ]

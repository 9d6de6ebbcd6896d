"""Submissions from ODK Collect, one visit with two problems each, on an empty database and on one of many visits."""

from pathlib import Path
from statistics import median

from api.embedded_postgres import Cluster
from tests.bench import bare, load, many_visits, server
from tests.bench.bare import Bare
from tests.bench.figures import Figure
from tests.bench.load import Run

ROUNDS = 3
CONNECTIONS = 8
STORED, STORED_LARGE = 100_000, 1_000_000
LEAST = 1_000  # a second
NO_SLOWER = 0.85  # of what it was on an empty database; a shared machine differs as much from run to run


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure with a hundred thousand visits stored."""
    return await _measure(cluster, folder, STORED)


async def measure_large(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure with a million."""
    return await _measure(cluster, folder, STORED_LARGE)


async def _measure(cluster: Cluster, folder: Path, stored: int) -> list[Figure]:
    """The same forms and, in turns, the same visits as JSON and as rows of a bare loop; then once more with so many
    visits stored."""
    base = await server.copy(cluster, "bench_openrosa")
    with server.serving(base, folder / "serve.log") as address:
        load.submit_forms(
            address, folder, connections=CONNECTIONS, seconds=4
        )  # warms up, and gives the ceiling its rows
        await server.analyze(base)
        rows = await Bare.read(base.program)
        empty, ceiling = await _rounds(base, address, folder, rows)
        took = await many_visits.write(base.owner, stored)
        await server.analyze(base)
        load.submit_forms(address, folder, connections=CONNECTIONS, seconds=4)  # with the plans that fit from now on
        full, ceiling_full = await _rounds(base, address, folder, rows)
    rate = median(run.rate for run in full)
    before = median(run.rate for run in empty)
    return [
        _figure("on an empty database", empty, ceiling),
        Figure(what=f"{stored:,} visits with their problems made", figure=f"{took:.0f} s"),
        _figure(f"beside {stored:,} visits", full, ceiling_full),
        Figure(
            what="— of what it was on an empty database",
            figure=f"{rate / before:.2f}",
            wanted=f"≥ {NO_SLOWER}",
            met=rate / before >= NO_SLOWER,
        ),
    ]


async def _rounds(base: server.Database, address: str, folder: Path, rows: Bare) -> tuple[list[Run], float]:
    runs, loops = [], []
    for _ in range(ROUNDS):
        loops.append(await bare.loop(base.program, rows, connections=CONNECTIONS, count=6_000))
        runs.append(load.submit_forms(address, folder, connections=CONNECTIONS, seconds=8))
    return runs, median(loops)


def _figure(where: str, runs: list[Run], ceiling: float) -> Figure:
    rate, p99 = median(run.rate for run in runs), median(run.p99_ms for run in runs)
    return Figure(
        what=f"forms from ODK Collect {where}, {CONNECTIONS} connections",
        figure=f"{rate:,.0f} visits/s, p99 {p99:.1f} ms",
        ceiling=f"{ceiling:,.0f} visits/s, bare asyncpg loop, {CONNECTIONS} connections",
        ratio=rate / ceiling,
        wanted=f"≥ {LEAST:,}/s",
        met=rate >= LEAST,
    )

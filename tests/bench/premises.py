"""Putting a list of doors on the register by the command `zoufang import premises`, and the same list once more."""

import csv
import subprocess
import time
from pathlib import Path
from random import Random

from api.demo import words
from api.embedded_postgres import Cluster
from tests.bench import coverage, server
from tests.bench.district import DISTRICT
from tests.bench.figures import Figure
from tests.bench.server import Database

ROWS = 50_000
LARGE = 500_000
WANTED_PER_S = 2_500

KINDS = ("商铺", "商铺", "商铺", "居民", "居民", "居民", "居民", "居民", "居民", "企业")
HEADER = ["编号", "类型", "名称", "地址", "经度", "纬度"]


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure with fifty thousand doors."""
    return await _measure(cluster, folder, ROWS)


async def measure_large(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure with the half million of a large district."""
    return await _measure(cluster, folder, LARGE)


async def _measure(cluster: Cluster, folder: Path, rows: int) -> list[Figure]:
    file = _write(folder, rows)
    base = await server.copy(cluster, f"bench_premises_{rows}")
    seconds, again = _import(base, file), _import(base, file)
    return [
        Figure(
            what=f"a list of {rows:,} doors, compared with one another, by the command as a whole",
            figure=f"{seconds:.0f} s, {rows / seconds:,.0f} rows/s",
            wanted=f"≥ {WANTED_PER_S:,} rows/s",
            met=rows / seconds >= WANTED_PER_S,
        ),
        Figure(what="the same list a second time", figure=f"{again:.0f} s, {rows / again:,.0f} rows/s"),
    ]


def _write(folder: Path, rows: int) -> Path:
    """A list as an office keeps it: shops and companies along roads, flats in yards; some doors stand there twice."""
    random = Random(coverage.SEED)  # noqa: S311 - nothing secret
    name = address = ""
    x, y = coverage.points(rows)
    file = folder / f"doors_{rows}.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(HEADER)
        for at in range(rows):
            twice = at > 0 and at % 200 == 0
            lon, lat = (x[at - 1], y[at - 1]) if twice else (x[at], y[at])
            name, address = (name + "店", address) if twice else _door(random, KINDS[at % 10], at)
            writer.writerow([f"D{at}", KINDS[(at - twice) % 10], name, address, f"{lon:.6f}", f"{lat:.6f}"])
    return file


def _door(random: Random, kind: str, at: int) -> tuple[str, str]:
    road = f"第{at % 997}大街{random.randrange(1, 299)}号"
    if kind == "居民":
        house, flat = f"{random.randrange(1, 19)}号楼{random.randrange(1, 5)}单元", random.randrange(1, 19)
        room = f"{house}{flat}0{random.randrange(1, 5)}"
        return room, f"{road}院{room}"
    if kind == "商铺":
        return words.shop_name(random), road
    return words.enterprise_name(random), f"{road}{random.randrange(2, 21)}层"


def _import(base: Database, file: Path) -> float:
    """Seconds that the command takes from its start to its end."""
    command = [*server.PROGRAM, "import", "premises", str(file), "--district", str(DISTRICT)]
    started = time.perf_counter()
    told = subprocess.run(command, env=server.environment(base), capture_output=True, text=True)
    if told.returncode != 0 or "rejected 未接受 →" in told.stdout:
        raise RuntimeError(f"the list was not taken over:\n{told.stdout}\n{told.stderr[-2000:]}")
    return time.perf_counter() - started

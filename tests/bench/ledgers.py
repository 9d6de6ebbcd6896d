"""Taking over a ledger by the command `zoufang import issues`, beside a bare COPY of the rows that it wrote."""

import csv
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from uuid import uuid4

import asyncpg
import numpy as np

from api.embedded_postgres import Cluster
from surveys import history
from surveys.issues.issues import IssueRow
from tests.bench import coverage, district, server
from tests.bench.district import DISTRICT
from tests.bench.figures import Figure
from tests.bench.many_issues import WHAT, WHERE
from tests.bench.server import Database

ROWS = 30_000
LARGE = 200_000
ROUNDS = 2
COPIED = 20_000  # issues of it for the ceiling

MAPPING = """
name = "bench"

[columns]
id = "编号"
title = "标题"
description = ["内容", "地址"]
outcome = "处理结果"
category = "类别"
urgency = "紧急程度"
state = "状态"
reported_at = "上报时间"
accepted_at = "受理时间"
closed_at = "办结时间"
department = "部门"
lon = "经度"
lat = "纬度"

[states]
"待受理" = "reported"
"处理中" = "accepted"
"已办结" = "closed"

[urgencies]
"加急" = "urgent"
"普通" = "normal"
"""
HEADER = ["编号", "标题", "内容", "地址", "处理结果", "类别", "紧急程度", "状态", "上报时间", "受理时间", "办结时间",
          "部门", "经度", "纬度"]  # fmt: skip

ISSUE = ", ".join(f"i.{name}" for name in IssueRow.__struct_fields__)
# What the import wrote, under ids and numbers that nobody has.
AGAIN = {
    "issue": f"select {ISSUE}, md5('again' || id)::uuid as other from issue i where district = $1"
    " order by number limit $2",
    "issue_spans": "select s.*, md5('again' || issue)::uuid as other from issue_spans s join issue i"
    " on (i.district, i.id) = (s.district, s.issue) where i.district = $1 and i.number < $2",
    "text_version": "select t.*, md5('again' || subject)::uuid as other from text_version t join issue i"
    " on (i.district, i.id) = (t.district, t.subject) where i.district = $1 and i.number < $2",
    "history": f"select {', '.join(f'h.{name}' for name in history.COLUMNS)}, md5('again' || thing)::uuid as other"
    " from history h join issue i"
    " on (i.district, i.id) = (h.district, h.thing) where i.district = $1 and i.number < $2",
}
NAMES = {"issue": "id", "issue_spans": "issue", "text_version": "subject", "history": "thing"}


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure with a ledger of thirty thousand rows, twice."""
    return await _measure(cluster, folder, ROWS, ROUNDS)


async def measure_large(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure with a ledger of two hundred thousand rows."""
    return await _measure(cluster, folder, LARGE, 1)


async def _measure(cluster: Cluster, folder: Path, rows: int, rounds: int) -> list[Figure]:
    ledger, mapping = _write(folder, rows)
    rates, ceilings = [], []
    for at in range(rounds):
        base = await server.copy(cluster, f"bench_ledger_{rows}_{at}")
        rates.append(rows / _import(base, ledger, mapping))
        ceilings.append(await _copied(base))
    rate, ceiling = median(rates), median(ceilings)
    return [
        Figure(
            what=f"a ledger of {rows:,} rows, by the command as a whole",
            figure=f"{rate:,.0f} rows/s",
            ceiling=f"{ceiling:,.0f} rows/s, COPY of what it wrote",
            ratio=rate / ceiling,
            wanted="≥ 5,000 rows/s",
            met=rate >= 5_000,
        )
    ]


def _write(folder: Path, rows: int) -> tuple[Path, Path]:
    """A ledger of a year as an office exports it, and its mapping."""
    ledger, mapping = folder / "ledger.csv", folder / "mapping.toml"
    mapping.write_text(MAPPING, encoding="utf-8")
    random = np.random.default_rng(coverage.SEED)
    x, y = coverage.points(rows)
    began = datetime.now(UTC) - timedelta(days=365)
    minutes = random.integers(0, 350 * 24 * 60, rows)
    with ledger.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for at in range(rows):
            writer.writerow(_row(at, began + timedelta(minutes=int(minutes[at])), float(x[at]), float(y[at])))
    return ledger, mapping


def _row(at: int, reported: datetime, lon: float, lat: float) -> list[object]:
    where, what = WHERE[at % len(WHERE)], WHAT[at % len(WHAT)]
    title = f"{where}{at % 400}号{what}"
    state = "待受理" if at % 20 == 0 else "处理中" if at % 7 == 0 else "已办结"
    accepted = "" if state == "待受理" else _told(reported + timedelta(hours=2))
    closed = _told(reported + timedelta(hours=30 + at % 90)) if state == "已办结" else ""
    outcome = "已派人到现场处理完毕，群众表示满意" if closed else ""
    text = f"{title}，居民多次反映，影响出行，希望尽快派人查看处理。"
    category = district.CATEGORIES[at % len(district.CATEGORIES)]
    urgency = "加急" if at % 17 == 0 else "普通"
    place = f"{where}{at % 400}号院"
    return [f"L-{at}", title, text, place, outcome, category, urgency, state, _told(reported), accepted, closed,
            f"部门{1 + at % 9}", f"{lon:.6f}", f"{lat:.6f}"]  # fmt: skip


def _told(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _import(base: Database, ledger: Path, mapping: Path) -> float:
    """Seconds that the command takes from its start to its end."""
    command = [*server.PROGRAM, "import", "issues", str(ledger), "--mapping", str(mapping), "--district", str(DISTRICT)]
    environment = server.environment(base) | {"MIGRATION_DATABASE_URL": base.owner}
    started = time.perf_counter()
    told = subprocess.run(command, env=environment, capture_output=True, text=True)
    if told.returncode != 0 or "rejected 未接受 →" in told.stdout:
        raise RuntimeError(f"the ledger was not taken over:\n{told.stdout}\n{told.stderr[-2000:]}")
    return time.perf_counter() - started


async def _copied(base: Database) -> float:
    """Rows of the ledger a second when all that they became is copied into the tables, in one transaction."""
    conn = await asyncpg.connect(base.program)
    below = await conn.fetchval("select min(number) + $2 from issue where district = $1", DISTRICT, COPIED)
    copies = {}
    for table, question in AGAIN.items():
        found = await conn.fetch(question, DISTRICT, COPIED if table == "issue" else below)
        copies[table] = [_renamed(table, dict(row)) for row in found]
    started = time.perf_counter()
    async with conn.transaction():
        for table, rows in copies.items():
            await conn.copy_records_to_table(table, records=[tuple(r.values()) for r in rows], columns=list(rows[0]))
    seconds = time.perf_counter() - started
    await conn.close()
    return len(copies["issue"]) / seconds


def _renamed(table: str, row: dict[str, object]) -> dict[str, object]:
    row[NAMES[table]] = row.pop("other")
    if table == "issue":
        row |= {"number": int(str(row["number"])) + 50_000_000, "source_id": f"again {row['source_id']}"}
    if table == "history":
        row["id"] = uuid4()
    return row

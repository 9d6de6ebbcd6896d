"""Files of a district with a million issues: how many rows a second leave as CSV, how much the serving process grows by
meanwhile, how quick it is for others, and how long a worksheet takes in a job."""

import asyncio
import http.client
import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil

from api import database, export_sql
from api.embedded_postgres import Cluster
from surveys.counting import issue_rows
from surveys.counting.issue_query import Filters
from surveys.people import people
from surveys.people.people import Grant, Reader
from tests.bench import coverage, district, many_issues, server
from tests.bench.figures import Figure
from tests.bench.map_data import request_ms

ISSUES, SHEET = 1_000_000, 100_000
REPEATS = 3
CHUNK = 256 * 1024  # bytes
LEAST_ROWS_S = 100_000
MOST_GROWTH = 32 * 1024**2  # bytes that the process may grow by, from ten thousand rows to a million
LONGEST_SHEET_S = 20
COLUMNS = 25  # of the issues' table


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure with a million issues."""
    base = await server.copy(cluster, "bench_exports")
    took = await many_issues.write(base.owner, ISSUES)
    figures = [Figure(what=f"{ISSUES:,} issues with texts made for the exports", figure=f"{took:.0f} s")]
    with server.serving(base, folder / "serve.log") as address:
        process = _serving(address)
        _read(address, "/api/issues.csv?community=" + "&community=".join(_few_communities()))
        small = process.memory_info().rss
        pairs = []
        for _ in range(REPEATS):
            pairs.append((await _bare(base), *await asyncio.to_thread(_csv, address)))
        bare, ours = (median(pair[at] for pair in pairs) for at in (0, 1))
        figures += [
            _rate("issues as CSV", ours, bare),
            _growth(process.memory_info().rss - small),
            await asyncio.to_thread(_beside, address),
            await asyncio.to_thread(_sheet, address),
        ]
    return figures


def _rate(what: str, rows_s: float, bare: float) -> Figure:
    return Figure(
        what=what,
        figure=f"{rows_s:,.0f} rows/s",
        ceiling=f"{bare:,.0f} rows/s",
        ratio=rows_s / bare,
        wanted=f"{LEAST_ROWS_S:,} rows/s",
        met=rows_s >= LEAST_ROWS_S,
    )


def _growth(grown: int) -> Figure:
    return Figure(
        what="the process after a million rows, more than after ten thousand",
        figure=f"{grown / 1024**2:.0f} MB",
        wanted=f"{MOST_GROWTH // 1024**2} MB",
        met=grown <= MOST_GROWTH,
    )


def _few_communities() -> list[str]:
    return [coverage.code(at) for at in range(6)]


def _serving(address: str) -> psutil.Process:
    port = int(address.rsplit(":", maxsplit=1)[1])
    (found,) = {
        one.pid
        for one in psutil.net_connections("tcp")
        if one.status == "LISTEN" and getattr(one.laddr, "port", 0) == port
    }
    return psutil.Process(found)


def _csv(address: str) -> tuple[float, int]:
    started = time.perf_counter()
    rows = _read(address, "/api/issues.csv") - 1
    return rows / (time.perf_counter() - started), rows


def _read(address: str, path: str) -> int:
    """How many lines an answer has; it is read as it comes, and not kept."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=600)
    connection.request("GET", path, headers={"Authorization": f"Bearer {district.token(0)}"})
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {answer.read(500)!r}")
    lines = 0
    while chunk := answer.read(CHUNK):
        lines += chunk.count(b"\r\n")
    connection.close()
    return lines


async def _bare(base: server.Database) -> float:
    """Rows a second by COPY of the same columns, of which nothing is kept."""
    conn = await database.connect(base.program)
    zone = (await people.district(conn, district.DISTRICT)).zone  # type: ignore[union-attr]
    grant = Grant("leader", "district", str(district.DISTRICT))
    who = Reader(
        district=district.DISTRICT, member=district.LEADER, name="", organisation=district.LEADER, grants=(grant,)
    )
    await conn.execute(export_sql.begin(zone, 600))
    asked = await issue_rows.selection(conn, who, Filters(), zone, datetime.now(UTC))

    async def forget(chunk: bytes) -> None:
        return None

    started = time.perf_counter()
    await conn.copy_from_query(asked.text, *asked.parameters, output=forget, format="csv")
    seconds = time.perf_counter() - started
    conn.terminate()
    return ISSUES / seconds


def _beside(address: str) -> Figure:
    """What others wait for a small answer, while a million rows leave; beside what they wait for else."""
    alone = [request_ms(address, "/health/live")[0] for _ in range(200)]
    leaving = threading.Thread(target=_read, args=(address, "/api/issues.csv"))
    leaving.start()
    beside = []
    while leaving.is_alive():
        beside.append(request_ms(address, "/health/live")[0])
        time.sleep(0.01)
    leaving.join()
    usual, then = (quantiles(times, n=100)[98] for times in (alone, beside))
    return Figure(
        what="a small request while a million rows leave, p99",
        figure=f"{then:.1f} ms",
        ceiling=f"{usual:.1f} ms with none",
        ratio=usual / then,
    )


def _sheet(address: str) -> Figure:
    """A worksheet of all columns in a job, from asking to ready; the time of ten columns of it is what is wanted."""
    body = {"table": "issues", "format": "xlsx", "filters": {"community": _communities()}}
    asked = _json(address, "POST", "/api/exports", body)
    started = time.perf_counter()
    while (told := _json(address, "GET", asked["href"]))["state"] in ("queued", "making"):
        time.sleep(0.1)
    seconds = time.perf_counter() - started
    if told["state"] != "ready":
        raise RuntimeError(str(told))
    of_ten = seconds * SHEET / told["rows"] * 10 / COLUMNS
    return Figure(
        what=f"{told['rows']:,} rows of {COLUMNS} columns as XLSX in a job",
        figure=f"{seconds:.1f} s; {of_ten:.1f} s for {SHEET:,} of ten",
        wanted=f"{LONGEST_SHEET_S} s for {SHEET:,} of ten",
        met=of_ten <= LONGEST_SHEET_S,
    )


def _communities() -> list[str]:
    """A tenth of the district."""
    return [coverage.code(at) for at in range(60)]


def _json(address: str, method: str, path: str, body: object = None) -> dict[str, Any]:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    headers = {"Authorization": f"Bearer {district.token(0)}", "Content-Type": "application/json"}
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    told: dict[str, Any] = json.loads(answer.read())
    connection.close()
    if answer.status >= 400:
        raise RuntimeError(f"{path}: {told}")
    return told

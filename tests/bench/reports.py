"""Briefs of a district of 600 communities with 100,000 issues: what they are made of read once, then each place's, and
one of them set as PDF and as Word file."""

import resource
import time
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from api import database, report_files, report_maker
from api.embedded_postgres import Cluster
from surveys.people import people
from surveys.people.people import District
from surveys.reports import report_periods, report_sources, reports
from surveys.reports.report_archive import Report
from surveys.reports.report_cases import titles
from surveys.reports.report_periods import Period
from surveys.reports.report_sources import Sources
from tests.bench import district, many_issues, server
from tests.bench.figures import Figure

ISSUES = 100_000
BRIEFS = 60  # of which the time of all is told
LONGEST_READ_S = 30.0
MOST_CPU_S = 20.0  # of one file

# What reading the past costs at least: every span looked at once, for each of the four times that it is asked about.
CEILING = "select count(*) from issue_spans where district = $1 and valid_from <= $2 and valid_to > $2"
READINGS = 4


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure with a hundred thousand issues."""
    base = await server.copy(cluster, "bench_reports")
    await many_issues.write(base.owner, ISSUES, told=False)
    conn = await database.connect(base.program)
    try:
        found = await people.district(conn, district.DISTRICT)
        assert found is not None
        now = datetime.now(UTC)
        period = report_periods.latest("month", found.zone, now)
        read = time.perf_counter()
        sources = await report_sources.gathered(conn, found, period, now)
        read = time.perf_counter() - read
        bare = await _bare(conn, found, period)
        figures = [_read(read, bare), *await _briefs(conn, found, sources)]
        return [*figures, *await _files(conn, found, sources)]
    finally:
        await conn.close()


async def _bare(conn: asyncpg.Connection, about: District, period: Period) -> float:
    started = time.perf_counter()
    for _ in range(READINGS):
        await conn.fetchval(CEILING, about.district, period.ends(about.zone))
    return time.perf_counter() - started


def _read(took: float, bare: float) -> Figure:
    return Figure(
        what=f"what a month's briefs are made of, read once, {ISSUES:,} issues",
        figure=f"{took:.2f} s",
        ceiling=f"{bare:.2f} s, spans counted {READINGS} times",
        ratio=bare / took,
        wanted=f"{LONGEST_READ_S:.0f} s",
        met=took <= LONGEST_READ_S,
    )


async def _briefs(conn: asyncpg.Connection, about: District, sources: Sources) -> list[Figure]:
    scopes = report_sources.scopes(about, sources.places)
    chosen = scopes[:: max(1, len(scopes) // BRIEFS)]
    started = time.perf_counter()
    for scope in chosen:
        reports.written(await report_sources.brief(conn, sources, scope, 1))
    each = (time.perf_counter() - started) / len(chosen)
    return [
        Figure(
            what=f"a month's brief of one place, of {len(scopes)}",
            figure=f"{each * 1_000:.0f} ms; all {each * len(scopes):.0f} s",
        )
    ]


async def _files(conn: asyncpg.Connection, about: District, sources: Sources) -> list[Figure]:
    """The district's brief, in a process of its own each time."""
    scope = report_sources.scopes(about, sources.places)[0]
    figures = await report_sources.brief(conn, sources, scope, 1)
    said = {str(id_): title for id_, title in (await titles(conn, about.district, list(figures.issues()))).items()}
    digest = reports.digest(reports.written(figures)).hex()
    report = Report(id=report_sources.NOBODY, figures=figures, digest=digest, titles=said)
    found = []
    for format_ in report_files.MEDIA_TYPES:
        wanted = await report_files.wanted(conn, about, report, format_, "zh", None)
        before, started = _spent(), time.perf_counter()
        content = await report_maker.make(wanted)
        took, spent = time.perf_counter() - started, _spent() - before
        found.append(
            Figure(
                what=f"the brief of {len(sources.places)} communities as {format_}, {len(content) // 1_000} KB",
                figure=f"{spent:.1f} s of a processor, {took:.1f} s in all",
                wanted=f"{MOST_CPU_S:.0f} s of a processor",
                met=spent <= MOST_CPU_S,
            )
        )
    return found


def _spent() -> float:
    """Seconds of a processor that ended processes of ours took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

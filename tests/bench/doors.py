"""The coverage of a district with half a million doors and a million visits: every breakdown from its sums, while some
communities are outdated, with no sums at all, and as of a past day; and what the sums cost whoever files a visit."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import asyncpg
from msgspec import Struct

from api import database
from api.embedded_postgres import Cluster
from surveys.coverage import coverage_sums
from surveys.people import people
from tests.bench import district, many_doors, server
from tests.bench.district import DISTRICT
from tests.bench.figures import Figure
from tests.bench.map_data import fetch_ms, request_ms

DOORS, VISITS = 500_000, 1_000_000
REPEATS = 7
LONGEST_MS = 300
OUTDATED = 10  # communities visited since the last sums: twice as many as a million visits in 100 days make of 15 s
WORKER, ORGANISER = 40, 399  # of a community, by the order of codes; of one of 586 organisations

BYS = ("community", "street", "organisation", "member", "kind", "day")
PATH = f"/api/campaigns/{many_doors.CAMPAIGN}"

# What the rows cost at least: to be counted from an index.
CEILING = """
select (select count(*) from premises where district = $1), (select count(*) from visit where district = $1)
"""
OUTDATE = """
update visit set outcome = case outcome when 'met' then 'closed' else 'met' end
where district = $1 and id in (
  select distinct on (community) id from visit where district = $1 and community = any(
    select code from community where district = $1 order by code limit $2))
"""


class Question(Struct, frozen=True, kw_only=True):
    """What somebody asks, and within how many milliseconds it is to be answered; None where nothing is promised."""

    name: str
    path: str
    who: int = 0
    most: int | None = None


def _by(by: str, who: int = 0, **more: str) -> str:
    return f"{PATH}/coverage?{urlencode({'by': by} | more)}"


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure with half a million doors."""
    base = await server.copy(cluster, "bench_doors")
    took = await many_doors.write(base.owner, DOORS, VISITS)
    figures = [Figure(what=f"{DOORS:,} doors and {VISITS:,} visits made", figure=f"{took:.0f} s")]
    conn = await asyncpg.connect(base.program, server_settings=database.SESSION_SETTINGS)
    await database.prepare(conn)
    past = (datetime.now(UTC) - timedelta(days=40)).date().isoformat()
    with server.serving(base, folder / "serve.log", ZOUFANG_JOBS="off") as address:
        anew = [Question(name="by community, nothing summed up", path=_by("community"))]
        figures += [await _figure(address, conn, question) for question in anew]
        figures.append(await _sum_up(conn))
        await server.analyze(base)
        summed = [Question(name=f"by {by}", path=_by(by), most=LONGEST_MS) for by in BYS]
        others = [
            Question(name="by community, as of 40 days ago", path=_by("community", as_of=past)),
            Question(name="by day, a community's worker", path=_by("day"), who=WORKER, most=LONGEST_MS),
            Question(
                name="doors, the first 50 of those not home", path=f"{PATH}/doors?figure=not_home", most=LONGEST_MS
            ),
        ]
        figures += [await _figure(address, conn, question) for question in (*summed, *others)]
        await conn.execute(OUTDATE, DISTRICT, OUTDATED)
        outdated = [
            Question(name=f"by {by}, {OUTDATED} communities outdated", path=_by(by), most=LONGEST_MS) for by in BYS
        ]
        figures += [await _figure(address, conn, question) for question in outdated]
    await conn.close()
    return figures


async def _sum_up(conn: asyncpg.Connection) -> Figure:
    """Make all sums, as the job does."""
    started, communities = datetime.now(UTC), 0
    found = await people.district(conn, DISTRICT)
    while found:
        async with conn.transaction(isolation="repeatable_read"):
            made = await coverage_sums.renew(conn, DISTRICT, found.zone, datetime.now(UTC))
        communities += made
        if not made:
            break
    took = (datetime.now(UTC) - started).total_seconds()
    return Figure(what=f"sums of {communities} communities made", figure=f"{took:.1f} s")


async def _figure(address: str, conn: asyncpg.Connection, question: Question) -> Figure:
    answers, bare = [], []
    for _ in range(REPEATS if question.most else 3):
        answers.append(request_ms(address, question.path, question.who)[0])
        bare.append(await fetch_ms(conn, (CEILING, district.DISTRICT)))
    figure, ceiling = median(answers[1:]), median(bare[1:])  # the first fills caches
    return Figure(
        what=f"coverage {question.name}",
        figure=f"{figure:.0f} ms, fastest {min(answers):.0f}",
        ceiling=f"{ceiling:.0f} ms, count(*) of all",
        ratio=ceiling / figure,
        wanted=f"≤ {question.most} ms" if question.most else "",
        met=figure <= question.most if question.most else None,
    )

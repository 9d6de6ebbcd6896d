"""The dashboard of a district with a million issues, three million rows of history, visits and residents to be asked;
as a page and for programs, for a leader, a community worker and a past day; and how much slower it is than with ten
thousand."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import asyncpg
from msgspec import Struct

from api import database
from api.embedded_postgres import Cluster
from tests.bench import district, many_issues, server
from tests.bench.figures import Figure
from tests.bench.map_data import fetch_ms, request_ms, wait_until_loaded

FEW, MANY = 10_000, 1_000_000
HISTORY = 3_000_000
VISITS = 300_000
REPEATS = 9
WORKER = 40  # of a community, by the order of codes
LONGEST_MS = 500
MOST_GROWTH = 3.0

# What a million rows cost at least: to be counted from the smallest of the indexes.
CEILING = "select count(*) from issue where district = $1"

# Under ids in a row: at random they would be written all over the index.
HISTORY_ROWS = """
insert into history (district, id, kind, thing, version, event, actor_kind, actor, happened_at, recorded_at, facts)
select district, ('00000000-0000-4000-9000-' || lpad(to_hex(row_number() over ()), 12, '0'))::uuid, 'issue', issue,
  version, state, 'import', 'bench', valid_from, recorded_at, jsonb_build_object('state', state, 'owner', owner)
from (select * from issue_spans where district = $1 order by issue, version limit $2) s
"""
VISIT_ROWS = """
insert into visit (district, id, version, digest, member, organisation, companions, premises_kind, outcome, started_at,
  ended_at, device_started_at, device_ended_at, clock_skew_s, community, certainty, text_version, recorded_at, via)
select $1, gen_random_uuid(), 1, '\\x00', lpad(to_hex($3::int + 1 + at % 600), 32, '0')::uuid,
  lpad(to_hex($4::int + at % 586), 32, '0')::uuid, '{}', 'shop', 'met', t, t, t, t, 0,
  c.codes[1 + at % array_length(c.codes, 1)],
  'inside', 1, t, 'phone'
from generate_series(1, $2::int) at, (select array_agg(code) as codes from community where district = $1) c,
  lateral (select $5::timestamptz - make_interval(secs => at * 365 * 86400.0 / $2) as t) times
"""
INVITED = """
insert into return_visit (district, id, issue, round, state, invited_at, closes_at)
select district, gen_random_uuid(), id, 1, 'invited', $2::timestamptz, $2::timestamptz + interval '7 days'
from issue where district = $1 and state = 'resolved'
"""


class Question(Struct, frozen=True, kw_only=True):
    """What is asked, by whom, and within how many milliseconds it is to be answered."""

    name: str
    path: str
    who: int = 0
    most: int | None = LONGEST_MS


def questions(now: datetime) -> list[Question]:
    """The dashboard as it opens, and as others open it."""
    past = (now - timedelta(days=120)).date().isoformat()
    return [
        Question(name="the page", path="/dashboards?period=month"),
        Question(name="for programs", path="/api/dashboard?period=month"),
        Question(name="of this year", path="/dashboards?period=year"),
        Question(name="of a community, its worker", path="/dashboards?period=quarter", who=WORKER),
        Question(name="as of 120 days ago", path=f"/dashboards?period=month&as_of={past}", most=None),
    ]


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure with ten thousand issues, and with a million."""
    few = await _with(cluster, folder, FEW, [questions(datetime.now(UTC))[0]])
    many = await _with(cluster, folder, MANY, questions(datetime.now(UTC)))
    growth = many[0][1] / few[0][1]
    return [
        *(figure for figure, _ in [*few, *many]),
        Figure(
            what=f"the dashboard's growth from {FEW:,} to {MANY:,} issues",
            figure=f"{growth:.1f} ×",
            wanted=f"≤ {MOST_GROWTH:.0f} ×",
            met=growth <= MOST_GROWTH,
        ),
    ]


async def _with(cluster: Cluster, folder: Path, issues: int, asked: list[Question]) -> list[tuple[Figure, float]]:
    base = await server.copy(cluster, f"bench_dashboards_{issues}")
    await many_issues.write(base.owner, issues, told=False)
    await _write_beside(base.owner, issues)
    log = folder / f"serve_{issues}.log"
    with server.serving(base, log) as address:
        await asyncio.to_thread(wait_until_loaded, address, log, past=False)
        conn = await asyncpg.connect(base.program, server_settings=database.SESSION_SETTINGS)
        found = [await _figure(address, conn, issues, question) for question in asked]
        await conn.close()
    return found


async def _write_beside(dsn: str, issues: int) -> None:
    """Visits, residents to be asked, and the history, as many to each issue as a million have."""
    conn, now = await asyncpg.connect(dsn), datetime.now(UTC)
    await conn.execute("set session_replication_role = replica")  # every reference holds, as the rows are made
    visits = max(1_000, VISITS * issues // MANY)
    await conn.execute(
        VISIT_ROWS, district.DISTRICT, visits, district.FIRST_MEMBER, many_issues.FIRST_ORGANISATION, now
    )
    await conn.execute(INVITED, district.DISTRICT, now)
    await conn.execute(HISTORY_ROWS, district.DISTRICT, HISTORY * issues // MANY)
    await conn.execute("vacuum analyze")
    await conn.close()


async def _figure(address: str, conn: asyncpg.Connection, issues: int, question: Question) -> tuple[Figure, float]:
    answers, bare = [], []
    for _ in range(REPEATS):
        answers.append(request_ms(address, question.path, question.who)[0])
        bare.append(await fetch_ms(conn, (CEILING, district.DISTRICT)))
    took, ceiling = median(answers[2:]), median(bare[2:])
    figure = Figure(
        what=f"dashboard {question.name}, {issues:,} issues",
        figure=f"{took:.0f} ms, fastest {min(answers):.0f}",
        ceiling=f"{ceiling:.0f} ms, count(*) of all",
        ratio=ceiling / took,
        wanted=f"≤ {question.most} ms" if question.most else "",
        met=took <= question.most if question.most else None,
    )
    return figure, took

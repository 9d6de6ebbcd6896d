"""The desk beside a million issues: the board of those who reach all and of those who reach a community, its next
part, its queues, and the page of one issue."""

import http.client
import re
from pathlib import Path
from urllib.parse import urlencode

import asyncpg
import numpy as np
from msgspec import Struct

from api import database
from api.embedded_postgres import Cluster
from tests.bench import district, many_issues, server
from tests.bench.district import DISTRICT
from tests.bench.figures import Figure
from tests.bench.map_data import fetch_ms, request_ms

ISSUES = 1_000_000
REPEATS = 200
WARMING = 10
WORKER = 40  # of a community, by the order of codes
LONGEST_MS = 100

# What a page of the board has to read at least: fifty issues by their ids.
CEILING = "select * from issue where district = $1 and id = any($2)"
OPEN = [("state", state) for state in ("reported", "accepted", "assigned", "in_progress", "paused")]


class Question(Struct, frozen=True, kw_only=True):
    """A page that somebody opens, and within how many milliseconds it is to be there; None: nothing is promised."""

    name: str
    path: str
    who: int = 0
    most: int | None = LONGEST_MS


def questions(issue: str, following: str) -> list[Question]:
    """The pages of a morning."""
    narrow = urlencode([*OPEN, ("category", district.CATEGORIES[0]), ("urgency", "urgent")])
    return [
        Question(name="board, a leader begins", path="/desk/"),
        Question(name="board, a worker begins", path="/desk/", who=WORKER),
        Question(name="board, all unfinished by due time", path=f"/desk/?{urlencode(OPEN)}"),
        Question(name="board, its next part", path=following),
        Question(name="board, all by report", path="/desk/?sort=newest"),
        Question(name="board, one category, urgent", path=f"/desk/?{narrow}"),
        Question(name="board, two characters", path=f"/desk/?{urlencode({'text': '井盖'})}"),
        Question(name="issue page, a leader, from a list", path=f"/desk/issues/{issue}?{urlencode(OPEN)}"),
        Question(name="issue page, a worker", path=f"/desk/issues/{issue}", who=WORKER),
        Question(name="queues with their counts, a leader", path="/desk/queues?sort=newest", most=None),
        Question(name="queues with their counts, a worker", path="/desk/queues?sort=newest", who=WORKER, most=None),
    ]


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure with a million issues."""
    base = await server.copy(cluster, "bench_desk")
    took = await many_issues.write(base.owner, ISSUES)
    figures = [Figure(what=f"{ISSUES:,} issues with lives and texts made for the desk", figure=f"{took:.0f} s")]
    with server.serving(base, folder / "serve.log") as address:
        conn = await asyncpg.connect(base.program, server_settings=database.SESSION_SETTINGS)
        community = await conn.fetchval(COMMUNITY, DISTRICT, district.member(WORKER))
        issue = str(await conn.fetchval(ISSUE, DISTRICT, community))
        some = [row["id"] for row in await conn.fetch(SOME, DISTRICT)]
        bare = sorted([await fetch_ms(conn, (CEILING, DISTRICT, some)) for _ in range(REPEATS)])
        for question in questions(issue, _following(address)):
            figures.append(_figure(address, question, float(np.percentile(bare, 99))))
        await conn.close()
    return figures


COMMUNITY = "select scope from member_role where district = $1 and member = $2 and scope_kind = 'community'"
ISSUE = "select id from issue where district = $1 and community = $2 order by reported_at desc limit 1"
SOME = "select id from issue where district = $1 limit 50"


def _following(address: str) -> str:
    """Where the board's next part is, as its page says."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    asked = f"/desk/?{urlencode(OPEN)}"
    connection.request("GET", asked, headers={"Authorization": f"Bearer {district.token(0)}"})
    page = connection.getresponse().read().decode()
    connection.close()
    found = re.search(r'hx-get="(/desk/\?[^"]*cursor=[^"]*)"', page)
    assert found
    return found[1].replace("&amp;", "&")


def _figure(address: str, question: Question, ceiling: float) -> Figure:
    taken = [request_ms(address, question.path, question.who)[0] for _ in range(WARMING + REPEATS)][WARMING:]
    half, most = float(np.percentile(taken, 50)), float(np.percentile(taken, 99))
    return Figure(
        what=f"desk: {question.name}",
        figure=f"p50 {half:.0f} ms, p99 {most:.0f} ms",
        ceiling=f"p99 {ceiling:.1f} ms, fifty rows by their ids",
        ratio=ceiling / most,
        wanted=f"p99 ≤ {question.most} ms" if question.most else "",
        met=most <= question.most if question.most else None,
    )

"""The rates of a district with a million issues: every breakdown, with and without hours, narrowed, by those who reach
less, and as of a past day."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import asyncpg
from msgspec import Struct

from api import database
from api.embedded_postgres import Cluster
from tests.bench import district, many_issues, server
from tests.bench.figures import Figure
from tests.bench.map_data import fetch_ms, request_ms

ISSUES = 1_000_000
REPEATS = 7
WORKER, ORGANISER = 40, 399  # of a community, by the order of codes; of one of 586 organisations
LONGEST_MS = 300
LONGEST_WITH_HOURS_MS = 1_000

BYS = ("district", "street", "community", "organisation", "department", "category", "channel", "month")

# Somebody who looks after one organisation, and nothing else.
ORGANISES = """
insert into member_role (district, member, role, scope_kind, scope)
select $1, $2, 'organiser', 'organisation', lpad(to_hex($3::int), 32, '0')::uuid::text
"""
# What a million rows cost at least: to be counted from the smallest of the indexes.
CEILING = "select count(*) from issue where district = $1"


class Question(Struct, frozen=True, kw_only=True):
    """What somebody asks, and within how many milliseconds it is to be answered; None where nothing is promised."""

    name: str
    asked: dict[str, str]
    who: int = 0
    most: int | None = None

    def path(self) -> str:
        """The address."""
        return "/api/rates?" + urlencode(self.asked)


def questions(today: datetime) -> list[Question]:
    """Every breakdown, and one of them as others ask it."""
    plain = [Question(name=f"by {by}", asked={"by": by, "hours": "false"}, most=LONGEST_MS) for by in BYS]
    hours = [Question(name=f"by {by}, with hours", asked={"by": by}, most=LONGEST_WITH_HOURS_MS) for by in BYS]
    month = {"reported_from": (today - timedelta(days=30)).date().isoformat()}
    past = {"as_of": (today - timedelta(days=120)).date().isoformat()}
    street = {"by": "street", "hours": "false"}
    return [
        *plain,
        *hours,
        Question(name="by street, of the last 30 days", asked=street | month, most=LONGEST_MS),
        Question(name="by street, of one group of categories", asked=street | {"category": "01"}, most=LONGEST_MS),
        Question(name="by category, a community's worker", asked={"by": "category"}, who=WORKER, most=LONGEST_MS),
        Question(name="by month, an organiser", asked={"by": "month"}, who=ORGANISER, most=LONGEST_MS),
        Question(name="by street, as of 120 days ago", asked=street | past),
    ]


async def measure(cluster: Cluster, folder: Path) -> list[Figure]:
    """Measure with a million issues."""
    base = await server.copy(cluster, "bench_rates")
    took = await many_issues.write(base.owner, ISSUES, told=False)
    owner = await asyncpg.connect(base.owner)
    await owner.execute(ORGANISES, district.DISTRICT, district.member(ORGANISER), many_issues.FIRST_ORGANISATION)
    await owner.close()
    figures = [Figure(what=f"{ISSUES:,} issues with lives made for the rates", figure=f"{took:.0f} s")]
    with server.serving(base, folder / "serve.log") as address:
        conn = await asyncpg.connect(base.program, server_settings=database.SESSION_SETTINGS)
        for question in questions(datetime.now(UTC)):
            figures.append(await _figure(address, conn, question))
        await conn.close()
    return figures


async def _figure(address: str, conn: asyncpg.Connection, question: Question) -> Figure:
    answers, bare = [], []
    for _ in range(REPEATS if question.most else 3):
        answers.append(request_ms(address, question.path(), question.who)[0])
        bare.append(await fetch_ms(conn, (CEILING, district.DISTRICT)))
    figure, ceiling = median(answers[1:]), median(bare[1:])  # the first fills caches
    return Figure(
        what=f"rates {question.name}",
        figure=f"{figure:.0f} ms, fastest {min(answers):.0f}",
        ceiling=f"{ceiling:.0f} ms, count(*) of all",
        ratio=ceiling / figure,
        wanted=f"≤ {question.most} ms" if question.most else "",
        met=figure <= question.most if question.most else None,
    )

"""A small scorecard, rounds by it, and people who rate each other."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec

from api.assessments import round_working
from api.jobs import Runner
from api.settings import Settings
from surveys.assessments import instruments, raters, ratings, results, round_changes, rounds, windows
from surveys.assessments.instruments import Group, Heading, Instrument, Item, RaterGroup, Rules, Star, SubjectKind
from surveys.assessments.ratings import RatingDraft
from surveys.assessments.round_changes import RoundDraft
from surveys.assessments.windows import WindowDraft
from surveys.history import Actor
from surveys.people.people import Grant, Reader
from tests.conftest import ADMINISTRATOR, DISTRICT, MEMBER, ORGANISATION, RING, Client, Person, TestClock
from tests.doors import Answer, answered

OPENS = datetime(2026, 10, 1, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
DATES = {
    "opens_at": OPENS,
    "self_until": OPENS + 5 * DAY,
    "people_until": OPENS + 8 * DAY,
    "peers_until": OPENS + 10 * DAY,
    "leaders_until": OPENS + 15 * DAY,
    "first_at": OPENS + 18 * DAY,
    "appeals_until": OPENS + 25 * DAY,
    "decisions_until": OPENS + 30 * DAY,
}


def scorecard(kind: SubjectKind = "member", id_: str = "small", least_people: int = 2) -> Instrument:
    """Three headings, four items, one of them a fact."""
    everybody: tuple[Group, ...] = ("self", "people", "peers", "leaders")
    return Instrument(
        id=id_,
        version="1",
        name={"zh": "小评分表", "en": "Small scorecard"},
        subject_kind=kind,
        headings=(
            Heading(code="A", name="走访", weight=Decimal(50)),
            Heading(code="B", name="服务", weight=Decimal(30)),
            Heading(code="C", name="作风", weight=Decimal(20)),
        ),
        items=(
            Item(
                code="A1",
                heading="A",
                text="走访次数",
                maximum=Decimal(20),
                weight=Decimal(20),
                fact="visits",
                fact_from=Decimal(0),
                fact_to=Decimal(4),
            ),
            Item(code="A2", heading="A", text="走访质量", maximum=Decimal(30), weight=Decimal(30), raters=everybody),
            Item(
                code="B1",
                heading="B",
                text="服务效果",
                maximum=Decimal(30),
                weight=Decimal(30),
                raters=everybody,
                evidence=True,
            ),
            Item(
                code="C1",
                heading="C",
                text="作风",
                maximum=Decimal(20),
                weight=Decimal(20),
                raters=("peers", "leaders"),
            ),
        ),
        groups={
            "self": RaterGroup(Decimal(10), 1),
            "people": RaterGroup(Decimal(30), least_people),
            "peers": RaterGroup(Decimal(30), 2),
            "leaders": RaterGroup(Decimal(30), 1),
        },
        stars=(Star(5, Decimal(90)), Star(4, Decimal(80)), Star(3, Decimal(60))),
        rules=Rules(),
    )


async def publish(conn: asyncpg.Connection, one: Instrument | None = None) -> Instrument:
    """Let the district have a scorecard."""
    async with conn.transaction():
        found = one or scorecard()
        await instruments.publish(conn, DISTRICT, found, Actor("program", "tests"), OPENS - 30 * DAY)
    return found


def draft(**changes: Any) -> Answer:
    """A round of the third quarter's members."""
    dates = {name: moment.isoformat() for name, moment in DATES.items()}
    same = {"name": "三季度考核", "instrument": "small", "instrument_version": "1", "period": "2026-Q3"}
    return {"id": str(uuid4()), **same, **dates, **changes}


async def make(client: Client, who: Person = ADMINISTRATOR, *, status: int = 201, **changes: Any) -> Answer:
    """Make a round."""
    asked = draft(**changes)
    return answered(await client.post("/api/assessments/rounds", json=asked, headers=who.headers), status)


async def rate(
    client: Client,
    who: Person,
    round_: str,
    subject: UUID | str,
    group: Group,
    points: Mapping[str, float | None],
    *,
    status: int = 200,
    **changes: Any,
) -> Answer:
    """Rate, or be refused."""
    asked = {"id": str(uuid4()), "group": group, "points": dict(points), **changes}
    path = f"/api/assessments/rounds/{round_}/ratings/{subject}"
    return answered(await client.put(path, json=asked, headers=who.headers), status)


async def say(client: Client, who: Person, round_: str, tail: str, *, status: int = 200, **body: Any) -> Answer:
    """Post something about a round."""
    asked = {"id": str(uuid4()), **body}
    path = f"/api/assessments/rounds/{round_}/{tail}"
    return answered(await client.post(path, json=asked, headers=who.headers), status)


async def turn(conn: asyncpg.Connection, dsn: str, clock: TestClock) -> int:
    """Let the jobs do what is due; how many errands there were."""
    async with conn.transaction():
        await round_working.turn(conn, DISTRICT, clock.now)
    return await Runner(dsn, clock, lambda: RING, Settings(database_url=dsn)).work_off()


async def window(conn: asyncpg.Connection, name: str, **changes: Any) -> UUID:
    """A service window of the organisation, for which its member answers."""
    asked = {"id": uuid4(), "name": name, "organisation": ORGANISATION, "member": MEMBER.id, **changes}
    async with conn.transaction():
        made = await windows.add(conn, reader_of(ADMINISTRATOR), WindowDraft(**asked), OPENS - 90 * DAY)
    return made.id


def reader_of(who: Person) -> Reader:
    """Somebody of the tests as the domain reads for them."""
    return Reader(
        district=DISTRICT,
        member=who.id,
        name=who.name,
        organisation=who.organisation,
        grants=(Grant(who.role, who.scope_kind, who.scope),),  # type: ignore[arg-type]
    )


async def held(conn: asyncpg.Connection, opens: datetime, until: datetime, **changes: Any) -> UUID:
    """A round of the members as it stands at `until`, in which everybody rated themselves and all others they were
    given, but those whose numbers are even."""
    later = opens - OPENS
    asked = draft(**{name: (moment + later).isoformat() for name, moment in DATES.items()}, **changes)
    wanted = msgspec.convert(asked, RoundDraft)
    async with conn.transaction():
        await round_changes.make(conn, reader_of(ADMINISTRATOR), wanted, opens - DAY)
        await raters.turn(conn, DISTRICT, opens)
        found = await rounds.one(conn, DISTRICT, wanted.id)
        rows = await conn.fetch("select subject, rater_group, rater from round_rater where round = $1", wanted.id)
        for row in sorted(rows, key=str):
            if row["rater"].int % 2 or row["rater_group"] == "self":
                given: dict[str, float | None] = {"A2": 20 + row["rater"].int % 10, "B1": 10 + row["subject"].int % 20}
                rating = RatingDraft(id=uuid4(), group=row["rater_group"], points=given, evidence="有记录")
                actor = Actor("member", str(row["rater"]))
                await ratings.keep(conn, found, row["subject"], rating, row["rater"], "session", actor, opens)
    if until >= found.first_at:
        async with conn.transaction():
            await raters.turn(conn, DISTRICT, found.first_at)
        await results.work_out(conn, DISTRICT, found.id, uuid4(), found.first_at)
    return found.id

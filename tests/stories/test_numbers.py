"""Whatever is asked, by whomever: the list, the areas and the clusters count the same issues."""

import random
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.settings import Settings
from surveys.issues.workflow import STATES
from tests import drafts
from tests.conftest import (
    DISPATCHER,
    FAR,
    MEMBER,
    NEAR,
    NEXT,
    OTHER_WORKER,
    PEOPLE,
    STRANGER,
    WORKER,
    Client,
    Person,
    Server,
    TestClock,
    founded,
    serving,
)
from tests.doors import Answer, file_all, hand_over, move, read
from tests.stories import numbers

pytestmark = pytest.mark.anyio

DAYS = [date(2026, 11, 20) + timedelta(days=day) for day in range(10)]


def reported(chance: random.Random) -> Answer:
    """A visit somewhere in the district, mostly, on one of four days, with up to three issues.

    The ids are of the same chance: they say which comes first of what was reported at the same time."""
    start = f"2026-11-2{chance.randrange(4)}T0{chance.randrange(10)}:00:00+08:00"
    return drafts.visit(
        id=some_id(chance),
        started_at=start,
        ended_at=start,
        position=chance.choice([None, somewhere(chance), somewhere(chance)]),
        issues=[
            drafts.issue(
                id=some_id(chance),
                category=chance.choice(["0102", "0103", "0199"]),
                urgency=chance.choice(["normal", "urgent", "emergency"]),
                title=chance.choice(["门口垃圾成堆", "路灯不亮", "下水道堵塞"]),
                position=chance.choice([None, somewhere(chance)]),
            )
            for _ in range(chance.randrange(4))
        ],
    )


def some_id(chance: random.Random) -> str:
    return str(UUID(int=chance.getrandbits(128), version=4))


def somewhere(chance: random.Random) -> dict[str, float]:
    return {"lon": chance.uniform(113.595, 113.635), "lat": chance.uniform(34.695, 34.715), "accuracy_m": 20}


@pytest.fixture(scope="module")
async def town(server: Server, template: str) -> AsyncIterator[Client]:
    """A district in which a hundred and fifty visits were made and some of what was found has moved on."""
    chance = random.Random(20261123)  # noqa: S311 - the same district each time
    clock = TestClock()
    async with founded(server, template) as dsn, serving(Settings(database_url=dsn), clock) as client:
        for who in (MEMBER, STRANGER, WORKER):
            await file_all(client, who, [reported(chance) for _ in range(50)])
        items = (await read(client, DISPATCHER, "/api/issues", limit=200))["items"]
        clock.forward(hours=6)
        for item in chance.sample(items, 40):
            if chance.random() < 0.5:
                taker = STRANGER if item["owner"]["id"] == str(OTHER_WORKER.id) else OTHER_WORKER
                await hand_over(client, DISPATCHER, taker, item["id"], item["version"])
            else:
                to_department = drafts.move("assign", item["version"], to="city_management")
                await move(client, DISPATCHER, item["id"], to_department)
        for item in (await read(client, DISPATCHER, "/api/issues", state="reported", limit=40))["items"][::2]:
            await move(client, DISPATCHER, item["id"], drafts.move("reject", item["version"], reason="不属实"))
        clock.forward(days=1, hours=12)
        yield client


def some(*values: Any) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)


BOXES = st.tuples(
    st.floats(113.59, 113.62), st.floats(34.69, 34.705), st.floats(0.001, 0.05), st.floats(0.001, 0.03)
).map(lambda box: f"{box[0]},{box[1]},{box[0] + box[2]},{box[1] + box[3]}")

CHOICES: dict[str, st.SearchStrategy[Any]] = {
    "community": some(NEAR, NEXT, FAR, "none"),
    "street": some("410103001", "410103002", "none"),
    "category": some("01", "0102", "0103", "0199"),
    "state": some(*STATES),
    "group": some(*numbers.GROUPS),
    "urgency": some("normal", "urgent", "emergency"),
    "owner": some(*(str(who.id) for who in PEOPLE)),
    "department": some("city_management", "none"),
    "organisation": some(*(str(who.organisation) for who in PEOPLE), "none"),
    "channel": some("joint_review", "agent"),
    "rate": st.sampled_from(["response", "on_time", "bounce", "pause"]),
    "known_at": st.sampled_from(DAYS).map(lambda day: f"{day}T12:00:00+08:00"),
    "overdue": st.sampled_from(["true", "false"]),
    "placed": st.sampled_from(["yes", "no"]),
    "reported_from": st.sampled_from(DAYS).map(str),
    "reported_to": st.sampled_from(DAYS).map(str),
    "as_of": st.sampled_from(DAYS).map(str),
    "text": st.sampled_from(["垃圾", "路灯", "水道"]),
    "bbox": BOXES,
}
# Up to four at once: with more, nothing would be left to count.
FILTERS = st.sets(st.sampled_from(sorted(CHOICES)), max_size=4).flatmap(
    lambda names: st.fixed_dictionaries({name: CHOICES[name] for name in sorted(names)})
)


@hypothesis.settings(max_examples=30, deadline=None)
@given(FILTERS, st.sampled_from(PEOPLE), st.integers(0, 24))
async def test_the_same_question_has_the_same_answer_everywhere(
    town: Client, filters: dict[str, Any], who: Person, zoom: int
) -> None:
    await numbers.agree(town, who, zoom, **filters)


async def test_the_district_is_large_enough_to_be_wrong_about(town: Client) -> None:
    counted = [await numbers.agree(town, who) for who in PEOPLE]
    assert max(counted) > 150
    assert len(set(counted)) > 4
    for group in numbers.GROUPS[:3]:
        assert await numbers.total(town, DISPATCHER, group=group) > 0

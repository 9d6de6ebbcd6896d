"""The dashboard over HTTP: whoever asks for whatever, every number that it tells is the total of the list that its link
opens."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from api.settings import Settings
from tests.api import test_return_visits
from tests.conftest import (
    BELOW,
    FAR,
    HANDLER,
    LEADER,
    MEMBER,
    NEAR,
    STRANGER,
    STREET_LEADER,
    WORKER,
    Client,
    Person,
    Server,
    TestClock,
    founded,
    serving,
)
from tests.doors import Answer, answered, read
from tests.stories import test_rates
from tests.stories.test_rates import Town
from tests.street import walk

pytestmark = pytest.mark.anyio

town = test_rates.town  # a fixture: the district in which much has happened

READERS = [LEADER, STREET_LEADER, WORKER, MEMBER, STRANGER, HANDLER]
QUESTIONS: dict[str, dict[str, Any]] = {
    "as it opens": {},
    "two days, against those before": {"reported_from": "2026-11-22", "reported_to": "2026-11-23"},
    "a year earlier": {"period": "quarter", "than": "year"},
    "a street": {"street": "410103001", "period": "year"},
    "a community on a past day": {"community": FAR, "as_of": "2026-11-22"},
    "an organisation": {"organisation": str(MEMBER.organisation)},
    "an organisation that found nothing": {"organisation": str(BELOW)},
    "another district's street": {"street": "110101001"},
}


def numbers(told: Any) -> Iterator[tuple[int, str]]:
    """Every number of an answer with the address of its list."""
    if isinstance(told, list):
        for each in told:
            yield from numbers(each)
    elif isinstance(told, dict):
        if "href" in told:
            of = "denominator" if "numerator_href" in told else "count" if "count" in told else "numerator"
            yield told[of], told["href"]
        if "numerator_href" in told:
            yield told["numerator"], told["numerator_href"]
        for each in told.values():
            yield from numbers(each)


async def total(client: Client, who: Person, href: str) -> int:
    separator = "&" if "?" in href else "?"
    found: int = answered(await client.get(f"{href}{separator}limit=1", headers=who.headers), 200)["total"]
    return found


@pytest.mark.parametrize("who", READERS, ids=lambda who: who.role + who.number)
@pytest.mark.parametrize("asked", QUESTIONS.values(), ids=QUESTIONS.keys())
async def test_every_number_is_the_total_of_its_list(town: Town, who: Person, asked: dict[str, Any]) -> None:
    told = await read(town.client, who, "/api/dashboard", **asked)
    every = dict.fromkeys(numbers(told))
    assert len(every) > 20
    for count, href in every:
        assert await total(town.client, who, href) == count, href


async def test_a_leader_of_a_street_sees_the_street(town: Town) -> None:
    whole = await read(town.client, LEADER, "/api/dashboard", period="year")
    of_street = await read(town.client, LEADER, "/api/dashboard", period="year", street="410103001")
    theirs = await read(town.client, STREET_LEADER, "/api/dashboard", period="year")
    assert {place["key"] for place in theirs["streets"]} <= {"410103001", "none"}
    assert (
        of_street["reported"]["now"]["count"] <= theirs["reported"]["now"]["count"] < whole["reported"]["now"]["count"]
    )
    worker = await read(town.client, WORKER, "/api/dashboard", period="year")
    assert NEAR in {place["key"] for place in worker["communities"]}


async def test_what_was_known_then_stays_what_it_was(town: Town) -> None:
    asked: dict[str, Any] = {"known_at": town.clock().isoformat(), "as_of": town.clock().date().isoformat()}
    before = await read(town.client, LEADER, "/api/dashboard", **asked)
    town.clock.forward(hours=5)
    again = await read(town.client, LEADER, "/api/dashboard", **asked)
    for name in ("rates", "trend", "categories", "departments", "streets", "communities"):
        assert again[name] == before[name], name
    assert before["standing"]["return_visits"] is None


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"period": "fortnight"}, "period"),
        ({"than": "tomorrow"}, "than"),
        ({"reported_from": "2026-11-02", "reported_to": "2026-11-01"}, "reported_to"),
        ({"reported_from": "0001-01-01"}, "reported_from"),
        ({"organisation": "=cmd()"}, "organisation"),
        ({"street": "\x00"}, "street"),
        ({"as_of": "9999-12-31"}, "as_of"),
        ({"known_at": "2026-11-23T18:00:00"}, "known_at"),
        ({"category": "0102"}, "category"),
    ],
)
async def test_questions_that_have_no_answer(town: Town, asked: dict[str, Any], field: str) -> None:
    assert (await read(town.client, LEADER, "/api/dashboard", status=422, **asked))["field"] == field
    page = await town.client.get("/dashboards", params=asked, headers=LEADER.headers)
    assert page.status_code == 422


@pytest.fixture
async def empty(server: Server, template: str) -> AsyncIterator[Client]:
    """A district in which nothing has been reported yet."""
    async with founded(server, template) as dsn, serving(Settings(database_url=dsn), TestClock()) as client:
        yield client


async def test_a_district_without_issues_has_no_rates(empty: Client) -> None:
    told: Answer = await read(empty, LEADER, "/api/dashboard")
    assert {figure["now"]["rate"] for figure in told["rates"].values()} == {None}
    assert {figure["change"] for figure in told["rates"].values()} == {None}
    assert told["trend"] == told["categories"] == told["streets"] == told["campaigns"] == []
    assert told["trust"]["verified"] is None
    page = (await empty.get("/dashboards", headers=LEADER.headers)).text
    assert "NaN" not in page
    assert "0.0%" not in page
    assert "没有上报的问题" in page
    assert (await empty.get("/dashboards/rates", headers=LEADER.headers)).status_code == 200


@pytest.mark.parametrize("who", [LEADER, WORKER, MEMBER], ids=["leader", "worker", "member"])
async def test_coverage_and_visits_are_those_of_their_lists(
    client: Client, conn: asyncpg.Connection, who: Person
) -> None:
    await walk(client, conn)
    questions: list[dict[str, Any]] = [{}, {"street": "410103001"}, {"community": FAR}, {"organisation": str(BELOW)}]
    for asked in questions:
        told = await read(client, who, "/api/dashboard", period="year", **asked)
        (campaign,) = told["campaigns"]
        assert campaign["doors"]["count"] or asked
        for count, href in [*numbers(campaign), *numbers(told["visits"])]:
            assert await total(client, who, href) == count, href
    assert sum(day["count"] for day in (await read(client, LEADER, "/api/dashboard"))["visits"]) > 0


async def test_residents_who_are_still_to_be_asked_are_counted_and_listed(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    await test_return_visits.resolved(client)
    await test_return_visits.invite(conn, clock)
    questions: list[tuple[dict[str, Any], int]] = [
        ({}, 1),
        ({"street": "410103001"}, 1),
        ({"street": "410103002"}, 0),
        ({"community": NEAR}, 1),
    ]
    for asked, count in questions:
        told = (await read(client, LEADER, "/api/dashboard", **asked))["standing"]["return_visits"]
        assert told["count"] == await total(client, LEADER, told["href"]) == count, asked
        page = await client.get("/dashboards/return-visits", params=asked, headers=LEADER.headers)
        assert ("垃圾" in page.text) == bool(count), asked
    organisation = str(BELOW)
    told = (await read(client, LEADER, "/api/dashboard", organisation=organisation))["standing"]["return_visits"]
    assert told["count"] == await total(client, LEADER, told["href"]) == 0

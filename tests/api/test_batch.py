"""A phone's backlog: each visit on its own, in the order sent, whatever became of the others."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from msgspec import Struct

from api import database
from api.settings import Settings
from tests import cards, doors, drafts
from tests.conftest import MEMBER, STRANGER, Client, Server, TestClock, founded, serving
from tests.doors import file, file_all

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def dsn(server: Server, template: str) -> AsyncIterator[str]:
    """One database for all backlogs; each test counts what has come since it began."""
    async with founded(server, template) as address:
        yield address


@pytest.fixture(scope="module")
async def client(dsn: str) -> AsyncIterator[Client]:
    async with serving(Settings(database_url=dsn), TestClock()) as opened:
        yield opened


class Books(Struct):
    """How many rows there were when a test began."""

    conn: asyncpg.Connection
    before: dict[str, int]

    async def since(self, table: str) -> int:
        """How many rows have come since."""
        found: int = await self.conn.fetchval(f"select count(*) from {table}")
        return found - self.before[table]


@pytest.fixture
async def books(dsn: str) -> AsyncIterator[Books]:
    conn = await database.connect(dsn)
    begun = Books(conn, dict.fromkeys(("visit", "issue", "history", "card_binding"), 0))
    begun.before = {table: await begun.since(table) for table in begun.before}
    yield begun
    await conn.close()


def statuses(results: list[dict[str, Any]]) -> list[str]:
    return [result["status"] for result in results]


def problem(result: dict[str, Any]) -> tuple[str, str | None]:
    return result["problem"]["code"], result["problem"].get("field")


async def test_a_backlog_is_filed_in_its_order_and_a_retry_files_nothing(client: Client, books: Books) -> None:
    backlog = [drafts.visit(issues=[drafts.issue(), drafts.solved()]) for _ in range(5)]
    first = await file_all(client, MEMBER, backlog)
    assert statuses(first) == ["filed"] * 5
    assert [result["id"] for result in first] == [visit["id"] for visit in backlog]
    again = await file_all(client, MEMBER, [*backlog[::-1], drafts.visit()])
    assert statuses(again) == ["already_filed"] * 5 + ["filed"]
    assert [result["receipt"] for result in again[:5]] == [
        result["receipt"] | {"status": "already_filed"} for result in first[::-1]
    ]
    assert await books.since("visit") == 6
    assert await books.since("issue") == 10


async def test_what_was_filed_alone_is_known_in_a_backlog_and_the_other_way_round(client: Client) -> None:
    alone, together = drafts.visit(), drafts.visit()
    receipt = await file(client, MEMBER, alone)
    results = await file_all(client, MEMBER, [alone, together])
    assert results[0]["receipt"] == receipt | {"status": "already_filed"}
    assert await file(client, MEMBER, together, status=200) == results[1]["receipt"] | {"status": "already_filed"}


async def test_the_same_visit_twice_in_one_backlog_is_filed_once(client: Client, books: Books) -> None:
    visit = drafts.visit(issues=[drafts.issue()])
    results = await file_all(client, MEMBER, [visit, drafts.visit(), visit])
    assert statuses(results) == ["filed", "filed", "already_filed"]
    assert results[0]["receipt"] | {"status": "already_filed"} == results[2]["receipt"]
    assert await books.since("issue") == 1


async def test_of_two_contents_under_one_id_the_first_is_filed(client: Client, books: Books) -> None:
    visit = drafts.visit(note="第一份")
    results = await file_all(client, MEMBER, [visit, visit | {"note": "第二份"}])
    assert statuses(results) == ["filed", "refused"]
    assert problem(results[1]) == ("id_taken", "id")
    assert (
        await books.conn.fetchval("select body->>'note' from text_version where subject = $1", visit["id"]) == "第一份"
    )


async def test_another_member_s_id_reveals_nothing(client: Client) -> None:
    visit = drafts.visit(premises={"kind": "household", "name": "张家", "address": "淮河路 2 号"})
    await file(client, STRANGER, visit)
    same, other = await file_all(client, MEMBER, [visit, visit | {"note": "别的"}])
    assert same == other
    assert problem(same) == ("id_taken", "id")
    assert "张家" not in str(same)
    assert STRANGER.name not in str(same)


async def test_one_bad_visit_spoils_no_other(client: Client, books: Books) -> None:
    good = [drafts.visit(issues=[drafts.issue()]) for _ in range(3)]
    bad: list[tuple[Any, str, str | None]] = [
        (drafts.visit(id="no uuid"), "wrong_value", "id"),
        (drafts.visit(position={"lon": 34.7, "lat": 113.6}), "longitude_latitude_swapped", "position.lat"),
        (drafts.visit(weather="rain"), "unknown_field", "weather"),
        (
            drafts.visit(issues=[drafts.issue(), drafts.issue(category="9999")]),
            "unknown_category",
            "issues[1].category",
        ),
        (drafts.visit(premises={"kind": "shop"}), "missing", "premises.name"),
        (7, "wrong_value", None),
        (None, "wrong_value", None),
        ([], "wrong_value", None),
        ("垃圾", "wrong_value", None),
        ({}, "missing", "id"),
        (drafts.visit(note="a\x00b"), "text_unusable", "note"),
        (drafts.visit(issues=[drafts.issue(title=" \n ")]), "text_unusable", "issues[0].title"),
    ]
    results = await file_all(client, MEMBER, [good[0], *[item for item, _, _ in bad], good[1], good[2]])
    assert statuses(results) == ["filed", *["refused"] * len(bad), "filed", "filed"]
    for result, (item, code, field) in zip(results[1:], bad, strict=False):
        assert problem(result) == (code, field), item
        assert result["id"] == (item.get("id") if isinstance(item, dict) else None)
    assert await books.since("visit") == await books.since("issue") == 3


async def test_an_issue_s_id_in_two_visits_of_one_backlog_fails_alone(client: Client, books: Books) -> None:
    shared = drafts.issue()
    backlog = [drafts.visit(issues=[drafts.issue()]) for _ in range(4)]
    backlog[1]["issues"].append(shared)
    backlog[3]["issues"].append(shared)
    results = await file_all(client, MEMBER, backlog)
    assert statuses(results) == ["filed", "filed", "filed", "refused"]
    assert problem(results[3]) == ("id_taken", "issues")
    assert await books.since("visit") == 3
    assert await books.since("issue") == 4


async def test_two_phones_with_one_issue_s_id_at_once_one_of_them_wins(client: Client, books: Books) -> None:
    shared = drafts.issue()
    backlogs = [[drafts.visit(issues=[drafts.issue()]) for _ in range(10)] for _ in range(3)]
    for backlog in backlogs:
        backlog[5]["issues"].append(shared)
    answers = await asyncio.gather(*[file_all(client, MEMBER, backlog) for backlog in backlogs])
    assert Counter(status for results in answers for status in statuses(results)) == {"filed": 28, "refused": 2}
    assert Counter(results[5]["status"] for results in answers) == {"filed": 1, "refused": 2}
    assert await books.since("visit") == 28
    assert await books.since("issue") == 29


async def test_the_same_backlogs_at_once_in_every_order_stand_in_nobody_s_way(client: Client, books: Books) -> None:
    made = await cards.make(books.conn, 40)
    backlog = [drafts.visit(contact_card=card.number, issues=[drafts.issue(), drafts.solved()]) for card in made]
    orders = [backlog, backlog[::-1], backlog[20:] + backlog[:20], backlog[::2] + backlog[1::2]]
    answers = await asyncio.gather(*[file_all(client, MEMBER, order) for order in orders])
    found = Counter(status for results in answers for status in statuses(results))
    assert found == {"filed": 40, "already_filed": 120}
    assert await books.since("visit") == await books.since("card_binding") == 40
    assert await books.since("issue") == 80


async def test_an_issue_with_the_id_of_a_visit_of_the_same_backlog_fails_alone(client: Client, books: Books) -> None:
    backlog = [drafts.visit(), drafts.visit(), drafts.visit()]
    backlog[1]["issues"] = [drafts.issue(id=backlog[0]["id"])]
    results = await file_all(client, MEMBER, backlog)
    assert statuses(results) == ["filed", "refused", "filed"]
    assert problem(results[1])[0] == "id_taken"
    assert await books.since("visit") == 2


async def test_five_hundred_are_filed_and_five_hundred_and_one_are_not(client: Client, books: Books) -> None:
    backlog = [drafts.visit(issues=[drafts.issue()]) for _ in range(500)]
    too_many = await client.post("/api/visits/batch", json=[*backlog, drafts.visit()], headers=MEMBER.headers)
    refused = doors.refused(too_many, 422, "too_many")
    assert refused["facts"]["most"] == 500
    assert await books.since("visit") == 0
    results = await file_all(client, MEMBER, backlog)
    assert Counter(statuses(results)) == {"filed": 500}
    assert len({result["receipt"]["issues"][0]["number"] for result in results}) == 500


async def test_broken_letters_in_one_visit_spoil_no_other(client: Client, books: Books) -> None:
    items = [json.dumps(drafts.visit(note="坏字"), ensure_ascii=False) for _ in range(3)]
    body = b",".join([items[0].encode(), items[1].encode("gb18030"), items[2].encode()])
    answer = await client.post("/api/visits/batch", content=b"[" + body + b"]", headers=MEMBER.headers)
    results = doors.answered(answer, 200)["results"]
    assert statuses(results) == ["filed", "refused", "filed"]
    assert problem(results[1]) == ("not_json", None)
    assert await books.since("visit") == 2


async def test_an_empty_backlog_is_no_trouble(client: Client) -> None:
    assert await file_all(client, MEMBER, []) == []


@pytest.mark.parametrize("body", [b"{}", b"7", b"null", b'"x"'])
async def test_a_backlog_that_is_no_array_is_refused_whole(client: Client, body: bytes) -> None:
    answer = await client.post("/api/visits/batch", content=body, headers=MEMBER.headers)
    doors.refused(answer, 422, "wrong_value")


async def test_a_backlog_cut_off_is_refused_whole(client: Client, books: Books) -> None:
    answer = await client.post("/api/visits/batch", content=b'[{"id": "', headers=MEMBER.headers)
    doors.refused(answer, 400, "not_json")
    assert await books.since("visit") == 0


async def test_the_problems_of_a_backlog_speak_the_reader_s_language(client: Client) -> None:
    for language, title in (("zh-CN", "没有这个问题类别"), ("en-GB,en;q=0.8", "There is no such category")):
        answer = await client.post(
            "/api/visits/batch",
            json=[drafts.visit(issues=[drafts.issue(category="9999")])],
            headers=MEMBER.headers | {"Accept-Language": language},
        )
        assert answer.json()["results"][0]["problem"]["title"] == title


async def test_a_phone_s_wrong_clock_is_corrected_for_its_whole_backlog(client: Client, books: Books) -> None:
    ahead = {"started_at": "2026-11-26T11:20:00+08:00", "ended_at": "2026-11-26T11:30:00+08:00"}
    answer = await client.post(
        "/api/visits/batch",
        json=[drafts.visit(**ahead), drafts.visit(**ahead)],
        headers=MEMBER.headers | {"Device-Time": "2026-11-26T12:00:00+08:00"},
    )
    assert statuses(answer.json()["results"]) == ["filed", "filed"]
    days = {
        row["day"] for row in await books.conn.fetch("select started_at::date as day from visit where clock_skew_s > 0")
    }
    assert {str(day) for day in days} == {"2026-11-23"}

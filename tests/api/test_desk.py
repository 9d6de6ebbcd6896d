"""The desk asked by hand: what an address may ask for, and what it must not tell."""

from uuid import uuid4

import pytest

from tests import doors, drafts
from tests.conftest import HANDLER, LEADER, MEMBER, NEAR, OTHER_WORKER, STRANGER, WORKER, Client, Person, TestClock
from tests.web.town import MARKUP

pytestmark = pytest.mark.anyio

PAGE = {"Accept": "text/html"}


async def board(client: Client, who: Person, query: str = "") -> str:
    answer = await client.get(f"/desk/{query}", headers=who.headers | PAGE, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    return answer.text


async def report(client: Client, **changes: object) -> str:
    answer = await doors.file(client, MEMBER, drafts.visit(issues=[drafts.issue(**changes)]))
    return str(answer["issues"][0]["id"])


@pytest.mark.parametrize(
    ("query", "field"),
    [("?state=open", "state"), ("?colour=red", "colour"), ("?as_of=yesterday", "as_of"), ("?owner=1", "owner")],
)
async def test_a_wrong_filter_is_named_on_a_page(shared: Client, query: str, field: str) -> None:
    answer = await shared.get(f"/desk/{query}", headers=WORKER.headers | PAGE)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"].startswith("text/html")
    assert field in answer.text


async def test_a_value_of_another_district_shows_nothing_and_tells_nothing(client: Client) -> None:
    issue = await report(client)
    stranger = uuid4()
    for query in ("?community=110101001001", "?department=housing", f"?owner={stranger}", f"?organisation={stranger}"):
        page = await board(client, LEADER, query)
        assert "没有符合条件的问题" in page
        assert issue not in page


async def test_a_form_with_empty_fields_asks_for_what_was_filled_in(client: Client) -> None:
    issue = await report(client)
    answer = await client.get(f"/desk/?community={NEAR}&text=&state=&as_of=", headers=WORKER.headers | PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/desk?community={NEAR}")
    assert issue in await board(client, WORKER, "?text=&category=")


async def test_an_issue_is_opened_by_its_number_within_reach_alone(client: Client) -> None:
    issue = await report(client, title=MARKUP[0])
    found = await client.get("/desk/issues?number=%2310001", headers=WORKER.headers | PAGE)
    assert found.headers["location"] == f"/desk/issues/{issue}"
    hidden = await client.get("/desk/issues?number=10001", headers=OTHER_WORKER.headers | PAGE)
    assert hidden.headers["location"] == "/desk/?text=10001"
    page = (await client.get(f"/desk/issues/{issue}", headers=WORKER.headers | PAGE)).text
    assert MARKUP[0] not in page
    for who in (OTHER_WORKER, STRANGER):
        answer = await client.get(f"/desk/issues/{issue}", headers=who.headers | PAGE)
        assert (answer.status_code, "onerror" in answer.text) == (404, False)


async def test_what_a_department_only_might_work_on_waits_for_nobody_else(client: Client) -> None:
    issue = await report(client)
    assert issue not in await board(client, WORKER, "?waiting=yes")
    await doors.move(client, WORKER, issue, drafts.move("accept", 1))
    assert issue not in await board(client, WORKER, "?waiting=yes")
    await doors.move(client, WORKER, issue, drafts.move("assign", 2, to="city_management"))
    assert issue in await board(client, WORKER, "?waiting=yes")
    assert issue in await board(client, HANDLER)


async def test_working_time_that_is_left_stands_on_the_board(client: Client, clock: TestClock) -> None:
    await report(client)
    assert "还剩 3 天" in await board(client, WORKER)
    clock.forward(days=3, hours=2, minutes=5)
    assert "已超 2 小时 5 分钟" in await board(client, WORKER)
    assert "late by 2 h 5 min" in await board(client, WORKER, "?lang=en")


async def test_a_move_that_is_refused_says_why_and_which_field(client: Client) -> None:
    issue = await report(client)
    asked = {"id": str(uuid4()), "move": "reject", "expected_version": "1", "reason": " ", "form": "reject"}
    for changes, status, field in (
        ({}, 422, "reason"),
        ({"reason": "x" * 5_001}, 422, "reason"),
        ({"move": "explode"}, 422, "move"),
        ({"expected_version": "first"}, 422, "expected_version"),
        ({"reason": "a\x00b"}, 422, "reason"),
        ({"move": "pause", "until": "soon"}, 422, "until"),
    ):
        answer = await client.post(f"/desk/issues/{issue}/moves", data=asked | changes, headers=WORKER.headers)
        assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text
    stale = await client.post(
        f"/desk/issues/{issue}/moves", data=asked | {"expected_version": "9", "reason": "重复"}, headers=WORKER.headers
    )
    assert stale.status_code == 409
    assert "您填写的内容还在" in stale.text

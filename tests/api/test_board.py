"""The public board: made once and handed to everybody, with no name that nobody agreed to, and nothing of residents."""

import asyncio
import gzip
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from api.volunteering import board_content
from surveys.history import Actor
from surveys.volunteering import volunteer_changes
from surveys.volunteering.volunteer_changes import Consent
from tests import rating_rounds
from tests.api import test_commitments
from tests.conftest import (
    ADMINISTRATOR,
    DISTRICT,
    EVERYBODY,
    LEADER,
    MEMBER,
    ORGANISATION,
    ORGANISER,
    Client,
    TestClock,
    found_district,
)
from tests.rating_rounds import DATES, DAY, OPENS
from tests.stories.test_points import Month, month, publish, publish_rules
from tests.surveys import deeds_at_hand

pytestmark = pytest.mark.anyio
__all__ = ["month"]

PAGE = {"accept": "text/html"}


async def published(client: Client, clock: TestClock) -> None:
    assert (await publish_rules(client)).status_code == 201
    assert (await publish(client, clock)).status_code == 201


async def board(client: Client, **asked: Any) -> Any:
    answer = await client.get("/api/board", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def names(shown: Any) -> list[tuple[int, str, str]]:
    return [(one["place"], one["name"], one["points"]) for one in shown["points"]["items"]]


async def take_back(conn: asyncpg.Connection, volunteer: UUID, clock: TestClock) -> None:
    taken_back, by = Consent(id=uuid4(), name_public=False), Actor("member", str(MEMBER.id))
    await volunteer_changes.consent(conn, DISTRICT, volunteer, taken_back, by, clock())


async def test_a_board_with_nothing_on_it_says_so(client: Client) -> None:
    assert await board(client) == {
        "district": str(DISTRICT), "name": "二七区", "months": [], "points": None, "models": [], "commitments": [],
        "stars": [], "services": [],
    }  # fmt: skip
    page = await client.get("/board", headers=PAGE)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "还没有公示过积分" in page.text
    assert (await client.get("/board", params={"month": "2026-10"}, headers=PAGE)).status_code == 404


async def test_a_commitment_is_due_on_the_day_that_was_promised(client: Client) -> None:
    await test_commitments.standing(client, due_on="2026-12-20")
    page = (await client.get("/board", headers=PAGE)).text
    assert "2026年12月20日前" in page
    assert "践诺中" in page


async def test_whoever_did_not_agree_is_a_number(client: Client, clock: TestClock, month: Month) -> None:
    await published(client, clock)
    shown = await board(client)
    assert names(shown) == [(1, MEMBER.name, "7.08"), (2, "V000002", "6")]
    page = (await client.get("/board", headers=PAGE)).text
    assert MEMBER.name in page
    assert LEADER.name not in page
    assert (await client.get("/board?lang=en", headers=PAGE)).text.count("Points of October 2026") == 1


async def test_a_name_that_is_taken_back_is_gone_within_seconds(
    client: Client, clock: TestClock, conn: asyncpg.Connection, month: Month
) -> None:
    await published(client, clock)
    assert names(await board(client))[0][1] == MEMBER.name
    await take_back(conn, month.named, clock)
    clock.forward(seconds=3)
    assert names(await board(client))[0][1] == "V000001"
    assert MEMBER.name not in (await client.get("/board", headers=PAGE)).text


async def test_both_versions_of_a_month_can_be_read(
    client: Client, clock: TestClock, conn: asyncpg.Connection, month: Month
) -> None:
    await published(client, clock)
    clock.forward(days=1)
    await deeds_at_hand.correct(conn, month.second_entry, clock())
    assert (await publish(client, clock, reason="时长有误")).status_code == 201
    assert names(await board(client)) == [(1, MEMBER.name, "7.08")]
    first = await board(client, month="2026-10", version=1)
    assert (names(first)[1][1], first["points"]["versions"], first["points"]["reason"]) == ("V000002", 2, None)
    page = (await client.get("/board", headers=PAGE)).text
    assert "时长有误" in page
    assert "version=1" in page


async def test_it_is_made_once_and_others_get_what_is_kept(
    client: Client, clock: TestClock, month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    await published(client, clock)
    made = []
    of_district = board_content.of_district

    async def counting(*asked: Any) -> Any:
        made.append(asked)
        return await of_district(*asked)

    monkeypatch.setattr(board_content, "of_district", counting)
    answers = await asyncio.gather(*(client.get("/board", headers=PAGE) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == len(made) == 1
    clock.forward(seconds=3)
    await asyncio.gather(*(client.get("/board", headers=PAGE) for _ in range(20)))
    assert len(made) == 2
    first = answers[0].headers
    assert (first["cache-control"], "Accept-Language" in first["vary"]) == ("public, max-age=3", True)
    again = await client.get("/board", headers=PAGE | {"if-none-match": first["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first["etag"])


async def test_while_the_database_is_away_what_is_kept_is_shown_for_half_a_minute(
    client: Client, clock: TestClock, month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    await published(client, clock)
    before = await client.get("/board", headers=PAGE)

    async def away(*_: Any) -> Any:
        raise ConnectionRefusedError

    monkeypatch.setattr(board_content, "of_district", away)
    clock.forward(seconds=29)
    assert (await client.get("/board", headers=PAGE)).text == before.text
    clock.forward(seconds=1)
    assert (await client.get("/board", headers=PAGE)).status_code == 503


async def test_it_is_compressed_once_for_those_who_take_it(client: Client, clock: TestClock, month: Month) -> None:
    await published(client, clock)
    plain = await client.get("/board", headers=PAGE | {"accept-encoding": "identity"})
    async with client.stream("GET", "/board", headers=PAGE | {"accept-encoding": "gzip"}) as zipped:
        raw = b"".join([part async for part in zipped.aiter_raw()])
    assert zipped.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content
    assert "content-encoding" not in plain.headers


async def test_of_several_districts_one_is_chosen(client: Client, conn: asyncpg.Connection) -> None:
    await found_district(conn, 110101)
    choice = (await client.get("/board", headers=PAGE)).text
    assert "/board?district=110101" in choice
    asked = await client.get("/api/board")
    assert (asked.status_code, asked.json()["code"], asked.json()["field"]) == (422, "missing", "district")
    assert (await board(client, district="110101"))["district"] == "110101"
    unknown = await client.get("/api/board", params={"district": "999999"})
    assert (unknown.status_code, unknown.json()["field"]) == (404, "district")


@pytest.mark.parametrize(
    "asked", [{"month": "2026-13"}, {"month": "x" * 5_000}, {"page": "0"}, {"page": "²"}, {"version": "-1"}]
)
async def test_a_board_that_cannot_be_is_refused_by_its_field(client: Client, asked: dict[str, str]) -> None:
    answer = await client.get("/api/board", params=asked)
    assert (answer.status_code, answer.json()["field"]) == (422, next(iter(asked)))


async def test_what_people_write_is_text_on_it(client: Client, clock: TestClock, conn: asyncpg.Connection) -> None:
    hostile = "<img src=x onerror=alert(1)> ${7*7} {{7*7}}"
    await october_models(client, conn, hostile)
    page = (await client.get("/board", headers=PAGE)).text
    assert "&lt;img src=x onerror=alert(1)&gt; ${7*7} {{7*7}}" in page
    assert "<img" not in page
    assert (await board(client))["models"][0]["text"] == hostile


async def october_models(client: Client, conn: asyncpg.Connection, text: str) -> None:
    team = await deeds_at_hand.team(conn)
    draft = {"id": str(uuid4()), "month": "2026-11", "subject": "team", "who": str(team), "text": text}
    made = await client.post("/api/models", json=draft, headers=ORGANISER.headers)
    decision = {"id": str(uuid4()), "decision": "approve", "expected_version": 1}
    path = f"/api/models/{made.json()['id']}/decisions"
    decided = await client.post(path, json=decision, headers=ADMINISTRATOR.headers)
    assert decided.status_code == 200, decided.text


async def stars_of(client: Client, conn: asyncpg.Connection, dsn: str, clock: TestClock, **said: Any) -> str:
    """A round of organisations in which the two leaders rated, until its decisions are over."""
    await rating_rounds.publish(conn, rating_rounds.scorecard("organisation"))
    clock.now = OPENS - DAY
    round_: str = (await rating_rounds.make(client, **said))["id"]
    clock.now = OPENS
    await rating_rounds.turn(conn, dsn, clock)
    for row in await conn.fetch(
        "select subject, rater from round_rater where round = $1 and rater_group = 'leaders'", UUID(round_)
    ):
        who = next(one for one in EVERYBODY if one.id == row["rater"])
        points = {"A2": 30, "B1": 30, "C1": 20} if row["subject"] == ORGANISATION else {"A2": 24, "B1": 20, "C1": 12}
        await rating_rounds.rate(client, who, round_, row["subject"], "leaders", points, evidence={"B1": "有记录"})
    clock.now = DATES["first_at"]
    await rating_rounds.turn(conn, dsn, clock)
    return round_


async def over(client: Client, conn: asyncpg.Connection, dsn: str, clock: TestClock, round_: str) -> None:
    clock.now = DATES["decisions_until"]
    await rating_rounds.turn(conn, dsn, clock)
    here = await client.get(f"/api/assessments/rounds/{round_}", headers=ADMINISTRATOR.headers)
    await rating_rounds.say(client, ADMINISTRATOR, round_, "publish", expected_version=here.json()["version"])
    clock.forward(seconds=3)


async def test_stars_stand_there_once_they_are_published_and_as_they_were_decided(
    client: Client, conn: asyncpg.Connection, dsn: str, clock: TestClock
) -> None:
    round_ = await stars_of(client, conn, dsn, clock, stars_public=True)
    path = f"/api/assessments/rounds/{round_}/results"
    worked_out = (await client.get(path, headers=ADMINISTRATOR.headers)).json()["items"]
    first = next(one for one in worked_out if one["stars"])
    assert (await board(client))["stars"] == [], "it is not decided yet"
    decided = f"results/{first['subject']}/decisions"
    await rating_rounds.say(client, ADMINISTRATOR, round_, decided, status=201, stars=1, reason="不应公开的理由")
    await over(client, conn, dsn, clock, round_)
    (shown,) = (await board(client))["stars"]
    final = (await client.get(path, headers=ADMINISTRATOR.headers)).json()["items"]
    with_stars = [one for one in final if one["stars"]]
    assert (shown["kind"], shown["period"], shown["starred"]) == ("organisation", "2026-Q3", len(with_stars))
    assert {(one["name"], one["stars"], one["percent"]) for one in shown["items"]} == {
        (one["name"], one["stars"], one["percent"]) for one in with_stars
    }
    assert shown["items"][-1]["stars"] == 1, "as it was decided, and the most first"
    page = (await client.get("/board", headers=PAGE)).text
    assert "党组织星级" in page
    assert "2026年第三季度" in page
    assert f"{shown['items'][0]['percent']:.2f}" in page
    assert "不应公开的理由" not in page
    assert not {one.name for one in EVERYBODY if one.name in page}, "nobody is named"
    assert "Q3" not in page
    assert "3rd quarter 2026" in (await client.get("/board?lang=en", headers=PAGE)).text


async def test_stars_that_are_not_public_and_those_of_members_stay_inside(
    client: Client, conn: asyncpg.Connection, dsn: str, clock: TestClock
) -> None:
    await over(client, conn, dsn, clock, await stars_of(client, conn, dsn, clock))
    assert (await board(client))["stars"] == []
    await rating_rounds.publish(conn, rating_rounds.scorecard(id_="members"))
    clock.now = OPENS - DAY
    of_members = await rating_rounds.make(client, stars_public=True, instrument="members")
    for moment in OPENS, DATES["first_at"]:
        clock.now = moment
        await rating_rounds.turn(conn, dsn, clock)
    await over(client, conn, dsn, clock, of_members["id"])
    assert (await board(client))["stars"] == []
    assert "星级" not in (await client.get("/board", headers=PAGE)).text

"""An hour is earned in March, spent by a mother-in-law in May, and corrected in June; every month is told as it was
known then, and as it is known now."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import python_calamine as calamine
from msgspec import Struct

from api.settings import Settings
from surveys.volunteering import time_bank, time_sums
from tests.conftest import ADMINISTRATOR, DISTRICT, MEMBER, STRANGER, WORKER, Client, Person, TestClock, serving
from tests.time_banking import DESK, balance, correction, served, sound
from tests.volunteers import serving_one, team_of

pytestmark = pytest.mark.anyio

BANK = "/api/volunteering/time"
OWN = "/volunteering/me/time"
MARCH, MAY, JUNE, JULY = (datetime(2026, month, 10, 1, 0, tzinfo=UTC) for month in (3, 5, 6, 7))


class Cast(Struct):
    """Who earned it, who helps, their team, and the mother-in-law."""

    earner: UUID
    helper: UUID
    team: UUID
    relative: str


def new_id() -> str:
    return str(uuid4())


async def send(client: Client, who: Person, path: str, body: dict[str, Any], status: int) -> Any:
    answer = await client.post(path, json={"id": new_id(), **body}, headers=who.headers)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def statement(client: Client, account: Any, **asked: str) -> dict[str, Any]:
    answer = await client.get(f"{BANK}/accounts/{account}/statement", params=asked, headers=ADMINISTRATOR.headers)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.fixture
async def client(dsn: str, clock: TestClock, tmp_path: Path) -> AsyncIterator[Client]:
    """The program with a journal of erasures."""
    settings = Settings(database_url=dsn, pool_size=4, keys=tmp_path / "keys.json")
    async with serving(settings, clock) as opened:
        yield opened


@pytest.fixture
async def cast(client: Client, conn: asyncpg.Connection, clock: TestClock) -> Cast:
    """In March an hour and a half is served and confirmed; the mother-in-law is named."""
    clock.now = MARCH + timedelta(days=1)
    earner, helper = await serving_one(conn, MEMBER.id), await serving_one(conn, STRANGER.id)
    team = await team_of(conn, earner, helper)
    one = served(earner, MARCH, 90)
    async with conn.transaction():
        assert [each.status for each in await time_bank.earn(conn, DISTRICT, [one], DESK, clock.now)] == ["booked"]
    named = await send(client, MEMBER, f"{OWN}/relatives", {"relation": "parent_in_law", "name": "=李桂芳"}, 201)
    return Cast(earner, helper, team, named["id"])


async def spend(client: Client, clock: TestClock, cast: Cast) -> None:
    """In May the hour is passed on, and spent by the mother-in-law."""
    clock.now = MAY
    passing = {"minutes": 60, "from_account": str(cast.earner), "to_account": cast.relative}
    await send(client, MEMBER, f"{OWN}/passing-on", passing, 201)
    asked = {
        "account": cast.relative,
        "what": "擦窗",
        "wanted_at": (MAY + timedelta(hours=5)).isoformat(),
        "minutes": 60,
    }
    help_ = await send(client, MEMBER, f"{OWN}/help", asked, 201)
    await send(client, MEMBER, f"{OWN}/help", asked, 409)  # the minutes are set aside
    taking = {"expected_version": 1, "team": str(cast.team)}
    await send(client, STRANGER, f"{OWN}/help/{help_['id']}/taking", taking, 200)
    clock.forward(hours=8)
    times = {"started_at": (MAY + timedelta(hours=5)).isoformat(), "ended_at": (MAY + timedelta(hours=6)).isoformat()}
    said = await send(client, STRANGER, f"{OWN}/help/{help_['id']}/saying", {"expected_version": 2, **times}, 200)
    assert said["state"] == "taken"
    said = await send(client, MEMBER, f"{OWN}/help/{help_['id']}/saying", {"expected_version": 3, **times}, 200)
    assert said["state"] == "booked"


async def test_an_hour_earned_spent_and_corrected(
    client: Client, conn: asyncpg.Connection, clock: TestClock, cast: Cast
) -> None:
    await spend(client, clock, cast)
    clock.now = JUNE
    (line,) = [one for one in (await statement(client, cast.earner))["items"] if one["kind"] == "earn"]
    wrong = {"minutes": 30, "reason": "=只来了半小时"}
    path = f"{BANK}/transactions/{line['transaction']}/correction"
    await send(client, MEMBER, path, wrong, 403)  # who earned it
    await send(client, WORKER, path, wrong, 403)  # who looks after neither
    made = await send(client, ADMINISTRATOR, path, wrong, 201)
    assert (made["minutes"], made["carried"]) == (60, 30)  # thirty minutes were left; the others are spent
    await send(client, ADMINISTRATOR, path, wrong, 409)
    clock.now = JULY
    assert (await balance(conn, cast.earner), await balance(conn, UUID(cast.relative))) == (0, 0)
    assert await balance(conn, cast.helper) == 60
    assert (await sound(conn)).carried == 30
    # as of each month, as known then and as known now
    ends = {"03-31": (90, 60), "05-31": (30, 0), "06-30": (0, 0)}
    for day, (then, now) in ends.items():
        known = f"2026-{day}T23:59:59+08:00"
        as_of = f"2026-{day}"
        assert (await statement(client, cast.earner, as_of=as_of, known_at=known))["balance"] == then, day
        assert (await statement(client, cast.earner, as_of=as_of))["balance"] == now, day
    quarter = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
    for known_at, minutes in ((MAY, 90), (JULY, 30)):
        assert await time_sums.served_minutes(conn, DISTRICT, *quarter, known_at) == {cast.earner: minutes}


async def test_a_statement_is_paged_and_taken_along(client: Client, clock: TestClock, cast: Cast) -> None:
    await spend(client, clock, cast)
    whole = await statement(client, cast.earner)
    assert [(one["minutes"], one["balance"]) for one in whole["items"]] == [(-60, 30), (90, 90)]
    first = await statement(client, cast.earner, limit="1")
    second = await statement(client, cast.earner, limit="1", cursor=first["next"])
    assert [*first["items"], *second["items"]] == whole["items"]
    assert (second["next"], second["total"]) == (None, 2)
    path = f"{BANK}/accounts/{cast.earner}/statement"
    answer = await client.get(f"{path}.csv", headers=MEMBER.headers)
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert [(row["分钟"], row["余额（分钟）"]) for row in rows] == [("90", "90"), ("-60", "30")]
    assert rows[1]["对方"] == "'=李桂芳"  # a spreadsheet that opens it reckons nothing
    answer = await client.get(f"{path}.xlsx", headers=MEMBER.headers)
    sheet = calamine.CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).get_sheet_by_index(0).to_python()
    assert [row[3:5] for row in sheet[1:]] == [[90, 90], [-60, 30]]
    own = await client.get(f"{OWN}/{cast.earner}/statement.csv", headers=MEMBER.headers)
    assert own.content.decode("utf-8-sig").splitlines()[0].startswith("发生时间")
    assert (await client.get(f"{path}.csv", headers=STRANGER.headers)).status_code == 404


async def test_what_cannot_be_is_refused_by_name(client: Client, clock: TestClock, cast: Cast) -> None:
    other = str(cast.helper)
    passing = {"minutes": 10, "from_account": str(cast.earner), "to_account": cast.relative}
    wanted_at = (clock.now + timedelta(days=1)).isoformat()
    asking = {"account": str(cast.earner), "what": "买菜", "wanted_at": wanted_at, "minutes": 10}
    for path, body, status, field in (
        ("passing-on", {**passing, "minutes": 0}, 422, "minutes"),
        ("passing-on", {**passing, "minutes": 1.5}, 422, "minutes"),
        ("passing-on", {**passing, "from_account": other}, 422, "from_account"),
        ("passing-on", {**passing, "to_account": other}, 422, "to_account"),
        ("passing-on", {**passing, "minutes": 91}, 409, None),
        ("passing-on", {**passing, "spent": True}, 422, "spent"),
        ("help", {**asking, "account": other}, 404, "account"),
        ("help", {**asking, "minutes": 841}, 422, "minutes"),
        ("help", {**asking, "what": " "}, 422, "what"),
        ("help", {**asking, "what": "好" * 501}, 422, "what"),
        ("help", {**asking, "wanted_at": "2020-01-01T00:00:00Z"}, 422, "wanted_at"),
        ("help", {**asking, "community": "nowhere"}, 422, "community"),
        ("relatives", {"relation": "friend", "name": "王"}, 422, "relation"),
        ("relatives", {"relation": "child", "name": "\u0000"}, 422, "name"),
        ("relatives", {"relation": "child", "name": "王", "card": "EQ-000000-X"}, 422, "card"),
    ):
        answer = await client.post(f"{OWN}/{path}", json={"id": new_id(), **body}, headers=MEMBER.headers)
        assert (answer.status_code, answer.json().get("field")) == (status, field), (body, answer.text)
    assert (await statement(client, cast.earner))["balance"] == 90


async def test_the_desk_asks_for_somebody_whom_it_finds_by_name_or_number(
    client: Client, conn: asyncpg.Connection, clock: TestClock, cast: Cast
) -> None:
    number = await conn.fetchval("select number from volunteer where id = $1", cast.earner)
    for text, found in ((MEMBER.name, 2), (number[1:], 2), ("李桂芳", 1), ("%", 0), ("没有的人", 0)):
        answer = await client.get(f"{BANK}/accounts", params={"text": text}, headers=ADMINISTRATOR.headers)
        assert answer.json()["total"] == found, text
        assert (await client.get(f"{BANK}/accounts?text={text}", headers=WORKER.headers)).json()["total"] == 0
    wanted_at = (clock.now + timedelta(days=1)).isoformat()
    asked = {"account": str(cast.earner), "what": "买菜", "wanted_at": wanted_at, "minutes": 60}
    made = await send(client, ADMINISTRATOR, f"{BANK}/help", asked, 201)
    for changed, status, field in (
        ({"minutes": 31}, 409, "minutes"),  # sixty of ninety are set aside
        ({"what": " "}, 422, "what"),
        ({"wanted_at": "2020-01-01T00:00:00Z"}, 422, "wanted_at"),
        ({"community": "nowhere"}, 422, "community"),
    ):
        body = {"id": new_id(), **asked, "minutes": 20, **changed}
        answer = await client.post(f"{BANK}/help", json=body, headers=ADMINISTRATOR.headers)
        assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text
    await send(client, WORKER, f"{BANK}/help", asked, 404)  # who looks after nobody of them
    leaving = {"expected_version": 1, "reason": "不需要了"}
    await send(client, ADMINISTRATOR, f"{BANK}/help/{made['id']}/cancellation", leaving, 200)
    await send(client, ADMINISTRATOR, f"{BANK}/help", {**asked, "minutes": 90}, 201)


async def test_a_relative_is_forgotten_and_their_minutes_come_home(
    client: Client, conn: asyncpg.Connection, clock: TestClock, cast: Cast
) -> None:
    passing = {"minutes": 60, "from_account": str(cast.earner), "to_account": cast.relative}
    await send(client, MEMBER, f"{OWN}/passing-on", passing, 201)
    wanted_at = (clock.now + timedelta(days=1)).isoformat()
    await send(
        client,
        MEMBER,
        f"{OWN}/help",
        {"account": cast.relative, "what": "买菜", "wanted_at": wanted_at, "minutes": 20},
        201,
    )
    await send(client, STRANGER, f"{OWN}/relatives/{cast.relative}/forgetting", {}, 404)
    await send(client, MEMBER, f"{OWN}/relatives/{cast.relative}/forgetting", {}, 204)
    assert await balance(conn, cast.earner) == 90
    assert await conn.fetchval("select count(*) from text_version where body::text like '%李桂芳%'") == 0
    assert await conn.fetchval("select state from help_request") == "cancelled"
    await sound(conn)


async def test_what_was_corrected_is_known_by_its_correction(client: Client, clock: TestClock, cast: Cast) -> None:
    (line,) = (await statement(client, cast.earner))["items"]
    clock.forward(minutes=1)
    draft = correction(10)
    body = {"id": str(draft.id), "minutes": 10, "reason": draft.reason}
    await send(client, ADMINISTRATOR, f"{BANK}/transactions/{line['transaction']}/correction", body, 201)
    lines = (await statement(client, cast.earner))["items"]
    assert [(one["kind"], one["reason"], one["corrected_by"]) for one in lines] == [
        ("correct", "记错了", None),
        ("earn", None, str(draft.id)),
    ]

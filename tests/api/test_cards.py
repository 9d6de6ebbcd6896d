"""Contact cards: left at a door by a visit, looked after by the organisation that gives them out, revoked when lost."""

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from surveys.contact_cards import card_numbers, card_terms
from tests import cards, doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    BELOW,
    BESIDE,
    DISTRICT,
    MEMBER,
    ORGANISATION,
    ORGANISER,
    ORGANISER_BESIDE,
    STRANGER,
    WORKER,
    Client,
    Person,
)
from tests.doors import file, refused

pytestmark = pytest.mark.anyio

DOOR = {"id": str(uuid4()), "kind": "shop", "name": "老王面馆", "address": "淮河路 1 号"}


def at_a_door(card: str, **changes: Any) -> drafts.Draft:
    """A visit that leaves a card at a door of its own, unless it is told which."""
    return drafts.visit(contact_card=card, premises=DOOR | {"id": str(uuid4())}) | changes


async def revoke(
    client: Client, who: Person, number: str, asked: drafts.Draft | None = None, *, status: int = 200
) -> doors.Answer:
    asked = asked or {"id": str(uuid4()), "reason": "丢失"}
    return doors.answered(await client.post(f"/api/cards/{number}/revoke", json=asked, headers=who.headers), status)


async def flags(client: Client, who: Person, draft: drafts.Draft) -> list[str]:
    found: list[str] = (await file(client, who, draft))["flags"]
    return found


# --- at the door


async def test_a_card_stays_with_its_first_door_and_the_same_door_again_is_in_order(
    client: Client, conn: asyncpg.Connection
) -> None:
    [card] = await cards.make(conn)
    first = await file(client, MEMBER, at_a_door(card.number, premises=DOOR))
    assert first["flags"] == []
    assert await flags(client, STRANGER, at_a_door(card.number, premises=DOOR)) == [], "back at the same door"
    assert await flags(client, STRANGER, at_a_door(card.number)) == ["card_already_bound"]
    nameless = {"kind": "shop", "name": "老王面馆", "address": "淮河路 1 号"}
    assert await flags(client, STRANGER, at_a_door(card.number, premises=nameless)) == ["card_already_bound"]
    bound = await conn.fetch("select card, visit::text from card_binding")
    assert [tuple(row) for row in bound] == [(card.number, first["id"])]


async def test_a_card_that_is_none_of_ours_or_is_lost_is_filed_and_flagged(
    client: Client, conn: asyncpg.Connection
) -> None:
    [card] = await cards.make(conn)
    await revoke(client, ORGANISER, card.number)
    assert await flags(client, MEMBER, at_a_door(card.number)) == ["card_revoked"]
    for unknown in ("EQ-7-7", "<img onerror=alert(1)>", "=cmd()", "EQ-999999-0"):
        assert await flags(client, MEMBER, at_a_door(unknown)) == ["card_unknown"]
    assert await conn.fetchval("select count(*) from card_binding") == 0, "and nobody takes a number that is yet to be"


async def test_a_number_is_known_however_it_was_typed(client: Client, conn: asyncpg.Connection) -> None:
    [card] = await cards.make(conn)
    typed = card.number.lower().replace("-", " ").replace("0", "o", 1)
    receipt = await file(client, MEMBER, at_a_door(typed))
    assert receipt["flags"] == []
    assert await conn.fetchval("select contact_card from visit") == card.number


@pytest.mark.parametrize("same_door", [True, False])
async def test_one_card_twice_in_one_backlog(client: Client, conn: asyncpg.Connection, same_door: bool) -> None:
    [card] = await cards.make(conn)
    changes = {"premises": DOOR} if same_door else {}
    results = await doors.file_all(client, MEMBER, [at_a_door(card.number, **changes) for _ in range(3)])
    told = sorted(result["receipt"]["flags"] for result in results)
    assert told == ([[]] * 3 if same_door else [[], ["card_already_bound"], ["card_already_bound"]])
    assert await conn.fetchval("select count(*) from card_binding") == 1


async def test_one_card_at_many_doors_at_once_is_left_at_one(client: Client, conn: asyncpg.Connection) -> None:
    [card] = await cards.make(conn)
    told = await asyncio.gather(*[flags(client, MEMBER, at_a_door(card.number)) for _ in range(12)])
    assert sorted(told) == [[], *[["card_already_bound"]] * 11]


async def test_a_card_of_a_visit_that_was_taken_back_can_be_left_again(
    client: Client, conn: asyncpg.Connection
) -> None:
    [card] = await cards.make(conn)
    wrong = await file(client, MEMBER, at_a_door(card.number))
    await doors.correct(client, MEMBER, wrong["id"], drafts.correction(1, withdraw=True))
    right = at_a_door(card.number)
    assert await flags(client, MEMBER, right) == []
    assert await flags(client, MEMBER, at_a_door(card.number)) == ["card_already_bound"]
    newest = await conn.fetchval("select visit::text from card_binding order by round desc limit 1")
    assert newest == right["id"]


# --- looked after


async def listed(client: Client, who: Person, **params: Any) -> list[str]:
    return [item["number"] for item in await doors.every_page(client, who, "/api/cards", limit=2, **params)]


async def test_cards_are_listed_by_who_looks_after_their_organisation(client: Client, conn: asyncpg.Connection) -> None:
    ours = [card.number for card in await cards.make(conn, 3)]
    below = [card.number for card in await cards.make(conn, 2, organisation=BELOW, service_name="第一小组")]
    beside = [card.number for card in await cards.make(conn, 1, organisation=BESIDE, service_name="第二支部")]
    assert await listed(client, ADMINISTRATOR) == [*ours, *below, *beside]
    assert await listed(client, ORGANISER) == [*ours, *below]
    assert await listed(client, ORGANISER_BESIDE) == beside
    assert await listed(client, ADMINISTRATOR, organisation=str(ORGANISATION)) == [*ours, *below]
    assert await listed(client, ADMINISTRATOR, text="小组") == below
    assert await listed(client, ADMINISTRATOR, text=ours[1].replace("-", "")) == [ours[1]]
    assert await listed(client, ORGANISER, text="%") == []
    await file(client, MEMBER, at_a_door(ours[0]))
    await revoke(client, ORGANISER, below[0])
    assert await listed(client, ORGANISER, state="bound") == [ours[0]]
    assert await listed(client, ORGANISER, state=["revoked", "free"]) == [ours[1], ours[2], *below]
    page = await doors.read(client, ORGANISER, "/api/cards")
    assert page["total"] == 5
    assert (page["items"][0]["state"], page["items"][0]["bound_at"]) == ("bound", "2026-11-23T04:00:00Z")


async def test_a_lost_card_is_revoked_once_with_its_reason(client: Client, conn: asyncpg.Connection) -> None:
    [card] = await cards.make(conn)
    asked = {"id": str(uuid4()), "reason": "<img onerror=alert(1)>"}
    first = await revoke(client, ORGANISER, card.number, asked)
    again = await revoke(client, ORGANISER, card.number.lower().replace("-", ""), asked)
    assert first == again
    other = await revoke(client, ORGANISER, card.number, status=409)
    assert (other["code"], other["field"]) == ("card_revoked", "number")
    events = await conn.fetch("select event, actor, facts from history where kind = 'card' order by version")
    assert [row["event"] for row in events] == ["make", "revoke"]
    assert events[1]["actor"] == str(ORGANISER.id)
    assert "onerror" not in str([dict(row) for row in events]), "a reason is a text, and stands beside the history"


async def test_nobody_revokes_what_they_do_not_look_after(client: Client, conn: asyncpg.Connection) -> None:
    [card] = await cards.make(conn, organisation=BESIDE)
    await revoke(client, ORGANISER, card.number, status=404)
    await revoke(client, WORKER, card.number, status=403)
    assert await conn.fetchval("select revoked_at from contact_card") is None


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("EQ-000001-0", "card_number_mistyped"),
        ("EQ-000010-X", "card_number_mistyped"),
        ("EQ-1", "no_card_number"),
        ("%E4%B8%80-000001-X", "no_card_number"),
        ("EQ%00000001X", "card_number_mistyped"),
        ("A" * 5_000, "no_card_number"),
    ],
)
async def test_a_mistyped_number_is_told_as_such(shared: Client, number: str, code: str) -> None:
    answer = await shared.post(
        f"/api/cards/{number}/revoke", json={"id": str(uuid4()), "reason": "丢失"}, headers=ORGANISER.headers
    )
    refused(answer, 422, code, "number")


def test_a_check_character_shows_every_wrong_character_and_every_swap() -> None:
    number = card_numbers.numbered("EQ", 123)
    assert number == "EQ-000123-5"
    plain = number.replace("-", "")
    for at, character in enumerate(plain):
        for other in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ":
            typed = plain[:at] + other + plain[at + 1 :]
            if other != character and not (other in "OIL" and at >= 2):
                assert card_numbers.as_printed(typed) == typed, typed
    swapped = plain[:4] + plain[5] + plain[4] + plain[6:]
    assert (swapped == plain) or card_numbers.as_printed(swapped) == swapped
    for written in ("eq 000123 5", "ＥＱ—０００１２３－５", "EQ–000123–5", " EQoool235 "):
        assert card_numbers.as_printed(written) == number, written


# --- what they say


async def test_the_administrator_says_what_cards_say_and_an_organiser_gives_their_hotline(
    client: Client, conn: asyncpg.Connection
) -> None:
    terms = {"series": "eq", "promise": "有事找我们。\n\n一定办好。", "hotline": "0371-12345678"}
    said = doors.answered(await client.post("/api/cards/terms", json=terms, headers=ADMINISTRATOR.headers), 200)
    assert said == {"series": "EQ", "promise": "有事找我们。\n一定办好。", "hotline": "0371-12345678"}
    own = {"organisation": str(ORGANISATION), "hotline": "0371-87654321"}
    doors.answered(await client.post("/api/cards/hotline", json=own, headers=ORGANISER.headers), 200)
    assert await card_terms.hotline(conn, DISTRICT, BELOW) == "0371-87654321", "that of the nearest above"
    assert await card_terms.hotline(conn, DISTRICT, BESIDE) == "0371-12345678", "that of the district"
    refused(await client.post("/api/cards/hotline", json=own, headers=ORGANISER_BESIDE.headers), 422,
            "unknown_organisation", "organisation")  # fmt: skip
    refused(await client.post("/api/cards/terms", json=terms, headers=ORGANISER.headers), 403, "not_allowed")
    told = await conn.fetch("select facts from history where kind = 'card'")
    assert "一定办好" not in str([dict(row) for row in told])


@pytest.mark.parametrize(
    ("terms", "code", "field"),
    [
        ({"series": "E1"}, "series_unusable", "series"),
        ({"series": "ABCDE"}, "series_unusable", "series"),
        ({"hotline": "打我"}, "phone_unusable", "hotline"),
        ({"promise": "长" * 41}, "text_too_long", "promise"),
        ({"promise": "好\n" * 7}, "text_too_long", "promise"),
        ({"promise": "好\u202e"}, "text_unusable", "promise"),
        ({"letters": "EQ"}, "unknown_field", "letters"),
    ],
)
async def test_what_no_card_can_say_is_refused(shared: Client, terms: Any, code: str, field: str) -> None:
    refused(await shared.post("/api/cards/terms", json=terms, headers=ADMINISTRATOR.headers), 422, code, field)

"""Services over HTTP: a life from announcement to what people said of it, and whatever can go wrong on the way."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from surveys.contact_cards.contact_cards import NewCard
from surveys.people import people
from surveys.reports import report_periods, report_sources
from surveys.reports.reports import Count, Scope, ServiceCounts
from surveys.volunteering import service_return_visits
from tests import cards, photographs, services_at_hand
from tests.api.test_resident_page import scan, seen
from tests.conftest import (
    ADMINISTRATOR,
    DISTRICT,
    MEMBER,
    NEAR,
    NEXT,
    NOW,
    OTHER_WORKER,
    STRANGER,
    WORKER,
    Client,
    Person,
    TestClock,
)
from tests.doors import read, refused
from tests.services_at_hand import LEADING, LEADS, OUTSIDER, SERVES, SERVING, TEAM, announcement, report

pytestmark = pytest.mark.anyio

SERVICES = "/api/volunteering/services"
BEGINS = NOW + timedelta(days=1)
Answer = dict[str, Any]


async def ask(client: Client, who: Person, path: str, body: object, *, status: int = 200) -> Answer:
    answer = await client.post(f"/api/volunteering/{path}", json=body, headers=who.headers)
    assert answer.status_code == status, answer.text
    found: Answer = answer.json() if answer.content else {}
    return found


async def announce(client: Client, conn: asyncpg.Connection, **changes: Any) -> Answer:
    await services_at_hand.found_team(conn)
    return await ask(client, LEADS, "services", announcement(**changes), status=201)


async def book(client: Client, who: Person, service: str, *, status: int = 201, **draft: Any) -> Answer:
    return await ask(client, who, f"services/{service}/bookings", {"id": str(uuid4()), **draft}, status=status)


def version(answer: Answer) -> Answer:
    return {"id": str(uuid4()), "expected_version": answer["version"]}


async def at_doors(conn: asyncpg.Connection, count: int) -> list[NewCard]:
    """Cards with the tokens that open them, left at doors."""
    made = await cards.make(conn, count)
    await services_at_hand.leave(conn, [card.number for card in made])
    return made


async def by_card(client: Client, card: NewCard, path: str, body: object) -> Any:
    headers = await scan(client, card)
    return await client.post(f"/card/{path}", json=body, headers=headers)


# --- a life


async def test_a_service_is_announced_booked_three_ways_held_reported_confirmed_and_judged(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    service = await announce(client, conn, places=3, volunteers=[str(LEADING), str(SERVING)])
    first, second, third = await at_doors(conn, 3)
    path = f"services/{service['id']}"

    page = await seen_by(client, first)
    assert "教老人用智能手机" in page
    assert "还有 3 个名额" in page
    booking = (await by_card(client, first, f"{path}/bookings", {"id": str(uuid4()), "persons": 2})).json()
    assert (booking["number"], booking["state"]) == (1, "booked")
    assert (await book(client, STRANGER, service["id"], card=second.number))["state"] == "booked"
    desk = await book(client, WORKER, service["id"], via="desk", persons=2)
    assert (desk["number"], desk["state"], desk["ahead"]) == (3, "waiting", 0)
    waiting = await book(client, STRANGER, service["id"], card=third.number)
    assert (waiting["state"], waiting["ahead"]) == ("waiting", 1)
    assert "名额已满" not in await seen_by(client, first)  # they have theirs

    gone = await by_card(client, first, f"bookings/{booking['id']}/cancellation", {})
    assert gone.json()["state"] == "cancelled"
    detail = await read(client, LEADS, f"/api/volunteering/{path}")
    assert [(one["number"], one["state"]) for one in detail["bookings"]] == [
        (1, "cancelled"),
        (2, "booked"),
        (3, "booked"),
        (4, "waiting"),
    ]
    assert {one["name"] for one in detail["volunteers"]} == {MEMBER.name, SERVES.name}

    clock.now = BEGINS + timedelta(hours=3)
    came = [one["id"] for one in detail["bookings"] if one["number"] in (2, 4)]  # who waited came all the same
    photo = photographs.photo(64, 64)
    told = report(came, {LEADING: 2, SERVING: 1.5}, detail["version"], photos=[photographs.promised(photo)])
    reported = await ask(client, SERVES, f"{path}/report", told)
    assert reported["state"] == "reported"
    assert await ask(client, SERVES, f"{path}/report", told) == reported
    sent = f"/api/volunteering/{path}/photos/{photographs.promised(photo)['sha256']}"
    assert (await client.put(sent, content=photo, headers=SERVES.headers)).status_code == 201
    assert (await client.get(sent, headers=LEADS.headers)).status_code == 200
    assert (await client.get(sent, headers=OTHER_WORKER.headers)).status_code == 404
    await ask(client, SERVES, f"{path}/confirmation", version(reported), status=403)
    confirmed = await ask(client, LEADS, f"{path}/confirmation", version(reported))
    assert confirmed["state"] == "confirmed"
    states = {
        one["number"]: one["state"] for one in (await read(client, LEADS, f"/api/volunteering/{path}"))["bookings"]
    }
    assert states == {1: "cancelled", 2: "came", 3: "missed", 4: "came"}
    minutes = await conn.fetch("select volunteer, served from time_transaction where kind = 'earn' order by served")
    assert [tuple(row) for row in minutes] == [(SERVING, 90), (LEADING, 120)]

    page = await seen_by(client, second)
    assert "这次服务是您需要的吗" in page
    mine = next(one["id"] for one in detail["bookings"] if one["card"] == second.number)
    poor = {"id": str(uuid4()), "solved": True, "satisfaction": 2}
    assert (await by_card(client, second, f"bookings/{mine}/answer", poor)).status_code == 422
    fine = {"id": str(uuid4()), "solved": True, "satisfaction": 5}
    assert (await by_card(client, second, f"bookings/{mine}/answer", fine)).status_code == 200
    heard = {"id": str(uuid4()), "via": "call", "solved": False, "satisfaction": 2, "reason": "听不清"}
    theirs = waiting["id"]
    await ask(client, LEADS, f"bookings/{theirs}/answer", heard, status=403)
    await ask(client, STRANGER, f"bookings/{theirs}/answer", heard)
    said = (await read(client, MEMBER, f"/api/volunteering/{path}"))["satisfaction"]
    assert said == {"answers": 2, "solved": 1, "points": 7, "satisfied": 1}
    held = await read(client, STRANGER, SERVICES, stands="held", team=str(TEAM))
    assert [(one["helped"], one["serving"]) for one in held["items"]] == [(12, 2)]


async def seen_by(client: Client, card: NewCard) -> str:
    await scan(client, card)
    return await seen(client)


async def test_what_people_think_later_counts_from_then_on_and_what_was_known_stays(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    service = await announce(client, conn)
    [card] = await at_doors(conn, 1)
    booking = await book(client, STRANGER, service["id"], card=card.number)
    clock.now = BEGINS + timedelta(hours=3)
    path = f"services/{service['id']}"
    reported = await ask(client, LEADS, f"{path}/report", report([booking["id"]], {}, service["version"]))
    await ask(client, LEADS, f"{path}/confirmation", version(reported))
    for satisfaction in (5, 4):
        clock.forward(hours=1)
        body = {"id": str(uuid4()), "solved": True, "satisfaction": satisfaction}
        assert (await by_card(client, card, f"bookings/{booking['id']}/answer", body)).status_code == 200
    known = [
        (await service_return_visits.satisfaction(conn, DISTRICT, [UUID(service["id"])], at)).get(UUID(service["id"]))
        for at in (clock.now - timedelta(hours=2), clock.now - timedelta(hours=1), clock.now)
    ]
    assert [one and one.points for one in known] == [None, 5, 4]


async def test_silence_ends_the_question_and_an_answer_may_still_come_for_a_while(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    service = await announce(client, conn)
    [card] = await at_doors(conn, 1)
    booking = await book(client, STRANGER, service["id"], card=card.number)
    clock.now = BEGINS + timedelta(hours=3)
    path = f"services/{service['id']}"
    reported = await ask(client, LEADS, f"{path}/report", report([booking["id"]], {}, service["version"]))
    await ask(client, LEADS, f"{path}/confirmation", version(reported))
    async with conn.transaction():
        assert await service_return_visits.lapse_due(conn, DISTRICT, clock.now + timedelta(days=6)) == 0
        assert await service_return_visits.lapse_due(conn, DISTRICT, clock.now + timedelta(days=8)) == 1
    answer = f"bookings/{booking['id']}/answer"
    clock.forward(days=20)
    body = {"solved": True, "satisfaction": 5}
    assert (await by_card(client, card, answer, {"id": str(uuid4()), **body})).status_code == 200
    clock.forward(days=11)
    late = await by_card(client, card, answer, {"id": str(uuid4()), **body})
    refused(late, 409, "answer_too_late")


async def test_a_brief_tells_what_was_held_and_opens_the_list_that_it_counts(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    service = await announce(client, conn)
    clock.now = BEGINS + timedelta(hours=3)
    path = f"services/{service['id']}"
    reported = await ask(client, LEADS, f"{path}/report", report([], {LEADING: 2, SERVING: 1.5}, service["version"]))
    await ask(client, LEADS, f"{path}/confirmation", version(reported))
    district = await people.district(conn, DISTRICT)
    assert district is not None
    known_at = NOW + timedelta(days=10)
    week = report_periods.around("week", BEGINS.astimezone(district.zone).date())
    for kind, code in (("district", str(DISTRICT)), ("community", NEAR), ("community", NEXT)):
        scope = Scope(kind=kind, code=code, name="")  # type: ignore[arg-type]
        sources = await report_sources.gathered(conn, district, week, known_at)
        figures = await report_sources.brief(conn, sources, scope, 1)
        expected = ServiceCounts(held=Count(1, 0), hours=Count(3, 0), helped=Count(12, 0))
        assert figures.services == (None if code == NEXT else expected)
    days: dict[str, Any] = {"from": week.first.isoformat(), "to": week.last.isoformat()}
    assert (await read(client, STRANGER, SERVICES, stands="held", community=NEAR, **days))["total"] == 1


# --- changed and cancelled


async def test_more_places_let_who_waits_move_up_and_fewer_than_are_taken_are_refused(
    client: Client, conn: asyncpg.Connection
) -> None:
    service = await announce(client, conn, places=1)
    path = f"services/{service['id']}"
    for card in await services_at_hand.doors(conn, 3):
        await book(client, STRANGER, service["id"], card=card)
    more = await ask(client, LEADS, f"{path}/changes", version(service) | {"places": 2})
    assert (more["booked"], more["waiting"], more["version"]) == (2, 1, 2)
    fewer = await ask(client, LEADS, f"{path}/changes", version(more) | {"places": 1}, status=409)
    assert (fewer["code"], fewer["field"]) == ("places_taken", "places")
    stale = await ask(client, LEADS, f"{path}/changes", version(service) | {"places": 9}, status=409)
    assert stale["code"] == "stale_version"
    same = await ask(client, LEADS, f"{path}/changes", version(more) | {"places": 2}, status=409)
    assert same["code"] == "nothing_changes"


async def test_a_cancelled_service_tells_why_and_takes_nobody_any_more(
    client: Client, conn: asyncpg.Connection
) -> None:
    service = await announce(client, conn)
    first, second = await at_doors(conn, 2)
    await by_card(client, first, f"services/{service['id']}/bookings", {"id": str(uuid4())})
    asked = version(service) | {"reason": "暴雨<script>"}
    cancelled = await ask(client, LEADS, f"services/{service['id']}/cancellation", asked)
    assert cancelled["state"] == "cancelled"
    assert await ask(client, LEADS, f"services/{service['id']}/cancellation", asked) == cancelled
    page = await seen_by(client, first)
    assert "服务已取消" in page
    assert "暴雨<script>" in page  # which seen() has unescaped
    answer = await by_card(client, second, f"services/{service['id']}/bookings", {"id": str(uuid4())})
    refused(answer, 409, "service_not_bookable")
    assert (await read(client, STRANGER, SERVICES, stands="cancelled"))["total"] == 1


# --- bad input


async def test_what_cannot_be_announced_is_refused_by_its_field(client: Client, conn: asyncpg.Connection) -> None:
    await services_at_hand.found_team(conn)
    wrong: list[tuple[Answer, str, str]] = [
        ({"starts_at": (NOW - timedelta(hours=1)).isoformat()}, "starts_at", "time_in_past"),
        ({"ends_at": BEGINS.isoformat()}, "ends_at", "times_reversed"),
        ({"ends_at": (BEGINS + timedelta(days=2)).isoformat()}, "ends_at", "service_too_long"),
        ({"starts_at": (NOW + timedelta(days=900)).isoformat()}, "starts_at", "service_too_far"),
        ({"places": 0}, "places", "wrong_value"),
        ({"title": "  "}, "title", "text_unusable"),
        ({"about": "长" * 2_001}, "about", "wrong_value"),
        ({"place": "x\x00"}, "place", "text_unusable"),
        ({"community": "nowhere"}, "community", "unknown_community"),
        ({"position": {"lon": 34.7, "lat": 113.6}}, "position.lat", "longitude_latitude_swapped"),
        ({"volunteers": [str(uuid4())]}, "volunteers[0]", "unknown_volunteer"),
        ({"price": 5}, "price", "unknown_field"),
    ]
    for changes, field, code in wrong:
        problem = await ask(client, LEADS, "services", announcement(**changes), status=422)
        assert (problem["field"], problem["code"]) == (field, code), changes
    assert (await read(client, LEADS, SERVICES))["total"] == 0
    assert await conn.fetchval("select count(*) from service") == 0


async def test_who_does_not_look_after_the_team_announces_nothing(client: Client, conn: asyncpg.Connection) -> None:
    await services_at_hand.found_team(conn)
    for stranger in (STRANGER, SERVES, OTHER_WORKER):
        await ask(client, stranger, "services", announcement(), status=403)
    await ask(client, LEADS, "services", announcement(team=str(uuid4())), status=404)
    assert (await ask(client, ADMINISTRATOR, "services", announcement(), status=201))["state"] == "announced"


async def test_what_cannot_be_booked_is_refused(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    service = await announce(client, conn, places=2, waiting_places=1)
    a, b, c, d = await services_at_hand.doors(conn, 4)
    [loose] = await cards.make(conn)
    booked = await book(client, STRANGER, service["id"], card=a, persons=2)
    for draft, status, code in (
        ({"card": a}, 409, "already_booked"),
        ({"card": b, "persons": 3}, 422, "too_many_persons"),
        ({"card": b, "persons": 0}, 422, "wrong_value"),
        ({"card": loose.number}, 422, "unknown_card"),
        ({"card": "=cmd()"}, 422, "unknown_card"),
        ({}, 422, "missing"),
        ({"premises": str(uuid4())}, 422, "unknown_premises"),
        ({"card": b, "id": booked["id"]}, 409, "id_taken"),
        ({"card": b, "via": "desk"}, 403, "not_allowed"),
    ):
        assert (await book(client, STRANGER, service["id"], status=status, **draft))["code"] == code, draft
    await book(client, STRANGER, service["id"], card=b)
    assert (await book(client, STRANGER, service["id"], card=c, status=409))["code"] == "waiting_list_full"
    clock.now = BEGINS
    assert (await book(client, STRANGER, service["id"], card=d, status=409))["code"] == "service_not_bookable"
    over = await ask(client, STRANGER, f"bookings/{booked['id']}/cancellation", {}, status=409)
    assert over["code"] == "booking_over"


async def test_what_cannot_be_reported_is_refused(client: Client, conn: asyncpg.Connection, clock: TestClock) -> None:
    service = await announce(client, conn)
    path = f"services/{service['id']}/report"
    early = await ask(client, LEADS, path, report([], {}, 1), status=409)
    assert early["code"] == "service_not_held_yet"
    clock.now = BEGINS + timedelta(hours=3)
    for draft, field, code in (
        (report([str(uuid4())], {}, 1), "came[0]", "unknown_booking"),
        (report([], {uuid4(): 2}, 1), "served[0].volunteer", "unknown_volunteer"),
        (report([], {LEADING: -2}, 1), "served[0].served_to", "times_reversed"),
        (report([], {LEADING: 30}, 1), "served[0].served_to", "served_elsewhen"),
        (report([], {}, 1, helped=-1), "helped", "wrong_value"),
        (report([], {}, 1, done=" "), "done", "text_unusable"),
    ):
        problem = await ask(client, LEADS, path, draft, status=422)
        assert (problem["field"], problem["code"]) == (field, code)
    none = await ask(client, LEADS, f"services/{service['id']}/confirmation", version(service), status=409)
    assert none["code"] == "service_not_reported"
    told = await ask(client, LEADS, path, report([], {OUTSIDER: 1}, 1))
    again = await ask(client, LEADS, path, report([], {OUTSIDER: 2}, told["version"], helped=3))
    await ask(client, LEADS, f"services/{service['id']}/confirmation", version(again))
    late = await ask(client, LEADS, path, report([], {}, 4), status=409)
    assert late["code"] == "service_not_to_report"
    assert await conn.fetchval("select served from time_transaction where volunteer = $1", OUTSIDER) == 120


async def test_who_booked_is_shown_to_who_looks_after_it_and_to_the_desk_alone(
    client: Client, conn: asyncpg.Connection
) -> None:
    service = await announce(client, conn, volunteers=[str(SERVING)])
    [card] = await services_at_hand.doors(conn, 1)
    await book(client, STRANGER, service["id"], card=card)
    path = f"{SERVICES}/{service['id']}"
    shown = {
        who.name: (await read(client, who, path))["bookings"] is not None
        for who in (LEADS, SERVES, WORKER, OTHER_WORKER, STRANGER, ADMINISTRATOR)
    }
    assert shown == {
        LEADS.name: True,
        SERVES.name: True,
        WORKER.name: True,
        OTHER_WORKER.name: False,
        STRANGER.name: False,
        ADMINISTRATOR.name: True,
    }
    assert (await read(client, STRANGER, path))["volunteers"] is None
    assert [one["state"] for one in (await read(client, STRANGER, "/api/volunteering/bookings"))["items"]] == ["booked"]
    assert (await read(client, OTHER_WORKER, "/api/volunteering/bookings"))["items"] == []


async def test_a_list_is_read_part_by_part_and_narrowed(client: Client, conn: asyncpg.Connection) -> None:
    await services_at_hand.found_team(conn)
    for hours in (5, 1, 3):
        at = BEGINS + timedelta(hours=hours)
        times = {"starts_at": at.isoformat(), "ends_at": (at + timedelta(hours=1)).isoformat()}
        await ask(client, LEADS, "services", announcement(title=f"第{hours}场", **times), status=201)
    first = await read(client, STRANGER, SERVICES, limit=2)
    rest = await read(client, STRANGER, SERVICES, limit=2, cursor=first["next"])
    assert [one["title"] for one in first["items"] + rest["items"]] == ["第1场", "第3场", "第5场"]
    assert (first["total"], rest["next"]) == (3, None)
    assert (await read(client, STRANGER, SERVICES, community=NEAR))["total"] == 3
    assert (await read(client, STRANGER, SERVICES, community="other"))["total"] == 0
    assert (await read(client, STRANGER, SERVICES, kind="arts"))["total"] == 0
    await read(client, STRANGER, SERVICES, stands="held", cursor=first["next"], status=422)
    await read(client, STRANGER, SERVICES, colour="red", status=422)


@pytest.mark.parametrize("text", ["<img src=x onerror=alert(1)>", "${7*7}", "{{ 7*7 }}", "=cmd()"])
async def test_a_hostile_text_is_a_text(client: Client, conn: asyncpg.Connection, text: str) -> None:
    service = await announce(client, conn, title=text, about=text, bring=text, place=text)
    [card] = await at_doors(conn, 1)
    await scan(client, card)
    assert "<img src=x" not in (await client.get("/card")).text
    assert (await seen(client)).count(text) == 4
    assert (await read(client, LEADS, f"{SERVICES}/{service['id']}"))["title"] == text

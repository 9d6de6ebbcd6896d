"""What no phone should send, and some phone will: refused with the field named, in both languages, nothing written."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import database
from api.problem_texts import TEXTS
from api.settings import Settings
from tests import drafts
from tests.conftest import (
    LEADER,
    MEMBER,
    NEAR,
    WORKER,
    Client,
    Server,
    TestClock,
    founded,
    serving,
)
from tests.doors import refused, written

pytestmark = pytest.mark.anyio

NOWHERE = "0193f0aa-0000-7000-8000-00000000dead"  # the same in every run, for it is part of the tests' names
DEVICE = "2026-11-23T12:00:00+08:00"
POSTED = [
    "/api/visits",
    "/api/visits/batch",
    "/api/receipts",
    f"/api/visits/{NOWHERE}/corrections",
    f"/api/issues/{NOWHERE}/moves",
]


@pytest.fixture(scope="module")
async def dsn(server: Server, template: str) -> AsyncIterator[str]:
    """One database for all that is refused: none of it leaves a trace."""
    async with founded(server, template) as address:
        yield address


@pytest.fixture(scope="module")
async def client(dsn: str) -> AsyncIterator[Client]:
    async with serving(Settings(database_url=dsn), TestClock()) as opened:
        yield opened


@pytest.fixture(scope="module")
async def conn(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await database.connect(dsn)
    yield connection
    await connection.close()


def at(**position: Any) -> dict[str, Any]:
    return {"position": {"lon": 113.605, "lat": 34.705} | position}


def with_issue(**changes: Any) -> dict[str, Any]:
    return {"issues": [drafts.issue(), drafts.issue(**changes)]}


# What a visit says otherwise, the code of the refusal, and the field that it names.
REFUSED: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "longitude 999": (at(lon=999), "longitude_out_of_range", "position.lon"),
    "latitude 91": (at(lat=91, lon=91), "latitude_out_of_range", "position.lat"),
    "longitude and latitude swapped": (at(lon=34.705, lat=113.605), "longitude_latitude_swapped", "position.lat"),
    "swapped for an issue": (
        with_issue(position={"lon": 34.7, "lat": 113.6}),
        "longitude_latitude_swapped",
        "issues[1].position.lat",
    ),
    "longitude a text": (at(lon="113.6"), "wrong_value", "position.lon"),
    "longitude null": (at(lon=None), "wrong_value", "position.lon"),
    "half a position": ({"position": {"lon": 113.6}}, "missing", "position.lat"),
    "an accuracy below zero": (at(accuracy_m=-1), "wrong_value", "position.accuracy_m"),
    "an unknown coordinate system": (at(system="wgs-84"), "wrong_value", "position.system"),
    "an unknown source of a position": (at(source="gut feeling"), "wrong_value", "position.source"),
    "an end in the future": ({"ended_at": "2026-11-23T12:16:00+08:00"}, "time_in_future", "ended_at"),
    "a start in the future": ({"started_at": "2026-11-24T11:20:00+08:00"}, "time_in_future", "started_at"),
    "a clock that was never set": ({"started_at": "1970-01-01T08:00:00+08:00"}, "time_before_all", "started_at"),
    "an end before the start": ({"ended_at": "2026-11-23T11:19:59+08:00"}, "times_reversed", "ended_at"),
    "a time without a zone": ({"started_at": "2026-11-23T11:20:00"}, "wrong_value", "started_at"),
    "a time that is none": ({"started_at": "2026-02-30T11:20:00+08:00"}, "wrong_value", "started_at"),
    "the first moment there is": ({"started_at": "0001-01-01T00:00:00+14:00"}, "time_before_all", "started_at"),
    "the last moment there is": ({"ended_at": "9999-12-31T23:59:59-14:00"}, "time_in_future", "ended_at"),
    "solved in the future": (
        with_issue(solved_on_spot={"how": "扫了", "at": "2026-11-24T00:00:00Z"}),
        "time_in_future",
        "issues[1].solved_on_spot.at",
    ),
    "a category that never existed": (with_issue(category="9999"), "unknown_category", "issues[1].category"),
    "a category that only gathers others": (with_issue(category="01"), "unknown_category", "issues[1].category"),
    "an urgency that is none": (with_issue(urgency="panic"), "wrong_value", "issues[1].urgency"),
    "a community of another district": ({"community": "110101001001"}, "unknown_community", "community"),
    "a campaign that never was": ({"campaign": "春风行动"}, "unknown_campaign", "campaign"),
    "a companion who is none": ({"companions": [str(MEMBER.id), NOWHERE]}, "unknown_member", "companions[1]"),
    "an unknown field": ({"weather": "rain"}, "unknown_field", "weather"),
    "an unknown field of an issue": (with_issue(loyalty="firm"), "unknown_field", "issues[1].loyalty"),
    "an unknown field of the door": (
        {"premises": {"kind": "shop", "name": "面馆", "address": "1 号", "religion": "none"}},
        "unknown_field",
        "premises.religion",
    ),
    "a door without a name": (
        {"premises": {"kind": "shop", "name": "", "address": ""}},
        "wrong_value",
        "premises.name",
    ),
    "a door with a blank name": (
        {"premises": {"kind": "shop", "name": " \u3000 ", "address": ""}},
        "text_unusable",
        "premises.name",
    ),
    "a door of another kind": (
        {"premises": {"kind": "church", "name": "某处", "address": ""}},
        "wrong_value",
        "premises.kind",
    ),
    "an outcome that is none": ({"outcome": "loyal"}, "wrong_value", "outcome"),
    "U+0000 in a note": ({"note": "垃\x00圾"}, "text_unusable", "note"),
    "U+0000 in a title": (with_issue(title="\x00"), "text_unusable", "issues[1].title"),
    "U+0000 in an answer": (
        {"answers": {"questionnaire": "q", "version": "1", "values": {"a": [{"b\x00": 1}]}}},
        "text_unusable",
        "answers.values.a[0]",
    ),
    "a title of nothing but space": (with_issue(title="\u3000\n"), "text_unusable", "issues[1].title"),
    "a title too long": (with_issue(title="堆" * 201), "wrong_value", "issues[1].title"),
    "a note too long": ({"note": "长" * 5_001}, "wrong_value", "note"),
    "an id that is no UUID": ({"id": "1"}, "wrong_value", "id"),
    "an issue's id that is no UUID": (with_issue(id=7), "wrong_value", "issues[1].id"),
    "the same issue twice": (
        {"issues": [drafts.issue(id=NOWHERE), drafts.issue(id=NOWHERE)]},
        "duplicate_id",
        "issues",
    ),
    "fifty-one issues": ({"issues": [drafts.issue() for _ in range(51)]}, "wrong_value", "issues"),
    "a phone number of letters": (
        with_issue(contact={"name": "张三", "phone": "138-ABCD-1234"}),
        "phone_unusable",
        "issues[1].contact.phone",
    ),
    "a phone number of four digits": (
        with_issue(contact={"name": "张三", "phone": "12 34"}),
        "phone_unusable",
        "issues[1].contact.phone",
    ),
    "a phone number of twenty-one digits": (
        with_issue(contact={"phone": "1" * 21}),
        "phone_unusable",
        "issues[1].contact.phone",
    ),
    "a phone number longer than any": (
        with_issue(contact={"phone": "1" * 41}),
        "wrong_value",
        "issues[1].contact.phone",
    ),
    "a contact of nothing but space": (
        with_issue(contact={"name": "\u3000", "phone": " "}),
        "contact_empty",
        "issues[1].contact.phone",
    ),
    "a photo's hash that is none": (
        with_issue(photos=[{"sha256": "A" * 64, "bytes": 1}]),
        "wrong_value",
        "issues[1].photos[0].sha256",
    ),
    "a photo of no bytes": (
        with_issue(photos=[{"sha256": "a" * 64, "bytes": 0}]),
        "wrong_value",
        "issues[1].photos[0].bytes",
    ),
}


@pytest.mark.parametrize(("changes", "code", "field"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_visit_that_cannot_be_filed(
    client: Client, conn: asyncpg.Connection, changes: dict[str, Any], code: str, field: str | None
) -> None:
    before = await written(conn)
    draft = json.dumps(drafts.visit(**changes)).encode()
    titles = []
    for language in ("zh-CN,zh;q=0.9,en;q=0.8", "en"):
        headers = MEMBER.headers | {"Accept-Language": language, "Device-Time": DEVICE}
        problem = refused(await client.post("/api/visits", content=draft, headers=headers), 422, code, field)
        titles.append(problem["title"])
    start = [text.split("{")[0] for text in (TEXTS[code].zh, TEXTS[code].en)]
    assert titles[0].startswith(start[0])
    assert titles[1].startswith(start[1])
    assert await written(conn) == before


# Bodies that are no JSON, whatever was expected of them; and some that are, and no visit.
NOT_JSON: dict[str, bytes] = {
    "nothing": b"",
    "space": b" \n",
    "no JSON": b"<visit/>",
    "NaN": b"NaN",
}
NO_VISIT: dict[str, tuple[bytes, int, str, str | None]] = {
    "a string cut off": (b'{"id": "', 400, "not_json", None),
    "an object cut off": (b'{"note": "x"', 400, "not_json", None),
    "broken UTF-8": ('{"垃圾": 1}'.encode("gb18030"), 400, "not_json", None),
    "half a character": (b'{"\xe5\x9e": 1}', 400, "not_json", None),
    "broken UTF-8 in a note": ('{"note": "垃圾"}'.encode("gb18030"), 400, "not_json", None),
    "half a surrogate pair in a note": (rb'{"note": "\ud800"}', 400, "not_json", None),
    "a longitude of NaN": (b'{"position": {"lon": NaN, "lat": 1}}', 400, "not_json", None),
    "a longitude of Infinity": (b'{"position": {"lon": -Infinity, "lat": 1}}', 400, "not_json", None),
    "a longitude beyond all numbers": (b'{"position": {"lon": 1e999, "lat": 1}}', 422, "wrong_value", "position.lon"),
    "brackets without end": (
        b'{"answers": {"questionnaire": "q", "version": "1", "values": {"a": ' + b"[" * 100_000,
        400,
        "not_json",
        None,
    ),
    "two bodies": (b"{}{}", 422, "missing", "id"),
    "an array": (b"[]", 422, "wrong_value", None),
    "a number": (b"7", 422, "wrong_value", None),
    "null": (b"null", 422, "wrong_value", None),
    "an empty object": (b"{}", 422, "missing", "id"),
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
@pytest.mark.parametrize("path", POSTED)
async def test_a_body_that_is_no_json(client: Client, conn: asyncpg.Connection, path: str, body: bytes) -> None:
    before = await written(conn)
    for language, title in (("zh-CN", TEXTS["not_json"].zh), ("en", TEXTS["not_json"].en)):
        answer = await client.post(path, content=body, headers=MEMBER.headers | {"Accept-Language": language})
        assert refused(answer, 400, "not_json")["title"] == title
    assert await written(conn) == before


@pytest.mark.parametrize(("body", "status", "code", "field"), NO_VISIT.values(), ids=NO_VISIT.keys())
async def test_a_body_that_is_no_visit(
    client: Client, conn: asyncpg.Connection, body: bytes, status: int, code: str, field: str | None
) -> None:
    before = await written(conn)
    refused(await client.post("/api/visits", content=body, headers=MEMBER.headers), status, code, field)
    assert await written(conn) == before


@pytest.mark.parametrize("path", POSTED)
async def test_a_body_of_twenty_megabytes(client: Client, conn: asyncpg.Connection, path: str) -> None:
    before = await written(conn)
    body = b'{"note": "' + b"x" * 20_000_000 + b'"}'
    refused(await client.post(path, content=body, headers=MEMBER.headers), 413, "too_large")
    assert await written(conn) == before


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"])
async def test_a_visit_sent_as_something_else_is_a_visit_or_a_problem(client: Client, kind: str) -> None:
    body = json.dumps(drafts.visit())
    answer = await client.post("/api/visits", content=body, headers=MEMBER.headers | {"Content-Type": kind})
    if answer.status_code != 201:
        refused(answer, 400, "not_json")


async def chunks() -> AsyncIterator[bytes]:
    yield b'{"note": "'
    for _ in range(200):
        yield b"x" * 100_000


async def test_a_body_that_never_said_how_large_it_is(client: Client) -> None:
    refused(await client.post("/api/visits", content=chunks(), headers=MEMBER.headers), 413, "too_large")


EXPECTED = {
    "outcome": ({"outcome": "loyal"}, "met | not_home | declined | closed"),
    "premises.kind": ({"premises": {"kind": "x", "name": "面馆", "address": ""}}, "shop | enterprise | household"),
    "issues[0].urgency": ({"issues": [drafts.issue(urgency="x")]}, "normal | urgent | emergency"),
    "position.system": (at(system="x"), "wgs84 | cgcs2000 | gcj02 | bd09"),
    "position.source": (at(source="x"), "gps | map | address | photo"),
}


@pytest.mark.parametrize(("field", "changes", "values"), [(f, *rest) for f, rest in EXPECTED.items()], ids=EXPECTED)
async def test_a_value_of_a_list_is_told_the_list(
    client: Client, field: str, changes: dict[str, Any], values: str
) -> None:
    answer = await client.post("/api/visits", json=drafts.visit(**changes), headers=MEMBER.headers)
    problem = refused(answer, 422, "wrong_value", field)
    assert set(problem["facts"]["expected"].split(" | ")) == set(values.split(" | "))
    assert problem["facts"]["expected"] in problem["title"]


@pytest.mark.parametrize(
    "told",
    [
        "yesterday",
        "2026-11-23T12:00:00",
        "1764000000",
        "",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
    ],
)
async def test_a_phone_that_tells_no_time(client: Client, conn: asyncpg.Connection, told: str) -> None:
    before = await written(conn)
    answer = await client.post("/api/visits", json=drafts.visit(), headers=MEMBER.headers | {"Device-Time": told})
    refused(answer, 422, "wrong_value", "Device-Time")
    assert await written(conn) == before


@pytest.mark.parametrize(
    ("told", "code"),
    [("1970-01-01T08:00:00+08:00", "time_in_future"), ("2999-01-01T08:00:00+08:00", "time_before_all")],
)
async def test_a_phone_whose_clock_and_whose_visit_are_ages_apart(
    client: Client, conn: asyncpg.Connection, told: str, code: str
) -> None:
    before = await written(conn)
    answer = await client.post("/api/visits", json=drafts.visit(), headers=MEMBER.headers | {"Device-Time": told})
    refused(answer, 422, code, "started_at")
    assert await written(conn) == before


# Addresses of lists and maps that say nothing sensible.
QUERIES: dict[str, tuple[str, str, str | None]] = {
    "a filter that is none": ("txt=垃圾", "unknown_field", "txt"),
    "a state that is none": ("state=forgotten", "wrong_value", "state"),
    "a group that is none": ("group=lost", "wrong_value", "group"),
    "an urgency that is none": ("urgency=panic", "wrong_value", "urgency"),
    "an owner who is no UUID": ("owner=somebody", "invalid_filter", "owner"),
    "overdue perhaps": ("overdue=perhaps", "wrong_value", "overdue"),
    "a day that is none": ("as_of=2026-02-30", "wrong_value", "as_of"),
    "a month that is none": ("as_of=2026-13-01", "wrong_value", "as_of"),
    "a day of words": ("reported_from=yesterday", "wrong_value", "reported_from"),
    "the first day there is": ("reported_from=0001-01-01", "invalid_filter", "reported_from"),
    "the last day there is": ("reported_to=9999-12-31", "invalid_filter", "reported_to"),
    "as of the last day there is": ("as_of=9999-12-31", "invalid_filter", "as_of"),
    "as of the first day there is": ("as_of=0001-01-01", "invalid_filter", "as_of"),
    "known at a moment without a zone": ("known_at=2026-11-23T18:00:00", "invalid_filter", "known_at"),
    "known at no moment": ("known_at=2026-13-01T00:00:00Z", "wrong_value", "known_at"),
    "known at the first moment there is": ("known_at=0001-01-01T00:00:00%2B08:00", "invalid_filter", "known_at"),
    "known at the last moment there is": ("known_at=9999-12-31T23:59:59-08:00", "invalid_filter", "known_at"),
    "an organisation that is no id": ("organisation=first", "invalid_filter", "organisation"),
    "a rate that there is not": ("rate=happiness", "wrong_value", "rate"),
    "met what is not said": ("met=yes", "invalid_filter", "met"),
    "neither met nor not": ("rate=response&met=maybe", "wrong_value", "met"),
    "a channel that there is not": ("channel=fax", "wrong_value", "channel"),
    "a box of three": ("bbox=1,2,3", "invalid_filter", "bbox"),
    "a box of words": ("bbox=a,b,c,d", "invalid_filter", "bbox"),
    "a box inside out": ("bbox=114,34,113,35", "invalid_filter", "bbox"),
    "a box beyond the world": ("bbox=-200,34,113,35", "invalid_filter", "bbox"),
    "a box of NaN": ("bbox=nan,nan,nan,nan", "invalid_filter", "bbox"),
    "an empty box": ("bbox=", "invalid_filter", "bbox"),
    "one character": ("text=水", "invalid_filter", "text"),
    "no characters": ("text=", "invalid_filter", "text"),
    "a hundred and one characters": ("text=" + "水" * 101, "invalid_filter", "text"),
    "U+0000 to look for": ("text=a%00b", "invalid_filter", "text"),
    "U+0000 for a community": ("community=%00", "invalid_filter", "community"),
    "U+0000 for a category": ("category=01&category=a%00", "invalid_filter", "category"),
}
LIST_ONLY: dict[str, tuple[str, str, str | None]] = {
    "a filter that is none": ("comunity=410103001001", "unknown_field", "comunity"),
    "a page of none": ("limit=0", "wrong_value", "limit"),
    "a page of 201": ("limit=201", "wrong_value", "limit"),
    "a page of words": ("limit=all", "wrong_value", "limit"),
    "a page beyond numbers": ("limit=" + "9" * 30, "wrong_value", "limit"),
    "a total of words": ("total=some", "wrong_value", "total"),
    "a cursor of nothing": ("cursor=bm90aGluZw", "invalid_cursor", "cursor"),
    "a cursor of Chinese": ("cursor=下一页", "invalid_cursor", "cursor"),
}


@pytest.mark.parametrize(("query", "code", "field"), QUERIES.values(), ids=QUERIES.keys())
@pytest.mark.parametrize("path", ["/api/issues", "/maps/issues/areas", "/maps/issues/clusters"])
async def test_a_filter_that_cannot_be_heeded(
    client: Client, path: str, query: str, code: str, field: str | None
) -> None:
    zoom = "&zoom=12" if path.endswith("clusters") else ""
    for language in ("zh", "en"):
        answer = await client.get(f"{path}?{query}{zoom}", headers=LEADER.headers | {"Accept-Language": language})
        assert refused(answer, 422, code, field)["title"].startswith(getattr(TEXTS[code], language).split("{")[0])


@pytest.mark.parametrize(("query", "code", "field"), LIST_ONLY.values(), ids=LIST_ONLY.keys())
@pytest.mark.parametrize("path", ["/api/issues", "/api/visits"])
async def test_a_page_that_cannot_be_turned(client: Client, path: str, query: str, code: str, field: str) -> None:
    refused(await client.get(f"{path}?{query}", headers=LEADER.headers), 422, code, field)


@pytest.mark.parametrize("zoom", ["", "-1", "25", "near", "1.5"])
async def test_a_zoom_that_no_map_has(client: Client, zoom: str) -> None:
    refused(await client.get(f"/maps/issues/clusters?zoom={zoom}", headers=LEADER.headers), 422, "wrong_value", "zoom")


@pytest.mark.parametrize("path", ["/api/visits/1", f"/api/visits/{NOWHERE}", f"/api/issues/{NOWHERE}", "/api/visit"])
async def test_what_is_not_there(client: Client, path: str) -> None:
    refused(await client.get(path, headers=LEADER.headers), 404, "not_found")


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/api/visits"), ("PUT", "/api/issues"), ("PATCH", "/sign-in")])
async def test_what_is_not_done_here(client: Client, method: str, path: str) -> None:
    refused(await client.request(method, path, headers=LEADER.headers), 405, "method_not_allowed")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
WHOLE = {
    "id": "0192f3a0-0000-7000-8000-000000000001",
    "campaign": None,
    "companions": [],
    "premises": {"id": None, "kind": "shop", "name": "面馆", "address": "1 号"},
    "started_at": "2026-11-23T11:20:00+08:00",
    "ended_at": "2026-11-23T11:30:00+08:00",
    "outcome": "met",
    "position": {"lon": 113.605, "lat": 34.705, "accuracy_m": 12.5, "system": "wgs84", "source": "gps"},
    "community": NEAR,
    "contact_card": "EQ-1",
    "note": "备注",
    "answers": {"questionnaire": "q", "version": "1", "values": {"a": 1}},
    "issues": [
        {
            "id": "0192f3a0-0000-7000-8000-000000000002",
            "category": "0102",
            "title": "垃圾",
            "description": "三天",
            "urgency": "urgent",
            "position": {"lon": 113.605, "lat": 34.705},
            "solved_on_spot": {"how": "扫了", "at": "2026-11-23T11:25:00+08:00"},
            "contact": None,
            "photos": [{"sha256": "ab" * 32, "bytes": 12}],
        }
    ],
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a body at which something else could stand."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    if not path:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], other)
    return copy


@hypothesis.settings(
    max_examples=150, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(list(places(WHOLE))), JSON)
async def test_whatever_stands_wherever_the_answer_is_a_receipt_or_a_problem(
    client: Client, place: tuple[Any, ...], other: Any
) -> None:
    draft = replaced(WHOLE, place, other) | ({} if place == ("id",) else {"id": str(uuid4())})
    if isinstance(draft["issues"], list):
        for one in draft["issues"]:
            if isinstance(one, dict) and place[-1] != "id":
                one["id"] = str(uuid4())
    answer = await client.post("/api/visits", content=json.dumps(draft), headers=MEMBER.headers)
    assert answer.status_code in (201, 400, 409, 422), answer.text
    if answer.status_code != 201:
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert answer.json()["code"] in TEXTS


MOVE = {
    "id": "0192f3a0-0000-7000-8000-000000000003",
    "move": "correct",
    "expected_version": 1,
    "to": None,
    "reason": "写错了",
    "evidence": [{"sha256": "ab" * 32, "bytes": 12}],
    "correction": {
        "category": "0103",
        "urgency": "urgent",
        "title": "垃圾",
        "description": "四天",
        "position": {"lon": 113.605, "lat": 34.705},
        "community": NEAR,
    },
}


@hypothesis.settings(
    max_examples=100, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(list(places(MOVE))), JSON)
async def test_whatever_a_move_says_the_answer_is_a_move_or_a_problem(
    client: Client, conn: asyncpg.Connection, place: tuple[Any, ...], other: Any
) -> None:
    issue = drafts.issue()
    await client.post("/api/visits", json=drafts.visit(issues=[issue]), headers=MEMBER.headers)
    draft = replaced(MOVE, place, other) | ({} if place == ("id",) else {"id": str(uuid4())})
    answer = await client.post(f"/api/issues/{issue['id']}/moves", content=json.dumps(draft), headers=WORKER.headers)
    assert answer.status_code in (200, 400, 403, 409, 422), answer.text


MOMENTS = [
    "2026-11-23T04:00:00Z",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
    "2026-11-23T04:00:00",
    "x",
    7,
]


@pytest.mark.parametrize("path", ["/api/issues", "/api/visits"])
@pytest.mark.parametrize("place", [0, 1, 2, 3, 4])
async def test_a_cursor_that_somebody_has_made_up(client: Client, path: str, place: int) -> None:
    await client.post("/api/visits/batch", json=[drafts.visit(issues=[drafts.issue()])], headers=MEMBER.headers)
    await client.post("/api/visits/batch", json=[drafts.visit(issues=[drafts.issue()])], headers=MEMBER.headers)
    given = (await client.get(f"{path}?limit=1", headers=LEADER.headers)).json()["next"]
    parts = json.loads(base64.urlsafe_b64decode(given + "=="))
    for other in [*MOMENTS, NOWHERE, None, {}, "a\x00b"]:
        forged = [other if at == place else part for at, part in enumerate(parts)]
        cursor = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode().rstrip("=")
        answer = await client.get(path, params={"cursor": cursor}, headers=LEADER.headers)
        if answer.status_code != 200:
            refused(answer, 422, "invalid_cursor", "cursor")

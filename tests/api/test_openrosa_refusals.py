"""What is refused to ODK Collect, and how: hostile XML, strangers, passwords in the open; each with a word."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from api.app import create_app
from api.settings import Settings
from tests import collect, doors
from tests.collect import basic, filled, instance, message, problem
from tests.conftest import DISTRICT, MEMBER, RING, Client, TestClock, serving

pytestmark = pytest.mark.anyio

HEAD = '<?xml version="1.0"?>'
LAUGHS = "".join(f'<!ENTITY l{at + 1} "{f"&l{at};" * 10}">' for at in range(9))
BILLION = f'{HEAD}<!DOCTYPE d [<!ENTITY l0 "ha">{LAUGHS}]><data id="visit"><visit_note>&l9;</visit_note></data>'
OUTSIDE = (
    f'{HEAD}<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><data id="visit"><visit_note>&x;</visit_note></data>'
)


@pytest.fixture
async def client(dsn: str, clock: TestClock, tmp_path: Path) -> AsyncIterator[Client]:
    settings = Settings(database_url=dsn, pool_size=4, data=tmp_path / "data", sign_in_burst=5)
    async with serving(settings, clock) as opened:
        yield opened


def deep(depth: int) -> str:
    return "<a>" * depth + "x" + "</a>" * depth


HOSTILE: dict[str, tuple[bytes, int]] = {
    "entities that multiply": (BILLION.encode(), 422),
    "an entity from outside": (OUTSIDE.encode(), 422),
    "an entity hidden by its encoding": (BILLION.encode("utf-16"), 400),
    "an entity hidden by a declared encoding": (
        BILLION.replace('"1.0"', '"1.0" encoding="utf-7"').replace("<!", "+ADwAIQ-").encode(),
        400,
    ),
    "elements without end": (filled("uuid:x") + b"<a/>" * 50_000, 422),
    "attributes without end": (
        filled(instance()).replace(b"<data ", b"<data " + b"".join(b'a%d="" ' % at for at in range(20_000))),
        422,
    ),
    "answers of 10 MB": (filled(instance(), visit_note="长" * 3_500_000), 413),
    "groups without end": (
        filled(instance(), form="visit-x", answers={"g": 1}).replace(b"<g>1</g>", deep(500).encode()),
        422,
    ),
    "a text too long": (filled(instance(), visit_note="长" * 5_001), 422),
    "U+0000": (filled(instance(), visit_note="a\0b"), 400),
    "U+0000 as a reference": (filled(instance(), visit_note="N").replace(b"N", b"&#0;"), 400),
    "no XML": (b"{}", 400),
    "a broken end": (filled(instance())[:-3], 400),
    "no UTF-8": (filled(instance(), visit_note="N").replace(b"N", b"\xff"), 400),
    "another form": (filled(instance(), form="census"), 404),
    "no instance": (filled(""), 422),
    "an instance that is none": (filled("uuid:1"), 422),
    "an instance of another kind": (filled("http://x/1"), 422),
    "a position in words": (filled(instance(), visit_position="north of here"), 422),
    "a position nowhere": (filled(instance(), visit_position="134 213 0 5"), 422),
    "a position that is no number": (filled(instance(), visit_position="nan inf 0 5"), 422),
    "an outcome that is none": (filled(instance(), visit_outcome="<img onerror=alert(1)>"), 422),
    "a time in words": (filled(instance(), visit_started_at="yesterday"), 422),
    "no time": (filled(instance(), visit_started_at="", visit_ended_at=""), 422),
    "a door that is no door": (filled(instance(), visit_door="${jndi:ldap://x}"), 422),
    "a door nobody described": (filled(instance(), visit_found=""), 422),
    "a campaign that is none": (filled(instance(), visit_campaign="=cmd()"), 422),
    "a category that is none": (filled(instance(), issue=problem(issue_category="9999")), 422),
    "a problem without a title": (filled(instance(), issue=problem(issue_title="")), 422),
    "sixty problems": (filled(instance(), issue=[problem()] * 60), 422),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_hostile_and_wrong_forms_are_refused_and_nothing_is_kept(
    shared: Client, undone: asyncpg.Connection, what: str
) -> None:
    xml, status = HOSTILE[what]
    before = await undone.fetchrow(doors.WRITTEN)
    answer = await collect.post(shared, MEMBER, xml)
    assert answer.status_code == status, answer.text
    assert re.search("[一-鿿]", message(answer))
    english = await collect.post(shared, MEMBER, xml, headers={"Accept-Language": "en-GB,en;q=0.9"})
    assert (english.status_code, re.search("[一-鿿]", message(english).partition("（")[0])) == (status, None)
    assert await undone.fetchrow(doors.WRITTEN) == before


@pytest.mark.parametrize("text", ["<img src=x onerror=alert(1)>", "${7*7}", "=cmd()", "' or 1=1 --", "]]>&amp;"])
async def test_strange_texts_are_texts(client: Client, text: str) -> None:
    id_ = instance()
    xml = filled(id_, visit_note=text, issue=problem(issue_title=text, issue_photo=text))
    answer = await collect.post(client, MEMBER, xml)
    assert answer.status_code == 202, "a photo of that name may come"
    found = await doors.read(client, MEMBER, f"/api/visits/{id_.removeprefix('uuid:')}")
    assert found["visit"]["note"] == text
    later = await client.post(
        "/openrosa/submission",
        headers=basic(MEMBER.token),
        files=[("xml_submission_file", ("v.xml", xml, "text/xml")), ("f", (text, b"no photo", "image/jpeg"))],
    )
    assert later.status_code in (201, 202)
    assert "<img" not in later.text, "what a file is called is no markup"


async def test_what_is_no_submission_is_told_as_such(client: Client) -> None:
    headers = basic(MEMBER.token)
    form = {"xml_submission_file": ("v.xml", filled(instance()), "text/xml")}
    asked: list[dict[str, Any]] = [
        {"content": b""},
        {"content": filled(instance()), "headers": {"Content-Type": "text/xml"}},
        {"content": b"--B\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=B"}},
        {"content": b"--B--\r\n", "headers": {"Content-Type": "multipart/form-data"}},
        {"files": [("1.jpg", ("1.jpg", b"x", "image/jpeg"))]},
        {"files": [("xml_submission_file", form["xml_submission_file"]), *[("a", (None, "b"))] * 300]},
        {"files": [("xml_submission_file", form["xml_submission_file"]), ("*isIncomplete*", (None, "y" * 200))]},
    ]
    for one in asked:
        told = {**one, "headers": headers | one.get("headers", {})}
        answer = await client.post("/openrosa/submission", **told)
        assert (answer.status_code, bool(message(answer))) == (400, True), one


async def test_a_file_that_is_too_large_does_not_hold_up_the_visit_and_a_flood_is_not_read(
    client: Client, tmp_path: Path
) -> None:
    xml = filled(instance(), issue=problem(issue_photo="1.jpg"))
    large = await collect.post(client, MEMBER, xml, {"1.jpg": b"x" * 26_000_000})
    assert (large.status_code, message(large)) == (
        201,
        "已收到走访，问题编号 10001，这些文件不是能用的照片，没有保存：1.jpg",
    )
    flood = await collect.post(client, MEMBER, xml, {f"{at}.jpg": b"x" * 26_000_000 for at in range(4)})
    assert (flood.status_code, bool(message(flood))) == (413, True)
    assert not list((tmp_path / "data").rglob("uploads/*")), "nothing is left of either"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "nothing", 404), ("GET", "submission", 405), ("POST", "formList", 405)]
)
async def test_what_is_not_there_is_told_in_the_same_words(shared: Client, method: str, path: str, status: int) -> None:
    answer = await shared.request(method, f"/openrosa/{path}", headers=basic(MEMBER.token))
    assert (answer.status_code, bool(message(answer))) == (status, True)


async def test_who_presents_no_device_is_asked_for_one(client: Client) -> None:
    """Collect's first request comes without a password, and is not held against it; wrong ones are."""
    for headers in ({}, {"Authorization": "Digest x"}, basic("wrong"), basic(f"zs_{DISTRICT}_" + "A" * 43)):
        answer = await client.head("/openrosa/submission", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic realm=")
        assert answer.headers["x-openrosa-version"] == "1.0"
    for _ in range(20):
        assert (await client.head("/openrosa/submission")).status_code == 401
    statuses = [(await client.head("/openrosa/submission", headers=basic("wrong"))).status_code for _ in range(10)]
    assert statuses[-1] == 429
    right = await client.head("/openrosa/submission", headers=basic(MEMBER.token, "任意名字"))
    assert right.status_code == 204, "who holds a token is not kept waiting by the failures of others"
    assert right.headers["location"].endswith("/openrosa/submission")


async def test_a_device_that_was_signed_out_files_no_more(client: Client, conn: asyncpg.Connection) -> None:
    xml = filled(instance())
    await conn.execute("update access_token set revoked_at = now() where member = $1", MEMBER.id)
    assert (await collect.post(client, MEMBER, xml)).status_code == 401


@pytest.mark.parametrize(
    ("base", "host", "forwarded", "status"),
    [
        ("http://visits.example", "192.0.2.7", {}, 403),
        ("http://visits.example", "127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}, 403),
        ("http://visits.example", "127.0.0.1", {}, 204),
        ("http://visits.example", "::1", {}, 204),
        ("https://visits.example", "192.0.2.7", {}, 204),
    ],
)
async def test_a_token_goes_over_tls_alone(
    dsn: str, clock: TestClock, base: str, host: str, forwarded: dict[str, str], status: int
) -> None:
    app = create_app(Settings(database_url=dsn, pool_size=4), clock, RING)
    transport = httpx.ASGITransport(app, client=(host, 1))  # type: ignore[arg-type]
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url=base) as client:
        answer = await client.head("/openrosa/submission", headers=basic(MEMBER.token) | forwarded)
        assert answer.status_code == status
        refused = await client.get("/openrosa/formList", headers=basic(MEMBER.token) | forwarded)
        assert refused.status_code == (200 if status == 204 else 403)


async def test_a_second_factor_that_is_due_is_due_here_as_well(dsn: str, clock: TestClock) -> None:
    async with serving(Settings(database_url=dsn, second_factor_roles=("member",)), clock) as client:
        answer = await collect.post(client, MEMBER, filled(instance()))
        assert answer.status_code == 201, "a token made on the command line has none to give"


async def test_a_flood_of_one_person_is_slowed_down(dsn: str, clock: TestClock) -> None:
    async with serving(Settings(database_url=dsn, filing_burst=500, filing_per_minute=1), clock) as client:
        xml = filled(instance())
        answers = [
            answer.status_code
            for _ in range(11)
            for answer in await asyncio.gather(*(collect.post(client, MEMBER, xml) for _ in range(50)))
        ]
        assert answers.count(429) == 50

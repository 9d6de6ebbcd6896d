"""The forms that the product ships, as Collect would fetch, fill in and send them, over a real socket as well."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import asyncpg
import msgspec
import pytest
import uvicorn

from api.app import create_app
from api.settings import Settings
from surveys.collect import visit_form
from tests import collect, doors
from tests.collect import basic, filled, instance, message, problem
from tests.conftest import ADMINISTRATOR, MEMBER, RING, Client, TestClock, serving
from tests.photographs import photo

pytestmark = pytest.mark.anyio

XFORMS = "{http://www.w3.org/2002/xforms}"
PHOTO = photo(320, 240)
TOLD = {
    "visit_started_at": "2026-11-23T11:20:00.000+08:00",
    "visit_ended_at": "2026-11-23T11:30:00.000+08:00",
    "visit_found_kind": "shop",
    "visit_found_name": "老王面馆",
    "visit_outcome": "met",
    "visit_position": "34.705 113.605 0 12",
    "visit_problems": "yes",
    "issue_category": "0102",
    "issue_title": "门口垃圾成堆",
    "issue_photo": "issue.jpg",
    "trading": "usual",
    "staff": "3",
    "difficulties": "rent parking",
    "difficulty_details": "房租上涨",
    "street_problems": "rubbish",
    "street_photo": "street.jpg",
    "call_back": "no",
}
ANSWERS = {
    "trading": "usual",
    "staff": 3,
    "difficulties": ["rent", "parking"],
    "difficulty_details": "房租上涨",
    "street_problems": ["rubbish"],
    "street_photo": {"name": "street.jpg"},
    "call_back": "no",
}


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Settings:
    return Settings(database_url=dsn, pool_size=4, data=tmp_path / "data")


@pytest.fixture
async def client(settings: Settings, clock: TestClock) -> AsyncIterator[Client]:
    async with serving(settings, clock) as opened:
        yield opened


def fill(form: str, told: dict[str, str]) -> tuple[bytes, str]:
    """The form's own instance, filled in by the names of its questions, without the templates of its repeats."""
    root = ElementTree.fromstring(form)  # noqa: S314 -- of our own making
    model = next(node for node in root.iter(f"{XFORMS}instance") if node.get("id") is None)
    data: Element = model[0]
    for child in list(data):
        if any(name.endswith("template") for name in child.attrib):
            data.remove(child)
    for node in data.iter():
        node.text = told.get(node.tag.rpartition("}")[2], node.text)
    id_ = instance()
    next(node for node in data.iter() if node.tag.endswith("instanceID")).text = id_
    return ElementTree.tostring(data), id_


async def test_a_shipped_form_is_fetched_filled_in_and_filed_with_typed_answers(
    client: Client, conn: asyncpg.Connection
) -> None:
    installed = await client.post("/api/questionnaires/shipped", json={}, headers=ADMINISTRATOR.headers, timeout=60)
    assert installed.status_code == 200
    listed = collect.elements(await collect.get(client, MEMBER, "formList"), "xform")
    assert {form["formID"] for form in listed} == {"visit", "visit-shop", "visit-enterprise", "visit-household"}
    for form in listed:
        told = (await client.get(form["downloadUrl"], headers=basic(MEMBER.token))).text
        assert all(f"<{row['name']}" in told for row in visit_form.SURVEY if row["type"].startswith("select"))
        assert f'version="{form["version"]}"' in told
    shop = next(form for form in listed if form["formID"] == "visit-shop")
    xml, id_ = fill((await client.get(shop["downloadUrl"], headers=basic(MEMBER.token))).text, TOLD)
    answer = await collect.post(client, MEMBER, xml, {"street.jpg": PHOTO, "issue.jpg": PHOTO})
    assert (answer.status_code, message(answer)) == (201, "已收到走访，问题编号 10001")
    visit = id_.removeprefix("uuid:")
    assert (await doors.read(client, MEMBER, f"/api/visits/{visit}"))["visit"]["flags"] == []
    written = await conn.fetchval("select body->>'answers' from text_version where subject = $1", UUID(visit))
    assert msgspec.json.decode(written)["values"] == ANSWERS
    assert tuple(await conn.fetchrow("select questionnaire, via from visit") or ()) == ("shop", "collect")


async def test_an_edit_of_answers_is_held_to_their_questions(client: Client, conn: asyncpg.Connection) -> None:
    await client.post("/api/questionnaires/shipped", json={}, headers=ADMINISTRATOR.headers, timeout=60)
    listed = collect.elements(await collect.get(client, MEMBER, "formList", formID="visit-shop"), "xform")
    form = (await client.get(listed[0]["downloadUrl"], headers=basic(MEMBER.token))).text
    xml, id_ = fill(form, TOLD)
    assert (await collect.post(client, MEMBER, xml, {"street.jpg": PHOTO, "issue.jpg": PHOTO})).status_code == 201
    edit, _ = fill(form, TOLD | {"staff": "5", "street_photo": "other.jpg"})
    deprecated = f"<deprecatedID>{id_}</deprecatedID>".encode()
    end = edit.rindex(b"instanceID>") + len(b"instanceID>")
    answer = await collect.post(client, MEMBER, edit[:end] + deprecated + edit[end:], {"other.jpg": PHOTO})
    assert (answer.status_code, message(answer)) == (201, "已修改")
    bodies = await conn.fetch(
        "select body->>'answers' as told from text_version where subject = $1 order by version",
        UUID(id_.removeprefix("uuid:")),
    )
    staff: list[Any] = [msgspec.json.decode(row["told"])["values"]["staff"] for row in bodies]
    assert staff == [3, 5], "what was filed first stays readable"


async def test_it_speaks_so_over_a_real_socket(settings: Settings, clock: TestClock) -> None:
    """With a body in chunks, of which nobody said how long it is, and one Date, as the protocol asks for."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(create_app(settings, clock, RING), log_config=None))
        running = asyncio.create_task(server.serve([listening]))
        async with Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", trust_env=False) as client:
            while not server.started:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            asked = await client.head("/openrosa/submission", headers=basic(MEMBER.token))
            xml = filled(instance(), issue=problem(issue_photo="1.jpg"))
            request = client.build_request(
                "POST",
                "/openrosa/submission",
                files=[
                    ("1.jpg", ("1.jpg", PHOTO, "image/jpeg")),
                    ("xml_submission_file", ("visit.xml", xml, "text/xml")),
                ],
            )
            body, kind = request.read(), request.headers["content-type"]

            async def pieces() -> AsyncIterator[bytes]:
                for at in range(0, len(body), 700):
                    yield body[at : at + 700]

            headers = basic(MEMBER.token) | {"Content-Type": kind, "Date": "Mon, 23 Nov 2026 04:00:00 GMT"}
            answer = await client.post("/openrosa/submission", content=pieces(), headers=headers)
        server.should_exit = True
        await running
    assert (asked.status_code, answer.status_code) == (204, 201)
    assert message(answer) == "已收到走访，问题编号 10001"
    for one in (asked, answer):
        assert len(one.headers.get_list("date")) == 1
        assert one.headers["x-openrosa-version"] == "1.0"

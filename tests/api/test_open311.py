"""A city app reports for residents by Open311 GeoReport v2: within its scope, once, so many a day, and learns no more
of it than a resident would."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree

import asyncpg
import httpx
import pytest
from defusedxml.ElementTree import fromstring
from georeport import GeoReport

from api import database
from api.settings import Settings
from tests import doors, drafts
from tests.conftest import (
    ADMINISTRATOR,
    DISPATCHER,
    DISTRICT,
    FAR,
    HANDLER,
    LEADER,
    NEAR,
    WORKER,
    Client,
    Server,
    TestClock,
    found_district,
    founded,
    serving,
)
from tests.web.conftest import served

pytestmark = pytest.mark.anyio

AT = "/open311/v2"
TWIN = 110101
NAME, PHONE, MAIL = "欧阳秀英", "13912345678", "xiuying@mail.example"
REPORT = {"service_code": "0102", "lat": "34.705", "long": "113.605", "description": "门口垃圾成堆\n已经三天没人清了"}
HOSTILE = "<img src=x onerror=alert(1)> ${7*7} =cmd() ]]>&\x0b"


async def registered(client: Client, **more: Any) -> str:
    """The key of a new city app."""
    draft = {"id": str(uuid4()), "name": "城市通"} | more
    made = await client.post("/api/integrations", json=draft, headers=ADMINISTRATOR.headers)
    key: str = doors.answered(made, 201)["key"]
    return key


def bearing(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def filed(client: Client, key: str, status: int = 201, **more: Any) -> Any:
    answer = await client.post(f"{AT}/requests.json", data={"api_key": key} | REPORT | more)
    assert answer.status_code == status, answer.text
    return answer.json()[0]


async def standing(client: Client, key: str, number: str) -> Any:
    answer = await client.get(f"{AT}/requests/{number}.json", headers=bearing(key))
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()
    return found


def wrong(answer: httpx.Response, status: int, said: str = "") -> None:
    """Refused as GeoReport has it."""
    assert answer.status_code == status, answer.text
    (error,) = answer.json()
    assert error["code"] == status
    assert said in error["description"]


async def test_a_report_lives_as_any_issue_and_its_app_reads_where_it_stands(client: Client, clock: TestClock) -> None:
    key = await registered(client)
    made = await filed(client, key, first_name="秀英", last_name="欧阳", phone=PHONE)
    found = await standing(client, key, made["service_request_id"])
    assert (found["status"], found["service_code"], found["service_name"]) == ("open", "0102", "垃圾成堆")
    assert found["status_notes"].startswith("已登记，等待受理；")
    assert (found["lat"], found["long"], found["address"]) == (34.705, 113.605, "近邻社区")
    assert found["description"] == REPORT["description"]
    assert found["agency_responsible"] == "城管局"

    (listed,) = (await doors.read(client, WORKER, "/api/issues"))["items"]
    assert (listed["number"], listed["owner"]["id"]) == (made["service_request_id"], str(WORKER.id))
    detail = await doors.issue(client, WORKER, listed["id"])
    assert detail["contact"] == {"name": "欧**", "phone": "139****5678"}
    assert detail["history"][0]["actor"]["kind"] == "program"

    clock.forward(hours=1)
    await doors.move(client, WORKER, listed["id"], drafts.move("accept", 1))
    clock.forward(hours=1)
    await doors.move(client, HANDLER, listed["id"], drafts.move("start", 2))
    await doors.move(client, HANDLER, listed["id"], drafts.move("resolve", 3, reason="已清运", evidence=drafts.PROOF))
    done = await standing(client, key, made["service_request_id"])
    assert done["status"] == "closed"
    assert "已清运" not in str(done), "what was written inside stays inside"
    assert done["updated_datetime"] > found["updated_datetime"]
    assert done["expected_datetime"] is None


async def test_the_same_report_under_its_own_name_is_one_however_often_it_comes(client: Client) -> None:
    key = await registered(client)
    first = await filed(client, key, external_id="city-1")
    assert await filed(client, key, 200, external_id="city-1") == first
    wrong(
        await client.post(
            f"{AT}/requests.json", data={"api_key": key, "external_id": "city-1"} | REPORT | {"description": "别的"}
        ),
        409,
    )
    together = await asyncio.gather(
        *[client.post(f"{AT}/requests.json", data={"api_key": key, "external_id": "city-2"} | REPORT) for _ in range(6)]
    )
    assert sorted(one.status_code for one in together) == [200] * 5 + [201]
    assert len({one.json()[0]["service_request_id"] for one in together}) == 1
    other = await registered(client, name="别的应用")
    assert (await filed(client, other, external_id="city-1")) != first, "each app has names of its own"
    assert (await doors.read(client, LEADER, "/api/issues"))["total"] == 3


async def test_an_app_sees_what_it_filed_and_its_whole_scope_only_where_it_is_let(client: Client) -> None:
    key, nosy = await registered(client), await registered(client, name="一张图", sees="scope")
    narrow = await registered(client, name="社区通", scope_kind="community", scope=FAR, sees="scope")
    made = await filed(client, key, first_name="秀英", last_name="欧阳")
    number = made["service_request_id"]
    wrong(await client.get(f"{AT}/requests/{number}.json", headers=bearing(narrow)), 404)
    seen = await standing(client, nosy, number)
    assert (seen["status"], seen["address"]) == ("open", "近邻社区")
    assert (seen["description"], seen["lat"], seen["long"]) == (None, None, None)
    own = await filed(client, nosy)
    listed = (await client.get(f"{AT}/requests.json", headers=bearing(key))).json()
    assert [one["service_request_id"] for one in listed] == [number]
    listed = (await client.get(f"{AT}/requests.json", headers=bearing(nosy))).json()
    assert {one["service_request_id"] for one in listed} == {own["service_request_id"], number}


async def test_a_scope_holds_for_what_is_filed_too(client: Client) -> None:
    far = await registered(client, scope_kind="community", scope=FAR)
    street = await registered(client, scope_kind="street", scope="410103001")
    wrong(await client.post(f"{AT}/requests.json", data={"api_key": far} | REPORT), 403, "服务范围")
    assert await filed(client, far, lat="34.705", long="113.625")
    assert await filed(client, street)
    nowhere = {name: value for name, value in REPORT.items() if name not in ("lat", "long")}
    wrong(await client.post(f"{AT}/requests.json", data={"api_key": street} | nowhere), 400, "lat")
    wrong(
        await client.post(f"{AT}/requests.json", data={"api_key": street, "address_string": "不知道哪里"} | nowhere),
        403,
    )
    named = {"api_key": street, "address_id": NEAR, "address_string": "淮河路 1 号"} | nowhere
    assert (await client.post(f"{AT}/requests.json", data=named)).status_code == 201
    refused = await client.post(
        "/api/integrations",
        json={"id": str(uuid4()), "name": "x", "scope_kind": "street", "scope": "999"},
        headers=ADMINISTRATOR.headers,
    )
    doors.refused(refused, 422, "unknown_street", "scope")


async def test_a_day_has_so_many_reports_and_the_next_day_again(client: Client, clock: TestClock) -> None:
    key = await registered(client, daily_limit=2)
    await filed(client, key)
    await filed(client, key, external_id="again")
    refused = await client.post(f"{AT}/requests.json", data={"api_key": key} | REPORT)
    wrong(refused, 429, "2")
    assert int(refused.headers["retry-after"]) == 12 * 3600, "the district's day ends at midnight"
    assert await filed(client, key, 200, external_id="again"), "a retry is no further report"
    clock.forward(hours=12)
    await filed(client, key)


async def test_a_key_is_shown_once_renewed_and_revoked(client: Client, conn: asyncpg.Connection) -> None:
    id_ = str(uuid4())
    key = await registered(client, id=id_)
    listed = await doors.read(client, ADMINISTRATOR, "/api/integrations")
    assert key not in str(listed)
    assert not await conn.fetchval("select exists (select from integration i where i::text like '%' || $1 || '%')", key)
    renewed = await client.post(f"/api/integrations/{id_}/key", json={}, headers=ADMINISTRATOR.headers)
    new = doors.answered(renewed, 200)["key"]
    wrong(await client.post(f"{AT}/requests.json", data={"api_key": key} | REPORT), 403)
    made = await filed(client, new)
    revoked = await client.post(f"/api/integrations/{id_}/revoke", json={}, headers=ADMINISTRATOR.headers)
    assert revoked.status_code == 204
    wrong(await client.get(f"{AT}/requests/{made['service_request_id']}.json", headers=bearing(new)), 403)
    for path in ("key", "revoke"):
        again = await client.post(f"/api/integrations/{id_}/{path}", json={}, headers=ADMINISTRATOR.headers)
        doors.refused(again, 409, "integration_revoked")
    assert (await doors.read(client, LEADER, "/api/issues"))["total"] == 1, "what it filed stays"
    events = await conn.fetch(
        "select event, facts from history where kind = 'installation' order by recorded_at, event"
    )
    assert [event["event"] for event in events] == [
        "integration_key_renewed", "integration_registered", "integration_revoked",
    ]  # fmt: skip
    assert all(event["facts"]["integration"] == id_ for event in events)
    doors.refused(await client.get("/api/issues", headers=bearing(new)), 401, "not_signed_in")


async def test_what_names_a_resident_is_nowhere_but_sealed(
    client: Client, conn: asyncpg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    key = await registered(client)
    person: dict[str, Any] = {"first_name": "秀英", "last_name": "欧阳", "phone": PHONE, "email": MAIL}
    more: dict[str, Any] = {
        "device_id": "dev-77",
        "account_id": "acc-88",
        "media_url": "https://photos.example/secret.jpg",
    }
    made = await filed(client, key, **person, **more)
    assert "照片" in made["service_notice"]
    told = str(await standing(client, key, made["service_request_id"]))
    printed = capsys.readouterr()
    tables = await conn.fetch("select tablename from pg_tables where schemaname = 'public'")
    for word in (NAME, PHONE, MAIL, "dev-77", "acc-88", "secret.jpg", key):
        assert word not in told
        assert word not in printed.out + printed.err
        for table in tables:
            held = f"select exists (select from {table['tablename']} t where t::text like '%' || $1 || '%')"
            assert not await conn.fetchval(held, word), f"{word} in {table['tablename']}"


async def test_a_text_that_means_harm_comes_back_as_text_in_both_forms(client: Client) -> None:
    key = await registered(client)
    made = await filed(client, key, description=HOSTILE)
    number = made["service_request_id"]
    assert (await standing(client, key, number))["description"] == HOSTILE.strip()
    answer = await client.get(f"{AT}/requests/{number}.xml", headers=bearing(key))
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    root = fromstring(answer.text)
    assert root.tag == "service_requests"
    assert root.findtext("request/description") == HOSTILE.replace("\x0b", "").strip()
    assert root.findtext("request/service_request_id") == number


async def test_every_question_has_its_answer_in_xml_too(client: Client) -> None:
    key = await registered(client)
    made = fromstring((await client.post(f"{AT}/requests.xml", data={"api_key": key} | REPORT)).text)
    number = made.findtext("request/service_request_id")
    for path, root, inside in (
        ("discovery", "discovery", "endpoints/endpoint/formats/format"),
        ("services", "services", "service/service_code"),
        ("services/0102", "service_definition", "attributes/attribute/values/value/key"),
        ("requests", "service_requests", "request/status"),
        (f"requests/{number}", "service_requests", "request/status_notes"),
    ):
        answer = await client.get(f"{AT}/{path}.xml", headers=bearing(key))
        found: ElementTree.Element = fromstring(answer.text)
        assert found.tag == root
        assert found.findtext(inside), path
    refused = fromstring((await client.get(f"{AT}/requests/999.xml", headers=bearing(key))).text)
    assert (refused.tag, refused.findtext("error/code")) == ("errors", "404")


async def test_services_are_what_a_resident_can_report_in(client: Client) -> None:
    services = (await client.get(f"{AT}/services.json", params={"jurisdiction_id": str(DISTRICT)})).json()
    assert [(one["service_code"], one["group"]) for one in services] == [("0102", "市容环境"), ("0103", "市容环境")]
    definition = (await client.get(f"{AT}/services/0102.json")).json()
    assert [value["key"] for value in definition["attributes"][0]["values"]] == ["normal", "urgent"]
    for code in ("01", "0199", "nothing"):
        wrong(await client.get(f"{AT}/services/{code}.json"), 404)
    wrong(await client.get(f"{AT}/services.json", params={"jurisdiction_id": "nowhere"}), 404, "jurisdiction_id")
    key = await registered(client)
    await filed(client, key, 201, **{"attribute[urgency]": "urgent"})
    assert (await doors.read(client, LEADER, "/api/issues"))["items"][0]["urgency"] == "urgent"


async def test_a_token_leads_to_the_number(client: Client) -> None:
    key = await registered(client)
    made = await filed(client, key)
    issue = (await doors.read(client, LEADER, "/api/issues"))["items"][0]["id"]
    found = (await client.get(f"{AT}/tokens/{issue}.json", headers=bearing(key))).json()
    assert found == [{"service_request_id": made["service_request_id"], "token": issue}]
    other = await registered(client, name="别的")
    for who, token in ((other, issue), (key, str(uuid4())), (key, "x")):
        wrong(await client.get(f"{AT}/tokens/{token}.json", headers=bearing(who)), 404)


async def test_requests_are_asked_for_by_time_service_state_and_number(client: Client, clock: TestClock) -> None:
    key = await registered(client)
    first = (await filed(client, key))["service_request_id"]
    clock.forward(days=80)
    second = (await filed(client, key, service_code="0103"))["service_request_id"]
    clock.forward(days=30)

    async def found(**asked: str) -> list[str]:
        answer = await client.get(f"{AT}/requests.json", params=asked, headers=bearing(key))
        assert answer.status_code == 200, answer.text
        return [one["service_request_id"] for one in answer.json()]

    assert await found() == [second], "the last ninety days"
    assert await found(start_date="2026-11-23T00:00:00Z", end_date="2026-12-01T00:00:00Z") == [first]
    assert await found(service_request_id=f"{first},{second},999") == [second, first]
    assert await found(service_code="0102,0103") == [second]
    assert await found(service_code="0102") == []
    assert await found(status="open") == [second]
    assert await found(status="closed") == []
    assert await found(page_size="1", page="2") == []


async def test_a_merged_request_stands_where_its_survivor_does(client: Client) -> None:
    key = await registered(client)
    numbers = [(await filed(client, key))["service_request_id"] for _ in range(2)]
    items = {item["number"]: item["id"] for item in (await doors.read(client, LEADER, "/api/issues"))["items"]}
    survivor, merged = items[numbers[0]], items[numbers[1]]
    await doors.move(client, DISPATCHER, merged, drafts.move("merge", 1, to=survivor, reason="同一件事"))
    assert (await standing(client, key, numbers[1]))["status"] == "open"
    await doors.move(client, DISPATCHER, survivor, drafts.move("reject", 2, reason="不归本区"))
    assert (await standing(client, key, numbers[1]))["status"] == "closed"
    listed = await client.get(f"{AT}/requests.json", params={"status": "closed"}, headers=bearing(key))
    assert {one["service_request_id"] for one in listed.json()} == set(numbers)


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        ({"service_code": "nothing"}, 400, "service_code"),
        ({"service_code": ""}, 400, "service_code"),
        ({"service_code": "0199"}, 400, "service_code"),
        ({"lat": "91"}, 400, "lat"),
        ({"lat": "113.605", "long": "34.705"}, 400, "lat"),
        ({"lat": "nan"}, 400, "lat"),
        ({"long": ""}, 400, "long"),
        ({"lat": "north"}, 400, "lat"),
        ({"phone": "call me"}, 400, "phone"),
        ({"description": "x" * 2_001}, 400, "description"),
        ({"address_id": "999"}, 400, "address_id"),
        ({"attribute[urgency]": "mortal"}, 400, "urgency"),
        ({"attribute[colour]": "red"}, 400, "attribute[colour]"),
        ({"description": "a\x00b"}, 400, "description"),
        ({"jurisdiction_id": "nowhere"}, 404, "jurisdiction_id"),
        ({"api_key": "x"}, 403, ""),
        ({"api_key": f"za_{DISTRICT}_{'Z' * 43}"}, 403, ""),
        ({"api_key": ADMINISTRATOR.token}, 403, ""),
    ],
)
async def test_what_cannot_be_filed_is_told_and_leaves_nothing(
    client: Client, conn: asyncpg.Connection, sent: dict[str, str], status: int, said: str
) -> None:
    key = await registered(client)
    before = await doors.written(conn)
    wrong(await client.post(f"{AT}/requests.json", data={"api_key": key} | REPORT | sent), status, said)
    assert await doors.written(conn) == before


async def test_bodies_and_addresses_that_do_not_fit_are_each_told(client: Client) -> None:
    key = await registered(client)
    post = f"{AT}/requests.json"
    wrong(await client.post(post, json=REPORT, headers=bearing(key)), 415, "x-www-form-urlencoded")
    wrong(await client.post(post, files={"media": b"x"}, data=REPORT, headers=bearing(key)), 415)
    form = {"Content-Type": "application/x-www-form-urlencoded"} | bearing(key)
    wrong(await client.post(post, content=b"description=" + b"x" * 10_000_000, headers=form), 413)
    wrong(await client.post(post, content=b"description=%ff%fe", headers=form), 400)
    wrong(await client.post(post, content=b"a=1&" * 200, headers=form), 400)
    wrong(await client.get(f"{AT}/requests.json", params={"api_key": key}), 400, "Authorization")
    wrong(await client.get(f"{AT}/requests.json"), 403)
    for asked, field in (
        ({"status": "lost"}, "status"),
        ({"start_date": "yesterday"}, "start_date"),
        ({"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-11-01T00:00:00Z"}, "start_date"),
        ({"service_request_id": "x"}, "service_request_id"),
        ({"page_size": "0"}, "page_size"),
        ({"nonsense": "1"}, "nonsense"),
    ):
        wrong(await client.get(f"{AT}/requests.json", params=asked, headers=bearing(key)), 400, field)
    for path in ("requests/1", "requests/1.pdf", "services/0102", "nothing.json", "requests/.json"):
        assert (await client.get(f"{AT}/{path}", headers=bearing(key))).status_code == 404
    over = await client.get(f"{AT}/requests.json", headers=bearing(key) | {"X-Forwarded-For": "203.0.113.9"})
    wrong(over, 403, "https")


async def test_a_key_of_another_district_reaches_nothing_here(server: Server, template: str) -> None:
    async with founded(server, template) as dsn, serving(Settings(database_url=dsn), TestClock()) as client:
        owner = await database.connect(dsn)
        await found_district(owner, TWIN)
        await owner.close()
        here = await registered(client)
        draft = {"id": str(uuid4()), "name": "外区", "sees": "scope"}
        made = await client.post("/api/integrations", json=draft, headers=ADMINISTRATOR.headers_in(TWIN))
        there = doors.answered(made, 201)["key"]
        number = (await filed(client, here))["service_request_id"]
        wrong(await client.get(f"{AT}/requests/{number}.json", headers=bearing(there)), 404)
        asked = await client.get(
            f"{AT}/requests.json", params={"jurisdiction_id": str(DISTRICT)}, headers=bearing(there)
        )
        wrong(asked, 404, "jurisdiction_id")
        wrong(await client.get(f"{AT}/services.json"), 400, "jurisdiction_id")


@pytest.fixture
async def site(dsn: str) -> AsyncIterator[str]:
    async with served(Settings(database_url=dsn)) as address:
        yield address


@pytest.mark.parametrize("form", ["json", "xml"])
async def test_a_client_from_pypi_reads_us(site: str, form: str) -> None:
    """The package georeport, which knows keys only for filing: the key stands in the address that it is given, and goes
    as the password of Basic authentication."""
    async with Client(base_url=site) as client:
        key = await registered(client)
        numbers = [(await filed(client, key))["service_request_id"] for _ in range(2)]
    root = site.replace("http://", f"http://app:{key}@") + AT
    city = GeoReport(root, jurisdiction=str(DISTRICT), output_format=form)
    services = await asyncio.to_thread(city.get_service_list)
    assert [one["service_code"] for one in services] == ["0102", "0103"]
    definition = await asyncio.to_thread(city.get_service_definition, "0102")
    assert definition["service_code"] == "0102"
    listed = await asyncio.to_thread(city.get_service_requests, status="open")
    assert {one["service_request_id"] for one in listed} == set(numbers)
    one = await asyncio.to_thread(city.get_service_request, numbers[0])
    assert one["status"] == "open"

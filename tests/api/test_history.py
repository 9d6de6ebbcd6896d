"""The auditor's list: who did what, found by person, thing, kind and day, and nothing of what was written."""

import csv
import io
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from surveys import history
from surveys.history import Actor
from tests import doors, drafts
from tests.conftest import ADMINISTRATOR, AUDITOR, DISTRICT, LEADER, MEMBER, NOW, WORKER, Client, Person, TestClock

pytestmark = pytest.mark.anyio

Json = dict[str, Any]


async def listed(client: Client, query: str = "", who: Person = AUDITOR, status: int = 200) -> Json:
    answer = await client.get(f"/api/history{query}", headers=who.headers)
    assert answer.status_code == status, answer.text
    body: Json = answer.json()
    return body


def events(page: Json) -> list[str]:
    return [f"{one['kind']}.{one['event']}" for one in page["items"]]


async def happened(
    conn: asyncpg.Connection, event: str, at: timedelta, about: Person | None = None, by: Person = MEMBER
) -> UUID:
    row = history.occurrence(
        district=DISTRICT,
        kind="access",
        event=event,
        actor=Actor("member", str(by.id)),
        now=NOW - at,
        about=about.id if about else None,
    )
    await history.append(conn, [row], [])
    id_: UUID = row["id"]  # type: ignore[assignment]
    return id_


@pytest.fixture
async def story(client: Client, clock: TestClock) -> Json:
    """A visit with an issue, which a community worker accepts."""
    draft = drafts.visit(note="有人在家,电话 13812341234", issues=[drafts.issue(title="门口垃圾成堆")])
    await doors.file(client, MEMBER, draft)
    clock.forward(minutes=1)
    await doors.move(client, WORKER, draft["issues"][0]["id"], drafts.move("accept", 1, reason="马上去看"))
    return draft


async def test_the_newest_come_first_with_names_and_without_texts_or_places(client: Client, story: Json) -> None:
    page = await listed(client)
    assert events(page)[0] == "issue.accept"
    assert set(events(page)[1:3]) == {"issue.report", "visit.file"}
    accept = page["items"][0]
    assert accept["actor"] == {"kind": "member", "id": str(WORKER.id), "number": WORKER.number, "name": WORKER.name}
    assert accept["subject"]["id"] == story["issues"][0]["id"]
    assert accept["subject"]["number"].isdigit()
    assert accept["facts"]["state"] == "accepted"
    assert "reason_digest" in accept["facts"]
    text = str(page)
    for hidden in ("垃圾", "马上去看", "有人在家", "13812341234", "position", "'lon'", "'lat'", "幸福路"):
        assert hidden not in text, hidden


@pytest.mark.parametrize("who", [LEADER, MEMBER, WORKER])
async def test_who_is_no_auditor_is_refused_as_list_as_file_and_as_page(client: Client, who: Person) -> None:
    for path in ("/api/history", "/api/history.csv", "/api/history.xlsx", "/audit"):
        assert (await client.get(path, headers=who.headers)).status_code == 403, path


async def test_an_administrator_reads_it_too(client: Client, story: Json) -> None:
    assert (await listed(client, who=ADMINISTRATOR))["total"] >= 3


async def test_a_person_is_found_as_who_did_it_and_as_whom_it_is_about(
    client: Client, conn: asyncpg.Connection, story: Json
) -> None:
    await happened(conn, "signed_in", timedelta(hours=3), about=LEADER, by=LEADER)
    await happened(conn, "code_issued", timedelta(hours=2), about=MEMBER, by=ADMINISTRATOR)
    for said in (MEMBER.number, str(MEMBER.id), f" {MEMBER.number} "):
        page = await listed(client, f"?person={said}")
        assert set(events(page)) == {"visit.file", "issue.report", "access.code_issued"}
        assert page["total"] == 3
    about = await listed(client, f"?about={MEMBER.id}")
    assert events(about) == ["access.code_issued"]
    assert about["items"][0]["subject"] == {"id": str(MEMBER.id), "number": MEMBER.number, "name": MEMBER.name}
    assert (await listed(client, "?person=nobody", status=422))["code"] == "unknown_member"


async def test_a_thing_is_found_by_its_id_and_an_issue_by_its_number(
    client: Client, conn: asyncpg.Connection, story: Json
) -> None:
    issue = story["issues"][0]["id"]
    number = await conn.fetchval("select number from issue where id = $1", UUID(issue))
    for said in (issue, str(number), f"%23{number}"):
        assert events(await listed(client, f"?thing={said}")) == ["issue.accept", "issue.report"], said
    assert (await listed(client, "?thing=1", status=404))["field"] == "thing"
    assert (await listed(client, "?thing=x", status=422))["code"] == "invalid_filter"


async def test_kinds_events_and_days_narrow_one_another(client: Client, conn: asyncpg.Connection, story: Json) -> None:
    await happened(conn, "signed_in", timedelta(days=2))
    await happened(conn, "signed_out", timedelta(days=1))
    assert events(await listed(client, "?kind=access")) == ["access.signed_out", "access.signed_in"]
    assert events(await listed(client, "?kind=access&kind=visit&event=signed_in&event=file")) == [
        "visit.file",
        "access.signed_in",
    ]
    yesterday = (NOW - timedelta(days=1)).date()
    assert events(await listed(client, f"?from={yesterday}&to={yesterday}")) == ["access.signed_out"]
    assert events(await listed(client, f"?kind=access&to={yesterday - timedelta(days=1)}")) == ["access.signed_in"]
    for wrong in ("kind=nothing", "from=yesterday", "acter=x", "to=0001-01-01", "person=%00", "limit=0"):
        assert (await client.get(f"/api/history?{wrong}", headers=AUDITOR.headers)).status_code == 422, wrong


async def test_pages_follow_one_another_and_their_moment_is_pinned(
    client: Client, conn: asyncpg.Connection, clock: TestClock
) -> None:
    ids = [str(await happened(conn, f"knock_{n}", timedelta(minutes=n))) for n in range(7)]
    found, query = [], "?kind=access&limit=3"
    page = await listed(client, query)
    assert page["total"] == 7
    while True:
        found += [one["id"] for one in page["items"]]
        clock.forward(minutes=1)
        late = history.occurrence(
            district=DISTRICT, kind="access", event="late", actor=Actor("program", "x"), now=clock.now
        )
        await history.append(conn, [late], [])
        if page["next"] is None:
            break
        page = await listed(client, f"{query}&cursor={page['next']}")
        assert page["total"] == 7
    assert found == ids
    first = await listed(client, query)
    assert (await listed(client, f"?kind=issue&cursor={first['next']}", status=422))["code"] == "invalid_cursor"


async def test_of_two_districts_each_has_its_own(client: Client, conn: asyncpg.Connection) -> None:
    other = history.occurrence(
        district=7, kind="access", event="elsewhere", actor=Actor("member", str(MEMBER.id)), now=NOW
    )
    await history.append(conn, [other], [])
    assert "access.elsewhere" not in events(await listed(client, f"?person={MEMBER.id}"))


async def test_it_leaves_as_a_file_and_that_is_an_event(
    client: Client, conn: asyncpg.Connection, story: Json, clock: TestClock
) -> None:
    await happened(conn, "=cmd", timedelta(hours=1), about=MEMBER)
    total = (await listed(client, f"?person={MEMBER.number}"))["total"]
    answer = await client.get(f"/api/history.csv?person={MEMBER.number}&lang=zh", headers=AUDITOR.headers)
    assert answer.status_code == 200, answer.text
    head, *rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert head[:4] == ["时间", "类别", "事件", "操作人"]
    assert len(rows) == total == 3
    assert {row[2] for row in rows} == {"上报走访", "上报问题", "'=cmd"}, "no cell begins a formula"
    assert {row[4] for row in rows} == {MEMBER.name}
    assert "垃圾" not in answer.text
    clock.forward(seconds=1)
    sheet = await client.get("/api/history.xlsx?lang=en", headers=AUDITOR.headers)
    assert sheet.content.startswith(b"PK")
    clock.forward(seconds=1)
    taken = await listed(client, "?kind=export")
    assert [one["facts"]["what"] for one in reversed(taken["items"])] == ["history.csv", "history.xlsx"]
    assert taken["items"][1]["facts"]["filters"] == {"person": str(MEMBER.id)}
    assert taken["items"][1]["facts"]["rows"] == 3
    assert taken["items"][1]["actor"]["name"] == AUDITOR.name


HTML = {"Accept": "text/html"}


async def test_the_page_says_it_in_words_of_both_languages_and_its_filters_are_its_address(
    client: Client, story: Json
) -> None:
    page = await client.get("/audit", headers=AUDITOR.headers | HTML)
    for word in ("历史记录", "受理", "上报走访", WORKER.name, "尚未封存"):
        assert word in page.text, word
    assert "垃圾" not in page.text
    english = await client.get("/audit?lang=en&kind=issue", headers=AUDITOR.headers | HTML)
    assert "Issue reported" in english.text
    assert "<strong>Visit filed</strong>" not in english.text
    clean = await client.get("/audit?person=&kind=issue&from=", headers=AUDITOR.headers | HTML)
    assert (clean.status_code, clean.headers["location"]) == (303, "/audit?kind=issue")
    empty = await client.get("/audit?kind=reveal", headers=AUDITOR.headers | HTML)
    assert "没有找到记录" in empty.text
    for wrong in ("person=9999", "from=x", "kind=x", "nothing=x", "thing=x", "cursor=x"):
        refused = await client.get(f"/audit?{wrong}", headers=AUDITOR.headers | HTML)
        assert (refused.status_code, 'role="alert"' in refused.text) == (422, True), wrong
    script = await client.get("/audit?person=<script>", headers=AUDITOR.headers | HTML)
    assert "<script>" not in script.text


async def test_the_page_says_how_far_the_history_is_sealed_and_what_is_broken(
    client: Client, conn: asyncpg.Connection, story: Json, dsn: str, owner_dsn: str, clock: TestClock
) -> None:
    from api import jobs
    from api.settings import Settings
    from tests.conftest import RING

    runner = jobs.Runner(dsn, clock, lambda: RING, Settings(database_url=dsn))
    for name in ("seal_history", "verify_history"):
        assert await runner.run_everywhere(jobs.named(name)) == ["done"]
    seals = (await listed(client))["seals"]
    assert (seals["head"]["number"], seals["broken"]) == (1, None)
    page = await client.get("/audit", headers=AUDITOR.headers | HTML)
    assert "已封存至" in page.text
    assert seals["head"]["digest"] in page.text
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute("update history set actor = 'x' where event = 'file'")
    await owner.close()
    clock.forward(days=1)
    assert await runner.run_everywhere(jobs.named("verify_history")) == ["done"]
    assert (await listed(client))["seals"]["broken"]["what"] == "changed"
    assert "有记录被改动" in (await client.get("/audit", headers=AUDITOR.headers | HTML)).text

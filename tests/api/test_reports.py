"""Briefs over HTTP: made by the schedule or when somebody asks, the same each time, in PDF and Word alike."""

import io
import re
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import docx
import msgspec
import pypdfium2
import pytest
from docx.oxml.ns import qn

from api import jobs, report_making, report_sheets
from api.jobs import Runner
from api.report_sheets import Sheet
from api.settings import Settings
from surveys.people import people
from surveys.reports import report_makings, report_periods, report_sources, reports
from surveys.reports.report_archive import Report
from tests import briefs
from tests.briefs import WEEK, ZONE, Fate
from tests.conftest import (
    DISTRICT,
    FAR,
    LEADER,
    MEMBER,
    NEAR,
    NEXT,
    NOW,
    OTHER_WORKER,
    RING,
    STREET_DISPATCHER,
    WORKER,
    Client,
    Person,
    TestClock,
    serving,
)

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

ON_MONDAY = datetime(2026, 11, 23, 8, tzinfo=ZONE)


@pytest.fixture
async def settings(dsn: str, tmp_path: Path) -> Settings:
    return Settings(database_url=dsn, data=tmp_path / "data", pool_size=4)


@pytest.fixture
async def told(conn: asyncpg.Connection, settings: Settings, clock: TestClock) -> AsyncIterator[Client]:
    """The program in a district in which two weeks passed, on the Monday after them."""
    await briefs.settle(conn, NOW - timedelta(days=1))
    clock.now = ON_MONDAY
    async with serving(settings, clock) as client:
        yield client


@pytest.fixture
def runner(settings: Settings, clock: TestClock) -> Runner:
    return Runner(settings.database_url or "", clock, lambda: RING, settings)


async def listed(client: Client, who: Person = LEADER, **asked: str) -> list[dict[str, Any]]:
    answer = await client.get("/api/reports", params=asked, headers=who.headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    assert answer.json()["total"] == len(items)
    return items


async def fetched(client: Client, report: str, format_: str, who: Person = LEADER, **asked: str) -> bytes:
    answer = await client.get(f"/api/reports/{report}/{format_}", params=asked, headers=who.headers)
    assert answer.status_code == 200, answer.text
    return answer.content


async def made(client: Client, runner: Runner, who: Person = LEADER, **wanted: object) -> str:
    """A brief that somebody asks for, once it is made."""
    answer = await client.post("/api/reports", json={"period": WEEK, **wanted}, headers=who.headers)
    assert answer.status_code == 202, answer.text
    await runner.work_off()
    (state,) = [one for one in (await client.get("/api/reports/makings", headers=who.headers)).json()["items"]
                if one["id"] == answer.json()["making"]["id"]]  # fmt: skip
    assert (state["state"], state["made"]) == ("done", state["wanted"])
    scope = str(wanted.get("scope", "district"))
    return str((await listed(client, who, period=WEEK, scope=scope))[0]["id"])


def pdf_text(content: bytes) -> str:
    """All that stands on the pages, without spaces: where a line ends is nobody's business."""
    with pypdfium2.PdfDocument(content) as document:
        text = "".join(page.get_textpage().get_text_range() for page in document)
    return re.sub(r"\s", "", text)


def word_text(content: bytes) -> str:
    """All that stands in paragraphs and tables, in their order."""
    body = docx.Document(io.BytesIO(content)).element.body
    return re.sub(r"\s", "", "".join(text.text or "" for text in body.iter(qn("w:t"))))


async def test_on_monday_there_is_a_brief_of_every_place(told: Client, runner: Runner, clock: TestClock) -> None:
    clock.now = ON_MONDAY.replace(hour=5)
    await have_scheduled(runner)
    assert await listed(told) == [], "what phones bring in the evening is waited for"
    clock.now = ON_MONDAY
    await have_scheduled(runner)
    there = await listed(told)
    assert {(one["scope_kind"], one["scope"]) for one in there} == {
        ("district", str(DISTRICT)),
        ("street", "410103001"),
        ("street", "410103002"),
        ("community", NEAR),
        ("community", NEXT),
        ("community", FAR),
    }
    assert {one["period"] for one in there} == {WEEK}, "of October there is nothing to tell"
    assert {datetime.fromisoformat(one["known_at"]) for one in there} == {ON_MONDAY}
    await have_scheduled(runner)
    assert await listed(told) == there, "once is enough"


async def have_scheduled(runner: Runner) -> None:
    """What becomes of the schedule's turn."""
    assert await runner.run_once(DISTRICT, jobs.named("schedule_reports")) == "done"
    await runner.work_off()


PLACES: list[tuple[str, dict[str, str]]] = [
    ("district", {}),
    ("street:410103001", {"street": "410103001"}),
    (f"community:{NEAR}", {"community": NEAR}),
]


async def test_each_figure_is_that_of_its_list(told: Client, runner: Runner) -> None:
    for scope, filters in PLACES:
        report = await made(told, runner, scope=scope)
        figures = (await told.get(f"/api/reports/{report}", headers=LEADER.headers)).json()["figures"]
        then = {**filters, "as_of": "2026-11-22", "known_at": figures["known_at"]}
        reported = {**then, "reported_from": "2026-11-16", "reported_to": "2026-11-22"}
        assert figures["reported"]["now"] == await total(told, **reported, rate="bounce")
        assert figures["solved"]["now"] == await total(told, **reported, group="solved")
        assert figures["overdue"]["now"] == await total(told, **then, overdue="true") == len(figures["overdue_list"])
        open_ = [await total(told, **then, group=group) for group in ("reported", "in_hand", "overdue")]
        assert figures["open"]["now"] == sum(open_)
        for line in figures["rates"]:
            assert line["now"]["denominator"] == await total(told, **reported, rate=line["rate"])
            assert line["now"]["numerator"] == await total(told, **reported, rate=line["rate"], met="yes")
    assert figures["reported"]["now"] == 9
    assert figures["resolved"]["now"] == 7, "one of them was reported the week before"


async def total(client: Client, **asked: str) -> int:
    """How many issues a list has."""
    count: int = (await client.get("/api/issues", params=asked, headers=LEADER.headers)).json()["total"]
    return count


FOOTER = re.compile(r"第\d+页，共\d+页|Page\d+of\d+")
NUMBER = re.compile(r"\d[\d,.]*")


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_pdf_word_and_figures_say_the_same(told: Client, runner: Runner, language: str) -> None:
    report = await made(told, runner)
    sheet = await sheet_of(told, report, language)
    pdf = FOOTER.sub("", pdf_text(await fetched(told, report, "pdf", lang=language)))
    document = await fetched(told, report, "docx", lang=language)
    word = word_text(document)
    for name in TABLES:
        for row in getattr(sheet, name):
            cells = [squeezed(cell) for cell in msgspec.structs.astuple(row)]
            assert "".join(cells) in pdf, "each row stands in one line"
            assert "".join(cells) in word
    for text in [*sheet.summary, *sheet.better, *sheet.worse, *sheet.notes, sheet.title, sheet.subtitle, sheet.made]:
        assert squeezed(text) in pdf
        assert squeezed(text) in word
    for row in [*sheet.overdue, *sheet.cases]:
        assert all(squeezed(cell) in pdf and squeezed(cell) in word for cell in msgspec.structs.astuple(row))
    everything = [text for name in SHOWN for text in texts_of(getattr(sheet, name))]
    numbers = Counter(number for text in everything for number in NUMBER.findall(text))
    assert Counter(NUMBER.findall("\n".join(words_of(document)))) == numbers, "nothing more, nothing less"


TABLES = ("counts", "rates", "categories", "places", "departments", "coverage")
# What the template that comes with the program shows.
SHOWN = (
    *("title", "subtitle", "data_until", "made", "version", "summary", *TABLES[:2], "better", "worse", "categories"),
    *("places_title", "places", "map_title", "map_note", "departments", "coverage", "overdue", "overdue_note", "cases"),
    *("cases_note", "notes", "digest"),
)


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def texts_of(value: Any) -> list[str]:
    rows = value if isinstance(value, list) else [value]
    return [cell for row in rows for cell in ([row] if isinstance(row, str) else msgspec.structs.astuple(row))]


def words_of(document: bytes) -> list[str]:
    """Each text of a Word file by itself."""
    return [text.text or "" for text in docx.Document(io.BytesIO(document)).element.body.iter(qn("w:t"))]


async def sheet_of(client: Client, report: str, language: str) -> Sheet:
    """The words of a brief, by what its figures are."""
    one = (await client.get(f"/api/reports/{report}", headers=LEADER.headers)).json()
    figures = msgspec.convert(one["figures"], reports.Figures)
    found = Report(id=UUID(one["id"]), figures=figures, digest=one["digest"], titles=one["titles"])
    return report_sheets.sheet(found, ZONE, language)


async def test_the_same_period_has_the_same_bytes_whatever_comes_later(
    told: Client, runner: Runner, conn: asyncpg.Connection, clock: TestClock
) -> None:
    report = await made(told, runner)
    before = {format_: await fetched(told, report, format_) for format_ in ("pdf", "docx")}
    clock.forward(days=2)
    await briefs.settle(conn, clock.now, [Fate(limit=4) for _ in range(9)], first=30001)  # of that week, known only now
    async with serving(Settings(database_url=runner._dsn), clock) as another:
        answer = await another.post("/api/reports", json={"period": WEEK}, headers=LEADER.headers)
        assert (answer.status_code, answer.json()) == (200, {"report": report})
        assert {format_: await fetched(another, report, format_) for format_ in before} == before
    anew = await made(told, runner, anew=True)
    assert anew != report
    one = (await told.get(f"/api/reports/{anew}", headers=LEADER.headers)).json()
    assert (one["figures"]["version"], one["figures"]["reported"]["now"]) == (2, 15 + 9)
    assert "第2版：重新编制" in pdf_text(await fetched(told, anew, "pdf"))
    first = (await told.get(f"/api/reports/{report}", headers=LEADER.headers)).json()["figures"]
    assert (first["version"], first["reported"]["now"]) == (1, 15)


async def test_a_month_without_data_is_told_honestly(told: Client, runner: Runner) -> None:
    answer = await told.post("/api/reports", json={"period": "2025-02"}, headers=LEADER.headers)
    assert answer.status_code == 202
    await runner.work_off()
    (one,) = await listed(told, period="2025-02")
    for content in (pdf_text(await fetched(told, one["id"], "pdf")), word_text(await fetched(told, one["id"], "docx"))):
        assert "本期没有数据" in content
        assert "三率" not in content.partition("说明")[0]


async def test_a_community_s_brief_shows_nothing_of_its_neighbour(told: Client, runner: Runner) -> None:
    report = await made(told, runner, WORKER, scope=f"community:{NEAR}")
    content = await fetched(told, report, "pdf", WORKER)
    said = pdf_text(content) + word_text(await fetched(told, report, "docx", WORKER))
    assert "近邻社区" in said
    assert not [name for name in ("隔壁社区", "远方社区", "淮河路街道", "铭功路街道", "占道经营") if name in said]
    assert await listed(told, OTHER_WORKER) == []
    for path in (f"/api/reports/{report}", f"/api/reports/{report}/pdf", f"/reports/{report}"):
        assert (await told.get(path, headers=OTHER_WORKER.headers)).status_code == 404
    refused = await told.post("/api/reports", json={"period": WEEK}, headers=WORKER.headers)
    assert refused.status_code == 404, "the district is not theirs"
    assert [one["scope"] for one in await listed(told, STREET_DISPATCHER)] == [NEAR]


async def test_shares_of_few_answers_are_told_of_nobody(told: Client, runner: Runner) -> None:
    street = await made(told, runner, scope="street:410103001")
    figures = (await told.get(f"/api/reports/{street}", headers=LEADER.headers)).json()["figures"]
    shares = {line["code"]: line["shares"]["satisfaction"] for line in figures["places"]}
    hidden = {"numerator": None, "denominator": None, "few": True}
    assert shares[NEXT] == hidden, "of two answers"
    assert shares[NEAR] == hidden, "nor what would tell it by being taken from the whole"
    assert figures["rates"][2]["now"] == {"numerator": 7, "denominator": 8, "few": False}


async def test_hostile_texts_are_texts(told: Client, runner: Runner) -> None:
    report = await made(told, runner)
    pdf, word = await fetched(told, report, "pdf"), await fetched(told, report, "docx")
    assert squeezed(briefs.HOSTILE) in pdf_text(pdf)
    assert squeezed(briefs.HOSTILE) in word_text(word)
    assert squeezed(briefs.LONG[:79]) + "…" in word_text(word)
    page = (await told.get(f"/reports/{report}", headers=LEADER.headers)).text
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


async def test_what_the_font_lacks_is_named(
    told: Client, runner: Runner, conn: asyncpg.Connection, clock: TestClock
) -> None:
    """A name that would be a box stops the making; in what somebody typed the characters are spelt out."""
    await briefs.settle(conn, NOW - timedelta(hours=20), [Fate(limit=4, title="路灯\U0001f600不亮")], first=30001)
    report = await made(told, runner)
    assert "路灯[U+1F600]不亮" in pdf_text(await fetched(told, report, "pdf"))
    await conn.execute("update community set name = '王\U000323ae社区' where code = $1", FAR)
    answer = await told.post("/api/reports", json={"period": "2026-W46"}, headers=LEADER.headers)
    await runner.work_off()
    (failed,) = [one for one in (await told.get("/api/reports/makings", headers=LEADER.headers)).json()["items"]
                 if one["id"] == answer.json()["making"]["id"]]  # fmt: skip
    assert failed["state"] == "failed"
    assert "U+323AE" in failed["facts"]["reason"]
    assert f"community {FAR}" in failed["facts"]["reason"]
    await conn.execute("update community set name = '远方社区' where code = $1", FAR)
    clock.forward(minutes=5)
    await conn.execute("update queue.pgqueuer set execute_after = now()")
    await runner.work_off()
    assert len(await listed(told, period="2026-W46")) == 1, "it is tried again"


async def test_good_cases_follow_rules_and_can_be_chosen(told: Client, runner: Runner) -> None:
    report = await made(told, runner)
    figures = (await told.get(f"/api/reports/{report}", headers=LEADER.headers)).json()["figures"]
    assert [case["issue"]["number"] for case in figures["cases"]] == ["20002", "20007"], (
        "the quickest of each community"
    )
    url = f"/api/reports/{report}/cases"
    for number in ("20001", "20010", "99999"):  # not satisfied, not solved, not there
        refused = await told.post(url, json={"cases": [number]}, headers=LEADER.headers)
        assert (refused.status_code, refused.json()["code"]) == (422, "not_a_good_case")
        assert number in refused.json()["title"]
    chosen = await told.post(url, json={"cases": ["20003"]}, headers=LEADER.headers)
    assert chosen.status_code == 201
    changed = (await told.get(f"/api/reports/{chosen.json()['id']}", headers=LEADER.headers)).json()["figures"]
    assert [(case["issue"]["number"], case["chosen"]) for case in changed["cases"]] == [("20003", True)]
    same = {"version", "cases", "chosen_by_hand"}
    assert {k: v for k, v in changed.items() if k not in same} == {k: v for k, v in figures.items() if k not in same}
    assert "第2版：典型案例由人工选定" in pdf_text(await fetched(told, chosen.json()["id"], "pdf"))


async def test_what_is_forgotten_is_forgotten_in_briefs(told: Client, runner: Runner, conn: asyncpg.Connection) -> None:
    report = await made(told, runner)
    await conn.execute(
        "update text_version set body = null, bigrams = null, erased_at = $2 where subject = $1", UUID(int=20013), NOW
    )
    assert "img" not in pdf_text(await fetched(told, report, "pdf"))
    assert "（已删除）" in pdf_text(await fetched(told, report, "pdf"))
    kept = await conn.fetchval("select string_agg(figures, '') from report")
    assert "img" not in kept, "a brief keeps no text of anybody's"


async def test_makings_are_cancelled_and_go_on_where_they_were(
    told: Client, runner: Runner, conn: asyncpg.Connection, clock: TestClock
) -> None:
    answer = await told.post("/api/reports", json={"period": WEEK, "scope": "all"}, headers=LEADER.headers)
    making = answer.json()["making"]["id"]
    again = await told.post("/api/reports", json={"period": WEEK, "scope": "all"}, headers=LEADER.headers)
    assert again.json()["making"]["id"] == making, "it waits already"
    url = f"/api/reports/makings/{making}/cancel"
    assert (await told.post(url, json={}, headers=WORKER.headers)).status_code == 404
    assert (await told.post(url, json={}, headers=LEADER.headers)).status_code == 204
    assert (await told.post(url, json={}, headers=LEADER.headers)).status_code == 404
    await runner.work_off()
    assert await listed(told) == []
    # broken off after two of six
    district = await people.district(conn, DISTRICT)
    assert district is not None
    whole = await report_makings.ask(conn, district, report_periods.named(WEEK), None, LEADER.id, clock())
    await report_makings.resume(conn, DISTRICT, whole.id)
    async with conn.transaction():
        sources = await report_sources.gathered(conn, district, report_periods.named(WEEK), whole.asked_at)
    for scope in report_sources.scopes(district, sources.places)[:2]:
        async with conn.transaction():
            await report_makings.make(conn, sources, whole, scope, clock())
    clock.forward(hours=3)
    await report_making.make(conn, district, whole.id, None, clock)
    found = await conn.fetch("select scope, known_at, version from report order by made_at")
    assert len(found) == 6
    assert {row["version"] for row in found} == {1}
    assert {row["known_at"] for row in found} == {whole.asked_at}, "however long it took"


async def test_what_cannot_be_asked_for_is_refused_by_its_field(told: Client) -> None:
    async def refusal(**asked: object) -> tuple[int, str, str | None]:
        answer = await told.post("/api/reports", json=asked, headers=LEADER.headers)
        return answer.status_code, answer.json()["code"], answer.json().get("field")

    assert await refusal(period="2026-W48") == (409, "period_not_over", "period")
    assert await refusal(period="2026-13") == (422, "invalid_filter", "period")
    assert await refusal(period="2026-W54") == (422, "invalid_filter", "period")
    assert await refusal(period="٢٠٢٦-11") == (422, "invalid_filter", "period")
    assert await refusal(period=WEEK, scope="village:1") == (422, "invalid_filter", "scope")
    assert await refusal(period=WEEK, scope="community:110101001001") == (404, "not_found", "scope")
    assert await refusal(period=WEEK, scope="district:110101") == (422, "invalid_filter", "scope")
    answer = await told.get("/api/reports?periods=x", headers=LEADER.headers)
    assert answer.json()["code"] == "unknown_field"
    assert (await told.post("/api/reports", json={"period": WEEK}, headers=MEMBER.headers)).status_code == 403


async def test_who_made_and_fetched_one_is_in_the_history(
    told: Client, runner: Runner, conn: asyncpg.Connection
) -> None:
    report = await made(told, runner)
    await fetched(told, report, "pdf")
    rows = await conn.fetch(
        "select kind, event, actor, facts from history where kind in ('report', 'export') order by kind desc"
    )
    told_ = [(row["kind"], row["event"], row["actor"], row["facts"]["report"]) for row in rows]
    assert told_ == [("report", "make", str(LEADER.id), report), ("export", "exported", str(LEADER.id), report)]

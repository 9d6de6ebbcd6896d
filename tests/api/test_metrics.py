"""What Prometheus reads is right, is for who runs the program alone, and tells nothing of a resident or a district."""

import re
import time
from pathlib import Path
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api import jobs
from api.app import create_app
from api.jobs import Runner
from api.settings import Settings
from tests import doors, drafts
from tests.api.processes import LONGEST_START, Program, wait_until
from tests.conftest import DISTRICT, LEADER, MEMBER, NEAR, RING, Client, TestClock, serving

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).resolve().parents[2] / "api" / "metrics.md"
TOKEN = "a-token-of-the-settings"
Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


def figures(text: str) -> Figures:
    """Every sample by its name and labels; one that is there twice is no format that Prometheus takes."""
    found: Figures = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


async def read(client: Client) -> Figures:
    answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return figures(answer.text)


def of(found: Figures, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


async def test_requests_are_counted_by_the_template_of_their_route(client: Client) -> None:
    draft = drafts.visit(issues=[drafts.issue(title="门口垃圾")])
    await doors.file(client, MEMBER, draft)
    for _ in range(3):
        await client.get(f"/api/issues/{draft['issues'][0]['id']}", headers=LEADER.headers)
    await client.get(f"/api/issues/{uuid4()}", headers=LEADER.headers)
    for _ in range(5):
        await client.get(f"/nothing/{uuid4()}")
    found = await read(client)
    issue = {"method": "GET", "route": "/api/issues/{issue}"}
    assert of(found, "zoufang_http_requests_total", status="2xx", **issue) == 3
    assert of(found, "zoufang_http_requests_total", status="4xx", **issue) == 1
    assert of(found, "zoufang_http_request_seconds_count", **issue) == 4
    assert of(found, "zoufang_http_requests_total", method="GET", route="none", status="4xx") == 5
    assert of(found, "zoufang_filing_queue_visits") == 0
    assert of(found, "zoufang_filing_queue_capacity") == 2_000
    assert of(found, "zoufang_pool_connections", pool="requests", state="most") == 4
    assert of(found, "zoufang_database_up") == 1
    assert of(found, "zoufang_http_requests_open") == 1, "the one that asks"


async def test_jobs_and_errands_tell_when_they_went_well(client: Client, dsn: str, clock: TestClock) -> None:
    runner = Runner(dsn, clock, lambda: RING, Settings(database_url=dsn))
    assert ("zoufang_job_last_success_timestamp_seconds", frozenset({("job", "remind")})) not in await read(client)
    await runner.run_everywhere(jobs.named("remind"))
    found = await read(client)
    assert of(found, "zoufang_job_last_success_timestamp_seconds", job="remind") == clock.now.timestamp()
    assert of(found, "zoufang_job_interval_seconds", job="remind") == 60
    assert of(found, "zoufang_job_parked", job="remind") == 0


async def test_nothing_of_residents_districts_or_people_is_in_it(client: Client) -> None:
    contact = {"name": "欧阳秀英", "phone": "13912345678"}
    draft = drafts.visit(issues=[drafts.issue(contact=contact)])
    await doors.file(client, MEMBER, draft)
    await client.get(f"/api/issues?community={NEAR}&text=垃圾", headers=LEADER.headers)
    text = (await client.get("/metrics")).text
    for word in (str(DISTRICT), NEAR, "欧阳", "1391234", "垃圾", draft["id"], str(LEADER.id), LEADER.name, "二七"):
        assert word not in text, word


async def test_who_runs_the_program_reads_it_and_nobody_else(dsn: str, client: Client) -> None:
    doors.refused(await client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}), 403, "not_allowed")
    async with serving(Settings(database_url=dsn, metrics_token=TOKEN), TestClock()) as guarded:
        for headers in ({}, {"Authorization": "Bearer wrong"}, LEADER.headers):
            doors.refused(await guarded.get("/metrics", headers=headers), 401, "not_signed_in")
        far = {"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "203.0.113.9"}
        assert (await guarded.get("/metrics", headers=far)).status_code == 200


async def test_without_its_database_it_says_so(dsn: str) -> None:
    app = create_app(Settings(database_url=dsn), TestClock(), RING)
    async with serving(Settings(database_url=dsn), TestClock()) as client:
        app = client._transport.app  # type: ignore[attr-defined]
        app.state.pool.terminate()
        assert of(await read(client), "zoufang_database_up") == 0


async def test_the_page_names_figures_that_there_are(client: Client) -> None:
    await client.get("/health/live")
    text = (await client.get("/metrics")).text
    told = set(re.findall(r"\bzoufang_[a-z_]+", PAGE.read_text()))
    assert len(told) > 8
    known = {name for family in text_string_to_metric_families(text) for name in _names(family.name)}
    assert told <= known, told - known


def _names(family: str) -> set[str]:
    return {f"{family}{end}" for end in ("", "_total", "_bucket", "_count", "_sum", "_created")}


@pytest.mark.timeout(600)
def test_several_processes_count_together(tmp_path: Path) -> None:
    program = Program(tmp_path / "data", ZOUFANG_JOBS="off")
    with program.serving("serve", "--processes", "2"):
        await_both(program)
        asked = 40
        for _ in range(asked):
            program.ask("/health/live")
        wait_until(lambda: counted(program) >= asked)  # a request is counted when its answer is out
        assert [counted(program) for _ in range(6)] == [asked] * 6, "whichever process answers, it answers for both"


def counted(program: Program) -> float:
    """How often somebody asked whether it lives, as whichever process answers tells it."""
    found = figures(program.ask("/metrics").text)
    return of(found, "zoufang_http_requests_total", method="GET", route="/health/live", status="2xx")


def await_both(program: Program) -> None:
    """One process answers while the other still starts: each tells of its queue before anybody has asked it."""
    deadline = time.monotonic() + LONGEST_START
    while of(figures(program.ask("/metrics").text), "zoufang_filing_queue_capacity") < 2 * 2_000:
        assert time.monotonic() < deadline, program.log.read_text()
        time.sleep(0.1)

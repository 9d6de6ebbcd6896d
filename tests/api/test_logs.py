"""The log: one JSON line a request, with an id that the answer carries too, and nothing that should stay unsaid."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from litestar import Litestar, get
from litestar.testing import AsyncTestClient

from api import logs, problem_details
from tests.conftest import MEMBER

pytestmark = pytest.mark.anyio


@get("/fault")
async def fault() -> None:
    """A fault whose variables and whose message hold what must not be told."""
    phone = "13800138000"
    raise RuntimeError(f"refused\nDETAIL:  Failing row contains ({phone}).")


class Lines(io.StringIO):
    """What was logged."""

    def read_each(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def lines() -> Iterator[Lines]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    written = Lines()
    logs.configure("info", written)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    yield written
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


async def test_a_request_is_one_line_with_the_id_that_its_answer_has(
    client: AsyncTestClient[Litestar], lines: Lines
) -> None:
    answer = await client.get("/api/issues?text=漏水", headers=MEMBER.headers)
    assert answer.status_code == 200
    (line,) = [line for line in lines.read_each() if line["event"] == "request"]
    assert line["request_id"] == answer.headers["x-request-id"]
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/issues", 200)
    assert isinstance(line["ms"], float)


async def test_neither_a_token_nor_a_query_is_written(client: AsyncTestClient[Litestar], lines: Lines) -> None:
    await client.get(f"/api/issues?text=漏水&token={MEMBER.token}", headers=MEMBER.headers)
    await client.get(f"/nowhere?token={MEMBER.token}")
    await client.post("/sign-in", data={"token": MEMBER.token})
    text = lines.getvalue()
    assert text
    assert MEMBER.token not in text
    assert "漏水" not in text


async def test_a_sane_id_of_the_caller_s_is_kept(client: AsyncTestClient[Litestar]) -> None:
    answer = await client.get("/health/live", headers={"X-Request-ID": "proxy-1234.5678"})
    assert answer.headers["x-request-id"] == "proxy-1234.5678"


@pytest.mark.parametrize("sent", ["short", "x" * 65, "with space in it", "zeile\tzwei--", '"}injected{"'])
async def test_an_id_that_could_forge_a_line_is_replaced(client: AsyncTestClient[Litestar], sent: str) -> None:
    answer = await client.get("/health/live", headers={"X-Request-ID": sent})
    assert answer.headers["x-request-id"] != sent
    assert len(answer.headers["x-request-id"]) == 32


async def test_a_fault_is_told_without_values_and_an_unknown_path_is_told_at_all(lines: Lines) -> None:
    app = Litestar([fault], exception_handlers=problem_details.HANDLERS, logging_config=None)
    app.asgi_handler = logs.RequestLog(app.asgi_handler)
    async with AsyncTestClient(app, raise_server_exceptions=False) as client:
        broken = await client.get("/fault")
        unknown = await client.get("/nowhere")
    assert (broken.status_code, unknown.status_code) == (500, 404)
    text = lines.getvalue()
    assert "13800138000" not in text
    told = [json.loads(line) for line in text.splitlines()]
    (fault_line,) = [line for line in told if line["level"] == "error"]
    assert fault_line["request_id"] == broken.headers["x-request-id"]
    assert fault_line["exception"][0]["exc_value"] == "refused"
    assert [line["status"] for line in told if line["event"] == "request"] == [500, 404]


async def test_the_libraries_own_lines_have_the_same_form(lines: Lines) -> None:
    logging.getLogger("uvicorn.error").info("Started server process [%d]", 7)
    (line,) = lines.read_each()
    assert line["event"] == "Started server process [7]"
    assert line["logger"] == "uvicorn.error"


async def test_checks_of_health_are_not_worth_a_line(client: AsyncTestClient[Litestar], lines: Lines) -> None:
    await client.get("/health/live")
    assert lines.getvalue() == ""

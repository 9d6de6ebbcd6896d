"""Whatever the OpenAPI document allows, the program answers: tried by a machine, as every role."""

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from msgspec import Struct

from api.app import create_app
from api.limits import LARGEST_BODY
from api.settings import Settings
from tests import doors
from tests.conftest import (
    ADMINISTRATOR,
    AUDITOR,
    DISPATCHER,
    DISTRICT,
    HANDLER,
    LEADER,
    MEMBER,
    OPERATOR,
    ORGANISER,
    RING,
    STREET_LEADER,
    WORKER,
    Client,
    Person,
    Server,
    TestClock,
    founded,
)

pytestmark = pytest.mark.anyio

# One of each role, and a leader of one street.
ROLES = [MEMBER, ORGANISER, WORKER, DISPATCHER, HANDLER, LEADER, ADMINISTRATOR, AUDITOR, OPERATOR, STREET_LEADER]
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
SHORT = ["--phases", "examples,fuzzing", "--max-examples", "3", "--max-time", "30", "--seed", "20261123"]
LONG = ["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "50", "--max-time", "900"]


@pytest.fixture(scope="module")
async def served(server: Server, template: str) -> AsyncIterator[str]:
    """The program as it is served, on a port of loopback."""
    async with founded(server, template) as dsn:
        app = create_app(Settings(database_url=dsn, exports=8, pool_size=12), TestClock(), RING)
        config = uvicorn.Config(app, lifespan="on", ws="none", log_config=None, access_log=False)
        serving = uvicorn.Server(config)
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            task = asyncio.create_task(serving.serve(sockets=[listening]))
            while not serving.started and not task.done():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            serving.should_exit = True
            await task


async def tried(url: str, who: Person, options: list[str], document: str = "/schema/openapi.json") -> str:
    """Try a document as somebody; returns what was found to complain of, or nothing."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "schemathesis.cli", "run", f"{url}{document}",
        "--checks", CHECKS, "--header", f"Authorization: {who.headers['Authorization']}",
        "--request-timeout", "60", "--suppress-health-check", "all", "--warnings", "off", "--no-color", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return "" if process.returncode == 0 else said.decode()


def complained_of(found: str) -> None:
    """Fail with the whole of what was found: an assertion would cut it short."""
    if found.strip():
        pytest.fail(found, pytrace=False)


@pytest.mark.timeout(300)  # bounded by what is asked; starting ten askers takes a slow machine long
async def test_no_question_is_answered_with_a_fault(served: str) -> None:
    found = await asyncio.gather(*[tried(served, who, SHORT) for who in ROLES])
    complained_of("\n".join(found))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("who", [LEADER, WORKER], ids=lambda who: who.role)
async def test_what_other_programs_ask_is_answered_as_it_is_defined(served: str, who: Person) -> None:
    """The definition of OGC API Features, which is a document of its own."""
    complained_of(await tried(served, who, SHORT, "/ogc/api?f=json"))


@pytest.mark.long
@pytest.mark.timeout(1800)  # some three minutes; on a machine with much else to do, many more
@pytest.mark.parametrize("who", ROLES, ids=lambda who: f"{who.role}-{who.number}")
async def test_no_question_is_answered_with_a_fault_for_minutes(served: str, who: Person) -> None:
    complained_of(await tried(served, who, LONG))


PROBLEM = "application/problem+json"
ID = "00000000-0000-7000-8000-000000000000"


class Knock(Struct, frozen=True):
    """A request that is refused, or answered, in some way."""

    name: str
    headers: dict[str, str]
    query: str = ""
    content: bytes | None = None


JSON = {"Content-Type": "application/json"}
KNOCKS = [
    Knock("nobody", {}),
    Knock("a token of nobody", {"Authorization": f"Bearer zf_{DISTRICT}_{'Z' * 43}"}),
    Knock("a browser without the page's token", {"Cookie": f"zoufang_session=zs_{DISTRICT}_{'Z' * 43}"}),
    *(
        Knock(f"{who.role}, {name}", who.headers | JSON, query, content)
        for who in (MEMBER, LEADER, ADMINISTRATOR, AUDITOR, OPERATOR)
        for name, query, content in (
            ("with nothing", "", None),
            ("a filter that is none", "?nonsense=1", b"{}"),
            ("a zoom that is none", "?zoom=x&limit=0&lon=999&lat=1", b'{"nonsense": 1}'),
            ("what is no JSON", "?zoom=12&lon=113.6&lat=34.7", b"\xff{"),
            ("a list", "?zoom=12&limit=1", b"[1]"),
        )
    ),
    Knock("too much", MEMBER.headers | JSON, "", b"[" + b" " * (LARGEST_BODY + 1) + b"]"),
]


@pytest.mark.parametrize("knock", KNOCKS, ids=lambda knock: knock.name)
async def test_what_is_answered_is_what_is_documented(shared: Client, knock: Knock) -> None:
    """Every operation, knocked at in many ways: the status and the kind of answer stand in the document."""
    described = await document(shared)
    for path, method, operation in operations(described):
        content = None if method == "get" else knock.content
        answer = await shared.request(
            method, re.sub(r"{\w+}", ID, path) + knock.query, headers=knock.headers, content=content
        )
        what = f"{method} {path}, {knock.name}: {answer.status_code} {answer.text[:200]}"
        expected = operation["responses"].get(str(answer.status_code))
        assert expected is not None, f"{what} is not documented"
        kinds = expected.get("content", {})
        assert not kinds or answer.headers["content-type"].split(";")[0] in kinds, what


def operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


async def test_every_problem_has_the_one_shape(shared: Client) -> None:
    described = await document(shared)
    for path, method, operation in operations(described):
        for status, response in operation["responses"].items():
            if int(status) >= 400 and not path.startswith("/health/"):
                shape = response["content"][PROBLEM]["schema"]
                assert shape == {"$ref": "#/components/schemas/Problem"}, f"{method} {path} {status}"
    shape = described["components"]["schemas"]["Problem"]
    assert {"type", "title", "status", "code"} <= set(shape["required"])


async def test_operations_say_what_they_refuse(shared: Client) -> None:
    paths = (await document(shared))["paths"]
    filing, one = paths["/api/visits"]["post"], paths["/api/issues/{issue}"]["get"]
    assert {"200", "201", "400", "401", "403", "409", "413", "422", "429", "503"} <= set(filing["responses"])
    assert {"200", "401", "403", "404", "422", "503"} <= set(one["responses"])
    assert "409" not in one["responses"], "what only reads meets no other state"
    assert set(paths["/health/live"]["get"]["responses"]) == {"200"}, "everybody may ask, and nothing can go wrong"


async def test_beside_the_document_nothing_is_there(shared: Client) -> None:
    doors.refused(await shared.get("/schema/nothing"), 404, "not_found")
    page = await shared.get("/schema/nothing", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")


async def document(client: Client) -> dict[str, Any]:
    return doors.answered(await client.get("/schema/openapi.json"), 200)


async def test_anybody_may_read_the_document(shared: Client) -> None:
    described = await document(shared)
    assert described["openapi"].startswith("3.1")
    assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for operations in described["paths"].values():
        for operation in operations.values():
            assert operation["summary"]
            assert operation.get("description")


async def test_the_document_names_the_values_that_a_program_must_know(shared: Client) -> None:
    described = str(await document(shared))
    for word in ("met", "not_home", "near_line", "in_progress", "emergency", "gcj02", "green_channel", "reopen"):
        assert f"'{word}'" in described, word

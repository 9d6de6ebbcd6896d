"""Whatever the OpenAPI document allows, the program answers: tried by a machine, as every role."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from api.app import create_app
from api.settings import Settings
from tests import doors
from tests.conftest import (
    ADMINISTRATOR,
    DISPATCHER,
    HANDLER,
    LEADER,
    MEMBER,
    RING,
    STRANGER,
    WORKER,
    Client,
    Person,
    Server,
    TestClock,
    founded,
)

pytestmark = pytest.mark.anyio

ROLES = [MEMBER, WORKER, DISPATCHER, HANDLER, LEADER, ADMINISTRATOR]
CHECKS = "not_a_server_error,response_schema_conformance"
SHORT = ["--phases", "examples,fuzzing", "--max-examples", "3", "--seed", "20261123"]
LONG = ["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "50"]


@pytest.fixture(scope="module")
async def served(server: Server, template: str) -> AsyncIterator[str]:
    """The program as it is served, on a port of loopback."""
    async with founded(server, template) as dsn:
        app = create_app(Settings(database_url=dsn), TestClock(), RING)
        config = uvicorn.Config(app, lifespan="on", ws="none", log_config=None, access_log=False)
        serving = uvicorn.Server(config)
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            task = asyncio.create_task(serving.serve(sockets=[listening]))
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            serving.should_exit = True
            await task


async def tried(url: str, who: Person, options: list[str]) -> str:
    """Try the document as somebody; returns what was found to complain of, or nothing."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "schemathesis.cli", "run", f"{url}/schema/openapi.json",
        "--checks", CHECKS, "--header", f"Authorization: {who.headers['Authorization']}",
        "--suppress-health-check", "all", "--warnings", "off", "--no-color", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return "" if process.returncode == 0 else said.decode()


async def test_no_question_is_answered_with_a_fault(served: str) -> None:
    found = await asyncio.gather(*[tried(served, who, SHORT) for who in ROLES])
    assert not "\n".join(found).strip()


@pytest.mark.long
@pytest.mark.parametrize("who", [*ROLES, STRANGER], ids=lambda who: f"{who.role}-{who.number}")
async def test_no_question_is_answered_with_a_fault_for_minutes(served: str, who: Person) -> None:
    assert not await tried(served, who, LONG)


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

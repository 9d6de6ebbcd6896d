"""The examples in the API's document are what the program really answers: each is sent again, and compared."""

import json
import os
import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from api import openapi_examples
from api.jobs import Runner
from api.settings import Settings
from tests.api import openapi_story
from tests.api.openapi_story import Story
from tests.conftest import RING, Client, Server, TestClock, founded, serving

pytestmark = pytest.mark.anyio

WRITE = "ZOUFANG_TEST_WRITE_EXAMPLES"  # set by `make examples`

# What is another each time: ids that the program makes, secrets, digests, cursors.
MADE = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64}|z[a-z]_\d+_[\w-]{43}|whsec_[\w+/=]+|[\w-]{60,}|[\w+/=]{40,}"
)

# What other programs use must have an example; so has everything else that the story comes by, nearly a hundred in all.
FOR_PROGRAMS = (
    "POST /api/visits", "POST /api/visits/batch", "POST /api/receipts", "GET /api/visits", "GET /api/visits/{visit}",
    "POST /api/visits/{visit}/corrections", "GET /api/issues", "GET /api/issues/{issue}",
    "POST /api/issues/{issue}/moves", "GET /api/issues.geojson", "POST /api/issues/twins", "GET /api/rates",
    "GET /api/communities.geojson", "GET /api/communities/at", "GET /api/day", "GET /api/campaigns",
    "GET /api/campaigns/{campaign}/coverage", "GET /api/premises", "POST /api/premises", "GET /api/members",
    "POST /api/members", "POST /api/webhooks", "GET /api/webhooks", "POST /api/integrations", "GET /api/history",
    "GET /maps/issues/clusters", "GET /maps/issues/areas", "POST /api/issues/{issue}/return-visits",
)  # fmt: skip


@pytest.fixture(scope="module")
async def told(server: Server, template: str) -> AsyncIterator[tuple[Story, Any]]:
    """The story as the program answers it now, and the document that it serves."""
    async with founded(server, template) as dsn:
        with tempfile.TemporaryDirectory(prefix="zf-") as folder:
            settings = Settings(database_url=dsn, data=Path(folder) / "data", keys=Path(folder) / "keys.json")
            clock = TestClock()
            runner = Runner(dsn, clock, lambda: RING, settings)
            async with serving(settings, clock) as client:
                yield await openapi_story.tell(client, runner), await _document(client)


async def _document(client: Client) -> Any:
    return (await client.get("/schema/openapi.json")).json()


def test_each_request_is_answered_as_its_example_says(told: tuple[Story, Any]) -> None:
    story, _ = told
    assert story.failed == []
    if os.environ.get(WRITE):
        text = json.dumps(story.told, ensure_ascii=False, indent=1, sort_keys=True)
        openapi_examples.FILE.write_text(f"{text}\n")
        openapi_examples.kept.cache_clear()
    kept = openapi_examples.kept()
    assert set(kept) == set(story.told)
    differing = [name for name, one in story.told.items() if not _alike(one, kept[name])]
    assert differing == [], "make examples"


def _alike(one: Any, other: Any) -> bool:
    """Whether two answers say the same, but for what the program makes anew each time."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, str) and isinstance(other, str):
        return one == other or MADE.sub("…", one) == MADE.sub("…", other)
    return bool(one == other)


def test_each_answer_has_the_shape_that_is_documented(told: tuple[Story, Any]) -> None:
    story, document = told
    wrong = []
    for operation, one in story.told.items():
        method, path = operation.split(" ")
        described = document["paths"][path][method.lower()]["responses"][str(one["status"])]
        for content in described.get("content", {}).values():
            schema = content["schema"] | {"components": document["components"]}
            if "response" in one and not jsonschema_rs.is_valid(schema, one["response"]):
                wrong.append((operation, str(next(jsonschema_rs.iter_errors(schema, one["response"])))[:300]))
    assert wrong == [], "\n".join(map(str, wrong))


def test_the_document_shows_what_was_sent_and_answered(told: tuple[Story, Any]) -> None:
    _, document = told
    if os.environ.get(WRITE):
        pytest.skip("the document was made before the examples were written")
    for operation, one in openapi_examples.kept().items():
        method, path = operation.split(" ")
        described = document["paths"][path][method.lower()]
        places = {"request": described.get("requestBody"), "response": described["responses"].get(str(one["status"]))}
        for name, place in places.items():
            for content in ((place or {}).get("content") or {}).values() if name in one else ():
                assert content["examples"]["example"]["value"] == one[name], operation


def test_what_other_programs_use_has_an_example(told: tuple[Story, Any]) -> None:
    story, _ = told
    assert set(FOR_PROGRAMS) <= set(story.told)


async def test_no_example_names_a_secret_that_opens_anything(told: tuple[Story, Any], client: Client) -> None:
    text = openapi_examples.FILE.read_text()
    secrets = re.findall(r"z[a-z]_\d+_[\w-]{43}", text)
    for secret in secrets:
        answer = await client.get("/open311/v2/requests.json", headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == 403

"""Speaking to the program over HTTP as one of the district's people, and saying what is expected of the answer."""

from typing import Any

import asyncpg
import httpx

from tests import drafts
from tests.conftest import Client, Person
from tests.drafts import Draft

Answer = dict[str, Any]

# What a refused request must leave as it was.
WRITTEN = """
select (select count(*) from visit), (select count(*) from issue), (select count(*) from history),
       (select count(*) from text_version), (select count(*) from issue_spans), (select count(*) from card_binding)
"""


async def file(
    client: Client, who: Person, draft: Draft, *, status: int = 201, device_time: str | None = None
) -> Answer:
    """File a visit and return its receipt, or the problem when that is what is expected."""
    clock = {"Device-Time": device_time} if device_time else {}
    response = await client.post("/api/visits", json=draft, headers=who.headers | clock)
    return answered(response, status)


async def file_all(client: Client, who: Person, drafts: list[Any]) -> list[Answer]:
    """File a backlog and return what became of each."""
    response = await client.post("/api/visits/batch", json=drafts, headers=who.headers)
    results: list[Answer] = answered(response, 200)["results"]
    return results


async def move(client: Client, who: Person, issue: str, draft: Draft, *, status: int = 200) -> Answer:
    """Move an issue and return what it led to."""
    return answered(await client.post(f"/api/issues/{issue}/moves", json=draft, headers=who.headers), status)


async def hand_over(client: Client, giver: Person, taker: Person, issue: str, version: int) -> Answer:
    """Offer an issue to somebody who accepts it; it stands two versions further on."""
    await move(client, giver, issue, drafts.move("assign", version, to=str(taker.id)))
    return await move(client, taker, issue, drafts.move("accept", version + 1))


async def correct(client: Client, who: Person, visit: str, draft: Draft, *, status: int = 200) -> Answer:
    """Correct a visit and return what it led to."""
    return answered(await client.post(f"/api/visits/{visit}/corrections", json=draft, headers=who.headers), status)


async def read(client: Client, who: Person, path: str, *, status: int = 200, **params: Any) -> Answer:
    """Read something, with the filters given."""
    return answered(await client.get(path, params=params, headers=who.headers), status)


async def issue(client: Client, who: Person, id_: str) -> Answer:
    """One issue as somebody sees it."""
    return await read(client, who, f"/api/issues/{id_}")


async def every_page(client: Client, who: Person, path: str, **params: Any) -> list[Answer]:
    """All items of a list, page by page."""
    items: list[Answer] = []
    page = await read(client, who, path, **params)
    items.extend(page["items"])
    while page["next"]:
        page = await read(client, who, path, **params, cursor=page["next"])
        items.extend(page["items"])
    return items


def answered(response: httpx.Response, status: int) -> Answer:
    """The answer's body, when its status is the one expected."""
    assert response.status_code == status, f"{response.status_code} instead of {status}: {response.text[:500]}"
    if status >= 400:
        assert response.headers["content-type"].startswith("application/problem+json")
    body: Answer = response.json()
    return body


def refused(response: httpx.Response, status: int, code: str, field: str | None = None) -> Answer:
    """The problem, when it is the one expected and says so in the shape of RFC 9457."""
    problem = answered(response, status)
    assert (problem["code"], problem.get("field")) == (code, field), problem
    assert problem["type"] == f"urn:zoufang:problem:{code}"
    assert problem["status"] == status
    assert problem["title"]
    return problem


async def written(conn: asyncpg.Connection) -> tuple[int, ...]:
    """How many rows there are of everything that a filing writes."""
    return tuple(await conn.fetchrow(WRITTEN) or ())

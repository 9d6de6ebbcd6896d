"""Refusals as people and programs read them: a text for each, in both languages, in one shape."""

import importlib
import pkgutil
from collections.abc import AsyncIterator, Iterator
from string import Formatter

import asyncpg
import httpx
import pytest
from litestar import get

import api
import maps
import surveys
from api import app, problem_details
from api.problem_texts import TEXTS
from api.settings import Settings
from surveys.refusals import BY_CONSTRAINT, Refusal, of_constraint
from tests import doors, drafts
from tests.conftest import MEMBER, Client, Server, TestClock, founded, serving

pytestmark = pytest.mark.anyio

SPOKEN_BY_PROGRAM = {"method_not_allowed", "too_large", "bad_request", "unavailable", "fault"}
POSITIONS = {"longitude_out_of_range", "latitude_out_of_range", "longitude_latitude_swapped", "not_a_number"}


def every_module() -> None:
    """Import all that there is, so that no refusal is overlooked."""
    for room in (maps, surveys, api):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if "static" not in module.name and "web" not in module.name:
                importlib.import_module(module.name)


def descendants(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    yield kind
    for child in kind.__subclasses__():
        yield from descendants(child)


def codes() -> set[str]:
    every_module()
    return {kind.code for kind in descendants(Refusal)}


def test_every_refusal_has_its_text() -> None:
    assert codes() - set(TEXTS) == set()
    assert set(TEXTS) >= POSITIONS


def test_every_text_is_some_refusal_s() -> None:
    assert set(TEXTS) - codes() - SPOKEN_BY_PROGRAM - POSITIONS - {"unknown_system"} == set()


def test_a_refusal_is_written_once() -> None:
    every_module()
    own = [kind.code for kind in descendants(Refusal) if "code" in vars(kind)]
    assert [code for code in set(own) if own.count(code) > 1] == []


@pytest.mark.parametrize("code", TEXTS)
def test_a_text_speaks_both_languages_and_of_the_same_facts(code: str) -> None:
    text = TEXTS[code]
    assert any("\u4e00" <= letter <= "\u9fff" for letter in text.zh)
    assert text.en.isascii()
    facts = [{name for _, name, _, _ in Formatter().parse(words) if name} for words in (text.zh, text.en)]
    assert facts[0] == facts[1]
    assert 400 <= text.status < 600


@pytest.mark.parametrize("code", sorted(codes()))
def test_a_refusal_says_its_own_status_and_no_other(code: str) -> None:
    kind = next(kind for kind in descendants(Refusal) if kind.code == code)
    refusal = kind.__new__(kind)
    Refusal.__init__(refusal)
    problem = problem_details.of(refusal, "zh")
    assert (problem.code, problem.status) == (code, TEXTS[code].status)
    assert "{" not in problem.title


async def test_every_constraint_that_speaks_exists(undone: asyncpg.Connection) -> None:
    rows = await undone.fetch(
        "select conname as name from pg_constraint union select relname from pg_class where relkind = 'i'"
    )
    known = {row["name"] for row in rows}
    assert set(BY_CONSTRAINT) - known == set()


async def test_a_constraint_that_no_request_can_break_is_a_fault_of_ours(undone: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await undone.execute(
            "insert into district (district, code, name, time_zone, dispatcher, created_at)"
            " values (1, '1', ' ', 'UTC', gen_random_uuid(), '2026-11-23')"
        )
    assert of_constraint(caught.value) is None


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ({}, "没有找到"),
        ({"Accept-Language": "zh-CN,en;q=0.5"}, "没有找到"),
        ({"Accept-Language": "en-US,en;q=0.9,zh;q=0.8"}, "Not found"),
        ({"Accept-Language": "EN"}, "Not found"),
        ({"Accept-Language": "fr"}, "没有找到"),
        ({"Accept-Language": ""}, "没有找到"),
        ({"Accept-Language": "; ,,"}, "没有找到"),
    ],
)
async def test_the_language_is_chinese_unless_english_is_asked_for(
    shared: Client, asked: dict[str, str], title: str
) -> None:
    answer = await shared.get("/nowhere", headers=MEMBER.headers | asked)
    assert doors.refused(answer, 404, "not_found")["title"] == title


async def test_the_address_may_ask_for_a_language(shared: Client) -> None:
    answer = await shared.get("/nowhere?lang=en", headers=MEMBER.headers | {"Accept-Language": "zh"})
    assert doors.refused(answer, 404, "not_found")["title"] == "Not found"


async def test_a_problem_names_the_request_that_the_log_knows(shared: Client) -> None:
    answer = await shared.get("/nowhere", headers=MEMBER.headers | {"X-Request-Id": "walk-2026-11-23"})
    assert answer.json()["instance"] == "urn:zoufang:request:walk-2026-11-23"
    assert answer.headers["x-request-id"] == "walk-2026-11-23"


async def test_what_a_person_sent_comes_back_short(shared: Client) -> None:
    draft = drafts.visit(community="x" * 20, campaign="长" * 100)
    problem = await doors.file(shared, MEMBER, draft, status=422)
    assert len(str(problem)) < 1_000


@get("/broken", opt={"exclude_from_auth": True})
async def broken() -> None:
    raise RuntimeError("zf_410103_secret in a variable")


@pytest.fixture
async def faulty(monkeypatch: pytest.MonkeyPatch, server: Server, template: str) -> AsyncIterator[Client]:
    """The program with a fault in it."""
    monkeypatch.setattr(app, "ROUTES", [*app.ROUTES, broken])
    async with founded(server, template) as dsn, serving(Settings(database_url=dsn), TestClock()) as client:
        yield client


async def test_a_fault_of_ours_tells_nothing_but_where_to_look(faulty: Client) -> None:
    answer: httpx.Response = await faulty.get("/broken")
    problem = doors.refused(answer, 500, "fault")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert problem["instance"].startswith("urn:zoufang:request:")

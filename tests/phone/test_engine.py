"""The shipped visit form under ODK's own engine: filled in as Web Forms would, and sent to our OpenRosa."""

import base64
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import asyncpg
import msgspec
import pytest
from playwright.async_api import Browser, Page, Route

from api import shipped_questionnaires
from surveys.history import Actor
from tests import doorsteps
from tests.conftest import DISTRICT, MEMBER, NOW
from tests.phone import streets
from tests.phone.conftest import Station, handset

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

ENGINE = Path(__file__).parents[2] / "api/phone/node_modules/@getodk/xforms-engine/dist/index.js"

# In the page: the form with its lists as Collect gets them, answered question by question, and sent as it would be.
FILL_IN = """
async ([formId, version, authorization, door]) => {
  const { loadForm } = await import('/phone/engine.js')
  const headers = { Authorization: authorization, 'X-OpenRosa-Version': '1.0' }
  const get = async (path) => {
    const answer = await fetch(`/openrosa/${path}`, { headers })
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
    return answer
  }
  const xform = await (await get(`form.xml?formId=${formId}&version=${version}`)).text()
  const form = await loadForm(xform, { fetchFormAttachment: (wanted) => get(wanted.href.split('/').pop()) })
  if (form.status === 'failure') throw form.error
  const { root } = form.createInstance()
  const all = (node) => [node, ...(node.currentState.children ?? []).flatMap(all)]
  const named = (name) => all(root).find((node) => node.currentState.reference.endsWith(`/${name}`))
  named('visit_door').selectValue(door)
  named('visit_outcome').selectValue('met')
  named('visit_position').setValue('34.705 113.605 0 12')
  named('visit_problems').selectValue('yes')
  named('issue_category').selectValue('0102')
  named('issue_title').setValue('门口垃圾成堆')
  named('trading').selectValue('usual')
  named('staff').setValue('3')
  named('difficulties').selectValues(['licences', 'parking'])
  const skipped = named('utilities').currentState.relevant
  named('licences').selectValues(['food'])
  named('difficulty_details').setValue('卸货没有地方')
  named('call_back').selectValue('no')
  const payload = await root.prepareInstancePayload({ payloadType: 'monolithic' })
  const send = () => fetch('/openrosa/submission', { method: 'POST', headers, body: payload.data[0] })
  const answers = [await send(), await send()]
  return {
    skipped,
    status: payload.status,
    violations: root.validationState.violations.map((one) => one.reference),
    instance: named('instanceID').currentState.value,
    sent: answers.map((answer) => answer.status),
    told: await answers[0].text(),
  }
}
"""


async def policy(page: Page) -> str:
    said: str = await page.evaluate("fetch('/phone/').then((answer) => answer.headers.get('content-security-policy'))")
    return said


def basic(token: str) -> str:
    return "Basic " + base64.b64encode(f"{MEMBER.number}:{token}".encode()).decode()


async def test_xforms_engine_fills_a_shipped_visit_form_and_submits_to_openrosa_submission(
    browser: Browser, station: Station, conn: asyncpg.Connection
) -> None:
    async with conn.transaction():
        await shipped_questionnaires.install(conn, DISTRICT, Actor("program", "test"), NOW)
    [door] = await streets.give(conn, [doorsteps.Door()])
    async with handset(browser, station.address, service_workers="block") as phone:

        async def engine(route: Route) -> None:
            await route.fulfill(body=ENGINE.read_bytes(), content_type="text/javascript")

        async def page_of_the_same_policy(route: Route) -> None:
            app = await route.fetch(url=f"{station.address}/phone/")
            await route.fulfill(response=app, body="<main>.</main>")

        await phone.context.route("**/phone/engine.js", engine)
        await phone.context.route("**/phone/engine.html", page_of_the_same_policy)
        await phone.open("engine.html")
        assert "script-src 'self' 'wasm-unsafe-eval'" in await policy(phone.page)
        asked = ["visit-shop", "2026-11", basic(MEMBER.token), str(door)]
        done: dict[str, Any] = await phone.page.evaluate(FILL_IN, asked)
    assert (done["skipped"], done["violations"], done["status"]) == (False, [], "ready")
    assert done["sent"] == [201, 201], done["told"]
    visit = UUID(done["instance"].removeprefix("uuid:"))
    rows = await conn.fetch("select via, premises, questionnaire, questionnaire_version, outcome from visit")
    assert [tuple(row) for row in rows] == [("collect", door, "shop", "2026-11", "met")]
    assert (
        await conn.fetch("select flag from visit_flag where flag like '%questionnaire%' or flag = 'answers_unfit'")
        == []
    )
    answers = msgspec.json.decode(
        await conn.fetchval("select body->>'answers' from text_version where subject = $1 order by version desc", visit)
    )
    assert answers["values"] == {
        "trading": "usual",
        "staff": 3,
        "difficulties": ["licences", "parking"],
        "licences": ["food"],
        "difficulty_details": "卸货没有地方",
        "call_back": "no",
    }
    issue = await conn.fetchrow("select category, visit from issue where id = $1", uuid5(visit, "issue 0"))
    assert issue is not None
    assert (issue["category"], issue["visit"]) == ("0102", visit)

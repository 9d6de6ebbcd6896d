"""Every page, as a phone and a desk show it, in Chinese and in English, in a district full of hostile names: nothing
that axe finds wrong by WCAG 2.2 AA, nothing that a finger misses, nothing that runs over the edge; a page without a
row fails."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest
from litestar import Litestar
from msgspec import Struct
from playwright.async_api import Browser

from api import database, shipped_questionnaires
from api.app import create_app
from api.assessments import shipped_instruments
from api.settings import Settings
from surveys.history import Actor
from tests import doorsteps, rating_rounds, services_at_hand, time_banking
from tests.conftest import (
    ADMINISTRATOR,
    AUDITOR,
    DISTRICT,
    LEADER,
    MEMBER,
    NOW,
    ORGANISATION,
    RING,
    WORKER,
    Person,
    Server,
)
from tests.web import points_town, town
from tests.web.accessible import violations
from tests.web.conftest import DESK, PHONE, Visitor, served, visiting

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


class Visit(Struct, frozen=True):
    """Who opens a page, and at which address; nobody, when it is open to all."""

    who: Person | None
    address: str


# By the path of the route. Walked elsewhere: residents' pages in test_card.py, the map in test_issue_map.py, a brief in
# test_reports.py, one visit, one door and a view of what is gone in test_desk_lists.py, rating and results in
# test_rating.py.
# test_reports.py, one visit, one door and a view of what is gone in test_desk_lists.py, a
# team and a volunteer in test_volunteering.py.
PAGES = {
    "/sign-in": Visit(None, "/sign-in"),
    "/first-access": Visit(None, "/first-access"),
    "/second-factor": Visit(WORKER, "/second-factor"),
    "/account": Visit(ADMINISTRATOR, "/account"),
    "/ballot": Visit(None, "/ballot"),
    "/assessments/commitments": Visit(ADMINISTRATOR, "/assessments/commitments"),
    "/assessments/ballots": Visit(ADMINISTRATOR, "/assessments/ballots"),
    "/audit": Visit(AUDITOR, "/audit"),
    "/people": Visit(ADMINISTRATOR, "/people"),
    "/people/new": Visit(ADMINISTRATOR, "/people/new"),
    "/people/{member:uuid}": Visit(ADMINISTRATOR, f"/people/{WORKER.id}"),
    "/premises": Visit(ADMINISTRATOR, "/premises"),
    "/campaigns": Visit(ADMINISTRATOR, "/campaigns"),
    "/campaigns/{campaign:str}": Visit(ADMINISTRATOR, "/campaigns/winter"),
    "/campaigns/{campaign:str}/assignment": Visit(ADMINISTRATOR, "/campaigns/winter/assignment"),
    "/campaigns/{campaign:str}/coverage": Visit(ADMINISTRATOR, "/campaigns/winter/coverage"),
    "/questionnaires": Visit(ADMINISTRATOR, "/questionnaires"),
    "/questionnaires/{questionnaire:str}/{version:str}": Visit(MEMBER, "/questionnaires/shop/{version}"),
    "/assessments": Visit(MEMBER, "/assessments"),
    "/assessments/rounds/new": Visit(ADMINISTRATOR, "/assessments/rounds/new"),
    "/assessments/rounds/{round:uuid}": Visit(ADMINISTRATOR, f"/assessments/rounds/{UUID(int=700)}"),
    "/assessments/windows": Visit(ADMINISTRATOR, f"/assessments/windows?organisation={ORGANISATION}"),
    "/assessments/instruments": Visit(ADMINISTRATOR, "/assessments/instruments"),
    "/assessments/instruments/{instrument:str}/{version:str}": Visit(MEMBER, "/assessments/instruments/member/2026.1"),
    "/desk": Visit(WORKER, "/desk/"),
    "/desk/issues/{issue:uuid}": Visit(WORKER, f"/desk/issues/{UUID(int=10001)}"),
    "/desk/places": Visit(WORKER, "/desk/places"),
    "/desk/visits": Visit(WORKER, "/desk/visits"),
    "/desk/cards": Visit(ADMINISTRATOR, "/desk/cards"),
    "/desk/categories": Visit(ADMINISTRATOR, "/desk/categories"),
    "/desk/limits": Visit(ADMINISTRATOR, "/desk/limits"),
    "/desk/imports": Visit(ADMINISTRATOR, "/desk/imports"),
    "/exports": Visit(LEADER, "/exports"),
    "/desk/views": Visit(WORKER, "/desk/views"),
    "/dashboards": Visit(LEADER, "/dashboards"),
    "/dashboards/rates": Visit(LEADER, "/dashboards/rates"),
    "/dashboards/return-visits": Visit(LEADER, "/dashboards/return-visits"),
    "/reports": Visit(LEADER, "/reports"),
    "/volunteering/services": Visit(MEMBER, "/volunteering/services"),
    "/volunteering/services/{service:uuid}": Visit(MEMBER, f"/volunteering/services/{services_at_hand.HELD}"),
    "/volunteering/bookings": Visit(ADMINISTRATOR, "/volunteering/bookings"),
    "/volunteering": Visit(ADMINISTRATOR, "/volunteering/"),
    "/volunteering/teams/new": Visit(ADMINISTRATOR, "/volunteering/teams/new"),
    "/volunteering/volunteers": Visit(ADMINISTRATOR, "/volunteering/volunteers"),
    "/volunteering/me": Visit(MEMBER, "/volunteering/me"),
    "/board": Visit(None, "/board"),
    "/volunteering/points": Visit(ADMINISTRATOR, "/volunteering/points"),
    "/volunteering/points/volunteers/{volunteer:uuid}": Visit(
        ADMINISTRATOR, f"/volunteering/points/volunteers/{points_town.NAMED}"
    ),
    "/volunteering/points/rules": Visit(ADMINISTRATOR, "/volunteering/points/rules"),
    "/volunteering/points/publish": Visit(ADMINISTRATOR, "/volunteering/points/publish?month=2026-10"),
    "/volunteering/models": Visit(ADMINISTRATOR, "/volunteering/models"),
    "/volunteering/time": Visit(ADMINISTRATOR, "/volunteering/time"),
    "/volunteering/time/help": Visit(ADMINISTRATOR, f"/volunteering/time/help?account={time_banking.SAVER}"),
    "/volunteering/time/accounts/{account:uuid}": Visit(
        ADMINISTRATOR, f"/volunteering/time/accounts/{time_banking.SAVER}"
    ),
}
ELSEWHERE = {
    "/assessments/commitments/{commitment:uuid}",
    "/assessments/ballots/{ballot:uuid}",
    "/card",
    "/maps/issues",
    "/reports/{report:uuid}",
    "/desk/views/{view:uuid}",
    "/desk/visits/{visit:uuid}",
    "/premises/{door:uuid}",
    "/assessments/rate",
    "/assessments/rounds/{round:uuid}/results",
    "/assessments/rounds/{round:uuid}/people",
    "/rate",
    "/volunteering/teams/{team:uuid}",
    "/volunteering/volunteers/{volunteer:uuid}",
}
PARTS = {
    "/desk/queues",
    "/desk/total",
    "/desk/people",
    "/desk/bulk/all",
    "/desk/issues/{issue:uuid}/twins",
    "/reports/makings",
    "/exports/list",
}  # of a page, and seen on it


def pages(app: Litestar) -> set[str]:
    """The paths of all routes that answer with a page."""
    found = set()
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            said = str(handler.parsed_fn_signature.return_type.annotation)
            if "GET" in handler.http_methods and (
                "response.template.Template" in said or "html" in str(handler.media_type)
            ):
                found.add(route.path)
    return {path for path in found - PARTS if not any(path.startswith(begin) for begin in ELSEWHERE)}


def test_every_page_has_a_row() -> None:
    app = create_app(Settings(database_url="postgresql:///nowhere"), ring=RING)
    assert pages(app) - set(PAGES) == set()


@pytest.fixture(scope="module")
async def house(server: Server, template: str) -> AsyncIterator[tuple[str, str]]:
    """The address of a program on a district with something on every page, and the version of a questionnaire."""
    name = f"pages_{uuid4().hex[:8]}"
    admin = await asyncpg.connect(server.dsn())
    await admin.execute(f"create database {name} template {template}")
    dsn = server.dsn("zoufang_app", name)
    conn = await database.connect(dsn)
    await town.settle(conn)
    await points_town.settle(conn)
    await services_at_hand.settle(conn, f"教老人用手机{town.MARKUP[0]}")
    await doorsteps.campaign(conn, name=f"冬季走访{town.MARKUP[0]}")
    async with conn.transaction():
        await shipped_questionnaires.install(conn, DISTRICT, Actor("program", "test"), NOW)
        await shipped_instruments.install(conn, DISTRICT, Actor("program", "test"), NOW)
    await time_banking.settle(conn)
    await rating_rounds.publish(conn)
    await rating_rounds.window(conn, f"社保窗口{town.MARKUP[0]}")
    opened = NOW - 20 * rating_rounds.DAY
    await rating_rounds.held(conn, opened, NOW, id=str(UUID(int=700)), name=f"三季度考核{town.MARKUP[0]}")
    await rating_rounds.held(conn, NOW - rating_rounds.DAY, NOW, id=str(UUID(int=701)))
    version = await conn.fetchval("select version from questionnaire_version where questionnaire = 'shop'")
    await conn.close()
    async with served(Settings(database_url=dsn, pool_size=4)) as address:
        yield address, version
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@pytest.fixture(scope="module", params=["phone", "desk"])
async def visitor(request: pytest.FixtureRequest, browser: Browser, house: tuple[str, str]) -> AsyncIterator[Visitor]:
    async with visiting(browser, house[0], **(PHONE if request.param == "phone" else DESK)) as arrived:
        yield arrived


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_can_be_read_and_touched_by_everybody(path: str, visitor: Visitor, house: tuple[str, str]) -> None:
    visit, page = PAGES[path], visitor.page
    await page.context.clear_cookies()
    if visit.who is not None:
        await page.context.request.post(f"{visitor.site}/sign-in", form={"token": visit.who.token}, max_redirects=0)
    wrong = {}
    for language in ("zh", "en"):
        address = visit.address.format(version=house[1])
        answer = await page.goto(f"{visitor.site}{address}{'&' if '?' in address else '?'}lang={language}")
        assert answer is not None
        assert answer.status == 200
        await page.wait_for_load_state("networkidle")
        wrong[language] = await violations(page)
        assert await page.get_attribute("html", "lang") == ("en" if language == "en" else "zh-CN")
    assert wrong == {"zh": [], "en": []}

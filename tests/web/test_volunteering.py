"""Volunteer teams in a browser: who organises founds one, its leader takes people in, and a volunteer opens their own
page by a link, changes what they offer, and ends it."""

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from playwright.async_api import Browser, expect

from api.settings import Settings
from surveys.history import Actor
from surveys.people.people import Grant, Reader
from surveys.volunteering import teams, volunteers
from surveys.volunteering.teams import TeamDraft
from surveys.volunteering.volunteers import Draft
from tests.conftest import (
    ADMINISTRATOR,
    DISTRICT,
    MEMBER,
    NEAR,
    NOW,
    ORGANISATION,
    RING,
    STRANGER,
    WORKER,
    Person,
    TestClock,
)
from tests.web.accessible import violations
from tests.web.conftest import DESK, PHONE, Visitor, served, visiting
from tests.web.town import MARKUP

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

PICTURES = os.environ.get("ZOUFANG_TEST_PICTURES")  # a folder to look at what was seen
TEAM = UUID(int=7_001)


@pytest.fixture
async def house(dsn: str, conn: asyncpg.Connection, clock: TestClock, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a program with a team that the member leads."""
    await settle(conn)
    settings = Settings(
        database_url=dsn, pool_size=4, public_url="https://zoufang.example", keys=tmp_path / "keys.json"
    )
    async with served(settings, clock) as address:
        yield address


async def settle(conn: asyncpg.Connection) -> None:
    desk = Actor("member", str(WORKER.id))
    leader, other = UUID(int=7_002), UUID(int=7_003)
    drafts = [
        Draft(id=leader, member=MEMBER.number, skills=("理发", "缝补"), hours=("6 09:00-12:00",)),
        Draft(id=other, name=f"王阿姨{MARKUP[0]}", phone="12000001234", community=NEAR, skills=("量血压",)),
    ]
    async with conn.transaction():
        for draft in drafts:
            await volunteers.register(conn, RING, DISTRICT, draft, desk, NOW)
        grants = (Grant("administrator", "district", str(DISTRICT)),)
        reader = Reader(district=DISTRICT, member=WORKER.id, name="", organisation=ORGANISATION, grants=grants)
        about = f"为行动不便的邻居理发{MARKUP[1]}"
        team = TeamDraft(id=TEAM, name="近邻互助队", kind="neighbours", organisation=ORGANISATION, about=about,
                         leader=leader, communities=(NEAR,))  # fmt: skip
        await teams.found(conn, reader, team, NOW)


@pytest.fixture(params=["phone", "desk"])
async def visitor(request: pytest.FixtureRequest, browser: Browser, house: str) -> AsyncIterator[Visitor]:
    async with visiting(browser, house, **(PHONE if request.param == "phone" else DESK)) as arrived:
        yield arrived


async def enter(visitor: Visitor, who: Person, path: str) -> None:
    await visitor.page.context.clear_cookies()
    await visitor.page.context.request.post(f"{visitor.site}/sign-in", form={"token": who.token}, max_redirects=0)
    await visitor.page.goto(f"{visitor.site}{path}")


async def seen(visitor: Visitor, name: str) -> None:
    """Hold that what is seen fits the window, can be touched and read by everybody; keep a picture of it."""
    page = visitor.page
    await page.wait_for_load_state()
    width = page.viewport_size["width"] if page.viewport_size else 0
    if PICTURES:
        await page.screenshot(path=f"{PICTURES}/{name}-{width}.png", full_page=True)
    assert await page.evaluate("document.documentElement.scrollWidth") <= width, name
    small = await page.evaluate(
        "[...document.querySelectorAll('button, input:not([type=hidden], [type=checkbox]), select, summary, a.button')]"
        ".filter(e => e.checkVisibility() && !e.hidden && e.getBoundingClientRect().height < 43.5)"
        ".map(e => e.outerHTML.slice(0, 80))"
    )
    assert small == [], name
    assert await violations(page) == [], name


async def open_all(visitor: Visitor) -> None:
    await visitor.page.wait_for_load_state()  # what is not read yet would stay closed
    await visitor.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")


async def test_a_team_is_founded_found_and_its_leader_takes_people_in(visitor: Visitor) -> None:
    page = visitor.page
    await enter(visitor, ADMINISTRATOR, "/volunteering/teams/new")
    await page.fill("#name", "清洁家园队")
    await page.select_option("#kind", "environment")
    await page.select_option("#communities", NEAR)
    await seen(visitor, "team-new")
    await page.click("button[type=submit]")
    await page.wait_for_url("**/volunteering/?mine=1")
    await seen(visitor, "teams")
    assert await page.locator(".team").count() == 2
    await page.goto(f"{visitor.site}/volunteering/?kind=jobs")
    assert "没有符合条件的服务队" in await page.inner_text(".empty")
    await seen(visitor, "teams-empty")
    await enter(visitor, MEMBER, f"/volunteering/teams/{TEAM}")
    await open_all(visitor)
    await page.fill("form[action$=joinings] #member", "999")
    await page.click("form[action$=joinings] button")
    await page.wait_for_selector("form[action$=joinings] [role=alert]:not([hidden])")
    await seen(visitor, "team-refused")
    await page.fill("form[action$=joinings] #member", STRANGER.number)
    await page.click("form[action$=joinings] button")
    await page.wait_for_selector(f"text={STRANGER.name}")
    await open_all(visitor)
    await page.fill("form[action$=volunteers] #name", "李大叔")
    await page.fill("form[action$=volunteers] #phone", "12000004321")
    await page.click("form[action$=volunteers] button")
    await page.wait_for_selector("text=120****4321")
    await seen(visitor, "team")
    await page.goto(f"{visitor.site}/volunteering/teams/{TEAM}?lang=en")
    await open_all(visitor)
    await seen(visitor, "team-en")
    await enter(visitor, STRANGER, f"/volunteering/teams/{TEAM}")
    assert await page.locator(".people-of-team").count() == 0, "who does not look after it sees nobody in it"
    assert MEMBER.name not in await page.inner_text("main")
    await seen(visitor, "team-of-others")


async def test_a_volunteer_opens_their_page_by_a_link_and_ends_it(visitor: Visitor, conn: asyncpg.Connection) -> None:
    page = visitor.page
    await enter(visitor, ADMINISTRATOR, f"/volunteering/volunteers/{UUID(int=7_003)}")
    await page.click("summary:has-text('查看电话')")
    await page.fill("#purpose", "通知周六活动")
    await page.click("form[data-shows-phone] button")
    await page.wait_for_selector("text=12000001234")
    await page.click("form[data-makes-link] button")
    await page.wait_for_selector("[data-link-made]:not([hidden])")
    link = await page.inner_text("[data-link]")
    await open_all(visitor)
    await seen(visitor, "volunteer")
    assert link.startswith("https://zoufang.example/volunteering/me#410103.")
    await page.context.clear_cookies()
    await page.goto(f"{visitor.site}/volunteering/me#410103.{'A' * 22}")
    await page.wait_for_selector("[data-failed]:not([hidden])")
    await seen(visitor, "me-refused")
    await page.goto("about:blank")
    await page.goto(f"{visitor.site}/volunteering/me#{link.partition('#')[2]}")
    await page.wait_for_selector("#my_data")
    assert "#" not in page.url
    await page.check("#my_offers input[value='理发']")
    await page.check("#my_offers input[value='7 09:00-12:00']")
    async with page.expect_navigation():
        await page.click("#my_offers button")
    assert await page.is_checked("#my_offers input[value='理发']")
    assert await page.is_checked("#my_offers input[value='7 09:00-12:00']")
    await page.click("text=可以写我的姓名")
    await page.wait_for_selector("text=改为只写编号")
    await open_all(visitor)
    await expect(page.locator("#my_data")).to_contain_text("通知周六活动")
    await seen(visitor, "me")
    await page.click(".ending button")
    await page.wait_for_selector(".ending [role=alert]:not([hidden])")
    await page.check(".ending input[type=checkbox]")
    await page.click(".ending button")
    await page.wait_for_selector("text=您的资料已删除")
    await seen(visitor, "me-ended")
    left = await conn.fetchrow("select ended_at, number from volunteer where id = $1", UUID(int=7_003))
    assert left is not None
    assert left["ended_at"] is not None


async def test_a_member_begins_to_serve_and_leaves_a_team(visitor: Visitor) -> None:
    page = visitor.page
    await enter(visitor, STRANGER, "/volunteering/me")
    await seen(visitor, "me-begin")
    await page.click("text=登记为志愿者 >> nth=-1")
    await page.wait_for_selector("#my_teams")
    assert re.search(r"V0000\d\d", await page.inner_text("h1"))
    await enter(visitor, MEMBER, "/volunteering/me?lang=en")
    await open_all(visitor)
    await seen(visitor, "me-leader-en")
    await page.click("#my_teams form button")
    await page.wait_for_selector("#my_teams details", state="detached")
    await enter(visitor, ADMINISTRATOR, "/volunteering/volunteers")
    await seen(visitor, "volunteers")
    assert "王阿姨<img" in await page.inner_text("main"), "markup is read, and does not run"


HOSTILE = MARKUP[0].replace('"', "'")
LIST = f"""服务队,类别,组织,姓名,手机
剪纸队,文艺,第一支部,赵师傅,12000005678
剪纸队,,第一支部,{HOSTILE},
剪纸队,,没有的支部,钱师傅,
"""


async def test_a_list_is_looked_at_row_by_row_and_taken_over(
    visitor: Visitor, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    page, file = visitor.page, tmp_path / "志愿者.csv"
    file.write_text(LIST, encoding="utf-8")
    await enter(visitor, ADMINISTRATOR, "/volunteering/volunteers")
    await page.click("text=导入名册")
    await page.wait_for_selector("#list")
    await page.set_input_files("#file", file)
    await page.click("#list button[value=true]")
    await page.wait_for_selector("#looked:not([hidden])")
    assert await page.locator("#rows tr").all_inner_texts() == [
        "2\t剪纸队 · 赵师傅\t新建服务队、登记志愿者、加入服务队",
        f"3\t剪纸队 · {HOSTILE}\t登记志愿者、加入服务队",
    ]
    assert "没有这个组织，或有几个同名：没有的支部" in await page.inner_text("#faults")
    assert "服务队 *" in await page.inner_text("#columns")
    await seen(visitor, "import-looked")
    count = "select count(*) from volunteer_team t join text_version x on x.subject = t.id where x.body->>'name' = $1"
    assert await conn.fetchval(count, "剪纸队") == 0
    await page.click("#take")
    await page.wait_for_selector("#looked h2:text-is('已导入')")
    assert await conn.fetchval(count, "剪纸队") == 1
    await seen(visitor, "import-taken")

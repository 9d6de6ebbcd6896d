"""One issue at the desk: all of it on one page, moved without leaving it, also by two people at once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from api.settings import Settings
from tests import doors, drafts, photographs
from tests.conftest import DISPATCHER, MEMBER, WORKER, Client, TestClock
from tests.web.accessible import violations
from tests.web.conftest import Visitor, served, visiting
from tests.web.test_desk_board import SCREENS, picture
from tests.web.test_people import enter

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


@pytest.fixture
async def house(dsn: str, clock: TestClock, tmp_path: Any) -> AsyncIterator[str]:
    """The address of a program on a district of the test's own."""
    settings = Settings(database_url=dsn, pool_size=4, data=tmp_path / "data")
    async with served(settings, clock) as address:
        yield address


@pytest.fixture
async def worker(browser: Browser, house: str) -> AsyncIterator[Visitor]:
    async with visiting(browser, house, **SCREENS["desk"]) as arrived:
        await enter(arrived, WORKER, "/desk/")
        yield arrived


async def report(client: Client, **changes: Any) -> str:
    """A problem at the near door, by its id."""
    visit = drafts.visit(issues=[drafts.issue(**changes)])
    answer = await doors.file(client, MEMBER, visit)
    return str(answer["issues"][0]["id"])


@pytest.mark.parametrize("screen", SCREENS)
async def test_every_kind_of_issue_is_one_page(browser: Browser, site: str, screen: str) -> None:
    async with visiting(browser, site, **SCREENS[screen]) as arrived:
        page = arrived.page
        await enter(arrived, WORKER, "/desk/?sort=newest")
        for state in ("reported", "in_progress", "closed", "rejected"):
            await page.goto(f"{site}/desk/?state={state}")
            await page.click("tr[data-issue] a.open")
            await page.wait_for_selector("#issue")
            assert await violations(page) == []
            await picture(arrived, f"issue_{state}")
        await page.goto(f"{site}/desk/?owner={WORKER.id}&as_of=2026-11-20")
        async with page.expect_navigation():
            await page.click("tr[data-issue] a.open")
        assert await page.locator(".issue-moves").count() == 0
        assert "2026年11月20日" in await page.inner_text(".desk-past")


async def test_a_worker_takes_an_issue_from_its_report_to_its_end(
    worker: Visitor, client: Client, tmp_path: Any
) -> None:
    for number in range(3):
        await report(client, title=f"垃圾成堆 {number}")
    page = worker.page
    await page.reload()
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("k")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#issue")
    await page.click("[data-move=accept] button")
    await page.wait_for_selector(".told.done:has-text('已受理')")
    await page.click("[data-move=assign] summary")
    await page.select_option("[data-move=assign] select", "city_management")
    assert await violations(page) == []
    await picture(worker, "issue_assign")
    await page.click("[data-move=assign] form button")
    await page.wait_for_selector(".told.done:has-text('已分派')")
    await page.click("[data-move=start] button")
    await page.wait_for_selector(".told.done:has-text('已开始办理')")
    shot = tmp_path / "after.jpg"
    shot.write_bytes(photographs.photo())
    await page.click("[data-move=resolve] summary")
    await page.fill("[data-move=resolve] textarea", "已清运")
    await page.set_input_files("[data-move=resolve] input[type=file]", str(shot))
    await page.click("[data-move=resolve] form button")
    await page.wait_for_selector(".told.done:has-text('已办结')")
    await page.wait_for_selector(".issue-photos .after img")
    await page.wait_for_selector(".issue-map .leaflet-pane", state="attached")
    await picture(worker, "issue_resolved")
    await page.keyboard.press("j")
    await page.wait_for_selector("[data-move=accept]")
    await page.wait_for_load_state()
    await page.keyboard.press("u")
    await expect(page.locator("tr[data-issue]")).to_have_count(2)


async def test_who_comes_second_is_told_of_the_first_and_loses_nothing(
    worker: Visitor, browser: Browser, house: str, client: Client, clock: TestClock
) -> None:
    issue = await report(client)
    page = worker.page
    await page.goto(f"{house}/desk/issues/{issue}")
    await page.click("[data-move=reject] summary")
    await page.fill("[data-move=reject] textarea", "不在本社区 <b>")
    async with visiting(browser, house, **SCREENS["desk"]) as other:
        await enter(other, DISPATCHER, f"/desk/issues/{issue}")
        await other.page.click("[data-move=accept] button")
        await other.page.wait_for_selector(".told.done")
    clock.forward(minutes=2)
    await page.click("[data-move=reject] form button")
    await page.wait_for_selector(".told.conflict")
    told = await page.inner_text(".told.conflict")
    assert "孙调度 2 分钟前：受理" in told
    assert await page.input_value("[data-move=reject] textarea") == "不在本社区 <b>"
    assert await violations(page) == []
    await picture(worker, "issue_overtaken")
    await page.click("[data-move=reject] form button")
    await page.wait_for_selector(".told.done:has-text('已不予受理')")


async def test_a_refusal_is_said_at_the_field(worker: Visitor, client: Client, clock: TestClock) -> None:
    issue = await report(client)
    page = worker.page
    await page.goto(f"{worker.site}/desk/issues/{issue}")
    await page.click("[data-move=merge] summary")
    await page.fill("[data-move=merge] input[name=to_issue]", "99999")
    await page.click("[data-move=merge] form button")
    await page.wait_for_selector("[data-move=merge] [role=alert]:not([hidden])")
    assert "没有找到" in await page.inner_text("[data-move=merge] [role=alert]")
    assert await page.get_attribute("[data-move=merge] input[name=to_issue]", "aria-invalid") == "true"
    worker.complaints[:] = [one for one in worker.complaints if not one.startswith("Response Status Error Code 404")]


async def test_what_is_wrong_is_put_right_with_a_place_on_the_map(worker: Visitor, client: Client) -> None:
    issue = await report(client)
    page = worker.page
    await page.goto(f"{worker.site}/desk/issues/{issue}")
    await page.click("[data-move=correct] summary")
    form = page.locator("[data-move=correct] form")
    await form.locator("[name=correct_title]").fill("大量垃圾成堆")
    await form.locator("[name=correct_urgency]").select_option("urgent")
    await form.locator(".issue-map .leaflet-pane").first.wait_for(state="attached")
    await form.locator(".issue-map").click(position={"x": 120, "y": 60})
    assert await form.locator("[name=lon]").input_value() != ""
    await form.locator("textarea[name=reason]").fill("现场核对")
    await picture(worker, "issue_correct")
    await form.locator("button[type=submit]").click()
    await page.wait_for_selector(".told.done:has-text('已更正')")
    assert await page.inner_text("#issue h1") == "大量垃圾成堆"
    answer = await client.get(f"/api/issues/{issue}", headers=WORKER.headers)
    assert answer.json()["issue"]["position"] != {"lon": 113.605, "lat": 34.705}

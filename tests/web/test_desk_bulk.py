"""Many issues at once: ticked by keyboard, each moved by itself, and of each is told what became of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from api.desk import bulk
from api.settings import Settings
from tests import doors, drafts
from tests.conftest import DISPATCHER, MEMBER, WORKER, Client, TestClock
from tests.web.accessible import violations
from tests.web.conftest import Visitor, served, visiting
from tests.web.test_desk_board import SCREENS, picture
from tests.web.test_people import enter

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

MANY = 5


@pytest.fixture
async def house(dsn: str, clock: TestClock, tmp_path: Path) -> AsyncIterator[str]:
    async with served(Settings(database_url=dsn, pool_size=4, data=tmp_path / "data"), clock) as address:
        yield address


@pytest.fixture
async def found(client: Client) -> list[str]:
    """Problems at the near door, by their ids."""
    issues = [drafts.issue(title=f"垃圾成堆 {number}") for number in range(MANY)]
    answer = await doors.file(client, MEMBER, drafts.visit(issues=issues))
    return [str(issue["id"]) for issue in answer["issues"]]


@pytest.fixture(params=["phone", "desk"])
async def worker(
    request: pytest.FixtureRequest, browser: Browser, house: str, found: list[str]
) -> AsyncIterator[Visitor]:
    async with visiting(browser, house, **SCREENS[request.param]) as arrived:
        await enter(arrived, WORKER, "/desk/")
        await arrived.page.wait_for_selector("[data-queue=mine] .number:text-is('5')")
        yield arrived


async def states(client: Client, issues: list[str]) -> list[str]:
    answer = await client.get("/api/issues", params={"id": issues}, headers=WORKER.headers)
    return sorted(item["state"] for item in answer.json()["items"])


async def test_of_each_is_told_what_became_of_it(
    worker: Visitor, client: Client, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PART", 2)  # so that three parts follow one another
    await doors.move(client, DISPATCHER, found[1], drafts.move("reject", 1, reason="重复"))
    page = worker.page
    await page.keyboard.press("j")
    await page.keyboard.press("x")
    await page.wait_for_selector(".desk-bulk:not([hidden])")
    assert await page.inner_text(".desk-bulk [data-count]") == "1"
    await page.check("#tick-all")
    assert await page.inner_text(".desk-bulk [data-count]") == "5"
    assert await violations(page) == []
    await picture(worker, "bulk_bar")
    await page.click(".desk-bulk button[value=accept]")
    await page.wait_for_selector(".bulk-end")
    assert "成功 4 个，未执行 1 个" in await page.inner_text(".bulk-end")
    assert await page.locator("#bulk-told li.refused").count() == 1
    assert "别人刚刚改动过" in await page.inner_text("#bulk-told li.refused")
    await picture(worker, "bulk_told")
    assert await states(client, found) == ["accepted"] * 4 + ["rejected"]


async def test_all_of_the_list_goes_to_a_department_or_into_one(
    worker: Visitor, client: Client, found: list[str]
) -> None:
    page = worker.page
    await page.check("tr[data-issue] >> nth=0 >> input")
    await page.click("text=选中列表全部")
    await page.wait_for_selector("#bulk-all input", state="attached")
    await page.wait_for_selector(".desk-bulk [data-count]:text-is('5')")
    await page.click(".desk-bulk summary:has-text('分派给部门')")
    await page.select_option("#bulk-department", "city_management")
    assert await violations(page) == []
    await picture(worker, "bulk_assign")
    await page.click(".desk-bulk button[value=assign]")
    await page.wait_for_selector(".bulk-end")
    assert await states(client, found) == ["assigned"] * 5
    async with page.expect_navigation():
        await page.click("[data-reload]")
    await page.wait_for_selector("#tick-all")
    await page.check("#tick-all")
    await page.click(".desk-bulk summary:has-text('并案')")
    await page.select_option("#bulk-survivor", found[0])
    await page.click(".desk-bulk button[value=merge]")
    await page.wait_for_selector(".bulk-end")
    assert await states(client, found) == ["assigned"] + ["merged"] * 4


async def test_what_is_sent_again_is_not_done_twice(client: Client, found: list[str]) -> None:
    form = {
        "bulk": "0192aaaa-0000-7000-8000-000000000001",
        "do": "accept",
        "issue": [f"{issue}:1" for issue in found],
    }
    for _ in range(2):
        answer = await client.post("/desk/bulk", data=form, headers=WORKER.headers)
        assert "成功 5 个，未执行 0 个" in answer.text
    history = (await client.get(f"/api/issues/{found[0]}", headers=WORKER.headers)).json()["history"]
    assert [entry["event"] for entry in history] == ["report", "accept"]
    wrong = await client.post("/desk/bulk", data=form | {"issue": ["x:1"]}, headers=WORKER.headers)
    assert (wrong.status_code, wrong.json()["field"]) == (422, "issue")
    none = await client.post("/desk/bulk", data=form | {"do": "close"}, headers=WORKER.headers)
    assert (none.status_code, none.json()["field"]) == (422, "do")

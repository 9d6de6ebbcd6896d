"""The register of doors as a worker at a phone and an administrator at a desk see it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.async_api import Browser

from api.settings import Settings
from tests import doors, drafts
from tests.conftest import ADMINISTRATOR, LEADER, MEMBER, OTHER_WORKER, WORKER, Client, TestClock
from tests.web.conftest import DESK, PHONE, Visitor, served, visiting
from tests.web.test_people import enter, picture
from tests.web.town import MARKUP

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

LIST = (
    "编号,类型,名称,地址,社区,经度,纬度,户主\n"
    "S1,商铺,老张烩面馆,淮河路12号,,113.605,34.705,张三\n"
    "S2,商铺,老张烩面,淮河路12号,,113.605,34.705,\n"
    'S3,商铺,"=1+1<img src=x onerror=""window.ran=1"">",铭功路8号,远方社区,,,\n'
    "S4,饭馆,谁,,,,,\n"
)


@pytest.fixture
async def house(dsn: str, clock: TestClock) -> AsyncIterator[str]:
    """The address of a program on a district of the test's own."""
    async with served(Settings(database_url=dsn, pool_size=4), clock) as address:
        yield address


@pytest.fixture(params=["phone", "desk"])
async def visitor(request: pytest.FixtureRequest, browser: Browser, house: str) -> AsyncIterator[Visitor]:
    async with visiting(browser, house, **(PHONE if request.param == "phone" else DESK)) as arrived:
        yield arrived


async def find(client: Client, name: str, address: str) -> None:
    door = {"id": str(uuid4()), "kind": "shop", "name": name, "address": address}
    await doors.file(client, MEMBER, drafts.visit(premises=door))


async def test_doors_found_on_the_way_are_confirmed_merged_or_none(visitor: Visitor, client: Client) -> None:
    known = {"id": str(uuid4()), "kind": "shop", "name": "老张烩面馆", "address": "淮河路12号", "code": "S1"}
    await client.post("/api/premises", json=known | {"position": drafts.NEAR_DOOR}, headers=WORKER.headers)
    for name, address in (("老张烩面", "淮河路12号"), (MARKUP[0], MARKUP[3]), ("临时摊位", "")):
        await find(client, name, address)
    page = visitor.page
    page.on("dialog", lambda dialog: dialog.accept())
    await enter(visitor, WORKER, "/premises")
    assert await page.locator(".waiting .door").count() == 3
    await picture(visitor, "premises")
    await page.click(".door:has-text('临时摊位') button:text-is('不是走访对象')")
    await page.wait_for_selector(".list .state.gone")
    await page.click(".door:has-text('onerror') button:text-is('确认')")
    await page.wait_for_selector(".waiting h2 .number:text-is('1')")
    await page.click(".twins li:has-text('老张烩面馆') button")
    await page.wait_for_selector(".waiting .nothing")
    await page.wait_for_selector(".list .state.merged")
    await picture(visitor, "premises_none_waiting")
    assert await page.evaluate("window.ran") is None
    await page.fill("#text", "烩面")
    await page.click(".filters button")
    await page.wait_for_selector(".above .number:text-is('2')")


async def test_an_administrator_takes_over_a_list(visitor: Visitor, tmp_path: Path) -> None:
    file = tmp_path / "名册.csv"
    file.write_text(LIST, encoding="utf-8")
    page = visitor.page
    await enter(visitor, ADMINISTRATOR, "/premises")
    assert "台账还是空的" in await page.inner_text("main")
    await page.click(".incoming summary")
    await picture(visitor, "premises_incoming")
    await page.set_input_files("#file", str(file))
    await page.click("button:text-is('只核对')")
    await page.wait_for_selector("#taken:not([hidden])")
    assert await page.inner_text("#taken h3") == "已核对，尚未写入"
    await page.click("button:text-is('导入')")
    await page.wait_for_selector("#taken h3:text-is('导入完成')")
    told = await page.inner_text("#taken")
    assert [words for words in ("户主", "不是商铺、企业或居民：饭馆", "疑似重复") if words not in told] == []
    assert "张三" not in told
    await picture(visitor, "premises_taken")
    async with page.expect_download() as download:
        await page.click("#taken a[download]")
    report = await asyncio.to_thread(Path(await (await download.value).path()).read_text, encoding="utf-8-sig")
    assert report.startswith("行号,情况")
    file.write_bytes(b"\xff" + bytes(range(1, 201)))
    await page.set_input_files("#file", str(file))
    await page.click("button:text-is('导入')")
    await page.wait_for_selector("#incoming [role=alert]:not([hidden])")
    await picture(visitor, "premises_refused")
    await page.goto(f"{visitor.site}/premises?lang=en")
    assert await page.locator(".list li").count() == 3
    await picture(visitor, "premises_en")
    assert await page.evaluate("window.ran") is None


async def test_who_looks_after_no_door_here_sees_none(visitor: Visitor, client: Client) -> None:
    await find(client, "老张烩面馆", "淮河路12号")
    page = visitor.page
    await enter(visitor, OTHER_WORKER, "/premises")
    assert (await page.locator(".door").count(), await page.locator(".list").count()) == (0, 0)
    assert await page.locator(".incoming").count() == 0
    await page.goto(f"{visitor.site}/premises?text=没有这个")
    assert "没有符合条件的走访对象" in await page.inner_text("main")
    await picture(visitor, "premises_empty")
    await enter(visitor, LEADER, "/premises")
    assert "您的角色不能做这件事" in await page.inner_text("main")

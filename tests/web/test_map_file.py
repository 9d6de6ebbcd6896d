"""The map as one file, opened from a folder in a browser without a network."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import click
import pytest
from click.testing import CliRunner, Result
from playwright.async_api import Browser, Page, expect

from api import database, map_files
from api.cli import map as command_module
from api.cli.map import map_
from api.settings import Settings
from tests import services_at_hand
from tests.conftest import DISTRICT, FAR, NEAR, NEXT, NOW, STRANGER, WORKER
from tests.web.accessible import violations
from tests.web.town import MARKUP, stock

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

OPEN = ("reported", "in_hand", "overdue")


@pytest.fixture(autouse=True)
def its_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command has the town's clock."""
    monkeypatch.setattr(command_module, "utc_now", lambda: NOW)


async def made(dsn: str, path: Path, *options: str) -> Result:
    command: click.Command = map_
    arguments = ["-o", str(path), *options]
    return await asyncio.to_thread(CliRunner().invoke, command, arguments, obj=Settings(database_url=dsn))


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def data_of(path: Path) -> dict[str, Any]:
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text(), re.DOTALL)
    assert block
    found: dict[str, Any] = json.loads(block[1])
    return found


@asynccontextmanager
async def opened(browser: Browser, path: Path, fragment: str = "") -> AsyncIterator[Page]:
    """The file in a window without a network, which must have asked for nothing else and run no text."""
    context = await browser.new_context(offline=True, locale="zh-CN", viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    await page.goto(path.as_uri() + fragment)
    await page.wait_for_selector("body[data-ready]")
    yield page
    assert [one for one in asked if not one.startswith((path.as_uri(), "data:"))] == []
    assert complaints == []
    assert await page.evaluate("window.ran") is None
    await context.close()


async def test_it_opens_without_a_network_and_says_the_list_s_numbers(
    browser: Browser, town_dsn: str, tmp_path: Path
) -> None:
    file = tmp_path / "地图.html"
    result = await made(town_dsn, file)
    assert result.exit_code == 0, result.output
    assert "Map 地图" in result.output
    async with opened(browser, file, "#/areas") as page:
        assert int(await page.inner_text(".totals .figure .number")) == stock(*OPEN)
        for group in (*OPEN, "solved", "other"):
            number = page.locator(f".totals .group.{group.replace('_', '-')} .number")
            await expect(number).to_have_text(str(stock(group)))
        for code in (NEAR, NEXT, FAR):
            value = page.locator(f"tr[data-place='{code}'] td a.number")
            await expect(value).to_have_text(str(stock(*OPEN, community=code)))
        await expect(page.locator(".file-told")).to_contain_text("系统，全区范围")
        await expect(page.locator(".file-told")).to_contain_text("不含")
        await expect(page.locator("tr th a").first).to_contain_text("社区")
        rings = [int(text) for text in await page.locator(".cluster .count").all_inner_texts()]
        assert sum(rings) + await page.locator(".single").count() == stock() - 3  # three have no place
        layers = {"satisfaction": "满意率", "visits": "日均走访", "density": "问题密度", "overdue": "超期问题"}
        for layer, name in layers.items():
            await page.evaluate(
                "(layer) => { const s = document.querySelector('select[name=layer]'); s.value = layer;"
                " s.dispatchEvent(new Event('change')) }",
                layer,
            )
            await expect(page.locator(".panel-title")).to_contain_text(name)


async def test_titles_and_exact_places_stay_at_home_unless_asked_for(
    browser: Browser, town_dsn: str, tmp_path: Path
) -> None:
    plain, titled = tmp_path / "plain.html", tmp_path / "titled.html"
    assert (await made(town_dsn, plain)).exit_code == 0
    assert "井盖破损" not in plain.read_text()
    assert data_of(plain)["file"]["issues"] is None
    async with opened(browser, plain, "#/list?group=solved") as page:
        await expect(page.locator(".panel")).to_contain_text("不带问题清单")
    assert (await made(town_dsn, titled, "--titles", "--layer", "open")).exit_code == 0
    inside = data_of(titled)["file"]["issues"]
    assert len(inside) == stock()
    assert "owner" not in inside[0]
    async with opened(browser, titled, "#/list?group=solved") as page:
        await expect(page.locator(".list-total .number")).to_have_text(str(stock("solved")))
        await expect(page.locator(".items")).to_contain_text(MARKUP[0])
        await page.evaluate("location.hash = '#/issues'")
        await expect(page.locator(".places.issues tbody tr")).to_have_count(stock(*OPEN) - 2)  # two have no place
        assert await page.locator("a[href^='/']").count() == 0


@pytest.fixture
async def serving_dsn(dsn: str) -> str:
    """A district with a service to come and one that was held, in one place, with markup in their texts."""
    conn = await database.connect(dsn)
    await services_at_hand.settle(conn, MARKUP[0])
    await services_at_hand.confirm(conn)
    await conn.close()
    return dsn


async def test_services_are_in_the_file_and_shown_by_its_switch(
    browser: Browser, serving_dsn: str, tmp_path: Path
) -> None:
    plain, titled = tmp_path / "plain.html", tmp_path / "titled.html"
    assert (await made(serving_dsn, plain)).exit_code == 0
    services = data_of(plain)["file"]["now"]["services"]
    assert (services["to_come"], services["held"], services["unplaced"]) == (1, 1, 0)
    [mark] = services["marks"]
    assert (mark["count"], mark["held"], mark["services"]) == (2, 1, [])
    assert json.dumps(MARKUP[0])[1:-1] not in json.dumps(data_of(plain))
    async with opened(browser, plain) as page:
        await expect(page.locator(".service-pin")).to_have_count(0)
        await page.click(".services-switch")
        pin = page.locator(".service-pin")
        await expect(pin).to_have_attribute("aria-label", re.compile("2 场志愿服务.*即将开展 1.*已开展 1"))
        assert (await page.inner_text(".services-meaning")).split()[:4] == ["即将开展", "1", "已开展", "1"]
        await pin.press("Enter")
        await expect(page.locator(".services-popup")).to_contain_text("本文件不含服务名称")
        await expect(page.locator(".services-popup")).to_be_focused()
        beside = "document.querySelector('.leaflet-popup').getBoundingClientRect().left"
        await page.wait_for_function(f"{beside} >= document.querySelector('.legend').getBoundingClientRect().right")
        assert await violations(page) == []
        await page.keyboard.press("Escape")
        await expect(page.locator(".services-popup")).to_have_count(0)
    assert (await made(serving_dsn, titled, "--titles")).exit_code == 0
    [mark] = data_of(titled)["file"]["now"]["services"]["marks"]
    assert [one["state"] for one in mark["services"]] == ["announced", "confirmed"]
    assert set(mark["services"][0]) == set(map_files.IN_SERVICES)
    async with opened(browser, titled) as page:
        await page.click(".services-switch")
        await page.locator(".service-pin").press("Enter")
        told = page.locator(".services-told li")
        await expect(told).to_have_count(2)
        await expect(told.first).to_contain_text(MARKUP[0])
        assert await page.locator(".services-told a[href]").count() == 0
        await expect(page.locator(".file-told")).to_contain_text("含，附名称")


async def test_a_member_s_file_holds_what_they_see_and_no_more(town_dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "map.html"
    conn = await asyncpg.connect(town_dsn)
    numbers = {
        row["id"]: row["number"]
        for row in await conn.fetch("select id, number from member where district = $1", DISTRICT)
    }
    await conn.close()
    assert (await made(town_dsn, file, "--as", numbers[STRANGER.id], "--titles")).exit_code == 0
    assert data_of(file)["file"]["now"]["areas"] == []
    assert data_of(file)["file"]["issues"] == []
    assert (await made(town_dsn, file, "--as", numbers[WORKER.id], "--force")).exit_code == 0
    nobody = await made(town_dsn, tmp_path / "other.html", "--as", "nobody")
    assert nobody.exit_code == 1
    assert "nobody" in nobody.output
    assert not (tmp_path / "other.html").exists()


async def test_a_file_is_not_overwritten_and_the_history_says_what_was_taken(town_dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "map.html"
    file.write_text("mine")
    refused = await made(town_dsn, file)
    assert refused.exit_code == 1
    assert "--force" in refused.output
    assert file.read_text() == "mine"
    forced = await made(town_dsn, file, "--force", "--layer", "overdue", "--group", "overdue", "--lang", "en")
    assert forced.exit_code == 0, forced.output
    assert names(tmp_path) == ["map.html"]
    conn = await asyncpg.connect(town_dsn)
    taken = "select facts::text from history where kind = 'export' and actor = 'map' and facts->>'what' = 'map.html'"
    every = [json.loads(row["facts"]) for row in await conn.fetch(taken)]
    await conn.close()
    (facts,) = [one for one in every if one["filters"] == {"group": ["overdue"]}]
    assert facts["rows"] == stock("overdue")
    assert facts["layers"] == ["overdue"]


async def test_two_periods_lie_in_one_file(browser: Browser, town_dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "map.html"
    days = ["--from", "2026-10-24", "--to", "2026-11-22", "--than", "2026-09-24..2026-10-23"]
    assert (await made(town_dsn, file, *days)).exit_code == 0
    async with opened(browser, file, "#/areas") as page:
        await expect(page.locator(".map.then")).to_be_visible()
        cells = page.locator(f"tr[data-place='{NEXT}'] td a.number")
        await expect(cells).to_have_count(2)
        await page.click(".period-bar.then [data-choice=difference]")
        await expect(page.locator(".map.then path.area").first).to_have_class(re.compile("change-"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--than", "2026-10-01..2026-10-31"], "--than needs --from and --to"),
        (["--from", "2026-11-01", "--to", "2026-11-30", "--than", "x..y"], "2026-10-01..2026-10-31"),
        (["--district", "1"], "no district 1"),
        (["--campaign", "nowhere", "--layer", "coverage"], "no campaign nowhere"),
        (["--from", "0001-01-01", "--layer", "visits"], "reported_from"),
    ],
)
async def test_what_cannot_be_made_is_said_and_leaves_nothing(
    town_dsn: str, tmp_path: Path, options: list[str], said: str
) -> None:
    result = await made(town_dsn, tmp_path / "map.html", *options)
    assert result.exit_code != 0
    assert said in result.output
    assert names(tmp_path) == []

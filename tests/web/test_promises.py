"""Commitments and ballots in a browser: promised and approved, printed on a slip and voted for on a phone, counted and
read; each page in both languages and at both sizes, and nothing that axe finds wrong."""

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from playwright.async_api import Browser, Page, Route, expect

from api import database
from api.settings import Settings
from surveys.assessments import ballot_changes, commitment_moves, commitment_ratings
from surveys.assessments.ballot_terms import (
    BallotDraft,
    BallotMove,
    CandidateDraft,
    Enrolment,
    GroupDraft,
    Printing,
    SlipVote,
)
from surveys.assessments.ballot_votes import vote_with_slip
from surveys.assessments.commitment_ratings import MemberRating
from surveys.assessments.commitment_terms import CommitmentDraft, CommitmentMove
from surveys.people import people
from surveys.people.people import Reader
from tests import photographs
from tests.conftest import (
    ADMINISTRATOR,
    AUDITOR,
    DISTRICT,
    LEADER,
    MEMBER,
    NEAR,
    NOW,
    ORGANISATION,
    ORGANISER,
    RING,
    WORKER,
    Client,
    Person,
    Server,
    TestClock,
)
from tests.web import town
from tests.web.accessible import violations
from tests.web.conftest import DESK, PHONE, Visitor, served, visiting

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

PICTURES = os.environ.get("ZOUFANG_TEST_PICTURES")  # a folder to look at what was seen
HOSTILE = "<img onerror=alert(1)> ${7*7} =cmd()"


async def reader(conn: asyncpg.Connection, who: Person) -> Reader:
    found = await people.reader(conn, DISTRICT, who.number)
    assert found
    return found


async def enter(visitor: Visitor, who: Person) -> None:
    """Be signed in without seeing the door."""
    await visitor.page.context.clear_cookies()
    form: dict[str, str | float | bool] = {"token": who.token}
    await visitor.page.context.request.post(f"{visitor.site}/sign-in", form=form, max_redirects=0)


class House:
    """A program on a district with a kept commitment, one to be approved, a ballot that is open and one counted."""

    address: str
    kept: UUID
    proposed: UUID
    open: UUID
    counted: UUID
    slips: list[str]


async def _commitment(conn: asyncpg.Connection, zone: Any, text: str) -> UUID:
    draft = CommitmentDraft(
        id=uuid4(), text=text, due_on=(NOW + timedelta(days=9)).date(), aim="communities", communities=(NEAR,)
    )
    await commitment_moves.make(conn, await reader(conn, MEMBER), draft, zone, NOW)
    return draft.id


async def _ballot(conn: asyncpg.Connection, title: str, **times: Any) -> UUID:
    draft = BallotDraft(
        id=uuid4(),
        organisation=ORGANISATION,
        title=title,
        candidates=(CandidateDraft(member=MEMBER.number), CandidateDraft(matter=HOSTILE)),
        groups=(
            GroupDraft(code="A", name="领导", weight=40, way="roll"),
            GroupDraft(code="C", name=HOSTILE, weight=60, way="slips"),
        ),
        **({"opens_at": NOW - timedelta(hours=1), "closes_at": NOW + timedelta(days=1)} | times),
    )
    holder = await reader(conn, ORGANISER)
    await ballot_changes.make(conn, RING, holder, draft, NOW - timedelta(hours=2))
    enrolment = Enrolment(id=uuid4(), group="A", members=(LEADER.number, ADMINISTRATOR.number))
    await ballot_changes.enrol(conn, holder, draft.id, enrolment, NOW - timedelta(hours=1))
    to_be_handed = Enrolment(id=uuid4(), group="C", members=(MEMBER.number, WORKER.number, AUDITOR.number))
    await ballot_changes.enrol(conn, holder, draft.id, to_be_handed, NOW - timedelta(hours=1))
    return draft.id


async def _settle(conn: asyncpg.Connection, house: House) -> None:
    district = await people.district(conn, DISTRICT)
    assert district
    zone, holder = district.zone, await reader(conn, ORGANISER)
    async with conn.transaction():
        house.proposed = await _commitment(conn, zone, "每月为独居老人上门理发一次")
        house.kept = await _commitment(conn, zone, HOSTILE)
        approve = CommitmentMove(id=uuid4(), expected_version=1, move="approve")
        await commitment_moves.move(conn, holder, house.kept, approve, zone, NOW)
        done = CommitmentMove(id=uuid4(), expected_version=2, move="report_done", how=HOSTILE)
        await commitment_moves.move(conn, await reader(conn, MEMBER), house.kept, done, zone, NOW)
        rating = MemberRating(id=uuid4(), rated_by="leader", kept=True, stars=5)
        await commitment_ratings.rate(conn, await reader(conn, LEADER), house.kept, rating, NOW)
        house.open = await _ballot(conn, "年度民主测评")
        _, codes = await ballot_changes.print_slips(conn, holder, house.open, Printing(group="C", count=4), NOW)
        house.slips = list(codes)
        past = NOW - timedelta(minutes=30)
        house.counted = await _ballot(conn, "上半年民主测评", closes_at=NOW - timedelta(minutes=10))
        _, codes = await ballot_changes.print_slips(conn, holder, house.counted, Printing(group="C", count=6), past)
        for code in codes:
            await vote_with_slip(conn, RING, SlipVote(code=code, ballot=house.counted, choices=(1, 2)), past)
        count = BallotMove(id=uuid4(), expected_version=1, move="count")
        await ballot_changes.move(conn, RING, holder, house.counted, count, NOW)


@pytest.fixture(scope="module")
async def house(server: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    name = f"promises_{uuid4().hex[:8]}"
    admin = await asyncpg.connect(server.dsn())
    await admin.execute(f"create database {name} template {template}")
    dsn, made = server.dsn("zoufang_app", name), House()
    conn = await database.connect(dsn)
    await town.settle(conn)
    await _settle(conn, made)
    await conn.close()
    async with served(
        Settings(database_url=dsn, pool_size=4, data=tmp_path_factory.mktemp("data")), TestClock()
    ) as address:
        made.address = address
        yield made
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@pytest.fixture(params=["phone", "desk"])
async def visitor(request: pytest.FixtureRequest, browser: Browser, house: House) -> AsyncIterator[Visitor]:
    async with visiting(browser, house.address, **(PHONE if request.param == "phone" else DESK)) as arrived:
        yield arrived


async def test_each_page_can_be_read_by_everybody_and_runs_nothing_that_somebody_wrote(
    visitor: Visitor, house: House
) -> None:
    await enter(visitor, ORGANISER)
    wrong = {}
    for path in (
        "/assessments/commitments",
        f"/assessments/commitments/{house.kept}",
        f"/assessments/commitments/{house.proposed}",
        "/assessments/ballots",
        f"/assessments/ballots/{house.open}",
        f"/assessments/ballots/{house.counted}",
    ):
        for language in ("zh", "en"):
            answer = await visitor.page.goto(f"{visitor.site}{path}?lang={language}")
            assert answer is not None
            assert answer.status == 200, path
            if found := await violations(visitor.page):
                wrong[path, language] = found
    assert wrong == {}


async def test_a_slip_is_scanned_filled_in_checked_and_used_once(visitor: Visitor, house: House) -> None:
    page, code = visitor.page, house.slips.pop()
    await page.goto(f"{visitor.site}/ballot#{code}")
    await expect(page.get_by_role("heading", name="年度民主测评")).to_be_visible()
    assert code not in page.url
    assert HOSTILE in (await page.locator("main").inner_text())
    assert await violations(page) == []
    await page.get_by_role("button", name="看一看再投").click()
    await expect(page.get_by_role("alert")).to_contain_text("还有没选的")
    for question in (0, 1):
        await page.locator(f"[name=c{question}]").nth(question).check()
    await page.get_by_role("button", name="看一看再投").click()
    await expect(page.get_by_role("heading", name="您选的是")).to_be_visible()
    assert await violations(page) == []
    await page.get_by_role("button", name="确认投票").click()
    await expect(page.get_by_role("heading", name="谢谢您，投票完成")).to_be_visible()
    assert await page.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0
    await page.goto(f"{visitor.site}/ballot")
    await page.get_by_label("测评票上的号码").fill(code)
    await page.get_by_role("button", name="下一步").click()
    await expect(page.get_by_role("alert")).to_contain_text("已经投过")


async def test_a_member_on_the_roll_votes_and_the_organiser_sees_that_they_have(visitor: Visitor, house: House) -> None:
    who = ADMINISTRATOR if visitor.page.viewport_size and visitor.page.viewport_size["width"] > 600 else LEADER
    page = visitor.page
    await enter(visitor, who)
    await page.goto(f"{visitor.site}/assessments/ballots")
    await expect(page.get_by_text("可以投票")).to_be_visible()
    await page.goto(f"{visitor.site}/assessments/ballots/{house.open}/vote")
    for question in (0, 1):
        await page.locator(f"[name=c{question}]").nth(0).check()
    assert await violations(page) == []
    await page.get_by_role("button", name="看一看再投").click()
    await page.get_by_role("button", name="确认投票").click()
    await expect(page.get_by_role("heading", name="谢谢您，投票完成")).to_be_visible()
    await enter(visitor, ORGANISER)
    await page.goto(f"{visitor.site}/assessments/ballots/{house.open}")
    await page.get_by_text("投票登记名单").click()
    await expect(page.get_by_text("✓").first).to_be_visible()


async def test_whoever_was_handed_a_slip_is_marked_where_the_roll_is(visitor: Visitor, house: House) -> None:
    page = visitor.page
    who = MEMBER if page.viewport_size and page.viewport_size["width"] > 600 else WORKER
    await enter(visitor, ORGANISER)
    await page.goto(f"{visitor.site}/assessments/ballots/{house.open}")
    before = int(await page.get_attribute('[data-marked="C"]', "data-count") or "")
    await page.get_by_text("投票登记名单").click()
    line = page.locator(f".roll li:has-text('{who.name}')")
    if PICTURES:
        await page.screenshot(path=f"{PICTURES}/ballot-roll-{who.number}.png", full_page=True)
    await line.get_by_role("button", name=f"已领票 {who.name}").click()
    await expect(line.locator("[data-tick]")).to_have_text("✓")
    await expect(line.get_by_role("button")).to_have_count(0)
    await expect(page.locator('[data-marked="C"]')).to_have_text(str(before + 1))
    assert await violations(page) == []
    await page.reload()
    await expect(page.locator('[data-marked="C"]')).to_have_text(str(before + 1))
    counted = f"{visitor.site}/assessments/ballots/{house.counted}"
    await page.goto(counted)
    await expect(page.locator(".roll button")).to_have_count(0)


async def standing(house: House) -> str:
    """The page of a commitment that was approved and can be reported done."""
    path = "/api/assessments/commitments"
    draft = {"id": str(uuid4()), "text": "为独居老人理发", "due_on": "2026-12-20", "aim": "area"}
    approve = {"id": str(uuid4()), "expected_version": 1, "move": "approve"}
    async with Client(base_url=house.address, timeout=60) as client:
        made = await client.post(path, json=draft, headers=MEMBER.headers)
        assert made.status_code == 201, made.text
        moved = await client.post(f"{path}/{draft['id']}/moves", json=approve, headers=ORGANISER.headers)
        assert moved.status_code == 200, moved.text
    return f"/assessments/commitments/{draft['id']}"


async def reporting(visitor: Visitor, house: House) -> tuple[Page, str]:
    """The page of a commitment on which its member has written what was done, and its address."""
    page, path = visitor.page, await standing(house)
    await enter(visitor, MEMBER)
    await page.goto(f"{visitor.site}{path}?lang=zh")
    await page.click("details:has(form[data-report]) summary")
    await page.fill("#how", "三户都理了发。")
    return page, path


def pictures(folder: Path, count: int) -> list[Path]:
    files = [folder / f"{at}.jpg" for at in range(count)]
    for at, file in enumerate(files):
        file.write_bytes(photographs.photo(640, 480, shade=40 * at))
    return files


async def test_what_was_done_is_reported_with_photos_that_members_then_see(
    visitor: Visitor, house: House, tmp_path: Path
) -> None:
    page, path = await reporting(visitor, house)
    torn = tmp_path / "torn.jpg"
    torn.write_bytes(b"no picture at all")
    await page.set_input_files("#photos", [*pictures(tmp_path, 2), torn])
    told = page.locator("[data-photos-told]")
    await expect(told).to_contain_text("照片已备好：2 张")
    await expect(told).to_contain_text("没有选入，浏览器读不出这张照片：torn.jpg")
    assert await violations(page) == []
    await page.click("form[data-report] button[type=submit]")
    for who in (MEMBER, LEADER):
        await expect(page.locator(".proofs img")).to_have_count(2)
        for shown in await page.locator(".proofs img").all():
            await shown.scroll_into_view_if_needed()
            await expect(shown).to_have_js_property("naturalWidth", 320)
        await expect(page.get_by_text("三户都理了发。")).to_be_visible()
        assert await violations(page) == [], who.name
        await enter(visitor, LEADER)
        await page.goto(f"{visitor.site}{path}?lang=zh")


async def test_what_was_written_stays_when_the_line_breaks_and_only_missing_photos_are_sent_again(
    visitor: Visitor, house: House, tmp_path: Path
) -> None:
    page, _ = await reporting(visitor, house)
    await page.set_input_files("#photos", pictures(tmp_path, 10))
    await expect(page.locator("[data-photos-told]")).to_contain_text("最多 9 张，多出的没有选入。")
    await page.set_input_files("#photos", pictures(tmp_path, 2))
    await expect(page.locator("[data-photos-told]")).to_have_text("照片已备好：2 张")
    button, alert = (
        page.locator("form[data-report] button[type=submit]"),
        page.locator("form[data-report] [role=alert]"),
    )

    await page.route("**/moves", lambda route: route.abort())
    await button.click()
    await expect(alert).to_have_text("网络不通，没有发出。")
    assert await page.input_value("#how") == "三户都理了发。"
    await page.unroute("**/moves")

    sent: list[str] = []

    async def first_fails(route: Route) -> None:
        sent.append(route.request.url)
        await (route.abort() if len(sent) == 1 else route.continue_())

    await page.route("**/photos/*", first_fails)
    await button.click()
    await expect(alert).to_contain_text("结果已登记，还有 1 张照片没有传上去（网络不通）")
    await expect(button).to_have_text("重新上传剩下的照片")
    await expect(page.locator("#how")).to_be_disabled()
    assert await violations(page) == []
    await button.click()
    await expect(page.locator(".proofs img")).to_have_count(2)
    assert sent == [sent[0], sent[1], sent[0]]


async def test_photos_of_a_page_that_was_closed_meanwhile_are_chosen_again_and_sent(
    visitor: Visitor, house: House, tmp_path: Path
) -> None:
    page, path = await reporting(visitor, house)
    first, second, other = pictures(tmp_path, 3)
    await page.set_input_files("#photos", [first, second])
    await expect(page.locator("[data-photos-told]")).to_have_text("照片已备好：2 张")
    await page.route("**/photos/*", lambda route: route.abort())
    await page.click("form[data-report] button[type=submit]")
    await expect(page.locator("form[data-report] [role=alert]")).to_contain_text("还有 2 张照片没有传上去")

    await page.goto(f"{visitor.site}{path}?lang=zh")
    await page.unroute("**/photos/*")
    form = page.locator("form[data-missing]")
    await expect(form).to_contain_text("报告里还有 2 张照片没有传上来")
    assert await violations(page) == []
    await page.set_input_files("#photos", other)
    await form.locator("button[type=submit]").click()
    await expect(form.locator("[role=alert]")).to_contain_text("选中的都不是报告里的照片")
    await page.set_input_files("#photos", [first, other])
    await form.locator("button[type=submit]").click()
    await expect(form).to_contain_text("报告里还有 1 张照片没有传上来")
    await expect(page.locator(".proofs img")).to_have_count(1)
    await enter(visitor, LEADER)
    await page.goto(f"{visitor.site}{path}?lang=zh")
    await expect(page.locator(".proofs img")).to_have_count(1)
    await expect(page.locator("form[data-missing]")).to_have_count(0)

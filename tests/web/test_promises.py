"""Commitments and ballots in a browser: promised and approved, printed on a slip and voted for on a phone, counted and
read; each page in both languages and at both sizes, and nothing that axe finds wrong."""

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from playwright.async_api import Browser, expect

from api import database
from api.settings import Settings
from surveys import people
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
from surveys.people import Reader
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
async def house(server: Server, template: str) -> AsyncIterator[House]:
    name = f"promises_{uuid4().hex[:8]}"
    admin = await asyncpg.connect(server.dsn())
    await admin.execute(f"create database {name} template {template}")
    dsn, made = server.dsn("zoufang_app", name), House()
    conn = await database.connect(dsn)
    await town.settle(conn)
    await _settle(conn, made)
    await conn.close()
    async with served(Settings(database_url=dsn, pool_size=4), TestClock()) as address:
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
